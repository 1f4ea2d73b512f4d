//! The messages between a pool and its workers. The format is this crate's own; all numbers are big-endian.
//!
//! | message | from | bytes |
//! |---|---|---|
//! | lease | pool | 1, lease u32, function u8 (1 or 2 times SHA-256), byte order u8 (0 big, 1 little), format of the nonce u8 (0 u32 LE, 1 u32 BE, 2 u64 LE, 3 u64 BE), offset of the nonce u16, first nonce u64, last u64, target 32, length u16, message |
//! | tally | pool | 2, shares accepted u64, shares refused u64 |
//! | share | worker | 3, lease u32, nonce u64 |
//! | done | worker | 4, lease u32 |

use core::fmt;
use core::ops::RangeInclusive;

use crate::error::{BufferTooSmall, DecodeError, Field};
use crate::puzzle::{HashFunction, NonceField, NonceFormat};
use crate::target::{ByteOrder, Target};
use crate::u256::U256;

pub(super) const LEASE: u8 = 1;
pub(super) const TALLY: u8 = 2;
const SHARE: u8 = 3;
const DONE: u8 = 4;
/// The length of a lease without the message, in bytes.
const LEASE_LEN: usize = 60;

/// Identifies a lease. `Display` is `lease 7`.
#[expect(clippy::exhaustive_structs, reason = "a number on the wire")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LeaseId(pub u32);

/// A range of nonces to be tried by one worker.
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Lease<'a> {
    /// Identifies the lease in shares.
    pub id: LeaseId,
    /// The function that makes the digest.
    pub function: HashFunction,
    /// How the digest becomes a number.
    pub order: ByteOrder,
    /// The position and encoding of the nonce.
    pub nonce: NonceField,
    /// The nonces, both ends included.
    pub nonces: RangeInclusive<u64>,
    /// The target of a share.
    pub target: Target,
    /// The message. The content of the nonce field is ignored.
    pub message: &'a [u8],
}

/// A message between a pool and a worker. `Display` is one line.
#[expect(clippy::exhaustive_enums, reason = "a message of another kind is refused")]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum PoolMessage<'a> {
    /// To the worker: try these nonces instead of those of an earlier lease.
    Lease(Lease<'a>),
    /// To the worker: the outcome of its shares so far, on all of its connections. Sent after each share on the
    /// connection that it came from.
    Tally {
        /// The number of accepted shares.
        accepted: u64,
        /// The number of refused shares.
        refused: u64,
    },
    /// To the pool: this nonce meets the target. A worker sends them in ascending order.
    Share {
        /// The lease that the nonce belongs to.
        lease: LeaseId,
        /// The nonce.
        nonce: u64,
    },
    /// To the pool: all nonces were tried. Asks for the next lease.
    Done {
        /// The lease that is finished.
        lease: LeaseId,
    },
}

impl<'a> PoolMessage<'a> {
    /// Decodes a message and returns the rest of the bytes.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if more bytes are needed, or a code is not assigned.
    pub fn decode(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let (kind, rest) = take::<1>(bytes)?;
        match u8::from_be_bytes(kind) {
            LEASE => {
                let (lease, rest) = Lease::decode(rest)?;
                Ok((Self::Lease(lease), rest))
            }
            TALLY => {
                let (body, rest) = take::<16>(rest)?;
                let (accepted, body) = field(&body);
                let (refused, _) = field(body);
                let accepted = u64::from_be_bytes(accepted);
                let refused = u64::from_be_bytes(refused);
                Ok((Self::Tally { accepted, refused }, rest))
            }
            SHARE => {
                let (body, rest) = take::<12>(rest)?;
                let (lease, body) = field(&body);
                let (nonce, _) = field(body);
                let lease = LeaseId(u32::from_be_bytes(lease));
                Ok((Self::Share { lease, nonce: u64::from_be_bytes(nonce) }, rest))
            }
            DONE => {
                let (lease, rest) = take::<4>(rest)?;
                Ok((Self::Done { lease: LeaseId(u32::from_be_bytes(lease)) }, rest))
            }
            value => Err(DecodeError::Unknown { field: Field::MessageKind, value }),
        }
    }

