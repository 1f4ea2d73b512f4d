//! What a validator saves before it votes, and from which it continues after a crash.
//!
//! | size | field |
//! |---|---|
//! | 2 | tag 0x42, version 1 |
//! | 32 | genesis id |
//! | 32 | this validator |
//! | 8 | height |
//! | 4 | round |
//! | 1 | step: 1 propose, 2 prevote, 3 precommit |
//! | 1 + 4 + 32 | locked: 1 or 0, round, digest |
//! | 1 + 4 + 32 | valid: 1 or 0, round, digest |
//! | 1, then 37 each | number of own statements of the round; kind, valid round plus 1, digest |
//! | 2, then 66 each | number of prevotes for the valid value; index of the validator, signature |

use super::config::ResumeError;
use super::engine::{Core, Cursor, Wish};
use super::round::{RoundState, RoundValue, Step};
use super::storage::{RelativeHeight, VoteKind, VoteRole, VoteSlot};
use super::timers::Timer;
use crate::error::{BufferTooSmall, DecodeError, take, take_start};
use crate::id::ValidatorId;
use crate::output::SaveToken;

const TAG: u8 = 0x42; // 'B'
const VERSION: u8 = 1;

/// Writes fields, and counts them where the buffer ends.
struct Writer<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        let out = self.out.get_mut(self.len..end).unwrap_or_default();
        for (to, from) in out.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.len = end;
    }

    fn put_pair(&mut self, pair: Option<RoundValue>) {
        self.put(&[u8::from(pair.is_some())]);
        let pair = pair.unwrap_or(RoundValue { value: [0; 32], round: 0 });
        self.put(&pair.round.to_be_bytes());
        self.put(&pair.value);
    }
}

/// Encodes the state and returns its length.
pub(super) fn encode(
    core: &Core,
    me: ValidatorId,
    slots: &[VoteSlot],
    out: &mut [u8],
) -> Result<usize, BufferTooSmall> {
    let capacity = out.len();
    let mut writer = Writer { out, len: 0 };
    writer.put(&[TAG, VERSION]);
    writer.put(&core.genesis);
    writer.put(&me.0);
    writer.put(&core.height.to_be_bytes());
    writer.put(&core.round().to_be_bytes());
    writer.put(&[step_number(core.state.step)]);
    writer.put_pair(core.state.locked);
    writer.put_pair(core.state.valid);
    put_own(&mut writer, core, slots);
    put_polka(&mut writer, core, slots);
    let needed = writer.len;
    if needed > capacity {
        return Err(BufferTooSmall { needed });
    }
    Ok(needed)
}

fn put_own(writer: &mut Writer<'_>, core: &Core, slots: &[VoteSlot]) {
    let own = core.me.map_or(&[][..], |me| core.peer_slots(slots, me));
    let kinds = [VoteKind::Propose, VoteKind::Prevote, VoteKind::Precommit];
    let of_kind = |kind| own.iter().find(|slot| slot.is_counted(kind, core.round()));
    let sent = kinds.iter().filter_map(|kind| of_kind(*kind));
    let sent = sent.map(|slot| (slot.kind, slot.support, slot.digest));
    let pending = core.pending.iter().map(|it| (it.kind, it.support, it.digest));
    let all = sent.chain(pending);
    writer.put(&[u8::try_from(all.clone().count()).unwrap_or(u8::MAX)]);
    for (kind, support, digest) in all {
        writer.put(&[kind_number(kind)]);
        writer.put(&support.to_be_bytes());
        writer.put(&digest);
    }
}

fn put_polka(writer: &mut Writer<'_>, core: &Core, slots: &[VoteSlot]) {
    let polka = (0..core.len).filter_map(|index| {
        let valid = core.state.valid?;
        let mut slots = core.peer_slots(slots, index).iter();
        let vote = slots.find(|slot| slot.is_counted(VoteKind::Prevote, valid.round))?;
        let index = u16::try_from(index).ok()?;
        (vote.digest == valid.value).then_some((index, vote.signature))
    });
    let count = u16::try_from(polka.clone().count()).unwrap_or(u16::MAX);
    writer.put(&count.to_be_bytes());
    for (index, signature) in polka {
        writer.put(&index.to_be_bytes());
        writer.put(&signature);
    }
}

/// What begins a saved state.
struct Saved<'a> {
    genesis: [u8; 32],
    me: ValidatorId,
    height: u64,
    state: RoundState,
    statements: &'a [u8],
}

/// Decodes the fixed part.
fn decode(bytes: &[u8]) -> Result<Saved<'_>, DecodeError> {
    let rest = take_start(bytes, TAG, VERSION)?;
    let (genesis, rest) = take(rest)?;
    let (me, rest) = take(rest)?;
    let (height, rest) = take(rest)?;
    let (round, rest) = take(rest)?;
    let (step, rest) = take::<1>(rest)?;
    let (locked, rest) = take_pair(rest)?;
    let (valid, statements) = take_pair(rest)?;
    let [step] = *step;
    let state = RoundState {
        round: Some(u32::from_be_bytes(*round)),
        step: step_of(step)?,
        locked,
        valid,
        ..RoundState::default()
    };
    let me = ValidatorId(*me);
    Ok(Saved { genesis: *genesis, me, height: u64::from_be_bytes(*height), state, statements })
}

