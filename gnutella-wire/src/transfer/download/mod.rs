//! The download of one file from several sources.

mod assign;
mod blocks;
mod body;
mod config;
mod event;
mod geometry;
mod heads;
mod iterators;
mod lifecycle;
mod logic;
mod requests;
mod slots;
mod storage;
mod timers;
mod tree;
mod tree_state;
mod verify;

use core::time::Duration;

use thiserror::Error;

use crate::error::{BufferTooSmall, ConfigError};
use crate::http::{Giv, QueueCall};
use crate::huge::{Sha1, TigerRoot};
use crate::machine::{ConnId, ConnectError, NotConnected, Received, Transmit};

pub use config::{DownloadConfig, FileInfo};
pub use event::{DownloadCloseReason, DownloadEvent, FailReason, Piece, SourceFault, SourceId};
pub use iterators::{Progress, SourceReport, Sources, Spans};
pub use slots::{BlockSlot, Source, SourceSlot};
#[cfg(feature = "alloc")]
pub use storage::{DownloadLimits, DownloadVec};
pub use storage::{DownloadParts, DownloadPartsRef, DownloadSlots, DownloadStorage};

use geometry::Geometry;
use logic::{Core, State};

/// The download of a file. `S` is its storage: [`DownloadSlots`], or on the heap `DownloadVec`.
///
/// After any call: [`poll_transmit`](Self::poll_transmit) and [`poll_event`](Self::poll_event) until
/// both return `None`, then [`poll_timeout`](Self::poll_timeout).
///
/// ```
/// use core::time::Duration;
/// use gnutella_wire::ConnId;
/// use gnutella_wire::huge::Sha1;
/// use gnutella_wire::transfer::{
///     BlockSlot, Download, DownloadConfig, DownloadEvent, DownloadSlots, FileInfo, Source, SourceSlot,
/// };
///
/// let sha1 = Sha1::parse(b"VSNEZJSQQPY77O5LMMDQP4XC3Y5R6BZ3");
/// let file = FileInfo { size: 5, sha1, root: None, name: b"whisper.txt" };
/// let slots = DownloadSlots { sources: [SourceSlot::EMPTY; 4], blocks: [BlockSlot::EMPTY; 8] };
/// let mut download = Download::new(DownloadConfig::CUSTOMARY, file, slots)?;
///
/// let (now, conn) = (Duration::ZERO, ConnId(0));
/// let source = download.add_source(now, Source::at("10.0.0.1:6346".parse()?))?;
/// assert!(matches!(download.poll_event(), Some(DownloadEvent::Dial { .. })));
/// download.handle_connected(now, source, conn)?;
///
/// let mut buf = [0; 2_048];
/// let sent = download.poll_transmit(&mut buf)?.expect("a request");
/// assert!(buf[..sent.len].starts_with(b"GET /uri-res/N2R?urn:sha1:VSNEZJSQQPY77O5LMMDQP4XC3Y5R6BZ3 "));
///
/// let head = b"HTTP/1.1 206 OK\r\nContent-Range: bytes 0-4/5\r\nContent-Length: 5\r\n\r\n";
/// let read = download.handle_bytes(now, conn, head)?;
/// assert_eq!(read.consumed, head.len());
/// let piece = download.handle_bytes(now, conn, b"words")?.outcome.expect("bytes of the file");
/// assert_eq!((piece.offset, piece.bytes), (0, &b"words"[..])); // write them to the file
/// while let Some(event) = download.poll_event() {
///     println!("{event:?}"); // VerifyFile: hash the file
/// }
/// download.handle_file_verified(now, sha1.expect("32 characters"));
/// let mut events = core::iter::from_fn(|| download.poll_event()); // `Closed`, since nothing is left
/// assert!(events.any(|event| event == DownloadEvent::Completed { verified: true }));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download<S> {
    state: State,
    storage: S,
}

/// A source was not added. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum AddSourceError {
    /// It is known already.
    #[error("the source is known as number {}", .0.0)]
    Known(SourceId),
    /// Every slot is in use.
    #[error("table full: all {capacity} slots are in use")]
    Full {
        /// How many slots there are.
        capacity: usize,
    },
}

