//! How a connection begins: with a handshake of ours, or taken over from a fetch of the metadata that sent it.

mod by_hand;

use bittorrent_pieces::wire::extended::{EXTENDED, ExtendedHandshake, HEADER_LEN, Pex};
use bittorrent_pieces::wire::fast::Fast;
use bittorrent_pieces::wire::{Handshake, Message, Reserved};
use bittorrent_pieces::{
    CloseReason, ConnectError, Event, PeerId, PieceHasher, PieceIndex, Side, Torrent, TorrentVec,
};
use by_hand::{
    A, B, ZERO, block, deliver, extended, fast, hello, join_modern, receive, request, seconds,
    sent_to, torrent, torrent_of, torrent_with,
};

/// The fetch sent that it has nothing, so all pieces follow one by one: BEP 3 has a bitfield as the first message only.
#[test]
fn a_connection_that_was_taken_over_gets_pieces_instead_of_a_handshake() {
    for side in [Side::Dialled, Side::Accepted] {
        for (have, expected) in [
            (0x00, vec![]),
            (0x40, vec!["HAVE piece=1"]),
            (0xC0, vec!["HAVE piece=0", "HAVE piece=1"]),
        ] {
            let mut torrent = torrent(have);
            torrent.take_over(ZERO, A, side, false).unwrap();
            assert_eq!(sent_to(&mut torrent, A), Vec::<String>::new(), "its handshake is awaited");
            receive(&mut torrent, ZERO, A, &hello(A, Reserved::default())).unwrap();
            assert_eq!(sent_to(&mut torrent, A), expected);
        }
    }
}

#[test]
fn a_later_piece_is_announced_once_over_a_connection_that_was_taken_over() {
    let mut torrent = torrent(0x40);
    torrent.take_over(ZERO, A, Side::Dialled, false).unwrap();
    receive(&mut torrent, ZERO, A, &hello(A, Reserved::default())).unwrap();
    deliver(&mut torrent, ZERO, A, Message::Have(PieceIndex(0))).unwrap();
    deliver(&mut torrent, ZERO, A, Message::Unchoke).unwrap();
    let lines = sent_to(&mut torrent, A);
    assert_eq!(lines.iter().filter(|line| request(line)).count(), 2);
    assert_eq!(lines.iter().filter(|line| line.starts_with("HAVE")).count(), 1);
    for begin in [0, 16_384] {
        deliver(&mut torrent, ZERO, A, block(0, begin)).unwrap();
    }
    complete(&mut torrent);
    assert_eq!(sent_to(&mut torrent, A), ["NOT INTERESTED", "HAVE piece=0"]);
}

/// Checks all pieces that are full; the content is zeros.
fn complete(torrent: &mut Torrent<TorrentVec>) {
    while let Some(event) = torrent.poll_event() {
        if let Event::Verify { piece } = event {
            let digest = PieceHasher::digest(&vec![0; 32_768]);
            torrent.handle_hashed(ZERO, piece, digest).unwrap();
        }
    }
}

#[test]
fn a_connection_is_taken_over_once() {
    let mut seed = torrent(0xC0);
    seed.take_over(ZERO, A, Side::Dialled, false).unwrap();
    let again = seed.take_over(ZERO, A, Side::Dialled, false);
    assert_eq!(again, Err(ConnectError::InUse(A)));
    seed.handle_connected(ZERO, B, Side::Dialled).unwrap();
    assert_eq!(seed.take_over(ZERO, B, Side::Dialled, false), Err(ConnectError::InUse(B)));
}

/// The extended handshake of the torrent replaces that of the fetch: now there is metadata to be had.
#[test]
fn extensions_are_announced_anew_over_a_connection_that_was_taken_over() {
    let mut seed = torrent_with(2, 0xC0, 2, |_| (), |content| content.info = b"de");
    seed.take_over(ZERO, A, Side::Accepted, false).unwrap();
    receive(&mut seed, ZERO, A, &hello(A, Reserved::EXTENDED | Reserved::FAST)).unwrap();
    let lines = sent_to(&mut seed, A);
    assert!(lines[0].starts_with("MESSAGE id=20"), "{lines:?}");
    assert_eq!(lines[1..], ["HAVE piece=0", "HAVE piece=1"]);
}

