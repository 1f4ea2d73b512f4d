//! uTP: packets of other programs, and two endpoints over a network that loses, repeats and reorders.

mod common;
mod utp_by_hand;
mod utp_pair;

use core::time::Duration;

use bittorrent_pieces::utp::{
    CloseReason, ConfigError, DatagramError, MAX_LEN, Packet, PacketError, PacketKind, PacketSlot,
    ReorderSlot, UtpConfig, UtpEndpoint, UtpEvent, UtpLimits, UtpSlot, UtpVec,
};
use bittorrent_pieces::{ConnId, Full, NotConnected};
use common::{rows, unhex};
use sim::{Addr, Link};
use utp_by_hand::*;
use utp_pair::*;

const TABLE: &str = include_str!("data/utp.txt");

#[test]
fn packets_of_libtorrent_are_read_and_written_unchanged() {
    let mut packets = 0;
    for row in rows(TABLE, "observed") {
        let mut bytes = unhex(row[4]);
        let payload: usize = row[3].parse().unwrap();
        bytes.extend(vec![0xAA; payload]);
        let packet = Packet::decode(&bytes).unwrap();
        assert_eq!(packet.payload.len(), payload, "{packet}");
        assert!(packet.to_string().starts_with(row[2]), "{packet}");
        let mut out = vec![0; bytes.len()];
        assert_eq!(packet.encode(&mut out), Ok(bytes.len()));
        assert_eq!(out, bytes);
        packets += 1;
    }
    assert_eq!(packets, 31);
}

#[test]
fn built_packets_have_the_fields_of_the_table() {
    let bytes = |name| unhex(rows(TABLE, "built").find(|row| row[1] == name).unwrap()[2]);
    let syn = bytes("syn");
    let syn = Packet::decode(&syn).unwrap();
    assert_eq!(syn.kind, PacketKind::Syn);
    assert_eq!([syn.connection, syn.seq, syn.ack], [0x1234, 1, 0]);
    assert_eq!(syn.timestamp, 0x0102_0304);
    let four = bytes("sack_4_bytes");
    let sack = Packet::decode(&four).unwrap();
    let received = |packet: &Packet<'_>| -> Vec<usize> {
        let sack = packet.sack().unwrap();
        (0..sack.packets() + 9).filter(|nth| sack.has(*nth)).map(|nth| nth + 102).collect()
    };
    assert_eq!(received(&sack), [102, 103, 106, 133]);
    assert_eq!(received(&Packet::decode(&bytes("sack_len_1")).unwrap()), [102]);
    let two = bytes("two_extensions");
    let two = Packet::decode(&two).unwrap();
    let numbers: Vec<u8> = two.extensions.iter().map(|extension| extension.number).collect();
    assert_eq!(numbers, [1, 3]);
    assert_eq!(two.extensions.iter().last().unwrap().bytes, [0, 0, 0, 6]);
    let unknown = bytes("unknown_extension");
    assert_eq!(Packet::decode(&unknown).unwrap().payload, b"hi");
    let bits = bytes("extension_bits");
    assert_eq!(Packet::decode(&bits).unwrap().sack(), None);
    let wrap = bytes("wrap");
    let wrap = Packet::decode(&wrap).unwrap();
    assert_eq!([wrap.connection, wrap.seq, wrap.ack], [0xFFFF, 0xFFFF, 0xFFFE]);
}

#[test]
fn invalid_packets_are_refused() {
    let errors: Vec<PacketError> = rows(TABLE, "invalid")
        .map(|row| Packet::decode(&unhex(row[2])).expect_err(row[1]))
        .collect();
    let expected = [
        PacketError::Short(19),
        PacketError::Version(0),
        PacketError::Version(2),
        PacketError::Kind(5),
        PacketError::Extension,
        PacketError::Extension,
    ];
    assert_eq!(errors, expected);
    for row in rows(TABLE, "lenient") {
        assert!(Packet::decode(&unhex(row[2])).is_ok(), "libtorrent skips it");
    }
}

