//! A torrent that a test talks to by hand, as its peers.

#![allow(dead_code, reason = "each test uses some of it")]

use core::time::Duration;

use bittorrent_pieces::wire::extended::EXTENDED;
use bittorrent_pieces::wire::fast::Fast;
use bittorrent_pieces::wire::{Handshake, Message, Piece, Reserved};
use bittorrent_pieces::{
    Bitfield, CloseReason, Config, ConnId, Event, Geometry, InfoHash, Outcome, PeerError, PeerId,
    PieceHasher, PieceHashes, PieceIndex, Received, Side, Torrent, TorrentContent, TorrentLimits,
    TorrentSetup, TorrentVec, Transmit,
};

pub(crate) const A: ConnId = ConnId(1);
pub(crate) const B: ConnId = ConnId(2);
pub(crate) const C: ConnId = ConnId(3);
pub(crate) const ZERO: Duration = Duration::ZERO;

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Two pieces of two blocks, two peers; the content is zeros.
pub(crate) fn torrent(have: u8) -> Torrent<TorrentVec> {
    torrent_of(2, have, 2, |_| ())
}

/// Up to eight pieces of two blocks, of which two may be open for each peer; the content is zeros.
pub(crate) fn torrent_of(
    pieces: u32,
    have: u8,
    peers: usize,
    set: impl Fn(&mut Config),
) -> Torrent<TorrentVec> {
    torrent_with(pieces, have, peers, set, |_| ())
}

/// The same, with more content: padding, or an info dictionary.
pub(crate) fn torrent_with<'c>(
    pieces: u32,
    have: u8,
    peers: usize,
    set: impl Fn(&mut Config),
    add: impl Fn(&mut TorrentContent<'c>),
) -> Torrent<TorrentVec> {
    let piece = PieceHasher::digest(&vec![0; 32_768]);
    let hashes = vec![piece; pieces as usize];
    let geometry = Geometry::new(u64::from(pieces) * 32_768, 32_768).unwrap();
    let mut config = Config::new(InfoHash([1; 20]), PeerId([1; 20]));
    set(&mut config);
    let have = Bitfield::new(pieces, [have]).unwrap();
    let mut extra = TorrentContent::new(geometry, PieceHashes::new(&[]));
    add(&mut extra);
    let mut content = TorrentContent::new(geometry, PieceHashes::new(&hashes));
    content.info = extra.info;
    content.padding = extra.padding;
    build(config, &content, have.as_view(), limits(peers, 2 * peers, 32))
}

/// Builds a torrent on the heap.
pub(crate) fn build(
    config: Config,
    content: &TorrentContent<'_>,
    have: Bitfield<&[u8]>,
    limits: TorrentLimits,
) -> Torrent<TorrentVec> {
    let mut setup = TorrentSetup::new(config);
    setup.have = Some(have);
    Torrent::new(setup, TorrentVec::new(content, limits)).unwrap()
}

pub(crate) fn limits(peers: usize, open_pieces: usize, pipeline: u16) -> TorrentLimits {
    TorrentLimits { peers: peers as u16, open_pieces: open_pieces as u16, pipeline }
}

pub(crate) fn greet(
    torrent: &mut Torrent<TorrentVec>,
    conn: ConnId,
    hash: u8,
) -> Result<(), PeerError> {
    let mut bytes = [0; Handshake::LEN];
    let info_hash = InfoHash([hash; 20]);
    let peer_id = PeerId([conn.0 as u8 + 10; 20]);
    let handshake = Handshake { reserved: Reserved::default(), info_hash, peer_id };
    handshake.encode(&mut bytes).unwrap();
    receive(torrent, ZERO, conn, &bytes).map(|_| ())
}

/// Encodes and delivers a message from a peer.
pub(crate) fn deliver(
    torrent: &mut Torrent<TorrentVec>,
    now: Duration,
    conn: ConnId,
    message: Message<'_>,
) -> Result<usize, PeerError> {
    let mut bytes = vec![0; message.encoded_len()];
    message.encode(&mut bytes).unwrap();
    receive(torrent, now, conn, &bytes).map(|received| received.consumed)
}

/// Processes bytes; a violation of the protocol is an error.
pub(crate) fn receive<'b>(
    torrent: &mut Torrent<TorrentVec>,
    now: Duration,
    conn: ConnId,
    bytes: &'b [u8],
) -> Result<Received<Outcome<'b>>, PeerError> {
    let received = torrent.handle_bytes(now, conn, bytes).expect("it is connected");
    match closed(torrent, conn) {
        Some(CloseReason::Protocol(error)) => Err(error),
        _ => Ok(received),
    }
}

