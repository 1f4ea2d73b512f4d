//! A node of a network: sockets, file, chain, mempool and gossip, and what moves between them.

mod answer;
mod chain;

use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use examples::cli::{self, sentence};
use examples::interrupt::interrupted;
use examples::random::random;
use examples::tcp::{self, Tcp};
use examples::{progress, warning};
use ledger_core::gossip::{
    Event as GossipEvent, Gossip, GossipConfig, GossipLimits, GossipVec, Message, Presync,
};
use ledger_core::ledger::Standard;
use ledger_core::mempool::{Mempool, MempoolConfig, MempoolLimits, MempoolVec};
use ledger_core::node::{Node, NodeLimits, NodeVec, SnapshotSource};
use ledger_core::{BlockId, ConnId, Effects, Engine as _, KeyPair, SealedHeader, Slot};

use super::Network;
use super::db::{Db, Step};
use super::rule::Rule;
use super::seal::Work;
use super::trace::Trace;

/// A connection with more unsent output is not read.
const MAX_UNSENT: usize = 1 << 20;
/// How often nodes without a connection are dialled.
const DIAL_INTERVAL: Duration = Duration::from_secs(1);
/// The connection of blocks that come from the file or from this node.
const OWN: ConnId = ConnId(u32::MAX);

pub struct Daemon {
    pub(super) network: Network,
    pub(super) node: Node<Rule, Standard, NodeVec>,
    pub(super) mempool: Mempool<MempoolVec>,
    pub(super) key: Option<KeyPair>,
    pub(super) work: Option<Work>,
    pub(super) db: Db,
    pub(super) waiting_since: Duration,
    pub(super) signed: u64, // the greatest height at which it has signed
    pub(super) trace: Trace,
    gossip: Gossip<GossipVec>,
    tcp: Tcp<ConnId>,
    start: Duration, // of the clock of the sockets, since the Unix epoch
    store: BTreeMap<BlockId, (ConnId, Vec<u8>)>,
    steps: Vec<Step>,
    returned: Vec<BlockId>, // taken back, the highest first
    followed: BlockId,      // the tip after which the mempool is
    dialled: BTreeMap<ConnId, SocketAddr>,
    presync: BTreeMap<ConnId, Presync<Rule>>,
    dial_at: Duration,
    snapshot_height: u64,
    source: Option<SnapshotSource<Vec<Slot>>>, // handed out to nodes that join
    pub is_quiet: bool,                        // while it reads its own file
}

impl Daemon {
    /// Opens the file of a node, and all that was saved.
    pub fn open(
        network: Network,
        file: &Path,
        listen: SocketAddr,
        key: Option<KeyPair>,
    ) -> cli::Result<Self> {
        let rules = Network::rules();
        let seed = u64::from_le_bytes(random());
        let config = Network::config(seed);
        let engine = network.engine()?;
        let spec = network.spec();
        let new = || NodeVec::new(NodeLimits::new(&rules, &config));
        let node = Node::new(&spec, config, engine.clone(), Standard, new()).map_err(sentence)?;
        let genesis = *node.genesis_id();
        let db = Db::open(file, &genesis)?;
        let saved = db.snapshot()?;
        let node = match &saved {
            None => node,
            Some((id, snapshot)) => {
                let engine = engine_after(&db, engine, id)?;
                Node::resume(&spec, config, engine, Standard, id, snapshot, new())
                    .map_err(|error| format!("{}: {error}", file.display()))?
            }
        };
        let limits = MempoolLimits { slots: 1024, chunks: 4096 };
        let mempool = Mempool::new(MempoolConfig::new(genesis, seed), MempoolVec::new(limits));
        let limits = GossipLimits { peers: 32, blocks: 16, transactions: 1024 };
        let config = GossipConfig::new(genesis, rules.max_block_len, seed);
        let gossip = Gossip::new(config, GossipVec::new(limits)).map_err(sentence)?;
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let signed = db.signed()?;
        let mut daemon = Self {
            network,
            snapshot_height: node.final_tip().height.0,
            node,
            mempool: mempool.map_err(sentence)?,
            key,
            work: None,
            db,
            waiting_since: Duration::MAX,
            signed,
            trace: Trace::default(),
            gossip,
            tcp: Tcp::listen(listen)?,
            start: unix,
            store: BTreeMap::new(),
            steps: Vec::new(),
            returned: Vec::new(),
            followed: BlockId::default(),
            dialled: BTreeMap::new(),
            presync: BTreeMap::new(),
            dial_at: Duration::ZERO,
            source: None,
            is_quiet: true,
        };
        daemon.start = unix.saturating_sub(daemon.tcp.now());
        if let Some((_, snapshot)) = &saved {
            daemon.hand_out(snapshot);
        }
        daemon.replay()?;
        daemon.is_quiet = false;
        Ok(daemon)
    }

    pub fn describe(&self) -> String {
        let tip = self.node.tip();
        let address = self.tcp.address();
        format!("listening on {address}, chain {}, height {}", self.node.genesis_id(), tip.height)
    }

    /// Returns the time since the Unix epoch.
    pub(super) fn clock(&self) -> Duration {
        self.start.saturating_add(self.tcp.now())
    }

    /// Passes all saved blocks to the node, the lowest first.
    fn replay(&mut self) -> cli::Result<()> {
        let mut height = self.node.final_tip().height.0 + 1;
        loop {
            let blocks = self.db.all_at(height)?;
            if blocks.is_empty() {
                break;
            }
            for bytes in &blocks {
                if self.node.handle_header(self.clock(), OWN, bytes).is_err() {
                    self.advance()?; // makes room
                    let _ = self.node.handle_header(self.clock(), OWN, bytes);
                }
            }
            progress::show(|| format!("reading block {height}"));
            height += 1;
        }
        self.advance()
    }

