//! The network: a heap of deliveries ordered by virtual time.

use core::cmp::Reverse;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use crate::{Addr, Delivery, Link, Rng, Stats, StreamId};

/// How long a lost stream segment waits before it is sent again.
const RETRANSMIT: Duration = Duration::from_millis(200);

/// A network of hosts in virtual time.
#[derive(Debug)]
pub struct Network {
    link: Link,
    now: Duration,
    rng: Rng,
    stats: Stats,
    sequence: u64,
    queue: BinaryHeap<Reverse<Item>>,
    stalled: Vec<Item>, // segments that wait for a partition to heal
    streams: BTreeMap<StreamId, Stream>,
    dead: BTreeSet<Addr>,
    groups: BTreeMap<Addr, usize>, // while partitioned: who is on which side
    uplinks: BTreeMap<Addr, Uplink>,
}

/// One delivery under way. Ordered by time, then by the order of sending.
#[derive(Debug)]
struct Item {
    at: Duration,
    sequence: u64,
    from: Addr,
    delivery: Delivery,
}

#[derive(Debug)]
struct Stream {
    ends: [End; 2], // the dialler, then the acceptor
}

#[derive(Debug)]
struct End {
    addr: Addr,
    open: bool,
    /// When the last thing sent towards this end arrives: nothing of the stream overtakes it.
    arrives: Duration,
}

#[derive(Debug)]
struct Uplink {
    bytes_per_second: u64,
    free_at: Duration,
}

impl Network {
    /// Creates an empty network at time zero.
    #[must_use]
    pub fn new(seed: u64, link: Link) -> Self {
        Self {
            link,
            now: Duration::ZERO,
            rng: Rng::new(seed),
            stats: Stats::default(),
            sequence: 0,
            queue: BinaryHeap::new(),
            stalled: Vec::new(),
            streams: BTreeMap::new(),
            dead: BTreeSet::new(),
            groups: BTreeMap::new(),
            uplinks: BTreeMap::new(),
        }
    }

    /// Returns the virtual time.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Returns what happened so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Changes the quality of all paths from now on.
    pub fn set_link(&mut self, link: Link) {
        self.link = link;
    }

    /// Limits what `addr` can send, in bytes per second; 0 lifts the limit.
    pub fn set_uplink(&mut self, addr: Addr, bytes_per_second: u64) {
        self.uplinks.remove(&addr);
        if bytes_per_second > 0 {
            self.uplinks.insert(addr, Uplink { bytes_per_second, free_at: self.now });
        }
    }

    /// Sends a datagram; it arrives once, twice, late or never.
    pub fn send_datagram(&mut self, from: Addr, to: Addr, bytes: &[u8]) {
        if self.dead.contains(&from) {
            return;
        }
        self.stats.datagrams += 1;
        self.stats.bytes += bytes.len() as u64;
        let departs = self.depart(from, bytes.len());
        if self.rng.chance(self.link.loss) {
            self.stats.lost += 1;
            return;
        }
        let copies = if self.rng.chance(self.link.duplicate) {
            self.stats.duplicated += 1;
            2
        } else {
            1
        };
        for _ in 0..copies {
            let mut at = departs + self.delay();
            if self.rng.chance(self.link.reorder) {
                at += self.link.latency * 4;
            }
            self.push(at, from, Delivery::Datagram { from, to, bytes: bytes.to_vec() });
        }
    }

    /// Dials `to`. Both ends hear [`Delivery::Opened`]; if `to` is dead or cut off, the dialler
    /// hears [`Delivery::Closed`] instead.
    pub fn connect(&mut self, from: Addr, to: Addr) -> StreamId {
        self.sequence += 1;
        let stream = StreamId(self.sequence);
        let there = self.delay();
        let back = self.delay();
        let reaches = self.now + there;
        let returns = reaches + back;
        let refused = self.dead.contains(&to) || self.dead.contains(&from) || self.cut(from, to);
        let end = |addr, arrives| End { addr, open: !refused, arrives };
        self.streams.insert(stream, Stream { ends: [end(from, returns), end(to, reaches)] });
        if refused {
            self.push(returns, to, Delivery::Closed { stream, at: from });
        } else {
            self.push(reaches, from, Delivery::Opened { stream, at: to, peer: from });
            self.push(returns, to, Delivery::Opened { stream, at: from, peer: to });
        }
        stream
    }

