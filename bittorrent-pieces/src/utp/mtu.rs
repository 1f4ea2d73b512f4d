//! The search for the longest datagram that the path carries.

use core::net::SocketAddr;

use super::packet::HEADER_LEN;

/// The search ends when no more than this many bytes are open.
const STEP: u16 = 16;
/// A datagram that every IPv4 path carries: 576 bytes without the headers of IP and UDP.
const FLOOR_V4: u16 = 548;
/// A datagram that every IPv6 path carries: 1,280 bytes without the headers.
const FLOOR_V6: u16 = 1_232;
/// The longest datagram on Ethernet.
const CEILING_V4: u16 = 1_472;
/// The longest datagram on Ethernet over IPv6.
const CEILING_V6: u16 = 1_452;

/// A binary search between a length that arrives and one that does not. Lengths are those of datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MtuSearch {
    floor: u16,
    ceiling: u16,
    least: u16,
    probe: Option<Probe>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Probe {
    seq: u16,
    len: u16,
}

impl MtuSearch {
    pub(super) const fn new(addr: SocketAddr) -> Self {
        let (floor, ceiling) = match addr {
            SocketAddr::V4(_) => (FLOOR_V4, CEILING_V4),
            SocketAddr::V6(_) => (FLOOR_V6, CEILING_V6),
        };
        Self { floor, ceiling, least: floor, probe: None }
    }

    /// Returns the payload of a packet that is known to arrive.
    pub(super) fn payload(&self) -> usize {
        usize::from(self.floor).saturating_sub(HEADER_LEN)
    }

    /// Returns the payload of the next probe.
    pub(super) fn probe_payload(&self) -> Option<usize> {
        let open = self.ceiling.saturating_sub(self.floor);
        if self.probe.is_some() || open <= STEP {
            return None;
        }
        let len = self.floor.saturating_add(open / 2);
        Some(usize::from(len).saturating_sub(HEADER_LEN))
    }

    pub(super) fn sent_probe(&mut self, seq: u16, payload: usize) {
        let len = u16::try_from(payload.saturating_add(HEADER_LEN)).unwrap_or(self.ceiling);
        self.probe = Some(Probe { seq, len });
    }

    pub(super) fn is_probe(&self, seq: u16) -> bool {
        self.probe.is_some_and(|probe| probe.seq == seq)
    }

    pub(super) fn acked(&mut self, seq: u16) {
        if let Some(probe) = self.probe.take_if(|probe| probe.seq == seq) {
            self.floor = self.floor.max(probe.len);
        }
    }

    /// The probe was lost.
    pub(super) fn lost(&mut self) {
        if let Some(probe) = self.probe.take() {
            self.ceiling = probe.len.saturating_sub(1).max(self.floor);
        }
    }

    /// The caller could not send a datagram of this length.
    pub(super) fn too_big(&mut self, len: usize) {
        let ceiling = u16::try_from(len.saturating_sub(1)).unwrap_or(u16::MAX);
        self.ceiling = self.ceiling.min(ceiling).max(self.least);
        self.floor = self.floor.min(self.ceiling);
        self.probe = None;
    }

    /// Packets were lost again and again: the path may have changed.
    pub(super) fn restart(&mut self) {
        self.ceiling = self.floor;
        self.floor = self.least;
        self.probe = None;
    }
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    reason = "a malformed table fails the test"
)]
mod tests {
    use super::*;

    fn search(path: usize) -> (usize, usize) {
        let mut mtu = MtuSearch::new("192.0.2.1:1".parse().expect("an address"));
        let mut probes = 0;
        while let Some(payload) = mtu.probe_payload() {
            probes += 1;
            mtu.sent_probe(probes, payload);
            if payload + HEADER_LEN <= path { mtu.acked(probes) } else { mtu.lost() }
        }
        (mtu.payload() + HEADER_LEN, usize::from(probes))
    }

    #[test]
    fn the_search_ends_within_16_bytes_of_the_path() {
        for path in [548, 576, 1_000, 1_232, 1_400, 1_472, 9_000] {
            let (found, probes) = search(path);
            assert!(found <= path && found + 17 >= path.min(1_472), "{path} {found}");
            assert!(probes <= 6, "{path} {probes}");
        }
    }

    #[test]
    fn a_datagram_that_cannot_be_sent_lowers_the_ceiling() {
        let mut mtu = MtuSearch::new("192.0.2.1:1".parse().expect("an address"));
        mtu.sent_probe(1, 990);
        mtu.too_big(1_010);
        assert!(mtu.probe_payload().expect("it goes on") < 990);
        assert_eq!(mtu.payload(), 528);
        mtu.too_big(10);
        assert_eq!(mtu.payload(), 528, "not below what every path carries");
    }
}
