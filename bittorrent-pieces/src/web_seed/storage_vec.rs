//! The memory of a web seed on the heap.

use alloc::vec;
use alloc::vec::Vec;

use super::storage::{
    WEB_BLOCK_LEN, WebFile, WebRequestSlot, WebSeedParts, WebSeedPartsRef, WebSeedStorage,
};
use crate::metainfo::Metainfo;

/// How many of everything a [`WebSeedVec`] has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain numbers, chosen by the caller")]
pub struct WebSeedLimits {
    /// Requests of the torrent at a time.
    pub requests: u16,
    /// The longest URL to which a server may redirect, in bytes.
    pub location_len: u16,
}

impl WebSeedLimits {
    /// Returns limits for a desktop: 256 requests, 2,048 bytes.
    #[must_use]
    pub const fn new() -> Self {
        Self { requests: 256, location_len: 2_048 }
    }
}

impl Default for WebSeedLimits {
    fn default() -> Self {
        Self::new()
    }
}

/// The memory of a [`WebSeed`](super::WebSeed) in vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct WebSeedVec {
    files: Vec<WebFile>,
    requests: Vec<WebRequestSlot>,
    block: Vec<u8>,
    location: Vec<u8>,
}

impl WebSeedVec {
    /// Allocates the memory for the files of a torrent.
    #[must_use]
    pub fn new(metainfo: &Metainfo<'_>, limits: WebSeedLimits) -> Self {
        Self {
            files: metainfo.files().map(|file| WebFile::from(&file)).collect(),
            requests: vec![WebRequestSlot::EMPTY; usize::from(limits.requests)],
            block: vec![0; WEB_BLOCK_LEN],
            location: vec![0; usize::from(limits.location_len)],
        }
    }
}

impl WebSeedStorage for WebSeedVec {
    fn parts(&mut self) -> WebSeedParts<'_> {
        WebSeedParts {
            files: &mut self.files,
            requests: &mut self.requests,
            block: &mut self.block,
            location: &mut self.location,
        }
    }

    fn parts_ref(&self) -> WebSeedPartsRef<'_> {
        WebSeedPartsRef {
            files: &self.files,
            requests: &self.requests,
            block: &self.block,
            location: &self.location,
        }
    }
}
