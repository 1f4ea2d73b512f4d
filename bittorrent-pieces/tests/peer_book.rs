//! The peer book: back-off, quotas, limits, bans, and whole downloads with peers that come and go.

mod book_by_hand;
mod world;

use core::time::Duration;
use std::collections::BTreeSet;

use bittorrent_pieces::peer_book::{
    Added, AddressSlot, AdmissionError, BanSlot, BookEvent, CloseReason, ConnSlot, Ending,
    PeerBookConfig, PeerBookLimits, PeerBookVec, PeerSource, RestoreError,
};
use bittorrent_pieces::priority::peer_priority;
use bittorrent_pieces::{ConnId, PeerBook, PeerError};
use book_by_hand::*;
use world::World;

#[test]
fn a_seed_that_hangs_up_after_20_blocks_is_dialled_until_all_is_there() {
    let mut world = World::new(92, 1);
    let seed = world.seed(addr("20.0.0.1:6881"));
    world.hang_up_after(seed, 20);
    world.tell(seed, PeerSource::Tracker);
    assert!(world.run(10 * MINUTE), "{} pieces", world.have());
    let dials = world.dialled_at(seed);
    assert_eq!(dials.len(), 5, "92 blocks in fives of 20: {dials:?}");
    for pair in dials.windows(2) {
        let gap = pair[1].abs_diff(pair[0]);
        assert!((7 * SECOND..15 * SECOND).contains(&gap), "{dials:?}");
    }
}

#[test]
fn a_seed_that_comes_up_after_five_minutes_is_found_by_back_off() {
    let mut world = World::new(10, 2);
    let seed = world.seed(addr("20.0.0.1:6881"));
    world.up_from(seed, 5 * MINUTE);
    world.tell(seed, PeerSource::User);
    assert!(world.run(20 * MINUTE), "{} pieces", world.have());
    let dials = world.dialled_at(seed);
    assert!((5..=8).contains(&dials.len()), "{dials:?}");
    let gaps: Vec<_> = dials.windows(2).map(|pair| pair[1].abs_diff(pair[0])).collect();
    assert!(gaps.is_sorted(), "{gaps:?}");
}

/// The address itself is learnt late, by a source that is asked again and again.
#[test]
fn a_hungry_torrent_asks_its_sources_until_one_knows_a_peer() {
    let mut world = World::new(10, 3);
    let seed = world.seed(addr("20.0.0.1:6881"));
    world.known_from(seed, 40 * SECOND);
    assert!(world.run(5 * MINUTE), "{} pieces", world.have());
    assert!(world.now() < 80 * SECOND, "{:?}", world.now());
}

#[test]
fn requests_for_addresses_back_off_from_five_seconds_to_five_minutes() {
    let mut book = book();
    let events = run(&mut book, 20 * MINUTE);
    let asks: Vec<_> = events.iter().map(|(at, _)| at.as_secs()).collect();
    assert!(events.iter().all(|(_, event)| *event == BookEvent::AskSources));
    assert_eq!(asks, [0, 5, 15, 35, 75, 155, 315, 615, 915]);
}

#[test]
fn a_lost_peer_that_sent_blocks_brings_the_next_request_forward() {
    let mut book = book();
    run(&mut book, 10 * MINUTE);
    let now = 10 * MINUTE;
    open(&mut book, now, 1, addr("20.0.0.1:50000"));
    book.handle_block(now, ConnId(1));
    book.handle_closed(now, ConnId(1), Ending::Lost);
    let asked = run(&mut book, now + SECOND);
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].1, BookEvent::AskSources);
}

#[test]
fn a_complete_torrent_neither_asks_nor_dials_seeds() {
    let mut book = book();
    book.set_complete(Duration::ZERO, true);
    book.add(Duration::ZERO, host(1), PeerSource::Tracker, true);
    book.add(Duration::ZERO, host(2), PeerSource::Tracker, false);
    assert!(!book.is_hungry());
    let events = run(&mut book, SECOND);
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(dials(&events), [host(2)]);
}

