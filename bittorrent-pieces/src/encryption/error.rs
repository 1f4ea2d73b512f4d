//! What is wrong with the handshake of a peer.

use thiserror::Error;

use super::policy::Attempt;
#[cfg(doc)]
use super::policy::EncryptionPolicy;

/// The handshake of a peer failed. The connection is of no further use; close it.
///
/// What [`retry`](Self::retry) returns may work if the policy allows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum EncryptionError {
    /// A plain BitTorrent handshake, which the policy does not accept.
    #[error("plain connection refused by the policy")]
    PlainRefused,
    /// The dialled peer answered with a plain BitTorrent handshake; dial again without encryption.
    #[error("the peer does not encrypt; dial it again in plain")]
    PlainAnswer,
    /// A public key whose powers are known to everybody: below 2, or not below the prime minus 1.
    #[error("invalid public key")]
    PublicKey,
    /// No synchronization pattern within 512 bytes of padding.
    #[error("no end of the padding within 512 bytes")]
    Synchronization,
    /// The hash names no torrent of ours.
    #[error("unknown torrent")]
    UnknownTorrent,
    /// The verification constant is not zero: the keys differ.
    #[error("wrong verification constant")]
    Verification,
    /// A length of padding above 512.
    #[error("{0} bytes of padding, 512 at most")]
    Padding(u16),
    /// No common method; the bits that the peer offered or selected.
    #[error("no common encryption method in {0:#x}")]
    Method(u32),
}

impl EncryptionError {
    /// Returns how the peer can be dialled instead, if [`EncryptionPolicy::attempts`] contains it.
    #[must_use]
    pub const fn retry(self) -> Option<Attempt> {
        match self {
            Self::PlainAnswer => Some(Attempt::Plain),
            _ => None,
        }
    }
}

/// The handshake is not over yet, so nothing can be encrypted. Nothing changed; call `poll_transmit` until it returns
/// `None`, and hand over what the peer sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("the handshake is not over; hand over what the peer sends first")]
#[expect(clippy::exhaustive_structs, reason = "there is nothing more to say")]
pub struct NotReady;
