//! Proofs of membership and absence in the map.

use thiserror::Error;

use super::entry::Key;
use crate::codec::Reader;
use crate::domain;
use crate::error::{BufferTooSmall, DecodeError};
use crate::hash::{Hash, TWO_ZERO_BLOCKS, TwoBlocks, put_two_blocks};

const LEAF: u8 = 0;
const INNER: u8 = 1;
const EMPTY: u8 = 2;

const EMPTY_FORM: u8 = 0; // the map has no entry
const LEAF_FORM: u8 = 1; // key, hash of the value, number of steps u8, steps
pub(super) const HEAD_LEN: usize = 1 + 32 + 32 + 1;
pub(super) const STEP_LEN: usize = 1 + 32; // bit, sibling

/// The proof that a key has a certain value, or none, in the map with a certain root.
///
/// It names the one leaf to which the bits of the key lead, and the siblings on the way. If that leaf has the key, its
/// value is proved; if it has another key, absence is. A proof that fails proves neither.
///
/// ```
/// use ledger_core::state::{Key, MapProof, Slot, Store, Trie};
///
/// let mut map = Trie::new([Slot::EMPTY; 8]);
/// let absent = Key::new(64, b"temperature");
/// let mut buf = [0; 256];
/// let bytes = map.prove(&absent, &mut buf)?.as_bytes(); // sent to a device that knows the root
///
/// let (proof, _) = MapProof::decode(bytes)?;
/// assert_eq!(proof.verify(&map.root(), &absent)?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapProof<'a> {
    bytes: &'a [u8],
    leaf: Option<(Key, Hash)>,
    steps: &'a [[u8; STEP_LEN]], // root to leaf
}

/// A proof is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum MapProofError {
    /// The bits at which the way forks do not ascend.
    #[error("the steps do not descend in the map")]
    WrongOrder,
    /// The bits of the key lead to another leaf.
    #[error("the proof is for a key on another path")]
    WrongPath,
    /// The proof leads to another root.
    #[error("the proof leads to another root")]
    WrongRoot,
}

/// A fork on the way: which bit decides, and the hash of the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) depth: u8,
    pub(crate) sibling: Hash,
}

pub(crate) struct ProofWriter<'o> {
    out: &'o mut [u8],
    steps: usize,
    leaf: (Key, Hash),
}

/// Returns the root of the map without entries.
pub(crate) fn empty_root() -> Hash {
    Hash::of_parts(&[domain::MAP, &[EMPTY]])
}

#[inline(never)] // the message stands on the stack of no other function
pub(crate) fn leaf_hash(key: &Key, value: &Hash) -> Hash {
    let mut message = TWO_ZERO_BLOCKS;
    put_leaf_message(key, value, &mut message);
    Hash::of_two_blocks(&message)
}

#[inline(never)] // the message stands on the stack of no other function
pub(crate) fn inner_hash(depth: u8, left: &Hash, right: &Hash) -> Hash {
    let mut message = TWO_ZERO_BLOCKS;
    put_inner_message(depth, left, right, &mut message);
    Hash::of_two_blocks(&message)
}

/// Lays out the two blocks whose SHA-256 is the hash of a leaf.
pub(super) fn put_leaf_message(key: &Key, value: &Hash, message: &mut TwoBlocks) {
    put_two_blocks(&[domain::MAP, &[LEAF], key.as_bytes(), value.as_bytes()], message);
}

/// Lays out the two blocks whose SHA-256 is the hash of an inner node.
#[inline]
pub(super) fn put_inner_message(depth: u8, left: &Hash, right: &Hash, message: &mut TwoBlocks) {
    put_two_blocks(&[domain::MAP, &[INNER, depth], left.as_bytes(), right.as_bytes()], message);
}

impl<'a> MapProof<'a> {
    /// Decodes a proof from the front of `bytes` and returns the rest.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the bytes are not a proof in canonical form.
    pub fn decode(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let mut reader = Reader(bytes);
        let (leaf, steps): (_, &[_]) = match reader.u8()? {
            EMPTY_FORM => (None, &[]),
            LEAF_FORM => {
                let key = Key::from_bytes(reader.array()?);
                let value = Hash::from_bytes(reader.array()?);
                let count = usize::from(reader.u8()?);
                let (steps, _) = reader.slice(count.saturating_mul(STEP_LEN))?.as_chunks();
                (Some((key, value)), steps)
            }
            _ => return Err(DecodeError::MalformedProof),
        };
        let len = bytes.len().saturating_sub(reader.0.len());
        Ok((Self { bytes: bytes.get(..len).unwrap_or_default(), leaf, steps }, reader.0))
    }

