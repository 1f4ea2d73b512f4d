//! Transactions of every kind, good ones and those that try to spend twice.

use std::sync::OnceLock;

use ledger_core::ledger::{EscrowCall, OutputCall, Outputs, Terms, escrow_key, output_key};
use ledger_core::{
    Account, Action, AssetId, GenesisId, Height, KeyPair, SignedTransaction, State, Transaction,
    TxId,
};
use sim::laws::Input;

use super::model::{LANES, Model, OUTPUTS, number};

const KEYS: usize = 5;
const SALTS: usize = 2;

/// Keys, and all transactions that they signed for any branch.
pub struct Wallet {
    accounts: [Account; KEYS],
    ids: Vec<TxId>,
    signed: Vec<Vec<u8>>,
    escrows: Vec<(TxId, Terms)>, // of any branch, open or closed
    outputs: Vec<(TxId, u8)>,
}

fn keys() -> &'static [KeyPair; KEYS] {
    static ALL: OnceLock<[KeyPair; KEYS]> = OnceLock::new();
    ALL.get_or_init(|| core::array::from_fn(|n| KeyPair::from_secret(&[n as u8 + 1; 32])))
}

impl Wallet {
    pub fn new() -> Self {
        let accounts = keys().each_ref().map(KeyPair::account);
        Self {
            accounts,
            ids: Vec::new(),
            signed: Vec::new(),
            escrows: Vec::new(),
            outputs: Vec::new(),
        }
    }

    pub fn account(&self, n: usize) -> Account {
        self.accounts[n]
    }

    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// Returns the ids of all transactions, which name escrows and outputs.
    pub fn ids(&self) -> &[TxId] {
        &self.ids
    }

    /// Returns the coins that a state holds, those locked as deposits included.
    pub fn coins(&self, state: &State<'_>, deposit: u64) -> u64 {
        let accounts = self.accounts.iter().map(|account| state.balance(account));
        let held = self.ids.iter().flat_map(|id| {
            let outputs = (0..OUTPUTS).map(|index| output_key(id, index));
            outputs.chain([escrow_key(id)]).collect::<Vec<_>>()
        });
        let held = held.filter_map(|key| state.value(&key));
        let free: u64 = accounts.chain(held.map(|value| number(value.as_bytes(), 32))).sum();
        free + (state.len() as u64 - 1) * deposit
    }

    /// Returns a transaction that may follow `before` in a block after the one of `model`, or an old one again.
    pub fn transaction(
        &mut self,
        input: &mut Input<'_>,
        genesis: &GenesisId,
        model: &Model,
        before: &[Vec<u8>],
    ) -> Vec<u8> {
        if !self.signed.is_empty() && input.below(6) == 0 {
            return self.signed[input.below(self.signed.len())].clone();
        }
        let any = input.below(4);
        let has_outputs = |n: &usize| !model.unspent(self.accounts[*n]).is_empty();
        let signer = (0..4).find(has_outputs).filter(|_| input.below(3) == 0).unwrap_or(any);
        let source = self.accounts[signer];
        let lane = u16::from(input.below(4) == 0);
        assert!(lane < LANES);
        let is_same = |bytes: &&Vec<u8>| {
            let (signed, _) = SignedTransaction::decode(bytes).expect("just signed");
            (signed.transaction().source, signed.transaction().lane) == (source, lane)
        };
        let used = before.iter().filter(is_same).count() as u64;
        let mut payload = [0; 256];
        let action = self.action(input, genesis, model, source, &mut payload);
        let sequence = model.sequence(source, lane) + used;
        let mut transaction = Transaction::new(source, sequence, action);
        transaction.lane = lane;
        transaction.fee = u64::from(input.byte() % 3);
        if input.below(8) == 0 {
            transaction.valid_until = Height(input.below(6) as u64);
        }
        let mut buf = [0; Transaction::MAX_LEN];
        let signed = transaction.sign(genesis, &keys()[signer], &mut buf).expect("its own key");
        let id = signed.id(genesis);
        // The same one may be signed again on another branch.
        if !self.ids.contains(&id) {
            self.ids.push(id);
        }
        self.signed.push(signed.as_bytes().to_vec());
        signed.as_bytes().to_vec()
    }

