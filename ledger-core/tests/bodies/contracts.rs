//! All ledgers of the crate under any transactions: coins are conserved, undoing leaves every byte as it was, and a
//! device without the state reaches the same root.

use core::convert::Infallible;

use ledger_core::ledger::{
    Escrow, EscrowCall, OutputCall, Outputs, Standard, Terms, escrow_key, output_key,
};
use ledger_core::state::Key;
use ledger_core::{
    Account, Action, Ancestry, AssetId, Block, Body, Chain, ChainSlots, ChainSpec, Claim, Engine,
    Hash, Header, Height, JournalSlot, KeyPair, Refused, Rules, SignedTransaction, Slot,
    StatelessChain, Transaction, TxId, Weight,
};
use sim::laws::Input;

const DEPOSIT: u64 = 2;
const MOST_BLOCKS: usize = 6;
const MOST_TRANSACTIONS: usize = 3;

#[derive(Debug, Clone)]
struct Open;

impl Engine for Open {
    type Error = Infallible;

    fn digest(&self) -> Hash {
        Hash::of(b"open")
    }

    fn check(
        &self,
        _: &dyn Ancestry,
        _: &Header,
        _: &[u8],
        _: u64,
    ) -> Result<Weight, Refused<Infallible>> {
        Ok(Weight(1))
    }
}

type Ledgers = (Standard, (Escrow, Outputs));
type TestChain = Chain<Open, Ledgers, ChainSlots<[Slot; 16], [JournalSlot; 65]>>;

fn ledgers() -> Ledgers {
    (Standard, (Escrow, Outputs::new(2)))
}

fn key(n: usize) -> KeyPair {
    KeyPair::from_secret(&[n as u8 + 1; 32])
}

/// A chain, and what its transactions have created.
struct World {
    chain: TestChain,
    device: StatelessChain<Open, Ledgers>,
    transactions: Vec<TxId>,
    terms: Vec<Terms>,
    salts: Vec<[u8; 32]>,
    now: u64,
}

impl World {
    fn new() -> Self {
        let mut rules = Rules::SMALL;
        rules.deposit = DEPOSIT;
        rules.subsidy = 5;
        rules.halving_interval = 3;
        let allocation = [(key(0).account(), 100), (key(1).account(), 60)];
        let spec = ChainSpec { name: "contracts", rules, time: 0, allocation: &allocation };
        let storage = ChainSlots { entries: [Slot::EMPTY; 16], journal: [JournalSlot::EMPTY; 65] };
        let chain = Chain::new(&spec, Open, ledgers(), storage).expect("it fits");
        let state = chain.tip().state;
        let device = StatelessChain::new(&spec, Open, ledgers(), state).expect("a short name");
        let salts = vec![[1; 32], [2; 32]];
        Self { chain, device, transactions: Vec::new(), terms: Vec::new(), salts, now: 1 }
    }

    fn account(&self, input: &mut Input<'_>) -> Account {
        key(input.below(3)).account()
    }

    fn old_transaction(&self, input: &mut Input<'_>) -> TxId {
        let at = input.below(self.transactions.len() + 1);
        self.transactions.get(at).copied().unwrap_or_default()
    }

    fn terms(&mut self, input: &mut Input<'_>) -> Terms {
        let at = input.below(self.terms.len() + 2);
        let known = self.terms.get(at).copied();
        let terms = known.unwrap_or_else(|| Terms {
            payer: self.account(input),
            payee: self.account(input),
            arbiter: key(2).account(),
            amount: u64::from(input.byte() % 40),
            deadline: Height(u64::from(input.byte() % 6)),
        });
        self.terms.push(terms);
        terms
    }

    /// Signs any transaction, with the sequence number that comes next.
    fn transaction(&mut self, input: &mut Input<'_>, used: &mut [u64; 3]) -> Vec<u8> {
        let signer = input.below(3);
        let source = key(signer).account();
        let amount = u64::from(input.byte() % 50);
        let mut payload = [0; 256];
        let action = match input.below(9) {
            0 | 1 => Action::Pay { to: self.account(input), amount },
            2 => Action::Mint { salt: self.salts[input.below(2)] },
            3 | 4 => {
                let minter = self.account(input);
                let salt = self.salts[input.below(2)];
                let asset = AssetId::new(self.chain.genesis_id(), &minter, &salt);
                if amount % 2 == 0 {
                    Action::Burn { asset }
                } else {
                    Action::Transfer { asset, to: self.account(input) }
                }
            }
            5 | 6 => {
                let id = self.old_transaction(input);
                let terms = self.terms(input);
                let call = match input.below(3) {
                    0 => EscrowCall::Open(terms),
                    1 => EscrowCall::Release(id, terms),
                    _ => EscrowCall::Refund(id, terms),
                };
                let len = call.encode(&mut payload).expect("it fits");
                Action::Call { ledger: EscrowCall::LEDGER, payload: &payload[..len] }
            }
            _ => {
                let len = self.output_call(input, amount, &mut payload);
                Action::Call { ledger: Outputs::LEDGER, payload: &payload[..len] }
            }
        };
        let sequence = self.chain.state().sequence(&source) + used[signer];
        used[signer] += 1;
        let mut transaction = Transaction::new(source, sequence, action);
        transaction.fee = u64::from(input.byte() % 3);
        let mut buf = [0; Transaction::MAX_LEN];
        let signed = transaction.sign(self.chain.genesis_id(), &key(signer), &mut buf);
        signed.expect("its own key").as_bytes().to_vec()
    }

