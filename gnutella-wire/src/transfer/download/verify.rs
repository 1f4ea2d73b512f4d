//! Checks: of blocks by the tree, of the file by its SHA-1 hash.

use super::event::{DownloadEvent, FailReason, SourceFault};
use super::logic::{Core, FileCheck, Single};
use super::slots::{BlockSlot, Phase, Status};
use super::tree_state::Tree;
use crate::huge::{Sha1, TigerRoot};

impl Core<'_> {
    pub(super) fn poll_verify(&mut self) -> Option<DownloadEvent> {
        if self.state.check == FileCheck::Due {
            self.state.check = FileCheck::Asked;
            return Some(DownloadEvent::VerifyFile);
        }
        if self.state.verify_due == 0 {
            return None;
        }
        let blocks = self.blocks.get(..self.state.geometry.block_count)?;
        let block = blocks.iter().position(|slot| slot.status == Status::VerifyDue)?;
        self.block(block)?.status = Status::Verifying;
        self.state.verify_due = self.state.verify_due.saturating_sub(1);
        self.state.verifying = self.state.verifying.saturating_add(1);
        let (offset, end) = self.state.geometry.span(block);
        Some(DownloadEvent::Verify { offset, len: end.saturating_sub(offset) })
    }

    pub(super) fn verified(&mut self, offset: u64, root: TigerRoot) {
        let index = self.state.geometry.block_at(offset);
        let is_begin = self.state.geometry.span(index).0 == offset;
        let Some(slot) = self.block(index) else { return };
        if slot.status != Status::Verifying || !is_begin {
            return;
        }
        let from = slot.from;
        let is_mixed = slot.mixed;
        if slot.node == root.0 {
            slot.status = Status::Verified;
            self.state.verifying = self.state.verifying.saturating_sub(1);
            if let Some(peer) = self.find(from).and_then(|index| self.peer(index)) {
                peer.verified = peer.verified.saturating_add(1);
            }
            self.check_completion();
            return;
        }
        slot.alone = is_mixed;
        self.discard(index);
        if !is_mixed && let Some(index) = self.find(from) {
            self.lose(index, SourceFault::WrongBytes);
        }
    }

    /// Once all blocks are there and checked: asks for the check of the file, or ends.
    pub(super) fn check_completion(&mut self) {
        let state = &mut *self.state;
        let is_complete = state.missing == 0 && state.verify_due == 0 && state.verifying == 0;
        if !is_complete || state.check != FileCheck::No {
            return;
        }
        if state.sha1.is_some() {
            state.check = FileCheck::Due;
        } else {
            let verified = matches!(state.tree, Tree::Known { .. });
            self.end(DownloadEvent::Completed { verified });
        }
    }

    fn end(&mut self, outcome: DownloadEvent) {
        self.state.check = FileCheck::Ended;
        self.state.outcome = Some(outcome);
        self.state.is_dirty = true;
        for slot in self.sources.iter_mut() {
            let Some(peer) = slot.peer.as_mut().filter(|peer| !peer.is_lost()) else { continue };
            if peer.conn().is_none() {
                peer.phase = Phase::Waiting;
                peer.deadline = None;
                peer.event_due = false;
            }
        }
    }

    pub(super) fn file_verified(&mut self, sha1: Sha1) {
        if self.state.check != FileCheck::Asked {
            return;
        }
        if self.state.sha1 == Some(sha1) {
            return self.end(DownloadEvent::Completed { verified: true });
        }
        if self.state.root.is_some() && matches!(self.state.tree, Tree::Known { .. }) {
            let reason = FailReason::HashesContradict;
            return self.end(DownloadEvent::Failed { reason });
        }
        self.state.check = FileCheck::No;
        if self.distrust_tree() {
            return;
        }
        let blamed = self.only_source();
        self.discard_all();
        match blamed.and_then(|id| self.find(id)) {
            Some(index) => self.lose(index, SourceFault::WrongBytes),
            None if self.state.single == Single::No => self.state.single = Single::Any,
            None => {}
        }
    }

    /// Returns the source that sent everything, if it was one.
    fn only_source(&self) -> Option<u32> {
        let blocks = self.blocks.get(..self.state.geometry.block_count)?;
        let first = blocks.first()?.from;
        let is_same = |slot: &BlockSlot| slot.from == first && !slot.mixed;
        (first != 0 && blocks.iter().all(is_same)).then_some(first)
    }
}
