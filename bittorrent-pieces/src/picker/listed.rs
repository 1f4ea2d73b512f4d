//! A choice among the rarest candidates, by their list.

use super::pieces::{PieceSlot, is_wanted, lane};
use super::rarest::{RarestSlot, unlist};
use super::{PeerPieces, State};
use crate::bitfield::Bitfield;
use crate::block::PieceIndex;
use crate::index::slot;

/// From this many words on the bits of a peer do not stay in the nearest cache: 32 KiB of them.
const FAR_WORDS: usize = 4_096;
/// The entries of the list that are looked at before a sample of the bits of a peer that are further away.
const BEFORE_SAMPLE: usize = 64;

/// A search for an entry that is in its place.
struct Search {
    at: usize,
    /// No entry from here on is looked at.
    most: usize,
    /// Entries that were marked.
    dropped: usize,
    /// Entries that were moved to places behind.
    risen: usize,
}

impl Search {
    /// Passes an entry that does not count any more.
    fn pass_dropped(&mut self) {
        self.at = self.at.saturating_add(1);
        self.most = self.most.saturating_add(1);
        self.dropped = self.dropped.saturating_add(1);
    }
}

impl State {
    /// Returns the rarest candidate of the peer that was found in the list, or a key below which the peer has no candidate.
    /// It looks at no more entries than there are words, which cost as much. In a large torrent it looks at few if the peer
    /// has no piece of a sample.
    pub(super) fn listed(
        &mut self,
        pieces: &mut [PieceSlot],
        list: &mut [RarestSlot],
        theirs: &PeerPieces<'_>,
    ) -> Result<PieceIndex, u32> {
        let words = self.words();
        let most = if words >= FAR_WORDS { BEFORE_SAMPLE } else { words.saturating_add(1) };
        let entries = self.rarest_list.entries(list);
        let first = entries.get(..most).unwrap_or(entries);
        let at = first_held(first, theirs);
        let entry = first.get(at).copied();
        if let Some(entry) = entry.filter(|entry| entry.key() <= self.rarest_list.ceiling)
            && let Ok(piece) = self.in_place(pieces, entry)
        {
            self.walked(at);
            self.rarest_list.note_pick(entry.key());
            return Ok(piece);
        }
        self.listed_behind(pieces, list, theirs, at, most)
    }

    /// As [`listed`](Self::listed), from an entry on. It moves those that it meets to their places.
    #[inline(never)] // most picks find the first entry that the peer has in its place
    fn listed_behind(
        &mut self,
        pieces: &mut [PieceSlot],
        list: &mut [RarestSlot],
        theirs: &PeerPieces<'_>,
        at: usize,
        most: usize,
    ) -> Result<PieceIndex, u32> {
        let mut search = Search { at, most, dropped: 0, risen: 0 };
        let found = loop {
            if let Some(found) = self.look(pieces, list, theirs, &mut search) {
                break found;
            }
        };
        self.walked(search.at.saturating_add(search.risen));
        if search.dropped > 0 {
            self.rarest_list.drop_marked(list, search.at);
        }
        found
    }

    /// Looks at the next entry whose piece the peer has; returns `None` if the search goes on.
    fn look(
        &mut self,
        pieces: &mut [PieceSlot],
        list: &mut [RarestSlot],
        theirs: &PeerPieces<'_>,
        search: &mut Search,
    ) -> Option<Result<PieceIndex, u32>> {
        let ceiling = self.rarest_list.ceiling;
        let entries = self.rarest_list.entries(list);
        let first = entries.get(..search.most).unwrap_or(entries);
        let rest = first.get(search.at..).unwrap_or_default();
        search.at = search.at.saturating_add(first_held(rest, theirs));
        let Some(entry) = first.get(search.at).copied() else {
            let all = self.words().saturating_add(1).saturating_add(search.dropped);
            if search.most < all && search.most < entries.len() && self.has_any_of_sample(theirs) {
                search.most = all;
                return None;
            }
            let next = entries.get(search.most).map_or(ceiling, |next| next.key());
            return Some(Err(next.min(ceiling)));
        };
        if entry.key() > ceiling {
            return Some(Err(ceiling));
        }
        match self.in_place(pieces, entry) {
            Ok(piece) => {
                self.rarest_list.note_pick(entry.key());
                return Some(Ok(piece));
            }
            Err(key) if key < ceiling && is_wanted(pieces, entry.piece) => {
                self.rarest_list.rise(list, search.at, key);
                search.risen = search.risen.saturating_add(1);
            }
            Err(_) => {
                unlist(pieces, Some(entry.piece));
                self.rarest_list.mark(list, search.at);
                search.pass_dropped();
            }
        }
        None
    }

    /// Returns the piece of an entry that is in its place, or else its key.
    fn in_place(&self, pieces: &[PieceSlot], entry: RarestSlot) -> Result<PieceIndex, u32> {
        let word = pieces.get(slot(entry.piece.0 / 64)).ok_or(u32::MAX)?;
        let lane = lane(entry.piece);
        let key = self.key(word, lane);
        if word.wanted & lane != 0 && key <= entry.key() { Ok(entry.piece) } else { Err(key) }
    }

    /// Returns whether the peer has any piece of a sample. A peer without one seldom has a piece of the list.
    #[inline(never)] // few picks need it
    fn has_any_of_sample(&mut self, theirs: &PeerPieces<'_>) -> bool {
        let PeerPieces::Some(bits) = theirs else { return true };
        self.walked(self.words() / 8);
        bits.any_in_sample()
    }
}

/// Returns the place of the first entry whose piece the peer has, or the number of entries.
fn first_held(entries: &[RarestSlot], theirs: &PeerPieces<'_>) -> usize {
    let PeerPieces::Some(bits) = theirs else { return 0 };
    let mut rest = entries;
    while let Some((group, behind)) = rest.split_first_chunk() {
        let Some(held) = held_of(group, *bits) else { break };
        if held != 0 {
            let before = entries.len().saturating_sub(rest.len());
            return before.saturating_add(slot(held.trailing_zeros()));
        }
        rest = behind;
    }
    let before = entries.len().saturating_sub(rest.len());
    let found = rest.iter().position(|entry| bits.has(entry.piece));
    before.saturating_add(found.unwrap_or(rest.len()))
}

/// Returns a bit for each of several entries: whether a peer has its piece. All are asked for at once: of what the peer has,
/// which is in no cache, several lines are fetched at the same time.
fn held_of([a, b, c, d]: &[RarestSlot; 4], bits: Bitfield<&[u8]>) -> Option<u32> {
    let first = bits.bit(a.piece)? | bits.bit(b.piece)? << 1;
    let last = bits.bit(c.piece)? << 2 | bits.bit(d.piece)? << 3;
    Some(first | last)
}
