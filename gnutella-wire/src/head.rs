//! Text heads: a first line, header lines, an empty line. Handshakes and HTTP share them.
//!
//! The reader accepts what real servents send: values folded over several lines (RFC 822, 3.1.1),
//! names in any case and repeated, odd spacing, dates and junk in lists, bytes that are not UTF-8. An
//! unreadable line or list element costs only itself.

use core::fmt;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::str::FromStr;

use crate::error::DecodeError;
use crate::text::Text;
use crate::writer::Writer;

/// A whole head as it was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head<'a> {
    first: &'a [u8],
    lines: &'a [u8],
}

/// The headers of a head, each with the continuation lines of its value.
///
/// A line without a colon is skipped together with its continuation lines, and so is one whose name
/// is not UTF-8.
#[derive(Debug, Clone)]
pub struct Headers<'a>(&'a [u8]);

/// A header that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Field<'a> {
    /// The name; upper and lower case are the same.
    pub name: &'a str,
    /// The value.
    pub value: Value<'a>,
}

/// The value of a header that was received: any bytes, without the spaces around them. A folded value
/// still contains its line ends, which count as spaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Value<'a>(&'a [u8]);

/// The elements of a list, from all headers of one name.
#[derive(Debug, Clone)]
pub struct Items<'a, 'n> {
    headers: Headers<'a>,
    name: &'n str,
    rest: &'a [u8],
}

/// The addresses in a list. An element that does not begin with an address is skipped.
#[derive(Debug, Clone)]
pub struct Addresses<'a, 'n>(Items<'a, 'n>);

/// A header line to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a name and a value")]
pub struct Header<'a> {
    /// The name; upper and lower case are the same.
    pub name: &'a str,
    /// The value, without the spaces around it.
    pub value: &'a str,
}

/// How long a head may be. Choose them by the memory for the receive buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "the caller chooses both")]
pub struct HeadLimits {
    /// The most bytes, the empty line included.
    pub bytes: usize,
    /// The most header lines.
    pub lines: usize,
}

impl<'a> Head<'a> {
    /// Reads a head and returns it with the bytes after its empty line. Lines end in LF or CR LF.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Incomplete`] without an empty line; [`DecodeError::HeadTooLong`] and
    /// [`DecodeError::TooManyLines`] beyond the limits.
    pub fn decode(bytes: &'a [u8], limits: HeadLimits) -> Result<(Self, &'a [u8]), DecodeError> {
        let within = bytes.get(..limits.bytes).unwrap_or(bytes);
        let unfinished = if within.len() < limits.bytes {
            DecodeError::Incomplete { needed: 1 }
        } else {
            DecodeError::HeadTooLong { limit: limits.bytes }
        };
        let (first, lines) = split_line(within).ok_or(unfinished)?;
        let mut rest = lines;
        for _ in 0..=limits.lines {
            let (line, after) = split_line(rest).ok_or(unfinished)?;
            if line.is_empty() {
                let lines = lines.get(..lines.len().saturating_sub(rest.len())).unwrap_or(&[]);
                let used = within.len().saturating_sub(after.len());
                return Ok((Self { first, lines }, bytes.get(used..).unwrap_or(&[])));
            }
            rest = after;
        }
        Err(DecodeError::TooManyLines { limit: limits.lines })
    }

    /// Returns the first line without its end.
    #[must_use]
    pub const fn first_line(&self) -> &'a [u8] {
        self.first
    }

    /// Returns the headers.
    #[must_use]
    pub const fn headers(&self) -> Headers<'a> {
        Headers(self.lines)
    }

    /// Returns the value of the first header of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<Value<'a>> {
        self.headers().named(name)
    }

    /// Returns whether the header of that name is `True`, in any case.
    #[must_use]
    pub fn is_true(&self, name: &str) -> bool {
        self.header(name).is_some_and(|value| value.is("true"))
    }

    /// Returns the elements of a list, separated by commas or semicolons, from all headers of that
    /// name.
    #[must_use]
    pub const fn items<'n>(&self, name: &'n str) -> Items<'a, 'n> {
        Items { headers: self.headers(), name, rest: &[] }
    }

    /// Returns whether a list has that element, in any case, with or without parameters.
    #[must_use]
    pub fn has_item(&self, name: &str, item: &str) -> bool {
        self.items(name).any(|element| element.is(item))
    }

    /// Returns the addresses of a list such as `X-Try-Ultrapeers`, `X-Alt` or `X-Nalt`. What follows
    /// an address in its element, such as a date, is ignored. Without a port it is 6346.
    ///
    /// ```
    /// use gnutella_wire::head::{Head, HeadLimits};
    ///
    /// let head = b"GNUTELLA/0.6 503 Full\r\n\
    ///     X-Try-Ultrapeers: 10.0.0.1:6348 2004-12-18T23:47Z,junk,\r\n\t10.0.0.2:6346\r\n\r\n";
    /// let (head, _) = Head::decode(head, HeadLimits::GTKG)?;
    /// let hosts: Vec<_> = head.addresses("X-Try-Ultrapeers").map(|host| host.to_string()).collect();
    /// assert_eq!(hosts, ["10.0.0.1:6348", "10.0.0.2:6346"]);
    /// # Ok::<(), gnutella_wire::DecodeError>(())
    /// ```
    #[must_use]
    pub const fn addresses<'n>(&self, name: &'n str) -> Addresses<'a, 'n> {
        Addresses(self.items(name))
    }
}

