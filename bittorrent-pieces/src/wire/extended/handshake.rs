//! The extended handshake (BEP 10; `metadata_size`: BEP 9; `upload_only`: BEP 21).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{ExtendedError, dict, number};
use crate::bencode::{Entries, Value, WriteError, Writer};

/// The features of a peer beyond BEP 3. Every key is optional; one with an invalid value counts as
/// absent. A later handshake adds to the earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtendedHandshake<'a> {
    dict: Value<'a>,
    /// The TCP port on which it listens.
    pub port: Option<u16>,
    /// The name and version of the program.
    pub version: Option<&'a [u8]>,
    /// Our address as it sees it. One peer's word is no proof.
    pub your_ip: Option<IpAddr>,
    /// An IPv4 address of the peer.
    pub ipv4: Option<Ipv4Addr>,
    /// An IPv6 address of the peer.
    pub ipv6: Option<Ipv6Addr>,
    /// How many requests it takes at a time.
    pub request_queue: Option<u32>,
    /// The length of the info dictionary in bytes (BEP 9); see
    /// [`MAX_METADATA_SIZE`](super::MAX_METADATA_SIZE).
    pub metadata_size: Option<u32>,
    /// Whether it downloads nothing (BEP 21). What an earlier handshake said holds until another one has the key.
    pub upload_only: Option<bool>,
}

impl<'a> ExtendedHandshake<'a> {
    /// Reads the body of a message of extended id 0. What follows the dictionary is left alone.
    ///
    /// # Errors
    ///
    /// [`ExtendedError`]
    pub fn decode(body: &'a [u8]) -> Result<Self, ExtendedError> {
        let (dict, _) = dict(body)?;
        let bytes = |key: &[u8]| dict.find(key).and_then(|value| value.as_bytes());
        let ipv4 = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from);
        let ipv6 = |bytes: &[u8]| <[u8; 16]>::try_from(bytes).ok().map(Ipv6Addr::from);
        Ok(Self {
            dict,
            port: number(dict, b"p"),
            version: bytes(b"v"),
            your_ip: bytes(b"yourip")
                .and_then(|ip| ipv4(ip).map(IpAddr::V4).or_else(|| ipv6(ip).map(IpAddr::V6))),
            ipv4: bytes(b"ipv4").and_then(ipv4),
            ipv6: bytes(b"ipv6").and_then(ipv6),
            request_queue: number(dict, b"reqq"),
            metadata_size: number(dict, b"metadata_size"),
            upload_only: number::<i64>(dict, b"upload_only").map(|value| value != 0),
        })
    }

    /// Returns the message id that the peer chose for an extension: `Some(0)` if it turns it off,
    /// `None` if the handshake does not name it and an earlier id stays.
    #[must_use]
    pub fn id(&self, name: &[u8]) -> Option<u8> {
        self.ids().find(|(known, _)| *known == name).map(|(_, id)| id)
    }

    /// Returns all names and ids; entries whose id is not a byte are skipped.
    #[must_use]
    pub fn ids(&self) -> ExtendedIds<'a> {
        ExtendedIds(self.dict.find(b"m").map(|ids| ids.entries()))
    }
}

/// The names and ids of an [`ExtendedHandshake`].
#[derive(Debug, Clone)]
pub struct ExtendedIds<'a>(Option<Entries<'a>>);

impl<'a> Iterator for ExtendedIds<'a> {
    type Item = (&'a [u8], u8);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.as_mut()?.find_map(|(name, id)| Some((name, u8::try_from(id.as_int()?).ok()?)))
    }
}

/// An extended handshake to be written. The default has no keys.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "built as a literal")]
pub struct HandshakeDraft<'a> {
    /// Names in ascending order, with the message ids that we choose; 0 turns one off.
    pub ids: &'a [(&'a [u8], u8)],
    /// The length of the info dictionary in bytes.
    pub metadata_size: Option<u32>,
    /// The TCP port on which we listen.
    pub port: Option<u16>,
    /// How many requests we take at a time.
    pub request_queue: Option<u32>,
    /// Whether we download nothing (BEP 21).
    pub upload_only: Option<bool>,
    /// The name and version of the program.
    pub version: Option<&'a [u8]>,
    /// The address of the receiver as we see it.
    pub your_ip: Option<IpAddr>,
}

impl HandshakeDraft<'_> {
    /// Writes the body of the message and returns its length.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; `Order` if the names are not ascending.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, WriteError> {
        let mut writer = Writer::new(out);
        writer.dict(|dict| {
            dict.dict(b"m", |ids| {
                self.ids.iter().try_for_each(|(name, id)| ids.int(name, i64::from(*id)))
            })?;
            for (key, value) in [
                (&b"metadata_size"[..], self.metadata_size),
                (b"p", self.port.map(u32::from)),
                (b"reqq", self.request_queue),
                (b"upload_only", self.upload_only.map(u32::from)),
            ] {
                value.map_or(Ok(()), |value| dict.int(key, i64::from(value)))?;
            }
            self.version.map_or(Ok(()), |version| dict.bytes(b"v", version))?;
            match self.your_ip {
                Some(IpAddr::V4(ip)) => dict.bytes(b"yourip", &ip.octets()),
                Some(IpAddr::V6(ip)) => dict.bytes(b"yourip", &ip.octets()),
                None => Ok(()),
            }
        })?;
        writer.finish()
    }
}
