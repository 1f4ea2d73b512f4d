//! The torrent by hand: which messages it sends to which peer, and when.

mod by_hand;

use core::time::Duration;

use bittorrent_pieces::wire::extended::{EXTENDED, Metadata, Pex};
use bittorrent_pieces::wire::fast::{AnswerRules, Fast, RuleSlot};
use bittorrent_pieces::wire::{Handshake, Message, Piece, Reserved};
use bittorrent_pieces::{
    Bitfield, Block, Config, ConnId, ConnectError, Event, Geometry, InfoHash, Outcome, PeerError,
    PeerId, PieceHasher, PieceHashes, PieceIndex, Priority, Side, Torrent, TorrentContent,
    TorrentVec, Verdict,
};
use by_hand::{
    A, B, ZERO, block, build, deliver, extended, fast, greet, join, join_modern, limits, receive,
    request, seconds, sent_to, torrent, torrent_with,
};

#[test]
fn the_dialling_side_sends_the_first_handshake() {
    let mut seed = torrent(0xC0);
    seed.handle_connected(ZERO, A, Side::Dialled).unwrap();
    seed.handle_connected(ZERO, B, Side::Accepted).unwrap();
    assert_eq!((sent_to(&mut seed, A), sent_to(&mut seed, B)), (vec!["HANDSHAKE".into()], vec![]));
    greet(&mut seed, B, 1).unwrap();
    assert_eq!(sent_to(&mut seed, B), ["HANDSHAKE", "BITFIELD bytes=1"]);
    let known = seed.handle_connected(ZERO, A, Side::Dialled);
    assert_eq!(known, Err(ConnectError::InUse(A)));
    let full = seed.handle_connected(ZERO, ConnId(3), Side::Dialled);
    assert_eq!(full, Err(ConnectError::Full { capacity: 2 }));
}

#[test]
fn interest_and_requests_follow_what_a_peer_has() {
    let mut leech = torrent(0);
    join(&mut leech, A, 0x80);
    let lines = sent_to(&mut leech, A);
    assert_eq!(lines[..2], ["HANDSHAKE", "INTERESTED"], "an empty bitfield is left out");
    assert!(lines[2..].iter().all(|line| line.starts_with("REQUEST piece=0")));
    assert_eq!(lines.len(), 4);
    deliver(&mut leech, ZERO, A, block(0, 0)).unwrap();
    deliver(&mut leech, ZERO, A, block(0, 16_384)).unwrap();
    assert!(matches!(leech.poll_event(), Some(Event::Connected { conn: A, .. })));
    assert_eq!(leech.poll_event(), Some(Event::Verify { piece: PieceIndex(0) }));
    let digest = PieceHasher::digest(&vec![0; 32_768]);
    assert_eq!(leech.handle_hashed(ZERO, PieceIndex(0), digest), Ok(Verdict::Passed));
    assert!(leech.handle_hashed(ZERO, PieceIndex(0), digest).is_err());
    assert_eq!(leech.poll_event(), Some(Event::PieceCompleted { piece: PieceIndex(0) }));
    assert_eq!(sent_to(&mut leech, A), ["NOT INTERESTED", "HAVE piece=0"]);
}

