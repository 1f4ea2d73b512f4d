//! Addresses as people write them: `192.0.2.1:4000`, `[2001:db8::1]:4000`, `host.example:4000`.

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use std::net::ToSocketAddrs as _;

use examples::cli;

/// A host name or an IP address, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(String);

impl Endpoint {
    /// Parses the text; names are resolved later.
    pub fn parse(text: &str) -> cli::Result<Self> {
        let named = text.rsplit_once(':').is_some_and(|(host, port)| {
            let host_only = !host.is_empty() && !host.contains([':', '/', ' ']);
            host_only && port.parse::<u16>().is_ok()
        });
        if named || text.parse::<SocketAddr>().is_ok() {
            return Ok(Self(text.to_owned()));
        }
        Err("an address such as 127.0.0.1:4000, [::1]:4000 or host.example:4000 is expected".into())
    }

    /// Returns the addresses of the host.
    ///
    /// # Errors
    ///
    /// A sentence that names the host.
    pub fn resolve(&self) -> cli::Result<Vec<SocketAddr>> {
        let found = self.0.to_socket_addrs();
        let found = found.map_err(|error| format!("cannot find the host of {self}: {error}"))?;
        let found: Vec<_> = found.map(canonical).collect();
        if found.is_empty() {
            return Err(format!("the host of {self} has no address"));
        }
        Ok(found)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Resolves all; the addresses of the family of `like` come first, since any socket reaches those.
///
/// # Errors
///
/// The first error if no host is found.
pub fn resolve_all(
    endpoints: &[Endpoint],
    like: Option<SocketAddr>,
) -> cli::Result<Vec<SocketAddr>> {
    let mut found = vec![];
    let mut error = None;
    for endpoint in endpoints {
        match endpoint.resolve() {
            Ok(addresses) => found.extend(addresses),
            Err(why) => error = error.or(Some(why)),
        }
    }
    if let (true, Some(error)) = (found.is_empty(), error) {
        return Err(error);
    }
    if let Some(like) = like {
        found.sort_by_key(|address| address.is_ipv4() != like.is_ipv4());
    }
    Ok(found)
}

/// Returns the one spelling of an address by which nodes compare: a socket for both families reports IPv4 senders
/// as IPv6 addresses. Flow and scope belong to one host.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Returns the address as a socket of the family of `socket` sends to it.
pub fn reachable_from(socket: SocketAddr, to: SocketAddr) -> SocketAddr {
    match to.ip() {
        IpAddr::V4(ip) if socket.is_ipv6() => (ip.to_ipv6_mapped(), to.port()).into(),
        _ => to,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_of_both_families_are_read() {
        for good in ["127.0.0.1:0", "[::1]:4000", "localhost:4000", "a-b.example:65535"] {
            assert_eq!(Endpoint::parse(good).map(|it| it.to_string()), Ok(good.into()));
        }
        for wrong in
            ["", "somewhere", ":4000", "::1:4000", "[::1]", "a:70000", "a b:1", "http://a:1"]
        {
            assert!(Endpoint::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_ipv4_sender_at_a_socket_for_both_families_has_its_own_address() {
        let v4: SocketAddr = "192.0.2.1:4000".parse().unwrap();
        let socket: SocketAddr = "[::]:4001".parse().unwrap();
        let sent = reachable_from(socket, v4);
        assert_eq!(sent.to_string(), "[::ffff:192.0.2.1]:4000");
        assert_eq!(canonical(sent), v4);
        assert_eq!(reachable_from(v4, v4), v4);
    }

    #[test]
    fn one_unknown_host_of_two_is_no_error() {
        let known = Endpoint::parse("127.0.0.1:1").unwrap();
        let unknown = Endpoint::parse("unknown.invalid:1").unwrap();
        let v6 = Endpoint::parse("[::1]:1").unwrap();
        let like = "[::1]:9".parse().ok();
        let found = resolve_all(&[unknown.clone(), known, v6], like).unwrap();
        assert_eq!(
            found.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["[::1]:1", "127.0.0.1:1"]
        );
        assert!(resolve_all(&[unknown], None).unwrap_err().contains("unknown.invalid:1"));
    }
}
