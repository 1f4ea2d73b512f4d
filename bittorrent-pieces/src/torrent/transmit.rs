//! What a torrent has to say, derived from its state when asked.

use super::extend::answer_metadata;
use super::hashes::{Trees, answer_hashes};
use super::peer::{Link, PeerSlot};
use super::queue::{Queue, Step, queues};
use super::state::{View, own, split};
use super::{Transmit, opening_reserved};
use crate::picker::{self, News};
use crate::small::Stamp;
use crate::wire::fast::Fast;
use crate::wire::{Handshake, Message, piece};
use crate::{Block, BufferTooSmall, ConnId, PieceIndex};

/// A message that is written: its length, and what of storage or of the info dictionary follows.
struct Said<'t> {
    len: usize,
    block: Option<Block>,
    metadata: &'t [u8],
}

impl From<usize> for Said<'_> {
    fn from(len: usize) -> Self {
        Self { len, block: None, metadata: &[] }
    }
}

impl<'t> View<'_, 't> {
    pub(super) fn transmit(
        &mut self,
        buf: &mut [u8],
    ) -> Result<Option<Transmit<'t>>, BufferTooSmall> {
        let (start, end) = (usize::from(self.core.cursor), self.regions.peers.len());
        for index in (start..end).chain(0..start.min(end)) {
            let sent = self.transmit_from(index, buf)?;
            if sent.is_some() {
                self.core.cursor = u16::try_from(index).unwrap_or(0).saturating_add(1); // then it is the next peer's turn
                return Ok(sent);
            }
        }
        Ok(None)
    }

    pub(super) fn transmit_to(
        &mut self,
        conn: ConnId,
        buf: &mut [u8],
    ) -> Result<Option<Transmit<'t>>, BufferTooSmall> {
        match self.live(conn) {
            Some(index) => self.transmit_from(index, buf),
            None => Ok(None),
        }
    }

    /// Writes the most urgent message to the peer of a slot.
    fn transmit_from(
        &mut self,
        index: usize,
        buf: &mut [u8],
    ) -> Result<Option<Transmit<'t>>, BufferTooSmall> {
        let said = match self.opening(index, buf)? {
            Some(said) => Some(said),
            None => self.talk(index, buf)?,
        };
        let Some(Said { len, block, metadata }) = said else { return Ok(None) };
        let now = self.core.now;
        let Some(PeerSlot(link)) = self.regions.peers.get_mut(index) else { return Ok(None) };
        link.sent(now);
        Ok(Some(Transmit { to: link.card.conn, len, block, metadata }))
    }

    /// Says what is said once and first: handshake, pieces, extended handshake, DHT port.
    fn opening(
        &mut self,
        index: usize,
        buf: &mut [u8],
    ) -> Result<Option<Said<'t>>, BufferTooSmall> {
        let Some(PeerSlot(link)) = self.regions.peers.get(index) else { return Ok(None) };
        let flags = link.flags;
        if link.is_live() && !flags.greeted && (flags.dialled || link.is_ready()) {
            let len = self.handshake().encode(buf)?;
            self.change(index, |link| link.flags.greeted = true);
            return Ok(Some(len.into()));
        }
        if !link.is_ready() {
            return Ok(None);
        }
        let (had, completed) = (self.core.picker.have_count(), self.core.picker.completed());
        if !flags.announced {
            let len = match (flags.fast, had) {
                (true, _) if flags.poses => Fast::HaveNone.encode(buf)?,
                (true, 0) => Fast::HaveNone.encode(buf)?,
                (true, _) if self.core.is_complete() => Fast::HaveAll.encode(buf)?,
                _ => {
                    let ours = own(self.regions.bits, self.core.geometry());
                    Message::Bitfield(ours.as_bytes()).encode(buf)?
                }
            };
            let granted = self.granted(index).map_or(0, |set| set.len());
            let few = link_held(self, index) < u32::try_from(granted).unwrap_or(0);
            let granted = u8::try_from(granted).unwrap_or(0);
            self.change(index, |link| {
                (link.flags.announced, link.told) = (true, completed);
                link.granted = if few { granted } else { 0 };
            });
            return Ok(Some(len.into()));
        }
        if flags.extended && !flags.introduced {
            let len = self.introduce(index, buf)?;
            self.change(index, |link| link.flags.introduced = true);
            return Ok(Some(len.into()));
        }
        if let Some(port) = self.core.config.dht_port.filter(|_| flags.dht && !flags.ported) {
            let len = Message::Port(port).encode(buf)?;
            self.change(index, |link| link.flags.ported = true);
            return Ok(Some(len.into()));
        }
        Ok(None)
    }

    fn handshake(&self) -> Handshake {
        let config = &self.core.config;
        let reserved = opening_reserved(config.fast, config.dht_port.is_some());
        Handshake { reserved, info_hash: config.info_hash, peer_id: config.peer_id }
    }

    /// Says what changed, gives what was asked for.
    fn talk(&mut self, index: usize, buf: &mut [u8]) -> Result<Option<Said<'t>>, BufferTooSmall> {
        let granted = self.regions.peers.get(index).is_some_and(|slot| slot.0.granted > 0);
        let set = self.granted(index).filter(|_| granted);
        let count = self.regions.peers.len();
        let trees = self.trees();
        let keeps = self.chokes(index).then(|| self.granted(index)).flatten();
        let (picker, peers, _, requests) = split(&mut self.core.picker, &mut self.regions);
        let Some(PeerSlot(link)) = peers.get_mut(index) else { return Ok(None) };
        if !link.is_ready() {
            return Ok(None);
        }
        let (mut asked, mut uploads) = queues(requests, count, index);
        if let Some(len) = link.choking(
            &mut uploads,
            |block| keeps.as_ref().is_some_and(|set| set.contains(&block.piece)),
            buf,
        )? {
            return Ok(Some(len.into()));
        }
        if let Some(len) = link.asking(&mut asked, buf)? {
            return Ok(Some(len.into()));
        }
        if let Some(piece) =
            set.and_then(|set| set.get(usize::from(link.granted).checked_sub(1)?).copied())
        {
            let len = Fast::AllowedFast(piece).encode(buf)?;
            link.granted = link.granted.saturating_sub(1);
            return Ok(Some(len.into()));
        }
        if let Some(piece) = link.offer.piece().filter(|_| link.flags.offers) {
            let len = Message::Have(piece).encode(buf)?;
            link.flags.offers = false;
            return Ok(Some(len.into()));
        }
        if let Some((piece, told, retell)) = link.next_have(&picker) {
            let len = Message::Have(piece).encode(buf)?;
            (link.told, link.retell) = (told, retell.into());
            return Ok(Some(len.into()));
        }
        if let Some(said) =
            link.upload(&mut uploads, self.core.metadata.map(|info| info.0), trees, buf)?
        {
            return Ok(Some(said));
        }
        if link.flags.exchange {
            let now = self.core.now;
            let len = self.exchange(index, buf)?;
            self.change(index, |link| {
                (link.flags.exchange, link.exchanged_at) = (false, Stamp::of(now));
            });
            return Ok(Some(len.into()));
        }
        if link.flags.keepalive {
            return Ok(Some(Message::KeepAlive.encode(buf)?.into()));
        }
        Ok(None)
    }

    /// Returns whether a choke is due.
    fn chokes(&self, index: usize) -> bool {
        let link = self.regions.peers.get(index).map(|slot| &slot.0);
        link.is_some_and(|link| link.flags.unchoked && !link.card.unchoked)
    }

    fn change(&mut self, index: usize, change: impl FnOnce(&mut Link)) {
        if let Some(PeerSlot(link)) = self.regions.peers.get_mut(index) {
            change(link);
        }
    }
}

