//! What a web seed does with responses over HTTP.

use core::time::Duration;

use super::config::WebSeedKind;
use super::event::{CloseReason, HttpGet, HttpTarget, NotRequested, ResponseHead};
use super::inner::{Core, Exchange, View};
use super::storage::WebFile;
use super::url::resolve;
use crate::block::BLOCK_LEN;
use crate::index::slot;
use crate::text::parse;

/// The most digits of a number of seconds in the body of BEP 17.
const DIGITS: u8 = 6;

/// What the head of a response announces.
enum Announced {
    /// The bytes of the range or its front, behind others that are skipped.
    Bytes { skip: u64, len: u64 },
    /// The server does not have the file.
    Missing,
    /// The server sends files from their start only.
    NoRanges,
    /// Nothing that fits the request.
    Unusable,
}

impl Core {
    /// Returns the number of the request that is in flight.
    pub(super) const fn number_in_flight(&self) -> Option<u32> {
        match self.exchange {
            Exchange::Idle => None,
            Exchange::Asked(get) | Exchange::Body { get, .. } => Some(get.number),
            Exchange::Pause { number, .. } => Some(number),
        }
    }

    /// Refuses the number of a request that is not in flight.
    fn check_number(&self, number: u32) -> Result<(), NotRequested> {
        let known = self.number_in_flight() == Some(number) && !self.due.get;
        if known { Ok(()) } else { Err(NotRequested(number)) }
    }
}

impl View<'_> {
    pub(super) fn head(
        &mut self,
        now: Duration,
        number: u32,
        head: &ResponseHead<'_>,
    ) -> Result<u64, NotRequested> {
        self.core.check_number(number)?;
        let Exchange::Asked(get) = self.core.exchange else { return Err(NotRequested(number)) };
        self.core.advance_clock(now);
        self.core.active_at = self.core.now;
        match head.status {
            200 | 206 => self.content(get, head),
            301..=303 | 307 | 308 => self.redirect(get, head),
            503 if self.core.config.kind == WebSeedKind::Pieces && head.retry_after.is_none() => {
                self.core.exchange = Exchange::Pause { number, seconds: 0, digits: 0 };
            }
            429 | 503 => {
                let seconds = head.retry_after.and_then(|text| parse::<u32>(text.trim_ascii()));
                self.pause(seconds.map(|seconds| Duration::from_secs(seconds.into())));
            }
            408 => self.pause(None), // a connection that was idle for too long
            400..=499 => self.file_missing(get),
            _ => self.pause(None),
        }
        Ok(match self.core.exchange {
            Exchange::Body { skip, left, .. } => skip.saturating_add(left),
            Exchange::Pause { .. } => u64::from(DIGITS).saturating_add(1),
            Exchange::Idle | Exchange::Asked(_) => 0,
        })
    }

    fn content(&mut self, get: HttpGet, head: &ResponseHead<'_>) {
        let announced = match self.file_of_front() {
            _ if self.core.config.kind == WebSeedKind::Pieces => piece(&get, head),
            Some(file) if head.status == 206 => range(&get, &file, head),
            Some(file) => whole(&get, &file, head, self.core.config.max_skip),
            None => Announced::Unusable,
        };
        match announced {
            Announced::Bytes { skip, len } => {
                self.core.exchange = Exchange::Body { get, skip, left: len, received: 0 };
            }
            Announced::Missing => self.file_missing(get),
            Announced::NoRanges => self.close(CloseReason::NoRanges),
            Announced::Unusable => self.pause(None),
        }
    }

    /// Returns the number of the file from which bytes are requested.
    fn number_of_front(&self) -> Option<usize> {
        let (_, block) = self.front()?;
        let got = u64::try_from(self.core.block_len).unwrap_or(u64::MAX);
        let place = self.core.start(block).saturating_add(got);
        Some(self.parts.files.partition_point(|file| file.end() <= place))
    }

    fn file_of_front(&self) -> Option<WebFile> {
        self.parts.files.get(self.number_of_front()?).copied()
    }

    fn redirect(&mut self, get: HttpGet, head: &ResponseHead<'_>) {
        let followed = self.core.redirects < self.core.config.max_redirects;
        let location = head.location.filter(|_| followed);
        let len = location.and_then(|to| resolve(head.url, to, self.parts.location));
        let Some(len) = len else { return self.file_missing(get) };
        self.core.location_len = len;
        self.core.redirects = self.core.redirects.saturating_add(1);
        self.core.ask(HttpTarget::Location, get.begin, get.len);
    }

    /// The server does not have a file: its pieces are no longer announced, and its requests rejected.
    fn file_missing(&mut self, get: HttpGet) {
        let number = match get.target {
            HttpTarget::File(number) => Some(slot(number)),
            HttpTarget::Location => self.number_of_front(),
            HttpTarget::Piece(_) => None,
        };
        let by_files = self.core.config.kind == WebSeedKind::Files;
        if let Some(file) = number.filter(|_| by_files).and_then(|at| self.parts.files.get_mut(at))
        {
            file.missing = true;
        }
        if !by_files || !self.parts.files.iter().any(WebFile::is_served) {
            return self.close(CloseReason::NoFiles);
        }
        self.core.exchange = Exchange::Idle;
        self.core.due.pieces = true;
        self.advance();
    }

    pub(super) fn body(
        &mut self,
        now: Duration,
        number: u32,
        bytes: &[u8],
    ) -> Result<usize, NotRequested> {
        self.core.check_number(number)?;
        if let Exchange::Pause { seconds, digits, .. } = &mut self.core.exchange {
            for digit in bytes.iter().filter_map(|byte| char::from(*byte).to_digit(10)) {
                if *digits < DIGITS {
                    *digits = digits.saturating_add(1);
                    *seconds = seconds.saturating_mul(10).saturating_add(digit);
                }
            }
            self.core.advance_clock(now);
            return Ok(bytes.len());
        }
        let Exchange::Body { get, skip, left, received } = self.core.exchange else {
            return Err(NotRequested(number));
        };
        self.core.advance_clock(now);
        self.core.active_at = self.core.now;
        let skipped = usize::try_from(skip).unwrap_or(usize::MAX).min(bytes.len());
        let rest = bytes.get(skipped..).unwrap_or_default();
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        let taken = self.add(rest.get(..most).unwrap_or(rest));
        let count = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
        let left = left.saturating_sub(count(taken));
        let skip = skip.saturating_sub(count(skipped));
        let received = received.saturating_add(count(taken));
        self.core.exchange = Exchange::Body { get, skip, left, received };
        if left == 0 {
            self.core.failures = 0;
            self.core.exchange = Exchange::Idle;
            self.advance();
        }
        Ok(skipped.saturating_add(taken))
    }

    /// Adds bytes to the block that arrives; returns how many it has room for.
    fn add(&mut self, bytes: &[u8]) -> usize {
        let Some((_, block)) = self.front() else { return 0 };
        let from = self.core.block_len;
        let room = self.parts.block.get_mut(from..slot(block.len)).unwrap_or_default();
        let len = room.len().min(bytes.len());
        for (to, byte) in room.iter_mut().zip(bytes) {
            *to = *byte;
        }
        self.core.block_len = from.saturating_add(len);
        len
    }

    pub(super) fn end(&mut self, now: Duration, number: u32) -> Result<(), NotRequested> {
        self.core.check_number(number)?;
        self.core.advance_clock(now);
        match self.core.exchange {
            Exchange::Pause { seconds, digits, .. } if digits > 0 => {
                self.pause(Some(Duration::from_secs(seconds.into())));
            }
            // It ended too soon, but a block or more came: the rest is requested again.
            Exchange::Body { received, .. } if received >= u64::from(BLOCK_LEN) => {
                self.core.exchange = Exchange::Idle;
                self.advance();
            }
            _ => self.pause(None),
        }
        Ok(())
    }
}

