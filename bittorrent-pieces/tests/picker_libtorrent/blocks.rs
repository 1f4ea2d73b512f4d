//! Blocks that are asked for, come, are taken back or checked.

use bittorrent_pieces::PieceIndex;
use bittorrent_pieces::picker::{PeerPieces, PieceState, ReceivedBlock};

use crate::ANY;
use crate::cases::{A, B, C, peers};

#[test]
fn piece_block() {
    let case = peers(&[1, 1]);
    assert_eq!(case.block(0, 1).begin, 16_384);
    assert!(case.block(0, 3) < case.block(1, 0) && case.block(0, 0) < case.block(0, 1));
}

#[test]
fn abort_download_states() {
    let mut case = peers(&[1]);
    case.open(A, 0, 2);
    assert_ne!(case.receive(A, 0, 0), ReceivedBlock::Unwanted);
    let got = case.block(0, 0);
    let asked = case.block(0, 1);
    let free = case.block(0, 2);
    assert!(!case.picker.release(A, got), "it is there");
    assert!(!case.picker.release(A, free), "nobody was asked");
    assert!(case.picker.release(A, asked));
    assert_eq!(case.state(0), Some(PieceState::Open));
}

#[test]
fn abort_download() {
    let mut case = peers(&[1]);
    case.open(A, 0, 4);
    assert_eq!(case.first(&ANY()), None);
    let block = case.block(0, 2);
    assert!(case.picker.release(A, block));
    assert_eq!(case.propose(B, &[0], &ANY()), [(0, 2)]);
}

#[test]
fn abort_download2() {
    let mut case = peers(&[1, 1]);
    case.open(A, 0, 1);
    let block = case.block(0, 0);
    assert!(case.picker.release(A, block) && !case.picker.release(A, block));
    assert!(case.ask(B, 0, 0), "it may be asked for again");
}

#[test]
fn get_downloaders() {
    let mut case = peers(&[3]);
    case.open(A, 0, 4);
    let all = PeerPieces::All;
    let twice = case.picker.pick_endgame(B, &all, &ANY()).unwrap();
    assert_eq!(case.picker.requesters(twice), [Some(A), Some(B)]);
    assert_eq!(
        case.picker.receive(B, twice, 0),
        ReceivedBlock::Accepted { also: Some(A), full: false }
    );
    assert_eq!(case.picker.requesters(twice), [None, None]);
}

#[test]
fn clear_peer() {
    let mut case = peers(&[1, 1]);
    case.open(A, 0, 2);
    case.open(B, 1, 1);
    assert_ne!(case.receive(A, 0, 0), ReceivedBlock::Unwanted);
    case.picker.abandon(A);
    let asked = case.block(0, 1);
    assert_eq!(case.picker.requesters(asked), [None, None]);
    assert_eq!(case.picker.requesters(case.block(1, 0)), [Some(B), None], "others keep theirs");
    assert_eq!(case.propose(C, &[0], &ANY()), [(0, 1), (0, 2), (0, 3)], "what came stays");
}

#[test]
fn mark_as_canceled() {
    let mut case = peers(&[2]);
    case.open(A, 0, 4);
    let twice = case.picker.pick_endgame(B, &PeerPieces::All, &ANY()).unwrap();
    assert!(case.picker.release(A, twice));
    assert_eq!(case.picker.requesters(twice), [Some(B), None]);
    assert_eq!(case.picker.receive(A, twice, 0), ReceivedBlock::Unwanted);
}

#[test]
fn restore_piece() {
    let mut case = peers(&[1, 1]);
    case.fill(A, 0);
    assert_eq!(case.picker.failed(PieceIndex(0)).unwrap().sole, Some(A));
    assert_eq!(case.propose(B, &[0], &ANY()).len(), 4, "all of it again");
}

#[test]
fn restore_piece_finished_blocks() {
    let mut case = peers(&[1, 1]);
    case.fill(A, 0);
    case.open(A, 1, 1);
    assert_ne!(case.receive(A, 1, 0), ReceivedBlock::Unwanted);
    assert!(case.picker.failed(PieceIndex(0)).is_some());
    assert_eq!(case.propose(B, &[1], &ANY()).len(), 3, "other pieces lose nothing");
}

#[test]
fn restore_piece_downloading_blocks() {
    let mut case = peers(&[1, 1]);
    case.open(A, 0, 4);
    (0..4).for_each(|number| assert_ne!(case.receive(A, 0, number), ReceivedBlock::Unwanted));
    assert!(case.picker.failed(PieceIndex(0)).is_none(), "it is not being checked");
    assert_eq!(case.picker.next_full(), Some(PieceIndex(0)));
    assert!(case.picker.failed(PieceIndex(0)).is_some());
}

#[test]
fn started_hash_job() {
    let mut case = peers(&[1]);
    case.fill(A, 0);
    assert_eq!((case.state(0), case.picker.next_full()), (Some(PieceState::Full), None));
    assert!(!case.ask(B, 0, 0), "while it is checked nobody is asked for it");
}
