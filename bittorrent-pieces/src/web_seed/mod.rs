//! Web seeds: peers made of a web server (BEP 17 and BEP 19).
//!
//! A [`WebSeed`] speaks the peer wire to a [`Torrent`](crate::Torrent) and HTTP to a server. The torrent sees a peer that
//! has everything. So blocks are chosen by the picker, wrong ones are found by the hashes of the pieces, and a server that
//! sends them is banned as any peer is.
//!
//! The caller carries both ends:
//!
//! 1. It connects the web seed to the torrent ([`Torrent::handle_connected`](crate::Torrent::handle_connected) with
//!    [`Side::Dialled`](crate::Side::Dialled)) and passes the bytes that each of the two transmits to the other.
//! 2. It sends the requests of [`WebSeedEvent::Get`] over HTTP, and passes the responses to
//!    [`WebSeed::handle_head`], [`WebSeed::handle_body`] and [`WebSeed::handle_end`].
//!
//! | status | meaning |
//! |---|---|
//! | 206 | the range, or its front: the rest is requested again |
//! | 200 | the whole file: up to [`WebSeedConfig::max_skip`] bytes before the range are skipped |
//! | 301, 302, 303, 307, 308 | the range is requested from `Location`, unless that leads from a public host to a local one |
//! | 429, 503 | a pause, as long as `Retry-After` says |
//! | other 4xx but 408, a file of another length | the server does not have the file: its pieces are no longer announced |
//! | all else, no response, a body that ends too soon | a pause that doubles with each failure |

mod config;
mod event;
mod inner;
mod receive;
mod response;
mod storage;
#[cfg(feature = "alloc")]
mod storage_vec;
mod timers;
mod transmit;
mod url;

use core::time::Duration;

use crate::error::{BufferTooSmall, ConfigError};
use crate::geometry::Geometry;
use crate::wire::DecodeError;
pub use config::{WebSeedConfig, WebSeedKind};
pub use event::{CloseReason, HttpGet, HttpTarget, NotRequested, ResponseHead, WebSeedEvent};
use inner::{Core, View};
pub use storage::{
    WEB_BLOCK_LEN, WebFile, WebRequestSlot, WebSeedParts, WebSeedPartsRef, WebSeedSlots,
    WebSeedStorage,
};
#[cfg(feature = "alloc")]
#[cfg_attr(docsrs, doc(cfg(feature = "alloc")))]
pub use storage_vec::{WebSeedLimits, WebSeedVec};
pub use url::{WebUrlError, file_url, piece_url};

/// A peer made of a web server. The [module](crate::web_seed) describes it.
///
/// ```
/// use bittorrent_pieces::web_seed::*;
/// use bittorrent_pieces::{Geometry, InfoHash, PeerId, PieceIndex, Block};
/// use bittorrent_pieces::wire::{Handshake, Message, Reserved};
/// use core::time::Duration;
///
/// let now = Duration::ZERO;
/// let (info_hash, peer_id) = (InfoHash([1; 20]), PeerId([2; 20]));
/// let config = WebSeedConfig::new(WebSeedKind::Files, info_hash, peer_id);
/// let storage = WebSeedSlots {
///     files: [WebFile::new(0, 5)],
///     requests: [WebRequestSlot::EMPTY; 4],
///     block: [0; WEB_BLOCK_LEN],
///     location: [0; 100],
/// };
/// let mut seed = WebSeed::new(config, Geometry::new(5, 16_384)?, storage)?;
///
/// // What a torrent sends: its handshake, then a request.
/// let mut bytes = [0; 100];
/// let reserved = Reserved::FAST;
/// Handshake { reserved, info_hash, peer_id: PeerId([3; 20]) }.encode(&mut bytes)?;
/// assert_eq!(seed.handle_bytes(now, &bytes[..68])?, 68);
/// let block = Block { piece: PieceIndex(0), begin: 0, len: 5 };
/// let len = Message::Request(block).encode(&mut bytes)?;
/// assert_eq!(seed.handle_bytes(now, &bytes[..len])?, len);
///
/// // The request over HTTP, and its response.
/// let Some(WebSeedEvent::Get(get)) = seed.poll_event() else { panic!() };
/// assert_eq!((get.target, get.begin, get.last()), (HttpTarget::File(0), 0, 4));
/// let head = ResponseHead { status: 206, content_range: Some(b"bytes 0-4/5"), ..ResponseHead::default() };
/// assert_eq!(seed.handle_head(now, get.number, &head)?, 5); // bytes of the body are wanted
/// assert_eq!(seed.handle_body(now, get.number, b"hello")?, 5);
///
/// // What the torrent receives ends with the block.
/// let mut buf = vec![0; seed.transmit_len()];
/// let mut last = 0;
/// while let Some(len) = seed.poll_transmit(&mut buf)? {
///     last = len;
/// }
/// assert!(buf[..last].ends_with(b"hello"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct WebSeed<S> {
    core: Core,
    storage: S,
}

