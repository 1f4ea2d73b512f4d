//! What a torrent sends, derived from its state when it is polled.

use super::cursor::{PeerMut, View};
use super::event::{MetadataRange, Transmit};
use super::extension::encode_metadata_answer;
use super::handshake::our_reserved;
use super::holepunch::write_holepunch;
use super::peer::PeerState;
use super::queue::{RequestSlot, Step};
use super::trees::answer_hashes;
use crate::block::{Block, PieceIndex};
use crate::compact_time::Stamp;
use crate::error::BufferTooSmall;
use crate::geometry::Geometry;
use crate::id::ConnId;
use crate::index::slot;
use crate::invariant::invariant;
use crate::picker::{self, Completed};
use crate::wire::fast::{ALLOWED_FAST, Fast, allowed_fast};
use crate::wire::{Handshake, Message, Reserved, piece};

/// A message that was written: its length, and what of storage or of the info dictionary follows.
pub(super) struct Written {
    len: usize,
    block: Option<Block>,
    metadata: Option<MetadataRange>,
}

impl From<usize> for Written {
    fn from(len: usize) -> Self {
        Self { len, block: None, metadata: None }
    }
}

/// What a `write_..` function returns: `None` if it has nothing to send.
type MaybeWritten = Result<Option<Written>, BufferTooSmall>;

impl View<'_> {
    pub(super) fn transmit(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        while let Some(index) = self.core.schedule.senders.first() {
            let sent = self.transmit_from(index, buf)?;
            self.core.schedule.senders.pop(self.parts.peers); // then it is the next peer's turn
            if sent.is_some() {
                return Ok(sent);
            }
            invariant!(false, "a peer in the queue has nothing to send");
        }
        Ok(None)
    }

    pub(super) fn transmit_to(
        &mut self,
        conn: ConnId,
        buf: &mut [u8],
    ) -> Result<Option<Transmit>, BufferTooSmall> {
        match self.find_live(conn) {
            Some(index) => self.transmit_from(index, buf),
            None => Ok(None),
        }
    }

    /// Writes the most urgent message to the peer in a slot.
    fn transmit_from(
        &mut self,
        index: usize,
        buf: &mut [u8],
    ) -> Result<Option<Transmit>, BufferTooSmall> {
        let Some(mut peer) = self.quiet_peer(index) else { return Ok(None) };
        let mut written = peer.write_opening(buf)?;
        if written.is_none() && peer.state.is_open() {
            written = peer.write_update(buf)?;
        }
        if written.is_none() && peer.state.is_open() {
            written = peer.write_answer(buf)?;
        }
        if written.is_none() && peer.state.is_open() {
            written = self.write_periodic(index, buf)?;
        }
        let Some(Written { len, block, metadata }) = written else { return Ok(None) };
        let Some(peer) = self.peer(index) else { return Ok(None) };
        peer.state.message_sent(peer.now);
        let conn = peer.state.conn();
        let (block, padding) = clip(peer.content.geometry, block);
        Ok(Some(Transmit { block, padding, metadata, ..Transmit::new(conn, len) }))
    }

    /// Writes a peer exchange or a keepalive.
    #[inline(never)] // its buffers are not for blocks
    fn write_periodic(&mut self, index: usize, buf: &mut [u8]) -> MaybeWritten {
        let flags = self.state(index).map(|state| state.flags).unwrap_or_default();
        if flags.pex_due() {
            let len = self.encode_pex(index, buf)?;
            if let Some(peer) = self.peer(index) {
                peer.state.flags.set_pex_due(false);
                peer.state.exchanged_at = Stamp::of(peer.now);
            }
            return Ok(Some(len.into()));
        }
        if flags.keepalive_due() {
            return Ok(Some(Message::KeepAlive.encode(buf)?.into()));
        }
        Ok(None)
    }
}