    /// Spends some outputs, the same one twice now and then, and makes up to two.
    fn output_call(&self, input: &mut Input<'_>, amount: u64, payload: &mut [u8]) -> usize {
        let mut inputs = Vec::new();
        let mut spent = 0;
        for _ in 0..input.below(3) {
            let id = self.old_transaction(input);
            let index = input.byte() % 2;
            let value = self.chain.state().value(&output_key(&id, index));
            spent += value.map_or(0, |value| number(value.as_bytes(), 32));
            let mut bytes = [index; 33];
            bytes[..32].copy_from_slice(id.as_bytes());
            inputs.push(bytes);
        }
        let total = spent + amount;
        let first = total / (1 + u64::from(input.byte() % 3));
        let mut outputs = Vec::new();
        for part in [first, total - first].into_iter().take(input.below(3)) {
            let mut bytes = [0; 40];
            bytes[..32].copy_from_slice(self.account(input).as_bytes());
            bytes[32..].copy_from_slice(&part.to_be_bytes());
            outputs.push(bytes);
        }
        let made: u64 = outputs.iter().map(|output| number(output, 32)).sum();
        let call = OutputCall {
            from_account: amount,
            to_account: (total - made).saturating_sub(u64::from(input.byte() == 255)),
            inputs: &inputs,
            outputs: &outputs,
        };
        call.encode(payload).expect("it fits")
    }

    /// Keeps of the transactions those that can be executed, and appends a block with them.
    fn append(&mut self, input: &mut Input<'_>, mut transactions: Vec<Vec<u8>>) {
        let author = key(input.below(4)).account();
        let before = self.chain.clone();
        let header = loop {
            let bytes = transactions.concat();
            let body = Body::from_bytes(&bytes).expect("whole transactions");
            let proposed = self.chain.propose(self.now, author, &body, Claim::NONE);
            let entries = self.chain.clone().into_storage().entries;
            assert!(entries == before.clone().into_storage().entries, "every byte is as before");
            match proposed {
                Ok(header) => break header,
                Err(_) if transactions.is_empty() => return,
                Err(_) => {
                    // A refused block leaves every byte as it was, too.
                    transactions.pop();
                }
            }
        };
        let bytes = transactions.concat();
        let body = Body::from_bytes(&bytes).expect("whole transactions");
        let block = Block::new(header, &[], body).expect("the header names the body");
        let mut out = vec![0; block.encoded_len()];
        block.encode(&mut out).expect("encoded_len suffices");
        let mut witness = vec![0; 1 << 15];
        let before = self.chain.clone().into_storage();
        let witness = self.chain.witness(&out, &mut witness).expect("a good block").to_vec();
        // The whole block was executed and taken back.
        assert_eq!(self.chain.clone().into_storage(), before, "every byte is as it was");
        let tip = self.chain.append(self.now, &out).expect("it was proposed");
        self.check_witness(input, &out, witness);
        assert_eq!(*self.device.tip(), tip);
        for bytes in &transactions {
            let (signed, _) = SignedTransaction::decode(bytes).expect("just signed");
            self.transactions.push(signed.id(self.chain.genesis_id()));
        }
        self.now += 1;
    }

    /// A changed witness is refused, or it leads to the same root.
    fn check_witness(&mut self, input: &mut Input<'_>, block: &[u8], mut witness: Vec<u8>) {
        let good = witness.clone();
        if !witness.is_empty() {
            let at = usize::from(input.u16()) % witness.len();
            witness[at] ^= 1 << input.below(8);
        }
        let mut fooled = self.device.clone();
        if let Ok(tip) = fooled.append(self.now, block, &witness) {
            assert_eq!(&tip, self.chain.tip());
        }
        self.device.append(self.now, block, &good).expect("the right witness");
    }

    /// Balances, deposits, escrows and outputs are all coins that were ever issued.
    fn check_coins(&self) {
        let state = self.chain.state();
        let mut coins: u64 = (0..4).map(|n| state.balance(&key(n).account())).sum();
        let mut entries = 1
            + (0..4)
                .filter(|n| {
                    let key = ledger_core::state::account_key(&key(*n).account());
                    state.value(&key).is_some()
                })
                .count();
        let mut add = |key: &Key| {
            if let Some(value) = state.value(key) {
                coins += number(value.as_bytes(), 32);
                entries += 1;
            }
        };
        for id in &self.transactions {
            add(&escrow_key(id));
            add(&output_key(id, 0));
            add(&output_key(id, 1));
        }
        for minter in 0..3 {
            for salt in &self.salts {
                let minter = key(minter).account();
                let asset = AssetId::new(self.chain.genesis_id(), &minter, salt);
                entries += usize::from(state.owner_of(&asset).is_some());
            }
        }
        assert_eq!(state.len(), entries, "every entry is known");
        assert_eq!(coins + (entries as u64 - 1) * DEPOSIT, state.issued());
    }
}

/// Any transactions of all ledgers, in up to six blocks.
pub fn contracts(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut world = World::new();
    for _ in 0..MOST_BLOCKS {
        if input.is_empty() {
            break;
        }
        let mut used = [0; 3];
        let count = input.below(MOST_TRANSACTIONS + 1);
        let transactions = (0..count).map(|_| world.transaction(&mut input, &mut used)).collect();
        world.append(&mut input, transactions);
        world.check_coins();
    }
}

fn number(bytes: &[u8], at: usize) -> u64 {
    let bytes = bytes.get(at..).and_then(|bytes| bytes.first_chunk());
    bytes.copied().map_or(0, u64::from_be_bytes)
}
