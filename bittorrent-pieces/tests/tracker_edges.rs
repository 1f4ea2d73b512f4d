//! Trackers at the edges: answers that do not fit their question, options, limits, and fields that hardly anybody sends.

use core::time::Duration;

use bittorrent_pieces::tracker::http::{
    Announced, Answer, AnswerError, HttpRequest, MAX_ANSWER_LEN, RetryIn, announce_url, scrape_url,
};
use bittorrent_pieces::tracker::udp::{
    ConnectionId, Hashes, Options, PacketError, Request, Response, Scrapes, TransactionId,
    UdpOption,
};
use bittorrent_pieces::tracker::{
    Announce, AnnounceEvent, DatagramError, TierSlot, TrackerOrder, TrackerOrderError, Transmit,
    UdpConfig, UdpEvent, UdpOutcome, UdpSlot, UdpTracker,
};
use bittorrent_pieces::{CompactPeers, Family, InfoHash, PeerId};

type Client = UdpTracker<&'static [u8], [UdpSlot; 2]>;

const HASH: InfoHash = InfoHash([7; 20]);

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn announce() -> Announce {
    Announce::started(HASH, PeerId([1; 20]), 6_881, 5)
}

/// Returns the next packet of a client.
fn sent(client: &mut Client) -> Option<Vec<u8>> {
    let mut buf = [0; 98];
    client.poll_transmit(&mut buf).unwrap().map(|Transmit { len }| buf[..len].to_vec())
}

/// Returns the transaction of a connect request that a client sends next.
fn connects(client: &mut Client) -> TransactionId {
    let bytes = sent(client).expect("a connect request");
    let Ok(Request::Connect { transaction }) = Request::decode(&bytes) else {
        panic!("{}", Request::decode(&bytes).unwrap())
    };
    transaction
}

/// Passes a response to a client; returns a word for the outcome.
fn respond(
    client: &mut Client,
    now: u64,
    response: Response<'_>,
) -> Result<&'static str, DatagramError> {
    let mut out = vec![0; response.encoded_len()];
    response.encode(&mut out).unwrap();
    client.handle_datagram(secs(now), &out).map(|outcome| match outcome {
        UdpOutcome::Connected => "connected",
        UdpOutcome::ConnectRefused { .. } => "connect refused",
        UdpOutcome::Announced { .. } => "announced",
        UdpOutcome::Scraped { .. } => "scraped",
        UdpOutcome::Refused { .. } => "refused",
        other => panic!("{other:?}"),
    })
}

fn announced(transaction: TransactionId) -> Response<'static> {
    let peers = CompactPeers::new(Family::V4, &[]).unwrap();
    Response::Announce { transaction, interval: 1_800, leechers: 1, seeders: 2, peers }
}

fn client() -> Client {
    UdpTracker::new(UdpConfig::new(5), [UdpSlot::EMPTY; 2]).unwrap()
}

/// A client that has a connection id since the second 0.
fn connected() -> (Client, TransactionId) {
    let mut client = client();
    let request = client.announce(secs(0), announce()).unwrap();
    let transaction = connects(&mut client);
    let connection = ConnectionId(9);
    let connected = respond(&mut client, 0, Response::Connect { transaction, connection });
    assert_eq!(connected, Ok("connected"));
    (client, request)
}

/// An answer of another kind, to nothing, or to what was not sent yet, changes nothing.
#[test]
fn an_answer_must_be_one_to_the_question() {
    let mut client = client();
    let request = client.announce(secs(0), announce()).unwrap();
    let unexpected = |transaction| Err(DatagramError::Unexpected(transaction));
    assert_eq!(respond(&mut client, 0, announced(request)), unexpected(request), "not sent yet");
    let transaction = connects(&mut client);
    assert_eq!(respond(&mut client, 0, announced(transaction)), unexpected(transaction));
    let refused = Response::Error { transaction, text: b"later" };
    assert_eq!(respond(&mut client, 0, refused), Ok("connect refused"));
    let connection = ConnectionId(9);
    let connect = Response::Connect { transaction, connection };
    assert_eq!(respond(&mut client, 0, connect), Ok("connected"), "it connects all the same");
    assert_eq!(respond(&mut client, 0, connect), unexpected(transaction), "once");
    assert!(sent(&mut client).is_some());
    let wrong = Response::Connect { transaction: request, connection };
    assert_eq!(respond(&mut client, 0, wrong), unexpected(request));
    let scrape = Response::Scrape { transaction: request, torrents: Scrapes::new(&[[0; 12]]) };
    assert_eq!(respond(&mut client, 0, scrape), unexpected(request));
    assert_eq!(respond(&mut client, 0, announced(request)), Ok("announced"));
    assert_eq!(respond(&mut client, 0, announced(request)), unexpected(request), "once");
    assert!(client.is_empty());
}

