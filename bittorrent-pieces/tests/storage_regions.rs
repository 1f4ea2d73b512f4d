//! The memory of a torrent: what is too small is refused with what is needed.

use bittorrent_pieces::picker::{
    BlockSlot, PartialSlot, PieceSlot, RarestSlot, block_slots, piece_slots, rarest_slots,
};
use bittorrent_pieces::torrent::{
    PeerSlot, RequestSlot, bits_len, receive_len, requests_len, transmit_len,
};
use bittorrent_pieces::{
    Bitfield, Config, ConfigError, Geometry, InfoHash, PeerId, PieceHashes, Torrent,
    TorrentContent, TorrentSetup, TorrentSlots,
};

const PIECES: u32 = 100;

type Slots<'t> = TorrentSlots<
    't,
    Vec<PieceSlot>,
    Vec<RarestSlot>,
    Vec<PartialSlot>,
    Vec<BlockSlot>,
    Vec<PeerSlot>,
    Vec<u8>,
    Vec<RequestSlot>,
>;

/// Builds a torrent of 100 pieces and three peers in slots that are changed before.
fn build(hashes: usize, have: u32, change: impl Fn(&mut Slots<'_>)) -> Option<ConfigError> {
    let geometry = Geometry::new(u64::from(PIECES) * 32_768, 32_768).unwrap();
    let hashes = vec![[0; 20]; hashes];
    let mut slots = TorrentSlots {
        content: TorrentContent::new(geometry, PieceHashes::new(&hashes)),
        pieces: vec![PieceSlot::EMPTY; piece_slots(PIECES)],
        rarest: vec![RarestSlot::EMPTY; rarest_slots(PIECES)],
        partials: vec![PartialSlot::EMPTY; 2],
        blocks: vec![BlockSlot::EMPTY; block_slots(geometry, 2)],
        peers: vec![PeerSlot::EMPTY; 3],
        bits: vec![0; bits_len(PIECES, 3)],
        requests: vec![RequestSlot::EMPTY; requests_len(3, 1)],
    };
    change(&mut slots);
    let bits = vec![0; Bitfield::byte_len(have)];
    let mut setup = TorrentSetup::new(Config::new(InfoHash([1; 20]), PeerId([2; 20])));
    setup.have = Some(Bitfield::new(have, &bits[..]).unwrap());
    Torrent::new(setup, slots).err()
}

#[test]
fn what_is_needed_is_enough() {
    assert_eq!(build(100, 100, |_| ()), None);
    assert_eq!(build(100, 100, |slots| slots.peers.clear()), None, "without connections");
}

#[test]
fn a_region_that_is_too_small_is_refused() {
    // 13 bytes for each of four bitfields, two requests for each of three peers.
    assert_eq!(build(100, 100, |slots| slots.bits.truncate(51)), Some(ConfigError::Bits(52)));
    let refused = build(100, 100, |slots| slots.requests.truncate(5));
    assert_eq!(refused, Some(ConfigError::Requests(6)));
    let refused = build(100, 100, |slots| slots.pieces.clear());
    assert!(matches!(refused, Some(ConfigError::PieceSlots(_))), "{refused:?}");
}

#[test]
fn what_belongs_to_another_torrent_is_refused() {
    for hashes in [99, 101] {
        let refused = build(hashes, 100, |_| ());
        assert_eq!(refused, Some(ConfigError::Hashes { hashes, pieces: 100 }));
    }
    for have in [99, 101] {
        assert_eq!(build(100, have, |_| ()), Some(ConfigError::Bitfield(have)));
    }
}

#[test]
fn at_most_65_534_connections_are_possible() {
    let with = |peers: usize| {
        build(100, 100, |slots| {
            slots.peers = vec![PeerSlot::EMPTY; peers];
            slots.bits = vec![0; bits_len(PIECES, peers)];
            slots.requests = vec![RequestSlot::EMPTY; requests_len(peers, 1)];
        })
    };
    assert_eq!(with(65_534), None);
    let refused = with(65_535).unwrap();
    assert_eq!(refused, ConfigError::TooManySlots(65_535));
    assert_eq!(refused.to_string(), "65535 slots are more than 65,534");
}

#[test]
fn lengths_of_buffers_and_regions() {
    // A bitfield of eight pieces a byte, behind four bytes of length and the id.
    assert_eq!([0, 8 * 763, 8 * 763 + 1].map(transmit_len), [768, 768, 769]);
    // A block of 16 KiB behind its length, id and place.
    let block = 13 + 16_384;
    assert_eq!([0, 8 * 16_392, 8 * 16_392 + 1].map(receive_len), [block, block, block + 1]);
    assert_eq!([bits_len(100, 0), bits_len(100, 3), bits_len(0, 3)], [13, 52, 0]);
    assert_eq!([requests_len(0, 9), requests_len(3, 9)], [0, 54]);
}
