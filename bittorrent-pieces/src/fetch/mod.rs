//! From a magnet link to the info dictionary: asked of peers, checked against the hash (BEP 9).

mod layer;
mod slot;
mod state;
mod transmit;

use core::time::Duration;

use crate::magnet::InfoHashV2;
use crate::merkle::{MerkleHash, PieceLayer};
use crate::wire::extended::Pex;
use crate::{
    BufferTooSmall, ConnId, ConnectError, Geometry, InfoHash, PeerError, PeerId, Side, Transmit,
};
pub use slot::FetchSlot;
use state::Core;

/// Fetches the info dictionary of a torrent of which only the hash is known.
///
/// One peer at a time gives it, in order, and it is hashed as it comes: whoever gave one that does
/// not fit is known, and the next peer is asked. The slots are one for each connection; the buffer is
/// what the dictionary may take, and peers that claim more are not asked.
///
/// The connections go on in a [`Torrent`](crate::Torrent) afterwards: keep the bytes that
/// [`FetchHandled::Keep`] names, call [`Torrent::take_over`](crate::Torrent::take_over), and hand them
/// to [`Torrent::handle_bytes`](crate::Torrent::handle_bytes).
///
/// ```
/// use bittorrent_pieces::*;
/// use core::time::Duration;
///
/// let config = FetchConfig::new(InfoHash([7; 20]), PeerId([1; 20]));
/// let mut fetch = MetadataFetch::new(config, [FetchSlot::EMPTY; 8], vec![0; 1 << 20]);
/// fetch.handle_connected(Duration::ZERO, ConnId(1), Side::Dialled)?;
/// let mut buf = [0; 512];
/// let sent = fetch.poll_transmit(&mut buf)?.unwrap();
/// assert_eq!((sent.to, sent.len), (ConnId(1), 68)); // the handshake
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct MetadataFetch<S, B> {
    core: Core,
    slots: S,
    buffer: B,
}

/// How an info dictionary is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchConfig {
    /// The torrent as handshakes name it: of a v2 torrent the truncated hash.
    pub info_hash: InfoHash,
    /// The whole hash of a v2 torrent, which is then the one that counts (BEP 52).
    pub v2: Option<InfoHashV2>,
    /// What we call ourselves.
    pub peer_id: PeerId,
    /// Whether to offer the fast extension; the same as in the torrent later.
    pub fast: bool,
    /// Whether peers may tell of others (BEP 11); the same as in the torrent later.
    pub peer_exchange: bool,
    /// The TCP port on which others reach us.
    pub port: Option<u16>,
    /// The UDP port of our DHT node, if there is one.
    pub dht_port: Option<u16>,
    /// How long a peer may take for a piece of 16 KiB before another is asked.
    pub patience: Duration,
    /// How long a peer may say nothing at all before it is given up.
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
}

/// What the front of the received bytes was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchHandled<'a> {
    /// Not yet a whole message: offer the same bytes again with at least so many more.
    Incomplete {
        /// A lower bound, at least 1.
        needed: usize,
    },
    /// No such connection, or it is given up: drop the bytes and close it.
    Gone,
    /// A message that is done with; drop so many bytes.
    Message {
        /// Its length.
        consumed: usize,
    },
    /// A handshake or message that the torrent will want to see: keep so many bytes for it.
    Keep {
        /// Its length.
        consumed: usize,
    },
    /// Peers that the sender knows (BEP 11); drop the message.
    Peers {
        /// The length of the message.
        consumed: usize,
        /// Who came and went.
        peers: Pex<'a>,
    },
}

/// What was learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchEvent {
    /// The info dictionary is there and checked: see [`MetadataFetch::metadata`].
    Complete,
    /// So is the piece layer: see [`MetadataFetch::layer`].
    LayerComplete,
    /// A peer gave what does not fit the hash: close its connection.
    Corrupt {
        /// The connection.
        conn: ConnId,
    },
    /// A peer said nothing for too long: close its connection.
    Silent {
        /// The connection.
        conn: ConnId,
    },
}

impl<S: AsRef<[FetchSlot]> + AsMut<[FetchSlot]>, B: AsRef<[u8]> + AsMut<[u8]>> MetadataFetch<S, B> {
    /// Begins without peers. `slots` is cleared.
    pub fn new(config: FetchConfig, mut slots: S, buffer: B) -> Self {
        slots.as_mut().fill(FetchSlot::EMPTY);
        Self { core: Core::new(config), slots, buffer }
    }

    /// Takes on a connection.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if there is no slot, or the name is in use.
    pub fn handle_connected(
        &mut self,
        now: Duration,
        conn: ConnId,
        side: Side,
    ) -> Result<(), ConnectError> {
        self.core.connected(self.slots.as_mut(), now, conn, side)
    }

    /// Takes in the handshake or the one message at the front of what `conn` sent; call again with the
    /// rest until it consumes nothing.
    ///
    /// # Errors
    ///
    /// [`PeerError`]: the peer's fault. Nothing changed; close the connection.
    pub fn handle_bytes<'b>(
        &mut self,
        now: Duration,
        conn: ConnId,
        bytes: &'b [u8],
    ) -> Result<FetchHandled<'b>, PeerError> {
        self.core.bytes(self.slots.as_mut(), self.buffer.as_mut(), now, conn, bytes)
    }

    /// Forgets a connection; one that is not known is no harm.
    pub fn handle_closed(&mut self, now: Duration, conn: ConnId) {
        self.core.closed(self.slots.as_mut(), self.buffer.as_ref().len(), now, conn);
    }

    /// Lets time pass: another peer is asked when one is slow.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.core.timeout(self.slots.as_mut(), self.buffer.as_ref().len(), now);
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is next due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.core.next_deadline(self.slots.as_ref())
    }

    /// Writes the next message for any connection.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] never occurs with 512 bytes.
    pub fn poll_transmit(
        &mut self,
        buf: &mut [u8],
    ) -> Result<Option<Transmit<'static>>, BufferTooSmall> {
        self.core.transmit(self.slots.as_mut(), None, buf)
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
    ) -> Result<Option<Transmit<'static>>, BufferTooSmall> {
        self.core.transmit(self.slots.as_mut(), Some(conn), buf)
    }

    /// Returns the next thing learnt.
    pub fn poll_event(&mut self) -> Option<FetchEvent> {
        self.core.event(self.slots.as_mut())
    }

    /// Returns the info dictionary once it is there and checked; see
    /// [`Metainfo::from_info`](crate::Metainfo::from_info).
    #[must_use]
    pub fn metadata(&self) -> Option<&[u8]> {
        self.buffer.as_ref().get(..self.core.complete()?)
    }

    /// Goes on with the piece layer of a file of a v2 torrent, for which the metadata is not enough if it has
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
        self.core.begin_layer(self.slots.as_mut(), self.buffer.as_ref().len(), now, root, geometry)
    }

    /// Returns the piece layer once it is there and checked.
    #[must_use]
    pub fn layer(&self) -> Option<PieceLayer<'_>> {
        PieceLayer::from_bytes(self.buffer.as_ref().get(..self.core.layer_len()?)?)
    }

    /// Returns how many bytes are there, and of how many if somebody said.
    #[must_use]
    pub fn progress(&self) -> (u32, Option<u32>) {
        self.core.progress()
    }
}
