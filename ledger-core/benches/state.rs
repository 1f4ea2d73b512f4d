//! The map: insertion into maps of three sizes, and transfers in a map of 1,000,000 accounts, in blocks of 1,000 with one
//! root each. A transfer reads and writes two entries and keeps the old values for undo. The accounts of
//! a block are changed by one call.
//!
//! With `GLIBC_TUNABLES=glibc.malloc.hugetlb=1` the map lies in large pages, as that of a server would.
//!
//! CPU time of the thread. Of the transfers the median block counts, with the part that the root takes.

use core::hint::black_box;
use std::time::Instant;

use ledger_core::Slot;
use ledger_core::state::{Key, Store as _, Trie, Value};

const BLOCK: u64 = 1000;
const BLOCKS: usize = 101;

fn key(n: u64) -> Key {
    Key::new(64, &n.to_be_bytes())
}

fn value(coins: u64) -> Value {
    Value::new(&[coins.to_be_bytes(), [0; 8]].concat()).expect("16 bytes")
}

fn filled(entries: u64) -> (Trie<Vec<Slot>>, f64) {
    let mut map = Trie::new(vec![Slot::EMPTY; entries as usize]);
    let keys: Vec<Key> = (0..entries).map(key).collect();
    let start = cpu_seconds();
    for (n, key) in keys.iter().enumerate() {
        map.replace(key, Some(&value(1000))).expect("there is room");
        if (n as u64).is_multiple_of(BLOCK) {
            black_box(map.root());
        }
    }
    black_box(map.root());
    (map, (cpu_seconds() - start) / entries as f64)
}

fn main() {
    println!("{} bytes an entry", size_of::<Slot>());
    for entries in [1_000, 100_000] {
        let (_, seconds) = filled(entries);
        println!("{entries:>9} entries: {:6.2} us an insertion, root included", seconds * 1e6);
    }
    let (mut map, seconds) = filled(1_000_000);
    println!("  1000000 entries: {:6.2} us an insertion, root included", seconds * 1e6);

    let mut journal: Vec<(Key, Value)> = Vec::with_capacity(2 * BLOCK as usize);
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        key((state >> 33) % 1_000_000)
    };
    let mut blocks = Vec::with_capacity(BLOCKS);
    for _ in 0..BLOCKS {
        let pairs: Vec<[Key; 2]> = (0..BLOCK).map(|_| [next(), next()]).collect();
        let start = cpu_seconds();
        journal.clear();
        let keys = pairs.as_flattened();
        let count = map.update_each(keys, |at, old| {
            journal.push((keys[at], *old));
            let change = if at.is_multiple_of(2) { u64::MAX } else { 1 };
            let coins = u64::from_be_bytes(old.as_bytes()[..8].try_into().expect("8 bytes"));
            value(coins.wrapping_add(change))
        });
        assert_eq!(count, keys.len());
        let written = cpu_seconds();
        black_box(map.root());
        let end = cpu_seconds();
        blocks.push((end - start, end - written));
    }
    blocks.sort_by(|one, two| one.0.total_cmp(&two.0));
    let (all, root) = blocks[BLOCKS / 2];
    let each = 1e6 / BLOCK as f64;
    println!(
        "1,000,000 entries: {:.2} us a transfer, journal and root included; the root takes {:.2} us",
        all * each,
        root * each
    );
}

fn cpu_seconds() -> f64 {
    std::thread::yield_now(); // or the system reports the time of the last tick
    // Wall time counts the other programs of a shared machine, and serves where there is no such file.
    thread_local!(static START: Instant = Instant::now());
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok())
        .map_or_else(|| START.with(|start| start.elapsed().as_secs_f64()), |nanos| nanos / 1e9)
}
