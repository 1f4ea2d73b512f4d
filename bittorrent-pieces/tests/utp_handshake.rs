//! How a uTP connection is opened: the SYN and its answer, which packets may be the first, and who gets a slot.

mod utp_by_hand;

use core::net::SocketAddr;
use core::time::Duration;

use bittorrent_pieces::ConnId;
use bittorrent_pieces::utp::{
    DatagramError, Packet, PacketKind, UtpConfig, UtpEndpoint, UtpEvent, UtpLimits, UtpVec,
};
use utp_by_hand::*;

const ZERO: Duration = Duration::ZERO;

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn one(end: &mut UtpEndpoint<UtpVec>, to: SocketAddr) -> Sent {
    let mut sent = sent(end, to);
    assert_eq!(sent.len(), 1);
    sent.remove(0)
}

/// Delivers a packet.
fn handle(
    end: &mut UtpEndpoint<UtpVec>,
    now: Duration,
    from: SocketAddr,
    packet: Packet<'_>,
) -> Result<Option<ConnId>, DatagramError> {
    end.handle_datagram(now, from, &encoded(packet))
}

/// Sends a SYN with number 1; returns the number that the answer gives to the first packet, less 1.
fn syn(end: &mut UtpEndpoint<UtpVec>, now: Duration, from: SocketAddr, id: u16) -> u16 {
    handle(end, now, from, packet(PacketKind::Syn, id, 1, 0, b"")).unwrap();
    one(end, from).seq.wrapping_sub(1)
}

/// BEP 29, "connection setup": the dialler sends with its id and one more, the listener with the id of the SYN.
#[test]
fn the_numbers_of_a_dialled_connection_are_those_of_bep_29() {
    let mut end = endpoint(1, limits());
    let conn = end.connect(secs(1), address(1)).unwrap();
    assert_eq!(end.write(conn, b"hello"), Ok(5));
    let first = one(&mut end, address(1));
    let receive = (128 << 10) as u32;
    let expected = Packet {
        timestamp: 1_000_000,
        difference: 0, // unknown
        window: receive,
        ..packet(PacketKind::Syn, first.connection, first.seq, 0, b"")
    };
    assert_eq!(first.packet(), expected);
    assert_eq!(end.poll_event(), None);
    let answer = packet(PacketKind::State, first.connection, 700, first.seq, b"");
    let late = Packet { timestamp: 2_000_300, ..answer };
    assert_eq!(handle(&mut end, ms(2_050), address(1), late), Ok(Some(conn)));
    assert_eq!(end.poll_event(), Some(UtpEvent::Connected { conn }));
    let data = one(&mut end, address(1));
    let ids = [first.connection.wrapping_add(1), first.seq.wrapping_add(1)];
    assert_eq!(([data.connection, data.seq], data.ack), (ids, 699), "the answer takes no number");
    assert_eq!(
        (data.kind, data.payload, data.difference),
        (PacketKind::Data, b"hello".to_vec(), 49_700)
    );
    assert_eq!(end.poll_timeout(), Some(ms(3_050)), "the SYN is not repeated any more");
    assert_eq!(end.read(conn, &mut [0; 9]), Ok(0));
    assert_eq!(transmits(&mut end), [], "nothing was read, so no window update is due");
}

/// The answer names the SYN; other packets, and any before the SYN was sent, are not expected.
#[test]
fn a_dial_is_answered_by_its_own_answer_only() {
    let mut end = endpoint(1, limits());
    let conn = end.connect(ZERO, address(1)).unwrap();
    let first = {
        let mut copy = end.clone();
        one(&mut copy, address(1))
    };
    let answer = packet(PacketKind::State, first.connection, 700, first.seq, b"");
    assert_eq!(handle(&mut end, ZERO, address(1), answer), Err(DatagramError::Unexpected));
    one(&mut end, address(1));
    let wrong = Packet { ack: first.seq.wrapping_add(1), ..answer };
    assert_eq!(handle(&mut end, ZERO, address(1), wrong), Err(DatagramError::Ack(wrong.ack)));
    let data = Packet { kind: PacketKind::Data, payload: b"y", ..answer };
    assert_eq!(handle(&mut end, ZERO, address(1), data), Err(DatagramError::Unexpected));
    assert_eq!(handle(&mut end, ZERO, address(2), answer), Err(DatagramError::Unknown));
    assert_eq!(end.poll_event(), None);
    assert_eq!(handle(&mut end, ZERO, address(1), answer), Ok(Some(conn)));
}

