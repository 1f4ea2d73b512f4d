//! What a servent remembers besides its storage, and both together at work.

use core::time::Duration;

use super::config::Config;
use super::connection::{ALL_HOPS, ConnSlot};
use super::query_slot::QuerySlot;
use super::table_out::Following;
use super::tables::Tables;
use super::types::Stats;
use crate::hosts::{HostCache, HostSlot};
use crate::rng::Rng;
use crate::routes::{Hasher, RouteSlot, RouteTable};

#[derive(Debug, Clone, PartialEq)]
pub(super) struct State {
    pub(super) config: Config,
    pub(super) now: Duration, // the newest seen
    pub(super) rng: Rng,
    pub(super) hasher: Hasher, // of the route table
    pub(super) stats: Stats,
    pub(super) flood: u32,                 // the number of the last flood
    pub(super) explored: Option<Duration>, // when peers were last asked for hosts
    pub(super) table_version: u32,         // counts the changes of the table that is sent
    pub(super) table_offered: u32,         // the version that is sent to neighbours; 0 for none
    pub(super) table_kept: u32,            // the version before that, which is stored; 0 for none
    pub(super) table_following: Option<Following>, // after the last message of a table
    pub(super) tables_due: Option<Duration>, // when tables are to be sent
    pub(super) hops_wanted: u8,            // neighbours are to send queries with fewer hops
    pub(super) busy: bool,
    pub(super) left: bool, // looks for no peers
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

impl State {
    pub(super) fn new(config: Config) -> Self {
        Self {
            now: Duration::ZERO,
            rng: Rng::new(config.seed ^ config.servent.seed()),
            hasher: Hasher::new(config.seed),
            stats: Stats::NONE,
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
}
