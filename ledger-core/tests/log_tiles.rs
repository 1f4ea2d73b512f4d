//! Tiles, bundles and the issuing side of a log.

use std::collections::HashMap;

use ledger_core::log::{
    Entries, EntryBundle, IssueError, Issuer, KeyKind, LevelSlot, ReadTile, SignerKey, Tile,
    TruncatedEntry, prove_consistency_from, prove_inclusion_from, read_unverified, write_entry,
};
use ledger_core::{Consistency, Hash, MerkleTree, TreeHead, prove_inclusion};

/// Source: the tables of C2SP tlog-tiles.
#[test]
fn tiles_of_a_tree_and_their_paths() {
    let levels = |size: u64| {
        let mut levels: Vec<(u8, u64, u16)> = Vec::new();
        for tile in Tile::all(size) {
            let partial = if tile.is_partial() { tile.width } else { 0 };
            match levels.last_mut().filter(|(level, ..)| *level == tile.level) {
                Some(row) if partial > 0 => row.2 = partial,
                Some(row) => row.1 += 1,
                None => levels.push((tile.level, u64::from(partial == 0), partial)),
            }
        }
        levels
    };
    assert_eq!(levels(0), []);
    assert_eq!(levels(1), [(0, 0, 1)]);
    assert_eq!(levels(255), [(0, 0, 255)]);
    assert_eq!(levels(256), [(0, 1, 0), (1, 0, 1)]);
    assert_eq!(levels(257), [(0, 1, 1), (1, 0, 1)]);
    assert_eq!(levels(65_535), [(0, 255, 255), (1, 0, 255)]);
    assert_eq!(levels(65_536), [(0, 256, 0), (1, 1, 0), (2, 0, 1)]);
    assert_eq!(levels(70_000), [(0, 273, 112), (1, 1, 17), (2, 0, 1)]);
    assert_eq!(levels(16_777_217), [(0, 65_536, 1), (1, 256, 0), (2, 1, 0), (3, 0, 1)]);
    let path = |index| Tile { level: 0, index, width: 256 }.to_string();
    assert_eq!(path(0), "tile/0/000");
    assert_eq!(path(5), "tile/0/005");
    assert_eq!(path(999), "tile/0/999");
    assert_eq!(path(1000), "tile/0/x001/000");
    assert_eq!(path(1_234_067), "tile/0/x001/x234/067");
    assert_eq!(path(999_999), "tile/0/x999/999");
    assert_eq!(path(1_000_000), "tile/0/x001/x000/000");
    assert_eq!(path(u64::MAX), "tile/0/x018/x446/x744/x073/x709/x551/615");
    assert_eq!(EntryBundle { index: 1, width: 7 }.to_string(), "tile/entries/001.p/7");
    assert!(Tile::all(u64::MAX).next().is_some());
}

/// The files of a log, by path.
#[derive(Default)]
struct Files(HashMap<String, Vec<u8>>);

impl ReadTile for Files {
    type Error = String;

    fn read(&mut self, tile: Tile, hashes: &mut [Hash]) -> Result<(), String> {
        let bytes = self.0.get(&tile.to_string()).ok_or_else(|| format!("{tile} is missing"))?;
        assert_eq!(bytes.len(), hashes.len() * 32);
        for (hash, bytes) in hashes.iter_mut().zip(bytes.chunks(32)) {
            *hash = Hash::from_bytes(bytes.try_into().expect("32 bytes"));
        }
        Ok(())
    }
}

impl Files {
    fn write(&mut self, log: &mut Issuer<Vec<LevelSlot>>) {
        let mut buf = [0; 8192];
        while let Some((tile, len)) = log.poll_write(&mut buf).expect("8,192 bytes are enough") {
            self.0.insert(tile.to_string(), buf[..len].to_vec());
            log.handle_saved(tile);
        }
    }
}

fn entry(number: u64) -> Hash {
    MerkleTree::leaf(&number.to_be_bytes())
}

fn issue(size: u64) -> (Issuer<Vec<LevelSlot>>, Files, Vec<Hash>) {
    let mut log = Issuer::new(vec![LevelSlot::EMPTY; 3]);
    let mut files = Files::default();
    let mut all = Vec::new();
    for number in 0..size {
        if log.append(entry(number)) == Err(IssueError::Unsaved) {
            files.write(&mut log);
            assert_eq!(log.append(entry(number)), Ok(number));
        }
        all.push(entry(number));
    }
    log.seal();
    files.write(&mut log);
    (log, files, all)
}

