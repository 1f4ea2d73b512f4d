//! A small town of servents over the simulated network. Host n has the address 10.0.0.n, the
//! servent id nn..nn, and answers queries from a list of file names.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;
use std::collections::BTreeMap;

use gnutella_wire::handshake::{Handshake, Line, State, Version};
use gnutella_wire::head::Header;
use gnutella_wire::servent::{ServentLimits, ServentVec, Stats, Target};
use gnutella_wire::wire::{
    Function, HitData, Limits, Message, Payload, Query, QueryFlags, Record, Records,
};
use gnutella_wire::{
    CloseReason, Config, ConnId, Event, Guid, Neighbour, Role, Servent, ServentId, Text,
};
use sim::{Addr, Delivery, Link, Network, StreamId};

pub(crate) type Preset<'a> = &'a dyn Fn(ServentId, SocketAddrV4) -> Config;
type Net = Servent<ServentVec>;

pub(crate) struct World {
    pub(crate) net: Network,
    /// One line per message sent: `from>to: message`.
    pub(crate) trace: Vec<String>,
    pub(crate) lost: Vec<(Addr, CloseReason)>,
    pub(crate) refusals: Vec<String>,
    pub(crate) dialled: Vec<(u32, SocketAddrV4)>,
    hosts: BTreeMap<Addr, Host>,
    sent: BTreeMap<Function, u64>,
}

struct Host {
    servent: Net,
    modern: bool, // has memory for all that 0.6 adds, and announces it
    wires: BTreeMap<ConnId, Wire>,
    files: Vec<&'static str>,
    queries: u64,
    pongs: u64,
    hits: Vec<String>,
    pushes: Vec<(u32, SocketAddrV4)>,
}

