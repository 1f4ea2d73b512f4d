//! The laws of the node, under any order of calls with blocks of a small tree.

use core::time::Duration;
use std::sync::OnceLock;

use ledger_core::ledger::Standard;
use ledger_core::node::{Event, HeaderSlot, Node, NodeConfig, NodeSlots, OrphanSlot, Progress};
use ledger_core::{
    Account, Action, Ancestry, Block, BlockId, Body, Chain, ChainSlots, ChainSpec, Claim,
    ClaimKind, ConnId, Engine, GenesisId, Hash, Header, JournalSlot, KeyPair, Refused, Rules, Slot,
    Transaction, Weight,
};
use sim::laws::{self, Input, Machine, Outcome};

pub(super) const TIME: u64 = 1000;
const KIND: ClaimKind = ClaimKind(7);

/// The claim is the weight; there is no proof. Blocks of the future are refused.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Open;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoWeight;

impl core::fmt::Display for NoWeight {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("no weight")
    }
}

impl core::error::Error for NoWeight {}

impl Engine for Open {
    type Error = NoWeight;

    fn digest(&self) -> Hash {
        Hash::of(b"open")
    }

    fn check(
        &self,
        _: &dyn Ancestry,
        header: &Header,
        proof: &[u8],
        now: u64,
    ) -> Result<Weight, Refused<NoWeight>> {
        let [weight] = *header.claim.as_bytes() else { return Err(Refused::Invalid(NoWeight)) };
        if !proof.is_empty() {
            return Err(Refused::Invalid(NoWeight));
        }
        if header.time > now {
            return Err(Refused::NotYet { at: header.time });
        }
        Ok(Weight(u128::from(weight)))
    }
}

fn rules() -> Rules {
    let mut rules = Rules::SMALL;
    rules.max_entries = 8;
    rules.max_writes = 8;
    rules.max_block_len = 600;
    rules
}

fn key() -> KeyPair {
    KeyPair::from_secret(&[5; 32])
}

pub(super) fn with_spec<T>(use_it: impl FnOnce(&ChainSpec<'_>) -> T) -> T {
    let allocation = [(key().account(), 1000)];
    use_it(&ChainSpec { name: "laws", rules: rules(), time: TIME, allocation: &allocation })
}

pub(super) type SmallChain = Chain<Open, Standard, ChainSlots<[Slot; 8], [JournalSlot; 9]>>;

pub(super) fn chain() -> SmallChain {
    let storage = ChainSlots { entries: [Slot::EMPTY; 8], journal: [JournalSlot::EMPTY; 9] };
    with_spec(|spec| Chain::new(spec, Open, Standard, storage).expect("it fits"))
}

/// Returns the id of the chain.
pub(super) fn genesis() -> GenesisId {
    static GENESIS: OnceLock<GenesisId> = OnceLock::new();
    *GENESIS.get_or_init(|| *chain().genesis_id())
}

/// Returns the bytes of the next block of a chain, which pays `amount` and is of this weight.
fn next_block(chain: &mut SmallChain, amount: u64, weight: u8, time: u64) -> Vec<u8> {
    let sequence = chain.state().sequence(&key().account());
    let to = KeyPair::from_secret(&[6; 32]).account();
    let pay = Transaction::new(key().account(), sequence, Action::Pay { to, amount });
    let mut buf = [0; Transaction::MAX_LEN];
    let signed = pay.sign(chain.genesis_id(), &key(), &mut buf).expect("its own key");
    let body = Body::from_bytes(signed.as_bytes()).expect("one payment");
    let claim = Claim::new(KIND, &[weight]).expect("one byte");
    let author = Account::default();
    let header = chain.propose(time, author, &body, claim).unwrap_or_else(|_| {
        let empty = Body::default();
        let header = chain.propose(time, author, &empty, claim).expect("an empty block");
        Header { body_size: 1, body_root: body.head().root, ..header }
    });
    let block = Block::new(header, &[], body).expect("the header names the body");
    let mut out = vec![0; block.encoded_len()];
    block.encode(&mut out).expect("encoded_len suffices");
    out
}

/// Two branches of five and four blocks, an invalid block on each, one of the future, and one with another body.
pub(super) fn blocks() -> &'static Vec<Vec<u8>> {
    static BLOCKS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    BLOCKS.get_or_init(|| {
        let mut all = Vec::new();
        for (branch, len) in [(1_u64, 5_u64), (2, 4)] {
            let mut chain = chain();
            for n in 0..len {
                let weight = (n * branch) as u8 + 1;
                let block = next_block(&mut chain, branch, weight, TIME + 2 + n);
                chain.append(u64::MAX, &block).expect("a good block");
                all.push(block);
            }
            all.push(next_block(&mut chain, 100_000, 50, TIME + 20));
            all.push(next_block(&mut chain, 3, 9, TIME + 40));
        }
        let mut mutated = all[0].clone();
        let at = mutated.len() - 1;
        mutated[at] ^= 1;
        all.push(mutated);
        all
    })
}

