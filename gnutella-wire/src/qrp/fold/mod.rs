//! Case, accents and letters: the tables of Unicode with the feature `unicode`, rules for Latin,
//! Greek and Cyrillic without it.

mod block;
#[cfg_attr(feature = "unicode", expect(dead_code, reason = "the tables replace it"))]
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

/// Returns whether a character is an accent or a point, which servents drop. Signs of Indic scripts
/// and the voice marks of kana are not.
pub(super) const fn is_mark(c: char) -> bool {
    matches!(
        c,
        '\u{300}'..='\u{344}'
            | '\u{346}'..='\u{36F}'
            | '\u{483}'..='\u{489}'
            | '\u{591}'..='\u{5BD}'
            | '\u{5BF}' | '\u{5C1}' | '\u{5C2}' | '\u{5C4}' | '\u{5C5}' | '\u{5C7}'
            | '\u{610}'..='\u{61A}'
            | '\u{64B}'..='\u{65F}'
            | '\u{670}'
            | '\u{1AB0}'..='\u{1AFF}'
            | '\u{1DC0}'..='\u{1DFF}'
            | '\u{20D0}'..='\u{20FF}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FE20}'..='\u{FE2F}'
    )
}
