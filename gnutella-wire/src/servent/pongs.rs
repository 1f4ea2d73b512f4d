//! Pong caching: pings are answered with the hosts one knows (GDF "Pong Caching", as gtk-gnutella
//! keeps it).

use super::connection::{ConnSlot, Connection, PongsDue};
use super::fan_out::FloodScope;
use super::logic::Verdict;
use super::state::Core;
use crate::hosts::{Host, HostSource};
use crate::wire::{Message, Pong};

impl Core<'_> {
    /// Answers with an own pong; and from the cache, or by passing the ping on.
    #[cfg_attr(target_os = "none", inline(never))] // smaller on a device than within its caller
    pub(super) fn answer_ping(&mut self, index: usize, message: &Message<'_>) -> Verdict {
        let guid = message.guid;
        let ttl = self.answer_ttl(message.hops);
        let cached = self.caches_pongs() && message.ttl > 1;
        let conn = self.conns.get(index).and_then(ConnSlot::live);
        let known = conn.map_or(0, |conn| self.fresh_hosts(conn).count());
        let pongs = self.state.config.pongs;
        let others = if cached { u8::try_from(known).unwrap_or(pongs).min(pongs) } else { 0 };
        if let Some(conn) = self.conn(index) {
            conn.pongs_due = Some(PongsDue { guid, ttl, own: true, others, at: 0 });
        }
        if cached && others < pongs {
            self.explore(index);
        }
        if self.caches_pongs() { Verdict::Drop } else { Verdict::Flood(FloodScope::All) }
    }

    pub(super) fn caches_pongs(&self) -> bool {
        self.state.config.pongs > 0 && self.hosts.capacity() > 0
    }

    /// Asks all peers but one for hosts, at most once while a pong stays fresh.
    fn explore(&mut self, index: usize) {
        let now = self.state.now;
        let age = self.state.config.pong_age;
        if self.state.explored.is_some_and(|at| at.checked_add(age).is_none_or(|end| now < end)) {
            return;
        }
        self.state.explored = Some(now);
        for (at, slot) in self.conns.iter_mut().enumerate() {
            if let Some(conn) = slot.live_mut().filter(|conn| at != index && !conn.is_leaf()) {
                conn.explore_due = true;
            }
        }
        self.touch_all();
    }

    pub(super) fn learn_pong(&mut self, index: usize, hops: u8, pong: &Pong<'_>) {
        let Pong { address, files, kilobytes, .. } = *pong;
        let hops = hops.saturating_add(1);
        let source = self.source(index).map_or(HostSource::USER, |source| HostSource(source.0));
        let host = Host { address, files, kilobytes, hops };
        self.hosts.insert_from(self.state.now, host, source);
    }

    /// The cached hosts that a neighbour may be sent: all but itself.
    pub(super) fn fresh_hosts<'s>(
        &'s self,
        conn: &'s Connection,
    ) -> impl Iterator<Item = Host> + 's {
        let fresh = self.hosts.fresh(self.state.now, self.state.config.pong_age);
        fresh.filter(|host| host.hops > 0 && !conn.neighbour.is_at(host.address))
    }
}
