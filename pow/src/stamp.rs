//! Hashcash stamps of version 1: a text whose SHA-1 begins with so many zero bits.

use core::fmt;
use core::ops::RangeInclusive;

use sha1::{Digest, Sha1};
use thiserror::Error;

use crate::Step;
use crate::nonces::Nonces;

const DIGEST_BITS: u8 = 160;

/// A stamp `1:bits:date:resource:ext:rand:counter`, borrowed from its text. `Display` is that text.
///
/// Source: the hashcash documentation, format version 1. SHA-1 is here for interoperation only: collisions
/// of it are practical, so no new format should use it. A stamp says nothing of freshness: whether the date
/// is recent, and whether the stamp was seen before, the caller has to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp<'a> {
    text: &'a str,
    bits: u8,
    fields: [&'a str; 5],
}

/// Why a text is not a stamp, or a stamp does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StampError {
    /// A byte that is not printable ASCII.
    #[error("byte {0:#04x} in a stamp, which is printable ascii")]
    NotAscii(u8),
    /// The text is not made of seven fields between colons.
    #[error("{0} fields, where a stamp has 7")]
    Fields(usize),
    /// Another version of the format.
    #[error("a stamp of another version than 1")]
    Version,
    /// The claimed bits are not a decimal number of at most 160.
    #[error("claimed bits that are not a number up to 160")]
    Bits,
    /// The date does not have 6, 10 or 12 digits.
    #[error("a date that is not of the form YYMMDD, YYMMDDhhmm or YYMMDDhhmmss")]
    Date,
    /// What should be the head of a stamp has a counter: the caller's mistake.
    #[error("a counter at the end of what a search begins with")]
    Counter,
    /// The stamp is for something else.
    #[error("a stamp for another resource")]
    Resource,
    /// The stamp claims less than is required.
    #[error("{claimed} bits claimed, where {required} are required")]
    ClaimsTooLittle {
        /// What the stamp claims.
        claimed: u8,
        /// What was asked for.
        required: u8,
    },
    /// The digest has fewer zero bits than the stamp claims.
    #[error("{found} zero bits, where {claimed} are claimed")]
    NotEnoughWork {
        /// What the stamp claims.
        claimed: u8,
        /// What its digest has.
        found: u8,
    },
}

impl<'a> Stamp<'a> {
    /// Reads a stamp, which is the whole text: no blanks or line ends around it.
    ///
    /// # Errors
    ///
    /// [`StampError`] if it has not the form of one. Whether it counts is [`verify`](Self::verify)'s business.
    pub fn parse(text: &'a [u8]) -> Result<Self, StampError> {
        if let Some(byte) = text.iter().find(|byte| !byte.is_ascii_graphic()) {
            return Err(StampError::NotAscii(*byte));
        }
        let text = core::str::from_utf8(text).unwrap_or_default();
        let mut all = text.split(':');
        let mut seven = [""; 7];
        for field in &mut seven {
            *field = all.next().ok_or_else(|| StampError::Fields(text.split(':').count()))?;
        }
        if all.next().is_some() {
            return Err(StampError::Fields(text.split(':').count()));
        }
        let [version, bits, fields @ ..] = seven;
        if version != "1" {
            return Err(StampError::Version);
        }
        let [date, ..] = fields;
        if !(matches!(date.len(), 6 | 10 | 12) && is_decimal(date)) {
            return Err(StampError::Date);
        }
        let bits = Some(bits).filter(|bits| is_decimal(bits)).and_then(|bits| bits.parse().ok());
        let bits = bits.filter(|bits| *bits <= DIGEST_BITS).ok_or(StampError::Bits)?;
        Ok(Self { text, bits, fields })
    }

    /// Returns the zero bits of the digest, which are at least those claimed, if the stamp counts for this
    /// resource and claims what is required.
    ///
    /// # Errors
    ///
    /// [`StampError`] if it is for another resource, claims less, or claims more than it has.
    pub fn verify(&self, resource: &str, required: u8) -> Result<u8, StampError> {
        let claimed = self.bits;
        if self.resource() != resource {
            return Err(StampError::Resource);
        }
        if claimed < required {
            return Err(StampError::ClaimsTooLittle { claimed, required });
        }
        let found = leading_zero_bits(&self.digest());
        if found < claimed {
            return Err(StampError::NotEnoughWork { claimed, found });
        }
        Ok(found)
    }

