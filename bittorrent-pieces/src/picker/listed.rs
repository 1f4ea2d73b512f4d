//! A choice among the rarest candidates, by their list.

use super::pieces::{PieceSlot, lane};
use super::rarest::RarestSlot;
use super::{PeerPieces, State};
use crate::block::PieceIndex;
use crate::index::slot;

/// The most words of a torrent in which the bits of a peer stay in the nearest cache: 32 KiB of them.
const NEAR_WORDS: usize = 4_096;
/// The entries of the list that are looked at before a sample of the bits of a peer that are further away.
const BEFORE_SAMPLE: usize = 64;

impl State {
    /// A candidate of the list that is rarest among those of the peer, or the lowest key of any other. It looks at no
    /// more entries than there are words, which cost as much, and in a large torrent at few for a peer that has none of a
    /// sample of pieces.
    pub(super) fn listed(
        &mut self,
        pieces: &mut [PieceSlot],
        list: &mut [RarestSlot],
        theirs: &PeerPieces<'_>,
    ) -> Result<PieceIndex, u32> {
        let ceiling = self.rarest_list.ceiling;
        let all = self.words().saturating_add(1);
        let mut most = if all > NEAR_WORDS { BEFORE_SAMPLE } else { all };
        let mut at = 0_usize;
        let mut moved = 0_usize;
        loop {
            let entries = self.rarest_list.entries(list);
            let first = entries.get(..most).unwrap_or(entries);
            let rest = first.get(at..).unwrap_or_default();
            at = at.saturating_add(first_held(rest, theirs));
            let Some(entry) = first.get(at).copied() else {
                if most < all && most < entries.len() && self.samples(theirs) {
                    most = all;
                    continue;
                }
                self.walked(first.len().saturating_add(moved));
                let next = entries.get(most).map_or(ceiling, |next| next.key());
                return Err(next.min(ceiling));
            };
            if entry.key() > ceiling {
                self.walked(at.saturating_add(moved));
                return Err(ceiling);
            }
            let word = pieces.get_mut(slot(entry.piece.0 / 64)).ok_or(ceiling)?;
            let lane = lane(entry.piece);
            let key = self.key(word, lane);
            if word.wanted & lane == 0 || key > entry.key() && key >= ceiling {
                word.listed &= !lane;
                self.rarest_list.remove(list, at);
            } else if key > entry.key() {
                self.rarest_list.rise(list, at, key);
            } else {
                self.walked(at.saturating_add(moved));
                self.rarest_list.note_pick(key);
                return Ok(entry.piece);
            }
            moved = moved.saturating_add(1);
        }
    }

    /// Returns whether the peer has any piece of a sample. If it has none, it hardly has one of the list.
    #[inline(never)] // few picks need it
    fn samples(&mut self, theirs: &PeerPieces<'_>) -> bool {
        let PeerPieces::Some(bits) = theirs else { return true };
        self.walked(self.words() / 8);
        bits.samples()
    }
}

/// Returns the place of the first entry whose piece the peer has, or the number of entries. It asks for several at once: of
/// what the peer has, which is in no cache, several lines are fetched at the same time.
fn first_held(entries: &[RarestSlot], theirs: &PeerPieces<'_>) -> usize {
    let PeerPieces::Some(bits) = theirs else { return 0 };
    let (groups, rest) = entries.as_chunks::<4>();
    for (nth, group) in groups.iter().enumerate() {
        let held = group.iter().rev().fold(0, |held, entry| held << 1 | bits.bit(entry.piece));
        if held != 0 {
            return nth.saturating_mul(4).saturating_add(slot(held.trailing_zeros()));
        }
    }
    let before = entries.len().saturating_sub(rest.len());
    let found = rest.iter().position(|entry| bits.has(entry.piece));
    before.saturating_add(found.unwrap_or(rest.len()))
}
