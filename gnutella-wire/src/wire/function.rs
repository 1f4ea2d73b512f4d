//! The byte of a header that states what its payload is (0.4, 2.2; 0.6, 2.2).

use core::fmt;

/// What a message is: one byte after the GUID. Any value is legal; unknown ones are skipped by their
/// length.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Function(pub u8);

impl Function {
    /// Asks for hosts.
    pub const PING: Self = Self(0x00);
    /// Answers a ping.
    pub const PONG: Self = Self(0x01);
    /// Ends a connection, with the reason.
    pub const BYE: Self = Self(0x02);
    /// Carries a query-routing table.
    pub const QRP: Self = Self(0x30);
    /// A vendor's message, experimental.
    pub const VENDOR: Self = Self(0x31);
    /// A vendor's message, standard.
    pub const VENDOR_STANDARD: Self = Self(0x32);
    /// Asks a servent that cannot be reached to connect.
    pub const PUSH: Self = Self(0x40);
    /// Reliable transport over datagrams.
    pub const RUDP: Self = Self(0x41);
    /// Distributed hash table.
    pub const DHT: Self = Self(0x44);
    /// Asks for files.
    pub const QUERY: Self = Self(0x80);
    /// Answers a query.
    pub const QUERY_HIT: Self = Self(0x81);
    /// Counts the horizon.
    pub const HSEP: Self = Self(0xCD);
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match *self {
            Self::PING => "PING",
            Self::PONG => "PONG",
            Self::BYE => "BYE",
            Self::QRP => "QRP",
            Self::VENDOR | Self::VENDOR_STANDARD => "VENDOR",
            Self::PUSH => "PUSH",
            Self::RUDP => "RUDP",
            Self::DHT => "DHT",
            Self::QUERY => "QUERY",
            Self::QUERY_HIT => "HIT",
            Self::HSEP => "HSEP",
            Self(other) => return write!(f, "function {other:#04x}"),
        };
        f.write_str(name)
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Function({:#04x})", self.0)
    }
}
