//! The picker among many peers and pieces, against a full search for each choice; and how much a call
//! looks at in a torrent of 30 million blocks.

use bittorrent_pieces::picker::{
    BlockSlot, PartialSlot, PeerPieces, PickerSlots, PieceSlot, PieceState, RarestSlot,
    ReceivedBlock, Selection, Weights, block_slots, piece_slots, rarest_slots,
};
use bittorrent_pieces::{Bitfield, Block, ConnId, Geometry, Picker, PieceIndex, Policy, Priority};
use sim::Rng;

type Boxed =
    Picker<PickerSlots<'static, Vec<PieceSlot>, Vec<RarestSlot>, Vec<PartialSlot>, Vec<BlockSlot>>>;

fn picker(geometry: Geometry<'static>, list: usize, partials: usize, seed: u64) -> Boxed {
    let have = vec![0; Bitfield::byte_len(geometry.pieces())];
    Picker::new(
        seed,
        Bitfield::new(geometry.pieces(), &have[..]).unwrap(),
        PickerSlots {
            geometry,
            pieces: vec![PieceSlot::EMPTY; piece_slots(geometry.pieces())],
            rarest: vec![RarestSlot::EMPTY; list],
            partials: vec![PartialSlot::EMPTY; partials],
            blocks: vec![BlockSlot::EMPTY; block_slots(geometry, partials)],
        },
    )
    .unwrap()
}

fn bitfield(rng: &mut Rng, pieces: u32, per_mille: u64) -> Bitfield<Vec<u8>> {
    let mut bits = Bitfield::new(pieces, vec![0; Bitfield::byte_len(pieces)]).unwrap();
    for piece in 0..pieces {
        if rng.below(1000) < per_mille {
            bits.set(PieceIndex(piece));
        }
    }
    bits
}

/// Returns what the policy minimises.
fn key(picker: &Boxed, piece: PieceIndex) -> (u32, u32) {
    let priority = picker.priority(piece).level();
    let peers = picker.availability(piece);
    match picker.policy().weights {
        Weights::Strict => (7 - u32::from(priority), peers),
        _ => (0, (peers + 1) * (8 - u32::from(priority))),
    }
}

/// Peers join, leave, get and lose pieces: each piece that is opened is one of the rarest that the
/// peer has, and no equal one is always passed over.
#[test]
fn every_choice_is_a_rarest_piece() {
    for (round, weights) in
        [Weights::Strict, Weights::Product].into_iter().cycle().take(16).enumerate()
    {
        let mut rng = Rng::new(round as u64);
        let pieces = [300, 900, 64, 2000][round / 2 % 4];
        let list = [64, 0, 1, 300][(round / 2 + round / 8) % 4];
        let geometry = Geometry::new(u64::from(pieces), 1).unwrap();
        let mut picker = picker(geometry, list, pieces as usize, round as u64);
        let mut policy = Policy::new();
        policy.weights = weights;
        policy.random_first = 0;
        picker.set_policy(policy);
        let mut peers: Vec<Option<Bitfield<Vec<u8>>>> = vec![None; 30];
        let mut opened = 0;
        for step in 0..4_000 {
            assert!(step % 200 > 0 || picker.is_sound(), "round {round}, step {step}");
            let at = rng.below(30) as usize;
            let piece = PieceIndex(rng.below(u64::from(pieces)) as u32);
            let conn = ConnId(at as u32);
            match (rng.below(40), &mut peers[at]) {
                (0..4, none @ None) => {
                    let density = [1, 30, 500, 950][rng.below(4) as usize];
                    let bits = bitfield(&mut rng, pieces, density);
                    picker.join(&PeerPieces::Some(bits.as_view()));
                    *none = Some(bits);
                }
                (4, some @ Some(_)) => {
                    picker.leave(&PeerPieces::Some(some.as_ref().unwrap().as_view()));
                    picker.abandon(conn);
                    *some = None;
                }
                (5..9, Some(bits)) if !bits.has(piece) => {
                    bits.set(piece);
                    picker.have(piece);
                }
                (9..12, Some(bits)) if bits.has(piece) => {
                    bits.clear(piece);
                    picker.dont_have(piece);
                }
                (12, _) => {
                    picker.set_priority(piece, Priority::new(rng.below(8) as u8).unwrap());
                }
                (13, _) => picker.join(&PeerPieces::All),
                (14, _) => picker.leave(&PeerPieces::All),
                (15, _) => {
                    picker.lose(piece);
                }
                (_, Some(bits)) => {
                    let bits = bits.clone();
                    let holds = PeerPieces::Some(bits.as_view());
                    let mut block = [Block::default()];
                    let proposed = picker.propose(conn, &holds, &Selection::new(), &mut block);
                    let missing = |piece: &PieceIndex| {
                        picker.state(*piece) == Some(PieceState::Missing)
                            && picker.priority(*piece) != Priority::SKIP
                    };
                    let rarest = bits.ones().filter(missing).map(|piece| key(&picker, piece)).min();
                    if proposed == 0 {
                        assert_eq!(rarest, None, "round {round}: there was something");
                    } else if missing(&block[0].piece) {
                        assert_eq!(rarest, Some(key(&picker, block[0].piece)), "round {round}");
                        opened += 1;
                    }
                    if proposed > 0 && rng.below(3) > 0 {
                        assert!(picker.ask(conn, block[0], &Selection::new()));
                        if rng.below(4) > 0 {
                            assert_ne!(picker.receive(conn, block[0], 0), ReceivedBlock::Unwanted);
                            let full = picker.next_full().unwrap();
                            assert!(picker.passed(full, |_| {}));
                        }
                    }
                }
                _ => {}
            }
        }
        assert!(picker.is_sound());
        assert!(opened > 100, "round {round}: {opened}");
    }
}

