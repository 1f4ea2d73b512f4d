//! Identities of validators.

use core::fmt;

use crate::hex::Hex;

/// Identifies a validator or an authority: its Ed25519 public key (RFC 8032). `Display` is hexadecimal.
///
/// ```
/// use consensus::ValidatorId;
///
/// assert_eq!(format!("{:.8}", ValidatorId([0xAB; 32])), "abababab");
/// ```
#[expect(clippy::exhaustive_structs, reason = "the bytes of the key")]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ValidatorId(pub [u8; 32]);

impl fmt::Display for ValidatorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hex(&self.0), f)
    }
}

impl fmt::Debug for ValidatorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&Hex(&self.0), f)
    }
}
