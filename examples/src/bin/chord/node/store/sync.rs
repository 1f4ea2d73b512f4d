//! How the owner of a range and the nodes that keep its copies come to have the same entries.
//!
//! The owner sends each of them a digest of its range. Where two differ, the receiver sends what it has and asks for
//! the rest; a range of many entries is cut into sixteen parts first, so that only parts that differ are sent.

use core::time::Duration;

use chord_core::{Id160, Identifier as _, KeyRange, Wire as _};

use super::member::{Member, PATIENCE, SILENCE};
use super::table::Origin;
use super::transfer::Transfer;

/// How long after a change copies are compared, so that several changes count as one.
pub(super) const SOON: Duration = Duration::from_millis(10);
/// How often copies are compared.
const COMPARE: Duration = Duration::from_secs(1);
/// How long an entry may be nobody's before it goes back to its owner.
const STRAY: Duration = Duration::from_secs(20);
/// More entries than this are compared in parts.
const BATCH: usize = 16;
/// How many entries are sent in each window, so that receivers can follow: 2.5 MB a second.
const BUDGET: usize = 128;
const WINDOW: Duration = Duration::from_millis(50);
/// How long a node that had no room asks for no entries.
pub(super) const FULL: Duration = Duration::from_secs(10);

/// A node that keeps copies of this node's range.
#[derive(Debug)]
pub(super) struct Keeper<A> {
    pub(super) address: A,
    /// When it was asked, if it has not answered yet.
    asked: Option<Duration>,
    /// It had the same entries once since the range has grown.
    agreed: bool,
    /// It had the same entries when it was compared last.
    same: bool,
}

/// How many entries may be sent in this window.
#[derive(Debug, Default)]
pub(super) struct Budget {
    since: Duration,
    sent: usize,
}

impl<A> Keeper<A> {
    pub(super) fn is_silent(&self, now: Duration) -> bool {
        self.asked.is_some_and(|at| now.saturating_sub(at) >= SILENCE)
    }
}

impl<A: Origin> Member<A> {
    /// Compares the own range with all that keep copies of it, and asks those again that owe an answer.
    pub(super) fn compare(&mut self) {
        let all = self.after(COMPARE);
        self.compare_at = self.after(PATIENCE);
        let range = self.node.keys();
        let now = self.now;
        self.store.claim(range, now);
        let digest = self.store.digest(range);
        let list: Vec<A> = self.node.successors().iter().map(|peer| peer.address).collect();
        self.keepers.retain(|keeper| list.contains(&keeper.address));
        let mut owing = false;
        for address in list {
            if !self.keepers.iter().any(|keeper| keeper.address == address) {
                let keeper = Keeper { address, asked: None, agreed: false, same: false };
                self.keepers.push(keeper);
            }
            self.send(address, Transfer::Compare { range, digest });
        }
        for keeper in &mut self.keepers {
            keeper.asked.get_or_insert(now);
            owing = owing || !keeper.is_silent(now);
        }
        if !owing {
            self.compare_at = all;
        }
        self.return_strays(now.saturating_sub(STRAY));
    }

    /// Returns whether this node may answer: it has compared its range with every node that may know more.
    pub(super) fn is_settled(&self) -> bool {
        let list = self.node.successors();
        self.node.state().is_member()
            && list.iter().all(|peer| {
                let keeper = self.keepers.iter().find(|keeper| keeper.address == peer.address);
                keeper.is_some_and(|keeper| keeper.agreed || keeper.is_silent(self.now))
            })
    }

    /// Returns how many other nodes have the same entries in the own range.
    pub(super) fn copies(&self) -> u8 {
        let same = self.keepers.iter().filter(|keeper| keeper.same && !keeper.is_silent(self.now));
        u8::try_from(same.count()).unwrap_or(u8::MAX)
    }

    /// The range has grown: others may know more about it.
    pub(super) fn unsettle(&mut self) {
        self.keepers.iter_mut().for_each(|keeper| keeper.agreed = false);
        self.compare_soon();
    }

    pub(super) fn compare_soon(&mut self) {
        self.compare_at = self.compare_at.min(self.after(SOON));
    }

    pub(super) fn keeper(&mut self, address: A) -> Option<&mut Keeper<A>> {
        self.keepers.iter_mut().find(|keeper| keeper.address == address)
    }

    /// A peer has sent anything: it is not silent.
    pub(super) fn hear(&mut self, from: A) {
        if let Some(keeper) = self.keeper(from) {
            keeper.asked = None;
        }
    }

    pub(super) fn handle_compare(&mut self, from: A, range: KeyRange<Id160>, digest: u128) {
        self.store.claim(range, self.now);
        if self.store.digest(range) == digest {
            self.send(from, Transfer::Same { range, digest });
        } else {
            self.handle_difference(from, range);
        }
    }

    pub(super) fn handle_check(&mut self, from: A, range: KeyRange<Id160>, digest: u128) {
        self.mark_different(from);
        if self.store.digest(range) != digest {
            self.handle_difference(from, range);
        }
    }

