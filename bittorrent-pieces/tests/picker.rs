//! Which block to ask for: named rules, after the test names of libtorrent and Transmission.

use bittorrent_pieces::picker::{
    BlockSlot, PartialSlot, PeerPieces, PickerSlots, PieceSlot, PieceState, RarestSlot,
    ReceivedBlock, Selection, block_slots, piece_slots,
};
use bittorrent_pieces::{
    Bitfield, Block, ConfigError, ConnId, Geometry, Picker, PieceIndex, Priority,
};

type Boxed =
    Picker<PickerSlots<'static, Vec<PieceSlot>, Vec<RarestSlot>, Vec<PartialSlot>, Vec<BlockSlot>>>;

const PIECE: u32 = 65_536; // four blocks
const A: ConnId = ConnId(1);
const B: ConnId = ConnId(2);
const C: ConnId = ConnId(3);

fn bits(pieces: u32, set: &[u32]) -> Bitfield<Vec<u8>> {
    let mut field = Bitfield::new(pieces, vec![0; Bitfield::byte_len(pieces)]).unwrap();
    for piece in set {
        assert!(field.set(PieceIndex(*piece)));
    }
    field
}

fn picker_of(total: u64, have: &[u32], partials: usize, seed: u64) -> Boxed {
    let geometry = Geometry::new(total, PIECE).unwrap();
    Picker::new(
        seed,
        bits(geometry.pieces(), have).as_view(),
        PickerSlots {
            geometry,
            pieces: vec![PieceSlot::EMPTY; piece_slots(geometry.pieces())],
            rarest: vec![RarestSlot::EMPTY; 64],
            partials: vec![PartialSlot::EMPTY; partials],
            blocks: vec![BlockSlot::EMPTY; block_slots(geometry, partials)],
        },
    )
    .unwrap()
}

fn picker(pieces: u32, have: &[u32]) -> Boxed {
    picker_of(u64::from(pieces * PIECE), have, 8, 1)
}

fn pick(picker: &mut Boxed, conn: ConnId, holds: &PeerPieces<'_>) -> Option<Block> {
    let mut block = [Block::default()];
    (picker.pick(conn, holds, &Selection::new(), &mut block) == 1).then_some(block[0])
}

fn receive(picker: &mut Boxed, conn: ConnId, block: Block, sum: u32) -> bool {
    match picker.receive(conn, block, sum) {
        ReceivedBlock::Accepted { full, .. } => full,
        other => panic!("{other:?}"),
    }
}

/// Lets a peer give one whole piece.
fn give_piece(picker: &mut Boxed, conn: ConnId, holds: &PeerPieces<'_>, sum: u32) -> PieceIndex {
    loop {
        let block = pick(picker, conn, holds).expect("there is something to ask for");
        if receive(picker, conn, block, sum) {
            let full = picker.next_full();
            assert_eq!(full, Some(block.piece));
            return block.piece;
        }
    }
}

/// C-BIT-03: `pick_lowest_availability`.
#[test]
fn the_rarest_piece_is_picked() {
    let mut picker = picker(4, &[0]);
    picker.join(&PeerPieces::Some(bits(4, &[0, 1, 2, 3]).as_view()));
    picker.join(&PeerPieces::Some(bits(4, &[1, 3]).as_view()));
    picker.have(PieceIndex(3));
    assert_eq!([1, 2, 3].map(|piece| picker.availability(PieceIndex(piece))), [2, 1, 3]);
    let picked = [A, B, C].map(|conn| {
        let first = pick(&mut picker, conn, &PeerPieces::All).unwrap();
        (1..4).for_each(|_| {
            assert_eq!(pick(&mut picker, conn, &PeerPieces::All).unwrap().piece, first.piece);
        });
        first.piece.0
    });
    assert_eq!(picked, [2, 1, 3]);
}

/// C-BIT-04: before the first complete piece any piece is picked, afterwards the rarest.
#[test]
fn the_first_piece_is_random() {
    let mut first = [0_u32; 4];
    for seed in 0..200 {
        let mut picker = picker_of(4 * u64::from(PIECE), &[], 8, seed);
        picker.join(&PeerPieces::Some(bits(4, &[0, 1, 2]).as_view()));
        picker.join(&PeerPieces::All);
        first[pick(&mut picker, A, &PeerPieces::All).unwrap().piece.0 as usize] += 1;
    }
    assert!(first.iter().all(|hits| (25..80).contains(hits)), "{first:?}");
}