#[test]
fn dials_are_spaced_and_bounded() {
    let mut book = book();
    for n in 0..100 {
        book.add(Duration::ZERO, host(n), PeerSource::Tracker, false);
    }
    let events = run(&mut book, 19 * SECOND);
    let at: Vec<_> = events
        .iter()
        .filter(|(_, event)| matches!(event, BookEvent::Dial { .. }))
        .map(|(at, _)| at.as_millis())
        .collect();
    assert_eq!(at, (0..10).map(|n| n * 50).collect::<Vec<_>>());
    // They never end, so the caller must have forgotten them: they time out, and others follow.
    assert_eq!(dials(&run(&mut book, 30 * SECOND)).len(), 10);
    let late = book.handle_dialled(30 * SECOND, dials(&events)[0], ConnId(1));
    assert_eq!(late, Err(AdmissionError::NotDialling));
}

/// BEP 40 decides half of the draws: with our address known the best comes first more often than by chance, but not
/// always.
#[test]
fn priorities_of_bep_40_decide_half_of_the_draws() {
    let ours = addr("123.213.32.10:6881");
    let known: Vec<_> = (0..40).map(host).collect();
    let best = known.iter().map(|addr| peer_priority(ours, *addr)).max().unwrap();
    let first = |seed| {
        let mut book = book_of(PeerBookConfig::new(seed), 100, 50);
        book.set_own_address(Duration::ZERO, ours);
        for addr in &known {
            book.add(Duration::ZERO, *addr, PeerSource::Dht, false);
        }
        dials(&run(&mut book, Duration::ZERO))[0]
    };
    let firsts: Vec<_> = (0..200).map(first).collect();
    let hits = firsts.iter().filter(|addr| peer_priority(ours, **addr) == best).count();
    // An eighth of these addresses have the same masked bits as the best.
    assert!((90..140).contains(&hits), "{hits} of 200");
    let different: BTreeSet<_> = firsts.into_iter().collect();
    assert!(different.len() > 20, "{}", different.len());
}

#[test]
fn our_own_address_is_dialled_once() {
    let mut book = book();
    let own = addr("20.0.0.1:6881");
    book.add(Duration::ZERO, own, PeerSource::Tracker, false);
    assert_eq!(dials(&run(&mut book, Duration::ZERO)), [own]);
    book.handle_dialled(SECOND, own, ConnId(1)).unwrap();
    book.handle_accepted(SECOND, ConnId(2), addr("20.0.0.1:50001")).unwrap();
    let reason = bittorrent_pieces::CloseReason::Protocol(PeerError::OwnId);
    book.handle_closed(SECOND, ConnId(2), reason.into());
    book.handle_closed(SECOND, ConnId(1), reason.into());
    assert_eq!(book.add(MINUTE, own, PeerSource::Tracker, false), Added::Own);
    assert_eq!(dials(&run(&mut book, 60 * MINUTE)), []);
    assert_eq!(book.addresses().count(), 0);
}

#[test]
fn an_address_set_as_our_own_is_refused() {
    let mut book = book();
    book.add(Duration::ZERO, host(1), PeerSource::Dht, false);
    book.set_own_address(Duration::ZERO, host(1));
    assert_eq!(book.addresses().count(), 0);
    assert_eq!(book.add(Duration::ZERO, host(1), PeerSource::Dht, false), Added::Own);
    let mapped = addr("[::ffff:20.0.1.1]:6881");
    book.set_own_address(Duration::ZERO, mapped);
    assert_eq!(book.add(Duration::ZERO, addr("20.0.1.1:6881"), PeerSource::Dht, false), Added::Own);
}

#[test]
fn addresses_that_cannot_be_dialled_are_refused() {
    let mut book = book();
    for text in [
        "20.0.0.1:0",
        "0.0.0.0:1",
        "0.1.2.3:1",
        "224.0.0.1:1",
        "255.255.255.255:1",
        "[::]:1",
        "[ff02::1]:1",
    ] {
        assert_eq!(
            book.add(SECOND, addr(text), PeerSource::Tracker, false),
            Added::Invalid,
            "{text}"
        );
    }
    open(&mut book, SECOND, 1, addr("20.0.0.1:50000"));
    open(&mut book, SECOND, 2, addr("192.168.1.5:50000"));
    let local = addr("192.168.1.1:80");
    assert_eq!(book.add(SECOND, local, PeerSource::Exchange(ConnId(1)), false), Added::Invalid);
    assert_eq!(book.add(SECOND, local, PeerSource::Exchange(ConnId(9)), false), Added::Invalid);
    assert_eq!(book.add(SECOND, local, PeerSource::Exchange(ConnId(2)), false), Added::New);
}

