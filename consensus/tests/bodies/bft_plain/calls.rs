//! The calls of the plain model.

use core::time::Duration;
use std::collections::BTreeSet;

use consensus::StatementKind;
use consensus::bft::{RoundValue, Step, Timer};

use super::{Digest, Place, Plain, Report, Said, class};

impl Plain {
    pub(super) fn place(said: &Said) -> Place {
        (said.height, said.round, class(said.kind), said.author)
    }

    pub(in super::super) fn saved(&mut self, now: Duration) -> Option<Said> {
        let said = self.pending.take()?;
        self.now = self.now.max(now);
        if class(said.kind) == 0 {
            self.check = Some((said.digest, Some(true)));
            self.reports.retain(|report| !matches!(report, Report::Check(_)));
        }
        self.said.insert(Self::place(&said), said);
        if class(said.kind) == 2 {
            self.note_precommits(said.round);
        }
        self.run();
        Some(said)
    }

    pub(in super::super) fn propose(&mut self, now: Duration, value: Digest) -> bool {
        let is_wanted = value != [0; 32] && self.wish.is_some() && self.pending.is_none();
        if is_wanted {
            self.now = self.now.max(now);
            self.drop_wish();
            self.say(StatementKind::Propose { valid_round: None }, value);
        }
        is_wanted
    }

    pub(in super::super) fn checked(&mut self, now: Duration, value: Digest, is_valid: bool) {
        self.now = self.now.max(now);
        if self.check == Some((value, None)) {
            self.check = Some((value, Some(is_valid)));
            self.run();
        }
    }

    pub(in super::super) fn timeout(&mut self, now: Duration) {
        self.now = self.now.max(now);
        if self.has_expired(Timer::Resend) {
            self.resend();
        }
        self.run();
    }

    pub(in super::super) fn next_timeout(&self) -> Option<Duration> {
        self.timers.values().copied().filter(|at| *at > self.now).min()
    }

    /// Returns `None` if the next height begins with two quorums of precommits: more than a third is faulty, and either
    /// decision is as good.
    pub(in super::super) fn next_height(&mut self, now: Duration) -> Option<bool> {
        if self.step != Step::Commit {
            return Some(false);
        }
        self.now = self.now.max(now);
        self.height += 1;
        self.said.retain(|place, _| place.0 >= self.height);
        self.round = None;
        self.step = Step::Unstarted;
        self.locked = None;
        self.valid = None;
        self.decision = None;
        self.check = None;
        self.quorum = None;
        self.scheduled.clear();
        self.offended.fill(false);
        for author in 0..self.count {
            let said = self.said.values().filter(|it| it.author == author);
            self.rounds[author] = said.map(|it| it.round).max();
        }
        let rounds: BTreeSet<_> = self.said.values().map(|it| it.round).collect();
        let decisive = |round: &&u32| self.quorum_for(2, **round).is_some_and(|it| it != [0; 32]);
        if rounds.iter().filter(decisive).count() > 1 {
            return None;
        }
        for round in rounds {
            self.note_precommits(round);
        }
        self.resend();
        self.run();
        Some(true)
    }

    /// Handles a statement, and returns whether it is not refused.
    pub(in super::super) fn receive(&mut self, now: Duration, said: Said) -> bool {
        let Said { author, height, round, kind, digest, is_forged } = said;
        let is_mine = Some(author) == self.me;
        let place = Self::place(&said);
        let is_proposal_bad = match kind {
            StatementKind::Propose { valid_round } => {
                digest == [0; 32]
                    || valid_round.is_some_and(|valid| valid >= round)
                    || self.proposer(height, round) != author
            }
            _ => false,
        };
        let is_new = !self.said.contains_key(&place);
        let is_forgotten = height == self.height && Some(round) < self.round && is_new;
        if author >= self.count || is_proposal_bad || (is_mine && !is_forgotten) {
            return false;
        }
        if height < self.height || (height == self.height && self.step == Step::Commit) {
            return self.receive_late(now, &said);
        }
        let is_kept = height <= self.height + 1;
        let is_wanted = if is_kept {
            self.said.get(&place).is_none_or(|known| known.digest != digest)
        } else {
            self.heights[author] < height
        };
        if is_wanted && is_forged {
            return false;
        }
        self.now = self.now.max(now);
        if is_wanted {
            self.raise_height(author, height);
        }
        if is_wanted && is_kept {
            self.keep(said);
            self.run();
        }
        true
    }

    /// Of two statements that contradict each other the later one counts, unless the earlier one justifies a value.
    /// Returns the number of statements of the validator with the most.
    pub(in super::super) fn most_of_one(&self) -> usize {
        let of = |author| self.said.values().filter(|said| said.author == author).count();
        (0..self.count).map(of).max().unwrap_or(0)
    }

    fn keep(&mut self, said: Said) {
        let is_current = said.height == self.height;
        if is_current {
            let round = &mut self.rounds[said.author];
            *round = (*round).max(Some(said.round));
        }
        let known = self.said.get(&Self::place(&said)).copied();
        if known.is_some() && !self.offended[said.author] {
            self.offended[said.author] = true;
            self.reports.insert(Report::Equivocated(said.author));
        }
        let pairs = [self.valid, self.locked].into_iter().flatten();
        let justifies = |known: &Said| {
            let pair = RoundValue { value: known.digest, round: known.round };
            is_current && class(known.kind) == 1 && pairs.clone().any(|it| it == pair)
        };
        if !known.as_ref().is_some_and(justifies) {
            self.said.insert(Self::place(&said), said);
        }
        if is_current && class(said.kind) == 2 {
            self.note_precommits(said.round);
        }
    }

    /// A validator that works on a decided height is reported once in a while.
    fn receive_late(&mut self, now: Duration, said: &Said) -> bool {
        let now = self.now.max(now);
        let Said { author, height, .. } = *said;
        let is_due = self.report_again_at[author] <= now.as_millis();
        if !is_due || self.heights[author] > height || said.is_forged {
            return false;
        }
        self.now = now;
        self.heights[author] = height;
        self.report_again_at[author] = now.saturating_add(self.config.resend).as_millis();
        self.reports.insert(Report::PeerBehind(author, height));
        true
    }

    fn raise_height(&mut self, author: usize, height: u64) {
        if self.heights[author] >= height {
            return;
        }
        self.heights[author] = height;
        let reached = |height: &&u64| {
            self.is_over_a_third(self.heights.iter().filter(|it| *it >= *height).count())
        };
        let known = self.behind.max(self.height);
        let later = self.heights.iter().filter(|height| **height > known);
        if let Some(height) = later.filter(reached).max().copied() {
            self.behind = height;
            self.reports.insert(Report::Behind(height));
        }
    }

    pub(in super::super) fn take_reports(&mut self) -> BTreeSet<Report> {
        core::mem::take(&mut self.reports)
    }

    /// Returns whether the statement is one that counts.
    pub(in super::super) fn counts(&self, said: &Said) -> bool {
        self.said.get(&Self::place(said)) == Some(said)
    }
}
