//! The FFG machine: construction, calls and rules.

use core::time::Duration;

use super::config::{FfgConfig, FfgSetup};
use super::event::{CallError, Checkpoint, DatagramError, FfgEvent, ResumeError};
use super::receive::{attestation_of, decode};
use super::saved;
use super::state::{Core, Pending};
use super::storage::{Attestation, AttesterSlot, Fate, fill};
use super::timers::Timer;
use crate::error::{BufferTooSmall, ConfigError};
use crate::guard::MinimalGuard;
use crate::id::ValidatorId;
use crate::output::{SaveToken, Transmit};
use crate::quorum::{Quorum as _, TwoThirds};
use crate::select::selector::Selector;
use crate::vote::evidence::Equivocation;
use crate::vote::statement::Statement;
use crate::vote::verify::Keys;

/// A validator, or an observer, of a chain of slots with Casper FFG finality.
///
/// At least two thirds of the stake have to be honest; then no two checkpoints that exclude each other are final. The
/// application chooses the head: the best block that descends from the latest [`FfgEvent::Justified`] checkpoint. Every
/// datagram is one attestation, goes to all validators, and may be lost, repeated or late.
///
/// Nothing that binds leaves before it is saved: on [`FfgEvent::Save`] write [`encode_state`](Self::encode_state) to
/// durable memory and call [`handle_saved`](Self::handle_saved). A crash in between costs one signature and never gives a
/// second one (EIP-3076, minimal strategy). Any `AsRef<[AttesterSlot]> + AsMut<[AttesterSlot]>` serves as storage: one
/// slot for each validator.
///
/// ```
/// use consensus::slot::{AttesterSlot, Checkpoint, Ffg, FfgConfig, FfgEvent, FfgSetup};
/// use consensus::{Ed25519Key, Keys, RoundRobin};
/// use core::time::Duration;
///
/// let keys = Ed25519Key::from_secret(&[1; 32]);
/// let setup = FfgSetup {
///     config: FfgConfig::new(Duration::from_secs(3)),
///     genesis: [0xC0; 32],
///     validators: &[(keys.id(), 32)], // a chain with one validator
///     selector: RoundRobin::new([keys.id()]),
///     keys: keys.clone(),
/// };
/// let mut ffg = Ffg::new(setup, [AttesterSlot::EMPTY; 1])?;
/// let mut flash = [0; 256];
/// let mut last_final = None;
/// for second in 3..12 {
///     let now = Duration::from_secs(second);
///     ffg.handle_timeout(now);
///     while let Some(event) = ffg.poll_event() {
///         match event {
///             FfgEvent::Propose { slot } => ffg.propose(now, &[slot as u8; 32])?,
///             FfgEvent::Save { token } => {
///                 ffg.encode_state(&mut flash)?; // write it to durable memory, then:
///                 ffg.handle_saved(now, token)?;
///             }
///             FfgEvent::Proposed { block, .. } => ffg.handle_head(now, &block.id),
///             FfgEvent::Finalized(checkpoint) => last_final = Some(checkpoint),
///             _ => {}
///         }
///     }
/// }
/// assert_eq!(last_final, Some(Checkpoint { slot: 2, id: [2; 32] }), "slot 3 justified it");
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ffg<P, K, S> {
    config: FfgConfig,
    selector: P,
    keys: K,
    core: Core,
    slots: S,
}

impl<P: Selector, K: Keys, S: AsRef<[AttesterSlot]> + AsMut<[AttesterSlot]>> Ffg<P, K, S> {
    /// Creates a machine that has signed nothing, and clears the slots.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the setup is invalid or there are fewer slots than validators.
    pub fn new(setup: FfgSetup<'_, P, K>, mut slots: S) -> Result<Self, ConfigError> {
        let prepared = prepare(&setup, slots.as_mut());
        let core = prepared.as_ref().map_err(|error| *error)?;
        let FfgSetup { config, selector, keys, .. } = setup;
        Ok(Self { config, selector, keys, core: core.clone(), slots })
    }

