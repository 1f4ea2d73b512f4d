//! The rules of requests and answers under the fast extension (BEP 6).

use thiserror::Error;

use super::Fast;
use crate::block::Block;
use crate::wire::Message;

/// Watches one direction of requests on a connection: what one side asks and what the other answers.
/// Every request gets exactly one answer, a block or a reject, even after a cancel or a choke.
///
/// For tests of a peer and for teaching: feed it each message of both sides in the order in which the
/// *answering* side saw or sent them. The slots hold the requests that are not yet answered.
///
/// ```
/// use bittorrent_pieces::wire::fast::{AnswerRules, Fast, RuleError, RuleSlot};
/// use bittorrent_pieces::wire::Message;
/// use bittorrent_pieces::{Block, PieceIndex};
///
/// let block = Block { piece: PieceIndex(1), begin: 0, len: 4 };
/// let mut rules = AnswerRules::new(true, [RuleSlot::EMPTY; 2]);
/// rules.answered_fast(Fast::HaveAll)?; // what the first message is about
/// rules.asked(&Message::Request(block))?;
/// rules.asked(&Message::Cancel(block))?;
/// rules.answered_fast(Fast::Reject(block))?;
/// assert_eq!(rules.answered_fast(Fast::Reject(block)), Err(RuleError::RejectedNothing(block)));
/// # Ok::<(), RuleError>(())
/// ```
#[derive(Debug, Clone)]
pub struct AnswerRules<S> {
    fast: bool,
    started: bool, // the answering side has sent a message that is not a keepalive
    slots: S,
}

/// Room for one unanswered request: 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleSlot(Option<Pending>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pending {
    block: Block,
    dropped: bool, // choked or cancelled without the extension: may be answered, need not
}

impl RuleSlot {
    /// A slot that is not in use.
    pub const EMPTY: Self = Self(None);
}

/// What was seen of the asking side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a request, a cancel, or neither")]
pub enum Asked {
    /// A request, which is now to be answered.
    Request,
    /// A cancel of a request that is still to be answered, with the block or a reject.
    Cancel,
    /// Any other message, a cancel of what is answered already, which is legal, or one without
    /// the extension: then both the block and silence are right.
    Nothing,
}

/// A rule is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RuleError {
    /// A message of the extension without the extension: must close.
    #[error("message {0} without the fast extension")]
    NotFast(Fast),
    /// A block that was not asked for, or was answered before: must close.
    #[error("an unrequested block, {0}")]
    Unrequested(Block),
    /// A reject of what was not asked for, or was answered before: should close.
    #[error("a reject of no request, {0}")]
    RejectedNothing(Block),
    /// Bitfield, have all or have none not as the first message: must close.
    #[error("late or duplicate bitfield, have-all or have-none")]
    Late,
    /// With the extension, the first message is one of bitfield, have all, have none.
    #[error("first message is not a bitfield, have-all or have-none")]
    First,
    /// More unanswered requests than slots: the caller's fault.
    #[error("more than {0} requests are unanswered")]
    Full(usize),
}

impl<S: AsRef<[RuleSlot]> + AsMut<[RuleSlot]>> AnswerRules<S> {
    /// Begins behind the handshakes; `fast` if both offered the extension. `slots` is cleared.
    #[must_use]
    pub fn new(fast: bool, mut slots: S) -> Self {
        slots.as_mut().fill(RuleSlot::EMPTY);
        Self { fast, started: false, slots }
    }

    /// Processes a message of the asking side.
    ///
    /// # Errors
    ///
    /// [`RuleError::Full`]; nothing changed.
    pub fn asked(&mut self, message: &Message<'_>) -> Result<Asked, RuleError> {
        match message {
            Message::Request(block) => {
                let full = RuleError::Full(self.slots.as_ref().len());
                let slots = self.slots.as_mut();
                let spare = slots.iter().position(|slot| slot.0.is_none()).or_else(|| {
                    slots.iter().position(|slot| slot.0.is_some_and(|pending| pending.dropped))
                });
                let slot = spare.and_then(|at| slots.get_mut(at)).ok_or(full)?;
                slot.0 = Some(Pending { block: *block, dropped: false });
                Ok(Asked::Request)
            }
            Message::Cancel(block) if self.fast => {
                let waits = self.unanswered().any(|other| other == *block);
                Ok(if waits { Asked::Cancel } else { Asked::Nothing })
            }
            Message::Cancel(block) => {
                self.drop_where(|other| other == *block);
                Ok(Asked::Nothing)
            }
            _ => Ok(Asked::Nothing),
        }
    }

    /// Processes a message of the answering side that is not one of the extension.
    ///
    /// # Errors
    ///
    /// [`RuleError`]; nothing changed.
    pub fn answered(&mut self, message: &Message<'_>) -> Result<(), RuleError> {
        match message {
            Message::KeepAlive => return Ok(()),
            Message::Bitfield(_) => self.before_start()?,
            _ => self.first()?,
        }
        match message {
            Message::Piece(piece) => {
                let block = piece.block();
                self.take(block).ok_or(RuleError::Unrequested(block))?;
            }
            // Without the extension a choke drops all requests; blocks on their way are legal.
            Message::Choke if !self.fast => self.drop_where(|_| true),
            _ => {}
        }
        self.started = true;
        Ok(())
    }

    /// Processes a message of the extension from the answering side.
    ///
    /// # Errors
    ///
    /// [`RuleError`]; nothing changed.
    pub fn answered_fast(&mut self, message: Fast) -> Result<(), RuleError> {
        if !self.fast {
            return Err(RuleError::NotFast(message));
        }
        match message {
            Fast::HaveAll | Fast::HaveNone => self.before_start()?,
            Fast::Suggest(_) | Fast::AllowedFast(_) | Fast::Reject(_) => self.first()?,
        }
        if let Fast::Reject(block) = message {
            self.take(block).ok_or(RuleError::RejectedNothing(block))?;
        }
        self.started = true;
        Ok(())
    }

    /// Returns the requests that are still to be answered.
    #[must_use]
    pub fn unanswered(&self) -> Unanswered<'_> {
        Unanswered(self.slots.as_ref().iter())
    }

    fn drop_where(&mut self, is: impl Fn(Block) -> bool) {
        let pending = self.slots.as_mut().iter_mut().filter_map(|slot| slot.0.as_mut());
        pending.filter(|pending| is(pending.block)).for_each(|pending| pending.dropped = true);
    }

    fn before_start(&self) -> Result<(), RuleError> {
        if self.started { Err(RuleError::Late) } else { Ok(()) }
    }

    fn first(&self) -> Result<(), RuleError> {
        if self.fast && !self.started { Err(RuleError::First) } else { Ok(()) }
    }

    fn take(&mut self, block: Block) -> Option<()> {
        let slots = self.slots.as_mut();
        let at = |dropped| {
            let wanted = RuleSlot(Some(Pending { block, dropped }));
            slots.iter().position(|slot| *slot == wanted)
        };
        let at = at(false).or_else(|| at(true))?;
        slots.get_mut(at).map(|slot| *slot = RuleSlot::EMPTY)
    }
}

/// The requests of an [`AnswerRules`] that are still to be answered.
#[derive(Debug, Clone)]
pub struct Unanswered<'a>(core::slice::Iter<'a, RuleSlot>);

impl Iterator for Unanswered<'_> {
    type Item = Block;

    fn next(&mut self) -> Option<Block> {
        let mut pending = self.0.by_ref().filter_map(|slot| slot.0);
        pending.find(|pending| !pending.dropped).map(|pending| pending.block)
    }
}
