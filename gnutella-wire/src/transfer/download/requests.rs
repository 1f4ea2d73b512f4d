//! The requests of a download.

use core::net::SocketAddrV4;

use super::event::SourceFault;
use super::logic::{Core, State};
use super::slots::{Peer, Phase, SourceSlot, Wanted};
use crate::error::BufferTooSmall;
use crate::http::{Name, Range};
use crate::huge::Urn;
use crate::machine::Transmit;
use crate::writer::Writer;

const AGENT: &str = concat!("gnutella-wire/", env!("CARGO_PKG_VERSION"));
/// How many other sources a request names of each kind.
const MAX_NAMED: usize = 10;

impl Core<'_> {
    pub(super) fn poll_transmit(
        &mut self,
        buf: &mut [u8],
    ) -> Result<Option<Transmit>, BufferTooSmall> {
        let due = |slot: &SourceSlot| slot.peer.is_some_and(|peer| peer.request_due);
        let begin = self.state.turn.saturating_add(1);
        let after = self.sources.iter().skip(begin).position(due);
        let after = after.map(|at| begin.saturating_add(at));
        let Some(index) = after.or_else(|| self.sources.iter().position(due)) else {
            return Ok(None);
        };
        let Some(peer) = self.sources.get(index).and_then(|slot| slot.peer) else {
            return Ok(None);
        };
        let Phase::Head(conn, wanted) = peer.phase else { return Ok(None) };
        let len = Writer::fill(buf, |w| match wanted {
            Wanted::Part => self.write_request(&peer, w),
            Wanted::Tree => self.write_tree_request(&peer, w),
        })?;
        if let Some(peer) = self.peer(index) {
            peer.request_due = false;
        }
        self.state.turn = index;
        Ok(Some(Transmit { conn, len }))
    }

    fn write_request(&self, peer: &Peer, w: &mut Writer<'_>) {
        write_path(self.state, peer, w);
        write_common(peer, w);
        let (first, end) = peer.asked;
        let range = Range::Span(first, end.saturating_sub(1));
        w.text(format_args!("Range: {range}\r\nX-Queue: 1.1\r\n"));
        if let Some(place) = peer.place {
            write_place(place.position, place.id, w);
        }
        if let Some(address) = self.state.config.address {
            w.text(format_args!("X-Node: {address}\r\n"));
        }
        if self.state.sha1.is_some() {
            let good = |peer: &Peer| !peer.is_lost() && peer.verified > 0;
            let bad = |peer: &Peer| peer.phase == Phase::Lost(SourceFault::WrongBytes);
            self.write_addresses("X-Alt", peer, good, w);
            self.write_addresses("X-NAlt", peer, bad, w);
        }
        w.bytes(b"\r\n");
    }

    /// Names other sources in one header, if there are some.
    fn write_addresses(
        &self,
        header: &str,
        to: &Peer,
        chosen: impl Fn(&Peer) -> bool,
        w: &mut Writer<'_>,
    ) {
        let peers = self.sources.iter().filter_map(|slot| slot.peer.as_ref());
        let others = peers.filter(|peer| peer.id != to.id && !peer.source.push && chosen(peer));
        let mut addresses = others.map(|peer| peer.source.address).take(MAX_NAMED).peekable();
        if addresses.peek().is_none() {
            return;
        }
        w.text(format_args!("{header}: "));
        addresses.enumerate().for_each(|(place, address)| write_address(place, address, w));
        w.bytes(b"\r\n");
    }

    fn write_tree_request(&self, peer: &Peer, w: &mut Writer<'_>) {
        w.bytes(b"GET ");
        w.bytes(self.state.tree.uri());
        w.bytes(b" HTTP/1.1\r\n");
        write_common(peer, w);
        w.bytes(b"Accept: application/dime, application/tigertree-breadthfirst\r\n\r\n");
    }
}

fn write_path(state: &State, peer: &Peer, w: &mut Writer<'_>) {
    if let Some(sha1) = state.sha1 {
        w.text(format_args!("GET /uri-res/N2R?{} HTTP/1.1\r\n", Urn::Sha1(sha1)));
    } else {
        let name = Name::new(state.name.get(..state.name_len).unwrap_or_default());
        w.text(format_args!("GET /get/{}/{name} HTTP/1.1\r\n", peer.source.index));
    }
}

fn write_common(peer: &Peer, w: &mut Writer<'_>) {
    w.text(format_args!("Host: {}\r\nUser-Agent: {AGENT}\r\n", peer.source.address));
    w.bytes(b"Connection: Keep-Alive\r\nX-Features: queue/0.1, queue/1.1, fwalt/0.1\r\n");
}

fn write_place(position: Option<u32>, id: Option<[u8; 32]>, w: &mut Writer<'_>) {
    let Some(id) = id else { return };
    w.bytes(b"X-Queued: ");
    if let Some(position) = position {
        w.text(format_args!("position={position}; "));
    }
    w.bytes(b"ID=");
    w.bytes(&id);
    w.bytes(b"\r\n");
}

fn write_address(place: usize, address: SocketAddrV4, w: &mut Writer<'_>) {
    let comma = if place > 0 { "," } else { "" };
    w.text(format_args!("{comma}{address}"));
}
