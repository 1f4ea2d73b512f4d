//! What a BFT engine reports and sends.

use core::fmt;

use thiserror::Error;

use crate::error::DecodeError;
use crate::hex::Hex;
use crate::id::ValidatorId;
use crate::output::SaveToken;
use crate::vote::evidence::Equivocation;

/// A fact, or a request to the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "evidence is rare, and nothing here is on a heap")]
pub enum BftEvent {
    /// Save: write [`Bft::encode_state`](super::Bft::encode_state) to durable memory, then call
    /// [`Bft::handle_saved`](super::Bft::handle_saved) with the token. The engine makes no step before that.
    Save {
        /// Names this request.
        token: SaveToken,
    },
    /// Propose: it is this validator's turn. Call [`Bft::propose`](super::Bft::propose) with a block.
    Propose {
        /// The height.
        height: u64,
        /// The round.
        round: u32,
    },
    /// Check: get the block with this digest, and call [`Bft::handle_checked`](super::Bft::handle_checked).
    Check {
        /// The height.
        height: u64,
        /// The digest of the block.
        value: [u8; 32],
    },
    /// The block with this digest is final. Store it with [`Bft::certificate`](super::Bft::certificate), then call
    /// [`Bft::next_height`](super::Bft::next_height).
    Decided {
        /// The height.
        height: u64,
        /// The round of the precommits.
        round: u32,
        /// The digest of the block.
        value: [u8; 32],
    },
    /// A validator contradicted itself. At most one for each validator and height.
    Equivocated(Equivocation),
    /// A validator works on a height that is decided here: send it the certificate of that height.
    PeerBehind {
        /// The validator.
        peer: ValidatorId,
        /// The height at which it is.
        height: u64,
    },
    /// More than a third of the weight is at this height or a later one: get the decisions up to there.
    Behind {
        /// The height.
        height: u64,
    },
}

/// Why a datagram was dropped. The engine is unchanged.
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
    /// Neither a proposal nor a vote of this protocol.
    #[error("neither a proposal, a prevote nor a precommit")]
    Unexpected,
    /// The author is not a validator.
    #[error("{0:.16} is not a validator")]
    Stranger(ValidatorId),
    /// A statement of this validator itself, which it remembers.
    #[error("a statement of this validator itself")]
    Echo,
    /// It is not the author's turn to propose.
    #[error("{0:.16} is not the proposer of that round")]
    NotProposer(ValidatorId),
    /// The statement is of a height that is decided, and that was reported already.
    #[error("height {0} is decided")]
    OldHeight(u64),
    /// The author did not sign the statement.
    #[error("invalid signature of {0:.16}")]
    Forged(ValidatorId),
}

/// A call that does not fit the state. The engine is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CallError {
    /// No block is wanted: it is not this validator's turn, or its time is over.
    #[error("no proposal is wanted; wait for Event::Propose")]
    NotProposing,
    /// The digest is that of a vote for no block.
    #[error("32 zero bytes stand for no block; propose another digest")]
    Nil,
    /// Nothing is to be saved under this token.
    #[error("nothing is to be saved under token {}", .0.0)]
    UnknownToken(SaveToken),
    /// There is no decision yet.
    #[error("height {0} is not decided")]
    Undecided(u64),
    /// The height is the last number.
    #[error("no height follows")]
    LastHeight,
}

impl fmt::Display for BftEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Save { token } => write!(f, "SAVE {}", token.0),
            Self::Propose { height, round } => write!(f, "PROPOSE height={height} round={round}"),
            Self::Check { height, value } => {
                write!(f, "CHECK height={height} block={:.16}", Hex(value))
            }
            Self::Decided { height, round, value } => {
                let block = Hex(value);
                write!(f, "DECIDED height={height} round={round} block={block:.16}")
            }
            Self::Equivocated(evidence) => fmt::Display::fmt(evidence, f),
            Self::PeerBehind { peer, height } => write!(f, "PEER {peer:.16} at height={height}"),
            Self::Behind { height } => write!(f, "BEHIND others at height={height}"),
        }
    }
}