/// A listener that keeps no memory of the first SYN answers the second one by another number: the last answer counts, until data
/// has arrived.
#[test]
fn the_last_answer_to_a_repeated_syn_counts() {
    for data_first in [false, true] {
        let mut end = endpoint(1, limits());
        let conn = end.connect(ZERO, address(1)).unwrap();
        let first = one(&mut end, address(1));
        let answer = |seq| packet(PacketKind::State, first.connection, seq, first.seq, b"");
        handle(&mut end, ZERO, address(1), answer(700)).unwrap();
        if data_first {
            let data = Packet { kind: PacketKind::Data, payload: b"a", ..answer(700) };
            handle(&mut end, ZERO, address(1), data).unwrap();
        }
        handle(&mut end, ZERO, address(1), answer(900)).unwrap();
        end.write(conn, b"hello").unwrap();
        assert_eq!(sent(&mut end, address(1))[0].ack, if data_first { 700 } else { 899 });
    }
    // Our data is acknowledged: the peer knows the connection.
    let mut end = endpoint(1, limits());
    let conn = end.connect(ZERO, address(1)).unwrap();
    end.write(conn, b"hello").unwrap();
    let first = one(&mut end, address(1));
    let state = |seq, ack| packet(PacketKind::State, first.connection, seq, ack, b"");
    handle(&mut end, ZERO, address(1), state(700, first.seq)).unwrap();
    let data = one(&mut end, address(1));
    handle(&mut end, ZERO, address(1), state(800, data.seq)).unwrap();
    handle(&mut end, ZERO, address(1), state(900, data.seq)).unwrap();
    end.write(conn, b"again").unwrap();
    assert_eq!(one(&mut end, address(1)).ack, 699);
}

/// An answer is as short as a packet can be, names the SYN and our room, and takes no slot.
#[test]
fn a_syn_is_answered_without_a_slot() {
    let mut end = endpoint(1, UtpLimits { receive: 5_000, ..limits() });
    let asked = Packet { timestamp: 999_000, ..packet(PacketKind::Syn, 0xFFFF, 77, 0, b"") };
    assert_eq!(handle(&mut end, secs(1), address(1), asked), Ok(None));
    let answer = one(&mut end, address(1));
    let expected = Packet {
        timestamp: 1_000_000,
        difference: 1_000,
        window: 5_000,
        ..packet(PacketKind::State, 0xFFFF, answer.seq, 77, b"")
    };
    assert_eq!((answer.packet(), end.len(), end.poll_event()), (expected, 0, None));
    // The id of the peer's packets is one more, and wraps around.
    let data = packet(PacketKind::Data, 0, 78, answer.seq.wrapping_sub(1), b"x");
    let conn = handle(&mut end, secs(1), address(1), data).unwrap().unwrap();
    assert_eq!(end.poll_event(), Some(UtpEvent::Accepted { conn, from: address(1) }));
    assert_eq!(end.peer(conn), Some(address(1)));
}

/// An answer counts for 16 to 32 s.
#[test]
fn an_answer_expires() {
    for (asked, opens, accepted) in
        [(0, 31_999, true), (0, 32_000, false), (15_999, 31_999, true), (16_000, 47_999, true)]
    {
        let mut end = endpoint(1, limits());
        let ack = syn(&mut end, ms(asked), address(1), 50);
        let data = packet(PacketKind::Data, 51, 2, ack, b"x");
        let opened = handle(&mut end, ms(opens), address(1), data);
        assert_eq!(opened.is_ok(), accepted, "{asked} {opens}");
    }
}

/// What a SYN contains is part of the answer: address, port, id and number, over IPv6 too.
#[test]
fn an_answer_is_bound_to_its_syn() {
    let v6 = |host: u16, port: u16| SocketAddr::from(([0x2001, 0xDB8, 0, 0, 0, 0, 0, host], port));
    for (from, others) in [
        (address(1), [address(2), ([192, 0, 1, 1], 6_882).into()]),
        (v6(1, 6_881), [v6(2, 6_881), v6(1, 6_882)]),
    ] {
        let mut end = endpoint(1, limits());
        let ack = syn(&mut end, ZERO, from, 50);
        let right = packet(PacketKind::Data, 51, 2, ack, b"x");
        let wrong = [
            (others[0], right),
            (others[1], right),
            (from, Packet { connection: 52, ..right }),
            (from, Packet { connection: 50, ..right }),
            (from, Packet { seq: 1, ..right }),
            (from, Packet { seq: 6, ..right }),
            (from, Packet { ack: ack.wrapping_add(1), ..right }),
            (from, Packet { kind: PacketKind::State, ..right }),
            (from, Packet { kind: PacketKind::Fin, ..right }),
        ];
        for (addr, packet) in wrong {
            assert_eq!(
                handle(&mut end, ZERO, addr, packet),
                Err(DatagramError::Unknown),
                "{packet}"
            );
        }
        assert!(handle(&mut end, ZERO, from, right).is_ok());
    }
}

