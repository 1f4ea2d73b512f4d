//! `torrent seed` and `torrent download`: the torrent among its peers until it has what it wants.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::VecDeque;
use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use bittorrent_pieces::tracker::{Announce, AnnounceEvent};
use bittorrent_pieces::wire::extended::EXTENDED;
use bittorrent_pieces::wire::fast::Fast;
use bittorrent_pieces::wire::{Handshake, Message};
use bittorrent_pieces::{
    Bitfield, Block, BlockSlot, Config, ConnId, Event, Handled, Memory, Metainfo, PartialSlot,
    PeerId, PeerSlot, PieceHasher, PieceIndex, PieceSlot, RequestSlot, Torrent, bits_len,
    block_slots, requests_len, transmit_len,
};
use examples::random::random;

use crate::args::Share;
use crate::net::{Happening, Net};
use crate::storage::{Storage, text};
use crate::{show, trackers};

/// Connections at a time.
const PEERS: usize = 60;
/// Requests at a time to each, and from each.
const PIPELINE: usize = 250;
/// A connection that waits to send more than this gets no further block for now.
const UNSENT: usize = 128 << 10;
/// How many bytes are hashed before sockets are looked at again.
const SLICE: u32 = 256 << 10;

type Lent = Memory<
    Vec<PieceSlot>,
    Vec<PartialSlot>,
    Vec<BlockSlot>,
    Vec<PeerSlot>,
    Vec<u8>,
    Vec<RequestSlot>,
>;

pub fn share(args: &Share) -> Result<(), String> {
    let bytes = fs::read(&args.torrent).map_err(|error| format!("{}: {error}", args.torrent))?;
    let bytes: &'static [u8] = bytes.leak(); // read until the end of the program
    let metainfo = show::read(&args.torrent, bytes)?;
    let net = Net::new(args.listen)?;
    let mut session = Session::new(args, metainfo, net)?;
    session.run().map_err(|error| error.to_string())
}

/// A torrent and what it needs of the machine it runs on.
struct Session<'a> {
    args: &'a Share,
    net: Net,
    torrent: Torrent<'static, Lent>,
    storage: Storage,
    checks: VecDeque<Check>,
    candidates: VecDeque<SocketAddr>,
    own: SocketAddr,
    trackers: Option<(Sender<Announce>, JoinHandle<()>)>,
    announce: Announce,
    given: u64,
    taken: u64,
    told: Duration, // when the progress was last printed
    told_bytes: [u64; 2],
}

/// A piece that is being hashed, slice by slice.
struct Check {
    piece: PieceIndex,
    at: u32,
    hasher: PieceHasher,
}

