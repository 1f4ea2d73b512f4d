//! The first part of a download by magnet link: the info dictionary, from peers.

use core::time::Duration;
use std::collections::BTreeMap;
use std::io;

use bittorrent_pieces::bencode::Mode;
use bittorrent_pieces::fetch::{FetchEvent, FetchLimits, FetchOutcome, FetchVec};
use bittorrent_pieces::magnet::Magnet;
use bittorrent_pieces::merkle::MerkleHash;
use bittorrent_pieces::peer_book::{Ending, PeerSource};
use bittorrent_pieces::{
    ConnId, FetchConfig, Geometry, InfoHash, MetadataFetch, Metainfo, PeerId, Side, V2File,
};
use examples::{interrupt, progress};

use super::args::Share;
use super::finder::{Finder, PEERS};
use super::json::Json;
use super::net::{Net, NetEvent, side};
use super::report::Report;
use super::shared::Shared;
use super::summary::End;
use super::trace::trace;
use super::trees;

/// The largest info dictionary that is fetched.
const LARGEST: u32 = 8 << 20;
/// The most bytes that are kept of a peer before the torrent is known. One that sends more is dropped.
const KEPT: usize = 4 << 20;

/// How long without any progress the peers of a hybrid torrent may take for its piece layers. Version 1 needs none.
const HYBRID_PATIENCE: Duration = Duration::from_secs(15);
/// And how long if no peer has upgraded its connection to version 2.
const UPGRADE_PATIENCE: Duration = Duration::from_secs(5);

/// What is known of a torrent before its info dictionary and its piece layers are here.
pub struct Target<'a> {
    pub magnet: &'a Magnet<'a>,
    /// The info dictionary, if only piece layers are missing.
    pub info: Option<&'a [u8]>,
    pub peer_id: PeerId,
}

/// An info dictionary and the connections that were open then, with the bytes that each had sent.
pub struct Fetched {
    pub info: Vec<u8>,
    /// The hashes of all pieces by version 2, if the torrent has it and peers sent them.
    pub layer: Option<Vec<MerkleHash>>,
    pub kept: Vec<Kept>,
}

/// A connection that goes on, and the bytes that its peer has sent.
pub struct Kept {
    pub conn: ConnId,
    pub side: Side,
    /// It uses version 2 of a hybrid torrent.
    pub upgraded: bool,
    pub bytes: Vec<u8>,
}

/// The info dictionary of a magnet link, and what fetches it.
pub struct Fetch<'a> {
    args: &'a Share,
    machine: MetadataFetch<FetchVec>,
    finder: Finder,
    report: Report,
    info: Vec<u8>,
    kept: BTreeMap<ConnId, (Side, Vec<u8>)>,
    todo: Vec<V2File>, // the files whose layers are to be fetched, the first at the end
    layer: Option<Vec<MerkleHash>>,
    piece_len: u32, // of these files
    optional: bool, // version 1 is enough if the layers do not come
    upgrades: bool, // connections of a hybrid torrent are upgraded to version 2
    arrived: u32,
    progressed: Duration, // when something last arrived
}

impl<'a> Fetch<'a> {
    /// Asks the peers that `finder` finds.
    pub fn new(
        args: &'a Share,
        target: &Target<'_>,
        net: &Net,
        finder: Finder,
        report: Report,
    ) -> Result<Self, String> {
        let Target { magnet, info, peer_id } = *target;
        let hash = hash_of(magnet);
        let mut config = FetchConfig::new(hash, peer_id);
        config.v2 = magnet.v2();
        config.port = Some(net.address().port());
        let storage = FetchVec::new(FetchLimits { peers: PEERS as u16, metadata_len: LARGEST });
        let machine = match info {
            Some(_) => MetadataFetch::for_layers(config, storage),
            None => MetadataFetch::new(config, storage),
        };
        let machine = machine.map_err(|error| error.to_string())?;
        let mut fetch = Self {
            args,
            machine,
            finder,
            report,
            info: Vec::new(),
            kept: BTreeMap::new(),
            todo: Vec::new(),
            layer: None,
            piece_len: 0,
            optional: false,
            upgrades: magnet.v1().is_some() && magnet.v2().is_some(),
            arrived: 0,
            progressed: net.now(),
        };
        if let Some(info) = info {
            fetch.info = info.to_vec();
            let begun = fetch.wants_layers().and_then(|()| fetch.next_layer(net.now()));
            begun.map_err(|error| error.to_string())?;
        } else {
            let fields = vec![("info_hash", Json::text(hash))];
            fetch.report.event("metadata", fields, || {
                format!("asking peers for the info dictionary of {hash}")
            });
        }
        Ok(fetch)
    }

