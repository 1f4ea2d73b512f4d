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

#[cfg(test)]
#[expect(clippy::expect_used, clippy::indexing_slicing, reason = "a wrong number fails the test")]
mod tests {
    use super::*;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    /// Puts the number `n`, from a network or ours.
    fn put(slots: &mut [ItemSlot], now: u64, network: Option<u8>, n: u32) -> Result<(), Refusal> {
        let from = network.map(|network| [45, 0, network, 1].into());
        let value = std::format!("i{n}e");
        let item = Item::immutable(value.as_bytes()).expect("a number");
        store(slots, &mut Rng::new(u64::from(n)), secs(now), from, &item, None)
    }

    /// Returns the numbers that are stored, slot by slot.
    fn numbers(slots: &[ItemSlot]) -> std::vec::Vec<Option<u32>> {
        let number = |stored: &StoredItem| {
            let digits =
                stored.value().trim_ascii_start().strip_prefix(b"i")?.strip_suffix(b"e")?;
            core::str::from_utf8(digits).ok()?.parse().ok()
        };
        slots.iter().map(|slot| slot.0.as_ref().and_then(number)).collect()
    }

    /// Two of a network, or 1/16 of the slots: a third item replaces its oldest one, though there are free slots.
    #[test]
    fn a_network_replaces_its_own_oldest_item() {
        let mut slots = [ItemSlot::EMPTY; 5];
        for (now, network, n) in [(0, 1, 1), (1, 2, 2), (2, 1, 3), (3, 1, 4), (4, 1, 1), (5, 1, 5)]
        {
            assert_eq!(put(&mut slots, now, Some(network), n), Ok(()));
        }
        assert_eq!(numbers(&slots), [Some(5), Some(2), Some(1), None, None]);
        let mut many = std::vec![ItemSlot::EMPTY; 48];
        for n in 1..=9 {
            assert_eq!(put(&mut many, n.into(), Some(1), n), Ok(()));
        }
        assert_eq!(numbers(&many)[..4], [Some(7), Some(8), Some(9), None]);
    }

    /// An item that is put again is as new as then, and stays in the quota of the network that put it first.
    #[test]
    fn an_item_that_is_put_again_is_new() {
        let mut slots = [ItemSlot::EMPTY; 5];
        for (now, network, n) in [(0, 1, 1), (1, 1, 2), (2, 3, 1), (3, 1, 3)] {
            assert_eq!(put(&mut slots, now, Some(network), n), Ok(()));
        }
        assert_eq!(
            numbers(&slots),
            [Some(1), Some(3), None, None, None],
            "2 was the oldest of network 1"
        );
        let target = Item::immutable(b"i1e").expect("a number").target();
        assert!(find(&slots, secs(7_201), target).is_some());
        assert!(find(&slots, secs(7_202), target).is_none(), "two hours after the last put");
        assert_eq!(put(&mut slots, 7_202, Some(9), 9), Ok(()));
        assert_eq!(numbers(&slots)[..2], [Some(9), Some(3)], "its slot is free");
    }

    /// In a full table items of others give way, those of ours never.
    #[test]
    fn items_of_ours_never_give_way() {
        let mut slots = [ItemSlot::EMPTY; 4];
        assert_eq!(put(&mut slots, 0, None, 1), Ok(()));
        assert_eq!(put(&mut slots, 0, Some(1), 2), Ok(()));
        assert_eq!(put(&mut slots, 0, None, 3), Ok(()));
        assert_eq!(put(&mut slots, 0, None, 1), Ok(()), "again");
        let mut places = [0; 2];
        for n in 100..200 {
            assert_eq!(put(&mut slots, 1, u8::try_from(n).ok(), n), Ok(()));
            let stored = numbers(&slots);
            assert_eq!([stored[0], stored[2]], [Some(1), Some(3)]);
            places[0] += u32::from(stored[1] == Some(n));
            places[1] += u32::from(stored[3] == Some(n));
        }
        assert!(
            places.iter().all(|count| *count >= 25) && places[0] + places[1] == 100,
            "{places:?}"
        );
        // What another node puts is ours, and stays so.
        assert_eq!(put(&mut slots, 2, Some(250), 1), Ok(()));
        assert_eq!(put(&mut slots, 2, None, 4), Ok(()));
        assert_eq!(put(&mut slots, 2, None, 5), Ok(()));
        assert_eq!(put(&mut slots, 2, None, 6), Err(Refusal::NoRoom), "all are ours");
        assert_eq!(put(&mut slots, 2, Some(77), 7), Err(Refusal::NoRoom));
        assert_eq!(put(&mut [], 2, None, 7), Err(Refusal::NoRoom));
    }
}
