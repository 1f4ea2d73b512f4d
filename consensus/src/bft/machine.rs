//! The BFT engine: construction and the five verbs.

use core::time::Duration;

use super::config::{BftConfig, BftSetup, ResumeError};
use super::engine::{Core, Cursor};
use super::event::{BftEvent, CallError, DatagramError};
use super::receive;
use super::round::{RoundInput, RoundOutput, RoundState, Step};
use super::saved;
use super::storage::{BftParts, BftStorage, PeerSlot, VoteKind, VoteSlot};
use super::timers::{Deadlines, Timer};
use crate::error::{BufferTooSmall, ConfigError};
use crate::id::ValidatorId;
use crate::output::{SaveToken, Transmit};
use crate::select::selector::Selector;
use crate::sort::sort_by_key;
use crate::vote::statement::{SignedStatement, Statement};
use crate::vote::verify::Keys;

/// A validator, or an observer, of a chain on which blocks are final at once (Tendermint; "The latest gossip on BFT
/// consensus", arXiv 1807.04938).
///
/// More than two thirds of the weight have to be honest; then no two of them decide differently. The engine works on
/// digests: the application moves the blocks themselves. Every datagram is one [`SignedStatement`], goes to all
/// validators, and may be lost, repeated or late.
///
/// Nothing that binds leaves before it is saved: on [`BftEvent::Save`] write [`encode_state`](Self::encode_state) to
/// durable memory and call [`handle_saved`](Self::handle_saved). After a crash [`resume`](Self::resume) continues with
/// the same votes. The [module](super) has an example
/// that decides.
///
/// ```
/// use consensus::bft::{Bft, BftConfig, BftEvent, BftSetup, BftSlots, PeerSlot, VoteSlot};
/// use consensus::{Ed25519Key, Keys, RoundRobin};
/// use core::time::Duration;
///
/// let keys = Ed25519Key::from_secret(&[1; 32]);
/// let validators = [(keys.id(), 1)];
/// let setup = || BftSetup {
///     config: BftConfig::new(Duration::from_millis(200)),
///     genesis: [0xC0; 32],
///     height: 1,
///     validators: &validators,
///     selector: RoundRobin::new([keys.id()]),
///     keys: keys.clone(),
/// };
/// let storage = BftSlots { validators: [PeerSlot::EMPTY; 1], votes: [VoteSlot::EMPTY; 6] };
/// let mut bft = Bft::new(setup(), storage)?;
/// assert_eq!(bft.poll_event(), Some(BftEvent::Propose { height: 1, round: 0 }));
/// bft.propose(Duration::ZERO, &[0xAB; 32])?;
/// let mut flash = [0; 512];
/// let len = bft.encode_state(&mut flash)?; // for `BftEvent::Save`
///
/// // Power fails before `handle_saved`. The proposal is not lost, and no second one is made.
/// let mut bft = Bft::resume(setup(), storage, &flash[..len])?;
/// assert!(bft.poll_transmit(&mut [0; 183])?.is_some());
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bft<P, K, S> {
    config: BftConfig,
    selector: P,
    keys: K,
    pub(super) core: Core,
    pub(super) storage: S,
}

/// The precommits that prove a decision. Created by [`Bft::certificate`].
#[derive(Debug, Clone)]
pub struct Certificate<'a> {
    core: &'a Core,
    peers: &'a [PeerSlot],
    slots: &'a [VoteSlot],
    next: usize,
}

impl<P: Selector, K: Keys, S: BftStorage> Bft<P, K, S> {
    /// Creates an engine at the beginning of a height and clears the storage.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the setup is invalid or the storage too small.
    pub fn new(setup: BftSetup<'_, P, K>, storage: S) -> Result<Self, ConfigError> {
        Self::begin(setup, storage, |_| Ok(()))
    }

    /// Creates an engine that continues from what it saved before a crash. What was saved at an earlier height than that
    /// of the setup no longer binds.
    ///
    /// # Errors
    ///
    /// [`ResumeError`] if the setup is invalid, or the saved bytes are not a state of this validator.
    pub fn resume(
        setup: BftSetup<'_, P, K>,
        storage: S,
        saved: &[u8],
    ) -> Result<Self, ResumeError> {
        Self::begin(setup, storage, |cursor| cursor.resume(saved))
    }

