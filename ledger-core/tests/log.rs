//! The transparency log: notes of others, a tree of others, and a log issued here and read back.
//!
//! `data/c2sp` and `data/made.tlog-proof` were made from the C2SP texts and opened with `golang.org/x/mod/sumdb`;
//! seeds: log 01, witnesses 02, 03, 04, each 32 times.

use ledger_core::log::{
    AddCheckpoint, Checkpoint, CheckpointError, EvidenceError, FollowError, Follower, KeyError,
    KeyKind, LevelSlot, NoteError, OpenError, Policy, PolicyError, ProofFile, ProofFileError,
    SignerKey, SplitView, Update, VerifierKey, WitnessError, write_proof_file,
};
use ledger_core::{Hash, MerkleTree, ProofError, TreeHead};

const LOG: &str = "example.com/ledger+3481d542+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";
const WITNESSES: [&str; 3] = [
    "witness.example/w1+df1c0a35+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU",
    "witness.example/w2+bfff2874+BO1JKMYo0cLG6ukDOJBZlWEpWSc6XGP5NjbBRhSshzfR",
    "witness.example/w3+82b2b688+BMqTrBcFGHBx1nuDx/8O/oEI6OxFMFdddyaHkzPb2r58",
];

fn log_key() -> VerifierKey<'static> {
    VerifierKey::parse(LOG).expect("a key")
}

fn witness_keys() -> [VerifierKey<'static>; 3] {
    WITNESSES.map(|key| VerifierKey::parse(key).expect("a key"))
}

