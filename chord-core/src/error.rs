//! Errors, by whose fault they are. None of them changes anything.

use thiserror::Error;

/// The bytes are not one message: the peer's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The message goes on after the last byte. The only error that more bytes cure.
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

/// Why a datagram was not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DatagramError {
    /// The peer's fault.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The caller's: answers wait for `poll_transmit`. Dropping the datagram is safe, since the
    /// peer asks again.
    #[error(transparent)]
    Backlog(#[from] Backlog),
}

/// An answer, or what is to be passed on for others, has no room until more is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no room for another answer until more is sent, {capacity} in all")]
pub struct Backlog {
    /// For how many there is room: one answer, and in each free slot something to pass on.
    pub capacity: usize,
}

/// The lent buffer is too short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("buffer too small, {needed} bytes needed")]
pub struct BufferTooSmall {
    /// How many bytes would do.
    pub needed: usize,
}

/// Every lookup slot is taken; a slot is free again once its last event has been polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no free slot among {capacity} for the key")]
pub struct Full<I> {
    /// The key that was to be looked up.
    pub key: I,
    /// How many slots the caller has lent.
    pub capacity: usize,
}

/// Why a node did not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
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