/// Reads the response to a request for a range of a file.
fn range(get: &HttpGet, file: &WebFile, head: &ResponseHead<'_>) -> Announced {
    let Some((first, last, total)) = head.content_range.and_then(content_range) else {
        return Announced::Unusable;
    };
    if total.is_some_and(|total| total != file.len) {
        return Announced::Missing;
    }
    let Some(len) = last.checked_sub(first).filter(|_| first == get.begin) else {
        return Announced::Unusable;
    };
    Announced::Bytes { skip: 0, len: len.saturating_add(1).min(get.len) }
}

/// Reads the response of a server that sends the whole file.
fn whole(get: &HttpGet, file: &WebFile, head: &ResponseHead<'_>, max_skip: u64) -> Announced {
    if head.content_length.is_some_and(|len| len != file.len) {
        return Announced::Missing;
    }
    if get.begin > max_skip {
        return Announced::NoRanges;
    }
    Announced::Bytes { skip: get.begin, len: get.len }
}

/// Reads the response of a script that returns pieces.
fn piece(get: &HttpGet, head: &ResponseHead<'_>) -> Announced {
    if head.content_length.is_some_and(|len| len != get.len) {
        return Announced::Unusable;
    }
    Announced::Bytes { skip: 0, len: get.len }
}

/// Parses `bytes first-last/total`, where the total may be `*`.
fn content_range(text: &[u8]) -> Option<(u64, u64, Option<u64>)> {
    let text = text.trim_ascii();
    let (unit, rest) = text.split_at_checked(5)?;
    if !unit.eq_ignore_ascii_case(b"bytes") {
        return None;
    }
    let mut halves = rest.trim_ascii().splitn(2, |byte| *byte == b'/');
    let mut ends = halves.next()?.splitn(2, |byte| *byte == b'-');
    let first = parse(ends.next()?.trim_ascii())?;
    let last = parse(ends.next()?.trim_ascii())?;
    let total = halves.next()?.trim_ascii();
    let total = if total == b"*" { None } else { Some(parse(total)?) };
    Some((first, last, total))
}
