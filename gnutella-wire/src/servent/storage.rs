//! The storage of a servent: five regions, provided by the caller.

use super::connection::ConnSlot;
use super::query_slot::QuerySlot;
use crate::hosts::HostSlot;
use crate::routes::RouteSlot;

#[cfg(feature = "alloc")]
use super::config::{Config, Role};
#[cfg(feature = "alloc")]
use alloc::{vec, vec::Vec};

/// Storage of a [`Servent`](super::Servent). [`ServentSlots`] implements it over arrays, slices and
/// vectors, and with the feature `alloc` `ServentVec` does over vectors built from numbers.
pub trait ServentStorage {
    /// Borrows all regions.
    fn parts(&mut self) -> ServentParts<'_>;
    /// Borrows all regions for reading.
    fn parts_ref(&self) -> ServentPartsRef<'_>;
}

/// The regions of a [`ServentStorage`].
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "implementors of the storage trait build it")]
pub struct ServentParts<'s> {
    /// One slot per connection.
    pub conns: &'s mut [ConnSlot],
    /// One slot per remembered message.
    pub routes: &'s mut [RouteSlot],
    /// One slot per known host.
    pub hosts: &'s mut [HostSlot],
    /// One slot per pursued query.
    pub queries: &'s mut [QuerySlot],
    /// Query-routing tables.
    pub tables: &'s mut [u8],
}

/// The regions of a [`ServentStorage`], for reading.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "implementors of the storage trait build it")]
pub struct ServentPartsRef<'s> {
    /// One slot per connection.
    pub conns: &'s [ConnSlot],
    /// One slot per remembered message.
    pub routes: &'s [RouteSlot],
    /// One slot per known host.
    pub hosts: &'s [HostSlot],
    /// One slot per pursued query.
    pub queries: &'s [QuerySlot],
    /// Query-routing tables.
    pub tables: &'s [u8],
}

/// Storage from five regions, each any array, slice, box or vector. `conns` and `routes` are enough
/// for a servent of 0.4; the others may be empty.
///
/// | region | with it | without it |
/// |---|---|---|
/// | `conns` | | no connections |
/// | `routes` | | no searches, and nothing is forwarded |
/// | `hosts` | finds new neighbours, and answers pings with cached pongs | the caller chooses the neighbours; pings are flooded |
/// | `queries` | an ultrapeer asks others in turn until there are enough hits; a leaf reports how many it has | queries are flooded |
/// | `tables` | queries go only where they may match, and neighbours learn what is shared here | every query goes to every neighbour |
///
/// A leaf uses `tables` for its own words and, from 4,096 bytes on, half of it for the table that its
/// neighbours have, so that they are sent only what changes. An ultrapeer divides it evenly into tables
/// for its own words, for all that its leaves have, and for each connection slot, and keeps what its
/// neighbours have in the remainder, if one more table fits. Of each a power of two of bytes is used, up
/// to 16,384. Other servents expect 2,048 bytes or more, which are 2^14 slots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the caller builds it, also in statics")]
pub struct ServentSlots<C, R, H = [HostSlot; 0], Q = [QuerySlot; 0], T = [u8; 0]> {
    /// One slot per connection; at most 65,534 are used.
    pub conns: C,
    /// One slot per remembered message.
    pub routes: R,
    /// One slot per known host; may be empty.
    pub hosts: H,
    /// One slot per pursued query; may be empty.
    pub queries: Q,
    /// Query-routing tables; may be empty.
    pub tables: T,
}

impl<C, R> ServentSlots<C, R> {
    /// Storage of a servent that floods, as in 0.4: no host cache, no dynamic queries, no tables.
    #[must_use]
    pub const fn flooding(conns: C, routes: R) -> Self {
        Self { conns, routes, hosts: [], queries: [], tables: [] }
    }
}

impl<C, R, H, Q, T> ServentStorage for ServentSlots<C, R, H, Q, T>
where
    C: AsRef<[ConnSlot]> + AsMut<[ConnSlot]>,
    R: AsRef<[RouteSlot]> + AsMut<[RouteSlot]>,
    H: AsRef<[HostSlot]> + AsMut<[HostSlot]>,
    Q: AsRef<[QuerySlot]> + AsMut<[QuerySlot]>,
    T: AsRef<[u8]> + AsMut<[u8]>,
{
    fn parts(&mut self) -> ServentParts<'_> {
        ServentParts {
            conns: self.conns.as_mut(),
            routes: self.routes.as_mut(),
            hosts: self.hosts.as_mut(),
            queries: self.queries.as_mut(),
            tables: self.tables.as_mut(),
        }
    }

    fn parts_ref(&self) -> ServentPartsRef<'_> {
        ServentPartsRef {
            conns: self.conns.as_ref(),
            routes: self.routes.as_ref(),
            hosts: self.hosts.as_ref(),
            queries: self.queries.as_ref(),
            tables: self.tables.as_ref(),
        }
    }
}

impl<S: ServentStorage + ?Sized> ServentStorage for &mut S {
    fn parts(&mut self) -> ServentParts<'_> {
        (**self).parts()
    }

    fn parts_ref(&self) -> ServentPartsRef<'_> {
        (**self).parts_ref()
    }
}

/// How many slots a [`ServentVec`] has of each kind.
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "one number per region of the storage")]
pub struct ServentLimits {
    /// Connections.
    pub conns: usize,
    /// Remembered messages: new pings and queries per second × lifetime in seconds, twice.
    pub routes: usize,
    /// Known hosts.
    pub hosts: usize,
    /// Queries that are pursued at a time.
    pub queries: usize,
    /// Bytes of query-routing tables: two tables for a leaf; three and one per connection for others.
    pub tables: usize,
}

#[cfg(feature = "alloc")]
impl ServentLimits {
    /// The bytes of a table of 2^16 slots, the customary size.
    const TABLE: usize = 8_192;

    /// Chooses limits for a computer: all connections of `config`, 10,000 routes, 200 hosts, 64
    /// queries, tables of 2^16 slots.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let conns = config.max_peers.saturating_add(config.max_leaves);
        let tables = match config.role {
            Role::Leaf => 2,
            Role::Peer | Role::Ultrapeer => conns.saturating_add(3),
        };
        let tables = tables.saturating_mul(Self::TABLE);
        Self { conns, routes: 10_000, hosts: 200, queries: 64, tables }
    }
}

/// Storage of a servent on the heap.
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, PartialEq)]
pub struct ServentVec(VecSlots);

#[cfg(feature = "alloc")]
type VecSlots = ServentSlots<Vec<ConnSlot>, Vec<RouteSlot>, Vec<HostSlot>, Vec<QuerySlot>, Vec<u8>>;

#[cfg(feature = "alloc")]
impl ServentVec {
    /// Allocates storage.
    #[must_use]
    pub fn new(limits: ServentLimits) -> Self {
        Self(ServentSlots {
            conns: vec![ConnSlot::EMPTY; limits.conns],
            routes: vec![RouteSlot::EMPTY; limits.routes],
            hosts: vec![HostSlot::EMPTY; limits.hosts],
            queries: vec![QuerySlot::EMPTY; limits.queries],
            tables: vec![0; limits.tables],
        })
    }
}

#[cfg(feature = "alloc")]
impl ServentStorage for ServentVec {
    fn parts(&mut self) -> ServentParts<'_> {
        self.0.parts()
    }

    fn parts_ref(&self) -> ServentPartsRef<'_> {
        self.0.parts_ref()
    }
}