    /// Creates an engine at the beginning of a height, and lets `restore` put back what was saved.
    fn begin<E: From<ConfigError>>(
        setup: BftSetup<'_, P, K>,
        mut storage: S,
        restore: impl FnOnce(&mut Cursor<'_>) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut prepared = prepare(&setup, storage.parts());
        let core = prepared.as_mut().map_err(|error| *error)?;
        let BftSetup { config, selector, keys, .. } = &setup;
        let mut cursor = cursor_of(core, storage.parts(), config, selector, keys);
        restore(&mut cursor)?;
        cursor.resend();
        cursor.advance();
        Ok(Self::with_core(setup, core, storage))
    }

    #[inline(never)] // builds the engine where the caller wants it
    fn with_core(setup: BftSetup<'_, P, K>, core: &Core, storage: S) -> Self {
        let BftSetup { config, selector, keys, .. } = setup;
        Self { config, selector, keys, core: core.clone(), storage }
    }

    /// Handles a datagram: one signed statement.
    ///
    /// # Errors
    ///
    /// [`DatagramError`] if it is dropped; the engine is unchanged.
    pub fn handle_datagram(&mut self, now: Duration, bytes: &[u8]) -> Result<(), DatagramError> {
        let signed = receive::decode(bytes)?;
        self.cursor().receive(now, &signed)
    }

    /// Reports that the state of [`BftEvent::Save`] is in durable memory. The statement that depends on it leaves now.
    ///
    /// # Errors
    ///
    /// [`CallError::UnknownToken`]; the engine is unchanged.
    pub fn handle_saved(&mut self, now: Duration, token: SaveToken) -> Result<(), CallError> {
        let pending = self.core.pending.filter(|pending| pending.token == token);
        let pending = pending.ok_or(CallError::UnknownToken(token))?;
        self.core.advance_clock(now);
        self.core.pending = None;
        let mut cursor = self.cursor();
        cursor.release(&pending);
        cursor.advance();
        Ok(())
    }

    /// Reports the verdict of the application on the block of [`BftEvent::Check`]. Digests that were not asked for, or not
    /// in this round, are ignored.
    pub fn handle_checked(&mut self, now: Duration, value: &[u8; 32], is_valid: bool) {
        self.core.advance_clock(now);
        let asked = self.core.check.as_mut().filter(|check| check.value == *value);
        if let Some(check) = asked.filter(|check| check.answer.is_none()) {
            check.answer = Some(is_valid);
            self.cursor().advance();
        }
    }

    /// Proposes the block with this digest, after [`BftEvent::Propose`].
    ///
    /// # Errors
    ///
    /// [`CallError::NotProposing`] or [`CallError::Nil`]; the engine is unchanged.
    pub fn propose(&mut self, now: Duration, value: &[u8; 32]) -> Result<(), CallError> {
        if *value == Statement::NIL {
            return Err(CallError::Nil);
        }
        let wish = self.core.wish.ok_or(CallError::NotProposing)?;
        if self.core.pending.is_some() {
            return Err(CallError::NotProposing);
        }
        let mut state = self.core.state;
        let output = state.apply(wish.round, RoundInput::ProposeValue(*value));
        let Ok(Some(RoundOutput::Proposal { value, .. })) = output else {
            return Err(CallError::NotProposing);
        };
        self.core.advance_clock(now);
        self.core.wish = None;
        self.cursor().stage(VoteKind::Propose, 0, value);
        Ok(())
    }

    /// Begins the next height after a decision.
    ///
    /// # Errors
    ///
    /// [`CallError::Undecided`] or [`CallError::LastHeight`]; the engine is unchanged.
    pub fn next_height(&mut self, now: Duration) -> Result<(), CallError> {
        if self.core.state.step != Step::Commit {
            return Err(CallError::Undecided(self.core.height));
        }
        let height = self.core.height.checked_add(1).ok_or(CallError::LastHeight)?;
        self.core.advance_clock(now);
        self.core.height = height;
        self.core.state = RoundState::default();
        self.core.check = None;
        self.core.quorum = None;
        let mut cursor = self.cursor();
        cursor.begin_height();
        cursor.resend();
        cursor.advance();
        Ok(())
    }

    /// Fires expired timers.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.core.advance_clock(now);
        let now = self.core.now;
        let mut cursor = self.cursor();
        if cursor.core.deadlines.take_expired(Timer::Resend, now) {
            cursor.resend();
        }
        cursor.advance();
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.core.deadlines.next(self.core.now)
    }

    /// Writes the next datagram, which goes to all other validators.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] below [`SignedStatement::LEN`] bytes; the engine is unchanged.
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        let Cursor { core, peers, slots, .. } = self.cursor();
        let (before, after) = slots.split_at(core.send_from.min(slots.len()));
        let mut order = after.iter().chain(before).zip(0_usize..);
        let Some((_, offset)) = order.find(|(slot, _)| slot.is_due) else { return Ok(None) };
        let index = core.send_from.saturating_add(offset).checked_rem(slots.len()).unwrap_or(0);
        let author = peers.get(index.checked_div(core.per_peer).unwrap_or(0)).map(|peer| peer.id);
        let Some((slot, author)) = slots.get_mut(index).zip(author) else { return Ok(None) };
        let len = core.statement_of(author, slot).encode(buf)?;
        slot.is_due = false;
        core.send_from = index;
        Ok(Some(Transmit { len }))
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<BftEvent> {
        self.cursor().next_event()
    }

