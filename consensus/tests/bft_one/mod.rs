//! One BFT engine among three validators whose statements the test signs.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]

use core::time::Duration;

use consensus::bft::{Bft, BftConfig, BftEvent, BftSetup, BftSlots, PeerSlot, VoteSlot};
use consensus::{
    Ed25519Key, Keys as _, RoundRobin, SignedStatement, Statement, StatementKind, ValidatorId,
};

pub const GENESIS: [u8; 32] = [0xC0; 32];
pub const VALUE: [u8; 32] = [0xAB; 32];

pub type Storage = BftSlots<Vec<PeerSlot>, Vec<VoteSlot>>;
pub type Engine = Bft<RoundRobin<Vec<ValidatorId>>, Ed25519Key, Storage>;

pub fn key(n: u8) -> Ed25519Key {
    Ed25519Key::from_secret(&[n + 1; 32])
}

/// Four validators in the order of their numbers, and the height 4, whose round 0 belongs to number 0.
pub fn setup(
    validators: &[(ValidatorId, u64)],
    me: u8,
) -> BftSetup<'_, RoundRobin<Vec<ValidatorId>>, Ed25519Key> {
    BftSetup {
        config: BftConfig::new(Duration::from_millis(100)),
        genesis: GENESIS,
        height: 4,
        validators,
        selector: RoundRobin::new(validators.iter().map(|(id, _)| *id).collect()),
        keys: key(me),
    }
}

pub fn validators() -> Vec<(ValidatorId, u64)> {
    (0..4).map(|n| (key(n).id(), 1)).collect()
}

pub fn storage(validators: usize, votes: usize) -> Storage {
    BftSlots { validators: vec![PeerSlot::EMPTY; validators], votes: vec![VoteSlot::EMPTY; votes] }
}

pub fn engine(me: u8) -> Engine {
    Bft::new(setup(&validators(), me), storage(4, 24)).expect("valid")
}

pub fn signed(
    author: u8,
    kind: StatementKind,
    height: u64,
    round: u32,
    digest: [u8; 32],
) -> [u8; 183] {
    let statement = Statement::new(GENESIS, kind, height, round, digest);
    let key = key(author);
    let signature = key.sign(&statement.to_bytes());
    let mut out = [0; SignedStatement::LEN];
    let signed = SignedStatement { statement, author: key.id(), signature };
    signed.encode(&mut out).expect("LEN suffices");
    out
}

pub fn sent(engine: &mut Engine) -> Vec<Statement> {
    let mut buf = [0; SignedStatement::LEN];
    let mut out = Vec::new();
    while engine.poll_transmit(&mut buf).expect("LEN suffices").is_some() {
        let (signed, _) = SignedStatement::decode(&buf).expect("it decodes");
        assert_eq!(signed.verify(), Ok(()));
        out.push(signed.statement);
    }
    out
}

pub fn events(engine: &mut Engine) -> Vec<BftEvent> {
    core::iter::from_fn(|| engine.poll_event()).collect()
}

pub const NOW: Duration = Duration::ZERO;
pub const PROPOSE: StatementKind = StatementKind::Propose { valid_round: None };

/// Saves what is asked for, accepts every block, and returns the other events.
pub fn settle(engine: &mut Engine, now: Duration) -> Vec<BftEvent> {
    let mut others = Vec::new();
    while let Some(event) = engine.poll_event() {
        match event {
            BftEvent::Save { token } => engine.handle_saved(now, token).expect("known"),
            BftEvent::Check { value, .. } => engine.handle_checked(now, &value, true),
            other => others.push(other),
        }
    }
    others
}

/// Lets validators of these numbers sign one statement.
pub fn all_say(
    engine: &mut Engine,
    authors: impl IntoIterator<Item = u8>,
    kind: StatementKind,
    height: u64,
    round: u32,
    digest: [u8; 32],
) {
    for author in authors {
        let bytes = signed(author, kind, height, round, digest);
        engine.handle_datagram(NOW, &bytes).expect("a validator");
    }
}
