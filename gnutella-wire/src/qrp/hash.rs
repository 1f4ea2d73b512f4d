//! The hash of a word (QRP 1.0, 2.2, with the reading of "character" that servents agree on).

/// The multiplier: about 2^32 / golden ratio, without its last bits.
const FACTOR: u32 = 0x4F1B_BCDC;

/// The hash of a word: 32 bits of which a table uses as many as it has, from the high end. So one
/// hash serves tables of all sizes.
///
/// Each UTF-16 code unit is lower-cased on its own and counts by its low byte. So a character
/// outside the basic plane counts as its two surrogates, which have no lower case. Without the
/// feature `unicode` only Latin, Greek, Cyrillic and Armenian have lower case.
///
/// ```
/// use gnutella_wire::qrp::KeywordHash;
///
/// assert_eq!(KeywordHash::of("ebck").slot(13), 6698);
/// assert_eq!(KeywordHash::of("3NJA9").slot(10), 581); // as "3nja9"
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeywordHash(u32);

impl KeywordHash {
    /// The hash of the empty word.
    pub(crate) const EMPTY: Self = Self(0);

    /// Hashes a word, or the text of a URN such as `urn:sha1:..`.
    #[must_use]
    #[inline]
    pub fn of(word: &str) -> Self {
        Self::of_ascii(word.as_bytes()).unwrap_or_else(|| Self::of_units(word.encode_utf16()))
    }

    /// Hashes a word of ASCII, eight letters at a time; `None` if a byte is not a letter.
    #[inline]
    fn of_ascii(word: &[u8]) -> Option<Self> {
        let last = last_letters(word);
        let mut seen = last;
        let mut mixed = lower_eight(last);
        for eight in word.as_chunks().0 {
            let eight = u64::from_le_bytes(*eight);
            seen |= eight;
            mixed ^= lower_eight(eight);
        }
        let low = u32::try_from((mixed ^ mixed >> 32) & 0xFFFF_FFFF).ok()?;
        (seen & EACH << 7 == 0).then(|| Self(low.wrapping_mul(FACTOR)))
    }

    /// Hashes a word of UTF-16 code units.
    #[must_use]
    pub fn of_units(units: impl IntoIterator<Item = u16>) -> Self {
        let mut mixer = Mixer::default();
        units.into_iter().for_each(|unit| mixer.unit(unit));
        mixer.finish()
    }

    /// Returns the slot in a table of 2^`bits` slots: the highest `bits` bits. More than 32 count
    /// as 32.
    #[must_use]
    pub const fn slot(self, bits: u8) -> u32 {
        match 32_u8.checked_sub(bits) {
            Some(32) => 0,
            Some(spare) => self.0 >> spare,
            None => self.0,
        }
    }
}

/// The state of a hash. What was mixed last can be removed again.
#[derive(Debug, Clone, Default)]
pub(super) struct Mixer {
    bytes: [u8; 4], // from the least significant
    at: u8,
}

impl Mixer {
    /// Appends a character.
    pub(super) fn add(&mut self, c: char) {
        c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| self.unit(*unit));
    }

    /// Removes the last character, which `c` must be.
    pub(super) fn remove(&mut self, c: char) {
        let before = self.at.wrapping_sub(if c.len_utf16() == 1 { 1 } else { 2 });
        self.at = before;
        self.add(c); // a second time undoes the first
        self.at = before;
    }

    fn unit(&mut self, unit: u16) {
        let [low, ..] = lower(unit).to_le_bytes();
        let [first, second, third, fourth] = &mut self.bytes;
        let byte = match self.at & 3 {
            0 => first,
            1 => second,
            2 => third,
            _ => fourth,
        };
        *byte ^= low;
        self.at = self.at.wrapping_add(1);
    }

    pub(super) fn finish(self) -> KeywordHash {
        KeywordHash(u32::from_le_bytes(self.bytes).wrapping_mul(FACTOR))
    }
}

/// A bit in each of eight bytes.
const EACH: u64 = 0x0101_0101_0101_0101;

/// Returns the up to seven letters after the last eight, as they would stand in a `u64`.
fn last_letters(word: &[u8]) -> u64 {
    let spare = 8_usize.saturating_sub(word.len() & 7).saturating_mul(8); // bits
    let spare = u32::try_from(spare).unwrap_or(64);
    if let Some(last) = word.last_chunk() {
        return u64::from_le_bytes(*last).checked_shr(spare).unwrap_or_default();
    }
    if let (Some(first), Some(last)) = (word.first_chunk(), word.last_chunk()) {
        let last = u64::from(u32::from_le_bytes(*last)) << 32; // shares letters with the first
        return u64::from(u32::from_le_bytes(*first)) | last.checked_shr(spare).unwrap_or_default();
    }
    word.iter().rev().fold(0, |letters, byte| letters << 8 | u64::from(*byte))
}

/// Lower-cases eight letters of ASCII at once; no sum carries.
const fn lower_eight(letters: u64) -> u64 {
    let from_a = letters.wrapping_add(EACH.wrapping_mul(0x80 - 0x41));
    let beyond_z = letters.wrapping_add(EACH.wrapping_mul(0x80 - 0x5B));
    let capitals = from_a & !beyond_z & EACH << 7;
    letters | capitals >> 2
}

/// Lower-cases a code unit. The one character whose lower case is two, U+0130, becomes the first of
/// them, as in the simple mapping of Unicode.
fn lower(unit: u16) -> u32 {
    let unit = u32::from(unit);
    char::from_u32(unit).map_or(unit, |c| u32::from(super::fold::lower(c)))
}