impl<'a> Session<'a> {
    fn new(args: &'a Share, metainfo: Metainfo<'static>, net: Net) -> Result<Self, String> {
        let root =
            if args.seeds { args.path.clone() } else { args.path.join(text(metainfo.name())) };
        if args.seeds && !root.exists() {
            return Err(format!("{}: there is no such file or folder", root.display()));
        }
        let fresh = !root.exists();
        let storage =
            Storage::open(&metainfo, &root, !args.seeds).map_err(|error| error.to_string())?;
        let have = if fresh { nothing(&metainfo) } else { check(&metainfo, &storage) };
        let have = have.map_err(|error| format!("{}: {error}", root.display()))?;
        if args.seeds && !have.is_full() {
            let (ones, all) = (have.count_ones(), have.len());
            return Err(format!("only {ones} of {all} pieces of {} are right", root.display()));
        }
        let geometry = metainfo.geometry();
        let (pieces, partials) = (geometry.pieces(), 2 * PEERS);
        let memory = Memory {
            pieces: vec![PieceSlot::EMPTY; pieces as usize],
            partials: vec![PartialSlot::EMPTY; partials],
            blocks: vec![BlockSlot::EMPTY; block_slots(geometry, partials)],
            peers: vec![PeerSlot::EMPTY; PEERS],
            bits: vec![0; bits_len(pieces, PEERS)],
            requests: vec![RequestSlot::EMPTY; requests_len(PEERS, PIPELINE)],
        };
        let mut id = *b"-BP0100-............";
        id[8..].copy_from_slice(&random::<12>());
        let mut config = Config::new(metainfo.info_hash(), PeerId(id));
        config.seed = u64::from_le_bytes(random());
        config.peer_exchange = !metainfo.is_private();
        config.port = net.address().ok().map(|own| own.port());
        let (view, hashes) = (have.as_view(), metainfo.hashes());
        let torrent = Torrent::new(config, geometry, hashes, view, memory);
        let mut torrent = torrent.map_err(|error| error.to_string())?;
        torrent.serve_metadata(metainfo.info().as_raw());
        let own = net.address().map_err(|error| error.to_string())?;
        let mut announce = Announce::started(config.info_hash, config.peer_id, own.port(), 0);
        announce.key = u32::from_le_bytes(random());
        println!(
            "{}: {} of {pieces} pieces are here; listening on {own}",
            text(metainfo.name()),
            have.count_ones()
        );
        let mut session = Self {
            args,
            net,
            torrent,
            storage,
            checks: VecDeque::new(),
            candidates: args.peers.iter().copied().collect(),
            own,
            trackers: None,
            announce,
            given: 0,
            taken: 0,
            told: Duration::ZERO,
            told_bytes: [0; 2],
        };
        let tiers: Vec<Vec<String>> =
            metainfo.tiers().map(|tier| tier.map(text).collect()).collect();
        if args.trackers && tiers.iter().any(|tier| !tier.is_empty()) {
            session.announce.left = session.left();
            let (sender, updates) = channel();
            let mailbox = session.net.mailbox();
            let thread = trackers::start(tiers, session.announce, updates, mailbox);
            session.trackers = Some((sender, thread));
        }
        Ok(session)
    }

    fn run(&mut self) -> io::Result<()> {
        let mut done = self.torrent.is_complete();
        while !done || self.args.keep {
            self.dial();
            let now = self.net.now();
            let due = self.torrent.poll_timeout().map(|at| at.saturating_sub(now));
            let busy = !self.checks.is_empty();
            let wait = if busy { Duration::ZERO } else { due.unwrap_or(Duration::MAX) };
            for happening in self.net.turn(Some(wait.min(Duration::from_secs(1))))? {
                self.handle(happening)?;
            }
            let now = self.net.now();
            if self.torrent.poll_timeout().is_some_and(|at| at <= now) {
                self.torrent.handle_timeout(now);
            }
            self.hash()?;
            self.flush()?;
            self.progress(false)?;
            if !done && self.torrent.is_complete() {
                done = true;
                self.storage.finish()?;
                self.progress(true)?;
                println!("complete: every piece is here and checked");
                self.tell_trackers(AnnounceEvent::Completed);
            }
        }
        if let Some((sender, thread)) = self.trackers.take() {
            drop(sender);
            let _ = thread.join();
        }
        Ok(())
    }

    fn handle(&mut self, happening: Happening) -> io::Result<()> {
        let now = self.net.now();
        match happening {
            Happening::Opened(conn, side) => {
                if self.torrent.handle_connected(now, conn, side).is_err() {
                    self.net.close(conn);
                } else if let Some(peer) = self.net.conn(conn) {
                    self.torrent.set_address(conn, peer.addr);
                }
            }
            Happening::Bytes(conn) => self.read(conn)?,
            Happening::Closed(conn) => self.torrent.handle_closed(now, conn),
            Happening::Found(who, peers) => {
                println!("{who} knows {} peers", peers.len());
                self.candidates.extend(peers);
            }
        }
        Ok(())
    }

