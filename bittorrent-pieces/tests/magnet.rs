//! Magnet links: the forms of BEP 9, 52 and 53, and what is refused.

use core::ops::RangeInclusive;

use bittorrent_pieces::magnet::{InfoHashV2, MAX_LEN, Magnet, MagnetBuilder, MagnetError};
use bittorrent_pieces::tracker::http::Contact;
use bittorrent_pieces::{Host, InfoHash};

const HEX: &str = "e4c9cc93f9679a5a513ea8d646821bb5eba48527";
/// The same hash in base32, by another program.
const BASE32: &str = "4TE4ZE7ZM6NFUUJ6VDLENAQ3WXV2JBJH";
/// That of the v2 torrent of the tests of BEP 52.
const V2: &str = "9291331cee7dd9bf46fcbb916ced458781cf30b0b70658ceb5051bbd05cae6e7";

fn parse(link: &str) -> Result<Magnet<'_>, MagnetError> {
    Magnet::parse(link.as_bytes())
}

#[test]
fn hashes_in_each_form() {
    let hex = parse(&format!("magnet:?xt=urn:btih:{HEX}")).unwrap().v1().unwrap();
    assert_eq!(hex.to_string(), HEX);
    for same in [
        format!("magnet:?xt=urn:btih:{}", HEX.to_uppercase()),
        format!("magnet:?xt=urn:btih:{BASE32}"),
        format!("magnet:?xt=urn:btih:{}", BASE32.to_lowercase()),
        format!("MAGNET:?dn=x&XT.1=urn%3Abtih%3a{HEX}"),
        format!("magnet:?xt=urn:sha1:ABC&xt=urn:btih:{HEX}&xt=urn:btih:{BASE32}"),
    ] {
        assert_eq!(parse(&same).expect(&same).v1(), Some(hex), "{same}");
    }
    let hybrid = format!("magnet:?xt=urn:btih:{HEX}&xt=urn:btmh:1220{V2}");
    let hybrid = parse(&hybrid).unwrap();
    assert_eq!(hybrid.v1(), Some(hex));
    assert_eq!(hybrid.v2().unwrap().to_string(), V2);
    assert_eq!(hybrid.v2().unwrap().truncated().to_string(), V2[..40]);
}

#[test]
fn names_trackers_peers_and_files() {
    let link = format!(
        "magnet:?xt=urn:btih:{HEX}&dn=a+b%20c&tr=http%3A%2F%2Fa%2Fannounce&tr.1=udp://b:1&x.pe=host.example:1\
         &x.pe=192.0.2.1:6881&x.pe=[2001:db8::1]:65535&so=0,2,4%2C6-8&ws=x&&odd"
    );
    let magnet = parse(&link).unwrap();
    assert_eq!(magnet.name().unwrap().bytes().collect::<Vec<_>>(), b"a+b c");
    let mut out = [0; 30];
    let trackers = magnet.trackers().map(|url| {
        let len = url.decode(&mut out).unwrap();
        String::from_utf8_lossy(&out[..len]).into_owned()
    });
    assert_eq!(trackers.collect::<Vec<_>>(), ["http://a/announce", "udp://b:1"]);
    let peers: Vec<_> = magnet.peers().map(|peer| peer.to_string()).collect();
    assert_eq!(peers, ["host.example:1", "192.0.2.1:6881", "[2001:db8::1]:65535"]);
    let ranges: Result<Vec<RangeInclusive<u32>>, _> = magnet.select_only().unwrap().collect();
    assert_eq!(ranges.unwrap(), [0..=0, 2..=2, 4..=4, 6..=8]);
    assert!((0..10).filter(|file| magnet.selects(*file)).eq([0, 2, 4, 6, 7, 8]));
    assert!(parse(&format!("magnet:?xt=urn:btih:{HEX}")).unwrap().selects(9));
}

#[test]
fn invalid_magnet_links_are_refused() {
    let good = format!("magnet:?xt=urn:btih:{HEX}");
    for (link, error) in [
        ("http://x".into(), MagnetError::Scheme),
        ("magnet:".into(), MagnetError::Scheme),
        ("magnet:?dn=x".into(), MagnetError::NoHash),
        (good[..good.len() - 1].to_string(), MagnetError::Btih(39)),
        (format!("magnet:?xt=urn:btih:{}", BASE32.replace('4', "1")), MagnetError::Btih(32)),
        (format!("magnet:?xt=urn:btih:{}", HEX.replace('e', "g")), MagnetError::Btih(40)),
        (format!("magnet:?xt=urn:btmh:1120{V2}"), MagnetError::Btmh(68)),
        (format!("magnet:?xt=urn:btmh:1220{HEX}"), MagnetError::Btmh(44)),
        (format!("{good}&xt=urn:btih:{}", "a".repeat(40)), MagnetError::Ambiguous),
        (format!("{good}{}", "&".repeat(1_000)), MagnetError::TooMany),
        (format!("{good}&dn={}", "a".repeat(MAX_LEN)), MagnetError::TooLong(MAX_LEN + 64)),
    ] {
        assert_eq!(parse(&link), Err(error), "{}", &link[..link.len().min(120)]);
    }
}

