//! Entries on their way to other nodes: whole ranges, each sent once from its start to its end, at a pace that receivers
//! can follow.
//!
//! Peers take turns, so that one of many ranges does not hold up the others. What gets lost on the way, and what finds
//! no place in the list, is found by the next comparison.

use core::time::Duration;
use std::collections::VecDeque;

use chord_core::{Id160, KeyRange};

use super::member::{Member, PATIENCE, SILENCE};
use super::sync::FULL;
use super::table::Origin;
use super::transfer::Transfer;

/// How many entries are sent in each window: 2.5 MB a second.
const BUDGET: usize = 128;
const WINDOW: Duration = Duration::from_millis(50);
/// How many entries one peer receives in its turn.
const TURN: usize = 16;
/// How many peers receive ranges at a time.
const MOST_PEERS: usize = 32;
/// How many ranges wait for one peer.
const MOST_RANGES: usize = 128;

/// The ranges that are being sent.
#[derive(Debug)]
pub(super) struct Streams<A> {
    /// The first one has the next turn.
    list: VecDeque<Stream<A>>,
    /// When the next window begins.
    next_at: Duration,
}

/// The ranges that one peer receives, one after the other.
#[derive(Debug)]
struct Stream<A> {
    to: A,
    ranges: VecDeque<KeyRange<Id160>>,
    /// The token of the last copy of each turn: its answer shows that the peer is there and has room.
    token: u32,
    /// When an answer was due for the first time since the peer was heard.
    asked: Option<Duration>,
    /// Until then the peer receives nothing, since it had no room.
    refused_until: Duration,
}

impl<A> Default for Streams<A> {
    fn default() -> Self {
        Self { list: VecDeque::new(), next_at: Duration::ZERO }
    }
}

impl<A: Origin> Streams<A> {
    /// Returns when the next entries are sent.
    pub(super) fn next_at(&self) -> Option<Duration> {
        let waits = self.list.iter().any(|stream| !stream.ranges.is_empty());
        waits.then_some(self.next_at)
    }

    /// Returns whether ranges are being sent to the peer.
    pub(super) fn runs_to(&self, to: A) -> bool {
        self.find(to).is_some_and(|stream| !stream.ranges.is_empty())
    }

    /// Returns whether nothing more may be sent to the peer in this range for now: some of it is on its way, or there are
    /// too many ranges, or the peer has no room.
    pub(super) fn is_busy(&self, to: A, range: KeyRange<Id160>, now: Duration) -> bool {
        self.find(to).is_some_and(|stream| {
            stream.refused_until > now
                || stream.ranges.len() >= MOST_RANGES
                || stream.ranges.iter().any(|other| overlap(*other, range))
        })
    }

    /// The peer has sent anything.
    pub(super) fn hear(&mut self, from: A) {
        if let Some(stream) = self.find_mut(from) {
            stream.asked = None;
        }
    }

    /// The peer has no room: it receives nothing until `until`.
    pub(super) fn stop(&mut self, to: A, until: Duration) {
        if let Some(stream) = self.find_mut(to) {
            stream.ranges.clear();
            stream.refused_until = until;
        }
    }

    fn find(&self, to: A) -> Option<&Stream<A>> {
        self.list.iter().find(|stream| stream.to == to)
    }

    fn find_mut(&mut self, to: A) -> Option<&mut Stream<A>> {
        self.list.iter_mut().find(|stream| stream.to == to)
    }

    /// Removes what has ended, and peers that do not answer.
    fn tidy(&mut self, now: Duration) {
        self.list.retain(|stream| {
            let silent = stream.asked.is_some_and(|at| now.saturating_sub(at) >= SILENCE);
            (!stream.ranges.is_empty() && !silent) || stream.refused_until > now
        });
    }

