//! A node that joins by a snapshot, over the simulated network: gossip without a chain.

use core::time::Duration;
use std::collections::BTreeMap;

use ledger_core::gossip::{
    BlockRequest, BlockVerdict, CloseReason, Event, Gossip, GossipConfig, GossipSlots, Message,
    PeerSlot, SnapshotPlace, TransactionSlot,
};
use ledger_core::node::{HeaderFollower, Join};
use ledger_core::{BlockId, ConnId, Height};
use sim::{Addr, Delivery, Network, StreamId};

use crate::common::driver::{Regions, TestNode};
use crate::common::{Checksum, Ledgers};
use crate::host::{DEPTH, TestGossip, test_node, unix};

pub struct Joiner {
    pub addr: Addr,
    pub node: Option<TestNode>, // once all entries were received
    pub closed: Vec<(Addr, CloseReason)>,
    join: Option<Join<Checksum, Ledgers, Regions>>,
    gossip: TestGossip,
    followers: BTreeMap<ConnId, HeaderFollower<Checksum>>,
    streams: BTreeMap<ConnId, (StreamId, Addr, Vec<u8>)>,
    next_conn: u32,
}

impl Joiner {
    pub fn new(addr: Addr) -> Self {
        let genesis = *test_node(0).genesis_id();
        let storage = GossipSlots {
            peers: vec![PeerSlot::EMPTY; 4],
            blocks: vec![BlockRequest::EMPTY; 1],
            transactions: vec![TransactionSlot::EMPTY; 1],
        };
        let config = GossipConfig::new(genesis, 1 << 16, 77);
        Self {
            addr,
            node: None,
            closed: Vec::new(),
            join: None,
            gossip: Gossip::new(config, storage).expect("it can work"),
            followers: BTreeMap::new(),
            streams: BTreeMap::new(),
            next_conn: 0,
        }
    }

    pub fn poll_timeout(&self) -> Option<Duration> {
        self.gossip.poll_timeout().map(|at| at.saturating_sub(unix(Duration::ZERO)))
    }

    pub fn timeout(&mut self, net: &mut Network) {
        self.gossip.handle_timeout(unix(net.now()));
        self.run(net);
    }

    pub fn deliver(&mut self, net: &mut Network, delivery: Delivery) {
        let now = unix(net.now());
        match delivery {
            Delivery::Opened { stream, peer, .. } => {
                let conn = ConnId(self.next_conn);
                self.next_conn += 1;
                self.gossip.handle_connected(now, conn, true).expect("there is room");
                self.streams.insert(conn, (stream, peer, Vec::new()));
            }
            Delivery::Bytes { stream, bytes, .. } => self.bytes(net, stream, &bytes),
            Delivery::Closed { stream, .. } => {
                let conn = self.streams.iter().find(|(_, (other, _, _))| *other == stream);
                if let Some(conn) = conn.map(|(conn, _)| *conn) {
                    self.streams.remove(&conn);
                    self.gossip.handle_closed(now, conn);
                }
            }
            Delivery::Datagram { .. } => {}
        }
        self.run(net);
    }

    fn bytes(&mut self, net: &mut Network, stream: StreamId, bytes: &[u8]) {
        let found = self.streams.iter_mut().find(|(_, (other, _, _))| *other == stream);
        let Some((conn, (_, _, received))) = found else { return };
        let conn = *conn;
        received.extend_from_slice(bytes);
        let received = core::mem::take(received);
        let mut rest = &received[..];
        while let Ok(taken) = self.gossip.handle_bytes(unix(net.now()), conn, rest) {
            if let Some(message) = taken.outcome {
                self.message(net, conn, message);
            }
            rest = &rest[taken.consumed..];
            if taken.consumed == 0 || rest.is_empty() {
                break;
            }
        }
        if let Some((_, _, received)) = self.streams.get_mut(&conn) {
            *received = rest.to_vec();
        }
    }

    fn message(&mut self, net: &mut Network, conn: ConnId, message: Message<'_>) {
        let now = unix(net.now());
        match message {
            Message::Headers(headers) => {
                let Some(target) = self.target() else { return };
                let new = || HeaderFollower::new(&test_node(1), target);
                let follower = self.followers.entry(conn).or_insert_with(new);
                if let Some(verdict) = follower.handle_headers(now, &headers) {
                    self.gossip.handle_header_checked(now, conn, verdict);
                }
                let base = follower.base(DEPTH);
                if let Some(base) = base.filter(|_| self.join.is_none()) {
                    self.join = Some(Join::new(test_node(1), base));
                }
            }
            Message::Snapshot(_, chunk) => {
                let Some(join) = &mut self.join else { return };
                if join.handle_chunk(chunk).is_err() {
                    self.gossip.handle_block_checked(now, conn, BlockVerdict::Invalid);
                }
            }
            Message::GetHeaders(_) => {
                let (stream, _, _) = self.streams[&conn];
                net.send(stream, self.addr, &[4, 0, 0, 0, 1, 0]); // has none
            }
            _ => {}
        }
    }

    /// Returns the height of the snapshot that most peers hand out.
    fn target(&self) -> Option<Height> {
        self.gossip.peers().filter_map(|peer| peer.snapshot).map(|(height, _)| height).max()
    }

    fn run(&mut self, net: &mut Network) {
        let now = unix(net.now());
        if let Some(join) = &self.join {
            let block = join.tip().id;
            let place = join.next_key().map(|from| SnapshotPlace { block, from });
            self.gossip.want_snapshot(now, place);
            if place.is_none() {
                self.node = self.join.take().and_then(Join::into_node);
            }
        }
        while let Some(event) = self.gossip.poll_event() {
            if let Event::Closed { conn, reason } = event
                && let Some((stream, peer, _)) = self.streams.remove(&conn)
            {
                self.closed.push((peer, reason));
                net.close(stream, self.addr);
            }
        }
        let mut buf = [0; Message::MAX_CONTROL_LEN];
        while let Ok(Some(transmit)) = self.gossip.poll_transmit(&mut buf) {
            net.send(self.streams[&transmit.conn].0, self.addr, &buf[..transmit.len]);
        }
    }

    pub fn tip(&self) -> Option<BlockId> {
        self.node.as_ref().map(|node| node.tip().id)
    }
}
