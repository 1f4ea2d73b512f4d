//! New addresses: which are taken, and which they replace.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::event::{Added, PeerSource};
use super::inner::View;
use super::slots::{Conn, Entry, KINDS, Kind, canonical, digest};
use crate::id::ConnId;
use crate::network::Network;
use crate::priority::peer_priority;

/// Each kind of source keeps this part of the book against the others; so does each sender of peer exchanges within
/// their kind.
const SHARE: usize = 8;
/// The part of the book that a public network may take.
const NETWORK_SHARE: usize = 32;
/// A public network may take this many addresses in a small book.
const NETWORK_LEAST: usize = 4;
/// An address that failed this often in a row gives way to any other.
const HOPELESS: u8 = 4;
/// The addresses that are read of one peer's exchanges in a minute: as many as a first message may have.
const EXCHANGED: u8 = 200;
const MINUTE: Duration = Duration::from_secs(60);

/// A new address, and where it came from.
struct Candidate {
    addr: SocketAddr,
    kind: Kind,
    origin: u32,
}

/// What the book holds, as far as a new address must know.
#[derive(Default)]
struct Census {
    free: Option<usize>,
    of_kind: [usize; KINDS],
    of_origin: usize,
    of_network: usize,
    worst: Option<(usize, u8)>, // of all, with its failures
    worst_of_kind: [Option<(usize, u8)>; KINDS],
    worst_of_origin: Option<(usize, u8)>,
    worst_of_network: Option<(usize, u8)>,
}

impl View<'_> {
    pub(super) fn add(
        &mut self,
        now: Duration,
        addr: SocketAddr,
        source: PeerSource,
        seed: bool,
    ) -> Added {
        self.core.advance_clock(now);
        let addr = canonical(addr);
        let (kind, origin) = match self.origin(addr, source) {
            Ok(origin) => origin,
            Err(refused) => return refused,
        };
        self.insert(&Candidate { addr, kind, origin }, seed)
    }

    /// Returns the kind of a source and, of a peer exchange, a digest of the sender's network.
    fn origin(&mut self, addr: SocketAddr, source: PeerSource) -> Result<(Kind, u32), Added> {
        let kind = match source {
            PeerSource::User => Kind::User,
            PeerSource::Tracker => Kind::Tracker,
            PeerSource::Dht => Kind::Dht,
            PeerSource::Incoming => Kind::Incoming,
            PeerSource::Saved => Kind::Saved,
            PeerSource::Exchange(conn) => {
                let now = self.core.now;
                let sender = self.conn(conn).ok_or(Added::Invalid)?;
                if !sender.may_exchange(now) {
                    return Err(Added::OverQuota);
                }
                let local = |ip: IpAddr| Network::of(ip).is_local();
                if local(addr.ip()) && !local(sender.addr.ip()) {
                    return Err(Added::Invalid);
                }
                return Ok((Kind::Exchange, digest(sender.addr.ip())));
            }
        };
        Ok((kind, 0))
    }

    fn insert(&mut self, candidate: &Candidate, seed: bool) -> Added {
        let Candidate { addr, kind, origin } = *candidate;
        if !is_dialable(addr) {
            return Added::Invalid;
        }
        if self.core.is_own(addr) {
            return Added::Own;
        }
        if self.is_banned(addr, self.core.now) {
            return Added::Banned;
        }
        let now = self.core.now;
        if let Some(entry) = self.entry(addr) {
            entry.seed |= seed;
            if kind != Kind::Exchange {
                entry.confirm(kind, now);
                self.core.wake_dialler();
            }
            return Added::Known;
        }
        let census = self.census(candidate);
        let place = match self.place(candidate, &census) {
            Ok(place) => place,
            Err(refused) => return refused,
        };
        let priority = self.priority(addr);
        if let Some(slot) = self.parts.addresses.get_mut(place) {
            slot.0 = Some(Entry {
                addr,
                kind,
                origin,
                priority,
                failures: 0,
                seed,
                in_use: false,
                tried_at: Duration::ZERO,
                dial_at: now,
            });
        }
        self.core.wake_dialler();
        Added::New
    }

    fn census(&mut self, candidate: &Candidate) -> Census {
        let network = Network::of(candidate.addr.ip());
        let mut census = Census::default();
        // The tie between equal addresses is drawn: a rotation of the order.
        let count = self.parts.addresses.len();
        let bound = u64::try_from(count).unwrap_or(u64::MAX);
        let start = usize::try_from(self.core.rng.below(bound)).unwrap_or(0);
        let slots = self.parts.addresses.iter().enumerate();
        let rotated = slots.clone().skip(start).chain(slots.take(start));
        for (index, slot) in rotated {
            let Some(entry) = &slot.0 else {
                census.free.get_or_insert(index);
                continue;
            };
            let same_origin = candidate.is_of_origin(entry);
            let same_network = Network::of(entry.addr.ip()) == network;
            if let Some(count) = census.of_kind.get_mut(entry.kind.index()) {
                *count = count.saturating_add(1);
            }
            census.of_origin = census.of_origin.saturating_add(usize::from(same_origin));
            census.of_network = census.of_network.saturating_add(usize::from(same_network));
            if entry.in_use {
                continue;
            }
            let found = (index, entry.failures);
            keep_worst(&mut census.worst, found);
            if let Some(worst) = census.worst_of_kind.get_mut(entry.kind.index()) {
                keep_worst(worst, found);
            }
            if same_origin {
                keep_worst(&mut census.worst_of_origin, found);
            }
            if same_network {
                keep_worst(&mut census.worst_of_network, found);
            }
        }
        census
    }

    /// Returns the slot for a new address.
    fn place(&self, candidate: &Candidate, census: &Census) -> Result<usize, Added> {
        let capacity = self.parts.addresses.len();
        let half = (capacity / 2).max(1);
        let public = (capacity / NETWORK_SHARE).max(NETWORK_LEAST).min(half);
        let failed = |worst: Option<(usize, u8)>| worst.filter(|(_, failures)| *failures > 0);
        if census.of_network >= Network::of(candidate.addr.ip()).share(public, half) {
            let failed = failed(census.worst_of_network);
            return failed.map(|(index, _)| index).ok_or(Added::OverQuota);
        }
        let share = capacity / SHARE;
        if candidate.kind == Kind::Exchange && census.of_origin >= share.max(1) {
            let failed = failed(census.worst_of_origin);
            return failed.map(|(index, _)| index).ok_or(Added::OverQuota);
        }
        if let Some(free) = census.free {
            return Ok(free);
        }
        let hopeless = census.worst.filter(|(_, failures)| *failures >= HOPELESS);
        let largest = census.largest_kind(); // of six kinds in a full book: it has more than its share
        let worst = |kind: usize| census.worst_of_kind.get(kind).copied().flatten();
        let own = candidate.kind.index();
        let poor = census.of_kind.get(own).is_some_and(|count| *count < share);
        let victim =
            hopeless.or_else(|| worst(largest).filter(|_| poor)).or_else(|| failed(worst(own)));
        victim.map(|(index, _)| index).ok_or(Added::Full)
    }

    /// Returns the priority of an address (BEP 40), or a random one while our own address is unknown.
    fn priority(&mut self, addr: SocketAddr) -> u32 {
        let ours =
            self.core.external.iter().flatten().find(|ours| ours.is_ipv4() == addr.is_ipv4());
        match ours {
            Some(ours) => peer_priority(*ours, addr),
            None => u32::try_from(self.core.rng.next_u64() >> 32).unwrap_or(0),
        }
    }

    /// Sets our address as others see it, and all priorities.
    pub(super) fn set_external(&mut self, addr: SocketAddr) {
        let addr = canonical(addr);
        let [v4, v6] = &mut self.core.external;
        *(if addr.is_ipv4() { v4 } else { v6 }) = Some(addr);
        for entry in self.parts.addresses.iter_mut().filter_map(|slot| slot.0.as_mut()) {
            if entry.addr.is_ipv4() == addr.is_ipv4() {
                entry.priority = peer_priority(addr, entry.addr);
            }
        }
        self.remove(addr);
    }

    /// A peer that dialled us listens on a port.
    pub(super) fn listens(&mut self, now: Duration, conn: ConnId, port: u16) {
        self.core.advance_clock(now);
        let Some(known) = self.conn(conn).filter(|known| known.listens.is_none() && port != 0)
        else {
            return;
        };
        known.listens = Some(port);
        let addr = SocketAddr::new(known.addr.ip(), port);
        self.insert(&Candidate { addr, kind: Kind::Incoming, origin: 0 }, false);
        if let Some(entry) = self.entry(addr) {
            entry.in_use = true;
        }
    }
}

