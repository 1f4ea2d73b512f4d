//! Nodes of one ledger that gossip over a network with delays: each has a chain, a mempool and all blocks.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use ledger_core::gossip::{
    BlockVerdict, Event as GossipEvent, Gossip, GossipConfig, GossipLimits, GossipVec,
    HeadersWriter, Message, NotFound, TransactionVerdict,
};
use ledger_core::ledger::Standard;
use ledger_core::mempool::{Mempool, MempoolConfig, MempoolLimits, MempoolVec};
use ledger_core::node::{Event, Node, NodeConfig, NodeLimits, NodeVec, Progress};
use ledger_core::{
    Action, Block, BlockId, Body, ChainSpec, ConnId, Height, Rules, SealedHeader,
    SignedTransaction, Transaction, TxId,
};
use pow::{CompactTarget, Target, WorkSeal};
use sim::{Addr, Delivery, Link, Network, StreamId};

use super::failed;
use super::town::{account, key};

/// Blocks that a node can take back.
const DEPTH: u32 = 32;
/// The calendar begins later than block 0.
const START: Duration = Duration::from_secs(1_000);
/// The number of the connection by which a node hears of itself.
const OWN: ConnId = ConnId(u32::MAX);

pub struct Replicas {
    net: Network,
    hosts: Vec<Host>,
    dialled: BTreeMap<StreamId, Addr>,
    /// Bodies of blocks that went from one node to another.
    pub bodies: usize,
}

struct Host {
    addr: Addr,
    node: Node<WorkSeal, Standard, NodeVec>,
    mempool: Mempool<MempoolVec>,
    gossip: Gossip<GossipVec>,
    blocks: BTreeMap<BlockId, Vec<u8>>,
    /// Delivered, and not saved.
    delivered: BTreeMap<BlockId, (ConnId, Vec<u8>)>,
    chain: Vec<BlockId>,
    conns: BTreeMap<ConnId, (StreamId, Vec<u8>)>,
}

fn clock(net: &Network) -> Duration {
    START + net.now()
}

fn bits() -> CompactTarget {
    Target::from_zero_bits(0).to_compact()
}

impl Replicas {
    /// Nodes that are connected with each other, over paths that lose one segment of five. Person 0 owns 100 coins.
    pub fn new(count: u32) -> Result<Self, String> {
        let link = Link {
            latency: Duration::from_millis(40),
            jitter: Duration::from_millis(60),
            loss: 200,
            ..Link::default()
        };
        let mut net = Network::new(3, link);
        let hosts = (0..count).map(|addr| Host::new(Addr(addr))).collect::<Result<_, _>>()?;
        let mut dialled = BTreeMap::new();
        for from in 0..count {
            for to in from + 1..count {
                dialled.insert(net.connect(Addr(from), Addr(to)), Addr(from));
            }
        }
        let mut replicas = Self { net, hosts, dialled, bodies: 0 };
        replicas.run(10);
        Ok(replicas)
    }

    /// Runs for this many seconds.
    pub fn run(&mut self, seconds: u64) {
        let end = self.net.now() + Duration::from_secs(seconds);
        loop {
            let due = self.hosts.iter().filter_map(Host::poll_timeout).min();
            let due = due.map(|at| at.saturating_sub(START).max(self.net.now()));
            let until = due.map_or(end, |at| at.min(end));
            if let Some(delivery) = self.net.next(until) {
                self.deliver(delivery);
            } else if due.is_some_and(|at| at < end) {
                let now = clock(&self.net);
                for host in &mut self.hosts {
                    if host.poll_timeout().is_some_and(|at| at <= now) {
                        host.node.handle_timeout(now);
                        host.gossip.handle_timeout(now);
                        host.run(&mut self.net);
                    }
                }
            } else {
                return;
            }
        }
    }

