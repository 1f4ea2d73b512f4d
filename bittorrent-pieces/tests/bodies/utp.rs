//! Bodies of uTP: the packets, and the endpoint under any calls in any order.

use core::net::SocketAddr;
use core::time::Duration;

use bittorrent_pieces::ConnId;
use bittorrent_pieces::utp::{
    Extensions, MAX_LEN, Packet, PacketKind, UtpConfig, UtpEndpoint, UtpEvent, UtpLimits, UtpVec,
};
use sim::laws::{self, Input, Machine, Outcome};

/// Any bytes are a packet that is written back as it was, or an error.
pub fn packet(bytes: &[u8]) {
    let Ok(packet) = Packet::decode(bytes) else { return };
    let mut out = vec![0; packet.encoded_len()];
    assert_eq!(packet.encode(&mut out), Ok(bytes.len()));
    assert_eq!(out, bytes);
    let short = packet.encode(&mut vec![0; bytes.len() - 1]).map_err(|error| error.needed);
    assert_eq!(short, Err(bytes.len()));
    assert!(packet.extensions.iter().count() <= bytes.len() / 2);
    let sack = packet
        .sack()
        .map_or(0, |sack| (0..sack.packets() + 9).filter(|nth| sack.has(*nth)).count());
    assert!(sack <= 8 * bytes.len());
    assert!(!packet.to_string().is_empty());
}

/// Reads bytes as an endpoint and calls to it.
pub fn endpoint(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let limits = UtpLimits {
        conns: input.below(4),
        packets: 1 + input.below(6),
        reorder: input.below(4),
        send: 1 + 30 * input.below(100),
        receive: MAX_LEN + 30 * input.below(100),
    };
    let mut config = UtpConfig::new(input.array());
    config.accept = input.byte() & 7 != 7;
    let new = || Driven {
        endpoint: UtpEndpoint::new(config, UtpVec::new(limits)).expect("valid limits"),
        conns: vec![],
        sent: vec![],
    };
    let calls = input.bytes(usize::MAX);
    laws::check(new, MAX_LEN, calls);
}

struct Driven {
    endpoint: UtpEndpoint<UtpVec>,
    conns: Vec<ConnId>,
    /// What was sent last: its receiver, kind, id, number and acknowledgement.
    sent: Vec<(SocketAddr, PacketKind, u16, u16, u16)>,
}

fn addr(input: &mut Input<'_>) -> SocketAddr {
    let ip = if input.byte() & 1 == 0 { [127, 0, 0, 1] } else { [80, 4, 4, input.byte() % 4] };
    (ip, 1 + u16::from(input.byte() % 2)).into()
}

impl Driven {
    /// Passes the time after a call that has none.
    fn later(&mut self, now: Duration, outcome: Outcome) -> Outcome {
        if matches!(outcome, Outcome::Done(_)) {
            self.endpoint.handle_timeout(now);
        }
        outcome
    }

    fn conn(&self, input: &mut Input<'_>) -> ConnId {
        let nth = usize::from(input.byte()).checked_rem(self.conns.len()).unwrap_or(0);
        self.conns.get(nth).copied().unwrap_or(ConnId(9))
    }

