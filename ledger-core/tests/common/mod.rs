//! A small world for the tests: three rich accounts, an engine whose proof is a checksum, one chain.
#![allow(dead_code)] // each test file uses its part

pub mod driver;
pub mod json;

use ledger_core::ledger::{Escrow, Outputs, Standard};
use ledger_core::{
    Account, Action, Ancestry, AssetId, Block, Body, Chain, ChainSlots, ChainSpec, Claim,
    ClaimKind, Engine, GenesisId, Hash, Header, JournalSlot, KeyPair, Refused, Rules, Slot,
    Transaction, Weight,
};

pub const GENESIS_TIME: u64 = 1_000_000;
pub const KIND: ClaimKind = ClaimKind(9);

/// An engine whose proof is the first four bytes of the block id. Anybody can make it, nobody can change the header
/// without renewing it. Its claim may raise the weight. Blocks of the future are refused.
#[derive(Debug, Clone)]
pub struct Checksum;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the checksum is wrong")]
pub struct WrongChecksum;

impl Engine for Checksum {
    type Error = WrongChecksum;

    fn digest(&self) -> Hash {
        Hash::of(b"checksum")
    }

    fn check(
        &self,
        branch: &dyn Ancestry,
        header: &Header,
        proof: &[u8],
        now: u64,
    ) -> Result<Weight, Refused<WrongChecksum>> {
        let id = header.id(branch.genesis());
        let [weight] = *header.claim.as_bytes() else {
            return Err(Refused::Invalid(WrongChecksum));
        };
        if header.claim.kind() != KIND || proof != &id.as_bytes()[..4] {
            return Err(Refused::Invalid(WrongChecksum));
        }
        if header.time > now {
            return Err(Refused::NotYet { at: header.time });
        }
        Ok(Weight(u128::from(weight)))
    }
}

/// Returns a claim of this weight.
pub fn claim(weight: u8) -> Claim {
    Claim::new(KIND, &[weight]).expect("one byte")
}

/// Puts a checksum to a header and its body.
pub fn seal(genesis: &GenesisId, header: &Header, body: &Body<'_>) -> Vec<u8> {
    let id = header.id(genesis);
    let block = Block::new(*header, &id.as_bytes()[..4], *body).expect("the header names the body");
    let mut out = vec![0; block.encoded_len()];
    block.encode(&mut out).expect("encoded_len suffices");
    out
}

pub fn key(n: u8) -> KeyPair {
    KeyPair::from_secret(&[n + 1; 32])
}

pub type Storage = ChainSlots<Vec<Slot>, Vec<JournalSlot>>;
/// All ledgers of the crate.
pub type Ledgers = (Standard, (Escrow, Outputs));
pub type TestChain = Chain<Checksum, Ledgers, Storage>;

pub fn ledgers() -> Ledgers {
    (Standard, (Escrow, Outputs::new(3)))
}

pub fn storage(rules: &Rules) -> Storage {
    storage_of(rules.max_entries as usize, rules.max_writes as usize + 1)
}

pub fn storage_of(entries: usize, journal: usize) -> Storage {
    ChainSlots { entries: vec![Slot::EMPTY; entries], journal: vec![JournalSlot::EMPTY; journal] }
}

/// Rules with 64 entries.
pub fn rules() -> Rules {
    let mut rules = Rules::SMALL;
    rules.max_entries = 64;
    rules.max_block_len = 1 << 16;
    rules
}

#[derive(Debug, Clone)]
pub struct OwnedSpec {
    pub rules: Rules,
    pub allocation: Vec<(Account, u64)>,
}

impl OwnedSpec {
    pub fn spec(&self) -> ChainSpec<'_> {
        ChainSpec {
            name: "test",
            rules: self.rules,
            time: GENESIS_TIME,
            allocation: &self.allocation,
        }
    }

    pub fn chain(&self) -> TestChain {
        Chain::new(&self.spec(), Checksum, ledgers(), storage(&self.rules)).expect("it fits")
    }
}

/// `rich` accounts with 1,000 coins each.
pub fn spec(rich: usize) -> OwnedSpec {
    spec_with(rich, rules())
}

pub fn spec_with(rich: usize, rules: Rules) -> OwnedSpec {
    let allocation = (0..rich).map(|n| (key(n as u8).account(), 1000)).collect();
    OwnedSpec { rules, allocation }
}

/// A chain, and transactions that wait for the next block.
#[derive(Clone)]
pub struct World {
    pub chain: TestChain,
    pub now: u64,
    pub body: Vec<u8>,
    used: [u64; 3], // transactions of each account in `body`
}

