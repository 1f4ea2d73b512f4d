//! A small world for the tests: three rich accounts, a seal that is a checksum, one chain.
#![allow(dead_code)] // each test file uses its part

use ledger_core::{
    Account, Action, AssetId, Block, Body, Chain, ChainId, Genesis, Header, KeyPair, Rules, Seal,
    SealKind, Slot, Tip, Transaction, Weight,
};

pub const GENESIS_TIME: u64 = 1_000_000;
pub const CHAIN: ChainId = ChainId(7);

/// A seal of four bytes: the first of the SHA-256 of the header. Anybody can make it, nobody can
/// change the header without renewing it.
#[derive(Debug, Clone)]
pub struct Checksum;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the checksum is wrong")]
pub struct WrongChecksum;

impl Seal for Checksum {
    type Error = WrongChecksum;

    fn weigh(&self, _: &Tip, header: &Header, seal: &[u8]) -> Result<Weight, WrongChecksum> {
        let fits = header.seal_kind == SealKind(9) && seal == &header.hash(&[]).as_bytes()[..4];
        if fits { Ok(Weight(1)) } else { Err(WrongChecksum) }
    }
}

impl Checksum {
    pub fn seal(header: &Header, body: &Body<'_>) -> Vec<u8> {
        let hash = header.hash(&[]);
        let block = Block::new(*header, &hash.as_bytes()[..4], *body);
        let mut out = vec![0; block.encoded_len()];
        block.encode(&mut out).expect("encoded_len suffices");
        out
    }
}

pub fn key(n: u8) -> KeyPair {
    KeyPair::from_secret(&[n + 1; 32])
}

pub struct OwnedGenesis(pub Vec<(Account, u64)>);

impl OwnedGenesis {
    pub fn genesis(&self) -> Genesis<'_> {
        Genesis { chain: CHAIN, time: GENESIS_TIME, allocation: &self.0 }
    }

    pub fn chain(&self) -> Chain<Checksum, Vec<Slot>> {
        self.chain_with(Rules::DEFAULT)
    }

    pub fn chain_with(&self, rules: Rules) -> Chain<Checksum, Vec<Slot>> {
        Chain::new(rules, Checksum, &self.genesis(), vec![Slot::EMPTY; 32]).expect("it fits")
    }
}

/// `rich` accounts with 1,000 coins each.
pub fn genesis(rich: usize) -> OwnedGenesis {
    OwnedGenesis((0..rich).map(|n| (key(n as u8).account(), 1000)).collect())
}

pub struct World {
    pub chain: Chain<Checksum, Vec<Slot>>,
    pub now: u64,
    pub body: Vec<u8>,
    used: [u64; 3], // transactions of each account in `body`
}

impl World {
    pub fn new() -> Self {
        Self::with_rules(Rules::DEFAULT)
    }

    pub fn with_rules(rules: Rules) -> Self {
        let chain = genesis(3).chain_with(rules);
        Self { chain, now: GENESIS_TIME + 10, body: Vec::new(), used: [0; 3] }
    }

    pub fn clear(&mut self) {
        self.body.clear();
        self.used = [0; 3];
    }

    pub fn pay(&mut self, from: usize, to: u8, amount: u64, fee: u64) {
        let to = key(to).account();
        self.act(from, fee, Action::Pay { to, amount });
    }

    pub fn mint(&mut self, from: usize, asset: u8) {
        self.act(from, 0, Action::Mint { asset: AssetId([asset; 32]) });
    }

    pub fn give(&mut self, from: usize, asset: u8, to: u8) {
        let to = key(to).account();
        self.act(from, 0, Action::Give { asset: AssetId([asset; 32]), to });
    }

    pub fn act(&mut self, from: usize, fee: u64, action: Action<'_>) {
        self.sign_with(from, |source, chain, sequence| Transaction {
            chain,
            source,
            sequence,
            fee,
            action,
        });
    }

    pub fn sign_with<'a>(
        &mut self,
        signer: usize,
        make: impl FnOnce(Account, ChainId, u64) -> Transaction<'a>,
    ) {
        let key = key(signer as u8);
        let sequence = self.chain.state().sequence(&key.account()) + self.used[signer];
        self.used[signer] += 1;
        let transaction = make(key.account(), CHAIN, sequence);
        let mut buf = [0; Transaction::MAX_LEN];
        let signed = transaction.sign(&key, &mut buf).expect("MAX_LEN suffices");
        let mut out = [0; Transaction::MAX_LEN + 2];
        let len = Body::push(&signed, &mut out).expect("it fits");
        self.body.extend(&out[..len]);
    }

    /// Seals what was collected and begins a new body.
    pub fn seal_block(&mut self) -> Vec<u8> {
        let bytes = core::mem::take(&mut self.body);
        self.used = [0; 3];
        let body = Body::from_bytes(&bytes).expect("it was pushed");
        let author = key(9).account();
        let header = self.chain.propose(self.now, author, &body, SealKind(9), 4);
        Checksum::seal(&header, &body)
    }
}

/// A chain of `len` blocks with transactions of every kind, as stored.
pub fn stored_chain(len: u64) -> (OwnedGenesis, Vec<Vec<u8>>) {
    let mut world = World::new();
    let blocks = (0..len)
        .map(|i| {
            world.pay(0, 1, 5 + i, 1);
            world.mint(1, i as u8);
            world.give(1, i as u8, 2);
            world.act(2, 0, Action::Record(b"seen"));
            world.now += 5;
            let block = world.seal_block();
            world.chain.append(world.now, &block).expect("it is fine");
            block
        })
        .collect();
    (genesis(3), blocks)
}
