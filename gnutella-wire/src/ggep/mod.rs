//! GGEP: extensions with a name, in a block that a pong, a query, a hit or a record carries (GDF
//! "Gnutella Generic Extension Protocol" 0.51).
//!
//! [`blocks`] walks over what stands in a payload, [`Block::extensions`] over a block,
//! [`Extension::value`] undoes the coding that keeps NULs out, and [`Known::read`] decodes the
//! value means, where this crate knows. [`GgepWriter`] writes a block.
//!
//! ```
//! use gnutella_wire::ggep::{Block, GgepWriter, Known};
//!
//! let mut out = [0; 16];
//! let mut writer = GgepWriter::new(&mut out);
//! writer.push(b"DU", &[0x19])?;
//! writer.push(b"BH", &[])?;
//! let len = writer.finish();
//! assert_eq!(out[..len], *b"\xC3\x02DU\x41\x19\x82BH\x40");
//!
//! let (block, rest) = Block::decode(&out[..len])?;
//! let uptime = block.find(b"DU").and_then(|extension| Known::read(extension.id(), extension.data()));
//! assert_eq!((uptime, rest.len()), (Some(Known::Uptime(25)), 0)); // seconds a day
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod block;
pub mod cobs;
mod known;
mod layout;
mod number;
mod writer;

pub use block::{Block, Blocks, Extension, Extensions, GgepError, ValueError, blocks};
pub use known::{EndpointIter, Endpoints, FreeSlots, Hash, Known, Scp};
pub use layout::{MAGIC, MAX_LEN};
pub use number::Number;
pub use writer::{GgepWriter, PushError};
