//! A device profile: 64 MiB in 256 pieces, eight peers.

use bittorrent_pieces::{
    Bitfield, BlockSlot, Candidate, Choker, Geometry, Holds, PartialSlot, PeerSlot, Picker,
    PieceSlot, RareSlot, RequestSlot, Torrent, Want, bits_len, block_slots, piece_slots,
    rare_slots, requests_len,
};

const PIECES: u32 = 256;
const PEERS: usize = 8;
const OPEN: usize = 2;
const GEOMETRY: Geometry<'static> = match Geometry::new(64 << 20, 256 << 10) {
    Ok(geometry) => geometry,
    Err(_) => panic!("64 MiB in pieces of 256 KiB"),
};

type Pieces = [PieceSlot; piece_slots(PIECES)];
type Rarest = [RareSlot; rare_slots(PIECES)];
type Partials = [PartialSlot; OPEN];
type Blocks = [BlockSlot; block_slots(GEOMETRY, OPEN)];
type Bits = [u8; bits_len(PIECES, PEERS)];

/// Who has what, what to ask of whom and whom to serve: everything that depends on the number of pieces
/// and of peers but the connections themselves.
struct State {
    picker: Picker<'static, Pieces, Rarest, Partials, Blocks>,
    bits: Bits,
    choker: Choker,
    cards: [Candidate; PEERS],
}

#[test]
fn the_state_of_256_pieces_and_8_peers_is_under_4_kib() {
    println!("picker, bitfields, choker: {} bytes", size_of::<State>());
    assert!(size_of::<State>() < 4096, "{}", size_of::<State>());
    let mut state = State {
        picker: Picker::new(
            GEOMETRY,
            1,
            Bitfield::new(PIECES, &[0; 32][..]).unwrap(),
            [PieceSlot::EMPTY; piece_slots(PIECES)],
            [RareSlot::EMPTY; rare_slots(PIECES)],
            [PartialSlot::EMPTY; OPEN],
            [BlockSlot::EMPTY; block_slots(GEOMETRY, OPEN)],
        )
        .unwrap(),
        bits: [0xFF; bits_len(PIECES, PEERS)],
        choker: Choker::new(4, 1),
        cards: [Candidate::new(bittorrent_pieces::ConnId(0)); PEERS],
    };
    // It works in that: all pieces of a seed, one after the other.
    let holds = Holds::Some(Bitfield::new(PIECES, &state.bits[..32]).unwrap());
    state.picker.join(&holds);
    state.choker.round(&mut state.cards, |card| Some(card));
    let mut batch = [bittorrent_pieces::Block::default(); 16];
    let conn = bittorrent_pieces::ConnId(1);
    while state.picker.have_count() < PIECES {
        let picked = state.picker.pick(conn, &holds, &Want::new(), &mut batch);
        assert!(picked > 0, "after {} pieces", state.picker.have_count());
        for block in &batch[..picked] {
            state.picker.receive(conn, *block, 0);
        }
        while let Some(full) = state.picker.next_full() {
            assert!(state.picker.passed(full, |_| {}));
        }
    }
}

/// The whole torrent machine with the connections: what the README promises.
#[test]
fn a_torrent_of_256_pieces_and_8_peers_is_under_7_kib() {
    let lent = size_of::<Pieces>()
        + size_of::<Partials>()
        + size_of::<Blocks>()
        + size_of::<Bits>()
        + PEERS * size_of::<PeerSlot>()
        + requests_len(PEERS, 2) * size_of::<RequestSlot>();
    let all = lent + size_of::<Torrent<'_, ()>>();
    println!("torrent: {all} bytes, {} for each connection", size_of::<PeerSlot>());
    assert!(size_of::<PeerSlot>() <= 336, "as its documentation says");
    assert!(all < 7 * 1024, "{all}");
}