/// `random_pick_at_same_priority`; and the same seed picks the same.
#[test]
fn ties_are_random_and_follow_the_seed() {
    let pick = |seed| {
        let mut picker = picker_of(64 * u64::from(PIECE), &[0], 8, seed);
        picker.join(&PeerPieces::All);
        pick(&mut picker, A, &PeerPieces::All)
    };
    assert_eq!(pick(3), pick(3));
    assert!((0..20).any(|seed| pick(seed) != pick(3)));
}

/// `partial_piece_order_most_complete`, `prefersNearlyCompletePieces`.
#[test]
fn the_open_piece_with_the_fewest_free_blocks_comes_first() {
    let mut picker = picker(3, &[0]);
    picker.join(&PeerPieces::All);
    let one = bits(3, &[1]);
    let two = bits(3, &[2]);
    pick(&mut picker, A, &PeerPieces::Some(one.as_view())).unwrap();
    pick(&mut picker, B, &PeerPieces::Some(two.as_view())).unwrap();
    pick(&mut picker, B, &PeerPieces::Some(two.as_view())).unwrap();
    assert_eq!(pick(&mut picker, C, &PeerPieces::All).unwrap().piece, PieceIndex(2));
}

/// `onlyRequestBlocksThePeerHas`, `doesNotRequestPiecesThatAreNotWanted`,
/// `doesNotRequestSameBlockTwice`.
#[test]
fn requests_are_for_missing_blocks_that_the_peer_has_once() {
    let mut picker = picker(3, &[0]);
    let peer = bits(3, &[0, 2]);
    picker.join(&PeerPieces::Some(peer.as_view()));
    let mut picked = Vec::new();
    while let Some(block) = pick(&mut picker, A, &PeerPieces::Some(peer.as_view())) {
        assert_eq!(block.piece, PieceIndex(2));
        picked.push(block.begin);
    }
    assert_eq!(picked, [0, 16_384, 32_768, 49_152]);
    assert_eq!(pick(&mut picker, B, &PeerPieces::Some(peer.as_view())), None);
}

/// `abort_download`, `sentCancelResetsBlocks`, `gotChokeResetsRequestedBlocks`.
#[test]
fn released_blocks_are_asked_of_others() {
    let mut picker = picker(2, &[0]);
    picker.join(&PeerPieces::All);
    let first = pick(&mut picker, A, &PeerPieces::All).unwrap();
    let second = pick(&mut picker, A, &PeerPieces::All).unwrap();
    assert!(picker.release(A, second) && !picker.release(A, second));
    assert_eq!(pick(&mut picker, B, &PeerPieces::All), Some(second));
    picker.abandon(A);
    assert_eq!(picker.requesters(first), [None, None]);
    assert_eq!(pick(&mut picker, C, &PeerPieces::All), Some(first));
    assert_eq!(picker.requesters(second), [Some(B), None]);
}

/// At most two requesters a block, never the same twice, and only when all else is asked for.
#[test]
fn the_endgame_asks_two_and_no_more() {
    let mut picker = picker(2, &[0]);
    picker.join(&PeerPieces::All);
    let block = pick(&mut picker, A, &PeerPieces::All).unwrap();
    assert_eq!(
        picker.pick_endgame(B, &PeerPieces::All, &Selection::new()),
        None,
        "free blocks are left"
    );
    (1..4).for_each(|_| assert!(pick(&mut picker, A, &PeerPieces::All).is_some()));
    assert_eq!(
        picker.pick_endgame(A, &PeerPieces::All, &Selection::new()),
        None,
        "it was asked already"
    );
    let twice: Vec<_> = (0..4)
        .map(|_| picker.pick_endgame(B, &PeerPieces::All, &Selection::new()).unwrap())
        .collect();
    assert_eq!(picker.pick_endgame(B, &PeerPieces::All, &Selection::new()), None);
    assert_eq!(picker.pick_endgame(C, &PeerPieces::All, &Selection::new()), None, "two are enough");
    assert!(twice.contains(&block));
    assert_eq!(picker.receive(B, block, 0), ReceivedBlock::Accepted { also: Some(A), full: false });
    assert_eq!(picker.receive(A, block, 0), ReceivedBlock::Unwanted, "the second copy");
}

