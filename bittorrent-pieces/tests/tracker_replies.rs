//! What a tracker reads and answers over HTTP, byte for byte (BEP 3, 7, 23, 24, 48).

use core::time::Duration;

use bittorrent_pieces::bencode::WriteError;
use bittorrent_pieces::tracker::http::{
    AnnounceReply, HttpRequest, RequestError, encode_failure, encode_scrape,
};
use bittorrent_pieces::tracker::{AnnounceEvent, ScrapeStats};
use bittorrent_pieces::{CompactPeers, Family, InfoHash, PeerId};

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
    let mut reply = AnnounceReply::new(Duration::from_secs(1800), 3, 4, peers);
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

    for (text, event) in [("started", AnnounceEvent::Started), ("stopped", AnnounceEvent::Stopped)]
    {
        let (announce, ..) = decode(&format!("&port=1&event={text}")).expect("an announce");
        assert_eq!(announce.event, event);
    }
    let key = |name| Err(RequestError::Key(name));
    assert_eq!(decode(""), key("port"));
    assert_eq!(decode("&port=0"), key("port"));
    assert_eq!(decode("&port=1&event=dance"), key("event"));
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
