//! The packets from a tracker to a client.

use core::fmt;
use core::slice::Iter;
use core::time::Duration;

use super::packet::{
    ANNOUNCE, CONNECT, ConnectionId, ERROR, PacketError, SCRAPE, TransactionId, take,
};
use crate::compact::{CompactPeers, Family};
use crate::error::BufferTooSmall;
use crate::tracker::stats::ScrapeStats;
use crate::wire::field;

/// The length of action and transaction id.
const HEAD_LEN: usize = 8;
/// The length of a connect response.
const CONNECT_LEN: usize = 16;
/// The length of an announce response without peers.
const ANNOUNCE_LEN: usize = 20;

/// A packet from a tracker to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the four responses of BEP 15")]
pub enum Response<'a> {
    /// 0: a connection id, for the next minute.
    Connect {
        /// That of the request.
        transaction: TransactionId,
        /// The id for the requests.
        connection: ConnectionId,
    },
    /// 1: peers.
    Announce {
        /// That of the request.
        transaction: TransactionId,
        /// How long to wait before the next announce, in seconds.
        interval: u32,
        /// The number of peers that lack some of the torrent.
        leechers: u32,
        /// The number of peers that have all of it.
        seeders: u32,
        /// Some of them; of the family of the packet.
        peers: CompactPeers<'a>,
    },
    /// 2: statistics, in the order of the info-hashes.
    Scrape {
        /// That of the request.
        transaction: TransactionId,
        /// 12 bytes for each torrent.
        torrents: Scrapes<'a>,
    },
    /// 3: the request was refused.
    Error {
        /// That of the request.
        transaction: TransactionId,
        /// The reason, for people; usually UTF-8.
        text: &'a [u8],
    },
}

impl<'a> Response<'a> {
    /// Reads a datagram that came over the given version of IP, which decides how long a peer's
    /// address is. Bytes that make no whole peer or torrent are left out.
    ///
    /// # Errors
    ///
    /// [`PacketError`]
    pub fn decode(bytes: &'a [u8], family: Family) -> Result<Self, PacketError> {
        let len = bytes.len();
        let mut rest = bytes;
        let action = u32::from_be_bytes(take(&mut rest, len, HEAD_LEN)?);
        let transaction = TransactionId(u32::from_be_bytes(take(&mut rest, len, HEAD_LEN)?));
        match action {
            CONNECT => {
                let connection =
                    ConnectionId(u64::from_be_bytes(take(&mut rest, len, CONNECT_LEN)?));
                Ok(Self::Connect { transaction, connection })
            }
            ANNOUNCE => {
                let interval = u32::from_be_bytes(take(&mut rest, len, ANNOUNCE_LEN)?);
                let leechers = u32::from_be_bytes(take(&mut rest, len, ANNOUNCE_LEN)?);
                let seeders = u32::from_be_bytes(take(&mut rest, len, ANNOUNCE_LEN)?);
                let peers = CompactPeers::front(family, rest);
                Ok(Self::Announce { transaction, interval, leechers, seeders, peers })
            }
            SCRAPE => {
                let (torrents, _) = rest.as_chunks();
                Ok(Self::Scrape { transaction, torrents: Scrapes(torrents) })
            }
            ERROR => Ok(Self::Error { transaction, text: rest }),
            other => Err(PacketError::Action(other)),
        }
    }

    /// Returns the transaction id.
    #[must_use]
    pub const fn transaction(&self) -> TransactionId {
        match self {
            Self::Connect { transaction, .. }
            | Self::Announce { transaction, .. }
            | Self::Scrape { transaction, .. }
            | Self::Error { transaction, .. } => *transaction,
        }
    }

    /// Returns the length of the packet in bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        match self {
            Self::Connect { .. } => CONNECT_LEN,
            Self::Announce { peers, .. } => ANNOUNCE_LEN.saturating_add(peers.as_bytes().len()),
            Self::Scrape { torrents, .. } => {
                HEAD_LEN.saturating_add(torrents.0.as_flattened().len())
            }
            Self::Error { text, .. } => HEAD_LEN.saturating_add(text.len()),
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
        out.u32(match self {
            Self::Connect { .. } => CONNECT,
            Self::Announce { .. } => ANNOUNCE,
            Self::Scrape { .. } => SCRAPE,
            Self::Error { .. } => ERROR,
        });
        out.u32(self.transaction().0);
        match self {
            Self::Connect { connection, .. } => out.u64(connection.0),
            Self::Announce { interval, leechers, seeders, peers, .. } => {
                out.u32(*interval);
                out.u32(*leechers);
                out.u32(*seeders);
                out.bytes(peers.as_bytes());
            }
            Self::Scrape { torrents, .. } => out.bytes(torrents.0.as_flattened()),
            Self::Error { text, .. } => out.bytes(text),
        }
        Ok(needed)
    }
}

/// The statistics of a scrape response: seeders, completed, leechers, 4 bytes each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scrapes<'a>(&'a [[u8; 12]]);

impl<'a> Scrapes<'a> {
    /// Creates a list of encoded statistics; see [`encode`](Self::encode).
    #[must_use]
    pub const fn new(torrents: &'a [[u8; 12]]) -> Self {
        Self(torrents)
    }

    /// Returns the encoded statistics of one torrent.
    #[must_use]
    pub fn encode(stats: ScrapeStats) -> [u8; 12] {
        let [a, b, c] = [stats.seeders, stats.completed, stats.leechers].map(u32::to_be_bytes);
        let mut out = [0; 12];
        out.iter_mut().zip([a, b, c].as_flattened()).for_each(|(to, from)| *to = *from);
        out
    }

    /// Returns the number of torrents.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there is no torrent.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the statistics, in the order of the info-hashes of the request.
    #[must_use]
    pub fn iter(&self) -> ScrapesIter<'a> {
        ScrapesIter(self.0.iter())
    }
}

/// The statistics of a [`Scrapes`].
#[derive(Debug, Clone)]
pub struct ScrapesIter<'a>(Iter<'a, [u8; 12]>);

impl Iterator for ScrapesIter<'_> {
    type Item = ScrapeStats;

    fn next(&mut self) -> Option<ScrapeStats> {
        let [s0, s1, s2, s3, c0, c1, c2, c3, l0, l1, l2, l3] = *self.0.next()?;
        Some(ScrapeStats {
            seeders: u32::from_be_bytes([s0, s1, s2, s3]),
            completed: u32::from_be_bytes([c0, c1, c2, c3]),
            leechers: u32::from_be_bytes([l0, l1, l2, l3]),
        })
    }
}

impl<'a> IntoIterator for &Scrapes<'a> {
    type Item = ScrapeStats;
    type IntoIter = ScrapesIter<'a>;

    fn into_iter(self) -> ScrapesIter<'a> {
        self.iter()
    }
}

impl fmt::Display for Response<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transaction = self.transaction();
        match self {
            Self::Connect { connection, .. } => {
                write!(f, "CONNECTED transaction={transaction} connection={connection}")
            }
            Self::Announce { interval, leechers, seeders, peers, .. } => {
                let interval = Duration::from_secs(u64::from(*interval));
                write!(
                    f,
                    "ANNOUNCED transaction={transaction} interval={interval:?} leechers={leechers} \
                     seeders={seeders} peers={}",
                    peers.len()
                )
            }
            Self::Scrape { torrents, .. } => {
                write!(f, "SCRAPED transaction={transaction} torrents={}", torrents.len())
            }
            Self::Error { text, .. } => {
                write!(f, "ERROR transaction={transaction} text=\"{}\"", text.escape_ascii())
            }
        }
    }
}
