//! Why a datagram cannot be used.

use thiserror::Error;

use crate::bencode::BencodeError;

/// A datagram that cannot be used; the sender's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum KrpcError {
    /// Not bencode.
    #[error(transparent)]
    Bencode(#[from] BencodeError),
    /// A key is missing or has an invalid value; `id` of other than 20 bytes, for example.
    #[error("key '{0}' is missing or invalid")]
    Key(&'static str),
}
