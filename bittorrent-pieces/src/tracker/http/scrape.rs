//! The answer to a scrape (BEP 48).

use super::answer::{Answer, AnswerError, number, read};
use crate::bencode::{Entries, Value};
use crate::id::InfoHash;
use crate::tracker::stats::ScrapeStats;

/// The statistics of some torrents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scraped<'a> {
    files: Value<'a>,
}

impl<'a> Scraped<'a> {
    /// Parses the body of an HTTP response. Bytes after the value are ignored.
    ///
    /// # Errors
    ///
    /// [`AnswerError`]
    pub fn decode(bytes: &'a [u8]) -> Result<Answer<'a, Self>, AnswerError> {
        Ok(match read(bytes)? {
            Answer::Failure(reason) => Answer::Failure(reason),
            Answer::Done(dict) => {
                let files = dict.find(b"files").filter(Value::is_dict);
                Answer::Done(Self { files: files.ok_or(AnswerError::Key("files"))? })
            }
        })
    }

    /// Returns the torrents that the tracker knows, in its order. A missing number is 0.
    #[must_use]
    pub fn torrents(&self) -> ScrapedTorrents<'a> {
        ScrapedTorrents(self.files.entries())
    }
}

/// The torrents of a [`Scraped`].
#[derive(Debug, Clone)]
pub struct ScrapedTorrents<'a>(Entries<'a>);

impl Iterator for ScrapedTorrents<'_> {
    type Item = Result<(InfoHash, ScrapeStats), AnswerError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (name, dict) = self.0.next()?;
        let Ok(hash) = name.try_into() else { return Some(Err(AnswerError::InfoHash(name.len()))) };
        let of = |key: &[u8]| number(dict, key).unwrap_or(0);
        let stats = ScrapeStats {
            seeders: of(b"complete"),
            completed: of(b"downloaded"),
            leechers: of(b"incomplete"),
        };
        Some(Ok((InfoHash(hash), stats)))
    }
}
