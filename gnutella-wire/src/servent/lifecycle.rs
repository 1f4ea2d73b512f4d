//! The lifecycle of connections: how they begin and end, and where new ones come from.

use super::connection::{ConnSlot, Connection, count_conns};
use super::event::Event;
use super::state::Core;

impl Core<'_> {
    /// Begins a connection.
    #[cfg_attr(target_os = "none", inline(never))] // smaller on a device than within its caller
    pub(super) fn connected(&mut self, index: usize, mut conn: Connection) {
        conn.mark_alive(self.state.now, &self.state.config);
        let addresses = [conn.neighbour.address, conn.neighbour.dialled];
        for address in addresses.into_iter().flatten() {
            self.hosts.mark_connected(address);
        }
        let len = self.conns.len();
        if let Some(slot) = self.conns.get_mut(index) {
            slot.open(index, len, conn);
        }
        self.send_table(index);
    }

    /// Ends a connection that the other side, or the network, has ended.
    pub(super) fn closed(&mut self, index: usize) {
        let Some(slot) = self.conns.get_mut(index) else { return };
        let leaf = slot.conn.take().is_some_and(|conn| conn.is_leaf());
        if leaf {
            self.table_changed();
        }
    }

    /// Pings silent neighbours, and gives up those that stay silent.
    pub(super) fn silence_timeout(&mut self) {
        let now = self.state.now;
        for conn in self.conns.iter_mut().filter_map(|slot| slot.conn.as_mut()) {
            conn.handle_timeout(now, &self.state.config);
        }
    }

    /// Reports a closed connection.
    pub(super) fn poll_closed(&mut self) -> Option<Event> {
        let mut slots = self.conns.iter_mut();
        let (event, leaf) = slots.find_map(|slot| {
            let leaf = slot.conn.as_ref().is_some_and(Connection::is_leaf);
            Some((slot.take_event()?, leaf))
        })?;
        if leaf {
            self.table_changed();
        }
        Some(event)
    }

    /// Requests another peer, if there are too few.
    #[cfg_attr(target_os = "none", inline(never))] // smaller on a device than within its caller
    pub(super) fn poll_dial(&mut self) -> Option<Event> {
        let peers = count_conns(self.conns, false).saturating_add(self.hosts.dialling());
        let seeks = !self.state.left && peers < self.state.config.target_peers;
        let conns = self.conns.iter().filter_map(ConnSlot::live);
        let is_open = |address| conns.clone().any(|conn| conn.neighbour.is_at(address));
        let wanted = |address, requested| (seeks || requested) && !is_open(address);
        self.hosts.dial(self.state.now, wanted).map(|address| Event::Dial { address })
    }
}
