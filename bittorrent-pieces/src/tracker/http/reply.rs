//! The body of an HTTP tracker's answer (BEP 3, 7, 23, 24, 48).

use core::net::IpAddr;
use core::time::Duration;

use crate::bencode::{WriteError, Writer};
use crate::compact::CompactPeers;
use crate::id::InfoHash;
use crate::tracker::stats::ScrapeStats;

/// The answer to an announce, in compact form.
///
/// ```
/// use bittorrent_pieces::tracker::http::AnnounceReply;
/// use bittorrent_pieces::{CompactPeers, Family};
/// use core::time::Duration;
///
/// let peers = CompactPeers::new(Family::V4, &[127, 0, 0, 1, 0x1A, 0xE1]).unwrap();
/// let reply = AnnounceReply::new(Duration::from_secs(1800), 1, 0, peers);
/// let mut out = [0; 100];
/// let len = reply.encode(&mut out)?;
/// let text = b"d8:completei1e10:incompletei0e8:intervali1800e5:peers6:\x7F\0\0\x01\x1A\xE1e";
/// assert_eq!(&out[..len], text);
/// # Ok::<(), bittorrent_pieces::bencode::WriteError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnnounceReply<'a> {
    /// How long to wait before the next announce.
    pub interval: Duration,
    /// The number of peers that have all of the torrent.
    pub seeders: u32,
    /// The number of peers that lack some of it.
    pub leechers: u32,
    /// Some of them, over IPv4.
    pub peers: CompactPeers<'a>,
    /// Some of them, over IPv6.
    pub peers6: Option<CompactPeers<'a>>,
    /// The address that the request came from (BEP 24).
    pub external: Option<IpAddr>,
}

impl<'a> AnnounceReply<'a> {
    /// Creates an answer with peers over IPv4 alone.
    #[must_use]
    pub const fn new(
        interval: Duration,
        seeders: u32,
        leechers: u32,
        peers: CompactPeers<'a>,
    ) -> Self {
        Self { interval, seeders, leechers, peers, peers6: None, external: None }
    }

    /// Writes the body and returns its length in bytes.
    ///
    /// # Errors
    ///
    /// [`WriteError::Buffer`] with the length of the whole.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, WriteError> {
        let mut writer = Writer::new(out);
        writer.dict(|dict| {
            dict.int(b"complete", i64::from(self.seeders))?;
            match self.external {
                Some(IpAddr::V4(ip)) => dict.bytes(b"external ip", &ip.octets())?,
                Some(IpAddr::V6(ip)) => dict.bytes(b"external ip", &ip.octets())?,
                None => {}
            }
            dict.int(b"incomplete", i64::from(self.leechers))?;
            dict.int(b"interval", i64::try_from(self.interval.as_secs()).unwrap_or(i64::MAX))?;
            dict.bytes(b"peers", self.peers.as_bytes())?;
            self.peers6.map_or(Ok(()), |peers| dict.bytes(b"peers6", peers.as_bytes()))
        })?;
        writer.finish()
    }
}

/// Writes the answer to a scrape and returns its length in bytes. The torrents must be in ascending order.
///
/// # Errors
///
/// [`WriteError`]
pub fn encode_scrape(
    torrents: impl IntoIterator<Item = (InfoHash, ScrapeStats)>,
    out: &mut [u8],
) -> Result<usize, WriteError> {
    let mut writer = Writer::new(out);
    writer.dict(|dict| {
        dict.dict(b"files", |files| {
            torrents.into_iter().try_for_each(|(torrent, stats)| {
                files.dict(&torrent.0, |file| {
                    file.int(b"complete", i64::from(stats.seeders))?;
                    file.int(b"downloaded", i64::from(stats.completed))?;
                    file.int(b"incomplete", i64::from(stats.leechers))
                })
            })
        })
    })?;
    writer.finish()
}

/// Writes a refusal whose reason is meant for people, and returns its length in bytes.
///
/// # Errors
///
/// [`WriteError::Buffer`] with the length of the whole.
pub fn encode_failure(reason: &[u8], out: &mut [u8]) -> Result<usize, WriteError> {
    let mut writer = Writer::new(out);
    writer.dict(|dict| dict.bytes(b"failure reason", reason))?;
    writer.finish()
}
