//! The servent: a machine that keeps connections alive, searches, routes, and returns answers.

mod commands;
mod config;
mod connection;
mod drive;
mod dynamic;
mod event;
mod fan_out;
mod faults;
mod flow;
mod headers;
mod introduction;
mod lifecycle;
mod logic;
mod neighbour;
mod penalties;
mod pongs;
mod query_slot;
mod query_words;
mod quota;
mod room;
mod settings;
mod state;
mod storage;
mod table_exchange;
mod table_out;
mod tables;
mod timers;
mod transmit;
mod types;
mod vendor;

use core::time::Duration;

use crate::error::ConfigError;
use crate::hosts::{HostCache, Hosts};
use crate::machine::{ConnId, NotConnected};
use crate::routes::RouteTable;

pub use config::{Config, Role, flood_bound, horizon};
pub use connection::ConnSlot;
pub use event::{CloseReason, Event};
pub use headers::{HandshakeHeaders, HeaderList, Refusal};
pub use neighbour::Neighbour;
pub use query_slot::QuerySlot;
#[cfg(feature = "alloc")]
pub use storage::{ServentLimits, ServentVec};
pub use storage::{ServentParts, ServentPartsRef, ServentSlots, ServentStorage};
pub use types::{CommandError, Dispatch, Forward, Handled, Stats, Target, Targets};

use state::{Core, State};
use tables::Tables;

/// A servent on the network. `S` is its storage: [`ServentSlots`], or on the heap `ServentVec`.
///
/// The caller keeps one receive buffer per connection, passes its bytes to
/// [`handle_bytes`](Self::handle_bytes) one message at a time, and writes what is to be forwarded
/// straight from there. The servent holds no queue, and no message but the queries that it pursues.
///
/// After any call: [`poll_transmit`](Self::poll_transmit) and [`poll_event`](Self::poll_event) until
/// both return `None`, then [`poll_timeout`](Self::poll_timeout). Additional polls are harmless.
///
/// A search on one servent, and its answer on another:
///
/// ```
/// use core::{net::{Ipv4Addr, SocketAddrV4}, time::Duration};
/// use gnutella_wire::routes::RouteSlot;
/// use gnutella_wire::wire::{HitData, Payload, Query, Record, Records};
/// use gnutella_wire::{Config, ConnId, ConnSlot, Guid, Role, Servent, ServentId, ServentSlots, Text};
///
/// let servent = |host: u8| {
///     let address = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, host), 6346);
///     let config = Config::peer(ServentId([host; 16]), address);
///     let slots = ServentSlots::flooding([ConnSlot::EMPTY; 4], [RouteSlot::EMPTY; 64]);
///     let mut servent = Servent::new(config, slots)?;
///     servent.handle_connected(Duration::ZERO, ConnId(0), Role::Peer)?;
///     Ok::<_, Box<dyn core::error::Error>>(servent)
/// };
/// let (mut ann, mut ben) = (servent(1)?, servent(2)?);
/// let (now, mut buf) = (Duration::ZERO, [0; 256]);
///
/// let query = Query::new(Text::new(b"Hey Jude").expect("no NUL"));
/// let search = ann.search(now, Guid([9; 16]), &query, &mut buf)?;
/// let received = ben.handle_bytes(now, ConnId(0), &buf[..search.len])?;
/// let message = received.outcome.and_then(|handled| handled.message).expect("a query");
/// let Payload::Query(query) = message.payload else { panic!("{message}") };
///
/// let found = [Record { index: 1, size: 4_356_789, name: query.text, extensions: Text::EMPTY }];
/// let records = Records::from_slice(&found).expect("at most 255");
/// let mut hit = [0; 256];
/// let answer = ben.answer(now, message.guid, records, HitData::EMPTY, &mut hit)?;
/// let received = ann.handle_bytes(now, ConnId(0), &hit[..answer.len])?;
/// assert!(received.outcome.is_some_and(|handled| handled.message.is_some()));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Servent<S> {
    state: State,
    storage: S,
}

impl<S> Servent<S> {
    /// The length of a buffer for any [`poll_transmit`](Self::poll_transmit), in bytes.
    pub const MAX_TRANSMIT_LEN: usize = transmit::MAX_TRANSMIT_LEN;

    /// Returns the storage.
    #[must_use]
    pub fn into_storage(self) -> S {
        self.storage
    }

    /// Returns the configuration.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.state.config
    }

    /// Returns the message counters.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.state.stats
    }

    /// Sets how many files and kilobytes are shared, which pongs report.
    pub fn set_shared(&mut self, files: u32, kilobytes: u32) {
        self.state.config.files = files;
        self.state.config.kilobytes = kilobytes;
    }
}

impl<S: ServentStorage> Servent<S> {
    /// Creates a servent without connections, and clears `storage`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the configuration contradicts itself.
    pub fn new(config: Config, mut storage: S) -> Result<Self, ConfigError> {
        config.validate()?;
        let index = storage.parts().clear();
        Ok(Self { state: State::new(config, index), storage })
    }

    /// Returns the connections that `target` means, without those that closed in the meantime.
    #[must_use]
    pub fn targets(&self, target: Target) -> Targets<'_> {
        Targets::new(self.storage.parts_ref().conns, target)
    }

    /// Returns whether one more neighbour of that role may connect: whether to accept a handshake.
    #[must_use]
    pub fn has_room(&self, neighbour: Role) -> bool {
        self.state.has_room(neighbour)
    }

    /// Returns whether it wants more ultrapeers: the value of the header `X-Ultrapeer-Needed`. A
    /// candidate that receives `False` continues as a leaf.
    #[must_use]
    pub fn wants_ultrapeers(&self) -> bool {
        self.has_room(Role::Ultrapeer)
    }

    /// Returns the known hosts: the value of `X-Try-Ultrapeers` in a refusal, and what to keep for
    /// the next start.
    #[must_use]
    pub fn hosts(&self) -> Hosts<'_> {
        Hosts::new(self.storage.parts_ref().hosts)
    }

    #[cfg_attr(target_os = "none", inline(never))] // once in the image of a device
    fn core(&mut self) -> Core<'_> {
        let Self { state, storage } = self;
        let ServentParts { conns, routes, hosts, queries, tables } = storage.parts();
        Core {
            routes: RouteTable::with_hasher(state.hasher, state.config.lifetimes, routes),
            hosts: HostCache::resume(state.config.address, hosts).with_seed(state.config.seed),
            tables: Tables::new(tables, state.config.role, conns.len()),
            queries,
            conns,
            state,
        }
    }

    #[cfg_attr(target_os = "none", inline(never))] // once in the image of a device
    fn advance_clock(&mut self, now: Duration) {
        self.state.now = self.state.now.max(now);
    }

    fn find(&self, conn: ConnId) -> Result<usize, NotConnected> {
        connection::find(self.storage.parts_ref().conns, conn).ok_or(NotConnected(conn))
    }

    /// Finds a connection to which something happens now.
    #[cfg_attr(target_os = "none", inline(never))] // once in the image of a device
    fn touched(&mut self, now: Duration, conn: ConnId) -> Result<usize, NotConnected> {
        let index = self.find(conn)?;
        self.advance_clock(now);
        self.state.touch(index);
        Ok(index)
    }
}
