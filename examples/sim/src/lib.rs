//! A network in virtual time and a checker of the laws; both know no protocol, only bytes,
//! addresses and time.
//!
//! - [`Network`]: datagrams and byte streams between numbered addresses, with latency, jitter,
//!   loss, duplication, reordering, uplink rates, partitions and the death of nodes. Same seed,
//!   same calls: the same deliveries at the same instants.
//! - [`laws`]: drives any machine in an arbitrary order of calls and checks what every machine of
//!   the family promises.
//! - [`Graph`]: random graphs of nodes, the same for the same seed.
//!
//! ```
//! use core::time::Duration;
//! use sim::{Addr, Delivery, Link, Network};
//!
//! let mut net = Network::new(7, Link::default());
//! let (ann, ben) = (Addr(1), Addr(2));
//! net.send_datagram(ann, ben, b"hello");
//! let Some(Delivery::Datagram { from, to, bytes }) = net.next(Duration::from_secs(1)) else {
//!     panic!("a link without loss delivers");
//! };
//! assert_eq!((from, to, &bytes[..]), (ann, ben, &b"hello"[..]));
//! assert_eq!(net.now(), Duration::from_millis(20));
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod delivery;
mod graph;
pub mod laws;
mod network;
mod rng;

pub use delivery::{Addr, Delivery, Link, Stats, StreamId};
pub use graph::Graph;
pub use network::Network;
pub use rng::Rng;
