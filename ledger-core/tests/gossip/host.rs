//! An honest node in the simulator: chain, mempool and gossip, and what a driver does between them.

mod acts;

use core::time::Duration;
use std::collections::BTreeMap;

use ledger_core::gossip::{
    BlockRequest, BlockVerdict, CloseReason, Event as GossipEvent, Gossip, GossipConfig,
    GossipSlots, HeadersWriter, Message, NotFound, PeerSlot, Presync, TransactionSlot,
    TransactionVerdict,
};
use ledger_core::mempool::{ChunkSlot, Mempool, MempoolConfig, MempoolSlot, MempoolSlots};
use ledger_core::node::{Event, Node, NodeConfig, Progress, SnapshotSource};
use ledger_core::{
    Block, BlockId, ConnId, Height, SealedHeader, SignedTransaction, Slot, Tip, Transaction, Weight,
};
use sim::{Addr, Network, StreamId};

use crate::common::driver::{TestNode, limits, regions};
use crate::common::{self, Checksum, GENESIS_TIME};

pub const DEPTH: u32 = 100;
const MAX_BLOCK: u32 = 1 << 16;
const PEERS: usize = 16;
/// Received bytes that a connection may hold.
const MAX_RECEIVED: usize = 2 * MAX_BLOCK as usize;
/// The length of a chunk in bytes: a few entries.
const SNAPSHOT_CHUNK: usize = 800;
/// Delivered blocks that wait for the node.
const MAX_STORE: usize = 64;

pub type TestGossip = Gossip<GossipSlots<Vec<PeerSlot>, Vec<BlockRequest>, Vec<TransactionSlot>>>;
type TestMempool = Mempool<MempoolSlots<Vec<MempoolSlot>, Vec<ChunkSlot>>>;

/// The blocks that survive a restart, in the order in which they were saved.
#[derive(Default, Clone)]
pub struct Disk {
    order: Vec<BlockId>,
    pub blocks: BTreeMap<BlockId, Vec<u8>>,
}

pub struct Host {
    pub addr: Addr,
    pub node: TestNode,
    pub mempool: TestMempool,
    pub gossip: TestGossip,
    pub disk: Disk,
    pub chain: Vec<BlockId>, // by height, block 0 first
    pub closed: Vec<(Addr, CloseReason)>,
    store: BTreeMap<BlockId, (ConnId, Vec<u8>)>,
    streams: BTreeMap<ConnId, (StreamId, Addr, Vec<u8>)>,
    presync: BTreeMap<ConnId, Presync<Checksum>>,
    pub source: Option<SnapshotSource<Vec<Slot>>>, // handed out to nodes that join
    next_conn: u32,
}

/// Returns the time of the chain.
pub fn unix(now: Duration) -> Duration {
    Duration::from_secs(GENESIS_TIME) + now
}

pub fn test_node(seed: u64) -> TestNode {
    let config = NodeConfig::new(DEPTH, seed);
    let spec = common::spec(3);
    let storage = regions(limits(&config, 64));
    Node::new(&spec.spec(), config, Checksum, common::ledgers(), storage).expect("it fits")
}

impl Host {
    pub fn new(addr: Addr, seed: u64, disk: Disk, now: Duration) -> Self {
        Self::with_min_weight(addr, seed, disk, now, Weight(0))
    }

    /// A host that stores no header before its branch has this weight.
    pub fn with_min_weight(
        addr: Addr,
        seed: u64,
        disk: Disk,
        now: Duration,
        min_weight: Weight,
    ) -> Self {
        let seed = seed ^ u64::from(addr.0) << 32;
        let node = test_node(seed);
        let genesis = *node.genesis_id();
        let storage = MempoolSlots {
            slots: vec![MempoolSlot::EMPTY; 64],
            chunks: vec![ChunkSlot::EMPTY; 128],
        };
        let mempool = Mempool::new(MempoolConfig::new(genesis, seed), storage).expect("it fits");
        let storage = GossipSlots {
            peers: vec![PeerSlot::EMPTY; PEERS],
            blocks: vec![BlockRequest::EMPTY; 16],
            transactions: vec![TransactionSlot::EMPTY; 128],
        };
        let mut config = GossipConfig::new(genesis, MAX_BLOCK, seed);
        config.reserved_for_dialled = 4;
        config.min_weight = min_weight;
        config.keep_alive = Duration::from_secs(60);
        config.silence_timeout = Duration::from_secs(150);
        let gossip = Gossip::new(config, storage).expect("it can work");
        let chain = vec![genesis.block_id()];
        let mut host = Self {
            addr,
            node,
            mempool,
            gossip,
            disk: Disk::default(),
            chain,
            closed: Vec::new(),
            store: BTreeMap::new(),
            streams: BTreeMap::new(),
            presync: BTreeMap::new(),
            source: None,
            next_conn: 0,
        };
        host.replay(disk, now);
        host
    }

