//! Pieces that are hashed block by block as they arrive.

use bittorrent_pieces::merkle::{MerkleHasher, PieceLayer, height};
use bittorrent_pieces::{
    BLOCK_LEN, Config, ConfigError, Geometry, InfoHash, Padding, PeerId, PieceCheck, PieceHasher,
    PieceHashes, PieceIndex, Torrent, TorrentContent, TorrentLimits, TorrentSetup, TorrentVec,
};
use proptest::prelude::*;

const PIECE: PieceIndex = PieceIndex(0);
const PIECE_LEN: u32 = 8 * BLOCK_LEN;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever the order in which blocks come, and however often: with the rest read from storage, the check is of what
    /// lies in storage.
    #[test]
    fn a_check_that_was_fed_blocks_is_of_what_lies_in_storage(
        len in 1..=PIECE_LEN,
        early in prop::collection::vec((0..8_u32, any::<u8>()), 0..12),
        late in prop::collection::vec((0..8_u32, any::<u8>()), 0..4),
        in_order in any::<bool>(),
        slice in 1..100_000_u32,
    ) {
        let geometry = Geometry::new(u64::from(len), PIECE_LEN)?;
        let mut stored = vec![0; len as usize];
        let unknown = ([[0; 20]], [[0; 32]]);
        let hashes = PieceHashes::hybrid(PieceHashes::new(&unknown.0), PieceLayer::new(&unknown.1));
        let mut check = PieceCheck::new(geometry, hashes.expect("one each"), PIECE);
        let all = (0..geometry.blocks(PIECE)).map(|number| (number, 7));
        let all = all.filter(|_| in_order || early.is_empty());
        for (number, byte) in early.iter().copied().chain(all).chain(late) {
            let Some(block) = geometry.block(PIECE, number) else { continue };
            let place = &mut stored[block.begin as usize..][..block.len as usize];
            place.fill(byte);
            check.hash_block(block, place);
        }
        while let Some(block) = check.next(slice) {
            check.hash_step(&stored[block.begin as usize..][..block.len as usize]);
        }
        let v1 = [PieceHasher::digest(&stored)];
        let mut hasher = MerkleHasher::new();
        hasher.update(&stored);
        let v2 = [hasher.finish(height(u64::from(geometry.blocks(PIECE))))];
        let hashes = PieceHashes::hybrid(PieceHashes::new(&v1), PieceLayer::new(&v2));
        prop_assert_eq!(check.passed(hashes.expect("one each")), Some(true));
    }
}

#[test]
fn blocks_of_other_pieces_and_from_behind_change_nothing() {
    let geometry = Geometry::new(3 * u64::from(BLOCK_LEN), 2 * BLOCK_LEN).unwrap();
    let hashes = [[0; 20]; 2];
    let mut check = PieceCheck::new(geometry, PieceHashes::new(&hashes), PIECE);
    let data = [1; BLOCK_LEN as usize];
    check.hash_block(geometry.block(PIECE, 1).unwrap(), &data);
    assert_eq!(check.next(u32::MAX).unwrap().begin, 0, "the first block is missing");
    check.hash_block(geometry.block(PieceIndex(1), 0).unwrap(), &data);
    assert_eq!(check.next(u32::MAX).unwrap().begin, 0, "of another piece");
    check.hash_block(geometry.block(PIECE, 0).unwrap(), &data);
    assert_eq!(check.next(u32::MAX).unwrap().begin, BLOCK_LEN);
}

#[test]
fn a_check_that_begins_ahead_knows_of_padding() -> Result<(), ConfigError> {
    let geometry = Geometry::new(u64::from(2 * BLOCK_LEN), 2 * BLOCK_LEN)?;
    let mut bytes = vec![5; 2 * BLOCK_LEN as usize];
    bytes[20_000..].fill(0);
    let hashes = [PieceHasher::digest(&bytes)];
    let padding = [Padding { piece: PIECE, bytes: 2 * BLOCK_LEN - 20_000 }];
    let mut content = TorrentContent::new(geometry, PieceHashes::new(&hashes));
    content.padding = &padding;
    let setup = TorrentSetup::new(Config::new(InfoHash([1; 20]), PeerId([2; 20])));
    let torrent = Torrent::new(setup, TorrentVec::new(&content, TorrentLimits::new()))?;
    let mut check = torrent.check_ahead(PIECE);
    for number in 0..2 {
        let block = geometry.block(PIECE, number).unwrap();
        check.hash_block(block, &bytes[block.begin as usize..][..block.len as usize]);
    }
    assert_eq!(check.next(u32::MAX), None);
    assert_eq!(check.passed(PieceHashes::new(&hashes)), Some(true));
    Ok(())
}
