//! The info dictionary behind a magnet link: requested of peers, checked against the hash (BEP 9).

mod layer;
mod receive;
mod slot;
mod state;
mod storage;
#[cfg(feature = "alloc")]
mod storage_vec;
mod timers;
mod transmit;

use core::time::Duration;

use crate::error::{BufferTooSmall, ConfigError, ConnectError, NotConnected};
use crate::geometry::Geometry;
use crate::id::{ConnId, InfoHash, PeerId};
use crate::magnet::InfoHashV2;
use crate::merkle::{MerkleHash, PieceLayer};
use crate::received::Received;
use crate::torrent::handshake::Names;
use crate::torrent::{CloseReason, Side, Transmit};
use crate::wire::extended::Pex;
pub use slot::FetchSlot;
use state::Core;
pub use storage::{FetchParts, FetchPartsRef, FetchSlots, FetchStorage};
#[cfg(feature = "alloc")]
pub use storage_vec::{FetchLimits, FetchVec};

/// Fetches the info dictionary of a torrent of which only the hash is known.
///
/// One peer at a time sends it, in order, and it is hashed as it arrives: a peer that sent a wrong one is
/// known, and the next peer is asked. If a peer is slow and another is ready, that one continues where it stopped. A
/// wrong dictionary of several peers is fetched again from one alone. There is one slot for each connection. The buffer
/// holds the dictionary, and peers that claim a longer one are not asked.
///
/// The connections go on in a [`Torrent`](crate::Torrent) afterwards: keep the bytes that
/// came with [`FetchOutcome::Keep`], call [`Torrent::take_over`](crate::Torrent::take_over), and hand them
/// to [`Torrent::handle_bytes`](crate::Torrent::handle_bytes).
///
/// ```
/// use bittorrent_pieces::*;
/// use bittorrent_pieces::fetch::{FetchSlot, FetchSlots};
/// use core::time::Duration;
///
/// let config = FetchConfig::new(InfoHash([7; 20]), PeerId([1; 20]));
/// let storage = FetchSlots { slots: [FetchSlot::EMPTY; 8], buffer: vec![0; 1 << 20] };
/// let mut fetch = MetadataFetch::new(config, storage)?;
/// fetch.handle_connected(Duration::ZERO, ConnId(1), Side::Dialled)?;
/// let mut buf = [0; 512];
/// let sent = fetch.poll_transmit(&mut buf)?.unwrap();
/// assert_eq!((sent.conn, sent.len), (ConnId(1), 68)); // the handshake
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataFetch<S> {
    core: Core,
    storage: S,
}

/// How an info dictionary is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchConfig {
    /// The torrent as handshakes name it: of a torrent of version 2 alone the truncated hash.
    pub info_hash: InfoHash,
    /// The whole hash of version 2 (BEP 52). If `info_hash` is another hash, the torrent is a hybrid: the dictionary
    /// must fit both, connections are upgraded to version 2, and only upgraded ones are asked for piece layers.
    /// Then [`Config::info_hash_v2`](crate::Config::info_hash_v2) of a torrent that takes them over is the truncated
    /// hash.
    pub v2: Option<InfoHashV2>,
    /// Our peer id.
    pub peer_id: PeerId,
    /// Whether to offer the fast extension; the same as in the torrent later.
    pub fast: bool,
    /// Whether peers may send addresses of others (BEP 11); the same as in the torrent later.
    pub peer_exchange: bool,
    /// The TCP port on which others reach us.
    pub port: Option<u16>,
    /// The UDP port of our DHT node, if there is one.
    pub dht_port: Option<u16>,
    /// How long a peer may take for a piece of 16 KiB before another is asked, and eight times as long as it may take
    /// on average if another is ready; not zero. Each time that a peer is slow doubles it for that peer.
    pub patience: Duration,
    /// How long a peer may be silent before its connection is closed; not zero.
    pub silence: Duration,
}

impl FetchConfig {
    /// Returns the configuration that fits most: patience of 10 s, silence of 4 minutes, fast extension
    /// and exchange of peers, no ports.
    #[must_use]
    pub const fn new(info_hash: InfoHash, peer_id: PeerId) -> Self {
        Self {
            info_hash,
            v2: None,
            peer_id,
            fast: true,
            peer_exchange: true,
            port: None,
            dht_port: None,
            patience: Duration::from_secs(10),
            silence: Duration::from_secs(240),
        }
    }

    fn names(&self) -> Names {
        let v2 = self.v2.map(|v2| v2.truncated()).filter(|v2| *v2 != self.info_hash);
        Names { info_hash: self.info_hash, v2 }
    }
}

/// What a received message means to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchOutcome<'a> {
    /// The torrent will need the consumed bytes: keep them for it.
    Keep,
    /// Addresses of other peers (BEP 11). They are not verified.
    Peers(Pex<'a>),
}

/// A fact, or a request to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum FetchEvent {
    /// The info dictionary was received and checked: see [`MetadataFetch::metadata`].
    Completed,
    /// The piece layer was received and checked: see [`MetadataFetch::layer`].
    LayerCompleted,
    /// The fetch is done with a connection: close it.
    Closed {
        /// The connection.
        conn: ConnId,
        /// Why.
        reason: CloseReason,
    },
}

impl<S: FetchStorage> MetadataFetch<S> {
    /// Begins without peers, and clears the slots.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Zero`] if a span of the configuration is zero.
    pub fn new(config: FetchConfig, mut storage: S) -> Result<Self, ConfigError> {
        let core = Core::new(config)?;
        storage.parts().slots.fill(FetchSlot::EMPTY);
        Ok(Self { core, storage })
    }

