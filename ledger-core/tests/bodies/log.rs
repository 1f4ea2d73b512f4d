//! Bodies of the transparency log: its texts, its followers, its issuing side.

use std::collections::BTreeMap;

use ledger_core::log::{
    AddCheckpoint, Checkpoint, Entries, Follower, Issuer, KeyKind, LevelSlot, Note, Policy,
    ProofFile, ReadTile, SignerKey, Tile, Update, VerifierKey, prove_consistency_from,
    prove_inclusion_from, read_unverified, write_entry, write_proof_file,
};
use ledger_core::{Hash, MerkleTree};
use sim::laws::Input;

const LOG: &str = "example.com/ledger+3481d542+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";
const WITNESSES: [&str; 3] = [
    "witness.example/w1+df1c0a35+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU",
    "witness.example/w2+bfff2874+BO1JKMYo0cLG6ukDOJBZlWEpWSc6XGP5NjbBRhSshzfR",
    "witness.example/w3+82b2b688+BMqTrBcFGHBx1nuDx/8O/oEI6OxFMFdddyaHkzPb2r58",
];

fn verifier(text: &'static str) -> VerifierKey<'static> {
    VerifierKey::parse(text).expect("a key")
}

/// There is one spelling for every text of the log.
pub fn texts(bytes: &[u8]) {
    if let Ok(note) = Note::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes);
    }
    if let Ok(proof) = ProofFile::parse(bytes)
        && proof.extra().is_none()
    {
        let end = bytes.windows(2).position(|two| two == b"\n\n").expect("an empty line");
        let mut out = vec![0; bytes.len()];
        let note = &bytes[end + 2..];
        let len = write_proof_file(proof.index(), proof.path(), note, &mut out);
        assert_eq!(len, Ok(bytes.len()));
        assert_eq!(out, bytes);
    }
    if let Ok(request) = AddCheckpoint::parse(bytes) {
        let _ = request.origin();
    }
    let mut copied = Vec::new();
    for entry in Entries::new(bytes).map_while(Result::ok) {
        let mut out = vec![0; entry.len() + 2];
        let len = write_entry(entry, &mut out).expect("its length was read from 16 bits");
        assert_eq!(len, Ok(out.len()));
        copied.extend(out);
    }
    assert!(bytes.starts_with(&copied));
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.to_string(), text);
    }
    if let Ok(key) = VerifierKey::parse(text) {
        assert_eq!(key.to_string(), text);
    }
}

/// A follower accepts only what the log and two witnesses signed, and an error leaves it as it was. The parts of
/// the input are separated by zero bytes.
pub fn follow(bytes: &[u8]) {
    let keys = WITNESSES.map(verifier);
    let policy = Policy::new(verifier(LOG), &keys, 2).expect("two of three");
    let mut follower = Follower::new(policy, [0; 1024]);
    for note in bytes.split(|byte| *byte == 0).take(8) {
        let before = follower.head();
        let saved = follower.note().to_vec();
        let Ok(update) = follower.update(note, None) else {
            assert_eq!(follower.head(), before);
            assert_eq!(follower.note(), saved);
            continue;
        };
        let claim = read_unverified(note).expect("it was accepted");
        assert_eq!(claim.head, follower.head());
        assert!(policy.open(note).expect("it was accepted").cosignatures() >= 2);
        assert_eq!(update == Update::Unchanged, before == claim.head && !saved.is_empty());
    }
    if let Ok(proof) = ProofFile::parse(bytes) {
        let _ = proof.verify(&policy, &MerkleTree::leaf(b"entry"));
    }
}

/// The tiles that were saved.
struct Saved(BTreeMap<(u8, u64), Vec<Hash>>);

impl ReadTile for Saved {
    type Error = ();

    fn read(&mut self, tile: Tile, hashes: &mut [Hash]) -> Result<(), ()> {
        let saved = self.0.get(&(tile.level, tile.index)).ok_or(())?;
        hashes.copy_from_slice(saved.get(..hashes.len()).ok_or(())?);
        Ok(())
    }
}

impl Saved {
    fn save(&mut self, log: &mut Issuer<Vec<LevelSlot>>) {
        let mut buf = [0; 8192];
        while let Some((tile, len)) = log.poll_write(&mut buf).expect("8,192 bytes are enough") {
            let hashes = buf[..len]
                .chunks_exact(32)
                .map(|bytes| Hash::from_bytes(bytes.try_into().expect("32 bytes")));
            self.0.insert((tile.level, tile.index), hashes.collect());
            log.handle_saved(tile);
        }
    }
}

/// Whatever is appended, sealed, saved and resumed in any order: the head is that of the leaves, and the tiles
/// give proofs of every leaf and of every earlier tree.
pub fn issue(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut log = Issuer::new(vec![LevelSlot::EMPTY; 2]);
    let mut saved = Saved(BTreeMap::new());
    let mut leaves = Vec::new();
    for _ in 0..40 {
        if input.is_empty() {
            break;
        }
        match input.below(5) {
            0 => log.seal(),
            1 => saved.save(&mut log),
            2 => resume(&mut log, &mut saved),
            _ => append(&mut log, &mut leaves, input.below(100)),
        }
        assert_eq!(log.head().size, leaves.len() as u64);
        assert_eq!(log.head().root, MerkleTree::root_of(&leaves));
    }
    log.seal();
    saved.save(&mut log);
    let key = SignerKey::from_seed("example.com/log", KeyKind::Note, &[1; 32]).expect("a key");
    let mut note = [0; 256];
    let len = log.checkpoint(&key, &mut note).expect("all tiles are saved");
    let policy = Policy::log_only(key.verifier());
    let checkpoint = policy.open(&note[..len]).expect("it was signed");
    assert_eq!(checkpoint.head(), log.head());
    let size = log.head().size;
    let mut out = [Hash::ZERO; 65];
    for index in [0, size / 3, size / 2, size.saturating_sub(1)] {
        let Ok(proof) = prove_inclusion_from(&mut saved, size, index, &mut out) else {
            assert_eq!(size, 0);
            continue;
        };
        let leaf = leaves[index as usize];
        assert_eq!(checkpoint.verify_inclusion(index, &leaf, proof.path), Ok(()));
        let path = prove_consistency_from(&mut saved, index + 1, size, &mut out).expect("saved");
        let mut earlier = MerkleTree::new();
        leaves[..=index as usize].iter().for_each(|leaf| earlier.push(*leaf));
        assert_eq!(checkpoint.verify_consistency(earlier.head(), path), Ok(()));
    }
}

/// Appends until a full tile has to be saved first.
fn append(log: &mut Issuer<Vec<LevelSlot>>, leaves: &mut Vec<Hash>, count: usize) {
    for _ in 0..count {
        let leaf = MerkleTree::leaf(&leaves.len().to_le_bytes());
        let Ok(index) = log.append(leaf) else { return };
        assert_eq!(index, leaves.len() as u64);
        leaves.push(leaf);
    }
}

/// Stops and starts again with what was saved, if that is all.
fn resume(log: &mut Issuer<Vec<LevelSlot>>, saved: &mut Saved) {
    let levels = vec![LevelSlot::EMPTY; 2];
    let Ok(resumed) = Issuer::resume(levels, log.head().size, saved) else { return };
    if resumed.head() == log.head() {
        *log = resumed;
    }
}
