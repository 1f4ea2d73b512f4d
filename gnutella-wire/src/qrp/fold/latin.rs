//! Folding of Latin, and of the common accents of Greek and Cyrillic, with one string as table.

use super::is_in;

/// The base letters of U+00A0 to U+024F; a dot where a character has none in ASCII.
const EXTENDED: &[u8; 432] = b"\x20\
    ....... .a.... ..23 ... 1o.....\
    AAAAAA.CEEEEIIII.NOOOOO..UUUUY..aaaaaa.ceeeeiiii.nooooo..uuuuy.y\
    AaAaAaCcCcCcCcDd..EeEeEeEeEeGgGgGgGgHh..IiIiIiIiI...JjKk.LlLlLl.\
    ...NnNnNn...OoOoOo..RrRrRrSsSsSsSsTtTt..UuUuUuUuUuUuWwYyYZzZzZzs\
    ................................Oo.............Uu...............\
    .............AaIiOoUuUuUuUuUu.AaAa....GgKkOoOo..j...Gg..NnAa....\
    AaAaEeEeIiIiOoOoRrRrUuUuSsTt..Hh......AaEeOoOoOoOoYy............\
    ................\
";

/// The base letters of U+1E00 to U+1EFF.
const ADDITIONAL: &[u8; 256] = b"\
    AaBbBbBbCcDdDdDdDdDdEeEeEeEeEeFfGgHhHhHhHhHhIiIiKkKkKkLlLlLlLlMm\
    MmMmNnNnNnNnOoOoOoOoPpPpRrRrRrRrSsSsSsSsSsTtTtTtTtUuUuUuUuUuVvVv\
    WwWwWwWwWwXxXxYyZzZzZzhtwy.s....AaAaAaAaAaAaAaAaAaAaAaAaEeEeEeEe\
    EeEeEeEeIiIiOoOoOoOoOoOoOoOoOoOoOoOoUuUuUuUuUuUuUuYyYyYyYy......\
";

/// Passes the parts of a character without its marks to `each`.
pub(super) fn decompose(c: char, mut each: impl FnMut(char)) {
    let c = base(c).unwrap_or(c);
    let parts = LIGATURES.iter().find(|(whole, _)| u32::from(*whole) == u32::from(c));
    match parts {
        Some((_, parts)) => {
            parts.iter().filter(|part| **part != 0).for_each(|part| each(char::from(*part)));
        }
        None => each(c),
    }
}

/// Characters that are several letters, and these; 0 stands for none.
const LIGATURES: [(u16, [u8; 3]); 14] = [
    (0xDF, *b"ss\0"),
    (0x1E9E, *b"ss\0"),
    (0xFB00, *b"ff\0"),
    (0xFB01, *b"fi\0"),
    (0xFB02, *b"fl\0"),
    (0xFB03, *b"ffi"),
    (0xFB04, *b"ffl"),
    (0xFB05, *b"st\0"),
    (0xFB06, *b"st\0"),
    (0x132, *b"IJ\0"),
    (0x133, *b"ij\0"),
    (0x2116, *b"No\0"),
    (0x2122, *b"TM\0"),
    (0x2026, *b"..."),
];

/// How far the lower case of a range of letters is: a number of characters, or one where capitals have even or odd
/// numbers.
const EVEN: u8 = 0;
const ODD: u8 = 1;

/// The ranges of capitals: the first and the last, and how far their lower case is.
const CAPITALS: [(u16, u16, u8); 26] = [
    (0xC0, 0xD6, 32),
    (0xD8, 0xDE, 32),
    (0x100, 0x137, EVEN),
    (0x139, 0x148, ODD),
    (0x14A, 0x177, EVEN),
    (0x179, 0x17E, ODD),
    (0x1CD, 0x1DC, ODD),
    (0x1DE, 0x1EF, EVEN),
    (0x1F8, 0x21F, EVEN),
    (0x222, 0x233, EVEN),
    (0x386, 0x386, 38),
    (0x388, 0x38A, 37),
    (0x38C, 0x38C, 64),
    (0x38E, 0x38F, 63),
    (0x391, 0x3A1, 32),
    (0x3A3, 0x3AB, 32),
    (0x400, 0x40F, 80),
    (0x410, 0x42F, 32),
    (0x460, 0x481, EVEN),
    (0x48A, 0x4BF, EVEN),
    (0x4C1, 0x4CE, ODD),
    (0x4D0, 0x52F, EVEN),
    (0x531, 0x556, 48),
    (0x1E00, 0x1E95, EVEN),
    (0x1EA0, 0x1EFF, EVEN),
    (0xFF21, 0xFF3A, 32),
];

