#!/usr/bin/env bash
# Rings of up to a million real nodes in one process: half of them fail at once; or nodes come and go (Table III).
# And the store of the program `chord` under churn: nothing is lost.
set -euo pipefail
cargo test -p chord-core --release --test masses --test churn -- --ignored --nocapture --test-threads 1
cargo test -p programs --release --bin chord -- --ignored --nocapture --test-threads 1
