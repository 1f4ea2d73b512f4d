//! What a node keeps in `redb`: blocks, the index of the chain, and a snapshot.
//!
//! A block is saved when its transaction is committed, which syncs the file.

use std::path::Path;

use examples::cli;
use ledger_core::{BlockId, GenesisId};
use redb::{Database, ReadableDatabase as _, StorageBackend, TableDefinition};

/// By height and id, so that parents come before their children.
const BLOCKS: TableDefinition<'_, (u64, &[u8; 32]), &[u8]> = TableDefinition::new("blocks");
/// The height of each block.
const HEIGHTS: TableDefinition<'_, &[u8; 32], u64> = TableDefinition::new("heights");
/// The headers, with their proofs, of blocks before a snapshot that a node has joined by.
const HEADERS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("headers");
/// The blocks of the chain.
const CHAIN: TableDefinition<'_, u64, &[u8; 32]> = TableDefinition::new("chain");
/// The genesis id, and the snapshot behind the id of its block.
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

const GENESIS: &str = "genesis";
const SNAPSHOT: &str = "snapshot";
const SIGNED: &str = "signed";

/// The file of a node.
pub struct Db {
    name: String,
    db: Database,
}

/// A step of the chain: a block connected at a height, or the one at a height disconnected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Connected(u64, BlockId),
    Disconnected(u64),
}

impl Db {
    /// Opens a file, or creates it.
    pub fn open(path: &Path, genesis: &GenesisId) -> cli::Result<Self> {
        let name = path.display().to_string();
        let db = Database::create(path).map_err(|error| format!("cannot open {name}: {error}"))?;
        Self { name, db }.check(genesis)
    }

    /// Opens a database in any storage.
    #[cfg_attr(not(test), expect(dead_code, reason = "the tests bring a disk that fails"))]
    pub fn in_backend(backend: impl StorageBackend, genesis: &GenesisId) -> cli::Result<Self> {
        let name = "the disk".to_owned();
        let db = Database::builder().create_with_backend(backend);
        let db = db.map_err(|error| format!("cannot open {name}: {error}"))?;
        Self { name, db }.check(genesis)
    }

    /// Refuses the file of another chain.
    fn check(self, genesis: &GenesisId) -> cli::Result<Self> {
        let known = self.meta(GENESIS)?;
        match known {
            Some(known) if known == genesis.as_bytes() => Ok(self),
            Some(_) => Err(format!("{} belongs to another chain", self.name)),
            None => {
                self.write(|transaction| {
                    transaction.open_table(BLOCKS)?;
                    transaction.open_table(HEIGHTS)?;
                    transaction.open_table(CHAIN)?;
                    transaction.open_table(HEADERS)?;
                    let mut meta = transaction.open_table(META)?;
                    meta.insert(GENESIS, &genesis.as_bytes()[..])?;
                    Ok(())
                })?;
                Ok(self)
            }
        }
    }

    fn write(
        &self,
        change: impl FnOnce(&redb::WriteTransaction) -> Result<(), redb::Error>,
    ) -> cli::Result<()> {
        let result = || {
            let transaction = self.db.begin_write()?;
            change(&transaction)?;
            transaction.commit()?;
            Ok::<_, redb::Error>(())
        };
        result().map_err(|error| format!("cannot write {}: {error}", self.name))
    }

    fn read<T>(
        &self,
        look: impl FnOnce(&redb::ReadTransaction) -> Result<T, redb::Error>,
    ) -> cli::Result<T> {
        let result = || look(&self.db.begin_read()?);
        result().map_err(|error: redb::Error| format!("cannot read {}: {error}", self.name))
    }

    fn meta(&self, key: &str) -> cli::Result<Option<Vec<u8>>> {
        self.read(|transaction| match transaction.open_table(META) {
            Ok(meta) => Ok(meta.get(key)?.map(|value| value.value().to_vec())),
            Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        })
    }

    /// Saves a block durably.
    pub fn keep(&self, height: u64, id: &BlockId, bytes: &[u8]) -> cli::Result<()> {
        self.write(|transaction| {
            transaction.open_table(BLOCKS)?.insert((height, id.as_bytes()), bytes)?;
            transaction.open_table(HEIGHTS)?.insert(id.as_bytes(), height)?;
            Ok(())
        })
    }

