//! What a uTP connection sends, and when: its window, losses, timeouts, and the window of the peer.

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

/// Opens a connection with packets 1 to `last` in flight; packet 0 is acknowledged after 50 ms, with which the window is
/// 3,528 bytes, 6 packets.
fn in_flight(last: u16) -> Opened {
    let mut peer = Opened::new(limits());
    assert_eq!(peer.write(ms(0), FULL * usize::from(last + 1)), [0]);
    assert_eq!(peer.ack(ms(50), 1), (1..=last).collect::<Vec<_>>());
    peer
}

/// LEDBAT (RFC 6817) with the gain of libutp: at most 3,000 bytes in a round trip, the share that was in flight.
#[test]
fn the_window_grows_by_3_000_bytes_in_a_round_trip() {
    let mut peer = Opened::new(limits());
    assert_eq!(peer.write(ms(0), 40_000), [0]);
    assert_eq!(peer.ack(ms(50), 1), (1..=6).collect::<Vec<_>>(), "528 + 3,000 bytes");
    assert_eq!(
        peer.ack(ms(100), 7),
        (7..=17).collect::<Vec<_>>(),
        "and 3,000 * 3,168 / 3,528 more"
    );
}

/// A window that the sender does not fill does not grow (RFC 6817, section 2.4.2).
#[test]
fn a_window_that_is_not_filled_does_not_grow() {
    let mut peer = in_flight(1);
    for round in 1..=5 {
        assert_eq!(peer.ack(ms(50 + 50 * round), round as u16 + 1), []);
        assert_eq!(peer.write(ms(60 + 50 * round), FULL), [round as u16 + 1]);
    }
    peer.ack(ms(400), 7);
    assert_eq!(peer.write(ms(400), 40_000).len(), 6);
}

/// A sender that could have sent another full packet is not limited by the window: 3,000 and 528 bytes are 3,528.
#[test]
fn a_window_with_room_for_a_packet_does_not_grow() {
    for (last, sent) in [(360, 6), (361, 11)] {
        let mut peer = Opened::new(limits());
        peer.write(ms(0), 6 * FULL + last);
        assert_eq!(peer.ack(ms(50), 1), [1, 2, 3, 4, 5, 6]);
        assert_eq!(peer.ack(ms(100), 7), []);
        assert_eq!(peer.write(ms(100), 40_000).len(), sent, "{last}");
    }
}

/// 0, and 0x7FFFFFFF of old versions of µTorrent, mean that no delay was measured.
#[test]
fn a_delay_that_was_not_measured_does_not_change_the_window() {
    for (difference, sent) in [(0, 1), (0x7FFF_FFFF, 1), (1, 6), (0x7FFF_FFFE, 6)] {
        let mut peer = Opened::new(limits());
        peer.write(ms(0), 40_000);
        peer.handle(ms(50), Packet { difference, ..peer.state(1) }).unwrap();
        assert_eq!(peer.data().len(), sent, "{difference}");
    }
}

/// BEP 29: a packet is lost when one arrives that was sent three packets later.
#[test]
fn a_packet_is_sent_again_when_one_three_later_arrives() {
    let mut peer = in_flight(4);
    assert_eq!(peer.sack(ms(100), 1, &[0b010, 0, 0, 0]), [], "packet 3");
    assert_eq!(peer.sack(ms(101), 1, &[0b110, 0, 0, 0]), [1], "packet 4");
    assert_eq!(peer.sack(ms(102), 1, &[0b110, 0, 0, 0]), [], "nothing new");
    assert_eq!(peer.ack(ms(150), 5), []);
    assert_eq!(peer.end.poll_timeout(), None, "all has arrived");
}

/// The mask may be longer than what is in flight, and name what was acknowledged before.
#[test]
fn a_mask_of_packets_that_were_not_sent_changes_nothing() {
    let mut peer = in_flight(4);
    assert_eq!(peer.sack(ms(100), 1, &[0b1111_1000, 0xFF, 0xFF, 0xFF]), []);
    assert_eq!(peer.sack(ms(101), 5, &[0xFF; 4]), []);
    assert_eq!(peer.write(ms(101), FULL), [5]);
}

