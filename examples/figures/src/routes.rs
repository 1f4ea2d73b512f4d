//! The table of seen GUIDs, up to a million of them, beside a hash map that keeps the same.

use std::collections::hash_map::RandomState;
use std::hint::black_box;
use std::time::Duration;

use gnutella_wire::Guid;
use gnutella_wire::routes::{Key, Lifetimes, Route, RouteSlot, RouteSource, RouteTable};
use hashbrown::HashMap;

use crate::measure::{Contestant, NANOSECONDS, scatter, table};

const SIZES: [u64; 3] = [1_000, 100_000, 1_000_000];
const LOOKUPS: u64 = 1 << 20;

/// How GUIDs are made: by number.
type Guids = fn(u64) -> Guid;

pub fn measure() -> String {
    let mut tables: Vec<String> = SIZES.iter().map(|size| of("random", *size, guid)).collect();
    tables.push(of("alike but for 20 bits", 1_000_000, alike));
    tables.join("\n")
}

fn of(kind: &str, guids: u64, guid: Guids) -> String {
    eprintln!("  {guids} GUIDs, {kind}");
    // 15 of 16 slots hold keys, and 87 % of these are taken.
    let slots = guids as usize * 1_600 / (87 * 15);
    let mut ours = RouteTable::new(7, Lifetimes::default(), vec![RouteSlot::EMPTY; slots]);
    let mut peer = HashMap::with_capacity_and_hasher(guids as usize, RandomState::new());
    for n in 0..guids {
        let route = Route { source: RouteSource(n as u32 % 64), ttl: 4, hops: 1 };
        ours.insert(Duration::ZERO, Key::Query(guid(n)), route);
        peer.insert(guid(n).0, route);
    }
    let kept = (0..guids).filter(|n| ours.find(Duration::ZERO, Key::Query(guid(*n))).is_some());
    let mut text = format!(
        "{} of {guids} GUIDs, {kind}, are held, in {:.1} bytes each; hashbrown takes {:.1}.\n",
        kept.count(),
        (slots * size_of::<RouteSlot>()) as f64 / guids as f64,
        peer.allocation_size() as f64 / guids as f64,
    );
    for (title, first) in [("known", 0), ("unknown", guids)] {
        let keys: Vec<Guid> = (0..LOOKUPS).map(|n| guid(first + scatter(n) % guids)).collect();
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

/// What somebody sends who wants all GUIDs in one place of a table.
fn alike(n: u64) -> Guid {
    Guid((u128::from(n) << 100).to_le_bytes())
}
