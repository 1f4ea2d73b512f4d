//! What an index reports.

use crate::machine::ConnId;
use crate::opennap::frame::NapError;

/// What happened, or what the driver is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum IndexEvent {
    /// The connection is over: close its socket once what was written is flushed. Its files are
    /// removed.
    Closed {
        /// Which.
        conn: ConnId,
        /// Why.
        reason: IndexCloseReason,
    },
}

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum IndexCloseReason {
    /// It did not log in.
    LoginTimedOut,
    /// It did not answer a ping.
    Silent,
    /// It sent a frame beyond the limit.
    Frame(NapError),
}
