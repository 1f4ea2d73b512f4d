//! Hashes of v2 torrents: request, hashes, reject (BEP 52).
//!
//! [`Message::decode`](super::Message::decode) leaves these messages as [`Other`](super::Message::Other);
//! [`HashMessage::decode`] reads its id and payload.

use core::fmt;

use super::{DecodeError, LEN_LEN, Message, field};
use crate::error::BufferTooSmall;
use crate::hex::Hex;
use crate::index::count;
use crate::merkle::MerkleHash;

/// The id of `hash request`.
pub const HASH_REQUEST: u8 = 21;
/// The id of `hashes`.
pub const HASHES: u8 = 22;
/// The id of `hash reject`.
pub const HASH_REJECT: u8 = 23;

/// The length of a request behind the prefix: id, root, four numbers.
const LEN: usize = 49;
/// The most hashes in an answer, as libtorrent has it; BEP 52 asks for at most 512.
pub const MAX_HASHES: u32 = 8_192;

/// A run of hashes in the tree of a file, and how many layers above it are to be proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct HashRange {
    /// The root of the file.
    pub root: MerkleHash,
    /// The layer, from 0 for the leaves up.
    pub base: u32,
    /// The first hash; a multiple of `length`.
    pub index: u32,
    /// How many hashes: a power of two from 2 on.
    pub length: u32,
    /// How many layers above the base are to be proved. Those inside of the run are counted, but not sent.
    pub proof_layers: u32,
}

/// A message about hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the three messages of BEP 52")]
pub enum HashMessage<'a> {
    /// 21: asks for hashes.
    Request(HashRange),
    /// 22: the hashes of the run, then those beside the way up to the root.
    Hashes(HashRange, &'a [MerkleHash]),
    /// 23: the request will not be answered with hashes.
    Reject(HashRange),
}

impl HashRange {
    /// Returns whether the numbers can be right: a power of two of hashes from 2 to
    /// [`MAX_HASHES`], at a multiple of it.
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        self.length.is_power_of_two()
            && self.length >= 2
            && self.length <= MAX_HASHES
            && self.index.is_multiple_of(self.length)
            && self.base < 64
            && self.proof_layers < 64
    }

    /// Returns how many hashes beside the way up an answer has.
    #[must_use]
    pub const fn uncles(&self) -> u32 {
        let log2 = match self.length.checked_ilog2() {
            Some(log2) => log2,
            None => 0,
        };
        self.proof_layers.saturating_sub(log2.saturating_sub(1))
    }
}

impl<'a> HashMessage<'a> {
    /// Reads the payload of a message; `None` if the id is not one of these.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Payload`]
    pub fn decode(id: u8, payload: &'a [u8]) -> Result<Option<Self>, DecodeError> {
        if !(HASH_REQUEST..=HASH_REJECT).contains(&id) {
            return Ok(None);
        }
        let wrong = DecodeError::Payload { id, len: payload.len() };
        let (root, rest) = payload.split_first_chunk::<32>().ok_or(wrong)?;
        let (numbers, rest) = rest.split_first_chunk::<16>().ok_or(wrong)?;
        let mut numbers = numbers.as_chunks::<4>().0.iter().map(|word| u32::from_be_bytes(*word));
        let mut next = || numbers.next().unwrap_or(0);
        let base = next();
        let index = next();
        let length = next();
        let proof_layers = next();
        let range = HashRange { root: *root, base, index, length, proof_layers };
        let (hashes, spare) = rest.as_chunks();
        match id {
            HASHES if spare.is_empty() => Ok(Some(Self::Hashes(range, hashes))),
            HASH_REQUEST if rest.is_empty() => Ok(Some(Self::Request(range))),
            HASH_REJECT if rest.is_empty() => Ok(Some(Self::Reject(range))),
            _ => Err(wrong),
        }
    }

    /// Reads a message about hashes; `None` if it is another.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode).
    pub fn of(message: &Message<'a>) -> Result<Option<Self>, DecodeError> {
        match *message {
            Message::Other { id, payload } => Self::decode(id, payload),
            _ => Ok(None),
        }
    }

    /// Returns the number of bytes on the wire, the length prefix included.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let hashes = match self {
            Self::Hashes(_, hashes) => hashes.as_flattened().len(),
            Self::Request(_) | Self::Reject(_) => 0,
        };
        LEN_LEN.saturating_add(LEN).saturating_add(hashes)
    }

    /// Writes the message, its length prefix included, and returns how many bytes it took.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; nothing is written then.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let needed = self.encoded_len();
        let mut out = field::Out::new(out, needed)?;
        out.u32(count(needed.saturating_sub(LEN_LEN)));
        let (id, range, hashes): (_, _, &[MerkleHash]) = match self {
            Self::Request(range) => (HASH_REQUEST, range, &[]),
            Self::Hashes(range, hashes) => (HASHES, range, hashes),
            Self::Reject(range) => (HASH_REJECT, range, &[]),
        };
        out.u8(id);
        out.bytes(&range.root);
        for number in [range.base, range.index, range.length, range.proof_layers] {
            out.u32(number);
        }
        out.bytes(hashes.as_flattened());
        Ok(needed)
    }
}

impl fmt::Display for HashMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, range, hashes) = match self {
            Self::Request(range) => ("HASH REQUEST", range, 0),
            Self::Hashes(range, hashes) => ("HASHES", range, hashes.len()),
            Self::Reject(range) => ("HASH REJECT", range, 0),
        };
        let HashRange { root, base, index, length, proof_layers } = range;
        let root = Hex(root.get(..8).unwrap_or_default());
        write!(
            f,
            "{name} root={root}.. base={base} index={index} length={length} proof={proof_layers}"
        )?;
        if hashes > 0 { write!(f, " hashes={hashes}") } else { Ok(()) }
    }
}
