//! Fields: words and quoted names, separated by spaces.

use core::fmt;

use crate::text::Text;
use crate::writer::Writer;

/// Reads fields one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) const fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// Returns a word, up to the next white space as in `OpenNap`; `None` at the end.
    pub(super) fn word(&mut self) -> Option<Text<'a>> {
        let rest = self.0.trim_ascii_start();
        let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
        let (word, rest) = rest.split_at_checked(end)?;
        self.0 = rest;
        Text::new(word).filter(|word| !word.is_empty())
    }

    /// Returns a name in quotes, or a word. Quotes inside are not escaped, so the name ends at the
    /// first quote before white space or the end. Without a closing quote it is all that is left, as in `OpenNap` 0.36.
    pub(super) fn name(&mut self) -> Option<Text<'a>> {
        let [b'"', rest @ ..] = self.0.trim_ascii_start() else { return self.word() };
        let ends = |at: &usize| rest.get(at.saturating_add(1)).is_none_or(u8::is_ascii_whitespace);
        let quotes = rest.iter().enumerate().filter(|(_, byte)| **byte == b'"');
        let end = quotes.map(|(at, _)| at).find(ends).unwrap_or(rest.len());
        let (name, after) = rest.split_at_checked(end)?;
        self.0 = after.get(1..).unwrap_or_default();
        Text::new(name)
    }

    /// Returns a number, with quotes or without; `None` if it does not fit.
    pub(super) fn number<N: TryFrom<u64>>(&mut self) -> Option<N> {
        let digits = self.name()?.as_str()?;
        let digits = digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(digits)?;
        N::try_from(digits.parse().ok()?).ok()
    }

    /// Returns a number, or 0 where it is missing, unreadable or too large: a field that only describes. A name in its
    /// place belongs to what follows.
    pub(super) fn number_or_0<N: TryFrom<u64> + Default>(&mut self) -> N {
        let before = *self;
        let number = self.number();
        if number.is_none() && before.0.trim_ascii_start().starts_with(b"\"") {
            *self = before;
        }
        number.unwrap_or_default()
    }

    /// Skips words up to the next name in quotes, or the end.
    pub(super) fn skip_to_quote(&mut self) {
        while !self.is_empty() && !self.0.trim_ascii_start().starts_with(b"\"") {
            self.word();
        }
    }

    /// Returns what is left, as it stands.
    pub(super) fn rest(&self) -> Option<Text<'a>> {
        Text::new(self.0.trim_ascii_start())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.trim_ascii_start().is_empty()
    }
}

/// Writes fields with a space between them.
pub(super) struct Joiner<'w, 'b> {
    out: &'w mut Writer<'b>,
    begun: bool,
    room: usize, // what goes beyond it is left out
}

impl<'w, 'b> Joiner<'w, 'b> {
    pub(super) fn new(out: &'w mut Writer<'b>) -> Self {
        Self { out, begun: false, room: usize::MAX }
    }

    /// Writes the data of a frame: at most 65,535 bytes.
    pub(super) fn in_frame(out: &'w mut Writer<'b>) -> Self {
        Self { out, begun: false, room: usize::from(u16::MAX) }
    }

    pub(super) fn word(&mut self, word: Text<'_>) -> &mut Self {
        self.space();
        self.put(word.as_bytes());
        self
    }

    pub(super) fn name(&mut self, name: Text<'_>) -> &mut Self {
        self.space();
        self.put(b"\"");
        self.put(name.as_bytes());
        self.put(b"\"");
        self
    }

    pub(super) fn number(&mut self, number: impl Into<u64>) -> &mut Self {
        self.space();
        // `put` does not fail.
        let _ = fmt::Write::write_fmt(self, format_args!("{}", number.into()));
        self
    }

    pub(super) fn keyword(&mut self, keyword: &str) -> &mut Self {
        self.space();
        self.put(keyword.as_bytes());
        self
    }

    fn space(&mut self) {
        if core::mem::replace(&mut self.begun, true) {
            self.put(b" ");
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        let bytes = bytes.get(..self.room).unwrap_or(bytes);
        self.room = self.room.saturating_sub(bytes.len());
        self.out.bytes(bytes);
    }
}

impl fmt::Write for Joiner<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text.as_bytes());
        Ok(())
    }
}

/// Prints data so that a trace stays on its line.
pub(super) fn print(f: &mut fmt::Formatter<'_>, data: &[u8]) -> fmt::Result {
    for chunk in data.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() { write!(f, "{}", c.escape_debug())? } else { write!(f, "{c}")? }
        }
        write!(f, "{}", chunk.invalid().escape_ascii())?;
    }
    Ok(())
}