    /// Follows the chain.
    pub fn follow(&self, steps: &[Step]) -> cli::Result<()> {
        self.write(|transaction| {
            let mut chain = transaction.open_table(CHAIN)?;
            for step in steps {
                match step {
                    Step::Connected(height, id) => {
                        chain.insert(height, id.as_bytes())?;
                    }
                    Step::Disconnected(height) => {
                        chain.remove(height)?;
                    }
                }
            }
            Ok(())
        })
    }

    /// Saves a snapshot after a block.
    pub fn keep_snapshot(&self, id: &BlockId, snapshot: &[u8]) -> cli::Result<()> {
        let value = [&id.as_bytes()[..], snapshot].concat();
        self.write(|transaction| {
            transaction.open_table(META)?.insert(SNAPSHOT, &value[..])?;
            Ok(())
        })
    }

    /// Returns the snapshot and its block.
    pub fn snapshot(&self) -> cli::Result<Option<(BlockId, Vec<u8>)>> {
        let value = self.meta(SNAPSHOT)?;
        let split = value.as_deref().and_then(|value| value.split_first_chunk());
        Ok(split.map(|(id, snapshot)| (BlockId::from_bytes(*id), snapshot.to_vec())))
    }

    /// Returns whether nothing was saved yet.
    pub fn is_new(&self) -> cli::Result<bool> {
        Ok(self.snapshot()?.is_none() && self.at(1)?.is_none() && self.all_at(1)?.is_empty())
    }

    /// Saves what a node has joined by: all headers from block 1 on, and the state after the last one.
    pub fn keep_joined(&self, headers: &[(BlockId, Vec<u8>)], snapshot: &[u8]) -> cli::Result<()> {
        let Some((last, _)) = headers.last() else { return Ok(()) };
        let value = [&last.as_bytes()[..], snapshot].concat();
        self.write(|transaction| {
            let mut heights = transaction.open_table(HEIGHTS)?;
            let mut chain = transaction.open_table(CHAIN)?;
            let mut table = transaction.open_table(HEADERS)?;
            for (height, (id, bytes)) in (1..).zip(headers) {
                heights.insert(id.as_bytes(), height)?;
                chain.insert(height, id.as_bytes())?;
                table.insert(id.as_bytes(), &bytes[..])?;
            }
            transaction.open_table(META)?.insert(SNAPSHOT, &value[..])?;
            Ok(())
        })
    }

    /// Returns the header of a block with its proof, or the whole block.
    pub fn header(&self, id: &BlockId) -> cli::Result<Option<Vec<u8>>> {
        if let Some(block) = self.block(id)? {
            return Ok(Some(block));
        }
        self.read(|transaction| match transaction.open_table(HEADERS) {
            Ok(headers) => Ok(headers.get(id.as_bytes())?.map(|bytes| bytes.value().to_vec())),
            Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        })
    }

    /// Saves the height of a block that this node is about to sign: it signs no other at that height.
    pub fn keep_signed(&self, height: u64) -> cli::Result<()> {
        self.write(|transaction| {
            transaction.open_table(META)?.insert(SIGNED, &height.to_be_bytes()[..])?;
            Ok(())
        })
    }

    /// Returns the greatest height at which this node has signed.
    pub fn signed(&self) -> cli::Result<u64> {
        let value = self.meta(SIGNED)?.and_then(|value| value.try_into().ok());
        Ok(value.map_or(0, u64::from_be_bytes))
    }

    /// Returns a block.
    pub fn block(&self, id: &BlockId) -> cli::Result<Option<Vec<u8>>> {
        self.read(|transaction| {
            let heights = transaction.open_table(HEIGHTS)?;
            let Some(height) = heights.get(id.as_bytes())? else { return Ok(None) };
            let blocks = transaction.open_table(BLOCKS)?;
            let block = blocks.get((height.value(), id.as_bytes()))?;
            Ok(block.map(|block| block.value().to_vec()))
        })
    }

    /// Returns the block of the chain at a height.
    pub fn at(&self, height: u64) -> cli::Result<Option<BlockId>> {
        self.read(|transaction| {
            let chain = transaction.open_table(CHAIN)?;
            Ok(chain.get(height)?.map(|id| BlockId::from_bytes(*id.value())))
        })
    }