#[test]
fn bytes_arrive_exactly_over_a_network_that_loses_reorders_and_repeats() {
    // Bytes per second that are reached at least, at 40 ms of round trip and with 128 KiB of buffers.
    for (loss, least) in [(0, 200_000), (10, 100_000), (50, 40_000), (100, 10_000), (200, 1_000)] {
        for from in [0, 1] {
            for seed in 0..3 {
                let len = (least as usize * 4).max(150_000);
                let mut pair = Pair::new(seed, link(loss), limits());
                let took = pair.transfer(from, len, secs(600));
                let rate = len as f64 / took.as_secs_f64();
                println!("loss {loss}/1000 from {from} seed {seed}: {rate:.0} bytes/s");
                assert!(rate >= f64::from(least), "loss {loss}: {rate} bytes/s");
            }
        }
    }
}

#[test]
fn close_delivers_everything_and_frees_the_slots_of_both_ends() {
    for loss in [0, 100] {
        let mut pair = Pair::new(1, link(loss), limits());
        let conn = pair.ends[0].connect(Duration::ZERO, address(1)).unwrap();
        assert_eq!(pair.ends[0].write(conn, &[7; 10_000]), Ok(10_000));
        pair.ends[0].close(conn).unwrap();
        assert_eq!(pair.ends[0].write(conn, b"late"), Ok(0));
        let finished = |pair: &mut Pair| {
            pair.events[1].iter().any(|event| matches!(event, UtpEvent::Finished { .. }))
        };
        assert!(pair.run(secs(60), finished), "loss {loss}");
        assert_eq!(pair.received[1], [7; 10_000]);
        let other = pair.accepted().unwrap();
        pair.ends[1].close(other).unwrap();
        assert!(pair.run(secs(120), |pair| pair.ends.iter().all(UtpEndpoint::is_empty)));
        let reason = CloseReason::Done;
        assert!(pair.events[0].contains(&UtpEvent::Closed { conn, reason }), "loss {loss}");
    }
}

#[test]
fn an_abort_resets_the_other_end() {
    let mut pair = Pair::new(1, Link::default(), limits());
    pair.transfer(0, 1_000, secs(10));
    let conn = pair.accepted().unwrap();
    pair.ends[1].abort(conn).unwrap();
    assert_eq!(pair.ends[1].abort(conn), Err(NotConnected(conn)));
    assert!(pair.run(secs(20), |pair| pair.ends[0].is_empty()));
    assert!(matches!(
        pair.events[0].last(),
        Some(UtpEvent::Closed { reason: CloseReason::Reset, .. })
    ));
}

#[test]
fn a_dial_without_an_answer_ends_after_15_seconds() {
    let mut end = endpoint(1, limits());
    let conn = end.connect(Duration::ZERO, address(1)).unwrap();
    let mut buf = [0; MAX_LEN];
    let mut sent = vec![];
    let mut now = Duration::ZERO;
    while !end.is_empty() {
        while let Some(transmit) = end.poll_transmit(&mut buf).unwrap() {
            assert_eq!(Packet::decode(&buf[..transmit.len]).unwrap().kind, PacketKind::Syn);
            sent.push(now.as_secs());
        }
        now = end.poll_timeout().unwrap_or(now);
        end.handle_timeout(now);
        if let Some(event) = end.poll_event() {
            assert_eq!(event, UtpEvent::Closed { conn, reason: CloseReason::TimedOut });
        }
    }
    assert_eq!(sent, [0, 1, 3, 7]);
    assert_eq!(now, secs(15));
}

#[test]
fn a_peer_that_vanishes_is_given_up_after_a_minute() {
    let mut pair = Pair::new(1, Link::default(), limits());
    pair.transfer(0, 1_000, secs(10));
    pair.network.kill(Addr(1));
    pair.ends[0].write(ConnId(0), b"hello").unwrap();
    assert!(pair.run(secs(100), |pair| pair.ends[0].is_empty()));
    let reason = CloseReason::TimedOut;
    assert_eq!(pair.events[0].last(), Some(&UtpEvent::Closed { conn: ConnId(0), reason }));
    assert!(pair.network.now() > secs(30) && pair.network.now() < secs(70));
}

