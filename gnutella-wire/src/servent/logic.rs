//! What a servent does with a message: compiled once, whatever its storage.

use super::config::Role;
use super::connection::{ConnSlot, Connection, Leaving, OWN, index_of};
use super::event::CloseReason;
use super::fan_out::{FanOut, FloodScope};
use super::faults::{self, passes, repeats};
use super::penalties::seconds;
use super::query_words::Words;
use super::quota::{Grant, Origin, Shares};
use super::state::{Core, NETWORK_MASK};
use super::types::{Forward, Handled, Target, TargetKind, Targets, count};
use crate::error::DecodeError;
use crate::machine::Received;
use crate::routes::{Key, Route, RouteSource};
use crate::wire::{self, ByeCode, Function, HEADER_LEN, Header, Message, Payload, Qrp, QueryHit};

/// What is to become of a message.
pub(super) enum Verdict {
    Drop,
    Deliver,
    Flood(FloodScope),
    DeliverAndFlood(FloodScope),
    Back(RouteSource),
}

/// Whether a ping or query was here before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    No,
    /// It was, but may go farther now.
    WithLowerTtl,
    Yes,
}

impl Core<'_> {
    #[cfg_attr(target_os = "none", inline(never))] // smaller on a device than within its caller
    pub(super) fn handle_bytes<'b>(
        &mut self,
        index: usize,
        bytes: &'b [u8],
    ) -> Option<Received<Handled<'b>>> {
        let config = &self.state.config;
        let conn = self.conns.get_mut(index)?.conn.as_mut()?;
        if conn.leaving.is_none() {
            if conn.skip > 0 {
                conn.mark_alive(self.state.now, config);
                return Some(Received::skip(conn.skipped(bytes.len())));
            }
            match wire::split(bytes, config.limits) {
                Ok((header, payload, rest)) => {
                    let consumed = bytes.len().saturating_sub(rest.len());
                    conn.mark_alive(self.state.now, config);
                    let (message, forward) = self.handle_message(index, header, payload);
                    let handled = Handled { message, forward };
                    let any = message.is_some() || forward.is_some();
                    return Some(Received { consumed, outcome: any.then_some(handled) });
                }
                Err(DecodeError::Incomplete { .. }) => return None,
                Err(DecodeError::TooLarge { len, .. }) if config.skips_oversized => {
                    count(&mut self.state.stats.refused);
                    conn.mark_alive(self.state.now, config);
                    let header = u32::try_from(HEADER_LEN).unwrap_or(0);
                    conn.skip = len.saturating_add(header);
                    return Some(Received::skip(conn.skipped(bytes.len())));
                }
                Err(DecodeError::TooLarge { .. }) => conn.dismiss(ByeCode::TOO_LARGE),
                Err(_) => {
                    conn.leave(Leaving { reason: CloseReason::Desynchronised, bye_due: false });
                }
            }
        }
        // Whatever a dismissed neighbour still sends is ignored.
        Some(Received::skip(bytes.len()))
    }

    #[cfg_attr(target_os = "none", inline(never))] // smaller on a device than within its caller
    fn handle_message<'b>(
        &mut self,
        index: usize,
        header: Header,
        bytes: &'b [u8],
    ) -> (Option<Message<'b>>, Option<Forward<'b>>) {
        count(&mut self.state.stats.received);
        let hard_ttl = self.state.config.hard_ttl;
        let now = self.state.now;
        let Some(conn) = self.conns.get_mut(index).and_then(|slot| slot.conn.as_mut()) else {
            return (None, None);
        };
        conn.faults.received = conn.faults.received.saturating_add(1);
        if !passes(conn, &header, hard_ttl, seconds(now)) {
            count(&mut self.state.stats.refused);
            return (None, None);
        }
        let Ok(payload) = Payload::decode(header.function, bytes) else {
            self.malformed(index, header.hops);
            return (None, None);
        };
        let Header { guid, ttl, hops, .. } = header;
        let message = Message { guid, ttl, hops, payload };
        let verdict = self.judge(index, &message, bytes);
        let deliver = matches!(verdict, Verdict::Deliver | Verdict::DeliverAndFlood(_));
        if deliver {
            count(&mut self.state.stats.delivered);
        }
        let forward = match verdict {
            Verdict::Flood(scope) | Verdict::DeliverAndFlood(scope) => {
                self.flood(index, header, &payload, scope)
            }
            Verdict::Back(source) => self.back(index, header, source),
            Verdict::Drop | Verdict::Deliver => None,
        };
        if let (Payload::QueryHit(hit), true) = (payload, deliver || forward.is_some()) {
            self.learn_hit(index, &header, &hit);
        }
        let forward =
            forward.map(|(header, to)| Forward { header: header.to_bytes(), payload: bytes, to });
        (deliver.then_some(message), forward)
    }

    /// Decides by the routing rules of 0.4, section 2.3, and those of 0.6 for leaves.
    #[cfg_attr(target_os = "none", inline(never))] // smaller on a device than within its caller
    fn judge(&mut self, index: usize, message: &Message<'_>, bytes: &[u8]) -> Verdict {
        let guid = message.guid;
        match message.payload {
            Payload::Ping(_) => match self.seen(index, Key::Ping(guid), message) {
                Seen::No => self.answer_ping(index, message),
                Seen::WithLowerTtl if !self.caches_pongs() => Verdict::Flood(FloodScope::All),
                Seen::WithLowerTtl | Seen::Yes => Verdict::Drop,
            },
            Payload::Query(_) => match self.seen(index, Key::Query(guid), message) {
                Seen::No => Verdict::DeliverAndFlood(self.scope(index, message, bytes)),
                Seen::WithLowerTtl => Verdict::Flood(FloodScope::Peers),
                Seen::Yes => Verdict::Drop,
            },
            Payload::Pong(pong) => {
                // Only one that was asked for is worth remembering: an unsolicited pong may be
                // anybody's address.
                let verdict = self.route(Key::Ping(guid));
                if !matches!(verdict, Verdict::Drop) {
                    self.learn_pong(index, message.hops, &pong);
                }
                verdict
            }
            Payload::QueryHit(_) => self.route(Key::Query(guid)),
            Payload::Push(push) if push.servent == self.state.config.servent => Verdict::Deliver,
            Payload::Push(push) => self.route(Key::Push(push.servent)),
            Payload::Bye(bye) => {
                let leaving = Leaving { reason: CloseReason::Left(bye.code), bye_due: false };
                if let Some(conn) = self.conn(index) {
                    conn.leave(leaving);
                }
                Verdict::Deliver
            }
            Payload::Other(other) => {
                match other.function {
                    Function::QRP => {
                        let Ok(qrp) = Qrp::decode(other.body) else {
                            self.malformed(index, message.hops);
                            return Verdict::Drop;
                        };
                        self.handle_table(index, &qrp);
                    }
                    Function::VENDOR | Function::VENDOR_STANDARD => {
                        let names_its_kind = self.handle_vendor(index, guid, other.body);
                        if !names_its_kind {
                            self.malformed(index, message.hops);
                            return Verdict::Drop;
                        }
                    }
                    _ => {}
                }
                Verdict::Deliver
            }
        }
    }

    /// The connections that a query is forwarded to now. That of a leaf goes to leaves at once, and to ultrapeers
    /// in turn if there is room to remember it.
    fn scope(&mut self, index: usize, message: &Message<'_>, bytes: &[u8]) -> FloodScope {
        let Some(slot) = self.conns.get(index) else { return FloodScope::All };
        let source = slot.source();
        let guid = message.guid;
        let of_leaf = slot.live().is_some_and(Connection::is_leaf) && message.ttl > 1;
        if of_leaf && self.pursue(guid, source, bytes, true) {
            FloodScope::Leaves
        } else {
            FloodScope::All
        }
    }

    /// Remembers the way of a ping or query; counts it if it was here before.
    fn seen(&mut self, index: usize, key: Key, message: &Message<'_>) -> Seen {
        let Some(source) = self.source(index) else { return Seen::Yes };
        let now = self.state.now;
        let route = Route { source, ttl: message.ttl, hops: message.hops };
        let origin = match key {
            _ if message.hops > 0 => Origin::Relayed,
            Key::Query(_) => Origin::OwnQuery,
            _ => Origin::OwnPing,
        };
        let Some(first) = self.routes.find(now, key) else {
            if self.may_add_route(index, origin) && self.routes.replace(now, key, route) {
                return Seen::No;
            }
            count(&mut self.state.stats.refused); // what is not remembered would run in circles
            return Seen::Yes;
        };
        if self.state.config.refloods_higher_ttl && message.ttl > first.ttl {
            self.routes.raise_ttl(now, key, message.ttl);
            return Seen::WithLowerTtl;
        }
        count(&mut self.state.stats.duplicates);
        if let Some(conn) = self.conn(index).filter(|_| first.source == source) {
            repeats(conn, seconds(now));
        }
        Seen::Yes
    }

    /// Returns whether the quotas of a neighbour and of its network have room for one more GUID.
    /// A leaf has nobody's routes to protect but its own, and answers what is relayed to it at once.
    #[cfg_attr(target_os = "none", inline(never))] // smaller on a device than within its caller
    fn may_add_route(&mut self, index: usize, origin: Origin) -> bool {
        if self.state.config.role == Role::Leaf && origin == Origin::Relayed {
            return true;
        }
        let now = self.state.now;
        let shares = Shares::of(self.routes.capacity(), now, self.state.config.lifetimes.ping);
        let network = self.conn(index).and_then(|conn| conn.neighbour.network());
        if network.is_some_and(|network| !self.network_has_room(network, &shares)) {
            return false;
        }
        let Some(conn) = self.conn(index) else { return false };
        match conn.quota.take(&shares, origin) {
            Grant::Granted => true,
            Grant::Refused => false,
            Grant::Excess => {
                faults::exceeds(conn, seconds(now));
                false
            }
        }
    }

    /// Returns whether the quota of a network has room. Networks with the same hash share a count, which does not go down with
    /// time: when it is used up, it is made again from the quotas of their connections.
    fn network_has_room(&mut self, network: [u8; 2], shares: &Shares) -> bool {
        let Some(counted) = self.state.networks.get_mut(bucket(network)) else { return true };
        if *counted < shares.network {
            *counted = counted.saturating_add(1); // even if the neighbour itself has no room
            return true;
        }
        *counted = 1; // with the one that comes
        let mut used = 0_u32;
        for conn in self.conns.iter_mut().filter_map(ConnSlot::live_mut) {
            let Some(own) = conn.neighbour.network() else { continue };
            if bucket(own) == bucket(network) {
                let share = conn.quota.refill(shares);
                *counted = counted.saturating_add(share);
                used = used.saturating_add(if own == network { share } else { 0 });
            }
        }
        used < shares.network
    }

    /// The way of a hit is the way of the push (0.4, 2.3). Only of a hit that went somewhere: else
    /// any neighbour could draw the pushes of others to itself.
    #[cfg_attr(target_os = "none", inline(never))] // smaller on a device than within its caller
    fn learn_hit(&mut self, index: usize, header: &Header, hit: &QueryHit<'_>) {
        if let Some(source) = self.source(index) {
            let route = Route { source, ttl: header.ttl, hops: header.hops };
            self.routes.refresh(self.state.now, Key::Push(hit.servent), route);
        }
        self.count_hits(header.guid, index, hit.records.len());
    }

    /// Finds the way back: to this servent, to a live connection, or nowhere. That of a query that is pursued
    /// is known even if floods have evicted its route.
    fn route(&mut self, key: Key) -> Verdict {
        let route = self.routes.find(self.state.now, key).map(|route| route.source);
        let pursued = match key {
            Key::Query(guid) if route.is_none() => self.query(guid).map(|query| query.from),
            _ => None,
        };
        match route.or(pursued) {
            Some(OWN) => Verdict::Deliver,
            Some(source) => Verdict::Back(source),
            None => {
                count(&mut self.state.stats.unroutable);
                Verdict::Drop
            }
        }
    }

    /// "To all connections (except the incoming one), if the TTL value is > 0." What an ultrapeer's
    /// leaves have counts as its own, so that they receive a query however small its TTL.
    #[cfg_attr(target_os = "none", inline(never))] // smaller on a device than within its caller
    fn flood(
        &mut self,
        index: usize,
        header: Header,
        payload: &Payload<'_>,
        scope: FloodScope,
    ) -> Option<(Header, Target)> {
        if self.state.config.role == Role::Leaf {
            return None;
        }
        let hops = header.hops.saturating_add(1);
        let most = self.state.config.max_ttl.max(1).saturating_sub(hops);
        let ttl = header.ttl.saturating_sub(1).min(most);
        let words = match payload {
            Payload::Query(query) => Some(Words::of(query)),
            _ => None,
        };
        let ended = ttl == 0;
        let scope = match (ended, scope, &words) {
            (false, scope, _) => scope,
            (true, FloodScope::All | FloodScope::Leaves, Some(_)) => FloodScope::Leaves,
            (true, ..) => FloodScope::Nobody,
        };
        let header = Header { ttl: ttl.max(1), hops, ..header };
        let fan_out = FanOut { from: self.source(index), header, words: words.as_ref(), scope };
        let (target, copies) = self.choose(&fan_out);
        if copies == 0 {
            if ended && self.has_others(index) && (header.hops > 1 || words.is_some()) {
                count(&mut self.state.stats.expired); // a ping with TTL 1 does not count
            }
            return None;
        }
        let stats = &mut self.state.stats;
        stats.flooded = stats.flooded.saturating_add(copies);
        Some((header, target))
    }

    fn has_others(&self, index: usize) -> bool {
        self.conns.iter().enumerate().any(|(at, slot)| at != index && slot.live().is_some())
    }

    /// "Only on the connection on which the corresponding messages arrived."
    #[cfg_attr(target_os = "none", inline(never))] // smaller on a device than within its caller
    fn back(
        &mut self,
        index: usize,
        mut header: Header,
        source: RouteSource,
    ) -> Option<(Header, Target)> {
        let to = Target(TargetKind::One(source));
        let leads =
            Some(source) != self.source(index) && Targets::new(self.conns, to).next().is_some();
        if !leads || self.state.config.role == Role::Leaf {
            count(&mut self.state.stats.unroutable);
            return None;
        }
        let hops = header.hops.saturating_add(1);
        let most = self.state.config.hard_ttl.saturating_add(1).saturating_sub(hops);
        let ttl = header.ttl.saturating_sub(1).min(most);
        if ttl == 0 {
            count(&mut self.state.stats.expired);
            return None;
        }
        header.ttl = ttl;
        header.hops = hops;
        let slot = index_of(source, self.conns.len()).and_then(|at| self.conns.get(at));
        let conn = slot.and_then(ConnSlot::live);
        if !conn.is_some_and(|conn| conn.admits(&header, &self.state.config)) {
            count(&mut self.state.stats.choked);
            return None;
        }
        count(&mut self.state.stats.routed);
        Some((header, to))
    }

    #[cfg_attr(target_os = "none", inline(never))] // once in the image of a device
    pub(super) fn source(&self, index: usize) -> Option<RouteSource> {
        self.conns.get(index).map(ConnSlot::source)
    }

    /// The TTL that brings an answer back over the connections its question crossed.
    pub(super) fn answer_ttl(&self, hops: u8) -> u8 {
        self.state.config.max_ttl.max(hops.saturating_add(1))
    }

    pub(super) fn conn(&mut self, index: usize) -> Option<&mut Connection> {
        self.conns.get_mut(index)?.conn.as_mut()
    }
}

/// Hashes a network.
fn bucket(network: [u8; 2]) -> usize {
    let [high, low] = network;
    usize::from((high ^ low) & NETWORK_MASK)
}
