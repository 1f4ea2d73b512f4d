//! The torrent by hand: what it says to whom, and when.

use core::time::Duration;

use bittorrent_pieces::wire::{Handshake, Message, Piece, Reserved};
use bittorrent_pieces::{
    Bitfield, BitfieldError, BlockSlot, Config, ConnId, ConnectError, Event, Geometry, Handled,
    InfoHash, Memory, PartialSlot, PeerError, PeerId, PeerSlot, PieceHasher, PieceHashes,
    PieceIndex, PieceSlot, Side, Torrent, Verdict, bits_len,
};

type Lent = Memory<[PieceSlot; 2], [PartialSlot; 2], [BlockSlot; 4], [PeerSlot; 2], Vec<u8>>;

const A: ConnId = ConnId(1);
const B: ConnId = ConnId(2);
const ZERO: Duration = Duration::ZERO;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Two pieces of two blocks; the content is zeros.
fn torrent(have: u8) -> Torrent<'static, Lent> {
    let hashes: &'static [[u8; 20]] = vec![PieceHasher::digest(&vec![0; 32_768]); 2].leak();
    let memory = Memory {
        pieces: [PieceSlot::EMPTY; 2],
        partials: [PartialSlot::EMPTY; 2],
        blocks: [BlockSlot::EMPTY; 4],
        peers: [PeerSlot::EMPTY; 2],
        bits: vec![0; bits_len(2, 2)],
    };
    let config = Config::new(InfoHash([1; 20]), PeerId([1; 20]));
    let geometry = Geometry::new(65_536, 32_768).unwrap();
    let have = Bitfield::new(2, [have]).unwrap();
    Torrent::new(config, geometry, PieceHashes::new(hashes), have.as_view(), memory).unwrap()
}

fn greet(torrent: &mut Torrent<'_, Lent>, conn: ConnId, hash: u8) -> Result<(), PeerError> {
    let mut bytes = [0; Handshake::LEN];
    let info_hash = InfoHash([hash; 20]);
    let peer_id = PeerId([conn.0 as u8 + 10; 20]);
    let handshake = Handshake { reserved: Reserved::default(), info_hash, peer_id };
    handshake.encode(&mut bytes).unwrap();
    torrent.handle_bytes(ZERO, conn, &bytes).map(|_| ())
}