    /// Creates a machine that continues from what it saved before a crash. The head is the justified checkpoint until
    /// [`handle_head`](Self::handle_head). What was [justified](Self::justified) and [final](Self::finalized) then is not
    /// reported again.
    ///
    /// # Errors
    ///
    /// [`ResumeError`] if the setup is invalid, or the saved bytes are not a state of this validator.
    pub fn resume(
        setup: FfgSetup<'_, P, K>,
        mut slots: S,
        saved: &[u8],
    ) -> Result<Self, ResumeError> {
        let mut prepared = prepare(&setup, slots.as_mut());
        let core = prepared.as_mut().map_err(|error| *error)?;
        core.resume(setup.keys.id(), saved)?;
        let FfgSetup { config, selector, keys, .. } = setup;
        Ok(Self { config, selector, keys, core: core.clone(), slots })
    }

    /// Handles a datagram: one signed attestation. Costs one check of a signature at most, and O(n).
    ///
    /// # Errors
    ///
    /// [`DatagramError`] if it is dropped; the machine is unchanged.
    pub fn handle_datagram(&mut self, now: Duration, bytes: &[u8]) -> Result<(), DatagramError> {
        let signed = decode(bytes)?;
        if signed.statement.genesis != self.core.genesis {
            return Err(DatagramError::OtherChain);
        }
        let new = attestation_of(&signed)?;
        let now = self.core.now.max(now);
        let slot = self.config.phase_at(now).map_or(0, |phase| phase.slot);
        if new.target > slot {
            return Err(DatagramError::NotYet(new.target));
        }
        let author = signed.author;
        let index = self.find(&author).ok_or(DatagramError::Stranger(author))?;
        let Some(attester) = self.slots.as_ref().get(index) else { return Ok(()) };
        let fate = attester.fate_of(&new, self.core.justified.slot);
        let contradicted = attester.contradicted_by(&new).filter(|_| !attester.offended);
        let is_wanted = fate != Fate::Ignored || contradicted.is_some();
        if is_wanted && !self.keys.verify(&author, &signed.statement.to_bytes(), &new.signature) {
            return Err(DatagramError::Forged(author));
        }
        self.advance(now);
        let Some(attester) = self.slots.as_mut().get_mut(index) else { return Ok(()) };
        if let Some(known) = contradicted {
            attester.contradiction = Some([known, new]);
            attester.offended = true;
        }
        attester.keep(new, fate);
        if fate != Fate::Ignored {
            self.count(&new);
        }
        Ok(())
    }

    /// Reports the block that the application takes for the head. It has to descend from the justified checkpoint, which is
    /// the head itself from [`FfgEvent::Justified`] until this call.
    pub fn handle_head(&mut self, now: Duration, id: &[u8; 32]) {
        self.core.head = *id;
        self.advance(now);
    }

    /// Reports that the state of [`FfgEvent::Save`] is in durable memory. The signature leaves now.
    ///
    /// # Errors
    ///
    /// [`CallError::UnknownToken`]; the machine is unchanged.
    pub fn handle_saved(&mut self, now: Duration, token: SaveToken) -> Result<(), CallError> {
        let pending = self.core.pending.filter(|pending| pending.token == token);
        let pending = pending.ok_or(CallError::UnknownToken(token))?;
        self.core.pending = None;
        self.release(&pending);
        self.advance(now);
        Ok(())
    }

    /// Proposes the block with this id, after [`FfgEvent::Propose`].
    ///
    /// # Errors
    ///
    /// [`CallError`]; the machine is unchanged.
    pub fn propose(&mut self, now: Duration, id: &[u8; 32]) -> Result<(), CallError> {
        let now = self.core.now.max(now);
        let slot = self.config.phase_at(now).map_or(0, |phase| phase.slot);
        let wish = self.core.wish.filter(|(wanted, _)| *wanted == slot);
        let is_free = self.core.pending.is_none() && self.core.proposed.is_none();
        let (slot, _) = wish.filter(|_| is_free).ok_or(CallError::NotProposing)?;
        self.core.guard.sign_block(slot)?;
        self.core.wish = None;
        self.stage(None, Checkpoint { slot, id: *id });
        self.advance(now);
        Ok(())
    }

