//! The own query-routing table on its way to a neighbour.

use crate::qrp::PatchCursor;
use crate::routes::RouteSource;

/// How far the own table is sent to a neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TableOut {
    pub(super) number: u8,      // of the next message: 0 is the RESET
    pub(super) count: u8,       // of the messages of a compressed patch
    pub(super) is_update: bool, // of the table that the neighbour has
    pub(super) is_compressed: bool,
}

/// The message of a table that follows the last one written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Following {
    pub(super) to: Option<RouteSource>,
    pub(super) next: TableOut,
    pub(super) cursor: PatchCursor,
}

impl TableOut {
    /// Begins with the RESET, unless the neighbour has the former table.
    pub(super) const fn begin(is_update: bool, is_compressed: bool) -> Self {
        let number = if is_update { 1 } else { 0 };
        Self { number, count: 0, is_update, is_compressed }
    }
}
