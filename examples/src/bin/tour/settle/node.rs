//! A node of the ledger: its chain, its mempool, and what it knows of others.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

use consensus::{Equivocation, EquivocationDetector, StatementSlot, ValidatorId};
use examples::rules::RuleError;
use ledger_core::gossip::{BlockVerdict, Gossip, GossipConfig, GossipLimits, GossipVec, Presync};
use ledger_core::mempool::{
    ChunkSlot, Mempool, MempoolConfig, MempoolError, MempoolLimits, MempoolVec,
};
use ledger_core::node::{Event, Progress};
use ledger_core::{
    Account, Action, Block, BlockId, Body, ConnId, Header, Height, SignedTransaction, Tip,
    Transaction,
};
use pow::Miner;

use crate::ctx::Ctx;
use crate::net::NodeId;
use crate::rules::{Constitution, LAST_HEIGHT, Schedule, TourNode, evidence_in};

/// Signatures that a node checks before it looks at its events again.
const SLICE: u32 = 1000;
/// Room for receipts: some more than there are at most, since the deliveries of each pair of nodes are summed up apart.
const RECEIPTS: usize = 3_000;
/// No receipt is longer, in bytes.
const RECEIPT_LEN: usize = 256;
/// Room for evidence in the mempool and in the table of the gossip.
const EVIDENCE: usize = 64;
/// Peers of a node: it dials three, and three dial it. More if one of them comes back.
const PEERS: usize = 16;
/// Blocks that are fetched at a time.
const BLOCKS: usize = 8;
/// How soon something is asked for again that could not be used yet. Who announces waits as long before it goes on unasked.
const RETRY: Duration = Duration::from_secs(2);
/// How soon a node announces again what waits, for each [`ROUND`] of it. A peer that is busy with 32 transactions of a node
/// ignores more of it; and what begins again before all was announced never comes to the last.
const ANNOUNCE: Duration = Duration::from_secs(1);
const ROUND: usize = 64;
/// The connection of a block that the node has made itself.
const OWN: ConnId = ConnId(u32::MAX);

pub struct LedgerNode {
    /// The node of the tour that it is an instance of.
    pub(super) at: NodeId,
    pub chain: TourNode,
    /// The blocks of the chain.
    pub blocks: Vec<Vec<u8>>,
    /// The end of the chain after each of them.
    pub tips: Vec<Tip>,
    /// Every valid block, on the chain or not.
    pub(super) store: BTreeMap<BlockId, Vec<u8>>,
    /// Blocks that were delivered and not validated.
    pub(super) delivered: BTreeMap<BlockId, (ConnId, Vec<u8>)>,
    pub(super) mempool: Mempool<MempoolVec>,
    /// Transactions that came before those they follow, by account and sequence number.
    held: BTreeMap<(Account, u64), Vec<u8>>,
    pub(super) gossip: Gossip<GossipVec>,
    /// The headers of each peer.
    pub(super) presync: BTreeMap<ConnId, Presync<Schedule>>,
    /// What each peer has sent of a message that is not complete.
    pub(super) received: BTreeMap<ConnId, Vec<u8>>,
    /// Transactions of blocks that were taken back, in the order of the chain.
    taken_back: Vec<Vec<u8>>,
    /// Whether the chain has changed since the mempool was updated.
    is_stale: bool,
    pub(super) detector: EquivocationDetector<Vec<StatementSlot>>,
    pub(super) convicted: BTreeMap<ValidatorId, Equivocation>,
    /// Evidence that this node has found, and that no transaction carries yet.
    pub(super) found: Vec<Equivocation>,
    pub(super) miner: Option<(Miner, Header, Vec<u8>)>,
    pub(super) proposed: BTreeSet<(u64, u32)>, // height and round
    pub(super) waiting_since: Duration,
    announce_at: Duration,
    /// When the gossip has something to do.
    pub(super) due: Option<Duration>,
    base_time: u64,
}

