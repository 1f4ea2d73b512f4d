//! The machine alone: who is disconnected, for what, and who is asked next.

use core::time::Duration;

use ledger_core::gossip::{
    BlockVerdict, CloseReason, Event, FRAME_LEN, Gossip, GossipConfig, Hello, Message, NotFound,
    Status, TransactionVerdict, TxIds,
};
use ledger_core::{
    Action, BlockId, ConfigError, ConnId, Full, GenesisId, Hash, Height, KeyPair, Tip, Transaction,
    TxId,
};

use crate::host::TestGossip;
use ledger_core::gossip::{BlockRequest, GossipSlots, PeerSlot, TransactionSlot};

pub(crate) const NOW: Duration = Duration::from_secs(5000);

pub(crate) fn gossip_of(config: GossipConfig, peers: usize) -> TestGossip {
    let storage = GossipSlots {
        peers: vec![PeerSlot::EMPTY; peers],
        blocks: vec![BlockRequest::EMPTY; 4],
        transactions: vec![TransactionSlot::EMPTY; 64],
    };
    Gossip::new(config, storage).expect("it can work")
}

pub(crate) fn gossip(peers: usize) -> TestGossip {
    gossip_of(GossipConfig::new(GenesisId::default(), 4096, 1), peers)
}

pub(crate) fn say(gossip: &mut TestGossip, now: Duration, conn: u32, message: &Message<'_>) {
    let mut out = vec![0; message.encoded_len()];
    message.encode(&mut out).expect("encoded_len suffices");
    let received = gossip.handle_bytes(now, ConnId(conn), &out).expect("it is connected");
    assert_eq!(received.consumed, out.len());
}

pub(crate) fn hello(gossip: &mut TestGossip, conn: u32, height: u64) {
    gossip.handle_connected(NOW, ConnId(conn), true).expect("there is room");
    let status = Status { height: Height(height), tip: BlockId::from_bytes([conn as u8 + 1; 32]) };
    let hello = Hello { genesis: GenesisId::default(), nonce: 7, status };
    say(gossip, NOW, conn, &Message::Hello(hello));
}

/// Returns all that is sent, as text.
pub(crate) fn sent(gossip: &mut TestGossip) -> Vec<(u32, String)> {
    let mut buf = [0; Message::MAX_CONTROL_LEN];
    let mut sent = Vec::new();
    while let Some(transmit) = gossip.poll_transmit(&mut buf).expect("it suffices") {
        let (message, rest) = Message::decode(&buf[..transmit.len]).expect("a message");
        assert!(rest.is_empty());
        sent.push((transmit.conn.0, message.to_string()));
    }
    sent
}

/// Sends all, and returns the peers that get a message of this kind.
pub(crate) fn receivers(gossip: &mut TestGossip, kind: &str) -> Vec<u32> {
    let all = sent(gossip).into_iter();
    all.filter(|(_, text)| text.starts_with(kind)).map(|(conn, _)| conn).collect()
}

pub(crate) fn asked_for_a_block(gossip: &mut TestGossip) -> Vec<u32> {
    receivers(gossip, "GET_BLOCK")
}

pub(crate) fn asked_for_a_transaction(gossip: &mut TestGossip) -> Vec<u32> {
    receivers(gossip, "GET_TRANSACTION")
}

/// Returns a signed payment and its id.
fn payment() -> (TxId, Vec<u8>) {
    let key = KeyPair::from_secret(&[1; 32]);
    let pay = Transaction::new(key.account(), 0, Action::Pay { to: key.account(), amount: 1 });
    let mut buf = [0; Transaction::MAX_LEN];
    let signed = pay.sign(&GenesisId::default(), &key, &mut buf).expect("its own key");
    (signed.id(&GenesisId::default()), signed.as_bytes().to_vec())
}

