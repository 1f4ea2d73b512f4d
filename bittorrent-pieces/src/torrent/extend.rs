//! The extension protocol inside a torrent (BEP 10): who we are, the info dictionary (BEP 9), other
//! peers (BEP 11), lost pieces (BEP 54).

use core::net::SocketAddr;
use core::time::Duration;

use heapless::Vec;

use super::peer::{Address, Link, PeerSlot};
use super::queue::{self, RequestSlot, queues};
use super::state::{View, holds, row, split};
use super::{Handled, PeerError};
use crate::bencode::WriteError;
use crate::geometry::{count, slot};
use crate::small::Stamp;
use crate::wire::extended::{
    self, DontHave, EXCHANGE, EXTENDED, Extended, ExtendedHandshake, HandshakeDraft,
    METADATA_PIECE_LEN, Metadata, Pex, PexFlags,
};
use crate::wire::{LEN_LEN, field};
use crate::{Bitfield, BufferTooSmall, CompactPeers, Family, PieceIndex};

/// The ids by which we want extensions to be called.
pub(crate) const METADATA: u8 = 1;
const DONT_HAVE: u8 = 3;
/// How we name ourselves.
const VERSION: &[u8] = concat!("bittorrent-pieces ", env!("CARGO_PKG_VERSION")).as_bytes();
/// At most one exchange of peers a minute (BEP 11).
const EXCHANGE_INTERVAL: Duration = Duration::from_secs(60);
/// The most peers over IPv4 in each list of an exchange: with those over IPv6, what a transmit has room for.
const TOLD_V4: usize = 30;
/// The most over IPv6.
const TOLD_V6: usize = 8;
/// The most that are looked at of those who went: each is compared with all.
const LEAVERS: usize = 100;

