//! A node of the DHT.

mod answer;
mod config;
mod event;
mod found;
mod inner;
mod items;
mod receive;
mod reply;
mod storage;
mod timers;
mod transmit;

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::id::NodeId;
use super::item::{Item, ItemName};
use super::items::ItemSlot;
use super::lookup::LookupSlot;
use super::peers::StoredPeerSlot;
use super::table::{Contacts, RouteSlot, RoutingTable};
use crate::error::{BufferTooSmall, Full};
use crate::id::InfoHash;
pub use config::{ConfigError, DhtConfig};
pub use event::{
    AddError, DatagramError, DhtEvent, DhtOutcome, ItemLookupError, LookupId, Transmit,
};
pub use found::{FoundPeers, FoundPeersIter};
use inner::{Core, View};
#[cfg(feature = "alloc")]
pub use storage::{DhtLimits, DhtVec};
pub use storage::{DhtParts, DhtPartsRef, DhtSlots, DhtStorage};

/// A node of the DHT: answers queries, keeps a routing table, looks up peers, and announces.
///
/// The caller owns the UDP socket. It passes what arrives to [`handle_datagram`](Self::handle_datagram), with
/// the address it came from, and sends what [`poll_transmit`](Self::poll_transmit) returns. A node uses one
/// version of IP; run two for both (BEP 32).
///
/// ```
/// use bittorrent_pieces::InfoHash;
/// use bittorrent_pieces::dht::*;
/// use core::time::Duration;
///
/// let storage = DhtSlots {
///     routes: [RouteSlot::EMPTY; 64],
///     lookups: [LookupSlot::EMPTY; 2],
///     peers: [StoredPeerSlot::EMPTY; 16],
///     items: [ItemSlot::EMPTY; 4],
/// };
/// let config = DhtConfig::new(NodeId([1; 20]), [7; 16]); // the key is random in a program
/// let mut node = DhtNode::new(config, storage)?;
/// node.add(Duration::ZERO, "192.0.2.1:6881".parse()?)?;
/// node.find_peers(Duration::ZERO, InfoHash([9; 20]), None)?;
/// let mut buf = [0; MAX_LEN];
/// let sent = node.poll_transmit(&mut buf)?.unwrap();
/// assert_eq!(sent.to, "192.0.2.1:6881".parse()?);
/// assert!(buf[..sent.len].starts_with(b"d1:ad2:id20:"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DhtNode<S> {
    core: Core,
    storage: S,
}

impl<S: DhtStorage> DhtNode<S> {
    /// Creates a node with an empty routing table. The storage is cleared.
    ///
    /// # Errors
    ///
    /// [`ConfigError`]
    pub fn new(config: DhtConfig, mut storage: S) -> Result<Self, ConfigError> {
        let parts = storage.parts();
        config.validate(parts.lookups.len())?;
        parts.routes.fill(RouteSlot::EMPTY);
        parts.lookups.fill(LookupSlot::EMPTY);
        parts.peers.fill(StoredPeerSlot::EMPTY);
        parts.items.fill(ItemSlot::EMPTY);
        Ok(Self { core: Core::new(config), storage })
    }

    /// Returns the storage.
    pub fn into_storage(self) -> S {
        self.storage
    }

    /// Adds the address of a node: one that was saved at the last run, of a torrent (`nodes`), or that a peer
    /// sent (`port`). The node is pinged and enters the table when it answers.
    ///
    /// # Errors
    ///
    /// [`AddError`]
    pub fn add(&mut self, now: Duration, addr: SocketAddr) -> Result<(), AddError> {
        self.view().add(now, addr)
    }

    /// Looks for the peers of a torrent and then announces us as one, if `announce` is a TCP port; 0 stands for
    /// the port of the datagrams. [`DhtEvent::Finished`] ends the lookup.
    ///
    /// # Errors
    ///
    /// [`Full`] if all lookups are in use.
    pub fn find_peers(
        &mut self,
        now: Duration,
        torrent: InfoHash,
        announce: Option<u16>,
    ) -> Result<LookupId, Full> {
        self.view().find_peers(now, torrent, announce)
    }

