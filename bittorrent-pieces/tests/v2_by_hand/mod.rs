//! A torrent of version 2 with several files, and the two ends of its only connection.

#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

use core::time::Duration;
use std::sync::LazyLock;

use bittorrent_pieces::bencode::{Mode, WriteError};
use bittorrent_pieces::merkle::{MerkleHash, MerkleHasher, PieceLayer, height, piece_height};
use bittorrent_pieces::metainfo::{
    Content, ContentFile, MetainfoBuilder, MetainfoOptions, Version,
};
use bittorrent_pieces::torrent::HASHES_LEN;
use bittorrent_pieces::wire::Message;
use bittorrent_pieces::{
    Bitfield, Config, ConnId, Event, Geometry, Metainfo, PeerId, PieceHashes, Torrent, TorrentVec,
    V2File, Verdict,
};
use bittorrent_pieces::{Outcome, TorrentContent, TorrentLimits, TorrentSetup};

pub const PIECE: u32 = 32_768;

pub const CONN: ConnId = ConnId(1);

/// An empty file, one shorter than a block, one of more than a block, one of exactly a piece, two of several,
/// and one that has the content of another.
pub const FILES: [(&[&[u8]], u64); 7] = [
    (&[b"a"], 0),
    (&[b"b"], 100),
    (&[b"c", b"d"], 20_000),
    (&[b"c", b"e"], 32_768),
    (&[b"f"], 100_000),
    (&[b"g", b"h", b"i"], 98_304),
    (&[b"j"], 100_000),
];

/// The bytes of a file.
pub fn content(len: u64) -> Vec<u8> {
    (0..len).map(|at| (at * 31 + at / 251 + len) as u8).collect()
}

pub fn tree(bytes: &[u8], height: u8) -> MerkleHash {
    let mut hasher = MerkleHasher::new();
    hasher.update(bytes);
    hasher.finish(height)
}

/// Returns the layer of a file, and its root.
pub fn layer(bytes: &[u8]) -> (Vec<MerkleHash>, Option<MerkleHash>) {
    if bytes.len() <= PIECE as usize {
        let root = tree(bytes, height(bytes.len().div_ceil(16_384) as u64));
        return if bytes.is_empty() { (vec![], None) } else { (vec![root], Some(root)) };
    }
    let pieces = bytes.chunks(PIECE as usize).map(|piece| tree(piece, piece_height(PIECE)));
    let layer: Vec<_> = pieces.collect();
    let root = PieceLayer::new(&layer).root(PIECE);
    (layer, Some(root))
}

/// Writes the torrent of the files, in the given order.
pub fn made(order: impl IntoIterator<Item = usize>) -> Result<Vec<u8>, WriteError> {
    let mut files = Vec::new();
    let mut all = Vec::new();
    for (path, len) in order.into_iter().map(|at| FILES[at]) {
        let (layer, root) = layer(&content(len));
        all.extend(layer);
        files.push(ContentFile { len, path, root });
    }
    let draft = MetainfoBuilder {
        announce: None,
        tiers: &[],
        name: b"n",
        piece_len: PIECE,
        hashes: PieceHashes::v2(PieceLayer::new(&all)),
        private: None,
        content: Content::Multi(&files),
        version: Version::V2,
        options: MetainfoOptions::default(),
    };
    let mut out = vec![0; 4_000];
    let len = draft.encode(&mut out)?;
    out.truncate(len);
    Ok(out)
}

/// One of two, its content in the space of the pieces.
pub struct Node {
    pub torrent: Torrent<TorrentVec>,
    pub content: Vec<u8>,
    pub received: Vec<u8>,
    pub sent: Vec<String>,
    pub failed: usize,
}

impl Node {
    pub fn new(metainfo: &Metainfo<'_>, seeds: bool) -> Self {
        Self::with(metainfo, seeds, |_| ())
    }

