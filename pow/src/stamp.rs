//! Hashcash stamps of version 1: a text whose SHA-1 starts with a number of zero bits.

use core::fmt;
use core::ops::RangeInclusive;

use sha1::{Digest, Sha1};
use thiserror::Error;

use crate::nonces::{Nonces, Step};

const DIGEST_BITS: u8 = 160;

/// A stamp `1:bits:date:resource:ext:rand:counter`, borrowed from its text. `Display` is that text.
///
/// Source: the hashcash documentation, format version 1. SHA-1 is here for interoperation only: collisions
/// are practical, so that no new format should use it. The caller has to check whether the date is recent
/// and whether the stamp was seen before.
///
/// ```
/// use pow::stamp::{Counter, Stamp, StampMiner};
/// use pow::Step;
///
/// let head = "1:8:261128:one@example.org::9f3a:";
/// let mut miner = StampMiner::new(head, 0..=u64::MAX)?;
/// let counter = loop {
///     if let Step::Found(counter) = miner.step(1000) {
///         break Counter(counter);
///     }
/// };
/// let text = format!("{head}{counter}");
/// let zero_bits = Stamp::parse(text.as_bytes())?.verify("one@example.org", 8)?;
/// assert!(zero_bits >= 8);
/// # Ok::<(), pow::stamp::StampError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp<'a> {
    text: &'a str,
    bits: u8,
    fields: [&'a str; 5],
}

/// Why a text is not a valid stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum StampError {
    /// A byte that is not printable ASCII.
    #[error("byte {0:#04x} is not printable ascii")]
    NotAscii(u8),
    /// The text does not have seven fields between colons.
    #[error("{0} fields, expected 7")]
    Fields(usize),
    /// The version is not 1.
    #[error("unknown version")]
    Version,
    /// The claimed bits are not a decimal number of at most 160.
    #[error("claimed bits are not a number up to 160")]
    Bits,
    /// The date does not have 6, 10 or 12 digits.
    #[error("date is not YYMMDD, YYMMDDhhmm or YYMMDDhhmmss")]
    Date,
    /// The head of a search already has a counter: the caller's mistake.
    #[error("head ends with a counter")]
    Counter,
    /// The stamp is for another resource.
    #[error("stamp is for another resource")]
    Resource,
    /// The stamp claims less than is required.
    #[error("stamp claims {claimed} bits, {required} required")]
    ClaimsTooLittle {
        /// The number of bits that the stamp claims.
        claimed: u8,
        /// The number of bits required.
        required: u8,
    },
    /// The digest has fewer zero bits than the stamp claims.
    #[error("digest has {found} zero bits, {claimed} claimed")]
    NotEnoughWork {
        /// The number of bits that the stamp claims.
        claimed: u8,
        /// The number of zero bits of its digest.
        found: u8,
    },
}

impl<'a> Stamp<'a> {
    /// Parses a stamp. The text must not have spaces or line ends around it.
    ///
    /// # Errors
    ///
    /// [`StampError`] if the text is malformed. The work is checked by [`verify`](Self::verify).
    pub fn parse(text: &'a [u8]) -> Result<Self, StampError> {
        if let Some(byte) = text.iter().find(|byte| !byte.is_ascii_graphic()) {
            return Err(StampError::NotAscii(*byte));
        }
        let text = core::str::from_utf8(text).unwrap_or_default();
        let mut all = text.split([':']);
        let mut seven = [""; 7];
        for field in &mut seven {
            *field = all.next().ok_or_else(|| StampError::Fields(text.split([':']).count()))?;
        }
        if all.next().is_some() {
            return Err(StampError::Fields(text.split([':']).count()));
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

    /// Checks that the stamp is for this resource, claims at least `required` bits, and has the zero bits that
    /// it claims. Returns the number of zero bits.
    ///
    /// # Errors
    ///
    /// [`StampError`] for the first check that fails.
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

    /// Returns the number of zero bits that the stamp claims.
    #[must_use]
    pub const fn bits(&self) -> u8 {
        self.bits
    }

    /// Returns the date (`YYMMDD`, `YYMMDDhhmm` or `YYMMDDhhmmss`).
    #[must_use]
    pub const fn date(&self) -> &'a str {
        let [date, ..] = self.fields;
        date
    }

    /// Returns the resource that the stamp is for, such as an address.
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

    /// Returns the random text that distinguishes stamps for one resource and date.
    #[must_use]
    pub const fn random(&self) -> &'a str {
        let [_, _, _, random, _] = self.fields;
        random
    }

    /// Returns the counter.
    #[must_use]
    pub const fn counter(&self) -> &'a str {
        let [.., counter] = self.fields;
        counter
    }
}

/// Returns the number of leading zero bits of a digest, most significant bit first. At most 255.
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

/// Searches for the counter of a stamp, in slices like [`Miner`](crate::Miner) and with the same guarantees.
/// The counter is hexadecimal without leading zeros.
#[derive(Debug, Clone)]
pub struct StampMiner {
    head: Sha1, // state after the text before the counter
    bits: u8,
    counters: Nonces,
}

impl StampMiner {
    /// Starts a search over `counters`, both ends included. `head` is the stamp up to and including its last
    /// colon: `1:bits:date:resource:ext:rand:`.
    ///
    /// # Errors
    ///
    /// [`StampError`] if the head is malformed.
    pub fn new(head: &str, counters: RangeInclusive<u64>) -> Result<Self, StampError> {
        let stamp = Stamp::parse(head.as_bytes())?;
        if !stamp.counter().is_empty() {
            return Err(StampError::Counter);
        }
        let (next, last) = counters.into_inner();
        let head = Sha1::new_with_prefix(head);
        Ok(Self { head, bits: stamp.bits(), counters: Nonces::new(next, last) })
    }

    /// Tries up to `hashes` counters. 0 changes nothing. The head followed by the [`Counter`] that was found is
    /// a stamp.
    pub fn step(&mut self, hashes: u32) -> Step {
        let head = &self.head;
        let bits = self.bits;
        self.counters.step(hashes, |counter| leading_zero_bits(&digest(head, counter)) >= bits)
    }

    /// Returns the counters that remain, or `None` if none do.
    #[must_use]
    pub fn remaining(&self) -> Option<RangeInclusive<u64>> {
        self.counters.remaining()
    }

    /// Returns the number of counters tried.
    #[must_use]
    pub const fn tried(&self) -> u64 {
        self.counters.tried()
    }
}

/// A counter. `Display` is hexadecimal without leading zeros.
#[expect(clippy::exhaustive_structs, reason = "a number")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Counter(pub u64);

/// Hashes the head followed by this counter.
fn digest(head: &Sha1, counter: u64) -> [u8; 20] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hash = head.clone();
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
