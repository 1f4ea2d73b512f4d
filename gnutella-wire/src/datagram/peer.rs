//! What is known of an address, and what it is owed.

use core::net::SocketAddrV4;
use core::time::Duration;

use super::keys;
use crate::id::Guid;
use crate::rng::Rng;

/// Received bytes count towards an answer for this long.
const CREDIT_SECONDS: u32 = 60;
/// An address that has shown a valid key counts as proved for this long.
const PROVED_SECONDS: u32 = 600;
/// Addresses of one network (/16) replace each other once they have this fraction of the slots.
const NETWORK_FRACTION: usize = 4;
/// And at least this many.
const NETWORK_LEAST: usize = 2;
/// The longest key of another servent.
const MAX_KEY: usize = 16;

/// Storage for one address that is answered or asked: at most 288 bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerSlot(pub(super) Option<Peer>);

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Peer {
    pub(super) address: SocketAddrV4,
    seen: u32,   // seconds
    credit: u32, // bytes that came and were not answered
    proved_until: Option<u32>,
    pub(super) last_query: Option<Guid>,
    pub(super) pong: Option<PongDue>,
    pub(super) ack: Option<Guid>, // of a query
    pub(super) hits_ack: Option<(Guid, u8)>,
    pub(super) offer: Option<(Guid, u8)>,
    pub(super) offered: Option<Guid>,
    pub(super) wanted: Option<(Guid, u8)>,   // to be reported
    pub(super) expected: Option<(Guid, u8)>, // hits that were asked for
    pub(super) counted: u16,                 // records of its hits, since the last search began
    pub(super) host: Option<HostState>,
}

/// An answer to a ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PongDue {
    pub(super) guid: Guid,
    pub(super) with_key: bool,
}

/// A host that is asked in searches.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct HostState {
    key: [u8; MAX_KEY],
    key_len: u8,
    key_at: u32,
    pub(super) request: Option<(Guid, Option<Duration>)>, // for a key, and until when it waits
    pub(super) request_due: bool,
    pub(super) attempts: u8,
    pub(super) asked: u32,   // one bit per search
    pub(super) queries: u32, // that are due, one bit per search
    unanswered: u8,          // queries in a row
}

impl PeerSlot {
    /// No address.
    pub const EMPTY: Self = Self(None);
}

impl Peer {
    pub(super) fn new(address: SocketAddrV4, now: u32) -> Self {
        Self {
            address,
            seen: now,
            credit: 0,
            proved_until: None,
            last_query: None,
            pong: None,
            ack: None,
            hits_ack: None,
            offer: None,
            offered: None,
            wanted: None,
            expected: None,
            counted: 0,
            host: None,
        }
    }

    /// Counts a datagram of this length.
    pub(super) fn receive(&mut self, now: u32, len: usize) {
        if now.saturating_sub(self.seen) > CREDIT_SECONDS {
            self.credit = 0;
        }
        self.credit = self.credit.saturating_add(u32::try_from(len).unwrap_or(u32::MAX));
        self.seen = now;
    }

    pub(super) fn prove(&mut self, now: u32) {
        self.proved_until = Some(now.saturating_add(PROVED_SECONDS));
    }

    /// Returns whether the address has shown a valid key.
    pub(super) fn is_proved(&self, now: u32) -> bool {
        self.proved_until.is_some_and(|until| now < until)
    }

    /// Returns whether an answer of this length may go there: to an address that has not shown a key no
    /// more bytes go than came from it.
    pub(super) fn spend(&mut self, now: u32, len: usize) -> bool {
        if self.is_proved(now) {
            return true;
        }
        let left = u32::try_from(len).ok().and_then(|len| self.credit.checked_sub(len));
        self.credit = left.unwrap_or(self.credit);
        left.is_some()
    }

    /// Counts the records of a hit; returns how many of them count where at most `most` do.
    pub(super) fn count(&mut self, records: u8, most: u16) -> u16 {
        let new = u16::from(records).min(most.saturating_sub(self.counted));
        self.counted = self.counted.saturating_add(new);
        new
    }

    fn network(&self) -> [u8; 2] {
        network(self.address)
    }

