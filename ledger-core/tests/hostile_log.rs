//! The log where tiles are cut short or missing, storage is too small, and checkpoints come late or contradict.

use ledger_core::log::{
    Checkpoint, CheckpointError, FollowError, Follower, IssueError, Issuer, KeyKind, LevelSlot,
    Policy, ReadTile, SignerKey, Tile, TileError, Update, prove_consistency_from,
    prove_inclusion_from,
};
use ledger_core::{Hash, Inclusion, MerkleTree, TreeHead};

const ORIGIN: &str = "example.com/log";

fn leaf(n: u64) -> Hash {
    MerkleTree::leaf(&n.to_be_bytes())
}

fn head(size: u64) -> TreeHead {
    let mut tree = MerkleTree::new();
    (0..size).for_each(|n| tree.push(leaf(n)));
    tree.head()
}

/// Why a tile is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Missing;

/// The tiles of a log of this many leaves, computed anew for each call. One of them may be missing.
struct Tiles {
    leaves: u64,
    missing: Option<(u8, u64)>,
}

impl ReadTile for Tiles {
    type Error = Missing;

    fn read(&mut self, tile: Tile, hashes: &mut [Hash]) -> Result<(), Missing> {
        if self.missing == Some((tile.level, tile.index)) {
            return Err(Missing);
        }
        let span = 256_u64.pow(u32::from(tile.level));
        for (n, hash) in (tile.index * 256..).zip(hashes) {
            let leaves: Vec<_> = (n * span..(n + 1) * span).map(leaf).collect();
            if (n + 1) * span > self.leaves {
                return Err(Missing); // cut short
            }
            *hash = MerkleTree::root_of(&leaves);
        }
        Ok(())
    }
}

fn tiles(leaves: u64) -> Tiles {
    Tiles { leaves, missing: None }
}

fn levels(count: usize) -> Vec<LevelSlot> {
    vec![LevelSlot::EMPTY; count]
}

#[test]
fn an_issuer_resumes_from_its_tiles_at_every_edge() {
    for size in [0, 1, 255, 256, 257, 511, 512, 513, 65_535] {
        let log = Issuer::resume(levels(2), size, &mut tiles(size)).expect("all tiles are there");
        assert_eq!(log.head(), head(size), "{size}");
    }
}

/// A tree that needs more levels than there are slots would have the root of a part of it.
#[test]
fn an_issuer_with_too_few_levels_does_not_resume() {
    for (count, size) in [(0, 1), (1, 256), (1, 257), (2, 65_536), (2, u64::MAX), (7, u64::MAX)] {
        let resumed = Issuer::resume(levels(count), size, &mut AnyTile);
        assert_eq!(resumed.err(), Some(TileError::Full { capacity: count }), "{count} for {size}");
    }
    assert!(Issuer::resume(levels(8), u64::MAX, &mut AnyTile).is_ok());
    assert!(Issuer::resume(levels(0), 0, &mut AnyTile).is_ok());
}

/// Whatever is asked for is there.
struct AnyTile;

impl ReadTile for AnyTile {
    type Error = Missing;

    fn read(&mut self, _: Tile, _: &mut [Hash]) -> Result<(), Missing> {
        Ok(())
    }
}

#[test]
fn a_missing_tile_or_one_cut_short_is_named() {
    for (level, index) in [(0, 2), (1, 0)] {
        let mut reader = Tiles { leaves: 600, missing: Some((level, index)) };
        let error = Issuer::resume(levels(2), 600, &mut reader).expect_err("a tile is missing");
        assert!(matches!(error, TileError::Read { tile, .. } if tile.level == level), "{error:?}");
    }
    let cut = Issuer::resume(levels(2), 600, &mut tiles(599)).expect_err("one hash is missing");
    assert!(matches!(cut, TileError::Read { tile: Tile { level: 0, index: 2, .. }, .. }));
    let mut out = [Hash::ZERO; 65];
    for index in [0, 255, 256, 511, 512, 598, 599] {
        let proof = prove_inclusion_from(&mut tiles(600), 600, index, &mut out).expect("all tiles");
        assert_eq!(proof.verify(&head(600), &leaf(index)), Ok(()));
        let error = prove_inclusion_from(&mut tiles(599), 600, index, &mut out);
        assert!(matches!(error, Err(TileError::Read { error: Missing, .. })), "{index}");
    }
    for first in [1, 255, 256, 257, 512, 599, 600] {
        let path = prove_consistency_from(&mut tiles(600), first, 600, &mut out).map(<[_]>::to_vec);
        let consistency = ledger_core::Consistency { path: &path.expect("all tiles") };
        assert_eq!(consistency.verify(&head(first), &head(600)), Ok(()));
    }
    // Beyond the tree, and of no tree.
    assert!(prove_inclusion_from(&mut tiles(600), 600, 600, &mut out).is_err());
    assert!(prove_inclusion_from(&mut tiles(0), 0, 0, &mut out).is_err());
    assert!(prove_consistency_from(&mut tiles(600), 0, 600, &mut out).is_err());
    assert!(prove_consistency_from(&mut tiles(600), 601, 600, &mut out).is_err());
    assert!(prove_inclusion_from(&mut tiles(600), 600, 5, &mut out[..2]).is_err());
    let huge = prove_inclusion_from(&mut AnyTile, u64::MAX, u64::MAX - 1, &mut out);
    let path = huge.expect("whatever is asked for is there").path;
    assert_eq!(Some(path.len()), Inclusion::path_len(u64::MAX - 1, u64::MAX));
}

