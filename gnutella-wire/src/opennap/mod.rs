//! The central index: the protocol of Napster as `OpenNap` servers speak it (napster.txt by drscholl, 2000).
//!
//! Clients log in at a server, send it the names of their files, and ask it for others'; the files
//! go from peer to peer. If the index falls silent, nothing is found any more, while transfers go on.
//!
//! | part | type |
//! |---|---|
//! | bytes and values | [`Frame`], [`Message`] |
//! | the server | [`Index`] |
//! | the client | [`Client`] |
//! | between two peers | [`peer`] |
//!
//! **Passwords go over the network as plain text**, and anybody on the path reads them. [`Index`] does not
//! check them at all: it takes any nick that is free.
//!
//! Not read: channels (400 to 424, but for 404), commands of operators (6xx, 8xx), and auto-upgrade (5), which
//! runs foreign code. They come as [`Message::Other`]. An [`Index`] answers requests for sources by MD5 (215) with
//! an empty list, and what it does not support with a notice (404).

mod client;
mod fields;
mod frame;
mod index;
mod kinds;
mod message;
pub mod peer;
mod search;
mod values;

pub use client::{Client, ClientCloseReason, ClientError, ClientEvent, ClientState};
pub use frame::{Frame, HEADER_LEN, Kind, MAX_DATA, NapError};
pub use index::{
    EntrySlot, FileSlot, Index, IndexCloseReason, IndexConfig, IndexEvent, IndexParts,
    IndexPartsRef, IndexSlots, IndexStorage, MAX_NAME, MAX_NICK, UserSlot, UserState,
};
#[cfg(feature = "alloc")]
pub use index::{IndexLimits, IndexVec};
pub use message::Message;
pub use search::{Bound, MAX_RESULTS, Search};
pub use values::{
    File, Folder, FolderFiles, Found, LinkType, Login, NapAddress, Source, Transfer, Wanted,
};
