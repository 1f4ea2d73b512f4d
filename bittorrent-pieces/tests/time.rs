//! The clock of a torrent: deadlines to the millisecond, at any time and for any span.

mod by_hand;

use core::time::Duration;

use bittorrent_pieces::{
    CloseReason, Config, ConfigError, Event, Geometry, InfoHash, PeerId, PieceHashes, Side,
    Torrent, TorrentContent, TorrentLimits, TorrentSetup, TorrentVec,
};
use by_hand::{A, B, C, ZERO, greet, join, sent_to, torrent, torrent_of};

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
