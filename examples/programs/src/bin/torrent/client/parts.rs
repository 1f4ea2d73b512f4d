//! What is there of pieces that are not complete, kept in a file for the next run.

use core::time::Duration;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bittorrent_pieces::bencode::{Limits, Mode, Value, WriteError, Writer};
use bittorrent_pieces::{BLOCK_LEN, Bitfield, Block, ConnId, Geometry, InfoHash, PieceIndex};
use examples::storage;
use examples::warning;

use super::make::encode;

/// How often the file is written: what came since is fetched again after a kill.
const EVERY: Duration = Duration::from_secs(1);

/// The blocks that are written of pieces that are not complete.
///
/// The file is bencoded: `d 5:files l i<length>e i<time>e .. e 4:have .. 9:info-hash 20:.. 5:peers .. 10:unfinished l d 6:blocks l i0e .. e 5:piece i7e e .. e e`,
/// the numbers of blocks and pieces counted from 0. `have` is the bitfield of the pieces, which counts as long as all files
/// have the length and the time of change that `files` names. It exists from the first block to the end of the download: where it
/// is, the content was written by this program.
#[derive(Debug)]
pub struct Parts<'a> {
    path: PathBuf,
    torrent: InfoHash,
    geometry: Geometry<'a>,
    open: Open,
    peers: Vec<u8>,     // what is known of peers, as the address book encodes it
    have: Vec<u8>,      // the bitfield of the pieces, if it is known
    stamps: Vec<Stamp>, // of the files at that time
    touched: bool,      // something was written in this run or an earlier one
    complete: bool,
    changed: bool,
    saved: Instant,
}

/// The length of a file, and when it was changed in nanoseconds since 1970; both -1 if there is no file.
pub type Stamp = (i64, i64);

/// What a file of an earlier run holds.
#[derive(Debug, Default)]
struct Saved {
    open: Open,
    peers: Vec<u8>,
    have: Vec<u8>,
    stamps: Vec<Stamp>,
}

/// Of each piece the numbers of its blocks, and who gave them in this run.
type Open = BTreeMap<PieceIndex, BTreeMap<u32, Option<ConnId>>>;

impl<'a> Parts<'a> {
    /// Begins with none; the file is to lie beside `content`. Its name is that of no other torrent, and of
    /// nothing else there.
    pub fn new(content: &Path, torrent: InfoHash, geometry: Geometry<'a>) -> Self {
        let path = content.with_file_name(format!("{torrent}.parts"));
        let open = Open::new();
        let peers = Vec::new();
        let saved = Instant::now();
        Self {
            path,
            torrent,
            geometry,
            open,
            peers,
            have: Vec::new(),
            stamps: Vec::new(),
            touched: false,
            complete: false,
            changed: false,
            saved,
        }
    }

    /// Reads the file of an earlier run; returns whether there is a valid one. One that is not right is worth no more
    /// than a warning: its blocks are fetched again.
    pub fn load(&mut self) -> bool {
        match storage::load(&self.path) {
            Ok(Some(bytes)) => {
                self.changed = true;
                self.touched = true;
                if let Some(saved) = self.decode(&bytes) {
                    self.open = saved.open;
                    self.peers = saved.peers;
                    self.have = saved.have;
                    self.stamps = saved.stamps;
                } else {
                    warning!("{}: not of this torrent, ignored", self.path.display());
                }
                true
            }
            Ok(None) => false,
            Err(error) => {
                warning!("{}: {error}, ignored", self.path.display());
                false
            }
        }
    }

    /// Forgets the blocks of pieces that are complete.
    pub fn retain_missing(&mut self, have: Bitfield<&[u8]>) {
        self.open.retain(|piece, _| !have.has(*piece));
    }

    /// Writes the file at once: what lies in the folder from now on is of this torrent.
    pub fn begin(&mut self) {
        self.changed = true;
        self.touched = true;
        self.save();
    }

    /// Forgets all blocks: the content is not there.
    pub fn clear(&mut self) {
        self.open.clear();
    }

    /// Returns the bitfield of the pieces, if the files are as they were when it was saved.
    pub fn have(&self, stamps: &[Stamp]) -> Option<Bitfield<Vec<u8>>> {
        let unchanged = !self.have.is_empty() && self.stamps == stamps;
        let have = Bitfield::new(self.geometry.pieces(), self.have.clone());
        have.ok().filter(|_| unchanged)
    }

