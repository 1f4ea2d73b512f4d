//! The entries of a store in a file: a log of changes, which is written anew when it has grown to more than twice
//! what it holds.
//!
//! After the first line, each record has a length (4 bytes), the first 16 bytes of the SHA-256 value of what follows, the
//! key, the origin (8 bytes), when it ends in seconds since 1970 (8 bytes, 0 means never), and the entry as it is sent; a
//! record that ends behind the key drops it. A change is written before the node answers for it, so it survives the
//! end of the process; the file is synced every second, so at most that much is lost with the power.

use core::time::Duration;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use chord_core::Id160;
use examples::cli::{self, failed};
use examples::storage;
use sha2::{Digest as _, Sha256};

use super::store::{Entry, Saved, Store, read_entry, write_entry};

const MAGIC: &[u8] = b"chord store 1\n";
/// Length and checksum.
const HEAD: usize = 4 + 16;
/// The longest record, with room to spare.
const LONGEST_RECORD: usize = 4096;
const SYNC: Duration = Duration::from_secs(1);
/// A log that is shorter is never written anew.
const SMALL: u64 = 1 << 20;

/// An open log.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
    len: u64,
    /// Its length when it was written anew last.
    fresh_len: u64,
    synced: Instant,
    dirty: bool,
}

/// What a log held.
#[derive(Debug, Default)]
pub struct Loaded {
    pub entries: Vec<Restored>,
    /// How many bytes at the end are not records.
    pub damaged: usize,
}

/// An entry of an earlier run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    pub key: Id160,
    pub entry: Entry,
    /// The rest of it in seconds; 0 means without limit.
    pub lifetime: u32,
    pub origin: u64,
}

impl Log {
    /// Opens the log of one process, and returns what it held. A damaged end is kept in a file beside it.
    ///
    /// # Errors
    ///
    /// A sentence that names the file: it cannot be read or written, belongs to another program or is in use.
    pub fn open(path: &Path) -> cli::Result<(Self, Loaded)> {
        if let Ok(file) = File::open(path) {
            lock(&file, path)?;
        }
        let bytes = storage::load(path).map_err(failed("read", path))?.unwrap_or_default();
        let loaded =
            read(&bytes).ok_or_else(|| format!("{} is not the store of a node", path.display()))?;
        if loaded.damaged > 0 {
            let beside = storage::beside(path, ".damaged");
            cli::write(&beside, &bytes)?;
            eprintln!(
                "{}: the last {} bytes are damaged and were skipped; the old file is {}",
                path.display(),
                loaded.damaged,
                beside.display()
            );
        }
        let all: Vec<u8> = loaded.entries.iter().flat_map(restored_record).collect();
        let (file, len) = write_all(path, &all)?;
        let log = Self {
            path: path.to_owned(),
            file,
            len,
            fresh_len: len,
            synced: Instant::now(),
            dirty: false,
        };
        Ok((log, loaded))
    }

    /// Writes what has changed. `now` is the clock of the member.
    ///
    /// # Errors
    ///
    /// A sentence that names the file.
    pub fn save(&mut self, store: &mut Store, now: Duration) -> cli::Result<()> {
        let records: Vec<u8> = store.changes().iter().flat_map(|it| record(it, now)).collect();
        if !records.is_empty() {
            self.file.write_all(&records).map_err(failed("write", &self.path))?;
            self.len += records.len() as u64;
            self.dirty = true;
        }
        if self.len > SMALL && self.len / 2 > self.fresh_len {
            let all: Vec<u8> = store.all().flat_map(|it| record(&it, now)).collect();
            (self.file, self.len) = write_all(&self.path, &all)?;
            self.fresh_len = self.len;
            self.dirty = false;
        }
        if self.dirty && self.synced.elapsed() >= SYNC {
            self.sync()?;
        }
        Ok(())
    }

    /// Waits until all is on the disk.
    ///
    /// # Errors
    ///
    /// A sentence that names the file.
    pub fn sync(&mut self) -> cli::Result<()> {
        self.file.sync_data().map_err(failed("write", &self.path))?;
        self.synced = Instant::now();
        self.dirty = false;
        Ok(())
    }
}

