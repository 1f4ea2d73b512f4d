//! A ledger with branches: signed payments, work, reorganisation, and proofs of inclusion.

use core::fmt::Write as _;
use core::time::Duration;

use ledger_core::ledger::Standard;
use ledger_core::node::{Accepted, Event, Node, NodeConfig, NodeLimits, NodeVec, Progress};
use ledger_core::{
    Account, Action, Block, BlockError, BlockId, Body, ChainSpec, ChainVec, Claim, ConnId, Hash,
    Header, KeyPair, MerkleTree, Refused, Rules, Transaction, TreeHead, prove_inclusion,
};
use pow::{CompactTarget, Step, Target, WorkError, WorkSeal};

use crate::Json;
use crate::options::number;
use crate::post::Post;

/// The people of the lesson, and what they own at the beginning.
const PEOPLE: [(&str, u64); 4] = [("ann", 100), ("ben", 0), ("cat", 0), ("dan", 0)];
/// Enough for a lesson.
const MOST_BLOCKS: usize = 60;
/// Seconds between two blocks.
const SPACING: u64 = 60;
/// The clock of the lesson is ahead of all its blocks.
const NOW: u64 = 1_000_000;

/// What a node reports of a block, and what that means.
const OUTCOMES: [(&str, &str); 8] = [
    ("Header", "its header is in the tree, and it does not weigh enough to be tried"),
    ("Body", "it is checked in full"),
    ("Keep", "it is valid and saved"),
    ("Connected", "it is on the best branch"),
    ("Disconnected", "a heavier branch took it back"),
    ("Confirmed", "enough blocks follow"),
    ("Final", "it cannot be taken back any more"),
    ("Invalid", "it breaks a rule"),
];

type Machine = Node<WorkSeal, Standard, NodeVec>;
type Copy = ledger_core::Chain<WorkSeal, Standard, ChainVec>;
type Answer<T> = Result<T, Refused<BlockError<WorkError>>>;

pub(super) struct Ledger {
    bits: CompactTarget,
    node: Machine,
    /// All blocks of all branches, in the order of their making; the first is block 0, which has no bytes.
    blocks: Vec<Made>,
    /// Signed transactions that wait for a block.
    pool: Vec<Vec<u8>>,
    /// What is proved: a block and one of its transactions.
    proof: Option<(usize, usize)>,
}

struct Made {
    id: BlockId,
    parent: usize,
    height: u64,
    bytes: Vec<u8>,
    hashes: u64,
    /// What the node has reported of it, in order.
    outcomes: Vec<&'static str>,
}

fn key(person: usize) -> KeyPair {
    KeyPair::from_secret(&[person as u8 + 1; 32])
}

fn person(word: Option<&&str>) -> Result<usize, String> {
    let found = PEOPLE.iter().position(|(name, _)| word == Some(name));
    found.ok_or_else(|| format!("ann, ben, cat and dan have accounts, not {word:?}"))
}

fn rules() -> Rules {
    let mut rules = Rules::SMALL;
    rules.max_block_len = 1 << 14;
    rules
}

