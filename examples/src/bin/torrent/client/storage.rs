//! The content of a torrent in its files.

use core::time::Duration;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bittorrent_pieces::merkle::MerkleHash;
use bittorrent_pieces::metainfo::{PathError, PathPolicy, PathSlot, SafeFile, SafePath, SafePaths};
use bittorrent_pieces::{
    BLOCK_LEN, Bitfield, Block, Geometry, Metainfo, PieceCheck, PieceHashes, PieceIndex,
};

use super::session::SLICE;

/// The maximum length of a path and the target of a link.
const PATH_LEN: usize = 64 << 10;

/// The files, one behind the other; padding is no file.
#[derive(Debug)]
pub struct Storage {
    geometry: Geometry<'static>,
    files: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    file: File,
    offset: u64,
    len: u64,
}

impl Storage {
    /// Opens the files of a torrent, and makes those that are missing if it is to be written. `root`
    /// is the file or the folder of the torrent itself.
    pub fn open(metainfo: &Metainfo<'_>, root: &Path, write: bool) -> io::Result<Self> {
        let mut files = Vec::new();
        let slots = vec![PathSlot::EMPTY; metainfo.path_slots()];
        let mut paths =
            SafePaths::new(metainfo, PathPolicy::RENAME, slots).map_err(io::Error::other)?;
        let mut buf = vec![0; PATH_LEN];
        while let Some(SafeFile { file, path, target, .. }) =
            paths.next(&mut buf).map_err(io::Error::other)?
        {
            let path = below(root, path);
            if file.is_symlink() {
                if let Some(target) = target.filter(|_| write) {
                    link(&path, &below(root, target))?;
                }
                continue;
            }
            if let Some(folder) = path.parent().filter(|_| write) {
                fs::create_dir_all(folder)?;
            }
            let opened = File::options().read(true).write(write).create(write).open(&path);
            let named = |error| io::Error::other(format!("{}: {error}", path.display()));
            files.push(Part {
                file: opened.map_err(named)?,
                offset: file.offset(),
                len: file.len(),
            });
        }
        Ok(Self { geometry: metainfo.geometry(), files })
    }

    /// Reads a run of bytes of the content; what is missing at the end of a file is zeros.
    pub fn read(&self, block: Block, out: &mut [u8]) -> io::Result<()> {
        out.fill(0); // padding
        self.each(block, |part, at, range| {
            let mut room = &mut out[range];
            let mut at = at;
            while !room.is_empty() {
                match part.file.read_at(room, at)? {
                    0 => return Ok(()),
                    len => (at, room) = (at + len as u64, &mut room[len..]),
                }
            }
            Ok(())
        })
    }

    /// Writes a run of bytes to its place.
    pub fn write(&self, block: Block, data: &[u8]) -> io::Result<()> {
        self.each(block, |part, at, range| part.file.write_all_at(&data[range], at))
    }

    /// Hashes what there is of the content; returns the pieces that are right, and of version 2 the hashes of their
    /// blocks.
    pub fn check(
        &self,
        geometry: Geometry<'_>,
        hashes: PieceHashes<'_>,
        mut have: Bitfield<Vec<u8>>,
    ) -> io::Result<(Bitfield<Vec<u8>>, Vec<MerkleHash>)> {
        let blocks = geometry.full_piece_len().div_ceil(BLOCK_LEN) as usize;
        let mut leaves = vec![[0; 32]; hashes.layer().len() * blocks];
        let mut told = Instant::now();
        let mut slice = vec![0; SLICE as usize];
        for piece in (0..geometry.pieces()).map(PieceIndex) {
            let mut check = PieceCheck::new(geometry, hashes, piece);
            let room = leaves.chunks_mut(blocks).nth(piece.0 as usize).unwrap_or_default();
            let mut places = room.iter_mut();
            while let Some(block) = check.next(SLICE) {
                let slice = &mut slice[..block.len as usize];
                self.read(block, slice)?;
                check.hash_leaves(slice, |leaf| {
                    if let Some(place) = places.next() {
                        *place = leaf;
                    }
                });
            }
            if check.passed(hashes) == Some(true) {
                have.set(piece);
            } else {
                room.fill([0; 32]); // not known
            }
            if told.elapsed() > Duration::from_secs(1) {
                told = Instant::now();
                eprintln!("checked {piece} of {} pieces", geometry.pieces());
            }
        }
        Ok((have, leaves))
    }

    /// Gives all files their length, in case they end in zeros that were never written.
    pub fn finish(&self) -> io::Result<()> {
        self.files.iter().try_for_each(|part| part.file.set_len(part.len))
    }

    /// Calls `act` with each file that has bytes of the run: where in the file, and which of the run.
    fn each(
        &self,
        block: Block,
        mut act: impl FnMut(&Part, u64, core::ops::Range<usize>) -> io::Result<()>,
    ) -> io::Result<()> {
        let start = self.geometry.offset(block.piece) + u64::from(block.begin);
        let end = start + u64::from(block.len);
        for part in &self.files {
            let from = start.max(part.offset);
            let to = end.min(part.offset + part.len);
            if from < to {
                let range = (from - start) as usize..(to - start) as usize;
                act(part, from - part.offset, range)?;
            }
        }
        Ok(())
    }
}

/// Returns a path of the torrent below the folder or file that stands for it.
fn below(root: &Path, path: SafePath<'_>) -> PathBuf {
    let inner = path.as_str().split('/').skip(1);
    inner.fold(root.to_path_buf(), |path, element| path.join(element))
}

/// Creates a symbolic link, relative to its folder, if nothing is there.
fn link(path: &Path, target: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)?;
    let common = folder.components().zip(target.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(common).map(|_| Path::new(".."));
    let down: PathBuf = target.components().skip(common).collect();
    let relative: PathBuf = up.chain([down.as_path()]).collect();
    match std::os::unix::fs::symlink(relative, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Returns the bitfield of a torrent without any piece.
pub fn empty_bitfield(geometry: Geometry<'_>) -> io::Result<Bitfield<Vec<u8>>> {
    let pieces = geometry.pieces();
    Bitfield::new(pieces, vec![0; Bitfield::byte_len(pieces)]).map_err(io::Error::other)
}

/// Returns the name under which a torrent is stored, which cannot lead out of a folder.
pub fn safe_name(metainfo: &Metainfo<'_>) -> Result<String, PathError> {
    let slots = vec![PathSlot::EMPTY; metainfo.path_slots()];
    Ok(SafePaths::new(metainfo, PathPolicy::RENAME, slots)?.name().to_string())
}

/// Returns bytes as text. It may be shown only as [`printable`].
pub fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// Returns bytes as text for a terminal: control characters, which could change its state, are escaped.
pub fn printable(name: &[u8]) -> String {
    let escape = |char: char| {
        let escaped = char.is_control().then(|| char.escape_default());
        escaped.map_or_else(|| char.to_string(), |escaped| escaped.to_string())
    };
    String::from_utf8_lossy(name).chars().map(escape).collect()
}
