//! What a node does as time passes and when it is told to.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use heapless::{Deque, Vec};

use super::super::lookup::{Lookup, Pending, Purpose};
use super::super::table::{Contact, QUIET};
use super::super::{LookupSlot, NodeId, RouteSlot, RoutingTable, StoredPeer, Tokens};
use super::{DhtConfig, DhtEvent, LookupId, LookupsFull};
use crate::rng::Rng;
use crate::{Family, InfoHash};

/// Queries under way at a time.
pub(super) const QUERIES: usize = 32;
/// Answers that wait to be sent.
const REPLIES: usize = 8;
/// Addresses that wait to be pinged.
const SEEDS: usize = 16;
/// The longest transaction id that is echoed.
pub(super) const TRANSACTION: usize = 16;
/// Nodes that said how they see us.
const VOTES: usize = 8;
/// How often the buckets are looked at.
const MAINTENANCE: Duration = Duration::from_secs(60);
const SHORTEST: Duration = Duration::from_millis(1);

/// All of a node but the memory.
#[derive(Debug, Clone)]
pub(super) struct Core {
    pub(super) config: DhtConfig,
    pub(super) depth: u8, // of the routing table
    pub(super) tokens: Tokens,
    pub(super) now: Duration,
    pub(super) rng: Rng,
    pub(super) pending: Vec<Pending, QUERIES>,
    pub(super) replies: Deque<Reply, REPLIES>,
    pub(super) seeds: Deque<SocketAddr, SEEDS>,
    pub(super) votes: Deque<(IpAddr, IpAddr), VOTES>, // who, and what it sees
    next_lookup: u32,
    bootstrapped: bool,
    maintain_at: Option<Duration>,
}

/// An answer that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) to: SocketAddr,
    pub(super) transaction: Vec<u8, TRANSACTION>,
    pub(super) kind: ReplyKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReplyKind {
    Pong,
    Nodes(NodeId),
    Peers(InfoHash),
    Error(i64, &'static str),
}

/// A node whose memory is borrowed: the logic, compiled once.
pub(super) struct View<'v> {
    pub(super) core: &'v mut Core,
    pub(super) routes: &'v mut [RouteSlot],
    pub(super) lookups: &'v mut [LookupSlot],
    pub(super) peers: &'v mut [StoredPeer],
}

impl Core {
    pub(super) fn new(mut config: DhtConfig) -> Self {
        config.patience = config.patience.max(SHORTEST);
        Self {
            config,
            depth: 0,
            tokens: Tokens::new(config.key),
            now: Duration::ZERO,
            rng: Rng::new(config.seed),
            pending: Vec::new(),
            replies: Deque::new(),
            seeds: Deque::new(),
            votes: Deque::new(),
            next_lookup: 0,
            bootstrapped: false,
            maintain_at: None,
        }
    }

