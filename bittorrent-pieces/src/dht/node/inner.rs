//! The state of a node, and its lookups.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use heapless::{Deque, Vec};

use super::config::DhtConfig;
use super::event::{AddError, DhtEvent, LookupId};
use crate::compact::Family;
use crate::dht::bloom::BloomFilter;
use crate::dht::id::NodeId;
use crate::dht::items::{self, ItemSlot};
use crate::dht::lookup::{Lookup, LookupSlot, Purpose};
use crate::dht::peers::StoredPeerSlot;
use crate::dht::table::{Contact, RouteSlot, RoutingTable, nearest, nearest_bad};
use crate::dht::tokens::Tokens;
use crate::error::Full;
use crate::id::InfoHash;
use crate::network::Network;
use crate::rng::Rng;

/// Queries in flight at a time.
pub(super) const QUERIES: usize = 32;
/// Pings of nodes that only sent us a query, at a time: forged addresses cannot use up all queries.
pub(super) const UNPROVEN: usize = 8;
/// Replies that wait to be sent.
const REPLIES: usize = 8;
/// Addresses that wait to be pinged.
const PINGS: usize = 16;
/// How often an unknown address is pinged.
const PING_TRIES: u8 = 3;
/// The maximum length of a transaction id that is echoed.
pub(super) const TRANSACTION: usize = 32;
/// Nodes whose report of our address is remembered.
const VOTES: usize = 8;

/// The state of a node apart from its storage.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Core {
    pub(super) config: DhtConfig,
    pub(super) depth: u8, // of the routing table
    pub(super) tokens: Tokens,
    pub(super) now: Duration,
    pub(super) rng: Rng,
    pub(super) queries: Vec<Pending, QUERIES>,
    pub(super) replies: Deque<Reply, REPLIES>,
    pub(super) pings: Deque<Ping, PINGS>,
    votes: Deque<(Network, IpAddr), VOTES>, // the voter, and the address it sees
    next_lookup: u32,
    bootstrapped: bool,
    pub(super) maintenance_at: Option<Duration>,
}

/// A query in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pending {
    pub(super) transaction: u16,
    pub(super) to: Contact,
    pub(super) known: bool, // `to` is in the table
    pub(super) cause: Cause,
    pub(super) tries: u8, // of a ping of an unknown address
    pub(super) deadline: Option<Duration>,
}

/// Why a query was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The lookup of this number.
    Lookup(u32),
    /// The put of the lookup of this number.
    Put(u32),
    /// An announce, a refresh of the table, or an address that the caller added.
    Own,
    /// A node that sent us a query.
    Unproven,
}

/// An address to be pinged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ping {
    pub(super) addr: SocketAddr,
    pub(super) cause: Cause,
    pub(super) tries: u8,
}

/// A reply that waits to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) to: SocketAddr,
    pub(super) transaction: Vec<u8, TRANSACTION>,
    pub(super) kind: ReplyKind,
    pub(super) wanted: bool, // nodes of our family
    pub(super) max_len: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReplyKind {
    Pong,
    Nodes(NodeId),
    Peers { torrent: InfoHash, noseed: bool },
    Scrape(InfoHash),
    Samples(NodeId),
    Item { target: NodeId, seq: Option<i64> },
    Error(i64, &'static str),
}

/// A node whose storage is borrowed: the logic, compiled once.
pub(super) struct View<'v> {
    pub(super) core: &'v mut Core,
    pub(super) routes: &'v mut [RouteSlot],
    pub(super) lookups: &'v mut [LookupSlot],
    pub(super) peers: &'v mut [StoredPeerSlot],
    pub(super) items: &'v mut [ItemSlot],
}

impl Core {
    pub(super) const fn new(config: DhtConfig) -> Self {
        Self {
            depth: 0,
            tokens: Tokens::new(config.key),
            now: Duration::ZERO,
            rng: Rng::new(config.seed),
            queries: Vec::new(),
            replies: Deque::new(),
            pings: Deque::new(),
            votes: Deque::new(),
            next_lookup: 0,
            bootstrapped: false,
            maintenance_at: None,
            config,
        }
    }

    pub(super) fn external(&self) -> Option<IpAddr> {
        let votes = |ip: IpAddr| self.votes.iter().filter(|(_, seen)| *seen == ip).count();
        let seen = || self.votes.iter().map(|(_, seen)| *seen);
        let best = seen().max_by_key(|ip| votes(*ip))?;
        let most = votes(best);
        let is_tie = seen().any(|ip| ip != best && votes(ip) == most);
        (most >= 3 && !is_tie).then_some(best)
    }

