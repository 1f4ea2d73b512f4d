//! How a node makes blocks: in its turn as an authority, when it is drawn by its stake, or by work.

use core::time::Duration;

use consensus::{
    AuthoritySeal, AuthoritySlot, StakeSeal, ValidatorVec, statement_of, validator_id,
};
use examples::cli::{self, sentence};
use ledger_core::{Block, BlockError, Body, Claim, Header, Refused};
use pow::{CompactTarget, Miner, Step, WorkSeal};

use super::daemon::Daemon;
use super::rule::Rule;
use super::{Network, Seal};

type Authority = AuthoritySeal<Vec<AuthoritySlot>>;
type Stake = StakeSeal<ValidatorVec>;

/// Hashes between two looks at the network.
const SLICE: u32 = 20_000;
/// A validator steps in for at most this many others in a row.
const MAX_ROUNDS: u64 = 64;
/// The transactions of a block have at most this many bytes.
const MAX_BODY: usize = 32 << 10;

/// A block whose nonce is searched.
pub struct Work {
    miner: Miner,
    header: Header,
    body: Vec<u8>,
    bits: CompactTarget,
}

impl Daemon {
    /// Makes a block if transactions wait and it is this node's turn. Returns whether there is more to do at once.
    pub fn seal(&mut self) -> cli::Result<bool> {
        if self.node.is_busy() || self.mempool.is_empty() {
            self.work = None;
            return Ok(false);
        }
        match (&self.network.seal, self.key.is_some()) {
            (Seal::Work { bits }, true) => self.search(*bits),
            (Seal::Authority { .. }, true) => self.sign().map(|()| false),
            (Seal::Stake { patience, .. }, true) => self.sign_drawn(*patience).map(|()| false),
            (_, false) => Ok(false),
        }
    }

    /// Returns the header and the body of the next block, or `None` while no transaction can be in one.
    fn propose(&mut self, claim: Claim) -> cli::Result<Option<(Header, Vec<u8>)>> {
        let author = self.key.as_ref().map(ledger_core::KeyPair::account).unwrap_or_default();
        let time = self.clock().as_secs().max(self.node.median_time().saturating_add(1));
        let mut room = MAX_BODY;
        loop {
            let mut bytes = vec![0; room];
            let len = self.mempool.template(&mut bytes);
            bytes.truncate(len);
            let body = Body::from_bytes(&bytes).map_err(sentence)?;
            if body.is_empty() {
                return Ok(None);
            }
            match self.node.propose(time, author, &body, claim) {
                Ok(header) => return Ok(Some((header, bytes))),
                Err(Refused::NoRoom { .. }) => room = len / 2,
                Err(Refused::Invalid(BlockError::Transaction { index, .. })) => {
                    // Such as a second mint of one asset. What does not fail stays.
                    let Some(failed) = body.iter().nth(index as usize) else { return Ok(None) };
                    self.mempool.remove(&failed.id(self.node.genesis_id()));
                }
                Err(_) => return Ok(None),
            }
        }
    }

    fn search(&mut self, bits: u32) -> cli::Result<bool> {
        if self.work.is_none() {
            let bits = Network::target(bits);
            let Some((header, body)) = self.propose(WorkSeal::claim(bits, 0))? else {
                return Ok(false);
            };
            let miner = WorkSeal::miner(self.node.genesis_id(), &header, 0..=u64::MAX);
            let miner = miner.map_err(sentence)?;
            self.work = Some(Work { miner, header, body, bits });
        }
        let Some(work) = &mut self.work else { return Ok(false) };
        let Step::Found(nonce) = work.miner.step(SLICE) else { return Ok(true) };
        if let Some(work) = self.work.take() {
            let header = Header { claim: WorkSeal::claim(work.bits, nonce), ..work.header };
            self.publish(header, &[], &work.body)?;
        }
        Ok(false)
    }

    /// Signs a block, in turn or after the authority in turn had its time.
    fn sign(&mut self) -> cli::Result<()> {
        let Some(key) = &self.key else { return Ok(()) };
        let id = validator_id(key);
        let tip = *self.node.tip();
        let height = tip.height.0 + 1;
        let Rule::Authority(rule) = self.node.engine() else { return Ok(()) };
        let authorities = rule.authorities();
        let now = self.clock();
        let due = Duration::from_secs(rule.earliest(&tip));
        if authorities.turn(&id, height).is_err() || now < due {
            return Ok(());
        }
        // Since when transactions wait, not since the last block, which may be long ago.
        let waited = now.saturating_sub(self.waiting_since.max(due));
        let place = authorities.iter().position(|other| other == id).unwrap_or(0) as u32;
        let patience = Duration::from_millis(1500) + Duration::from_millis(500) * place;
        if authorities.in_turn(height) != Some(id) && waited < patience {
            return Ok(());
        }
        self.sign_block(Authority::claim(&id), 0)
    }

    /// Signs a block if this node is drawn for one of the rounds for whose time transactions have waited.
    fn sign_drawn(&mut self, patience: u64) -> cli::Result<()> {
        let Some(key) = &self.key else { return Ok(()) };
        let id = validator_id(key);
        let tip = *self.node.tip();
        let Rule::Stake(rule) = self.node.engine() else { return Ok(()) };
        let now = self.clock();
        let waited = now.saturating_sub(self.waiting_since).as_secs();
        let rounds = waited.checked_div(patience.max(1)).unwrap_or(0).min(MAX_ROUNDS) as u32;
        let is_drawn = |round: &u32| {
            rule.proposer(&tip, *round) == Some(id) && rule.earliest(&tip, *round) <= now.as_secs()
        };
        let round = (0..=rounds).find(is_drawn);
        match round {
            Some(round) => self.sign_block(Stake::claim(round, &id), round),
            None => Ok(()),
        }
    }

    /// Makes and signs a block, unless this node has signed one of its height.
    fn sign_block(&mut self, claim: Claim, round: u32) -> cli::Result<()> {
        let height = self.node.tip().height.0 + 1;
        if self.signed >= height {
            return Ok(()); // never two blocks of one height
        }
        let Some((header, body)) = self.propose(claim)? else { return Ok(()) };
        let Some(key) = &self.key else { return Ok(()) };
        let proof = key.sign(&statement_of(self.node.genesis_id(), &header, round));
        self.db.keep_signed(height)?;
        self.signed = height;
        self.publish(header, proof.as_bytes(), &body)
    }

    fn publish(&mut self, header: Header, proof: &[u8], body: &[u8]) -> cli::Result<()> {
        let body = Body::from_bytes(body).map_err(sentence)?;
        let block = Block::new(header, proof, body).map_err(sentence)?;
        let mut bytes = vec![0; block.encoded_len()];
        block.encode(&mut bytes).map_err(sentence)?;
        self.take_own_block(&bytes)
    }
}
