//! What a tracker knows of a torrent.

/// The statistics of one torrent (BEP 15, 48).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct ScrapeStats {
    /// The number of peers that have all of it.
    pub seeders: u32,
    /// The number of times it was completed.
    pub completed: u32,
    /// The number of peers that lack some of it.
    pub leechers: u32,
}
