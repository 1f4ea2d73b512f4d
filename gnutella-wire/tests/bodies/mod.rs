//! What must hold for any bytes. The property tests, the corpus test and the fuzz targets call the
//! same functions.
#![allow(unreachable_pub, reason = "the fuzz targets include this file as a public module")]

use core::time::Duration;
use std::collections::BTreeMap;

use gnutella_wire::handshake::{Handshake, State, Step};
use gnutella_wire::head::{Head, HeadLimits};
use gnutella_wire::http::{Giv, Request, Response};
use gnutella_wire::routes::{Insertion, Key, Lifetimes, Route, RouteSlot, RouteSource, RouteTable};
use gnutella_wire::wire::{HEADER_LEN, Header, HitData, Limits, Message, Payload};
use gnutella_wire::{DecodeError, Guid, Opening, Received, ServentId};
use sim::laws::{Input, Machine, Outcome, check};

/// Bodies of the datagrams.
pub mod datagram;
mod deflate;
/// Bodies of GGEP.
pub mod ggep;
/// Bodies of the cache of hosts.
pub mod hosts;
/// Bodies of HUGE.
pub mod huge;
mod opennap;
mod qrp;
/// Bodies of the machine.
pub mod servent;
mod transfer;
mod vendor;

/// What takes any bytes, and panics if something does not hold.
pub type Body = fn(&[u8]);

/// Every body with its name.
pub const BODIES: &[(&str, Body)] = &[
    ("gnutella_header", header),
    ("gnutella_message", message),
    ("gnutella_head", head),
    ("gnutella_http", http),
    ("gnutella_handshake", handshake),
    ("gnutella_routes", routes),
    ("gnutella_servent", servent::servent),
    ("gnutella_hosts", hosts::hosts),
    ("gnutella_datagrams", datagram::datagrams),
    ("gnutella_inflate", deflate::inflates),
    ("gnutella_deflate", deflate::deflates),
    ("gnutella_opennap", opennap::message),
    ("gnutella_index", opennap::index),
    ("gnutella_nap_client", opennap::client),
    ("gnutella_download", transfer::download),
    ("gnutella_uploads", transfer::uploads),
    ("gnutella_thex", transfer::thex),
    ("gnutella_vendor", vendor::payload),
    ("gnutella_ggep", ggep::ggep),
    ("gnutella_stuffing", ggep::stuffing),
    ("gnutella_huge", huge::area),
    ("gnutella_qrp_message", qrp::payload),
    ("gnutella_qrp_receiver", qrp::receiver),
    ("gnutella_qrp_tables", qrp::tables),
];

/// A header encodes back to its bytes, or returns what is wrong.
pub fn header(bytes: &[u8]) {
    let announced = bytes.get(19..23).map(|len| u32::from_le_bytes(len.try_into().unwrap()));
    match Header::decode(bytes, Limits::LIMEWIRE) {
        Ok((header, rest)) => {
            assert_eq!(header.to_bytes(), bytes[..HEADER_LEN]);
            assert_eq!(rest, &bytes[HEADER_LEN..]);
            assert!(!header.to_string().is_empty());
        }
        Err(DecodeError::Incomplete { needed }) => assert_eq!(needed, HEADER_LEN - bytes.len()),
        Err(DecodeError::Desynchronised { len }) => {
            assert!(len > 0xFFFF && announced == Some(len));
        }
        Err(other) => panic!("{other}: no length below 65,536 is too large here"),
    }
}

