//! What a ledger node does by itself: append, mine, and propose by stake or by authority.

use std::io;

use consensus::{Equivocation, StakeSeal, ValidatorId, ValidatorSlot, statement_of};
use ledger_core::{Action, Block, Body, ChainId, Header, SealKind, Transaction};
use pow::{Step, WorkSeal};

use super::{BLOCK, Settlement, say};
use crate::ctx::Ctx;
use crate::net::{Conn, NodeId};
use crate::rules::{LAST_HEIGHT, kind_at};

type Stake = StakeSeal<Vec<ValidatorSlot>>;

/// The block at which the proposer signs twice, and the one at which the authority in turn is silent.
const DOUBLE_AT: u64 = 5;
const SILENT_AT: u64 = 8;
/// Hashes that each node tries in a tick.
const SLICE: u32 = 2000;

impl Settlement<'_> {
    /// Everything that a node does by itself.
    pub(super) fn act(&mut self, ctx: &mut Ctx, at: NodeId) -> io::Result<()> {
        self.append_due(ctx, at)?;
        let height = self.nodes[at.index()].chain.tip().height.0 + 1;
        if height > LAST_HEIGHT
            || self.nodes[at.index()].candidates.iter().any(|c| c.height == height)
        {
            return Ok(());
        }
        match kind_at(height) {
            SealKind::WORK => self.mine(ctx, at),
            SealKind::STAKE => self.propose_by_stake(ctx, at, height),
            _ => self.propose_by_authority(ctx, at, height),
        }
    }

    /// Appends the candidate that was heard of long enough ago; among several the lowest hash.
    fn append_due(&mut self, ctx: &mut Ctx, at: NodeId) -> io::Result<()> {
        let (now, witness, unix) = (ctx.now(), self.witness, self.unix(ctx));
        let node = &mut self.nodes[at.index()];
        let height = node.chain.tip().height.0 + 1;
        if !node.candidates.iter().any(|c| c.height == height && c.heard + witness <= now) {
            return Ok(());
        }
        node.candidates
            .sort_by_key(|candidate| (candidate.height, candidate.round, candidate.hash));
        while let Some(at_height) = node.candidates.iter().position(|c| c.height == height) {
            let candidate = node.candidates.remove(at_height);
            match node.chain.append(unix, &candidate.bytes) {
                Ok(tip) => {
                    node.appended(candidate.bytes, now);
                    return ctx.note(
                        at,
                        format_args!(
                            "appended block {} {:.16} {}",
                            tip.height, tip.hash, tip.weight
                        ),
                    );
                }
                Err(error) => ctx.note(at, format_args!("refused block {height}: {error}"))?,
            }
        }
        Ok(())
    }

    fn mine(&mut self, ctx: &mut Ctx, at: NodeId) -> io::Result<()> {
        let (unix, author) = (self.unix(ctx), self.keys[at.index()].wallet.account());
        let node = &mut self.nodes[at.index()];
        if node.miner.is_none() {
            let body = node.body(&[]);
            let parsed = Body::from_bytes(&body).map_err(io::Error::other)?;
            let header = node.chain.propose(unix, author, &parsed, SealKind::WORK, WorkSeal::LEN);
            let miner =
                node.chain.seal().work.miner(&header, 0..=u64::MAX).map_err(io::Error::other)?;
            node.miner = Some((miner, header, body));
        }
        let Some((miner, header, body)) = &mut node.miner else { return Ok(()) };
        let before = miner.tried();
        let step = miner.step(SLICE);
        self.hashes += miner.tried() - before;
        let Step::Found(nonce) = step else { return Ok(()) };
        let block = encode(*header, &node.chain.seal().work.seal(nonce), body)?;
        ctx.note(at, format_args!("found nonce {nonce} after {} hashes", miner.tried()))?;
        self.take(ctx, at, BLOCK, &block)
    }

    fn propose_by_stake(&mut self, ctx: &mut Ctx, at: NodeId, height: u64) -> io::Result<()> {
        let node = &mut self.nodes[at.index()];
        let (parent, rule) = (node.chain.tip(), &node.chain.seal().stake);
        // A round begins when the proposers of those before it had their time. Who was caught has none.
        let silent = ctx.now().saturating_sub(node.waiting_since).as_millis()
            / (2 * self.witness).as_millis();
        let id = self.keys[at.index()].id();
        let round = (0..1000)
            .filter_map(|round| Some((round, rule.proposer(&parent, round)?)))
            .filter(|(_, proposer)| !node.convicted.contains_key(proposer))
            .take(silent as usize + 1)
            .find(|(_, proposer)| *proposer == id);
        let Some((round, _)) = round.filter(|(round, _)| node.proposed.insert((height, *round)))
        else {
            return Ok(());
        };
        let unix =
            self.unix(ctx).max(self.nodes[at.index()].chain.seal().stake.earliest(&parent, round));
        let records = self.records(at)?;
        let honest = self.staked(at, unix, round, &self.nodes[at.index()].body(&records))?;
        if height == DOUBLE_AT && self.double_signer.is_none() {
            self.double_signer = Some(at);
            let other = self.staked(at, unix + 1, round, &[])?;
            ctx.note(at, format_args!("signs two blocks for height {height}"))?;
            return self.tell_halves(ctx, at, &honest, &other);
        }
        self.take(ctx, at, BLOCK, &honest)
    }

    /// Half of the neighbours hear of one block, the other half of another.
    fn tell_halves(
        &mut self,
        ctx: &mut Ctx,
        at: NodeId,
        one: &[u8],
        other: &[u8],
    ) -> io::Result<()> {
        let conns: Vec<Conn> =
            self.conns.iter().filter(|(_, (node, _))| *node == at).map(|(conn, _)| *conn).collect();
        for (n, conn) in conns.into_iter().enumerate() {
            say(ctx, conn, BLOCK, if n % 2 == 0 { one } else { other })?;
        }
        Ok(())
    }

    fn staked(&self, at: NodeId, unix: u64, round: u32, body: &[u8]) -> io::Result<Vec<u8>> {
        let (node, wallet) = (&self.nodes[at.index()], &self.keys[at.index()].wallet);
        let parsed = Body::from_bytes(body).map_err(io::Error::other)?;
        let header =
            node.chain.propose(unix, wallet.account(), &parsed, SealKind::STAKE, Stake::LEN);
        let signature = wallet.sign(&statement_of(&header, round).to_bytes());
        encode(header, &Stake::seal(round, signature.as_bytes()), body)
    }

    fn propose_by_authority(&mut self, ctx: &mut Ctx, at: NodeId, height: u64) -> io::Result<()> {
        let (id, now) = (self.keys[at.index()].id(), ctx.now());
        let node = &self.nodes[at.index()];
        let authorities = node.chain.seal().authority.authorities();
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
        if !mine || !self.nodes[at.index()].proposed.insert((height, 0)) {
            return Ok(());
        }
        let records = self.records(at)?;
        let node = &self.nodes[at.index()];
        let (wallet, body) = (&self.keys[at.index()].wallet, node.body(&records));
        let parsed = Body::from_bytes(&body).map_err(io::Error::other)?;
        let unix = self.unix(ctx).max(node.chain.tip().time + 1);
        let header = node.chain.propose(unix, wallet.account(), &parsed, SealKind::AUTHORITY, 64);
        let signature = wallet.sign(&statement_of(&header, 0).to_bytes());
        let block = encode(header, signature.as_bytes(), &body)?;
        self.take(ctx, at, BLOCK, &block)
    }

    /// Evidence that is not on record yet, as transactions of the node's second account.
    fn records(&self, at: NodeId) -> io::Result<Vec<u8>> {
        let (node, key) = (&self.nodes[at.index()], &self.keys[at.index()].witness);
        let on_record = |id: &ValidatorId| node.chain.seal().stake.validators().stake(id) == 0;
        let first = node.chain.state().sequence(&key.account());
        let (mut out, mut buf) = (Vec::new(), [0; Transaction::MAX_LEN]);
        let missing = node.convicted.values().filter(|evidence| !on_record(&evidence.offender()));
        for (sequence, evidence) in (first..).zip(missing) {
            let mut bytes = [0; Equivocation::LEN];
            evidence.encode(&mut bytes).map_err(io::Error::other)?;
            let action = Action::Record(&bytes);
            let record =
                Transaction { chain: ChainId(1), source: key.account(), sequence, fee: 0, action };
            let mut place = [0; Transaction::MAX_LEN + 2];
            let signed = record.sign(key, &mut buf).map_err(io::Error::other)?;
            let len = Body::push(&signed, &mut place).map_err(io::Error::other)?;
            out.extend_from_slice(&place[..len]);
        }
        Ok(out)
    }
}

fn encode(header: Header, seal: &[u8], body: &[u8]) -> io::Result<Vec<u8>> {
    let body = Body::from_bytes(body).map_err(io::Error::other)?;
    let block = Block::new(header, seal, body);
    let mut out = vec![0; block.encoded_len()];
    block.encode(&mut out).map_err(io::Error::other)?;
    Ok(out)
}
