//! Where peers come from: the command line, trackers, the DHT, other peers and earlier runs; and who is dialled next.

use core::net::SocketAddr;
use core::time::Duration;

use bittorrent_pieces::peer_book::{
    AdmissionError, BookEvent, Ending, PeerBookConfig, PeerBookLimits, PeerBookVec, PeerSource,
};
use bittorrent_pieces::tracker::{Announce, AnnounceEvent};
use bittorrent_pieces::{ConnId, InfoHash, PeerBook, PeerId};
use examples::random::random;

use super::args::Share;
use super::dht::Dht;
use super::mailbox::Found;
use super::net::Net;
use super::trackers::Trackers;

/// Connections at a time, of all torrents.
pub const PEERS: usize = 60;

/// The known addresses of the peers of a torrent, and the threads that ask trackers and the DHT for more.
pub struct Finder {
    torrent: InfoHash,
    book: PeerBook<PeerBookVec>,
    private: bool,
    /// One for each hash.
    trackers: Vec<Trackers>,
    dht: Option<Dht>,
    /// The hashes by which peers are looked for.
    hashes: Vec<InfoHash>,
}

/// What a torrent's peers are looked for by.
pub struct Wanted {
    pub info_hash: InfoHash,
    /// The truncated hash of version 2 of a hybrid torrent, by which other peers may be found (BEP 52).
    pub v2: Option<InfoHash>,
    pub peer_id: PeerId,
    pub tiers: Vec<Vec<String>>,
    /// How many bytes are missing.
    pub left: u64,
    /// Peers come from the trackers alone (BEP 27).
    pub private: bool,
}

impl Finder {
    /// Begins to look for peers.
    pub fn start(
        args: &Share,
        net: &Net,
        dht: Option<&Dht>,
        wanted: Wanted,
    ) -> Result<Self, String> {
        let own = net.address();
        let Wanted { info_hash, v2, peer_id, tiers, left, private } = wanted;
        let mut limits = PeerBookLimits::new();
        limits.conns = PEERS as u16;
        let config = PeerBookConfig::new(u64::from_le_bytes(random()));
        let book = PeerBook::new(config, PeerBookVec::new(limits));
        let mut book = book.map_err(|error| error.to_string())?;
        if !own.ip().is_unspecified() {
            book.set_own_address(net.now(), own);
        }
        book.set_complete(net.now(), left == 0);
        for peer in &args.peers {
            book.add(net.now(), *peer, PeerSource::User, false);
        }
        let hashes: Vec<_> = [info_hash].into_iter().chain(v2).collect();
        let key = u32::from_le_bytes(random());
        let asks = args.trackers && tiers.iter().any(|tier| !tier.is_empty());
        let asked = hashes.iter().filter(|_| asks).map(|hash| {
            let mut announce = Announce::started(*hash, peer_id, own.port(), left);
            announce.key = key;
            Trackers::start(tiers.clone(), announce, net.mailbox())
        });
        let trackers = asked.collect();
        let dht = dht.filter(|_| !private).cloned();
        let finder = Self { torrent: info_hash, book, private, trackers, dht, hashes };
        finder.search();
        Ok(finder)
    }

    /// Adds addresses that a tracker or the DHT named.
    pub fn found(&mut self, net: &Net, found: Found) {
        if let Some(ip) = found.external {
            self.book.set_own_address(net.now(), SocketAddr::new(ip, net.address().port()));
        }
        self.add(net.now(), found.kind, found.peers);
    }

    /// Adds addresses.
    pub fn add(
        &mut self,
        now: Duration,
        source: PeerSource,
        peers: impl IntoIterator<Item = SocketAddr>,
    ) {
        for peer in peers {
            self.book.add(now, peer, source, false);
        }
    }

    /// Adds what an earlier run knew.
    pub fn restore(&mut self, now: Duration, saved: &[u8]) {
        if !self.private && !saved.is_empty() {
            let _ = self.book.restore(now, saved); // damaged addresses are found again
        }
    }

    /// Returns what is known, for a later run.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![0; self.book.encoded_len()];
        let len = self.book.encode(&mut out).unwrap_or_default();
        out.truncate(len);
        out
    }

    /// Returns when [`turn`](Self::turn) is next due.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.book.poll_timeout()
    }

    /// Dials peers and asks for more; returns the connections that are to be closed.
    pub fn turn(&mut self, net: &mut Net) -> Vec<ConnId> {
        if self.book.poll_timeout().is_some_and(|due| due <= net.now()) {
            self.book.handle_timeout(net.now());
        }
        let mut closed = Vec::new();
        while let Some(event) = self.book.poll_event() {
            match event {
                BookEvent::Dial { addr } => self.dial(net, addr),
                BookEvent::AskSources => self.ask_sources(),
                BookEvent::Closed { conn, .. } => closed.push(conn),
                _ => {}
            }
        }
        closed
    }

    fn dial(&mut self, net: &mut Net, addr: SocketAddr) {
        if net.len() >= PEERS || !net.dial(self.torrent, addr) {
            self.book.handle_dial_failed(net.now(), addr);
        }
    }

    fn ask_sources(&self) {
        for trackers in &self.trackers {
            trackers.hungry();
        }
        self.search();
    }

    fn search(&self) {
        if let Some(dht) = &self.dht {
            self.hashes.iter().for_each(|hash| dht.search(*hash));
        }
    }

    /// Admits a connection, or returns why not.
    pub fn opened(
        &mut self,
        now: Duration,
        conn: ConnId,
        addr: SocketAddr,
        dialled: bool,
    ) -> Result<(), AdmissionError> {
        if dialled {
            self.book.handle_dialled(now, addr, conn)
        } else {
            self.book.handle_accepted(now, conn, addr)
        }
    }

    pub fn dial_failed(&mut self, now: Duration, addr: SocketAddr) {
        self.book.handle_dial_failed(now, addr);
    }

    pub fn handshake(&mut self, now: Duration, conn: ConnId) {
        self.book.handle_handshake(now, conn);
    }

    pub fn block(&mut self, now: Duration, conn: ConnId) {
        self.book.handle_block(now, conn);
    }

    pub fn closed(&mut self, now: Duration, conn: ConnId, ending: Ending) {
        self.book.handle_closed(now, conn, ending);
    }

    /// Notes that everything is there.
    pub fn complete(&mut self, now: Duration) {
        self.book.set_complete(now, true);
        for trackers in &self.trackers {
            trackers.announce(AnnounceEvent::Completed);
        }
    }

    /// Notes how far we are, for the next announce.
    pub fn progress(&self, left: u64, uploaded: u64, downloaded: u64) {
        for trackers in &self.trackers {
            trackers.progress(left, uploaded, downloaded);
        }
    }
}

impl Drop for Finder {
    fn drop(&mut self) {
        if let Some(dht) = &self.dht {
            self.hashes.iter().for_each(|hash| dht.forget(*hash));
        }
        // All at the same time: each may wait for its farewell.
        let farewells =
            self.trackers.drain(..).map(|trackers| std::thread::spawn(move || drop(trackers)));
        for farewell in farewells.collect::<Vec<_>>() {
            let _ = farewell.join(); // a farewell is a courtesy
        }
    }
}
