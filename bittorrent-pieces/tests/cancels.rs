//! Cancelled requests and their answers, or the lack of them.

mod by_hand;

use bittorrent_pieces::wire::fast::Fast;
use bittorrent_pieces::wire::{Message, Reserved};
use bittorrent_pieces::{
    Bitfield, Block, Config, Geometry, InfoHash, PeerId, PieceHashes, PieceIndex, TorrentContent,
};
use by_hand::{
    A, ZERO, block, build, deliver, fast, join_modern, limits, receive, request, seconds, sent_to,
};

/// Transmission before version 4 drops a cancelled request without an answer, although BEP 6 requires one. Its requests must not
/// be waited for as long as it is connected, and a late answer does not close the connection.
#[test]
fn cancels_that_are_never_answered_do_not_use_up_the_requests() {
    let hashes = [[0; 20]; 8];
    let geometry = Geometry::new(8 * 32_768, 32_768).unwrap();
    let content = TorrentContent::new(geometry, PieceHashes::new(&hashes));
    let config = Config::new(InfoHash([1; 20]), PeerId([1; 20]));
    let none = Bitfield::new(8, [0]).unwrap();
    let mut leech = build(config, &content, none.as_view(), limits(2, 8, 4));
    join_modern(&mut leech, A, Reserved::FAST);
    receive(&mut leech, ZERO, A, &fast(Fast::HaveAll)).unwrap();
    deliver(&mut leech, ZERO, A, Message::Unchoke).unwrap();
    let mut asked = vec![];
    for second in 0..1_200 {
        leech.handle_timeout(seconds(second));
        if second % 60 == 0 {
            deliver(&mut leech, seconds(second), A, Message::KeepAlive).unwrap();
        }
        let lines = sent_to(&mut leech, A);
        asked.extend(lines.into_iter().filter(|line| request(line)).map(|line| (second, line)));
    }
    let late = asked.iter().filter(|(second, _)| *second > 600).count();
    assert!(late >= 4, "{asked:?}");
    // The first request is answered after all.
    let piece = (0..8).find(|piece| asked[0].1.contains(&format!("piece={piece}"))).unwrap();
    let begin = if asked[0].1.contains("begin=0 ") { 0 } else { 16_384 };
    deliver(&mut leech, seconds(1_200), A, block(piece, begin)).unwrap();
    let late = Block { piece: PieceIndex(piece), begin, len: 16_384 };
    receive(&mut leech, seconds(1_200), A, &fast(Fast::Reject(late))).unwrap();
}
