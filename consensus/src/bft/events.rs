//! The events of a BFT engine, and the change of height, which keeps those that were not polled yet.

use super::engine::Cursor;
use super::event::BftEvent;
use super::storage::{RelativeHeight, VoteKind, VoteRole, VoteSlot};
use crate::vote::evidence::Equivocation;

impl Cursor<'_> {
    /// Returns the next event, in the order of urgency.
    pub(super) fn next_event(&mut self) -> Option<BftEvent> {
        let state = &mut *self.core;
        let height = state.height;
        if let Some(pending) = state.pending.as_mut().filter(|pending| !pending.is_announced) {
            pending.is_announced = true;
            return Some(BftEvent::Save { token: pending.token });
        }
        if let Some((height, decision)) = state.decided.take() {
            let round = decision.round;
            return Some(BftEvent::Decided { height, round, value: decision.value });
        }
        if let Some(wish) = state.wish.as_mut().filter(|wish| !wish.is_announced) {
            wish.is_announced = true;
            return Some(BftEvent::Propose { height, round: wish.round });
        }
        if let Some(check) = state.check.as_mut().filter(|check| !check.is_announced) {
            check.is_announced = true;
            return Some(BftEvent::Check { height, value: check.value });
        }
        if let Some(height) = state.behind.take() {
            return Some(BftEvent::Behind { height });
        }
        for peer in &mut *self.peers {
            if core::mem::take(&mut peer.is_behind) {
                return Some(BftEvent::PeerBehind { peer: peer.id, height: peer.height });
            }
        }
        self.next_evidence()
    }

    /// Takes two statements that contradict each other.
    #[inline(never)] // the statements do not stand on the stack for other events
    fn next_evidence(&mut self) -> Option<BftEvent> {
        let is_second = |slot: &VoteSlot| slot.role == VoteRole::Contradicting;
        let second = self.slots.iter().position(is_second)?;
        let author = second.checked_div(self.core.per_peer)?;
        let start = author.saturating_mul(self.core.per_peer);
        let end = start.saturating_add(self.core.per_peer);
        let id = self.peers.get(author)?.id;
        let later = *self.slots.get(second)?;
        *self.slots.get_mut(second)? = VoteSlot::EMPTY;
        let slots = self.slots.get_mut(start..end)?;
        let first = slots.iter_mut().find(|slot| {
            slot.role == VoteRole::Contradicted
                && slot.kind == later.kind
                && slot.height == later.height
                && slot.round == later.round
        })?;
        let earlier = *first;
        first.role = VoteRole::Counted;
        if first.height == RelativeHeight::Previous {
            *first = VoteSlot::EMPTY;
        }
        let earlier = self.core.statement_of(id, &earlier);
        let later = self.core.statement_of(id, &later);
        let contradiction = Equivocation::contradiction(&earlier, &later).ok()?;
        Some(BftEvent::Equivocated(Equivocation::of_verified(&earlier, &later, contradiction)))
    }

    /// Keeps what belongs to the height that begins, and evidence that was not polled yet.
    pub(super) fn begin_height(&mut self) {
        for slot in &mut *self.slots {
            slot.is_due = false;
            slot.height = match slot.height {
                RelativeHeight::Next => RelativeHeight::Current,
                RelativeHeight::Current if slot.role != VoteRole::Counted => {
                    RelativeHeight::Previous
                }
                RelativeHeight::Current | RelativeHeight::Previous => {
                    *slot = VoteSlot::EMPTY;
                    RelativeHeight::Current
                }
            };
        }
        let per_peer = self.core.per_peer.max(1);
        for (peer, slots) in self.peers.iter_mut().zip(self.slots.chunks(per_peer)) {
            let is_current = |slot: &&VoteSlot| {
                slot.kind != VoteKind::Free && slot.height == RelativeHeight::Current
            };
            let current = slots.iter().filter(is_current);
            peer.round = current.clone().map(|slot| slot.round).max();
            peer.offended = current.clone().any(|slot| slot.role != VoteRole::Counted);
        }
        for index in 0..self.slots.len() {
            let slot = self.slots.get(index).copied().unwrap_or(VoteSlot::EMPTY);
            if slot.is_counted(VoteKind::Precommit, slot.round) {
                self.note_precommit(slot.round);
            }
        }
    }
}