/// transmission#7700: 500 GB in pieces of 256 KiB are 30 million blocks. Whatever happens, a call looks
/// at no more than the words of the pieces, some times over, or the blocks that are open.
#[test]
fn a_torrent_of_thirty_million_blocks_is_picked_from() {
    const PIECES: u32 = 1_875_000;
    const WORDS: u64 = PIECES.div_ceil(64) as u64;
    const OPEN: usize = 400;
    let geometry = Geometry::new(u64::from(PIECES) << 18, 1 << 18).unwrap();
    assert_eq!(u64::from(PIECES) * 16, 30_000_000);
    let mut picker = picker(geometry, rarest_slots(PIECES), OPEN, 7);
    let mut rng = Rng::new(7);
    let peers: Vec<_> =
        [500, 900, 100, 2].map(|density| bitfield(&mut rng, PIECES, density)).into();
    let holds = |peer: u32| PeerPieces::Some(peers[peer as usize % 4].as_view());
    (0..60).for_each(|peer| picker.join(&holds(peer)));
    let mut before = picker.steps();
    let mut worst = [0; 3]; // picks, blocks and checks, peers that go
    let mut picks = 0_u64;
    let mut walks = 0_u64;
    let mut spent = |picker: &Boxed, kind: usize| {
        let steps = picker.steps().wrapping_sub(before);
        before = picker.steps();
        worst[kind] = worst[kind].max(steps);
        steps
    };
    spent(&picker, 2);
    for turn in 0..800_u32 {
        let peer = turn % 60;
        let conn = ConnId(turn % 60);
        let mut batch = [Block::default(); 16];
        let picked = picker.pick(conn, &holds(peer), &Selection::new(), &mut batch);
        picks += 1;
        walks += spent(&picker, 0) / WORDS;
        for block in &batch[..picked] {
            if turn % 7 == 0 {
                picker.release(conn, *block);
            } else {
                picker.receive(conn, *block, turn);
            }
        }
        if let Some(full) = picker.next_full() {
            if turn % 5 == 0 {
                assert!(picker.failed(full).is_some());
            } else {
                assert!(picker.passed(full, |_| {}));
            }
        }
        picker.have(PieceIndex(rng.below(u64::from(PIECES)) as u32));
        spent(&picker, 1);
        if turn % 50 == 0 {
            picker.leave(&holds(peer));
            spent(&picker, 2);
            picker.abandon(conn);
            spent(&picker, 2);
            picker.forget(conn);
            spent(&picker, 2);
            picker.join(&holds(peer));
            spent(&picker, 2);
        }
    }
    let blocks = (OPEN * 16) as u64;
    assert!(worst[0] <= 3 * WORDS, "a pick looked at {} words of {WORDS}", worst[0]);
    assert!(worst[1] <= WORDS + blocks, "a block or a check looked at {}", worst[1]);
    assert!(worst[2] <= (2 * WORDS).max(3 * blocks), "a peer that went took {}", worst[2]);
    assert!(walks <= picks, "{walks} passes over all words for {picks} picks");
}

/// The list grows with the torrent, so that a peer with few of many pieces has one of it; and it lasts while peers leave
/// and come back.
#[test]
fn a_pick_for_a_peer_with_few_pieces_of_many_looks_at_few() {
    const PIECES: u32 = 100_000;
    const WORDS: u64 = PIECES.div_ceil(64) as u64;
    let geometry = Geometry::new(u64::from(PIECES) << 14, 1 << 14).unwrap();
    assert_eq!([512, 513, 16_384, 16_640, PIECES].map(rarest_slots), [0, 64, 64, 65, 390]);
    let mut picker = picker(geometry, rarest_slots(PIECES), 4, 3);
    let mut policy = Policy::new();
    policy.random_first = 0;
    picker.set_policy(policy);
    let mut rng = Rng::new(3);
    let dense: Vec<_> = (0..40).map(|_| bitfield(&mut rng, PIECES, 500)).collect();
    let sparse: Vec<_> = (0..20).map(|_| bitfield(&mut rng, PIECES, 30)).collect();
    let pick = |picker: &mut Boxed, bits: &Bitfield<Vec<u8>>| {
        let before = picker.steps();
        let holds = PeerPieces::Some(bits.as_view());
        let mut block = [Block::default()];
        assert_eq!(picker.propose(ConnId(0), &holds, &Selection::new(), &mut block), 1);
        picker.steps().wrapping_sub(before)
    };
    for bits in &dense {
        picker.join(&PeerPieces::Some(bits.as_view()));
    }
    pick(&mut picker, &dense[0]); // makes the list
    let is_short = |steps: &u64| *steps < WORDS / 2;
    let short = sparse.iter().map(|bits| pick(&mut picker, bits)).filter(is_short).count();
    assert!(short >= 18, "{short} of 20 picks looked at less than half of the words");
    let mut short = 0;
    for (turn, bits) in dense.iter().enumerate() {
        picker.leave(&PeerPieces::Some(bits.as_view()));
        pick(&mut picker, bits);
        short += usize::from(is_short(&pick(&mut picker, &sparse[turn % 20])));
        picker.join(&PeerPieces::Some(bits.as_view()));
    }
    assert!(short >= 20, "{short} of 40 picks while peers left");
    assert!(picker.is_sound());
}