    pub(super) fn see(&mut self, now: Duration) {
        self.now = self.now.max(now);
        if self.maintain_at.is_none() {
            self.maintain_at = self.now.checked_add(MAINTENANCE);
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Duration> {
        let patience = self.config.patience;
        let late = self.pending.iter().filter_map(|query| query.at.checked_add(patience));
        late.chain(self.maintain_at).min()
    }

    pub(super) fn external(&self) -> Option<IpAddr> {
        let votes = |ip: IpAddr| self.votes.iter().filter(|(_, seen)| *seen == ip).count();
        let seen = self.votes.iter().map(|(_, seen)| *seen);
        let best = seen.max_by_key(|ip| votes(*ip))?;
        (votes(best) >= 3).then_some(best)
    }

    pub(super) fn random_id(&mut self) -> [u8; 20] {
        let mut id = [0; 20];
        for chunk in id.chunks_mut(8) {
            chunk
                .iter_mut()
                .zip(self.rng.next_u64().to_be_bytes())
                .for_each(|(to, byte)| *to = byte);
        }
        id
    }
}

impl View<'_> {
    pub(super) fn add(&mut self, now: Duration, addr: SocketAddr) -> bool {
        self.core.see(now);
        let fits = Family::of(addr) == self.core.config.family && addr.port() != 0;
        let known = self.core.seeds.iter().any(|seed| *seed == addr);
        fits && (known || self.core.seeds.push_back(addr).is_ok())
    }

    pub(super) fn find_peers(
        &mut self,
        now: Duration,
        torrent: InfoHash,
        announce: Option<u16>,
    ) -> Result<LookupId, LookupsFull> {
        let full = LookupsFull(self.lookups.len());
        let number = self.start(torrent.into(), Purpose::Peers { announce }).ok_or(full)?;
        self.core.see(now);
        Ok(LookupId(number))
    }

    /// Begins a lookup with the nearest nodes that are known.
    fn start(&mut self, target: NodeId, purpose: Purpose) -> Option<u32> {
        let slot = self.lookups.iter_mut().find(|slot| slot.0.is_none())?;
        let number = self.core.next_lookup;
        let mut lookup = Lookup::new(number, target, purpose);
        let (own, depth) = (self.core.config.id, self.core.depth);
        let table = RoutingTable { own, depth, slots: &*self.routes };
        for contact in table.nearest(target) {
            lookup.add(contact, true);
        }
        if table.is_empty() {
            for (addr, number) in self.core.seeds.iter().zip(1..) {
                lookup.add_address(*addr, number);
            }
        }
        self.core.next_lookup = number.wrapping_add(1);
        *slot = LookupSlot(Some(lookup));
        Some(number)
    }

    pub(super) fn timeout(&mut self, now: Duration) {
        self.core.see(now);
        let (now, patience) = (self.core.now, self.core.config.patience);
        let late = |query: &Pending| query.at.checked_add(patience).is_some_and(|at| at <= now);
        while let Some(at) = self.core.pending.iter().position(late) {
            let query = self.core.pending.swap_remove(at);
            self.fail(&query);
        }
        if self.core.maintain_at.is_some_and(|at| at <= now) {
            self.core.maintain_at = now.checked_add(MAINTENANCE);
            self.refresh();
        }
        self.reap();
    }

    /// Notes that a query was not answered as hoped.
    pub(super) fn fail(&mut self, query: &Pending) {
        if let Some(lookup) = self.lookup(query.lookup) {
            lookup.failed(query.to.addr);
        }
        if query.known {
            self.table(|table| table.failed(query.to.id));
        }
    }

    /// Looks up an id in a bucket that is stale.
    fn refresh(&mut self) {
        let (own, depth, now) = (self.core.config.id, self.core.depth, self.core.now);
        let random = self.core.random_id();
        let table = RoutingTable { own, depth, slots: &*self.routes };
        if let Some(target) = table.stale(now, random).filter(|_| !table.is_empty()) {
            self.start(target, Purpose::Nodes);
        }
    }

    /// Looks up our own neighbourhood once somebody has answered.
    pub(super) fn bootstrap(&mut self) {
        if !self.core.bootstrapped {
            self.core.bootstrapped = self.start(self.core.config.id, Purpose::Nodes).is_some();
        }
    }

    /// Drops lookups for the table that are over.
    pub(super) fn reap(&mut self) {
        for slot in self.lookups.iter_mut() {
            let over = |lookup: &Lookup| lookup.purpose == Purpose::Nodes && lookup.is_settled();
            if slot.0.as_ref().is_some_and(over) {
                slot.0 = None;
            }
        }
    }

    pub(super) fn event(&mut self) -> Option<DhtEvent> {
        let over = |lookup: &Lookup| {
            lookup.purpose != Purpose::Nodes
                && lookup.is_settled()
                && lookup.next_announce().is_none()
        };
        let slot = self.lookups.iter_mut().find(|slot| slot.0.as_ref().is_some_and(over))?;
        slot.0.take().map(|lookup| DhtEvent::Finished {
            lookup: LookupId(lookup.number),
            torrent: lookup.torrent(),
            peers: lookup.found,
            answers: lookup.answers(),
            announces: lookup.announces(),
        })
    }

    pub(super) fn lookup(&mut self, number: Option<u32>) -> Option<&mut Lookup> {
        let mut lookups = self.lookups.iter_mut().filter_map(|slot| slot.0.as_mut());
        lookups.find(|lookup| Some(lookup.number) == number)
    }

    /// Lends the routing table.
    pub(super) fn table<T>(
        &mut self,
        act: impl FnOnce(&mut RoutingTable<&mut [RouteSlot]>) -> T,
    ) -> T {
        let (own, depth) = (self.core.config.id, self.core.depth);
        let mut table = RoutingTable { own, depth, slots: &mut *self.routes };
        let done = act(&mut table);
        self.core.depth = table.depth;
        done
    }

    pub(super) fn counts(&self, contact: &Contact) -> bool {
        !self.core.config.enforce_ids || contact.id.fits(contact.addr.ip())
    }
}

const _: () = assert!(QUIET.as_secs() > MAINTENANCE.as_secs());
