//! Uploads in virtual time: slots, the queue, shares of the bandwidth, and clients that do not play along.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use gnutella_wire::head::{Head, HeadLimits};
use gnutella_wire::http::{AvailableRanges, ContentRange, Queued, Response, retry_after};
use gnutella_wire::huge::{Sha1, TigerRoot};
use gnutella_wire::transfer::{
    Offer, UploadCloseReason, UploadConfig, UploadError, UploadEvent, UploadSlot, Uploads,
};
use gnutella_wire::{ConnId, ConnectError};

type Machine = Uploads<Vec<UploadSlot>>;

const SIZE: u64 = 1_000_000;
const GET: &str = "GET /uri-res/N2R?urn:sha1:PLSTHIPQGSSZTS5FJUPAKUZWUGYQYPFB HTTP/1.1\r\n";

fn uploads(config: UploadConfig) -> Machine {
    Uploads::new(config, vec![UploadSlot::EMPTY; 32]).unwrap()
}

fn config() -> UploadConfig {
    UploadConfig::CUSTOMARY
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Connects from an address of its own for each number.
fn connect(machine: &mut Machine, now: Duration, number: u32) -> ConnId {
    let conn = ConnId(number);
    machine.handle_connected(now, conn, Ipv4Addr::from(0x0A00_0000 + number)).unwrap();
    conn
}

/// Sends a request with these headers, answers it with a file, and returns the head of the answer.
fn ask_with(
    machine: &mut Machine,
    now: Duration,
    conn: ConnId,
    headers: &str,
    offer: &Offer<'_>,
) -> String {
    let request = format!("{GET}{headers}\r\n");
    let read = machine.handle_bytes(now, conn, request.as_bytes()).unwrap();
    assert_eq!(read.consumed, request.len());
    assert!(read.outcome.is_some());
    let mut head = [0; 1_024];
    let len = machine.offer(now, conn, offer, &mut head).unwrap();
    String::from_utf8(head[..len].to_vec()).unwrap()
}

fn ask(machine: &mut Machine, now: Duration, conn: ConnId, headers: &str) -> String {
    ask_with(machine, now, conn, headers, &Offer::new(1, SIZE))
}

fn read(head: &str) -> (Head<'_>, Response<'_>) {
    let (head, rest) = Head::decode(head.as_bytes(), HeadLimits::GTKG).unwrap();
    assert!(rest.is_empty());
    (head, Response::from_head(&head).unwrap())
}

fn status(head: &str) -> u16 {
    read(head).1.status
}

/// Sends everything that is due, and returns the events and how many bytes went to each connection.
fn drive(machine: &mut Machine, now: Duration) -> (Vec<UploadEvent>, Vec<u64>) {
    let mut events = Vec::new();
    let mut bytes = vec![0; 32];
    while let Some(event) = machine.poll_event() {
        if let UploadEvent::Send { conn, len, .. } = event {
            bytes[conn.0 as usize] += len;
            machine.handle_sent(now, conn).unwrap();
        } else {
            events.push(event);
        }
    }
    (events, bytes)
}

#[test]
fn answers_name_the_part_the_hash_the_tree_and_others() {
    let mut machine = uploads(config());
    let conn = connect(&mut machine, seconds(0), 1);
    let others = [SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 9), 6346)];
    let sha1 = Sha1::parse(b"PLSTHIPQGSSZTS5FJUPAKUZWUGYQYPFB");
    let root = Some(TigerRoot([0; 24]));
    let mut offer = Offer::new(1, SIZE);
    offer.sha1 = sha1;
    offer.root = root;
    offer.alternates = &others;
    let head = ask_with(&mut machine, seconds(0), conn, "Range: bytes=100-199\r\n", &offer);
    let (fields, response) = read(&head);
    assert_eq!(response.status, 206);
    assert_eq!(response.range, Some(ContentRange { first: 100, last: 199, size: Some(SIZE) }));
    assert_eq!(response.length, Some(100));
    let thex = fields.header("X-Thex-URI").unwrap().as_str().unwrap();
    assert!(
        thex.starts_with("/uri-res/N2X?urn:sha1:PLSTHIPQGSSZTS5FJUPAKUZWUGYQYPFB;AAAA"),
        "{thex}"
    );
    assert_eq!(fields.addresses("X-Alt").collect::<Vec<_>>(), others);
    let send = UploadEvent::Send { conn, file: 1, offset: 100, len: 100 };
    assert_eq!(machine.poll_event(), Some(send));
    assert_eq!(machine.poll_event(), None, "one chunk at a time");
    machine.handle_sent(seconds(1), conn).unwrap();
    assert_eq!(machine.poll_event(), Some(UploadEvent::Sent { conn, file: 1, len: 100 }));
    assert_eq!(machine.active(), 0);
}

