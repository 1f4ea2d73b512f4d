//! The BFT engine beside a plain model: the rules of the paper (arXiv 1807.04938) over a map of all statements, which
//! grows. Line numbers are those of its algorithm 1.

mod calls;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use consensus::StatementKind;
use consensus::bft::{BftConfig, RoundValue, Step, Timer};

pub(super) type Digest = [u8; 32];

/// One statement: who, what, in which height and round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) author: usize,
    pub(super) height: u64,
    pub(super) round: u32,
    pub(super) kind: StatementKind,
    pub(super) digest: Digest,
    pub(super) is_forged: bool,
}

/// What the engine reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Report {
    Save,
    Propose(u64, u32),
    Check(Digest),
    Decided(u64, u32, Digest),
    Behind(u64),
    PeerBehind(usize, u64),
    Equivocated(usize),
}

/// Statements that contradict each other have one place: height, round, kind, author.
type Place = (u64, u32, u8, usize);

#[derive(Debug)]
pub(super) struct Plain {
    config: BftConfig,
    count: usize,
    me: Option<usize>,
    now: Duration,
    pub(super) height: u64,
    pub(super) round: Option<u32>,
    pub(super) step: Step,
    pub(super) locked: Option<RoundValue>,
    pub(super) valid: Option<RoundValue>,
    pub(super) decision: Option<RoundValue>,
    /// The statements that count.
    said: BTreeMap<Place, Said>,
    /// The latest quorum of precommits for a value.
    quorum: Option<RoundValue>,
    timers: BTreeMap<u8, Duration>,
    /// The timeouts of lines 34 and 47 that were scheduled in this round.
    scheduled: BTreeSet<u8>,
    pub(super) pending: Option<Said>,
    check: Option<(Digest, Option<bool>)>,
    wish: Option<u32>,
    rounds: Vec<Option<u32>>,
    heights: Vec<u64>,
    report_again_at: Vec<u128>,
    behind: u64,
    offended: Vec<bool>,
    reports: BTreeSet<Report>,
}

fn class(kind: StatementKind) -> u8 {
    match kind {
        StatementKind::Propose { .. } => 0,
        StatementKind::Prevote => 1,
        _ => 2,
    }
}

fn rank(timer: Timer) -> u8 {
    match timer {
        Timer::Propose => 0,
        Timer::Prevote => 1,
        Timer::Precommit => 2,
        Timer::Resend => 3,
    }
}

impl Plain {
    pub(super) fn new(config: BftConfig, count: usize, me: usize) -> Self {
        let mut plain = Self {
            config,
            count,
            me: (me < count).then_some(me),
            now: Duration::ZERO,
            height: 0,
            round: None,
            step: Step::Unstarted,
            locked: None,
            valid: None,
            decision: None,
            said: BTreeMap::new(),
            quorum: None,
            timers: BTreeMap::new(),
            scheduled: BTreeSet::new(),
            pending: None,
            check: None,
            wish: None,
            rounds: vec![None; count],
            heights: vec![0; count],
            report_again_at: vec![0; count],
            behind: 0,
            offended: vec![false; count],
            reports: BTreeSet::new(),
        };
        plain.resend();
        plain.run();
        plain
    }

    pub(super) fn proposer(&self, height: u64, round: u32) -> usize {
        ((u128::from(height) + u128::from(round)) % self.count as u128) as usize
    }

    fn is_over_two_thirds(&self, count: usize) -> bool {
        count * 3 > self.count * 2
    }

    fn is_over_a_third(&self, count: usize) -> bool {
        count * 3 > self.count
    }

    fn votes(&self, kind: u8, round: u32) -> impl Iterator<Item = &Said> {
        let height = self.height;
        self.said.range((height, round, kind, 0)..=(height, round, kind, usize::MAX)).map(|it| it.1)
    }

