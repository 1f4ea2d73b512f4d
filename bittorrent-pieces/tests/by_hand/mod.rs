//! A torrent that a test talks to by hand, as its peers.

#![allow(dead_code, reason = "each test uses some of it")]

#[path = "../lent/mod.rs"]
mod lent;

use core::time::Duration;

use bittorrent_pieces::wire::fast::Fast;
use bittorrent_pieces::wire::{Handshake, Message, Piece, Reserved};
use bittorrent_pieces::{
    Bitfield, Config, ConnId, Geometry, InfoHash, PeerError, PeerId, PieceHasher, PieceHashes,
    PieceIndex, Side, Torrent,
};

pub(crate) use lent::{Lent, lent};

pub(crate) const A: ConnId = ConnId(1);
pub(crate) const B: ConnId = ConnId(2);
pub(crate) const C: ConnId = ConnId(3);
pub(crate) const ZERO: Duration = Duration::ZERO;

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Two pieces of two blocks, two peers; the content is zeros.
pub(crate) fn torrent(have: u8) -> Torrent<'static, Lent> {
    torrent_of(2, have, 2, |_| ())
}

/// Up to eight pieces of two blocks, of which two may be open for each peer; the content is zeros.
pub(crate) fn torrent_of(
    pieces: u32,
    have: u8,
    peers: usize,
    set: impl Fn(&mut Config),
) -> Torrent<'static, Lent> {
    let piece = PieceHasher::digest(&vec![0; 32_768]);
    let hashes: &'static [[u8; 20]] = vec![piece; pieces as usize].leak();
    let geometry = Geometry::new(u64::from(pieces) * 32_768, 32_768).unwrap();
    let memory = lent(geometry, 2 * peers, peers, 32);
    let mut config = Config::new(InfoHash([1; 20]), PeerId([1; 20]));
    set(&mut config);
    let have = Bitfield::new(pieces, [have]).unwrap();
    Torrent::new(config, geometry, PieceHashes::new(hashes), have.as_view(), memory).unwrap()
}

pub(crate) fn greet(
    torrent: &mut Torrent<'_, Lent>,
    conn: ConnId,
    hash: u8,
) -> Result<(), PeerError> {
    let mut bytes = [0; Handshake::LEN];
    let info_hash = InfoHash([hash; 20]);
    let peer_id = PeerId([conn.0 as u8 + 10; 20]);
    let handshake = Handshake { reserved: Reserved::default(), info_hash, peer_id };
    handshake.encode(&mut bytes).unwrap();
    torrent.handle_bytes(ZERO, conn, &bytes).map(|_| ())
}

pub(crate) fn hear(
    torrent: &mut Torrent<'_, Lent>,
    now: Duration,
    conn: ConnId,
    message: Message<'_>,
) -> Result<usize, PeerError> {
    let mut bytes = vec![0; message.encoded_len()];
    message.encode(&mut bytes).unwrap();
    torrent.handle_bytes(now, conn, &bytes).map(|handled| handled.consumed())
}

/// Connects a peer that has the given pieces and unchokes us.
pub(crate) fn join(torrent: &mut Torrent<'_, Lent>, conn: ConnId, bits: u8) {
    torrent.handle_connected(ZERO, conn, Side::Accepted).unwrap();
    greet(torrent, conn, 1).unwrap();
    hear(torrent, ZERO, conn, Message::Bitfield(&[bits])).unwrap();
    hear(torrent, ZERO, conn, Message::Unchoke).unwrap();
}

/// Returns all that it has to say to a peer, one line each; too small a buffer changes nothing.
pub(crate) fn said(torrent: &mut Torrent<'_, Lent>, conn: ConnId) -> Vec<String> {
    let mut buf = [0; 600];
    let mut lines = Vec::new();
    let mut len = 0;
    loop {
        let before = format!("{torrent:?}");
        match torrent.poll_transmit_to(conn, &mut buf[..len]) {
            Ok(None) => return lines,
            Ok(Some(sent)) => {
                lines.push(match (sent.block, Message::decode(&buf[..sent.len], 600)) {
                    (Some(block), _) => format!("PIECE {block}"),
                    (None, Ok((message, _))) => match Fast::of(&message) {
                        Ok(Some(fast)) => fast.to_string(),
                        _ => message.to_string(),
                    },
                    (None, Err(_)) => "HANDSHAKE".to_string(),
                });
                assert_eq!(len, sent.len, "as much as needed and no more");
                len = 0;
            }
            Err(error) => {
                assert_eq!(before, format!("{torrent:?}"));
                len = error.needed;
            }
        }
    }
}

pub(crate) fn block(piece: u32, begin: u32) -> Message<'static> {
    Message::Piece(Piece { piece: PieceIndex(piece), begin, data: &[0; 16_384] })
}

pub(crate) fn request(text: &str) -> bool {
    text.starts_with("REQUEST")
}
