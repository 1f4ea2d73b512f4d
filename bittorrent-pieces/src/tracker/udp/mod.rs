//! The packets of the UDP tracker protocol (BEP 15), big-endian, one in each datagram.
//!
//! Packets longer than stated are accepted. An announce request is followed by the options of BEP 41.

mod options;
mod packet;
mod request;
mod response;

pub(crate) use options::encode_url_data;
pub use options::{Options, OptionsIter, UdpOption, url_data_len};
pub use packet::{ConnectionId, MAX_SCRAPE, PROTOCOL_ID, PacketError, TransactionId};
pub use request::{Hashes, HashesIter, Request};
pub use response::{Response, Scrapes, ScrapesIter};
