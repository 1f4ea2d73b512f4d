#!/usr/bin/env bash
# Mutation testing of every crate: at least 95 % of the viable mutants must be noticed by a test.
# MUTANTS_SHARD=k/n tests a sample.
set -euo pipefail
command -v cargo-mutants >/dev/null || cargo install cargo-mutants --locked --quiet
for crate in ${MUTANTS_CRATES:-gnutella-wire chord-core bittorrent-pieces ledger-core pow consensus}; do
    rm -rf "target/mutants/$crate"
    mkdir -p "target/mutants/$crate"
    cargo mutants -p "$crate" --no-shuffle --jobs 2 ${MUTANTS_SHARD:+--shard "$MUTANTS_SHARD"} \
        --output "target/mutants/$crate" >"target/mutants/$crate/log" 2>&1 || true
    caught=$(wc -l <"target/mutants/$crate/mutants.out/caught.txt")
    missed=$(wc -l <"target/mutants/$crate/mutants.out/missed.txt")
    echo "$crate: $caught caught, $missed missed"
    cat "target/mutants/$crate/mutants.out/missed.txt"
    [ $((caught * 100)) -ge $(((caught + missed) * 95)) ] || failed=1
done
exit "${failed:-0}"
