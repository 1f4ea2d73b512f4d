//! Dynamic queries: an ultrapeer asks its ultrapeers one after the other, until there are hits
//! enough (GDF "Dynamic Query Protocol" and "Leaf Guided Dynamic Queries").

use core::time::Duration;

use super::config::{Config, Role, horizon};
use super::connection::{ConnSlot, OWN, StatusDue, place_of};
use super::query_slot::{Ask, Next, Pending, Plan, QuerySlot};
use super::state::Core;
use crate::id::Guid;
use crate::machine::{after, earliest};
use crate::place::Place;
use crate::routes::RouteSource;
use crate::wire::QueryStatus;

/// How many ultrapeers are asked at once to learn how rare the file is, and with which TTL.
const PROBES: u8 = 3;
const PROBE_TTL: u8 = 2;
/// How many of the slots the queries of one neighbour may have, and those of one network.
const NEIGHBOUR_FRACTION: usize = 4;
const NETWORK_FRACTION: usize = 2;
/// The hits that come by one connection count for this fraction of what a query wants at most, so that one neighbour
/// cannot end a search. Behind a leaf there is one servent.
const HITS_FRACTION: u16 = 4;
const LEAF_HITS_FRACTION: u16 = 16;
/// After how many ultrapeers a leaf is asked how many hits it has.
const STATUS_EVERY: u16 = 3;

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
        let Some(slot) = self.query_slot(from) else { return false };
        let Some(slot) = self.queries.get_mut(slot) else { return false };
        let Some(query) = Pending::new(now, config, guid, from, payload) else { return false };
        slot.0 = Place::Taken(query);
        if asking && let Some(query) = slot.0.as_mut() {
            let ttl = PROBE_TTL.min(query.most_ttl(config));
            let slots = u64::try_from(self.conns.len()).unwrap_or(u64::MAX);
            let first = usize::try_from(self.state.rng.below(slots)).unwrap_or(0);
            query.plan = Some(Plan { first, walked: 0, due: PROBES, ttl, asked: 0, reached: 0 });
            query.wake = wait(now, config, ttl);
        }
        true
    }

    /// Chooses the slot of a query: of those whose round is over the oldest gives way; one that goes on only
    /// to a query of the same neighbour or network, if these have their share.
    #[cfg_attr(target_os = "none", inline(never))] // smaller on a device than within its caller
    fn query_slot(&self, from: RouteSource) -> Option<usize> {
        let own_network = self.network_of(from);
        let is_from = |query: &Pending| query.from == from && from != OWN;
        let is_near =
            |query: &Pending| own_network.is_some() && self.network_of(query.from) == own_network;
        let share = |fraction| self.queries.len().checked_div(fraction).unwrap_or(0).max(1);
        self.oldest(share(NEIGHBOUR_FRACTION), &|slot| slot.running().is_some_and(is_from))
            .or_else(|| {
                self.oldest(share(NETWORK_FRACTION), &|slot| slot.running().is_some_and(is_near))
            })
            .or_else(|| self.oldest(1, &|slot| slot.running().is_none()))
    }

    /// Returns the network of a connection, if that is known.
    #[cfg_attr(target_os = "none", inline(never))] // once in the image of a device
    fn network_of(&self, source: RouteSource) -> Option<[u8; 2]> {
        self.conns.get(place_of(self.conns, source)?)?.live()?.neighbour.network()
    }

    /// Returns the oldest of the slots that are alike, if there are at least `least`. An empty one is the oldest.
    #[cfg_attr(target_os = "none", inline(never))] // once in the image of a device
    fn oldest(&self, least: usize, is_alike: &dyn Fn(&QuerySlot) -> bool) -> Option<usize> {
        let mut alike = 0_usize;
        let mut oldest: Option<(usize, Duration)> = None;
        for (at, slot) in self.queries.iter().enumerate().filter(|(_, slot)| is_alike(slot)) {
            alike = alike.saturating_add(1);
            let end = slot.end();
            if oldest.is_none_or(|(_, earliest)| end < earliest) {
                oldest = Some((at, end));
            }
        }
        oldest.filter(|_| alike >= least).map(|(at, _)| at)
    }

    /// Counts hits on their way to the asker.
    pub(super) fn count_hits(&mut self, guid: Guid, index: usize, hits: u8) {
        let results = self.state.config.results;
        let is_leaf = self.conn(index).is_some_and(|conn| conn.is_leaf());
        let fraction = if is_leaf { LEAF_HITS_FRACTION } else { HITS_FRACTION };
        let most = if results == 0 { u16::MAX } else { results.div_ceil(fraction) };
        if let Some(query) = self.query(guid) {
            query.count_hits(index, hits, most);
        }
    }

    /// Handles a leaf's report of its hits.
    pub(super) fn handle_status(&mut self, from: RouteSource, guid: Guid, status: QueryStatus) {
        if let Some(query) = self.query(guid).filter(|query| query.from == from) {
            query.hits_reported = query.hits_reported.max(status.0);
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
        self.touch_all();
        true
    }

    pub(super) fn query(&mut self, guid: Guid) -> Option<&mut Pending> {
        let mut queries = self.queries.iter_mut().filter_map(|slot| slot.0.as_mut());
        queries.find(|query| query.guid == guid)
    }

    /// Continues the queries that have waited for hits long enough.
    #[cfg_attr(target_os = "none", inline(never))] // smaller on a device than within its caller
    pub(super) fn queries_timeout(&mut self) {
        let now = self.state.now;
        let config = &self.state.config;
        for slot in self.queries.iter_mut() {
            let Some(query) = slot.0.as_mut() else { continue };
            if query.wake.is_none_or(|wake| wake > now) {
                continue;
            }
            let asker = query.from == OWN || place_of(self.conns, query.from).is_some();
            if !asker || query.end.is_some_and(|end| end <= now) {
                slot.0 = Place::Empty;
                continue;
            }
            let enough =
                u64::from(query.hits.max(query.hits_reported.into())) >= config.results.into();
            let next = query.next(self.conns, config).filter(|_| !enough);
            let (Some(mut plan), Some(next)) = (query.plan, next) else {
                query.plan = None;
                query.wake = query.end;
                continue;
            };
            let left = self.state.peers.saturating_sub(plan.asked.into()).max(1);
            plan.ttl = query.ttl(&plan, left, next.degree, config);
            plan.due = 1;
            query.plan = Some(plan);
            query.wake = wait(now, config, plan.ttl);
        }
    }

    /// Returns when a query goes on.
    pub(super) fn queries_wake(queries: &[QuerySlot]) -> Option<Duration> {
        earliest(&mut queries.iter().filter_map(|slot| slot.0.as_ref()?.wake))
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
        let reached = u32::try_from(horizon(ask.degree, ask.header.ttl)).unwrap_or(u32::MAX);
        plan.reached = plan.reached.saturating_add(reached);
        if guided && plan.asked.checked_rem(STATUS_EVERY) == Some(0) {
            let Some(index) = place_of(self.conns, from) else { return };
            let leaf = self.conn(index).filter(|leaf| leaf.neighbour.vendor_messages);
            if let Some(leaf) = leaf {
                leaf.status_due = Some(StatusDue::Ask(guid));
                self.state.touch(index);
            }
        }
    }
}

fn wait(now: Duration, config: &Config, ttl: u8) -> Option<Duration> {
    // Sums instead of a product, which would divide 64 bits.
    (0..ttl).try_fold(now, |due, _| after(due, config.query_wait))
}
