#!/usr/bin/env bash
# 200 ultrapeers and 2,000 leaves, one in twenty of them a flooder of each kind in turn: honest searches find
# at least 95 % of what they find without floods.
set -euo pipefail
cargo test -p gnutella-wire --release --test flooders -- --ignored --nocapture
# 100 MB from three servents, of which one is slow, one sends a wrong byte, and one answers with less than was asked for:
# by the machine in virtual time, and by the program, which is killed in the middle.
cargo test -p gnutella-wire --release --test transfer -- --ignored
cargo test -p programs --release --test servent_swarm -- --ignored
