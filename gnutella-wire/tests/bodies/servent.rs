//! The machine under any bytes.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use gnutella_wire::servent::{ServentLimits, ServentVec};
use gnutella_wire::wire::{
    ByeCode, Function, HEADER_LEN, Header, HitData, Limits, Message, Payload, Query, QueryFlags,
    Record, Records,
};
use gnutella_wire::{
    CommandError, Config, ConnId, Dispatch, Guid, Neighbour, Received, Role, Servent, ServentId,
    Text,
};
use sim::laws::{Input, Machine, Outcome, check, check_poll_order};

/// A servent of any role and any capacity keeps the laws.
pub fn servent(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let shape = Shape {
        role: input.below(3),
        links: input.below(5),
        routes: input.below(12),
        hosts: input.below(5),
        queries: input.below(3),
        tables: [0, 1, 9, 30, 300][input.below(5)],
    };
    let rest = input.bytes(usize::MAX);
    check(|| Node::new(shape), Net::MAX_TRANSMIT_LEN, rest);
    check_poll_order(|| Node::new(shape), Net::MAX_TRANSMIT_LEN, rest);
}

type Net = Servent<ServentVec>;

#[derive(Clone, Copy)]
struct Shape {
    role: usize,
    links: usize,
    routes: usize,
    hosts: usize,
    queries: usize,
    tables: usize,
}

struct Node(Net);

impl Node {
    fn new(shape: Shape) -> Self {
        let Shape { role, links, routes, .. } = shape;
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 6346);
        let presets = [Config::peer, Config::leaf, Config::ultrapeer];
        let mut config = presets[role](ServentId([0; 16]), address);
        config.idle = Duration::from_millis(100 * role as u64 + 1);
        config.max_missed_pings = 2;
        config.max_leaves = links / 2;
        config.refloods_higher_ttl = links == 3;
        config.results = config.results.min(3);
        config.send_queue = 1_000;
        config.query_wait = Duration::from_millis(routes as u64 + 1);
        config.table_interval = Duration::from_millis(10 * routes as u64);
        let Shape { hosts, queries, tables, .. } = shape;
        let limits = ServentLimits { conns: links, routes, hosts, queries, tables };
        let mut servent = Servent::new(config, ServentVec::new(limits)).expect("valid");
        for link in 0..3 {
            let mut neighbour = Neighbour::from(Role::Peer);
            neighbour.vendor_messages = true;
            let _ = servent.handle_connected(Duration::ZERO, ConnId(link), neighbour); // or full
        }
        Self(servent)
    }

    fn receive(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
        let from = ConnId(u32::from(input.byte() % 4));
        let bytes = some_message(input);
        let handled = self.0.handle_bytes(now, from, &bytes);
        let mut targets = Vec::new();
        if let Ok(Received { consumed, outcome }) = &handled {
            assert!(*consumed <= bytes.len());
            assert!(*consumed > 0 || outcome.is_none());
            if let Some(forward) = outcome.and_then(|handled| handled.forward) {
                targets = self.0.targets(forward.to).collect();
                assert!(!targets.is_empty() && !targets.contains(&from), "back to the sender");
                assert_ne!(self.0.config().role, Role::Leaf, "a leaf never forwards");
                let was = &bytes[..HEADER_LEN];
                let is = &forward.header[..];
                assert_eq!((&was[..17], &was[19..]), (&is[..17], &is[19..]), "the rest untouched");
                let last = is[17] == 1 && was[17] == 1; // for leaves
                assert!(
                    is[17] > 0 && (is[17] < was[17] || last) && is[18] == was[18].saturating_add(1)
                );
                assert_eq!(forward.payload, &bytes[HEADER_LEN..*consumed]);
            }
        }
        let stats = self.0.stats();
        assert!(stats.delivered + stats.duplicates + stats.malformed <= stats.received);
        Outcome::of(handled.map(|handled| (format!("{handled:?}"), targets)))
    }

    fn wish(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 6343 + u16::from(input.byte() % 6));
        let link = ConnId(u32::from(input.byte() % 4));
        let node = &mut self.0;
        let done = Outcome::Done(String::new());
        match input.below(16) {
            0 => return Outcome::of(node.stop_search(now, Guid([input.byte() % 4; 16]))),
            1 => return Outcome::of(node.connect(now, address)),
            2 => return Outcome::of(node.handle_backlog(now, link, input.u32() % 1_200)),
            3 => return Outcome::of(node.handle_patch_entries(now, link, input.bytes(40))),
            4 => return Outcome::of(node.handle_patch_end(now, link)),
            5 => return Outcome::of(node.dismiss(now, link, ByeCode(u16::from(input.byte())))),
            6 => node.leave(now),
            7 => node.set_role(now, [Role::Peer, Role::Leaf, Role::Ultrapeer][input.below(3)]),
            8 | 9 => node.share(now, "Hey Jude.mp3"),
            10 => node.unshare_all(now),
            11 if input.below(2) == 0 => node.set_address(now, address),
            11 => node.limit_queries(now, input.byte()),
            12 | 13 => node.add_host(now, address),
            14 => node.handle_dial_failed(now, address),
            _ => {
                node.set_busy(input.below(2) == 0);
                node.handle_closed(now, ConnId(9)); // which sees the time
            }
        }
        done
    }

    fn command(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
        let mut buf = [0; 128];
        let most = usize::from(input.byte()).min(buf.len());
        let buf = &mut buf[..most];
        let guid = Guid([input.byte() % 4; 16]);
        let text = Text::new(&b"Hey Jude"[..input.below(9)]).unwrap();
        let record = Record { index: 1, size: 2, name: text, extensions: Text::EMPTY };
        let records = [record; 3];
        let records = Records::from_slice(&records[..input.below(4)]).unwrap();
        let flags = [QueryFlags::NONE, QueryFlags::LEAF_GUIDED][input.below(2)];
        let done = match input.below(5) {
            0 | 1 => self.0.search(now, guid, &Query { flags, ..Query::new(text) }, buf),
            4 => self.0.ping(now, guid, buf),
            2 => self.0.answer(now, guid, records, HitData::EMPTY, buf),
            _ => self.0.push(now, guid, ServentId([input.byte() % 4; 16]), 7, buf),
        };
        match done {
            Ok(Dispatch { to, len }) => {
                let (message, rest) = Message::decode(&buf[..len], Limits::GTKG).unwrap();
                assert!(rest.is_empty() && message.ttl > 0 && message.hops == 0);
                Outcome::Done(format!("{message:?} {:?}", self.0.targets(to).collect::<Vec<_>>()))
            }
            Err(CommandError::BufferTooSmall(short)) => {
                assert!(short.needed > most);
                Outcome::Refused(format!("{short}"))
            }
            Err(other) => Outcome::Refused(format!("{other}")),
        }
    }
}

