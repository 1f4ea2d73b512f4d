//! Coins are conserved and nothing is spent twice, whatever transactions, blocks and changes of branches come: a node with a
//! mempool beside a naive model of hash maps, one for each block of a tree.

mod checks;
mod model;
mod transactions;

use core::time::Duration;
use ledger_core::ledger::{Escrow, Outputs, Standard};
use ledger_core::mempool::{ChunkSlot, Mempool, MempoolConfig, MempoolSlot, MempoolSlots};
use ledger_core::node::{Event, HeaderSlot, Node, NodeConfig, NodeSlots, OrphanSlot, Progress};
use ledger_core::{
    Block, BlockError, BlockId, Body, Chain, ChainSlots, ChainSpec, Claim, ClaimKind, ConnId,
    GenesisId, Header, Height, JournalSlot, Rules, SignedTransaction, Slot, TxId,
};
use sim::laws::Input;

use super::node::Open;
use model::Model;
use transactions::Wallet;

const TIME: u64 = 1000;
const NOW: Duration = Duration::from_secs(TIME + 1000);
const KIND: ClaimKind = ClaimKind(7);
const MATURITY: u64 = 1;
const MOST_BLOCKS: usize = 12;
const MOST_STEPS: usize = 48;
const PEER: ConnId = ConnId(3);

type Ledgers = (Standard, (Escrow, Outputs));
type TestChain = Chain<Open, Ledgers, ChainSlots<Vec<Slot>, Vec<JournalSlot>>>;
type TestNode = Node<
    Open,
    Ledgers,
    NodeSlots<Vec<Slot>, Vec<JournalSlot>, Vec<HeaderSlot>, Vec<OrphanSlot>, Vec<u8>>,
>;
type TestPool = Mempool<MempoolSlots<Vec<MempoolSlot>, Vec<ChunkSlot>>>;

/// A block of the tree with the state after it. One that spends twice has the state of its parent, and no children.
struct Made {
    id: BlockId,
    parent: usize,
    bytes: Vec<u8>,
    transactions: Vec<Vec<u8>>,
    is_valid: bool,
    weight: u128,
    chain: TestChain,
    model: Model,
}

/// How often what the test is about happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    pub connected: usize,
    pub disconnected: usize,
    /// Blocks that spend twice, or more than there is, and were refused.
    pub invalid: usize,
    pub payments: usize,
    pub assets: usize,
    pub escrows_closed: usize,
    pub outputs_spent: usize,
    /// Transactions of disconnected blocks that waited again.
    pub returned: usize,
}

struct World {
    genesis: GenesisId,
    node: TestNode,
    pool: TestPool,
    made: Vec<Made>,  // block 0 is the first
    path: Vec<usize>, // what was connected
    disconnected: Vec<usize>,
    wallet: Wallet,
    max_depth: u32,
    tally: Tally,
}

/// Any transactions in any tree of blocks, in any order of arrival.
pub fn conservation(bytes: &[u8]) {
    let _ = run(bytes);
}

/// Runs the body and counts.
#[must_use]
pub fn run(bytes: &[u8]) -> Tally {
    let mut input = Input::new(bytes);
    let mut world = World::new(&mut input);
    for _ in 0..MOST_STEPS {
        if input.is_empty() {
            break;
        }
        match input.below(8) {
            0..=3 if world.made.len() <= MOST_BLOCKS => world.make_block(&mut input),
            4 => world.make_block_of_mempool(&mut input),
            5 => world.offer_to_mempool(&mut input),
            6 if input.byte().is_multiple_of(4) => world.node.give_up(),
            _ => {
                let at = input.below(world.made.len());
                world.deliver(at);
            }
        }
        world.serve(1 + u32::from(input.byte() % 8), input.below(6));
    }
    world.finish();
    world.tally
}

