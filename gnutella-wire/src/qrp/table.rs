//! The query-routing table: one bit per slot, set if a word that hashes there may be present.

use core::fmt;

use super::error::TableError;
use super::hash::KeywordHash;

/// The words that a servent, or all behind it, may have. `S` is the storage: any `[u8]`, eight slots
/// to a byte, slot 0 in the highest bit of the first.
///
/// It has 2^n slots, n from 1 to 21. A larger table folds into a smaller one; none ever grows.
///
/// ```
/// use gnutella_wire::qrp::{KeywordHash, KeywordRules, MatchRule, QueryTable};
///
/// let mut table = QueryTable::new(14, [0; 2_048])?;
/// for word in KeywordRules::LimeWire.table_words("Hey Jude.mp3") {
///     table.insert(KeywordHash::of(word));
/// }
/// let asked = |text| KeywordRules::LimeWire.query_words(text).map(KeywordHash::of);
/// assert!(table.can_route(asked("jude"), [], MatchRule::AllWords));
/// assert!(!table.can_route(asked("let it be"), [], MatchRule::AllWords));
/// # Ok::<(), gnutella_wire::qrp::TableError>(())
/// ```
#[derive(Clone, Copy)]
pub struct QueryTable<S: ?Sized> {
    bits: u8,
    storage: S, // last, so that an array coerces to a slice
}

/// How many words of a query must be present for it to be forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[non_exhaustive]
pub enum MatchRule {
    /// All of them: as in the specification, and as leaves expect.
    #[default]
    AllWords,
    /// Two of three, if there are three or more, otherwise all: gtk-gnutella.
    TwoThirds,
}

impl QueryTable<()> {
    /// The largest table has 2 to the power of this many slots.
    pub const MAX_BITS: u8 = 21;

    /// Returns the memory that a table of 2^`bits` slots takes, in bytes: 262,144 for the largest.
    #[must_use]
    #[cfg_attr(target_os = "none", inline(never))] // once in the image of a device
    pub const fn memory_len(bits: u8) -> usize {
        let mut len = 1_usize;
        let mut slots = 3;
        while slots < bits {
            len = len.saturating_mul(2);
            slots = slots.saturating_add(1);
        }
        len
    }
}

impl<S: AsRef<[u8]>> QueryTable<S> {
    /// Creates an empty table of 2^`bits` slots over `storage`, of which it uses the first
    /// [`memory_len`](QueryTable::memory_len) bytes.
    ///
    /// # Errors
    ///
    /// [`TableError::Bits`] unless `bits` is 1 to 21; [`TableError::Memory`] if `storage` is too
    /// short.
    pub fn new(bits: u8, storage: S) -> Result<Self, TableError>
    where
        S: AsMut<[u8]>,
    {
        let mut table = Self::resume(bits, storage)?;
        table.clear();
        Ok(table)
    }

    /// Continues with the words of an earlier table, whose bytes `storage` holds.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn resume(bits: u8, storage: S) -> Result<Self, TableError> {
        if !(1..=QueryTable::MAX_BITS).contains(&bits) {
            return Err(TableError::Bits { bits });
        }
        let len = storage.as_ref().len();
        let needed = QueryTable::memory_len(bits);
        if len < needed {
            return Err(TableError::Memory { len, needed });
        }
        Ok(Self { bits, storage })
    }

    /// Returns the storage.
    #[must_use]
    pub fn into_storage(self) -> S {
        self.storage
    }
}

impl<S: AsMut<[u8]> + ?Sized> QueryTable<S> {
    /// Makes a word present.
    pub fn insert(&mut self, word: KeywordHash) {
        let slot = word.slot(self.bits);
        put(self.storage.as_mut(), slot, true);
    }

    /// Makes all words absent.
    pub fn clear(&mut self) {
        self.storage.as_mut().fill(0);
    }

    /// Adds all words of `other`, which folds if it is larger.
    ///
    /// # Errors
    ///
    /// [`TableError::Smaller`] if `other` is smaller; nothing changed.
    pub fn merge<T>(&mut self, other: &QueryTable<T>) -> Result<(), TableError>
    where
        T: AsRef<[u8]> + ?Sized,
    {
        let Some(folds) = other.bits.checked_sub(self.bits) else {
            return Err(TableError::Smaller { bits: other.bits, into: self.bits });
        };
        let storage = self.storage.as_mut();
        if folds == 0 {
            // Byte by byte, which compilers turn into vectors; bits that are no slots do not count.
            storage.iter_mut().zip(other.as_bytes()).for_each(|(mine, other)| *mine |= *other);
            return Ok(());
        }
        let (words, _) = other.as_bytes().as_chunks();
        if words.is_empty() || folds > 6 {
            merge_slots(storage, &other.as_slice(), 0, folds);
        } else if folds == 1 {
            merge_halves(storage, other.as_bytes());
        } else {
            merge_folded(storage, words, folds);
        }
        Ok(())
    }
}