#[test]
fn a_reader_that_stops_holds_the_writer_back_and_loses_nothing() {
    let mut pair = Pair::new(1, Link::default(), limits());
    pair.reads[1] = false;
    let conn = pair.ends[0].connect(Duration::ZERO, address(1)).unwrap();
    let data: Vec<u8> = (0..600_000_u32).map(|at| (at * 7 / 5) as u8).collect();
    let mut written = 0;
    let mut write = |pair: &mut Pair| {
        written += pair.ends[0].write(conn, &data[written..]).unwrap();
        false
    };
    pair.run(secs(60), &mut write);
    let sent = pair.network.stats().bytes;
    assert!(sent < 200_000, "the window of 128 KiB holds the writer back: {sent} bytes");
    pair.reads[1] = true;
    let other = pair.accepted().unwrap();
    let mut buf = [0; 4_096];
    let complete = pair.run(secs(120), |pair| {
        write(pair);
        let len = pair.ends[1].read(other, &mut buf).unwrap();
        pair.received[1].extend_from_slice(&buf[..len]);
        pair.received[1].len() == data.len()
    });
    assert!(complete, "{} bytes", pair.received[1].len());
    assert!(pair.received[1] == data);
}

#[test]
fn the_length_of_packets_grows_to_what_the_path_carries() {
    let mut lens = vec![];
    for path_len in [600, 1_000, 1_472] {
        let mut pair = Pair::new(1, Link::default(), limits());
        pair.path_len = path_len;
        pair.transfer(0, 400_000, secs(100));
        let stats = pair.network.stats();
        lens.push(stats.bytes / stats.datagrams);
    }
    // Half of the datagrams are acknowledgements of 20 bytes.
    assert!(lens[0] >= 280 && lens[0] < lens[1] && lens[1] < lens[2], "{lens:?}");
}

/// Nothing reports that longer datagrams vanish, and they vanish whether they are probes or not.
#[test]
fn a_new_connection_works_over_a_path_that_drops_long_datagrams() {
    for hole in [548, 600, 1_000, 1_300, 1_471] {
        for (from, loss) in [(0, 0), (1, 0), (0, 20), (1, 20)] {
            let mut pair = Pair::new(1, link(loss), limits());
            pair.hole = hole;
            let took = pair.transfer(from, 400_000, secs(60));
            assert!(took < secs(20), "{hole} bytes from {from}: {took:?}");
            let stats = pair.network.stats();
            assert!(
                loss > 0 || stats.bytes / stats.datagrams >= hole as u64 * 2 / 5,
                "{hole} {stats:?}"
            );
        }
    }
}

/// Writes as much as there is room for, until a time.
fn write_until(pair: &mut Pair, conn: ConnId, until: Duration) {
    pair.run(until, |pair| {
        while pair.ends[0].write(conn, &[7; 4_000]).is_ok_and(|written| written > 0) {}
        false
    });
}

/// Packets that were sent cannot be divided: the connection ends, and the next one begins with short packets.
#[test]
fn a_path_that_becomes_too_short_ends_a_connection_soon_and_the_next_one_works() {
    for (hole, trickles) in [(1_000, false), (1_000, true), (600, false), (600, true)] {
        let mut pair = Pair::new(1, link(0), limits());
        pair.transfer(0, 400_000, secs(60));
        let conn = ConnId(0);
        write_until(&mut pair, conn, secs(30));
        pair.hole = hole;
        let began = pair.network.now();
        let mut next = began;
        let ended = pair.run(began + secs(60), |pair| {
            if trickles && pair.network.now() >= next {
                next = pair.network.now() + secs(1);
                let _ = pair.ends[0].write(conn, b"have");
            }
            pair.ends.iter().all(UtpEndpoint::is_empty)
        });
        let took = pair.network.now().saturating_sub(began);
        assert!(ended && took < secs(40), "{hole} {trickles}: {took:?}");
        let reason = CloseReason::PathTooShort;
        assert_eq!(pair.events[0].last(), Some(&UtpEvent::Closed { conn, reason }));
        let theirs = pair.events[1].last();
        assert!(matches!(theirs, Some(UtpEvent::Closed { reason: CloseReason::Reset, .. })));
        pair.received = [vec![], vec![]];
        let until = pair.network.now() + secs(60);
        pair.transfer(0, 200_000, until);
    }
}

