//! LEDGER: every delivery becomes a signed receipt; blocks are mined, then drawn by stake, then sealed by
//! authorities, on one chain; a validator that signs twice is caught.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

use consensus::{
    Equivocation, SignedStatement, StakeSeal, ValidatorId, ValidatorSlot, Watch, WatchSlot,
    statement_of,
};
use ledger_core::{
    Account, Action, Block, Body, ChainId, Hash, Header, SealKind, SignedTransaction, Transaction,
};
use pow::{Miner, Step, WorkSeal};

use crate::ctx::{Ctx, Failure, Stage, Tongue};
use crate::net::{Conn, Incoming, NodeId, Service};
use crate::rules::{Constitution, Keys, LAST_HEIGHT, SUBSIDY, TourChain, evidence_in, kind_at};
use crate::song::Cast;
use crate::swarm::Delivery;

// Messages between ledger nodes: length u32, kind u8, payload.
const RECEIPTS: u8 = b'T';
const BLOCK: u8 = b'B';
const EVIDENCE: u8 = b'E';

/// More receipts than this are summed up.
const MOST_RECEIPTS: usize = 2000;
/// How often a node looks at what it has to do.
const TICK: Duration = Duration::from_millis(10);
/// The block at which the proposer signs twice, and the one at which the authority in turn is silent.
const DOUBLE_AT: u64 = 5;
const SILENT_AT: u64 = 8;
/// Hashes that each node tries in a tick.
const SLICE: u32 = 2000;

type Stake = StakeSeal<Vec<ValidatorSlot>>;

pub struct Settlement<'k> {
    cast: Cast,
    keys: &'k [Keys],
    nodes: Vec<LedgerNode>,
    alive: Vec<NodeId>,
    conns: BTreeMap<Conn, (NodeId, Vec<u8>)>,
    links_wanted: usize,
    links_open: usize,
    next_tick: Duration,
    witness: Duration,
    base_time: u64,
    pub receipts: usize,
    pub hashes: u64,
    pub evidence: Option<Equivocation>,
    pub double_signer: Option<NodeId>,
    receipts_sent: bool,
    deliveries: Vec<Delivery>,
}

pub struct LedgerNode {
    pub chain: TourChain,
    /// The blocks as they are stored.
    pub blocks: Vec<Vec<u8>>,
    pool: BTreeMap<(u64, Account), Vec<u8>>, // by sequence, then source: any front part is executable
    watch: Watch<Vec<WatchSlot>>,
    candidates: Vec<Candidate>,
    miner: Option<(Miner, Header, Vec<u8>)>,
    convicted: BTreeMap<ValidatorId, Equivocation>,
    proposed: BTreeSet<(u64, u32)>, // height and round
    seen: BTreeSet<Hash>,
    waiting_since: Duration,
}

struct Candidate {
    bytes: Vec<u8>,
    hash: Hash,
    height: u64,
    round: u32,
    author: ValidatorId,
    heard: Duration,
}

impl<'k> Settlement<'k> {
    pub fn new(
        ctx: &mut Ctx,
        keys: &'k [Keys],
        constitution: &Constitution,
        cast: Cast,
        deliveries: Vec<Delivery>,
    ) -> io::Result<Self> {
        let nodes =
            cast.all().map(|_| LedgerNode::new(constitution)).collect::<io::Result<Vec<_>>>()?;
        Ok(Self {
            cast,
            keys,
            nodes,
            alive: cast.all().filter(|node| *node != cast.victim()).collect(),
            conns: BTreeMap::new(),
            links_wanted: 0,
            links_open: 0,
            next_tick: ctx.now(),
            // Long enough for a message to reach everybody, losses included.
            witness: Duration::from_millis(if ctx.args.sim { 2500 } else { 200 }),
            base_time: constitution.time,
            receipts: 0,
            hashes: 0,
            evidence: None,
            double_signer: None,
            receipts_sent: false,
            deliveries,
        })
    }

    /// Every node dials three others: a mesh in which all gossip reaches all.
    pub fn start(&mut self, ctx: &mut Ctx) {
        let len = self.alive.len();
        for (n, from) in self.alive.clone().into_iter().enumerate() {
            for step in [1, 2, 5] {
                let to = self.alive[(n + step) % len];
                let conn = ctx.net.connect(from, to, Service::Ledger);
                self.conns.insert(conn, (from, Vec::new()));
                self.links_wanted += 2;
            }
        }
    }

    pub fn living(&self) -> impl Iterator<Item = (NodeId, &LedgerNode)> {
        self.alive.iter().map(|node| (*node, &self.nodes[node.index()]))
    }

    pub fn is_living(&self, node: NodeId) -> bool {
        self.alive.contains(&node)
    }

