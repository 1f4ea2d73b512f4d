//! Each way in which a peer can break the protocol, as the bytes that it sends, and the reason with which it is closed.

mod by_hand;

use bittorrent_pieces::bitfield::BitfieldError;
use bittorrent_pieces::torrent::receive_len;
use bittorrent_pieces::wire::fast::Fast;
use bittorrent_pieces::wire::{Message, Piece, Reserved};
use bittorrent_pieces::{
    Bitfield, Block, CloseReason, Config, Event, Geometry, InfoHash, NotConnected, PeerError,
    PeerId, PieceHashes, PieceIndex, Side, TorrentContent,
};
use by_hand::{
    A, B, ZERO, block, build, deliver, fast, greet, hello, join, join_modern, limits, receive,
    request, seconds, sent_to, torrent,
};

/// Returns the reason with which a peer with all extensions is closed after some bytes.
fn reason(bytes: &[u8]) -> Option<PeerError> {
    let mut leech = torrent(0);
    join_modern(&mut leech, A, Reserved::FAST | Reserved::EXTENDED);
    receive(&mut leech, ZERO, A, bytes).err()
}

#[test]
fn malformed_messages_close_with_their_numbers() {
    let long = u32::try_from(receive_len(2)).unwrap() - 4;
    let too_long = PeerError::TooLong { len: long + 1, limit: long };
    assert_eq!(reason(&(long + 1).to_be_bytes()), Some(too_long));
    assert_eq!(reason(&long.to_be_bytes()), None, "more bytes are needed");
    let payload = |id, len| Some(PeerError::Payload { id, len });
    assert_eq!(reason(&[0, 0, 0, 2, 0, 9]), payload(0, 1), "a choke has no payload");
    assert_eq!(reason(&[0, 0, 0, 4, 4, 0, 0, 0]), payload(4, 3));
    assert_eq!(reason(&[0, 0, 0, 2, 14, 9]), payload(14, 1));
    let cancel = [[0, 0, 0, 13], [8, 0, 0, 0], [0, 0, 0, 0], [7, 0, 0, 0]].concat();
    let range = PeerError::Range { begin: 7, len: 0 };
    assert_eq!(reason(&[&cancel[..], &[0]].concat()), Some(range), "a cancel of no bytes");
    assert_eq!(reason(&[0, 0, 0, 3, 20, 0, b'x']), None, "it can be used without a handshake");
    assert_eq!(reason(&[0, 0, 0, 3, 20, 1, b'x']), Some(PeerError::Extended));
    assert_eq!(reason(&[0, 0, 0, 1, 20]), Some(PeerError::Extended), "without an id");
    let length = PeerError::Bitfield(BitfieldError::Length { len: 2, expected: 1 });
    assert_eq!(reason(&[0, 0, 0, 3, 5, 0, 0]), Some(length));
}

/// BEP 3: a block lies within its piece. Without the fast extension one that was not asked for is dropped.
#[test]
fn a_block_outside_of_its_piece_closes() {
    for (piece, begin) in [(2, 0), (0, 16_385), (0, 32_768)] {
        let outside = Block { piece: PieceIndex(piece), begin, len: 16_384 };
        let mut leech = torrent(0);
        join_modern(&mut leech, A, Reserved::default());
        let refused = deliver(&mut leech, ZERO, A, block(piece, begin));
        assert_eq!(refused, Err(PeerError::Block(outside)));
    }
    let mut leech = torrent(0);
    join_modern(&mut leech, A, Reserved::default());
    deliver(&mut leech, ZERO, A, block(1, 16_384)).unwrap();
    assert!(leech.peer(A).is_some());
}

/// BEP 3: no block is longer than 16 KiB, even where the buffer has room for a long bitfield.
#[test]
fn a_block_of_more_than_16_kib_closes() {
    let pieces = 8 * 17_000;
    let hashes = vec![[0; 20]; pieces as usize];
    let geometry = Geometry::new(u64::from(pieces) * 32_768, 32_768).unwrap();
    let content = TorrentContent::new(geometry, PieceHashes::new(&hashes));
    let config = Config::new(InfoHash([1; 20]), PeerId([1; 20]));
    let none = Bitfield::new(pieces, vec![0; 17_000]).unwrap();
    for (len, closes) in [(16_384, false), (16_385, true)] {
        let mut leech = build(config, &content, none.as_view(), limits(1, 2, 4));
        leech.handle_connected(ZERO, A, Side::Accepted).unwrap();
        receive(&mut leech, ZERO, A, &hello(A, Reserved::default())).unwrap();
        let data = vec![0; len as usize];
        let piece = Piece { piece: PieceIndex(0), begin: 0, data: &data };
        let block = Block { piece: PieceIndex(0), begin: 0, len };
        let sent = deliver(&mut leech, ZERO, A, Message::Piece(piece)).map(|_| ());
        assert_eq!(sent, if closes { Err(PeerError::Block(block)) } else { Ok(()) });
    }
}

#[test]
fn a_handshake_for_something_else_closes() {
    let mut right = hello(A, Reserved::default());
    let check = |bytes: &[u8]| {
        let mut seed = torrent(0xC0);
        seed.handle_connected(ZERO, A, Side::Accepted).unwrap();
        receive(&mut seed, ZERO, A, bytes).map(|received| received.consumed)
    };
    assert_eq!(check(&right), Ok(68));
    assert_eq!(check(&right[..67]), Ok(0));
    assert_eq!(check(&[&right[..], &[0; 4]].concat()), Ok(68), "a message follows");
    right[48..].fill(1);
    assert_eq!(check(&right), Err(PeerError::OwnId));
    right[28] ^= 1;
    assert_eq!(check(&right), Err(PeerError::InfoHash));
    assert_eq!(check(b"GET / HTTP/1.1\r\n\r\n"), Err(PeerError::Handshake));
}