#[test]
fn a_whole_file_is_a_200_and_a_head_has_no_body() {
    let mut machine = uploads(config());
    let conn = connect(&mut machine, seconds(0), 1);
    let request = format!("{}\r\n", GET.replace("GET", "HEAD"));
    machine.handle_bytes(seconds(0), conn, request.as_bytes()).unwrap();
    let mut buf = [0; 512];
    let len = machine.offer(seconds(0), conn, &Offer::new(1, SIZE), &mut buf).unwrap();
    assert!(buf[..len].starts_with(b"HTTP/1.1 200 OK\r\n"));
    assert_eq!(machine.poll_event(), None);
    assert_eq!(status(&ask(&mut machine, seconds(0), conn, "")), 200);
    let (events, bytes) = drive(&mut machine, seconds(0));
    assert_eq!(bytes[1], SIZE);
    assert_eq!(events, [UploadEvent::Sent { conn, file: 1, len: SIZE }]);
}

/// RFC 9110, 15.3: a request for a range gets a part, even if it is the whole file; and so does one for a file that is not
/// all there.
#[test]
fn only_a_whole_file_without_a_range_is_a_200() {
    let parts = [(0, 1_000)];
    for (headers, available, expected) in [
        ("", None, 200),
        ("Range: bytes=0-\r\n", None, 206),
        ("Range: bytes=0-999999\r\n", None, 206),
        ("Range: bytes=5-9\r\n", None, 206),
        ("", Some(&parts[..]), 206),
    ] {
        let mut machine = uploads(config());
        let conn = connect(&mut machine, seconds(0), 1);
        let mut offer = Offer::new(1, SIZE);
        offer.available = available;
        let head = ask_with(&mut machine, seconds(0), conn, headers, &offer);
        let (_, response) = read(&head);
        assert_eq!(response.status, expected, "{headers:?}, {available:?}");
        assert_eq!(response.range.is_some(), expected == 206, "{headers:?}");
    }
}

/// A partial file: the rest of the part that is there, or 416 with what is.
#[test]
fn a_partial_file_answers_with_what_is_there() {
    let mut machine = uploads(config());
    let conn = connect(&mut machine, seconds(0), 1);
    let parts = [(0, 1_000), (5_000, 500)];
    let mut offer = Offer::new(1, SIZE);
    offer.available = Some(&parts);
    let head = ask_with(&mut machine, seconds(0), conn, "Range: bytes=900-\r\n", &offer);
    let (fields, response) = read(&head);
    assert_eq!(response.range.map(|range| (range.first, range.last)), Some((900, 999)));
    let available: Vec<_> = AvailableRanges::of_head(&fields).collect();
    assert_eq!(available, [(0, 999), (5_000, 5_499)]);
    drive(&mut machine, seconds(0));
    let head = ask_with(&mut machine, seconds(0), conn, "Range: bytes=2000-2999\r\n", &offer);
    let (fields, response) = read(&head);
    assert_eq!(response.status, 416);
    assert_eq!(AvailableRanges::of_head(&fields).count(), 2);
    assert_eq!(machine.poll_event(), None, "the connection stays");
}

