//! What is remembered of one block of an open piece.

use crate::compact_time::Stamp;
use crate::id::ConnId;

/// Room for one block of an open piece: 24 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockSlot {
    pub(super) first: ConnId,   // the peer asked first, or the sender
    pub(super) other: u32,      // the second peer asked, or the checksum of the data
    pub(super) at: Stamp,       // when the first was asked
    pub(super) suspect: ConnId, // the sender when the piece failed, if `suspected`
    pub(super) suspect_checksum: u32,
    pub(super) progress: Progress,
    pub(super) suspected: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Free,
    Asked,
    AskedTwice,
    Received,
    /// It is there from an earlier run.
    Restored,
    /// Padding (BEP 47): zeros, which are never requested.
    Padding,
}

impl BlockSlot {
    /// An unused slot.
    pub const EMPTY: Self = Self::with(Progress::Free);
    pub(super) const PADDING: Self = Self::with(Progress::Padding);

    const fn with(progress: Progress) -> Self {
        let nobody = ConnId(0);
        let suspect_checksum = 0;
        Self {
            first: nobody,
            other: 0,
            at: Stamp(0),
            suspect: nobody,
            suspect_checksum,
            progress,
            suspected: false,
        }
    }

    pub(super) fn requesters(&self) -> [Option<ConnId>; 2] {
        match self.progress {
            Progress::Asked => [Some(self.first), None],
            Progress::AskedTwice => [Some(self.first), Some(ConnId(self.other))],
            _ => [None, None],
        }
    }

    pub(super) fn is_asked(&self, conn: ConnId) -> bool {
        self.requesters().contains(&Some(conn))
    }

    pub(super) fn is_asked_once_of_another(&self, conn: ConnId) -> bool {
        self.progress == Progress::Asked && self.first != conn
    }

    /// Withdraws a request; returns whether no request of the block is left.
    pub(super) fn release(&mut self, conn: ConnId) -> bool {
        if self.progress == Progress::AskedTwice {
            if self.first == conn {
                self.first = ConnId(self.other);
            }
            self.progress = Progress::Asked;
            return false;
        }
        self.progress = Progress::Free;
        true
    }
}
