//! The lifecycle of connections: how they begin and end, and where new ones come from.

use super::connection::{ConnSlot, Connection, silence_deadline};
use super::event::Event;
use super::neighbour::Neighbour;
use super::state::{Active, Core};
use crate::machine::ConnId;
use crate::place::Place;

impl Core<'_> {
    /// Begins a connection.
    #[cfg_attr(target_os = "none", inline(never))] // smaller on a device than within its caller
    pub(super) fn connected(&mut self, id: ConnId, neighbour: Neighbour) {
        let Some(index) = self.state.index.take(self.conns, id) else { return };
        let mut conn = Connection::new(id, neighbour);
        let count = self.state.conns(conn.is_leaf());
        *count = count.saturating_add(1);
        self.state.touch(index);
        conn.mark_alive(self.state.now, &self.state.config);
        self.state.silence = self.state.silence.or(conn.deadline); // which is later than all others
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
        let Some(conn) = slot.conn.as_ref() else { return };
        let id = conn.id;
        let is_leaf = conn.is_leaf();
        slot.conn = Place::Empty;
        self.state.index.give_back(self.conns, id, index);
        let count = self.state.conns(is_leaf);
        *count = count.saturating_sub(1);
        if is_leaf {
            self.table_changed();
        }
        if self.state.peers == 0 && self.state.leaves == 0 {
            self.state.silence = None;
        }
    }

    /// Pings silent neighbours, and gives up those that stay silent.
    pub(super) fn silence_timeout(&mut self) {
        let now = self.state.now;
        if self.state.silence.is_none_or(|at| at > now) {
            return;
        }
        for conn in self.conns.iter_mut().filter_map(|slot| slot.conn.as_mut()) {
            conn.handle_timeout(now, &self.state.config);
        }
        self.state.silence = silence_deadline(self.conns);
        self.touch_all();
    }

    /// Reports a closed connection.
    pub(super) fn poll_closed(&mut self) -> Option<Event> {
        let Active { start, end } = self.state.active;
        let found = (start..end).find_map(|at| Some((at, self.conns.get(at)?.event()?)));
        let (index, event) = found?;
        self.closed(index);
        Some(event)
    }

    /// Requests another peer, if there are too few.
    #[cfg_attr(target_os = "none", inline(never))] // smaller on a device than within its caller
    pub(super) fn poll_dial(&mut self) -> Option<Event> {
        let peers = self.state.peers.saturating_add(self.hosts.dialling());
        let seeks = !self.state.left && peers < self.state.config.target_peers;
        let conns = self.conns.iter().filter_map(ConnSlot::live);
        let is_open = |address| conns.clone().any(|conn| conn.neighbour.is_at(address));
        let wanted = |address, requested| (seeks || requested) && !is_open(address);
        self.hosts.dial(self.state.now, wanted).map(|address| Event::Dial { address })
    }
}
