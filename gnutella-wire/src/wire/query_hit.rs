//! Query hit: I have these files (0.4, 2.2.4; 0.6, 2.2.4).

use core::fmt;
use core::net::SocketAddrV4;

use super::fields::{address, malformed};
use super::function::Function;
use super::hit_data::HitData;
use super::record::Records;
use crate::error::{BufferTooSmall, DecodeError};
use crate::id::ServentId;
use crate::writer::Writer;

const COUNT: usize = 1;
const PORT: usize = 2; // little-endian
const IP: usize = 4; // network order
const SPEED: usize = 4; // little-endian
// then the records and the query-hit data
const SERVENT: usize = 16; // always the last bytes

/// Answers a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryHit<'a> {
    /// Where the files can be fetched.
    pub address: SocketAddrV4,
    /// The speed of the answering servent, in kbit/s.
    pub speed: u32,
    /// The files.
    pub records: Records<'a>,
    /// What the vendor adds; none in 0.4.
    pub data: HitData<'a>,
    /// Who answers; a push names it.
    pub servent: ServentId,
}

impl<'a> QueryHit<'a> {
    /// The length of the fixed fields, in bytes.
    pub const MIN_LEN: usize = COUNT + PORT + IP + SPEED + SERVENT;

    /// Reads a whole payload, and walks over the records once.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Malformed`] below 27 bytes or with fewer records than counted.
    pub fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let short = malformed(Function::QUERY_HIT, payload);
        let ([count], rest) = payload.split_first_chunk::<COUNT>().ok_or(short)?;
        let (port, rest) = rest.split_first_chunk::<PORT>().ok_or(short)?;
        let (ip, rest) = rest.split_first_chunk::<IP>().ok_or(short)?;
        let (speed, rest) = rest.split_first_chunk::<SPEED>().ok_or(short)?;
        let (rest, servent) = rest.split_last_chunk::<SERVENT>().ok_or(short)?;
        let (records, data) = Records::decode(*count, rest).ok_or(short)?;
        Ok(Self {
            address: address(*ip, *port),
            speed: u32::from_le_bytes(*speed),
            records,
            data: HitData::new(data),
            servent: ServentId(*servent),
        })
    }

    /// Returns the length of the payload, in bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        Writer::measure(|w| self.write(w))
    }

    /// Writes the payload and returns its length.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] below [`encoded_len`](Self::encoded_len) bytes.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        Writer::fill(out, |w| self.write(w))
    }

    pub(crate) fn write(&self, w: &mut Writer<'_>) {
        w.u8(self.records.len());
        w.u16(self.address.port());
        w.bytes(&self.address.ip().octets());
        w.u32(self.speed);
        self.records.write(w);
        w.bytes(self.data.as_bytes());
        w.bytes(&self.servent.0);
    }
}

impl fmt::Display for QueryHit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut records = self.records.iter();
        if let Some(first) = records.next() {
            write!(f, "{first}")?;
        }
        let more = records.count();
        if more > 0 {
            write!(f, " and {more} more")?;
        }
        write!(f, " at {} {} kbit/s{}", self.address, self.speed, self.data)
    }
}