    /// Sends bytes on a stream as `from`. On a closed stream they are dropped, as a socket would.
    pub fn send(&mut self, stream: StreamId, from: Addr, bytes: &[u8]) {
        let Some(to) = self.other_end(stream, from) else { return };
        let mut rest = bytes;
        while !rest.is_empty() {
            let (len, at) = self.send_segment(from, rest.len());
            let (segment, tail) = rest.split_at(len);
            rest = tail;
            let delivery = Delivery::Bytes { stream, at: to, bytes: segment.to_vec() };
            self.push_in_order(stream, at, from, delivery);
        }
    }

    /// Sends a message of `len` bytes in segments as [`send`](Self::send) does, but hands it over once, when the last
    /// segment arrives: for a receiver that can do nothing with a part of it. Only `bytes` are handed over, so that
    /// content that the receiver can make itself is not carried.
    pub fn send_message(&mut self, stream: StreamId, from: Addr, bytes: Vec<u8>, len: usize) {
        let Some(to) = self.other_end(stream, from) else { return };
        let mut rest = len;
        let mut last = None;
        while rest > 0 {
            let (len, at) = self.send_segment(from, rest);
            rest -= len;
            last = last.max(Some(at));
        }
        if let Some(at) = last {
            self.push_in_order(stream, at, from, Delivery::Bytes { stream, at: to, bytes });
        }
    }

    /// Sends the first of `rest` bytes; returns how many, and when they arrive unless they wait for earlier ones.
    fn send_segment(&mut self, from: Addr, rest: usize) -> (usize, Duration) {
        let most = rest.min(self.link.segment.max(1)) as u64;
        let len = self.rng.below(most) as usize + 1;
        self.stats.segments += 1;
        self.stats.bytes += len as u64;
        let mut at = self.depart(from, len) + self.delay();
        while self.rng.chance(self.link.loss.min(900)) {
            self.stats.retransmitted += 1;
            at += RETRANSMIT;
        }
        (len, at)
    }

    /// Closes a stream as `from`; what was sent before still arrives, then the close.
    pub fn close(&mut self, stream: StreamId, from: Addr) {
        let Some(to) = self.other_end(stream, from) else { return };
        self.set_closed(stream, from);
        let at = self.now + self.delay();
        self.push_in_order(stream, at, from, Delivery::Closed { stream, at: to });
    }

    /// Kills a host: nothing reaches it any more, and its peers see their streams close.
    pub fn kill(&mut self, addr: Addr) {
        let of_addr = |s: &Stream| s.ends.iter().any(|end| end.addr == addr);
        let streams: Vec<_> =
            self.streams.iter().filter(|(_, s)| of_addr(s)).map(|(id, _)| *id).collect();
        for stream in streams {
            self.close(stream, addr);
        }
        self.dead.insert(addr);
    }

    /// Pulls the plug of a host: nothing reaches it and nothing leaves it; peers hear only silence.
    pub fn unplug(&mut self, addr: Addr) {
        self.dead.insert(addr);
    }

    /// Brings a killed or unplugged host back, with none of its streams.
    pub fn revive(&mut self, addr: Addr) {
        self.dead.remove(&addr);
        self.streams.retain(|_, s| s.ends.iter().all(|end| end.addr != addr));
    }

    /// Splits the network: hosts of different groups, or of none, no longer reach each other.
    /// Datagrams between them are lost; streams stall until [`heal`](Self::heal).
    pub fn partition(&mut self, groups: &[&[Addr]]) {
        self.groups.clear();
        for (side, group) in groups.iter().enumerate() {
            self.groups.extend(group.iter().map(|addr| (*addr, side)));
        }
    }

    /// Joins all groups again; stalled stream bytes go on their way.
    pub fn heal(&mut self) {
        self.groups.clear();
        for mut item in core::mem::take(&mut self.stalled) {
            item.at = self.now + self.link.latency;
            self.queue.push(Reverse(item));
        }
    }

    /// Returns when the next delivery is due, if any is under way.
    #[must_use]
    pub fn next_at(&self) -> Option<Duration> {
        self.queue.peek().map(|Reverse(item)| item.at)
    }

