//! Tiles (C2SP tlog-tiles): a tree cut into files of 256 hashes, and proofs made from them.

use core::fmt;

use thiserror::Error;

use crate::hash::Hash;
use crate::merkle::{Inclusion, MerkleTree, ProofError, node};

/// The number of hashes of a full tile.
pub const TILE_WIDTH: usize = 256;

/// The number of levels of tiles of the largest tree.
pub const TILE_LEVELS: usize = 8;

/// Names a tile: hashes `256 * index ..` of level `level`, of which it has `width`.
///
/// ```
/// use ledger_core::log::Tile;
///
/// assert_eq!(Tile { level: 0, index: 1_234_067, width: 256 }.to_string(), "tile/0/x001/x234/067");
/// assert_eq!(Tile { level: 1, index: 0, width: 17 }.to_string(), "tile/1/000.p/17");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct Tile {
    /// The level: 0 for the hashes of leaves, `l` for roots of `256^l` leaves.
    pub level: u8,
    /// The position among the tiles of the level.
    pub index: u64,
    /// The number of hashes, 1 to 256. A tile of fewer than 256 is a partial one.
    pub width: u16,
}

/// Names an entry bundle: the entries whose hashes are in the tile of level 0 with that index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct EntryBundle {
    /// The position among the bundles.
    pub index: u64,
    /// The number of entries, 1 to 256.
    pub width: u16,
}

/// The tiles of a tree, level by level.
#[derive(Debug, Clone)]
pub struct Tiles {
    size: u64,
    level: u8,
    index: u64,
}

/// A proof cannot be made from tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TileError<E> {
    /// There is no such proof, or the buffer is too short.
    #[error("{0}")]
    Proof(ProofError),
    /// A tile could not be read.
    #[error("{tile} could not be read: {error}")]
    Read {
        /// The tile.
        tile: Tile,
        /// The reader's error.
        error: E,
    },
    /// The tree has more levels than there are slots.
    #[error("the tree has more than {capacity} levels")]
    Full {
        /// The number of slots.
        capacity: usize,
    },
}

/// Reads tiles: from files, from a cache, or over HTTP.
pub trait ReadTile {
    /// Why a tile cannot be read.
    type Error;

    /// Reads the hashes of `tile` into `hashes`, which has its width. A full tile may be read where a partial
    /// one is asked for, since it begins with the same hashes.
    ///
    /// # Errors
    ///
    /// The reader's.
    fn read(&mut self, tile: Tile, hashes: &mut [Hash]) -> Result<(), Self::Error>;
}

impl Tile {
    /// Returns whether it has fewer than 256 hashes.
    #[must_use]
    pub const fn is_partial(&self) -> bool {
        self.width < 256
    }

    /// Iterates over the tiles of a tree of `size` leaves: all full ones, and the partial one of each level.
    #[must_use]
    pub const fn all(size: u64) -> Tiles {
        Tiles { size, level: 0, index: 0 }
    }

    /// Returns the tile with this position in a tree of `size` leaves, or `None` if it has no hashes.
    #[must_use]
    pub fn of(size: u64, level: u8, index: u64) -> Option<Self> {
        let nodes = nodes_of(size, u32::from(level).checked_mul(8)?);
        let left = nodes.checked_sub(index.checked_mul(256)?)?;
        let width = u16::try_from(left.min(256)).ok()?;
        (width > 0).then_some(Self { level, index, width })
    }
}

impl Iterator for Tiles {
    type Item = Tile;

    fn next(&mut self) -> Option<Tile> {
        while usize::from(self.level) < TILE_LEVELS {
            if let Some(tile) = Tile::of(self.size, self.level, self.index) {
                self.index = self.index.saturating_add(1);
                return Some(tile);
            }
            self.level = self.level.saturating_add(1);
            self.index = 0;
        }
        None
    }
}

/// Makes the proof that leaf `index` stands in the tree of `size` leaves, from its tiles, into `out`.
/// 64 hashes are enough for any tree.
///
/// A tile that is wrong makes a proof that does not verify; it does no other harm.
///
/// # Errors
///
/// [`TileError`].
pub fn prove_inclusion_from<'o, R: ReadTile>(
    reader: &mut R,
    size: u64,
    index: u64,
    out: &'o mut [Hash],
) -> Result<Inclusion<'o>, TileError<R::Error>> {
    let outside = TileError::Proof(ProofError::OutOfRange { index, size });
    let expected = Inclusion::path_len(index, size).ok_or(outside)?;
    let mut siblings = Descent { reader, size, out, len: 0 };
    let mut start = 0;
    let mut end = size;
    while let Some(middle) = split(start, end) {
        if index < middle {
            siblings.push(middle, end)?;
            end = middle;
        } else {
            siblings.push(start, middle)?;
            start = middle;
        }
    }
    Ok(Inclusion { index, path: siblings.finish(expected)? })
}

/// Makes the proof that the tree of `second` leaves continues that of `first`, from the tiles of the second,
/// into `out`. 65 hashes are enough for any tree. Returns the path.
///
/// # Errors
///
/// [`TileError`].
pub fn prove_consistency_from<'o, R: ReadTile>(
    reader: &mut R,
    first: u64,
    second: u64,
    out: &'o mut [Hash],
) -> Result<&'o [Hash], TileError<R::Error>> {
    if first == 0 || first > second {
        return Err(TileError::Proof(ProofError::WrongSizes { first, second }));
    }
    let mut siblings = Descent { reader, size: second, out, len: 0 };
    let mut start = 0;
    let mut end = second;
    let mut whole = true;
    while let Some(middle) = split(start, end).filter(|_| first < end) {
        if first <= middle {
            siblings.push(middle, end)?;
            end = middle;
        } else {
            siblings.push(start, middle)?;
            start = middle;
            whole = false;
        }
    }
    if !whole {
        siblings.push(start, end)?;
    }
    let expected = siblings.len;
    siblings.finish(expected)
}

