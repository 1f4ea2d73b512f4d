//! A header of the tree, in a caller-provided slot.

use crate::buckets::Link;
use crate::engine::{Tip, Weight};
use crate::hash::{BlockId, Hash};
use crate::header::{Claim, Header, Height};
use crate::policy::Account;
use crate::state::Effects;

/// Room for one header of any branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderSlot {
    pub(super) header: Header,
    pub(super) id: BlockId,
    pub(super) status: Status,
    pub(super) saved: bool,
    pub(super) keep_due: bool,
    pub(super) weight: Weight, // of the branch up to here
    pub(super) arrival: u64,
    pub(super) writes: usize, // in the journal, while executed
    pub(super) effects: Effects,
    pub(super) subtree: Subtree,
    pub(super) parent: Link, // `NONE` for a child of the root
    pub(super) first_child: Link,
    pub(super) next_sibling: Link,
    pub(super) bucket: Link, // the first header of the bucket with the index of this slot
    pub(super) next: Link,   // in the bucket, or in the list of free slots
}

/// The smallest complete subtree of the history that ends with a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Subtree {
    pub(super) root: Hash,
    pub(super) before: Link, // the block before it; not followed below the root of the tree
}

/// What is known of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Free,
    /// The header is checked; the body is not executed.
    Header,
    /// Executed, on the branch under trial.
    Trial,
    /// On the chain.
    Active,
    /// The body, or that of an ancestor, is invalid.
    Invalid,
    /// The body, or that of an ancestor, could not be had.
    Parked,
}

impl HeaderSlot {
    /// A free slot.
    pub const EMPTY: Self = Self {
        header: Header {
            height: Height(0),
            parent: BlockId::from_bytes([0; 32]),
            body_size: 0,
            body_root: Hash::ZERO,
            state: Hash::ZERO,
            history: Hash::ZERO,
            time: 0,
            author: Account::from_bytes([0; 32]),
            claim: Claim::NONE,
        },
        id: BlockId::from_bytes([0; 32]),
        status: Status::Free,
        saved: false,
        keep_due: false,
        weight: Weight(0),
        arrival: 0,
        writes: 0,
        effects: Effects::NONE,
        subtree: Subtree::EMPTY,
        parent: Link::NONE,
        first_child: Link::NONE,
        next_sibling: Link::NONE,
        bucket: Link::NONE,
        next: Link::NONE,
    };

    pub(super) fn new(header: Header, id: BlockId, weight: Weight) -> Self {
        Self { header, id, weight, status: Status::Header, ..Self::EMPTY }
    }

    pub(super) fn tip(&self) -> Tip {
        Tip {
            height: self.header.height,
            id: self.id,
            time: self.header.time,
            state: self.header.state,
            weight: self.weight,
        }
    }
}

impl Subtree {
    pub(super) const EMPTY: Self = Self { root: Hash::ZERO, before: Link::NONE };
}
