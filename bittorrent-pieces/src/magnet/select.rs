//! The selected files of a torrent (BEP 53).

use core::ops::RangeInclusive;

use thiserror::Error;

use crate::text::{Escaped, parse};

/// An entry that is not a file number or a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SelectError {
    /// Not a number of 32 bits.
    #[error("invalid file number")]
    Number,
    /// A range that ends before it begins.
    #[error("files from {first} to {last}: the range is reversed")]
    Backwards {
        /// Its first number.
        first: u32,
        /// Its last number.
        last: u32,
    },
}

/// Ranges of file numbers from 0, both ends included: `0,2,4,6-8`. Commas may be escaped.
#[derive(Debug, Clone)]
pub struct Ranges<'a>(pub(super) Escaped<'a>);

impl Iterator for Ranges<'_> {
    type Item = Result<RangeInclusive<u32>, SelectError>;

    fn next(&mut self) -> Option<Self::Item> {
        let list = self.0.as_raw();
        if list.is_empty() {
            return None;
        }
        let end = list.iter().position(|byte| matches!(byte, b',' | b'%')).unwrap_or(list.len());
        let (part, rest) = list.split_at_checked(end)?;
        self.0 = Escaped::new(match rest {
            [b',', rest @ ..] | [b'%', b'2', b'C' | b'c', rest @ ..] => rest,
            [] => rest,
            _ => {
                self.0 = Escaped::new(&[]);
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
