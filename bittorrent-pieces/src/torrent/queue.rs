//! The requests between us and a peer, in slots of the caller.

use core::net::{IpAddr, SocketAddr};
use core::ops::Range;
use core::time::Duration;

use crate::block::{Block, PieceIndex};
use crate::compact_time::Stamp;
use crate::merkle::MerkleHash;
use crate::wire::extended::Holepunch;
use crate::wire::hashes::HashRange;

/// Room for one request of a connection, in either direction: 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestSlot {
    piece: PieceIndex,
    begin: u32,
    at: Stamp, // when it was made; for hashes, which they are
    len: u16,
    pub(super) step: Step,
}

/// How far a request is; the first four are ours, the others those of the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Due,
    Sent,
    Cancel,    // the cancel is due
    Cancelled, // under the fast extension, an answer comes all the same
    Give,
    Reject,
    Refuse,    // a reject of an invalid request: its length is in `at`
    Hashes,    // of a layer, or a reject of them
    Metadata,  // a piece of the info dictionary, or a reject of it
    Holepunch, // a message of the holepunch extension: the rest of its address is in the next slot
    Address,
    Unused,
}

impl RequestSlot {
    /// An unused slot.
    pub const EMPTY: Self =
        Self { piece: PieceIndex(0), begin: 0, at: Stamp(0), len: 0, step: Step::Unused };

    /// Returns a request for a block of at most 16 KiB.
    pub(super) fn new(block: Block, now: Duration, step: Step) -> Self {
        let len = u16::try_from(block.len).unwrap_or(u16::MAX);
        Self { piece: block.piece, begin: block.begin, at: Stamp::of(now), len, step }
    }

    /// Returns the reject of an invalid request, of any length; an unused slot if there is to be no answer.
    pub(super) fn refused(block: Block, answer: bool) -> Self {
        let step = if answer { Step::Refuse } else { Step::Unused };
        Self { piece: block.piece, begin: block.begin, at: Stamp(block.len), len: 0, step }
    }

    /// Returns a message of the holepunch extension in two slots.
    pub(super) fn of_holepunch(message: Holepunch) -> [Self; 2] {
        let (kind, addr, error) = message.parts();
        let bits = match addr.ip() {
            IpAddr::V4(ip) => u128::from(ip.to_bits()) << 96,
            IpAddr::V6(ip) => ip.to_bits(),
        };
        let bytes = bits.to_be_bytes();
        let (words, _) = bytes.as_chunks::<4>();
        let mut words = words.iter().map(|word| u32::from_be_bytes(*word));
        let mut next = || words.next().unwrap_or(0);
        let [a, b, c, d] = [next(), next(), next(), next()];
        let family = u32::from(addr.is_ipv6());
        let head = Self {
            piece: PieceIndex(a),
            begin: u32::from(kind) << 8 | family,
            at: Stamp(error),
            len: addr.port(),
            step: Step::Holepunch,
        };
        let rest =
            Self { piece: PieceIndex(b), begin: c, at: Stamp(d), len: 0, step: Step::Address };
        [head, rest]
    }

    /// Returns the message of the holepunch extension again.
    pub(super) fn holepunch(&self, rest: &Self) -> Holepunch {
        let [a, b, c, d] = [self.piece.0, rest.piece.0, rest.begin, rest.at.0].map(u128::from);
        let ip = if self.begin & 1 == 0 {
            IpAddr::V4(self.piece.0.into())
        } else {
            IpAddr::V6((a << 96 | b << 64 | c << 32 | d).into())
        };
        let [.., kind, _] = self.begin.to_be_bytes();
        Holepunch::of_parts(kind, SocketAddr::new(ip, self.len), self.at.0)
    }

    pub(super) fn metadata(piece: u32) -> Self {
        Self { piece: PieceIndex(piece), step: Step::Metadata, ..Self::EMPTY }
    }

    /// Returns a request for hashes of a file by its number, so that the root need not be stored. The
    /// numbers are valid.
    pub(super) fn hashes(range: &HashRange, file: u32) -> Self {
        let numbers = range.base.min(0xFF) << 8 | range.proof_layers.min(0xFF);
        Self {
            piece: PieceIndex(range.index),
            begin: file,
            at: Stamp(numbers),
            len: u16::try_from(range.length).unwrap_or(u16::MAX), // at most 8,192
            step: Step::Hashes,
        }
    }

