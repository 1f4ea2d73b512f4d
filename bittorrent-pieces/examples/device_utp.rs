//! A picture frame that exchanges bytes with two peers over one UDP socket and gives way to other traffic. Built for a
//! device this is a program without `std`; built for a desk it prints.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use bittorrent_pieces::utp::{
    MAX_LEN, PacketSlot, ReorderSlot, UtpConfig, UtpEndpoint, UtpEvent, UtpSlot, UtpSlots,
};

const CONNS: usize = 2;

type Storage = UtpSlots<
    [UtpSlot; CONNS],
    [PacketSlot; 4 * CONNS],
    [ReorderSlot; CONNS],
    [u8; 512 * CONNS],
    [u8; MAX_LEN * CONNS],
>;

/// Lies in a `static` if the program has a way to hand out `&mut`, such as a cell of its runtime.
const STORAGE: Storage = UtpSlots {
    conns: [UtpSlot::EMPTY; CONNS],
    packets: [PacketSlot::EMPTY; 4 * CONNS],
    reorder: [ReorderSlot::EMPTY; CONNS],
    send: [0; 512 * CONNS],
    receive: [0; MAX_LEN * CONNS],
};

const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 6881);

/// Dials a peer and writes to it, with what the socket received. Returns the number of datagrams sent.
fn exchange(storage: &mut Storage, received: &[u8]) -> Option<u32> {
    let config = UtpConfig::new([7; 16]); // from the random generator of the chip
    let mut endpoint = UtpEndpoint::new(config, storage).ok()?;
    let mut now = Duration::ZERO; // a timer of the device
    let conn = endpoint.connect(now, PEER).ok()?;
    endpoint.write(conn, b"a handshake").ok()?;
    let mut buf = [0; MAX_LEN];
    let mut sent = 0_u32;
    loop {
        let _ = endpoint.handle_datagram(now, PEER, received); // of another protocol if it is refused
        while endpoint.poll_transmit(&mut buf).ok()?.is_some() {
            sent = sent.saturating_add(1); // hand `buf` to the network
        }
        while let Some(event) = endpoint.poll_event() {
            match event {
                UtpEvent::Readable { conn } => while endpoint.read(conn, &mut buf).ok()? > 0 {},
                UtpEvent::Closed { .. } => return Some(sent),
                _ => {}
            }
        }
        now = endpoint.poll_timeout()?; // sleep until then, or until a datagram arrives
        endpoint.handle_timeout(now);
    }
}

#[cfg(not(target_os = "none"))]
fn main() {
    static STORED: std::sync::Mutex<Storage> = std::sync::Mutex::new(STORAGE);
    let sent = exchange(&mut STORED.lock().expect("not poisoned"), &[]);
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
        black_box(super::exchange(black_box(&mut storage), black_box(&[])));
        loop {}
    }
}
