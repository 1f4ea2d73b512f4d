//! Bodies of the picker and the choker: random events against a model.

use core::time::Duration;
use std::collections::BTreeMap;

use bittorrent_pieces::choker::Candidate;
use bittorrent_pieces::picker::{
    BlockSlot, Order, PartialSlot, PeerPieces, PickerSlots, PieceSlot, PieceState, Playback,
    RarestSlot, ReceivedBlock, Selection, Weights, block_slots, piece_slots,
};
use bittorrent_pieces::{
    Bitfield, Block, Choker, ConnId, Geometry, Picker, PieceIndex, Policy, Priority,
};
use sim::laws::Input;

type Boxed =
    Picker<PickerSlots<'static, Vec<PieceSlot>, Vec<RarestSlot>, Vec<PartialSlot>, Vec<BlockSlot>>>;

const PEERS: usize = 4;

/// The peers as the test knows them.
#[derive(Default)]
struct Model {
    joined: [Option<Vec<u8>>; PEERS],
    asked: BTreeMap<Block, Vec<ConnId>>,
    have: Vec<PieceIndex>,
    checking: Vec<PieceIndex>,
    skipped: Vec<PieceIndex>,
}

/// Random events leave counts that equal a recount; nobody is asked for what it lacks, what is
/// there, or twice; nothing is asked of more than two.
pub fn picker(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let piece_len = [1, 16_384, 16_385, 40_000][input.below(4)];
    // More pieces of one byte than the list of the rarest holds.
    let most = u64::from(piece_len) * if piece_len == 1 { 300 } else { 20 };
    let geometry = Geometry::new(u64::from(input.u32() % 400_000) % most, piece_len)
        .expect("pieces have a length");
    let partials = input.below(5);
    let mut picker = Picker::new(
        input.u64(),
        Bitfield::new(geometry.pieces(), &vec![0; Bitfield::byte_len(geometry.pieces())][..])
            .expect("zeros"),
        PickerSlots {
            geometry,
            pieces: vec![PieceSlot::EMPTY; piece_slots(geometry.pieces())],
            rarest: vec![RarestSlot::EMPTY; [0, 1, 4, 64][input.below(4)]],
            partials: vec![PartialSlot::EMPTY; partials],
            blocks: vec![BlockSlot::EMPTY; block_slots(geometry, partials)],
        },
    )
    .expect("the memory fits");
    let mut model = Model::default();
    while !input.is_empty() {
        step(&mut picker, &mut model, geometry, &mut input);
        #[cfg(debug_assertions)] // compiled out of releases
        assert!(picker.is_sound());
        for piece in (0..geometry.pieces()).map(PieceIndex) {
            let holders = model.joined.iter().flatten().filter(|bits| has(bits, piece)).count();
            assert_eq!(picker.availability(piece) as usize, holders, "availability of {piece}");
            let had = picker.state(piece) == Some(PieceState::Have);
            assert_eq!(had, model.have.contains(&piece));
        }
        for (block, asked) in &model.asked {
            let mut requesters: Vec<_> = picker.requesters(*block).into_iter().flatten().collect();
            let mut asked = asked.clone();
            requesters.sort();
            asked.sort();
            assert_eq!(requesters, asked, "requesters of {block}");
        }
    }
}

fn has(bits: &[u8], piece: PieceIndex) -> bool {
    bits[piece.0 as usize / 8] & (0x80 >> (piece.0 % 8)) != 0
}

fn holds<'b>(bits: &'b [u8], geometry: Geometry<'_>) -> PeerPieces<'b> {
    let field = Bitfield::new(geometry.pieces(), bits).expect("spare bits are clear");
    if field.is_full() { PeerPieces::All } else { PeerPieces::Some(field) }
}

fn step(picker: &mut Boxed, model: &mut Model, geometry: Geometry<'static>, input: &mut Input<'_>) {
    let choice = input.below(18);
    let peer = input.below(PEERS);
    let conn = ConnId(peer as u32);
    match choice {
        0 => {
            if let Some(bits) = model.joined[peer].take() {
                picker.leave(&holds(&bits, geometry));
                picker.abandon(conn);
                forget(model, conn);
                return;
            }
            let zeros = vec![0; Bitfield::byte_len(geometry.pieces())];
            let mut field = Bitfield::new(geometry.pieces(), zeros).expect("zeros");
            let density = input.byte();
            for piece in (0..geometry.pieces()).map(PieceIndex) {
                if density == 255 || input.byte() < density {
                    field.set(piece);
                }
            }
            let bits = field.into_storage();
            picker.join(&holds(&bits, geometry));
            model.joined[peer] = Some(bits);
        }
        1..5 => ask(picker, model, geometry, input, (peer, choice == 4)),
        5 | 6 => {
            let nth = input.below(16);
            let asked = model.asked.iter().filter(|(_, asked)| asked.contains(&conn)).nth(nth);
            let Some((&block, _)) = asked.or_else(|| model.asked.iter().next()) else { return };
            let expected = model.asked[&block].contains(&conn);
            let received = picker.receive(conn, block, input.u32() % 3);
            assert_eq!(received != ReceivedBlock::Unwanted, expected);
            if expected {
                let other = model.asked.remove(&block).expect("it was asked for");
                let other = other.into_iter().find(|other| *other != conn);
                assert!(matches!(received, ReceivedBlock::Accepted { also, .. } if also == other));
            }
        }
        7 => {
            let Some(&block) = model.asked.keys().nth(input.below(8)) else { return };
            let stood = model.asked[&block].contains(&conn);
            assert_eq!(picker.release(conn, block), stood);
            drop_request(model, conn, block);
        }
        8 => {
            if input.byte().is_multiple_of(4) {
                picker.forget(conn);
            } else {
                picker.abandon(conn);
            }
            forget(model, conn);
        }
        9..16 => change(picker, model, geometry, input, (peer, choice)),
        _ => {
            while let Some(piece) = picker.next_full() {
                model.checking.push(piece);
            }
            let Some(piece) = model.checking.pop() else { return };
            if input.byte().is_multiple_of(3) {
                assert!(picker.failed(piece).is_some());
                assert!(picker.failed(piece).is_none());
            } else {
                assert!(picker.passed(piece, |_| {}));
                assert!(!picker.passed(piece, |_| {}));
                model.have.push(piece);
            }
        }
    }
}

