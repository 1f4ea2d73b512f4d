//! Which files of a torrent are meant (BEP 53).

use core::ops::RangeInclusive;

use thiserror::Error;

use super::Escaped;
use crate::text::parse;

/// A list of file numbers that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SelectError {
    /// No number of 32 bits.
    #[error("a file number that is none")]
    Number,
    /// A range that ends before it begins.
    #[error("files from {first} to {last}")]
    Backwards {
        /// Where it begins.
        first: u32,
        /// Where it ends.
        last: u32,
    },
}

/// Ranges of file numbers from 0, both ends included, as they stand: `0,2,4,6-8`. Commas may be
/// escaped.
#[derive(Debug, Clone)]
pub struct Ranges<'a>(pub(super) Escaped<'a>);

impl Iterator for Ranges<'_> {
    type Item = Result<RangeInclusive<u32>, SelectError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Escaped(list) = self.0;
        if list.is_empty() {
            return None;
        }
        let end = list.iter().position(|byte| matches!(byte, b',' | b'%')).unwrap_or(list.len());
        let (part, rest) = list.split_at_checked(end)?;
        self.0 = Escaped(match rest {
            [b',', rest @ ..] | [b'%', b'2', b'C' | b'c', rest @ ..] => rest,
            [] => rest,
            _ => {
                self.0 = Escaped(&[]);
                return Some(Err(SelectError::Number));
            }
        });
        Some(range(part))
    }
}

fn range(part: &[u8]) -> Result<RangeInclusive<u32>, SelectError> {
    let mut ends = part.splitn(2, |byte| *byte == b'-');
    let first = ends.next().and_then(parse).ok_or(SelectError::Number)?;
    let last = ends.next().map_or(Some(first), parse).ok_or(SelectError::Number)?;
    if last < first {
        return Err(SelectError::Backwards { first, last });
    }
    Ok(first..=last)
}
