#!/usr/bin/env bash
# Swarms of 200 torrents: how much comes twice, and who is banned; the three scenes of the example; and the
# figures of the picker beside their bars, which say nothing about success: another machine is another clock.
set -euo pipefail
cargo test --release -p bittorrent-pieces --test swarm_large -- --ignored --nocapture
for scene in crowd tv fleet; do
    cargo run --quiet --release -p programs --bin torrent -- swarm "$scene" --out target/swarm
done
cargo bench --quiet -p bittorrent-pieces --bench picker
