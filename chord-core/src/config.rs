//! What a node is told before it starts.

use core::time::Duration;

use crate::time::Span;

/// The settings of a node. Any value is legal: what makes no sense counts as the nearest value
/// that does, so that no setting stops the node or makes it spin. Spans are kept in milliseconds; 49
/// days and more are for ever.
///
/// ```
/// use core::time::Duration;
///
/// let mut config = chord_core::Config::default();
/// config.stabilize = Duration::from_secs(1);
/// config.seed = 7;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Config {
    /// r, the length of the successor list, 1 to 20. All nodes of a ring use the same. The ring
    /// survives as long as no r successive nodes fail within one `stabilize`: choose about
    /// log2 N for a network whose nodes may fail by halves (Stoica 2003, Theorem IV.5).
    pub successors: u8,
    /// How long between two stabilizations. Each wait is drawn from three to five quarters of it,
    /// so that nodes which started together drift apart. Costs three datagrams each.
    pub stabilize: Duration,
    /// How long between two stabilizations of a node that has seen no change for a while: each quiet
    /// round makes the wait a quarter longer up to this, each change brings it back to `stabilize`.
    /// Less than `stabilize` counts as that, and the wait never changes. A ring survives as long as
    /// no r successive nodes fail within the longer of the two.
    pub stabilize_when_calm: Duration,
    /// How long between two lookups that refresh a finger, drawn likewise. [`Duration::MAX`] means
    /// never: lookups stay right and become slow.
    pub fix_fingers: Duration,
    /// How long to wait for an answer before the question is asked again: more than the longest
    /// round trip.
    pub patience: Duration,
    /// How often a question is asked before silence counts as death, at least 1. With a share q of
    /// round trips lost, a living peer is taken for dead once in q^-tries questions.
    pub tries: u8,
    /// Whether a lookup of the application asks the owner it has found for a sign of life, and goes
    /// on to the next successor without one. Costs two datagrams for each lookup; without it, an
    /// owner that has just failed may still be named.
    pub confirm: bool,
    /// How the lookups of the application travel.
    pub style: Style,
    /// Whether fingers are chosen by proximity: each refresh then tries a random node of the finger's
    /// interval, and keeps the one that answers faster (Stoica 2003, Table IV, measures the gain). Needs
    /// no other messages, and makes the path a little longer and each hop of it shorter.
    pub proximity: bool,
    /// For jitter and tokens. It need not be secret unless strangers may forge answers, and should
    /// differ from node to node and from start to start.
    pub seed: u64,
}

impl Config {
    /// r = 8, stabilization every 5 s, calm or not, a finger every 10 s, five tries of 500 ms, owners
    /// are asked for a sign of life, iterative lookups, no proximity, seed 0.
    pub const DEFAULT: Self = Self {
        successors: 8,
        stabilize: Duration::from_secs(5),
        stabilize_when_calm: Duration::ZERO,
        fix_fingers: Duration::from_secs(10),
        patience: Duration::from_millis(500),
        tries: 5,
        confirm: true,
        style: Style::Iterative,
        proximity: false,
        seed: 0,
    };
}

/// How a lookup travels. The owner found is the same; cost and trust differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Style {
    /// The asker asks node after node: two datagrams for each hop. It goes around dead nodes and notices
    /// lies about the direction.
    Iterative,
    /// Each node passes the question on, and the answer comes back the same way: two datagrams for
    /// each hop, but only between nodes that know each other.
    Recursive,
    /// Each node passes the question on, and the last one answers the asker: one datagram for each hop and
    /// one back, so half the time. Whoever answers first with the right token is believed.
    SemiRecursive,
}

/// A [`Config`] as a node keeps it: in few bytes, with the nearest value for what makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Settings {
    pub(crate) stabilize: Span,
    pub(crate) stabilize_when_calm: Span,
    pub(crate) fix_fingers: Span,
    pub(crate) patience: Span,
    pub(crate) successors: u8,
    pub(crate) tries: u8,
    pub(crate) confirm: bool,
    pub(crate) style: Style,
    pub(crate) proximity: bool,
}

impl Settings {
    pub(crate) const fn new(config: &Config) -> Self {
        Self {
            stabilize: Span::new(config.stabilize),
            stabilize_when_calm: Span::new(config.stabilize_when_calm),
            fix_fingers: Span::new(config.fix_fingers),
            patience: Span::new(config.patience),
            successors: config.successors,
            tries: config.tries,
            confirm: config.confirm,
            style: config.style,
            proximity: config.proximity,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::DEFAULT
    }
}
