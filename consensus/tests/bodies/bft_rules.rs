//! The BFT engine and the plain model under the same calls.

use core::time::Duration;
use std::collections::BTreeSet;

use consensus::bft::{BftConfig, BftEvent, RoundState};
use consensus::{Keys as _, SaveToken, SignedStatement, Statement, StatementKind};
use sim::laws::Input;

use super::bft::{Engine, GENESIS, engine_with_room, id};
use super::bft_plain::{Plain, Report, Said};
use super::name_keys::NameKeys;

/// The statements that the engine keeps of each validator. The model keeps all.
const ROOM: usize = 64;

/// An engine and its model.
struct Pair {
    engine: Engine,
    plain: Plain,
    token: SaveToken,
    asked: Option<[u8; 32]>,
    now: Duration,
}

/// Any calls: the same answers, events, statements, deadlines and state as the model.
pub fn bft_rules(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let count = 1 + input.below(4);
    let me = input.below(5);
    let plain = Plain::new(BftConfig::new(Duration::from_millis(100)), count, me);
    let engine = engine_with_room(count, me, ROOM);
    let mut pair = Pair { engine, plain, token: SaveToken(0), asked: None, now: Duration::ZERO };
    pair.compare(None);
    for _ in 0..400 {
        // A call adds one statement of a validator, and one that contradicts it.
        let has_room = pair.plain.most_of_one() + 2 <= ROOM;
        if input.is_empty() || !has_room || pair.step(&mut input, count).is_none() {
            return;
        }
    }
}

impl Pair {
    /// Makes one call. `None` ends the run: the model does not say what follows.
    fn step(&mut self, input: &mut Input<'_>, count: usize) -> Option<()> {
        self.now += Duration::from_millis(50) * input.below(3) as u32;
        let now = self.now;
        match input.below(16) {
            0 => {
                self.now += Duration::from_millis(300);
                self.engine.handle_timeout(self.now);
                self.plain.timeout(self.now);
            }
            1 => {
                let expected = self.plain.next_height(now)?;
                assert_eq!(self.engine.next_height(now).is_ok(), expected);
            }
            2 => {
                let value = [input.below(4) as u8; 32];
                let expected = self.plain.propose(now, value);
                assert_eq!(self.engine.propose(now, &value).is_ok(), expected);
            }
            3 => {
                let value = self.asked.filter(|_| input.below(8) > 0);
                let value = value.unwrap_or([input.below(4) as u8; 32]);
                let is_valid = input.below(4) > 0;
                self.engine.handle_checked(now, &value, is_valid);
                self.plain.checked(now, value, is_valid);
            }
            4..=6 => self.save(input.below(8) == 0),
            7..=10 => {
                let said = self.statement(input, 0);
                let authors = match said.kind {
                    StatementKind::Propose { .. } => said.author..said.author + 1,
                    _ => 0..count,
                };
                for author in authors {
                    self.receive(Said { author, ..said });
                    self.compare(None);
                }
            }
            _ => {
                let author = input.below(5);
                let said = self.statement(input, author);
                self.receive(said);
            }
        }
        self.compare(None);
        Some(())
    }

    fn save(&mut self, is_wrong: bool) {
        let SaveToken(token) = self.token;
        let token = SaveToken(if is_wrong { token.wrapping_add(1) } else { token });
        let is_pending = self.plain.pending.is_some() && !is_wrong;
        assert_eq!(self.engine.handle_saved(self.now, token).is_ok(), is_pending);
        let said = if is_pending { self.plain.saved(self.now) } else { None };
        self.compare(said);
    }

