//! Who may request blocks, and what becomes of the requests.

mod by_hand;

use core::net::SocketAddr;

use bittorrent_pieces::merkle::PieceLayer;
use bittorrent_pieces::wire::{Message, Reserved};
use bittorrent_pieces::{
    Bitfield, Block, Config, ConnId, Geometry, InfoHash, Outcome, PeerId, PieceHashes, PieceIndex,
    Side, Torrent, TorrentContent, TorrentVec,
};
use by_hand::{
    A, B, C, ZERO, build, deliver, join, join_modern, limits, receive, seconds, sent_to, torrent_of,
};

fn unchoked(torrent: &Torrent<TorrentVec>) -> Vec<ConnId> {
    torrent.peers().filter(|peer| peer.unchoked).map(|peer| peer.conn).collect()
}

/// A seed with some upload slots and three peers that are not interested.
fn seed_of(slots: u8) -> Torrent<TorrentVec> {
    let mut seed = torrent_of(2, 0xC0, 3, |config| config.upload_slots = slots);
    for conn in [A, B, C] {
        join(&mut seed, conn, 0);
    }
    seed
}

fn interested(torrent: &mut Torrent<TorrentVec>, conn: ConnId) {
    deliver(torrent, ZERO, conn, Message::Interested).unwrap();
}

/// A slot is given at once while one is free, and passed on at once when its peer leaves or loses interest.
#[test]
fn a_free_slot_is_given_at_once() {
    let mut seed = seed_of(1);
    interested(&mut seed, A);
    assert_eq!(unchoked(&seed), [A]);
    interested(&mut seed, B);
    assert_eq!(unchoked(&seed), [A], "it is taken");
    let mut other = seed.clone();
    deliver(&mut other, ZERO, A, Message::NotInterested).unwrap();
    assert!(unchoked(&other).contains(&B));
    interested(&mut other, C);
    assert!(!unchoked(&other).contains(&C));
    let mut other = seed.clone();
    other.handle_closed(ZERO, A);
    assert_eq!(unchoked(&other), [B]);
    let mut other = seed.clone();
    assert!(deliver(&mut other, ZERO, A, Message::Have(PieceIndex(9))).is_err());
    assert_eq!(unchoked(&other), [B]);
    seed.handle_closed(ZERO, B);
    assert_eq!(unchoked(&seed), [A], "one that waited left");

    let mut seed = seed_of(1);
    interested(&mut seed, A);
    deliver(&mut seed, ZERO, A, Message::NotInterested).unwrap();
    interested(&mut seed, C);
    assert!(unchoked(&seed).contains(&C), "nobody needs it");

    let mut seed = seed_of(2);
    interested(&mut seed, A);
    interested(&mut seed, B);
    assert_eq!(unchoked(&seed), [A, B]);
    deliver(&mut seed, ZERO, A, Message::NotInterested).unwrap();
    interested(&mut seed, C);
    assert!(unchoked(&seed).contains(&C));
    assert_eq!(sent_to(&mut seed, C).last().map(String::as_str), Some("UNCHOKE"));
}

/// A torrent with 0 upload slots never uploads, whatever the round.
#[test]
fn without_upload_slots_nobody_is_unchoked() {
    let mut seed = seed_of(0);
    for conn in [A, B, C] {
        interested(&mut seed, conn);
    }
    for second in 1..=40 {
        seed.handle_timeout(seconds(second));
    }
    assert_eq!(unchoked(&seed), []);
    let mut seed = torrent_of(2, 0xC0, 2, |config| config.upload_slots = 0);
    let lines = join_modern(&mut seed, A, Reserved::FAST);
    assert_eq!(lines, ["HANDSHAKE", "HAVE ALL"], "and no piece is allowed fast");
}

/// BEP 3: a choke drops requests. BEP 6: it rejects them, but not those of allowed-fast pieces.
#[test]
fn a_choke_answers_the_requests_that_wait() {
    let block = |number: u32| Block { piece: PieceIndex(0), begin: number * 16_384, len: 16_384 };
    let piece = [0, 1].map(|number| format!("PIECE {}", block(number)));
    let reject = [0, 1].map(|number| format!("REJECT {}", block(number)));
    let v4 = "192.0.2.1:9";
    let v6 = "[2001:db8::1]:9";
    for (reserved, addr, answers) in [
        (Reserved::default(), v4, &[][..]),
        (Reserved::FAST, v4, &piece),
        (Reserved::FAST, v6, &reject),
    ] {
        let mut seed = torrent_of(2, 0xC0, 2, |config| config.upload_slots = 1);
        join(&mut seed, B, 0);
        join_modern(&mut seed, A, reserved);
        seed.set_address(A, addr.parse::<SocketAddr>().unwrap());
        interested(&mut seed, A);
        interested(&mut seed, B);
        assert_eq!(sent_to(&mut seed, A), ["UNCHOKE"]);
        for number in [0, 1] {
            deliver(&mut seed, ZERO, A, Message::Request(block(number))).unwrap();
        }
        deliver(&mut seed, ZERO, A, Message::NotInterested).unwrap();
        seed.handle_timeout(seconds(1));
        assert_eq!(unchoked(&seed), [B]);
        let lines = sent_to(&mut seed, A);
        assert_eq!((lines[0].as_str(), &lines[1..]), ("CHOKE", answers), "{addr}");
    }
}

