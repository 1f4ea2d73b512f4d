#!/usr/bin/env bash
# A sample of the mutants of the functions that a change touches: at most MUTANTS_MOST (8) of each crate, until
# MUTANTS_SECONDS (300) have passed.
# The change is what differs from MUTANTS_BASE (the last merge, or the parent). All mutants are tested at night.
set -euo pipefail
base=${MUTANTS_BASE:-$(git rev-list --merges --max-count=1 HEAD^ 2>/dev/null || true)}
base=${base:-HEAD^}
most=${MUTANTS_MOST:-8}
mkdir -p target/mutants
git diff "$base" -- '*/src/*.rs' >target/mutants/diff
crates=$(git diff --name-only "$base" -- '*/src/*.rs' | grep -oE '^(gnutella-wire|chord-core|bittorrent-pieces|ledger-core|pow|consensus)/' | sort -u | tr -d / || true)
[ -n "$crates" ] || { echo "no source of a crate changed: no mutants"; exit 0; }
command -v cargo-mutants >/dev/null || cargo install cargo-mutants --locked --quiet --debug
began=$SECONDS
for crate in $crates; do
    [ $((SECONDS - began)) -lt "${MUTANTS_SECONDS:-300}" ] || { echo "$crate: left to the night"; continue; }
    count=$(cargo mutants --list -p "$crate" --in-diff target/mutants/diff 2>/dev/null | wc -l)
    [ "$count" -gt 0 ] || continue
    shards=$(((count + most - 1) / most))
    # A sample of a few must only show what is plainly untested.
    MUTANTS_PERCENT=60 .ci/mutants.sh "$crate" "target/mutants/$crate-sample" --in-diff target/mutants/diff \
        --shard "$(($(date +%j | sed 's/^0*//') % shards))/$shards" --sharding round-robin
done
