//! Searches and lists: walks over the entries of one word, or the files of one user, in slices.

use super::entries::{self, NONE, slot};
use super::files::row;
use super::key::{WordKeys, separates};
use super::slots::{Bytes, FileId, Listing, Reply, Row, Search, Words};
use super::state::Core;
use crate::opennap::search::{self, Bound, MAX_RESULTS};
use crate::opennap::values::{Found, LinkType};
use crate::text::Text;

/// What one step of a walk costs; comparing two bytes costs 1.
const STEP: u32 = 64;

/// Where a slice of a walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slice {
    /// At a file that is a row of the answer, and where to go on after it.
    Row(FileId, u32),
    /// At an entry, since its share of time is used up.
    Paused(u32),
    /// There are no more rows.
    End,
}

impl Core<'_> {
    /// Begins a search: the word that the fewest files have leads it.
    #[cfg_attr(target_os = "none", inline(never))] // not on the stack of the other messages
    pub(super) fn search(&mut self, at: u32, search: &search::Search<'_>) -> Option<Reply> {
        let mut words = Words::new(search.artist.unwrap_or_default());
        if let (Some(words), Some(title)) = (&mut words, search.title) {
            let space = Text::new(b" ").unwrap_or_default();
            if words.append(space).and_then(|()| words.append(title)).is_none() {
                return Some(Reply::Notice("the search is too long"));
            }
        }
        let Some(words) = words else { return Some(Reply::Notice("the search is too long")) };
        let keys = WordKeys::of(self.state.config.seed, words.text());
        let rarest = keys.as_slice().iter().min_by_key(|key| entries::count(self.entries, **key));
        let Some(key) = rarest.copied() else { return Some(Reply::Notice("search for words")) };
        let left = search.max_results.unwrap_or(MAX_RESULTS).min(MAX_RESULTS);
        let bounds = [search.speed, search.bitrate, search.frequency];
        let first = entries::first(self.entries, key);
        self.table().pin(first);
        let listing = Listing::Search(Search { words, bounds, left, key, at: first });
        self.begin(at, &listing);
        None
    }

    /// Begins a list of the files of a user.
    #[cfg_attr(target_os = "none", inline(never))] // not on the stack of the other messages
    pub(super) fn browse(&mut self, at: u32, nick: Text<'_>) -> Option<Reply> {
        let Some(kept) = Bytes::new(nick) else { return Some(Reply::Notice("no such user")) };
        let Some(owner) = self.named(nick) else { return Some(Reply::BrowseEnd(kept)) };
        let first = self.user(owner)?.first_file;
        let next = slot(self.files, first).and_then(|slot| Some(slot.row.as_ref()?.id(first)));
        let next = next.unwrap_or(FileId { file: NONE, stamp: 0 });
        self.begin(at, &Listing::Browse { owner, nick: kept, at: next });
        None
    }

    /// Handles 205: the words wait at their sender until they are sent on.
    #[cfg_attr(target_os = "none", inline(never))] // not on the stack of the other messages
    pub(super) fn send_private(
        &mut self,
        at: u32,
        nick: Text<'_>,
        text: Text<'_>,
    ) -> Option<Reply> {
        if self.named(nick).is_none() {
            return Some(Reply::Notice("no such user"));
        }
        let Some((to, text)) = Bytes::new(nick).zip(Words::new(text)) else {
            return Some(Reply::Notice("the message is too long"));
        };
        self.begin(at, &Listing::Private { to, text });
        None
    }

    fn begin(&mut self, at: u32, listing: &Listing) {
        if let Some(user) = self.user(at) {
            user.listing = Some(*listing);
        }
        self.enqueue(at, listing);
    }

    /// Adds a user to the queue of what its listing is.
    fn enqueue(&mut self, at: u32, listing: &Listing) {
        match listing {
            Listing::Search(_) => self.state.searches.push(self.users, at),
            Listing::Browse { .. } | Listing::Private { .. } => {
                self.state.lists.push(self.users, at);
            }
        }
    }

    /// Ends a walk, or moves it on.
    #[expect(clippy::large_types_passed_by_value, reason = "it is stored")]
    pub(super) fn set_listing(&mut self, at: u32, listing: Option<Listing>) {
        let old = self.user(at).and_then(|user| core::mem::replace(&mut user.listing, listing));
        if let Some(Listing::Search(new)) = listing {
            self.table().pin(new.at);
        }
        if let Some(Listing::Search(old)) = old {
            self.table().unpin(old.at);
        }
        match old {
            Some(Listing::Search(_)) => self.state.searches.remove(self.users, at),
            Some(Listing::Browse { .. } | Listing::Private { .. }) => {
                self.state.lists.remove(self.users, at);
            }
            None => {}
        }
        if let Some(listing) = &listing {
            self.enqueue(at, listing);
        }
    }

    /// Walks until a file matches, or `budget` is used up, which it reduces.
    pub(super) fn walk(&self, asker: u32, search: &Search, budget: &mut u32) -> Slice {
        let mut at = search.at;
        while at != NONE && search.left > 0 {
            if *budget == 0 {
                return Slice::Paused(at);
            }
            *budget = budget.saturating_sub(STEP);
            let next = entries::step(self.entries, at);
            if let Some(file) = entries::value(self.entries, search.key, at)
                && let Some(id) = self.matches(asker, file, search, budget)
            {
                return Slice::Row(id, next);
            }
            at = next;
        }
        Slice::End
    }

    /// Returns a file if it has all words and keeps the bounds. Own files are left out, and those that cannot be
    /// transferred because both ends are behind firewalls, as in `OpenNap` 0.36.
    fn matches(&self, asker: u32, file: u32, search: &Search, budget: &mut u32) -> Option<FileId> {
        let row = slot(self.files, file)?.row.as_ref().filter(|row| row.owner != asker)?;
        let sharer = self.online_at(row.owner)?;
        let reachable = sharer.port != 0 || self.online_at(asker)?.port != 0;
        let [speed, bitrate, frequency] = search.bounds;
        let [_, row_bitrate, row_frequency, _] = row.numbers;
        let within = |bound: Option<Bound>, number| bound.is_none_or(|bound| bound.holds(number));
        let LinkType(link) = sharer.speed;
        let kept = within(speed, link.into())
            && within(bitrate, row_bitrate)
            && within(frequency, row_frequency);
        (reachable && kept && has_words(row, search, budget)).then(|| row.id(file))
    }

    /// Returns the next file of a user's list, which is the newest first. A file that was removed meanwhile is
    /// passed over: the walk resumes at the next older one.
    pub(super) fn browse_row(&self, owner: u32, at: FileId) -> Option<FileId> {
        if row(self.files, at).is_some_and(|row| row.owner == owner) {
            return Some(at);
        }
        let mut next = slot(self.users, owner)?.user.as_ref()?.first_file;
        while let Some(row) = slot(self.files, next).and_then(|slot| slot.row.as_ref()) {
            if row.stamp < at.stamp {
                return Some(row.id(next));
            }
            next = row.next;
        }
        None
    }

    /// Returns a row of the answer to a search.
    pub(super) fn found(&self, id: FileId) -> Option<Found<'_>> {
        let (row, online, address) = self.shared(id)?;
        Some(Found { file: row.file(), nick: online.nick.text(), address, link: online.speed })
    }
}

