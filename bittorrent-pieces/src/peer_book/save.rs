//! The addresses of a book as bytes, from run to run.
//!
//! Eight bytes `BPpeers1`, then records. All numbers are big-endian.
//!
//! | record | bytes |
//! |---|---|
//! | address | tag 4 or 6 for the version of IP; IP address, 4 or 16; port, 2; failures in a row, 1; flags, 1: bit 0 for a seed |
//! | ban | tag 0x14 or 0x16; IP address, 4 or 16; port, 2, or 0 for all; seconds left, 4; bans so far, 1 |

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use thiserror::Error;

use super::event::PeerSource;
use super::inner::View;
use super::slots::{AddressSlot, Ban, BanSlot, Entry};
use super::storage::PeerBookPartsRef;
use crate::error::BufferTooSmall;

const MAGIC: &[u8; 8] = b"BPpeers1";
/// What a tag of a ban has more than that of an address.
const BAN: u8 = 0x10;

/// Bytes that [`PeerBook::encode`](super::PeerBook::encode) did not write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RestoreError {
    /// The first eight bytes are not `BPpeers1`.
    #[error("not a saved peer book of version 1")]
    Header,
    /// A record with an unknown tag.
    #[error("unknown record {0:#04x} in a saved peer book")]
    Record(u8),
    /// The last record is not whole.
    #[error("the saved peer book is cut off")]
    Truncated,
}

enum Record {
    Address { addr: SocketAddr, failures: u8, seed: bool },
    Ban { ip: IpAddr, port: Option<u16>, seconds: u32, strikes: u8 },
}

/// Returns the length of the saved form in bytes.
pub(super) fn encoded_len(parts: PeerBookPartsRef<'_>, now: Duration) -> usize {
    let records = records(parts, now).map(|record| record.encoded_len());
    records.fold(MAGIC.len(), usize::saturating_add)
}

/// Writes the saved form; returns its length in bytes.
pub(super) fn encode(
    parts: PeerBookPartsRef<'_>,
    now: Duration,
    out: &mut [u8],
) -> Result<usize, BufferTooSmall> {
    let needed = encoded_len(parts, now);
    let room = out.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
    let mut rest = room.iter_mut();
    let mut put = |bytes: &[u8]| rest.by_ref().zip(bytes).for_each(|(to, byte)| *to = *byte);
    put(MAGIC);
    for record in records(parts, now) {
        record.write(&mut put);
    }
    Ok(needed)
}

fn records(parts: PeerBookPartsRef<'_>, now: Duration) -> impl Iterator<Item = Record> + '_ {
    let of_entry = |entry: &Entry| Record::Address {
        addr: entry.addr,
        failures: entry.failures,
        seed: entry.seed,
    };
    let of_ban = move |ban: &Ban| Record::Ban {
        ip: ban.ip,
        port: ban.port,
        seconds: u32::try_from(ban.until.saturating_sub(now).as_secs()).unwrap_or(u32::MAX),
        strikes: ban.strikes,
    };
    let entries = parts.addresses.iter().filter_map(|AddressSlot(entry)| entry.as_ref());
    let bans = parts.bans.iter().filter_map(|BanSlot(ban)| ban.as_ref());
    let bans = bans.filter(move |ban| ban.until > now);
    entries.map(of_entry).chain(bans.map(of_ban))
}

impl Record {
    fn encoded_len(&self) -> usize {
        match self {
            Self::Address { addr, .. } => {
                if addr.is_ipv4() {
                    9
                } else {
                    21
                }
            }
            Self::Ban { ip, .. } => {
                if ip.is_ipv4() {
                    12
                } else {
                    24
                }
            }
        }
    }

    fn write(&self, put: &mut impl FnMut(&[u8])) {
        match *self {
            Self::Address { addr, failures, seed } => {
                put_ip(addr.ip(), 0, put);
                put(&addr.port().to_be_bytes());
                put(&[failures, u8::from(seed)]);
            }
            Self::Ban { ip, port, seconds, strikes } => {
                put_ip(ip, BAN, put);
                put(&port.unwrap_or(0).to_be_bytes());
                put(&seconds.to_be_bytes());
                put(&[strikes]);
            }
        }
    }

    /// Reads the next record.
    fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), RestoreError> {
        let (tag, rest) = bytes.split_first().ok_or(RestoreError::Truncated)?;
        let (ip, rest) = match tag & !BAN {
            4 => take::<4>(rest).map(|(ip, rest)| (IpAddr::from(ip), rest))?,
            6 => take::<16>(rest).map(|(ip, rest)| (IpAddr::from(ip), rest))?,
            _ => return Err(RestoreError::Record(*tag)),
        };
        let (port, rest) = take(rest)?;
        let port = u16::from_be_bytes(port);
        if tag & BAN == 0 {
            let ([failures, flags], rest) = take(rest)?;
            let addr = SocketAddr::new(ip, port);
            return Ok((Self::Address { addr, failures, seed: flags & 1 == 1 }, rest));
        }
        let (seconds, rest) = take(rest)?;
        let ([strikes], rest) = take(rest)?;
        let port = (port != 0).then_some(port);
        let seconds = u32::from_be_bytes(seconds);
        Ok((Self::Ban { ip, port, seconds, strikes }, rest))
    }
}

