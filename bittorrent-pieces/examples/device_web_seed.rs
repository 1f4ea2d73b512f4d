//! A car that loads its maps from a web server as if that were a peer of the torrent. Built for a device this is a program
//! without `std`; built for a desk it prints.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::time::Duration;

use bittorrent_pieces::web_seed::{
    ResponseHead, WEB_BLOCK_LEN, WebFile, WebRequestSlot, WebSeed, WebSeedConfig, WebSeedEvent,
    WebSeedKind, WebSeedSlots,
};
use bittorrent_pieces::wire::{Handshake, Message, Reserved};
use bittorrent_pieces::{Block, Geometry, InfoHash, PeerId, PieceIndex};

/// One file, two requests; redirections are not followed.
type Storage = WebSeedSlots<[WebFile; 1], [WebRequestSlot; 2], [u8; WEB_BLOCK_LEN], [u8; 0]>;

/// Lies in a `static` if the program has a way to hand out `&mut`, such as a cell of its runtime.
const STORAGE: Storage = WebSeedSlots {
    files: [WebFile::new(0, 3)],
    requests: [WebRequestSlot::EMPTY; 2],
    block: [0; WEB_BLOCK_LEN],
    location: [],
};

const TORRENT: InfoHash = InfoHash([1; 20]);

/// Requests a block as the torrent does, with the `body` that the server sends. Returns the bytes for the torrent.
fn load(storage: &mut Storage, body: &[u8]) -> Option<usize> {
    let config = WebSeedConfig::new(WebSeedKind::Files, TORRENT, PeerId([2; 20]));
    let mut seed = WebSeed::new(config, Geometry::new(3, 16_384).ok()?, storage).ok()?;
    let mut now = Duration::ZERO; // a timer of the device
    #[expect(
        clippy::large_stack_arrays,
        reason = "one block, the least that a web seed hands over"
    )]
    let mut buf = [0; WEB_BLOCK_LEN + 13]; // `seed.transmit_len()`
    let reserved = Reserved::FAST;
    let hello = Handshake { reserved, info_hash: TORRENT, peer_id: PeerId([3; 20]) };
    let len = hello.encode(&mut buf).ok()?;
    seed.handle_bytes(now, buf.get(..len)?).ok()?;
    let block = Block { piece: PieceIndex(0), begin: 0, len: 3 };
    let len = Message::Request(block).encode(&mut buf).ok()?;
    seed.handle_bytes(now, buf.get(..len)?).ok()?;
    let mut passed_on = 0_usize;
    loop {
        while let Some(event) = seed.poll_event() {
            let WebSeedEvent::Get(get) = event else { return Some(passed_on) };
            let content_range = Some(&b"bytes 0-2/3"[..]); // as the server says
            let head = ResponseHead { status: 206, content_range, ..ResponseHead::default() };
            seed.handle_head(now, get.number, &head).ok()?;
            seed.handle_body(now, get.number, body).ok()?;
        }
        while let Some(len) = seed.poll_transmit(&mut buf).ok()? {
            passed_on = passed_on.saturating_add(len); // `Torrent::handle_bytes`
        }
        if passed_on > body.len() || now > Duration::from_secs(60) {
            return Some(passed_on);
        }
        now = seed.poll_timeout()?; // sleep until then, or until bytes arrive
        seed.handle_timeout(now);
    }
}

#[cfg(not(target_os = "none"))]
fn main() {
    static STORED: std::sync::Mutex<Storage> = std::sync::Mutex::new(STORAGE);
    let len = load(&mut STORED.lock().expect("not poisoned"), b"map");
    println!("{len:?} bytes for the torrent with {} bytes of storage", size_of::<Storage>());
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
        black_box(super::load(black_box(&mut storage), black_box(b"map")));
        loop {}
    }
}