impl World {
    pub fn new() -> Self {
        Self::with_rules(rules())
    }

    pub fn with_rules(rules: Rules) -> Self {
        let chain = spec_with(3, rules).chain();
        Self { chain, now: GENESIS_TIME + 10, body: Vec::new(), used: [0; 3] }
    }

    pub fn genesis(&self) -> GenesisId {
        *self.chain.genesis_id()
    }

    pub fn clear(&mut self) {
        self.body.clear();
        self.used = [0; 3];
    }

    pub fn pay(&mut self, from: usize, to: u8, amount: u64, fee: u64) {
        let to = key(to).account();
        self.act(from, fee, Action::Pay { to, amount });
    }

    pub fn mint(&mut self, from: usize, salt: u8) {
        self.act(from, 0, Action::Mint { salt: [salt; 32] });
    }

    pub fn asset(&self, minter: usize, salt: u8) -> AssetId {
        AssetId::new(self.chain.genesis_id(), &key(minter as u8).account(), &[salt; 32])
    }

    pub fn transfer(&mut self, from: usize, asset: AssetId, to: u8) {
        let to = key(to).account();
        self.act(from, 0, Action::Transfer { asset, to });
    }

    pub fn act(&mut self, from: usize, fee: u64, action: Action<'_>) {
        let source = key(from as u8).account();
        let sequence = self.chain.state().sequence(&source) + self.used[from];
        let mut transaction = Transaction::new(source, sequence, action);
        transaction.fee = fee;
        self.used[from] += 1;
        self.push(&transaction, from as u8);
    }

    /// Signs any transaction with the key of its source and puts it into the body.
    pub fn push(&mut self, transaction: &Transaction<'_>, signer: u8) {
        let mut buf = [0; Transaction::MAX_LEN];
        let signed = transaction.sign(self.chain.genesis_id(), &key(signer), &mut buf);
        self.body.extend(signed.expect("its own key").as_bytes());
    }

    /// Seals what was collected and begins a new body.
    pub fn seal_block(&mut self) -> Vec<u8> {
        self.try_seal().expect("it is fine")
    }

    pub fn try_seal(&mut self) -> Result<Vec<u8>, Refused<ledger_core::BlockError<WrongChecksum>>> {
        let bytes = core::mem::take(&mut self.body);
        self.used = [0; 3];
        let body = Body::from_bytes(&bytes).expect("it was pushed");
        let header = self.chain.propose(self.now, key(9).account(), &body, claim(1))?;
        Ok(seal(self.chain.genesis_id(), &header, &body))
    }

    /// Seals a block that `propose` refuses: with the state root of before.
    pub fn seal_anyway(&mut self) -> Vec<u8> {
        let bytes = core::mem::take(&mut self.body);
        self.used = [0; 3];
        let body = Body::from_bytes(&bytes).expect("it was pushed");
        let empty = Body::default();
        let author = key(9).account();
        let mut header =
            self.chain.propose(self.now, author, &empty, claim(1)).expect("nothing can be wrong");
        header.body_size = body.len();
        header.body_root = body.head().root;
        seal(self.chain.genesis_id(), &header, &body)
    }

    /// Seals and appends.
    pub fn append(&mut self) -> Vec<u8> {
        let block = self.seal_block();
        self.chain.append(self.now, &block).expect("it is fine");
        self.now += 1;
        block
    }
}

/// A chain of `len` blocks with transactions of every kind, as stored.
pub fn stored_chain(len: u64) -> (OwnedSpec, Vec<Vec<u8>>) {
    let mut world = World::new();
    let blocks = (0..len)
        .map(|i| {
            world.pay(0, 1, 5 + i, 1);
            world.mint(1, i as u8);
            let asset = world.asset(1, i as u8);
            world.transfer(1, asset, 2);
            world.act(2, 0, Action::Record(b"seen"));
            world.now += 5;
            world.append()
        })
        .collect();
    (spec(3), blocks)
}

/// Blocks of a chain with the same rules and accounts, and another name.
pub fn foreign_block() -> Vec<u8> {
    let owned = spec(3);
    let other = ChainSpec { name: "another", ..owned.spec() };
    let rules = rules();
    let storage = storage_of(rules.max_entries as usize, rules.max_writes as usize + 1);
    let mut chain = Chain::new(&other, Checksum, ledgers(), storage).expect("it fits");
    let body = Body::default();
    let header = chain.propose(GENESIS_TIME + 1, key(9).account(), &body, claim(1));
    seal(chain.genesis_id(), &header.expect("an empty block"), &body)
}
