//! What a client asks of an HTTP tracker: the target of its request (BEP 3, 23, 48).

use core::fmt;
use core::net::IpAddr;

use thiserror::Error;

use crate::magnet::Escaped;
use crate::text::{nibble, parse};
use crate::tracker::{Announce, AnnounceEvent};
use crate::{InfoHash, PeerId};

/// What a client asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpRequest<'a> {
    /// It tells of itself and wants peers.
    Announce {
        /// What it tells.
        announce: Announce,
        /// Whether it takes peers in compact form; without, it may be answered so all the same (BEP 23).
        compact: bool,
        /// The address that it says it has. Who believes it lets it name others.
        ip: Option<IpAddr>,
    },
    /// It wants numbers.
    Scrape(ScrapeTargets<'a>),
}

/// A request that cannot be answered; the client's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The last part of the path is neither `announce` nor `scrape`: answer 404, or Transmission
    /// announces late.
    #[error("no such page")]
    Path,
    /// A key that is missing or has an impossible value.
    #[error("key '{0}' is missing or impossible")]
    Key(&'static str),
}

impl<'a> HttpRequest<'a> {
    /// Reads the target of a GET: path and query, as between the two spaces of the request line.
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
        let (path, query) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
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
    /// Returns the info-hashes; none of them means all torrents.
    pub fn iter(&self) -> impl Iterator<Item = InfoHash> + use<'a> {
        values(self.query, b"info_hash").filter_map(bytes).map(InfoHash)
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
    let port = first(b"port").and_then(|value| parse(value.as_raw()));
    let event = match first(b"event").map(|value| value.as_raw()) {
        None | Some(b"" | b"empty" | b"paused") => AnnounceEvent::None,
        Some(b"started") => AnnounceEvent::Started,
        Some(b"completed") => AnnounceEvent::Completed,
        Some(b"stopped") => AnnounceEvent::Stopped,
        Some(_) => return Err(RequestError::Key("event")),
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
    let text = first(b"ip").and_then(|ip| core::str::from_utf8(ip.as_raw()).ok());
    let compact = first(b"compact").is_some_and(|value| value.as_raw() == b"1");
    Ok(HttpRequest::Announce { announce, compact, ip: text.and_then(|ip| ip.parse().ok()) })
}

/// Returns the values of a key of a query.
fn values<'a>(query: &'a [u8], key: &'static [u8]) -> impl Iterator<Item = Escaped<'a>> + use<'a> {
    query
        .split(|byte| *byte == b'&')
        .filter_map(move |part| part.strip_prefix(key)?.strip_prefix(b"=").map(Escaped::new))
}

/// Reads 20 escaped bytes.
fn bytes(value: Escaped<'_>) -> Option<[u8; 20]> {
    let mut out = [0; 20];
    let len = value.decode(&mut out).ok()?;
    (len == out.len()).then_some(out)
}