impl QueryTable<&mut [u8]> {
    /// Makes all words present.
    pub(crate) fn fill(&mut self) {
        self.storage.fill(0xFF);
    }

    /// Adds all words of `other`, whatever its size: each slot of a smaller table stands for several
    /// that it may be any of several here.
    pub(crate) fn merge_any(&mut self, other: &QueryTable<&[u8]>) {
        if self.merge(other).is_err() {
            let spread = self.bits.saturating_sub(other.bits);
            merge_slots(self.storage, other, spread, 0);
        }
    }
}

impl<S: AsRef<[u8]> + ?Sized> QueryTable<S> {
    /// Returns whether the word may be present.
    #[must_use]
    pub fn contains(&self, word: KeywordHash) -> bool {
        self.holds(word.slot(self.bits))
    }

    /// Returns whether a slot is set. Slots beyond the end are not.
    #[must_use]
    pub fn holds(&self, slot: u32) -> bool {
        let (at, bit) = place(slot);
        slot < self.slots() && self.as_bytes().get(at).is_some_and(|byte| byte & bit != 0)
    }

    /// Returns whether a query may find something here, and so is to be forwarded.
    ///
    /// A query with URNs (`urns` are the hashes of their whole texts) is decided by them: one that
    /// is present will do. Otherwise the words decide. A query with neither finds nothing; what to
    /// do with the special texts of browsing is left to the caller.
    pub fn can_route(
        &self,
        words: impl IntoIterator<Item = KeywordHash>,
        urns: impl IntoIterator<Item = KeywordHash>,
        rule: MatchRule,
    ) -> bool {
        let mut urns = urns.into_iter().peekable();
        if urns.peek().is_some() {
            return urns.any(|urn| self.contains(urn));
        }
        let mut all = 0_u32;
        let mut hits = 0_u32;
        for word in words {
            all = all.saturating_add(1);
            hits = hits.saturating_add(u32::from(self.contains(word)));
        }
        match rule {
            MatchRule::TwoThirds if all >= 3 => hits.saturating_mul(3) >= all.saturating_mul(2),
            _ => all > 0 && hits == all,
        }
    }

    /// Returns how many slots are set.
    #[must_use]
    pub fn len(&self) -> u32 {
        let ones = self.bytes().map(u8::count_ones);
        ones.fold(0, u32::saturating_add)
    }

    /// Returns whether no word is present: nothing is to be forwarded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes().all(|byte| byte == 0)
    }

    /// Returns how many of 1,000 slots are set, rounded up, so that 0 means none. gtk-gnutella
    /// forwards less and less to a table of more than 50.
    #[must_use]
    pub fn fill_permille(&self) -> u32 {
        self.len().saturating_mul(1_000).div_ceil(self.slots())
    }

    /// Returns the number of slots as a power of two.
    #[must_use]
    pub const fn bits(&self) -> u8 {
        self.bits
    }

    /// Returns the number of slots.
    #[must_use]
    pub fn slots(&self) -> u32 {
        1_u32.checked_shl(u32::from(self.bits)).unwrap_or(u32::MAX) // at most 2^21
    }

    /// Returns the slots, eight to a byte; bits after the last slot are any.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        let bytes = self.storage.as_ref();
        bytes.get(..QueryTable::memory_len(self.bits)).unwrap_or(bytes)
    }

    /// Returns the same table, with memory of one type whatever `S` is.
    #[must_use]
    pub fn as_slice(&self) -> QueryTable<&[u8]> {
        QueryTable { bits: self.bits, storage: self.as_bytes() }
    }

    /// Iterates over the bytes, without the bits that are no slots.
    fn bytes(&self) -> impl Iterator<Item = u8> {
        let mask = slots_of_a_byte(self.bits);
        self.as_bytes().iter().map(move |byte| byte & mask)
    }
}

/// Returns the bits of a byte that are slots: all, but for tables of two and of four.
const fn slots_of_a_byte(bits: u8) -> u8 {
    match bits {
        1 => 0xC0,
        2 => 0xF0,
        _ => 0xFF,
    }
}

/// Adds the slots of a table of any other size, one by one.
fn merge_slots(storage: &mut [u8], other: &QueryTable<&[u8]>, spread: u8, folds: u8) {
    let (words, _) = other.as_bytes().as_chunks::<8>();
    let count = other.slots().checked_shl(spread.into()).unwrap_or(0);
    let mut slot = 0_u32;
    while slot < count {
        let word = usize::try_from(slot >> spread >> 6).ok().and_then(|at| words.get(at));
        if word == Some(&[0; 8]) {
            let next = (slot >> spread | 63).saturating_add(1);
            slot = next.checked_shl(spread.into()).unwrap_or(count);
            continue;
        }
        if other.holds(slot >> spread) {
            put(storage, slot >> folds, true);
        }
        slot = slot.saturating_add(1);
    }
}