/// BEP 6, the example: the pieces that 80.4.4.200 may request while it is choked. A peer that has as many needs none.
#[test]
fn a_choked_peer_gets_its_allowed_fast_pieces() {
    const PIECES: u32 = 1_313;
    let hashes = vec![[0; 20]; PIECES as usize];
    let geometry = Geometry::new(u64::from(PIECES) * 16_384, 16_384).unwrap();
    let content = TorrentContent::new(geometry, PieceHashes::new(&hashes));
    let config = Config::new(InfoHash([0xAA; 20]), PeerId([1; 20]));
    let mut all = Bitfield::new(PIECES, vec![0; Bitfield::byte_len(PIECES)]).unwrap();
    all.fill();
    for (held, announced) in [(0, 10), (9, 10), (10, 0)] {
        let mut seed = build(config, &content, all.as_view(), limits(1, 2, 32));
        seed.handle_connected(ZERO, A, Side::Accepted).unwrap();
        seed.set_address(A, ([80, 4, 4, 200], 9).into());
        let mut hello = by_hand::hello(A, Reserved::FAST);
        hello[28..48].fill(0xAA);
        receive(&mut seed, ZERO, A, &hello).unwrap();
        for piece in 0..held {
            deliver(&mut seed, ZERO, A, Message::Have(PieceIndex(piece))).unwrap();
        }
        let lines = sent_to(&mut seed, A);
        let allowed: Vec<u32> = lines
            .iter()
            .filter_map(|line| line.strip_prefix("ALLOWED FAST piece=")?.parse().ok())
            .collect();
        assert_eq!(allowed.len(), announced, "{held} pieces");
        let example = [1_059, 431, 808, 1_217, 287, 376, 1_188, 353, 508];
        assert!(announced == 0 || example.iter().all(|piece| allowed.contains(piece)));
        for (piece, answer) in [(1_059, "PIECE"), (508, "PIECE"), (1_058, "REJECT")] {
            let block = Block { piece: PieceIndex(piece), begin: 0, len: 16_384 };
            deliver(&mut seed, ZERO, A, Message::Request(block)).unwrap();
            assert_eq!(sent_to(&mut seed, A), [format!("{answer} {block}")]);
        }
    }
}

/// The last block of a file of version 2 may be requested whole; another block that is not content may not.
#[test]
fn the_tail_of_a_file_may_be_requested_whole_in_version_2() {
    let geometry = Geometry::new(32_768 + 7_232, 32_768).unwrap();
    let layer = [[1; 32], [2; 32]];
    let old = [[1; 20], [2; 20]];
    let v2 = PieceHashes::v2(PieceLayer::new(&layer));
    let all = Bitfield::new(2, &[0xC0][..]).unwrap();
    let tail = Block { piece: PieceIndex(1), begin: 0, len: 7_232 };
    for (hashes, piece, begin, len, given) in [
        (v2, 1, 0, 16_384, Some(tail)),
        (v2, 1, 0, 7_233, Some(tail)),
        (v2, 1, 0, 7_232, Some(tail)),
        (v2, 1, 16_384, 16_384, None),
        (v2, 1, 100, 16_384, None),
        (v2, 0, 0, 16_385, None),
        (v2, 2, 0, 16_384, None),
        (PieceHashes::new(&old), 1, 0, 16_384, None),
        (PieceHashes::new(&old), 1, 0, 7_232, Some(tail)),
    ] {
        let config = Config::new(InfoHash([1; 20]), PeerId([1; 20]));
        let content = TorrentContent::new(geometry, hashes);
        let mut seed = build(config, &content, all, limits(1, 2, 32));
        join_modern(&mut seed, A, Reserved::FAST);
        interested(&mut seed, A);
        sent_to(&mut seed, A);
        let block = Block { piece: PieceIndex(piece), begin, len };
        deliver(&mut seed, ZERO, A, Message::Request(block)).unwrap();
        let mut buf = [0; 100];
        let sent = seed.poll_transmit(&mut buf).unwrap().unwrap();
        assert_eq!(sent.block, given, "{block}");
        let zeros = given.map_or(0, |given| len - given.len);
        assert_eq!(sent.padding, zeros, "{block}");
        assert_eq!((sent.len, buf[4]), if given.is_some() { (13, 7) } else { (17, 16) });
    }
}

