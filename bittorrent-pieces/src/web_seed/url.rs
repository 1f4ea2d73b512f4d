//! The URLs of web seeds (BEP 17, 19; RFC 3986).

use core::net::{IpAddr, Ipv6Addr};

use thiserror::Error;

use super::event::HttpGet;
use crate::block::PieceIndex;
use crate::error::BufferTooSmall;
use crate::host::Host;
use crate::id::InfoHash;
use crate::metainfo::Metainfo;
use crate::network::is_local;
use crate::text::Text;

/// A URL cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum WebUrlError {
    /// The buffer is too short: the caller's fault.
    #[error(transparent)]
    Buffer(#[from] BufferTooSmall),
    /// The URL of the web seed contains a byte that is not valid there: a line end, a fragment.
    #[error("byte {0:#04x} is not valid in the URL of a web seed")]
    Byte(u8),
    /// The torrent has no file of this number.
    #[error("no file {0}")]
    NoFile(u32),
    /// An element of the path is `.`, `..` or empty: the URL would name something else.
    #[error("the path of file {0} cannot be part of a URL")]
    Path(u32),
}

/// Writes the URL of a file at a web seed (BEP 19), and returns its length in bytes.
///
/// The URL of the only file of a torrent is that of the web seed, to which the name is appended if it ends with a slash.
/// Of several files, it is that of the web seed with a slash, the name of the torrent and the path. Name and path are
/// percent-encoded.
///
/// ```
/// use bittorrent_pieces::Metainfo;
/// use bittorrent_pieces::bencode::Mode;
/// use bittorrent_pieces::web_seed::file_url;
///
/// let torrent = b"d4:infod5:filesld6:lengthi0e4:pathl1:a5:b c&deee4:name1:n12:piece lengthi16384e6:pieces0:ee";
/// let metainfo = Metainfo::decode(torrent, Mode::Strict)?;
/// let mut out = [0; 100];
/// let len = file_url(b"http://example.org/x", &metainfo, 0, &mut out)?;
/// assert_eq!(out[..len], *b"http://example.org/x/n/a/b%20c%26d");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`WebUrlError`]
pub fn file_url(
    seed: &[u8],
    metainfo: &Metainfo<'_>,
    file: u32,
    out: &mut [u8],
) -> Result<usize, WebUrlError> {
    let seed = checked(seed)?;
    let mut text = Text::new(out);
    text.url(seed);
    let found = metainfo.files().nth(crate::index::slot(file)).ok_or(WebUrlError::NoFile(file))?;
    if metainfo.is_single() && !seed.ends_with(b"/") {
        return Ok(text.finish()?);
    }
    let mut joint: &[u8] = if seed.ends_with(b"/") { b"" } else { b"/" };
    for element in found.raw_path() {
        if matches!(element, b"" | b"." | b"..") {
            return Err(WebUrlError::Path(file));
        }
        text.raw(joint);
        text.percent(element);
        joint = b"/";
    }
    Ok(text.finish()?)
}

/// Writes the URL of a range of a piece at a web seed of BEP 17, and returns its length in bytes.
///
/// # Errors
///
/// [`WebUrlError`]
pub fn piece_url(
    seed: &[u8],
    info_hash: InfoHash,
    piece: PieceIndex,
    get: &HttpGet,
    out: &mut [u8],
) -> Result<usize, WebUrlError> {
    let seed = checked(seed)?;
    let mut text = Text::new(out);
    text.url(seed);
    text.raw(if seed.contains(&b'?') { b"&" } else { b"?" });
    text.raw(b"info_hash=");
    text.percent(&info_hash.0);
    text.raw(b"&piece=");
    text.number(u64::from(piece.0));
    text.raw(b"&ranges=");
    text.number(get.begin);
    text.raw(b"-");
    text.number(get.last());
    Ok(text.finish()?)
}

/// Returns a URL without blanks around it. Those inside of it are escaped when it is written, as other programs do.
fn checked(url: &[u8]) -> Result<&[u8], WebUrlError> {
    let url = url.trim_ascii();
    let odd = url.iter().find(|byte| byte.is_ascii_control() || **byte == b'#');
    odd.map_or(Ok(url), |byte| Err(WebUrlError::Byte(*byte)))
}

/// The parts of a URL of HTTP that a location is resolved against.
struct Parts<'a> {
    scheme: &'a [u8], // with the colon
    host: &'a [u8],   // with the slashes and the port
    path: &'a [u8],   // without the query
}

impl<'a> Parts<'a> {
    fn of(url: &'a [u8]) -> Option<Self> {
        let colon = url.iter().position(|byte| *byte == b':')?.checked_add(1)?;
        let (scheme, rest) = url.split_at_checked(colon)?;
        let is_http =
            scheme.eq_ignore_ascii_case(b"http:") || scheme.eq_ignore_ascii_case(b"https:");
        let after = rest.strip_prefix(b"//").filter(|_| is_http)?;
        let end = after.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#'));
        let end = end.unwrap_or(after.len());
        let (host, path) = rest.split_at_checked(end.saturating_add(2))?;
        let path = path.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default();
        Some(Self { scheme, host, path })
    }

