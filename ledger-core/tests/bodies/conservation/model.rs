//! The naive model: hash maps, no trie, no journal, no undo.

use std::collections::HashMap;

use ledger_core::ledger::{EscrowCall, OutputCall, Outputs, Terms, escrow_key, output_key};
use ledger_core::state::account_key;
use ledger_core::{
    Account, Action, AssetId, GenesisId, Rules, SignedTransaction, State, Transaction, TxId,
};

/// Lanes that transactions use.
pub const LANES: u16 = 2;
/// The most outputs that a transaction makes.
pub const OUTPUTS: u8 = 2;

/// A transaction or block that the rules refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAllowed;

type Done = Result<(), NotAllowed>;

/// Who owns what after a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    genesis: GenesisId,
    rules: Rules,
    maturity: u64,
    height: u64,
    accounts: HashMap<Account, (u64, u64)>, // coins and the next sequence number
    lanes: HashMap<(Account, u16), u64>,
    assets: HashMap<AssetId, Account>,
    escrows: HashMap<TxId, Terms>,
    outputs: HashMap<(TxId, u8), Output>,
    issued: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Output {
    owner: Account,
    amount: u64,
    spendable_from: u64,
}

impl Model {
    pub fn new(
        genesis: GenesisId,
        rules: Rules,
        maturity: u64,
        allocation: &[(Account, u64)],
    ) -> Self {
        let accounts = allocation.iter().map(|(owner, coins)| (*owner, (coins - rules.deposit, 0)));
        Self {
            genesis,
            rules,
            maturity,
            height: 0,
            accounts: accounts.collect(),
            lanes: HashMap::new(),
            assets: HashMap::new(),
            escrows: HashMap::new(),
            outputs: HashMap::new(),
            issued: allocation.iter().map(|(_, coins)| coins).sum(),
        }
    }

    /// Returns the model after a block, or `NotAllowed` if one of its transactions is not.
    pub fn after(&self, author: Account, transactions: &[Vec<u8>]) -> Result<Self, NotAllowed> {
        let mut next = self.clone();
        next.height += 1;
        let mut fees = 0;
        for bytes in transactions {
            let (signed, _) = SignedTransaction::decode(bytes).expect("just signed");
            next.transaction(&signed)?;
            fees += signed.transaction().fee;
        }
        let coins_left = next.coins();
        assert_eq!(coins_left + fees, self.coins(), "coins in are coins out and fees");
        let subsidy = self.rules.subsidy_at(next.height);
        next.reward(author, subsidy + fees)?;
        next.issued += subsidy;
        assert_eq!(next.coins(), self.coins() + subsidy, "coins out are coins in and the subsidy");
        Ok(next)
    }

    /// Returns whether a transaction is allowed in the next block, after these.
    pub fn allows(&self, transactions: &[Vec<u8>], bytes: &[u8]) -> bool {
        let mut next = self.clone();
        next.height += 1;
        let mut all = transactions.iter().map(Vec::as_slice).chain([bytes]);
        all.all(|bytes| {
            let (signed, _) = SignedTransaction::decode(bytes).expect("just signed");
            next.transaction(&signed).is_ok()
        })
    }

    /// Returns all coins: of accounts, in escrow, in outputs, and locked as deposits.
    pub fn coins(&self) -> u64 {
        let accounts = self.accounts.values().map(|(coins, _)| coins);
        let escrows = self.escrows.values().map(|terms| &terms.amount);
        let outputs = self.outputs.values().map(|output| &output.amount);
        let free: u64 = accounts.chain(escrows).chain(outputs).sum();
        free + (self.entries() as u64 - 1) * self.rules.deposit
    }

    /// Returns the coins that each entry locks.
    pub fn deposit(&self) -> u64 {
        self.rules.deposit
    }

    /// Returns the sequence number that comes next.
    pub fn sequence(&self, account: Account, lane: u16) -> u64 {
        match lane {
            0 => self.accounts.get(&account).map_or(0, |(_, sequence)| *sequence),
            _ => self.lanes.get(&(account, lane)).copied().unwrap_or(0),
        }
    }

