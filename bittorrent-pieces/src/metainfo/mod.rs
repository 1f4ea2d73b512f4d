//! The metainfo file of version 1, of version 2 and of both (BEP 3, 52; trackers BEP 12, private BEP 27,
//! attributes and symbolic links BEP 47).

mod builder;
mod check;
mod error;
mod fields;
mod file;
mod iter;
mod layers;
mod paths;
mod tree;

use sha2::{Digest as _, Sha256};

use crate::bencode::{Limits, Mode, Token, Value};
use crate::block::BLOCK_LEN;
use crate::error::ConfigError;
use crate::geometry::Geometry;
use crate::hash::{PieceHasher, PieceHashes};
use crate::id::{InfoHash, InfoHashV2};
use crate::merkle::MerkleHash;
pub use builder::{Content, ContentFile, MetainfoBuilder, MetainfoOptions, Version};
use check::{check_files, check_hybrid, with_layer};
pub use error::MetainfoError;
use fields::InfoFields;
pub use file::{Elements, File, Files, Span};
pub use iter::{Spans, Tier, Tiers, Urls, V2Files};
use layers::LayerIndex;
pub use paths::{PathError, PathPolicy, PathSlot, SafeFile, SafePath, SafePaths};

/// A metainfo file ("torrent file"), borrowed from its bytes and checked as a whole.
///
/// ```
/// use bittorrent_pieces::{Metainfo, PieceIndex, bencode::Mode};
///
/// let file = b"d8:announce10:http://t/a4:infod6:lengthi3e4:name1:x12:piece lengthi16384e\
///     6:pieces20:\xA9\x99\x3E\x36\x47\x06\x81\x6A\xBA\x3E\x25\x71\x78\x50\xC2\x6C\x9C\xD0\xD8\x9Dee";
/// let torrent = Metainfo::decode(file, Mode::Lenient)?;
/// assert_eq!(torrent.name(), b"x");
/// assert_eq!(torrent.announce(), Some(&b"http://t/a"[..]));
/// assert_eq!(torrent.files().map(|file| file.len()).collect::<Vec<_>>(), [3]);
/// assert_eq!(torrent.hashes().of(PieceIndex(0)).unwrap()[..2], [0xA9, 0x99]); // the SHA-1 of "abc"
/// # Ok::<(), bittorrent_pieces::metainfo::MetainfoError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Metainfo<'a> {
    top: Value<'a>,
    info: Value<'a>,
    tree: Option<Value<'a>>,  // the files of v2
    files: Option<Value<'a>>, // the list of files of v1
    has_pieces: bool,         // v1
    info_hash: InfoHash,
    v2: Option<InfoHashV2>,
    geometry: Geometry<'static>,
    hashes: PieceHashes<'a>,
    name: &'a [u8],
}

/// The largest piece length that is accepted unless another limit is given: 2^29 - 1 bytes, as in libtorrent. A
/// client keeps state for each block of an open piece.
pub const MAX_PIECE_LEN: u32 = (1 << 29) - 1;

impl<'a> Metainfo<'a> {
    /// Parses a metainfo file. [`Mode::Lenient`] accepts files of other programs: keys out of order, bytes after
    /// the end, missing piece layers. The info-hash is that of the bytes as found in either mode. Piece lengths
    /// above [`MAX_PIECE_LEN`] are refused.
    ///
    /// # Errors
    ///
    /// [`MetainfoError`]
    pub fn decode(bytes: &'a [u8], mode: Mode) -> Result<Self, MetainfoError> {
        Self::decode_with(bytes, mode, MAX_PIECE_LEN)
    }

    /// Parses a metainfo file with another limit of the piece length in bytes.
    ///
    /// # Errors
    ///
    /// [`MetainfoError`]
    pub fn decode_with(
        bytes: &'a [u8],
        mode: Mode,
        max_piece_len: u32,
    ) -> Result<Self, MetainfoError> {
        let top = match mode {
            Mode::Strict => Value::from_bytes(bytes, mode, Limits::DEFAULT)?,
            Mode::Lenient => Value::decode(bytes, mode, Limits::DEFAULT)?.0,
        };
        let mut info = None;
        let mut fields = InfoFields::default();
        let mut layers = None;
        let mut entries = top.entries();
        while let Some(key) = entries.pull_key() {
            match key {
                b"info" => info = Some(entries.pull_with(|bytes| fields.read(bytes))),
                b"piece layers" => layers = Some(entries.pull_value()),
                _ => _ = entries.pull_value(),
            }
        }
        let info = info.ok_or(MetainfoError::Key("info"))?;
        let layers = layers.filter(Value::is_dict);
        let total = Self::check(info, &fields, layers, mode == Mode::Lenient, max_piece_len)?;
        Self::of(top, info, &fields, layers, total)
    }

