//! Whose signatures make a checkpoint count: the log's, and those of k of n witnesses.

use thiserror::Error;

use super::checkpoint::Checkpoint;
use super::error::CheckpointError;
use super::key::{KeyKind, VerifierKey};
use super::note::{Note, NoteError, SignatureLine};
use crate::hash::Hash;
use crate::merkle::{Consistency, Inclusion, ProofError, TreeHead};

/// The most witnesses that a policy can name.
pub const MAX_WITNESSES: usize = 32;

/// The times of cosignatures end here (tlog-cosignature).
const MAX_TIME: u64 = u64::MAX >> 1;

/// The keys that a client trusts, and how many witnesses must agree.
///
/// With `f` dishonest witnesses two contradicting checkpoints can both have a quorum unless
/// `2 * quorum - witnesses > f`.
///
/// ```
/// use ledger_core::log::{KeyKind, Policy, SignerKey};
///
/// let log = SignerKey::from_seed("example.com/log", KeyKind::Note, &[1; 32])?;
/// let witness = |name, seed| {
///     SignerKey::from_seed(name, KeyKind::Cosigner, &[seed; 32]).map(|key| key.verifier())
/// };
/// let witnesses = [witness("w1", 2)?, witness("w2", 3)?, witness("w3", 4)?];
/// assert!(Policy::new(log.verifier(), &witnesses, 2).is_ok());
/// assert!(Policy::new(log.verifier(), &witnesses, 4).is_err());
/// # Ok::<(), ledger_core::log::KeyError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Policy<'k> {
    log: VerifierKey<'k>,
    witnesses: &'k [VerifierKey<'k>],
    quorum: usize,
}

/// A checkpoint that the log and a quorum of witnesses signed. There is no other way to one than
/// [`Policy::open`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifiedCheckpoint<'n> {
    note: Note<'n>,
    checkpoint: Checkpoint<'n>,
    cosigned: u32, // one bit per witness
    time: u64,
}

/// A policy that cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PolicyError {
    /// A quorum of none of some witnesses, or of more than there are.
    #[error("a quorum of {quorum} among {witnesses} witnesses")]
    Quorum {
        /// How many must agree.
        quorum: usize,
        /// How many there are.
        witnesses: usize,
    },
    /// More than [`MAX_WITNESSES`] witnesses.
    #[error("{0} witnesses; at most {MAX_WITNESSES} are supported")]
    TooManyWitnesses(usize),
    /// A witness has the key of another one, or of the log.
    #[error("witness {0} has a key that is named before")]
    SameKey(usize),
    /// The key of a witness is not a cosigner's.
    #[error("the key of witness {0} is not a cosigner key")]
    NotCosigner(usize),
}

/// A checkpoint does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum OpenError {
    /// The bytes are not a signed note.
    #[error("not a signed note: {0}")]
    Note(NoteError),
    /// Its text is not a checkpoint.
    #[error("not a checkpoint: {0}")]
    Checkpoint(CheckpointError),
    /// The checkpoint is of another log.
    #[error("the checkpoint is of another log")]
    WrongOrigin,
    /// The log did not sign it.
    #[error("the log's signature is missing")]
    NoLogSignature,
    /// The signature of a known key is wrong. Line 0 is the first signature.
    #[error("signature {0} is wrong")]
    BadSignature(usize),
    /// Too few witnesses signed it.
    #[error("{found} of {needed} witnesses signed")]
    Quorum {
        /// How many must sign.
        needed: usize,
        /// How many did.
        found: usize,
    },
}