/// A peer that has nothing but skipped pieces is of no interest, however and whenever it announces them.
#[test]
fn skipped_pieces_are_no_reason_to_be_interested() {
    let mut leech = torrent(0);
    let skip = |torrent: &mut Torrent<TorrentVec>, piece, priority| {
        torrent.set_priority(ZERO, PieceIndex(piece), priority);
    };
    skip(&mut leech, 0, Priority::SKIP);
    join(&mut leech, A, 0x80);
    assert_eq!(leech.peer(A).unwrap().wanted, 0);
    assert_eq!(sent_to(&mut leech, A), ["HANDSHAKE"]);
    deliver(&mut leech, ZERO, A, Message::Have(PieceIndex(1))).unwrap();
    let lines = sent_to(&mut leech, A);
    assert_eq!(lines[0], "INTERESTED");
    assert!(lines[1..].iter().all(|line| line.starts_with("REQUEST piece=1")), "{lines:?}");
    skip(&mut leech, 0, Priority::LOW);
    skip(&mut leech, 0, Priority::HIGH); // already counted
    assert_eq!(leech.peer(A).unwrap().wanted, 2);
    assert!(sent_to(&mut leech, A).iter().all(|line| line.starts_with("REQUEST piece=0")));
    skip(&mut leech, 0, Priority::SKIP);
    skip(&mut leech, 0, Priority::SKIP); // not counted twice
    assert_eq!(leech.peer(A).unwrap().wanted, 1);
    // One that was asked for before it was skipped may still become complete; it does not count.
    let digest = PieceHasher::digest(&vec![0; 32_768]);
    for (piece, left) in [(0, 1), (1, 0)] {
        deliver(&mut leech, ZERO, A, block(piece, 0)).unwrap();
        deliver(&mut leech, ZERO, A, block(piece, 16_384)).unwrap();
        while leech.poll_event().is_some() {}
        leech.handle_hashed(ZERO, PieceIndex(piece), digest).unwrap();
        assert_eq!(leech.peer(A).unwrap().wanted, left);
    }
    assert_eq!(sent_to(&mut leech, A), ["NOT INTERESTED", "HAVE piece=0", "HAVE piece=1"]);
    // What remains is skipped.
    let mut leech = torrent(0x80);
    join(&mut leech, A, 0xC0);
    assert_eq!(sent_to(&mut leech, A)[2], "INTERESTED");
    skip(&mut leech, 1, Priority::SKIP);
    assert!(sent_to(&mut leech, A).contains(&"NOT INTERESTED".to_string()));
    skip(&mut leech, 1, Priority::NORMAL);
    assert!(sent_to(&mut leech, A).contains(&"INTERESTED".to_string()));
}

/// A peer that only claims to have everything does not take the second request of a block from those that send.
#[test]
fn a_peer_that_never_sent_a_block_gets_no_second_request() {
    let mut leech = torrent(0);
    join(&mut leech, A, 0xC0);
    assert_eq!(sent_to(&mut leech, A).iter().filter(|line| request(line)).count(), 4);
    deliver(&mut leech, ZERO, A, block(0, 0)).unwrap();
    join(&mut leech, B, 0xC0);
    leech.handle_timeout(seconds(5));
    let of_b = |leech: &mut Torrent<TorrentVec>| -> Vec<String> {
        sent_to(leech, B).into_iter().filter(|line| request(line)).collect()
    };
    assert_eq!(of_b(&mut leech), Vec::<String>::new());
    leech.handle_closed(seconds(5), A);
    let first = of_b(&mut leech);
    assert_eq!(first.len(), 1, "a first request, to show that it answers");
    let begin = if first[0].contains("begin=0 ") { 0 } else { 16_384 };
    let piece = u32::from(first[0].contains("piece=1"));
    deliver(&mut leech, seconds(6), B, block(piece, begin)).unwrap();
    assert_eq!(of_b(&mut leech).len(), 2, "all that are left");
}

/// Cohen 2003, 2.4: cancels are sent on arrival, once, to the other one.
#[test]
fn the_second_requester_gets_a_cancel_on_arrival() {
    let mut leech = torrent(0x40);
    join(&mut leech, A, 0x80);
    assert_eq!(sent_to(&mut leech, A).iter().filter(|line| request(line)).count(), 2);
    join(&mut leech, B, 0x80);
    leech.handle_timeout(leech.poll_timeout().unwrap());
    let twice = sent_to(&mut leech, B).into_iter().find(|line| request(line)).unwrap();
    let begin = if twice.contains("begin=0 ") { 0 } else { 16_384 };
    deliver(&mut leech, ZERO, B, block(0, begin)).unwrap();
    assert_eq!(sent_to(&mut leech, A), [twice.replace("REQUEST", "CANCEL")]);
    deliver(&mut leech, ZERO, A, block(0, begin)).unwrap();
    assert_eq!(leech.peer(A).unwrap().traffic.bytes_wasted, 16_384);
    assert_eq!(leech.peer(B).unwrap().traffic.bytes_received, 16_384);
}

