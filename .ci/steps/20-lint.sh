#!/usr/bin/env bash
# Lints of everything, tests included; the libFuzzer wrappers need a nightly compiler and are left out.
set -euo pipefail
cargo clippy --workspace --all-targets -- -D warnings
# The workspace unites features: what is dead without one shows alone.
cargo clippy --quiet -p bittorrent-pieces --no-default-features -- -D warnings
for feature in dht encryption; do
    cargo clippy --quiet -p bittorrent-pieces --features "$feature" -- -D warnings
done
for feature in can freenet kademlia pastry reload tapestry; do
    cargo clippy --quiet -p chord-core --features "$feature" -- -D warnings
done
