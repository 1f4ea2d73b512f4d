//! Validation: finds the end of a value and whether it is well formed, in one pass and bounded memory.

use core::cmp::Ordering;

use super::token::{int, short_string};
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
    /// The number of keys out of order in lenient mode. Each costs a walk over the keys before it in its dictionary. Walks
    /// that together are at most as long as the input are not counted: programs that write one dictionary in the wrong order
    /// write all files or peers so. With 0, every key has to be in order.
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
    body: usize,     // where the first key of a dictionary begins; 0 for a list
    greatest: usize, // where the greatest of its keys so far begins, or 0
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
        None => skip_deep(bytes, mode, limits),
    }
}

/// Does what [`skip_checked`] does, with room for all levels.
#[inline(never)] // nearly every value needs no such room
fn skip_deep(bytes: &[u8], mode: Mode, limits: Limits) -> Result<&[u8], BencodeError> {
    skip_within::<LEVELS>(bytes, mode, limits)?.ok_or(BencodeError::Depth(MAX_DEPTH))
}

/// Returns the bytes after the value; `None` if it has more than `N` levels.
fn skip_within<const N: usize>(
    bytes: &[u8],
    mode: Mode,
    limits: Limits,
) -> Result<Option<&[u8]>, BencodeError> {
    const CLOSED: Level = Level { body: 0, greatest: 0 };
    let mut levels = [CLOSED; N];
    let mut depth = 0_usize;
    let mut count = Count { items: 0, unordered: 0, free: bytes.len(), mode, limits };
    let mut tokens = Tokens::new(bytes);
    loop {
        let before = tokens.rest();
        let mut token = tokens.pull()?;
        let level = depth.checked_sub(1).and_then(|top| levels.get_mut(top));
        let in_list = level.as_ref().is_some_and(|level| level.body == 0);
        if token == Token::End {
            depth = depth.checked_sub(1).ok_or(BencodeError::Byte(b'e'))?;
        } else {
            count.add(1)?;
            if let Some(level) = level.filter(|level| level.body > 0) {
                let Token::Bytes(key) = token else { return Err(BencodeError::Key) };
                let start = bytes.len().wrapping_sub(before.len());
                level.key(bytes, start, key, &mut count)?;
                token = tokens.pull()?;
                if token == Token::End {
                    return Err(BencodeError::NoValue);
                }
                count.add(1)?;
            }
            if matches!(token, Token::List | Token::Dict) {
                let left = usize::from(limits.depth.min(MAX_DEPTH)).saturating_sub(depth);
                if left == 0 {
                    return Err(BencodeError::Depth(limits.depth));
                }
                let mut inner = tokens.rest();
                let mut body = bytes.len().wrapping_sub(inner.len());
                if token == Token::List {
                    body = 0;
                    let (strings, rest) = short_strings(inner);
                    count.add(strings)?;
                    inner = rest;
                } else if in_list
                    && left > 1
                    && let Some((items, rest)) = flat_entries(inner)
                {
                    count.add(items)?;
                    inner = rest;
                }
                // Most lists end here. They need no level.
                if let Some(rest) = inner.strip_prefix(b"e") {
                    inner = rest;
                } else {
                    let Some(level) = levels.get_mut(depth) else { return Ok(None) };
                    *level = Level { body, ..CLOSED };
                    depth = depth.saturating_add(1);
                }
                tokens = Tokens::new(inner);
            }
        }
        if depth == 0 {
            return Ok(Some(tokens.rest()));
        }
    }
}

/// Passes over the entries of a dictionary of strings, integers and lists of short strings in order, as a file of a torrent
/// is. Returns their number and the end of the dictionary. `None` for anything else, well formed or not, which is then
/// checked token by token.
fn flat_entries(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let mut rest = bytes;
    let mut items = 0_u32;
    let mut greatest: &[u8] = &[];
    while rest.first() != Some(&b'e') {
        let (key, value) = short_string(rest)?;
        if compare(key, greatest) != Ordering::Greater {
            return None;
        }
        greatest = key;
        items = items.saturating_add(2);
        rest = match value {
            [b'l', list @ ..] => {
                let (strings, end) = short_strings(list);
                items = items.saturating_add(strings);
                end.strip_prefix(b"e")?
            }
            [b'i', number @ ..] => int(number).ok()?.1,
            _ => short_string(value)?.1,
        };
    }
    Some((items, rest))
}

