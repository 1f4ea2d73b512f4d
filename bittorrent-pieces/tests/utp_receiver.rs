//! What a uTP connection accepts and acknowledges: order, gaps, repeated and forged packets, the end of the stream.

mod utp_by_hand;

use core::time::Duration;

use bittorrent_pieces::utp::{
    CloseReason, DatagramError, MAX_LEN, Packet, PacketKind, UtpEvent, UtpLimits,
};
use utp_by_hand::*;

const ZERO: Duration = Duration::ZERO;

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Delivers packets of the peer with one byte each: their numbers.
fn deliver(peer: &mut Opened, numbers: impl IntoIterator<Item = u16>) {
    for nth in numbers {
        let payload = [nth as u8];
        peer.handle(ZERO, peer.payload(PacketKind::Data, nth, 0, &payload)).unwrap();
    }
}

/// Returns the last packet that is acknowledged without a gap before it, and those behind a gap.
fn acked(sent: &Sent) -> (u16, Vec<u16>) {
    let last = sent.ack.wrapping_sub(2);
    let behind = sent.packet().sack().map_or(vec![], |sack| {
        (0..sack.packets()).filter(|nth| sack.has(*nth)).map(|nth| last + 2 + nth as u16).collect()
    });
    (last, behind)
}

/// Every packet carries our clock, the delay that we measured, and our room in bytes (BEP 29).
#[test]
fn a_packet_has_the_fields_of_bep_29() {
    let mut peer = Opened::new(UtpLimits { receive: 10_000, ..limits() });
    let now = Duration::from_micros((5 << 32) + 1_000);
    let data = Packet { timestamp: 400, ..peer.payload(PacketKind::Data, 1, 0, &[1; 100]) };
    peer.handle(now, data).unwrap();
    peer.end.write(peer.conn, b"hello").unwrap();
    let [sent] = &peer.sent()[..] else { panic!("the data acknowledges too") };
    let expected = Packet {
        timestamp: 1_000, // the clock wraps around
        difference: 600,
        window: 10_000 - 101, // beside the byte of the first packet
        ..packet(PacketKind::Data, ID, peer.first, 3, b"hello")
    };
    assert_eq!(sent.packet(), expected);
    // A peer whose clock is ours has a difference, of 1: 0 would mean that it is unknown.
    peer.handle(now, Packet { timestamp: 1_000, ..peer.payload(PacketKind::Data, 2, 0, b"y") })
        .unwrap();
    let [state] = &peer.sent()[..] else { panic!("an acknowledgement") };
    assert_eq!((state.kind, state.difference), (PacketKind::State, 1));
    assert_eq!(state.seq, peer.first.wrapping_add(1), "that of the next packet");
}

/// BEP 29: bit 0 of the mask is packet ack + 2, the least bit of a byte first, in multiples of four bytes.
#[test]
fn packets_behind_a_gap_are_acknowledged_one_by_one() {
    let mut peer = Opened::new(limits());
    for (arrives, mask) in [
        (2, vec![1, 0, 0, 0]),
        (4, vec![0b101, 0, 0, 0]),
        (9, vec![0b1000_0101, 0, 0, 0]),
        (10, vec![0b1000_0101, 1, 0, 0]),
        (33, vec![0b1000_0101, 1, 0, 0x80]),
        (34, vec![0b1000_0101, 1, 0, 0x80, 1, 0, 0, 0]),
        (64, vec![0b1000_0101, 1, 0, 0x80, 1, 0, 0, 0x40]),
    ] {
        deliver(&mut peer, [arrives]);
        let [state] = &peer.sent()[..] else { panic!("an acknowledgement") };
        assert_eq!((state.kind, state.ack), (PacketKind::State, 2));
        let extension = state.packet().extensions.iter().next().unwrap();
        assert_eq!((extension.number, extension.bytes), (1, &mask[..]), "{arrives}");
    }
    // The gap is filled: what waited follows, up to the next gap.
    deliver(&mut peer, [1]);
    let [state] = &peer.sent()[..] else { panic!("an acknowledgement") };
    assert_eq!(acked(state), (2, vec![4, 9, 10, 33, 34, 64]));
    deliver(&mut peer, [3]);
    assert_eq!(read(&mut peer.end, peer.conn), [b'x', 1, 2, 3, 4]);
    deliver(&mut peer, (5..=8).chain(11..=32).chain(35..=63));
    let [state] = &peer.sent()[..] else { panic!("an acknowledgement") };
    assert_eq!((acked(state), state.packet().extensions.iter().count()), ((64, vec![]), 0));
    assert_eq!(read(&mut peer.end, peer.conn), (5..=64).collect::<Vec<u8>>());
}