impl<'k> Policy<'k> {
    /// Asks for the log's signature and those of `quorum` of the witnesses.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] if this can never hold, or is weaker than it looks.
    pub fn new(
        log: VerifierKey<'k>,
        witnesses: &'k [VerifierKey<'k>],
        quorum: usize,
    ) -> Result<Self, PolicyError> {
        let count = witnesses.len();
        if count > MAX_WITNESSES {
            return Err(PolicyError::TooManyWitnesses(count));
        }
        if quorum > count || (quorum == 0 && count > 0) {
            return Err(PolicyError::Quorum { quorum, witnesses: count });
        }
        for (index, witness) in witnesses.iter().enumerate() {
            if witness.kind() != KeyKind::Cosigner {
                return Err(PolicyError::NotCosigner(index));
            }
            let mut before = witnesses.iter().take(index);
            let is_same = |other: &VerifierKey<'_>| other.as_bytes() == witness.as_bytes();
            if before.any(is_same) || is_same(&log) {
                return Err(PolicyError::SameKey(index));
            }
        }
        Ok(Self { log, witnesses, quorum })
    }

    /// Asks for the log's signature alone. Such a log can show different trees to different clients.
    #[must_use]
    pub const fn log_only(log: VerifierKey<'k>) -> Self {
        Self { log, witnesses: &[], quorum: 0 }
    }

    /// Returns the log's key. Its name is the origin of the checkpoints.
    #[must_use]
    pub const fn log(&self) -> VerifierKey<'k> {
        self.log
    }

    /// Checks a checkpoint with its signatures. Signatures of unknown keys are ignored; a wrong one of a known
    /// key refuses the checkpoint. A key counts once, whatever the number of its lines.
    ///
    /// # Errors
    ///
    /// [`OpenError`]. No signature is checked before the form and the origin are right.
    pub fn open<'n>(&self, note: &'n [u8]) -> Result<VerifiedCheckpoint<'n>, OpenError> {
        let note = Note::parse(note).map_err(OpenError::Note)?;
        let parsed = Checkpoint::parse(note.text());
        let checkpoint = parsed.as_ref().map_err(|error| OpenError::Checkpoint(*error))?;
        if checkpoint.origin != self.log.name() {
            return Err(OpenError::WrongOrigin);
        }
        self.check_log(&note)?;
        let cosigned = self.check_witnesses(&note)?;
        let found = usize::try_from(cosigned.count_ones()).unwrap_or(0);
        if found < self.quorum {
            return Err(OpenError::Quorum { needed: self.quorum, found });
        }
        let time = self.time_of(&note, cosigned);
        Ok(VerifiedCheckpoint { note, checkpoint: *checkpoint, cosigned, time })
    }

    /// Checks the signatures of witnesses, and returns one bit for each that cosigned.
    #[inline(never)] // its line does not stand on the stack beside that of the log
    fn check_witnesses(&self, note: &Note<'_>) -> Result<u32, OpenError> {
        let mut cosigned = 0_u32;
        for (number, line) in note.signatures().enumerate() {
            let Some((bit, key)) = self.witness_of(&line).filter(|(bit, _)| cosigned & bit == 0)
            else {
                continue;
            };
            let time = line.verify(key, note.text()).ok_or(OpenError::BadSignature(number))?;
            if time <= MAX_TIME {
                cosigned |= bit;
            }
        }
        Ok(cosigned)
    }

    /// Returns the bit and the key of the witness that a line claims to be of.
    fn witness_of(&self, line: &SignatureLine<'_>) -> Option<(u32, &VerifierKey<'k>)> {
        let mut bits = (0..32).map(|shift| 1_u32 << shift).zip(self.witnesses);
        bits.find(|(_, key)| line.is_by(key))
    }

    /// Returns a time that a quorum of the witnesses that cosigned confirms.
    #[inline(never)] // the times do not stand on the stack while signatures are checked
    fn time_of(&self, note: &Note<'_>, cosigned: u32) -> u64 {
        let mut times = [0; MAX_WITNESSES];
        let mut found = 0_usize;
        let mut left = cosigned;
        for line in note.signatures() {
            let Some((bit, _)) = self.witness_of(&line).filter(|(bit, _)| left & bit != 0) else {
                continue;
            };
            let Some(time) = line.time().filter(|time| *time <= MAX_TIME) else { continue };
            left &= !bit;
            if let Some(place) = times.get_mut(found) {
                *place = time;
            }
            found = found.saturating_add(1);
        }
        nth_largest(times.get(..found).unwrap_or_default(), self.quorum)
    }

    #[inline(never)] // its line does not stand on the stack beside those of the witnesses
    fn check_log(&self, note: &Note<'_>) -> Result<(), OpenError> {
        for (number, line) in note.signatures().enumerate() {
            if line.is_by(&self.log) {
                let time = line.verify(&self.log, note.text());
                return time.map(|_| ()).ok_or(OpenError::BadSignature(number));
            }
        }
        Err(OpenError::NoLogSignature)
    }
}

impl<'n> VerifiedCheckpoint<'n> {
    /// Returns the tree that the checkpoint names.
    #[must_use]
    pub const fn head(&self) -> TreeHead {
        self.checkpoint.head
    }

    /// Returns the claim with all of its lines.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint<'n> {
        &self.checkpoint
    }

    /// Returns the signed note.
    #[must_use]
    pub const fn note(&self) -> Note<'n> {
        self.note
    }

    /// Returns whether the witness at this position of the policy cosigned.
    #[must_use]
    pub fn is_cosigned_by(&self, witness: usize) -> bool {
        let bit = u32::try_from(witness).ok().and_then(|shift| 1_u32.checked_shl(shift));
        bit.is_some_and(|bit| self.cosigned & bit != 0)
    }

    /// Returns how many witnesses cosigned.
    #[must_use]
    pub const fn cosignatures(&self) -> u32 {
        self.cosigned.count_ones()
    }

    /// Returns a time in Unix seconds that a quorum of witnesses confirms: at least `quorum` of them signed then
    /// or later. 0 without witnesses. How old it may be is for the application to decide.
    #[must_use]
    pub const fn time(&self) -> u64 {
        self.time
    }

    /// Checks that the leaf with this hash stands at `index` of the tree.
    ///
    /// # Errors
    ///
    /// [`ProofError`] if it is not proved.
    pub fn verify_inclusion(
        &self,
        index: u64,
        leaf: &Hash,
        path: &[Hash],
    ) -> Result<(), ProofError> {
        Inclusion { index, path }.verify(&self.head(), leaf)
    }

    /// Checks that the tree continues an earlier one. Every tree continues the empty one, without a proof.
    ///
    /// # Errors
    ///
    /// [`ProofError`] if it is not proved.
    pub fn verify_consistency(&self, earlier: TreeHead, path: &[Hash]) -> Result<(), ProofError> {
        if earlier == TreeHead::EMPTY {
            let found = path.len();
            let wrong = ProofError::WrongLength { expected: 0, found };
            return if path.is_empty() { Ok(()) } else { Err(wrong) };
        }
        Consistency { path }.verify(&earlier, &self.head())
    }
}

/// Returns the `n`-th largest number, counted from 1, or 0 if there is none.
fn nth_largest(numbers: &[u64], n: usize) -> u64 {
    let at_least = |limit: &&u64| numbers.iter().filter(|number| number >= limit).count() >= n;
    numbers.iter().filter(at_least).max().copied().unwrap_or(0)
}
