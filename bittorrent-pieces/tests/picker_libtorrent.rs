//! The cases of libtorrent's tests of its piece picker, by their names: each is a test here that holds the
//! same rule against this picker, or the table says why it cannot.

mod cases;

use bittorrent_pieces::{Holds, Order, PieceIndex, PieceState, Priority, Received, Want, Weights};
use cases::{A, B, C, Case, PIECE, bits, peers, with};

const NO_DISK: &str = "storage is the caller's: blocks are never in the state of being written";
const NO_STATISTICS: &str = "the picker keeps no such figure";
const NO_PAD_CALL: &str = "padding is asked for when a piece is opened, not marked before: see \
    set_pad_bytes and mark_as_pad";

/// Names, and why there is no test. Names with a star stand for a group.
const CASES: &[(&str, &str)] = &[
    ("piece_block", ""),
    ("abort_download_states", ""),
    ("abort_download", ""),
    ("abort_download2", ""),
    ("get_downloaders", ""),
    ("clear_peer", ""),
    ("mark_as_canceled", ""),
    ("write_failed", NO_DISK),
    ("write_failed_clear_piece", NO_DISK),
    ("restore_piece", ""),
    ("restore_piece_finished_blocks", ""),
    ("restore_piece_downloading_blocks", ""),
    ("started_hash_job", ""),
    ("piece_block_exported", "blocks are values and have no exported state"),
    ("pick_lowest_availability", ""),
    ("random_pick_at_same_priority", ""),
    ("pick_highest_priority", ""),
    ("reverse_rarest_first", ""),
    ("pick_whole_pieces", ""),
    ("distributed_copies", NO_STATISTICS),
    ("filtered_pieces", ""),
    ("dont_pick_requested_blocks", ""),
    ("downloading_piece_priority", ""),
    ("partial_piece_order_rarest_first", ""),
    ("partial_piece_order_most_complete", ""),
    ("partial_piece_order_sequential", ""),
    ("random_picking_downloading_piece", ""),
    ("random_picking_downloading_piece_prefer_contiguous", ""),
    ("random_pick", ""),
    ("picking_downloading_blocks", ""),
    ("piece_priorities", ""),
    ("parole_mode", ""),
    ("suggested_pieces", ""),
    ("reversed_peers", ""),
    ("reversed_piece_upgrade", "a piece is not marked by the kind of peer that opened it"),
    ("reversed_piece_downgrade", "a piece is not marked by the kind of peer that opened it"),
    ("reprioritize_downloading", ""),
    ("reprioritize_fully_downloading", ""),
    ("download_filtered_piece", ""),
    ("prefer_contiguous_no_duplicates", ""),
    ("prefer_contiguous_suggested", ""),
    ("prefer_cnotiguous_blocks", ""),
    ("prefer_aligned_whole_pieces", ""),
    ("sequential_download", ""),
    ("reverse_sequential_download", ""),
    ("priority_sequential_download", ""),
    ("cursors", ""),
    ("cursors_sweep_up_we_have", ""),
    ("cursors_sweep_down_we_have", ""),
    ("cursors_sweep_in_we_have", ""),
    ("cursors_sweep_up_set_piece_priority", ""),
    ("cursors_sweep_down_set_piece_priority", ""),
    ("cursors_sweep_in_set_priority", ""),
    ("cursors_sweep_up_we_dont_have", ""),
    ("cursors_sweep_down_we_dont_have", ""),
    ("cursors_sweep_out_we_dont_have", ""),
    ("have_all_have_none_seq_download", ""),
    ("have_all_have_none", ""),
    ("inc_ref_dec_ref", ""),
    ("dec_refcount_split_seed", ""),
    ("break_one_seed", ""),
    ("bitfield_optimization", ""),
    ("seed_optimization", ""),
    ("resize", "the number of pieces is known before there is a picker"),
    ("we_have_all", ""),
    ("we_dont_have", ""),
    ("we_dont_have2", ""),
    ("piece_stats", ""),
    ("piece_passed", ""),
    (
        "piece_passed_causing_we_have",
        "a piece that passed is there: storage comes before the check",
    ),
    ("dont_have_but_passed_hash_check", ""),
    ("set_piece_priority_passed_hash_check", ""),
    ("set_piece_priority_passed_hash_check_unfilter", ""),
    ("set_piece_priority_passed_hash_check_bulk_filter", ""),
    ("get_download_queue", NO_STATISTICS),
    ("get_download_queue_size", NO_STATISTICS),
    ("invalid_piece_size", ""),
    ("set_pad_bytes", ""),
    ("set_pad_bytes_overflow", ""),
    ("pad_bytes_*", NO_STATISTICS),
    ("num_pad_bytes_*", NO_STATISTICS),
    ("mark_as_pad", ""),
    ("mark_as_pad_downloading", ""),
    ("mark_as_pad_seeding", ""),
    ("mark_as_pad_whole_piece_seeding", ""),
    ("mark_as_pad_*", NO_PAD_CALL),
    ("pad_blocks_in_piece", ""),
    ("pad_blocks_in_last_piece", ""),
    ("pad_blocks_all_filtered", ""),
    ("pad_blocks_all_wanted", NO_STATISTICS),
    ("pad_blocks_some_wanted", NO_STATISTICS),
    ("have_dont_want_pad_bytes", NO_STATISTICS),
    ("piece_extent_affinity", ""),
    ("piece_extent_affinity_priority", ""),
    ("piece_extent_affinity_large_pieces", ""),
    ("piece_extent_affinity_active_limit", ""),
    ("piece_extent_affinity_clear_done", ""),
    ("piece_extent_affinity_no_duplicates", ""),
];

