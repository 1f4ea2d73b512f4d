//! A torrent on a device that has one link to one peer: an image of 1 MiB, without an allocator.

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
pub const CONN: ConnId = ConnId(0);

torrent_storage! {
    /// Four peers, two open pieces, two requests each way.
    pub type Image = { pieces: PIECES, piece_len: PIECE_LEN, peers: 4, open_pieces: 2, pipeline: 2 };
}

/// A link to one peer: a serial line, a radio, a socket.
pub trait Link {
    /// Sends all bytes.
    fn send(&mut self, bytes: &[u8]);
    /// Copies bytes that have arrived. Returns their number.
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

/// Starts the torrent with this info-hash.
///
/// # Errors
///
/// [`ConfigError`], never with these numbers.
pub fn start<S: TorrentStorage>(memory: S, hash: InfoHash) -> Result<Torrent<S>, ConfigError> {
    let config = Config::new(hash, PeerId(*b"-BP0100-device-00001"));
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