fn hear(
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
fn join(torrent: &mut Torrent<'_, Lent>, conn: ConnId, bits: u8) {
    torrent.handle_connected(ZERO, conn, Side::Accepted).unwrap();
    greet(torrent, conn, 1).unwrap();
    hear(torrent, ZERO, conn, Message::Bitfield(&[bits])).unwrap();
    hear(torrent, ZERO, conn, Message::Unchoke).unwrap();
}

/// Returns all that it has to say to a peer, one line each; too small a buffer changes nothing.
fn said(torrent: &mut Torrent<'_, Lent>, conn: ConnId) -> Vec<String> {
    let mut buf = [0; 100];
    let mut lines = Vec::new();
    let mut len = 0;
    loop {
        let before = format!("{torrent:?}");
        match torrent.poll_transmit_to(conn, &mut buf[..len]) {
            Ok(None) => return lines,
            Ok(Some(sent)) => {
                lines.push(match (sent.block, Message::decode(&buf[..sent.len], 100)) {
                    (Some(block), _) => format!("PIECE {block}"),
                    (None, Ok((message, _))) => message.to_string(),
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

fn block(piece: u32, begin: u32) -> Message<'static> {
    Message::Piece(Piece { piece: PieceIndex(piece), begin, data: &[0; 16_384] })
}

fn request(text: &str) -> bool {
    text.starts_with("REQUEST")
}

#[test]
fn a_dialled_peer_is_greeted_first_an_accepting_one_answers() {
    let mut seed = torrent(0xC0);
    seed.handle_connected(ZERO, A, Side::Dialled).unwrap();
    seed.handle_connected(ZERO, B, Side::Accepted).unwrap();
    assert_eq!((said(&mut seed, A), said(&mut seed, B)), (vec!["HANDSHAKE".into()], vec![]));
    greet(&mut seed, B, 1).unwrap();
    assert_eq!(said(&mut seed, B), ["HANDSHAKE", "BITFIELD bytes=1"]);
    let known = seed.handle_connected(ZERO, A, Side::Dialled);
    assert_eq!(known, Err(ConnectError::Known(A)));
    let full = seed.handle_connected(ZERO, ConnId(3), Side::Dialled);
    assert_eq!(full, Err(ConnectError::Full { conn: ConnId(3), capacity: 2 }));
}

#[test]
fn interest_and_requests_follow_what_a_peer_has() {
    let mut leech = torrent(0);
    join(&mut leech, A, 0x80);
    let lines = said(&mut leech, A);
    assert_eq!(lines[..2], ["HANDSHAKE", "INTERESTED"], "an empty bitfield is left out");
    assert!(lines[2..].iter().all(|line| line.starts_with("REQUEST piece=0")));
    assert_eq!(lines.len(), 4);
    hear(&mut leech, ZERO, A, block(0, 0)).unwrap();
    hear(&mut leech, ZERO, A, block(0, 16_384)).unwrap();
    assert!(matches!(leech.poll_event(), Some(Event::Ready { conn: A, .. })));
    assert_eq!(leech.poll_event(), Some(Event::Verify { piece: PieceIndex(0) }));
    let digest = PieceHasher::digest(&vec![0; 32_768]);
    assert_eq!(leech.handle_hashed(ZERO, PieceIndex(0), digest), Ok(Verdict::Passed));
    assert!(leech.handle_hashed(ZERO, PieceIndex(0), digest).is_err());
    assert_eq!(leech.poll_event(), Some(Event::PieceComplete { piece: PieceIndex(0) }));
    assert_eq!(said(&mut leech, A), ["NOT INTERESTED", "HAVE piece=0"]);
}

/// `gotChokeResetsRequestedBlocks`, `clear_peer`: what one peer cannot give is asked of the other
/// at once.
#[test]
fn a_choke_and_a_close_free_the_blocks_for_others() {
    for closes in [false, true] {
        let mut leech = torrent(0);
        join(&mut leech, A, 0xC0);
        let asked: Vec<_> = said(&mut leech, A).into_iter().filter(|line| request(line)).collect();
        assert_eq!(asked.len(), 4);
        join(&mut leech, B, 0xC0);
        assert_eq!(said(&mut leech, B).iter().filter(|line| request(line)).count(), 1, "endgame");
        if closes {
            leech.handle_closed(ZERO, A);
        } else {
            hear(&mut leech, ZERO, A, Message::Choke).unwrap();
        }
        let again: Vec<_> = said(&mut leech, B).into_iter().filter(|line| request(line)).collect();
        assert_eq!(again.len(), 3, "{again:?}");
    }
}

/// Cohen 2003, 2.4: cancels are sent on arrival, once, to the other one.
#[test]
fn the_second_requester_gets_a_cancel_on_arrival() {
    let mut leech = torrent(0x40);
    join(&mut leech, A, 0x80);
    assert_eq!(said(&mut leech, A).iter().filter(|line| request(line)).count(), 2);
    join(&mut leech, B, 0x80);
    let twice = said(&mut leech, B).into_iter().find(|line| request(line)).unwrap();
    let begin = if twice.contains("begin=0 ") { 0 } else { 16_384 };
    hear(&mut leech, ZERO, B, block(0, begin)).unwrap();
    assert_eq!(said(&mut leech, A), [twice.replace("REQUEST", "CANCEL")]);
    hear(&mut leech, ZERO, A, block(0, begin)).unwrap();
    assert_eq!(leech.peer(A).unwrap().traffic.bytes_wasted, 16_384);
    assert_eq!(leech.peer(B).unwrap().traffic.blocks_taken, 1);
}

#[test]
fn a_peer_that_does_not_answer_for_a_minute_is_snubbed() {
    let mut leech = torrent(0);
    join(&mut leech, A, 0xC0);
    let asked = said(&mut leech, A).len();
    leech.handle_timeout(seconds(59));
    assert!(!leech.peer(A).unwrap().snubbed);
    leech.handle_timeout(seconds(60));
    let peer = leech.peer(A).unwrap();
    assert!(peer.snubbed && peer.requested == 1 && asked == 6);
    let lines = said(&mut leech, A);
    assert_eq!(lines.iter().filter(|line| line.starts_with("CANCEL")).count(), 4);
    assert_eq!(lines.iter().filter(|line| request(line)).count(), 1);
    let begin = if lines.last().unwrap().contains("begin=0 ") { 0 } else { 16_384 };
    let piece = u32::from(lines.last().unwrap().contains("piece=1"));
    hear(&mut leech, seconds(61), A, block(piece, begin)).unwrap();
    assert!(!leech.peer(A).unwrap().snubbed, "it came to life");
}

#[test]
fn uploads_wait_for_interest_and_obey_choke_and_cancel() {
    let mut seed = torrent(0xC0);
    seed.handle_connected(ZERO, A, Side::Accepted).unwrap();
    greet(&mut seed, A, 1).unwrap();
    let geometry = seed.geometry();
    let ask = |nth| Message::Request(geometry.block(PieceIndex(1), nth).unwrap());
    hear(&mut seed, ZERO, A, ask(0)).unwrap();
    assert_eq!(said(&mut seed, A), ["HANDSHAKE", "BITFIELD bytes=1"], "a choked peer gets nothing");
    hear(&mut seed, ZERO, A, Message::Interested).unwrap();
    assert_eq!(said(&mut seed, A), ["UNCHOKE"]);
    for nth in [0, 1, 1] {
        hear(&mut seed, ZERO, A, ask(nth)).unwrap();
    }
    hear(&mut seed, ZERO, A, Message::Cancel(geometry.block(PieceIndex(1), 0).unwrap())).unwrap();
    assert_eq!(said(&mut seed, A), ["PIECE piece=1 begin=16384 len=16384"]);
    assert_eq!(seed.peer(A).unwrap().traffic.bytes_given, 16_384);
}

/// A full queue of requests refuses the input and loses nothing.
#[test]
fn too_many_requests_wait_in_the_callers_buffer() {
    let mut seed = torrent(0xC0);
    join(&mut seed, A, 0);
    hear(&mut seed, ZERO, A, Message::Interested).unwrap();
    said(&mut seed, A);
    let ask = |len| {
        let mut request = seed.geometry().block(PieceIndex(0), 0).unwrap();
        request.len = len;
        Message::Request(request)
    };
    let asks: Vec<_> = (1..34).map(ask).collect();
    let consumed: Vec<_> = asks.iter().map(|ask| hear(&mut seed, ZERO, A, *ask).unwrap()).collect();
    assert_eq!(consumed.iter().filter(|len| **len == 17).count(), 32);
    assert_eq!(consumed[32], 0, "busy");
    assert_eq!(said(&mut seed, A).len(), 32);
    assert_eq!(hear(&mut seed, ZERO, A, asks[32]), Ok(17));
}

#[test]
fn a_peer_that_breaks_the_protocol_is_named_and_nothing_changes() {
    let mut seed = torrent(0x80);
    seed.handle_connected(ZERO, A, Side::Accepted).unwrap();
    assert_eq!(greet(&mut seed, A, 2), Err(PeerError::InfoHash(InfoHash([2; 20]))));
    greet(&mut seed, A, 1).unwrap();
    hear(&mut seed, ZERO, A, Message::Have(PieceIndex(1))).unwrap();
    let before = format!("{seed:?}");
    let spare = hear(&mut seed, ZERO, A, Message::Bitfield(&[1]));
    assert_eq!(spare, Err(PeerError::Bitfield(BitfieldError::SpareBit(1))));
    let missing = seed.geometry().block(PieceIndex(1), 0).unwrap();
    let refused = hear(&mut seed, ZERO, A, Message::Request(missing));
    assert_eq!(refused, Err(PeerError::NotHeld(PieceIndex(1))));
    let fast = hear(&mut seed, ZERO, A, Message::Other { id: 14, payload: &[] });
    assert_eq!(fast, Err(PeerError::FastOff(14)));
    assert_eq!(before, format!("{seed:?}"));
    assert_eq!(hear(&mut seed, ZERO, A, Message::Other { id: 20, payload: &[0] }), Ok(6));
    assert_eq!(seed.handle_bytes(ZERO, B, &[1]), Ok(Handled::Gone));
}

/// aria2 sums up with a second bitfield what it would have told by many haves.
#[test]
fn a_later_bitfield_replaces_the_first() {
    let mut leech = torrent(0);
    join(&mut leech, A, 0x80);
    assert_eq!(leech.peer(A).unwrap().wanted, 1);
    hear(&mut leech, ZERO, A, Message::Bitfield(&[0xC0])).unwrap();
    assert_eq!((leech.peer(A).unwrap().wanted, leech.peer(A).unwrap().pieces), (2, 2));
    hear(&mut leech, ZERO, A, Message::Bitfield(&[0x40])).unwrap();
    assert_eq!((leech.peer(A).unwrap().wanted, leech.peer(A).unwrap().pieces), (1, 1));
    leech.handle_closed(ZERO, A);
    join(&mut leech, B, 0x80);
    let asked = said(&mut leech, B).into_iter().filter(|line| request(line));
    assert!(asked.collect::<Vec<_>>().iter().all(|line| line.contains("piece=0")));
}

#[test]
fn the_first_deadline_is_the_choker_round() {
    let mut leech = torrent(0);
    assert_eq!(leech.poll_timeout(), None);
    leech.handle_connected(seconds(5), A, Side::Dialled).unwrap();
    assert_eq!(leech.poll_timeout(), Some(seconds(15)));
    leech.handle_timeout(seconds(100));
    assert_eq!(leech.poll_timeout(), Some(seconds(110)), "no burst of rounds after a late call");
    leech.handle_closed(seconds(101), A);
    leech.handle_timeout(seconds(110));
    assert_eq!(leech.poll_timeout(), None, "nobody to wait for");
}
