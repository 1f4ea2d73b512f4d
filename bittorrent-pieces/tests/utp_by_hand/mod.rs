//! An endpoint of uTP, and its peers by hand.

#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

use core::net::SocketAddr;
use core::time::Duration;

use bittorrent_pieces::ConnId;
use bittorrent_pieces::utp::{
    DatagramError, Extensions, MAX_LEN, Packet, PacketKind, UtpConfig, UtpEndpoint, UtpEvent,
    UtpLimits, UtpVec,
};

/// The payload of a packet that every IPv4 path carries.
pub const FULL: usize = 528;
/// The id of an [`Opened`] connection in the packets of the endpoint; its peer sends the next one.
pub const ID: u16 = 50;

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

/// A packet that was sent.
#[derive(Debug, PartialEq)]
pub struct Sent {
    pub kind: PacketKind,
    pub connection: u16,
    pub difference: u32,
    pub window: u32,
    pub seq: u16,
    pub ack: u16,
    pub payload: Vec<u8>,
    /// The whole datagram.
    pub bytes: Vec<u8>,
}

impl Sent {
    fn new(bytes: Vec<u8>) -> Self {
        let Packet { kind, connection, difference, window, seq, ack, payload, .. } =
            Packet::decode(&bytes).unwrap();
        let payload = payload.to_vec();
        Self { kind, connection, difference, window, seq, ack, payload, bytes }
    }

    pub fn packet(&self) -> Packet<'_> {
        Packet::decode(&self.bytes).unwrap()
    }
}

/// Sends what is due, all of it to one address.
pub fn sent(end: &mut UtpEndpoint<UtpVec>, to: SocketAddr) -> Vec<Sent> {
    let sent = transmits(end);
    assert!(sent.iter().all(|(addr, _)| *addr == to), "{sent:?}");
    sent.into_iter().map(|(_, bytes)| Sent::new(bytes)).collect()
}

/// A connection that a peer opened by hand at time 0. Packets stay at their first length.
pub struct Opened {
    pub end: UtpEndpoint<UtpVec>,
    pub conn: ConnId,
    /// The number of the first packet of the endpoint.
    pub first: u16,
}

impl Opened {
    pub fn new(limits: UtpLimits) -> Self {
        let mut opened = Self::with_probes(limits);
        opened.end.handle_too_big(address(1), FULL + 21);
        opened
    }

    /// The endpoint looks for longer packets.
    pub fn with_probes(limits: UtpLimits) -> Self {
        let mut end = endpoint(1, limits);
        let (conn, first) = accept(&mut end, 1, ID);
        while end.poll_event().is_some() {}
        Self { end, conn, first }
    }

    /// Writes zeros and sends what is due; returns the numbers of the packets with data, counted from 0.
    pub fn write(&mut self, now: Duration, len: usize) -> Vec<u16> {
        assert_eq!(self.end.write(self.conn, &vec![0; len]), Ok(len));
        self.end.handle_timeout(now);
        self.data()
    }

    /// Acknowledges the first packets; returns the numbers of the packets with data that follow.
    pub fn ack(&mut self, now: Duration, packets: u16) -> Vec<u16> {
        self.sack(now, packets, &[])
    }

    /// The same, and single packets: bit 0 stands for packet `packets + 1`.
    pub fn sack(&mut self, now: Duration, packets: u16, mask: &[u8]) -> Vec<u16> {
        self.handle_sack(now, packets, mask);
        self.data()
    }

    /// Delivers a STATE that acknowledges the first packets, and those of a mask.
    pub fn handle_sack(&mut self, now: Duration, packets: u16, mask: &[u8]) {
        let mut bytes = encoded(self.state(packets));
        if !mask.is_empty() {
            bytes[1] = 1;
            bytes.extend([0, mask.len() as u8]);
            bytes.extend(mask);
        }
        self.end.handle_datagram(now, address(1), &bytes).unwrap();
    }

    /// Returns a STATE that acknowledges the first packets.
    pub fn state(&self, packets: u16) -> Packet<'static> {
        let ack = self.first.wrapping_add(packets).wrapping_sub(1);
        packet(PacketKind::State, ID + 1, 3, ack, b"")
    }

    /// Returns the packet number `nth` of the peer, which acknowledges `acked` packets; that of [`open`] has number 0.
    pub fn payload<'p>(
        &self,
        kind: PacketKind,
        nth: u16,
        acked: u16,
        payload: &'p [u8],
    ) -> Packet<'p> {
        let ack = self.first.wrapping_add(acked).wrapping_sub(1);
        packet(kind, ID + 1, nth.wrapping_add(2), ack, payload)
    }

    pub fn handle(
        &mut self,
        now: Duration,
        packet: Packet<'_>,
    ) -> Result<Option<ConnId>, DatagramError> {
        self.end.handle_datagram(now, address(1), &encoded(packet))
    }

    /// Sends what is due; returns all packets.
    pub fn sent(&mut self) -> Vec<Sent> {
        sent(&mut self.end, address(1))
    }

    /// Sends what is due; returns the numbers of the packets with data, counted from 0.
    pub fn data(&mut self) -> Vec<u16> {
        let mut sent = self.sent();
        sent.retain(|packet| packet.kind == PacketKind::Data);
        sent.iter().map(|packet| packet.seq.wrapping_sub(self.first)).collect()
    }

    /// Sends what is due at each timeout until a time; returns when, and the numbers of the packets with data.
    pub fn run(&mut self, until: Duration) -> Vec<(Duration, u16)> {
        let mut sent = vec![];
        while let Some(at) = self.end.poll_timeout().filter(|at| *at <= until) {
            self.end.handle_timeout(at);
            sent.extend(self.data().into_iter().map(|nth| (at, nth)));
        }
        sent
    }
}

/// Opens the connection `id` of an address; returns its number and the endpoint's first sequence number.
pub fn accept(end: &mut UtpEndpoint<UtpVec>, host: u32, id: u16) -> (ConnId, u16) {
    let seq = open(end, Duration::ZERO, address(host), id).expect("there is room");
    let mut events = core::iter::from_fn(|| end.poll_event());
    let accepted = events.find_map(|event| match event {
        UtpEvent::Accepted { conn, .. } => Some(conn),
        _ => None,
    });
    (accepted.expect("the event"), seq)
}

/// Reads all that has arrived.
pub fn read(end: &mut UtpEndpoint<UtpVec>, conn: ConnId) -> Vec<u8> {
    let mut bytes = vec![0; 1 << 20];
    let len = end.read(conn, &mut bytes).unwrap();
    bytes.truncate(len);
    bytes
}
