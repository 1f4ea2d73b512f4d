//! The names of vendor messages (the ids are those of gtk-gnutella 1.2.3 and `LimeWire`).

use core::fmt;

use super::hit_data::Vendor;

const VENDOR: usize = 4; // ASCII; four NULs for what belongs to no vendor
const SELECTOR: usize = 2; // little-endian
const VERSION: usize = 2; // little-endian

/// The length of an id, in bytes. The data follow it.
pub(super) const ID_LEN: usize = VENDOR + SELECTOR + VERSION;

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
