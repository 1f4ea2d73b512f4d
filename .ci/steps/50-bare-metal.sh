#!/usr/bin/env bash
# Every crate alone for devices and for wasm, without std and without an allocator, then with each of its features
# alone: a workspace build would unify features and hide std.
set -euo pipefail
crates="gnutella-wire chord-core bittorrent-pieces ledger-core pow consensus"
targets=(thumbv6m-none-eabi thumbv7em-none-eabihf riscv32imc-unknown-none-elf wasm32-unknown-unknown)
rustup target add "${targets[@]}"
features() {
    cargo metadata --format-version 1 --no-deps |
        python3 -c 'import json, sys
for package in json.load(sys.stdin)["packages"]:
    if package["name"] == sys.argv[1]:
        print(*sorted(set(package["features"]) - {"default", "simd"}))' "$1"
}
for crate in $crates; do
    all=$(features "$crate")
    # All targets in one call, so that no core waits for the others.
    cargo build --quiet -p "$crate" --no-default-features "${targets[@]/#/--target=}"
    for feature in $all; do
        cargo check --quiet -p "$crate" --no-default-features --features "$feature" "${targets[@]/#/--target=}"
    done
    echo "$crate: alone, and with each of: $all"
done
# The seals of the ledger without any other feature; their tests run with the workspace.
for crate in pow consensus; do
    cargo check --quiet -p "$crate" --no-default-features --features ledger --tests
done
# The kernels for instructions that the build does not assume: run on this machine, compiled for Arm.
cargo test --quiet -p pow --features simd
rustup target add aarch64-unknown-linux-gnu
cargo check --quiet -p pow --features simd --target aarch64-unknown-linux-gnu
# Only the feature `alloc` may name an allocator; tests inside of a crate may name what they like.
for file in $(grep -rlE 'extern crate (alloc|std)' --include='*.rs' ./*/src | grep -v '^./examples'); do
    if grep -B1 -E 'extern crate (alloc|std)' "$file" | head -1 | grep -qvE '#\[cfg\((test|feature = "alloc"|any\(test, feature = "alloc"\))\)\]'; then
        echo "$file names an allocator outside of the feature \`alloc\`" >&2
        exit 1
    fi
done
