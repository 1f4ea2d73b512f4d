//! A torrent that downloads from web servers, which behave as real ones do, and as wrong ones do.

mod web_world;

use core::time::Duration;

use bittorrent_pieces::bencode::Mode;
use bittorrent_pieces::magnet::Magnet;
use bittorrent_pieces::web_seed::{
    CloseReason, HttpGet, HttpTarget, NotRequested, WebFile, WebRequestSlot, WebSeed, WebSeedKind,
    WebSeedSlots, file_url, piece_url,
};
use bittorrent_pieces::{ConfigError, Geometry, InfoHash, Metainfo, PieceIndex};
use web_world::*;

#[test]
fn one_file_comes_in_ranges() {
    for fast in [true, false] {
        let mut world = World::new(&[1_000_003], WebSeedKind::Files, fast);
        assert!(world.run(&ranges), "fast: {fast}");
        let bytes: u64 = world.gets.iter().map(|get| get.len).sum();
        assert_eq!(bytes, 1_000_003, "nothing is requested twice");
        assert!(world.gets.len() < 20, "{} requests", world.gets.len());
        assert!(world.gets.iter().all(|get| get.target == HttpTarget::File(0)));
    }
}

#[test]
fn blocks_across_files_and_padding_are_put_together() {
    let lens = [1_000, 0, 5, 100_000, -30_067, 7, 200_000, 1];
    let mut world = World::new(&lens, WebSeedKind::Files, true);
    assert!(world.run(&ranges));
    let padding = |get: &HttpGet| get.target == HttpTarget::File(4);
    assert!(!world.gets.iter().any(padding), "no server has padding");
    assert!(world.gets.iter().any(|get| get.target == HttpTarget::File(7)));
}

#[test]
fn a_server_without_ranges_sends_small_files_whole() {
    let whole = |world: &World, get: &HttpGet| {
        let body = world.file(get).to_vec();
        Response { status: 200, length: Some(body.len() as u64), body, ..Response::default() }
    };
    let mut world = World::new(&[300_000, 400_000], WebSeedKind::Files, true);
    assert!(world.run(&whole));
    let mut world = World::new(&[3_000_000], WebSeedKind::Files, true);
    assert!(!world.run(&whole));
    assert_eq!(world.closed, Some(CloseReason::NoRanges), "a megabyte is skipped at most");
}

#[test]
fn the_pieces_of_a_missing_file_are_not_announced() {
    for code in [404, 403, 410, 416] {
        let server = move |world: &World, get: &HttpGet| match get.target {
            HttpTarget::File(1) => status(code),
            _ => ranges(world, get),
        };
        let mut world = World::new(&[300_000, 300_000, 300_000], WebSeedKind::Files, true);
        assert!(!world.run(&server));
        assert_eq!(world.closed, None);
        let touched = 300_000 / PIECE..=(599_999 / PIECE);
        let all = 900_000_u32.div_ceil(PIECE);
        for piece in 0..all {
            let has = world.torrent.have().has(PieceIndex(piece));
            assert_eq!(has, !touched.contains(&piece), "{code}: piece {piece}");
        }
        let peer = world.torrent.peer(CONN).expect("it is still connected");
        assert_eq!(peer.pieces, all - touched.count() as u32);
        assert_eq!(peer.wanted, 0);
        let misses = world.gets.iter().filter(|get| get.target == HttpTarget::File(1));
        assert_eq!(misses.count(), 1, "it is asked for once");
    }
}

#[test]
fn a_server_without_any_file_is_dropped() {
    let mut world = World::new(&[300_000], WebSeedKind::Files, true);
    assert!(!world.run(&|_, _| status(404)));
    assert_eq!(world.closed, Some(CloseReason::NoFiles));
}

#[test]
fn a_file_of_another_length_is_missing() {
    let longer = |world: &World, get: &HttpGet| {
        let range = Some(format!("bytes {}-{}/300001", get.begin, get.last()));
        Response { range, ..ranges(world, get) }
    };
    let mut world = World::new(&[300_000], WebSeedKind::Files, true);
    assert!(!world.run(&longer));
    assert_eq!(world.closed, Some(CloseReason::NoFiles));
}

#[test]
fn redirections_are_followed_but_not_for_ever() {
    for code in [301, 302, 303, 307, 308] {
        let server = move |world: &World, get: &HttpGet| {
            if get.target != HttpTarget::Location {
                return Response { location: Some("../mirror?file=1"), ..status(code) };
            }
            assert_eq!(world.seed.location(), b"http://example.org/../mirror?file=1");
            let mut get = *get;
            get.target = HttpTarget::File(0);
            ranges(world, &get)
        };
        let mut world = World::new(&[300_000], WebSeedKind::Files, true);
        assert!(world.run(&server), "{code}");
    }
    let around = |_: &World, _: &HttpGet| Response { location: Some("/again"), ..status(302) };
    let inside = |_: &World, _: &HttpGet| Response {
        location: Some("http://127.0.0.1:9091/rpc"),
        ..status(302)
    };
    let servers: [(&Server, usize); 2] = [(&around, 6), (&inside, 1)];
    for (server, gets) in servers {
        let mut world = World::new(&[300_000], WebSeedKind::Files, true);
        assert!(!world.run(server));
        assert_eq!(world.closed, Some(CloseReason::NoFiles));
        assert_eq!(world.gets.len(), gets);
    }
}

