//! The host cache: whom to connect to, and whom to tell others of.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

/// How long a host that could not be reached is left alone; twice as long after each failure.
const RETRY: u32 = 60; // seconds
/// A host that failed so often is forgotten.
const MOST_FAILURES: u8 = 6;

/// Remembers hosts that others spoke of. `S` is the memory; any `[HostSlot]` serves.
///
/// A full cache gives up the host that failed most, and of those the one heard of longest ago. It
/// never holds the servent's own address, nor what is no host: port 0, the unspecified, multicast
/// and broadcast addresses. Each call looks at every slot once; some hundreds are plenty.
///
/// ```
/// use core::net::{Ipv4Addr, SocketAddrV4};
/// use core::time::Duration;
/// use gnutella_wire::{HostCache, HostSlot};
///
/// let host = |n| SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, n), 6346);
/// let mut hosts = HostCache::new(host(1), [HostSlot::EMPTY; 16]);
/// assert!(!hosts.learn(Duration::ZERO, host(1).into()), "its own address");
/// assert!(hosts.learn(Duration::ZERO, host(2).into()));
/// assert_eq!(hosts.dial(Duration::ZERO, |_, _| true), Some(host(2)));
/// assert_eq!(hosts.dial(Duration::ZERO, |_, _| true), None, "one attempt at a time");
/// ```
#[derive(Debug, Clone)]
pub struct HostCache<S: ?Sized> {
    own: SocketAddrV4,
    slots: S, // last, so that an array coerces to a slice
}

/// What is known of a host, mostly from its pong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host {
    /// Where it accepts connections.
    pub address: SocketAddrV4,
    /// How many files it shares.
    pub files: u32,
    /// How many kilobytes they have together.
    pub kilobytes: u32,
    /// How many links away it is: 1 is a neighbour, 0 means nobody said.
    pub hops: u8,
}

/// Room for one host: 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostSlot(Option<Entry>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    host: Host,
    heard: u32,         // seconds: when somebody last spoke of it
    tried: Option<u32>, // seconds: when the last attempt began
    failures: u8,
    dialling: bool,
    requested: bool, // by the user
}

impl<S> HostCache<S> {
    /// Creates a cache for the servent that listens at `own`.
    #[must_use]
    pub const fn new(own: SocketAddrV4, slots: S) -> Self {
        Self { own, slots }
    }

    /// Returns the memory.
    #[must_use]
    pub fn into_storage(self) -> S {
        self.slots
    }
}

impl<S: AsRef<[HostSlot]> + AsMut<[HostSlot]> + ?Sized> HostCache<S> {
    /// Remembers a host. Returns `false` if it is none, or there is no slot at all.
    pub fn learn(&mut self, now: Duration, host: Host) -> bool {
        is_host(host.address, self.own) && learn(self.slots.as_mut(), seconds(now), host)
    }

    /// Remembers a host that is to be tried next, whatever else is known of it. Returns `false` as
    /// [`learn`](Self::learn) does.
    pub fn request(&mut self, now: Duration, address: SocketAddrV4) -> bool {
        let learnt = self.learn(now, address.into());
        if let Some(entry) = find(self.slots.as_mut(), address) {
            (entry.requested, entry.dialling) = (true, false);
        }
        learnt
    }

    /// Chooses the host to connect to next and takes note that it is being tried, until
    /// [`succeeded`](Self::succeeded) or [`failed`](Self::failed). Requested ones come first, then
    /// those that failed least, and of those the one heard of last. `wanted`, which is also told
    /// whether a host was requested, can pass over some.
    pub fn dial(
        &mut self,
        now: Duration,
        wanted: impl Fn(SocketAddrV4, bool) -> bool,
    ) -> Option<SocketAddrV4> {
        let at = seconds(now);
        let rested = |entry: &Entry| entry.retry_at().is_some_and(|retry| retry <= at);
        let ready = |entry: &Entry| !entry.dialling && (entry.requested || rested(entry));
        let entries = self.slots.as_mut().iter_mut().filter_map(|slot| slot.0.as_mut());
        let wanted = |entry: &Entry| wanted(entry.host.address, entry.requested);
        let best = entries
            .filter(|entry| ready(entry) && wanted(entry))
            .max_by_key(|entry| (entry.requested, entry.worth()))?;
        (best.tried, best.dialling, best.requested) = (Some(at), true, false);
        Some(best.host.address)
    }

    /// Takes note that a connection came about.
    pub fn succeeded(&mut self, address: SocketAddrV4) {
        if let Some(entry) = find(self.slots.as_mut(), address) {
            (entry.failures, entry.dialling) = (0, false);
        }
    }

    /// Takes note that an attempt came to nothing; a host that always fails is forgotten.
    pub fn failed(&mut self, address: SocketAddrV4) {
        fail(self.slots.as_mut(), |entry| entry.host.address == address);
    }