/// Returns whether a name contains all words of a search, in any case, as parts of its own words. Each comparison of
/// two bytes reduces the budget by 1, so that a word that almost matches everywhere has fewer names compared.
fn has_words(row: &Row, search: &Search, budget: &mut u32) -> bool {
    let name = row.name.text();
    let words = search.words.text();
    let mut words = words.as_bytes().split(separates).filter(|word| !word.is_empty());
    words.all(|word| contains(name.as_bytes(), word, budget))
}

/// Returns whether `name` has `word` as a part, in any case.
fn contains(name: &[u8], word: &[u8], budget: &mut u32) -> bool {
    let mut compared = 0_usize;
    let found = name.windows(word.len()).any(|part| {
        let pairs = part.iter().zip(word);
        let same = pairs.take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
        compared = compared.saturating_add(same).saturating_add(1);
        same == word.len()
    });
    *budget = budget.saturating_sub(u32::try_from(compared).unwrap_or(u32::MAX));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_in_any_case_and_costs_the_bytes_compared() {
        let mut budget = 100;
        assert!(contains(b"Hey Jude.mp3", b"jUDE", &mut budget));
        assert_eq!(budget, 91, "four bytes, and one for each of five places");
        assert!(!contains(b"Hey", b"Hey Jude", &mut budget));
        assert_eq!(budget, 91, "a longer word is compared nowhere");
    }

    /// A word that differs from the name in its last byte only is compared to that byte at every place.
    #[test]
    fn a_word_that_almost_matches_everywhere_pays_for_every_byte() {
        let name = [b'a'; 250];
        let mut word = [b'a'; 100];
        word[99] = b'b';
        let mut budget = u32::MAX;
        assert!(!contains(&name, &word, &mut budget));
        assert_eq!(u32::MAX - budget, 151 * 100);
    }
}