    /// Starts from what was saved.
    fn replay(&mut self, disk: Disk, now: Duration) {
        for id in &disk.order {
            let _ = self.node.handle_header(unix(now), ConnId(0), &disk.blocks[id]);
        }
        self.disk = disk;
        self.advance(now);
    }

    pub fn tip(&self) -> Tip {
        *self.node.tip()
    }

    /// Returns the addresses of the peers that are connected.
    pub fn peers(&self) -> Vec<Addr> {
        self.gossip.peers().filter_map(|peer| Some(self.streams.get(&peer.conn)?.1)).collect()
    }

    /// Returns the number of connected peers that this host has dialled.
    pub fn dialled(&self) -> usize {
        self.gossip.peers().filter(|peer| peer.dialled).count()
    }

    /// Asserts that nothing outside of the provided slots has grown.
    pub fn assert_bounded(&self) {
        assert!(self.store.len() <= MAX_STORE);
        assert!(self.streams.len() <= PEERS);
        assert!(self.presync.len() <= PEERS);
        for (_, _, received) in self.streams.values() {
            assert!(received.len() <= MAX_RECEIVED);
        }
    }

    /// Returns whether there is a stream to another host.
    pub fn knows(&self, addr: Addr) -> bool {
        self.streams.values().any(|(_, other, _)| *other == addr)
    }

    pub fn streams(&self) -> Vec<StreamId> {
        self.streams.values().map(|(stream, _, _)| *stream).collect()
    }

    pub fn poll_timeout(&self) -> Option<Duration> {
        let start = unix(Duration::ZERO);
        let both = [self.node.poll_timeout(), self.gossip.poll_timeout()];
        both.into_iter().flatten().min().map(|at| at.saturating_sub(start))
    }

    pub fn opened(&mut self, net: &mut Network, stream: StreamId, peer: Addr, dialled: bool) {
        let now = net.now();
        let conn = ConnId(self.next_conn);
        self.next_conn += 1;
        if self.gossip.handle_connected(unix(now), conn, dialled).is_ok() {
            self.streams.insert(conn, (stream, peer, Vec::new()));
        } else {
            net.close(stream, self.addr);
        }
        self.run(net);
    }

    fn conn_of(&self, stream: StreamId) -> Option<ConnId> {
        self.streams.iter().find(|(_, (other, _, _))| *other == stream).map(|(conn, _)| *conn)
    }

    pub fn closed(&mut self, net: &mut Network, stream: StreamId) {
        let Some(conn) = self.conn_of(stream) else { return };
        self.streams.remove(&conn);
        self.presync.remove(&conn);
        self.gossip.handle_closed(unix(net.now()), conn);
        self.run(net);
    }

    pub fn bytes(&mut self, net: &mut Network, stream: StreamId, bytes: &[u8]) {
        let Some(conn) = self.conn_of(stream) else { return };
        let Some((_, _, received)) = self.streams.get_mut(&conn) else { return };
        received.extend_from_slice(bytes);
        assert!(received.len() <= MAX_RECEIVED, "more than a block waits");
        let received = core::mem::take(received);
        let mut rest = &received[..];
        while let Ok(taken) = self.gossip.handle_bytes(unix(net.now()), conn, rest) {
            if let Some(message) = taken.outcome {
                self.message(net, conn, stream, message);
            }
            rest = &rest[taken.consumed..];
            if taken.consumed == 0 || rest.is_empty() {
                break;
            }
        }
        let has_read = rest.len() < received.len();
        let rest = rest.to_vec();
        if let Some((_, _, received)) = self.streams.get_mut(&conn) {
            *received = rest;
        }
        if has_read {
            self.run(net);
        }
    }

