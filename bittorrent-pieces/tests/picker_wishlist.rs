//! The cases of Transmission's tests of its wishlist, by their names in this language's spelling: each is a
//! test here that holds the same rule against this picker, or the table has the reason why it cannot.
//!
//! Transmission numbers blocks through the whole torrent, so that in an unaligned one a block belongs to
//! two pieces. Here the blocks of a piece begin with it and its last one is short: none is shared.

mod cases;

use bittorrent_pieces::picker::{Order, PeerPieces, PieceState, ReceivedBlock, Selection};
use bittorrent_pieces::{Block, PieceIndex};
use cases::{A, B, Case, bits, peers, with};

/// Names, and why there is no test.
const CASES: &[(&str, &str)] = &[
    ("does_not_request_pieces_that_are_not_wanted", ""),
    ("does_not_request_pieces_that_client_has", ""),
    ("only_request_blocks_the_peer_has", ""),
    ("does_not_request_same_block_twice", ""),
    ("sequential_download", ""),
    ("sequential_download_from_piece", ""),
    ("does_not_request_too_many_blocks", ""),
    ("prefers_high_priority_pieces", ""),
    ("prefers_nearly_complete_pieces", ""),
    ("prefers_rarer_pieces", ""),
    ("peer_disconnect_decrements_replication", ""),
    ("got_bad_piece_resets_piece", ""),
    ("got_bitfield_increments_replication", ""),
    ("sent_requests_resorts_piece", ""),
    ("got_block_resorts_piece", ""),
    ("got_have_increments_replication", ""),
    ("got_have_all_does_not_affect_order", ""),
    ("got_choke_resets_requested_blocks", ""),
    ("got_reject_resets_block", ""),
    ("sent_cancel_resets_blocks", ""),
    ("does_not_request_block_after_block_completed", ""),
    ("does_not_request_piece_after_piece_completed", ""),
    ("setting_priority_resorts_candidates", ""),
    ("setting_sequential_download_resorts_candidates", ""),
    ("sequential_download_from_piece_resorts_candidates", ""),
    ("set_file_wanted_updates_candidate_list_add", ""),
    ("set_file_wanted_updates_candidate_list_add_had", ""),
    ("set_file_wanted_updates_candidate_list_remove", ""),
    ("unaligned_torrent", ""),
    ("unaligned_torrent_partially_completed_piece", ""),
    ("unaligned_torrent_partially_completed", ""),
    ("unaligned_torrent_got_bad_piece", ""),
    ("unaligned_torrent_got_bad_piece_surrounding_completed", ""),
    ("unaligned_torrent_got_2_consecutive_bad_pieces", ""),
    ("unaligned_torrent_partially_wanted", ""),
    ("unaligned_torrent_deselected_piece", ""),
    ("unaligned_torrent_deselected_2_consecutive_pieces", ""),
    ("unaligned_torrent_selected_piece", ""),
    ("unaligned_torrent_selected_2_consecutive_pieces", ""),
];

/// 39 of the 41 names: the other two differ between versions.
#[test]
fn every_case_is_accounted_for() {
    cases::assert_accounted(include_str!("picker_wishlist.rs"), CASES, 39);
}

const ANY: fn() -> Selection<'static> = Selection::new;

/// Asks a peer with all pieces for as many blocks as it gets.
fn ask_all(case: &mut Case, most: usize) -> Vec<(u32, u32)> {
    let mut all = vec![];
    let mut blocks = [Block::default(); 64];
    while all.len() < most {
        let room = blocks.len().min(most - all.len());
        let picked = case.picker.pick(A, &PeerPieces::All, &ANY(), &mut blocks[..room]);
        if picked == 0 {
            break;
        }
        let number = |block: &Block| case.geometry.number(*block).unwrap();
        all.extend(blocks[..picked].iter().map(|block| (block.piece.0, number(block))));
    }
    all
}

fn pieces_of(blocks: &[(u32, u32)]) -> Vec<u32> {
    let mut pieces: Vec<u32> = blocks.iter().map(|at| at.0).collect();
    pieces.sort_unstable();
    pieces.dedup();
    pieces
}

#[test]
fn does_not_request_pieces_that_are_not_wanted() {
    let mut case = peers(&[1, 1, 1]).priorities(&[4, 0, 0]);
    assert_eq!(pieces_of(&ask_all(&mut case, 99)), [0]);
}

