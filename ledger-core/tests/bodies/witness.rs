//! A witness and a follower of a log beside the lists of leaves, with a log that shows two trees.

use ledger_core::log::{
    AddCheckpoint, Checkpoint, FollowError, Follower, KeyKind, Policy, SignerKey, Update,
    WitnessError, write_proof_file,
};
use ledger_core::{Hash, MerkleTree, TreeHead, prove_consistency};
use sim::laws::Input;

const ORIGIN: &str = "example.com/log";
const MOST_LEAVES: usize = 24;

/// Two lists of leaves with a common beginning.
struct Forked([Vec<Hash>; 2]);

/// A tree that the log shows, with the leaves that it covers.
struct Shown<'a> {
    leaves: &'a [Hash],
    note: Vec<u8>,
}

impl Forked {
    fn new(fork: usize) -> Self {
        Self([0, 1].map(|branch| {
            let leaf = |n| MerkleTree::leaf(&[n as u8, if n < fork { 0 } else { branch }]);
            (0..MOST_LEAVES).map(leaf).collect()
        }))
    }

    fn show(&self, input: &mut Input<'_>, log: &SignerKey<'_>) -> Shown<'_> {
        let leaves = &self.0[input.below(2)][..input.below(MOST_LEAVES + 1)];
        let checkpoint = Checkpoint { origin: ORIGIN, head: head(leaves), extension: "" };
        let mut note = vec![0; 400];
        let len = checkpoint.sign(log, &mut note).expect("room");
        note.truncate(len);
        Shown { leaves, note }
    }
}

fn head(leaves: &[Hash]) -> TreeHead {
    TreeHead { size: leaves.len() as u64, root: MerkleTree::root_of(leaves) }
}

/// Returns a proof from the first `first` of the leaves, of which a hash may be changed.
fn any_proof(input: &mut Input<'_>, leaves: &[Hash], first: usize) -> Vec<Hash> {
    let mut out = [Hash::ZERO; 65];
    let proof = prove_consistency(leaves, first, &mut out).map(|proof| proof.path.to_vec());
    let mut path = proof.unwrap_or_default();
    match input.below(6) {
        0 => path.push(Hash::from_bytes(input.array())),
        1 => drop(path.pop()),
        2 => path.iter_mut().take(1).for_each(|hash| *hash = Hash::from_bytes(input.array())),
        _ => {}
    }
    path
}

/// Returns the request to a witness, in the text of C2SP.
fn request(old: u64, path: &[Hash], note: &[u8]) -> Vec<u8> {
    let mut file = vec![0; 5000];
    let len = write_proof_file(0, path, note, &mut file).expect("room");
    let mut lines = file[..len].splitn(3, |byte| *byte == b'\n');
    let rest = lines.nth(2).expect("two lines and the proof");
    [format!("old {old}\n").as_bytes(), rest].concat()
}

/// A witness cosigns only what continues the tree that it cosigned last, and a follower never has a tree that does not
/// continue its last one.
pub fn witness(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let log = SignerKey::from_seed(ORIGIN, KeyKind::Note, &[1; 32]).expect("a key");
    let signer = SignerKey::from_seed("example.com/w", KeyKind::Cosigner, &[2; 32]).expect("a key");
    let witnesses = [signer.verifier()];
    let policy = Policy::new(log.verifier(), &witnesses, 1).expect("one of one");
    let mut follower = Follower::new(policy, [0; 500]);
    let lists = Forked::new(input.below(MOST_LEAVES));
    let mut cosigned: &[Hash] = &[];
    let mut followed: &[Hash] = &[];
    for _ in 0..8 {
        if input.is_empty() {
            break;
        }
        let shown = lists.show(&mut input, &log);
        let old = if input.below(4) == 0 { input.below(30) } else { cosigned.len() };
        let path = any_proof(&mut input, shown.leaves, cosigned.len());
        let body = request(old as u64, &path, &shown.note);
        let request = AddCheckpoint::parse(&body).expect("well-formed");
        assert_eq!(request.origin(), Ok(ORIGIN));
        let checked = request.check(log.verifier(), head(cosigned));
        let line = match checked {
            Ok(cosignature) => {
                assert_eq!(old, cosigned.len());
                assert!(shown.leaves.starts_with(cosigned), "it was proved");
                cosigned = shown.leaves;
                assert_eq!(cosignature.head(), head(cosigned));
                let mut line = vec![0; 300];
                let len = cosignature.sign(&signer, 7, &mut line).expect("room");
                line.truncate(len);
                line
            }
            Err(error) => {
                check_refusal(error, old, &shown, cosigned, &path);
                Vec::new()
            }
        };
        let note = [&shown.note[..], &line].concat();
        let path = any_proof(&mut input, shown.leaves, followed.len());
        let proof = (input.below(2) == 0).then_some(&path[..]);
        let before = follower.head();
        match follower.update(&note, proof) {
            Ok(update) => {
                assert!(!line.is_empty(), "only what is cosigned counts");
                assert!(shown.leaves.starts_with(followed));
                let is_new = shown.leaves.len() > followed.len() || follower.note() == note;
                assert!(update == Update::Unchanged || is_new);
                followed = shown.leaves;
            }
            Err(FollowError::Open(_)) => assert!(line.is_empty()),
            Err(FollowError::Inconsistent(_)) => assert!(proof.is_some()),
            Err(error) => panic!("{error}, but the witness is honest"),
        }
        assert_eq!(follower.head(), head(followed));
        assert!(before.size <= follower.head().size);
    }
}

/// A request is refused for a reason, and the right one.
fn check_refusal(
    error: WitnessError,
    old: usize,
    shown: &Shown<'_>,
    cosigned: &[Hash],
    path: &[Hash],
) {
    match error {
        WitnessError::OldSize { .. } => assert!(old > shown.leaves.len()),
        WitnessError::Conflict { .. } => assert_ne!(old, cosigned.len()),
        WitnessError::Inconsistent(_) => {
            let mut out = [Hash::ZERO; 65];
            let good = prove_consistency(shown.leaves, cosigned.len(), &mut out);
            let right: &[Hash] = good.as_ref().map_or(&[], |proof| proof.path);
            assert!(!shown.leaves.starts_with(cosigned) || path != right);
        }
        error => panic!("{error} for a signed request"),
    }
}
