//! The answer to an announce.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;

use super::{Answer, AnswerError, number, read};
use crate::bencode::{Items, Value};
use crate::{CompactPeers, Family, Host, PeerId};

/// Peers, and when to ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced<'a> {
    /// How long to wait before the next announce. It is what the tracker says: 0 is possible.
    pub interval: Duration,
    /// How long to wait at least, even if peers are needed.
    pub min_interval: Option<Duration>,
    /// What to send back in the next announce.
    pub tracker_id: Option<&'a [u8]>,
    /// A word of the tracker for people; the answer is valid all the same.
    pub warning: Option<&'a [u8]>,
    /// Peers that have all of the torrent.
    pub seeders: Option<u32>,
    /// Peers that lack some of it.
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
    /// Reads the body of an HTTP answer. What follows the value is left alone.
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
        let peers6 = match dict.find(b"peers6") {
            Some(value) => compact(value, Family::V6, "peers6")?,
            None => CompactPeers::front(Family::V6, &[]),
        };
        let peers = match dict.find(b"peers") {
            Some(list) if list.is_list() => Peers::List(list),
            Some(value) => Peers::Compact(compact(value, Family::V4, "peers")?),
            None if dict.find(b"peers6").is_some() => {
                Peers::Compact(CompactPeers::front(Family::V4, &[]))
            }
            None => return Err(AnswerError::Key("peers")),
        };
        Ok(Answer::Done(Self {
            interval: span(b"interval").ok_or(AnswerError::Key("interval"))?,
            min_interval: span(b"min interval"),
            tracker_id: text(b"tracker id"),
            warning: text(b"warning message"),
            seeders: number(dict, b"complete"),
            leechers: number(dict, b"incomplete"),
            external: text(b"external ip").and_then(ip),
            peers,
            peers6,
        }))
    }

    /// Returns the peers: those of `peers`, then those of `peers6`. Nobody vouches for them.
    #[must_use]
    pub fn contacts(&self) -> Contacts<'a> {
        let none = CompactPeers::front(Family::V4, &[]);
        let (list, peers) = match self.peers {
            Peers::Compact(peers) => (None, peers),
            Peers::List(list) => (Some(list.items()), none),
        };
        Contacts { list, peers, peers6: self.peers6, at: 0 }
    }
}

/// A peer, as a tracker names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contact<'a> {
    /// What it calls itself; compact answers do not say.
    pub peer_id: Option<PeerId>,
    /// Where it is.
    pub host: Host<'a>,
    /// Its TCP port.
    pub port: u16,
}

/// The peers of an answer.
#[derive(Debug, Clone)]
pub struct Contacts<'a> {
    list: Option<Items<'a>>,
    peers: CompactPeers<'a>,
    peers6: CompactPeers<'a>,
    at: usize, // in the compact peers of both families
}

impl<'a> Iterator for Contacts<'a> {
    type Item = Result<Contact<'a>, AnswerError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(entry) = self.list.as_mut().and_then(Iterator::next) {
            return Some(entry_of(entry).ok_or(AnswerError::Entry));
        }
        let at = self.at;
        self.at = at.saturating_add(1);
        let addr = match at.checked_sub(self.peers.len()) {
            None => self.peers.nth(at),
            Some(at) => self.peers6.nth(at),
        };
        addr.map(|addr| Ok(Contact::from(addr)))
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

fn entry_of(entry: Value<'_>) -> Option<Contact<'_>> {
    let peer_id = entry.find(b"peer id").and_then(|id| id.as_bytes());
    let peer_id = peer_id.and_then(|id| id.try_into().ok()).map(PeerId);
    let host = Host::parse(entry.find(b"ip")?.as_bytes()?)?;
    let port = u16::try_from(entry.find(b"port")?.as_int()?).ok()?;
    Some(Contact { peer_id, host, port })
}

fn compact<'a>(
    value: Value<'a>,
    family: Family,
    key: &'static str,
) -> Result<CompactPeers<'a>, AnswerError> {
    let bytes = value.as_bytes().ok_or(AnswerError::Key(key))?;
    CompactPeers::new(family, bytes).ok_or(AnswerError::Peers(bytes.len()))
}

/// Reads an address of 4 or 16 bytes.
fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|ip| IpAddr::V4(Ipv4Addr::from(ip)));
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(|ip| IpAddr::V6(Ipv6Addr::from(ip)))).ok()
}
