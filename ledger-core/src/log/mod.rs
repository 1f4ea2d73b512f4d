//! Transparency logs in the formats of C2SP, usable without any chain: signed notes, checkpoints, cosignatures by
//! witnesses, tiles, proof files. For firmware and certificate transparency, audit logs and bulletin boards.
//!
//! | to | use |
//! |---|---|
//! | check a checkpoint of a log and k of n witnesses | [`Policy::open`] |
//! | check that an entry is in the log | [`VerifiedCheckpoint::verify_inclusion`], [`ProofFile::verify`] |
//! | follow a log, and prove that it shows two trees | [`Follower`], [`SplitView`] |
//! | issue a log | [`Issuer`], [`write_entry`] |
//! | make proofs from tiles | [`prove_inclusion_from`], [`prove_consistency_from`] |
//! | be a witness | [`AddCheckpoint`], [`Cosignature`] |
//!
//! A tree head comes only out of a verified checkpoint; proofs carry neither size nor root, so that a proof for
//! another tree cannot be checked by mistake.
//!
//! Sources: C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-tiles, tlog-witness and tlog-proof; RFC 6962
//! section 2.1, RFC 9162 sections 2.1.3 and 2.1.4. Signatures are checked by the strict rule, `verify_strict`.

mod checkpoint;
mod entries;
mod error;
mod follower;
mod issuer;
mod key;
mod note;
mod policy;
mod proof;
mod text;
mod tile;
mod witness;

pub use checkpoint::Checkpoint;
pub use entries::{Entries, MAX_ENTRY_LEN, TruncatedEntry, write_entry};
pub use error::{CheckpointError, IssueError};
pub use follower::{EvidenceError, FollowError, Follower, SplitView, Update, read_unverified};
pub use issuer::{Issuer, LevelSlot};
pub use key::{KeyError, KeyId, KeyKind, SignerKey, VerifierKey};
pub use note::{
    MAX_SIGNATURES, MAX_TEXT_LEN, Note, NoteError, Payload, SignatureLine, SignatureLines,
};
pub use policy::{MAX_WITNESSES, OpenError, Policy, PolicyError, VerifiedCheckpoint};
pub use proof::{ProofFile, ProofFileError, write_proof_file};
pub use tile::{
    EntryBundle, ReadTile, TILE_LEVELS, TILE_WIDTH, Tile, TileError, Tiles, prove_consistency_from,
    prove_inclusion_from,
};
pub use witness::{AddCheckpoint, Cosignature, MAX_PROOF_LINES, WitnessError};
