//! An endpoint of uTP, and its peers by hand.

use core::net::SocketAddr;
use core::time::Duration;

use bittorrent_pieces::utp::{
    Extensions, MAX_LEN, Packet, PacketKind, UtpConfig, UtpEndpoint, UtpLimits, UtpVec,
};

pub fn address(host: u32) -> SocketAddr {
    ([192, 0, host as u8, 1], 6881).into()
}

pub fn endpoint(key: u8, limits: UtpLimits) -> UtpEndpoint<UtpVec> {
    UtpEndpoint::new(UtpConfig::new([key; 16]), UtpVec::new(limits)).expect("valid limits")
}

pub fn limits() -> UtpLimits {
    UtpLimits { conns: 4, ..UtpLimits::default() }
}

/// Hands packets to an endpoint and collects what it sends.
pub fn exchange(
    end: &mut UtpEndpoint<UtpVec>,
    now: Duration,
    from: SocketAddr,
    bytes: &[u8],
) -> Vec<(SocketAddr, Vec<u8>)> {
    let _ = end.handle_datagram(now, from, bytes);
    transmits(end)
}

pub fn transmits(end: &mut UtpEndpoint<UtpVec>) -> Vec<(SocketAddr, Vec<u8>)> {
    let mut sent = vec![];
    let mut buf = [0; MAX_LEN];
    while let Some(transmit) = end.poll_transmit(&mut buf).unwrap() {
        sent.push((transmit.to, buf[..transmit.len].to_vec()));
    }
    sent
}

pub fn encoded(packet: Packet<'_>) -> Vec<u8> {
    let mut out = vec![0; packet.encoded_len()];
    packet.encode(&mut out).unwrap();
    out
}

pub fn packet(kind: PacketKind, connection: u16, seq: u16, ack: u16, payload: &[u8]) -> Packet<'_> {
    let extensions = Extensions::NONE;
    let [timestamp, difference, window] = [1, 1, 1 << 20];
    Packet { kind, connection, timestamp, difference, window, seq, ack, extensions, payload }
}

/// Opens a connection by hand; returns the number of the first packet of the endpoint.
pub fn open(
    end: &mut UtpEndpoint<UtpVec>,
    now: Duration,
    from: SocketAddr,
    id: u16,
) -> Option<u16> {
    let syn = encoded(packet(PacketKind::Syn, id, 1, 0, b""));
    let sent = exchange(end, now, from, &syn);
    let answer = Packet::decode(&sent.first()?.1).unwrap();
    let seq = answer.seq;
    let first = encoded(packet(PacketKind::Data, id.wrapping_add(1), 2, seq.wrapping_sub(1), b"x"));
    let opened = end.handle_datagram(now, from, &first).ok()?;
    transmits(end);
    opened.map(|_| seq)
}