struct Wire {
    peer: Addr,
    shake: Handshake,
    neighbour: Neighbour,
    inbox: Vec<u8>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            net: Network::new(seed, Link::default()),
            trace: Vec::new(),
            lost: Vec::new(),
            refusals: Vec::new(),
            dialled: Vec::new(),
            hosts: BTreeMap::new(),
            sent: BTreeMap::new(),
        }
    }

    pub(crate) fn add(&mut self, number: u32, preset: Preset<'_>) {
        let address = SocketAddrV4::new(Ipv4Addr::from(0x0A00_0000 + number), 6346);
        self.insert_host(number, false, preset(ServentId([number as u8; 16]), address));
    }

    /// Adds a servent of 0.6 with everything.
    pub(crate) fn add_modern(&mut self, number: u32, preset: Preset<'_>) {
        let address = SocketAddrV4::new(Ipv4Addr::from(0x0A00_0000 + number), 6346);
        self.insert_host(number, true, preset(ServentId([number as u8; 16]), address));
    }

    fn insert_host(&mut self, number: u32, modern: bool, config: Config) {
        let flooding = ServentLimits { conns: 32, routes: 512, ..ServentLimits::default() };
        let full = ServentLimits { hosts: 32, queries: 8, tables: 34 * 2_048, ..flooding };
        let storage = ServentVec::new(if modern { full } else { flooding });
        let servent = Servent::new(config, storage).unwrap();
        let wires = BTreeMap::new();
        let hits = Vec::new();
        let pushes = Vec::new();
        let files = Vec::new();
        let host = Host { servent, modern, wires, files, queries: 0, pongs: 0, hits, pushes };
        self.hosts.insert(Addr(number), host);
    }

    pub(crate) fn dial(&mut self, from: u32, to: u32) {
        self.connect(from, to, Handshake::dialler_04());
    }

    pub(crate) fn dial06(&mut self, from: u32, to: u32) {
        self.connect(from, to, Handshake::dialler_06());
    }

    fn connect(&mut self, from: u32, to: u32, shake: Handshake) {
        let stream = self.net.connect(Addr(from), Addr(to));
        self.insert(Addr(from), stream, Addr(to), shake);
    }

    /// Pulls the plug of a host: silence.
    pub(crate) fn unplug(&mut self, number: u32) {
        self.net.unplug(Addr(number));
        self.hosts.remove(&Addr(number));
    }

    pub(crate) fn share(&mut self, number: u32, name: &'static str) {
        let now = self.net.now();
        self.host(number).files.push(name);
        self.host(number).servent.share(now, name);
    }

    /// Calls the servent of a host, and sends what is then due.
    pub(crate) fn command<T>(
        &mut self,
        number: u32,
        call: impl FnOnce(&mut Net, Duration) -> T,
    ) -> T {
        let now = self.net.now();
        let result = call(&mut self.host(number).servent, now);
        self.drain(number);
        result
    }

    pub(crate) fn search(&mut self, number: u32, guid: Guid, words: &str) {
        let now = self.net.now();
        let mut buf = [0; 256];
        let query = Query::new(Text::new(words.as_bytes()).unwrap());
        let flags = QueryFlags::LEAF_GUIDED;
        let query = if self.host(number).modern { Query { flags, ..query } } else { query };
        let sent = self.host(number).servent.search(now, guid, &query, &mut buf).unwrap();
        self.dispatch(number, sent.to, &buf[..sent.len]);
        self.drain(number);
    }

    pub(crate) fn ping(&mut self, number: u32, guid: Guid) {
        let now = self.net.now();
        let mut buf = [0; 256];
        let sent = self.host(number).servent.ping(now, guid, &mut buf).unwrap();
        self.dispatch(number, sent.to, &buf[..sent.len]);
    }

    pub(crate) fn push(&mut self, number: u32, guid: Guid, servent: ServentId, index: u32) {
        let now = self.net.now();
        let mut buf = [0; 256];
        let sent = self.host(number).servent.push(now, guid, servent, index, &mut buf).unwrap();
        self.dispatch(number, sent.to, &buf[..sent.len]);
    }

    /// Answers a query with all files that the host has.
    pub(crate) fn answer(&mut self, number: u32, guid: Guid) {
        let now = self.net.now();
        let mut buf = [0; 512];
        let host = self.host(number);
        let record = |(index, name): (usize, &&'static str)| Record {
            index: index as u32 + 1,
            size: name.len() as u32,
            name: Text::new(name.as_bytes()).unwrap(),
            extensions: Text::EMPTY,
        };
        let found: Vec<_> = host.files.iter().enumerate().map(record).collect();
        let records = Records::from_slice(&found).unwrap();
        let sent = host.servent.answer(now, guid, records, HitData::EMPTY, &mut buf).unwrap();
        self.dispatch(number, sent.to, &buf[..sent.len]);
    }

    /// Sends bytes past the servent of `from`.
    pub(crate) fn send_raw(&mut self, from: u32, to: u32, bytes: &[u8]) {
        self.net.send(stream(self.link(from, to)), Addr(from), bytes);
    }

    /// Advances the clock.
    pub(crate) fn run(&mut self, seconds: u64) {
        let until = self.net.now() + Duration::from_secs(seconds);
        loop {
            let due = self.hosts.values().filter_map(|host| host.servent.poll_timeout()).min();
            let wait = due.unwrap_or(until).min(until);
            if let Some(delivery) = self.net.next(wait) {
                self.deliver(delivery);
                continue;
            }
            let now = self.net.now();
            for number in self.hosts.keys().map(|addr| addr.0).collect::<Vec<_>>() {
                self.host(number).servent.handle_timeout(now);
                self.drain(number);
            }
            if now >= until {
                return;
            }
        }
    }

    pub(crate) fn sent(&self, function: Function) -> u64 {
        self.sent.get(&function).copied().unwrap_or_default()
    }

    pub(crate) fn stats(&self, number: u32) -> Stats {
        self.hosts[&Addr(number)].servent.stats()
    }

    pub(crate) fn totals(&self) -> Stats {
        let mut total = Stats::default();
        for stats in self.hosts.values().map(|host| host.servent.stats()) {
            total.duplicates += stats.duplicates;
            total.expired += stats.expired;
        }
        total
    }

    pub(crate) fn queries(&self, number: u32) -> u64 {
        self.hosts[&Addr(number)].queries
    }

    pub(crate) fn pongs(&self, number: u32) -> u64 {
        self.hosts[&Addr(number)].pongs
    }

    pub(crate) fn hits(&self, number: u32) -> &[String] {
        &self.hosts[&Addr(number)].hits
    }

    pub(crate) fn pushes(&self, number: u32) -> &[(u32, SocketAddrV4)] {
        &self.hosts[&Addr(number)].pushes
    }

    pub(crate) fn servent(&self, number: u32) -> &Net {
        &self.hosts[&Addr(number)].servent
    }

    /// The link of a host to another.
    pub(crate) fn link(&self, number: u32, peer: u32) -> ConnId {
        let wires = &self.hosts[&Addr(number)].wires;
        *wires.iter().find(|(_, wire)| wire.peer == Addr(peer)).unwrap().0
    }

    /// The hosts that a host has an open link to.
    pub(crate) fn neighbours(&self, number: u32) -> Vec<Addr> {
        let wires = self.hosts[&Addr(number)].wires.values();
        wires.filter(|wire| wire.shake.state() == State::Open).map(|wire| wire.peer).collect()
    }

    fn host(&mut self, number: u32) -> &mut Host {
        self.hosts.get_mut(&Addr(number)).unwrap()
    }

    fn insert(&mut self, at: Addr, stream: StreamId, peer: Addr, shake: Handshake) {
        let wire = Wire { peer, shake, neighbour: Role::Peer.into(), inbox: Vec::new() };
        self.host(at.0).wires.insert(link(stream), wire);
    }

    fn deliver(&mut self, delivery: Delivery) {
        let at = delivery.at();
        match delivery {
            Delivery::Opened { stream, peer, .. } => {
                if !self.host(at.0).wires.contains_key(&link(stream)) {
                    return self.insert(at, stream, peer, Handshake::acceptor());
                }
                let mut buf = [0; 512];
                let introduction = self.host(at.0).introduction();
                let wire = self.host(at.0).wires.get_mut(&link(stream)).unwrap();
                let len = wire.shake.greet(&headers(&introduction), &mut buf).unwrap();
                self.net.send(stream, at, &buf[..len]);
            }
            Delivery::Bytes { stream, bytes, .. } => {
                let Some(wire) = self.host(at.0).wires.get_mut(&link(stream)) else { return };
                wire.inbox.extend(bytes);
                self.shake_hands(at.0, link(stream));
                self.handle(at.0, link(stream));
            }
            Delivery::Closed { stream, .. } => {
                let now = self.net.now();
                let host = self.host(at.0);
                host.wires.remove(&link(stream));
                host.servent.handle_closed(now, link(stream));
                self.drain(at.0);
            }
            Delivery::Datagram { .. } => unreachable!("nobody sends any"),
        }
    }

    /// Takes the handshake as far as the bytes go.
    fn shake_hands(&mut self, number: u32, link: ConnId) {
        let now = self.net.now();
        loop {
            let host = self.hosts.get_mut(&Addr(number)).unwrap();
            let introduction = host.introduction();
            let other = host.neighbour_to_try();
            let Some(wire) = host.wires.get_mut(&link) else { return };
            let received = wire.shake.handle_bytes(&wire.inbox).unwrap();
            let Some(step) = received.outcome else { return };
            if step.head.header("X-Ultrapeer").is_some() {
                wire.neighbour = Neighbour::of_head(&step.head);
            }
            if let Line::Status { code: code @ 201.., reason } = step.line {
                let mut others = step.head.addresses("X-Try-Ultrapeers");
                let other = others.next().map_or(String::new(), |a| a.to_string());
                self.refusals.push(format!("{code} {reason}, try {other}"));
            }
            let consumed = received.consumed;
            wire.inbox.drain(..consumed);
            let mut buf = [0; 512];
            let state = wire.shake.state();
            let room = host.servent.has_room(wire.neighbour.role);
            let len = match state {
                State::Replying | State::Replying04 | State::Confirming if room => {
                    wire.shake.agree(&headers(&introduction), &mut buf).unwrap()
                }
                State::Replying | State::Replying04 | State::Confirming => {
                    let other = [Header::new("X-Try-Ultrapeers", &other)];
                    wire.shake.refuse(503, "Slots full", &other, &mut buf).unwrap()
                }
                _ => 0,
            };
            self.net.send(stream(link), Addr(number), &buf[..len]);
            match wire.shake.state() {
                State::Open => {
                    assert!(
                        wire.shake.version() == Version::V06 || wire.neighbour.role == Role::Peer
                    );
                    host.servent.handle_connected(now, link, wire.neighbour).unwrap();
                }
                State::Closed => {
                    host.wires.remove(&link);
                    self.net.close(stream(link), Addr(number));
                }
                _ => {}
            }
        }
    }

    /// The driving loop of a servent.
    fn handle(&mut self, number: u32, link: ConnId) {
        let now = self.net.now();
        let open = |wire: &mut Wire| wire.shake.state() == State::Open;
        if !self.host(number).wires.get_mut(&link).is_some_and(open) {
            return;
        }
        let mut inbox = core::mem::take(&mut self.host(number).wires.get_mut(&link).unwrap().inbox);
        let mut at = 0;
        while let Ok(received) = self.host(number).servent.handle_bytes(now, link, &inbox[at..])
            && received.consumed > 0
        {
            let handled = received.outcome;
            if let Some(forward) = handled.and_then(|handled| handled.forward) {
                let bytes = [&forward.header[..], forward.payload].concat();
                self.dispatch(number, forward.to, &bytes);
            }
            if let Some(message) = handled.and_then(|handled| handled.message) {
                self.take(number, &message);
            }
            at += received.consumed;
            self.drain(number);
        }
        inbox.drain(..at);
        if let Some(wire) = self.host(number).wires.get_mut(&link) {
            wire.inbox = inbox;
        }
    }

    /// What the application does with a message.
    fn take(&mut self, number: u32, message: &Message<'_>) {
        let host = self.host(number);
        match message.payload {
            Payload::Query(query) => {
                host.queries += 1;
                let words = query.text.as_str().unwrap().to_lowercase();
                let matches =
                    |file: &&str| words.split(' ').all(|w| file.to_lowercase().contains(w));
                if host.files.iter().any(matches) {
                    self.answer(number, message.guid);
                }
            }
            Payload::QueryHit(hit) => {
                host.hits.extend(hit.records.iter().map(|record| record.name.to_string()));
            }
            Payload::Pong(_) => host.pongs += 1,
            Payload::Push(push) => host.pushes.push((push.index, push.address)),
            _ => {}
        }
    }

    fn drain(&mut self, number: u32) {
        let mut buf = [0; Net::MAX_TRANSMIT_LEN];
        let mut turns = 0;
        while let Some(own) = self.host(number).servent.poll_transmit(&mut buf).unwrap() {
            self.transmit(number, own.conn, &buf[..own.len]);
            turns += 1;
            assert!(turns < 1_000, "node {number} never falls silent");
        }
        while let Some(event) = self.host(number).servent.poll_event() {
            match event {
                Event::Closed { conn: link, reason } => {
                    self.lost.push((Addr(number), reason));
                    self.host(number).wires.remove(&link);
                    self.net.close(stream(link), Addr(number));
                }
                Event::Dial { address } => {
                    self.dialled.push((number, address));
                    self.dial06(number, u32::from(*address.ip()) & 0xFF);
                }
                _ => unreachable!("no other events"),
            }
        }
    }

    fn dispatch(&mut self, number: u32, to: Target, bytes: &[u8]) {
        for link in self.host(number).servent.targets(to).collect::<Vec<_>>() {
            self.transmit(number, link, bytes);
        }
    }

    fn transmit(&mut self, number: u32, link: ConnId, bytes: &[u8]) {
        let peer = self.host(number).wires[&link].peer;
        let (message, rest) = Message::decode(bytes, Limits::LIMEWIRE).unwrap();
        assert!(rest.is_empty());
        *self.sent.entry(message.payload.function()).or_default() += 1;
        self.trace.push(format!("{number}>{}: {message}", peer.0));
        self.net.send(stream(link), Addr(number), bytes);
    }
}