    fn message(&mut self, net: &mut Network, conn: ConnId, stream: StreamId, message: Message<'_>) {
        let now = unix(net.now());
        match message {
            Message::GetHeaders(ids) => {
                let mut out = vec![0; 20_000];
                let mut writer = HeadersWriter::new(&mut out).expect("long enough");
                let position = |id: BlockId| self.chain.iter().rposition(|other| *other == id);
                let known = ids.iter().find_map(position);
                let mut following =
                    self.chain[known.map_or(self.chain.len(), |at| at + 1)..].iter();
                let more = following.any(|id| !writer.push(&self.disk.blocks[id]));
                let len = writer.finish(more);
                net.send(stream, self.addr, &out[..len]);
            }
            Message::GetBlock(id) => {
                let block = self.disk.blocks.get(&id).map(|bytes| Message::Block(bytes));
                let answer = block.unwrap_or(Message::NotFound(NotFound::Block(id)));
                send(net, stream, self.addr, &answer);
            }
            Message::GetSnapshot(place) => {
                let mut out = [0; SNAPSHOT_CHUNK];
                let source = self.source.as_mut().filter(|source| source.id() == place.block);
                let len = source.and_then(|source| source.chunk(&place.from, &mut out).ok()?);
                let answer = match len {
                    Some(len) => Message::Snapshot(place, &out[..len]),
                    None => Message::NotFound(NotFound::Snapshot(place.block)),
                };
                send(net, stream, self.addr, &answer);
            }
            Message::GetTransaction(id) => {
                let mut buf = [0; Transaction::MAX_LEN];
                let len = self.mempool.copy(&id, &mut buf).ok().flatten();
                let answer = match len {
                    Some(len) => Message::Transaction(&buf[..len]),
                    None => Message::NotFound(NotFound::Transaction(id)),
                };
                send(net, stream, self.addr, &answer);
            }
            Message::Headers(headers) => {
                let config = self.gossip.config();
                let presync = self.presync.entry(conn).or_insert_with(|| Presync::new(config));
                if let Some(verdict) = presync.handle_headers(&mut self.node, now, &headers) {
                    self.gossip.handle_header_checked(now, conn, verdict);
                    return;
                }
                for header in headers {
                    let result = self.node.handle_header(now, conn, header);
                    let verdict = BlockVerdict::of(&self.node, &result);
                    self.gossip.handle_header_checked(now, conn, verdict);
                    if !matches!(verdict, BlockVerdict::Accepted { .. }) {
                        break;
                    }
                }
            }
            Message::Block(bytes) => {
                let (sealed, _) = SealedHeader::decode(bytes).expect("it was decoded");
                if self.store.len() < MAX_STORE {
                    let id = sealed.header.id(self.node.genesis_id());
                    self.store.insert(id, (conn, bytes.to_vec()));
                }
            }
            Message::Transaction(bytes) => {
                let (signed, _) = SignedTransaction::decode(bytes).expect("it was decoded");
                let id = signed.id(self.node.genesis_id());
                let tip = self.node.tip().height;
                let verdict = if self.node.is_busy() {
                    TransactionVerdict::Gap
                } else {
                    let result = self.mempool.insert(&signed, &self.node.state(), tip);
                    TransactionVerdict::of(&result)
                };
                self.gossip.handle_transaction_checked(now, conn, &id, verdict);
            }
            _ => {}
        }
    }

    pub fn timeout(&mut self, net: &mut Network) {
        let now = unix(net.now());
        self.node.handle_timeout(now);
        self.gossip.handle_timeout(now);
        self.run(net);
    }