    /// Returns the SHA-1 of the text.
    #[must_use]
    pub fn digest(&self) -> [u8; 20] {
        Sha1::digest(self.text).into()
    }

    /// Returns the zero bits that the stamp claims.
    #[must_use]
    pub const fn bits(&self) -> u8 {
        self.bits
    }

    /// Returns the day (`YYMMDD`) or the time (`YYMMDDhhmm`, `YYMMDDhhmmss`), as it is written.
    #[must_use]
    pub const fn date(&self) -> &'a str {
        let [date, ..] = self.fields;
        date
    }

    /// Returns what the stamp is for, such as an address.
    #[must_use]
    pub const fn resource(&self) -> &'a str {
        let [_, resource, ..] = self.fields;
        resource
    }

    /// Returns the extension, which is usually empty.
    #[must_use]
    pub const fn extension(&self) -> &'a str {
        let [_, _, extension, ..] = self.fields;
        extension
    }

    /// Returns the random text that tells the stamps of one resource and date apart.
    #[must_use]
    pub const fn random(&self) -> &'a str {
        let [_, _, _, random, _] = self.fields;
        random
    }

    /// Returns the counter, as it is written.
    #[must_use]
    pub const fn counter(&self) -> &'a str {
        let [.., counter] = self.fields;
        counter
    }
}

/// Returns how many bits of a digest are zero before the first that is not, most significant bit first; at
/// most 255.
#[must_use]
pub fn leading_zero_bits(digest: &[u8]) -> u8 {
    let mut bits = 0_u32;
    for byte in digest {
        bits = bits.saturating_add(byte.leading_zeros());
        if *byte != 0 {
            break;
        }
    }
    u8::try_from(bits).unwrap_or(u8::MAX)
}

/// Searches the counter of a stamp, in slices like [`Miner`](crate::Miner) and with the same promises.
/// The counter is written as hexadecimal without leading zeros.
#[derive(Debug, Clone)]
pub struct StampMiner {
    begun: Sha1, // of the text before the counter
    bits: u8,
    counters: Nonces,
}

impl StampMiner {
    /// Begins a search over `counters`, both ends included. `head` is the stamp up to its last colon, that
    /// one included: `1:bits:date:resource:ext:rand:`.
    ///
    /// # Errors
    ///
    /// [`StampError`] if that head with a counter is not a stamp.
    pub fn new(head: &str, counters: RangeInclusive<u64>) -> Result<Self, StampError> {
        let stamp = Stamp::parse(head.as_bytes())?;
        if !stamp.counter().is_empty() {
            return Err(StampError::Counter);
        }
        let (next, last) = counters.into_inner();
        let begun = Sha1::new_with_prefix(head);
        Ok(Self { begun, bits: stamp.bits(), counters: Nonces::new(next, last) })
    }

    /// Tries up to `hashes` counters. 0 changes nothing. A counter that was found, written with
    /// [`Counter`], completes the stamp.
    pub fn step(&mut self, hashes: u32) -> Step {
        let (begun, bits) = (&self.begun, self.bits);
        self.counters.step(hashes, |counter| leading_zero_bits(&digest(begun, counter)) >= bits)
    }

    /// Returns the counters still to be tried, or `None` once there are none.
    #[must_use]
    pub fn remaining(&self) -> Option<RangeInclusive<u64>> {
        self.counters.remaining()
    }

    /// Returns how many counters were tried.
    #[must_use]
    pub const fn tried(&self) -> u64 {
        self.counters.tried()
    }
}

/// A counter as [`StampMiner`] writes it: `Display` is hexadecimal without leading zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Counter(pub u64);

/// Hashes a stamp that goes on with this counter.
fn digest(begun: &Sha1, counter: u64) -> [u8; 20] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hash = begun.clone();
    let mut text = [b'0'; 16];
    for (at, byte) in text.iter_mut().rev().enumerate() {
        let shift = u32::try_from(at).unwrap_or(0).saturating_mul(4);
        let digit = usize::try_from(counter >> shift & 0xf).unwrap_or(0);
        *byte = DIGITS.get(digit).copied().unwrap_or(b'0');
    }
    let zeros = usize::try_from(counter.leading_zeros() >> 2).unwrap_or(0).min(15);
    hash.update(text.get(zeros..).unwrap_or_default());
    hash.finalize().into()
}

fn is_decimal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Display for Stamp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

impl fmt::Display for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}
