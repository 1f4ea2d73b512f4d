//! A picker in a few words, for tables of named cases.

#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

use bittorrent_pieces::picker::{
    BlockSlot, PartialSlot, PeerPieces, PickerSlots, PieceSlot, PieceState, RarestSlot,
    ReceivedBlock, Selection, block_slots, piece_slots,
};
use bittorrent_pieces::{Bitfield, Block, ConnId, Geometry, Picker, PieceIndex, Policy, Priority};

pub type Boxed =
    Picker<PickerSlots<'static, Vec<PieceSlot>, Vec<RarestSlot>, Vec<PartialSlot>, Vec<BlockSlot>>>;

/// Four blocks of 16 KiB.
pub const PIECE: u32 = 1 << 16;
pub const A: ConnId = ConnId(1);
pub const B: ConnId = ConnId(2);
pub const C: ConnId = ConnId(3);

/// A picker and how its content is cut.
pub struct Case {
    pub picker: Boxed,
    pub geometry: Geometry<'static>,
}

pub fn bits(pieces: u32, set: impl IntoIterator<Item = u32>) -> Bitfield<Vec<u8>> {
    let mut field = Bitfield::new(pieces, vec![0; Bitfield::byte_len(pieces)]).unwrap();
    set.into_iter().for_each(|piece| assert!(field.set(PieceIndex(piece))));
    field
}

/// A fresh torrent of four blocks a piece, with the number of peers that have each piece.
pub fn peers(peers: &[u32]) -> Case {
    with(u64::from(PIECE) * peers.len() as u64, PIECE, peers, 1)
}

pub fn with(total: u64, piece_len: u32, peers: &[u32], seed: u64) -> Case {
    let geometry = Geometry::new(total, piece_len).unwrap();
    let pieces = geometry.pieces();
    assert_eq!(pieces as usize, peers.len());
    let mut picker = Picker::new(
        seed,
        bits(pieces, []).as_view(),
        PickerSlots {
            geometry,
            pieces: vec![PieceSlot::EMPTY; piece_slots(pieces)],
            rarest: vec![RarestSlot::EMPTY; 64],
            partials: vec![PartialSlot::EMPTY; peers.len()],
            blocks: vec![BlockSlot::EMPTY; block_slots(geometry, peers.len())],
        },
    )
    .unwrap();
    let mut policy = Policy::new();
    policy.random_first = 0;
    picker.set_policy(policy);
    for nth in 0..peers.iter().copied().max().unwrap_or(0) {
        let held = (0..).zip(peers).filter(|(_, peers)| **peers > nth).map(|(piece, _)| piece);
        picker.join(&PeerPieces::Some(bits(pieces, held).as_view()));
    }
    Case { picker, geometry }
}

impl Case {
    pub fn policy(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        let mut policy = *self.picker.policy();
        change(&mut policy);
        self.picker.set_policy(policy);
        self
    }

    /// Sets the priority of each piece.
    pub fn priorities(mut self, levels: &[u8]) -> Self {
        for (piece, level) in (0..).zip(levels) {
            self.priority(piece, *level);
        }
        self
    }

    pub fn priority(&mut self, piece: u32, level: u8) {
        self.picker.set_priority(PieceIndex(piece), Priority::new(level).unwrap());
    }

    pub fn block(&self, piece: u32, number: u32) -> Block {
        self.geometry.block(PieceIndex(piece), number).unwrap()
    }

    pub fn ask(&mut self, conn: ConnId, piece: u32, number: u32) -> bool {
        let block = self.block(piece, number);
        self.picker.ask(conn, block, &Selection::new())
    }

    pub fn receive(&mut self, conn: ConnId, piece: u32, number: u32) -> ReceivedBlock {
        let block = self.block(piece, number);
        self.picker.receive(conn, block, 0)
    }

    /// Asks for some blocks of a piece.
    pub fn open(&mut self, conn: ConnId, piece: u32, blocks: u32) {
        (0..blocks).for_each(|number| assert!(self.ask(conn, piece, number)));
    }

    /// Fetches a piece, and leaves it to be checked.
    pub fn fill(&mut self, conn: ConnId, piece: u32) {
        for number in 0..self.geometry.blocks(PieceIndex(piece)) {
            if self.ask(conn, piece, number) {
                assert_ne!(self.receive(conn, piece, number), ReceivedBlock::Unwanted);
            }
        }
        assert_eq!(self.picker.next_full(), Some(PieceIndex(piece)));
    }

    /// Fetches a piece and checks it.
    pub fn get(&mut self, piece: u32) {
        self.fill(A, piece);
        assert!(self.picker.passed(PieceIndex(piece), |_| {}));
    }

    /// Returns the pieces and numbers of what a peer with some pieces would be asked for.
    pub fn propose(&mut self, conn: ConnId, held: &[u32], want: &Selection<'_>) -> Vec<(u32, u32)> {
        let field = bits(self.geometry.pieces(), held.iter().copied());
        let mut blocks = [Block::default(); 64];
        let proposed =
            self.picker.propose(conn, &PeerPieces::Some(field.as_view()), want, &mut blocks);
        let number = |block: &Block| self.geometry.number(*block).unwrap();
        blocks[..proposed].iter().map(|block| (block.piece.0, number(block))).collect()
    }

    /// Returns the first piece that a peer with all pieces would be asked for.
    pub fn first(&mut self, want: &Selection<'_>) -> Option<u32> {
        let all: Vec<u32> = (0..self.geometry.pieces()).collect();
        self.propose(C, &all, want).first().map(|(piece, _)| *piece)
    }

    /// Returns the order in which all missing pieces are opened for one peer after another.
    pub fn order(&mut self, want: &Selection<'_>) -> Vec<u32> {
        let mut order = vec![];
        while let Some(piece) = self.first(want) {
            order.push(piece);
            let blocks = self.geometry.blocks(PieceIndex(piece));
            (0..blocks).for_each(|number| {
                self.ask(ConnId(90 + piece), piece, number);
            });
        }
        order
    }

    pub fn state(&self, piece: u32) -> Option<PieceState> {
        self.picker.state(PieceIndex(piece))
    }

    pub fn peers(&self, piece: u32) -> u32 {
        self.picker.availability(PieceIndex(piece))
    }
}

/// Checks that every name of a table is a test of the source, or has a reason why not.
pub fn assert_accounted(source: &str, cases: &[(&str, &str)], total: usize) {
    let mut names: Vec<_> = cases.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), total, "each name once");
    for (name, reason) in cases {
        let is_test = source.contains(&format!("#[test]\nfn {name}() {{"));
        assert_eq!(is_test, reason.is_empty(), "{name} is a test or has a reason");
    }
}
