//! Folding of Latin, and of the common accents of Greek and Cyrillic, with one string as table.

/// The base letters of U+00C0 to U+024F; a dot where a character has none in ASCII.
const EXTENDED: &[u8; 400] = b"\
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
    if let Some(base) = base(c) {
        return each(base);
    }
    let text = match c {
        '\u{FB00}' => "ff",
        '\u{FB01}' => "fi",
        '\u{FB02}' => "fl",
        '\u{FB03}' => "ffi",
        '\u{FB04}' => "ffl",
        '\u{FB05}' | '\u{FB06}' => "st",
        '\u{132}' => "IJ",
        '\u{133}' => "ij",
        '\u{2116}' => "No",
        '\u{2122}' => "TM",
        '\u{2026}' => "...",
        other => return each(other),
    };
    text.chars().for_each(each);
}

/// Returns the lower case of a letter of Latin, Greek, Cyrillic or Armenian.
#[expect(clippy::match_same_arms, reason = "one arm for each script")]
pub(super) fn lower(c: char) -> char {
    let code = u32::from(c);
    let up = match code {
        0x41..=0x5A | 0xC0..=0xD6 | 0xD8..=0xDE | 0x391..=0x3A1 | 0x3A3..=0x3AB => 32,
        0x410..=0x42F | 0xFF21..=0xFF3A => 32,
        0x400..=0x40F => 80,
        0x531..=0x556 => 48,
        0x130 => return 'i',
        0x178 => return '\u{FF}',
        0x1E9E => return '\u{DF}',
        0x386 => 38,
        0x388..=0x38A => 37,
        0x38C => 64,
        0x38E | 0x38F => 63,
        0x100..=0x137 | 0x14A..=0x177 | 0x1DE..=0x1EF | 0x1F8..=0x21F | 0x222..=0x233 => {
            u32::from(code % 2 == 0)
        }
        0x460..=0x481 | 0x48A..=0x4BF | 0x4D0..=0x52F | 0x1E00..=0x1E95 | 0x1EA0..=0x1EFF => {
            u32::from(code % 2 == 0)
        }
        0x139..=0x148 | 0x179..=0x17E | 0x1CD..=0x1DC | 0x4C1..=0x4CE => code % 2,
        _ => 0,
    };
    char::from_u32(code.saturating_add(up)).unwrap_or(c)
}

/// Returns whether a character belongs to words: beyond ASCII whatever is no sign, space or symbol.
#[expect(clippy::match_same_arms, reason = "one arm for each script")]
pub(super) fn is_letter(c: char) -> bool {
    match c {
        '\0'..='\x7F' => c.is_ascii_alphanumeric(),
        '\u{AA}' | '\u{B2}' | '\u{B3}' | '\u{B5}' | '\u{B9}' | '\u{BA}' => true,
        '\u{80}'..='\u{BF}' | '\u{D7}' | '\u{F7}' => false,
        '\u{2C2}'..='\u{2DF}' | '\u{37E}' | '\u{387}' | '\u{55A}'..='\u{55F}' | '\u{589}' => false,
        '\u{60C}' | '\u{61B}' | '\u{61F}' | '\u{66A}'..='\u{66D}' | '\u{6D4}' => false,
        '\u{964}' | '\u{965}' | '\u{2000}'..='\u{206F}' | '\u{20A0}'..='\u{20CF}' => false,
        '\u{2100}'..='\u{214F}' | '\u{2190}'..='\u{2BFF}' | '\u{2E00}'..='\u{2E7F}' => false,
        '\u{3000}'..='\u{3004}' | '\u{3008}'..='\u{3020}' | '\u{3030}' | '\u{303D}' => false,
        '\u{30A0}' | '\u{30FB}' | '\u{E000}'..='\u{F8FF}' | '\u{FE10}'..='\u{FE19}' => false,
        '\u{FE30}'..='\u{FE6F}' | '\u{FEFF}'..='\u{FF0F}' | '\u{FF1A}'..='\u{FF20}' => false,
        '\u{FF3B}'..='\u{FF40}' | '\u{FF5B}'..='\u{FF65}' | '\u{FFE0}'..='\u{FFFF}' => false,
        '\u{1F000}'..='\u{1FAFF}' => false,
        _ => true,
    }
}

/// Returns the one character that remains without marks, width or height.
#[expect(clippy::match_same_arms, reason = "one arm for each script")]
fn base(c: char) -> Option<char> {
    let code = u32::from(c);
    let of = |table: &[u8], first: u32| {
        let at = usize::try_from(code.checked_sub(first)?).ok()?;
        table.get(at).filter(|base| **base != b'.').map(|base| char::from(*base))
    };
    let shifted = |by: u32| char::from_u32(code.wrapping_sub(by));
    match c {
        '\0'..='\x7F' => Some(c),
        '\u{C0}'..='\u{24F}' => of(EXTENDED, 0xC0),
        '\u{1E00}'..='\u{1EFF}' => of(ADDITIONAL, 0x1E00),
        '\u{FF01}'..='\u{FF5E}' => shifted(0xFEE0),
        '\u{2080}'..='\u{2089}' => shifted(0x2050),
        '\u{2070}' | '\u{2074}'..='\u{2079}' => shifted(0x2040),
        '\u{B2}' | '\u{B3}' => shifted(0x80),
        '\u{B9}' => Some('1'),
        '\u{AA}' => Some('a'),
        '\u{BA}' => Some('o'),
        '\u{A0}' | '\u{A8}' | '\u{AF}' | '\u{B4}' | '\u{B8}' => Some(' '),
        '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' => Some(' '),
        _ => greek_or_cyrillic(c),
    }
}

const fn greek_or_cyrillic(c: char) -> Option<char> {
    Some(match c {
        'Ά' => 'Α',
        'Έ' => 'Ε',
        'Ή' => 'Η',
        'Ί' | 'Ϊ' => 'Ι',
        'Ό' => 'Ο',
        'Ύ' | 'Ϋ' => 'Υ',
        'Ώ' => 'Ω',
        'ά' => 'α',
        'έ' => 'ε',
        'ή' => 'η',
        'ί' | 'ϊ' | 'ΐ' => 'ι',
        'ό' => 'ο',
        'ύ' | 'ϋ' | 'ΰ' => 'υ',
        'ώ' => 'ω',
        'Й' | 'Ѝ' => 'И',
        'й' | 'ѝ' => 'и',
        'Ё' | 'Ѐ' => 'Е',
        'ё' | 'ѐ' => 'е',
        'Ї' => 'І',
        'ї' => 'і',
        'Ў' => 'У',
        'ў' => 'у',
        'Ѓ' => 'Г',
        'ѓ' => 'г',
        'Ќ' => 'К',
        'ќ' => 'к',
        _ => return None,
    })
}
