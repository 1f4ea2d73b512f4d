#!/usr/bin/env bash
# A node of `ledger node` that is killed fifty times while blocks are made goes on with the same chain. As one of the
# workspace, so that nothing is built anew.
set -euo pipefail
cargo test --workspace --test ledger_node -- --ignored --exact --nocapture \
    a_node_that_is_killed_fifty_times_goes_on_with_the_same_chain