/// The losses of one window halve it once, those of the next one again: 4,874 bytes become 2,437, and 4,386 become 2,193.
#[test]
fn the_window_is_halved_once_in_a_round_trip() {
    let mut peer = in_flight(6);
    peer.write(ms(60), 20_000);
    assert_eq!(peer.sack(ms(100), 1, &[0b11100, 0, 0, 0]), [1, 2, 3, 7], "packets 4, 5, 6");
    assert_eq!(peer.sack(ms(150), 1, &[0b11_1111, 0, 0, 0]), [1, 8, 9, 10], "and 2, 3, 7");
}

/// BEP 29, for peers without selective acknowledgements: the same number three times.
#[test]
fn three_duplicate_acknowledgements_mean_a_loss() {
    let mut peer = in_flight(4);
    assert_eq!(peer.ack(ms(100), 1), []);
    assert_eq!(peer.ack(ms(101), 1), []);
    assert_eq!(peer.ack(ms(102), 2), [], "news: the count begins again");
    assert_eq!(peer.ack(ms(103), 2), []);
    assert_eq!(peer.ack(ms(104), 2), []);
    assert_eq!(peer.ack(ms(105), 2), [2]);
    assert_eq!(peer.ack(ms(106), 2), [], "once");
}

/// Packets with data repeat the number too, and a mask says more than a repetition.
#[test]
fn only_bare_acknowledgements_are_counted() {
    let mut peer = in_flight(4);
    for nth in 1..=5 {
        peer.handle(ms(100), peer.payload(PacketKind::Data, nth, 1, b"y")).unwrap();
        assert_eq!(peer.data(), [], "an acknowledgement has no data");
        assert_eq!(peer.sack(ms(100), 1, &[0, 0, 0, 0]), []);
    }
    // Nothing is in flight: a keep-alive is not a duplicate.
    peer.ack(ms(200), 5);
    for _ in 0..3 {
        assert_eq!(peer.ack(ms(200), 5), []);
    }
    assert_eq!(peer.write(ms(201), FULL), [5]);
    assert_eq!(peer.ack(ms(202), 5), []);
    assert_eq!(peer.ack(ms(203), 5), []);
    assert_eq!(peer.ack(ms(204), 5), [5]);
}

/// BEP 29: 1 s at first, doubled each time.
#[test]
fn a_packet_that_is_not_acknowledged_is_sent_six_times_in_a_minute() {
    let mut peer = Opened::new(limits());
    assert_eq!(peer.write(ms(0), 3 * FULL), [0], "one packet may be in flight");
    let sent = peer.run(secs(62));
    assert_eq!(sent, [1, 3, 7, 15, 31].map(|at| (secs(at), 0)));
    assert_eq!(peer.end.poll_event(), None);
    assert_eq!(peer.run(secs(63)), []);
    let closed = UtpEvent::Closed { conn: peer.conn, reason: CloseReason::TimedOut };
    assert_eq!(peer.end.poll_event(), Some(closed));
    assert_eq!(peer.end.poll_timeout(), None);
}

/// After a timeout one packet is sent, and its round trip is not measured: it may be the first that was acknowledged.
#[test]
fn a_timeout_begins_again_with_one_packet() {
    let mut peer = in_flight(6);
    peer.write(ms(60), 10 * FULL);
    assert_eq!(peer.end.poll_timeout(), Some(ms(1_050)), "1 s after the last news");
    assert_eq!(peer.run(ms(1_050)), [(ms(1_050), 1)]);
    assert_eq!(peer.end.poll_timeout(), Some(ms(3_050)), "2 s");
    assert_eq!(peer.ack(ms(1_100), 2), [2, 3, 4, 5, 6, 7], "528 + 3,000 bytes; lost ones first");
    assert_eq!(peer.end.poll_timeout(), Some(ms(3_100)), "still 2 s");
    // Half of what the window was, 1,764 bytes, has been exceeded: slow start ends, and the window stays as it is.
    assert_eq!(peer.ack(ms(1_150), 8), [8, 9, 10, 11, 12, 13]);
    assert_eq!(peer.end.poll_timeout(), Some(ms(2_150)), "packet 7 was sent once: 50 ms, so 1 s");
}

