//! The sister geometries: how others decide where a key leads.
//!
//! Each is the state of one node and pure decisions on it – what to learn, what to forget, where a key leads –
//! with neither time nor messages. All answer in the words of Chord, with a [`Route`](crate::Route): the owner of the key, or
//! the node to ask next. What they mean by the owner differs:
//!
//! | geometry | owner of a key |
//! |---|---|
//! | Chord, [`RoutingTable`](crate::RoutingTable) | the first node clockwise from the key |
//! | Pastry, [`Pastry`] | the numerically closest node, on either side |
//! | Tapestry, [`Tapestry`] | the root: digit by digit the node's that is wanted, or the next one that exists |
//! | CAN, [`Can`] | the node whose zone contains the key's point |
//! | Kademlia, [`Kademlia`] | the node at the smallest XOR distance |
//! | Freenet, [`Freenet`] | any node near the key that holds its data |
//!
//! Slots are provided by the caller: any `[Option<Peer<I, A>>]` serves, such as an array.

#[cfg(feature = "can")]
mod can;
#[cfg(feature = "freenet")]
mod freenet;
#[cfg(feature = "kademlia")]
mod kademlia;
#[cfg(any(feature = "freenet", feature = "kademlia", feature = "pastry", feature = "tapestry"))]
mod known;
#[cfg(feature = "pastry")]
mod leaves;
#[cfg(feature = "pastry")]
mod pastry;
#[cfg(any(feature = "pastry", feature = "tapestry"))]
mod prefix;
#[cfg(feature = "freenet")]
mod swap;
#[cfg(feature = "tapestry")]
mod tapestry;
#[cfg(feature = "can")]
mod zone;

pub use crate::id::Bits;
#[cfg(feature = "can")]
pub use can::{Can, CanError, Neighbour, Neighbours};
#[cfg(feature = "freenet")]
pub use freenet::{Freenet, HopsToLive, Visit};
#[cfg(feature = "kademlia")]
pub use kademlia::Kademlia;
#[cfg(any(
    feature = "freenet",
    feature = "kademlia",
    feature = "pastry",
    feature = "tapestry"
))]
pub use known::Known;
#[cfg(feature = "pastry")]
pub use pastry::Pastry;
#[cfg(feature = "tapestry")]
pub use tapestry::{Announcements, Tapestry};
#[cfg(feature = "can")]
pub use zone::{Point, Zone};
