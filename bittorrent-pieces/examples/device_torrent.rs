//! A device that fetches a firmware image of 1 MiB over any link that carries bytes. Its memory lies in a `static`. It is
//! compiled for a microcontroller in CI; here it fetches the image from a seed in the same process.
//!
//! `cargo run -p bittorrent-pieces --example device_torrent`
#![cfg_attr(target_os = "none", no_std, no_main)]

mod leech;

#[cfg(target_os = "none")]
mod device {
    use core::hint::black_box;
    use core::time::Duration;

    use bittorrent_pieces::InfoHash;

    use crate::leech::{self, Buffers, Flash, Link, PIECES};

    static HASHES: [[u8; 20]; PIECES as usize] = [[0; 20]; PIECES as usize];

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        loop {}
    }

    /// Where a device has its serial line and its flash.
    struct Board;

    impl Link for Board {
        fn send(&mut self, bytes: &[u8]) {
            black_box(bytes);
        }

        fn receive(&mut self, buf: &mut [u8]) -> usize {
            black_box(buf).len()
        }

        fn now(&mut self) -> Duration {
            black_box(Duration::ZERO)
        }
    }

    impl Flash for Board {
        fn write(&mut self, at: u32, bytes: &[u8]) {
            black_box((at, bytes));
        }

        fn read(&self, at: u32, bytes: &mut [u8]) {
            black_box((at, bytes));
        }
    }

    #[unsafe(no_mangle)]
    extern "C" fn _start() -> ! {
        let mut memory = leech::memory(&HASHES);
        let mut buffers = Buffers::EMPTY;
        let Ok(mut torrent) = leech::start(&mut memory, InfoHash([7; 20])) else { loop {} };
        while leech::turn(&mut torrent, &mut buffers, &mut Board, &mut Board) == Some(false) {}
        loop {}
    }
}

#[cfg(not(target_os = "none"))]
mod host {
    use core::cell::RefCell;
    use std::collections::VecDeque;
    use std::rc::Rc;

    use core::time::Duration;

    use bittorrent_pieces::{
        Bitfield, Config, ConfigError, InfoHash, PeerId, PieceHasher, Side, Torrent, TorrentSetup,
    };

    use super::leech::{
        Buffers, CONN, Flash, IMAGE_LEN, Link, PIECE_LEN, PIECES, memory, start, turn,
    };

    type Wire = Rc<RefCell<VecDeque<u8>>>;

    /// One end of a serial line.
    struct Line {
        out: Wire,
        from: Wire,
        now: Rc<RefCell<Duration>>,
    }

    impl Link for Line {
        fn send(&mut self, bytes: &[u8]) {
            self.out.borrow_mut().extend(bytes);
        }

        fn receive(&mut self, buf: &mut [u8]) -> usize {
            let mut wire = self.from.borrow_mut();
            let len = wire.len().min(buf.len()).min(100); // little at a time
            buf.iter_mut().zip(wire.drain(..len)).for_each(|(to, byte)| *to = byte);
            len
        }

        fn now(&mut self) -> Duration {
            *self.now.borrow()
        }
    }

    struct Ram(Vec<u8>);

    impl Flash for Ram {
        fn write(&mut self, at: u32, bytes: &[u8]) {
            self.0[at as usize..][..bytes.len()].copy_from_slice(bytes);
        }

        fn read(&self, at: u32, bytes: &mut [u8]) {
            bytes.copy_from_slice(&self.0[at as usize..][..bytes.len()]);
        }
    }

    /// Fetches the image over a serial line; returns how long it took in virtual time, at 100 bytes in a millisecond.
    ///
    /// # Errors
    ///
    /// [`ConfigError`]
    pub fn fetch() -> Result<Duration, ConfigError> {
        let image: Vec<u8> =
            (0..IMAGE_LEN).map(|at| (at.wrapping_mul(31) ^ (at >> 9)) as u8).collect();
        let mut hashes = [[0; 20]; PIECES as usize];
        for (hash, piece) in hashes.iter_mut().zip(image.chunks(PIECE_LEN as usize)) {
            *hash = PieceHasher::digest(piece);
        }
        let [one, other] = [Wire::default(), Wire::default()];
        let now = Rc::new(RefCell::new(Duration::ZERO));
        let line = |out: &Wire, from: &Wire| Line {
            out: out.clone(),
            from: from.clone(),
            now: now.clone(),
        };
        let mut here = (line(&one, &other), Ram(vec![0; IMAGE_LEN as usize]), Buffers::EMPTY);
        let mut there = (line(&other, &one), Ram(image.clone()), Buffers::EMPTY);
        let mut device = start(memory(&hashes), InfoHash([7; 20]))?;
        let mut setup =
            TorrentSetup::new(Config::new(InfoHash([7; 20]), PeerId(*b"-BP0100-server-00001")));
        setup.have = Bitfield::new(PIECES, &[0xFF; 2][..]).ok();
        let mut seed = Torrent::new(setup, memory(&hashes))?;
        seed.handle_connected(Duration::ZERO, CONN, Side::Accepted).expect("a slot");
        while turn(&mut device, &mut here.2, &mut here.0, &mut here.1) == Some(false) {
            turn(&mut seed, &mut there.2, &mut there.0, &mut there.1);
            *now.borrow_mut() += Duration::from_millis(1);
            assert!(*now.borrow() < Duration::from_secs(60), "{} pieces", device.have_count());
        }
        assert!(device.is_complete() && here.1.0 == image, "the image is whole");
        let took = *now.borrow();
        Ok(took)
    }
}

#[cfg(not(target_os = "none"))]
pub use host::fetch;

#[cfg(not(target_os = "none"))]
fn main() -> Result<(), bittorrent_pieces::ConfigError> {
    use leech::{Buffers, IMAGE_LEN, Image};

    let took = fetch()?;
    println!(
        "{} bytes for the torrent, {} of buffers",
        size_of::<Image<'static>>(),
        size_of::<Buffers>()
    );
    println!(
        "{IMAGE_LEN} bytes arrived over a line of 100 bytes in a millisecond after {took:.1?}"
    );
    Ok(())
}
