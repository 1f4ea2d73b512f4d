//! Nodes with mempool and gossip, connected in memory on one thread: blocks and transactions per second of four nodes, and a
//! new node that catches up on 100,000 blocks. `cargo bench -p ledger-core --bench gossip`.

use core::time::Duration;
use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use ledger_core::gossip::{
    BlockRequest, BlockVerdict, Gossip, GossipConfig, GossipSlots, HeadersWriter, Message,
    NotFound, PeerSlot, Presync, TransactionSlot, TransactionVerdict,
};
use ledger_core::ledger::Standard;
use ledger_core::mempool::{ChunkSlot, Mempool, MempoolConfig, MempoolSlot, MempoolSlots};
use ledger_core::node::{Event, HeaderSlot, Node, NodeConfig, NodeSlots, OrphanSlot, Progress};
use ledger_core::{
    Account, Action, Ancestry, Block, BlockId, Body, ChainSpec, Claim, ConnId, Engine, Hash,
    Header, Height, JournalSlot, KeyPair, Refused, Rules, SealedHeader, SignedTransaction, Slot,
    Transaction, Weight,
};

const ACCOUNTS: u8 = 16;
const DEPTH: u32 = 16;
const NOW: Duration = Duration::from_secs(1_000_000);

/// Accepts every block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Open;

impl Engine for Open {
    type Error = core::convert::Infallible;

    fn digest(&self) -> Hash {
        Hash::of(b"open")
    }

    fn check(
        &self,
        _: &dyn Ancestry,
        _: &Header,
        _: &[u8],
        _: u64,
    ) -> Result<Weight, Refused<Self::Error>> {
        Ok(Weight(1))
    }
}

type Memory = NodeSlots<Vec<Slot>, Vec<JournalSlot>, Vec<HeaderSlot>, Vec<OrphanSlot>, Vec<u8>>;
type Peers = GossipSlots<Vec<PeerSlot>, Vec<BlockRequest>, Vec<TransactionSlot>>;

struct Replica {
    number: u32,
    node: Node<Open, Standard, Memory>,
    mempool: Mempool<MempoolSlots<Vec<MempoolSlot>, Vec<ChunkSlot>>>,
    gossip: Gossip<Peers>,
    presync: HashMap<ConnId, Presync<Open>>,
    chain: Vec<BlockId>,
    blocks: HashMap<BlockId, Vec<u8>>,
    heights: HashMap<BlockId, usize>,
}

/// Messages on their way: the receiver, the sender, the bytes.
type Wire = VecDeque<(u32, u32, Vec<u8>)>;

fn rules() -> Rules {
    let mut rules = Rules::DEFAULT;
    rules.max_entries = 1024;
    rules.max_writes = 1024;
    rules.max_block_len = 1 << 18;
    rules
}

fn key(n: u8) -> KeyPair {
    KeyPair::from_secret(&[n + 1; 32])
}

impl Replica {
    fn new(number: u32) -> Self {
        let allocation: Vec<_> = (0..ACCOUNTS).map(|n| (key(n).account(), 1_000_000)).collect();
        let spec = ChainSpec { name: "bench", rules: rules(), time: 0, allocation: &allocation };
        let config = NodeConfig::new(DEPTH, 1);
        let storage = NodeSlots {
            entries: vec![Slot::EMPTY; 1024],
            journal: vec![JournalSlot::EMPTY; config.journal_len(&rules())],
            headers: vec![HeaderSlot::EMPTY; config.headers_len() + 128],
            orphans: vec![OrphanSlot::EMPTY; 8],
            block: vec![0; rules().max_block_len as usize],
        };
        let node = Node::new(&spec, config, Open, Standard, storage).expect("it fits");
        let genesis = *node.genesis_id();
        let mut config = MempoolConfig::new(genesis, 1);
        config.max_per_account = 256;
        let slots = vec![MempoolSlot::EMPTY; 2048];
        let storage = MempoolSlots { slots, chunks: vec![ChunkSlot::EMPTY; 2048] };
        let mempool = Mempool::new(config, storage).expect("it can work");
        let mut config = GossipConfig::new(genesis, rules().max_block_len, u64::from(number) + 7);
        config.transactions_per_second = u16::MAX; // the clock stands still
        let storage = GossipSlots {
            peers: vec![PeerSlot::EMPTY; 4],
            blocks: vec![BlockRequest::EMPTY; 16],
            transactions: vec![TransactionSlot::EMPTY; 1024],
        };
        let gossip = Gossip::new(config, storage).expect("it can work");
        Self {
            number,
            node,
            mempool,
            gossip,
            presync: HashMap::new(),
            chain: vec![genesis.block_id()],
            blocks: HashMap::new(),
            heights: HashMap::from([(genesis.block_id(), 0)]),
        }
    }

    fn send(&self, wire: &mut Wire, to: ConnId, message: &Message<'_>) {
        let mut out = vec![0; message.encoded_len()];
        message.encode(&mut out).expect("encoded_len suffices");
        wire.push_back((to.0, self.number, out));
    }

