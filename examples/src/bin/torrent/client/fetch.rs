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
use super::trace::trace;
use super::trees;

/// The largest info dictionary that is fetched.
const LARGEST: u32 = 8 << 20;
/// The most bytes that are kept of a peer before the torrent is known. One that sends more is dropped.
const KEPT: usize = 4 << 20;

/// An info dictionary and the connections that were open then, with the bytes that each had sent.
pub struct Fetched {
    pub info: Vec<u8>,
    /// The hashes of all pieces, if the torrent is of version 2 alone.
    pub layer: Option<Vec<MerkleHash>>,
    pub kept: Vec<(ConnId, Side, Vec<u8>)>,
}

/// Fetches the info dictionary of a magnet link; `None` if a signal or the time limit came first.
pub fn fetch(
    args: &Share,
    magnet: &Magnet<'_>,
    peer_id: PeerId,
    net: &mut Net,
    finder: &mut Finder,
    report: &Report,
) -> io::Result<Option<Fetched>> {
    let hash = hash_of(magnet);
    let mut config = FetchConfig::new(hash, peer_id);
    config.v2 = magnet.v2().filter(|_| magnet.v1().is_none());
    config.port = Some(net.address().port());
    let storage = FetchVec::new(FetchLimits { peers: PEERS as u16, metadata_len: LARGEST });
    let mut stage = Stage {
        fetch: MetadataFetch::new(config, storage).map_err(io::Error::other)?,
        kept: BTreeMap::new(),
        todo: Vec::new(),
        layer: None,
        piece_len: 0,
        traces: args.trace,
        report,
    };
    let fields = vec![("info_hash", Json::text(hash))];
    report.event("metadata", fields, || format!("asking peers for the info dictionary of {hash}"));
    let mut info = Vec::new();
    let mut progressed = net.now();
    let mut came = 0;
    while !interrupt::interrupted() {
        for conn in finder.turn(net) {
            stage.drop(net, conn);
        }
        let deadlines = [stage.fetch.poll_timeout(), finder.poll_timeout()];
        let due = deadlines.into_iter().flatten().min();
        let wait = due.map_or(Duration::MAX, |at| at.saturating_sub(net.now()));
        for event in net.turn(Some(wait.min(Duration::from_secs(1))))? {
            stage.handle(net, finder, event);
        }
        stage.fetch.handle_timeout(net.now());
        while let Some(event) = stage.flush(net, finder)? {
            if event == FetchEvent::Completed {
                info = stage.fetch.metadata().unwrap_or_default().to_vec();
                let fields = vec![("bytes", Json::Number(info.len() as u64))];
                let len = info.len();
                report.event("metadata_complete", fields, || {
                    format!("the info dictionary is here, {len} bytes")
                });
                stage.wants_layers(&info)?;
            } else {
                stage.keep_layer();
            }
            progressed = net.now();
            stage.next_layer(net.now())?;
        }
        if !info.is_empty() && stage.todo.is_empty() {
            let kept = stage.kept.into_iter().map(|(conn, (side, bytes))| (conn, side, bytes));
            return Ok(Some(Fetched { info, layer: stage.layer, kept: kept.collect() }));
        }
        let (arrived, size) = stage.fetch.progress();
        if arrived != came {
            came = arrived;
            progressed = net.now();
        }
        let since = net.now().saturating_sub(progressed);
        if args.timeout.is_some_and(|timeout| since >= timeout) {
            report.gave_up(since);
            return Ok(None);
        }
        progress::show(|| {
            let size = size.map_or("an unknown number".into(), |size| size.to_string());
            format!("{arrived} of {size} bytes of info, {} connections", net.len())
        });
    }
    Ok(None)
}

/// Returns the hash by which the peers of a link are found.
pub fn hash_of(magnet: &Magnet<'_>) -> InfoHash {
    magnet.v1().or(magnet.v2().map(|v2| v2.truncated())).unwrap_or_default()
}

struct Stage<'a> {
    fetch: MetadataFetch<FetchVec>,
    kept: BTreeMap<ConnId, (Side, Vec<u8>)>,
    todo: Vec<V2File>, // the files whose layers are to be fetched, the first at the end
    layer: Option<Vec<MerkleHash>>,
    piece_len: u32, // of these files
    traces: bool,
    report: &'a Report,
}

