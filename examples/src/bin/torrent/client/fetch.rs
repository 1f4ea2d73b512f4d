//! The first part of a download by magnet link: the info dictionary, from peers.

use core::time::Duration;
use std::collections::BTreeMap;
use std::io;

use bittorrent_pieces::bencode::Mode;
use bittorrent_pieces::fetch::{FetchEvent, FetchLimits, FetchOutcome, FetchVec};
use bittorrent_pieces::magnet::Magnet;
use bittorrent_pieces::merkle::MerkleHash;
use bittorrent_pieces::{
    ConnId, FetchConfig, Geometry, MetadataFetch, Metainfo, PeerId, Side, V2File,
};

use super::finder::{Finder, PEERS};
use super::net::{Found, Net, NetEvent, side};
use super::session::trace;
use super::trees;

/// The largest info dictionary that is fetched.
const LARGEST: u32 = 8 << 20;
/// What is kept of a peer before the torrent is known; one that says more is too much.
const KEPT: usize = 4 << 20;

/// An info dictionary and the connections that were open then, with what each had said.
pub struct Fetched {
    pub info: Vec<u8>,
    /// The hashes of all pieces, if the torrent is of version 2 alone.
    pub layer: Option<Vec<MerkleHash>>,
    pub kept: Vec<(ConnId, Side, Vec<u8>)>,
}

/// Fetches the info dictionary of a magnet link.
pub fn fetch(
    magnet: &Magnet<'_>,
    peer_id: PeerId,
    net: &mut Net,
    finder: &mut Finder,
    traces: bool,
) -> io::Result<Fetched> {
    let hash = magnet.v1().or(magnet.v2().map(|v2| v2.truncated())).unwrap_or_default();
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
        traces,
    };
    println!("asking peers for the info dictionary of {hash}");
    let mut told = net.now();
    let mut info = Vec::new();
    loop {
        finder.dial(net);
        let due = stage.fetch.poll_timeout().map(|at| at.saturating_sub(net.now()));
        let wait = due.unwrap_or(Duration::MAX).min(Duration::from_secs(1));
        for event in net.turn(Some(wait))? {
            stage.handle(net, finder, event);
        }
        stage.fetch.handle_timeout(net.now());
        while let Some(event) = stage.flush(net)? {
            if event == FetchEvent::Completed {
                info = stage.fetch.metadata().unwrap_or_default().to_vec();
                println!("the info dictionary is here, {} bytes", info.len());
                stage.wants_layers(&info)?;
            } else {
                stage.keep_layer();
            }
            stage.next_layer(net.now())?;
        }
        if !info.is_empty() && stage.todo.is_empty() {
            let kept = stage.kept.into_iter().map(|(conn, (side, bytes))| (conn, side, bytes));
            return Ok(Fetched { info, layer: stage.layer, kept: kept.collect() });
        }
        if net.now().saturating_sub(told) > Duration::from_secs(2) {
            told = net.now();
            let (came, size) = stage.fetch.progress();
            let size = size.map_or("an unknown number".into(), |size| size.to_string());
            eprintln!("{came} of {size} bytes of info, {} connections", net.len());
        }
    }
}

struct Stage {
    fetch: MetadataFetch<FetchVec>,
    kept: BTreeMap<ConnId, (Side, Vec<u8>)>,
    todo: Vec<V2File>, // the files whose layers are to be fetched, the first at the end
    layer: Option<Vec<MerkleHash>>,
    piece_len: u32, // of these files
    traces: bool,
}

impl Stage {
    fn handle(&mut self, net: &mut Net, finder: &mut Finder, event: NetEvent) {
        let now = net.now();
        match event {
            NetEvent::Opened { conn, dialled } => {
                let side = side(dialled);
                if self.fetch.handle_connected(now, conn, side).is_ok() {
                    self.kept.insert(conn, (side, Vec::new()));
                } else {
                    net.close(conn);
                }
            }
            NetEvent::Bytes(conn) => self.read(net, finder, conn),
            NetEvent::Closed(conn) => {
                self.fetch.handle_closed(now, conn);
                self.kept.remove(&conn);
            }
            NetEvent::Message(Found { source, peers }) => {
                println!("{source} knows {} peers", peers.len());
                finder.found(peers);
            }
        }
    }

    fn read(&mut self, net: &mut Net, finder: &mut Finder, id: ConnId) {
        let now = net.now();
        let Some(conn) = net.conn(id) else { return };
        let Some((_, kept)) = self.kept.get_mut(&id) else { return };
        let mut used = 0;
        while used < conn.received.len() {
            let bytes = &conn.received[used..];
            let Ok(handled) = self.fetch.handle_bytes(now, id, bytes) else { break };
            if handled.consumed == 0 {
                break;
            }
            trace(self.traces, "<-", conn.addr, &bytes[..handled.consumed]);
            match handled.outcome {
                Some(FetchOutcome::Keep) => kept.extend_from_slice(&bytes[..handled.consumed]),
                Some(FetchOutcome::Peers(peers)) => {
                    finder.found(peers.added().map(|(addr, _)| addr));
                }
                _ => {}
            }
            used += handled.consumed;
        }
        conn.received.drain(..used);
        if kept.len() > KEPT {
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
            println!("asking for the hashes of {} files", self.todo.len());
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
    fn flush(&mut self, net: &mut Net) -> io::Result<Option<FetchEvent>> {
        let mut buf = [0; 512];
        while let Some(sent) = self.fetch.poll_transmit(&mut buf).map_err(io::Error::other)? {
            if let Some(conn) = net.conn(sent.conn) {
                trace(self.traces, "->", conn.addr, &buf[..sent.len]);
                conn.send(&buf[..sent.len]);
            }
        }
        while let Some(event) = self.fetch.poll_event() {
            match event {
                FetchEvent::Completed | FetchEvent::LayerCompleted => return Ok(Some(event)),
                FetchEvent::Closed { conn, reason } => {
                    println!("{conn}: closed: {reason}");
                    self.drop(net, conn);
                }
                _ => {}
            }
        }
        Ok(None)
    }
}
