//! The message bodies of CHORD-RELOAD, the Chord of RFC 6940: what stands in an Update, a `RouteQuery` answer
//! and a Leave. The forwarding header, the security block and the other messages are the caller's.
//!
//! Integers are most significant byte first. Identifiers have the `WIDTH` bytes that the overlay's configuration
//! says, from 16 to 20; a list is its length in bytes as a u16 and then its identifiers (section 10 and appendix
//! A.2). Fingers go from the one that is 180 degrees away to the nearest.
//!
//! ```
//! use chord_core::reload::{ChordUpdate, NodeIds, Update};
//!
//! let near = [[7; 16], [9; 16]];
//! let update =
//!     Update { uptime: 60, chord: ChordUpdate::Neighbours { predecessors: NodeIds::of(&near[..1]), successors: NodeIds::of(&near) } };
//! let mut buf = [0; 64];
//! let len = update.encode(&mut buf)?;
//! assert_eq!(len, update.encoded_len());
//! assert_eq!(Update::<16>::decode(&buf[..len])?, (update, &[][..]));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

#![expect(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "the fields are the format"
)]

use crate::error::{BufferTooSmall, DecodeError};

/// A list of identifiers of `WIDTH` bytes each, as it stands in the message. At most 65,535 bytes of it are
/// sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct NodeIds<'a, const WIDTH: usize>(&'a [[u8; WIDTH]]);

/// The body of an Update: `ChordUpdate`.
///
/// ```
/// use chord_core::reload::{ChordUpdate, Update};
///
/// let update = Update::<16> { uptime: 60, chord: ChordUpdate::PeerReady };
/// let mut out = [0; 5];
/// assert_eq!(update.encode(&mut out)?, 5);
/// assert_eq!(out, [0, 0, 0, 60, 1]);
/// assert_eq!(Update::<16>::decode(&out)?, (update, &[][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Update<'a, const WIDTH: usize> {
    /// How long the sender has been up, in seconds.
    pub uptime: u32,
    /// What it says of its neighbours.
    pub chord: ChordUpdate<'a, WIDTH>,
}

/// What an Update says of the sender's neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChordUpdate<'a, const WIDTH: usize> {
    /// `peer_ready`, 1: the sender takes part now.
    PeerReady,
    /// `neighbors`, 2: both lists have changed or are due.
    Neighbours {
        /// The nearest one first.
        predecessors: NodeIds<'a, WIDTH>,
        /// The nearest one first.
        successors: NodeIds<'a, WIDTH>,
    },
    /// `full`, 3: the whole routing table.
    Full {
        /// The nearest one first.
        predecessors: NodeIds<'a, WIDTH>,
        /// The nearest one first.
        successors: NodeIds<'a, WIDTH>,
        /// The one that is 180 degrees away first.
        fingers: NodeIds<'a, WIDTH>,
    },
}

/// The body of an answer to a `RouteQuery`: `ChordRouteQueryAns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RouteQueryAnswer<const WIDTH: usize> {
    /// The node that the answering node would send the message to.
    pub next_peer: [u8; WIDTH],
}

