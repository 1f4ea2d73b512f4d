//! Changes of a weighted round robin, by the rules of CometBFT.

use super::{Change, MAX_POWER, UpdateError, total_of};
use crate::id::ValidatorId;
use crate::set::storage::{ValidatorParts, ValidatorPartsRef};
use crate::sort;

/// Checks changes, in CometBFT's order, and returns the priority of new validators.
pub(super) fn check(
    known: ValidatorPartsRef<'_>,
    capacity: usize,
    changes: &[Change],
) -> Result<i64, UpdateError> {
    let power_of = |id| {
        let at = known.ids.iter().position(|known| *known == id)?;
        known.weights.get(at).copied()
    };
    let mut rest = changes;
    while let [change, others @ ..] = rest {
        if others.iter().any(|other| other.id == change.id) {
            return Err(UpdateError::Duplicate(change.id));
        }
        rest = others;
    }
    if changes.iter().any(|change| change.power > MAX_POWER) {
        return Err(UpdateError::TooMuchPower);
    }
    let is_new = |change: &&Change| change.power > 0 && power_of(change.id).is_none();
    let new = changes.iter().filter(is_new).count();
    let removals = changes.iter().filter(|change| change.power == 0);
    if !changes.is_empty() && new == 0 && removals.clone().count() == known.ids.len() {
        return Err(UpdateError::Empty);
    }
    let mut removed = 0_u128;
    for removal in removals.clone() {
        let power = power_of(removal.id).ok_or(UpdateError::UnknownRemoval(removal.id))?;
        removed = removed.saturating_add(u128::from(power));
    }
    let mut before_removals = u128::from(total_of(known.weights));
    for change in changes.iter().filter(|change| change.power > 0) {
        let old = power_of(change.id).unwrap_or(0);
        before_removals = before_removals.saturating_add(u128::from(change.power));
        before_removals = before_removals.saturating_sub(u128::from(old));
    }
    if before_removals.saturating_sub(removed) > u128::from(MAX_POWER) {
        return Err(UpdateError::TooMuchPower);
    }
    let kept = known.ids.len().saturating_sub(removals.count());
    if kept.saturating_add(new) > capacity {
        return Err(UpdateError::Full { capacity });
    }
    let delay = before_removals.saturating_add(before_removals >> 3);
    Ok(i64::try_from(delay).unwrap_or(i64::MAX).saturating_neg())
}

/// Applies changes that were checked, and returns the number of validators.
pub(super) fn apply(
    parts: &mut ValidatorParts<'_>,
    mut len: usize,
    changes: &[Change],
    priority_of_new: i64,
) -> usize {
    let position =
        |ids: &[ValidatorId], len, id| ids.iter().take(len).position(|known| *known == id);
    for change in changes.iter().filter(|change| change.power == 0) {
        let Some(at) = position(parts.ids, len, change.id) else { continue };
        parts.remove(at, len);
        if let Some(tail @ [_, ..]) = parts.index.get_mut(at..len) {
            tail.rotate_left(1);
        }
        len = len.saturating_sub(1);
        set(parts.index, len, 0);
    }
    for change in changes.iter().filter(|change| change.power > 0) {
        if let Some(at) = position(parts.ids, len, change.id) {
            set(parts.weights, at, change.power);
        } else {
            parts.insert(len, len, change.id, change.power);
            set(parts.index, len, priority_of_new.cast_unsigned());
            len = len.saturating_add(1);
        }
    }
    len
}

/// Sorts by power, the greatest first, then by id: a heap sort, since the columns move together.
pub(super) fn sort(validators: &mut ValidatorParts<'_>) {
    let len = validators.ids.len();
    if (1..len).all(|at| comes_before(validators, at.saturating_sub(1), at)) {
        return;
    }
    for root in (0..len / 2).rev() {
        sift_down(validators, root, len);
    }
    for end in (1..len).rev() {
        swap(validators, 0, end);
        sift_down(validators, 0, end);
    }
}

/// Moves the validator at `root` down the heap of the first `len`, until none below it belongs behind it.
fn sift_down(validators: &mut ValidatorParts<'_>, mut root: usize, len: usize) {
    loop {
        let left = root.saturating_mul(2).saturating_add(1);
        let right = left.saturating_add(1);
        if left >= len {
            return;
        }
        let child = if right < len && comes_before(validators, left, right) { right } else { left };
        if !comes_before(validators, root, child) {
            return;
        }
        swap(validators, root, child);
        root = child;
    }
}

fn comes_before(validators: &ValidatorParts<'_>, one: usize, other: usize) -> bool {
    let power = |at| validators.weights.get(at);
    let id = |at| validators.ids.get(at);
    power(other).cmp(&power(one)).then_with(|| id(one).cmp(&id(other))).is_lt()
}

fn swap(validators: &mut ValidatorParts<'_>, one: usize, other: usize) {
    sort::swap(validators.ids, one, other);
    sort::swap(validators.weights, one, other);
    sort::swap(validators.index, one, other);
}

fn set(column: &mut [u64], at: usize, value: u64) {
    if let Some(word) = column.get_mut(at) {
        *word = value;
    }
}
