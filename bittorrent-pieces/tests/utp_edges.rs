//! The edges of a uTP connection: what a peer may send, and which connection is meant.

mod utp_by_hand;

use core::time::Duration;

use bittorrent_pieces::utp::{
    MAX_LEN, Packet, PacketKind, UtpEndpoint, UtpEvent, UtpLimits, UtpVec,
};
use utp_by_hand::*;

const ZERO: Duration = Duration::ZERO;

/// Payload behind the last packet of a stream is not part of it.
#[test]
fn nothing_is_read_behind_the_end() {
    let mut end = endpoint(1, limits());
    let (conn, seq) = accept(&mut end, 1, 50);
    for (kind, number) in [(PacketKind::Fin, 3), (PacketKind::Data, 4), (PacketKind::Data, 5)] {
        let bytes = encoded(packet(kind, 51, number, seq.wrapping_sub(1), b"more"));
        end.handle_datagram(ZERO, address(1), &bytes).unwrap();
    }
    assert_eq!(read(&mut end, conn), b"x");
}

/// A peer that sends more than there is room for loses the rest: it is not acknowledged.
#[test]
fn bytes_beyond_the_receive_buffer_are_dropped() {
    let receive = 4 * MAX_LEN;
    let mut end = endpoint(1, UtpLimits { receive, ..limits() });
    let (conn, seq) = accept(&mut end, 1, 50);
    for number in 2..12 {
        let payload = [number as u8; 1_000];
        let data = packet(PacketKind::Data, 51, 1 + number, seq.wrapping_sub(1), &payload);
        let bytes = encoded(data);
        end.handle_datagram(ZERO, address(1), &bytes).unwrap();
    }
    let fit = (receive - 1) / 1_000; // beside the byte of the first packet
    let acks = transmits(&mut end);
    let (_, last) = acks.last().expect("an acknowledgement");
    let last = Packet::decode(last).unwrap();
    assert_eq!(usize::from(last.ack), 2 + fit);
    assert_eq!(usize::try_from(last.window).unwrap(), receive - 1 - 1_000 * fit);
    let received = read(&mut end, conn);
    assert_eq!(received.len(), 1 + 1_000 * fit);
    assert_eq!(received[received.len() - 1], fit as u8 + 1);
}

#[test]
fn each_connection_writes_to_its_own_peer() {
    let mut end = endpoint(1, limits());
    let (first, _) = accept(&mut end, 1, 50);
    let (second, _) = accept(&mut end, 2, 60);
    for (conn, host) in [(second, 2), (first, 1)] {
        assert_eq!(end.write(conn, b"hello"), Ok(5));
        let sent = transmits(&mut end);
        assert!(!sent.is_empty() && sent.iter().all(|(to, _)| *to == address(host)), "{sent:?}");
    }
}

/// The caller reports what the socket refuses: no longer datagram is tried again (EMSGSIZE).
#[test]
fn a_length_that_the_socket_refuses_is_not_tried_again() {
    let mut end = endpoint(1, limits());
    let (conn, _) = accept(&mut end, 1, 50);
    // Acknowledges all packets; returns the length of the longest.
    let round = |end: &mut UtpEndpoint<UtpVec>| {
        end.write(conn, &vec![7; 40_000]).unwrap();
        let sent = transmits(end);
        let (_, last) = sent.last().expect("there is always something to send");
        let ack = Packet::decode(last).unwrap().seq;
        let bytes = encoded(packet(PacketKind::State, 51, 3, ack, b""));
        end.handle_datagram(ZERO, address(1), &bytes).unwrap();
        sent.iter().map(|(_, bytes)| bytes.len()).max().unwrap_or(0)
    };
    let refused = (0..20).map(|_| round(&mut end)).find(|len| *len > 548).expect("a probe");
    end.handle_too_big(address(1), refused);
    let longest = (0..20).map(|_| round(&mut end)).max().unwrap();
    assert!((548..refused).contains(&longest), "{longest} after {refused}");
}

/// A writer that found no room is called once there is some.
#[test]
fn a_full_writer_learns_of_room() {
    let mut end = endpoint(1, UtpLimits { send: 2_000, ..limits() });
    let (conn, seq) = accept(&mut end, 1, 50);
    while end.poll_event().is_some() {}
    assert_eq!(end.write(conn, &[7; 3_000]), Ok(2_000));
    assert_eq!(end.poll_event(), None);
    let first = transmits(&mut end).len();
    assert!(first > 0);
    let ack = encoded(packet(PacketKind::State, 51, 3, seq, b""));
    end.handle_datagram(Duration::from_millis(50), address(1), &ack).unwrap();
    assert_eq!(end.poll_event(), Some(UtpEvent::Writable { conn }));
    assert_eq!(end.poll_event(), None);
}
