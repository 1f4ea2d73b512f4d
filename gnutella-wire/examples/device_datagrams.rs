//! A kitchen radio that searches by datagram, one ultrapeer after the other, without a connection. Built for a device
//! this is a program without `std`; built for a desk it prints.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use gnutella_wire::datagram::{
    DatagramConfig, DatagramEvent, DatagramSlots, Datagrams, PeerSlot, SearchSlot,
};
use gnutella_wire::wire::Query;
use gnutella_wire::{Guid, ServentId, Text};

type Storage = DatagramSlots<[PeerSlot; 8], [SearchSlot; 1]>;

/// Lies in a `static` if the program has a way to hand out `&mut`, such as a cell of its runtime.
const STORAGE: Storage =
    DatagramSlots { peers: [PeerSlot::EMPTY; 8], searches: [SearchSlot::EMPTY; 1] };

/// Searches at one ultrapeer, with what the socket received. Returns the number of datagrams sent.
fn search(storage: &mut Storage, received: &[u8]) -> Option<u32> {
    let [me, ultrapeer] = [7, 1].map(|host| SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, host), 6346));
    let config = DatagramConfig::new(ServentId([7; 16]), me, [7; 16]); // from the random generator of the chip
    let mut datagrams = Datagrams::new(config, storage).ok()?;
    datagrams.add_host(Duration::ZERO, ultrapeer);
    let query = Query::new(Text::new(b"hey jude")?);
    datagrams.search(Duration::ZERO, Guid([9; 16]), &query).ok()?;
    let mut buf = [0; Datagrams::<Storage>::MAX_TRANSMIT_LEN];
    let mut sent = 0_u32;
    loop {
        while datagrams.poll_transmit(&mut buf).ok()?.is_some() {
            sent = sent.saturating_add(1); // hand `buf` to the network
        }
        if let Some(DatagramEvent::SearchEnded { .. }) = datagrams.poll_event() {
            return Some(sent);
        }
        let now = datagrams.poll_timeout()?; // sleep until then, or until a datagram arrives
        let _ = datagrams.handle_datagram(now, ultrapeer, received); // a hit goes to the display
        datagrams.handle_timeout(now);
    }
}

#[cfg(not(target_os = "none"))]
fn main() {
    static STORED: std::sync::Mutex<Storage> = std::sync::Mutex::new(STORAGE);
    let sent = search(&mut STORED.lock().expect("not poisoned"), &[]);
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
        black_box(super::search(black_box(&mut storage), black_box(&[])));
        loop {}
    }
}
