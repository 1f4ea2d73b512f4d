//! uTP: packets of other programs, and two endpoints over a network that loses, repeats and reorders.

mod common;

use core::net::SocketAddr;
use core::time::Duration;

use bittorrent_pieces::utp::{
    CloseReason, ConfigError, DatagramError, MAX_LEN, Packet, PacketError, PacketKind, PacketSlot,
    ReorderSlot, UtpConfig, UtpEndpoint, UtpEvent, UtpLimits, UtpSlot, UtpVec,
};
use bittorrent_pieces::{ConnId, Full, NotConnected};
use common::{rows, unhex};
use sim::{Addr, Delivery, Link, Network};

const TABLE: &str = include_str!("data/utp.txt");

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn address(host: u32) -> SocketAddr {
    ([192, 0, host as u8, 1], 6881).into()
}

fn endpoint(key: u8, limits: UtpLimits) -> UtpEndpoint<UtpVec> {
    UtpEndpoint::new(UtpConfig::new([key; 16]), UtpVec::new(limits)).expect("valid limits")
}

fn limits() -> UtpLimits {
    UtpLimits { conns: 4, ..UtpLimits::default() }
}

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
    let numbers: Vec<u8> = two.extensions.map(|extension| extension.number).collect();
    assert_eq!(numbers, [1, 3]);
    assert_eq!(two.extensions.last().unwrap().bytes, [0, 0, 0, 6]);
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

/// Two endpoints; the first dials. What one reads is kept.
struct Pair {
    network: Network,
    ends: [UtpEndpoint<UtpVec>; 2],
    received: [Vec<u8>; 2],
    events: [Vec<UtpEvent>; 2],
    reads: [bool; 2],
    path_len: usize, // longer datagrams vanish
    late: Duration,  // how late a driver calls
}

impl Pair {
    fn new(seed: u64, link: Link, limits: UtpLimits) -> Self {
        Self {
            network: Network::new(seed, link),
            ends: [endpoint(seed as u8, limits), endpoint(100, limits)],
            received: [vec![], vec![]],
            events: [vec![], vec![]],
            reads: [true; 2],
            path_len: MAX_LEN,
            late: Duration::ZERO,
        }
    }

    /// Polls both ends until they are silent.
    fn poll(&mut self) {
        let now = self.network.now();
        for (at, end) in self.ends.iter_mut().enumerate() {
            end.handle_timeout(now);
            loop {
                let mut buf = [0; MAX_LEN];
                let mut silent = true;
                while let Some(event) = end.poll_event() {
                    silent = false;
                    self.events[at].push(event);
                    let UtpEvent::Readable { conn } = event else { continue };
                    while self.reads[at] {
                        let len = end.read(conn, &mut buf).expect("it is open");
                        self.received[at].extend_from_slice(&buf[..len]);
                        if len == 0 {
                            break;
                        }
                    }
                }
                while let Some(sent) = end.poll_transmit(&mut buf).expect("it is long enough") {
                    silent = false;
                    let to = Addr(u32::from(sent.to == address(1)));
                    if sent.len <= self.path_len {
                        self.network.send_datagram(Addr(at as u32), to, &buf[..sent.len]);
                    }
                }
                if silent {
                    break;
                }
            }
        }
    }

    /// Runs until `done` or a time.
    fn run(&mut self, until: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        loop {
            self.poll();
            if done(self) {
                return true;
            }
            let now = self.network.now();
            if now >= until {
                return false;
            }
            let due = self.ends.iter().filter_map(UtpEndpoint::poll_timeout).min();
            let due = due.map_or(until, |due| due.max(now + millis(1)) + self.late).min(until);
            if let Some(Delivery::Datagram { from, to, bytes, .. }) = self.network.next(due) {
                let end = &mut self.ends[to.0 as usize];
                let _ = end.handle_datagram(self.network.now(), address(from.0), &bytes);
            }
        }
    }

    /// Sends bytes from the dialler, or from the other end once it knows the connection; returns how long it took.
    fn transfer(&mut self, from: usize, len: usize, until: Duration) -> Duration {
        let dialled = self.ends[0].connect(self.network.now(), address(1)).expect("a slot");
        self.ends[0].write(dialled, b"!").expect("it is open");
        let data: Vec<u8> = (0..len).map(|at| (at * 31 + at / 251) as u8).collect();
        let mut written = 0;
        let start = self.network.now();
        let complete = self.run(until, |pair| {
            let conn = if from == 0 { Some(dialled) } else { pair.accepted() };
            if let Some(conn) = conn {
                written += pair.ends[from].write(conn, &data[written..]).unwrap_or(0);
            }
            let skip = usize::from(from == 0); // the first byte
            pair.received[1 - from].len() == len + skip
        });
        let received = &self.received[1 - from];
        assert!(complete, "{} of {len} bytes, {:?}", received.len(), self.events);
        assert!(received.ends_with(&data), "the bytes differ");
        self.network.now() - start
    }

    fn accepted(&self) -> Option<ConnId> {
        self.events[1].iter().find_map(|event| match event {
            UtpEvent::Accepted { conn, .. } => Some(*conn),
            _ => None,
        })
    }
}

fn link(loss: u16) -> Link {
    Link { latency: millis(20), loss, reorder: 20, duplicate: 10, ..Link::default() }
}

#[test]
fn bytes_arrive_exactly_over_a_network_that_loses_reorders_and_repeats() {
    // Bytes per second that are reached at least, at 40 ms of round trip and with 128 KiB of buffers.
    for (loss, least) in [(0, 100_000), (10, 50_000), (50, 20_000), (100, 6_000), (200, 1_000)] {
        for from in [0, 1] {
            for seed in 0..3 {
                let len = least as usize * 4;
                let mut pair = Pair::new(seed, link(loss), limits());
                let took = pair.transfer(from, len, secs(600));
                let rate = len as f64 / took.as_secs_f64();
                println!("loss {loss}/1000 from {from} seed {seed}: {rate:.0} bytes/s");
                assert!(rate >= f64::from(least), "loss {loss}: {rate} bytes/s");
            }
        }
    }
}