    /// Notes the pieces that are there, and the files as they are now.
    pub fn set_have(&mut self, have: Bitfield<&[u8]>, stamps: Vec<Stamp>) {
        self.changed = true;
        self.have = have.as_bytes().to_vec();
        self.stamps = stamps;
    }

    /// Returns what is known of peers.
    pub fn peers(&self) -> &[u8] {
        &self.peers
    }

    /// Notes what is known of peers.
    pub fn set_peers(&mut self, peers: Vec<u8>) {
        self.changed = true;
        self.peers = peers;
    }

    /// Removes the file: nothing is left to fetch.
    pub fn finish(&mut self) {
        self.complete = true;
        self.changed = true;
        self.save();
    }

    pub fn blocks(&self) -> impl Iterator<Item = Block> {
        let each =
            self.open.iter().flat_map(|(piece, row)| row.keys().map(|number| (*piece, *number)));
        each.filter_map(|(piece, number)| self.geometry.block(piece, number))
    }

    /// Notes a block that was written.
    pub fn add(&mut self, block: Block, from: ConnId) {
        // Over version 2 the last block of a file comes without the padding.
        let number = block.begin / BLOCK_LEN;
        if self.geometry.block(block.piece, number).is_some_and(|whole| whole.begin == block.begin)
        {
            self.open.entry(block.piece).or_default().insert(number, Some(from));
            self.changed = true;
            self.touched = true;
        }
    }

    /// Forgets a piece that was checked: it is complete, or nothing of it is worth keeping.
    pub fn close(&mut self, piece: PieceIndex) {
        self.changed |= self.open.remove(&piece).is_some();
    }

    /// Forgets what a banned peer gave.
    pub fn forget(&mut self, conn: ConnId) {
        for row in self.open.values_mut() {
            row.retain(|_, from| *from != Some(conn));
        }
        self.open.retain(|_, row| !row.is_empty());
        self.changed = true;
    }

    /// Writes the file now and then; see [`save`](Self::save).
    pub fn save_if_due(&mut self) {
        if self.saved.elapsed() >= EVERY {
            self.save();
        }
    }

    /// Writes the file if something changed. The download does not depend on it, so a failure is no error.
    pub fn save(&mut self) {
        self.saved = Instant::now();
        if core::mem::take(&mut self.changed)
            && let Err(error) = self.write()
        {
            warning!("{}: {error}", self.path.display());
        }
    }

    fn write(&self) -> io::Result<()> {
        if self.complete {
            return storage::remove(&self.path);
        }
        if !self.touched {
            return Ok(());
        }
        let bytes = encode(|out| self.encode(out)).map_err(io::Error::other)?;
        storage::save(&self.path, &bytes)
    }

    fn encode(&self, out: &mut [u8]) -> Result<usize, WriteError> {
        let mut writer = Writer::new(out);
        writer.dict(|dict| {
            if !self.have.is_empty() {
                dict.list(b"files", |list| {
                    for (len, time) in &self.stamps {
                        list.int(*len);
                        list.int(*time);
                    }
                    Ok(())
                })?;
                dict.bytes(b"have", &self.have)?;
            }
            dict.bytes(b"info-hash", &self.torrent.0)?;
            if !self.peers.is_empty() {
                dict.bytes(b"peers", &self.peers)?;
            }
            dict.list(b"unfinished", |list| {
                self.open.iter().try_for_each(|(piece, row)| {
                    list.dict(|dict| {
                        dict.list(b"blocks", |list| {
                            for number in row.keys() {
                                list.int((*number).into());
                            }
                            Ok(())
                        })?;
                        dict.int(b"piece", piece.0.into())
                    })
                })
            })
        })?;
        writer.finish()
    }

