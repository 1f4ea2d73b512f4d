//! Vendor messages: one function byte for all that servents agree on between themselves (GDF "Vendor
//! messages"; the ids are those of gtk-gnutella 1.2.3 and `LimeWire`).

use core::fmt;
use core::net::SocketAddrV4;

use super::fields::{address, extra, malformed};
use super::function::Function;
use super::hit_data::Vendor;
use crate::error::{BufferTooSmall, DecodeError};
use crate::id::Guid;
use crate::writer::Writer;

const VENDOR: usize = 4; // ASCII; four NULs for what belongs to no vendor
const SELECTOR: usize = 2; // little-endian
const VERSION: usize = 2; // little-endian
// then the data

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

/// Names a kind of vendor message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct VendorId {
    /// Who made it up.
    pub vendor: Vendor,
    /// Which of the vendor's.
    pub selector: u16,
    /// Which form of it.
    pub version: u16,
}

/// The answer to `BEAR/11`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct QueryStatus(pub u16);

/// A list of kinds of vendor messages, eight bytes each, as they lie on the wire.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Supported<'a>(&'a [[u8; 8]]); // at most 65,535

/// A list of features, six bytes each, as they lie on the wire: four characters and a version.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Features<'a>(&'a [[u8; 6]]); // at most 65,535

impl<'a> VendorMessage<'a> {
    /// The length of what stands before the data, in bytes.
    pub const MIN_LEN: usize = VENDOR + SELECTOR + VERSION;

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

    fn write(&self, w: &mut Writer<'_>) {
        w.bytes(&self.id().to_bytes());
        match *self {
            Self::MessagesSupported(Supported(list)) => write_list(w, list),
            Self::FeaturesSupported(Features(list)) => write_list(w, list),
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

fn write_list<const N: usize>(w: &mut Writer<'_>, list: &[[u8; N]]) {
    w.u16(u16::try_from(list.len()).unwrap_or(u16::MAX)); // checked when it was made
    w.bytes(list.as_flattened());
}

fn port(low: u8, high: u8) -> u16 {
    u16::from_le_bytes([low, high])
}

impl VendorId {
    /// The vendor messages that the sender reads.
    pub const MESSAGES_SUPPORTED: Self = Self::new([0; 4], 0, 0);
    /// The features that the sender has.
    pub const FEATURES_SUPPORTED: Self = Self::new([0; 4], 10, 0);
    /// Flow control by hops.
    pub const HOPS_FLOW: Self = Self::new(*b"BEAR", 4, 1);
    /// A test of the sender's firewall.
    pub const TCP_CONNECT_BACK: Self = Self::new(*b"BEAR", 7, 1);
    /// Leaf guidance: how many hits?
    pub const QUERY_STATUS_REQUEST: Self = Self::new(*b"BEAR", 11, 1);
    /// Leaf guidance: the number of hits.
    pub const QUERY_STATUS: Self = Self::new(*b"BEAR", 12, 1);
    /// A test by datagram, with the GUID in the data.
    pub const UDP_CONNECT_BACK_1: Self = Self::new(*b"GTKG", 7, 1);
    /// A test by datagram.
    pub const UDP_CONNECT_BACK: Self = Self::new(*b"GTKG", 7, 2);
    /// What is the time?
    pub const TIME_SYNC_REQUEST: Self = Self::new(*b"GTKG", 9, 1);
    /// The time.
    pub const TIME_SYNC_REPLY: Self = Self::new(*b"GTKG", 10, 1);
    /// No push proxies needed any more.
    pub const PROXY_CANCEL: Self = Self::new(*b"GTKG", 21, 1);
    /// Who are you?
    pub const NODE_INFO_REQUEST: Self = Self::new(*b"GTKG", 22, 1);
    /// A description of the servent.
    pub const NODE_INFO: Self = Self::new(*b"GTKG", 23, 1);
    /// Asks for neighbours, to map the network.
    pub const CRAWLER_PING: Self = Self::new(*b"LIME", 5, 1);
    /// Asks for hits by datagram.
    pub const OUT_OF_BAND_ACK: Self = Self::new(*b"LIME", 11, 2);
    /// Hits are there.
    pub const OUT_OF_BAND_REPLY: Self = Self::new(*b"LIME", 12, 1);
    /// Do not ask for hits by datagram in a leaf's stead.
    pub const OUT_OF_BAND_VETO: Self = Self::new(*b"LIME", 13, 1);
    /// Asks for a push proxy, version 1.
    pub const PUSH_PROXY_REQUEST_1: Self = Self::new(*b"LIME", 21, 1);
    /// Asks for a push proxy.
    pub const PUSH_PROXY_REQUEST: Self = Self::new(*b"LIME", 21, 2);
    /// Agrees, with a port.
    pub const PUSH_PROXY_ACK_1: Self = Self::new(*b"LIME", 22, 1);
    /// Agrees, with an address.
    pub const PUSH_PROXY_ACK: Self = Self::new(*b"LIME", 22, 2);
    /// Do you have this file? By datagram.
    pub const HEAD_PING: Self = Self::new(*b"LIME", 23, 1);
    /// What there is of it.
    pub const HEAD_PONG: Self = Self::new(*b"LIME", 24, 1);

    /// Names a kind.
    #[must_use]
    pub const fn new(vendor: [u8; 4], selector: u16, version: u16) -> Self {
        Self { vendor: Vendor(vendor), selector, version }
    }

    /// Reads eight bytes as they stand on the wire; any are legal.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        let [a, b, c, d, rest @ ..] = bytes;
        let [low, high, version @ ..] = rest;
        let selector = u16::from_le_bytes([low, high]);
        Self::new([a, b, c, d], selector, u16::from_le_bytes(version))
    }

    /// Returns the eight bytes as they stand on the wire.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 8] {
        let [a, b, c, d] = self.vendor.0;
        let [first, second] = self.selector.to_le_bytes();
        let [low, high] = self.version.to_le_bytes();
        [a, b, c, d, first, second, low, high]
    }

    /// Returns what the message is for, in words; none for unknown ones.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match (&self.vendor.0, self.selector) {
            (b"\0\0\0\0", 0) => "messages supported",
            (b"\0\0\0\0", 10) => "features supported",
            (b"BEAR", 4) => "hops flow",
            (b"BEAR", 7) => "TCP connect back",
            (b"BEAR", 11) => "query status request",
            (b"BEAR", 12) => "query status",
            (b"GTKG", 7) => "UDP connect back",
            (b"GTKG", 9) => "time sync request",
            (b"GTKG", 10) => "time sync reply",
            (b"GTKG", 21) => "proxy cancel",
            (b"GTKG", 22) => "node info request",
            (b"GTKG", 23) => "node info",
            (b"LIME", 5) => "crawler ping",
            (b"LIME", 11) => "out-of-band ack",
            (b"LIME", 12) => "out-of-band reply",
            (b"LIME", 13) => "out-of-band veto",
            (b"LIME", 21) => "push proxy request",
            (b"LIME", 22) => "push proxy ack",
            (b"LIME", 23) => "head ping",
            (b"LIME", 24) => "head pong",
            _ => "",
        }
    }
}