/// `piece_passed`, `get_downloaders`: a piece is there once it was checked.
#[test]
fn a_full_piece_is_checked_before_it_counts() {
    let mut picker = picker(2, &[]);
    picker.join(&PeerPieces::All);
    let piece = give_piece(&mut picker, A, &PeerPieces::All, 0);
    assert_eq!((picker.state(piece), picker.next_full()), (Some(PieceState::Full), None));
    assert!(picker.passed(piece, |_| panic!("nobody is suspected")));
    assert_eq!((picker.state(piece), picker.have_count()), (Some(PieceState::Have), 1));
    assert!(!picker.passed(piece, |_| {}) && picker.failed(piece).is_none());
}

/// `restore_piece`, `gotBadPieceResetsPiece`: a sole source is named at once.
#[test]
fn a_failed_piece_of_one_source_names_it() {
    let mut picker = picker(1, &[]);
    picker.join(&PeerPieces::All);
    let piece = give_piece(&mut picker, A, &PeerPieces::All, 0);
    assert_eq!(picker.failed(piece).unwrap().sole, Some(A));
    assert_eq!(picker.state(piece), Some(PieceState::Open));
    let piece = give_piece(&mut picker, B, &PeerPieces::All, 1);
    assert!(picker.passed(piece, |conn| panic!("{conn} was named already")));
}

/// `parole_mode`: a failed piece of several sources is fetched from one alone; then all is known.
#[test]
fn a_failed_piece_of_several_sources_is_fetched_from_one() {
    let mut picker = picker(1, &[]);
    picker.join(&PeerPieces::All);
    let blocks =
        [A, B, C, A].map(|conn| (conn, pick(&mut picker, conn, &PeerPieces::All).unwrap()));
    for (conn, block) in blocks {
        receive(&mut picker, conn, block, if conn == B { 666 } else { block.begin });
    }
    let piece = picker.next_full().unwrap();
    assert_eq!(picker.failed(piece).unwrap().sole, None);
    let block = pick(&mut picker, C, &PeerPieces::All).unwrap();
    assert_eq!(pick(&mut picker, A, &PeerPieces::All), None, "C has it for itself");
    assert_eq!(picker.pick_endgame(A, &PeerPieces::All, &Selection::new()), None);
    receive(&mut picker, C, block, block.begin);
    picker.abandon(C);
    for _ in 1..4 {
        let block = pick(&mut picker, A, &PeerPieces::All).expect("C gave it up");
        receive(&mut picker, A, block, block.begin);
    }
    assert_eq!(picker.next_full(), Some(piece));
    let mut convicts = Vec::new();
    assert!(picker.passed(piece, |conn| convicts.push(conn)));
    assert_eq!(convicts, [B]);
}

/// What a banned peer gave to other pieces is fetched again.
#[test]
fn blocks_of_a_banned_peer_are_discarded() {
    let mut picker = picker(1, &[]);
    picker.join(&PeerPieces::All);
    let block = pick(&mut picker, A, &PeerPieces::All).unwrap();
    pick(&mut picker, A, &PeerPieces::All).unwrap();
    receive(&mut picker, A, block, 0);
    picker.forget(A);
    let again: Vec<_> =
        (0..4).map(|_| pick(&mut picker, B, &PeerPieces::All).unwrap().begin).collect();
    assert_eq!(again, [0, 16_384, 32_768, 49_152]);
}

