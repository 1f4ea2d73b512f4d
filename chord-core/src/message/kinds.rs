//! The kinds of messages, their lengths, and how they print.

use core::fmt;

use crate::id::Identifier;
use crate::list::List;
use crate::peer::Peer;
use crate::routing::Route;
use crate::successors::MAX_SUCCESSORS;
use crate::wire::Address;

/// The first byte of every message.
pub(super) const VERSION: u8 = 1;
/// The greatest number of a kind of message.
pub(super) const LAST_KIND: u8 = 13;

/// How many dead nodes a [`Message::Find`] can name.
pub(crate) const AVOIDED: usize = 8;

/// How many addresses the way back of a [`Message::Route`] can name.
pub(crate) const WAY_BACK: usize = 16;

/// Version, kind and token.
pub(super) const HEAD: usize = 6;
/// An answer to a sender that has not shown that it receives is at most this many times as long as the question
/// (RFC 9000, section 8, has the same limit).
pub(crate) const AMPLIFICATION: usize = 3;
/// The length in bytes of a question with an empty padding.
pub(super) const UNPADDED: usize = HEAD + 2;

/// A message between nodes. `WIRE.md` shows the bytes.
///
/// A token is chosen by the asker and comes back with the answer, so that late and forged answers
/// are distinguished from the awaited one. The sender's address is not in the message: it is where
/// the datagram comes from.
///
/// ```
/// use chord_core::{Message, Word};
///
/// type Text = Message<Word<8>, u32>; // identifiers of 8 bits, addresses of four bytes
/// let note = Text::Notify { id: Word::new(200) };
/// let mut bytes = [0; Text::MAX_LEN];
/// let len = note.encode(&mut bytes)?;
/// let (read, rest) = Text::decode(&bytes[..len])?;
/// assert_eq!(read.to_string(), "NOTIFY from 200");
/// assert_eq!(rest, []);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Message<I, A> {
    /// 0: asks for a sign of life. Answered at once with 1 or 5.
    Ping {
        /// Chosen by the asker.
        token: u32,
        /// The number of zero bytes at the end; see [`ping_padding`](Self::ping_padding).
        padding: u16,
    },
    /// 1: a sign of life.
    Pong {
        /// The asker's.
        token: u32,
        /// The identifier of the sender.
        id: I,
    },
    /// 2: asks for predecessor and successors. Answered with 3, 4 or 5.
    Query {
        /// Chosen by the asker.
        token: u32,
        /// The number of zero bytes at the end; see [`query_padding`](Self::query_padding).
        padding: u16,
    },
    /// 3: predecessor and successors of the sender.
    State {
        /// The asker's.
        token: u32,
        /// The identifier of the sender.
        id: I,
        /// The predecessor of the sender; itself if it knows no other node.
        predecessor: Peer<I, A>,
        /// The successors of the sender, clockwise.
        successors: List<Peer<I, A>, MAX_SUCCESSORS>,
    },
    /// 4: a sign of life without an answer. To 2: the sender waits for an answer itself and has no state
    /// until then, or the question is too short for an answer of at most three times its length. To 7: it knows only nodes that have to be avoided.
    Busy {
        /// The asker's.
        token: u32,
    },
    /// 5: the sender is not a member of a ring.
    Absent {
        /// The asker's.
        token: u32,
    },
    /// 6: the sender believes to be the predecessor of the receiver.
    Notify {
        /// The identifier of the sender.
        id: I,
    },
    /// 7: asks where a key leads. Answered at once with 8, 9, 4 or 5.
    Find {
        /// Chosen by the asker.
        token: u32,
        /// The key.
        key: I,
        /// Nodes that the asker has found dead.
        avoid: List<I, AVOIDED>,
    },
    /// 8: a node that is closer before the key.
    Closer {
        /// The asker's.
        token: u32,
        /// The identifier of the sender.
        id: I,
        /// The node to ask.
        peer: Peer<I, A>,
    },
    /// 9: the owner of the key, the successor of the sender.
    Owner {
        /// The asker's.
        token: u32,
        /// The identifier of the sender.
        id: I,
        /// The owner.
        peer: Peer<I, A>,
    },
    /// 10: the sender leaves the ring. A hint that saves the wait for its silence.
    Leave {
        /// The identifier of the sender.
        id: I,
    },
    /// 11: asks where a key leads, to be passed on; the node that knows the owner answers with 12.
    Route {
        /// Chosen by the asker.
        token: u32,
        /// The key.
        key: I,
        /// How many nodes have been asked so far, the receiver included.
        hops: u8,
        /// Whether the answer goes straight to the asker, and not back the way of the question.
        direct: bool,
        /// The way of the answer, its last address first. The receiver appends the sender: always, or with
        /// `direct` only the asker.
        back: List<A, WAY_BACK>,
    },
    /// 12: the owner of the key, the successor of `id`; to be passed on while `back` has addresses.
    Found {
        /// The asker's.
        token: u32,
        /// The identifier of the node before the key.
        id: I,
        /// The owner.
        peer: Peer<I, A>,
        /// How many nodes the question has asked.
        hops: u8,
        /// The rest of the way to the asker.
        back: List<A, WAY_BACK>,
    },
    /// 13: the sender, the successor of the receiver, has another predecessor now. A hint that saves the wait
    /// for the next stabilization.
    Nudge {
        /// The identifier of the sender.
        id: I,
    },
}

