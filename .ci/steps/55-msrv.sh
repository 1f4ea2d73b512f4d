#!/usr/bin/env bash
# The crates compile with the oldest Rust that they promise. The programs need a later one (examples/programs/Cargo.toml).
set -euo pipefail
msrv=1.88.0
if ! rustup toolchain list | grep -q "^$msrv" &&
    ! rustup toolchain install "$msrv" --no-self-update --profile minimal; then
    echo "Rust $msrv is not to be had on this machine; the check is left out"
    exit 0
fi
cargo "+$msrv" check --workspace --exclude programs --target-dir target/msrv
