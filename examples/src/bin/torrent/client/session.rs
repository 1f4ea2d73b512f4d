//! `torrent seed` and `torrent download`: the torrent among its peers until it has what it wants.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::VecDeque;
use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::ToSocketAddrs as _;

use bittorrent_pieces::bencode::Mode;
use bittorrent_pieces::magnet::{Escaped, Magnet};
use bittorrent_pieces::metainfo::File;
use bittorrent_pieces::picker::Order;
use bittorrent_pieces::torrent::{HASHES_LEN, transmit_len};
use bittorrent_pieces::tracker::AnnounceEvent;
use bittorrent_pieces::wire::extended::EXTENDED;
use bittorrent_pieces::wire::fast::Fast;
use bittorrent_pieces::wire::hashes::HashMessage;
use bittorrent_pieces::wire::{Handshake, Message};
use bittorrent_pieces::{
    CloseReason, Config, ConnId, Event, Host, Metainfo, Outcome, Padding, PeerId, PieceCheck, Side,
    Torrent, TorrentContent, TorrentLimits, TorrentSetup, TorrentVec,
};
use examples::interrupt;
use examples::random::random;

use super::args::Share;
use super::fetch::{self, Fetched};
use super::finder::{Finder, PEERS};
use super::net::{Found, Net, NetEvent, side};
use super::parts::Parts;
use super::show;
use super::storage::{Storage, empty_bitfield, printable, safe_name, text};
use super::trees::{Trees, trees};

/// Requests at a time to each, and from each.
const PIPELINE: u16 = 250;
/// A connection that waits to send more than this gets no further block for now.
const UNSENT: usize = 128 << 10;
/// How many bytes are hashed before sockets are looked at again.
pub const SLICE: u32 = 256 << 10;

pub fn share(args: &Share) -> Result<(), String> {
    let mut net = Net::listen(args.listen)?;
    println!("listening on {}", net.address());
    let mut id = *b"-BP0100-............";
    id[8..].copy_from_slice(&random::<12>());
    let peer_id = PeerId(id);
    if !args.torrent.starts_with("magnet:") {
        let bytes = fs::read(&args.torrent);
        let bytes = bytes.map_err(|error| format!("{}: {error}", args.torrent))?;
        let metainfo = show::read(&args.torrent, &bytes)?;
        let finder = |net: &Net, left| {
            let tiers = metainfo.tiers().map(|tier| tier.map(text).collect()).collect();
            let torrent = metainfo.info_hash();
            let private = metainfo.is_private();
            Finder::start(args, net, (torrent, peer_id), tiers, left, private)
        };
        let trees = trees(&metainfo, None);
        return Session::new(args, &metainfo, &trees, peer_id, net, finder)?
            .run()
            .map_err(|e| e.to_string());
    }
    let magnet = Magnet::parse(args.torrent.as_bytes());
    let magnet = magnet.map_err(|error| format!("the link: {error}"))?;
    let hash = magnet.v1().or(magnet.v2().map(|v2| v2.truncated())).unwrap_or_default();
    let unescape = |url: Escaped<'_>| text(&url.bytes().collect::<Vec<_>>());
    let tiers = magnet.trackers().map(|url| vec![unescape(url)]).collect();
    let mut finder = Finder::start(args, &net, (hash, peer_id), tiers, 1, false); // how much is not known
    finder.found(magnet.peers().filter_map(|peer| match peer.host {
        Host::Ip(ip) => Some(SocketAddr::new(ip, peer.port)),
        Host::Name(name) => (name, peer.port).to_socket_addrs().ok()?.next(),
    }));
    let fetched = fetch::fetch(&magnet, peer_id, &mut net, &mut finder, args.trace);
    let Fetched { info, layer, kept } = fetched.map_err(|error| error.to_string())?;
    let metainfo = Metainfo::from_info(&info, Mode::Lenient);
    let metainfo = metainfo.map_err(|error| format!("the info dictionary: {error}"))?;
    let trees = trees(&metainfo, layer);
    let mut session = Session::new(args, &metainfo, &trees, peer_id, net, |_, _| finder)?;
    session.take_over(kept).map_err(|error| error.to_string())?;
    session.run().map_err(|error| error.to_string())
}