#[test]
fn an_issuer_without_levels_and_one_that_is_full_refuse() {
    let mut none = Issuer::new(levels(0));
    assert_eq!(none.append(leaf(0)), Err(IssueError::Full { capacity: 0 }));
    assert_eq!(none.head(), TreeHead::EMPTY);
    let mut one = Issuer::new(levels(1));
    let taken = (0..1000).take_while(|n| one.append(leaf(*n)).is_ok()).count();
    assert_eq!(taken, 255, "fewer than 256");
    assert_eq!(one.head(), head(255));
    one.handle_saved(Tile { level: 9, index: 0, width: 1 });
    one.handle_saved(Tile { level: 0, index: 7, width: 255 });
    one.handle_saved(Tile { level: 0, index: 0, width: 256 });
    let key = SignerKey::from_seed(ORIGIN, KeyKind::Note, &[1; 32]).expect("a key");
    let mut note = [0; 400];
    assert_eq!(one.checkpoint(&key, &mut note), Err(IssueError::Unsaved), "of other tiles");
    one.seal();
    let (tile, _) = one.poll_write(&mut [0; 8192]).expect("room").expect("a tile");
    assert!(one.poll_write(&mut [0; 8159]).is_err());
    one.handle_saved(Tile { width: 254, ..tile });
    assert_eq!(one.checkpoint(&key, &mut note), Err(IssueError::Unsaved), "not all of it");
    one.handle_saved(tile);
    assert!(one.checkpoint(&key, &mut note).is_ok());
    assert!(matches!(one.checkpoint(&key, &mut []), Err(IssueError::BufferTooSmall { .. })));
}

fn note(size: u64, root: Hash) -> Vec<u8> {
    let key = SignerKey::from_seed(ORIGIN, KeyKind::Note, &[1; 32]).expect("a key");
    let head = TreeHead { size, root };
    let mut note = vec![0; 400];
    let len = Checkpoint { origin: ORIGIN, head, extension: "" }.sign(&key, &mut note);
    note.truncate(len.expect("room"));
    note
}

#[test]
fn late_and_contradicting_checkpoints_leave_the_follower_as_it_was() {
    let key = SignerKey::from_seed(ORIGIN, KeyKind::Note, &[1; 32]).expect("a key");
    let policy = Policy::log_only(key.verifier());
    let good = |size| note(size, head(size).root);
    // No storage: nothing can be kept, and nothing is followed.
    let mut none = Follower::new(policy, []);
    let needed = good(3).len();
    assert_eq!(none.update(&good(3), None), Err(FollowError::TooLong { needed }));
    assert_eq!(none.head(), TreeHead::EMPTY);
    let mut follower = Follower::resume(policy, [0; 400], &good(3)).expect("its own note");
    assert_eq!(follower.update(&good(2), None), Err(FollowError::Rollback { held: 3, offered: 2 }));
    let split = note(3, leaf(9));
    assert_eq!(follower.update(&split, None), Err(FollowError::SplitView { size: 3 }));
    assert_eq!(follower.split_view(&split).verify(key.verifier()), Ok(3));
    let mut out = [Hash::ZERO; 65];
    let path = prove_consistency_from(&mut tiles(9), 3, 9, &mut out).expect("all tiles").to_vec();
    // The proof of another pair, too long, too short, and for the tree that is held.
    for wrong in [&path[..path.len() - 1], &[&path[..], &path[..1]].concat(), &[]] {
        let refused = follower.update(&good(9), Some(wrong));
        assert!(matches!(refused, Err(FollowError::Inconsistent(_))), "{refused:?}");
    }
    let refused = follower.update(&good(8), Some(&path));
    assert!(matches!(refused, Err(FollowError::Inconsistent(_))), "{refused:?}");
    assert_eq!(follower.note(), good(3));
    assert_eq!(follower.update(&good(3), Some(&[])), Ok(Update::Unchanged));
    assert_eq!(follower.update(&good(9), Some(&path)), Ok(Update::Advanced));
    // A note that was saved before the last one: older, and then it catches up.
    let mut older = Follower::resume(policy, [0; 400], &good(3)).expect("its own note");
    assert_eq!(older.update(&good(9), Some(&path)), Ok(Update::Advanced));
    assert_eq!(older.head(), follower.head());
    // The empty tree comes first or never.
    let mut empty = Follower::resume(policy, [0; 400], &good(0)).expect("an empty log");
    assert_eq!(empty.update(&good(0), None), Ok(Update::Unchanged));
    assert_eq!(empty.update(&good(9), Some(&[])), Ok(Update::Advanced));
    assert_eq!(empty.update(&good(0), None), Err(FollowError::Rollback { held: 9, offered: 0 }));
}

#[test]
fn a_checkpoint_that_would_read_as_another_is_not_signed() {
    let key = SignerKey::from_seed("example.com/ledger", KeyKind::Note, &[1; 32]).expect("a name");
    let head = head(3);
    let sign = |origin: &str, head, extension: &str| {
        Checkpoint { origin, head, extension }.sign(&key, &mut [0; 2048])
    };
    let other = format!("log\n9\n{}\n", "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=");
    for origin in ["", "two\nlines", "a\ttab", other.as_str()] {
        assert_eq!(sign(origin, head, ""), Err(CheckpointError::Origin.into()), "{origin:?}");
    }
    for extension in ["unfinished", "\n", "an\n\nempty line\n", "return\r\n"] {
        let refused = Err(CheckpointError::Extension.into());
        assert_eq!(sign("log", head, extension), refused, "{extension:?}");
    }
    let empty = TreeHead { size: 0, root: head.root };
    assert_eq!(sign("log", empty, ""), Err(CheckpointError::EmptyRoot.into()));
    // The origin, the size and the root take 4, 2 and 45 bytes.
    let long = |len: usize| sign("log", head, &format!("{}\n", "x".repeat(len - 1)));
    assert!(long(1024 - 51).is_ok());
    assert_eq!(long(1025 - 51), Err(IssueError::TextTooLong(1025)));
}
