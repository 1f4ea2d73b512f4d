//! The content of a torrent in its files.

use core::ops::Range;
use std::fs;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use bittorrent_pieces::merkle::MerkleHash;
use bittorrent_pieces::metainfo::{PathError, PathPolicy, PathSlot, SafeFile, SafePath, SafePaths};
use bittorrent_pieces::{
    BLOCK_LEN, Bitfield, Block, Geometry, Metainfo, PieceCheck, PieceHashes, PieceIndex,
};
use examples::{interrupt, progress};

use super::open_files::TorrentFiles;
use super::parts::Stamp;

/// The maximum length of a path and the target of a link.
const PATH_LEN: usize = 64 << 10;
/// How many bytes are read and hashed at a time.
pub const SLICE: u32 = 256 << 10;

/// What is done to files before their content comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Allocate {
    /// They grow as the content comes.
    None,
    /// They have their length at once, and take up space as the content comes.
    Sparse,
    /// They are filled with zeros, so that the disk is not full later.
    Full,
}

/// The files, one behind the other; padding is no file. They are opened when they are needed.
#[derive(Debug)]
pub struct Storage {
    geometry: Geometry<'static>,
    files: Vec<Part>,
    open: TorrentFiles,
}

#[derive(Debug)]
struct Part {
    path: PathBuf,
    offset: u64,
    len: u64,
    selected: bool,
    executable: bool,
    /// Its length on the disk; `None` if it does not exist.
    found: Option<u64>,
}

