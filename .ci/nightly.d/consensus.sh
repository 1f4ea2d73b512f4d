#!/usr/bin/env bash
# The BFT engine under a model checker and in 100,000 simulated networks, Clique beside its plain model, and the round
# state machine beside that of Malachite.
set -euo pipefail
cargo test -p consensus --release --lib model -- --ignored --nocapture --test-threads 1
SEEDS=100000 cargo test -p consensus --release --test bft -- --ignored --nocapture
cargo test -p consensus --release --test clique many_random_histories -- --ignored --nocapture
(cd consensus/differential && cargo run --release)
