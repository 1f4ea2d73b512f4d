//! Dynamic queries: an ultrapeer asks its ultrapeers one after the other, until there are hits
//! enough (GDF "Dynamic Query Protocol" and "Leaf Guided Dynamic Queries").

use core::time::Duration;

use super::connection::{ConnSlot, OWN, StatusDue};
use super::{Config, Core, Role, config::horizon};
use crate::id::Guid;
use crate::routes::RouteSource;
use crate::wire::{Function, HEADER_LEN, Header, QueryFlags, QueryStatus};

/// How many ultrapeers are asked at once to learn how rare the file is, and with which TTL.
const PROBES: u8 = 3;
const PROBE_TTL: u8 = 2;
/// After how many ultrapeers a leaf is asked how many hits it has.
const STATUS_EVERY: u16 = 3;

/// Storage for one query that is being pursued: 360 bytes on a 64-bit host.
#[derive(Debug, Clone, PartialEq)]
pub struct QuerySlot(pub(super) Option<Pending>);

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pending {
    pub(super) guid: Guid,
    pub(super) from: RouteSource, // the leaf, or what own messages come by
    end: Option<Duration>,
    wake: Option<Duration>,
    pub(super) hits: u32, // that were routed to the asker
    told: u16,            // and how many of them the leaf reports to keep
    plan: Option<Plan>,   // none: only the hits are counted
    len: u16,
    payload: [u8; QuerySlot::MAX_QUERY_LEN],
}

/// How far the asking is.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Plan {
    first: usize,  // the slot where the round began
    walked: usize, // and how many slots it went on
    due: u8,       // how many are to be asked now
    ttl: u8,       // with which TTL
    asked: u16,
    reached: u64, // how many servents at most
}

impl QuerySlot {
    /// No query.
    pub const EMPTY: Self = Self(None);
    /// The longest query, flags and extensions included, that is pursued; a longer one is flooded.
    /// gtk-gnutella drops those.
    pub const MAX_QUERY_LEN: usize = 256;
}

impl Pending {
    fn new(
        now: Duration,
        config: &Config,
        guid: Guid,
        from: RouteSource,
        payload: &[u8],
    ) -> Option<Self> {
        let mut stored = [0; QuerySlot::MAX_QUERY_LEN];
        stored.get_mut(..payload.len())?.copy_from_slice(payload);
        let end = now.checked_add(config.query_lifetime.max(Duration::from_millis(1)));
        let len = u16::try_from(payload.len()).ok()?;
        let wake = end;
        let plan = None;
        Some(Self { guid, from, end, wake, hits: 0, told: 0, plan, len, payload: stored })
    }

    pub(super) fn payload(&self) -> &[u8] {
        self.payload.get(..usize::from(self.len)).unwrap_or(&[])
    }

    fn is_guided(&self) -> bool {
        let flags = self.payload().first_chunk().copied().map(QueryFlags::from_bytes);
        flags.is_some_and(|flags| flags.contains(QueryFlags::LEAF_GUIDED))
    }

    /// The header with which the next ultrapeer is asked.
    fn header(&self, plan: &Plan) -> Header {
        let hops = u8::from(self.from != OWN);
        let guid = self.guid;
        let function = Function::QUERY;
        let len = u32::from(self.len);
        Header { guid, function, ttl: plan.ttl, hops, len }
    }

    /// Finds the next ultrapeer to ask, and how far the round is with it.
    fn next(&self, conns: &[ConnSlot], config: &Config) -> Option<Next> {
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
    fn ttl(&self, plan: &Plan, peers: usize, degree: u32, config: &Config) -> u8 {
        let missing = u64::from(config.results).saturating_sub(self.hits.into());
        let hosts = missing.saturating_mul(plan.reached).checked_div(self.hits.into());
        let each = hosts.and_then(|hosts| hosts.checked_div(u64::try_from(peers).ok()?));
        let each = each.unwrap_or(u64::MAX); // no hit yet: as far as may be
        let most = self.most_ttl(config);
        (1..most).find(|ttl| horizon(degree, *ttl) >= each).unwrap_or(most)
    }

    fn most_ttl(&self, config: &Config) -> u8 {
        let crossed = u8::from(self.from != OWN);
        config.max_ttl.saturating_sub(crossed).max(1)
    }
}

struct Next {
    conn: usize,
    walked: usize,
    degree: u32,
    header: Header,
}

/// A query to be sent to one ultrapeer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ask {
    pub(super) slot: usize,
    pub(super) conn: usize,
    pub(super) header: Header,
    walked: usize,
    degree: u32,
}