/// A scrape of one torrent is answered with the numbers of one; without them the client waits on.
#[test]
fn a_scrape_without_numbers_is_too_short() {
    let (mut client, request) = connected();
    assert!(client.cancel(secs(0), request));
    let request = client.scrape(secs(0), HASH).unwrap();
    let bytes = sent(&mut client).unwrap();
    let Ok(Request::Scrape { connection, hashes, .. }) = Request::decode(&bytes) else { panic!() };
    assert_eq!(connection, ConnectionId(9));
    assert!(hashes.iter().eq([HASH]));
    let empty = Response::Scrape { transaction: request, torrents: Scrapes::default() };
    let short = PacketError::Short { len: 8, needed: 20 };
    assert_eq!(respond(&mut client, 1, empty), Err(DatagramError::Packet(short)));
    assert_eq!(client.len(), 1);
    let numbers = Response::Scrape { transaction: request, torrents: Scrapes::new(&[[0; 12]]) };
    assert_eq!(respond(&mut client, 1, numbers), Ok("scraped"));
}

/// Each request has its own time; a late answer counts until the last try has failed.
#[test]
fn each_request_is_repeated_when_its_own_time_is_over() {
    let (mut client, first) = connected();
    assert!(sent(&mut client).is_some());
    let second = client.announce(secs(10), announce()).unwrap();
    assert!(sent(&mut client).is_some());
    assert_eq!(client.poll_timeout(), Some(secs(15)));
    client.handle_timeout(secs(15));
    let bytes = sent(&mut client).expect("the first again");
    let Ok(Request::Announce { transaction, .. }) = Request::decode(&bytes) else { panic!() };
    assert_eq!((transaction, sent(&mut client)), (first, None));
    assert_eq!(client.poll_timeout(), Some(secs(25)));
    client.handle_timeout(secs(25));
    assert_eq!(respond(&mut client, 25, announced(second)), Ok("announced"), "it was late");
    assert_eq!((sent(&mut client), client.poll_timeout()), (None, Some(secs(45))));
    assert_eq!(respond(&mut client, 26, announced(first)), Ok("announced"));
}

/// BEP 15: a connection id serves for a minute, to the second.
#[test]
fn a_connection_id_serves_for_a_minute() {
    for (at, len) in [(59, 98), (60, 16)] {
        let (mut client, request) = connected();
        assert!(client.cancel(secs(0), request));
        client.announce(secs(at), announce()).unwrap();
        assert_eq!(sent(&mut client).map(|bytes| bytes.len()), Some(len), "after {at} s");
    }
}

/// What was given up is reported once, and its late answer is refused.
#[test]
fn an_answer_after_the_end_is_refused() {
    let mut client = client();
    let request = client.announce(secs(0), announce()).unwrap();
    assert!(sent(&mut client).is_some());
    while let Some(at) = client.poll_timeout() {
        client.handle_timeout(at);
        sent(&mut client);
    }
    let unexpected = Err(DatagramError::Unexpected(request));
    assert_eq!(respond(&mut client, 8_000, announced(request)), unexpected);
    assert_eq!(client.poll_event(), Some(UdpEvent::TimedOut { request }));
    assert_eq!((client.poll_event(), client.is_empty()), (None, true));
}

/// BEP 41: end, no operation, path, and others, of which the length is known.
#[test]
fn options_are_read_up_to_their_end() {
    let bytes = [1, 2, 3, b'/', b'a', b'?', 1, 9, 1, 5, 2, 0, 0, 2, 1, b'x'];
    let options = Options::new(&bytes);
    let other = UdpOption::Other { kind: 9, data: &[5] };
    let expected = [UdpOption::UrlData(b"/a?"), other, UdpOption::UrlData(b"")];
    assert!(options.iter().eq(expected));
    assert!((&options).into_iter().eq(expected));
    assert_eq!(options.as_bytes(), bytes);
    for cut in [&[2][..], &[2, 1], &[2, 2, b'x'], &[1, 1], &[]] {
        assert_eq!(Options::new(cut).iter().count(), 0, "{cut:?}");
    }
}

