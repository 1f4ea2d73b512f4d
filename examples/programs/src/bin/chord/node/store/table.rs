//! What one node keeps: its own keys and copies of others'.

use core::net::{IpAddr, SocketAddr};
use core::ops::Bound::{Excluded, Included, Unbounded};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chord_core::{Address, Id160, KeyRange};
use sha2::{Digest as _, Sha256};

use super::codec::put_entry;
use super::transfer::Entry;

/// What an entry takes besides its value, in bytes: a bound on the number of entries.
const OVERHEAD: usize = 256;
/// How many claims are remembered.
const MOST_CLAIMS: usize = 64;
/// How many entries one search for strays looks at.
const STRIDE: usize = 1000;
/// Keys are summed up by their first ten bits.
const BUCKETS: usize = 1 << 10;

/// How many bytes a store takes.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// In all.
    pub total: usize,
    /// From one origin, at most.
    pub per_origin: usize,
}

impl Limits {
    /// A quarter of all for each origin: an owner's range is about a fifth of what a node of five keepers keeps.
    pub const fn of(total: usize) -> Self {
        Self { total, per_origin: total / 4 }
    }
}

/// Whose share of the store an address uses.
pub trait Origin: Address {
    fn origin(&self) -> u64;
}

/// The IPv4 address, or the first 64 bits of the IPv6 address, which one host has for itself.
impl Origin for SocketAddr {
    fn origin(&self) -> u64 {
        match self.ip() {
            IpAddr::V4(ip) => ip.to_bits().into(),
            IpAddr::V6(ip) => (ip.to_bits() >> 64) as u64,
        }
    }
}

#[cfg(test)]
impl Origin for u32 {
    fn origin(&self) -> u64 {
        (*self).into()
    }
}

/// There is no room for an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom;

/// An entry as it is saved; `None` if it has been dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    pub key: Id160,
    pub entry: Option<Entry>,
    /// On the clock of the member.
    pub expires: Option<Duration>,
    pub origin: u64,
}

#[derive(Debug)]
pub struct Store {
    entries: BTreeMap<Id160, Kept>,
    limits: Limits,
    bytes: usize,
    by_origin: BTreeMap<u64, usize>,
    expiries: BTreeSet<(Duration, Id160)>,
    /// For each bucket of keys, the sum of the fingerprints of its entries.
    sums: Sums,
    /// Ranges to which an owner, or this node as the owner, has laid claim, and when.
    claims: VecDeque<(KeyRange<Id160>, Duration)>,
    /// Where the next search for strays begins.
    cursor: Id160,
    /// What has changed since the last call of `changes`, if anybody calls it.
    changed: Option<BTreeSet<Id160>>,
}

#[derive(Debug)]
struct Kept {
    entry: Entry,
    expires: Option<Duration>,
    since: Duration,
    origin: u64,
    fingerprint: u128,
}

/// Does not print thousands of numbers.
struct Sums(Vec<u128>);

impl core::fmt::Debug for Sums {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} sums", self.0.len())
    }
}

impl Store {
    pub fn new(limits: Limits) -> Self {
        Self {
            entries: BTreeMap::new(),
            limits,
            bytes: 0,
            by_origin: BTreeMap::new(),
            expiries: BTreeSet::new(),
            sums: Sums(vec![0; BUCKETS]),
            claims: VecDeque::new(),
            cursor: Id160::from([0; 20]),
            changed: None,
        }
    }

    /// Collects changes from now on.
    pub fn watch(&mut self) {
        self.changed.get_or_insert_default();
    }

    /// Returns what has changed since the last call.
    pub fn changes(&mut self) -> Vec<Saved> {
        let keys = self.changed.as_mut().map(core::mem::take).unwrap_or_default();
        keys.into_iter().map(|key| self.saved(key)).collect()
    }

    /// Returns all entries as they are saved.
    pub fn all(&self) -> impl Iterator<Item = Saved> {
        self.entries.keys().map(|key| self.saved(*key))
    }

    fn saved(&self, key: Id160) -> Saved {
        let kept = self.entries.get(&key);
        Saved {
            key,
            entry: kept.map(|kept| kept.entry.clone()),
            expires: kept.and_then(|kept| kept.expires),
            origin: kept.map_or(0, |kept| kept.origin),
        }
    }