    /// Returns the peer that has its turn, its token, and the range that it receives. Peers that have not answered for a
    /// while receive nothing more until they do.
    fn turn(&mut self, now: Duration) -> Option<(A, u32, KeyRange<Id160>)> {
        let answers =
            |stream: &Stream<A>| stream.asked.is_none_or(|at| now.saturating_sub(at) < PATIENCE);
        let mut list = self.list.iter();
        let at = list.position(|stream| !stream.ranges.is_empty() && answers(stream))?;
        self.list.rotate_left(at);
        let stream = self.list.front()?;
        Some((stream.to, stream.token, *stream.ranges.front()?))
    }

    /// The first peer has had its turn; `last` is the last key that it received if the range holds more. Returns whether
    /// no range is left for it.
    fn end_turn(&mut self, last: Option<Id160>, now: Duration) -> bool {
        let Some(stream) = self.list.front_mut() else { return true };
        stream.asked.get_or_insert(now);
        match (last, stream.ranges.front_mut()) {
            (Some(last), Some(range)) => range.after = last,
            _ => drop(stream.ranges.pop_front()),
        }
        let ended = stream.ranges.is_empty();
        self.list.rotate_left(1);
        ended
    }
}

impl<A> Stream<A> {
    fn new(to: A, token: u32) -> Self {
        let refused_until = Duration::ZERO;
        Self { to, ranges: VecDeque::new(), token, asked: None, refused_until }
    }

    /// Adds a range that overlaps with no other. Neighbours become one.
    fn add(&mut self, range: KeyRange<Id160>) {
        for other in &mut self.ranges {
            if other.through == range.after {
                other.through = range.through;
                return;
            }
            if other.after == range.through {
                other.after = range.after;
                return;
            }
        }
        self.ranges.push_back(range);
    }
}

impl<A: Origin> Member<A> {
    /// Begins to send what is in the range, unless some of it is on its way there.
    ///
    /// Nothing is sent to a node that has yet to show its address.
    pub(super) fn stream(&mut self, to: A, range: KeyRange<Id160>) {
        let proven = to != self.node.me().address && self.cookies.from(to) != 0;
        self.streams.tidy(self.now);
        if !proven
            || self.streams.is_busy(to, range, self.now)
            || self.store.keys(range).next().is_none()
        {
            return;
        }
        if self.streams.find(to).is_none() {
            if !self.make_room_for(to) {
                return;
            }
            let token = self.next_token();
            self.streams.list.push_back(Stream::new(to, token));
        }
        if let Some(stream) = self.streams.find_mut(to) {
            stream.add(range);
        }
    }

    /// Makes room for one more peer; the neighbours on the ring come before others.
    fn make_room_for(&mut self, to: A) -> bool {
        if self.streams.list.len() < MOST_PEERS {
            return true;
        }
        let list = &self.streams.list;
        let ended = list.iter().position(|stream| stream.ranges.is_empty());
        let stranger = || list.iter().rposition(|stream| !self.is_neighbour(stream.to));
        let at = ended.or_else(|| if self.is_neighbour(to) { stranger() } else { None });
        at.and_then(|at| self.streams.list.remove(at)).is_some()
    }

    fn is_neighbour(&self, address: A) -> bool {
        let predecessor = self.node.predecessor();
        let mut all = self.node.successors().iter().chain(predecessor.as_slice());
        all.any(|peer| peer.address == address)
    }

    /// Sends the entries of one window.
    pub(super) fn send_streams(&mut self) {
        if self.streams.next_at > self.now {
            return;
        }
        self.streams.tidy(self.now);
        if self.streams.next_at().is_some() {
            self.streams.next_at = self.after(WINDOW);
        }
        let mut left = BUDGET;
        while left > 0
            && let Some((to, token, range)) = self.streams.turn(self.now)
        {
            let count = TURN.min(left);
            let mut keys: Vec<Id160> = self.store.keys(range).take(count + 1).collect();
            let more = keys.len() > count;
            keys.truncate(count);
            left -= keys.len().max(1); // a range that has become empty takes a little, too
            let last = keys.pop();
            for key in keys {
                self.send_entry(to, key, 0);
            }
            if let Some(key) = last {
                self.send_entry(to, key, token);
            }
            let ended = self.streams.end_turn(last.filter(|_| more), self.now);
            if ended && self.keeper(to).is_some() {
                self.compare_soon(); // to find what got lost
            }
        }
    }