    /// Counts how a node sees us; each network has one vote.
    pub(super) fn vote(&mut self, from: SocketAddr, seen: Option<SocketAddr>) {
        let Some(seen) = seen else { return };
        let network = Network::of(from.ip());
        self.votes.retain(|(voter, _)| *voter != network);
        if self.votes.is_full() {
            let _oldest = self.votes.pop_front();
        }
        let _ = self.votes.push_back((network, seen.ip())); // there is room
    }

    pub(super) fn random_id(&mut self) -> [u8; 20] {
        let mut id = [0; 20];
        for chunk in id.chunks_mut(8) {
            for (to, byte) in chunk.iter_mut().zip(self.rng.next_u64().to_be_bytes()) {
                *to = byte;
            }
        }
        id
    }

    /// Notes an address to be pinged; returns whether there was room.
    fn ping(&mut self, addr: SocketAddr, cause: Cause, tries: u8) -> bool {
        let known = self.pings.iter().any(|ping| ping.addr == addr);
        known || self.pings.push_back(Ping { addr, cause, tries }).is_ok()
    }

    /// Notes a node that sent us a query, to be pinged. Each network has one ping at a time.
    pub(super) fn ping_unproven(&mut self, addr: SocketAddr) {
        let network = Network::of(addr.ip());
        let unproven = || self.pings.iter().filter(|ping| ping.cause == Cause::Unproven);
        let queries = self.queries.iter().filter(|query| query.cause == Cause::Unproven);
        let addrs = unproven().map(|ping| ping.addr).chain(queries.map(|query| query.to.addr));
        let same = addrs.filter(|addr| Network::of(addr.ip()) == network).count();
        if unproven().count() < UNPROVEN && same < network.share(1, UNPROVEN) {
            self.ping(addr, Cause::Unproven, 0);
        }
    }

    pub(super) fn is_queried(&self, addr: SocketAddr) -> bool {
        self.queries.iter().any(|query| query.to.addr == addr)
    }
}