    pub fn find(&self, key: Id160) -> Option<&Entry> {
        self.entries.get(&key).map(|kept| &kept.entry)
    }

    /// Returns the rest of the lifetime in seconds, rounded down; 0 means without limit, and `None` that it ends within
    /// a second. Rounded down, an entry that is passed on never lives longer than at its sender.
    pub fn lifetime(&self, key: Id160, now: Duration) -> Option<u32> {
        let Some(at) = self.entries.get(&key)?.expires else { return Some(0) };
        let rest = u32::try_from(at.saturating_sub(now).as_secs()).unwrap_or(u32::MAX);
        Some(rest).filter(|rest| *rest > 0)
    }

    /// Keeps an entry unless what is there is as new. An entry that is there keeps the earlier end.
    ///
    /// `lifetime` is in seconds, 0 for one without limit.
    pub fn keep(
        &mut self,
        key: Id160,
        entry: Entry,
        lifetime: u32,
        origin: u64,
        now: Duration,
    ) -> Result<(), NoRoom> {
        let end = now.saturating_add(Duration::from_secs(lifetime.into()));
        let expires = (lifetime > 0).then_some(end);
        if let Some(kept) = self.entries.get(&key)
            && entry <= kept.entry
        {
            let earlier = expires.filter(|at| kept.expires.is_none_or(|kept| *at < kept));
            if entry == kept.entry && earlier.is_some() {
                self.set_expiry(key, earlier);
            }
            if let Some(kept) = self.entries.get_mut(&key) {
                kept.since = now;
            }
            return Ok(());
        }
        let size = entry.value.len() + OVERHEAD;
        let old =
            self.entries.get(&key).map(|kept| (kept.entry.value.len() + OVERHEAD, kept.origin));
        let freed = old.map_or(0, |(size, _)| size);
        let freed_here = old.filter(|(_, by)| *by == origin).map_or(0, |(size, _)| size);
        let share = self.by_origin.get(&origin).copied().unwrap_or(0);
        let grows = size > freed; // a deletion always finds room
        let too_many = self.bytes - freed + size > self.limits.total;
        let too_much = share - freed_here + size > self.limits.per_origin;
        if grows && (too_many || too_much) {
            return Err(NoRoom);
        }
        self.remove(key);
        let fingerprint = fingerprint(key, &entry);
        self.sums.add(key, fingerprint);
        self.bytes += size;
        *self.by_origin.entry(origin).or_default() += size;
        self.entries.insert(key, Kept { entry, expires: None, since: now, origin, fingerprint });
        self.set_expiry(key, expires);
        Ok(())
    }

    fn set_expiry(&mut self, key: Id160, expires: Option<Duration>) {
        let Some(kept) = self.entries.get_mut(&key) else { return };
        if let Some(at) = kept.expires {
            self.expiries.remove(&(at, key));
        }
        kept.expires = expires;
        self.expiries.extend(expires.map(|at| (at, key)));
        self.note(key);
    }

    fn note(&mut self, key: Id160) {
        if let Some(changed) = &mut self.changed {
            changed.insert(key);
        }
    }

    pub fn remove(&mut self, key: Id160) {
        let Some(kept) = self.entries.remove(&key) else { return };
        let size = kept.entry.value.len() + OVERHEAD;
        self.bytes -= size;
        self.sums.add(key, kept.fingerprint.wrapping_neg());
        if let Some(share) = self.by_origin.get_mut(&kept.origin) {
            *share -= size;
            if *share == 0 {
                self.by_origin.remove(&kept.origin);
            }
        }
        if let Some(at) = kept.expires {
            self.expiries.remove(&(at, key));
        }
        self.note(key);
    }

    /// Removes what has come to its end.
    pub fn expire(&mut self, now: Duration) {
        while let Some((_, key)) = self.expiries.first().copied().filter(|(at, _)| *at <= now) {
            self.remove(key);
        }
    }

    /// Returns when the next entry comes to its end.
    pub fn next_expiry(&self) -> Option<Duration> {
        self.expiries.first().map(|(at, _)| *at)
    }

    /// Returns the keys in the range, clockwise.
    pub fn keys(&self, range: KeyRange<Id160>) -> impl Iterator<Item = Id160> {
        let wraps = range.after >= range.through;
        let end = if wraps { Unbounded } else { Included(range.through) };
        let first = self.entries.range((Excluded(range.after), end));
        let second = wraps.then(|| self.entries.range((Unbounded, Included(range.through))));
        first.chain(second.into_iter().flatten()).map(|(key, _)| *key)
    }

