//! The set of paths that are in use.

use sha1::{Digest as _, Sha1};

/// A slot for one file or folder of a torrent: 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathSlot {
    hash: u64,
    uses: u8,
}

impl PathSlot {
    /// An unused slot.
    pub const EMPTY: Self = Self { hash: 0, uses: 0 };
}

/// A folder has this path.
pub(super) const FOLDER: u8 = 1;
/// The torrent names a file with this path.
pub(super) const NAMED: u8 = 2;
/// A file was given this path.
pub(super) const TAKEN: u8 = 4;

/// The hash of a path, without regard to case.
#[derive(Clone)]
pub(super) struct PathHash(Sha1);

impl PathHash {
    pub(super) fn new() -> Self {
        Self(Sha1::new())
    }

    /// Adds an element.
    pub(super) fn element(&mut self, element: &str) {
        self.text(element);
        self.end();
    }

    /// Adds a part of an element.
    pub(super) fn text(&mut self, text: &str) {
        let mut utf8 = [0; 4];
        // By way of upper case, as disks do: the two small sigmas of Greek have one capital.
        let upper = text.chars().flat_map(char::to_uppercase);
        for char in upper.flat_map(char::to_lowercase) {
            self.0.update(char.encode_utf8(&mut utf8).as_bytes());
        }
    }

    /// Ends an element.
    pub(super) fn end(&mut self) {
        self.0.update(b"/");
    }

    pub(super) fn finish(&self) -> u64 {
        let digest: [u8; 20] = self.0.clone().finalize().into();
        digest.first_chunk().map_or(0, |head| u64::from_be_bytes(*head))
    }
}

/// Returns the uses of a path.
pub(super) fn uses(slots: &[PathSlot], hash: u64) -> u8 {
    find(slots, hash).and_then(|at| slots.get(at)).map_or(0, |slot| slot.uses)
}

/// Adds a use; returns whether there was room.
pub(super) fn add(slots: &mut [PathSlot], hash: u64, uses: u8) -> bool {
    let slot = find(slots, hash).and_then(|at| slots.get_mut(at));
    slot.map(|slot| *slot = PathSlot { hash, uses: slot.uses | uses }).is_some()
}

/// Returns the slot of a hash, or the unused one that it would take.
fn find(slots: &[PathSlot], hash: u64) -> Option<usize> {
    let len = u64::try_from(slots.len()).ok()?;
    let start = usize::try_from(hash.checked_rem(len)?).ok()?;
    let order = (start..slots.len()).chain(0..start);
    let fits = |slot: &PathSlot| slot.uses == 0 || slot.hash == hash;
    order.into_iter().find(|at| slots.get(*at).is_some_and(fits))
}