    /// Does all that follows from an input.
    pub fn run(&mut self, net: &mut Network) {
        self.advance(net.now());
        while let Some(event) = self.gossip.poll_event() {
            match event {
                GossipEvent::Closed { conn, reason } => {
                    self.presync.remove(&conn);
                    if let Some((stream, peer, _)) = self.streams.remove(&conn) {
                        self.closed.push((peer, reason));
                        net.close(stream, self.addr);
                    }
                }
                GossipEvent::Unavailable { id } if self.node.needed() == Some(id) => {
                    self.node.give_up();
                    self.advance(net.now());
                }
                _ => {}
            }
        }
        let mut buf = [0; Message::MAX_CONTROL_LEN];
        while let Ok(Some(transmit)) = self.gossip.poll_transmit(&mut buf) {
            let stream = self.streams[&transmit.conn].0;
            net.send(stream, self.addr, &buf[..transmit.len]);
        }
    }

    /// Lets the node follow the best branch, and the gossip fetch what it needs.
    fn advance(&mut self, now: Duration) {
        let clock = unix(now);
        let before = self.tip().id;
        loop {
            while self.node.work(1000) == Progress::Pending {}
            if let Some(event) = self.node.poll_event() {
                self.event(clock, event);
            } else if !self.feed(clock) {
                break;
            }
        }
        if self.tip().id != before && !self.node.is_busy() {
            self.mempool.update(&self.node.state(), self.node.tip().height);
        }
        let mut locator = [BlockId::default(); 31];
        let len = self.node.locator(&mut locator);
        self.gossip.handle_tip(clock, self.node.tip(), &locator[..len]);
    }

    fn event(&mut self, clock: Duration, event: Event<common::WrongChecksum>) {
        match event {
            Event::Keep { id, .. } => {
                if let Some((_, bytes)) = self.store.remove(&id) {
                    self.disk.order.push(id);
                    self.disk.blocks.insert(id, bytes);
                }
                assert!(self.disk.blocks.contains_key(&id), "what is kept was delivered");
                self.node.handle_saved(clock, &id);
            }
            Event::Connected { id, height } => {
                assert_eq!(self.chain.len() as u64, height.0);
                self.chain.push(id);
                let (block, _) = Block::decode(&self.disk.blocks[&id]).expect("it was saved");
                for signed in block.body() {
                    let id = signed.id(self.node.genesis_id());
                    self.gossip.forget_transaction(clock, &id);
                }
            }
            Event::Disconnected { id, .. } => assert_eq!(self.chain.pop(), Some(id)),
            Event::Invalid { id, conn, .. } => {
                self.store.remove(&id);
                self.gossip.handle_block_checked(clock, conn, BlockVerdict::Invalid);
            }
            _ => {}
        }
    }

    /// Passes the body that is needed next to the node if it is there, and asks the peers for the others.
    fn feed(&mut self, clock: Duration) -> bool {
        let mut ids = [BlockId::default(); 16];
        let len = self.node.needed_ahead(&mut ids);
        let is_here = |host: &Self, id: &BlockId| {
            host.store.contains_key(id) || host.disk.blocks.contains_key(id)
        };
        if let Some(id) = self.node.needed().filter(|id| is_here(self, id)) {
            let (conn, bytes) = match self.store.get(&id) {
                Some((conn, bytes)) => (*conn, bytes.clone()),
                None => (ConnId(u32::MAX), self.disk.blocks[&id].clone()),
            };
            let result = self.node.handle_block(clock, conn, &bytes);
            let verdict = BlockVerdict::of(&self.node, &result);
            self.gossip.handle_block_checked(clock, conn, verdict);
            if verdict == BlockVerdict::Invalid {
                self.store.remove(&id);
            }
            return matches!(verdict, BlockVerdict::Accepted { .. } | BlockVerdict::Invalid);
        }
        let wanted: Vec<(Height, BlockId)> = ids[..len]
            .iter()
            .filter(|id| !is_here(self, id))
            .filter_map(|id| Some((self.node.tip_of(id)?.height, *id)))
            .collect();
        self.gossip.want_blocks(clock, &wanted);
        // What is no longer needed makes room.
        self.store.retain(|id, _| ids[..len].contains(id));
        false
    }
}

pub fn send(net: &mut Network, stream: StreamId, from: Addr, message: &Message<'_>) {
    let mut out = vec![0; message.encoded_len()];
    message.encode(&mut out).expect("encoded_len suffices");
    net.send(stream, from, &out);
}
