//! Snapshots: the state after the newest final block, from which a node starts without the blocks before.

use thiserror::Error;

use super::inner::InnerMut;
use super::start::{Filled, Peaks, Start};
use super::storage::NodeParts;
use crate::branch::Branch;
use crate::codec::Reader;
use crate::domain;
use crate::engine::{Engine, Tip, Weight};
use crate::error::{ConfigError, DecodeError};
use crate::groups::GroupHasher;
use crate::hash::{BlockId, GenesisId, Hash};
use crate::header::Header;
use crate::merkle::MerkleTree;
use crate::spec::Rules;
use crate::state::{Entries, Key, Store as _, TrieMut, TrieRef, TrieRoot, Value};
use crate::times::Times;

const MAX_TIMES: u8 = 11; // of the median
const MAX_HEADER_LEN: usize = 256;

/// Why there is no snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SnapshotError<W> {
    /// No block is final yet. A node is as easily created anew.
    #[error("no block is final yet")]
    NothingFinal,
    /// A better branch is under trial. Try again when the node is not busy.
    #[error("a branch is under trial; try again later")]
    Busy,
    /// The bytes could not be written.
    #[error("the snapshot could not be written: {0}")]
    Write(W),
}

/// Why a node cannot start from a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ResumeError {
    /// The configuration cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The bytes are not a snapshot in canonical form.
    #[error("malformed snapshot: {0}")]
    Decode(DecodeError),
    /// It is of another block, or of another chain.
    #[error("the snapshot is of block {found:.16}, not of the trusted one")]
    WrongBlock {
        /// The block of the snapshot, on this chain.
        found: BlockId,
    },
    /// The history is not the one that the header names.
    #[error("the history does not match the header")]
    WrongHistory,
    /// The times are not those that lead to the header.
    #[error("the times do not match the header")]
    WrongTimes,
    /// The weight is so large that no block could be added.
    #[error("the weight is too large")]
    WrongWeight,
    /// There are more entries than the rules allow.
    #[error("more than the {max_entries} entries that the rules allow")]
    TooManyEntries {
        /// The limit.
        max_entries: u32,
    },
    /// The state is not the one that the header names.
    #[error("the state root is {found:.16}, but the header has {expected:.16}")]
    WrongState {
        /// The root in the header.
        expected: Hash,
        /// The root of the entries.
        found: Hash,
    },
}

impl From<DecodeError> for ResumeError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

/// What a snapshot says besides the entries.
pub(super) struct Front<'s> {
    pub(super) header: Header,
    pub(super) weight: Weight,
    times: Times,
    peaks: Peaks<'s>, // of the history before the header
}

impl<E: Engine> InnerMut<'_, E> {
    /// Writes a snapshot of the newest final block.
    pub(super) fn snapshot<W>(
        &mut self,
        write: &mut dyn FnMut(&[u8]) -> Result<(), W>,
    ) -> Result<(), SnapshotError<W>> {
        let header = self.inner.root_header.ok_or(SnapshotError::NothingFinal)?;
        if self.inner.switch.is_some() || self.inner.is_executing() {
            return Err(SnapshotError::Busy);
        }
        let start = self.inner.journal_start;
        let end = self.inner.journal_len;
        self.with_state(|trie, journal| journal.swap_back(start, end, trie));
        let trie = TrieRef { root: &self.inner.trie, slots: self.parts.entries };
        let history = &self.inner.history.before;
        let written = write_all(&header, history, &self.inner.root, trie.entries(), write);
        self.with_state(|trie, journal| {
            journal.redo(start, end, trie);
            trie.root();
        });
        written.map_err(SnapshotError::Write)
    }
}

fn write_all<E: Engine, W>(
    header: &Header,
    history: &MerkleTree,
    root: &Branch<E>,
    entries: Entries<'_>,
    write: &mut dyn FnMut(&[u8]) -> Result<(), W>,
) -> Result<(), W> {
    write(domain::SNAPSHOT)?;
    let mut buf = [0; MAX_HEADER_LEN];
    let len = header.encode(&mut buf).unwrap_or(0);
    write(buf.get(..len).unwrap_or_default())?;
    write(&root.tip.weight.0.to_be_bytes())?;
    let times = root.times.as_slice();
    write(&[u8::try_from(times.len()).unwrap_or(MAX_TIMES)])?;
    for time in times {
        write(&time.to_be_bytes())?;
    }
    for peak in history.peaks() {
        write(peak.as_bytes())?;
    }
    for (key, value) in entries {
        let bytes = value.as_bytes();
        write(key.as_bytes())?;
        write(&[u8::try_from(bytes.len()).unwrap_or(0)])?;
        write(bytes)?;
    }
    Ok(())
}

