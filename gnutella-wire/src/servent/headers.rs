//! The headers of a servent's handshakes, and its refusals.

use core::fmt::{self, Write as _};

use thiserror::Error;

use super::config::Role;
use crate::head::{Head, Header};
use crate::hosts::Host;

/// How many hosts a refusal names, as others do.
pub(super) const MOST_HOSTS: usize = 10;
const HOSTS_LEN: usize = MOST_HOSTS * 22;
const ADDRESS_LEN: usize = 21;
const NUMBER_LEN: usize = 5;
const MOST_HEADERS: usize = 18;

/// The headers of a servent's handshake, for any step of it.
///
/// They are what gtk-gnutella, `LimeWire` and Shareaza require. `docs/handshake.md` states which
/// of them requires what.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a header of its own")]
pub struct HandshakeHeaders<'a> {
    pub(super) agent: &'a str,
    pub(super) role: Role,
    pub(super) needed: bool, // more ultrapeers
    pub(super) routes_queries: bool,
    pub(super) caches_pongs: bool,
    pub(super) deflate: bool,
    pub(super) guess: bool,
    pub(super) degree: TextBuf<NUMBER_LEN>,
    pub(super) max_ttl: TextBuf<NUMBER_LEN>,
    pub(super) address: TextBuf<ADDRESS_LEN>,
    pub(super) hosts: TextBuf<HOSTS_LEN>,
}

/// A list of headers, to be passed to [`Handshake`](crate::handshake::Handshake).
#[derive(Debug, Clone, Copy)]
pub struct HeaderList<'h> {
    list: [Header<'h>; MOST_HEADERS],
    len: usize,
}

/// Why a handshake is to be refused: what to pass to
/// [`Handshake::refuse`](crate::handshake::Handshake::refuse).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{code} {reason}")]
#[non_exhaustive]
pub struct Refusal {
    /// Three digits.
    pub code: u16,
    /// The reason phrase.
    pub reason: &'static str,
}

impl HandshakeHeaders<'_> {
    /// Offers compression: the driver inflates what the other end compresses.
    #[must_use]
    pub const fn with_deflate(self) -> Self {
        Self { deflate: true, ..self }
    }

    /// Announces that queries by [datagram](crate::datagram) are answered (GUESS).
    #[must_use]
    pub const fn with_guess(self) -> Self {
        Self { guess: true, ..self }
    }

    /// Returns the headers of a greeting.
    #[must_use]
    pub fn greeting(&self) -> HeaderList<'_> {
        let mut list = self.begin();
        if self.role == Role::Peer {
            return list;
        }
        if self.routes_queries {
            list.push("X-Query-Routing", "0.1");
        }
        if self.role == Role::Ultrapeer {
            list.push("X-Ultrapeer-Needed", if self.needed { "True" } else { "False" });
        }
        // LimeWire asks these of a leaf too: it takes them for what the leaf would do as an ultrapeer.
        list.push("X-Ultrapeer-Query-Routing", "0.1");
        list.push("X-Degree", self.degree.as_str());
        list.push("X-Dynamic-Querying", "0.1");
        list.push("X-Max-TTL", self.max_ttl.as_str());
        list.push("X-Requeries", "False");
        list.push("GGEP", "0.5");
        list.push("Vendor-Message", "0.2");
        list.push("Bye-Packet", "0.1");
        if self.caches_pongs {
            list.push("Pong-Caching", "0.1");
        }
        if self.deflate {
            list.push("Accept-Encoding", "deflate");
        }
        if self.guess {
            list.push("X-Guess", "0.1");
        }
        if !self.address.as_str().is_empty() {
            list.push("Listen-IP", self.address.as_str());
        }
        list
    }

    /// Returns the headers of an agreement with the other end, whose last head is `head`: those of a
    /// greeting, and `Content-Encoding` if both ends compress.
    #[must_use]
    pub fn agreement(&self, head: &Head<'_>) -> HeaderList<'_> {
        let mut list = self.greeting();
        if self.deflate && head.has_item("Accept-Encoding", "deflate") {
            list.push("Content-Encoding", "deflate");
        }
        list
    }

    /// Returns the headers of a refusal, which names other hosts to try.
    #[must_use]
    pub fn refusal(&self) -> HeaderList<'_> {
        let mut list = self.begin();
        if !self.hosts.as_str().is_empty() {
            list.push("X-Try-Ultrapeers", self.hosts.as_str());
        }
        list
    }

    fn begin(&self) -> HeaderList<'_> {
        let mut list = HeaderList { list: [Header::new("", ""); MOST_HEADERS], len: 0 };
        list.push("User-Agent", self.agent);
        match self.role {
            Role::Peer => {}
            Role::Leaf => list.push("X-Ultrapeer", "False"),
            Role::Ultrapeer => list.push("X-Ultrapeer", "True"),
        }
        list
    }

    pub(super) fn name_hosts(&mut self, hosts: impl Iterator<Item = Host>) {
        for (number, host) in hosts.enumerate() {
            let separator = if number > 0 { "," } else { "" };
            self.hosts.put(format_args!("{separator}{}", host.address));
        }
    }
}

impl<'h> HeaderList<'h> {
    /// Returns the headers.
    #[must_use]
    pub fn as_slice(&self) -> &[Header<'h>] {
        self.list.get(..self.len).unwrap_or(&[])
    }

    fn push(&mut self, name: &'h str, value: &'h str) {
        if let Some(free) = self.list.get_mut(self.len) {
            *free = Header::new(name, value);
            self.len = self.len.saturating_add(1);
        }
    }
}

/// Text of bounded length.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct TextBuf<const N: usize> {
    len: usize,
    bytes: [u8; N],
}

impl<const N: usize> TextBuf<N> {
    pub(super) const EMPTY: Self = Self { len: 0, bytes: [0; N] };

    /// Appends text as far as it fits.
    pub(super) fn put(&mut self, text: fmt::Arguments<'_>) {
        let _ = self.write_fmt(text); // what does not fit is left out
    }

    fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.len).unwrap_or(&[]);
        core::str::from_utf8(bytes).unwrap_or("")
    }
}

impl<const N: usize> fmt::Write for TextBuf<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len.checked_add(text.len()).ok_or(fmt::Error)?;
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

impl<const N: usize> fmt::Debug for TextBuf<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}
