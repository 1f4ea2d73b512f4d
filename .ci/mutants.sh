#!/usr/bin/env bash
# Mutation testing of one crate: `.ci/mutants.sh CRATE OUT [argument of cargo-mutants ..]`. All features but those of
# other people's traits are on, so that what a feature hides is tested and not merely compiled out.
set -euo pipefail
crate=$1
out=$2
shift 2
command -v cargo-mutants >/dev/null || cargo install cargo-mutants --locked --quiet --debug
features=$(cargo metadata --format-version 1 --no-deps |
    python3 -c 'import json, sys
for package in json.load(sys.stdin)["packages"]:
    if package["name"] == sys.argv[1]:
        print(",".join(sorted(set(package["features"]) - {"default", "defmt", "serde", "simd"})))' "$crate")
rm -rf "$out"
mkdir -p "$out"
export PROPTEST_RNG_SEED="${PROPTEST_RNG_SEED:-1}"
# The text of `Debug` is for people; `simd` has the kernels compared where the processor has them.
cargo mutants -p "$crate" --features "$features" --no-shuffle --minimum-test-timeout 60 --output "$out" \
    --exclude-re 'impl (fmt::)?Debug for' --exclude '**/simd/**' "$@" -- --lib --tests >"$out/log" 2>&1 || true
if [ ! -e "$out/mutants.out/caught.txt" ]; then
    grep -qE 'No mutants|INFO.*no mutants' "$out/log" && { echo "$crate: no mutants"; exit 0; }
    cat "$out/log" >&2
    exit 1
fi
# An endless loop is noticed, too.
caught=$(cat "$out"/mutants.out/{caught,timeout}.txt | wc -l)
# Mutants that behave as the original does, with the reason, are listed by their text without the line.
missed=$(sed -E 's/:[0-9]+:[0-9]+:/:/' "$out/mutants.out/missed.txt" | grep -vxFf <(sed -n 's/^- `\(.*\)`$/\1/p' .ci/mutants.md) || true)
count=$(grep -c . <<<"$missed" || true)
echo "$crate: $caught caught, $count missed"
[ -z "$missed" ] || echo "$missed"
[ $((caught * 100)) -ge $(((caught + count) * ${MUTANTS_PERCENT:-95})) ]