/// A super-seed offers one piece, over such a connection too.
#[test]
fn a_super_seed_offers_one_piece_over_a_connection_that_was_taken_over() {
    let mut seed = torrent_of(8, 0xFF, 2, |config| config.super_seeding = true);
    seed.take_over(ZERO, A, Side::Dialled, false).unwrap();
    receive(&mut seed, ZERO, A, &hello(A, Reserved::default())).unwrap();
    let lines = sent_to(&mut seed, A);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("HAVE piece="));
}

/// Returns the handshake that is sent to an accepted peer that supports everything.
fn our_handshake(torrent: &mut Torrent<TorrentVec>) -> Handshake {
    torrent.handle_connected(ZERO, A, Side::Accepted).unwrap();
    let all = Reserved::EXTENDED | Reserved::FAST | Reserved::DHT;
    receive(torrent, ZERO, A, &hello(A, all)).unwrap();
    let mut buf = [0; 68];
    let sent = torrent.poll_transmit(&mut buf).unwrap().unwrap();
    assert_eq!(sent.len, 68);
    Handshake::decode(&buf).unwrap().0
}

/// BEP 4: a bit for each of extension protocol, fast extension and DHT.
#[test]
fn the_handshake_offers_what_is_configured() {
    for offers_fast in [true, false] {
        for dht_port in [None, Some(6_881)] {
            let mut torrent = torrent_of(2, 0xC0, 2, |config| {
                config.fast = offers_fast;
                config.dht_port = dht_port;
            });
            let handshake = our_handshake(&mut torrent);
            assert_eq!(handshake.reserved.fast(), offers_fast);
            assert_eq!(handshake.reserved.dht(), dht_port.is_some());
            assert!(handshake.reserved.extended() && !handshake.reserved.v2());
            assert_eq!(handshake.peer_id, PeerId([1; 20]));
            assert_eq!(torrent.peer(A).unwrap().fast, offers_fast, "both must offer it");
        }
    }
}

/// BEP 5: the port is sent to peers with the bit, once, after what is sent first.
#[test]
fn the_port_of_the_dht_is_sent_to_peers_that_have_one() {
    for (dht_port, reserved, sent) in [
        (Some(6_881), Reserved::DHT, true),
        (Some(6_881), Reserved::FAST, false),
        (None, Reserved::DHT, false),
    ] {
        let mut seed = torrent_of(2, 0x80, 2, |config| config.dht_port = dht_port);
        let lines = join_modern(&mut seed, A, reserved);
        let ports: Vec<_> = lines.iter().filter(|line| line.starts_with("PORT")).collect();
        assert_eq!(!ports.is_empty(), sent, "{lines:?}");
        if sent {
            assert_eq!(lines, ["HANDSHAKE", "BITFIELD bytes=1", "PORT 6881"]);
        }
        deliver(&mut seed, ZERO, A, Message::Interested).unwrap();
        assert_eq!(sent_to(&mut seed, A), ["UNCHOKE"], "once");
    }
}

/// BEP 6: have-all, have-none or a bitfield; without the extension nothing in place of an empty bitfield.
#[test]
fn the_first_message_says_which_pieces_there_are() {
    for (have, with_fast, without) in [
        (0x00, "HAVE NONE", None),
        (0x80, "BITFIELD bytes=1", Some("BITFIELD bytes=1")),
        (0xC0, "HAVE ALL", Some("BITFIELD bytes=1")),
    ] {
        let mut torrent = torrent(have);
        assert_eq!(join_modern(&mut torrent, A, Reserved::FAST)[1], with_fast);
        let lines = join_modern(&mut torrent, B, Reserved::default());
        assert_eq!(lines.get(1).map(String::as_str), without);
    }
}

/// BEP 10: our ids, the length of our metadata, our port and queue, and the address of the peer as we see it.
#[test]
fn the_extended_handshake_says_what_we_support() {
    for holepunch in [false, true] {
        for peer_exchange in [false, true] {
            let mut seed = torrent_with(
                2,
                0xC0,
                2,
                |config| {
                    config.holepunch = holepunch;
                    config.peer_exchange = peer_exchange;
                    config.port = Some(6_882);
                },
                |content| content.info = b"de",
            );
            let bytes = extended_handshake(&mut seed);
            let hello = ExtendedHandshake::decode(&bytes[HEADER_LEN..]).unwrap();
            let ids: Vec<_> = hello.ids().map(|(name, _)| name).collect();
            let mut expected = vec![&b"lt_donthave"[..]];
            expected.extend(holepunch.then_some(&b"ut_holepunch"[..]));
            expected.push(b"ut_metadata");
            expected.extend(peer_exchange.then_some(&b"ut_pex"[..]));
            assert_eq!(ids, expected);
            assert_eq!((hello.port, hello.metadata_size), (Some(6_882), Some(2)));
            assert_eq!(hello.request_queue, Some(32));
            assert_eq!(hello.your_ip, Some([127, 0, 0, 1].into()));
            assert!(hello.upload_only == Some(true) && hello.version.is_some());
        }
    }
    let bytes = extended_handshake(&mut torrent(0x80));
    let hello = ExtendedHandshake::decode(&bytes[HEADER_LEN..]).unwrap();
    assert_eq!((hello.port, hello.metadata_size), (None, None));
    assert_eq!(hello.upload_only, Some(false), "a piece is missing");
}

