//! Which blocks are requested of which peer, and when: chokes, rejects, suggestions, and the end of a download.

mod by_hand;

use core::time::Duration;

use bittorrent_pieces::picker::{Order, Playback};
use bittorrent_pieces::wire::fast::Fast;
use bittorrent_pieces::wire::{Message, Reserved};
use bittorrent_pieces::{
    Bitfield, Block, Config, ConnId, Event, Geometry, InfoHash, PeerError, PeerId, PieceHasher,
    PieceHashes, PieceIndex, Policy, Priority, Torrent, TorrentContent, TorrentVec, Verdict,
};
use by_hand::{
    A, B, C, ZERO, block, build, deliver, fast, join, join_modern, limits, receive, request,
    seconds, sent_to, torrent_of,
};

/// Returns the requests that are sent to a peer.
fn asked(torrent: &mut Torrent<TorrentVec>, conn: ConnId) -> Vec<String> {
    sent_to(torrent, conn).into_iter().filter(|line| request(line)).collect()
}

/// A peer with the fast extension that has everything and chokes us.
fn seed_of(torrent: &mut Torrent<TorrentVec>, conn: ConnId) {
    join_modern(torrent, conn, Reserved::FAST);
    receive(torrent, ZERO, conn, &fast(Fast::HaveAll)).unwrap();
}

fn numbers(line: &str) -> (u32, u32) {
    let number = |key: &str| {
        let digits = line.split(key).nth(1).unwrap().split(' ').next().unwrap();
        digits.parse().unwrap()
    };
    (number("piece="), number("begin="))
}

/// BEP 6: while a peer chokes us, its allowed-fast pieces are requested and no others.
#[test]
fn allowed_fast_pieces_are_requested_of_a_peer_that_chokes() {
    let mut leech = torrent_of(4, 0, 2, |_| ());
    seed_of(&mut leech, A);
    assert_eq!(asked(&mut leech, A), Vec::<String>::new());
    for piece in [2, 1] {
        receive(&mut leech, ZERO, A, &fast(Fast::AllowedFast(PieceIndex(piece)))).unwrap();
        let lines = asked(&mut leech, A);
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| numbers(line).0 == piece), "{lines:?}");
    }
    let outside = fast(Fast::AllowedFast(PieceIndex(4)));
    let refused = receive(&mut leech, ZERO, A, &outside).map(|_| ());
    assert_eq!(refused, Err(PeerError::Piece(PieceIndex(4))));
}

/// What was left out while a peer choked us is requested once it does not.
#[test]
fn an_unchoke_opens_the_other_pieces() {
    let mut leech = torrent_of(4, 0, 2, |_| ());
    seed_of(&mut leech, A);
    receive(&mut leech, ZERO, A, &fast(Fast::AllowedFast(PieceIndex(2)))).unwrap();
    assert_eq!(asked(&mut leech, A).len(), 2);
    deliver(&mut leech, ZERO, A, block(2, 0)).unwrap();
    assert_eq!(asked(&mut leech, A), Vec::<String>::new());
    deliver(&mut leech, ZERO, A, Message::Unchoke).unwrap();
    let lines = asked(&mut leech, A);
    assert!(lines.len() >= 2 && lines.iter().all(|line| numbers(line).0 != 2), "{lines:?}");
}

/// BEP 6: a suggested piece comes first; of several the latest.
#[test]
fn a_suggested_piece_is_requested_first() {
    for suggested in [vec![5], vec![3, 6]] {
        let mut leech = torrent_of(8, 0, 2, |_| ());
        seed_of(&mut leech, A);
        for piece in &suggested {
            receive(&mut leech, ZERO, A, &fast(Fast::Suggest(PieceIndex(*piece)))).unwrap();
        }
        deliver(&mut leech, ZERO, A, Message::Unchoke).unwrap();
        let first: Vec<_> = asked(&mut leech, A).iter().take(2).map(|it| numbers(it).0).collect();
        assert_eq!(first, [*suggested.last().unwrap(); 2]);
    }
}