impl HeadLimits {
    /// 16,384 bytes and 128 lines, as gtk-gnutella 1.2.3 has it.
    pub const GTKG: Self = Self { bytes: 16_384, lines: 128 };
    /// 1,024 bytes and 32 lines, for a device.
    pub const EMBEDDED: Self = Self { bytes: 1_024, lines: 32 };
}

impl Default for HeadLimits {
    /// [`GTKG`](Self::GTKG).
    fn default() -> Self {
        Self::GTKG
    }
}

impl<'a> Header<'a> {
    /// Names a header line to send.
    #[must_use]
    pub const fn new(name: &'a str, value: &'a str) -> Self {
        Self { name, value }
    }

    /// Returns whether this is one line, whatever the name and the value hold.
    fn is_one_line(&self) -> bool {
        !self.name.contains(['\r', '\n', ':']) && !self.value.contains(['\r', '\n'])
    }
}

impl<'a> Value<'a> {
    /// Returns the bytes, line ends of folded lines included.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Returns the value if it is UTF-8, line ends of folded lines included.
    #[must_use]
    pub fn as_str(self) -> Option<&'a str> {
        core::str::from_utf8(self.0).ok()
    }

    /// Returns whether this is `text`, in any case.
    #[must_use]
    pub fn is(self, text: &str) -> bool {
        self.0.eq_ignore_ascii_case(text.as_bytes())
    }

    /// Parses the value up to its first white space.
    #[must_use]
    pub fn parse<T: FromStr>(self) -> Option<T> {
        let word = self.0.split(u8::is_ascii_whitespace).next()?;
        core::str::from_utf8(word).ok()?.parse().ok()
    }

    /// Reads a decimal number up to the first white space.
    pub(crate) fn number(self) -> Option<u16> {
        self.0.split(u8::is_ascii_whitespace).next().and_then(decimal)
    }

    /// Returns what stands before and after the first `separator`.
    pub(crate) fn split_once(self, separator: u8) -> Option<(Self, Self)> {
        let at = self.0.iter().position(|byte| *byte == separator)?;
        let (before, after) = self.0.split_at_checked(at)?;
        Some((Self::trimmed(before), Self::trimmed(after.get(1..)?)))
    }

    /// Removes the quotes around the value.
    pub(crate) fn unquoted(self) -> Self {
        let inner = self.0.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
        Self(inner.unwrap_or(self.0))
    }

    /// Removes a unit in any case, and a `=` after it.
    pub(crate) fn without_unit(self, unit: &str) -> Self {
        match self.0.split_at_checked(unit.len()) {
            Some((word, rest)) if Self(word).is(unit) => {
                let rest = rest.trim_ascii_start();
                Self::trimmed(rest.strip_prefix(b"=").unwrap_or(rest))
            }
            _ => self,
        }
    }

    fn trimmed(bytes: &'a [u8]) -> Self {
        Self(bytes.trim_ascii())
    }
}

impl<'a> Headers<'a> {
    /// Continues to the next header of that name.
    fn named(&mut self, name: &str) -> Option<Value<'a>> {
        self.find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        while let Some((line, rest)) = split_folded(self.0) {
            self.0 = rest;
            if let Some(field) = Field::decode(line) {
                return Some(field);
            }
        }
        None
    }
}

impl<'a> Field<'a> {
    fn decode(line: &'a [u8]) -> Option<Self> {
        if line.first().is_some_and(u8::is_ascii_whitespace) {
            return None; // continues no header
        }
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at_checked(colon)?;
        let name = core::str::from_utf8(name.trim_ascii()).ok()?;
        Some(Self { name, value: Value::trimmed(value.get(1..)?) })
    }
}