/// 95 names, and three groups for the other 14 of the 109.
#[test]
fn every_case_is_accounted_for() {
    cases::assert_accounted(include_str!("picker_libtorrent.rs"), CASES, CASES.len());
    assert_eq!(CASES.len(), 98);
}

fn sequential(case: Case) -> Case {
    case.policy(|policy| policy.order = Order::Sequential)
}

fn reverse() -> Want<'static> {
    let mut want = Want::new();
    want.reverse = true;
    want
}

fn whole(pieces: u32) -> Want<'static> {
    let mut want = Want::new();
    want.whole = pieces;
    want
}

const ANY: fn() -> Want<'static> = Want::new;

#[test]
fn piece_block() {
    let case = peers(&[1, 1]);
    assert_eq!(case.block(0, 1).begin, 16_384);
    assert!(case.block(0, 3) < case.block(1, 0) && case.block(0, 0) < case.block(0, 1));
}

#[test]
fn abort_download_states() {
    let mut case = peers(&[1]);
    case.open(A, 0, 2);
    assert_ne!(case.receive(A, 0, 0), Received::Unwanted);
    let (got, asked, free) = (case.block(0, 0), case.block(0, 1), case.block(0, 2));
    assert!(!case.picker.release(A, got), "it is there");
    assert!(!case.picker.release(A, free), "nobody was asked");
    assert!(case.picker.release(A, asked));
    assert_eq!(case.state(0), Some(PieceState::Open));
}

#[test]
fn abort_download() {
    let mut case = peers(&[1]);
    case.open(A, 0, 4);
    assert_eq!(case.first(&ANY()), None);
    let block = case.block(0, 2);
    assert!(case.picker.release(A, block));
    assert_eq!(case.propose(B, &[0], &ANY()), [(0, 2)]);
}

#[test]
fn abort_download2() {
    let mut case = peers(&[1, 1]);
    case.open(A, 0, 1);
    let block = case.block(0, 0);
    assert!(case.picker.release(A, block) && !case.picker.release(A, block));
    assert!(case.ask(B, 0, 0), "it may be asked for again");
}

#[test]
fn get_downloaders() {
    let mut case = peers(&[3]);
    case.open(A, 0, 4);
    let all = Holds::All;
    let twice = case.picker.pick_endgame(B, &all, &ANY()).unwrap();
    assert_eq!(case.picker.requesters(twice), [Some(A), Some(B)]);
    assert_eq!(case.picker.receive(B, twice, 0), Received::Accepted { also: Some(A), full: false });
    assert_eq!(case.picker.requesters(twice), [None, None]);
}

#[test]
fn clear_peer() {
    let mut case = peers(&[1, 1]);
    case.open(A, 0, 2);
    case.open(B, 1, 1);
    assert_ne!(case.receive(A, 0, 0), Received::Unwanted);
    case.picker.abandon(A);
    let asked = case.block(0, 1);
    assert_eq!(case.picker.requesters(asked), [None, None]);
    assert_eq!(case.picker.requesters(case.block(1, 0)), [Some(B), None], "others keep theirs");
    assert_eq!(case.propose(C, &[0], &ANY()), [(0, 1), (0, 2), (0, 3)], "what came stays");
}

#[test]
fn mark_as_canceled() {
    let mut case = peers(&[2]);
    case.open(A, 0, 4);
    let twice = case.picker.pick_endgame(B, &Holds::All, &ANY()).unwrap();
    assert!(case.picker.release(A, twice));
    assert_eq!(case.picker.requesters(twice), [Some(B), None]);
    assert_eq!(case.picker.receive(A, twice, 0), Received::Unwanted);
}

#[test]
fn restore_piece() {
    let mut case = peers(&[1, 1]);
    case.fill(A, 0);
    assert_eq!(case.picker.failed(PieceIndex(0)).unwrap().sole, Some(A));
    assert_eq!(case.propose(B, &[0], &ANY()).len(), 4, "all of it again");
}