/// Returns how many pieces a peer has.
fn link_held(view: &View<'_, '_>, index: usize) -> u32 {
    view.regions.peers.get(index).map_or(0, |slot| slot.0.held)
}

impl Link {
    /// Returns the piece that the peer is to be told of next, and `told` and `retell` after that.
    fn next_have(&self, picker: &picker::View<'_, '_>) -> Option<(PieceIndex, u32, Option<u32>)> {
        let again = |from| {
            let piece = picker.state.next_had(picker.pieces, from)?;
            Some((piece, piece.0.checked_add(1)))
        };
        if let Some((piece, retell)) = self.retell.get().and_then(again) {
            return Some((piece, self.told, retell));
        }
        match picker.state.news(self.told) {
            News::Nothing => None,
            News::Piece(piece) => Some((piece, self.told.wrapping_add(1), None)),
            News::Many => {
                // It was not told for so long that all are told again.
                again(0).map(|(piece, retell)| (piece, picker.state.completed(), retell))
            }
        }
    }

    /// Says whether the peer may ask, and whether we want to.
    fn choking(
        &mut self,
        uploads: &mut Queue<'_>,
        keeps: impl Fn(Block) -> bool,
        buf: &mut [u8],
    ) -> Result<Option<usize>, BufferTooSmall> {
        if self.card.unchoked != self.flags.unchoked {
            let message = if self.card.unchoked { Message::Unchoke } else { Message::Choke };
            let len = message.encode(buf)?;
            self.flags.unchoked = self.card.unchoked;
            if !self.flags.unchoked && self.flags.fast {
                let given = uploads.iter_mut().filter(|ask| ask.step == Step::Give);
                given.filter(|ask| !keeps(ask.block())).for_each(|ask| ask.step = Step::Reject);
            } else if !self.flags.unchoked {
                uploads.retain(|ask| ask.step != Step::Give); // a choke drops all requests (BEP 3)
            }
            return Ok(Some(len));
        }
        let wants = self.wanted > 0;
        if wants == self.flags.interested {
            return Ok(None);
        }
        let message = if wants { Message::Interested } else { Message::NotInterested };
        let len = message.encode(buf)?;
        self.flags.interested = wants;
        Ok(Some(len))
    }