    /// Parses an info dictionary alone, as peers send it for a magnet link (BEP 9). It names no tracker.
    ///
    /// # Errors
    ///
    /// [`MetainfoError`]
    pub fn from_info(bytes: &'a [u8], mode: Mode) -> Result<Self, MetainfoError> {
        let info = Value::from_bytes(bytes, mode, Limits::DEFAULT)?;
        let mut fields = InfoFields::default();
        fields.read(info.as_raw());
        let total = Self::check(info, &fields, None, true, MAX_PIECE_LEN)?;
        Self::of(Value::EMPTY_DICT, info, &fields, None, total)
    }

    /// Checks the files; `layerless` permits missing piece layers. Returns the length of the content.
    fn check(
        info: Value<'a>,
        fields: &InfoFields<'a>,
        layers: Option<Value<'a>>,
        layerless: bool,
        max_piece_len: u32,
    ) -> Result<u64, MetainfoError> {
        if !info.is_dict() {
            return Err(MetainfoError::Key("info"));
        }
        let name = fields.name()?;
        let (v1, v2) = fields.versions()?;
        let piece_len = fields.piece_len()?;
        if piece_len > max_piece_len {
            return Err(MetainfoError::PieceLen { len: piece_len, max: max_piece_len });
        }
        if v2 && (!piece_len.is_power_of_two() || piece_len < BLOCK_LEN) {
            return Err(MetainfoError::Length(piece_len.into()));
        }
        let mut total = 0;
        if v2 {
            let layers = layers.unwrap_or(Value::EMPTY_DICT);
            total = check_files(layers, fields.required_tree()?, piece_len, layerless)?;
            layers::check_roots(layers, piece_len)?;
        }
        if v1 {
            total = file::check_content(fields)?;
        }
        if v1 && v2 {
            check_hybrid(name, info, fields, piece_len)?;
        }
        Ok(total)
    }

    /// Computes the hashes, and compares their number with the length of the content.
    #[inline(never)] // its locals are not in use while the files are checked
    fn of(
        top: Value<'a>,
        info: Value<'a>,
        fields: &InfoFields<'a>,
        layers: Option<Value<'a>>,
        total: u64,
    ) -> Result<Self, MetainfoError> {
        let name = fields.name()?;
        let (v1, v2) = fields.versions()?;
        let piece_len = fields.piece_len()?;
        let geometry = Geometry::new(total, piece_len).map_err(|error| match error {
            ConfigError::PieceLen => MetainfoError::Length(piece_len.into()),
            _ => MetainfoError::TooLong,
        })?;
        let mut hashes = PieceHashes::new(&[]);
        if v1 {
            let pieces = fields.pieces.and_then(|pieces| pieces.as_bytes());
            let pieces = pieces.ok_or(MetainfoError::Key("pieces"))?;
            hashes = PieceHashes::from_bytes(pieces).ok_or(MetainfoError::Hashes(pieces.len()))?;
            if hashes.len() != crate::index::slot(geometry.pieces()) {
                let pieces = geometry.pieces();
                return Err(MetainfoError::Pieces { hashes: hashes.len(), pieces });
            }
        }
        if v2 {
            hashes = with_layer(hashes, v1, layers, fields.required_tree()?, name, piece_len);
        }
        let v2 = v2.then(|| InfoHashV2(Sha256::digest(info.as_raw()).into()));
        let info_hash = match v2.filter(|_| !v1) {
            Some(v2) => v2.truncated(),
            None => InfoHash(PieceHasher::digest(info.as_raw())),
        };
        Ok(Self {
            top,
            info,
            tree: fields.tree,
            files: fields.files.map(|files| files.value),
            has_pieces: fields.pieces.is_some(),
            info_hash,
            v2,
            geometry,
            hashes,
            name,
        })
    }

    /// Returns the name of the torrent in handshakes, at trackers and in the DHT: the SHA-1 of the info
    /// dictionary as it was found, or of a torrent that is v2 alone its truncated SHA-256.
    #[must_use]
    pub const fn info_hash(&self) -> InfoHash {
        self.info_hash
    }

    /// Returns the SHA-256 of the info dictionary of a v2 or hybrid torrent (BEP 52).
    #[must_use]
    pub const fn info_hash_v2(&self) -> Option<InfoHashV2> {
        self.v2
    }

