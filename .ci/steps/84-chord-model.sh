#!/usr/bin/env bash
# The node's own code under the model checker, up to five identifiers; the largest run is left out, see the README.
set -euo pipefail
cargo test -p chord-core --release --lib -- --ignored --nocapture --test-threads 1 --skip five_identifiers_and_two_successors