pub(super) type Storage =
    NodeSlots<[Slot; 8], Box<[JournalSlot]>, Box<[HeaderSlot]>, [OrphanSlot; 3], Box<[u8]>>;

/// A node over small storage.
pub(super) type SmallNode = Node<Open, Standard, Storage>;

struct Driven(SmallNode);

fn driven(max_depth: u32) -> Driven {
    Driven(node_with(max_depth, 0))
}

/// Returns a node with slots for this many headers more than it needs.
pub(super) fn node_with(max_depth: u32, more_headers: usize) -> SmallNode {
    let mut config = NodeConfig::new(max_depth, 1);
    config.orphan_timeout = Duration::from_secs(30);
    let storage = NodeSlots {
        entries: [Slot::EMPTY; 8],
        journal: vec![JournalSlot::EMPTY; config.journal_len(&rules())].into(),
        headers: vec![HeaderSlot::EMPTY; config.headers_len() + more_headers].into(),
        orphans: [OrphanSlot::EMPTY; 3],
        block: vec![0; 600].into(),
    };
    with_spec(|spec| Node::new(spec, config, Open, Standard, storage).expect("it fits"))
}

impl Machine for Driven {
    fn call(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
        let node = &mut self.0;
        let now = now.saturating_add(Duration::from_secs(TIME));
        let conn = ConnId(u32::from(input.byte() % 3));
        let block = &blocks()[input.below(blocks().len())];
        match input.below(8) {
            0 => Outcome::of(node.handle_header(now, conn, block)),
            1..=3 => Outcome::of(node.handle_block(now, conn, block)),
            4 => {
                let id = Block::decode(block).map(|(block, _)| block.id(node.genesis_id()));
                node.handle_saved(now, &id.unwrap_or_default());
                Outcome::Done(String::new())
            }
            5 => {
                node.handle_timeout(now);
                Outcome::Done(format!("{:?}", node.work(u32::from(input.byte() % 5))))
            }
            6 => {
                node.handle_timeout(now);
                let mut ids = [BlockId::default(); 8];
                let len = node.needed_ahead(&mut ids);
                assert!(len > 0 || node.needed().is_none());
                let ends = node.locator(&mut ids);
                assert!(ends > 0 && ids[ends - 1] == node.final_tip().id);
                Outcome::Done(format!("{len}"))
            }
            _ if input.byte().is_multiple_of(8) => {
                node.handle_timeout(now);
                node.give_up();
                Outcome::Done(String::new())
            }
            _ => Outcome::of(node.handle_header(now, conn, input.bytes(40))),
        }
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.0.handle_timeout(now.saturating_add(Duration::from_secs(TIME)));
    }

    fn poll_timeout(&self) -> Option<Duration> {
        let start = Duration::from_secs(TIME);
        self.0.poll_timeout().map(|at| at.saturating_sub(start))
    }

    fn poll_transmit(&mut self, _: &mut [u8]) -> Result<Option<(String, usize)>, usize> {
        Ok(None)
    }

    fn poll_event(&mut self) -> Option<String> {
        self.0.poll_event().map(|event| format!("{event:?}"))
    }

    fn state(&self) -> String {
        format!("{:?}", self.0)
    }

