//! The signatures of the unfinalized end of a chain: a queue, and the newest of each signer in a hash table.

use crate::id::ValidatorId;

/// Storage for one signature: 48 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreditSlot {
    number: u64,
    signer: ValidatorId,
    /// The first signature of the bucket with the index of this slot.
    bucket: Link,
    /// The next signature of the bucket that this signature is in.
    next: Link,
}

/// The place of a slot plus 1, or 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Link(u32);

/// Which slots are in use, and how many signers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Queue {
    start: usize,
    len: usize,
    different: u64,
}

/// A queue on its slots. The newest signature of each signer is in the bucket of the signer: the end of the queue from any
/// place has as many signers as signatures that are in a bucket.
pub(super) struct Credits<'a> {
    pub(super) queue: &'a mut Queue,
    pub(super) slots: &'a mut [CreditSlot],
}

impl CreditSlot {
    /// A free slot.
    pub const EMPTY: Self =
        Self { number: 0, signer: ValidatorId([0; 32]), bucket: Link::END, next: Link::END };
}

impl Link {
    const END: Self = Self(0);

    fn to(at: usize) -> Self {
        Self(u32::try_from(at.saturating_add(1)).unwrap_or(0))
    }

    fn place(self) -> Option<usize> {
        usize::try_from(self.0).ok()?.checked_sub(1)
    }
}

impl<'a> Credits<'a> {
    pub(super) fn new(queue: &'a mut Queue, slots: &'a mut [CreditSlot]) -> Self {
        let places = usize::try_from(u32::MAX).unwrap_or(usize::MAX); // what a link can name
        let used = slots.len().min(places);
        Self { queue, slots: slots.get_mut(..used).unwrap_or_default() }
    }

    /// Returns the number of slots that are free.
    pub(super) fn free(&self) -> usize {
        self.slots.len().saturating_sub(self.queue.len)
    }

    pub(super) const fn different_signers(&self) -> u64 {
        self.queue.different
    }

    /// Appends a signature. There has to be a free slot.
    pub(super) fn push(&mut self, number: u64, signer: ValidatorId) {
        if let Some(older) = self.newest_of(&signer) {
            self.unlink(older);
        }
        let at = self.wrap(self.queue.start.saturating_add(self.queue.len));
        let bucket = self.bucket_of(&signer);
        let next = self.slots.get(bucket).map_or(Link::END, |slot| slot.bucket);
        let Some(slot) = self.slots.get_mut(at) else { return };
        slot.number = number;
        slot.signer = signer;
        slot.next = next;
        if let Some(slot) = self.slots.get_mut(bucket) {
            slot.bucket = Link::to(at);
        }
        self.queue.len = self.queue.len.saturating_add(1);
        self.queue.different = self.queue.different.saturating_add(1);
    }

    /// Removes the signatures of the oldest block, and returns its number.
    pub(super) fn pop_block(&mut self) -> Option<u64> {
        let number = self.first()?.number;
        while let Some(CreditSlot { signer, .. }) = self.first().filter(|it| it.number == number) {
            let at = self.queue.start;
            if self.newest_of(&signer) == Some(at) {
                self.unlink(at);
            }
            self.queue.start = self.wrap(at.saturating_add(1));
            self.queue.len = self.queue.len.saturating_sub(1);
        }
        Some(number)
    }

    fn first(&self) -> Option<CreditSlot> {
        if self.queue.len == 0 { None } else { self.slots.get(self.queue.start).copied() }
    }

    fn newest_of(&self, signer: &ValidatorId) -> Option<usize> {
        let bucket = self.slots.get(self.bucket_of(signer))?;
        let mut link = bucket.bucket;
        loop {
            let at = link.place()?;
            let slot = self.slots.get(at)?;
            if slot.signer == *signer {
                return Some(at);
            }
            link = slot.next;
        }
    }

    /// Takes a signature, which has to be the newest of its signer, out of its bucket.
    fn unlink(&mut self, at: usize) {
        let Some(CreditSlot { signer, next, .. }) = self.slots.get(at).copied() else { return };
        let bucket = self.bucket_of(&signer);
        let first = self.slots.get(bucket).and_then(|slot| slot.bucket.place());
        if first == Some(at) {
            if let Some(slot) = self.slots.get_mut(bucket) {
                slot.bucket = next;
            }
        } else {
            let place_after = |place: usize| self.slots.get(place).and_then(|it| it.next.place());
            let mut places = core::iter::successors(first, |place| place_after(*place));
            let before = places.find(|place| place_after(*place) == Some(at));
            let Some(slot) = before.and_then(|before| self.slots.get_mut(before)) else { return };
            slot.next = next;
        }
        self.queue.different = self.queue.different.saturating_sub(1);
    }

    fn bucket_of(&self, signer: &ValidatorId) -> usize {
        let ValidatorId(bytes) = signer;
        let (words, _) = bytes.as_chunks::<8>();
        let mix = |mixed: u64, word: &[u8; 8]| {
            (mixed ^ u64::from_le_bytes(*word)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
        };
        let hash = words.iter().fold(0, mix);
        let len = u64::try_from(self.slots.len()).unwrap_or(u64::MAX);
        usize::try_from(hash.checked_rem(len).unwrap_or(0)).unwrap_or(0)
    }

    /// Returns the place in the ring of slots.
    fn wrap(&self, at: usize) -> usize {
        at.checked_sub(self.slots.len()).unwrap_or(at)
    }
}