    /// Begins what is due in the slot of the clock.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.advance(now);
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) is due: at each third of a slot.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.config.next_phase(self.core.now)
    }

    /// Writes the next datagram, which goes to all other validators.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] below [`SignedStatement::LEN`](crate::SignedStatement::LEN) bytes; the machine is unchanged.
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        for attester in self.slots.as_mut() {
            let [latest, _] = attester.latest;
            if let Some(latest) = latest.filter(|_| attester.is_due) {
                let len = latest.signed(self.core.genesis, attester.id).encode(buf)?;
                attester.is_due = false;
                return Ok(Some(Transmit { len }));
            }
            if let Some(support) = attester.support.filter(|_| attester.is_support_due) {
                let len = support.signed(self.core.genesis, attester.id).encode(buf)?;
                attester.is_support_due = false;
                return Ok(Some(Transmit { len }));
            }
        }
        Ok(None)
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<FfgEvent> {
        let core = &mut self.core;
        if let Some(pending) = core.pending.as_mut().filter(|pending| !pending.is_announced) {
            pending.is_announced = true;
            return Some(FfgEvent::Save { token: pending.token });
        }
        if let Some((block, signature)) = core.proposed.take() {
            return Some(FfgEvent::Proposed { block, signature });
        }
        if core.justified.slot > core.justified_reported {
            core.justified_reported = core.justified.slot;
            return Some(FfgEvent::Justified(core.justified));
        }
        if core.finalized.slot > core.finalized_reported {
            core.finalized_reported = core.finalized.slot;
            return Some(FfgEvent::Finalized(core.finalized));
        }
        if let Some((slot, is_announced)) = core.wish.as_mut().filter(|wish| !wish.1) {
            *is_announced = true;
            return Some(FfgEvent::Propose { slot: *slot });
        }
        next_evidence(&core.genesis, self.slots.as_mut())
    }

    /// Encodes what [`FfgEvent::Save`] asks to save and returns its length: 210 bytes.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]
    pub fn encode_state(&self, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        saved::encode(&self.core, self.keys.id(), buf)
    }

    /// Returns the last justified checkpoint.
    pub const fn justified(&self) -> Checkpoint {
        self.core.justified
    }

    /// Returns the last final checkpoint.
    pub const fn finalized(&self) -> Checkpoint {
        self.core.finalized
    }

    /// Returns the slots.
    pub fn into_storage(self) -> S {
        self.slots
    }

    /// Moves the clock, and does what is due.
    fn advance(&mut self, now: Duration) {
        self.core.now = self.core.now.max(now);
        let Some(phase) = self.config.phase_at(self.core.now) else { return };
        if phase.slot > self.core.slot {
            self.core.slot = phase.slot;
            self.core.repeated = false;
            self.core.wish = self.is_proposer(phase.slot).then_some((phase.slot, false));
        }
        if phase.timer == Timer::Propose {
            return;
        }
        self.attest(phase.slot);
        if phase.timer == Timer::Repeat && !self.core.repeated {
            self.core.repeated = true;
            self.repeat(phase.slot);
        }
    }

    fn is_proposer(&self, slot: u64) -> bool {
        let me = self.core.me.is_some();
        me && self.selector.select(slot, 0) == Some(self.keys.id())
    }

    /// Attests to the head, once in a slot: the guard refuses a second time.
    fn attest(&mut self, slot: u64) {
        let core = &mut self.core;
        let source = core.justified.slot;
        if core.me.is_none() || core.pending.is_some() || source >= slot {
            return;
        }
        if core.guard.sign_attestation(source, slot).is_ok() {
            let block = Checkpoint { slot, id: core.head };
            self.stage(Some(source), block);
        }
    }

    /// Sends the attestation of this slot again, if there is one, and to validators that are behind the attestations that
    /// justified the last checkpoint.
    fn repeat(&mut self, slot: u64) {
        let Some(me) = self.core.me else { return };
        if core::mem::take(&mut self.core.somebody_is_behind) {
            let justified = self.core.justified;
            for attester in self.slots.as_mut() {
                let support = attester.support;
                attester.is_support_due = support.is_some_and(|it| it.target == justified.slot);
            }
        }
        let Some(own) = self.slots.as_mut().get_mut(me) else { return };
        own.is_due |= own.latest.iter().flatten().any(|known| known.target == slot);
    }

    /// Asks to save the state before a signature is made.
    fn stage(&mut self, source: Option<u64>, block: Checkpoint) {
        let token = SaveToken(self.core.last_token.0.wrapping_add(1));
        self.core.last_token = token;
        self.core.pending = Some(Pending { token, source, block, is_announced: false });
    }

    /// Signs what is saved.
    fn release(&mut self, pending: &Pending) {
        let Checkpoint { slot, id } = pending.block;
        let genesis = self.core.genesis;
        let Some(source) = pending.source else {
            let statement = Statement::propose(genesis, slot, 0, id);
            let signature = self.keys.sign(&statement.to_bytes());
            self.core.proposed = Some((pending.block, signature));
            return;
        };
        let signature = [0; 64];
        let mut new = Attestation { source, target: slot, digest: id, signature };
        new.signature = self.keys.sign(&new.statement(genesis).to_bytes());
        let me = self.core.me.and_then(|me| self.slots.as_mut().get_mut(me));
        let Some(own) = me else { return };
        own.keep(new, Fate::Latest);
        own.is_due = true;
        self.count(&new);
    }

    /// Counts the stake behind the link of an attestation. A link from a checkpoint that this machine has missed justifies
    /// too: of two thirds that attest from it, honest ones hold it justified.
    fn count(&mut self, new: &Attestation) {
        let core = &mut self.core;
        core.somebody_is_behind |= new.source < core.justified.slot;
        if new.target <= core.justified.slot {
            return;
        }
        let used = self.slots.as_ref().get(..core.len).unwrap_or_default();
        let supporters = used.iter().filter(|it| it.kept().any(|kept| kept.same_vote(new)));
        let weight = supporters.fold(0_u64, |sum, attester| sum.saturating_add(attester.stake));
        if !TwoThirds::is_reached(weight, core.total) {
            return;
        }
        for attester in self.slots.as_mut() {
            let support = attester.kept().find(|kept| kept.same_vote(new)).copied();
            attester.support = support;
            attester.is_support_due = false;
        }
        let source = [core.justified, core.before].into_iter().find(|it| it.slot == new.source);
        core.before = core.justified;
        core.justified = Checkpoint { slot: new.target, id: new.digest };
        core.head = new.digest; // the head before may be on another branch
        if let Some(source) = source
            && source.slot.checked_add(1) == Some(new.target)
            && source.slot > core.finalized.slot
        {
            core.finalized = source;
        }
    }

    fn find(&self, id: &ValidatorId) -> Option<usize> {
        let used = self.slots.as_ref().get(..self.core.len)?;
        used.binary_search_by(|attester| attester.id.cmp(id)).ok()
    }
}