/// Bans double with each one, and an address that behaved for long enough starts over.
#[test]
fn a_corrupt_peer_is_banned_for_longer_each_time_and_forgotten() {
    let mut book = book();
    let peer = addr("20.0.0.1:50000");
    let hour = 60 * MINUTE;
    let ban = |book: &mut PeerBook<_>, now| {
        open(book, now, 1, peer);
        book.handle_closed(now, ConnId(1), Ending::Corrupt);
        let refused = book.handle_accepted(now, ConnId(2), addr("20.0.0.1:50001"));
        assert_eq!(refused, Err(AdmissionError::Banned));
        assert_eq!(book.add(now, addr("20.0.0.1:6881"), PeerSource::Tracker, false), Added::Banned);
        (1..100).find(|hours| {
            book.handle_timeout(now + *hours * hour);
            !book.is_banned(peer)
        })
    };
    assert_eq!(ban(&mut book, Duration::ZERO), Some(1));
    assert_eq!(ban(&mut book, hour), Some(2));
    assert_eq!(ban(&mut book, 3 * hour), Some(4));
    assert_eq!(ban(&mut book, 12 * hour), Some(1), "forgotten 4 hours after the end of the last");
}

/// Other connections from a banned address are closed, and other peers on one local address are not.
#[test]
fn a_ban_closes_the_other_connections_of_the_address() {
    let mut book = book();
    open(&mut book, SECOND, 1, addr("20.0.0.1:50000"));
    open(&mut book, SECOND, 2, addr("20.0.0.1:50001"));
    open(&mut book, SECOND, 3, addr("20.0.0.2:50001"));
    book.handle_closed(SECOND, ConnId(1), Ending::Corrupt);
    let closed = BookEvent::Closed { conn: ConnId(2), reason: CloseReason::Banned };
    assert_eq!(book.poll_event(), Some(closed));
    assert_eq!(book.connected(), 1);
    let mut book = self::book();
    open(&mut book, SECOND, 1, addr("127.0.0.1:50000"));
    open(&mut book, SECOND, 2, addr("127.0.0.1:50001"));
    book.handle_listens(SECOND, ConnId(1), 6881);
    book.handle_closed(SECOND, ConnId(1), Ending::Corrupt);
    assert_eq!(book.poll_event(), None);
    assert!(book.is_banned(addr("127.0.0.1:6881")));
    assert!(!book.is_banned(addr("127.0.0.1:6882")));
}

/// A peer that dialled us and announced its port is dialled after it was lost.
#[test]
fn an_incoming_peer_is_dialled_at_its_listening_port() {
    let mut book = book();
    book.set_own_address(Duration::ZERO, addr("30.0.0.1:6881"));
    open(&mut book, SECOND, 1, addr("20.0.0.1:50000"));
    book.handle_listens(SECOND, ConnId(1), 6_889);
    assert_eq!(dials(&run(&mut book, MINUTE)), [], "it is connected");
    book.handle_closed(MINUTE, ConnId(1), Ending::Lost);
    assert_eq!(dials(&run(&mut book, MINUTE + 15 * SECOND)), [addr("20.0.0.1:6889")]);
}

