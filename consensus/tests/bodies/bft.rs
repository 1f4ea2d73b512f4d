//! The BFT engine under any order of calls.

use core::time::Duration;

use consensus::bft::{Bft, BftConfig, BftEvent, BftSetup, BftSlots, PeerSlot, VoteSlot};
use consensus::{
    Keys as _, RoundRobin, SaveToken, SignedStatement, Statement, StatementKind, ValidatorId,
};
use sim::laws::{self, Input, Machine, Outcome};

use super::name_keys::NameKeys;

pub(super) const GENESIS: [u8; 32] = [0xC0; 32];

type Storage = BftSlots<Vec<PeerSlot>, Vec<VoteSlot>>;
pub(super) type Engine = Bft<RoundRobin<Vec<ValidatorId>>, NameKeys, Storage>;

pub(super) fn id(n: usize) -> ValidatorId {
    ValidatorId([n as u8 + 1; 32])
}

fn setup(
    validators: &[(ValidatorId, u64)],
    me: usize,
) -> BftSetup<'_, RoundRobin<Vec<ValidatorId>>, NameKeys> {
    BftSetup {
        config: BftConfig::new(Duration::from_millis(100)),
        genesis: GENESIS,
        height: 0,
        validators,
        selector: RoundRobin::new(validators.iter().map(|(id, _)| *id).collect()),
        keys: NameKeys(id(me)),
    }
}

fn storage(count: usize, votes_per_validator: usize) -> Storage {
    BftSlots {
        validators: vec![PeerSlot::EMPTY; count],
        votes: vec![VoteSlot::EMPTY; count * votes_per_validator],
    }
}

/// An engine with 1 to 4 validators; number 4 is an observer.
fn engine(count: usize, me: usize) -> Engine {
    engine_with_room(count, me, VoteSlot::PER_VALIDATOR)
}

/// An engine that keeps this number of statements of each validator.
pub(super) fn engine_with_room(count: usize, me: usize, votes: usize) -> Engine {
    let validators: Vec<_> = (0..count).map(|n| (id(n), 10)).collect();
    Bft::new(setup(&validators, me), storage(count, votes)).expect("a valid setup")
}

struct Driven(Engine);

impl Machine for Driven {
    fn call(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
        match input.below(16) {
            0 => Outcome::of(self.0.handle_datagram(now, input.bytes(SignedStatement::LEN))),
            1 => Outcome::of(self.0.next_height(now)),
            2 => Outcome::of(self.0.propose(now, &[input.below(4) as u8; 32])),
            3 => {
                let value = [input.below(4) as u8; 32];
                self.0.handle_checked(now, &value, input.below(4) > 0);
                Outcome::Done(String::new())
            }
            4..=6 => {
                let token = SaveToken(input.below(12) as u64);
                Outcome::of(self.0.handle_saved(now, token))
            }
            _ => {
                let mut bytes = [0; SignedStatement::LEN];
                statement(input).encode(&mut bytes).expect("LEN suffices");
                Outcome::of(self.0.handle_datagram(now, &bytes))
            }
        }
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.0.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.0.poll_timeout()
    }

    fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(String, usize)>, usize> {
        let transmit = self.0.poll_transmit(buf).map_err(|error| error.needed)?;
        Ok(transmit.map(|transmit| ("all".into(), transmit.len)))
    }

    fn poll_event(&mut self) -> Option<String> {
        let event = self.0.poll_event();
        // A request may have lapsed before the other order of polls sees it; only facts must not be lost.
        event.map(|event| event.to_string())
    }

    fn state(&self) -> String {
        format!("{:?}", self.0)
    }

    fn same_state(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

/// A statement of a small world, in which contradictions and quorums are frequent.
fn statement(input: &mut Input<'_>) -> SignedStatement {
    let author = id(input.below(5));
    let round = match input.byte() {
        255 => u32::MAX,
        byte => u32::from(byte % 4),
    };
    let kind = match input.below(6) {
        0 => StatementKind::Propose { valid_round: None },
        1 => StatementKind::Propose { valid_round: Some(input.below(3) as u32) },
        2 | 3 => StatementKind::Prevote,
        _ => StatementKind::Precommit,
    };
    let slot = input.below(4) as u64 / 2;
    let digest = [input.below(3) as u8; 32];
    let statement = Statement::new(GENESIS, kind, slot, round, digest);
    let mut signature = NameKeys(author).sign(&[]);
    signature[0] ^= u8::from(input.byte() == 0);
    SignedStatement { statement, author, signature }
}

/// The laws of a machine, with the bytes as calls.
pub fn bft(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let count = 1 + input.below(4);
    let me = input.below(5);
    laws::check(|| Driven(engine(count, me)), 256, bytes);
    laws::check_poll_order(|| Driven(engine(count, me)), 256, bytes);
}

/// Any bytes as a saved state: refused, or an engine that encodes a state of its own.
pub fn bft_state(bytes: &[u8]) {
    let validators: Vec<_> = (0..4).map(|n| (id(n), 10)).collect();
    let mut engine = engine(4, 0);
    while let Some(event) = engine.poll_event() {
        if let BftEvent::Save { token } = event {
            engine.handle_saved(Duration::ZERO, token).expect("the token is known");
        }
    }
    let mut buf = [0; 1024];
    let len = engine.encode_state(&mut buf).expect("it fits");
    let mut saved = buf[..len].to_vec();
    let own = Bft::resume(setup(&validators, 0), storage(4, VoteSlot::PER_VALIDATOR), &saved)
        .expect("what was saved");
    assert_eq!(own.round_state().step, engine.round_state().step);
    // The chain and the key are right; the rest is any bytes.
    saved.truncate(66);
    saved.extend_from_slice(bytes);
    for saved in [bytes, &saved] {
        if let Ok(mut engine) =
            Bft::resume(setup(&validators, 0), storage(4, VoteSlot::PER_VALIDATOR), saved)
        {
            let len = engine.encode_state(&mut buf).expect("it fits");
            let again = Bft::resume(
                setup(&validators, 0),
                storage(4, VoteSlot::PER_VALIDATOR),
                &buf[..len],
            )
            .expect("what was saved");
            assert_eq!(again.round_state(), engine.round_state());
            engine.handle_timeout(Duration::MAX);
        }
    }
}
