#!/usr/bin/env bash
# A thousand networks of fifty nodes with partitions, restarts and hostile peers (`SEED` is the first one, `SEEDS` their
# number), and a node of `ledger node` that is killed fifty times while blocks are made (`KILLS` is another number).
set -euo pipefail
cargo test -p ledger-core --release --test gossip -- --ignored --exact --nocapture one_tip_for_a_thousand_seeds
cargo test -p programs --release --test ledger_node -- --ignored --exact --nocapture \
    a_node_that_is_killed_fifty_times_goes_on_with_the_same_chain
