//! A ledger of four people, sealed by work that any nonce meets.

use ledger_core::ledger::{Ledger, Standard};
use ledger_core::{
    Account, Action, AssetId, Block, BlockError, Body, Chain, ChainSpec, ChainVec, Claim, KeyPair,
    Refused, Rules, Transaction,
};
use pow::{CompactTarget, Target, WorkError, WorkSeal};

use super::failed;

type Answer<T> = Result<T, Refused<BlockError<WorkError>>>;

/// A chain, its blocks, and transactions that wait for the next one.
pub struct Town<L = Standard> {
    pub chain: Chain<WorkSeal, L, ChainVec>,
    pub blocks: Vec<Vec<u8>>,
    waiting: Vec<u8>,
    rules: Rules,
    ledger: L,
    bits: CompactTarget,
}

/// Later than every block.
pub const NOW: u64 = 1_000_000;

pub fn key(person: u8) -> KeyPair {
    KeyPair::from_secret(&[person + 1; 32])
}

pub fn account(person: u8) -> Account {
    key(person).account()
}

fn chain<L: Ledger>(
    bits: CompactTarget,
    rules: Rules,
    ledger: L,
) -> Result<Chain<WorkSeal, L, ChainVec>, String> {
    let allocation = [(account(0), 100)];
    let spec = ChainSpec { name: "slides", rules, time: 0, allocation: &allocation };
    let seal = WorkSeal::new(bits).map_err(failed)?;
    Chain::new(&spec, seal, ledger, ChainVec::new(&rules)).map_err(failed)
}

impl Town {
    /// Person 0 owns 100 coins.
    pub fn new() -> Result<Self, String> {
        Self::of(Rules::SMALL, Standard)
    }
}

impl<L: Ledger + Copy> Town<L> {
    /// The same with other rules and another ledger.
    pub fn of(rules: Rules, ledger: L) -> Result<Self, String> {
        let bits = Target::from_zero_bits(0).to_compact();
        let chain = chain(bits, rules, ledger)?;
        Ok(Self { chain, blocks: Vec::new(), waiting: Vec::new(), rules, ledger, bits })
    }

    pub fn bits(&self) -> CompactTarget {
        self.bits
    }

    /// Signs an action with somebody's key and lets it wait; `sequence` is its place in the order of the account.
    pub fn sign(
        &mut self,
        from: u8,
        sequence: u64,
        action: Action<'_>,
        signer: u8,
    ) -> Result<(), String> {
        let transaction = Transaction::new(account(from), sequence, action);
        let mut buf = [0; Transaction::MAX_LEN];
        let signed = transaction.sign(self.chain.genesis_id(), &key(signer), &mut buf);
        self.waiting.extend_from_slice(signed.map_err(failed)?.as_bytes());
        Ok(())
    }

    /// Lets an action wait, as the next of its account.
    pub fn act(&mut self, from: u8, action: Action<'_>) -> Result<(), String> {
        let sequence = self.chain.state().sequence(&account(from));
        self.sign(from, sequence, action, from)
    }

    /// Makes a block of what waits, and appends it.
    pub fn block(&mut self) -> Answer<()> {
        let bytes = core::mem::take(&mut self.waiting);
        let body = Body::from_bytes(&bytes)?;
        let time = self.chain.tip().time + 60;
        let mut header = self.chain.propose(time, account(9), &body, Claim::NONE)?;
        header.claim = WorkSeal::claim(self.bits, 0);
        let block = Block::new(header, &[], body).expect("the header was proposed for this body");
        let mut sealed = vec![0; block.encoded_len()];
        block.encode(&mut sealed).expect("encoded_len suffices");
        self.chain.append(NOW, &sealed)?;
        self.blocks.push(sealed);
        Ok(())
    }

    /// Pays and makes a block of it.
    pub fn pay(&mut self, from: u8, to: u8, amount: u64) -> Result<(), String> {
        self.act(from, Action::Pay { to: account(to), amount })?;
        self.block().map_err(failed)
    }

    pub fn balance(&self, person: u8) -> u64 {
        self.chain.state().balance(&account(person))
    }

    pub fn asset(&self, minter: u8, salt: u8) -> AssetId {
        AssetId::new(self.chain.genesis_id(), &account(minter), &[salt; 32])
    }

    /// Returns a copy that has loaded all blocks from the beginning.
    pub fn copy(&self) -> Result<Chain<WorkSeal, L, ChainVec>, String> {
        let mut chain = chain(self.bits, self.rules, self.ledger)?;
        chain.replay(NOW, &self.blocks).map_err(failed)?;
        Ok(chain)
    }

    /// Replays blocks from the beginning; returns the height of the first that does not fit.
    pub fn audit(&self, blocks: &[Vec<u8>]) -> Result<Option<u64>, String> {
        let mut chain = chain(self.bits, self.rules, self.ledger)?;
        Ok(chain.replay(NOW, blocks).err().map(|error| error.height.0))
    }
}
