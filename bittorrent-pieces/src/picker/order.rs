//! Which missing piece comes next.

use super::pieces::{PieceSlot, first_piece, lane, lanes, last_piece};
use super::policy::PRIORITIES;
use super::rarest::{FEW_WORDS, RarestSlot};
use super::{NORMAL, Order, PeerPieces, Selection, State, Weights};
use crate::block::PieceIndex;
use crate::compact_time::Maybe;
use crate::index::{count, slot};

/// The bytes of an extent: see [`Policy::extents`](super::Policy::extents).
pub(crate) const EXTENT: u32 = 4 << 20;
/// The words that a walk looks at if it found something in them: a million pieces. The rarest of
/// these, drawn at random, is rare enough, and more would make a pick long.
const ENOUGH: usize = 16_384;
/// The number of extents that are remembered.
pub(super) const EXTENTS: usize = 5;

/// A set of priorities, a bit for each.
pub(super) struct Classes(u8);

impl Iterator for Classes {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let highest = self.0.checked_ilog2()?;
        self.0 &= !1_u8.wrapping_shl(highest);
        Some(highest)
    }
}

impl State {
    /// Chooses the missing piece that a peer should be asked for next.
    pub(super) fn choose(
        &mut self,
        pieces: &mut [PieceSlot],
        list: &mut [RarestSlot],
        theirs: &PeerPieces<'_>,
        selection: &Selection<'_>,
    ) -> Option<PieceIndex> {
        if self.policy.extents && self.policy.playback.is_none() {
            let near = self.in_extents(pieces, theirs);
            if near.is_some() {
                return near;
            }
        }
        // What few torrents need is not inlined, so that a pick of the rarest keeps its numbers in registers.
        match self.policy.order {
            Order::Sequential => self.sequential(pieces, theirs, selection.reverse),
            Order::RarestFirst if self.had < self.policy.random_first => self.any(pieces, theirs),
            Order::RarestFirst if selection.reverse => self.commonest(pieces, theirs),
            Order::RarestFirst => self.rarest(pieces, list, theirs),
        }
    }

    /// A candidate that is rarest among those of the peer.
    fn rarest(
        &mut self,
        pieces: &mut [PieceSlot],
        list: &mut [RarestSlot],
        theirs: &PeerPieces<'_>,
    ) -> Option<PieceIndex> {
        self.refresh_rarest(pieces, list);
        match self.listed(pieces, list, theirs) {
            Ok(piece) => Some(piece),
            Err(floor) => self.walk(pieces, theirs, floor),
        }
    }