/// libutp: the mean and four times the deviation. The first sample of 400 ms: 400 + 4 * 200.
#[test]
fn the_timeout_follows_the_round_trip() {
    let mut peer = Opened::new(limits());
    peer.write(ms(0), FULL);
    peer.ack(ms(400), 1);
    assert_eq!(peer.end.poll_timeout(), None);
    peer.write(ms(1_000), FULL);
    assert_eq!(peer.end.poll_timeout(), Some(ms(2_200)));
    peer.write(ms(1_500), FULL);
    assert_eq!(peer.end.poll_timeout(), Some(ms(2_200)), "that of the oldest packet");
}

/// The clock of the round trip wraps around after 2^32 ms.
#[test]
fn a_round_trip_over_the_end_of_the_clock_is_measured() {
    let mut peer = Opened::new(limits());
    let before = ms((1 << 32) - 100);
    peer.write(before, FULL);
    peer.ack(before + ms(400), 1);
    peer.write(before + ms(500), FULL);
    assert_eq!(peer.end.poll_timeout(), Some(before + ms(500 + 1_200)));
}

/// The peer stores 1,000 bytes: one packet, and the next one only once it is full.
#[test]
fn the_window_of_the_peer_is_kept() {
    let mut peer = in_flight(1);
    let window = |window| move |packet| Packet { window, ..packet };
    peer.handle(ms(100), window(1_000)(peer.state(2))).unwrap();
    assert_eq!(peer.write(ms(100), 5 * FULL), [2], "472 bytes are left: no small packets");
    peer.handle(ms(150), window(1_056)(peer.state(3))).unwrap();
    assert_eq!(peer.data(), [3, 4]);
    // Alone, a short packet is better than none.
    peer.handle(ms(200), window(300)(peer.state(5))).unwrap();
    let sent = peer.sent();
    assert_eq!(sent.iter().map(|packet| packet.payload.len()).collect::<Vec<_>>(), [300]);
}

/// libutp: a peer without room is sent one packet after 15 s.
#[test]
fn a_peer_without_room_is_asked_after_15_seconds() {
    let mut peer = in_flight(1);
    let full = Packet { window: 0, ..peer.state(2) };
    peer.handle(secs(1), full).unwrap();
    assert_eq!(peer.end.poll_timeout(), None, "nothing waits to be sent");
    assert_eq!(peer.write(secs(2), 5 * FULL), []);
    peer.handle(secs(5), full).unwrap();
    assert_eq!(peer.end.poll_timeout(), Some(secs(16)), "15 s after the first");
    assert_eq!(peer.run(secs(15)), []);
    assert_eq!(peer.run(secs(16)), [(secs(16), 2)]);
    peer.handle(secs(17), Packet { window: 0, ..peer.state(3) }).unwrap();
    assert_eq!(peer.end.poll_timeout(), Some(secs(32)));
    peer.handle(secs(18), peer.state(3)).unwrap();
    assert_eq!(peer.data(), [3, 4, 5, 6]);
}

/// A packet for which there was no room is repeated, but a peer that answers is not given up.
#[test]
fn a_peer_that_answers_without_room_is_not_given_up() {
    let mut peer = in_flight(1);
    for at in 1..200 {
        peer.handle(secs(at), Packet { window: 0, ..peer.state(1) }).unwrap();
        peer.run(secs(at));
    }
    assert_eq!(peer.end.poll_event(), None);
    assert_eq!(peer.end.len(), 1);
}

/// A peer that has no room for ever, or takes a byte at a time, does not keep the slot of a closed connection.
#[test]
fn a_closed_connection_ends_after_a_minute_at_most() {
    for stalls in [true, false] {
        let mut peer = in_flight(1);
        peer.write(ms(200), 20 * FULL);
        let mut acked = 1;
        peer.end.close(peer.conn).unwrap();
        let mut at = 0;
        while peer.end.poll_event().is_none() {
            at += 1;
            assert!(at <= 62, "still open");
            peer.handle(secs(at), Packet { window: u32::from(!stalls), ..peer.state(acked) })
                .unwrap();
            peer.end.handle_timeout(secs(at));
            acked += u16::from(!stalls && !peer.data().is_empty());
        }
        assert!((60..=62).contains(&at), "{at} s");
        assert_eq!(peer.end.len(), 0);
    }
}

