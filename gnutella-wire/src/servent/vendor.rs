//! The vendor messages that the servent itself follows and sends.

use super::connection::{ConnSlot, StatusDue};
use super::state::Core;
use crate::error::BufferTooSmall;
use crate::id::Guid;
use crate::wire::{QueryStatus, VendorId, VendorMessage};
use crate::writer::Writer;

const HOPS_FLOW: [u8; 8] = VendorId::HOPS_FLOW.to_bytes();
const STATUS_REQUEST: [u8; 8] = VendorId::QUERY_STATUS_REQUEST.to_bytes();
const STATUS: [u8; 8] = VendorId::QUERY_STATUS.to_bytes();

/// One of these messages. [`VendorMessage`] has all others too, which a device does not link for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Advice {
    HopsFlow(u8),
    StatusRequest,
    Status(QueryStatus),
}

impl Advice {
    /// Reads the body of a vendor message; `None` if it is another.
    fn read(body: &[u8]) -> Option<Self> {
        let (id, data) = body.split_first_chunk()?;
        match (*id, data) {
            (HOPS_FLOW, [hops]) => Some(Self::HopsFlow(*hops)),
            (STATUS_REQUEST, []) => Some(Self::StatusRequest),
            (STATUS, [low, high]) => {
                Some(Self::Status(QueryStatus(u16::from_le_bytes([*low, *high]))))
            }
            _ => None,
        }
    }

    /// Writes the body and returns its length.
    pub(super) fn encode(self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        Writer::fill(out, |w| match self {
            Self::HopsFlow(hops) => {
                w.bytes(&HOPS_FLOW);
                w.u8(hops);
            }
            Self::StatusRequest => w.bytes(&STATUS_REQUEST),
            Self::Status(QueryStatus(status)) => {
                w.bytes(&STATUS);
                w.u16(status);
            }
        })
    }
}

impl Core<'_> {
    /// Handles a vendor message of a neighbour. Returns whether it is long enough to name its kind.
    pub(super) fn handle_vendor(&mut self, index: usize, guid: Guid, body: &[u8]) -> bool {
        let Some(slot) = self.conns.get_mut(index) else { return true };
        let source = slot.source();
        match (Advice::read(body), slot.live_mut()) {
            (Some(Advice::HopsFlow(hops)), Some(conn)) => conn.hops_flow_received = hops,
            (Some(Advice::StatusRequest), Some(conn)) => {
                conn.status_due = Some(StatusDue::Answer(guid));
            }
            (Some(Advice::Status(status)), Some(_)) => self.handle_status(source, guid, status),
            _ => {}
        }
        body.len() >= VendorMessage::MIN_LEN
    }

    /// Returns the vendor message due on a connection, and its GUID.
    pub(super) fn advice_due(&self, slot: &ConnSlot, fresh: Guid) -> Option<(Guid, Advice)> {
        let conn = slot.live()?;
        if let Some(guid) = conn.stop_due {
            return Some((guid, Advice::Status(QueryStatus::STOP)));
        }
        if let Some(status) = conn.status_due {
            return Some(match status {
                StatusDue::Ask(guid) => (guid, Advice::StatusRequest),
                StatusDue::Answer(guid) => (guid, Advice::Status(self.own_hits(guid))),
            });
        }
        let hops = conn.hops_due(self.state.hops_wanted)?;
        Some((fresh, Advice::HopsFlow(hops)))
    }

    /// How many hits there are for an own query, as far as it is remembered.
    fn own_hits(&self, guid: Guid) -> QueryStatus {
        let mut queries = self.queries.iter().filter_map(|slot| slot.0.as_ref());
        let hits = queries.find(|query| query.guid == guid).map_or(0, |query| query.hits);
        let most = QueryStatus::STOP.0.saturating_sub(1);
        QueryStatus(u16::try_from(hits).unwrap_or(most).min(most))
    }
}
