//! Sources behind firewalls, as `X-Falt` names them.

use core::net::{Ipv4Addr, SocketAddrV4};

use crate::head::Value;
use crate::id::ServentId;

/// A source behind a firewall: `GUID;fwt/1.0;port:ip;ip:port;ip:port`. Parts after the GUID may come in
/// any order; an unreadable one costs only itself.
///
/// ```
/// use gnutella_wire::transfer::FirewalledSource;
///
/// let text = "000102030405060708090a0b0c0d0e0f; fwt/1.0; 28681:192.0.2.1; 192.0.2.10:6346";
/// let source = FirewalledSource::parse(text.as_bytes()).expect("a GUID");
/// assert_eq!(source.address, Some("192.0.2.1:28681".parse()?));
/// assert_eq!(source.proxies[0], Some("192.0.2.10:6346".parse()?));
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FirewalledSource {
    /// The servent that is asked to connect.
    pub servent: ServentId,
    /// Its own address, if it is there.
    pub address: Option<SocketAddrV4>,
    /// Neighbours of it that forward a push, at most 4.
    pub proxies: [Option<SocketAddrV4>; 4],
}

impl FirewalledSource {
    /// Reads one source; `None` if it does not begin with a GUID of 32 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut parts = text.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let servent = ServentId::from_hex(core::str::from_utf8(parts.next()?).ok()?)?;
        let mut source = Self { servent, address: None, proxies: [None; 4] };
        let mut free = source.proxies.iter_mut();
        for part in parts.filter_map(|part| core::str::from_utf8(part).ok()) {
            if let Some(address) = own_address(part) {
                source.address = Some(address);
            } else if let Ok(proxy) = part.parse()
                && let Some(slot) = free.next()
            {
                *slot = Some(proxy);
            }
        }
        Some(source)
    }

    /// Iterates over the sources of a header value, which commas separate.
    pub(super) fn of_value(value: Value<'_>) -> impl Iterator<Item = Self> {
        value
            .as_bytes()
            .split(|byte| *byte == b',')
            .filter_map(|text| Self::parse(text.trim_ascii()))
    }
}

/// Reads `port:ip`.
fn own_address(text: &str) -> Option<SocketAddrV4> {
    let (port, ip) = text.split_once(':')?;
    let ip: Ipv4Addr = ip.parse().ok()?;
    Some(SocketAddrV4::new(ip, port.parse().ok()?))
}
