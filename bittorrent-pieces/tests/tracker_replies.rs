//! What a tracker answers over HTTP, byte for byte (BEP 3, 7, 23, 24, 48).

use core::time::Duration;

use bittorrent_pieces::bencode::WriteError;
use bittorrent_pieces::tracker::ScrapeStats;
use bittorrent_pieces::tracker::http::{AnnounceReply, encode_failure, encode_scrape};
use bittorrent_pieces::{CompactPeers, Family, InfoHash};

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
