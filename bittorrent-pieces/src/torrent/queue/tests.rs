use super::*;
use crate::wire::extended::HolepunchError;
use std::vec;
use std::vec::Vec;

fn pieces(queue: &Queue<'_>, step: Step) -> Vec<u32> {
    let found = queue.iter().filter(|slot| slot.step == step);
    found.map(|slot| slot.piece.0).collect()
}

#[test]
fn requests_are_sent_and_cancelled_in_their_order() {
    let mut slots = [RequestSlot::EMPTY; 8];
    let mut queue = Queue(&mut slots);
    for piece in 0..6 {
        let block = Block { piece: PieceIndex(piece), begin: 0, len: 1 };
        assert!(queue.push(RequestSlot::new(block, Duration::ZERO, Step::Due)));
    }
    for piece in 0..5 {
        let at = queue.next_to_send().unwrap();
        assert_eq!(queue.get(at).unwrap().piece.0, piece);
        queue.sent(at);
    }
    queue.cancel(|slot| slot.piece.0 == 3);
    queue.sent(0);
    queue.cancel(|slot| slot.piece.0 % 2 == 1);
    assert_eq!(pieces(&queue, Step::Cancel), [1]);
    queue.cancel(|slot| slot.piece.0 == 4);
    assert_eq!(queue.in_flight(), 3);
    for piece in [1, 4] {
        assert_eq!(queue.next_to_send(), Some(0));
        assert_eq!(queue.get(0).unwrap().piece.0, piece);
        queue.sent(0);
    }
    assert_eq!(pieces(&queue, Step::Cancelled), [4, 1, 3]);
    assert_eq!(pieces(&queue, Step::Sent), [0, 2]);
    assert_eq!(queue.next_to_send(), Some(5));
    assert_eq!(queue.remove(3).unwrap().piece.0, 0);
    assert_eq!((queue.len(), queue.in_flight(), queue.free()), (5, 2, 3));
}

fn block(piece: u32) -> Block {
    Block { piece: PieceIndex(piece), begin: 16_384, len: 9 }
}

/// Fills a queue with requests of the given steps, numbered from 0.
fn queue_of<'q>(slots: &'q mut [RequestSlot], steps: &[Step]) -> Queue<'q> {
    let mut queue = Queue(slots);
    for (piece, step) in (0..).zip(steps) {
        assert!(queue.push(RequestSlot::new(block(piece), Duration::ZERO, *step)));
    }
    queue
}

#[test]
fn a_full_queue_takes_no_more() {
    let mut slots = [RequestSlot::EMPTY; 3];
    let mut queue = queue_of(&mut slots, &[Step::Give; 2]);
    assert_eq!((queue.capacity(), queue.len(), queue.free()), (3, 2, 1));
    assert!(!queue.is_full());
    let request = RequestSlot::new(block(2), Duration::ZERO, Step::Give);
    assert!(queue.push(request));
    assert!(queue.is_full() && queue.free() == 0);
    assert!(!queue.push(request));
    assert_eq!(pieces(&queue, Step::Give), [0, 1, 2]);
    queue.clear();
    assert_eq!((queue.len(), queue.free()), (0, 3));
    assert!(Queue(&mut []).is_full(), "without slots");
}

#[test]
fn what_is_removed_leaves_the_others_in_their_order() {
    let mut slots = [RequestSlot::EMPTY; 4];
    let mut queue = queue_of(&mut slots, &[Step::Give; 4]);
    assert_eq!(queue.remove(1).unwrap().block(), block(1));
    assert_eq!(pieces(&queue, Step::Give), [0, 2, 3]);
    assert_eq!(queue.remove(2).unwrap().block(), block(3));
    assert_eq!(pieces(&queue, Step::Give), [0, 2]);
    assert_eq!(queue.remove(4), None);
    queue.retain(|slot| slot.piece.0 != 0);
    assert_eq!(pieces(&queue, Step::Give), [2]);
    assert_eq!(queue.position(|slot| slot.piece.0 == 2), Some(0));
    assert_eq!(queue.position(|slot| slot.piece.0 == 0), None);
}

