use super::*;
use crate::block::PieceIndex;
use crate::geometry::{Geometry, V2File};
use crate::hash::PieceHashes;
use crate::merkle::{PieceLayer, layer_root};
use std::vec;
use std::vec::Vec;

/// The tree of a file whose pieces have 2^`height` blocks.
fn tree<'t>(height: u8, pieces: &'t [MerkleHash], leaves: &'t [MerkleHash]) -> Tree<'t> {
    Tree { root: [9; 32], height, pieces, leaves, runs: &[] }
}

fn range(base: u32, index: u32, length: u32, proof_layers: u32) -> HashRange {
    HashRange { root: [9; 32], base, index, length, proof_layers }
}

fn hashes(count: usize) -> Vec<MerkleHash> {
    vec![[1; 32]; count]
}

/// The nodes are the hashes of the answer; for a proof also all pieces, or the nodes above runs of 512 and the pieces of a
/// run; for leaves also those of a piece.
#[test]
fn the_cost_is_the_nodes_in_units_of_1024() {
    let pieces = hashes(4_096);
    let whole = tree(1, &pieces, &[]);
    assert_eq!(whole.cost(&range(1, 0, 512, 8)), 1, "without a proof");
    assert_eq!(whole.cost(&range(1, 0, 512, 9)), 5, "4,608 nodes");
    let runs = hashes(8);
    let with_runs = Tree { runs: &runs, ..whole };
    assert_eq!(with_runs.cost(&range(1, 0, 512, 9)), 2, "1,032 nodes");
    assert_eq!(tree(1, &pieces[..1_022], &[]).cost(&range(1, 0, 2, 1)), 1, "1,024 nodes");
    assert_eq!(tree(1, &pieces[..1_023], &[]).cost(&range(1, 0, 2, 1)), 2, "1,025 nodes");
    assert_eq!(tree(10, &pieces, &[]).cost(&range(0, 0, 2, 0)), 2, "1,026 nodes");
    assert_eq!(tree(10, &pieces, &[]).cost(&range(10, 0, 2, 0)), 1, "2 nodes");
    assert_eq!(tree(30, &pieces, &[]).cost(&range(0, 0, 2, 0)), 255, "more than can be counted");
}

#[test]
fn a_proof_hashes_65_536_nodes_of_a_kind_at_most() {
    let pieces = hashes(65_537);
    let few = &pieces[..100];
    assert!(tree(16, few, &[]).is_proved(&range(0, 0, 2, 32)));
    assert!(!tree(16, few, &[]).is_proved(&range(0, 0, 2, 33)), "33 hashes beside the way up");
    assert!(!tree(17, few, &[]).is_proved(&range(0, 0, 2, 1)), "131,072 leaves");
    assert!(tree(1, &pieces[..65_536], &[]).is_proved(&range(1, 0, 2, 1)));
    assert!(!tree(1, &pieces, &[]).is_proved(&range(1, 0, 2, 1)));
    let with_runs = Tree { runs: few, ..tree(1, &pieces, &[]) };
    assert!(with_runs.is_proved(&range(1, 0, 2, 1)));
    assert!(tree(17, &pieces, &[]).is_proved(&range(17, 0, 2, 0)), "nothing is to be proved");
}

/// An answer about leaves needs all of the pieces that it touches, or its proof would be wrong.
#[test]
fn leaves_are_known_if_those_of_whole_pieces_are() {
    let pieces = [[0; 32]; 4];
    let mut leaves = hashes(7);
    leaves[2] = [0; 32];
    let two_each = tree(1, &pieces, &leaves);
    for (index, known) in [(0, true), (2, false), (4, true), (6, true), (8, false)] {
        assert_eq!(two_each.is_known(&range(0, index, 2, 0), &leaves), known, "{index}");
    }
    assert!(!two_each.is_known(&range(0, 0, 4, 0), &leaves));
    assert!(two_each.is_known(&range(0, 4, 4, 0), &leaves), "the last is beyond the file");
    let four_each = tree(2, &pieces, &leaves);
    for (index, known) in [(0, false), (2, false), (4, true), (6, true)] {
        assert_eq!(four_each.is_known(&range(0, index, 2, 0), &leaves), known, "{index}");
    }
    assert!(four_each.is_known(&range(2, 0, 2, 0), &pieces), "hashes of pieces always are");
}

/// BEP 52: base layer 0 or that of the pieces, at most 512 hashes, within the padded layer, proof layers below the root.
#[test]
fn requests_within_the_layers_are_served() {
    let pieces = hashes(600);
    let leaves = hashes(1_200);
    let tree = tree(1, &pieces, &leaves);
    let height = |asked: HashRange| {
        let served = tree.layer(&asked);
        served.map(|(layer, height)| (layer.len(), height))
    };
    assert_eq!(height(range(0, 0, 2, 0)), Some((1_200, 0)));
    assert_eq!(height(range(1, 0, 2, 0)), Some((600, 1)));
    assert_eq!(height(range(2, 0, 2, 0)), None);
    assert_eq!(height(range(256, 0, 2, 0)), None);
    assert_eq!(height(range(1, 512, 512, 0)), Some((600, 1)), "the layer is padded to 1,024");
    assert_eq!(height(range(1, 1_024, 2, 0)), None);
    assert_eq!(height(range(1, 0, 1_024, 0)), None);
    assert_eq!(height(range(1, 0, 2, 9)), Some((600, 1)));
    assert_eq!(height(range(1, 0, 2, 10)), None, "the root is known");
    assert_eq!(height(range(1, u32::MAX - 1, 2, 0)), None);
}