#[test]
fn the_fields_of_an_announce_come_back() {
    for (event, want, read) in [
        (AnnounceEvent::None, None, None),
        (AnnounceEvent::Completed, Some(0), Some(0)),
        (AnnounceEvent::Started, Some(50), Some(50)),
        (AnnounceEvent::Stopped, Some(u32::MAX), Some(i32::MAX as u32)),
    ] {
        let announce = Announce {
            info_hash: HASH,
            peer_id: PeerId([2; 20]),
            port: 1,
            uploaded: 2 << 40,
            downloaded: 3 << 40,
            left: 4 << 40,
            event,
            num_want: want,
            key: 5,
        };
        let request = Request::Announce {
            connection: ConnectionId(6),
            transaction: TransactionId(7),
            announce,
            ip: [192, 0, 2, 9].into(),
            options: Options::new(&[0]),
        };
        let mut bytes = [0; 99];
        assert_eq!(request.encode(&mut bytes), Ok(99));
        assert_eq!(request.encode(&mut bytes[..98]).unwrap_err().needed, 99);
        let Ok(Request::Announce { announce: decoded, ip, .. }) = Request::decode(&bytes) else {
            panic!("an announce")
        };
        assert_eq!(decoded, Announce { num_want: read, ..announce });
        assert_eq!(ip.octets(), [192, 0, 2, 9]);
        bytes[83] = 4; // `paused`, as libtorrent sends it (BEP 21)
        let Ok(Request::Announce { announce: paused, .. }) = Request::decode(&bytes) else {
            panic!("an announce")
        };
        assert_eq!(paused, Announce { event: AnnounceEvent::None, ..decoded });
        let short = PacketError::Short { len: 97, needed: 98 };
        assert_eq!(Request::decode(&bytes[..97]), Err(short));
    }
}

#[test]
fn what_is_too_short_says_what_is_needed() {
    let short = |len, needed| PacketError::Short { len, needed };
    let request = |len| Request::decode(&[0; 16][..len]).unwrap_err();
    assert_eq!([request(0), request(15)], [short(0, 16), short(15, 16)]);
    let response = |action, len| {
        let mut bytes = [0; 20];
        bytes[3] = action;
        bytes[7] = 9;
        Response::decode(&bytes[..len], Family::V4).map(|response| response.transaction())
    };
    assert_eq!(response(0, 7), Err(short(7, 8)));
    assert_eq!(response(0, 15), Err(short(15, 16)));
    assert_eq!(response(1, 19), Err(short(19, 20)));
    assert!(response(0, 16).is_ok() && response(1, 20).is_ok() && response(2, 8).is_ok());
    assert_eq!(response(3, 8), Ok(TransactionId(9)));
    assert_eq!(response(4, 20), Err(PacketError::Action(4)));
    let mut unknown = [0; 16];
    unknown[11] = 3;
    assert_eq!(Request::decode(&unknown), Err(PacketError::Action(3)));
}

/// BEP 15: 74 torrents; of more, the first are read.
#[test]
fn a_scrape_has_74_torrents_at_most() {
    let mut bytes = [0; 16 + 75 * 20 + 3];
    bytes[11] = 2;
    let Ok(Request::Scrape { hashes, .. }) = Request::decode(&bytes) else { panic!("a scrape") };
    assert_eq!(hashes.len(), 74);
    let request = Request::Scrape {
        connection: ConnectionId(0),
        transaction: TransactionId(0),
        hashes: Hashes::new(&[[7; 20]; 2]).unwrap(),
    };
    assert_eq!(request.encoded_len(), 56);
    assert!((&hashes).into_iter().all(|hash| hash == InfoHash([0; 20])));
}

#[test]
fn optional_fields_of_an_http_answer() {
    let body = b"d11:external ip16:\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x01\
        10:tracker id3:abc15:warning message4:slowe";
    let Ok(Answer::Done(answer)) = Announced::decode(body) else { panic!("an answer") };
    assert_eq!(answer.external, Some("2001:db8::1".parse().unwrap()));
    assert_eq!((answer.tracker_id, answer.warning), (Some(&b"abc"[..]), Some(&b"slow"[..])));
    assert_eq!((answer.seeders, answer.leechers, answer.min_interval), (None, None, None));
    let odd = Announced::decode(b"d11:external ip5:abcdee");
    assert!(matches!(odd, Ok(Answer::Done(answer)) if answer.external.is_none()));
}

