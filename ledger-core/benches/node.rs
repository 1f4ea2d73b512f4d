//! The node and the mempool: a change of branches of depth 100 with 100 transactions in each block, beside executing as many
//! blocks; a worthless header before a body of 1 MiB; the template of a full mempool.

use core::cmp::Reverse;
use core::hint::black_box;
use core::time::Duration;
use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use ledger_core::ledger::Standard;
use ledger_core::mempool::{ChunkSlot, Mempool, MempoolConfig, MempoolSlot, MempoolSlots};
use ledger_core::node::{Event, HeaderSlot, Node, NodeConfig, NodeSlots, OrphanSlot, Progress};
use ledger_core::{
    Account, Action, Ancestry, Block, Body, Chain, ChainSlots, ChainSpec, Claim, ConnId, Engine,
    GenesisId, Hash, Header, JournalSlot, KeyPair, Refused, Rules, SignedTransaction, Slot,
    Transaction, TxId, Weight,
};

const DEPTH: u64 = 100;
const TRANSACTIONS: u64 = 100;
const NOW: Duration = Duration::from_secs(1_000_000);

/// The proof is empty; any other is refused, as a bad seal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Open;

impl Engine for Open {
    type Error = Worthless;

    fn digest(&self) -> Hash {
        Hash::of(b"open")
    }

