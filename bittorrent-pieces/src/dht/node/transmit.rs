//! What a node sends: replies first, then announces, the queries of lookups, and pings.

use core::time::Duration;

use super::event::Transmit;
use super::inner::{Cause, Core, Pending, QUERIES, Reply, ReplyKind, UNPROVEN, View, is_expired};
use crate::bencode::WriteError;
use crate::compact::{CompactPeers, Family};
use crate::dht::id::NodeId;
use crate::dht::item::Item;
use crate::dht::items;
use crate::dht::krpc::{
    Body, CompactNodes, Message, Method, Put, Query, Response, Samples, Values,
};
use crate::dht::limits::K;
use crate::dht::lookup::Purpose;
use crate::dht::peers;
use crate::dht::table::Contact;
use crate::error::BufferTooSmall;
use crate::id::InfoHash;
use crate::rng::Rng;

/// The name of this crate in messages.
const VERSION: &[u8] = b"BP01";
/// The maximum number of peers in a reply: 20 of 18 bytes and their lengths fit beside eight nodes of 38.
const VALUES: usize = 20;
/// The maximum number of torrents in a sample (BEP 51).
const SAMPLES: usize = 20;
/// How long a sample stands for.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(60);
/// The maximum length in bytes of a reply with empty nodes and an empty transaction id.
const BASE_LEN: usize = 92;
/// The length in bytes of a token and its key.
const TOKEN_LEN: usize = 17;
/// The length in bytes of an empty list of peers.
const VALUES_LEN: usize = 10;
/// The length in bytes of two filters and their keys.
const FILTERS_LEN: usize = 2 * (256 + 10);
/// The length in bytes of an empty sample.
const SAMPLE_LEN: usize = 39;

/// A query that may be sent.
struct Outgoing<'a> {
    to: Contact,
    known: bool,
    cause: Cause,
    tries: u8,
    method: Method<'a>,
}

impl Core {
    /// Writes a query and waits for its response.
    fn send(
        &mut self,
        outgoing: &Outgoing<'_>,
        buf: &mut [u8],
    ) -> Result<Transmit, BufferTooSmall> {
        let mut rng = self.rng;
        let transaction = self.unused_transaction(&mut rng);
        let bytes = transaction.to_be_bytes();
        let query = Query::new(self.config.id, outgoing.method);
        let message = Message {
            version: Some(VERSION),
            read_only: self.config.read_only,
            ..Message::new(&bytes, Body::Query(query))
        };
        let len = write(&message, buf)?;
        self.rng = rng;
        let pending = Pending {
            transaction,
            to: outgoing.to,
            known: outgoing.known,
            cause: outgoing.cause,
            tries: outgoing.tries,
            deadline: self.now.checked_add(self.config.patience),
        };
        let _ = self.queries.push(pending); // there is room
        Ok(Transmit { to: outgoing.to.addr, len })
    }

    fn unused_transaction(&self, rng: &mut Rng) -> u16 {
        loop {
            let [a, b, ..] = rng.next_u64().to_be_bytes();
            let transaction = u16::from_be_bytes([a, b]);
            let mut queries = self.queries.iter();
            if transaction != 0 && queries.all(|query| query.transaction != transaction) {
                return transaction;
            }
        }
    }
}

