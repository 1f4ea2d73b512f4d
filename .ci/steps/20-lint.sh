#!/usr/bin/env bash
# Lints of everything, tests included; the libFuzzer wrappers need a nightly compiler and are left out.
set -euo pipefail
cargo clippy --workspace --all-targets -- -D warnings
