#!/usr/bin/env bash
# Licences, duplicates and sources of the dependencies, without a network look-up.
set -euo pipefail
if ! command -v cargo-deny >/dev/null; then
    cargo install cargo-deny --locked --quiet --debug
fi
cargo fetch --locked --quiet
cargo deny --offline --all-features check bans licenses sources
