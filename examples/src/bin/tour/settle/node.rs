//! A node of the ledger: its chain, what waits for it, and what it has heard.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

use consensus::{Equivocation, EquivocationDetector, StatementSlot, ValidatorId};
use examples::rules::RuleError;
use ledger_core::mempool::{ChunkSlot, Mempool, MempoolConfig, MempoolLimits, MempoolVec};
use ledger_core::node::{Event, Progress};
use ledger_core::{
    Action, Block, BlockId, Body, ConnId, Hash, Header, SignedTransaction, Tip, Transaction,
};
use pow::Miner;

use crate::rules::{Constitution, LAST_HEIGHT, TourNode, evidence_in};

/// Signatures that a node checks before it looks at its events again.
const SLICE: u32 = 1000;
/// Room for receipts: some more than there are at most, since the deliveries of each pair of nodes are summed up apart.
const RECEIPTS: usize = 3_000;
/// No receipt is longer, in bytes.
const RECEIPT_LEN: usize = 256;

pub struct LedgerNode {
    pub chain: TourNode,
    /// Every block that was received, as it is stored.
    pub(super) store: BTreeMap<BlockId, Vec<u8>>,
    /// The blocks of the chain.
    pub blocks: Vec<Vec<u8>>,
    /// The end of the chain after each of them.
    pub tips: Vec<Tip>,
    pub(super) mempool: Mempool<MempoolVec>,
    /// Receipts of blocks that were taken back.
    taken_back: Vec<Vec<u8>>,
    /// Whether the chain has changed since the mempool was told.
    is_stale: bool,
    pub(super) detector: EquivocationDetector<Vec<StatementSlot>>,
    pub(super) miner: Option<(Miner, Header, Vec<u8>)>,
    pub(super) convicted: BTreeMap<ValidatorId, Equivocation>,
    pub(super) proposed: BTreeSet<(u64, u32)>, // height and round
    pub(super) seen: BTreeSet<Hash>,
    pub(super) waiting_since: Duration,
}

impl LedgerNode {
    pub(super) fn new(constitution: &Constitution) -> io::Result<Self> {
        let chain = constitution.node().map_err(io::Error::other)?;
        let mut config = MempoolConfig::new(*chain.genesis_id(), constitution.time);
        config.max_per_account = RECEIPTS as u16;
        let chunks = RECEIPTS * RECEIPT_LEN.div_ceil(ChunkSlot::LEN);
        let storage = MempoolVec::new(MempoolLimits { slots: RECEIPTS, chunks });
        Ok(Self {
            chain,
            store: BTreeMap::new(),
            blocks: Vec::new(),
            tips: Vec::new(),
            mempool: Mempool::new(config, storage).map_err(io::Error::other)?,
            taken_back: Vec::new(),
            is_stale: false,
            detector: EquivocationDetector::new(vec![StatementSlot::EMPTY; 64]),
            miner: None,
            convicted: BTreeMap::new(),
            proposed: BTreeSet::new(),
            seen: BTreeSet::new(),
            waiting_since: Duration::ZERO,
        })
    }

    /// Handles a block from a peer, or one of its own. `unix` is the calendar in seconds.
    pub(super) fn take_block(&mut self, unix: u64, id: BlockId, bytes: &[u8]) {
        self.store.insert(id, bytes.to_vec());
        // What is refused is refused for good, or offered again by a peer.
        let _ = self.chain.handle_block(Duration::from_secs(unix), ConnId(0), bytes);
    }

    /// Validates, stores and follows the best branch, until there is nothing to do. Returns what happened to the chain.
    pub(super) fn advance(&mut self, unix: u64, now: Duration) -> Vec<Event<RuleError>> {
        let clock = Duration::from_secs(unix);
        self.chain.handle_timeout(clock);
        let mut happened = Vec::new();
        loop {
            while self.chain.work(SLICE) == Progress::Pending {}
            let Some(event) = self.chain.poll_event() else { break };
            match event {
                Event::Keep { id, .. } => self.chain.handle_saved(clock, &id),
                Event::Need { id, .. } => {
                    if let Some(bytes) = self.store.get(&id) {
                        let _ = self.chain.handle_block(clock, ConnId(0), bytes);
                    }
                }
                Event::Connected { id, .. } => self.connected(&id, now),
                Event::Disconnected { .. } => self.disconnected(now),
                _ => {}
            }
            happened.push(event);
        }
        self.update_mempool();
        happened
    }

    /// Removes from the mempool what the chain has, and lets what it has no more wait again.
    fn update_mempool(&mut self) {
        if !self.is_stale || self.chain.is_busy() {
            return;
        }
        self.is_stale = false;
        self.mempool.update(&self.chain.state(), self.chain.tip().height);
        for bytes in core::mem::take(&mut self.taken_back) {
            if let Ok((signed, _)) = SignedTransaction::decode(&bytes) {
                self.keep(&signed);
            }
        }
    }

    /// Keeps the receipts that the mempool accepts: it checks signatures, order and coins.
    pub(super) fn take_receipts(&mut self, bytes: &[u8]) -> bool {
        let Ok(body) = Body::from_bytes(bytes) else { return false };
        for signed in &body {
            self.keep(&signed);
        }
        true
    }

    fn keep(&mut self, signed: &SignedTransaction<'_>) {
        // One that is refused is forged, or in the chain by now.
        let _ = self.mempool.insert(signed, &self.chain.state(), self.chain.tip().height);
    }

    /// Returns the transactions of the next block: an even share of the mempool, then `records`.
    pub(super) fn body(&mut self, records: &[u8]) -> Vec<u8> {
        let left = LAST_HEIGHT.saturating_sub(self.chain.tip().height.0).max(1) as usize;
        let share = self.mempool.len().div_ceil(left);
        let mut all = vec![0; self.mempool.len() * RECEIPT_LEN];
        let len = self.mempool.template(&mut all);
        let mut body = Vec::new();
        if let Ok(receipts) = Body::from_bytes(&all[..len]) {
            for signed in receipts.iter().take(share) {
                body.extend_from_slice(signed.as_bytes());
            }
        }
        body.extend_from_slice(records);
        body
    }

    fn connected(&mut self, id: &BlockId, now: Duration) {
        let Some(bytes) = self.store.get(id).cloned() else { return };
        let Some(tip) = self.chain.tip_of(id) else { return };
        self.is_stale = true;
        if let Ok((block, _)) = Block::decode(&bytes) {
            for evidence in evidence_in(&block) {
                self.convicted.entry(evidence.offender()).or_insert(evidence);
            }
        }
        self.blocks.push(bytes);
        self.tips.push(tip);
        self.miner = None;
        self.waiting_since = now;
    }

    /// The last block was taken back: its receipts wait again.
    fn disconnected(&mut self, now: Duration) {
        self.tips.pop();
        self.miner = None;
        self.waiting_since = now;
        self.is_stale = true;
        let Some(bytes) = self.blocks.pop() else { return };
        let Ok((block, _)) = Block::decode(&bytes) else { return };
        for signed in block.body() {
            let Transaction { action, .. } = *signed.transaction();
            if matches!(action, Action::Pay { .. }) {
                self.taken_back.push(signed.as_bytes().to_vec());
            }
        }
    }
}
