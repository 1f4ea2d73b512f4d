//! Case, accents and letters: the tables of Unicode with the feature `unicode`, rules for Latin,
//! Greek and Cyrillic without it.

mod block;
#[cfg_attr(
    all(feature = "unicode", not(test)),
    expect(dead_code, reason = "the tables replace it")
)]
mod latin;

pub(super) use block::block;

/// Returns the simple lower case of a character.
pub(super) fn lower(c: char) -> char {
    #[cfg(feature = "unicode")]
    return c.to_lowercase().next().unwrap_or(c);
    #[cfg(not(feature = "unicode"))]
    latin::lower(c)
}

/// Returns whether a character belongs to words.
pub(crate) fn is_letter(c: char) -> bool {
    #[cfg(feature = "unicode")]
    return c.is_alphanumeric() || matches!(c, '\u{900}'..='\u{963}' | '\u{966}'..='\u{109F}');
    #[cfg(not(feature = "unicode"))]
    latin::is_letter(c)
}

/// Passes the parts of a character to `each`: its compatibility decomposition, with `ss` for sharp s.
pub(super) fn decompose(c: char, each: impl FnMut(char)) {
    #[cfg(feature = "unicode")]
    match c {
        '\u{DF}' | '\u{1E9E}' => "ss".chars().for_each(each),
        _ => unicode_normalization::char::decompose_compatible(c, each),
    }
    #[cfg(not(feature = "unicode"))]
    latin::decompose(c, each);
}

/// Returns the character that two make together: a syllable of Hangul, a voiced kana.
pub(super) fn compose(first: char, second: char) -> Option<char> {
    #[cfg(feature = "unicode")]
    return unicode_normalization::char::compose(first, second);
    #[cfg(not(feature = "unicode"))]
    {
        let _ = (first, second); // they were not taken apart
        None
    }
}

/// The ranges of accents and points: the first and the last.
const MARKS: [(u16, u16); 16] = [
    (0x300, 0x344),
    (0x346, 0x36F),
    (0x483, 0x489),
    (0x591, 0x5BD),
    (0x5BF, 0x5BF),
    (0x5C1, 0x5C2),
    (0x5C4, 0x5C5),
    (0x5C7, 0x5C7),
    (0x610, 0x61A),
    (0x64B, 0x65F),
    (0x670, 0x670),
    (0x1AB0, 0x1AFF),
    (0x1DC0, 0x1DFF),
    (0x20D0, 0x20FF),
    (0xFE00, 0xFE0F),
    (0xFE20, 0xFE2F),
];

/// Returns whether a character is an accent or a point, which servents drop. Signs of Indic scripts
/// and the voice marks of kana are not.
pub(super) fn is_mark(c: char) -> bool {
    is_in(&MARKS, c)
}

/// Returns whether a character lies in one of the ranges, each from its first to its last.
#[cfg_attr(target_os = "none", inline(never))] // once in the image of a device
pub(super) fn is_in(ranges: &[(u16, u16)], c: char) -> bool {
    let code = u32::from(c);
    ranges.iter().any(|(first, last)| (u32::from(*first)..=u32::from(*last)).contains(&code))
}