impl Storage {
    /// Finds the files of a torrent. `root` is the file or the folder of the torrent itself, `selected` has an entry
    /// for each file of the torrent. Nothing is created yet, but for links if it is to be written.
    pub fn open(
        metainfo: &Metainfo<'_>,
        root: &Path,
        selected: &[bool],
        write: bool,
        open: TorrentFiles,
    ) -> io::Result<Self> {
        let mut files = Vec::new();
        let slots = vec![PathSlot::EMPTY; metainfo.path_slots()];
        let mut paths =
            SafePaths::new(metainfo, PathPolicy::RENAME, slots).map_err(io::Error::other)?;
        let mut buf = vec![0; PATH_LEN];
        while let Some(SafeFile { number, file, path, target, .. }) =
            paths.next(&mut buf).map_err(io::Error::other)?
        {
            let path = below(root, path);
            let selected = selected.get(number).copied().unwrap_or(true);
            if file.is_symlink() {
                if let Some(target) = target.filter(|_| write && selected) {
                    link(&path, &below(root, target))?;
                }
                continue;
            }
            let found = match fs::metadata(&path) {
                Ok(metadata) => Some(metadata.len()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(named(&path, &error)),
            };
            let offset = file.offset();
            let len = file.len();
            let executable = file.is_executable();
            files.push(Part { path, offset, len, selected, executable, found });
        }
        Ok(Self { geometry: metainfo.geometry(), files, open })
    }

    /// Returns the first selected file that does not exist.
    pub fn missing(&self) -> Option<&Path> {
        let missing = self.files.iter().find(|part| part.selected && part.found.is_none());
        missing.map(|part| &*part.path)
    }

    /// Returns a selected file that has bytes.
    pub fn occupied(&self) -> Option<&Path> {
        let has_bytes = |part: &&Part| part.selected && part.found.is_some_and(|len| len > 0);
        self.files.iter().find(has_bytes).map(|part| &*part.path)
    }

    /// Returns the selected files that are longer than in the torrent, and by how many bytes.
    pub fn too_long(&self) -> impl Iterator<Item = (&Path, u64)> {
        self.files.iter().filter(|part| part.selected).filter_map(|part| {
            let more = part.found?.checked_sub(part.len).filter(|more| *more > 0)?;
            Some((&*part.path, more))
        })
    }

    /// Cuts the selected files that are longer than in the torrent.
    pub fn truncate(&mut self) -> io::Result<()> {
        for (nth, part) in self.files.iter_mut().enumerate() {
            if part.selected && part.found.is_some_and(|len| len > part.len) {
                self.open.write(nth, &part.path)?.set_len(part.len)?;
                part.found = Some(part.len);
            }
        }
        Ok(())
    }

    /// Gives the selected files their whole length before the content comes. A signal ends it early.
    pub fn allocate(&mut self, how: Allocate) -> io::Result<()> {
        let zeros = vec![0; SLICE as usize];
        for (nth, part) in self.files.iter_mut().enumerate() {
            let mut at = part.found.unwrap_or_default();
            if how == Allocate::None || !part.selected || at >= part.len {
                continue;
            }
            let file = self.open.write(nth, &part.path)?;
            while how == Allocate::Full && at < part.len {
                if interrupt::interrupted() {
                    return Err(io::Error::new(io::ErrorKind::Interrupted, "stopped"));
                }
                progress::show(|| format!("allocating {}", part.path.display()));
                let len = usize::try_from(part.len - at).unwrap_or(usize::MAX).min(zeros.len());
                let written = file.write_all_at(&zeros[..len], at);
                written.map_err(|error| named(&part.path, &error))?;
                at += len as u64;
                part.found = Some(at);
            }
            file.set_len(part.len).map_err(|error| named(&part.path, &error))?;
            part.found = Some(part.len);
        }
        progress::clear();
        Ok(())
    }

    /// Returns the length of each file and when it was changed.
    pub fn stamps(&self) -> Vec<Stamp> {
        let stamp = |part: &Part| {
            let metadata = fs::metadata(&part.path).ok()?;
            let changed = metadata.mtime().checked_mul(1_000_000_000)?;
            Some((i64::try_from(metadata.len()).ok()?, changed.checked_add(metadata.mtime_nsec())?))
        };
        self.files.iter().map(|part| stamp(part).unwrap_or((-1, -1))).collect()
    }

    /// Reads a run of bytes of the content; what is missing at the end of a file is zeros, and so is padding.
    pub fn read(&mut self, block: Block, out: &mut [u8]) -> io::Result<()> {
        let mut done = 0; // read or zeros
        for (nth, mut at, range) in self.spans(block) {
            let part = &self.files[nth];
            if part.found.is_none() {
                continue;
            }
            let file = self.open.read(nth, &part.path)?;
            out[done..range.start].fill(0);
            done = range.start;
            while done < range.end {
                match file.read_at(&mut out[done..range.end], at) {
                    Ok(0) => break,
                    Ok(len) => {
                        at += len as u64;
                        done += len;
                    }
                    Err(error) => return Err(named(&part.path, &error)),
                }
            }
        }
        out[done..].fill(0);
        Ok(())
    }

    /// Writes a run of bytes to its place.
    pub fn write(&mut self, block: Block, data: &[u8]) -> io::Result<()> {
        for (nth, at, range) in self.spans(block) {
            let part = &mut self.files[nth];
            let end = at + (range.end - range.start) as u64;
            let file = self.open.write(nth, &part.path)?;
            let written = file.write_all_at(&data[range], at);
            written.map_err(|error| named(&part.path, &error))?;
            part.found = Some(part.found.unwrap_or_default().max(end));
        }
        Ok(())
    }

    /// Hashes what there is of the content; returns the pieces that are right, and of version 2 the hashes of their
    /// blocks. A signal ends it early.
    pub fn check(
        &mut self,
        geometry: Geometry<'_>,
        hashes: PieceHashes<'_>,
        mut have: Bitfield<Vec<u8>>,
    ) -> io::Result<(Bitfield<Vec<u8>>, Vec<MerkleHash>)> {
        let blocks = geometry.full_piece_len().div_ceil(BLOCK_LEN) as usize;
        let mut leaves = vec![[0; 32]; hashes.layer().len() * blocks];
        let meter = progress::Meter::new(0, geometry.total());
        let mut slice = vec![0; SLICE as usize];
        for piece in (0..geometry.pieces()).map(PieceIndex) {
            if interrupt::interrupted() {
                return Err(io::Error::new(io::ErrorKind::Interrupted, "stopped while checking"));
            }
            progress::show(|| format!("checking: {}", meter.describe(geometry.offset(piece))));
            if !self.exists(geometry, piece) {
                continue;
            }
            let padding = self.padding(geometry, piece);
            let mut check = PieceCheck::new(geometry, hashes, piece).with_padding(padding);
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
        }
        progress::clear();
        Ok((have, leaves))
    }

    /// Returns how many bytes at the end of a piece are of no file: padding, which version 2 does not hash.
    fn padding(&self, geometry: Geometry<'_>, piece: PieceIndex) -> u32 {
        let len = geometry.piece_len(piece);
        let spans = self.spans(Block { piece, begin: 0, len });
        let end = spans.map(|(.., range)| range.end).last().unwrap_or_default();
        len - end as u32
    }

    /// Returns whether a file of a piece exists, or the piece is padding alone.
    fn exists(&self, geometry: Geometry<'_>, piece: PieceIndex) -> bool {
        let len = geometry.piece_len(piece);
        let mut spans = self.spans(Block { piece, begin: 0, len }).peekable();
        spans.peek().is_none() || spans.any(|(nth, ..)| self.files[nth].found.is_some())
    }

    /// Creates the selected files that are empty, gives all their length in case they end in zeros that were never
    /// written, and makes those executable that are meant to be.
    pub fn finish(&mut self) -> io::Result<()> {
        for (nth, part) in self.files.iter_mut().enumerate().filter(|(_, part)| part.selected) {
            let file = self.open.write(nth, &part.path)?;
            if part.found.is_none_or(|len| len < part.len) {
                file.set_len(part.len)?;
                part.found = Some(part.len);
            }
            if part.executable {
                let mut permissions = file.metadata()?.permissions();
                permissions.set_mode(permissions.mode() | 0o111);
                file.set_permissions(permissions)?;
            }
        }
        Ok(())
    }

    /// Returns the files that have bytes of a run: their number, where in the file, and which bytes of the run.
    fn spans(&self, block: Block) -> impl Iterator<Item = (usize, u64, Range<usize>)> + use<> {
        let start = self.geometry.offset(block.piece) + u64::from(block.begin);
        let end = start + u64::from(block.len);
        let first = self.files.partition_point(|part| part.offset + part.len <= start);
        let touched = self.files[first..].iter().take_while(|part| part.offset < end);
        let spans = touched.zip(first..).filter_map(|(part, nth)| {
            let from = start.max(part.offset);
            let to = end.min(part.offset + part.len);
            let range = (from - start) as usize..to.saturating_sub(start) as usize;
            (from < to).then(|| (nth, from - part.offset, range))
        });
        spans.collect::<Vec<_>>().into_iter()
    }
}

/// Returns an error that names the file.
fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
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
