//! Whether two nodes of Freenet exchange their locations: products of lengths, as sums of logarithms.

/// The fractional bits of a logarithm.
const FRACTION: u32 = 16;

/// Returns the shorter way round between two locations, in 2^-64 of the circle.
pub(super) fn distance(a: u64, b: u64) -> u64 {
    a.wrapping_sub(b).min(b.wrapping_sub(a))
}

/// Returns by how much the logarithm of the product of the links of a node decreases if it moves `from` one
/// location `to` another. The node at that other location moves the opposite way, so a link to it stays.
pub(super) fn gain(from: u64, to: u64, neighbours: impl IntoIterator<Item = u64>) -> i64 {
    let links = neighbours.into_iter().filter(|neighbour| *neighbour != to);
    links.fold(0, |gain, neighbour| {
        let before = distance(from, neighbour);
        let after = distance(to, neighbour);
        if before == 0 || after == 0 {
            return gain;
        }
        gain.saturating_add(log2(before)).saturating_sub(log2(after))
    })
}

/// Returns the binary logarithm with 16 fractional bits; 0 for 0.
pub(super) fn log2(value: u64) -> i64 {
    let Some(whole) = value.checked_ilog2() else { return 0 };
    // The mantissa, from 1 up to 2, in 63 fractional bits. Its square is at least 2 where the next bit is set.
    let up = u64::BITS.saturating_sub(1).saturating_sub(whole);
    let mut mantissa = u128::from(value.wrapping_shl(up));
    let mut log = i64::from(whole);
    for _ in 0..FRACTION {
        mantissa = mantissa.saturating_mul(mantissa) >> 63;
        log = log.saturating_mul(2);
        if mantissa > u128::from(u64::MAX) {
            mantissa >>= 1;
            log = log.saturating_add(1);
        }
    }
    log
}

#[cfg(test)]
#[expect(clippy::as_conversions, reason = "a test compares with real numbers")]
mod tests {
    use super::{distance, gain, log2};

    #[test]
    fn logarithms_are_right_to_the_last_bit() {
        for value in [1, 2, 3, 5, 1000, 1 << 40, u64::MAX / 3, u64::MAX] {
            let exact = (value as f64).log2() * 65_536.0;
            let error = exact - log2(value) as f64;
            assert!((-0.01..=1.0).contains(&error), "{value}: {error}");
        }
        assert_eq!(log2(0), 0);
    }

    #[test]
    fn a_move_to_the_neighbours_is_a_gain() {
        assert_eq!(distance(1, u64::MAX), 2);
        // From a distance of 1024 to one of 4: eight octaves.
        assert_eq!(gain(0, 1020, [1024]), 8 << 16);
        assert_eq!(gain(1020, 0, [1024]), -(8 << 16));
        assert_eq!(gain(0, 1020, [1020, 0]), 0); // the partner, and a link of length 0
    }
}
