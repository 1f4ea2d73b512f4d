#!/usr/bin/env bash
# A DHT of a thousand honest nodes, and an attacker with 1, 10 and 100 addresses and any ports, whose ids surround a torrent.
set -euo pipefail
cargo test -p bittorrent-pieces --release --test dht_eclipse -- --ignored --nocapture
