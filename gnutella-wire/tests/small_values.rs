//! Small values: what one field, one bound or one counter means.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use gnutella_wire::datagram::{
    DatagramConfig, DatagramError, DatagramLimits, DatagramVec, Datagrams,
};
use gnutella_wire::ggep::Hash;
use gnutella_wire::http::ContentRange;
use gnutella_wire::opennap::Bound;
use gnutella_wire::servent::Stats;
use gnutella_wire::transfer::{Offer, UploadConfig, UploadEvent, UploadSlot, Uploads};
use gnutella_wire::wire::{ByeCode, Function, Header, VendorMessage};
use gnutella_wire::{CloseReason, ConnId, ConnectError, Event, Guid, ServentId};

/// The extension `H`: one byte for the kind, 1 for SHA-1 and 2 for a bitprint, then the hash.
#[test]
fn a_hash_is_read_by_its_kind_and_length() {
    let bytes: Vec<u8> = (0..45).collect();
    let of = |kind: u8, len: usize| [&[kind][..], &bytes[..len]].concat();
    let sha1: &[u8; 20] = bytes.first_chunk().unwrap();
    let root: &[u8; 24] = bytes[20..].first_chunk().unwrap();
    assert_eq!(Hash::read(&of(1, 20)), Some(Hash::Sha1(sha1)));
    assert_eq!(Hash::read(&of(2, 44)), Some(Hash::Bitprint(sha1, root)));
    for (kind, len) in [(1, 19), (1, 21), (1, 44), (2, 20), (2, 43), (2, 45), (3, 20), (0, 0)] {
        assert_eq!(Hash::read(&of(kind, len)), Some(Hash::Other(kind, &bytes[..len])));
    }
    assert_eq!(Hash::read(&[]), None);
}

#[test]
fn a_range_has_at_least_one_byte() {
    let range = ContentRange { first: 5, last: 5, size: None };
    assert_eq!((range.len(), range.is_empty()), (1, false));
    let all = ContentRange { first: 0, last: u64::MAX, size: None };
    assert_eq!((all.len(), all.is_empty()), (u64::MAX, false));
}

/// napster.txt: "AT LEAST", "AT BEST" and "EQUAL TO".
#[test]
fn bounds_hold_on_their_side() {
    for (bound, below, at, above) in [
        (Bound::AtLeast(5), false, true, true),
        (Bound::AtBest(5), true, true, false),
        (Bound::EqualTo(5), false, true, false),
    ] {
        assert_eq!([4, 5, 6].map(|number| bound.holds(number)), [below, at, above], "{bound:?}");
    }
}

#[test]
fn counters_print_with_their_names() {
    let mut stats = Stats::default();
    let zero = "received 0, delivered 0, flooded 0, routed 0, duplicates 0, expired 0, \
                unroutable 0, malformed 0, refused 0, filtered 0, choked 0";
    assert_eq!(stats.to_string(), zero);
    stats.received = 9;
    stats.choked = 4;
    let expected = zero.replace("received 0", "received 9").replace("choked 0", "choked 4");
    assert_eq!(stats.to_string(), expected);
}

#[test]
fn events_print_what_happened() {
    let conn = ConnId(7);
    let address = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 6346);
    assert_eq!(Event::Dial { address }.to_string(), "dial 192.0.2.1:6346");
    let closed = |reason| Event::Closed { conn, reason }.to_string();
    let desynchronised = closed(CloseReason::Desynchronised);
    assert_eq!(desynchronised, format!("{conn} closed: message boundaries lost"));
    let left = closed(CloseReason::Left(ByeCode::SHUTDOWN));
    assert!(left.starts_with(&format!("{conn} closed: left with 200")), "{left}");
    let dismissed = closed(CloseReason::Dismissed(ByeCode::QRP));
    assert!(dismissed.starts_with(&format!("{conn} closed: dismissed with 413")), "{dismissed}");
}

/// Both versions of the request for a push proxy have no data.
#[test]
fn a_request_for_a_push_proxy_has_a_version() {
    for version in [1, 2] {
        let bytes = [&b"LIME"[..], &[21, 0, version, 0]].concat();
        let expected = VendorMessage::PushProxyRequest { version: version.into() };
        assert_eq!(VendorMessage::decode(&bytes), Ok(expected));
    }
}

/// The first version of offers out of band has no port and no answer.
#[test]
fn an_offer_of_the_first_version_is_not_expected() {
    let at = |host| SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, host), 6346);
    let config = DatagramConfig::new(ServentId([1; 16]), at(1), [1; 16]);
    let storage = DatagramVec::new(DatagramLimits { peers: 4, searches: 2 });
    let mut node = Datagrams::new(config, storage).unwrap();
    let guid = Guid([9; 16]);
    node.expect_hits(Duration::ZERO, guid).unwrap();
    let payload = [&b"LIME"[..], &[12, 0, 1, 0, 3]].concat();
    let header = Header { guid, function: Function::VENDOR, ttl: 1, hops: 0, len: 9 };
    let datagram = [&header.to_bytes()[..], &payload].concat();
    let refused = node.handle_datagram(Duration::ZERO, at(2), &datagram);
    assert_eq!(refused, Err(DatagramError::Unsolicited(Function::VENDOR)));
}

/// A connection whose last event was not polled keeps its number.
#[test]
fn the_number_of_a_connection_is_free_after_its_last_event() {
    let mut machine = Uploads::new(UploadConfig::CUSTOMARY, vec![UploadSlot::EMPTY; 4]).unwrap();
    let conn = ConnId(1);
    let ip = Ipv4Addr::new(10, 0, 0, 2);
    let now = Duration::ZERO;
    machine.handle_connected(now, conn, ip).unwrap();
    assert_eq!(machine.handle_connected(now, conn, ip), Err(ConnectError::InUse(conn)));
    let get = b"GET /uri-res/N2R?urn:sha1:PLSTHIPQGSSZTS5FJUPAKUZWUGYQYPFB HTTP/1.1\r\n\r\n";
    machine.handle_bytes(now, conn, get).unwrap();
    let mut head = [0; 512];
    machine.offer(now, conn, &Offer::new(1, 10), &mut head).unwrap();
    assert!(matches!(machine.poll_event(), Some(UploadEvent::Send { .. })));
    machine.handle_sent(now, conn).unwrap();
    machine.handle_closed(now, conn);
    assert_eq!(machine.handle_connected(now, conn, ip), Err(ConnectError::InUse(conn)));
    assert_eq!(machine.handle_connected(now, ConnId(2), ip), Ok(()));
    assert_eq!(machine.poll_event(), Some(UploadEvent::Sent { conn, file: 1, len: 10 }));
    assert_eq!(machine.poll_event(), None);
    assert_eq!(machine.handle_connected(now, conn, ip), Ok(()));
}
