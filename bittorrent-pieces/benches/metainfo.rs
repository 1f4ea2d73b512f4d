//! How long a metainfo file of many files takes to be checked as a whole, and how long the piece layers of version 2
//! take to be found. Bar: 30 ms for 16,000 files of version 2, and time in proportion to the number of files.
//!
//! `cargo bench -p bittorrent-pieces --bench metainfo`

use core::hint::black_box;
use core::time::Duration;
use std::time::Instant;

use bittorrent_pieces::bencode::Mode;
use bittorrent_pieces::merkle::PieceLayer;
use bittorrent_pieces::metainfo::{
    Content, ContentFile, MetainfoBuilder, MetainfoOptions, Version,
};
use bittorrent_pieces::{Metainfo, PieceHashes};

const PIECE: u32 = 16_384;
const RUNS: usize = 5;

fn main() {
    for count in [100, 1_000, 16_000] {
        let file = v2(count);
        let decode = least(|| {
            black_box(Metainfo::decode(black_box(&file), Mode::Strict)).expect("it is well formed");
        });
        let metainfo = Metainfo::decode(&file, Mode::Strict).expect("it is well formed");
        let layers = least(|| {
            let known = metainfo.v2_files().filter(|(_, layer)| layer.is_some()).count();
            assert_eq!(black_box(known), count);
        });
        println!(
            "v2, {count:>6} files, {:>9} bytes: decode {decode:.1?}, layers {layers:.1?}",
            file.len()
        );
    }
    for count in [100, 1_000, 20_000] {
        let file = v1(count);
        let decode = least(|| {
            black_box(Metainfo::decode(black_box(&file), Mode::Strict)).expect("it is well formed");
        });
        let metainfo = Metainfo::decode(&file, Mode::Strict).expect("it is well formed");
        let files = least(|| assert_eq!(black_box(metainfo.files()).count(), count));
        println!(
            "v1, {count:>6} files, {:>9} bytes: decode {decode:.1?}, files {files:.1?}",
            file.len()
        );
    }
}

/// Returns the least time of some runs.
fn least(mut run: impl FnMut()) -> Duration {
    let timed = |_| {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    (0..RUNS).map(timed).min().unwrap_or_default()
}

/// Writes a torrent of version 1 with files of 100 bytes.
fn v1(count: usize) -> Vec<u8> {
    let names: Vec<_> = (0..count).map(|n| format!("file-{n:06}")).collect();
    let paths: Vec<[&[u8]; 1]> = names.iter().map(|name| [name.as_bytes()]).collect();
    let file = |path| ContentFile { len: 100, path, root: None };
    let files: Vec<_> = paths.iter().map(|path| file(&path[..])).collect();
    let hashes = vec![[7; 20]; (100 * count).div_ceil(PIECE as usize)];
    encode(&files, PieceHashes::new(&hashes), Version::V1)
}

/// Writes a torrent of version 2 with files of two pieces each.
fn v2(count: usize) -> Vec<u8> {
    let names: Vec<_> = (0..count).map(|n| format!("file-{n:06}")).collect();
    let paths: Vec<[&[u8]; 1]> = names.iter().map(|name| [name.as_bytes()]).collect();
    let mut files = vec![];
    let mut all = vec![];
    for (number, path) in (0_u64..).zip(&paths) {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&number.to_be_bytes());
        let layer = [hash, [1; 32]];
        all.extend(layer);
        let root = Some(PieceLayer::new(&layer).root(PIECE));
        files.push(ContentFile { len: 2 * u64::from(PIECE), path, root });
    }
    encode(&files, PieceHashes::v2(PieceLayer::new(&all)), Version::V2)
}

fn encode(files: &[ContentFile<'_>], hashes: PieceHashes<'_>, version: Version) -> Vec<u8> {
    let builder = MetainfoBuilder {
        announce: None,
        tiers: &[],
        name: b"n",
        piece_len: PIECE,
        hashes,
        private: None,
        content: Content::Multi(files),
        version,
        options: MetainfoOptions::default(),
    };
    let mut out = vec![0; 400 * files.len() + 1_000];
    let len = builder.encode(&mut out).expect("the buffer fits");
    out.truncate(len);
    out
}