    /// An owner says that the range is its own.
    pub fn claim(&mut self, range: KeyRange<Id160>, now: Duration) {
        self.claims.retain(|(claimed, _)| *claimed != range);
        if self.claims.len() == MOST_CLAIMS {
            self.claims.pop_front();
        }
        self.claims.push_back((range, now));
    }

    /// Returns a key to which nobody has laid claim since `then`. Each call looks at a part of the store.
    pub fn stray(&mut self, then: Duration) -> Option<Id160> {
        while self.claims.front().is_some_and(|(_, at)| *at < then) {
            self.claims.pop_front();
        }
        let mut last = None;
        let from = self.entries.range((Excluded(self.cursor), Unbounded));
        for (key, kept) in from.take(STRIDE) {
            last = Some(*key);
            let claimed = self.claims.iter().any(|(range, _)| range.contains(*key));
            if kept.since < then && !claimed {
                self.cursor = *key;
                return Some(*key);
            }
        }
        // At the end it begins anew; the key of only zero bits is never looked at, and is never a stray.
        self.cursor = last.unwrap_or_else(|| Id160::from([0; 20]));
        None
    }

    /// Two stores with the same digest have the same entries in the range: the sum of their fingerprints.
    pub fn digest(&self, range: KeyRange<Id160>) -> u128 {
        let first = bucket(range.after);
        let last = bucket(range.through);
        let sums = &self.sums.0;
        let whole = if range.after < range.through {
            [sums.get(first + 1..last), None]
        } else {
            [sums.get(first + 1..), sums.get(..last)]
        };
        let whole = whole.into_iter().flatten().flatten();
        let mut sum = whole.fold(0_u128, |sum, bucket| sum.wrapping_add(*bucket));
        let mut edges = vec![first, last];
        edges.dedup();
        for edge in edges {
            let end = if edge + 1 < BUCKETS { Excluded(bucket_start(edge + 1)) } else { Unbounded };
            let inside = self.entries.range((Included(bucket_start(edge)), end));
            for (_, kept) in inside.filter(|(key, _)| range.contains(**key)) {
                sum = sum.wrapping_add(kept.fingerprint);
            }
        }
        sum
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns how many bytes of the limit are in use.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Sums {
    fn add(&mut self, key: Id160, fingerprint: u128) {
        let sum = &mut self.0[bucket(key)];
        *sum = sum.wrapping_add(fingerprint);
    }
}

/// Returns the bucket of a key.
fn bucket(key: Id160) -> usize {
    let bytes = <[u8; 20]>::from(key);
    usize::from(u16::from_be_bytes([bytes[0], bytes[1]]) >> 6)
}

fn bucket_start(bucket: usize) -> Id160 {
    let mut bytes = [0; 20];
    bytes[..2].copy_from_slice(&((bucket as u16) << 6).to_be_bytes());
    Id160::from(bytes)
}

/// The lifetime is not part of it: it differs a little from node to node.
fn fingerprint(key: Id160, entry: &Entry) -> u128 {
    let mut bytes = <[u8; 20]>::from(key).to_vec();
    put_entry(&mut bytes, entry, 0);
    let hash = <[u8; 32]>::from(Sha256::digest(&bytes));
    hash.iter().take(16).fold(0, |all, byte| all << 8 | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn key(first: u8, last: u8) -> Id160 {
        let mut bytes = [0; 20];
        bytes[0] = first;
        bytes[19] = last;
        Id160::from(bytes)
    }

    fn entry(version: u64, text: &str) -> Entry {
        Entry { version, deleted: false, value: text.into() }
    }

    fn store(total: usize) -> Store {
        Store::new(Limits { total, per_origin: total / 2 })
    }

    #[test]
    fn the_higher_version_stays_then_the_deletion_then_the_greater_value() {
        let deletion = Entry { version: 2, deleted: true, value: vec![] };
        let order = [entry(1, "b"), entry(2, "a"), entry(2, "b"), deletion, entry(3, "")];
        for (n, older) in order.iter().enumerate() {
            for newer in &order[n..] {
                for pair in [[older, newer], [newer, older]] {
                    let mut store = store(10_000);
                    for entry in pair {
                        store.keep(key(1, 1), entry.clone(), 0, 1, SECOND).unwrap();
                    }
                    assert_eq!(store.find(key(1, 1)), Some(newer));
                }
            }
        }
    }

    #[test]
    fn digests_agree_exactly_where_the_entries_do() {
        let mut rng = sim::Rng::new(1);
        for _ in 0..300 {
            let mut one = store(1 << 20);
            let mut two = store(1 << 20);
            let mut random = || key(rng.below(3) as u8 * 100, rng.below(4) as u8);
            let range = KeyRange { after: random(), through: random() };
            for _ in 0..6 {
                one.keep(random(), entry(1, "x"), 0, 1, SECOND).unwrap();
                two.keep(random(), entry(1, "x"), 0, 1, SECOND).unwrap();
            }
            let listed = |store: &Store| {
                let mut all: Vec<_> = store.keys(range).collect();
                assert!(all.iter().all(|key| range.contains(*key)));
                all.sort();
                all
            };
            assert_eq!(one.digest(range) == two.digest(range), listed(&one) == listed(&two));
        }
    }

    #[test]
    fn one_origin_has_its_share_and_no_more() {
        let mut store = store(8 * (OVERHEAD + 10));
        let value = entry(1, "ten bytes.");
        for n in 1..=4 {
            store.keep(key(n, 1), value.clone(), 0, 1, SECOND).unwrap();
        }
        assert_eq!(store.keep(key(5, 1), value.clone(), 0, 1, SECOND), Err(NoRoom));
        store.keep(key(5, 1), value.clone(), 0, 2, SECOND).unwrap();
        let deletion = Entry { version: 2, deleted: true, value: vec![] };
        store.keep(key(1, 1), deletion, 0, 1, SECOND).unwrap();
        store.remove(key(2, 1));
        store.keep(key(6, 1), value.clone(), 0, 1, SECOND).unwrap();
        for n in 7..=9 {
            store.keep(key(n, 1), value.clone(), 0, 2, SECOND).unwrap();
        }
        assert_eq!(store.keep(key(10, 1), value, 0, 3, SECOND), Err(NoRoom));
        assert!(store.bytes() <= 8 * (OVERHEAD + 10));
    }

    #[test]
    fn an_entry_ends_in_time_and_the_earlier_end_counts() {
        let mut store = store(10_000);
        store.keep(key(1, 1), entry(1, "a"), 5, 1, SECOND).unwrap();
        store.keep(key(1, 1), entry(1, "a"), 9, 1, SECOND).unwrap();
        assert_eq!(store.lifetime(key(1, 1), SECOND * 2), Some(4));
        store.keep(key(1, 1), entry(1, "a"), 2, 1, SECOND).unwrap();
        assert_eq!(store.next_expiry(), Some(SECOND * 3));
        assert_eq!(store.lifetime(key(1, 1), SECOND * 5 / 2), None, "too short to pass it on");
        store.expire(Duration::from_nanos(2_999_999_999));
        assert_eq!(store.len(), 1);
        store.expire(SECOND * 3);
        assert_eq!((store.len(), store.bytes(), store.next_expiry()), (0, 0, None));
        let range = KeyRange { after: key(0, 0), through: key(0, 0) };
        assert_eq!(store.digest(range), 0);
    }

    #[test]
    fn a_stray_is_found_wherever_it_lies() {
        let mut store = store(10_000_000);
        for n in 0..3 * STRIDE {
            let mut bytes = [0; 20];
            bytes[..4].copy_from_slice(&(n as u32 * 500_000 + 1).to_be_bytes());
            store.keep(Id160::from(bytes), entry(1, ""), 0, n as u64 % 9, SECOND).unwrap();
        }
        let last = *store.entries.keys().next_back().unwrap();
        let all_but_last = KeyRange { after: last, through: key(0x50, 0) };
        store.claim(all_but_last, SECOND * 30);
        let found = (0..4).find_map(|_| store.stray(SECOND * 20));
        assert!(found.is_some_and(|key| !all_but_last.contains(key)));
        store.claim(KeyRange { after: last, through: last }, SECOND * 31);
        assert_eq!((0..9).find_map(|_| store.stray(SECOND * 20)), None);
    }
}
