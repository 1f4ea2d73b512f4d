//! What the machine does with datagrams and time: compiled once, whatever its storage.

use core::net::SocketAddrV4;
use core::time::Duration;

use super::config::DatagramConfig;
use super::event::{DatagramError, DatagramEvent};
use super::keys;
use super::peer::{self, HostState, KEY_PONG_LEN, PONG_LEN, Peer, PeerSlot, PongDue};
use super::search::{MAX_SEARCHES, Search, SearchSlot};
use crate::ggep::Block;
use crate::huge::Part;
use crate::id::Guid;
use crate::rng::Rng;
use crate::wire::{
    Function, HEADER_LEN, Limits, Message, Payload, Ping, Pong, Query, QueryHit, VendorId,
    VendorMessage,
};

/// The bit of a TTL that marks a compressed payload (gtk-gnutella).
const COMPRESSED: u8 = 0x80;
/// The length of a request for hits, in bytes.
pub(super) const HITS_ACK_LEN: usize = HEADER_LEN + VendorMessage::MIN_LEN + 1;
/// The hits of one address count for this fraction of what a search wants at most, so that one cannot end it.
const HITS_FRACTION: u16 = 4;
/// The offer of hits that others send.
pub(super) const OFFER_2: VendorId = VendorId::new(*b"LIME", 12, 2);

/// What the machine remembers besides its storage.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct State {
    pub(super) config: DatagramConfig,
    pub(super) now: Duration, // the newest seen
    pub(super) rng: Rng,
    pub(super) reachable: bool, // to be reported
}

/// The machine at work.
pub(super) struct Core<'m> {
    pub(super) state: &'m mut State,
    pub(super) peers: &'m mut [PeerSlot],
    pub(super) searches: &'m mut [SearchSlot],
}