    /// Builds a node with more content: leaves, or an info dictionary.
    pub fn with<'c>(
        metainfo: &Metainfo<'_>,
        seeds: bool,
        add: impl Fn(&mut TorrentContent<'c>),
    ) -> Self {
        let files: Vec<V2File> = metainfo.v2_files().map(|(file, _)| file).collect();
        let layers = metainfo.v2_files().flat_map(|(_, layer)| layer.unwrap().hashes());
        let layer: Vec<MerkleHash> = layers.copied().collect();
        let geometry = Geometry::of_files(&files, PIECE).unwrap();
        let pieces = geometry.pieces();
        let mut have = Bitfield::new(pieces, vec![0; Bitfield::byte_len(pieces)]).unwrap();
        let mut bytes = vec![0xEE; (pieces * PIECE) as usize]; // what is between files is never touched
        if seeds {
            have.fill();
            for file in metainfo.files() {
                bytes[file.offset() as usize..][..file.len() as usize]
                    .copy_from_slice(&content(file.len()));
            }
        }
        let config = Config::new(metainfo.info_hash(), PeerId([u8::from(seeds); 20]));
        let mut extra = TorrentContent::new(Geometry::new(0, 1).unwrap(), PieceHashes::new(&[]));
        add(&mut extra);
        let hashes = PieceHashes::v2(PieceLayer::new(&layer));
        let mut content = TorrentContent::new(geometry, hashes);
        content.info = extra.info;
        content.leaves = extra.leaves;
        let limits = TorrentLimits { peers: 2, open_pieces: 4, pipeline: 32 };
        let mut setup = TorrentSetup::new(config);
        setup.have = Some(have.as_view());
        let torrent = Torrent::new(setup, TorrentVec::new(&content, limits)).unwrap();
        Self { torrent, content: bytes, received: vec![], sent: vec![], failed: 0 }
    }

    /// Handles the received bytes, checks full pieces, and returns the bytes to send.
    pub fn turn(&mut self, now: Duration) -> Vec<u8> {
        self.torrent.handle_timeout(now);
        let received = core::mem::take(&mut self.received);
        let mut used = 0;
        while used < received.len() {
            let handled = self.torrent.handle_bytes(now, CONN, &received[used..]).unwrap();
            if let Some(Outcome::Block { block, data }) = handled.outcome {
                let at = (block.piece.0 * PIECE + block.begin) as usize;
                self.content[at..][..data.len()].copy_from_slice(data);
            }
            assert!(handled.consumed > 0, "{handled:?}");
            used += handled.consumed;
        }
        while let Some(event) = self.torrent.poll_event() {
            let Event::Verify { piece } = event else { continue };
            let mut check = self.torrent.check(piece).unwrap();
            while let Some(block) = check.next(10_000) {
                let at = (piece.0 * PIECE + block.begin) as usize;
                check.hash_step(&self.content[at..][..block.len as usize]);
            }
            let verdict = self.torrent.handle_checked(now, check).unwrap();
            self.failed += usize::from(verdict == Verdict::Failed);
        }
        let mut out = Vec::new();
        let mut buf = vec![0; HASHES_LEN];
        while let Some(sent) = self.torrent.poll_transmit(&mut buf).unwrap() {
            out.extend_from_slice(&buf[..sent.len]);
            if let Some(block) = sent.block {
                let at = (block.piece.0 * PIECE + block.begin) as usize;
                out.extend_from_slice(&self.content[at..][..block.len as usize]);
            } else if let Ok((message, _)) = Message::decode(&buf[..sent.len], 1 << 20) {
                self.sent.push(message.to_string());
            }
            out.extend_from_slice(self.torrent.metadata(sent.metadata));
        }
        out
    }
}

pub fn metainfo() -> Metainfo<'static> {
    static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| made(0..FILES.len()).unwrap());
    Metainfo::decode(&BYTES, Mode::Strict).unwrap()
}
