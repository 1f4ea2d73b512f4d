//! Hexadecimal output of identifiers and digests.

use core::fmt;

/// Bytes that print as lower-case hexadecimal. A precision limits the digits: `{:.8}` prints eight.
#[derive(Clone, Copy)]
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(usize::MAX);
        let whole = digits / 2;
        for byte in self.0.iter().take(whole) {
            write!(f, "{byte:02x}")?;
        }
        match self.0.get(whole) {
            Some(byte) if digits % 2 == 1 => write!(f, "{:x}", byte >> 4),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::Hex;

    /// As of a string: a precision is a number of digits, also an odd one and one that is too large.
    #[test]
    fn a_precision_limits_the_digits() {
        let bytes = [0x01, 0x9A, 0xBC, 0xDE, 0xF0];
        let all = "019abcdef0";
        for digits in 0..15 {
            let expected = all.get(..digits).unwrap_or(all);
            assert_eq!(std::format!("{:.digits$}", Hex(&bytes)), expected, "{digits} digits");
            assert_eq!(std::format!("{:.digits$?}", Hex(&bytes)), expected, "{digits} digits");
        }
        assert_eq!(std::format!("{}", Hex(&bytes)), all);
        assert_eq!(std::format!("{:?} {}", Hex(&bytes[..1]), Hex(&[])), "01 ");
    }
}