#[test]
fn does_not_request_pieces_that_client_has() {
    let mut case = peers(&[1, 1, 1]);
    case.get(0);
    case.get(1);
    assert_eq!(ask_all(&mut case, 99), [(2, 0), (2, 1), (2, 2), (2, 3)]);
}

#[test]
fn only_request_blocks_the_peer_has() {
    let mut case = peers(&[2, 1, 2]);
    assert_eq!(pieces_of(&case.propose(A, &[2], &ANY())), [2]);
    assert!(case.propose(A, &[], &ANY()).is_empty());
}

#[test]
fn does_not_request_same_block_twice() {
    let mut case = peers(&[1, 1, 1]);
    let mut blocks = ask_all(&mut case, 99);
    assert_eq!(blocks.len(), 12);
    blocks.sort_unstable();
    blocks.dedup();
    assert_eq!(blocks.len(), 12);
}

fn sequential(case: Case) -> Case {
    case.policy(|policy| policy.order = Order::Sequential)
}

/// Without Transmission's exception of the last piece, which may be had by its priority.
#[test]
fn sequential_download() {
    let mut case = sequential(peers(&[1, 1, 1]));
    assert_eq!(pieces_of(&ask_all(&mut case, 8)), [0, 1]);
    let mut case = sequential(peers(&[1, 1, 1])).priorities(&[7, 4, 7]);
    assert_eq!(pieces_of(&ask_all(&mut case, 8)), [0, 2]);
}

fn from_piece(policy: &mut bittorrent_pieces::Policy) {
    use core::time::Duration;
    policy.order = Order::Sequential;
    policy.playback = Some(bittorrent_pieces::picker::Playback {
        first: PieceIndex(2),
        due: Duration::from_secs(9),
        pace: Duration::from_secs(1),
        window: 2,
        urgent: Duration::ZERO,
    });
}

#[test]
fn sequential_download_from_piece() {
    let mut case = peers(&[1; 5]).policy(from_piece);
    assert_eq!(case.order(&ANY()), [2, 3, 0, 1, 4]);
}

#[test]
fn does_not_request_too_many_blocks() {
    for most in [1, 3, 4, 7] {
        assert_eq!(ask_all(&mut peers(&[1, 1, 1]), most).len(), most);
    }
}

#[test]
fn prefers_high_priority_pieces() {
    let mut case = peers(&[1, 1, 1]).priorities(&[4, 7, 4]);
    assert_eq!(pieces_of(&ask_all(&mut case, 4)), [1]);
}

#[test]
fn prefers_nearly_complete_pieces() {
    let mut case = peers(&[1, 1, 1]);
    case.open(B, 1, 3);
    case.open(B, 2, 2);
    assert_eq!(ask_all(&mut case, 3), [(1, 3), (2, 2), (2, 3)]);
}

#[test]
fn prefers_rarer_pieces() {
    assert_eq!(pieces_of(&ask_all(&mut peers(&[2, 1, 3]), 4)), [1]);
}

#[test]
fn peer_disconnect_decrements_replication() {
    let mut case = peers(&[2, 3, 3]);
    case.picker.leave(&PeerPieces::Some(bits(3, [1, 2]).as_view()));
    case.picker.leave(&PeerPieces::Some(bits(3, [1]).as_view()));
    assert_eq!([0, 1, 2].map(|piece| case.peers(piece)), [2, 1, 2]);
    assert_eq!(case.first(&ANY()), Some(1));
}

#[test]
fn got_bad_piece_resets_piece() {
    let mut case = peers(&[1, 1]);
    case.fill(A, 1);
    case.open(B, 0, 4);
    assert!(case.picker.failed(PieceIndex(1)).is_some());
    assert_eq!(pieces_of(&ask_all(&mut case, 9)), [1]);
}

#[test]
fn got_bitfield_increments_replication() {
    let mut case = peers(&[2, 2, 2]);
    case.picker.join(&PeerPieces::Some(bits(3, [0, 2]).as_view()));
    assert_eq!(pieces_of(&ask_all(&mut case, 4)), [1]);
}

#[test]
fn sent_requests_resorts_piece() {
    let mut case = peers(&[1, 1, 1]);
    case.open(B, 1, 1);
    assert_eq!(ask_all(&mut case, 4)[..3], [(1, 1), (1, 2), (1, 3)]);
}

