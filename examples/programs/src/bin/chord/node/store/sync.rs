//! How the owner of a range and the nodes that keep its copies come to have the same entries.
//!
//! The owner sends each of them a digest of its range. Where two differ, the receiver sends what it has and asks for
//! the rest; a range of many entries is cut into sixteen parts first, so that only parts that differ are sent. The
//! entries go out as a stream, and while it runs the two are not compared again.

use core::time::Duration;

use chord_core::{Id160, Identifier as _, KeyRange, Wire as _};

use super::member::{Member, PATIENCE, SILENCE};
use super::table::Origin;
use super::transfer::Transfer;

/// How long after a change copies are compared, so that several changes count as one.
pub(super) const SOON: Duration = Duration::from_millis(10);
/// How long after all have had the same entries they are compared again.
const COMPARE: Duration = Duration::from_secs(1);
/// How long an entry may be nobody's before it goes back to its owner.
pub(super) const STRAY: Duration = Duration::from_secs(20);
/// More entries than this are compared in parts.
const BATCH: usize = 16;
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
    /// Until then it is not asked again, unless something changes.
    calm_until: Duration,
}

impl<A> Keeper<A> {
    pub(super) fn is_silent(&self, now: Duration) -> bool {
        self.asked.is_some_and(|at| now.saturating_sub(at) >= SILENCE)
    }

    fn is_calm(&self, now: Duration) -> bool {
        self.asked.is_none() && self.calm_until > now
    }
}

impl<A: Origin> Member<A> {
    /// Compares the own range with all that keep copies of it, and asks those again that owe an answer.
    pub(super) fn compare(&mut self) {
        let now = self.now;
        let wait = if now < self.full_until { COMPARE } else { PATIENCE };
        self.retry_at = self.after(wait);
        self.compare_at = self.retry_at;
        let range = self.node.keys();
        self.store.claim(range, now);
        let digest = self.store.digest(range);
        if self.compared != Some((range, digest)) {
            self.compared = Some((range, digest));
            self.disturb();
        }
        self.update_keepers();
        let owing = self.keepers.iter_mut().filter(|keeper| !keeper.is_calm(now));
        let owing: Vec<A> = owing
            .map(|keeper| {
                keeper.asked.get_or_insert(now);
                keeper.address
            })
            .collect();
        for address in owing {
            // A stream there asks for answers itself, and what it brings is not compared before its end.
            if !self.streams.runs_to(address) {
                self.send(address, Transfer::Compare { range, digest });
            }
        }
        self.return_strays();
    }

    /// The nodes of the successor list keep copies.
    fn update_keepers(&mut self) {
        let list: Vec<A> = self.node.successors().iter().map(|peer| peer.address).collect();
        self.keepers.retain(|keeper| list.contains(&keeper.address));
        for address in list {
            if self.keeper(address).is_none() {
                let calm_until = Duration::ZERO;
                let keeper =
                    Keeper { address, asked: None, agreed: false, same: false, calm_until };
                self.keepers.push(keeper);
            }
        }
    }

    /// All keepers are asked in the next comparison.
    fn disturb(&mut self) {
        self.keepers.iter_mut().for_each(|keeper| keeper.calm_until = Duration::ZERO);
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
        self.disturb();
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
        self.streams.hear(from);
        if let Some(keeper) = self.keeper(from) {
            keeper.asked = None;
        }
    }

    pub(super) fn handle_compare(&mut self, from: A, range: KeyRange<Id160>, digest: u128) {
        self.store.claim(range, self.now);
        if self.store.digest(range) == digest {
            return self.send(from, Transfer::Same { range, digest });
        }
        self.handle_difference(from, range);
        if self.now < self.full_until {
            self.send(from, Transfer::Refused { token: 0 });
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
        let calm_until = self.after(COMPARE);
        if let Some(keeper) = self.keeper(from).filter(|_| same) {
            keeper.agreed = true;
            keeper.same = true;
            keeper.calm_until = calm_until;
            self.calm_down();
        }
    }

    /// The other one asks for what is in the range.
    pub(super) fn handle_differs(&mut self, from: A, range: KeyRange<Id160>) {
        self.mark_different(from);
        self.stream(from, range);
    }

    /// Sends what is in the range and asks for the rest, or sends digests of its parts. Does nothing while some of it is
    /// on its way there.
    fn handle_difference(&mut self, to: A, range: KeyRange<Id160>) {
        if self.streams.is_busy(to, range, self.now) {
            return;
        }
        let count = self.store.keys(range).take(BATCH + 1).count();
        let parts = parts(range);
        if count <= BATCH || parts.is_empty() {
            self.stream(to, range);
            if self.now >= self.full_until {
                self.send(to, Transfer::Differs { range });
            }
            return;
        }
        for range in parts {
            let digest = self.store.digest(range);
            self.send(to, Transfer::Check { range, digest });
        }
    }

    /// A node has no room for more: it keeps no copies, and others need not wait for it.
    pub(super) fn handle_full(&mut self, from: A) {
        self.streams.stop(from, self.after(FULL));
        let calm_until = self.after(COMPARE);
        if let Some(keeper) = self.keeper(from) {
            keeper.agreed = true;
            keeper.same = false;
            keeper.calm_until = calm_until;
            self.calm_down();
        }
    }

    /// Once all have answered, the next comparison has time, unless something has changed.
    fn calm_down(&mut self) {
        let calm = self.keepers.iter().all(|keeper| keeper.is_calm(self.now));
        if calm && self.compare_at == self.retry_at {
            self.compare_at = self.after(COMPARE);
        }
    }

    fn mark_different(&mut self, from: A) {
        let retry_at = self.after(PATIENCE);
        if let Some(keeper) = self.keeper(from) {
            keeper.same = false;
            keeper.calm_until = Duration::ZERO;
            self.compare_at = self.compare_at.min(retry_at);
        }
    }

    /// Sends the entries of a range to its new owner.
    pub(super) fn hand_over(&mut self, to: A, range: KeyRange<Id160>) {
        self.stream(to, range);
        self.send_streams(); // a node that leaves has no time
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
