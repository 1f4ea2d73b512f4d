#!/usr/bin/env bash
# The transparency log and Go's golang.org/x/mod/sumdb judge each other: checkpoint, tiles, inclusion, consistency.
set -euo pipefail
if ! command -v go >/dev/null || [ ! -d /usr/share/gocode/src/golang.org/x/mod/sumdb ]; then
    apt-get update -q
    apt-get install -yq --no-install-recommends golang-go golang-golang-x-mod-dev
fi
export GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS= GOCACHE="${GOCACHE:-$PWD/target/go-cache}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ours() { cargo run --quiet -p ledger-core --example log_folder -- "$@"; }
go build -o "$work/log" examples/interop/log.go
ours write "$work/ours"
ours verify "$work/ours"
"$work/log" verify "$work/ours"
"$work/log" write "$work/go"
"$work/log" verify "$work/go"
ours verify "$work/go"
# The program `ledger` issues a log in two runs, and Go reads it.
ledger() { cargo run --quiet -p programs --bin ledger -- --quiet "$@"; }
ledger log create "$work/program" --name example.com/ledger
mapfile -t entries < <(seq -f 'entry %.0f' 0 699)
ledger log add "$work/program" "${entries[@]:0:300}" >/dev/null
ledger log add "$work/program" "${entries[@]:300}" >/dev/null
for index in 0 255 256 699; do
    ledger log prove "$work/program" "$index" --output "$work/program/proof-$index"
done
ledger log verify "$work/program"
ours verify "$work/program"
"$work/log" verify "$work/program"
# Neither accepts a changed tile.
for folder in ours go; do
    printf 'x' | dd of="$work/$folder/tile/0/000" bs=1 seek=40 conv=notrunc status=none
    if ours verify "$work/$folder" 2>"$work/refusal"; then echo "a changed tile was accepted" >&2; exit 1; fi
    if "$work/log" verify "$work/$folder" 2>>"$work/refusal"; then echo "Go accepted a changed tile" >&2; exit 1; fi
done
echo "both refuse a changed tile"
