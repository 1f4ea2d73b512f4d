//! Which leaf may become an ultrapeer.

use core::time::Duration;

/// What a servent knows of itself when it considers to serve others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "the caller fills in all fields")]
pub struct Candidate {
    /// How long it has been running.
    pub uptime: Duration,
    /// How long it runs on average.
    pub average_uptime: Duration,
    /// Whether connections to it fail.
    pub firewalled: bool,
    /// Whether datagrams reach it.
    pub datagrams: bool,
    /// What it can send, in bytes per second.
    pub upload: u32,
    /// What it can receive, in bytes per second.
    pub download: u32,
    /// How many more connections its system allows.
    pub spare_links: usize,
}

/// What a servent asks of itself before it serves others.
///
/// ```
/// use core::time::Duration;
/// use gnutella_wire::election::{Candidate, Election};
///
/// let hours = |n: u64| Duration::from_secs(n * 3600);
/// let mut node = Candidate {
///     uptime: hours(2), average_uptime: hours(4), firewalled: false, datagrams: true,
///     upload: 50_000, download: 200_000, spare_links: 1_000,
/// };
/// assert!(Election::GTKG.is_fit(&node));
/// node.firewalled = true;
/// assert!(!Election::GTKG.is_fit(&node));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "the caller fills in all fields")]
pub struct Election {
    /// The least time it must have been running.
    pub uptime: Duration,
    /// The least time it must run on average.
    pub average_uptime: Duration,
    /// Whether datagrams must reach it.
    pub datagrams: bool,
    /// The least it must be able to send, in bytes per second.
    pub upload: u32,
    /// The least it must be able to receive, in bytes per second.
    pub download: u32,
    /// How many connections it must have room for.
    pub links: usize,
}

impl Election {
    /// As gtk-gnutella 1.2.3: one hour, three on average, and datagrams, with room for 42
    /// ultrapeers and 300 leaves. It also looks at the bandwidth, without a fixed bound.
    pub const GTKG: Self = Self {
        uptime: Duration::from_secs(3_600),
        average_uptime: Duration::from_secs(10_800),
        datagrams: true,
        upload: 0,
        download: 0,
        links: 342,
    };
    /// As `LimeWire`: an hour on average, 10 kB/s up and 20 kB/s down, with room for 32 ultrapeers
    /// and 30 leaves.
    pub const LIMEWIRE: Self = Self {
        uptime: Duration::ZERO,
        average_uptime: Duration::from_secs(3_600),
        datagrams: false,
        upload: 10_000,
        download: 20_000,
        links: 62,
    };

    /// Returns whether the servent may serve others. One behind a firewall never may.
    #[must_use]
    pub fn is_fit(&self, candidate: &Candidate) -> bool {
        !candidate.firewalled
            && (candidate.datagrams || !self.datagrams)
            && candidate.uptime >= self.uptime
            && candidate.average_uptime >= self.average_uptime
            && candidate.upload >= self.upload
            && candidate.download >= self.download
            && candidate.spare_links >= self.links
    }
}

impl Candidate {
    /// Ranks candidates where some have to be chosen, as for supernodes: by
    /// bandwidth and uptime. It is the bytes that it could have sent in an average run.
    #[must_use]
    pub fn score(&self) -> u64 {
        let run = self.average_uptime.max(self.uptime).as_secs();
        if self.firewalled { 0 } else { run.saturating_mul(u64::from(self.upload)) }
    }
}
