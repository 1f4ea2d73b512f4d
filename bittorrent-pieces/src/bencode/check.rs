//! Validation: finds the end of a value and whether it is well formed, in one pass and bounded memory.

use core::cmp::Ordering;

use super::{BencodeError, Token, Tokens};

/// The maximum of [`Limits::depth`].
pub const MAX_DEPTH: u8 = 100;

/// What a decoder accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "canonical or not")]
pub enum Mode {
    /// The canonical form alone: for bytes that are hashed again, and for own output.
    Strict,
    /// Also dictionary keys out of order: for files of other programs, whose bytes are kept unchanged.
    Lenient,
}

/// The size that is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_structs, reason = "each limit is chosen by the caller")]
pub struct Limits {
    /// The number of levels of lists and dictionaries, at most [`MAX_DEPTH`].
    pub depth: u8,
    /// The number of values and keys.
    pub items: u32,
    /// The number of keys out of order in lenient mode; each costs a walk over its dictionary.
    pub unordered: u32,
}

impl Limits {
    /// 100 levels, a million items, 64 keys out of order.
    pub const DEFAULT: Self = Self { depth: MAX_DEPTH, items: 1 << 20, unordered: 64 };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// [`MAX_DEPTH`] as a length.
const LEVELS: usize = 100;
/// The number of levels that nearly every value has room in. Clearing room for all takes longer than a short message.
const FEW_LEVELS: usize = 8;

/// A list or dictionary that is not yet closed. Positions, not slices: half the stack.
#[derive(Clone, Copy)]
struct Level {
    dict: bool,
    value_next: bool, // in a dictionary: a key was read
    body: usize,      // where the first key of a dictionary begins
    greatest: usize,  // where the greatest of its keys so far begins, or 0
}

/// Does what [`skip_checked`] does for limits of at most 8 levels, in a tenth of its stack.
pub(super) fn skip_shallow(
    bytes: &[u8],
    mode: Mode,
    limits: Limits,
) -> Result<&[u8], BencodeError> {
    skip_within::<FEW_LEVELS>(bytes, mode, limits)?.ok_or(BencodeError::Depth(limits.depth))
}

/// Returns the bytes after the value at the front of `bytes`.
pub(super) fn skip_checked(
    bytes: &[u8],
    mode: Mode,
    limits: Limits,
) -> Result<&[u8], BencodeError> {
    match skip_within::<FEW_LEVELS>(bytes, mode, limits)? {
        Some(rest) => Ok(rest),
        None => skip_within::<LEVELS>(bytes, mode, limits)?.ok_or(BencodeError::Depth(MAX_DEPTH)),
    }
}

/// Returns the bytes after the value; `None` if it has more than `N` levels.
fn skip_within<const N: usize>(
    bytes: &[u8],
    mode: Mode,
    limits: Limits,
) -> Result<Option<&[u8]>, BencodeError> {
    const CLOSED: Level = Level { dict: false, value_next: false, body: 0, greatest: 0 };
    let mut levels = [CLOSED; N];
    let mut depth = 0_usize;
    let mut items = 0_u32;
    let mut unordered = 0_u32;
    let mut tokens = Tokens::new(bytes);
    loop {
        let before = tokens.rest();
        let token = tokens.pull()?;
        let level = depth.checked_sub(1).and_then(|top| levels.get_mut(top));
        if token == Token::End {
            match level {
                None => return Err(BencodeError::Byte(b'e')),
                Some(level) if level.value_next => return Err(BencodeError::NoValue),
                Some(_) => depth = depth.saturating_sub(1),
            }
        } else {
            items = items.saturating_add(1);
            if items > limits.items {
                return Err(BencodeError::Items(limits.items));
            }
            if let Some(level) = level.filter(|level| level.dict) {
                if !level.value_next {
                    let Token::Bytes(key) = token else { return Err(BencodeError::Key) };
                    let start = bytes.len().wrapping_sub(before.len());
                    level.key(bytes, start, key, mode, &mut unordered, limits.unordered)?;
                    continue;
                }
                level.value_next = false;
            }
            if matches!(token, Token::List | Token::Dict) {
                if depth >= usize::from(limits.depth.min(MAX_DEPTH)) {
                    return Err(BencodeError::Depth(limits.depth));
                }
                let Some(level) = levels.get_mut(depth) else { return Ok(None) };
                let dict = token == Token::Dict;
                let body = bytes.len().wrapping_sub(tokens.rest().len());
                *level = Level { dict, body, ..CLOSED };
                depth = depth.saturating_add(1);
                if !dict {
                    let (count, rest) = short_strings(tokens.rest());
                    items = items.saturating_add(count);
                    tokens = Tokens::new(rest);
                    if items > limits.items {
                        return Err(BencodeError::Items(limits.items));
                    }
                }
            }
        }
        if depth == 0 {
            return Ok(Some(tokens.rest()));
        }
    }
}

impl Level {
    /// Checks a key of a dictionary, which begins at `start`.
    fn key(
        &mut self,
        bytes: &[u8],
        start: usize,
        key: &[u8],
        mode: Mode,
        unordered: &mut u32,
        most: u32,
    ) -> Result<(), BencodeError> {
        self.value_next = true;
        let greatest = bytes.get(self.greatest..).filter(|_| self.greatest > 0);
        let order = greatest.map_or(Ordering::Greater, |bytes| key.cmp(split_string(bytes).0));
        match order {
            Ordering::Greater => self.greatest = start,
            Ordering::Equal => return Err(BencodeError::Duplicate),
            Ordering::Less if mode == Mode::Strict => return Err(BencodeError::Order),
            Ordering::Less => {
                *unordered = unordered.saturating_add(1);
                if *unordered > most {
                    return Err(BencodeError::Unordered(most));
                }
                if occurs(bytes.get(self.body..start).unwrap_or_default(), key) {
                    return Err(BencodeError::Duplicate);
                }
            }
        }
        Ok(())
    }
}

/// Returns whether a key is among the keys and values of a dictionary.
fn occurs(entries: &[u8], key: &[u8]) -> bool {
    let mut tokens = Tokens::new(entries);
    while let Ok(Token::Bytes(earlier)) = tokens.pull() {
        if earlier == key {
            return true;
        }
        tokens = Tokens::new(skip(tokens.rest()));
    }
    false
}

/// Returns the bytes after a value that was checked before.
pub(super) fn skip(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    let mut depth = 0_usize;
    loop {
        rest = match rest {
            [b'0'..=b'9', ..] => split_string(rest).1,
            [b'i', int @ ..] => int.iter().position(|byte| *byte == b'e').map_or(&[], |end| {
                let (_, rest) = int.split_at_checked(end.saturating_add(1)).unwrap_or_default();
                rest
            }),
            [b'l', rest @ ..] => {
                depth = depth.saturating_add(1);
                short_strings(rest).1
            }
            [b'd', rest @ ..] => {
                depth = depth.saturating_add(1);
                rest
            }
            [b'e', rest @ ..] => {
                depth = depth.saturating_sub(1);
                rest
            }
            _ => return &[],
        };
        if depth == 0 {
            return rest;
        }
    }
}

/// Passes over the strings of less than 100 bytes at the front; returns their number and the rest. Most lists consist of
/// them: the peers of a message, the names of a path.
#[inline]
fn short_strings(bytes: &[u8]) -> (u32, &[u8]) {
    let mut count = 0_u32;
    let mut rest = bytes;
    loop {
        let after = match rest {
            // A peer over IPv4. The processor need not wait for the length to know where the next one begins.
            [b'6', b':', _, _, _, _, _, _, after @ ..] => Some(after),
            [digit @ b'0'..=b'9', b':', text @ ..] => text.get(usize::from(digit & 0x0F)..),
            [tens @ b'1'..=b'9', ones @ b'0'..=b'9', b':', text @ ..] => {
                let tens = usize::from(tens & 0x0F).wrapping_mul(10);
                text.get(tens.wrapping_add(usize::from(ones & 0x0F))..)
            }
            _ => None,
        };
        let Some(after) = after else { return (count, rest) };
        rest = after;
        count = count.saturating_add(1);
    }
}

/// Splits the string at the front of bytes that were checked before from the rest.
#[inline]
pub(super) fn split_string(bytes: &[u8]) -> (&[u8], &[u8]) {
    if let [digit, b':', text @ ..] = bytes {
        return text.split_at_checked(usize::from(digit & 0x0F)).unwrap_or_default();
    }
    let mut len = 0_usize; // it fits in the address space
    let mut rest = bytes;
    while let [digit @ b'0'..=b'9', tail @ ..] = rest {
        len = len.wrapping_mul(10).wrapping_add(usize::from(digit & 0x0F));
        rest = tail;
    }
    let text = rest.get(1..).unwrap_or_default(); // after the colon
    text.split_at_checked(len).unwrap_or_default()
}
