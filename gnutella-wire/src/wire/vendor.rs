//! Vendor messages: one function byte for all that servents agree on between themselves (GDF "Vendor
//! messages"; the ids are those of gtk-gnutella 1.2.3 and `LimeWire`).

use core::fmt;
use core::net::SocketAddrV4;

use super::fields::{address, extra, malformed};
use super::function::Function;
use super::vendor_id::{ID_LEN, VendorId};
use super::vendor_lists::{Features, Supported};
use crate::error::{BufferTooSmall, DecodeError};
use crate::id::Guid;
use crate::writer::Writer;

/// The payload of a message of function 31 or 32. Hops 0, TTL 1; never forwarded.
///
/// [`Message::decode`](super::Message::decode) keeps such a payload as [`Other`](super::Other); this
/// reads its body. What is unknown, or does not have exactly the length of its kind, is
/// [`Other`](Self::Other), so that any body encodes back to its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum VendorMessage<'a> {
    /// The vendor messages that the sender reads.
    MessagesSupported(Supported<'a>),
    /// The features that the sender has.
    FeaturesSupported(Features<'a>),
    /// `BEAR/4`: only queries with fewer hops than this are wanted; 0 means none at all.
    HopsFlow(u8),
    /// `BEAR/7`: asks the receiver to connect to this port, as a test of the sender's firewall.
    TcpConnectBack(u16),
    /// `BEAR/11`: asks a leaf how many hits its query has; the GUID of the message is the query's.
    QueryStatusRequest,
    /// `BEAR/12`: how many hits the query has that the GUID names.
    QueryStatus(QueryStatus),
    /// `GTKG/7`: as `TcpConnectBack`, by datagram. Version 1 names the GUID of the datagram, in
    /// version 2 it is that of the message.
    UdpConnectBack {
        /// Where the datagram is to go.
        port: u16,
        /// The GUID that the datagram is to have.
        guid: Option<Guid>,
    },
    /// `GTKG/21`: the sender no longer needs its push proxies.
    ProxyCancel,
    /// `LIME/11`: asks for this many of the indicated hits by datagram.
    OutOfBandAck(u8),
    /// `LIME/12` version 1: this many hits are available.
    OutOfBandReply(u8),
    /// `LIME/21`: asks the receiver to pass on pushes; the GUID of the message is the servent's id.
    PushProxyRequest {
        /// 1, or 2, which asks for an acknowledgement with the whole address.
        version: u16,
    },
    /// `LIME/22` version 1: agrees to be a push proxy, on this port.
    PushProxyPort(u16),
    /// `LIME/22` version 2: agrees to be a push proxy, at this address.
    PushProxyAddress(SocketAddrV4),
    /// Anything else, kept as it stands.
    Other(VendorId, &'a [u8]),
}

/// The answer to `BEAR/11`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct QueryStatus(pub u16);

impl<'a> VendorMessage<'a> {
    /// The length of what stands before the data, in bytes.
    pub const MIN_LEN: usize = ID_LEN;

    /// Reads a whole payload.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Malformed`] below 8 bytes.
    pub fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let short = malformed(Function::VENDOR, payload);
        let (id, data) = payload.split_first_chunk().ok_or(short)?;
        let id = VendorId::from_bytes(*id);
        Ok(Self::read(id, data).unwrap_or(Self::Other(id, data)))
    }

    fn read(id: VendorId, data: &'a [u8]) -> Option<Self> {
        Some(match (id, data) {
            (VendorId::MESSAGES_SUPPORTED, data) => Self::MessagesSupported(Supported::read(data)?),
            (VendorId::FEATURES_SUPPORTED, data) => Self::FeaturesSupported(Features::read(data)?),
            (VendorId::HOPS_FLOW, [hops]) => Self::HopsFlow(*hops),
            (VendorId::TCP_CONNECT_BACK, [a, b]) => Self::TcpConnectBack(port(*a, *b)),
            (VendorId::QUERY_STATUS_REQUEST, []) => Self::QueryStatusRequest,
            (VendorId::QUERY_STATUS, [a, b]) => Self::QueryStatus(QueryStatus(port(*a, *b))),
            (VendorId::UDP_CONNECT_BACK_1, [a, b, guid @ ..]) => {
                let guid = Some(Guid(guid.try_into().ok()?));
                Self::UdpConnectBack { port: port(*a, *b), guid }
            }
            (VendorId::UDP_CONNECT_BACK, [a, b]) => {
                Self::UdpConnectBack { port: port(*a, *b), guid: None }
            }
            (VendorId::PROXY_CANCEL, []) => Self::ProxyCancel,
            (VendorId::OUT_OF_BAND_ACK, [hits]) => Self::OutOfBandAck(*hits),
            (VendorId::OUT_OF_BAND_REPLY, [hits]) => Self::OutOfBandReply(*hits),
            (VendorId::PUSH_PROXY_REQUEST_1, []) => Self::PushProxyRequest { version: 1 },
            (VendorId::PUSH_PROXY_REQUEST, []) => Self::PushProxyRequest { version: 2 },
            (VendorId::PUSH_PROXY_ACK_1, [a, b]) => Self::PushProxyPort(port(*a, *b)),
            (VendorId::PUSH_PROXY_ACK, [ip @ .., a, b]) => {
                Self::PushProxyAddress(address(ip.try_into().ok()?, [*a, *b]))
            }
            _ => return None,
        })
    }

    /// Returns what kind this is.
    #[must_use]
    pub const fn id(&self) -> VendorId {
        match self {
            Self::MessagesSupported(_) => VendorId::MESSAGES_SUPPORTED,
            Self::FeaturesSupported(_) => VendorId::FEATURES_SUPPORTED,
            Self::HopsFlow(_) => VendorId::HOPS_FLOW,
            Self::TcpConnectBack(_) => VendorId::TCP_CONNECT_BACK,
            Self::QueryStatusRequest => VendorId::QUERY_STATUS_REQUEST,
            Self::QueryStatus(_) => VendorId::QUERY_STATUS,
            Self::UdpConnectBack { guid: Some(_), .. } => VendorId::UDP_CONNECT_BACK_1,
            Self::UdpConnectBack { guid: None, .. } => VendorId::UDP_CONNECT_BACK,
            Self::ProxyCancel => VendorId::PROXY_CANCEL,
            Self::OutOfBandAck(_) => VendorId::OUT_OF_BAND_ACK,
            Self::OutOfBandReply(_) => VendorId::OUT_OF_BAND_REPLY,
            Self::PushProxyRequest { version } => {
                VendorId { version: *version, ..VendorId::PUSH_PROXY_REQUEST }
            }
            Self::PushProxyPort(_) => VendorId::PUSH_PROXY_ACK_1,
            Self::PushProxyAddress(_) => VendorId::PUSH_PROXY_ACK,
            Self::Other(id, _) => *id,
        }
    }

    /// Returns the length of the payload, in bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        Writer::measure(|w| self.write(w))
    }

    /// Writes the payload and returns its length.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] below [`encoded_len`](Self::encoded_len) bytes.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        Writer::fill(out, |w| self.write(w))
    }

    pub(crate) fn write(&self, w: &mut Writer<'_>) {
        w.bytes(&self.id().to_bytes());
        match *self {
            Self::MessagesSupported(list) => list.write(w),
            Self::FeaturesSupported(list) => list.write(w),
            Self::HopsFlow(byte) | Self::OutOfBandAck(byte) | Self::OutOfBandReply(byte) => {
                w.u8(byte);
            }
            Self::TcpConnectBack(word)
            | Self::QueryStatus(QueryStatus(word))
            | Self::PushProxyPort(word) => w.u16(word),
            Self::UdpConnectBack { port, guid } => {
                w.u16(port);
                w.bytes(guid.as_ref().map_or(&[], |guid| &guid.0[..]));
            }
            Self::PushProxyAddress(address) => {
                w.bytes(&address.ip().octets());
                w.u16(address.port());
            }
            Self::QueryStatusRequest | Self::ProxyCancel | Self::PushProxyRequest { .. } => {}
            Self::Other(_, data) => w.bytes(data),
        }
    }
}

