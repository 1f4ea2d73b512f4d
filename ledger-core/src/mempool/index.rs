//! The slots of a mempool as a table: found by id and by account through seeded indexes that lie in the slots.

use super::slot::{ChunkSlot, MempoolSlot};
use crate::buckets::{Link, bucket};
use crate::hash::TxId;
use crate::policy::Account;

/// Where the free slots and chunks begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Roots {
    seed: u64,
    free_slot: Link,
    free_chunk: Link,
    free_chunks: usize,
    len: usize,
}

#[derive(Clone, Copy)]
pub(super) struct IndexRef<'a> {
    pub(super) roots: &'a Roots,
    pub(super) slots: &'a [MempoolSlot],
    pub(super) chunks: &'a [ChunkSlot],
}

pub(super) struct Index<'a> {
    pub(super) roots: &'a mut Roots,
    pub(super) slots: &'a mut [MempoolSlot],
    pub(super) chunks: &'a mut [ChunkSlot],
}

impl Roots {
    /// Clears the storage.
    pub(super) fn clear(seed: u64, slots: &mut [MempoolSlot], chunks: &mut [ChunkSlot]) -> Self {
        slots.fill(MempoolSlot::EMPTY);
        chunks.fill(ChunkSlot::EMPTY);
        let mut roots = Self {
            seed,
            free_slot: Link::NONE,
            free_chunk: Link::NONE,
            free_chunks: chunks.len(),
            len: 0,
        };
        for (index, slot) in slots.iter_mut().enumerate().rev() {
            slot.next_account = roots.free_slot;
            roots.free_slot = Link::to(index);
        }
        for (index, chunk) in chunks.iter_mut().enumerate().rev() {
            chunk.next = roots.free_chunk;
            roots.free_chunk = Link::to(index);
        }
        roots
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    fn bucket(&self, key: &[u8; 32], buckets: usize) -> Option<usize> {
        bucket(self.seed, key, buckets)
    }
}

impl<'a> IndexRef<'a> {
    pub(super) fn slot(&self, at: usize) -> &'a MempoolSlot {
        self.slots.get(at).unwrap_or(&MempoolSlot::EMPTY)
    }

    pub(super) fn find(&self, id: &TxId) -> Option<usize> {
        let bucket = self.roots.bucket(id.as_bytes(), self.slots.len())?;
        let first = self.slot(bucket).id_bucket.get();
        let mut chain = core::iter::successors(first, |at| self.slot(*at).next_id.get());
        chain.find(|at| self.slot(*at).id == *id)
    }

    /// Returns the transactions of an account.
    pub(super) fn of_account(self, account: Account) -> impl Iterator<Item = usize> + 'a {
        let bucket = self.roots.bucket(account.as_bytes(), self.slots.len());
        let first = bucket.and_then(|bucket| self.slot(bucket).account_bucket.get());
        let chain = core::iter::successors(first, move |at| self.slot(*at).next_account.get());
        chain.filter(move |at| self.slot(*at).account == account)
    }

    pub(super) fn at(&self, account: &Account, lane: u16, sequence: u64) -> Option<usize> {
        self.of_account(*account).find(|at| self.slot(*at).is_at(account, lane, sequence))
    }

    /// Returns whether it is the first one of its lane.
    pub(super) fn is_first(&self, at: usize) -> bool {
        self.before(self.slot(at)).is_none()
    }

    /// Returns the one before it in its lane.
    fn before(&self, slot: &MempoolSlot) -> Option<usize> {
        self.at(&slot.account, slot.lane, slot.sequence.checked_sub(1)?)
    }

    /// Returns the one that follows it in its lane.
    pub(super) fn after(&self, slot: &MempoolSlot) -> Option<usize> {
        self.at(&slot.account, slot.lane, slot.sequence.checked_add(1)?)
    }

    /// Returns the transaction with the lowest fee per byte.
    pub(super) fn cheapest(&self) -> Option<&'a MempoolSlot> {
        let used = self.slots.iter().filter(|slot| !slot.is_free());
        used.min_by(|one, other| one.compare(other))
    }

    /// Returns the last one of the lane of a transaction.
    pub(super) fn last_of_lane(&self, of: &MempoolSlot) -> Option<usize> {
        self.slots.iter().position(|slot| !slot.has_next && slot.is_in_lane_of(of))
    }

    /// Returns the chunks that a transaction of this length takes.
    pub(super) fn chunks_for(len: usize) -> usize {
        len.div_ceil(ChunkSlot::LEN)
    }

    /// Returns whether a transaction of this length fits after `freed` chunks are given back.
    pub(super) fn has_chunks(&self, len: usize, freed: usize) -> bool {
        Self::chunks_for(len) <= self.roots.free_chunks.saturating_add(freed)
    }

    pub(super) fn has_slot(&self) -> bool {
        self.roots.free_slot != Link::NONE
    }

    /// Copies the bytes of a transaction to the front of `out` and returns their number, or `None` if `out` is too
    /// small.
    pub(super) fn copy(&self, at: usize, out: &mut [u8]) -> Option<usize> {
        let slot = self.slot(at);
        let len = usize::try_from(slot.len).ok()?;
        let out = out.get_mut(..len)?;
        let mut chunk = slot.first_chunk;
        for piece in out.chunks_mut(ChunkSlot::LEN) {
            let from = self.chunks.get(chunk.get()?)?;
            piece.copy_from_slice(from.bytes.get(..piece.len())?);
            chunk = from.next;
        }
        Some(len)
    }
}

