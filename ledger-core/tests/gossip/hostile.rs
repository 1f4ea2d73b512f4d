//! Peers that break the protocol, or use it to waste what others have.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use ledger_core::gossip::{
    BlockIds, HeadersWriter, Hello, MAX_HEADERS, Message, MessageError, Status, TxIds,
};
use ledger_core::node::SnapshotSource;
use ledger_core::{
    Action, Block, BlockId, Body, Claim, GenesisId, Header, Height, KeyPair, Slot, Transaction,
    TxId,
};
use sim::{Addr, Network, Rng, StreamId};

use crate::common::{self, World};
use crate::host::send;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Answers with headers on block 0 that weigh nothing, without an end.
    LowWork,
    /// Answers with headers whose parents nobody knows.
    Orphans,
    /// Delivers blocks whose bodies were changed.
    InvalidBodies,
    /// Claims all blocks and delivers none.
    Withheld,
    /// Announces ever new transactions with one sequence number.
    OneSequence,
    /// Announces transactions of accounts that own nothing.
    Spam,
    /// Hands out a state in which one balance is changed.
    Snapshots,
}

impl Kind {
    pub const ALL: [Self; 6] = [
        Self::LowWork,
        Self::Orphans,
        Self::InvalidBodies,
        Self::Withheld,
        Self::OneSequence,
        Self::Spam,
    ];
}

pub struct Hostile {
    pub addr: Addr,
    pub kind: Kind,
    pub blocks: BTreeMap<BlockId, Vec<u8>>, // real ones
    pub chain: Vec<BlockId>,
    pub source: Option<SnapshotSource<Vec<Slot>>>, // a real one
    rng: Rng,
    genesis: GenesisId,
    streams: BTreeMap<StreamId, Vec<u8>>,
    offered: BTreeMap<TxId, Vec<u8>>,
}

/// Returns the ids of headers that weigh nothing.
pub fn light_ids(genesis: &GenesisId) -> Vec<BlockId> {
    let id = |bytes: &Vec<u8>| Block::decode(bytes).expect("a block").0.id(genesis);
    light_blocks().iter().map(id).collect()
}

/// Blocks on block 0 that weigh nothing.
fn light_blocks() -> &'static Vec<Vec<u8>> {
    static BLOCKS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    BLOCKS.get_or_init(|| {
        let mut world = World::new();
        let make = |_| {
            let bytes = common::driver::seal_with(&mut world, 0);
            world.chain.append(world.now, &bytes).expect("a valid block");
            world.now += 1;
            bytes
        };
        (0..400).map(make).collect()
    })
}

impl Hostile {
    pub fn new(addr: Addr, kind: Kind, genesis: GenesisId) -> Self {
        Self {
            addr,
            kind,
            blocks: BTreeMap::new(),
            chain: Vec::new(),
            source: None,
            rng: Rng::new(u64::from(addr.0)),
            genesis,
            streams: BTreeMap::new(),
            offered: BTreeMap::new(),
        }
    }

    pub fn connections(&self) -> usize {
        self.streams.len()
    }

    pub fn opened(&mut self, net: &mut Network, stream: StreamId) {
        self.streams.insert(stream, Vec::new());
        let status = self.status();
        let hello = Hello { genesis: self.genesis, nonce: self.rng.next_u64(), status };
        send(net, stream, self.addr, &Message::Hello(hello));
        if let Some(source) = &self.source {
            let offer = Status { height: source.header().height, tip: source.id() };
            send(net, stream, self.addr, &Message::HaveSnapshot(offer));
        }
    }

    pub fn closed(&mut self, stream: StreamId) {
        self.streams.remove(&stream);
    }

    fn status(&mut self) -> Status {
        let mut tip = [0; 32];
        self.rng.fill(&mut tip);
        Status { height: Height(1_000_000), tip: BlockId::from_bytes(tip) }
    }

    /// Sends what nobody asked for.
    pub fn tick(&mut self, net: &mut Network) {
        let mut ids = Vec::new();
        if matches!(self.kind, Kind::OneSequence | Kind::Spam) {
            ids.extend((0..8).map(|_| *self.transaction().as_bytes()));
        }
        for stream in self.streams.keys().copied().collect::<Vec<_>>() {
            if ids.is_empty() {
                let status = self.status();
                send(net, stream, self.addr, &Message::Status(status));
            } else {
                send(net, stream, self.addr, &Message::HaveTransactions(TxIds::new(&ids)));
            }
        }
    }

