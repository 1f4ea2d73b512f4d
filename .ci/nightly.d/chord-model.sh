#!/usr/bin/env bash
# The node's own code under the model checker, up to five identifiers; docs/model.md says how to run the largest. Merges with messages
# (two rings of two with two successors have four million states up to rotation; where members fail, a sample), nodes that change their addresses,
# the merge of rings with shared memory, and a thousand nodes of Freenet that swap their locations.
set -euo pipefail
cargo test -p chord-core --release --lib -- --ignored --nocapture --test-threads 1 \
    --skip at_once --skip five_identifiers_and_two_successors
cargo test -p chord-core --release --test merge_model --test freenet -- --ignored --nocapture
