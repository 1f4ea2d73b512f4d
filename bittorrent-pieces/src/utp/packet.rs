//! The packets of uTP (BEP 29): a header of 20 bytes, extensions, payload. Numbers are big-endian.

use core::fmt;

use thiserror::Error;

use crate::error::BufferTooSmall;

/// The length of a header without extensions in bytes.
pub(super) const HEADER_LEN: usize = 20;
/// The number of the extension that acknowledges single packets.
const SACK: u8 = 1;
/// The number of the extension with bits for features, eight bytes, of which none is in use.
const BITS: u8 = 2;
/// The number of extensions that only lengthen a packet. Receivers skip numbers that they do not know (BEP 29).
const PADDING: u8 = 0xFF;
/// The shortest padding in bytes: the extension [`BITS`]. libutp takes no packet for uTP whose first extension is above 2.
pub(super) const MIN_PADDING: usize = 10;
/// The longest extension in bytes, with its own header.
const MAX_EXTENSION_LEN: usize = 257;
const VERSION: u8 = 1;

/// The type of a packet, the upper half of its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "the five types of BEP 29")]
pub enum PacketKind {
    /// 0: payload.
    Data,
    /// 1: the end of the stream; it takes a sequence number.
    Fin,
    /// 2: an acknowledgement; it takes no sequence number.
    State,
    /// 3: the connection does not exist.
    Reset,
    /// 4: the start of a connection.
    Syn,
}

impl PacketKind {
    const fn number(self) -> u8 {
        match self {
            Self::Data => 0,
            Self::Fin => 1,
            Self::State => 2,
            Self::Reset => 3,
            Self::Syn => 4,
        }
    }

    const fn of(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Data),
            1 => Some(Self::Fin),
            2 => Some(Self::State),
            3 => Some(Self::Reset),
            4 => Some(Self::Syn),
            _ => None,
        }
    }
}

/// A packet: one datagram.
///
/// ```
/// use bittorrent_pieces::utp::{Packet, PacketKind};
///
/// let bytes = [0x41, 0, 0x12, 0x34, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0];
/// let packet = Packet::decode(&bytes)?;
/// assert_eq!(packet.kind, PacketKind::Syn);
/// assert_eq!(packet.connection, 0x1234);
/// # Ok::<(), bittorrent_pieces::utp::PacketError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct Packet<'a> {
    /// The type.
    pub kind: PacketKind,
    /// The id of the connection that the receiver knows; in a SYN, the id that the sender will know.
    pub connection: u16,
    /// When the packet was sent, in microseconds; it wraps around.
    pub timestamp: u32,
    /// The sender's time minus the timestamp of the last packet that it received, in microseconds. 0: unknown.
    pub difference: u32,
    /// The number of bytes that the sender can still store.
    pub window: u32,
    /// The number of the packet. In a STATE, that of the next packet.
    pub seq: u16,
    /// The number of the last packet that was received without a gap before it.
    pub ack: u16,
    /// The extensions.
    pub extensions: Extensions<'a>,
    /// The payload.
    pub payload: &'a [u8],
}

/// A datagram that is not a packet of uTP: the sender's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PacketError {
    /// Shorter than a header.
    #[error("{0} bytes are shorter than a header")]
    Short(usize),
    /// Not version 1.
    #[error("version {0} is unknown")]
    Version(u8),
    /// Not one of the five types.
    #[error("type {0} is unknown")]
    Kind(u8),
    /// An extension goes past the end of the datagram.
    #[error("an extension is cut off")]
    Extension,
}

impl<'a> Packet<'a> {
    /// Reads a datagram.
    ///
    /// # Errors
    ///
    /// [`PacketError`]
    pub fn decode(bytes: &'a [u8]) -> Result<Self, PacketError> {
        let short = PacketError::Short(bytes.len());
        let (header, rest) = bytes.split_first_chunk::<HEADER_LEN>().ok_or(short)?;
        let [
            first,
            extension,
            c0,
            c1,
            t0,
            t1,
            t2,
            t3,
            d0,
            d1,
            d2,
            d3,
            w0,
            w1,
            w2,
            w3,
            s0,
            s1,
            a0,
            a1,
        ] = *header;
        if first & 0x0F != VERSION {
            return Err(PacketError::Version(first & 0x0F));
        }
        let kind = PacketKind::of(first >> 4).ok_or(PacketError::Kind(first >> 4))?;
        let (extensions, payload) = Extensions::split(extension, rest)?;
        Ok(Self {
            kind,
            connection: u16::from_be_bytes([c0, c1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            difference: u32::from_be_bytes([d0, d1, d2, d3]),
            window: u32::from_be_bytes([w0, w1, w2, w3]),
            seq: u16::from_be_bytes([s0, s1]),
            ack: u16::from_be_bytes([a0, a1]),
            extensions,
            payload,
        })
    }

    /// Returns the length of the datagram in bytes.
    #[must_use]
    pub const fn encoded_len(&self) -> usize {
        HEADER_LEN.saturating_add(self.extensions.chain.len()).saturating_add(self.payload.len())
    }

    /// Writes the datagram; returns its length in bytes.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let needed = self.encoded_len();
        let out = out.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
        let parts: [&[u8]; 9] = [
            &[self.kind.number() << 4 | VERSION, self.extensions.first],
            &self.connection.to_be_bytes(),
            &self.timestamp.to_be_bytes(),
            &self.difference.to_be_bytes(),
            &self.window.to_be_bytes(),
            &self.seq.to_be_bytes(),
            &self.ack.to_be_bytes(),
            self.extensions.chain,
            self.payload,
        ];
        let bytes = parts.iter().copied().flatten();
        out.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
        Ok(needed)
    }

    /// Returns the selective acknowledgement, if there is one.
    #[must_use]
    pub fn sack(&self) -> Option<Sack<'a>> {
        let found = self.extensions.iter().find(|extension| extension.number == SACK);
        found.map(|extension| Sack { mask: extension.bytes })
    }
}