/// Four slots; the fifth waits in the queue, and is served once one is free and it is first.
#[test]
fn the_queue_is_served_in_its_order() {
    let mut machine = uploads(config());
    for number in 1..=4 {
        let conn = connect(&mut machine, seconds(0), number);
        assert_eq!(status(&ask(&mut machine, seconds(0), conn, "X-Queue: 0.1\r\n")), 200);
    }
    assert!(machine.is_busy());
    let fifth = connect(&mut machine, seconds(0), 5);
    let sixth = connect(&mut machine, seconds(0), 6);
    for (conn, position) in [(fifth, 1), (sixth, 2)] {
        let head = ask(&mut machine, seconds(0), conn, "X-Queue: 0.1\r\n");
        let (fields, response) = read(&head);
        assert_eq!(response.status, 503);
        let queued = Queued::of_head(&fields).unwrap();
        assert_eq!(queued.position, Some(position), "{head}");
        assert_eq!(queued.length, Some(position), "{head}");
        assert_eq!(queued.poll_min, Some(seconds(45)));
        assert_eq!(queued.poll_max, Some(seconds(120)));
    }
    assert_eq!(machine.queued(), 2);
    machine.handle_closed(seconds(10), ConnId(1)); // frees one slot
    let later = seconds(50);
    assert_eq!(status(&ask(&mut machine, later, sixth, "X-Queue: 0.1\r\n")), 503);
    assert_eq!(status(&ask(&mut machine, later, fifth, "X-Queue: 0.1\r\n")), 200);
    assert_eq!(machine.queued(), 1);
    machine.handle_closed(seconds(60), ConnId(2));
    assert_eq!(status(&ask(&mut machine, seconds(100), sixth, "X-Queue: 0.1\r\n")), 200);
}

/// Places are lost by asking too late, and by asking too early twice.
#[test]
fn the_queue_is_polled_in_time() {
    let mut machine = uploads(config());
    for number in 1..=4 {
        let conn = connect(&mut machine, seconds(0), number);
        ask(&mut machine, seconds(0), conn, "");
    }
    let late = connect(&mut machine, seconds(0), 5);
    let early = connect(&mut machine, seconds(0), 6);
    ask(&mut machine, seconds(0), late, "X-Queue: 1.1\r\n");
    ask(&mut machine, seconds(0), early, "X-Queue: 1.1\r\n");
    assert_eq!(status(&ask(&mut machine, seconds(20), early, "X-Queue: 1.1\r\n")), 503);
    let request = format!("{GET}X-Queue: 1.1\r\n\r\n");
    let read = machine.handle_bytes(seconds(40), early, request.as_bytes()).unwrap();
    assert_eq!(read.outcome, None);
    let reason = UploadCloseReason::PolledTooEarly;
    let closed = |machine: &mut Machine| {
        let mut events = core::iter::from_fn(|| machine.poll_event());
        events.find(|event| matches!(event, UploadEvent::Closed { .. }))
    };
    assert_eq!(closed(&mut machine), Some(UploadEvent::Closed { conn: early, reason }));
    for conn in (1..=4).map(ConnId) {
        machine.handle_closed(seconds(50), conn);
    }
    assert_eq!(machine.poll_timeout(), Some(seconds(120)));
    machine.handle_timeout(seconds(120));
    let reason = UploadCloseReason::PlaceLost;
    assert_eq!(closed(&mut machine), Some(UploadEvent::Closed { conn: late, reason }));
    assert_eq!(machine.poll_timeout(), None);
}