    /// Returns the height of a block, if it is on the chain.
    pub fn height_of(&self, id: &BlockId) -> cli::Result<Option<u64>> {
        let height = self.read(|transaction| {
            let heights = transaction.open_table(HEIGHTS)?;
            Ok(heights.get(id.as_bytes())?.map(|height| height.value()))
        })?;
        let Some(height) = height else { return Ok(None) };
        Ok(self.at(height)?.filter(|other| other == id).map(|_| height))
    }

    /// Returns the blocks of any branch at a height.
    pub fn all_at(&self, height: u64) -> cli::Result<Vec<Vec<u8>>> {
        self.read(|transaction| {
            let blocks = transaction.open_table(BLOCKS)?;
            let first: (u64, &[u8; 32]) = (height, &[0; 32]);
            let last: (u64, &[u8; 32]) = (height, &[0xFF; 32]);
            let range = blocks.range(first..=last)?;
            let blocks = range.map(|entry| Ok(entry?.1.value().to_vec()));
            blocks.collect::<Result<_, redb::StorageError>>().map_err(Into::into)
        })
    }
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicU64, Ordering};
    use std::io;
    use std::sync::{Arc, Mutex};

    use redb::backends::InMemoryBackend;

    use super::*;

    /// How a disk fails, from a number of writes on.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Failure {
        Full,
        ReadOnly,
        Broken,
        /// The write that fails reaches the disk in part.
        Torn,
        /// The power fails: each write since the last sync is there, is there in part, or is lost.
        PowerCut,
    }

    /// A change that is not synced.
    #[derive(Debug, Clone)]
    enum Change {
        Len(usize),
        Write(usize, Vec<u8>),
    }

    /// A disk whose content outlives the database, and that fails in time.
    #[derive(Debug, Clone)]
    struct Disk {
        bytes: Arc<Mutex<Vec<u8>>>, // as the program sees them
        synced: Arc<Mutex<Vec<u8>>>,
        unsynced: Arc<Mutex<Vec<Change>>>,
        writes: Arc<AtomicU64>,
        fails_at: u64,
        failure: Failure,
    }

    impl Disk {
        fn new(failure: Failure) -> Self {
            Self {
                bytes: Arc::default(),
                synced: Arc::default(),
                unsynced: Arc::default(),
                writes: Arc::default(),
                fails_at: u64::MAX,
                failure,
            }
        }

        /// What is left of the content, on a disk that works.
        fn mended(&self) -> Self {
            let mut bytes = self.bytes.lock().unwrap().clone();
            if self.failure == Failure::PowerCut {
                bytes.clone_from(&self.synced.lock().unwrap());
                let mut random = self.fails_at.wrapping_mul(0x9E37_79B9_7F4A_7C15);
                for change in self.unsynced.lock().unwrap().iter() {
                    random = random.rotate_left(17).wrapping_mul(0xD134_2543_DE82_EF95) ^ 1;
                    apply(&mut bytes, change, random >> 62);
                }
            }
            let mended = Self::new(self.failure);
            mended.bytes.lock().unwrap().clone_from(&bytes);
            *mended.synced.lock().unwrap() = bytes;
            mended
        }

        fn check(&self) -> io::Result<()> {
            if self.writes.fetch_add(1, Ordering::Relaxed) < self.fails_at {
                return Ok(());
            }
            Err(match self.failure {
                Failure::Full => io::ErrorKind::StorageFull.into(),
                Failure::ReadOnly => io::ErrorKind::ReadOnlyFilesystem.into(),
                Failure::Broken | Failure::Torn | Failure::PowerCut => {
                    io::Error::other("I/O error")
                }
            })
        }
    }

    /// Makes a change after a power cut: not at all, in part, or wholly.
    fn apply(bytes: &mut Vec<u8>, change: &Change, fate: u64) {
        match (change, fate) {
            (_, 0) => {}
            (Change::Len(len), _) => bytes.resize(*len, 0),
            (Change::Write(offset, data), _) => {
                let part = if fate == 1 { &data[..data.len() / 2] } else { &data[..] };
                let end = offset + part.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*offset..end].copy_from_slice(part);
            }
        }
    }

    impl StorageBackend for Disk {
        fn len(&self) -> io::Result<u64> {
            Ok(self.bytes.lock().unwrap().len() as u64)
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            let bytes = self.bytes.lock().unwrap();
            let from = bytes.get(offset as usize..offset as usize + out.len());
            out.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        }

        fn set_len(&self, len: u64) -> io::Result<()> {
            self.check()?;
            self.bytes.lock().unwrap().resize(len as usize, 0);
            self.unsynced.lock().unwrap().push(Change::Len(len as usize));
            Ok(())
        }

        fn sync_data(&self) -> io::Result<()> {
            self.check()?;
            self.synced.lock().unwrap().clone_from(&self.bytes.lock().unwrap());
            self.unsynced.lock().unwrap().clear();
            Ok(())
        }

        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            let checked = self.check();
            let part = match (&checked, self.failure) {
                (Ok(()), _) => data,
                (Err(_), Failure::Torn) => &data[..data.len() / 2],
                _ => &[],
            };
            let mut bytes = self.bytes.lock().unwrap();
            bytes[offset as usize..offset as usize + part.len()].copy_from_slice(part);
            let change = Change::Write(offset as usize, part.to_vec());
            self.unsynced.lock().unwrap().push(change);
            checked
        }
    }

    fn id(height: u64) -> BlockId {
        let mut id = [9; 32];
        id[..8].copy_from_slice(&height.to_be_bytes());
        BlockId::from_bytes(id)
    }

    /// Whatever write fails, all blocks that were reported as saved are there later, and the error names the disk.
    #[test]
    fn what_was_saved_survives_a_failing_disk() {
        let genesis = GenesisId::default();
        let failures =
            [Failure::Full, Failure::ReadOnly, Failure::Broken, Failure::Torn, Failure::PowerCut];
        for failure in failures {
            let step = if failure == Failure::PowerCut { 1 } else { 7 };
            for fails_at in (0..120).step_by(step) {
                let mut disk = Disk::new(failure);
                let before = Db::in_backend(disk.clone(), &genesis).expect("it works so far");
                before.keep(1, &id(1), b"one").expect("it works so far");
                drop(before);
                disk = disk.mended();
                disk.fails_at = fails_at;
                let mut saved = 1;
                let mut complaint = None;
                match Db::in_backend(disk.clone(), &genesis) {
                    Ok(db) => {
                        for height in 2..40 {
                            let kept = db.keep(height, &id(height), &[height as u8; 3000]);
                            let kept = kept
                                .and_then(|()| db.follow(&[Step::Connected(height, id(height))]));
                            match kept {
                                Ok(()) => saved = height,
                                Err(error) => {
                                    complaint = Some(error);
                                    break;
                                }
                            }
                        }
                    }
                    Err(error) => complaint = Some(error),
                }
                let complaint = complaint.expect("it fails in the end");
                assert!(complaint.contains("the disk: "), "{complaint}");
                let db = Db::in_backend(disk.mended(), &genesis).expect("it is repaired");
                for height in 1..=saved {
                    let block = db.block(&id(height)).expect("it is read");
                    assert!(block.is_some(), "{failure:?} at {fails_at}: block {height} is lost");
                }
            }
        }
    }

    #[test]
    fn blocks_the_chain_and_snapshots_are_found_again() {
        let genesis = GenesisId::default();
        let db = Db::in_backend(InMemoryBackend::new(), &genesis).expect("it is new");
        db.keep(1, &id(1), b"one").expect("it is written");
        db.keep(2, &id(2), b"two").expect("it is written");
        db.keep(2, &id(3), b"other").expect("it is written");
        db.follow(&[Step::Connected(1, id(1)), Step::Connected(2, id(3))]).expect("it is written");
        assert_eq!(db.height_of(&id(3)), Ok(Some(2)));
        db.follow(&[Step::Disconnected(2), Step::Connected(2, id(2))]).expect("it is written");
        assert_eq!(db.height_of(&id(3)), Ok(None), "on another branch");
        assert_eq!(db.at(2), Ok(Some(id(2))));
        assert_eq!(db.block(&id(3)), Ok(Some(b"other".to_vec())));
        assert_eq!(db.block(&id(7)), Ok(None));
        assert_eq!(db.all_at(2).map(|all| all.len()), Ok(2));
        assert_eq!(db.snapshot(), Ok(None));
        db.keep_snapshot(&id(2), b"state").expect("it is written");
        assert_eq!(db.snapshot(), Ok(Some((id(2), b"state".to_vec()))));
    }
}
