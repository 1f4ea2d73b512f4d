//! The table of seen GUIDs with a million of them, beside a hash map that keeps the same.

use std::collections::hash_map::RandomState;
use std::hint::black_box;
use std::time::Duration;

use gnutella_wire::Guid;
use gnutella_wire::routes::{Key, Lifetimes, Route, RouteSlot, RouteSource, RouteTable};
use hashbrown::HashMap;

use crate::measure::{Contestant, NANOSECONDS, table};

const GUIDS: u64 = 1_000_000;
/// 15 of 16 slots hold keys, and 87 % of these are taken.
const SLOTS: usize = 1_000_000 * 1_600 / (87 * 15);
const LOOKUPS: u64 = 1 << 20;

pub fn measure() -> String {
    let mut ours = RouteTable::new(7, Lifetimes::default(), vec![RouteSlot::EMPTY; SLOTS]);
    let mut peer = HashMap::with_capacity_and_hasher(GUIDS as usize, RandomState::new());
    for n in 0..GUIDS {
        let route = Route { source: RouteSource(n as u32 % 64), ttl: 4, hops: 1 };
        ours.insert(Duration::ZERO, Key::Query(guid(n)), route);
        peer.insert(guid(n).0, route);
    }
    let kept = (0..GUIDS).filter(|n| ours.find(Duration::ZERO, Key::Query(guid(*n))).is_some());
    let mut text = format!(
        "{} of {GUIDS} GUIDs are held, in {:.1} bytes each; hashbrown takes {:.1}.\n",
        kept.count(),
        (SLOTS * size_of::<RouteSlot>()) as f64 / GUIDS as f64,
        peer.allocation_size() as f64 / GUIDS as f64,
    );
    for (title, first) in [("known", 0), ("unknown", GUIDS)] {
        let keys: Vec<Guid> = (0..LOOKUPS).map(|n| guid(first + scatter(n) % GUIDS)).collect();
        let expected = keys.iter().filter(|key| peer.contains_key(&key.0)).count();
        text.push('\n');
        text += &table(
            &format!("look-up of {title} GUIDs in random order"),
            keys.len(),
            NANOSECONDS,
            7,
            vec![
                Contestant::new("hashbrown 0.16 with SipHash", || {
                    let found = keys.iter().filter(|key| peer.get(&black_box(key.0)).is_some());
                    assert_eq!(found.count(), expected);
                }),
                Contestant::new("`RouteTable`", || {
                    let found = keys.iter().filter(|key| {
                        ours.find(Duration::ZERO, black_box(Key::Query(**key))).is_some()
                    });
                    black_box(found.count());
                }),
            ],
        );
    }
    text
}

fn guid(n: u64) -> Guid {
    Guid((u128::from(scatter(n)) << 64 | u128::from(scatter(!n))).to_le_bytes())
}

/// Returns a number that depends on `n` in no simple way (the finaliser of `SplitMix64`).
fn scatter(n: u64) -> u64 {
    let z = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