impl<S: WebSeedStorage> WebSeed<S> {
    /// Creates the web seed of a torrent, whose files are in the storage. The rest of the storage is cleared.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if a region is too small, a number of the configuration must not be zero or is too small, or the
    /// files are not in the order of the content.
    pub fn new(
        config: WebSeedConfig,
        geometry: Geometry<'_>,
        mut storage: S,
    ) -> Result<Self, ConfigError> {
        let core = Core::new(config, geometry, storage.parts())?;
        Ok(Self { core, storage })
    }

    /// Processes bytes that the torrent sends. Returns how many were consumed; pass the others again with those that
    /// follow. While all request slots are in use, a request is not consumed.
    ///
    /// # Errors
    ///
    /// [`DecodeError`]: the bytes are not those of a torrent. Nothing changed.
    pub fn handle_bytes(&mut self, now: Duration, bytes: &[u8]) -> Result<usize, DecodeError> {
        self.view().bytes(now, bytes)
    }

    /// Processes the head of the response to a request. Returns how many bytes of the body are wanted at most; with 0,
    /// drop the response. Follow no redirection yourself.
    ///
    /// # Errors
    ///
    /// [`NotRequested`] if the request is not in flight, or its head was received: drop the response.
    pub fn handle_head(
        &mut self,
        now: Duration,
        number: u32,
        head: &ResponseHead<'_>,
    ) -> Result<u64, NotRequested> {
        self.view().head(now, number, head)
    }

    /// Processes bytes of a body. Returns how many were consumed; pass the others again after
    /// [`poll_transmit`](Self::poll_transmit) has written a message.
    ///
    /// # Errors
    ///
    /// [`NotRequested`] if the request is not in flight any more, since it has all its bytes or failed: drop the
    /// response.
    pub fn handle_body(
        &mut self,
        now: Duration,
        number: u32,
        bytes: &[u8],
    ) -> Result<usize, NotRequested> {
        self.view().body(now, number, bytes)
    }

    /// Reports that a response ended, or that there is none: for example because the server cannot be reached.
    ///
    /// # Errors
    ///
    /// [`NotRequested`] if the request is not in flight any more, as after a complete response.
    pub fn handle_end(&mut self, now: Duration, number: u32) -> Result<(), NotRequested> {
        self.view().end(now, number)
    }

    /// Fires expired timers.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.view().timeout(now);
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is next due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.core.next_deadline()
    }

    /// Writes the next message for the torrent; returns its length.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] never occurs with [`transmit_len`](Self::transmit_len) bytes.
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<usize>, BufferTooSmall> {
        self.view().transmit(buf)
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<WebSeedEvent> {
        self.core.next_event()
    }

    /// Returns how many bytes of buffer any message fits into: a block, or a bitfield.
    #[must_use]
    pub const fn transmit_len(&self) -> usize {
        crate::torrent::receive_len(self.core.pieces)
    }

    /// Returns the URL of [`HttpTarget::Location`]: where the last response redirected to.
    #[must_use]
    pub fn location(&self) -> &[u8] {
        self.storage.parts_ref().location.get(..self.core.location_len).unwrap_or_default()
    }

    /// Returns when a web seed that pauses is asked again.
    #[must_use]
    pub const fn pauses_until(&self) -> Option<Duration> {
        self.core.retry_at
    }

    /// Returns the storage.
    pub fn into_storage(self) -> S {
        self.storage
    }

    fn view(&mut self) -> View<'_> {
        View { core: &mut self.core, parts: self.storage.parts() }
    }
}