    /// Runs until a signal comes, or another thread wants it to stop.
    pub fn run(mut self, stop: &AtomicBool) -> cli::Result<()> {
        while !interrupted() && !stop.load(Ordering::Relaxed) {
            let is_working = self.seal()?;
            let wait = if is_working { Duration::ZERO } else { Duration::from_millis(50) };
            let deadline = [self.node.poll_timeout(), self.gossip.poll_timeout()];
            let deadline = deadline.into_iter().flatten().min();
            let wait = deadline.map_or(wait, |at| at.saturating_sub(self.clock()).min(wait));
            let events = self.tcp.turn(Some(wait)).map_err(sentence)?;
            for event in events {
                self.happened(&event);
            }
            for conn in self.tcp.ids() {
                self.receive(conn)?;
            }
            let now = self.clock();
            self.node.handle_timeout(now);
            self.gossip.handle_timeout(now);
            self.dial();
            self.advance()?;
            self.transmit()?;
            self.show_progress();
        }
        Ok(())
    }

    fn happened(&mut self, event: &tcp::Event<ConnId, ()>) {
        let now = self.clock();
        match *event {
            tcp::Event::Opened { conn, dialled } => {
                if self.gossip.handle_connected(now, conn, dialled).is_err() {
                    self.tcp.close(conn);
                }
            }
            tcp::Event::Closed(conn) => {
                self.dialled.remove(&conn);
                self.presync.remove(&conn);
                self.gossip.handle_closed(now, conn);
            }
            tcp::Event::Bytes(_) | tcp::Event::Message(()) => {}
        }
    }

    /// Handles what a connection has received, unless it does not read what it asked for.
    fn receive(&mut self, conn: ConnId) -> cli::Result<()> {
        loop {
            let now = self.clock();
            let Some(place) = self.tcp.conn(conn) else { return Ok(()) };
            if place.received.is_empty() || place.unsent() > MAX_UNSENT {
                return Ok(());
            }
            let mut bytes = core::mem::take(&mut place.received);
            if let Ok((message, _)) = Message::decode(&bytes) {
                self.trace.received(now, conn, &message);
            }
            let Ok(received) = self.gossip.handle_bytes(now, conn, &bytes) else { return Ok(()) };
            if let Some(message) = received.outcome {
                self.message(conn, message)?;
            }
            let consumed = received.consumed;
            bytes.consume(consumed);
            if let Some(place) = self.tcp.conn(conn) {
                place.received = bytes;
            }
            if consumed == 0 {
                return Ok(());
            }
        }
    }

    /// Dials the nodes of the network to which there is no connection.
    fn dial(&mut self) {
        let now = self.tcp.now();
        if now < self.dial_at {
            return;
        }
        self.dial_at = now + DIAL_INTERVAL;
        let own = self.tcp.address();
        for address in self.network.nodes.clone() {
            // Of two nodes the one with the higher address dials.
            let is_ours = address < own && !self.dialled.values().any(|known| *known == address);
            if is_ours && let Some(conn) = self.tcp.dial(address) {
                self.dialled.insert(conn, address);
            }
        }
    }

    fn transmit(&mut self) -> cli::Result<()> {
        while let Some(event) = self.gossip.poll_event() {
            match event {
                GossipEvent::Closed { conn, reason } => {
                    let now = self.clock();
                    self.trace
                        .event(now, format_args!("event=closed conn={} reason={reason:?}", conn.0));
                    if reason.is_misbehaviour() {
                        warning!("{conn} is disconnected: {reason}");
                    }
                    self.dialled.remove(&conn);
                    self.presync.remove(&conn);
                    self.tcp.close(conn);
                }
                GossipEvent::Unavailable { id } if self.node.needed() == Some(id) => {
                    self.node.give_up();
                    self.advance()?;
                }
                _ => {}
            }
        }
        let mut buf = [0; Message::MAX_CONTROL_LEN];
        while let Ok(Some(transmit)) = self.gossip.poll_transmit(&mut buf) {
            self.trace.sent(self.clock(), transmit.conn, &buf[..transmit.len]);
            self.tcp.send(transmit.conn, &buf[..transmit.len]);
        }
        Ok(())
    }

    fn show_progress(&self) {
        progress::show(|| {
            let height = self.node.tip().height;
            let best = self.gossip.peers().map(|peer| peer.height).max().unwrap_or(height);
            let peers = self.gossip.peers().count();
            let waiting = self.mempool.len();
            format!("height {height} of {}, {peers} peers, {waiting} waiting", best.max(height))
        });
    }
}

/// Returns the engine after a block of the chain: all headers before are applied again.
fn engine_after(db: &Db, mut engine: Rule, id: &BlockId) -> cli::Result<Rule> {
    let last = db.height_of(id)?.ok_or("the block of the snapshot is not on the chain")?;
    for height in 1..=last {
        let id = db.at(height)?.ok_or_else(|| format!("there is no block {height}"))?;
        let bytes = db.header(&id)?.ok_or_else(|| format!("there is no block {height}"))?;
        let (sealed, _) = SealedHeader::decode(&bytes).map_err(sentence)?;
        engine.apply(&sealed.header, &Effects::NONE);
    }
    Ok(engine)
}
