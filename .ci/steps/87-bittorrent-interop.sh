#!/usr/bin/env bash
# Our programs among libtorrent, aria2 and Transmission over loopback, in both directions.
set -euo pipefail
if ! command -v aria2c >/dev/null || ! command -v transmission-daemon >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        aria2 transmission-cli transmission-daemon python3-venv
fi
python=target/interop-venv/bin/python
if ! "$python" -c 'import libtorrent' 2>/dev/null; then
    python3 -m venv target/interop-venv
    target/interop-venv/bin/pip install --quiet libtorrent
fi
cargo build --quiet --release -p examples --bin torrent
rm -rf target/interop
"$python" examples/interop/bittorrent.py target/release target/interop "$@"
