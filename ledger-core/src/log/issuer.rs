//! The issuing side: appends entries, hands out tiles to write, and signs what was written.

use super::checkpoint::Checkpoint;
use super::error::IssueError;
use super::key::SignerKey;
use super::tile::{ReadTile, TILE_WIDTH, Tile, TileError};
use crate::error::BufferTooSmall;
use crate::hash::Hash;
use crate::merkle::{MerkleTree, Peaks, TreeHead};

/// The rows of a tree over the open hashes of a level, at most 256, and the node on their right: 9 levels of 12.
const OPEN_ROWS: usize = 3;

/// Storage of one level of tiles: the hashes of its last tile, 8,216 bytes. `n` slots hold trees of fewer than
/// `256^n` leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LevelSlot {
    hashes: [Hash; TILE_WIDTH],
    len: u16,
    saved: u16, // how many of them are in a file
    index: u64,
}

/// Issues a log. It holds the last tile of each level; entries and older tiles are the caller's files.
///
/// After [`append`](Self::append) and [`seal`](Self::seal), write each tile that
/// [`poll_write`](Self::poll_write) gives and report it by [`handle_saved`](Self::handle_saved). A checkpoint is
/// signed only when all tiles of its tree are saved: what a log has signed, it must be able to prove.
///
/// ```
/// use ledger_core::{MerkleTree, log::{Issuer, KeyKind, LevelSlot, SignerKey}};
///
/// let mut log = Issuer::new([LevelSlot::EMPTY; 2]);
/// log.append(MerkleTree::leaf(b"first statement"))?;
/// log.seal();
/// let mut tile = [0; 8192];
/// while let Some((name, len)) = log.poll_write(&mut tile)? {
///     assert_eq!((name.to_string().as_str(), len), ("tile/0/000.p/1", 32)); // write tile[..len] to that file
///     log.handle_saved(name);
/// }
/// let key = SignerKey::from_seed("example.com/log", KeyKind::Note, &[1; 32])?;
/// let mut note = [0; 256];
/// let len = log.checkpoint(&key, &mut note)?;
/// assert!(note[..len].starts_with(b"example.com/log\n1\n"));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Issuer<S> {
    size: u64,
    sealing: bool,
    levels: S,
}

impl LevelSlot {
    /// A level without hashes.
    pub const EMPTY: Self = Self { hashes: [Hash::ZERO; TILE_WIDTH], len: 0, saved: 0, index: 0 };

    fn is_full(&self) -> bool {
        usize::from(self.len) == TILE_WIDTH
    }

    /// Returns the hashes that stand for nothing on a higher level: none once the tile is full.
    fn open_hashes(&self) -> &[Hash] {
        let len = if self.is_full() { 0 } else { usize::from(self.len) };
        self.hashes.get(..len).unwrap_or_default()
    }

    fn push(&mut self, hash: Hash) {
        if self.is_full() {
            self.index = self.index.saturating_add(1);
            self.len = 0;
            self.saved = 0;
        }
        if let Some(place) = self.hashes.get_mut(usize::from(self.len)) {
            *place = hash;
        }
        self.len = self.len.saturating_add(1);
    }

    fn tile(&self, level: usize) -> Tile {
        Tile { level: u8::try_from(level).unwrap_or(u8::MAX), index: self.index, width: self.len }
    }
}

impl<S: AsRef<[LevelSlot]> + AsMut<[LevelSlot]>> Issuer<S> {
    /// Begins an empty log.
    #[must_use]
    pub fn new(mut levels: S) -> Self {
        levels.as_mut().fill(LevelSlot::EMPTY);
        Self { size: 0, sealing: false, levels }
    }

    /// Continues a log of `size` leaves from its tiles. Compare [`head`](Self::head) with the newest checkpoint.
    ///
    /// # Errors
    ///
    /// [`TileError::Read`] if a tile is missing; [`TileError::Full`] if `levels` are too few for the tree.
    pub fn resume<R: ReadTile>(
        levels: S,
        size: u64,
        reader: &mut R,
    ) -> Result<Self, TileError<R::Error>> {
        let mut log = Self { size, ..Self::new(levels) };
        let capacity = log.levels.as_ref().len();
        let shift = u32::try_from(capacity).unwrap_or(u32::MAX).saturating_mul(8);
        if size.checked_shr(shift).unwrap_or(0) > 0 {
            return Err(TileError::Full { capacity });
        }
        for (level, slot) in log.levels.as_mut().iter_mut().enumerate() {
            let shift = u32::try_from(level).unwrap_or(u32::MAX).saturating_mul(8);
            let nodes = size.checked_shr(shift).unwrap_or(0);
            let last = nodes.saturating_sub(1) / 256;
            let level = u8::try_from(level).unwrap_or(u8::MAX);
            let Some(tile) = Tile::of(size, level, last) else { break };
            let wanted = slot.hashes.get_mut(..usize::from(tile.width)).unwrap_or_default();
            reader.read(tile, wanted).map_err(|error| TileError::Read { tile, error })?;
            slot.index = tile.index;
            slot.len = tile.width;
            slot.saved = tile.width;
        }
        Ok(log)
    }

