//! What a neighbour does wrong, and when it is too much.

use core::time::Duration;

use super::Core;
use super::connection::{Connection, Faults};
use super::logic::count;
use crate::wire::{ByeCode, Function, Header};

/// An offence of the neighbour itself. One that it only relayed counts a tenth: it cannot check every message
/// of the network.
const OWN_OFFENCE: u16 = 10;
const RELAYED_OFFENCE: u16 = 1;
/// One point is forgiven for each so many messages received, and for each so many seconds.
const FORGIVEN_PER_MESSAGES: u32 = 100;
const FORGIVEN_PER_SECONDS: u32 = 60;

/// How many points of one kind a connection may have before it is dismissed. Single offences are tolerated by all
/// servents; ten of too high a TTL is what gtk-gnutella 1.2.3 forgives.
const TTL_ZERO_LIMIT: u16 = 4 * OWN_OFFENCE;
const TTL_TOO_HIGH_LIMIT: u16 = 10 * OWN_OFFENCE;
const MALFORMED_LIMIT: u16 = 4 * OWN_OFFENCE;
/// Duplicates of its own messages: at least 5, and more than 1.5 % of what it sent.
const REPEATS_FORGIVEN: u32 = 4;

/// Points for offences of each kind, which time and valid messages reduce.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Penalties {
    ttl_zero: u16,
    ttl_too_high: u16,
    malformed: u16,
    at: u32,       // seconds: when the points were last reduced
    messages: u32, // received by then
}

/// Reduces the points, adds an offence, and returns the points of its kind.
fn add(faults: &mut Faults, now: u32, relayed: bool, kind: fn(&mut Penalties) -> &mut u16) -> u16 {
    faults.penalties.forgive(now, faults.received);
    let points = kind(&mut faults.penalties);
    *points = points.saturating_add(if relayed { RELAYED_OFFENCE } else { OWN_OFFENCE });
    *points
}

impl Penalties {
    fn forgive(&mut self, now: u32, received: u32) {
        let seconds = now.saturating_sub(self.at);
        let messages = received.saturating_sub(self.messages);
        let by_time = seconds.checked_div(FORGIVEN_PER_SECONDS).unwrap_or(0);
        let by_messages = messages.checked_div(FORGIVEN_PER_MESSAGES).unwrap_or(0);
        let forgiven = u16::try_from(by_time.saturating_add(by_messages)).unwrap_or(u16::MAX);
        if forgiven == 0 {
            return;
        }
        for points in [&mut self.ttl_zero, &mut self.ttl_too_high, &mut self.malformed] {
            *points = points.saturating_sub(forgiven);
        }
        self.at = now;
        self.messages = received;
    }
}

/// Returns whether a message may pass, and counts against the connection what is wrong with its header.
pub(super) fn passes(conn: &mut Connection, header: &Header, hard_ttl: u8, now: u32) -> bool {
    let Header { function, ttl, hops, .. } = *header;
    let relayed = hops > 0;
    let floods = matches!(function, Function::PING | Function::QUERY);
    if function == Function::BYE {
        true
    } else if ttl == 0 {
        if add(&mut conn.faults, now, relayed, |kinds| &mut kinds.ttl_zero) > TTL_ZERO_LIMIT {
            conn.dismiss(ByeCode::TTL_ZERO);
        }
        false
    } else if conn.is_leaf() && hops > 0 {
        conn.dismiss(ByeCode::LEAF_RELAYED);
        false
    } else if floods && ttl.saturating_add(hops) > hard_ttl {
        // The neighbour itself could have lowered the TTL: this is never only relayed.
        if add(&mut conn.faults, now, false, |kinds| &mut kinds.ttl_too_high) > TTL_TOO_HIGH_LIMIT {
            conn.dismiss(ByeCode::TTL_TOO_HIGH);
        }
        false
    } else {
        true
    }
}

/// Counts a message that came before on the same connection.
pub(super) fn repeats(conn: &mut Connection) {
    let faults = &mut conn.faults;
    faults.repeats = faults.repeats.saturating_add(1);
    let share = u64::from(faults.repeats).saturating_mul(1_000);
    let bound = u64::from(faults.received).saturating_mul(15);
    if faults.repeats > REPEATS_FORGIVEN && share > bound {
        conn.dismiss(ByeCode::DUPLICATES);
    }
}

impl Core<'_> {
    /// Counts a payload that could not be read. One with hops was only relayed.
    pub(super) fn malformed(&mut self, index: usize, hops: u8) {
        count(&mut self.state.stats.malformed);
        let now = seconds(self.state.now);
        let Some(conn) = self.conn(index) else { return };
        let points = add(&mut conn.faults, now, hops > 0, |kinds| &mut kinds.malformed);
        if points > MALFORMED_LIMIT {
            conn.dismiss(ByeCode::INVALID_PAYLOAD);
        }
    }
}

/// Whole seconds; the end of time is as far as 32 bits reach.
pub(super) fn seconds(now: Duration) -> u32 {
    u32::try_from(now.as_secs()).unwrap_or(u32::MAX)
}
