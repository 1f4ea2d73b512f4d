//! The life of links: how they begin and end, and where new ones come from.

use core::time::Duration;

use super::link::{Link, LinkSlot};
use super::{Core, Event};

impl Core<'_> {
    /// Begins a connection.
    pub(super) fn connected(&mut self, index: usize, mut link: Link) {
        link.heard(self.state.now, &self.state.config);
        if let Some(address) = link.neighbour.address {
            self.hosts.succeeded(address);
        }
        let len = self.links.len();
        if let Some(slot) = self.links.get_mut(index) {
            slot.open(index, len, link);
        }
        self.send_table(index);
    }

    /// Ends a connection that the other side, or the network, has ended.
    pub(super) fn closed(&mut self, index: usize) {
        let Some(slot) = self.links.get_mut(index) else { return };
        let leaf = slot.link.take().is_some_and(|link| link.is_leaf());
        if leaf {
            self.table_changed();
        }
    }

    pub(super) fn handle_timeout(&mut self) {
        let now = self.state.now;
        for link in self.links.iter_mut().filter_map(|slot| slot.link.as_mut()) {
            link.handle_timeout(now, &self.state.config);
        }
        self.queries_timeout();
        if self.state.tables_due.is_some_and(|at| at <= now) {
            self.send_tables();
        }
        self.hosts.expire(now, self.state.config.dial_patience);
    }

    /// Tells that a link is lost.
    pub(super) fn lost(&mut self) -> Option<Event> {
        let mut slots = self.links.iter_mut();
        let (event, leaf) = slots.find_map(|slot| {
            let leaf = slot.link.as_ref().is_some_and(Link::is_leaf);
            Some((slot.take_event()?, leaf))
        })?;
        if leaf {
            self.table_changed();
        }
        Some(event)
    }

    /// Looks for another peer, if there are too few.
    pub(super) fn dial(&mut self) -> Option<Event> {
        let peers = count_links(self.links, false).saturating_add(self.hosts.dialling());
        let seeks = !self.state.left && peers < self.state.config.dials;
        let links = self.links.iter().filter_map(LinkSlot::live);
        let known = links.filter_map(|link| link.neighbour.address);
        let wanted = |address, requested| {
            (seeks || requested) && known.clone().all(|known| known != address)
        };
        self.hosts.dial(self.state.now, wanted).map(|address| Event::Dial { address })
    }
}

/// Counts the leaves, or the others.
pub(super) fn count_links(links: &[LinkSlot], leaves: bool) -> usize {
    let links = links.iter().filter_map(|slot| slot.link.as_ref());
    links.filter(|link| link.is_leaf() == leaves).count()
}

/// Returns the earliest deadline of a link.
pub(super) fn poll_timeout(links: &[LinkSlot]) -> Option<Duration> {
    links.iter().filter_map(|slot| slot.live()?.deadline).min()
}