    fn receive(&mut self, wire: &mut Wire, from: u32, bytes: &[u8]) {
        let conn = ConnId(from);
        let received = self.gossip.handle_bytes(NOW, conn, bytes).expect("it is connected");
        match received.outcome {
            Some(Message::GetHeaders(ids)) => {
                let known = ids.iter().find_map(|id| self.heights.get(&id).copied()).unwrap_or(0);
                let mut out = vec![0; 20_000];
                let mut writer = HeadersWriter::new(&mut out).expect("long enough");
                let mut following = self.chain[known + 1..].iter();
                let more = following.any(|id| !writer.push(&self.blocks[id]));
                let len = writer.finish(more);
                out.truncate(len);
                wire.push_back((from, self.number, out));
            }
            Some(Message::GetBlock(id)) => match self.blocks.get(&id) {
                Some(bytes) => self.send(wire, conn, &Message::Block(bytes)),
                None => self.send(wire, conn, &Message::NotFound(NotFound::Block(id))),
            },
            Some(Message::GetTransaction(id)) => {
                let mut buf = [0; Transaction::MAX_LEN];
                match self.mempool.copy(&id, &mut buf) {
                    Ok(Some(len)) => self.send(wire, conn, &Message::Transaction(&buf[..len])),
                    _ => self.send(wire, conn, &Message::NotFound(NotFound::Transaction(id))),
                }
            }
            Some(Message::Headers(headers)) => {
                let config = self.gossip.config();
                let presync = self.presync.entry(conn).or_insert_with(|| Presync::new(config));
                if let Some(verdict) = presync.handle_headers(&mut self.node, NOW, &headers) {
                    self.gossip.handle_header_checked(NOW, conn, verdict);
                } else {
                    for header in headers {
                        let result = self.node.handle_header(NOW, conn, header);
                        let verdict = BlockVerdict::of(&self.node, &result);
                        self.gossip.handle_header_checked(NOW, conn, verdict);
                        if !matches!(verdict, BlockVerdict::Accepted { .. }) {
                            break;
                        }
                    }
                }
            }
            Some(Message::Block(bytes)) => {
                let (sealed, _) = SealedHeader::decode(bytes).expect("it was decoded");
                self.blocks.insert(sealed.header.id(self.node.genesis_id()), bytes.to_vec());
            }
            Some(Message::Transaction(bytes)) => {
                let (signed, _) = SignedTransaction::decode(bytes).expect("it was decoded");
                let id = signed.id(self.node.genesis_id());
                let tip = self.node.tip().height;
                let result = self.mempool.insert(&signed, &self.node.state(), tip);
                let verdict = TransactionVerdict::of(&result);
                self.gossip.handle_transaction_checked(NOW, conn, &id, verdict);
            }
            _ => {}
        }
        self.advance(wire);
    }

    fn advance(&mut self, wire: &mut Wire) {
        let before = self.node.tip().id;
        loop {
            while self.node.work(1000) == Progress::Pending {}
            if let Some(event) = self.node.poll_event() {
                match event {
                    Event::Keep { id, .. } => self.node.handle_saved(NOW, &id),
                    Event::Connected { id, .. } => {
                        let (block, _) = Block::decode(&self.blocks[&id]).expect("it was saved");
                        for signed in block.body() {
                            let id = signed.id(self.node.genesis_id());
                            self.gossip.forget_transaction(NOW, &id);
                        }
                        self.heights.insert(id, self.chain.len());
                        self.chain.push(id);
                    }
                    _ => {}
                }
            } else if !self.feed() {
                break;
            }
        }
        if self.node.tip().id != before {
            self.mempool.update(&self.node.state(), self.node.tip().height);
            let mut locator = [BlockId::default(); 31];
            let len = self.node.locator(&mut locator);
            self.gossip.handle_tip(NOW, self.node.tip(), &locator[..len]);
        }
        while self.gossip.poll_event().is_some() {}
        let mut buf = [0; Message::MAX_CONTROL_LEN];
        while let Ok(Some(transmit)) = self.gossip.poll_transmit(&mut buf) {
            wire.push_back((transmit.conn.0, self.number, buf[..transmit.len].to_vec()));
        }
    }

    fn feed(&mut self) -> bool {
        if let Some(bytes) = self.node.needed().and_then(|id| self.blocks.get(&id)) {
            return self.node.handle_block(NOW, ConnId(99), bytes).is_ok();
        }
        let mut ids = [BlockId::default(); 16];
        let len = self.node.needed_ahead(&mut ids);
        let missing = ids[..len].iter().filter(|id| !self.blocks.contains_key(id));
        let height = |id: &BlockId| Some((self.node.tip_of(id)?.height, *id));
        let wanted: Vec<(Height, BlockId)> = missing.filter_map(height).collect();
        self.gossip.want_blocks(NOW, &wanted);
        false
    }