/// Returns our extended handshake to a new peer.
fn extended_handshake(torrent: &mut Torrent<TorrentVec>) -> Vec<u8> {
    torrent.handle_connected(ZERO, A, Side::Accepted).unwrap();
    torrent.set_address(A, ([127, 0, 0, 1], 9).into());
    receive(torrent, ZERO, A, &hello(A, Reserved::EXTENDED)).unwrap();
    let mut buf = [0; 600];
    loop {
        let sent = torrent.poll_transmit(&mut buf).unwrap().expect("it is due");
        if buf[4..6] == [EXTENDED, 0] {
            return buf[..sent.len].to_vec();
        }
    }
}

/// BEP 10: an accepted peer is dialled at the port that it announces; 0 is not a valid port. A dialled one has proved its port.
#[test]
fn a_peer_announces_its_port_if_it_was_accepted() {
    for (side, port, listed) in
        [(Side::Accepted, 77, Some(77)), (Side::Accepted, 0, None), (Side::Dialled, 77, Some(9))]
    {
        let mut seed = torrent(0xC0);
        for (conn, side) in [(A, side), (B, Side::Accepted)] {
            seed.handle_connected(ZERO, conn, side).unwrap();
            seed.set_address(conn, ([127, 0, 0, conn.0 as u8], 9).into());
            receive(&mut seed, ZERO, conn, &hello(conn, Reserved::EXTENDED)).unwrap();
        }
        let announced = format!("\0d1:md6:ut_pexi3ee1:pi{port}ee");
        deliver(&mut seed, ZERO, A, extended(announced.as_bytes())).unwrap();
        deliver(&mut seed, ZERO, B, extended(b"\0d1:md6:ut_pexi3eee")).unwrap();
        sent_to(&mut seed, B);
        seed.handle_timeout(seconds(10));
        let mut buf = [0; 600];
        let sent = seed.poll_transmit_to(B, &mut buf).unwrap();
        let pex = sent.map(|sent| Pex::decode(&buf[HEADER_LEN..sent.len], true).unwrap());
        let ports = pex.iter().flat_map(Pex::added).map(|(addr, _)| addr.port());
        assert_eq!(ports.collect::<Vec<_>>(), listed.into_iter().collect::<Vec<_>>());
    }
}

/// BEP 10, `reqq`: never more requests in flight than the peer queues, and one at least.
#[test]
fn the_queue_of_a_peer_bounds_our_requests() {
    for (reqq, window) in [(0, 1), (1, 1), (3, 3), (250, 4), (70_000, 4)] {
        let mut leech = torrent(0);
        join_modern(&mut leech, A, Reserved::EXTENDED | Reserved::FAST);
        let announced = format!("\0d4:reqqi{reqq}ee");
        deliver(&mut leech, ZERO, A, extended(announced.as_bytes())).unwrap();
        receive(&mut leech, ZERO, A, &fast(Fast::HaveAll)).unwrap();
        deliver(&mut leech, ZERO, A, Message::Unchoke).unwrap();
        let peer = leech.peer(A).unwrap();
        assert_eq!((peer.window, peer.requested), (window, window), "{reqq}");
    }
}

/// The port may change, with the next handshakes.
#[test]
fn a_port_that_was_set_later_is_announced() {
    let mut seed = torrent(0xC0);
    seed.set_port(Some(7_000));
    let bytes = extended_handshake(&mut seed);
    assert_eq!(ExtendedHandshake::decode(&bytes[HEADER_LEN..]).unwrap().port, Some(7_000));
}