    /// Appends a leaf, given by its [hash](MerkleTree::leaf), and returns its position.
    ///
    /// # Errors
    ///
    /// [`IssueError::Unsaved`] when a full tile was not saved; [`IssueError::Full`].
    pub fn append(&mut self, leaf: Hash) -> Result<u64, IssueError> {
        let index = self.size;
        let levels = self.levels.as_mut();
        let capacity = levels.len();
        check_room(levels)?;
        let mut hash = leaf;
        for slot in levels.iter_mut() {
            slot.push(hash);
            self.size = index.saturating_add(1);
            if !slot.is_full() {
                return Ok(index);
            }
            hash = MerkleTree::root_of(&slot.hashes);
        }
        if self.size == index { Err(IssueError::Full { capacity }) } else { Ok(index) }
    }

    /// Asks for the partial tiles too, so that a checkpoint of the tree as it is can be signed.
    pub fn seal(&mut self) {
        self.sealing = true;
    }

    /// Writes the hashes of the next tile that has to be saved into `buf`, and returns its name and its length in
    /// bytes. It is the same tile until [`handle_saved`](Self::handle_saved).
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`], never with 8,192 bytes.
    pub fn poll_write(&mut self, buf: &mut [u8]) -> Result<Option<(Tile, usize)>, BufferTooSmall> {
        let Some((level, slot)) = self.next_unsaved() else {
            self.sealing = false;
            return Ok(None);
        };
        let needed = usize::from(slot.len).saturating_mul(32);
        let place = buf.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
        let (places, _) = place.as_chunks_mut();
        for (bytes, hash) in places.iter_mut().zip(&slot.hashes) {
            *bytes = *hash.as_bytes();
        }
        Ok(Some((slot.tile(level), needed)))
    }

    /// Notes that a tile is in its file and will be there after a crash. Any other tile is ignored.
    pub fn handle_saved(&mut self, tile: Tile) {
        let slot = self.levels.as_mut().get_mut(usize::from(tile.level));
        if let Some(slot) = slot.filter(|slot| slot.index == tile.index && tile.width <= slot.len) {
            slot.saved = slot.saved.max(tile.width);
        }
    }

    /// Writes a signed checkpoint of the tree as it is. The name of the key is the origin.
    ///
    /// # Errors
    ///
    /// [`IssueError::Unsaved`] unless all tiles of the tree are saved; [`IssueError::TextTooLong`] if the name of
    /// the key is; [`IssueError::BufferTooSmall`].
    pub fn checkpoint(&self, signer: &SignerKey<'_>, buf: &mut [u8]) -> Result<usize, IssueError> {
        if self.levels.as_ref().iter().any(|slot| slot.saved < slot.len) {
            return Err(IssueError::Unsaved);
        }
        let origin = signer.verifier().name();
        let checkpoint = Checkpoint { origin, head: self.head(), extension: "" };
        checkpoint.sign(signer, buf)
    }

    /// Returns the tree as it is.
    #[must_use]
    pub fn head(&self) -> TreeHead {
        let mut right = None;
        for slot in self.levels.as_ref() {
            let mut tree = Peaks::<OPEN_ROWS>::new();
            slot.open_hashes().iter().chain(&right).for_each(|hash| tree.push(*hash));
            right = if tree.len() == 0 { right } else { Some(tree.root()) };
        }
        TreeHead { size: self.size, root: right.unwrap_or(TreeHead::EMPTY.root) }
    }

    /// Returns the storage.
    #[must_use]
    pub fn into_storage(self) -> S {
        self.levels
    }

    fn next_unsaved(&self) -> Option<(usize, &LevelSlot)> {
        let due = |slot: &LevelSlot| slot.saved < slot.len && (slot.is_full() || self.sealing);
        self.levels.as_ref().iter().enumerate().find(|(_, slot)| due(slot))
    }
}

/// Checks that one more leaf finds a place on each level that it fills.
fn check_room(levels: &[LevelSlot]) -> Result<(), IssueError> {
    for slot in levels {
        if slot.is_full() && slot.saved < slot.len {
            return Err(IssueError::Unsaved);
        }
        let fills = usize::from(slot.len).saturating_add(1) == TILE_WIDTH;
        if !fills {
            return Ok(());
        }
    }
    Err(IssueError::Full { capacity: levels.len() })
}