impl Core<'_> {
    pub(super) fn handle_datagram<'b>(
        &mut self,
        from: SocketAddrV4,
        bytes: &'b [u8],
    ) -> Result<Option<Message<'b>>, DatagramError> {
        let (message, rest) = Message::decode(bytes, Limits::GTKG)?;
        if !rest.is_empty() {
            return Err(DatagramError::TrailingBytes { len: rest.len() });
        }
        if message.ttl & COMPRESSED != 0 {
            return Err(DatagramError::Compressed);
        }
        let len = bytes.len();
        let deliver = match message.payload {
            Payload::Ping(ping) => self.handle_ping(from, message.guid, &ping, len).map(|()| false),
            Payload::Pong(pong) => self.handle_pong(from, message.guid, &pong).map(|()| true),
            Payload::Query(query) => self.handle_query(from, message.guid, &query, len),
            Payload::QueryHit(hit) => self.handle_hit(from, message.guid, &hit).map(|()| true),
            Payload::Push(_) => Ok(true),
            Payload::Other(other)
                if matches!(other.function, Function::VENDOR | Function::VENDOR_STANDARD) =>
            {
                let vendor = VendorMessage::decode(other.body)?;
                self.handle_vendor(from, message.guid, &vendor, len)
            }
            other => Err(DatagramError::Function(other.function())),
        }?;
        Ok(Some(message).filter(|_| deliver))
    }

    fn handle_ping(
        &mut self,
        from: SocketAddrV4,
        guid: Guid,
        ping: &Ping<'_>,
        len: usize,
    ) -> Result<(), DatagramError> {
        if guid.0 == self.state.config.servent.0 {
            self.state.reachable = true;
            return Ok(());
        }
        let block = Block::decode(ping.extensions).ok().map(|(block, _)| block);
        let with_key = block.is_some_and(|block| block.find(b"QK").is_some());
        let now = seconds(self.state.now);
        let peer = self.receive(from, len)?;
        let needed = if with_key { KEY_PONG_LEN } else { PONG_LEN };
        if peer.spend(now, needed) {
            peer.pong = Some(PongDue { guid, with_key });
        }
        Ok(())
    }

    /// A pong brings the key that was asked for, or acknowledges a query.
    fn handle_pong(
        &mut self,
        from: SocketAddrV4,
        guid: Guid,
        pong: &Pong<'_>,
    ) -> Result<(), DatagramError> {
        let unsolicited = DatagramError::Unsolicited(Function::PONG);
        let now = seconds(self.state.now);
        let search = search_bit(self.searches, guid);
        let host = self.host(from).ok_or(unsolicited)?;
        if host.request.is_some_and(|(request, _)| request == guid) {
            let block = Block::decode(pong.extensions).ok().map(|(block, _)| block);
            let mut buf = [0; 32];
            let key = block.and_then(|block| block.find(b"QK"));
            let key = key.as_ref().and_then(|key| key.value(&mut buf).ok());
            if key.is_some_and(|key| host.set_key(now, key)) {
                host.request = None;
                host.request_due = false;
                host.attempts = 0;
            }
            return Ok(());
        }
        if search.is_none_or(|bit| host.asked & bit == 0) {
            return Err(unsolicited);
        }
        host.answered();
        Ok(())
    }

    /// A query with a valid key is acknowledged and delivered, a repeated one only acknowledged.
    fn handle_query(
        &mut self,
        from: SocketAddrV4,
        guid: Guid,
        query: &Query<'_>,
        len: usize,
    ) -> Result<bool, DatagramError> {
        let State { config, now, .. } = &*self.state;
        if !config.answers_queries {
            return Err(DatagramError::Function(Function::QUERY));
        }
        let blocks = query.parts().filter_map(|part| match part {
            Ok(Part::Ggep(block)) => block.find(b"QK"),
            _ => None,
        });
        let mut buf = [0; 32];
        let key = blocks.last();
        let key = key.as_ref().and_then(|key| key.value(&mut buf).ok()).unwrap_or_default();
        if !keys::is_valid(config.secret, from, *now, config.key_period, key) {
            return Err(DatagramError::NoKey);
        }
        let at = seconds(*now);
        let peer = self.receive(from, len)?;
        peer.prove(at);
        peer.ack = Some(guid);
        let is_new = peer.last_query != Some(guid);
        peer.last_query = Some(guid);
        Ok(is_new)
    }

    /// A hit comes from a host that was asked, or that offered hits.
    fn handle_hit(
        &mut self,
        from: SocketAddrV4,
        guid: Guid,
        hit: &QueryHit<'_>,
    ) -> Result<(), DatagramError> {
        let unsolicited = DatagramError::Unsolicited(Function::QUERY_HIT);
        let bit = search_bit(self.searches, guid).ok_or(unsolicited)?;
        let most = self.state.config.results.div_ceil(HITS_FRACTION);
        let peer = self.peer(from).ok_or(unsolicited)?;
        let was_asked = peer.host.as_ref().is_some_and(|host| host.asked & bit != 0);
        let records = hit.records.len();
        if let Some((expected, left)) = peer.expected.filter(|(expected, _)| *expected == guid) {
            let left = left.checked_sub(records).ok_or(unsolicited)?;
            peer.expected = Some((expected, left)).filter(|(_, left)| *left > 0);
        } else if !was_asked {
            return Err(unsolicited);
        }
        let counted = peer.count(records, most);
        let searches = self.searches.iter_mut().filter_map(SearchSlot::live_mut);
        for search in searches.filter(|search| search.guid == guid) {
            search.hits = search.hits.saturating_add(records.into());
            search.counted = search.counted.saturating_add(counted.into());
            search.ended = search.counted >= self.state.config.results.into();
        }
        if let Some(host) = self.host(from) {
            host.answered();
        }
        Ok(())
    }

    fn handle_vendor(
        &mut self,
        from: SocketAddrV4,
        guid: Guid,
        message: &VendorMessage<'_>,
        len: usize,
    ) -> Result<bool, DatagramError> {
        let unsolicited = DatagramError::Unsolicited(Function::VENDOR);
        match *message {
            VendorMessage::Other(OFFER_2, [records, ..]) => {
                self.handle_offer(from, guid, *records, len).map(|()| false)
            }
            VendorMessage::OutOfBandReply(_) => Err(unsolicited), // version 1 is dead
            VendorMessage::OutOfBandAck(records) => {
                let peer = self.peer(from).ok_or(unsolicited)?;
                if peer.offered != Some(guid) || records == 0 {
                    return Err(unsolicited);
                }
                peer.offered = None;
                peer.wanted = Some((guid, records));
                Ok(false)
            }
            _ => Ok(true),
        }
    }

    /// A servent offers hits for a search: asks for as many as are wanted.
    fn handle_offer(
        &mut self,
        from: SocketAddrV4,
        guid: Guid,
        records: u8,
        len: usize,
    ) -> Result<(), DatagramError> {
        let unsolicited = DatagramError::Unsolicited(Function::VENDOR);
        let mut searches = self.searches.iter().filter_map(SearchSlot::live);
        let search = searches.find(|search| search.guid == guid).ok_or(unsolicited)?;
        let left = u32::from(self.state.config.results).saturating_sub(search.counted);
        let wanted = records.min(u8::try_from(left).unwrap_or(u8::MAX));
        if wanted == 0 {
            return Err(unsolicited);
        }
        let now = seconds(self.state.now);
        let peer = self.receive(from, len)?;
        if peer.spend(now, HITS_ACK_LEN) {
            peer.hits_ack = Some((guid, wanted));
            peer.expected = Some((guid, wanted));
        }
        Ok(())
    }

    /// Returns the slot of an address from which a datagram came, and counts that.
    fn receive(&mut self, from: SocketAddrV4, len: usize) -> Result<&mut Peer, DatagramError> {
        let now = seconds(self.state.now);
        let index = peer::claim(self.peers, from, now, false, &mut self.state.rng);
        let slot = index.and_then(|index| self.peers.get_mut(index));
        let peer = slot.and_then(|slot| slot.0.as_mut()).ok_or(DatagramError::NoSlots)?;
        peer.receive(now, len);
        Ok(peer)
    }

    pub(super) fn peer(&mut self, address: SocketAddrV4) -> Option<&mut Peer> {
        let index = peer::find(self.peers, address)?;
        self.peers.get_mut(index)?.0.as_mut()
    }

    fn host(&mut self, address: SocketAddrV4) -> Option<&mut HostState> {
        self.peer(address)?.host.as_mut()
    }

    /// Adds a host to ask in searches.
    pub(super) fn add_host(&mut self, address: SocketAddrV4) -> bool {
        let now = seconds(self.state.now);
        let index = peer::claim(self.peers, address, now, true, &mut self.state.rng);
        let slot = index.and_then(|index| self.peers.get_mut(index));
        let Some(peer) = slot.and_then(|slot| slot.0.as_mut()) else { return false };
        peer.host.get_or_insert(HostState::NEW);
        true
    }

    /// Starts a search in a free slot, and forgets who was asked in the one before.
    pub(super) fn start(&mut self, search: Search) -> Option<()> {
        let mut slots = self.searches.iter_mut().take(MAX_SEARCHES).zip(0_u32..);
        let (slot, number) = slots.find(|(slot, _)| slot.0.is_none())?;
        slot.0 = Some(search);
        let bit = bit(number);
        for peer in self.peers.iter_mut().filter_map(|slot| slot.0.as_mut()) {
            peer.counted = 0;
            if let Some(host) = &mut peer.host {
                host.asked &= !bit;
                host.queries &= !bit;
            }
        }
        Some(())
    }

    /// Gives up requests for keys, and hosts that do not answer.
    pub(super) fn keys_timeout(&mut self) {
        let State { config, now, .. } = &*self.state;
        for slot in self.peers.iter_mut() {
            let Some(host) = slot.0.as_mut().and_then(|peer| peer.host.as_mut()) else { continue };
            if host.request.is_some_and(|(_, until)| until.is_some_and(|until| until <= *now)) {
                host.request = None;
                host.request_due = false;
                if host.attempts >= config.max_attempts
                    && let Some(peer) = slot.0.as_mut()
                {
                    peer.host = None;
                }
            }
        }
    }

    /// Asks the next host of each search, or ends it.
    pub(super) fn searches_timeout(&mut self) {
        let now = self.state.now;
        for number in 0..self.searches.len().min(MAX_SEARCHES) {
            let Some(search) = self.searches.get_mut(number).and_then(SearchSlot::live_mut) else {
                continue;
            };
            if search.end.is_some_and(|end| end <= now) {
                search.ended = true;
            } else if search.next.is_some_and(|next| next <= now) {
                self.ask_next(number);
            }
        }
    }

    fn ask_next(&mut self, number: usize) {
        let State { config, now, rng, .. } = &mut *self.state;
        let Some(search) = self.searches.get_mut(number).and_then(SearchSlot::live_mut) else {
            return;
        };
        let bit = bit(u32::try_from(number).unwrap_or(u32::MAX));
        let at = seconds(*now);
        search.next = now.checked_add(config.interval);
        let mut waits = false;
        for host in self.peers.iter_mut().filter_map(|slot| slot.0.as_mut()?.host.as_mut()) {
            if host.asked & bit != 0 {
                continue;
            }
            waits = true;
            if host.has_key(at, config.key_period, config.max_attempts) {
                host.asked |= bit;
                host.queries |= bit;
                search.asked = search.asked.saturating_add(1);
                return;
            }
            if host.request.is_none() && host.attempts < config.max_attempts {
                host.request = Some((fresh_guid(rng), now.checked_add(config.timeout)));
                host.request_due = true;
                host.attempts = host.attempts.saturating_add(1);
                return;
            }
        }
        if !waits {
            // All were asked: the last may still answer.
            search.next = None;
            let patience = now.checked_add(config.timeout);
            search.end = search.end.into_iter().chain(patience).min();
        }
    }

    pub(super) fn poll_event(&mut self) -> Option<DatagramEvent> {
        if core::mem::take(&mut self.state.reachable) {
            return Some(DatagramEvent::Reachable);
        }
        for peer in self.peers.iter_mut().filter_map(|slot| slot.0.as_mut()) {
            if let Some((guid, records)) = peer.wanted.take() {
                return Some(DatagramEvent::HitsWanted { to: peer.address, guid, records });
            }
        }
        let has_ended = |slot: &SearchSlot| slot.0.as_ref().is_some_and(|search| search.ended);
        let mut slots = self.searches.iter_mut().zip(0_u32..);
        let (slot, number) = slots.find(|(slot, _)| has_ended(slot))?;
        let Search { guid, asked, hits, .. } = slot.0.take()?;
        let bit = bit(number);
        for host in self.peers.iter_mut().filter_map(|slot| slot.0.as_mut()?.host.as_mut()) {
            host.queries &= !bit;
        }
        Some(DatagramEvent::SearchEnded { guid, asked, hits })
    }
}

/// Returns the bit of the live search with a GUID.
fn search_bit(searches: &[SearchSlot], guid: Guid) -> Option<u32> {
    let mut numbered = searches.iter().zip(0_u32..);
    let is = |slot: &SearchSlot| slot.live().is_some_and(|search| search.guid == guid);
    numbered.find(|(slot, _)| is(slot)).map(|(_, number)| bit(number))
}

pub(super) fn bit(number: u32) -> u32 {
    1_u32.checked_shl(number).unwrap_or(0)
}

/// Whole seconds; the end of time is as far as 32 bits reach.
pub(super) fn seconds(now: Duration) -> u32 {
    u32::try_from(now.as_secs()).unwrap_or(u32::MAX)
}

fn fresh_guid(rng: &mut Rng) -> Guid {
    let mut random = [0; Guid::LEN];
    let words = random.as_chunks_mut().0.iter_mut();
    words.for_each(|word| *word = rng.next_u64().to_be_bytes());
    Guid::from_random(random)
}
