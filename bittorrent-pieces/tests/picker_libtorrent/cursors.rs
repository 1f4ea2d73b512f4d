//! The ends between which a sequence goes.

use bittorrent_pieces::PieceIndex;

use crate::cases::{Case, peers};
use crate::{ANY, reverse, sequential};

/// Sequential, over two words of pieces: the ends that pieces were taken from do not matter.
fn ends(order: &mut dyn FnMut(&mut Case)) -> (Option<u32>, Option<u32>) {
    let mut case = sequential(peers(&[1; 130]));
    assert_eq!((case.first(&ANY()), case.first(&reverse())), (Some(0), Some(129)));
    order(&mut case);
    (case.first(&ANY()), case.first(&reverse()))
}

#[test]
fn cursors() {
    assert_eq!(ends(&mut |_| {}), (Some(0), Some(129)));
}

#[test]
fn cursors_sweep_up_we_have() {
    assert_eq!(
        ends(&mut |case| (0..100).for_each(|piece| case.get(piece))),
        (Some(100), Some(129))
    );
}

#[test]
fn cursors_sweep_down_we_have() {
    let found = ends(&mut |case| (20..130).rev().for_each(|piece| case.get(piece)));
    assert_eq!(found, (Some(0), Some(19)));
}

#[test]
fn cursors_sweep_in_we_have() {
    let found = ends(&mut |case| {
        for step in 0..64 {
            case.get(step);
            case.get(129 - step);
        }
    });
    assert_eq!(found, (Some(64), Some(65)));
}

#[test]
fn cursors_sweep_up_set_piece_priority() {
    let found = ends(&mut |case| (0..100).for_each(|piece| case.priority(piece, 0)));
    assert_eq!(found, (Some(100), Some(129)));
}

#[test]
fn cursors_sweep_down_set_piece_priority() {
    let found = ends(&mut |case| (20..130).rev().for_each(|piece| case.priority(piece, 0)));
    assert_eq!(found, (Some(0), Some(19)));
}

#[test]
fn cursors_sweep_in_set_priority() {
    let found = ends(&mut |case| {
        for step in 0..65 {
            case.priority(step, 0);
            case.priority(129 - step, 0);
        }
        assert_eq!(case.first(&ANY()), None);
        case.priority(70, 1);
    });
    assert_eq!(found, (Some(70), Some(70)));
}

fn lose_all(case: &mut Case, pieces: impl Iterator<Item = u32>) {
    (0..130).for_each(|piece| case.get(piece));
    assert_eq!(case.first(&ANY()), None);
    pieces.for_each(|piece| assert!(case.picker.lose(PieceIndex(piece))));
}

#[test]
fn cursors_sweep_up_we_dont_have() {
    assert_eq!(ends(&mut |case| lose_all(case, 3..90)), (Some(3), Some(89)));
}

#[test]
fn cursors_sweep_down_we_dont_have() {
    assert_eq!(ends(&mut |case| lose_all(case, (40..128).rev())), (Some(40), Some(127)));
}

#[test]
fn cursors_sweep_out_we_dont_have() {
    let found = ends(&mut |case| lose_all(case, [64, 65, 63, 70, 2, 129].into_iter()));
    assert_eq!(found, (Some(2), Some(129)));
}