/// BEP 16: a super-seed looks like a peer that has nothing and downloads; a download never does.
#[test]
fn only_a_complete_torrent_super_seeds() {
    let mut seed = torrent_of(8, 0xFF, 2, |config| config.super_seeding = true);
    let bytes = extended_handshake(&mut seed);
    let hello = ExtendedHandshake::decode(&bytes[HEADER_LEN..]).unwrap();
    assert_eq!(hello.upload_only, Some(false));
    let mut leech = torrent_of(2, 0x80, 2, |config| config.super_seeding = true);
    let lines = join_modern(&mut leech, A, Reserved::default());
    assert_eq!(lines, ["HANDSHAKE", "BITFIELD bytes=1"]);
    let mut seed = torrent_of(2, 0xC0, 2, |_| ());
    seed.set_super_seeding(true);
    let lines = join_modern(&mut seed, A, Reserved::default());
    assert!(lines.len() == 2 && lines[1].starts_with("HAVE piece="), "{lines:?}");
}

/// BEP 9: metadata is sent to a peer that named an id for it.
#[test]
fn metadata_needs_an_id_of_the_peer() {
    let ask = extended(b"\x01d8:msg_typei0e5:piecei0ee");
    for (handshake, answered) in [(&b"\0de"[..], false), (b"\0d1:md11:ut_metadatai7eee", true)] {
        let mut seed = torrent_with(2, 0xC0, 2, |_| (), |content| content.info = b"de");
        join_modern(&mut seed, A, Reserved::EXTENDED);
        deliver(&mut seed, ZERO, A, extended(handshake)).unwrap();
        deliver(&mut seed, ZERO, A, ask).unwrap();
        let mut buf = [0; 100];
        let sent = seed.poll_transmit(&mut buf).unwrap();
        let data = sent.map(|sent| seed.metadata(sent.metadata).to_vec());
        assert_eq!(data, answered.then(|| b"de".to_vec()));
    }
}

/// Nothing is sent over a connection that was closed before it could begin.
#[test]
fn no_handshake_follows_a_close() {
    let mut seed = torrent(0xC0);
    seed.handle_connected(ZERO, A, Side::Dialled).unwrap();
    assert!(seed.clone().poll_transmit(&mut [0; 100]).unwrap().is_some());
    seed.handle_timeout(seconds(10));
    assert_eq!(seed.poll_transmit(&mut [0; 100]), Ok(None));
    assert_eq!(seed.poll_transmit_to(A, &mut [0; 100]), Ok(None));
}

/// Nothing but super-seeding ends when super-seeding ends; and it goes on when it begins again.
#[test]
fn the_end_of_super_seeding_concerns_those_that_were_super_seeded() {
    let mut seed = torrent_of(8, 0xFF, 2, |_| ());
    join_modern(&mut seed, A, Reserved::default());
    seed.set_super_seeding(false);
    assert_eq!(sent_to(&mut seed, A), Vec::<String>::new());
    let mut seed = torrent_of(8, 0xFF, 2, |config| config.super_seeding = true);
    assert_eq!(join_modern(&mut seed, A, Reserved::default()).len(), 2);
    seed.set_super_seeding(true);
    assert_eq!(sent_to(&mut seed, A), Vec::<String>::new());
}

/// All times of a connection begin with it, however long the torrent is running.
#[test]
fn the_times_of_a_connection_begin_with_it() {
    let start = seconds(1_000);
    let mut seed = torrent(0xC0);
    seed.handle_timeout(start);
    seed.handle_connected(start, A, Side::Dialled).unwrap();
    seed.take_over(start, B, Side::Dialled, false).unwrap();
    seed.handle_bytes(start, B, &hello(B, Reserved::default())).unwrap();
    assert_eq!(seed.poll_timeout(), Some(seconds(1_001)));
    for second in 1_001..1_010 {
        seed.handle_timeout(seconds(second));
        assert_eq!(seed.peers().count(), 2, "after {second} s");
    }
    let lines = sent_to(&mut seed, B);
    assert!(lines.iter().all(|line| line.starts_with("HAVE")), "no keepalive, but {lines:?}");
    seed.handle_timeout(seconds(1_010));
    let reason = Event::Closed { conn: A, reason: CloseReason::NoHandshake };
    let events: Vec<_> = core::iter::from_fn(|| seed.poll_event()).collect();
    assert!(events.contains(&reason) && seed.peer(B).is_some(), "{events:?}");
    seed.handle_timeout(seconds(1_130));
    assert_eq!(sent_to(&mut seed, B), ["KEEPALIVE"]);
}