    /// Returns the open escrows, in the order of their ids.
    pub fn escrows(&self) -> Vec<(TxId, Terms)> {
        let mut all: Vec<_> = self.escrows.iter().map(|(id, terms)| (*id, *terms)).collect();
        all.sort_by_key(|(id, _)| *id);
        all
    }

    /// Returns the unspent outputs of an account, in the order of their ids.
    pub fn unspent(&self, owner: Account) -> Vec<(TxId, u8)> {
        let own = self.outputs.iter().filter(|(_, output)| output.owner == owner);
        let mut own: Vec<_> = own.map(|(key, _)| *key).collect();
        own.sort_unstable();
        own
    }

    /// Returns the coins of an output, or 0 if it is spent.
    pub fn output(&self, id: TxId, index: u8) -> u64 {
        self.outputs.get(&(id, index)).map_or(0, |output| output.amount)
    }

    /// Compares every entry that there can be with the state.
    pub fn assert_is(&self, state: &State<'_>, accounts: &[Account], ids: &[TxId]) {
        assert_eq!(state.len(), self.entries(), "every entry is known");
        assert_eq!(state.issued(), self.issued);
        assert_eq!(self.coins(), self.issued);
        for account in accounts {
            let known = self.accounts.get(account);
            assert_eq!(state.value(&account_key(account)).is_some(), known.is_some());
            assert_eq!(state.balance(account), known.map_or(0, |(coins, _)| *coins));
            for lane in 0..LANES {
                assert_eq!(state.lane_sequence(account, lane), self.sequence(*account, lane));
            }
        }
        for (asset, owner) in &self.assets {
            assert_eq!(state.owner_of(asset).as_ref(), Some(owner));
        }
        for id in ids {
            let amount = state.value(&escrow_key(id)).map(|value| number(value.as_bytes(), 32));
            assert_eq!(amount, self.escrows.get(id).map(|terms| terms.amount));
            for index in 0..OUTPUTS {
                let value = state.value(&output_key(id, index));
                let amount = value.map(|value| number(value.as_bytes(), 32));
                let known = self.outputs.get(&(*id, index));
                assert_eq!(amount, known.map(|output| output.amount));
            }
        }
    }

    fn entries(&self) -> usize {
        let owned = self.assets.len() + self.escrows.len() + self.outputs.len();
        1 + self.accounts.len() + self.lanes.len() + owned
    }

    fn transaction(&mut self, signed: &SignedTransaction<'_>) -> Done {
        let Transaction { source, lane, sequence, valid_until, fee, action } =
            *signed.transaction();
        allow(self.height <= valid_until.0)?;
        allow(sequence == self.sequence(source, lane))?;
        if lane == 0 {
            if !self.accounts.contains_key(&source) {
                self.lock_deposit(source)?;
            }
            self.accounts.entry(source).or_default().1 += 1;
        } else {
            if !self.lanes.contains_key(&(source, lane)) {
                self.lock_deposit(source)?;
            }
            *self.lanes.entry((source, lane)).or_default() += 1;
        }
        self.take(source, fee)?;
        let id = signed.id(&self.genesis);
        match action {
            Action::Pay { to, amount } => {
                self.take(source, amount)?;
                self.give(to, amount, source)
            }
            Action::Mint { salt } => {
                let asset = AssetId::new(&self.genesis, &source, &salt);
                allow(!self.assets.contains_key(&asset))?;
                self.lock_deposit(source)?;
                self.assets.insert(asset, source);
                Ok(())
            }
            Action::Transfer { asset, to } => {
                allow(self.assets.get(&asset) == Some(&source))?;
                self.assets.insert(asset, to);
                Ok(())
            }
            Action::Burn { asset } => {
                allow(self.assets.get(&asset) == Some(&source))?;
                self.assets.remove(&asset);
                self.give(source, self.rules.deposit, source)
            }
            Action::Call { ledger: EscrowCall::LEDGER, payload } => {
                let (call, _) = EscrowCall::decode(payload).expect("just encoded");
                self.escrow(id, source, call)
            }
            Action::Call { ledger: Outputs::LEDGER, payload } => {
                let (call, _) = OutputCall::decode(payload).expect("just encoded");
                self.spend(id, source, &call)
            }
            Action::Record(_) => Ok(()),
            _ => Err(NotAllowed),
        }
    }

