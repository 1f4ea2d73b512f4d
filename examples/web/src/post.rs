//! Messages on their way, in virtual time, and the trace of those that were sent.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use sim::Rng;

use crate::Json;

/// The most lines that the trace keeps.
const LINES: usize = 20_000;
/// The most messages under way that are named.
const FLIGHTS: usize = 1_500;

/// A message that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// The node that sent it.
    pub from: u32,
    /// The node that it is for.
    pub to: u32,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// One line of the trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When it was sent.
    pub sent: Duration,
    /// When it arrives, or would have arrived.
    pub arrives: Duration,
    /// The node that sent it.
    pub from: u32,
    /// The node that it is for.
    pub to: u32,
    /// The kind, by which the page filters and colours.
    pub kind: &'static str,
    /// The message as its crate prints it.
    pub text: String,
    /// Whether it does not arrive.
    pub lost: bool,
}

/// The network of a world: it delivers in the order of arrival, and loses what it must.
#[derive(Debug)]
pub struct Post {
    latency: Duration,
    jitter: Duration,
    loss_permille: u64,
    rng: Rng,
    now: Duration,
    sent: u64,
    flying: BTreeMap<(Duration, u64), (Parcel, usize)>,
    /// When the last message from one node to another arrives: nothing overtakes it.
    last: BTreeMap<(u32, u32), Duration>,
    uplinks: BTreeMap<u32, Uplink>,
    dead: BTreeSet<u32>,
    island: BTreeSet<u32>,
    /// Links that carry nothing, the lower node first.
    broken: BTreeSet<(u32, u32)>,
    lines: Vec<Line>,
    dropped: usize, // lines that are no longer kept
}

#[derive(Debug)]
struct Uplink {
    bytes_per_second: u64,
    free_at: Duration,
}

impl Post {
    /// Creates an empty network at time zero.
    #[must_use]
    pub fn new(seed: u64, latency: Duration, jitter: Duration) -> Self {
        Self {
            latency,
            jitter,
            loss_permille: 0,
            rng: Rng::new(seed ^ 0x0707),
            now: Duration::ZERO,
            sent: 0,
            flying: BTreeMap::new(),
            last: BTreeMap::new(),
            uplinks: BTreeMap::new(),
            dead: BTreeSet::new(),
            island: BTreeSet::new(),
            broken: BTreeSet::new(),
            lines: Vec::new(),
            dropped: 0,
        }
    }

    /// Returns the time.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Sets the clock, which never goes back.
    pub fn set_now(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }

    /// Loses this many of 1,000 messages.
    pub fn set_loss(&mut self, permille: u64) {
        self.loss_permille = permille.min(1_000);
    }

    /// Limits what a node sends, in bytes per second.
    pub fn set_uplink(&mut self, node: u32, bytes_per_second: u64) {
        let bytes_per_second = bytes_per_second.max(1);
        self.uplinks.insert(node, Uplink { bytes_per_second, free_at: self.now });
    }

    /// Returns when the uplink of a node has sent everything that it was given.
    #[must_use]
    pub fn free_at(&self, node: u32) -> Duration {
        self.uplinks.get(&node).map_or(self.now, |uplink| uplink.free_at.max(self.now))
    }

    /// Stops a node: nothing reaches it, and nothing leaves it.
    pub fn kill(&mut self, node: u32) {
        self.dead.insert(node);
    }

    /// Lets a node take part again.
    pub fn revive(&mut self, node: u32) {
        self.dead.remove(&node);
    }

    /// Cuts these nodes off from all others; an empty list heals the network.
    pub fn cut(&mut self, island: impl IntoIterator<Item = u32>) {
        self.island = island.into_iter().collect();
    }

    /// Cuts the link between two nodes, in both directions.
    pub fn cut_link(&mut self, a: u32, b: u32) {
        self.broken.insert((a.min(b), a.max(b)));
    }

    /// Repairs every link that [`cut_link`](Self::cut_link) has cut.
    pub fn mend_links(&mut self) {
        self.broken.clear();
    }

    /// Returns the links that are cut.
    pub fn cut_links(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.broken.iter().copied()
    }

    /// Returns whether a node is on the other side of the cut.
    #[must_use]
    pub fn is_cut_off(&self, node: u32) -> bool {
        self.island.contains(&node)
    }

