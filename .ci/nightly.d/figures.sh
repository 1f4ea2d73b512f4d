#!/usr/bin/env bash
# Every bench, and the crates beside published crates, in one run. `--write` puts the tables into the texts; on a machine that
# does nothing else, commit them.
set -euo pipefail
cargo run --quiet --release --manifest-path examples/figures/Cargo.toml -- "$@"
