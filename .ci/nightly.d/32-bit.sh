#!/usr/bin/env bash
# The tests of the crates on 32 bits: the documented sizes are those of both widths.
set -euo pipefail
target=i686-unknown-linux-gnu
rustup target add "$target"
if ! echo 'int main(void){return 0;}' | gcc -m32 -x c - -o /dev/null 2>/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends gcc-multilib
fi
export PROPTEST_RNG_SEED=1
for crate in gnutella-wire chord-core bittorrent-pieces ledger-core pow consensus; do
    cargo test --quiet --target "$target" -p "$crate"
done
