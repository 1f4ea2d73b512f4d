//! The clock of a torrent: deadlines to the millisecond, at any time and for any span.

mod by_hand;

use core::time::Duration;

use bittorrent_pieces::wire::Reserved;
use bittorrent_pieces::{
    CloseReason, Config, ConfigError, Event, Geometry, InfoHash, PeerId, PieceHashes, Side,
    Torrent, TorrentContent, TorrentLimits, TorrentSetup, TorrentVec,
};
use by_hand::{A, B, C, ZERO, greet, hello, join, sent_to, torrent, torrent_of};

/// What is kept of a time are milliseconds modulo 2^32: near such a time, and long after it, all is as at the
/// start.
#[test]
fn deadlines_are_the_same_after_seven_weeks() {
    let millis = Duration::from_millis;
    for start in [ZERO, millis((1 << 32) - 100_000), millis(3 << 32) + Duration::from_nanos(7)] {
        let mut seed = torrent(0xC0);
        seed.handle_timeout(start);
        seed.handle_connected(start, A, Side::Accepted).unwrap();
        greet(&mut seed, A, 1).unwrap();
        sent_to(&mut seed, A);
        let lost = Some(Event::Closed { conn: A, reason: CloseReason::Silent });
        let mut times = Vec::new();
        for _ in 0..100 {
            let Some(at) = seed.poll_timeout() else { break };
            seed.handle_timeout(at);
            assert!(seed.poll_timeout().is_none_or(|next| next > at));
            let since = at.saturating_sub(start).as_secs_f64().round() as u64;
            if !sent_to(&mut seed, A).is_empty() {
                times.push(since);
            }
            if seed.poll_event() == lost {
                times.push(since);
                break;
            }
        }
        assert_eq!(times, [120, 240], "a keepalive, then it is lost; from {start:?}");
    }
}

/// Spans that no clock reaches are no spans, and the shortest are not for ever due.
#[test]
fn configured_spans_of_any_length_are_legal() {
    let spans = |span| {
        move |config: &mut Config| {
            config.silence = span;
            config.keep_alive = span;
            config.patience = span;
        }
    };
    let mut patient = torrent_of(2, 0, 2, spans(Duration::MAX));
    join(&mut patient, A, 0xC0);
    sent_to(&mut patient, A);
    patient.handle_timeout(Duration::from_secs(40 * 86_400));
    assert!(patient.peer(A).is_some_and(|peer| !peer.snubbed));
    assert_eq!(sent_to(&mut patient, A), Vec::<String>::new());

    let mut hasty = torrent_of(2, 0, 2, spans(Duration::from_millis(1)));
    join(&mut hasty, A, 0xC0);
    assert!(hasty.poll_timeout().is_some_and(|at| at > ZERO));
}

#[test]
fn a_span_or_a_pipeline_of_zero_is_refused() {
    let refused = |change: fn(&mut Config)| {
        let content = TorrentContent::new(Geometry::new(0, 1).unwrap(), PieceHashes::new(&[]));
        let mut config = Config::new(InfoHash([1; 20]), PeerId([1; 20]));
        change(&mut config);
        let storage = TorrentVec::new(&content, TorrentLimits::new());
        Torrent::new(TorrentSetup::new(config), storage).err()
    };
    assert_eq!(refused(|_| ()), None);
    assert_eq!(refused(|config| config.pipeline = 0), Some(ConfigError::Zero("pipeline")));
    assert_eq!(refused(|config| config.silence = ZERO), Some(ConfigError::Zero("silence")));
    assert_eq!(refused(|config| config.patience = ZERO), Some(ConfigError::Zero("patience")));
    assert_eq!(refused(|config| config.keep_alive = ZERO), Some(ConfigError::Zero("keep_alive")));
}

/// Connections that send one byte of a handshake do not keep an honest peer out for minutes.
#[test]
fn a_peer_without_a_handshake_loses_its_slot_after_ten_seconds() {
    let mut seed = torrent_of(2, 0xC0, 2, |_| ());
    for conn in [A, B] {
        seed.handle_connected(ZERO, conn, Side::Accepted).unwrap();
    }
    for conn in [A, B] {
        seed.handle_bytes(Duration::from_secs(9), conn, &[19]).unwrap();
    }
    seed.handle_timeout(Duration::from_secs(9));
    assert_eq!(seed.peers().count(), 2);
    assert_eq!(seed.poll_timeout(), Some(Duration::from_secs(10)));
    seed.handle_timeout(Duration::from_secs(10));
    for conn in [A, B] {
        let closed = Event::Closed { conn, reason: CloseReason::NoHandshake };
        assert_eq!(seed.poll_event(), Some(closed));
    }
    seed.handle_connected(Duration::from_secs(10), C, Side::Accepted).unwrap();
}

/// A keepalive two minutes after the last message to a peer, the end four minutes after its last message.
#[test]
fn the_deadlines_of_a_peer_follow_its_messages() {
    let millis = Duration::from_millis;
    let mut seed = torrent(0xC0);
    seed.handle_connected(millis(3_000), A, Side::Accepted).unwrap();
    seed.handle_bytes(millis(3_500), A, &hello(A, Reserved::default())).unwrap();
    assert_eq!(sent_to(&mut seed, A), ["HANDSHAKE", "BITFIELD bytes=1"]);
    seed.handle_timeout(millis(123_000));
    assert_eq!(seed.poll_timeout(), Some(millis(123_500)));
    seed.handle_timeout(millis(123_499));
    assert_eq!(sent_to(&mut seed, A), Vec::<String>::new());
    seed.handle_timeout(millis(123_500));
    assert_eq!(sent_to(&mut seed, A), ["KEEPALIVE"]);
    seed.handle_bytes(millis(150_250), A, &[0, 0, 0, 1, 2]).unwrap();
    assert_eq!(sent_to(&mut seed, A), ["UNCHOKE"]);
    seed.handle_timeout(millis(269_000));
    seed.handle_timeout(millis(270_249));
    assert_eq!(sent_to(&mut seed, A), Vec::<String>::new());
    seed.handle_timeout(millis(270_250));
    assert_eq!(sent_to(&mut seed, A), ["KEEPALIVE"]);
    seed.handle_timeout(millis(390_249));
    assert!(seed.peer(A).is_some());
    seed.handle_timeout(millis(390_250));
    assert_eq!(seed.peer(A), None);
}

/// A peer that was asked for nothing does not leave us waiting.
#[test]
fn a_peer_without_requests_is_not_snubbed() {
    let mut leech = torrent(0);
    join(&mut leech, A, 0);
    sent_to(&mut leech, A);
    for second in [60, 61, 120, 130, 239] {
        leech.handle_timeout(Duration::from_secs(second));
        assert!(!leech.peer(A).unwrap().snubbed, "after {second} s");
    }
}

/// A peer that has nothing for us is not waited for at the end either.
#[test]
fn a_seed_waits_for_no_late_blocks() {
    let mut seed = torrent(0xC0);
    join(&mut seed, A, 0xC0);
    assert_eq!(seed.poll_timeout(), Some(Duration::from_secs(1)));
}