/// BEP 3: a choke drops all requests. BEP 6: each that was sent gets its answer all the same.
#[test]
fn a_choke_drops_requests_but_not_those_that_get_an_answer() {
    for (reserved, polled, left) in [
        (Reserved::FAST, true, 4),
        (Reserved::FAST, false, 0),
        (Reserved::default(), true, 0),
        (Reserved::default(), false, 0),
    ] {
        let mut leech = torrent_of(2, 0, 2, |_| ());
        join_modern(&mut leech, A, reserved);
        deliver(&mut leech, ZERO, A, Message::Bitfield(&[0xC0])).unwrap();
        deliver(&mut leech, ZERO, A, Message::Unchoke).unwrap();
        assert_eq!(leech.peer(A).unwrap().requested, 4);
        if polled {
            assert_eq!(asked(&mut leech, A).len(), 4);
        }
        deliver(&mut leech, ZERO, A, Message::Choke).unwrap();
        assert_eq!(leech.peer(A).unwrap().requested, left);
        assert_eq!(asked(&mut leech, A), Vec::<String>::new());
        assert!(!leech.peer(A).unwrap().unchokes_us);
        join(&mut leech, B, 0xC0);
        assert_eq!(asked(&mut leech, B).len(), 4 - left, "what nobody was asked for");
    }
}

/// A reject halves the requests in flight, and ends them for the round.
#[test]
fn a_peer_that_rejects_gets_fewer_requests_and_none_in_this_round() {
    let mut leech = torrent_of(2, 0, 2, |_| ());
    seed_of(&mut leech, A);
    deliver(&mut leech, ZERO, A, Message::Unchoke).unwrap();
    let lines = asked(&mut leech, A);
    assert_eq!(lines.len(), 4);
    for (line, (window, left)) in lines.iter().zip([(2, 3), (1, 2), (1, 1), (1, 0)]) {
        let (piece, begin) = numbers(line);
        let block = Block { piece: PieceIndex(piece), begin, len: 16_384 };
        receive(&mut leech, ZERO, A, &fast(Fast::Reject(block))).unwrap();
        let peer = leech.peer(A).unwrap();
        assert_eq!((peer.window, peer.requested), (window, left));
        assert_eq!(asked(&mut leech, A), Vec::<String>::new());
    }
    let mut unchoked = leech.clone();
    deliver(&mut unchoked, ZERO, A, Message::Unchoke).unwrap();
    assert_eq!(asked(&mut unchoked, A).len(), 1, "an unchoke is a new start");
    leech.handle_timeout(seconds(9));
    assert_eq!(asked(&mut leech, A), Vec::<String>::new());
    leech.handle_timeout(seconds(10));
    assert_eq!(asked(&mut leech, A).len(), 1, "another round");
}

/// The reject of a request that was cancelled is the answer that BEP 6 asks for, and no refusal.
#[test]
fn the_reject_of_a_cancelled_request_is_no_refusal() {
    let mut leech = torrent_of(2, 0, 2, |_| ());
    seed_of(&mut leech, A);
    deliver(&mut leech, ZERO, A, Message::Unchoke).unwrap();
    assert_eq!(asked(&mut leech, A).len(), 4);
    leech.handle_timeout(seconds(60));
    let lines = sent_to(&mut leech, A);
    let cancelled: Vec<_> = lines.iter().filter(|line| line.starts_with("CANCEL")).collect();
    assert_eq!(cancelled.len(), 4);
    let again = lines.iter().find(|line| request(line)).expect("one to show that it answers");
    for line in cancelled {
        let (piece, begin) = numbers(line);
        let block = Block { piece: PieceIndex(piece), begin, len: 16_384 };
        receive(&mut leech, seconds(60), A, &fast(Fast::Reject(block))).unwrap();
    }
    let (piece, begin) = numbers(again);
    assert_eq!((leech.peer(A).unwrap().window, leech.peer(A).unwrap().requested), (4, 1));
    deliver(&mut leech, seconds(60), A, block(piece, begin)).unwrap();
    assert_eq!(asked(&mut leech, A).len(), 3, "all that are left");
}

/// The number of requests in flight is the least of configuration, window and what a peer has.
#[test]
fn requests_in_flight_are_bounded_by_the_configuration() {
    for (pipeline, bits, requested) in [(1, 0xC0, 1), (2, 0xC0, 2), (250, 0xC0, 4), (250, 0x80, 2)]
    {
        let mut leech = torrent_of(2, 0, 2, |config| config.pipeline = pipeline);
        join(&mut leech, A, bits);
        assert_eq!(leech.peer(A).unwrap().requested, requested);
        assert_eq!(asked(&mut leech, A).len(), requested);
    }
}

