//! What is empty has the length 0, in every list that has a length. Which lengths messages and blocks may have.

use bittorrent_pieces::merkle::PieceLayer;
use bittorrent_pieces::tracker::ScrapeStats;
use bittorrent_pieces::tracker::udp::{Hashes, Scrapes};
use bittorrent_pieces::wire::fast::Fast;
use bittorrent_pieces::wire::hashes::HashMessage;
use bittorrent_pieces::wire::{DecodeError, Message};
use bittorrent_pieces::{Bitfield, CompactPeers, Family, PieceHashes};

#[test]
fn what_is_empty_has_the_length_0() {
    for len in [0_u8, 1, 2] {
        let is_empty = len == 0;
        let count = usize::from(len);

        let hashes = vec![[1; 20]; count];
        let pieces = PieceHashes::new(&hashes);
        assert_eq!((pieces.is_empty(), pieces.len()), (is_empty, count));
        let asked = Hashes::new(&hashes).unwrap();
        assert_eq!((asked.is_empty(), asked.len(), asked.iter().count()), (is_empty, count, count));

        let layer = vec![[1; 32]; count];
        let layer = PieceLayer::new(&layer);
        assert_eq!((layer.is_empty(), layer.len()), (is_empty, count));
        let pieces = PieceHashes::v2(layer);
        assert_eq!((pieces.is_empty(), pieces.len()), (is_empty, count));
        assert_eq!(PieceHashes::hybrid(PieceHashes::new(&hashes), layer).unwrap().len(), count);
        let none = PieceHashes::hybrid(PieceHashes::new(&hashes), PieceLayer::new(&[]));
        assert_eq!(none.is_some(), is_empty, "their numbers differ");

        let field = Bitfield::new(len.into(), vec![0; count.div_ceil(8)]).unwrap();
        assert_eq!((field.is_empty(), field.len()), (is_empty, len.into()));

        for (family, stride) in [(Family::V4, 6), (Family::V6, 18)] {
            let bytes = vec![1; stride * count];
            let peers = CompactPeers::new(family, &bytes).unwrap();
            assert_eq!((peers.is_empty(), peers.len()), (is_empty, count));
            assert_eq!((peers.iter().count(), peers.family()), (count, family));
        }
    }
}

/// BEP 15: seeders, completed, leechers; 74 info-hashes at most.
#[test]
fn a_scrape_lists_three_numbers_for_each_torrent() {
    let encoded = [[1, 2, 3, 4, 0, 0, 0, 5, 255, 255, 255, 255]];
    let scrapes = Scrapes::new(&encoded);
    assert_eq!((scrapes.is_empty(), scrapes.len()), (false, 1));
    let stats: Vec<ScrapeStats> = scrapes.iter().collect();
    let numbers = stats.iter().map(|stats| [stats.seeders, stats.completed, stats.leechers]);
    assert_eq!(numbers.collect::<Vec<_>>(), [[0x0102_0304, 5, u32::MAX]]);
    assert_eq!(Scrapes::encode(stats[0]), encoded[0]);
    assert!(Scrapes::new(&[]).is_empty());
    assert!(Hashes::new(&[[0; 20]; 74]).is_some());
    assert!(Hashes::new(&[[0; 20]; 75]).is_none());
}

/// A message as long as the limit is read, and one more byte is too long as soon as its prefix is there.
#[test]
fn a_message_may_be_as_long_as_the_limit() {
    let bytes = [0, 0, 0, 3, 9, 0x1a, 0xe1];
    assert_eq!(Message::decode(&bytes, 3), Ok((Message::Port(6881), &[][..])));
    let too_long = DecodeError::TooLong { len: 3, limit: 2 };
    assert_eq!(Message::decode(&bytes[..4], 2), Err(too_long));
    assert_eq!(Message::decode(&bytes[..3], 2), Err(DecodeError::Incomplete { needed: 1 }));
    assert_eq!(Message::decode(&bytes[..5], 3), Err(DecodeError::Incomplete { needed: 2 }));
}

/// A request has a byte at least, and its end has 32 bits.
#[test]
fn a_request_is_for_bytes_that_can_exist() {
    let decode = |begin: u32, len: u32| {
        let numbers = [7, begin, len].map(u32::to_be_bytes).concat();
        let bytes = [&[0, 0, 0, 13, 6], &numbers[..]].concat();
        Message::decode(&bytes, 13).map(|(message, _)| message.to_string())
    };
    let block = |begin, len| Err(DecodeError::Block { begin, len });
    assert_eq!(decode(16_384, 1), Ok("REQUEST piece=7 begin=16384 len=1".into()));
    assert_eq!(decode(0, 0), block(0, 0));
    let last = u32::MAX;
    assert_eq!(decode(last - 1, 1), Ok(format!("REQUEST piece=7 begin={} len=1", last - 1)));
    assert_eq!(decode(last, 1), block(last, 1));
    assert_eq!(decode(1, last), block(1, last));
}

/// Messages about hashes and of the fast extension are read from the messages that they are; others are not theirs.
#[test]
fn messages_of_extensions_are_recognised_by_their_ids() {
    let range = [[7; 32].as_slice(), &[0; 12], &[0, 0, 0, 1]].concat();
    for (id, name) in
        [(20, None), (21, Some("HASH REQUEST")), (23, Some("HASH REJECT")), (24, None)]
    {
        let message = Message::Other { id, payload: &range };
        let read = HashMessage::of(&message).expect("48 bytes").map(|it| it.to_string());
        assert_eq!(read.as_deref().map(|text| text.split(" root").next()), name.map(Some), "{id}");
    }
    assert_eq!(HashMessage::of(&Message::Choke), Ok(None));
    let have_all = Message::Other { id: 14, payload: &[] };
    assert_eq!(
        (Fast::of(&have_all), Fast::of(&Message::Choke)),
        (Ok(Some(Fast::HaveAll)), Ok(None))
    );
}
