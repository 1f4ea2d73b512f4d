//! Which peers have something to do: in queues and a tournament through their slots, so that no call looks at all of
//! them for the few that matter.

use super::peer::PeerSlot;
use crate::conn_index::ConnIndex;
use crate::ready::{self, Queue};

/// The peers of a torrent by what they wait for. Each queue holds all peers that it is for, and perhaps others: these
/// are removed when their turn comes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Schedule {
    pub(super) index: ConnIndex,
    pub(super) senders: Queue<0>, // that may have something to be sent to
    pub(super) events: Queue<1>,  // of which an event is due
    pub(super) hungry: Queue<2>,  // that may have room for requests
    pub(super) touched: Queue<3>, // that the current call may have changed
}

impl Schedule {
    pub(super) fn new(peers: &mut [PeerSlot]) -> Self {
        ready::clear(peers);
        Self {
            index: ConnIndex::new(peers),
            senders: Queue::EMPTY,
            events: Queue::EMPTY,
            hungry: Queue::EMPTY,
            touched: Queue::EMPTY,
        }
    }
}