/// The list follows the pieces of each peer that leaves and comes back, so that the next pick finds it in order and moves
/// nothing: it passes what its peer does not have, three or four of the rarest pieces.
#[test]
fn a_pick_after_peers_left_and_came_back_moves_nothing() {
    const PIECES: u32 = 100_000;
    let geometry = Geometry::new(u64::from(PIECES) << 14, 1 << 14).unwrap();
    for weights in [Weights::Strict, Weights::Product] {
        let mut picker = picker(geometry, rarest_slots(PIECES), 4, 8);
        let mut policy = Policy::new();
        policy.random_first = 0;
        policy.weights = weights;
        picker.set_policy(policy);
        let mut rng = Rng::new(8);
        let peers: Vec<_> = (0..40).map(|_| bitfield(&mut rng, PIECES, 500)).collect();
        for bits in &peers {
            picker.join(&PeerPieces::Some(bits.as_view()));
        }
        let mut looked = 0;
        for (turn, bits) in peers.iter().enumerate() {
            let holds = PeerPieces::Some(bits.as_view());
            let mut block = [Block::default()];
            assert_eq!(picker.propose(ConnId(0), &holds, &Selection::new(), &mut block), 1);
            let others = peers[turn + 1..].iter().take(2);
            for bits in others.clone() {
                picker.leave(&PeerPieces::Some(bits.as_view()));
            }
            for bits in others {
                picker.join(&PeerPieces::Some(bits.as_view()));
            }
            let before = picker.steps();
            assert_eq!(picker.propose(ConnId(0), &holds, &Selection::new(), &mut block), 1);
            looked += picker.steps().wrapping_sub(before);
            let all = (0..PIECES).map(PieceIndex).filter(|piece| bits.has(*piece));
            let least = all.map(|piece| picker.availability(piece)).min();
            assert_eq!(Some(picker.availability(block[0].piece)), least);
        }
        assert!(looked < 40 * 7, "40 picks with {weights:?} looked at {looked} entries");
        assert!(picker.is_sound());
    }
}

/// Few of the bits of a peer are sampled where its bits fill many lines of a cache. Its rarest piece is found whether
/// the sample has one or not. If it has none, the rest of the list is not looked at.
#[test]
fn a_peer_with_few_pieces_of_a_large_torrent_gets_the_rarest() {
    const PIECES: u32 = 300_000;
    const WORDS: u64 = PIECES.div_ceil(64) as u64;
    let geometry = Geometry::new(u64::from(PIECES), 1).unwrap();
    let mut picker = picker(geometry, rarest_slots(PIECES), 4, 5);
    let mut policy = Policy::new();
    policy.random_first = 0;
    picker.set_policy(policy);
    let mut rng = Rng::new(5);
    picker.join(&PeerPieces::All);
    for _ in 0..12 {
        picker.join(&PeerPieces::Some(bitfield(&mut rng, PIECES, 500).as_view()));
    }
    for turn in 0..60 {
        let is_sampled = turn % 2 == 0;
        let few = turn % 3 == 0;
        let mut bits = Bitfield::new(PIECES, vec![0; Bitfield::byte_len(PIECES)]).unwrap();
        for _ in 0..if few { 1 } else { 1000 } {
            let line = rng.below(u64::from(PIECES / 512));
            let place = if is_sampled { rng.below(512) } else { 8 + rng.below(504) };
            bits.set(PieceIndex(u32::try_from(512 * line + place).unwrap()));
        }
        let holds = PeerPieces::Some(bits.as_view());
        let before = picker.steps();
        let mut block = [Block::default()];
        assert_eq!(picker.propose(ConnId(0), &holds, &Selection::new(), &mut block), 1);
        let steps = picker.steps().wrapping_sub(before);
        let peers = |piece: PieceIndex| picker.availability(piece);
        let held = (0..PIECES).map(PieceIndex).filter(|piece| bits.has(*piece));
        assert_eq!(Some(peers(block[0].piece)), held.map(peers).min(), "turn {turn}");
        assert!(bits.has(block[0].piece));
        if few && !is_sampled {
            assert!(steps < WORDS / 5, "looked at {steps} for one piece");
        }
    }
}