/// Replaces the file as a whole, and opens it for more.
fn write_all(path: &Path, records: &[u8]) -> cli::Result<(File, u64)> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed("create", folder))?;
    }
    let bytes = [MAGIC, records].concat();
    storage::save(path, &bytes).map_err(failed("write", path))?;
    let file = OpenOptions::new().append(true).open(path).map_err(failed("write", path))?;
    lock(&file, path)?;
    Ok((file, bytes.len() as u64))
}

fn lock(file: &File, path: &Path) -> cli::Result<()> {
    file.try_lock().map_err(|_| format!("{} is in use by another node", path.display()))
}

/// Reads a log up to the first byte that does not belong to a record. `None` if it is another file.
fn read(bytes: &[u8]) -> Option<Loaded> {
    if bytes.is_empty() {
        return Some(Loaded::default());
    }
    if bytes.len() < MAGIC.len() && MAGIC.starts_with(bytes) {
        return Some(Loaded { damaged: bytes.len(), ..Loaded::default() });
    }
    let mut rest = bytes.strip_prefix(MAGIC)?;
    let mut entries = std::collections::BTreeMap::new();
    while let Some((key, restored, after)) = read_record(rest) {
        rest = after;
        match restored {
            Some(restored) => drop(entries.insert(key, restored)),
            None => drop(entries.remove(&key)),
        }
    }
    let now = unix_now();
    let living = entries.into_values().filter_map(|(mut restored, ends): (Restored, u64)| {
        if ends > 0 {
            let left = ends.saturating_sub(now);
            restored.lifetime = u32::try_from(left).unwrap_or(u32::MAX);
        }
        (ends == 0 || restored.lifetime > 0).then_some(restored)
    });
    Some(Loaded { entries: living.collect(), damaged: rest.len() })
}

type Record<'b> = (Id160, Option<(Restored, u64)>, &'b [u8]);

fn read_record(bytes: &[u8]) -> Option<Record<'_>> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    let (checksum, rest) = rest.split_first_chunk::<16>()?;
    let len =
        usize::try_from(u32::from_be_bytes(*len)).ok().filter(|len| *len <= LONGEST_RECORD)?;
    let (body, after) = rest.split_at_checked(len)?;
    if checksum_of(body) != *checksum {
        return None;
    }
    let (key, rest) = body.split_first_chunk::<20>()?;
    let key = Id160::from(*key);
    if rest.is_empty() {
        return Some((key, None, after));
    }
    let (origin, rest) = rest.split_first_chunk()?;
    let (ends, rest) = rest.split_first_chunk()?;
    let entry = read_entry(rest)?;
    let restored = Restored { key, entry, lifetime: 0, origin: u64::from_be_bytes(*origin) };
    Some((key, Some((restored, u64::from_be_bytes(*ends))), after))
}

fn record(saved: &Saved, now: Duration) -> Vec<u8> {
    let Some(entry) = &saved.entry else { return framed(<[u8; 20]>::from(saved.key).to_vec()) };
    let left = saved.expires.map(|at| at.saturating_sub(now).as_secs());
    let ends = left.map_or(0, |left| unix_now().saturating_add(left).max(1));
    entry_record(saved.key, saved.origin, ends, entry)
}

fn restored_record(restored: &Restored) -> Vec<u8> {
    let left = u64::from(restored.lifetime);
    let ends = if left == 0 { 0 } else { unix_now().saturating_add(left) };
    entry_record(restored.key, restored.origin, ends, &restored.entry)
}

fn entry_record(key: Id160, origin: u64, ends: u64, entry: &Entry) -> Vec<u8> {
    let mut body = <[u8; 20]>::from(key).to_vec();
    body.extend(origin.to_be_bytes());
    body.extend(ends.to_be_bytes());
    write_entry(&mut body, entry);
    framed(body)
}

fn framed(body: Vec<u8>) -> Vec<u8> {
    let mut record = Vec::with_capacity(HEAD + body.len());
    record.extend((body.len() as u32).to_be_bytes());
    record.extend(checksum_of(&body));
    record.extend(body);
    record
}