    /// Counts attempts as failed that have taken longer than `patience`.
    pub fn expire(&mut self, now: Duration, patience: Duration) {
        let at = seconds(now);
        fail(self.slots.as_mut(), |entry| entry.give_up_at(patience).is_some_and(|end| end <= at));
    }
}

impl<S: AsRef<[HostSlot]> + ?Sized> HostCache<S> {
    /// Walks over all hosts.
    pub fn iter(&self) -> impl Iterator<Item = Host> {
        self.entries().map(|entry| entry.host)
    }

    /// Walks over the hosts that somebody spoke of within `age`, and that did not fail since. Ages
    /// count in whole seconds.
    pub fn fresh(&self, now: Duration, age: Duration) -> impl Iterator<Item = Host> {
        let since = seconds(now).saturating_sub(seconds(age));
        let good = self.entries().filter(move |e| e.heard >= since && e.failures == 0);
        good.map(|entry| entry.host)
    }

    /// Returns how many hosts are being tried.
    #[must_use]
    pub fn dialling(&self) -> usize {
        self.entries().filter(|entry| entry.dialling).count()
    }

    /// Returns when something will change by itself after `now`: an attempt that has taken too
    /// long, or a host that may be tried again.
    #[must_use]
    pub fn next_change(&self, now: Duration, patience: Duration) -> Option<Duration> {
        let next = |entry: &Entry| {
            let at = if entry.dialling { entry.give_up_at(patience) } else { entry.retry_at() };
            at.map(|at| Duration::from_secs(at.into()))
        };
        self.entries().filter_map(next).filter(|at| *at > now).min()
    }

    /// Returns how many hosts are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries().count()
    }

    /// Returns `true` if no host is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how many slots there are.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.slots.as_ref().len()
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.slots.as_ref().iter().filter_map(|slot| slot.0.as_ref())
    }
}

fn learn(slots: &mut [HostSlot], at: u32, host: Host) -> bool {
    if let Some(entry) = find(slots, host.address) {
        if host.hops > 0 {
            entry.host = host;
        }
        entry.heard = at;
        return true;
    }
    let worth = |slot: &HostSlot| slot.0.as_ref().map(|entry| (entry.dialling, entry.worth()));
    let Some(worst) = slots.iter_mut().min_by_key(|slot| worth(slot)) else { return false };
    worst.0 = Some(Entry {
        host,
        heard: at,
        tried: None,
        failures: 0,
        dialling: false,
        requested: false,
    });
    true
}

fn find(slots: &mut [HostSlot], address: SocketAddrV4) -> Option<&mut Entry> {
    let mut entries = slots.iter_mut().filter_map(|slot| slot.0.as_mut());
    entries.find(|entry| entry.host.address == address)
}

fn fail(slots: &mut [HostSlot], which: impl Fn(&Entry) -> bool) {
    for slot in slots {
        let Some(entry) = slot.0.as_mut().filter(|entry| which(entry)) else { continue };
        entry.failures = entry.failures.saturating_add(1);
        entry.dialling = false;
        if entry.failures >= MOST_FAILURES {
            slot.0 = None;
        }
    }
}

fn is_host(address: SocketAddrV4, own: SocketAddrV4) -> bool {
    let ip = address.ip();
    let none = ip.is_unspecified() || ip.is_multicast() || *ip == Ipv4Addr::BROADCAST;
    !none && address.port() != 0 && address != own
}

/// Whole seconds; the end of time is as far as 32 bits reach.
fn seconds(now: Duration) -> u32 {
    u32::try_from(now.as_secs()).unwrap_or(u32::MAX)
}

impl HostSlot {
    /// No host.
    pub const EMPTY: Self = Self(None);

    pub(crate) fn host(&self) -> Option<Host> {
        self.0.as_ref().map(|entry| entry.host)
    }
}

impl Entry {
    /// The higher, the sooner it is dialled and the later it is given up.
    const fn worth(&self) -> (u8, u32) {
        (u8::MAX.saturating_sub(self.failures), self.heard)
    }

    /// When it may be tried again; `None` at the end of time.
    fn retry_at(&self) -> Option<u32> {
        let Some(tried) = self.tried else { return Some(0) };
        tried.checked_add(RETRY.checked_shl(u32::from(self.failures)).unwrap_or(u32::MAX))
    }

    /// When the present attempt has taken too long.
    fn give_up_at(&self, patience: Duration) -> Option<u32> {
        let tried = self.tried.filter(|_| self.dialling)?;
        tried.checked_add(seconds(patience).max(1))
    }
}

impl From<SocketAddrV4> for Host {
    /// A host of which only the address is known.
    fn from(address: SocketAddrV4) -> Self {
        Self { address, files: 0, kilobytes: 0, hops: 0 }
    }
}
