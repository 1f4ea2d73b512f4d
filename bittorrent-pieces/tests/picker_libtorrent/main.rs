//! The cases of libtorrent's tests of its piece picker, by their names: each is a test here that holds the
//! same rule against this picker, or the table has the reason why it cannot.

mod blocks;
#[path = "../cases/mod.rs"]
mod cases;
mod counts;
mod cursors;
mod order;
mod padding;

use bittorrent_pieces::picker::{Order, Selection};
use cases::Case;

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
    let sources = [
        include_str!("blocks.rs"),
        include_str!("counts.rs"),
        include_str!("cursors.rs"),
        include_str!("order.rs"),
        include_str!("padding.rs"),
    ];
    cases::assert_accounted(&sources.concat(), CASES, 98);
}

pub(crate) fn sequential(case: Case) -> Case {
    case.policy(|policy| policy.order = Order::Sequential)
}

pub(crate) fn reverse() -> Selection<'static> {
    let mut want = Selection::new();
    want.reverse = true;
    want
}

pub(crate) fn whole(pieces: u32) -> Selection<'static> {
    let mut want = Selection::new();
    want.whole = pieces;
    want
}

pub(crate) const ANY: fn() -> Selection<'static> = Selection::new;
