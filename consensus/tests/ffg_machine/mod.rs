//! FFG machines of validators with equal stakes, and the statements that a test signs for them.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]

use core::time::Duration;

use consensus::slot::{AttesterSlot, Ffg, FfgConfig, FfgEvent, FfgSetup, ResumeError};
use consensus::{
    Ed25519Key, Keys as _, RoundRobin, SignedStatement, Statement, StatementKind, ValidatorId,
};

pub const GENESIS: [u8; 32] = [0xC0; 32];
pub const SLOT: Duration = Duration::from_secs(3);

pub type Machine = Ffg<RoundRobin<Vec<ValidatorId>>, Ed25519Key, Vec<AttesterSlot>>;

/// Keys in the order of their ids.
pub fn keys(count: u8) -> Vec<Ed25519Key> {
    let mut keys: Vec<_> = (1..=count).map(|n| Ed25519Key::from_secret(&[n; 32])).collect();
    keys.sort_by_key(Ed25519Key::id);
    keys
}

/// Slots of three seconds, whose proposers take turns in the order of `turns`.
pub fn setup<'a>(
    validators: &'a [(ValidatorId, u64)],
    turns: &[Ed25519Key],
    me: &Ed25519Key,
) -> FfgSetup<'a, RoundRobin<Vec<ValidatorId>>, Ed25519Key> {
    FfgSetup {
        config: FfgConfig::new(SLOT),
        genesis: GENESIS,
        validators,
        selector: RoundRobin::new(turns.iter().map(Ed25519Key::id).collect()),
        keys: me.clone(),
    }
}

pub fn machine_with(
    keys: &[Ed25519Key],
    me: usize,
    saved: Option<&[u8]>,
) -> Result<Machine, ResumeError> {
    let validators: Vec<_> = keys.iter().map(|key| (key.id(), 32)).collect();
    let setup = setup(&validators, keys, &keys[me]);
    let slots = vec![AttesterSlot::EMPTY; keys.len()];
    match saved {
        Some(saved) => Ffg::resume(setup, slots, saved),
        None => Ok(Ffg::new(setup, slots)?),
    }
}

pub fn machine(keys: &[Ed25519Key], me: usize) -> Machine {
    machine_with(keys, me, None).expect("valid")
}

pub fn attest(
    key: &Ed25519Key,
    source: u64,
    target: u64,
    digest: u8,
) -> [u8; SignedStatement::LEN] {
    let kind = StatementKind::Attest { source };
    let statement = Statement::new(GENESIS, kind, target, 0, [digest; 32]);
    let signature = key.sign(&statement.to_bytes());
    let mut out = [0; SignedStatement::LEN];
    let signed = SignedStatement { statement, author: key.id(), signature };
    signed.encode(&mut out).expect("LEN suffices");
    out
}

/// Time within a slot, in thirds.
pub fn at(slot: u32, third: u32) -> Duration {
    SLOT * slot + SLOT / 3 * third
}

pub fn sent(machine: &mut Machine) -> Vec<Statement> {
    let mut buf = [0; SignedStatement::LEN];
    let mut out = Vec::new();
    while machine.poll_transmit(&mut buf).expect("LEN suffices").is_some() {
        let (signed, _) = SignedStatement::decode(&buf).expect("it decodes");
        assert_eq!(signed.verify(), Ok(()));
        out.push(signed.statement);
    }
    out
}

pub fn events(machine: &mut Machine) -> Vec<FfgEvent> {
    core::iter::from_fn(|| machine.poll_event()).collect()
}
