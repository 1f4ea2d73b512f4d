//! What a ledger node does by itself: append, mine, and propose by stake or by authority.

use std::io;

use consensus::{
    AuthoritySeal, AuthoritySlot, Equivocation, StakeSeal, ValidatorId, ValidatorVec, statement_of,
};
use ledger_core::{Action, Block, Body, Claim, ClaimKind, Header, Refused, Transaction};
use pow::{Step, WorkSeal};

use super::Settlement;
use super::node::LedgerNode;
use crate::ctx::Ctx;
use crate::net::{Conn, NodeId, Service};
use crate::rules::{LAST_HEIGHT, STAKE_UNTIL, kind_at};

type Stake = StakeSeal<ValidatorVec>;
type Authority = AuthoritySeal<Vec<AuthoritySlot>>;

/// The block from which on the first proposer by stake signs twice, and the one at which the authority in turn is silent.
const DOUBLE_AT: u64 = 5;
const SILENT_AT: u64 = 8;
/// Hashes that each node tries in a tick.
const SLICE: u32 = 2000;

impl Settlement<'_> {
    /// Everything that a node does by itself.
    pub(super) fn act(&mut self, ctx: &mut Ctx, at: NodeId) -> io::Result<()> {
        self.report(ctx, at)?;
        let now = ctx.now();
        let node = &self.nodes[at.index()];
        let height = node.chain.tip().height.0 + 1;
        // A while after each block, so that a contradiction is heard of before the next one.
        let is_quiet = now >= node.waiting_since + self.witness;
        if height > LAST_HEIGHT || node.chain.is_busy() || !is_quiet {
            return Ok(());
        }
        match kind_at(height) {
            ClaimKind::WORK => self.mine(ctx, at),
            ClaimKind::STAKE => self.propose_by_stake(ctx, at, height),
            _ => self.propose_by_authority(ctx, at, height),
        }
    }

    fn mine(&mut self, ctx: &mut Ctx, at: NodeId) -> io::Result<()> {
        let unix = self.nodes[at.index()].unix(ctx);
        if self.nodes[at.index()].miner.is_none() {
            let body = self.nodes[at.index()].body();
            let required = self.nodes[at.index()].chain.engine().work.required(unix);
            let claim = WorkSeal::claim(required.map_err(io::Error::other)?, 0);
            let Some(header) = self.propose(at, unix, &body, claim)? else { return Ok(()) };
            let node = &mut self.nodes[at.index()];
            let miner = WorkSeal::miner(node.chain.genesis_id(), &header, 0..=u64::MAX);
            node.miner = Some((miner.map_err(io::Error::other)?, header, body));
        }
        let node = &mut self.nodes[at.index()];
        let Some((miner, header, body)) = &mut node.miner else { return Ok(()) };
        let before = miner.tried();
        let step = miner.step(SLICE);
        self.hashes += miner.tried() - before;
        let Step::Found(nonce) = step else { return Ok(()) };
        if let Some(bits) = header.claim.as_bytes().first_chunk() {
            header.claim = WorkSeal::claim(pow::CompactTarget(u32::from_be_bytes(*bits)), nonce);
        }
        let block = encode(*header, &[], body)?;
        ctx.note(at, format_args!("found nonce {nonce} after {} hashes", miner.tried()))?;
        self.nodes[at.index()].take_own_block(ctx, &block)
    }

    fn propose_by_stake(&mut self, ctx: &mut Ctx, at: NodeId, height: u64) -> io::Result<()> {
        let unix = self.nodes[at.index()].unix(ctx);
        let node = &mut self.nodes[at.index()];
        let parent = *node.chain.tip();
        let rule = &node.chain.engine().stake;
        // A round begins when the proposers of those before it had their time. Who was caught has none.
        let silent = ctx.now().saturating_sub(node.waiting_since).as_millis()
            / (2 * self.witness).as_millis();
        let id = self.keys[at.index()].id();
        let round = (0..1000)
            .filter_map(|round| Some((round, rule.proposer(&parent, round)?)))
            .filter(|(_, proposer)| !node.convicted.contains_key(proposer))
            .take(silent as usize + 1)
            .find(|(_, proposer)| *proposer == id);
        let Some((round, _)) = round else { return Ok(()) };
        let earliest = rule.earliest(&parent, round);
        if unix < earliest || node.proposed.contains(&(height, round)) {
            return Ok(());
        }
        let body = self.nodes[at.index()].body();
        let Some(honest) = self.staked(at, unix, round, &body)? else { return Ok(()) };
        self.nodes[at.index()].proposed.insert((height, round));
        if (DOUBLE_AT..=STAKE_UNTIL).contains(&height) && self.double_signer.is_none() {
            self.double_signer = Some(at);
            // Two empty blocks differ in their time only.
            let time = if body.is_empty() { unix + 1 } else { unix };
            let other = self.staked(at, time, round, &[])?.unwrap_or_default();
            ctx.note(at, format_args!("signs two blocks for height {height}"))?;
            return self.tell_halves(ctx, at, &honest, &other);
        }
        self.nodes[at.index()].take_own_block(ctx, &honest)
    }

    /// Divides the neighbours of a dishonest node between two instances of it with one key. Each is an ordinary peer with
    /// one chain, and announces one of the two blocks.
    fn tell_halves(
        &mut self,
        ctx: &mut Ctx,
        at: NodeId,
        one: &[u8],
        other: &[u8],
    ) -> io::Result<()> {
        let second = self.nodes.len();
        let mut instance = LedgerNode::new(self.constitution, at, second as u64, self.receipts)?;
        for block in &self.nodes[at.index()].blocks {
            instance.take_own_block(ctx, block)?;
        }
        self.nodes.push(instance);
        let conns = self.conns.iter().filter(|(_, node)| **node == at.index());
        let moved: Vec<Conn> = conns.map(|(conn, _)| *conn).skip(1).step_by(2).collect();
        for conn in moved {
            self.conns.remove(&conn);
            ctx.net.close(conn);
            self.nodes[at.index()].closed(ctx, conn)?;
            if let Some(peer) = ctx.peer_of(conn) {
                self.conns.insert(ctx.net.connect(at, peer, Service::Ledger), second);
            }
        }
        self.nodes[second].take_own_block(ctx, other)?;
        self.nodes[at.index()].take_own_block(ctx, one)
    }

    /// Returns a block by stake, or `None` while the clock is not past the median of the blocks before it.
    fn staked(
        &mut self,
        at: NodeId,
        unix: u64,
        round: u32,
        body: &[u8],
    ) -> io::Result<Option<Vec<u8>>> {
        let keys = &self.keys[at.index()];
        let claim = Stake::claim(round, &keys.id());
        let Some(header) = self.propose(at, unix, body, claim)? else { return Ok(None) };
        let genesis = self.nodes[at.index()].chain.genesis_id();
        let signature = keys.wallet.sign(&statement_of(genesis, &header, round));
        encode(header, signature.as_bytes(), body).map(Some)
    }

    /// Returns the header of the next block, or `None` while the clock is not past the median of the blocks before it.
    fn propose(
        &mut self,
        at: NodeId,
        unix: u64,
        body: &[u8],
        claim: Claim,
    ) -> io::Result<Option<Header>> {
        let author = self.keys[at.index()].wallet.account();
        let body = Body::from_bytes(body).map_err(io::Error::other)?;
        match self.nodes[at.index()].chain.propose(unix, author, &body, claim) {
            Ok(header) => Ok(Some(header)),
            Err(Refused::NotYet { .. }) => Ok(None),
            Err(error) => Err(io::Error::other(error)),
        }
    }

    fn propose_by_authority(&mut self, ctx: &mut Ctx, at: NodeId, height: u64) -> io::Result<()> {
        let id = self.keys[at.index()].id();
        let now = ctx.now();
        let node = &self.nodes[at.index()];
        let authorities = node.chain.engine().authority.authorities();
        let turn = authorities.in_turn(height);
        // Out of turn the first that may steps in, once the one in turn had its time.
        let may =
            |other: &ValidatorId| Some(*other) != turn && authorities.turn(other, height).is_ok();
        let waited = now >= node.waiting_since + self.witness * 2;
        // For the sake of the lesson the one in turn is silent once, if somebody can step in.
        let silent = height == SILENT_AT && authorities.iter().any(|other| may(&other));
        let mine = if turn == Some(id) {
            !silent && authorities.turn(&id, height).is_ok()
        } else {
            waited && authorities.iter().find(may) == Some(id)
        };
        let unix = self.nodes[at.index()].unix(ctx);
        let earliest = node.chain.engine().authority.earliest(node.chain.tip());
        if !mine || unix < earliest || node.proposed.contains(&(height, 0)) {
            return Ok(());
        }
        let body = self.nodes[at.index()].body();
        let claim = Authority::claim(&id);
        let Some(header) = self.propose(at, unix, &body, claim)? else { return Ok(()) };
        let node = &mut self.nodes[at.index()];
        node.proposed.insert((height, 0));
        let wallet = &self.keys[at.index()].wallet;
        let signature = wallet.sign(&statement_of(node.chain.genesis_id(), &header, 0));
        let block = encode(header, signature.as_bytes(), &body)?;
        self.nodes[at.index()].take_own_block(ctx, &block)
    }

    /// Submits the evidence that a node has found as transactions of its second account.
    fn report(&mut self, ctx: &mut Ctx, at: NodeId) -> io::Result<()> {
        let own = self.keys[at.index()].id();
        let key = &self.keys[at.index()].witness;
        let node = &mut self.nodes[at.index()];
        if node.chain.is_busy() {
            return Ok(());
        }
        for evidence in core::mem::take(&mut node.found) {
            self.evidence = Some(evidence);
            if evidence.offender() == own || !node.has_stake(&evidence.offender()) {
                continue;
            }
            let mut bytes = [0; Equivocation::LEN];
            evidence.encode(&mut bytes).map_err(io::Error::other)?;
            let sequence = node.chain.state().sequence(&key.account());
            let record = Transaction::new(key.account(), sequence, Action::Record(&bytes));
            let mut buf = [0; Transaction::MAX_LEN];
            let signed = record.sign(node.chain.genesis_id(), key, &mut buf);
            let signed = signed.map_err(io::Error::other)?;
            node.submit(ctx.now(), &signed).map_err(io::Error::other)?;
            node.run(ctx)?;
        }
        Ok(())
    }
}

fn encode(header: Header, proof: &[u8], body: &[u8]) -> io::Result<Vec<u8>> {
    let body = Body::from_bytes(body).map_err(io::Error::other)?;
    let block = Block::new(header, proof, body).map_err(io::Error::other)?;
    let mut out = vec![0; block.encoded_len()];
    block.encode(&mut out).map_err(io::Error::other)?;
    Ok(out)
}