/// Returns the state of a machine that has signed nothing, and clears the slots.
fn prepare<P, K: Keys>(
    setup: &FfgSetup<'_, P, K>,
    slots: &mut [AttesterSlot],
) -> Result<Core, ConfigError> {
    let genesis = setup.genesis;
    let len = setup.validators.len();
    setup.config.check()?;
    slots.fill(AttesterSlot::EMPTY);
    let total = fill(slots, setup.validators)?;
    let me = slots.iter().take(len).position(|slot| slot.id == setup.keys.id());
    let start = Checkpoint { slot: 0, id: genesis };
    Ok(Core {
        now: Duration::ZERO,
        genesis,
        len,
        total,
        me,
        slot: 0,
        head: genesis,
        justified: start,
        before: start,
        finalized: start,
        guard: MinimalGuard::EMPTY,
        pending: None,
        last_token: SaveToken(0),
        wish: None,
        proposed: None,
        justified_reported: 0,
        finalized_reported: 0,
        repeated: false,
        somebody_is_behind: false,
    })
}

/// Takes two attestations that contradict each other.
#[inline(never)] // the statements do not stand on the stack for other events
fn next_evidence(genesis: &[u8; 32], slots: &mut [AttesterSlot]) -> Option<FfgEvent> {
    let attester = slots.iter_mut().find(|attester| attester.contradiction.is_some())?;
    let [one, two] = attester.contradiction.as_ref()?;
    let one = one.signed(*genesis, attester.id);
    let two = two.signed(*genesis, attester.id);
    attester.contradiction = None;
    let contradiction = Equivocation::contradiction(&one, &two).ok()?;
    Some(FfgEvent::Equivocated(Equivocation::of_verified(&one, &two, contradiction)))
}
