//! The shares and limits of the peer book: floods of addresses, networks, kinds of sources, and connections.

mod book_by_hand;

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeSet;

use bittorrent_pieces::peer_book::{
    Added, AdmissionError, BookEvent, CloseReason, Ending, PeerBookConfig, PeerSource,
};
use bittorrent_pieces::{ConnId, PeerBook};
use book_by_hand::*;

/// One peer sends 10,000 addresses: it gets an eighth of the book, and nothing that was there goes.
#[test]
fn a_flood_of_one_peer_gets_an_eighth_of_the_book() {
    let mut book = book_of(PeerBookConfig::new(1), 400, 50);
    let honest: Vec<_> = (0..300).map(host).collect();
    for addr in &honest {
        assert_eq!(book.add(Duration::ZERO, *addr, PeerSource::Tracker, false), Added::New);
    }
    open(&mut book, Duration::ZERO, 7, addr("9.9.9.9:50000"));
    let mut taken = 0;
    for n in 0..10_000 {
        let now = n / 200 * MINUTE; // as fast as they are read
        let source = PeerSource::Exchange(ConnId(7));
        taken += u32::from(book.add(now, host(100_000 + n), source, false) == Added::New);
    }
    assert_eq!(taken, 50);
    let known: BTreeSet<_> = book.addresses().map(|known| known.addr).collect();
    assert!(honest.iter().all(|addr| known.contains(addr)));
}

/// More than 200 addresses a minute of one peer are not read, whatever they are.
#[test]
fn addresses_of_one_peer_are_read_at_a_bounded_rate() {
    let mut book = book_of(PeerBookConfig::new(1), 4_000, 50);
    open(&mut book, Duration::ZERO, 7, addr("9.9.9.9:50000"));
    let add = |book: &mut PeerBook<_>, now, n| {
        book.add(now, host(n), PeerSource::Exchange(ConnId(7)), false)
    };
    let taken = (0..300).filter(|n| add(&mut book, Duration::ZERO, *n) == Added::New).count();
    assert_eq!(taken, 200);
    assert_eq!(add(&mut book, MINUTE, 1_000), Added::New);
}

/// Twenty senders in twenty networks fill the book; a tracker still gets its share, and so do the addresses that
/// were there.
#[test]
fn many_senders_do_not_displace_other_kinds_of_sources() {
    let mut book = book_of(PeerBookConfig::new(1), 400, 50);
    let before: Vec<_> = (0..50).map(host).collect();
    for addr in &before {
        book.add(Duration::ZERO, *addr, PeerSource::Dht, false);
    }
    for sender in 0..20 {
        open(&mut book, Duration::ZERO, sender, host(50_000 + sender));
        for n in 0..100 {
            let from = PeerSource::Exchange(ConnId(sender));
            book.add(Duration::ZERO, host(100_000 + 1_000 * sender + n), from, false);
        }
    }
    assert_eq!(book.addresses().count(), 400, "the book is full");
    let later: Vec<_> = (1_000..1_050).map(host).collect();
    for addr in &later {
        assert_eq!(book.add(SECOND, *addr, PeerSource::Tracker, false), Added::New);
    }
    let known: BTreeSet<_> = book.addresses().map(|known| known.addr).collect();
    assert!(before.iter().chain(&later).all(|addr| known.contains(addr)));
}

#[test]
fn a_public_network_has_a_small_part_of_the_book() {
    for (name, network) in [("IPv4 /24", false), ("IPv6 /64", true)] {
        let mut book = book_of(PeerBookConfig::new(1), 320, 50);
        let of = |n: u16| {
            let v6 = core::net::Ipv6Addr::new(0x2001, 0xDB8, 0, 1, n, n, n, n);
            if network {
                SocketAddr::from((v6, n))
            } else {
                SocketAddr::from(([20, 0, 0, n as u8], n))
            }
        };
        let taken = (1..200)
            .filter(|n| book.add(Duration::ZERO, of(*n), PeerSource::Dht, false) == Added::New);
        assert_eq!(taken.count(), 10, "{name}");
        assert_eq!(book.add(Duration::ZERO, host(9), PeerSource::Dht, false), Added::New);
    }
}

/// Untried addresses of a flood do not keep a tracker's from being dialled: the kinds take turns.
#[test]
fn kinds_of_sources_take_turns_in_dials() {
    let mut book = book_of(PeerBookConfig::new(1), 800, 50);
    for n in 0..5 {
        open(&mut book, Duration::ZERO, n, host(50_000 + n));
        for k in 0..100 {
            book.add(
                Duration::ZERO,
                host(100_000 + 1_000 * n + k),
                PeerSource::Exchange(ConnId(n)),
                false,
            );
        }
    }
    let honest: BTreeSet<_> = (0..5).map(host).collect();
    for addr in &honest {
        book.add(Duration::ZERO, *addr, PeerSource::Tracker, false);
    }
    let dialled: BTreeSet<_> = dials(&run(&mut book, 2 * SECOND)).into_iter().collect();
    assert_eq!(dialled.len(), 10);
    assert!(dialled.is_superset(&honest), "{dialled:?}");
}

