//! HUGE: files named by their hashes, in the extension areas of queries and hits (GDF "HUGE" 0.94).
//!
//! An area is strings and GGEP blocks, separated by bytes 1C: [`parts`] walks over them, and
//! [`Urn::parse`] reads the strings that name a file.
//!
//! ```
//! use gnutella_wire::huge::{Part, Urn, parts};
//!
//! let area = b"urn:sha1:PLSTHIPQGSSZTS5FJUPAKUZWUGYQYPFB\x1C\xC3\x82BH\x40";
//! let mut parts = parts(area);
//! let Some(Ok(Part::Gem(text))) = parts.next() else { panic!("a string") };
//! let urn = Urn::parse(text.as_bytes()).expect("a hash");
//! assert_eq!(urn.to_string(), "urn:sha1:PLSTHIPQGSSZTS5FJUPAKUZWUGYQYPFB");
//! assert!(matches!(parts.next(), Some(Ok(Part::Ggep(_)))));
//! assert!(parts.next().is_none());
//! ```

pub mod base32;
mod parts;
mod urn;

pub use parts::{Part, Parts, SEPARATOR, parts};
pub(crate) use urn::keyword_hash;
pub use urn::{Sha1, TigerRoot, Urn};