impl PeerMut<'_> {
    /// Returns whether a message is due to the peer: whether one of the `write_..` functions writes one.
    pub(super) fn has_output(&self) -> bool {
        let state = &self.state;
        let flags = state.flags;
        let open = state.is_open();
        if state.is_live() && !flags.handshake_sent() && (flags.dialled() || open) {
            return true;
        }
        if !open {
            return false;
        }
        let opens = !flags.bitfield_sent()
            || flags.extended() && !flags.extended_handshake_sent()
            || flags.dht() && !flags.port_sent() && self.config.dht_port.is_some();
        let updates = state.choke_candidate.unchoked != flags.unchoked()
            || flags.interested() != (state.wanted > 0)
            || flags.pex_due()
            || flags.keepalive_due();
        let allows = || {
            let next = state.small.allowed_fast_due().checked_sub(1).map(usize::from);
            next.is_some_and(|at| self.allowed_fast().is_some_and(|set| at < set.len()))
        };
        let offers = flags.offer_due() && state.superseed_offer().is_some();
        opens
            || updates
            || offers
            || self.uploads.get(0).is_some_and(|request| request.step != Step::Unused)
            || self.requests.next_to_send().is_some()
            || next_have(state, &self.picker).is_some()
            || allows()
    }

    /// Writes what is sent once and first: handshake, pieces, extended handshake, DHT port.
    #[inline(never)] // its buffers are not for blocks
    fn write_opening(&mut self, buf: &mut [u8]) -> MaybeWritten {
        let flags = self.state.flags;
        let open = self.state.is_open();
        if self.state.is_live() && !flags.handshake_sent() && (flags.dialled() || open) {
            let len = self.handshake_to_send().encode(buf)?;
            self.state.flags.set_handshake_sent(true);
            return Ok(Some(len.into()));
        }
        if !open {
            return Ok(None);
        }
        if !flags.bitfield_sent() {
            let len = self.encode_pieces(buf)?;
            self.state.flags.set_bitfield_sent(true);
            self.state.haves_sent = self.picker.state.completed();
            let due = self.allowed_fast_to_send();
            self.state.small.set_allowed_fast_due(due);
            return Ok(Some(len.into()));
        }
        if flags.extended() && !flags.extended_handshake_sent() {
            let len = self.encode_extended_handshake(buf)?;
            self.state.flags.set_extended_handshake_sent(true);
            return Ok(Some(len.into()));
        }
        if let Some(port) = self.config.dht_port.filter(|_| flags.dht() && !flags.port_sent()) {
            let len = Message::Port(port).encode(buf)?;
            self.state.flags.set_port_sent(true);
            return Ok(Some(len.into()));
        }
        Ok(None)
    }

    fn handshake_to_send(&self) -> Handshake {
        let config = self.config;
        let (info_hash, offers_v2) = config.names().ours(self.state.flags.version2());
        let mut reserved = our_reserved(config.fast, config.dht_port.is_some());
        if offers_v2 {
            reserved = reserved | Reserved::V2;
        }
        Handshake { reserved, info_hash, peer_id: config.peer_id }
    }

    /// Writes which pieces we have.
    fn encode_pieces(&self, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let nothing = self.picker.state.have_count() == 0 || self.state.flags.super_seeding();
        match self.state.flags.fast() {
            true if nothing => Fast::HaveNone.encode(buf),
            true if self.is_complete() => Fast::HaveAll.encode(buf),
            _ => Message::Bitfield(self.ours.as_bytes()).encode(buf),
        }
    }

    /// Returns the pieces that the peer may request while choked, if they may be announced to it.
    pub(super) fn allowed_fast(&self) -> Option<heapless::Vec<PieceIndex, ALLOWED_FAST>> {
        let core::net::SocketAddr::V4(addr) = self.state.addr.socket()? else { return None };
        let flags = &self.state.flags;
        if !flags.fast() || flags.super_seeding() || self.config.upload_slots == 0 {
            return None;
        }
        let mut set = [PieceIndex(0); ALLOWED_FAST];
        let pieces = self.geometry().pieces();
        let len = allowed_fast(*addr.ip(), self.config.info_hash, pieces, &mut set);
        set.get(..len).and_then(|set| heapless::Vec::from_slice(set).ok())
    }

    /// Returns the number of allowed-fast messages to send: to a peer that has few pieces.
    fn allowed_fast_to_send(&self) -> u8 {
        let allowed = self.allowed_fast().map_or(0, |set| set.len());
        let few = slot(self.state.held) < allowed;
        u8::try_from(allowed).ok().filter(|_| few).unwrap_or(0)
    }

    /// Writes what changed, and requests.
    #[inline(never)] // its buffers are not for answers
    fn write_update(&mut self, buf: &mut [u8]) -> MaybeWritten {
        if let Some(written) = self.write_choke(buf)? {
            return Ok(Some(written));
        }
        if let Some(written) = self.write_interest(buf)? {
            return Ok(Some(written));
        }
        if let Some(written) = self.write_request(buf)? {
            return Ok(Some(written));
        }
        if let Some(written) = self.write_allowed_fast(buf)? {
            return Ok(Some(written));
        }
        self.write_have(buf)
    }

    /// Writes whether the peer may request blocks.
    fn write_choke(&mut self, buf: &mut [u8]) -> MaybeWritten {
        let unchoked = self.state.choke_candidate.unchoked;
        if unchoked == self.state.flags.unchoked() {
            return Ok(None);
        }
        let message = if unchoked { Message::Unchoke } else { Message::Choke };
        let len = message.encode(buf)?;
        self.state.flags.set_unchoked(unchoked);
        if !unchoked {
            self.drop_uploads();
        }
        Ok(Some(len.into()))
    }

    /// A choke drops all requests of the peer (BEP 3); under the fast extension each is rejected, but
    /// those for pieces that it may request while choked.
    fn drop_uploads(&mut self) {
        if !self.state.flags.fast() {
            self.uploads.retain(|request| request.step != Step::Give);
            return;
        }
        let allowed = self.allowed_fast().unwrap_or_default();
        let gives = self.uploads.iter_mut().filter(|request| request.step == Step::Give);
        let rejected = gives.filter(|request| !allowed.contains(&request.block().piece));
        rejected.for_each(|request| request.step = Step::Reject);
    }

    /// Writes whether we want something of the peer.
    fn write_interest(&mut self, buf: &mut [u8]) -> MaybeWritten {
        let interested = self.state.wanted > 0;
        if interested == self.state.flags.interested() {
            return Ok(None);
        }
        let message = if interested { Message::Interested } else { Message::NotInterested };
        let len = message.encode(buf)?;
        self.state.flags.set_interested(interested);
        Ok(Some(len.into()))
    }

    /// Writes a cancel or a request.
    fn write_request(&mut self, buf: &mut [u8]) -> MaybeWritten {
        let Some(at) = self.requests.next_to_send() else { return Ok(None) };
        let Some(slot) = self.requests.get(at) else { return Ok(None) };
        let block = self.as_requested(slot.block());
        if slot.step == Step::Due {
            let len = Message::Request(block).encode(buf)?;
            self.requests.sent(at);
            return Ok(Some(len.into()));
        }
        let len = Message::Cancel(block).encode(buf)?;
        if self.state.flags.fast() {
            self.requests.sent(at);
        } else {
            self.requests.remove(at); // there is no answer
        }
        Ok(Some(len.into()))
    }

    fn write_allowed_fast(&mut self, buf: &mut [u8]) -> MaybeWritten {
        let Some(at) = self.state.small.allowed_fast_due().checked_sub(1) else { return Ok(None) };
        let set = self.allowed_fast().unwrap_or_default();
        let Some(piece) = set.get(usize::from(at)).copied() else { return Ok(None) };
        let len = Fast::AllowedFast(piece).encode(buf)?;
        self.state.small.set_allowed_fast_due(at);
        Ok(Some(len.into()))
    }

    /// Announces a piece: one offered by super-seeding, or one that was completed.
    fn write_have(&mut self, buf: &mut [u8]) -> MaybeWritten {
        let offer = self.state.superseed_offer();
        if let Some(piece) = offer.filter(|_| self.state.flags.offer_due()) {
            let len = Message::Have(piece).encode(buf)?;
            self.state.flags.set_offer_due(false);
            return Ok(Some(len.into()));
        }
        let Some(next) = next_have(self.state, &self.picker) else { return Ok(None) };
        let len = Message::Have(next.piece).encode(buf)?;
        self.state.haves_sent = next.haves_sent;
        if !self.state.flags.super_seeding() {
            self.state.announce = next.resend_from.into();
        }
        Ok(Some(len.into()))
    }

    /// Answers the request that was received first.
    #[inline(never)] // its buffers are not for other messages
    fn write_answer(&mut self, buf: &mut [u8]) -> MaybeWritten {
        let Some(request) = self.uploads.get(0).filter(|slot| slot.step != Step::Unused) else {
            return Ok(None);
        };
        let block = request.block();
        let written = match request.step {
            Step::Metadata => {
                let id = self.state.ids.metadata;
                let info = self.content.info;
                let (len, metadata) = encode_metadata_answer(info, block.piece.0, id, buf)?;
                Written { len, block: None, metadata }
            }
            Step::Hashes => {
                let mut budget = self.state.flags.hash_budget();
                let len = answer_hashes(&request, self.trees(), &mut budget, buf)?;
                self.state.flags.set_hash_budget(budget);
                len.into()
            }
            Step::Holepunch => {
                let rest = self.uploads.get(1).unwrap_or(RequestSlot::EMPTY);
                let len =
                    write_holepunch(&request.holepunch(&rest), self.state.ids.holepunch, buf)?;
                self.uploads.remove(1);
                len.into()
            }
            Step::Give => {
                let len = piece::encode_header(block, buf)?;
                Written { len, block: Some(block), metadata: None }
            }
            _ => Fast::Reject(block).encode(buf)?.into(),
        };
        self.uploads.remove(0);
        if written.block.is_some() {
            let len = u64::from(block.len);
            self.state.bytes_sent.add(len);
            self.state.sent_sample.insert(self.config.seed, block);
            let [newest, _] = &mut self.state.sent_bytes;
            *newest = newest.saturating_add(block.len);
            self.state.idle_rounds = 0;
        }
        Ok(Some(written))
    }
}