    /// Writes a packet that fits what was sent, or not quite.
    fn answer(&self, input: &mut Input<'_>) -> (SocketAddr, Vec<u8>) {
        let nth = usize::from(input.byte()).checked_rem(self.sent.len()).unwrap_or(0);
        let nothing = (addr(&mut input.clone()), PacketKind::Syn, 7, 7, 7);
        let (to, kind, id, seq, ack) = self.sent.get(nth).copied().unwrap_or(nothing);
        let kinds = [
            PacketKind::State,
            PacketKind::Data,
            PacketKind::Data,
            PacketKind::State,
            PacketKind::Fin,
            PacketKind::Reset,
            PacketKind::Syn,
        ];
        let step = |input: &mut Input<'_>| match input.byte() {
            byte @ 0..4 => u16::from(byte),
            4 => 0xFFFF,
            5 => input.u16(),
            _ => 0,
        };
        let payload = vec![0x55; 6 * usize::from(input.byte() & 0xFE)];
        // A SYN is answered with its own id. In other packets the ids of the two sides differ by one.
        let id = match kind {
            PacketKind::Syn => id,
            _ if input.byte() & 1 == 0 => id.wrapping_add(1),
            _ => id.wrapping_sub(1),
        };
        let packet = Packet {
            kind: kinds[input.below(kinds.len())],
            connection: id.wrapping_add(step(input)),
            timestamp: input.u32(),
            difference: u32::from(input.u16()),
            window: if input.below(8) == 0 { 0 } else { input.u32() },
            seq: ack.wrapping_add(1).wrapping_add(step(input)),
            ack: seq.wrapping_sub(u16::from(kind == PacketKind::State)).wrapping_add(step(input)),
            extensions: Extensions::NONE,
            payload: &payload,
        };
        let mut out = vec![0; packet.encoded_len()];
        packet.encode(&mut out).expect("it fits");
        if input.below(4) == 0 {
            out[1] = 1; // a selective acknowledgement in front of the payload
            let mask = [0, 1, input.byte()];
            out.splice(20..20, mask);
        }
        (to, out)
    }
}

impl Machine for Driven {
    fn call(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
        match input.below(12) {
            0 => {
                let dialled = self.endpoint.connect(now, addr(input));
                self.conns.extend(dialled);
                Outcome::of(dialled)
            }
            1 | 2 => {
                let conn = self.conn(input);
                let len = 10 * usize::from(input.byte());
                let written = self.endpoint.write(conn, &vec![0xEE; len]);
                self.later(now, Outcome::of(written))
            }
            3 => {
                let conn = self.conn(input);
                let mut buf = vec![0; 20 * usize::from(input.byte())];
                let read = self.endpoint.read(conn, &mut buf);
                self.later(now, Outcome::of(read))
            }
            4 => {
                let closed = self.endpoint.close(self.conn(input));
                self.later(now, Outcome::of(closed))
            }
            5 if input.below(4) == 0 => {
                let aborted = self.endpoint.abort(self.conn(input));
                self.later(now, Outcome::of(aborted))
            }
            6 => {
                self.endpoint.handle_too_big(addr(input), input.u16().into());
                self.later(now, Outcome::Done(String::new()))
            }
            7 => {
                let from = addr(input);
                let bytes = input.bytes(30);
                Outcome::of(self.endpoint.handle_datagram(now, from, bytes))
            }
            _ => {
                let (from, bytes) = self.answer(input);
                let handled = self.endpoint.handle_datagram(now, from, &bytes);
                let opened = handled.ok().flatten().filter(|conn| !self.conns.contains(conn));
                self.conns.extend(opened);
                Outcome::of(handled)
            }
        }
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.endpoint.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.endpoint.poll_timeout()
    }

    fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(String, usize)>, usize> {
        let sent = self.endpoint.poll_transmit(buf).map_err(|error| error.needed)?;
        Ok(sent.map(|sent| {
            let packet = Packet::decode(&buf[..sent.len]).expect("what we write is right");
            self.sent.push((sent.to, packet.kind, packet.connection, packet.seq, packet.ack));
            if self.sent.len() > 12 {
                self.sent.remove(0);
            }
            (format!("{} {}", sent.to, sent.probe), sent.len)
        }))
    }

    fn poll_event(&mut self) -> Option<String> {
        let event = self.endpoint.poll_event()?;
        if let UtpEvent::Accepted { conn, .. } = event
            && !self.conns.contains(&conn)
        {
            self.conns.push(conn);
        }
        Some(format!("{event:?}"))
    }

    fn state(&self) -> String {
        format!("{:?}", self.endpoint)
    }

    fn same_state(&self, other: &Self) -> bool {
        self.endpoint == other.endpoint
    }
}