/// A torrent and what it needs of the machine it runs on.
struct Session<'a> {
    args: &'a Share,
    net: Net,
    torrent: Torrent<TorrentVec>,
    storage: Storage,
    parts: Parts<'a>,
    checks: VecDeque<PieceCheck>,
    finder: Finder,
    given: u64,
    taken: u64,
    told: Duration, // when the progress was last printed
    told_bytes: [u64; 2],
}

impl<'a> Session<'a> {
    fn new(
        args: &'a Share,
        metainfo: &Metainfo<'_>,
        trees: &'a Trees<'a>,
        peer_id: PeerId,
        net: Net,
        finder: impl FnOnce(&Net, u64) -> Finder,
    ) -> Result<Self, String> {
        let (geometry, hashes) = trees.borrow()?;
        let name = safe_name(metainfo).map_err(|error| error.to_string())?;
        let root = if args.seeds { args.path.clone() } else { args.path.join(name) };
        if args.seeds && !root.exists() {
            return Err(format!("{}: there is no such file or folder", root.display()));
        }
        let fresh = !root.exists();
        let storage =
            Storage::open(metainfo, &root, !args.seeds).map_err(|error| error.to_string())?;
        let have = empty_bitfield(geometry).and_then(|none| {
            if fresh { Ok((none, Vec::new())) } else { storage.check(geometry, hashes, none) }
        });
        let (have, leaves) = have.map_err(|error| format!("{}: {error}", root.display()))?;
        if args.seeds && !have.is_full() {
            let ones = have.count_ones();
            let all = have.len();
            return Err(format!("only {ones} of {all} pieces of {} are right", root.display()));
        }
        let pieces = geometry.pieces();
        let mut config = Config::new(metainfo.info_hash(), peer_id);
        config.seed = u64::from_le_bytes(random());
        config.super_seeding = args.super_seed;
        config.peer_exchange = !metainfo.is_private();
        config.port = Some(net.address().port());
        config.dht_port = config.port.filter(|_| !args.nodes.is_empty() && !metainfo.is_private());
        let runs: Vec<_> = hashes.runs(geometry).collect();
        let files = metainfo.files().filter(File::is_padding);
        let padding = files.flat_map(|file| Padding::of(geometry, file.offset(), file.len()));
        let padding: Vec<_> = padding.collect();
        let mut content = TorrentContent::new(geometry, hashes);
        content.info = metainfo.info().as_raw();
        content.leaves = &leaves;
        content.runs = &runs;
        content.padding = &padding;
        let peers = PEERS as u16;
        let limits = TorrentLimits { peers, open_pieces: 2 * peers, pipeline: PIPELINE };
        let mut setup = TorrentSetup::new(config);
        setup.have = Some(have.as_view());
        if args.sequential {
            setup.policy.order = Order::Sequential;
        }
        let torrent = Torrent::new(setup, TorrentVec::new(&content, limits));
        let mut torrent = torrent.map_err(|error| error.to_string())?;
        let mut parts = Parts::new(&root, metainfo.info_hash(), geometry);
        if !args.seeds && !fresh {
            parts.load(have.as_view());
        }
        let kept = parts.blocks().filter(|block| torrent.restore_block(*block)).count();
        let more = if kept > 0 { format!(", and {kept} blocks of others") } else { String::new() };
        let here = have.count_ones();
        interrupt::install();
        println!("{}: {here} of {pieces} pieces are here{more}", printable(metainfo.name()));
        let finder = finder(&net, left(&torrent));
        Ok(Self {
            args,
            net,
            torrent,
            storage,
            parts,
            checks: VecDeque::new(),
            finder,
            given: 0,
            taken: 0,
            told: Duration::ZERO,
            told_bytes: [0; 2],
        })
    }