impl Core<'_> {
    /// Remembers a query so that its hits are counted, and if `asking` asks ultrapeers in turn.
    /// Returns whether there was a slot; otherwise nothing changed.
    pub(super) fn pursue(
        &mut self,
        guid: Guid,
        from: RouteSource,
        payload: &[u8],
        asking: bool,
    ) -> bool {
        let config = &self.state.config;
        if asking && (config.results == 0 || config.role != Role::Ultrapeer) {
            return false;
        }
        let now = self.state.now;
        let Some(mut query) = Pending::new(now, config, guid, from, payload) else { return false };
        // A query whose round is over gives way, the oldest first; one that goes on does not.
        let idle = |slot: &QuerySlot| slot.0.as_ref().is_none_or(|query| query.plan.is_none());
        let age = |slot: &QuerySlot| slot.0.as_ref().map(|query| query.end);
        let free = self.queries.iter_mut().filter(|slot| idle(slot));
        let Some(slot) = free.min_by_key(|slot| age(slot)) else { return false };
        if asking {
            let ttl = PROBE_TTL.min(query.most_ttl(config));
            let slots = u64::try_from(self.conns.len()).unwrap_or(u64::MAX);
            let first = usize::try_from(self.state.rng.below(slots)).unwrap_or(0);
            query.plan = Some(Plan { first, walked: 0, due: PROBES, ttl, asked: 0, reached: 0 });
            query.wake = wait(now, config, ttl);
        }
        slot.0 = Some(query);
        true
    }

    /// Counts hits on their way to the asker.
    pub(super) fn count_hits(&mut self, guid: Guid, hits: u8) {
        if let Some(query) = self.query(guid) {
            query.hits = query.hits.saturating_add(hits.into());
        }
    }

    /// Handles a leaf's report of its hits.
    pub(super) fn handle_status(&mut self, from: RouteSource, guid: Guid, status: QueryStatus) {
        if let Some(query) = self.query(guid).filter(|query| query.from == from) {
            query.told = query.told.max(status.0);
            if status == QueryStatus::STOP {
                query.plan = None;
            }
        }
    }

    /// Stops pursuing an own query; a leaf informs its ultrapeers. Returns whether it is known.
    pub(super) fn stop_search(&mut self, guid: Guid) -> bool {
        let role = self.state.config.role;
        let Some(query) = self.query(guid).filter(|query| query.from == OWN) else { return false };
        query.plan = None;
        let conns = self.conns.iter_mut().filter_map(ConnSlot::live_mut);
        for conn in conns.filter(|conn| role == Role::Leaf && conn.neighbour.vendor_messages) {
            conn.stop_due = Some(guid);
        }
        true
    }

    pub(super) fn query(&mut self, guid: Guid) -> Option<&mut Pending> {
        let mut queries = self.queries.iter_mut().filter_map(|slot| slot.0.as_mut());
        queries.find(|query| query.guid == guid)
    }

    /// Continues the queries that have waited for hits long enough.
    pub(super) fn queries_timeout(&mut self) {
        let now = self.state.now;
        let config = &self.state.config;
        for slot in self.queries.iter_mut() {
            let Some(query) = slot.0.as_mut() else { continue };
            if query.wake.is_none_or(|wake| wake > now) {
                continue;
            }
            let asker = query.from == OWN
                || self.conns.iter().any(|s| s.source() == query.from && s.live().is_some());
            if !asker || query.end.is_some_and(|end| end <= now) {
                slot.0 = None;
                continue;
            }
            let enough = u64::from(query.hits.max(query.told.into())) >= config.results.into();
            let next = query.next(self.conns, config).filter(|_| !enough);
            let (Some(mut plan), Some(next)) = (query.plan, next) else {
                query.plan = None;
                query.wake = query.end;
                continue;
            };
            let peers = self.conns.iter().filter_map(ConnSlot::live).filter(|l| !l.is_leaf());
            let left = peers.count().saturating_sub(plan.asked.into()).max(1);
            plan.ttl = query.ttl(&plan, left, next.degree, config);
            plan.due = 1;
            query.plan = Some(plan);
            query.wake = wait(now, config, plan.ttl);
        }
    }

    /// Returns when a query goes on.
    pub(super) fn queries_wake(queries: &[QuerySlot]) -> Option<Duration> {
        queries.iter().filter_map(|slot| slot.0.as_ref()?.wake).min()
    }

    /// Returns the next query that is to be sent to an ultrapeer.
    pub(super) fn ask_due(&self) -> Option<Ask> {
        self.queries.iter().enumerate().find_map(|(at, slot)| {
            let query = slot.0.as_ref().filter(|query| query.plan.is_some_and(|plan| plan.due > 0));
            let Next { conn, walked, degree, header } =
                query?.next(self.conns, &self.state.config)?;
            Some(Ask { slot: at, conn, header, walked, degree })
        })
    }

    /// Records that it was sent.
    pub(super) fn asked(&mut self, ask: &Ask) {
        let query = self.queries.get_mut(ask.slot).and_then(|slot| slot.0.as_mut());
        let Some(query) = query else { return };
        let from = query.from;
        let guid = query.guid;
        let guided = query.is_guided();
        let Some(plan) = query.plan.as_mut() else { return };
        plan.walked = ask.walked;
        plan.due = plan.due.saturating_sub(1);
        plan.asked = plan.asked.saturating_add(1);
        plan.reached = plan.reached.saturating_add(horizon(ask.degree, ask.header.ttl));
        if guided && plan.asked.checked_rem(STATUS_EVERY) == Some(0) {
            let leaf = self.conns.iter_mut().find(|slot| slot.source() == from);
            let leaf = leaf.and_then(ConnSlot::live_mut).filter(|l| l.neighbour.vendor_messages);
            if let Some(leaf) = leaf {
                leaf.status_due = Some(StatusDue::Ask(guid));
            }
        }
    }
}

fn wait(now: Duration, config: &Config, ttl: u8) -> Option<Duration> {
    let wait = config.query_wait.saturating_mul(ttl.into());
    now.checked_add(wait.max(Duration::from_millis(1)))
}

/// The most that is written of a query that is pursued.
pub(super) const MAX_LEN: usize = HEADER_LEN + QuerySlot::MAX_QUERY_LEN;
