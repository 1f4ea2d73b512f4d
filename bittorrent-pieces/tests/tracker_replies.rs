//! What a tracker reads and answers over HTTP, byte for byte (BEP 3, 7, 23, 24, 48).

use core::time::Duration;

use bittorrent_pieces::bencode::WriteError;
use bittorrent_pieces::tracker::http::{
    self, AnnounceReply, Announced, Answer, AnswerError, HttpRequest, RequestError, Scraped,
    UrlError, encode_failure, encode_scrape,
};
use bittorrent_pieces::tracker::{Announce, AnnounceEvent, ScrapeStats};
use bittorrent_pieces::{CompactPeers, Family, InfoHash, PeerId};

const PEER: PeerId = PeerId(*b"-RW0001-aaaaaaaaaaaa");

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn written(encode: impl Fn(&mut [u8]) -> Result<usize, WriteError>) -> Vec<u8> {
    let mut out = [0; 300];
    let len = encode(&mut out).expect("room");
    // The error names the length that suffices.
    let needed = match encode(&mut [0; 3]) {
        Err(WriteError::Buffer(error)) => error.needed,
        other => panic!("{other:?}"),
    };
    assert_eq!(needed, len);
    out[..len].to_vec()
}

#[test]
fn an_announce_is_answered_with_compact_peers() {
    let peers = CompactPeers::new(Family::V4, &[192, 0, 2, 1, 0x1A, 0xE1]).expect("one");
    let mut reply = AnnounceReply::new(secs(1800), 3, 4, peers);
    let numbers = "8:completei3e";
    let rest = "10:incompletei4e8:intervali1800e5:peers6:";
    let mut expected = format!("d{numbers}{rest}").into_bytes();
    expected.extend([192, 0, 2, 1, 0x1A, 0xE1, b'e']);
    assert_eq!(written(|out| reply.encode(out)), expected);

    reply.external = Some([192, 0, 2, 9].into());
    let mut v6 = [0; 18];
    v6[0] = 0x20;
    v6[16..].copy_from_slice(&[0x1A, 0xE1]);
    reply.peers6 = CompactPeers::new(Family::V6, &v6);
    let mut expected = format!("d{numbers}11:external ip4:").into_bytes();
    expected.extend([192, 0, 2, 9]);
    expected.extend(rest.bytes());
    expected.extend([192, 0, 2, 1, 0x1A, 0xE1]);
    expected.extend(b"6:peers618:");
    expected.extend(v6);
    expected.push(b'e');
    assert_eq!(written(|out| reply.encode(out)), expected);

    reply.external = Some([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into());
    reply.peers6 = None;
    let mut expected = format!("d{numbers}11:external ip16:").into_bytes();
    expected.extend([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    expected.extend(rest.bytes());
    expected.extend([192, 0, 2, 1, 0x1A, 0xE1, b'e']);
    assert_eq!(written(|out| reply.encode(out)), expected);
}

#[test]
fn a_scrape_is_answered_with_statistics() {
    let stats = |seeders, completed, leechers| ScrapeStats { seeders, completed, leechers };
    let torrents = [(InfoHash([b'a'; 20]), stats(1, 2, 3)), (InfoHash([b'b'; 20]), stats(4, 5, 6))];
    let [a, b] = ["a", "b"].map(|letter| letter.repeat(20));
    let expected = format!(
        "d5:filesd20:{a}d8:completei1e10:downloadedi2e10:incompletei3ee\
         20:{b}d8:completei4e10:downloadedi5e10:incompletei6eeee"
    );
    assert_eq!(written(|out| encode_scrape(torrents, out)), expected.as_bytes());
}

#[test]
fn a_refusal_has_a_reason() {
    let reply = written(|out| encode_failure(b"unregistered torrent", out));
    assert_eq!(reply, b"d14:failure reason20:unregistered torrente");
}

#[test]
fn an_announce_is_read() {
    let [hash, id] = ["%ab".repeat(20), "p".repeat(20)];
    let head = format!("/announce?info_hash={hash}&peer_id={id}");
    let decode = |rest: &str| {
        let target = format!("{head}{rest}");
        match HttpRequest::decode(target.as_bytes()) {
            Ok(HttpRequest::Announce { announce, compact, ip }) => Ok((announce, compact, ip)),
            Ok(other) => panic!("{other}"),
            Err(error) => Err(error),
        }
    };
    let (announce, compact, ip) = decode("&port=6881").expect("all that is required");
    assert_eq!((announce.info_hash, announce.peer_id), (InfoHash([0xab; 20]), PeerId([b'p'; 20])));
    assert_eq!(
        (announce.port, announce.left, announce.event),
        (6881, u64::MAX, AnnounceEvent::None)
    );
    assert_eq!((announce.uploaded, announce.downloaded), (0, 0));
    assert_eq!((announce.num_want, announce.key, compact, ip), (None, 0, false, None));

    let all = "&port=1&uploaded=2&downloaded=3&left=4&event=completed&compact=1&numwant=5&key=1a2B\
        &ip=192.0.2.1";
    let (announce, compact, ip) = decode(all).expect("an announce");
    assert_eq!(
        (announce.port, announce.uploaded, announce.downloaded, announce.left),
        (1, 2, 3, 4)
    );
    assert_eq!((announce.event, announce.num_want), (AnnounceEvent::Completed, Some(5)));
    assert_eq!((announce.key, compact, ip), (0x1a2b, true, Some([192, 0, 2, 1].into())));

    for (text, address) in [
        ("2001%3Adb8%3a%3A1", Some("2001:db8::1")),
        ("2001:db8::1", Some("2001:db8::1")),
        ("%5B2001%3Adb8%3A%3A1%5D", None),
        ("host.example", None),
    ] {
        let (_, _, ip) = decode(&format!("&port=1&ip={text}")).expect("an announce");
        assert_eq!(ip, address.map(|address| address.parse().unwrap()), "{text}");
    }
    for (text, event) in [
        ("started", AnnounceEvent::Started),
        ("stopped", AnnounceEvent::Stopped),
        ("paused", AnnounceEvent::None), // BEP 21
        ("update", AnnounceEvent::None), // not known: opentracker ignores it too
    ] {
        let (announce, ..) = decode(&format!("&port=1&event={text}")).expect("an announce");
        assert_eq!(announce.event, event);
    }
    let key = |name| Err(RequestError::Key(name));
    assert_eq!(decode(""), key("port"));
    assert_eq!(decode("&port=0"), key("port"));
    let short = format!("/announce?info_hash={}&peer_id={id}&port=1", "%ab".repeat(19));
    assert_eq!(HttpRequest::decode(short.as_bytes()), Err(RequestError::Key("info_hash")));
    let missing = format!("/announce?info_hash={hash}&port=1");
    assert_eq!(HttpRequest::decode(missing.as_bytes()), Err(RequestError::Key("peer_id")));
    assert_eq!(HttpRequest::decode(b"/index.html"), Err(RequestError::Path));
}

#[test]
fn a_scrape_names_torrents() {
    let target = format!("/x/scrape?info_hash={}&info_hash={}", "a".repeat(20), "%62".repeat(20));
    let scrape = HttpRequest::decode(target.as_bytes()).expect("a scrape");
    assert_eq!(scrape.to_string(), "SCRAPE torrents=2");
    let HttpRequest::Scrape(torrents) = scrape else { panic!("{scrape}") };
    assert!(torrents.iter().eq([InfoHash([b'a'; 20]), InfoHash([b'b'; 20])]));
    let short = format!("/scrape?info_hash={}", "a".repeat(21));
    assert_eq!(HttpRequest::decode(short.as_bytes()), Err(RequestError::Key("info_hash")));
    assert!(HttpRequest::decode(b"/scrape").is_ok(), "all torrents");
}

/// BEP 3 and 23: both forms of `peers`; BEP 7: `peers6`.
#[test]
fn http_answers_are_read_in_both_forms() {
    let list = b"d8:completei2e10:incompletei1e8:intervali1800e12:min intervali60e5:peersl\
        d2:ip9:192.0.2.17:peer id20:-RW0001-aaaaaaaaaaaa4:porti6881ee\
        d2:ip15:tracker.exampleX4:porti1eeee";
    let list = list.to_vec();
    assert!(Announced::decode(&list).is_err(), "a stray byte");
    let list = b"d8:completei2e10:incompletei1e8:intervali1800e12:min intervali60e5:peersl\
        d2:ip9:192.0.2.17:peer id20:-RW0001-aaaaaaaaaaaa4:porti6881ee\
        d2:ip12:host.example4:porti1eed4:porti1eeee\n";
    let Ok(Answer::Done(answer)) = Announced::decode(list) else { panic!("an answer") };
    assert_eq!((answer.interval, answer.min_interval), (secs(1800), Some(secs(60))));
    assert_eq!((answer.seeders, answer.leechers), (Some(2), Some(1)));
    let contacts: Vec<_> = answer.contacts().collect();
    assert_eq!(contacts[0].peer_id, Some(PEER));
    let contacts: Vec<_> = contacts.iter().map(ToString::to_string).collect();
    assert_eq!(
        contacts,
        ["192.0.2.1:6881", "host.example:1"],
        "an entry without address is skipped"
    );

    let compact =
        b"d11:external ip4:\xC0\x00\x02\x098:intervali9e5:peers12:\xC0\x00\x02\x01\x1A\xE1\
        \xC6\x33\x64\x07\xC8\xD56:peers618:\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x01\x1A\xE1e";
    let Ok(Answer::Done(answer)) = Announced::decode(compact) else { panic!("an answer") };
    let contacts: Vec<_> = answer.contacts().map(|it| it.to_string()).collect();
    assert_eq!(contacts, ["192.0.2.1:6881", "198.51.100.7:51413", "[2001:db8::1]:6881"]);
    assert_eq!(answer.external, Some("192.0.2.9".parse().unwrap()));

    let failure = Announced::decode(b"d14:failure reason4:nopee");
    assert_eq!(failure, Ok(Answer::Failure(b"nope")));
    for (bytes, error) in [
        (&b"d14:failure reasoni1ee"[..], AnswerError::Key("failure reason")),
        (b"le", AnswerError::NotDictionary),
    ] {
        assert_eq!(Announced::decode(bytes), Err(error), "{}", bytes.escape_ascii());
    }
    let long = vec![b'0'; http::MAX_ANSWER_LEN + 1];
    assert_eq!(Announced::decode(&long), Err(AnswerError::TooLong(long.len())));
}

/// Trackers omit the interval, send half a peer, a port 0, or a key of the wrong type: only that part is lost.
#[test]
fn a_malformed_part_of_an_answer_costs_only_itself() {
    for (bytes, interval, peers) in [
        (&b"d5:peers6:\xC0\x00\x02\x01\x1A\xE1e"[..], 1_800, 1),
        (b"d8:intervali-9e5:peers7:\xC0\x00\x02\x01\x1A\xE1\x00e", 1_800, 1),
        (b"d8:interval2:605:peers12:\xC0\x00\x02\x01\x1A\xE1\xC0\x00\x02\x02\0\0e", 1_800, 1),
        (b"d8:intervali9e5:peersi1ee", 9, 0),
        (b"d8:intervali9ee", 9, 0),
        (b"d8:intervali9e5:peers6:\xC0\x00\x02\x01\x1A\xE16:peers63:abce", 9, 1),
        (b"d8:intervali9e5:peersli1ed2:ip9:192.0.2.14:porti0eed2:ip9:192.0.2.14:porti1eeee", 9, 1),
    ] {
        let answer = Announced::decode(bytes);
        let Ok(Answer::Done(answer)) = answer else {
            panic!("{}: {answer:?}", bytes.escape_ascii())
        };
        assert_eq!(answer.interval, secs(interval), "{}", bytes.escape_ascii());
        assert_eq!(answer.contacts().count(), peers, "{}", bytes.escape_ascii());
    }
}

/// BEP 48: the answer, and its three rules for the URL.
#[test]
fn http_scrapes_are_written_and_read() {
    let answer =
        b"d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei11e10:downloadedi13772e10:incompletei19ee\
        3:abcdeee";
    let Ok(Answer::Done(scraped)) = Scraped::decode(answer) else { panic!("an answer") };
    let stats = ScrapeStats { seeders: 11, completed: 13_772, leechers: 19 };
    let torrents: Vec<_> = scraped.torrents().collect();
    assert_eq!(torrents, [Ok((InfoHash([b'a'; 20]), stats)), Err(AnswerError::InfoHash(3))]);
    let mut out = [0; 300];
    for (tracker, scrape) in [
        ("http://example.com/announce", Some("http://example.com/scrape")),
        ("http://example.com/x/announce", Some("http://example.com/x/scrape")),
        ("http://example.com/announce.php", Some("http://example.com/scrape.php")),
        ("http://example.com/a", None),
        ("http://example.com/announce?x2%0644", Some("http://example.com/scrape?x2%0644")),
        ("http://example.com/announce?x=2/4", Some("http://example.com/scrape?x=2/4")),
        ("http://example.com/x%064announce", None),
    ] {
        let len = http::scrape_url(tracker.as_bytes(), &[], &mut out);
        let url = len.ok().map(|len| str::from_utf8(&out[..len]).unwrap());
        assert_eq!(url, scrape, "{tracker}");
    }
    let two = [InfoHash([b'a'; 20]), InfoHash([0; 20])];
    let len = http::scrape_url(b"http://t/announce?k=1", &two, &mut out).unwrap();
    let url = str::from_utf8(&out[..len]).unwrap();
    let a = "a".repeat(20);
    let zeros = "%00".repeat(20);
    assert_eq!(url, format!("http://t/scrape?k=1&info_hash={a}&info_hash={zeros}"));
}

#[test]
fn http_announces_are_read_and_answered() {
    let hash = InfoHash(*b"\xe4\xc9\xcc\x93\xf9g\x9aZQ>\xa8\xd6F\x82\x1b\xb5\xeb\xa4\x85'");
    let mut announce = Announce::started(hash, PEER, 51_499, 5_000_001);
    announce.key = 0xDEAD_BEEF;
    announce.event = AnnounceEvent::Stopped;
    announce.num_want = Some(0);
    let mut out = [0; 300];
    let len = http::announce_url(b"http://t/a?pass=1", &announce, Some(b"a b"), &mut out).unwrap();
    let url = str::from_utf8(&out[..len]).unwrap();
    assert_eq!(
        url,
        "http://t/a?pass=1&info_hash=%E4%C9%CC%93%F9g%9AZQ%3E%A8%D6F%82%1B%B5%EB%A4%85%27\
         &peer_id=-RW0001-aaaaaaaaaaaa&port=51499&uploaded=0&downloaded=0&left=5000001\
         &event=stopped&key=deadbeef&compact=1&numwant=0&trackerid=a%20b"
    );
    let small = http::announce_url(b"http://t/a?pass=1", &announce, Some(b"a b"), &mut out[..9]);
    assert!(matches!(small, Err(UrlError::Buffer(small)) if small.needed == len));
    let blanks = http::announce_url(b" http://t/a?pass=1\n", &announce, Some(b"a b"), &mut out);
    assert_eq!(blanks, Ok(len), "blanks around a URL are ignored");
    for (url, byte) in
        [(&b"http://t/ HTTP/1.1"[..], b' '), (b"http://t/\r\nX: y", b'\r'), (b"u#", b'#')]
    {
        let error = http::announce_url(url, &announce, None, &mut out).unwrap_err();
        assert_eq!(error, UrlError::Byte(byte));
    }
}