impl View<'_> {
    pub(super) fn add(&mut self, now: Duration, addr: SocketAddr) -> Result<(), AddError> {
        if Family::of(addr) != self.core.config.family {
            return Err(AddError::Family);
        }
        if addr.port() == 0 {
            return Err(AddError::Port);
        }
        if !self.core.ping(addr, Cause::Own, 0) {
            return Err(AddError::Full { capacity: PINGS });
        }
        self.core.advance_clock(now);
        Ok(())
    }

    pub(super) fn find_peers(
        &mut self,
        now: Duration,
        torrent: InfoHash,
        announce: Option<u16>,
    ) -> Result<LookupId, Full> {
        let full = Full { capacity: self.lookups.len() };
        let number = self.start(torrent.into(), Purpose::Peers { announce }).ok_or(full)?;
        self.core.advance_clock(now);
        Ok(LookupId(number))
    }

    pub(super) fn set_id(&mut self, id: NodeId) {
        self.table(|table| table.set_own(id));
        self.core.config.id = id;
        self.core.bootstrapped = false;
    }

    /// Starts a lookup with the nearest known nodes. Without a node that answers, those that failed are tried again: it may
    /// have been our own network.
    pub(super) fn start(&mut self, target: NodeId, purpose: Purpose) -> Option<u32> {
        let slot = self.lookups.iter_mut().find(|slot| slot.0.is_none())?;
        let number = self.core.next_lookup;
        let lookup = slot.0.insert(Lookup::new(number, target, purpose));
        let mut empty = true;
        for contact in nearest(self.routes, target) {
            lookup.add(contact, true);
            empty = false;
        }
        if empty {
            for (ping, number) in self.core.pings.iter().zip(1..) {
                lookup.add_address(ping.addr, number);
            }
            for contact in nearest_bad(self.routes, target) {
                lookup.add(contact, true);
            }
        }
        self.core.next_lookup = number.wrapping_add(1);
        Some(number)
    }

    /// Looks up our own neighbourhood once a node has answered.
    pub(super) fn bootstrap(&mut self) {
        if !self.core.bootstrapped {
            self.core.bootstrapped = self.start(self.core.config.id, Purpose::Nodes).is_some();
        }
    }

    /// Notes that a query failed.
    pub(super) fn fail(&mut self, query: &Pending) {
        self.fail_lookup(query);
        if query.known {
            self.table(|table| table.failed(query.to.id));
        } else if !matches!(query.cause, Cause::Lookup(_)) && query.tries < PING_TRIES {
            self.core.ping(query.to.addr, query.cause, query.tries); // dropped if there is no room
        }
    }

    pub(super) fn fail_lookup(&mut self, query: &Pending) {
        match query.cause {
            Cause::Lookup(number) => {
                if let Some(lookup) = self.lookup(number) {
                    lookup.failed(query.to.addr);
                }
            }
            Cause::Put(number) => self.refused(number, query.to.addr, None),
            Cause::Own | Cause::Unproven => {}
        }
    }

    /// Notes that a node did not store an item.
    pub(super) fn refused(&mut self, number: u32, addr: SocketAddr, code: Option<i64>) {
        if let Some(lookup) = self.lookup(number) {
            lookup.refused(addr, code);
        }
    }

    /// Removes lookups for the table that are over.
    pub(super) fn remove_settled(&mut self) {
        for slot in self.lookups.iter_mut() {
            let over = |lookup: &Lookup| lookup.purpose == Purpose::Nodes && lookup.is_settled();
            if slot.0.as_ref().is_some_and(over) {
                slot.0 = None;
            }
        }
    }

    pub(super) fn event(&mut self) -> Option<DhtEvent> {
        let now = self.core.now;
        let stored = &*self.items;
        let over = |lookup: &Lookup| {
            let expired = is_expired(lookup, stored, now);
            lookup.purpose != Purpose::Nodes && lookup.is_over(expired)
        };
        let slot = self.lookups.iter_mut().find(|slot| slot.0.as_ref().is_some_and(over))?;
        let lookup = slot.0.as_ref()?;
        let event = match lookup.purpose {
            Purpose::Get(_) | Purpose::Put { .. } => item_finished(lookup),
            Purpose::Nodes | Purpose::Peers { .. } => DhtEvent::Finished {
                lookup: LookupId(lookup.number),
                torrent: lookup.torrent(),
                peers: lookup.found,
                answers: lookup.answers(),
                announces: lookup.announces(),
            },
        };
        slot.0 = None;
        Some(event)
    }

    pub(super) fn lookup(&mut self, number: u32) -> Option<&mut Lookup> {
        let mut lookups = self.lookups.iter_mut().filter_map(|slot| slot.0.as_mut());
        lookups.find(|lookup| lookup.number == number)
    }

    pub(super) fn routing_table(&self) -> RoutingTable<&[RouteSlot]> {
        RoutingTable { own: self.core.config.id, depth: self.core.depth, slots: &*self.routes }
    }

    /// Calls `act` with the routing table and keeps what it changed.
    pub(super) fn table<T>(
        &mut self,
        act: impl FnOnce(&mut RoutingTable<&mut [RouteSlot]>) -> T,
    ) -> T {
        let own = self.core.config.id;
        let depth = self.core.depth;
        let mut table = RoutingTable { own, depth, slots: &mut *self.routes };
        let result = act(&mut table);
        self.core.depth = table.depth;
        result
    }

    /// Adds the seeds and the other peers of a torrent to filters (BEP 33).
    #[inline(never)] // the hasher is not in use while the message is written
    pub(super) fn filter(
        &self,
        torrent: InfoHash,
        seeds: &mut BloomFilter,
        leechers: &mut BloomFilter,
    ) {
        for peer in crate::dht::peers::of_torrent(self.peers, self.core.now, torrent) {
            let filter = if peer.seed { &mut *seeds } else { &mut *leechers };
            filter.insert(peer.addr.ip());
        }
    }
}

/// Returns whether the item of a put has expired since: the caller was late.
pub(super) fn is_expired(lookup: &Lookup, items: &[ItemSlot], now: Duration) -> bool {
    let puts = matches!(lookup.purpose, Purpose::Put { .. });
    puts && items::find(items, now, lookup.target).is_none()
}

/// Returns the event that ends the lookup of an item.
fn item_finished(lookup: &Lookup) -> DhtEvent {
    DhtEvent::ItemFinished {
        lookup: LookupId(lookup.number),
        target: lookup.target,
        found: lookup.found,
        answers: lookup.answers(),
        stored: lookup.stores(),
        refused: lookup.refused,
    }
}
