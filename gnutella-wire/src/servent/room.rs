//! The slots of a servent: cleared, and free ones.

use super::config::{Config, Role};
use super::connection::{ConnSlot, count_conns, find};
use super::query_slot::QuerySlot;
use super::storage::{ServentParts, ServentPartsRef};
use crate::hosts::HostSlot;
use crate::machine::{ConnId, ConnectError};
use crate::routes::RouteSlot;

impl ServentParts<'_> {
    pub(super) fn clear(&mut self) {
        self.conns.fill(ConnSlot::EMPTY);
        self.routes.fill(RouteSlot::EMPTY);
        self.hosts.fill(HostSlot::EMPTY);
        self.queries.fill(QuerySlot::EMPTY);
        self.tables.fill(0);
    }
}

impl ServentPartsRef<'_> {
    pub(super) fn has_room(&self, config: &Config, neighbour: Role) -> bool {
        let leaf = neighbour == Role::Leaf;
        let most = if leaf { config.max_leaves } else { config.max_peers };
        let free = self.conns.iter().any(|slot| slot.conn.is_empty());
        free && count_conns(self.conns, leaf) < most
    }

    /// Returns the slot for a new connection.
    pub(super) fn free_slot(
        &self,
        config: &Config,
        conn: ConnId,
        neighbour: Role,
    ) -> Result<usize, ConnectError> {
        if find(self.conns, conn).is_some() {
            return Err(ConnectError::InUse(conn));
        }
        let capacity = self.conns.len();
        let free = self.conns.iter().position(|slot| slot.conn.is_empty());
        let free = free.filter(|_| self.has_room(config, neighbour));
        free.ok_or(ConnectError::Full { capacity })
    }
}