#[test]
fn got_block_resorts_piece() {
    let mut case = peers(&[1, 1, 1]);
    let block = case.block(2, 3);
    assert!(case.picker.restore_block(block));
    assert_eq!(ask_all(&mut case, 4)[..3], [(2, 0), (2, 1), (2, 2)]);
}

#[test]
fn got_have_increments_replication() {
    let mut case = peers(&[2, 2, 2]);
    case.picker.have(PieceIndex(0));
    case.picker.have(PieceIndex(1));
    assert_eq!(pieces_of(&ask_all(&mut case, 4)), [2]);
}

#[test]
fn got_have_all_does_not_affect_order() {
    let mut case = peers(&[3, 1, 2]);
    case.picker.join(&PeerPieces::All);
    assert_eq!(case.order(&ANY()), [1, 2, 0]);
}

#[test]
fn got_choke_resets_requested_blocks() {
    let mut case = peers(&[1, 1]);
    assert_eq!(ask_all(&mut case, 99).len(), 8);
    assert!(case.first(&ANY()).is_none());
    case.picker.abandon(A);
    assert_eq!(ask_all(&mut case, 99).len(), 8);
}

#[test]
fn got_reject_resets_block() {
    let mut case = peers(&[1, 1]);
    ask_all(&mut case, 99);
    for (piece, number) in [(0, 1), (1, 3)] {
        let block = case.block(piece, number);
        assert!(case.picker.release(A, block));
    }
    let mut again = ask_all(&mut case, 99);
    again.sort_unstable();
    assert_eq!(again, [(0, 1), (1, 3)]);
}

#[test]
fn sent_cancel_resets_blocks() {
    let mut case = peers(&[1]);
    ask_all(&mut case, 99);
    let block = case.block(0, 2);
    assert!(case.picker.release(A, block));
    assert_eq!(ask_all(&mut case, 99), [(0, 2)]);
}

#[test]
fn does_not_request_block_after_block_completed() {
    let mut case = peers(&[1]);
    case.open(A, 0, 2);
    assert_ne!(case.receive(A, 0, 0), ReceivedBlock::Unwanted);
    case.picker.abandon(A);
    assert_eq!(ask_all(&mut case, 99), [(0, 1), (0, 2), (0, 3)]);
}

#[test]
fn does_not_request_piece_after_piece_completed() {
    let mut case = peers(&[1, 2]);
    case.fill(A, 0);
    assert_eq!(pieces_of(&ask_all(&mut case, 99)), [1], "not while it is checked");
    assert!(case.picker.passed(PieceIndex(0), |_| {}));
    assert!(ask_all(&mut case, 99).is_empty());
}

#[test]
fn setting_priority_resorts_candidates() {
    let mut case = peers(&[1, 2, 3]);
    assert_eq!(case.first(&ANY()), Some(0));
    case.priority(2, 5);
    assert_eq!(case.first(&ANY()), Some(2));
    case.priority(2, 3);
    assert_eq!(case.first(&ANY()), Some(0));
}

#[test]
fn setting_sequential_download_resorts_candidates() {
    let mut case = peers(&[3, 2, 1]);
    assert_eq!(case.first(&ANY()), Some(2));
    assert_eq!(sequential(case).order(&ANY()), [0, 1, 2]);
}

#[test]
fn sequential_download_from_piece_resorts_candidates() {
    let mut case = sequential(peers(&[1; 4]));
    assert_eq!(case.first(&ANY()), Some(0));
    assert_eq!(case.policy(from_piece).order(&ANY()), [2, 3, 0, 1]);
}

#[test]
fn set_file_wanted_updates_candidate_list_add() {
    let mut case = peers(&[1; 4]).priorities(&[4, 4, 0, 0]);
    assert_eq!(case.first(&ANY()).map(|piece| piece < 2), Some(true));
    let mut case = case.priorities(&[4, 4, 4, 4]);
    assert_eq!(pieces_of(&ask_all(&mut case, 99)), [0, 1, 2, 3]);
}

#[test]
fn set_file_wanted_updates_candidate_list_add_had() {
    let mut case = peers(&[1; 4]);
    case.get(2);
    case.get(3);
    let mut case = case.priorities(&[4, 4, 0, 0]).priorities(&[4, 4, 4, 4]);
    assert_eq!(pieces_of(&ask_all(&mut case, 99)), [0, 1]);
}

#[test]
fn set_file_wanted_updates_candidate_list_remove() {
    let mut case = peers(&[1; 4]).priorities(&[4, 4, 0, 0]);
    assert_eq!(pieces_of(&ask_all(&mut case, 99)), [0, 1]);
}

