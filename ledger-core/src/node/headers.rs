//! Headers: checked against their branch and inserted, or kept until they can be.

use core::time::Duration;

use super::event::{Accepted, Event};
use super::inner::InnerMut;
use super::orphans::{Orphans, OrphansRef, Wait};
use super::slot::{HeaderSlot, Status};
use super::tree::Tree;
use crate::block::SealedHeader;
use crate::branch::{BlockError, unless_executed};
use crate::conn::ConnId;
use crate::engine::{Engine, Refused, Tip, Weight};
use crate::hash::{BlockId, Hash};
use crate::header::Header;

impl<E: Engine> InnerMut<'_, E> {
    /// Handles a header. Only `Ok` may have changed anything.
    pub(super) fn accept_header(
        &mut self,
        now: Duration,
        conn: ConnId,
        sealed: &SealedHeader<'_>,
    ) -> Result<Accepted, Refused<BlockError<E::Error>>> {
        let id = sealed.header.id(&self.inner.root.genesis);
        match self.add_header(now, &id, sealed) {
            Ok(()) => Ok(Accepted::Header { id }),
            Err(refused) => self.keep_orphan(now, conn, id, sealed, refused),
        }
    }

    /// Keeps a header that was refused, if it can be checked later, or returns the refusal.
    #[inline(never)] // what it needs does not stand on the stack while the header is checked
    fn keep_orphan(
        &mut self,
        now: Duration,
        conn: ConnId,
        id: BlockId,
        sealed: &SealedHeader<'_>,
        refused: Refused<BlockError<E::Error>>,
    ) -> Result<Accepted, Refused<BlockError<E::Error>>> {
        let hold = self.hold_of(now, &sealed.header, &refused);
        let Some(Hold { wait, expires }) = hold else { return Err(refused) };
        let mut orphans = Orphans::new(self.parts.orphans);
        if !orphans.insert(conn, id, sealed, wait, expires) {
            return Err(refused);
        }
        Ok(match wait {
            Wait::Parent(parent) => Accepted::Orphan { id, parent },
            Wait::Until(at) => Accepted::Early { id, at },
        })
    }

    /// Adds a header to the tree, unless it is there.
    fn add_header(
        &mut self,
        now: Duration,
        id: &BlockId,
        sealed: &SealedHeader<'_>,
    ) -> Result<(), Refused<BlockError<E::Error>>> {
        if *id == self.inner.root.tip.id {
            return Ok(());
        }
        if let Some(known) = self.tree().find(id) {
            if self.tree().status(known) == Status::Invalid {
                return Err(Refused::Invalid(BlockError::InvalidAncestor));
            }
            self.offered(known);
            return Ok(());
        }
        let (parent, weight) = self.check_header(&sealed.header, sealed.proof, now)?;
        self.insert_header(sealed, id, parent, weight)
    }

    /// Checks a header against the branch it continues, and returns its parent and the weight of the branch with it.
    #[expect(clippy::type_complexity, reason = "the error is the one of all calls")]
    #[inline(never)] // what it needs does not stand on the stack while signatures are checked
    fn check_header(
        &mut self,
        header: &Header,
        proof: &[u8],
        now: Duration,
    ) -> Result<(Option<usize>, Weight), Refused<BlockError<E::Error>>> {
        let inner = &self.inner;
        let tree = self.tree();
        let known = if header.parent == inner.tip.tip.id {
            Some((inner.tip_at, &inner.tip))
        } else if header.parent == inner.root.tip.id {
            Some((None, &inner.root))
        } else {
            None
        };
        if let Some((parent, branch)) = known {
            let history = || tree.history_root(&inner.history, parent);
            let weight = branch.check(header, proof, now.as_secs(), history)?;
            return Ok((parent, branch.tip.weight.saturating_add(weight)));
        }
        let parent = tree.find(&header.parent).ok_or(Refused::Orphan { parent: header.parent })?;
        if tree.status(parent) == Status::Invalid {
            return Err(Refused::Invalid(BlockError::InvalidAncestor));
        }
        let history = tree.history_root(&inner.history, Some(parent));
        if let Some(switch) = &inner.switch
            && switch.trial.tip.id == header.parent
        {
            let weight = switch.trial.check(header, proof, now.as_secs(), || history)?;
            return Ok((Some(parent), switch.trial.tip.weight.saturating_add(weight)));
        }
        let weight = self.check_beside(parent, header, proof, now, &history)?;
        Ok((Some(parent), weight))
    }

    /// Checks a header against a branch beside the chain, and returns the weight of that branch with it.
    #[inline(never)] // the branch does not stand on the stack while a header on the chain is checked
    fn check_beside(
        &mut self,
        parent: usize,
        header: &Header,
        proof: &[u8],
        now: Duration,
        history: &Hash,
    ) -> Result<Weight, Refused<BlockError<E::Error>>> {
        self.move_recent(parent);
        let branch = self.tree().end_of_branch(&self.inner.root, parent);
        let engine = &self.inner.recent.engine;
        let now = now.as_secs();
        let checked = branch.check_by(engine, header, proof, now, || *history);
        let weight = match checked {
            Ok(weight) => weight,
            Err(refused) if self.is_executed(parent) => return Err(refused),
            Err(refused) => return Err(unless_executed(engine, refused, now)),
        };
        Ok(branch.tip.weight.saturating_add(weight))
    }

    fn is_executed(&self, at: usize) -> bool {
        matches!(self.tree().status(at), Status::Active | Status::Trial)
    }

    #[inline(never)] // what it needs does not stand on the stack while signatures are checked
    fn insert_header(
        &mut self,
        sealed: &SealedHeader<'_>,
        id: &BlockId,
        parent: Option<usize>,
        weight: Weight,
    ) -> Result<(), Refused<BlockError<E::Error>>> {
        let target = self.inner.switch.as_ref().map(|switch| switch.target);
        let checked = self.inner.check.as_ref().map(|check| check.block.at);
        let pinned = [target, checked, self.inner.best, self.inner.reported];
        let mut slot = HeaderSlot::new(sealed.header, *id, weight);
        slot.subtree = self.tree().subtree_of(&self.inner.history, parent, id);
        let engine = &self.inner.root.engine;
        let prefer = |ours: &Tip, theirs: &Tip| engine.prefer(ours, theirs);
        let mut tree = Tree::new(&mut self.inner.tree, self.parts.headers);
        let inserted = tree.insert(slot, parent, pinned, &prefer);
        let at = inserted.map_err(|full| Refused::NoRoom { capacity: full.capacity })?;
        self.consider(at);
        self.offered(at);
        Ok(())
    }

    /// Returns what a refused header waits for, if its parent or time has not come yet.
    fn hold_of(
        &self,
        now: Duration,
        header: &Header,
        refused: &Refused<BlockError<E::Error>>,
    ) -> Option<Hold> {
        let timeout = self.inner.config.orphan_timeout;
        let hold = match *refused {
            // Below the root there is no parent to come.
            Refused::Orphan { parent } if header.height > self.inner.root.tip.height => {
                Hold { wait: Wait::Parent(parent), expires: now.saturating_add(timeout) }
            }
            Refused::NotYet { at } if at > now.as_secs() => {
                let time = Duration::from_secs(at);
                if time > now.saturating_add(timeout) {
                    return None;
                }
                Hold { wait: Wait::Until(at), expires: time.saturating_add(timeout) }
            }
            _ => return None,
        };
        (hold.expires > now).then_some(hold)
    }

    /// Returns a header that waits no more.
    pub(super) fn ready_orphan(&self) -> Option<usize> {
        let tree = self.tree();
        let root = self.inner.root.tip.id;
        let is_known = |id: &BlockId| *id == root || tree.find(id).is_some();
        OrphansRef::new(self.parts.orphans).ready(is_known, self.inner.now)
    }

    /// Checks a header that waits no more. One that proves invalid is dropped and reported.
    #[inline(never)] // what it needs does not stand on the stack while signatures are checked
    pub(super) fn attach_orphan(&mut self, at: usize) {
        // The header is read in its slot: meanwhile the table is not part of the node.
        let slots = core::mem::take(&mut self.parts.orphans);
        let orphan = OrphansRef::new(slots).get(at);
        let hold = orphan.and_then(|(bytes, conn)| self.check_orphan(bytes, conn));
        self.parts.orphans = slots;
        let mut orphans = Orphans::new(self.parts.orphans);
        match hold {
            Some(hold) => orphans.keep(at, hold.wait, hold.expires),
            None => orphans.remove(at),
        }
    }

    /// Returns what the header waits for now, if it is to be kept longer.
    fn check_orphan(&mut self, bytes: &[u8], conn: ConnId) -> Option<Hold> {
        let decoded = SealedHeader::decode(bytes);
        let (sealed, _) = decoded.as_ref().ok()?;
        let now = self.inner.now;
        let id = sealed.header.id(&self.inner.root.genesis);
        let added = self.add_header(now, &id, sealed);
        self.refused_orphan(conn, id, &sealed.header, added.as_ref().err()?)
    }

    /// Reports an invalid header, or returns what it waits for.
    #[inline(never)] // what it needs does not stand on the stack while the header is checked
    fn refused_orphan(
        &mut self,
        conn: ConnId,
        id: BlockId,
        header: &Header,
        refused: &Refused<BlockError<E::Error>>,
    ) -> Option<Hold> {
        if let Refused::Invalid(why) = *refused {
            self.inner.report = Some(Event::Invalid { id, conn, why });
        }
        self.hold_of(self.inner.now, header, refused)
    }
}

/// A header that is kept until it can be checked.
struct Hold {
    wait: Wait,
    expires: Duration,
}
