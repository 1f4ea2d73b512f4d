//! Blocks as they fill up.

use super::logic::Core;
use super::slots::Status;
use super::tree_state::Tree;

impl Core<'_> {
    /// Adds bytes that a source sent next in a block.
    pub(super) fn fill(&mut self, block: usize, id: u32, len: u64) {
        let (begin, end) = self.state.geometry.span(block);
        let Some(slot) = self.block(block) else { return };
        slot.mixed |= slot.have > 0 && slot.from != id;
        slot.from = id;
        slot.have = slot.have.saturating_add(len);
        if slot.have >= end.saturating_sub(begin) {
            self.complete(block);
        }
    }

    fn complete(&mut self, block: usize) {
        let has_tree = matches!(self.state.tree, Tree::Known { .. });
        let Some(slot) = self.block(block) else { return };
        slot.owner = 0;
        slot.status = if has_tree { Status::VerifyDue } else { Status::Written };
        if has_tree {
            self.state.verify_due = self.state.verify_due.saturating_add(1);
        }
        self.state.missing = self.state.missing.saturating_sub(1);
        self.check_completion();
    }

    /// Makes a block missing again.
    pub(super) fn discard(&mut self, block: usize) {
        let Some(slot) = self.block(block) else { return };
        let status = slot.status;
        slot.clear();
        match status {
            Status::Missing => return,
            Status::VerifyDue => self.state.verify_due = self.state.verify_due.saturating_sub(1),
            Status::Verifying => self.state.verifying = self.state.verifying.saturating_sub(1),
            Status::Written | Status::Verified => {}
        }
        self.state.missing = self.state.missing.saturating_add(1);
        self.state.is_dirty = true;
    }

    /// Makes everything missing again, and gives up what was requested.
    pub(super) fn discard_all(&mut self) {
        for index in 0..self.sources.len() {
            self.release(index);
        }
        for block in 0..self.state.geometry.block_count {
            self.discard(block);
        }
    }

    /// Frees the blocks that a source owns, for others.
    pub(super) fn release(&mut self, index: usize) {
        let Some(peer) = self.peer(index) else { return };
        let id = peer.id;
        let owned = peer.first..peer.end;
        peer.first = 0;
        peer.end = 0;
        for slot in self.blocks.iter_mut().take(owned.end).skip(owned.start) {
            if slot.owner == id {
                slot.owner = 0;
                if slot.alone {
                    slot.clear();
                }
                self.state.is_dirty = true;
            }
        }
    }
}