impl LedgerNode {
    /// Creates a node that knows the first block. `seed` differs between the nodes, `receipts` is their number.
    pub(super) fn new(
        constitution: &Constitution,
        at: NodeId,
        seed: u64,
        receipts: usize,
    ) -> io::Result<Self> {
        let chain = constitution.node().map_err(io::Error::other)?;
        let genesis = *chain.genesis_id();
        let mut config = MempoolConfig::new(genesis, constitution.time);
        config.max_per_account = RECEIPTS as u16;
        let slots = RECEIPTS + EVIDENCE;
        let storage = MempoolVec::new(MempoolLimits {
            slots,
            chunks: RECEIPTS * RECEIPT_LEN.div_ceil(ChunkSlot::LEN)
                + EVIDENCE * Transaction::MAX_LEN.div_ceil(ChunkSlot::LEN),
        });
        let mempool = Mempool::new(config, storage).map_err(io::Error::other)?;
        let mut config = GossipConfig::new(genesis, constitution.rules().max_block_len, seed);
        config.retry = RETRY;
        config.transactions_per_second = RECEIPTS as u16;
        let transactions = receipts + EVIDENCE;
        let limits = GossipLimits { peers: PEERS, blocks: BLOCKS, transactions };
        let gossip = Gossip::new(config, GossipVec::new(limits)).map_err(io::Error::other)?;
        Ok(Self {
            at,
            chain,
            blocks: Vec::new(),
            tips: Vec::new(),
            store: BTreeMap::new(),
            delivered: BTreeMap::new(),
            mempool,
            held: BTreeMap::new(),
            gossip,
            presync: BTreeMap::new(),
            received: BTreeMap::new(),
            taken_back: Vec::new(),
            is_stale: false,
            detector: EquivocationDetector::new(vec![StatementSlot::EMPTY; 64]),
            convicted: BTreeMap::new(),
            found: Vec::new(),
            miner: None,
            proposed: BTreeSet::new(),
            waiting_since: Duration::ZERO,
            announce_at: Duration::ZERO,
            due: None,
            base_time: constitution.time,
        })
    }

    /// Returns the time of the calendar in seconds, which last a tenth of a second here: blocks follow each other faster
    /// than in earnest.
    pub(super) fn unix(&self, ctx: &Ctx) -> u64 {
        self.base_time + 1 + (ctx.now().as_millis() / 100) as u64
    }

    /// Returns the time for the chain.
    pub(super) fn clock(&self, ctx: &Ctx) -> Duration {
        Duration::from_secs(self.unix(ctx))
    }

    /// Handles a block that this node has made.
    pub(super) fn take_own_block(&mut self, ctx: &mut Ctx, bytes: &[u8]) -> io::Result<()> {
        let (block, _) = Block::decode(bytes).map_err(io::Error::other)?;
        let id = block.id(self.chain.genesis_id());
        self.observe(ctx, bytes)?;
        self.delivered.insert(id, (OWN, bytes.to_vec()));
        if let Err(refused) = self.chain.handle_header(self.clock(ctx), OWN, bytes) {
            ctx.note(self.at, format_args!("its own block {id:.16} is refused: {refused}"))?;
        }
        self.run(ctx)
    }

    /// Validates, stores and follows the best branch, and has the gossip fetch what is missing.
    pub(super) fn advance(&mut self, ctx: &mut Ctx) -> io::Result<()> {
        loop {
            while self.chain.work(SLICE) == Progress::Pending {}
            match self.chain.poll_event() {
                Some(event) => self.chain_event(ctx, event)?,
                None if self.feed(ctx) => {}
                None => break,
            }
        }
        self.update_mempool(ctx.now());
        let mut locator = [BlockId::default(); 31];
        let len = self.chain.locator(&mut locator);
        self.gossip.handle_tip(ctx.now(), self.chain.tip(), &locator[..len]);
        Ok(())
    }

