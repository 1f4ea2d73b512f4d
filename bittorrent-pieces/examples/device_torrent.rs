//! A torrent whose memory lies in a `static`: compiled for a microcontroller in CI, and started here.
//!
//! `cargo run -p bittorrent-pieces --example device_torrent`
#![cfg_attr(target_os = "none", no_std, no_main)]

use bittorrent_pieces::{
    Config, ConfigError, Geometry, InfoHash, PeerId, PieceHashes, Torrent, TorrentContent,
    TorrentSetup, TorrentStorage, torrent_storage,
};

torrent_storage! {
    /// An image of 1 MiB in 16 pieces, four peers, two open pieces, two requests each way.
    pub type Image = { pieces: 16, piece_len: 64 << 10, peers: 4, open_pieces: 2, pipeline: 2 };
}

/// What the pieces hash to; a device reads it from its flash.
static HASHES: [[u8; 20]; 16] = [[0; 20]; 16];

/// Returns the memory of the torrent, for a `static`.
#[must_use]
pub const fn memory() -> Image<'static> {
    let Ok(geometry) = Geometry::new(1 << 20, 64 << 10) else {
        panic!("the image has pieces");
    };
    Image::empty(TorrentContent::new(geometry, PieceHashes::new(&HASHES)))
}

/// Starts the torrent. Its driver then calls `handle_bytes`, `handle_timeout` and the polls.
///
/// # Errors
///
/// [`ConfigError`], never with these numbers.
pub fn start<S: TorrentStorage>(memory: S) -> Result<Torrent<S>, ConfigError> {
    let config = Config::new(InfoHash([7; 20]), PeerId(*b"-BP0100-device-00001"));
    Torrent::new(TorrentSetup::new(config), memory)
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
        use bittorrent_pieces::{ConnId, Side};
        use core::time::Duration;

        let mut memory = super::memory();
        let mut buf = [0; 1024];
        let Ok(mut torrent) = super::start(&mut memory) else { loop {} };
        let now = black_box(Duration::ZERO);
        let _ = torrent.handle_connected(now, ConnId(0), Side::Dialled);
        while black_box(true) {
            let received = buf.get(..black_box(0)).unwrap_or_default();
            black_box(torrent.handle_bytes(now, ConnId(0), received).is_ok());
            torrent.handle_timeout(now);
            while let Ok(Some(sent)) = torrent.poll_transmit(&mut buf) {
                black_box(sent);
            }
            black_box((torrent.poll_event(), torrent.poll_timeout()));
        }
        loop {}
    }
}

#[cfg(not(target_os = "none"))]
fn main() -> Result<(), ConfigError> {
    use std::sync::Mutex;

    static MEMORY: Mutex<Image<'static>> = Mutex::new(memory());

    let mut memory = MEMORY.lock().expect("no other thread has it");
    let torrent = start(&mut *memory)?;
    let pieces = torrent.geometry().pieces();
    println!("{pieces} pieces, {} bytes of memory", size_of::<Image<'static>>());
    Ok(())
}