    /// Makes a transaction that no mempool has use for.
    fn transaction(&mut self) -> TxId {
        let key = if self.kind == Kind::OneSequence {
            common::key(0)
        } else {
            let mut secret = [0; 32];
            self.rng.fill(&mut secret);
            KeyPair::from_secret(&secret)
        };
        let amount = 1 + self.rng.below(500);
        let action = Action::Pay { to: common::key(1).account(), amount };
        let transaction = Transaction::new(key.account(), 0, action);
        let mut buf = [0; Transaction::MAX_LEN];
        let signed = transaction.sign(&self.genesis, &key, &mut buf).expect("its own key");
        let id = signed.id(&self.genesis);
        self.offered.insert(id, signed.as_bytes().to_vec());
        id
    }

    pub fn bytes(&mut self, net: &mut Network, stream: StreamId, bytes: &[u8]) {
        let Some(received) = self.streams.get_mut(&stream) else { return };
        received.extend_from_slice(bytes);
        let received = core::mem::take(received);
        let mut rest = &received[..];
        loop {
            match Message::decode(rest) {
                Ok((message, after)) => {
                    self.answer(net, stream, message);
                    rest = after;
                }
                Err(MessageError::Incomplete { .. }) => break,
                Err(error) => panic!("an honest node sent a wrong message: {error}"),
            }
        }
        let rest = rest.to_vec();
        if let Some(received) = self.streams.get_mut(&stream) {
            *received = rest;
        }
    }

    fn answer(&mut self, net: &mut Network, stream: StreamId, message: Message<'_>) {
        match (message, self.kind) {
            (Message::GetHeaders(ids), Kind::LowWork) => {
                let first = ids.iter().next().unwrap_or_default();
                self.send_light_headers(net, stream, first);
            }
            (Message::GetHeaders(ids), Kind::Snapshots) => self.send_headers(net, stream, ids),
            (Message::GetSnapshot(place), Kind::Snapshots) => {
                let mut out = [0; 800];
                let source = self.source.as_mut().expect("it has one");
                let Ok(Some(len)) = source.chunk(&place.from, &mut out) else { return };
                out[2 + 32 + 1] ^= 1; // the first byte of the first value
                send(net, stream, self.addr, &Message::Snapshot(place, &out[..len]));
            }
            (Message::GetHeaders(_), Kind::Orphans) => self.send_orphans(net, stream),
            (Message::GetBlock(id), Kind::InvalidBodies) => {
                let Some(bytes) = self.blocks.get(&id) else { return };
                let mut bytes = bytes.clone();
                let (block, _) = Block::decode(&bytes).expect("a real block");
                if block.body().is_empty() {
                    bytes.push(0);
                } else {
                    let at = bytes.len() - 1;
                    bytes[at] ^= 1;
                }
                send(net, stream, self.addr, &Message::Block(&bytes));
            }
            (Message::GetTransaction(id), _) => {
                if let Some(bytes) = self.offered.get(&id) {
                    send(net, stream, self.addr, &Message::Transaction(bytes));
                }
            }
            _ => {}
        }
    }

    fn send_headers(&self, net: &mut Network, stream: StreamId, ids: BlockIds<'_>) {
        let position = |id: BlockId| self.chain.iter().position(|other| *other == id);
        let known = ids.iter().find_map(position).unwrap_or(0);
        let mut out = vec![0; 30_000];
        let mut writer = HeadersWriter::new(&mut out).expect("long enough");
        let mut following = self.chain[known + 1..].iter();
        let more = following.any(|id| !writer.push(&self.blocks[id]));
        let len = writer.finish(more);
        net.send(stream, self.addr, &out[..len]);
    }

    fn send_light_headers(&self, net: &mut Network, stream: StreamId, after: BlockId) {
        let is_it = |bytes: &Vec<u8>| {
            Block::decode(bytes).is_ok_and(|(block, _)| block.id(&self.genesis) == after)
        };
        let from = light_blocks().iter().position(is_it).map_or(0, |at| at + 1);
        let mut out = vec![0; 30_000];
        let mut writer = HeadersWriter::new(&mut out).expect("long enough");
        for block in light_blocks()[from..].iter().take(MAX_HEADERS) {
            writer.push(block);
        }
        let len = writer.finish(true);
        net.send(stream, self.addr, &out[..len]);
    }

    fn send_orphans(&mut self, net: &mut Network, stream: StreamId) {
        let mut out = vec![0; 30_000];
        let mut writer = HeadersWriter::new(&mut out).expect("long enough");
        let (block, _) = Block::decode(&light_blocks()[0]).expect("a block");
        for _ in 0..MAX_HEADERS {
            let mut parent = [0; 32];
            self.rng.fill(&mut parent);
            let header = Header {
                height: Height(1000 + self.rng.below(1000)),
                parent: BlockId::from_bytes(parent),
                body_size: 0,
                body_root: Body::default().head().root,
                claim: weight_claim(),
                ..*block.header()
            };
            writer.push(&common::seal(&self.genesis, &header, &Body::default()));
        }
        let len = writer.finish(true);
        net.send(stream, self.addr, &out[..len]);
    }
}

fn weight_claim() -> Claim {
    common::claim(200)
}