/// Asks a peer for some blocks.
fn ask(
    picker: &mut Boxed,
    model: &mut Model,
    geometry: Geometry<'static>,
    input: &mut Input<'_>,
    (peer, endgame): (usize, bool),
) {
    let Some(bits) = &model.joined[peer] else { return };
    let conn = ConnId(peer as u32);
    let holds = holds(bits, geometry);
    let named = [PieceIndex(input.u32() % 300), PieceIndex(u32::from(input.byte()) % 20)];
    let want = want(input, &named);
    let mut batch = [Block::default(); 3];
    let picked = if endgame {
        let urgent = picker.pick_urgent(conn, &holds, &want);
        let block = urgent.or_else(|| picker.pick_endgame(conn, &holds, &want));
        block.into_iter().zip(&mut batch).map(|(block, place)| *place = block).count()
    } else {
        let proposed = picker.propose(conn, &holds, &want, &mut batch);
        let unique: std::collections::BTreeSet<_> = batch[..proposed].iter().collect();
        assert_eq!(unique.len(), proposed, "a block is proposed twice");
        let plain = want.only.is_none() && want.suggested.is_empty() && want.whole < 2;
        if let Some(first) = batch[..proposed].first().filter(|_| plain && !want.reverse) {
            assert_rarest(picker, geometry, &holds, first.piece);
        }
        picker.pick(conn, &holds, &want, &mut batch)
    };
    for block in &batch[..picked] {
        assert!(geometry.contains(*block) && geometry.number(*block).is_some());
        assert!(has(bits, block.piece) && !model.have.contains(&block.piece));
        assert!(!model.skipped.contains(&block.piece), "{block} is not wanted");
        let asked = model.asked.entry(*block).or_default();
        assert!(!asked.contains(&conn), "{conn} is asked twice for {block}");
        asked.push(conn);
        assert!(asked.len() <= if endgame { 2 } else { 1 });
    }
}

/// Changes what is wanted, had, or known of a peer.
fn change(
    picker: &mut Boxed,
    model: &mut Model,
    geometry: Geometry<'static>,
    input: &mut Input<'_>,
    (peer, choice): (usize, usize),
) {
    match choice {
        9 => {
            let piece = PieceIndex(u32::from(input.u16()) % geometry.pieces().max(1));
            let Some(bits) = &mut model.joined[peer] else { return };
            let full = matches!(holds(bits, geometry), PeerPieces::All);
            let byte = bits.get_mut(piece.0 as usize / 8);
            let Some(byte) = byte.filter(|_| !full && piece.0 < geometry.pieces()) else { return };
            let bit = 0x80 >> (piece.0 % 8);
            if *byte & bit != 0 {
                picker.dont_have(piece);
                *byte &= !bit;
            } else {
                *byte |= bit;
                if matches!(holds(bits, geometry), PeerPieces::All) {
                    bits[piece.0 as usize / 8] &= !bit; // it would count as a seed from now on
                } else {
                    picker.have(piece);
                }
            }
        }
        10 | 11 => {
            let piece = PieceIndex(u32::from(input.u16()) % (geometry.pieces() + 1));
            let priority = Priority::new(input.byte() % 8).expect("below 8");
            picker.set_priority(piece, priority);
            model.skipped.retain(|known| *known != piece);
            if priority == Priority::SKIP {
                model.skipped.push(piece);
            }
        }
        12 => {
            let mut policy = Policy::new();
            policy.order = [Order::RarestFirst, Order::Sequential][input.below(2)];
            policy.weights = [Weights::Strict, Weights::Product][input.below(2)];
            policy.random_first = u32::from(input.byte() % 3);
            policy.extents = input.byte().is_multiple_of(2);
            policy.playback = input.byte().is_multiple_of(2).then(|| Playback {
                first: PieceIndex(u32::from(input.byte())),
                due: Duration::from_secs(5),
                pace: Duration::from_millis(u64::from(input.byte())),
                window: u32::from(input.byte()),
                urgent: Duration::from_secs(2),
            });
            picker.set_policy(policy);
        }
        13 => {
            let piece = PieceIndex(u32::from(input.u16()) % geometry.pieces().max(1));
            assert_eq!(picker.lose(piece), model.have.contains(&piece));
            model.have.retain(|known| *known != piece);
        }
        14 => {
            let piece = PieceIndex(u32::from(input.u16()) % geometry.pieces().max(1));
            let Some(block) = geometry.block(piece, u32::from(input.byte()) % 3) else { return };
            if picker.restore_block(block) {
                assert!(!model.asked.contains_key(&block) && !model.have.contains(&piece));
            }
        }
        _ => {
            let Some(bits) = &model.joined[peer] else { return };
            let offered = PieceIndex(u32::from(input.byte()));
            let piece = picker.offer(&holds(bits, geometry), &[offered]);
            let may = |piece: &PieceIndex| !has(bits, *piece);
            match piece {
                Some(piece) => assert!(model.have.contains(&piece) && may(&piece)),
                None => assert!(!model.have.iter().any(may)),
            }
        }
    }
}

