#!/usr/bin/env bash
# The DHT of bittorrent-pieces, which is a feature: on devices without an allocator, and linted alone.
set -euo pipefail
targets="thumbv6m-none-eabi thumbv7em-none-eabihf riscv32imc-unknown-none-elf"
rustup target add $targets
for target in $targets; do
    cargo build --quiet -p bittorrent-pieces --no-default-features --features dht --target "$target"
done
cargo clippy --quiet -p bittorrent-pieces --no-default-features -- -D warnings
cargo clippy --quiet -p bittorrent-pieces --features dht -- -D warnings
