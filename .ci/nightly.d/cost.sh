#!/usr/bin/env bash
# What hostile input costs each machine, against the bars in SECURITY.md. The bars have room for a busy machine.
set -euo pipefail
cargo run --quiet --release -p fuzz --example cost -- --check
