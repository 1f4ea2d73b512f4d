//! Diffie-Hellman in the 768-bit group of message stream encryption, without an allocator.
//!
//! The time depends on the private key: the key exchange hides traffic from filters, and is not secure anyway.

/// The length of a public key and of the secret in bytes, big-endian, zeros on the left.
pub(super) const KEY_LEN: usize = 96;
/// The length of a private key in bytes, big-endian.
pub(super) const PRIVATE_KEY_LEN: usize = 20;

/// A number below 2^768; the least significant word is the first.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Number([u32; 24]);

/// The prime (Oakley group 1).
const PRIME: Number = Number([
    0x0009_0563,
    0x0000_0000,
    0xA63A_3621,
    0xF44C_42E9,
    0x625E_7EC6,
    0xE485_B576,
    0x6D51_C245,
    0x4FE1_356D,
    0xF25F_1437,
    0x302B_0A6D,
    0xCD3A_431B,
    0xEF95_19B3,
    0x8E34_04DD,
    0x514A_0879,
    0x3B13_9B22,
    0x020B_BEA6,
    0x8A67_CC74,
    0x2902_4E08,
    0x80DC_1CD1,
    0xC4C6_628B,
    0x2168_C234,
    0xC90F_DAA2,
    0xFFFF_FFFF,
    0xFFFF_FFFF,
]);
/// The factor of Montgomery's reduction: -1 / prime modulo 2^32.
const FACTOR: u32 = negative_inverse(0x0009_0563);
/// The number 1 outside of Montgomery's form.
const UNIT: Number = {
    let mut words = [0; 24];
    words[0] = 1;
    Number(words)
};

/// Returns the public key of a private key: 2 to its power.
pub(super) fn public_key(private: &[u8; PRIVATE_KEY_LEN]) -> [u8; KEY_LEN] {
    let two = Number::one().doubled();
    two.power(private).multiply(UNIT).to_bytes()
}

/// Returns the shared secret; `None` if the public key is below 2 or not below prime - 1, whose powers are known to
/// everybody.
pub(super) fn shared_secret(
    public: &[u8; KEY_LEN],
    private: &[u8; PRIVATE_KEY_LEN],
) -> Option<[u8; KEY_LEN]> {
    let public = Number::from_bytes(public);
    let successor = public.plus_one()?;
    if public == Number([0; 24]) || public == UNIT || !successor.is_below_prime() {
        return None;
    }
    let base = public.multiply(Number::square_of_radix());
    Some(base.power(private).multiply(UNIT).to_bytes())
}

/// Returns -1 / `odd` modulo 2^32 by Newton's method: each step doubles the number of right bits.
const fn negative_inverse(odd: u32) -> u32 {
    let mut inverse = odd; // three bits are right
    let mut bits = 3_u32;
    while bits < 32 {
        inverse = inverse.wrapping_mul(2_u32.wrapping_sub(odd.wrapping_mul(inverse)));
        bits = bits.wrapping_mul(2);
    }
    inverse.wrapping_neg()
}

fn low(word: u64) -> u32 {
    u32::try_from(word & 0xFFFF_FFFF).unwrap_or_default()
}

/// Returns `addend + a * b + carry` as its low word and its carry.
fn multiply_add(addend: u32, a: u32, b: u32, carry: u32) -> [u32; 2] {
    let product = u64::from(a).wrapping_mul(u64::from(b));
    let sum = product.wrapping_add(u64::from(addend)).wrapping_add(u64::from(carry));
    [low(sum), low(sum >> 32)]
}

impl Number {
    fn from_bytes(bytes: &[u8; KEY_LEN]) -> Self {
        let mut number = Self([0; 24]);
        let (chunks, _) = bytes.as_chunks();
        for (word, bytes) in number.0.iter_mut().zip(chunks.iter().rev()) {
            *word = u32::from_be_bytes(*bytes);
        }
        number
    }

    fn to_bytes(self) -> [u8; KEY_LEN] {
        let mut out = [0; KEY_LEN];
        let (chunks, _) = out.as_chunks_mut();
        for (bytes, word) in chunks.iter_mut().rev().zip(self.0) {
            *bytes = word.to_be_bytes();
        }
        out
    }

    /// Returns 1 in Montgomery's form: 2^768 modulo the prime.
    fn one() -> Self {
        Self([0; 24]).minus_prime()
    }

    /// Returns 2^1536 modulo the prime, which brings a number into Montgomery's form.
    fn square_of_radix() -> Self {
        let power_12 = (0..12).fold(Self::one(), |power, _| power.doubled());
        (0..6).fold(power_12, |power, _| power.multiply(power)) // 12 * 2^6 = 768
    }