    fn escrow(&mut self, id: TxId, source: Account, call: EscrowCall) -> Done {
        let (opened_by, terms, to, may_decide) = match call {
            EscrowCall::Open(terms) => {
                allow(terms.payer == source)?;
                self.take(source, terms.amount)?;
                self.lock_deposit(source)?;
                self.escrows.insert(id, terms);
                return Ok(());
            }
            EscrowCall::Release(id, terms) => {
                (id, terms, terms.payee, source == terms.payer || source == terms.arbiter)
            }
            EscrowCall::Refund(id, terms) => {
                let is_late = self.height >= terms.deadline.0;
                let by_payer = is_late && source == terms.payer;
                let may = by_payer || source == terms.payee || source == terms.arbiter;
                (id, terms, terms.payer, may)
            }
            _ => return Err(NotAllowed),
        };
        allow(self.escrows.get(&opened_by) == Some(&terms) && may_decide)?;
        self.escrows.remove(&opened_by);
        self.give(terms.payer, self.rules.deposit, terms.payer)?;
        self.give(to, terms.amount, terms.payer)
    }

    fn spend(&mut self, id: TxId, source: Account, call: &OutputCall<'_>) -> Done {
        let mut left = call.from_account;
        for [input @ .., index] in call.inputs {
            let key = (TxId::from_bytes(*input), *index);
            let output = self.outputs.remove(&key).ok_or(NotAllowed)?;
            allow(output.owner == source && output.spendable_from <= self.height)?;
            self.give(source, self.rules.deposit, source)?;
            left += output.amount;
        }
        self.take(source, call.from_account)?;
        let wait = if call.from_account > 0 { self.maturity } else { 0 };
        for (index, output) in (0..).zip(call.outputs) {
            let owner = Account::from_bytes(*output.first_chunk().expect("40 bytes"));
            let amount = number(output, 32);
            left = left.checked_sub(amount).ok_or(NotAllowed)?;
            self.lock_deposit(source)?;
            let spendable_from = self.height + wait;
            self.outputs.insert((id, index), Output { owner, amount, spendable_from });
        }
        allow(left == call.to_account)?;
        self.give(source, left, source)
    }

    /// Pays the author of a block, whose account may be new.
    fn reward(&mut self, author: Account, coins: u64) -> Done {
        if coins > 0 && !self.accounts.contains_key(&author) {
            let rest = coins.checked_sub(self.rules.deposit).ok_or(NotAllowed)?;
            allow(self.entries() < self.rules.max_entries as usize)?;
            self.accounts.insert(author, (rest, 0));
            return Ok(());
        }
        self.give(author, coins, author)
    }

    fn take(&mut self, from: Account, coins: u64) -> Done {
        if coins > 0 {
            let (balance, _) = self.accounts.get_mut(&from).ok_or(NotAllowed)?;
            *balance = balance.checked_sub(coins).ok_or(NotAllowed)?;
        }
        Ok(())
    }

    /// Gives coins to an account. `payer` locks the deposit if the account is new.
    fn give(&mut self, to: Account, coins: u64, payer: Account) -> Done {
        if coins > 0 {
            if !self.accounts.contains_key(&to) {
                self.lock_deposit(payer)?;
            }
            self.accounts.entry(to).or_default().0 += coins;
        }
        Ok(())
    }

    /// Pays for a new entry, which the caller then makes.
    fn lock_deposit(&mut self, payer: Account) -> Done {
        allow(self.entries() < self.rules.max_entries as usize)?;
        self.take(payer, self.rules.deposit)
    }
}

fn allow(is_allowed: bool) -> Done {
    if is_allowed { Ok(()) } else { Err(NotAllowed) }
}

/// Reads a u64 at a position.
pub fn number(bytes: &[u8], at: usize) -> u64 {
    let bytes = bytes.get(at..).and_then(|bytes| bytes.first_chunk());
    bytes.copied().map_or(0, u64::from_be_bytes)
}
