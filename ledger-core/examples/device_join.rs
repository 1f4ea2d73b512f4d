//! A door lock that joins a chain by the state after a final block, without the blocks before it. Built for a device this is
//! a program without `std`; built for a desk it joins a second node.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::convert::Infallible;
use core::time::Duration;

use ledger_core::gossip::Headers;
use ledger_core::ledger::Standard;
use ledger_core::node::{
    HeaderFollower, HeaderSlot, Join, Node, NodeConfig, NodeSlots, OrphanSlot,
};
use ledger_core::state::Key;
use ledger_core::{
    Account, Ancestry, ChainSpec, Engine, Hash, Header, Height, JournalSlot, Refused, Rules, Slot,
    Weight,
};

/// Eight entries, eight writes a block, one block that can be taken back.
type Storage =
    NodeSlots<[Slot; 8], [JournalSlot; 27], [HeaderSlot; 6], [OrphanSlot; 1], [u8; 1024]>;

/// Lies in a `static` if the program has a way to hand out `&mut`, such as a cell of its runtime.
const STORAGE: Storage = NodeSlots {
    entries: [Slot::EMPTY; 8],
    journal: [JournalSlot::EMPTY; 27],
    headers: [HeaderSlot::EMPTY; 6],
    orphans: [OrphanSlot::EMPTY; 1],
    block: [0; 1024],
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

type Lock<'s> = Node<Open, Standard, &'s mut Storage>;

/// Returns a node that knows block 0.
fn node(storage: &mut Storage) -> Option<Lock<'_>> {
    let mut rules = Rules::SMALL;
    rules.max_entries = 8;
    rules.max_writes = 8;
    rules.max_block_len = 1024;
    let allocation = &[(Account::from_bytes([1; 32]), 100)];
    let spec = ChainSpec { name: "locks", rules, time: 0, allocation };
    Node::new(&spec, NodeConfig::new(1, 7), Open, Standard, storage).ok()
}

/// Joins by the state after the block at height `target`, with the headers of a peer and a function that asks it for a
/// chunk from a key on. Returns the height at which the node starts.
fn join(
    storage: &mut Storage,
    target: Height,
    headers: &Headers<'_>,
    mut ask: impl FnMut(&Key, &mut [u8]) -> Option<usize>,
) -> Option<u64> {
    let now = Duration::from_secs(60); // since the Unix epoch, from a clock of the device
    let node = node(storage)?;
    let mut follower = HeaderFollower::new(&node, target);
    follower.handle_headers(now, headers); // asks for more until it returns `None`
    let mut join = Join::new(node, follower.base(1)?);
    let mut chunk = [0; 1024]; // 8,598 bytes for a state of any size
    while let Some(key) = join.next_key() {
        let len = ask(&key, &mut chunk)?;
        join.handle_chunk(chunk.get(..len)?).ok()?; // the peer's fault: ask another one
    }
    let node = join.into_node()?; // goes on with the blocks that follow
    Some(node.tip().height.0)
}

#[cfg(not(target_os = "none"))]
fn main() -> Result<(), Box<dyn core::error::Error>> {
    use ledger_core::gossip::{HeadersWriter, Message};
    use ledger_core::node::{Event, Progress, SnapshotSource};
    use ledger_core::{Block, Body, Claim, ConnId};

    static STORED: std::sync::Mutex<Storage> = std::sync::Mutex::new(STORAGE);

    let mut peers_storage = STORAGE;
    let mut peer = node(&mut peers_storage).ok_or("no node")?;
    let mut message = [0; 4096];
    let mut headers = HeadersWriter::new(&mut message)?;
    for second in 1..=4 {
        let now = Duration::from_secs(second);
        let header = peer.propose(second, Account::default(), &Body::default(), Claim::NONE)?;
        let mut block = [0; 1024];
        let len = Block::new(header, &[], Body::default())?.encode(&mut block)?;
        headers.push(&block[..len]);
        peer.handle_block(now, ConnId(0), &block[..len])?;
        while peer.work(100) == Progress::Pending {}
        while let Some(event) = peer.poll_event() {
            if let Event::Keep { id, .. } = event {
                peer.handle_saved(now, &id);
            }
        }
    }
    let len = headers.finish(false);
    let (Message::Headers(headers), _) = Message::decode(&message[..len])? else {
        return Err("no headers".into());
    };
    let mut snapshot = Vec::new();
    let write = |piece: &[u8]| {
        snapshot.extend_from_slice(piece);
        Ok::<(), Infallible>(())
    };
    peer.snapshot(write)?;
    let mut rules = Rules::SMALL;
    rules.max_entries = 8;
    let slots = [Slot::EMPTY; 8];
    let mut source = SnapshotSource::new(peer.genesis_id(), &rules, &snapshot, slots)?;

    let target = source.header().height;
    let mut storage = STORED.lock().expect("not poisoned");
    let height = join(&mut storage, target, &headers, |key, out| source.chunk(key, out).ok()?);
    println!("joined at height {height:?} with {} bytes of storage", size_of::<Storage>());
    Ok(())
}

#[cfg(target_os = "none")]
mod device {
    use core::hint::black_box;

    use ledger_core::Height;
    use ledger_core::gossip::Message;

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        loop {}
    }

    #[unsafe(no_mangle)]
    extern "C" fn _start() -> ! {
        let mut storage = super::STORAGE;
        let received: &[u8] = black_box(&[]);
        if let Ok((Message::Headers(headers), _)) = Message::decode(received) {
            let ask = |_: &_, chunk: &mut [u8]| black_box(Some(chunk.len()));
            black_box(super::join(&mut storage, black_box(Height(3)), &headers, ask));
        }
        loop {}
    }
}