/// Two peers: `B` gave a piece, its two blocks after the delays in ms, and `A` was then asked for all that is left.
fn end_of_a_download(delays: [u64; 2]) -> (Torrent<TorrentVec>, Duration) {
    let mut leech = torrent_of(3, 0, 2, |_| ());
    join(&mut leech, B, 0x20);
    assert_eq!(asked(&mut leech, B).len(), 2);
    let [first, later] = delays.map(Duration::from_millis);
    deliver(&mut leech, first, B, block(2, 0)).unwrap();
    deliver(&mut leech, later, B, block(2, 16_384)).unwrap();
    join(&mut leech, A, 0xC0);
    let first = asked(&mut leech, A);
    assert_eq!(first.len(), 1, "to show that it answers");
    let (piece, begin) = numbers(&first[0]);
    deliver(&mut leech, later, A, block(piece, begin)).unwrap();
    assert_eq!(asked(&mut leech, A).len(), 3);
    deliver(&mut leech, later, B, Message::Bitfield(&[0xE0])).unwrap();
    assert_eq!(asked(&mut leech, B), Vec::<String>::new(), "not yet");
    (leech, later)
}

/// At the end an idle peer looks for late blocks after three times the smoothed round-trip time, of which an answer is an
/// eighth: when `B` became idle, its two answers had taken the delays. A quarter of a second is the least.
#[test]
fn at_the_end_a_late_block_is_requested_of_a_second_peer() {
    for (delays, patience) in
        [([0, 0], 250), ([0, 400], 250), ([0, 4_000], 1_500), ([4_000, 4_000], 2_814)]
    {
        let (mut leech, start) = end_of_a_download(delays);
        let soon = start + Duration::from_millis(200);
        deliver(&mut leech, soon, B, Message::Unchoke).unwrap(); // it looks, and waits no longer for that
        leech.handle_timeout(start + Duration::from_millis(patience - 1));
        assert_eq!(asked(&mut leech, B), Vec::<String>::new(), "{delays:?}");
        leech.handle_timeout(start + Duration::from_millis(patience));
        assert_eq!(asked(&mut leech, B).len(), 1, "{delays:?}");
    }
}

/// A second request that was not sent yet is dropped without a word when the block arrives.
#[test]
fn a_second_request_that_was_not_sent_is_dropped_on_arrival() {
    let (mut leech, start) = end_of_a_download([0, 0]);
    let now = start + Duration::from_millis(250);
    leech.handle_timeout(now);
    assert_eq!(leech.peer(B).unwrap().requested, 1);
    let line = asked(&mut leech.clone(), B).remove(0);
    let (piece, begin) = numbers(&line);
    deliver(&mut leech, now, A, block(piece, begin)).unwrap();
    let lines = sent_to(&mut leech, B);
    assert!(!lines.iter().any(|it| *it == line || it.starts_with("CANCEL")), "{lines:?}");
}

/// A peer that has not sent the pieces that it announced is asked for what it has, not for more.
#[test]
fn nothing_is_requested_that_a_peer_does_not_have() {
    let mut leech = torrent_of(4, 0, 2, |_| ());
    join(&mut leech, A, 0x10);
    let pieces: Vec<_> = asked(&mut leech, A).iter().map(|line| numbers(line).0).collect();
    assert_eq!(pieces, [3, 3]);
    deliver(&mut leech, ZERO, A, Message::Have(PieceIndex(1))).unwrap();
    let pieces: Vec<_> = asked(&mut leech, A).iter().map(|line| numbers(line).0).collect();
    assert_eq!(pieces, [1, 1]);
    assert_eq!((leech.peer(A).unwrap().pieces, leech.peer(A).unwrap().wanted), (2, 2));
    deliver(&mut leech, ZERO, A, Message::Have(PieceIndex(1))).unwrap();
    assert_eq!(leech.peer(A).unwrap().pieces, 2, "counted once");
}

/// Pieces in order, for a player: set at any time.
#[test]
fn a_policy_that_was_set_later_decides() {
    let mut leech = torrent_of(8, 0, 2, |_| ());
    let mut policy = Policy::new();
    policy.order = Order::Sequential;
    leech.set_policy(policy);
    join(&mut leech, A, 0xFF);
    let pieces: Vec<_> = asked(&mut leech, A).iter().map(|line| numbers(line).0).collect();
    assert_eq!(pieces, [0, 0, 1, 1]);
}