#[test]
fn restore_piece_finished_blocks() {
    let mut case = peers(&[1, 1]);
    case.fill(A, 0);
    case.open(A, 1, 1);
    assert_ne!(case.receive(A, 1, 0), Received::Unwanted);
    assert!(case.picker.failed(PieceIndex(0)).is_some());
    assert_eq!(case.propose(B, &[1], &ANY()).len(), 3, "other pieces lose nothing");
}

#[test]
fn restore_piece_downloading_blocks() {
    let mut case = peers(&[1, 1]);
    case.open(A, 0, 4);
    (0..4).for_each(|number| assert_ne!(case.receive(A, 0, number), Received::Unwanted));
    assert!(case.picker.failed(PieceIndex(0)).is_none(), "nobody was told to check it");
    assert_eq!(case.picker.next_full(), Some(PieceIndex(0)));
    assert!(case.picker.failed(PieceIndex(0)).is_some());
}

#[test]
fn started_hash_job() {
    let mut case = peers(&[1]);
    case.fill(A, 0);
    assert_eq!((case.state(0), case.picker.next_full()), (Some(PieceState::Full), None));
    assert!(!case.ask(B, 0, 0), "while it is checked nobody is asked for it");
}

#[test]
fn pick_lowest_availability() {
    let mut case = peers(&[3, 1, 5, 2]);
    assert_eq!(case.order(&ANY()), [1, 3, 0, 2]);
}

#[test]
fn random_pick_at_same_priority() {
    let first = |seed| with(8 * u64::from(PIECE), PIECE, &[2; 8], seed).first(&ANY()).unwrap();
    let mut hits = [0_u32; 8];
    (0..400).for_each(|seed| hits[first(seed) as usize] += 1);
    assert!(hits.iter().all(|hits| (25..80).contains(hits)), "{hits:?}");
}

#[test]
fn pick_highest_priority() {
    let mut case = peers(&[1, 2, 2, 2]).priorities(&[1, 4, 6, 2]);
    assert_eq!(case.order(&ANY()), [2, 1, 3, 0], "a priority goes before rarity");
    let product = |policy: &mut bittorrent_pieces::Policy| policy.weights = Weights::Product;
    let mut case = peers(&[1, 5, 4]).policy(product).priorities(&[4, 6, 6]);
    assert_eq!(case.order(&ANY()), [0, 2, 1], "(1 + 1) * 4, (4 + 1) * 2, (5 + 1) * 2");
}

#[test]
fn reverse_rarest_first() {
    let mut case = peers(&[3, 1, 5, 2]);
    assert_eq!(case.order(&reverse()), [2, 0, 3, 1]);
}

#[test]
fn pick_whole_pieces() {
    let mut case = peers(&[2, 1]);
    case.open(A, 0, 1);
    let fast = case.propose(B, &[0, 1], &whole(1));
    assert_eq!(fast[..4], [(1, 0), (1, 1), (1, 2), (1, 3)], "a piece of its own");
    assert_eq!(fast[4..], [(0, 1), (0, 2), (0, 3)], "then parts of others");
    assert_eq!(case.propose(A, &[0, 1], &whole(1))[0], (0, 1), "its own is finished first");
}

#[test]
fn filtered_pieces() {
    let mut case = peers(&[1, 1, 2, 3]).priorities(&[0, 4, 0, 4]);
    assert_eq!(case.order(&ANY()), [1, 3]);
    assert!(!case.ask(A, 0, 0));
}

#[test]
fn dont_pick_requested_blocks() {
    let mut case = peers(&[1]);
    case.open(A, 0, 3);
    assert_eq!(case.propose(B, &[0], &ANY()), [(0, 3)]);
    assert!(!case.ask(B, 0, 1));
}

#[test]
fn downloading_piece_priority() {
    let mut case = peers(&[1, 5]);
    case.open(A, 1, 1);
    assert_eq!(case.first(&ANY()), Some(1), "open pieces go before rarer ones");
}

#[test]
fn partial_piece_order_rarest_first() {
    let mut case = peers(&[5, 2, 4, 9]);
    for piece in [0, 1, 2] {
        case.open(A, piece, 1);
    }
    let order: Vec<u32> = case.propose(B, &[0, 1, 2, 3], &ANY()).iter().map(|at| at.0).collect();
    assert_eq!(order[..9], [1, 1, 1, 2, 2, 2, 0, 0, 0]);
}

#[test]
fn partial_piece_order_most_complete() {
    let mut case = peers(&[1, 2, 3]);
    for (piece, blocks) in [(0, 1), (1, 3), (2, 2)] {
        case.open(A, piece, blocks);
    }
    let order = case.propose(B, &[0, 1, 2], &ANY());
    assert_eq!(order, [(1, 3), (2, 2), (2, 3), (0, 1), (0, 2), (0, 3)]);
}