    fn chain_event(&mut self, ctx: &mut Ctx, event: Event<RuleError>) -> io::Result<()> {
        match event {
            Event::Keep { id, .. } => {
                if let Some((_, bytes)) = self.delivered.remove(&id) {
                    self.store.insert(id, bytes);
                }
                self.chain.handle_saved(self.clock(ctx), &id);
            }
            Event::Connected { id, height } => {
                ctx.note(self.at, format_args!("connected block {height} {id:.16}"))?;
                self.connected(&id, ctx.now());
            }
            Event::Disconnected { id, height } => {
                ctx.note(self.at, format_args!("disconnected block {height} {id:.16}"))?;
                self.disconnected(ctx.now());
            }
            Event::Invalid { id, conn, why } => {
                ctx.note(self.at, format_args!("refused block {id:.16}: {why}"))?;
                self.delivered.remove(&id);
                self.gossip.handle_block_checked(ctx.now(), conn, BlockVerdict::Invalid);
            }
            _ => {}
        }
        Ok(())
    }

    /// Passes the body that is needed next to the chain if it is here. Otherwise the peers are asked.
    fn feed(&mut self, ctx: &Ctx) -> bool {
        let mut ids = [BlockId::default(); BLOCKS];
        let len = self.chain.needed_ahead(&mut ids);
        if let Some(id) = self.chain.needed() {
            let own = self.store.get(&id).map(|bytes| (OWN, bytes.clone()));
            if let Some((conn, bytes)) = own.or_else(|| self.delivered.get(&id).cloned()) {
                let result = self.chain.handle_block(self.clock(ctx), conn, &bytes);
                let verdict = BlockVerdict::of(&self.chain, &result);
                self.gossip.handle_block_checked(ctx.now(), conn, verdict);
                if matches!(verdict, BlockVerdict::Accepted { .. }) {
                    return true;
                }
                self.delivered.remove(&id);
            }
        }
        let is_here = |id: &BlockId| self.store.contains_key(id) || self.delivered.contains_key(id);
        let missing = ids[..len].iter().filter(|id| !is_here(id));
        let wanted: Vec<(Height, BlockId)> =
            missing.filter_map(|id| Some((self.chain.tip_of(id)?.height, *id))).collect();
        self.gossip.want_blocks(ctx.now(), &wanted);
        false
    }

    /// Removes from the mempool what the chain has, and inserts again what it does not have any more.
    fn update_mempool(&mut self, now: Duration) {
        if !self.is_stale || self.chain.is_busy() {
            return;
        }
        self.is_stale = false;
        self.mempool.update(&self.chain.state(), self.chain.tip().height);
        for bytes in core::mem::take(&mut self.taken_back) {
            if let Ok((signed, _)) = SignedTransaction::decode(&bytes) {
                // What is refused is in the chain by now.
                let _ = self.submit(now, &signed);
            }
        }
        for (place, bytes) in core::mem::take(&mut self.held) {
            if let Ok((signed, _)) = SignedTransaction::decode(&bytes)
                && let Err(MempoolError::Gap { .. }) = self.submit(now, &signed)
            {
                self.held.insert(place, bytes);
            }
        }
    }

    /// Inserts a transaction into the mempool and announces it. The mempool checks signature, order and coins.
    pub(super) fn submit(
        &mut self,
        now: Duration,
        signed: &SignedTransaction<'_>,
    ) -> Result<(), MempoolError> {
        self.mempool.insert(signed, &self.chain.state(), self.chain.tip().height)?;
        self.gossip.announce_transaction(now, &signed.id(self.chain.genesis_id()));
        Ok(())
    }

    /// Announces again all that waits for a block, to the peers that are not known to have it. Returns whether it
    /// was time.
    pub(super) fn announce_again(&mut self, now: Duration) -> bool {
        if now < self.announce_at || self.mempool.is_empty() {
            return false;
        }
        let rounds = self.mempool.len().div_ceil(ROUND);
        self.announce_at = now + ANNOUNCE * rounds as u32;
        let all = self.waiting();
        let Ok(waiting) = Body::from_bytes(&all) else { return false };
        for signed in &waiting {
            let id = signed.id(self.chain.genesis_id());
            self.gossip.forget_transaction(now, &id);
            self.gossip.announce_transaction(now, &id);
        }
        true
    }

