//! A board that fetches an image of 1 MiB from one BitTorrent client, over any link that carries bytes, and verifies it.
//!
//! Its serial line is a pipe of the host, which leads to the client; its flash is a folder of the host:
//!
//! | file | content |
//! |---|---|
//! | `image.hashes` | the info-hash, and the SHA-1 of each of the 16 pieces |
//! | `image` | the image, as far as it has arrived |
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use core::time::Duration;

use bittorrent_pieces::InfoHash;
use cortex_m_rt::entry;
use firmware::exit;
use semihosting::experimental::time::Instant;
use semihosting::fs::File;
use semihosting::io::{Read, Seek as _, SeekFrom, Write as _};

#[path = "../../../../bittorrent-pieces/examples/leech/mod.rs"]
mod leech;

use leech::{Buffers, Flash, Image, Link, PIECES};

const _: () = assert!(size_of::<Image<'static>>() < 4096);

#[entry]
fn main() -> ! {
    exit(fetch().is_some())
}

/// Returns `None` if the client hangs up before the image is complete.
fn fetch() -> Option<()> {
    let mut stored = File::open(c"image.hashes").ok()?;
    let mut hash = [0; 20];
    stored.read_exact(&mut hash).ok()?;
    let mut pieces = [[0; 20]; PIECES as usize];
    stored.read_exact(pieces.as_flattened_mut()).ok()?;
    let mut torrent = leech::start(leech::memory(&pieces), InfoHash(hash)).ok()?;
    let mut buffers = Buffers::EMPTY;
    let mut line = Line {
        input: File::open(c"/dev/stdin").ok()?,
        output: File::create(c"/dev/stdout").ok()?,
        start: Instant::now(),
        is_first: true,
        is_open: true,
    };
    let mut options = File::options();
    let mut flash =
        Files(options.read(true).write(true).create(true).truncate(true).open(c"image").ok()?);
    while !leech::turn(&mut torrent, &mut buffers, &mut line, &mut flash)? {
        line.is_open.then_some(())?;
    }
    Some(())
}

/// The two ends of a pipe.
struct Line {
    input: File,
    output: File,
    start: Instant,
    is_first: bool, // nothing has arrived before the handshake is sent
    is_open: bool,
}

impl Link for Line {
    fn send(&mut self, bytes: &[u8]) {
        self.is_open &= self.output.write_all(bytes).is_ok();
    }

    /// Waits for bytes: the board has nothing else to do.
    fn receive(&mut self, buf: &mut [u8]) -> usize {
        if core::mem::take(&mut self.is_first) || buf.is_empty() {
            return 0;
        }
        let len = self.input.read(buf).unwrap_or(0);
        self.is_open &= len > 0;
        len
    }

    fn now(&mut self) -> Duration {
        self.start.elapsed()
    }
}

/// A file of the host.
struct Files(File);

impl Flash for Files {
    fn write(&mut self, at: u32, bytes: &[u8]) {
        let _ = self.0.seek(SeekFrom::Start(at.into())).and_then(|_| self.0.write_all(bytes));
    }

    fn read(&self, at: u32, bytes: &mut [u8]) {
        let mut file = &self.0;
        let _ = file.seek(SeekFrom::Start(at.into())).and_then(|_| file.read_exact(bytes));
    }
}
