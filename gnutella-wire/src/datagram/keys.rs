//! Query keys: a number that only the receiver at an address can know.
//!
//! A key is SipHash-2-4 (Aumasson and Bernstein 2012) of the address and of the period in which it was given, so
//! nothing has to be remembered for it.

use core::net::SocketAddrV4;
use core::time::Duration;

use crate::sip::Sip;

/// The length of own keys, in bytes.
pub(super) const LEN: usize = 8;

/// Makes the key of an address in the period of `now`.
pub(super) fn make(
    secret: [u8; 16],
    address: SocketAddrV4,
    now: Duration,
    period: Duration,
) -> [u8; LEN] {
    key(secret, address, number(now, period))
}

/// Returns whether a key is that of an address in this period or the one before.
pub(super) fn is_valid(
    secret: [u8; 16],
    address: SocketAddrV4,
    now: Duration,
    period: Duration,
    shown: &[u8],
) -> bool {
    let current = number(now, period);
    [Some(current), current.checked_sub(1)]
        .into_iter()
        .flatten()
        .any(|number| key(secret, address, number) == shown)
}

fn number(now: Duration, period: Duration) -> u64 {
    now.as_secs().checked_div(period.as_secs().max(1)).unwrap_or(0)
}

fn key(secret: [u8; 16], address: SocketAddrV4, period: u64) -> [u8; LEN] {
    let place = u64::from(address.ip().to_bits()) << 16 | u64::from(address.port());
    siphash(secret, [place, period]).to_le_bytes()
}

/// Hashes 16 bytes, given as two little-endian words.
fn siphash(key: [u8; 16], message: [u64; 2]) -> u64 {
    let [low, high] = words(key);
    let mut sip = Sip::<2, 4>::new(low, high);
    for word in message {
        sip.absorb(word);
    }
    sip.absorb(16 << 56);
    sip.finish()
}

fn words(key: [u8; 16]) -> [u64; 2] {
    let number = u128::from_le_bytes(key);
    let low = u64::try_from(number & u128::from(u64::MAX)).unwrap_or(0);
    let high = u64::try_from(number >> 64).unwrap_or(0);
    [low, high]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The authors' reference vector for the key 00 .. 0F and the message 00 .. 0F.
    #[test]
    fn the_hash_is_siphash_2_4() {
        let key = core::array::from_fn(|n| u8::try_from(n).unwrap_or(0));
        assert_eq!(siphash(key, words(key)), 0x3F2A_CC7F_57C2_9BDB);
    }

    #[test]
    fn a_key_is_valid_for_two_periods_and_one_address() {
        let address = SocketAddrV4::new([10, 0, 0, 7].into(), 6346);
        let other = SocketAddrV4::new([10, 0, 0, 7].into(), 6347);
        let hour = Duration::from_secs(3_600);
        let secret = [7; 16];
        let key = make(secret, address, hour, hour);
        for (at, is) in [(1, true), (2, true), (3, false)] {
            assert_eq!(is_valid(secret, address, hour * at, hour, &key), is, "hour {at}");
        }
        assert!(!is_valid(secret, other, hour, hour, &key));
        assert!(!is_valid(secret, address, hour, hour, &key[..7]));
        assert!(!is_valid([8; 16], address, hour, hour, &key));
    }
}
