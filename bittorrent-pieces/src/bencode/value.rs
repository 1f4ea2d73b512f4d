//! A checked value, read on demand.

use super::check::{short_strings, skip, skip_checked, skip_shallow, split_int, split_string};
use super::{BencodeError, Limits, Mode, Token, Tokens};

/// The bytes of one value, which were checked as a whole.
///
/// ```
/// use bittorrent_pieces::bencode::{Limits, Mode, Value};
///
/// let dict = Value::from_bytes(b"d4:name1:x4:sizei7ee", Mode::Strict, Limits::DEFAULT)?;
/// assert_eq!(dict.find(b"size").and_then(|size| size.as_int()), Some(7));
/// assert_eq!(dict.entries().count(), 2);
/// # Ok::<(), bittorrent_pieces::bencode::BencodeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value<'a>(&'a [u8]);

impl Value<'static> {
    /// A dictionary without entries.
    pub(crate) const EMPTY_DICT: Self = Self(b"de");
}

impl<'a> Value<'a> {
    /// Parses the value at the front of `bytes`; returns the rest too.
    ///
    /// # Errors
    ///
    /// [`BencodeError`]; [`BencodeError::is_limit`] separates malformed bytes from too many.
    pub fn decode(
        bytes: &'a [u8],
        mode: Mode,
        limits: Limits,
    ) -> Result<(Self, &'a [u8]), BencodeError> {
        let rest = skip_checked(bytes, mode, limits)?;
        Ok((Self::before(bytes, rest), rest))
    }

    /// Does what [`decode`](Self::decode) does for limits of at most 8 levels, in a tenth of its stack.
    pub(crate) fn decode_shallow(
        bytes: &'a [u8],
        mode: Mode,
        limits: Limits,
    ) -> Result<(Self, &'a [u8]), BencodeError> {
        let rest = skip_shallow(bytes, mode, limits)?;
        Ok((Self::before(bytes, rest), rest))
    }

    /// Parses `bytes` as exactly one value.
    ///
    /// # Errors
    ///
    /// [`BencodeError`]
    pub fn from_bytes(bytes: &'a [u8], mode: Mode, limits: Limits) -> Result<Self, BencodeError> {
        match Self::decode(bytes, mode, limits)? {
            (value, []) => Ok(value),
            (_, rest) => Err(BencodeError::Trailing(rest.len())),
        }
    }

    /// Returns the bytes unchanged.
    #[must_use]
    pub const fn as_raw(&self) -> &'a [u8] {
        self.0
    }

    /// Returns the first token: the value itself, or which container begins.
    #[must_use]
    pub fn token(&self) -> Token<'a> {
        Tokens::new(self.0).pull().unwrap_or(Token::End)
    }

    /// Returns an integer.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        split_int(self.0).map(|(value, _)| value)
    }

    /// Returns a byte string.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        self.is_bytes().then(|| split_string(self.0).0)
    }

    /// Returns whether this is a byte string.
    #[must_use]
    pub(crate) fn is_bytes(&self) -> bool {
        starts_with_digit(self.0)
    }

    /// Returns whether this is a list.
    #[must_use]
    pub(crate) fn is_list(&self) -> bool {
        self.0.starts_with(b"l")
    }

    /// Returns whether this is a dictionary.
    #[must_use]
    pub(crate) fn is_dict(&self) -> bool {
        self.0.starts_with(b"d")
    }

    /// Returns the values of a list; none for anything else.
    #[must_use]
    pub fn items(&self) -> Items<'a> {
        Items(self.0.strip_prefix(b"l").unwrap_or_default())
    }

    /// Returns the keys and values of a dictionary in their order; none for anything else.
    #[must_use]
    pub fn entries(&self) -> Entries<'a> {
        Entries(self.0.strip_prefix(b"d").unwrap_or_default())
    }

    /// Returns the value of a key of a dictionary.
    #[must_use]
    pub fn find(&self, key: &[u8]) -> Option<Value<'a>> {
        self.entries().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// Splits the value at the front of bytes that were checked before from the rest.
    pub(crate) fn split_first(bytes: &'a [u8]) -> (Self, &'a [u8]) {
        let rest = skip(bytes);
        (Self::before(bytes, rest), rest)
    }

    /// Returns the entries of a dictionary from the one on that begins this many bytes before its end.
    pub(crate) fn last_entries(&self, len: usize) -> Entries<'a> {
        let start = self.0.len().saturating_sub(len);
        Entries(self.0.get(start..).unwrap_or_default())
    }

    /// Returns the value that lies before the rest of bytes that were checked before.
    pub(crate) fn before(bytes: &'a [u8], rest: &[u8]) -> Self {
        let len = bytes.len().saturating_sub(rest.len());
        Self(bytes.get(..len).unwrap_or_default())
    }
}

