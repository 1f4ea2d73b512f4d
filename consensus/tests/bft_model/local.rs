//! One honest validator of the model: an engine, its disk, and what it has sent.

use core::hash::{Hash, Hasher};
use core::time::Duration;
use std::collections::BTreeSet;
use std::vec;
use std::vec::Vec;

use super::super::mutation_tests::bft_sim::TestKeys;
use super::super::storage::VoteKind;
use super::super::{Bft, BftConfig, BftEvent, BftSetup, BftSlots, PeerSlot, Timer, VoteSlot};
use super::Step;
use crate::output::SaveToken;
use crate::{Keys as _, RoundRobin, SignedStatement, Statement, StatementKind, ValidatorId};

type Engine = Bft<RoundRobin<Vec<ValidatorId>>, TestKeys, BftSlots<Vec<PeerSlot>, Vec<VoteSlot>>>;

const GENESIS: [u8; 32] = [0xC0; 32];
const HEIGHT: u64 = 4; // validator 0 proposes in round 0
const TIMERS: [Timer; 3] = [Timer::Propose, Timer::Prevote, Timer::Precommit];

/// A timer that is set, but has not fired.
const LATER: Duration = Duration::from_secs(1);

/// A statement. Value 0 is nil.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Message {
    pub(super) author: u8,
    pub(super) kind: Kind,
    pub(super) round: u8,
    /// The valid round of a proposal plus 1, or 0.
    pub(super) support: u8,
    pub(super) value: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Propose,
    Prevote,
    Precommit,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Local {
    index: u8,
    engine: Engine,
    saves_at_once: bool,
    disk: Option<Vec<u8>>,
    /// The statements that depend on what is on the disk.
    saved: BTreeSet<Message>,
    pub(super) sent: BTreeSet<Message>,
    pub(super) decision: Option<u8>,
    pub(super) crashes: u8,
}

impl Hash for Local {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.index.hash(state);
        self.engine.core.hash(state);
        self.engine.storage.validators.hash(state);
        self.engine.storage.votes.hash(state);
        self.disk.hash(state);
        self.sent.hash(state);
        (self.decision, self.crashes).hash(state);
    }
}

fn validator(index: u8) -> ValidatorId {
    ValidatorId([index + 1; 32])
}

fn build(index: u8, disk: Option<&[u8]>) -> Engine {
    let ids: Vec<_> = (0..4).map(validator).collect();
    let validators: Vec<_> = ids.iter().map(|id| (*id, 10)).collect();
    let setup = BftSetup {
        config: BftConfig::new(LATER),
        genesis: GENESIS,
        height: HEIGHT,
        validators: &validators,
        selector: RoundRobin::new(ids),
        keys: TestKeys(validator(index)),
    };
    let votes = vec![VoteSlot::EMPTY; 4 * VoteSlot::PER_VALIDATOR];
    let storage = BftSlots { validators: vec![PeerSlot::EMPTY; 4], votes };
    match disk {
        Some(disk) => Bft::resume(setup, storage, disk).expect("what was saved"),
        None => Bft::new(setup, storage).expect("a valid setup"),
    }
}

impl Local {
    pub(super) fn new(index: u8, saves_at_once: bool) -> Self {
        let mut local = Self {
            index,
            engine: build(index, None),
            saves_at_once,
            disk: None,
            saved: BTreeSet::new(),
            sent: BTreeSet::new(),
            decision: None,
            crashes: 0,
        };
        local.drain();
        local
    }

    pub(super) fn take(&mut self, step: &Step) {
        match step {
            Step::Deliver(messages) => {
                for message in messages {
                    // A statement that is dropped leaves the engine unchanged.
                    let _ = self.engine.handle_datagram(Duration::ZERO, &message.to_bytes());
                    self.drain();
                }
            }
            Step::Fire(timer) => {
                self.engine.core.deadlines.set(*timer, Duration::ZERO);
                self.engine.handle_timeout(Duration::ZERO);
            }
            Step::Save => self.save(),
            Step::Crash => {
                self.crashes += 1;
                self.engine = build(self.index, self.disk.as_deref());
            }
        }
        self.drain();
    }

    fn save(&mut self) {
        let pending = self.engine.core.pending.expect("only then");
        let mut disk = vec![0; 1024];
        let len = self.engine.encode_state(&mut disk).expect("enough room");
        disk.truncate(len);
        self.disk = Some(disk);
        self.saved.insert(Message {
            author: self.index,
            kind: Kind::of(pending.kind),
            round: pending.round as u8,
            support: pending.support as u8,
            value: pending.digest[0],
        });
        self.engine.handle_saved(Duration::ZERO, pending.token).expect("it waits for this");
    }

