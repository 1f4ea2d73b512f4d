//! The edges of the peer book: shares to the address, late dials, and the order of draws.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeSet;

use bittorrent_pieces::peer_book::{
    Added, AdmissionError, BookEvent, PeerBookConfig, PeerBookLimits, PeerBookVec, PeerSource,
};
use bittorrent_pieces::priority::peer_priority;
use bittorrent_pieces::{ConnId, PeerBook};

type Book = PeerBook<PeerBookVec>;

const ZERO: Duration = Duration::ZERO;
const SECOND: Duration = Duration::from_secs(1);

fn book_of(seed: u64, addresses: u16) -> Book {
    let mut limits = PeerBookLimits::new();
    limits.addresses = addresses;
    limits.conns = 50;
    PeerBook::new(PeerBookConfig::new(seed), PeerBookVec::new(limits)).expect("nothing is zero")
}

/// An address of its own network for each number.
fn host(number: u8) -> SocketAddr {
    SocketAddr::from(([20, 0, number, 1], 6881))
}

fn events(book: &mut Book) -> Vec<BookEvent> {
    core::iter::from_fn(|| book.poll_event()).collect()
}

/// Runs the timers of a time, as often as one is due; returns the dialled addresses in order.
fn dials(book: &mut Book, until: Duration) -> Vec<SocketAddr> {
    let mut dialled = vec![];
    while let Some(at) = book.poll_timeout().filter(|at| *at <= until) {
        book.handle_timeout(at);
        dialled.extend(events(book).into_iter().filter_map(|event| match event {
            BookEvent::Dial { addr } => Some(addr),
            _ => None,
        }));
    }
    dialled
}

/// A kind of source that has less than an eighth of a full book gets that much, and no more.
#[test]
fn a_kind_of_source_gets_an_eighth_of_a_full_book() {
    let mut book = book_of(1, 16);
    for n in 0..16 {
        assert_eq!(book.add(ZERO, host(n), PeerSource::Tracker, false), Added::New);
    }
    assert_eq!(book.add(ZERO, host(90), PeerSource::Tracker, false), Added::Full);
    for n in 100..102 {
        assert_eq!(book.add(ZERO, host(n), PeerSource::Dht, false), Added::New);
    }
    assert_eq!(book.add(ZERO, host(102), PeerSource::Dht, false), Added::Full);
    assert_eq!(book.add(ZERO, host(103), PeerSource::User, false), Added::New);
    let known: BTreeSet<_> = book.addresses().map(|known| known.addr).collect();
    assert_eq!(known.len(), 16);
    assert!([100, 101, 103].iter().all(|n| known.contains(&host(*n))));
}

/// A network that has its part of the book trades an address that failed for a new one.
#[test]
fn an_address_that_failed_gives_way_to_one_of_its_network() {
    let mut book = book_of(1, 100);
    let of = |n: u8| SocketAddr::from(([20, 0, 0, n], 6881));
    for n in 1..=4 {
        assert_eq!(book.add(ZERO, of(n), PeerSource::Dht, false), Added::New);
    }
    assert_eq!(book.add(ZERO, of(5), PeerSource::Dht, false), Added::OverQuota);
    let [failed] = dials(&mut book, ZERO)[..] else { panic!("one dial is due") };
    book.handle_dial_failed(ZERO, failed);
    assert_eq!(book.add(ZERO, of(5), PeerSource::Dht, false), Added::New);
    assert_eq!(book.add(ZERO, of(6), PeerSource::Dht, false), Added::OverQuota);
    let known: Vec<_> = book.addresses().map(|known| known.addr).collect();
    assert!(!known.contains(&failed) && known.contains(&of(5)), "{known:?}");
}

/// Each dial has 20 seconds of its own, and a connection as long as it likes.
#[test]
fn a_late_dial_ends_no_other_dial_and_no_connection() {
    let mut book = book_of(1, 100);
    book.handle_accepted(ZERO, ConnId(1), host(1)).unwrap();
    book.handle_handshake(ZERO, ConnId(1));
    book.add(ZERO, host(2), PeerSource::Dht, false);
    assert_eq!(dials(&mut book, ZERO), [host(2)]);
    book.add(5 * SECOND, host(3), PeerSource::Dht, false);
    assert_eq!(dials(&mut book, 5 * SECOND), [host(3)]);
    book.handle_timeout(20 * SECOND);
    let late = book.handle_dialled(20 * SECOND, host(2), ConnId(2));
    assert_eq!(late, Err(AdmissionError::NotDialling));
    assert_eq!(book.handle_dialled(20 * SECOND, host(3), ConnId(3)), Ok(()));
    book.handle_handshake(20 * SECOND, ConnId(3));
    assert_eq!(book.connected(), 2, "the accepted one and the second dial");
}

/// As long as our own address is unknown, the order of dials is drawn.
#[test]
fn addresses_are_dialled_in_an_order_that_nobody_can_foresee() {
    let order = |seed| {
        let mut book = book_of(seed, 100);
        for n in 0..8 {
            book.add(ZERO, host(n), PeerSource::Dht, false);
        }
        dials(&mut book, 10 * SECOND)
    };
    let orders: BTreeSet<_> = (0..20).map(order).collect();
    assert!(orders.iter().all(|order| order.len() == 8));
    assert!(orders.len() >= 18, "8 addresses have 40,320 orders: {}", orders.len());
}

/// BEP 40: the priorities of known addresses follow from ours once that is known, of the same version of IP.
#[test]
fn known_addresses_have_priorities_once_our_own_is_known() {
    let ours: SocketAddr = "123.213.32.10:6881".parse().unwrap();
    let ours6: SocketAddr = "[2001:db8::1]:6881".parse().unwrap();
    let first = |seed| {
        let mut book = book_of(seed, 100);
        for n in 0..40 {
            book.add(ZERO, host(n), PeerSource::Dht, false);
        }
        book.set_own_address(ZERO, ours);
        book.set_own_address(ZERO, ours6);
        dials(&mut book, ZERO)[0]
    };
    let best = (0..40).map(|n| peer_priority(ours, host(n))).max().unwrap();
    let firsts = (0..200).map(first);
    let hits = firsts.filter(|addr| peer_priority(ours, *addr) == best).count();
    assert!(hits >= 90, "half of the draws go by priority: {hits} of 200");
}

/// The first port that a peer names is the one at which it listens. Port 0 does not count.
#[test]
fn a_peer_listens_on_the_first_port_that_it_names() {
    let mut book = book_of(1, 100);
    book.handle_accepted(ZERO, ConnId(1), host(1)).unwrap();
    for port in [0, 7_000, 8_000] {
        book.handle_listens(ZERO, ConnId(1), port);
    }
    let known: Vec<_> = book.addresses().map(|known| known.addr).collect();
    assert_eq!(known, [SocketAddr::new(host(1).ip(), 7_000)]);
}

/// A saved address that failed waits for its time after a restart too: 10 seconds, give or take a quarter.
#[test]
fn a_restored_address_that_failed_waits() {
    let mut before = book_of(1, 100);
    before.add(ZERO, host(1), PeerSource::Dht, false);
    assert_eq!(dials(&mut before, ZERO), [host(1)]);
    before.handle_dial_failed(ZERO, host(1));
    let mut saved = vec![0; before.encoded_len()];
    before.encode(&mut saved).unwrap();
    let mut after = book_of(2, 100);
    assert_eq!(after.restore(ZERO, &saved), Ok(1));
    assert_eq!(dials(&mut after, 7 * SECOND), []);
    assert_eq!(dials(&mut after, 13 * SECOND), [host(1)]);
}