/// Four pieces of two blocks and a third, the last one shorter.
fn unaligned() -> Case {
    with(3 * 40_000 + 17_000, 40_000, &[1; 4], 1)
}

fn bytes(case: &Case, blocks: &[(u32, u32)]) -> u64 {
    blocks.iter().map(|(piece, number)| u64::from(case.block(*piece, *number).len)).sum()
}

#[test]
fn unaligned_torrent() {
    let mut case = unaligned();
    let all = ask_all(&mut case, 99);
    assert_eq!((all.len(), bytes(&case, &all)), (11, 137_000), "every byte once");
}

#[test]
fn unaligned_torrent_partially_completed_piece() {
    let mut case = unaligned();
    for number in [0, 2] {
        let block = case.block(1, number);
        assert!(case.picker.restore_block(block), "from an earlier run");
    }
    let all = ask_all(&mut case, 99);
    assert_eq!(bytes(&case, &all), 137_000 - 16_384 - 7_232);
    assert_eq!(all[0], (1, 1), "it goes on there");
}

#[test]
fn unaligned_torrent_partially_completed() {
    let mut case = unaligned();
    for piece in [0, 2, 3] {
        case.get(piece);
    }
    let all = ask_all(&mut case, 99);
    assert_eq!((pieces_of(&all), bytes(&case, &all)), (vec![1], 40_000));
}

#[test]
fn unaligned_torrent_got_bad_piece() {
    let mut case = unaligned();
    for piece in [0, 2, 3] {
        case.open(B, piece, 2);
    }
    case.fill(A, 1);
    assert!(case.picker.failed(PieceIndex(1)).is_some());
    let all = case.propose(B, &[1], &ANY());
    assert_eq!((all.len(), bytes(&case, &all)), (3, 40_000), "its last bytes too");
}

#[test]
fn unaligned_torrent_got_bad_piece_surrounding_completed() {
    let mut case = unaligned();
    case.get(0);
    case.get(2);
    case.fill(A, 1);
    assert!(case.picker.failed(PieceIndex(1)).is_some());
    assert_eq!(
        [0, 1, 2].map(|piece| case.state(piece)),
        [PieceState::Have, PieceState::Open, PieceState::Have].map(Some)
    );
    assert_eq!(case.propose(B, &[0, 1, 2], &ANY()).len(), 3);
}

#[test]
fn unaligned_torrent_got_2_consecutive_bad_pieces() {
    let mut case = unaligned();
    case.fill(A, 1);
    case.fill(A, 2);
    for piece in [1, 2] {
        assert!(case.picker.failed(PieceIndex(piece)).is_some());
    }
    let all = case.propose(B, &[1, 2], &ANY());
    assert_eq!((all.len(), bytes(&case, &all)), (6, 80_000));
}

#[test]
fn unaligned_torrent_partially_wanted() {
    let mut case = unaligned().priorities(&[4, 0, 4, 0]);
    let all = ask_all(&mut case, 99);
    assert_eq!((pieces_of(&all), bytes(&case, &all)), (vec![0, 2], 80_000));
}

#[test]
fn unaligned_torrent_deselected_piece() {
    let mut case = unaligned().priorities(&[4, 0]);
    let all = ask_all(&mut case, 99);
    assert_eq!((pieces_of(&all), bytes(&case, &all)), (vec![0, 2, 3], 97_000));
}

#[test]
fn unaligned_torrent_deselected_2_consecutive_pieces() {
    let mut case = unaligned().priorities(&[4, 0, 0]);
    let all = ask_all(&mut case, 99);
    assert_eq!((pieces_of(&all), bytes(&case, &all)), (vec![0, 3], 57_000));
}

#[test]
fn unaligned_torrent_selected_piece() {
    let mut case = unaligned().priorities(&[4, 0]).priorities(&[4, 4]);
    let all = ask_all(&mut case, 99);
    assert_eq!((pieces_of(&all), bytes(&case, &all)), (vec![0, 1, 2, 3], 137_000));
}

#[test]
fn unaligned_torrent_selected_2_consecutive_pieces() {
    let mut case = unaligned().priorities(&[4, 0, 0]).priorities(&[4, 4, 4]);
    let all = ask_all(&mut case, 99);
    assert_eq!((pieces_of(&all), bytes(&case, &all)), (vec![0, 1, 2, 3], 137_000));
}
