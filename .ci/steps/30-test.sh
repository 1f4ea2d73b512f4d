#!/usr/bin/env bash
# The test command of the README; then the tests that read public data files, where those are at hand.
set -euo pipefail
# The seed of the random tests is fixed here, so that a failure belongs to the change it shows up with.
export PROPTEST_RNG_SEED="${PROPTEST_RNG_SEED:-1}"
cargo test --workspace
if [ -z "${VECTORS_DIR:-}" ] && [ -d ../shared/vectors ]; then
    VECTORS_DIR="$(cd ../shared/vectors && pwd)"
fi
if [ -n "${VECTORS_DIR:-}" ]; then
    export VECTORS_DIR
    # Without chord-core, whose ignored tests take minutes even when optimised and need no data: see 84-*.
    cargo test --workspace --exclude chord-core -- --ignored
fi