/// The first four packets may overtake each other; with fewer slots behind a gap, as many as there are.
#[test]
fn one_of_the_first_packets_opens_a_connection() {
    for (reorder, first, accepted) in
        [(64, 5, true), (64, 6, false), (2, 3, true), (2, 4, false), (0, 2, true), (0, 3, false)]
    {
        let mut end = endpoint(1, UtpLimits { reorder, ..limits() });
        let ack = syn(&mut end, ZERO, address(1), 50);
        let opened =
            handle(&mut end, ZERO, address(1), packet(PacketKind::Data, 51, first, ack, b"x"));
        assert_eq!(opened.is_ok(), accepted, "{reorder} slots, number {first}");
    }
}

#[test]
fn an_endpoint_that_does_not_accept_answers_nobody() {
    let mut config = UtpConfig::new([1; 16]);
    let ack = syn(&mut endpoint(1, limits()), ZERO, address(1), 50);
    config.accept = false;
    let mut end = UtpEndpoint::new(config, UtpVec::new(limits())).unwrap();
    let asked = packet(PacketKind::Syn, 50, 1, 0, b"");
    assert_eq!(handle(&mut end, ZERO, address(1), asked), Err(DatagramError::Unexpected));
    let data = packet(PacketKind::Data, 51, 2, ack, b"x");
    assert_eq!(handle(&mut end, ZERO, address(1), data), Err(DatagramError::Unknown));
    assert_eq!(transmits(&mut end), []);
}

/// A SYN whose packets would have the id of a dialled connection is refused; one of an accepted connection is a repetition.
#[test]
fn a_syn_does_not_take_the_id_of_a_dialled_connection() {
    let mut end = endpoint(1, limits());
    end.connect(ZERO, address(1)).unwrap();
    let id = one(&mut end, address(1)).connection.wrapping_sub(1);
    let asked = packet(PacketKind::Syn, id, 1, 0, b"");
    assert_eq!(handle(&mut end, ZERO, address(1), asked), Err(DatagramError::Unexpected));
    assert_eq!(handle(&mut end, ZERO, address(2), asked), Ok(None), "another peer");
    let mut opened = Opened::new(limits());
    assert_eq!(opened.handle(ZERO, packet(PacketKind::Syn, ID, 1, 0, b"")), Ok(None));
    assert_eq!(opened.sent()[0].seq, opened.first, "the same answer");
    assert_eq!(opened.end.len(), 1);
}

/// Two answers to one network wait at a time, 16 in all; local addresses are exempt from the first.
#[test]
fn answers_that_wait_are_few() {
    let mut end = endpoint(1, limits());
    let mut ask = |from: [u8; 4], id| {
        handle(&mut end, ZERO, (from, 6_881).into(), packet(PacketKind::Syn, id, 1, 0, b""))
    };
    for id in 0..2 {
        assert_eq!(ask([80, 1, 1, id as u8], id), Ok(None));
    }
    assert_eq!(ask([80, 1, 1, 9], 9), Err(DatagramError::Full));
    for id in 0..13 {
        assert_eq!(ask([10, 0, 0, 1], id), Ok(None));
    }
    assert_eq!(ask([80, 2, 2, 1], 1), Ok(None), "the sixteenth");
    assert_eq!(ask([80, 3, 3, 1], 1), Err(DatagramError::Full));
    assert_eq!(transmits(&mut end).len(), 16);
}

/// The share of a network counts what it opened, not what we dialled.
#[test]
fn dialled_connections_are_not_part_of_the_share_of_a_network() {
    let mut config = UtpConfig::new([1; 16]);
    config.per_network = 1;
    let mut end = UtpEndpoint::new(config, UtpVec::new(limits())).unwrap();
    end.connect(ZERO, address(1)).unwrap();
    transmits(&mut end);
    assert!(open(&mut end, ZERO, address(1), 7_000).is_some());
    assert_eq!(open(&mut end, ZERO, address(1), 8_000), None);
    assert!(open(&mut end, ZERO, address(2), 9_000).is_some());
    assert_eq!(end.len(), 3);
}

