#!/usr/bin/env bash
# The main job: over sockets, over the simulated network twice, with loss, with the smallest file, and
# with files that cannot be shared.
set -euo pipefail
out=target/ci-tour
rm -rf "$out"
mkdir -p "$out"
tour() { cargo run --quiet --release -p examples --bin tour -- "$@"; }
tour
for run in a b; do tour --sim --seed 7 --quiet --out "$out/$run"; done
cmp "$out/a/trace.jsonl" "$out/b/trace.jsonl"
cmp "$out/a/tour.pcap" "$out/b/tour.pcap"
cmp "$out/a/report.html" "$out/b/report.html"
for seed in 7 8 9; do tour --sim --seed "$seed" --loss 10 --quiet --out "$out/loss"; done
printf x >"$out/one-byte"
tour --quiet --out "$out/one" "$out/one-byte"
tour --quiet --sim --out "$out/one" "$out/one-byte"
head -c 20000001 /dev/urandom >"$out/large"
tour --quiet --nodes 16 --out "$out/big" "$out/large"
: >"$out/empty"
for bad in "$out/empty" "$out/missing" "$out"; do
    if tour --quiet --out "$out/bad" "$bad" 2>"$out/complaint"; then
        echo "$bad was accepted" >&2
        exit 1
    fi
    grep -q '^error: ' "$out/complaint"
    cat "$out/complaint"
done
