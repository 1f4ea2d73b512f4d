//! The query-hit data: what a vendor adds between the records and the servent id (0.6, 2.2.4).

use core::fmt;

use crate::error::BufferTooSmall;
use crate::writer::Writer;

const VENDOR: usize = 4; // ASCII
const OPEN_LEN: usize = 1; // length of the open data, usually 2 or 4
// open data: flags 1, flags 2, and with 4 bytes the length of the XML, little-endian
// then the private area, and the XML at its end

const MAX_XML: usize = 65_535; // the most that two bytes can hold

const PUSH: u8 = 0x01; // mask in flags 2, value in flags 1; all others the other way round
const BUSY: u8 = 0x04;
const STABLE: u8 = 0x08;
const MEASURED: u8 = 0x10;
const GGEP: u8 = 0x20;

/// The bytes between the records and the servent id, kept as they stand; any are legal, and hits of
/// 0.4 have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HitData<'a>(&'a [u8]);

/// The parts of query-hit data, for one with more than flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HitParts<'a> {
    /// The maker of the servent.
    pub vendor: Vendor,
    /// What the hit states about its servent.
    pub flags: HitFlags,
    /// GGEP blocks, or a vendor's own; with blocks, `flags.ggep` should be set.
    pub private: &'a [u8],
    /// XML metadata with the NUL at its end, or nothing; bytes beyond 65,535 are left out.
    pub xml: &'a [u8],
}

/// Names the maker of a servent: four ASCII characters. Any bytes are legal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Vendor(pub [u8; 4]);

/// What a hit states about its servent. `None`: not stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HitFlags {
    /// It is behind a firewall: ask with a push.
    pub push: Option<bool>,
    /// "I have it, but I am busy. Try again later."
    pub busy: Option<bool>,
    /// It has uploaded a file before.
    pub stable: Option<bool>,
    /// Its speed is measured, not claimed.
    pub measured: Option<bool>,
    /// The private area holds a GGEP block.
    pub ggep: Option<bool>,
}

impl<'a> HitData<'a> {
    /// No data, as in 0.4.
    pub const EMPTY: Self = Self(&[]);

    /// Takes the bytes as they are to stand in a hit; see [`HitFlags::to_data`].
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Returns the maker of the servent, if there are four bytes.
    #[must_use]
    pub fn vendor(self) -> Option<Vendor> {
        self.0.first_chunk().copied().map(Vendor)
    }

    /// Returns the flags, if the open data has both of its first bytes.
    #[must_use]
    pub fn flags(self) -> Option<HitFlags> {
        let (open, _) = self.areas()?;
        open.first_chunk().copied().map(HitFlags::from_bytes)
    }

    /// Returns what follows the open data but for the XML: GGEP blocks and a vendor's own.
    #[must_use]
    pub fn private(self) -> Option<&'a [u8]> {
        let (_, private) = self.areas()?;
        private.get(..private.len().saturating_sub(self.xml_len()))
    }

    /// Returns the XML metadata, if the open data announces any that is there; the NUL at its end
    /// is part of it.
    #[must_use]
    pub fn xml(self) -> Option<&'a [u8]> {
        let (_, private) = self.areas()?;
        let at = private.len().checked_sub(self.xml_len())?;
        private.get(at..).filter(|xml| !xml.is_empty())
    }

    /// Returns the open data and what follows it.
    fn areas(self) -> Option<(&'a [u8], &'a [u8])> {
        let (_, rest) = self.0.split_first_chunk::<VENDOR>()?;
        let ([len], rest) = rest.split_first_chunk::<OPEN_LEN>()?;
        rest.split_at_checked(usize::from(*len))
    }

    fn xml_len(self) -> usize {
        match self.areas() {
            Some(([_, _, low, high, ..], private)) => {
                let len = usize::from(u16::from_le_bytes([*low, *high]));
                if len <= private.len() { len } else { 0 }
            }
            _ => 0,
        }
    }
}

impl HitParts<'_> {
    /// Returns the length of the data, in bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        Writer::measure(|w| self.write(w))
    }

    /// Writes the data and returns its length; wrap it with [`HitData::new`].
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] below [`encoded_len`](Self::encoded_len) bytes.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        Writer::fill(out, |w| self.write(w))
    }

    fn write(&self, w: &mut Writer<'_>) {
        let xml = self.xml.get(..MAX_XML.min(self.xml.len())).unwrap_or_default();
        let [first, second] = self.flags.to_bytes();
        w.bytes(&self.vendor.0);
        w.bytes(&[if xml.is_empty() { 2 } else { 4 }, first, second]);
        if !xml.is_empty() {
            w.u16(u16::try_from(xml.len()).unwrap_or(u16::MAX));
        }
        w.bytes(self.private);
        w.bytes(xml);
    }
}

impl HitFlags {
    /// Reads flags 1 and flags 2.
    #[must_use]
    pub const fn from_bytes([first, second]: [u8; 2]) -> Self {
        Self {
            push: read(second, first, PUSH),
            busy: read(first, second, BUSY),
            stable: read(first, second, STABLE),
            measured: read(first, second, MEASURED),
            ggep: read(first, second, GGEP),
        }
    }

    /// Returns flags 1 and flags 2.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 2] {
        let (push_mask, push) = write(self.push, PUSH);
        let (busy_mask, busy) = write(self.busy, BUSY);
        let (stable_mask, stable) = write(self.stable, STABLE);
        let (measured_mask, measured) = write(self.measured, MEASURED);
        let (ggep_mask, ggep) = write(self.ggep, GGEP);
        let first = push | busy_mask | stable_mask | measured_mask | ggep_mask;
        let second = push_mask | busy | stable | measured | ggep;
        [first, second]
    }

    /// Returns the shortest query-hit data with these flags; wrap it with [`HitData::new`].
    #[must_use]
    pub const fn to_data(self, Vendor([a, b, c, d]): Vendor) -> [u8; 7] {
        let [first, second] = self.to_bytes();
        [a, b, c, d, 2, first, second]
    }
}

const fn read(mask: u8, value: u8, bit: u8) -> Option<bool> {
    if mask & bit == 0 { None } else { Some(value & bit != 0) }
}

const fn write(flag: Option<bool>, bit: u8) -> (u8, u8) {
    match flag {
        None => (0, 0),
        Some(false) => (bit, 0),
        Some(true) => (bit, bit),
    }
}

impl fmt::Display for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())?;
        f.write_str(match &self.0 {
            b"BEAR" => " (BearShare)",
            b"GNUC" => " (Gnucleus)",
            b"GTKG" => " (gtk-gnutella)",
            b"LIME" => " (LimeWire)",
            b"MRPH" => " (Morpheus)",
            b"RAZA" => " (Shareaza)",
            _ => "",
        })
    }
}

impl fmt::Display for HitData<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(vendor) = self.vendor() {
            write!(f, " by {vendor}")?;
        }
        let flags = self.flags().unwrap_or_default();
        let flags_set = [("firewalled", flags.push), ("busy", flags.busy)];
        flags_set
            .iter()
            .filter(|(_, set)| *set == Some(true))
            .try_for_each(|(word, _)| write!(f, ", {word}"))
    }
}
