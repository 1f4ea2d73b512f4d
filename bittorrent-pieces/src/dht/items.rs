//! The items that other nodes put to us, and our own (BEP 44).

use core::net::IpAddr;
use core::time::Duration;

use super::id::NodeId;
use super::item::{Item, MAX_VALUE_LEN, Signed};
use super::short_bytes::ShortBytes;
use crate::network::Network;
use crate::rng::Rng;

/// An item that nobody puts again is removed after this time (BEP 44).
const AGE: Duration = Duration::from_secs(2 * 60 * 60);
/// The number of items that a network may store in any table.
const LEAST_SHARE: usize = 2;
/// A network may take one of this many slots.
const SHARE: usize = 16;

/// A slot for one stored item: at most 1,280 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemSlot(Option<StoredItem>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StoredItem {
    target: NodeId,
    key: Option<Key>,
    value: ShortBytes<MAX_VALUE_LEN>,
    network: Option<Network>, // which put it; `None` for an item of ours
    at: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    public: [u8; 32],
    signature: [u8; 64],
    seq: i64,
}

/// Why an item was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The stored item has another sequence number than the sender expects.
    Cas,
    /// The stored item is as new or newer.
    Old,
    /// No slot may be used: the table has none, or all hold items of ours.
    NoRoom,
}

impl ItemSlot {
    /// An unused slot.
    pub const EMPTY: Self = Self(None);
}

impl StoredItem {
    pub(super) fn value(&self) -> &[u8] {
        self.value.as_bytes()
    }

    /// Returns public key, signature and sequence number of a mutable item.
    pub(super) fn key(&self) -> Option<(&[u8; 32], &[u8; 64], i64)> {
        self.key.as_ref().map(|key| (&key.public, &key.signature, key.seq))
    }

    /// Returns the item; a salt is not stored.
    pub(super) fn item<'a>(&'a self, salt: &'a [u8]) -> Item<'a> {
        let signed = self.key.map(|key| Signed {
            public_key: key.public,
            signature: key.signature,
            seq: key.seq,
            salt,
        });
        Item { value: self.value(), signed }
    }

    const EMPTY: Self = Self {
        target: NodeId([0; 20]),
        key: None,
        value: ShortBytes::EMPTY,
        network: None,
        at: Duration::ZERO,
    };

    /// Stores an item in place: it is large.
    fn set(&mut self, target: NodeId, item: &Item<'_>, network: Option<Network>, now: Duration) {
        self.target = target;
        self.key = item.signed.map(|signed| Key {
            public: signed.public_key,
            signature: signed.signature,
            seq: signed.seq,
        });
        self.value.set(item.value);
        self.network = network;
        self.at = now;
    }

    fn is_fresh(&self, now: Duration) -> bool {
        self.at.checked_add(AGE).is_none_or(|end| now < end)
    }
}

/// Stores an item from an address, or one of ours. A stored mutable item gives way to a newer one. A network that has
/// used up its quota replaces its own oldest item; in a full table a random item of others is replaced.
pub(super) fn store(
    slots: &mut [ItemSlot],
    rng: &mut Rng,
    now: Duration,
    from: Option<IpAddr>,
    item: &Item<'_>,
    cas: Option<i64>,
) -> Result<(), Refusal> {
    let network = from.map(Network::of);
    let target = item.target();
    let known = slots.iter_mut().filter_map(|slot| slot.0.as_mut());
    let mut known = known.filter(|stored| stored.is_fresh(now));
    if let Some(stored) = known.find(|stored| stored.target == target) {
        check(stored, item, cas)?;
        // An item of ours stays ours, and the first network that put it keeps it in its quota.
        let network = network.and(stored.network);
        stored.set(target, item, network, now);
        return Ok(());
    }
    let place = place(slots, rng, now, network).ok_or(Refusal::NoRoom)?;
    let slot = slots.get_mut(place).ok_or(Refusal::NoRoom)?;
    slot.0.insert(StoredItem::EMPTY).set(target, item, network, now);
    Ok(())
}

/// Compares an item with the stored one of the same target.
fn check(stored: &StoredItem, item: &Item<'_>, cas: Option<i64>) -> Result<(), Refusal> {
    let (Some(key), Some(seq)) = (stored.key, item.seq()) else { return Ok(()) };
    if cas.is_some_and(|cas| cas != key.seq) {
        return Err(Refusal::Cas);
    }
    let other = stored.value() != item.value;
    if seq < key.seq || (seq == key.seq && other) { Err(Refusal::Old) } else { Ok(()) }
}

fn place(
    slots: &[ItemSlot],
    rng: &mut Rng,
    now: Duration,
    network: Option<Network>,
) -> Option<usize> {
    let mut free = None;
    let mut same = 0_usize;
    let mut oldest: Option<(Duration, usize)> = None;
    let mut foreign = 0_u64; // items of others
    for (at, slot) in slots.iter().enumerate() {
        let Some(stored) = slot.0.as_ref().filter(|stored| stored.is_fresh(now)) else {
            free = free.or(Some(at));
            continue;
        };
        foreign = foreign.saturating_add(u64::from(stored.network.is_some()));
        if network.is_some() && stored.network == network {
            same = same.saturating_add(1);
            if oldest.is_none_or(|(first, _)| stored.at < first) {
                oldest = Some((stored.at, at));
            }
        }
    }
    let quota = slots.len().checked_div(SHARE).unwrap_or(0).max(LEAST_SHARE);
    if network.is_some_and(|network| same >= network.share(quota, usize::MAX)) {
        return oldest.map(|(_, at)| at);
    }
    free.or_else(|| {
        let drawn = usize::try_from(rng.below(foreign)).unwrap_or(usize::MAX);
        let others = slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.0.as_ref().is_some_and(|stored| stored.network.is_some()));
        others.map(|(at, _)| at).nth(drawn)
    })
}

/// Returns the stored item of a target.
pub(super) fn find(slots: &[ItemSlot], now: Duration, target: NodeId) -> Option<&StoredItem> {
    let mut stored = slots.iter().filter_map(|slot| slot.0.as_ref());
    stored.find(|stored| stored.target == target && stored.is_fresh(now))
}
