//! Headers that cannot be checked yet: the parent is unknown, or the time has not come.
//!
//! A source that fills the table pushes out its own headers first.

use core::time::Duration;

use crate::block::SealedHeader;
use crate::conn::ConnId;
use crate::hash::BlockId;

const MAX_LEN: usize = 512;
/// More slots are not used: finding the source with most headers compares all with all.
const MAX_SLOTS: usize = 64;

/// Room for one header with its proof, of at most 512 bytes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrphanSlot {
    len: u16, // 0 in a free slot
    conn: ConnId,
    id: BlockId,
    wait: Wait,
    expires: Duration,
    arrival: u64,
    bytes: [u8; MAX_LEN],
}

/// What a header waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    Parent(BlockId),
    Until(u64), // Unix seconds
}

pub(super) struct Orphans<'a>(&'a mut [OrphanSlot]);

#[derive(Clone, Copy)]
pub(super) struct OrphansRef<'a>(&'a [OrphanSlot]);

impl OrphanSlot {
    /// A free slot.
    pub const EMPTY: Self = Self {
        len: 0,
        conn: ConnId(0),
        id: BlockId::from_bytes([0; 32]),
        wait: Wait::Until(0),
        expires: Duration::ZERO,
        arrival: 0,
        bytes: [0; MAX_LEN],
    };

    const fn is_free(&self) -> bool {
        self.len == 0
    }

    /// Returns header and proof.
    fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Returns whether it is this header with this proof. The id does not cover the proof: a header with a forged one must
    /// not keep the right one out.
    fn is_same(&self, id: &BlockId, sealed: &SealedHeader<'_>) -> bool {
        let bytes = self.bytes();
        self.id == *id && bytes.len() == sealed.encoded_len() && bytes.ends_with(sealed.proof)
    }
}

impl<'a> OrphansRef<'a> {
    pub(super) fn new(slots: &'a [OrphanSlot]) -> Self {
        Self(slots.get(..MAX_SLOTS).unwrap_or(slots))
    }

    fn used(&self) -> impl Iterator<Item = (usize, &OrphanSlot)> {
        self.0.iter().enumerate().filter(|(_, slot)| !slot.is_free())
    }

    /// Returns a header with its proof, and the connection that delivered it.
    pub(super) fn get(&self, at: usize) -> Option<(&'a [u8], ConnId)> {
        self.0.get(at).map(|slot| (slot.bytes(), slot.conn))
    }

    fn next_arrival(&self) -> u64 {
        let last = self.used().map(|(_, slot)| slot.arrival).max();
        last.unwrap_or(0).saturating_add(1)
    }

    /// Returns the oldest header that waits no more.
    pub(super) fn ready(
        &self,
        is_known: impl Fn(&BlockId) -> bool,
        now: Duration,
    ) -> Option<usize> {
        let is_ready = |slot: &OrphanSlot| match slot.wait {
            Wait::Parent(parent) => is_known(&parent),
            Wait::Until(at) => at <= now.as_secs(),
        };
        let ready = self.used().filter(|(_, slot)| is_ready(slot));
        ready.min_by_key(|(_, slot)| slot.arrival).map(|(at, _)| at)
    }

    /// Returns when the next header expires.
    pub(super) fn next_expiry(&self) -> Option<Duration> {
        self.used().map(|(_, slot)| slot.expires).min()
    }

    /// Returns when the next header that was too early can be checked.
    pub(super) fn next_early(&self, now: Duration) -> Option<Duration> {
        let times = self.used().filter_map(|(_, slot)| match slot.wait {
            Wait::Until(at) => Some(Duration::from_secs(at)),
            Wait::Parent(_) => None,
        });
        times.filter(|at| *at > now).min()
    }
}

impl<'a> Orphans<'a> {
    pub(super) fn new(slots: &'a mut [OrphanSlot]) -> Self {
        let len = slots.len().min(MAX_SLOTS);
        Self(slots.get_mut(..len).unwrap_or_default())
    }

    /// Keeps a header. Returns `false` if it is too long or there is no room for its source.
    pub(super) fn insert(
        &mut self,
        conn: ConnId,
        id: BlockId,
        sealed: &SealedHeader<'_>,
        wait: Wait,
        expires: Duration,
    ) -> bool {
        let table = OrphansRef(self.0);
        if table.used().any(|(_, slot)| slot.is_same(&id, sealed)) {
            return true;
        }
        let arrival = table.next_arrival();
        let len = sealed.encoded_len();
        let place = if len <= MAX_LEN { self.place_for(conn) } else { None };
        let Some(slot) = place.and_then(|at| self.0.get_mut(at)) else { return false };
        *slot = OrphanSlot::EMPTY;
        let encoded = sealed.encode(&mut slot.bytes);
        slot.len = encoded.ok().and_then(|len| u16::try_from(len).ok()).unwrap_or(0);
        slot.conn = conn;
        slot.id = id;
        slot.wait = wait;
        slot.expires = expires;
        slot.arrival = arrival;
        true
    }

    /// Returns a free slot, or the oldest one of the source that holds most; of `conn` if no other holds more.
    fn place_for(&self, conn: ConnId) -> Option<usize> {
        if let Some(free) = self.0.iter().position(OrphanSlot::is_free) {
            return Some(free);
        }
        let count = |conn: ConnId| self.0.iter().filter(|slot| slot.conn == conn).count();
        let greediest = self.0.iter().map(|slot| slot.conn).max_by_key(|conn| count(*conn))?;
        let from = if count(conn) >= count(greediest) { conn } else { greediest };
        let own = self.0.iter().enumerate().filter(|(_, slot)| slot.conn == from);
        own.min_by_key(|(_, slot)| slot.arrival).map(|(at, _)| at)
    }

    /// Removes a header.
    pub(super) fn remove(&mut self, at: usize) {
        if let Some(slot) = self.0.get_mut(at) {
            *slot = OrphanSlot::EMPTY;
        }
    }

    /// Keeps a header longer.
    pub(super) fn keep(&mut self, at: usize, wait: Wait, expires: Duration) {
        let arrival = OrphansRef(self.0).next_arrival();
        if let Some(slot) = self.0.get_mut(at) {
            slot.wait = wait;
            slot.expires = expires;
            slot.arrival = arrival;
        }
    }

    /// Frees what expired.
    pub(super) fn expire(&mut self, now: Duration) {
        for slot in self.0.iter_mut().filter(|slot| !slot.is_free() && slot.expires <= now) {
            *slot = OrphanSlot::EMPTY;
        }
    }
}
