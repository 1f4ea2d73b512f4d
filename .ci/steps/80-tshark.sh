#!/usr/bin/env bash
# An independent dissector reads the captures of the tour: Gnutella descriptors and BitTorrent messages
# decode, and no packet is malformed. What a peer has comes as a bitfield, as all or as none.
set -euo pipefail
if ! command -v tshark >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends tshark
fi
count() { tshark -r "$1" -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE -Y "$2" 2>/dev/null | wc -l; }
for capture in target/tour/tour.pcap target/ci-tour/a/tour.pcap target/ci-tour/big/tour.pcap; do
    bad=$(count "$capture" '_ws.malformed || ip.checksum.status == "Bad" || tcp.checksum.status == "Bad" || udp.checksum.status == "Bad"')
    echo "$capture: $bad malformed"
    [ "$bad" -eq 0 ]
    for filter in \
        'gnutella.header.payload == 0x00' 'gnutella.header.payload == 0x01' \
        'gnutella.header.payload == 0x80' 'gnutella.header.payload == 0x81' \
        'bittorrent.info_hash' 'bittorrent.msg.type in {5, 14, 15}' \
        'bittorrent.msg.type == 6' 'bittorrent.msg.type == 7' 'http.request' 'http.response.code == 200'; do
        found=$(count "$capture" "$filter")
        echo "  $found frames: $filter"
        [ "$found" -gt 0 ]
    done
done