#[test]
fn a_layer_of_one_hash_is_not_served() {
    let two = hashes(2);
    for (count, served) in [(0, false), (1, false), (2, true)] {
        let tree = tree(1, &two[..count], &[]);
        assert_eq!(tree.layer(&range(1, 0, 2, 0)).is_some(), served, "{count}");
    }
}

/// Each node is taken from the highest layer below it that is known: those of leaves may be unknown beside the way up, and
/// those above runs of 512 pieces take the least time.
#[test]
fn a_node_comes_from_the_layer_below_it() {
    let of = |byte: u8, number: u64| {
        let mut hash = [byte; 32];
        hash[..8].copy_from_slice(&number.to_be_bytes());
        hash
    };
    let leaves: Vec<_> = (0..8).map(|number| of(1, number)).collect();
    let pieces: Vec<_> = (0..1_024).map(|number| of(2, number)).collect();
    let runs: Vec<_> = (0..2).map(|number| of(3, number)).collect();
    let root = |hashes: &[MerkleHash]| layer_root(hashes, [0; 32]);
    let whole = tree(2, &pieces, &leaves);
    let with_runs = Tree { runs: &runs, ..whole };
    for tree in [&whole, &with_runs] {
        assert_eq!([tree.node(0, 3), tree.node(0, 7)], [leaves[3], leaves[7]]);
        assert_eq!(tree.node(1, 2), root(&leaves[4..6]));
        assert_eq!([tree.node(2, 0), tree.node(2, 5)], [pieces[0], pieces[5]]);
        assert_eq!(tree.node(3, 1), root(&pieces[2..4]));
        assert_eq!(tree.node(10, 2), root(&pieces[512..768]));
    }
    assert_eq!(whole.node(11, 1), root(&pieces[512..]));
    assert_eq!(whole.node(12, 0), root(&pieces));
    assert_eq!([with_runs.node(11, 0), with_runs.node(11, 1)], [runs[0], runs[1]]);
    assert_eq!(with_runs.node(12, 0), root(&runs));
}

const PIECE: u32 = 32_768;

/// The root of a torrent that is given as one file is computed; files have their own.
#[test]
fn a_file_is_found_by_its_root() {
    let layer = [[1; 32], [2; 32], [3; 32]];
    let known = PieceHashes::v2(PieceLayer::new(&layer));
    let single = TorrentContent::new(Geometry::new(3 * 32_768, PIECE).unwrap(), known);
    let root = Root::of(single);
    let trees = Trees { content: &single, root: &root };
    assert_eq!(trees.find(&PieceLayer::new(&layer).root(PIECE)), Some(0));
    assert_eq!(trees.find(&[1; 32]), None);
    assert_eq!(trees.tree(0).unwrap().pieces, layer);

    let file = |first, len, root| V2File { first: PieceIndex(first), len, root };
    let files = [file(0, 32_768, [7; 32]), file(1, 40_000, [8; 32])];
    let content = TorrentContent::new(Geometry::of_files(&files, PIECE).unwrap(), known);
    let root = Root::of(content);
    assert_eq!(root, None);
    let trees = Trees { content: &content, root: &root };
    assert_eq!((trees.find(&[7; 32]), trees.find(&[8; 32])), (Some(0), Some(1)));
    assert_eq!(trees.find(&[9; 32]), None);
    assert_eq!(trees.tree(1).unwrap().pieces, &layer[1..]);
    assert!(trees.tree(2).is_none());

    let old = [[1; 20]];
    let content = TorrentContent::new(Geometry::new(9, PIECE).unwrap(), PieceHashes::new(&old));
    assert_eq!(Root::of(content), None, "version 1 has no trees");
}

/// A request takes its cost from the budget only if its answer is written.
#[test]
fn an_answer_takes_its_cost_from_the_budget() {
    let layer = hashes(4);
    let known = PieceHashes::v2(PieceLayer::new(&layer));
    let content = TorrentContent::new(Geometry::new(4 * 32_768, PIECE).unwrap(), known);
    let root = Root::of(content);
    let trees = Trees { content: &content, root: &root };
    let asked = HashRange { root: PieceLayer::new(&layer).root(PIECE), ..range(1, 0, 4, 0) };
    let slot = RequestSlot::hashes(&asked, 0);
    let mut budget = 1;
    let mut buf = [0; 53 + 4 * 32];
    for short in 0..buf.len() {
        let error = answer_hashes(&slot, trees, &mut budget, &mut buf[..short]).unwrap_err();
        assert_eq!((error.needed, budget), (53 + 4 * 32, 1));
    }
    let len = answer_hashes(&slot, trees, &mut budget, &mut buf).unwrap();
    assert_eq!((len, budget), (buf.len(), 0));
    let answer = HashMessage::decode(buf[4], &buf[5..]);
    assert_eq!(answer, Ok(Some(HashMessage::Hashes(asked, &layer))));
    assert_eq!(buf[..4], (49 + 4 * 32_u32).to_be_bytes());
    let len = answer_hashes(&slot, trees, &mut budget, &mut buf).unwrap();
    assert_eq!((len, budget), (53, 0));
    let answer = HashMessage::decode(buf[4], &buf[5..len]);
    assert_eq!(answer, Ok(Some(HashMessage::Reject(asked))), "the budget is used up");
}
