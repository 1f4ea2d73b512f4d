//! Which peers the machine asks for chunks of a snapshot and for blocks, and what it no longer wants.

use core::time::Duration;

use ledger_core::gossip::{
    BlockVerdict, CloseReason, HeadersWriter, Message, NotFound, SnapshotPlace, Status,
};
use ledger_core::state::Key;
use ledger_core::{BlockId, ConnId, Height, Weight};

use crate::host::TestGossip;
use crate::machine::{NOW, asked_for_a_block, closed, events, gossip, hello, receivers, say, sent};

const X: BlockId = BlockId::from_bytes([0xAA; 32]);
const Y: BlockId = BlockId::from_bytes([0xBB; 32]);

fn place(block: BlockId, from: u8) -> SnapshotPlace {
    SnapshotPlace { block, from: Key::from_bytes([from; 32]) }
}

fn hands_out(gossip: &mut TestGossip, conn: u32, tip: BlockId) {
    say(gossip, NOW, conn, &Message::HaveSnapshot(Status { height: Height(4), tip }));
}

fn asked(gossip: &mut TestGossip) -> Vec<u32> {
    receivers(gossip, "GET_SNAPSHOT")
}

/// Peers 1 to 3, of which the first two hand out X and the third Y.
fn three() -> TestGossip {
    let mut gossip = gossip(4);
    for (conn, block) in [(1, X), (2, X), (3, Y)] {
        hello(&mut gossip, conn, 9);
        hands_out(&mut gossip, conn, block);
    }
    events(&mut gossip);
    sent(&mut gossip);
    gossip
}

#[test]
fn a_chunk_is_asked_of_those_who_hand_it_out() {
    let mut gossip = three();
    gossip.want_snapshot(NOW, Some(place(X, 0)));
    assert_eq!(asked(&mut gossip), [1]);
    assert_eq!(asked(&mut gossip), [0; 0], "one at a time");
    gossip.want_snapshot(NOW, Some(place(X, 0)));
    assert_eq!(asked(&mut gossip), [0; 0], "it is asked for already");
    say(&mut gossip, NOW, 1, &Message::NotFound(NotFound::Snapshot(Y)));
    assert_eq!(asked(&mut gossip), [0; 0], "of another block");
    say(&mut gossip, NOW, 1, &Message::NotFound(NotFound::Snapshot(X)));
    assert_eq!(asked(&mut gossip), [2]);
    say(&mut gossip, NOW, 2, &Message::NotFound(NotFound::Snapshot(X)));
    assert_eq!(asked(&mut gossip), [0; 0], "none is left");
    hands_out(&mut gossip, 3, X);
    assert_eq!(asked(&mut gossip), [3], "it may have it now");
    let chunk = Message::Snapshot(place(X, 0), b"entries");
    let mut bytes = vec![0; chunk.encoded_len()];
    chunk.encode(&mut bytes).expect("it fits");
    let received = gossip.handle_bytes(NOW, ConnId(3), &bytes).expect("connected");
    assert_eq!(received.outcome, Some(chunk));
    assert_eq!(asked(&mut gossip), [0; 0]);
    // The next one of the same state, and then of another block.
    gossip.want_snapshot(NOW, Some(place(X, 1)));
    assert_eq!(asked(&mut gossip), [3], "it has answered at once");
    gossip.want_snapshot(NOW, Some(place(Y, 0)));
    assert_eq!(asked(&mut gossip), [0; 0], "nobody hands it out any more");
    gossip.want_snapshot(NOW, None);
    assert_eq!(asked(&mut gossip), [0; 0]);
}

/// A peer that does not answer within the timeout of a request is passed over, and asked again when all were.
#[test]
fn a_chunk_is_asked_of_the_next_after_the_timeout() {
    let mut gossip = three();
    gossip.want_snapshot(NOW, Some(place(X, 0)));
    assert_eq!(asked(&mut gossip), [1]);
    let late = NOW + Duration::from_secs(10);
    let early = late.saturating_sub(Duration::from_nanos(1));
    gossip.handle_timeout(early);
    assert_eq!(asked(&mut gossip), [0; 0]);
    assert!(gossip.poll_timeout().is_some_and(|at| at <= late));
    gossip.handle_timeout(late);
    assert_eq!(asked(&mut gossip), [2]);
    let later = late + Duration::from_secs(10);
    gossip.handle_timeout(later);
    assert_eq!(asked(&mut gossip), [1], "both were late once: the first again");
}

