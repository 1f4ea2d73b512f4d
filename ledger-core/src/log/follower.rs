//! A client that follows a log: it keeps the newest checkpoint, refuses to go back, and proves a split view.

use thiserror::Error;

use super::checkpoint::Checkpoint;
use super::key::VerifierKey;
use super::note::Note;
use super::policy::{OpenError, Policy, VerifiedCheckpoint};
use crate::hash::Hash;
use crate::merkle::{ProofError, TreeHead};

/// Keeps the newest checkpoint of one log in caller-provided bytes.
///
/// Save [`note`](Self::note) after each [`Update::Advanced`], before anything is decided by the new tree: a
/// client that forgets its checkpoint can be shown an older tree.
///
/// ```
/// use ledger_core::{MerkleTree, log::{Checkpoint, Follower, KeyKind, Policy, SignerKey, Update}};
///
/// let log = SignerKey::from_seed("example.com/log", KeyKind::Note, &[1; 32]).expect("a valid name");
/// let mut tree = MerkleTree::new();
/// tree.push(MerkleTree::leaf(b"firmware 1.0"));
/// let mut note = [0; 256];
/// let checkpoint = Checkpoint { origin: "example.com/log", head: tree.head(), extension: "" };
/// let len = checkpoint.sign(&log, &mut note).expect("256 bytes are enough");
///
/// let mut follower = Follower::new(Policy::log_only(log.verifier()), [0; 512]);
/// assert_eq!(follower.update(&note[..len], None), Ok(Update::Advanced));
/// assert_eq!(follower.head().size, 1);
/// ```
#[derive(Debug, Clone)]
pub struct Follower<'k, S> {
    policy: Policy<'k>,
    head: TreeHead,
    len: usize, // of the note in storage
    storage: S,
}

/// What a checkpoint changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Update {
    /// It names a larger tree, which the follower has now.
    Advanced,
    /// It names the tree that the follower has.
    Unchanged,
}

/// A checkpoint is refused; the follower has what it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum FollowError {
    /// The checkpoint does not count.
    #[error("{0}")]
    Open(OpenError),
    /// The tree is smaller than the one before. An old checkpoint may just be late.
    #[error("rollback from {held} to {offered} entries")]
    Rollback {
        /// The size that the follower has.
        held: u64,
        /// The size that was offered.
        offered: u64,
    },
    /// Two trees of one size. [`Follower::split_view`] gives the evidence.
    #[error("split view: two trees of {size} entries")]
    SplitView {
        /// The size of both.
        size: u64,
    },
    /// The tree does not continue the one before, or the proof is of another pair of trees.
    #[error("the tree does not continue the one before: {0}")]
    Inconsistent(ProofError),
    /// The storage is too small for the note.
    #[error("storage too small: {needed} bytes needed")]
    TooLong {
        /// The length of the note in bytes.
        needed: usize,
    },
}

/// Two notes that a log signed and that contradict each other: evidence for anybody who has the log's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "two notes are the evidence")]
pub struct SplitView<'n> {
    /// One signed note.
    pub first: &'n [u8],
    /// The other one.
    pub second: &'n [u8],
}

/// Two notes are no evidence of a split view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum EvidenceError {
    /// One of the notes was not signed by the log.
    #[error("{0}")]
    Open(OpenError),
    /// The notes name trees of different sizes, or the same tree.
    #[error("the notes do not contradict each other")]
    NoContradiction,
}

impl<'k, S: AsRef<[u8]> + AsMut<[u8]>> Follower<'k, S> {
    /// Begins with the empty tree: the first checkpoint is trusted as its signatures say. `storage` holds one
    /// note; 512 bytes hold a checkpoint with three cosignatures.
    #[must_use]
    pub fn new(policy: Policy<'k>, mut storage: S) -> Self {
        storage.as_mut().fill(0);
        Self { policy, head: TreeHead::EMPTY, len: 0, storage }
    }

    /// Continues from a note that was saved.
    ///
    /// # Errors
    ///
    /// [`FollowError::Open`] or [`FollowError::TooLong`].
    pub fn resume(policy: Policy<'k>, storage: S, note: &[u8]) -> Result<Self, FollowError> {
        let mut follower = Self::new(policy, storage);
        follower.update(note, None)?;
        Ok(follower)
    }

    /// Checks a checkpoint and, if its tree is larger, keeps it. `consistency` proves that the tree continues
    /// the one before; with `None` the witnesses vouch for that, as they do by cosigning.
    ///
    /// # Errors
    ///
    /// [`FollowError`]; nothing changed.
    pub fn update(
        &mut self,
        note: &[u8],
        consistency: Option<&[Hash]>,
    ) -> Result<Update, FollowError> {
        let opened = self.policy.open(note);
        let checkpoint = opened.as_ref().map_err(|error| FollowError::Open(*error))?;
        let offered = &checkpoint.checkpoint().head;
        if offered.size < self.head.size {
            return Err(FollowError::Rollback { held: self.head.size, offered: offered.size });
        }
        if offered.size == self.head.size && *offered != self.head {
            return Err(FollowError::SplitView { size: offered.size });
        }
        if let Some(path) = consistency {
            checkpoint.verify_consistency(self.head, path).map_err(FollowError::Inconsistent)?;
        }
        if *offered == self.head && self.len > 0 {
            return Ok(Update::Unchanged);
        }
        let needed = note.len();
        let place = self.storage.as_mut().get_mut(..needed);
        place.ok_or(FollowError::TooLong { needed })?.copy_from_slice(note);
        self.len = needed;
        self.head = *offered;
        Ok(Update::Advanced)
    }

    /// Returns the evidence after [`FollowError::SplitView`] for this note.
    #[must_use]
    pub fn split_view<'n>(&'n self, note: &'n [u8]) -> SplitView<'n> {
        SplitView { first: self.note(), second: note }
    }

    /// Returns the checkpoint, verified again; `None` before the first one.
    #[must_use]
    pub fn checkpoint(&self) -> Option<VerifiedCheckpoint<'_>> {
        self.policy.open(self.note()).ok()
    }

    /// Returns the newest tree.
    #[must_use]
    pub const fn head(&self) -> TreeHead {
        self.head
    }

    /// Returns the newest signed note, to be saved; empty before the first one.
    #[must_use]
    pub fn note(&self) -> &[u8] {
        self.storage.as_ref().get(..self.len).unwrap_or_default()
    }

    /// Returns the storage.
    #[must_use]
    pub fn into_storage(self) -> S {
        self.storage
    }
}

impl SplitView<'_> {
    /// Checks the evidence with the log's key alone, and returns the size of both trees.
    ///
    /// # Errors
    ///
    /// [`EvidenceError`] if the log can have been honest.
    pub fn verify(&self, log: VerifierKey<'_>) -> Result<u64, EvidenceError> {
        let policy = Policy::log_only(log);
        let first = policy.open(self.first).map_err(EvidenceError::Open)?.head();
        let second = policy.open(self.second).map_err(EvidenceError::Open)?.head();
        if first.size == second.size && first.root != second.root {
            Ok(first.size)
        } else {
            Err(EvidenceError::NoContradiction)
        }
    }
}

/// Returns the claim of a note without checking any signature: for a log's operator and for error messages.
///
/// # Errors
///
/// [`OpenError::Note`] or [`OpenError::Checkpoint`].
pub fn read_unverified(note: &[u8]) -> Result<Checkpoint<'_>, OpenError> {
    let note = Note::parse(note).map_err(OpenError::Note)?;
    Checkpoint::parse(note.text()).map_err(OpenError::Checkpoint)
}