/// `peerDisconnectDecrementsReplication`, `inc_ref_dec_ref`: leave undoes join.
#[test]
fn a_peer_that_leaves_takes_its_availability_along() {
    let mut picker = picker(9, &[]);
    let some = bits(9, &[0, 3, 8]);
    for _ in 0..100 {
        picker.join(&PeerPieces::Some(some.as_view())); // more than the levels of availability
    }
    picker.join(&PeerPieces::All);
    assert_eq!([0, 1, 3].map(|piece| picker.availability(PieceIndex(piece))), [101, 1, 101]);
    assert!(picker.is_sound());
    for _ in 0..100 {
        picker.leave(&PeerPieces::Some(some.as_view()));
    }
    picker.leave(&PeerPieces::All);
    assert!((0..9).all(|piece| picker.availability(PieceIndex(piece)) == 0) && picker.is_sound());
}

/// `unalignedTorrent*`: the last piece and its last block are short.
#[test]
fn the_last_piece_and_its_last_block_are_short() {
    let mut picker = picker_of(u64::from(PIECE) + 16_385, &[0], 1, 1);
    picker.join(&PeerPieces::All);
    let picked = [(); 3]
        .map(|()| pick(&mut picker, A, &PeerPieces::All).map(|block| (block.begin, block.len)));
    assert_eq!(picked, [Some((0, 16_384)), Some((16_384, 1)), None]);
}

#[test]
fn the_number_of_open_pieces_is_bounded() {
    let mut picker = picker_of(4 * u64::from(PIECE), &[], 2, 1);
    picker.join(&PeerPieces::All);
    for _ in 0..8 {
        assert!(pick(&mut picker, A, &PeerPieces::All).is_some());
    }
    assert_eq!(pick(&mut picker, A, &PeerPieces::All), None, "both are asked for");
    picker.abandon(A);
    let all = PieceState::Missing;
    let open = PieceState::Open;
    let count = |picker: &Boxed, state| {
        (0..4).filter(|piece| picker.state(PieceIndex(*piece)) == Some(state)).count()
    };
    assert_eq!((count(&picker, all), count(&picker, open)), (2, 2));
    let missing = (0..4).find(|piece| picker.state(PieceIndex(*piece)) == Some(all)).unwrap();
    let peer = bits(4, &[missing]);
    let block =
        pick(&mut picker, B, &PeerPieces::Some(peer.as_view())).expect("an idle piece gives way");
    assert_eq!((block.piece.0, count(&picker, open)), (missing, 2));
}

#[test]
fn without_pieces_or_memory_all_calls_are_legal() {
    let mut empty = picker_of(0, &[], 0, 1);
    empty.join(&PeerPieces::All);
    assert_eq!(
        (
            pick(&mut empty, A, &PeerPieces::All),
            empty.pick_endgame(A, &PeerPieces::All, &Selection::new())
        ),
        (None, None)
    );
    let mut narrow = picker_of(10, &[], 0, 1);
    narrow.join(&PeerPieces::All);
    assert_eq!((pick(&mut narrow, A, &PeerPieces::All), narrow.next_full()), (None, None));
    let geometry = Geometry::new(10, 1).unwrap();
    let refused = Picker::new(
        0,
        bits(10, &[]).as_view(),
        PickerSlots { geometry, pieces: [], rarest: [], partials: [], blocks: [] },
    )
    .err();
    assert_eq!(refused, Some(ConfigError::PieceSlots(1)));
}

/// A peer with few pieces of very many finds the rarest of them.
#[test]
fn a_peer_with_few_of_many_pieces_is_served() {
    let mut picker = picker_of(100_000 * u64::from(PIECE), &[0], 8, 1);
    picker.join(&PeerPieces::All);
    let few = bits(100_000, &[777, 50_000, 99_999]);
    let common = bits(100_000, &[777, 99_999]);
    picker.join(&PeerPieces::Some(few.as_view()));
    picker.join(&PeerPieces::Some(common.as_view()));
    assert_eq!(
        pick(&mut picker, A, &PeerPieces::Some(few.as_view())).unwrap().piece,
        PieceIndex(50_000)
    );
    assert!(picker.is_sound());
}

