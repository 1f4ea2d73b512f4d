//! The search for the longest datagram that the path carries.

use core::net::SocketAddr;
use core::time::Duration;

use super::packet::HEADER_LEN;

/// The search ends when no more than this many bytes are open: half of more is enough for the shortest padding.
const STEP: u16 = 20;
/// A datagram that every IPv4 path carries: 576 bytes without the headers of IP and UDP.
const FLOOR_V4: u16 = 548;
/// A datagram that every IPv6 path carries: 1,280 bytes without the headers.
const FLOOR_V6: u16 = 1_232;
/// The longest datagram on Ethernet.
const CEILING_V4: u16 = 1_472;
/// The longest datagram on Ethernet over IPv6.
const CEILING_V6: u16 = 1_452;

/// A length is given up after this many lost probes: packets are also lost for other reasons.
const LOSSES: u8 = 2;
/// The path is examined again after this time: it may carry more, or less, than before.
const AGAIN_SECS: u32 = 600;

/// A binary search between a length that arrives and one that does not. Lengths are those of datagrams.
///
/// A probe is a packet that is known to arrive, padded. If it is lost, the packet is sent again without padding: packets are
/// numbered, not their bytes, so one that was sent with more payload than the path carries could never be sent again in parts.
///
/// After ten minutes a probe of the length in use shows whether the path still carries it. If it does, longer ones are
/// tried again; if it does not, the search begins again below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MtuSearch {
    floor: u16,
    ceiling: u16,
    least: u16,
    most: u16,
    probe: Option<Probe>,
    losses: u8,    // of probes of one length
    again_at: u32, // in seconds; 0 before the first probe
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
        let least = floor;
        let most = ceiling;
        Self { floor, ceiling, least, most, probe: None, losses: 0, again_at: 0 }
    }

    /// Returns the payload of a packet that is known to arrive.
    pub(super) fn payload(&self) -> usize {
        usize::from(self.floor).saturating_sub(HEADER_LEN)
    }

    /// Returns the payload that every path carries.
    pub(super) fn least_payload(&self) -> usize {
        usize::from(self.least).saturating_sub(HEADER_LEN)
    }

    /// Returns the length of the next probe.
    pub(super) fn probe_len(&self, now: Duration) -> Option<usize> {
        let open = self.ceiling.saturating_sub(self.floor);
        let again = self.again_at != 0 && secs(now) >= self.again_at;
        let len = if again { self.floor } else { self.floor.saturating_add(open / 2) };
        let due = self.probe.is_none() && (again || open > STEP);
        due.then(|| len.into())
    }

    pub(super) fn sent_probe(&mut self, now: Duration, seq: u16, len: usize) {
        let len = u16::try_from(len).unwrap_or(self.ceiling);
        self.probe = Some(Probe { seq, len });
        if self.again_at == 0 {
            self.again_at = secs(now).saturating_add(AGAIN_SECS);
        }
    }

    pub(super) fn is_probe(&self, seq: u16) -> bool {
        self.probe.is_some_and(|probe| probe.seq == seq)
    }

    pub(super) fn acked(&mut self, now: Duration, seq: u16) {
        let Some(probe) = self.probe.take_if(|probe| probe.seq == seq) else { return };
        self.losses = 0;
        if probe.len > self.floor {
            self.floor = probe.len;
        } else {
            self.ceiling = self.most;
            self.again_at = secs(now).saturating_add(AGAIN_SECS);
        }
    }

    /// The probe was lost.
    pub(super) fn lost(&mut self, now: Duration) {
        let Some(probe) = self.probe.take() else { return };
        self.losses = self.losses.saturating_add(1);
        if self.losses < LOSSES {
            return;
        }
        self.losses = 0;
        if probe.len > self.floor {
            self.ceiling = probe.len.saturating_sub(1).max(self.floor);
        } else {
            self.restart();
            self.again_at = secs(now).saturating_add(AGAIN_SECS);
        }
    }

    /// The caller could not send a datagram of this length.
    pub(super) fn too_big(&mut self, len: usize) {
        let ceiling = u16::try_from(len.saturating_sub(1)).unwrap_or(u16::MAX);
        self.ceiling = self.ceiling.min(ceiling).max(self.least);
        self.floor = self.floor.min(self.ceiling);
        self.probe = None;
        self.losses = 0;
    }

    /// Packets were lost again and again: the path may have changed.
    pub(super) fn restart(&mut self) {
        if self.floor > self.least {
            self.ceiling = self.floor;
            self.floor = self.least;
        }
        self.probe = None;
        self.losses = 0;
    }
}

