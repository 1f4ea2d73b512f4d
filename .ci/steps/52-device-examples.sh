#!/usr/bin/env bash
# The device examples of all crates (`<crate>/examples/device_*.rs`), linked for Cortex-M0 without std and without an
# allocator, each with the bytes of its text, of its initialised data and of its zeroed memory.
set -euo pipefail
target=thumbv6m-none-eabi
rustup target add "$target"
out=target/device-examples
mkdir -p "$out"
root=$PWD
{
    printf '[package]\nname = "device-examples"\nversion = "0.0.0"\nedition = "2024"\nautobins = false\n[workspace]\n[dependencies]\n'
    for crate in gnutella-wire chord-core bittorrent-pieces ledger-core pow consensus; do
        case $crate in
        gnutella-wire) features='"opennap", "transfer"' ;;
        bittorrent-pieces) features='"dht", "utp"' ;;
        *) features= ;;
        esac
        printf '%s = { path = "%s", features = [%s] }\n' "$crate" "$root/$crate" "$features"
    done
    printf '[profile.release]\nopt-level = "s"\nlto = "fat"\ncodegen-units = 1\npanic = "abort"\n'
    for example in */examples/device_*.rs; do
        printf '[[bin]]\nname = "%s"\npath = "%s"\n' "$(basename "$example" .rs)" "$root/$example"
    done
} >"$out/Cargo.toml"
cp Cargo.lock "$out/Cargo.lock"
cargo build --quiet --release --target "$target" --target-dir "$out/target" --manifest-path "$out/Cargo.toml"
for example in */examples/device_*.rs; do
    name=$(basename "$example" .rs)
    size -A "$out/target/$target/release/$name" |
        awk -v name="$name" '$1 ~ /^\.(text|rodata|data|bss)$/ { s[$1] = $2 }
            END { printf "%-24s text %d, rodata %d, data %d, bss %d\n", name, s[".text"], s[".rodata"], s[".data"], s[".bss"] }'
done
