//! What a web seed keeps besides its storage, and which bytes it requests next.

use core::time::Duration;

use super::config::{WebSeedConfig, WebSeedKind};
use super::event::{CloseReason, HttpGet, HttpTarget, WebSeedEvent};
use super::storage::{Step, WEB_BLOCK_LEN, WebFile, WebRequestSlot, WebSeedParts};
use crate::block::{BLOCK_LEN, Block};
use crate::error::ConfigError;
use crate::geometry::Geometry;
use crate::index::{count, slot};

/// The longest pause.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);

/// A request over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exchange {
    Idle,
    /// Its head was not received.
    Asked(HttpGet),
    /// Its body arrives.
    Body {
        get: HttpGet,
        skip: u64,     // bytes before the range
        left: u64,     // bytes of the range, or of its front
        received: u64, // bytes of the range
    },
    /// A body of BEP 17 that says how many seconds to wait.
    Pause {
        number: u32,
        seconds: u32,
        digits: u8,
    },
}

/// All of a web seed but the storage.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Core {
    pub(super) config: WebSeedConfig,
    pub(super) pieces: u32,
    pub(super) piece_len: u32,
    end: u64, // of the content
    pub(super) now: Duration,
    pub(super) exchange: Exchange,
    pub(super) numbers: u32, // of requests over HTTP
    pub(super) redirects: u8,
    pub(super) location_len: usize,
    pub(super) active_at: Duration, // the request over HTTP last made progress
    pub(super) failures: u8,        // in a row
    pub(super) retry_at: Option<Duration>,
    pub(super) block_len: usize, // bytes of the first block that arrived
    pub(super) fast: bool,       // the torrent has the fast extension
    pub(super) extended: bool,   // the torrent has the extension protocol
    pub(super) handshake_received: bool,
    pub(super) due: Due,
    pub(super) choke_sent: bool, // the torrent is choked, as sent
    pub(super) sent_at: Duration,
    pub(super) closed: Option<CloseReason>,
}

/// What is to be sent or reported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is due by itself")]
pub(super) struct Due {
    pub(super) handshake: bool,
    pub(super) pieces: bool,
    pub(super) extended: bool,
    pub(super) keepalive: bool,
    pub(super) get: bool,
    pub(super) abort: Option<u32>,
    pub(super) closed: bool,
}

/// A web seed whose storage is borrowed: the logic, compiled once.
pub(super) struct View<'v> {
    pub(super) core: &'v mut Core,
    pub(super) parts: WebSeedParts<'v>,
}

/// What lies at a place of the content.
enum Place {
    /// Zeros up to this place.
    Zeros(u64),
    /// A file that the server does not have.
    Missing,
    /// A file by its number.
    File(usize),
}

impl Core {
    pub(super) fn new(
        config: WebSeedConfig,
        geometry: Geometry<'_>,
        parts: WebSeedParts<'_>,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        let WebSeedParts { files, requests, block, location } = parts;
        if requests.is_empty() {
            return Err(ConfigError::Requests(1));
        }
        if block.len() < WEB_BLOCK_LEN {
            return Err(ConfigError::Buffer(WEB_BLOCK_LEN));
        }
        let mut end = 0;
        for (number, file) in files.iter_mut().enumerate() {
            if file.offset < end || file.offset.checked_add(file.len).is_none() {
                return Err(ConfigError::File(number));
            }
            end = file.end();
            file.missing = false;
        }
        requests.fill(WebRequestSlot::EMPTY);
        block.fill(0);
        location.fill(0);
        Ok(Self {
            config,
            pieces: geometry.pieces(),
            piece_len: geometry.full_piece_len(),
            end,
            now: Duration::ZERO,
            exchange: Exchange::Idle,
            numbers: 0,
            redirects: 0,
            location_len: 0,
            active_at: Duration::ZERO,
            failures: 0,
            retry_at: None,
            block_len: 0,
            fast: false,
            extended: false,
            handshake_received: false,
            due: Due::default(),
            choke_sent: true,
            sent_at: Duration::ZERO,
            closed: None,
        })
    }

    /// Moves the clock on; an older time counts as the newest seen.
    pub(super) fn advance_clock(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }

    /// Returns where a block begins in the content.
    pub(super) fn start(&self, block: Block) -> u64 {
        let piece = u64::from(block.piece.0).saturating_mul(u64::from(self.piece_len));
        piece.saturating_add(u64::from(block.begin))
    }

    /// Returns whether a block can be served.
    pub(super) fn contains(&self, block: Block) -> bool {
        let in_piece = block.begin.checked_add(block.len).is_some_and(|end| end <= self.piece_len);
        let end = self.start(block).saturating_add(u64::from(block.len));
        let sized = (1..=BLOCK_LEN).contains(&block.len);
        block.piece.0 < self.pieces && in_piece && sized && end <= self.end
    }

    pub(super) fn is_paused(&self) -> bool {
        self.retry_at.is_some() || self.closed.is_some()
    }

    pub(super) fn next_event(&mut self) -> Option<WebSeedEvent> {
        if let Some(number) = self.due.abort.take() {
            return Some(WebSeedEvent::Abort { number });
        }
        if core::mem::take(&mut self.due.closed) {
            return self.closed.map(|reason| WebSeedEvent::Closed { reason });
        }
        if core::mem::take(&mut self.due.get)
            && let Exchange::Asked(get) = self.exchange
        {
            return Some(WebSeedEvent::Get(get));
        }
        None
    }

    /// Makes a request over HTTP.
    pub(super) fn ask(&mut self, target: HttpTarget, begin: u64, len: u64) {
        self.numbers = self.numbers.wrapping_add(1);
        let number = self.numbers;
        self.exchange = Exchange::Asked(HttpGet { number, target, begin, len });
        self.active_at = self.now;
        self.due.get = true;
    }
}

