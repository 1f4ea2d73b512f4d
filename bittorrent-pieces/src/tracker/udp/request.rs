//! The packets from a client to a tracker.

use core::fmt;
use core::net::Ipv4Addr;
use core::slice::Iter;

use super::options::Options;
use super::packet::{
    ANNOUNCE, CONNECT, ConnectionId, MAX_SCRAPE, PROTOCOL_ID, PacketError, SCRAPE, TransactionId,
    take,
};
use crate::error::BufferTooSmall;
use crate::id::{InfoHash, PeerId};
use crate::tracker::announce::{Announce, AnnounceEvent};
use crate::wire::field;

/// The length of a connect request, and of the head of a scrape.
const HEAD_LEN: usize = 16;
/// The length of an announce request without options.
const ANNOUNCE_LEN: usize = 98;

/// A packet from a client to a tracker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the three requests of BEP 15")]
pub enum Request<'a> {
    /// 0: asks for a connection id.
    Connect {
        /// Drawn by the client.
        transaction: TransactionId,
    },
    /// 1: asks for peers.
    Announce {
        /// Issued by the tracker.
        connection: ConnectionId,
        /// Drawn by the client.
        transaction: TransactionId,
        /// The announce.
        announce: Announce,
        /// Our address if it is not that of the packet, else 0.0.0.0, as always over IPv6.
        ip: Ipv4Addr,
        /// The options (BEP 41).
        options: Options<'a>,
    },
    /// 2: asks for statistics.
    Scrape {
        /// Issued by the tracker.
        connection: ConnectionId,
        /// Drawn by the client.
        transaction: TransactionId,
        /// The torrents.
        hashes: Hashes<'a>,
    },
}

impl<'a> Request<'a> {
    /// Parses a datagram.
    ///
    /// # Errors
    ///
    /// [`PacketError`]. A connect request of another protocol is [`PacketError::Protocol`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, PacketError> {
        let len = bytes.len();
        let mut rest = bytes;
        let connection = u64::from_be_bytes(take(&mut rest, len, HEAD_LEN)?);
        let action = u32::from_be_bytes(take(&mut rest, len, HEAD_LEN)?);
        let transaction = TransactionId(u32::from_be_bytes(take(&mut rest, len, HEAD_LEN)?));
        match action {
            CONNECT if connection == PROTOCOL_ID => Ok(Self::Connect { transaction }),
            CONNECT => Err(PacketError::Protocol(connection)),
            ANNOUNCE => {
                let (announce, ip) = read(&mut rest, len)?;
                let connection = ConnectionId(connection);
                let options = Options(rest);
                Ok(Self::Announce { connection, transaction, announce, ip, options })
            }
            SCRAPE => {
                let connection = ConnectionId(connection);
                Ok(Self::Scrape { connection, transaction, hashes: Hashes::front(rest) })
            }
            other => Err(PacketError::Action(other)),
        }
    }

    /// Returns the length of the packet in bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        match self {
            Self::Connect { .. } => HEAD_LEN,
            Self::Announce { options, .. } => ANNOUNCE_LEN.saturating_add(options.0.len()),
            Self::Scrape { hashes, .. } => HEAD_LEN.saturating_add(hashes.0.as_flattened().len()),
        }
    }

    /// Writes the packet and returns its length in bytes.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; nothing is written then.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let needed = self.encoded_len();
        let mut out = field::Out::new(out, needed)?;
        match self {
            Self::Connect { transaction } => {
                head(PROTOCOL_ID, CONNECT, *transaction, &mut out);
            }
            Self::Announce { connection, transaction, announce, ip, options } => {
                head(connection.0, ANNOUNCE, *transaction, &mut out);
                write(announce, *ip, &mut out);
                out.bytes(options.0);
            }
            Self::Scrape { connection, transaction, hashes } => {
                head(connection.0, SCRAPE, *transaction, &mut out);
                out.bytes(hashes.0.as_flattened());
            }
        }
        Ok(needed)
    }
}

fn head(connection: u64, action: u32, transaction: TransactionId, out: &mut field::Out<'_>) {
    out.u64(connection);
    out.u32(action);
    out.u32(transaction.0);
}

