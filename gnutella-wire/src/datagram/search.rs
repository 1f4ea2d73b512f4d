//! The searches under way.

use core::time::Duration;

use super::event::SearchError;
use crate::id::Guid;
use crate::wire::Query;

/// The longest query that is asked: flags, text and extensions, without the key. Others accept 256 bytes.
pub(super) const MAX_QUERY: usize = 224;
/// How many searches there may be: one bit each in a peer's slot.
pub(super) const MAX_SEARCHES: usize = 32;
/// A search ends after this time, whatever comes.
const LIFETIME: Duration = Duration::from_secs(600);

/// Storage for one search: at most 320 bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchSlot(pub(super) Option<Search>);

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Search {
    pub(super) guid: Guid,
    pub(super) hits: u32,
    pub(super) counted: u32, // hits, of each address no more than its share
    pub(super) asked: u32,
    pub(super) next: Option<Duration>, // when the next host is asked; none if nobody is to be asked
    pub(super) end: Option<Duration>,  // none at the end of time
    pub(super) ended: bool,
    len: u16,
    query: [u8; MAX_QUERY],
}

impl SearchSlot {
    /// No search.
    pub const EMPTY: Self = Self(None);

    pub(super) fn live(&self) -> Option<&Search> {
        self.0.as_ref().filter(|search| !search.ended)
    }

    pub(super) fn live_mut(&mut self) -> Option<&mut Search> {
        self.0.as_mut().filter(|search| !search.ended)
    }
}

impl Search {
    /// A search that asks hosts by itself.
    pub(super) fn asking(
        now: Duration,
        guid: Guid,
        query: &Query<'_>,
    ) -> Result<Self, SearchError> {
        let mut search = Self::expecting(now, guid);
        let too_large = SearchError::TooLarge { len: query.encoded_len(), limit: MAX_QUERY };
        let len = query.encode(&mut search.query).map_err(|_| too_large)?;
        search.len = u16::try_from(len).map_err(|_| too_large)?;
        search.next = Some(now);
        Ok(search)
    }

    /// A search that somebody else sends: only its hits are expected.
    pub(super) const fn expecting(now: Duration, guid: Guid) -> Self {
        let end = now.checked_add(LIFETIME);
        let query = [0; MAX_QUERY];
        Self { guid, hits: 0, counted: 0, asked: 0, next: None, end, ended: false, len: 0, query }
    }

    pub(super) fn query(&self) -> &[u8] {
        self.query.get(..usize::from(self.len)).unwrap_or(&[])
    }

    /// Returns when something is due.
    pub(super) fn wake(&self) -> Option<Duration> {
        self.next.into_iter().chain(self.end).min()
    }
}
