//! What a download reports.

use core::net::SocketAddrV4;

use crate::id::ServentId;
use crate::machine::ConnId;

/// Names a source of a download. Numbers are not used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "a number")]
pub struct SourceId(pub u32);

/// Bytes of the file: write them at `offset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "where to, and what")]
pub struct Piece<'a> {
    /// Where they belong, in bytes from the beginning of the file.
    pub offset: u64,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// What happened, or what the driver is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum DownloadEvent {
    /// The connection is over: close its socket.
    Closed {
        /// Which.
        conn: ConnId,
        /// Why.
        reason: DownloadCloseReason,
    },
    /// Connect, then call `handle_connected` or `handle_dial_failed`.
    Dial {
        /// The source.
        source: SourceId,
        /// Its address.
        address: SocketAddrV4,
    },
    /// Send a push, then call `handle_giv` with what comes.
    Push {
        /// The source.
        source: SourceId,
        /// The servent that is asked to connect.
        servent: ServentId,
        /// Which of its files.
        index: u32,
        /// A neighbour of the source that forwards a push, if one is known.
        proxy: Option<SocketAddrV4>,
    },
    /// Hash these bytes of the written file with a `TreeHasher`, then call `handle_verified`.
    Verify {
        /// The first byte.
        offset: u64,
        /// How many bytes.
        len: u64,
    },
    /// Hash the whole written file with SHA-1, then call `handle_file_verified`.
    VerifyFile,
    /// A source is given up.
    SourceLost {
        /// Which.
        source: SourceId,
        /// Why.
        fault: SourceFault,
    },
    /// No source is left: add others.
    OutOfSources,
    /// The file is complete.
    Completed {
        /// Whether a hash of the whole file was right; otherwise none was known.
        verified: bool,
    },
    /// The file cannot be fetched.
    Failed {
        /// Why.
        reason: FailReason,
    },
}

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum DownloadCloseReason {
    /// The answer is complete, and the source does not keep the connection.
    Finished,
    /// Nothing more is wanted of it.
    Unused,
    /// The source is busy; it is asked again later.
    Busy,
    /// It is too slow, and what it was asked for is requested elsewhere.
    Superseded,
    /// It did not answer, or its answer stopped.
    TimedOut,
    /// Its answer cannot be used.
    Malformed,
    /// The source is given up.
    SourceLost,
}

/// Why a source is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum SourceFault {
    /// Too many failures in a row.
    Unreachable,
    /// It does not have the file, or does not share it with us.
    Refused,
    /// It has another file of this name: the size or the hash differs.
    OtherFile,
    /// It sent wrong bytes, or a wrong tree.
    WrongBytes,
}

/// Why the file cannot be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum FailReason {
    /// The SHA-1 hash and the root that the application named are not of the same file.
    HashesContradict,
}
