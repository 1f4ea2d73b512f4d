#!/usr/bin/env bash
# Figures and tables of the Chord paper at their full sizes.
set -euo pipefail
cargo test -p chord-core --release --test figures -- --include-ignored --nocapture --test-threads 1