impl QueryStatus {
    /// Enough: the query is to be sent no further.
    pub const STOP: Self = Self(0xFFFF);
}

impl fmt::Display for VendorMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.id();
        write!(f, "{id}")?;
        if !id.name().is_empty() {
            write!(f, " {}", id.name())?;
        }
        match self {
            Self::MessagesSupported(list) => list.iter().try_for_each(|id| write!(f, " {id}")),
            Self::FeaturesSupported(list) => {
                list.iter().try_for_each(|(name, _)| write!(f, " {}", name.escape_ascii()))
            }
            Self::HopsFlow(byte) | Self::OutOfBandAck(byte) | Self::OutOfBandReply(byte) => {
                write!(f, " {byte}")
            }
            Self::QueryStatus(QueryStatus::STOP) => f.write_str(" stop"),
            Self::TcpConnectBack(word)
            | Self::QueryStatus(QueryStatus(word))
            | Self::UdpConnectBack { port: word, .. }
            | Self::PushProxyPort(word) => write!(f, " {word}"),
            Self::PushProxyAddress(address) => write!(f, " {address}"),
            Self::QueryStatusRequest | Self::ProxyCancel | Self::PushProxyRequest { .. } => Ok(()),
            Self::Other(_, data) => extra(f, data),
        }
    }
}

fn port(low: u8, high: u8) -> u16 {
    u16::from_le_bytes([low, high])
}