/// A player's piece that is due soon is requested of a second peer that has room, five seconds before here, unless it is
/// skipped.
#[test]
fn an_urgent_piece_is_requested_of_a_second_peer() {
    let normal = Priority::NORMAL;
    for (urgent, priority, requests) in [(4, normal, 0), (5, normal, 1), (5, Priority::SKIP, 0)] {
        let mut leech = torrent_of(4, 0, 2, |_| ());
        let mut policy = Policy::new();
        policy.playback = Some(Playback {
            first: PieceIndex(0),
            due: seconds(15),
            pace: seconds(10),
            window: 2,
            urgent: seconds(urgent),
        });
        leech.set_policy(policy);
        join(&mut leech, A, 0x80);
        assert_eq!(asked(&mut leech, A).len(), 2);
        join(&mut leech, B, 0x90);
        assert!(asked(&mut leech, B).iter().all(|line| numbers(line).0 == 3));
        leech.set_priority(ZERO, PieceIndex(0), priority);
        leech.handle_timeout(seconds(10));
        let lines = asked(&mut leech, B);
        assert_eq!(lines.len(), requests);
        assert!(lines.iter().all(|line| numbers(line).0 == 0));
    }
}

/// Of a player's pieces, one that would come too late from a peer is left to faster ones. The first is due in a second.
#[test]
fn a_slow_peer_is_asked_for_a_later_piece() {
    for (delay, first) in [(0, 4), (8_000, 5)] {
        let mut leech = torrent_of(8, 0, 2, |_| ());
        join(&mut leech, A, 0x80);
        assert_eq!(asked(&mut leech, A).len(), 2);
        let now = Duration::from_millis(delay);
        for begin in [0, 16_384] {
            deliver(&mut leech, now, A, block(0, begin)).unwrap();
        }
        let mut policy = Policy::new();
        policy.playback = Some(Playback {
            first: PieceIndex(4),
            due: now + seconds(1),
            pace: seconds(10),
            window: 3,
            urgent: ZERO,
        });
        leech.set_policy(policy);
        deliver(&mut leech, now, A, Message::Bitfield(&[0xFF])).unwrap();
        let pieces: Vec<_> = asked(&mut leech, A).iter().map(|line| numbers(line).0).collect();
        assert_eq!(pieces[..4], [first, first, first + 1, first + 1], "{delay} ms");
    }
}

/// How long a peer leaves requests unanswered counts since the first of them, not since it came or since the latest.
#[test]
fn patience_counts_since_a_peer_was_asked() {
    let mut leech = torrent_of(2, 0, 2, |_| ());
    join_modern(&mut leech, A, Reserved::default());
    deliver(&mut leech, ZERO, A, Message::Bitfield(&[0x80])).unwrap();
    deliver(&mut leech, seconds(100), A, Message::Unchoke).unwrap();
    assert_eq!(asked(&mut leech, A).len(), 2);
    deliver(&mut leech, seconds(130), A, Message::Have(PieceIndex(1))).unwrap();
    assert_eq!(asked(&mut leech, A).len(), 2);
    leech.handle_timeout(seconds(159));
    assert!(!leech.peer(A).unwrap().snubbed);
    leech.handle_timeout(seconds(160));
    assert!(leech.peer(A).unwrap().snubbed);
}

/// A snubbed peer is asked for the pieces in the reverse order, so that it holds up nobody (libtorrent).
#[test]
fn a_snubbed_peer_is_asked_for_the_last_piece() {
    let mut leech = torrent_of(8, 0, 2, |_| ());
    let mut policy = Policy::new();
    policy.order = Order::Sequential;
    leech.set_policy(policy);
    join(&mut leech, A, 0xFF);
    assert_eq!(asked(&mut leech, A).len(), 4);
    for begun in [0, 1] {
        leech.set_priority(seconds(59), PieceIndex(begun), Priority::SKIP);
    }
    leech.handle_timeout(seconds(60));
    let pieces: Vec<_> = asked(&mut leech, A).iter().map(|line| numbers(line).0).collect();
    assert_eq!(pieces, [7]);
}

/// An unchoke is used at once, also if the policy changed before and the peer had nothing to do then.
#[test]
fn an_unchoke_after_a_change_of_the_policy_is_used_at_once() {
    let mut leech = torrent_of(2, 0, 2, |_| ());
    join_modern(&mut leech, A, Reserved::default());
    deliver(&mut leech, ZERO, A, Message::Bitfield(&[0xC0])).unwrap();
    for second in 1..4 {
        leech.set_policy(Policy::new());
        leech.handle_timeout(seconds(second));
    }
    leech.set_policy(Policy::new());
    deliver(&mut leech, seconds(4), A, Message::Unchoke).unwrap();
    assert_eq!(asked(&mut leech, A).len(), 4);
}

