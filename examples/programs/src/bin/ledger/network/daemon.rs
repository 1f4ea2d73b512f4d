//! A node of a network: sockets, file, chain, mempool and gossip, and what moves between them.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use examples::cli::{self, sentence};
use examples::interrupt::interrupted;
use examples::random::random;
use examples::rules::RuleError;
use examples::tcp::{self, Tcp};
use examples::{progress, report, warning};
use ledger_core::gossip::{
    BlockVerdict, Event as GossipEvent, Gossip, GossipConfig, GossipLimits, GossipVec,
    HeadersWriter, Message, NotFound, Presync, TransactionVerdict,
};
use ledger_core::ledger::Standard;
use ledger_core::mempool::{Mempool, MempoolConfig, MempoolLimits, MempoolVec};
use ledger_core::node::{Event, Node, NodeLimits, NodeVec, Progress, SnapshotSource};
use ledger_core::{
    Block, BlockId, ConnId, Effects, Engine as _, Height, KeyPair, SealedHeader, SignedTransaction,
    Slot, Transaction,
};

use super::Network;
use super::db::{Db, Step};
use super::rule::Rule;
use super::seal::Work;
use super::trace::Trace;

/// A connection with more unsent output is not read.
const MAX_UNSENT: usize = 1 << 20;
/// Delivered blocks that wait for the node.
const MAX_STORE: usize = 32;
/// A snapshot is saved after this many blocks.
const SNAPSHOT_INTERVAL: u64 = 16;
/// The length in bytes of a chunk of a snapshot.
const SNAPSHOT_CHUNK: usize = 64 << 10;
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
            let bytes = core::mem::take(&mut place.received);
            if let Ok((message, _)) = Message::decode(&bytes) {
                self.trace.received(now, conn, &message);
            }
            let Ok(received) = self.gossip.handle_bytes(now, conn, &bytes) else { return Ok(()) };
            if let Some(message) = received.outcome {
                self.message(conn, message)?;
            }
            if let Some(place) = self.tcp.conn(conn) {
                place.received = bytes[received.consumed..].to_vec();
            }
            if received.consumed == 0 {
                return Ok(());
            }
        }
    }

    fn message(&mut self, conn: ConnId, message: Message<'_>) -> cli::Result<()> {
        let now = self.clock();
        match message {
            Message::GetHeaders(ids) => {
                let mut known = None;
                for id in ids.iter() {
                    let is_genesis = id == self.node.genesis_id().block_id();
                    known = if is_genesis { Some(0) } else { self.db.height_of(&id)? };
                    if known.is_some() {
                        break;
                    }
                }
                self.send_headers(conn, known)
            }
            Message::GetBlock(id) => {
                match self.db.block(&id)? {
                    Some(bytes) => self.send(conn, &Message::Block(&bytes)),
                    None => self.send(conn, &Message::NotFound(NotFound::Block(id))),
                }
                Ok(())
            }
            Message::GetSnapshot(place) => {
                let mut out = vec![0; SNAPSHOT_CHUNK];
                let source = self.source.as_mut().filter(|source| source.id() == place.block);
                let len = source.and_then(|source| source.chunk(&place.from, &mut out).ok()?);
                match len {
                    Some(len) => self.send(conn, &Message::Snapshot(place, &out[..len])),
                    None => self.send(conn, &Message::NotFound(NotFound::Snapshot(place.block))),
                }
                Ok(())
            }
            Message::GetTransaction(id) => {
                let mut buf = [0; Transaction::MAX_LEN];
                match self.mempool.copy(&id, &mut buf) {
                    Ok(Some(len)) => self.send(conn, &Message::Transaction(&buf[..len])),
                    _ => self.send(conn, &Message::NotFound(NotFound::Transaction(id))),
                }
                Ok(())
            }
            Message::Headers(headers) => {
                let config = self.gossip.config();
                let presync = self.presync.entry(conn).or_insert_with(|| Presync::new(config));
                if let Some(verdict) = presync.handle_headers(&mut self.node, now, &headers) {
                    self.gossip.handle_header_checked(now, conn, verdict);
                    return Ok(());
                }
                for header in headers {
                    let result = self.node.handle_header(now, conn, header);
                    let verdict = BlockVerdict::of(&self.node, &result);
                    self.gossip.handle_header_checked(now, conn, verdict);
                    if !matches!(verdict, BlockVerdict::Accepted { .. }) {
                        break;
                    }
                }
                Ok(())
            }
            Message::Block(bytes) => {
                if let Ok((sealed, _)) = SealedHeader::decode(bytes)
                    && self.store.len() < MAX_STORE
                {
                    let id = sealed.header.id(self.node.genesis_id());
                    self.store.insert(id, (conn, bytes.to_vec()));
                }
                self.advance()
            }
            Message::Transaction(bytes) => {
                self.transaction(conn, bytes);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn transaction(&mut self, conn: ConnId, bytes: &[u8]) {
        let Ok((signed, _)) = SignedTransaction::decode(bytes) else { return };
        let now = self.clock();
        let id = signed.id(self.node.genesis_id());
        let verdict = if self.node.is_busy() {
            TransactionVerdict::Gap // the state is that of a branch under trial: again later
        } else {
            let was_empty = self.mempool.is_empty();
            let tip = self.node.tip().height;
            let result = self.mempool.insert(&signed, &self.node.state(), tip);
            if was_empty {
                self.waiting_since = now;
            }
            TransactionVerdict::of(&result)
        };
        self.gossip.handle_transaction_checked(now, conn, &id, verdict);
    }

    fn send_headers(&mut self, conn: ConnId, known: Option<u64>) -> cli::Result<()> {
        let mut out = vec![0; 32 << 10];
        let mut writer = HeadersWriter::new(&mut out).map_err(sentence)?;
        let mut more = false;
        if let Some(known) = known {
            for height in known + 1.. {
                let Some(id) = self.db.at(height)? else { break };
                let Some(bytes) = self.db.header(&id)? else { break };
                if !writer.push(&bytes) {
                    more = true;
                    break;
                }
            }
        }
        let len = writer.finish(more);
        self.trace.sent(self.clock(), conn, &out[..len]);
        self.tcp.send(conn, &out[..len]);
        Ok(())
    }

    fn send(&mut self, conn: ConnId, message: &Message<'_>) {
        let mut out = vec![0; message.encoded_len()];
        if message.encode(&mut out).is_ok() {
            self.trace.sent(self.clock(), conn, &out);
            self.tcp.send(conn, &out);
        }
    }

    /// Handles a block that this node has made.
    pub(super) fn take_own_block(&mut self, bytes: &[u8]) -> cli::Result<()> {
        let (block, _) = Block::decode(bytes).map_err(sentence)?;
        let id = block.id(self.node.genesis_id());
        self.store.insert(id, (OWN, bytes.to_vec()));
        if let Err(refused) = self.node.handle_header(self.clock(), OWN, bytes) {
            warning!("a block of this node is refused: {refused}");
        }
        self.advance()
    }

    /// Lets the node follow the best branch, and fetches what it needs.
    fn advance(&mut self) -> cli::Result<()> {
        let before = self.node.tip().id;
        loop {
            while self.node.work(1000) == Progress::Pending {}
            if let Some(event) = self.node.poll_event() {
                self.event(event)?;
            } else if !self.feed()? {
                break;
            }
        }
        if !self.steps.is_empty() {
            self.db.follow(&self.steps)?;
            self.steps.clear();
        }
        let tip = *self.node.tip();
        if tip.id != before {
            self.work = None;
            if !self.node.is_busy() {
                while let Some(id) = self.returned.pop() {
                    self.mempool_again(&id)?;
                }
                self.mempool.update(&self.node.state(), tip.height);
                self.waiting_since = self.clock();
                self.keep_snapshot()?;
            }
        }
        let mut locator = [BlockId::default(); 31];
        let len = self.node.locator(&mut locator);
        self.gossip.handle_tip(self.clock(), &tip, &locator[..len]);
        Ok(())
    }

    fn event(&mut self, event: Event<RuleError>) -> cli::Result<()> {
        let now = self.clock();
        match event {
            Event::Keep { id, height } => {
                // From the file it is saved already.
                if let Some((_, bytes)) = self.store.remove(&id) {
                    self.db.keep(height.0, &id, &bytes)?;
                }
                self.node.handle_saved(now, &id);
            }
            Event::Connected { id, height } => {
                self.trace
                    .event(now, format_args!("event=connected height={height} block={id:.8}"));
                self.forget_transactions(&id)?;
                self.steps.push(Step::Connected(height.0, id));
                if !self.is_quiet {
                    report!("block {height} {id}");
                }
            }
            Event::Disconnected { id, height } => {
                self.trace
                    .event(now, format_args!("event=disconnected height={height} block={id:.8}"));
                self.steps.push(Step::Disconnected(height.0));
                self.returned.push(id);
            }
            Event::Invalid { id, conn, why } => {
                self.store.remove(&id);
                self.trace.event(now, format_args!("event=invalid conn={} block={id:.8}", conn.0));
                warning!("{conn} delivered an invalid block {id:.16}: {why}");
                self.gossip.handle_block_checked(now, conn, BlockVerdict::Invalid);
            }
            _ => {}
        }
        Ok(())
    }

    /// The transactions of a block are not announced any more.
    fn forget_transactions(&mut self, id: &BlockId) -> cli::Result<()> {
        let now = self.clock();
        let Some(bytes) = self.db.block(id)? else { return Ok(()) };
        let (block, _) = Block::decode(&bytes).map_err(sentence)?;
        for signed in block.body() {
            self.gossip.forget_transaction(now, &signed.id(self.node.genesis_id()));
        }
        Ok(())
    }

    /// The transactions of a block that was taken back wait again.
    fn mempool_again(&mut self, id: &BlockId) -> cli::Result<()> {
        let Some(bytes) = self.db.block(id)? else { return Ok(()) };
        let (block, _) = Block::decode(&bytes).map_err(sentence)?;
        for signed in block.body() {
            let _ = self.mempool.insert(&signed, &self.node.state(), self.node.tip().height);
        }
        Ok(())
    }

    /// Passes the body that is needed next to the node if it is here. Otherwise the peers are asked.
    fn feed(&mut self) -> cli::Result<bool> {
        let now = self.clock();
        let mut ids = [BlockId::default(); 16];
        let len = self.node.needed_ahead(&mut ids);
        if let Some(id) = self.node.needed() {
            let found = match self.store.get(&id) {
                Some(stored) => Some(stored.clone()),
                None => self.db.block(&id)?.map(|bytes| (OWN, bytes)),
            };
            if let Some((conn, bytes)) = found {
                let result = self.node.handle_block(now, conn, &bytes);
                let verdict = BlockVerdict::of(&self.node, &result);
                self.gossip.handle_block_checked(now, conn, verdict);
                if matches!(verdict, BlockVerdict::Accepted { .. }) {
                    return Ok(true);
                }
                self.store.remove(&id);
            }
        }
        let mut wanted: Vec<(Height, BlockId)> = Vec::new();
        for id in &ids[..len] {
            let is_here = self.store.contains_key(id) || self.db.block(id)?.is_some();
            if let (false, Some(tip)) = (is_here, self.node.tip_of(id)) {
                wanted.push((tip.height, *id));
            }
        }
        self.gossip.want_blocks(now, &wanted);
        self.store.retain(|id, _| ids[..len].contains(id));
        Ok(false)
    }

    /// Saves a snapshot now and then: the next start need not read all blocks.
    fn keep_snapshot(&mut self) -> cli::Result<()> {
        let tip = *self.node.final_tip();
        if tip.height.0 < self.snapshot_height + SNAPSHOT_INTERVAL {
            return Ok(());
        }
        let mut bytes = Vec::new();
        let written = self.node.snapshot(|part| {
            bytes.extend_from_slice(part);
            Ok::<_, core::convert::Infallible>(())
        });
        if written.is_ok() {
            self.db.keep_snapshot(&tip.id, &bytes)?;
            self.snapshot_height = tip.height.0;
            self.hand_out(&bytes);
        }
        Ok(())
    }

    /// Hands out a snapshot to nodes that join.
    fn hand_out(&mut self, snapshot: &[u8]) {
        let rules = Network::rules();
        let slots = vec![Slot::EMPTY; rules.max_entries as usize];
        let source = SnapshotSource::new(self.node.genesis_id(), &rules, snapshot, slots);
        self.source = source.ok();
        let offer = self.source.as_ref().map(|source| (source.header().height, source.id()));
        self.gossip.offer_snapshot(self.clock(), offer);
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
