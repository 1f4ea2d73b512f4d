#!/usr/bin/env bash
# The test command of the README; then the tests that read public data files, where those are at hand.
set -euo pipefail
cargo test --workspace
if [ -z "${VECTORS_DIR:-}" ] && [ -d ../shared/vectors ]; then
    VECTORS_DIR="$(cd ../shared/vectors && pwd)"
fi
if [ -n "${VECTORS_DIR:-}" ]; then
    export VECTORS_DIR
    # Without chord-core, whose ignored tests take minutes even when optimised and need no data: see 84-*.
    cargo test --workspace --exclude chord-core -- --ignored
fi