    /// Goes on with the connections over which the info dictionary came.
    fn take_over(&mut self, kept: Vec<(ConnId, Side, Vec<u8>)>) -> io::Result<()> {
        for (id, side, mut bytes) in kept {
            let now = self.net.now();
            let Some(conn) = self.net.conn(id) else { continue };
            bytes.append(&mut conn.received);
            conn.received = bytes;
            let addr = conn.addr;
            if self.torrent.take_over(now, id, side).is_ok() {
                self.torrent.set_address(id, addr);
                self.read(id)?;
            } else {
                self.net.close(id);
            }
        }
        Ok(())
    }

    fn run(&mut self) -> io::Result<()> {
        let done = self.trade();
        self.parts.save();
        done
    }

    /// Runs until there is nothing more to fetch, or with `--keep` until a signal comes.
    fn trade(&mut self) -> io::Result<()> {
        let mut done = self.torrent.is_complete();
        while (!done || self.args.keep) && !interrupt::interrupted() {
            self.finder.dial(&mut self.net);
            let now = self.net.now();
            let due = self.torrent.poll_timeout().map(|at| at.saturating_sub(now));
            let busy = !self.checks.is_empty();
            let wait = if busy { Duration::ZERO } else { due.unwrap_or(Duration::MAX) };
            for event in self.net.turn(Some(wait.min(Duration::from_secs(1))))? {
                self.handle(event)?;
            }
            let now = self.net.now();
            if self.torrent.poll_timeout().is_some_and(|at| at <= now) {
                self.torrent.handle_timeout(now);
            }
            self.hash()?;
            self.flush()?;
            self.progress(false)?;
            self.parts.save_if_due();
            if !done && self.torrent.is_complete() {
                done = true;
                self.storage.finish()?;
                self.parts.save();
                self.progress(true)?;
                println!("complete: every piece is here and checked");
                self.finder.tell(AnnounceEvent::Completed, 0, self.given, self.taken);
            }
        }
        Ok(())
    }

    fn handle(&mut self, event: NetEvent) -> io::Result<()> {
        let now = self.net.now();
        match event {
            NetEvent::Opened { conn, dialled } => {
                if self.torrent.handle_connected(now, conn, side(dialled)).is_err() {
                    self.net.close(conn);
                } else if let Some(peer) = self.net.conn(conn) {
                    self.torrent.set_address(conn, peer.addr);
                }
            }
            NetEvent::Bytes(conn) => self.read(conn)?,
            NetEvent::Closed(conn) => self.torrent.handle_closed(now, conn),
            NetEvent::Message(Found { source, peers }) => {
                println!("{source} knows {} peers", peers.len());
                self.finder.found(peers);
            }
        }
        Ok(())
    }

    /// Hands the torrent what a connection has received.
    fn read(&mut self, id: ConnId) -> io::Result<()> {
        let now = self.net.now();
        let Some(conn) = self.net.conn(id) else { return Ok(()) };
        let received = core::mem::take(&mut conn.received);
        let addr = conn.addr;
        let mut used = 0;
        while used < received.len() {
            let bytes = &received[used..];
            let Ok(handled) = self.torrent.handle_bytes(now, id, bytes) else { break };
            if handled.consumed == 0 {
                break;
            }
            match handled.outcome {
                Some(Outcome::Block { block, data }) => {
                    self.storage.write(block, data)?;
                    self.parts.add(block, id);
                    self.taken += data.len() as u64;
                }
                Some(Outcome::Peers(peers)) => {
                    self.finder.found(peers.added().map(|(addr, _)| addr));
                }
                _ => {}
            }
            trace(self.args.trace, "<-", addr, &received[used..used + handled.consumed]);
            used += handled.consumed;
        }
        if let Some(conn) = self.net.conn(id) {
            conn.received = received;
            conn.received.drain(..used);
        }
        Ok(())
    }

