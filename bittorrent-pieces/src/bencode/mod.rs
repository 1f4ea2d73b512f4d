//! Bencode (BEP 3, "bencoding"): integers, byte strings, lists, dictionaries; no allocation.
//!
//! Three layers: [`Tokens`] pulls one token at a time; [`Value`] is the checked bytes of a value and
//! reads on demand, borrowing; [`Writer`] produces canonical bytes.
//!
//! ```
//! use bittorrent_pieces::bencode::{Limits, Mode, Value};
//!
//! let value = Value::from_bytes(b"d3:cow3:moo4:spaml1:a1:bee", Mode::Strict, Limits::DEFAULT)?;
//! assert_eq!(value.find(b"cow").and_then(|moo| moo.as_bytes()), Some(&b"moo"[..]));
//! assert_eq!(value.find(b"spam").map(|list| list.items().count()), Some(2));
//! # Ok::<(), bittorrent_pieces::bencode::BencodeError>(())
//! ```

mod check;
mod token;
mod value;
mod write;

pub use check::{Limits, MAX_DEPTH, Mode};
pub(crate) use check::{short_strings, split_int};
pub use token::{BencodeError, Token, Tokens};
pub use value::{Entries, Items, Value};
pub use write::{DictWriter, WriteError, Writer};
