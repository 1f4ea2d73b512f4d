//! The state besides the slots, and the inputs that are not bytes. The logic is compiled once for all storages.

use core::time::Duration;

use super::blocks::BlockRequest;
use super::chunk_request::ChunkRequest;
use super::config::GossipConfig;
use super::message::{MAX_IDS, Status};
use super::moment::Moment;
use super::peer::{MAX_PENALTY, PeerSlot, Phase, Sync};
use super::storage::GossipParts;
use super::transactions::{Transactions, TransactionsRef, TransactionsRoot};
use super::types::{BlockVerdict, CloseReason, Event, TransactionVerdict};
use crate::conn::ConnId;
use crate::engine::{Tip, Weight};
use crate::error::Full;
use crate::hash::{BlockId, TxId};
use crate::header::Height;

/// More slots are not used: peers are bits of a number.
const MAX_PEERS: usize = 64;
/// The ids of the node's locator in a request; one more is the last header that the peer sent.
const MAX_LOCATOR: usize = MAX_IDS - 1;

/// Everything but the storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Inner {
    pub(super) config: GossipConfig,
    pub(super) now: Duration,
    pub(super) status: Status,
    pub(super) weight: Weight,
    locator: [BlockId; MAX_LOCATOR],
    locator_len: usize,
    pub(super) next_peer: usize, // to send to
    pub(super) transactions: TransactionsRoot,
    pub(super) nonce: u64,            // in the hello
    pub(super) offer: Option<Status>, // the snapshot that is handed out
    pub(super) chunk: Option<ChunkRequest>,
}

/// The machine with its storage.
pub(super) struct InnerMut<'a> {
    pub(super) inner: &'a mut Inner,
    pub(super) parts: GossipParts<'a>,
}

impl Inner {
    /// Returns the state of a machine without peers, and clears the storage.
    pub(super) fn new(config: GossipConfig, parts: &mut GossipParts<'_>) -> Self {
        parts.peers.fill(PeerSlot::EMPTY);
        parts.blocks.fill(BlockRequest::EMPTY);
        let genesis = config.genesis.block_id();
        let mut locator = [BlockId::default(); MAX_LOCATOR];
        locator[0] = genesis;
        Self {
            config,
            now: Duration::ZERO,
            status: Status { height: Height(0), tip: genesis },
            weight: Weight(0),
            locator,
            locator_len: 1,
            next_peer: 0,
            transactions: TransactionsRoot::clear(config.seed, parts.transactions),
            nonce: config.nonce(),
            offer: None,
            chunk: None,
        }
    }

    pub(super) fn locator(&self) -> &[BlockId] {
        self.locator.get(..self.locator_len).unwrap_or_default()
    }
}

