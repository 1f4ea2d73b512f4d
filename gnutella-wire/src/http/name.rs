//! File names within request lines (RFC 3986, 2.1).

use core::fmt;

/// A file name, as it is or with its odd characters written as `%20`. Two names are equal if they
/// mean the same bytes.
#[derive(Clone, Copy)]
pub struct Name<'a>(Form<'a>);

/// The bytes that a name means.
#[derive(Debug, Clone)]
pub struct NameBytes<'a>(Form<'a>);

#[derive(Debug, Clone, Copy)]
enum Form<'a> {
    Plain(&'a [u8]),
    Escaped(&'a [u8]),
}

impl<'a> Name<'a> {
    /// Takes a name as it is, as in a hit.
    #[must_use]
    pub const fn new(name: &'a [u8]) -> Self {
        Self(Form::Plain(name))
    }

    /// Takes a name as it stands in a request. A `%` that begins no escape means itself.
    #[must_use]
    pub(crate) const fn from_escaped(name: &'a [u8]) -> Self {
        Self(Form::Escaped(name))
    }

    /// Iterates over the bytes that the name means.
    #[must_use]
    pub const fn bytes(&self) -> NameBytes<'a> {
        NameBytes(self.0)
    }
}

impl Iterator for NameBytes<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (Form::Plain(rest) | Form::Escaped(rest)) = self.0;
        let (byte, after) = match (self.0, rest) {
            (_, []) => return None,
            (Form::Escaped(_), [b'%', high, low, after @ ..]) => {
                match (digit(*high), digit(*low)) {
                    (Some(high), Some(low)) => (high << 4 | low, after),
                    _ => (b'%', rest.get(1..)?),
                }
            }
            (_, [byte, after @ ..]) => (*byte, after),
        };
        self.0 = match self.0 {
            Form::Plain(_) => Form::Plain(after),
            Form::Escaped(_) => Form::Escaped(after),
        };
        Some(byte)
    }
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

impl PartialEq for Name<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes().eq(other.bytes())
    }
}

impl Eq for Name<'_> {}

/// The name as it stands in a request: letters, digits and `-._~` as they are, the rest escaped.
impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes().try_for_each(|byte| match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => {
                write!(f, "{}", char::from(byte))
            }
            _ => write!(f, "%{byte:02X}"),
        })
    }
}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}