impl View<'_, '_> {
    /// Takes in an extended message.
    pub(super) fn extended<'b>(
        &mut self,
        now: Duration,
        index: usize,
        payload: &'b [u8],
        consumed: usize,
    ) -> Result<Handled<'b>, PeerError> {
        let Extended { id, body } = Extended::decode(payload)?;
        let pieces = self.core.geometry().pieces();
        let first = self.regions.peers.get(index).is_some_and(|slot| !slot.0.flags.exchanged);
        let handled = match id {
            extended::HANDSHAKE => {
                let hello = ExtendedHandshake::decode(body)?;
                self.introduced(index, &hello);
                Handled::Message { consumed }
            }
            METADATA => {
                let known = self.regions.peers.get(index).is_some_and(|s| s.0.ids.metadata != 0);
                let metadata = Metadata::decode(body)?;
                if let (Metadata::Request { piece }, true) = (metadata, known) {
                    let (_, mut uploads) =
                        queues(self.regions.requests, self.regions.peers.len(), index);
                    uploads.push(RequestSlot::metadata(piece)); // there is room: `is_busy`
                }
                Handled::Message { consumed }
            }
            EXCHANGE if self.core.config.peer_exchange => {
                let peers = Pex::decode(body, first)?;
                if let Some(PeerSlot(link)) = self.regions.peers.get_mut(index) {
                    link.flags.exchanged = true;
                }
                Handled::Peers { consumed, peers }
            }
            DONT_HAVE => {
                let DontHave(piece) = DontHave::decode(body)?;
                if piece.0 >= pieces {
                    return Err(PeerError::Piece(piece));
                }
                self.dont_have(index, piece);
                Handled::Message { consumed }
            }
            _ => Handled::Message { consumed },
        };
        self.core.see(now);
        if let Some(PeerSlot(link)) = self.regions.peers.get_mut(index) {
            link.heard_at = Stamp::of(self.core.now);
        }
        Ok(handled)
    }

    fn introduced(&mut self, index: usize, hello: &ExtendedHandshake<'_>) {
        let Some(PeerSlot(link)) = self.regions.peers.get_mut(index) else { return };
        if let Some(id) = hello.id(Metadata::NAME) {
            link.ids.metadata = id;
        }
        if let Some(id) = hello.id(Pex::NAME) {
            link.ids.exchange = id;
        }
        if let Some(reqq) = hello.request_queue {
            link.reqq = u16::try_from(reqq).unwrap_or(u16::MAX).max(1);
            link.window = link.window.min(link.reqq);
        }
        if let (Some(port), Some(addr)) = (hello.port, link.addr.socket())
            && !link.flags.dialled
        {
            link.addr = Address::new(SocketAddr::new(addr.ip(), port), port != 0);
        }
    }

    /// A peer lost a piece.
    fn dont_have(&mut self, index: usize, piece: PieceIndex) {
        let geometry = self.core.geometry();
        let (mut picker, peers, bits, _) = split(&mut self.core.picker, &mut self.regions);
        let Some(PeerSlot(link)) = peers.get_mut(index) else { return };
        if link.flags.seed {
            // It was counted as one: now it counts with each of its pieces.
            picker.count(&holds(link, bits, geometry, index), false);
            link.flags.seed = false;
            picker.count(&holds(link, bits, geometry, index), true);
        }
        let mut its = Bitfield::trusted(geometry.pieces(), row(bits, geometry, index));
        if its.clear(piece) {
            picker.dont_have(piece);
            link.held = link.held.saturating_sub(1);
            if picker.state.is_sought(picker.pieces, piece) {
                link.lack();
            }
        }
    }

    /// Returns whether there are peers to tell a peer of.
    pub(super) fn has_news(&self, index: usize) -> bool {
        let Some(PeerSlot(link)) = self.regions.peers.get(index) else { return false };
        let waits = link.flags.exchange || !link.flags.introduced || link.ids.exchange == 0;
        if waits || !self.core.config.peer_exchange || !link.is_ready() {
            return link.flags.exchange;
        }
        let first = link.exchanged_at == link.joined_at;
        let news = || self.others(index).next().is_some() || self.leavers(index).next().is_some();
        (first || link.exchanged_at.is_past(EXCHANGE_INTERVAL, self.core.now)) && news()
    }

    /// Returns the peers of which a peer was not yet told.
    fn others(&self, index: usize) -> impl Iterator<Item = (SocketAddr, PexFlags)> {
        let told =
            self.regions.peers.get(index).map(|slot| (slot.0.exchanged_at, slot.0.joined_at));
        let (since, joined) = told.unwrap_or((Stamp(0), Stamp(0)));
        let others = self.regions.peers.iter().enumerate();
        others.filter(move |(other, _)| *other != index).filter_map(move |(_, slot)| {
            let link = &slot.0;
            let news = link.is_ready() && (link.joined_at.is_after(since) || since == joined);
            let flags = if link.flags.seed { PexFlags::SEED.0 } else { 0 }
                | if link.flags.dialled { PexFlags::REACHABLE.0 } else { 0 };
            let addr = link.addr.socket().filter(|_| news && link.addr.listens)?;
            Some((addr, PexFlags(flags)))
        })
    }

    /// Returns the peers that went since the last exchange with a peer, of which it was told before. They are
    /// those whose slots are still free.
    fn leavers(&self, index: usize) -> impl Iterator<Item = (SocketAddr, PexFlags)> {
        let told =
            self.regions.peers.get(index).map(|slot| (slot.0.exchanged_at, slot.0.joined_at));
        let (since, joined) = told.unwrap_or((Stamp(0), Stamp(0)));
        let went = move |link: &Link| {
            let known =
                since.is_after(joined) && !link.joined_at.is_after(since) && link.addr.listens;
            known && !link.is_used() && link.exchanged_at.is_after(since)
        };
        let slots = || self.regions.peers.iter().map(|slot| &slot.0).enumerate();
        let leavers = slots().filter(move |(_, link)| went(link));
        leavers.filter_map(move |(at, link)| {
            let addr = link.addr.socket()?;
            // It is here again, or went twice.
            let again = slots().any(|(other, it)| {
                (it.is_ready() || other < at && went(it)) && it.addr.socket() == Some(addr)
            });
            (!again).then_some((addr, PexFlags(0)))
        })
    }

    /// Writes our extended handshake.
    pub(super) fn introduce(&self, index: usize, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let (peers, requests) = (self.regions.peers.len(), self.regions.requests.len());
        let addr = self.regions.peers.get(index).and_then(|slot| slot.0.addr.socket());
        let draft = HandshakeDraft {
            ids: ids(self.core.config.peer_exchange),
            metadata_size: self.core.metadata.map(|info| count(info.0.len())),
            port: self.core.config.port,
            request_queue: Some(queue::uploads(requests, peers)),
            version: Some(VERSION),
            your_ip: addr.map(|addr| addr.ip()),
        };
        frame(extended::HANDSHAKE, buf, |body| draft.encode(body))
    }

    /// Writes an exchange of peers.
    pub(super) fn exchange(&self, index: usize, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let id = self.regions.peers.get(index).map_or(0, |slot| slot.0.ids.exchange);
        let (added, dropped) =
            (List::of(self.others(index)), List::of(self.leavers(index).take(LEAVERS)));
        let pex = Pex {
            added: CompactPeers::front(Family::V4, &added.v4),
            added_flags: &added.v4_flags,
            added6: CompactPeers::front(Family::V6, &added.v6),
            added6_flags: &added.v6_flags,
            dropped: CompactPeers::front(Family::V4, &dropped.v4),
            dropped6: CompactPeers::front(Family::V6, &dropped.v6),
        };
        frame(id, buf, |body| pex.encode(body))
    }
}