/// Returns the lower case of a letter of Latin, Greek, Cyrillic or Armenian.
pub(super) fn lower(c: char) -> char {
    match c {
        '\0'..='\x7F' => return c.to_ascii_lowercase(),
        '\u{130}' => return 'i',
        '\u{178}' => return '\u{FF}',
        '\u{1E9E}' => return '\u{DF}',
        _ => {}
    }
    let code = u32::from(c);
    let is_in = |first: u16, last: u16| (u32::from(first)..=u32::from(last)).contains(&code);
    let range = CAPITALS.iter().find(|(first, last, _)| is_in(*first, *last));
    let up = match range {
        None => 0,
        Some((.., EVEN)) => u32::from(code % 2 == 0),
        Some((.., ODD)) => code % 2,
        Some((.., up)) => u32::from(*up),
    };
    char::from_u32(code.saturating_add(up)).unwrap_or(c)
}

/// The ranges of signs, spaces and symbols beyond ASCII: the first and the last.
const SIGNS: [(u16, u16); 37] = [
    (0x80, 0xA9),
    (0xAB, 0xB1),
    (0xB4, 0xB4),
    (0xB6, 0xB8),
    (0xBB, 0xBF),
    (0xD7, 0xD7),
    (0xF7, 0xF7),
    (0x2C2, 0x2DF),
    (0x37E, 0x37E),
    (0x387, 0x387),
    (0x55A, 0x55F),
    (0x589, 0x589),
    (0x60C, 0x60C),
    (0x61B, 0x61B),
    (0x61F, 0x61F),
    (0x66A, 0x66D),
    (0x6D4, 0x6D4),
    (0x964, 0x965),
    (0x2000, 0x206F),
    (0x20A0, 0x20CF),
    (0x2100, 0x214F),
    (0x2190, 0x2BFF),
    (0x2E00, 0x2E7F),
    (0x3000, 0x3004),
    (0x3008, 0x3020),
    (0x3030, 0x3030),
    (0x303D, 0x303D),
    (0x30A0, 0x30A0),
    (0x30FB, 0x30FB),
    (0xE000, 0xF8FF),
    (0xFE10, 0xFE19),
    (0xFE30, 0xFE6F),
    (0xFEFF, 0xFF0F),
    (0xFF1A, 0xFF20),
    (0xFF3B, 0xFF40),
    (0xFF5B, 0xFF65),
    (0xFFE0, 0xFFFF),
];

/// Returns whether a character belongs to words: beyond ASCII whatever is no sign, space or symbol.
pub(super) fn is_letter(c: char) -> bool {
    match c {
        '\0'..='\x7F' => c.is_ascii_alphanumeric(),
        '\u{1F000}'..='\u{1FAFF}' => false,
        _ => !is_in(&SIGNS, c),
    }
}

/// Returns the one character that remains without marks, width or height.
fn base(c: char) -> Option<char> {
    let code = u32::from(c);
    let of = |table: &[u8], first: u32| {
        let at = usize::try_from(code.checked_sub(first)?).ok()?;
        table.get(at).filter(|base| **base != b'.').map(|base| char::from(*base))
    };
    let shifted = |by: u32| char::from_u32(code.wrapping_sub(by));
    match c {
        '\0'..='\x7F' => Some(c),
        '\u{A0}'..='\u{24F}' => of(EXTENDED, 0xA0),
        '\u{1E00}'..='\u{1EFF}' => of(ADDITIONAL, 0x1E00),
        '\u{FF01}'..='\u{FF5E}' => shifted(0xFEE0),
        '\u{2080}'..='\u{2089}' => shifted(0x2050),
        '\u{2070}' | '\u{2074}'..='\u{2079}' => shifted(0x2040),
        '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' => Some(' '),
        _ => greek_or_cyrillic(c),
    }
}

/// Letters of Greek and Cyrillic with accents, each before the one that it is without.
const ACCENTED: [[char; 2]; 36] = [
    ['Ά', 'Α'],
    ['Έ', 'Ε'],
    ['Ή', 'Η'],
    ['Ί', 'Ι'],
    ['Ϊ', 'Ι'],
    ['Ό', 'Ο'],
    ['Ύ', 'Υ'],
    ['Ϋ', 'Υ'],
    ['Ώ', 'Ω'],
    ['ά', 'α'],
    ['έ', 'ε'],
    ['ή', 'η'],
    ['ί', 'ι'],
    ['ϊ', 'ι'],
    ['ΐ', 'ι'],
    ['ό', 'ο'],
    ['ύ', 'υ'],
    ['ϋ', 'υ'],
    ['ΰ', 'υ'],
    ['ώ', 'ω'],
    ['Й', 'И'],
    ['Ѝ', 'И'],
    ['й', 'и'],
    ['ѝ', 'и'],
    ['Ё', 'Е'],
    ['Ѐ', 'Е'],
    ['ё', 'е'],
    ['ѐ', 'е'],
    ['Ї', 'І'],
    ['ї', 'і'],
    ['Ў', 'У'],
    ['ў', 'у'],
    ['Ѓ', 'Г'],
    ['ѓ', 'г'],
    ['Ќ', 'К'],
    ['ќ', 'к'],
];

