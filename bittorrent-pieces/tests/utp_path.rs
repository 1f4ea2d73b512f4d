//! How long the packets of a uTP connection are: probes of the path, and packets that it does not carry.

mod utp_by_hand;

use core::time::Duration;

use bittorrent_pieces::utp::{CloseReason, Packet, PacketKind, UtpEvent, UtpLimits};
use utp_by_hand::*;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Opens a connection whose packets are 990 bytes long: two probes of 1,010 bytes have arrived.
fn long_packets() -> Opened {
    let mut peer = Opened::with_probes(limits());
    peer.write(ms(0), 7 * FULL);
    assert_eq!(peer.ack(ms(50), 1), [1, 2, 3, 4, 5, 6]);
    assert_eq!(peer.ack(ms(100), 7), [], "packet 1 was padded to 1,010 bytes");
    peer
}

/// A probe is a packet with padding. It is sent again without, and its loss says nothing about congestion.
#[test]
fn a_lost_probe_is_sent_again_without_padding() {
    let mut peer = Opened::with_probes(limits());
    peer.write(ms(0), 20 * FULL);
    peer.handle(ms(50), peer.state(1)).unwrap();
    let lens = |peer: &mut Opened| -> Vec<(u16, usize, usize)> {
        let numbers = |packet: &Packet<'_>| packet.seq.wrapping_sub(peer.first);
        let sent = transmits(&mut peer.end);
        let sent = sent.iter().map(|(_, bytes)| (bytes.len(), Packet::decode(bytes).unwrap()));
        sent.map(|(len, packet)| (numbers(&packet), len, packet.payload.len())).collect()
    };
    let short = |nth| (nth, FULL + 20, FULL);
    let flight = lens(&mut peer);
    assert_eq!(flight[0], (1, 1_010, FULL), "half-way between 548 and 1,472 bytes");
    assert_eq!(flight[1..], [2, 3, 4, 5, 6].map(short), "one probe at a time");
    // 4,874 bytes, as without a loss: 9 packets, of which two are in flight, and 1 is sent again.
    peer.handle_sack(ms(100), 1, &[0b111, 0, 0, 0]);
    let flight = lens(&mut peer);
    assert_eq!(flight[0], short(1));
    assert_eq!(flight[1], (7, 1_010, FULL), "the length is tried twice");
    assert_eq!(flight.len(), 7);
}

/// A packet that is longer than what every path carries, and a peer that answers, but never to it.
#[test]
fn a_long_packet_that_never_arrives_ends_the_connection_after_15_seconds() {
    let mut peer = long_packets();
    assert_eq!(peer.write(secs(10), 990), [7]);
    let mut pokes = vec![];
    for at in [11, 13, 17] {
        peer.end.handle_timeout(secs(at));
        let sent = peer.sent();
        let last = sent.last().unwrap();
        assert_eq!((last.seq, last.payload.len()), (peer.first.wrapping_add(7), 990), "{at}");
        // An empty packet with the number before the oldest is acknowledged, whatever the path carries.
        let poke = &sent[..sent.len() - 1];
        pokes.push(poke.iter().map(|it| (it.seq, it.payload.len())).collect::<Vec<_>>());
    }
    let before = (peer.first.wrapping_add(6), 0);
    assert_eq!(pokes, [vec![], vec![before], vec![before]]);
    peer.handle(ms(24_999), peer.state(7)).unwrap();
    assert_eq!(peer.end.poll_event(), None);
    peer.handle(secs(25), peer.state(7)).unwrap();
    let closed = UtpEvent::Closed { conn: peer.conn, reason: CloseReason::PathTooShort };
    assert_eq!(peer.end.poll_event(), Some(closed));
    let [reset] = &peer.sent()[..] else { panic!("a RESET") };
    assert_eq!((reset.kind, reset.connection), (PacketKind::Reset, ID));
}