#[test]
fn partial_piece_order_sequential() {
    let mut case = sequential(peers(&[1, 2, 3]));
    for (piece, blocks) in [(2, 3), (1, 1)] {
        case.open(A, piece, blocks);
    }
    assert_eq!(case.propose(B, &[1, 2], &ANY())[0], (1, 1));
}

#[test]
fn random_picking_downloading_piece() {
    let mut case = peers(&[1; 4]).policy(|policy| policy.random_first = 9);
    case.open(A, 2, 1);
    assert_eq!(case.first(&ANY()), Some(2));
}

#[test]
fn random_picking_downloading_piece_prefer_contiguous() {
    let mut case = peers(&[1; 4]).policy(|policy| policy.random_first = 9);
    case.open(A, 2, 1);
    assert_ne!(case.first(&whole(1)), Some(2), "a fast peer gets a piece of its own");
}

#[test]
fn random_pick() {
    let random = |policy: &mut bittorrent_pieces::Policy| policy.random_first = u32::MAX;
    let mut seen = [false; 4];
    for seed in 0..100 {
        let mut case = with(4 * u64::from(PIECE), PIECE, &[1, 2, 3, 4], seed).policy(random);
        seen[case.first(&ANY()).unwrap() as usize] = true;
    }
    assert_eq!(seen, [true; 4], "however rare");
}

#[test]
fn picking_downloading_blocks() {
    let mut case = peers(&[2, 2]);
    case.open(A, 0, 4);
    assert_eq!(case.picker.pick_endgame(B, &Holds::All, &ANY()), None, "piece 1 is free");
    case.open(A, 1, 4);
    assert!(case.picker.pick_endgame(A, &Holds::All, &ANY()).is_none(), "not of the same peer");
    assert!(case.picker.pick_endgame(B, &Holds::All, &ANY()).is_some());
}

