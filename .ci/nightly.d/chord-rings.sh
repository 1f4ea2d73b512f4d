#!/usr/bin/env bash
# A thousand rings that lose members faster than the proof allows, lookups over gaps, and fifteen ways to lie at three shares of liars.
set -euo pipefail
cargo test -p chord-core --release --test partitions -- --ignored --nocapture
cargo test -p chord-core --release --test liars -- --ignored --nocapture
cargo test -p chord-core --release --test speed -- --ignored --nocapture