/// What a peer asked for while it was choked is served only if it is asked for again.
#[test]
fn a_repeated_request_is_served_once_at_a_time() {
    let mut seed = torrent_of(2, 0xC0, 2, |_| ());
    join(&mut seed, A, 0);
    let block = Block { piece: PieceIndex(0), begin: 0, len: 16_384 };
    deliver(&mut seed, ZERO, A, Message::Request(block)).unwrap();
    interested(&mut seed, A);
    assert_eq!(sent_to(&mut seed, A).last().unwrap(), "UNCHOKE");
    for _ in 0..3 {
        deliver(&mut seed, ZERO, A, Message::Request(block)).unwrap();
    }
    assert_eq!(sent_to(&mut seed, A), [format!("PIECE {block}")]);
    deliver(&mut seed, ZERO, A, Message::Request(block)).unwrap();
    deliver(&mut seed, ZERO, A, Message::Cancel(Block { begin: 16_384, ..block })).unwrap();
    assert_eq!(sent_to(&mut seed, A), [format!("PIECE {block}")], "another was cancelled");
    deliver(&mut seed, ZERO, A, Message::Request(block)).unwrap();
    deliver(&mut seed, ZERO, A, Message::Cancel(block)).unwrap();
    assert_eq!(sent_to(&mut seed, A), Vec::<String>::new());
    assert_eq!(seed.peer(A).unwrap().traffic.bytes_sent, 2 * 16_384);
}

/// While all slots for requests wait for their answers, more input waits: requests, extended messages and hash requests.
#[test]
fn a_full_queue_holds_up_what_needs_an_answer() {
    for reserved in [Reserved::default(), Reserved::FAST] {
        let mut seed = torrent_of(2, 0xC0, 2, |_| ());
        join_modern(&mut seed, A, reserved | Reserved::EXTENDED);
        let ask = |len| Message::Request(Block { piece: PieceIndex(0), begin: 0, len });
        let range = [&[7; 32][..], &[0; 8], &[0, 0, 0, 2], &[0; 4]].concat();
        let extended = Message::Other { id: 20, payload: b"\x01d8:msg_typei0e5:piecei0ee" };
        let hashes = Message::Other { id: 21, payload: &range };
        interested(&mut seed, A);
        sent_to(&mut seed, A);
        for len in 1..=31 {
            assert_eq!(deliver(&mut seed, ZERO, A, ask(len)), Ok(17));
        }
        let mut other = seed.clone();
        assert!(deliver(&mut other, ZERO, A, extended) != Ok(0), "there is room for one");
        deliver(&mut seed, ZERO, A, ask(32)).unwrap();
        for waits in [ask(33), extended, hashes] {
            let mut bytes = vec![0; waits.encoded_len()];
            waits.encode(&mut bytes).unwrap();
            let received = receive(&mut seed, ZERO, A, &bytes).unwrap();
            assert_eq!((received.consumed, received.outcome), (0, Some(Outcome::Busy)), "{waits}");
        }
        assert_eq!(deliver(&mut seed, ZERO, A, Message::KeepAlive), Ok(4), "what needs no answer");
        let invalid = deliver(&mut seed, ZERO, A, ask(0));
        assert_eq!(invalid, Ok(if reserved.fast() { 0 } else { 17 }), "a reject, or nothing");
        let repeated = deliver(&mut seed, ZERO, A, ask(7));
        assert_eq!(repeated, Ok(if reserved.fast() { 0 } else { 17 }), "it is answered once");
    }
}

/// BEP 16: a super-seed has nothing, so no piece of it is allowed fast either.
#[test]
fn a_super_seed_allows_nothing_fast() {
    let mut seed = torrent_of(8, 0xFF, 2, |config| config.super_seeding = true);
    let lines = join_modern(&mut seed, A, Reserved::FAST);
    assert_eq!(lines[..2], ["HANDSHAKE", "HAVE NONE"]);
    assert!(lines.len() == 3 && lines[2].starts_with("HAVE piece="), "{lines:?}");
}

/// All connections at a glance are the same as one by one.
#[test]
fn all_peers_are_listed() {
    let mut leech = torrent_of(2, 0, 3, |_| ());
    join(&mut leech, A, 0x80);
    leech.handle_connected(ZERO, B, Side::Dialled).unwrap();
    join(&mut leech, C, 0x40);
    assert!(deliver(&mut leech, ZERO, C, Message::Have(PieceIndex(9))).is_err());
    let listed: Vec<_> = leech.peers().collect();
    assert_eq!(listed.iter().map(|peer| peer.conn).collect::<Vec<_>>(), [A, B]);
    for peer in listed {
        assert_eq!(leech.peer(peer.conn), Some(peer));
    }
    let a = leech.peer(A).unwrap();
    assert_eq!((a.requested, a.peer_id), (2, Some(PeerId([11; 20]))));
    assert_eq!(leech.peer(B).unwrap().peer_id, None);
    assert!(!leech.set_address(C, ([127, 0, 0, 1], 9).into()), "it is closed");
    assert!(leech.set_address(B, ([127, 0, 0, 1], 9).into()));
}
