//! The first part of a download by magnet link: the info dictionary, from peers.

use core::time::Duration;
use std::collections::BTreeMap;
use std::io;

use bittorrent_pieces::bencode::Mode;
use bittorrent_pieces::magnet::Magnet;
use bittorrent_pieces::{
    ConnId, FetchConfig, FetchEvent, FetchHandled, FetchSlot, MetadataFetch, Metainfo, PeerId, Side,
};

use crate::finder::{Finder, PEERS};
use crate::net::{Happening, Net};
use crate::session::trace;

/// The largest info dictionary that is fetched.
const LARGEST: usize = 8 << 20;
/// What is kept of a peer before the torrent is known; one that says more is too much.
const KEPT: usize = 4 << 20;

/// An info dictionary and the connections that were open then, with what each had said.
pub struct Fetched {
    pub info: Vec<u8>,
    /// The piece layer, if the torrent is of version 2 alone and has one.
    pub layer: Vec<u8>,
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
    let slots = vec![FetchSlot::EMPTY; PEERS];
    let mut stage = Stage {
        fetch: MetadataFetch::new(config, slots, vec![0; LARGEST]),
        kept: BTreeMap::new(),
        layered: false,
        traces,
    };
    println!("asking peers for the info dictionary of {hash}");
    let (mut told, mut info) = (net.now(), Vec::new());
    loop {
        finder.dial(net);
        let due = stage.fetch.poll_timeout().map(|at| at.saturating_sub(net.now()));
        let wait = due.unwrap_or(Duration::MAX).min(Duration::from_secs(1));
        for happening in net.turn(Some(wait))? {
            stage.handle(net, finder, happening);
        }
        stage.fetch.handle_timeout(net.now());
        let news = stage.flush(net)?;
        if news == Some(FetchEvent::Complete) {
            info = stage.fetch.metadata().unwrap_or_default().to_vec();
            println!("the info dictionary is here, {} bytes", info.len());
            stage.wants_layer(&info, net.now())?;
        }
        if !info.is_empty() && (!stage.layered || news == Some(FetchEvent::LayerComplete)) {
            let layer = stage.fetch.layer().map(|layer| layer.hashes().as_flattened().to_vec());
            let layer = layer.unwrap_or_default();
            let kept = stage.kept.into_iter().map(|(conn, (side, bytes))| (conn, side, bytes));
            return Ok(Fetched { info, layer, kept: kept.collect() });
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
    fetch: MetadataFetch<Vec<FetchSlot>, Vec<u8>>,
    kept: BTreeMap<ConnId, (Side, Vec<u8>)>,
    layered: bool, // the piece layer is fetched too
    traces: bool,
}

impl Stage {
    fn handle(&mut self, net: &mut Net, finder: &mut Finder, happening: Happening) {
        let now = net.now();
        match happening {
            Happening::Opened(conn, side) => {
                if self.fetch.handle_connected(now, conn, side).is_ok() {
                    self.kept.insert(conn, (side, Vec::new()));
                } else {
                    net.close(conn);
                }
            }
            Happening::Bytes(conn) => self.read(net, finder, conn),
            Happening::Closed(conn) => {
                self.fetch.handle_closed(now, conn);
                self.kept.remove(&conn);
            }
            Happening::Found(who, peers) => {
                println!("{who} knows {} peers", peers.len());
                finder.found(peers);
            }
        }
    }

    fn read(&mut self, net: &mut Net, finder: &mut Finder, id: ConnId) {
        let now = net.now();
        let Some(conn) = net.conn(id) else { return };
        let Some((_, kept)) = self.kept.get_mut(&id) else { return };
        let mut used = 0;
        let gone = loop {
            let bytes = &conn.received[used..];
            let (consumed, keeps) = match self.fetch.handle_bytes(now, id, bytes) {
                Ok(FetchHandled::Incomplete { .. }) => break false,
                Ok(FetchHandled::Message { consumed }) => (consumed, false),
                Ok(FetchHandled::Keep { consumed }) => (consumed, true),
                Ok(FetchHandled::Peers { consumed, peers }) => {
                    finder.found(peers.added().map(|(addr, _)| addr));
                    (consumed, false)
                }
                Ok(_) => break true,
                Err(error) => {
                    println!("{}: {error}", conn.addr);
                    break true;
                }
            };
            trace(self.traces, "<-", conn.addr, &bytes[..consumed]);
            if keeps {
                kept.extend_from_slice(&bytes[..consumed]);
            }
            used += consumed;
        };
        conn.received.drain(..used);
        if gone || kept.len() > KEPT {
            self.drop(net, id);
        }
    }

    fn drop(&mut self, net: &mut Net, id: ConnId) {
        self.fetch.handle_closed(net.now(), id);
        self.kept.remove(&id);
        net.close(id);
    }

    /// Goes on with the piece layer, if the dictionary is not enough.
    fn wants_layer(&mut self, info: &[u8], now: Duration) -> io::Result<()> {
        let metainfo = Metainfo::from_info(info, Mode::Lenient).map_err(io::Error::other)?;
        let geometry = metainfo.geometry();
        if let Some(root) = metainfo.root()
            && metainfo.hashes().len() != geometry.pieces() as usize
        {
            println!("asking for the hashes of its {} pieces", geometry.pieces());
            self.layered = true;
            self.fetch.fetch_layer(now, root, geometry).map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// Sends what is due; returns whether something is complete.
    fn flush(&mut self, net: &mut Net) -> io::Result<Option<FetchEvent>> {
        let mut buf = [0; 512];
        while let Some(sent) = self.fetch.poll_transmit(&mut buf).map_err(io::Error::other)? {
            if let Some(conn) = net.conn(sent.to) {
                trace(self.traces, "->", conn.addr, &buf[..sent.len]);
                conn.send(&buf[..sent.len]);
            }
        }
        while let Some(event) = self.fetch.poll_event() {
            match event {
                FetchEvent::Complete | FetchEvent::LayerComplete => return Ok(Some(event)),
                FetchEvent::Corrupt { conn } | FetchEvent::Silent { conn } => {
                    println!("given up: {event:?}");
                    self.drop(net, conn);
                }
                _ => {}
            }
        }
        Ok(None)
    }
}
