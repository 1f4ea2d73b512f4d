//! What an FFG machine saves before it signs, and from which it continues after a crash: 210 bytes.
//!
//! | size | field |
//! |---|---|
//! | 2 | tag 0x46, version 1 |
//! | 32 | genesis id |
//! | 32 | this validator |
//! | 24 | the guard: next slot, source, next target |
//! | 40 | the justified checkpoint: slot, id |
//! | 40 | the one that was justified before |
//! | 40 | the final checkpoint |

use super::event::{Checkpoint, ResumeError};
use super::state::Core;
use crate::error::{BufferTooSmall, DecodeError, take, take_start};
use crate::guard::MinimalGuard;
use crate::id::ValidatorId;

const TAG: u8 = 0x46; // 'F'
const VERSION: u8 = 1;
const LEN: usize = 2 + 32 + 32 + 24 + 3 * 40;

/// A saved state.
struct Saved {
    genesis: [u8; 32],
    me: ValidatorId,
    guard: MinimalGuard,
    justified: Checkpoint,
    before: Checkpoint,
    finalized: Checkpoint,
}

/// Encodes the state and returns its length.
pub(super) fn encode(
    core: &Core,
    me: ValidatorId,
    out: &mut [u8],
) -> Result<usize, BufferTooSmall> {
    let out = out.get_mut(..LEN).ok_or(BufferTooSmall { needed: LEN })?;
    let start = [TAG, VERSION].into_iter().chain(core.genesis).chain(me.0);
    let checkpoints = [core.justified, core.before, core.finalized].into_iter();
    let checkpoints = checkpoints.flat_map(|it| it.slot.to_be_bytes().into_iter().chain(it.id));
    let bytes = start.chain(core.guard.to_bytes()).chain(checkpoints);
    for (byte, value) in out.iter_mut().zip(bytes) {
        *byte = value;
    }
    Ok(LEN)
}

/// Decodes a saved state.
fn decode(bytes: &[u8]) -> Result<Saved, DecodeError> {
    let rest = take_start(bytes, TAG, VERSION)?;
    let (genesis, rest) = take(rest)?;
    let (me, rest) = take(rest)?;
    let (guard, rest) = take(rest)?;
    let (justified, rest) = take_checkpoint(rest)?;
    let (before, rest) = take_checkpoint(rest)?;
    let (finalized, rest) = take_checkpoint(rest)?;
    let is_ordered = finalized.slot <= justified.slot && before.slot <= justified.slot;
    if !rest.is_empty() || !is_ordered {
        return Err(DecodeError::Noncanonical);
    }
    let guard = MinimalGuard::from_bytes(guard);
    Ok(Saved { genesis: *genesis, me: ValidatorId(*me), guard, justified, before, finalized })
}

impl Core {
    /// Continues from a saved state.
    pub(super) fn resume(&mut self, me: ValidatorId, saved: &[u8]) -> Result<(), ResumeError> {
        let saved = decode(saved).map_err(ResumeError::Decode)?;
        if saved.genesis != self.genesis || saved.me != me {
            return Err(ResumeError::OtherValidator);
        }
        self.guard = saved.guard;
        self.justified = saved.justified;
        self.head = saved.justified.id;
        self.justified_reported = saved.justified.slot;
        self.before = saved.before;
        self.finalized = saved.finalized;
        self.finalized_reported = saved.finalized.slot;
        Ok(())
    }
}

fn take_checkpoint(bytes: &[u8]) -> Result<(Checkpoint, &[u8]), DecodeError> {
    let (slot, rest) = take(bytes)?;
    let (id, rest) = take(rest)?;
    Ok((Checkpoint { slot: u64::from_be_bytes(*slot), id: *id }, rest))
}
