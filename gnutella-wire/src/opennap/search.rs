//! Search: which files, by words and by what they are like (type 200).

#![expect(clippy::exhaustive_enums, reason = "the fields are the format")]
#![expect(clippy::exhaustive_structs, reason = "the fields are the format")]

use super::fields::{Fields, Joiner};
use crate::text::Text;

/// The most rows that servers send, whatever is asked for.
pub const MAX_RESULTS: u16 = 100;

/// Asks the index for files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Search<'a> {
    /// `FILENAME CONTAINS`: words of the artist, by custom.
    pub artist: Option<Text<'a>>,
    /// How many rows are wanted.
    pub max_results: Option<u16>,
    /// A second `FILENAME CONTAINS`: words of the title, by custom.
    pub title: Option<Text<'a>>,
    /// The type of the sharer's link.
    pub speed: Option<Bound>,
    /// Kilobits per second of sound.
    pub bitrate: Option<Bound>,
    /// Samples per second, in hertz.
    pub frequency: Option<Bound>,
}

/// Bounds a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bound {
    /// `"AT LEAST"`.
    AtLeast(u32),
    /// `"AT BEST"`: at most.
    AtBest(u32),
    /// `"EQUAL TO"`.
    EqualTo(u32),
}

impl<'a> Search<'a> {
    /// Searches for names with all of these words.
    #[must_use]
    pub const fn new(words: Text<'a>) -> Self {
        Self {
            artist: Some(words),
            max_results: Some(MAX_RESULTS),
            title: None,
            speed: None,
            bitrate: None,
            frequency: None,
        }
    }

    pub(super) fn read(mut fields: Fields<'a>) -> Option<Self> {
        let mut search = Self::default();
        while !fields.is_empty() {
            match fields.word()?.as_bytes() {
                b"FILENAME" => {
                    (fields.word()?.as_bytes() == b"CONTAINS").then_some(())?;
                    let words = fields.name()?;
                    let free = if search.artist.is_none() && search.max_results.is_none() {
                        &mut search.artist
                    } else {
                        &mut search.title
                    };
                    *free = Some(words);
                }
                b"MAX_RESULTS" => search.max_results = Some(fields.number()?),
                b"LINESPEED" => search.speed = Some(Bound::read(&mut fields)?),
                b"BITRATE" => search.bitrate = Some(Bound::read(&mut fields)?),
                b"FREQ" => search.frequency = Some(Bound::read(&mut fields)?),
                _ => return None,
            }
        }
        Some(search)
    }

    pub(super) fn write(&self, out: &mut Joiner<'_, '_>) {
        if let Some(words) = self.artist {
            out.keyword("FILENAME CONTAINS").name(words);
        }
        if let Some(max_results) = self.max_results {
            out.keyword("MAX_RESULTS").number(max_results);
        }
        if let Some(words) = self.title {
            out.keyword("FILENAME CONTAINS").name(words);
        }
        let bounds =
            [("LINESPEED", self.speed), ("BITRATE", self.bitrate), ("FREQ", self.frequency)];
        for (keyword, bound) in bounds {
            if let Some(bound) = bound {
                let (how, number) = bound.parts();
                out.keyword(keyword).keyword(how).number(number);
            }
        }
    }
}

impl Bound {
    /// Returns whether a number is within the bound.
    #[must_use]
    pub const fn holds(self, number: u32) -> bool {
        match self {
            Self::AtLeast(least) => number >= least,
            Self::AtBest(most) => number <= most,
            Self::EqualTo(same) => number == same,
        }
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let how = fields.name()?;
        let number = fields.number()?;
        Some(match how.as_bytes() {
            b"AT LEAST" => Self::AtLeast(number),
            b"AT BEST" => Self::AtBest(number),
            b"EQUAL TO" => Self::EqualTo(number),
            _ => return None,
        })
    }

    const fn parts(self) -> (&'static str, u32) {
        match self {
            Self::AtLeast(number) => ("\"AT LEAST\"", number),
            Self::AtBest(number) => ("\"AT BEST\"", number),
            Self::EqualTo(number) => ("\"EQUAL TO\"", number),
        }
    }
}
