//! The check of a piece in slices of any length.

use bittorrent_pieces::merkle::{MerkleHasher, PieceLayer};
use bittorrent_pieces::torrent::NotVerifying;
use bittorrent_pieces::{
    Block, Config, Geometry, InfoHash, PeerId, PieceCheck, PieceHasher, PieceHashes, PieceIndex,
    Torrent, TorrentContent, TorrentLimits, TorrentSetup, TorrentVec, Verdict,
};

const LEN: u32 = 40_000;
const PIECE: PieceIndex = PieceIndex(0);

fn content() -> Vec<u8> {
    (0..LEN).map(|at| (at % 251) as u8).collect()
}

fn geometry() -> Geometry<'static> {
    Geometry::new(LEN.into(), 65_536).unwrap()
}

#[test]
fn a_check_names_what_to_read_next() {
    let digest = [PieceHasher::digest(&content())];
    let hashes = PieceHashes::new(&digest);
    let mut check = PieceCheck::new(geometry(), hashes, PIECE);
    let next = |check: &PieceCheck, most| check.next(most).map(|block| (block.begin, block.len));
    assert_eq!(next(&check, 16_384), Some((0, 16_384)));
    assert_eq!(next(&check, 0), Some((0, 1)), "a byte at least");
    check.hash_step(&content()[..30_000]);
    assert_eq!(next(&check, 16_384), Some((30_000, 10_000)));
    assert_eq!(check.clone().passed(hashes), None, "bytes are missing");
    check.hash_step(&content()[30_000..39_999]);
    assert_eq!(next(&check, u32::MAX), Some((39_999, 1)));
    assert_eq!(check.clone().passed(hashes), None);
    check.hash_step(&[content()[39_999], 1, 2, 3]);
    assert_eq!(next(&check, u32::MAX), None);
    assert_eq!(check.passed(hashes), Some(true), "what is beyond the end does not count");
}

/// BEP 47: the padding at the end need not be read; a later declaration replaces an earlier one.
#[test]
fn padding_is_hashed_as_zeros_and_not_read() {
    let mut bytes = content();
    bytes[30_000..].fill(0);
    let digest = [PieceHasher::digest(&bytes)];
    let hashes = PieceHashes::new(&digest);
    for (first, padding) in [(0, 10_000), (1, 10_000), (40_000, 5_000), (u32::MAX, 0)] {
        let check = PieceCheck::new(geometry(), hashes, PIECE);
        let mut check = check.with_padding(first).with_padding(padding);
        let read = check.next(u32::MAX).unwrap().len;
        assert_eq!(read, LEN - padding);
        check.hash_step(&bytes[..read as usize]);
        assert_eq!(check.passed(hashes), Some(true), "{first} {padding}");
    }
    let check = PieceCheck::new(geometry(), hashes, PIECE).with_padding(u32::MAX);
    assert_eq!(check.next(1), None);
    assert_eq!(check.passed(hashes), Some(false), "all zeros");
}

/// Without a hash nothing passes.
#[test]
fn a_piece_that_does_not_exist_does_not_pass() {
    let digest = [PieceHasher::digest(&content())];
    let hashes = PieceHashes::new(&digest);
    let check = PieceCheck::new(geometry(), hashes, PieceIndex(1));
    assert_eq!((check.next(9), check.piece()), (None, PieceIndex(1)));
    assert_eq!(check.passed(hashes), Some(false));
    let check = PieceCheck::new(Geometry::new(0, 1).unwrap(), PieceHashes::new(&[]), PIECE);
    assert_eq!(check.passed(PieceHashes::new(&[])), Some(false));
}

