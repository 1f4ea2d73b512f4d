//! The extension protocol inside a torrent (BEP 10): extended handshake, info dictionary (BEP 9), lost
//! pieces (BEP 54).

use core::net::SocketAddr;

use super::cursor::PeerMut;
use super::error::PeerError;
use super::event::{MetadataRange, Outcome};
use super::packed::Address;
use super::queue::RequestSlot;
use crate::bencode::WriteError;
use crate::bitfield::Bitfield;
use crate::block::PieceIndex;
use crate::error::BufferTooSmall;
use crate::index::{count, slot};
use crate::wire::extended::{
    self, DontHave, EXCHANGE, EXTENDED, Extended, ExtendedHandshake, HandshakeDraft, Holepunch,
    METADATA_PIECE_LEN, Metadata, Pex,
};
use crate::wire::{LEN_LEN, field};

/// The ids that we chose for extensions.
pub(crate) const METADATA: u8 = 1;
const DONT_HAVE: u8 = 3;
pub(super) const HOLEPUNCH: u8 = 4;
/// The name of this client.
const VERSION: &[u8] = concat!("bittorrent-pieces ", env!("CARGO_PKG_VERSION")).as_bytes();

impl PeerMut<'_> {
    /// Processes an extended message.
    pub(super) fn extended<'b>(
        &mut self,
        payload: &'b [u8],
    ) -> Result<Option<Outcome<'b>>, PeerError> {
        let Extended { id, body } = Extended::decode(payload)?;
        match id {
            // One that cannot be read is ignored, as libtorrent and Transmission do: the peer can be used without it.
            extended::HANDSHAKE => {
                if let Ok(hello) = ExtendedHandshake::decode(body) {
                    self.extended_handshake(&hello);
                }
            }
            METADATA => {
                let metadata = Metadata::decode(body)?;
                if let (Metadata::Request { piece }, true) =
                    (metadata, self.state.ids.metadata != 0)
                {
                    self.uploads.push(RequestSlot::metadata(piece)); // there is room: `is_busy`
                }
            }
            EXCHANGE if self.config.peer_exchange => {
                let peers = Pex::decode(body, !self.state.flags.pex_received())?;
                self.state.flags.set_pex_received(true);
                return Ok(Some(Outcome::Peers(peers)));
            }
            DONT_HAVE => {
                let DontHave(piece) = DontHave::decode(body)?;
                if piece.0 >= self.geometry().pieces() {
                    return Err(PeerError::Piece(piece));
                }
                self.dont_have(piece);
            }
            _ => {}
        }
        Ok(None)
    }

    fn extended_handshake(&mut self, hello: &ExtendedHandshake<'_>) {
        let state = &mut *self.state;
        if let Some(id) = hello.id(Metadata::NAME) {
            state.ids.metadata = id;
        }
        if let Some(id) = hello.id(Pex::NAME) {
            state.ids.pex = id;
        }
        if let Some(id) = hello.id(Holepunch::NAME) {
            state.ids.holepunch = id;
        }
        if let Some(upload_only) = hello.upload_only {
            state.flags.set_upload_only(upload_only);
        }
        if let Some(reqq) = hello.request_queue {
            state.reqq = u16::try_from(reqq).unwrap_or(u16::MAX).max(1);
            state.window = state.window.min(state.reqq);
        }
        if let (Some(port), Some(addr)) = (hello.port, state.addr.socket())
            && !state.flags.dialled()
        {
            state.addr = Address::new(SocketAddr::new(addr.ip(), port), port != 0);
        }
    }

    /// The peer lost a piece.
    fn dont_have(&mut self, piece: PieceIndex) {
        if self.state.flags.seed() {
            // It was counted as one: now it counts with each of its pieces.
            self.count_pieces(false);
            self.state.flags.set_seed(false);
            self.count_pieces(true);
        }
        let pieces = self.geometry().pieces();
        if Bitfield::trusted(pieces, &mut *self.pieces).clear(piece) {
            self.picker.dont_have(piece);
            self.state.held = self.state.held.saturating_sub(1);
            if self.picker.state.is_sought(self.picker.pieces, piece) {
                self.state.remove_wanted();
            }
        }
    }

    /// Writes our extended handshake.
    pub(super) fn encode_extended_handshake(
        &self,
        buf: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        let info = self.content.info;
        let finished = self.picker.state.seeks_nothing(self.picker.pieces);
        let draft = HandshakeDraft {
            ids: &ids(self.config.peer_exchange, self.config.holepunch),
            metadata_size: (!info.is_empty()).then_some(count(info.len())),
            port: self.config.port,
            request_queue: Some(count(self.uploads.capacity())),
            upload_only: Some(finished && !self.state.flags.super_seeding()),
            version: Some(VERSION),
            your_ip: self.state.addr.socket().map(|addr| addr.ip()),
        };
        frame(extended::HANDSHAKE, buf, |body| draft.encode(body))
    }
}

/// Returns the names and ids of the extensions, in the order of the names.
fn ids(exchange: bool, holepunch: bool) -> heapless::Vec<(&'static [u8], u8), 4> {
    let all = [
        (DontHave::NAME, DONT_HAVE, true),
        (Holepunch::NAME, HOLEPUNCH, holepunch),
        (Metadata::NAME, METADATA, true),
        (Pex::NAME, EXCHANGE, exchange),
    ];
    all.into_iter().filter(|(.., on)| *on).map(|(name, id, _)| (name, id)).collect()
}

/// Writes the extended handshake of a peer without metadata.
pub(crate) fn write_handshake(
    exchange: bool,
    port: Option<u16>,
    buf: &mut [u8],
) -> Result<usize, BufferTooSmall> {
    let ids = &ids(exchange, false);
    let draft = HandshakeDraft { ids, port, version: Some(VERSION), ..HandshakeDraft::default() };
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
/// range of the data too.
pub(super) fn encode_metadata_answer(
    info: &[u8],
    piece: u32,
    id: u8,
    buf: &mut [u8],
) -> Result<(usize, Option<MetadataRange>), BufferTooSmall> {
    let begin = slot(piece).saturating_mul(slot(METADATA_PIECE_LEN));
    let len = info.len().saturating_sub(begin).min(slot(METADATA_PIECE_LEN));
    let total_size = count(info.len());
    if len == 0 {
        let head = frame(id, buf, |body| Metadata::Reject { piece }.encode(body))?;
        return Ok((head, None));
    }
    let data = Metadata::Data { piece, total_size, data: &[] };
    let head = frame(id, buf, |body| data.encode(body))?;
    // The length counts the data too.
    let whole = count(head.saturating_sub(LEN_LEN).saturating_add(len));
    field::Out::new(buf, LEN_LEN)?.u32(whole);
    Ok((head, Some(MetadataRange { begin, len })))
}

/// Writes an extended message around a body.
pub(crate) fn frame(
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

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may panic"
)]
mod tests;