/// Returns why a connection is to be closed, without polling the event.
pub(crate) fn closed(torrent: &Torrent<TorrentVec>, conn: ConnId) -> Option<CloseReason> {
    let mut torrent = torrent.clone();
    core::iter::from_fn(|| torrent.poll_event()).find_map(|event| match event {
        Event::Closed { conn: closed, reason } if closed == conn => Some(reason),
        _ => None,
    })
}

/// Connects a peer that has the given pieces and unchokes us.
pub(crate) fn join(torrent: &mut Torrent<TorrentVec>, conn: ConnId, bits: u8) {
    torrent.handle_connected(ZERO, conn, Side::Accepted).unwrap();
    greet(torrent, conn, 1).unwrap();
    deliver(torrent, ZERO, conn, Message::Bitfield(&[bits])).unwrap();
    deliver(torrent, ZERO, conn, Message::Unchoke).unwrap();
}

/// Connects a peer with the given reserved bits, and returns the first messages to it.
pub(crate) fn join_modern(
    torrent: &mut Torrent<TorrentVec>,
    conn: ConnId,
    reserved: Reserved,
) -> Vec<String> {
    torrent.handle_connected(ZERO, conn, Side::Accepted).unwrap();
    torrent.set_address(conn, ([127, 0, 0, conn.0 as u8], 9).into());
    receive(torrent, ZERO, conn, &hello(conn, reserved)).unwrap();
    sent_to(torrent, conn)
}

pub(crate) fn fast(message: Fast) -> Vec<u8> {
    let mut bytes = vec![0; message.encoded_len()];
    message.encode(&mut bytes).unwrap();
    bytes
}

pub(crate) fn extended(payload: &[u8]) -> Message<'_> {
    Message::Other { id: EXTENDED, payload }
}

/// Returns the handshake of a peer.
pub(crate) fn hello(conn: ConnId, reserved: Reserved) -> [u8; Handshake::LEN] {
    let mut bytes = [0; Handshake::LEN];
    let peer_id = PeerId([conn.0 as u8 + 10; 20]);
    Handshake { reserved, info_hash: InfoHash([1; 20]), peer_id }.encode(&mut bytes).unwrap();
    bytes
}

/// Returns all messages to a peer, one line each; too small a buffer changes nothing. A driver that polls for all peers
/// sends it the same.
pub(crate) fn sent_to(torrent: &mut Torrent<TorrentVec>, conn: ConnId) -> Vec<String> {
    let polled = polled(torrent.clone(), conn);
    let mut buf = [0; 600];
    let mut lines = Vec::new();
    let mut len = 0;
    loop {
        let before = format!("{torrent:?}");
        match torrent.poll_transmit_to(conn, &mut buf[..len]) {
            Ok(None) => break,
            Ok(Some(sent)) => {
                lines.push(line(&sent, &buf));
                assert_eq!(len, sent.len, "as much as needed and no more");
                len = 0;
            }
            Err(error) => {
                assert_eq!(before, format!("{torrent:?}"));
                len = error.needed;
            }
        }
    }
    assert_eq!(lines, polled);
    lines
}

/// Polls for all peers until nothing is due; returns the messages to one of them.
fn polled(mut torrent: Torrent<TorrentVec>, conn: ConnId) -> Vec<String> {
    let mut buf = [0; 1_024];
    let mut lines = Vec::new();
    while let Some(sent) = torrent.poll_transmit(&mut buf).expect("the buffer is long enough") {
        if sent.conn == conn {
            lines.push(line(&sent, &buf));
        }
    }
    lines
}

fn line(sent: &Transmit, buf: &[u8]) -> String {
    match (sent.block, Message::decode(&buf[..sent.len], 1_024)) {
        (Some(block), _) => format!("PIECE {block}"),
        (None, Ok((message, _))) => match Fast::of(&message) {
            Ok(Some(fast)) => fast.to_string(),
            _ => message.to_string(),
        },
        (None, Err(_)) => "HANDSHAKE".to_string(),
    }
}

pub(crate) fn block(piece: u32, begin: u32) -> Message<'static> {
    Message::Piece(Piece { piece: PieceIndex(piece), begin, data: &[0; 16_384] })
}

pub(crate) fn request(text: &str) -> bool {
    text.starts_with("REQUEST")
}
