//! What a servent remembers besides its storage, and both together at work.

use core::time::Duration;

use super::config::{Config, Role};
use super::connection::{ALL_HOPS, ConnSlot};
use super::query_slot::QuerySlot;
use super::table_out::Following;
use super::tables::Tables;
use super::types::Stats;
use crate::conn_index::ConnIndex;
use crate::hosts::{HostCache, HostSlot};
use crate::rng::Rng;
use crate::routes::{Hasher, RouteSlot, RouteTable};

/// The number of hashes of networks, and the bits that tell them apart.
const NETWORKS: usize = 8;
pub(super) const NETWORK_MASK: u8 = 7;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct State {
    pub(super) config: Config,
    pub(super) now: Duration, // the newest seen
    pub(super) rng: Rng,
    pub(super) hasher: Hasher, // of the route table
    pub(super) stats: Stats,
    pub(super) index: ConnIndex, // of the connections, and the slots for more
    pub(super) peers: usize,     // connections to ultrapeers and peers
    pub(super) leaves: usize,    // connections to leaves
    pub(super) active: Active,   // no slot outside of it has something to send or to report
    pub(super) silence: Option<Duration>, // no neighbour has been silent for too long before
    pub(super) networks: [u32; NETWORKS], // at most so much of the route table is in use by networks of each hash
    pub(super) flood: u32,                // the number of the last flood
    pub(super) explored: Option<Duration>, // when peers were last asked for hosts
    pub(super) table_version: u32,        // counts the changes of the table that is sent
    pub(super) table_offered: u32,        // the version that is sent to neighbours; 0 for none
    pub(super) table_kept: u32,           // the version before that, which is stored; 0 for none
    pub(super) table_following: Option<Following>, // after the last message of a table
    pub(super) tables_due: Option<Duration>, // when tables are to be sent
    pub(super) hops_wanted: u8,           // neighbours are to send queries with fewer hops
    pub(super) busy: bool,
    pub(super) left: bool, // looks for no peers
}

/// Where to look for what is due: from one slot to before another. Servents that differ only in this are the same.
#[derive(Debug, Clone, Copy)]
pub(super) struct Active {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl PartialEq for Active {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// A servent at work, whatever its storage is.
pub(super) struct Core<'m> {
    pub(super) state: &'m mut State,
    pub(super) routes: RouteTable<&'m mut [RouteSlot]>,
    pub(super) conns: &'m mut [ConnSlot],
    pub(super) hosts: HostCache<&'m mut [HostSlot]>,
    pub(super) queries: &'m mut [QuerySlot],
    pub(super) tables: Tables<'m>,
}

impl Core<'_> {
    /// Records that all connections may have something to send or to report.
    pub(super) fn touch_all(&mut self) {
        self.state.active = Active { start: 0, end: self.conns.len() };
    }
}

impl State {
    pub(super) fn new(config: Config, index: ConnIndex) -> Self {
        Self {
            now: Duration::ZERO,
            rng: Rng::new(config.seed ^ config.servent.seed()),
            hasher: Hasher::new(config.seed),
            stats: Stats::NONE,
            index,
            peers: 0,
            leaves: 0,
            active: Active { start: 0, end: 0 },
            silence: None,
            networks: [0; NETWORKS],
            flood: 0,
            explored: None,
            table_version: 1,
            table_offered: 0,
            table_kept: 0,
            table_following: None,
            tables_due: None,
            hops_wanted: ALL_HOPS,
            busy: false,
            left: false,
            config,
        }
    }

    /// Returns how many connections are leaves, or are not.
    pub(super) fn conns(&mut self, is_leaf: bool) -> &mut usize {
        if is_leaf { &mut self.leaves } else { &mut self.peers }
    }

    /// Returns whether one more neighbour of that role may connect.
    pub(super) fn has_room(&self, neighbour: Role) -> bool {
        let is_leaf = neighbour == Role::Leaf;
        let count = if is_leaf { self.leaves } else { self.peers };
        let most = if is_leaf { self.config.max_leaves } else { self.config.max_peers };
        self.index.has_unused() && count < most
    }

    /// Records that a connection may have something to send or to report.
    #[cfg_attr(target_os = "none", inline(never))] // once in the image of a device
    pub(super) fn touch(&mut self, index: usize) {
        let Active { start, end } = self.active;
        let is_empty = start >= end;
        let next = index.saturating_add(1);
        self.active.start = if is_empty { index } else { start.min(index) };
        self.active.end = if is_empty { next } else { end.max(next) };
    }
}
