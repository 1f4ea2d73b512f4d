//! A query that is being pursued, and how far the asking is.

use core::time::Duration;

use super::config::{Config, horizon};
use super::connection::{ConnSlot, OWN};
use crate::id::Guid;
use crate::machine::after;
use crate::place::Place;
use crate::routes::RouteSource;
use crate::wire::{Function, HEADER_LEN, Header, QueryFlags};

/// Storage for one query that is being pursued: 376 bytes on a 64-bit host.
#[derive(Debug, Clone, PartialEq)]
pub struct QuerySlot(pub(super) Place<Pending>);

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pending {
    pub(super) guid: Guid,
    pub(super) from: RouteSource, // the leaf, or what own messages come by
    pub(super) end: Option<Duration>,
    pub(super) wake: Option<Duration>,
    pub(super) hits: u32,          // that were routed to the asker
    pub(super) hits_reported: u16, // and how many of them the leaf reports to keep
    pub(super) plan: Option<Plan>, // none: only the hits are counted
    counted: [Counted; SOURCES],
    len: u16,
    payload: [u8; QuerySlot::MAX_QUERY_LEN],
}

/// How many connections are counted one by one.
const SOURCES: usize = 4;
/// Of one hit no more files count than servents send in one.
const MOST_PER_HIT: u8 = 10;

/// The hits that came by one connection.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Counted {
    conn: u16, // the number of its slot
    hits: u16,
}

/// How far the asking is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Plan {
    pub(super) first: usize,  // the slot where the round began
    pub(super) walked: usize, // and how many slots it went on
    pub(super) due: u8,       // how many are to be asked now
    pub(super) ttl: u8,       // with which TTL
    pub(super) asked: u16,
    pub(super) reached: u32, // how many servents at most
}

impl QuerySlot {
    /// No query.
    pub const EMPTY: Self = Self(Place::Empty);
    /// The longest query, flags and extensions included, that is pursued; a longer one is flooded.
    /// gtk-gnutella drops those.
    pub const MAX_QUERY_LEN: usize = 256;

    /// Returns the query, if ultrapeers are still asked for it.
    pub(super) fn running(&self) -> Option<&Pending> {
        self.0.as_ref().filter(|query| query.plan.is_some())
    }

    /// Returns when the query is forgotten; zero for an empty slot.
    pub(super) fn end(&self) -> Duration {
        self.0.as_ref().map_or(Duration::ZERO, |query| query.end.unwrap_or(Duration::MAX))
    }
}

impl Pending {
    pub(super) fn new(
        now: Duration,
        config: &Config,
        guid: Guid,
        from: RouteSource,
        payload: &[u8],
    ) -> Option<Self> {
        let mut stored = [0; QuerySlot::MAX_QUERY_LEN];
        stored.get_mut(..payload.len())?.copy_from_slice(payload);
        let end = after(now, config.query_lifetime);
        let len = u16::try_from(payload.len()).ok()?;
        let wake = end;
        let plan = None;
        let counted = [Counted { conn: u16::MAX, hits: 0 }; SOURCES];
        let hits = 0;
        let hits_reported = 0;
        let payload = stored;
        Some(Self { guid, from, end, wake, hits, hits_reported, plan, counted, len, payload })
    }

    /// Counts hits that came by a connection, of which `most` count. By connections beyond those that are counted
    /// one by one, a hit counts as one file.
    pub(super) fn count_hits(&mut self, conn: usize, hits: u8, most: u16) {
        let conn = u16::try_from(conn).unwrap_or(u16::MAX);
        let hits = u16::from(hits.min(MOST_PER_HIT));
        let known = self.counted.iter().position(|counted| counted.conn == conn);
        let free = || self.counted.iter().position(|counted| counted.hits == 0);
        let place = known.or_else(free);
        let mut new = hits.min(1);
        if let Some(counted) = place.and_then(|place| self.counted.get_mut(place)) {
            new = hits.min(most.saturating_sub(counted.hits));
            counted.conn = conn;
            counted.hits = counted.hits.saturating_add(new);
        }
        self.hits = self.hits.saturating_add(new.into());
    }

    pub(super) fn payload(&self) -> &[u8] {
        self.payload.get(..usize::from(self.len)).unwrap_or(&[])
    }

    pub(super) fn is_guided(&self) -> bool {
        let flags = self.payload().first_chunk().copied().map(QueryFlags::from_bytes);
        flags.is_some_and(|flags| flags.contains(QueryFlags::LEAF_GUIDED))
    }

    /// The header with which the next ultrapeer is asked.
    pub(super) fn header(&self, plan: &Plan) -> Header {
        let hops = u8::from(self.from != OWN);
        let guid = self.guid;
        let function = Function::QUERY;
        let len = u32::from(self.len);
        Header { guid, function, ttl: plan.ttl, hops, len }
    }

    /// Finds the next ultrapeer to ask, and how far the round is with it.
    pub(super) fn next(&self, conns: &[ConnSlot], config: &Config) -> Option<Next> {
        let plan = self.plan?;
        let header = self.header(&plan);
        (plan.walked..conns.len()).find_map(|step| {
            let conn = plan.first.saturating_add(step).checked_rem(conns.len())?;
            let slot = conns.get(conn)?;
            let peer = slot.live().filter(|conn| !conn.is_leaf() && conn.admits(&header, config));
            let degree = u32::from(peer?.neighbour.degree);
            let walked = step.saturating_add(1);
            (slot.source() != self.from).then_some(Next { conn, walked, degree, header })
        })
    }

    /// The smallest TTL that should bring the hits that are missing, if the remaining `peers` are
    /// as good as those that were asked.
    pub(super) fn ttl(&self, plan: &Plan, peers: usize, degree: u32, config: &Config) -> u8 {
        let missing = u32::from(config.results).saturating_sub(self.hits);
        let hosts = match missing.checked_mul(plan.reached) {
            Some(product) => product.checked_div(self.hits),
            None => plan.reached.checked_div(self.hits).map(|each| each.saturating_mul(missing)),
        };
        let each = hosts.and_then(|hosts| hosts.checked_div(u32::try_from(peers).ok()?));
        let each = each.map_or(u64::MAX, u64::from); // no hit yet: as far as may be
        let most = self.most_ttl(config);
        (1..most).find(|ttl| horizon(degree, *ttl) >= each).unwrap_or(most)
    }

    pub(super) fn most_ttl(&self, config: &Config) -> u8 {
        let crossed = u8::from(self.from != OWN);
        config.max_ttl.saturating_sub(crossed).max(1)
    }
}

pub(super) struct Next {
    pub(super) conn: usize,
    pub(super) walked: usize,
    pub(super) degree: u32,
    pub(super) header: Header,
}

/// A query to be sent to one ultrapeer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ask {
    pub(super) slot: usize,
    pub(super) conn: usize,
    pub(super) header: Header,
    pub(super) walked: usize,
    pub(super) degree: u32,
}

/// The most that is written of a query that is pursued.
pub(super) const MAX_LEN: usize = HEADER_LEN + QuerySlot::MAX_QUERY_LEN;