#[test]
fn an_issued_log_has_the_head_of_its_leaves_and_proofs_from_its_tiles() {
    let mut out = [Hash::ZERO; 65];
    let mut expected = [Hash::ZERO; 65];
    for size in [1, 2, 3, 255, 256, 257, 511, 512, 513, 700] {
        let (log, mut files, all) = issue(size);
        let head = TreeHead { size, root: MerkleTree::root_of(&all) };
        assert_eq!(log.head(), head, "{size} leaves");
        for tile in Tile::all(size) {
            assert!(files.0.contains_key(&tile.to_string()), "{tile} of {size} leaves");
        }
        for index in [0, 1, size / 2, size - 1].into_iter().filter(|index| *index < size) {
            let proof = prove_inclusion_from(&mut files, size, index, &mut out).expect("a proof");
            assert_eq!(proof.verify(&head, &all[index as usize]), Ok(()));
            let direct = prove_inclusion(&all, index as usize, &mut expected).expect("a proof");
            assert_eq!(proof.path, direct.path, "leaf {index} of {size}");
        }
        for first in [1, 2, size / 2, 255, 256, size].into_iter().filter(|n| (1..=size).contains(n))
        {
            let path = prove_consistency_from(&mut files, first, size, &mut out).expect("a proof");
            let root = MerkleTree::root_of(&all[..first as usize]);
            let proof = Consistency { path };
            let earlier = TreeHead { size: first, root };
            assert_eq!(proof.verify(&earlier, &head), Ok(()), "{first} to {size}");
        }
    }
}

#[test]
fn a_large_log_carries_over_two_levels() {
    let size = 65_536 + 300;
    let (log, mut files, all) = issue(size);
    assert_eq!(log.head().root, MerkleTree::root_of(&all));
    let mut out = [Hash::ZERO; 65];
    for index in [0, 65_535, 65_536, size - 1] {
        let proof = prove_inclusion_from(&mut files, size, index, &mut out).expect("a proof");
        assert_eq!(proof.verify(&log.head(), &entry(index)), Ok(()));
    }
    let resumed = Issuer::resume(vec![LevelSlot::EMPTY; 3], size, &mut files).expect("all tiles");
    assert_eq!(resumed.head(), log.head());
    let mut resumed = resumed;
    let mut log = log;
    assert_eq!(resumed.append(entry(size)), log.append(entry(size)));
    assert_eq!(resumed.head(), log.head());
}

#[test]
fn nothing_is_signed_before_it_is_saved() {
    let key = SignerKey::from_seed("example.com/ledger", KeyKind::Note, &[1; 32]).expect("a name");
    let mut note = [0; 512];
    let mut log = Issuer::new(vec![LevelSlot::EMPTY; 2]);
    assert!(log.checkpoint(&key, &mut note).is_ok(), "the empty tree needs no tile");
    log.append(entry(0)).expect("room");
    assert_eq!(log.checkpoint(&key, &mut note), Err(IssueError::Unsaved));
    let mut buf = [0; 8192];
    assert_eq!(log.poll_write(&mut buf), Ok(None), "a partial tile is written when sealed");
    log.seal();
    assert_eq!(log.poll_write(&mut buf[..31]).expect_err("too short").needed, 32);
    let (tile, _) = log.poll_write(&mut buf).expect("room").expect("a tile");
    assert_eq!(
        log.poll_write(&mut buf).expect("room").expect("a tile").0,
        tile,
        "until it is saved"
    );
    assert_eq!(log.checkpoint(&key, &mut note), Err(IssueError::Unsaved));
    log.handle_saved(Tile { index: 1, ..tile });
    log.handle_saved(Tile { level: 200, ..tile });
    log.handle_saved(Tile { width: 2, ..tile });
    assert_eq!(log.checkpoint(&key, &mut note), Err(IssueError::Unsaved));
    log.handle_saved(tile);
    let len = log.checkpoint(&key, &mut note).expect("saved");
    assert_eq!(read_unverified(&note[..len]).expect("a checkpoint").head, log.head());
    let error = log.checkpoint(&key, &mut note[..len - 1]);
    assert_eq!(error, Err(IssueError::BufferTooSmall { needed: len }));
}

#[test]
fn an_issuer_refuses_what_it_has_no_slots_for() {
    let mut none = Issuer::new([LevelSlot::EMPTY; 0]);
    assert_eq!(none.append(entry(0)), Err(IssueError::Full { capacity: 0 }));
    assert_eq!(none.head(), TreeHead::EMPTY);
    let mut one = Issuer::new([LevelSlot::EMPTY; 1]);
    for number in 0..255 {
        assert_eq!(one.append(entry(number)), Ok(number));
    }
    let before = one.head();
    assert_eq!(one.append(entry(255)), Err(IssueError::Full { capacity: 1 }));
    assert_eq!(one.head(), before);
}

#[test]
fn entries_come_back_from_a_bundle() {
    let mut bundle = Vec::new();
    let mut buf = vec![0; 70_000];
    let longest = vec![7; 65_536];
    for entry in [&b""[..], b"one", &longest[1..]] {
        let len = write_entry(entry, &mut buf).expect("short enough").expect("room");
        bundle.extend_from_slice(&buf[..len]);
    }
    let lens: Vec<usize> = Entries::new(&bundle).map(|entry| entry.expect("whole").len()).collect();
    assert_eq!(lens, [0, 3, 65_535]);
    assert!(write_entry(&longest, &mut buf).is_none());
    assert_eq!(write_entry(b"one", &mut buf[..4]).expect("short").expect_err("small").needed, 5);
    let cut: Vec<_> = Entries::new(&bundle[..bundle.len() - 9]).collect();
    assert_eq!(cut.last(), Some(&Err(TruncatedEntry { missing: 9 })));
    assert_eq!(cut.len(), 3);
    assert_eq!(Entries::new(&[1]).next(), Some(Err(TruncatedEntry { missing: 1 })));
}