    /// Dials peers of whom somebody told, while there is room and need.
    fn dial(&mut self) {
        while self.net.len() < PEERS {
            let Some(addr) = self.candidates.pop_front() else { return };
            if addr != self.own && !self.net.knows(addr) {
                self.net.dial(addr);
            }
        }
    }

    /// Hands the torrent what a connection has received.
    fn read(&mut self, id: ConnId) -> io::Result<()> {
        let now = self.net.now();
        let Some(conn) = self.net.conn(id) else { return Ok(()) };
        let (received, addr) = (core::mem::take(&mut conn.received), conn.addr);
        let mut used = 0;
        let gone = loop {
            match self.torrent.handle_bytes(now, id, &received[used..]) {
                Ok(Handled::Incomplete { .. } | Handled::Busy) => break false,
                Ok(Handled::Gone) => break true,
                Ok(handled) => {
                    let consumed = handled.consumed();
                    match handled {
                        Handled::Block { block, data, .. } => {
                            self.storage.write(block, data)?;
                            self.taken += data.len() as u64;
                        }
                        Handled::Peers { peers, .. } => {
                            self.candidates.extend(peers.added().map(|(addr, _)| addr));
                        }
                        _ => {}
                    }
                    trace(self.args.trace, "<-", addr, &received[used..used + consumed]);
                    used += consumed;
                }
                Err(error) => {
                    println!("{addr}: {error}");
                    self.torrent.handle_closed(now, id);
                    break true;
                }
            }
        };
        if gone {
            self.net.close(id);
        } else if let Some(conn) = self.net.conn(id) {
            conn.received = received;
            conn.received.drain(..used);
        }
        Ok(())
    }

