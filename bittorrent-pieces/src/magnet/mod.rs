//! Magnet links: a torrent named by its hash alone (BEP 9, 53; `btmh`: BEP 52).

mod builder;
mod hash;
mod select;

use thiserror::Error;

use crate::host::Host;
use crate::id::InfoHash;
pub use crate::id::InfoHashV2;
use crate::text::parse;
pub use crate::text::{Escaped, Unescaped};
use crate::tracker::http::Contact;
pub use builder::MagnetBuilder;
pub use select::{Ranges, SelectError};

/// The maximum length of a link in bytes.
pub const MAX_LEN: usize = 1 << 16;
/// The maximum number of parameters of a link.
pub const MAX_PARAMETERS: usize = 1_000;
/// The length of the longest address in bytes: IPv6 with an IPv4 address at its end, in brackets.
const MAX_ADDRESS_LEN: usize = 47;
/// The start of every link.
const SCHEME: &[u8] = b"magnet:?";

/// A magnet link, borrowed. Its hashes are checked; optional parameters that are malformed are skipped.
///
/// ```
/// use bittorrent_pieces::magnet::Magnet;
///
/// let link = b"magnet:?xt=urn:btih:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa&dn=an%20image&so=0,2-3";
/// let magnet = Magnet::parse(link)?;
/// assert_eq!(magnet.v1().unwrap().0, [0xAA; 20]);
/// assert_eq!(magnet.name().unwrap().bytes().collect::<Vec<_>>(), b"an image");
/// assert!(magnet.selects(3) && !magnet.selects(1));
/// # Ok::<(), bittorrent_pieces::magnet::MagnetError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Magnet<'a> {
    query: &'a [u8],
    v1: Option<InfoHash>,
    v2: Option<InfoHashV2>,
}

/// Text that is not a magnet link of a torrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum MagnetError {
    /// It does not begin with `magnet:?`.
    #[error("not a magnet link")]
    Scheme,
    /// Longer than [`MAX_LEN`].
    #[error("link of {0} bytes; the maximum is {MAX_LEN}")]
    TooLong(usize),
    /// More than [`MAX_PARAMETERS`].
    #[error("more than {MAX_PARAMETERS} parameters")]
    TooMany,
    /// `btih` is neither 40 hexadecimal nor 32 base32 digits.
    #[error("invalid btih of {0} bytes")]
    Btih(usize),
    /// `btmh` is not `1220` and 64 hexadecimal digits: the multihash of SHA-256.
    #[error("invalid btmh of {0} bytes")]
    Btmh(usize),
    /// Two different hashes of one kind.
    #[error("two different torrents in one link")]
    Ambiguous,
    /// The link has no hash of a torrent.
    #[error("no torrent in the link")]
    NoHash,
}

impl<'a> Magnet<'a> {
    /// Parses a link. Blanks around it are ignored, and so are unknown parameters; `xt.1`, `tr.2` and the like
    /// count as `xt`, `tr`.
    ///
    /// # Errors
    ///
    /// [`MagnetError`]
    pub fn parse(link: &'a [u8]) -> Result<Self, MagnetError> {
        if link.len() > MAX_LEN {
            return Err(MagnetError::TooLong(link.len()));
        }
        let link = link.trim_ascii();
        let (scheme, query) = link.split_at_checked(SCHEME.len()).ok_or(MagnetError::Scheme)?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(MagnetError::Scheme);
        }
        if query.split(|byte| *byte == b'&').count() > MAX_PARAMETERS {
            return Err(MagnetError::TooMany);
        }
        let mut magnet = Self { query, v1: None, v2: None };
        for topic in magnet.all(b"xt") {
            if let Some(digits) = topic.after(b"urn:btih:") {
                once(&mut magnet.v1, InfoHash(hash::btih(digits)?))?;
            } else if let Some(digits) = topic.after(b"urn:btmh:") {
                once(&mut magnet.v2, InfoHashV2(hash::btmh(digits)?))?;
            }
        }
        if magnet.v1.is_none() && magnet.v2.is_none() {
            return Err(MagnetError::NoHash);
        }
        Ok(magnet)
    }

    /// Returns the hash of a v1 or hybrid torrent.
    #[must_use]
    pub const fn v1(&self) -> Option<InfoHash> {
        self.v1
    }

    /// Returns the hash of a v2 or hybrid torrent.
    #[must_use]
    pub const fn v2(&self) -> Option<InfoHashV2> {
        self.v2
    }

    /// Returns the name to show until the torrent is known. It is not a safe path.
    #[must_use]
    pub fn name(&self) -> Option<Escaped<'a>> {
        self.all(b"dn").next()
    }

    /// Returns the URLs of trackers; each is a tier of its own.
    #[must_use]
    pub const fn trackers(&self) -> Parameters<'a> {
        self.all(b"tr")
    }

    /// Returns the URLs of web servers that have the content (BEP 19): see [`web_seed`](crate::web_seed).
    #[must_use]
    pub const fn web_seeds(&self) -> Parameters<'a> {
        self.all(b"ws")
    }

    /// Returns the peers to connect to. Malformed addresses are skipped.
    #[must_use]
    pub const fn peers(&self) -> LinkPeers<'a> {
        LinkPeers(self.all(b"x.pe"))
    }

    /// Returns the ranges of files to fetch, by number from 0, both ends included (BEP 53); `None` if the link
    /// has none, which means all files.
    #[must_use]
    pub fn select_only(&self) -> Option<Ranges<'a>> {
        self.all(b"so").next().map(Ranges)
    }

    /// Returns whether a file is to be fetched, by number from 0. Malformed ranges are skipped; if none is
    /// valid, all files are.
    #[must_use]
    pub fn selects(&self, file: u32) -> bool {
        let Some(ranges) = self.select_only() else { return true };
        let mut valid = ranges.flatten().peekable();
        valid.peek().is_none() || valid.any(|range| range.contains(&file))
    }

    /// Returns the values of a parameter, numbered or not.
    const fn all(&self, key: &'static [u8]) -> Parameters<'a> {
        Parameters { rest: Some(self.query), key }
    }
}

