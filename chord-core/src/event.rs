//! Events of a node.

use core::fmt;

use crate::id::{Identifier, KeyRange};
use crate::peer::Peer;
use crate::wire::Address;

/// Names a lookup of one node; the numbers start again after 2^32.
///
/// ```
/// use chord_core::{Config, Event, Node, NodeArrays, Peer, Word};
/// use core::time::Duration;
///
/// type Slots = NodeArrays<Word<8>, u32, 4, 8, 3, 2>;
/// let me = Peer { id: Word::new(1), address: 1 };
/// let mut node = Node::new(Config::default(), me, Slots::EMPTY)?;
/// node.create(Duration::ZERO)?;
/// let first = node.lookup(Duration::ZERO, Word::new(7))?;
/// let second = node.lookup(Duration::ZERO, Word::new(7))?;
/// node.cancel(first);
/// let ended = core::iter::from_fn(|| node.poll_event()).find_map(|event| match event {
///     Event::LookupDone { lookup, owner, .. } => Some((lookup, owner)),
///     _ => None,
/// });
/// assert_eq!(ended, Some((second, me)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LookupId(pub(crate) u32);

impl fmt::Display for LookupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Something the node has learnt. Each prints itself as a line of a trace.
///
/// ```
/// use chord_core::{Event, KeyRange, Peer, Word};
///
/// let id = Word::<8>::new;
/// let to = Peer { id: id(90), address: 1u32 };
/// let event = Event::HandOver { range: KeyRange { after: id(20), through: id(90) }, to };
/// assert_eq!(event.to_string(), "hand over keys (20, 90] to 90@1");
/// match event {
///     Event::HandOver { range, to } => assert!(range.contains(to.id)), // send the data there
///     Event::TakeOver { .. } => {} // they arrive, or are among the replicas
///     _ => {}
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Event<I, A> {
    /// The node is a member of the ring now.
    Joined,
    /// The join failed; the application may try again.
    JoinFailed(JoinFailure),
    /// The successor is another one now; `None`: no other node is known.
    SuccessorChanged(Option<Peer<I, A>>),
    /// The predecessor is another one now, and with it the keys that this node owns.
    /// [`HandOver`](Self::HandOver) or [`TakeOver`](Self::TakeOver) names the difference.
    PredecessorChanged {
        /// `None` means that no other node is known: every key is this node's.
        predecessor: Option<Peer<I, A>>,
        /// The keys that this node owns.
        range: KeyRange<I>,
    },
    /// Some entry of the successor list is another one now. An application with replicas at the next nodes
    /// brings those of [`Node::successors`](crate::Node::successors) up to date.
    ListChanged,
    /// The data of these keys belong to another node now: it has joined before this one, or this
    /// one leaves. They are to be sent there.
    HandOver {
        /// Which keys.
        range: KeyRange<I>,
        /// Their owner from now on.
        to: Peer<I, A>,
    },
    /// This node has come to own these keys, by its join or because the node before it failed or
    /// left. Their data are handed over by the former owner, or lie in the replicas.
    TakeOver {
        /// Which keys.
        range: KeyRange<I>,
    },
    /// A peer has not answered, or has answered that it is not a member.
    PeerFailed(Peer<I, A>),
    /// This many more peers have failed, and the node had no room to keep their names. It does not happen where
    /// all events are polled after each call.
    MorePeersFailed(u16),
    /// The node has lost all others, and is a ring of its own until it finds one of them again.
    Isolated,
    /// A remembered peer leads to another ring, in which another node owns the identifier of this one. The two
    /// are being merged.
    SplitSuspected,
    /// Three probes in a row have found one ring.
    Merged,
    /// A lookup has been answered by another node: iterative lookups report each one. Hops that were not polled in time show as a
    /// gap in the numbers.
    LookupHop {
        /// Which lookup.
        lookup: LookupId,
        /// How many nodes have answered so far, from 1.
        hop: u8,
        /// The one that has just answered.
        peer: Peer<I, A>,
    },
    /// A lookup has found the owner of its key.
    LookupDone {
        /// Which lookup.
        lookup: LookupId,
        /// Its key.
        key: I,
        /// The node that owns the key. With [`Config::confirm`](crate::Config::confirm) it has
        /// given a sign of life.
        owner: Peer<I, A>,
        /// How many other nodes were asked for the way, or have passed the question on.
        hops: u8,
        /// How many times a node on the way did not answer in time. A pause, because no node knew the owner yet, counts twice.
        timeouts: u8,
    },
    /// A lookup has ended without an owner.
    LookupFailed {
        /// Which lookup.
        lookup: LookupId,
        /// Its key.
        key: I,
        /// Why.
        reason: LookupFailure,
    },
}

/// Why a join failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum JoinFailure {
    /// The contact is silent, or no member of a ring, or the ring kept changing at this place.
    NoRing,
    /// The ring has a member with this identifier, perhaps a former life of this node. Two nodes have named it, or it has answered itself.
    IdentifierTaken,
}

/// Why a lookup failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum LookupFailure {
    /// This node is no member of a ring.
    NotMember,
    /// Too many nodes on the way were dead or misled the lookup, or the way was too long.
    NoRoute,
    /// The deadline has passed: [`Config::lookup_deadline`](crate::Config::lookup_deadline), or that of
    /// [`Node::lookup_within`](crate::Node::lookup_within).
    TimedOut,
}

impl<I: Identifier, A: Address> fmt::Display for Event<I, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Joined => f.write_str("joined"),
            Self::JoinFailed(reason) => write!(f, "join failed: {reason:?}"),
            Self::SuccessorChanged(Some(peer)) => write!(f, "successor {peer}"),
            Self::SuccessorChanged(None) => f.write_str("no successor"),
            Self::PredecessorChanged { predecessor: Some(peer), range } => {
                write!(f, "predecessor {peer}, keys {range}")
            }
            Self::PredecessorChanged { predecessor: None, range } => {
                write!(f, "no predecessor, keys {range}")
            }
            Self::ListChanged => f.write_str("successor list changed"),
            Self::HandOver { range, to } => write!(f, "hand over keys {range} to {to}"),
            Self::TakeOver { range } => write!(f, "take over keys {range}"),
            Self::PeerFailed(peer) => write!(f, "failed {peer}"),
            Self::MorePeersFailed(count) => write!(f, "{count} more failed"),
            Self::Isolated => f.write_str("isolated"),
            Self::SplitSuspected => f.write_str("split suspected"),
            Self::Merged => f.write_str("merged"),
            Self::LookupHop { lookup, hop, peer } => write!(f, "lookup {lookup} hop {hop} {peer}"),
            Self::LookupDone { lookup, key, owner, hops, timeouts } => {
                write!(f, "lookup {lookup} key {key} owner {owner} hops {hops} timeouts {timeouts}")
            }
            Self::LookupFailed { lookup, key, reason } => {
                write!(f, "lookup {lookup} key {key} failed: {reason:?}")
            }
        }
    }
}