#[test]
fn piece_priorities() {
    let mut case = peers(&[1; 7]).priorities(&[1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(case.order(&ANY()), [6, 5, 4, 3, 2, 1, 0]);
    assert_eq!(case.picker.priority(PieceIndex(6)), Priority::HIGH);
}

#[test]
fn parole_mode() {
    let mut want = Want::new();
    want.exclusive = true;
    let mut case = peers(&[1, 2]);
    case.open(A, 0, 1);
    assert!(case.propose(B, &[0], &want).is_empty(), "nothing of what others give");
    case.open(B, 1, 2);
    assert_eq!(case.propose(B, &[0, 1], &want), [(1, 2), (1, 3)]);
}

#[test]
fn suggested_pieces() {
    let suggested = [PieceIndex(3), PieceIndex(9), PieceIndex(2)];
    let mut want = Want::new();
    want.suggested = &suggested;
    let mut case = peers(&[1, 1, 4, 5]);
    assert_eq!(case.propose(A, &[0, 1, 2, 3], &want)[0], (3, 0));
    assert_eq!(case.propose(A, &[0, 1, 2], &want)[0], (2, 0), "it must have them");
    assert_ne!(case.first(&ANY()), Some(3));
}

#[test]
fn reversed_peers() {
    let mut case = peers(&[1, 3, 2]);
    case.open(A, 0, 1);
    assert_eq!(case.first(&reverse()), Some(1), "not what others wait for, and the most common");
    assert_eq!(case.first(&ANY()), Some(0));
}

#[test]
fn reprioritize_downloading() {
    let mut case = peers(&[1, 1]);
    case.open(A, 0, 1);
    case.open(A, 1, 1);
    case.priority(1, 7);
    assert_eq!(case.first(&ANY()), Some(1));
    case.priority(1, 0);
    assert_eq!(case.order(&ANY()), [0]);
    assert_eq!(case.state(1), Some(PieceState::Open), "what there is of it stays");
}

#[test]
fn reprioritize_fully_downloading() {
    let mut case = peers(&[1, 1]);
    case.open(A, 0, 4);
    case.priority(0, 7);
    assert_eq!(case.first(&ANY()), Some(1), "all of it is asked for");
    case.priority(0, 0);
    case.open(A, 1, 4);
    let twice = case.picker.pick_endgame(B, &Holds::All, &ANY()).unwrap();
    assert_eq!(twice.piece, PieceIndex(1), "nor at the end");
}

#[test]
fn download_filtered_piece() {
    let mut case = peers(&[1, 2]);
    case.open(A, 0, 1);
    case.priority(0, 0);
    assert_ne!(case.receive(A, 0, 0), Received::Unwanted, "it was under way");
    assert_eq!(case.first(&ANY()), Some(1));
    case.priority(0, 1);
    case.priority(1, 1);
    assert_eq!(case.propose(B, &[0, 1], &ANY())[0], (0, 1), "it goes on where it was");
}

#[test]
fn prefer_contiguous_no_duplicates() {
    let mut case = peers(&[1; 8]);
    let mut blocks = case.propose(A, &[0, 1, 2, 3, 4, 5, 6, 7], &whole(8));
    assert_eq!(blocks.len(), 32);
    blocks.dedup();
    assert_eq!(blocks.len(), 32);
}

#[test]
fn prefer_contiguous_suggested() {
    let suggested = [PieceIndex(5)];
    let mut want = whole(4);
    want.suggested = &suggested;
    let mut case = peers(&[1; 8]);
    let blocks = case.propose(A, &[0, 1, 2, 3, 4, 5, 6, 7], &want);
    assert_eq!(blocks[..4], [(5, 0), (5, 1), (5, 2), (5, 3)]);
    assert_eq!(blocks.iter().filter(|at| at.0 == 5).count(), 4, "once");
}

#[test]
fn prefer_cnotiguous_blocks() {
    let mut case = peers(&[5, 5, 1, 5, 5, 5]);
    let pieces: Vec<u32> =
        case.propose(A, &[0, 1, 2, 3, 5], &whole(4)).iter().map(|at| at.0).collect();
    assert_eq!(pieces.chunks(4).map(|piece| piece[0]).collect::<Vec<_>>(), [0, 1, 2, 3]);
    let alone: Vec<u32> = case.propose(A, &[0, 2, 5], &whole(4)).iter().map(|at| at.0).collect();
    assert_eq!(alone, [2; 4], "its neighbours are missing");
}

#[test]
fn prefer_aligned_whole_pieces() {
    let mut case = peers(&[5, 5, 5, 5, 5, 1, 5, 5, 5]);
    let all = [0, 1, 2, 3, 4, 5, 6, 7, 8];
    let pieces: Vec<u32> = case.propose(A, &all, &whole(4)).iter().map(|at| at.0).collect();
    assert_eq!(pieces.chunks(4).map(|piece| piece[0]).collect::<Vec<_>>(), [4, 5, 6, 7]);
}

#[test]
fn sequential_download() {
    let mut case = sequential(peers(&[3, 1, 5, 2]));
    assert_eq!(case.order(&ANY()), [0, 1, 2, 3]);
}

#[test]
fn reverse_sequential_download() {
    let mut case = sequential(peers(&[3, 1, 5, 2]));
    assert_eq!(case.order(&reverse()), [3, 2, 1, 0]);
}

#[test]
fn priority_sequential_download() {
    let mut case = sequential(peers(&[1; 6])).priorities(&[4, 7, 4, 7, 1, 0]);
    assert_eq!(case.order(&ANY()), [1, 3, 0, 2, 4]);
}

/// Sequential, over two words of pieces: the ends that pieces were taken from do not matter.
fn ends(order: &mut dyn FnMut(&mut Case)) -> (Option<u32>, Option<u32>) {
    let mut case = sequential(peers(&[1; 130]));
    assert_eq!((case.first(&ANY()), case.first(&reverse())), (Some(0), Some(129)));
    order(&mut case);
    (case.first(&ANY()), case.first(&reverse()))
}

#[test]
fn cursors() {
    assert_eq!(ends(&mut |_| {}), (Some(0), Some(129)));
}

#[test]
fn cursors_sweep_up_we_have() {
    assert_eq!(
        ends(&mut |case| (0..100).for_each(|piece| case.get(piece))),
        (Some(100), Some(129))
    );
}

#[test]
fn cursors_sweep_down_we_have() {
    let found = ends(&mut |case| (20..130).rev().for_each(|piece| case.get(piece)));
    assert_eq!(found, (Some(0), Some(19)));
}

#[test]
fn cursors_sweep_in_we_have() {
    let found = ends(&mut |case| {
        for step in 0..64 {
            case.get(step);
            case.get(129 - step);
        }
    });
    assert_eq!(found, (Some(64), Some(65)));
}

#[test]
fn cursors_sweep_up_set_piece_priority() {
    let found = ends(&mut |case| (0..100).for_each(|piece| case.priority(piece, 0)));
    assert_eq!(found, (Some(100), Some(129)));
}

#[test]
fn cursors_sweep_down_set_piece_priority() {
    let found = ends(&mut |case| (20..130).rev().for_each(|piece| case.priority(piece, 0)));
    assert_eq!(found, (Some(0), Some(19)));
}

#[test]
fn cursors_sweep_in_set_priority() {
    let found = ends(&mut |case| {
        for step in 0..65 {
            case.priority(step, 0);
            case.priority(129 - step, 0);
        }
        assert_eq!(case.first(&ANY()), None);
        case.priority(70, 1);
    });
    assert_eq!(found, (Some(70), Some(70)));
}

fn lose_all(case: &mut Case, pieces: impl Iterator<Item = u32>) {
    (0..130).for_each(|piece| case.get(piece));
    assert_eq!(case.first(&ANY()), None);
    pieces.for_each(|piece| assert!(case.picker.lose(PieceIndex(piece))));
}

#[test]
fn cursors_sweep_up_we_dont_have() {
    assert_eq!(ends(&mut |case| lose_all(case, 3..90)), (Some(3), Some(89)));
}

#[test]
fn cursors_sweep_down_we_dont_have() {
    assert_eq!(ends(&mut |case| lose_all(case, (40..128).rev())), (Some(40), Some(127)));
}

#[test]
fn cursors_sweep_out_we_dont_have() {
    let found = ends(&mut |case| lose_all(case, [64, 65, 63, 70, 2, 129].into_iter()));
    assert_eq!(found, (Some(2), Some(129)));
}

#[test]
fn have_all_have_none_seq_download() {
    let mut case = sequential(peers(&[0; 4]));
    case.picker.join(&Holds::All);
    assert_eq!(case.first(&ANY()), Some(0));
    assert!(case.propose(A, &[], &ANY()).is_empty(), "a peer with nothing is asked for nothing");
}

#[test]
fn have_all_have_none() {
    let mut case = peers(&[1, 0, 2]);
    case.picker.join(&Holds::All);
    case.picker.join(&Holds::Some(bits(3, []).as_view()));
    assert_eq!([0, 1, 2].map(|piece| case.peers(piece)), [2, 1, 3]);
    assert_eq!(case.order(&ANY()), [1, 0, 2]);
    case.picker.leave(&Holds::All);
    assert_eq!([0, 1, 2].map(|piece| case.peers(piece)), [1, 0, 2]);
}

#[test]
fn inc_ref_dec_ref() {
    let mut case = peers(&[2, 2, 2]);
    case.picker.have(PieceIndex(0));
    case.picker.dont_have(PieceIndex(2));
    assert_eq!([0, 1, 2].map(|piece| case.peers(piece)), [3, 2, 1]);
    assert_eq!(case.order(&ANY()), [2, 1, 0]);
}

#[test]
fn dec_refcount_split_seed() {
    let mut case = peers(&[0; 3]);
    case.picker.join(&Holds::All);
    // A seed that lost a piece is a peer with the others.
    case.picker.leave(&Holds::All);
    case.picker.join(&Holds::Some(bits(3, [0, 2]).as_view()));
    assert_eq!([0, 1, 2].map(|piece| case.peers(piece)), [1, 0, 1]);
}

#[test]
fn break_one_seed() {
    let mut case = peers(&[0; 3]);
    (0..3).for_each(|_| case.picker.join(&Holds::All));
    case.picker.leave(&Holds::All);
    case.picker.join(&Holds::Some(bits(3, [1]).as_view()));
    assert_eq!([0, 1, 2].map(|piece| case.peers(piece)), [2, 3, 2]);
}

#[test]
fn bitfield_optimization() {
    let mut case = peers(&[0; 200]);
    let field = bits(200, (0..200).filter(|piece| piece % 3 == 0));
    (0..300).for_each(|_| case.picker.join(&Holds::Some(field.as_view())));
    assert!((0..200).all(|piece| case.peers(piece) == if piece % 3 == 0 { 300 } else { 0 }));
    (0..300).for_each(|_| case.picker.leave(&Holds::Some(field.as_view())));
    assert!((0..200).all(|piece| case.peers(piece) == 0) && case.picker.is_sound());
}

#[test]
fn seed_optimization() {
    let mut case = peers(&[1; 1000]);
    let before = case.picker.steps();
    (0..1000).for_each(|_| case.picker.join(&Holds::All));
    assert_eq!(case.picker.steps(), before, "a seed is one count, however many the pieces");
    assert_eq!(case.peers(999), 1001);
}

#[test]
fn we_have_all() {
    let mut case = peers(&[1; 3]);
    (0..3).for_each(|piece| case.get(piece));
    assert_eq!((case.picker.have_count(), case.first(&ANY())), (3, None));
    assert_eq!(case.picker.pick_endgame(B, &Holds::All, &ANY()), None);
}

#[test]
fn we_dont_have() {
    let mut case = peers(&[1, 1]);
    assert!(!case.picker.lose(PieceIndex(0)), "it was never there");
    case.get(0);
    assert!(case.picker.lose(PieceIndex(0)));
    assert_eq!((case.picker.have_count(), case.state(0)), (0, Some(PieceState::Missing)));
}

#[test]
fn we_dont_have2() {
    let mut case = peers(&[1, 3, 3]);
    (0..3).for_each(|piece| case.get(piece));
    case.picker.lose(PieceIndex(2));
    case.picker.lose(PieceIndex(0));
    assert_eq!(case.order(&ANY()), [0, 2], "by rarity as ever");
}

#[test]
fn piece_stats() {
    let mut case = peers(&[2, 1, 0]);
    case.open(A, 0, 1);
    case.get(1);
    let states = [0, 1, 2, 3].map(|piece| case.state(piece));
    let (open, have, missing) = (PieceState::Open, PieceState::Have, PieceState::Missing);
    assert_eq!(states, [Some(open), Some(have), Some(missing), None]);
    assert_eq!([0, 1, 2, 3].map(|piece| case.peers(piece)), [2, 1, 0, 0]);
}

#[test]
fn piece_passed() {
    let mut case = peers(&[1]);
    case.fill(A, 0);
    assert!(case.picker.passed(PieceIndex(0), |_| panic!("nobody is suspected")));
    assert_eq!((case.state(0), case.picker.have_count()), (Some(PieceState::Have), 1));
}

#[test]
fn dont_have_but_passed_hash_check() {
    let mut case = peers(&[1]);
    assert!(!case.picker.passed(PieceIndex(0), |_| {}), "nothing of it is there");
    case.open(A, 0, 4);
    assert!(!case.picker.passed(PieceIndex(0), |_| {}), "nor all of it");
    assert_eq!(case.picker.have_count(), 0);
}

#[test]
fn set_piece_priority_passed_hash_check() {
    let mut case = peers(&[1, 1]);
    case.get(0);
    case.priority(0, 7);
    assert_eq!((case.state(0), case.order(&ANY())), (Some(PieceState::Have), vec![1]));
}

#[test]
fn set_piece_priority_passed_hash_check_unfilter() {
    let mut case = peers(&[1, 1]).priorities(&[0, 4]);
    case.priority(0, 4);
    case.get(0);
    case.priority(0, 0);
    case.priority(0, 4);
    assert_eq!((case.state(0), case.order(&ANY())), (Some(PieceState::Have), vec![1]));
}

#[test]
fn set_piece_priority_passed_hash_check_bulk_filter() {
    let mut case = peers(&[1; 4]);
    case.get(2);
    let mut case = case.priorities(&[0; 4]);
    assert_eq!((case.picker.have_count(), case.first(&ANY())), (1, None));
    assert!(case.picker.is_sound());
    case.priority(3, 1);
    assert_eq!(case.order(&ANY()), [3]);
}

#[test]
fn invalid_piece_size() {
    use bittorrent_pieces::{ConfigError, Geometry};
    assert_eq!(Geometry::new(1, 0), Err(ConfigError::PieceLen));
    assert_eq!(Geometry::new(1 << 40, 1), Err(ConfigError::TooManyPieces(1 << 40)));
}

fn padded(bytes: u32, want: impl Fn(&Want<'_>)) {
    let padding = move |piece: PieceIndex| if piece.0 == 0 { bytes } else { 0 };
    let mut with_padding = Want::new();
    with_padding.padding = &padding;
    want(&with_padding);
}

#[test]
fn set_pad_bytes() {
    padded(2 * 16_384 + 5, |want| {
        let mut case = peers(&[1, 2]);
        assert_eq!(case.propose(A, &[0, 1], want), [(0, 0), (0, 1)], "two blocks are padding");
    });
}

#[test]
fn set_pad_bytes_overflow() {
    padded(u32::MAX, |want| {
        let mut case = peers(&[1, 2]);
        assert_eq!(case.propose(A, &[0, 1], want)[0], (1, 0), "no more than the piece");
        assert_eq!(case.picker.next_full(), Some(PieceIndex(0)));
    });
}

#[test]
fn mark_as_pad() {
    padded(16_384, |want| {
        let mut case = peers(&[1, 2]);
        let block = case.block(0, 0);
        assert!(case.picker.ask(A, block, want));
        assert_eq!(case.propose(B, &[0], want), [(0, 1), (0, 2)]);
    });
}

#[test]
fn mark_as_pad_downloading() {
    padded(16_384, |want| {
        let mut case = peers(&[1, 2]);
        let last = case.block(0, 3);
        assert!(!case.picker.ask(A, last, want), "nobody is asked for padding");
    });
}

#[test]
fn mark_as_pad_seeding() {
    padded(3 * 16_384, |want| {
        let mut case = peers(&[1]);
        let block = case.block(0, 0);
        assert!(case.picker.ask(A, block, want));
        assert_eq!(case.picker.receive(A, block, 0), Received::Accepted { also: None, full: true });
        assert_eq!(case.picker.next_full(), Some(PieceIndex(0)));
        assert!(case.picker.passed(PieceIndex(0), |_| {}));
        assert_eq!(case.picker.have_count(), 1);
    });
}

#[test]
fn mark_as_pad_whole_piece_seeding() {
    padded(PIECE, |want| {
        let mut case = peers(&[1, 1]);
        assert_eq!(case.propose(A, &[0], want), []);
        assert_eq!(case.picker.next_full(), Some(PieceIndex(0)), "it is full as it is");
    });
}

#[test]
fn pad_blocks_in_piece() {
    padded(3 * 16_384, |want| {
        let mut case = peers(&[1, 1]);
        assert_eq!(case.propose(A, &[0], want).len(), 1);
        assert_eq!(case.propose(A, &[1], want).len(), 4);
    });
}

#[test]
fn pad_blocks_in_last_piece() {
    padded(20_000, |want| {
        let mut case = with(50_000, PIECE, &[1], 1);
        assert_eq!(case.propose(A, &[0], want), [(0, 0), (0, 1)], "30,000 of 50,000 bytes");
        let first = case.block(0, 0);
        assert!(case.picker.ask(A, first, want));
        // After a failure the padding is still none that anybody need give.
        let second = case.block(0, 1);
        assert!(case.picker.ask(A, second, want));
        for block in [first, second] {
            assert_ne!(case.picker.receive(A, block, 0), Received::Unwanted);
        }
        assert_eq!(case.picker.next_full(), Some(PieceIndex(0)));
        assert_eq!(case.picker.failed(PieceIndex(0)).unwrap().sole, Some(A));
        assert_eq!(case.propose(B, &[0], want), [(0, 0), (0, 1)]);
    });
}

#[test]
fn pad_blocks_all_filtered() {
    padded(PIECE, |want| {
        let mut case = peers(&[1, 1]).priorities(&[0, 0]);
        assert_eq!((case.propose(A, &[0, 1], want), case.picker.next_full()), (vec![], None));
    });
}

/// Extents of 4 MiB: four pieces of 1 MiB each.
fn extents(peers: &[u32], piece_len: u32) -> Case {
    let total = u64::from(piece_len) * peers.len() as u64;
    with(total, piece_len, peers, 1).policy(|policy| policy.extents = true)
}

#[test]
fn piece_extent_affinity() {
    let mut case = extents(&[3, 3, 1, 3, 3, 2, 3, 3], 1 << 20);
    let order = case.order(&ANY());
    assert_eq!(order[0], 2);
    let mut extent = order[..4].to_vec();
    extent.sort_unstable();
    assert_eq!(extent, [0, 1, 2, 3], "then the rest of its extent, before the rarer piece 5");
}

#[test]
fn piece_extent_affinity_priority() {
    let mut case =
        extents(&[3, 3, 3, 3, 3, 2, 3, 3], 1 << 20).priorities(&[4, 3, 4, 3, 4, 5, 4, 4]);
    case.open(A, 2, 64);
    assert_eq!(case.first(&ANY()), Some(5), "a higher priority goes before an extent");
}

#[test]
fn piece_extent_affinity_large_pieces() {
    let mut case = extents(&[3, 3, 3, 2], 4 << 20);
    case.open(A, 0, 256);
    assert_eq!(case.first(&ANY()), Some(3), "pieces as long as extents have no neighbours");
}

#[test]
fn piece_extent_affinity_active_limit() {
    let mut case = extents(&[3; 12], 2 << 20);
    for piece in [0, 2, 4, 6, 8, 10] {
        case.open(A, piece, 128);
    }
    // Five are kept in mind, the newest: 11 is near one of them, 1 is not.
    assert_eq!(case.propose(B, &[1, 11], &ANY())[0], (11, 0));
    let near: Vec<u32> = [3, 5, 7, 9]
        .into_iter()
        .filter(|piece| case.propose(B, &[1, *piece], &ANY())[0].0 == *piece)
        .collect();
    assert_eq!(near, [3, 5, 7, 9]);
}

#[test]
fn piece_extent_affinity_clear_done() {
    let mut case = extents(&[3, 3, 3, 1, 2, 2], 2 << 20);
    case.open(A, 0, 128);
    case.open(A, 1, 128);
    assert_eq!(case.first(&ANY()), Some(3), "nothing is left of the extent");
}

#[test]
fn piece_extent_affinity_no_duplicates() {
    let mut case = extents(&[3; 24], 512 << 10);
    for piece in [0, 2, 4, 6, 1] {
        case.open(A, piece, 32);
    }
    case.open(A, 8, 32);
    let pieces: Vec<u32> = (9..24).collect();
    assert_eq!(case.propose(B, &pieces, &ANY())[0], (9, 0), "the second extent counts too");
}
