//! EIP-3076's complete strategy, in bounded memory.

use super::error::GuardError;
use super::minimal::MinimalGuard;

/// What one key has signed, record by record: EIP-3076's complete strategy in bounded memory. Any
/// `AsRef<[RecordSlot]> + AsMut<[RecordSlot]>` serves as storage.
///
/// It allows the same statement again, and it knows which earlier one a refused statement contradicts. When all slots
/// are in use, the record with the lowest slot or target is forgotten and becomes a minimum, so that the guard gets
/// stricter and never laxer.
///
/// ```
/// use consensus::guard::{CompleteGuard, GuardError, Permit, RecordSlot};
///
/// let mut guard = CompleteGuard::new([RecordSlot::EMPTY; 8]);
/// assert_eq!(guard.sign_attestation(2, 3, [1; 32]), Ok(Permit::New));
/// assert_eq!(guard.sign_attestation(2, 3, [1; 32]), Ok(Permit::Repeated));
/// let surrounds = GuardError::NewSurroundsPrevious { source: 2, target: 3 };
/// assert_eq!(guard.sign_attestation(1, 4, [2; 32]), Err(surrounds));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompleteGuard<S: ?Sized> {
    forgotten: MinimalGuard,
    slots: S,
}

/// Storage for one signed statement: 56 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecordSlot(Option<Record>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Record {
    kind: RecordKind,
    slot: u64, // or target
    source: u64,
    digest: [u8; 32],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RecordKind {
    Block,
    Attestation,
    /// Imported without a digest, which equals no digest.
    UnknownBlock,
    UnknownAttestation,
}

/// A statement that may be signed.
#[expect(clippy::exhaustive_enums, reason = "EIP-3076 has these two")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Permit {
    /// It is new. Store the guard before the signature leaves.
    New,
    /// The key has signed exactly this before.
    Repeated,
}

/// The blocks on record: slot and digest, if that is known. Created by [`CompleteGuard::blocks`].
#[derive(Debug, Clone)]
pub struct SignedBlocks<'a>(core::slice::Iter<'a, RecordSlot>);

/// The attestations on record: source, target and digest, if that is known. Created by
/// [`CompleteGuard::attestations`].
#[derive(Debug, Clone)]
pub struct SignedAttestations<'a>(core::slice::Iter<'a, RecordSlot>);

impl RecordSlot {
    /// A free slot.
    pub const EMPTY: Self = Self(None);
}

impl<S: AsRef<[RecordSlot]> + AsMut<[RecordSlot]>> CompleteGuard<S> {
    /// Creates the guard of a key that has signed nothing, and clears the slots.
    pub fn new(mut slots: S) -> Self {
        slots.as_mut().fill(RecordSlot::EMPTY);
        Self { forgotten: MinimalGuard::EMPTY, slots }
    }

    /// Continues with stored records. `forgotten` is what [`forgotten`](Self::forgotten) returned.
    pub const fn resume(forgotten: MinimalGuard, slots: S) -> Self {
        Self { forgotten, slots }
    }

    /// Returns the slots.
    pub fn into_storage(self) -> S {
        self.slots
    }
}

impl<S: AsRef<[RecordSlot]> + AsMut<[RecordSlot]> + ?Sized> CompleteGuard<S> {
    /// Allows a block and records it: the same block again, or a slot later than the first one on record without a
    /// block.
    ///
    /// # Errors
    ///
    /// [`GuardError`]; the guard is unchanged.
    pub fn sign_block(&mut self, slot: u64, digest: [u8; 32]) -> Result<Permit, GuardError> {
        let record = Record { kind: RecordKind::Block, slot, source: 0, digest };
        let records = self.slots.as_ref();
        if records.contains(&RecordSlot(Some(record))) {
            return Ok(Permit::Repeated);
        }
        if blocks(records).any(|block| block.slot == slot) {
            return Err(GuardError::DoubleProposal);
        }
        self.forgotten.check_slot(slot)?;
        let minimum = blocks(records).map(|block| block.slot).min().unwrap_or(0);
        if slot < minimum {
            return Err(GuardError::BelowMinimum { minimum });
        }
        self.record_new(record)
    }

    /// Allows an attestation and records it: the same again, or one that contradicts none on record and whose source
    /// and target are not below them.
    ///
    /// # Errors
    ///
    /// [`GuardError`]; the guard is unchanged. A source later than the target is reported first, then a double vote,
    /// then an earlier attestation that surrounds, then an earlier one that is surrounded: of several the one with the
    /// latest target.
    pub fn sign_attestation(
        &mut self,
        source: u64,
        target: u64,
        digest: [u8; 32],
    ) -> Result<Permit, GuardError> {
        let record = Record { kind: RecordKind::Attestation, slot: target, source, digest };
        if source > target {
            return Err(GuardError::SourceExceedsTarget { source, target });
        }
        let records = self.slots.as_ref();
        if records.contains(&RecordSlot(Some(record))) {
            return Ok(Permit::Repeated);
        }
        check_contradictions(records, source, target)?;
        self.forgotten.check_link(source, target)?;
        let lowest_source = attestations(records).map(|known| known.source).min().unwrap_or(0);
        let lowest_target = attestations(records).map(|known| known.slot).min().unwrap_or(0);
        for (number, minimum) in [(source, lowest_source), (target, lowest_target)] {
            if number < minimum {
                return Err(GuardError::BelowMinimum { minimum });
            }
        }
        self.record_new(record)
    }