impl fmt::Display for Packet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            PacketKind::Data => "DATA",
            PacketKind::Fin => "FIN",
            PacketKind::State => "STATE",
            PacketKind::Reset => "RESET",
            PacketKind::Syn => "SYN",
        };
        write!(f, "{kind} connection={:04x} seq={} ack={}", self.connection, self.seq, self.ack)?;
        write!(f, " window={} payload={}", self.window, self.payload.len())
    }
}

/// The extensions of a packet, read one by one.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Extensions<'a> {
    first: u8,
    chain: &'a [u8], // whole extensions
}

/// One extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct Extension<'a> {
    /// 1: selective acknowledgement. 3: why libtorrent closes. Others are to be skipped.
    pub number: u8,
    /// The content.
    pub bytes: &'a [u8],
}

impl<'a> Extensions<'a> {
    /// No extensions.
    pub const NONE: Self = Self { first: 0, chain: &[] };

    /// Creates one extension from its number and its encoded form: a 0, the length, the content.
    pub(super) const fn one(number: u8, chain: &'a [u8]) -> Self {
        Self { first: number, chain }
    }

    /// Creates a selective acknowledgement from its encoded form: a 0, the length, the mask.
    pub(super) const fn sack(chain: &'a [u8]) -> Self {
        Self::one(SACK, chain)
    }

    /// Returns what announces that padding follows the header; see [`write_padding`].
    pub(super) const fn padding() -> Self {
        Self::one(BITS, &[])
    }

    /// Returns the extensions one by one.
    #[must_use]
    pub const fn iter(&self) -> ExtensionsIter<'a> {
        ExtensionsIter { next: self.first, chain: self.chain }
    }

    /// Splits what follows a header into the extensions and the payload.
    fn split(first: u8, bytes: &'a [u8]) -> Result<(Self, &'a [u8]), PacketError> {
        let mut number = first;
        let mut rest = bytes;
        while number != 0 {
            let [next, len, behind @ ..] = rest else { return Err(PacketError::Extension) };
            number = *next;
            rest = behind.get(usize::from(*len)..).ok_or(PacketError::Extension)?;
        }
        let len = bytes.len().saturating_sub(rest.len());
        let chain = bytes.get(..len).unwrap_or_default();
        Ok((Self { first, chain }, rest))
    }
}

/// Returns the length of padding of at most this many bytes: 0, or 10 and more.
pub(super) const fn padding_len(most: usize) -> usize {
    if most < MIN_PADDING {
        return 0;
    }
    // One byte is too short for another extension.
    if most == MIN_PADDING.saturating_add(1) { MIN_PADDING } else { most }
}

/// Fills a region of a [`padding_len`] with extensions that receivers skip.
pub(super) fn write_padding(out: &mut [u8]) {
    let (bits, mut rest) = out.split_at_mut(MIN_PADDING.min(out.len()));
    bits.fill(0);
    if let [next, len, ..] = bits {
        *next = if rest.is_empty() { 0 } else { PADDING };
        *len = 8;
    }
    while !rest.is_empty() {
        let all = rest.len();
        let len = all.min(MAX_EXTENSION_LEN);
        let len = if all.saturating_sub(len) == 1 { len.saturating_sub(1) } else { len };
        let (extension, behind) = rest.split_at_mut(len);
        extension.fill(0);
        if let [next, content, ..] = extension {
            *next = if behind.is_empty() { 0 } else { PADDING };
            *content = u8::try_from(len.saturating_sub(2)).unwrap_or(0);
        }
        rest = behind;
    }
}

impl<'a> IntoIterator for &Extensions<'a> {
    type Item = Extension<'a>;
    type IntoIter = ExtensionsIter<'a>;

    fn into_iter(self) -> ExtensionsIter<'a> {
        self.iter()
    }
}

/// The extensions of a packet, in their order.
#[derive(Debug, Clone)]
pub struct ExtensionsIter<'a> {
    next: u8,
    chain: &'a [u8],
}

impl<'a> Iterator for ExtensionsIter<'a> {
    type Item = Extension<'a>;

    fn next(&mut self) -> Option<Extension<'a>> {
        let [next, len, rest @ ..] = self.chain else { return None };
        let (bytes, rest) = rest.split_at_checked(usize::from(*len))?;
        let number = self.next;
        self.next = *next;
        self.chain = rest;
        Some(Extension { number, bytes })
    }
}

impl fmt::Debug for Extensions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A selective acknowledgement: which packets arrived behind a gap. It may have any length, as libtorrent sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sack<'a> {
    mask: &'a [u8],
}

impl Sack<'_> {
    /// Returns the number of packets that the mask describes.
    #[must_use]
    pub const fn packets(&self) -> usize {
        self.mask.len().saturating_mul(8)
    }

    /// Returns whether packet `ack + 2 + nth` has arrived.
    #[must_use]
    pub fn has(&self, nth: usize) -> bool {
        let bit = 1_u8.checked_shl(u32::try_from(nth % 8).unwrap_or(0)).unwrap_or(0);
        self.mask.get(nth / 8).is_some_and(|byte| byte & bit != 0)
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a malformed packet fails the test")]
mod tests;