/// The time at which the next peer is asked for a chunk is among the deadlines.
#[test]
fn a_chunk_has_a_deadline() {
    let mut gossip = three();
    let at = NOW + Duration::from_secs(3);
    gossip.want_snapshot(at, Some(place(X, 0)));
    assert_eq!(asked(&mut gossip), [1]);
    let end = NOW + Duration::from_secs(20);
    let mut deadlines = Vec::new();
    while let Some(next) = gossip.poll_timeout().filter(|next| *next <= end) {
        gossip.handle_timeout(next);
        sent(&mut gossip);
        deadlines.push(next);
    }
    let late = at + Duration::from_secs(10);
    assert!(deadlines.contains(&late), "{deadlines:?}");
}

/// Chunks that nobody asked for are dropped, and too many of them end the connection.
#[test]
fn a_chunk_that_was_not_asked_for_is_dropped() {
    let mut gossip = three();
    gossip.want_snapshot(NOW, Some(place(X, 0)));
    assert_eq!(asked(&mut gossip), [1]);
    let chunk = |place| {
        let chunk = Message::Snapshot(place, b"entries");
        let mut bytes = vec![0; chunk.encoded_len()];
        chunk.encode(&mut bytes).expect("it fits");
        bytes
    };
    for (conn, place) in [(2, place(X, 0)), (1, place(X, 1)), (1, place(Y, 0))] {
        let bytes = chunk(place);
        let received = gossip.handle_bytes(NOW, ConnId(conn), &bytes).expect("connected");
        assert_eq!(received.outcome, None, "of {conn}: {place:?}");
    }
    let mut count = 1; // of peer 2
    while !events(&mut gossip).contains(&closed(2, CloseReason::Unsolicited)) {
        gossip.handle_bytes(NOW, ConnId(2), &chunk(place(X, 0))).expect("connected");
        count += 1;
        assert!(count <= 100);
    }
    assert_eq!(count, 20);
}

/// An own snapshot is announced to all, once, and to those that connect later.
#[test]
fn an_offer_is_announced_once() {
    let mut gossip = gossip(4);
    hello(&mut gossip, 1, 0);
    sent(&mut gossip);
    let offer = Some((Height(4), X));
    gossip.offer_snapshot(NOW, offer);
    assert_eq!(receivers(&mut gossip, "HAVE_SNAPSHOT"), [1]);
    gossip.offer_snapshot(NOW, offer);
    assert_eq!(receivers(&mut gossip, "HAVE_SNAPSHOT"), [0; 0], "the same");
    hello(&mut gossip, 2, 0);
    assert_eq!(receivers(&mut gossip, "HAVE_SNAPSHOT"), [2]);
    gossip.offer_snapshot(NOW, Some((Height(5), Y)));
    let mut all = receivers(&mut gossip, "HAVE_SNAPSHOT");
    all.sort_unstable();
    assert_eq!(all, [1, 2]);
    gossip.offer_snapshot(NOW, None);
    hello(&mut gossip, 3, 0);
    assert_eq!(receivers(&mut gossip, "HAVE_SNAPSHOT"), [0; 0]);
}

/// A block that is not wanted any more is not asked for again, and frees its slot for another.
#[test]
fn blocks_that_are_not_wanted_any_more_are_given_up() {
    let mut gossip = gossip(4);
    hello(&mut gossip, 1, 9);
    hello(&mut gossip, 2, 9);
    events(&mut gossip);
    sent(&mut gossip);
    let id = |n: u8| BlockId::from_bytes([n; 32]);
    let want =
        |numbers: core::ops::Range<u8>| numbers.map(|n| (Height(9), id(n))).collect::<Vec<_>>();
    gossip.want_blocks(NOW, &want(10..11));
    assert_eq!(asked_for_a_block(&mut gossip), [1]);
    gossip.want_blocks(NOW, &[]);
    say(&mut gossip, NOW, 1, &Message::NotFound(NotFound::Block(id(10))));
    assert_eq!(asked_for_a_block(&mut gossip), [0; 0], "nobody wants it");
    assert_eq!(events(&mut gossip), []);
    // As many as there are slots: the first four, of which each peer is asked for one at first.
    gossip.want_blocks(NOW, &want(20..30));
    assert_eq!(asked_for_a_block(&mut gossip), [1, 2]);
    gossip.want_blocks(NOW, &want(20..30));
    assert_eq!(asked_for_a_block(&mut gossip), [0; 0], "they are asked for");
    for (conn, n) in [(1, 20), (2, 21)] {
        say(&mut gossip, NOW, conn, &Message::NotFound(NotFound::Block(id(n))));
    }
    let more = asked_for_a_block(&mut gossip);
    assert_eq!(more.len(), 2, "{more:?}");
}