/// A client that cannot wait in a queue, a full queue, and a second upload to one address.
#[test]
fn a_client_beyond_the_queue_gets_a_time_to_retry() {
    let mut config = config();
    config.queue = 1;
    config.slots = 1;
    let mut machine = uploads(config);
    let first = connect(&mut machine, seconds(0), 1);
    assert_eq!(status(&ask(&mut machine, seconds(0), first, "")), 200);
    for (number, headers, is_queued) in [
        (2, "", false),
        (3, "X-Queue: 0.1\r\nConnection: close\r\n", false),
        (4, "X-Queue: 0.1\r\n", true),
        (5, "X-Queue: 0.1\r\n", false),
    ] {
        let conn = connect(&mut machine, seconds(0), number);
        let head = ask(&mut machine, seconds(0), conn, headers);
        let (fields, response) = read(&head);
        assert_eq!(response.status, 503);
        assert_eq!(Queued::of_head(&fields).is_some(), is_queued, "{head}");
        assert_eq!(retry_after(&fields).is_some(), !is_queued, "{head}");
    }
    machine.handle_closed(seconds(0), first);
    let twice = [10, 11].map(ConnId);
    config.slots = 4;
    let mut machine = uploads(config);
    for (conn, expected) in twice.into_iter().zip([200, 503]) {
        machine.handle_connected(seconds(0), conn, Ipv4Addr::LOCALHOST).unwrap();
        assert_eq!(status(&ask(&mut machine, seconds(0), conn, "")), expected);
    }
}

/// The bandwidth is kept, and shared evenly whatever each asks for.
#[test]
fn the_bandwidth_is_shared_evenly() {
    let mut config = config();
    config.bytes_per_second = Some(100_000);
    config.chunk = 1_000;
    let mut machine = uploads(config);
    for number in 1..=4 {
        let conn = connect(&mut machine, seconds(0), number);
        ask(&mut machine, seconds(0), conn, "");
    }
    let mut total = vec![0; 32];
    let mut now = Duration::ZERO;
    while now < seconds(10) {
        let (events, bytes) = drive(&mut machine, now);
        assert_eq!(events, []);
        total.iter_mut().zip(bytes).for_each(|(sum, new)| *sum += new);
        let due = machine.poll_timeout().expect("the bandwidth has a deadline");
        assert!(due > now);
        now = due;
        machine.handle_timeout(now);
    }
    let sum: u64 = total.iter().sum();
    assert!((1_000_000..=1_110_000).contains(&sum), "{sum} bytes in ten seconds and a burst");
    assert!(total[1..=4].iter().all(|bytes| bytes.abs_diff(sum / 4) <= 1_000), "{total:?}");
}

/// A client that takes nothing loses its slot.
#[test]
fn a_client_that_does_not_read_is_closed() {
    let mut machine = uploads(config());
    let conn = connect(&mut machine, seconds(0), 1);
    ask(&mut machine, seconds(0), conn, "");
    assert!(matches!(machine.poll_event(), Some(UploadEvent::Send { .. })));
    machine.handle_timeout(machine.poll_timeout().unwrap());
    let reason = UploadCloseReason::Stalled;
    assert_eq!(machine.poll_event(), Some(UploadEvent::Closed { conn, reason }));
    let late = machine.handle_sent(seconds(61), conn);
    assert!(matches!(late, Err(UploadError::NotConnected(_))));
}

/// What is not a request is answered with 400 before the connection closes, in any order of polls.
#[test]
fn malformed_requests_are_answered() {
    let mut machine = uploads(config());
    let conn = connect(&mut machine, seconds(0), 1);
    machine.handle_bytes(seconds(0), conn, b"BREW /pot HTCPCP/1.0\r\n\r\n").unwrap();
    assert_eq!(machine.poll_event(), None, "the answer comes first");
    let mut buf = [0; Machine::MAX_TRANSMIT_LEN];
    let sent = machine.poll_transmit(&mut buf).unwrap().unwrap();
    assert!(buf[..sent.len].starts_with(b"HTTP/1.1 400 Bad Request\r\n"));
    let reason = UploadCloseReason::Malformed;
    assert_eq!(machine.poll_event(), Some(UploadEvent::Closed { conn, reason }));
}