/// Returns what a machine says to a peer first.
fn own_hello(gossip: &mut TestGossip) -> Hello {
    gossip.handle_connected(NOW, ConnId(0), true).expect("there is room");
    let mut buf = [0; Message::MAX_CONTROL_LEN];
    let transmit = gossip.poll_transmit(&mut buf).expect("it suffices").expect("a hello");
    match Message::decode(&buf[..transmit.len]) {
        Ok((Message::Hello(hello), _)) => hello,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn events(gossip: &mut TestGossip) -> Vec<Event> {
    core::iter::from_fn(|| gossip.poll_event()).collect()
}

pub(crate) fn closed(conn: u32, reason: CloseReason) -> Event {
    Event::Closed { conn: ConnId(conn), reason }
}

#[test]
fn only_what_can_never_be_valid_disconnects() {
    let id = BlockId::default();
    let weight = ledger_core::Weight(1);
    for (verdict, closes) in [
        (BlockVerdict::Accepted { id, height: Height(5), weight }, false),
        (BlockVerdict::NotYet, false),
        (BlockVerdict::Orphan, false),
        (BlockVerdict::NoRoom, false),
        (BlockVerdict::Invalid, true),
    ] {
        let mut gossip = gossip(4);
        hello(&mut gossip, 1, 5);
        events(&mut gossip);
        for _ in 0..1000 {
            gossip.handle_header_checked(NOW, ConnId(1), verdict);
            gossip.handle_block_checked(NOW, ConnId(1), verdict);
        }
        let expected = if closes { vec![closed(1, CloseReason::Invalid)] } else { vec![] };
        assert_eq!(events(&mut gossip), expected, "{verdict:?}");
    }
    assert!(CloseReason::Invalid.is_misbehaviour());
    assert!(!CloseReason::Stalled.is_misbehaviour());
}

#[test]
fn other_chains_itself_and_malformed_bytes_are_disconnected() {
    let status = Status { height: Height(0), tip: BlockId::default() };
    let other = Hello { genesis: GenesisId::from_bytes([9; 32]), nonce: 7, status };
    let itself = own_hello(&mut gossip(4));
    assert_ne!(itself.nonce, 1, "the seed is secret");
    for (message, reason) in [
        (Message::Hello(other), CloseReason::WrongChain),
        (Message::Hello(itself), CloseReason::Itself),
        (Message::Status(status), CloseReason::Malformed), // before the hello
    ] {
        let mut gossip = gossip(4);
        gossip.handle_connected(NOW, ConnId(1), false).expect("there is room");
        say(&mut gossip, NOW, 1, &message);
        assert_eq!(events(&mut gossip), [closed(1, reason)]);
    }
    // A block that is longer than any may be is refused when its length is known.
    let mut gossip = gossip(4);
    hello(&mut gossip, 1, 5);
    events(&mut gossip);
    let front = [6, 0, 0, 0x10, 1];
    assert_eq!(front.len(), FRAME_LEN);
    gossip.handle_bytes(NOW, ConnId(1), &front).expect("it is connected");
    assert_eq!(events(&mut gossip), [closed(1, CloseReason::Malformed)]);
}

#[test]
fn silent_peers_are_disconnected_and_others_are_kept() {
    let mut config = GossipConfig::new(GenesisId::default(), 4096, 1);
    config.max_stalls = u8::MAX;
    let mut gossip = gossip_of(config, 4);
    hello(&mut gossip, 1, 0);
    hello(&mut gossip, 2, 0);
    gossip.handle_connected(NOW, ConnId(3), false).expect("there is room");
    events(&mut gossip);
    sent(&mut gossip);
    let status = Status { height: Height(0), tip: GenesisId::default().block_id() };
    let mut reports = Vec::new();
    for second in 1..=100 {
        let now = NOW + Duration::from_secs(second);
        gossip.handle_timeout(now);
        say(&mut gossip, now, 1, &Message::Status(status));
        reports.extend(events(&mut gossip).into_iter().map(|event| (second, event)));
        sent(&mut gossip);
    }
    let expected = [(10, closed(3, CloseReason::NoHello)), (90, closed(2, CloseReason::Silent))];
    assert_eq!(reports, expected);
}

/// The first peer has nothing, the second does not answer, the third delivers.
#[test]
fn a_block_is_asked_for_until_somebody_delivers_it() {
    let mut gossip = gossip(4);
    for conn in 1..=3 {
        hello(&mut gossip, conn, 9);
    }
    hello(&mut gossip, 4, 8); // not far enough
    events(&mut gossip);
    sent(&mut gossip);
    let id = BlockId::from_bytes([5; 32]);
    gossip.want_blocks(NOW, &[(Height(9), id)]);
    assert_eq!(asked_for_a_block(&mut gossip), [1]);
    say(&mut gossip, NOW, 1, &Message::NotFound(NotFound::Block(id)));
    assert_eq!(asked_for_a_block(&mut gossip), [2]);
    let later = NOW + Duration::from_secs(2); // since there is a third
    assert!(gossip.poll_timeout().is_some_and(|at| at <= later));
    gossip.handle_timeout(later);
    assert_eq!(asked_for_a_block(&mut gossip), [3]);
    say(&mut gossip, later, 3, &Message::NotFound(NotFound::Block(id)));
    assert_eq!(asked_for_a_block(&mut gossip), [0; 0]);
    assert_eq!(events(&mut gossip), [Event::Unavailable { id }]);
    gossip.handle_timeout(later + Duration::from_secs(5));
    assert_eq!(asked_for_a_block(&mut gossip), [1], "all are asked again");
}

/// Headers may overtake the status of a chain that has just grown. Who sends a header has the block.
#[test]
fn who_sends_a_header_is_asked_for_its_body_before_its_status_comes() {
    let mut gossip = gossip(4);
    hello(&mut gossip, 1, 8);
    events(&mut gossip);
    sent(&mut gossip);
    let id = BlockId::from_bytes([5; 32]);
    let weight = ledger_core::Weight(9);
    let verdict = BlockVerdict::Accepted { id, height: Height(9), weight };
    gossip.handle_header_checked(NOW, ConnId(1), verdict);
    gossip.want_blocks(NOW, &[(Height(9), id)]);
    assert_eq!(events(&mut gossip), []);
    assert_eq!(asked_for_a_block(&mut gossip), [1]);
}

#[test]
fn a_peer_that_had_no_body_is_asked_again_after_its_tip_has_changed() {
    let mut gossip = gossip(4);
    hello(&mut gossip, 1, 9);
    hello(&mut gossip, 2, 9);
    events(&mut gossip);
    sent(&mut gossip);
    let id = BlockId::from_bytes([5; 32]);
    gossip.want_blocks(NOW, &[(Height(9), id)]);
    assert_eq!(asked_for_a_block(&mut gossip), [1]);
    say(&mut gossip, NOW, 1, &Message::NotFound(NotFound::Block(id)));
    assert_eq!(asked_for_a_block(&mut gossip), [2]);
    let status = Status { height: Height(10), tip: BlockId::from_bytes([6; 32]) };
    say(&mut gossip, NOW, 1, &Message::Status(status));
    say(&mut gossip, NOW, 2, &Message::NotFound(NotFound::Block(id)));
    assert_eq!(events(&mut gossip), [], "it is not unavailable");
    assert_eq!(asked_for_a_block(&mut gossip), [1]);
}

/// What the state after one block refuses may be good after another: the branch that used the sequence number is gone.
#[test]
fn a_transaction_that_was_refused_is_asked_for_again_after_another_tip() {
    let mut gossip = gossip(4);
    hello(&mut gossip, 1, 0);
    events(&mut gossip);
    let (id, signed) = payment();
    let ids = [*id.as_bytes()];
    let announcement = Message::HaveTransactions(TxIds::new(&ids));
    let asked = |gossip: &mut TestGossip| {
        say(gossip, NOW, 1, &announcement);
        asked_for_a_transaction(gossip) == [1]
    };
    assert!(asked(&mut gossip));
    say(&mut gossip, NOW, 1, &Message::Transaction(&signed));
    gossip.handle_transaction_checked(NOW, ConnId(1), &id, TransactionVerdict::Refused);
    assert!(!asked(&mut gossip), "it was refused");
    let tip = Tip {
        height: Height(1),
        id: BlockId::from_bytes([1; 32]),
        time: 1,
        state: Hash::of(b""),
        weight: ledger_core::Weight(1),
    };
    gossip.handle_tip(NOW, &tip, &[tip.id]);
    assert!(asked(&mut gossip));
}

#[test]
fn a_peer_that_stalls_is_replaced_unless_it_is_the_only_one() {
    for peers in [1, 2] {
        let mut gossip = gossip(4);
        for conn in 0..peers {
            hello(&mut gossip, conn, 9);
        }
        events(&mut gossip);
        let mut now = NOW;
        let mut stalled = Vec::new();
        let status = Status { height: Height(9), tip: BlockId::from_bytes([9; 32]) };
        for _ in 0..10 {
            sent(&mut gossip);
            now += Duration::from_secs(10);
            for conn in 0..peers {
                let _ = gossip.handle_bytes(now, ConnId(conn), &{
                    let mut out = [0; 45];
                    Message::Status(status).encode(&mut out).expect("it fits");
                    out
                });
            }
            gossip.handle_timeout(now);
            stalled.extend(events(&mut gossip));
        }
        let expected = usize::from(peers > 1);
        let count = stalled
            .iter()
            .filter(|event| matches!(event, Event::Closed { reason: CloseReason::Stalled, .. }))
            .count();
        assert_eq!(count, expected, "{stalled:?}");
    }
}

#[test]
fn who_connects_cannot_take_all_slots() {
    let mut config = GossipConfig::new(GenesisId::default(), 4096, 1);
    config.reserved_for_dialled = 1;
    let mut gossip = gossip_of(config, 3);
    for conn in 0..2 {
        assert_eq!(gossip.handle_connected(NOW, ConnId(conn), false), Ok(()));
    }
    let full = Err(Full { capacity: 3 });
    assert_eq!(gossip.handle_connected(NOW, ConnId(2), false), full);
    assert_eq!(gossip.handle_connected(NOW, ConnId(2), true), Ok(()));
    assert_eq!(gossip.handle_connected(NOW, ConnId(3), true), full);
    // Without a slot at all.
    assert_eq!(
        gossip_of(config, 0).handle_connected(NOW, ConnId(0), true),
        Err(Full { capacity: 0 })
    );
}

#[test]
fn what_nobody_asked_for_is_dropped_and_punished_in_the_end() {
    let mut gossip = gossip(4);
    hello(&mut gossip, 1, 5);
    events(&mut gossip);
    let mut headers = [0; 6];
    let writer = ledger_core::gossip::HeadersWriter::new(&mut headers).expect("it fits");
    let len = writer.finish(false);
    assert_eq!(sent(&mut gossip).last().expect("it asks").1, "GET_HEADERS after=00000000 ids=1");
    let first = gossip.handle_bytes(NOW, ConnId(1), &headers[..len]).expect("it is connected");
    assert!(first.outcome.is_some(), "the answer");
    let mut reports = Vec::new();
    for n in 1..=30 {
        let received = gossip.handle_bytes(NOW, ConnId(1), &headers[..len]);
        assert!(received.is_ok_and(|received| received.outcome.is_none()));
        reports.extend(events(&mut gossip).into_iter().map(|event| (n, event)));
        if !reports.is_empty() {
            break;
        }
    }
    assert_eq!(reports, [(20, closed(1, CloseReason::Unsolicited))]);
}

/// The id of a transaction does not cover its signatures.
#[test]
fn a_forged_transaction_does_not_keep_the_right_one_out() {
    let (id, signed) = payment();
    let mut forged = signed.clone();
    *forged.last_mut().expect("not empty") ^= 1;
    for closes_first in [false, true] {
        let mut gossip = gossip(4);
        hello(&mut gossip, 1, 0);
        hello(&mut gossip, 2, 0);
        sent(&mut gossip);
        for conn in [1, 2] {
            let ids = [*id.as_bytes()];
            say(&mut gossip, NOW, conn, &Message::HaveTransactions(TxIds::new(&ids)));
        }
        let asked = sent(&mut gossip);
        assert!(matches!(&asked[..], [(1, _)]), "{asked:?}");
        say(&mut gossip, NOW, 1, &Message::Transaction(&forged));
        if closes_first {
            gossip.handle_closed(NOW, ConnId(1));
        }
        gossip.handle_transaction_checked(NOW, ConnId(1), &id, TransactionVerdict::Invalid);
        let asked = sent(&mut gossip);
        assert!(matches!(&asked[..], [(2, _)]), "{asked:?}");
        let mut out = vec![0; 1000];
        let len = Message::Transaction(&signed).encode(&mut out).expect("it fits");
        let received = gossip.handle_bytes(NOW, ConnId(2), &out[..len]).expect("connected");
        assert_eq!(received.outcome, Some(Message::Transaction(&signed)));
        gossip.handle_transaction_checked(NOW, ConnId(2), &id, TransactionVerdict::Accepted);
        // A late verdict on the forged one does not take the good one back.
        gossip.handle_transaction_checked(NOW, ConnId(1), &id, TransactionVerdict::Invalid);
        say(&mut gossip, NOW, 2, &Message::Transaction(&signed));
        hello(&mut gossip, 3, 0);
        let announced = sent(&mut gossip);
        let is_news =
            |(conn, text): &(u32, String)| *conn == 3 && text.starts_with("HAVE_TRANSACTIONS");
        assert!(announced.iter().any(is_news), "{announced:?}");
    }
}

/// A peer that announced a transaction and does not deliver it is replaced by another that announced it.
#[test]
fn a_transaction_is_asked_of_another_after_the_timeout() {
    let mut gossip = gossip(4);
    for conn in 1..=2 {
        hello(&mut gossip, conn, 0);
    }
    sent(&mut gossip);
    for conn in 1..=2 {
        let ids = [[9; 32]];
        say(&mut gossip, NOW, conn, &Message::HaveTransactions(TxIds::new(&ids)));
    }
    assert_eq!(asked_for_a_transaction(&mut gossip), [1]);
    let mut now = NOW;
    let mut others = Vec::new();
    while now < NOW + Duration::from_secs(60) && others.is_empty() {
        let due = gossip.poll_timeout().expect("a request has a deadline");
        assert!(due > now);
        now = due;
        gossip.handle_timeout(now);
        others = asked_for_a_transaction(&mut gossip);
    }
    assert_eq!(others, [2]);
}

/// A transaction of a block is not announced to peers that connect later.
#[test]
fn a_confirmed_transaction_is_not_announced() {
    let (id, _) = payment();
    for is_confirmed in [false, true] {
        let mut gossip = gossip(4);
        gossip.announce_transaction(NOW, &id);
        if is_confirmed {
            gossip.forget_transaction(NOW, &id);
        }
        hello(&mut gossip, 1, 0);
        let announced = sent(&mut gossip);
        let is_news = |(_, text): &(u32, String)| text.starts_with("HAVE_TRANSACTIONS");
        assert_eq!(announced.iter().any(is_news), !is_confirmed, "{announced:?}");
    }
}

#[test]
fn a_timeout_of_zero_is_refused_and_sizes_are_as_documented() {
    let mut config = GossipConfig::new(GenesisId::default(), 4096, 1);
    config.retry = Duration::ZERO;
    let storage = GossipSlots { peers: [PeerSlot::EMPTY; 0], blocks: [], transactions: [] };
    assert_eq!(Gossip::new(config, storage).map(|_| ()), Err(ConfigError::ZeroTimeout));
    println!(
        "{} {} {} {}",
        size_of::<PeerSlot>(),
        size_of::<BlockRequest>(),
        size_of::<TransactionSlot>(),
        size_of::<Gossip<GossipSlots<(), (), ()>>>()
    );
    assert!(size_of::<PeerSlot>() <= 256);
    assert!(size_of::<BlockRequest>() <= 112);
    assert!(size_of::<TransactionSlot>() <= 88);
    assert!(size_of::<Gossip<GossipSlots<(), (), ()>>>() <= 1728);
}
