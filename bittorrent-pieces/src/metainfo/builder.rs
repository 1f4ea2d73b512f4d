//! Writing a metainfo file.

use core::fmt::Write as _;

use crate::bencode::{DictWriter, WriteError, Writer};
use crate::hash::{PieceHasher, PieceHashes};
use crate::id::InfoHash;
use crate::merkle::MerkleHash;

/// The contents of a metainfo file, to be written in canonical form.
///
/// ```
/// use bittorrent_pieces::metainfo::{Content, MetainfoBuilder, MetainfoOptions, Version};
/// use bittorrent_pieces::{Metainfo, PieceHasher, PieceHashes, bencode::Mode};
///
/// let hashes = [PieceHasher::digest(b"abc")];
/// let builder = MetainfoBuilder {
///     announce: Some(b"http://tracker.example/announce"),
///     tiers: &[],
///     name: b"abc.txt",
///     piece_len: 16_384,
///     hashes: PieceHashes::new(&hashes),
///     private: None,
///     content: Content::Single(3),
///     version: Version::V1,
///     options: MetainfoOptions::default(),
/// };
/// let mut file = [0; 512];
/// let len = builder.encode(&mut file)?;
/// let metainfo = Metainfo::decode(&file[..len], Mode::Strict)?;
/// assert_eq!(metainfo.geometry().total(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "built as a literal")]
pub struct MetainfoBuilder<'a> {
    /// The tracker of BEP 3.
    pub announce: Option<&'a [u8]>,
    /// Tiers of trackers (BEP 12); left out if empty.
    pub tiers: &'a [&'a [&'a [u8]]],
    /// The name of the file or folder.
    pub name: &'a [u8],
    /// Bytes per piece; 256 KiB is typical.
    pub piece_len: u32,
    /// The hashes of the pieces.
    pub hashes: PieceHashes<'a>,
    /// The key of BEP 27. `Some(false)`, which some programs write, gives another torrent than `None`.
    pub private: Option<bool>,
    /// The file or files.
    pub content: Content<'a>,
    /// The versions. [`V2`](Version::V2) needs the concatenated piece layers of the files in `hashes`, and
    /// several files in the order of their paths, element by element. [`Hybrid`](Version::Hybrid) needs both: of several
    /// files each but the last is followed by padding to the next piece, which is written here, and of which the hashes of
    /// version 1 are those of zeros (BEP 47, 52).
    pub version: Version,
    /// The keys that no client needs.
    pub options: MetainfoOptions<'a>,
}

/// The optional keys of a [`MetainfoBuilder`]. Those that are `None` or empty are left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "built as a literal")]
pub struct MetainfoOptions<'a> {
    /// A text for the user, `comment` of BEP 3.
    pub comment: Option<&'a [u8]>,
    /// The program, `created by`.
    pub created_by: Option<&'a [u8]>,
    /// The time in seconds since 1970, `creation date`.
    pub creation_date: Option<u64>,
    /// The `source` in the info dictionary: the same content for another community is another torrent.
    pub source: Option<&'a [u8]>,
    /// URLs from which the content can be fetched over HTTP, `url-list` of BEP 19.
    pub web_seeds: &'a [&'a [u8]],
}

/// The versions of a [`MetainfoBuilder`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the two versions and their combination")]
pub enum Version {
    /// Version 1.
    #[default]
    V1,
    /// Version 2 (BEP 52).
    V2,
    /// Both.
    Hybrid,
}

/// The content of a [`MetainfoBuilder`].
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_enums, reason = "one file or several")]
pub enum Content<'a> {
    /// One file of this length in bytes.
    Single(u64),
    /// Files in a folder.
    Multi(&'a [ContentFile<'a>]),
}

/// A file of a [`MetainfoBuilder`].
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "built as a literal")]
pub struct ContentFile<'a> {
    /// The length in bytes.
    pub len: u64,
    /// The path below the folder.
    pub path: &'a [&'a [u8]],
    /// The `pieces root`, which version 1 and empty files do not have.
    pub root: Option<MerkleHash>,
}

