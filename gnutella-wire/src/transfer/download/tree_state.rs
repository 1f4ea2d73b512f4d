//! What is known of the Tiger tree of the file.

use crate::huge::TigerRoot;
use crate::thex::{Fold, Shape};

/// The longest address of a tree that is used, in bytes.
pub(super) const MAX_URI: usize = 160;
/// A tree has fewer nodes than two to this power in its last row.
const ROWS: usize = 24;
pub(super) const NODE: usize = 24;

/// What is known of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "without an allocator the reader has no other place")]
pub(super) enum Tree {
    None,
    /// A source has one.
    Offered(Offer),
    /// It is being read.
    Fetching(Offer, Reader),
    /// Each block has its node. `source` sent it.
    Known {
        source: u32,
    },
}

/// Where a tree is, and its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) source: u32,
    pub(super) root: TigerRoot,
    pub(super) uri: [u8; MAX_URI],
    pub(super) uri_len: usize,
}

/// Reads a tree as it arrives. Only the last row is of use: the rows above are recomputed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reader {
    pub(super) step: Step,
    pub(super) upper: u64, // nodes of the rows above that are still to come
    pub(super) row: u32,   // a block has two to this power nodes of the last row
    pub(super) fold: Fold<ROWS>,
    pub(super) block: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    RecordHeader,
    Nodes(u64),
    Skip(u64),
}

/// The tree cannot be used.
#[derive(Debug)]
pub(super) struct BadTree;

impl Tree {
    /// Returns the path to ask for.
    pub(super) fn uri(&self) -> &[u8] {
        match self {
            Self::Offered(offer) | Self::Fetching(offer, _) => {
                offer.uri.get(..offer.uri_len).unwrap_or_default()
            }
            Self::None | Self::Known { .. } => &[],
        }
    }

    pub(super) const fn fetched_from(&self) -> Option<u32> {
        match self {
            Self::Fetching(offer, _) => Some(offer.source),
            _ => None,
        }
    }
}

impl Reader {
    pub(super) const fn new() -> Self {
        let step = Step::RecordHeader;
        Self { step, upper: 0, row: 0, fold: Fold::new(), block: 0 }
    }

    /// Prepares for a tree of `total` nodes.
    pub(super) fn begin(&mut self, size: u64, block_len: u64, total: u64) -> Result<(), BadTree> {
        let shape = Shape::of_total(size, total).ok_or(BadTree)?;
        if shape.span > block_len || shape.nodes >> ROWS != 0 || self.fold.count() > 0 {
            return Err(BadTree); // too coarse to find a bad block, too fine, or a second tree
        }
        self.upper = total.saturating_sub(shape.nodes);
        self.row = block_len.checked_div(shape.span).ok_or(BadTree)?.trailing_zeros();
        self.step = Step::Nodes(total);
        Ok(())
    }
}
