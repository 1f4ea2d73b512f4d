//! A node of the DHT.

mod receive;
mod state;
mod transmit;

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use thiserror::Error;

use super::krpc::{KrpcError, Values};
use super::{Contact, LookupSlot, NodeId, RouteSlot, RoutingTable, StoredPeer};
use crate::{BufferTooSmall, Family, InfoHash};
use state::{Core, View};

/// Answers others, keeps a routing table, looks up peers, and announces.
///
/// The caller owns the UDP socket: it hands in what arrives, with the address it came from, and sends what
/// [`poll_transmit`](Self::poll_transmit) gives. A node speaks one version of IP; run two for both.
#[derive(Debug, Clone)]
pub struct DhtNode<R, L, S> {
    core: Core,
    memory: DhtMemory<R, L, S>,
}

/// The memory of a [`DhtNode`]: arrays, `Vec`s or mutable slices.
#[derive(Debug, Clone, Default)]
pub struct DhtMemory<R, L, S> {
    /// The nodes that are known: 64 to 160.
    pub routes: R,
    /// Lookups at a time, at least 1; the node needs one now and then for itself.
    pub lookups: L,
    /// Peers that others announce to us; the oldest is forgotten when there are more.
    pub peers: S,
}

/// How a node behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DhtConfig {
    /// Our name; see [`NodeId::for_address`].
    pub id: NodeId,
    /// The secret of our tokens. It must be random, and another at each start.
    pub key: [u8; 16],
    /// For transaction ids and refreshes. Nobody else should know it.
    pub seed: u64,
    /// The version of IP that the socket speaks.
    pub family: Family,
    /// Ask, but never answer: for those who cannot be reached (BEP 43).
    pub read_only: bool,
    /// Trust only nodes whose id fits their address (BEP 42).
    pub enforce_ids: bool,
    /// How long a node may take to answer.
    pub patience: Duration,
}

impl DhtConfig {
    /// Returns the configuration that fits most: IPv4, answering, all ids, patience of 4 s, seed from the
    /// key.
    #[must_use]
    pub const fn new(id: NodeId, key: [u8; 16]) -> Self {
        Self {
            id,
            key,
            seed: match key.last_chunk() {
                Some(seed) => u64::from_be_bytes(*seed),
                None => 0,
            },
            family: Family::V4,
            read_only: false,
            enforce_ids: false,
            patience: Duration::from_secs(4),
        }
    }
}

/// The name of a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LookupId(pub u32);

/// What a datagram was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DhtHandled<'a> {
    /// A query or an answer; nothing that the caller needs to know.
    Done,
    /// Peers of a torrent that is looked up. Nobody vouches for them, and they may come twice.
    Peers {
        /// The lookup.
        lookup: LookupId,
        /// The torrent.
        torrent: InfoHash,
        /// The peers.
        peers: Values<'a>,
    },
    /// Too many answers wait to be sent: the query was dropped, as the network might have done.
    Busy,
}

/// What was learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DhtEvent {
    /// A lookup is over.
    Finished {
        /// The lookup.
        lookup: LookupId,
        /// The torrent.
        torrent: InfoHash,
        /// How many peers were told, some perhaps twice.
        peers: u32,
        /// How many nodes answered.
        answers: usize,
        /// To how many we announced ourselves.
        announces: usize,
    },
}

/// A datagram to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DhtTransmit {
    /// To whom.
    pub to: SocketAddr,
    /// How many bytes of the buffer.
    pub len: usize,
}

/// A datagram that is of no use. It was ignored; nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DhtError {
    /// No message.
    #[error(transparent)]
    Krpc(#[from] KrpcError),
    /// An answer to nothing that was asked of this address.
    #[error("an answer to nothing")]
    Unexpected,
    /// A transaction id of more than 16 bytes.
    #[error("a transaction id of {0} bytes")]
    Transaction(usize),
    /// A datagram over the other version of IP.
    #[error("an address of the other family")]
    Family,
}

/// All lookup slots are taken: wait for the end of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("all {0} lookups are under way")]
pub struct LookupsFull(pub usize);

impl<R, L, S> DhtNode<R, L, S>
where
    R: AsRef<[RouteSlot]> + AsMut<[RouteSlot]>,
    L: AsRef<[LookupSlot]> + AsMut<[LookupSlot]>,
    S: AsRef<[StoredPeer]> + AsMut<[StoredPeer]>,
{
    /// Creates a node that knows nobody. The memory is cleared.
    pub fn new(config: DhtConfig, mut memory: DhtMemory<R, L, S>) -> Self {
        memory.routes.as_mut().fill(RouteSlot::EMPTY);
        memory.lookups.as_mut().fill(LookupSlot::EMPTY);
        memory.peers.as_mut().fill(StoredPeer::EMPTY);
        Self { core: Core::new(config), memory }
    }

    /// Asks a node whether it is there: one of the last run, of a torrent (`nodes`), or that a peer told
    /// (`port`). At most 16 wait; returns whether it was taken.
    pub fn add(&mut self, now: Duration, addr: SocketAddr) -> bool {
        self.view().add(now, addr)
    }

    /// Looks for the peers of a torrent, and afterwards announces us as one at a TCP port; 0 stands for
    /// the port of the datagrams.
    ///
    /// # Errors
    ///
    /// [`LookupsFull`]
    pub fn find_peers(
        &mut self,
        now: Duration,
        torrent: InfoHash,
        announce: Option<u16>,
    ) -> Result<LookupId, LookupsFull> {
        self.view().find_peers(now, torrent, announce)
    }

    /// Takes in a datagram. Then poll transmits, events and the timeout.
    ///
    /// # Errors
    ///
    /// [`DhtError`]: it is of no use, and nothing changed.
    pub fn handle_datagram<'a>(
        &mut self,
        now: Duration,
        from: SocketAddr,
        bytes: &'a [u8],
    ) -> Result<DhtHandled<'a>, DhtError> {
        self.view().datagram(now, from, bytes)
    }

    /// Lets time pass: queries that nobody answered, buckets to be refreshed.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.view().timeout(now);
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
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<DhtTransmit>, BufferTooSmall> {
        self.view().transmit(buf)
    }

    /// Returns the next thing learnt.
    pub fn poll_event(&mut self) -> Option<DhtEvent> {
        self.view().event()
    }

    /// Returns the nodes that are known, to be saved for the next start.
    pub fn contacts(&self) -> impl Iterator<Item = Contact> {
        let table = self.table();
        table.slots.iter().filter_map(RouteSlot::contact)
    }

    /// Returns the routing table, to be looked at.
    #[must_use]
    pub fn table(&self) -> RoutingTable<&[RouteSlot]> {
        let Core { config, depth, .. } = &self.core;
        RoutingTable { own: config.id, depth: *depth, slots: self.memory.routes.as_ref() }
    }

    /// Returns our address as at least three nodes see it, and more than see another (BEP 42).
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
        View {
            core: &mut self.core,
            routes: self.memory.routes.as_mut(),
            lookups: self.memory.lookups.as_mut(),
            peers: self.memory.peers.as_mut(),
        }
    }
}
