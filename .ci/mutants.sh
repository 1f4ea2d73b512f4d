#!/usr/bin/env bash
# Mutation testing of one crate: `.ci/mutants.sh CRATE OUT [argument of cargo-mutants ..]`. All features but those of
# other people's traits are on, so that what a feature hides is tested and not merely compiled out.
#
# The mutants are made in place, in a copy of the tree under `target/mutants/tree` that keeps its `target`: a mutant costs
# one build of its crate and of the crate's tests. `cargo test` stops at the first test binary that fails.
# MUTANTS_WITHOUT names features to leave out, MUTANTS_EXCLUDE a glob of files.
set -euo pipefail
crate=$1
out=$(mkdir -p "$2" && cd "$2" && pwd)
shift 2
command -v cargo-mutants >/dev/null || cargo install cargo-mutants --locked --quiet --debug
features=$(cargo metadata --format-version 1 --no-deps |
    python3 -c 'import json, sys
for package in json.load(sys.stdin)["packages"]:
    if package["name"] == sys.argv[1]:
        print(",".join(sorted(set(package["features"]) - {"default", "defmt", "serde", "simd", *sys.argv[2].split()})))' \
        "$crate" "${MUTANTS_WITHOUT:-}")
tree=${MUTANTS_TREE:-target/mutants/tree}
mkdir -p "$tree"
# What differs gets a new time, so that cargo also rebuilds what an interrupted run left mutated.
list() { git ls-files -z --cached --others --exclude-standard; }
list | while IFS= read -r -d '' file; do
    [ -f "$file" ] || { rm -f "$tree/$file"; continue; }
    cmp -s "$file" "$tree/$file" || { mkdir -p "$(dirname "$tree/$file")" && cp "$file" "$tree/$file" && touch "$tree/$file"; }
done
# Only the sources of this checkout are tested: files that it does not have are removed.
(cd "$tree" && find . -path ./target -prune -o -type f -printf '%P\n') | sort >"$out/copied"
list | tr '\0' '\n' | sort | comm -13 - "$out/copied" | while IFS= read -r file; do rm -f "$tree/$file"; done
rm -rf "$out"
mkdir -p "$out"
export PROPTEST_RNG_SEED="${PROPTEST_RNG_SEED:-1}"
# A failure is a failure: it need not be made small or located.
export PROPTEST_MAX_SHRINK_ITERS=0 RUST_BACKTRACE=0
export CARGO_PROFILE_DEV_DEBUG=0
# The text of `Debug` is for people; `simd` has the kernels compared where the processor has them.
cargo mutants -d "$tree" --in-place -p "$crate" --features "$features" --no-shuffle --minimum-test-timeout 60 --output "$out" \
    --exclude-re 'impl (fmt::)?Debug for' --exclude '**/simd/**' ${MUTANTS_EXCLUDE:+--exclude "$MUTANTS_EXCLUDE"} \
    "$@" -- --lib --tests >"$out/log" 2>&1 || true
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