    fn deliver(&mut self, delivery: Delivery) {
        let Some(host) = self.hosts.get_mut(delivery.at().0 as usize) else { return };
        match delivery {
            Delivery::Opened { stream, .. } => {
                let conn = ConnId(stream.0 as u32);
                let dialled = self.dialled.get(&stream) == Some(&host.addr);
                if host.gossip.handle_connected(clock(&self.net), conn, dialled).is_ok() {
                    host.conns.insert(conn, (stream, Vec::new()));
                }
                host.run(&mut self.net);
            }
            Delivery::Bytes { stream, bytes, .. } => {
                self.bodies += host.bytes(&mut self.net, ConnId(stream.0 as u32), &bytes);
            }
            Delivery::Closed { stream, .. } => {
                let conn = ConnId(stream.0 as u32);
                host.conns.remove(&conn);
                host.gossip.handle_closed(clock(&self.net), conn);
                host.run(&mut self.net);
            }
            Delivery::Datagram { .. } => {}
        }
    }

    /// Signs an action as the next of a person, and hands it to a node.
    pub fn act(&mut self, at: usize, from: u8, action: Action<'_>) -> Result<TxId, String> {
        let host = &mut self.hosts[at];
        let sequence = host.node.state().sequence(&account(from));
        let transaction = Transaction::new(account(from), sequence, action);
        let mut buf = [0; Transaction::MAX_LEN];
        let signed = transaction.sign(host.node.genesis_id(), &key(from), &mut buf);
        let signed = signed.map_err(failed)?;
        let id = signed.id(host.node.genesis_id());
        let height = host.node.tip().height;
        host.mempool.insert(&signed, &host.node.state(), height).map_err(failed)?;
        host.gossip.announce_transaction(clock(&self.net), &id);
        host.run(&mut self.net);
        Ok(id)
    }

    /// Lets a node seal what waits.
    pub fn seal(&mut self, at: usize) -> Result<(), String> {
        let now = clock(&self.net);
        let host = &mut self.hosts[at];
        let mut body = vec![0; 4_096];
        let len = host.mempool.template(&mut body);
        let body = Body::from_bytes(&body[..len]).map_err(failed)?;
        let claim = WorkSeal::claim(bits(), 0);
        let header = host.node.propose(now.as_secs(), account(9), &body, claim).map_err(failed)?;
        let block = Block::new(header, &[], body).map_err(failed)?;
        let mut bytes = vec![0; block.encoded_len()];
        block.encode(&mut bytes).map_err(failed)?;
        host.delivered.insert(header.id(host.node.genesis_id()), (OWN, bytes.clone()));
        host.node.handle_header(now, OWN, &bytes).map_err(failed)?;
        host.run(&mut self.net);
        Ok(())
    }

    /// Lets nothing pass between the nodes with even and with odd numbers.
    pub fn split(&mut self) {
        let all = (0..self.hosts.len() as u32).map(Addr);
        let (even, odd): (Vec<Addr>, Vec<Addr>) = all.partition(|addr| addr.0 % 2 == 0);
        self.net.partition(&[&even, &odd]);
    }

    /// Connects the two halves again, by new streams where the old ones broke.
    pub fn heal(&mut self) {
        self.net.heal();
        for from in 0..self.hosts.len() as u32 {
            for to in from + 1..self.hosts.len() as u32 {
                if from % 2 != to % 2 {
                    self.dialled.insert(self.net.connect(Addr(from), Addr(to)), Addr(from));
                }
            }
        }
    }

    /// Returns how many different ends the chains of the nodes have.
    pub fn tips(&self) -> usize {
        self.hosts.iter().map(|host| host.node.tip().id).collect::<BTreeSet<_>>().len()
    }

    /// Returns how many nodes have a transaction in their mempool.
    pub fn waiting(&self, id: &TxId) -> usize {
        self.hosts.iter().filter(|host| host.mempool.contains(id)).count()
    }

    /// Returns the height of each chain.
    pub fn heights(&self) -> Vec<u64> {
        self.hosts.iter().map(|host| host.node.tip().height.0).collect()
    }

