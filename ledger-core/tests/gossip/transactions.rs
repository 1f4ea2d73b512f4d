//! Which transactions the machine asks for, how many, and which it forgets when its slots are full.

use core::time::Duration;

use ledger_core::gossip::{
    BlockRequest, Gossip, GossipConfig, GossipSlots, HeadersWriter, Message, NotFound, PeerSlot,
    TransactionSlot, TxIds,
};
use ledger_core::{ConnId, GenesisId, TxId};

use crate::host::TestGossip;
use crate::machine::{NOW, asked_for_a_transaction, events, gossip, hello, receivers, say, sent};

fn id(n: u8) -> TxId {
    TxId::from_bytes([n; 32])
}

fn announce(gossip: &mut TestGossip, now: Duration, conn: u32, ids: core::ops::Range<u8>) {
    let ids: Vec<_> = ids.map(|n| [n; 32]).collect();
    say(gossip, now, conn, &Message::HaveTransactions(TxIds::new(&ids)));
}

/// A machine with this number of slots that asks each peer for this many transactions per second.
fn with(slots: usize, per_second: u16) -> TestGossip {
    let mut config = GossipConfig::new(GenesisId::default(), 4096, 1);
    config.transactions_per_second = per_second;
    let storage = GossipSlots {
        peers: vec![PeerSlot::EMPTY; 4],
        blocks: vec![BlockRequest::EMPTY; 4],
        transactions: vec![TransactionSlot::EMPTY; slots],
    };
    Gossip::new(config, storage).expect("it can work")
}

/// Connects a peer that has no headers.
fn connect(gossip: &mut TestGossip, conn: u32) {
    hello(gossip, conn, 0);
    events(gossip);
    sent(gossip);
    let mut headers = [0; 6];
    let len = HeadersWriter::new(&mut headers).expect("it fits").finish(false);
    gossip.handle_bytes(NOW, ConnId(conn), &headers[..len]).expect("it is connected");
}

/// A peer that was asked and does not have it, or leaves, is replaced by another that announced it.
#[test]
fn another_is_asked_when_the_one_that_was_asked_cannot_deliver() {
    for leaves in [false, true] {
        let mut gossip = gossip(4);
        for conn in 1..=3 {
            hello(&mut gossip, conn, 0);
        }
        sent(&mut gossip);
        for conn in 1..=3 {
            announce(&mut gossip, NOW, conn, 7..8);
        }
        assert_eq!(asked_for_a_transaction(&mut gossip), [1]);
        let missing = Message::NotFound(NotFound::Transaction(id(7)));
        say(&mut gossip, NOW, 2, &missing);
        assert_eq!(asked_for_a_transaction(&mut gossip), [0; 0], "it was not asked");
        if leaves {
            gossip.handle_closed(NOW, ConnId(1));
        } else {
            say(&mut gossip, NOW, 1, &missing);
        }
        assert_eq!(asked_for_a_transaction(&mut gossip), [2]);
        say(&mut gossip, NOW, 2, &missing);
        assert_eq!(asked_for_a_transaction(&mut gossip), [3]);
        say(&mut gossip, NOW, 3, &missing);
        assert_eq!(asked_for_a_transaction(&mut gossip), [0; 0]);
        announce(&mut gossip, NOW, 1 + u32::from(leaves), 7..8);
        assert_eq!(asked_for_a_transaction(&mut gossip).len(), 1, "it is forgotten, and new again");
    }
}

/// A peer is asked for four times its share of a second at once, and then for its share.
#[test]
fn announcements_beyond_the_share_of_a_peer_are_ignored() {
    let mut gossip = with(64, 1);
    connect(&mut gossip, 1);
    announce(&mut gossip, NOW, 1, 0..6);
    assert_eq!(asked_for_a_transaction(&mut gossip), [1; 4]);
    announce(&mut gossip, NOW, 1, 10..12);
    assert_eq!(asked_for_a_transaction(&mut gossip), [0; 0]);
    announce(&mut gossip, NOW + Duration::from_secs(3), 1, 20..26);
    assert_eq!(asked_for_a_transaction(&mut gossip), [1; 3]);
    announce(&mut gossip, NOW + Duration::from_secs(7), 1, 30..40);
    assert_eq!(asked_for_a_transaction(&mut gossip), [1; 4]);
}