    fn quorum_for(&self, kind: u8, round: u32) -> Option<Digest> {
        let mut counts = BTreeMap::new();
        self.votes(kind, round).for_each(|vote| *counts.entry(vote.digest).or_insert(0) += 1);
        counts.into_iter().find(|(_, count)| self.is_over_two_thirds(*count)).map(|it| it.0)
    }

    /// Lines 34 and 47: a quorum of any votes. Validators in later rounds count.
    fn quorum_of_any(&self, kind: u8, round: u32) -> bool {
        let mut authors: BTreeSet<_> = self.votes(kind, round).map(|vote| vote.author).collect();
        authors.extend((0..self.count).filter(|author| self.rounds[*author] > Some(round)));
        self.is_over_two_thirds(authors.len())
    }

    fn note_precommits(&mut self, round: u32) {
        if let Some(value) = self.quorum_for(2, round).filter(|value| *value != [0; 32]) {
            self.quorum = Some(RoundValue { value, round });
        }
    }

    fn schedule(&mut self, timer: Timer) {
        let round = self.round.unwrap_or(0);
        let first = match timer {
            Timer::Propose => self.config.propose,
            Timer::Prevote => self.config.prevote,
            _ => self.config.precommit,
        };
        let after = first.saturating_add(self.config.growth.saturating_mul(round));
        self.timers.insert(rank(timer), self.now.saturating_add(after));
    }

    fn has_expired(&mut self, timer: Timer) -> bool {
        let is_due = self.timers.get(&rank(timer)).is_some_and(|at| *at <= self.now);
        is_due && self.timers.remove(&rank(timer)).is_some()
    }

    fn resend(&mut self) {
        self.timers.insert(rank(Timer::Resend), self.now.saturating_add(self.config.resend));
    }

    /// A block is valid if the application says so, or if it was locked or valid before.
    fn verdict(&mut self, value: Digest) -> Option<bool> {
        if [self.valid, self.locked].into_iter().flatten().any(|known| known.value == value) {
            return Some(true);
        }
        match self.check {
            Some((asked, answer)) if asked == value => answer,
            _ => {
                self.check = Some((value, None));
                self.reports.retain(|report| !matches!(report, Report::Check(_)));
                self.reports.insert(Report::Check(value));
                None
            }
        }
    }

    fn run(&mut self) {
        while self.pending.is_none() && self.step != Step::Commit && self.rule() {}
    }

    /// Applies one rule, and returns whether there was one.
    fn rule(&mut self) -> bool {
        let round = self.round.unwrap_or(0);
        if let Some(decision) = self.quorum.take() {
            self.decide(decision); // 49-51
            return true;
        }
        let later = self.rounds.iter().flatten().copied().filter(|later| *later > round);
        let reached = |later: &u32| {
            self.is_over_a_third(self.rounds.iter().filter(|it| **it >= Some(*later)).count())
        };
        if let Some(later) = later.filter(reached).max() {
            self.change_round(later); // 55-56
            return true;
        }
        let has_acted = match self.step {
            Step::Unstarted => {
                self.start(round); // 11-21
                true
            }
            Step::Propose => self.rule_of_propose(round),
            Step::Prevote => self.rule_of_prevote(round),
            _ => self.rule_of_precommit(round),
        };
        if has_acted {
            return true;
        }
        if round < u32::MAX && self.has_expired(Timer::Precommit) {
            self.change_round(round + 1); // 65-67
            return true;
        }
        if self.quorum_of_any(2, round) && self.scheduled.insert(2) {
            self.schedule(Timer::Precommit); // 47-48
            return true;
        }
        false
    }

    fn start(&mut self, round: u32) {
        self.change_round(round);
        self.step = Step::Propose;
        self.schedule(Timer::Propose);
        if self.me == Some(self.proposer(self.height, round)) {
            if let Some(valid) = self.valid {
                let kind = StatementKind::Propose { valid_round: Some(valid.round) };
                self.say(kind, valid.value);
            } else {
                self.wish = Some(round);
                self.reports.insert(Report::Propose(self.height, round));
            }
        }
    }