/// The values of one parameter of a link.
#[derive(Debug, Clone)]
pub struct Parameters<'a> {
    rest: Option<&'a [u8]>,
    key: &'static [u8],
}

impl<'a> Parameters<'a> {
    /// Returns the value of a part `key=value`, if the key is the wanted one.
    fn value(&self, part: &'a [u8]) -> Option<Escaped<'a>> {
        let at = part.iter().position(|byte| *byte == b'=')?;
        let (name, value) = part.split_at_checked(at)?;
        let (base, number) = name.split_at_checked(self.key.len())?;
        let numbered = number.is_empty()
            || number.strip_prefix(b".").is_some_and(|digits| parse::<u32>(digits).is_some());
        let wanted = base.eq_ignore_ascii_case(self.key) && numbered;
        wanted.then(|| Escaped::new(value.strip_prefix(b"=").unwrap_or(value)))
    }
}

impl<'a> Iterator for Parameters<'a> {
    type Item = Escaped<'a>;

    fn next(&mut self) -> Option<Escaped<'a>> {
        loop {
            let query = self.rest?;
            let end = query.iter().position(|byte| *byte == b'&').unwrap_or(query.len());
            let (part, rest) = query.split_at_checked(end)?;
            self.rest = rest.strip_prefix(b"&");
            if let Some(value) = self.value(part) {
                return Some(value);
            }
        }
    }
}

/// The peers of a link.
#[derive(Debug, Clone)]
pub struct LinkPeers<'a>(Parameters<'a>);

impl<'a> Iterator for LinkPeers<'a> {
    type Item = Contact<'a>;

    fn next(&mut self) -> Option<Contact<'a>> {
        self.0.find_map(contact_of)
    }
}

fn once<T: PartialEq>(place: &mut Option<T>, value: T) -> Result<(), MagnetError> {
    match place {
        Some(known) if *known != value => Err(MagnetError::Ambiguous),
        _ => {
            *place = Some(value);
            Ok(())
        }
    }
}

/// Parses `host:port`, `ipv4:port` or `[ipv6]:port`, of which libraries that write URLs escape the brackets and colons.
fn contact_of(value: Escaped<'_>) -> Option<Contact<'_>> {
    let value = value.as_raw();
    let digits = value.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (head, port) = value.split_at_checked(value.len().saturating_sub(digits))?;
    let colons: [&[u8]; 3] = [b":", b"%3A", b"%3a"];
    let host = colons.into_iter().find_map(|colon| head.strip_suffix(colon))?;
    let port = parse(port).filter(|port| *port != 0)?;
    Some(Contact { peer_id: None, host: escaped_host(host)?, port })
}

/// Parses a host. An address may be escaped; in a name there is nothing to escape.
fn escaped_host(raw: &[u8]) -> Option<Host<'_>> {
    if !raw.contains(&b'%') {
        return plain_host(raw);
    }
    let mut room = [0; MAX_ADDRESS_LEN];
    let len = Escaped::new(raw).decode(&mut room).ok()?;
    match plain_host(room.get(..len)?)? {
        Host::Ip(ip) => Some(Host::Ip(ip)),
        Host::Name(_) => None,
    }
}

/// Parses a host. Brackets stand around an IPv6 address, and around nothing else.
fn plain_host(text: &[u8]) -> Option<Host<'_>> {
    let bracketed = text.strip_prefix(b"[").and_then(|text| text.strip_suffix(b"]"));
    let host = Host::parse(bracketed.unwrap_or(text))?;
    let is_v6 = matches!(host, Host::Ip(ip) if ip.is_ipv6());
    Some(host).filter(|_| is_v6 == bracketed.is_some())
}
