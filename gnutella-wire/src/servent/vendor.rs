//! The vendor messages that the servent itself follows and sends.

use super::Core;
use super::link::{LinkSlot, StatusDue};
use crate::Guid;
use crate::wire::{QueryStatus, VendorMessage};

impl Core<'_> {
    /// Follows a neighbour's advice.
    pub(super) fn handle_vendor(&mut self, index: usize, guid: Guid, message: &VendorMessage<'_>) {
        let Some(slot) = self.links.get_mut(index) else { return };
        let via = slot.via();
        match (message, slot.live_mut()) {
            (VendorMessage::HopsFlow(hops), Some(link)) => link.hops_heard = *hops,
            (VendorMessage::QueryStatusRequest, Some(link)) => {
                link.status_due = Some(StatusDue::Tell(guid));
            }
            (VendorMessage::QueryStatus(status), Some(_)) => {
                self.handle_status(via, guid, *status);
            }
            _ => {}
        }
    }

    /// Returns what a link is to be told about queries, and the GUID that goes with it.
    pub(super) fn advice_due(
        &self,
        slot: &LinkSlot,
        fresh: Guid,
    ) -> Option<(Guid, VendorMessage<'static>)> {
        let link = slot.live()?;
        if let Some(guid) = link.stop_due {
            return Some((guid, VendorMessage::QueryStatus(QueryStatus::STOP)));
        }
        if let Some(status) = link.status_due {
            return Some(match status {
                StatusDue::Ask(guid) => (guid, VendorMessage::QueryStatusRequest),
                StatusDue::Tell(guid) => (guid, VendorMessage::QueryStatus(self.own_hits(guid))),
            });
        }
        let hops = link.hops_due(self.state.hops_wanted)?;
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
