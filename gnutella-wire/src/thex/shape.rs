//! How many nodes the rows of a tree have.

use super::hash::SEGMENT;

/// The last row of a serialised tree: how many nodes it has, and how many bytes each covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// The length in bytes of the part that a node covers: a power of two, at least 1,024. The last
    /// node covers what remains.
    pub span: u64,
    /// The nodes of the last row, at least 1.
    pub nodes: u64,
}

impl Shape {
    /// Returns the last row that servents keep for a file of `size` bytes (gtk-gnutella and LimeWire):
    /// at most 2^9 nodes below 256 MiB, one row more below 1 GiB, two more above.
    #[must_use]
    pub fn customary(size: u64) -> Self {
        let doublings = (size / (256 << 10)).checked_ilog2().map_or(0, |log| log.saturating_add(1));
        let depth = match size >> 20 {
            0..256 => doublings.min(9),
            256..1_024 => 10,
            _ => 11,
        };
        Self::all(size).find(|shape| shape.nodes <= 1 << depth).unwrap_or(Self::whole(size))
    }

    /// Returns the last row of a tree of `total` nodes in all rows; `None` if a file of `size` bytes
    /// has no such tree. What a peer calls the depth is not needed: some count edges, some rows.
    #[must_use]
    pub fn of_total(size: u64, total: u64) -> Option<Self> {
        Self::all(size).find(|shape| shape.total() <= total).filter(|shape| shape.total() == total)
    }

    /// Returns the nodes of all rows, from the root to the last row.
    #[must_use]
    pub fn total(&self) -> u64 {
        let mut row = self.nodes;
        let mut total = row;
        while row > 1 {
            row = row.div_ceil(2);
            total = total.saturating_add(row);
        }
        total
    }

    /// Returns how many rows there are, the one of the root included.
    #[must_use]
    pub fn rows(&self) -> u32 {
        self.nodes.saturating_sub(1).checked_ilog2().map_or(1, |log| log.saturating_add(2))
    }

    /// The possible last rows, from that of the leaves up.
    fn all(size: u64) -> impl Iterator<Item = Self> {
        let spans = (0..54).map(|row: u32| u64::try_from(SEGMENT).unwrap_or(1) << row);
        let shape = move |span| Self { span, nodes: size.div_ceil(span).max(1) };
        spans.map(shape)
    }

    fn whole(size: u64) -> Self {
        Self { span: size.max(1).checked_next_power_of_two().unwrap_or(1 << 63), nodes: 1 }
    }
}