/// A pipelined request waits until the answer before it is sent.
#[test]
fn pipelined_requests_are_answered_in_order() {
    let mut machine = uploads(config());
    let conn = connect(&mut machine, seconds(0), 1);
    let first = format!("{GET}Range: bytes=0-9\r\n\r\n");
    let both = format!("{first}{GET}Range: bytes=10-19\r\n\r\n");
    let read = machine.handle_bytes(seconds(0), conn, both.as_bytes()).unwrap();
    assert_eq!(read.consumed, first.len());
    let rest = &both.as_bytes()[read.consumed..];
    let mut buf = [0; 512];
    machine.offer(seconds(0), conn, &Offer::new(1, SIZE), &mut buf).unwrap();
    assert_eq!(machine.handle_bytes(seconds(0), conn, rest).unwrap().consumed, 0);
    drive(&mut machine, seconds(0));
    assert_eq!(machine.handle_bytes(seconds(0), conn, rest).unwrap().consumed, rest.len());
}

/// One address has its share of the connections, so that others find a free slot.
#[test]
fn one_address_does_not_take_every_connection() {
    let mut machine = uploads(config());
    let ip = Ipv4Addr::LOCALHOST;
    for number in 0..4 {
        machine.handle_connected(seconds(0), ConnId(number), ip).unwrap();
    }
    let refused = machine.handle_connected(seconds(0), ConnId(4), ip);
    assert_eq!(refused, Err(ConnectError::Full { capacity: 32 }));
    connect(&mut machine, seconds(0), 5);
}

/// An address that has its slot and asks for three more files waits for itself alone: the free slots are for others.
#[test]
fn one_address_that_waits_does_not_keep_slots_free() {
    let mut machine = uploads(config());
    let ip = Ipv4Addr::LOCALHOST;
    for number in 0..4 {
        machine.handle_connected(seconds(0), ConnId(number), ip).unwrap();
        let head = ask(&mut machine, seconds(0), ConnId(number), "X-Queue: 0.1\r\n");
        assert_eq!(status(&head), if number == 0 { 200 } else { 503 });
    }
    for number in [5, 6, 7] {
        let other = connect(&mut machine, seconds(0), number);
        assert_eq!(
            status(&ask(&mut machine, seconds(0), other, "X-Queue: 0.1\r\n")),
            200,
            "{number}"
        );
    }
    let last = connect(&mut machine, seconds(0), 8);
    assert_eq!(status(&ask(&mut machine, seconds(0), last, "X-Queue: 0.1\r\n")), 503, "all in use");
    // The first has finished: its next file comes before what others asked for later.
    machine.handle_closed(seconds(10), ConnId(0));
    let later = seconds(50);
    assert_eq!(status(&ask(&mut machine, later, last, "X-Queue: 0.1\r\n")), 503);
    assert_eq!(status(&ask(&mut machine, later, ConnId(2), "X-Queue: 0.1\r\n")), 503);
    assert_eq!(status(&ask(&mut machine, later, ConnId(1), "X-Queue: 0.1\r\n")), 200);
}

/// The customary limits and an unanswered request: every wait ends.
#[test]
fn every_wait_has_a_deadline() {
    let mut machine = uploads(config());
    let idle = connect(&mut machine, seconds(0), 1);
    let asked = connect(&mut machine, seconds(0), 2);
    machine.handle_bytes(seconds(0), asked, format!("{GET}\r\n").as_bytes()).unwrap();
    machine.handle_timeout(seconds(60));
    let reasons = [UploadCloseReason::Idle, UploadCloseReason::NotAnswered];
    for (conn, reason) in [idle, asked].into_iter().zip(reasons) {
        assert_eq!(machine.poll_event(), Some(UploadEvent::Closed { conn, reason }));
    }
    let mut zero = config();
    zero.slots = 0;
    assert!(Uploads::new(zero, [UploadSlot::EMPTY; 1]).is_err());
}