impl<I: Identifier, A: Address> Message<I, A> {
    /// The length of the longest message in bytes: that of a buffer for any ring.
    pub const MAX_LEN: usize = Self::max_len(MAX_SUCCESSORS);

    /// Returns the length in bytes of the longest message in a ring whose successor lists have `r` entries.
    #[must_use]
    pub const fn max_len(r: usize) -> usize {
        let peer = I::LEN.saturating_add(A::LEN);
        let state = Self::state_len(r).saturating_sub(HEAD);
        let find = I::LEN.saturating_mul(AVOIDED.saturating_add(1)).saturating_add(1);
        let way = A::LEN.saturating_mul(WAY_BACK).saturating_add(2);
        let found = I::LEN.saturating_add(peer).saturating_add(way);
        let longer = if state > find { state } else { find };
        HEAD.saturating_add(if longer > found { longer } else { found })
    }

    /// Returns the length in bytes of a state with `entries` successors.
    pub(crate) const fn state_len(entries: usize) -> usize {
        let peers = I::LEN.saturating_add(A::LEN).saturating_mul(entries.saturating_add(1));
        HEAD.saturating_add(I::LEN).saturating_add(1).saturating_add(peers)
    }

    /// Returns the padding of a query whose answer may have `entries` successors: the answer is at most three
    /// times as long as the query.
    #[must_use]
    pub const fn query_padding(entries: usize) -> u16 {
        padding(Self::state_len(entries))
    }

    /// Returns the padding of a ping: its answer is at most three times as long.
    #[must_use]
    pub const fn ping_padding() -> u16 {
        padding(HEAD.saturating_add(I::LEN))
    }

    /// Returns the padding as it is sent: more than that of the longest query is cut.
    pub(super) const fn cut(padding: u16) -> u16 {
        let longest = Self::query_padding(MAX_SUCCESSORS);
        if padding < longest { padding } else { longest }
    }

