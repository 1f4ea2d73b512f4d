//! The one thread that owns the servent: bytes and commands in, messages and sockets out.

use core::net::SocketAddrV4;
use core::time::Duration;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender};
use std::time::Instant;

use examples::interrupt::interrupted;
use examples::random::random;
use gnutella_wire::deflate::Inflater;
use gnutella_wire::head::{Head, HeadLimits};
use gnutella_wire::huge::{Sha1, Urn};
use gnutella_wire::servent::{HandshakeHeaders, Target};
use gnutella_wire::wire::{
    Function, HEADER_LEN, Limits, Message, Other, Payload, Qrp, Query, QueryFlags,
};
use gnutella_wire::{
    Config, ConnId, Event, Guid, Role, Servent, ServentId, ServentLimits, ServentVec, Text,
};

use super::ctx::{Ctx, Found, Input, Judgement, peer};
use super::guess::Guess;
use super::links::{Joined, dial, start};
use super::share::query_text;
use super::transfer::offer;
use super::{browse, fetch};

const AGENT: &str = concat!("gnutella-wire/", env!("CARGO_PKG_VERSION"));
/// Searching again for what --find wants, in case the network has grown: after this time, then after twice as long.
const AGAIN: Duration = Duration::from_secs(3);

/// A servent and what it needs of the machine it runs on.
pub struct Node {
    pub(super) ctx: Arc<Ctx>,
    pub(super) servent: Machine,
    pub(super) links: BTreeMap<u32, Link>,
    next_link: u32,
    pub(super) found: Vec<Found>,
    /// Downloads in progress, which new hits may add sources to.
    pub(super) downloads: Vec<(Sha1, Sender<fetch::Input>)>,
    wish: Option<Wish>,
    /// Queries by datagram, unless the port is in use.
    pub(super) guess: Option<Guess>,
}

pub struct Link {
    out: SyncSender<Vec<u8>>,
    received: Vec<u8>,
    pub(super) name: SocketAddrV4,
    /// Of the neighbour's table, once it sends a compressed one.
    patches: Option<Inflater<Vec<u8>>>,
    /// Where the neighbour passes on pushes to this servent, if it agreed to.
    pub(super) proxy: Option<SocketAddrV4>,
}

/// A servent with all that 0.6 adds: a cache of hosts, dynamic queries, tables of words.
type Machine = Servent<ServentVec>;

/// What --find wants.
struct Wish {
    words: String,
    deadline: Instant,
    again: Instant,
    wait: Duration, // until the search after the next
    fetching: bool,
}

impl Node {
    pub fn new(ctx: Arc<Ctx>, find: Option<String>, wait: Duration, guess: Option<Guess>) -> Self {
        let mut config = match ctx.role {
            Role::Ultrapeer => Config::ultrapeer(ctx.servent, ctx.address),
            _ => Config::leaf(ctx.servent, ctx.address),
        };
        config.seed = u64::from_le_bytes(random());
        let storage = ServentVec::new(ServentLimits::of(&config));
        let mut servent = Servent::new(config, storage).expect("a preset is valid");
        servent.set_firewalled(ctx.firewalled);
        let now = Instant::now();
        let wish = find.map(|words| Wish {
            words,
            deadline: now + wait,
            again: now,
            wait: AGAIN,
            fetching: false,
        });
        let links = BTreeMap::new();
        let found = Vec::new();
        let downloads = Vec::new();
        let mut node = Self { ctx, servent, links, next_link: 0, found, downloads, wish, guess };
        node.share();
        node
    }