impl View<'_> {
    pub(super) fn transmit(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        if let Some(reply) = self.core.replies.front() {
            let mut rng = self.core.rng;
            let len = self.write_reply(reply, &mut rng, buf)?;
            let to = reply.to;
            self.core.rng = rng;
            let _sent = self.core.replies.pop_front();
            return Ok(Some(Transmit { to, len }));
        }
        if self.core.queries.len() >= QUERIES {
            return Ok(None);
        }
        if let Some(sent) = self.announce(buf)? {
            return Ok(Some(sent));
        }
        if let Some(sent) = self.search(buf)? {
            return Ok(Some(sent));
        }
        if let Some(sent) = self.ping_known(buf)? {
            return Ok(Some(sent));
        }
        self.ping_new(buf)
    }

    /// Announces us to a near node, or puts an item to it.
    fn announce(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        let now = self.core.now;
        let next = self.lookups.iter().filter_map(|slot| slot.0.as_ref()).find_map(|lookup| {
            let due = lookup.is_settled() && !is_expired(lookup, self.items, now);
            Some((lookup, lookup.next_announce().filter(|_| due)?))
        });
        let Some((lookup, (to, token))) = next else { return Ok(None) };
        let number = lookup.number;
        let target = lookup.target;
        let purpose = lookup.purpose;
        let token = token.as_bytes();
        let stored = items::find(self.items, now, target);
        let (cause, method) = match (&purpose, stored) {
            (Purpose::Put { cas, salt }, Some(stored)) => {
                let Item { value, signed } = stored.item(salt.as_bytes());
                (Cause::Put(number), Method::Put(Put { token, value, signed, cas: *cas }))
            }
            (Purpose::Peers { announce }, _) => {
                let port = announce.filter(|port| *port != 0);
                let info_hash = InfoHash(target.0);
                (Cause::Own, Method::AnnouncePeer { info_hash, port, seed: false, token })
            }
            _ => return Ok(None), // nothing is announced
        };
        let sent = self.core.send(&Outgoing { to, known: true, cause, tries: 0, method }, buf)?;
        if let Some(lookup) = self.lookup(number) {
            lookup.announced(to.addr);
        }
        Ok(Some(sent))
    }

    /// Queries a node on behalf of a lookup.
    fn search(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        let mut lookups = self.lookups.iter().filter_map(|slot| slot.0.as_ref());
        let next = lookups.find_map(|lookup| Some((lookup, lookup.next()?)));
        let Some((lookup, to)) = next else { return Ok(None) };
        let number = lookup.number;
        let method = match lookup.purpose {
            Purpose::Nodes => Method::FindNode { target: lookup.target },
            Purpose::Peers { .. } => {
                Method::GetPeers { info_hash: lookup.torrent(), noseed: false, scrape: false }
            }
            Purpose::Get(wanted) => Method::Get { target: lookup.target, seq: wanted.seq },
            Purpose::Put { .. } => Method::Get { target: lookup.target, seq: None },
        };
        let known = self.routes.iter().any(|slot| slot.contact() == Some(to));
        let sent = self
            .core
            .send(&Outgoing { to, known, cause: Cause::Lookup(number), tries: 0, method }, buf)?;
        if let Some(lookup) = self.lookup(number) {
            lookup.queried(to.addr);
        }
        Ok(Some(sent))
    }

    /// Pings a node of the table that may be unreachable.
    fn ping_known(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        let table = self.routing_table();
        let due = table.pings_due().find(|contact| !self.core.is_queried(contact.addr));
        let Some(to) = due else { return Ok(None) };
        let outgoing =
            Outgoing { to, known: true, cause: Cause::Own, tries: 0, method: Method::Ping };
        let sent = self.core.send(&outgoing, buf)?;
        self.table(|table| table.pinged(to.id));
        Ok(Some(sent))
    }

    /// Pings an address that is not in the table.
    fn ping_new(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        let unproven = self.core.queries.iter().filter(|query| query.cause == Cause::Unproven);
        let full = unproven.count() >= UNPROVEN;
        let mut pings = self.core.pings.iter().filter(|ping| !self.core.is_queried(ping.addr));
        let next = pings.find(|ping| !full || ping.cause != Cause::Unproven).copied();
        let Some(ping) = next else { return Ok(None) };
        let to = Contact { id: NodeId::default(), addr: ping.addr };
        let outgoing = Outgoing {
            to,
            known: false,
            cause: ping.cause,
            tries: ping.tries.saturating_add(1),
            method: Method::Ping,
        };
        let sent = self.core.send(&outgoing, buf)?;
        self.core.pings.retain(|other| *other != ping);
        Ok(Some(sent))
    }

    /// Writes a reply of at most its maximum length.
    fn write_reply(
        &self,
        reply: &Reply,
        rng: &mut Rng,
        buf: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        let mut nodes = [0; K * 38];
        let mut room = [0; VALUES * 20];
        let mut response = Response::new(self.core.config.id);
        let mut budget =
            reply.max_len.saturating_sub(BASE_LEN.saturating_add(reply.transaction.len()));
        let token;
        let filters;
        let samples: heapless::Vec<[u8; 20], SAMPLES>;
        let body = match reply.kind {
            ReplyKind::Error(code, text) => {
                return self.write_message(reply, Body::Error { code, text: text.as_bytes() }, buf);
            }
            ReplyKind::Pong => Body::Response(response),
            ReplyKind::Nodes(target) => {
                self.put_nodes(reply, target, budget, &mut nodes, &mut response);
                Body::Response(response)
            }
            ReplyKind::Peers { torrent, noseed } => {
                token = self.core.tokens.give(self.core.now, reply.to.ip(), torrent);
                response.token = Some(&token);
                budget = budget.saturating_sub(TOKEN_LEN + VALUES_LEN);
                let used = self.put_peers(torrent, noseed, budget, rng, &mut room, &mut response);
                budget = budget.saturating_sub(used);
                self.put_nodes(reply, torrent.into(), budget, &mut nodes, &mut response);
                Body::Response(response)
            }
            ReplyKind::Scrape(torrent) => {
                token = self.core.tokens.give(self.core.now, reply.to.ip(), torrent);
                response.token = Some(&token);
                budget = budget.saturating_sub(TOKEN_LEN);
                if let Some(left) = budget.checked_sub(FILTERS_LEN) {
                    filters = self.filters(torrent);
                    response.seeds = Some(&filters.0.0);
                    response.leechers = Some(&filters.1.0);
                    budget = left;
                }
                self.put_nodes(reply, torrent.into(), budget, &mut nodes, &mut response);
                Body::Response(response)
            }
            ReplyKind::Item { target, seq } => {
                if !self.items.is_empty() {
                    token = self.core.tokens.give(self.core.now, reply.to.ip(), InfoHash(target.0));
                    response.token = Some(&token);
                    budget = budget.saturating_sub(TOKEN_LEN);
                }
                let used = self.put_stored(target, seq, budget, &mut response);
                budget = budget.saturating_sub(used);
                self.put_nodes(reply, target, budget, &mut nodes, &mut response);
                Body::Response(response)
            }
            ReplyKind::Samples(target) => {
                budget = budget.saturating_sub(SAMPLE_LEN);
                let (sample, stored) = self.sample(budget / 2, rng);
                samples = sample;
                response.samples = Some(Samples::new(&samples, stored, SAMPLE_INTERVAL));
                budget = budget.saturating_sub(samples.len().saturating_mul(20));
                self.put_nodes(reply, target, budget, &mut nodes, &mut response);
                Body::Response(response)
            }
        };
        self.write_message(reply, body, buf)
    }

    fn write_message(
        &self,
        reply: &Reply,
        body: Body<'_>,
        buf: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        let message = Message {
            version: Some(VERSION),
            ip: Some(reply.to),
            ..Message::new(&reply.transaction, body)
        };
        write(&message, buf)
    }

    /// Puts the nodes nearest to an id into a response, as many as `budget` bytes hold.
    fn put_nodes<'b>(
        &self,
        reply: &Reply,
        target: NodeId,
        budget: usize,
        room: &'b mut [u8],
        response: &mut Response<'b>,
    ) {
        if !reply.wanted {
            return;
        }
        let family = self.core.config.family;
        let stride = family.stride().saturating_add(20);
        let most = budget.checked_div(stride).unwrap_or(0);
        let mut len = 0_usize;
        for contact in self.routing_table().nearest(target).take(most) {
            let free = room.get_mut(len..).unwrap_or_default();
            let written = CompactNodes::encode(contact.id, contact.addr, free).unwrap_or(0);
            len = len.saturating_add(written);
        }
        let nodes = CompactNodes::new(family, room.get(..len).unwrap_or_default());
        match family {
            Family::V4 => response.nodes = nodes,
            Family::V6 => response.nodes6 = nodes,
        }
    }

    /// Puts a random choice of the stored peers into a response, of each network one as far as there are others; returns the number of bytes they take. At
    /// most half of the budget is used, so that nodes fit too.
    fn put_peers<'b>(
        &self,
        torrent: InfoHash,
        noseed: bool,
        budget: usize,
        rng: &mut Rng,
        room: &'b mut [u8],
        response: &mut Response<'b>,
    ) -> usize {
        let family = self.core.config.family;
        let stride = family.stride().saturating_add(3); // "18:"
        let most = (budget / 2).checked_div(stride).unwrap_or(0);
        let stored = peers::of_torrent(self.peers, self.core.now, torrent);
        let wanted = stored.filter(|peer| !(noseed && peer.seed)).map(|peer| peer.addr);
        let mut drawn = peers::sample::<_, { 2 * VALUES }>(wanted, most.saturating_mul(2), rng);
        let chosen = peers::spread::<VALUES>(&mut drawn, most, rng);
        let mut len = 0_usize;
        for addr in &chosen {
            let free = room.get_mut(len..).unwrap_or_default();
            len = len.saturating_add(CompactPeers::encode(*addr, free).unwrap_or(0));
        }
        let compact = CompactPeers::new(family, room.get(..len).unwrap_or_default());
        response.values = compact.filter(|peers| !peers.is_empty()).map(Values::new);
        chosen.len().saturating_mul(stride)
    }

    /// Chooses torrents for a sample; returns them and the approximate number of all.
    fn sample(&self, budget: usize, rng: &mut Rng) -> (heapless::Vec<[u8; 20], SAMPLES>, u32) {
        let stored = peers::fresh(self.peers, self.core.now);
        let mut sample = heapless::Vec::new();
        let stored = stored.map(|peer| peer.torrent);
        for torrent in peers::sample::<_, { 2 * SAMPLES }>(stored, 2 * SAMPLES, rng) {
            if sample.len() < budget / 20 && !sample.contains(&torrent.0) {
                let _ = sample.push(torrent.0); // in a full sample there is no room
            }
        }
        (sample, peers::torrents(self.peers, self.core.now))
    }
}

fn write(message: &Message<'_>, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
    message.encode(buf).map_err(|error| match error {
        WriteError::Buffer(short) => short,
        WriteError::Order => BufferTooSmall { needed: buf.len() }, // our keys are in order
    })
}