/// Reads the entries of a snapshot into cleared storage, in the place of block 0. `expected` is their root.
#[inline(never)] // what it needs does not stand on the stack beside the new node
pub(super) fn fill_snapshot(
    block_0: &Filled,
    rules: &Rules,
    expected: Hash,
    entries: Reader<'_>,
    parts: &mut NodeParts<'_>,
    mut hasher: GroupHasher<'_>,
) -> Result<Filled, ResumeError> {
    let mut trie = TrieRoot::clear(parts.entries);
    let hasher = hasher.reborrow();
    let mut state = TrieMut { root: &mut trie, slots: parts.entries, hasher };
    let found = fill_entries(entries, rules, &mut state)?;
    if found != expected {
        return Err(ResumeError::WrongState { expected, found });
    }
    Ok(Filled { genesis: block_0.genesis, tree: block_0.tree, trie, state: found })
}

/// Checks what a snapshot says besides the entries. Returns the root of the state and the entries.
#[inline(never)] // the header does not stand on the stack while the entries are hashed
pub(super) fn check_front<'s>(
    genesis: &GenesisId,
    trusted: &BlockId,
    snapshot: &'s [u8],
) -> Result<(Hash, Reader<'s>), ResumeError> {
    let mut reader = Reader(snapshot);
    let read = Front::read(&mut reader);
    let front = read.as_ref().map_err(|error| *error)?;
    let found = front.header.id(genesis);
    if found != *trusted {
        return Err(ResumeError::WrongBlock { found });
    }
    front.check()?;
    Ok((front.header.state, reader))
}

impl<'s> Start<'s> {
    /// Returns the start at the block of a snapshot whose state was filled.
    #[inline(never)] // builds the start where the caller wants it
    pub(super) fn at_snapshot(filled: &Filled, front: &'s Front<'_>) -> Self {
        let header = &front.header;
        Self {
            genesis: filled.genesis,
            tip: Tip {
                height: header.height,
                id: header.id(&filled.genesis),
                time: header.time,
                state: header.state,
                weight: front.weight,
            },
            times: front.times,
            header: Some(header),
            peaks: front.peaks,
            tree: filled.tree,
            trie: filled.trie,
        }
    }
}

/// Reads all entries, and returns their root.
pub(super) fn fill_entries(
    mut reader: Reader<'_>,
    rules: &Rules,
    state: &mut TrieMut<'_>,
) -> Result<Hash, ResumeError> {
    let max_entries = rules.max_entries;
    let mut last = None;
    while !reader.0.is_empty() {
        let key = Key::from_bytes(reader.array()?);
        let len = usize::from(reader.u8()?);
        let value = Value::new(reader.slice(len)?);
        let ascends = last.is_none_or(|last| last < key);
        let value = value.filter(|_| ascends).ok_or(DecodeError::MalformedProof)?;
        last = Some(key);
        if state.len() >= usize::try_from(max_entries).unwrap_or(usize::MAX) {
            return Err(ResumeError::TooManyEntries { max_entries });
        }
        let stored = state.replace(&key, Some(&value));
        stored.map_err(|_| ResumeError::TooManyEntries { max_entries })?;
    }
    Ok(state.root())
}

impl<'s> Front<'s> {
    pub(super) fn read(reader: &mut Reader<'s>) -> Result<Self, ResumeError> {
        let domain = reader.slice(domain::SNAPSHOT.len())?;
        if domain != domain::SNAPSHOT {
            return Err(DecodeError::UnknownVersion(0).into());
        }
        let decoded = Header::decode(reader.0);
        let (header, rest) = decoded.as_ref().map_err(|error| *error)?;
        reader.0 = rest;
        let weight = Weight(u128::from_be_bytes(reader.array()?));
        let count = reader.u8()?;
        let mut newest_first = [0; 11];
        let times = newest_first.get_mut(..usize::from(count)).ok_or(ResumeError::WrongTimes)?;
        for time in times.iter_mut() {
            *time = reader.u64()?;
        }
        let size = header.height.0;
        let peaks = usize::try_from(size.count_ones()).unwrap_or(usize::MAX);
        let bytes = reader.slice(peaks.saturating_mul(32))?;
        let (peaks, _) = bytes.as_chunks();
        Ok(Self { header: *header, weight, times: Times::of(times), peaks: Peaks::Bytes(peaks) })
    }

    /// Checks what the header commits to, and that the rest can be.
    pub(super) fn check(&self) -> Result<(), ResumeError> {
        if MerkleTree::root_of_peaks(self.peaks.smallest_first()) != self.header.history {
            return Err(ResumeError::WrongHistory);
        }
        let before = self.times.before().ok_or(ResumeError::WrongTimes)?;
        let expected = self.header.height.0.saturating_add(1).min(u64::from(MAX_TIMES));
        let count = u64::try_from(self.times.as_slice().len()).unwrap_or(0);
        let is_last = self.times.as_slice().first() == Some(&self.header.time);
        if !is_last || count != expected || self.header.time <= before.median() {
            return Err(ResumeError::WrongTimes);
        }
        if self.weight.0 > u128::MAX >> 16 {
            return Err(ResumeError::WrongWeight);
        }
        Ok(())
    }
}