/// A peer that names an address again and again does not make us dial it more often; a tracker does, once a minute
/// at most.
#[test]
fn a_repeated_address_does_not_speed_up_dials_to_a_victim() {
    let count = |exchange: bool| {
        let mut book = book();
        open(&mut book, Duration::ZERO, 7, addr("9.9.9.9:50000"));
        let source = if exchange { PeerSource::Exchange(ConnId(7)) } else { PeerSource::Tracker };
        let mut dialled = 0;
        for second in 0..1_800 {
            let now = second * SECOND;
            book.add(now, host(1), source, false);
            for addr in dials(&run(&mut book, now)) {
                dialled += 1;
                book.handle_dial_failed(now, addr);
            }
        }
        dialled
    };
    let by_back_off = count(true);
    let by_tracker = count(false);
    assert!((7..=10).contains(&by_back_off), "{by_back_off}");
    assert!((20..=36).contains(&by_tracker), "{by_tracker}");
}

#[test]
fn connections_are_limited_by_address_and_by_network() {
    let mut book = book();
    for n in 0..3 {
        open(&mut book, SECOND, n, addr("20.0.0.1:50000"));
    }
    let refused = book.handle_accepted(SECOND, ConnId(90), addr("20.0.0.1:50001"));
    assert_eq!(refused, Err(AdmissionError::Address));
    for n in 3..8 {
        open(&mut book, SECOND, n, addr(&format!("20.0.0.{n}:50000")));
    }
    let refused = book.handle_accepted(SECOND, ConnId(90), addr("20.0.0.99:50001"));
    assert_eq!(refused, Err(AdmissionError::Network));
    book.handle_accepted(SECOND, ConnId(90), addr("20.0.1.1:50001")).expect("another network");
    // A peer of the full network is not dialled either, until one of its connections ends.
    book.add(SECOND, addr("20.0.0.200:6881"), PeerSource::Tracker, false);
    assert_eq!(dials(&run(&mut book, MINUTE)), []);
    book.handle_closed(MINUTE, ConnId(5), Ending::Lost);
    assert_eq!(dials(&run(&mut book, MINUTE + 15 * SECOND)), [addr("20.0.0.200:6881")]);
}

/// Sixty connections from one host that never finish a handshake: the next peer gets in at once.
#[test]
fn connections_without_a_handshake_give_way() {
    for (name, flooder, honest) in [
        ("loopback", "127.0.0.1:50000", "127.0.0.1:60000"),
        ("many hosts", "20.0.0.1:50000", "30.0.0.1:60000"),
    ] {
        let mut book = book();
        let mut config = PeerBookConfig::new(1);
        config.per_address = 60;
        config.per_network = 60;
        if name == "many hosts" {
            book = book_of(config, 100, 50);
        }
        let mut open_conns = BTreeSet::new();
        for n in 0..60 {
            if book.handle_accepted(SECOND, ConnId(n), addr(flooder)).is_ok() {
                open_conns.insert(n);
            }
        }
        let now = 2 * SECOND;
        book.handle_accepted(now, ConnId(99), addr(honest)).expect(name);
        let Some(BookEvent::Closed { conn, reason }) = book.poll_event() else { panic!("{name}") };
        assert!(open_conns.contains(&conn.0), "{name}");
        assert_eq!(reason, CloseReason::MadeRoom, "{name}");
        book.handle_handshake(now, ConnId(99));
        // The honest peer stays, however long the flood goes on.
        for n in 100..1_000 {
            let now = now + Duration::from_millis(u64::from(n)) * 20;
            let _ = book.handle_accepted(now, ConnId(n), addr(flooder));
            while let Some(event) = book.poll_event() {
                assert!(!matches!(event, BookEvent::Closed { conn: ConnId(99), .. }), "{name}");
            }
        }
        assert_eq!(book.connected(), 1, "{name}");
    }
}

#[test]
fn a_full_table_of_open_connections_refuses_more() {
    let mut book = book_of(PeerBookConfig::new(1), 10, 2);
    open(&mut book, SECOND, 1, host(1));
    open(&mut book, SECOND, 2, host(2));
    assert_eq!(
        book.handle_accepted(MINUTE, ConnId(3), host(3)),
        Err(AdmissionError::Full { capacity: 2 })
    );
    assert_eq!(
        book.handle_accepted(MINUTE, ConnId(1), host(3)),
        Err(AdmissionError::InUse(ConnId(1)))
    );
}