    /// What is due before the next wait: closes and dials. Returns why the fetch is at its end, if it is.
    pub fn begin_turn(&mut self, shared: &mut Shared) -> Option<End> {
        if interrupt::interrupted() {
            return Some(End::Signal);
        }
        let since = shared.net.now().saturating_sub(self.progressed);
        if self.args.timeout.is_some_and(|timeout| since >= timeout) {
            self.report.gave_up(since);
            return Some(End::GaveUp);
        }
        for conn in self.finder.turn(&mut shared.net) {
            self.drop(&mut shared.net, conn);
        }
        None
    }

    /// Returns how long nothing happens unless a peer sends something: at most a second.
    pub fn wait(&self, shared: &Shared) -> Duration {
        let deadlines = [self.machine.poll_timeout(), self.finder.poll_timeout()];
        let due = deadlines.into_iter().flatten().min();
        let wait = due.map_or(Duration::MAX, |at| at.saturating_sub(shared.net.now()));
        wait.min(Duration::from_secs(1))
    }

    /// What is due after the wait: timers, and whatever there is to send. Returns whether everything is here.
    pub fn end_turn(&mut self, shared: &mut Shared) -> io::Result<bool> {
        let net = &mut shared.net;
        self.machine.handle_timeout(net.now());
        while let Some(event) = self.flush(net)? {
            if event == FetchEvent::Completed {
                self.info = self.machine.metadata().unwrap_or_default().to_vec();
                let len = self.info.len();
                let fields = vec![("bytes", Json::Number(len as u64))];
                self.report.event("metadata_complete", fields, || {
                    format!("the info dictionary is here, {len} bytes")
                });
                self.wants_layers()?;
            } else {
                self.keep_layer();
            }
            self.progressed = net.now();
            self.next_layer(net.now())?;
        }
        if !self.info.is_empty() && self.todo.is_empty() {
            return Ok(true);
        }
        let since = net.now().saturating_sub(self.progressed);
        let upgraded = self.kept.keys().any(|conn| self.machine.is_upgraded(*conn));
        let patience = if upgraded { HYBRID_PATIENCE } else { UPGRADE_PATIENCE };
        if self.optional && !self.todo.is_empty() && since >= patience {
            self.todo.clear();
            self.layer = None;
            let text = "no peer sent the hashes of version 2; version 1 is enough";
            self.report.event("version1", Vec::new(), || text.into());
            return Ok(true);
        }
        let (arrived, size) = self.machine.progress();
        if arrived != self.arrived {
            self.arrived = arrived;
            self.progressed = net.now();
        }
        if self.args.items.len() == 1 {
            progress::show(|| {
                let size = size.map_or("an unknown number".into(), |size| size.to_string());
                format!("{arrived} of {size} bytes of info, {} connections", net.len())
            });
        }
        Ok(false)
    }

    /// Returns what was fetched, and what goes on. Upgraded connections end if version 1 is used.
    pub fn finish(mut self, net: &mut Net) -> (Fetched, Finder, Report) {
        let mut kept = Vec::new();
        for (conn, (side, bytes)) in core::mem::take(&mut self.kept) {
            let upgraded = self.machine.is_upgraded(conn);
            if upgraded && self.layer.is_none() {
                self.finder.closed(net.now(), conn, Ending::NotNeeded);
                net.close(conn);
            } else {
                kept.push(Kept { conn, side, upgraded, bytes });
            }
        }
        let fetched = Fetched { info: self.info, layer: self.layer, kept };
        (fetched, self.finder, self.report)
    }

    /// Gives up.
    pub fn end(self) -> Finder {
        self.finder
    }
}

/// Returns the hash by which the peers of a link are found.
pub fn hash_of(magnet: &Magnet<'_>) -> InfoHash {
    magnet.v1().or(magnet.v2().map(|v2| v2.truncated())).unwrap_or_default()
}

