#!/usr/bin/env bash
# The fuzz bodies over the seed corpus, optimised and with overflow checks.
set -euo pipefail
cargo test --profile checked -p fuzz