    /// Asks for blocks, and takes requests back.
    fn asking(
        &mut self,
        asked: &mut Queue<'_>,
        buf: &mut [u8],
    ) -> Result<Option<usize>, BufferTooSmall> {
        let first = |step| asked.position(|ask| ask.step == step);
        let Some(at) = first(Step::Cancel).or_else(|| first(Step::Due)) else { return Ok(None) };
        let Some(slot) = asked.get_mut(at) else { return Ok(None) };
        let (step, block) = (slot.step, slot.block());
        let message =
            if step == Step::Cancel { Message::Cancel(block) } else { Message::Request(block) };
        let len = message.encode(buf)?;
        match step {
            Step::Cancel if self.flags.fast => slot.step = Step::Cancelled,
            Step::Cancel => drop(asked.remove(at)),
            _ => slot.step = Step::Sent,
        }
        Ok(Some(len))
    }

    /// Answers the request that came first.
    fn upload<'t>(
        &mut self,
        uploads: &mut Queue<'_>,
        info: Option<&'t [u8]>,
        trees: Trees<'_>,
        buf: &mut [u8],
    ) -> Result<Option<Said<'t>>, BufferTooSmall> {
        let Some(slot) = uploads.get(0).filter(|slot| slot.step != Step::Unused) else {
            return Ok(None);
        };
        let block = slot.block();
        let said = match slot.step {
            Step::Metadata => {
                let (len, metadata) = answer_metadata(info, block.piece.0, self.ids.metadata, buf)?;
                Said { len, block: None, metadata }
            }
            Step::Hashes => answer_hashes(&slot, trees, buf)?.into(),
            Step::Give => Said { block: Some(block), ..piece::encode_header(block, buf)?.into() },
            _ => Fast::Reject(block).encode(buf)?.into(),
        };
        uploads.remove(0);
        if said.block.is_some() {
            self.traffic.bytes_given =
                self.traffic.bytes_given.saturating_add(u64::from(block.len));
            let [newest, _] = &mut self.given;
            *newest = newest.saturating_add(block.len);
        }
        Ok(Some(said))
    }
}