/// A suspect that waits for its own piece is asked for what others left as soon as it has nothing else to do.
#[test]
fn a_suspect_helps_others_once_it_is_idle() {
    let mut leech = torrent_of(2, 0, 3, |_| ());
    join(&mut leech, B, 0x80);
    assert_eq!(asked(&mut leech, B).len(), 2);
    deliver(&mut leech, ZERO, B, block(0, 0)).unwrap();
    deliver(&mut leech, ZERO, B, Message::Choke).unwrap();
    join(&mut leech, C, 0x80);
    assert_eq!(asked(&mut leech, C).len(), 1, "a piece of two peers");
    deliver(&mut leech, ZERO, C, block(0, 16_384)).unwrap();
    while let Some(event) = leech.poll_event() {
        if let Event::Verify { piece } = event {
            assert_eq!(leech.handle_hashed(ZERO, piece, [9; 20]), Ok(Verdict::Failed));
        }
    }
    leech.handle_closed(ZERO, C);
    deliver(&mut leech, ZERO, B, Message::Unchoke).unwrap();
    assert!(leech.peer(B).unwrap().parole);
    assert_eq!(asked(&mut leech, B).len(), 2, "a piece of its own");
    join(&mut leech, A, 0x40);
    assert_eq!(asked(&mut leech, A).len(), 1, "to show that it answers");
    deliver(&mut leech, ZERO, B, Message::Have(PieceIndex(1))).unwrap();
    assert_eq!(asked(&mut leech, B), Vec::<String>::new(), "the piece is shared");
    deliver(&mut leech, ZERO, B, block(0, 0)).unwrap();
    assert_eq!(asked(&mut leech, B), Vec::<String>::new(), "it is still busy");
    deliver(&mut leech, ZERO, B, block(0, 16_384)).unwrap();
    let lines = asked(&mut leech, B);
    assert!(lines.len() == 1 && numbers(&lines[0]).0 == 1, "{lines:?}");
}

/// A piece is announced to each peer, once, whether it has to do with the piece or not; of many that were completed in the
/// meantime, each is.
#[test]
fn completed_pieces_are_announced_to_all() {
    let mut leech = torrent_of(2, 0, 2, |_| ());
    join(&mut leech, A, 0x80);
    join(&mut leech, B, 0);
    assert_eq!(asked(&mut leech, A).len(), 2);
    sent_to(&mut leech, B);
    for begin in [0, 16_384] {
        deliver(&mut leech, ZERO, A, block(0, begin)).unwrap();
    }
    complete(&mut leech);
    assert_eq!(sent_to(&mut leech, B), ["HAVE piece=0"]);

    for pieces in [31_u32, 32, 33, 100] {
        let hashes = vec![PieceHasher::digest(&vec![0; 32_768]); pieces as usize + 1];
        let geometry = Geometry::new(u64::from(pieces + 1) * 32_768, 32_768).unwrap();
        let content = TorrentContent::new(geometry, PieceHashes::new(&hashes));
        let config = Config::new(InfoHash([1; 20]), PeerId([1; 20]));
        let none = Bitfield::new(pieces + 1, vec![0; Bitfield::byte_len(pieces + 1)]).unwrap();
        let mut leech = build(config, &content, none.as_view(), limits(1, 200, 4));
        join_modern(&mut leech, A, Reserved::FAST);
        for piece in (0..pieces).map(PieceIndex) {
            for number in 0..2 {
                assert!(leech.restore_block(geometry.block(piece, number).unwrap()));
            }
            complete(&mut leech);
        }
        let mut announced: Vec<u32> = sent_to(&mut leech, A)
            .iter()
            .map(|line| line.strip_prefix("HAVE piece=").unwrap().parse().unwrap())
            .collect();
        announced.sort_unstable();
        assert_eq!(announced, (0..pieces).collect::<Vec<_>>());
    }
}

/// Checks all pieces that are full; the content is zeros.
fn complete(torrent: &mut Torrent<TorrentVec>) {
    while let Some(event) = torrent.poll_event() {
        if let Event::Verify { piece } = event {
            let digest = PieceHasher::digest(&vec![0; 32_768]);
            assert_eq!(torrent.handle_hashed(ZERO, piece, digest), Ok(Verdict::Passed));
        }
    }
}