/// A path that is silent for some seconds, or a peer that has no room, does not look like one that is too short.
#[test]
fn a_silent_path_and_a_full_peer_are_not_taken_for_a_short_path() {
    let mut pair = Pair::new(1, link(0), limits());
    pair.transfer(0, 400_000, secs(60));
    let conn = ConnId(0);
    write_until(&mut pair, conn, secs(30));
    pair.hole = 0;
    write_until(&mut pair, conn, secs(50));
    pair.hole = MAX_LEN;
    let before = pair.received[1].len();
    write_until(&mut pair, conn, secs(120));
    assert!(pair.received[1].len() > before + 1_000_000, "{before}");
    pair.reads[1] = false;
    write_until(&mut pair, conn, secs(300));
    assert_eq!(pair.ends.iter().map(UtpEndpoint::len).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn a_driver_that_is_late_loses_nothing() {
    let mut pair = Pair::new(1, link(50), limits());
    pair.late = millis(300);
    pair.transfer(0, 50_000, secs(600));
}

#[test]
fn a_flood_of_syns_takes_no_slot_and_is_not_amplified() {
    let mut end = endpoint(1, limits());
    let before = end.clone().into_storage();
    let mut received = 0;
    let mut sent = 0;
    for n in 0..10_000_u32 {
        let from = ([80, (n >> 8) as u8, n as u8, 1], 1_000 + n as u16 % 50).into();
        let syn = encoded(packet(PacketKind::Syn, n as u16, 1, 0, b""));
        received += syn.len();
        let answers = exchange(&mut end, millis(n.into()), from, &syn);
        assert!(answers.iter().all(|(to, _)| *to == from));
        sent += answers.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
    }
    assert!(sent <= received, "{sent} bytes for {received}");
    assert!(end.is_empty());
    assert!(end.clone().into_storage() == before, "nothing is stored");
    assert!(open(&mut end, secs(20), address(9), 77).is_some(), "an honest peer gets in");
}

#[test]
fn answers_to_forged_first_packets_are_none() {
    let mut end = endpoint(1, limits());
    let mut opened = 0;
    for n in 0..2_000_u16 {
        let data = encoded(packet(PacketKind::Data, 5, 2, n.wrapping_mul(31), b"x"));
        opened += usize::from(end.handle_datagram(secs(1), address(1), &data).is_ok());
        assert_eq!(transmits(&mut end), [], "a forged address gets nothing");
    }
    assert!(opened <= 2, "blind guesses: {opened} of 2,000");
}

#[test]
fn one_network_opens_eight_connections_at_most() {
    let mut end = endpoint(1, UtpLimits { conns: 20, ..limits() });
    let opened = (0..20_u16)
        .filter(|n| {
            let from = ([80, 1, 1, *n as u8], 6_881).into();
            open(&mut end, secs(1), from, 100 * n).is_some()
        })
        .count();
    assert_eq!(opened, 8);
    assert!(open(&mut end, secs(1), address(2), 7).is_some(), "other networks still get in");
}

#[test]
fn a_forged_reset_does_not_end_a_connection() {
    let mut end = endpoint(1, limits());
    let from = address(1);
    let ours = open(&mut end, secs(1), from, 50).unwrap();
    let reset = |id, ack| encoded(packet(PacketKind::Reset, id, 9, ack, b""));
    for (id, ack) in
        [(50, ours.wrapping_add(1)), (51, ours.wrapping_sub(5)), (52, ours), (49, ours)]
    {
        assert!(end.handle_datagram(secs(1), from, &reset(id, ack)).is_err(), "{id} {ack}");
    }
    let other = end.handle_datagram(secs(1), address(2), &reset(51, ours));
    assert_eq!(other, Err(DatagramError::Unknown), "from another address");
    assert_eq!(end.len(), 1);
    // The ids and numbers of a real one.
    assert!(end.handle_datagram(secs(1), from, &reset(50, ours.wrapping_sub(1))).is_ok());
    while end.poll_event().is_some() {}
    assert!(end.is_empty());
}

#[test]
fn packets_outside_of_the_window_are_refused_and_change_nothing() {
    let mut end = endpoint(1, limits());
    let from = address(1);
    let ours = open(&mut end, secs(1), from, 50).unwrap();
    let before = end.clone();
    let state = encoded(packet(PacketKind::State, 51, 3, ours, b""));
    assert_eq!(end.handle_datagram(secs(2), from, &state), Err(DatagramError::Ack(ours)));
    let far = encoded(packet(PacketKind::Data, 51, 3 + 64, ours.wrapping_sub(1), b"y"));
    assert_eq!(end.handle_datagram(secs(2), from, &far), Err(DatagramError::Seq(67)));
    let syn = encoded(packet(PacketKind::State, 99, 3, ours, b""));
    assert_eq!(end.handle_datagram(secs(2), from, &syn), Err(DatagramError::Unknown));
    assert!(end == before);
    // A repeated packet is acknowledged again and not delivered again.
    let again = encoded(packet(PacketKind::Data, 51, 2, ours.wrapping_sub(1), b"x"));
    let sent = exchange(&mut end, secs(2), from, &again);
    assert_eq!(Packet::decode(&sent[0].1).unwrap().ack, 2);
    assert_eq!(end.read(ConnId(0), &mut [0; 9]), Ok(1));
}

#[test]
fn the_first_packets_may_arrive_in_any_order() {
    let mut end = endpoint(1, limits());
    let from = address(1);
    let syn = encoded(packet(PacketKind::Syn, 50, 1, 0, b""));
    let answer = exchange(&mut end, secs(1), from, &syn).remove(0).1;
    let ack = Packet::decode(&answer).unwrap().seq.wrapping_sub(1);
    for (seq, payload) in [(4, b"c"), (3, b"b"), (2, b"a")] {
        let data = encoded(packet(PacketKind::Data, 51, seq, ack, payload));
        assert_eq!(end.handle_datagram(secs(1), from, &data), Ok(Some(ConnId(0))));
    }
    let mut buf = [0; 9];
    assert_eq!(end.read(ConnId(0), &mut buf), Ok(3));
    assert_eq!(&buf[..3], b"abc");
}

#[test]
fn late_packets_of_an_ended_connection_open_none() {
    let mut end = endpoint(1, limits());
    let from = address(1);
    let ours = open(&mut end, secs(1), from, 50).unwrap();
    end.abort(ConnId(0)).unwrap();
    transmits(&mut end);
    let first = encoded(packet(PacketKind::Data, 51, 2, ours.wrapping_sub(1), b"x"));
    let sent = exchange(&mut end, secs(2), from, &first);
    assert_eq!(Packet::decode(&sent[0].1).unwrap().kind, PacketKind::Reset);
    assert!(end.is_empty());
}

#[test]
fn a_full_endpoint_refuses_and_an_empty_one_dials_nobody() {
    let mut end = endpoint(1, UtpLimits { conns: 1, ..limits() });
    end.connect(Duration::ZERO, address(1)).unwrap();
    assert_eq!(end.connect(Duration::ZERO, address(2)), Err(Full { capacity: 1 }));
    let mut none = endpoint(1, UtpLimits { conns: 0, ..limits() });
    assert_eq!(none.connect(Duration::ZERO, address(2)), Err(Full { capacity: 0 }));
    assert_eq!(open(&mut none, secs(1), address(1), 5), None);
}

#[test]
fn invalid_configurations_are_refused() {
    let new = |per_network, limits| {
        let mut config = UtpConfig::new([1; 16]);
        config.per_network = per_network;
        UtpEndpoint::new(config, UtpVec::new(limits)).map(|_| ()).expect_err("invalid")
    };
    assert_eq!(new(0, limits()), ConfigError::PerNetwork);
    assert_eq!(new(1, UtpLimits { packets: 0, ..limits() }), ConfigError::Send(4));
    assert_eq!(new(1, UtpLimits { receive: 1_000, ..limits() }), ConfigError::Receive(4 * MAX_LEN));
}

#[test]
fn slots_are_as_large_as_documented() {
    assert!(size_of::<UtpSlot>() <= 480, "{}", size_of::<UtpSlot>());
    assert_eq!(size_of::<PacketSlot>(), 12);
    assert!(size_of::<ReorderSlot>() <= 1_480, "{}", size_of::<ReorderSlot>());
}
