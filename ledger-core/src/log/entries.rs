//! Entry bundles (C2SP tlog-tiles): entries behind each other, each after its length.

use crate::error::BufferTooSmall;

/// The longest entry in bytes.
pub const MAX_ENTRY_LEN: usize = 65_535;

/// The entries of a bundle. A bundle that ends within an entry gives an error once, then nothing.
#[derive(Debug, Clone)]
pub struct Entries<'b>(&'b [u8]);

/// A bundle ends within an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("the entry bundle ends {missing} bytes too early")]
#[expect(clippy::exhaustive_structs, reason = "it will never say more")]
pub struct TruncatedEntry {
    /// How many bytes are missing at least.
    pub missing: usize,
}

impl<'b> Entries<'b> {
    /// Iterates over the entries of a bundle.
    #[must_use]
    pub const fn new(bundle: &'b [u8]) -> Self {
        Self(bundle)
    }
}

impl<'b> Iterator for Entries<'b> {
    type Item = Result<&'b [u8], TruncatedEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let available = self.0.len();
        let bundle = core::mem::take(&mut self.0);
        let Some((len, rest)) = bundle.split_first_chunk::<2>() else {
            return Some(Err(TruncatedEntry { missing: 2_usize.saturating_sub(available) }));
        };
        let len = usize::from(u16::from_be_bytes(*len));
        let Some((entry, rest)) = rest.split_at_checked(len) else {
            return Some(Err(TruncatedEntry { missing: len.saturating_sub(rest.len()) }));
        };
        self.0 = rest;
        Some(Ok(entry))
    }
}

/// Writes an entry as it stands in a bundle: its length as a big-endian u16, then its bytes. Returns `None` for
/// an entry of more than [`MAX_ENTRY_LEN`] bytes.
///
/// # Errors
///
/// [`BufferTooSmall`].
pub fn write_entry(entry: &[u8], buf: &mut [u8]) -> Option<Result<usize, BufferTooSmall>> {
    let len = u16::try_from(entry.len()).ok()?;
    let needed = entry.len().saturating_add(2);
    let Some((place, rest)) =
        buf.get_mut(..needed).and_then(|buf| buf.split_first_chunk_mut::<2>())
    else {
        return Some(Err(BufferTooSmall { needed }));
    };
    *place = len.to_be_bytes();
    rest.copy_from_slice(entry);
    Some(Ok(needed))
}