/// Reads the 82 bytes after the head of an announce.
fn read(rest: &mut &[u8], len: usize) -> Result<(Announce, Ipv4Addr), PacketError> {
    let info_hash = InfoHash(take(rest, len, ANNOUNCE_LEN)?);
    let peer_id = PeerId(take(rest, len, ANNOUNCE_LEN)?);
    let downloaded = u64::from_be_bytes(take(rest, len, ANNOUNCE_LEN)?);
    let left = u64::from_be_bytes(take(rest, len, ANNOUNCE_LEN)?);
    let uploaded = u64::from_be_bytes(take(rest, len, ANNOUNCE_LEN)?);
    let event = u32::from_be_bytes(take(rest, len, ANNOUNCE_LEN)?);
    let ip = Ipv4Addr::from(take::<4>(rest, len, ANNOUNCE_LEN)?);
    let key = u32::from_be_bytes(take(rest, len, ANNOUNCE_LEN)?);
    let num_want = u32::try_from(i32::from_be_bytes(take(rest, len, ANNOUNCE_LEN)?)).ok();
    let port = u16::from_be_bytes(take(rest, len, ANNOUNCE_LEN)?);
    let event = match event {
        1 => AnnounceEvent::Completed,
        2 => AnnounceEvent::Started,
        3 => AnnounceEvent::Stopped,
        _ => AnnounceEvent::None, // 4 is `paused` (BEP 21), as libtorrent sends it
    };
    let announce =
        Announce { info_hash, peer_id, port, uploaded, downloaded, left, event, num_want, key };
    Ok((announce, ip))
}

fn write(announce: &Announce, ip: Ipv4Addr, out: &mut field::Out<'_>) {
    out.bytes(&announce.info_hash.0);
    out.bytes(&announce.peer_id.0);
    out.u64(announce.downloaded);
    out.u64(announce.left);
    out.u64(announce.uploaded);
    out.u32(match announce.event {
        AnnounceEvent::None => 0,
        AnnounceEvent::Completed => 1,
        AnnounceEvent::Started => 2,
        AnnounceEvent::Stopped => 3,
    });
    out.bytes(&ip.octets());
    out.u32(announce.key);
    let want = announce.num_want.map_or(-1, |want| i32::try_from(want).unwrap_or(i32::MAX));
    out.bytes(&want.to_be_bytes());
    out.u16(announce.port);
}

/// The info-hashes of a scrape, at most 74.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hashes<'a>(&'a [[u8; 20]]);

impl<'a> Hashes<'a> {
    /// Creates a list of info-hashes; `None` if there are more than 74.
    #[must_use]
    pub const fn new(hashes: &'a [[u8; 20]]) -> Option<Self> {
        if hashes.len() > MAX_SCRAPE { None } else { Some(Self(hashes)) }
    }

    fn front(bytes: &'a [u8]) -> Self {
        let (hashes, _) = bytes.as_chunks();
        Self(hashes.get(..MAX_SCRAPE).unwrap_or(hashes))
    }

    /// Returns the number of info-hashes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there is no info-hash.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the info-hashes in order.
    #[must_use]
    pub fn iter(&self) -> HashesIter<'a> {
        HashesIter(self.0.iter())
    }
}

/// The info-hashes of a [`Hashes`].
#[derive(Debug, Clone)]
pub struct HashesIter<'a>(Iter<'a, [u8; 20]>);

impl Iterator for HashesIter<'_> {
    type Item = InfoHash;

    fn next(&mut self) -> Option<InfoHash> {
        self.0.next().map(|hash| InfoHash(*hash))
    }
}

impl<'a> IntoIterator for &Hashes<'a> {
    type Item = InfoHash;
    type IntoIter = HashesIter<'a>;

    fn into_iter(self) -> HashesIter<'a> {
        self.iter()
    }
}

impl fmt::Display for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { transaction } => write!(f, "CONNECT transaction={transaction}"),
            Self::Announce { connection, transaction, announce, .. } => write!(
                f,
                "ANNOUNCE transaction={transaction} connection={connection} torrent={} port={} \
                 left={} event={:?}",
                announce.info_hash, announce.port, announce.left, announce.event
            ),
            Self::Scrape { connection, transaction, hashes } => write!(
                f,
                "SCRAPE transaction={transaction} connection={connection} torrents={}",
                hashes.len()
            ),
        }
    }
}