    /// Returns how many bytes [`encode`](Self::encode) writes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let peer = I::LEN.saturating_add(A::LEN);
        let body = match self {
            Self::Ping { padding, .. } | Self::Query { padding, .. } => {
                usize::from(Self::cut(*padding)).saturating_add(UNPADDED.saturating_sub(HEAD))
            }
            Self::Busy { .. } | Self::Absent { .. } => 0,
            Self::Pong { .. } => I::LEN,
            Self::Closer { .. } | Self::Owner { .. } => I::LEN.saturating_add(peer),
            Self::State { successors, .. } => {
                let peers = successors.len().saturating_add(1);
                I::LEN.saturating_add(1).saturating_add(peer.saturating_mul(peers))
            }
            Self::Find { avoid, .. } => {
                I::LEN.saturating_mul(avoid.len().saturating_add(1)).saturating_add(1)
            }
            Self::Route { back, .. } => {
                let way = A::LEN.saturating_mul(back.len());
                I::LEN.saturating_add(way).saturating_add(3)
            }
            Self::Found { back, .. } => {
                let way = A::LEN.saturating_mul(back.len());
                I::LEN.saturating_add(peer).saturating_add(way).saturating_add(2)
            }
            // Version and kind, but no token.
            Self::Notify { .. } | Self::Leave { .. } | Self::Nudge { .. } => {
                return I::LEN.saturating_add(2);
            }
        };
        HEAD.saturating_add(body)
    }

    /// Returns the token of a question.
    pub(crate) const fn question_token(&self) -> Option<u32> {
        match self {
            Self::Ping { token, .. } | Self::Query { token, .. } | Self::Find { token, .. } => {
                Some(*token)
            }
            _ => None,
        }
    }

    /// Returns the answer to a [`Message::Find`].
    #[must_use]
    pub fn answer(token: u32, id: I, route: Route<I, A>) -> Self {
        match route {
            Route::Owner(peer) => Self::Owner { token, id, peer },
            Route::Ask(peer) => Self::Closer { token, id, peer },
        }
    }
}

/// Returns the padding of a question, so that an answer of `answer` bytes is at most three times as long.
const fn padding(answer: usize) -> u16 {
    let question = answer.div_ceil(AMPLIFICATION);
    let padding = question.saturating_sub(UNPADDED);
    let bytes = padding.to_le_bytes();
    if padding > 0xffff { u16::MAX } else { u16::from_le_bytes([bytes[0], bytes[1]]) }
}

/// One line of a trace.
impl<I: Identifier, A: Address> fmt::Display for Message<I, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ping { token, .. } => write!(f, "PING {token:08x}"),
            Self::Pong { token, id } => write!(f, "PONG {token:08x} from {id}"),
            Self::Query { token, .. } => write!(f, "QUERY {token:08x}"),
            Self::State { token, id, predecessor, successors } => {
                write!(f, "STATE {token:08x} from {id}: predecessor {predecessor}, successors")?;
                successors.iter().try_for_each(|peer| write!(f, " {peer}"))
            }
            Self::Busy { token } => write!(f, "BUSY {token:08x}"),
            Self::Absent { token } => write!(f, "ABSENT {token:08x}"),
            Self::Notify { id } => write!(f, "NOTIFY from {id}"),
            Self::Find { token, key, avoid } => {
                write!(f, "FIND {token:08x} key {key}")?;
                avoid.iter().try_for_each(|id| write!(f, " avoiding {id}"))
            }
            Self::Closer { token, id, peer } => {
                write!(f, "CLOSER {token:08x} from {id}: ask {peer}")
            }
            Self::Owner { token, id, peer } => write!(f, "OWNER {token:08x} from {id}: is {peer}"),
            Self::Leave { id } => write!(f, "LEAVE from {id}"),
            Self::Nudge { id } => write!(f, "NUDGE from {id}"),
            Self::Route { token, key, hops, direct, back } => {
                let style = if *direct { " direct" } else { "" };
                write!(f, "ROUTE {token:08x} key {key} hops {hops}{style}")?;
                back.iter().try_for_each(|address| write!(f, " back to {address:?}"))
            }
            Self::Found { token, id, peer, hops, back } => {
                write!(f, "FOUND {token:08x} from {id}: is {peer} hops {hops}")?;
                back.iter().try_for_each(|address| write!(f, " back to {address:?}"))
            }
        }
    }
}
