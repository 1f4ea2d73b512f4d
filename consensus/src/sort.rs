//! Sorting of slots by their ids.

/// Sorts by a key, in place. `sort_unstable_by_key` would copy dozens of slots to the stack.
///
/// This is heapsort: O(n log n) whatever the order is.
pub(crate) fn sort_by_key<T, K: Ord>(slots: &mut [T], key: impl Fn(&T) -> K) {
    for root in (0..slots.len() / 2).rev() {
        sift_down(slots, root, &key);
    }
    for end in (1..slots.len()).rev() {
        swap(slots, 0, end);
        sift_down(slots.get_mut(..end).unwrap_or_default(), 0, &key);
    }
}

/// Moves a slot down until none below it has a larger key.
fn sift_down<T, K: Ord>(slots: &mut [T], root: usize, key: &impl Fn(&T) -> K) {
    let mut at = root;
    loop {
        let left = at.saturating_mul(2).saturating_add(1);
        let children = slots.iter().enumerate().skip(left).take(2);
        let Some((child, larger)) = children.max_by_key(|(_, slot)| key(slot)) else { return };
        if slots.get(at).is_none_or(|slot| key(slot) >= key(larger)) {
            return;
        }
        swap(slots, at, child);
        at = child;
    }
}

/// Exchanges two elements. Nothing happens if there is no such pair.
pub(crate) fn swap<T>(slots: &mut [T], one: usize, other: usize) {
    if let Ok([one, other]) = slots.get_disjoint_mut([one, other]) {
        core::mem::swap(one, other);
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::sort_by_key;

    #[test]
    fn slots_of_any_order_are_sorted_by_their_keys() {
        for len in 0..40_u32 {
            for step in 1..20 {
                let mut slots: Vec<(u32, u32)> = (0..len).map(|n| (n * step % 17, n)).collect();
                let mut expected = slots.clone();
                sort_by_key(&mut slots, |slot| slot.0);
                assert!(slots.is_sorted_by_key(|slot| slot.0), "{slots:?}");
                expected.sort_unstable();
                slots.sort_unstable();
                assert_eq!(slots, expected, "nothing is lost");
            }
        }
    }
}
