//! The edges of a uTP connection: what a peer may send, and which connection is meant.

mod utp_by_hand;

use core::time::Duration;

use bittorrent_pieces::ConnId;
use bittorrent_pieces::utp::{
    CloseReason, ConfigError, MAX_LEN, Packet, PacketKind, UtpConfig, UtpEndpoint, UtpEvent,
    UtpLimits, UtpVec,
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

/// A writer that found room for all its bytes waits for nothing, and a full buffer is full until a packet has arrived.
#[test]
fn a_writer_is_called_only_if_it_waits_and_there_is_room() {
    let mut peer = Opened::new(UtpLimits { send: 2_000, ..limits() });
    assert_eq!(peer.write(ZERO, 2_000), [0]);
    assert_eq!(peer.ack(ZERO, 1), [1, 2, 3]);
    assert_eq!(peer.end.poll_event(), None, "nothing waits");
    assert_eq!(peer.end.write(peer.conn, &[7; 1_000]), Ok(528));
    assert_eq!(peer.ack(ZERO, 1), [4]);
    assert_eq!(peer.end.poll_event(), None, "the buffer is full");
    peer.ack(ZERO, 2);
    assert_eq!(peer.end.poll_event(), Some(UtpEvent::Writable { conn: peer.conn }));
    peer.ack(ZERO, 3);
    assert_eq!(peer.end.poll_event(), None, "once");
}

/// An empty packet takes a number, and nothing can be read.
#[test]
fn an_empty_packet_is_acknowledged() {
    let mut peer = Opened::new(limits());
    peer.handle(ZERO, peer.payload(PacketKind::Data, 1, 0, b"")).unwrap();
    assert_eq!(peer.end.poll_event(), None);
    let [state] = &peer.sent()[..] else { panic!("an acknowledgement") };
    assert_eq!(state.ack, 3);
}

/// The packet that acknowledges our FIN may be the FIN of the peer: it is acknowledged although the connection has ended.
#[test]
fn the_last_packet_of_a_peer_is_acknowledged() {
    for fin in [false, true] {
        let mut peer = Opened::new(limits());
        peer.end.close(peer.conn).unwrap();
        peer.data();
        let last = if fin { peer.payload(PacketKind::Fin, 1, 1, b"") } else { peer.state(1) };
        peer.handle(ZERO, last).unwrap();
        let acks: Vec<u16> = peer.sent().iter().map(|packet| packet.ack).collect();
        assert_eq!(acks, if fin { vec![3] } else { vec![] });
        assert_eq!(peer.sent(), []);
        let events: Vec<_> = core::iter::from_fn(|| peer.end.poll_event()).collect();
        let conn = peer.conn;
        let closed = UtpEvent::Closed { conn, reason: CloseReason::Done };
        let finished = UtpEvent::Finished { conn };
        assert_eq!(events, if fin { vec![finished, closed] } else { vec![closed] });
    }
}

/// What a connection held behind a gap is not part of the next one in its slot.
#[test]
fn a_slot_is_empty_for_the_next_connection() {
    let mut peer = Opened::new(UtpLimits { conns: 1, ..limits() });
    peer.handle(ZERO, peer.payload(PacketKind::Data, 2, 0, b"old")).unwrap();
    peer.end.abort(peer.conn).unwrap();
    peer.sent();
    let (conn, seq) = accept(&mut peer.end, 2, 70);
    let data = packet(PacketKind::Data, 71, 3, seq.wrapping_sub(1), b"new");
    peer.end.handle_datagram(ZERO, address(2), &encoded(data)).unwrap();
    let [(_, ack)] = &transmits(&mut peer.end)[..] else { panic!("an acknowledgement") };
    assert_eq!(Packet::decode(ack).unwrap().sack(), None);
    assert_eq!(read(&mut peer.end, conn), b"xnew");
}

/// Each connection needs a packet, a byte to send, and a datagram to receive.
#[test]
fn the_least_storage_is_enough() {
    let least = UtpLimits { conns: 3, packets: 1, reorder: 0, send: 1, receive: MAX_LEN };
    let new = |limits| UtpEndpoint::new(UtpConfig::new([1; 16]), UtpVec::new(limits)).err();
    assert_eq!(new(least), None);
    assert_eq!(new(UtpLimits { packets: 0, ..least }), Some(ConfigError::Send(3)));
    assert_eq!(new(UtpLimits { send: 0, ..least }), Some(ConfigError::Send(3)));
    let receive = UtpLimits { receive: MAX_LEN - 1, ..least };
    assert_eq!(new(receive), Some(ConfigError::Receive(3 * MAX_LEN)));
    let config = UtpConfig::new(*b"12345678\0\0\0\0\0\0\x01\x02");
    assert_eq!((config.seed, config.accept, config.per_network), (258, true, 8));
    let text = "UtpConfig { accept: true, per_network: 8, .. }";
    assert_eq!(format!("{config:?}"), text, "the secrets are not printed");
}

/// The ids of the connections to one address differ, and so do those of their packets.
#[test]
fn dialled_connections_have_ids_of_their_own() {
    let mut end = endpoint(1, UtpLimits { conns: 20, ..limits() });
    let conns: Vec<ConnId> = (0..20).map(|_| end.connect(ZERO, address(1)).unwrap()).collect();
    assert_eq!(conns, (0..20).map(ConnId).collect::<Vec<_>>());
    let mut ids: Vec<u16> = transmits(&mut end)
        .iter()
        .map(|(_, bytes)| Packet::decode(bytes).unwrap().connection)
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), end.len(), end.is_empty()), (20, 20, false));
}
