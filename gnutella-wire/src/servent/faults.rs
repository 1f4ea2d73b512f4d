//! What a neighbour does wrong, and when it is too much.

use super::Core;
use super::connection::Connection;
use super::logic::count;
use crate::wire::{ByeCode, Function, Header};

/// How many faults of one kind a connection may have before it is dismissed. A stray one is tolerated by
/// all servents; ten of too high a TTL is what gtk-gnutella 1.2.3 forgives.
const TTL_ZERO_FORGIVEN: u8 = 4;
const TTL_TOO_HIGH_FORGIVEN: u8 = 10;
const MALFORMED_FORGIVEN: u8 = 4;
/// And duplicates of its own messages: at least 5, and more than 1.5 % of what it sent.
const REPEATS_FORGIVEN: u32 = 4;

/// Says whether a message may pass, and counts against the connection what is wrong with its header.
pub(super) fn passes(conn: &mut Connection, header: &Header, hard_ttl: u8) -> bool {
    let Header { function, ttl, hops, .. } = *header;
    let floods = matches!(function, Function::PING | Function::QUERY);
    if function == Function::BYE {
        true
    } else if ttl == 0 {
        if strike(&mut conn.faults.ttl_zero) > TTL_ZERO_FORGIVEN {
            conn.dismiss(ByeCode::TTL_ZERO);
        }
        false
    } else if conn.is_leaf() && hops > 0 {
        conn.dismiss(ByeCode::LEAF_RELAYED);
        false
    } else if floods && ttl.saturating_add(hops) > hard_ttl {
        if strike(&mut conn.faults.ttl_too_high) > TTL_TOO_HIGH_FORGIVEN {
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
    /// Counts a payload that could not be read.
    pub(super) fn malformed(&mut self, index: usize) {
        count(&mut self.state.stats.malformed);
        if let Some(conn) = self.conn(index)
            && strike(&mut conn.faults.malformed) > MALFORMED_FORGIVEN
        {
            conn.dismiss(ByeCode::INVALID_PAYLOAD);
        }
    }
}

fn strike(faults: &mut u8) -> u8 {
    *faults = faults.saturating_add(1);
    *faults
}
