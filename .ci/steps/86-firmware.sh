#!/usr/bin/env bash
# What runs on microcontrollers, on emulated ones: the miner on a Cortex-M4 with its instructions counted by its own
# timer, the check of a transparency log on a Cortex-M0 with 16 KiB of memory, and four Cortex-M4 with one image that agree
# on blocks while one of them loses its power.
set -euo pipefail
m4=thumbv7em-none-eabihf
m0=thumbv6m-none-eabi
rustup target add "$m4" "$m0"
command -v qemu-system-arm >/dev/null || { apt-get update -q && apt-get install -yq --no-install-recommends qemu-system-arm; }
cd examples/firmware
cargo fmt --check
cargo clippy --quiet --locked --release -- -D warnings

# build <program> <target>
build() {
    cargo build --quiet --locked --release --target "$2" --bin "$1"
    size -A "target/$2/release/$1" | awk -v program="$1" '
        $1 == ".text" { text = $2 }
        $1 == ".data" || $1 == ".bss" { memory += $2 }
        END { print "=== " program ": " text " bytes of text, " memory " bytes of static data" }'
}

# run <program> <target>
run() {
    build "$1" "$2"
    timeout 60 cargo run --quiet --locked --release --target "$2" --bin "$1"
}

run miner "$m4"
elf="target/$m4/release/miner"
nm -S -t d -C "$elf" | awk '$3 ~ /[tT]/ && /pow::|sha2::/ { sum += $2 } END { print "of which pow and sha2: " sum }'
if nm -C "$elf" | grep -E 'div_rem|uldivmod'; then
    echo "the miner divides 64 bits" >&2
    exit 1
fi
# The linker gives its static data 4 KiB; a stack of more than 12 KiB is a fault.
run log "$m0"
build leech "$m4" # step 87 runs it
build validator "$m4"
image=$PWD/target/$m4/release/validator
cd ../..
cargo build --quiet --release -p programs --bin validators
timeout 300 cargo run --quiet --release -p programs --bin validators -- devices "$image" --restart 3
