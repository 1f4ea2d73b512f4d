//! The answer to an announce.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;

use super::answer::{Answer, AnswerError, number, read};
use crate::bencode::{Items, Value};
use crate::compact::{CompactPeers, Family, PeersIter};
use crate::host::Host;
use crate::id::PeerId;

/// The interval of an answer that states none, as in other clients.
const INTERVAL: Duration = Duration::from_secs(1_800);

/// Peers, and when to ask again.
///
/// It is read as leniently as trackers are written: a part that is missing or malformed costs only itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Announced<'a> {
    /// How long to wait before the next announce, from the tracker: 0 is possible. Without a valid number it
    /// is 1,800 s.
    pub interval: Duration,
    /// How long to wait at least, even if peers are needed.
    pub min_interval: Option<Duration>,
    /// To be sent back in the next announce.
    pub tracker_id: Option<&'a [u8]>,
    /// A text of the tracker for people; the answer is valid all the same.
    pub warning: Option<&'a [u8]>,
    /// The number of peers that have all of the torrent.
    pub seeders: Option<u32>,
    /// The number of peers that lack some of it.
    pub leechers: Option<u32>,
    /// Our address as the tracker sees it (BEP 24).
    pub external: Option<IpAddr>,
    peers: Peers<'a>,
    peers6: CompactPeers<'a>,
}

/// `peers`: both forms must be accepted (BEP 23).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Peers<'a> {
    Compact(CompactPeers<'a>),
    List(Value<'a>),
}

impl<'a> Announced<'a> {
    /// Parses the body of an HTTP response. Bytes after the value are ignored.
    ///
    /// # Errors
    ///
    /// [`AnswerError`]
    pub fn decode(bytes: &'a [u8]) -> Result<Answer<'a, Self>, AnswerError> {
        let dict = match read(bytes)? {
            Answer::Failure(reason) => return Ok(Answer::Failure(reason)),
            Answer::Done(dict) => dict,
        };
        let text = |key: &[u8]| dict.find(key).and_then(|value| value.as_bytes());
        let span = |key: &[u8]| number(dict, key).map(|secs| Duration::from_secs(secs.into()));
        let compact = |family, key| CompactPeers::front(family, text(key).unwrap_or_default());
        let peers = match dict.find(b"peers").filter(Value::is_list) {
            Some(list) => Peers::List(list),
            None => Peers::Compact(compact(Family::V4, b"peers")),
        };
        Ok(Answer::Done(Self {
            interval: span(b"interval").unwrap_or(INTERVAL),
            min_interval: span(b"min interval"),
            tracker_id: text(b"tracker id"),
            warning: text(b"warning message"),
            seeders: number(dict, b"complete"),
            leechers: number(dict, b"incomplete"),
            external: text(b"external ip").and_then(ip),
            peers,
            peers6: compact(Family::V6, b"peers6"),
        }))
    }

    /// Returns the peers: those of `peers`, then those of `peers6`. They are not verified. Entries without an
    /// address or with an invalid port are skipped.
    #[must_use]
    pub fn contacts(&self) -> Contacts<'a> {
        let (list, peers) = match self.peers {
            Peers::Compact(peers) => (None, Some(peers.iter())),
            Peers::List(list) => (Some(list.items()), None),
        };
        Contacts { list, peers, peers6: self.peers6.iter() }
    }
}

/// A peer, as a tracker or a magnet link names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct Contact<'a> {
    /// The id that it uses; compact answers do not contain it.
    pub peer_id: Option<PeerId>,
    /// Its address or name.
    pub host: Host<'a>,
    /// Its TCP port.
    pub port: u16,
}

/// The peers of an answer.
#[derive(Debug, Clone)]
pub struct Contacts<'a> {
    list: Option<Items<'a>>,
    peers: Option<PeersIter<'a>>,
    peers6: PeersIter<'a>,
}

impl<'a> Iterator for Contacts<'a> {
    type Item = Contact<'a>;

    fn next(&mut self) -> Option<Contact<'a>> {
        let listed = self.list.as_mut().and_then(|list| list.find_map(contact_of));
        if listed.is_some() {
            return listed;
        }
        let peers = self.peers.as_mut().into_iter().flatten();
        let mut addrs = peers.chain(&mut self.peers6);
        addrs.find(|addr| addr.port() != 0).map(Contact::from)
    }
}

impl From<SocketAddr> for Contact<'_> {
    fn from(addr: SocketAddr) -> Self {
        Self { peer_id: None, host: Host::Ip(addr.ip()), port: addr.port() }
    }
}

impl fmt::Display for Contact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

fn contact_of(entry: Value<'_>) -> Option<Contact<'_>> {
    let peer_id = entry.find(b"peer id").and_then(|id| id.as_bytes());
    let peer_id = peer_id.and_then(|id| id.try_into().ok()).map(PeerId);
    let host = Host::parse(entry.find(b"ip")?.as_bytes()?)?;
    let port = u16::try_from(entry.find(b"port")?.as_int()?).ok()?;
    Some(Contact { peer_id, host, port }).filter(|_| port != 0)
}

/// Reads an address of 4 or 16 bytes.
fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|ip| IpAddr::V4(Ipv4Addr::from(ip)));
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(|ip| IpAddr::V6(Ipv6Addr::from(ip)))).ok()
}
