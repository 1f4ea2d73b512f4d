//! The memory of a route table.

use super::{Route, RouteSource, Spans};

/// Storage for one route: 26 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteSlot {
    id: [u8; 16], // or the tags of a group: byte `n` is that of its `n`-th key, 0 if there never was one
    source: [u8; 4], // or when a key of the group was last put elsewhere, with `MARK`
    seen: [u8; 4], // seconds, 30 bits, and above them the kind
    ttl: u8,
    hops: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The slot is free; no key is of this kind.
    Free,
    Ping,
    Query,
    Push,
}

/// Tells a second from none.
const MARK: u32 = 1 << 31;
/// The latest second that a slot can store: all its bits.
pub(super) const LAST_SECOND: u32 = (1 << 30) - 1;

impl Kind {
    pub(super) const fn number(self) -> u32 {
        match self {
            Self::Free => 0,
            Self::Ping => 1,
            Self::Query => 2,
            Self::Push => 3,
        }
    }
}

impl RouteSlot {
    /// No route.
    pub const EMPTY: Self = Self { id: [0; 16], source: [0; 4], seen: [0; 4], ttl: 0, hops: 0 };

    pub(super) fn new(kind: Kind, id: u128, at: u32, route: Route) -> Self {
        let Route { source, ttl, hops } = route;
        let seen = kind.number() << 30 | at & LAST_SECOND;
        let source = source.0.to_le_bytes();
        Self { id: id.to_le_bytes(), source, seen: seen.to_le_bytes(), ttl, hops }
    }

    pub(super) fn kind(&self) -> Kind {
        match u32::from_le_bytes(self.seen) >> 30 {
            1 => Kind::Ping,
            2 => Kind::Query,
            3 => Kind::Push,
            _ => Kind::Free,
        }
    }

    pub(super) fn id(&self) -> u128 {
        u128::from_le_bytes(self.id)
    }

    /// Returns the tags of a group, the first eight in the first number.
    pub(super) fn tags(&self) -> [u64; 2] {
        let (words, _) = self.id.as_chunks();
        let word = |at: usize| words.get(at).map_or(0, |word| u64::from_le_bytes(*word));
        [word(0), word(1)]
    }

    pub(super) fn seen(&self) -> u32 {
        u32::from_le_bytes(self.seen) & LAST_SECOND
    }

    pub(super) fn is(&self, kind: Kind, id: u128) -> bool {
        self.id() == id && self.kind() == kind
    }

    pub(super) fn is_live(&self, spans: Spans, at: u32) -> bool {
        let kind = self.kind();
        kind != Kind::Free && self.seen() >= spans.oldest(kind, at)
    }

    pub(super) fn route(&self) -> Route {
        let source = RouteSource(u32::from_le_bytes(self.source));
        Route { source, ttl: self.ttl, hops: self.hops }
    }

    pub(super) fn raise_ttl(&mut self, ttl: u8) {
        self.ttl = self.ttl.max(ttl);
    }

    /// Sets the tag of the key at a place of the group.
    pub(super) fn set_tag(&mut self, position: usize, tag: u8) {
        if let Some(to) = self.id.get_mut(position) {
            *to = tag;
        }
    }

    /// Notes that a key of the group that was learnt then is in another group.
    pub(super) fn mark_overflow(&mut self, seen: u32) {
        let marked = u32::from_le_bytes(self.source).max(MARK | seen);
        self.source = marked.to_le_bytes();
    }

    /// Returns whether a key of the group that was learnt then or later may be in another group.
    pub(super) fn has_overflowed(&self, oldest: u32) -> bool {
        u32::from_le_bytes(self.source) >= MARK | oldest
    }
}
