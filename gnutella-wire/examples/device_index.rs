//! A central index whose storage lies in a `static`, without an allocator. It also compiles for targets without an
//! operating system, such as `thumbv6m-none-eabi`.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::net::Ipv4Addr;
use core::time::Duration;

use gnutella_wire::ConnId;
use gnutella_wire::opennap::{EntrySlot, FileSlot, Index, IndexConfig, IndexSlots, UserSlot};

/// Four users, who share 16 files.
type Storage = IndexSlots<[UserSlot; 4], [FileSlot; 16], [EntrySlot; 160]>;

const EMPTY: Storage = IndexSlots {
    users: [UserSlot::EMPTY; 4],
    files: [FileSlot::EMPTY; 16],
    entries: [EntrySlot::EMPTY; 160],
};

/// Runs an index for one message, and returns the length of its answer.
fn run(storage: &mut Storage, received: &[u8]) -> Option<usize> {
    let mut index = Index::new(IndexConfig::CUSTOMARY, storage).ok()?;
    let now = Duration::ZERO; // a timer of the device
    index.handle_connected(now, ConnId(0), Ipv4Addr::new(10, 0, 0, 1)).ok()?;
    index.handle_bytes(now, ConnId(0), received).ok()?;
    let mut buf = [0; Index::<Storage>::MAX_TRANSMIT_LEN];
    index.poll_transmit(&mut buf).ok()?.map(|sent| sent.len)
}

/// A login: nick, password, port, client, type of the link.
const LOGIN: &[u8] = b"\x18\0\x02\0ann none 6699 \"demo\" 8  ";

#[cfg(not(target_os = "none"))]
fn main() {
    static STORAGE: std::sync::Mutex<Storage> = std::sync::Mutex::new(EMPTY);
    let mut storage = STORAGE.lock().expect("not poisoned");
    println!("storage of {} bytes", size_of::<Storage>());
    println!("a reply of {:?} bytes", run(&mut storage, LOGIN));
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
        core::hint::black_box(super::run(&mut storage, core::hint::black_box(super::LOGIN)));
        loop {}
    }
}