fn signer(name: &'static str, kind: KeyKind, seed: u8) -> SignerKey<'static> {
    SignerKey::from_seed(name, kind, &[seed; 32]).expect("a valid name")
}

/// The tree of the reference leaves of Certificate Transparency.
fn leaves(count: usize) -> Vec<Hash> {
    let inputs: [&[u8]; 8] = [
        &[],
        &[0x00],
        &[0x10],
        &[0x20, 0x21],
        &[0x30, 0x31],
        &[0x40, 0x41, 0x42, 0x43],
        &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    inputs.iter().take(count).map(|input| MerkleTree::leaf(input)).collect()
}

fn head(count: usize) -> TreeHead {
    TreeHead { size: count as u64, root: MerkleTree::root_of(&leaves(count)) }
}

fn signed(size: u64, root: Hash) -> Vec<u8> {
    let key = signer("example.com/ledger", KeyKind::Note, 1);
    let checkpoint =
        Checkpoint { origin: "example.com/ledger", head: TreeHead { size, root }, extension: "" };
    let mut note = vec![0; 512];
    let len = checkpoint.sign(&key, &mut note).expect("512 bytes are enough");
    note.truncate(len);
    note
}

macro_rules! notes {
    ($($number:literal),*) => {
        [$(include_str!(concat!("data/c2sp/note-", $number, ".txt"))),*]
    };
}

const NOTES: [&str; 12] =
    notes!("00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11");

#[test]
fn the_key_id_comes_from_name_kind_and_key() {
    let log = signer("example.com/ledger", KeyKind::Note, 1);
    assert_eq!(log.verifier().to_string(), LOG);
    for (seed, text) in (2..).zip(WITNESSES) {
        let name = ["witness.example/w1", "witness.example/w2", "witness.example/w3"];
        let key = signer(name[usize::from(seed) - 2], KeyKind::Cosigner, seed);
        assert_eq!(key.verifier().to_string(), text);
    }
    // The same key as a plain note key has another id.
    let plain = signer("witness.example/w1", KeyKind::Note, 2);
    assert_eq!(plain.verifier().id().to_string(), "9e225179");
    assert_eq!(format!("{:.4}", plain.verifier().id()), "9e22");
}

#[test]
fn each_part_of_a_verifier_key_is_checked() {
    let refused = [
        ("example.com/ledger", KeyError::Parts),
        ("example.com/ledger+3481d542", KeyError::Parts),
        ("+3481d542+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c", KeyError::Name),
        ("a b+3481d542+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c", KeyError::Name),
        ("example.com/ledger+3481d543+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c", KeyError::Id),
        ("example.com/ledger+3481D542+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c", KeyError::Id),
        ("example.com/ledger+03481d542+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c", KeyError::Id),
        ("example.com/ledger+3481d542+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29", KeyError::Key),
        ("example.com/ledger+3481d542+BYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c", KeyError::Key),
        (
            "example.com/ledger+3481d542+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c\n",
            KeyError::Key,
        ),
        (
            "example.com/ledger+3481d542+AQEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            KeyError::Weak,
        ),
    ];
    for (text, error) in refused {
        assert_eq!(VerifierKey::parse(text), Err(error), "{text}");
    }
}

/// Source: the example of the C2SP signed-note text.
#[test]
fn the_note_of_the_specification_is_read() {
    let key = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    let key = VerifierKey::parse(key).expect("a key");
    let note = "This is an example message.\n\n\u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
    let note = ledger_core::log::Note::parse(note.as_bytes()).expect("a note");
    assert_eq!(note.text(), "This is an example message.\n");
    assert_eq!(note.signatures().filter(|line| line.is_by(&key)).count(), 1);
    // It is signed, and no checkpoint.
    let bytes = note.to_string();
    let error = OpenError::Checkpoint(CheckpointError::Size);
    assert_eq!(Policy::log_only(key).open(bytes.as_bytes()), Err(error));
}

#[test]
fn our_checkpoint_is_the_one_of_others_byte_for_byte() {
    let note = signed(8, head(8).root);
    let text = NOTES[0].split_inclusive('\n').take(5).collect::<String>();
    assert_eq!(String::from_utf8(note).expect("text"), text);
}

#[test]
fn cosignatures_count_as_the_specification_says() {
    let keys = witness_keys();
    let quorum = |found| OpenError::Quorum { needed: 1, found };
    let expected: [Result<&[usize], OpenError>; 12] = [
        Ok(&[0, 1, 2]),
        Ok(&[0]),
        Err(quorum(0)),
        Err(OpenError::BadSignature(2)),
        Err(OpenError::BadSignature(1)),
        Err(OpenError::BadSignature(1)),
        Err(OpenError::BadSignature(1)),
        Ok(&[0]),
        Err(OpenError::BadSignature(1)),
        Err(quorum(0)),
        Ok(&[0]),
        Err(OpenError::NoLogSignature),
    ];
    let policy = Policy::new(log_key(), &keys, 1).expect("a policy");
    for ((number, note), expected) in NOTES.iter().enumerate().zip(expected) {
        let opened = policy.open(note.as_bytes());
        let counted = opened.map(|checkpoint| {
            (0..40).filter(|witness| checkpoint.is_cosigned_by(*witness)).collect::<Vec<_>>()
        });
        assert_eq!(counted, expected.map(<[usize]>::to_vec), "note {number}");
    }
}

#[test]
fn the_time_is_one_that_a_quorum_confirms() {
    let keys = witness_keys();
    for (quorum, time) in [(1, 1_790_000_003), (2, 1_790_000_002), (3, 1_790_000_001)] {
        let policy = Policy::new(log_key(), &keys, quorum).expect("a policy");
        let checkpoint = policy.open(NOTES[0].as_bytes()).expect("cosigned by three");
        assert_eq!(checkpoint.time(), time);
        assert_eq!(checkpoint.cosignatures(), 3);
        assert_eq!(checkpoint.head(), head(8));
    }
}

#[test]
fn a_policy_that_cannot_hold_is_refused() {
    let keys = witness_keys();
    let quorum = |quorum| PolicyError::Quorum { quorum, witnesses: 3 };
    assert_eq!(Policy::new(log_key(), &keys, 0).err(), Some(quorum(0)));
    assert_eq!(Policy::new(log_key(), &keys, 4).err(), Some(quorum(4)));
    let twice = [keys[0], keys[1], keys[0]];
    assert_eq!(Policy::new(log_key(), &twice, 2).err(), Some(PolicyError::SameKey(2)));
    let log_as_witness = signer("other", KeyKind::Cosigner, 1).verifier();
    let named = [log_as_witness];
    assert_eq!(Policy::new(log_key(), &named, 1).err(), Some(PolicyError::SameKey(0)));
    let plain = [signer("plain", KeyKind::Note, 9).verifier()];
    assert_eq!(Policy::new(log_key(), &plain, 1).err(), Some(PolicyError::NotCosigner(0)));
    let names: Vec<String> = (0..33).map(|n| format!("w{n}")).collect();
    let many: Vec<VerifierKey<'_>> = (0..33)
        .zip(&names)
        .map(|(n, name)| SignerKey::from_seed(name, KeyKind::Cosigner, &[n; 32]))
        .map(|key| key.expect("a name").verifier())
        .collect();
    assert_eq!(Policy::new(log_key(), &many, 2).err(), Some(PolicyError::TooManyWitnesses(33)));
    assert!(Policy::new(log_key(), &many[..32], 32).is_err(), "one of them has the log's key");
}

/// A signature line has an id of four bytes and at least one byte.
#[test]
fn a_signature_has_a_byte_after_its_id() {
    for (base64, is_line) in
        [("AAAA", false), ("AAAAAA==", false), ("AAAAAAA=", true), ("AAAAAAAA", true)]
    {
        let text = format!("a\nb\n\n\u{2014} name {base64}\n");
        let lines =
            ledger_core::log::Note::parse(text.as_bytes()).map(|note| note.signatures().count());
        assert_eq!(lines.ok(), is_line.then_some(1), "{base64}");
    }
}

#[test]
fn malformed_notes_are_refused_with_their_place() {
    let good = NOTES[0];
    let at = |text: &str| Policy::log_only(log_key()).open(text.as_bytes()).err();
    let note = |error| Some(OpenError::Note(error));
    assert_eq!(at(""), note(NoteError::NoSeparator));
    assert_eq!(at(&good.replace("\n\n", "\n")), note(NoteError::NoSeparator));
    assert_eq!(at(&good.replace("8\n", "8\r\n")), note(NoteError::Control(20)));
    assert_eq!(at(good.trim_end()), note(NoteError::SignatureLine(0)));
    assert_eq!(
        at(&good.replace("\u{2014} witness.example/w2", "- w")),
        note(NoteError::SignatureLine(2))
    );
    assert_eq!(at(&good.replace("OgwAg==", "OgwAg=")), note(NoteError::SignatureLine(3)));
    assert_eq!(
        at(&good.replace("OgwAg==", "OgwAh==")),
        note(NoteError::SignatureLine(3)),
        "bits behind the end"
    );
    let invalid = [good.as_bytes(), b"\xff"].concat();
    let error = Policy::log_only(log_key()).open(&invalid).err();
    assert_eq!(error, note(NoteError::Utf8(good.len())));
    let line = good.lines().last().expect("a line");
    let many = format!("{good}{}", format!("{line}\n").repeat(61));
    assert_eq!(at(&many), note(NoteError::TooManySignatures));
    let few = format!("{good}{}", format!("{line}\n").repeat(60));
    assert_eq!(at(&few), None);
    let long = format!("{}{}", "x\n".repeat(512), &good[good.find("\n\n").expect("there")..]);
    assert_eq!(at(&long), note(NoteError::TextTooLong(1025)));
    let longest = long.replacen('x', "", 1);
    assert_eq!(longest.rfind("\n\n"), Some(1023), "a text of 1,024 bytes");
    assert_ne!(at(&longest), note(NoteError::TextTooLong(1024)));
}

#[test]
fn malformed_checkpoints_are_refused_with_their_line() {
    let root = "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=";
    let empty_root = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let refused = [
        (String::new(), CheckpointError::Origin),
        (format!("\n8\n{root}\n"), CheckpointError::Origin),
        ("\n".to_owned(), CheckpointError::Origin),
        ("a\rb\n08\n".to_owned(), CheckpointError::Origin),
        ("log\n".to_owned(), CheckpointError::Size),
        (format!("log\n08\n{root}\n"), CheckpointError::Size),
        (format!("log\n+8\n{root}\n"), CheckpointError::Size),
        (format!("log\n\n{root}\n"), CheckpointError::Size),
        (format!("log\n18446744073709551616\n{root}\n"), CheckpointError::Size),
        (format!("log\n8\n{root}"), CheckpointError::Root),
        (format!("log\n8\n{}\n", &root[..40]), CheckpointError::Root),
        (format!("log\n8\n{root}=\n"), CheckpointError::Root),
        (format!("log\n8\n{root}\r\n"), CheckpointError::Root),
        (format!("log\n8\n{}\r{}\n", &root[..20], &root[20..]), CheckpointError::Root),
        (format!("log\n8\n {root}\n"), CheckpointError::Root),
        (format!("log\n8\n{root}\n\n"), CheckpointError::Extension),
        (format!("log\n8\n{root}\na\n\nb\n"), CheckpointError::Extension),
        (format!("log\n8\n{root}\nunfinished"), CheckpointError::Extension),
        (format!("log\n8\n{root}\ntab\there\n"), CheckpointError::Extension),
        (format!("a\rlog\n8\n{root}\n"), CheckpointError::Origin),
        (format!("log\n0\n{root}\n"), CheckpointError::EmptyRoot),
    ];
    for (text, error) in &refused {
        assert_eq!(Checkpoint::parse(text), Err(*error), "{text:?}");
    }
    let empty = format!("log\n0\n{empty_root}\n");
    let checkpoint = Checkpoint::parse(&empty).expect("the empty tree");
    assert_eq!(checkpoint.head, TreeHead::EMPTY);
    assert_eq!(checkpoint.to_string(), empty);
    let extended = format!("log\n8\n{root}\nmore\nlines\n");
    assert_eq!(Checkpoint::parse(&extended).expect("extended").to_string(), extended);
}

#[test]
fn a_proof_file_of_others_is_verified_and_written_again() {
    let file = include_bytes!("data/made.tlog-proof");
    let keys = witness_keys();
    let policy = Policy::new(log_key(), &keys, 2).expect("a policy");
    let proof = ProofFile::parse(file).expect("a proof file");
    let leaf = MerkleTree::leaf(&[0x10]);
    assert_eq!(proof.verify(&policy, &leaf).expect("proved").head(), head(8));
    let other = MerkleTree::leaf(&[0x11]);
    let wrong = Err(ProofFileError::Proof(ProofError::WrongRoot));
    assert_eq!(proof.verify(&policy, &other), wrong);

    let note = NOTES[0].as_bytes();
    let mut out = [0; 2048];
    let len = write_proof_file(2, proof.path(), note, &mut out).expect("room");
    assert_eq!(out[..len], file[..]);
    let short = write_proof_file(2, proof.path(), note, &mut out[..len - 1]);
    assert_eq!(short.expect_err("too short").needed, len);

    let text = core::str::from_utf8(file).expect("text");
    let line = |text: &str| ProofFile::parse(text.as_bytes()).err();
    assert_eq!(line(&text.replace("@v1", "@v2")), Some(ProofFileError::Line(0)));
    assert_eq!(line(&text.replace("index 2", "index 02")), Some(ProofFileError::Line(1)));
    assert_eq!(line(&text.replace("B1Bq", "B1B")), Some(ProofFileError::Line(2)));
    let extra = text.replace("index 2", "extra QQ==\nindex 2");
    assert_eq!(ProofFile::parse(extra.as_bytes()).expect("with extra").extra(), Some("QQ=="));
    let long = text.replace(
        "index 2\n",
        &format!("index 2\n{}", format!("{}\n", "A".repeat(43) + "=").repeat(64)),
    );
    assert_eq!(line(&long), Some(ProofFileError::Line(66)));
}

#[test]
fn a_follower_advances_refuses_rollbacks_and_keeps_the_evidence_of_a_split_view() {
    let mut follower = Follower::new(Policy::log_only(log_key()), [0; 512]);
    assert!(follower.checkpoint().is_none());
    let four = signed(4, head(4).root);
    let eight = signed(8, head(8).root);
    assert_eq!(follower.update(&four, None), Ok(Update::Advanced));
    assert_eq!(follower.update(&four, None), Ok(Update::Unchanged));
    let all = leaves(8);
    let mut out = [Hash::ZERO; 65];
    let proof = ledger_core::prove_consistency(&all, 4, &mut out).expect("a proof");
    let path = proof.path.to_vec();
    let wrong = [path.clone(), path.clone()].concat();
    assert!(matches!(follower.update(&eight, Some(&wrong)), Err(FollowError::Inconsistent(_))));
    assert_eq!(follower.head(), head(4), "an error changes nothing");
    assert_eq!(follower.update(&eight, Some(&path)), Ok(Update::Advanced));
    assert_eq!(follower.note(), eight);
    assert_eq!(follower.update(&four, None), Err(FollowError::Rollback { held: 8, offered: 4 }));

    let other = signed(8, MerkleTree::leaf(b"another tree"));
    assert_eq!(follower.update(&other, None), Err(FollowError::SplitView { size: 8 }));
    let evidence = follower.split_view(&other);
    assert_eq!(evidence.verify(log_key()), Ok(8));
    // Nobody can be accused by his own note twice, nor by notes that he did not sign.
    let same = SplitView { first: &eight, second: &eight };
    assert_eq!(same.verify(log_key()), Err(EvidenceError::NoContradiction));
    let sizes = SplitView { first: &four, second: &eight };
    assert_eq!(sizes.verify(log_key()), Err(EvidenceError::NoContradiction));
    let stranger = signer("example.com/ledger", KeyKind::Note, 7).verifier();
    let unsigned = EvidenceError::Open(OpenError::NoLogSignature);
    assert_eq!(evidence.verify(stranger), Err(unsigned));
}

#[test]
fn a_follower_resumes_from_the_saved_note() {
    let eight = signed(8, head(8).root);
    let policy = Policy::log_only(log_key());
    let follower = Follower::resume(policy, vec![0; 512], &eight).expect("the saved note");
    assert_eq!(follower.checkpoint().expect("verified again").head(), head(8));
    let small = Follower::resume(policy, vec![0; 10], &eight).err();
    assert_eq!(small, Some(FollowError::TooLong { needed: eight.len() }));
    let mut follower = Follower::new(policy, [0; 64]);
    let long = FollowError::TooLong { needed: eight.len() };
    assert_eq!(follower.update(&eight, None), Err(long));
    assert_eq!(follower.head(), TreeHead::EMPTY);
}

#[test]
fn a_witness_signs_what_continues_its_tree_and_answers_like_others() {
    let w1 = signer("witness.example/w1", KeyKind::Cosigner, 2);
    let request = AddCheckpoint::parse(include_bytes!("data/c2sp/request-4-to-8.txt"));
    let request = request.expect("a request");
    assert_eq!(request.origin(), Ok("example.com/ledger"));
    let cosignature = request.check(log_key(), head(4)).expect("it continues");
    assert_eq!(cosignature.head(), head(8));
    let mut line = [0; 256];
    let len = cosignature.sign(&w1, 1_790_000_001, &mut line).expect("room");
    assert_eq!(line[..len], include_bytes!("data/c2sp/response.txt")[..]);
    // The line makes the note count.
    let note = [signed(8, head(8).root), line[..len].to_vec()].concat();
    let keys = [w1.verifier()];
    let policy = Policy::new(log_key(), &keys, 1).expect("a policy");
    assert_eq!(policy.open(&note).expect("cosigned").time(), 1_790_000_001);
}

/// Of two lines of a witness the first one counts: it confirms one time.
#[test]
fn a_witness_confirms_one_time() {
    let request = AddCheckpoint::parse(include_bytes!("data/c2sp/request-4-to-8.txt"));
    let request = request.expect("a request");
    let cosignature = request.check(log_key(), head(4)).expect("it continues");
    let w1 = signer("witness.example/w1", KeyKind::Cosigner, 2);
    let w2 = signer("witness.example/w2", KeyKind::Cosigner, 3);
    let mut note = signed(8, head(8).root);
    for (witness, time) in [(&w1, 100), (&w1, 300), (&w2, 200)] {
        let mut line = [0; 256];
        let len = cosignature.sign(witness, time, &mut line).expect("room");
        note.extend(&line[..len]);
    }
    let keys = [w1.verifier(), w2.verifier()];
    for (quorum, time) in [(1, 200), (2, 100)] {
        let policy = Policy::new(log_key(), &keys, quorum).expect("a policy");
        assert_eq!(policy.open(&note).map(|opened| opened.time()), Ok(time), "{quorum} of 2");
    }
}

#[test]
fn a_witness_refuses_in_the_order_of_the_specification() {
    let four_to_eight = include_str!("data/c2sp/request-4-to-8.txt");
    let status = |body: &str, known| {
        let request = AddCheckpoint::parse(body.as_bytes());
        let checked = request.and_then(|request| request.check(log_key(), known).map(|_| 200));
        checked.unwrap_or_else(|error: WitnessError| error.status())
    };
    assert_eq!(status(four_to_eight, head(4)), 200);
    assert_eq!(status(&four_to_eight.replace("old 4", "old 04"), head(4)), 400);
    assert_eq!(status(&four_to_eight.replace("old 4", "old 9"), head(4)), 400);
    assert_eq!(
        status(&four_to_eight.replace("example.com/ledger\n8", "example.org/l\n8"), head(4)),
        404
    );
    assert_eq!(status(&four_to_eight.replace("\n8\n", "\n7\n"), head(4)), 403);
    assert_eq!(status(four_to_eight, head(6)), 409);
    assert_eq!(status(four_to_eight, TreeHead { root: Hash::ZERO, ..head(4) }), 422);
    assert_eq!(status(include_str!("data/c2sp/request-first.txt"), TreeHead::EMPTY), 200);
    assert_eq!(status(include_str!("data/c2sp/request-same-size.txt"), head(8)), 200);
    let split = TreeHead { root: Hash::ZERO, ..head(8) };
    assert_eq!(status(include_str!("data/c2sp/request-same-size.txt"), split), 422);
    assert_eq!(status(include_str!("data/c2sp/request-3-to-7.txt"), head(3)), 200);
    let line = "A".repeat(43) + "=\n";
    let long = |lines| four_to_eight.replace("old 4\n", &format!("old 4\n{}", line.repeat(lines)));
    assert_eq!(status(&long(62), head(4)), 422);
    assert_eq!(status(&long(63), head(4)), 400);
}

#[test]
fn what_a_device_needs_is_small() {
    let follower = size_of::<Follower<'_, [u8; 512]>>();
    let proof = size_of::<ProofFile<'_>>();
    assert!(follower <= 712, "{follower}");
    assert!(proof <= 2_104, "{proof}");
    assert!(size_of::<LevelSlot>() <= 8_208, "{}", size_of::<LevelSlot>());
    assert!(follower + proof + 3 * size_of::<VerifierKey<'_>>() < 4_096);
}
