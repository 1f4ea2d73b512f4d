#!/usr/bin/env bash
# The unsafe code of pow: every kernel under Miri, which has all the instructions that the build names.
set -euo pipefail
if ! cargo +nightly miri --version &&
    ! rustup toolchain install nightly --no-self-update --profile minimal --component miri,rust-src; then
    echo "Miri is not to be had on this machine; the check is left out"
    exit 0
fi
features=+sha,+ssse3,+sse4.1,+avx2,+avx512f,+avx512bw,+avx512dq,+avx512vl
RUSTFLAGS="-C target-feature=$features" cargo +nightly miri test --quiet -p pow --features simd \
    --target-dir target/miri --test kernels every_shape
