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
            match Keyword::of(fields.word()?) {
                Keyword::Filename => {
                    fields.word()?.as_bytes().eq_ignore_ascii_case(b"CONTAINS").then_some(())?;
                    let words = fields.name()?;
                    let free = if search.artist.is_none() && search.max_results.is_none() {
                        &mut search.artist
                    } else {
                        &mut search.title
                    };
                    *free = Some(words);
                }
                Keyword::MaxResults => search.max_results = Some(fields.number()?),
                Keyword::Speed => search.speed = Some(Bound::read(&mut fields)?),
                Keyword::Bitrate => search.bitrate = Some(Bound::read(&mut fields)?),
                Keyword::Frequency => search.frequency = Some(Bound::read(&mut fields)?),
                Keyword::Bound => drop(Bound::read(&mut fields)?),
                Keyword::Value => drop(fields.word()?),
                Keyword::Alone => {}
                Keyword::Unknown => return None,
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

/// What a part of a search begins with. Those of `OpenNap` 0.36 that ask for what this crate does not store are read
/// and ignored.
enum Keyword {
    Filename,
    MaxResults,
    Speed,
    Bitrate,
    Frequency,
    /// A bound of something else.
    Bound,
    /// Has a word after it.
    Value,
    /// Has nothing after it.
    Alone,
    Unknown,
}

impl Keyword {
    fn of(word: Text<'_>) -> Self {
        let known = [
            ("FILENAME", Self::Filename),
            ("MAX_RESULTS", Self::MaxResults),
            ("LINESPEED", Self::Speed),
            ("BITRATE", Self::Bitrate),
            ("FREQ", Self::Frequency),
            ("SIZE", Self::Bound),
            ("DURATION", Self::Bound),
            ("TYPE", Self::Value),
            ("LOCAL_ONLY", Self::Alone),
            ("WMA-FILE", Self::Alone),
        ];
        let is = |name: &str| word.as_bytes().eq_ignore_ascii_case(name.as_bytes());
        known.into_iter().find(|(name, _)| is(name)).map_or(Self::Unknown, |(_, keyword)| keyword)
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
        let bounds = [
            ("AT LEAST", Self::AtLeast(number)),
            ("AT BEST", Self::AtBest(number)),
            ("EQUAL TO", Self::EqualTo(number)),
        ];
        let is = |name: &str| how.as_bytes().eq_ignore_ascii_case(name.as_bytes());
        bounds.into_iter().find(|(name, _)| is(name)).map(|(_, bound)| bound)
    }

    const fn parts(self) -> (&'static str, u32) {
        match self {
            Self::AtLeast(number) => ("\"AT LEAST\"", number),
            Self::AtBest(number) => ("\"AT BEST\"", number),
            Self::EqualTo(number) => ("\"EQUAL TO\"", number),
        }
    }
}
