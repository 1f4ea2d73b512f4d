#!/usr/bin/env bash
# The node's own code under the model checker, up to five identifiers; docs/model.md says how to run the two largest. Merges with messages
# (two rings of two have 7.8 million states and take 4 GB; of those with two successors a sample), nodes that change their addresses,
# the merge of rings with shared memory, and a thousand nodes of Freenet that swap their locations.
set -euo pipefail
cargo test -p chord-core --release --lib -- --ignored --nocapture --test-threads 1 \
    --skip at_once --skip five_identifiers_and_two_successors
cargo test -p chord-core --release --test merge_model --test freenet -- --ignored --nocapture