/// The next peer is asked at once when the one that was asked for a block leaves, not after a timeout.
#[test]
fn a_block_is_asked_of_another_when_a_peer_leaves() {
    let mut gossip = gossip(4);
    hello(&mut gossip, 1, 9);
    hello(&mut gossip, 2, 9);
    sent(&mut gossip);
    gossip.want_blocks(NOW, &[(Height(9), X)]);
    assert_eq!(asked_for_a_block(&mut gossip), [1]);
    gossip.handle_closed(NOW, ConnId(1));
    assert_eq!(asked_for_a_block(&mut gossip), [2]);
}

/// A block that one peer does not have is still to come from the one that was asked for it.
#[test]
fn a_peer_that_was_not_asked_for_a_block_does_not_decline_it() {
    let mut gossip = gossip(4);
    for conn in 1..=3 {
        hello(&mut gossip, conn, 9);
    }
    sent(&mut gossip);
    gossip.want_blocks(NOW, &[(Height(8), X), (Height(9), Y)]);
    assert_eq!(asked_for_a_block(&mut gossip), [1, 2]);
    for (conn, block) in [(1, Y), (2, X)] {
        say(&mut gossip, NOW, conn, &Message::NotFound(NotFound::Block(block)));
        assert_eq!(asked_for_a_block(&mut gossip), [0; 0]);
    }
    say(&mut gossip, NOW, 1, &Message::NotFound(NotFound::Block(X)));
    assert_eq!(asked_for_a_block(&mut gossip), [3]);
}

/// The next peer is asked at once when the one that was asked for a chunk of a snapshot leaves.
#[test]
fn a_chunk_is_asked_of_another_when_a_peer_leaves() {
    let mut gossip = three();
    gossip.want_snapshot(NOW, Some(place(X, 0)));
    assert_eq!(asked(&mut gossip), [1]);
    gossip.handle_closed(NOW, ConnId(1));
    assert_eq!(asked(&mut gossip), [2]);
}

/// Headers are asked for from the own chain on, once a peer has sent all that it had: what is accepted after that does not
/// continue its answer.
#[test]
fn a_finished_answer_is_not_continued() {
    let mut gossip = gossip(4);
    hello(&mut gossip, 1, 5);
    let asks = |gossip: &mut TestGossip| {
        let all = sent(gossip).into_iter().map(|(_, text)| text);
        all.filter(|text| text.starts_with("GET_HEADERS")).collect::<Vec<_>>()
    };
    let from_genesis = ["GET_HEADERS after=00000000 ids=1"];
    assert_eq!(asks(&mut gossip), from_genesis);
    let mut headers = [0; 6];
    let len = HeadersWriter::new(&mut headers).expect("it fits").finish(false);
    gossip.handle_bytes(NOW, ConnId(1), &headers[..len]).expect("it has no more headers");
    let accepted = BlockVerdict::Accepted { id: X, height: Height(5), weight: Weight(5) };
    gossip.handle_header_checked(NOW, ConnId(1), accepted);
    say(&mut gossip, NOW, 1, &Message::Status(Status { height: Height(6), tip: Y }));
    assert_eq!(asks(&mut gossip), from_genesis);
}

/// A peer that was sent nothing for the time of `keep_alive` gets the status again; one without a hello does not.
#[test]
fn an_idle_connection_is_kept_alive() {
    let mut gossip = gossip(4);
    hello(&mut gossip, 1, 0);
    gossip.handle_connected(NOW, ConnId(2), true).expect("there is room");
    events(&mut gossip);
    sent(&mut gossip);
    let mut headers = [0; 6];
    let len = HeadersWriter::new(&mut headers).expect("it fits").finish(false);
    gossip.handle_bytes(NOW, ConnId(1), &headers[..len]).expect("it has no more headers");
    let due = NOW + Duration::from_secs(30);
    let mut now = NOW;
    while now < due {
        let next = gossip.poll_timeout().expect("a deadline").min(due);
        assert!(next > now);
        now = next;
        gossip.handle_timeout(now);
        let expected: &[u32] = if now < due { &[] } else { &[1] };
        assert_eq!(
            receivers(&mut gossip, "STATUS"),
            expected,
            "after {:?}",
            now.saturating_sub(NOW)
        );
    }
}
