//! Query routing, the best of eight rounds of each:
//!
//! - hash: 10,000 words of 9 letters, against a plain scalar loop over the same bytes;
//! - merge: 300 leaf tables of 65,536 slots into one, against a plain OR of the bytes;
//! - patch: a table of 65,536 slots with 300 names, written and read, plain and compressed;
//! - route: 300 such tables asked for three words.

use core::hint::black_box;
use std::time::Instant;

use gnutella_wire::deflate::Inflater;
use gnutella_wire::qrp::{
    CompressedPatch, KeywordHash, KeywordRules, MatchRule, PatchEncoder, QueryTable, TableReceiver,
};
use gnutella_wire::wire::{Patch, Qrp};

fn main() {
    hash();
    let leaves: Vec<_> = (0..300).map(leaf).collect();
    merge(&leaves);
    patch(&leaves[0]);
    route(&leaves);
}

/// Returns seconds, the best of eight.
fn best(mut run: impl FnMut()) -> f64 {
    let rounds = (0..8).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    });
    rounds.fold(f64::INFINITY, f64::min)
}

fn leaf(n: u32) -> QueryTable<Vec<u8>> {
    let mut table = QueryTable::new(16, vec![0; 8_192]).expect("2^16 slots");
    for song in 0..300_u32 {
        let name = format!("artist {} - song {}.mp3", n * 31 + song / 10, n * 300 + song);
        KeywordRules::LimeWire.table_words(&name).for_each(|w| table.insert(KeywordHash::of(w)));
    }
    table
}

fn hash() {
    let words: Vec<String> = (0..10_000).map(|n| format!("{:09}", n * 7_919)).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ours = best(|| {
        for word in black_box(&words) {
            black_box(KeywordHash::of(word).slot(16));
        }
    });
    let plain = best(|| {
        for word in black_box(&words) {
            black_box(by_hand(word.as_bytes(), 16));
        }
    });
    assert!(words.iter().all(|w| KeywordHash::of(w).slot(16) == by_hand(w.as_bytes(), 16)));
    let letters = words.iter().map(|word| word.len()).sum::<usize>() as f64;
    println!("hash   KeywordHash::of   {:8.0} M letters/s", letters / ours / 1e6);
    println!("       scalar loop       {:8.0} M letters/s", letters / plain / 1e6);
    println!("       ratio             {:8.2}", plain / ours);
}

/// The hash as one writes it down for ASCII: a byte after the other.
fn by_hand(word: &[u8], bits: u32) -> u32 {
    let mut x = 0_u32;
    for (i, byte) in word.iter().enumerate() {
        x ^= u32::from(byte.to_ascii_lowercase()) << ((i & 3) * 8);
    }
    x.wrapping_mul(0x4F1B_BCDC) >> (32 - bits)
}

fn merge(leaves: &[QueryTable<Vec<u8>>]) {
    let mut up = QueryTable::new(16, vec![0; 8_192]).expect("2^16 slots");
    let ours = best(|| {
        up.clear();
        for leaf in black_box(leaves) {
            up.merge(leaf).expect("of one size");
        }
        black_box(&up);
    });
    let mut by_hand = vec![0_u8; 8_192];
    let plain = best(|| {
        by_hand.fill(0);
        for leaf in black_box(leaves) {
            by_hand.iter_mut().zip(leaf.as_bytes()).for_each(|(a, b)| *a |= *b);
        }
        black_box(&by_hand);
    });
    assert_eq!(up.as_bytes(), by_hand);
    let bytes = leaves.len() as f64 * 8_192.0;
    println!("merge  QueryTable::merge {:8.1} GB/s", bytes / ours / 1e9);
    println!("       plain OR          {:8.1} GB/s", bytes / plain / 1e9);
    let mut half = QueryTable::new(15, vec![0; 4_096]).expect("2^15 slots");
    let folding = best(|| {
        half.clear();
        for leaf in leaves {
            half.merge(leaf).expect("folds");
        }
        black_box(&half);
    });
    println!("       folding 64K in 32K{:8.1} GB/s", bytes / folding / 1e9);
}

fn patch(table: &QueryTable<Vec<u8>>) {
    let plan = PatchEncoder::new(table, None, 7, 4_096).expect("a plan");
    let mut messages = vec![0; usize::from(plan.message_count()) * (4_096 + Patch::MIN_LEN)];
    let written = best(|| {
        for (seq_no, out) in (1..).zip(messages.chunks_mut(4_096 + Patch::MIN_LEN)) {
            black_box(plan.encode(seq_no, out).expect("fits"));
        }
    });
    let mut stream = vec![0; 40_000];
    let mut len = 0;
    let packed = best(|| len = plan.compress(&mut stream).expect("fits"));
    let mut receiver = TableReceiver::new(vec![0; 8_192]).expect("memory");
    let reset = plan.reset();
    let read = best(|| {
        receiver.handle(&reset).expect("a reset");
        for message in messages.chunks(4_096 + Patch::MIN_LEN) {
            receiver.handle(&Qrp::decode(message).expect("a patch")).expect("in order");
        }
    });
    let mut inflater = Inflater::new(vec![0; Inflater::WINDOW]).expect("a window");
    let cut = CompressedPatch::new(&stream[..len], 4, 4_096).expect("a plan");
    let unpacked = best(|| {
        receiver.handle(&reset).expect("a reset");
        for message in cut.messages() {
            let Qrp::Patch(patch) = message else { unreachable!() };
            receiver.handle_compressed_patch(&patch, &mut inflater).expect("in order");
        }
    });
    assert_eq!(receiver.table().expect("whole"), *table);
    let slots = f64::from(table.slots()) / 1e6;
    println!("patch  write, plain      {:8.0} M slots/s, {} bytes", slots / written, 32_768);
    println!("       write, zlib       {:8.0} M slots/s, {len} bytes", slots / packed);
    println!("       read, plain       {:8.0} M slots/s", slots / read);
    println!("       read, zlib        {:8.0} M slots/s", slots / unpacked);
}

fn route(leaves: &[QueryTable<Vec<u8>>]) {
    let words = ["artist", "song", "4711"].map(KeywordHash::of);
    let mut hits = 0;
    let asked = best(|| {
        let ask = |leaf: &&QueryTable<Vec<u8>>| leaf.can_route(words, [], MatchRule::AllWords);
        hits = black_box(leaves).iter().filter(ask).count();
    });
    println!(
        "route  three words       {:8.1} M tables/s, {hits} hit",
        leaves.len() as f64 / asked / 1e6
    );
}
