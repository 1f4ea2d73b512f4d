//! Bytes in a ring.

/// Returns the place `step` behind `at` in a ring of `len` places.
pub(super) fn advance(at: usize, step: usize, len: usize) -> usize {
    at.saturating_add(step).checked_rem(len).unwrap_or(0)
}

/// Copies bytes into a ring, from place `at` on.
pub(super) fn put(ring: &mut [u8], at: usize, bytes: &[u8]) {
    let Some((back, front)) = ring.split_at_mut_checked(at) else { return };
    let rest = bytes.get(front.len()..).unwrap_or_default();
    copy(front, bytes);
    copy(back, rest);
}

/// Fills `out` with the bytes of a ring, from place `at` on.
pub(super) fn get(ring: &[u8], at: usize, out: &mut [u8]) {
    let Some((back, front)) = ring.split_at_checked(at) else { return };
    copy(out, front);
    copy(out.get_mut(front.len()..).unwrap_or_default(), back);
}

fn copy(to: &mut [u8], from: &[u8]) {
    to.iter_mut().zip(from).for_each(|(place, byte)| *place = *byte);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_go_on_at_the_start_of_the_ring() {
        let mut ring = [0; 5];
        put(&mut ring, 3, &[1, 2, 3, 4]);
        assert_eq!(ring, [3, 4, 0, 1, 2]);
        let mut out = [0; 4];
        get(&ring, 3, &mut out);
        assert_eq!(out, [1, 2, 3, 4]);
        assert_eq!(advance(3, 4, 5), 2);
        assert_eq!(advance(3, 4, 0), 0);
    }
}
