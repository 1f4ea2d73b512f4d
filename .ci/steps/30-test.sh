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
    # By name: other ignored tests are large, and run optimised in steps of their own.
    mapfile -t names < <(grep -rhA2 'ignore = "needs VECTORS_DIR"' --include='*.rs' */tests | sed -n 's/^ *fn \([a-z0-9_]*\).*/\1/p')
    echo "${#names[@]} tests read VECTORS_DIR"
    cargo test -p gnutella-wire -p ledger-core -p pow -p consensus --tests -- --ignored "${names[@]}"
fi
