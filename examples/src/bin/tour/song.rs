//! The shared file: its name, its pieces' hashes, its metainfo; and who plays which part.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use crate::net::NodeId;
use bittorrent_pieces::metainfo::{Content, MetainfoBuilder, MetainfoOptions, Version};
use bittorrent_pieces::{InfoHash, PieceHasher, PieceHashes};

pub const PIECE_LEN: u32 = 256 << 10;
const SEEDS: u16 = 3;
const ULTRAPEERS: u16 = 3;

/// The file that the tour shares.
pub struct Song {
    pub path: PathBuf,
    pub name: String,
    pub size: u64,
    pub sha1: [u8; 20],
    pub metainfo: Vec<u8>,
    pub info_hash: InfoHash,
}

impl Song {
    /// Reads a file once: the SHA-1 of all of it and of each piece.
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        let mut whole = PieceHasher::new();
        let mut hashes = Vec::new();
        let mut piece = vec![0; PIECE_LEN as usize];
        let mut left = size;
        while left > 0 {
            let len = left.min(u64::from(PIECE_LEN)) as usize;
            file.read_exact(&mut piece[..len])?;
            whole.update(&piece[..len]);
            hashes.push(PieceHasher::digest(&piece[..len]));
            left -= len as u64;
        }
        let name = path
            .file_name()
            .map_or_else(|| "song".into(), |name| name.to_string_lossy().into_owned());
        let draft = MetainfoBuilder {
            announce: None,
            tiers: &[],
            name: name.as_bytes(),
            piece_len: PIECE_LEN,
            hashes: PieceHashes::new(&hashes),
            private: None,
            version: Version::V1,
            content: Content::Single(size),
            options: MetainfoOptions::default(),
        };
        let mut metainfo = vec![0; 1024 + name.len() + hashes.len() * 20];
        let len = draft.encode(&mut metainfo).map_err(io::Error::other)?;
        metainfo.truncate(len);
        let mut scratch = vec![0; len];
        let (_, info_hash) = draft.encode_info(&mut scratch).map_err(io::Error::other)?;
        Ok(Self { path: path.into(), name, size, sha1: whole.finish(), metainfo, info_hash })
    }

    /// Returns the name of the metainfo file.
    pub fn torrent_name(&self) -> String {
        format!("{}.torrent", self.name)
    }
}

/// Who plays which part, by number: ultrapeers first, then seeds, leeches, and last the saboteur. Ultrapeers
/// are leeches as well.
#[derive(Debug, Clone, Copy)]
pub struct Cast {
    pub nodes: u16,
}

impl Cast {
    pub fn all(self) -> impl Iterator<Item = NodeId> {
        (0..self.nodes).map(NodeId)
    }

    pub fn is_ultrapeer(self, node: NodeId) -> bool {
        node.0 < ULTRAPEERS
    }

    pub fn ultrapeers(self) -> impl Iterator<Item = NodeId> {
        (0..ULTRAPEERS).map(NodeId)
    }

    pub fn seeds(self) -> impl Iterator<Item = NodeId> {
        (ULTRAPEERS..ULTRAPEERS + SEEDS).map(NodeId)
    }

    pub fn is_seed(self, node: NodeId) -> bool {
        self.seeds().any(|seed| seed == node)
    }

    pub fn saboteur(self) -> NodeId {
        NodeId(self.nodes - 1)
    }

    pub fn leeches(self) -> impl Iterator<Item = NodeId> {
        self.all().filter(move |node| !self.is_seed(*node) && *node != self.saboteur())
    }

    pub fn is_leech(self, node: NodeId) -> bool {
        self.leeches().any(|leech| leech == node)
    }

    /// The one that searches, and that the saboteur tries first.
    pub fn searcher(self) -> NodeId {
        NodeId(ULTRAPEERS + SEEDS)
    }

    /// The seed that is killed half-way.
    pub fn victim(self) -> NodeId {
        NodeId(ULTRAPEERS)
    }
}

/// Reads a range of a file.
pub fn read_at(file: &mut File, offset: u64, out: &mut [u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(out)
}
