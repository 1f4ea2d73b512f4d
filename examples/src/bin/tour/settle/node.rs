//! A node of the ledger: its chain, what waits for it, and what it has heard.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

use consensus::{Equivocation, EquivocationDetector, StatementSlot, ValidatorId};
use ledger_core::{Account, Block, BlockId, Body, Hash, Header, Tip, Transaction};
use pow::Miner;

use crate::rules::{Constitution, LAST_HEIGHT, TourChain, evidence_in};

pub struct LedgerNode {
    pub chain: TourChain,
    /// The blocks as they are stored.
    pub blocks: Vec<Vec<u8>>,
    /// The end of the chain after each of them.
    pub tips: Vec<Tip>,
    pub(super) pool: BTreeMap<(u64, Account), Vec<u8>>, // by sequence, then source: any front part is executable
    pub(super) detector: EquivocationDetector<Vec<StatementSlot>>,
    pub(super) candidates: Vec<Candidate>,
    pub(super) miner: Option<(Miner, Header, Vec<u8>)>,
    pub(super) convicted: BTreeMap<ValidatorId, Equivocation>,
    pub(super) proposed: BTreeSet<(u64, u32)>, // height and round
    pub(super) seen: BTreeSet<Hash>,
    pub(super) waiting_since: Duration,
}

pub(super) struct Candidate {
    pub(super) bytes: Vec<u8>,
    pub(super) id: BlockId,
    pub(super) height: u64,
    pub(super) round: u32,
    pub(super) author: ValidatorId,
    pub(super) heard: Duration,
}

impl LedgerNode {
    pub(super) fn new(constitution: &Constitution) -> io::Result<Self> {
        Ok(Self {
            chain: constitution.chain().map_err(io::Error::other)?,
            blocks: Vec::new(),
            tips: Vec::new(),
            pool: BTreeMap::new(),
            detector: EquivocationDetector::new(vec![StatementSlot::EMPTY; 64]),
            candidates: Vec::new(),
            miner: None,
            convicted: BTreeMap::new(),
            proposed: BTreeSet::new(),
            seen: BTreeSet::new(),
            waiting_since: Duration::ZERO,
        })
    }

    pub(super) fn is_void(&self, author: &ValidatorId, height: u64) -> bool {
        is_void(&self.convicted, author, height)
    }

    /// Keeps the receipts whose signatures fit.
    pub(super) fn take_receipts(&mut self, bytes: &[u8]) -> bool {
        let Ok(body) = Body::from_bytes(bytes) else { return false };
        for signed in &body {
            let Transaction { source, sequence, .. } = *signed.transaction();
            if signed.verify(self.chain.genesis_id()).is_ok() {
                self.pool.insert((sequence, source), signed.as_bytes().to_vec());
            }
        }
        true
    }

    /// Returns the transactions of the next block: an even share of the pool, then `records`.
    pub(super) fn body(&self, records: &[u8]) -> Vec<u8> {
        let left = LAST_HEIGHT.saturating_sub(self.chain.tip().height.0).max(1) as usize;
        let share = self.pool.len().div_ceil(left);
        let mut body = Vec::new();
        for bytes in self.pool.values().take(share) {
            body.extend_from_slice(bytes);
        }
        body.extend_from_slice(records);
        body
    }

    pub(super) fn appended(&mut self, bytes: Vec<u8>, now: Duration) {
        if let Ok((block, _)) = Block::decode(&bytes) {
            for signed in block.body() {
                let Transaction { source, sequence, .. } = *signed.transaction();
                self.pool.remove(&(sequence, source));
            }
            for evidence in evidence_in(&block) {
                self.convicted.entry(evidence.offender()).or_insert(evidence);
            }
        }
        self.blocks.push(bytes);
        self.tips.push(*self.chain.tip());
        self.miner = None;
        self.waiting_since = now;
    }
}

/// From the height on at which it signed twice, nothing counts that an offender makes; what it made
/// before does.
pub(super) fn is_void(
    convicted: &BTreeMap<ValidatorId, Equivocation>,
    author: &ValidatorId,
    height: u64,
) -> bool {
    let since = |evidence: &Equivocation| evidence.offence().slot;
    convicted.get(author).is_some_and(|evidence| height >= since(evidence))
}
