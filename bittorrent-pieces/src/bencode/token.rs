//! The tokens of bencode, one at a time.

use thiserror::Error;

/// A token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the grammar of BEP 3")]
pub enum Token<'a> {
    /// `i<n>e`
    Int(i64),
    /// `<len>:<bytes>`; strings are bytes, not text.
    Bytes(&'a [u8]),
    /// `l`: a list begins.
    List,
    /// `d`: a dictionary begins.
    Dict,
    /// `e`: the innermost list or dictionary ends.
    End,
}

/// Bytes that are not bencode, or that exceed a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum BencodeError {
    /// The input ends inside a value: at least `needed` bytes are missing.
    #[error("{needed} more bytes needed")]
    Incomplete {
        /// A lower bound, at least 1.
        needed: usize,
    },
    /// A byte that is not valid in its place.
    #[error("unexpected byte {0:#04x}")]
    Byte(u8),
    /// A leading zero, or a minus before zero.
    #[error("number with a leading zero")]
    LeadingZero,
    /// An integer without a digit.
    #[error("number without digits")]
    NoDigits,
    /// A key that is not a string.
    #[error("dictionary key is not a string")]
    Key,
    /// A key without a value.
    #[error("dictionary key without a value")]
    NoValue,
    /// A key that is not greater than the one before it.
    #[error("dictionary keys out of order")]
    Order,
    /// The same key twice.
    #[error("duplicate dictionary key")]
    Duplicate,
    /// Bytes after the value.
    #[error("{0} bytes after the value")]
    Trailing(usize),
    /// Limit: an integer that does not fit in 64 bits.
    #[error("integer does not fit in 64 bits")]
    IntegerRange,
    /// Limit: nested lists and dictionaries.
    #[error("more than {0} levels")]
    Depth(u8),
    /// Limit: the number of values and keys.
    #[error("more than {0} values and keys")]
    Items(u32),
    /// Limit: the number of keys out of order, each of which is compared with all before it.
    #[error("more than {0} keys out of order")]
    Unordered(u32),
}

impl BencodeError {
    /// Returns whether the bytes may be valid but exceed a limit.
    #[must_use]
    pub const fn is_limit(&self) -> bool {
        matches!(self, Self::IntegerRange | Self::Depth(_) | Self::Items(_) | Self::Unordered(_))
    }
}

/// Reads tokens from the front of bytes. It checks each token, but not their nesting.
#[derive(Debug, Clone)]
pub struct Tokens<'a>(&'a [u8]);

impl<'a> Tokens<'a> {
    /// Reads from `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes that are not yet read.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Returns the next token.
    ///
    /// # Errors
    ///
    /// [`BencodeError`]; nothing is consumed then.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a call for each token costs as much as the token")]
    pub fn pull(&mut self) -> Result<Token<'a>, BencodeError> {
        let (token, rest) = match self.0 {
            [] => return Err(BencodeError::Incomplete { needed: 1 }),
            [b'i', rest @ ..] => int(rest)?,
            [b'l', rest @ ..] => (Token::List, rest),
            [b'd', rest @ ..] => (Token::Dict, rest),
            [b'e', rest @ ..] => (Token::End, rest),
            [b'0'..=b'9', ..] => string(self.0)?,
            [other, ..] => return Err(BencodeError::Byte(*other)),
        };
        self.0 = rest;
        Ok(token)
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "as `Tokens::pull`")]
fn string(bytes: &[u8]) -> Result<(Token<'_>, &[u8]), BencodeError> {
    match short_string(bytes) {
        Some((text, rest)) => Ok((Token::Bytes(text), rest)),
        None => long_string(bytes),
    }
}

/// Reads a string of any length.
#[inline(never)]
fn long_string(bytes: &[u8]) -> Result<(Token<'_>, &[u8]), BencodeError> {
    let (len, rest) = digits(bytes, b':')?;
    // A length beyond the address space is longer than any input.
    let len = len.and_then(|len| usize::try_from(len).ok()).unwrap_or(usize::MAX);
    match rest.split_at_checked(len) {
        Some((text, rest)) => Ok((Token::Bytes(text), rest)),
        None => Err(BencodeError::Incomplete { needed: len.saturating_sub(rest.len()) }),
    }
}

/// Splits a string of less than 100 bytes, as nearly all are, from the rest; `None` for anything else.
#[inline]
pub(super) fn short_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    match bytes {
        [digit @ b'0'..=b'9', b':', rest @ ..] => rest.split_at_checked(usize::from(digit & 0x0F)),
        [tens @ b'1'..=b'9', ones @ b'0'..=b'9', b':', rest @ ..] => {
            let tens = usize::from(tens & 0x0F).wrapping_mul(10);
            rest.split_at_checked(tens.wrapping_add(usize::from(ones & 0x0F)))
        }
        _ => None,
    }
}

/// Splits the number of an integer and its end from the rest.
pub(super) fn int(bytes: &[u8]) -> Result<(Token<'_>, &[u8]), BencodeError> {
    let (negative, bytes) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, bytes),
    };
    let (value, rest) = digits(bytes, b'e')?;
    let value = value.ok_or(BencodeError::IntegerRange)?;
    let value = match (negative, value) {
        (true, 0) => return Err(BencodeError::LeadingZero),
        (true, value) => 0_i64.checked_sub_unsigned(value),
        (false, value) => i64::try_from(value).ok(),
    };
    Ok((Token::Int(value.ok_or(BencodeError::IntegerRange)?), rest))
}

/// Reads decimal digits up to `end`; the number is `None` if it is beyond 64 bits.
fn digits(bytes: &[u8], end: u8) -> Result<(Option<u64>, &[u8]), BencodeError> {
    const FITTING: usize = 19; // as many digits never exceed 64 bits
    let mut value = 0_u64;
    let mut rest = bytes;
    while let [digit @ b'0'..=b'9', tail @ ..] = rest {
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit & 0x0F));
        rest = tail;
    }
    let seen = bytes.len().saturating_sub(rest.len());
    if seen > 1 && bytes.first() == Some(&b'0') {
        return Err(BencodeError::LeadingZero);
    }
    match rest {
        [] => Err(BencodeError::Incomplete { needed: 1 }),
        [byte, ..] if *byte != end => Err(BencodeError::Byte(*byte)),
        [..] if seen == 0 => Err(BencodeError::NoDigits),
        [_, tail @ ..] if seen <= FITTING => Ok((Some(value), tail)),
        [_, tail @ ..] => Ok((checked(bytes, seen), tail)),
    }
}

/// Returns the number of `len` digits; `None` if it is beyond 64 bits.
#[cold]
fn checked(digits: &[u8], len: usize) -> Option<u64> {
    let add = |value: u64, digit: &u8| value.checked_mul(10)?.checked_add(u64::from(digit & 0x0F));
    digits.iter().take(len).try_fold(0, add)
}
