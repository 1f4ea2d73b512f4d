use super::super::config::{Config, TorrentSetup};
use super::super::peer::Phase;
use super::super::{Side, Torrent, TorrentContent};
use super::*;
use crate::bitfield::Bitfield;
use crate::geometry::Geometry;
use crate::hash::PieceHashes;
use crate::id::{ConnId, InfoHash, PeerId};
use crate::torrent_storage;

const PIECES: u32 = 4;

torrent_storage! {
    /// Four pieces of two blocks, three peers.
    type Slots = { pieces: PIECES, piece_len: 32_768, peers: 3, open_pieces: 2, pipeline: 4 };
}

/// Builds a torrent that has some of four pieces, with one open connection.
fn torrent(have: u8) -> Torrent<Slots<'static>> {
    let geometry = Geometry::new(4 * 32_768, 32_768).unwrap();
    let content = TorrentContent::new(geometry, PieceHashes::new(&[[0; 20]; 4]));
    let mut setup = TorrentSetup::new(Config::new(InfoHash([1; 20]), PeerId([2; 20])));
    let have = [have];
    setup.have = Some(Bitfield::new(PIECES, &have[..]).unwrap());
    let mut torrent = Torrent::new(setup, Slots::empty(content)).unwrap();
    torrent.handle_connected(Duration::ZERO, ConnId(1), Side::Dialled).unwrap();
    let mut view = torrent.view();
    let peer = view.peer(0).unwrap();
    peer.state.phase = Phase::Open;
    torrent
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_timer_of_a_peer_runs_since_what_it_waits_for() {
    let mut config = Config::new(InfoHash([1; 20]), PeerId([2; 20]));
    config.silence = seconds(7);
    config.keep_alive = seconds(8);
    config.patience = seconds(9);
    let mut state = PeerState::connecting(ConnId(1), true, seconds(1));
    state.heard_at = Stamp::of(seconds(2));
    state.sent_at = Stamp::of(seconds(3));
    state.block_at = Stamp::of(seconds(4));
    let timer = |state: &PeerState, timer, waits| {
        let (since, span) = state.timer(timer, waits, &config)?;
        Some((since.0 / 1_000, span.as_secs()))
    };
    assert_eq!(timer(&state, Timer::Handshake, false), Some((1, 10)));
    assert_eq!(timer(&state, Timer::Silence, false), Some((2, 7)));
    assert_eq!(timer(&state, Timer::KeepAlive, false), None, "our handshake comes first");
    assert_eq!(timer(&state, Timer::Snub, false), None, "nothing was requested");
    assert_eq!(timer(&state, Timer::Snub, true), Some((4, 9)));
    state.flags.set_handshake_sent(true);
    state.phase = Phase::Open;
    assert_eq!(timer(&state, Timer::Handshake, false), None);
    assert_eq!(timer(&state, Timer::KeepAlive, false), Some((3, 8)));
    for of_all in Timer::OF_ALL {
        assert_eq!(timer(&state, of_all, true), None);
    }
}

#[test]
fn progress_is_in_thousandths() {
    for (some, all, share) in
        [(0, 4, 0), (1, 3, 333), (2, 3, 666), (4, 4, 1_000), (0, 0, 0), (u32::MAX, u32::MAX, 1_000)]
    {
        assert_eq!(thousandths(some, all), share, "{some} of {all}");
    }
}

/// A round counts the bytes of two: the one that ends and the one before (Cohen 2003: 20 seconds).
#[test]
fn a_round_moves_the_bytes_on_and_ranks_by_those_of_two_rounds() {
    for (have, rate) in [(0x80, 110), (0xF0, 1_100)] {
        let mut torrent = torrent(have);
        let mut view = torrent.view();
        let mut peer = view.peer(0).unwrap();
        peer.state.received_bytes = [100, 10];
        peer.state.sent_bytes = [1_000, 100];
        peer.state.held = 2;
        peer.update_candidate();
        let candidate = peer.state.choke_candidate;
        assert_eq!(candidate.rate, rate, "what it gave, or what it took of a seed");
        assert_eq!((candidate.sent, candidate.progress), (1_000, 500));
        assert_eq!(peer.state.received_bytes, [0, 100]);
        assert_eq!(peer.state.sent_bytes, [0, 1_000]);
    }
}

/// Libtorrent and BEP 3: a minute without a block that we wait for; a seed waits for nothing.
#[test]
fn a_peer_that_leaves_us_waiting_is_snubbed_for_the_choker() {
    for (have, wanted, flag, age, snubbed) in [
        (0x80, 1, false, 60_000, true),
        (0x80, 1, false, 59_999, false),
        (0x80, 0, false, 60_000, false),
        (0x80, 0, true, 0, true),
        (0xF0, 1, true, 60_000, false),
    ] {
        let mut torrent = torrent(have);
        let mut view = torrent.view();
        let mut peer = view.peer(0).unwrap();
        peer.now = Duration::from_millis(age);
        peer.state.wanted = wanted;
        peer.state.flags.set_snubbed(flag);
        peer.update_candidate();
        let is = peer.state.choke_candidate.snubbed;
        assert_eq!(is, snubbed, "{have:x} {wanted} {flag} {age}");
    }
}

#[test]
fn a_peer_is_a_newcomer_for_a_minute() {
    for (age, newcomer) in [(0, true), (59_999, true), (60_000, false)] {
        let mut torrent = torrent(0x80);
        let mut view = torrent.view();
        let mut peer = view.peer(0).unwrap();
        peer.now = Duration::from_millis(age);
        peer.update_candidate();
        assert_eq!(peer.state.choke_candidate.newcomer, newcomer, "{age} ms");
    }
}

#[test]
fn a_peer_without_a_handshake_is_no_candidate() {
    let mut torrent = torrent(0x80);
    let mut view = torrent.view();
    let mut peer = view.peer(0).unwrap();
    peer.state.phase = Phase::Handshaking;
    peer.state.received_bytes = [100, 10];
    peer.update_candidate();
    assert_eq!(peer.state.choke_candidate.rate, 0);
    assert_eq!(peer.state.received_bytes, [100, 10]);
    assert_eq!(peer.state.candidate(), None);
}

/// A snubbed peer keeps no request: those that were sent are cancelled, those that were not are dropped.
#[test]
fn a_snub_cancels_what_was_sent() {
    let mut torrent = torrent(0);
    let mut view = torrent.view();
    let mut peer = view.peer(0).unwrap();
    peer.now = seconds(61);
    let block = |begin| crate::Block { piece: crate::PieceIndex(0), begin, len: 16_384 };
    peer.requests.push(RequestSlot::new(block(0), Duration::ZERO, Step::Sent));
    peer.requests.push(RequestSlot::new(block(16_384), Duration::ZERO, Step::Due));
    peer.snub();
    assert!(peer.state.flags.snubbed());
    assert_eq!(peer.state.block_at, Stamp(61_000));
    assert_eq!((peer.requests.len(), peer.requests.in_flight()), (1, 0));
    assert_eq!(peer.requests.get(0).unwrap().block(), block(0));
    assert_eq!(peer.requests.get(0).unwrap().step, Step::Cancel);
}
