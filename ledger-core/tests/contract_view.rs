//! What a ledger of one's own reads, writes and puts before the engine; and what names a ledger.

mod common;

use std::collections::BTreeSet;

use common::{Checksum, GENESIS_TIME, claim, key, ledgers, rules, seal, storage};
use ledger_core::ledger::{Accounts, Assets, Context, Escrow, Ledger, Outputs, Records, Standard};
use ledger_core::state::{Effect, Key, TransactionError, Value, View};
use ledger_core::{
    Account, Action, Ancestry, Body, Chain, ChainSpec, Effects, Engine, Hash, Header, Refused,
    Transaction, Weight,
};

/// The digest of a ledger is part of the genesis id: no two ledgers have the same.
#[test]
fn every_ledger_has_a_digest_of_its_own() {
    let digests = [
        Accounts.digest(),
        Assets.digest(),
        Records.digest(),
        Standard.digest(),
        Escrow.digest(),
        Outputs::new(3).digest(),
        Outputs::new(4).digest(),
        (Escrow, Outputs::new(3)).digest(),
        (Outputs::new(3), Escrow).digest(),
        (Standard, (Escrow, Outputs::new(3))).digest(),
        ((Standard, Escrow), Outputs::new(3)).digest(),
    ];
    let different: BTreeSet<_> = digests.iter().map(|digest| *digest.as_bytes()).collect();
    assert_eq!(different.len(), digests.len());
    assert!(!different.contains(&[0; 32]));
    assert_eq!(Outputs::new(3).digest(), digests[5]);
}

/// Ledger 70. A call names an account: its balance is written down, and put before the engine as often as the call says.
#[derive(Debug, Clone)]
struct Notary;

impl Ledger for Notary {
    fn digest(&self) -> Hash {
        Hash::of(b"notary")
    }

    fn apply(
        &self,
        _: &Context,
        view: &mut View<'_>,
        transaction: &Transaction<'_>,
    ) -> Result<(), TransactionError> {
        let Action::Call { ledger: 70, payload: [times, account @ ..] } = transaction.action else {
            return Err(TransactionError::UnknownLedger);
        };
        let account: [u8; 32] =
            account.try_into().map_err(|_| TransactionError::MalformedPayload)?;
        let balance = view.balance(&Account::from_bytes(account))?;
        let note = Value::new(&balance.to_be_bytes()).ok_or(TransactionError::MalformedPayload)?;
        view.insert(&Key::new(70, &account), &note, &transaction.source)?;
        for kind in 0..*times {
            view.effect(Effect { kind, subject: account, amount: balance })?;
        }
        Ok(())
    }
}

/// Keeps what the last block put before it.
#[derive(Debug, Clone)]
struct Listening {
    heard: Vec<Effect>,
}

impl Engine for Listening {
    type Error = common::WrongChecksum;

    fn digest(&self) -> Hash {
        Hash::of(b"listening")
    }

    fn check(
        &self,
        branch: &dyn Ancestry,
        header: &Header,
        proof: &[u8],
        now: u64,
    ) -> Result<Weight, Refused<common::WrongChecksum>> {
        Checksum.check(branch, header, proof, now)
    }

    fn apply(&mut self, _: &Header, effects: &Effects) {
        self.heard = effects.as_slice().to_vec();
    }
}

#[test]
fn a_ledger_reads_balances_and_puts_facts_before_the_engine() {
    let rich = key(0).account();
    let rules = rules();
    let spec = ChainSpec {
        name: "notary",
        rules,
        time: GENESIS_TIME,
        allocation: &[(rich, 1_000), (key(1).account(), 7)],
    };
    for (times, subject, balance) in [
        (0, rich, 990),
        (1, rich, 990), // the fee is paid before
        (4, key(1).account(), 7),
        (2, key(5).account(), 0), // an account that does not exist
        (5, rich, 0),             // a fact too many
    ] {
        let engine = Listening { heard: Vec::new() };
        let mut chain =
            Chain::new(&spec, engine, (Notary, ledgers()), storage(&rules)).expect("it fits");
        let payload = [&[times][..], subject.as_bytes()].concat();
        let action = Action::Call { ledger: 70, payload: &payload };
        let call = Transaction { fee: 10, ..Transaction::new(rich, 0, action) };
        let mut buf = [0; Transaction::MAX_LEN];
        let signed = call.sign(chain.genesis_id(), &key(0), &mut buf).expect("its own key");
        let body = Body::from_bytes(signed.as_bytes()).expect("one transaction");
        let now = GENESIS_TIME + 5;
        let proposed = chain.propose(now, key(9).account(), &body, claim(1));
        if times > 4 {
            assert!(proposed.is_err());
            continue;
        }
        let header = proposed.expect("it may");
        let block = seal(chain.genesis_id(), &header, &body);
        chain.append(now, &block).expect("it is fine");
        let subject = *subject.as_bytes();
        let expected: Vec<_> =
            (0..times).map(|kind| Effect { kind, subject, amount: balance }).collect();
        assert_eq!(chain.engine().heard, expected);
    }
}