    /// Returns the length in bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        match self {
            Self::Lease(lease) => LEASE_LEN.saturating_add(lease.message.len()),
            Self::Tally { .. } => 17,
            Self::Share { .. } => 13,
            Self::Done { .. } => 5,
        }
    }

    /// Encodes the message and returns its length. The message of a lease has at most 65,535 bytes.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]. Its `needed` is `usize::MAX` if the message of a lease is too long for any buffer.
    pub fn encode(&self, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let needed = self.encoded_len();
        let mut out = Out(buf.get_mut(..needed).ok_or(BufferTooSmall { needed })?);
        match self {
            Self::Lease(lease) => {
                let too_long = BufferTooSmall { needed: usize::MAX };
                let len = u16::try_from(lease.message.len()).map_err(|_| too_long)?;
                let offset = u16::try_from(lease.nonce.offset).map_err(|_| too_long)?;
                out.put(&[LEASE]);
                out.put(&lease.id.0.to_be_bytes());
                out.put(&[function_code(lease.function), order_code(lease.order)]);
                out.put(&[format_code(lease.nonce.format)]);
                out.put(&offset.to_be_bytes());
                out.put(&lease.nonces.start().to_be_bytes());
                out.put(&lease.nonces.end().to_be_bytes());
                out.put(&lease.target.number().to_be_bytes());
                out.put(&len.to_be_bytes());
                out.put(lease.message);
            }
            Self::Tally { accepted, refused } => {
                out.put(&[TALLY]);
                out.put(&accepted.to_be_bytes());
                out.put(&refused.to_be_bytes());
            }
            Self::Share { lease, nonce } => {
                out.put(&[SHARE]);
                out.put(&lease.0.to_be_bytes());
                out.put(&nonce.to_be_bytes());
            }
            Self::Done { lease } => {
                out.put(&[DONE]);
                out.put(&lease.0.to_be_bytes());
            }
        }
        Ok(needed)
    }
}

impl<'a> Lease<'a> {
    fn decode(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let (head, rest) = take::<{ LEASE_LEN - 1 }>(bytes)?;
        let (id, head) = field(&head);
        let ([function, order, format], head) = field(head);
        let (offset, head) = field(head);
        let (first, head) = field(head);
        let (last, head) = field(head);
        let (target, head) = field(head);
        let (len, _) = field(head);
        let function = match function {
            1 => HashFunction::Sha256,
            2 => HashFunction::Sha256d,
            value => return Err(DecodeError::Unknown { field: Field::HashFunction, value }),
        };
        let order = match order {
            0 => ByteOrder::Big,
            1 => ByteOrder::Little,
            value => return Err(DecodeError::Unknown { field: Field::ByteOrder, value }),
        };
        let format = match format {
            0 => NonceFormat::U32Le,
            1 => NonceFormat::U32Be,
            2 => NonceFormat::U64Le,
            3 => NonceFormat::U64Be,
            value => return Err(DecodeError::Unknown { field: Field::NonceFormat, value }),
        };
        let len = usize::from(u16::from_be_bytes(len));
        let needed = len.saturating_sub(rest.len());
        let (message, rest) =
            rest.split_at_checked(len).ok_or(DecodeError::Incomplete { needed })?;
        let lease = Self {
            id: LeaseId(u32::from_be_bytes(id)),
            function,
            order,
            nonce: NonceField { offset: usize::from(u16::from_be_bytes(offset)), format },
            nonces: u64::from_be_bytes(first)..=u64::from_be_bytes(last),
            target: Target::new(U256::from_be_bytes(&target)),
            message,
        };
        Ok((lease, rest))
    }
}

const fn function_code(function: HashFunction) -> u8 {
    match function {
        HashFunction::Sha256 => 1,
        HashFunction::Sha256d => 2,
    }
}

const fn order_code(order: ByteOrder) -> u8 {
    match order {
        ByteOrder::Big => 0,
        ByteOrder::Little => 1,
    }
}

const fn format_code(format: NonceFormat) -> u8 {
    match format {
        NonceFormat::U32Le => 0,
        NonceFormat::U32Be => 1,
        NonceFormat::U64Le => 2,
        NonceFormat::U64Be => 3,
    }
}

/// The rest of a buffer that is long enough.
struct Out<'a>(&'a mut [u8]);

impl Out<'_> {
    fn put(&mut self, bytes: &[u8]) {
        if let Some((out, rest)) = core::mem::take(&mut self.0).split_at_mut_checked(bytes.len()) {
            out.copy_from_slice(bytes);
            self.0 = rest;
        }
    }
}

fn take<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), DecodeError> {
    let needed = N.saturating_sub(bytes.len());
    bytes
        .split_first_chunk()
        .map(|(head, rest)| (*head, rest))
        .ok_or(DecodeError::Incomplete { needed })
}

/// Takes a field from bytes that are long enough.
fn field<const N: usize>(bytes: &[u8]) -> ([u8; N], &[u8]) {
    bytes.split_first_chunk().map_or(([0; N], bytes), |(head, rest)| (*head, rest))
}

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lease {}", self.0)
    }
}

impl fmt::Display for PoolMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lease(Lease { id, nonces, target, message, .. }) => write!(
                f,
                "{id} nonces {}..={} target {target:.16} message of {} bytes",
                nonces.start(),
                nonces.end(),
                message.len()
            ),
            Self::Tally { accepted, refused } => {
                write!(f, "tally {accepted} accepted {refused} refused")
            }
            Self::Share { lease, nonce } => write!(f, "share {nonce} of {lease}"),
            Self::Done { lease } => write!(f, "done with {lease}"),
        }
    }
}
