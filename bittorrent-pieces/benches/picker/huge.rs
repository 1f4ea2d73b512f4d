//! A torrent of 30 million blocks: the longest call of each kind.

use core::hint::black_box;
use core::time::Duration;
use std::time::Instant;

use bittorrent_pieces::picker::{PeerPieces, Selection};
use bittorrent_pieces::{Block, ConnId, Geometry, PieceIndex};

use crate::support::{BATCH, SEED, bitfield, next, picker, propose};

/// 500 GB in pieces of 256 KiB, 200 peers: what each kind of call takes at most.
pub fn huge() {
    const PIECES: u32 = 1_875_000;
    let geometry = Geometry::new(u64::from(PIECES) << 18, 1 << 18).expect("it fits");
    let mut picker = picker(geometry, 400);
    let peers: Vec<_> = (0..8).map(|peer| bitfield(PIECES, peer, 500)).collect();
    let holds = |peer: u32| PeerPieces::Some(peers[peer as usize % peers.len()].as_view());
    let mut worst: Vec<(&str, Duration)> = Vec::new();
    let mut timed = |name: &'static str, call: &mut dyn FnMut()| {
        let slices = cpu_slices();
        let start = Instant::now();
        call();
        let took = start.elapsed();
        if slices != cpu_slices() {
            return; // something else ran meanwhile
        }
        match worst.iter_mut().find(|(known, _)| *known == name) {
            Some((_, most)) => *most = took.max(*most),
            None => worst.push((name, took)),
        }
    };
    (0..200).for_each(|peer| timed("join", &mut || picker.join(&holds(peer))));
    let mut batch = [Block::default(); BATCH];
    let mut state = SEED;
    for turn in 0..40_000_u32 {
        let peer = turn % 200;
        let conn = ConnId(turn % 200);
        let want = Selection::new();
        let mut picked = 0;
        timed("pick", &mut || picked = picker.pick(conn, &holds(peer), &want, &mut batch));
        for block in &batch[..picked] {
            timed("receive", &mut || {
                black_box(picker.receive(conn, *block, turn));
            });
        }
        if let Some(full) = picker.next_full() {
            if turn % 10 == 0 {
                timed("failed", &mut || {
                    black_box(picker.failed(full));
                });
            } else {
                timed("passed", &mut || {
                    black_box(picker.passed(full, |_| {}));
                });
            }
        }
        let piece = PieceIndex((next(&mut state) % u64::from(PIECES)) as u32);
        timed("have", &mut || picker.have(piece));
        if turn % 100 == 0 {
            timed("leave", &mut || picker.leave(&holds(peer)));
            timed("abandon", &mut || picker.abandon(conn));
            timed("pick after a leave", &mut || {
                propose(&mut picker, holds(peer), &mut batch);
            });
            timed("forget", &mut || picker.forget(conn));
            timed("join", &mut || picker.join(&holds(peer)));
        }
    }
    println!(
        "\n30,000,000 blocks (500 GB), 200 peers, 400 open pieces; the longest call of each kind,"
    );
    println!("bar 1000 us:");
    for (name, took) in worst {
        let micros = took.as_nanos() as f64 / 1000.0;
        println!("  {name:36} {micros:>9.1} us{}", if micros > 1000.0 { "   MISSED" } else { "" });
    }
}

/// Returns how often this thread got a processor.
fn cpu_slices() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.trim().split(' ').nth(2)?.parse().ok()
}