    /// Returns whether the network is cut.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        !self.island.is_empty()
    }

    /// Sends a message. `kind` and `text` are for the trace.
    pub fn send(&mut self, parcel: Parcel, kind: &'static str, text: String) {
        let Parcel { from, to, .. } = parcel;
        if self.dead.contains(&from) {
            return;
        }
        let departs = self.depart(from, parcel.bytes.len());
        let jitter = self.rng.below(self.jitter.as_micros() as u64 + 1);
        let last = self.last.entry((from, to)).or_default();
        let arrives = (departs + self.latency + Duration::from_micros(jitter)).max(*last);
        *last = arrives;
        let unlucky = self.loss_permille > 0 && self.rng.below(1_000) < self.loss_permille;
        let lost = unlucky || self.is_blocked(from, to);
        let number = self.dropped + self.lines.len();
        self.lines.push(Line { sent: self.now, arrives, from, to, kind, text, lost });
        if self.lines.len() > LINES {
            let spare = LINES / 4;
            self.lines.drain(..spare);
            self.dropped += spare;
        }
        if !lost {
            self.sent += 1;
            self.flying.insert((arrives, self.sent), (parcel, number));
        }
    }

    /// Notes something that is no message, such as a verdict of a node about itself.
    pub fn note(&mut self, node: u32, kind: &'static str, text: String) {
        let now = self.now;
        self.lines.push(Line {
            sent: now,
            arrives: now,
            from: node,
            to: node,
            kind,
            text,
            lost: false,
        });
    }

    /// Returns when the next message arrives.
    #[must_use]
    pub fn next_at(&self) -> Option<Duration> {
        self.flying.first_key_value().map(|((at, _), _)| *at)
    }

    /// Returns the next message that has arrived by `until`, and sets the clock to its arrival.
    pub fn receive(&mut self, until: Duration) -> Option<Parcel> {
        while self.next_at().is_some_and(|at| at <= until) {
            let ((at, _), (parcel, number)) = self.flying.pop_first()?;
            self.set_now(at);
            if !self.is_blocked(parcel.from, parcel.to) {
                return Some(parcel);
            }
            let kept = number.checked_sub(self.dropped);
            if let Some(line) = kept.and_then(|number| self.lines.get_mut(number)) {
                line.lost = true; // the receiver has died meanwhile
            }
        }
        None
    }

    fn depart(&mut self, from: u32, len: usize) -> Duration {
        let Some(uplink) = self.uplinks.get_mut(&from) else { return self.now };
        let micros = len as u64 * 1_000_000 / uplink.bytes_per_second;
        uplink.free_at = uplink.free_at.max(self.now) + Duration::from_micros(micros);
        uplink.free_at
    }

    fn is_blocked(&self, from: u32, to: u32) -> bool {
        let apart = self.island.contains(&from) != self.island.contains(&to);
        let broken = self.broken.contains(&(from.min(to), from.max(to)));
        apart || broken || self.dead.contains(&from) || self.dead.contains(&to)
    }

    /// Returns the trace.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Returns the messages that are under way: `[from, to, sent, arrives, kind]`, times in seconds. Of a great many only those
    /// that arrive first are named: no picture shows more.
    #[must_use]
    pub fn in_flight(&self) -> Json {
        let flights = self.flying.values().take(FLIGHTS).filter_map(|(_, number)| {
            let line = self.lines.get(number.checked_sub(self.dropped)?)?;
            let sent = line.sent.as_secs_f64();
            let arrives = line.arrives.as_secs_f64();
            Some(Json::List(vec![
                line.from.into(),
                line.to.into(),
                sent.into(),
                arrives.into(),
                line.kind.into(),
            ]))
        });
        Json::List(flights.collect())
    }

    /// Returns the number of lines so far, and those from a number on: `[sent, from, to, kind, text, lost]`.
    #[must_use]
    pub fn lines_from(&self, first: usize) -> (usize, Json) {
        let kept = &self.lines[first.saturating_sub(self.dropped).min(self.lines.len())..];
        let line = |line: &Line| {
            Json::List(vec![
                line.sent.as_secs_f64().into(),
                line.from.into(),
                line.to.into(),
                line.kind.into(),
                line.text.as_str().into(),
                line.lost.into(),
            ])
        };
        (self.dropped + self.lines.len(), Json::List(kept.iter().map(line).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parcel(from: u32, to: u32) -> Parcel {
        Parcel { from, to, bytes: vec![0; 100] }
    }

    fn post() -> Post {
        Post::new(1, Duration::from_millis(100), Duration::from_millis(50))
    }

    #[test]
    fn messages_between_two_nodes_keep_their_order() {
        let mut post = post();
        for text in 0..20 {
            post.send(Parcel { bytes: vec![text], ..parcel(1, 2) }, "", String::new());
        }
        let order: Vec<u8> =
            core::iter::from_fn(|| post.receive(Duration::MAX)).map(|one| one.bytes[0]).collect();
        assert_eq!(order, (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn nothing_reaches_a_dead_node_or_the_other_side_of_a_cut() {
        let mut post = post();
        post.send(parcel(1, 2), "", String::new());
        post.kill(2);
        assert_eq!(post.receive(Duration::MAX), None);
        assert!(post.lines()[0].lost, "it died while the message was under way");
        post.revive(2);
        post.cut([2]);
        post.send(parcel(1, 2), "", String::new());
        assert_eq!(post.receive(Duration::MAX), None);
        post.cut([]);
        post.cut_link(2, 1);
        post.send(parcel(1, 2), "", String::new());
        assert_eq!(post.receive(Duration::MAX), None);
        post.send(parcel(1, 3), "", String::new());
        assert!(post.receive(Duration::MAX).is_some(), "one link is cut, not the node");
        post.mend_links();
        post.send(parcel(1, 2), "", String::new());
        assert!(post.receive(Duration::MAX).is_some());
    }

    #[test]
    fn an_uplink_sends_one_message_after_the_other() {
        let mut post = Post::new(1, Duration::ZERO, Duration::ZERO);
        post.set_uplink(1, 100);
        post.send(parcel(1, 2), "", String::new());
        post.send(parcel(1, 3), "", String::new());
        post.receive(Duration::MAX);
        assert_eq!(post.now(), Duration::from_secs(1));
        post.receive(Duration::MAX);
        assert_eq!(post.now(), Duration::from_secs(2));
    }

    #[test]
    fn old_lines_are_forgotten_and_numbers_stay() {
        let mut post = post();
        for _ in 0..LINES + 10 {
            post.send(parcel(1, 2), "", String::new());
        }
        let (count, kept) = post.lines_from(LINES + 5);
        assert_eq!(count, LINES + 10);
        let Json::List(kept) = kept else { panic!("a list") };
        assert_eq!(kept.len(), 5);
    }
}
