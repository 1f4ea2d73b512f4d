#!/usr/bin/env bash
# The deepest stack of every public function on a Cortex-M4, from the assembly of `panic-free.sh`: at most 2 KB, or what
# `.ci/linked/stack.txt` lists, and a tenth. The list has the bytes of a function, and those without signatures,
# hashing and inflating.
# Calls through pointers are not followed. What a function returns stands where its caller wants it, and is not counted.
# `.ci/nightly.d/stack.sh --bless` lists what is deeper anew.
set -euo pipefail
status=0
for crate in gnutella-wire chord-core bittorrent-pieces ledger-core pow consensus; do
    [ -s "target/linked/$crate.log" ] || .ci/nightly.d/panic-free.sh "$crate" >/dev/null || true
    python3 .ci/linked/report.py stack "$(tail -1 "target/linked/$crate.log")" "$crate" .ci/linked/stack.txt "$@" || status=1
done
exit "$status"