    /// Returns whether all living nodes have the same tip.
    pub fn tips_agree(&self) -> bool {
        let mut tips = self.living().map(|(_, node)| node.chain.tip());
        let first = tips.next();
        tips.all(|tip| Some(tip) == first)
    }

    pub fn node_of(&self, account: &Account) -> Option<NodeId> {
        let of = |keys: &Keys| keys.wallet.account() == *account;
        self.keys.iter().position(of).map(|index| NodeId(index as u16))
    }

    /// Returns what a node was paid and what it paid, in coins, by the deliveries.
    pub fn earned_and_spent(&self, node: NodeId) -> (u64, u64) {
        let sum = |of: fn(&Delivery) -> NodeId| {
            self.grouped()
                .iter()
                .filter(|delivery| of(delivery) == node)
                .map(|delivery| price(delivery.bytes))
                .sum()
        };
        (sum(|delivery| delivery.giver), sum(|delivery| delivery.taker))
    }

    /// Returns the account of a node.
    pub fn account(&self, node: NodeId) -> Account {
        self.keys[node.index()].wallet.account()
    }

    /// Returns what a node received for the blocks it made.
    pub fn rewards(&self, node: NodeId) -> u64 {
        let Some((_, ledger)) = self.living().next() else { return 0 };
        let author = self.account(node);
        let made = ledger.blocks.iter().filter_map(|bytes| Block::decode(bytes).ok());
        made.filter(|(block, _)| block.header().author == author).count() as u64 * SUBSIDY
    }

    /// Sums deliveries up, where there are too many, per pair of nodes.
    fn grouped(&self) -> Vec<Delivery> {
        let size = self.deliveries.len().div_ceil(MOST_RECEIPTS).max(1);
        let mut pairs: BTreeMap<(NodeId, NodeId), Vec<u64>> = BTreeMap::new();
        for Delivery { giver, taker, bytes } in &self.deliveries {
            pairs.entry((*taker, *giver)).or_default().push(*bytes);
        }
        let groups = pairs.into_iter().flat_map(|((taker, giver), bytes)| {
            let sums: Vec<u64> = bytes.chunks(size).map(|chunk| chunk.iter().sum()).collect();
            sums.into_iter().map(move |bytes| Delivery { giver, taker, bytes })
        });
        groups.collect()
    }

    /// Every taker signs a receipt for each delivery: so many coins to the giver.
    fn send_receipts(&mut self, ctx: &mut Ctx) -> io::Result<()> {
        self.receipts_sent = true;
        let mut sequences = BTreeMap::new();
        let mut bodies: BTreeMap<NodeId, Vec<u8>> = BTreeMap::new();
        let mut buf = [0; Transaction::MAX_LEN];
        let mut out = [0; Transaction::MAX_LEN + 2];
        let grouped = self.grouped();
        self.receipts = grouped.len();
        for Delivery { giver, taker, bytes } in grouped {
            let key = &self.keys[taker.index()].wallet;
            let sequence: &mut u64 = sequences.entry(taker).or_default();
            let action =
                Action::Pay { to: self.keys[giver.index()].wallet.account(), amount: price(bytes) };
            let receipt = Transaction {
                chain: ChainId(1),
                source: key.account(),
                sequence: *sequence,
                fee: 0,
                action,
            };
            *sequence += 1;
            let signed = receipt.sign(key, &mut buf).map_err(io::Error::other)?;
            let len = Body::push(&signed, &mut out).map_err(io::Error::other)?;
            bodies.entry(taker).or_default().extend_from_slice(&out[..len]);
        }
        for (taker, body) in bodies {
            self.take(ctx, taker, RECEIPTS, &body)?;
        }
        Ok(())
    }

    /// Takes in a message, from a peer or made by the node itself, and passes on what is new.
    fn take(&mut self, ctx: &mut Ctx, at: NodeId, kind: u8, payload: &[u8]) -> io::Result<()> {
        let node = &mut self.nodes[at.index()];
        if !node.seen.insert(Hash::of(payload)) {
            return Ok(());
        }
        let worth = match kind {
            RECEIPTS => node.take_receipts(payload),
            BLOCK => self.take_block(ctx, at, payload)?,
            EVIDENCE => self.take_evidence(ctx, at, payload)?,
            _ => false,
        };
        if worth { self.gossip(ctx, at, kind, payload) } else { Ok(()) }
    }

    fn gossip(&mut self, ctx: &mut Ctx, at: NodeId, kind: u8, payload: &[u8]) -> io::Result<()> {
        let conns: Vec<Conn> =
            self.conns.iter().filter(|(_, (node, _))| *node == at).map(|(conn, _)| *conn).collect();
        conns.into_iter().try_for_each(|conn| say(ctx, conn, kind, payload))
    }