/// The overlay's data in a Leave: `ChordLeaveData`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LeaveData<'a, const WIDTH: usize> {
    /// `from_succ`, 1: the leaving node is the receiver's successor; what comes after it.
    FromSuccessor(NodeIds<'a, WIDTH>),
    /// `from_pred`, 2: the leaving node is the receiver's predecessor; what comes before it.
    FromPredecessor(NodeIds<'a, WIDTH>),
}

impl<'a, const WIDTH: usize> NodeIds<'a, WIDTH> {
    const MOST: usize = match 0xffff_usize.checked_div(WIDTH) {
        Some(most) => most,
        None => 0,
    };

    /// Takes these identifiers, the first ones if they are too many for a message.
    #[must_use]
    pub fn of(ids: &'a [[u8; WIDTH]]) -> Self {
        Self(ids.get(..Self::MOST).unwrap_or(ids))
    }

    /// Returns the identifiers.
    #[must_use]
    pub const fn as_slice(self) -> &'a [[u8; WIDTH]] {
        self.0
    }

    fn encoded_len(self) -> usize {
        self.0.as_flattened().len().saturating_add(2)
    }

    fn write(self, out: &mut Out<'_>) {
        let ids = self.0.as_flattened();
        out.put(&u16::try_from(ids.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.put(ids);
    }

    fn read(kind: u8, bytes: &mut &'a [u8]) -> Result<Self, DecodeError> {
        let len = usize::from(take(bytes).map(u16::from_be_bytes)?);
        let (ids, rest) = bytes.split_at_checked(len).ok_or_else(|| missing(len, bytes))?;
        let (ids, odd) = ids.as_chunks();
        if !odd.is_empty() {
            return Err(DecodeError::Malformed(kind));
        }
        *bytes = rest;
        Ok(Self(ids))
    }
}

impl<'a, const WIDTH: usize> Update<'a, WIDTH> {
    /// Returns how many bytes [`encode`](Self::encode) writes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.chord.lists().map(NodeIds::encoded_len).fold(5, usize::saturating_add)
    }

    /// Writes the body, and returns how many bytes that are.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] if it does not fit; nothing useful is written then.
    pub fn encode(&self, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let mut out = Out::new(buf, self.encoded_len())?;
        out.put(&self.uptime.to_be_bytes());
        out.put(&[self.chord.kind()]);
        self.chord.lists().for_each(|list| list.write(&mut out));
        Ok(self.encoded_len())
    }

    /// Reads a body from the front of `bytes`, and returns what follows it.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if it is cut short, of no known type, or a list is no whole number of identifiers.
    pub fn decode(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let mut rest = bytes;
        let uptime = take(&mut rest).map(u32::from_be_bytes)?;
        let [kind] = take(&mut rest)?;
        let mut list = || NodeIds::read(kind, &mut rest);
        let chord = match kind {
            1 => ChordUpdate::PeerReady,
            2 => ChordUpdate::Neighbours { predecessors: list()?, successors: list()? },
            3 => ChordUpdate::Full { predecessors: list()?, successors: list()?, fingers: list()? },
            _ => return Err(DecodeError::Kind(kind)),
        };
        Ok((Self { uptime, chord }, rest))
    }
}

impl<'a, const WIDTH: usize> ChordUpdate<'a, WIDTH> {
    const fn kind(&self) -> u8 {
        match self {
            Self::PeerReady => 1,
            Self::Neighbours { .. } => 2,
            Self::Full { .. } => 3,
        }
    }

    /// Returns the lists in their order on the wire.
    fn lists(&self) -> impl Iterator<Item = NodeIds<'a, WIDTH>> {
        let lists = match *self {
            Self::PeerReady => [None, None, None],
            Self::Neighbours { predecessors, successors } => {
                [Some(predecessors), Some(successors), None]
            }
            Self::Full { predecessors, successors, fingers } => {
                [Some(predecessors), Some(successors), Some(fingers)]
            }
        };
        lists.into_iter().flatten()
    }
}

impl<const WIDTH: usize> RouteQueryAnswer<WIDTH> {
    /// Writes the body, and returns how many bytes that are: `WIDTH`.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] if it does not fit.
    pub fn encode(&self, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        Out::new(buf, WIDTH)?.put(&self.next_peer);
        Ok(WIDTH)
    }

    /// Reads a body from the front of `bytes`, and returns what follows it.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if it is cut short.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let mut rest = bytes;
        Ok((Self { next_peer: take(&mut rest)? }, rest))
    }
}

impl<'a, const WIDTH: usize> LeaveData<'a, WIDTH> {
    /// Returns the list, whichever it is.
    #[must_use]
    pub const fn ids(&self) -> NodeIds<'a, WIDTH> {
        match self {
            Self::FromSuccessor(ids) | Self::FromPredecessor(ids) => *ids,
        }
    }

    /// Returns how many bytes [`encode`](Self::encode) writes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.ids().encoded_len().saturating_add(1)
    }

    /// Writes the data, and returns how many bytes that are.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] if they do not fit; nothing useful is written then.
    pub fn encode(&self, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let mut out = Out::new(buf, self.encoded_len())?;
        out.put(&[match self {
            Self::FromSuccessor(_) => 1,
            Self::FromPredecessor(_) => 2,
        }]);
        self.ids().write(&mut out);
        Ok(self.encoded_len())
    }

    /// Reads the data from the front of `bytes`, and returns what follows them.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if they are cut short, of no known type, or the list is no whole number of identifiers.
    pub fn decode(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let mut rest = bytes;
        let [kind] = take(&mut rest)?;
        let data = match kind {
            1 => Self::FromSuccessor(NodeIds::read(kind, &mut rest)?),
            2 => Self::FromPredecessor(NodeIds::read(kind, &mut rest)?),
            _ => return Err(DecodeError::Kind(kind)),
        };
        Ok((data, rest))
    }
}

/// A buffer that was found to be long enough.
struct Out<'b>(&'b mut [u8]);

impl<'b> Out<'b> {
    fn new(buf: &'b mut [u8], len: usize) -> Result<Self, BufferTooSmall> {
        buf.get_mut(..len).map(Self).ok_or(BufferTooSmall { needed: len })
    }

    fn put(&mut self, bytes: &[u8]) {
        if let Some((out, rest)) = core::mem::take(&mut self.0).split_at_mut_checked(bytes.len()) {
            out.copy_from_slice(bytes);
            self.0 = rest;
        }
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], DecodeError> {
    let (first, rest) = bytes.split_first_chunk().ok_or_else(|| missing(N, bytes))?;
    *bytes = rest;
    Ok(*first)
}

fn missing(len: usize, bytes: &[u8]) -> DecodeError {
    DecodeError::Incomplete { needed: len.saturating_sub(bytes.len()) }
}
