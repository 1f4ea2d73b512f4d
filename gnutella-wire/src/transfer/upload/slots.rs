//! The slots of uploads.

use core::net::Ipv4Addr;
use core::time::Duration;

use super::event::UploadCloseReason;
use crate::http::{Method, Range, Version};
use crate::machine::ConnId;

/// Memory for a connection, in bytes: at most 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UploadSlot {
    pub(super) client: Option<Client>,
    pub(super) closed: Option<(ConnId, UploadCloseReason)>,
    pub(super) sent: Option<(ConnId, u32, u64)>,
    pub(super) refusal_due: bool, // before `closed`
}

impl UploadSlot {
    /// A free slot.
    pub const EMPTY: Self = Self { client: None, closed: None, sent: None, refusal_due: false };

    pub(super) const fn is_free(&self) -> bool {
        self.client.is_none() && self.closed.is_none() && self.sent.is_none()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) conn: ConnId,
    pub(super) ip: Ipv4Addr,
    pub(super) phase: Phase,
    pub(super) deadline: Option<Duration>,
    pub(super) place: Option<Place>,
    pub(super) early_polls: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Waits for a request; with a place, for the next one.
    Idle,
    /// Waits for the application.
    Asked(Wish),
    Sending(Body),
}

/// What remains of a request while the application looks for the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) method: Method,
    pub(super) version: Version,
    pub(super) keep_alive: bool,
    pub(super) range: Option<Range>,
    pub(super) can_queue: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Body {
    pub(super) file: u32,
    pub(super) first: u64,
    pub(super) at: u64,
    pub(super) end: u64,
    pub(super) in_flight: u64, // bytes that the driver is sending
    pub(super) keep_alive: bool,
    pub(super) takes_slot: bool,
}

/// A place in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) number: u64, // the lowest is first
    pub(super) poll_from: Option<Duration>,
}

impl Client {
    pub(super) const fn takes_slot(&self) -> bool {
        matches!(self.phase, Phase::Sending(body) if body.takes_slot)
    }
}
