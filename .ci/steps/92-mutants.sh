#!/usr/bin/env bash
# Three mutants of the functions that the change touches, of one crate or two: plainly untested code is found at once.
set -euo pipefail
if ! git rev-parse --quiet --verify HEAD^ >/dev/null; then
    echo "no parent commit is here, so the change is not known: no mutants"
    exit 0
fi
MUTANTS_MOST=3 MUTANTS_SECONDS=60 .ci/mutants-sample.sh
