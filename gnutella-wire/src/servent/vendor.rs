//! The vendor messages that the servent itself understands.

use super::Core;
use super::link::{LinkSlot, StatusDue};
use crate::Guid;
use crate::wire::{Function, Message, Other, Payload};

const HOPS_FLOW: [u8; 8] = *b"BEAR\x04\0\x01\0"; // vendor, selector and version, little-endian
const STATUS_REQUEST: [u8; 8] = *b"BEAR\x0B\0\x01\0";
const STATUS: [u8; 8] = *b"BEAR\x0C\0\x01\0";

/// A leaf that wants no more hits.
pub(super) const ENOUGH: u16 = u16::MAX;

/// What one servent says to the next about queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Advice {
    /// Only queries with fewer hops are wanted.
    HopsFlow(u8),
    /// How many hits are there for the query that the GUID names?
    StatusRequest,
    /// So many.
    Status(u16),
}

impl Advice {
    fn decode(body: &[u8]) -> Option<Self> {
        let (id, data) = body.split_first_chunk()?;
        match *id {
            HOPS_FLOW => data.first().map(|hops| Self::HopsFlow(*hops)),
            STATUS_REQUEST => Some(Self::StatusRequest),
            STATUS => data.first_chunk().map(|hits| Self::Status(u16::from_le_bytes(*hits))),
            _ => None,
        }
    }

    /// Calls `write` with the message. Its TTL is 1: it is for the neighbour.
    pub(super) fn with_message<T>(self, guid: Guid, write: impl FnOnce(Message<'_>) -> T) -> T {
        let (id, data, len) = match self {
            Self::HopsFlow(hops) => (HOPS_FLOW, [hops, 0], 1),
            Self::StatusRequest => (STATUS_REQUEST, [0, 0], 0),
            Self::Status(hits) => (STATUS, hits.to_le_bytes(), 2),
        };
        let mut body = [0; 10];
        let parts = id.iter().chain(data.iter().take(len));
        let len = body.iter_mut().zip(parts).map(|(byte, part)| *byte = *part).count();
        let body = body.get(..len).unwrap_or(&[]);
        let payload = Payload::Other(Other { function: Function::VENDOR, body });
        write(Message { guid, ttl: 1, hops: 0, payload })
    }
}

impl Core<'_> {
    /// Follows a neighbour's advice.
    pub(super) fn handle_vendor(&mut self, index: usize, guid: Guid, body: &[u8]) {
        let Some(slot) = self.links.get_mut(index) else { return };
        let via = slot.via();
        match (Advice::decode(body), slot.live_mut()) {
            (Some(Advice::HopsFlow(hops)), Some(link)) => link.hops_heard = hops,
            (Some(Advice::StatusRequest), Some(link)) => {
                link.status_due = Some(StatusDue::Tell(guid));
            }
            (Some(Advice::Status(hits)), Some(_)) => self.handle_status(via, guid, hits),
            _ => {}
        }
    }

    /// Returns what a link is to be told about queries.
    pub(super) fn advice_due(&self, slot: &LinkSlot, fresh: Guid) -> Option<(Guid, Advice)> {
        let link = slot.live()?;
        if let Some(guid) = link.stop_due {
            return Some((guid, Advice::Status(ENOUGH)));
        }
        if let Some(status) = link.status_due {
            return Some(match status {
                StatusDue::Ask(guid) => (guid, Advice::StatusRequest),
                StatusDue::Tell(guid) => (guid, Advice::Status(self.own_hits(guid))),
            });
        }
        let hops = link.hops_due(self.state.hops_wanted)?;
        Some((fresh, Advice::HopsFlow(hops)))
    }

    /// How many hits there are for an own query, as far as it is remembered.
    fn own_hits(&self, guid: Guid) -> u16 {
        let queries = self.queries.iter().filter_map(|slot| slot.0.as_ref());
        let query = queries.filter(|query| query.guid == guid).map(|query| query.hits).next();
        u16::try_from(query.unwrap_or(0)).unwrap_or(ENOUGH).min(ENOUGH.saturating_sub(1))
    }
}
