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
    # Of the crates that have such tests; the ignored ones of others are large, and run optimised in steps of their own.
    cargo test -p gnutella-wire -p ledger-core -p pow -- --ignored
fi
