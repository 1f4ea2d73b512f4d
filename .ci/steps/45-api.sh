#!/usr/bin/env bash
# The public API of each crate stands in git, in its `api.txt`: a change of the API is seen in review.
# `.ci/steps/45-api.sh --bless` writes the listings anew.
set -euo pipefail
bless=${1:-}
if ! rustup toolchain list | grep -q '^nightly' &&
    ! rustup toolchain install nightly --no-self-update --profile minimal; then
    echo "no nightly compiler on this machine; the check is left out"
    exit 0
fi
command -v cargo-public-api >/dev/null || cargo install cargo-public-api --locked --quiet --debug
mkdir -p target/api
status=0
for crate in gnutella-wire chord-core bittorrent-pieces ledger-core pow consensus; do
    features=$(cargo metadata --format-version 1 --no-deps |
        python3 -c 'import json, sys
for package in json.load(sys.stdin)["packages"]:
    if package["name"] == sys.argv[1]:
        print(",".join(sorted(set(package["features"]) - {"default", "defmt", "serde"})))' "$crate")
    cargo +nightly public-api -sss -p "$crate" --features "$features" --target-dir target/api \
        >"target/api/$crate.txt" 2>"target/api/$crate.log" || { cat "target/api/$crate.log" >&2; exit 1; }
    if [ "$bless" = --bless ]; then
        cp "target/api/$crate.txt" "$crate/api.txt"
    elif ! diff -u "$crate/api.txt" "target/api/$crate.txt"; then
        echo "$crate: the public API changed; if that is meant, run .ci/steps/45-api.sh --bless" >&2
        status=1
    fi
    echo "$crate: $(wc -l <"target/api/$crate.txt") public items"
done
exit "$status"