/// The same with a packet that every path carries: something else is wrong, and the connection goes on.
#[test]
fn a_short_packet_that_never_arrives_is_no_sign_of_a_short_path() {
    let mut peer = long_packets();
    assert_eq!(peer.write(secs(10), FULL), [7]);
    for at in [11, 13, 17, 25] {
        peer.end.handle_timeout(secs(at));
        assert_eq!(peer.data(), [7], "no empty packet");
        peer.handle(secs(at), peer.state(7)).unwrap();
    }
    assert_eq!(peer.end.poll_event(), None);
}

/// The 15 s begin when a packet becomes the oldest that is not acknowledged.
#[test]
fn each_packet_has_15_seconds() {
    let mut peer = long_packets();
    assert_eq!(peer.write(secs(10), 2 * 990), [7, 8]);
    assert_eq!(peer.run(secs(11)), [(secs(11), 7)]);
    assert_eq!(peer.ack(secs(12), 8), [8]);
    // Packet 7 is the empty one; 8 is sent five times in all.
    let sent = [(14, 8), (18, 7), (18, 8), (26, 7), (26, 8)].map(|(at, nth)| (secs(at), nth));
    assert_eq!(peer.run(secs(26)), sent);
    peer.handle(ms(26_999), peer.state(8)).unwrap();
    assert_eq!(peer.end.poll_event(), None);
    peer.handle(secs(27), peer.state(8)).unwrap();
    assert!(matches!(peer.end.poll_event(), Some(UtpEvent::Closed { .. })));
}

/// A timeout closes the window to one packet, but not if a probe was lost alone: it may have been too long.
#[test]
fn a_probe_that_is_lost_alone_leaves_the_window() {
    for (probes, len, sent) in [(true, FULL, 5), (true, FULL - 1, 0), (false, FULL, 0)] {
        let mut peer = if probes { Opened::with_probes(limits()) } else { Opened::new(limits()) };
        peer.write(ms(0), FULL);
        peer.ack(ms(50), 1);
        assert_eq!(peer.write(ms(50), len), [1]);
        assert_eq!(peer.run(ms(1_050)), [(ms(1_050), 1)]);
        assert_eq!(peer.write(ms(1_050), 20 * FULL).len(), sent, "{probes} {len}");
    }
    // Two packets: the probe was not alone.
    let mut peer = Opened::with_probes(limits());
    peer.write(ms(0), 3 * FULL);
    assert_eq!(peer.ack(ms(50), 1), [1, 2]);
    assert_eq!(peer.run(ms(1_050)), [(ms(1_050), 1)], "one packet");
}

/// What was slow to arrive is not held against a connection later.
#[test]
fn a_long_packet_that_arrives_late_is_forgotten() {
    let mut peer = Opened::with_probes(UtpLimits { packets: 1, ..limits() });
    peer.write(ms(0), 2 * FULL);
    assert_eq!(peer.ack(ms(50), 1), [1]);
    assert_eq!(peer.ack(ms(100), 2), [], "packet 1 was padded to 1,010 bytes");
    assert_eq!(peer.write(secs(10), 990), [2]);
    assert_eq!(peer.run(secs(24)).len(), 3 + 2, "and two empty packets");
    assert_eq!(peer.ack(secs(24), 3), []);
    peer.handle(secs(60), peer.state(3)).unwrap();
    assert_eq!(peer.end.poll_event(), None, "nothing is in flight");
}

/// Two sends in 15 s are too few to say that a packet is too long.
#[test]
fn a_long_packet_that_was_sent_seldom_may_still_arrive() {
    let mut peer = long_packets();
    assert_eq!(peer.write(secs(10), 990), [7]);
    peer.end.handle_timeout(secs(40));
    assert_eq!(peer.data(), [7]);
    peer.handle(secs(41), peer.state(7)).unwrap();
    assert_eq!(peer.end.poll_event(), None);
}

