//! The timers of the machine.

use core::time::Duration;

use super::logic::Core;
use super::storage::DatagramPartsRef;

/// What the machine waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timer {
    /// A host was asked for a key and does not answer: `DatagramConfig::timeout`.
    Key,
    /// A search asks its next host (`DatagramConfig::interval`), or ends.
    Search,
}

impl Timer {
    pub(super) const ALL: [Self; 2] = [Self::Key, Self::Search];

    /// Returns when the timer fires.
    pub(super) fn deadline(self, parts: &DatagramPartsRef<'_>) -> Option<Duration> {
        match self {
            Self::Key => {
                let hosts = parts.peers.iter().filter_map(|slot| slot.0.as_ref()?.host.as_ref());
                hosts.filter_map(|host| host.request?.1).min()
            }
            Self::Search => parts.searches.iter().filter_map(|slot| slot.live()?.wake()).min(),
        }
    }
}

impl Core<'_> {
    /// Does what a timer is for, as far as it is due.
    pub(super) fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::Key => self.keys_timeout(),
            Timer::Search => self.searches_timeout(),
        }
    }
}