impl MetainfoBuilder<'_> {
    /// Writes the metainfo file and returns its length in bytes.
    ///
    /// # Errors
    ///
    /// [`WriteError::Buffer`] with the length of the whole if `out` is shorter; [`WriteError::Order`] if
    /// the files of version 2 are not in order.
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
            for (key, text) in
                [(&b"comment"[..], self.options.comment), (b"created by", self.options.created_by)]
            {
                text.map_or(Ok(()), |text| top.bytes(key, text))?;
            }
            if let Some(date) = self.options.creation_date {
                top.int(b"creation date", int(date))?;
            }
            top.dict(b"info", |info| self.info(info))?;
            if self.version != Version::V1 {
                self.piece_layers(top)?;
            }
            if self.options.web_seeds.is_empty() {
                return Ok(());
            }
            top.list(b"url-list", strings(self.options.web_seeds))
        })?;
        writer.finish()
    }

    fn piece_layers(&self, top: &mut DictWriter<'_, '_>) -> Result<(), WriteError> {
        let layer = self.hashes.layer();
        top.dict(b"piece layers", |layers| match (self.content, layer.len()) {
            (Content::Multi(files), _) => self.layers(files, layers),
            (_, 0 | 1) => Ok(()), // a file of one piece needs none
            _ => layers.bytes(&self.root(), layer.hashes().as_flattened()),
        })
    }

    /// Writes the info dictionary alone and returns its length in bytes and its hash.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode).
    pub fn encode_info(&self, out: &mut [u8]) -> Result<(usize, InfoHash), WriteError> {
        let mut writer = Writer::new(out);
        writer.dict(|info| self.info(info))?;
        let len = writer.finish()?;
        Ok((len, InfoHash(PieceHasher::digest(out.get(..len).unwrap_or_default()))))
    }

    /// Returns the root of the single file.
    fn root(&self) -> MerkleHash {
        self.hashes.layer().root(self.piece_len)
    }

    /// Writes the layers of all files longer than a piece, in the order of their roots; files of the same
    /// content share one. There is no memory to sort in: for each layer the files are searched for the next.
    fn layers(
        &self,
        files: &[ContentFile<'_>],
        layers: &mut DictWriter<'_, '_>,
    ) -> Result<(), WriteError> {
        let mut last: Option<MerkleHash> = None;
        loop {
            let mut start = 0_usize;
            let mut next: Option<(MerkleHash, &[MerkleHash])> = None;
            for file in files {
                let pieces = file.len.checked_div(self.piece_len.into()).unwrap_or(0);
                let spare = u64::from(file.len > pieces.saturating_mul(self.piece_len.into()));
                let pieces = usize::try_from(pieces.saturating_add(spare)).unwrap_or(usize::MAX);
                let end = start.saturating_add(pieces);
                let layer = self.hashes.layer().hashes().get(start..end).unwrap_or_default();
                start = end;
                if let Some(root) = file.root.filter(|_| pieces > 1)
                    && last.is_none_or(|last| root > last)
                    && next.is_none_or(|(best, _)| root < best)
                {
                    next = Some((root, layer));
                }
            }
            let Some((root, layer)) = next else { return Ok(()) };
            layers.bytes(&root, layer.as_flattened())?;
            last = Some(root);
        }
    }

    fn info(&self, info: &mut DictWriter<'_, '_>) -> Result<(), WriteError> {
        if let (Version::V2 | Version::Hybrid, Content::Single(len)) = (self.version, self.content)
        {
            info.dict(b"file tree", |tree| {
                tree.dict(self.name, |file| {
                    properties(file, len, Some(self.root()).filter(|_| len > 0))
                })
            })?;
        }
        if let (Version::V2 | Version::Hybrid, Content::Multi(files)) = (self.version, self.content)
        {
            info.dict(b"file tree", |tree| folder(tree, files, 0))?;
        }
        match self.content {
            _ if self.version == Version::V2 => {}
            Content::Single(len) => info.int(b"length", int(len))?,
            Content::Multi(files) => info.list(b"files", |list| self.files(files, list))?,
        }
        if self.version != Version::V1 {
            info.int(b"meta version", 2)?;
        }
        info.bytes(b"name", self.name)?;
        info.int(b"piece length", i64::from(self.piece_len))?;
        if self.version != Version::V2 {
            info.bytes(b"pieces", self.hashes.as_bytes())?;
        }
        if let Some(private) = self.private {
            info.int(b"private", i64::from(private))?;
        }
        self.options.source.map_or(Ok(()), |source| info.bytes(b"source", source))
    }
}

impl MetainfoBuilder<'_> {
    /// Writes the files of version 1; of a hybrid torrent with the padding between them.
    fn files(&self, files: &[ContentFile<'_>], list: &mut Writer<'_>) -> Result<(), WriteError> {
        let last = files.len().saturating_sub(1);
        files.iter().enumerate().try_for_each(|(nth, file)| {
            list.dict(|dict| {
                dict.int(b"length", int(file.len))?;
                dict.list(b"path", strings(file.path))
            })?;
            let padded = self.version == Version::Hybrid && nth < last;
            match padding_behind(file.len, self.piece_len) {
                len @ 1.. if padded => list.dict(|dict| padding(dict, len)),
                _ => Ok(()),
            }
        })
    }
}

/// Returns how many bytes are missing to the next piece.
fn padding_behind(len: u64, piece_len: u32) -> u64 {
    let behind = len.checked_rem(piece_len.into()).filter(|behind| *behind > 0);
    behind.map_or(0, |behind| u64::from(piece_len).saturating_sub(behind))
}

/// Writes a padding file, whose name is its length.
fn padding(dict: &mut DictWriter<'_, '_>, len: u64) -> Result<(), WriteError> {
    let mut name = heapless::String::<20>::new();
    let _ = write!(name, "{len}"); // the longest number has 20 digits
    dict.bytes(b"attr", b"p")?;
    dict.int(b"length", int(len))?;
    dict.list(b"path", strings(&[b".pad", name.as_bytes()]))
}

/// Writes the properties of a file.
fn properties(
    file: &mut DictWriter<'_, '_>,
    len: u64,
    root: Option<MerkleHash>,
) -> Result<(), WriteError> {
    file.dict(b"", |properties| {
        properties.int(b"length", int(len))?;
        root.map_or(Ok(()), |root| properties.bytes(b"pieces root", &root))
    })
}

/// Writes the files of a folder, whose paths are the same up to `depth`, and the folders in it.
fn folder(
    tree: &mut DictWriter<'_, '_>,
    files: &[ContentFile<'_>],
    depth: usize,
) -> Result<(), WriteError> {
    let below = depth.saturating_add(1);
    let mut left = files;
    while let Some(next) = left.first() {
        let name = next.path.get(depth);
        let len = left.iter().take_while(|file| file.path.get(depth) == name).count();
        let (group, others) = left.split_at_checked(len).unwrap_or_default();
        left = others;
        let Some((first, rest)) = group.split_first() else { continue };
        let Some(element) = first.path.get(depth) else { return Err(WriteError::Order) };
        tree.dict(element, |inner| match (first.path.len() == below, rest) {
            (true, []) => properties(inner, first.len, first.root),
            _ => folder(inner, group, below), // two files of one path are refused there
        })?;
    }
    Ok(())
}

/// Returns a function that writes the items of a list of strings.
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