/// Compares two keys. Most differ in their first byte, for which no function need be called.
#[inline]
fn compare(key: &[u8], other: &[u8]) -> Ordering {
    key.first().cmp(&other.first()).then_with(|| key.cmp(other))
}

/// What has been counted of a value, and how much may be.
struct Count {
    items: u32,
    unordered: u32,
    free: usize, // bytes of walks that are left
    mode: Mode,
    limits: Limits,
}

impl Count {
    fn add(&mut self, items: u32) -> Result<(), BencodeError> {
        self.items = self.items.saturating_add(items);
        if self.items > self.limits.items {
            return Err(BencodeError::Items(self.limits.items));
        }
        Ok(())
    }

    /// Checks a key out of order after the keys and values of its dictionary.
    #[cold]
    fn unordered(&mut self, entries: &[u8], key: &[u8]) -> Result<(), BencodeError> {
        if self.mode == Mode::Strict {
            return Err(BencodeError::Order);
        }
        match self.free.checked_sub(entries.len()) {
            Some(left) if self.limits.unordered > 0 => self.free = left,
            _ => self.unordered = self.unordered.saturating_add(1),
        }
        if self.unordered > self.limits.unordered {
            return Err(BencodeError::Unordered(self.limits.unordered));
        }
        if occurs(entries, key) {
            return Err(BencodeError::Duplicate);
        }
        Ok(())
    }
}

impl Level {
    /// Checks a key of a dictionary, which begins at `start`.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as `Tokens::pull`")]
    fn key(
        &mut self,
        bytes: &[u8],
        start: usize,
        key: &[u8],
        count: &mut Count,
    ) -> Result<(), BencodeError> {
        let greatest = bytes.get(self.greatest..).filter(|_| self.greatest > 0);
        let order = greatest.map_or(Ordering::Greater, |bytes| compare(key, split_string(bytes).0));
        match order {
            Ordering::Greater => {
                self.greatest = start;
                Ok(())
            }
            Ordering::Equal => Err(BencodeError::Duplicate),
            Ordering::Less => count.unordered(bytes.get(self.body..start).unwrap_or_default(), key),
        }
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
#[inline]
pub(super) fn skip(bytes: &[u8]) -> &[u8] {
    match bytes {
        [b'0'..=b'9', ..] => split_string(bytes).1,
        _ => skip_nested(bytes),
    }
}

fn skip_nested(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    let mut depth = 0_usize;
    loop {
        rest = match rest {
            [b'0'..=b'9', ..] => split_string(rest).1,
            [b'i', ..] => split_int(rest).map_or(&[], |(_, rest)| rest),
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
pub(crate) fn short_strings(bytes: &[u8]) -> (u32, &[u8]) {
    let mut count = 0_u32;
    let mut rest = bytes;
    loop {
        let after = match rest {
            // A peer over IPv4. The processor need not wait for the length to know where the next one begins.
            [b'6', b':', _, _, _, _, _, _, after @ ..] => Some(after),
            _ => short_string(rest).map(|(_, after)| after),
        };
        let Some(after) = after else { return (count, rest) };
        rest = after;
        count = count.saturating_add(1);
    }
}

/// Splits the integer at the front of bytes that were checked before from the rest; `None` for anything else.
#[inline]
pub(crate) fn split_int(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let int = bytes.strip_prefix(b"i")?;
    let (is_negative, mut rest) = match int {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let mut value = 0_i64; // it fits: the least one wraps to itself
    while let [digit @ b'0'..=b'9', tail @ ..] = rest {
        value = value.wrapping_mul(10).wrapping_add(i64::from(digit & 0x0F));
        rest = tail;
    }
    let value = if is_negative { value.wrapping_neg() } else { value };
    Some((value, rest.get(1..).unwrap_or_default())) // after the `e`
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