/// A peer that was closed gets no more messages, and its number is in use until the event was polled.
#[test]
fn a_closed_peer_is_done_with_after_its_event() {
    let mut seed = torrent(0xC0);
    join_modern(&mut seed, A, Reserved::default());
    join_modern(&mut seed, B, Reserved::default());
    deliver(&mut seed, ZERO, A, Message::Interested).unwrap();
    assert!(deliver(&mut seed, ZERO, A, Message::Have(PieceIndex(2))).is_err());
    assert_eq!(sent_to(&mut seed, A), Vec::<String>::new());
    assert!(seed.handle_connected(ZERO, A, Side::Accepted).is_err());
    seed.handle_closed(ZERO, A); // not needed, and no harm
    let connected = |conn, id| Some(Event::Connected { conn, peer_id: PeerId([id; 20]) });
    let reason = CloseReason::Protocol(PeerError::Piece(PieceIndex(2)));
    assert_eq!(seed.poll_event(), connected(A, 11));
    assert_eq!(seed.poll_event(), Some(Event::Closed { conn: A, reason }));
    assert_eq!(seed.poll_event(), connected(B, 12));
    assert_eq!(seed.poll_event(), None);
    assert!(seed.handle_connected(ZERO, A, Side::Accepted).is_ok());
}

/// A peer that breaks the protocol is closed with the reason, once, and the rest of its bytes is dropped.
#[test]
fn a_peer_that_breaks_the_protocol_is_closed_with_the_reason() {
    for (message, error) in [
        (Message::Bitfield(&[1]), PeerError::Bitfield(BitfieldError::SpareBit(1))),
        (Message::Have(PieceIndex(2)), PeerError::Piece(PieceIndex(2))),
        (Message::Other { id: 14, payload: &[] }, PeerError::FastOff(14)),
    ] {
        let mut seed = torrent(0x80);
        seed.handle_connected(ZERO, A, Side::Accepted).unwrap();
        greet(&mut seed, A, 1).unwrap();
        deliver(&mut seed, ZERO, A, Message::Have(PieceIndex(1))).unwrap();
        assert_eq!(deliver(&mut seed, ZERO, A, Message::Other { id: 20, payload: &[0] }), Ok(6));
        assert_eq!(deliver(&mut seed, ZERO, A, message), Err(error));
        assert_eq!(seed.peer(A), None);
        assert_eq!(seed.handle_bytes(ZERO, A, &[1; 9]).unwrap().consumed, 9, "dropped");
        assert!(matches!(seed.poll_event(), Some(Event::Connected { conn: A, .. })));
        let closed = Event::Closed { conn: A, reason: CloseReason::Protocol(error) };
        assert_eq!(seed.poll_event(), Some(closed));
        assert_eq!(seed.handle_bytes(ZERO, A, &[1]), Err(NotConnected(A)));
        assert_eq!(seed.poll_event(), None);
    }
    let mut seed = torrent(0x80);
    seed.handle_connected(ZERO, A, Side::Accepted).unwrap();
    assert_eq!(greet(&mut seed, A, 2), Err(PeerError::InfoHash));
}

/// aria2 sends a second bitfield in place of many haves.
#[test]
fn a_later_bitfield_replaces_the_first() {
    let mut leech = torrent(0);
    join(&mut leech, A, 0x80);
    assert_eq!(leech.peer(A).unwrap().wanted, 1);
    deliver(&mut leech, ZERO, A, Message::Bitfield(&[0xC0])).unwrap();
    assert_eq!((leech.peer(A).unwrap().wanted, leech.peer(A).unwrap().pieces), (2, 2));
    leech.handle_timeout(seconds(10));
    deliver(&mut leech, seconds(10), A, Message::Bitfield(&[0x40])).unwrap();
    assert_eq!((leech.peer(A).unwrap().wanted, leech.peer(A).unwrap().pieces), (1, 1));
    leech.handle_closed(ZERO, A);
    join(&mut leech, B, 0x80);
    let asked = sent_to(&mut leech, B).into_iter().filter(|line| request(line));
    assert!(asked.collect::<Vec<_>>().iter().all(|line| line.contains("piece=0")));
}

/// A have-all or have-none of five bytes is counted for all pieces: a peer that repeats it is closed. A bitfield
/// costs what its bytes cost; aria2 sends several in a round to sum up.
#[test]
fn a_repeated_have_all_closes_the_connection_and_a_repeated_bitfield_does_not() {
    let repeated = Err(PeerError::RepeatedPieces);
    for again in [Fast::HaveAll, Fast::HaveNone] {
        let mut leech = torrent(0);
        join_modern(&mut leech, A, Reserved::FAST);
        receive(&mut leech, ZERO, A, &fast(Fast::HaveAll)).unwrap();
        assert_eq!(receive(&mut leech, ZERO, A, &fast(again)).map(|_| ()), repeated);
    }
    let mut leech = torrent(0);
    join(&mut leech, A, 0x80);
    deliver(&mut leech, ZERO, A, Message::Bitfield(&[0xC0])).unwrap();
    leech.handle_timeout(seconds(10));
    deliver(&mut leech, seconds(11), A, Message::Bitfield(&[0x40])).unwrap();
    for bitfield in [[0xC0], [0x80], [0xC0], [0x40]] {
        let again = deliver(&mut leech, seconds(11), A, Message::Bitfield(&bitfield)).map(|_| ());
        assert_eq!(again, Ok(()));
    }
}