/// A peer that stores nothing does not show a short path: the 15 s begin when it has room.
#[test]
fn the_time_without_room_does_not_count() {
    let mut peer = long_packets();
    assert_eq!(peer.write(secs(10), 990), [7]);
    peer.run(secs(24));
    peer.handle(secs(24), Packet { window: 0, ..peer.state(7) }).unwrap();
    peer.handle(secs(30), peer.state(7)).unwrap();
    peer.handle(ms(44_999), peer.state(7)).unwrap();
    assert_eq!(peer.end.poll_event(), None);
    peer.handle(secs(45), peer.state(7)).unwrap();
    assert!(matches!(peer.end.poll_event(), Some(UtpEvent::Closed { .. })));
}

/// A probe is a full packet that others follow: neither the first one nor short ones are padded.
#[test]
fn only_full_packets_are_padded() {
    let mut peer = Opened::with_probes(limits());
    let lens = |peer: &mut Opened| -> Vec<usize> {
        transmits(&mut peer.end).iter().map(|(_, bytes)| bytes.len()).collect()
    };
    assert_eq!(peer.end.write(peer.conn, &[0; FULL]), Ok(FULL));
    assert_eq!(lens(&mut peer), [FULL + 20], "the window is one packet");
    peer.ack(ms(0), 1);
    peer.end.write(peer.conn, &[0; 100]).unwrap();
    assert_eq!(lens(&mut peer), [120], "the window is six packets");
    peer.ack(ms(0), 2);
    peer.end.write(peer.conn, &[0; 3 * FULL]).unwrap();
    peer.handle(ms(0), Packet { window: 300, ..peer.state(2) }).unwrap();
    assert_eq!(lens(&mut peer), [320], "the window of the peer");
    peer.handle(ms(0), peer.state(3)).unwrap();
    assert_eq!(lens(&mut peer), [1_010, FULL + 20, 3 * FULL - 300 - 2 * FULL + 20]);
}

/// A lost probe is noticed by the packets behind it: the window has to hold more than three packets.
#[test]
fn a_window_of_three_packets_is_too_small_for_a_probe() {
    // With this queuing delay a round trip adds 1,056 bytes to a window of 528: 3,000 * 0.353 * 527 / 528.
    for (delay, lens) in [(64_733, [548, 548, 548]), (64_600, [1_010, 548, 548])] {
        let mut peer = Opened::with_probes(limits());
        // The delay counts when three samples have it. Packets that are not full are not probes.
        for (nth, delay) in [(0, 0), (1, delay), (2, delay), (3, delay)] {
            assert_eq!(peer.write(ms(0), FULL - 1), [nth]);
            peer.handle(ms(0), Packet { difference: 1 + delay, ..peer.state(nth + 1) }).unwrap();
        }
        assert_eq!(peer.write(ms(0), FULL - 1), [4]);
        assert_eq!(peer.run(ms(1_000)), [(ms(1_000), 4)], "the window is one packet again");
        assert_eq!(peer.write(ms(1_000), 5 * FULL), []);
        peer.handle(ms(1_000), Packet { difference: 1 + delay, ..peer.state(5) }).unwrap();
        let sent: Vec<usize> = peer.sent().iter().map(|sent| sent.bytes.len()).collect();
        assert_eq!(sent, lens, "{delay}");
    }
}

/// After two timeouts in a row the path may have changed: packets are as short as every path carries.
/// One timeout does not shorten them.
#[test]
fn two_timeouts_in_a_row_shorten_the_packets() {
    for (timeouts, until, next) in [(1, 11, vec![8]), (2, 13, vec![8, 9])] {
        let mut peer = long_packets();
        assert_eq!(peer.write(secs(10), 990), [7]);
        assert!(peer.run(secs(until)).len() >= timeouts);
        assert_eq!(peer.ack(secs(until), 8), []);
        assert_eq!(peer.write(secs(until), 990), next, "{timeouts}");
    }
}
