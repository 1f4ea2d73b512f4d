//! Priorities of a weighted round robin: a column of words that hold integers with a sign.

use crate::id::ValidatorId;
use crate::set::storage::ValidatorParts;

/// What a step found: who proposes, and the least and the greatest priority. The greatest is that of the proposer before
/// it paid.
struct Step {
    proposer: ValidatorId,
    least: i64,
    greatest: i64,
}

/// Rescales and centres, and returns whether no priority is further from 0 than rescaling promises.
pub(super) fn settle(priorities: &mut [u64], total: u64) -> bool {
    rescale(priorities, total);
    center(priorities);
    let limit = total.saturating_mul(2).saturating_add(2); // 1 for each of two roundings
    priorities.iter().all(|priority| priority.cast_signed().unsigned_abs() <= limit)
}

/// Takes steps, and returns the last proposer and whether rescaling and centring would change nothing now.
///
/// `is_settled`: the priorities are rescaled, centred and near 0. Steps keep their sum, since each adds the total power and
/// takes it away again; so they stay centred. They stay rescaled while the greatest is near the least.
pub(super) fn steps(
    mut validators: ValidatorParts<'_>,
    total: u64,
    is_settled: bool,
    count: u32,
) -> Option<(ValidatorId, bool)> {
    let total = signed(total);
    // A priority begins within 2 * total + 2, and moves by at most the total in a step.
    let cannot_overflow = total.checked_mul(i64::from(count).saturating_add(5)).is_some();
    let is_settled = is_settled && cannot_overflow;
    let mut last = None;
    for _ in 0..count {
        last = Some(if is_settled {
            step(&mut validators, total, i64::wrapping_add)?
        } else {
            step(&mut validators, total, i64::saturating_add)?
        });
    }
    let Step { proposer, least, greatest } = last?;
    let distance = greatest.checked_sub(least);
    let window = total.saturating_mul(2);
    Some((proposer, is_settled && distance.is_some_and(|distance| distance <= window)))
}

/// Takes one step: the one with the highest priority proposes, of equals the one with the lowest id. One pass, since sets
/// are larger than the fastest cache.
fn step(
    validators: &mut ValidatorParts<'_>,
    total: i64,
    add: impl Fn(i64, i64) -> i64,
) -> Option<Step> {
    let ValidatorParts { ids, weights, index } = validators;
    let mut best = 0;
    let mut least = i64::MAX;
    let mut greatest = i64::MIN;
    for (at, (word, power)) in index.iter_mut().zip(weights.iter()).enumerate() {
        let priority = add(word.cast_signed(), power.cast_signed());
        *word = priority.cast_unsigned();
        least = least.min(priority);
        if priority > greatest || (priority == greatest && ids.get(at) < ids.get(best)) {
            greatest = priority;
            best = at;
        }
    }
    let paid = greatest.saturating_sub(total);
    *index.get_mut(best)? = paid.cast_unsigned();
    Some(Step { proposer: *ids.get(best)?, least: least.min(paid), greatest })
}

/// Keeps the distance between two priorities within twice the total power. Divisions truncate.
fn rescale(priorities: &mut [u64], total: u64) {
    let window = signed(total).saturating_mul(2);
    let mut greatest = i64::MIN;
    let mut least = i64::MAX;
    for priority in priorities.iter().map(|word| word.cast_signed()) {
        greatest = greatest.max(priority);
        least = least.min(priority);
    }
    let distance = greatest.wrapping_sub(least).wrapping_abs();
    if window <= 0 || distance <= window {
        return;
    }
    let ratio = distance.saturating_add(window.saturating_sub(1)).checked_div(window).unwrap_or(1);
    for word in priorities {
        *word = word.cast_signed().checked_div(ratio).unwrap_or(0).cast_unsigned();
    }
}

/// Moves the average of all priorities to 0. The average is rounded down.
fn center(priorities: &mut [u64]) {
    let signed = priorities.iter().map(|word| i128::from(word.cast_signed()));
    let sum = signed.fold(0_i128, i128::wrapping_add); // 64 bits each: it does not wrap
    let Ok(count) = i128::try_from(priorities.len()) else { return };
    let average = i64::try_from(sum.checked_div_euclid(count).unwrap_or(0)).unwrap_or(0);
    if average == 0 {
        return; // the common case
    }
    for word in priorities {
        *word = word.cast_signed().saturating_sub(average).cast_unsigned();
    }
}

/// Powers are at most [`MAX_POWER`](super::MAX_POWER): they have no sign.
fn signed(power: u64) -> i64 {
    i64::try_from(power).unwrap_or(i64::MAX)
}
