#!/usr/bin/env bash
# What a search costs on networks of both kinds, and how fast the machines are on a large one.
set -euo pipefail
cargo build --quiet --release -p programs --bin gnutella
target/release/gnutella flood --nodes 10000 --degree 7 --ttl 10 --searches 10 --out target/flood-10000
target/release/gnutella flood --nodes 100000 --only-flood --searches 20 --out target/flood-100000