/// One peer has no more transactions under way than one message announces, whatever its share.
#[test]
fn one_peer_fills_no_more_than_its_part_of_the_slots() {
    let mut gossip = with(64, 50);
    connect(&mut gossip, 1);
    connect(&mut gossip, 2);
    announce(&mut gossip, NOW, 1, 0..20);
    announce(&mut gossip, NOW, 1, 20..40);
    assert_eq!(asked_for_a_transaction(&mut gossip), [1; 32]);
    announce(&mut gossip, NOW, 2, 100..110);
    assert_eq!(asked_for_a_transaction(&mut gossip), [2; 10]);
    say(&mut gossip, NOW, 1, &Message::NotFound(NotFound::Transaction(id(3))));
    announce(&mut gossip, NOW, 1, 40..50);
    assert_eq!(asked_for_a_transaction(&mut gossip), [1]);
}

/// A peer that has announced as many as a message holds, and has delivered them, is told when it may announce more.
#[test]
fn a_peer_with_more_is_told_when_to_announce_them() {
    let mut gossip = with(64, 1);
    connect(&mut gossip, 1);
    announce(&mut gossip, NOW, 1, 0..32);
    assert_eq!(asked_for_a_transaction(&mut gossip), [1; 4]);
    let due = NOW + Duration::from_secs(4); // credit for four
    assert_eq!(gossip.poll_timeout(), Some(due));
    gossip.handle_timeout(due);
    assert_eq!(receivers(&mut gossip, "MORE_TRANSACTIONS"), [0; 0], "four are still to come");
    for n in 0..4 {
        say(&mut gossip, due, 1, &Message::NotFound(NotFound::Transaction(id(n))));
    }
    assert_eq!(receivers(&mut gossip, "MORE_TRANSACTIONS"), [1]);
    assert_eq!(receivers(&mut gossip, "MORE_TRANSACTIONS"), [0; 0], "once");
}

/// A message announces 32 transactions. The others follow when the peer asks for them, or after the time of `retry`.
#[test]
fn what_does_not_fit_a_message_is_announced_later() {
    for asks in [false, true] {
        let mut gossip = with(64, 50);
        connect(&mut gossip, 1);
        for n in 0..40 {
            gossip.announce_transaction(NOW, &id(n));
        }
        assert_eq!(sent(&mut gossip), [(1, "HAVE_TRANSACTIONS ids=32".to_owned())]);
        let due = NOW + Duration::from_secs(5);
        assert_eq!(gossip.poll_timeout(), Some(due));
        if asks {
            say(&mut gossip, NOW, 1, &Message::MoreTransactions);
        } else {
            gossip.handle_timeout(due);
        }
        assert_eq!(sent(&mut gossip), [(1, "HAVE_TRANSACTIONS ids=8".to_owned())]);
        assert!(gossip.poll_timeout().is_some_and(|at| at > due), "nothing is left to announce");
    }
}

/// Returns the ids that a new peer is sent.
fn announced_to(gossip: &mut TestGossip, conn: u32) -> Vec<TxId> {
    hello(gossip, conn, 0);
    let mut buf = [0; Message::MAX_CONTROL_LEN];
    let mut ids = Vec::new();
    while let Some(transmit) = gossip.poll_transmit(&mut buf).expect("it suffices") {
        let is_new = transmit.conn == ConnId(conn);
        if let Ok((Message::HaveTransactions(found), _)) = Message::decode(&buf[..transmit.len])
            && is_new
        {
            ids.extend(found.iter());
        }
    }
    ids
}

/// The oldest that is known gives way; one that is asked for only to one of this node.
#[test]
fn the_oldest_transaction_gives_way() {
    let mut gossip = with(3, 50);
    for n in 1..=5 {
        gossip.announce_transaction(NOW, &id(n));
    }
    assert_eq!(announced_to(&mut gossip, 1), [3, 4, 5].map(id));
    // Announcements take the slots of known ones, and not of each other.
    announce(&mut gossip, NOW, 1, 10..16);
    assert_eq!(asked_for_a_transaction(&mut gossip), [1; 3]);
    announce(&mut gossip, NOW, 1, 20..21);
    assert_eq!(asked_for_a_transaction(&mut gossip), [0; 0]);
    assert_eq!(announced_to(&mut gossip, 2), []);
    gossip.announce_transaction(NOW, &id(6));
    assert_eq!(announced_to(&mut gossip, 3), [id(6)]);
    say(&mut gossip, NOW, 1, &Message::NotFound(NotFound::Transaction(id(10))));
    announce(&mut gossip, NOW, 1, 21..22);
    assert_eq!(asked_for_a_transaction(&mut gossip), [1], "in the slot of the one that is known");
    // Without slots nothing is remembered.
    let mut none = with(0, 50);
    none.announce_transaction(NOW, &id(1));
    assert_eq!(announced_to(&mut none, 1), []);
}