    /// Runs until the user leaves, a signal comes, or what --find wants has come or failed.
    pub fn run(mut self, inputs: &Receiver<Input>) -> Result<Option<PathBuf>, String> {
        loop {
            if interrupted() {
                self.leave();
                return Ok(None);
            }
            let guess = self.guess.as_ref().and_then(Guess::poll_timeout);
            let due = self.servent.poll_timeout().into_iter().chain(guess).min();
            let due = due.map(|at| at.saturating_sub(self.now()));
            let patience = due.unwrap_or(AGAIN).min(Duration::from_millis(500));
            match inputs.recv_timeout(patience) {
                Ok(Input::Line(line)) if line.trim() == "quit" => {
                    self.leave();
                    return Ok(None);
                }
                Ok(Input::Fetched(result)) => {
                    match &result {
                        Ok(path) => println!("saved {}", path.display()),
                        Err(error) => println!("the download failed: {error}"),
                    }
                    if self.wish.is_some() {
                        self.leave();
                        return result.map(Some);
                    }
                }
                Ok(input) => self.handle(input),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
            }
            self.servent.handle_timeout(self.now());
            self.flush();
            self.drive_guess();
            if let Some(failed) = self.pursue_wish() {
                self.leave();
                return Err(failed);
            }
        }
    }

    fn handle(&mut self, input: Input) {
        match input {
            Input::Joined(joined) => self.join(*joined),
            Input::NotJoined(to, why, hints) => {
                println!("{to}: {why}");
                let now = self.now();
                self.servent.handle_dial_failed(now, to);
                for hint in hints {
                    self.servent.add_host(now, hint);
                }
            }
            Input::Greet(reply) => drop(reply.send(self.headers())), // the asker may have given up
            Input::Judge(head, reply) => {
                let Ok((head, _)) = Head::decode(&head, HeadLimits::GTKG) else { return };
                let verdict = self.servent.judge(&head);
                let _ = reply.send(Judgement { headers: self.headers(), verdict });
            }
            Input::LibraryChanged => self.share(),
            Input::Bytes(link, bytes) => self.receive(link, &bytes),
            Input::Closed(link) => {
                if let Some(gone) = self.links.remove(&link.0) {
                    println!("{} disconnected", gone.name);
                    self.servent.handle_closed(self.now(), link);
                    self.forget_proxied(link);
                }
            }
            Input::Line(line) => self.command(line.trim()),
            Input::Push(servent, index) => self.push(servent, index),
            Input::Proxied(wanted, to) => self.forward_push(wanted, to),
            Input::Datagram(from, bytes) => self.receive_datagram(from, &bytes),
            Input::Browsed(from, Ok(hits)) => self.collect_listing(from, &hits),
            Input::Browsed(from, Err(error)) => println!("{from}: {error}"),
            Input::Fetched(_) => {}
        }
    }

    fn join(&mut self, joined: Joined) {
        let link = ConnId(self.next_link);
        self.next_link += 1;
        let name = peer(&joined.stream);
        let mut neighbour = joined.neighbour;
        let [a, b, ..] = name.ip().octets();
        neighbour.network = (!name.ip().is_loopback()).then_some([a, b]);
        let now = self.now();
        let connected = match joined.dialled {
            Some(address) => self.servent.handle_dialled(now, link, address, neighbour),
            None => self.servent.handle_connected(now, link, neighbour),
        };
        if let Err(error) = connected {
            println!("{name}: {error}");
            return;
        }
        match start(&self.ctx, link, joined) {
            Ok(out) => {
                println!("linked to {name}, {}", describe(neighbour.role));
                let received = Vec::new();
                let joined = Link { out, received, name, patches: None, proxy: None };
                self.links.insert(link.0, joined);
                self.introduce(link, &neighbour);
            }
            Err(error) => {
                println!("{name}: {error}");
                self.servent.handle_closed(self.now(), link);
            }
        }
    }

    /// Handles all whole messages that a link has received.
    fn receive(&mut self, link: ConnId, bytes: &[u8]) {
        let Some(from) = self.links.get_mut(&link.0) else { return };
        let mut received = core::mem::take(&mut from.received);
        let name = from.name;
        received.extend_from_slice(bytes);
        let mut rest = &received[..];
        let now = self.now();
        while let Ok(received) = self.servent.handle_bytes(now, link, rest)
            && received.consumed > 0
        {
            let (this, after) = rest.split_at(received.consumed);
            self.ctx.trace(|| format!("<- {name} {}", describe_message(this)));
            rest = after;
            let handled = received.outcome;
            if let Some(forward) = handled.and_then(|handled| handled.forward) {
                let message = [&forward.header[..], forward.payload].concat();
                self.send(forward.to, &message);
            }
            if let Some(message) = handled.and_then(|handled| handled.message) {
                self.deliver(link, &message);
            }
        }
        let rest = rest.to_vec();
        if let Some(from) = self.links.get_mut(&link.0) {
            from.received = rest;
        }
    }

