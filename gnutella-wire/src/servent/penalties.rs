//! Points for what a neighbour does wrong, which time and valid messages reduce.

use core::time::Duration;

/// An offence of the neighbour itself. One that it only relayed counts a tenth: it cannot check every message
/// of the network.
pub(super) const OWN_OFFENCE: u16 = 10;
const RELAYED_OFFENCE: u16 = 1;
/// One point is forgiven for each of these numbers of messages received, and of seconds.
const FORGIVEN_PER_MESSAGES: u32 = 100;
const FORGIVEN_PER_SECONDS: u32 = 60;

/// Points for offences of each kind, which time and valid messages reduce.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Penalties {
    pub(super) ttl_zero: u16,
    pub(super) ttl_too_high: u16,
    pub(super) malformed: u16,
    pub(super) excess: u16,
    repeats: u16, // not points: messages, of which time forgives one where it forgives a point
    at: u32,      // seconds: when the points were last reduced
    messages: u32, // received by then
}

/// Reduces the points, adds an offence, and returns the points of its kind.
pub(super) fn add(
    faults: &mut Faults,
    now: u32,
    relayed: bool,
    kind: fn(&mut Penalties) -> &mut u16,
) -> u16 {
    faults.penalties.forgive(now, faults.received);
    let points = kind(&mut faults.penalties);
    *points = points.saturating_add(if relayed { RELAYED_OFFENCE } else { OWN_OFFENCE });
    *points
}

/// Reduces the number of repeated messages by those that time forgives, adds one, and returns it.
pub(super) fn add_repeat(faults: &mut Faults, now: u32) -> u16 {
    faults.penalties.forgive(now, faults.received);
    let repeats = &mut faults.penalties.repeats;
    *repeats = repeats.saturating_add(1);
    *repeats
}

impl Penalties {
    fn forgive(&mut self, now: u32, received: u32) {
        let seconds = now.saturating_sub(self.at);
        let messages = received.saturating_sub(self.messages);
        let by_time = seconds.checked_div(FORGIVEN_PER_SECONDS).unwrap_or(0);
        let by_messages = messages.checked_div(FORGIVEN_PER_MESSAGES).unwrap_or(0);
        let forgiven = u16::try_from(by_time.saturating_add(by_messages)).unwrap_or(u16::MAX);
        if forgiven == 0 {
            return;
        }
        let kinds =
            [&mut self.ttl_zero, &mut self.ttl_too_high, &mut self.malformed, &mut self.excess];
        for points in kinds {
            *points = points.saturating_sub(forgiven);
        }
        let by_time = u16::try_from(by_time).unwrap_or(u16::MAX);
        self.repeats = self.repeats.saturating_sub(by_time);
        self.at = now;
        self.messages = received;
    }
}

/// What a neighbour has done wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Faults {
    pub(super) received: u32, // right or wrong
    pub(super) penalties: Penalties,
}

/// Whole seconds; the end of time is as far as 32 bits reach.
pub(super) fn seconds(now: Duration) -> u32 {
    u32::try_from(now.as_secs()).unwrap_or(u32::MAX)
}