#[test]
fn a_peer_that_does_not_answer_for_a_minute_is_snubbed() {
    let mut leech = torrent(0);
    join(&mut leech, A, 0xC0);
    let asked = sent_to(&mut leech, A).len();
    leech.handle_timeout(seconds(59));
    assert!(!leech.peer(A).unwrap().snubbed);
    leech.handle_timeout(seconds(60));
    let peer = leech.peer(A).unwrap();
    assert!(peer.snubbed && peer.requested == 1 && asked == 6);
    let lines = sent_to(&mut leech, A);
    assert_eq!(lines.iter().filter(|line| line.starts_with("CANCEL")).count(), 4);
    assert_eq!(lines.iter().filter(|line| request(line)).count(), 1);
    let begin = if lines.last().unwrap().contains("begin=0 ") { 0 } else { 16_384 };
    let piece = u32::from(lines.last().unwrap().contains("piece=1"));
    deliver(&mut leech, seconds(61), A, block(piece, begin)).unwrap();
    assert!(!leech.peer(A).unwrap().snubbed, "it came to life");
}

/// A full queue of requests refuses the input and loses nothing.
#[test]
fn requests_above_the_queue_wait_in_the_receive_buffer() {
    let mut seed = torrent(0xC0);
    join(&mut seed, A, 0);
    deliver(&mut seed, ZERO, A, Message::Interested).unwrap();
    sent_to(&mut seed, A);
    let ask = |len| {
        let mut request = seed.geometry().block(PieceIndex(0), 0).unwrap();
        request.len = len;
        Message::Request(request)
    };
    let asks: Vec<_> = (1..34).map(ask).collect();
    let consumed: Vec<_> =
        asks.iter().map(|ask| deliver(&mut seed, ZERO, A, *ask).unwrap()).collect();
    assert_eq!(consumed.iter().filter(|len| **len == 17).count(), 32);
    assert_eq!(consumed[32], 0, "busy");
    assert_eq!(sent_to(&mut seed, A).len(), 32);
    assert_eq!(deliver(&mut seed, ZERO, A, asks[32]), Ok(17));
}

/// BEP 6: each request gets exactly one answer, which the checker of the rules watches; a choke rejects
/// what is under way but for the allowed-fast pieces.
#[test]
fn under_the_fast_extension_each_request_gets_one_answer() {
    let mut seed = torrent(0xC0);
    assert_eq!(
        join_modern(&mut seed, A, Reserved::FAST)[1..],
        ["HAVE ALL", "ALLOWED FAST piece=1", "ALLOWED FAST piece=0"]
    );
    let block = |piece, number| seed.geometry().block(PieceIndex(piece), number).unwrap();
    let a = block(0, 0);
    let b = block(0, 1);
    let c = block(1, 0);
    // Choked, and allowed fast all the same: both pieces of this small torrent are.
    deliver(&mut seed, ZERO, A, Message::Request(a)).unwrap();
    deliver(&mut seed, ZERO, A, Message::Request(b)).unwrap();
    deliver(&mut seed, ZERO, A, Message::Cancel(b)).unwrap();
    deliver(&mut seed, ZERO, A, Message::Request(c)).unwrap();
    let mut rules = AnswerRules::new(true, [RuleSlot::EMPTY; 4]);
    rules.answered_fast(Fast::HaveAll).unwrap();
    for block in [a, b, c] {
        rules.asked(&Message::Request(block)).unwrap();
    }
    let lines = sent_to(&mut seed, A);
    assert_eq!(lines, [format!("PIECE {a}"), format!("REJECT {b}"), format!("PIECE {c}")]);
    for block in [a, c] {
        let piece = block.piece;
        let begin = block.begin;
        rules.answered(&Message::Piece(Piece { piece, begin, data: &[0; 16_384] })).unwrap();
    }
    rules.answered_fast(Fast::Reject(b)).unwrap();
    assert_eq!(rules.unanswered().count(), 0);
    // Without an address there is nothing that a choked peer is allowed.
    let mut seed = torrent(0x80);
    join_modern(&mut seed, A, Reserved::FAST);
    seed.handle_closed(ZERO, A);
    seed.handle_connected(ZERO, A, Side::Accepted).unwrap();
    let mut hello = [0; Handshake::LEN];
    let info_hash = InfoHash([1; 20]);
    let peer_id = PeerId([9; 20]);
    Handshake { reserved: Reserved::FAST, info_hash, peer_id }.encode(&mut hello).unwrap();
    seed.handle_bytes(ZERO, A, &hello).unwrap();
    assert_eq!(sent_to(&mut seed, A)[1..], ["BITFIELD bytes=1"]);
    deliver(&mut seed, ZERO, A, Message::Request(a)).unwrap();
    deliver(&mut seed, ZERO, A, Message::Request(c)).unwrap(); // a piece that is missing here
    assert_eq!(sent_to(&mut seed, A), [format!("REJECT {a}"), format!("REJECT {c}")]);
}

