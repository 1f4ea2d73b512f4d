//! What a neighbour does wrong, and when it is too much.

use super::connection::Connection;
use super::penalties::{OWN_OFFENCE, add, add_repeat, seconds};
use super::state::Core;
use super::types::count;
use crate::wire::{ByeCode, Function, Header};

/// How many points of one kind a connection may have before it is dismissed. Single offences are tolerated by all
/// servents; ten of too high a TTL is what gtk-gnutella 1.2.3 forgives.
const TTL_ZERO_LIMIT: u16 = 4 * OWN_OFFENCE;
const TTL_TOO_HIGH_LIMIT: u16 = 10 * OWN_OFFENCE;
const MALFORMED_LIMIT: u16 = 4 * OWN_OFFENCE;
/// Queries and pings beyond what one neighbour may begin: a program that asks for its user stays far below.
const EXCESS_LIMIT: u16 = 200 * OWN_OFFENCE;
/// Repeated messages, of which one is forgiven per minute: at least 5, and more than 1.5 % of what it sent.
const REPEATS_FORGIVEN: u16 = 4;

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

/// Counts a ping or query of the neighbour itself beyond its quota.
pub(super) fn exceeds(conn: &mut Connection, now: u32) {
    if add(&mut conn.faults, now, false, |kinds| &mut kinds.excess) > EXCESS_LIMIT {
        conn.dismiss(ByeCode::TOO_MANY_MESSAGES);
    }
}

/// Counts a message that came before on the same connection.
pub(super) fn repeats(conn: &mut Connection, now: u32) {
    let repeats = add_repeat(&mut conn.faults, now);
    let share = u64::from(repeats).saturating_mul(1_000);
    let bound = u64::from(conn.faults.received).saturating_mul(15);
    if repeats > REPEATS_FORGIVEN && share > bound {
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