impl Stage<'_> {
    fn handle(&mut self, net: &mut Net, finder: &mut Finder, event: NetEvent) {
        let now = net.now();
        match event {
            NetEvent::Opened { conn, addr, dialled } => {
                let side = side(dialled);
                if finder.opened(now, conn, addr, dialled).is_err() {
                    net.close(conn);
                } else if self.fetch.handle_connected(now, conn, side).is_ok() {
                    self.kept.insert(conn, (side, Vec::new()));
                } else {
                    finder.closed(now, conn, Ending::NotNeeded);
                    net.close(conn);
                }
            }
            NetEvent::Bytes(conn) => self.read(net, finder, conn),
            NetEvent::Closed(conn) => {
                self.fetch.handle_closed(now, conn);
                finder.closed(now, conn, Ending::Lost);
                self.kept.remove(&conn);
            }
            NetEvent::DialFailed(addr) => finder.dial_failed(now, addr),
            NetEvent::Found(found) => {
                self.report.found(&found.source, found.peers.len());
                finder.found(net, found);
            }
            NetEvent::Web(_) => {} // they start with the session
        }
    }

    fn read(&mut self, net: &mut Net, finder: &mut Finder, id: ConnId) {
        let now = net.now();
        let Some(link) = net.link(id) else { return };
        let Some((_, kept)) = self.kept.get_mut(&id) else { return };
        let mut used = 0;
        while used < link.received.len() {
            let bytes = &link.received[used..];
            let Ok(handled) = self.fetch.handle_bytes(now, id, bytes) else { break };
            if handled.consumed == 0 {
                break;
            }
            finder.handshake(now, id);
            trace(self.traces, "<-", link.addr, &bytes[..handled.consumed]);
            match handled.outcome {
                Some(FetchOutcome::Keep) => kept.extend_from_slice(&bytes[..handled.consumed]),
                Some(FetchOutcome::Peers(peers)) => {
                    let peers = peers.added().map(|(addr, _)| addr);
                    finder.add(now, PeerSource::Exchange(id), peers);
                }
                _ => {}
            }
            used += handled.consumed;
        }
        link.received.drain(..used);
        if kept.len() > KEPT {
            finder.closed(now, id, Ending::Refused);
            self.drop(net, id);
        }
    }

    fn drop(&mut self, net: &mut Net, id: ConnId) {
        self.fetch.handle_closed(net.now(), id);
        self.kept.remove(&id);
        net.close(id);
    }

    /// Notes which piece layers the dictionary lacks.
    fn wants_layers(&mut self, info: &[u8]) -> io::Result<()> {
        let metainfo = Metainfo::from_info(info, Mode::Lenient).map_err(io::Error::other)?;
        if trees::is_v2_alone(&metainfo) {
            let (files, layer) = trees::layers(&metainfo);
            self.todo = files.iter().filter(|(_, known)| !known).map(|(file, _)| *file).collect();
            self.todo.reverse();
            self.layer = Some(layer);
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
        self.fetch.fetch_layer(now, file.root, geometry).map_err(io::Error::other)
    }

    fn keep_layer(&mut self) {
        if let (Some(layer), Some(all)) = (self.fetch.layer(), &mut self.layer)
            && let Some(file) = self.todo.pop()
        {
            trees::put(all, &file, layer.hashes());
        }
    }

    /// Sends what is due; returns whether something is complete.
    fn flush(&mut self, net: &mut Net, finder: &mut Finder) -> io::Result<Option<FetchEvent>> {
        let mut buf = [0; 512];
        while let Some(sent) = self.fetch.poll_transmit(&mut buf).map_err(io::Error::other)? {
            if let Some(link) = net.link(sent.conn) {
                trace(self.traces, "->", link.addr, &buf[..sent.len]);
                net.send(sent.conn, &mut buf[..sent.len]);
            }
        }
        while let Some(event) = self.fetch.poll_event() {
            match event {
                FetchEvent::Completed | FetchEvent::LayerCompleted => return Ok(Some(event)),
                FetchEvent::Closed { conn, reason } => {
                    if let Some(link) = net.link(conn) {
                        self.report.closed(link.addr, &reason);
                    }
                    finder.closed(net.now(), conn, reason.into());
                    self.drop(net, conn);
                }
                _ => {}
            }
        }
        Ok(None)
    }
}