    fn same_state(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

/// The laws under any order of calls, and the same events whatever the order of polls.
pub fn laws(bytes: &[u8]) {
    laws::check(|| driven(2), 1, &bytes[..bytes.len().min(200)]);
    laws::check_poll_order(|| driven(2), 1, &bytes[..bytes.len().min(60)]);
}

/// However the blocks of the tree arrive, a driver that does what it is asked for ends on the better branch, and the
/// events lead there.
pub fn arrival(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut driven = driven(6);
    let node = &mut driven.0;
    let now = Duration::from_secs(TIME + 100);
    let mut order: Vec<usize> = (0..blocks().len()).collect();
    let mut path: Vec<BlockId> = Vec::new();
    for _ in 0..2 {
        for left in (1..=order.len()).rev() {
            order.swap(left - 1, input.below(left));
        }
        for at in &order {
            let _ = node.handle_block(now, ConnId(0), &blocks()[*at]);
            serve(node, now, &mut path);
        }
    }
    for block in blocks() {
        let _ = node.handle_header(now, ConnId(0), block);
        serve(node, now, &mut path);
    }
    // Weights 1, 2, 3, 4, 5 and 9 on one branch, 1, 3, 5, 7 and 9 on the other.
    assert_eq!(node.tip().weight.0, 25);
    assert_eq!(path.last(), Some(&node.tip().id));
    assert!(!node.is_busy());
}

pub(super) fn serve(node: &mut SmallNode, now: Duration, path: &mut Vec<BlockId>) {
    loop {
        while node.work(3) == Progress::Pending {}
        let Some(event) = node.poll_event() else { return };
        match event {
            Event::Keep { id, .. } => node.handle_saved(now, &id),
            Event::Connected { id, .. } => path.push(id),
            Event::Disconnected { id, .. } => assert_eq!(path.pop(), Some(id)),
            Event::Need { id, .. } => {
                let is_it = |bytes: &&Vec<u8>| {
                    Block::decode(bytes).is_ok_and(|(block, _)| block.id(node.genesis_id()) == id)
                };
                if let Some(block) = blocks().iter().find(is_it) {
                    let _ = node.handle_block(now, ConnId(0), block);
                }
            }
            _ => {}
        }
    }
}

/// Returns the snapshot of a node whose chain is the first branch of the tree.
fn good_snapshot() -> &'static Vec<u8> {
    static SNAPSHOT: OnceLock<Vec<u8>> = OnceLock::new();
    SNAPSHOT.get_or_init(|| snapshot_after(&blocks()[..5]))
}

/// Returns the snapshot of a node whose chain is these blocks. The last two are not final.
pub(super) fn snapshot_after(blocks: &[Vec<u8>]) -> Vec<u8> {
    let mut node = node_with(2, 0);
    let now = Duration::from_secs(TIME + 100);
    let mut path = Vec::new();
    for block in blocks {
        node.handle_header(now, ConnId(0), block).expect("a good header");
        serve(&mut node, now, &mut path);
    }
    written(&mut node)
}

/// Returns the snapshot of a node.
pub(super) fn written(node: &mut SmallNode) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = node.snapshot(|piece| {
        bytes.extend_from_slice(piece);
        Ok::<(), ()>(())
    });
    written.expect("a block is final");
    bytes
}

/// Whatever became of a snapshot, a node that starts from it writes the same snapshot. The header's own id is trusted, or
/// nothing else would be looked at.
pub fn snapshot(bytes: &[u8]) {
    const DOMAIN_LEN: usize = 23;
    let mut input = Input::new(bytes);
    let mut snapshot = good_snapshot().clone();
    while !input.is_empty() {
        let at = usize::from(input.u16()) % (snapshot.len() + 1);
        match input.below(4) {
            0 => snapshot.truncate(at),
            1 => snapshot.splice(at..at, input.bytes(81).iter().copied()).for_each(drop),
            _ if at < snapshot.len() => snapshot[at] ^= input.byte(),
            _ => {}
        }
    }
    let header = Header::decode(snapshot.get(DOMAIN_LEN..).unwrap_or_default());
    let trusted = header.map(|(header, _)| header.id(&genesis())).unwrap_or_default();
    let Driven(fresh) = driven(2);
    let storage = fresh.into_storage();
    let config = NodeConfig::new(2, 1);
    let resumed =
        with_spec(|spec| Node::resume(spec, config, Open, Standard, &trusted, &snapshot, storage));
    match resumed {
        Ok(mut node) => {
            assert_eq!(node.tip().id, trusted);
            assert_eq!(node.final_tip(), node.tip());
            assert_eq!(written(&mut node), snapshot);
        }
        Err(error) => assert_ne!(&snapshot, good_snapshot(), "{error}"),
    }
}