    pub(super) fn proposal(&self, round: u32) -> Option<Said> {
        self.said.get(&(self.height, round, 0, self.proposer(self.height, round))).copied()
    }

    fn rule_of_propose(&mut self, round: u32) -> bool {
        if let Some(Said { kind: StatementKind::Propose { valid_round }, digest, .. }) =
            self.proposal(round)
        {
            let is_supported = valid_round.is_none_or(|it| self.quorum_for(1, it) == Some(digest));
            if is_supported && let Some(is_valid) = self.verdict(digest) {
                // 22-27 without a valid round: locked before round 0 is not locked at all; 28-33 with one.
                let accepts = self.locked.is_none_or(|locked| {
                    locked.value == digest || valid_round.is_some_and(|it| locked.round <= it)
                });
                self.prevote(if is_valid && accepts { digest } else { [0; 32] });
                return true;
            }
        }
        let is_over = self.has_expired(Timer::Propose);
        if is_over {
            self.prevote([0; 32]); // 57-60
        }
        is_over
    }

    fn prevote(&mut self, digest: Digest) {
        self.step = Step::Prevote;
        self.drop_wish();
        self.say(StatementKind::Prevote, digest);
    }

    fn rule_of_prevote(&mut self, round: u32) -> bool {
        let quorum = self.quorum_for(1, round);
        if let Some(value) = quorum.filter(|value| *value != [0; 32])
            && self.proposal(round).is_some_and(|proposal| proposal.digest == value)
            && self.verdict(value) == Some(true)
        {
            self.locked = Some(RoundValue { value, round }); // 36-43
            self.valid = self.locked;
            self.precommit(value);
            return true;
        }
        if quorum == Some([0; 32]) || self.has_expired(Timer::Prevote) {
            self.precommit([0; 32]); // 44-46, 61-64
            return true;
        }
        let is_new = self.quorum_of_any(1, round) && self.scheduled.insert(1);
        if is_new {
            self.schedule(Timer::Prevote); // 34-35
        }
        is_new
    }

    fn precommit(&mut self, digest: Digest) {
        self.step = Step::Precommit;
        self.say(StatementKind::Precommit, digest);
    }

    /// Lines 36 and 42-43.
    fn rule_of_precommit(&mut self, round: u32) -> bool {
        let is_known = self.valid.is_some_and(|valid| valid.round == round);
        if !is_known
            && let Some(value) = self.quorum_for(1, round).filter(|value| *value != [0; 32])
            && self.proposal(round).is_some_and(|proposal| proposal.digest == value)
            && self.verdict(value) == Some(true)
        {
            self.valid = Some(RoundValue { value, round });
            return true;
        }
        false
    }

    fn change_round(&mut self, round: u32) {
        self.round = Some(round);
        self.step = Step::Unstarted;
        self.scheduled.clear();
        self.leave();
    }

    fn leave(&mut self) {
        self.drop_wish();
        self.timers.retain(|timer, _| *timer == rank(Timer::Resend));
    }

    fn drop_wish(&mut self) {
        self.wish = None;
        self.reports.retain(|report| !matches!(report, Report::Propose(..)));
    }

    fn decide(&mut self, decision: RoundValue) {
        self.decision = Some(decision);
        self.step = Step::Commit;
        self.leave();
        self.timers.clear();
        self.check = None;
        self.reports.retain(|report| !matches!(report, Report::Check(_)));
        self.reports.insert(Report::Decided(self.height, decision.round, decision.value));
    }

    /// Decides on a statement, which leaves when it is saved.
    fn say(&mut self, kind: StatementKind, digest: Digest) {
        let Some(author) = self.me else { return };
        let round = self.round.unwrap_or(0);
        self.pending =
            Some(Said { author, height: self.height, round, kind, digest, is_forged: false });
        self.reports.insert(Report::Save);
    }
}
