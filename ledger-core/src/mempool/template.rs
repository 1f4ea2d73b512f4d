//! The transactions of the next block: a heap of the first ones of all lanes, in the slots themselves.
//!
//! Heap position `n` lies in slot `n`. The order depends on the transactions alone, not on how they came in.

use core::cmp::Ordering;

use super::index::Index;
use crate::buckets::Link;

impl Index<'_> {
    /// Writes transactions to `out`, the best first, as many as fit, and returns their length.
    pub(super) fn template(&mut self, out: &mut [u8]) -> usize {
        let mut heap = 0_usize;
        for at in 0..self.slots.len() {
            if !self.as_ref().slot(at).is_free() && self.as_ref().is_first(at) {
                self.push(&mut heap, at);
            }
        }
        let mut len = 0_usize;
        while let Some(at) = self.pop(&mut heap) {
            let rest = out.get_mut(len..).unwrap_or_default();
            // If it does not fit, those behind it in its lane cannot come either.
            let Some(copied) = self.as_ref().copy(at, rest) else { continue };
            len = len.saturating_add(copied);
            let slot = self.as_ref().slot(at);
            let next = if slot.has_next { self.as_ref().after(slot) } else { None };
            if let Some(next) = next {
                self.push(&mut heap, next);
            }
        }
        len
    }

    fn push(&mut self, heap: &mut usize, at: usize) {
        let mut hole = *heap;
        *heap = heap.saturating_add(1);
        while let Some(parent) = hole.checked_sub(1).map(|above| above / 2) {
            let above = self.heap_at(parent);
            if self.order(at, above) != Ordering::Greater {
                break;
            }
            self.set_heap(hole, above);
            hole = parent;
        }
        self.set_heap(hole, at);
    }

    fn pop(&mut self, heap: &mut usize) -> Option<usize> {
        let last = heap.checked_sub(1)?;
        *heap = last;
        let best = self.heap_at(0);
        let moved = self.heap_at(last);
        self.set_heap(last, usize::MAX);
        if last == 0 {
            return Some(best);
        }
        let mut hole = 0_usize;
        loop {
            let left = hole.saturating_mul(2).saturating_add(1);
            let right = left.saturating_add(1);
            if left >= last {
                break;
            }
            let mut child = left;
            if right < last && self.order(self.heap_at(right), self.heap_at(left)).is_gt() {
                child = right;
            }
            if self.order(self.heap_at(child), moved) != Ordering::Greater {
                break;
            }
            self.set_heap(hole, self.heap_at(child));
            hole = child;
        }
        self.set_heap(hole, moved);
        Some(best)
    }

    fn order(&self, one: usize, other: usize) -> Ordering {
        self.as_ref().slot(one).compare(self.as_ref().slot(other))
    }

    fn heap_at(&self, place: usize) -> usize {
        self.as_ref().slot(place).heap.get().unwrap_or(usize::MAX)
    }

    fn set_heap(&mut self, place: usize, at: usize) {
        self.change(place, |slot| slot.heap = Link::to(at));
    }
}