    /// Makes a block of what waits.
    fn mine(&mut self, wire: &mut Wire) {
        let mut bytes = vec![0; 1 << 17];
        let len = self.mempool.template(&mut bytes);
        let body = Body::from_bytes(&bytes[..len]).expect("transactions");
        let time = self.node.median_time() + 1;
        let header = self.node.propose(time, Account::default(), &body, Claim::NONE);
        let block = Block::new(header.expect("they are fine"), &[], body).expect("its body");
        let mut out = vec![0; block.encoded_len()];
        block.encode(&mut out).expect("encoded_len suffices");
        self.blocks.insert(block.id(self.node.genesis_id()), out.clone());
        self.node.handle_header(NOW, ConnId(99), &out).expect("a good header");
        self.advance(wire);
    }
}

fn connect(replicas: &mut [Replica], wire: &mut Wire, one: usize, other: usize) {
    for (from, to, dialled) in [(one, other, true), (other, one, false)] {
        let conn = ConnId(replicas[to].number);
        replicas[from].gossip.handle_connected(NOW, conn, dialled).expect("there is room");
    }
    replicas[one].advance(wire);
    replicas[other].advance(wire);
}

fn run(replicas: &mut [Replica], wire: &mut Wire) {
    while let Some((to, from, bytes)) = wire.pop_front() {
        replicas[to as usize].receive(wire, from, &bytes);
    }
}

/// Four nodes, each connected to all others: payments enter at one, blocks are made by another.
fn four_nodes() {
    const BLOCKS: u64 = 20;
    const A_BLOCK: u64 = 100;
    let mut wire = Wire::new();
    let mut replicas: Vec<Replica> = (0..4).map(Replica::new).collect();
    for (one, other) in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)] {
        connect(&mut replicas, &mut wire, one, other);
    }
    run(&mut replicas, &mut wire);
    let genesis = *replicas[0].node.genesis_id();
    let mut sequences = [0; ACCOUNTS as usize];
    let mut pays = Vec::new();
    for n in 0..BLOCKS * A_BLOCK {
        let account = (n % u64::from(ACCOUNTS)) as u8;
        let to = key((account + 1) % ACCOUNTS).account();
        let sequence = &mut sequences[usize::from(account)];
        let pay =
            Transaction::new(key(account).account(), *sequence, Action::Pay { to, amount: 1 });
        *sequence += 1;
        let mut buf = [0; Transaction::MAX_LEN];
        let signed = pay.sign(&genesis, &key(account), &mut buf).expect("its own key");
        pays.push(signed.as_bytes().to_vec());
    }
    let start = Instant::now();
    for (n, block) in pays.chunks(A_BLOCK as usize).enumerate() {
        let first = &mut replicas[0];
        for bytes in block {
            let (signed, _) = SignedTransaction::decode(bytes).expect("just signed");
            let tip = first.node.tip().height;
            first.mempool.insert(&signed, &first.node.state(), tip).expect("a good payment");
            first.gossip.announce_transaction(NOW, &signed.id(&genesis));
        }
        first.advance(&mut wire);
        run(&mut replicas, &mut wire);
        let maker = &mut replicas[1 + n % 3];
        assert_eq!(maker.mempool.len(), A_BLOCK as usize, "all payments were gossiped");
        maker.mine(&mut wire);
        run(&mut replicas, &mut wire);
        assert!(replicas.iter().all(|it| it.node.tip() == replicas[0].node.tip()));
    }
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(replicas[0].node.tip().height.0, BLOCKS);
    println!(
        "four nodes on one thread: {:.0} blocks/s of {A_BLOCK} payments, {:.0} payments/s",
        BLOCKS as f64 / seconds,
        (BLOCKS * A_BLOCK) as f64 / seconds
    );
    let start = Instant::now();
    for bytes in &pays {
        let (signed, _) = SignedTransaction::decode(bytes).expect("just signed");
        signed.verify(&genesis).expect("it is signed");
    }
    let verify = start.elapsed().as_secs_f64();
    println!(
        "  of it {:.0} % are the signatures: once in each mempool, once in each block",
        800.0 * verify / seconds
    );
}

/// A new node with one peer, blocks without transactions.
fn catch_up(blocks: u64) {
    let mut wire = Wire::new();
    let mut replicas = vec![Replica::new(0), Replica::new(1)];
    let start = Instant::now();
    for _ in 0..blocks {
        replicas[0].mine(&mut wire);
    }
    let made = start.elapsed().as_secs_f64();
    let start = Instant::now();
    connect(&mut replicas, &mut wire, 1, 0);
    run(&mut replicas, &mut wire);
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(replicas[1].node.tip(), replicas[0].node.tip());
    println!(
        "catching up on {blocks} blocks: {seconds:.2} s, {:.1} us a block; making them {:.1} us",
        seconds / blocks as f64 * 1e6,
        made / blocks as f64 * 1e6
    );
}

fn main() {
    four_nodes();
    for blocks in [1000, 10_000, 100_000] {
        catch_up(blocks);
    }
}