impl World {
    fn new(input: &mut Input<'_>) -> Self {
        let wallet = Wallet::new();
        let mut rules = Rules::SMALL;
        rules.deposit = u64::from(input.byte() % 3);
        rules.subsidy = 5;
        rules.halving_interval = 3;
        rules.max_entries = 10 + input.below(30) as u32;
        rules.max_writes = 128;
        let allocation = [0, 1, 2].map(|n| (wallet.account(n), 100 + n as u64));
        let spec = ChainSpec { name: "coins", rules, time: TIME, allocation: &allocation };
        let ledgers = || (Standard, (Escrow, Outputs::new(MATURITY)));
        let entries = vec![Slot::EMPTY; rules.max_entries as usize];
        let storage = ChainSlots {
            entries: entries.clone(),
            journal: vec![JournalSlot::EMPTY; rules.max_writes as usize + 1],
        };
        let chain = Chain::new(&spec, Open, ledgers(), storage).expect("it fits");
        let max_depth = [MOST_BLOCKS as u32 + 8, 2, 1][input.below(3)];
        let config = NodeConfig::new(max_depth, input.u64());
        let storage = NodeSlots {
            entries,
            journal: vec![JournalSlot::EMPTY; config.journal_len(&rules)],
            headers: vec![HeaderSlot::EMPTY; config.headers_len() + MOST_BLOCKS],
            orphans: vec![OrphanSlot::EMPTY; 4],
            block: vec![0; rules.max_block_len as usize],
        };
        let node = Node::new(&spec, config, Open, ledgers(), storage).expect("it fits");
        let genesis = *chain.genesis_id();
        let slots = 1 + input.below(8);
        let storage = MempoolSlots {
            slots: vec![MempoolSlot::EMPTY; slots],
            chunks: vec![ChunkSlot::EMPTY; 3 * slots],
        };
        let pool = Mempool::new(MempoolConfig::new(genesis, input.u64()), storage);
        let block_0 = Made {
            id: chain.tip().id,
            parent: 0,
            bytes: Vec::new(),
            transactions: Vec::new(),
            is_valid: true,
            weight: 0,
            model: Model::new(genesis, rules, MATURITY, &allocation),
            chain,
        };
        Self {
            genesis,
            node,
            pool: pool.expect("a good configuration"),
            made: vec![block_0],
            path: vec![0],
            disconnected: Vec::new(),
            wallet,
            max_depth,
            tally: Tally::default(),
        }
    }

    /// Makes a block on any other: of new transactions, of old ones of any branch, and of double spends.
    fn make_block(&mut self, input: &mut Input<'_>) {
        let tip = *self.path.last().expect("block 0");
        let any = input.below(self.made.len());
        let parent = if input.below(2) == 0 || !self.made[any].is_valid { tip } else { any };
        let keeps_bad = input.below(4) == 0;
        let mut transactions = Vec::new();
        for _ in 0..input.below(6) {
            let model = &self.made[parent].model;
            let bytes = self.wallet.transaction(input, &self.genesis, model, &transactions);
            if keeps_bad || model.allows(&transactions, &bytes) {
                transactions.push(bytes);
            }
        }
        let delivered = input.below(3) > 0;
        let at = self.add_block(input, parent, transactions);
        if delivered {
            self.deliver(at);
        }
    }

    /// Makes a block on the tip of what the mempool hands out, as a miner does: what fails is removed.
    fn make_block_of_mempool(&mut self, input: &mut Input<'_>) {
        if self.made.len() > MOST_BLOCKS || self.node.is_busy() {
            return;
        }
        let tip = *self.path.last().expect("block 0");
        if self.node.tip().id != self.made[tip].id {
            return; // there are events to be polled
        }
        let mut out = [0; 2000];
        let len = self.pool.template(&mut out);
        let body = Body::from_bytes(&out[..len]).expect("whole transactions");
        let mut transactions = Vec::new();
        for signed in &body {
            let bytes = signed.as_bytes().to_vec();
            if self.made[tip].model.allows(&transactions, &bytes) {
                transactions.push(bytes);
            } else {
                self.pool.remove(&signed.id(&self.genesis));
            }
        }
        let at = self.add_block(input, tip, transactions);
        self.deliver(at);
    }

    /// Executes a block in the chain of its parent and in the model, which agree, and adds it to the tree.
    fn add_block(
        &mut self,
        input: &mut Input<'_>,
        parent: usize,
        transactions: Vec<Vec<u8>>,
    ) -> usize {
        let author = self.wallet.account(input.below(5));
        let is_beside = Some(&parent) != self.path.last();
        let weight = if is_beside && input.below(2) == 0 { 12 } else { 1 + input.byte() % 3 };
        let claim = Claim::new(KIND, &[weight]).expect("one byte");
        let time = TIME + self.made.len() as u64; // no two blocks are equal
        let parent_made = &self.made[parent];
        let mut chain = parent_made.chain.clone();
        let before = parent_made.weight;
        let time = time.max(chain.median_time() + 1);
        let bytes = transactions.concat();
        let body = Body::from_bytes(&bytes).expect("whole transactions");
        let proposed = chain.propose(time, author, &body, claim);
        let after = parent_made.model.after(author, &transactions);
        assert_eq!(proposed.is_ok(), after.is_ok(), "{proposed:?}");
        let header = proposed.unwrap_or_else(|_| Header {
            height: Height(chain.tip().height.0 + 1),
            parent: chain.tip().id,
            body_size: body.len(),
            body_root: body.head().root,
            state: chain.tip().state,
            history: chain.history().root,
            time,
            author,
            claim,
        });
        let block = Block::new(header, &[], body).expect("the header names the body");
        let mut bytes = vec![0; block.encoded_len()];
        block.encode(&mut bytes).expect("encoded_len suffices");
        let id = block.id(&self.genesis);
        let appended = chain.append(u64::MAX, &bytes);
        assert_eq!(appended.is_ok(), after.is_ok(), "{appended:?}");
        let is_valid = after.is_ok();
        let model = after.unwrap_or_else(|_| parent_made.model.clone());
        model.assert_is(&chain.state(), self.wallet.accounts(), self.wallet.ids());
        let weight = before + u128::from(weight);
        let made = Made { id, parent, bytes, transactions, is_valid, weight, chain, model };
        self.made.push(made);
        self.made.len() - 1
    }

