//! Datagrams that only members can make: HMAC-SHA-256 with a key that all members share.

use core::fmt;

use sha2::{Digest as _, Sha256};

use crate::error::BufferTooSmall;

/// The block length of SHA-256 in bytes.
const BLOCK: usize = 64;

/// A secret that all members of a ring share. It seals each datagram with a tag, and refuses datagrams without one.
///
/// The tag is the first 16 bytes of HMAC-SHA-256 (RFC 2104, RFC 4868) over the whole datagram, and follows it. A node
/// neither seals nor opens anything itself: its driver does, between the node and the socket. `WIRE.md` lists what
/// the tag protects and what it does not.
///
/// ```
/// use chord_core::SharedKey;
///
/// let key = SharedKey::new(b"correct horse battery staple");
/// let mut buf = [0; 64];
/// buf[..5].copy_from_slice(b"hello"); // the datagram that `poll_transmit` has written
/// let len = key.seal(&mut buf, 5)?;
/// assert_eq!(len, 5 + SharedKey::TAG_LEN);
/// assert_eq!(key.open(&buf[..len]), Ok(&b"hello"[..]));
/// buf[0] ^= 1;
/// assert!(key.open(&buf[..len]).is_err());
/// # Ok::<(), chord_core::BufferTooSmall>(())
/// ```
#[derive(Clone)]
pub struct SharedKey {
    /// SHA-256 after the block of the key with the inner padding, and with the outer one (RFC 2104).
    inner: Sha256,
    outer: Sha256,
}

/// A datagram that no node with the shared key has sealed, or that has been changed on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("datagram without a valid tag of the shared key")]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_structs, reason = "nothing more is known of it")]
pub struct Unauthenticated;

impl SharedKey {
    /// How many bytes longer a sealed datagram is.
    pub const TAG_LEN: usize = 16;

    /// Takes a key of any length. It should have at least 16 bytes that nobody can guess.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        let mut block = [0; BLOCK];
        if let Some(start) = block.get_mut(..key.len()) {
            start.copy_from_slice(key);
        } else if let Some((start, _)) = block.split_first_chunk_mut() {
            *start = <[u8; 32]>::from(Sha256::digest(key));
        }
        let padded = |padding| Sha256::new().chain_update(block.map(|byte| byte ^ padding));
        Self { inner: padded(0x36), outer: padded(0x5c) }
    }

    /// Appends the tag of the datagram in the first `len` bytes of `buf`. Returns the new length.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] if `buf` has no room for the tag; nothing has changed.
    pub fn seal(&self, buf: &mut [u8], len: usize) -> Result<usize, BufferTooSmall> {
        let needed = len.saturating_add(Self::TAG_LEN);
        let Some((datagram, rest)) = buf.split_at_mut_checked(len) else {
            return Err(BufferTooSmall { needed });
        };
        let room = rest.first_chunk_mut().ok_or(BufferTooSmall { needed })?;
        *room = self.tag(datagram);
        Ok(needed)
    }

    /// Returns the datagram without its tag.
    ///
    /// # Errors
    ///
    /// [`Unauthenticated`] if the tag is missing or wrong.
    pub fn open<'b>(&self, sealed: &'b [u8]) -> Result<&'b [u8], Unauthenticated> {
        let (datagram, tag) =
            sealed.split_last_chunk::<{ Self::TAG_LEN }>().ok_or(Unauthenticated)?;
        // All bytes are compared, so that the time does not tell how many of them were right.
        let right = self.tag(datagram);
        let difference = right.iter().zip(tag).fold(0, |all, (right, byte)| all | (right ^ byte));
        if difference == 0 { Ok(datagram) } else { Err(Unauthenticated) }
    }

    fn tag(&self, datagram: &[u8]) -> [u8; Self::TAG_LEN] {
        let mac = self.mac(datagram);
        mac.first_chunk().copied().unwrap_or_default()
    }

    /// Returns HMAC-SHA-256 of the bytes.
    fn mac(&self, bytes: &[u8]) -> [u8; 32] {
        let inner = self.inner.clone().chain_update(bytes).finalize();
        self.outer.clone().chain_update(inner).finalize().into()
    }
}

/// Does not print the key.
impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedKey")
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pairs = digits.chunks(2).map(|pair| core::str::from_utf8(pair).unwrap());
        pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
    }

    /// RFC 4231, section 4: key, data, HMAC-SHA-256.
    #[test]
    fn test_vectors_of_rfc_4231() {
        let long = [0xaa; 131];
        let counting: Vec<u8> = (1..=25).collect();
        let vectors: [(&[u8], &[u8], &str); 7] = [
            (
                &[0x0b; 20],
                b"Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 20],
                &[0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            ),
            (
                &counting,
                &[0xcd; 50],
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
            ),
            (&[0x0c; 20], b"Test With Truncation", "a3b6167473100ee06e0c796c2955552b"),
            (
                &long,
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (
                &long,
                b"This is a test using a larger than block-size key and a larger than block-size data. \
                The key needs to be hashed before being used by the HMAC algorithm.",
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            ),
        ];
        for (number, (key, data, mac)) in (1..).zip(vectors) {
            let mac = bytes(mac);
            let key = SharedKey::new(key);
            assert_eq!(key.mac(data)[..mac.len()], mac, "test case {number}");
            assert_eq!(key.tag(data), mac[..16], "test case {number}");
        }
    }

    #[test]
    fn any_changed_byte_any_missing_byte_and_any_other_key_is_refused() {
        let key = SharedKey::new(b"one key");
        let mut buf = [7; 40];
        let len = key.seal(&mut buf, 20).unwrap();
        assert_eq!(key.open(&buf[..len]), Ok(&[7; 20][..]));
        assert_eq!(SharedKey::new(b"another key").open(&buf[..len]), Err(Unauthenticated));
        for at in 0..len {
            assert_eq!(key.open(&buf[..at]), Err(Unauthenticated));
            for bit in 0..8 {
                let mut changed = buf;
                changed[at] ^= 1 << bit;
                assert_eq!(key.open(&changed[..len]), Err(Unauthenticated));
            }
        }
    }

    #[test]
    fn the_example_of_the_specification() {
        let page = include_str!("../../WIRE.md");
        let example = page.lines().find(|line| line.starts_with("01 04 de ad be ef"));
        let sealed = bytes(example.unwrap());
        let key = SharedKey::new(b"correct horse battery staple");
        assert_eq!(key.open(&sealed), Ok(&sealed[..6]));
    }

    #[test]
    fn a_buffer_without_room_is_unchanged() {
        let key = SharedKey::new(b"");
        for (room, len) in [(0, 0), (15, 0), (30, 15), (4, 5), (usize::MIN, usize::MAX)] {
            let mut buf = [9; 30];
            let needed = len.saturating_add(16);
            assert_eq!(key.seal(&mut buf[..room], len), Err(BufferTooSmall { needed }));
            assert_eq!(buf, [9; 30]);
        }
        assert_eq!(key.seal(&mut [0; 16], 0), Ok(16));
    }
}
