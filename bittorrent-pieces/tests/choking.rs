//! Who is unchoked, when, and what a choke does to requests under way.

mod by_hand;

use bittorrent_pieces::choker::{OptimisticUnchoke, Slots, UnchokeOrder};
use bittorrent_pieces::wire::Message;
use bittorrent_pieces::{
    Block, ChokerPolicy, ConnId, Geometry, PieceIndex, Side, Torrent, TorrentVec,
};
use by_hand::{
    A, B, C, ZERO, deliver, greet, join, request, seconds, sent_to, torrent, torrent_of,
};

/// `gotChokeResetsRequestedBlocks`, `clear_peer`: what one peer cannot give is asked of the other
/// at once.
#[test]
fn a_choke_and_a_close_free_the_blocks_for_others() {
    for closes in [false, true] {
        let mut leech = torrent(0);
        join(&mut leech, A, 0xC0);
        let asked: Vec<_> =
            sent_to(&mut leech, A).into_iter().filter(|line| request(line)).collect();
        assert_eq!(asked.len(), 4);
        join(&mut leech, B, 0xC0);
        assert_eq!(
            sent_to(&mut leech, B).iter().filter(|line| request(line)).count(),
            0,
            "too soon"
        );
        leech.handle_timeout(leech.poll_timeout().unwrap());
        assert_eq!(
            sent_to(&mut leech, B).iter().filter(|line| request(line)).count(),
            1,
            "endgame"
        );
        if closes {
            leech.handle_closed(ZERO, A);
        } else {
            deliver(&mut leech, ZERO, A, Message::Choke).unwrap();
        }
        let again: Vec<_> =
            sent_to(&mut leech, B).into_iter().filter(|line| request(line)).collect();
        assert_eq!(again.len(), 3, "{again:?}");
    }
}

#[test]
fn uploads_follow_interest_choke_and_cancel() {
    let mut seed = torrent(0xC0);
    seed.handle_connected(ZERO, A, Side::Accepted).unwrap();
    greet(&mut seed, A, 1).unwrap();
    let geometry = Geometry::new(2 * 32_768, 32_768).unwrap();
    let ask = |nth| Message::Request(geometry.block(PieceIndex(1), nth).unwrap());
    deliver(&mut seed, ZERO, A, ask(0)).unwrap();
    assert_eq!(
        sent_to(&mut seed, A),
        ["HANDSHAKE", "BITFIELD bytes=1"],
        "a choked peer gets nothing"
    );
    deliver(&mut seed, ZERO, A, Message::Interested).unwrap();
    assert_eq!(sent_to(&mut seed, A), ["UNCHOKE"]);
    for nth in [0, 1, 1] {
        deliver(&mut seed, ZERO, A, ask(nth)).unwrap();
    }
    deliver(&mut seed, ZERO, A, Message::Cancel(geometry.block(PieceIndex(1), 0).unwrap()))
        .unwrap();
    assert_eq!(sent_to(&mut seed, A), ["PIECE piece=1 begin=16384 len=16384"]);
    assert_eq!(seed.peer(A).unwrap().traffic.bytes_sent, 16_384);
}

/// A peer that requests a block that it was sent, or a piece that was not announced, is choked at the next round and for
/// that round; each round counts by itself. One that requests each block once keeps its slot.
#[test]
fn a_peer_that_requests_what_it_cannot_need_loses_its_slot_for_a_round() {
    let once = [(0, 0), (0, 16_384)];
    let again = [(0, 0), (0, 16_384), (0, 0), (0, 16_384)];
    let unannounced = [(1, 0)];
    let beyond = [(2, 0)];
    for (asked, keeps) in
        [(&once[..], true), (&again[..], false), (&unannounced[..], false), (&beyond[..], false)]
    {
        let mut node = torrent(0x80);
        join(&mut node, A, 0);
        deliver(&mut node, ZERO, A, Message::Interested).unwrap();
        sent_to(&mut node, A);
        for (piece, begin) in asked {
            let block = Block { piece: PieceIndex(*piece), begin: *begin, len: 16_384 };
            deliver(&mut node, ZERO, A, Message::Request(block)).unwrap();
            sent_to(&mut node, A);
        }
        assert!(node.peer(A).unwrap().unchoked, "until the round");
        for (at, unchoked) in [(10, keeps), (19, keeps), (20, true)] {
            node.handle_timeout(seconds(at));
            assert_eq!(node.peer(A).unwrap().unchoked, unchoked, "{asked:?} after {at} s");
        }
    }
}