/// A window of one full packet is room: such a peer that acknowledges nothing is given up.
#[test]
fn a_peer_that_has_room_and_acknowledges_nothing_is_given_up() {
    let mut peer = in_flight(1);
    for at in 1..70 {
        let _ = peer.handle(secs(at), Packet { window: FULL as u32, ..peer.state(1) });
        peer.run(secs(at));
    }
    let closed = UtpEvent::Closed { conn: peer.conn, reason: CloseReason::TimedOut };
    assert_eq!(peer.end.poll_event(), Some(closed));
}

/// The slots of a connection bound its packets in flight, the FIN too.
#[test]
fn no_more_packets_are_in_flight_than_there_are_slots() {
    let mut peer = Opened::new(UtpLimits { packets: 2, ..limits() });
    peer.write(ms(0), 4 * FULL);
    assert_eq!(peer.ack(ms(50), 1), [1, 2], "the window is 6 packets");
    peer.end.close(peer.conn).unwrap();
    assert_eq!(peer.ack(ms(100), 2), [3]);
    assert_eq!(peer.sent(), [], "no slot for the FIN");
    peer.handle(ms(150), peer.state(3)).unwrap();
    let [fin] = &peer.sent()[..] else { panic!("the FIN alone") };
    assert_eq!((fin.kind, fin.seq.wrapping_sub(peer.first)), (PacketKind::Fin, 4));
    assert!(fin.payload.is_empty());
}

/// The FIN takes a number, is repeated like data, and ends the connection when it is acknowledged.
#[test]
fn a_fin_that_is_lost_is_sent_again() {
    let mut peer = in_flight(1);
    peer.end.close(peer.conn).unwrap();
    let fin = |peer: &mut Opened| -> Vec<_> {
        peer.sent().iter().map(|it| (it.kind, it.seq.wrapping_sub(peer.first))).collect()
    };
    assert_eq!(fin(&mut peer), [(PacketKind::Fin, 2)]);
    assert_eq!(fin(&mut peer), [], "once");
    peer.ack(ms(100), 2);
    peer.end.handle_timeout(ms(1_100));
    assert_eq!(fin(&mut peer), [(PacketKind::Fin, 2)]);
    assert_eq!(peer.end.poll_event(), None);
    peer.ack(ms(1_200), 3);
    let closed = UtpEvent::Closed { conn: peer.conn, reason: CloseReason::Done };
    assert_eq!(peer.end.poll_event(), Some(closed));
    assert!(peer.end.is_empty());
}

/// The bytes of repeated packets are those of the first time, also where the ring of bytes wraps around.
#[test]
fn repeated_packets_have_the_same_bytes() {
    let mut peer = Opened::new(UtpLimits { send: 4 * FULL + 100, ..limits() });
    let bytes = |packets: core::ops::Range<usize>| -> Vec<u8> {
        (packets.start * FULL..packets.end * FULL).map(|at| (at / 7) as u8).collect()
    };
    peer.end.write(peer.conn, &bytes(0..1)).unwrap();
    peer.data();
    peer.end.write(peer.conn, &bytes(1..4)).unwrap();
    assert_eq!(peer.ack(ms(50), 1), [1, 2, 3]);
    peer.ack(ms(100), 4);
    peer.end.write(peer.conn, &bytes(4..8)).unwrap();
    let payloads = |peer: &mut Opened| -> Vec<u8> {
        peer.sent().into_iter().flat_map(|packet| packet.payload).collect()
    };
    assert!(payloads(&mut peer) == bytes(4..8));
    // Packets 5 and 7 arrive; a timeout repeats 4 and then 6.
    assert_eq!(peer.sack(ms(150), 4, &[0b101, 0, 0, 0]), [4]);
    peer.end.handle_timeout(ms(1_150));
    assert!(payloads(&mut peer) == bytes(4..5));
    assert_eq!(peer.end.poll_timeout(), Some(ms(3_150)));
    peer.handle_sack(ms(1_200), 6, &[1, 0, 0, 0]);
    assert!(payloads(&mut peer) == bytes(6..7));
}
