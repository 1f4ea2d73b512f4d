//! Requests to a push proxy: a neighbour of a servent behind a firewall, which sends it a push.

use core::fmt;

use super::range;
use crate::huge::base32;
use crate::id::ServentId;

const PATHS: [&[u8]; 2] = [b"/gnutella/push-proxy?", b"/gnet/push-proxy?"];

/// Asks a push proxy to send a push. It stands in a [`Request`](super::Request) as its path; the header
/// `X-Node` names the address to connect to. The answer is 202 if the push was sent, 410 if the servent
/// is not connected to the proxy, and 400 if the request is malformed.
///
/// ```
/// use gnutella_wire::ServentId;
/// use gnutella_wire::http::PushProxy;
///
/// let wanted = PushProxy { servent: ServentId([0x5A; 16]), index: 7 };
/// let path = wanted.to_string();
/// assert_eq!(path, "/gnutella/push-proxy?ServerId=LJNFUWS2LJNFUWS2LJNFUWS2LI&file=7");
/// assert_eq!(PushProxy::parse(path.as_bytes()), Some(wanted));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PushProxy {
    /// The servent that is to connect.
    pub servent: ServentId,
    /// The index of the file, or 0.
    pub index: u32,
}

impl PushProxy {
    /// Reads the path of a request: `ServerId` in base 32 or `guid` in hexadecimal, and `file`. `None` if
    /// it is not one of a push proxy, or names no servent. Unknown parameters are ignored.
    #[must_use]
    pub fn parse(path: &[u8]) -> Option<Self> {
        let query = PATHS.into_iter().find_map(|prefix| {
            let (start, query) = path.split_at_checked(prefix.len())?;
            start.eq_ignore_ascii_case(prefix).then_some(query)
        })?;
        let mut servent = None;
        let mut index = 0;
        for parameter in core::str::from_utf8(query).ok()?.split('&') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            if name.eq_ignore_ascii_case("ServerId") {
                servent = of_base32(value).or(servent);
            } else if name.eq_ignore_ascii_case("guid") {
                servent = ServentId::from_hex(value).or(servent);
            } else if name.eq_ignore_ascii_case("file") {
                index = range::number(value).and_then(|index| u32::try_from(index).ok())?;
            }
        }
        Some(Self { servent: servent?, index })
    }
}

fn of_base32(text: &str) -> Option<ServentId> {
    let mut id = [0; 16];
    base32::decode(text.as_bytes(), &mut id)?;
    Some(ServentId(id))
}

/// The path.
impl fmt::Display for PushProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("/gnutella/push-proxy?ServerId=")?;
        let mut id = [0; base32::encoded_len(16)];
        let len = base32::encode(&self.servent.0, &mut id).unwrap_or(0);
        f.write_str(core::str::from_utf8(id.get(..len).unwrap_or(&[])).unwrap_or_default())?;
        if self.index == 0 { Ok(()) } else { write!(f, "&file={}", self.index) }
    }
}