/// Three peers of a seed and two slots, of which luck gives one to `C`, which waits: the policy decides
/// between `A`, which has half and takes a block, and `B`, which has and takes nothing.
#[test]
fn the_choker_follows_its_policy() {
    let unchoked = |policy: ChokerPolicy, later: bool| {
        let mut seed = torrent_of(2, 0xC0, 3, |config| {
            config.upload_slots = 2;
            config.seed_choker = if later { ChokerPolicy::new() } else { policy };
        });
        for (conn, bits) in [(A, 0x80), (B, 0), (C, 0)] {
            join(&mut seed, conn, bits);
            deliver(&mut seed, ZERO, conn, Message::Interested).unwrap();
            sent_to(&mut seed, conn);
        }
        if later {
            seed.set_choker(policy);
            assert_eq!((seed.config().choker, seed.config().seed_choker), (policy, policy));
        }
        let block = seed.geometry().block(PieceIndex(1), 0).unwrap();
        deliver(&mut seed, ZERO, A, Message::Request(block)).unwrap();
        assert_eq!(sent_to(&mut seed, A), [format!("PIECE {block}")]);
        seed.handle_timeout(seconds(10));
        let open = |conn: &ConnId| seed.peer(*conn).unwrap().unchoked;
        [A, B, C].into_iter().filter(open).collect::<Vec<_>>()
    };
    for later in [false, true] {
        let mut policy = ChokerPolicy::new();
        assert_eq!(unchoked(policy, later), [A, C], "who takes most");
        policy.optimistic = OptimisticUnchoke::LongestWaiting;
        policy.order = UnchokeOrder::RoundRobin { quota: 16_384, rounds: 1 };
        assert_eq!(unchoked(policy, later), [B, C], "A had its turn");
        policy.order = UnchokeOrder::RoundRobin { quota: 16_385, rounds: 1 };
        assert_eq!(unchoked(policy, later), [A, C], "not yet");
        policy.order = UnchokeOrder::AntiLeech;
        assert_eq!(unchoked(policy, later), [B, C], "half is the worst");
        policy.slots = Slots::ByRate { first: 16_385, step: 1 };
        assert_eq!(unchoked(policy, later).len(), 1, "nobody takes enough for a second slot");
        policy.slots = Slots::ByRate { first: 16_384, step: 1 };
        assert_eq!(unchoked(policy, later).len(), 2);
    }
}

/// Three peers and two slots: one of them is the optimistic unchoke, drawn every third round.
#[test]
fn the_holder_of_the_optimistic_unchoke_is_known_while_it_is_connected() {
    let mut seed = torrent_of(2, 0xC0, 3, |config| {
        config.upload_slots = 2;
        config.seed_choker = ChokerPolicy::new();
    });
    for conn in [A, B, C] {
        join(&mut seed, conn, 0);
        deliver(&mut seed, ZERO, conn, Message::Interested).unwrap();
        sent_to(&mut seed, conn);
    }
    assert_eq!(seed.optimistic_unchoke(), None, "before the first round");
    let mut holders = Vec::new();
    for round in 1..=30 {
        for conn in [A, B, C] {
            deliver(&mut seed, seconds(10 * round), conn, Message::Interested).unwrap();
        }
        seed.handle_timeout(seconds(10 * round));
        let holder = seed.optimistic_unchoke().unwrap();
        assert!(seed.peer(holder).unwrap().unchoked);
        if !holders.contains(&holder) {
            holders.push(holder);
        }
    }
    assert!(holders.len() > 1, "it changes every third round: {holders:?}");
    let last = seed.optimistic_unchoke().unwrap();
    seed.handle_closed(seconds(301), last);
    assert_eq!(seed.optimistic_unchoke(), None, "until the next round");
    seed.handle_timeout(seconds(310));
    assert_eq!(seed.optimistic_unchoke(), None, "the other two have the two slots by their rate");
}

#[test]
fn the_choker_decides_each_second_before_the_first_round() {
    let mut leech = torrent(0);
    assert_eq!(leech.poll_timeout(), None);
    leech.handle_connected(seconds(5), A, Side::Dialled).unwrap();
    assert_eq!(leech.poll_timeout(), Some(seconds(6)));
    greet(&mut leech, A, 1).unwrap();
    for second in 6..15 {
        assert_eq!(leech.poll_timeout(), Some(seconds(second)));
        leech.handle_timeout(seconds(second));
    }
    assert_eq!(leech.poll_timeout(), Some(seconds(15)));
    leech.handle_timeout(seconds(15));
    assert_eq!(leech.poll_timeout(), Some(seconds(25)));
    leech.handle_timeout(seconds(100));
    assert_eq!(leech.poll_timeout(), Some(seconds(110)), "no burst of rounds after a late call");
    leech.handle_closed(seconds(101), A);
    leech.handle_timeout(seconds(110));
    assert_eq!(leech.poll_timeout(), None, "nobody to wait for");
}

/// Peers that are interested first do not keep the upload slots until the first round.
#[test]
fn a_peer_that_comes_second_has_its_turn_before_the_first_round() {
    for have in [0xC0, 0x80] {
        let mut torrent = torrent_of(2, have, 2, |config| config.upload_slots = 1);
        for conn in [A, B] {
            join(&mut torrent, conn, 0);
            deliver(&mut torrent, ZERO, conn, Message::Interested).unwrap();
        }
        let served =
            |torrent: &Torrent<TorrentVec>| [A, B].map(|conn| torrent.peer(conn).unwrap().unchoked);
        assert_eq!(served(&torrent), [true, false]);
        torrent.handle_timeout(seconds(1));
        assert_eq!(served(&torrent), [false, true], "pieces {have:x}");
    }
}