    fn check(
        &self,
        _: &dyn Ancestry,
        _: &Header,
        proof: &[u8],
        _: u64,
    ) -> Result<Weight, Refused<Worthless>> {
        if proof.is_empty() { Ok(Weight(1)) } else { Err(Refused::Invalid(Worthless)) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("worthless")]
struct Worthless;

type Memory = NodeSlots<Vec<Slot>, Vec<JournalSlot>, Vec<HeaderSlot>, Vec<OrphanSlot>, Vec<u8>>;
type BenchChain = Chain<Open, Standard, ChainSlots<Vec<Slot>, Vec<JournalSlot>>>;

fn rules() -> Rules {
    let mut rules = Rules::DEFAULT;
    rules.max_entries = 1024;
    rules.max_writes = 512;
    rules
}

fn key() -> KeyPair {
    KeyPair::from_secret(&[1; 32])
}

fn with_spec<T>(f: impl FnOnce(&ChainSpec<'_>) -> T) -> T {
    let allocation = [(key().account(), 1_000_000)];
    f(&ChainSpec { name: "bench", rules: rules(), time: 0, allocation: &allocation })
}

fn chain() -> BenchChain {
    let storage =
        ChainSlots { entries: vec![Slot::EMPTY; 1024], journal: vec![JournalSlot::EMPTY; 513] };
    with_spec(|spec| Chain::new(spec, Open, Standard, storage).expect("it fits"))
}

fn node() -> Node<Open, Standard, Memory> {
    let config = NodeConfig::new(DEPTH as u32 + 1, 1);
    let storage = NodeSlots {
        entries: vec![Slot::EMPTY; 1024],
        journal: vec![JournalSlot::EMPTY; config.journal_len(&rules())],
        headers: vec![HeaderSlot::EMPTY; config.headers_len()],
        orphans: vec![],
        block: vec![0; 1 << 20],
    };
    with_spec(|spec| Node::new(spec, config, Open, Standard, storage).expect("it fits"))
}

/// Blocks of 100 payments each, to accounts that differ by `branch`.
fn blocks(count: u64, branch: u8) -> Vec<Vec<u8>> {
    let mut chain = chain();
    let mut sequence = 0;
    let mut all = Vec::new();
    for n in 0..count {
        let mut bytes = Vec::new();
        for m in 0..TRANSACTIONS {
            let to = Account::from_bytes([branch; 32].map(|byte: u8| byte.wrapping_add(m as u8)));
            let pay = Transaction::new(key().account(), sequence, Action::Pay { to, amount: 1 });
            let mut buf = [0; Transaction::MAX_LEN];
            let signed = pay.sign(chain.genesis_id(), &key(), &mut buf).expect("its own key");
            bytes.extend_from_slice(signed.as_bytes());
            sequence += 1;
        }
        let body = Body::from_bytes(&bytes).expect("payments");
        let header = chain.propose(10 + n, Account::default(), &body, Claim::NONE);
        let block = Block::new(header.expect("they are fine"), &[], body).expect("its body");
        let mut out = vec![0; block.encoded_len()];
        block.encode(&mut out).expect("encoded_len suffices");
        chain.append(10 + n, &out).expect("a good block");
        all.push(out);
    }
    all
}

/// Delivers a branch, headers first, and returns the seconds it took.
fn deliver(node: &mut Node<Open, Standard, Memory>, blocks: &[Vec<u8>]) -> f64 {
    for block in blocks {
        node.handle_header(NOW, ConnId(0), block).expect("a good header");
    }
    let start = Instant::now();
    let first = Block::decode(&blocks[0]).expect("a block").0.header().height.0;
    loop {
        while node.work(u32::MAX) == Progress::Pending {}
        let Some(event) = node.poll_event() else { break };
        match event {
            Event::Keep { id, .. } => node.handle_saved(NOW, &id),
            Event::Need { height, .. } => {
                let block = &blocks[(height.0 - first) as usize];
                node.handle_block(NOW, ConnId(0), block).expect("needed");
            }
            _ => {}
        }
    }
    start.elapsed().as_secs_f64()
}

fn reorganisation() {
    let one = blocks(DEPTH, 1);
    let two = blocks(DEPTH + 1, 2);
    let mut best = f64::INFINITY;
    let mut applied = f64::INFINITY;
    for _ in 0..3 {
        let mut node = node();
        applied = applied.min(deliver(&mut node, &one) / one.len() as f64);
        best = best.min(deliver(&mut node, &two) / two.len() as f64);
        assert_eq!(node.tip().height.0, DEPTH + 1);
    }
    println!(
        "change of branches, depth {DEPTH}: {:.2} ms a block, executing alone {:.2} ms: {:.2} times",
        best * 1e3,
        applied * 1e3,
        best / applied
    );
}

fn worthless_header() {
    let mut node = node();
    let body = Body::default();
    let header = node.propose(10, Account::default(), &body, Claim::NONE).expect("an empty block");
    let block = Block::new(header, &[1], body).expect("its body");
    let mut out = vec![0; (1 << 20) - 10];
    block.encode(&mut out).expect("there is room");
    let runs = 100_000;
    let start = Instant::now();
    for _ in 0..runs {
        let refused = node.handle_block(NOW, ConnId(0), black_box(&out));
        assert!(refused.is_err());
    }
    let each = start.elapsed().as_secs_f64() / f64::from(runs);
    println!("a worthless header before a body of 1 MiB: {:.2} us", each * 1e6);
}

/// What a mempool is elsewhere: transactions by id, and their ids by fee per byte. It knows no accounts and checks nothing.
#[derive(Default)]
struct Baseline {
    by_id: HashMap<TxId, Vec<u8>>,
    by_rate: BTreeSet<(Reverse<u64>, TxId)>,
}

impl Baseline {
    fn insert(&mut self, signed: &SignedTransaction<'_>, genesis: &GenesisId) {
        let id = signed.id(genesis);
        let bytes = signed.as_bytes();
        let rate = signed.transaction().fee * 1000 / bytes.len() as u64;
        if self.by_id.insert(id, bytes.to_vec()).is_none() {
            self.by_rate.insert((Reverse(rate), id));
        }
    }

    fn template(&self, out: &mut [u8]) -> usize {
        let mut len = 0;
        for (_, id) in &self.by_rate {
            let bytes = &self.by_id[id];
            let Some(place) = out.get_mut(len..len + bytes.len()) else { break };
            place.copy_from_slice(bytes);
            len += bytes.len();
        }
        len
    }
}

fn mempool() {
    const SIZE: usize = 4096;
    const ACCOUNTS: usize = 64;
    let keys: Vec<KeyPair> =
        (0..ACCOUNTS).map(|n| KeyPair::from_secret(&[n as u8 + 1; 32])).collect();
    let allocation: Vec<_> = keys.iter().map(|key| (key.account(), 1_000_000)).collect();
    let spec = ChainSpec { name: "bench", rules: rules(), time: 0, allocation: &allocation };
    let storage =
        ChainSlots { entries: vec![Slot::EMPTY; 1024], journal: vec![JournalSlot::EMPTY; 513] };
    let chain = Chain::new(&spec, Open, Standard, storage).expect("it fits");
    let mut config = MempoolConfig::new(*chain.genesis_id(), 1);
    config.max_per_account = 128;
    let storage = MempoolSlots {
        slots: vec![MempoolSlot::EMPTY; SIZE],
        chunks: vec![ChunkSlot::EMPTY; SIZE],
    };
    let mut pool = Mempool::new(config, storage).expect("a good configuration");
    let signed: Vec<Vec<u8>> = (0..SIZE as u64 + 1000)
        .map(|n| {
            let to = Account::default();
            let key = &keys[n as usize % ACCOUNTS];
            let mut pay = Transaction::new(key.account(), 0, Action::Pay { to, amount: 1 });
            pay.lane = (n / ACCOUNTS as u64) as u16;
            pay.fee = n.wrapping_mul(7919) % 97 + 1;
            let mut buf = [0; Transaction::MAX_LEN];
            let signed = pay.sign(chain.genesis_id(), key, &mut buf);
            signed.expect("its own key").as_bytes().to_vec()
        })
        .collect();
    let state = chain.state();
    let mut insert = |range: core::ops::Range<usize>| {
        let count = range.len();
        let start = Instant::now();
        for bytes in &signed[range] {
            let (signed, _) = SignedTransaction::decode(bytes).expect("just signed");
            let _ = black_box(pool.insert(&signed, &state, chain.tip().height));
        }
        start.elapsed().as_secs_f64() / count as f64 * 1e6
    };
    let free = insert(0..1000);
    let _ = insert(1000..SIZE);
    let full = insert(SIZE..SIZE + 1000);
    let start = Instant::now();
    for bytes in &signed[..1000] {
        let (signed, _) = SignedTransaction::decode(bytes).expect("just signed");
        signed.verify(chain.genesis_id()).expect("it is signed");
    }
    let verify = start.elapsed().as_secs_f64() * 1e3;
    println!(
        "mempool: {free:.1} us an insertion, {full:.1} us when full; the signature alone is {verify:.1} us"
    );
    let mut baseline = Baseline::default();
    let start = Instant::now();
    for bytes in &signed[..SIZE] {
        let (signed, _) = SignedTransaction::decode(bytes).expect("just signed");
        baseline.insert(&signed, chain.genesis_id());
    }
    let inserted = start.elapsed().as_secs_f64() / SIZE as f64 * 1e6;
    println!("hash map and ordered tree, without any check: {inserted:.2} us an insertion");
    let mut out = vec![0; 1 << 20];
    let mut template = f64::INFINITY;
    let mut other = f64::INFINITY;
    let mut len = 0;
    for _ in 0..20 {
        let start = Instant::now();
        len = black_box(pool.template(&mut out));
        template = template.min(start.elapsed().as_secs_f64());
        let start = Instant::now();
        black_box(baseline.template(&mut out));
        other = other.min(start.elapsed().as_secs_f64());
    }
    println!(
        "mempool: template of {len} bytes out of {} in {:.0} us; hash map and ordered tree {:.0} us",
        pool.len(),
        template * 1e6,
        other * 1e6
    );
    println!(
        "mempool: {} bytes a slot, {} a chunk",
        size_of::<MempoolSlot>(),
        size_of::<ChunkSlot>()
    );
}

fn main() {
    reorganisation();
    worthless_header();
    mempool();
}