/// BEP 6: a reject frees the block for others; what was never asked for closes the connection.
#[test]
fn a_rejected_block_is_asked_of_another_and_strays_are_refused() {
    let mut leech = torrent(0);
    for conn in [A, B] {
        let lines = join_modern(&mut leech, conn, Reserved::FAST);
        assert_eq!(lines[1], "HAVE NONE");
        leech.handle_bytes(ZERO, conn, &fast(Fast::HaveAll)).unwrap();
    }
    deliver(&mut leech, ZERO, A, Message::Unchoke).unwrap();
    let asked: Vec<_> = sent_to(&mut leech, A).into_iter().filter(|line| request(line)).collect();
    assert_eq!(asked.len(), 4);
    let first = leech.geometry().block(PieceIndex(0), 0).unwrap();
    leech.handle_bytes(ZERO, A, &fast(Fast::Reject(first))).unwrap();
    let mut other = leech.clone();
    let again = receive(&mut other, ZERO, A, &fast(Fast::Reject(first))).map(|_| ());
    assert_eq!(again, Err(PeerError::RejectedNothing(first)));
    let stray = deliver(&mut leech.clone(), ZERO, A, block(0, 0));
    assert_eq!(stray, Err(PeerError::Unrequested(first)));
    assert!(sent_to(&mut leech, A).is_empty(), "a peer that rejects is not asked again at once");
    deliver(&mut leech, ZERO, B, Message::Unchoke).unwrap();
    assert!(sent_to(&mut leech, B).contains(&format!("REQUEST {first}")));
    // A choke does not reject by itself; late answers are still right.
    deliver(&mut leech, ZERO, A, Message::Choke).unwrap();
    assert_eq!(deliver(&mut leech, ZERO, A, block(0, 16_384)), Ok(13 + 16_384));
    let spare = receive(&mut leech, ZERO, A, &fast(Fast::Suggest(PieceIndex(2)))).map(|_| ());
    assert_eq!(spare, Err(PeerError::Piece(PieceIndex(2))));
}

/// A peer that answers later requests but not an earlier one loses that one to another.
#[test]
fn a_request_that_is_passed_over_goes_to_another() {
    let mut leech = torrent(0);
    join(&mut leech, A, 0xC0);
    let asked: Vec<_> = sent_to(&mut leech, A).into_iter().filter(|line| request(line)).collect();
    assert_eq!(asked.len(), 4);
    for (begin, at) in [(0, 30), (16_384, 50)] {
        deliver(&mut leech, seconds(at), A, block(u32::from(asked[0].contains("piece=1")), begin))
            .unwrap();
    }
    leech.handle_timeout(seconds(70));
    let lines = sent_to(&mut leech, A);
    assert_eq!(lines.iter().filter(|line| line.starts_with("CANCEL")).count(), 2, "{lines:?}");
}