    /// Hashes a slice of a piece that is to be checked.
    fn hash(&mut self) -> io::Result<()> {
        let Some(check) = self.checks.front_mut() else { return Ok(()) };
        if let Some(block) = check.next(SLICE) {
            let mut slice = vec![0; block.len as usize];
            self.storage.read(block, &mut slice)?;
            check.hash_step(&slice);
        }
        if check.next(SLICE).is_none()
            && let Some(check) = self.checks.pop_front()
        {
            let now = self.net.now();
            self.parts.close(check.piece());
            self.torrent.handle_checked(now, check).map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// Does what the torrent has to say.
    fn flush(&mut self) -> io::Result<()> {
        while let Some(event) = self.torrent.poll_event() {
            match event {
                Event::Verify { piece } => {
                    let check = self.torrent.check(piece).map_err(io::Error::other)?;
                    self.checks.push_back(check);
                }
                Event::PieceFailed { piece } => println!("piece {piece} is not as it should be"),
                Event::Banned { conn } => self.parts.forget(conn),
                Event::Closed { conn, reason } => {
                    if reason == CloseReason::Corrupt {
                        self.parts.forget(conn);
                    }
                    if let Some(peer) = self.net.conn(conn) {
                        println!("{}: closed: {reason}", peer.addr);
                    }
                    self.net.close(conn);
                }
                _ => {}
            }
        }
        let mut buf = vec![0; transmit_len(self.torrent.geometry().pieces()).max(HASHES_LEN)];
        for id in self.net.ids() {
            while let Some(conn) = self.net.conn(id).filter(|conn| conn.unsent() < UNSENT) {
                let sent = self.torrent.poll_transmit_to(id, &mut buf);
                let Some(sent) = sent.map_err(io::Error::other)? else { break };
                let mut bytes = buf[..sent.len].to_vec();
                if let Some(block) = sent.block {
                    bytes.resize(sent.len + block.len as usize, 0);
                    self.storage.read(block, &mut bytes[sent.len..])?;
                    self.given += u64::from(block.len);
                    bytes.resize(bytes.len() + sent.padding as usize, 0);
                }
                bytes.extend_from_slice(self.torrent.metadata(sent.metadata));
                trace(self.args.trace, "->", conn.addr, &bytes);
                conn.send(&bytes);
            }
            if self.net.conn(id).is_some_and(|conn| !conn.received.is_empty()) {
                self.read(id)?; // what was too much before may fit now
            }
        }
        Ok(())
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
        self.told = now;
        self.told_bytes = rates;
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

/// Returns how many bytes are missing.
fn left(torrent: &Torrent<TorrentVec>) -> u64 {
    let geometry = torrent.geometry();
    let have = torrent.have();
    let here = have.ones().map(|piece| u64::from(geometry.piece_len(piece))).sum::<u64>();
    geometry.total() - here
}

/// Prints a message as one line.
pub fn trace(on: bool, way: &str, addr: SocketAddr, bytes: &[u8]) {
    if !on {
        return;
    }
    let line = match (Handshake::decode(bytes), Message::decode(bytes, u32::MAX)) {
        (Ok((handshake, _)), _) => handshake.to_string(),
        (_, Ok((Message::Other { id: EXTENDED, payload }, _))) => {
            format!("EXTENDED {}", payload[..payload.len().min(120)].escape_ascii())
        }
        (_, Ok((message, _))) => match (Fast::of(&message), HashMessage::of(&message)) {
            (Ok(Some(fast)), _) => fast.to_string(),
            (_, Ok(Some(hashes))) => hashes.to_string(),
            _ => message.to_string(),
        },
        (_, Err(error)) => error.to_string(),
    };
    println!("{way} {addr} {line}");
}