/// A message encodes back to its bytes, but for a NUL that was missing; what is cut short is incomplete.
pub fn message(bytes: &[u8]) {
    for limits in [Limits::GTKG, Limits::LIMEWIRE, Limits::EMBEDDED] {
        match Message::decode(bytes, limits) {
            Ok((message, rest)) => {
                let used = &bytes[..bytes.len() - rest.len()];
                assert!(used.len() <= limits.buffer_len());
                decoded(&message, used);
                for cut in [0, HEADER_LEN - 1, HEADER_LEN, used.len() - 1] {
                    let short = Message::decode(&used[..cut.min(used.len() - 1)], limits);
                    assert!(matches!(short, Err(DecodeError::Incomplete { needed: 1.. })));
                }
            }
            Err(DecodeError::Incomplete { needed }) => {
                assert!(needed > 0);
                let longer = [bytes, &vec![0; needed - 1]].concat();
                let still = Message::decode(&longer, limits);
                assert!(matches!(still, Err(DecodeError::Incomplete { .. })), "{still:?}");
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

fn decoded(message: &Message<'_>, used: &[u8]) {
    let mut out = vec![0; message.encoded_len()];
    assert_eq!(message.encode(&mut out), Ok(out.len()));
    let added = usize::from(out != used);
    assert_eq!(out.len(), used.len() + added, "only a missing NUL is added");
    assert_eq!(Message::decode(&out, Limits::LIMEWIRE).map(|(again, _)| again), Ok(*message));
    assert!(message.encode(&mut out[1..]).is_err_and(|e| e.needed == message.encoded_len()));
    assert!(!message.to_string().contains(['\n', '\r']), "a trace is one line");
    match message.payload {
        Payload::QueryHit(hit) => {
            assert_eq!(hit.records.iter().count(), usize::from(hit.records.len()));
            let data = hit.data;
            if let (Some(private), Some(xml)) = (data.private(), data.xml()) {
                assert!(data.as_bytes().ends_with(&[private, xml].concat()));
            }
            if let Some(flags) = data.flags() {
                let again = flags.to_data(data.vendor().unwrap());
                assert_eq!(HitData::new(&again).flags(), Some(flags));
            }
        }
        Payload::Query(query) => {
            let flags = query.flags;
            assert_ne!(flags.min_speed().is_some(), flags.max_hits().is_some());
        }
        _ => {}
    }
}

/// A head ends at its first empty line, however the bytes come.
pub fn head(bytes: &[u8]) {
    let limits = HeadLimits { bytes: 200, lines: 8 };
    match Head::decode(bytes, limits) {
        Ok((head, rest)) => {
            let used = bytes.len() - rest.len();
            let end = &bytes[..used];
            assert!(end.ends_with(b"\n\n") || end.ends_with(b"\n\r\n"), "an empty line");
            assert!(used <= limits.bytes && head.headers().count() <= limits.lines);
            for cut in 0..used {
                let short = Head::decode(&bytes[..cut], limits);
                assert_eq!(short, Err(DecodeError::Incomplete { needed: 1 }));
            }
            for header in head.headers() {
                assert!(head.header(header.name).is_some());
                assert!(!header.to_string().contains('\n'));
            }
        }
        Err(DecodeError::Incomplete { .. }) => assert!(bytes.len() < limits.bytes),
        Err(_) => {}
    }
}

/// Requests, answers and offers mean the same after they were written again.
pub fn http(bytes: &[u8]) {
    let mut out = [0; 8_192];
    let _ = Opening::of(bytes);
    if let Ok((giv, rest)) = Giv::decode(bytes) {
        let len = giv.encode(&mut out).unwrap();
        assert_eq!(len, giv.encoded_len());
        if !giv.name.as_bytes().contains(&b'\r') {
            assert_eq!(Giv::decode(&out[..len]), Ok((giv, &[][..])));
        }
        assert!(rest.len() < bytes.len());
    }
    let Ok((head, _)) = Head::decode(bytes, HeadLimits::EMBEDDED) else { return };
    if head.first_line().contains(&b'\r') {
        return; // is not sent again as it came
    }
    if let Ok(request) = Request::from_head(&head) {
        let len = request.encode(&[], &mut out).unwrap();
        assert_eq!(len, request.encoded_len(&[]));
        let (again, _) = Head::decode(&out[..len], HeadLimits::GTKG).unwrap();
        assert_eq!(Request::from_head(&again), Ok(request));
    }
    if let Ok(response) = Response::from_head(&head) {
        let len = response.encode(&[], &mut out).unwrap();
        assert_eq!(len, response.encoded_len(&[]));
        let (again, _) = Head::decode(&out[..len], HeadLimits::GTKG).unwrap();
        assert_eq!(Response::from_head(&again), Ok(response));
    }
}

const WAIT: Received<Step<'_>> = Received { consumed: 0, outcome: None };

/// A handshake keeps the laws, and receives the same however the bytes are cut.
pub fn handshake(bytes: &[u8]) {
    let begins = [Handshake::dialler_06, Handshake::dialler_04, Handshake::acceptor];
    for begin in begins {
        check(|| Talk(begin().with_limits(HeadLimits::EMBEDDED)), 300, bytes);
    }
    let mut at_once = Handshake::acceptor();
    let mut bit_by_bit = Handshake::acceptor();
    let whole = at_once.handle_bytes(bytes);
    let cuts = (0..=bytes.len()).map(|cut| bit_by_bit.handle_bytes(&bytes[..cut]));
    let first = cuts.into_iter().find(|step| *step != Ok(WAIT)).unwrap_or(Ok(WAIT));
    assert_eq!((whole, &at_once), (first, &bit_by_bit));
}

struct Talk(Handshake);

impl Machine for Talk {
    fn call(&mut self, _: Duration, input: &mut Input<'_>) -> Outcome {
        let mut out = [0; 300];
        let most = usize::from(input.byte());
        let lines = [
            &b"GNUTELLA CONNECT/0.6\r\nX-Ultrapeer: True\r\n\r\n"[..],
            b"GNUTELLA CONNECT/0.4\n\n",
            b"GNUTELLA/0.6 200 OK\r\n\r\n",
            b"GNUTELLA/0.6 503 Full\r\n\r\n",
            b"GNUTELLA OK\n\n",
        ];
        match input.below(9) {
            0 => Outcome::of(self.0.greet(&[], &mut out[..most])),
            1 => Outcome::of(self.0.agree(&[], &mut out[..most])),
            2 => Outcome::of(self.0.refuse(503, "no\r\nroom", &[], &mut out[..most])),
            3 => Outcome::of(self.0.handle_bytes(input.bytes(most))),
            line => {
                let received = self.0.handle_bytes(lines[line - 4]);
                if let Ok(Received { consumed, outcome: Some(_) }) = received {
                    assert_eq!(consumed, lines[line - 4].len());
                }
                Outcome::of(received)
            }
        }
    }

    fn handle_timeout(&mut self, _: Duration) {}

    fn poll_timeout(&self) -> Option<Duration> {
        None
    }

    fn poll_transmit(&mut self, _: &mut [u8]) -> Result<Option<(String, usize)>, usize> {
        Ok(None)
    }

    fn poll_event(&mut self) -> Option<String> {
        None
    }

    fn state(&self) -> String {
        assert!(self.0.state() != State::Open || !self.0.state().is_waiting());
        format!("{:?}", self.0)
    }

    fn same_state(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

/// A table never invents a route, never keeps one too long, and loses none while it has room.
pub fn routes(bytes: &[u8]) {
    for capacity in [0, 1, 3, 64] {
        let seed = bytes.len() as u64;
        let table = RouteTable::new(seed, Lifetimes::default(), vec![RouteSlot::EMPTY; capacity]);
        Model { table, known: BTreeMap::new(), capacity }.run(&mut Input::new(bytes));
    }
}

struct Model {
    table: RouteTable<Vec<RouteSlot>>,
    known: BTreeMap<[u8; 2], (Route, Duration, Duration)>, // learnt when, for how long
    capacity: usize,
}

impl Model {
    fn run(&mut self, input: &mut Input<'_>) {
        let mut now = Duration::ZERO;
        while !input.is_empty() {
            now += Duration::from_millis(u64::from(input.u16()) * 4);
            let kind = input.below(3) as u8;
            let number = input.below(3) as u8; // 9 keys, of which
            let guid = [number; 16]; // at most 8 are in a window of 64 slots by much ill luck
            let lifetimes = Lifetimes::default();
            let (key, lifetime) = match kind {
                0 => (Key::Ping(Guid(guid)), lifetimes.ping),
                1 => (Key::Query(Guid(guid)), lifetimes.query),
                _ => (Key::Push(ServentId(guid)), lifetimes.push),
            };
            let source = RouteSource(u32::from(input.byte()));
            let hops = input.byte();
            let found = self.table.find(now, key);
            self.compare(now, [kind, number], found);
            let route = Route { source, ttl: input.byte(), hops };
            let fresh = (route, now, lifetime);
            match input.below(8) {
                0 | 1 => {
                    self.table.refresh(now, key, route);
                    self.known.insert([kind, number], fresh);
                }
                2 => {
                    self.table.raise_ttl(now, key, route.ttl);
                    let old = found.and_then(|_| self.known.get_mut(&[kind, number]));
                    if let Some((old, ..)) = old {
                        old.ttl = old.ttl.max(route.ttl);
                    }
                    continue; // nothing is learnt by it
                }
                _ => match self.table.insert(now, key, route) {
                    Insertion::New => assert!(found.is_none() && self.capacity > 0),
                    Insertion::Known(route) => assert_eq!(Some(route), found),
                    Insertion::Full => assert_eq!(self.capacity, 0),
                },
            }
            if found.is_none() {
                self.known.insert([kind, number], fresh);
            }
            let after = self.table.find(now, key);
            assert!(self.capacity == 0 || after == self.known.get(&[kind, number]).map(|k| k.0));
            assert!(self.table.len(now) <= self.capacity);
        }
    }

    fn compare(&self, now: Duration, key: [u8; 2], found: Option<Route>) {
        let known = self
            .known
            .get(&key)
            .map(|(route, at, lifetime)| (route, now.saturating_sub(*at), *lifetime));
        match (known, found) {
            (None, found) => assert_eq!(found, None, "never learnt"),
            (Some((route, age, lifetime)), Some(found)) => {
                assert_eq!(*route, found);
                assert!(age < lifetime + Duration::from_secs(2), "kept for {age:?}");
            }
            (Some((_, age, lifetime)), None) => {
                let roomy = self.capacity >= 64 && self.known.len() <= 8;
                assert!(!roomy || age > lifetime, "lost after {age:?} though there is room");
            }
        }
    }
}
