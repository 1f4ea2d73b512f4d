//! The pieces of the peers, and ours.

use bittorrent_pieces::PieceIndex;
use bittorrent_pieces::picker::{PeerPieces, PieceState};

use crate::cases::{A, B, bits, peers};
use crate::{ANY, sequential};

#[test]
fn have_all_have_none_seq_download() {
    let mut case = sequential(peers(&[0; 4]));
    case.picker.join(&PeerPieces::All);
    assert_eq!(case.first(&ANY()), Some(0));
    assert!(case.propose(A, &[], &ANY()).is_empty(), "a peer with nothing is asked for nothing");
}

#[test]
fn have_all_have_none() {
    let mut case = peers(&[1, 0, 2]);
    case.picker.join(&PeerPieces::All);
    case.picker.join(&PeerPieces::Some(bits(3, []).as_view()));
    assert_eq!([0, 1, 2].map(|piece| case.peers(piece)), [2, 1, 3]);
    assert_eq!(case.order(&ANY()), [1, 0, 2]);
    case.picker.leave(&PeerPieces::All);
    assert_eq!([0, 1, 2].map(|piece| case.peers(piece)), [1, 0, 2]);
}

#[test]
fn inc_ref_dec_ref() {
    let mut case = peers(&[2, 2, 2]);
    case.picker.have(PieceIndex(0));
    case.picker.dont_have(PieceIndex(2));
    assert_eq!([0, 1, 2].map(|piece| case.peers(piece)), [3, 2, 1]);
    assert_eq!(case.order(&ANY()), [2, 1, 0]);
}

#[test]
fn dec_refcount_split_seed() {
    let mut case = peers(&[0; 3]);
    case.picker.join(&PeerPieces::All);
    // A seed that lost a piece is a peer with the others.
    case.picker.leave(&PeerPieces::All);
    case.picker.join(&PeerPieces::Some(bits(3, [0, 2]).as_view()));
    assert_eq!([0, 1, 2].map(|piece| case.peers(piece)), [1, 0, 1]);
}

#[test]
fn break_one_seed() {
    let mut case = peers(&[0; 3]);
    (0..3).for_each(|_| case.picker.join(&PeerPieces::All));
    case.picker.leave(&PeerPieces::All);
    case.picker.join(&PeerPieces::Some(bits(3, [1]).as_view()));
    assert_eq!([0, 1, 2].map(|piece| case.peers(piece)), [2, 3, 2]);
}

#[test]
fn bitfield_optimization() {
    let mut case = peers(&[0; 200]);
    let field = bits(200, (0..200).filter(|piece| piece % 3 == 0));
    (0..300).for_each(|_| case.picker.join(&PeerPieces::Some(field.as_view())));
    assert!((0..200).all(|piece| case.peers(piece) == if piece % 3 == 0 { 300 } else { 0 }));
    (0..300).for_each(|_| case.picker.leave(&PeerPieces::Some(field.as_view())));
    assert!((0..200).all(|piece| case.peers(piece) == 0) && case.picker.is_sound());
}

#[test]
fn seed_optimization() {
    let mut case = peers(&[1; 1000]);
    let before = case.picker.steps();
    (0..1000).for_each(|_| case.picker.join(&PeerPieces::All));
    assert_eq!(case.picker.steps(), before, "a seed is one count, however many the pieces");
    assert_eq!(case.peers(999), 1001);
}

#[test]
fn we_have_all() {
    let mut case = peers(&[1; 3]);
    (0..3).for_each(|piece| case.get(piece));
    assert_eq!((case.picker.have_count(), case.first(&ANY())), (3, None));
    assert_eq!(case.picker.pick_endgame(B, &PeerPieces::All, &ANY()), None);
}

#[test]
fn we_dont_have() {
    let mut case = peers(&[1, 1]);
    assert!(!case.picker.lose(PieceIndex(0)), "it was never there");
    case.get(0);
    assert!(case.picker.lose(PieceIndex(0)));
    assert_eq!((case.picker.have_count(), case.state(0)), (0, Some(PieceState::Missing)));
}

#[test]
fn we_dont_have2() {
    let mut case = peers(&[1, 3, 3]);
    (0..3).for_each(|piece| case.get(piece));
    case.picker.lose(PieceIndex(2));
    case.picker.lose(PieceIndex(0));
    assert_eq!(case.order(&ANY()), [0, 2], "by rarity as ever");
}

#[test]
fn piece_stats() {
    let mut case = peers(&[2, 1, 0]);
    case.open(A, 0, 1);
    case.get(1);
    let states = [0, 1, 2, 3].map(|piece| case.state(piece));
    let open = PieceState::Open;
    let have = PieceState::Have;
    let missing = PieceState::Missing;
    assert_eq!(states, [Some(open), Some(have), Some(missing), None]);
    assert_eq!([0, 1, 2, 3].map(|piece| case.peers(piece)), [2, 1, 0, 0]);
}

#[test]
fn piece_passed() {
    let mut case = peers(&[1]);
    case.fill(A, 0);
    assert!(case.picker.passed(PieceIndex(0), |_| panic!("nobody is suspected")));
    assert_eq!((case.state(0), case.picker.have_count()), (Some(PieceState::Have), 1));
}

#[test]
fn dont_have_but_passed_hash_check() {
    let mut case = peers(&[1]);
    assert!(!case.picker.passed(PieceIndex(0), |_| {}), "nothing of it is there");
    case.open(A, 0, 4);
    assert!(!case.picker.passed(PieceIndex(0), |_| {}), "nor all of it");
    assert_eq!(case.picker.have_count(), 0);
}

#[test]
fn set_piece_priority_passed_hash_check() {
    let mut case = peers(&[1, 1]);
    case.get(0);
    case.priority(0, 7);
    assert_eq!((case.state(0), case.order(&ANY())), (Some(PieceState::Have), vec![1]));
}

#[test]
fn set_piece_priority_passed_hash_check_unfilter() {
    let mut case = peers(&[1, 1]).priorities(&[0, 4]);
    case.priority(0, 4);
    case.get(0);
    case.priority(0, 0);
    case.priority(0, 4);
    assert_eq!((case.state(0), case.order(&ANY())), (Some(PieceState::Have), vec![1]));
}

#[test]
fn set_piece_priority_passed_hash_check_bulk_filter() {
    let mut case = peers(&[1; 4]);
    case.get(2);
    let mut case = case.priorities(&[0; 4]);
    assert_eq!((case.picker.have_count(), case.first(&ANY())), (1, None));
    assert!(case.picker.is_sound());
    case.priority(3, 1);
    assert_eq!(case.order(&ANY()), [3]);
}

#[test]
fn invalid_piece_size() {
    use bittorrent_pieces::{ConfigError, Geometry};
    assert_eq!(Geometry::new(1, 0), Err(ConfigError::PieceLen));
    assert_eq!(Geometry::new(1 << 40, 1), Err(ConfigError::TooManyPieces(1 << 40)));
}
