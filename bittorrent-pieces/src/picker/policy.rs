//! In which order pieces are chosen.

use core::time::Duration;

use crate::block::PieceIndex;
use crate::compact_time::Stamp;

/// How new pieces are chosen. [`Policy::new`] has the rules of Cohen 2003, section 2.4.
///
/// ```
/// use bittorrent_pieces::Policy;
/// use bittorrent_pieces::picker::Order;
///
/// let mut policy = Policy::new();
/// policy.order = Order::Sequential;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Policy {
    /// The order among missing pieces.
    pub order: Order,
    /// How many pieces are chosen at random before the rarest come first: the first complete one is
    /// to be had soon, so that there is something to upload. Cohen has 1, libtorrent 4; with
    /// `u32::MAX` all are.
    pub random_first: u32,
    /// What a priority is worth beside rarity.
    pub weights: Weights,
    /// Whether pieces near those that were opened of late are preferred: within the same 4 MiB, for
    /// disks that like long runs.
    pub extents: bool,
    /// A window of pieces that go before all others, by their deadlines.
    pub playback: Option<Playback>,
}

impl Policy {
    /// Returns the rules of Cohen: one random piece, then the rarest; strict priorities.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            order: Order::RarestFirst,
            random_first: 1,
            weights: Weights::Strict,
            extents: false,
            playback: None,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::new()
    }
}

/// The order among missing pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Order {
    /// The one that the fewest peers have, ties at random.
    RarestFirst,
    /// The one of the lowest number.
    Sequential,
}

/// What a priority is worth beside rarity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Weights {
    /// A piece of a higher priority goes before all of a lower one.
    Strict,
    /// The piece with the least product of (peers that have it + 1) and (8 - priority) goes first,
    /// as in libtorrent.
    Product,
}

/// Priorities as numbers: 0 to 7.
pub(super) const PRIORITIES: usize = 8;

/// How much a piece is wanted, from 0, not at all, to 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Priority(u8);

impl Priority {
    /// Not to be fetched.
    pub const SKIP: Self = Self(0);
    /// The lowest.
    pub const LOW: Self = Self(1);
    /// That of every piece at the start.
    pub const NORMAL: Self = Self(4);
    /// The highest.
    pub const HIGH: Self = Self(7);

    /// Returns a priority from 0 to 7.
    #[must_use]
    pub const fn new(level: u8) -> Option<Self> {
        if level <= 7 { Some(Self(level)) } else { None }
    }

    /// Returns the number, 0 to 7.
    #[must_use]
    pub const fn level(self) -> u8 {
        self.0
    }
}

/// Content that is watched while it is downloaded: each piece has a deadline, and a window of pieces whose
/// deadlines are next slides along as time goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "built as a literal")]
pub struct Playback {
    /// The piece where the watching began.
    pub first: PieceIndex,
    /// When that piece is due.
    pub due: Duration,
    /// How long a piece plays: the time from one deadline to the next.
    pub pace: Duration,
    /// How many pieces are in the window.
    pub window: u32,
    /// How long before its deadline a piece is urgent: what one peer was asked for may then be asked
    /// of a second one.
    pub urgent: Duration,
}

impl Playback {
    /// Returns when a piece is due; `None` for one before the first.
    #[must_use]
    pub fn deadline(&self, piece: PieceIndex) -> Option<Duration> {
        let nth = piece.0.checked_sub(self.first.0)?;
        self.pace.checked_mul(nth).and_then(|span| self.due.checked_add(span))
    }

    /// Returns the first piece that is not yet overdue.
    #[must_use]
    pub fn next(&self, now: Duration) -> PieceIndex {
        let late = now.as_nanos().saturating_sub(self.due.as_nanos());
        let passed =
            if self.pace.is_zero() { 0 } else { late.div_ceil(self.pace.as_nanos().max(1)) };
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        PieceIndex(self.first.0.saturating_add(passed))
    }
}

/// What there is to know of a peer that is to be asked.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Selection<'a> {
    /// The time: for deadlines, see [`Playback`], and for the patience with requests.
    pub now: Duration,
    /// How long the peer takes to answer: what is due sooner is not asked of it.
    pub delay: Duration,
    /// How long ago another peer must have been asked for a block before this one is asked too, at
    /// the end. With a few times what an answer takes, almost no block is received twice.
    pub patience: Duration,
    /// The peer is snubbed: it gets what is asked of it last, the most common piece, or the last in
    /// order, so that it holds up no other peer.
    pub reverse: bool,
    /// The peer is fast: it gets this many whole pieces in a row, rather than parts of pieces that
    /// others send too. 0 for other peers.
    pub whole: u32,
    /// The peer is on parole: it gets only whole pieces, and these are requested from no other peer.
    pub exclusive: bool,
    /// Pieces that the peer suggested (BEP 6); they go before others.
    pub suggested: &'a [PieceIndex],
    /// The only pieces it may be asked for: while it chokes us, those that it allowed (BEP 6).
    pub only: Option<&'a [PieceIndex]>,
    /// How many bytes at the end of a piece are padding (BEP 47), which is never requested.
    pub padding: &'a dyn Fn(PieceIndex) -> u32,
}

impl Selection<'_> {
    /// Returns what theirs for most peers.
    #[must_use]
    pub fn new() -> Self {
        Self {
            now: Duration::ZERO,
            delay: Duration::ZERO,
            patience: Duration::ZERO,
            reverse: false,
            whole: 0,
            exclusive: false,
            suggested: &[],
            only: None,
            padding: &|_| 0,
        }
    }
}

impl Selection<'_> {
    /// Returns whether a request of that time is old enough for a second one.
    pub(super) fn is_late(&self, at: Stamp) -> bool {
        at.is_past(self.patience, self.now)
    }
}

impl Default for Selection<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for Selection<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Selection")
            .field("now", &self.now)
            .field("delay", &self.delay)
            .field("patience", &self.patience)
            .field("reverse", &self.reverse)
            .field("whole", &self.whole)
            .field("exclusive", &self.exclusive)
            .field("suggested", &self.suggested)
            .field("only", &self.only)
            .finish_non_exhaustive()
    }
}
