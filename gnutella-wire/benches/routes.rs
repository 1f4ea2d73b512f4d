//! The route table of 2^21 slots with 2^20 GUIDs from 64 links: what a look-up of a known and of an
//! unknown GUID takes (the median over batches of 64 in random order), what learning takes, and what
//! closing one of the links takes.
//!
//! The bare memory is measured beside it: random reads of 26 bytes, each of which waits for the one before. Compare within one run.

use core::cell::Cell;
use core::hint::black_box;
use core::time::Duration;
use std::time::Instant;

use gnutella_wire::routes::{Key, Lifetimes, Route, RouteSlot, RouteSource, RouteTable};
use gnutella_wire::{Config, ConnId, ConnSlot, Guid, Role, Servent, ServentId, ServentSlots};

const SLOTS: usize = 1 << 21;
const GUIDS: u64 = 1 << 20;
const BATCH: u64 = 64;

fn main() {
    assert!(size_of::<RouteSlot>() <= 32);
    let mut table = RouteTable::new(7, Lifetimes::default(), vec![RouteSlot::EMPTY; SLOTS]);
    let start = Instant::now();
    for n in 0..GUIDS {
        let route = Route { source: RouteSource(n as u32 % 64), ttl: 4, hops: 1 };
        table.insert(Duration::ZERO, key(n), route);
    }
    println!("slot                {:5} bytes", size_of::<RouteSlot>());
    println!("learn               {:7.1} ns", start.elapsed().as_nanos() as f64 / GUIDS as f64);
    let find = |key: Key| table.find(Duration::ZERO, key).is_some();
    let known = median(|n| key(scatter(n) % GUIDS), find);
    let unknown = median(|n| key(GUIDS + n), find);
    let plain: Vec<[u8; 26]> = vec![[1; 26]; SLOTS];
    let last = Cell::new(0); // so that a read waits for the one before
    let memory = median(scatter, |n: u64| {
        let slot = scatter(n.wrapping_add(last.get())) as usize % SLOTS;
        last.set(u64::from(plain[slot][9]));
        last.get() == 1
    });
    println!("find, known         {known:7.1} ns, median");
    println!("find, unknown       {unknown:7.1} ns, median");
    println!("a read of one slot  {memory:7.1} ns, median");
    println!("closing a link      {:7.1} ns, median, with 2^21 route slots", close());
}

fn key(n: u64) -> Key {
    let random = u128::from(scatter(n)) << 64 | u128::from(scatter(!n));
    Key::Query(Guid(random.to_le_bytes()))
}

/// Returns a number that depends on `n` in no simple way (the finaliser of `SplitMix64`).
fn scatter(n: u64) -> u64 {
    let z = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Returns the median of the times that a call takes, without the preparation of its arguments.
fn median<T: Copy>(prepare: impl Fn(u64) -> T, call: impl Fn(T) -> bool) -> f64 {
    let mut times: Vec<f64> = (0..8_000)
        .map(|batch| {
            let inputs: Vec<T> = (0..BATCH).map(|n| prepare(batch * BATCH + n)).collect();
            let start = Instant::now();
            let found = inputs.iter().filter(|input| call(*black_box(*input))).count();
            black_box(found);
            start.elapsed().as_nanos() as f64 / BATCH as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Closes and reopens a link of a servent with 64 of them.
fn close() -> f64 {
    let address = core::net::SocketAddrV4::new(core::net::Ipv4Addr::LOCALHOST, 6346);
    let mut config = Config::peer(ServentId([1; 16]), address);
    config.max_peers = 64;
    let links = vec![ConnSlot::EMPTY; 64];
    let routes = vec![RouteSlot::EMPTY; SLOTS];
    let slots = ServentSlots::flooding(links, routes);
    let mut node = Servent::new(config, slots).expect("valid");
    let now = Duration::ZERO;
    for link in 0..64 {
        node.handle_connected(now, ConnId(link), Role::Peer).expect("room");
    }
    let mut times: Vec<u128> = (0..10_000)
        .map(|n| {
            let link = ConnId(n % 64);
            let start = Instant::now();
            node.handle_closed(now, link);
            let took = start.elapsed().as_nanos();
            node.handle_connected(now, link, Role::Peer).expect("room");
            took
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2] as f64
}