/// An answer may be as long as 1 MiB.
#[test]
fn an_answer_may_be_as_long_as_the_limit() {
    let answer = |len: usize| {
        let head = b"d14:failure reason4:busy8:retry ini1e1:x";
        let text = len - head.len() - 9;
        [&head[..], format!("{text}:").as_bytes(), &vec![b'x'; text][..], b"e"].concat()
    };
    let longest = answer(MAX_ANSWER_LEN);
    assert_eq!(longest.len(), MAX_ANSWER_LEN);
    assert_eq!(Announced::decode(&longest), Ok(Answer::Failure(b"busy")));
    assert_eq!(RetryIn::decode(&longest), Some(RetryIn::After(secs(60))));
    let longer = answer(MAX_ANSWER_LEN + 1);
    assert_eq!(Announced::decode(&longer), Err(AnswerError::TooLong(MAX_ANSWER_LEN + 1)));
    assert_eq!(RetryIn::decode(&longer), None);
}

/// Numbers and flags of a client that cannot be read count as left out; the key has eight digits.
#[test]
fn odd_parameters_of_an_http_announce() {
    let ids = format!("info_hash={}&peer_id={}&port=7", "%07".repeat(20), "a".repeat(20));
    for (rest, key, compact, want, event) in [
        ("&key=0123456789", 0x0123_4567, false, None, AnnounceEvent::None),
        ("&key=zz1f&compact=0&numwant=-1", 0x1F, false, None, AnnounceEvent::None),
        ("&compact=1&compact=0&event=", 0, true, None, AnnounceEvent::None),
        ("&event=paused&numwant=4294967295", 0, false, Some(u32::MAX), AnnounceEvent::None),
        ("&event=empty&&x&compact=11&key=", 0, false, None, AnnounceEvent::None),
        ("&xkey=1&keyx=2&event=stopped", 0, false, None, AnnounceEvent::Stopped),
    ] {
        let target = format!("/a/announce?{ids}{rest}");
        let request = HttpRequest::decode(target.as_bytes());
        let Ok(HttpRequest::Announce { announce, compact: is, ip }) = request else {
            panic!("{rest}: {request:?}")
        };
        assert_eq!((announce.key, is, announce.num_want), (key, compact, want), "{rest}");
        assert_eq!((announce.event, announce.port, ip), (event, 7, None), "{rest}");
    }
}

/// All events but the usual one are named, and each byte that means something else is escaped.
#[test]
fn announce_urls_name_their_event() {
    let mut out = [0; 400];
    for (event, text) in [
        (AnnounceEvent::None, ""),
        (AnnounceEvent::Completed, "&event=completed"),
        (AnnounceEvent::Started, "&event=started"),
        (AnnounceEvent::Stopped, "&event=stopped"),
    ] {
        let announce = Announce { event, key: 0x0102_0304, ..announce() };
        let len = announce_url(b"http://t/announce", &announce, None, &mut out).unwrap();
        let url = core::str::from_utf8(&out[..len]).unwrap();
        assert!(url.starts_with("http://t/announce?info_hash=%07%07"), "{url}");
        assert!(url.ends_with(&format!("&left=5{text}&key=01020304&compact=1")), "{url}");
    }
    let len = scrape_url(b"http://t/announce", &[HASH], &mut out).unwrap();
    assert!(out[..len].starts_with(b"http://t/scrape?info_hash=%07"));
    assert!(scrape_url(b"http://t/a b/announce", &[], &mut out).is_err());
    assert!(scrape_url(b"announce", &[], &mut out).is_err(), "without a slash");
}

/// 16 bits number the trackers of a tier.
#[test]
fn a_tier_has_65_535_trackers_at_most() {
    let order = |count| TrackerOrder::new([count], 1, vec![TierSlot::EMPTY; 65_536]);
    assert_eq!(order(65_535).unwrap().order().count(), 65_535);
    assert_eq!(order(65_536).unwrap_err(), TrackerOrderError::TooMany);
    let mut order = TrackerOrder::new([1, 0, 2], 3, [TierSlot::EMPTY; 3]).unwrap();
    assert_eq!(order.current(), Some((0, 0)));
    assert_eq!(order.failed().map(|(tier, _)| tier), Some(2));
    let second = order.failed().unwrap();
    order.answered();
    assert!(order.order().eq([(0, 0), second, (2, 1 - second.1)]));
    assert_eq!(order.into_storage().len(), 3);
}
