//! A waiting transaction: what is compared, in one slot, and its bytes, in chunks.

use core::cmp::Ordering;

use crate::buckets::Link;
use crate::hash::TxId;
use crate::header::Height;
use crate::policy::Account;

const CHUNK_LEN: usize = 252;

/// Room for one transaction, besides its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MempoolSlot {
    pub(super) id: TxId,
    pub(super) account: Account,
    pub(super) lane: u16,
    pub(super) sequence: u64,
    pub(super) valid_until: Height,
    pub(super) fee: u64,
    pub(super) reserve: u64,   // fee and coins paid
    pub(super) len: u32,       // 0 in a free slot
    pub(super) has_next: bool, // the next one of its lane waits, too
    pub(super) first_chunk: Link,
    pub(super) id_bucket: Link, // the first slot of the bucket with the index of this slot
    pub(super) next_id: Link,
    pub(super) account_bucket: Link,
    pub(super) next_account: Link, // or the next free slot
    pub(super) heap: Link,         // scratch of the template
}

/// Room for 252 bytes of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkSlot {
    pub(super) bytes: [u8; CHUNK_LEN],
    pub(super) next: Link,
}

impl MempoolSlot {
    /// A free slot.
    pub const EMPTY: Self = Self {
        id: TxId::from_bytes([0; 32]),
        account: Account::from_bytes([0; 32]),
        lane: 0,
        sequence: 0,
        valid_until: Height(0),
        fee: 0,
        reserve: 0,
        len: 0,
        has_next: false,
        first_chunk: Link::NONE,
        id_bucket: Link::NONE,
        next_id: Link::NONE,
        account_bucket: Link::NONE,
        next_account: Link::NONE,
        heap: Link::NONE,
    };

    pub(super) const fn is_free(&self) -> bool {
        self.len == 0
    }

    pub(super) fn is_at(&self, account: &Account, lane: u16, sequence: u64) -> bool {
        self.sequence == sequence && self.lane == lane && self.account == *account
    }

    pub(super) fn is_in_lane_of(&self, other: &Self) -> bool {
        self.lane == other.lane && self.account == other.account
    }

    /// Compares by fee per byte; among equals the lower id is the greater one, since it comes first.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let ours = u128::from(self.fee).saturating_mul(u128::from(other.len));
        let theirs = u128::from(other.fee).saturating_mul(u128::from(self.len));
        ours.cmp(&theirs).then_with(|| other.id.cmp(&self.id))
    }
}

impl ChunkSlot {
    /// A free chunk.
    pub const EMPTY: Self = Self { bytes: [0; CHUNK_LEN], next: Link::NONE };
    /// The bytes in a chunk.
    pub const LEN: usize = CHUNK_LEN;
}
