//! Networks: the addresses that one owner is expected to hold.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::rng::mix;

/// An IPv4 /24 or an IPv6 /64. A local address is a network of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    prefix: u128,
    local: bool,
}

impl Network {
    pub(crate) fn of(ip: IpAddr) -> Self {
        let local = is_local(ip);
        let prefix = match ip {
            IpAddr::V4(ip) if local => u128::from(ip.to_bits()),
            IpAddr::V4(ip) => u128::from(ip.to_bits() >> 8),
            IpAddr::V6(ip) if local => ip.to_bits(),
            IpAddr::V6(ip) => ip.to_bits() >> 64,
        };
        Self { prefix, local }
    }

    /// Returns a short form; different networks rarely have the same.
    pub(crate) fn digest(self) -> u64 {
        let high = u64::try_from(self.prefix >> 64).unwrap_or(0);
        let low = u64::try_from(self.prefix & u128::from(u64::MAX)).unwrap_or(0);
        mix(low ^ mix(high))
    }

    pub(crate) const fn is_local(self) -> bool {
        self.local
    }

    /// Returns how many of `public` places the network may take. Several nodes on one local address are
    /// common in tests and behind address translation, so it may take `local` places.
    pub(crate) const fn share(self, public: usize, local: usize) -> usize {
        if self.local { local } else { public }
    }
}

/// Returns whether an address is private, link-local or loopback: BEP 42 accepts any id from it.
pub(crate) fn is_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_local_v4(ip),
        IpAddr::V6(ip) => is_local_v6(ip),
    }
}

fn is_local_v4(ip: Ipv4Addr) -> bool {
    ip.is_private() || ip.is_link_local() || ip.is_loopback()
}

fn is_local_v6(ip: Ipv6Addr) -> bool {
    ip.is_loopback() || ip.is_unicast_link_local() || ip.is_unique_local()
}
