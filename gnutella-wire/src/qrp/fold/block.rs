//! The blocks of Unicode, as far as neighbours in a word can lie in different ones.

/// Returns a number that two characters share if they lie in the same block. Blocks that never meet
/// in one word may share a number.
pub(in crate::qrp) fn block(c: char) -> u32 {
    /// The first characters of the blocks below U+0900 that are no multiple of 128 characters, and
    /// of those with letters above U+1000.
    const FIRSTS: [u32; 43] = [
        0x80, 0x100, 0x180, 0x250, 0x2B0, 0x300, 0x370, 0x400, 0x500, 0x530, 0x590, 0x600, 0x700,
        0x750, 0x780, 0x7C0, 0x800, 0x1000, 0x10A0, 0x1100, 0x1200, 0x13A0, 0x1400, 0x1680, 0x1780,
        0x1800, 0x1E00, 0x1F00, 0x2000, 0x2C00, 0x2E80, 0x3000, 0x3040, 0x30A0, 0x3100, 0x3130,
        0x3400, 0x4E00, 0xA000, 0xAC00, 0xF900, 0xFB00, 0xFE00,
    ];
    let code = u32::from(c);
    match code {
        0x900..=0xFFF | 0x1_0000.. => code >> 7,
        _ => {
            let below = FIRSTS.partition_point(|first| *first <= code);
            u32::try_from(below).unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::block;

    /// The blocks of Unicode's `Blocks.txt`.
    #[test]
    fn scripts_lie_in_blocks_of_their_own() {
        for (one, two, is_same) in [
            ('a', 'z', true),
            ('\u{7F}', '\u{80}', false),
            ('\u{FF}', '\u{100}', false),
            ('\u{17F}', '\u{180}', false),
            ('α', 'ω', true),
            ('ω', 'а', false), // Greek and Cyrillic
            ('अ', 'क', true),  // Devanagari
            ('अ', 'অ', false), // and Bengali
            ('ក', 'អ', true),
            ('あ', 'い', true),
            ('あ', 'ア', false), // Hiragana and Katakana
            ('\u{4E00}', '\u{9FFF}', true),
            ('가', '힣', true),
            ('\u{10400}', '\u{10410}', true),
            ('\u{10400}', '\u{10480}', false), // Deseret and Osmanya
        ] {
            assert_eq!(block(one) == block(two), is_same, "{one} and {two}");
        }
    }
}