    pub(super) fn handle_same(&mut self, from: A, range: KeyRange<Id160>, digest: u128) {
        let same = range == self.node.keys() && self.store.digest(range) == digest;
        if let Some(keeper) = self.keeper(from).filter(|_| same) {
            keeper.agreed = true;
            keeper.same = true;
        }
    }

    /// The other one has sent what it has in the range: sends as much as one batch, and lets it compare the rest.
    pub(super) fn handle_differs(&mut self, from: A, range: KeyRange<Id160>) {
        self.mark_different(from);
        let mut keys = self.store.keys(range);
        let batch: Vec<Id160> = keys.by_ref().take(BATCH).collect();
        let more = keys.next().is_some();
        drop(keys);
        let sent = batch.iter().all(|key| self.send_entry(from, *key));
        if let (true, true, Some(last)) = (sent, more, batch.last()) {
            let rest = KeyRange { after: *last, through: range.through };
            let digest = self.store.digest(rest);
            self.send(from, Transfer::Check { range: rest, digest });
        }
        let wait = if sent { PATIENCE } else { WINDOW };
        self.compare_at = self.compare_at.min(self.after(wait));
    }

    /// Sends what is in the range, or digests of its parts.
    fn handle_difference(&mut self, to: A, range: KeyRange<Id160>) {
        let keys: Vec<Id160> = self.store.keys(range).take(BATCH + 1).collect();
        let parts = parts(range);
        if keys.len() <= BATCH || parts.is_empty() {
            let _ = keys.into_iter().take(BATCH).all(|key| self.send_entry(to, key));
            let full = self.now < self.full_until;
            let asks =
                if full { Transfer::Refused { token: 0 } } else { Transfer::Differs { range } };
            return self.send(to, asks);
        }
        for range in parts {
            let digest = self.store.digest(range);
            self.send(to, Transfer::Check { range, digest });
        }
    }

    /// A node has no room for more: it keeps no copies, and others need not wait for it.
    pub(super) fn handle_full(&mut self, from: A) {
        if let Some(keeper) = self.keeper(from) {
            keeper.agreed = true;
            keeper.same = false;
        }
    }

    fn mark_different(&mut self, from: A) {
        if let Some(keeper) = self.keeper(from) {
            keeper.same = false;
        }
    }

    /// Sends the first entries of a range to its new owner; the rest follows when that one compares.
    pub(super) fn hand_over(&mut self, to: A, range: KeyRange<Id160>) {
        let keys: Vec<Id160> = self.store.keys(range).take(BUDGET).collect();
        let _ = keys.into_iter().all(|key| self.send_entry(to, key));
    }

    /// Sends a copy that needs no answer. Returns `false` if this window has no room for it.
    fn send_entry(&mut self, to: A, key: Id160) -> bool {
        if self.now.saturating_sub(self.budget.since) >= WINDOW {
            self.budget = Budget { since: self.now, sent: 0 };
        }
        if self.budget.sent >= BUDGET {
            return false;
        }
        let entry = self.store.find(key).cloned();
        if let (Some(entry), Some(lifetime)) = (entry, self.store.lifetime(key, self.now)) {
            self.budget.sent += 1;
            self.counters.copies += 1;
            self.send(to, Transfer::Copy { token: 0, key, entry, lifetime });
        }
        true
    }
}

/// Cuts a range into sixteen parts of equal length; none if it is too short.
fn parts(range: KeyRange<Id160>) -> Vec<KeyRange<Id160>> {
    let mut length = <[u8; 20]>::from(range.after.distance(range.through));
    let whole = range.after == range.through;
    // A sixteenth: each byte takes the low half of the one before it.
    let mut high = u8::from(whole);
    for byte in &mut length {
        let low = *byte & 15;
        *byte = high << 4 | *byte >> 4;
        high = low;
    }
    let step = Id160::from(length);
    if step == Id160::ZERO {
        return vec![];
    }
    let mut parts = vec![];
    let mut after = range.after;
    for _ in 1..16 {
        let through = after.plus(step);
        parts.push(KeyRange { after, through });
        after = through;
    }
    parts.push(KeyRange { after, through: range.through });
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_parts_cover_a_range_without_overlap() {
        let id = |first| Id160::from([first; 20]);
        for (after, through) in [(1, 200), (200, 1), (7, 7), (0, 0), (0, 1)] {
            let range = KeyRange { after: id(after), through: id(through) };
            let parts = parts(range);
            assert_eq!(parts.len(), 16);
            assert_eq!(parts[0].after, range.after);
            assert_eq!(parts[15].through, range.through);
            assert!(parts.windows(2).all(|pair| pair[0].through == pair[1].after));
            for key in (0..=255).map(id) {
                let inside = parts.iter().filter(|part| part.contains(key)).count();
                assert_eq!(inside, usize::from(range.contains(key)), "{range} {key}");
            }
        }
        let mut near = [0; 20];
        near[19] = 15;
        assert!(parts(KeyRange { after: id(0), through: Id160::from(near) }).is_empty());
    }
}
