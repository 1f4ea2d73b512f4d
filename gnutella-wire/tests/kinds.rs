//! What strangers did wrong in one area of the protocol, done in the others: fields that cannot be read, counts
//! that must not add up for ever, waits that must end, and texts in other encodings.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use gnutella_wire::datagram::{
    DatagramConfig, DatagramEvent, DatagramLimits, DatagramVec, Datagrams,
};
use gnutella_wire::ggep::GgepWriter;
use gnutella_wire::head::{Head, HeadLimits};
use gnutella_wire::http::Response;
use gnutella_wire::transfer::{Offer, UploadConfig, UploadEvent, UploadSlot, Uploads};
use gnutella_wire::wire::{Function, Header, Limits, Message, Payload, Query};
use gnutella_wire::{
    CloseReason, Config, ConnId, Event, Guid, Role, Servent, ServentId, ServentLimits, ServentVec,
    Text,
};

const A: ConnId = ConnId(0);
const GET: &[u8] = b"GET /uri-res/N2R?urn:sha1:PLSTHIPQGSSZTS5FJUPAKUZWUGYQYPFB HTTP/1.1\r\n";

fn at(host: u8) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, host), 6346)
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn message(function: Function, number: u64, payload: &[u8]) -> Vec<u8> {
    let mut guid = [0xA5; 16];
    guid[..8].copy_from_slice(&number.to_le_bytes());
    let len = payload.len() as u32;
    let header = Header { guid: Guid(guid), function, ttl: 1, hops: 0, len };
    [&header.to_bytes()[..], payload].concat()
}

fn ultrapeer() -> Servent<ServentVec> {
    let config = Config::ultrapeer(ServentId([1; 16]), at(1));
    let limits = ServentLimits { conns: 4, routes: 1_000, ..ServentLimits::default() };
    let mut servent = Servent::new(config, ServentVec::new(limits)).unwrap();
    servent.handle_connected(Duration::ZERO, A, Role::Ultrapeer).unwrap();
    servent
}

fn datagrams(host: u8) -> Datagrams<DatagramVec> {
    let mut config = DatagramConfig::new(ServentId([host; 16]), at(host), [host; 16]);
    config.answers_queries = true;
    Datagrams::new(config, DatagramVec::new(DatagramLimits { peers: 8, searches: 2 })).unwrap()
}

fn polled(node: &mut Datagrams<DatagramVec>) -> Vec<Vec<u8>> {
    let mut sent = Vec::new();
    let mut buf = [0; Datagrams::<DatagramVec>::MAX_TRANSMIT_LEN];
    while let Some(one) = node.poll_transmit(&mut buf).unwrap() {
        sent.push(buf[..one.len].to_vec());
    }
    sent
}

fn uploads(config: UploadConfig) -> Uploads<Vec<UploadSlot>> {
    Uploads::new(config, vec![UploadSlot::EMPTY; 8]).unwrap()
}

fn closed(machine: &mut Uploads<Vec<UploadSlot>>) -> bool {
    core::iter::from_fn(|| machine.poll_event())
        .any(|event| matches!(event, UploadEvent::Closed { .. }))
}

/// Some servents take `urn:` by itself as a hash to match, and never answer: a search is sent as it was given.
#[test]
fn a_search_carries_no_urn_that_was_not_asked_for() {
    let mut servent = ultrapeer();
    let query = Query::new(Text::new(b"hey jude").unwrap());
    let mut buf = [0; 540];
    let sent = servent.search(Duration::ZERO, Guid([9; 16]), &query, &mut buf).unwrap();
    let mut messages = vec![buf[..sent.len].to_vec()];
    for second in 0..60 {
        servent.handle_timeout(seconds(second));
        while let Some(own) = servent.poll_transmit(&mut buf).unwrap() {
            messages.push(buf[..own.len].to_vec());
        }
    }
    let decoded = messages.iter().map(|bytes| Message::decode(bytes, Limits::GTKG).unwrap().0);
    let queries: Vec<_> = decoded
        .filter_map(|message| match message.payload {
            Payload::Query(query) => Some(query),
            _ => None,
        })
        .collect();
    assert!(!queries.is_empty());
    assert!(queries.iter().all(|query| query.parts().count() == 0), "{queries:?}");
}

/// One repeated message an hour, among few others, is no reason to dismiss a neighbour; five at once are.
#[test]
fn rare_repeated_messages_do_not_add_up() {
    let mut servent = ultrapeer();
    let hour = seconds(3_600);
    for n in 0..100_u32 {
        for _ in 0..2 {
            let ping = message(Function::PING, n.into(), &[]);
            servent.handle_bytes(hour * n, A, &ping).unwrap();
        }
        assert_eq!(servent.poll_event(), None, "hour {n}");
        let mut buf = [0; 540];
        while servent.poll_transmit(&mut buf).unwrap().is_some() {}
    }
    let ping = message(Function::PING, 1_000, &[]);
    for _ in 0..6 {
        servent.handle_bytes(hour * 100, A, &ping).unwrap();
    }
    while servent.poll_transmit(&mut [0; 540]).unwrap().is_some() {}
    let event = servent.poll_event();
    assert!(
        matches!(event, Some(Event::Closed { reason: CloseReason::Dismissed(_), .. })),
        "{event:?}"
    );
}