    /// Returns how the content is cut. A torrent that is of version 2 alone and has several files is cut by
    /// [`Geometry::of_files`] from [`v2_files`](Self::v2_files): here, the gaps between them count.
    #[must_use]
    pub const fn geometry(&self) -> Geometry<'static> {
        self.geometry
    }

    /// Returns what the pieces should hash to. Of v2 that is known only of torrents of a single file with
    /// its layer: a v2 torrent of several has none here, as their layers do not lie one behind the other (see
    /// [`v2_files`](Self::v2_files)), and a hybrid one those of v1.
    #[must_use]
    pub const fn hashes(&self) -> PieceHashes<'a> {
        self.hashes
    }

    /// Returns the suggested name of the file or folder as the file has it. It is not a safe path; see
    /// [`SafePaths`].
    #[must_use]
    pub const fn name(&self) -> &'a [u8] {
        self.name
    }

    /// Returns whether peers may come from the trackers alone (BEP 27). Programs write 1. Any other number than 0 counts
    /// too, as in libtorrent, and so does a text that is not empty or `0`: the content may be meant for few.
    #[must_use]
    pub fn is_private(&self) -> bool {
        match self.info.find(b"private").map(|value| value.token()) {
            Some(Token::Int(number)) => number != 0,
            Some(Token::Bytes(text)) => !matches!(text, b"" | b"0"),
            _ => false,
        }
    }

    /// Returns whether there is one file, and no folder around it.
    #[must_use]
    pub fn is_single(&self) -> bool {
        let listed = self.files.is_some();
        self.v2_tree().map_or(!listed, |tree| tree::single(tree, self.name).is_some())
    }

    /// Returns the `pieces root` of a v2 or hybrid torrent of a single file; `None` if it is empty.
    #[must_use]
    pub fn root(&self) -> Option<MerkleHash> {
        tree::single(self.tree?, self.name)?.root()
    }

    /// Returns the files of a v2 or hybrid torrent that are not empty, each with its piece layer if it is
    /// known: from peers alone ([`from_info`](Self::from_info)), only files of one piece have theirs, which is
    /// the root.
    ///
    /// A [`Torrent`](crate::Torrent) of v2 alone takes the files by [`Geometry::of_files`], and the
    /// layers one behind the other by [`PieceHashes::v2`].
    #[must_use]
    pub fn v2_files(&self) -> V2Files<'a> {
        let tree = self.tree.filter(|_| self.v2.is_some());
        let layers = self.top.find(b"piece layers").unwrap_or(Value::EMPTY_DICT);
        let mut files = V2Files {
            walk: tree.map(tree::Walk::new),
            layers: LayerIndex::new(layers),
            piece_len: self.geometry.full_piece_len(),
            next: 0,
        };
        files.layers.fill();
        files
    }

    /// Returns the files, in the order of the content.
    #[must_use]
    pub fn files(&self) -> Files<'a> {
        match self.v2_tree() {
            Some(tree) => Files::of_tree(self.name, tree, self.geometry.full_piece_len()),
            None => Files::new(self.name, self.info, self.files),
        }
    }

    /// Returns the tree of a torrent that has no pieces of v1.
    fn v2_tree(&self) -> Option<Value<'a>> {
        self.tree.filter(|_| !self.has_pieces)
    }

    /// Returns the parts of the files in which `len` bytes at `offset` of the content lie.
    #[must_use]
    pub fn spans(&self, offset: u64, len: u64) -> Spans<'a> {
        Spans { files: self.files(), offset, len }
    }

    /// Returns the tracker of BEP 3.
    #[must_use]
    pub fn announce(&self) -> Option<&'a [u8]> {
        self.top.find(b"announce")?.as_bytes()
    }

    /// Returns the tiers of trackers (BEP 12). Without a list of tiers, or if it has no URL, the tracker of BEP 3
    /// is the only one of the only tier; with one, it is ignored.
    #[must_use]
    pub fn tiers(&self) -> Tiers<'a> {
        let list = self.top.find(b"announce-list").filter(Value::is_list);
        let usable = |list: &Value<'a>| {
            let mut urls = list.items().flat_map(|tier| tier.items());
            urls.any(|value| iter::url(value).is_some())
        };
        match list.filter(usable) {
            Some(list) => Tiers { list: list.items(), single: None },
            None => Tiers {
                list: Value::items(&self.top), // a dictionary has no items
                single: self.top.find(b"announce"),
            },
        }
    }

    /// Returns the URLs of web servers that have the content, `url-list` (BEP 19): see
    /// [`web_seed`](crate::web_seed). They may repeat, and are not checked.
    #[must_use]
    pub fn web_seeds(&self) -> Urls<'a> {
        Urls::of(self.top, b"url-list")
    }

    /// Returns the URLs of scripts that return pieces, `httpseeds` (BEP 17). They may repeat, and are not checked.
    #[must_use]
    pub fn http_seeds(&self) -> Urls<'a> {
        Urls::of(self.top, b"httpseeds")
    }

    /// Returns the info dictionary, for keys that this crate does not know.
    #[must_use]
    pub const fn info(&self) -> Value<'a> {
        self.info
    }

    /// Returns the whole file, for keys that this crate does not know.
    #[must_use]
    pub const fn top(&self) -> Value<'a> {
        self.top
    }
}
