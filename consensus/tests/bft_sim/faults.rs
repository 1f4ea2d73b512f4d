//! What faulty validators do.

use std::prelude::rust_2024::*;
use std::rc::Rc;

use consensus::{Keys as _, SignedStatement, Statement, StatementKind};

use super::{DELAY, Simulation, TestKeys, validator};

/// A way in which a validator is faulty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Sends nothing.
    Silent,
    /// Sends half of the others another value.
    Equivocating,
    /// Forgets its votes and locks when it crashes, which it does often.
    Amnesiac,
    /// Sends everything very late.
    Delayed,
    /// Proposes and votes for what is invalid.
    WrongValue,
    /// Sends what others sent before, again and again.
    Replaying,
    /// Signs for other rounds than the current one.
    LyingRounds,
    /// Votes for everything: to each validator for what that one votes for.
    Colluding,
}

impl Fault {
    pub const ALL: [Self; 8] = [
        Self::Silent,
        Self::Equivocating,
        Self::Amnesiac,
        Self::Delayed,
        Self::WrongValue,
        Self::Replaying,
        Self::LyingRounds,
        Self::Colluding,
    ];
}

/// Returns the value that a node proposes.
pub fn value(fault: Option<Fault>, height: u64, round: u32, index: usize, salt: u64) -> [u8; 32] {
    let mut value = [height as u8 + 1; 32];
    value[1] = round as u8;
    value[2] = index as u8;
    value[3] = salt as u8;
    if fault == Some(Fault::WrongValue) {
        value[31] = 0xFF;
    }
    value
}

/// Returns the verdict of every honest application on a value.
pub fn is_valid(value: &[u8; 32], height: u64) -> bool {
    value[31] == height as u8 + 1
}

impl Simulation {
    pub(super) fn send_faulty(
        &mut self,
        fault: Fault,
        from: usize,
        signed: &SignedStatement,
        is_own: bool,
    ) {
        let salt = self.rng.next_u64();
        match fault {
            Fault::Silent => {}
            Fault::Equivocating | Fault::Colluding if is_own => {
                let mut other = signed.statement;
                other.digest[3] ^= 1;
                let other = sign(from, other);
                for to in 0..self.plan.nodes {
                    let first = to % 2 == 0;
                    self.send_to(from, to, if first { signed } else { &other });
                    if salt.is_multiple_of(7) {
                        self.send_to(from, to, if first { &other } else { signed });
                    }
                }
            }
            Fault::Amnesiac => {
                self.send_to_all(from, signed);
                if salt.is_multiple_of(8) {
                    self.crash(from);
                }
            }
            Fault::Delayed => {
                let now = self.now;
                self.now += DELAY * (salt % 30) as u32;
                self.send_to_all(from, signed);
                self.now = now;
            }
            Fault::WrongValue if is_own => {
                let mut wrong = signed.statement;
                if salt.is_multiple_of(2) && !wrong.is_nil() {
                    wrong.digest[31] = 0xFF;
                }
                self.send_to_all(from, &sign(from, wrong));
            }
            Fault::Replaying => {
                self.send_to_all(from, signed);
                for step in 0..3 {
                    let count = self.recorded.len().max(1);
                    let at = (salt as usize).wrapping_add(step * 97) % count;
                    let Some(bytes) = self.recorded.get(at).cloned() else { continue };
                    (0..self.plan.nodes).for_each(|to| self.deliver(from, to, &bytes));
                }
            }
            Fault::LyingRounds if is_own => {
                let mut lie = signed.statement;
                lie.round = match salt % 4 {
                    0 => u32::MAX,
                    1 => lie.round + (salt >> 8) as u32 % 1000,
                    2 => lie.round.saturating_sub(1),
                    _ => lie.round + 1,
                };
                if !matches!(lie.kind, StatementKind::Propose { .. }) {
                    self.send_to_all(from, &sign(from, lie));
                }
                if salt.is_multiple_of(3) {
                    self.send_to_all(from, signed);
                }
            }
            _ => self.send_to_all(from, signed),
        }
    }

    /// A colluding node confirms to each validator what that one votes for. It answers each statement once, and those of
    /// other faulty nodes not at all: two that answer each other would never end.
    pub(super) fn collude(&mut self, me: usize, bytes: &[u8]) {
        let Ok((signed, _)) = SignedStatement::decode(bytes) else { return };
        let to = usize::from(signed.author.0[0]) - 1;
        let is_new = self.answered.insert((me, to, signed.statement.to_bytes()));
        if self.nodes[to].fault.is_some() || !is_new {
            return;
        }
        for kind in [StatementKind::Prevote, StatementKind::Precommit] {
            let statement = Statement { kind, ..signed.statement };
            self.send_to(me, to, &sign(me, statement));
        }
    }

    fn send_to_all(&mut self, from: usize, signed: &SignedStatement) {
        let bytes = encode(signed);
        (0..self.plan.nodes).for_each(|to| self.deliver(from, to, &bytes));
    }

    fn send_to(&mut self, from: usize, to: usize, signed: &SignedStatement) {
        self.deliver(from, to, &encode(signed));
    }
}

/// Returns the datagram of a statement.
pub(super) fn encode(signed: &SignedStatement) -> Rc<[u8]> {
    let mut bytes = [0; SignedStatement::LEN];
    signed.encode(&mut bytes).expect("LEN suffices");
    bytes.into()
}

fn sign(from: usize, statement: Statement) -> SignedStatement {
    let keys = TestKeys(validator(from));
    let signature = keys.sign(&statement.to_bytes());
    SignedStatement { statement, author: keys.id(), signature }
}