/// A gap is reported before new data is sent; without one the data acknowledges.
#[test]
fn a_gap_is_reported_at_once() {
    let mut peer = Opened::new(limits());
    deliver(&mut peer, [2]);
    peer.end.write(peer.conn, b"hello").unwrap();
    let kinds = |peer: &mut Opened| -> Vec<_> { peer.sent().iter().map(|it| it.kind).collect() };
    assert_eq!(kinds(&mut peer), [PacketKind::State, PacketKind::Data]);
    deliver(&mut peer, [3]);
    peer.end.handle_timeout(secs(1));
    assert_eq!(kinds(&mut peer), [PacketKind::Data, PacketKind::State], "lost packets are first");
    peer.ack(secs(1), 1);
    deliver(&mut peer, [1]);
    peer.end.write(peer.conn, b"hello").unwrap();
    assert_eq!(kinds(&mut peer), [PacketKind::Data]);
}

/// A repeated packet is acknowledged and not read again, before and behind a gap.
#[test]
fn repeated_packets_are_read_once() {
    let mut peer = Opened::new(limits());
    let again = |nth, payload| move |peer: &Opened| peer.payload(PacketKind::Data, nth, 0, payload);
    deliver(&mut peer, [1, 3]);
    for packet in [again(1, b"again"), again(3, b"again"), again(0, b"again")] {
        peer.handle(ZERO, packet(&peer)).unwrap();
        let [state] = &peer.sent()[..] else { panic!("an acknowledgement") };
        assert_eq!(acked(state), (1, vec![3]));
    }
    deliver(&mut peer, [2]);
    assert_eq!(read(&mut peer.end, peer.conn), [b'x', 1, 2, 3]);
}

/// The window is 64 packets behind the last; a packet that was repeated may be 4,095 behind it.
#[test]
fn packets_outside_of_the_window_are_refused() {
    let mut peer = Opened::new(limits());
    let last = 2; // the number of the packet of `open`
    for (seq, accepted) in
        [(last + 64, true), (last + 65, false), (last - 4_095, true), (last - 4_096, false)]
    {
        let seq = (seq + (1 << 16)) as u16;
        for kind in [PacketKind::Data, PacketKind::Fin] {
            let mut peer = Opened::new(limits());
            let packet = Packet { seq, kind, ..peer.payload(kind, 0, 0, b"y") };
            let expected =
                if accepted { Ok(Some(peer.conn)) } else { Err(DatagramError::Seq(seq)) };
            assert_eq!(peer.handle(ZERO, packet), expected, "{seq}");
        }
        // A STATE takes no number.
        assert!(peer.handle(ZERO, Packet { seq, ..peer.state(0) }).is_ok());
    }
}

/// Without slots for packets behind a gap only the next one is taken.
#[test]
fn an_endpoint_without_slots_for_gaps_takes_packets_in_order() {
    let mut peer = Opened::new(UtpLimits { reorder: 0, ..limits() });
    let second = peer.payload(PacketKind::Data, 2, 0, b"b");
    assert_eq!(peer.handle(ZERO, second), Err(DatagramError::Seq(4)));
    deliver(&mut peer, [1]);
    assert_eq!(read(&mut peer.end, peer.conn), [b'x', 1]);
}