impl Index<'_> {
    pub(super) fn as_ref(&self) -> IndexRef<'_> {
        IndexRef { roots: self.roots, slots: self.slots, chunks: self.chunks }
    }

    pub(super) fn change(&mut self, at: usize, change: impl FnOnce(&mut MempoolSlot)) {
        if let Some(slot) = self.slots.get_mut(at) {
            change(slot);
        }
    }

    /// Stores a transaction. There is a free slot, and there are chunks.
    pub(super) fn insert(&mut self, slot: MempoolSlot, bytes: &[u8]) {
        let Some(at) = self.roots.free_slot.get() else { return };
        let place = *self.as_ref().slot(at);
        self.roots.free_slot = place.next_account;
        self.roots.len = self.roots.len.saturating_add(1);
        let buckets = self.slots.len();
        let id_bucket = self.roots.bucket(slot.id.as_bytes(), buckets).unwrap_or(0);
        let account_bucket = self.roots.bucket(slot.account.as_bytes(), buckets).unwrap_or(0);
        let has_next = self.as_ref().after(&slot).is_some();
        if let Some(before) = self.as_ref().before(&slot) {
            self.change(before, |before| before.has_next = true);
        }
        let first_chunk = self.store(bytes);
        let next_id = self.as_ref().slot(id_bucket).id_bucket;
        let next_account = self.as_ref().slot(account_bucket).account_bucket;
        self.change(at, |slot_| {
            *slot_ = MempoolSlot {
                has_next,
                first_chunk,
                id_bucket: place.id_bucket,
                account_bucket: place.account_bucket,
                next_id,
                next_account,
                ..slot
            };
        });
        self.change(id_bucket, |slot| slot.id_bucket = Link::to(at));
        self.change(account_bucket, |slot| slot.account_bucket = Link::to(at));
    }

    /// Stores bytes in chunks, and returns the first.
    fn store(&mut self, bytes: &[u8]) -> Link {
        let first = self.roots.free_chunk;
        let mut last = None;
        for piece in bytes.chunks(ChunkSlot::LEN) {
            let at = self.roots.free_chunk.get();
            let Some(chunk) = at.and_then(|at| self.chunks.get_mut(at)) else { break };
            if let Some(place) = chunk.bytes.get_mut(..piece.len()) {
                place.copy_from_slice(piece);
            }
            self.roots.free_chunk = chunk.next;
            self.roots.free_chunks = self.roots.free_chunks.saturating_sub(1);
            last = at;
        }
        if let Some(chunk) = last.and_then(|last| self.chunks.get_mut(last)) {
            chunk.next = Link::NONE;
        }
        first
    }

    /// Frees the slot and the chunks of a transaction.
    pub(super) fn remove(&mut self, at: usize) {
        let slot = *self.as_ref().slot(at);
        if slot.is_free() {
            return;
        }
        if let Some(before) = self.as_ref().before(&slot) {
            self.change(before, |before| before.has_next = false);
        }
        self.unlink_id(&slot, at);
        self.unlink_account(&slot, at);
        let mut chunk = slot.first_chunk;
        while let Some(place) = chunk.get().and_then(|at| self.chunks.get_mut(at)) {
            let next = place.next;
            *place = ChunkSlot { next: self.roots.free_chunk, ..ChunkSlot::EMPTY };
            self.roots.free_chunk = chunk;
            self.roots.free_chunks = self.roots.free_chunks.saturating_add(1);
            chunk = next;
        }
        let place = *self.as_ref().slot(at);
        let free = self.roots.free_slot;
        self.change(at, |slot| {
            *slot = MempoolSlot {
                id_bucket: place.id_bucket,
                account_bucket: place.account_bucket,
                next_account: free,
                ..MempoolSlot::EMPTY
            };
        });
        self.roots.free_slot = Link::to(at);
        self.roots.len = self.roots.len.saturating_sub(1);
    }

    fn unlink_id(&mut self, slot: &MempoolSlot, at: usize) {
        let bucket = self.roots.bucket(slot.id.as_bytes(), self.slots.len()).unwrap_or(0);
        let index = self.as_ref();
        let first = index.slot(bucket).id_bucket;
        let mut chain = core::iter::successors(first.get(), |at| index.slot(*at).next_id.get());
        match chain.find(|before| index.slot(*before).next_id.get() == Some(at)) {
            Some(before) => self.change(before, |before| before.next_id = slot.next_id),
            None => self.change(bucket, |bucket| bucket.id_bucket = slot.next_id),
        }
    }

    fn unlink_account(&mut self, slot: &MempoolSlot, at: usize) {
        let bucket = self.roots.bucket(slot.account.as_bytes(), self.slots.len()).unwrap_or(0);
        let index = self.as_ref();
        let first = index.slot(bucket).account_bucket;
        let mut chain =
            core::iter::successors(first.get(), |at| index.slot(*at).next_account.get());
        match chain.find(|before| index.slot(*before).next_account.get() == Some(at)) {
            Some(before) => self.change(before, |before| before.next_account = slot.next_account),
            None => self.change(bucket, |bucket| bucket.account_bucket = slot.next_account),
        }
    }
}
