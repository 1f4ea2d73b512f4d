#!/usr/bin/env bash
# No panic is linked into a device: every public function of every crate, for a Cortex-M4 at opt-level s with link-time
# optimisation. Named exceptions: the formatting and parsing of addresses in `core`, and dependencies.
# `.ci/nightly.d/panic-free.sh CRATE ..` checks some crates only.
set -euo pipefail
rustup target add thumbv7em-none-eabihf
status=0
for crate in ${*:-gnutella-wire chord-core bittorrent-pieces ledger-core pow consensus}; do
    # `Display` and `FromStr` of numbers, characters and addresses. Where a function is named after a `+`, the carry of
    # `Duration::new` is meant, unless something else is said: it is zero, which the optimiser does not see.
    exceptions=(core::net:: core::unicode:: core::fmt:: char 'core::num::' 'core::option::' 'core::result::')
    case $crate in
    bittorrent-pieces)
        # Of `core`, sorting, `str::split` and `ChunksExact::size_hint`; of heapless, its queue and `collect`.
        exceptions+=(heapless:: core::slice::sort:: core::str::iter:: probe_PeersIter_size_hint)
        # Signatures, also where they are inlined.
        exceptions+=(curve25519_dalek:: ed25519_dalek:: bittorrent_pieces::dht::item::verifies bittorrent_pieces::dht::item::signature)
        exceptions+=(bittorrent_pieces::torrent::extension::ids)
        exceptions+=("+bittorrent_pieces::utp::cursor::ConnMut>::handle" probe_PeerBook_encode)
        exceptions+=("+bittorrent_pieces::picker::state::State>::collect")
        exceptions+=("+bittorrent_pieces::picker::state::State>::sort")
        exceptions+=("+bittorrent_pieces::torrent::cursor::PeerMut>::write_answer")
        exceptions+=("+bittorrent_pieces::dht::node::inner::View>::query" "+bittorrent_pieces::dht::node::inner::View>::ask")
        exceptions+=("+bittorrent_pieces::dht::node::inner::View>::response")
        ;;
    gnutella-wire)
        # Of `core`, `str::split`.
        exceptions+=(miniz_oxide:: core::str::iter::)
        exceptions+=("+gnutella_wire::opennap::index::state::Core>::fire")
        exceptions+=("+gnutella_wire::transfer::download::logic::Core>::request")
        exceptions+=("+gnutella_wire::transfer::download::logic::Core>::steal::{closure#0}")
        exceptions+=("+gnutella_wire::transfer::upload::logic::Core>::advance_clock")
        exceptions+=(probe_Download_handle_bytes)
        ;;
    ledger-core)
        exceptions+=(curve25519_dalek:: ed25519_dalek:: base64ct::)
        exceptions+=("+ledger_core::gossip::peer::PeerSlot>::delivered")
        exceptions+=("+ledger_core::gossip::peer::PeerSlot>::penalize")
        exceptions+=(probe_Gossip_handle_bytes)
        ;;
    consensus)
        # Of `core`, sorting, `chunk_by_mut` and `Peekable::next_if`. The check of a signature is inlined.
        exceptions+=(curve25519_dalek:: ed25519_dalek:: core::slice::sort:: probe_EquivocationDetector_observe)
        exceptions+=("+consensus::vote::verify::Ed25519 as consensus::vote::verify::Verify>::verify")
        exceptions+=("+consensus::slot::config::FfgConfig>::thirds_until")
        exceptions+=("+consensus::slot::seal::SlotSeal<&mut dyn consensus::set::storage::ValidatorStorage>>::encode_proof::{closure#1}")
        ;;
    esac
    mkdir -p target/linked
    python3 .ci/linked/probes.py "$crate" target/linked >"target/linked/$crate.log" ||
        { cat "target/linked/$crate.log" >&2; exit 1; }
    sed '$d' "target/linked/$crate.log"
    python3 .ci/linked/report.py panics "$(tail -1 "target/linked/$crate.log")" "${exceptions[@]}" || status=1
done
exit "$status"