/// The first packets of the last 16 ended connections are answered by a RESET that names them.
#[test]
fn sixteen_ended_connections_are_remembered() {
    let mut end = endpoint(1, limits());
    let acks: Vec<u16> = (1..=17)
        .map(|host| {
            let (conn, seq) = accept(&mut end, host, 50);
            end.abort(conn).unwrap();
            let reset = one(&mut end, address(host));
            assert_eq!((reset.kind, reset.connection, reset.ack), (PacketKind::Reset, 50, 2));
            assert_eq!(reset.seq, seq, "the next packet");
            seq.wrapping_sub(1)
        })
        .collect();
    assert!(end.is_empty() && end.poll_event().is_none());
    for host in 2..=17 {
        let ack = acks[host as usize - 1];
        let late = Packet { timestamp: 999_000, ..packet(PacketKind::Data, 51, 3, ack, b"y") };
        assert_eq!(handle(&mut end, secs(1), address(host), late), Ok(None));
        let reset = one(&mut end, address(host));
        assert_eq!((reset.kind, reset.connection, reset.ack), (PacketKind::Reset, 51, 3));
        assert_eq!((reset.seq, reset.difference), (0, 1_000));
    }
    let first = packet(PacketKind::Data, 51, 2, acks[0], b"x");
    assert!(handle(&mut end, secs(1), address(1), first).is_ok_and(|conn| conn.is_some()));
}

/// A peer that was never sent a SYN does not know the connection.
#[test]
fn an_abort_before_the_syn_is_silent() {
    let mut end = endpoint(1, limits());
    let conn = end.connect(ZERO, address(1)).unwrap();
    end.abort(conn).unwrap();
    assert_eq!((transmits(&mut end), end.len()), (vec![], 0));
    let conn = end.connect(ZERO, address(1)).unwrap();
    let asked = one(&mut end, address(1));
    end.abort(conn).unwrap();
    let reset = one(&mut end, address(1));
    assert_eq!(
        (reset.kind, reset.connection),
        (PacketKind::Reset, asked.connection.wrapping_add(1))
    );
}

/// Each connection has its own slots, and they take turns.
#[test]
fn connections_take_turns() {
    let mut end = endpoint(1, limits());
    let conns = [1, 2, 3].map(|host| accept(&mut end, host, 50));
    while end.poll_event().is_some() {}
    for (conn, _) in conns {
        assert_eq!(end.write(conn, &[conn.0 as u8; 10 * FULL]), Ok(10 * FULL));
    }
    for (host, (_, seq)) in (1..).zip(conns) {
        let ack = packet(PacketKind::State, 51, 3, seq.wrapping_sub(1), b"");
        handle(&mut end, ZERO, address(host), ack).unwrap();
    }
    let hosts = |end: &mut UtpEndpoint<UtpVec>| -> Vec<SocketAddr> {
        transmits(end).into_iter().map(|(to, _)| to).collect()
    };
    assert_eq!(hosts(&mut end), [1, 2, 3].map(address));
    for (host, (_, seq)) in (1..).zip(conns) {
        handle(&mut end, ms(50), address(host), packet(PacketKind::State, 51, 3, seq, b""))
            .unwrap();
    }
    let turns: Vec<_> = [1, 2, 3].into_iter().cycle().take(18).map(address).collect();
    assert_eq!(hosts(&mut end), turns, "six packets each");
    // What each peer receives is what was written for it.
    let (conn, seq) = conns[1];
    handle(
        &mut end,
        ms(100),
        address(2),
        packet(PacketKind::State, 51, 3, seq.wrapping_add(6), b""),
    )
    .unwrap();
    let payloads = transmits(&mut end);
    assert!(!payloads.is_empty());
    for (to, bytes) in payloads {
        let payload = Packet::decode(&bytes).unwrap().payload.to_vec();
        assert_eq!(to, address(2));
        assert!(payload.iter().all(|byte| *byte == conn.0 as u8));
    }
}

/// What the socket refused for one peer says nothing about the path to another.
#[test]
fn a_refused_length_concerns_one_address() {
    let mut end = endpoint(1, limits());
    let conns = [1, 2].map(|host| accept(&mut end, host, 50));
    end.handle_too_big(address(1), FULL + 21);
    for (host, (conn, seq)) in (1..).zip(conns) {
        end.write(conn, &[0; 10 * FULL]).unwrap();
        transmits(&mut end);
        handle(&mut end, ms(50), address(host), packet(PacketKind::State, 51, 3, seq, b""))
            .unwrap();
        let longest = transmits(&mut end).iter().map(|(_, bytes)| bytes.len()).max();
        // A probe is half-way between 548 and 1,472 bytes.
        assert_eq!(longest, Some(if host == 1 { 548 } else { 1_010 }));
    }
}