impl<S> Download<S> {
    /// The length of a buffer for any request, in bytes.
    pub const MAX_TRANSMIT_LEN: usize = 2_048;

    /// The longest name that is requested, in bytes.
    pub const MAX_NAME_LEN: usize = 255;

    /// Returns the storage.
    #[must_use]
    pub fn into_storage(self) -> S {
        self.storage
    }
}

impl<S: DownloadStorage> Download<S> {
    /// Begins a download without sources, and clears `storage`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if a duration is zero, the name is too long, or there is no slot for a source or
    /// a block.
    pub fn new(
        config: DownloadConfig,
        file: FileInfo<'_>,
        storage: S,
    ) -> Result<Self, ConfigError> {
        Self::resume(config, file, &[], storage)
    }

    /// Continues a download of which `written` is in the file already, as [`written`](Self::written)
    /// reported it: first byte and length of each span. What was not checked is checked again.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn resume(
        config: DownloadConfig,
        file: FileInfo<'_>,
        written: &[(u64, u64)],
        mut storage: S,
    ) -> Result<Self, ConfigError> {
        let DownloadParts { sources, blocks } = storage.parts();
        let geometry = State::check(&config, &file, sources.len(), blocks.len())?;
        sources.fill(SourceSlot::EMPTY);
        blocks.fill(BlockSlot::EMPTY);
        let mut missing = geometry.block_count;
        for (first, len) in written {
            missing = missing.saturating_sub(geometry.restore(blocks, *first, *len));
        }
        Ok(Self::with(&config, &file, geometry, missing, storage))
    }

    #[inline(never)] // the state is built in the caller's place
    fn with(
        config: &DownloadConfig,
        file: &FileInfo<'_>,
        geometry: Geometry,
        missing: usize,
        storage: S,
    ) -> Self {
        Self { state: State::new(config, file, geometry, missing), storage }
    }

    /// Adds a source; it is dialled or pushed when it is needed.
    ///
    /// # Errors
    ///
    /// [`AddSourceError`]; nothing changed. A source that was given up makes room for another.
    pub fn add_source(
        &mut self,
        now: Duration,
        source: Source,
    ) -> Result<SourceId, AddSourceError> {
        let mut core = self.core();
        core.may_add(&source)?;
        core.advance_clock(now);
        let id = core.insert(source, 0);
        core.wake();
        Ok(id)
    }

    /// Handles the connection that [`DownloadEvent::Dial`] asked for.
    ///
    /// # Errors
    ///
    /// [`ConnectError::InUse`], or [`ConnectError::NotExpected`] if the source is not being dialled, for
    /// example because the attempt took too long: close the socket. Nothing changed.
    pub fn handle_connected(
        &mut self,
        now: Duration,
        source: SourceId,
        conn: ConnId,
    ) -> Result<(), ConnectError> {
        let mut core = self.core();
        let index = core.dialled(source, conn)?;
        core.advance_clock(now);
        core.connected(index, conn);
        core.wake();
        Ok(())
    }

    /// Reports that the connection attempt requested by [`DownloadEvent::Dial`] failed. A source whose
    /// servent is known is pushed next. Other sources are ignored.
    pub fn handle_dial_failed(&mut self, now: Duration, source: SourceId) {
        let mut core = self.core();
        core.advance_clock(now);
        core.dial_failed(source);
        core.wake();
    }

    /// Handles a connection that began with a GIV, the answer to a push.
    ///
    /// # Errors
    ///
    /// [`ConnectError::InUse`], or [`ConnectError::NotExpected`] if no push of this servent waits.
    /// Nothing changed.
    pub fn handle_giv(
        &mut self,
        now: Duration,
        conn: ConnId,
        giv: &Giv<'_>,
    ) -> Result<SourceId, ConnectError> {
        let mut core = self.core();
        let (index, id) = core.pushed(giv.servent, conn)?;
        core.advance_clock(now);
        core.connected(index, conn);
        core.wake();
        Ok(id)
    }

    /// Handles a connection on which a servent [calls](QueueCall) because a place in its queue came up.
    /// The next request goes there.
    ///
    /// # Errors
    ///
    /// [`ConnectError::NotExpected`] if no source gave a place of that id, or it is connected;
    /// [`ConnectError::InUse`]. Nothing changed.
    pub fn handle_queue_call(
        &mut self,
        now: Duration,
        conn: ConnId,
        call: &QueueCall,
    ) -> Result<SourceId, ConnectError> {
        let mut core = self.core();
        let (index, id) = core.called(call.id, conn)?;
        core.advance_clock(now);
        core.connected(index, conn);
        core.wake();
        Ok(id)
    }

    /// Handles bytes from the front of the receive buffer of a connection. The outcome is bytes of the
    /// file to be written. Nothing consumed means: wait for more bytes.
    ///
    /// # Errors
    ///
    /// [`NotConnected`]; nothing changed.
    pub fn handle_bytes<'b>(
        &mut self,
        now: Duration,
        conn: ConnId,
        bytes: &'b [u8],
    ) -> Result<Received<Piece<'b>>, NotConnected> {
        let mut core = self.core();
        let index = core.find_conn(conn).ok_or(NotConnected(conn))?;
        core.advance_clock(now);
        let received = core.handle_bytes(index, conn, bytes);
        core.wake();
        Ok(received)
    }

    /// Removes a closed connection; its source is tried again later. Unknown connections are ignored.
    pub fn handle_closed(&mut self, now: Duration, conn: ConnId) {
        let mut core = self.core();
        core.advance_clock(now);
        core.closed(conn);
        core.wake();
    }

    /// Handles the hash of the bytes that [`DownloadEvent::Verify`] named. Other offsets are ignored.
    pub fn handle_verified(&mut self, now: Duration, offset: u64, root: TigerRoot) {
        let mut core = self.core();
        core.advance_clock(now);
        core.verified(offset, root);
        core.wake();
    }

    /// Handles the hash of the whole file, after [`DownloadEvent::VerifyFile`]. Otherwise it is ignored.
    pub fn handle_file_verified(&mut self, now: Duration, sha1: Sha1) {
        let mut core = self.core();
        core.advance_clock(now);
        core.file_verified(sha1);
        core.wake();
    }

    /// Fires expired timers.
    pub fn handle_timeout(&mut self, now: Duration) {
        let mut core = self.core();
        core.advance_clock(now);
        core.handle_timeout();
        core.wake();
    }

    /// Writes the next request and returns where it goes.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; nothing changed. [`MAX_TRANSMIT_LEN`](Self::MAX_TRANSMIT_LEN) bytes are
    /// always enough.
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        self.core().poll_transmit(buf)
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<DownloadEvent> {
        self.core().poll_event()
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is next due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let sources = self.storage.parts_ref().sources;
        let deadlines = sources.iter().filter_map(|slot| slot.peer.as_ref()?.deadline);
        deadlines.chain(self.state.single_deadline()).min()
    }

    /// Returns how far the download is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let DownloadPartsRef { sources, blocks } = self.storage.parts_ref();
        Progress::of(&self.state, sources, blocks)
    }

    /// Iterates over the sources.
    #[must_use]
    pub fn sources(&self) -> Sources<'_> {
        Sources::new(self.storage.parts_ref().sources)
    }

    /// Iterates over what is written to the file, as first byte and length: what
    /// [`resume`](Self::resume) needs after a restart. Save it after the bytes themselves.
    #[must_use]
    pub fn written(&self) -> Spans<'_> {
        Spans::written(&self.state, self.storage.parts_ref().blocks)
    }

    /// Iterates over what is checked, as first byte and length: what may be offered to others while the
    /// download lasts.
    #[must_use]
    pub fn verified(&self) -> Spans<'_> {
        Spans::verified(&self.state, self.storage.parts_ref().blocks)
    }

    fn core(&mut self) -> Core<'_> {
        let Self { state, storage } = self;
        let DownloadParts { sources, blocks } = storage.parts();
        Core { state, sources, blocks }
    }
}
