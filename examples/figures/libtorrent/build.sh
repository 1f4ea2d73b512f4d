#!/usr/bin/env bash
# Builds libtorrent's picker with our workloads (`picker.cpp`) in a folder, and prints the version of libtorrent. The source is
# that of the distribution, fetched by the name of its package, or LIBTORRENT_SOURCE names a folder that has it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source=$(realpath -m "${LIBTORRENT_SOURCE:-$1/source}")
mkdir -p "$1"
cd "$1"

fail() {
    echo "$1" >&2
    exit 1
}

# Its lists are in this folder: those of the system stay as they are, and nobody needs to be root.
fetch() {
    command -v apt-get >/dev/null || fail "there is no apt-get to fetch its source, and LIBTORRENT_SOURCE names none"
    mkdir -p parts lists cache source
    for list in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
        case $list in
        *.sources) sed 's/^Types:.*/Types: deb-src/' "$list" >"parts/${list##*/}" ;;
        *.list) [ ! -f "$list" ] || sed -n 's/^deb\(-src\)\? /deb-src /p' "$list" >"parts/${list##*/}" ;;
        esac
    done
    local apt=(apt-get -qq -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$PWD/parts"
        -o "Dir::State::Lists=$PWD/lists" -o "Dir::Cache=$PWD/cache" -o APT::Sandbox::User=root)
    "${apt[@]}" update >&2 || true # other lists need not have sources
    "${apt[@]}" source --download-only libtorrent-rasterbar >&2 || fail "apt-get cannot fetch its source"
    tar -x -f libtorrent-rasterbar_*.orig.tar.* -C source --strip-components 1
}

command -v g++ >/dev/null || fail "there is no g++ (\`apt-get install g++\`)"
g++ -E -x c++ -include boost/config.hpp /dev/null >/dev/null 2>&1 || fail "there is no Boost (\`apt-get install libboost-dev\`)"
[ -d "$source/src" ] || fetch
files=("$here/picker.cpp")
for part in piece_picker performance_counters random bitfield ffs cpuid error_code string_util; do
    files+=("$source/src/$part.cpp")
done
g++ -std=c++17 -O3 -march=native -DNDEBUG -DTORRENT_USE_ASSERTS=0 -pthread -ffunction-sections -Wl,--gc-sections \
    -isystem "$source/include" "${files[@]}" -o picker
sed -n 's/^#define LIBTORRENT_VERSION "\(.*\)\.0"$/\1/p' "$source/include/libtorrent/version.hpp"
