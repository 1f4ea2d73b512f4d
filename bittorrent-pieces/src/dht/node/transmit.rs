//! What a node sends: replies first, then announces, the queries of lookups, and pings.

use super::event::Transmit;
use super::inner::{Cause, Core, Pending, Ping, QUERIES, UNPROVEN, View, is_expired};
use crate::bencode::WriteError;
use crate::dht::id::NodeId;
use crate::dht::item::Item;
use crate::dht::items;
use crate::dht::krpc::{Body, Message, Method, Put, Query};
use crate::dht::lookup::Purpose;
use crate::dht::table::Contact;
use crate::error::BufferTooSmall;
use crate::id::InfoHash;
use crate::rng::Rng;

/// The name of this crate in messages.
pub(super) const VERSION: &[u8] = b"BP01";
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
        self.ask(buf)
    }

    /// Writes the most urgent query.
    #[inline(never)] // its messages are not for replies
    fn ask(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
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
        let waits = |ping: &Ping| full && ping.cause == Cause::Unproven;
        let is_due = |ping: &Ping| !waits(ping) && !self.core.is_queried(ping.addr);
        let Some(at) = self.core.pings.iter().position(is_due) else { return Ok(None) };
        let Some(ping) = self.core.pings.get(at).copied() else { return Ok(None) };
        let to = Contact { id: NodeId::default(), addr: ping.addr };
        let outgoing = Outgoing {
            to,
            known: false,
            cause: ping.cause,
            tries: ping.tries.saturating_add(1),
            method: Method::Ping,
        };
        let sent = self.core.send(&outgoing, buf)?;
        let mut places = 0..;
        self.core.pings.retain(|_| places.next() != Some(at)); // comparing addresses is more code
        Ok(Some(sent))
    }
}

pub(super) fn write(message: &Message<'_>, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
    message.encode(buf).map_err(|error| match error {
        WriteError::Buffer(short) => short,
        WriteError::Order => BufferTooSmall { needed: buf.len() }, // our keys are in order
    })
}
