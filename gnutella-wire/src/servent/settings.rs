//! Commands that change what the servent shares, the hosts it connects to, and what it is.

use core::net::SocketAddrV4;
use core::time::Duration;

use super::Servent;
use super::config::Role;
use super::storage::ServentStorage;
use super::types::CommandError;
use crate::huge::Urn;
use crate::id::ServentId;
use crate::wire::ByeCode;

impl<S: ServentStorage> Servent<S> {
    /// Shares a file: adds its name to the query-routing table, which is sent to ultrapeers after
    /// [`Config::table_interval`](super::Config::table_interval). A neighbour that has the former table
    /// receives only what changed, if the storage has room for that table too. Does nothing without
    /// storage for tables.
    pub fn share(&mut self, now: Duration, name: &str) {
        self.advance_clock(now);
        let mut core = self.core();
        core.words_change();
        core.tables.insert_name(name);
    }

    /// Adds the hash of a file to the query-routing table.
    pub fn share_urn(&mut self, now: Duration, urn: &Urn) {
        self.advance_clock(now);
        let mut core = self.core();
        core.words_change();
        core.tables.insert(urn.keyword_hash());
    }

    /// Removes all shared files from the query-routing table.
    pub fn unshare_all(&mut self, now: Duration) {
        self.advance_clock(now);
        let mut core = self.core();
        core.words_change();
        core.tables.clear_own();
    }

    /// Connects to a host: [`Event::Dial`](super::Event::Dial) requests it, even if there are enough
    /// peers.
    ///
    /// # Errors
    ///
    /// [`CommandError::NotCached`] if this is not a valid address of another host, or there are no
    /// slots for hosts; nothing changed.
    pub fn connect(&mut self, now: Duration, address: SocketAddrV4) -> Result<(), CommandError> {
        let at = self.state.now.max(now);
        if !self.core().hosts.request(at, address) {
            return Err(CommandError::NotCached(address));
        }
        self.state.now = at;
        self.state.left = false;
        Ok(())
    }

    /// Leaves the network: sends bye 200 to all neighbours, and looks for no others until
    /// [`connect`](Self::connect).
    pub fn leave(&mut self, now: Duration) {
        self.advance_clock(now);
        self.state.left = true;
        self.core().dismiss_all(ByeCode::SHUTDOWN);
    }

    /// Changes the role, with the numbers of its preset: sends bye 203 to all neighbours. What was
    /// shared has to be shared again.
    pub fn set_role(&mut self, now: Duration, role: Role) {
        self.advance_clock(now);
        let mut core = self.core();
        core.dismiss_all(ByeCode::CHANGING_MODE);
        core.tables.clear();
        core.state.tables_due = None;
        core.state.table_offered = 0;
        core.state.table_kept = 0;
        core.state.config.set_role(role);
    }

    /// Changes the address that pongs, hits and pushes carry, for example after a new DHCP lease.
    /// The host cache drops an entry of that address.
    pub fn set_address(&mut self, now: Duration, address: SocketAddrV4) {
        self.advance_clock(now);
        self.state.config.address = address;
        self.core().hosts.remove(address);
    }

    /// Changes the servent id that hits carry. Pushes for the previous id are routed as those for
    /// any other servent.
    pub fn set_servent_id(&mut self, now: Duration, servent: ServentId) {
        self.advance_clock(now);
        self.state.config.servent = servent;
    }

    /// Sets whether all upload slots are in use, which [`hit_flags`](Self::hit_flags) then reports.
    pub fn set_busy(&mut self, busy: bool) {
        self.state.busy = busy;
    }

    /// Sets whether the servent cannot be reached; [`hit_flags`](Self::hit_flags) then ask for a
    /// push.
    pub fn set_firewalled(&mut self, firewalled: bool) {
        self.state.config.firewalled = firewalled;
    }

    /// Asks neighbours that read vendor messages for queries with fewer than `hops` hops only
    /// (hops-flow): 0 stops all queries, 255 wants all.
    pub fn limit_queries(&mut self, now: Duration, hops: u8) {
        self.advance_clock(now);
        self.state.hops_wanted = hops;
        self.core().touch_all();
    }
}
