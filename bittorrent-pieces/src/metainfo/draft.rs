//! Writing a metainfo file.

use crate::bencode::{DictWriter, WriteError, Writer};
use crate::merkle::MerkleHash;
use crate::{InfoHash, PieceHasher, PieceHashes};

/// What a metainfo file says, to be written in canonical form.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    /// The tracker of BEP 3.
    pub announce: Option<&'a [u8]>,
    /// Tiers of trackers (BEP 12); left out if empty.
    pub tiers: &'a [&'a [&'a [u8]]],
    /// The name of the file or folder.
    pub name: &'a [u8],
    /// Bytes per piece; 256 KiB is typical.
    pub piece_len: u32,
    /// What the pieces hash to.
    pub hashes: PieceHashes<'a>,
    /// The key of BEP 27; some programs write `Some(false)`, which is another torrent than `None`.
    pub private: Option<bool>,
    /// The file or files.
    pub content: DraftContent<'a>,
    /// Which versions; [`V2`](DraftVersion::V2) and [`Hybrid`](DraftVersion::Hybrid) need the piece layer
    /// of `hashes` and a single file.
    pub version: DraftVersion,
}

/// The versions of a [`Draft`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DraftVersion {
    /// 1 alone.
    #[default]
    V1,
    /// 2 alone (BEP 52).
    V2,
    /// Both.
    Hybrid,
}

/// The content of a [`Draft`].
#[derive(Debug, Clone, Copy)]
pub enum DraftContent<'a> {
    /// One file of so many bytes.
    Single(u64),
    /// Files in a folder.
    Multi(&'a [DraftFile<'a>]),
}

/// A file of a [`Draft`].
#[derive(Debug, Clone, Copy)]
pub struct DraftFile<'a> {
    /// The length in bytes.
    pub len: u64,
    /// The path below the folder.
    pub path: &'a [&'a [u8]],
}

impl Draft<'_> {
    /// Writes the metainfo file and returns its length.
    ///
    /// # Errors
    ///
    /// [`WriteError::Buffer`] with the length of the whole if `out` is shorter.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, WriteError> {
        let mut writer = Writer::new(out);
        writer.dict(|top| {
            if let Some(announce) = self.announce {
                top.bytes(b"announce", announce)?;
            }
            if !self.tiers.is_empty() {
                top.list(b"announce-list", |tiers| {
                    self.tiers.iter().try_for_each(|tier| tiers.list(strings(tier)))
                })?;
            }
            top.dict(b"info", |info| self.info(info))?;
            if self.version == DraftVersion::V1 {
                return Ok(());
            }
            let layer = self.hashes.layer();
            top.dict(b"piece layers", |layers| match layer.len() {
                0 | 1 => Ok(()), // a file of one piece needs none
                _ => layers.bytes(&self.root(), layer.hashes().as_flattened()),
            })
        })?;
        writer.finish()
    }

    /// Writes the info dictionary alone and returns its length and hash.
    ///
    /// # Errors
    ///
    /// [`WriteError::Buffer`] with the length of the whole if `out` is shorter.
    pub fn encode_info(&self, out: &mut [u8]) -> Result<(usize, InfoHash), WriteError> {
        let mut writer = Writer::new(out);
        writer.dict(|info| self.info(info))?;
        let len = writer.finish()?;
        Ok((len, InfoHash(PieceHasher::digest(out.get(..len).unwrap_or_default()))))
    }

    /// Returns the root of the single file.
    fn root(&self) -> MerkleHash {
        match self.hashes.layer().hashes() {
            [root] => *root,
            _ => self.hashes.layer().root(self.piece_len),
        }
    }

    fn info(&self, info: &mut DictWriter<'_, '_>) -> Result<(), WriteError> {
        if let (DraftVersion::V2 | DraftVersion::Hybrid, DraftContent::Single(len)) =
            (self.version, self.content)
        {
            info.dict(b"file tree", |tree| {
                tree.dict(self.name, |file| {
                    file.dict(b"", |properties| {
                        properties.int(b"length", int(len))?;
                        if len > 0 {
                            properties.bytes(b"pieces root", &self.root())
                        } else {
                            Ok(())
                        }
                    })
                })
            })?;
        }
        match self.content {
            DraftContent::Single(_) if self.version == DraftVersion::V2 => {}
            DraftContent::Single(len) => info.int(b"length", int(len))?,
            DraftContent::Multi(files) => info.list(b"files", |list| {
                files.iter().try_for_each(|file| {
                    list.dict(|dict| {
                        dict.int(b"length", int(file.len))?;
                        dict.list(b"path", strings(file.path))
                    })
                })
            })?,
        }
        if self.version != DraftVersion::V1 {
            info.int(b"meta version", 2)?;
        }
        info.bytes(b"name", self.name)?;
        info.int(b"piece length", i64::from(self.piece_len))?;
        if self.version != DraftVersion::V2 {
            info.bytes(b"pieces", self.hashes.as_bytes())?;
        }
        match self.private {
            Some(private) => info.int(b"private", i64::from(private)),
            None => Ok(()),
        }
    }
}

/// Returns what writes the items of a list of strings.
fn strings(strings: &[&[u8]]) -> impl FnOnce(&mut Writer<'_>) -> Result<(), WriteError> {
    move |writer| {
        for string in strings {
            writer.bytes(string);
        }
        Ok(())
    }
}

/// Lengths beyond 63 bits do not exist on any storage.
fn int(len: u64) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}