impl<'a> Iterator for Items<'a, '_> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        loop {
            while self.rest.is_empty() {
                self.rest = self.headers.named(self.name)?.0;
            }
            let separator = self.rest.iter().position(|byte| matches!(byte, b',' | b';'));
            let (item, rest) = self.rest.split_at_checked(separator.unwrap_or(self.rest.len()))?;
            self.rest = rest.get(1..).unwrap_or(&[]);
            let item = Value::trimmed(item);
            if !item.0.is_empty() {
                return Some(item);
            }
        }
    }
}

impl Iterator for Addresses<'_, '_> {
    type Item = SocketAddrV4;

    fn next(&mut self) -> Option<SocketAddrV4> {
        self.0.find_map(Value::address)
    }
}

impl Value<'_> {
    /// The port of an address without one.
    const PORT: u16 = 6346;

    /// Reads an address, with or without a port, and ignores what follows it: a date, or another address.
    #[must_use]
    pub fn address(self) -> Option<SocketAddrV4> {
        let is_end = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b';');
        let word = self.0.split(is_end).next()?;
        let mut parts = word.splitn(2, |byte| *byte == b':');
        let mut octets = parts.next()?.split(|byte| *byte == b'.');
        let mut ip = [0; 4];
        for octet in &mut ip {
            let digits = octets.next()?;
            // As in the standard library: "010" might mean eight.
            let is_plain = digits.len() == 1 || digits.first() != Some(&b'0');
            *octet = u8::try_from(decimal(digits).filter(|_| is_plain)?).ok()?;
        }
        let port = parts.next().map_or(Some(Self::PORT), decimal)?;
        octets.next().is_none().then(|| SocketAddrV4::new(Ipv4Addr::from(ip), port))
    }
}

/// Reads digits alone.
fn decimal(digits: &[u8]) -> Option<u16> {
    let value = |sum: u16, digit: &u8| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        sum.checked_mul(10)?.checked_add(digit.into())
    };
    digits.iter().try_fold(0, value).filter(|_| !digits.is_empty())
}

/// Writes header lines and the empty line. A header that would not be one line, because it holds a
/// line end, is left out: what an application copies from elsewhere must not forge lines.
pub(crate) fn write_headers(w: &mut Writer<'_>, headers: &[Header<'_>]) {
    for header in headers.iter().filter(|header| header.is_one_line()) {
        w.text(format_args!("{header}\r\n"));
    }
    w.bytes(b"\r\n");
}

/// Returns the length of the empty lines at the front, which are to be passed over before a head (RFC 9112, 2.2).
#[cfg(feature = "transfer")]
pub(crate) fn empty_lines(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let [b'\n', after @ ..] | [b'\r', b'\n', after @ ..] = rest {
        rest = after;
    }
    bytes.len().saturating_sub(rest.len())
}

/// Returns the first line without its end, and what follows; `None` if it does not end.
pub(crate) fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == b'\n')?;
    let (line, rest) = bytes.split_at_checked(at)?;
    Some((line.strip_suffix(b"\r").unwrap_or(line), rest.get(1..)?))
}

/// Returns the first line with its continuation lines, without the last line end, and what follows.
fn split_folded(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut line, mut rest) = split_line(bytes)?;
    while rest.first().is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
        let (_, after) = split_line(rest)?;
        line = bytes.get(..bytes.len().saturating_sub(after.len()))?;
        rest = after;
    }
    Some((line, rest))
}

/// The value on one line: folds as one space, other controls and bytes that are not UTF-8 as escapes.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.0.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        for (number, line) in lines.enumerate() {
            f.write_str(if number > 0 { " " } else { "" })?;
            let (text, _) = Text::split(line);
            write!(f, "{text}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name.escape_debug(), self.value)
    }
}

impl fmt::Display for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.value)
    }
}

impl fmt::Display for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first.escape_ascii())?;
        self.headers().try_for_each(|header| write!(f, " | {header}"))
    }
}

/// Splits a status line without its end: the version, the code of three digits, and the reason. Spaces or tabs separate them,
/// one or several.
pub(crate) fn split_status_line(line: &str) -> Option<(&str, u16, &str)> {
    const BLANKS: [char; 2] = [' ', '\t'];
    let (version, status) = line.split_once(BLANKS)?;
    let status = status.trim_start();
    let (code, reason) = status.split_once(BLANKS).unwrap_or((status, ""));
    let three_digits = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit());
    let code = code.parse().ok().filter(|_| three_digits)?;
    Some((version, code, reason.trim_start()))
}
