//! The settings of a node.

use core::time::Duration;

use crate::error::ConfigError;
use crate::time::Span;

/// The settings of a node. r and the number of fingers are those of its storage
/// ([`NodeStorage`](crate::NodeStorage)). [`Node::new`](crate::Node::new) refuses what makes no sense.
/// Spans are kept in milliseconds; 49 days and more are for ever.
///
/// ```
/// use core::time::Duration;
///
/// let mut config = chord_core::Config::default();
/// config.stabilize = Duration::from_secs(1);
/// config.seed = 7;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Config {
    /// How long between two stabilizations. Each wait is drawn from three to five quarters of it,
    /// so that nodes which started together drift apart. Costs three datagrams each.
    pub stabilize: Duration,
    /// How long between two stabilizations of a node that has seen no change for a while: each quiet
    /// round makes the wait a quarter longer up to this, each change brings it back to `stabilize`.
    /// [`Duration::ZERO`] means that the wait never changes. A ring survives as long as no r
    /// successive nodes fail within the longer of the two.
    pub stabilize_when_calm: Duration,
    /// How long between two lookups that refresh a finger, drawn likewise. [`Duration::MAX`] means
    /// never: lookups stay right and become slow.
    pub fix_fingers: Duration,
    /// How long to wait for an answer before the question is asked again: more than the longest
    /// round trip. A lookup of the application asks again, and other nodes as well, after three quarters of it,
    /// and sooner once nodes have been silent for that long. Its later tries take a quarter each, and the last one half.
    pub patience: Duration,
    /// How often a question is asked before silence counts as death, at least 1. With a share q of
    /// round trips lost, a living peer is taken for dead once in q^-tries questions.
    pub tries: u8,
    /// Whether a lookup of the application asks the owner it has found for a sign of life, and whether a node
    /// that it knows lies nearer to the key. Costs two datagrams for each lookup; without it, an
    /// owner that has just failed, or lost keys to a newcomer, may still be named.
    pub confirm: bool,
    /// How long a lookup of the application may take, kept in tenths of a second, rounded up. One without an owner ends then, with
    /// [`LookupFailure::TimedOut`](crate::LookupFailure::TimedOut). [`Duration::MAX`], or 109 minutes, means as long as there are nodes to ask.
    /// Choose more than `tries` times `patience`, in which one silent node is found dead. A node that has lost all its
    /// successors names no owner for three stabilizations after it has found the next one, and a longer deadline than that lets
    /// lookups wait for it: the default is three times the longest wait between two stabilizations, and a little more.
    /// [`Node::lookup_within`](crate::Node::lookup_within) sets it for one lookup.
    pub lookup_deadline: Duration,
    /// How the lookups of the application travel.
    pub style: Style,
    /// Whether fingers are chosen by proximity: each refresh then tries a random node of the finger's
    /// interval, and keeps the one that answers faster (Stoica 2003, Table IV, measures the gain). Needs
    /// no other messages, and makes the path a little longer and each hop of it shorter.
    pub proximity: bool,
    /// How many of the lookup slots, in percent and rounded up, questions of other nodes may take that are passed on, 0 to 100.
    /// The rest is left to the lookups of the application. With 0 the node passes nothing on, and recursive lookups that
    /// meet it go another way.
    pub relay_percent: u8,
    /// For jitter and tokens. It need not be secret unless strangers may forge answers, and should
    /// differ from node to node and from start to start.
    pub seed: u64,
}

impl Config {
    /// Stabilization every 5 s, calm or not, a finger every 10 s, five tries of 500 ms, owners
    /// are asked for a sign of life, lookups end after 20 s at the latest, iterative lookups, no proximity, half of the slots
    /// for other nodes, seed 0.
    pub const DEFAULT: Self = Self {
        stabilize: Duration::from_secs(5),
        stabilize_when_calm: Duration::ZERO,
        fix_fingers: Duration::from_secs(10),
        patience: Duration::from_millis(500),
        tries: 5,
        confirm: true,
        lookup_deadline: Duration::from_secs(20),
        style: Style::Iterative,
        proximity: false,
        relay_percent: 50,
        seed: 0,
    };
}

/// How a lookup travels. The owner found is the same; cost and trust differ.
///
/// ```
/// use chord_core::{Config, Style};
///
/// let mut config = Config::default();
/// config.style = Style::SemiRecursive; // half the time of the default, if nobody on the way is dead
/// assert_eq!(Config::DEFAULT.style, Style::Iterative);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Style {
    /// The asker asks node after node: two datagrams for each hop. It goes around dead nodes and notices
    /// lies about the direction.
    Iterative,
    /// Each node passes the question on, and the answer comes back the same way: two datagrams for
    /// each hop, but only between nodes that know each other.
    Recursive,
    /// Each node passes the question on, and the last one answers the asker: one datagram for each hop and
    /// one back, so half the time. The first answer with the right token is believed.
    SemiRecursive,
}

/// Milliseconds in a tenth of a second.
const TENTH: u64 = 100;

/// A [`Config`] as a node keeps it: in few bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Settings {
    pub(crate) stabilize: Span,
    pub(crate) stabilize_when_calm: Span,
    pub(crate) fix_fingers: Span,
    pub(crate) patience: Span,
    pub(crate) tries: u8,
    pub(crate) style: Style,
    pub(crate) relay_percent: u8,
    /// [`CONFIRM`] and [`PROXIMITY`].
    pub(crate) choices: u8,
}

const CONFIRM: u8 = 1;
const PROXIMITY: u8 = 2;

impl Settings {
    pub(crate) fn new(config: &Config) -> Result<Self, ConfigError> {
        let least = Duration::from_millis(1);
        for (name, span) in [
            ("stabilize", config.stabilize),
            ("fix_fingers", config.fix_fingers),
            ("patience", config.patience),
            ("lookup_deadline", config.lookup_deadline),
        ] {
            if span < least {
                return Err(ConfigError::TooShort(name));
            }
        }
        if !config.stabilize_when_calm.is_zero() && config.stabilize_when_calm < config.stabilize {
            return Err(ConfigError::Calm);
        }
        if config.tries == 0 {
            return Err(ConfigError::Tries);
        }
        if config.relay_percent > 100 {
            return Err(ConfigError::RelayPercent(config.relay_percent));
        }
        Ok(Self {
            stabilize: Span::new(config.stabilize),
            stabilize_when_calm: Span::new(config.stabilize_when_calm),
            fix_fingers: Span::new(config.fix_fingers),
            patience: Span::new(config.patience),
            tries: config.tries,
            style: config.style,
            relay_percent: config.relay_percent,
            choices: if config.confirm { CONFIRM } else { 0 }
                | if config.proximity { PROXIMITY } else { 0 },
        })
    }

    pub(crate) const fn confirm(&self) -> bool {
        self.choices & CONFIRM != 0
    }

    pub(crate) const fn proximity(&self) -> bool {
        self.choices & PROXIMITY != 0
    }
}

/// How long a lookup of the application may take, in tenths of a second: in few bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct LookupDeadline(u16);

impl LookupDeadline {
    pub(crate) fn new(config: &Config) -> Self {
        let tenths = config.lookup_deadline.as_millis().div_ceil(TENTH.into());
        Self(u16::try_from(tenths).unwrap_or(u16::MAX))
    }

    pub(crate) fn span(self) -> Span {
        match self.0 {
            u16::MAX => Span::new(Duration::MAX),
            tenths => Span::new(Duration::from_millis(u64::from(tenths).saturating_mul(TENTH))),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::DEFAULT
    }
}