impl QueryStatus {
    /// Enough: the query is to be sent no further.
    pub const STOP: Self = Self(0xFFFF);
}

impl<'a> Supported<'a> {
    /// Takes kinds as [`VendorId::to_bytes`] gives them; `None` if there are more than 65,535.
    #[must_use]
    pub fn new(ids: &'a [[u8; 8]]) -> Option<Self> {
        u16::try_from(ids.len()).ok().map(|_| Self(ids))
    }

    fn read(data: &'a [u8]) -> Option<Self> {
        list(data).map(Self)
    }

    /// Iterates over the kinds.
    pub fn iter(self) -> impl Iterator<Item = VendorId> + use<'a> {
        self.0.iter().map(|bytes| VendorId::from_bytes(*bytes))
    }
}

impl<'a> Features<'a> {
    /// Takes features of six bytes each; `None` if there are more than 65,535.
    #[must_use]
    pub fn new(features: &'a [[u8; 6]]) -> Option<Self> {
        u16::try_from(features.len()).ok().map(|_| Self(features))
    }

    fn read(data: &'a [u8]) -> Option<Self> {
        list(data).map(Self)
    }

    /// Iterates over the names and versions.
    pub fn iter(self) -> impl Iterator<Item = ([u8; 4], u16)> + use<'a> {
        self.0.iter().map(|[a, b, c, d, low, high]| ([*a, *b, *c, *d], port(*low, *high)))
    }
}

/// Reads a count and exactly as many items.
fn list<const N: usize>(data: &[u8]) -> Option<&[[u8; N]]> {
    let (count, items) = data.split_first_chunk()?;
    let (items, []) = items.as_chunks() else { return None };
    (usize::from(u16::from_le_bytes(*count)) == items.len()).then_some(items)
}

impl fmt::Display for VendorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.vendor.0 == [0; 4] {
            f.write_str("0")?;
        } else {
            write!(f, "{}", self.vendor.0.escape_ascii())?;
        }
        write!(f, "/{}v{}", self.selector, self.version)
    }
}

impl fmt::Debug for Supported<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for Features<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
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
