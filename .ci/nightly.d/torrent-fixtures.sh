#!/usr/bin/env bash
# The torrents with which libtorrent (the source package of Debian) and webtorrent (npm) test themselves, read by us and by
# libtorrent. They are not carried here.
set -euo pipefail
debian=/usr/bin/python3
if ! "$debian" -c 'import libtorrent' 2>/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-libtorrent
fi
root=$PWD
home=target/torrent-fixtures
mkdir -p "$home/lists/partial" "$home/npm"
if ! ls "$home"/libtorrent-*/test/test_torrents >/dev/null 2>&1; then
    sed 's/^Types: deb$/Types: deb-src/' /etc/apt/sources.list.d/debian.sources >"$home/debian.sources"
    options=(-o "Dir::Etc::sourcelist=$root/$home/debian.sources" -o Dir::Etc::sourceparts=/dev/null
        -o "Dir::State::lists=$root/$home/lists" -o "Dir::Cache=$root/$home")
    apt-get "${options[@]}" update -qq
    (cd "$home" && apt-get "${options[@]}" source -qq --download-only libtorrent-rasterbar)
    tar -xf "$home"/libtorrent-rasterbar_*.orig.tar.* -C "$home" --wildcards '*/test/test_torrents/*'
fi
npm install --prefix "$home/npm" --silent --no-fund --no-audit --ignore-scripts webtorrent-fixtures@2
cargo build --quiet --release -p programs --bin torrent
"$debian" examples/interop/fixtures.py target/release "$home"/libtorrent-*/test/test_torrents \
    "$home/npm/node_modules/webtorrent-fixtures/fixtures"
