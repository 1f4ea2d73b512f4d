//! What a torrent does besides the plain download: suspects, and more.

mod by_hand;

use core::time::Duration;
use std::collections::BTreeMap;

use bittorrent_pieces::wire::{Handshake, Message, Piece, Reserved};
use bittorrent_pieces::{
    CloseReason, ConnId, Event, Geometry, InfoHash, Padding, PeerId, PieceHasher, PieceIndex,
    Priority, Side, Torrent, TorrentVec, Verdict,
};
use by_hand::{
    A, B, C, ZERO, deliver, greet, join, request, seconds, sent_to, torrent_of, torrent_with,
};

/// Lets a peer answer the requests that it was sent, with zeros or with something else; returns them.
fn answer(torrent: &mut Torrent<TorrentVec>, conn: ConnId, byte: u8) -> Vec<String> {
    let asked: Vec<_> = sent_to(torrent, conn).into_iter().filter(|line| request(line)).collect();
    for line in &asked {
        let number = |key: &str| {
            let digits = line.split(key).nth(1).unwrap();
            digits.split(' ').next().unwrap().parse::<u32>().unwrap()
        };
        let piece = PieceIndex(number("piece="));
        let begin = number("begin=");
        let data = &[byte; 16_384];
        deliver(torrent, ZERO, conn, Message::Piece(Piece { piece, begin, data })).unwrap();
    }
    asked
}

/// Checks all pieces that are full; returns the verdicts and the banned peers.
fn check(torrent: &mut Torrent<TorrentVec>, good: bool) -> (Vec<Verdict>, Vec<ConnId>) {
    let mut verdicts = vec![];
    let mut banned = vec![];
    while let Some(event) = torrent.poll_event() {
        match event {
            Event::Verify { piece } => {
                let digest = PieceHasher::digest(&vec![u8::from(!good); 32_768]);
                verdicts.push(torrent.handle_hashed(ZERO, piece, digest).unwrap());
            }
            Event::Banned { conn } | Event::Closed { conn, reason: CloseReason::Corrupt } => {
                banned.push(conn);
            }
            _ => {}
        }
    }
    (verdicts, banned)
}

fn on_parole(torrent: &Torrent<TorrentVec>) -> Vec<ConnId> {
    torrent.peers().filter(|peer| peer.parole).map(|peer| peer.conn).collect()
}

/// `A` and `B` each gave a block of a piece, and `A` lied.
fn suspects(pieces: u32, have: u8) -> Torrent<TorrentVec> {
    let mut leech = torrent_of(pieces, have, 3, |config| {
        config.pipeline = 1;
        config.whole_within = Duration::ZERO;
    });
    let all = !(0xFF_u8.checked_shr(pieces).unwrap_or(0));
    join(&mut leech, A, all);
    join(&mut leech, B, all);
    let first = sent_to(&mut leech, A);
    let second = sent_to(&mut leech, B);
    let piece = |lines: &[String]| lines.last().unwrap().split("begin").next().map(str::to_owned);
    assert_eq!(piece(&first), piece(&second), "they share a piece");
    for (line, conn, byte) in [(&first, A, 1), (&second, B, 0)] {
        let piece =
            PieceIndex(u32::from(line.last().unwrap().as_bytes()["REQUEST piece=".len()] - b'0'));
        let begin = if line.last().unwrap().contains("begin=0 ") { 0 } else { 16_384 };
        let data = &[byte; 16_384];
        deliver(&mut leech, ZERO, conn, Message::Piece(Piece { piece, begin, data })).unwrap();
    }
    assert_eq!(on_parole(&leech), []);
    assert_eq!(check(&mut leech, false), (vec![Verdict::Failed], vec![]));
    assert_eq!(on_parole(&leech), [A, B]);
    leech
}

