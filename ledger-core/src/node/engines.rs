//! The engine after a block that is not the tip: replayed from the nearest block where it is known.

use super::inner::InnerMut;
use super::tree::TreeRef;
use crate::branch::copy;
use crate::engine::Engine;

impl<E: Engine> InnerMut<'_, E> {
    /// Moves the tip to a block.
    pub(super) fn move_tip(&mut self, end: usize) {
        let inner = &mut *self.inner;
        let tree = TreeRef::new(&inner.tree, self.parts.headers);
        if !inner.tip_at.is_some_and(|tip| tree.is_ancestor(tip, end)) {
            copy(&mut inner.tip, &inner.root);
        }
        tree.move_branch(&mut inner.tip, &inner.root.times, end);
        inner.tip_at = Some(end);
    }

    /// Moves the engine that was needed last on to a block, or another one if that is not on the way.
    #[inline(never)] // what it needs does not stand on the stack beside the branch
    pub(super) fn move_recent(&mut self, end: usize) {
        let inner = &mut *self.inner;
        let tree = TreeRef::new(&inner.tree, self.parts.headers);
        let tip_at = inner.tip_at.filter(|tip| tree.is_ancestor(*tip, end));
        let known = if tip_at.is_some() { &inner.tip } else { &inner.root };
        let recent = &mut inner.recent;
        let lowest = known.tip.height.0;
        let is_usable = |at: &usize| {
            let slot = tree.slot(*at);
            let is_same = slot.arrival == recent.arrival && slot.height() >= lowest;
            is_same && tree.is_ancestor(*at, end)
        };
        let from = recent.at.filter(is_usable);
        if from.is_none() {
            copy(&mut recent.engine, &known.engine);
        }
        let height = from.map_or(lowest, |at| tree.slot(at).height());
        tree.replay(&mut recent.engine, height, end);
        recent.at = Some(end);
        recent.arrival = tree.slot(end).arrival;
    }
}
