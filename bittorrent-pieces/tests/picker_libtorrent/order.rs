//! Which piece comes first.

use bittorrent_pieces::picker::{PeerPieces, PieceState, ReceivedBlock, Selection, Weights};
use bittorrent_pieces::{PieceIndex, Policy, Priority};

use crate::cases::{A, B, PIECE, peers, with};
use crate::{ANY, reverse, sequential, whole};

#[test]
fn pick_lowest_availability() {
    let mut case = peers(&[3, 1, 5, 2]);
    assert_eq!(case.order(&ANY()), [1, 3, 0, 2]);
}

#[test]
fn random_pick_at_same_priority() {
    let first = |seed| with(8 * u64::from(PIECE), PIECE, &[2; 8], seed).first(&ANY()).unwrap();
    let mut hits = [0_u32; 8];
    (0..400).for_each(|seed| hits[first(seed) as usize] += 1);
    assert!(hits.iter().all(|hits| (25..80).contains(hits)), "{hits:?}");
}

#[test]
fn pick_highest_priority() {
    let mut case = peers(&[1, 2, 2, 2]).priorities(&[1, 4, 6, 2]);
    assert_eq!(case.order(&ANY()), [2, 1, 3, 0], "a priority goes before rarity");
    let product = |policy: &mut Policy| policy.weights = Weights::Product;
    let mut case = peers(&[1, 5, 4]).policy(product).priorities(&[4, 6, 6]);
    assert_eq!(case.order(&ANY()), [0, 2, 1], "(1 + 1) * 4, (4 + 1) * 2, (5 + 1) * 2");
}

#[test]
fn reverse_rarest_first() {
    let mut case = peers(&[3, 1, 5, 2]);
    assert_eq!(case.order(&reverse()), [2, 0, 3, 1]);
}

#[test]
fn pick_whole_pieces() {
    let mut case = peers(&[2, 1]);
    case.open(A, 0, 1);
    let fast = case.propose(B, &[0, 1], &whole(1));
    assert_eq!(fast[..4], [(1, 0), (1, 1), (1, 2), (1, 3)], "a piece of its own");
    assert_eq!(fast[4..], [(0, 1), (0, 2), (0, 3)], "then parts of others");
    assert_eq!(case.propose(A, &[0, 1], &whole(1))[0], (0, 1), "its own is finished first");
}

#[test]
fn filtered_pieces() {
    let mut case = peers(&[1, 1, 2, 3]).priorities(&[0, 4, 0, 4]);
    assert_eq!(case.order(&ANY()), [1, 3]);
    assert!(!case.ask(A, 0, 0));
}

#[test]
fn dont_pick_requested_blocks() {
    let mut case = peers(&[1]);
    case.open(A, 0, 3);
    assert_eq!(case.propose(B, &[0], &ANY()), [(0, 3)]);
    assert!(!case.ask(B, 0, 1));
}

#[test]
fn downloading_piece_priority() {
    let mut case = peers(&[1, 5]);
    case.open(A, 1, 1);
    assert_eq!(case.first(&ANY()), Some(1), "open pieces go before rarer ones");
}

#[test]
fn partial_piece_order_rarest_first() {
    let mut case = peers(&[5, 2, 4, 9]);
    for piece in [0, 1, 2] {
        case.open(A, piece, 1);
    }
    let order: Vec<u32> = case.propose(B, &[0, 1, 2, 3], &ANY()).iter().map(|at| at.0).collect();
    assert_eq!(order[..9], [1, 1, 1, 2, 2, 2, 0, 0, 0]);
}

#[test]
fn partial_piece_order_most_complete() {
    let mut case = peers(&[1, 2, 3]);
    for (piece, blocks) in [(0, 1), (1, 3), (2, 2)] {
        case.open(A, piece, blocks);
    }
    let order = case.propose(B, &[0, 1, 2], &ANY());
    assert_eq!(order, [(1, 3), (2, 2), (2, 3), (0, 1), (0, 2), (0, 3)]);
}

#[test]
fn partial_piece_order_sequential() {
    let mut case = sequential(peers(&[1, 2, 3]));
    for (piece, blocks) in [(2, 3), (1, 1)] {
        case.open(A, piece, blocks);
    }
    assert_eq!(case.propose(B, &[1, 2], &ANY())[0], (1, 1));
}

#[test]
fn random_picking_downloading_piece() {
    let mut case = peers(&[1; 4]).policy(|policy| policy.random_first = 9);
    case.open(A, 2, 1);
    assert_eq!(case.first(&ANY()), Some(2));
}

#[test]
fn random_picking_downloading_piece_prefer_contiguous() {
    let mut case = peers(&[1; 4]).policy(|policy| policy.random_first = 9);
    case.open(A, 2, 1);
    assert_ne!(case.first(&whole(1)), Some(2), "a fast peer gets a piece of its own");
}

#[test]
fn random_pick() {
    let random = |policy: &mut Policy| policy.random_first = u32::MAX;
    let mut seen = [false; 4];
    for seed in 0..100 {
        let mut case = with(4 * u64::from(PIECE), PIECE, &[1, 2, 3, 4], seed).policy(random);
        seen[case.first(&ANY()).unwrap() as usize] = true;
    }
    assert_eq!(seen, [true; 4], "however rare");
}

#[test]
fn picking_downloading_blocks() {
    let mut case = peers(&[2, 2]);
    case.open(A, 0, 4);
    assert_eq!(case.picker.pick_endgame(B, &PeerPieces::All, &ANY()), None, "piece 1 is free");
    case.open(A, 1, 4);
    assert!(
        case.picker.pick_endgame(A, &PeerPieces::All, &ANY()).is_none(),
        "not of the same peer"
    );
    assert!(case.picker.pick_endgame(B, &PeerPieces::All, &ANY()).is_some());
}

