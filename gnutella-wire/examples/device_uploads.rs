//! A weather station that serves its measurements as a file to four servents at a time. Built for a device this is a
//! program without `std`; built for a desk it prints.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::net::Ipv4Addr;
use core::time::Duration;

use gnutella_wire::ConnId;
use gnutella_wire::http::Resource;
use gnutella_wire::transfer::{Offer, UploadConfig, UploadEvent, UploadSlot, Uploads};

type Storage = [UploadSlot; 4];

/// Lies in a `static` if the program has a way to hand out `&mut`, such as a cell of its runtime.
const STORAGE: Storage = [UploadSlot::EMPTY; 4];

/// The file, which lies in flash.
static MEASUREMENTS: &[u8] = b"12.5 12.7 12.9 13.0";

/// Answers what one connection sent until it is closed. Returns the number of bytes of the file that it got.
fn serve(storage: &mut Storage, mut received: &[u8]) -> Option<u64> {
    let mut uploads = Uploads::new(UploadConfig::CUSTOMARY, storage).ok()?;
    let mut now = Duration::ZERO; // a timer of the device
    uploads.handle_connected(now, ConnId(0), Ipv4Addr::new(10, 0, 0, 1)).ok()?;
    let mut buf = [0; 512];
    let mut sent = 0_u64;
    loop {
        while uploads.poll_transmit(&mut buf).ok()?.is_some() {} // heads that had to wait
        while let Some(event) = uploads.poll_event() {
            match event {
                UploadEvent::Send { conn, .. } => uploads.handle_sent(now, conn).ok()?, // from flash
                UploadEvent::Sent { len, .. } => sent = sent.saturating_add(len),
                _ => return Some(sent), // close the socket
            }
        }
        let read = uploads.handle_bytes(now, ConnId(0), received).ok()?;
        if let Some(asked) = read.outcome {
            let offer = Offer::new(0, u64::try_from(MEASUREMENTS.len()).ok()?);
            let _len = match asked.request.resource {
                Resource::File { index: 0, .. } => uploads.offer(now, ConnId(0), &offer, &mut buf),
                _ => uploads.refuse(now, ConnId(0), 404, "Not Found", &mut buf),
            }; // write that many bytes of `buf` to the socket
        }
        received = received.get(read.consumed..)?;
        if read.consumed == 0 {
            now = uploads.poll_timeout()?; // sleep until then, or until bytes arrive
            uploads.handle_timeout(now);
        }
    }
}

/// A request for a part of the file.
const REQUEST: &[u8] = b"GET /get/0/today.txt HTTP/1.1\r\nRange: bytes=5-\r\n\r\n";

#[cfg(not(target_os = "none"))]
fn main() {
    static STORED: std::sync::Mutex<Storage> = std::sync::Mutex::new(STORAGE);
    let sent = serve(&mut STORED.lock().expect("not poisoned"), REQUEST);
    println!("{sent:?} bytes sent with {} bytes of storage", size_of::<Storage>());
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
        black_box(super::serve(black_box(&mut storage), black_box(super::REQUEST)));
        loop {}
    }
}