fn checksum_of(body: &[u8]) -> [u8; 16] {
    let hash = <[u8; 32]>::from(Sha256::digest(body));
    let mut checksum = [0; 16];
    checksum.copy_from_slice(&hash[..16]);
    checksum
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

#[cfg(test)]
mod tests {
    use super::super::store::Limits;
    use super::*;

    const NOW: Duration = Duration::from_secs(5);

    fn path(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("chord-{}-{name}", std::process::id()));
        let _ = fs::remove_file(&path);
        path
    }

    fn store() -> Store {
        let mut store = Store::new(Limits::of(8 << 20));
        store.watch();
        store
    }

    fn keep(store: &mut Store, n: u8, version: u64, lifetime: u32) {
        let entry =
            Entry { version, deleted: version == 3, value: vec![n; usize::from(version != 3)] };
        store.keep(Id160::from([n; 20]), entry, lifetime, 4, NOW).unwrap();
    }

    #[test]
    fn what_was_saved_is_loaded_by_the_next_run() {
        let path = path("loaded");
        let (mut log, loaded) = Log::open(&path).unwrap();
        assert!(loaded.entries.is_empty());
        assert!(Log::open(&path).unwrap_err().contains("in use"));
        let mut store = store();
        keep(&mut store, 1, 1, 0);
        keep(&mut store, 2, 1, 1000);
        keep(&mut store, 3, 1, 0);
        log.save(&mut store, NOW).unwrap();
        keep(&mut store, 1, 3, 0);
        store.remove(Id160::from([3; 20]));
        log.save(&mut store, NOW).unwrap();
        drop(log);
        let (_log, loaded) = Log::open(&path).unwrap();
        assert_eq!(loaded.damaged, 0);
        let [first, second] = &loaded.entries[..] else { panic!("{loaded:?}") };
        assert!(first.entry.deleted && first.entry.version == 3 && first.lifetime == 0);
        assert!((900..=1000).contains(&second.lifetime) && second.origin == 4);
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_torn_file_loses_its_end_only_wherever_it_was_torn() {
        let path = path("torn");
        let mut whole = MAGIC.to_vec();
        let mut ends = vec![whole.len()];
        for n in 1..=3 {
            let entry = Entry { version: 1, deleted: false, value: vec![n; 9] };
            whole.extend(entry_record(Id160::from([n; 20]), 0, 0, &entry));
            ends.push(whole.len());
        }
        for len in 0..=whole.len() {
            let loaded = read(&whole[..len]).unwrap();
            let kept = ends.iter().filter(|end| **end <= len).count().saturating_sub(1);
            assert_eq!(loaded.entries.len(), kept, "{len}");
        }
        let mut flipped = whole.clone();
        flipped[ends[1] + 30] ^= 1;
        fs::write(&path, &flipped).unwrap();
        let (_log, loaded) = Log::open(&path).unwrap();
        assert_eq!((loaded.entries.len(), loaded.damaged), (1, whole.len() - ends[1]));
        let beside = storage::beside(&path, ".damaged");
        assert_eq!(fs::read(&beside).unwrap(), flipped);
        fs::remove_file(beside).unwrap();
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_file_of_another_program_is_left_alone() {
        let path = path("other");
        fs::write(&path, b"a letter to my aunt").unwrap();
        assert!(Log::open(&path).unwrap_err().contains("is not the store of a node"));
        assert_eq!(fs::read(&path).unwrap(), b"a letter to my aunt");
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_log_of_many_changes_is_written_anew() {
        let path = path("anew");
        let (mut log, _) = Log::open(&path).unwrap();
        let mut store = store();
        for version in 1..4000 {
            let entry = Entry { version, deleted: false, value: vec![1; 1000] };
            store.keep(Id160::from([1; 20]), entry, 0, 4, NOW).unwrap();
            log.save(&mut store, NOW).unwrap();
        }
        assert!(fs::metadata(&path).unwrap().len() < 2 << 20);
        drop(log);
        let (_log, loaded) = Log::open(&path).unwrap();
        assert_eq!(loaded.entries.first().map(|it| it.entry.version), Some(3999));
        fs::remove_file(path).unwrap();
    }
}
