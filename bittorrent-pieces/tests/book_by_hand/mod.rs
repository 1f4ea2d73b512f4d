//! A peer book, its timers run by hand.

#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

use core::net::SocketAddr;
use core::time::Duration;

use bittorrent_pieces::peer_book::{BookEvent, PeerBookConfig, PeerBookLimits, PeerBookVec};
use bittorrent_pieces::{ConnId, PeerBook};

pub const SECOND: Duration = Duration::from_secs(1);

pub const MINUTE: Duration = Duration::from_secs(60);

pub fn limits(addresses: u16, conns: u16) -> PeerBookLimits {
    let mut limits = PeerBookLimits::new();
    limits.addresses = addresses;
    limits.conns = conns;
    limits
}

pub fn book_of(config: PeerBookConfig, addresses: u16, conns: u16) -> PeerBook<PeerBookVec> {
    PeerBook::new(config, PeerBookVec::new(limits(addresses, conns))).expect("nothing is zero")
}

pub fn book() -> PeerBook<PeerBookVec> {
    book_of(PeerBookConfig::new(1), 100, 50)
}

pub fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// An address of its own network for each number.
pub fn host(number: u32) -> SocketAddr {
    let [_, a, b, c] = number.to_be_bytes();
    SocketAddr::from(([20 + a, b, c, 1], 6881))
}

/// Runs the timers until a time; returns the events and when they came.
pub fn run(book: &mut PeerBook<PeerBookVec>, until: Duration) -> Vec<(Duration, BookEvent)> {
    let mut events = vec![];
    while let Some(at) = book.poll_timeout().filter(|at| *at <= until) {
        book.handle_timeout(at);
        while let Some(event) = book.poll_event() {
            events.push((at, event));
        }
    }
    book.handle_timeout(until);
    while let Some(event) = book.poll_event() {
        events.push((until, event));
    }
    events
}

pub fn dials(events: &[(Duration, BookEvent)]) -> Vec<SocketAddr> {
    let of = |(_, event): &(Duration, BookEvent)| match event {
        BookEvent::Dial { addr } => Some(*addr),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

/// Opens a connection that a peer dialled, with a handshake.
pub fn open(book: &mut PeerBook<PeerBookVec>, now: Duration, conn: u32, addr: SocketAddr) {
    book.handle_accepted(now, ConnId(conn), addr).expect("it is admitted");
    book.handle_handshake(now, ConnId(conn));
}