#[test]
fn a_busy_server_is_left_alone_as_long_as_it_says() {
    for (code, after, wait) in [(503, "120", 120), (429, "7", 7), (503, "Wed, 21 Oct 2015", 30)] {
        let busy =
            move |_: &World, _: &HttpGet| Response { retry_after: Some(after), ..status(code) };
        let mut world = World::new(&[300_000], WebSeedKind::Files, true);
        assert!(world.answer(&busy));
        assert_eq!(world.seed.pauses_until(), Some(Duration::from_secs(wait)));
        world.wire();
        assert!(!world.torrent.peer(CONN).unwrap().unchokes_us, "it chokes while it pauses");
        assert_eq!(world.torrent.peer(CONN).unwrap().requested, 0);
        assert!(world.run(&ranges), "and then it goes on");
    }
}

#[test]
fn failures_pause_longer_each_time() {
    let mut world = World::new(&[300_000], WebSeedKind::Files, true);
    assert!(!world.run(&|_, _| status(500)));
    assert_eq!(world.gets.len(), 7, "after 30, 60, 120, 240, 480, 960, 1,920 s");
    assert_eq!(world.closed, None, "it may come back");
}

#[test]
fn a_silent_server_is_given_up() {
    let mut world = World::new(&[300_000], WebSeedKind::Files, true);
    let silent = |_: &World, _: &HttpGet| Response { silent: true, ..Response::default() };
    assert!(world.answer(&silent));
    assert_eq!(world.seed.poll_timeout(), Some(Duration::from_secs(20)));
    let number = world.gets[0].number;
    assert!(world.run(&ranges));
    assert_eq!(world.aborted, 1);
    let late = world.seed.handle_end(world.now, number);
    assert_eq!(late, Err(NotRequested(number)), "what comes later is not used");
}

#[test]
fn short_bodies_are_continued() {
    // The server hangs up after 20,000 bytes, or announces that it sends no more.
    let hangs_up = |world: &World, get: &HttpGet| {
        let mut response = ranges(world, get);
        response.body.truncate(20_000);
        response
    };
    let announces = |world: &World, get: &HttpGet| {
        let mut get = *get;
        get.len = get.len.min(20_000);
        ranges(world, &get)
    };
    let servers: [&Server; 2] = [&hangs_up, &announces];
    for server in servers {
        let mut world = World::new(&[300_000], WebSeedKind::Files, true);
        assert!(world.run(server));
        assert!(world.now < Duration::from_secs(5), "without a pause");
    }
    // A byte at a time is a failure.
    let drips = |world: &World, get: &HttpGet| {
        let mut response = ranges(world, get);
        response.body.truncate(1);
        response
    };
    let mut world = World::new(&[300_000], WebSeedKind::Files, true);
    assert!(!world.run(&drips));
    assert_eq!(world.gets.len(), 7);
}

#[test]
fn a_server_that_lies_is_found_by_the_hash_and_banned() {
    let lies = |world: &World, get: &HttpGet| {
        let mut response = ranges(world, get);
        response.body.iter_mut().for_each(|byte| *byte ^= 1);
        response
    };
    let mut world = World::new(&[300_000], WebSeedKind::Files, true);
    assert!(!world.run(&lies));
    assert!(world.banned);
}

#[test]
fn odd_heads_are_failures() {
    for range in [None, Some("bytes 0-"), Some("items 0-9/10"), Some("bytes 9-3/300000"), Some("")]
    {
        let server = move |_: &World, _: &HttpGet| Response {
            status: 206,
            range: range.map(Into::into),
            ..Response::default()
        };
        let mut world = World::new(&[300_000], WebSeedKind::Files, true);
        assert!(world.answer(&server));
        assert_eq!(world.seed.pauses_until(), Some(Duration::from_secs(30)), "{range:?}");
    }
}

#[test]
fn a_script_of_bep_17_returns_ranges_of_pieces() {
    let script = |world: &World, get: &HttpGet| {
        let HttpTarget::Piece(piece) = get.target else { panic!("{get:?}") };
        let at = u64::from(piece.0 * PIECE) + get.begin;
        let body = world.data[at as usize..(at + get.len) as usize].to_vec();
        Response { status: 200, length: Some(get.len), body, ..Response::default() }
    };
    let mut world = World::new(&[1_000_003], WebSeedKind::Pieces, true);
    assert!(world.run(&script));
    let busy = |_: &World, _: &HttpGet| Response { body: b"90\n".to_vec(), ..status(503) };
    let mut world = World::new(&[300_000], WebSeedKind::Pieces, true);
    assert!(world.answer(&busy));
    assert_eq!(world.seed.pauses_until(), Some(Duration::from_secs(90)));
}

