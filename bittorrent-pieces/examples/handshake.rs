//! What a torrent sends first to a peer that it dialled, and how a wrong answer ends.
//!
//! `cargo run -p bittorrent-pieces --example handshake --features alloc`

use core::time::Duration;

use bittorrent_pieces::{
    Config, ConnId, Geometry, InfoHash, PeerId, PieceHasher, PieceHashes, Side, Torrent,
    TorrentContent, TorrentLimits, TorrentSetup, TorrentVec, wire::Handshake,
};

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let hashes = [PieceHasher::digest(b"one small file")];
    let content = TorrentContent::new(Geometry::new(14, 16_384)?, PieceHashes::new(&hashes));
    let setup = TorrentSetup::new(Config::new(InfoHash([1; 20]), PeerId([2; 20])));
    let mut torrent = Torrent::new(setup, TorrentVec::new(&content, TorrentLimits::new()))?;
    torrent.handle_connected(Duration::ZERO, ConnId(1), Side::Dialled)?;
    let mut buf = [0; 1024];
    while let Some(sent) = torrent.poll_transmit(&mut buf)? {
        let (handshake, _) = Handshake::decode(&buf[..sent.len])?;
        println!("-> {handshake}");
    }
    torrent.handle_bytes(Duration::ZERO, ConnId(1), &[0; 68])?;
    while let Some(event) = torrent.poll_event() {
        println!("{event:?}");
    }
    Ok(())
}
