//! What a node has to say: answers first, then the queries of lookups, then pings.

use core::net::SocketAddr;

use super::super::krpc::{Body, CompactNodes, Message, Query, Response, Values};
use super::super::lookup::{Pending, Purpose};
use super::super::table::Contact;
use super::super::{NodeId, RouteSlot, RoutingTable, store};
use super::DhtTransmit;
use super::state::{QUERIES, Reply, ReplyKind, View};
use crate::bencode::WriteError;
use crate::{BufferTooSmall, CompactPeers, Family, InfoHash};

/// How we name ourselves in messages.
const VERSION: &[u8] = b"BP01";
/// The most peers in an answer: 40 of 18 bytes and their lengths fit beside eight nodes of 38.
const VALUES: usize = 20;

/// A query that may be sent.
struct Ask<'a> {
    to: Contact,
    known: bool,
    lookup: Option<u32>,
    query: Query<'a>,
}

impl View<'_> {
    pub(super) fn transmit(
        &mut self,
        buf: &mut [u8],
    ) -> Result<Option<DhtTransmit>, BufferTooSmall> {
        if let Some(reply) = self.core.replies.front() {
            let (to, len) = (reply.to, self.reply(reply, buf)?);
            let _ = self.core.replies.pop_front(); // just written
            return Ok(Some(DhtTransmit { to, len }));
        }
        if self.core.pending.len() >= QUERIES {
            return Ok(None);
        }
        if let Some(sent) = self.announce(buf)? {
            return Ok(Some(sent));
        }
        if let Some(sent) = self.search(buf)? {
            return Ok(Some(sent));
        }
        self.ping(buf)
    }

    /// Announces us to a near node.
    fn announce(&mut self, buf: &mut [u8]) -> Result<Option<DhtTransmit>, BufferTooSmall> {
        let id = self.core.config.id;
        let settled = self.lookups.iter().filter_map(|slot| slot.0.as_ref());
        let mut settled = settled.filter(|lookup| lookup.is_settled());
        let next = settled.find_map(|lookup| Some((lookup, lookup.next_announce()?)));
        let Some((lookup, (to, token, len))) = next else { return Ok(None) };
        let Purpose::Peers { announce: Some(port) } = lookup.purpose else { return Ok(None) };
        let (number, info_hash) = (lookup.number, lookup.torrent());
        let token = token.get(..len).unwrap_or_default();
        let port = Some(port).filter(|port| *port != 0);
        let query = Query::AnnouncePeer { id, info_hash, port, token };
        let sent = self.send(&Ask { to, known: true, lookup: None, query }, buf)?;
        if let Some(lookup) = self.lookup(Some(number)) {
            lookup.announced(to.addr);
        }
        Ok(Some(sent))
    }

    /// Asks a node on behalf of a lookup.
    fn search(&mut self, buf: &mut [u8]) -> Result<Option<DhtTransmit>, BufferTooSmall> {
        let id = self.core.config.id;
        let mut lookups = self.lookups.iter().filter_map(|slot| slot.0.as_ref());
        let next = lookups.find_map(|lookup| Some((*lookup, lookup.next()?)));
        let Some((lookup, to)) = next else { return Ok(None) };
        let query = match lookup.purpose {
            Purpose::Nodes => Query::FindNode { id, target: lookup.target },
            Purpose::Peers { .. } => Query::GetPeers { id, info_hash: lookup.torrent() },
        };
        let known = self.knows(&to);
        let sent = self.send(&Ask { to, known, lookup: Some(lookup.number), query }, buf)?;
        if let Some(lookup) = self.lookup(Some(lookup.number)) {
            lookup.asked(to.addr);
        }
        Ok(Some(sent))
    }

    /// Pings a node that may be gone, or one that was added.
    fn ping(&mut self, buf: &mut [u8]) -> Result<Option<DhtTransmit>, BufferTooSmall> {
        let query = Query::Ping { id: self.core.config.id };
        let waits = |addr: SocketAddr, view: &Self| {
            view.core.pending.iter().any(|query| query.to.addr == addr)
        };
        let due = self.routes.iter().filter_map(RouteSlot::ping_due);
        let due = due.into_iter().find(|contact| !waits(contact.addr, self));
        if let Some(to) = due {
            let sent = self.send(&Ask { to, known: true, lookup: None, query }, buf)?;
            self.table(|table| table.pinged(to.id));
            return Ok(Some(sent));
        }
        let Some(addr) = self.core.seeds.iter().copied().find(|seed| !waits(*seed, self)) else {
            return Ok(None);
        };
        let to = Contact { id: NodeId::default(), addr };
        let sent = self.send(&Ask { to, known: false, lookup: None, query }, buf)?;
        self.core.seeds.retain(|seed| *seed != addr);
        Ok(Some(sent))
    }

    fn knows(&self, contact: &Contact) -> bool {
        self.routes.iter().filter_map(RouteSlot::contact).any(|known| known == *contact)
    }

    /// Writes a query and waits for its answer.
    fn send(&mut self, ask: &Ask<'_>, buf: &mut [u8]) -> Result<DhtTransmit, BufferTooSmall> {
        let mut rng = self.core.rng;
        let mut transaction = 0;
        while transaction == 0 || self.core.pending.iter().any(|q| q.transaction == transaction) {
            let [a, b, ..] = rng.next_u64().to_be_bytes();
            transaction = u16::from_be_bytes([a, b]);
        }
        let message = Message {
            transaction: &transaction.to_be_bytes(),
            version: Some(VERSION),
            ip: None,
            read_only: self.core.config.read_only,
            body: Body::Query(ask.query),
        };
        let len = write(&message, buf)?;
        self.core.rng = rng;
        let (to, known, lookup, at) = (ask.to, ask.known, ask.lookup, self.core.now);
        let _ = self.core.pending.push(Pending { transaction, to, known, lookup, at }); // room
        Ok(DhtTransmit { to: to.addr, len })
    }

    /// Writes an answer.
    fn reply(&self, reply: &Reply, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let mut response = Response::new(self.core.config.id);
        let (mut nodes, mut values) = ([0; 8 * 38], [0; VALUES * 18]);
        let token;
        let body = match reply.kind {
            ReplyKind::Error(code, text) => Body::Error { code, text: text.as_bytes() },
            ReplyKind::Pong => Body::Response(response),
            ReplyKind::Nodes(target) => {
                self.name(target, &mut nodes, &mut response);
                Body::Response(response)
            }
            ReplyKind::Peers(torrent) => {
                self.name(torrent.into(), &mut nodes, &mut response);
                token = self.core.tokens.give(self.core.now, reply.to.ip(), torrent);
                response.token = Some(&token);
                response.values = self.stored(torrent, &mut values);
                Body::Response(response)
            }
        };
        let message = Message {
            transaction: &reply.transaction,
            version: Some(VERSION),
            ip: Some(reply.to),
            read_only: false,
            body,
        };
        write(&message, buf)
    }

    /// Names the nodes nearest to an id.
    fn name<'b>(&self, target: NodeId, room: &'b mut [u8], response: &mut Response<'b>) {
        let (own, depth) = (self.core.config.id, self.core.depth);
        let table = RoutingTable { own, depth, slots: &*self.routes };
        let mut len = 0_usize;
        for contact in table.nearest(target) {
            let free = room.get_mut(len..).unwrap_or_default();
            len = len
                .saturating_add(CompactNodes::encode(contact.id, contact.addr, free).unwrap_or(0));
        }
        let family = self.core.config.family;
        let nodes = CompactNodes::new(family, room.get(..len).unwrap_or_default());
        match family {
            Family::V4 => response.nodes = nodes,
            Family::V6 => response.nodes6 = nodes,
        }
    }

    /// Lists the peers that were announced to us.
    fn stored<'b>(&self, torrent: InfoHash, room: &'b mut [u8]) -> Option<Values<'b>> {
        let mut len = 0_usize;
        for addr in store::of(self.peers, torrent, self.core.now).take(VALUES) {
            let free = room.get_mut(len..).unwrap_or_default();
            len = len.saturating_add(CompactPeers::encode(addr, free).unwrap_or(0));
        }
        let bytes = room.get(..len).filter(|bytes| !bytes.is_empty())?;
        CompactPeers::new(self.core.config.family, bytes).map(Values::new)
    }
}

fn write(message: &Message<'_>, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
    message.encode(buf).map_err(|error| match error {
        WriteError::Buffer(short) => short,
        WriteError::Order => BufferTooSmall { needed: buf.len() }, // our keys are in order
    })
}