#[test]
fn pieces_of_hundreds_of_peers_are_counted() {
    const PIECES: u32 = 1_100;
    let mut picker = picker(PIECES, &[]);
    let mut counts = vec![0; PIECES as usize];
    let holds = |peer: u32| (0..PIECES).filter(move |piece| piece * 7919 % 300 + peer % 3 >= peer);
    let field = |peer| bits(PIECES, &holds(peer).collect::<Vec<_>>());
    for peer in 0..300 {
        picker.join(&PeerPieces::Some(field(peer).as_view()));
        holds(peer).for_each(|piece| counts[piece as usize] += 1);
    }
    assert!(counts.iter().any(|count| *count > 255));
    let all = |picker: &Boxed| {
        (0..PIECES).map(|piece| picker.availability(PieceIndex(piece))).collect::<Vec<u32>>()
    };
    assert_eq!(all(&picker), counts);
    for peer in (0..300).filter(|peer| peer % 4 > 0) {
        picker.leave(&PeerPieces::Some(field(peer).as_view()));
        holds(peer).for_each(|piece| counts[piece as usize] -= 1);
    }
    assert_eq!(all(&picker), counts);
}

/// The endgame begins once each missing block that some peer has is asked for: pieces that nobody has do not delay it.
#[test]
fn the_endgame_does_not_wait_for_pieces_that_nobody_has() {
    let mut picker = picker(2, &[]);
    let field = bits(2, &[0]);
    let first = PeerPieces::Some(field.as_view());
    picker.join(&first);
    picker.join(&first);
    (0..4).for_each(|_| assert!(pick(&mut picker, A, &first).is_some()));
    assert_eq!(pick(&mut picker, A, &first), None);
    let twice = picker.pick_endgame(B, &first, &Selection::new()).unwrap();
    assert_eq!(twice.piece, PieceIndex(0));
    picker.have(PieceIndex(1));
    assert_eq!(picker.pick_endgame(B, &first, &Selection::new()), None, "now one is free");
}

/// The free blocks of a piece that was begun and is skipped now do not delay the endgame.
#[test]
fn the_endgame_does_not_wait_for_a_skipped_piece() {
    let mut picker = picker(2, &[]);
    picker.join(&PeerPieces::All);
    let begun = pick(&mut picker, A, &PeerPieces::All).unwrap().piece;
    picker.set_priority(begun, Priority::SKIP);
    let other = PieceIndex(1 - begun.0);
    for _ in 0..4 {
        assert_eq!(pick(&mut picker, A, &PeerPieces::All).unwrap().piece, other);
    }
    let twice = picker.pick_endgame(B, &PeerPieces::All, &Selection::new()).unwrap();
    assert_eq!(twice.piece, other);
    picker.set_priority(begun, Priority::NORMAL);
    assert_eq!(picker.pick_endgame(B, &PeerPieces::All, &Selection::new()), None, "three are free");
}

/// A failed piece of two sources, each of two blocks.
fn fail_of_two(picker: &mut Boxed) -> PieceIndex {
    let blocks = [A, B, A, B].map(|conn| (conn, pick(picker, conn, &PeerPieces::All).unwrap()));
    for (conn, block) in blocks {
        receive(picker, conn, block, 666);
    }
    let piece = picker.next_full().unwrap();
    assert_eq!(picker.failed(piece).unwrap().sole, None);
    piece
}

/// A piece that is fetched from one peer alone, to learn who is to blame, is not asked of two.
#[test]
fn the_endgame_leaves_a_failed_piece_to_its_one_source() {
    let mut picker = picker(1, &[]);
    picker.join(&PeerPieces::All);
    fail_of_two(&mut picker);
    (0..4).for_each(|_| assert!(pick(&mut picker, C, &PeerPieces::All).is_some()));
    assert_eq!(picker.pick_endgame(A, &PeerPieces::All, &Selection::new()), None);
}

/// A peer that is banned already is not convicted again; the other source is.
#[test]
fn a_forgotten_peer_is_not_convicted_by_a_good_copy() {
    let mut picker = picker(1, &[]);
    picker.join(&PeerPieces::All);
    let piece = fail_of_two(&mut picker);
    picker.forget(A);
    assert_eq!(give_piece(&mut picker, C, &PeerPieces::All, 0), piece);
    let mut convicts = Vec::new();
    assert!(picker.passed(piece, |conn| convicts.push(conn)));
    assert_eq!(convicts, [B, B], "once for each of its blocks");
}