fn greek_or_cyrillic(c: char) -> Option<char> {
    ACCENTED.iter().find(|[accented, _]| *accented == c).map(|[_, plain]| *plain)
}

#[cfg(test)]
mod tests {
    use std::string::String;
    use std::vec::Vec;

    use super::{CAPITALS, decompose, is_letter, lower};

    fn parts(c: char) -> String {
        let mut parts = String::new();
        decompose(c, |part| parts.push(part));
        parts
    }

    fn chars(first: u32, last: u32) -> impl Iterator<Item = char> {
        (first..=last).filter_map(char::from_u32)
    }

    /// Every capital of the ranges has the simple lower case of Unicode, and what is in lower case stays.
    #[test]
    fn capitals_have_the_lower_case_of_unicode() {
        let of_unicode = |c: char| c.to_lowercase().next().unwrap_or(c);
        let capitals = CAPITALS.map(|(first, last, _)| (u32::from(first), u32::from(last)));
        let alphabets =
            [(0, 0x17F), (0x386, 0x3CE), (0x400, 0x4BF), (0x4C1, 0x52F), (0x531, 0x586)];
        let wrong: Vec<char> = capitals
            .into_iter()
            .chain(alphabets)
            .flat_map(|(first, last)| chars(first, last))
            .filter(|c| lower(*c) != of_unicode(*c))
            .collect();
        assert_eq!(wrong, []);
        for c in chars(0, 0xFFFF) {
            assert_eq!(lower(lower(c)), lower(c), "{c}");
        }
    }

    /// Letters without their marks, and characters that stand for several.
    #[test]
    fn letters_lose_their_marks() {
        for (whole, expected) in [
            ("aZ09-", "aZ09-"),
            ("ÀÇÉÎÑÖÙÝ", "ACEINOUY"),
            ("àçéîñöùýÿ", "aceinouyy"),
            ("ĀĂĄĆĈČĎĒĞĤĪĴĶĹŃŌŔŚŢŨŴŶŹŽ", "AAACCCDEGHIJKLNORSTUWYZZ"),
            ("ǍȀȘț", "AASt"),
            ("ḀḃṠẁẸỹ", "AbSwEy"),
            ("ΆΈΉΊΌΎΏάώϋΐ", "ΑΕΗΙΟΥΩαωυι"),
            ("ЙйЁёЇїЎўЃѓЌќ", "ИиЕеІіУуГгКк"),
            ("ＡＢｚ１！", "ABz1!"),
            ("₀₉⁰⁴⁹²³¹", "09049231"),
            ("ßẞﬀﬁﬂﬃﬄﬅﬆĲĳ№™…", "ssssfffiflffifflststIJijNoTM..."),
            ("\u{A0}\u{2000}\u{200A}\u{202F}\u{205F}\u{3000}", "      "),
            ("ØøĐđŁłÞæ€×", "ØøĐđŁłÞæ€×"), // letters of their own, and signs
            ("漢한ש", "漢한ש"),
        ] {
            let found: String = whole.chars().map(parts).collect();
            assert_eq!(found, expected, "{whole}");
        }
    }

    /// What is taken apart falls into the same parts as by the tables of Unicode.
    #[cfg(feature = "unicode")]
    #[test]
    fn parts_are_those_of_unicode() {
        let is_whole = |c: char| parts(c).chars().eq([c]);
        for c in chars(0, 0xFFFF).filter(|c| !is_whole(*c)) {
            let mut expected = String::new();
            super::super::decompose(c, |part| {
                if !super::super::is_mark(part) {
                    expected.push(part);
                }
            });
            assert_eq!(parts(c), expected, "U+{:04X} {c}", u32::from(c));
        }
    }

    /// Signs, spaces and symbols separate words.
    #[test]
    fn signs_are_not_letters() {
        for c in "azAZ09ßÿŁΑωЯёא漢한ºª²³¹µ".chars() {
            assert!(is_letter(c), "{c}");
        }
        let signs = " -_.,'!\u{7F}\u{80}\u{A0}©«±´¶·¸»¿×÷…“–€™←∑■、。〈・︰\u{FEFF}！：［｛￥😀🚀";
        for c in signs.chars() {
            assert!(!is_letter(c), "U+{:04X} {c}", u32::from(c));
        }
    }
}
