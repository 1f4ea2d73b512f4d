//! The slots of a servent, cleared.

use super::connection::ConnSlot;
use super::query_slot::QuerySlot;
use super::storage::ServentParts;
use crate::conn_index::ConnIndex;
use crate::hosts::HostSlot;
use crate::routes::RouteSlot;

impl ServentParts<'_> {
    /// Clears all slots, and returns the index of the connections.
    pub(super) fn clear(&mut self) -> ConnIndex {
        self.conns.fill(ConnSlot::EMPTY);
        self.routes.fill(RouteSlot::EMPTY);
        self.hosts.fill(HostSlot::EMPTY);
        self.queries.fill(QuerySlot::EMPTY);
        self.tables.fill(0);
        ConnIndex::new(self.conns)
    }
}