/// Calls `make` with the parameters of the chain.
fn with_spec<T>(make: impl FnOnce(&ChainSpec<'_>) -> T) -> T {
    let allocation: Vec<(Account, u64)> =
        (0..PEOPLE.len()).map(|person| (key(person).account(), PEOPLE[person].1)).collect();
    let allocation: Vec<_> = allocation.into_iter().filter(|(_, amount)| *amount > 0).collect();
    make(&ChainSpec { name: "lesson", rules: rules(), time: 0, allocation: &allocation })
}

impl Ledger {
    pub(super) fn new(zero_bits: u32) -> Result<Self, String> {
        let bits = Target::from_zero_bits(zero_bits).to_compact();
        let seal = WorkSeal::new(bits).map_err(|error| error.to_string())?;
        let config = NodeConfig::new(MOST_BLOCKS as u32, 0);
        let storage = NodeVec::new(NodeLimits::new(&rules(), &config));
        let node = with_spec(|spec| Node::new(spec, config, seal, Standard, storage));
        let node = node.map_err(|error| error.to_string())?;
        let id = node.tip().id;
        let outcomes = vec!["Connected"];
        let genesis = Made { id, parent: 0, height: 0, bytes: Vec::new(), hashes: 0, outcomes };
        Ok(Self { bits, node, blocks: vec![genesis], pool: Vec::new(), proof: None })
    }

    pub(super) fn command(&mut self, words: &[&str], post: &mut Post) -> Result<String, String> {
        match words.first().copied() {
            Some("pay") => {
                let from = person(words.get(1))?;
                self.pay(from, from, words, self.pending(from), post)
            }
            Some("forge") => {
                let from = person(words.get(1))?;
                let thief = (from + 1) % PEOPLE.len();
                self.pay(from, thief, words, self.pending(from), post)
            }
            Some("again") => {
                // The same place in the account's order a second time: the same coins.
                let from = person(words.get(1))?;
                let place = self.pending(from).checked_sub(1);
                let place = place.ok_or("there is no payment to repeat")?;
                self.pay(from, from, words, place, post)
            }
            Some("block") => {
                let parent = match words.get(1) {
                    Some(word) => number("the block to build on", Some(word))?,
                    None => self.tip(),
                };
                self.mine(parent, post)
            }
            Some("forget") => {
                self.pool.clear();
                Ok("no transaction waits any more".into())
            }
            Some("prove") => {
                let block = number("the block", words.get(1))?;
                let leaf = number("the transaction", words.get(2))?;
                if leaf >= self.leaves(block).len() {
                    return Err(format!("block {block} has no transaction {leaf}"));
                }
                self.proof = Some((block, leaf));
                Ok(format!("transaction {leaf} of block {block} is proved by its path"))
            }
            other => Err(format!("a chain has no command {other:?}")),
        }
    }

    /// Returns the sequence number of the next transaction of a person, those in the pool counted.
    fn pending(&self, person: usize) -> u64 {
        let account = key(person).account();
        let own = |bytes: &&Vec<u8>| source(bytes) == Some(account);
        let waiting = self.pool.iter().filter(own).filter_map(|bytes| sequence(bytes)).max();
        let next = self.node.state().sequence(&account);
        waiting.map_or(next, |last| next.max(last + 1))
    }

    /// Signs a payment with somebody's key and puts it into the pool.
    fn pay(
        &mut self,
        from: usize,
        signer: usize,
        words: &[&str],
        sequence: u64,
        post: &mut Post,
    ) -> Result<String, String> {
        let to = person(words.get(2))?;
        let amount = number("the amount", words.get(3))?;
        let action = Action::Pay { to: key(to).account(), amount };
        let payment = Transaction::new(key(from).account(), sequence, action);
        let mut buf = [0; Transaction::MAX_LEN];
        let signed = payment.sign(self.node.genesis_id(), &key(signer), &mut buf);
        let signed = match signed {
            Ok(signed) => signed,
            Err(error) => {
                let said = format!("refused: {error}");
                post.note(from as u32, "verdict", said.clone());
                return Ok(said);
            }
        };
        let text = signed.to_string();
        self.pool.push(signed.as_bytes().to_vec());
        post.note(from as u32, "transaction", text.clone());
        Ok(text)
    }

    fn tip(&self) -> usize {
        let tip = self.node.tip().id;
        self.blocks.iter().position(|made| made.id == tip).unwrap_or(0)
    }

    /// Returns a copy of the chain that ends in a block.
    fn copy_up_to(&self, block: usize) -> Result<Copy, String> {
        let seal = WorkSeal::new(self.bits).map_err(|error| error.to_string())?;
        let storage = ChainVec::new(&rules());
        let chain = with_spec(|spec| ledger_core::Chain::new(spec, seal, Standard, storage));
        let mut chain = chain.map_err(|error| error.to_string())?;
        let branch = self.branch(block);
        let bytes = branch.iter().map(|at| &self.blocks[*at].bytes);
        chain.replay(NOW, bytes).map_err(|error| error.to_string())?;
        Ok(chain)
    }

    /// Returns the blocks from the first after block 0 to this one.
    fn branch(&self, mut block: usize) -> Vec<usize> {
        let mut branch = Vec::new();
        while block != 0 {
            branch.push(block);
            block = self.blocks[block].parent;
        }
        branch.reverse();
        branch
    }

    /// Mines a block with all waiting transactions on top of another, and shows it to the node.
    fn mine(&mut self, parent: usize, post: &mut Post) -> Result<String, String> {
        if parent >= self.blocks.len() {
            return Err(format!("there is no block {parent}"));
        }
        if self.blocks.len() > MOST_BLOCKS {
            return Err(format!("a lesson has {MOST_BLOCKS} blocks at most"));
        }
        let mut chain = self.copy_up_to(parent)?;
        let pool = core::mem::take(&mut self.pool);
        let bytes = pool.concat();
        let body = Body::from_bytes(&bytes).map_err(|error| error.to_string())?;
        // Blocks on one parent differ in their time, so that they are two.
        let time = chain.tip().time + SPACING + self.blocks.len() as u64;
        let miner = key(PEOPLE.len()).account();
        let header = match chain.propose(time, miner, &body, Claim::NONE) {
            Ok(header) => header,
            Err(error) => {
                let said = format!("the block is refused: {error}");
                post.note(parent as u32, "verdict", said.clone());
                self.pool = without_the_culprit(pool, &error);
                return Ok(said);
            }
        };
        let (header, hashes) = self.search(header)?;
        let block = Block::new(header, &[], body).map_err(|error| error.to_string())?;
        let mut sealed = vec![0; block.encoded_len()];
        block.encode(&mut sealed).map_err(|error| error.to_string())?;
        let id = header.id(self.node.genesis_id());
        let height = header.height.0;
        post.note(self.blocks.len() as u32, "block", block.to_string());
        self.blocks.push(Made { id, parent, height, bytes: sealed, hashes, outcomes: Vec::new() });
        let said =
            self.show(self.blocks.len() - 1).unwrap_or_else(|error| format!("refused: {error}"));
        post.note(self.blocks.len() as u32 - 1, "verdict", said.clone());
        Ok(said)
    }

    /// Finds the nonce of a header.
    fn search(&self, mut header: Header) -> Result<(Header, u64), String> {
        header.claim = WorkSeal::claim(self.bits, 0);
        let miner = WorkSeal::miner(self.node.genesis_id(), &header, 0..=u64::MAX);
        let mut miner = miner.map_err(|error| error.to_string())?;
        loop {
            match miner.step(10_000) {
                Step::Found(nonce) => {
                    header.claim = WorkSeal::claim(self.bits, nonce);
                    return Ok((header, miner.tried()));
                }
                Step::Working => {}
                Step::Exhausted => return Err("no nonce counts".into()),
            }
        }
    }

    /// Shows a block to the node, and does what it asks for.
    fn show(&mut self, block: usize) -> Answer<String> {
        let now = Duration::from_secs(NOW);
        let accepted = self.node.handle_header(now, ConnId(0), &self.blocks[block].bytes)?;
        self.note_accepted(&accepted);
        let mut connected = 0;
        let mut disconnected = 0;
        loop {
            while self.node.work(1000) == Progress::Pending {}
            let Some(event) = self.node.poll_event() else { break };
            match event {
                Event::Keep { id, .. } => {
                    self.note(&id, "Keep");
                    self.node.handle_saved(now, &id);
                }
                Event::Need { id, .. } => {
                    if let Some(made) = self.blocks.iter().find(|made| made.id == id) {
                        let accepted = self.node.handle_block(now, ConnId(0), &made.bytes)?;
                        self.note_accepted(&accepted);
                    }
                }
                Event::Connected { id, .. } => {
                    connected += 1;
                    self.note(&id, "Connected");
                }
                Event::Disconnected { id, .. } => {
                    disconnected += 1;
                    self.note(&id, "Disconnected");
                }
                Event::Confirmed { id, .. } => self.note(&id, "Confirmed"),
                Event::Final { id, .. } => self.note(&id, "Final"),
                Event::Invalid { id, why, .. } => {
                    self.note(&id, "Invalid");
                    return Err(Refused::Invalid(why));
                }
                _ => {}
            }
        }
        if connected == 0 {
            return Ok(format!(
                "block {block} is known, and does not weigh more than the best branch"
            ));
        }
        let height = self.node.tip().height;
        let mut said = format!("block {block} is the tip at height {height}");
        if disconnected > 0 {
            let _ = write!(
                said,
                "; a reorganisation took {disconnected} blocks back and connected {connected}"
            );
        }
        Ok(said)
    }

    fn note(&mut self, id: &BlockId, outcome: &'static str) {
        if let Some(made) = self.blocks.iter_mut().find(|made| made.id == *id) {
            made.outcomes.push(outcome);
        }
    }

    fn note_accepted(&mut self, accepted: &Accepted) {
        match accepted {
            Accepted::Header { id } => self.note(id, "Header"),
            Accepted::Body { id } => self.note(id, "Body"),
            _ => {} // parents and clocks are known here
        }
    }

    /// Describes a block: what the node has reported of it, the last one marked.
    pub(super) fn details(&self, block: usize) -> Option<Json> {
        let made = self.blocks.get(block)?;
        let rows = OUTCOMES.map(|(name, meaning)| {
            let times = made.outcomes.iter().filter(|outcome| **outcome == name).count();
            let times = if times > 0 { times.to_string() } else { String::new() };
            let cells = Json::list([name.to_owned(), meaning.to_owned(), times]);
            let here = made.outcomes.last() == Some(&name);
            Json::object([("cells", cells), ("here", here.into())])
        });
        Some(Json::object([
            ("number", block.into()),
            ("id", made.id.to_string().into()),
            ("height", made.height.into()),
            ("states", Json::list(rows)),
        ]))
    }

    fn leaves(&self, block: usize) -> Vec<Hash> {
        let bytes = self.blocks.get(block).map_or(&[][..], |made| &made.bytes);
        let Ok((block, _)) = Block::decode(bytes) else { return Vec::new() };
        block.body().iter().map(|signed| MerkleTree::leaf(signed.as_bytes())).collect()
    }

    pub(super) fn view(&self) -> Json {
        let best = self.branch(self.tip());
        let blocks = self.blocks.iter().enumerate().map(|(at, made)| {
            let decoded = Block::decode(&made.bytes).ok();
            let transactions = decoded.map_or(Json::List(vec![]), |(block, _)| {
                Json::list(block.body().iter().map(|signed| signed.to_string()))
            });
            Json::object([
                ("number", at.into()),
                ("id", format!("{:.8}", made.id).into()),
                ("parent", made.parent.into()),
                ("height", made.height.into()),
                ("hashes", made.hashes.into()),
                ("best", (at == 0 || best.contains(&at)).into()),
                ("transactions", transactions),
            ])
        });
        let people = PEOPLE.iter().enumerate().map(|(at, (name, _))| {
            let account = key(at).account();
            let state = self.node.state();
            Json::object([
                ("name", (*name).into()),
                ("account", format!("{account:.8}").into()),
                ("balance", state.balance(&account).into()),
            ])
        });
        let waiting = self.pool.iter().filter_map(|bytes| {
            let (signed, _) = ledger_core::SignedTransaction::decode(bytes).ok()?;
            Some(signed.to_string())
        });
        let tip = self.node.tip();
        Json::object([
            ("tip", self.tip().into()),
            ("height", tip.height.0.into()),
            ("weight", tip.weight.to_string().into()),
            ("blocks", Json::List(blocks.collect())),
            ("people", Json::List(people.collect())),
            ("pool", Json::list(waiting)),
            ("proof", self.proof.map(|(block, leaf)| self.prove(block, leaf)).into()),
        ])
    }

    /// Describes the tree of a block: each node with its leaves, and whether it is on the path or in the proof.
    fn prove(&self, block: usize, leaf: usize) -> Json {
        let leaves = self.leaves(block);
        let mut path = vec![Hash::ZERO; 64];
        let Ok(inclusion) = prove_inclusion(&leaves, leaf, &mut path) else { return Json::Null };
        let head = TreeHead { size: leaves.len() as u64, root: MerkleTree::root_of(&leaves) };
        let right = inclusion.verify(&head, &leaves[leaf]).is_ok();
        let mut nodes = Vec::new();
        subtrees(&leaves, 0, 0, &mut |first, len, depth, hash| {
            nodes.push(Json::object([
                ("first", first.into()),
                ("len", len.into()),
                ("depth", depth.into()),
                ("hash", format!("{hash:.8}").into()),
                ("path", (first..first + len).contains(&leaf).into()),
                ("proof", inclusion.path.contains(&hash).into()),
            ]));
        });
        Json::object([
            ("block", block.into()),
            ("leaf", leaf.into()),
            ("size", leaves.len().into()),
            ("steps", inclusion.path.len().into()),
            ("right", right.into()),
            ("nodes", Json::List(nodes)),
        ])
    }
}

/// Visits all nodes of the tree of RFC 6962 over `leaves`; its left half is the largest power of two.
fn subtrees(
    leaves: &[Hash],
    first: usize,
    depth: usize,
    visit: &mut impl FnMut(usize, usize, usize, Hash),
) {
    visit(first, leaves.len(), depth, MerkleTree::root_of(leaves));
    if leaves.len() > 1 {
        let half = leaves.len().next_power_of_two() / 2;
        let (left, right) = leaves.split_at(half);
        subtrees(left, first, depth + 1, visit);
        subtrees(right, first + half, depth + 1, visit);
    }
}

fn source(bytes: &[u8]) -> Option<Account> {
    let (signed, _) = ledger_core::SignedTransaction::decode(bytes).ok()?;
    Some(signed.transaction().source)
}

fn sequence(bytes: &[u8]) -> Option<u64> {
    let (signed, _) = ledger_core::SignedTransaction::decode(bytes).ok()?;
    Some(signed.transaction().sequence)
}

/// Returns the pool without the transaction that a block was refused for.
fn without_the_culprit(
    mut pool: Vec<Vec<u8>>,
    error: &Refused<BlockError<WorkError>>,
) -> Vec<Vec<u8>> {
    if let Refused::Invalid(BlockError::Transaction { index, .. }) = error
        && (*index as usize) < pool.len()
    {
        pool.remove(*index as usize);
    }
    pool
}