impl Cursor<'_> {
    /// Continues from a saved state, if it is of this height.
    #[inline(never)] // what was saved does not stand on the stack while the engine moves on
    pub(super) fn resume(&mut self, saved: &[u8]) -> Result<(), ResumeError> {
        let decoded = decode(saved);
        let saved = decoded.as_ref().map_err(|error| ResumeError::Decode(*error))?;
        if saved.genesis != self.core.genesis || saved.me != self.keys.id() {
            return Err(ResumeError::OtherValidator);
        }
        if saved.height > self.core.height {
            return Err(ResumeError::LaterHeight(saved.height));
        }
        if saved.height == self.core.height {
            self.restore(saved).map_err(ResumeError::Decode)?;
            self.restart_step();
        }
        Ok(())
    }

    /// Continues from a saved state of this height, and sends the own statements of its round again.
    fn restore(&mut self, saved: &Saved<'_>) -> Result<(), DecodeError> {
        self.core.state = saved.state;
        let round = self.core.round();
        let (count, mut rest) = take::<1>(saved.statements)?;
        for _ in 0..count[0] {
            let (kind, after) = take::<1>(rest)?;
            let (support, after) = take(after)?;
            let (digest, after) = take(after)?;
            rest = after;
            let kind = kind_from(kind[0])?;
            let vote = self.sign(kind, round, u32::from_be_bytes(*support), *digest);
            if let Some(me) = self.core.me {
                self.store(me, vote);
            }
        }
        let (count, mut rest) = take(rest)?;
        for _ in 0..u16::from_be_bytes(*count) {
            let (index, after) = take(rest)?;
            let (signature, after) = take(after)?;
            rest = after;
            self.restore_prevote(usize::from(u16::from_be_bytes(*index)), *signature);
        }
        if rest.is_empty() { Ok(()) } else { Err(DecodeError::Noncanonical) }
    }

    /// Puts a prevote for the valid value back. One that is not signed is ignored: the validators may have changed.
    #[inline(never)] // what it needs does not stand on the stack while own statements are signed
    fn restore_prevote(&mut self, index: usize, signature: [u8; 64]) {
        let Some(valid) = self.core.state.valid else { return };
        let Some(peer) = self.peers.get(index) else { return };
        let kind = VoteKind::Prevote;
        let height = RelativeHeight::Current;
        let role = VoteRole::Counted;
        let RoundValue { value: digest, round } = valid;
        let vote =
            VoteSlot { kind, height, role, is_due: false, round, support: 0, digest, signature };
        let mut known = self.core.peer_slots(self.slots, index).iter();
        if !known.any(|slot| slot.is_counted(kind, round)) && self.is_signed(peer.id, &vote) {
            self.store(index, vote);
        }
    }

    #[inline(never)] // the message does not stand on the stack while the vote is stored
    fn is_signed(&self, author: ValidatorId, vote: &VoteSlot) -> bool {
        let signed = self.core.statement_of(author, vote);
        let message = signed.statement.to_bytes();
        self.keys.verify(&signed.author, &message, &vote.signature)
    }

    /// Sets the timers of the step that was restored.
    fn restart_step(&mut self) {
        let round = self.core.round();
        if self.core.state.step == Step::Propose {
            self.schedule(Timer::Propose);
            if self.is_proposer(round) && self.proposal(round).is_none() {
                self.core.wish = Some(Wish { round, is_announced: false });
            }
        }
        self.core.last_token = SaveToken(0);
    }
}

fn take_pair(bytes: &[u8]) -> Result<(Option<RoundValue>, &[u8]), DecodeError> {
    let (flag, rest) = take::<1>(bytes)?;
    let (round, rest) = take(rest)?;
    let (value, rest) = take(rest)?;
    let pair = RoundValue { value: *value, round: u32::from_be_bytes(*round) };
    match *flag {
        [0] => Ok((None, rest)),
        [1] => Ok((Some(pair), rest)),
        _ => Err(DecodeError::Noncanonical),
    }
}

const fn step_number(step: Step) -> u8 {
    match step {
        Step::Unstarted | Step::Propose => 1,
        Step::Prevote => 2,
        Step::Precommit | Step::Commit => 3,
    }
}

const fn step_of(number: u8) -> Result<Step, DecodeError> {
    match number {
        1 => Ok(Step::Propose),
        2 => Ok(Step::Prevote),
        3 => Ok(Step::Precommit),
        _ => Err(DecodeError::Noncanonical),
    }
}

const fn kind_number(kind: VoteKind) -> u8 {
    match kind {
        VoteKind::Free | VoteKind::Propose => 1,
        VoteKind::Prevote => 2,
        VoteKind::Precommit => 3,
    }
}

const fn kind_from(number: u8) -> Result<VoteKind, DecodeError> {
    match number {
        1 => Ok(VoteKind::Propose),
        2 => Ok(VoteKind::Prevote),
        3 => Ok(VoteKind::Precommit),
        _ => Err(DecodeError::Noncanonical),
    }
}