    /// Answers all events, collects what is sent, and forgets what depends on time and on the order of calls.
    fn drain(&mut self) {
        loop {
            self.collect();
            match self.engine.poll_event() {
                Some(BftEvent::Propose { round, .. }) => {
                    let value = [10 + round as u8; 32];
                    let _ = self.engine.propose(Duration::ZERO, &value); // too late, perhaps
                }
                Some(BftEvent::Check { value, .. }) => {
                    self.engine.handle_checked(Duration::ZERO, &value, true);
                }
                Some(BftEvent::Decided { value, .. }) => self.decision = Some(value[0]),
                Some(BftEvent::Save { .. }) if self.saves_at_once => self.save(),
                Some(_) => {}
                None => break,
            }
        }
        self.collect();
        self.normalise();
    }

    fn collect(&mut self) {
        let mut buf = [0; SignedStatement::LEN];
        while self.engine.poll_transmit(&mut buf).expect("enough room").is_some() {
            let (signed, _) = SignedStatement::decode(&buf).expect("its own");
            if signed.author == validator(self.index) {
                self.sent.insert(Message::of(&signed));
            }
        }
    }

    fn normalise(&mut self) {
        let core = &mut self.engine.core;
        core.send_from = 0;
        core.deadlines.clear(Timer::Resend);
        core.deadlines.0.iter_mut().flatten().for_each(|at| *at = LATER);
        let token = SaveToken(u64::from(core.pending.is_some()));
        core.last_token = token;
        if let Some(pending) = &mut core.pending {
            pending.token = token;
        }
        for slots in self.engine.storage.votes.chunks_mut(VoteSlot::PER_VALIDATOR) {
            slots.sort_by_key(|it| (it.kind as u8, it.round, it.support, it.digest, it.role as u8));
        }
    }

    pub(super) fn timers(&self, last_round: u8) -> impl Iterator<Item = Timer> {
        let set = self.engine.core.deadlines.0;
        let is_last = self.engine.core.round() >= u32::from(last_round);
        let set = TIMERS.into_iter().zip(set).filter(|(_, at)| at.is_some());
        set.map(|(timer, _)| timer).filter(move |timer| !(is_last && *timer == Timer::Precommit))
    }

    pub(super) fn is_saving(&self) -> bool {
        self.engine.core.pending.is_some()
    }

    /// Returns whether a statement left before the state on which it depends was saved.
    pub(super) fn is_early(&self) -> bool {
        !self.sent.is_subset(&self.saved)
    }

    /// Returns whether it sent two statements of one kind and round.
    pub(super) fn contradicts(&self) -> bool {
        let places: BTreeSet<_> = self.sent.iter().map(|it| (it.kind, it.round)).collect();
        places.len() < self.sent.len()
    }
}

impl Kind {
    fn of(kind: VoteKind) -> Self {
        match kind {
            VoteKind::Propose => Self::Propose,
            VoteKind::Precommit => Self::Precommit,
            VoteKind::Prevote | VoteKind::Free => Self::Prevote,
        }
    }
}

impl Message {
    fn of(signed: &SignedStatement) -> Self {
        let Statement { kind, round, digest, .. } = signed.statement;
        let (kind, support) = match kind {
            StatementKind::Propose { valid_round } => {
                (Kind::Propose, valid_round.map_or(0, |valid| valid as u8 + 1))
            }
            StatementKind::Precommit => (Kind::Precommit, 0),
            _ => (Kind::Prevote, 0),
        };
        let author = signed.author.0[0] - 1;
        Self { author, kind, round: round as u8, support, value: digest[0] }
    }

    fn to_bytes(self) -> [u8; SignedStatement::LEN] {
        let kind = match self.kind {
            Kind::Propose => {
                let valid_round = self.support.checked_sub(1).map(u32::from);
                StatementKind::Propose { valid_round }
            }
            Kind::Prevote => StatementKind::Prevote,
            Kind::Precommit => StatementKind::Precommit,
        };
        let round = u32::from(self.round);
        let statement = Statement::new(GENESIS, kind, HEIGHT, round, [self.value; 32]);
        let keys = TestKeys(validator(self.author));
        let signature = keys.sign(&statement.to_bytes());
        let mut bytes = [0; SignedStatement::LEN];
        SignedStatement { statement, author: keys.id(), signature }
            .encode(&mut bytes)
            .expect("enough room");
        bytes
    }
}
