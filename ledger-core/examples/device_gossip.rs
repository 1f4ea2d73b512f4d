//! A street lamp that follows a chain by two peers: it weighs their headers before it stores any, and fetches the blocks of
//! the heaviest branch. Built for a device this is a program without `std`; built for a desk it prints.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::convert::Infallible;
use core::time::Duration;

use ledger_core::gossip::{
    BlockRequest, BlockVerdict, Event, Gossip, GossipConfig, GossipSlots, Headers, Message,
    PeerSlot, Presync, TransactionSlot,
};
use ledger_core::ledger::Standard;
use ledger_core::node::{
    Event as NodeEvent, HeaderSlot, Node, NodeConfig, NodeSlots, OrphanSlot, Progress,
};
use ledger_core::{
    Ancestry, BlockId, ChainSpec, ConnId, Engine, Hash, Header, JournalSlot, Refused, Rules, Slot,
    Weight,
};

const PEERS: usize = 2;

/// Eight entries, eight writes a block, one block that can be taken back.
type NodeStorage =
    NodeSlots<[Slot; 8], [JournalSlot; 27], [HeaderSlot; 6], [OrphanSlot; 1], [u8; 1024]>;

/// No mempool, so no transactions.
type GossipStorage = GossipSlots<[PeerSlot; PEERS], [BlockRequest; 1], [TransactionSlot; 0]>;

/// Lies in a `static` if the program has a way to hand out `&mut`, such as a cell of its runtime.
struct Storage {
    node: NodeStorage,
    gossip: GossipStorage,
}

const STORAGE: Storage = Storage {
    node: NodeSlots {
        entries: [Slot::EMPTY; 8],
        journal: [JournalSlot::EMPTY; 27],
        headers: [HeaderSlot::EMPTY; 6],
        orphans: [OrphanSlot::EMPTY; 1],
        block: [0; 1024],
    },
    gossip: GossipSlots {
        peers: [PeerSlot::EMPTY; PEERS],
        blocks: [BlockRequest::EMPTY; 1],
        transactions: [],
    },
};

/// Accepts every block. `pow` and `consensus` bring engines for work, stake and authority.
#[derive(Debug, Clone)]
struct Open;

impl Engine for Open {
    type Error = Infallible;

    fn digest(&self) -> Hash {
        Hash::of(b"open")
    }

    fn check(
        &self,
        _: &dyn Ancestry,
        _: &Header,
        _: &[u8],
        _: u64,
    ) -> Result<Weight, Refused<Infallible>> {
        Ok(Weight(1))
    }
}

/// The three machines of the lamp.
struct Lamp<'s> {
    node: Node<Open, Standard, &'s mut NodeStorage>,
    gossip: Gossip<&'s mut GossipStorage>,
    presync: [Presync<Open>; PEERS], // by the number of the connection
}

impl<'s> Lamp<'s> {
    fn new(storage: &'s mut Storage) -> Option<Self> {
        let mut rules = Rules::SMALL;
        rules.max_entries = 8;
        rules.max_writes = 8;
        rules.max_block_len = 1024;
        let spec = ChainSpec { name: "lamps", rules, time: 0, allocation: &[] };
        let config = NodeConfig::new(1, 7); // from the random generator of the chip
        let node = Node::new(&spec, config, Open, Standard, &mut storage.node).ok()?;
        let config = GossipConfig::new(*node.genesis_id(), 1024, 7);
        let presync = [(); PEERS].map(|()| Presync::new(&config));
        let gossip = Gossip::new(config, &mut storage.gossip).ok()?;
        Some(Self { node, gossip, presync })
    }

    /// Handles the bytes of a connection, and returns how many were consumed.
    fn receive(&mut self, now: Duration, conn: ConnId, bytes: &[u8]) -> Option<usize> {
        let received = self.gossip.handle_bytes(now, conn, bytes).ok()?;
        match received.outcome {
            Some(Message::Headers(headers)) => self.headers(now, conn, &headers)?,
            Some(Message::Block(block)) => {
                let result = self.node.handle_block(now, conn, block);
                let verdict = BlockVerdict::of(&self.node, &result);
                self.gossip.handle_block_checked(now, conn, verdict);
            }
            _ => {} // a lamp hands out nothing
        }
        Some(received.consumed)
    }

    fn headers(&mut self, now: Duration, conn: ConnId, headers: &Headers<'_>) -> Option<()> {
        let presync = self.presync.get_mut(usize::try_from(conn.0).ok()?)?;
        if let Some(verdict) = presync.handle_headers(&mut self.node, now, headers) {
            self.gossip.handle_header_checked(now, conn, verdict);
            return Some(());
        }
        for header in headers {
            let result = self.node.handle_header(now, conn, header);
            let verdict = BlockVerdict::of(&self.node, &result);
            self.gossip.handle_header_checked(now, conn, verdict);
        }
        Some(())
    }

