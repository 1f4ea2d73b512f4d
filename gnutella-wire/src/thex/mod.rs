//! Tiger trees (THEX 02): one hash for each part of a file, under a root that names the file.
//!
//! A leaf is the Tiger hash of a byte 00 and 1,024 bytes of the file, an inner node that of a byte 01
//! and its two children. A node without a brother moves up unchanged. With the tree a downloader finds
//! the part in which a source lied, and fetches only that part again.
//!
//! ```
//! use gnutella_wire::thex::TreeHasher;
//!
//! let mut hasher = TreeHasher::new();
//! hasher.update(&[0x41; 1_000]);
//! hasher.update(&[0x41; 25]);
//! assert_eq!(hasher.finish().to_string(), "PZMRYHGY6LTBEH63ZWAHDORHSYTLO4LEFUIKHWY");
//! ```

#![expect(clippy::exhaustive_structs, reason = "the fields are the format")]

mod dime;
mod hash;
mod shape;
mod tree;

pub use dime::{BREADTH_FIRST, Record};
pub use hash::{Node, SEGMENT, TreeHasher, parent};
pub use shape::Shape;
pub use tree::Tree;

pub(crate) use hash::Fold;
