//! The message with headers: read as an iterator, written one header at a time.

use super::frame::{FRAME_LEN, kind};
use crate::block::SealedHeader;
use crate::error::BufferTooSmall;

/// The most headers in one message.
pub const MAX_HEADERS: usize = 64;

/// Headers with their proofs, as they stand in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Headers<'a> {
    pub(super) more: bool,
    pub(super) bytes: &'a [u8],
}

/// The headers of a [`Headers`], each as the bytes that [`Node::handle_header`](crate::node::Node::handle_header) takes.
#[derive(Debug, Clone)]
pub struct HeadersIter<'a>(&'a [u8]);

/// Writes a message with headers into a buffer, for as long as they fit.
#[derive(Debug)]
pub struct HeadersWriter<'a> {
    out: &'a mut [u8],
    len: usize,
    count: usize,
}

impl<'a> Headers<'a> {
    pub(super) fn of(payload: &'a [u8]) -> Option<Self> {
        let (more, bytes) = payload.split_first()?;
        let more = match *more {
            0 => false,
            1 => true,
            _ => return None,
        };
        let mut rest = bytes;
        let mut count = 0_usize;
        while !rest.is_empty() {
            rest = SealedHeader::decode(rest).ok()?.1;
            count = count.saturating_add(1);
        }
        (count <= MAX_HEADERS).then_some(Self { more, bytes })
    }

    /// Returns whether the sender has headers that follow the last one.
    #[must_use]
    pub const fn has_more(&self) -> bool {
        self.more
    }

    /// Returns whether there is no header.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns the headers, in the order of the chain.
    #[must_use]
    pub const fn iter(&self) -> HeadersIter<'a> {
        HeadersIter(self.bytes)
    }
}

impl<'a> IntoIterator for Headers<'a> {
    type Item = &'a [u8];
    type IntoIter = HeadersIter<'a>;

    fn into_iter(self) -> HeadersIter<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &Headers<'a> {
    type Item = &'a [u8];
    type IntoIter = HeadersIter<'a>;

    fn into_iter(self) -> HeadersIter<'a> {
        self.iter()
    }
}

impl<'a> Iterator for HeadersIter<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (_, rest) = SealedHeader::decode(self.0).ok()?;
        let len = self.0.len().saturating_sub(rest.len());
        let header = self.0.get(..len)?;
        self.0 = rest;
        Some(header)
    }
}

impl<'a> HeadersWriter<'a> {
    /// Begins a message in `out`. The receiver refuses a payload that is longer than a block may be: pass a buffer of at
    /// most [`FRAME_LEN`] more.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] below 6 bytes.
    pub fn new(out: &'a mut [u8]) -> Result<Self, BufferTooSmall> {
        let len = FRAME_LEN.saturating_add(1);
        if out.len() < len {
            return Err(BufferTooSmall { needed: len });
        }
        Ok(Self { out, len, count: 0 })
    }

    /// Adds the header at the front of `bytes`, which may be a whole block. Returns `false` if the message is full or the
    /// bytes are not a header.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        let Ok((sealed, _)) = SealedHeader::decode(bytes) else { return false };
        let rest = self.out.get_mut(self.len..).unwrap_or_default();
        if self.count >= MAX_HEADERS {
            return false;
        }
        let Ok(len) = sealed.encode(rest) else { return false };
        self.len = self.len.saturating_add(len);
        self.count = self.count.saturating_add(1);
        true
    }

    /// Returns the length of the message. `more` says whether there are headers that follow.
    #[must_use]
    pub fn finish(self, more: bool) -> usize {
        let payload = u32::try_from(self.len.saturating_sub(FRAME_LEN)).unwrap_or(u32::MAX);
        let [a, b, c, d] = payload.to_be_bytes();
        let front = [kind::HEADERS, a, b, c, d, u8::from(more)];
        if let Some(place) = self.out.first_chunk_mut() {
            *place = front;
        }
        self.len
    }
}
