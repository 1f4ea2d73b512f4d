//! Padding (BEP 47), and extents of neighbours.

use bittorrent_pieces::PieceIndex;
use bittorrent_pieces::picker::{ReceivedBlock, Selection};

use crate::ANY;
use crate::cases::{A, B, Case, PIECE, peers, with};

fn padded(bytes: u32, want: impl Fn(&Selection<'_>)) {
    let padding = move |piece: PieceIndex| if piece.0 == 0 { bytes } else { 0 };
    let mut with_padding = Selection::new();
    with_padding.padding = &padding;
    want(&with_padding);
}

#[test]
fn set_pad_bytes() {
    padded(2 * 16_384 + 5, |want| {
        let mut case = peers(&[1, 2]);
        assert_eq!(case.propose(A, &[0, 1], want), [(0, 0), (0, 1)], "two blocks are padding");
    });
}

#[test]
fn set_pad_bytes_overflow() {
    padded(u32::MAX, |want| {
        let mut case = peers(&[1, 2]);
        assert_eq!(case.propose(A, &[0, 1], want)[0], (1, 0), "no more than the piece");
        assert_eq!(case.picker.next_full(), Some(PieceIndex(0)));
    });
}

#[test]
fn mark_as_pad() {
    padded(16_384, |want| {
        let mut case = peers(&[1, 2]);
        let block = case.block(0, 0);
        assert!(case.picker.ask(A, block, want));
        assert_eq!(case.propose(B, &[0], want), [(0, 1), (0, 2)]);
    });
}

#[test]
fn mark_as_pad_downloading() {
    padded(16_384, |want| {
        let mut case = peers(&[1, 2]);
        let last = case.block(0, 3);
        assert!(!case.picker.ask(A, last, want), "nobody is asked for padding");
    });
}

#[test]
fn mark_as_pad_seeding() {
    padded(3 * 16_384, |want| {
        let mut case = peers(&[1]);
        let block = case.block(0, 0);
        assert!(case.picker.ask(A, block, want));
        assert_eq!(
            case.picker.receive(A, block, 0),
            ReceivedBlock::Accepted { also: None, full: true }
        );
        assert_eq!(case.picker.next_full(), Some(PieceIndex(0)));
        assert!(case.picker.passed(PieceIndex(0), |_| {}));
        assert_eq!(case.picker.have_count(), 1);
    });
}

#[test]
fn mark_as_pad_whole_piece_seeding() {
    padded(PIECE, |want| {
        let mut case = peers(&[1, 1]);
        assert_eq!(case.propose(A, &[0], want), []);
        assert_eq!(case.picker.next_full(), Some(PieceIndex(0)), "it is full as it is");
    });
}

#[test]
fn pad_blocks_in_piece() {
    padded(3 * 16_384, |want| {
        let mut case = peers(&[1, 1]);
        assert_eq!(case.propose(A, &[0], want).len(), 1);
        assert_eq!(case.propose(A, &[1], want).len(), 4);
    });
}

#[test]
fn pad_blocks_in_last_piece() {
    padded(20_000, |want| {
        let mut case = with(50_000, PIECE, &[1], 1);
        assert_eq!(case.propose(A, &[0], want), [(0, 0), (0, 1)], "30,000 of 50,000 bytes");
        let first = case.block(0, 0);
        assert!(case.picker.ask(A, first, want));
        // After a failure the padding is still none that anybody need give.
        let second = case.block(0, 1);
        assert!(case.picker.ask(A, second, want));
        for block in [first, second] {
            assert_ne!(case.picker.receive(A, block, 0), ReceivedBlock::Unwanted);
        }
        assert_eq!(case.picker.next_full(), Some(PieceIndex(0)));
        assert_eq!(case.picker.failed(PieceIndex(0)).unwrap().sole, Some(A));
        assert_eq!(case.propose(B, &[0], want), [(0, 0), (0, 1)]);
    });
}

#[test]
fn pad_blocks_all_filtered() {
    padded(PIECE, |want| {
        let mut case = peers(&[1, 1]).priorities(&[0, 0]);
        assert_eq!((case.propose(A, &[0, 1], want), case.picker.next_full()), (vec![], None));
    });
}

/// Extents of 4 MiB: four pieces of 1 MiB each.
fn extents(peers: &[u32], piece_len: u32) -> Case {
    let total = u64::from(piece_len) * peers.len() as u64;
    with(total, piece_len, peers, 1).policy(|policy| policy.extents = true)
}

#[test]
fn piece_extent_affinity() {
    let mut case = extents(&[3, 3, 1, 3, 3, 2, 3, 3], 1 << 20);
    let order = case.order(&ANY());
    assert_eq!(order[0], 2);
    let mut extent = order[..4].to_vec();
    extent.sort_unstable();
    assert_eq!(extent, [0, 1, 2, 3], "then the rest of its extent, before the rarer piece 5");
}

#[test]
fn piece_extent_affinity_priority() {
    let mut case =
        extents(&[3, 3, 3, 3, 3, 2, 3, 3], 1 << 20).priorities(&[4, 3, 4, 3, 4, 5, 4, 4]);
    case.open(A, 2, 64);
    assert_eq!(case.first(&ANY()), Some(5), "a higher priority goes before an extent");
}

#[test]
fn piece_extent_affinity_large_pieces() {
    let mut case = extents(&[3, 3, 3, 2], 4 << 20);
    case.open(A, 0, 256);
    assert_eq!(case.first(&ANY()), Some(3), "pieces as long as extents have no neighbours");
}

#[test]
fn piece_extent_affinity_active_limit() {
    let mut case = extents(&[3; 12], 2 << 20);
    for piece in [0, 2, 4, 6, 8, 10] {
        case.open(A, piece, 128);
    }
    // The newest five are remembered: 11 is near one of them, 1 is not.
    assert_eq!(case.propose(B, &[1, 11], &ANY())[0], (11, 0));
    let near: Vec<u32> = [3, 5, 7, 9]
        .into_iter()
        .filter(|piece| case.propose(B, &[1, *piece], &ANY())[0].0 == *piece)
        .collect();
    assert_eq!(near, [3, 5, 7, 9]);
}

#[test]
fn piece_extent_affinity_clear_done() {
    let mut case = extents(&[3, 3, 3, 1, 2, 2], 2 << 20);
    case.open(A, 0, 128);
    case.open(A, 1, 128);
    assert_eq!(case.first(&ANY()), Some(3), "nothing is left of the extent");
}

#[test]
fn piece_extent_affinity_no_duplicates() {
    let mut case = extents(&[3; 24], 512 << 10);
    for piece in [0, 2, 4, 6, 1] {
        case.open(A, piece, 32);
    }
    case.open(A, 8, 32);
    let pieces: Vec<u32> = (9..24).collect();
    assert_eq!(case.propose(B, &pieces, &ANY())[0], (9, 0), "the second extent counts too");
}
