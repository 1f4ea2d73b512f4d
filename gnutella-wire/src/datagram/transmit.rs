//! The machine's own datagrams, derived from its state when polled.

use core::time::Duration;

use super::config::DatagramConfig;
use super::event::DatagramTransmit;
use super::keys;
use super::logic::{Core, OFFER_2, bit};
use super::peer::{HostState, Peer, PongDue};
use super::search::{MAX_QUERY, SearchSlot};
use crate::error::BufferTooSmall;
use crate::ggep::GgepWriter;
use crate::huge::SEPARATOR;
use crate::id::Guid;
use crate::invariant::invariant;
use crate::wire::{Function, HEADER_LEN, Header, Message, Payload, Ping, Pong, VendorMessage};
use crate::writer::Writer;

/// What a request for a key carries besides: with it the request is as long as the answer, which others may
/// require as well.
const AGENT: &[u8] = b"gnutella-wire";
/// Space for the extensions that are added.
const EXTENSIONS: usize = 40;

/// The most that [`Datagrams::poll_transmit`](super::Datagrams::poll_transmit) writes: a query with a key.
pub(super) const MAX_TRANSMIT_LEN: usize = HEADER_LEN + MAX_QUERY + 1 + EXTENSIONS;

/// What is due to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Pong(PongDue),
    Ack(Guid),
    HitsAck(Guid, u8),
    Offer(Guid, u8),
    KeyRequest(Guid),
    Query(usize),
}

impl Core<'_> {
    pub(super) fn poll_transmit(
        &mut self,
        buf: &mut [u8],
    ) -> Result<Option<DatagramTransmit>, BufferTooSmall> {
        let numbered = self.searches.iter().zip(0_u32..);
        let live = numbered.filter(|(slot, _)| slot.live().is_some());
        let live = live.fold(0, |bits, (_, number)| bits | bit(number));
        let mut peers = self.peers.iter_mut().filter_map(|slot| slot.0.as_mut());
        let found = peers.find_map(|peer| due(peer, live).map(|due| (peer, due)));
        let Some((peer, due)) = found else { return Ok(None) };
        let state = &*self.state;
        let len = write(due, peer, &state.config, state.now, self.searches, buf)?;
        peer.mark_sent(due);
        Ok(Some(DatagramTransmit { to: peer.address, len }))
    }
}

/// Returns what is due to an address; `live` has a bit for each search under way.
fn due(peer: &Peer, live: u32) -> Option<Due> {
    let host = peer.host.as_ref();
    let request = |host: &HostState| host.request.filter(|_| host.request_due);
    let query = |host: &HostState| {
        let queries = host.queries & live;
        usize::try_from(queries.trailing_zeros()).ok().filter(|_| queries != 0)
    };
    peer.pong
        .map(Due::Pong)
        .or_else(|| peer.ack.map(Due::Ack))
        .or_else(|| peer.hits_ack.map(|(guid, records)| Due::HitsAck(guid, records)))
        .or_else(|| peer.offer.map(|(guid, records)| Due::Offer(guid, records)))
        .or_else(|| host.and_then(request).map(|(guid, _)| Due::KeyRequest(guid)))
        .or_else(|| host.and_then(query).map(Due::Query))
}

fn write(
    due: Due,
    peer: &Peer,
    config: &DatagramConfig,
    now: Duration,
    searches: &[SearchSlot],
    buf: &mut [u8],
) -> Result<usize, BufferTooSmall> {
    let message = |guid, payload| Message { guid, ttl: 1, hops: 0, payload };
    let mut extensions = [0; EXTENSIONS];
    match due {
        Due::Pong(pong) => {
            let mut block = GgepWriter::new(&mut extensions);
            if pong.with_key {
                let key = keys::make(config.secret, peer.address, now, config.key_period);
                let _ = block.push(b"QK", &key); // it fits
            }
            let len = block.finish();
            let payload = own_pong(config, extensions.get(..len).unwrap_or(&[]));
            message(pong.guid, payload).encode(buf)
        }
        Due::Ack(guid) => message(guid, own_pong(config, &[])).encode(buf),
        Due::HitsAck(guid, records) => {
            write_vendor(guid, &VendorMessage::OutOfBandAck(records), buf)
        }
        Due::Offer(guid, records) => {
            write_vendor(guid, &VendorMessage::Other(OFFER_2, &[records, 1]), buf)
        }
        Due::KeyRequest(guid) => {
            let mut block = GgepWriter::new(&mut extensions);
            let _ = block.push(b"QK", &[]);
            let _ = block.push(b"SCP", &[0]);
            let _ = block.push(b"UA", AGENT); // together they fit
            let len = block.finish();
            let extensions = extensions.get(..len).unwrap_or(&[]);
            message(guid, Payload::Ping(Ping { extensions })).encode(buf)
        }
        Due::Query(number) => {
            let search = searches.get(number).and_then(SearchSlot::live);
            let key = peer.host.as_ref().map(HostState::last_key).unwrap_or_default();
            let query = search.map(|search| (search.guid, search.query()));
            invariant!(query.is_some(), "only live searches are due");
            let (guid, query) = query.unwrap_or((Guid([0; 16]), &[]));
            let mut block = GgepWriter::new(&mut extensions);
            let _ = block.push_without_nul(b"QK", key); // it fits
            let len = block.finish();
            let block = extensions.get(..len).unwrap_or(&[]);
            write_query(guid, query, block, buf)
        }
    }
}

fn own_pong<'a>(config: &DatagramConfig, extensions: &'a [u8]) -> Payload<'a> {
    let DatagramConfig { address, files, kilobytes, .. } = *config;
    Payload::Pong(Pong { address, files, kilobytes, extensions })
}

fn write_vendor(
    guid: Guid,
    message: &VendorMessage<'_>,
    buf: &mut [u8],
) -> Result<usize, BufferTooSmall> {
    let len = u32::try_from(message.encoded_len()).unwrap_or(0);
    let header = Header { guid, function: Function::VENDOR, ttl: 1, hops: 0, len };
    Writer::fill(buf, |w| {
        header.write(w);
        message.write(w);
    })
}

fn write_query(
    guid: Guid,
    query: &[u8],
    block: &[u8],
    buf: &mut [u8],
) -> Result<usize, BufferTooSmall> {
    let has_extensions = query.last().is_some_and(|last| *last != 0);
    let len = query.len().saturating_add(block.len()).saturating_add(has_extensions.into());
    let len = u32::try_from(len).unwrap_or(0);
    let header = Header { guid, function: Function::QUERY, ttl: 1, hops: 0, len };
    Writer::fill(buf, |w| {
        header.write(w);
        w.bytes(query);
        if has_extensions {
            w.u8(SEPARATOR);
        }
        w.bytes(block);
    })
}

impl Peer {
    /// Records that a datagram was written.
    fn mark_sent(&mut self, due: Due) {
        match due {
            Due::Pong(_) => self.pong = None,
            Due::Ack(_) => self.ack = None,
            Due::HitsAck(..) => self.hits_ack = None,
            Due::Offer(guid, _) => {
                self.offer = None;
                self.offered = Some(guid);
            }
            Due::KeyRequest(_) => {
                if let Some(host) = &mut self.host {
                    host.request_due = false;
                }
            }
            Due::Query(number) => {
                if let Some(host) = &mut self.host {
                    host.queries &= !bit(u32::try_from(number).unwrap_or(u32::MAX));
                    host.queried();
                }
            }
        }
    }
}