/// Reads a message of any kind; sometimes only bytes.
fn some_message(input: &mut Input<'_>) -> Vec<u8> {
    let kinds = [0x00, 0x01, 0x02, 0x30, 0x31, 0x40, 0x80, 0x81];
    let kind = input.below(16);
    let Some(function) = kinds.get(kind % 9).copied() else {
        let len = usize::from(input.byte());
        return input.bytes(len).to_vec();
    };
    let guid = Guid([input.byte() % 4; 16]);
    let ttl = input.byte() % 20;
    let hops = input.byte() % 5;
    let len = input.below(48);
    let mut payload = input.array::<48>()[..len].to_vec();
    if function == 0x30 {
        let reset = [0, 1 << (input.byte() % 8), input.byte() % 3, 0, 0, 7];
        let patch = [1, 1, 1, input.byte() % 2, 1 << (input.byte() % 4)];
        let patch = [&patch[..], &payload].concat();
        payload = if input.below(2) == 0 { reset.to_vec() } else { patch };
    }
    if function == 0x31 {
        let kind = [4, 11, 12][input.below(3)];
        let data =
            [&[][..], &[input.byte()], &[input.byte() % 3, 0], &[0xFF; 2]][input.below(4)].to_vec();
        payload = [&[b'B', b'E', b'A', b'R', kind, 0, 1, 0], &data[..]].concat();
    }
    if function == 0x40 || function == 0x81 {
        let id = [input.byte() % 4; 16]; // a push or hit that leads somewhere
        payload = match function {
            0x40 => [&id[..], &[0; 10]].concat(),
            _ => [&[0; 11][..], &id].concat(),
        };
    }
    let len = payload.len() as u32;
    let header = Header { guid, function: Function(function), ttl, hops, len };
    [&header.to_bytes()[..], &payload].concat()
}

impl Machine for Node {
    fn call(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
        let link = ConnId(u32::from(input.byte() % 4));
        match input.below(8) {
            0 | 1 => {
                let role = [Role::Peer, Role::Leaf, Role::Ultrapeer][input.below(3)];
                let mut neighbour = Neighbour::from(role);
                let bits = input.byte();
                neighbour.query_routing = bits & 1 > 0;
                neighbour.ultrapeer_query_routing = bits & 2 > 0;
                neighbour.vendor_messages = bits & 4 > 0;
                neighbour.degree = u16::from(bits >> 3);
                let port = 6343 + u16::from(bits >> 5);
                neighbour.address = Some(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
                let room = self.0.has_room(role);
                let before = self.0.clone();
                let done = self.0.handle_connected(now, link, neighbour);
                assert!(room || done.is_err(), "{before:?}");
                Outcome::of(done)
            }
            2..5 => self.receive(now, input),
            5 => {
                self.0.handle_closed(now, link);
                Outcome::Done(String::new())
            }
            6 => self.command(now, input),
            _ => self.wish(now, input),
        }
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.0.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.0.poll_timeout()
    }

    fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(String, usize)>, usize> {
        match self.0.poll_transmit(buf) {
            Ok(Some(send)) => {
                let (message, rest) = Message::decode(&buf[..send.len], Limits::GTKG).unwrap();
                let pong = matches!(message.payload, Payload::Pong(_) | Payload::Query(_));
                assert!(rest.is_empty() && message.ttl > 0 && (message.hops == 0 || pong));
                Ok(Some((send.conn.to_string(), send.len)))
            }
            Ok(None) => Ok(None),
            Err(short) => Err(short.needed),
        }
    }

    fn poll_event(&mut self) -> Option<String> {
        self.0.poll_event().map(|event| event.to_string())
    }

    fn state(&self) -> String {
        format!("{:?}", self.0)
    }

    fn same_state(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
