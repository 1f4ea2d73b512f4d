//! The nodes that a node of a sister geometry knows, as an iterator.

use core::slice::Iter;

use crate::peer::Peer;

/// The nodes that a node knows, itself first.
#[derive(Debug, Clone)]
pub struct Known<'a, I, A> {
    me: Option<Peer<I, A>>,
    leaves: Iter<'a, Option<Peer<I, A>>>,
    table: Iter<'a, Option<Peer<I, A>>>,
}

impl<'a, I, A> Known<'a, I, A> {
    pub(super) fn new(
        me: Peer<I, A>,
        leaves: &'a [Option<Peer<I, A>>],
        table: &'a [Option<Peer<I, A>>],
    ) -> Self {
        Self { me: Some(me), leaves: leaves.iter(), table: table.iter() }
    }
}

impl<I: Copy, A: Copy> Iterator for Known<'_, I, A> {
    type Item = Peer<I, A>;

    fn next(&mut self) -> Option<Peer<I, A>> {
        self.me
            .take()
            .or_else(|| self.leaves.find_map(|slot| *slot))
            .or_else(|| self.table.find_map(|slot| *slot))
    }
}