/// A block that came again lies in storage in place of the first.
#[test]
fn a_repeated_block_begins_the_check_anew() {
    let bytes = content();
    let digest = [PieceHasher::digest(&bytes)];
    let hashes = PieceHashes::new(&digest);
    let mut check = PieceCheck::new(geometry(), hashes, PIECE);
    let block = |number| geometry().block(PIECE, number).unwrap();
    let of = |block: Block| &bytes[block.begin as usize..][..block.len as usize];
    check.hash_block(block(0), &[1; 16_384]);
    check.hash_block(block(1), of(block(1)));
    assert_eq!(check.next(9).unwrap().begin, 32_768);
    check.hash_block(Block { piece: PieceIndex(1), ..block(2) }, of(block(2)));
    assert_eq!(check.next(9).unwrap().begin, 32_768, "of another piece");
    check.hash_block(block(0), of(block(0)));
    assert_eq!(check.next(9).unwrap().begin, 16_384, "anew, with this block");
    check.hash_block(block(2), of(block(2)));
    assert_eq!(check.next(9).unwrap().begin, 16_384, "too soon");
    check.hash_block(block(1), of(block(1)));
    check.hash_block(block(2), of(block(2)));
    assert_eq!(check.passed(hashes), Some(true));
}

/// Only a piece that is to be verified can be checked, and only with all of its bytes.
#[test]
fn a_torrent_accepts_the_check_of_a_piece_that_it_named() {
    let bytes = content();
    let digest = [PieceHasher::digest(&bytes)];
    let hashes = PieceHashes::new(&digest);
    let content = TorrentContent::new(geometry(), hashes);
    let setup = TorrentSetup::new(Config::new(InfoHash([1; 20]), PeerId([1; 20])));
    let storage = TorrentVec::new(&content, TorrentLimits::new());
    let mut torrent = Torrent::new(setup, storage).unwrap();
    let now = core::time::Duration::ZERO;
    let refused = Err(NotVerifying(PIECE));
    assert_eq!(torrent.check(PIECE).map(|_| ()), refused);
    assert_eq!(torrent.handle_hashed(now, PIECE, digest[0]).map(|_| ()), refused);
    let ahead = torrent.check_ahead(PIECE);
    assert_eq!(torrent.handle_checked(now, ahead.clone()).map(|_| ()), refused);
    for number in 0..3 {
        assert!(torrent.restore_block(geometry().block(PIECE, number).unwrap()));
    }
    assert!(torrent.poll_event().is_some());
    assert_eq!(torrent.handle_checked(now, ahead).map(|_| ()), refused, "bytes are missing");
    let other = PieceIndex(1);
    assert_eq!(torrent.check(other).map(|_| ()), Err(NotVerifying(other)));
    assert_eq!(torrent.handle_hashed(now, other, digest[0]), Err(NotVerifying(other)));
    let mut check = torrent.check(PIECE).unwrap();
    check.hash_step(&bytes);
    assert!(torrent.handle_checked(now, check).is_ok());
    assert!(torrent.is_complete());
    assert_eq!((torrent.have_count(), torrent.have().count_ones()), (1, 1));
}

/// The SHA-1 of a piece says nothing about a tree: a torrent of version 2 takes a whole check alone.
#[test]
fn a_piece_of_version_2_is_not_accepted_by_its_sha_1() {
    let bytes = content();
    let mut hasher = MerkleHasher::new();
    hasher.update(&bytes);
    let layer = [hasher.finish(2)];
    let digest = [PieceHasher::digest(&bytes)];
    let layer = PieceLayer::new(&layer);
    let both = PieceHashes::hybrid(PieceHashes::new(&digest), layer).unwrap();
    let now = core::time::Duration::ZERO;
    for hashes in [PieceHashes::v2(layer), both] {
        let content = TorrentContent::new(geometry(), hashes);
        let setup = TorrentSetup::new(Config::new(InfoHash([1; 20]), PeerId([1; 20])));
        let storage = TorrentVec::new(&content, TorrentLimits::new());
        let mut torrent = Torrent::new(setup, storage).unwrap();
        for number in 0..3 {
            assert!(torrent.restore_block(geometry().block(PIECE, number).unwrap()));
        }
        assert!(torrent.poll_event().is_some());
        assert_eq!(torrent.handle_hashed(now, PIECE, digest[0]), Err(NotVerifying(PIECE)));
        let mut check = torrent.check(PIECE).unwrap();
        check.hash_step(&bytes);
        assert_eq!(torrent.handle_checked(now, check), Ok(Verdict::Passed));
    }
}