    /// Returns whether the host is one of the local network, as far as its name says.
    fn is_local(&self) -> bool {
        let host = self.host.strip_prefix(b"//").unwrap_or(self.host);
        let host = host.rsplit(|byte| *byte == b'@').next().unwrap_or(host);
        let inner =
            host.strip_prefix(b"[").and_then(|rest| rest.split(|byte| *byte == b']').next());
        let name = match inner {
            Some(v6) => v6,
            None => host.split(|byte| *byte == b':').next().unwrap_or(host),
        };
        let name = name.strip_suffix(b".").unwrap_or(name);
        match Host::parse(name) {
            Some(Host::Ip(IpAddr::V4(ip))) => ip.is_unspecified() || is_local(ip.into()),
            Some(Host::Ip(IpAddr::V6(ip))) => is_local_v6(ip),
            // A number in another form is an address to many resolvers.
            Some(Host::Name(name)) => {
                let last = name.rsplit('.').next().unwrap_or(name);
                let lower = |end: &str| last.eq_ignore_ascii_case(end);
                let number = last.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
                lower("localhost") || lower("local") || lower("internal") || number
            }
            None => true,
        }
    }
}

fn is_local_v6(ip: Ipv6Addr) -> bool {
    let mapped = ip.to_ipv4_mapped();
    ip.is_unspecified() || is_local(mapped.map_or(IpAddr::V6(ip), IpAddr::V4))
}

/// Writes the URL that a response redirects to. Returns its length, or `None` if it is not to be followed: it is not of
/// HTTP, too long, or leads from a public host to a local one.
pub(super) fn resolve(url: &[u8], location: &[u8], out: &mut [u8]) -> Option<usize> {
    let base = Parts::of(url)?;
    let location = location.trim_ascii().split(|byte| *byte == b'#').next()?;
    if location.is_empty() || location.iter().any(u8::is_ascii_control) {
        return None;
    }
    let scheme_end = location.iter().position(|byte| matches!(byte, b':' | b'/' | b'?'));
    let absolute = scheme_end.is_some_and(|end| location.get(end) == Some(&b':'));
    let mut text = Text::new(out);
    if absolute {
        text.url(location);
    } else if location.starts_with(b"//") {
        text.raw(base.scheme);
        text.url(location);
    } else {
        text.raw(base.scheme);
        text.raw(base.host);
        if location.starts_with(b"?") {
            text.raw(base.path);
        } else if !location.starts_with(b"/") {
            let slash = base.path.iter().rposition(|byte| *byte == b'/');
            let folder = slash.and_then(|slash| base.path.get(..=slash)).unwrap_or(b"/");
            text.raw(folder);
        }
        text.url(location);
    }
    let len = text.finish().ok()?;
    let target = Parts::of(out.get(..len)?)?;
    (base.is_local() || !target.is_local()).then_some(len)
}

#[cfg(test)]
mod tests {
    use super::resolve;

    fn resolved(url: &str, location: &str) -> Option<std::string::String> {
        let mut out = [0; 64];
        let len = resolve(url.as_bytes(), location.as_bytes(), &mut out)?;
        core::str::from_utf8(out.get(..len)?).ok().map(Into::into)
    }

    #[test]
    fn a_location_is_absolute_or_counts_from_the_url() {
        for (location, expected) in [
            ("https://b/x?y", "https://b/x?y"),
            ("//b/x", "http://b/x"),
            ("/x/y", "http://a:1/x/y"),
            ("x", "http://a:1/d/x"),
            ("?q", "http://a:1/d/e?q"),
            ("x#part", "http://a:1/d/x"),
            ("/a b/\u{E9}", "http://a:1/a%20b/%C3%A9"), // as servers write it that escape nothing
            ("https://b/a b", "https://b/a%20b"),
        ] {
            assert_eq!(resolved("http://a:1/d/e?z", location).as_deref(), Some(expected));
        }
        assert_eq!(resolved("http://a", "x").as_deref(), Some("http://a/x"));
    }

    #[test]
    fn what_is_not_http_too_long_or_local_is_not_followed() {
        let long = "x".repeat(80);
        for location in ["ftp://b/x", "", "a\r\nb", "http:b", "javascript:1", &long] {
            assert_eq!(resolved("http://a/d", location), None, "{location}");
        }
        for host in [
            "127.0.0.1",
            "10.1.2.3:80",
            "[::1]:8080",
            "[::ffff:127.0.0.1]",
            "localhost",
            "0",
            "u@[::]",
            "0x7f.1",
        ] {
            let location = std::format!("http://{host}/x");
            assert_eq!(resolved("http://a/d", &location), None, "{host}");
            assert!(resolved("http://127.0.0.1/d", &location).is_some(), "{host}");
        }
        assert!(resolved("http://a/d", "http://93.184.216.34/x").is_some());
    }
}
