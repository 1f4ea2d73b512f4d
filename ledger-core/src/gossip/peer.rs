//! One connection, in a caller-provided slot.

use core::time::Duration;

use super::config::GossipConfig;
use super::message::{MAX_IDS, Status};
use super::moment::Moment;
use super::types::CloseReason;
use crate::conn::ConnId;
use crate::hash::BlockId;

/// A penalty of this much disconnects.
pub(super) const MAX_PENALTY: u16 = 100;
/// The assumed time for an answer of a peer that was not asked yet.
const FIRST_LATENCY: Duration = Duration::from_secs(1);

/// Room for one connection.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerSlot {
    pub(super) phase: Phase,
    pub(super) conn: ConnId,
    pub(super) dialled: bool,
    pub(super) hello_sent: bool,
    pub(super) status_due: bool,
    pub(super) connected_due: bool, // the event
    pub(super) snapshot_due: bool,
    pub(super) more_due: bool, // it waits until it may announce more
    pub(super) since: Moment,
    pub(super) heard_at: Moment,
    pub(super) sent_at: Moment,
    pub(super) tip: BlockId,
    pub(super) height: u64,
    pub(super) snapshot: Option<Status>, // that it hands out
    pub(super) sync: Sync,
    pub(super) continue_from: Option<BlockId>, // the last header of an unfinished sequence
    pub(super) light_headers: u32,
    pub(super) penalty: u16,
    pub(super) penalty_at: Moment,
    pub(super) header_stalls: u8, // requests for headers in a row without an answer
    pub(super) stalls: u8,        // blocks that did not come, less those that came
    pub(super) window: u8,        // blocks that it may be asked for at a time
    pub(super) latency: Moment,
    pub(super) announced: u64, // number of the last transaction that was announced
    pub(super) announce_at: Moment, // the next announcements, unless it asks for them before
    pub(super) credit: u32,    // transactions that may be asked for
    pub(super) credit_at: Moment,
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Free,
    /// The peer has not sent its hello.
    Hello,
    Open,
    /// Disconnected, and not reported yet.
    Closed(CloseReason),
}

/// Whether the peer is asked for headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sync {
    /// All its headers are known.
    Idle,
    /// It is asked at this time.
    At(Moment),
    /// It was asked. If its tip changes meanwhile, it is asked again.
    Asked { at: Moment, again: bool },
    /// The node has no room. It is asked when the chain has grown, or at this time.
    Paused { until: Moment },
}

impl PeerSlot {
    /// A free slot.
    pub const EMPTY: Self = Self {
        phase: Phase::Free,
        conn: ConnId(0),
        dialled: false,
        hello_sent: false,
        status_due: false,
        connected_due: false,
        snapshot_due: false,
        more_due: false,
        since: Moment::ZERO,
        heard_at: Moment::ZERO,
        sent_at: Moment::ZERO,
        tip: BlockId::from_bytes([0; 32]),
        height: 0,
        snapshot: None,
        sync: Sync::Idle,
        continue_from: None,
        light_headers: 0,
        penalty: 0,
        penalty_at: Moment::ZERO,
        header_stalls: 0,
        stalls: 0,
        window: 0,
        latency: Moment::ZERO,
        announced: 0,
        announce_at: Moment::ZERO,
        credit: 0,
        credit_at: Moment::ZERO,
    };

    pub(super) fn new(conn: ConnId, dialled: bool, now: Duration, credit: u32) -> Self {
        let now = Moment::of(now);
        Self {
            phase: Phase::Hello,
            conn,
            dialled,
            since: now,
            heard_at: now,
            sent_at: now,
            penalty_at: now,
            window: 1,
            latency: Moment::of(FIRST_LATENCY),
            credit,
            credit_at: now,
            ..Self::EMPTY
        }
    }

    pub(super) fn is_free(&self) -> bool {
        self.phase == Phase::Free
    }

    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Returns whether it is connected, with or without a hello.
    pub(super) fn is_connected(&self) -> bool {
        matches!(self.phase, Phase::Hello | Phase::Open)
    }

    pub(super) fn close(&mut self, reason: CloseReason) {
        if self.is_connected() {
            self.phase = Phase::Closed(reason);
        }
    }

    /// Adds to the penalty, of which each second forgives a point, and disconnects a peer that has too much of it.
    pub(super) fn penalize(&mut self, now: Duration, points: u16, reason: CloseReason) {
        let passed = now.saturating_sub(self.penalty_at.get()).as_secs();
        let forgiven = u16::try_from(passed).unwrap_or(u16::MAX);
        self.penalty = self.penalty.saturating_sub(forgiven).saturating_add(points);
        self.penalty_at = Moment::of(now);
        if self.penalty >= MAX_PENALTY {
            self.close(reason);
        }
    }

    /// Notes that a block came, which was asked for at this time if it is not late.
    pub(super) fn delivered(&mut self, now: Duration, asked_at: Option<Duration>, most: u8) {
        self.stalls = self.stalls.saturating_sub(1);
        self.window = self.window.saturating_add(1).min(most);
        if let Some(asked_at) = asked_at {
            let took = now.saturating_sub(asked_at);
            let sum = self.latency.get().saturating_mul(3).saturating_add(took);
            self.latency = Moment::of(sum.checked_div(4).unwrap_or_default());
        }
    }

    /// Counts headers of a branch that is not heavier than the chain. After many of them the peer has to wait.
    pub(super) fn count_light(&mut self, headers: u32, now: Duration, config: &GossipConfig) {
        self.light_headers = self.light_headers.saturating_add(headers);
        if self.light_headers > config.max_light_headers {
            self.light_headers = 0;
            let until = Moment::of(now.saturating_add(config.silence_timeout));
            self.sync = Sync::Paused { until };
        }
    }

    /// Takes one of the transactions that the peer may be asked for.
    pub(super) fn spend_credit(&mut self, now: Duration, per_second: u16, burst: u32) -> bool {
        self.refill_credit(now, per_second, burst);
        let has_credit = self.credit > 0;
        self.credit = self.credit.saturating_sub(1);
        has_credit
    }

    /// Returns when there is credit for as many transactions as one message announces.
    pub(super) fn credit_deadline(&self, config: &GossipConfig) -> Option<Duration> {
        let most = u32::try_from(MAX_IDS).unwrap_or(u32::MAX).min(config.burst());
        let missing = most.saturating_sub(self.credit);
        let per_second = u32::from(config.transactions_per_second);
        let seconds = missing.checked_add(per_second.checked_sub(1)?)?.checked_div(per_second)?;
        self.credit_at.get().checked_add(Duration::from_secs(u64::from(seconds)))
    }

    fn refill_credit(&mut self, now: Duration, per_second: u16, burst: u32) {
        let seconds = now.saturating_sub(self.credit_at.get()).as_secs();
        if seconds == 0 {
            return;
        }
        let gained = seconds.saturating_mul(u64::from(per_second));
        let gained = u32::try_from(gained).unwrap_or(u32::MAX);
        self.credit = self.credit.saturating_add(gained).min(burst);
        self.credit_at = Moment::of(now);
    }

    /// Plans to ask for headers.
    pub(super) fn sync_at(&mut self, at: Duration) {
        self.sync = match self.sync {
            Sync::Asked { at, .. } => Sync::Asked { at, again: true },
            Sync::At(planned) => Sync::At(Moment::of(planned.get().min(at))),
            Sync::Paused { until } => Sync::Paused { until },
            Sync::Idle => Sync::At(Moment::of(at)),
        };
    }
}
