//! A device that fetches a firmware image of 1 MiB over any link that carries bytes. Its memory lies in a `static`. It is
//! compiled for a microcontroller in CI; here it fetches the image from a seed in the same process.
//!
//! `cargo run -p bittorrent-pieces --example device_torrent`
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::time::Duration;

use bittorrent_pieces::torrent::{receive_len, transmit_len};
use bittorrent_pieces::{
    Block, Config, ConfigError, ConnId, Event, Geometry, InfoHash, Outcome, PeerId, PieceHashes,
    Side, Torrent, TorrentContent, TorrentSetup, TorrentStorage, torrent_storage,
};

/// The image: 1 MiB in 16 pieces.
pub const IMAGE_LEN: u32 = 1 << 20;
pub const PIECES: u32 = 16;
pub const PIECE_LEN: u32 = IMAGE_LEN / PIECES;
const CONN: ConnId = ConnId(0);

torrent_storage! {
    /// Four peers, two open pieces, two requests each way.
    pub type Image = { pieces: PIECES, piece_len: PIECE_LEN, peers: 4, open_pieces: 2, pipeline: 2 };
}

/// A link to one peer: a serial line, a radio, a socket.
pub trait Link {
    /// Sends all bytes.
    fn send(&mut self, bytes: &[u8]);
    /// Copies bytes that have arrived; returns how many, 0 if there are none.
    fn receive(&mut self, buf: &mut [u8]) -> usize;
    /// Returns the time since the start.
    fn now(&mut self) -> Duration;
}

/// Where the image is stored.
pub trait Flash {
    fn write(&mut self, at: u32, bytes: &[u8]);
    fn read(&self, at: u32, bytes: &mut [u8]);
}

/// What the device needs besides the torrent: bytes to send, and bytes that were received and not yet consumed.
pub struct Buffers {
    transmit: [u8; transmit_len(PIECES)],
    received: [u8; receive_len(PIECES)],
    len: usize,
}

impl Buffers {
    #[expect(clippy::large_stack_arrays, reason = "it is meant for a static")]
    pub const EMPTY: Self =
        Self { transmit: [0; transmit_len(PIECES)], received: [0; receive_len(PIECES)], len: 0 };
}

/// Returns the memory of the torrent, for a `static`. The hashes lie in flash.
#[must_use]
pub const fn memory(hashes: &[[u8; 20]; PIECES as usize]) -> Image<'_> {
    let Ok(geometry) = Geometry::new(IMAGE_LEN as u64, PIECE_LEN) else {
        panic!("the image has pieces");
    };
    Image::empty(TorrentContent::new(geometry, PieceHashes::new(hashes)))
}

/// Starts the torrent.
///
/// # Errors
///
/// [`ConfigError`], never with these numbers.
pub fn start<S: TorrentStorage>(memory: S) -> Result<Torrent<S>, ConfigError> {
    let config = Config::new(InfoHash([7; 20]), PeerId(*b"-BP0100-device-00001"));
    Torrent::new(TorrentSetup::new(config), memory)
}

/// Does what is due: call it whenever bytes have arrived or time has passed. Returns whether the image is complete and
/// verified; `None` if the peer was dismissed.
pub fn turn<S: TorrentStorage>(
    torrent: &mut Torrent<S>,
    buffers: &mut Buffers,
    link: &mut impl Link,
    flash: &mut impl Flash,
) -> Option<bool> {
    let now = link.now();
    if torrent.peer(CONN).is_none() {
        let _ = torrent.handle_connected(now, CONN, Side::Dialled); // there is a slot
    }
    torrent.handle_timeout(now);
    if let Some(room) = buffers.received.get_mut(buffers.len..) {
        buffers.len = buffers.len.saturating_add(link.receive(room));
    }
    loop {
        while let Some(event) = torrent.poll_event() {
            match event {
                Event::Verify { piece } => verify(torrent, now, piece, flash),
                Event::Closed { .. } => return None,
                _ => {}
            }
        }
        while let Ok(Some(sent)) = torrent.poll_transmit(&mut buffers.transmit) {
            link.send(buffers.transmit.get(..sent.len).unwrap_or_default());
            send_block(sent.block, link, flash);
        }
        let bytes = buffers.received.get(..buffers.len).unwrap_or_default();
        let received = torrent.handle_bytes(now, CONN, bytes).ok()?;
        let consumed = received.consumed;
        if let Some(Outcome::Block { block, data }) = received.outcome {
            flash.write(place(block), data);
        }
        if consumed == 0 {
            return Some(torrent.is_complete());
        }
        buffers.received.copy_within(consumed..buffers.len, 0);
        buffers.len = buffers.len.saturating_sub(consumed);
    }
}

fn place(block: Block) -> u32 {
    block.piece.0.saturating_mul(PIECE_LEN).saturating_add(block.begin)
}

fn verify<S: TorrentStorage>(
    torrent: &mut Torrent<S>,
    now: Duration,
    piece: bittorrent_pieces::PieceIndex,
    flash: &impl Flash,
) {
    let Ok(mut check) = torrent.check(piece) else { return };
    let mut slice = [0; 256];
    while let Some(block) = check.next(256) {
        let slice = slice.get_mut(..block.len as usize).unwrap_or_default();
        flash.read(place(block), slice);
        check.hash_step(slice);
    }
    let _ = torrent.handle_checked(now, check); // it is being verified
}

/// Others may fetch from the device what it has.
fn send_block(block: Option<Block>, link: &mut impl Link, flash: &impl Flash) {
    let Some(block) = block else { return };
    let mut slice = [0; 256];
    let mut at = place(block);
    let end = at.saturating_add(block.len);
    while at < end {
        let len = (end - at).min(256);
        let slice = slice.get_mut(..len as usize).unwrap_or_default();
        flash.read(at, slice);
        link.send(slice);
        at = at.saturating_add(len);
    }
}

#[cfg(target_os = "none")]
mod device {
    use core::hint::black_box;
    use core::time::Duration;

    use super::{Buffers, Flash, Link};

    static HASHES: [[u8; 20]; super::PIECES as usize] = [[0; 20]; super::PIECES as usize];

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
        let mut memory = super::memory(&HASHES);
        let mut buffers = Buffers::EMPTY;
        let Ok(mut torrent) = super::start(&mut memory) else { loop {} };
        while super::turn(&mut torrent, &mut buffers, &mut Board, &mut Board) == Some(false) {}
        loop {}
    }
}

#[cfg(not(target_os = "none"))]
mod host {
    use core::cell::RefCell;
    use std::collections::VecDeque;
    use std::rc::Rc;

    use bittorrent_pieces::{Bitfield, PieceHasher};

    use super::{
        Buffers, CONN, Config, ConfigError, Duration, Flash, IMAGE_LEN, InfoHash, Link, PIECE_LEN,
        PIECES, PeerId, Side, Torrent, TorrentSetup, memory, start, turn,
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
        let mut device = start(memory(&hashes))?;
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
fn main() -> Result<(), ConfigError> {
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
