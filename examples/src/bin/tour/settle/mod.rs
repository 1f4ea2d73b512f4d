//! LEDGER: every delivery becomes a signed receipt; blocks are mined, then drawn by stake, then sealed by
//! authorities, on one chain; a validator that signs twice is caught.

mod act;
mod node;

use core::time::Duration;
use std::collections::BTreeMap;
use std::io;

use consensus::{Equivocation, SignedStatement, StakeSeal, ValidatorSlot, statement_of};
use ledger_core::{Account, Action, Block, Body, Hash, SignedTransaction, Transaction};

use crate::ctx::{Ctx, Failure, Protocol, Stage};
use crate::net::{Conn, Incoming, NodeId, Service};
use crate::rules::{Constitution, Keys, LAST_HEIGHT, SUBSIDY};
use crate::song::Cast;
use crate::swarm::Delivery;

type Stake = StakeSeal<Vec<ValidatorSlot>>;

pub use node::LedgerNode;

// Messages between ledger nodes: length u32, kind u8, payload.
const RECEIPTS: u8 = b'T';
const BLOCK: u8 = b'B';
const EVIDENCE: u8 = b'E';

/// More receipts than this are summed up.
const MOST_RECEIPTS: usize = 2000;
/// How often a node looks at what it has to do.
const TICK: Duration = Duration::from_millis(10);

pub struct Settlement<'k> {
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

    /// Returns whether all living nodes have the same tip.
    pub fn tips_agree(&self) -> bool {
        let mut tips = self.living().map(|(_, node)| *node.chain.tip());
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

    /// Every taker signs a receipt for each delivery, which pays coins to the giver.
    fn send_receipts(&mut self, ctx: &mut Ctx) -> io::Result<()> {
        self.receipts_sent = true;
        let mut sequences = BTreeMap::new();
        let mut bodies: BTreeMap<NodeId, Vec<u8>> = BTreeMap::new();
        let mut buf = [0; Transaction::MAX_LEN];
        let grouped = self.grouped();
        self.receipts = grouped.len();
        for Delivery { giver, taker, bytes } in grouped {
            let key = &self.keys[taker.index()].wallet;
            let sequence: &mut u64 = sequences.entry(taker).or_default();
            let action =
                Action::Pay { to: self.keys[giver.index()].wallet.account(), amount: price(bytes) };
            let receipt = Transaction::new(key.account(), *sequence, action);
            *sequence += 1;
            let genesis = self.nodes[taker.index()].chain.genesis_id();
            let signed = receipt.sign(genesis, key, &mut buf).map_err(io::Error::other)?;
            bodies.entry(taker).or_default().extend_from_slice(signed.as_bytes());
        }
        for (taker, body) in bodies {
            self.take(ctx, taker, RECEIPTS, &body)?;
        }
        Ok(())
    }

    /// Handles a message, from a peer or of the node itself, and relays it if it is new.
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

    /// Hands a block to the machine, and looks for a contradiction to what its author signed before.
    fn take_block(&mut self, ctx: &mut Ctx, at: NodeId, bytes: &[u8]) -> io::Result<bool> {
        let Ok((block, [])) = Block::decode(bytes) else { return Ok(false) };
        let header = *block.header();
        let unix = self.unix(ctx);
        let node = &mut self.nodes[at.index()];
        let id = block.id(node.chain.genesis_id());
        if let Some((round, author)) = Stake::read_claim(&header) {
            let Ok(signature) = block.proof().try_into() else { return Ok(false) };
            let statement = statement_of(node.chain.genesis_id(), &header, round);
            let signed = SignedStatement { statement, author, signature };
            match node.detector.observe(&signed, |_| true) {
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
        self.nodes[at.index()].take_block(unix, id, bytes);
        self.advance(ctx, at)?;
        Ok(true)
    }

    fn take_evidence(&mut self, ctx: &mut Ctx, at: NodeId, bytes: &[u8]) -> io::Result<bool> {
        let Ok((evidence, _)) = Equivocation::decode(bytes) else { return Ok(false) };
        self.evidence = Some(evidence);
        self.nodes[at.index()].convicted.insert(evidence.offender(), evidence);
        ctx.note(at, format_args!("convinced: {evidence}"))?;
        Ok(true)
    }

    /// Returns the time of the calendar in seconds, which last a tenth of a second here: blocks follow each other faster
    /// than in earnest.
    fn unix(&self, ctx: &Ctx) -> u64 {
        self.base_time + 1 + (ctx.now().as_millis() / 100) as u64
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
            |node: &LedgerNode| !node.blocks.is_empty() || node.mempool.len() == self.receipts;
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
        let is_last = |node: &LedgerNode| node.chain.tip().height.0 == LAST_HEIGHT;
        self.living().all(|(_, node)| is_last(node)) && self.tips_agree()
    }

    fn progress(&self) -> String {
        let height = self.living().map(|(_, node)| node.chain.tip().height.0).min().unwrap_or(0);
        format!(
            "{} receipts, height {height} of {LAST_HEIGHT}, {} hashes",
            self.receipts, self.hashes
        )
    }
}

/// A coin for each KiB begun.
fn price(bytes: u64) -> u64 {
    bytes.div_ceil(1024)
}

fn say(ctx: &mut Ctx, conn: Conn, kind: u8, payload: &[u8]) -> io::Result<()> {
    let len = (payload.len() as u32 + 1).to_be_bytes();
    let parts: [&[u8]; 3] = [&len, &[kind], payload];
    match kind {
        BLOCK => match Block::decode(payload) {
            Ok((block, _)) => ctx.send(conn, Protocol::Ledger, block, &parts),
            Err(error) => ctx.send(conn, Protocol::Ledger, error, &parts),
        },
        EVIDENCE => ctx.send(conn, Protocol::Ledger, "EVIDENCE", &parts),
        _ => {
            let count = Body::from_bytes(payload).map_or(0, |body| body.len());
            let first = SignedTransaction::decode(payload)
                .map(|(signed, _)| signed.to_string())
                .unwrap_or_default();
            ctx.send(
                conn,
                Protocol::Ledger,
                format_args!("RECEIPTS {count}, first: {first}"),
                &parts,
            )
        }
    }
}