/// Only a request that is to be answered with its block counts: one that is rejected may be made again.
#[test]
fn a_peer_waits_for_a_block_that_is_to_be_given() {
    let mut slots = [RequestSlot::EMPTY; 4];
    let queue = queue_of(&mut slots, &[Step::Give, Step::Reject]);
    assert!(queue.has(block(0)));
    assert!(!queue.has(block(1)));
    assert!(!queue.has(Block { begin: 0, ..block(0) }));
}

#[test]
fn an_answer_is_expected_to_requests_that_are_not_cancelled() {
    let steps = [Step::Cancel, Step::Cancelled, Step::Sent, Step::Sent, Step::Due];
    let mut slots = [RequestSlot::EMPTY; 6];
    let queue = queue_of(&mut slots, &steps);
    assert_eq!((queue.len(), queue.in_flight()), (5, 3));
    let expected = steps.map(|step| matches!(step, Step::Sent | Step::Due));
    let found: Vec<bool> = queue.iter().map(RequestSlot::is_in_flight).collect();
    assert_eq!(found, expected);
    assert_eq!(queue.next_to_send(), Some(0), "a cancel first");
    let mut slots = [RequestSlot::EMPTY; 2];
    assert_eq!(queue_of(&mut slots, &[Step::Cancelled, Step::Sent]).next_to_send(), None);
    let mut slots = [RequestSlot::EMPTY; 2];
    assert_eq!(queue_of(&mut slots, &[Step::Sent]).next_to_send(), None);
}

/// A holepunch message waits in two slots, and comes out as it was put in.
#[test]
fn holepunch_messages_of_both_families_come_back() {
    for text in ["192.0.2.7:6881", "[2001:db8:1:2:3:4:5:6]:65535", "[::]:0", "0.0.0.0:1"] {
        let addr = text.parse().unwrap();
        for message in [
            Holepunch::Rendezvous(addr),
            Holepunch::Connect(addr),
            Holepunch::Error(addr, HolepunchError::NoSuchPeer),
            Holepunch::Error(addr, HolepunchError::Other(0xFEDC_BA98)),
        ] {
            let [head, rest] = RequestSlot::of_holepunch(message);
            assert_eq!(head.holepunch(&rest), message);
            assert_eq!((head.step, rest.step), (Step::Holepunch, Step::Address));
        }
    }
}

#[test]
fn requests_for_hashes_come_back() {
    for (base, index, length, proof_layers) in [(0, 512, 512, 16), (63, 8_192, 8_192, 63)] {
        let range = HashRange { root: [5; 32], base, index, length, proof_layers };
        let slot = RequestSlot::hashes(&range, 70_000);
        assert_eq!((slot.range([5; 32]), slot.file()), (range, 70_000));
    }
}

/// A reject names the request as it was, however long.
#[test]
fn a_refused_request_keeps_its_length() {
    let invalid = Block { piece: PieceIndex(7), begin: u32::MAX, len: 1 << 30 };
    assert_eq!(RequestSlot::refused(invalid, true).block(), invalid);
    assert_eq!(RequestSlot::refused(invalid, false).step, Step::Unused, "no answer");
    let valid = RequestSlot::new(block(7), Duration::from_millis(6), Step::Give);
    assert_eq!((valid.block(), valid.at()), (block(7), Stamp(6)));
}

/// Each peer has an equal share, of which the first half is for our requests.
#[test]
fn the_slots_are_shared_equally() {
    assert_eq!([0, 1, 2].map(|index| share(13, 3, index)), [0..4, 4..8, 8..12]);
    assert_eq!(share(13, 0, 0), 0..0);
    let mut slots = [RequestSlot::EMPTY; 12];
    for (at, piece) in [(4, 1), (6, 2), (8, 3), (9, 4)] {
        slots[at] = RequestSlot::new(block(piece), Duration::ZERO, Step::Sent);
    }
    let of = |index| -> Vec<u32> { ours(&slots, 3, index).map(|slot| slot.piece.0).collect() };
    assert_eq!([of(0), of(1), of(2), of(3)], [vec![], vec![1], vec![3, 4], vec![]]);
    let (requests, uploads) = Queue::both(&mut slots[4..8]);
    assert_eq!((requests.capacity(), uploads.capacity()), (2, 2));
    assert_eq!((pieces(&requests, Step::Sent), pieces(&uploads, Step::Sent)), (vec![1], vec![2]));
}
