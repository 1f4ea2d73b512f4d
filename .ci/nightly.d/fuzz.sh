#!/usr/bin/env bash
# Every libFuzzer target for FUZZ_SECONDS (default 120; two hours of processor time in all), from the seed corpus.
set -euo pipefail
command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --locked --quiet
cd fuzz
for target in $(cargo +nightly fuzz list); do
    echo "--- $target"
    cargo +nightly fuzz run --features libfuzzer "$target" -- -max_total_time="${FUZZ_SECONDS:-120}" -print_final_stats=1 2>&1 |
        grep -E 'cov:|stat::number_of_executed_units|stat::average_exec_per_sec|SUMMARY|panicked|ERROR' | tail -4
done
