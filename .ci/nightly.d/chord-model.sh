#!/usr/bin/env bash
# The node's own code under the model checker, up to five identifiers; the README says how to run the two largest.
set -euo pipefail
cargo test -p chord-core --release --lib -- --ignored --nocapture --test-threads 1 \
    --skip at_once --skip five_identifiers_and_two_successors
