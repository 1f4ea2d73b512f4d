//! The options after an announce request (BEP 41).

use crate::error::BufferTooSmall;
use crate::text::Text;

/// Ends the options.
const END: u8 = 0;
/// Does nothing; one byte.
const NOP: u8 = 1;
/// A part of the path and query of the tracker's URL.
const URL_DATA: u8 = 2;
/// The maximum length of one option.
const MAX_LEN: usize = 255;

/// An option of an announce request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UdpOption<'a> {
    /// 2: a part of the path and query of the tracker's URL; several are joined.
    UrlData(&'a [u8]),
    /// Any other type, with its content.
    Other {
        /// The type.
        kind: u8,
        /// The bytes after type and length.
        data: &'a [u8],
    },
}

/// The options of an announce request, in order. A truncated option ends them and is ignored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options<'a>(pub(super) &'a [u8]);

impl<'a> Options<'a> {
    /// Reads options from bytes.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes as they are sent.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Returns the options in order.
    #[must_use]
    pub const fn iter(&self) -> OptionsIter<'a> {
        OptionsIter(self.0)
    }
}

/// The options of an [`Options`].
#[derive(Debug, Clone)]
pub struct OptionsIter<'a>(&'a [u8]);

impl<'a> Iterator for OptionsIter<'a> {
    type Item = UdpOption<'a>;

    fn next(&mut self) -> Option<UdpOption<'a>> {
        loop {
            match self.0 {
                [] | [END, ..] => return None,
                [NOP, rest @ ..] => self.0 = rest,
                [kind, len, rest @ ..] => {
                    let (data, rest) = rest.split_at_checked(usize::from(*len))?;
                    self.0 = rest;
                    return Some(match *kind {
                        URL_DATA => UdpOption::UrlData(data),
                        kind => UdpOption::Other { kind, data },
                    });
                }
                [_] => return None,
            }
        }
    }
}

impl<'a> IntoIterator for &Options<'a> {
    type Item = UdpOption<'a>;
    type IntoIter = OptionsIter<'a>;

    fn into_iter(self) -> OptionsIter<'a> {
        self.iter()
    }
}

/// Returns the length in bytes of the options of BEP 41 that hold a path.
#[must_use]
pub const fn url_data_len(path: &[u8]) -> usize {
    path.len().saturating_add(path.len().div_ceil(MAX_LEN).saturating_mul(2))
}

/// Writes the path and query of a tracker's URL as options of 255 bytes, and returns their length in bytes.
///
/// # Errors
///
/// [`BufferTooSmall`]
pub(crate) fn encode_url_data(path: &[u8], out: &mut [u8]) -> Result<usize, BufferTooSmall> {
    let mut text = Text::new(out);
    for part in path.chunks(MAX_LEN) {
        text.raw(&[URL_DATA, u8::try_from(part.len()).unwrap_or(u8::MAX)]);
        text.raw(part);
    }
    text.finish()
}