impl InnerMut<'_> {
    /// Moves the clock on, never back, and returns it.
    pub(super) fn advance_clock(&mut self, now: Duration) -> Duration {
        self.inner.now = self.inner.now.max(now);
        self.inner.now
    }

    pub(super) fn peers_mut(&mut self) -> &mut [PeerSlot] {
        let len = self.parts.peers.len().min(MAX_PEERS);
        self.parts.peers.get_mut(..len).unwrap_or_default()
    }

    pub(super) fn find(&self, conn: ConnId) -> Option<usize> {
        self.parts.peers.iter().position(|peer| !peer.is_free() && peer.conn == conn)
    }

    pub(super) fn transactions(&mut self) -> Transactions<'_> {
        Transactions::new(&mut self.inner.transactions, self.parts.transactions)
    }

    pub(super) fn transactions_ref(&self) -> TransactionsRef<'_> {
        TransactionsRef::new(&self.inner.transactions, self.parts.transactions)
    }

    pub(super) fn connected(
        &mut self,
        now: Duration,
        conn: ConnId,
        dialled: bool,
    ) -> Result<(), Full> {
        let known = self.find(conn);
        let capacity = self.parts.peers.len().min(MAX_PEERS);
        let reserved = if dialled { 0 } else { self.inner.config.reserved_for_dialled };
        let used = self.parts.peers.iter().filter(|peer| !peer.is_free() && !peer.dialled).count();
        let has_room = known.is_some() || dialled || used < capacity.saturating_sub(reserved);
        let free = self.parts.peers.iter().take(capacity).position(PeerSlot::is_free);
        let at = known.or(free).filter(|_| has_room).ok_or(Full { capacity })?;
        if known.is_some() {
            self.forget_peer(at);
        }
        let now = self.advance_clock(now);
        let credit = self.inner.config.burst();
        let snapshot_due = self.inner.offer.is_some();
        if let Some(peer) = self.peers_mut().get_mut(at) {
            *peer = PeerSlot::new(conn, dialled, now, credit);
            peer.snapshot_due = snapshot_due;
        }
        Ok(())
    }

    pub(super) fn closed(&mut self, now: Duration, conn: ConnId) {
        self.advance_clock(now);
        if let Some(at) = self.find(conn) {
            self.free_peer(at);
        }
    }

    /// Frees the slot of a peer.
    pub(super) fn free_peer(&mut self, at: usize) {
        self.forget_peer(at);
        if let Some(peer) = self.peers_mut().get_mut(at) {
            *peer = PeerSlot::EMPTY;
        }
    }

    /// Takes back what a peer was asked for.
    pub(super) fn forget_peer(&mut self, at: usize) {
        let now = self.inner.now;
        self.parts.blocks.iter_mut().for_each(|request| request.asking.forget(at));
        if let Some(chunk) = &mut self.inner.chunk {
            chunk.asking.forget(at);
        }
        self.transactions().forget_peer(at, now);
    }

    pub(super) fn header_checked(&mut self, now: Duration, conn: ConnId, verdict: BlockVerdict) {
        let now = self.advance_clock(now);
        let config = self.inner.config;
        let ours = self.inner.weight;
        let Some(at) = self.find(conn) else { return };
        let Some(peer) = self.peers_mut().get_mut(at) else { return };
        let later = now.saturating_add(config.retry);
        match verdict {
            BlockVerdict::Accepted { id, height, weight } => {
                peer.height = peer.height.max(height.0);
                // Only a sequence that goes on is continued; a finished one begins at the locator again.
                peer.continue_from = Some(id).filter(|_| peer.sync != Sync::Idle);
                if weight > ours {
                    peer.light_headers = 0;
                    return;
                }
                peer.count_light(1, now, &config);
            }
            BlockVerdict::Weighed { after } => {
                peer.continue_from = Some(after);
                peer.sync_at(now);
            }
            BlockVerdict::Light { headers } => {
                peer.continue_from = None;
                peer.count_light(headers, now, &config);
            }
            BlockVerdict::Orphan => {
                peer.continue_from = None;
                peer.sync = Sync::Paused { until: Moment::of(later) };
            }
            BlockVerdict::NotYet | BlockVerdict::NoRoom => {
                peer.sync = Sync::Paused { until: Moment::of(later) };
            }
            BlockVerdict::Invalid => peer.penalize(now, MAX_PENALTY, CloseReason::Invalid),
        }
    }

    pub(super) fn block_checked(&mut self, now: Duration, conn: ConnId, verdict: BlockVerdict) {
        let now = self.advance_clock(now);
        let Some(at) = self.find(conn) else { return };
        let Some(peer) = self.peers_mut().get_mut(at) else { return };
        if verdict == BlockVerdict::Invalid {
            peer.penalize(now, MAX_PENALTY, CloseReason::Invalid);
        }
    }

    pub(super) fn transaction_checked(
        &mut self,
        now: Duration,
        conn: ConnId,
        id: &TxId,
        verdict: TransactionVerdict,
    ) {
        let now = self.advance_clock(now);
        let retry = now.saturating_add(self.inner.config.retry);
        let at = self.find(conn);
        match verdict {
            TransactionVerdict::Accepted => self.transactions().accepted(*id),
            TransactionVerdict::Refused => self.transactions().refused(id),
            TransactionVerdict::Gap => {
                if let Some(at) = at {
                    self.transactions().retry(id, at, retry);
                }
            }
            TransactionVerdict::Invalid => {
                self.transactions().rejected(id, at, now);
                if let Some(peer) = at.and_then(|at| self.peers_mut().get_mut(at)) {
                    peer.penalize(now, MAX_PENALTY, CloseReason::Invalid);
                }
            }
        }
    }

    pub(super) fn tip_changed(&mut self, now: Duration, tip: &Tip, locator: &[BlockId]) {
        let now = self.advance_clock(now);
        let status = Status { height: tip.height, tip: tip.id };
        let has_changed = status != self.inner.status;
        self.inner.status = status;
        self.inner.weight = tip.weight;
        let genesis = [self.inner.config.genesis.block_id()];
        let locator = if locator.is_empty() { &genesis } else { locator };
        let len = locator.len().min(MAX_LOCATOR);
        self.inner.locator_len = len;
        for (place, id) in self.inner.locator.iter_mut().zip(locator) {
            *place = *id;
        }
        if has_changed {
            self.transactions().forget_refused();
        }
        for peer in self.peers_mut() {
            if has_changed && peer.tip != status.tip {
                peer.status_due = true;
            }
            if matches!(peer.sync, Sync::Paused { .. }) && has_changed {
                peer.sync = Sync::At(Moment::of(now));
            }
        }
    }

    pub(super) fn want_blocks(&mut self, now: Duration, blocks: &[(Height, BlockId)]) {
        self.advance_clock(now);
        let blocks = blocks.get(..self.parts.blocks.len()).unwrap_or(blocks);
        for request in self.parts.blocks.iter_mut() {
            let is_wanted = request.is_used && blocks.iter().any(|(_, id)| *id == request.id);
            request.is_wanted = is_wanted;
            if !is_wanted && request.asking.asked.is_none() {
                *request = BlockRequest::EMPTY;
            }
        }
        for (height, id) in blocks {
            if self.parts.blocks.iter().any(|request| request.is_used && request.id == *id) {
                continue;
            }
            let free = self.parts.blocks.iter_mut().filter(|request| !request.is_wanted);
            if let Some(free) = free.min_by_key(|request| request.is_used) {
                *free = BlockRequest::new(*id, height.0);
            }
        }
    }

    pub(super) fn announce(&mut self, now: Duration, id: &TxId) {
        self.advance_clock(now);
        self.transactions().accepted(*id);
    }

    pub(super) fn forget(&mut self, now: Duration, id: &TxId) {
        self.advance_clock(now);
        self.transactions().confirmed(id);
    }

    /// Returns what is to be reported next.
    pub(super) fn event(&mut self) -> Option<Event> {
        let due = |peer: &PeerSlot| peer.connected_due || matches!(peer.phase, Phase::Closed(_));
        if let Some(at) = self.parts.peers.iter().position(due) {
            let peer = self.parts.peers.get_mut(at)?;
            let conn = peer.conn;
            if core::mem::take(&mut peer.connected_due) {
                return Some(Event::Connected { conn });
            }
            let Phase::Closed(reason) = peer.phase else { return None };
            self.free_peer(at);
            return Some(Event::Closed { conn, reason });
        }
        let peers = &*self.parts.peers;
        let retry_at = self.inner.now.checked_add(self.inner.config.retry);
        let exhausted = self.parts.blocks.iter_mut().find(|request| request.is_exhausted(peers))?;
        exhausted.asking.allow_all();
        exhausted.retry_at = Some(retry_at.unwrap_or(Duration::MAX));
        Some(Event::Unavailable { id: exhausted.id })
    }
}
