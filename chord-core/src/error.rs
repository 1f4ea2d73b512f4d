//! Errors, by whose fault they are. None of them changes a machine.

use thiserror::Error;

/// The bytes are not one message: the peer's fault.
///
/// ```
/// use chord_core::{DecodeError, Message, Word};
///
/// type Text = Message<Word<8>, u32>;
/// assert_eq!(Text::decode(&[1]), Err(DecodeError::Incomplete { needed: 1 }));
/// assert_eq!(Text::decode(&[9, 0]), Err(DecodeError::Version(9)));
/// assert_eq!(DecodeError::Kind(77).to_string(), "unknown kind of message 77");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum DecodeError {
    /// The message goes on after the last byte. The only error that more bytes can cure.
    #[error("at least {needed} more bytes needed")]
    Incomplete {
        /// A lower bound, at least 1.
        needed: usize,
    },
    /// The first byte is of another version of the format, or of another protocol.
    #[error("unknown version {0}")]
    Version(u8),
    /// No message has this number.
    #[error("unknown kind of message {0}")]
    Kind(u8),
    /// A field of a message of this kind has no such value: an identifier of too many bits, an
    /// unknown family of addresses, a list beyond its greatest length.
    #[error("malformed field in a message of kind {0}")]
    Malformed(u8),
    /// A datagram goes on after its message.
    #[error("{0} bytes after the message")]
    Trailing(usize),
}

/// Why a datagram was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum DatagramError {
    /// The peer's fault.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The caller's: an answer, or what is to be passed on for others, has no room until `poll_transmit`
    /// has sent more. Dropping the datagram is safe, since the peer asks again.
    #[error(transparent)]
    Full(#[from] Full),
}

/// The buffer of the caller is too short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("buffer too small: {needed} bytes needed")]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_structs, reason = "all that the caller has to know")]
pub struct BufferTooSmall {
    /// The length that suffices.
    pub needed: usize,
}

/// All slots are in use. A slot of a lookup is free again once its last event has been polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("table full: all {capacity} slots are in use")]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_structs, reason = "all that the caller has to know")]
pub struct Full {
    /// The number of slots.
    pub capacity: usize,
}

/// Why [`Node::new`](crate::Node::new) refuses a configuration or its storage.
///
/// ```
/// use chord_core::{Config, ConfigError, Node, NodeArrays, Peer, Word};
///
/// let me = Peer { id: Word::<8>::new(1), address: 1u32 };
/// let mut config = Config::default();
/// config.tries = 0;
/// let node = Node::new(config, me, NodeArrays::<Word<8>, u32, 4, 8, 1, 0>::EMPTY);
/// assert_eq!(node.err(), Some(ConfigError::Tries));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ConfigError {
    /// r, the number of slots for successors, has to be from 1 to 20.
    #[error("{0} slots for successors, not 1 to 20")]
    Successors(usize),
    /// More fingers than an identifier of 255 bits has.
    #[error("{0} slots for fingers, more than 255")]
    Fingers(usize),
    /// More contacts than the node can count.
    #[error("{0} slots for contacts, more than 255")]
    Contacts(usize),
    /// The node needs a slot for its own lookup.
    #[error("no slot for the lookup of the node itself")]
    Lookups,
    /// A time to wait that has to be a millisecond at least.
    #[error("{0} is less than a millisecond")]
    TooShort(&'static str),
    /// `stabilize_when_calm` is neither zero nor at least `stabilize`.
    #[error("stabilize_when_calm is less than stabilize")]
    Calm,
    /// Silence cannot count before the first question.
    #[error("tries is 0")]
    Tries,
    /// More than all lookup slots for other nodes.
    #[error("relay_percent is {0}, but there are 100 at most")]
    RelayPercent(u8),
}

/// Why a node did not start.
///
/// ```
/// use chord_core::{Config, Node, NodeArrays, Peer, StartError, Word};
///
/// let me = Peer { id: Word::<8>::new(1), address: 1u32 };
/// let mut node = Node::new(Config::default(), me, NodeArrays::<Word<8>, u32, 4, 8, 1, 0>::EMPTY)?;
/// let now = core::time::Duration::ZERO;
/// assert_eq!(node.create_base(now, &[me]), Err(StartError::BaseTooSmall { members: 1, needed: 5 }));
/// assert_eq!(node.create(now), Ok(()));
/// assert_eq!(node.join(now, 2), Err(StartError::Started));
/// # Ok::<(), chord_core::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum StartError {
    /// A node starts once. After [`leave`](crate::Node::leave) it comes back as a new node with a
    /// new identifier: [`rejoin`](crate::Node::rejoin).
    #[error("the node has started before")]
    Started,
    /// A new life needs a new identifier.
    #[error("the identifier has been used before")]
    IdentifierUsed,
    /// An ideal base needs r + 1 members.
    #[error("a base of {members} members, {needed} needed")]
    BaseTooSmall {
        /// How many distinct members were given, the node itself included.
        members: usize,
        /// r + 1.
        needed: usize,
    },
}
