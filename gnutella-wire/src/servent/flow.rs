//! Flow control: what still goes to a neighbour that reads too slowly, or wants less.

use super::config::Config;
use super::connection::{ALL_HOPS, Connection};
use crate::wire::{ByeCode, Function, Header};

impl Connection {
    /// Handles the number of bytes in the send buffer. Above half of what is allowed the connection
    /// counts as choked until it is down to a quarter; beyond all of it, it ends.
    pub(super) fn set_backlog(&mut self, bytes: u32, config: &Config) {
        self.backlog = bytes;
        if bytes > config.send_queue {
            self.dismiss(ByeCode::SEND_QUEUE);
        }
        let mark = if self.choked { config.send_queue >> 2 } else { config.send_queue >> 1 };
        self.choked = bytes > mark;
    }

    /// Returns whether a message is to be sent there, with the header it would have.
    pub(super) fn admits(&self, header: &Header, config: &Config) -> bool {
        let wanted = header.function != Function::QUERY
            || self.hops_flow_received == ALL_HOPS
            || header.hops < self.hops_flow_received;
        let room = u64::from(config.send_queue).saturating_mul(ceiling(header));
        wanted && (!self.choked || u64::from(self.backlog).saturating_mul(1_000) <= room)
    }

    /// Returns the hops-flow to send to the neighbour, unless it was sent.
    pub(super) fn hops_due(&self, wanted: u8) -> Option<u8> {
        let hops = if self.choked { 0 } else { wanted };
        (self.neighbour.vendor_messages && hops != self.hops_flow_sent).then_some(hops)
    }
}

/// How full the send buffer of a choked connection may be, in thousandths, for a message to go there: the
/// order of gtk-gnutella. Of queries those that came far give way first, of answers those that have
/// just begun.
fn ceiling(header: &Header) -> u64 {
    let far = u64::from(header.hops.min(7)).saturating_mul(6);
    let near = 42_u64.saturating_sub(far);
    match header.function {
        Function::DHT | Function::HSEP => 500,
        Function::PING => 550,
        Function::QUERY => 600_u64.saturating_add(near),
        Function::PONG => 650_u64.saturating_add(far),
        Function::QUERY_HIT => 700_u64.saturating_add(far),
        Function::PUSH => 750_u64.saturating_add(far),
        Function::RUDP => 800,
        Function::QRP => 900,
        _ => 1_000,
    }
}

#[cfg(test)]
mod tests {
    use crate::id::Guid;
    use crate::wire::{Function, Header};

    /// The order of gtk-gnutella: what is lost first when a neighbour reads slowly.
    #[test]
    fn what_gives_way_first_stands_first() {
        let rows = [
            (Function::DHT, 0, 500),
            (Function::HSEP, 7, 500),
            (Function::PING, 3, 550),
            (Function::QUERY, 7, 600), // far queries before near ones
            (Function::QUERY, 200, 600),
            (Function::QUERY, 0, 642),
            (Function::PONG, 0, 650), // near answers before far ones
            (Function::PONG, 7, 692),
            (Function::QUERY_HIT, 0, 700),
            (Function::QUERY_HIT, 7, 742),
            (Function::PUSH, 0, 750),
            (Function::PUSH, 7, 792),
            (Function::RUDP, 1, 800),
            (Function::QRP, 1, 900),
            (Function::BYE, 1, 1_000), // as long as there is room
            (Function::VENDOR, 1, 1_000),
        ];
        for (function, hops, expected) in rows {
            let header = Header { guid: Guid([0; 16]), function, ttl: 1, hops, len: 0 };
            assert_eq!(super::ceiling(&header), expected, "{function:?} after {hops} hops");
        }
    }
}
