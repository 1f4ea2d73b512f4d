#!/usr/bin/env bash
# Signature checks of ledger-core beside ed25519-consensus and ring, and Merkle roots beside ct-merkle and rs_merkle, in a
# workspace of its own.
set -euo pipefail
(cd ledger-core/peers && cargo run --release)
