//! A recount of all that the picker keeps up to date; for tests.

use super::block_slot::{BlockSlot, Progress};
use super::partial::{PartialSlot, Phase};
use super::pieces::{PieceSlot, lane};
use super::rarest::RarestSlot;
use super::{NORMAL, PickerPartsRef, State};
use crate::block::PieceIndex;
use crate::geometry::Geometry;
use crate::index::{count, slot};

pub(super) fn is_sound(
    state: &State,
    PickerPartsRef { geometry, pieces, rarest, partials, blocks }: PickerPartsRef<'_>,
) -> bool {
    are_pieces_sound(state, pieces, partials)
        && is_list_sound(state, pieces, rarest)
        && are_rings_sound(state, partials)
        && are_partials_sound(state, geometry, partials, blocks)
}

/// Each piece is wanted, skipped, open or there; and the counts say so.
fn are_pieces_sound(state: &State, pieces: &[PieceSlot], partials: &[PartialSlot]) -> bool {
    let mut had = 0_u32;
    let mut candidates = 0_u32;
    let mut by_priority = [0_u32; 8];
    let all = (0..state.shape.pieces()).map(PieceIndex);
    let each = all.into_iter().all(|piece| {
        let Some(word) = pieces.get(slot(piece.0 / 64)) else { return false };
        let bit = lane(piece);
        let open = state.find(partials, piece).is_some();
        let is_wanted = word.wanted & bit != 0;
        let is_had = word.had & bit != 0;
        let priority = word.priority(bit);
        had = had.saturating_add(u32::from(is_had));
        candidates = candidates.saturating_add(u32::from(is_wanted));
        if let Some(class) = by_priority.get_mut(slot(priority)) {
            *class = class.saturating_add(u32::from(is_wanted));
        }
        let within = (state.cursors.0..state.cursors.1).contains(&(piece.0 / 64));
        is_wanted == (!is_had && !open && priority > 0)
            && !(is_had && open)
            && (!is_wanted || within)
            && (state.weighted || priority == NORMAL)
            && word.count(bit, 16) == word.count(bit, state.height)
    });
    each && had == state.had
        && candidates == state.candidates
        && by_priority == state.by_priority
        && (0..8).zip(by_priority).all(|(class, n)| (state.present >> class & 1 == 1) == (n > 0))
}

/// Every candidate that some peer has and whose key is below the ceiling is in the list, and no piece is twice. The list
/// is sorted, and the key of no candidate is lower than that of its entry, unless the list was given up.
fn is_list_sound(state: &State, pieces: &[PieceSlot], list: &[RarestSlot]) -> bool {
    let front = &state.rarest_list;
    let entries = front.entries(list);
    let mut pairs = entries.windows(2);
    let sorted = pairs.all(|pair| matches!(pair, [a, b] if a.key() <= b.key()));
    let mut listed = 0_usize;
    let all = (0..state.shape.pieces()).map(PieceIndex);
    let complete = all.into_iter().all(|piece| {
        let Some(word) = pieces.get(slot(piece.0 / 64)) else { return false };
        let bit = lane(piece);
        let held = state.seeds > 0 || word.count(bit, state.height) > 0;
        let is_listed = word.listed & bit != 0;
        listed = listed.saturating_add(usize::from(is_listed));
        word.wanted & bit == 0 || !held || state.key(word, bit) >= front.ceiling || is_listed
    });
    let mut exact = entries.iter().map(|entry| {
        let word = pieces.get(slot(entry.piece.0 / 64))?;
        let bit = lane(entry.piece);
        let low = entry.key() <= state.key(word, bit);
        let ignored = word.wanted & bit == 0 || entry.key() > front.ceiling;
        (word.listed & bit != 0 && (low || ignored)).then_some(())
    });
    sorted && complete && listed == entries.len() && exact.all(|found| found.is_some())
}

/// Every slot is in the ring of its phase, once.
fn are_rings_sound(state: &State, partials: &[PartialSlot]) -> bool {
    let phases = [Phase::Unused, Phase::Open, Phase::Busy, Phase::Full, Phase::Checking];
    let mut total = 0_u16;
    let each = phases.into_iter().all(|phase| {
        let most = usize::from(state.partials).saturating_add(1);
        state.ring(partials, phase).take(most).all(|(_, partial)| {
            total = total.saturating_add(1);
            partial.phase == phase
        })
    });
    each && total == state.partials
}

fn are_partials_sound(
    state: &State,
    geometry: Geometry<'_>,
    partials: &[PartialSlot],
    blocks: &[BlockSlot],
) -> bool {
    let rows = blocks.chunks(state.shape.stride().max(1));
    let mut rooms = partials.iter().zip(rows).zip(0..state.partials);
    rooms.all(|((partial, row), at)| {
        if partial.phase == Phase::Unused {
            return true;
        }
        let total = geometry.blocks(partial.piece);
        let row = row.get(..slot(total)).unwrap_or_default();
        let with = |progress| count(row.iter().filter(|entry| entry.progress == progress).count());
        let there = [Progress::Received, Progress::Restored, Progress::Padding].map(with);
        let mut asked = row.iter().map(BlockSlot::requesters);
        let first_free = row.iter().position(|entry| entry.progress == Progress::Free);
        let full = matches!(partial.phase, Phase::Full | Phase::Checking);
        state.find(partials, partial.piece) == Some(at)
            && full == (partial.received == total)
            && (full || (partial.phase == Phase::Open) == (partial.free > 0))
            && with(Progress::Free) == partial.free
            && there.into_iter().fold(0, u32::saturating_add) == partial.received
            && asked.all(|[first, second]| first.is_none() || first != second)
            && (partial.free == 0 || first_free.is_some_and(|at| at >= slot(partial.next_free)))
    })
}
