//! The timers of a download: one deadline per source, whose meaning depends on how far the source is.

use core::time::Duration;

use super::event::DownloadCloseReason;
use super::logic::{Core, Single, State};
use super::slots::{Peer, Phase, Wanted};

/// In this time the only source that is asked sends at least [`SINGLE_LEAST`] bytes, if there are others.
const SINGLE_PATIENCE: Duration = Duration::from_secs(300);
const SINGLE_LEAST: u64 = 64 << 10;

/// What a source's deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timer {
    /// The source may be tried again: after a failure, or at the time that a busy source announced.
    Retry,
    /// The connection is to be there: `DownloadConfig::dial_timeout` after the event.
    Dial,
    /// The pushed source is to connect: `DownloadConfig::push_timeout` after the event.
    Push,
    /// The connection is unused: `DownloadConfig::keep_alive` after the last answer.
    KeepAlive,
    /// The head of the answer is to be there: `DownloadConfig::head_timeout` after the request.
    Head,
    /// The body is to continue: `DownloadConfig::stall_timeout` after its last bytes.
    Stall,
    /// The source is to be asked again for its place in the queue: at the time that it announced.
    Poll,
}

impl Timer {
    const fn of(peer: &Peer) -> Option<Self> {
        Some(match peer.phase {
            Phase::Waiting => Self::Retry,
            Phase::Dialling => Self::Dial,
            Phase::Pushing => Self::Push,
            Phase::Ready(_) => Self::KeepAlive,
            Phase::Head(..) => Self::Head,
            Phase::Body(..) => Self::Stall,
            Phase::Queued(_) => Self::Poll,
            Phase::Lost(_) => return None,
        })
    }
}

impl State {
    /// Returns when the only source that is asked is to have sent enough.
    pub(super) fn single_deadline(&self) -> Option<Duration> {
        let waits = matches!(self.single, Single::Source(_)) && self.missing > 0;
        self.single_check.filter(|_| waits)
    }
}

impl Core<'_> {
    pub(super) fn handle_timeout(&mut self) {
        let now = self.state.now;
        if self.state.single_deadline().is_some_and(|at| at <= now) {
            self.check_single();
        }
        for index in 0..self.sources.len() {
            let due = |peer: &&mut Peer| peer.deadline.is_some_and(|due| due <= now);
            let timer = self.peer(index).filter(due).and_then(|peer| Timer::of(peer));
            if let Some(timer) = timer {
                self.fire(index, timer);
            }
        }
    }

    /// Begins to measure what the only source sends.
    pub(super) fn watch_single(&mut self, index: usize) {
        self.state.single_check = self.after(SINGLE_PATIENCE);
        self.state.single_delivered = self.peer(index).map_or(0, |peer| peer.delivered);
    }

    /// The only source that is asked may be busy for ever, or send a byte at a time: then it is another's turn, and the
    /// file begins again.
    fn check_single(&mut self) {
        let Single::Source(id) = self.state.single else { return };
        let Some(index) = self.find(id) else { return };
        let peers = self.sources.iter().filter_map(|slot| slot.peer.as_ref());
        let others = peers.filter(|peer| peer.id != id && !peer.is_lost()).count();
        let delivered = self.peer(index).map_or(0, |peer| peer.delivered);
        let sent = delivered.saturating_sub(self.state.single_delivered);
        if others == 0 || sent >= SINGLE_LEAST {
            return self.watch_single(index);
        }
        self.discard_all();
        self.state.single = Single::Any;
        self.close_failed(index, DownloadCloseReason::TimedOut);
        let later = self.after(self.state.config.busy_retry);
        if let Some(peer) = self.peer(index).filter(|peer| !peer.is_lost()) {
            peer.deadline = later;
        }
    }

    fn fire(&mut self, index: usize, timer: Timer) {
        match timer {
            Timer::Retry => {
                if let Some(peer) = self.peer(index) {
                    peer.deadline = None;
                }
                self.state.is_dirty = true;
            }
            Timer::Dial => {
                if let Some(peer) = self.peer(index) {
                    peer.source.push = peer.source.servent.is_some();
                }
                self.failed(index);
            }
            Timer::Push => self.failed(index),
            Timer::KeepAlive => self.close(index, DownloadCloseReason::Unused),
            Timer::Head | Timer::Stall => {
                self.close_failed(index, DownloadCloseReason::TimedOut);
            }
            Timer::Poll => self.poll_place(index),
        }
    }

    /// Asks again for the place in a queue, by repeating the request.
    fn poll_place(&mut self, index: usize) {
        let Some(Phase::Queued(conn)) = self.peer(index).map(|peer| peer.phase) else { return };
        let keep_alive = self.after(self.state.config.keep_alive);
        if let Some(peer) = self.peer(index) {
            peer.phase = Phase::Ready(conn);
            peer.deadline = keep_alive;
        }
        if !self.request(index, Wanted::Part) {
            self.close(index, DownloadCloseReason::Unused); // others have fetched the rest
        }
    }
}