/// Looks through all pieces for one that would have been the better choice than a new one.
fn assert_rarest(
    picker: &Boxed,
    geometry: Geometry<'_>,
    holds: &PeerPieces<'_>,
    chosen: PieceIndex,
) {
    let policy = *picker.policy();
    let random = picker.have_count() < policy.random_first || policy.extents;
    if random || policy.playback.is_some() || policy.order != Order::RarestFirst {
        return;
    }
    let key = |piece: PieceIndex| {
        let priority = picker.priority(piece).level();
        let peers = picker.availability(piece);
        match policy.weights {
            Weights::Strict => (7 - u32::from(priority), peers),
            _ => (0, (peers + 1) * (8 - u32::from(priority))),
        }
    };
    let missing = |piece: &PieceIndex| {
        picker.state(*piece) == Some(PieceState::Missing)
            && picker.priority(*piece) != Priority::SKIP
            && holds.has(*piece)
    };
    let all = (0..geometry.pieces()).map(PieceIndex).filter(missing);
    if missing(&chosen) {
        assert_eq!(all.map(key).min(), Some(key(chosen)), "{chosen} is not the rarest");
    }
}

/// Spells what might be known of a peer.
fn want<'w>(input: &mut Input<'_>, named: &'w [PieceIndex]) -> Selection<'w> {
    let bits = input.byte();
    let mut want = Selection::new();
    want.now = Duration::from_millis(u64::from(input.u16()));
    want.reverse = bits & 1 == 1;
    want.whole = u32::from(bits >> 1 & 3);
    want.exclusive = bits >> 3 & 7 == 1;
    want.suggested = if bits >> 6 == 1 { named } else { &[] };
    want.only = (bits >> 6 == 2).then_some(named);
    want.padding = if bits >> 6 == 3 { &|piece| piece.0 % 5 * 8000 } else { &|_| 0 };
    want
}

fn forget(model: &mut Model, conn: ConnId) {
    for block in model.asked.keys().copied().collect::<Vec<_>>() {
        drop_request(model, conn, block);
    }
}

fn drop_request(model: &mut Model, conn: ConnId, block: Block) {
    let asked = model.asked.get_mut(&block).expect("it is known");
    asked.retain(|other| *other != conn);
    if asked.is_empty() {
        model.asked.remove(&block);
    }
}

/// Whatever peers do, the interested ones that are unchoked are at most as many as slots; after a
/// round no slot is empty while somebody waits.
pub fn choker(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let slots = input.byte() % 6;
    let mut choker = Choker::new(slots, input.u64());
    let mut peers: [Option<Candidate>; 9] = Default::default();
    while !input.is_empty() {
        let at = input.below(peers.len());
        match input.below(6) {
            0 => peers[at] = None,
            1 => peers[at] = Some(Candidate::new(ConnId(at as u32))),
            2 => {
                for peer in peers.iter_mut().flatten() {
                    peer.rate = u32::from(input.byte());
                    peer.snubbed = input.byte().is_multiple_of(4);
                    peer.newcomer = input.byte().is_multiple_of(2);
                }
            }
            3 => {
                if let Some(peer) = &mut peers[at] {
                    peer.interested = !peer.interested;
                }
            }
            4 => choker.rebalance(&mut peers, Option::as_mut),
            _ => {
                choker.round(&mut peers, Option::as_mut);
                let waiting = |peer: &&Candidate| peer.interested && !peer.unchoked;
                let served = |peer: &&Candidate| peer.interested && peer.unchoked;
                let served = peers.iter().flatten().filter(served).count();
                assert!(served <= usize::from(slots));
                let waits = peers.iter().flatten().any(|peer| waiting(&peer));
                assert!(!waits || served == usize::from(slots), "a slot is empty");
                continue;
            }
        }
        choker.rebalance(&mut peers, Option::as_mut);
        let served = peers.iter().flatten().filter(|peer| peer.interested && peer.unchoked);
        assert!(served.count() <= usize::from(slots));
    }
}