    /// A statement of a small world, in which contradictions and quorums are frequent.
    fn statement(&self, input: &mut Input<'_>, author: usize) -> Said {
        let ours = self.plain.round.unwrap_or(0);
        let round = match input.below(128) {
            0 => u32::MAX,
            1..=12 => input.below(5) as u32,
            13..=24 => ours.saturating_add(1),
            _ => ours,
        };
        let locked = self.plain.locked.filter(|_| input.below(2) == 0);
        let kind = match input.below(8) {
            0 | 1 => StatementKind::Propose { valid_round: None },
            2 => StatementKind::Propose { valid_round: Some(input.below(3) as u32) },
            3 => StatementKind::Propose { valid_round: locked.map(|locked| locked.round) },
            4 | 5 => StatementKind::Prevote,
            _ => StatementKind::Precommit,
        };
        let height = match input.below(12) {
            0 => self.plain.height.saturating_sub(1),
            1 => self.plain.height + 1,
            2 => self.plain.height + input.below(4) as u64,
            _ => self.plain.height,
        };
        // Votes for what was proposed, and proposals of what is locked, are the frequent case.
        let proposed = self.plain.proposal(round).map(|proposal| proposal.digest);
        let likely = match kind {
            StatementKind::Propose { .. } => locked.map(|locked| locked.value),
            _ => proposed,
        };
        let digest = likely.filter(|_| input.below(4) > 0);
        let digest = digest.unwrap_or([input.below(3) as u8; 32]);
        let is_forged = input.below(32) == 0;
        let is_proposal = matches!(kind, StatementKind::Propose { .. }) && input.below(4) > 0;
        let author = if is_proposal { self.plain.proposer(height, round) } else { author };
        Said { author, height, round, kind, digest, is_forged }
    }

    fn receive(&mut self, said: Said) {
        let Said { author, height, round, kind, digest, is_forged } = said;
        let statement = Statement::new(GENESIS, kind, height, round, digest);
        let mut signature = NameKeys(id(author)).sign(&[]);
        signature[0] ^= u8::from(is_forged);
        let signed = SignedStatement { statement, author: id(author), signature };
        let mut bytes = [0; SignedStatement::LEN];
        signed.encode(&mut bytes).expect("LEN suffices");
        let found = self.engine.handle_datagram(self.now, &bytes);
        assert_eq!(found.is_ok(), self.plain.receive(self.now, said), "{said:?}: {found:?}");
    }

    /// Compares all that can be seen. `said` has just left.
    fn compare(&mut self, said: Option<Said>) {
        let mut reports = BTreeSet::new();
        while let Some(event) = self.engine.poll_event() {
            reports.insert(match event {
                BftEvent::Save { token } => {
                    self.token = token;
                    Report::Save
                }
                BftEvent::Propose { height, round } => Report::Propose(height, round),
                BftEvent::Check { value, .. } => {
                    self.asked = Some(value);
                    Report::Check(value)
                }
                BftEvent::Decided { height, round, value } => Report::Decided(height, round, value),
                BftEvent::Behind { height } => Report::Behind(height),
                BftEvent::PeerBehind { peer, height } => {
                    Report::PeerBehind(usize::from(peer.0[0]) - 1, height)
                }
                BftEvent::Equivocated(evidence) => {
                    Report::Equivocated(usize::from(evidence.offender().0[0]) - 1)
                }
                other => panic!("{other}"),
            });
        }
        assert_eq!(reports, self.plain.take_reports());
        let expected = RoundState {
            round: self.plain.round,
            step: self.plain.step,
            locked: self.plain.locked,
            valid: self.plain.valid,
            decision: self.plain.decision,
            ..*self.engine.round_state()
        };
        assert_eq!(*self.engine.round_state(), expected, "{:?}", self.plain);
        assert_eq!(self.engine.height(), self.plain.height);
        assert_eq!(self.engine.poll_timeout(), self.plain.next_timeout(), "{:?}", self.plain);
        self.compare_sent(said);
    }

    /// Only statements that count are sent, and one whose state is saved is, unless it decided the height.
    fn compare_sent(&mut self, said: Option<Said>) {
        let mut sent = Vec::new();
        let mut buf = [0; SignedStatement::LEN];
        while self.engine.poll_transmit(&mut buf).expect("LEN suffices").is_some() {
            let (SignedStatement { statement, author, .. }, _) =
                SignedStatement::decode(&buf).expect("its own");
            let Statement { kind, slot: height, round, digest, .. } = statement;
            let author = usize::from(author.0[0]) - 1;
            sent.push(Said { author, height, round, kind, digest, is_forged: false });
        }
        assert!(sent.iter().all(|said| self.plain.counts(said)), "{sent:?} of {:?}", self.plain);
        let is_sent = said.is_none_or(|said| sent.contains(&said) || self.plain.decision.is_some());
        assert!(is_sent, "{said:?} was not sent");
    }
}