    /// Records a block that the key signed elsewhere, even a slashable one: the guard never gets laxer. `None` is a
    /// block whose digest is not known: nothing equals it.
    ///
    /// # Errors
    ///
    /// [`GuardError::NoSlots`]; the guard is unchanged.
    pub fn import_block(&mut self, slot: u64, digest: Option<[u8; 32]>) -> Result<(), GuardError> {
        let kind = if digest.is_some() { RecordKind::Block } else { RecordKind::UnknownBlock };
        let digest = digest.unwrap_or_default();
        self.record(Record { kind, slot, source: 0, digest })
    }

    /// Records an attestation that the key signed elsewhere, even a slashable one: the guard never gets laxer. `None`
    /// is an attestation whose digest is not known: nothing equals it.
    ///
    /// # Errors
    ///
    /// [`GuardError::NoSlots`]; the guard is unchanged.
    pub fn import_attestation(
        &mut self,
        source: u64,
        target: u64,
        digest: Option<[u8; 32]>,
    ) -> Result<(), GuardError> {
        let is_known = digest.is_some();
        let kind = if is_known { RecordKind::Attestation } else { RecordKind::UnknownAttestation };
        self.record(Record { kind, slot: target, source, digest: digest.unwrap_or_default() })
    }

    /// Records a statement that was allowed.
    fn record_new(&mut self, record: Record) -> Result<Permit, GuardError> {
        if record.slot == u64::MAX {
            return Err(GuardError::OutOfRange);
        }
        self.record(record)?;
        Ok(Permit::New)
    }

    /// Records a statement in a free slot, or in that of the lowest one of all, which becomes a minimum.
    fn record(&mut self, record: Record) -> Result<(), GuardError> {
        let slots = self.slots.as_mut();
        if slots.contains(&RecordSlot(Some(record))) {
            return Ok(());
        }
        let lowest = |slot: &&mut RecordSlot| slot.0.map(|known| known.slot); // a free slot first
        let slot = slots.iter_mut().min_by_key(lowest).ok_or(GuardError::NoSlots)?;
        let replaced = match slot.0.replace(record) {
            Some(known) if known.slot > record.slot => slot.0.replace(known),
            replaced => replaced,
        };
        match replaced {
            Some(known) if known.is_block() => self.forgotten.import_block(known.slot),
            Some(known) => self.forgotten.import_attestation(known.source, known.slot),
            None => {}
        }
        Ok(())
    }
}

impl<S: AsRef<[RecordSlot]> + ?Sized> CompleteGuard<S> {
    /// Returns the minimum of the records that were forgotten, to store beside the slots.
    #[must_use]
    pub const fn forgotten(&self) -> &MinimalGuard {
        &self.forgotten
    }

    /// Returns the blocks on record, for an export.
    pub fn blocks(&self) -> SignedBlocks<'_> {
        SignedBlocks(self.slots.as_ref().iter())
    }

    /// Returns the attestations on record, for an export.
    pub fn attestations(&self) -> SignedAttestations<'_> {
        SignedAttestations(self.slots.as_ref().iter())
    }
}

impl Iterator for SignedBlocks<'_> {
    type Item = (u64, Option<[u8; 32]>);

    fn next(&mut self) -> Option<Self::Item> {
        let mut records = self.0.by_ref().filter_map(|slot| slot.0);
        let block = records.find(Record::is_block)?;
        Some((block.slot, block.digest()))
    }
}

impl Iterator for SignedAttestations<'_> {
    type Item = (u64, u64, Option<[u8; 32]>);

    fn next(&mut self) -> Option<Self::Item> {
        let mut records = self.0.by_ref().filter_map(|slot| slot.0);
        let attestation = records.find(|record| !record.is_block())?;
        Some((attestation.source, attestation.slot, attestation.digest()))
    }
}

impl Record {
    const fn is_block(&self) -> bool {
        matches!(self.kind, RecordKind::Block | RecordKind::UnknownBlock)
    }

    fn digest(&self) -> Option<[u8; 32]> {
        let is_known = matches!(self.kind, RecordKind::Block | RecordKind::Attestation);
        is_known.then_some(self.digest)
    }
}

fn blocks(records: &[RecordSlot]) -> impl Iterator<Item = &Record> + Clone {
    records.iter().filter_map(|slot| slot.0.as_ref()).filter(|record| record.is_block())
}

fn attestations(records: &[RecordSlot]) -> impl Iterator<Item = &Record> + Clone {
    records.iter().filter_map(|slot| slot.0.as_ref()).filter(|record| !record.is_block())
}

fn check_contradictions(
    records: &[RecordSlot],
    source: u64,
    target: u64,
) -> Result<(), GuardError> {
    let mut known = attestations(records);
    if let Some(other) = known.clone().find(|other| other.slot == target) {
        return Err(GuardError::DoubleVote { source: other.source, target });
    }
    let surrounding = known.clone().filter(|other| other.source < source && other.slot > target);
    if let Some(other) = surrounding.max_by_key(|other| other.slot) {
        return Err(GuardError::PreviousSurroundsNew { source: other.source, target: other.slot });
    }
    let surrounded = known.by_ref().filter(|other| other.source > source && other.slot < target);
    match surrounded.max_by_key(|other| other.slot) {
        Some(other) => {
            Err(GuardError::NewSurroundsPrevious { source: other.source, target: other.slot })
        }
        None => Ok(()),
    }
}
