//! Identifiers modulo 2^m, and the interval arithmetic on it.

#[cfg(any(
    feature = "can",
    feature = "freenet",
    feature = "kademlia",
    feature = "pastry",
    feature = "tapestry"
))]
mod bits;
mod identifier;
mod wide;
mod word;

#[cfg(any(
    feature = "can",
    feature = "freenet",
    feature = "kademlia",
    feature = "pastry",
    feature = "tapestry"
))]
pub use bits::Bits;
pub use identifier::{Identifier, KeyRange};
pub use wide::{Id, Id64, Id128, Id160, Id256};
pub use word::Word;
