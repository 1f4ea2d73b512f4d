//! A camera that keeps connections to four peers of a torrent, of 32 whose addresses it knows. Built for a device this is a
//! program without `std`; built for a desk it prints.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use bittorrent_pieces::PeerBook;
use bittorrent_pieces::peer_book::{
    AddressSlot, BanSlot, BookEvent, ConnSlot, PeerBookConfig, PeerBookSlots, PeerSource,
};

type Storage = PeerBookSlots<[AddressSlot; 32], [ConnSlot; 4], [BanSlot; 4]>;

/// Lies in a `static` if the program has a way to hand out `&mut`, such as a cell of its runtime.
const STORAGE: Storage = PeerBookSlots {
    addresses: [AddressSlot::EMPTY; 32],
    conns: [ConnSlot::EMPTY; 4],
    bans: [BanSlot::EMPTY; 4],
};

/// Dials one peer, which cannot be reached, until `end`. Returns the number of dials.
fn dial(storage: &mut Storage, end: Duration) -> Option<u32> {
    let mut config = PeerBookConfig::new(7); // from the random generator of the chip
    config.wanted = 2;
    config.dialled = 3; // one slot is for a peer that dials the device
    config.dials = 1;
    let mut book = PeerBook::new(config, storage).ok()?;
    let mut now = Duration::ZERO; // a timer of the device
    let peer = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 6881);
    book.add(now, peer, PeerSource::Tracker, false);
    let mut dials = 0_u32;
    while now < end {
        while let Some(event) = book.poll_event() {
            // `AskSources`: announce to the tracker; others: close the socket.
            if let BookEvent::Dial { addr } = event {
                dials = dials.saturating_add(1);
                book.handle_dial_failed(now, addr); // or `handle_dialled` with the number of the connection
            }
        }
        now = book.poll_timeout()?; // sleep until then, or until a connection changes
        book.handle_timeout(now);
    }
    Some(dials)
}

const HOUR: Duration = Duration::from_secs(3_600);

#[cfg(not(target_os = "none"))]
fn main() {
    static STORED: std::sync::Mutex<Storage> = std::sync::Mutex::new(STORAGE);
    let dials = dial(&mut STORED.lock().expect("not poisoned"), HOUR);
    println!("{dials:?} dials in an hour with {} bytes of storage", size_of::<Storage>());
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
        black_box(super::dial(black_box(&mut storage), black_box(super::HOUR)));
        loop {}
    }
}
