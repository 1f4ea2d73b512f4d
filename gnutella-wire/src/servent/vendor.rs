//! The vendor messages that the servent itself follows and sends.

use super::connection::{ConnSlot, StatusDue};
use super::state::Core;
use crate::id::Guid;
use crate::wire::{QueryStatus, VendorMessage};

impl Core<'_> {
    /// Handles a vendor message of a neighbour.
    pub(super) fn handle_vendor(&mut self, index: usize, guid: Guid, message: &VendorMessage<'_>) {
        let Some(slot) = self.conns.get_mut(index) else { return };
        let source = slot.source();
        match (message, slot.live_mut()) {
            (VendorMessage::HopsFlow(hops), Some(conn)) => conn.hops_flow_received = *hops,
            (VendorMessage::QueryStatusRequest, Some(conn)) => {
                conn.status_due = Some(StatusDue::Answer(guid));
            }
            (VendorMessage::QueryStatus(status), Some(_)) => {
                self.handle_status(source, guid, *status);
            }
            _ => {}
        }
    }

    /// Returns the vendor message due on a connection, and its GUID.
    pub(super) fn advice_due(
        &self,
        slot: &ConnSlot,
        fresh: Guid,
    ) -> Option<(Guid, VendorMessage<'static>)> {
        let conn = slot.live()?;
        if let Some(guid) = conn.stop_due {
            return Some((guid, VendorMessage::QueryStatus(QueryStatus::STOP)));
        }
        if let Some(status) = conn.status_due {
            return Some(match status {
                StatusDue::Ask(guid) => (guid, VendorMessage::QueryStatusRequest),
                StatusDue::Answer(guid) => (guid, VendorMessage::QueryStatus(self.own_hits(guid))),
            });
        }
        let hops = conn.hops_due(self.state.hops_wanted)?;
        Some((fresh, VendorMessage::HopsFlow(hops)))
    }

    /// How many hits there are for an own query, as far as it is remembered.
    fn own_hits(&self, guid: Guid) -> QueryStatus {
        let mut queries = self.queries.iter().filter_map(|slot| slot.0.as_ref());
        let hits = queries.find(|query| query.guid == guid).map_or(0, |query| query.hits);
        let most = QueryStatus::STOP.0.saturating_sub(1);
        QueryStatus(u16::try_from(hits).unwrap_or(most).min(most))
    }
}