/// A malformed optional field is skipped, and the rest of the link is used.
#[test]
fn a_malformed_optional_field_is_skipped() {
    let good = format!("magnet:?xt=urn:btih:{HEX}");
    for (field, name) in
        [("100% real", "100% real"), ("a b", "a b"), ("a%2", "a%2"), ("%zz", "%zz"), ("%20%", " %")]
    {
        let link = format!("{good}&dn={field}&tr=udp://t:1");
        let magnet = parse(&link).expect(&link);
        assert!(magnet.name().unwrap().bytes().eq(name.bytes()), "{field}");
        assert_eq!(magnet.trackers().count(), 1, "{field}");
    }
    for peer in [
        "host",
        "host:65536",
        "host:+1",
        "2001:db8::1:80",
        "[192.0.2.1]:80",
        "host:0",
        "",
        "2001%3Adb8%3A%3A1%3A80",
        "h%6Fst:1",
    ] {
        let link = format!("{good}&x.pe={peer}&x.pe=192.0.2.1:1");
        let peers: Vec<_> = parse(&link).expect(&link).peers().map(|it| it.to_string()).collect();
        assert_eq!(peers, ["192.0.2.1:1"], "{peer}");
    }
    // Libraries that write URLs escape what has a meaning in them.
    for (peer, read) in [
        ("192.0.2.7%3A6881", "192.0.2.7:6881"),
        ("%5B2001%3Adb8%3a%3A1%5D%3a6881", "[2001:db8::1]:6881"),
        ("[2001:db8::1]%3A6881", "[2001:db8::1]:6881"),
        ("%5B%3A%3Affff%3A192.0.2.7%5D:1", "[::ffff:192.0.2.7]:1"),
        ("host.example%3A80", "host.example:80"),
    ] {
        let link = format!("{good}&x.pe={peer}");
        let peers: Vec<_> = parse(&link).expect(&link).peers().map(|it| it.to_string()).collect();
        assert_eq!(peers, [read], "{peer}");
    }
    for (list, selected) in [
        ("0-", &[0, 1, 2, 3, 4][..]), // nothing valid is left: all
        ("1,,2", &[1, 2]),
        ("4294967296,3", &[3]),
        ("3-1,2", &[2]),
        ("1%2D3", &[0, 1, 2, 3, 4]),
        ("", &[0, 1, 2, 3, 4]),
    ] {
        let link = format!("{good}&so={list}");
        let magnet = parse(&link).expect(&link);
        let files: Vec<u32> = (0..5).filter(|file| magnet.selects(*file)).collect();
        assert_eq!(files, selected, "{list}");
    }
    let blanks = format!("  {}\n", good.replace("magnet", "MAGNET"));
    assert_eq!(parse(&blanks).map(|magnet| magnet.v1()), parse(&good).map(|magnet| magnet.v1()));
}

#[test]
fn a_built_magnet_link_reads_back_the_same() {
    let contact = Contact { peer_id: None, host: Host::parse(b"2001:db8::1").unwrap(), port: 1 };
    let name = Contact { host: Host::parse(b"a.example").unwrap(), ..contact };
    let draft = MagnetBuilder {
        v1: Some(InfoHash([0xAB; 20])),
        v2: Some(InfoHashV2([0xCD; 32])),
        name: Some("größe & 100%".as_bytes()),
        trackers: &[b"udp://t:1/announce"],
        peers: &[contact, name],
        select_only: &[0..=0, 6..=8],
    };
    let mut out = [0; 400];
    let len = draft.encode(&mut out).unwrap();
    let expected = format!(
        "magnet:?xt=urn:btih:{}&xt=urn:btmh:1220{}&dn=gr%C3%B6%C3%9Fe%20%26%20100%25&tr=udp%3A%2F%2Ft%3A1%2Fannounce\
         &x.pe=[2001:db8::1]:1&x.pe=a.example:1&so=0,6-8",
        "ab".repeat(20),
        "cd".repeat(32)
    );
    assert_eq!(str::from_utf8(&out[..len]).unwrap(), expected);
    assert_eq!(draft.encode(&mut out[..9]).unwrap_err().needed, len);
    let magnet = Magnet::parse(&out[..len]).unwrap();
    assert!(magnet.name().unwrap().bytes().eq("größe & 100%".bytes()));
    assert!(magnet.peers().eq([contact, name]));
}

/// The limits are what the constants say: a link of exactly that length or number of parameters is read.
#[test]
fn a_link_may_be_as_long_as_the_limits() {
    let good = format!("magnet:?xt=urn:btih:{HEX}");
    let fill = MAX_LEN - good.len() - 4;
    let longest = format!("{good}&dn={}", "a".repeat(fill));
    assert_eq!(longest.len(), 65_536);
    assert!(parse(&longest).is_ok());
    assert_eq!(parse(&format!("{longest}a")), Err(MagnetError::TooLong(65_537)));
    assert!(parse(&format!("{good}{}", "&".repeat(999))).is_ok(), "1,000 parameters");
}
