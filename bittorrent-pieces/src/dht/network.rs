//! Networks: the addresses that one owner is expected to hold.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IPv4 /24 or an IPv6 /64. A local address is a network of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
    prefix: u128,
    local: bool,
}

impl Network {
    pub(super) fn of(ip: IpAddr) -> Self {
        let local = is_local(ip);
        let prefix = match ip {
            IpAddr::V4(ip) if local => u128::from(ip.to_bits()),
            IpAddr::V4(ip) => u128::from(ip.to_bits() >> 8),
            IpAddr::V6(ip) if local => ip.to_bits(),
            IpAddr::V6(ip) => ip.to_bits() >> 64,
        };
        Self { prefix, local }
    }

    /// Returns how many of `public` places the network may take. Several nodes on one local address are
    /// common in tests and behind address translation, so it may take `local` places.
    pub(super) const fn share(self, public: usize, local: usize) -> usize {
        if self.local { local } else { public }
    }
}

/// Returns whether an address is private, link-local or loopback: BEP 42 accepts any id from it.
pub(super) fn is_local(ip: IpAddr) -> bool {
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