/// BEP 10, 9, 11: ids, the info dictionary in pieces, other peers after a round.
#[test]
fn extensions_are_agreed_on_and_used() {
    let info = vec![b'i'; 16_384 + 7];
    let mut seed = torrent_with(2, 0xC0, 2, |_| (), |content| content.info = &info);
    let hello = join_modern(&mut seed, A, Reserved::EXTENDED);
    assert!(hello[2].starts_with("MESSAGE id=20"), "{hello:?}");
    deliver(&mut seed, ZERO, A, extended(b"\0d1:md11:ut_metadatai7e6:ut_pexi9ee1:pi77ee")).unwrap();
    for (piece, len) in [(0, 16_384), (1, 7), (2, 0)] {
        let ask = format!("\x01d8:msg_typei0e5:piecei{piece}ee");
        deliver(&mut seed, ZERO, A, extended(ask.as_bytes())).unwrap();
        let mut buf = [0; 600];
        let sent = seed.poll_transmit(&mut buf).unwrap().unwrap();
        let data = seed.metadata(sent.metadata);
        assert_eq!(data.len(), len);
        let bytes = [&buf[..sent.len], data].concat();
        let (message, rest) = Message::decode(&bytes, 1 << 20).unwrap();
        let Message::Other { id: EXTENDED, payload } = message else { panic!("{message}") };
        assert!(rest.is_empty() && payload[0] == 7);
        let metadata = Metadata::decode(&payload[1..]).unwrap();
        assert_eq!(matches!(metadata, Metadata::Reject { .. }), len == 0);
    }
    join_modern(&mut seed, B, Reserved::EXTENDED);
    deliver(&mut seed, seconds(9), B, extended(b"\0d1:md6:ut_pexi3ee1:pi88ee")).unwrap();
    seed.handle_timeout(seconds(10));
    let mut buf = [0; 600];
    for (conn, id, port) in [(A, 9, 88), (B, 3, 77)] {
        let mut message = None;
        while let Some(sent) = seed.poll_transmit_to(conn, &mut buf).unwrap() {
            message = Some(buf[4..sent.len].to_vec());
        }
        let message = message.unwrap();
        assert_eq!(message[..2], [EXTENDED, id]);
        let peers: Vec<_> = Pex::decode(&message[2..], true).unwrap().added().collect();
        assert_eq!(peers.iter().map(|(addr, _)| addr.port()).collect::<Vec<_>>(), [port]);
    }
    seed.handle_timeout(seconds(80));
    assert!(
        !sent_to(&mut seed, A).iter().any(|line| line.contains("id=20")),
        "no news, no exchange"
    );
    let pex = extended(b"\x02d5:added6:\x7F\0\0\x01\0\x05e");
    let mut bytes = vec![0; pex.encoded_len()];
    pex.encode(&mut bytes).unwrap();
    let handled = seed.handle_bytes(seconds(80), A, &bytes).unwrap();
    let Some(Outcome::Peers(peers)) = handled.outcome else { panic!("{handled:?}") };
    assert_eq!(peers.added().count(), 1);
}

/// BEP 54: a piece that a peer lost is not asked of it.
#[test]
fn a_lost_piece_is_not_wanted_any_more() {
    let mut leech = torrent(0);
    join_modern(&mut leech, A, Reserved::EXTENDED);
    deliver(&mut leech, ZERO, A, Message::Bitfield(&[0xC0])).unwrap();
    assert_eq!(leech.peer(A).unwrap().wanted, 2);
    deliver(&mut leech, ZERO, A, extended(&[3, 0, 0, 0, 1])).unwrap();
    let peer = leech.peer(A).unwrap();
    assert_eq!((peer.wanted, peer.pieces), (1, 1));
    deliver(&mut leech, ZERO, A, Message::Unchoke).unwrap();
    assert!(sent_to(&mut leech, A).iter().all(|line| !line.contains("piece=1")));
    let outside = deliver(&mut leech, ZERO, A, extended(&[3, 0, 0, 0, 2]));
    assert_eq!(outside, Err(PeerError::Piece(PieceIndex(2))));
}

/// Requests under way are what a peer gives in about half a second beyond its fastest answer: its rate times
/// the delay.
#[test]
fn the_window_follows_rate_and_delay() {
    for (delay, rate, least, most) in [(50, 400, 150, 251), (2_000, 100, 150, 251), (100, 2, 1, 4)]
    {
        let window = window_of(delay, rate);
        assert!((least..=most).contains(&window), "{delay} ms, {rate} blocks/s: {window}");
    }
}

