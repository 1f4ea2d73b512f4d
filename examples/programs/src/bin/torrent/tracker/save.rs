//! The state file: who has which torrent, from one run to the next.

use core::net::SocketAddr;
use core::time::Duration;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use bittorrent_pieces::bencode::{Limits, Mode, Value, WriteError, Writer};
use bittorrent_pieces::{CompactPeers, Family, InfoHash};
use examples::cli::failed;
use examples::{storage, warning};

use super::store::Store;

/// The longest state file that is read: the address, state and age of 2 million peers.
const LONGEST: u64 = 64 << 20;
/// What follows the address of a peer: whether it is a seed, and its age in seconds.
const TAIL: usize = 5;

/// A state file.
pub struct StateFile(PathBuf);

impl StateFile {
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Reads the file into a store. A damaged one is reported and kept under another name. Returns the number of peers.
    pub fn load(&self, store: &mut Store) -> Result<usize, String> {
        let named = |error: io::Error| format!("{}: {error}", self.0.display());
        let file = match File::open(&self.0) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(named(error)),
        };
        let mut bytes = Vec::new();
        file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(named)?;
        if let Some(peers) = decode(&bytes, store) {
            return Ok(peers);
        }
        let kept = storage::set_aside(&self.0).map_err(named)?;
        *store = store.emptied();
        warning!("{} is damaged; kept as {}", self.0.display(), kept.display());
        Ok(0)
    }

    /// Replaces the file as a whole, so that a crash leaves the old one or the new.
    pub fn save(&self, bytes: &[u8]) -> Result<(), String> {
        storage::save(&self.0, bytes).map_err(failed("write", &self.0))
    }
}

/// Returns the content of a state file.
pub fn encode(store: &Store) -> Vec<u8> {
    let mut out = vec![0; 1 << 20];
    loop {
        let mut writer = Writer::new(&mut out);
        let written = write(store, &mut writer).and_then(|()| writer.finish());
        match written {
            Ok(len) => {
                out.truncate(len);
                return out;
            }
            Err(WriteError::Buffer(short)) => out.resize(short.needed, 0),
            Err(error) => unreachable!("the keys are in order: {error}"),
        }
    }
}

fn write(store: &Store, writer: &mut Writer<'_>) -> Result<(), WriteError> {
    let mut budget = LONGEST as usize;
    writer.dict(|dict| {
        dict.list(b"torrents", |list| {
            for (torrent, completed, peers) in store.torrents() {
                let peers: Vec<u8> = peers.flat_map(entry).collect();
                budget = budget.saturating_sub(peers.len() + 80);
                if budget == 0 {
                    break; // it would not be read again
                }
                list.dict(|dict| {
                    dict.int(b"completed", completed.into())?;
                    dict.bytes(b"hash", &torrent.0)?;
                    dict.bytes(b"peers", &peers)
                })?;
            }
            Ok(())
        })?;
        dict.int(b"version", 1)
    })
}

/// Returns a peer: the length of its address, the address, whether it is a seed, and its age.
fn entry((addr, seeds, age): (SocketAddr, bool, Duration)) -> Vec<u8> {
    let stride = Family::of(addr).stride();
    let mut entry = vec![0; 1 + stride];
    entry[0] = stride as u8;
    CompactPeers::encode(addr, &mut entry[1..]).expect("room was made");
    entry.push(seeds.into());
    entry.extend(u32::try_from(age.as_secs()).unwrap_or(u32::MAX).to_be_bytes());
    entry
}

/// Reads all that [`encode`] wrote; `None` if it is damaged.
fn decode(bytes: &[u8], store: &mut Store) -> Option<usize> {
    let state = Value::from_bytes(bytes, Mode::Strict, Limits::DEFAULT).ok()?;
    if bytes.len() as u64 > LONGEST || state.find(b"version")?.as_int()? != 1 {
        return None;
    }
    let mut count = 0;
    for torrent in state.find(b"torrents")?.items() {
        let hash = InfoHash(torrent.find(b"hash")?.as_bytes()?.try_into().ok()?);
        let completed = u32::try_from(torrent.find(b"completed")?.as_int()?).ok()?;
        let mut peers = torrent.find(b"peers")?.as_bytes()?;
        store.restore_completed(hash, completed);
        while let Some((stride, rest)) = peers.split_first() {
            let (addr, rest) = rest.split_at_checked(usize::from(*stride))?;
            let ([seeds, age @ ..], rest) = rest.split_first_chunk::<TAIL>()?;
            let family = [Family::V4, Family::V6].into_iter().find(|f| f.stride() == addr.len())?;
            let addr = CompactPeers::new(family, addr)?.iter().next()?;
            let age = Duration::from_secs(u32::from_be_bytes(*age).into());
            store.restore(hash, addr, *seeds != 0, age);
            peers = rest;
            count += 1;
        }
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use bittorrent_pieces::PeerId;
    use bittorrent_pieces::tracker::{Announce, AnnounceEvent};

    fn filled() -> Store {
        let mut store = Store::new(Duration::from_secs(60));
        for (ip, port, left) in [("10.0.0.1", 1, 0), ("10.0.0.2", 2, 9), ("2001:db8::1", 3, 9)] {
            let mut announce = Announce::started(InfoHash([1; 20]), PeerId([2; 20]), port, left);
            if port == 1 {
                announce.event = AnnounceEvent::Completed;
            }
            store.announce(ip.parse().unwrap(), &announce).unwrap();
        }
        store
    }

    #[test]
    fn what_was_saved_is_read_again_and_old_peers_are_not() {
        let bytes = encode(&filled());
        let mut store = Store::new(Duration::from_secs(60));
        assert_eq!(decode(&bytes, &mut store), Some(3));
        let stats = store.scrape(InfoHash([1; 20]));
        assert_eq!((stats.seeders, stats.leechers, stats.completed), (1, 2, 1));
        assert_eq!(encode(&store), bytes);
        let mut store = Store::new(Duration::from_secs(60));
        store.restore(InfoHash([1; 20]), ([10, 0, 0, 1], 1).into(), true, Duration::from_secs(60));
        assert_eq!(store.scrape(InfoHash([1; 20])).seeders, 0);
    }

    #[test]
    fn a_torn_file_is_kept_aside_and_the_tracker_starts_empty() {
        let folder = std::env::temp_dir().join(format!("torrent-tracker-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("state");
        let file = StateFile::new(&path);
        let mut store = Store::new(Duration::from_secs(60));
        assert_eq!(file.load(&mut store), Ok(0), "there is none");
        let bytes = encode(&filled());
        file.save(&bytes).unwrap();
        assert_eq!(file.load(&mut store), Ok(3));
        for len in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            fs::write(&path, &bytes[..len]).unwrap();
            let mut store = Store::new(Duration::from_secs(60));
            assert_eq!(file.load(&mut store), Ok(0), "{len} bytes");
            assert_eq!(store.stats().peers, 0, "{len} bytes");
            assert_eq!(fs::read(folder.join("state.damaged")).unwrap(), bytes[..len]);
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
