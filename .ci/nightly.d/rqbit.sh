#!/usr/bin/env bash
# Our client and tracker with rqbit, over loopback, in both directions: version 1 and hybrid torrents, magnet links, over TCP
# and uTP. rqbit is built from the registry, without its web page.
set -euo pipefail
root=target/interop-rqbit
if [ ! -x "$root/bin/rqbit" ]; then
    if ! pkg-config --exists openssl; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends libssl-dev pkg-config
    fi
    cargo install rqbit --version 9.1.0 --locked --no-default-features --features default-tls --root "$root"
fi
export INTEROP_RQBIT="$PWD/$root/bin/rqbit"
exec .ci/steps/87-bittorrent-interop.sh rqbit
