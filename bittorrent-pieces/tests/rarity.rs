//! Rarest first (Cohen 2003, 2.4.2): what a torrent knows of the pieces of its peers decides which one it asks for.

mod by_hand;

use bittorrent_pieces::wire::fast::Fast;
use bittorrent_pieces::wire::{Message, Reserved};
use bittorrent_pieces::{ConnId, PieceIndex, Policy, Torrent, TorrentVec};
use by_hand::{
    A, B, C, ZERO, deliver, extended, fast, join, join_modern, receive, request, sent_to,
    torrent_of,
};

/// A download of eight pieces without any, which takes the rarest from the start.
fn leech(seed: u64) -> Torrent<TorrentVec> {
    let mut leech = torrent_of(8, 0, 4, |config| config.seed = seed);
    let mut policy = Policy::new();
    policy.random_first = 0;
    leech.set_policy(policy);
    leech
}

/// Lets a peer that has everything join; returns the pieces that it is asked for first.
fn asked_of_a_seed(leech: &mut Torrent<TorrentVec>) -> Vec<u32> {
    join(leech, A, 0xFF);
    let lines = sent_to(leech, A).into_iter().filter(|line| request(line));
    let piece = |line: String| line.split(['=', ' ']).nth(2).unwrap().parse().unwrap();
    lines.map(piece).collect()
}

/// Two peers that choke us and have the given pieces.
fn with_two(seed: u64, first: u8, second: u8) -> Torrent<TorrentVec> {
    let mut leech = leech(seed);
    for (conn, bits) in [(B, first), (C, second)] {
        join_modern(&mut leech, conn, Reserved::FAST | Reserved::EXTENDED);
        deliver(&mut leech, ZERO, conn, Message::Bitfield(&[bits])).unwrap();
    }
    leech
}

const FIRST_HALF: [u32; 4] = [0, 1, 2, 3];
const SECOND_HALF: [u32; 4] = [4, 5, 6, 7];

/// Changes two peers that have the first half and everything; the seed is then asked for pieces of the given half.
fn expect(half: [u32; 4], change: impl Fn(&mut Torrent<TorrentVec>)) {
    for seed in 0..6 {
        let mut leech = with_two(seed, 0xF0, 0xFF);
        change(&mut leech);
        let asked = asked_of_a_seed(&mut leech);
        assert!(asked.len() == 4 && asked.iter().all(|piece| half.contains(piece)), "{asked:?}");
    }
}

#[test]
fn the_pieces_that_the_fewest_peers_have_come_first() {
    expect(SECOND_HALF, |_| ());
}

#[test]
fn the_pieces_of_a_peer_that_left_are_not_counted_any_more() {
    expect(FIRST_HALF, |leech| {
        leech.handle_closed(ZERO, B);
        let conn = ConnId(9);
        join(leech, conn, 0x0F);
    });
    // A seed is counted as a whole, and leaves as a whole.
    expect(SECOND_HALF, |leech| leech.handle_closed(ZERO, C));
}

#[test]
fn pieces_that_a_peer_got_or_lost_are_counted() {
    expect(FIRST_HALF, |leech| {
        deliver(leech, ZERO, B, Message::Bitfield(&[0x0F])).unwrap();
    });
    expect(FIRST_HALF, |leech| {
        for piece in SECOND_HALF {
            deliver(leech, ZERO, B, Message::Have(PieceIndex(piece))).unwrap();
        }
        for piece in FIRST_HALF {
            deliver(leech, ZERO, C, extended(&[3, 0, 0, 0, piece as u8])).unwrap();
        }
    });
    // A peer that lost one piece is not a seed any more; that piece is then as rare as any.
    for seed in 0..6 {
        let mut leech = leech(seed);
        join_modern(&mut leech, C, Reserved::FAST | Reserved::EXTENDED);
        receive(&mut leech, ZERO, C, &fast(Fast::HaveAll)).unwrap();
        assert_eq!(leech.peer(C).unwrap().pieces, 8);
        deliver(&mut leech, ZERO, C, extended(&[3, 0, 0, 0, 6])).unwrap();
        assert_eq!((leech.peer(C).unwrap().pieces, leech.peer(C).unwrap().wanted), (7, 7));
        assert_eq!(asked_of_a_seed(&mut leech)[..2], [6, 6]);
        deliver(&mut leech, ZERO, C, Message::Have(PieceIndex(6))).unwrap();
        assert_eq!(leech.peer(C).unwrap().pieces, 8);
    }
}