#[test]
fn storage_that_does_not_fit_is_refused() {
    let geometry = Geometry::new(300_000, PIECE).unwrap();
    let new = |slots| WebSeed::new(config(WebSeedKind::Files), geometry, slots).map(|_| ());
    let file = WebFile::new(0, 300_000);
    assert_eq!(new(slots(vec![file], 1)), Ok(()));
    assert_eq!(new(slots(vec![file], 0)), Err(ConfigError::Requests(1)));
    assert_eq!(new(slots(vec![file, file], 1)), Err(ConfigError::File(1)));
    let short = WebSeedSlots { block: vec![0; 16_383], ..slots(vec![file], 1) };
    assert_eq!(new(short), Err(ConfigError::Buffer(16_384)));
    assert!(size_of::<WebRequestSlot>() <= 16 && size_of::<WebFile>() <= 24);
    assert!(size_of::<WebSeed<()>>() <= 400, "{}", size_of::<WebSeed<()>>());
    assert!(World::new(&[5], WebSeedKind::Files, true).files[0] == WebFile::new(0, 5));
}

#[test]
fn urls_are_written_as_bep_19_and_bep_17_say() {
    let url = |seed: &str, torrent: &[u8], file| {
        let metainfo = Metainfo::decode(torrent, Mode::Strict).unwrap();
        let mut out = [0; 200];
        let len = file_url(seed.as_bytes(), &metainfo, file, &mut out).ok()?;
        Some(String::from_utf8(out[..len].to_vec()).unwrap())
    };
    let one = b"d4:infod6:lengthi0e4:name3:a b12:piece lengthi16384e6:pieces0:ee";
    assert_eq!(url("http://h/x%20y", one, 0).as_deref(), Some("http://h/x%20y"));
    assert_eq!(url(" http://h/x/ ", one, 0).as_deref(), Some("http://h/x/a%20b"));
    assert_eq!(url("http://h/x", one, 1), None);
    // libtorrent escapes what its author did not.
    assert_eq!(url("http://h/ x/\u{E9}", one, 0).as_deref(), Some("http://h/%20x/%C3%A9"));
    for seed in ["http://h/\nx", "http://h/\u{7F}", "http://h/x#y", "http://h/\t"] {
        assert_eq!(url(&format!("{seed}z"), one, 0), None, "{seed:?}");
    }
    let several = "d4:infod5:filesld6:lengthi0e4:pathl2:..1:beed6:lengthi0e4:pathl3:é+eee\
        4:name2:n~12:piece lengthi16384e6:pieces0:ee";
    assert_eq!(url("http://h/x", several.as_bytes(), 0), None, "it would lead out of the folder");
    assert_eq!(
        url("http://h/x", several.as_bytes(), 1).as_deref(),
        Some("http://h/x/n~/%C3%A9%2B")
    );
    let mut world = World::new(&[300_000], WebSeedKind::Pieces, true);
    world.answer(&|_, get| {
        let mut out = [0; 200];
        let hash = InfoHash(*b"abcdefghijklmnopq /?");
        let len = piece_url(b"http://h/s?x=1", hash, PieceIndex(3), get, &mut out).unwrap();
        let url = "http://h/s?x=1&info_hash=abcdefghijklmnopq%20%2F%3F&piece=3&ranges=0-65535";
        let written = String::from_utf8_lossy(&out[..len]).into_owned();
        assert!(written.starts_with(&url[..url.len() - 5]), "{written}");
        status(500)
    });
}

#[test]
fn metainfo_and_links_name_web_seeds() {
    let torrent = |more: &str| {
        format!(
            "d{more}4:infod6:lengthi0e4:name1:n12:piece lengthi16384e6:pieces0:e8:url-listl0:10:http://a/bi3eee"
        )
    };
    let bytes = torrent("9:httpseeds10:http://a/c");
    let metainfo = Metainfo::decode(bytes.as_bytes(), Mode::Strict).unwrap();
    assert_eq!(metainfo.web_seeds().collect::<Vec<_>>(), [b"http://a/b"]);
    assert_eq!(metainfo.http_seeds().collect::<Vec<_>>(), [b"http://a/c"]);
    let bytes = torrent("");
    let metainfo = Metainfo::decode(bytes.as_bytes(), Mode::Strict).unwrap();
    assert_eq!(metainfo.http_seeds().count(), 0);
    let link =
        b"magnet:?xt=urn:btih:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa&ws=http%3A%2F%2Fa%2Fb";
    let magnet = Magnet::parse(link).unwrap();
    let seeds: Vec<Vec<u8>> = magnet.web_seeds().map(|url| url.bytes().collect()).collect();
    assert_eq!(seeds, [b"http://a/b"]);
}
