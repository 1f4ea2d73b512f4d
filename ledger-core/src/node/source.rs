//! A snapshot that is handed out in chunks.

use super::snapshot::{Front, ResumeError, fill_entries};
use crate::codec::Reader;
use crate::engine::Weight;
use crate::error::{BufferTooSmall, ConfigError};
use crate::groups::GroupHasher;
use crate::hash::{BlockId, GenesisId};
use crate::header::Header;
use crate::spec::Rules;
use crate::state::{Key, Slot, TrieMut, TrieRef, TrieRoot};

const COUNT_LEN: usize = 2;
const ENTRY_LEN: usize = 33; // key and length of the value

/// A snapshot from which a node hands out chunks to peers that [join](super::Join). It has its own slots, since the
/// node moves on meanwhile.
///
/// A chunk costs O(log n) for each of its entries, wherever it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotSource<S> {
    header: Header,
    id: BlockId,
    weight: Weight,
    trie: TrieRoot,
    slots: S,
}

impl<S: AsRef<[Slot]> + AsMut<[Slot]>> SnapshotSource<S> {
    /// Reads a [snapshot](super::Node::snapshot) of a chain, and clears the slots: one for each entry that the rules
    /// allow.
    ///
    /// # Errors
    ///
    /// [`ResumeError`] if the bytes are not a snapshot, or there are too few slots.
    pub fn new(
        genesis: &GenesisId,
        rules: &Rules,
        snapshot: &[u8],
        mut slots: S,
    ) -> Result<Self, ResumeError> {
        let capacity = slots.as_ref().len();
        let needed = usize::try_from(rules.max_entries).unwrap_or(usize::MAX);
        if capacity < needed {
            return Err(ConfigError::TooFewSlots { needed, capacity }.into());
        }
        let mut reader = Reader(snapshot);
        let read = Front::read(&mut reader);
        let front = read.as_ref().map_err(|error| *error)?;
        front.check()?;
        let mut trie = TrieRoot::clear(slots.as_mut());
        let mut state =
            TrieMut { root: &mut trie, slots: slots.as_mut(), hasher: GroupHasher::NONE };
        let found = fill_entries(reader, rules, &mut state)?;
        let expected = front.header.state;
        if found != expected {
            return Err(ResumeError::WrongState { expected, found });
        }
        Ok(Self::of_front(genesis, front, trie, slots))
    }

    #[inline(never)] // builds the source where the caller wants it
    fn of_front(genesis: &GenesisId, front: &Front<'_>, trie: TrieRoot, slots: S) -> Self {
        let id = front.header.id(genesis);
        Self { header: front.header, id, weight: front.weight, trie, slots }
    }

    /// Returns the block whose state it is.
    #[must_use]
    pub const fn id(&self) -> BlockId {
        self.id
    }

    /// Returns the header of the block.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Returns the weight of the chain up to the block.
    #[must_use]
    pub const fn weight(&self) -> Weight {
        self.weight
    }

    /// Returns the storage.
    pub fn into_slots(self) -> S {
        self.slots
    }

    /// Writes the entries from a key on to `out`, as many as fit, with the proof of the last one. Returns the length in
    /// bytes, or `None` if there is no such entry.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] if not even one entry fits; 8,598 bytes always suffice for one.
    pub fn chunk(&mut self, from: &Key, out: &mut [u8]) -> Result<Option<usize>, BufferTooSmall> {
        let trie = TrieRef { root: &self.trie, slots: self.slots.as_ref() };
        let Some((last, len)) = write_entries(trie, from, out)? else { return Ok(None) };
        let mut state =
            TrieMut { root: &mut self.trie, slots: self.slots.as_mut(), hasher: GroupHasher::NONE };
        let proof = state.prove(&last, out.get_mut(len..).unwrap_or_default())?;
        Ok(Some(len.saturating_add(proof.as_bytes().len())))
    }
}

/// Writes the entries of a chunk to `out`. Returns the last key and the length in bytes, or `None` if there is no entry.
#[inline(never)] // the way through the trie does not stand on the stack while the last entry is proved
fn write_entries(
    trie: TrieRef<'_>,
    from: &Key,
    out: &mut [u8],
) -> Result<Option<(Key, usize)>, BufferTooSmall> {
    let mut len = COUNT_LEN;
    let mut count = 0_u16;
    let mut last = None;
    let mut entries = trie.entries();
    entries.skip_to(from);
    for (key, value) in entries.by_ref() {
        let bytes = value.as_bytes();
        let next = len.saturating_add(ENTRY_LEN).saturating_add(bytes.len());
        let needed = next.saturating_add(trie.proof_len(&key));
        if needed > out.len() && count == 0 {
            return Err(BufferTooSmall { needed });
        }
        if needed > out.len() || count == u16::MAX {
            break;
        }
        let value_len = u8::try_from(bytes.len()).unwrap_or(0);
        let entry = key.as_bytes().iter().chain([&value_len]).chain(bytes);
        let place = out.get_mut(len..next).unwrap_or_default();
        place.iter_mut().zip(entry).for_each(|(place, byte)| *place = *byte);
        len = next;
        count = count.saturating_add(1);
        last = Some(key);
    }
    if let Some(place) = out.first_chunk_mut() {
        *place = count.to_be_bytes();
    }
    Ok(last.map(|last| (last, len)))
}