/// Returns whole seconds, at least 1.
fn secs(now: Duration) -> u32 {
    u32::try_from(now.as_secs()).unwrap_or(u32::MAX).max(1)
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
        go_on(&mut mtu, Duration::ZERO, path, &mut probes);
        (mtu.payload() + HEADER_LEN, usize::from(probes))
    }

    /// Probes until the search ends.
    fn go_on(mtu: &mut MtuSearch, now: Duration, path: usize, probes: &mut u16) {
        while let Some(len) = mtu.probe_len(now) {
            *probes += 1;
            mtu.sent_probe(now, *probes, len);
            if len <= path { mtu.acked(now, *probes) } else { mtu.lost(now) }
        }
    }

    /// The path may change: ten minutes later the search finds out.
    #[test]
    fn a_path_that_changes_is_measured_again() {
        let mut mtu = MtuSearch::new("192.0.2.1:1".parse().expect("an address"));
        let mut probes = 0;
        for (minute, path) in [(0, 1_472), (10, 1_000), (20, 1_300), (30, 548), (40, 1_472)] {
            let now = Duration::from_secs(minute * 60 + 30);
            go_on(&mut mtu, now, path, &mut probes);
            let found = mtu.payload() + HEADER_LEN;
            assert!(found <= path && found + 21 >= path, "{minute}: {path} {found}");
            assert_eq!(mtu.probe_len(now + Duration::from_secs(500)), None);
        }
    }

    /// A probe that is lost for another reason does not end the search below what the path carries.
    #[test]
    fn one_lost_probe_is_not_believed() {
        let mut mtu = MtuSearch::new("192.0.2.1:1".parse().expect("an address"));
        let mut probes = 0;
        let mut first = true;
        while let Some(len) = mtu.probe_len(Duration::ZERO) {
            probes += 1;
            mtu.sent_probe(Duration::ZERO, probes, len);
            if first {
                mtu.lost(Duration::ZERO);
            } else {
                mtu.acked(Duration::ZERO, probes);
            }
            first = !first;
        }
        assert!(mtu.payload() + HEADER_LEN + 21 >= 1_472);
    }

    /// Timeouts before any probe has arrived do not end the search.
    #[test]
    fn a_restart_at_the_shortest_length_keeps_the_search_open() {
        let mut mtu = MtuSearch::new("192.0.2.1:1".parse().expect("an address"));
        mtu.restart();
        mtu.restart();
        assert!(mtu.probe_len(Duration::ZERO).is_some());
    }

    #[test]
    fn the_search_ends_within_20_bytes_of_the_path() {
        for path in [548, 576, 1_000, 1_232, 1_400, 1_472, 9_000] {
            let (found, probes) = search(path);
            assert!(found <= path && found + 21 >= path.min(1_472), "{path} {found}");
            assert!(probes <= 12, "{path} {probes}");
        }
    }

    #[test]
    fn a_datagram_that_cannot_be_sent_lowers_the_ceiling() {
        let mut mtu = MtuSearch::new("192.0.2.1:1".parse().expect("an address"));
        mtu.sent_probe(Duration::ZERO, 1, 1_010);
        mtu.too_big(1_010);
        assert!(mtu.probe_len(Duration::ZERO).expect("it goes on") < 1_010);
        assert_eq!(mtu.payload(), 528);
        mtu.too_big(10);
        assert_eq!(mtu.payload(), 528, "not below what every path carries");
    }

    /// Half-way between 548 and 1,472 bytes, and so on; IPv6 carries 1,232 bytes in any case.
    #[test]
    fn probes_halve_what_is_open() {
        for (addr, path, lens) in [
            ("192.0.2.1:1", 1_472, &[1_010, 1_241, 1_356, 1_414, 1_443, 1_457][..]),
            ("192.0.2.1:1", 1_200, &[1_010, 1_241, 1_241, 1_125, 1_182, 1_211, 1_211, 1_196]),
            ("[2001:db8::1]:1", 1_452, &[1_342, 1_397, 1_424, 1_438]),
        ] {
            let mut mtu = MtuSearch::new(addr.parse().expect("an address"));
            let mut probes = std::vec![];
            while let Some(len) = mtu.probe_len(Duration::ZERO) {
                probes.push(len);
                let seq = u16::try_from(probes.len()).expect("few");
                mtu.sent_probe(Duration::ZERO, seq, len);
                assert_eq!(mtu.probe_len(Duration::ZERO), None, "one at a time");
                assert!(mtu.is_probe(seq) && !mtu.is_probe(seq + 1));
                mtu.acked(Duration::ZERO, seq + 1);
                assert!(mtu.is_probe(seq), "another packet arrived");
                if len <= path { mtu.acked(Duration::ZERO, seq) } else { mtu.lost(Duration::ZERO) }
            }
            assert_eq!(probes, lens, "{addr} {path}");
        }
    }

    /// Half of more than 20 bytes is enough for the shortest padding.
    #[test]
    fn the_search_ends_when_20_bytes_are_open() {
        for (refused, next) in [(569, None), (570, Some(558))] {
            let mut mtu = MtuSearch::new("192.0.2.1:1".parse().expect("an address"));
            mtu.too_big(refused);
            assert_eq!(mtu.probe_len(Duration::ZERO), next, "{refused}");
        }
    }

    /// Timeouts in a row: the length in use is the new ceiling, and the search begins below.
    #[test]
    fn a_restart_searches_below_the_length_in_use() {
        let mut mtu = MtuSearch::new("192.0.2.1:1".parse().expect("an address"));
        mtu.sent_probe(Duration::ZERO, 1, 1_010);
        mtu.acked(Duration::ZERO, 1);
        assert_eq!((mtu.payload(), mtu.least_payload()), (990, 528));
        mtu.sent_probe(Duration::ZERO, 2, 1_241);
        mtu.restart();
        assert_eq!((mtu.payload(), mtu.is_probe(2)), (528, false));
        assert_eq!(mtu.probe_len(Duration::ZERO), Some(548 + (1_010 - 548) / 2));
    }

    /// After ten minutes the length in use is probed; it arrives, so longer ones are tried, or it is lost twice.
    #[test]
    fn the_length_in_use_is_probed_after_ten_minutes() {
        for (path, next) in [(1_472, Some(1_241)), (900, Some(779))] {
            let mut mtu = MtuSearch::new("192.0.2.1:1".parse().expect("an address"));
            let start = Duration::from_secs(5);
            let mut probes = 0;
            go_on(&mut mtu, start, 1_010, &mut probes);
            assert_eq!(mtu.payload() + HEADER_LEN, 1_010);
            assert_eq!(mtu.probe_len(Duration::from_secs(604)), None);
            let later = Duration::from_secs(605);
            for _ in 0..if path < 1_010 { 2 } else { 1 } {
                assert_eq!(mtu.probe_len(later), Some(1_010));
                mtu.sent_probe(later, 99, 1_010);
                if path < 1_010 { mtu.lost(later) } else { mtu.acked(later, 99) }
            }
            assert_eq!(mtu.probe_len(later), next);
            go_on(&mut mtu, later, path, &mut probes);
            assert_eq!(mtu.probe_len(Duration::from_secs(1_204)), None);
            assert!(mtu.probe_len(Duration::from_secs(1_205)).is_some());
        }
    }
}