    /// Reads all that [`encode`](Self::encode) wrote, or nothing.
    fn decode(&self, bytes: &[u8]) -> Option<Saved> {
        let value = Value::from_bytes(bytes, Mode::Strict, Limits::DEFAULT).ok()?;
        if value.find(b"info-hash")?.as_bytes()? != self.torrent.0 {
            return None;
        }
        let number = |value: Value<'_>| u32::try_from(value.as_int()?).ok();
        let rows = value.find(b"unfinished")?.items().map(|entry| {
            let piece = PieceIndex(number(entry.find(b"piece")?)?);
            let row = entry.find(b"blocks")?.items().map(|block| {
                let block = number(block)?;
                self.geometry.block(piece, block).map(|_| (block, None))
            });
            Some((piece, row.collect::<Option<_>>()?))
        });
        let bytes = |key: &[u8]| {
            let bytes = value.find(key).and_then(|value| value.as_bytes());
            bytes.unwrap_or_default().to_vec()
        };
        let numbers = value.find(b"files").into_iter().flat_map(|files| files.items());
        let numbers = numbers.map(|number| number.as_int()).collect::<Option<Vec<_>>>()?;
        let (stamps, []) = numbers.as_chunks::<2>() else { return None };
        let stamps = stamps.iter().map(|[len, time]| (*len, *time)).collect();
        let open = rows.collect::<Option<_>>()?;
        Some(Saved { open, peers: bytes(b"peers"), have: bytes(b"have"), stamps })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces of 4, 4 and 2 blocks, in a folder that does not exist.
    fn parts() -> Parts<'static> {
        let geometry = Geometry::new(10 * 16_384 - 1, 4 * 16_384).unwrap();
        Parts::new(Path::new("/nowhere/film"), InfoHash(*b"abcdefghijklmnopqrst"), geometry)
    }

    #[test]
    fn only_the_list_of_this_torrent_is_taken_in() {
        let mut parts = parts();
        let [first, last] = [(0, 3), (2, 1)];
        for (piece, number) in [first, last] {
            parts.add(parts.geometry.block(PieceIndex(piece), number).unwrap(), ConnId(1));
        }
        let bytes = encode(|out| parts.encode(out)).unwrap();
        let text = "d9:info-hash20:abcdefghijklmnopqrst10:unfinished\
                    ld6:blocksli3ee5:piecei0eed6:blocksli1ee5:piecei2eeee";
        assert_eq!(String::from_utf8_lossy(&bytes), text);
        let read: Vec<_> = parts.decode(&bytes).unwrap().open.into_keys().collect();
        assert_eq!(read, [PieceIndex(0), PieceIndex(2)]);
        for len in 0..text.len() {
            assert!(parts.decode(&bytes[..len]).is_none(), "the first {len} bytes");
        }
        for (right, wrong) in [
            ("qrst", "qrsu"),
            ("li1ee", "li2ee"), // the last piece has two blocks
            ("li1ee", "li-1ee"),
            ("li1ee", "l1:ae"),
            ("piecei2e", "piecei3e"),
            ("piecei2e", "piecei4294967296e"),
            ("5:piecei0e", "5:paecei0e"),
        ] {
            let changed = text.replacen(right, wrong, 1);
            assert!(changed != text && parts.decode(changed.as_bytes()).is_none(), "{changed}");
        }
    }

    #[test]
    fn the_pieces_count_as_long_as_the_files_are_unchanged() {
        let mut parts = parts();
        let stamps = vec![(5, 1_700_000_000_000_000_000), (-1, -1)];
        let have = Bitfield::new(3, vec![0b1010_0000]).unwrap();
        parts.set_have(have.as_view(), stamps.clone());
        let bytes = encode(|out| parts.encode(out)).unwrap();
        let mut later = self::parts();
        let saved = later.decode(&bytes).unwrap();
        later.have = saved.have;
        later.stamps = saved.stamps;
        assert_eq!(later.have(&stamps).map(|have| have.count_ones()), Some(2));
        assert!(later.have(&[(5, 1_700_000_000_000_000_001), (-1, -1)]).is_none());
        assert!(later.have(&stamps[..1]).is_none());
        assert!(self::parts().have(&[]).is_none(), "nothing was saved");
        later.have = vec![0b1010_0001]; // a spare bit
        assert!(later.have(&stamps).is_none());
    }

    #[test]
    fn what_a_banned_peer_gave_is_forgotten() {
        let mut parts = parts();
        let block = |piece, number| parts.geometry.block(PieceIndex(piece), number).unwrap();
        let one = block(0, 0);
        let two = block(0, 1);
        let three = block(1, 0);
        for (block, from) in [(one, 1), (two, 2), (three, 2)] {
            parts.add(block, ConnId(from));
        }
        parts.forget(ConnId(2));
        assert_eq!(parts.blocks().collect::<Vec<_>>(), [one]);
        parts.close(one.piece);
        assert_eq!(parts.blocks().count(), 0);
    }
}
