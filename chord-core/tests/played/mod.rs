//! Node 100 of a small ring, while the test plays all the others.
#![allow(dead_code)] // each program uses its part

use core::time::Duration;

use chord_core::{Config, Event, Identifier, KeyRange, Message, Node, NodeArrays, Peer, Word};

pub(crate) type Id = Word<16>;
pub(crate) type Text = Message<Id, u32>;
/// r = 3, 16 fingers, two lookups of the application, `C` contacts.
pub(crate) type TestNode<const C: usize> = Node<Id, u32, NodeArrays<Id, u32, 3, 16, 3, C>>;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const RING: [u64; 6] = [100, 300, 1000, 5000, 20000, 40000];

pub(crate) fn peer(id: u64) -> Peer<Id, u32> {
    Peer { id: Id::new(id), address: id as u32 }
}

pub(crate) struct Played<const C: usize> {
    pub(crate) node: TestNode<C>,
    pub(crate) now: Duration,
    /// The nodes that do not answer.
    pub(crate) silent: Vec<u32>,
    /// The nodes that answer a QUERY with BUSY.
    pub(crate) busy: Vec<u32>,
    /// What the node has sent, when and to which address.
    pub(crate) sent: Vec<(Duration, u32, Text)>,
    pub(crate) events: Vec<(Duration, Event<Id, u32>)>,
}

impl<const C: usize> Played<C> {
    /// A node that has not started.
    pub(crate) fn outside(config: Config) -> Self {
        let node = TestNode::new(config, peer(100), NodeArrays::EMPTY).unwrap();
        let now = Duration::ZERO;
        Self { node, now, silent: vec![], busy: vec![], sent: vec![], events: vec![] }
    }

    /// A member of [`RING`], with the contact `seed` if that is given.
    pub(crate) fn member(config: Config, seed: Option<u32>) -> Self {
        let mut played = Self::outside(config);
        if let Some(seed) = seed {
            played.node.add_seed(seed).unwrap();
        }
        played.node.create_base(Duration::ZERO, &RING.map(peer)).unwrap();
        played
    }

    pub(crate) fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        self.flush();
        while let Some(at) = self.node.poll_timeout().filter(|at| *at <= end) {
            self.now = at;
            self.node.handle_timeout(at);
            self.flush();
        }
        self.now = end;
    }

    /// Sends all, lets the others answer at once, and polls all events.
    pub(crate) fn flush(&mut self) {
        let mut buf = [0; Text::MAX_LEN];
        while let Some(sent) = self.node.poll_transmit(&mut buf).unwrap() {
            let (message, _) = Text::decode(&buf[..sent.len]).unwrap();
            let answer = self.answer(sent.to, &message);
            self.sent.push((self.now, sent.to, message));
            if let Some(answer) = answer {
                self.receive(sent.to, &answer);
            }
        }
        while let Some(event) = self.node.poll_event() {
            self.events.push((self.now, event));
        }
    }

    pub(crate) fn receive(&mut self, from: u32, message: &Text) {
        let mut buf = [0; Text::MAX_LEN];
        let len = message.encode(&mut buf).unwrap();
        self.node.handle_datagram(self.now, from, &buf[..len]).unwrap();
    }

    /// Returns when a message of a kind was sent to an address, in seconds.
    pub(crate) fn times(&self, to: u32, is: fn(&Text) -> bool) -> Vec<f64> {
        let sent = self.sent.iter().filter(|(_, at, message)| *at == to && is(message));
        sent.map(|(at, ..)| at.as_secs_f64()).collect()
    }

    fn answer(&self, to: u32, message: &Text) -> Option<Text> {
        // Those that are silent have failed, and the others know it.
        let failed = |id: &u64| self.silent.iter().any(|silent| u64::from(*silent) == *id);
        let ring: Vec<u64> = RING.into_iter().filter(|id| !failed(id)).collect();
        let at = ring.iter().position(|id| *id == u64::from(to))?;
        let id = Id::new(to.into());
        let next = |by: usize| peer(ring[(at + by) % ring.len()]);
        Some(match *message {
            Text::Query { token, .. } if self.busy.contains(&to) => Text::Busy { token },
            Text::Ping { token, .. } => Text::Pong { token, id },
            Text::Query { token, .. } => {
                let successors = (1..=3).map(next).collect();
                Text::State { token, id, predecessor: next(ring.len() - 1), successors }
            }
            Text::Find { token, key, ref avoid } => {
                let owns = KeyRange { after: next(ring.len() - 1).id, through: id }.contains(key);
                if avoid.contains(&id) && owns {
                    return Some(Text::Owner { token, id, peer: peer(to.into()) });
                }
                let usable = |peer: &Peer<Id, u32>| !avoid.contains(&peer.id);
                let peer = (1..ring.len()).map(next).find(usable)?;
                if (KeyRange { after: id, through: peer.id }).contains(key) {
                    Text::Owner { token, id, peer }
                } else {
                    // The farthest one before the key.
                    let before = (1..ring.len())
                        .rev()
                        .map(next)
                        .find(|peer| usable(peer) && peer.id.between(id, key));
                    Text::Closer { token, id, peer: before.unwrap_or(peer) }
                }
            }
            _ => return None,
        })
    }
}

/// The differences of one number and the next.
pub(crate) fn gaps(times: &[f64]) -> Vec<f64> {
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// Panics unless all numbers lie in a range.
pub(crate) fn assert_within(numbers: &[f64], range: core::ops::RangeInclusive<f64>) {
    assert!(!numbers.is_empty());
    assert!(numbers.iter().all(|number| range.contains(number)), "{range:?}: {numbers:?}");
}

/// No timers but those that a test sets.
pub(crate) fn quiet() -> Config {
    let mut config = Config::default();
    config.stabilize = Duration::MAX;
    config.fix_fingers = Duration::MAX;
    config
}

pub(crate) fn is_query(message: &Text) -> bool {
    matches!(message, Text::Query { .. })
}

pub(crate) fn is_ping(message: &Text) -> bool {
    matches!(message, Text::Ping { .. })
}

pub(crate) fn is_find(message: &Text) -> bool {
    matches!(message, Text::Find { .. })
}