/// Collects the nodes of a proof from the root down.
struct Descent<'r, 'o, R> {
    reader: &'r mut R,
    size: u64, // of the tree that the tiles are of
    out: &'o mut [Hash],
    len: usize,
}

impl<'o, R: ReadTile> Descent<'_, 'o, R> {
    fn push(&mut self, start: u64, end: u64) -> Result<(), TileError<R::Error>> {
        let root = range_root(self.reader, self.size, start, end)?;
        if let Some(place) = self.out.get_mut(self.len) {
            *place = root;
        }
        self.len = self.len.saturating_add(1);
        Ok(())
    }

    fn finish(self, expected: usize) -> Result<&'o [Hash], TileError<R::Error>> {
        let found = self.out.len();
        let wrong = TileError::Proof(ProofError::WrongLength { expected, found });
        let path = self.out.get_mut(..self.len).ok_or(wrong)?;
        path.reverse();
        Ok(path)
    }
}

/// Returns the root over the leaves from `start` to `end`, of which `start` is a multiple of the largest power of
/// two up to their number.
fn range_root<R: ReadTile>(
    reader: &mut R,
    size: u64,
    start: u64,
    end: u64,
) -> Result<Hash, TileError<R::Error>> {
    let mut roots = [Hash::ZERO; 64];
    let mut len = 0_usize;
    let mut at = start;
    while at < end {
        let level = u64::BITS.saturating_sub(end.saturating_sub(at).leading_zeros());
        let level = level.saturating_sub(1);
        if let Some(place) = roots.get_mut(len) {
            *place = complete_root(reader, size, at, level)?;
        }
        len = len.saturating_add(1);
        at = at.saturating_add(1_u64.checked_shl(level).unwrap_or(u64::MAX));
    }
    let mut roots = roots.iter().take(len).rev();
    let last = roots.next().copied().unwrap_or(Hash::ZERO);
    Ok(roots.fold(last, |right, left| node(left, &right)))
}

/// Returns the root over `2^level` leaves from `start` on, a multiple of that number.
fn complete_root<R: ReadTile>(
    reader: &mut R,
    size: u64,
    start: u64,
    level: u32,
) -> Result<Hash, TileError<R::Error>> {
    let tile_level = level / 8;
    let first = start.checked_shr(tile_level.saturating_mul(8)).unwrap_or(0); // among the hashes of the level
    let count = 1_usize.checked_shl(level % 8).unwrap_or(1);
    let offset = usize::try_from(first % 256).unwrap_or(0);
    let end = offset.saturating_add(count);
    let level = u8::try_from(tile_level).unwrap_or(u8::MAX);
    let outside = TileError::Proof(ProofError::OutOfRange { index: start, size });
    let tile = Tile::of(size, level, first / 256).ok_or(outside)?;
    let mut hashes = [Hash::ZERO; TILE_WIDTH];
    let wanted = hashes.get_mut(..usize::from(tile.width)).unwrap_or_default();
    reader.read(tile, wanted).map_err(|error| TileError::Read { tile, error })?;
    Ok(MerkleTree::root_of(hashes.get(offset..end).unwrap_or_default()))
}

/// Returns where a range of more than one leaf is split: at the largest power of two below its length.
fn split(start: u64, end: u64) -> Option<u64> {
    let last = end.checked_sub(start)?.checked_sub(1).filter(|last| *last > 0)?;
    let level = u64::BITS.saturating_sub(1).saturating_sub(last.leading_zeros());
    start.checked_add(1_u64.checked_shl(level)?)
}

/// Returns how many complete subtrees of `2^level` leaves a tree has.
fn nodes_of(size: u64, level: u32) -> u64 {
    size.checked_shr(level).unwrap_or(0)
}

/// Writes an index in groups of three digits, all but the last with a leading x.
fn write_index(f: &mut fmt::Formatter<'_>, index: u64) -> fmt::Result {
    let mut groups = [0_u64; 7];
    let mut len = 0_usize;
    let mut rest = index;
    for group in &mut groups {
        *group = rest % 1000;
        rest /= 1000;
        len = len.saturating_add(1);
        if rest == 0 {
            break;
        }
    }
    for (place, group) in groups.iter().take(len).enumerate().rev() {
        let separator = if place > 0 { "/" } else { "" };
        let mark = if place > 0 { "x" } else { "" };
        write!(f, "{mark}{group:03}{separator}")?;
    }
    Ok(())
}

fn write_width(f: &mut fmt::Formatter<'_>, width: u16) -> fmt::Result {
    if width < 256 { write!(f, ".p/{width}") } else { Ok(()) }
}

/// The path of the resource, below the prefix of the log.
impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/", self.level)?;
        write_index(f, self.index)?;
        write_width(f, self.width)
    }
}

/// The path of the resource, below the prefix of the log.
impl fmt::Display for EntryBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/entries/")?;
        write_index(f, self.index)?;
        write_width(f, self.width)
    }
}
