#!/usr/bin/env bash
# 200 ultrapeers and 2,000 leaves, one in twenty of them a flooder of each kind in turn: honest searches find
# at least 95 % of what they find without floods.
set -euo pipefail
cargo test -p gnutella-wire --release --test flooders -- --ignored --nocapture