/// Cuts a block at the end of its piece; returns how many zeros are to follow too.
fn clip(geometry: Geometry<'_>, block: Option<Block>) -> (Option<Block>, u32) {
    let Some(block) = block else { return (None, 0) };
    let left = geometry.piece_len(block.piece).saturating_sub(block.begin);
    let len = block.len.min(left);
    (Some(Block { len, ..block }), block.len.saturating_sub(len))
}

/// A piece to announce, and what the state of the peer becomes.
struct NextHave {
    piece: PieceIndex,
    haves_sent: u32,
    resend_from: Option<u32>,
}

/// Returns the piece that is announced to a peer next.
fn next_have(state: &PeerState, picker: &picker::View<'_>) -> Option<NextHave> {
    let from = |from, haves_sent| {
        let piece = picker.state.next_had(picker.pieces, from)?;
        Some(NextHave { piece, haves_sent, resend_from: piece.0.checked_add(1) })
    };
    let resent = state.resend_haves_from().and_then(|first| from(first, state.haves_sent));
    if resent.is_some() {
        return resent;
    }
    match picker.state.completed_after(state.haves_sent) {
        Completed::Nothing => None,
        Completed::Piece(piece) => {
            let haves_sent = state.haves_sent.wrapping_add(1);
            Some(NextHave { piece, haves_sent, resend_from: None })
        }
        // The number of completed pieces at which all pieces are announced again.
        Completed::Many => from(0, picker.state.completed()),
    }
}
