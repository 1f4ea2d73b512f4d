#!/usr/bin/env bash
# Mutation testing of every crate: at least 95 % of the viable mutants must be noticed by a test.
# MUTANTS_SHARD=k/n tests a sample.
set -euo pipefail
sample() { .ci/mutants.sh "$@" ${MUTANTS_SHARD:+--shard "$MUTANTS_SHARD" --sharding round-robin} || failed=1; }
for crate in ${MUTANTS_CRATES:-gnutella-wire chord-core bittorrent-pieces ledger-core pow consensus}; do
    case "$crate" in
    gnutella-wire)
        # Words fold by one of two files, as the feature `unicode` decides.
        MUTANTS_EXCLUDE='**/fold/latin.rs' sample "$crate" "target/mutants/$crate"
        MUTANTS_WITHOUT=unicode sample "$crate" "target/mutants/$crate-latin" --file '**/fold/latin.rs'
        ;;
    *) sample "$crate" "target/mutants/$crate" ;;
    esac
done
exit "${failed:-0}"