    /// Looks for an item (BEP 44). [`DhtOutcome::Item`] is what was found, of a mutable item each newer version;
    /// [`DhtEvent::ItemFinished`] ends the lookup.
    ///
    /// # Errors
    ///
    /// [`ItemLookupError::Item`], [`ItemLookupError::Full`]
    pub fn find_item(
        &mut self,
        now: Duration,
        name: ItemName<'_>,
    ) -> Result<LookupId, ItemLookupError> {
        self.view().find_item(now, name)
    }

    /// Stores an item in our own table and puts it to the eight nodes nearest to its target (BEP 44).
    /// [`DhtEvent::ItemFinished`] ends the lookup. Nodes drop an item two hours after the last put: put it again every
    /// hour. With `cas` they store it only if the stored one has this sequence number.
    ///
    /// ```
    /// use bittorrent_pieces::dht::*;
    /// use core::time::Duration;
    ///
    /// let config = DhtConfig::new(NodeId([1; 20]), [7; 16]);
    /// let mut node = DhtNode::new(config, DhtVec::new(DhtLimits::default()))?;
    /// node.add(Duration::ZERO, "192.0.2.1:6881".parse()?)?;
    /// let item = Item::sign(&[42; 32], b"", 1, b"12:Hello World!")?;
    /// node.put_item(Duration::ZERO, &item, None)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ItemLookupError`]
    pub fn put_item(
        &mut self,
        now: Duration,
        item: &Item<'_>,
        cas: Option<i64>,
    ) -> Result<LookupId, ItemLookupError> {
        self.view().put_item(now, item, cas)
    }

    /// Changes our id, for example to one that [fits](NodeId::for_address) an external address that became
    /// known. Nodes that exceed the size of their new bucket are removed.
    pub fn set_id(&mut self, id: NodeId) {
        self.view().set_id(id);
    }

    /// Processes a datagram. Then poll transmits, events and the timeout.
    ///
    /// # Errors
    ///
    /// [`DatagramError`]: the datagram is dropped, and nothing changed.
    pub fn handle_datagram<'a>(
        &mut self,
        now: Duration,
        from: SocketAddr,
        bytes: &'a [u8],
    ) -> Result<DhtOutcome<'a>, DatagramError> {
        self.view().datagram(now, from, bytes)
    }

    /// Fires expired timers: queries without an answer, buckets to be refreshed.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.view().fire_expired(now);
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is next due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.core.next_deadline()
    }

    /// Writes the next datagram.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] never occurs with [`MAX_LEN`](super::MAX_LEN) bytes.
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        self.view().transmit(buf)
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<DhtEvent> {
        self.view().event()
    }

    /// Returns the known nodes. Save their addresses and [`add`](Self::add) them at the next start.
    pub fn contacts(&self) -> Contacts<'_> {
        Contacts::new(self.storage.parts_ref().routes)
    }

    /// Returns the routing table, to be inspected.
    #[must_use]
    pub fn table(&self) -> RoutingTable<&[RouteSlot]> {
        let slots = self.storage.parts_ref().routes;
        RoutingTable { own: self.core.config.id, depth: self.core.depth, slots }
    }

    /// Returns our address as at least three networks see it, and more than see another (BEP 42).
    #[must_use]
    pub fn external(&self) -> Option<IpAddr> {
        self.core.external()
    }

    /// Returns the configuration.
    #[must_use]
    pub fn config(&self) -> &DhtConfig {
        &self.core.config
    }

    fn view(&mut self) -> View<'_> {
        let DhtParts { routes, lookups, peers, items } = self.storage.parts();
        View { core: &mut self.core, routes, lookups, peers, items }
    }
}