impl Host {
    /// What it announces in a handshake.
    fn introduction(&self) -> Vec<(&'static str, String)> {
        let config = self.servent.config();
        let ultrapeer = match config.role {
            Role::Peer => return vec![("User-Agent", "sim".into())],
            Role::Leaf => "False",
            Role::Ultrapeer => "True",
        };
        let mut lines = vec![("X-Ultrapeer", ultrapeer.into())];
        if self.modern {
            lines.extend([
                ("X-Query-Routing", "0.1".into()),
                ("X-Ultrapeer-Query-Routing", "0.1".into()),
                ("Vendor-Message", "0.1".into()),
                ("X-Degree", "8".into()),
                ("Listen-IP", config.address.to_string()),
            ]);
        }
        lines
    }

    /// A neighbour that a refused stranger may try instead.
    fn neighbour_to_try(&self) -> String {
        let peer = self.wires.values().next().map_or(Addr(0), |wire| wire.peer);
        SocketAddrV4::new(Ipv4Addr::from(0x0A00_0000 + peer.0), 6346).to_string()
    }
}

fn headers<'l>(lines: &'l [(&'static str, String)]) -> Vec<Header<'l>> {
    lines.iter().map(|(name, value)| Header::new(name, value)).collect()
}

fn link(stream: StreamId) -> ConnId {
    ConnId(stream.0 as u32)
}

fn stream(link: ConnId) -> StreamId {
    StreamId(u64::from(link.0))
}
