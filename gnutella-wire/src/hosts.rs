//! The host cache: hosts to connect to, and to report in pongs.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use crate::machine::earliest;
use crate::place::Place;
use crate::rng::mix;

/// How long a host that could not be reached is left alone; doubles with each failure.
const RETRY: u32 = 60; // seconds
/// A host that failed this often is removed, if there is one that did not fail.
const MOST_FAILURES: u8 = 6;

/// Remembers announced hosts. `S` is the storage, any `[HostSlot]`.
///
/// A full cache replaces the host that failed most, and if none failed one chosen at random. Hosts of one
/// network (/16) that have an eighth of the slots, and hosts that one neighbour announced and that have a
/// quarter, replace each other: so no neighbour drives out what the others announce. It never holds the
/// servent's own address, nor an invalid one: port 0, the unspecified, multicast and broadcast
/// addresses. Each call looks at every slot a few times; some hundreds are plenty.
///
/// ```
/// use core::net::{Ipv4Addr, SocketAddrV4};
/// use core::time::Duration;
/// use gnutella_wire::hosts::{HostCache, HostSlot};
///
/// let host = |n| SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, n), 6346);
/// let seed = 7; // random, so that others cannot foresee which host is replaced
/// let mut hosts = HostCache::new(host(1), [HostSlot::EMPTY; 16]).with_seed(seed);
/// assert!(!hosts.insert(Duration::ZERO, host(1).into()), "its own address");
/// assert!(hosts.insert(Duration::ZERO, host(2).into()));
/// assert_eq!(hosts.dial(Duration::ZERO, |_, _| true), Some(host(2)));
/// assert_eq!(hosts.dial(Duration::ZERO, |_, _| true), None, "one attempt at a time");
///
/// hosts.mark_failed(host(2));
/// let soon = Duration::from_secs(30);
/// assert_eq!(hosts.dial(soon, |_, _| true), None, "it is left alone for a while");
/// let later = Duration::from_secs(120);
/// assert_eq!(hosts.dial(later, |_, _| true), Some(host(2)));
/// hosts.mark_connected(host(2)); // its failures are forgotten
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct HostCache<S: ?Sized> {
    own: SocketAddrV4,
    seed: u64,
    slots: S, // last, so that an array coerces to a slice
}

/// What is known of a host, mostly from its pong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "the fields of a pong, and the distance")]
pub struct Host {
    /// Where it accepts connections.
    pub address: SocketAddrV4,
    /// How many files it shares.
    pub files: u32,
    /// How many kilobytes they have together.
    pub kilobytes: u32,
    /// The number of hops to it: 1 is a neighbour, 0 means unknown.
    pub hops: u8,
}

/// The hosts of a cache.
#[derive(Debug, Clone)]
pub struct Hosts<'s>(core::slice::Iter<'s, HostSlot>);

/// Storage for one host: 36 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostSlot(Place<Entry>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    host: Host,
    announced_at: u32, // seconds: when it was last announced
    tried: u32,        // seconds and one more: when the last attempt began; 0 for never
    failures: u8,
    dialling: bool,
    requested: bool, // by the user
    source: HostSource,
}

/// The neighbour that announced a host: a number that no later neighbour has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HostSource(pub(crate) u32);

impl HostSource {
    /// The user, or a list that was asked for.
    pub(crate) const USER: Self = Self(u32::MAX);
}

/// The share of the slots that one network and one neighbour have from others.
const NETWORK_FRACTION: usize = 8;
const SOURCE_FRACTION: usize = 4;
/// And at least this many.
const LEAST: usize = 2;

impl<S> HostCache<S> {
    /// Creates an empty cache for the servent that listens at `own`.
    #[must_use]
    pub fn new(own: SocketAddrV4, mut slots: S) -> Self
    where
        S: AsMut<[HostSlot]>,
    {
        slots.as_mut().fill(HostSlot::EMPTY);
        Self::resume(own, slots)
    }

    /// Continues with the slots of an earlier cache.
    #[must_use]
    pub const fn resume(own: SocketAddrV4, slots: S) -> Self {
        Self { own, seed: 0, slots }
    }

    /// Sets what the choice of the host to be replaced depends on, so that others cannot foresee it.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Returns the storage.
    #[must_use]
    pub fn into_storage(self) -> S {
        self.slots
    }
}

impl<S: AsRef<[HostSlot]> + AsMut<[HostSlot]> + ?Sized> HostCache<S> {
    /// Inserts a host. Returns whether it is stored: not if its address is invalid, or there are no
    /// slots.
    pub fn insert(&mut self, now: Duration, host: Host) -> bool {
        self.insert_from(now, host, HostSource::USER)
    }

    /// Inserts a host that a neighbour announced.
    pub(crate) fn insert_from(&mut self, now: Duration, host: Host, source: HostSource) -> bool {
        let seed = self.seed;
        let is_valid = is_host(host.address, self.own);
        is_valid && insert(self.slots.as_mut(), seconds(now), host, source, seed)
    }

