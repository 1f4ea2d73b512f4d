#!/usr/bin/env bash
# The node's own code under the model checker, up to five identifiers.
set -euo pipefail
cargo test -p chord-core --release --lib -- --ignored --nocapture --test-threads 1
