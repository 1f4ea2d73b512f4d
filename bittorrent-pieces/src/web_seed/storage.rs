//! The memory of a web seed, provided by the caller.

use crate::block::{BLOCK_LEN, Block, PieceIndex};
use crate::index::slot;

/// The length in bytes of the buffer for one block.
pub const WEB_BLOCK_LEN: usize = slot(BLOCK_LEN);

/// The memory of a [`WebSeed`](super::WebSeed): [`WebSeedSlots`], with feature `alloc` [`WebSeedVec`](super::WebSeedVec),
/// or a type of the caller.
pub trait WebSeedStorage {
    /// Borrows all regions for writing.
    fn parts(&mut self) -> WebSeedParts<'_>;
    /// Borrows all regions for reading.
    fn parts_ref(&self) -> WebSeedPartsRef<'_>;
}

/// The regions of a [`WebSeedStorage`], for writing.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a storage of the caller creates it")]
pub struct WebSeedParts<'a> {
    /// The files of the torrent, in the order of the content.
    pub files: &'a mut [WebFile],
    /// The requests of the torrent at a time.
    pub requests: &'a mut [WebRequestSlot],
    /// A block that arrives: at least [`WEB_BLOCK_LEN`] bytes.
    pub block: &'a mut [u8],
    /// A URL to which the server redirects. Longer ones are not followed.
    pub location: &'a mut [u8],
}

/// The regions of a [`WebSeedStorage`], for reading.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "a storage of the caller creates it")]
pub struct WebSeedPartsRef<'a> {
    /// The files of the torrent, in the order of the content.
    pub files: &'a [WebFile],
    /// The requests of the torrent at a time.
    pub requests: &'a [WebRequestSlot],
    /// A block that arrives.
    pub block: &'a [u8],
    /// A URL to which the server redirects.
    pub location: &'a [u8],
}

/// The memory of a web seed in arrays, slices, boxes or vectors. All but the files is cleared.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "the caller fills all regions")]
pub struct WebSeedSlots<F, R, B, L> {
    /// The [`WebFile`]s of the torrent, in the order of the content.
    pub files: F,
    /// [`WebRequestSlot`]s: the requests of the torrent at a time.
    pub requests: R,
    /// [`WEB_BLOCK_LEN`] bytes for a block that arrives.
    pub block: B,
    /// Bytes for a URL to which the server redirects. Longer ones are not followed.
    pub location: L,
}

impl<F, R, B, L> WebSeedStorage for WebSeedSlots<F, R, B, L>
where
    F: AsRef<[WebFile]> + AsMut<[WebFile]>,
    R: AsRef<[WebRequestSlot]> + AsMut<[WebRequestSlot]>,
    B: AsRef<[u8]> + AsMut<[u8]>,
    L: AsRef<[u8]> + AsMut<[u8]>,
{
    fn parts(&mut self) -> WebSeedParts<'_> {
        WebSeedParts {
            files: self.files.as_mut(),
            requests: self.requests.as_mut(),
            block: self.block.as_mut(),
            location: self.location.as_mut(),
        }
    }

    fn parts_ref(&self) -> WebSeedPartsRef<'_> {
        WebSeedPartsRef {
            files: self.files.as_ref(),
            requests: self.requests.as_ref(),
            block: self.block.as_ref(),
            location: self.location.as_ref(),
        }
    }
}

impl<S: WebSeedStorage + ?Sized> WebSeedStorage for &mut S {
    fn parts(&mut self) -> WebSeedParts<'_> {
        (**self).parts()
    }

    fn parts_ref(&self) -> WebSeedPartsRef<'_> {
        (**self).parts_ref()
    }
}

/// A file of the torrent as a web seed sees it: 24 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebFile {
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) padding: bool,
    pub(super) missing: bool, // the server does not have it
}

impl WebFile {
    /// Returns a file of `len` bytes that begins at `offset` of the content.
    #[must_use]
    pub const fn new(offset: u64, len: u64) -> Self {
        Self { offset, len, padding: false, missing: false }
    }

    /// Returns padding (BEP 47): zeros that no server has.
    #[must_use]
    pub const fn padding(offset: u64, len: u64) -> Self {
        Self { offset, len, padding: true, missing: false }
    }

    pub(super) const fn end(&self) -> u64 {
        self.offset.saturating_add(self.len)
    }

    /// Returns whether the server has bytes of it.
    pub(super) const fn is_served(&self) -> bool {
        !self.padding && !self.missing && self.len > 0
    }
}

impl From<&crate::metainfo::File<'_>> for WebFile {
    fn from(file: &crate::metainfo::File<'_>) -> Self {
        Self { padding: file.is_padding(), ..Self::new(file.offset(), file.len()) }
    }
}

/// Room for one request of the torrent: 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebRequestSlot {
    block: Block,
    pub(super) step: Step,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Unused,
    Serve,
    Reject,
}

impl WebRequestSlot {
    /// An unused slot.
    pub const EMPTY: Self =
        Self { block: Block { piece: PieceIndex(0), begin: 0, len: 0 }, step: Step::Unused };

    pub(super) const fn new(block: Block, step: Step) -> Self {
        Self { block, step }
    }

    pub(super) const fn block(&self) -> Block {
        self.block
    }
}
