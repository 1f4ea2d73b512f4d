//! The engine after a block that is not the tip: replayed from the nearest block where it is known.

use super::inner::{Inner, InnerMut};
use super::recent::Known;
use super::tree::TreeRef;
use crate::branch::Branch;
use crate::engine::Engine;

impl<E: Engine> Inner<E> {
    /// Returns the height of the last block before `end` whose engine is known without a cache, and that engine.
    fn known_engine(&self, tree: TreeRef<'_>, end: usize) -> (u64, &E) {
        let tip_at = self.tip_at.filter(|tip| tree.is_ancestor(*tip, end));
        let known = if tip_at.is_some() { &self.tip } else { &self.root };
        (known.tip.height.0, &known.engine)
    }
}

impl<E: Engine> InnerMut<'_, E> {
    /// Builds the branch that ends in a block; `None` stands for the root.
    pub(super) fn branch_at(&self, end: Option<usize>) -> Branch<E> {
        let Some(at) = end else { return self.inner.root.clone() };
        let tree = self.tree();
        let (height, engine) = self.inner.known_engine(tree, at);
        let mut engine = engine.clone();
        tree.replay(&mut engine, height, at);
        tree.branch_with(&self.inner.root, end, engine)
    }

    /// Calls `check` with the branch that ends in a block, and remembers the engine there.
    pub(super) fn with_recent_branch<T>(
        &mut self,
        end: usize,
        check: impl FnOnce(&Branch<E>) -> T,
    ) -> T {
        let recent = self.inner.recent.0.take();
        let tree = self.tree();
        let (height, known) = self.inner.known_engine(tree, end);
        let recent = recent.filter(|recent| {
            let slot = tree.slot(recent.at);
            let is_same = slot.arrival == recent.arrival && slot.height() >= height;
            is_same && tree.is_ancestor(recent.at, end)
        });
        let (height, mut engine) = match recent {
            Some(recent) => (tree.slot(recent.at).height(), recent.engine),
            None => (height, known.clone()),
        };
        tree.replay(&mut engine, height, end);
        let branch = tree.branch_with(&self.inner.root, Some(end), engine);
        let result = check(&branch);
        let arrival = tree.slot(end).arrival;
        self.inner.recent.0 = Some(Known { at: end, arrival, engine: branch.engine });
        result
    }
}