/// An acknowledgement may be late by as many packets as there are slots, and three more (libtorrent).
#[test]
fn old_acknowledgements_are_ignored_and_older_ones_refused() {
    let mut peer = Opened::new(limits());
    peer.write(ZERO, 1_000);
    peer.ack(ZERO, 1);
    peer.data();
    for (behind, accepted) in [(1, true), (259, true), (260, false), (40_000, false)] {
        let mut state = peer.state(2);
        state.ack = state.ack.wrapping_sub(behind).wrapping_sub(1);
        let expected =
            if accepted { Ok(Some(peer.conn)) } else { Err(DatagramError::Ack(state.ack)) };
        assert_eq!(peer.handle(ZERO, state), expected, "{behind}");
    }
    // One packet is in flight: the next one was not sent.
    let ahead = peer.state(3);
    assert_eq!(peer.handle(ZERO, ahead), Err(DatagramError::Ack(ahead.ack)));
    assert_eq!(peer.ack(ZERO, 2), []);
}

/// A RESET names one of the last packets: from four before the oldest one up to the next one.
#[test]
fn a_reset_names_one_of_the_last_packets() {
    for (nth, accepted) in [(-4, false), (-3, true), (1, true), (2, true), (3, false)] {
        for id in [ID, ID + 1] {
            let mut peer = Opened::new(limits());
            peer.write(ZERO, 2 * FULL);
            peer.ack(ZERO, 1); // packet 1 is in flight, 2 is the next
            let ack = peer.first.wrapping_add_signed(nth);
            let reset = packet(PacketKind::Reset, id, 0, ack, b"");
            let result = peer.handle(ZERO, reset);
            if accepted {
                assert_eq!(result, Ok(Some(peer.conn)));
                let closed = UtpEvent::Closed { conn: peer.conn, reason: CloseReason::Reset };
                assert_eq!(peer.end.poll_event(), Some(closed));
                assert_eq!(peer.sent(), [], "it is not answered");
            } else {
                assert_eq!(result, Err(DatagramError::Ack(ack)));
                assert_eq!(peer.end.poll_event(), None);
            }
        }
    }
}

/// The peer ends its stream; ours goes on, and the FIN is acknowledged.
#[test]
fn a_stream_ends_when_all_of_it_has_arrived() {
    let mut peer = Opened::new(limits());
    peer.handle(ZERO, peer.payload(PacketKind::Fin, 3, 0, b"")).unwrap();
    deliver(&mut peer, [1]);
    let [state] = &peer.sent()[..] else { panic!("an acknowledgement") };
    assert_eq!(state.ack, 3, "packet 2 is missing");
    assert_eq!(peer.end.poll_event(), Some(UtpEvent::Readable { conn: peer.conn }));
    assert_eq!(peer.end.poll_event(), None);
    deliver(&mut peer, [2]);
    let [state] = &peer.sent()[..] else { panic!("an acknowledgement") };
    assert_eq!(state.ack, 5, "the FIN too");
    let conn = peer.conn;
    let events = core::iter::from_fn(|| peer.end.poll_event()).collect::<Vec<_>>();
    assert_eq!(events, [UtpEvent::Readable { conn }, UtpEvent::Finished { conn }]);
    assert_eq!(read(&mut peer.end, conn), [b'x', 1, 2]);
    assert_eq!(peer.write(ZERO, 100), [0]);
    assert_eq!(peer.end.len(), 1);
}

/// The first FIN counts: data in front of it is read, data behind it and a FIN further on are not.
#[test]
fn a_stream_ends_once() {
    let mut peer = Opened::new(limits());
    for (kind, nth) in [(PacketKind::Fin, 2), (PacketKind::Data, 3), (PacketKind::Fin, 5)] {
        peer.handle(ZERO, peer.payload(kind, nth, 0, b"z")).unwrap();
    }
    deliver(&mut peer, [1]);
    assert_eq!(read(&mut peer.end, peer.conn), [b'x', 1]);
    let [state] = &peer.sent()[..] else { panic!("an acknowledgement") };
    assert_eq!(acked(state), (2, vec![]));
    // The same if the data behind the end has arrived before.
    let mut peer = Opened::new(limits());
    deliver(&mut peer, [3]);
    peer.handle(ZERO, peer.payload(PacketKind::Fin, 2, 0, b"")).unwrap();
    deliver(&mut peer, [1]);
    assert_eq!(read(&mut peer.end, peer.conn), [b'x', 1]);
}

