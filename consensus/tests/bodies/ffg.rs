//! The FFG machine under any order of calls.

use core::time::Duration;

use consensus::slot::{AttesterSlot, Ffg, FfgConfig, FfgSetup};
use consensus::{RoundRobin, SaveToken, SignedStatement, Statement, StatementKind, ValidatorId};
use sim::laws::{self, Input, Machine, Outcome};

use super::bft::{GENESIS, id};
use super::name_keys::NameKeys;

pub(super) type Engine = Ffg<RoundRobin<Vec<ValidatorId>>, NameKeys, Vec<AttesterSlot>>;

fn setup(
    validators: &[(ValidatorId, u64)],
    me: usize,
) -> FfgSetup<'_, RoundRobin<Vec<ValidatorId>>, NameKeys> {
    FfgSetup {
        config: FfgConfig::new(Duration::from_millis(90)),
        genesis: GENESIS,
        validators,
        selector: RoundRobin::new(validators.iter().map(|(id, _)| *id).collect()),
        keys: NameKeys(id(me)),
    }
}

/// A machine with 1 to 4 validators; number 4 is an observer.
pub(super) fn engine(count: usize, me: usize) -> Engine {
    let validators: Vec<_> = (0..count).map(|n| (id(n), 10)).collect();
    Ffg::new(setup(&validators, me), vec![AttesterSlot::EMPTY; count]).expect("a valid setup")
}

struct Driven(Engine);

impl Machine for Driven {
    fn call(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
        match input.below(16) {
            0 => Outcome::of(self.0.handle_datagram(now, input.bytes(SignedStatement::LEN))),
            1 | 2 => Outcome::of(self.0.propose(now, &[input.below(4) as u8; 32])),
            3 => {
                self.0.handle_head(now, &[input.below(4) as u8; 32]);
                Outcome::Done(String::new())
            }
            4..=6 => {
                let token = SaveToken(input.below(12) as u64);
                Outcome::of(self.0.handle_saved(now, token))
            }
            _ => {
                let mut bytes = [0; SignedStatement::LEN];
                attestation(input).encode(&mut bytes).expect("LEN suffices");
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
        self.0.poll_event().map(|event| event.to_string())
    }

    fn state(&self) -> String {
        format!("{:?}", self.0)
    }

    fn same_state(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

/// An attestation of a small world, in which contradictions and quorums are frequent.
fn attestation(input: &mut Input<'_>) -> SignedStatement {
    let author = id(input.below(5));
    let source = match input.byte() {
        255 => u64::MAX,
        byte => u64::from(byte % 4),
    };
    let target = source.saturating_add(input.below(3) as u64);
    let digest = [input.below(3) as u8; 32];
    let kind = StatementKind::Attest { source };
    let statement = Statement::new(GENESIS, kind, target, 0, digest);
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&author.0);
    signature[0] ^= u8::from(input.byte() == 0);
    SignedStatement { statement, author, signature }
}

/// The laws of a machine, with the bytes as calls; and any bytes as a saved state.
pub fn ffg(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let count = 1 + input.below(4);
    let me = input.below(5);
    laws::check(|| Driven(engine(count, me)), 256, bytes);
    laws::check_poll_order(|| Driven(engine(count, me)), 256, bytes);
    let validators: Vec<_> = (0..4).map(|n| (id(n), 10)).collect();
    let mut saved = [0; 210];
    let len = engine(4, 0).encode_state(&mut saved).expect("it fits");
    let mut mixed = saved[..66].to_vec();
    mixed.extend_from_slice(bytes);
    mixed.resize(len, 0);
    for saved in [bytes, &mixed] {
        let slots = vec![AttesterSlot::EMPTY; 4];
        if let Ok(mut machine) = Ffg::resume(setup(&validators, 0), slots, saved) {
            let mut again = [0; 210];
            machine.encode_state(&mut again).expect("it fits");
            assert_eq!(again[..], *saved, "one encoding");
            machine.handle_timeout(Duration::MAX);
            assert!(machine.finalized().slot <= machine.justified().slot);
        }
    }
}