    /// A block waits a while before it is appended, so that a contradiction would be heard of.
    fn take_block(&mut self, ctx: &mut Ctx, at: NodeId, bytes: &[u8]) -> io::Result<bool> {
        let Ok((block, [])) = Block::decode(bytes) else { return Ok(false) };
        let (header, now) = (*block.header(), ctx.now());
        let author = ValidatorId(*header.author.as_bytes());
        let mut round = 0;
        let node = &mut self.nodes[at.index()];
        if let (SealKind::STAKE, Some((head, signature))) =
            (header.seal_kind, block.seal().split_first_chunk())
        {
            round = u32::from_be_bytes(*head);
            let Ok(signature) = signature.try_into() else { return Ok(false) };
            let signed =
                SignedStatement { statement: statement_of(&header, round), author, signature };
            match node.watch.observe(&signed) {
                Err(_) => return Ok(false), // forged
                Ok(None) => {}
                Ok(Some(evidence)) => {
                    ctx.note(at, evidence)?;
                    let mut buf = [0; Equivocation::LEN];
                    evidence.encode(&mut buf).map_err(io::Error::other)?;
                    self.take(ctx, at, EVIDENCE, &buf)?;
                }
            }
        }
        let candidate = Candidate {
            bytes: bytes.to_vec(),
            hash: block.hash(),
            height: header.height.0,
            round,
            author,
            heard: now,
        };
        let node = &mut self.nodes[at.index()];
        if !node.is_void(&author, header.height.0) {
            node.candidates.push(candidate);
        }
        Ok(true)
    }

    fn take_evidence(&mut self, ctx: &mut Ctx, at: NodeId, bytes: &[u8]) -> io::Result<bool> {
        let Ok((evidence, _)) = Equivocation::decode(bytes) else { return Ok(false) };
        self.evidence = Some(evidence);
        let node = &mut self.nodes[at.index()];
        let offender = evidence.offender();
        node.convicted.insert(offender, evidence);
        let LedgerNode { candidates, convicted, .. } = node;
        candidates.retain(|candidate| !is_void(convicted, &candidate.author, candidate.height));
        ctx.note(at, format_args!("convinced: {evidence}"))?;
        Ok(true)
    }

    /// Everything that a node does by itself.
    fn act(&mut self, ctx: &mut Ctx, at: NodeId) -> io::Result<()> {
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
        let silent = (ctx.now() - node.waiting_since).as_millis() / (2 * self.witness).as_millis();
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
        let mut sequence = node.chain.state().sequence(&key.account());
        let (mut out, mut buf) = (Vec::new(), [0; Transaction::MAX_LEN]);
        for evidence in node.convicted.values().filter(|evidence| !on_record(&evidence.offender()))
        {
            let mut bytes = [0; Equivocation::LEN];
            evidence.encode(&mut bytes).map_err(io::Error::other)?;
            let action = Action::Record(&bytes);
            let record =
                Transaction { chain: ChainId(1), source: key.account(), sequence, fee: 0, action };
            let mut place = [0; Transaction::MAX_LEN + 2];
            let signed = record.sign(key, &mut buf).map_err(io::Error::other)?;
            let len = Body::push(&signed, &mut place).map_err(io::Error::other)?;
            out.extend_from_slice(&place[..len]);
            sequence += 1;
        }
        Ok(out)
    }

    /// Returns Unix seconds; in the simulated network the calendar is virtual, too.
    fn unix(&self, ctx: &Ctx) -> u64 {
        self.base_time + 1 + ctx.now().as_secs()
    }

    fn read(&mut self, ctx: &mut Ctx, conn: Conn, bytes: &[u8]) -> io::Result<()> {
        let Some((at, buffer)) = self.conns.get_mut(&conn) else { return Ok(()) };
        let at = *at;
        buffer.extend_from_slice(bytes);
        let mut buffer = core::mem::take(buffer);
        let mut rest = &buffer[..];
        while let Some((len, body)) = rest.split_first_chunk::<4>() {
            let Some((message, after)) = body.split_at_checked(u32::from_be_bytes(*len) as usize)
            else {
                break;
            };
            if let [kind, payload @ ..] = message {
                self.take(ctx, at, *kind, payload)?;
            }
            rest = after;
        }
        let used = buffer.len() - rest.len();
        buffer.drain(..used);
        if let Some((_, place)) = self.conns.get_mut(&conn) {
            *place = buffer;
        }
        Ok(())
    }
}