    /// Returns the blocks of each chain behind each other, as they are stored.
    pub fn copies(&self) -> Vec<Vec<u8>> {
        let copy = |host: &Host| {
            let blocks = host.chain.iter().filter_map(|id| host.blocks.get(id));
            blocks.flatten().copied().collect()
        };
        self.hosts.iter().map(copy).collect()
    }
}

impl Host {
    fn new(addr: Addr) -> Result<Self, String> {
        let allocation = [(account(0), 100)];
        let spec =
            ChainSpec { name: "slides", rules: Rules::SMALL, time: 0, allocation: &allocation };
        let config = NodeConfig::new(DEPTH, u64::from(addr.0));
        let storage = NodeVec::new(NodeLimits::new(&Rules::SMALL, &config));
        let seal = WorkSeal::new(bits()).map_err(failed)?;
        let node = Node::new(&spec, config, seal, Standard, storage).map_err(failed)?;
        let genesis = *node.genesis_id();
        let config = MempoolConfig::new(genesis, u64::from(addr.0));
        let mempool = Mempool::new(config, MempoolVec::new(MempoolLimits::default()));
        let config = GossipConfig::new(genesis, Rules::SMALL.max_block_len, u64::from(addr.0));
        let limits = GossipLimits { peers: 32, blocks: 8, transactions: 64 };
        let gossip = Gossip::new(config, GossipVec::new(limits)).map_err(failed)?;
        Ok(Self {
            addr,
            node,
            mempool: mempool.map_err(failed)?,
            gossip,
            blocks: BTreeMap::new(),
            delivered: BTreeMap::new(),
            chain: vec![genesis.block_id()],
            conns: BTreeMap::new(),
        })
    }

    fn poll_timeout(&self) -> Option<Duration> {
        [self.node.poll_timeout(), self.gossip.poll_timeout()].into_iter().flatten().min()
    }

    /// Handles bytes of a connection; returns how many bodies of blocks were among them.
    fn bytes(&mut self, net: &mut Network, conn: ConnId, bytes: &[u8]) -> usize {
        let Some((_, buffer)) = self.conns.get_mut(&conn) else { return 0 };
        buffer.extend_from_slice(bytes);
        let received = core::mem::take(buffer);
        let mut rest = &received[..];
        let mut bodies = 0;
        while let Ok(taken) = self.gossip.handle_bytes(clock(net), conn, rest) {
            if let Some(message) = taken.outcome {
                bodies += usize::from(matches!(message, Message::Block(_)));
                self.message(net, conn, &message);
            }
            rest = &rest[taken.consumed..];
            if taken.consumed == 0 || rest.is_empty() {
                break;
            }
        }
        if let Some((_, buffer)) = self.conns.get_mut(&conn) {
            *buffer = rest.to_vec();
        }
        self.run(net);
        bodies
    }

    fn message(&mut self, net: &mut Network, conn: ConnId, message: &Message<'_>) {
        let now = clock(net);
        match message {
            Message::GetHeaders(ids) => {
                let mut out = vec![0; 20_000];
                let Ok(mut writer) = HeadersWriter::new(&mut out) else { return };
                let position = |id: BlockId| self.chain.iter().rposition(|other| *other == id);
                let known = ids.iter().find_map(position).map_or(self.chain.len(), |at| at + 1);
                let mut following = self.chain[known..].iter();
                let more = following.any(|id| !writer.push(&self.blocks[id]));
                let len = writer.finish(more);
                self.send(net, conn, &out[..len]);
            }
            Message::GetBlock(id) => {
                let block = self.blocks.get(id).map(|bytes| Message::Block(bytes));
                self.answer(net, conn, &block.unwrap_or(Message::NotFound(NotFound::Block(*id))));
            }
            Message::GetTransaction(id) => {
                let mut buf = [0; Transaction::MAX_LEN];
                let len = self.mempool.copy(id, &mut buf).ok().flatten();
                let missing = Message::NotFound(NotFound::Transaction(*id));
                let answer = len.map_or(missing, |len| Message::Transaction(&buf[..len]));
                self.answer(net, conn, &answer);
            }
            Message::Headers(headers) => {
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
                if let Ok((sealed, _)) = SealedHeader::decode(bytes) {
                    let id = sealed.header.id(self.node.genesis_id());
                    self.delivered.insert(id, (conn, bytes.to_vec()));
                }
            }
            Message::Transaction(bytes) => {
                let Ok((signed, _)) = SignedTransaction::decode(bytes) else { return };
                let id = signed.id(self.node.genesis_id());
                let height = self.node.tip().height;
                let result = self.mempool.insert(&signed, &self.node.state(), height);
                let verdict = TransactionVerdict::of(&result);
                self.gossip.handle_transaction_checked(now, conn, &id, verdict);
            }
            _ => {}
        }
    }

