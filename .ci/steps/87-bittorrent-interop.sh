#!/usr/bin/env bash
# Our programs among libtorrent 2.1 and 2.0, aria2, Transmission, rtorrent, webtorrent and the tracker of npm, over
# loopback, in both directions, plain and encrypted; and an emulated Cortex-M4 that fetches an image from libtorrent.
set -euo pipefail
debian=/usr/bin/python3 # has Debian's libtorrent, which its qBittorrent and Deluge use
if ! command -v aria2c >/dev/null || ! command -v transmission-daemon >/dev/null ||
    ! command -v rtorrent >/dev/null || ! "$debian" -c 'import libtorrent' 2>/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        aria2 transmission-cli transmission-daemon rtorrent openssl python3-venv python3-libtorrent
fi
python=target/interop-venv/bin/python
if ! "$python" -c 'import libtorrent' 2>/dev/null; then
    python3 -m venv target/interop-venv
    target/interop-venv/bin/pip install --quiet libtorrent
fi
npm=target/interop-npm
if [ ! -d "$npm/node_modules/webtorrent" ] || [ ! -d "$npm/node_modules/bittorrent-dht" ]; then
    mkdir -p "$npm"
    npm install --prefix "$npm" --silent --no-fund --no-audit --ignore-scripts bittorrent-tracker@11 bittorrent-dht@11 webtorrent@3
    # WebRTC is for browsers, and its library is not built here.
    printf 'export const %s = undefined\n' RTCPeerConnection RTCSessionDescription RTCIceCandidate \
        >"$npm/node_modules/webrtc-polyfill/index.js"
    echo "export * as default from './index.js'" >>"$npm/node_modules/webrtc-polyfill/index.js"
fi
cp examples/interop/*.mjs "$npm"
export INTEROP_NPM="$PWD/$npm"
cargo build --quiet --release -p programs --features https --bin torrent
board=thumbv7em-none-eabihf
rustup target add "$board"
command -v qemu-system-arm >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends qemu-system-arm; }
(cd examples/firmware && cargo build --quiet --locked --release --target "$board" --bin leech)
export INTEROP_BOARD="$PWD/examples/firmware/target/$board/release/leech"
rm -rf target/interop target/interop-debian
"$python" examples/interop/bittorrent.py target/release target/interop "$@"
[ $# -gt 0 ] || set -- libtorrent version both # what concerns libtorrent alone
"$debian" examples/interop/bittorrent.py target/release target/interop-debian "$@"
