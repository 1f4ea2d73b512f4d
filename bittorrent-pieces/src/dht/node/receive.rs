//! What a node does with a datagram.

use core::net::SocketAddr;
use core::time::Duration;

use heapless::Vec;

use super::super::krpc::{Body, METHOD_UNKNOWN, Message, PROTOCOL_ERROR, Query, Response};
use super::super::{Contact, store};
use super::state::{Reply, ReplyKind, View};
use super::{DhtError, DhtHandled, LookupId};
use crate::Family;

impl View<'_> {
    pub(super) fn datagram<'a>(
        &mut self,
        now: Duration,
        from: SocketAddr,
        bytes: &'a [u8],
    ) -> Result<DhtHandled<'a>, DhtError> {
        if Family::of(from) != self.core.config.family {
            return Err(DhtError::Family);
        }
        let message = Message::decode(bytes)?;
        match message.body {
            Body::Query(query) => self.query(now, from, &message, query),
            Body::Response(response) => self.response(now, from, &message, response),
            Body::Error { .. } => {
                let at = self.pending(from, &message).ok_or(DhtError::Unexpected)?;
                self.core.see(now);
                let query = self.core.pending.swap_remove(at);
                // It is there, but does not give what it was asked for.
                if let Some(lookup) = self.lookup(query.lookup) {
                    lookup.failed(query.to.addr);
                }
                self.reap();
                Ok(DhtHandled::Done)
            }
        }
    }

    fn query<'a>(
        &mut self,
        now: Duration,
        from: SocketAddr,
        message: &Message<'_>,
        query: Query<'_>,
    ) -> Result<DhtHandled<'a>, DhtError> {
        let transaction = Vec::from_slice(message.transaction)
            .map_err(|_| DhtError::Transaction(message.transaction.len()))?;
        self.core.see(now);
        if self.core.config.read_only {
            return Ok(DhtHandled::Done);
        }
        if self.core.replies.is_full() {
            return Ok(DhtHandled::Busy);
        }
        let now = self.core.now;
        let kind = match query {
            Query::Ping { .. } => ReplyKind::Pong,
            Query::FindNode { target, .. } => ReplyKind::Nodes(target),
            Query::GetPeers { info_hash, .. } => ReplyKind::Peers(info_hash),
            Query::AnnouncePeer { info_hash, port, token, .. } => {
                let port = port.unwrap_or(from.port());
                if port == 0 {
                    ReplyKind::Error(PROTOCOL_ERROR, "no such port")
                } else if self.core.tokens.accepts(now, from.ip(), info_hash, token) {
                    store::put(self.peers, info_hash, SocketAddr::new(from.ip(), port), now);
                    ReplyKind::Pong
                } else {
                    ReplyKind::Error(PROTOCOL_ERROR, "wrong token")
                }
            }
            Query::Other { .. } => ReplyKind::Error(METHOD_UNKNOWN, "method unknown"),
        };
        let _ = self.core.replies.push_back(Reply { to: from, transaction, kind }); // not full
        if !message.read_only {
            self.table(|table| table.heard(now, query.id(), from, false));
        }
        Ok(DhtHandled::Done)
    }

    fn response<'a>(
        &mut self,
        now: Duration,
        from: SocketAddr,
        message: &Message<'a>,
        response: Response<'a>,
    ) -> Result<DhtHandled<'a>, DhtError> {
        let at = self.pending(from, message).ok_or(DhtError::Unexpected)?;
        self.core.see(now);
        let query = self.core.pending.swap_remove(at);
        let (now, contact) = (self.core.now, Contact { id: response.id, addr: from });
        if query.known && query.to.id != contact.id {
            self.table(|table| table.failed(query.to.id)); // another took its place
        }
        self.table(|table| table.heard(now, contact.id, from, true));
        self.core.seeds.retain(|seed| *seed != from);
        self.vote(from, message.ip);
        let nodes = match self.core.config.family {
            Family::V4 => response.nodes,
            Family::V6 => response.nodes6,
        };
        let (own, counts) = (self.core.config.id, self.counts(&contact));
        let enforce = self.core.config.enforce_ids;
        let mut handled = DhtHandled::Done;
        if let Some(lookup) = self.lookup(query.lookup) {
            let waited = lookup.answered(contact, response.token.filter(|_| counts));
            for (id, addr) in nodes.into_iter().flat_map(|nodes| nodes.iter()).take(32) {
                if id != own && addr.port() != 0 && waited {
                    lookup.add(Contact { id, addr }, !enforce || id.fits(addr.ip()));
                }
            }
            if let Some(peers) = response.values.filter(|_| waited) {
                let count = u32::try_from(peers.iter().count()).unwrap_or(u32::MAX);
                lookup.found = lookup.found.saturating_add(count);
                let (number, torrent) = (LookupId(lookup.number), lookup.torrent());
                handled = DhtHandled::Peers { lookup: number, torrent, peers };
            }
        }
        self.bootstrap();
        self.reap();
        Ok(handled)
    }

    /// Returns the query that a message answers.
    fn pending(&self, from: SocketAddr, message: &Message<'_>) -> Option<usize> {
        let transaction = u16::from_be_bytes(message.transaction.try_into().ok()?);
        let mut pending = self.core.pending.iter();
        pending.position(|query| query.transaction == transaction && query.to.addr == from)
    }

    /// Counts how a node sees us; each address has one vote.
    fn vote(&mut self, from: SocketAddr, seen: Option<SocketAddr>) {
        let Some(seen) = seen else { return };
        self.core.votes.retain(|(who, _)| *who != from.ip());
        if self.core.votes.is_full() {
            let _ = self.core.votes.pop_front();
        }
        let _ = self.core.votes.push_back((from.ip(), seen.ip())); // there is room
    }
}
