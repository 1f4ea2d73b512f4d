//! What a servent supports: lists in vendor messages.

use core::fmt;

use super::vendor_id::VendorId;
use crate::writer::Writer;

/// A list of kinds of vendor messages, eight bytes each, as they lie on the wire.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Supported<'a>(&'a [[u8; 8]]); // at most 65,535

/// A list of features, six bytes each, as they lie on the wire: four characters and a version.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Features<'a>(&'a [[u8; 6]]); // at most 65,535

/// Iterates over [`Supported`].
#[derive(Debug, Clone)]
pub struct SupportedIter<'a>(core::slice::Iter<'a, [u8; 8]>);

/// Iterates over [`Features`]: names and versions.
#[derive(Debug, Clone)]
pub struct FeatureIter<'a>(core::slice::Iter<'a, [u8; 6]>);

impl<'a> Supported<'a> {
    /// Takes kinds as [`VendorId::to_bytes`] gives them; `None` if there are more than 65,535.
    #[must_use]
    pub fn new(ids: &'a [[u8; 8]]) -> Option<Self> {
        u16::try_from(ids.len()).ok().map(|_| Self(ids))
    }

    pub(super) fn read(data: &'a [u8]) -> Option<Self> {
        list(data).map(Self)
    }

    /// Iterates over the kinds.
    #[must_use]
    pub fn iter(self) -> SupportedIter<'a> {
        SupportedIter(self.0.iter())
    }

    pub(super) fn write(self, w: &mut Writer<'_>) {
        write_list(w, self.0);
    }
}

impl<'a> Features<'a> {
    /// Takes features of six bytes each; `None` if there are more than 65,535.
    #[must_use]
    pub fn new(features: &'a [[u8; 6]]) -> Option<Self> {
        u16::try_from(features.len()).ok().map(|_| Self(features))
    }

    pub(super) fn read(data: &'a [u8]) -> Option<Self> {
        list(data).map(Self)
    }

    /// Iterates over the names and versions.
    #[must_use]
    pub fn iter(self) -> FeatureIter<'a> {
        FeatureIter(self.0.iter())
    }

    pub(super) fn write(self, w: &mut Writer<'_>) {
        write_list(w, self.0);
    }
}

/// Reads a count and exactly as many items.
fn list<const N: usize>(data: &[u8]) -> Option<&[[u8; N]]> {
    let (count, items) = data.split_first_chunk()?;
    let (items, []) = items.as_chunks() else { return None };
    (usize::from(u16::from_le_bytes(*count)) == items.len()).then_some(items)
}

fn write_list<const N: usize>(w: &mut Writer<'_>, list: &[[u8; N]]) {
    w.u16(u16::try_from(list.len()).unwrap_or(u16::MAX)); // checked when it was made
    w.bytes(list.as_flattened());
}

impl Iterator for SupportedIter<'_> {
    type Item = VendorId;

    fn next(&mut self) -> Option<VendorId> {
        self.0.next().map(|bytes| VendorId::from_bytes(*bytes))
    }
}

impl Iterator for FeatureIter<'_> {
    type Item = ([u8; 4], u16);

    fn next(&mut self) -> Option<([u8; 4], u16)> {
        let [a, b, c, d, low, high] = *self.0.next()?;
        Some(([a, b, c, d], u16::from_le_bytes([low, high])))
    }
}

impl fmt::Debug for Supported<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for Features<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
