#!/usr/bin/env bash
# What runs on a microcontroller, on an emulated one: Cortex-M4, instructions counted by its own timer.
set -euo pipefail
target=thumbv7em-none-eabihf
rustup target add "$target"
command -v qemu-system-arm >/dev/null || { apt-get update -q && apt-get install -yq --no-install-recommends qemu-system-arm; }
cd examples/firmware
cargo fmt --check
cargo clippy --quiet --locked --release -- -D warnings
for program in miner; do
    cargo build --quiet --locked --release --bin "$program"
    elf="target/$target/release/$program"
    echo "=== $program: $(size -A "$elf" | awk '$1 == ".text" { print $2 }') bytes of text"
    timeout 60 cargo run --quiet --locked --release --bin "$program"
done
elf="target/$target/release/miner"
nm -S -t d -C "$elf" | awk '$3 ~ /[tT]/ && /pow::|sha2::/ { sum += $2 } END { print "of which pow and sha2: " sum }'
if nm -C "$elf" | grep -E 'div_rem|uldivmod'; then
    echo "the miner divides 64 bits" >&2
    exit 1
fi