/// Adds the slots of a table of twice the size, two bytes to one. By itself and without a change of the byte order, since
/// compilers turn it into vectors.
fn merge_halves(storage: &mut [u8], bytes: &[u8]) {
    let (pairs, _) = bytes.as_chunks::<2>();
    let pairs = pairs.iter().map(|pair| halve_pair(u16::from_le_bytes(*pair)));
    storage.iter_mut().zip(pairs).for_each(|(mine, folded)| *mine |= folded);
}

/// Adds the slots of a table that is larger by 2 to 6 bits, 64 at a time.
fn merge_folded(storage: &mut [u8], words: &[[u8; 8]], folds: u8) {
    let slots = 64_u32 >> folds;
    let mut first = 0_u32;
    for word in words {
        let folded = (0..folds).fold(u64::from_be_bytes(*word), |word, _| halve(word));
        let (at, _) = place(first);
        let mine = storage.get_mut(at..).unwrap_or_default().iter_mut();
        mine.zip(folded.to_be_bytes()).for_each(|(mine, byte)| *mine |= byte >> (first & 7));
        first = first.saturating_add(slots);
    }
}

/// Returns 32 slots, the highest bits, each of which is set if one of two neighbours is.
const fn halve(word: u64) -> u64 {
    let word = (word | word << 1) & 0xAAAA_AAAA_AAAA_AAAA;
    let word = (word | word << 1) & 0xCCCC_CCCC_CCCC_CCCC;
    let word = (word | word << 2) & 0xF0F0_F0F0_F0F0_F0F0;
    let word = (word | word << 4) & 0xFF00_FF00_FF00_FF00;
    let word = (word | word << 8) & 0xFFFF_0000_FFFF_0000;
    (word | word << 16) & 0xFFFF_FFFF_0000_0000
}

/// Returns eight slots, each of which is set if one of two neighbours is: those of the low byte come first.
const fn halve_pair(pair: u16) -> u8 {
    let pair = (pair | pair << 1) & 0xAAAA;
    let pair = (pair | pair << 1) & 0xCCCC;
    let pair = (pair | pair << 2) & 0xF0F0;
    let [folded, _] = (pair & 0xF0 | pair >> 12).to_le_bytes();
    folded
}

/// Returns where a slot lies: the byte, and the bit in it.
pub(super) fn place(slot: u32) -> (usize, u8) {
    (usize::try_from(slot >> 3).unwrap_or(usize::MAX), 0x80 >> (slot & 7))
}

/// Sets or clears a slot.
pub(super) fn put(bytes: &mut [u8], slot: u32, value: bool) {
    let (at, bit) = place(slot);
    if let Some(byte) = bytes.get_mut(at) {
        if value { *byte |= bit } else { *byte &= !bit }
    }
}

/// Flips a slot.
pub(super) fn flip(bytes: &mut [u8], slot: u32) {
    let (at, bit) = place(slot);
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= bit;
    }
}

impl<S: AsRef<[u8]> + ?Sized> fmt::Display for QueryTable<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} slots", self.len(), self.slots())
    }
}

impl<S: AsRef<[u8]> + ?Sized> fmt::Debug for QueryTable<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QueryTable({self})")
    }
}

/// Tables are equal if their sizes and slots are.
impl<S: AsRef<[u8]> + ?Sized, T: AsRef<[u8]> + ?Sized> PartialEq<QueryTable<T>> for QueryTable<S> {
    fn eq(&self, other: &QueryTable<T>) -> bool {
        self.bits == other.bits && self.bytes().eq(other.bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::QueryTable;

    /// A word of a table of 2^n slots may be in any of the slots of a larger table that fold into its slot.
    #[test]
    fn a_slot_of_a_smaller_table_stands_for_all_that_fold_into_it() {
        for (bits, into) in (1..=12_u8).flat_map(|into| (1..=into).map(move |bits| (bits, into))) {
            // Groups of 16 bytes, of which two of three have no slots.
            let byte = |n: usize| if (n / 16).is_multiple_of(3) { 0x81 | 1 << (n % 8) } else { 0 };
            let bytes: Vec<u8> = (0..QueryTable::memory_len(bits)).map(byte).collect();
            let small = QueryTable { bits, storage: &bytes[..] };
            let mut storage = std::vec![0; QueryTable::memory_len(into)];
            let mut large = QueryTable { bits: into, storage: &mut storage[..] };
            large.merge_any(&small);
            for slot in 0..large.slots() {
                let expected = small.holds(slot >> (into - bits));
                assert_eq!(large.holds(slot), expected, "{bits} into {into}, slot {slot}");
            }
        }
    }
}