/// A client that asks for its place a little early now and then keeps it.
#[test]
fn a_rare_early_poll_does_not_lose_the_place() {
    let mut config = UploadConfig::CUSTOMARY;
    config.slots = 1;
    let mut machine = uploads(config);
    let first = ConnId(1);
    let waiting = ConnId(2);
    let ask = |machine: &mut Uploads<Vec<UploadSlot>>, now, conn| {
        let request = [GET, b"X-Queue: 0.1\r\n\r\n"].concat();
        machine.handle_bytes(now, conn, &request).unwrap().outcome.is_some()
    };
    for conn in [first, waiting] {
        let ip = Ipv4Addr::new(10, 0, 0, conn.0 as u8);
        machine.handle_connected(Duration::ZERO, conn, ip).unwrap();
        assert!(ask(&mut machine, Duration::ZERO, conn));
        machine.offer(Duration::ZERO, conn, &Offer::new(1, 1_000), &mut [0; 512]).unwrap();
    }
    let mut now = Duration::ZERO;
    for wait in [44, 46, 44, 46, 44, 46] {
        now += seconds(wait);
        assert!(ask(&mut machine, now, waiting), "{now:?}");
        machine.offer(now, waiting, &Offer::new(1, 1_000), &mut [0; 512]).unwrap();
    }
    assert_eq!(machine.queued(), 1);
    for wait in [10, 10] {
        now += seconds(wait);
        if ask(&mut machine, now, waiting) {
            machine.offer(now, waiting, &Offer::new(1, 1_000), &mut [0; 512]).unwrap();
        }
    }
    assert!(closed(&mut machine), "two in a row are too many");
}

/// A host that misses single requests for a key, days apart, is still asked.
#[test]
fn a_host_that_misses_single_requests_is_kept() {
    let (mut ann, mut ben) = (datagrams(1), datagrams(2));
    assert!(ann.add_host(Duration::ZERO, at(2)));
    for day in 0..10_u64 {
        let guid = Guid([day as u8; 16]);
        let mut now = seconds(day * 24 * 3_600);
        ann.search(now, guid, &Query::new(Text::new(b"hey jude").unwrap())).unwrap();
        let mut lost = 0;
        while let Some(due) = ann.poll_timeout() {
            now = now.max(due);
            ann.handle_timeout(now);
            for bytes in polled(&mut ann) {
                if lost == 0 {
                    lost = 1; // the first of each day
                    continue;
                }
                let _ = ben.handle_datagram(now, at(1), &bytes);
                for answer in polled(&mut ben) {
                    let _ = ann.handle_datagram(now, at(2), &answer);
                }
            }
        }
        let ended = Some(DatagramEvent::SearchEnded { guid, asked: 1, hits: 0 });
        assert_eq!(ann.poll_event(), ended, "day {day}");
    }
}

/// Hits that are only expected: nobody is asked, and the wait ends.
#[test]
fn a_search_by_datagram_ends_whatever_comes() {
    let mut node = datagrams(1);
    let guid = Guid([7; 16]);
    node.expect_hits(Duration::ZERO, guid).unwrap();
    let due = node.poll_timeout().expect("a deadline");
    assert_eq!(due, seconds(600));
    node.handle_timeout(due);
    assert_eq!(node.poll_event(), Some(DatagramEvent::SearchEnded { guid, asked: 0, hits: 0 }));
    assert_eq!(node.poll_timeout(), None);
}

/// A block that cannot be read costs only itself, and so does an extension that is not known.
#[test]
fn a_ping_with_an_unreadable_block_is_answered() {
    let mut known = [0; 64];
    let mut writer = GgepWriter::new(&mut known);
    writer.push(b"XYZ", b"whatever").unwrap();
    writer.push(b"QK", b"").unwrap();
    let len = writer.finish();
    for (payload, pong_len) in [
        (&[0xC3, 0x81, b'Q', 0x05, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10][..], 37), // cut off
        (&[0; 14][..], 37),
        (&known[..len], 50),
    ] {
        let mut node = datagrams(2);
        let mut sent = Vec::new();
        for number in 0..3 {
            let ping = message(Function::PING, number, payload);
            node.handle_datagram(Duration::ZERO, at(1), &ping).unwrap();
            sent.extend(polled(&mut node));
        }
        assert!(sent.iter().all(|pong| pong[16] == Function::PONG.0), "{sent:?}");
        assert_eq!(sent.first().map(Vec::len), Some(pong_len), "{payload:?}");
    }
}

/// A request line in Latin-1 names a file as well as any other: it is delivered, and answered.
#[test]
fn a_request_in_latin_1_is_answered() {
    let mut machine = uploads(UploadConfig::CUSTOMARY);
    machine.handle_connected(Duration::ZERO, A, Ipv4Addr::LOCALHOST).unwrap();
    let request = b"GET /get/7/caf\xE9.mp3 HTTP/1.1\r\nUser-Agent: Ren\xE9\r\n\r\n";
    let read = machine.handle_bytes(Duration::ZERO, A, request).unwrap();
    assert!(read.outcome.is_some());
    let mut buf = [0; 512];
    let len = machine.refuse(Duration::ZERO, A, 404, "Not Found", &mut buf).unwrap();
    let (head, _) = Head::decode(&buf[..len], HeadLimits::GTKG).unwrap();
    assert_eq!(Response::from_head(&head).unwrap().status, 404);
    assert!(!closed(&mut machine), "the connection stays");
}