impl Candidate {
    fn is_of_origin(&self, entry: &Entry) -> bool {
        let exchanged = self.kind == Kind::Exchange && entry.kind == Kind::Exchange;
        exchanged && self.origin == entry.origin
    }
}

impl Census {
    /// Returns the place of the kind with the most addresses.
    fn largest_kind(&self) -> usize {
        let kinds = self.of_kind.iter().enumerate();
        kinds.max_by_key(|(_, count)| **count).map_or(0, |(kind, _)| kind)
    }
}

impl Entry {
    /// Another source than a peer exchange named the address.
    fn confirm(&mut self, kind: Kind, now: Duration) {
        if matches!(self.kind, Kind::Exchange | Kind::Saved) {
            self.kind = kind;
            self.origin = 0;
        }
        if self.failures > 0 {
            let soon = self.tried_at.saturating_add(MINUTE).max(now);
            self.dial_at = self.dial_at.min(soon);
        }
    }
}

impl Conn {
    /// Counts an address of a peer exchange; returns whether it is to be read.
    fn may_exchange(&mut self, now: Duration) -> bool {
        if self.minute.saturating_add(MINUTE) <= now {
            self.minute = now;
            self.exchanged = 0;
        }
        let more = self.exchanged < EXCHANGED;
        self.exchanged = self.exchanged.saturating_add(u8::from(more));
        more
    }
}

fn keep_worst(worst: &mut Option<(usize, u8)>, found: (usize, u8)) {
    let (_, failures) = found;
    if worst.is_none_or(|(_, most)| failures > most) {
        *worst = Some(found);
    }
}

fn is_dialable(addr: SocketAddr) -> bool {
    let ip = addr.ip();
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast() || ip.octets()[0] == 0);
    addr.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}