    /// Inserts a host that is to be tried next, whatever else is known of it. Returns whether it is
    /// stored, as [`insert`](Self::insert) does.
    pub fn request(&mut self, now: Duration, address: SocketAddrV4) -> bool {
        let inserted = self.insert(now, address.into());
        if let Some(entry) = find(self.slots.as_mut(), address) {
            entry.requested = true;
            entry.dialling = false;
        }
        inserted
    }

    /// Chooses the host to connect to next and marks it as being tried, until
    /// [`mark_connected`](Self::mark_connected) or [`mark_failed`](Self::mark_failed). Requested ones come first, then
    /// those that failed least, and of those the one announced last. `wanted` takes an address and
    /// whether it was requested, and can exclude some.
    pub fn dial(
        &mut self,
        now: Duration,
        wanted: impl Fn(SocketAddrV4, bool) -> bool,
    ) -> Option<SocketAddrV4> {
        let at = seconds(now);
        let rested = |entry: &Entry| entry.retry_at().is_some_and(|retry| retry <= at);
        let ready = |entry: &Entry| !entry.dialling && (entry.requested || rested(entry));
        let entries = self.slots.as_mut().iter_mut().filter_map(|slot| slot.0.as_mut());
        let mut best: Option<&mut Entry> = None;
        for entry in entries.filter(|entry| ready(entry)) {
            let is_better = best.as_ref().is_none_or(|best| entry.worth() >= best.worth());
            if is_better && wanted(entry.host.address, entry.requested) {
                best = Some(entry);
            }
        }
        let best = best?;
        best.tried = at.saturating_add(1);
        best.dialling = true;
        best.requested = false;
        Some(best.host.address)
    }

    /// Records that a connection attempt succeeded.
    pub fn mark_connected(&mut self, address: SocketAddrV4) {
        if let Some(entry) = find(self.slots.as_mut(), address) {
            entry.failures = 0;
            entry.dialling = false;
        }
    }

    /// Removes a host.
    pub fn remove(&mut self, address: SocketAddrV4) {
        let mut slots = self.slots.as_mut().iter_mut();
        let is = |slot: &&mut HostSlot| slot.host().is_some_and(|host| host.address == address);
        if let Some(slot) = slots.find(is) {
            *slot = HostSlot::EMPTY;
        }
    }

    /// Records that a connection attempt failed. A host that failed six times is removed, unless all others have failed
    /// too: then it may be the network of the servent, and the host is tried again every 32 minutes.
    pub fn mark_failed(&mut self, address: SocketAddrV4) {
        fail(self.slots.as_mut(), |entry| entry.host.address == address);
    }

    /// Counts attempts that have taken longer than `timeout` as failed.
    pub fn expire(&mut self, now: Duration, timeout: Duration) {
        let at = seconds(now);
        fail(self.slots.as_mut(), |entry| entry.give_up_at(timeout).is_some_and(|end| end <= at));
    }
}

impl<S: AsRef<[HostSlot]> + ?Sized> HostCache<S> {
    /// Returns all hosts.
    #[must_use]
    #[expect(clippy::iter_without_into_iter, reason = "the hosts are copied out of the slots")]
    pub fn iter(&self) -> Hosts<'_> {
        Hosts::new(self.slots.as_ref())
    }

    /// Returns the hosts that were announced within `age`, and that did not fail since. Ages count
    /// in whole seconds.
    pub(crate) fn fresh(&self, now: Duration, age: Duration) -> impl Iterator<Item = Host> {
        let since = seconds(now).saturating_sub(seconds(age));
        let good = self.entries().filter(move |e| e.announced_at >= since && e.failures == 0);
        good.map(|entry| entry.host)
    }

    /// Returns how many connection attempts are under way.
    pub(crate) fn dialling(&self) -> usize {
        self.entries().filter(|entry| entry.dialling).count()
    }

    /// Returns when the next attempt times out or the next host may be tried again, after `now`.
    #[must_use]
    pub fn next_change(&self, now: Duration, timeout: Duration) -> Option<Duration> {
        let next = |entry: &Entry| {
            let at = if entry.dialling { entry.give_up_at(timeout) } else { entry.retry_at() };
            at.map(|at| Duration::from_secs(at.into()))
        };
        earliest(&mut self.entries().filter_map(next).filter(|at| *at > now))
    }

    /// Returns how many hosts are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries().count()
    }

    /// Returns whether no host is remembered.
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

#[cfg_attr(target_os = "none", inline(never))] // smaller on a device than within its caller
fn insert(slots: &mut [HostSlot], at: u32, host: Host, source: HostSource, seed: u64) -> bool {
    if let Some(entry) = find(slots, host.address) {
        if host.hops > 0 {
            entry.host = host;
        }
        entry.announced_at = at;
        return true;
    }
    let place = place_of(slots, at, host.address, source, seed);
    let Some(slot) = place.and_then(|place| slots.get_mut(place)) else { return false };
    slot.0 = Place::Taken(Entry {
        host,
        announced_at: at,
        tried: 0,
        failures: 0,
        dialling: false,
        requested: false,
        source,
    });
    true
}

