//! A leaf whose storage lies in a `static`, without an allocator. It also compiles for targets without an operating
//! system, such as `thumbv6m-none-eabi`.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use gnutella_wire::hosts::HostSlot;
use gnutella_wire::routes::RouteSlot;
use gnutella_wire::servent::QuerySlot;
use gnutella_wire::wire::Limits;
use gnutella_wire::{Config, ConnId, ConnSlot, Role, Servent, ServentId, ServentSlots};

/// What a leaf needs: 3 connections, 64 routes, 16 hosts, 2 queries, a table of 2^14 slots.
type Storage =
    ServentSlots<[ConnSlot; 3], [RouteSlot; 64], [HostSlot; 16], [QuerySlot; 2], [u8; 2_048]>;

const EMPTY: Storage = ServentSlots {
    conns: [ConnSlot::EMPTY; 3],
    routes: [RouteSlot::EMPTY; 64],
    hosts: [HostSlot::EMPTY; 16],
    queries: [QuerySlot::EMPTY; 2],
    tables: [0; 2_048],
};

/// Runs a leaf for one message, and returns the length of its answer.
fn run(storage: &mut Storage, received: &[u8]) -> Option<usize> {
    let address = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 6346); // until DHCP assigns one
    let mut config = Config::leaf(ServentId([7; 16]), address);
    config.limits = Limits::EMBEDDED;
    let mut leaf = Servent::new(config, storage).ok()?;
    let now = Duration::ZERO; // a timer of the device
    leaf.set_address(now, SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 7), 6346));
    leaf.share(now, "Hey Jude.mp3");
    leaf.handle_connected(now, ConnId(0), Role::Ultrapeer).ok()?;
    leaf.handle_bytes(now, ConnId(0), received).ok()?;
    let mut buf = [0; 540]; // Servent::MAX_TRANSMIT_LEN
    leaf.poll_transmit(&mut buf).ok()?.map(|sent| sent.len)
}

/// A ping with TTL 1.
const PING: [u8; 23] = [9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 0, 1, 0, 0, 0, 0, 0];

#[cfg(not(target_os = "none"))]
fn main() {
    static STORAGE: std::sync::Mutex<Storage> = std::sync::Mutex::new(EMPTY);
    let mut storage = STORAGE.lock().expect("not poisoned");
    println!("storage of {} bytes", size_of::<Storage>());
    println!("a pong of {:?} bytes", run(&mut storage, &PING));
}

#[cfg(target_os = "none")]
mod device {
    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        loop {}
    }

    /// A real device keeps the storage in a static cell; here it is one of the start function.
    #[unsafe(no_mangle)]
    extern "C" fn _start() -> ! {
        let mut storage = super::EMPTY;
        core::hint::black_box(super::run(&mut storage, core::hint::black_box(&super::PING)));
        loop {}
    }
}