    /// Hands a block over, with all before it, as a peer does.
    fn deliver(&mut self, at: usize) {
        let mut way = vec![at];
        while let Some(at) = way.last().copied().filter(|at| *at > 0) {
            way.push(self.made[at].parent);
        }
        for at in way.into_iter().rev().skip(1) {
            // Refused if it is invalid, or beside what is final.
            let _ = self.node.handle_block(NOW, PEER, &self.made[at].bytes);
        }
    }

    fn offer_to_mempool(&mut self, input: &mut Input<'_>) {
        let tip = &self.made[*self.path.last().expect("block 0")];
        if self.node.is_busy() || self.node.tip().id != tip.id {
            return; // the state is of no block that was reported
        }
        let bytes = self.wallet.transaction(input, &self.genesis, &tip.model, &[]);
        let (signed, _) = SignedTransaction::decode(&bytes).expect("just signed");
        let _ = self.pool.insert(&signed, &self.node.state(), self.node.tip().height);
    }

    /// Works and polls for a while, and checks the state after each step.
    fn serve(&mut self, budget: u32, polls: usize) {
        for _ in 0..polls {
            let progress = self.node.work(budget);
            self.check();
            if progress == Progress::Pending {
                continue;
            }
            let Some(event) = self.node.poll_event() else { return };
            self.handle(event);
            self.check();
        }
    }

    fn handle(&mut self, event: Event<super::node::NoWeight>) {
        match event {
            Event::Keep { id, .. } => self.node.handle_saved(NOW, &id),
            Event::Need { id, .. } => {
                let at = self.position(&id);
                let _ = self.node.handle_block(NOW, PEER, &self.made[at].bytes);
            }
            Event::Connected { id, .. } => {
                let at = self.position(&id);
                assert!(self.made[at].is_valid, "it spends twice");
                assert_eq!(self.path.last(), Some(&self.made[at].parent));
                self.path.push(at);
                self.tally.connected += 1;
                self.check_spent();
            }
            Event::Disconnected { id, .. } => {
                let at = self.path.pop().expect("block 0 stays");
                assert_eq!(self.made[at].id, id);
                self.disconnected.push(at);
                self.tally.disconnected += 1;
            }
            Event::Invalid { id, why, .. } => {
                let at = self.position(&id);
                self.tally.invalid += 1;
                assert!(!self.made[at].is_valid, "{why}");
                assert!(matches!(why, BlockError::Transaction { .. }), "{why}");
            }
            _ => {}
        }
        self.follow();
    }

    /// Lets the mempool follow to the tip, once the events have led there.
    fn follow(&mut self) {
        let tip = *self.path.last().expect("block 0");
        if self.node.is_busy() || self.node.tip().id != self.made[tip].id {
            return;
        }
        let height = self.node.tip().height;
        while let Some(at) = self.disconnected.pop() {
            for bytes in &self.made[at].transactions {
                let (signed, _) = SignedTransaction::decode(bytes).expect("just signed");
                let inserted = self.pool.insert(&signed, &self.node.state(), height);
                self.tally.returned += usize::from(inserted.is_ok());
            }
        }
        self.pool.update(&self.node.state(), height);
        for account in self.wallet.accounts() {
            assert!(self.pool.reserved(account) <= self.node.state().balance(account));
        }
        for id in self.confirmed() {
            assert!(!self.pool.contains(&id), "it would be executed twice");
        }
    }

    fn confirmed(&self) -> Vec<TxId> {
        let transactions = self.path.iter().flat_map(|at| &self.made[*at].transactions);
        let id = |bytes: &Vec<u8>| {
            let (signed, _) = SignedTransaction::decode(bytes).expect("just signed");
            signed.id(&self.genesis)
        };
        transactions.map(id).collect()
    }

    /// Delivers all blocks. The node ends on the heaviest branch whose blocks are all valid.
    fn finish(&mut self) {
        for _ in 0..2 {
            for at in 0..self.made.len() {
                self.deliver(at);
                self.serve(100, usize::MAX);
            }
        }
        assert!(!self.node.is_busy());
        let tip = *self.path.last().expect("block 0");
        assert_eq!(self.node.tip().id, self.made[tip].id, "the events lead to the tip");
        if self.max_depth > MOST_BLOCKS as u32 {
            let valid = self.made.iter().filter(|made| made.is_valid);
            assert_eq!(valid.map(|made| made.weight).max(), Some(self.made[tip].weight));
        }
    }

    fn position(&self, id: &BlockId) -> usize {
        self.made.iter().position(|made| made.id == *id).expect("a block of the tree")
    }
}