/// The values of a list.
#[derive(Debug, Clone)]
pub struct Items<'a>(&'a [u8]);

impl<'a> Items<'a> {
    /// Walks over the list at the front of bytes that were checked before, by a function that returns what follows an
    /// element. Returns the list, the number of elements and the rest; `None` for anything else.
    pub(crate) fn walk(
        bytes: &'a [u8],
        mut after: impl FnMut(&'a [u8]) -> &'a [u8],
    ) -> Option<(Value<'a>, usize, &'a [u8])> {
        let mut next = bytes.strip_prefix(b"l")?;
        let mut count = 0_usize;
        while !matches!(next, [] | [b'e', ..]) {
            next = after(next);
            count = count.saturating_add(1);
        }
        let rest = next.get(1..).unwrap_or_default();
        Some((Value::before(bytes, rest), count, rest))
    }

    /// Splits the value at the front of bytes that were checked before from the rest. Returns it if it is a list with at
    /// least one element, and whether all of them are strings.
    #[inline]
    pub(crate) fn split_strings(bytes: &'a [u8]) -> ((Option<Value<'a>>, bool), &'a [u8]) {
        let Some(items) = bytes.strip_prefix(b"l") else { return ((None, false), skip(bytes)) };
        let (_, mut next) = short_strings(items);
        let mut is_text = true;
        while !matches!(next, [] | [b'e', ..]) {
            is_text &= starts_with_digit(next);
            next = skip(next);
        }
        let rest = next.get(1..).unwrap_or_default();
        let list = (next.len() < items.len()).then(|| Value::before(bytes, rest));
        ((list, is_text), rest)
    }

    /// Returns the next string if it has six bytes, as most in a list of peers.
    #[cfg(feature = "dht")]
    pub(crate) fn next_six(&mut self) -> Option<&'a [u8; 6]> {
        let (text, rest) = self.0.strip_prefix(b"6:")?.split_first_chunk()?;
        self.0 = rest;
        Some(text)
    }

    /// Returns the next string; other values are passed over.
    pub(crate) fn next_bytes(&mut self) -> Option<&'a [u8]> {
        while !starts_with_digit(self.0) {
            self.next()?;
        }
        let (text, rest) = split_string(self.0);
        self.0 = rest;
        Some(text)
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        if matches!(self.0, [] | [b'e', ..]) {
            return None;
        }
        let rest = skip(self.0);
        let value = Value::before(self.0, rest);
        self.0 = rest;
        Some(value)
    }
}

/// The keys and values of a dictionary.
#[derive(Debug, Clone)]
pub struct Entries<'a>(&'a [u8]);

impl<'a> Entries<'a> {
    /// Returns the entries of a dictionary at the front of bytes that were checked before; `None` for anything else.
    pub(crate) fn at_front(bytes: &'a [u8]) -> Option<Self> {
        bytes.strip_prefix(b"d").map(Self)
    }

    /// Returns the next key. What follows is its value: [`pull_value`](Self::pull_value) or
    /// [`pull_with`](Self::pull_with) comes next.
    pub(crate) fn pull_key(&mut self) -> Option<&'a [u8]> {
        if !starts_with_digit(self.0) {
            return None;
        }
        let (key, rest) = split_string(self.0);
        self.0 = rest;
        Some(key)
    }

    /// Returns the value of the key that came last.
    pub(crate) fn pull_value(&mut self) -> Value<'a> {
        self.pull_with(Value::split_first)
    }

    /// Reads the value of the key that came last by a function that returns the rest too.
    pub(crate) fn pull_with<T>(&mut self, read: impl FnOnce(&'a [u8]) -> (T, &'a [u8])) -> T {
        let (value, rest) = read(self.0);
        self.0 = rest;
        value
    }

    /// Visits the keys and values of the dictionary that is the value of the key that came last, in one pass. Anything else is
    /// passed over.
    #[cfg(feature = "dht")]
    pub(crate) fn visit_value(&mut self, mut visitor: impl FnMut(&'a [u8], Value<'a>)) {
        let Some(mut entries) = Self::at_front(self.0) else {
            self.0 = skip(self.0);
            return;
        };
        while let Some(key) = entries.pull_key() {
            visitor(key, entries.pull_value());
        }
        self.0 = entries.after();
    }

    /// Returns the bytes after the dictionary. All keys were pulled before.
    pub(crate) fn after(&self) -> &'a [u8] {
        self.0.get(1..).unwrap_or_default()
    }

    /// Returns the length in bytes from the next entry to the end of the dictionary.
    pub(crate) fn left(&self) -> usize {
        self.0.len()
    }

    /// Returns the next key.
    pub(crate) fn key(&self) -> Option<&'a [u8]> {
        self.clone().pull_key()
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a [u8], Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.pull_key()?;
        Some((key, self.pull_value()))
    }
}

fn starts_with_digit(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(u8::is_ascii_digit)
}