fn put_ip(ip: IpAddr, kind: u8, put: &mut impl FnMut(&[u8])) {
    match ip {
        IpAddr::V4(ip) => {
            put(&[kind | 4]);
            put(&ip.octets());
        }
        IpAddr::V6(ip) => {
            put(&[kind | 6]);
            put(&ip.octets());
        }
    }
}

fn take<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), RestoreError> {
    let (first, rest) = bytes.split_first_chunk().ok_or(RestoreError::Truncated)?;
    Ok((*first, rest))
}

impl View<'_> {
    /// Adds what an earlier run saved; returns the number of addresses taken.
    pub(super) fn restore(&mut self, now: Duration, bytes: &[u8]) -> Result<usize, RestoreError> {
        let records = bytes.strip_prefix(MAGIC).ok_or(RestoreError::Header)?;
        let mut rest = records;
        while !rest.is_empty() {
            rest = Record::decode(rest)?.1;
        }
        self.core.advance_clock(now);
        // Bans first: they keep addresses out.
        let mut rest = records;
        while let Ok((record, behind)) = Record::decode(rest) {
            self.restore_ban(&record);
            rest = behind;
        }
        let mut taken = 0_usize;
        let mut rest = records;
        while let Ok((record, behind)) = Record::decode(rest) {
            taken = taken.saturating_add(usize::from(self.restore_address(&record)));
            rest = behind;
        }
        Ok(taken)
    }

    fn restore_ban(&mut self, record: &Record) {
        let Record::Ban { ip, port, seconds, strikes } = *record else { return };
        let free = self.parts.bans.iter_mut().find(|slot| slot.0.is_none());
        let span = Duration::from_secs(seconds.into());
        let until = self.core.now.saturating_add(span);
        let forget_at = until.saturating_add(span);
        if let Some(slot) = free {
            slot.0 = Some(Ban { ip: ip.to_canonical(), port, until, forget_at, strikes });
        }
    }

    fn restore_address(&mut self, record: &Record) -> bool {
        let Record::Address { addr, failures, seed } = *record else { return false };
        let now = self.core.now;
        if self.add(now, addr, PeerSource::Saved, seed) != super::event::Added::New {
            return false;
        }
        let wait = if failures > 0 { self.core.back_off(failures) } else { Duration::ZERO };
        if let Some(entry) = self.entry(super::slots::canonical(addr)) {
            entry.failures = failures;
            entry.dial_at = now.saturating_add(wait);
        }
        true
    }
}
