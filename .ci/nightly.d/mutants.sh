#!/usr/bin/env bash
# Mutation testing of every crate: at least 95 % of the viable mutants must be noticed by a test.
# MUTANTS_SHARD=k/n tests a sample.
set -euo pipefail
for crate in ${MUTANTS_CRATES:-gnutella-wire chord-core bittorrent-pieces ledger-core pow consensus}; do
    .ci/mutants.sh "$crate" "target/mutants/$crate" \
        ${MUTANTS_SHARD:+--shard "$MUTANTS_SHARD" --sharding round-robin} || failed=1
done
exit "${failed:-0}"