    /// Looks through all candidates of the peer, from a random word on, until one has the key `floor`, below which
    /// there can be none, or enough were seen.
    #[inline(never)] // what it keeps does not stand on the stack while the list is rebuilt
    fn walk(
        &mut self,
        pieces: &[PieceSlot],
        theirs: &PeerPieces<'_>,
        floor: u32,
    ) -> Option<PieceIndex> {
        let mut best = None;
        let mut best_key = u32::MAX;
        let mut ties = 0_u32;
        let mut limits = [Some(u32::MAX); PRIORITIES];
        let mut looked = 0_u32;
        let mut seen = 0_usize;
        let words = self.words();
        let start = slot(self.draw(count(words)));
        let mut next = start;
        let mut end = words;
        'words: while seen < ENOUGH || best.is_none() {
            if next >= end {
                if end == start {
                    break;
                }
                next = 0;
                end = start;
                continue;
            }
            let word = next;
            next = next.saturating_add(1);
            seen = seen.saturating_add(1);
            let bits = theirs.word(word);
            if bits == 0 && words > FEW_WORDS {
                next = theirs.next_word(next, end);
                continue;
            }
            let Some(entry) = pieces.get(word) else { break };
            let candidates = bits & entry.wanted;
            if candidates == 0 {
                continue;
            }
            looked = looked.saturating_add(1);
            for priority in self.classes() {
                let class = self.class(entry, candidates, priority);
                let limit = limits.get(slot(priority)).copied().flatten();
                let Some(limit) = limit.filter(|_| class != 0) else { continue };
                let (mut below, equal) = entry.compare(class, limit, self.height);
                if equal != 0 && self.key_of(priority, limit) < best_key {
                    below |= equal; // products that differ do not divide alike
                }
                if below != 0 {
                    let (least, lanes) = entry.least(below, self.height);
                    best_key = self.key_of(priority, least);
                    best = Some((word, lanes));
                    ties = lanes.count_ones();
                    if best_key <= floor {
                        break 'words;
                    }
                    limits = self.limits(best_key);
                } else if equal != 0 {
                    ties = ties.saturating_add(equal.count_ones());
                    if self.draw(ties) < equal.count_ones() {
                        best = Some((word, equal));
                    }
                }
            }
        }
        self.rarest_list.pay(looked);
        self.walked(seen);
        let (word, lanes) = best?;
        self.any_lane(word, lanes)
    }

    /// A candidate of the highest priority at random.
    #[inline(never)]
    fn any(&mut self, pieces: &[PieceSlot], theirs: &PeerPieces<'_>) -> Option<PieceIndex> {
        for priority in self.classes() {
            for word in self.all_words() {
                self.walked(1);
                let Some(entry) = pieces.get(word) else { break };
                let class = self.class(entry, theirs.word(word) & entry.wanted, priority);
                if class != 0 {
                    return self.any_lane(word, class);
                }
            }
        }
        None
    }

    /// A candidate that most peers have.
    #[inline(never)]
    fn commonest(&mut self, pieces: &[PieceSlot], theirs: &PeerPieces<'_>) -> Option<PieceIndex> {
        let mut best = None;
        for word in self.all_words() {
            let Some(entry) = pieces.get(word) else { break };
            let candidates = theirs.word(word) & entry.wanted;
            for priority in self.classes() {
                let class = self.class(entry, candidates, priority);
                if class != 0 {
                    let (most, lanes) = entry.most(class, self.height);
                    let rank = (priority, most);
                    if best.is_none_or(|(known, _, _)| rank > known) {
                        best = Some((rank, word, lanes));
                    }
                }
            }
        }
        self.walked(self.words());
        let (_, word, lanes) = best?;
        self.any_lane(word, lanes)
    }

    /// The first or last candidate of the highest priority.
    #[inline(never)]
    fn sequential(
        &mut self,
        pieces: &[PieceSlot],
        theirs: &PeerPieces<'_>,
        reverse: bool,
    ) -> Option<PieceIndex> {
        let wanted = |word: &usize| pieces.get(*word).is_some_and(|entry| entry.wanted != 0);
        let start = slot(self.cursors.0);
        let end = slot(self.cursors.1);
        let start = (start..end).find(wanted).unwrap_or(end);
        let end = (start..end).rfind(wanted).map_or(start, |last| last.saturating_add(1));
        self.cursors = (count(start), count(end));
        for priority in self.classes() {
            let candidates = |word: &usize| {
                let entry = pieces.get(*word)?;
                let lanes = self.class(entry, theirs.word(*word) & entry.wanted, priority);
                (lanes != 0).then_some((*word, lanes))
            };
            let found = if reverse {
                (start..end).rev().find_map(|word| candidates(&word))
            } else {
                (start..end).find_map(|word| candidates(&word))
            };
            if let Some((word, lanes)) = found {
                return Some(if reverse {
                    last_piece(word, lanes)
                } else {
                    first_piece(word, lanes)
                });
            }
            self.walked(end.saturating_sub(start));
        }
        None
    }

    /// A candidate in an extent that was opened of late.
    #[inline(never)]
    fn in_extents(&mut self, pieces: &[PieceSlot], theirs: &PeerPieces<'_>) -> Option<PieceIndex> {
        let len = self.extent_len()?;
        for extent in self.extents.into_iter().filter_map(Maybe::get) {
            let from = extent.saturating_mul(len);
            let found = self.first_in(pieces, theirs, from, from.saturating_add(len));
            let higher = |piece: PieceIndex| {
                let class = pieces.get(slot(piece.0 / 64)).map(|word| word.priority(lane(piece)));
                class == self.classes().next()
            };
            if let Some(piece) = found.filter(|piece| higher(*piece)) {
                return Some(piece);
            }
        }
        None
    }

    /// The first candidate of the peer among the pieces `from..to`.
    fn first_in(
        &mut self,
        pieces: &[PieceSlot],
        theirs: &PeerPieces<'_>,
        from: u32,
        to: u32,
    ) -> Option<PieceIndex> {
        let to = to.min(self.shape.pieces());
        let first = slot(from / 64);
        let last = slot(to.div_ceil(64));
        self.walked(last.saturating_sub(first));
        for word in first..last {
            let lanes = pieces.get(word)?.wanted & theirs.word(word);
            let inside = u64::MAX.wrapping_shr(from);
            let lanes = if word == first { lanes & inside } else { lanes };
            if lanes != 0 {
                return Some(first_piece(word, lanes)).filter(|piece| piece.0 < to);
            }
        }
        None
    }

    /// How many pieces an extent has; `None` if pieces are as long as extents.
    fn extent_len(&self) -> Option<u32> {
        EXTENT.checked_div(self.shape.full_piece_len()).filter(|len| *len > 1)
    }

    /// Remembers the extent in which a piece was opened.
    pub(super) fn open_extent(&mut self, piece: PieceIndex) {
        let Some(extent) = self.extent_len().and_then(|len| piece.0.checked_div(len)) else {
            return;
        };
        let extent = Maybe::some(extent);
        if !self.extents.contains(&extent) {
            self.extents.rotate_right(1);
            self.extents.iter_mut().take(1).for_each(|newest| *newest = extent);
        }
    }

    /// All words, from a random one on.
    pub(super) fn all_words(&mut self) -> impl Iterator<Item = usize> + use<> {
        let words = self.words();
        let start = slot(self.draw(count(words)));
        (start..words).chain(0..start)
    }

    pub(super) fn any_lane(&mut self, word: usize, found: u64) -> Option<PieceIndex> {
        let nth = self.draw(found.count_ones());
        lanes(found).nth(slot(nth)).map(|lane| first_piece(word, lane))
    }

    /// The priorities that candidates have, the highest first.
    pub(super) fn classes(&self) -> Classes {
        Classes(self.present)
    }

    /// Those candidates that have a priority; all of them if there is but one.
    pub(super) fn class(&self, entry: &PieceSlot, lanes: u64, priority: u32) -> u64 {
        if self.present.is_power_of_two() { lanes } else { lanes & entry.class(priority) }
    }

    /// The lower, the sooner.
    #[inline]
    pub(super) fn key(&self, entry: &PieceSlot, lane: u64) -> u32 {
        let priority = if self.weighted { entry.priority(lane) } else { NORMAL };
        self.key_of(priority, entry.count(lane, self.height))
    }

    pub(super) fn key_of(&self, priority: u32, peers: u32) -> u32 {
        match self.policy.weights {
            Weights::Strict => 7_u32.saturating_sub(priority) << 16 | peers.min(0xFFFF),
            Weights::Product => {
                let peers = peers.saturating_add(self.seeds).saturating_add(1);
                peers.saturating_mul(8_u32.saturating_sub(priority))
            }
        }
    }

    /// The highest number of peers at which a piece of a priority has no higher key than `key`.
    fn limit(&self, priority: u32, key: u32) -> Option<u32> {
        let weight = 8_u32.saturating_sub(priority);
        match self.policy.weights {
            Weights::Strict => match (weight.saturating_sub(1)).cmp(&(key >> 16)) {
                core::cmp::Ordering::Less => Some(u32::MAX),
                core::cmp::Ordering::Equal => Some(key & 0xFFFF),
                core::cmp::Ordering::Greater => None,
            },
            Weights::Product => key.checked_div(weight)?.checked_sub(self.seeds.saturating_add(1)),
        }
    }

    /// Those of all priorities that candidates have.
    pub(super) fn limits(&self, key: u32) -> [Option<u32>; PRIORITIES] {
        let mut limits = [None; PRIORITIES];
        for priority in self.classes() {
            if let Some(limit) = limits.get_mut(slot(priority)) {
                *limit = self.limit(priority, key);
            }
        }
        limits
    }

    /// A key that one peer less may have turned `key` into.
    pub(super) fn key_below(&self, key: u32) -> u32 {
        match self.policy.weights {
            Weights::Strict => key.saturating_sub(1),
            Weights::Product => key.saturating_sub(8),
        }
    }

    /// How much one peer more or less changes any key; `None` if that depends on the piece.
    pub(super) fn step(&self) -> Option<u32> {
        match self.policy.weights {
            Weights::Strict => Some(1),
            Weights::Product if self.weighted => None,
            Weights::Product => Some(8_u32.saturating_sub(NORMAL)),
        }
    }

    /// A key that is at least what one peer more makes of `key`.
    pub(super) fn key_above(&self, key: u32) -> u32 {
        match self.policy.weights {
            Weights::Strict => key.saturating_add(1),
            Weights::Product => key.saturating_add(8),
        }
    }
}
