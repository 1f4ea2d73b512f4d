//! A client of a UDP tracker in static memory, as firmware has it. Built for a device this is a program without
//! `std`; built for a desk it prints.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::time::Duration;

use bittorrent_pieces::tracker::{Announce, UdpConfig, UdpSlot, UdpTracker};
use bittorrent_pieces::{InfoHash, PeerId};

/// Lies in a `static` if the program has a way to hand out `&mut`, such as a cell of its runtime.
pub const STORAGE: [UdpSlot; 1] = [UdpSlot::EMPTY; 1];

/// Announces to a tracker that does not answer, until the client stops. Returns the number of datagrams.
#[must_use]
pub fn announce(storage: &mut [UdpSlot], torrent: InfoHash) -> Option<u32> {
    let mut tracker = UdpTracker::new(UdpConfig::new(7), storage).ok()?;
    let announce = Announce::started(torrent, PeerId(*b"-BP0001-device000001"), 6881, 1 << 20);
    tracker.announce(Duration::ZERO, announce).ok()?;
    let mut buf = [0; 98];
    let mut sent = 0_u32;
    while tracker.poll_event().is_none() {
        while tracker.poll_transmit(&mut buf).ok()?.is_some() {
            sent = sent.saturating_add(1); // hand `buf` to the network
        }
        let now = tracker.poll_timeout()?; // sleep until then
        tracker.handle_timeout(now);
    }
    Some(sent)
}

#[cfg(not(target_os = "none"))]
fn main() {
    let mut storage = STORAGE;
    let sent = announce(&mut storage, InfoHash([9; 20]));
    println!("{sent:?} datagrams with {} bytes of storage", size_of_val(&STORAGE));
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
        black_box(super::announce(black_box(&mut storage), super::InfoHash([9; 20])));
        loop {}
    }
}
