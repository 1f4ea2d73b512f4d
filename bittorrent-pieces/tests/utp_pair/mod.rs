//! Two uTP endpoints over a simulated network.

#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

use core::time::Duration;

use super::utp_by_hand::*;
use bittorrent_pieces::ConnId;
use bittorrent_pieces::utp::{MAX_LEN, UtpEndpoint, UtpEvent, UtpLimits, UtpVec};
use sim::{Addr, Delivery, Link, Network};

pub fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Two endpoints; the first dials. What one reads is kept.
pub struct Pair {
    pub network: Network,
    pub ends: [UtpEndpoint<UtpVec>; 2],
    pub received: [Vec<u8>; 2],
    pub events: [Vec<UtpEvent>; 2],
    pub reads: [bool; 2],
    pub path_len: usize, // longer probes vanish
    pub hole: usize,     // all longer datagrams vanish
    pub late: Duration,  // how late a driver calls
}

impl Pair {
    pub fn new(seed: u64, link: Link, limits: UtpLimits) -> Self {
        Self {
            network: Network::new(seed, link),
            ends: [endpoint(seed as u8, limits), endpoint(100, limits)],
            received: [vec![], vec![]],
            events: [vec![], vec![]],
            reads: [true; 2],
            path_len: MAX_LEN,
            hole: MAX_LEN,
            late: Duration::ZERO,
        }
    }

    /// Polls both ends until they are silent.
    pub fn poll(&mut self) {
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
                    if sent.len <= self.hole && (sent.len <= self.path_len || !sent.probe) {
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
    pub fn run(&mut self, until: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
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
    pub fn transfer(&mut self, from: usize, len: usize, until: Duration) -> Duration {
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
        self.network.now().saturating_sub(start)
    }

    pub fn accepted(&self) -> Option<ConnId> {
        self.events[1].iter().find_map(|event| match event {
            UtpEvent::Accepted { conn, .. } => Some(*conn),
            _ => None,
        })
    }
}

pub fn link(loss: u16) -> Link {
    Link { latency: millis(20), loss, reorder: 20, duplicate: 10, ..Link::default() }
}
