//! One node of the table.

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use core::time::Duration;

use crate::dht::id::NodeId;

/// A node that has been silent for this time is questionable, and a bucket is refreshed (BEP 5).
pub(in crate::dht) const QUIET: Duration = Duration::from_secs(15 * 60);
/// A node that fails this many times in a row is bad.
pub(super) const FAILURES: u8 = 3;
/// The number of bits of an id that distinguish buckets.
pub(super) const DEEPEST: u8 = 159;

/// A slot for one node: at most 80 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteSlot(pub(super) Option<Entry>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) contact: Contact,
    pub(super) heard_at: Duration,
    pub(super) failures: u8, // in a row
    pub(super) ping_due: bool,
}

/// The id and the address of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "what a compact node holds")]
pub struct Contact {
    /// Its id.
    pub id: NodeId,
    /// Its UDP address.
    pub addr: SocketAddr,
}

/// How reliable a node is (BEP 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "the three states of BEP 5")]
pub enum Health {
    /// It failed to answer several times in a row.
    Bad,
    /// It was silent for 15 minutes.
    Questionable,
    /// It answered or sent a query in the last 15 minutes.
    Good,
}

impl RouteSlot {
    /// An unused slot.
    pub const EMPTY: Self = Self(None);

    /// Returns the node, if there is one.
    #[must_use]
    pub fn contact(&self) -> Option<Contact> {
        self.0.map(|entry| entry.contact)
    }
}

impl Contact {
    pub(in crate::dht) const NONE: Self = Self {
        id: NodeId([0; 20]),
        addr: SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0)),
    };
}

impl Entry {
    /// Returns whether the node was heard of within the last 15 minutes.
    pub(super) fn is_active(&self, now: Duration) -> bool {
        self.heard_at.checked_add(QUIET).is_none_or(|end| now < end)
    }

    pub(super) fn health(&self, now: Duration) -> Health {
        if self.failures >= FAILURES {
            Health::Bad
        } else if self.is_active(now) {
            Health::Good
        } else {
            Health::Questionable
        }
    }
}