    /// Advances the clock to the next delivery and returns it, or to `until` if none is due by then.
    pub fn next(&mut self, until: Duration) -> Option<Delivery> {
        while self.next_at().is_some_and(|at| at <= until) {
            let Reverse(item) = self.queue.pop()?;
            self.now = self.now.max(item.at);
            if let Some(delivery) = self.arrive(item) {
                return Some(delivery);
            }
        }
        self.now = self.now.max(until);
        None
    }

    /// Decides whether what is due really arrives.
    fn arrive(&mut self, item: Item) -> Option<Delivery> {
        let to = item.delivery.at();
        let datagram = matches!(item.delivery, Delivery::Datagram { .. });
        if self.dead.contains(&to) {
            self.stats.lost += u64::from(datagram);
            return None;
        }
        if self.cut(item.from, to) {
            if datagram {
                self.stats.lost += 1;
            } else {
                self.stalled.push(item);
            }
            return None;
        }
        match item.delivery {
            Delivery::Bytes { stream, .. } | Delivery::Opened { stream, .. }
                if !self.is_open(stream, to) =>
            {
                None // this end has closed already
            }
            Delivery::Closed { stream, .. } => {
                self.set_closed(stream, to);
                let all_closed = |s: &Stream| s.ends.iter().all(|end| !end.open);
                if self.streams.get(&stream).is_some_and(all_closed) {
                    self.streams.remove(&stream);
                }
                Some(item.delivery)
            }
            _ => Some(item.delivery),
        }
    }

    fn delay(&mut self) -> Duration {
        let jitter = self.rng.below(self.link.jitter.as_nanos() as u64 + 1);
        self.link.latency + Duration::from_nanos(jitter)
    }

    /// Returns when `len` bytes have left the uplink of `from`.
    fn depart(&mut self, from: Addr, len: usize) -> Duration {
        let Some(uplink) = self.uplinks.get_mut(&from) else { return self.now };
        let nanos = u128::from(len as u64) * 1_000_000_000 / u128::from(uplink.bytes_per_second);
        uplink.free_at = uplink.free_at.max(self.now) + Duration::from_nanos(nanos as u64);
        uplink.free_at
    }

    fn cut(&self, a: Addr, b: Addr) -> bool {
        !self.groups.is_empty() && a != b && {
            let sides = (self.groups.get(&a), self.groups.get(&b));
            sides.0.is_none() || sides.0 != sides.1
        }
    }

    fn push(&mut self, at: Duration, from: Addr, delivery: Delivery) {
        self.sequence += 1;
        self.queue.push(Reverse(Item { at, sequence: self.sequence, from, delivery }));
    }

    fn push_in_order(&mut self, stream: StreamId, at: Duration, from: Addr, delivery: Delivery) {
        let to = delivery.at();
        let Some(end) = self.end_mut(stream, to) else { return };
        end.arrives = end.arrives.max(at);
        let at = end.arrives;
        self.push(at, from, delivery);
    }

    /// Returns the receiver of what `from` sends, if `from` is an end that may still send.
    fn other_end(&self, stream: StreamId, from: Addr) -> Option<Addr> {
        let [a, b] = &self.streams.get(&stream)?.ends;
        let (mine, other) = if a.addr == from { (a, b) } else { (b, a) };
        let may_send = mine.addr == from && mine.open && !self.dead.contains(&from);
        may_send.then_some(other.addr)
    }

    fn is_open(&self, stream: StreamId, addr: Addr) -> bool {
        let open = |s: &Stream| s.ends.iter().any(|end| end.addr == addr && end.open);
        self.streams.get(&stream).is_some_and(open)
    }

    fn set_closed(&mut self, stream: StreamId, addr: Addr) {
        if let Some(end) = self.end_mut(stream, addr) {
            end.open = false;
        }
    }

    fn end_mut(&mut self, stream: StreamId, addr: Addr) -> Option<&mut End> {
        self.streams.get_mut(&stream)?.ends.iter_mut().find(|end| end.addr == addr)
    }
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.sequence) == (other.at, other.sequence)
    }
}

impl Eq for Item {}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Item {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}