    /// Keeps a transaction until those that it follows have come: different peers deliver them.
    pub(super) fn hold(&mut self, signed: &SignedTransaction<'_>) {
        let Transaction { source, sequence, .. } = *signed.transaction();
        if self.held.len() < RECEIPTS {
            self.held.insert((source, sequence), signed.as_bytes().to_vec());
        }
    }

    /// Submits the transactions that follow one which the mempool has now.
    pub(super) fn submit_following(&mut self, now: Duration, first: &Transaction<'_>) {
        let Transaction { source, mut sequence, .. } = *first;
        loop {
            sequence = sequence.saturating_add(1);
            let Some(bytes) = self.held.remove(&(source, sequence)) else { return };
            let Ok((signed, _)) = SignedTransaction::decode(&bytes) else { return };
            if self.submit(now, &signed).is_err() {
                return;
            }
        }
    }

    /// Returns the transactions of the next block: an even share of the receipts, and one record of evidence for each
    /// offender that has its stake yet.
    pub(super) fn body(&mut self) -> Vec<u8> {
        let left = LAST_HEIGHT.saturating_sub(self.chain.tip().height.0).max(1) as usize;
        let mut share = self.mempool.len().div_ceil(left);
        let all = self.waiting();
        let mut body = Vec::new();
        let mut offenders = BTreeSet::new();
        let Ok(waiting) = Body::from_bytes(&all) else { return body };
        for signed in &waiting {
            let is_due = if let Some(evidence) = evidence_of(&signed) {
                let offender = evidence.offender();
                self.has_stake(&offender) && offenders.insert(offender)
            } else {
                share = share.saturating_sub(1);
                share > 0 || left == 1
            };
            if is_due {
                body.extend_from_slice(signed.as_bytes());
            }
        }
        body
    }

    /// Returns all transactions that wait, in the order in which a block can hold them.
    fn waiting(&mut self) -> Vec<u8> {
        let mut all = vec![0; self.mempool.len() * Transaction::MAX_LEN];
        let len = self.mempool.template(&mut all);
        all.truncate(len);
        all
    }

    /// Returns whether a validator has a stake, after the last block.
    pub(super) fn has_stake(&self, id: &ValidatorId) -> bool {
        self.chain.engine().stake.validators().stake(id) > 0
    }

    fn connected(&mut self, id: &BlockId, now: Duration) {
        let Some(bytes) = self.store.get(id).cloned() else { return };
        let Some(tip) = self.chain.tip_of(id) else { return };
        self.is_stale = true;
        if let Ok((block, _)) = Block::decode(&bytes) {
            for evidence in evidence_in(&block) {
                self.convicted.entry(evidence.offender()).or_insert(evidence);
            }
            for signed in block.body() {
                self.gossip.forget_transaction(now, &signed.id(self.chain.genesis_id()));
            }
        }
        self.blocks.push(bytes);
        self.tips.push(tip);
        self.miner = None;
        self.waiting_since = now;
    }

    /// The last block was taken back: its transactions wait again.
    fn disconnected(&mut self, now: Duration) {
        self.tips.pop();
        self.miner = None;
        self.waiting_since = now;
        self.is_stale = true;
        let Some(bytes) = self.blocks.pop() else { return };
        let Ok((block, _)) = Block::decode(&bytes) else { return };
        let transactions = block.body().iter().map(|signed| signed.as_bytes().to_vec());
        self.taken_back.splice(0..0, transactions);
    }
}

/// Returns the evidence that a transaction records.
pub(super) fn evidence_of(signed: &SignedTransaction<'_>) -> Option<Equivocation> {
    let Action::Record(bytes) = signed.transaction().action else { return None };
    Some(Equivocation::decode(bytes).ok()?.0)
}
