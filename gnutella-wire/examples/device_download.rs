//! A door bell that loads its chime into flash from up to four servents. Built for a device this is a program without
//! `std`; built for a desk it prints.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use gnutella_wire::ConnId;
use gnutella_wire::huge::Sha1;
use gnutella_wire::transfer::{
    BlockSlot, Download, DownloadConfig, DownloadEvent, DownloadSlots, FileInfo, Source, SourceSlot,
};

type Storage = DownloadSlots<[SourceSlot; 4], [BlockSlot; 8]>;

/// Lies in a `static` if the program has a way to hand out `&mut`, such as a cell of its runtime.
const STORAGE: Storage =
    DownloadSlots { sources: [SourceSlot::EMPTY; 4], blocks: [BlockSlot::EMPTY; 8] };

/// The hash of the file. A device would compute it from its flash when the download asks for that.
const SHA1: Sha1 = Sha1([0; 20]);

/// Loads five bytes from one source that sends `received`. Returns whether the flash has them.
fn load(storage: &mut Storage, mut received: &[u8], flash: &mut [u8; 5]) -> Option<bool> {
    let file = FileInfo { size: 5, sha1: Some(SHA1), root: None, name: b"chime.wav" };
    let mut download = Download::new(DownloadConfig::CUSTOMARY, file, storage).ok()?;
    let mut now = Duration::ZERO; // a timer of the device
    let address = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 6346);
    download.add_source(now, Source::at(address)).ok()?;
    let mut buf = [0; Download::<Storage>::MAX_TRANSMIT_LEN];
    let mut online = false;
    loop {
        while let Some(event) = download.poll_event() {
            match event {
                DownloadEvent::Dial { source, .. } => {
                    download.handle_connected(now, source, ConnId(0)).ok()?;
                    online = true;
                }
                DownloadEvent::VerifyFile => download.handle_file_verified(now, SHA1),
                DownloadEvent::Closed { .. } => online = false,
                DownloadEvent::Completed { verified } => return Some(verified),
                DownloadEvent::OutOfSources | DownloadEvent::Failed { .. } => return Some(false),
                _ => {}
            }
        }
        while download.poll_transmit(&mut buf).ok()?.is_some() {} // write `buf` to the socket
        if online && !received.is_empty() {
            let read = download.handle_bytes(now, ConnId(0), received).ok()?;
            if let Some(piece) = read.outcome {
                let at = usize::try_from(piece.offset).ok()?;
                let end = at.checked_add(piece.bytes.len())?;
                flash.get_mut(at..end)?.copy_from_slice(piece.bytes);
            }
            received = received.get(read.consumed..)?;
        } else {
            now = download.poll_timeout()?; // sleep until then, or until bytes arrive
            download.handle_timeout(now);
        }
    }
}

/// The answer of a servent that has the file.
const RECEIVED: &[u8] =
    b"HTTP/1.1 206 OK\r\nContent-Range: bytes 0-4/5\r\nContent-Length: 5\r\n\r\nchime";

#[cfg(not(target_os = "none"))]
fn main() {
    static STORED: std::sync::Mutex<Storage> = std::sync::Mutex::new(STORAGE);
    let mut flash = [0; 5];
    let verified = load(&mut STORED.lock().expect("not poisoned"), RECEIVED, &mut flash);
    let flash = flash.escape_ascii();
    println!("{flash}, verified: {verified:?}, with {} bytes of storage", size_of::<Storage>());
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
        let mut flash = [0; 5];
        black_box(super::load(black_box(&mut storage), black_box(super::RECEIVED), &mut flash));
        black_box(flash);
        loop {}
    }
}
