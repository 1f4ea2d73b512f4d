//! A loudspeaker that starts from a magnet link: it fetches the info dictionary of a torrent from up to three peers. Built
//! for a device this is a program without `std`; built for a desk it prints.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::time::Duration;

use bittorrent_pieces::fetch::{FetchEvent, FetchSlot, FetchSlots};
use bittorrent_pieces::{ConnId, FetchConfig, InfoHash, MetadataFetch, PeerId, Side};

/// Three peers, and an info dictionary of up to 4 KiB.
type Storage = FetchSlots<[FetchSlot; 3], [u8; 4096]>;

/// Lies in a `static` if the program has a way to hand out `&mut`, such as a cell of its runtime.
const STORAGE: Storage = FetchSlots { slots: [FetchSlot::EMPTY; 3], buffer: [0; 4096] };

/// Fetches from one peer that sends `received`. Returns the length of the dictionary, 0 if the peer did not have it.
fn fetch(storage: &mut Storage, mut received: &[u8]) -> Option<usize> {
    let config = FetchConfig::new(InfoHash([7; 20]), PeerId(*b"-BP0001-device000001"));
    let mut fetch = MetadataFetch::new(config, storage).ok()?;
    let mut now = Duration::ZERO; // a timer of the device
    fetch.handle_connected(now, ConnId(0), Side::Dialled).ok()?;
    let mut buf = [0; 512];
    loop {
        while fetch.poll_transmit(&mut buf).ok()?.is_some() {} // write `buf` to the socket
        while let Some(event) = fetch.poll_event() {
            match event {
                FetchEvent::Completed => return fetch.metadata().map(<[u8]>::len),
                FetchEvent::Closed { .. } => return Some(0), // close the socket, dial another peer
                _ => {}
            }
        }
        let read = fetch.handle_bytes(now, ConnId(0), received).ok()?;
        received = received.get(read.consumed..)?;
        if read.consumed == 0 {
            now = fetch.poll_timeout()?; // sleep until then, or until bytes arrive
            fetch.handle_timeout(now);
        }
    }
}

/// Where the handshake of a peer begins; the rest never comes.
const RECEIVED: &[u8] = b"\x13BitTorrent protocol";

#[cfg(not(target_os = "none"))]
fn main() {
    static STORED: std::sync::Mutex<Storage> = std::sync::Mutex::new(STORAGE);
    let len = fetch(&mut STORED.lock().expect("not poisoned"), RECEIVED);
    println!("a dictionary of {len:?} bytes with {} bytes of storage", size_of::<Storage>());
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
        black_box(super::fetch(black_box(&mut storage), black_box(super::RECEIVED)));
        loop {}
    }
}
