//! Transfers without I/O: a download of one file from several sources, and the uploads of a servent.
//!
//! [`Download`] asks each source for another part of the file, keeps places in queues, follows
//! alternate locations, and has each part checked against the Tiger tree of the file, so that a source
//! that sends wrong bytes is found and only its part is fetched again. [`Uploads`] serves requests with
//! slots, a queue and a share of the bandwidth for each.
//!
//! Neither touches the bytes of a file on the way out or keeps them on the way in: the driver reads and
//! writes the file where an event or a [`Piece`] names.

mod alternates;
mod chunked;
mod download;
mod ranges;
mod rate;
mod upload;

pub use alternates::FirewalledSource;
pub use download::{
    AddSourceError, BlockSlot, Download, DownloadCloseReason, DownloadConfig, DownloadEvent,
    DownloadParts, DownloadPartsRef, DownloadSlots, DownloadStorage, FailReason, FileInfo, Piece,
    Progress, Source, SourceFault, SourceId, SourceReport, SourceSlot, Sources, Spans,
};
#[cfg(feature = "alloc")]
pub use download::{DownloadLimits, DownloadVec};
pub use upload::{
    Asked, Offer, UploadCloseReason, UploadConfig, UploadError, UploadEvent, UploadSlot, Uploads,
};
