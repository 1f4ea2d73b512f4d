//! The target of a client's request to an HTTP tracker (BEP 3, 23, 48).

use core::fmt;
use core::net::IpAddr;

use thiserror::Error;

use crate::id::{InfoHash, PeerId};
use crate::text::{Escaped, nibble, parse};
use crate::tracker::announce::{Announce, AnnounceEvent};

/// The length of the longest address in bytes: IPv6 with an IPv4 address at its end.
const MAX_ADDRESS_LEN: usize = 45;

/// The request of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the two requests of BEP 3 and 48")]
pub enum HttpRequest<'a> {
    /// It announces itself and asks for peers.
    Announce {
        /// The announce.
        announce: Announce,
        /// Whether it accepts peers in compact form; a tracker may send them in any case (BEP 23).
        compact: bool,
        /// The address that it claims. A tracker that trusts it lets a client announce others.
        ip: Option<IpAddr>,
    },
    /// It asks for statistics.
    Scrape(ScrapeTargets<'a>),
}

/// A request that cannot be answered; the client's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RequestError {
    /// The last part of the path is neither `announce` nor `scrape`: answer 404, or Transmission
    /// announces late.
    #[error("no such page")]
    Path,
    /// A key is missing or has an invalid value; `port=0`, for example.
    #[error("key '{0}' is missing or invalid")]
    Key(&'static str),
}

impl<'a> HttpRequest<'a> {
    /// Parses the target of a GET: path and query, between the two spaces of the request line.
    ///
    /// ```
    /// use bittorrent_pieces::tracker::http::HttpRequest;
    ///
    /// let target = b"/announce?info_hash=%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A\
    ///     &peer_id=aaaaaaaaaaaaaaaaaaaa&port=6881&left=5&event=started&compact=1";
    /// let HttpRequest::Announce { announce, compact: true, .. } = HttpRequest::decode(target)? else {
    ///     panic!()
    /// };
    /// assert_eq!((announce.port, announce.left), (6881, 5));
    /// # Ok::<(), bittorrent_pieces::tracker::http::RequestError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`RequestError`]
    pub fn decode(target: &'a [u8]) -> Result<Self, RequestError> {
        let mut parts = target.splitn(2, |byte| *byte == b'?');
        let path = parts.next().unwrap_or_default();
        let query = parts.next().unwrap_or_default();
        match path.rsplit(|byte| *byte == b'/').next() {
            Some(b"announce") => announce(query),
            Some(b"scrape") => {
                let targets = ScrapeTargets { query };
                let valid = values(query, b"info_hash").all(|value| bytes(value).is_some());
                if valid { Ok(Self::Scrape(targets)) } else { Err(RequestError::Key("info_hash")) }
            }
            _ => Err(RequestError::Path),
        }
    }
}

/// The torrents of a scrape, each in the order of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrapeTargets<'a> {
    query: &'a [u8],
}

impl<'a> ScrapeTargets<'a> {
    /// Returns the info-hashes; without any, all torrents are meant.
    #[must_use]
    pub fn iter(&self) -> ScrapeTargetsIter<'a> {
        ScrapeTargetsIter(Parameters { parts: Some(self.query), key: b"info_hash" })
    }
}

/// The info-hashes of a [`ScrapeTargets`].
#[derive(Debug, Clone)]
pub struct ScrapeTargetsIter<'a>(Parameters<'a>);

impl Iterator for ScrapeTargetsIter<'_> {
    type Item = InfoHash;

    fn next(&mut self) -> Option<InfoHash> {
        self.0.find_map(bytes).map(InfoHash)
    }
}

impl<'a> IntoIterator for &ScrapeTargets<'a> {
    type Item = InfoHash;
    type IntoIter = ScrapeTargetsIter<'a>;

    fn into_iter(self) -> ScrapeTargetsIter<'a> {
        self.iter()
    }
}

impl fmt::Display for HttpRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Announce { announce, .. } => write!(
                f,
                "ANNOUNCE torrent={} port={} left={} event={:?}",
                announce.info_hash, announce.port, announce.left, announce.event
            ),
            Self::Scrape(targets) => write!(f, "SCRAPE torrents={}", targets.iter().count()),
        }
    }
}

fn announce(query: &[u8]) -> Result<HttpRequest<'_>, RequestError> {
    let first = |key| values(query, key).next();
    let number = |key| first(key).and_then(|value: Escaped<'_>| parse(value.as_raw()));
    let hash = first(b"info_hash").and_then(bytes).ok_or(RequestError::Key("info_hash"))?;
    let peer_id = first(b"peer_id").and_then(bytes).ok_or(RequestError::Key("peer_id"))?;
    let port = first(b"port").and_then(|value| parse(value.as_raw())).filter(|port| *port != 0);
    let event = match first(b"event").map(|value| value.as_raw()) {
        Some(b"started") => AnnounceEvent::Started,
        Some(b"completed") => AnnounceEvent::Completed,
        Some(b"stopped") => AnnounceEvent::Stopped,
        _ => AnnounceEvent::None, // also `paused` (BEP 21), and what is unknown
    };
    let digits = |value: Escaped<'_>| {
        let digits = value.as_raw().iter().take(8);
        digits.fold(0, |key: u32, digit| key << 4 | u32::from(nibble(*digit).unwrap_or(0)))
    };
    let announce = Announce {
        info_hash: InfoHash(hash),
        peer_id: PeerId(peer_id),
        port: port.ok_or(RequestError::Key("port"))?,
        uploaded: number(b"uploaded").unwrap_or(0),
        downloaded: number(b"downloaded").unwrap_or(0),
        left: number(b"left").unwrap_or(u64::MAX),
        event,
        num_want: first(b"numwant").and_then(|value| parse(value.as_raw())),
        key: first(b"key").map_or(0, digits),
    };
    let compact = first(b"compact").is_some_and(|value| value.as_raw() == b"1");
    Ok(HttpRequest::Announce { announce, compact, ip: first(b"ip").and_then(address) })
}

/// Returns the values of a key of a query.
const fn values<'a>(query: &'a [u8], key: &'static [u8]) -> Parameters<'a> {
    Parameters { parts: Some(query), key }
}

/// The values of one key of a query.
#[derive(Debug, Clone)]
struct Parameters<'a> {
    parts: Option<&'a [u8]>, // what is left of the query
    key: &'static [u8],
}

impl<'a> Iterator for Parameters<'a> {
    type Item = Escaped<'a>;

    fn next(&mut self) -> Option<Escaped<'a>> {
        loop {
            let query = self.parts?;
            let end = query.iter().position(|byte| *byte == b'&');
            let (part, rest) = query.split_at_checked(end.unwrap_or(query.len()))?;
            self.parts = rest.strip_prefix(b"&");
            let value = part.strip_prefix(self.key).and_then(|value| value.strip_prefix(b"="));
            if let Some(value) = value {
                return Some(Escaped::new(value));
            }
        }
    }
}

/// Reads an address, whose colons may be escaped.
fn address(value: Escaped<'_>) -> Option<IpAddr> {
    let mut text = [0; MAX_ADDRESS_LEN];
    let len = value.decode(&mut text).ok()?;
    core::str::from_utf8(text.get(..len)?).ok()?.parse().ok()
}

/// Reads 20 escaped bytes.
fn bytes(value: Escaped<'_>) -> Option<[u8; 20]> {
    let mut out = [0; 20];
    let len = value.decode(&mut out).ok()?;
    (len == out.len()).then_some(out)
}
