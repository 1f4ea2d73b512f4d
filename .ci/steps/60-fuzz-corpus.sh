#!/usr/bin/env bash
# The fuzz bodies over the seed corpus, optimised and with overflow checks.
set -euo pipefail
RUSTFLAGS="-C overflow-checks=on -C debug-assertions=on" cargo test --release -p fuzz --target-dir target/fuzz-corpus
