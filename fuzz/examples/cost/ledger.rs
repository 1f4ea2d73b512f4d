//! Rows of `ledger-core`.

use core::time::Duration;

use ledger_core::gossip::{
    BlockIds, Gossip, GossipConfig, GossipLimits, GossipVec, HeadersWriter, Hello, Message, Status,
    TxIds,
};
use ledger_core::ledger::Standard;
use ledger_core::node::{Node, NodeConfig, NodeLimits, NodeVec};
use ledger_core::{
    Account, BlockId, ChainSpec, ConnId, GenesisId, Hash, Header, Height, Rules, SealedHeader,
};
use pow::{CompactTarget, WorkSeal};

use super::{Row, Send, Step, millis, row};

pub(super) const ROWS: &[Row] = &[
    row("Gossip: announcements of made-up transactions", || {
        gossip(|n| encoded(&Message::HaveTransactions(TxIds::new(&fresh(n)))))
    }),
    row("Gossip: locators of unknown blocks", || {
        gossip(|n| encoded(&Message::GetHeaders(BlockIds::new(&fresh(n)))))
    }),
    row("Gossip: requests for unknown blocks", || {
        gossip(|n| encoded(&Message::GetBlock(BlockId::from_bytes(fresh(n)[0]))))
    }),
    row("Gossip: headers that nobody asked for", || {
        gossip(|n| {
            let mut bytes = vec![0; 600];
            let mut writer = HeadersWriter::new(&mut bytes).unwrap();
            writer.push(&sealed(&header(BlockId::from_bytes(fresh(n)[0]))));
            let len = writer.finish(false);
            bytes.truncate(len);
            bytes
        })
    }),
    row("Node: headers without work", || node(true)),
    row("Node: headers of no known parent", || node(false)),
    row("Note: 64 signature lines", note),
];

/// Eight ids that were not sent before.
fn fresh(n: u64) -> [[u8; 32]; 8] {
    core::array::from_fn(|at| {
        *Hash::of(&[n.to_le_bytes(), (at as u64).to_le_bytes()].concat()).as_bytes()
    })
}

fn encoded(message: &Message<'_>) -> Vec<u8> {
    let mut bytes = vec![0; message.encoded_len()];
    message.encode(&mut bytes).unwrap();
    bytes
}

/// A node with 64 peers that have all said who they are.
fn gossip(message: fn(u64) -> Vec<u8>) -> Send {
    let genesis = GenesisId::default();
    let limits = GossipLimits { peers: 64, blocks: 256, transactions: 1_024 };
    let config = GossipConfig::new(genesis, 1 << 20, 7);
    let mut gossip = Gossip::new(config, GossipVec::new(limits)).unwrap();
    let status = Status { height: Height(0), tip: BlockId::default() };
    let mut buf = vec![0; Message::MAX_CONTROL_LEN];
    let greet = move |gossip: &mut Gossip<GossipVec>, now, conn: ConnId| {
        let hello = Hello { genesis, nonce: u64::from(conn.0) + 100, status };
        let _ = gossip.handle_connected(now, conn, false); // or full
        let _ = gossip.handle_bytes(now, conn, &encoded(&Message::Hello(hello)));
    };
    for conn in 0..64 {
        greet(&mut gossip, Duration::ZERO, ConnId(conn));
    }
    Box::new(move |n| {
        let conn = ConnId(n as u32 % 64);
        let bytes = message(n);
        let received = gossip.handle_bytes(millis(n), conn, &bytes);
        if received.is_err() {
            greet(&mut gossip, millis(n), conn);
        }
        let taken = received.map_or(0, |received| received.consumed);
        let sent = drain!(gossip, buf);
        gossip.handle_timeout(millis(n));
        Step { taken, sent }
    })
}

fn header(parent: BlockId) -> Header {
    Header {
        parent,
        height: Height(1),
        time: 1,
        history: Hash::ZERO,
        body_size: 0,
        body_root: Hash::of(&[]),
        state: Hash::ZERO,
        author: Account::default(),
        claim: WorkSeal::claim(CompactTarget(0x1d00_ffff), 7),
    }
}

fn sealed(header: &Header) -> Vec<u8> {
    let sealed = SealedHeader { header: *header, proof: &[] };
    let mut bytes = vec![0; sealed.encoded_len()];
    sealed.encode(&mut bytes).unwrap();
    bytes
}

/// A node that remembers ten thousand headers.
fn node(has_parent: bool) -> Send {
    let rules = Rules::DEFAULT;
    let spec = ChainSpec { name: "cost", rules, time: 0, allocation: &[] };
    let mut config = NodeConfig::new(1_000, 7);
    config.confirmations = 1_000;
    let limits = NodeLimits { headers: 10_000, ..NodeLimits::new(&rules, &config) };
    let seal = WorkSeal::new(CompactTarget(0x1d00_ffff)).unwrap();
    let mut node = Node::new(&spec, config, seal, Standard, NodeVec::new(limits)).unwrap();
    let genesis = node.tip().id;
    Box::new(move |n| {
        let parent = if has_parent { genesis } else { BlockId::from_bytes(fresh(n)[0]) };
        let mut header = header(parent);
        header.body_size = n as u32;
        let bytes = sealed(&header);
        let _ =
            core::hint::black_box(node.handle_header(Duration::from_secs(600), ConnId(0), &bytes));
        while node.poll_event().is_some() {}
        Step { taken: bytes.len(), sent: 0 }
    })
}

fn note() -> Send {
    use ledger_core::log::Note;
    let line = "\u{2014} witness.example/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZ/xgqLZxu95oHqhLvRxg=\n";
    let text = format!("example.com/log\n9\nabc=\n\n{}", line.repeat(64));
    Box::new(move |_| {
        if let Ok(note) = Note::parse(text.as_bytes()) {
            core::hint::black_box(note.signatures().count());
        }
        Step { taken: text.len(), sent: 0 }
    })
}