    fn is_owed(&self) -> bool {
        self.pong.is_some()
            || self.ack.is_some()
            || self.hits_ack.is_some()
            || self.offer.is_some()
            || self.wanted.is_some()
    }
}

impl HostState {
    pub(super) const NEW: Self = Self {
        key: [0; MAX_KEY],
        key_len: 0,
        key_at: 0,
        request: None,
        request_due: false,
        attempts: 0,
        asked: 0,
        queries: 0,
        unanswered: 0,
    };

    /// Stores the key that the host gave. A longer one than any servent gives is ignored.
    pub(super) fn set_key(&mut self, now: u32, key: &[u8]) -> bool {
        let Some(room) = self.key.get_mut(..key.len()).filter(|room| !room.is_empty()) else {
            return false;
        };
        crate::writer::copy(room, key);
        self.key_len = u8::try_from(key.len()).unwrap_or(0);
        self.key_at = now;
        self.unanswered = 0;
        true
    }

    /// Notes that a query was sent.
    pub(super) fn queried(&mut self) {
        self.unanswered = self.unanswered.saturating_add(1);
    }

    /// Notes that the host answered a query: its key is valid.
    pub(super) fn answered(&mut self) {
        self.unanswered = 0;
    }

    /// Returns the key, however old.
    pub(super) fn last_key(&self) -> &[u8] {
        self.key.get(..usize::from(self.key_len)).unwrap_or(&[])
    }

    /// Returns whether it has a key that is younger than a period, and fewer than `most` queries in a row are unanswered.
    pub(super) fn has_key(&self, now: u32, period: Duration, most: u8) -> bool {
        let age = Duration::from_secs(now.saturating_sub(self.key_at).into());
        !self.last_key().is_empty() && age < period && self.unanswered < most
    }
}

fn network(address: SocketAddrV4) -> [u8; 2] {
    let [a, b, ..] = address.ip().octets();
    [a, b]
}

/// Finds the slot of an address.
pub(super) fn find(peers: &[PeerSlot], address: SocketAddrV4) -> Option<usize> {
    peers.iter().position(|slot| slot.0.as_ref().is_some_and(|peer| peer.address == address))
}

/// Finds or makes a slot for an address: a free one, or that of one to which nothing is owed, chosen at
/// random. Addresses of one network take only a share of the slots from others, and hosts of searches
/// only give way to hosts.
pub(super) fn claim(
    peers: &mut [PeerSlot],
    address: SocketAddrV4,
    now: u32,
    as_host: bool,
    rng: &mut Rng,
) -> Option<usize> {
    if let Some(known) = find(peers, address) {
        return Some(known);
    }
    let free = peers.iter().position(|slot| slot.0.is_none());
    let index = match free {
        Some(free) => free,
        None => victim(peers, address, now, as_host, rng)?,
    };
    peers.get_mut(index)?.0 = Some(Peer::new(address, now));
    Some(index)
}

fn victim(
    peers: &[PeerSlot],
    address: SocketAddrV4,
    now: u32,
    as_host: bool,
    rng: &mut Rng,
) -> Option<usize> {
    let own = network(address);
    let share = peers.len().checked_div(NETWORK_FRACTION).unwrap_or(0).max(NETWORK_LEAST);
    let all = || peers.iter().enumerate().filter_map(|(at, slot)| Some((at, slot.0.as_ref()?)));
    let is_full = all().filter(|(_, peer)| peer.network() == own).count() >= share;
    let may_go = |peer: &Peer| {
        !peer.is_owed()
            && !peer.is_proved(now)
            && (!is_full || peer.network() == own)
            && peer.host.as_ref().is_none_or(|host| as_host && host.queries == 0)
    };
    let candidates = all().filter(|(_, peer)| may_go(peer)).count();
    if candidates == 0 {
        return None;
    }
    let chosen = rng.below(u64::try_from(candidates).unwrap_or(u64::MAX));
    let chosen = usize::try_from(chosen).unwrap_or(0);
    all().filter(|(_, peer)| may_go(peer)).nth(chosen).map(|(at, _)| at)
}

/// The length of a pong without and with a key, in bytes.
pub(super) const PONG_LEN: usize = 37;
pub(super) const KEY_PONG_LEN: usize = PONG_LEN + 5 + keys::LEN;