    /// Begins with a known info dictionary, for the piece layers that a torrent file lacks: call
    /// [`fetch_layer`](Self::fetch_layer) next. The slots are cleared.
    ///
    /// ```
    /// use bittorrent_pieces::fetch::{FetchSlot, FetchSlots};
    /// use bittorrent_pieces::*;
    /// use core::time::Duration;
    ///
    /// let torrent_file = b"d4:infod9:file treed1:fd0:d6:lengthi40000e11:pieces root32:\
    ///     01234567890123456789012345678901eee12:meta versioni2e4:name1:f12:piece lengthi16384eee";
    /// let metainfo = Metainfo::decode(torrent_file, bencode::Mode::Lenient)?;
    /// let config = FetchConfig::new(metainfo.info_hash(), PeerId([1; 20]));
    /// let storage = FetchSlots { slots: [FetchSlot::EMPTY; 8], buffer: vec![0; 4096] };
    /// let mut fetch = MetadataFetch::for_layers(config, storage)?;
    /// for (file, layer) in metainfo.v2_files() {
    ///     if layer.is_none() {
    ///         let alone = Geometry::new(file.len, metainfo.geometry().full_piece_len())?;
    ///         fetch.fetch_layer(Duration::ZERO, file.root, alone)?; // then the next, after its event
    ///     }
    /// }
    /// assert_eq!(fetch.progress(), (0, Some(96)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError::Zero`] if a span of the configuration is zero.
    pub fn for_layers(config: FetchConfig, storage: S) -> Result<Self, ConfigError> {
        let mut fetch = Self::new(config, storage)?;
        fetch.core.skip_metadata();
        Ok(fetch)
    }

    /// Returns the storage.
    pub fn into_storage(self) -> S {
        self.storage
    }

    /// Adds a connection.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if there is no slot, or the connection is open.
    pub fn handle_connected(
        &mut self,
        now: Duration,
        conn: ConnId,
        side: Side,
    ) -> Result<(), ConnectError> {
        self.core.connected(self.storage.parts().slots, now, conn, side)
    }

    /// Processes the handshake or the one message at the front of what was received from `conn`. Call again
    /// with the rest until nothing is consumed. A peer that breaks the protocol is not an error:
    /// [`FetchEvent::Closed`] follows.
    ///
    /// # Errors
    ///
    /// [`NotConnected`] if there is no such connection.
    pub fn handle_bytes<'b>(
        &mut self,
        now: Duration,
        conn: ConnId,
        bytes: &'b [u8],
    ) -> Result<Received<FetchOutcome<'b>>, NotConnected> {
        let FetchParts { slots, buffer } = self.storage.parts();
        self.core.bytes(slots, buffer, now, conn, bytes)
    }

    /// Removes a connection. Unknown connections are ignored.
    pub fn handle_closed(&mut self, now: Duration, conn: ConnId) {
        let FetchParts { slots, buffer } = self.storage.parts();
        self.core.closed(slots, buffer.len(), now, conn);
    }

    /// Fires expired timers: another peer is asked when one is slow.
    pub fn handle_timeout(&mut self, now: Duration) {
        let FetchParts { slots, buffer } = self.storage.parts();
        self.core.timeout(slots, buffer.len(), now);
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is next due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let FetchPartsRef { slots, buffer } = self.storage.parts_ref();
        self.core.next_deadline(slots, buffer.len())
    }

    /// Writes the next message for any connection.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] never occurs with 512 bytes.
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        self.core.transmit(self.storage.parts().slots, None, buf)
    }

    /// Writes the next message for one connection.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] never occurs with 512 bytes.
    pub fn poll_transmit_to(
        &mut self,
        conn: ConnId,
        buf: &mut [u8],
    ) -> Result<Option<Transmit>, BufferTooSmall> {
        self.core.transmit(self.storage.parts().slots, Some(conn), buf)
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<FetchEvent> {
        self.core.event(self.storage.parts().slots)
    }

    /// Returns the info dictionary once it was received and checked; see
    /// [`Metainfo::from_info`](crate::Metainfo::from_info).
    #[must_use]
    pub fn metadata(&self) -> Option<&[u8]> {
        self.storage.parts_ref().buffer.get(..self.core.complete()?)
    }

    /// Continues with the piece layer of a file of a v2 torrent, for which the metadata is not enough if it has
    /// more than one piece (BEP 52). `geometry` is that of the file by itself. The layer takes the place of
    /// the metadata in the buffer. Of several files, keep one layer and ask for the next.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] if the buffer does not hold 32 bytes for each piece.
    pub fn fetch_layer(
        &mut self,
        now: Duration,
        root: MerkleHash,
        geometry: Geometry<'_>,
    ) -> Result<(), BufferTooSmall> {
        let FetchParts { slots, buffer } = self.storage.parts();
        self.core.begin_layer(slots, buffer.len(), now, root, geometry)
    }

    /// Returns the piece layer once it was received and checked.
    #[must_use]
    pub fn layer(&self) -> Option<PieceLayer<'_>> {
        PieceLayer::from_bytes(self.storage.parts_ref().buffer.get(..self.core.layer_len()?)?)
    }

    /// Returns whether a connection of a hybrid torrent is upgraded to version 2 (BEP 52), for
    /// [`Torrent::take_over`](crate::Torrent::take_over). A torrent of which only version 1 is used cannot take it over.
    #[must_use]
    pub fn is_upgraded(&self, conn: ConnId) -> bool {
        let mut slots = self.storage.parts_ref().slots.iter();
        slots.any(|slot| slot.conn == conn && slot.is_live() && slot.version2)
    }

    /// Returns how many bytes were received, and of how many if a peer announced it.
    #[must_use]
    pub fn progress(&self) -> (u32, Option<u32>) {
        self.core.progress()
    }
}
