//! LEDGER: every delivery becomes a signed receipt; blocks are mined, then drawn by stake, then sealed by
//! authorities, on one chain; a validator that signs twice is caught.

mod act;
mod node;
mod peers;

use core::time::Duration;
use std::collections::BTreeMap;
use std::io;

use consensus::Equivocation;
use ledger_core::{Account, Action, Block, Transaction};

use crate::ctx::{Ctx, Failure, Stage};
use crate::net::{Conn, Incoming, NodeId, Service};
use crate::rules::{Constitution, Keys, LAST_HEIGHT, SUBSIDY};
use crate::song::Cast;
use crate::swarm::Delivery;

pub use node::LedgerNode;

/// More receipts than this are summed up.
const MOST_RECEIPTS: usize = 800;
/// How often a node looks at what it has to do.
const TICK: Duration = Duration::from_millis(10);

pub struct Settlement<'k> {
    keys: &'k [Keys],
    constitution: &'k Constitution,
    /// One for each node, and the second instance of the one that signs twice.
    nodes: Vec<LedgerNode>,
    alive: Vec<NodeId>,
    conns: BTreeMap<Conn, usize>, // the instance

    links_wanted: usize,
    links_open: usize,
    next_tick: Duration,
    witness: Duration,
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
        constitution: &'k Constitution,
        cast: Cast,
        deliveries: &[Delivery],
    ) -> io::Result<Self> {
        let deliveries = grouped(deliveries);
        let receipts = deliveries.len();
        let new = |at: NodeId| LedgerNode::new(constitution, at, u64::from(at.0), receipts);
        let nodes = cast.all().map(new).collect::<io::Result<Vec<_>>>()?;
        Ok(Self {
            keys,
            constitution,
            nodes,
            alive: cast.all().filter(|node| *node != cast.victim()).collect(),
            conns: BTreeMap::new(),
            links_wanted: 0,
            links_open: 0,
            next_tick: ctx.now(),
            // Long enough for a block to be announced, asked for and delivered to everybody, losses included.
            witness: Duration::from_millis(if ctx.args.sim {
                2500 + 100 * u64::from(ctx.args.loss_percent)
            } else {
                200
            }),
            receipts,
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
                self.conns.insert(conn, from.index());
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
            self.deliveries
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

    /// Every taker signs a receipt for each delivery, which pays coins to the giver.
    fn send_receipts(&mut self, ctx: &mut Ctx) -> io::Result<()> {
        self.receipts_sent = true;
        let mut sequences = BTreeMap::new();
        let mut buf = [0; Transaction::MAX_LEN];
        for Delivery { giver, taker, bytes } in &self.deliveries {
            let key = &self.keys[taker.index()].wallet;
            let sequence: &mut u64 = sequences.entry(*taker).or_default();
            let to = self.keys[giver.index()].wallet.account();
            let action = Action::Pay { to, amount: price(*bytes) };
            let receipt = Transaction::new(key.account(), *sequence, action);
            *sequence += 1;
            let node = &mut self.nodes[taker.index()];
            let signed = receipt.sign(node.chain.genesis_id(), key, &mut buf);
            let signed = signed.map_err(io::Error::other)?;
            node.submit(ctx.now(), &signed).map_err(io::Error::other)?;
        }
        for taker in sequences.keys() {
            self.nodes[taker.index()].run(ctx)?;
        }
        Ok(())
    }
}

impl Stage for Settlement<'_> {
    fn handle(&mut self, ctx: &mut Ctx, incoming: Incoming) -> Result<(), Failure> {
        match incoming {
            Incoming::Opened { conn, at, service: Service::Ledger, dialled, .. } => {
                let instance = *self.conns.entry(conn).or_insert(at.index());
                self.nodes[instance].opened(ctx, conn, dialled)?;
                self.links_open += 1;
                if self.links_open == self.links_wanted {
                    self.send_receipts(ctx)?;
                }
            }
            Incoming::Bytes { conn, bytes, .. } => {
                if let Some(instance) = self.conns.get(&conn) {
                    self.nodes[*instance].read(ctx, conn, &bytes)?;
                }
            }
            Incoming::Closed { conn, .. } => {
                if let Some(instance) = self.conns.remove(&conn) {
                    self.nodes[instance].closed(ctx, conn)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn handle_timeout(&mut self, ctx: &mut Ctx) -> Result<(), Failure> {
        self.next_tick = ctx.now() + TICK;
        for node in &mut self.nodes {
            node.tick(ctx)?;
        }
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

/// Sums deliveries up, where there are too many, per pair of nodes.
fn grouped(deliveries: &[Delivery]) -> Vec<Delivery> {
    let size = deliveries.len().div_ceil(MOST_RECEIPTS).max(1);
    let mut pairs: BTreeMap<(NodeId, NodeId), Vec<u64>> = BTreeMap::new();
    for Delivery { giver, taker, bytes } in deliveries {
        pairs.entry((*taker, *giver)).or_default().push(*bytes);
    }
    let groups = pairs.into_iter().flat_map(|((taker, giver), bytes)| {
        let sums: Vec<u64> = bytes.chunks(size).map(|chunk| chunk.iter().sum()).collect();
        sums.into_iter().map(move |bytes| Delivery { giver, taker, bytes })
    });
    groups.collect()
}