/// Chooses the slot of a new host: a free one, or that of the host to be replaced.
#[cfg_attr(target_os = "none", inline(never))] // smaller on a device than within its caller
fn place_of(
    slots: &[HostSlot],
    at: u32,
    address: SocketAddrV4,
    source: HostSource,
    seed: u64,
) -> Option<usize> {
    if let Some(free) = slots.iter().position(|slot| slot.0.is_empty()) {
        return Some(free);
    }
    let share = |fraction| slots.len().checked_div(fraction).unwrap_or(0).max(LEAST);
    let all = || slots.iter().enumerate().filter_map(|(at, slot)| Some((at, slot.0.as_ref()?)));
    let is_near = |entry: &Entry| network(entry.host.address) == network(address);
    let is_of_source = |entry: &Entry| source != HostSource::USER && entry.source == source;
    let mut near = 0_usize;
    let mut of_source = 0_usize;
    for (_, entry) in all() {
        near = near.saturating_add(is_near(entry).into());
        of_source = of_source.saturating_add(is_of_source(entry).into());
    }
    let is_crowded = near >= share(NETWORK_FRACTION);
    let is_loud = of_source >= share(SOURCE_FRACTION);
    let may_go = |entry: &Entry| {
        if is_crowded { is_near(entry) } else { !is_loud || is_of_source(entry) }
    };
    let mut best = Entry::LAST_RANK;
    let mut alike = 0_usize;
    for (_, entry) in all().filter(|(_, entry)| may_go(entry)) {
        let rank = entry.rank();
        if rank < best {
            best = rank;
            alike = 0;
        }
        alike = alike.saturating_add((rank == best).into());
    }
    let place = u64::from(address.ip().to_bits()) << 16 | u64::from(address.port());
    let random = mix(seed ^ place.wrapping_add(u64::from(at) << 48)) >> 32; // a device divides 32 bits
    let random = usize::try_from(random).unwrap_or(0);
    let chosen = random.checked_rem(alike)?;
    let mut candidates = all().filter(|(_, entry)| may_go(entry) && entry.rank() == best);
    candidates.nth(chosen).map(|(at, _)| at)
}

fn network(address: SocketAddrV4) -> [u8; 2] {
    let [a, b, ..] = address.ip().octets();
    [a, b]
}

fn find(slots: &mut [HostSlot], address: SocketAddrV4) -> Option<&mut Entry> {
    let mut entries = slots.iter_mut().filter_map(|slot| slot.0.as_mut());
    entries.find(|entry| entry.host.address == address)
}

fn fail(slots: &mut [HostSlot], which: impl Fn(&Entry) -> bool) {
    let mut entries = slots.iter().filter_map(|slot| slot.0.as_ref());
    let has_good = entries.any(|entry| entry.failures == 0 && !which(entry));
    for slot in slots {
        let Some(entry) = slot.0.as_mut().filter(|entry| which(entry)) else { continue };
        let failures = entry.failures.saturating_add(1);
        entry.dialling = false;
        if failures < MOST_FAILURES {
            entry.failures = failures;
        } else if has_good {
            slot.0 = Place::Empty;
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

impl<'s> Hosts<'s> {
    pub(crate) fn new(slots: &'s [HostSlot]) -> Self {
        Self(slots.iter())
    }
}

impl Iterator for Hosts<'_> {
    type Item = Host;

    fn next(&mut self) -> Option<Host> {
        self.0.find_map(HostSlot::host)
    }
}

impl HostSlot {
    /// No host.
    pub const EMPTY: Self = Self(Place::Empty);

    pub(crate) fn host(&self) -> Option<Host> {
        self.0.as_ref().map(|entry| entry.host)
    }
}

impl Entry {
    /// The rank of a host that is being tried or requested and never failed.
    const LAST_RANK: u16 = 0x1FF;

    /// The higher, the sooner it is dialled: requested hosts first, then those that failed least, then new ones.
    fn worth(&self) -> u64 {
        let successes = u64::from(u8::MAX.saturating_sub(self.failures));
        u64::from(self.requested) << 40 | successes << 32 | u64::from(self.announced_at)
    }

    /// The lower, the sooner it gives way to a new host.
    fn rank(&self) -> u16 {
        let is_settled = self.dialling || self.requested;
        u16::from(is_settled) << 8 | u16::from(u8::MAX.saturating_sub(self.failures))
    }

    /// When it may be tried again; `None` at the end of time.
    fn retry_at(&self) -> Option<u32> {
        let Some(tried) = self.tried.checked_sub(1) else { return Some(0) };
        tried.checked_add(RETRY.checked_shl(u32::from(self.failures)).unwrap_or(u32::MAX))
    }

    /// When the present attempt has taken too long.
    fn give_up_at(&self, patience: Duration) -> Option<u32> {
        let tried = self.tried.checked_sub(1).filter(|_| self.dialling)?;
        tried.checked_add(seconds(patience).max(1))
    }
}

impl From<SocketAddrV4> for Host {
    /// A host of which only the address is known.
    fn from(address: SocketAddrV4) -> Self {
        Self { address, files: 0, kilobytes: 0, hops: 0 }
    }
}