impl Fetch<'_> {
    pub fn handle(&mut self, shared: &mut Shared, event: NetEvent) {
        let net = &mut shared.net;
        let now = net.now();
        match event {
            NetEvent::Opened { conn, addr, dialled } => {
                let side = side(dialled.is_some());
                if self.finder.opened(now, conn, addr, dialled.is_some()).is_err() {
                    net.close(conn);
                } else if self.machine.handle_connected(now, conn, side).is_ok() {
                    self.kept.insert(conn, (side, Vec::new()));
                } else {
                    self.finder.closed(now, conn, Ending::NotNeeded);
                    net.close(conn);
                }
            }
            NetEvent::Bytes(conn) => self.read(net, conn),
            NetEvent::Closed(conn) => {
                self.machine.handle_closed(now, conn);
                self.finder.closed(now, conn, Ending::Lost);
                self.kept.remove(&conn);
            }
            NetEvent::DialFailed { addr, .. } => self.finder.dial_failed(now, addr),
            NetEvent::Found(found) => {
                self.report.found(&found.source, found.peers.len());
                self.finder.found(net, found);
            }
            NetEvent::Web(_) => {} // they start with the session
        }
    }

    fn read(&mut self, net: &mut Net, id: ConnId) {
        let now = net.now();
        let Some(link) = net.link(id) else { return };
        let Some((_, kept)) = self.kept.get_mut(&id) else { return };
        let mut used = 0;
        while used < link.received.len() {
            let bytes = &link.received[used..];
            let Ok(handled) = self.machine.handle_bytes(now, id, bytes) else { break };
            if handled.consumed == 0 {
                break;
            }
            self.finder.handshake(now, id);
            trace(self.args.trace, "<-", link.addr, &bytes[..handled.consumed]);
            match handled.outcome {
                Some(FetchOutcome::Keep) => kept.extend_from_slice(&bytes[..handled.consumed]),
                Some(FetchOutcome::Peers(peers)) => {
                    let peers = peers.added().map(|(addr, _)| addr);
                    self.finder.add(now, PeerSource::Exchange(id), peers);
                }
                _ => {}
            }
            used += handled.consumed;
        }
        link.received.consume(used);
        if kept.len() > KEPT {
            self.finder.closed(now, id, Ending::Refused);
            self.drop(net, id);
        }
    }

    fn drop(&mut self, net: &mut Net, id: ConnId) {
        self.machine.handle_closed(net.now(), id);
        self.kept.remove(&id);
        net.close(id);
    }

    /// Notes which piece layers the dictionary lacks.
    fn wants_layers(&mut self) -> io::Result<()> {
        let metainfo = Metainfo::from_info(&self.info, Mode::Lenient).map_err(io::Error::other)?;
        self.optional = !trees::is_v2_alone(&metainfo);
        // By the hash of version 1 alone no connection is upgraded, and nobody can be asked.
        if !self.optional || (metainfo.info_hash_v2().is_some() && self.upgrades) {
            let (files, layer) = trees::layers(&metainfo);
            self.todo = files.iter().filter(|(_, known)| !known).map(|(file, _)| *file).collect();
            self.todo.reverse();
            self.layer = Some(layer).filter(|_| !files.is_empty());
            self.piece_len = metainfo.geometry().full_piece_len();
            let files = self.todo.len();
            let fields = vec![("files", Json::Number(files as u64))];
            self.report
                .event("layers", fields, || format!("asking for the hashes of {files} files"));
        }
        Ok(())
    }

    /// Begins with the layer of the next file.
    fn next_layer(&mut self, now: Duration) -> io::Result<()> {
        let Some(file) = self.todo.last() else { return Ok(()) };
        let geometry = Geometry::new(file.len, self.piece_len).map_err(io::Error::other)?;
        self.machine.fetch_layer(now, file.root, geometry).map_err(io::Error::other)
    }

    fn keep_layer(&mut self) {
        if let (Some(layer), Some(all)) = (self.machine.layer(), &mut self.layer)
            && let Some(file) = self.todo.pop()
        {
            trees::put(all, &file, layer.hashes());
        }
    }

    /// Sends what is due; returns whether something is complete.
    fn flush(&mut self, net: &mut Net) -> io::Result<Option<FetchEvent>> {
        let mut buf = [0; 512];
        while let Some(sent) = self.machine.poll_transmit(&mut buf).map_err(io::Error::other)? {
            if let Some(link) = net.link(sent.conn) {
                trace(self.args.trace, "->", link.addr, &buf[..sent.len]);
                net.send(sent.conn, &mut buf[..sent.len]);
            }
        }
        while let Some(event) = self.machine.poll_event() {
            match event {
                FetchEvent::Completed | FetchEvent::LayerCompleted => return Ok(Some(event)),
                FetchEvent::Closed { conn, reason } => {
                    if let Some(link) = net.link(conn) {
                        self.report.closed(link.addr, &reason);
                    }
                    self.finder.closed(net.now(), conn, reason.into());
                    self.drop(net, conn);
                }
                _ => {}
            }
        }
        Ok(None)
    }
}
