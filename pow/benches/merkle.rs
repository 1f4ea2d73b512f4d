//! The trees of `ledger-core` by each kernel: the RFC 6962 root over 100,000 leaves of 32 bytes and of 197, the length of a
//! payment, hashing of the leaves included; and transfers in a map of
//! 1,000,000 accounts, in blocks of 1,000 transfers with one root each. A transfer reads and writes two entries and keeps the
//! old values for undo; the accounts of a block are changed by one call.
//!
//! The map has 200 MB. The system lays them in pages of 4 KiB, unless the program asks for large ones, as a server would: the
//! transfers run once more in a process whose allocator does (`GLIBC_TUNABLES=glibc.malloc.hugetlb=1`).
//!
//! CPU time of the thread; the best of twenty trees and the median of 21 blocks, all kernels in turn. Compare within one
//! run only. `stream` is `MerkleTree`, which hashes one pair after the other.

use core::hint::black_box;
use std::process::Command;
use std::time::Instant;

use ledger_core::merkle::{HashPairs as _, root_by_levels};
use ledger_core::state::{Key, Slot, Store as _, Trie, Value};
use ledger_core::{Hash, MerkleTree};
use pow::Kernel;

const LEAVES: u64 = 100_000;
const ACCOUNTS: u64 = 1_000_000;
const BLOCK: usize = 1000;
const BLOCKS: usize = 21;

/// Set in the process whose allocator asks for large pages.
const LARGE_PAGES: &str = "MERKLE_BENCH_LARGE_PAGES";

fn main() {
    if std::env::var_os(LARGE_PAGES).is_some() {
        return transfers("large pages");
    }
    trees(32);
    trees(197);
    transfers("pages of 4 KiB");
    if cfg!(all(target_os = "linux", target_env = "gnu"))
        && let Ok(program) = std::env::current_exe()
    {
        let mut again = Command::new(program);
        again.env(LARGE_PAGES, "1").env("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");
        let status = again.status().expect("this program starts again");
        assert!(status.success(), "{status}");
    }
}

/// Contents of this length, each with its number in front.
fn contents(len: usize) -> Vec<Vec<u8>> {
    let content = |i: u64| {
        let mut content = i.to_le_bytes().to_vec();
        content.resize(len, 7);
        content
    };
    (0..LEAVES).map(content).collect()
}

fn stream(contents: &[&[u8]]) -> Hash {
    let mut tree = MerkleTree::new();
    for content in contents {
        tree.push(MerkleTree::leaf(content));
    }
    tree.root()
}

fn trees(len: usize) {
    let contents = contents(len);
    let contents: Vec<&[u8]> = contents.iter().map(|content| &content[..]).collect();
    let root = stream(&contents);
    let kernels: Vec<Kernel> = Kernel::available().collect();
    let mut best = vec![[f64::INFINITY; 2]; kernels.len() + 1];
    let mut leaves = vec![Hash::ZERO; contents.len()];
    for _ in 0..20 {
        let start = cpu_seconds();
        black_box(stream(&contents));
        best[0][1] = best[0][1].min(cpu_seconds() - start);
        for (best, kernel) in best[1..].iter_mut().zip(&kernels) {
            let mut kernel = *kernel;
            let start = cpu_seconds();
            kernel.hash_leaves(&contents, &mut leaves);
            let middle = cpu_seconds();
            assert_eq!(root_by_levels(&mut leaves, &mut kernel), root, "{kernel}");
            let end = cpu_seconds();
            best[0] = best[0].min(middle - start);
            best[1] = best[1].min(end - start);
        }
    }
    println!("root over {LEAVES} leaves of {len} bytes");
    println!("  {:>8.2} ms  stream", best[0][1] * 1e3);
    for ([leaves, all], kernel) in best[1..].iter().zip(&kernels) {
        println!("  {:>8.2} ms  {kernel}, of which the leaves {:.2}", all * 1e3, leaves * 1e3);
    }
}

fn transfers(pages: &str) {
    let mut map = Trie::new(vec![Slot::EMPTY; ACCOUNTS as usize]);
    let key = |n: u64| Key::new(64, &n.to_be_bytes());
    let value = |coins: u64| Value::new(&coins.to_be_bytes()).expect("8 bytes");
    for n in 0..ACCOUNTS {
        map.replace(&key(n), Some(&value(1000))).expect("there is room");
    }
    map.root_with(&mut Kernel::best());
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        key((state >> 33) % ACCOUNTS)
    };
    println!("transfer among {ACCOUNTS} accounts in {pages}, journal and root included");
    let kernels: Vec<Kernel> = Kernel::available().collect();
    let mut times = vec![Vec::new(); kernels.len()];
    let mut journal = Vec::with_capacity(2 * BLOCK);
    for _ in 0..BLOCKS {
        for (times, kernel) in times.iter_mut().zip(&kernels) {
            let keys: Vec<Key> = (0..2 * BLOCK).map(|_| next()).collect();
            let start = cpu_seconds();
            journal.clear();
            map.update_each(&keys, |at, old| {
                journal.push((keys[at], *old));
                let coins = u64::from_be_bytes(*old.as_bytes().first_chunk().expect("8 bytes"));
                let change = if at.is_multiple_of(2) { u64::MAX } else { 1 };
                value(coins.wrapping_add(change))
            });
            black_box(map.root_with(&mut { *kernel }));
            times.push((cpu_seconds() - start) / BLOCK as f64);
        }
    }
    for (times, kernel) in times.iter_mut().zip(&kernels) {
        times.sort_by(f64::total_cmp);
        println!("  {:>8.2} us  {kernel}", times[BLOCKS / 2] * 1e6);
    }
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