/// Returns the window after half a minute with a peer of some delay in ms and rate in blocks a second.
fn window_of(delay: u64, rate: u64) -> usize {
    let geometry = Geometry::new(1 << 30, 1 << 18).unwrap();
    let pieces = geometry.pieces();
    let hashes = vec![[0; 20]; pieces as usize];
    let have = Bitfield::new(pieces, vec![0; Bitfield::byte_len(pieces)]).unwrap();
    let config = Config::new(InfoHash([1; 20]), PeerId([1; 20]));
    let content = TorrentContent::new(geometry, PieceHashes::new(&hashes));
    let mut leech = build(config, &content, have.as_view(), limits(1, pieces as usize, 250));
    leech.handle_connected(ZERO, A, Side::Accepted).unwrap();
    let mut bytes = [0; Handshake::LEN];
    let info_hash = config.info_hash;
    let peer_id = PeerId([2; 20]);
    Handshake { reserved: Reserved::FAST, info_hash, peer_id }.encode(&mut bytes).unwrap();
    leech.handle_bytes(ZERO, A, &bytes).unwrap();
    leech.handle_bytes(ZERO, A, &fast(Fast::HaveAll)).unwrap();
    leech.handle_bytes(ZERO, A, &[0, 0, 0, 1, 1]).unwrap();
    let mut queue = std::collections::VecDeque::new();
    let mut buf = [0; 600];
    let mut free_at = 0;
    for now in 0..30_000_u64 {
        while let Some(sent) = leech.poll_transmit(&mut buf).unwrap() {
            if let Ok((Message::Request(block), _)) = Message::decode(&buf[..sent.len], 100) {
                free_at = free_at.max(now + delay) + 1_000 / rate;
                queue.push_back((free_at, block));
            }
        }
        while queue.front().is_some_and(|(at, _)| *at <= now) {
            let (_, asked) = queue.pop_front().unwrap();
            let data = vec![0; asked.len as usize];
            let piece =
                Message::Piece(Piece { piece: asked.piece, begin: asked.begin, data: &data });
            let mut bytes = vec![0; piece.encoded_len()];
            piece.encode(&mut bytes).unwrap();
            leech.handle_bytes(Duration::from_millis(now), A, &bytes).unwrap();
        }
    }
    leech.peer(A).unwrap().window
}

/// What the protocol can refuse politely does not close the connection: requests that are too long, of no
/// bytes, outside the content, or for pieces that we lack.
#[test]
fn invalid_requests_are_rejected_and_the_connection_is_kept() {
    let invalid = [(0, 0, 32_768), (0, 0, 0), (0, 32_768, 16_384), (7, 0, 16_384), (1, 0, 16_384)];
    let invalid = invalid.map(|(piece, begin, len)| Block { piece: PieceIndex(piece), begin, len });
    for (reserved, rejects) in [(Reserved::FAST, true), (Reserved::default(), false)] {
        let mut seed = torrent(0x80);
        join_modern(&mut seed, A, reserved);
        deliver(&mut seed, ZERO, A, Message::Interested).unwrap();
        sent_to(&mut seed, A);
        for block in invalid {
            assert_eq!(deliver(&mut seed, ZERO, A, Message::Request(block)), Ok(17), "{block}");
            let expected = if rejects { vec![format!("REJECT {block}")] } else { vec![] };
            let mut buf = [0; 100];
            let mut lines = vec![];
            while let Some(sent) = seed.poll_transmit_to(A, &mut buf).unwrap() {
                let numbers = |at: usize| u32::from_be_bytes(buf[at..at + 4].try_into().unwrap());
                assert_eq!((sent.len, buf[4], sent.block), (17, 16, None));
                let piece = PieceIndex(numbers(5));
                let begin = numbers(9);
                let len = numbers(13);
                lines.push(format!("REJECT {}", Block { piece, begin, len }));
            }
            assert_eq!(lines, expected);
        }
        let valid = Block { piece: PieceIndex(0), begin: 0, len: 16_384 };
        deliver(&mut seed, ZERO, A, Message::Request(valid)).unwrap();
        assert_eq!(sent_to(&mut seed, A), [format!("PIECE {valid}")]);
    }
}
