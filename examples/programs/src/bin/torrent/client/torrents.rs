//! All torrents of the program in one loop.

use core::cell::OnceCell;
use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::io;
use std::net::ToSocketAddrs as _;
use std::thread::JoinHandle;

use bittorrent_pieces::bencode::Mode;
use bittorrent_pieces::magnet::{Escaped, Magnet};
use bittorrent_pieces::peer_book::PeerSource;
use bittorrent_pieces::{ConnId, Host, InfoHash, Metainfo, PeerId};
use examples::cli::Exit;
use examples::warning;

use super::args::Share;
use super::fetch::{Fetch, Fetched, Target, hash_of};
use super::finder::{Finder, Wanted};
use super::incoming::Incoming;
use super::net::NetEvent;
use super::report::Report;
use super::selection::Numbers;
use super::session::Session;
use super::setup::Setup;
use super::shared::Shared;
use super::show;
use super::start::Source;
use super::storage::{printable, text};
use super::summary::End;
use super::trees::{Trees, lacks_layers, trees};
use super::web;

/// The most names of peers in a link that are resolved: each may take seconds.
const NAMES: usize = 16;

/// The torrents that run, and what they share.
///
/// A connection belongs to the torrent for which it was dialled, or that the peer names in its handshake.
pub struct Torrents<'s, 'm> {
    args: &'s Share,
    quiet: bool,
    peer_id: PeerId,
    shared: Shared,
    infos: &'m [OnceCell<Vec<u8>>],
    cells: &'s [Cells<'m>],
    members: Vec<Option<Member<'s>>>,
    /// The torrent of each info-hash: a hybrid has two.
    hashes: BTreeMap<InfoHash, usize>,
    owners: BTreeMap<ConnId, usize>,
    incoming: Incoming,
    /// The threads that announce the end of a torrent to its trackers.
    farewells: Vec<JoinHandle<()>>,
    stopped: bool,
    failure: Option<String>,
}

/// What is made of the metainfo of a torrent once it is known, and lives as long as all torrents.
#[derive(Default)]
pub struct Cells<'m> {
    metainfo: OnceCell<Metainfo<'m>>,
    trees: OnceCell<Trees<'m>>,
}

/// A torrent that runs.
enum Member<'s> {
    /// Its info dictionary is being fetched.
    Link(Box<Link<'s>>),
    Session(Box<Session<'s>>),
}

struct Link<'s> {
    fetch: Fetch<'s>,
    /// Which files the link selects.
    files: Option<Numbers>,
    web_seeds: Vec<String>,
}