/// A peer that gives two pieces in time gets two that belong together before the rest of what another gives.
#[test]
fn a_fast_peer_gets_whole_pieces_in_a_row() {
    let asked = |seconds: u64| {
        let mut leech = torrent_of(8, 0, 2, |config| {
            config.whole_within = Duration::from_secs(seconds);
        });
        join(&mut leech, B, 0x0C);
        assert_eq!(answer(&mut leech, B, 0).len(), 4, "two pieces");
        assert_eq!(check(&mut leech, true).0, [Verdict::Passed; 2]);
        join(&mut leech, A, 0x80);
        sent_to(&mut leech, A);
        let piece = PieceIndex(0);
        let data = &[0; 16_384][..];
        deliver(&mut leech, ZERO, A, Message::Piece(Piece { piece, begin: 0, data })).unwrap();
        deliver(&mut leech, ZERO, A, Message::Choke).unwrap();
        sent_to(&mut leech, B);
        deliver(&mut leech, ZERO, B, Message::Bitfield(&[0xBC])).unwrap();
        let lines = sent_to(&mut leech, B).into_iter().filter(|line| request(line));
        lines
            .map(|line| line.split_ascii_whitespace().nth(1).unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let two = ["piece=2", "piece=2", "piece=3", "piece=3"];
    let rest = "piece=0";
    let fast = asked(10);
    assert_eq!((&fast[..4], &fast[4..]), (&two.map(String::from)[..], &[rest.to_owned()][..]));
    for slow in [0, 4] {
        assert_eq!(asked(slow)[0], rest, "it helps the other first");
    }
}

/// Blocks that were stored before are not asked for; with the last one the piece is to be checked.
#[test]
fn blocks_of_an_earlier_run_are_not_fetched_again() {
    let mut leech = torrent_of(3, 0x20, 2, |_| ());
    let block = |piece, number| leech.geometry().block(PieceIndex(piece), number).unwrap();
    let kept = block(0, 1);
    let whole = [block(1, 0), block(1, 1)];
    assert!(leech.restore_block(kept) && !leech.restore_block(kept), "once");
    assert!(!leech.restore_block(leech.geometry().block(PieceIndex(2), 0).unwrap()), "it is there");
    leech.set_priority(ZERO, PieceIndex(1), Priority::SKIP);
    assert!(!leech.restore_block(whole[0]), "skipped");
    leech.set_priority(ZERO, PieceIndex(1), Priority::NORMAL);
    assert!(whole.into_iter().all(|block| leech.restore_block(block)));
    assert_eq!(check(&mut leech, true).0, [Verdict::Passed]);
    join(&mut leech, A, 0xE0);
    assert_eq!(answer(&mut leech, A, 0), ["REQUEST piece=0 begin=0 len=16384"]);
    assert_eq!(check(&mut leech, true).0, [Verdict::Passed]);
    assert!(leech.is_complete());
    // What was on the disk is wrong: it is fetched, and nobody is blamed for it.
    let mut leech = torrent_of(1, 0, 2, |_| ());
    assert!(leech.restore_block(kept));
    join(&mut leech, A, 0x80);
    assert_eq!(answer(&mut leech, A, 0).len(), 1);
    assert_eq!(check(&mut leech, false), (vec![Verdict::Failed], vec![]));
    assert_eq!(answer(&mut leech, A, 0).len(), 2);
    assert_eq!(check(&mut leech, true), (vec![Verdict::Passed], vec![]));
    assert_eq!(on_parole(&leech), []);
}

/// A piece that fails again before events are polled is reported once, and then no more.
#[test]
fn a_failure_is_reported_once() {
    let mut leech = torrent_of(1, 0, 2, |_| ());
    for _ in 0..2 {
        for number in [0, 1] {
            assert!(leech.restore_block(leech.geometry().block(PieceIndex(0), number).unwrap()));
        }
        assert_eq!(leech.poll_event(), Some(Event::Verify { piece: PieceIndex(0) }));
        assert_eq!(leech.handle_hashed(ZERO, PieceIndex(0), [0; 20]), Ok(Verdict::Failed));
    }
    assert_eq!(leech.poll_event(), Some(Event::PieceFailed { piece: PieceIndex(0) }));
    let before = format!("{leech:?}");
    assert_eq!(leech.poll_event(), None);
    assert_eq!(before, format!("{leech:?}"));
}

/// BEP 47: whole blocks of padding are asked of nobody, and a check reads none of its bytes. The last
/// piece is nothing but padding.
#[test]
fn padding_is_neither_fetched_nor_read() {
    let cut = Geometry::new(3 * 32_768, 32_768).unwrap();
    let padding: Vec<_> = Padding::of(cut, 32_768 + 10_000, 22_768 + 32_768).collect();
    let of = |piece, bytes| Padding { piece: PieceIndex(piece), bytes };
    assert_eq!(padding, [of(1, 22_768), of(2, 32_768)]);
    assert_eq!(Padding::of(cut, 0, 32_767).count(), 0, "it ends within a piece");
    assert_eq!(Padding::of(cut, u64::MAX, u64::MAX).count(), 0);
    let mut leech = torrent_with(3, 0, 2, |_| (), |content| content.padding = &padding);
    join(&mut leech, A, 0xE0);
    let mut asked = answer(&mut leech, A, 0);
    asked.extend(answer(&mut leech, A, 0));
    asked.sort();
    let all = ["piece=0 begin=0", "piece=0 begin=16384", "piece=1 begin=0"];
    assert_eq!(asked, all.map(|block| format!("REQUEST {block} len=16384")));
    let mut read = vec![];
    while let Some(event) = leech.poll_event() {
        let Event::Verify { piece } = event else { continue };
        let mut check = leech.check(piece).unwrap();
        while let Some(block) = check.next(1 << 20) {
            read.push((piece.0, block.len));
            check.hash_step(&vec![0; block.len as usize]);
        }
        assert_eq!(leech.handle_checked(ZERO, check), Ok(Verdict::Passed));
    }
    read.sort_unstable();
    assert_eq!(read, [(0, 32_768), (1, 10_000)]);
    assert!(leech.is_complete());
}

/// A block of an earlier run completes a piece of which the rest is padding.
#[test]
fn a_restored_block_completes_a_piece_with_padding() {
    let cut = Geometry::new(3 * 32_768, 32_768).unwrap();
    let padding = [Padding { piece: PieceIndex(1), bytes: 22_768 }];
    let mut leech = torrent_with(3, 0, 2, |_| (), |content| content.padding = &padding);
    assert!(leech.restore_block(cut.block(PieceIndex(1), 0).unwrap()));
    assert_eq!(leech.poll_event(), Some(Event::Verify { piece: PieceIndex(1) }));
}

/// BEP 16: it has nothing, then one piece for each peer, and the next for a peer that passed its piece on.
#[test]
fn a_super_seed_announces_one_piece_at_a_time() {
    let mut seed = torrent_of(8, 0xFF, 4, |config| config.super_seeding = true);
    let offers = |seed: &mut Torrent<TorrentVec>, conn| {
        let lines = sent_to(seed, conn).into_iter();
        let lines = lines.filter(|line| !line.contains("HANDSHAKE") && !line.contains("EXTENDED"));
        lines
            .map(|line| match line.strip_prefix("HAVE piece=") {
                Some(piece) => Ok(PieceIndex(piece.parse().unwrap())),
                None => Err(line),
            })
            .collect::<Vec<_>>()
    };
    let announce = |seed: &mut Torrent<TorrentVec>, conn, piece| {
        deliver(seed, ZERO, conn, Message::Have(piece)).unwrap();
    };
    for conn in [A, B] {
        seed.handle_connected(ZERO, conn, Side::Accepted).unwrap();
        greet(&mut seed, conn, 1).unwrap();
    }
    let [a, b] = [A, B].map(|conn| match offers(&mut seed, conn)[..] {
        [Ok(piece)] => piece,
        ref other => panic!("one piece and no bitfield, but {other:?}"),
    });
    assert_ne!(a, b);
    // It gives it, and what else it is asked for: a peer may know of pieces by a former connection.
    deliver(&mut seed, ZERO, A, Message::Interested).unwrap();
    let block = seed.geometry().block(a, 0).unwrap();
    deliver(&mut seed, ZERO, A, Message::Request(block)).unwrap();
    assert_eq!(offers(&mut seed, A), [Err("UNCHOKE".to_owned())]);
    deliver(&mut seed, ZERO, A, Message::Request(block)).unwrap();
    assert_eq!(offers(&mut seed, A), [Err(format!("PIECE {block}"))]);
    announce(&mut seed, A, a);
    assert_eq!((offers(&mut seed, A), offers(&mut seed, B)), (vec![], vec![]), "not passed on");
    announce(&mut seed, B, a);
    assert_eq!(offers(&mut seed, B), [], "it has still its own");
    let next = offers(&mut seed, A);
    assert!(matches!(next[..], [Ok(piece)] if piece != a && piece != b), "{next:?}");
    // A peer that has the piece already was offered it for nothing.
    let fast = Reserved::FAST;
    seed.handle_connected(ZERO, C, Side::Accepted).unwrap();
    let hello =
        Handshake { reserved: fast, info_hash: InfoHash([1; 20]), peer_id: PeerId([9; 20]) };
    let mut bytes = [0; Handshake::LEN];
    hello.encode(&mut bytes).unwrap();
    seed.handle_bytes(ZERO, C, &bytes).unwrap();
    deliver(&mut seed, ZERO, C, Message::Bitfield(&[0x7F])).unwrap();
    assert_eq!(offers(&mut seed, C), [Err("HAVE NONE".to_owned()), Ok(PieceIndex(0))]);
    // The last peer gets one after the other, without a word twice.
    for conn in [A, C] {
        seed.handle_closed(ZERO, conn);
    }
    announce(&mut seed, B, b);
    let mut announced = vec![b];
    while let [Ok(piece)] = offers(&mut seed, B)[..] {
        assert!(!announced.contains(&piece));
        announced.push(piece);
        announce(&mut seed, B, piece);
    }
    assert_eq!(announced.len(), 7, "all but the one of A");
    assert_eq!(seed.peer(B).unwrap().pieces, 8);
    // At the end all pieces are announced to all peers.
    join(&mut seed, A, 0);
    assert_eq!(offers(&mut seed, A).len(), 1);
    seed.set_super_seeding(false);
    assert_eq!(offers(&mut seed, A), (0..8).map(|piece| Ok(PieceIndex(piece))).collect::<Vec<_>>());
    join(&mut seed, C, 0);
    assert_eq!(offers(&mut seed, C), [Err("BITFIELD bytes=1".to_owned())]);
}

/// A peer that had its piece when the others left is offered the next with the next round of the choker.
#[test]
fn a_super_seed_does_not_wait_for_peers_that_left() {
    let mut seed = torrent_of(8, 0xFF, 2, |config| config.super_seeding = true);
    join(&mut seed, A, 0);
    join(&mut seed, B, 0);
    let offer = |seed: &mut Torrent<TorrentVec>| {
        sent_to(seed, A).pop().filter(|line| line.starts_with("HAVE"))
    };
    let first = offer(&mut seed).unwrap();
    let piece = PieceIndex(first.strip_prefix("HAVE piece=").unwrap().parse().unwrap());
    deliver(&mut seed, ZERO, A, Message::Have(piece)).unwrap();
    seed.handle_timeout(Duration::from_secs(10));
    assert_eq!(offer(&mut seed), None);
    seed.handle_closed(Duration::from_secs(11), B);
    seed.handle_timeout(Duration::from_secs(20));
    assert!(offer(&mut seed).is_some_and(|next| next != first));
}

/// libtorrent's rule: a peer that had a part in a bad piece sends whole pieces alone. The liar is then the sole
/// source of one, and the other is cleared by its own.
#[test]
fn suspects_give_pieces_alone_until_one_is_found_out() {
    let mut leech = suspects(8, 0);
    join(&mut leech, C, 0xFF);
    // Since the piece with which it began, the senders of each.
    let mut givers = BTreeMap::<String, Vec<ConnId>>::new();
    let mut shared = vec![];
    let mut banned = vec![];
    while !leech.is_complete() {
        assert!(givers.len() < 30 && leech.peers().all(|peer| !peer.parole || peer.conn != C));
        for conn in [A, B, C] {
            let asked = answer(&mut leech, conn, u8::from(conn == A));
            for line in asked {
                let piece = line.split_ascii_whitespace().nth(1).unwrap();
                givers.entry(piece.to_owned()).or_default().push(conn);
            }
        }
        while let Some(event) = leech.poll_event() {
            match event {
                Event::Verify { piece } => {
                    let mut of = givers.remove(&format!("piece={}", piece.0)).unwrap();
                    let lied = of.contains(&A);
                    let digest = PieceHasher::digest(&vec![u8::from(lied); 32_768]);
                    leech.handle_hashed(ZERO, piece, digest).unwrap();
                    of.dedup();
                    shared.extend((of.len() > 1 && banned.is_empty()).then_some((piece, of)));
                }
                Event::Closed { conn, .. } => {
                    banned.push(conn);
                    for of in givers.values_mut() {
                        of.retain(|giver| *giver != conn);
                    }
                }
                _ => {}
            }
        }
        if banned.is_empty() {
            assert!(leech.peer(A).unwrap().parole);
        }
    }
    assert_eq!(banned, [A]);
    assert_eq!(on_parole(&leech), [], "B gave a good piece alone");
    assert!(shared.len() <= 1, "only the one under way when the first failed: {shared:?}");
}

/// A good copy shows which peer sent wrong bytes; the other need not send a piece alone first.
#[test]
fn a_good_copy_from_another_clears_and_convicts() {
    let mut leech = suspects(1, 0);
    for conn in [A, B] {
        deliver(&mut leech, ZERO, conn, Message::Choke).unwrap();
    }
    join(&mut leech, C, 0x80);
    for _ in 0..2 {
        assert_eq!(answer(&mut leech, C, 0).len(), 1);
    }
    assert_eq!(check(&mut leech, true), (vec![Verdict::Passed], vec![A]));
    assert_eq!(on_parole(&leech), []);
    assert!(leech.is_complete());
}

/// What a peer left half done is given to a suspect after all, if there is nothing else for it.
#[test]
fn a_suspect_is_asked_for_the_rest_of_a_piece_that_nobody_else_gives() {
    let mut leech = suspects(1, 0);
    let first = answer(&mut leech, A, 1);
    assert_eq!((first.len(), sent_to(&mut leech, B).len()), (1, 0), "it is for A alone");
    leech.handle_closed(ZERO, A);
    assert_eq!(answer(&mut leech, B, 0).len(), 1, "the rest");
    assert_eq!(check(&mut leech, false), (vec![Verdict::Failed], vec![]));
    for _ in 0..2 {
        assert_eq!(answer(&mut leech, B, 0).len(), 1, "alone this time");
    }
    assert_eq!(check(&mut leech, true), (vec![Verdict::Passed], vec![A]));
    assert_eq!(on_parole(&leech), []);
}

/// Keeps two or three peers talking for a time; returns which were closed as idle, and in which second.
fn idle_of(torrent: &mut Torrent<TorrentVec>, conns: &[ConnId], until: u64) -> Vec<(u64, ConnId)> {
    let mut closed = vec![];
    for second in (10..=until).step_by(10) {
        for conn in conns {
            if torrent.peer(*conn).is_some() {
                deliver(torrent, seconds(second), *conn, Message::KeepAlive).unwrap();
            }
        }
        torrent.handle_timeout(seconds(second));
        while let Some(event) = torrent.poll_event() {
            if let Event::Closed { conn, reason } = event {
                assert_eq!(reason, CloseReason::Idle);
                closed.push((second, conn));
            }
        }
    }
    closed
}

#[test]
fn a_peer_that_neither_side_needs_makes_room_when_all_slots_are_in_use() {
    let mut seed = torrent_of(2, 0xC0, 3, |_| ());
    join(&mut seed, A, 0xC0);
    join(&mut seed, B, 0xC0);
    assert_eq!(idle_of(&mut seed, &[A, B], 1_000), [], "a slot is free");
    let mut seed = torrent_of(2, 0xC0, 2, |_| ());
    join(&mut seed, A, 0xC0);
    join(&mut seed, B, 0x80);
    deliver(&mut seed, ZERO, B, Message::Interested).unwrap();
    let closed = idle_of(&mut seed, &[A, B], 1_000);
    assert_eq!(closed, [(300, A)], "then a slot is free");
    seed.handle_connected(seconds(1_000), C, Side::Accepted).expect("the slot of A");
}

#[test]
fn of_peers_that_are_needed_but_idle_one_a_minute_makes_room() {
    let mut leech = torrent_of(2, 0, 2, |_| ());
    join(&mut leech, A, 0xC0);
    join(&mut leech, B, 0xC0);
    for (from, conn) in [(300, C), (370, ConnId(9))] {
        let closed = idle_of(&mut leech, &[A, B, C], from);
        assert_eq!(closed.len(), 1, "{closed:?}");
        leech.handle_connected(seconds(from), conn, Side::Accepted).unwrap();
        let _ = greet(&mut leech, conn, 1);
    }
    // A configuration that keeps all.
    let mut leech = torrent_of(2, 0, 2, |config| config.idle = Duration::MAX);
    join(&mut leech, A, 0xC0);
    join(&mut leech, B, 0xC0);
    assert_eq!(idle_of(&mut leech, &[A, B], 4_000), []);
}

/// A block that goes either way ends the idleness, also of a peer that is needed.
#[test]
fn a_block_keeps_a_peer_from_being_idle() {
    let mut seed = torrent_of(2, 0xC0, 2, |_| ());
    for conn in [A, B] {
        join(&mut seed, conn, 0);
        deliver(&mut seed, ZERO, conn, Message::Interested).unwrap();
        sent_to(&mut seed, conn);
    }
    assert_eq!(idle_of(&mut seed, &[A, B], 200), []);
    let block = seed.geometry().block(PieceIndex(0), 0).unwrap();
    deliver(&mut seed, seconds(200), A, Message::Request(block)).unwrap();
    assert_eq!(sent_to(&mut seed, A), [format!("PIECE {block}")]);
    assert_eq!(idle_of(&mut seed, &[A, B], 300), [(300, B)]);

    let mut leech = torrent_of(2, 0, 2, |_| ());
    join(&mut leech, A, 0xC0);
    join(&mut leech, B, 0xC0);
    assert_eq!(idle_of(&mut leech, &[A, B], 50), []);
    assert_eq!(answer(&mut leech, A, 0).len(), 4);
    assert_eq!(idle_of(&mut leech, &[A, B], 300).len(), 1);
    assert!(leech.peer(A).is_some() && leech.peer(B).is_none());
}