    /// Returns the request for hashes again.
    pub(super) fn range(&self, root: MerkleHash) -> HashRange {
        let Stamp(numbers) = self.at;
        let base = numbers >> 8;
        let proof_layers = numbers & 0xFF;
        HashRange { root, base, index: self.piece.0, length: u32::from(self.len), proof_layers }
    }

    /// Returns the number of the file of which hashes are asked for.
    pub(super) fn file(&self) -> u32 {
        self.begin
    }

    pub(super) fn block(&self) -> Block {
        let len = if self.step == Step::Refuse { self.at.0 } else { u32::from(self.len) };
        Block { piece: self.piece, begin: self.begin, len }
    }

    /// Returns when it was made.
    pub(super) fn at(&self) -> Stamp {
        self.at
    }

    /// Returns whether it was cancelled, and most likely will not be answered: older versions of Transmission answer no cancel,
    /// although the fast extension requires it.
    pub(super) fn is_overdue(&self, patience: Duration, now: Duration) -> bool {
        self.step == Step::Cancelled && self.at().is_past(patience.saturating_mul(2), now)
    }

    /// Returns whether an answer is expected.
    pub(super) fn is_in_flight(&self) -> bool {
        matches!(self.step, Step::Due | Step::Sent)
    }
}

/// Requests one behind the other at the front of slots.
///
/// Ours are in the order of their steps: cancels that are due, those that were sent, requests in flight, requests that are due.
/// So nothing but the place of a block needs a look at all of them.
pub(super) struct Queue<'q>(&'q mut [RequestSlot]);

impl<'q> Queue<'q> {
    /// Returns our requests of a peer and its requests of us: the two halves of its share of the slots.
    pub(super) fn both(slots: &'q mut [RequestSlot]) -> (Self, Self) {
        let (ours, theirs) = slots.split_at_mut(slots.len() / 2);
        (Self(ours), Self(theirs))
    }
}

