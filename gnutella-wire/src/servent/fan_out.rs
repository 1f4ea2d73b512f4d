//! Where a flooded message is sent.

use super::connection::Connection;
use super::query_words::Words;
use super::state::Core;
use super::types::{Target, TargetKind, count};
use crate::routes::RouteSource;
use crate::wire::Header;

/// Which neighbours a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FloodScope {
    All,
    /// Leaves only.
    Leaves,
    /// All but leaves.
    Peers,
    Nobody,
}

/// A message that spreads.
pub(super) struct FanOut<'w> {
    /// The connection that it came on, unless it is an own one.
    pub(super) from: Option<RouteSource>,
    /// As it is to be sent.
    pub(super) header: Header,
    /// What it asks for, if it is a query.
    pub(super) words: Option<&'w Words>,
    pub(super) scope: FloodScope,
}

impl Core<'_> {
    /// Marks the connections that a message is to be sent to, and returns their number. A query goes to
    /// a leaf, and on its last hop to an ultrapeer, only if its table admits a match there
    /// (QRP 1.0, 1; GDF "Ultrapeer Query Routing").
    pub(super) fn choose(&mut self, fan_out: &FanOut<'_>) -> (Target, u64) {
        self.state.flood = self.state.flood.wrapping_add(1);
        if self.state.flood == 0 {
            // The numbers begin again: no connection may seem chosen by an older flood.
            self.state.flood = 1;
            let conns = self.conns.iter_mut().filter_map(|slot| slot.conn.as_mut());
            conns.for_each(|conn| conn.mark = 0);
        }
        let role = self.state.config.role;
        let flood = self.state.flood;
        let mut copies = 0;
        for (index, slot) in self.conns.iter_mut().enumerate() {
            let came_from = Some(slot.source()) == fan_out.from;
            let Some(conn) = slot.live_mut().filter(|conn| !came_from && fan_out.is_for(conn))
            else {
                continue;
            };
            let judged = conn.is_leaf() || fan_out.header.ttl <= 1;
            let may_match = |words| self.tables.may_match(index, conn, role, words);
            if judged && !fan_out.words.is_none_or(may_match) {
                count(&mut self.state.stats.filtered);
            } else if !conn.admits(&fan_out.header, &self.state.config) {
                count(&mut self.state.stats.choked);
            } else {
                conn.mark = flood;
                count(&mut copies);
            }
        }
        (Target(TargetKind::Flood { number: flood }), copies)
    }
}

impl FanOut<'_> {
    fn is_for(&self, conn: &Connection) -> bool {
        match self.scope {
            FloodScope::All => true,
            FloodScope::Leaves => conn.is_leaf(),
            FloodScope::Peers => !conn.is_leaf(),
            FloodScope::Nobody => false,
        }
    }
}
