//! Headers: checked against their branch and inserted, or kept until they can be.

use core::time::Duration;

use super::event::{Accepted, Event};
use super::inner::InnerMut;
use super::orphans::{Orphans, OrphansRef, Wait};
use super::slot::{HeaderSlot, ProofDigest, Status};
use super::tree::Tree;
use crate::block::SealedHeader;
use crate::branch::{BlockError, Branch};
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
        if id == self.inner.root.tip.id {
            return Ok(Accepted::Header { id });
        }
        if let Some(known) = self.tree().find(&id) {
            if self.tree().status(known) == Status::Invalid {
                return Err(Refused::Invalid(BlockError::InvalidAncestor));
            }
            self.offered(known);
            return Ok(Accepted::Header { id });
        }
        match self.check_header(&sealed.header, sealed.proof, now) {
            Ok((parent, weight)) => self.insert_header(sealed, id, parent, weight),
            Err(refused) => self.hold(now, conn, id, sealed, refused),
        }
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
        let total = |branch: &Branch<E>, history: Hash| {
            let weight = branch.check(header, proof, now.as_secs(), || history);
            weight.map(|weight| branch.tip.weight.saturating_add(weight))
        };
        let history = |end: Option<usize>| tree.history_root(&inner.history, end);
        if header.parent == inner.tip.tip.id {
            return Ok((inner.tip_at, total(&inner.tip, history(inner.tip_at))?));
        }
        if header.parent == inner.root.tip.id {
            return Ok((None, total(&inner.root, history(None))?));
        }
        let parent = tree.find(&header.parent).ok_or(Refused::Orphan { parent: header.parent })?;
        if tree.status(parent) == Status::Invalid {
            return Err(Refused::Invalid(BlockError::InvalidAncestor));
        }
        let history = history(Some(parent));
        let weight = match &inner.switch {
            Some(switch) if switch.trial.tip.id == header.parent => total(&switch.trial, history)?,
            _ => self.with_recent_branch(parent, |branch| total(branch, history))?,
        };
        Ok((Some(parent), weight))
    }

    #[inline(never)] // what it needs does not stand on the stack while signatures are checked
    fn insert_header(
        &mut self,
        sealed: &SealedHeader<'_>,
        id: BlockId,
        parent: Option<usize>,
        weight: Weight,
    ) -> Result<Accepted, Refused<BlockError<E::Error>>> {
        let target = self.inner.switch.as_ref().map(|switch| switch.target);
        let checked = self.inner.check.as_ref().map(|check| check.block.at);
        let pinned = [target, checked, self.inner.best, self.inner.reported];
        let mut slot = HeaderSlot::new(sealed.header, id, ProofDigest::of(sealed.proof), weight);
        slot.subtree = self.tree().subtree_of(&self.inner.history, parent, &id);
        let engine = &self.inner.root.engine;
        let prefer = |ours: &Tip, theirs: &Tip| engine.prefer(ours, theirs);
        let mut tree = Tree::new(&mut self.inner.tree, self.parts.headers);
        let inserted = tree.insert(slot, parent, pinned, &prefer);
        let at = inserted.map_err(|full| Refused::NoRoom { capacity: full.capacity })?;
        self.consider(at);
        self.offered(at);
        Ok(Accepted::Header { id })
    }

    /// Keeps a header whose parent or time has not come yet.
    fn hold(
        &mut self,
        now: Duration,
        conn: ConnId,
        id: BlockId,
        sealed: &SealedHeader<'_>,
        refused: Refused<BlockError<E::Error>>,
    ) -> Result<Accepted, Refused<BlockError<E::Error>>> {
        let timeout = self.inner.config.orphan_timeout;
        let (wait, expires, accepted) = match refused {
            // Below the root there is no parent to come.
            Refused::Orphan { parent } if sealed.header.height > self.inner.root.tip.height => {
                let expires = now.saturating_add(timeout);
                (Wait::Parent(parent), expires, Accepted::Orphan { id, parent })
            }
            Refused::NotYet { at } if at > now.as_secs() => {
                let time = Duration::from_secs(at);
                if time > now.saturating_add(timeout) {
                    return Err(refused);
                }
                let expires = time.saturating_add(timeout);
                (Wait::Until(at), expires, Accepted::Early { id, at })
            }
            _ => return Err(refused),
        };
        let mut orphans = Orphans::new(self.parts.orphans);
        if expires > now && orphans.insert(conn, id, sealed, wait, expires) {
            Ok(accepted)
        } else {
            Err(refused)
        }
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
        let Some(orphan) = Orphans::new(self.parts.orphans).take(at) else { return };
        if let Ok((sealed, _)) = SealedHeader::decode(orphan.bytes()) {
            let now = self.inner.now;
            let conn = orphan.conn;
            if let Err(Refused::Invalid(why)) = self.accept_header(now, conn, &sealed) {
                let id = sealed.header.id(&self.inner.root.genesis);
                self.inner.report = Some(Event::Invalid { id, conn, why });
            }
        }
    }
}
