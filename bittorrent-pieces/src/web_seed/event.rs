//! What a web seed asks of its caller, and what a server answers.

use thiserror::Error;

use crate::block::PieceIndex;

/// A request to the caller, or a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum WebSeedEvent {
    /// Send this request over HTTP. There is one at a time.
    Get(HttpGet),
    /// Give up the request of this number: its response made no progress.
    Abort {
        /// [`HttpGet::number`].
        number: u32,
    },
    /// The web seed is of no more use: close its connection to the torrent, and drop it.
    Closed {
        /// Why.
        reason: CloseReason,
    },
}

/// A request over HTTP, with the method `GET`.
///
/// For a file or a location, send the header `Range: bytes=first-last` with [`begin`](Self::begin) and
/// [`last`](Self::last). Accept no content encoding but `identity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct HttpGet {
    /// The number of the request, which its response names.
    pub number: u32,
    /// From where.
    pub target: HttpTarget,
    /// The first byte, from the start of the file or piece.
    pub begin: u64,
    /// The number of bytes, at least 1.
    pub len: u64,
}

impl HttpGet {
    /// Returns the last byte of the range.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.begin.saturating_add(self.len).saturating_sub(1)
    }
}

/// From where bytes are requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_enums, reason = "a driver handles all of them")]
pub enum HttpTarget {
    /// A file of the torrent, by its number in the list of files: see [`file_url`](super::file_url).
    File(u32),
    /// A piece (BEP 17): see [`piece_url`](super::piece_url). The range is in the URL.
    Piece(PieceIndex),
    /// Where the last response redirected to: see [`WebSeed::location`](super::WebSeed::location).
    Location,
}

/// The head of a response over HTTP: its status and the header fields that matter, as they were received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "the driver fills in what the response has")]
pub struct ResponseHead<'a> {
    /// The status code.
    pub status: u16,
    /// The URL of the request, against which a relative location counts.
    pub url: &'a [u8],
    /// `Content-Range`.
    pub content_range: Option<&'a [u8]>,
    /// `Content-Length`, in bytes.
    pub content_length: Option<u64>,
    /// `Location`.
    pub location: Option<&'a [u8]>,
    /// `Retry-After`. A date counts as absent, since the machine does not know the date.
    pub retry_after: Option<&'a [u8]>,
}

/// Why a web seed is of no more use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum CloseReason {
    /// The server has none of the files.
    #[error("the server has none of the files")]
    NoFiles,
    /// The server sends files from their start only, and they are too long for that.
    #[error("the server sends no ranges")]
    NoRanges,
    /// The handshake of the torrent names another torrent.
    #[error("the web seed of another torrent")]
    WrongTorrent,
}

/// No such request is in flight: it was answered, given up, or never made. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("no request {0} is in flight")]
#[expect(clippy::exhaustive_structs, reason = "the number is all there is")]
pub struct NotRequested(pub u32);
