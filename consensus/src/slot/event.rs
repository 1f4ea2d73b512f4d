//! What an FFG machine reports.

use core::fmt;

use thiserror::Error;

use crate::error::{ConfigError, DecodeError};
use crate::guard::GuardError;
use crate::hex::Hex;
use crate::id::ValidatorId;
use crate::output::SaveToken;
use crate::vote::evidence::Equivocation;

/// The block that was the head in a slot.
#[expect(clippy::exhaustive_structs, reason = "a pair")]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Checkpoint {
    /// The slot.
    pub slot: u64,
    /// The id of the block.
    pub id: [u8; 32],
}

/// A fact, or a request to the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "evidence is rare, and nothing here is on a heap")]
pub enum FfgEvent {
    /// Save: write [`Ffg::encode_state`](super::Ffg::encode_state) to durable memory, then call
    /// [`Ffg::handle_saved`](super::Ffg::handle_saved) with the token. No signature leaves before that.
    Save {
        /// Names this request.
        token: SaveToken,
    },
    /// Propose: it is this validator's slot. Call [`Ffg::propose`](super::Ffg::propose) with the id of a block. The
    /// request lapses with the slot.
    Propose {
        /// The slot.
        slot: u64,
    },
    /// The proposal is signed and saved. Send the block with this signature as its proof.
    Proposed {
        /// The slot and the id of the block.
        block: Checkpoint,
        /// The signature of the proposal: [`Statement::propose`](crate::Statement::propose) with round 0.
        signature: [u8; 64],
    },
    /// Two thirds of the stake attested to this checkpoint. Choose a head that descends from it, and report it to
    /// [`Ffg::handle_head`](super::Ffg::handle_head) even if it is the same as before. Only the latest one is reported if
    /// there are several before the next poll.
    Justified(Checkpoint),
    /// The chain up to this checkpoint is final. Only the latest one is reported if there are several before the next
    /// poll.
    Finalized(Checkpoint),
    /// A validator contradicted itself. At most one for each validator.
    Equivocated(Equivocation),
}

/// Why a datagram was dropped. The machine is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum DatagramError {
    /// The bytes are malformed.
    #[error("malformed statement: {0}")]
    Malformed(DecodeError),
    /// Bytes follow the statement.
    #[error("{0} bytes follow the statement")]
    TrailingBytes(usize),
    /// The statement belongs to another chain.
    #[error("a statement for another chain")]
    OtherChain,
    /// Not an attestation from a slot to a later one.
    #[error("not an attestation to a later slot than its source")]
    Unexpected,
    /// The author is not a validator.
    #[error("{0:.16} is not a validator")]
    Stranger(ValidatorId),
    /// The target is later than the slot of the clock. Nobody's fault.
    #[error("slot {0} has not begun")]
    NotYet(u64),
    /// The author did not sign the statement.
    #[error("invalid signature of {0:.16}")]
    Forged(ValidatorId),
}

/// A call that does not fit the state. The machine is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CallError {
    /// No block is wanted: it is not this validator's slot, or the slot is over.
    #[error("no proposal is wanted; wait for FfgEvent::Propose")]
    NotProposing,
    /// Nothing is to be saved under this token.
    #[error("nothing is to be saved under token {}", .0.0)]
    UnknownToken(SaveToken),
    /// The key has signed for this slot or a later one.
    #[error(transparent)]
    Guard(#[from] GuardError),
}

/// Why a machine cannot continue from what was saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ResumeError {
    /// The setup is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The bytes are malformed.
    #[error("malformed state: {0}")]
    Decode(DecodeError),
    /// The state belongs to another chain or to another key.
    #[error("the state belongs to another chain or validator")]
    OtherValidator,
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slot={} block={:.16}", self.slot, Hex(&self.id))
    }
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for FfgEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Save { token } => write!(f, "SAVE {}", token.0),
            Self::Propose { slot } => write!(f, "PROPOSE slot={slot}"),
            Self::Proposed { block, .. } => write!(f, "PROPOSED {block}"),
            Self::Justified(checkpoint) => write!(f, "JUSTIFIED {checkpoint}"),
            Self::Finalized(checkpoint) => write!(f, "FINALIZED {checkpoint}"),
            Self::Equivocated(evidence) => fmt::Display::fmt(evidence, f),
        }
    }
}
