//! What a node reports, and what its calls return.

use crate::branch::BlockError;
use crate::conn::ConnId;
use crate::hash::BlockId;
use crate::header::Height;

/// What a [`Node`](super::Node) reports, or asks its driver for. `E` is the error of the engine.
///
/// `Connected` and `Disconnected` come in the order of the chain: following them leads from one tip to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Event<E> {
    /// Store the bytes of this block durably, then call [`handle_saved`](super::Node::handle_saved). It is valid.
    Keep {
        /// The block.
        id: BlockId,
        /// Its height.
        height: Height,
    },
    /// Get the body of this block and pass the whole block to [`handle_block`](super::Node::handle_block).
    Need {
        /// The block.
        id: BlockId,
        /// Its height.
        height: Height,
    },
    /// The block is on the chain now. It was saved before.
    Connected {
        /// The block.
        id: BlockId,
        /// Its height.
        height: Height,
    },
    /// The block is on the chain no more. Its transactions are unconfirmed, unless blocks that follow have them.
    Disconnected {
        /// The block.
        id: BlockId,
        /// Its height.
        height: Height,
    },
    /// The block has the number of confirmations of the configuration. A block that becomes final earlier is not
    /// reported as confirmed.
    Confirmed {
        /// The block.
        id: BlockId,
        /// Its height.
        height: Height,
        /// The number of blocks from it to the tip, both included.
        depth: u32,
    },
    /// The block cannot be taken back any more.
    Final {
        /// The block.
        id: BlockId,
        /// Its height.
        height: Height,
    },
    /// The block that this connection delivered is invalid: the sender's fault. Also reported for a header alone that
    /// waited for its parent or its time.
    Invalid {
        /// The block.
        id: BlockId,
        /// Who delivered it.
        conn: ConnId,
        /// The reason. After `WrongBody`, `Decode` or `Engine` other bytes of the same block may still be valid.
        why: BlockError<E>,
    },
    /// The branch from this block on is given up: its body did not come, or the journal has no room for it. If the block
    /// is delivered later, it is tried again.
    Abandoned {
        /// The first block that is missing.
        id: BlockId,
    },
}

/// What became of a header or a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Accepted {
    /// The header is in the tree. The body, if there was one, is not the one needed next.
    Header {
        /// The block.
        id: BlockId,
    },
    /// The header is in the tree, and the body waits for [`work`](super::Node::work).
    Body {
        /// The block.
        id: BlockId,
    },
    /// The header is kept until its parent arrives. Ask the sender for that.
    Orphan {
        /// The block.
        id: BlockId,
        /// The unknown parent.
        parent: BlockId,
    },
    /// The header is kept until its time comes.
    Early {
        /// The block.
        id: BlockId,
        /// The Unix second at which it is checked again.
        at: u64,
    },
}

/// Whether there is more to validate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "there is work, or there is none")]
pub enum Progress {
    /// Nothing to do until the next input.
    Idle,
    /// Call [`work`](super::Node::work) again.
    Pending,
}
