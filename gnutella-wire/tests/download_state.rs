//! What a download has, how fast it is, and what becomes of sources that cannot be reached.

mod exchange;
mod one_download;

use exchange::{Behaviour, World, address_of, file_of};
use gnutella_wire::ConnId;
use gnutella_wire::huge::{Sha1, Urn};
use gnutella_wire::transfer::{DownloadConfig, DownloadEvent, Source};
use one_download::{
    BLOCK, SINGLE, T0, WHOLE, asked, connect, dial, events, fetch, fetch_with, head, host, receive,
    seconds,
};

/// What is written counts from the beginning of a block, and neighbouring parts are joined.
#[test]
fn written_parts_are_joined() {
    for (written, expected) in [
        (&[][..], &[][..]),
        (&[(0, 100)], &[(0, 100)]),
        (&[(10, 100)], &[]), // without the beginning of its block
        (&[(0, 50), (50, 50)], &[(0, 100)]),
        (&[(0, 50), (51, 50)], &[(0, 50)]),
        (&[(0, 50), (20, 50)], &[(0, 70)]),
        (&[(0, 50), (0, 20)], &[(0, 50)]),
        (&[(0, BLOCK), (BLOCK, 100)], &[(0, BLOCK + 100)]),
        (&[(0, BLOCK), (2 * BLOCK, 100)], &[(0, BLOCK), (2 * BLOCK, 100)]),
        (&[(0, 100), (BLOCK, BLOCK)], &[(0, 100), (BLOCK, BLOCK)]),
        (&[(3 * BLOCK, BLOCK)], &[(3 * BLOCK, BLOCK)]),
        (&[(3 * BLOCK, 2 * BLOCK)], &[(3 * BLOCK, BLOCK)]), // the file ends there
        (&[(0, 4 * BLOCK)], &[(0, 4 * BLOCK)]),
    ] {
        let fetch = fetch_with(SINGLE, 4 * BLOCK, written);
        let found: Vec<_> = fetch.written().collect();
        assert_eq!(found, expected, "{written:?}");
        let total: u64 = expected.iter().map(|(_, len)| len).sum();
        assert_eq!(fetch.progress().written, total);
        assert_eq!(fetch.verified().count(), 0, "without a tree nothing is checked");
    }
}

/// The rate is an average in which the newest second counts a quarter.
#[test]
fn the_rate_follows_the_last_seconds() {
    let size = 16 * BLOCK;
    let mut fetch = fetch(WHOLE, size);
    connect(&mut fetch, T0, 1);
    asked(&mut fetch);
    receive(&mut fetch, T0, 1, &head(size, 0, size, ""));
    for (second, bytes, rate) in [(1, 100_000, 100_000), (2, 20_000, 80_000), (4, 10_000, 61_250)] {
        receive(&mut fetch, seconds(second), 1, &vec![0; bytes]);
        assert_eq!(fetch.progress().rate, rate, "second {second}");
    }
}

/// A source that only has no connection yet does not count as waiting.
#[test]
fn sources_beyond_the_connections_do_not_wait() {
    let mut config = SINGLE;
    config.max_connections = 1;
    let mut fetch = fetch(config, 16 * BLOCK);
    connect(&mut fetch, T0, 1);
    fetch.add_source(T0, Source::at(host(2))).unwrap();
    let progress = fetch.progress();
    assert_eq!((progress.sending, progress.waiting), (1, 0));
}

/// Sources beyond the number of connections are dialled when others have failed.
#[test]
fn no_more_sources_are_dialled_than_connections_allowed() {
    let mut config = SINGLE;
    config.max_connections = 2;
    let mut fetch = fetch(config, 16 * BLOCK);
    let first = dial(&mut fetch, T0, 1);
    dial(&mut fetch, T0, 2);
    let third = fetch.add_source(T0, Source::at(host(3))).unwrap();
    assert_eq!(events(&mut fetch), []);
    fetch.handle_dial_failed(seconds(1), first);
    assert_eq!(events(&mut fetch), [DownloadEvent::Dial { source: third, address: host(3) }]);
}

/// A source that cannot be dialled is tried again after 5 seconds. Once it is connected, a late report changes nothing.
#[test]
fn a_failed_attempt_is_repeated_later() {
    let mut fetch = fetch(SINGLE, 16 * BLOCK);
    let source = dial(&mut fetch, T0, 1);
    assert_eq!(fetch.poll_timeout(), Some(DownloadConfig::CUSTOMARY.dial_timeout));
    fetch.handle_dial_failed(seconds(1), source);
    assert_eq!(fetch.poll_timeout(), Some(seconds(6)));
    assert_eq!(fetch.progress().waiting, 1);
    fetch.handle_timeout(seconds(6));
    let again = DownloadEvent::Dial { source, address: host(1) };
    assert_eq!(events(&mut fetch), [again]);
    fetch.handle_connected(seconds(6), source, ConnId(1)).unwrap();
    fetch.handle_dial_failed(seconds(6), source);
    assert_eq!(asked(&mut fetch), [(1, 0, BLOCK)]);
}

/// Another location is an address of HTTP, and its path asks for a file by the right URN.
#[test]
fn other_locations_are_read_to_the_letter() {
    let size = 16 * BLOCK;
    let urn = Urn::Sha1(Sha1([1; 20]));
    let other = Urn::Sha1(Sha1([2; 20]));
    for (url, is_followed) in [
        (format!("http://10.0.0.3:6346/uri-res/N2R?{urn}"), true),
        (format!("HTTP://10.0.0.3/URI-RES/n2r?{urn} 2002-04-30"), true),
        (format!("ftps://10.0.0.3:6346/uri-res/N2R?{urn}"), false),
        (format!("http://10.0.0.3:6346/uri-res/N2X?{urn}"), false),
        (format!("http://10.0.0.3:6346/uri-res/N2R?{other}"), false),
        (format!("http://example:6346/uri-res/N2R?{urn}"), false),
    ] {
        let mut fetch = fetch(SINGLE, size);
        connect(&mut fetch, T0, 1);
        asked(&mut fetch);
        receive(&mut fetch, T0, 1, &head(size, 0, BLOCK, &format!("Alt-Location: {url}\r\n")));
        assert_eq!(fetch.sources().count(), 1 + usize::from(is_followed), "{url}");
    }
}

/// A request names all others whose blocks were right, with commas.
#[test]
fn good_sources_are_named_in_one_list() {
    let file = file_of(6_000_000);
    let mut world = World::new(&file);
    for _ in 0..3 {
        world.add(Behaviour { most: Some(300_000), ..Behaviour::GOOD });
    }
    world.run(seconds(60));
    assert_eq!(world.outcome, Some(DownloadEvent::Completed { verified: true }));
    let expected = format!("X-Alt: {},{}\r\n", address_of(1), address_of(2));
    assert!(world.heads(0).last().unwrap().contains(&expected));
}