    /// Fires what is due and does what the node asks for.
    fn turn(&mut self, now: Duration) {
        self.node.handle_timeout(now);
        self.gossip.handle_timeout(now);
        loop {
            let progress = self.node.work(4);
            match self.node.poll_event() {
                Some(event) => self.node_event(now, &event),
                None if progress == Progress::Idle => return, // else light the street, then go on
                None => {}
            }
        }
    }

    fn node_event(&mut self, now: Duration, event: &NodeEvent<Infallible>) {
        match *event {
            NodeEvent::Keep { id, .. } => self.node.handle_saved(now, &id), // once it is in flash
            NodeEvent::Need { id, height } => self.gossip.want_blocks(now, &[(height, id)]),
            NodeEvent::Connected { .. } | NodeEvent::Disconnected { .. } => {
                let mut ids = [BlockId::default(); 4];
                let len = self.node.locator(&mut ids);
                let locator = ids.get(..len).unwrap_or_default();
                self.gossip.handle_tip(now, self.node.tip(), locator);
            }
            NodeEvent::Invalid { conn, .. } => {
                self.gossip.handle_block_checked(now, conn, BlockVerdict::Invalid);
            }
            _ => {}
        }
    }
}

/// Dials a peer and handles what it sends, until it is disconnected. Returns the number of messages sent, and the height
/// of the chain.
fn follow(storage: &mut Storage, mut received: &[u8]) -> Option<(u32, u64)> {
    let mut lamp = Lamp::new(storage)?;
    let mut now = Duration::from_secs(1000); // since the Unix epoch, from a clock of the device
    lamp.gossip.handle_connected(now, ConnId(0), true).ok()?;
    let mut buf = [0; Message::MAX_CONTROL_LEN];
    let mut sent = 0_u32;
    loop {
        lamp.turn(now);
        while lamp.gossip.poll_transmit(&mut buf).ok()?.is_some() {
            sent = sent.saturating_add(1); // write `buf` to the socket
        }
        while let Some(event) = lamp.gossip.poll_event() {
            match event {
                Event::Unavailable { .. } => lamp.node.give_up(),
                Event::Closed { .. } => return Some((sent, lamp.node.tip().height.0)), // close the socket
                _ => {}
            }
        }
        let consumed = lamp.receive(now, ConnId(0), received)?;
        received = received.get(consumed..)?;
        if consumed == 0 {
            let deadlines = [lamp.node.poll_timeout(), lamp.gossip.poll_timeout()];
            now = deadlines.into_iter().flatten().min()?; // sleep until then, or until bytes arrive
        }
    }
}

#[cfg(not(target_os = "none"))]
fn main() -> Result<(), Box<dyn core::error::Error>> {
    use ledger_core::gossip::{HeadersWriter, Hello, Status};
    use ledger_core::{Account, Block, Body, Claim};

    static STORED: std::sync::Mutex<Storage> = std::sync::Mutex::new(STORAGE);

    // A peer with one block.
    let mut peers_storage = STORAGE;
    let mut peer = Lamp::new(&mut peers_storage).ok_or("no node")?.node;
    let header = peer.propose(60, Account::default(), &Body::default(), Claim::NONE)?;
    let height = header.height;
    let tip = header.id(peer.genesis_id());
    let mut block = [0; 1024];
    let len = Block::new(header, &[], Body::default())?.encode(&mut block)?;
    let block = &block[..len];
    let status = Status { height, tip };
    let hello = Hello { genesis: *peer.genesis_id(), nonce: 1, status };
    let mut sent = [0; 4096];
    let mut len = Message::Hello(hello).encode(&mut sent)?;
    let mut headers = HeadersWriter::new(&mut sent[len..])?;
    headers.push(block);
    len += headers.finish(false);
    len += Message::Block(block).encode(&mut sent[len..])?;

    let followed = follow(&mut STORED.lock().expect("not poisoned"), &sent[..len]);
    let (messages, height) = followed.ok_or("the lamp stopped")?;
    let bytes = size_of::<Storage>() + size_of::<Lamp<'_>>();
    println!("height {height} after {messages} messages, with {bytes} bytes");
    Ok(())
}

#[cfg(target_os = "none")]
mod device {
    use core::hint::black_box;

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        loop {}
    }

    #[unsafe(no_mangle)]
    extern "C" fn _start() -> ! {
        let mut storage = super::STORAGE;
        black_box(super::follow(black_box(&mut storage), black_box(&[])));
        loop {}
    }
}