    fn deliver(&mut self, link: ConnId, message: &Message<'_>) {
        match message.payload {
            Payload::Query(query) => self.answer(message.guid, &query),
            Payload::QueryHit(hit) => self.receive_hit(message.guid, &hit),
            Payload::Push(push) => offer(&self.ctx, push.address, push.index),
            Payload::Bye(bye) => println!("bye: {bye}"),
            Payload::Other(Other { function: Function::QRP, body }) => self.patch(link, body),
            Payload::Other(Other {
                function: Function::VENDOR | Function::VENDOR_STANDARD,
                body,
            }) => {
                self.follow_vendor(link, message.guid, body);
            }
            _ => {}
        }
    }

    /// Processes a compressed PATCH of a neighbour's query-routing table.
    fn patch(&mut self, link: ConnId, body: &[u8]) {
        let now = self.now();
        let (Ok(Qrp::Patch(patch)), Some(from)) = (Qrp::decode(body), self.links.get_mut(&link.0))
        else {
            return;
        };
        let new = || Inflater::new(vec![0; Inflater::WINDOW]).expect("a power of two");
        let inflater = from.patches.get_or_insert_with(new);
        let _ = self.servent.handle_compressed_patch(now, link, &patch, inflater);
    }

    fn command(&mut self, line: &str) {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("find", words) if !words.is_empty() => {
                self.found.clear();
                self.search(words);
            }
            ("get", number) => {
                let found =
                    number.parse::<usize>().ok().and_then(|n| self.found.get(n.wrapping_sub(1)));
                match found.cloned() {
                    Some(found) => self.fetch(&found),
                    None => println!("get takes the number of a file that was found"),
                }
            }
            ("browse", address) => match address.parse() {
                Ok(address) => browse::ask(&self.ctx, address),
                Err(_) => println!("browse takes the address of a servent"),
            },
            ("links", _) => {
                for link in self.links.values() {
                    println!("{}", link.name);
                }
                println!("{} links, {:?}", self.links.len(), self.servent.stats());
            }
            ("", _) => {}
            _ => println!("find WORDS, get N, browse ADDR, links, quit"),
        }
    }

    fn search(&mut self, words: &str) {
        let words = query_text(words);
        let Some(text) = Text::new(words.as_bytes()).filter(|text| !text.as_bytes().is_empty())
        else {
            println!("nothing to search for in these words");
            return;
        };
        let flags = if self.ctx.firewalled { QueryFlags::FIREWALLED } else { QueryFlags::MARKER };
        // No `urn:` by itself: some servents take it as a hash to match, and never answer.
        let query = Query { flags, ..Query::new(text) };
        let guid = Guid::from_random(random());
        let mut buf = vec![0; HEADER_LEN + query.encoded_len()];
        match self.servent.search(self.now(), guid, &query, &mut buf) {
            Ok(search) => self.send(search.to, &buf[..search.len]),
            Err(error) => println!("no search: {error}"),
        }
        self.search_by_datagram(guid, &query);
    }

    /// Fetches a file from everywhere it was found.
    fn fetch(&mut self, found: &Found) {
        let same = |other: &&Found| found.sha1.is_some() && other.sha1 == found.sha1;
        let others = self.found.iter().filter(same).filter(|other| other.address != found.address);
        let sources: Vec<_> = core::iter::once(found).chain(others).cloned().collect();
        let download = fetch::start(&self.ctx, &sources);
        if let Some(sha1) = found.sha1 {
            self.downloads.push((sha1, download));
        }
    }

    /// Asks the other end to connect. The download waits for it, and not for ever.
    fn push(&mut self, servent: ServentId, index: u32) {
        let mut buf = [0; 64];
        let guid = Guid::from_random(random());
        match self.servent.push(self.now(), guid, servent, index, &mut buf) {
            Ok(push) => self.send(push.to, &buf[..push.len]),
            Err(error) => println!("cannot push {servent:.8}: {error}"),
        }
    }

    /// Pursues what --find wants; returns a text when the search has failed.
    fn pursue_wish(&mut self) -> Option<String> {
        let wish = self.wish.as_mut()?;
        let now = Instant::now();
        if wish.fetching {
            return None;
        }
        if let Some(found) = self.found.first().cloned() {
            wish.fetching = true;
            self.fetch(&found);
        } else if now >= wish.deadline {
            return Some(format!("nobody has {}", wish.words));
        } else if now >= wish.again
            && (!self.links.is_empty() || self.guess.as_ref().is_some_and(Guess::has_hosts))
        {
            wish.again = now + wish.wait;
            wish.wait *= 2;
            let words = wish.words.clone();
            self.search(&words);
        }
        None
    }

    /// Writes the servent's own messages and closes what it has lost.
    fn flush(&mut self) {
        let mut buf = [0; 1_024];
        while let Ok(Some(own)) = self.servent.poll_transmit(&mut buf) {
            self.write(own.conn, &buf[..own.len]);
        }
        while let Some(event) = self.servent.poll_event() {
            println!("{event}");
            match event {
                Event::Closed { conn, .. } => {
                    self.links.remove(&conn.0); // its writer flushes
                    self.forget_proxied(conn);
                }
                Event::Dial { address } => dial(&self.ctx, address),
                _ => {}
            }
        }
    }

    fn leave(&mut self) {
        self.servent.leave(self.now());
        self.flush();
        std::thread::sleep(Duration::from_millis(100)); // for the writers
    }

    pub(super) fn send(&mut self, to: Target, message: &[u8]) {
        let links: Vec<_> = self.servent.targets(to).collect();
        for link in links {
            self.write(link, message);
        }
    }

    pub(super) fn write(&mut self, link: ConnId, message: &[u8]) {
        let Some(to) = self.links.get(&link.0) else { return };
        self.ctx.trace(|| format!("-> {} {}", to.name, describe_message(message)));
        if to.out.try_send(message.to_vec()).is_err() {
            println!("{} does not read what is sent to it", to.name);
            self.links.remove(&link.0);
            self.servent.handle_closed(self.now(), link);
        }
    }

    /// Announces what the folder contains now.
    fn share(&mut self) {
        let library = self.ctx.library();
        let now = self.now();
        self.servent.unshare_all(now);
        for file in &library.0 {
            self.servent.share(now, &file.name);
            self.servent.share_urn(now, &Urn::Sha1(file.sha1));
        }
        let files = u32::try_from(library.0.len()).unwrap_or(u32::MAX);
        let kilobytes = u32::try_from(library.kilobytes()).unwrap_or(u32::MAX);
        self.servent.set_shared(files, kilobytes);
        if let Some(guess) = &mut self.guess {
            guess.machine.set_shared(files, kilobytes);
        }
    }

    fn headers(&self) -> HandshakeHeaders<'static> {
        let headers = self.servent.handshake_headers(AGENT).with_deflate();
        let answers_datagrams = self.ctx.role == Role::Ultrapeer && self.guess.is_some();
        if answers_datagrams { headers.with_guess() } else { headers }
    }

    pub(super) fn now(&self) -> Duration {
        self.ctx.start.elapsed()
    }
}

fn describe(role: Role) -> &'static str {
    match role {
        Role::Ultrapeer => "an ultrapeer",
        Role::Leaf => "a leaf",
        Role::Peer => "a peer",
    }
}

pub(super) fn describe_message(bytes: &[u8]) -> String {
    match Message::decode(bytes, Limits::LIMEWIRE) {
        Ok((message, _)) => message.to_string(),
        Err(error) => error.to_string(),
    }
}