    fn answer(&self, net: &mut Network, conn: ConnId, message: &Message<'_>) {
        let mut out = vec![0; message.encoded_len()];
        if message.encode(&mut out).is_ok() {
            self.send(net, conn, &out);
        }
    }

    fn send(&self, net: &mut Network, conn: ConnId, bytes: &[u8]) {
        if let Some((stream, _)) = self.conns.get(&conn) {
            net.send(*stream, self.addr, bytes);
        }
    }

    /// Does all that follows from an input.
    fn run(&mut self, net: &mut Network) {
        self.advance(clock(net));
        while let Some(event) = self.gossip.poll_event() {
            match event {
                GossipEvent::Closed { conn, .. } => {
                    if let Some((stream, _)) = self.conns.remove(&conn) {
                        net.close(stream, self.addr);
                    }
                }
                GossipEvent::Unavailable { id } if self.node.needed() == Some(id) => {
                    self.node.give_up();
                    self.advance(clock(net));
                }
                _ => {}
            }
        }
        let mut buf = [0; Message::MAX_CONTROL_LEN];
        while let Ok(Some(sent)) = self.gossip.poll_transmit(&mut buf) {
            self.send(net, sent.conn, &buf[..sent.len]);
        }
    }

    /// Lets the node follow the best branch, and the gossip fetch what it needs.
    fn advance(&mut self, now: Duration) {
        loop {
            while self.node.work(1_000) == Progress::Pending {}
            match self.node.poll_event() {
                Some(Event::Keep { id, .. }) => {
                    if let Some((_, bytes)) = self.delivered.remove(&id) {
                        self.blocks.insert(id, bytes);
                    }
                    self.node.handle_saved(now, &id);
                }
                Some(Event::Connected { id, .. }) => self.chain.push(id),
                Some(Event::Disconnected { .. }) => drop(self.chain.pop()),
                Some(_) => {}
                None if self.feed(now) => {}
                None => break,
            }
        }
        self.mempool.update(&self.node.state(), self.node.tip().height);
        let mut locator = [BlockId::default(); 31];
        let len = self.node.locator(&mut locator);
        self.gossip.handle_tip(now, self.node.tip(), &locator[..len]);
    }

    /// Gives the node the body that it needs next, or asks the peers for it.
    fn feed(&mut self, now: Duration) -> bool {
        let Some(id) = self.node.needed() else { return false };
        let own = self.blocks.get(&id).map(|bytes| (OWN, bytes.clone()));
        if let Some((conn, bytes)) = own.or_else(|| self.delivered.get(&id).cloned()) {
            let result = self.node.handle_block(now, conn, &bytes);
            let verdict = BlockVerdict::of(&self.node, &result);
            self.gossip.handle_block_checked(now, conn, verdict);
            return matches!(verdict, BlockVerdict::Accepted { .. } | BlockVerdict::Invalid);
        }
        let wanted: Option<(Height, BlockId)> = self.node.tip_of(&id).map(|tip| (tip.height, id));
        self.gossip.want_blocks(now, wanted.as_slice());
        false
    }
}