    /// The receiver of a stream has no room. Returns `false` if the token is not that of its stream.
    pub(super) fn refuse_stream(&mut self, from: A, token: u32) -> bool {
        let refused = self.streams.find(from).is_some_and(|stream| stream.token == token);
        if refused {
            self.streams.stop(from, self.after(FULL));
        }
        refused
    }

    fn send_entry(&mut self, to: A, key: Id160, token: u32) {
        let entry = self.store.find(key).cloned();
        if let (Some(entry), Some(lifetime)) = (entry, self.store.lifetime(key, self.now)) {
            self.counters.copies += 1;
            self.send(to, Transfer::Copy { token, key, entry, lifetime });
        }
    }
}

/// Returns whether two ranges have keys in common: then one of them has the end of the other.
fn overlap(one: KeyRange<Id160>, two: KeyRange<Id160>) -> bool {
    one.contains(two.through) || two.contains(one.through)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(after: u8, through: u8) -> KeyRange<Id160> {
        KeyRange { after: Id160::from([after; 20]), through: Id160::from([through; 20]) }
    }

    fn stream(ranges: &[KeyRange<Id160>]) -> Stream<u32> {
        let mut stream = Stream::new(1, 1);
        for range in ranges {
            stream.add(*range);
        }
        stream
    }

    #[test]
    fn ranges_overlap_exactly_where_they_have_keys_in_common() {
        for n in 0..5_u32.pow(4) {
            let at = |place| (n / 5_u32.pow(place) % 5) as u8;
            let one = range(at(0), at(1));
            let two = range(at(2), at(3));
            let common = (0..5).map(|n| Id160::from([n; 20]));
            let common = common.filter(|key| one.contains(*key) && two.contains(*key)).count();
            assert_eq!(overlap(one, two), common > 0, "{one} {two}");
        }
    }

    #[test]
    fn neighbouring_ranges_become_one_and_others_wait() {
        assert_eq!(stream(&[range(1, 2), range(2, 3), range(0, 1)]).ranges, [range(0, 3)]);
        assert_eq!(stream(&[range(1, 2), range(3, 4)]).ranges, [range(1, 2), range(3, 4)]);
        assert_eq!(stream(&[range(9, 2), range(2, 9)]).ranges, [range(9, 9)]);
    }

    #[test]
    fn peers_take_turns_and_one_that_is_silent_is_given_up() {
        let mut streams = Streams::default();
        for (to, ranges) in [(1, vec![range(1, 2), range(5, 6)]), (2, vec![range(1, 9)])] {
            streams.list.push_back(Stream { to, ..stream(&ranges) });
        }
        let mut order = vec![];
        for n in 0..4 {
            let (to, _, range) = streams.turn(Duration::ZERO).unwrap();
            order.push((to, range));
            let last = (to == 2).then(|| Id160::from([3 + n; 20]));
            assert_eq!(streams.end_turn(last, Duration::ZERO), (to, n) == (1, 2));
        }
        let expected = [(1, range(1, 2)), (2, range(1, 9)), (1, range(5, 6)), (2, range(4, 9))];
        assert_eq!(order, expected);
        assert!(streams.runs_to(2) && !streams.runs_to(1));
        assert!(
            streams.is_busy(2, range(7, 8), SILENCE) && !streams.is_busy(2, range(1, 5), SILENCE)
        );
        assert!(streams.turn(PATIENCE.saturating_sub(WINDOW)).is_some());
        assert_eq!(streams.turn(PATIENCE), None);
        streams.tidy(SILENCE.saturating_sub(WINDOW));
        assert!(streams.runs_to(2));
        streams.tidy(SILENCE);
        assert!(!streams.runs_to(2));
        assert_eq!(streams.next_at(), None);
    }
}