    fn action<'p>(
        &mut self,
        input: &mut Input<'_>,
        genesis: &GenesisId,
        model: &Model,
        source: Account,
        payload: &'p mut [u8],
    ) -> Action<'p> {
        let amount = u64::from(input.byte() % 50);
        match input.below(9) {
            0 | 1 => Action::Pay { to: self.any_account(input), amount },
            2 => Action::Mint { salt: salt(input) },
            3 => {
                let asset = AssetId::new(genesis, &self.any_account(input), &salt(input));
                if amount.is_multiple_of(2) {
                    Action::Burn { asset }
                } else {
                    Action::Transfer { asset, to: self.any_account(input) }
                }
            }
            4..=6 => {
                let len = self.escrow_call(input, model, source, amount, payload);
                Action::Call { ledger: EscrowCall::LEDGER, payload: &payload[..len] }
            }
            7 => {
                let len = self.output_call(input, model, source, amount, payload);
                Action::Call { ledger: Outputs::LEDGER, payload: &payload[..len] }
            }
            _ => {
                let len = self.output_call(input, model, source, 0, payload);
                Action::Call { ledger: Outputs::LEDGER, payload: &payload[..len] }
            }
        }
    }

    fn any_account(&self, input: &mut Input<'_>) -> Account {
        self.accounts[input.below(KEYS)]
    }

    /// Opens an escrow, or closes one that is open, or was on some branch.
    fn escrow_call(
        &mut self,
        input: &mut Input<'_>,
        model: &Model,
        source: Account,
        amount: u64,
        payload: &mut [u8],
    ) -> usize {
        let open = model.escrows();
        self.escrows.extend(&open);
        let known = if input.below(4) > 0 { &open } else { &self.escrows };
        let call = if known.is_empty() || input.below(3) == 0 {
            EscrowCall::Open(Terms {
                payer: source,
                payee: self.any_account(input),
                arbiter: self.any_account(input),
                amount,
                deadline: Height(input.below(6) as u64),
            })
        } else {
            let (id, terms) = known[input.below(known.len().min(256))];
            let is_release = input.below(2) == 0;
            if is_release { EscrowCall::Release(id, terms) } else { EscrowCall::Refund(id, terms) }
        };
        call.encode(payload).expect("it fits")
    }

    /// Spends some outputs, the same one twice now and then, and makes up to two.
    fn output_call(
        &mut self,
        input: &mut Input<'_>,
        model: &Model,
        source: Account,
        from_account: u64,
        payload: &mut [u8],
    ) -> usize {
        let mut inputs = Vec::new();
        let mut total = from_account;
        let own = model.unspent(source);
        self.outputs.extend(&own);
        let known = if input.below(4) > 0 { &own } else { &self.outputs };
        for _ in 0..input.below(3).min(known.len()) {
            let (id, index) = known[input.below(known.len().min(256))];
            total += model.output(id, index);
            let mut bytes = [index; 33];
            bytes[..32].copy_from_slice(id.as_bytes());
            inputs.push(bytes);
        }
        let first = total / (1 + u64::from(input.byte() % 3));
        let mut outputs = Vec::new();
        for part in [first, total - first].into_iter().take(input.below(3)) {
            let mut bytes = [0; 40];
            bytes[..32].copy_from_slice(self.any_account(input).as_bytes());
            bytes[32..].copy_from_slice(&part.to_be_bytes());
            outputs.push(bytes);
        }
        let made: u64 = outputs.iter().map(|output| number(output, 32)).sum();
        let surplus = u64::from(input.below(16) == 0); // a coin from nowhere
        let to_account = total - made + surplus;
        let call = OutputCall { from_account, to_account, inputs: &inputs, outputs: &outputs };
        call.encode(payload).expect("it fits")
    }
}

fn salt(input: &mut Input<'_>) -> [u8; 32] {
    [input.below(SALTS) as u8; 32]
}
