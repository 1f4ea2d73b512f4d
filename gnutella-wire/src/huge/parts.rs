//! What stands in an extension area.

#![expect(clippy::exhaustive_enums, reason = "the parts of the format")]

use core::fmt;

use crate::ggep::{Block, GgepError, Known, MAGIC};
use crate::text::Text;
use crate::wire::{Query, Record};

/// Stands between two parts.
pub const SEPARATOR: u8 = 0x1C;

/// A part of an extension area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// A string: a URN, XML metadata, or what a vendor has invented. Never empty.
    Gem(Text<'a>),
    /// A block of extensions with names.
    Ggep(Block<'a>),
}

/// Iterates over the parts of an area. Empty ones, and NULs between them, are skipped. A block that
/// is not sound comes as an error, and nothing after it, since nobody knows where it ends.
#[derive(Debug, Clone)]
pub struct Parts<'a>(&'a [u8]);

/// Iterates over the parts of an area.
#[must_use]
pub const fn parts(area: &[u8]) -> Parts<'_> {
    Parts(area)
}

impl<'a> Query<'a> {
    /// Iterates over the strings and blocks that follow the search text.
    #[must_use]
    pub const fn parts(&self) -> Parts<'a> {
        Parts(self.extensions)
    }
}

impl<'a> Record<'a> {
    /// Iterates over the strings and blocks that follow the name.
    #[must_use]
    pub const fn parts(&self) -> Parts<'a> {
        Parts(self.extensions.as_bytes())
    }

    /// Returns the size of the file in bytes, also from 4 GiB on: then the extension `LF` has it, and
    /// [`size`](Self::size) is all ones.
    #[must_use]
    pub fn file_size(&self) -> u64 {
        let large = |part| {
            let Ok(Part::Ggep(block)) = part else { return None };
            let extension = block.find(b"LF")?;
            let mut buf = [0; 16];
            match Known::read(extension.id(), extension.value(&mut buf).ok()?)? {
                Known::LargeFile(size) => Some(size),
                _ => None,
            }
        };
        self.parts().find_map(large).unwrap_or(self.size.into())
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Result<Part<'a>, GgepError>;

    fn next(&mut self) -> Option<Self::Item> {
        while let [0 | SEPARATOR, rest @ ..] = self.0 {
            self.0 = rest;
        }
        if *self.0.first()? == MAGIC {
            let block = Block::decode(self.0);
            self.0 = block.map_or(&[], |(_, rest)| rest);
            return Some(block.map(|(block, _)| Part::Ggep(block)));
        }
        let end = self.0.iter().position(|byte| matches!(*byte, 0 | SEPARATOR));
        let (gem, rest) = self.0.split_at_checked(end.unwrap_or(self.0.len()))?;
        self.0 = rest;
        Text::new(gem).map(|gem| Ok(Part::Gem(gem)))
    }
}

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gem(gem) => write!(f, "{gem:?}"),
            Self::Ggep(block) => write!(f, "{block}"),
        }
    }
}