/// Packets behind a gap leave room for the longest packet that may fill it.
#[test]
fn packets_behind_a_gap_leave_room_for_what_is_missing() {
    let receive = 2 * MAX_LEN + 1; // and the byte of `open`
    for (len, held) in [(MAX_LEN, true), (MAX_LEN + 1, false)] {
        let mut peer = Opened::new(UtpLimits { receive: receive.max(len), ..limits() });
        let payload = vec![2; len];
        peer.handle(ZERO, peer.payload(PacketKind::Data, 2, 0, &payload)).unwrap();
        let [state] = &peer.sent()[..] else { panic!("an acknowledgement") };
        assert_eq!(acked(state).1, if held { vec![2] } else { vec![] }, "{len}");
        let window = if held { MAX_LEN } else { 2 * MAX_LEN };
        assert_eq!(state.window as usize, window, "held bytes take room");
    }
    let mut small = Opened::new(UtpLimits { receive: 2 * MAX_LEN, ..limits() });
    small.handle(ZERO, small.payload(PacketKind::Data, 2, 0, &[2; MAX_LEN])).unwrap();
    let [state] = &small.sent()[..] else { panic!("an acknowledgement") };
    assert_eq!(acked(state).1, [], "a byte too few");
    small.handle(ZERO, small.payload(PacketKind::Data, 1, 0, &[1; MAX_LEN])).unwrap();
    small.handle(ZERO, small.payload(PacketKind::Data, 2, 0, &[2; MAX_LEN - 1])).unwrap();
    assert_eq!(
        read(&mut small.end, small.conn).len(),
        2 * MAX_LEN,
        "it is filled to the last byte"
    );
}

/// A reader that makes room after the window was small announces it; one that takes a little does not.
#[test]
fn room_is_announced_when_the_peer_may_wait_for_it() {
    let mut peer = Opened::new(UtpLimits { receive: 4_000, ..limits() });
    let mut buf = [0; 4_000];
    assert_eq!(peer.end.read(peer.conn, &mut buf), Ok(1));
    assert_eq!(peer.sent(), [], "there was much room");
    for (nth, len) in [(1, 1_400), (2, 1_400)] {
        peer.handle(ZERO, peer.payload(PacketKind::Data, nth, 0, &vec![7; len])).unwrap();
    }
    assert_eq!(peer.sent().last().map(|state| state.window), Some(1_200));
    assert_eq!(peer.end.read(peer.conn, &mut buf[..799]), Ok(799));
    assert_eq!(peer.sent(), [], "less than half of the room");
    assert_eq!(peer.end.read(peer.conn, &mut buf[..1]), Ok(1));
    let [state] = &peer.sent()[..] else { panic!("the window") };
    assert_eq!((state.kind, state.window), (PacketKind::State, 2_000));
    assert_eq!(peer.end.read(peer.conn, &mut buf), Ok(2_000));
    assert_eq!(peer.sent(), [], "it knows that there is room");
    assert_eq!(peer.end.read(peer.conn, &mut buf), Ok(0));
}

/// What was received can be read after the connection has ended, until the event.
#[test]
fn bytes_can_be_read_after_the_end() {
    let mut peer = Opened::new(limits());
    let reset = packet(PacketKind::Reset, ID, 0, peer.first.wrapping_sub(1), b"");
    peer.handle(ZERO, reset).unwrap();
    assert_eq!(read(&mut peer.end, peer.conn), b"x");
    assert!(peer.end.write(peer.conn, b"late").is_err());
    assert!(peer.end.close(peer.conn).is_err() && peer.end.abort(peer.conn).is_err());
    let late = peer.payload(PacketKind::Data, 1, 0, b"y");
    assert_eq!(peer.handle(ZERO, late), Err(DatagramError::Unexpected));
    assert!(peer.end.poll_event().is_some());
    assert!(peer.end.read(peer.conn, &mut [0; 9]).is_err());
}
