//! Rows of `consensus`. The keys of these validators sign with their name: the cost of a signature is left out.

use core::time::Duration;

use consensus::bft::{Bft, BftConfig, BftLimits, BftSetup, BftVec, VoteSlot};
use consensus::slot::{AttesterSlot, Ffg, FfgConfig, FfgSetup};
use consensus::{
    EquivocationDetector, Keys as _, RoundRobin, SignedStatement, Statement, StatementKind,
    StatementSlot, ValidatorId,
};

use fuzz::consensus::name_keys::NameKeys;

use super::{Row, Send, Step, millis, row};

const GENESIS: [u8; 32] = [0xC0; 32];
const VALIDATORS: usize = 100;

pub(super) const ROWS: &[Row] = &[
    row("Bft: votes of strangers", || bft(|n| vote(200 + n, 0, n as u32))),
    row("Bft: votes for ever later rounds", || bft(|n| vote(n % 100, 0, n as u32))),
    row("Bft: votes of a later height", || bft(|n| vote(n % 100, 1 + n, 0))),
    row("Bft: votes for ever other values", || bft(|n| vote(n % 100, 0, 0))),
    row("Ffg: attestations of strangers", || ffg(|n| attestation(200 + n, n))),
    row("Ffg: attestations of ever later slots", || ffg(|n| attestation(n % 100, n))),
    row("EquivocationDetector: statements of strangers", detector),
];

fn id(n: u64) -> ValidatorId {
    let mut id = [1; 32];
    id[..8].copy_from_slice(&n.to_le_bytes());
    ValidatorId(id)
}

fn signed(author: ValidatorId, statement: Statement) -> SignedStatement {
    SignedStatement { statement, author, signature: NameKeys(author).sign(&[]) }
}

fn vote(author: u64, height: u64, round: u32) -> SignedStatement {
    let mut value = [0; 32];
    value[..4].copy_from_slice(&round.to_le_bytes());
    let kind = StatementKind::Prevote;
    signed(id(author), Statement::new(GENESIS, kind, height, round, value))
}

fn attestation(author: u64, slot: u64) -> SignedStatement {
    let kind = StatementKind::Attest { source: slot };
    signed(id(author), Statement::new(GENESIS, kind, slot + 1, 0, [7; 32]))
}

fn bytes_of(statement: &SignedStatement) -> [u8; SignedStatement::LEN] {
    let mut bytes = [0; SignedStatement::LEN];
    statement.encode(&mut bytes).unwrap();
    bytes
}

fn validators() -> Vec<(ValidatorId, u64)> {
    (0..VALIDATORS as u64).map(|n| (id(n), 10)).collect()
}

fn turns(validators: &[(ValidatorId, u64)]) -> RoundRobin<Vec<ValidatorId>> {
    RoundRobin::new(validators.iter().map(|(id, _)| *id).collect())
}

fn bft(statement: fn(u64) -> SignedStatement) -> Send {
    let validators = validators();
    let setup = BftSetup {
        config: BftConfig::new(Duration::from_millis(100)),
        genesis: GENESIS,
        height: 0,
        validators: &validators,
        selector: turns(&validators),
        keys: NameKeys(id(0)),
    };
    let limits = BftLimits { validators: VALIDATORS, votes_per_validator: VoteSlot::PER_VALIDATOR };
    let mut engine = Bft::new(setup, BftVec::new(limits)).unwrap();
    let mut buf = [0; 512];
    Box::new(move |n| {
        let bytes = bytes_of(&statement(n));
        let _ = engine.handle_datagram(millis(n), &bytes);
        let sent = drain!(engine, buf);
        engine.handle_timeout(millis(n));
        Step { taken: bytes.len(), sent }
    })
}

fn ffg(statement: fn(u64) -> SignedStatement) -> Send {
    let validators = validators();
    let setup = FfgSetup {
        config: FfgConfig::new(Duration::from_millis(100)),
        genesis: GENESIS,
        validators: &validators,
        selector: turns(&validators),
        keys: NameKeys(id(0)),
    };
    let mut machine = Ffg::new(setup, vec![AttesterSlot::EMPTY; VALIDATORS]).unwrap();
    let mut buf = [0; 512];
    Box::new(move |n| {
        let bytes = bytes_of(&statement(n));
        let _ = machine.handle_datagram(millis(n), &bytes);
        let sent = drain!(machine, buf);
        machine.handle_timeout(millis(n));
        Step { taken: bytes.len(), sent }
    })
}

fn detector() -> Send {
    let mut detector = EquivocationDetector::new(vec![StatementSlot::EMPTY; 10_000]);
    detector.set_window(&GENESIS, 0..=1_000);
    Box::new(move |n| {
        let statement = vote(200 + n, n % 1_000, 0);
        let _ = core::hint::black_box(detector.observe(&statement, |_| false));
        Step { taken: SignedStatement::LEN, sent: 0 }
    })
}
