#!/usr/bin/env bash
# The tests of the crates on a big-endian machine, emulated.
set -euo pipefail
target=s390x-unknown-linux-gnu
rustup target add "$target"
if ! command -v qemu-s390x-static >/dev/null || ! command -v s390x-linux-gnu-gcc >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        qemu-user-static gcc-s390x-linux-gnu libc6-dev-s390x-cross
fi
export CARGO_TARGET_S390X_UNKNOWN_LINUX_GNU_LINKER=s390x-linux-gnu-gcc
export CARGO_TARGET_S390X_UNKNOWN_LINUX_GNU_RUNNER="qemu-s390x-static -L /usr/s390x-linux-gnu"
export PROPTEST_CASES=16 PROPTEST_RNG_SEED=1
for crate in gnutella-wire chord-core bittorrent-pieces ledger-core pow consensus; do
    cargo test --quiet --target "$target" -p "$crate"
done
