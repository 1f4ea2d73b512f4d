//! The share of the route table that one neighbour, and one network, may fill: a hostile neighbour must not
//! evict the routes of the others.

use core::time::Duration;

use super::penalties::seconds;

/// A neighbour may fill this fraction of the route table within the lifetime of a ping.
const FRACTION: usize = 4;
/// All neighbours of one network (/16) together may fill this one.
const NETWORK_FRACTION: usize = 2;
/// And what a neighbour begins itself, rather than relays, may fill this one.
const OWN_FRACTION: usize = 64;
/// Of that, queries may fill this one: they cost the network most, and a program that asks for its user asks rarely.
const QUERY_FRACTION: usize = 512;
/// At least this many slots, so that small tables work at all.
const LEAST: usize = 8;
const OWN_LEAST: usize = 16;
/// A share refills in this many steps.
const STEPS: u16 = 8;

/// How many new GUIDs a neighbour has sent: a bucket that empties with time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Quota {
    used: u16,
    own: u16,     // of these, what it began itself
    queries: u16, // and of these, queries
    step: u16,    // when it was last refilled, without the high half
}

/// How many new GUIDs may come at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shares {
    all: u16,
    own: u16,
    queries: u16,
    pub(super) network: u32,
    step: u16,
}

impl Shares {
    /// Returns the shares of a table with `routes` slots; they refill within `lifetime`.
    pub(super) fn of(routes: usize, now: Duration, lifetime: Duration) -> Self {
        let part = |fraction, least| routes.checked_div(fraction).unwrap_or(0).max(least);
        let short = |share| u16::try_from(share).unwrap_or(u16::MAX);
        let now = seconds(now);
        let lifetime = seconds(lifetime).max(1);
        let whole = now.checked_div(lifetime).unwrap_or(0).saturating_mul(STEPS.into());
        let rest = now.checked_rem(lifetime).unwrap_or(0).saturating_mul(STEPS.into());
        let step = whole.saturating_add(rest.checked_div(lifetime).unwrap_or(0));
        Self {
            all: short(part(FRACTION, LEAST)),
            own: short(part(OWN_FRACTION, OWN_LEAST)),
            queries: short(part(QUERY_FRACTION, OWN_LEAST)),
            network: u32::try_from(part(NETWORK_FRACTION, LEAST)).unwrap_or(u32::MAX),
            step: u16::try_from(step & 0xFFFF).unwrap_or(0),
        }
    }
}

/// Where a new GUID comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// From another servent, by the neighbour.
    Relayed,
    /// From the neighbour itself.
    OwnPing,
    OwnQuery,
}

/// What became of a new GUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grant {
    Granted,
    /// It is more than the neighbour may relay.
    Refused,
    /// It is more than the neighbour may begin.
    Excess,
}

impl Quota {
    pub(super) const FULL: Self = Self { used: 0, own: 0, queries: 0, step: 0 };

    /// Counts down what time has forgiven, and returns what is still in use.
    #[cfg_attr(target_os = "none", inline(never))] // once in the image of a device
    pub(super) fn refill(&mut self, shares: &Shares) -> u32 {
        let elapsed = shares.step.wrapping_sub(self.step);
        let per_step = |share: u16| share.div_ceil(STEPS).saturating_mul(elapsed);
        self.used = self.used.saturating_sub(per_step(shares.all));
        self.own = self.own.saturating_sub(per_step(shares.own));
        self.queries = self.queries.saturating_sub(per_step(shares.queries));
        self.step = shares.step;
        self.used.into()
    }

    /// Takes one GUID.
    pub(super) fn take(&mut self, shares: &Shares, origin: Origin) -> Grant {
        self.refill(shares);
        let is_own = origin != Origin::Relayed;
        let is_query = origin == Origin::OwnQuery;
        if is_own && self.own >= shares.own || is_query && self.queries >= shares.queries {
            return Grant::Excess;
        }
        if self.used >= shares.all {
            return Grant::Refused;
        }
        self.used = self.used.saturating_add(1);
        self.own = self.own.saturating_add(u16::from(is_own));
        self.queries = self.queries.saturating_add(u16::from(is_query));
        Grant::Granted
    }
}
