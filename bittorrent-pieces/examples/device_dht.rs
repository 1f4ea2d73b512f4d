//! A DHT node in static memory, as firmware has it. Built for a device this is a program without `std`; built
//! for a desk it prints.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use bittorrent_pieces::InfoHash;
use bittorrent_pieces::dht::{
    DhtConfig, DhtEvent, DhtNode, DhtSlots, ItemSlot, LookupSlot, MAX_LEN, NodeId, RouteSlot,
    StoredPeerSlot,
};

type Storage = DhtSlots<[RouteSlot; 32], [LookupSlot; 1], [StoredPeerSlot; 8], [ItemSlot; 0]>;

/// Lies in a `static` if the program has a way to hand out `&mut`, such as a cell of its runtime.
pub const STORAGE: Storage = DhtSlots {
    routes: [RouteSlot::EMPTY; 32],
    lookups: [LookupSlot::EMPTY; 1],
    peers: [StoredPeerSlot::EMPTY; 8],
    items: [], // the device stores no items
};

/// The router of the network; a device would read it from its settings.
const ROUTER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 6881);

/// Looks for the peers of a torrent through a router that does not answer. Returns the number of datagrams.
#[must_use]
pub fn look_up(storage: &mut Storage, torrent: InfoHash) -> Option<u32> {
    let config = DhtConfig::new(NodeId([1; 20]), [7; 16]); // from the random generator of the chip
    let mut node = DhtNode::new(config, storage).ok()?;
    node.add(Duration::ZERO, ROUTER).ok()?;
    node.find_peers(Duration::ZERO, torrent, None).ok()?;
    let mut buf = [0; MAX_LEN];
    let mut sent = 0_u32;
    loop {
        while node.poll_transmit(&mut buf).ok()?.is_some() {
            sent = sent.saturating_add(1); // hand `buf` to the network
        }
        if let Some(DhtEvent::Finished { .. }) = node.poll_event() {
            return Some(sent);
        }
        let now = node.poll_timeout()?; // sleep until then
        node.handle_timeout(now);
    }
}

#[cfg(not(target_os = "none"))]
fn main() {
    let mut storage = STORAGE;
    let sent = look_up(&mut storage, InfoHash([9; 20]));
    println!("{sent:?} datagrams with {} bytes of storage", size_of::<Storage>());
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
        black_box(super::look_up(black_box(&mut storage), super::InfoHash([9; 20])));
        loop {}
    }
}
