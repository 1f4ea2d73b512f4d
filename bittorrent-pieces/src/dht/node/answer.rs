//! How a node answers a query.

use core::net::SocketAddr;
use core::time::Duration;

use heapless::Vec;

use super::event::DhtOutcome;
use super::inner::{Reply, ReplyKind, TRANSACTION, View};
use crate::compact::Family;
use crate::dht::krpc::{METHOD_UNKNOWN, Message, Method, PROTOCOL_ERROR, Query};
use crate::dht::limits::MAX_LEN;
use crate::dht::peers;
use crate::dht::table::Contact;
use crate::network::Network;

/// The replies to one network that wait at a time.
const SHARE: usize = 2;
/// An address that has proved nothing receives at most this many times the bytes that it sent.
const AMPLIFICATION: usize = 3;

impl View<'_> {
    #[inline(never)] // its locals are not for responses
    pub(super) fn query<'a>(
        &mut self,
        now: Duration,
        from: SocketAddr,
        len: usize,
        message: &Message<'_>,
        query: &Query<'_>,
    ) -> DhtOutcome<'a> {
        self.core.advance_clock(now);
        if self.core.config.read_only {
            return DhtOutcome::Handled;
        }
        if self.is_busy(from) {
            return DhtOutcome::Busy;
        }
        let contact = Contact { id: query.id, addr: from };
        let proven = self.routes.iter().any(|slot| slot.contact() == Some(contact));
        let max_len = if proven { MAX_LEN } else { len.saturating_mul(AMPLIFICATION) };
        let reply = Reply {
            to: from,
            transaction: prefix(message.transaction),
            kind: self.answer(from, message, query),
            wanted: self.wants_our_family(query),
            max_len: max_len.min(MAX_LEN),
        };
        let _ = self.core.replies.push_back(reply); // not full
        let now = self.core.now;
        if !message.read_only && self.table(|table| table.queried(now, contact)) {
            self.core.ping_unproven(from);
        }
        DhtOutcome::Handled
    }

    fn is_busy(&self, from: SocketAddr) -> bool {
        let network = Network::of(from.ip());
        let same = |reply: &&Reply| Network::of(reply.to.ip()) == network;
        let share = network.share(SHARE, usize::MAX);
        self.core.replies.is_full() || self.core.replies.iter().filter(same).count() >= share
    }

    fn answer(&mut self, from: SocketAddr, message: &Message<'_>, query: &Query<'_>) -> ReplyKind {
        if message.transaction.len() > TRANSACTION {
            return ReplyKind::Error(PROTOCOL_ERROR, "transaction id too long");
        }
        match query.method {
            Method::Ping => ReplyKind::Pong,
            Method::FindNode { target } | Method::Other { target: Some(target), .. } => {
                ReplyKind::Nodes(target)
            }
            Method::GetPeers { info_hash, scrape: true, .. } => ReplyKind::Scrape(info_hash),
            Method::GetPeers { info_hash, noseed, scrape: false } => {
                ReplyKind::Peers { torrent: info_hash, noseed }
            }
            Method::AnnouncePeer { info_hash, port, seed, token } => {
                let port = port.unwrap_or(from.port());
                if port == 0 {
                    return ReplyKind::Error(PROTOCOL_ERROR, "port 0 is not valid");
                }
                if !self.core.tokens.accepts(self.core.now, from.ip(), info_hash, token) {
                    return ReplyKind::Error(PROTOCOL_ERROR, "wrong token");
                }
                let peer = SocketAddr::new(from.ip(), port);
                let now = self.core.now;
                peers::store(self.peers, &mut self.core.rng, now, info_hash, peer, seed);
                ReplyKind::Pong
            }
            Method::Get { target, seq } => ReplyKind::Item { target, seq },
            Method::Put(ref put) => self.put(from, put),
            Method::SampleInfohashes { target } => ReplyKind::Samples(target),
            Method::Other { target: None, .. } => {
                ReplyKind::Error(METHOD_UNKNOWN, "unknown method")
            }
        }
    }

    /// Returns whether the sender wants nodes of the family that we know (BEP 32).
    fn wants_our_family(&self, query: &Query<'_>) -> bool {
        let want = query.want;
        match self.core.config.family {
            Family::V4 => want.v4 || !want.v6,
            Family::V6 => want.v6 || !want.v4,
        }
    }
}

/// Returns as much of a transaction id as is echoed.
fn prefix(transaction: &[u8]) -> Vec<u8, TRANSACTION> {
    transaction.iter().copied().take(TRANSACTION).collect()
}
