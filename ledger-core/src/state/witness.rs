//! Validation without the state: the map as a stream of proofs.

use super::entry::{Key, Value};
use super::proof::MapProof;
use super::store::{Store, StoreError};
use super::trie::TrieMut;
use crate::codec::{Reader, Writer};
use crate::hash::Hash;

/// The state for a device that knows only its root: each access takes the next proof from a stream that came with the
/// block, and each write computes the new root from it.
///
/// [`Chain::witness`](crate::Chain::witness) makes the stream. A wrong or incomplete one proves nothing ([`StoreError::Unproven`]); it can never
/// make a wrong block look right.
///
/// ```
/// use ledger_core::Hash;
/// use ledger_core::state::{Key, Store, StoreError, Witness};
///
/// // An empty stream proves nothing, not even that the key has no value.
/// let mut state = Witness::new(Hash::of(b"root"), &[]);
/// assert_eq!(state.get(&Key::new(64, b"temperature")), Err(StoreError::Unproven));
/// assert!(state.is_used_up());
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Witness<'a> {
    root: Hash,
    stream: &'a [u8],
}

/// A store that writes the proof of each access for a [`Witness`].
pub(crate) struct Recorder<'t, 'o> {
    trie: TrieMut<'t>,
    out: &'o mut [u8],
    len: usize,
}

impl<'a> Witness<'a> {
    /// Begins at the state with this root.
    #[must_use]
    pub const fn new(root: Hash, stream: &'a [u8]) -> Self {
        Self { root, stream }
    }

    /// Returns whether the whole stream was used.
    #[must_use]
    pub const fn is_used_up(&self) -> bool {
        self.stream.is_empty()
    }

    /// Takes the next proof, which must be for this key, with the value.
    fn next(&mut self, key: &Key) -> Result<(MapProof<'a>, Option<Value>), StoreError> {
        let unproven = StoreError::Unproven;
        let (proof, rest) = MapProof::decode(self.stream).map_err(|_| unproven)?;
        let hash = proof.verify(&self.root, key).map_err(|_| unproven)?;
        let mut reader = Reader(rest);
        let value = match hash {
            None => None,
            Some(hash) => {
                let len = usize::from(reader.u8().map_err(|_| unproven)?);
                let bytes = reader.slice(len).map_err(|_| unproven)?;
                Some(Value::new(bytes).filter(|value| value.hash() == hash).ok_or(unproven)?)
            }
        };
        self.stream = reader.0;
        Ok((proof, value))
    }
}

impl Store for Witness<'_> {
    fn get(&mut self, key: &Key) -> Result<Option<Value>, StoreError> {
        self.next(key).map(|(_, value)| value)
    }

    fn replace(&mut self, key: &Key, value: Option<&Value>) -> Result<Option<Value>, StoreError> {
        let (proof, old) = self.next(key)?;
        self.root = proof.root_after(key, value.map(Value::hash).as_ref());
        Ok(old)
    }

    fn root(&mut self) -> Hash {
        self.root
    }
}

impl<'t, 'o> Recorder<'t, 'o> {
    pub(crate) fn new(trie: TrieMut<'t>, out: &'o mut [u8]) -> Self {
        Self { trie, out, len: 0 }
    }

    /// Returns the stream so far, and the map.
    pub(crate) fn finish(self) -> (&'o [u8], TrieMut<'t>) {
        (self.out.get(..self.len).unwrap_or_default(), self.trie)
    }

    /// Writes the proof for a key, and its value.
    fn record(&mut self, key: &Key) -> Result<(), StoreError> {
        let unproven = StoreError::Unproven;
        let value = self.trie.get(key)?;
        let rest = self.out.get_mut(self.len..).unwrap_or_default();
        let len = self.trie.prove(key, rest).map_err(|_| unproven)?.as_bytes().len();
        self.len = self.len.saturating_add(len);
        let Some(value) = value else { return Ok(()) };
        let bytes = value.as_bytes();
        let value_len = u8::try_from(bytes.len()).map_err(|_| unproven)?;
        let rest = self.out.get_mut(self.len..).unwrap_or_default();
        let needed = bytes.len().saturating_add(1);
        let mut writer = Writer::new(rest, needed).map_err(|_| unproven)?;
        writer.put(&[value_len]).map_err(|_| unproven)?;
        writer.put(bytes).map_err(|_| unproven)?;
        self.len = self.len.saturating_add(needed);
        Ok(())
    }
}

impl Store for Recorder<'_, '_> {
    fn get(&mut self, key: &Key) -> Result<Option<Value>, StoreError> {
        self.record(key)?;
        self.trie.get(key)
    }

    fn replace(&mut self, key: &Key, value: Option<&Value>) -> Result<Option<Value>, StoreError> {
        self.record(key)?;
        self.trie.replace(key, value)
    }

    fn root(&mut self) -> Hash {
        self.trie.root()
    }
}