impl<'s, 'm: 's> Torrents<'s, 'm> {
    /// Begins without any torrent. `infos` and `cells` have an entry for each that is started.
    pub fn new(
        args: &'s Share,
        quiet: bool,
        peer_id: PeerId,
        shared: Shared,
        infos: &'m [OnceCell<Vec<u8>>],
        cells: &'s [Cells<'m>],
    ) -> Self {
        Self {
            args,
            quiet,
            peer_id,
            shared,
            infos,
            cells,
            members: Vec::new(),
            hashes: BTreeMap::new(),
            owners: BTreeMap::new(),
            incoming: Incoming::default(),
            farewells: Vec::new(),
            stopped: false,
            failure: None,
        }
    }

    /// Starts the torrent of a number; they are started in order.
    pub fn start(&mut self, number: usize, source: &'m Source) -> Result<(), String> {
        let member = match source {
            Source::File(bytes) => self.start_file(number, bytes)?,
            Source::Link { link, tiers, private, info } => {
                self.start_link(number, link, tiers, *private, info.as_deref())?
            }
        };
        self.members.push(Some(member));
        Ok(())
    }

    fn start_file(&mut self, number: usize, bytes: &'m [u8]) -> Result<Member<'s>, String> {
        let metainfo = show::read(&self.args.items[number].torrent, bytes)?;
        let info_hash = metainfo.info_hash();
        let v2 = metainfo.info_hash_v2().map(|v2| v2.truncated()).filter(|v2| *v2 != info_hash);
        self.claim(number, info_hash, v2)?;
        let v2 = v2.filter(|_| !lacks_layers(&metainfo)); // without them peers of version 2 are refused
        let tiers = metainfo.tiers().map(|tier| tier.map(text).collect()).collect();
        let private = metainfo.is_private();
        let args = self.args;
        let peer_id = self.peer_id;
        let dht = self.shared.dht.clone();
        let report = self.report(info_hash, printable(metainfo.name()));
        let mut session = self.setup(number, metainfo, None, None, report, |shared, left| {
            let wanted = Wanted { info_hash, v2, peer_id, tiers, left, private };
            Finder::start(args, &shared.net, dht.as_ref(), wanted)
        })?;
        session.start_web_seeds(&self.shared, &[])?;
        session.note_completion(&self.shared).map_err(|error| error.to_string())?;
        Ok(Member::Session(Box::new(session)))
    }

    /// Fetches the info dictionary and the piece layers first.
    fn start_link(
        &mut self,
        number: usize,
        link: &'m str,
        more: &[Vec<String>],
        private: bool,
        info: Option<&[u8]>,
    ) -> Result<Member<'s>, String> {
        let magnet = Magnet::parse(link.as_bytes());
        let magnet = magnet.map_err(|error| format!("the link: {error}"))?;
        let info_hash = hash_of(&magnet);
        let v2 = magnet.v2().map(|v2| v2.truncated()).filter(|v2| *v2 != info_hash);
        self.claim(number, info_hash, v2)?;
        let unescape = |url: Escaped<'_>| text(&url.bytes().collect::<Vec<_>>());
        let of_link = magnet.trackers().map(|url| vec![unescape(url)]);
        let tiers = of_link.chain(more.iter().cloned()).collect();
        // How much is missing is not known yet.
        let wanted = Wanted { info_hash, v2, peer_id: self.peer_id, tiers, left: 1, private };
        let net = &self.shared.net;
        let mut finder = Finder::start(self.args, net, self.shared.dht.as_ref(), wanted)?;
        let mut names = 0;
        let peers = magnet.peers().filter_map(|peer| match peer.host {
            Host::Ip(ip) => Some(SocketAddr::new(ip, peer.port)),
            Host::Name(name) => {
                names += 1;
                let resolved = (names <= NAMES).then(|| (name, peer.port).to_socket_addrs());
                resolved?.ok()?.next()
            }
        });
        finder.add(net.now(), PeerSource::User, peers);
        let report = self.report(info_hash, format!("{info_hash:.8}"));
        let target = Target { magnet: &magnet, info, peer_id: self.peer_id };
        let fetch = Fetch::new(self.args, &target, net, finder, report)?;
        let files: Option<Numbers> = magnet.select_only().map(|ranges| ranges.flatten().collect());
        let files = files.filter(|ranges| !ranges.is_empty());
        let web_seeds = magnet.web_seeds().map(unescape).collect();
        Ok(Member::Link(Box::new(Link { fetch, files, web_seeds })))
    }

    /// Notes under which hashes peers name a torrent.
    fn claim(
        &mut self,
        number: usize,
        info_hash: InfoHash,
        v2: Option<InfoHash>,
    ) -> Result<(), String> {
        let hashes = [Some(info_hash), v2].into_iter().flatten();
        for hash in hashes.clone() {
            if self.hashes.insert(hash, number).is_some_and(|other| other != number) {
                let name = &self.args.items[number].torrent;
                return Err(format!("{name}: the same torrent is given twice"));
            }
        }
        self.shared.net.add_torrents(hashes);
        Ok(())
    }

    fn report(&self, info_hash: InfoHash, name: String) -> Report {
        let mut report = Report::new(self.args.json, self.quiet);
        if self.args.items.len() > 1 {
            report.label(info_hash, name);
        }
        report
    }

    fn setup(
        &self,
        number: usize,
        metainfo: Metainfo<'m>,
        layer: Option<Vec<[u8; 32]>>,
        linked: Option<&Numbers>,
        report: Report,
        finder: impl FnOnce(&Shared, u64) -> Result<Finder, String>,
    ) -> Result<Session<'s>, String> {
        let cells = &self.cells[number];
        let metainfo = cells.metainfo.get_or_init(|| metainfo);
        let trees = cells.trees.get_or_init(|| trees(metainfo, layer));
        let args = self.args;
        let files = args.files.as_ref().or(linked);
        let setup = Setup { args, number, files, metainfo, trees, peer_id: self.peer_id };
        setup.session(&self.shared, report, |left| finder(&self.shared, left))
    }

    /// Runs until all torrents have ended, or a signal comes.
    pub fn run(mut self) -> Result<Exit, String> {
        let mut first = 0;
        loop {
            let mut wait = Duration::from_secs(1);
            for number in 0..self.members.len() {
                self.begin_turn(number);
                wait = wait.min(self.wait_of(number));
            }
            if self.members.iter().all(Option::is_none) {
                break;
            }
            match self.shared.net.turn(Some(wait)) {
                Ok(events) => events.into_iter().for_each(|event| self.route(event)),
                Err(error) => {
                    for number in 0..self.members.len() {
                        self.end(number, Err(io::Error::other(error.to_string())));
                    }
                }
            }
            self.incoming.close_late(&mut self.shared.net);
            // What a limit leaves over is offered to another torrent first each time.
            first += 1;
            for number in 0..self.members.len() {
                self.end_turn((first + number) % self.members.len());
            }
        }
        for farewell in self.farewells {
            let _ = farewell.join(); // a farewell is a courtesy
        }
        match self.failure {
            Some(failure) => Err(failure),
            None if self.stopped => Ok(Exit::Stopped),
            None => Ok(Exit::Success),
        }
    }

    fn begin_turn(&mut self, number: usize) {
        let end = match &mut self.members[number] {
            Some(Member::Link(link)) => link.fetch.begin_turn(&mut self.shared),
            Some(Member::Session(session)) => session.begin_turn(&mut self.shared),
            None => None,
        };
        if let Some(end) = end {
            self.end(number, Ok(end));
        }
    }

    fn wait_of(&mut self, number: usize) -> Duration {
        match &mut self.members[number] {
            Some(Member::Link(link)) => link.fetch.wait(&self.shared),
            Some(Member::Session(session)) => session.wait(&mut self.shared),
            None => Duration::MAX,
        }
    }

    fn end_turn(&mut self, number: usize) {
        let done = match &mut self.members[number] {
            Some(Member::Link(link)) => link.fetch.end_turn(&mut self.shared),
            Some(Member::Session(session)) => session.end_turn(&mut self.shared).map(|()| false),
            None => Ok(false),
        };
        match done {
            Ok(true) => {
                if let Err(error) = self.go_on_with(number) {
                    self.release(number);
                    self.fail(number, error);
                }
            }
            Ok(false) => {}
            Err(error) => self.end(number, Err(error)),
        }
    }

    /// Turns a link whose info dictionary is here into a session.
    fn go_on_with(&mut self, number: usize) -> Result<(), String> {
        let member = self.members[number].take();
        let Some(Member::Link(link)) = member else { return Ok(()) };
        let Link { fetch, files, web_seeds } = *link;
        let (Fetched { info, layer, kept }, finder, mut report) =
            fetch.finish(&mut self.shared.net);
        let info = self.infos[number].get_or_init(|| info);
        let metainfo = Metainfo::from_info(info, Mode::Lenient);
        let metainfo = metainfo.map_err(|error| format!("the info dictionary: {error}"))?;
        report.rename(printable(metainfo.name()));
        let linked = files.as_ref();
        let mut session = self.setup(number, metainfo, layer, linked, report, |_, _| Ok(finder))?;
        session.start_web_seeds(&self.shared, &web_seeds)?;
        session.take_over(&mut self.shared, kept).map_err(|error| error.to_string())?;
        session.note_completion(&self.shared).map_err(|error| error.to_string())?;
        self.members[number] = Some(Member::Session(Box::new(session)));
        Ok(())
    }

    /// Hands an event to the torrent that it is for.
    fn route(&mut self, event: NetEvent) {
        let number = match &event {
            NetEvent::Opened { conn, addr, dialled: None } => {
                self.incoming.add(&mut self.shared.net, *conn, *addr);
                return;
            }
            NetEvent::Opened { conn, dialled: Some(torrent), .. } => {
                let number = self.hashes.get(torrent).copied();
                self.own(*conn, number);
                number
            }
            NetEvent::Bytes(conn) if self.incoming.contains(*conn) => {
                self.read_incoming(*conn);
                return;
            }
            NetEvent::Closed(conn) if self.incoming.remove(*conn) => return,
            NetEvent::Closed(conn) => self.owners.remove(conn),
            NetEvent::Bytes(conn) => self.owners.get(conn).copied(),
            NetEvent::DialFailed { torrent, .. } => self.hashes.get(torrent).copied(),
            NetEvent::Found(found) => self.hashes.get(&found.torrent).copied(),
            NetEvent::Web(part) => Some(web::torrent_of(part.conn)),
        };
        if let Some(number) = number {
            self.handle(number, event);
        }
    }

    /// Hands a connection to the torrent that its peer names; without one it is closed.
    fn read_incoming(&mut self, conn: ConnId) {
        let Some((torrent, addr)) = self.incoming.read(&mut self.shared.net, conn) else { return };
        let number = self.hashes.get(&torrent).copied();
        self.own(conn, number);
        if let Some(number) = number {
            self.handle(number, NetEvent::Opened { conn, addr, dialled: None });
            self.handle(number, NetEvent::Bytes(conn));
        }
    }

    /// Notes to which torrent a connection belongs; without one that runs it is closed.
    fn own(&mut self, conn: ConnId, number: Option<usize>) {
        let running =
            number.filter(|number| self.members.get(*number).is_some_and(Option::is_some));
        let Some(number) = running else {
            self.shared.net.close(conn);
            return;
        };
        self.owners.retain(|known, _| self.shared.net.link(*known).is_some());
        self.owners.insert(conn, number);
    }

    fn handle(&mut self, number: usize, event: NetEvent) {
        let handled = match self.members.get_mut(number) {
            Some(Some(Member::Link(link))) => {
                link.fetch.handle(&mut self.shared, event);
                Ok(())
            }
            Some(Some(Member::Session(session))) => session.handle(&mut self.shared, event),
            _ => Ok(()),
        };
        if let Err(error) = handled {
            self.end(number, Err(error));
        }
    }

    /// Ends a torrent; the others go on.
    fn end(&mut self, number: usize, end: io::Result<End>) {
        let Some(member) = self.members[number].take() else { return };
        self.stopped |= end.as_ref().is_ok_and(|end| *end != End::Complete);
        let finder = match member {
            Member::Link(link) => link.fetch.end(),
            Member::Session(session) => session.end(end.as_ref().ok().copied()),
        };
        self.release(number);
        // The trackers receive `stopped`, for whose answers the others do not wait.
        self.farewells.push(std::thread::spawn(move || drop(finder)));
        if let Err(error) = end {
            self.fail(number, error.to_string());
        }
    }

    /// Closes the connections of a torrent.
    fn release(&mut self, number: usize) {
        for (conn, _) in self.owners.iter().filter(|(_, owner)| **owner == number) {
            self.shared.net.close(*conn);
        }
        self.owners.retain(|_, owner| *owner != number);
    }

    /// Notes a failure: the first is reported at the end, the others at once.
    fn fail(&mut self, number: usize, error: String) {
        let several = self.args.items.len() > 1;
        let name = printable(self.args.items[number].torrent.as_bytes());
        let error = if several { format!("{name}: {error}") } else { error };
        if self.failure.is_some() {
            warning!("{error}");
        } else {
            self.failure = Some(error);
        }
    }
}