impl Queue<'_> {
    /// Returns the number of slots.
    pub(super) fn capacity(&self) -> usize {
        self.0.len()
    }

    /// Returns whether a peer waits for a block already.
    pub(super) fn has(&self, block: Block) -> bool {
        self.iter().any(|known| known.step == Step::Give && known.block() == block)
    }

    /// Cancels requests of ours that were sent.
    pub(super) fn cancel(&mut self, is: impl Fn(&RequestSlot) -> bool) {
        let mut cancels = self.run(|step| step == Step::Cancel);
        let begin = self.run(|step| matches!(step, Step::Cancel | Step::Cancelled));
        for at in begin..self.next_due() {
            let Some(slot) = self.0.get_mut(at).filter(|slot| is(slot)) else { continue };
            slot.step = Step::Cancel;
            move_last_to_front(self.0.get_mut(cancels..=at).unwrap_or_default());
            cancels = cancels.saturating_add(1);
        }
    }

    /// Forgets cancelled requests whose answers are overdue, but for the last, where there is room for it.
    pub(super) fn forget_cancelled(&mut self, overdue: impl Fn(&RequestSlot) -> bool) {
        let kept = usize::from(self.capacity() > 1);
        let count = self.iter().filter(|slot| overdue(slot)).count();
        for _ in 0..count.saturating_sub(kept) {
            self.position(&overdue).map(|at| self.remove(at));
        }
    }

    /// Returns the place of the request of ours that is to be sent next, or of the cancel.
    pub(super) fn next_to_send(&self) -> Option<usize> {
        let step = |at| self.get(at).map(|slot| slot.step);
        if step(0) == Some(Step::Cancel) {
            return Some(0);
        }
        let due = self.next_due();
        (step(due) == Some(Step::Due)).then_some(due)
    }

    /// Notes that a request or a cancel was sent, whose place is that of [`next_to_send`](Self::next_to_send).
    pub(super) fn sent(&mut self, at: usize) {
        let cancels = self.run(|step| step == Step::Cancel);
        let Some(slot) = self.0.get_mut(at) else { return };
        if slot.step == Step::Due {
            slot.step = Step::Sent;
            return;
        }
        slot.step = Step::Cancelled;
        move_first_to_end(self.0.get_mut(at..cancels).unwrap_or_default());
    }

    /// Returns where the requests of ours begin that are due.
    fn next_due(&self) -> usize {
        self.run(|step| matches!(step, Step::Cancel | Step::Cancelled | Step::Sent))
    }

    /// Returns how many slots at the front have a step, before all that have not.
    fn run(&self, has: impl Fn(Step) -> bool) -> usize {
        self.0.partition_point(|slot| has(slot.step))
    }

    pub(super) fn clear(&mut self) {
        self.0.fill(RequestSlot::EMPTY);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &RequestSlot> {
        self.0.iter().take_while(|slot| slot.step != Step::Unused)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut RequestSlot> {
        self.0.iter_mut().take_while(|slot| slot.step != Step::Unused)
    }

    pub(super) fn len(&self) -> usize {
        self.run(|step| step != Step::Unused)
    }

    /// Returns how many more fit.
    pub(super) fn free(&self) -> usize {
        self.0.len().saturating_sub(self.len())
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.last().is_none_or(|slot| slot.step != Step::Unused)
    }

    /// Returns the number of requests of ours whose answer is expected.
    pub(super) fn in_flight(&self) -> usize {
        self.len().saturating_sub(self.run(|step| matches!(step, Step::Cancel | Step::Cancelled)))
    }

    pub(super) fn position(&self, is: impl Fn(&RequestSlot) -> bool) -> Option<usize> {
        self.iter().position(is)
    }

    pub(super) fn get(&self, at: usize) -> Option<RequestSlot> {
        self.0.get(at).copied()
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut RequestSlot> {
        self.0.get_mut(at)
    }

    /// Adds a request at the end; returns whether there was room.
    pub(super) fn push(&mut self, request: RequestSlot) -> bool {
        let len = self.len();
        self.0.get_mut(len).map(|slot| *slot = request).is_some()
    }

    /// Removes a request; the others keep their order.
    pub(super) fn remove(&mut self, at: usize) -> Option<RequestSlot> {
        let removed = self.get(at)?;
        let end = self.len();
        move_first_to_end(self.0.get_mut(at..end).unwrap_or_default());
        *self.0.get_mut(end.checked_sub(1)?)? = RequestSlot::EMPTY;
        Some(removed)
    }

    /// Removes all other requests.
    pub(super) fn retain(&mut self, keep: impl Fn(&RequestSlot) -> bool) {
        let mut at = 0_usize;
        while let Some(slot) = self.get(at).filter(|slot| slot.step != Step::Unused) {
            if keep(&slot) {
                at = at.saturating_add(1);
            } else {
                self.remove(at);
            }
        }
    }
}

fn move_last_to_front(slots: &mut [RequestSlot]) {
    let mut moved = slots.last().copied().unwrap_or(RequestSlot::EMPTY);
    for slot in slots {
        moved = core::mem::replace(slot, moved);
    }
}

fn move_first_to_end(slots: &mut [RequestSlot]) {
    let mut moved = slots.first().copied().unwrap_or(RequestSlot::EMPTY);
    for slot in slots.iter_mut().rev() {
        moved = core::mem::replace(slot, moved);
    }
}

/// Returns the slots of a peer: an equal share for each.
pub(super) fn share(requests: usize, peers: usize, index: usize) -> Range<usize> {
    let share = requests.checked_div(peers).unwrap_or(0);
    let start = share.saturating_mul(index);
    start..start.saturating_add(share)
}

/// Returns the requests that we made of a peer.
pub(super) fn ours(
    requests: &[RequestSlot],
    peers: usize,
    index: usize,
) -> impl Iterator<Item = &RequestSlot> {
    let slots = requests.get(share(requests.len(), peers, index)).unwrap_or_default();
    let ours = slots.get(..slots.len() / 2).unwrap_or_default();
    ours.iter().take_while(|slot| slot.step != Step::Unused)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests;
