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

/// How many places are looked at before the table is searched from one of them on.
const JUMPS: usize = 32;

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
    let fits = |slot: &PathSlot| slot.uses == 0 || slot.hash == hash;
    places(hash, slots.len()).find(|at| slots.get(*at).is_some_and(fits))
}

/// Returns the order in which a hash looks for its slot: places that all bits of the hash decide, then the rest of the table
/// from the last of them on. Names that are chosen to begin at one place still go apart behind it.
fn places(hash: u64, len: usize) -> impl Iterator<Item = usize> {
    let place = move |hash: u64| {
        let at = hash.checked_rem(u64::try_from(len).ok()?)?;
        usize::try_from(at).ok()
    };
    let again = |hash: &u64| Some(hash.rotate_left(32).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let jumps = core::iter::successors(Some(hash), again).take(JUMPS);
    let last = jumps.clone().last().and_then(place).unwrap_or(0);
    jumps.filter_map(place).chain(last..len).chain(0..last)
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;

    /// Hashes that all begin at one place, or in a small part of the table.
    #[test]
    fn hashes_of_one_place_go_apart() {
        for len in [2_000_u16, 2_048] {
            for spread in [1, 32] {
                let mut slots = vec![PathSlot::EMPTY; len.into()];
                let mut looked = 0;
                for n in 0..1_000_u64 {
                    let number = n.wrapping_mul(0x5851_F42D_4C95_7F2D) >> 16;
                    let hash = number * u64::from(len) + n % spread;
                    let at = find(&slots, hash);
                    looked += places(hash, len.into()).take_while(|it| Some(*it) != at).count();
                    assert!(add(&mut slots, hash, NAMED));
                }
                assert!(looked < 3_000, "{looked} for 1,000 of {len} slots, {spread} places");
            }
        }
    }

    #[test]
    fn every_slot_is_found() {
        for len in [0, 1, 2, 3, 40] {
            let mut slots = vec![PathSlot::EMPTY; usize::from(len)];
            let hash = |n: u8| 280 * u64::from(n);
            assert!((0..len).all(|n| add(&mut slots, hash(n), FOLDER)), "{len}");
            assert!(!add(&mut slots, hash(len), FOLDER), "{len}");
            assert!((0..len).all(|n| uses(&slots, hash(n)) == FOLDER), "{len}");
        }
    }
}