    /// Encodes what [`BftEvent::Save`] asks to save and returns its length: 156 bytes, 37 for each own statement of the
    /// round, and 66 for each validator that supports the valid value.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]
    pub fn encode_state(&self, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        saved::encode(&self.core, self.keys.id(), self.storage.parts_ref().votes, buf)
    }

    /// Returns the precommits that prove the decision, until [`next_height`](Self::next_height). Empty before.
    pub fn certificate(&self) -> Certificate<'_> {
        let parts = self.storage.parts_ref();
        Certificate { core: &self.core, peers: parts.validators, slots: parts.votes, next: 0 }
    }

    /// Returns the state of the round.
    pub const fn round_state(&self) -> &RoundState {
        &self.core.state
    }

    /// Returns the height.
    pub const fn height(&self) -> u64 {
        self.core.height
    }

    /// Returns the storage.
    pub fn into_storage(self) -> S {
        self.storage
    }

    fn cursor(&mut self) -> Cursor<'_> {
        let parts = self.storage.parts();
        cursor_of(&mut self.core, parts, &self.config, &self.selector, &self.keys)
    }
}

/// Returns the state at the beginning of a height, and clears the storage.
fn prepare<P, K: Keys>(
    setup: &BftSetup<'_, P, K>,
    parts: BftParts<'_>,
) -> Result<Core, ConfigError> {
    let BftParts { validators: peers, votes } = parts;
    let validators = setup.validators;
    setup.config.check()?;
    votes.fill(VoteSlot::EMPTY);
    peers.fill(PeerSlot::EMPTY);
    let len = validators.len();
    let total = fill_peers(peers, validators)?;
    let per_peer = votes.len().checked_div(len).ok_or(ConfigError::NoValidators)?;
    if per_peer < VoteSlot::PER_VALIDATOR {
        let needed = len.saturating_mul(VoteSlot::PER_VALIDATOR);
        return Err(ConfigError::TooFewVotes { found: votes.len(), needed });
    }
    let mut used = peers.iter().take(len);
    let me = used.position(|peer| peer.id == setup.keys.id());
    Ok(Core {
        now: Duration::ZERO,
        genesis: setup.genesis,
        height: setup.height,
        len,
        per_peer,
        total,
        me,
        state: RoundState::default(),
        pending: None,
        last_token: SaveToken(0),
        check: None,
        wish: None,
        decided: None,
        behind: None,
        behind_reported: 0,
        quorum: None,
        deadlines: Deadlines::default(),
        send_from: 0,
    })
}

fn cursor_of<'a>(
    core: &'a mut Core,
    parts: BftParts<'a>,
    config: &'a BftConfig,
    selector: &'a dyn Selector,
    keys: &'a dyn Keys,
) -> Cursor<'a> {
    let BftParts { validators: peers, votes } = parts;
    let used = core.len.saturating_mul(core.per_peer);
    Cursor {
        peers: peers.get_mut(..core.len).unwrap_or_default(),
        slots: votes.get_mut(..used).unwrap_or_default(),
        core,
        config,
        selector,
        keys,
    }
}

/// Fills the slots, which are empty, in the order of ids and returns the total power.
fn fill_peers(
    slots: &mut [PeerSlot],
    validators: &[(ValidatorId, u64)],
) -> Result<u64, ConfigError> {
    let found = validators.len();
    let capacity = slots.len();
    let slots = slots.get_mut(..found);
    let slots = slots.ok_or(ConfigError::TooManyValidators { found, capacity })?;
    let mut total = 0_u64;
    for (slot, (id, power)) in slots.iter_mut().zip(validators) {
        if *power == 0 {
            return Err(ConfigError::NoPower(*id));
        }
        total = total.checked_add(*power).ok_or(ConfigError::TooMuchPower)?;
        slot.id = *id;
        slot.power = *power;
    }
    sort_by_key(slots, |slot| slot.id);
    let mut neighbours = slots.windows(2);
    match neighbours.find_map(|pair| match pair {
        [one, two] if one.id == two.id => Some(one.id),
        _ => None,
    }) {
        Some(id) => Err(ConfigError::Duplicate(id)),
        None => Ok(total),
    }
}

impl Iterator for Certificate<'_> {
    type Item = SignedStatement;

    fn next(&mut self) -> Option<SignedStatement> {
        let decision = self.core.state.decision?;
        while self.next < self.core.len {
            let index = self.next;
            self.next = index.saturating_add(1);
            let mut slots = self.core.peer_slots(self.slots, index).iter();
            let vote = slots.find(|slot| slot.is_counted(VoteKind::Precommit, decision.round));
            if let Some(vote) = vote
                && let Some(peer) = self.peers.get(index)
                && vote.digest == decision.value
            {
                return Some(self.core.statement_of(peer.id, vote));
            }
        }
        None
    }
}