    /// Returns the canonical bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Checks the proof for a key against a root, and returns the hash of the key's value, or `None` if the key is
    /// proved to have none.
    ///
    /// # Errors
    ///
    /// [`MapProofError`] if the proof proves nothing about the key. That never means that the key has no value.
    pub fn verify(&self, root: &Hash, key: &Key) -> Result<Option<Hash>, MapProofError> {
        let Some((own, value)) = &self.leaf else {
            return if *root == empty_root() { Ok(None) } else { Err(MapProofError::WrongRoot) };
        };
        let mut last = None;
        for step in self.steps() {
            if last.is_some_and(|last| step.depth <= last) {
                return Err(MapProofError::WrongOrder);
            }
            if own.bit(step.depth) != key.bit(step.depth) {
                return Err(MapProofError::WrongPath);
            }
            last = Some(step.depth);
        }
        if self.fold(leaf_hash(own, value), key, 0) != *root {
            return Err(MapProofError::WrongRoot);
        }
        Ok((own == key).then_some(*value))
    }

    /// Returns the root after the key's value is set or removed, for a proof that [verifies](Self::verify).
    #[must_use]
    pub fn root_after(&self, key: &Key, value: Option<&Hash>) -> Hash {
        let Some((own, own_value)) = &self.leaf else {
            return value.map_or_else(empty_root, |value| leaf_hash(key, value));
        };
        match (own.first_difference(key), value) {
            (None, Some(value)) => self.fold(leaf_hash(key, value), key, 0),
            (None, None) => match self.steps().last() {
                None => empty_root(),
                Some(parent) => self.fold(parent.sibling, key, 1),
            },
            (Some(_), None) => self.fold(leaf_hash(own, own_value), key, 0),
            (Some(depth), Some(value)) => {
                let below = self.steps().filter(|step| step.depth > depth).count();
                let new = leaf_hash(key, value);
                let old = self.fold_lowest(leaf_hash(own, own_value), own, below);
                let joined = if key.bit(depth) {
                    inner_hash(depth, &old, &new)
                } else {
                    inner_hash(depth, &new, &old)
                };
                self.fold(joined, key, below)
            }
        }
    }

    /// Hashes upwards along the bits of `key`, all steps but the lowest `skip`.
    fn fold(&self, hash: Hash, key: &Key, skip: usize) -> Hash {
        self.steps().rev().skip(skip).fold(hash, |hash, step| step.join(hash, key))
    }

    fn fold_lowest(&self, hash: Hash, key: &Key, count: usize) -> Hash {
        self.steps().rev().take(count).fold(hash, |hash, step| step.join(hash, key))
    }

    /// Returns whether no entry of the map lies to the right of the key, whose proof this is.
    pub(crate) fn is_last(&self, key: &Key) -> bool {
        self.steps().all(|step| key.bit(step.depth))
    }

    pub(crate) fn steps(&self) -> impl DoubleEndedIterator<Item = Step> + ExactSizeIterator + '_ {
        self.steps.iter().map(|[depth, sibling @ ..]| Step {
            depth: *depth,
            sibling: Hash::from_bytes(*sibling),
        })
    }

    pub(crate) fn write_empty(out: &'a mut [u8]) -> Result<Self, BufferTooSmall> {
        let out = out.get_mut(..1).ok_or(BufferTooSmall { needed: 1 })?;
        out.fill(EMPTY_FORM);
        Ok(Self { bytes: out, leaf: None, steps: &[] })
    }

    pub(crate) fn writer(key: &Key, value: &Hash, out: &'a mut [u8]) -> ProofWriter<'a> {
        ProofWriter { out, steps: 0, leaf: (*key, *value) }
    }
}

impl Step {
    fn join(&self, hash: Hash, key: &Key) -> Hash {
        if key.bit(self.depth) {
            inner_hash(self.depth, &self.sibling, &hash)
        } else {
            inner_hash(self.depth, &hash, &self.sibling)
        }
    }
}

impl<'o> ProofWriter<'o> {
    pub(crate) fn push(&mut self, step: &Step) {
        let at = self.needed();
        let place = self.out.get_mut(at..at.saturating_add(STEP_LEN));
        if let Some((depth, rest)) = place.and_then(<[u8]>::split_first_mut)
            && let Some((sibling, _)) = rest.split_first_chunk_mut()
        {
            *depth = step.depth;
            *sibling = *step.sibling.as_bytes();
        }
        self.steps = self.steps.saturating_add(1);
    }

    fn needed(&self) -> usize {
        self.steps.saturating_mul(STEP_LEN).saturating_add(HEAD_LEN)
    }

    pub(crate) fn finish(self) -> Result<MapProof<'o>, BufferTooSmall> {
        let needed = self.needed();
        let too_small = BufferTooSmall { needed };
        let out = self.out.get_mut(..needed).ok_or(too_small)?;
        let (key, value) = self.leaf;
        let count = u8::try_from(self.steps).map_err(|_| too_small)?;
        let fields = [LEAF_FORM].into_iter().chain(*key.as_bytes()).chain(*value.as_bytes());
        for (byte, field) in out.iter_mut().zip(fields.chain([count])) {
            *byte = field;
        }
        MapProof::decode(out).map(|(proof, _)| proof).map_err(|_| too_small)
    }
}