#[test]
fn a_restarted_book_dials_what_the_first_one_knew() {
    let mut book = book();
    for n in 1..=20 {
        book.add(Duration::ZERO, host(n), PeerSource::Tracker, n == 4);
    }
    book.add(Duration::ZERO, addr("[2001:db8::1]:6881"), PeerSource::Dht, false);
    for addr in dials(&run(&mut book, SECOND)) {
        book.handle_dial_failed(SECOND, addr);
    }
    open(&mut book, SECOND, 1, addr("40.0.0.1:50000"));
    book.handle_closed(SECOND, ConnId(1), Ending::Corrupt);
    let mut saved = vec![0; book.encoded_len()];
    assert_eq!(saved.len(), 8 + 20 * 9 + 21 + 12);
    assert_eq!(book.encode(&mut saved[1..]).map_err(|error| error.needed), Err(saved.len()));
    assert_eq!(book.encode(&mut saved), Ok(saved.len()));

    let mut again = self::book();
    assert_eq!(again.restore(Duration::ZERO, &saved), Ok(21));
    let listed = |book: &PeerBook<_>| {
        let known = book.addresses().map(|known| (known.addr, known.failures, known.seed));
        known.collect::<BTreeSet<_>>()
    };
    assert_eq!(listed(&again), listed(&book));
    assert!(again.is_banned(addr("40.0.0.1:1")));
    again.handle_timeout(61 * MINUTE);
    assert!(!again.is_banned(addr("40.0.0.1:1")));
    let failed: BTreeSet<_> =
        book.addresses().filter(|known| known.failures > 0).map(|known| known.addr).collect();
    let mut again = self::book();
    again.restore(Duration::ZERO, &saved).unwrap();
    let first = dials(&run(&mut again, SECOND));
    assert_eq!(first.len(), 10);
    assert!(first.iter().all(|addr| !failed.contains(addr)), "those that failed come later");
}

/// The saved form, byte by byte, as the documentation of `PeerBook` describes it.
#[test]
fn the_saved_form_is_that_of_the_table() {
    let mut book = book();
    book.add(Duration::ZERO, addr("192.0.2.1:6881"), PeerSource::Tracker, true);
    let mut saved = vec![0; book.encoded_len()];
    book.encode(&mut saved).unwrap();
    assert_eq!(saved, b"BPpeers1\x04\xC0\x00\x02\x01\x1A\xE1\x00\x01");
}

#[test]
fn a_damaged_book_is_refused_whole() {
    let mut book = book();
    book.add(Duration::ZERO, host(1), PeerSource::Tracker, false);
    book.add(Duration::ZERO, addr("[2001:db8::1]:6881"), PeerSource::Dht, false);
    let mut saved = vec![0; book.encoded_len()];
    book.encode(&mut saved).unwrap();
    let mut other = self::book();
    for end in 0..saved.len() {
        let error = match end {
            0..8 => RestoreError::Header,
            8 | 17 => continue, // whole records
            _ => RestoreError::Truncated,
        };
        assert_eq!(other.restore(SECOND, &saved[..end]), Err(error), "{end}");
    }
    saved[8] = 5;
    assert_eq!(other.restore(SECOND, &saved), Err(RestoreError::Record(5)));
    assert_eq!(other.addresses().count(), 0);
}

#[test]
fn tables_of_no_or_one_slot_work() {
    for slots in 0..2 {
        let mut limits = limits(slots, slots);
        limits.bans = slots;
        let mut book = PeerBook::new(PeerBookConfig::new(1), PeerBookVec::new(limits)).unwrap();
        let added = book.add(Duration::ZERO, host(1), PeerSource::Tracker, false);
        let taken = usize::from(slots);
        assert_eq!(added, if slots == 0 { Added::Full } else { Added::New });
        assert_eq!(dials(&run(&mut book, SECOND)).len(), taken);
        let accepted = book.handle_accepted(SECOND, ConnId(1), host(2));
        assert_eq!(accepted, Err(AdmissionError::Full { capacity: taken }));
        book.handle_dial_failed(SECOND, host(1));
        assert_eq!(book.handle_accepted(SECOND, ConnId(1), host(2)).is_ok(), slots == 1);
        book.handle_closed(SECOND, ConnId(1), Ending::Corrupt);
        assert_eq!(book.is_banned(host(2)), slots == 1);
    }
}

#[test]
fn slots_are_as_large_as_the_readme_says() {
    assert!(size_of::<AddressSlot>() <= 80, "{}", size_of::<AddressSlot>());
    assert!(size_of::<ConnSlot>() <= 96, "{}", size_of::<ConnSlot>());
    assert!(size_of::<BanSlot>() <= 72, "{}", size_of::<BanSlot>());
}

#[test]
fn a_configuration_with_a_zero_is_refused() {
    let mut config = PeerBookConfig::new(1);
    config.retry = Duration::ZERO;
    let error = PeerBook::new(config, PeerBookVec::new(PeerBookLimits::new())).unwrap_err();
    assert_eq!(error.to_string(), "retry must not be zero");
}