impl Stage for Settlement<'_> {
    fn handle(&mut self, ctx: &mut Ctx, incoming: Incoming) -> Result<(), Failure> {
        match incoming {
            Incoming::Opened { conn, at, service: Service::Ledger, .. } => {
                self.conns.entry(conn).or_insert((at, Vec::new()));
                self.links_open += 1;
                if self.links_open == self.links_wanted {
                    self.send_receipts(ctx)?;
                }
            }
            Incoming::Bytes { conn, bytes, .. } => self.read(ctx, conn, &bytes)?,
            Incoming::Closed { conn, .. } => {
                self.conns.remove(&conn);
            }
            _ => {}
        }
        Ok(())
    }

    fn handle_timeout(&mut self, ctx: &mut Ctx) -> Result<(), Failure> {
        self.next_tick = ctx.now() + TICK;
        let all_known =
            |node: &LedgerNode| !node.blocks.is_empty() || node.pool.len() == self.receipts;
        if self.receipts_sent && self.living().all(|(_, node)| all_known(node)) {
            for at in self.alive.clone() {
                self.act(ctx, at)?;
            }
        }
        Ok(())
    }

    fn poll_timeout(&self) -> Option<Duration> {
        Some(self.next_tick)
    }

    fn is_done(&self) -> bool {
        self.living().all(|(_, node)| node.chain.tip().height.0 == LAST_HEIGHT)
    }

    fn progress(&self) -> String {
        let height = self.living().map(|(_, node)| node.chain.tip().height.0).min().unwrap_or(0);
        format!(
            "{} receipts, height {height} of {LAST_HEIGHT}, {} hashes",
            self.receipts, self.hashes
        )
    }
}

impl LedgerNode {
    fn new(constitution: &Constitution) -> io::Result<Self> {
        Ok(Self {
            chain: constitution.chain().map_err(io::Error::other)?,
            blocks: Vec::new(),
            pool: BTreeMap::new(),
            watch: Watch::new(vec![WatchSlot::EMPTY; 64]),
            candidates: Vec::new(),
            miner: None,
            convicted: BTreeMap::new(),
            proposed: BTreeSet::new(),
            seen: BTreeSet::new(),
            waiting_since: Duration::ZERO,
        })
    }

    fn is_void(&self, author: &ValidatorId, height: u64) -> bool {
        is_void(&self.convicted, author, height)
    }

    /// Keeps the receipts whose signatures fit.
    fn take_receipts(&mut self, bytes: &[u8]) -> bool {
        let Ok(body) = Body::from_bytes(bytes) else { return false };
        for signed in &body {
            let Transaction { source, sequence, .. } = *signed.transaction();
            if signed.verify().is_ok() {
                self.pool.insert((sequence, source), signed.as_bytes().to_vec());
            }
        }
        true
    }

    /// Returns the transactions of the next block: an even share of the pool, then `records`.
    fn body(&self, records: &[u8]) -> Vec<u8> {
        let left = LAST_HEIGHT.saturating_sub(self.chain.tip().height.0).max(1) as usize;
        let share = self.pool.len().div_ceil(left);
        let mut body = Vec::new();
        for bytes in self.pool.values().take(share) {
            body.extend_from_slice(bytes);
            body.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
        }
        body.extend_from_slice(records);
        body
    }

    fn appended(&mut self, bytes: Vec<u8>, now: Duration) {
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
        self.miner = None;
        self.waiting_since = now;
    }
}

/// From the height on at which it signed twice, nothing counts that an offender makes; what it made before does.
fn is_void(
    convicted: &BTreeMap<ValidatorId, Equivocation>,
    author: &ValidatorId,
    height: u64,
) -> bool {
    convicted
        .get(author)
        .is_some_and(|evidence| height >= evidence.statements()[0].statement.height)
}

/// A coin for each KiB begun.
fn price(bytes: u64) -> u64 {
    bytes.div_ceil(1024)
}

fn encode(header: Header, seal: &[u8], body: &[u8]) -> io::Result<Vec<u8>> {
    let body = Body::from_bytes(body).map_err(io::Error::other)?;
    let block = Block::new(header, seal, body);
    let mut out = vec![0; block.encoded_len()];
    block.encode(&mut out).map_err(io::Error::other)?;
    Ok(out)
}

fn say(ctx: &mut Ctx, conn: Conn, kind: u8, payload: &[u8]) -> io::Result<()> {
    let len = (payload.len() as u32 + 1).to_be_bytes();
    let parts: [&[u8]; 3] = [&len, &[kind], payload];
    match kind {
        BLOCK => match Block::decode(payload) {
            Ok((block, _)) => ctx.send(conn, Tongue::Ledger, block, &parts),
            Err(error) => ctx.send(conn, Tongue::Ledger, error, &parts),
        },
        EVIDENCE => ctx.send(conn, Tongue::Ledger, "EVIDENCE", &parts),
        _ => {
            let count = Body::from_bytes(payload).map_or(0, |body| body.len());
            let first = SignedTransaction::decode(payload)
                .map(|(signed, _)| signed.to_string())
                .unwrap_or_default();
            ctx.send(conn, Tongue::Ledger, format_args!("RECEIPTS {count}, first: {first}"), &parts)
        }
    }
}