    /// Hashes a slice of a piece that is to be checked.
    fn hash(&mut self) -> io::Result<()> {
        let Some(check) = self.checks.front_mut() else { return Ok(()) };
        let len = self.torrent.geometry().piece_len(check.piece);
        let block = Block { piece: check.piece, begin: check.at, len: (len - check.at).min(SLICE) };
        let mut slice = vec![0; block.len as usize];
        self.storage.read(block, &mut slice)?;
        check.hasher.update(&slice);
        check.at += block.len;
        if check.at == len
            && let Some(check) = self.checks.pop_front()
        {
            let (now, digest) = (self.net.now(), check.hasher.finish());
            let verdict = self.torrent.handle_hashed(now, check.piece, digest);
            verdict.map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// Does what the torrent has to say.
    fn flush(&mut self) -> io::Result<()> {
        while let Some(event) = self.torrent.poll_event() {
            match event {
                Event::Verify { piece } => {
                    self.checks.push_back(Check { piece, at: 0, hasher: PieceHasher::new() });
                }
                Event::PieceFailed { piece } => println!("piece {piece} is not as it should be"),
                Event::Banned { conn } | Event::Lost { conn, .. } => {
                    if let Some(peer) = self.net.conn(conn) {
                        println!("{}: given up, {event:?}", peer.addr);
                    }
                    self.net.close(conn);
                }
                _ => {}
            }
        }
        let mut buf = vec![0; transmit_len(self.torrent.geometry().pieces())];
        for id in self.net.ids() {
            while let Some(conn) = self.net.conn(id).filter(|conn| conn.unsent() < UNSENT) {
                let sent = self.torrent.poll_transmit_to(id, &mut buf);
                let Some(sent) = sent.map_err(io::Error::other)? else { break };
                let mut bytes = buf[..sent.len].to_vec();
                if let Some(block) = sent.block {
                    bytes.resize(sent.len + block.len as usize, 0);
                    self.storage.read(block, &mut bytes[sent.len..])?;
                    self.given += u64::from(block.len);
                }
                bytes.extend_from_slice(sent.metadata);
                trace(self.args.trace, "->", conn.addr, &bytes);
                conn.send(&bytes);
            }
            if self.net.conn(id).is_some_and(|conn| !conn.received.is_empty()) {
                self.read(id)?; // what was too much before may fit now
            }
        }
        Ok(())
    }

    fn left(&self) -> u64 {
        let geometry = self.torrent.geometry();
        let have = self.torrent.have();
        let here = have.ones().map(|piece| u64::from(geometry.piece_len(piece))).sum::<u64>();
        geometry.total() - here
    }

    fn tell_trackers(&mut self, event: AnnounceEvent) {
        let (left, uploaded, downloaded) = (self.left(), self.given, self.taken);
        let announce = Announce { event, left, uploaded, downloaded, ..self.announce };
        if let Some((sender, _)) = &self.trackers {
            let _ = sender.send(announce);
        }
    }

    /// Prints a line every second if somebody looks at it, else every ten.
    fn progress(&mut self, last: bool) -> io::Result<()> {
        let terminal = io::stderr().is_terminal();
        let now = self.net.now();
        let since = now.saturating_sub(self.told);
        if since < Duration::from_secs(if terminal { 1 } else { 10 }) && !last {
            return Ok(());
        }
        let rates = [self.taken, self.given];
        let [down, up] = [0, 1].map(|way| {
            let bytes = rates[way] - self.told_bytes[way];
            bytes as f64 / since.as_secs_f64().max(0.001) / 1e6
        });
        (self.told, self.told_bytes) = (now, rates);
        let pieces = self.torrent.geometry().pieces();
        let have = self.torrent.have_count();
        let peers = self.torrent.peers().filter(|peer| peer.peer_id.is_some()).count();
        let percent = f64::from(have) * 100.0 / f64::from(pieces.max(1));
        let end = if terminal && !last { "\r" } else { "\n" };
        let mut out = io::stderr().lock();
        write!(
            out,
            "{percent:5.1} %  {have}/{pieces} pieces  {peers} peers  \
             {down:.1} MB/s down  {up:.1} MB/s up   {end}"
        )
    }
}

fn nothing(metainfo: &Metainfo<'_>) -> io::Result<Bitfield<Vec<u8>>> {
    let pieces = metainfo.geometry().pieces();
    Bitfield::new(pieces, vec![0; Bitfield::byte_len(pieces)]).map_err(io::Error::other)
}

/// Hashes what there is of the content; returns the pieces that are right.
fn check(metainfo: &Metainfo<'_>, storage: &Storage) -> io::Result<Bitfield<Vec<u8>>> {
    let (geometry, hashes) = (metainfo.geometry(), metainfo.hashes());
    let mut have = nothing(metainfo)?;
    let mut told = std::time::Instant::now();
    let mut bytes = vec![0; geometry.full_piece_len() as usize];
    for piece in (0..geometry.pieces()).map(PieceIndex) {
        let len = geometry.piece_len(piece);
        let bytes = &mut bytes[..len as usize];
        storage.read(Block { piece, begin: 0, len }, bytes)?;
        if hashes.of(piece) == Some(&PieceHasher::digest(bytes)) {
            have.set(piece);
        }
        if told.elapsed() > Duration::from_secs(1) {
            told = std::time::Instant::now();
            eprintln!("checked {piece} of {} pieces", geometry.pieces());
        }
    }
    Ok(have)
}

/// Prints a message as one line.
fn trace(on: bool, way: &str, addr: SocketAddr, bytes: &[u8]) {
    if !on {
        return;
    }
    let line = match (Handshake::decode(bytes), Message::decode(bytes, u32::MAX)) {
        (Ok((handshake, _)), _) => handshake.to_string(),
        (_, Ok((Message::Other { id: EXTENDED, payload }, _))) => {
            format!("EXTENDED {}", payload[..payload.len().min(120)].escape_ascii())
        }
        (_, Ok((message, _))) => match Fast::of(&message) {
            Ok(Some(fast)) => fast.to_string(),
            _ => message.to_string(),
        },
        (_, Err(error)) => error.to_string(),
    };
    println!("{way} {addr} {line}");
}