#[test]
fn piece_priorities() {
    let mut case = peers(&[1; 7]).priorities(&[1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(case.order(&ANY()), [6, 5, 4, 3, 2, 1, 0]);
    assert_eq!(case.picker.priority(PieceIndex(6)), Priority::HIGH);
}

#[test]
fn parole_mode() {
    let mut want = Selection::new();
    want.exclusive = true;
    let mut case = peers(&[1, 2]);
    case.open(A, 0, 1);
    assert!(case.propose(B, &[0], &want).is_empty(), "nothing of what others give");
    case.open(B, 1, 2);
    assert_eq!(case.propose(B, &[0, 1], &want), [(1, 2), (1, 3)]);
}

#[test]
fn suggested_pieces() {
    let suggested = [PieceIndex(3), PieceIndex(9), PieceIndex(2)];
    let mut want = Selection::new();
    want.suggested = &suggested;
    let mut case = peers(&[1, 1, 4, 5]);
    assert_eq!(case.propose(A, &[0, 1, 2, 3], &want)[0], (3, 0));
    assert_eq!(case.propose(A, &[0, 1, 2], &want)[0], (2, 0), "it must have them");
    assert_ne!(case.first(&ANY()), Some(3));
}

#[test]
fn reversed_peers() {
    let mut case = peers(&[1, 3, 2]);
    case.open(A, 0, 1);
    assert_eq!(case.first(&reverse()), Some(1), "not what others wait for, and the most common");
    assert_eq!(case.first(&ANY()), Some(0));
}

#[test]
fn reprioritize_downloading() {
    let mut case = peers(&[1, 1]);
    case.open(A, 0, 1);
    case.open(A, 1, 1);
    case.priority(1, 7);
    assert_eq!(case.first(&ANY()), Some(1));
    case.priority(1, 0);
    assert_eq!(case.order(&ANY()), [0]);
    assert_eq!(case.state(1), Some(PieceState::Open), "what there is of it stays");
}

#[test]
fn reprioritize_fully_downloading() {
    let mut case = peers(&[1, 1]);
    case.open(A, 0, 4);
    case.priority(0, 7);
    assert_eq!(case.first(&ANY()), Some(1), "all of it is asked for");
    case.priority(0, 0);
    case.open(A, 1, 4);
    let twice = case.picker.pick_endgame(B, &PeerPieces::All, &ANY()).unwrap();
    assert_eq!(twice.piece, PieceIndex(1), "nor at the end");
}

#[test]
fn download_filtered_piece() {
    let mut case = peers(&[1, 2]);
    case.open(A, 0, 1);
    case.priority(0, 0);
    assert_ne!(case.receive(A, 0, 0), ReceivedBlock::Unwanted, "it was under way");
    assert_eq!(case.first(&ANY()), Some(1));
    case.priority(0, 1);
    case.priority(1, 1);
    assert_eq!(case.propose(B, &[0, 1], &ANY())[0], (0, 1), "it goes on where it was");
}

#[test]
fn prefer_contiguous_no_duplicates() {
    let mut case = peers(&[1; 8]);
    let mut blocks = case.propose(A, &[0, 1, 2, 3, 4, 5, 6, 7], &whole(8));
    assert_eq!(blocks.len(), 32);
    blocks.dedup();
    assert_eq!(blocks.len(), 32);
}

#[test]
fn prefer_contiguous_suggested() {
    let suggested = [PieceIndex(5)];
    let mut want = whole(4);
    want.suggested = &suggested;
    let mut case = peers(&[1; 8]);
    let blocks = case.propose(A, &[0, 1, 2, 3, 4, 5, 6, 7], &want);
    assert_eq!(blocks[..4], [(5, 0), (5, 1), (5, 2), (5, 3)]);
    assert_eq!(blocks.iter().filter(|at| at.0 == 5).count(), 4, "once");
}

#[test]
fn prefer_cnotiguous_blocks() {
    let mut case = peers(&[5, 5, 1, 5, 5, 5]);
    let pieces: Vec<u32> =
        case.propose(A, &[0, 1, 2, 3, 5], &whole(4)).iter().map(|at| at.0).collect();
    assert_eq!(pieces.chunks(4).map(|piece| piece[0]).collect::<Vec<_>>(), [0, 1, 2, 3]);
    let alone: Vec<u32> = case.propose(A, &[0, 2, 5], &whole(4)).iter().map(|at| at.0).collect();
    assert_eq!(alone, [2; 4], "its neighbours are missing");
}

#[test]
fn prefer_aligned_whole_pieces() {
    let mut case = peers(&[5, 5, 5, 5, 5, 1, 5, 5, 5]);
    let all = [0, 1, 2, 3, 4, 5, 6, 7, 8];
    let pieces: Vec<u32> = case.propose(A, &all, &whole(4)).iter().map(|at| at.0).collect();
    assert_eq!(pieces.chunks(4).map(|piece| piece[0]).collect::<Vec<_>>(), [4, 5, 6, 7]);
}

#[test]
fn sequential_download() {
    let mut case = sequential(peers(&[3, 1, 5, 2]));
    assert_eq!(case.order(&ANY()), [0, 1, 2, 3]);
}

#[test]
fn reverse_sequential_download() {
    let mut case = sequential(peers(&[3, 1, 5, 2]));
    assert_eq!(case.order(&reverse()), [3, 2, 1, 0]);
}

#[test]
fn priority_sequential_download() {
    let mut case = sequential(peers(&[1; 6])).priorities(&[4, 7, 4, 7, 1, 0]);
    assert_eq!(case.order(&ANY()), [1, 3, 0, 2, 4]);
}