impl View<'_> {
    /// Returns the request that is served now or next, and its place among the slots.
    pub(super) fn front(&self) -> Option<(usize, Block)> {
        let mut slots = self.parts.requests.iter().enumerate();
        let (at, slot) = slots.find(|(_, slot)| slot.step == Step::Serve)?;
        Some((at, slot.block()))
    }

    /// Returns whether a whole block waits for the torrent.
    pub(super) fn is_ready(&self) -> bool {
        self.front().is_some_and(|(_, block)| self.core.block_len >= slot(block.len))
    }

    /// Adds a request at the end; returns whether there was room.
    pub(super) fn push(&mut self, request: WebRequestSlot) -> bool {
        let free = self.parts.requests.iter_mut().find(|slot| slot.step == Step::Unused);
        free.map(|slot| *slot = request).is_some()
    }

    /// Removes a request; the others keep their order.
    pub(super) fn remove(&mut self, at: usize) {
        if let Some(rest @ [_, ..]) = self.parts.requests.get_mut(at..) {
            rest.rotate_left(1);
            if let Some(last) = rest.last_mut() {
                *last = WebRequestSlot::EMPTY;
            }
        }
    }

    /// Does not serve a request: it is rejected, or without the fast extension forgotten.
    pub(super) fn refuse(&mut self, at: usize) {
        if !self.core.fast {
            self.remove(at);
        } else if let Some(slot) = self.parts.requests.get_mut(at) {
            slot.step = Step::Reject;
        }
    }

    /// Serves no request that was made up to now.
    pub(super) fn refuse_all(&mut self) {
        self.core.block_len = 0;
        while let Some((at, _)) = self.front() {
            self.refuse(at);
        }
    }

    /// Requests the next bytes over HTTP, unless something is under way.
    pub(super) fn advance(&mut self) {
        while self.core.exchange == Exchange::Idle && !self.core.is_paused() {
            let Some((at, block)) = self.front().filter(|_| !self.is_ready()) else { return };
            self.core.redirects = 0;
            self.core.location_len = 0;
            if self.core.config.kind == WebSeedKind::Pieces {
                let begin = u64::from(block.begin);
                let len =
                    self.run(at, block).min(u64::from(self.core.piece_len).saturating_sub(begin));
                self.core.ask(HttpTarget::Piece(block.piece), begin, len);
                return;
            }
            let got = u64::try_from(self.core.block_len).unwrap_or(u64::MAX);
            let place = self.core.start(block).saturating_add(got);
            match self.place(place) {
                Place::Zeros(end) => self.add_zeros(block, end.saturating_sub(place)),
                Place::Missing => {
                    self.core.block_len = 0;
                    self.refuse(at);
                }
                Place::File(number) => {
                    let file = self.parts.files.get(number).copied();
                    let Some(WebFile { offset, len, .. }) = file else { return };
                    let left = offset.saturating_add(len).saturating_sub(place);
                    let run = self.run(at, block).saturating_sub(got);
                    let begin = place.saturating_sub(offset);
                    self.core.ask(HttpTarget::File(count(number)), begin, run.min(left));
                    return;
                }
            }
        }
    }

    /// Returns the length of a block and those requested behind it that follow it in the content.
    fn run(&self, at: usize, first: Block) -> u64 {
        let start = self.core.start(first);
        let most = u64::from(self.core.config.max_range);
        let mut len = u64::from(first.len);
        let behind = self.parts.requests.get(at.saturating_add(1)..).unwrap_or_default();
        for request in behind.iter().filter(|slot| slot.step == Step::Serve) {
            let block = request.block();
            let longer = len.saturating_add(u64::from(block.len));
            let joins = self.core.start(block) == start.saturating_add(len);
            if !joins || longer > most {
                break;
            }
            len = longer;
        }
        len
    }

    fn place(&self, place: u64) -> Place {
        let files = &*self.parts.files;
        let number = files.partition_point(|file| file.end() <= place);
        match files.get(number) {
            None => Place::Zeros(u64::MAX),
            Some(file) if file.offset > place => Place::Zeros(file.offset),
            Some(file) if file.padding => Place::Zeros(file.end()),
            Some(file) if file.missing => Place::Missing,
            Some(_) => Place::File(number),
        }
    }

    fn add_zeros(&mut self, block: Block, most: u64) {
        let end = slot(block.len).min(WEB_BLOCK_LEN);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let to = self.core.block_len.saturating_add(most).min(end);
        let room = self.parts.block.get_mut(self.core.block_len..to);
        room.unwrap_or_default().fill(0);
        self.core.block_len = to;
    }

    /// Ends the web seed.
    pub(super) fn close(&mut self, reason: CloseReason) {
        self.core.closed = Some(reason);
        self.core.due.closed = true;
        self.core.due.get = false;
        self.core.exchange = Exchange::Idle;
        self.core.retry_at = None;
        self.refuse_all();
    }

    /// Pauses: for the given time, or after a failure as long as configured and each time twice as long.
    pub(super) fn pause(&mut self, time: Option<Duration>) {
        let doubled = 1_u32.checked_shl(u32::from(self.core.failures)).unwrap_or(u32::MAX);
        let time = time.unwrap_or(self.core.config.retry.saturating_mul(doubled));
        let time = time.clamp(Duration::from_secs(1), LONGEST_PAUSE);
        self.core.failures = self.core.failures.saturating_add(1);
        self.core.retry_at = self.core.now.checked_add(time);
        self.core.exchange = Exchange::Idle;
        self.core.due.get = false;
        self.refuse_all();
    }
}
