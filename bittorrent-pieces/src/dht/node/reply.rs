//! The replies that a node sends.

use core::time::Duration;

use super::inner::{Reply, ReplyKind, View};
use super::transmit::{VERSION, write};
use crate::compact::CompactPeers;
use crate::compact::Family;
use crate::dht::bloom::BloomFilter;
use crate::dht::id::NodeId;
use crate::dht::krpc::{Body, CompactNodes, Message, Response, Samples, Values};
use crate::dht::limits::K;
use crate::dht::peers;
use crate::dht::table::nearest;
use crate::error::BufferTooSmall;
use crate::id::InfoHash;
use crate::rng::Rng;

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

impl View<'_> {
    /// Writes a reply of at most its maximum length. Each kind has a function, for its buffers are large.
    pub(super) fn write_reply(
        &self,
        reply: &Reply,
        rng: &mut Rng,
        buf: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        let head = BASE_LEN.saturating_add(reply.transaction.len());
        let budget = reply.max_len.saturating_sub(head);
        match reply.kind {
            ReplyKind::Error(..) | ReplyKind::Pong => self.write_short(reply, buf),
            ReplyKind::Nodes(target) => self.write_near(reply, target, budget, buf),
            ReplyKind::Peers { torrent, noseed } => {
                self.write_peers(reply, torrent, noseed, budget, rng, buf)
            }
            ReplyKind::Scrape(torrent) => self.write_filters(reply, torrent, budget, buf),
            ReplyKind::Item { target, seq } => self.write_item(reply, target, seq, budget, buf),
            ReplyKind::Samples(target) => self.write_samples(reply, target, budget, rng, buf),
        }
    }

    /// Writes an error or a response of an id alone.
    #[inline(never)]
    fn write_short(&self, reply: &Reply, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let body = match reply.kind {
            ReplyKind::Error(code, text) => Body::Error { code, text: text.as_bytes() },
            _ => Body::Response(Response::new(self.core.config.id)),
        };
        write_message(reply, Message::new(&reply.transaction, body), buf)
    }

    #[inline(never)]
    fn write_near(
        &self,
        reply: &Reply,
        target: NodeId,
        budget: usize,
        buf: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        let response = Response::new(self.core.config.id);
        self.write_nodes(reply, target, budget, &response, buf)
    }

    #[inline(never)]
    fn write_peers(
        &self,
        reply: &Reply,
        torrent: InfoHash,
        noseed: bool,
        mut budget: usize,
        rng: &mut Rng,
        buf: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        let mut room = [0; VALUES * 20];
        let token = self.core.tokens.give(self.core.now, reply.to.ip(), torrent);
        let mut response = Response::new(self.core.config.id);
        response.token = Some(&token);
        budget = budget.saturating_sub(TOKEN_LEN + VALUES_LEN);
        let used = self.put_peers(torrent, noseed, budget, rng, &mut room, &mut response);
        budget = budget.saturating_sub(used);
        self.write_nodes(reply, torrent.into(), budget, &response, buf)
    }

    #[inline(never)]
    fn write_filters(
        &self,
        reply: &Reply,
        torrent: InfoHash,
        mut budget: usize,
        buf: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        let mut seeds = BloomFilter::EMPTY;
        let mut leechers = BloomFilter::EMPTY;
        let token = self.core.tokens.give(self.core.now, reply.to.ip(), torrent);
        let mut response = Response::new(self.core.config.id);
        response.token = Some(&token);
        budget = budget.saturating_sub(TOKEN_LEN);
        if let Some(left) = budget.checked_sub(FILTERS_LEN) {
            self.filter(torrent, &mut seeds, &mut leechers);
            response.seeds = Some(&seeds.0);
            response.leechers = Some(&leechers.0);
            budget = left;
        }
        self.write_nodes(reply, torrent.into(), budget, &response, buf)
    }

    #[inline(never)]
    fn write_item(
        &self,
        reply: &Reply,
        target: NodeId,
        seq: Option<i64>,
        mut budget: usize,
        buf: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        let token;
        let mut response = Response::new(self.core.config.id);
        if !self.items.is_empty() {
            token = self.core.tokens.give(self.core.now, reply.to.ip(), InfoHash(target.0));
            response.token = Some(&token);
            budget = budget.saturating_sub(TOKEN_LEN);
        }
        let used = self.put_stored(target, seq, budget, &mut response);
        budget = budget.saturating_sub(used);
        self.write_nodes(reply, target, budget, &response, buf)
    }

    #[inline(never)]
    fn write_samples(
        &self,
        reply: &Reply,
        target: NodeId,
        mut budget: usize,
        rng: &mut Rng,
        buf: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        let mut samples = heapless::Vec::new();
        budget = budget.saturating_sub(SAMPLE_LEN);
        let stored = self.sample(budget / 2, rng, &mut samples);
        let mut response = Response::new(self.core.config.id);
        response.samples = Some(Samples::new(&samples, stored, SAMPLE_INTERVAL));
        budget = budget.saturating_sub(samples.len().saturating_mul(20));
        self.write_nodes(reply, target, budget, &response, buf)
    }

    /// Writes a response with the nodes nearest to an id, as many as `budget` bytes hold.
    #[inline(never)]
    fn write_nodes(
        &self,
        reply: &Reply,
        target: NodeId,
        budget: usize,
        response: &Response<'_>,
        buf: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        let mut room = [0; K * 38];
        let nodes = self.nodes_near(reply, target, budget, &mut room);
        let (nodes, nodes6) = match self.core.config.family {
            Family::V4 => (nodes, None),
            Family::V6 => (None, nodes),
        };
        let body = Body::Response(Response { nodes, nodes6, ..*response });
        write_message(reply, Message::new(&reply.transaction, body), buf)
    }

    /// Returns the nodes nearest to an id, as many as `budget` bytes hold, if they are wanted.
    fn nodes_near<'b>(
        &self,
        reply: &Reply,
        target: NodeId,
        budget: usize,
        room: &'b mut [u8],
    ) -> Option<CompactNodes<'b>> {
        if !reply.wanted {
            return None;
        }
        let family = self.core.config.family;
        let stride = family.stride().saturating_add(20);
        let most = budget.checked_div(stride).unwrap_or(0);
        let mut len = 0_usize;
        for contact in nearest(self.routes, target).take(most) {
            let free = room.get_mut(len..).unwrap_or_default();
            let written = CompactNodes::encode(contact.id, contact.addr, free).unwrap_or(0);
            len = len.saturating_add(written);
        }
        CompactNodes::new(family, room.get(..len).unwrap_or_default())
    }

    /// Puts a random choice of the stored peers into a response, of each network one as far as there are others; returns the number of bytes they take. At
    /// most half of the budget is used, so that nodes fit too.
    #[inline(never)] // its choice is not in use while the message is written
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
        let wanted = stored.filter(|peer| !(noseed && peer.seed)).map(|peer| &peer.addr);
        let mut drawn = peers::sample::<_, { 2 * VALUES }>(wanted, most.saturating_mul(2), rng);
        let chosen = peers::spread::<VALUES>(&mut drawn, most, rng);
        let mut len = 0_usize;
        for addr in &chosen {
            let free = room.get_mut(len..).unwrap_or_default();
            len = len.saturating_add(CompactPeers::encode(**addr, free).unwrap_or(0));
        }
        let compact = CompactPeers::new(family, room.get(..len).unwrap_or_default());
        response.values = compact.filter(|peers| !peers.is_empty()).map(Values::new);
        chosen.len().saturating_mul(stride)
    }

    /// Chooses torrents for a sample; returns the approximate number of all.
    #[inline(never)] // as `put_peers`
    fn sample(
        &self,
        budget: usize,
        rng: &mut Rng,
        sample: &mut heapless::Vec<[u8; 20], SAMPLES>,
    ) -> u32 {
        let stored = peers::fresh(self.peers, self.core.now).map(|peer| &peer.torrent);
        for torrent in peers::sample::<_, { 2 * SAMPLES }>(stored, 2 * SAMPLES, rng) {
            if sample.len() < budget / 20 && !sample.contains(&torrent.0) {
                let _ = sample.push(torrent.0); // in a full sample there is no room
            }
        }
        peers::torrents(self.peers, self.core.now)
    }
}

/// Adds what all replies have, and writes the message.
fn write_message(
    reply: &Reply,
    mut message: Message<'_>,
    buf: &mut [u8],
) -> Result<usize, BufferTooSmall> {
    message.version = Some(VERSION);
    message.ip = Some(reply.to);
    write(&message, buf)
}
