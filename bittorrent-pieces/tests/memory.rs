//! The memory of a torrent is what `torrent_memory` announces before it is built.

use bittorrent_pieces::bencode::Mode;
use bittorrent_pieces::metainfo::{
    Content, ContentFile, File, MetainfoBuilder, MetainfoOptions, Version,
};
use bittorrent_pieces::picker::{BlockSlot, PartialSlot, PieceSlot, RarestSlot};
use bittorrent_pieces::torrent::{PeerSlot, RequestSlot, torrent_memory};
use bittorrent_pieces::{
    Geometry, Metainfo, Padding, PieceHashes, TorrentContent, TorrentLimits, TorrentStorage,
    TorrentVec, V2File, merkle,
};

const PIECE: u32 = 32_768;

fn encoded(builder: &MetainfoBuilder<'_>) -> Vec<u8> {
    let mut out = vec![0; 4 << 20];
    let len = builder.encode(&mut out).expect("it fits");
    out.truncate(len);
    out
}

fn builder<'a>(hashes: PieceHashes<'a>, content: Content<'a>) -> MetainfoBuilder<'a> {
    MetainfoBuilder {
        announce: None,
        tiers: &[],
        name: b"n",
        piece_len: PIECE,
        hashes,
        private: None,
        content,
        version: Version::V1,
        options: MetainfoOptions::default(),
    }
}

/// Sums up the regions of a torrent's memory.
fn taken(storage: &TorrentVec) -> u64 {
    let parts = storage.parts_ref();
    let content = parts.content;
    let layer = content.hashes.layer().len() + content.runs.len() + content.leaves.len();
    let bytes = size_of_val::<[PieceSlot]>(parts.pieces)
        + size_of_val::<[RarestSlot]>(parts.rarest)
        + size_of_val::<[PartialSlot]>(parts.partials)
        + size_of_val::<[BlockSlot]>(parts.blocks)
        + size_of_val::<[PeerSlot]>(parts.peers)
        + size_of_val::<[u8]>(parts.bits)
        + size_of_val::<[RequestSlot]>(parts.requests)
        + size_of_val::<[V2File]>(content.geometry.files())
        + size_of_val::<[Padding]>(content.padding)
        + content.hashes.as_bytes().len()
        + 32 * layer
        + content.info.len();
    bytes as u64
}

#[test]
fn a_v1_torrent_allocates_the_announced_memory() {
    for pieces in [1_u32, 300, 5_000] {
        let hashes = vec![[7; 20]; pieces as usize];
        let len = u64::from(pieces - 1) * u64::from(PIECE) + 5;
        let file = encoded(&builder(PieceHashes::new(&hashes), Content::Single(len)));
        let metainfo = Metainfo::decode(&file, Mode::Strict).unwrap();
        for peers in [0, 3, 50] {
            let limits = TorrentLimits { peers, open_pieces: 2 * peers, pipeline: 9 };
            let mut content = TorrentContent::new(metainfo.geometry(), metainfo.hashes());
            content.info = metainfo.info().as_raw();
            let storage = TorrentVec::new(&content, limits);
            assert_eq!(torrent_memory(&metainfo, limits), taken(&storage), "{pieces} {peers}");
        }
    }
}

/// Several files, one of them longer than 512 pieces; and empty ones.
#[test]
fn a_v2_torrent_allocates_the_announced_memory() {
    let lens = [0, 5, u64::from(PIECE), 700 * u64::from(PIECE) - 3, 3 * u64::from(PIECE)];
    let mut files = vec![];
    let mut all = vec![];
    let names: Vec<_> = (0..lens.len()).map(|n| format!("f{n}")).collect();
    let paths: Vec<[&[u8]; 1]> = names.iter().map(|name| [name.as_bytes()]).collect();
    for (len, path) in lens.into_iter().zip(&paths) {
        let pieces = len.div_ceil(u64::from(PIECE)) as usize;
        let layer = vec![[9; 32]; pieces];
        let root = match pieces {
            0 => None,
            1 => Some([9; 32]),
            _ => Some(merkle::PieceLayer::new(&layer).root(PIECE)),
        };
        all.extend(layer);
        files.push(ContentFile { len, path, root });
    }
    let mut builder =
        builder(PieceHashes::v2(merkle::PieceLayer::new(&all)), Content::Multi(&files));
    builder.version = Version::V2;
    let file = encoded(&builder);
    let metainfo = Metainfo::decode(&file, Mode::Strict).unwrap();
    let v2: Vec<V2File> = metainfo.v2_files().map(|(file, _)| file).collect();
    let geometry = Geometry::of_files(&v2, PIECE).unwrap();
    let hashes = PieceHashes::v2(merkle::PieceLayer::new(&all));
    let mut content = TorrentContent::new(geometry, hashes);
    content.info = metainfo.info().as_raw();
    let limits = TorrentLimits { peers: 8, open_pieces: 16, pipeline: 32 };
    let storage = TorrentVec::new(&content, limits);
    assert_eq!(torrent_memory(&metainfo, limits), taken(&storage));
}

#[test]
fn memory_of_a_torrent_counts_its_padding() {
    let file =
        b"d4:infod5:filesld6:lengthi40000e4:pathl1:aeed4:attr1:p6:lengthi25536e4:pathl4:.padee\
        d6:lengthi5e4:pathl1:beee4:name1:n12:piece lengthi32768e6:pieces60:\
        012345678901234567890123456789012345678901234567890123456789ee";
    let metainfo = Metainfo::decode(file, Mode::Strict).unwrap();
    let padding: Vec<_> = metainfo
        .files()
        .filter(File::is_padding)
        .flat_map(|file| Padding::of(metainfo.geometry(), file.offset(), file.len()))
        .collect();
    assert_eq!(padding.len(), 1);
    let mut content = TorrentContent::new(metainfo.geometry(), metainfo.hashes());
    content.info = metainfo.info().as_raw();
    content.padding = &padding;
    let limits = TorrentLimits::new();
    assert_eq!(torrent_memory(&metainfo, limits), taken(&TorrentVec::new(&content, limits)));
}

/// A hybrid torrent has the hashes of both versions and its files once; its layer has 600 pieces, so two runs.
#[test]
fn memory_of_a_hybrid_torrent_counts_both_versions() {
    let hashes = vec![[7; 20]; 600];
    let layer = vec![[9; 32]; 600];
    let both = PieceHashes::hybrid(PieceHashes::new(&hashes), merkle::PieceLayer::new(&layer));
    let mut builder = builder(both.unwrap(), Content::Single(600 * u64::from(PIECE)));
    builder.version = Version::Hybrid;
    let file = encoded(&builder);
    let metainfo = Metainfo::decode(&file, Mode::Strict).unwrap();
    let mut content = TorrentContent::new(metainfo.geometry(), metainfo.hashes());
    content.info = metainfo.info().as_raw();
    let limits = TorrentLimits { peers: 3, open_pieces: 6, pipeline: 9 };
    let storage = TorrentVec::new(&content, limits);
    assert_eq!(storage.parts_ref().content.runs.len(), 2);
    assert_eq!(torrent_memory(&metainfo, limits), taken(&storage));
}