    fn is_below_prime(&self) -> bool {
        self.0.iter().rev().lt(PRIME.0.iter().rev())
    }

    /// Returns the number plus one; `None` if that is 2^768.
    fn plus_one(mut self) -> Option<Self> {
        for word in &mut self.0 {
            *word = word.wrapping_add(1);
            if *word != 0 {
                return Some(self);
            }
        }
        None
    }

    /// Returns the number minus the prime, modulo 2^768.
    fn minus_prime(mut self) -> Self {
        let mut borrow = false;
        for (word, prime) in self.0.iter_mut().zip(PRIME.0) {
            let (difference, first) = word.overflowing_sub(prime);
            let (difference, second) = difference.overflowing_sub(u32::from(borrow));
            *word = difference;
            borrow = first || second;
        }
        self
    }

    /// Returns twice the number modulo the prime; the number is below it.
    fn doubled(mut self) -> Self {
        let mut carry = 0;
        for word in &mut self.0 {
            let next = *word >> 31;
            *word = (*word << 1) | carry;
            carry = next;
        }
        if carry != 0 || !self.is_below_prime() { self.minus_prime() } else { self }
    }

    /// Returns the product divided by 2^768, modulo the prime (Montgomery 1985).
    fn multiply(self, other: Self) -> Self {
        let mut sum = [0; 24];
        let mut top = 0_u32;
        for word in self.0 {
            let mut carry = 0;
            for (sum, factor) in sum.iter_mut().zip(other.0) {
                [*sum, carry] = multiply_add(*sum, word, factor, carry);
            }
            let (above, overflow) = top.overflowing_add(carry);
            let [first, ..] = sum;
            let quotient = first.wrapping_mul(FACTOR);
            let mut carry = 0;
            for (sum, prime) in sum.iter_mut().zip(PRIME.0) {
                [*sum, carry] = multiply_add(*sum, quotient, prime, carry);
            }
            sum.rotate_left(1); // the first word is zero now
            let (last, again) = above.overflowing_add(carry);
            let [.., place] = &mut sum;
            *place = last;
            top = u32::from(overflow).wrapping_add(u32::from(again));
        }
        let product = Self(sum);
        if top != 0 || !product.is_below_prime() { product.minus_prime() } else { product }
    }

    /// Returns a power of a number in Montgomery's form.
    fn power(self, exponent: &[u8; PRIVATE_KEY_LEN]) -> Self {
        let mut power = Self::one();
        for byte in exponent {
            for bit in (0..8).rev() {
                power = power.multiply(power);
                if byte >> bit & 1 == 1 {
                    power = power.multiply(self);
                }
            }
        }
        power
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encryption::vectors::{bytes, value};

    #[test]
    fn keys_and_secrets_are_those_of_the_vectors() {
        let key = |section, name| bytes::<PRIVATE_KEY_LEN>(value(section, name));
        let number = |section, name| bytes::<KEY_LEN>(value(section, name));
        assert_eq!(PRIME.to_bytes(), number("common", "prime"));
        let xa = key("common", "xa");
        let xb = key("common", "xb");
        assert_eq!(public_key(&xa), number("common", "ya"));
        assert_eq!(public_key(&xb), number("common", "yb"));
        let secret = Some(number("common", "s"));
        assert_eq!(shared_secret(&number("common", "yb"), &xa), secret);
        assert_eq!(shared_secret(&number("common", "ya"), &xb), secret);
    }

    #[test]
    fn zeros_on_the_left_are_kept() {
        let x = bytes(value("leading_zero_public", "x"));
        assert_eq!(public_key(&x), bytes(value("leading_zero_public", "y")));
        let xa = bytes(value("leading_zero_secret", "xa"));
        assert_eq!(public_key(&xa), bytes(value("leading_zero_secret", "ya")));
        let secret = shared_secret(&bytes(value("common", "yb")), &xa);
        assert_eq!(secret, Some(bytes(value("leading_zero_secret", "s"))));
    }

    #[test]
    fn public_keys_with_known_powers_are_refused() {
        let private = bytes(value("common", "xa"));
        for section in ["zero", "one", "prime_minus_1", "above_prime"] {
            let public = bytes(value(section, "y"));
            assert_eq!(shared_secret(&public, &private), None, "{section}");
        }
        assert_eq!(shared_secret(&[0xFF; KEY_LEN], &private), None);
        let mut prime_minus_2 = PRIME.to_bytes();
        prime_minus_2[KEY_LEN - 1] -= 2;
        assert!(shared_secret(&prime_minus_2, &private).is_some());
    }
}