/// Peers of an exchange in compact form, as many as it has room for.
#[derive(Default)]
struct List {
    v4: Vec<u8, { TOLD_V4 * 6 }>,
    v4_flags: Vec<u8, TOLD_V4>,
    v6: Vec<u8, { TOLD_V6 * 18 }>,
    v6_flags: Vec<u8, TOLD_V6>,
}

impl List {
    fn of(peers: impl Iterator<Item = (SocketAddr, PexFlags)>) -> Self {
        let mut list = Self::default();
        let mut bytes = [0; 18]; // the longer form fits
        for (addr, flags) in peers {
            let len = CompactPeers::encode(addr, &mut bytes).unwrap_or(0);
            let entry = bytes.get(..len).unwrap_or_default();
            // What finds no room is left out, with its flags.
            let _ = match Family::of(addr) {
                Family::V4 => {
                    list.v4.extend_from_slice(entry).map(|()| list.v4_flags.push(flags.0))
                }
                Family::V6 => {
                    list.v6.extend_from_slice(entry).map(|()| list.v6_flags.push(flags.0))
                }
            };
        }
        list
    }
}

/// Returns the names and ids of what we speak, in the order of the names.
fn ids(exchange: bool) -> &'static [(&'static [u8], u8)] {
    let all: &[(&[u8], u8)] =
        &[(DontHave::NAME, DONT_HAVE), (Metadata::NAME, METADATA), (Pex::NAME, EXCHANGE)];
    all.get(..if exchange { 3 } else { 2 }).unwrap_or_default()
}

/// Writes the extended handshake of one who has no metadata yet.
pub(crate) fn write_handshake(
    exchange: bool,
    port: Option<u16>,
    buf: &mut [u8],
) -> Result<usize, BufferTooSmall> {
    let (ids, version) = (ids(exchange), Some(VERSION));
    let draft = HandshakeDraft { ids, port, version, ..HandshakeDraft::default() };
    frame(extended::HANDSHAKE, buf, |body| draft.encode(body))
}

/// Writes a request for a piece of the info dictionary.
pub(crate) fn write_metadata_request(
    id: u8,
    piece: u32,
    buf: &mut [u8],
) -> Result<usize, BufferTooSmall> {
    frame(id, buf, |body| Metadata::Request { piece }.encode(body))
}

/// Writes the answer to a request for a piece of the info dictionary, without its data; returns the
/// data too.
pub(super) fn answer_metadata<'t>(
    info: Option<&'t [u8]>,
    piece: u32,
    id: u8,
    buf: &mut [u8],
) -> Result<(usize, &'t [u8]), BufferTooSmall> {
    let start = slot(piece).saturating_mul(slot(METADATA_PIECE_LEN));
    let info = info.unwrap_or_default();
    let end = start.saturating_add(slot(METADATA_PIECE_LEN)).min(info.len());
    let data = info.get(start..end).filter(|data| !data.is_empty()).unwrap_or_default();
    let (total_size, reject) = (count(info.len()), data.is_empty());
    let head = frame(id, buf, |body| {
        if reject {
            Metadata::Reject { piece }.encode(body)
        } else {
            Metadata::Data { piece, total_size, data: &[] }.encode(body)
        }
    })?;
    // The length counts the data too.
    let whole = count(head.saturating_sub(LEN_LEN).saturating_add(data.len()));
    field::Out::new(buf, LEN_LEN)?.u32(whole);
    Ok((head, data))
}

/// Writes an extended message around a body.
fn frame(
    id: u8,
    buf: &mut [u8],
    body: impl FnOnce(&mut [u8]) -> Result<usize, WriteError>,
) -> Result<usize, BufferTooSmall> {
    let room = buf.get_mut(extended::HEADER_LEN..).unwrap_or_default();
    let len = match body(room) {
        Ok(len) => len,
        Err(WriteError::Buffer(short)) => short.needed,
        Err(WriteError::Order) => 0, // our keys are in order
    };
    let needed = extended::HEADER_LEN.saturating_add(len);
    let mut out = field::Out::new(buf, needed)?;
    out.u32(count(needed.saturating_sub(LEN_LEN)));
    out.u8(EXTENDED);
    out.u8(id);
    Ok(needed)
}
