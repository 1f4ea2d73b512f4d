//! Where peers come from: the command line, trackers, other peers; and who is dialled next.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Instant;

use bittorrent_pieces::tracker::{Announce, AnnounceEvent};
use bittorrent_pieces::{InfoHash, PeerId};
use examples::dht::{Node, NodeEvent};
use examples::random::random;

use super::args::Share;
use super::net::{Found, Mailbox, Net};
use super::trackers;

/// Connections at a time.
pub const PEERS: usize = 60;

/// Addresses of peers to dial, and the thread that asks the trackers for more.
pub struct Finder {
    candidates: VecDeque<SocketAddr>,
    own: SocketAddr,
    announce: Announce,
    trackers: Option<(Sender<Announce>, JoinHandle<()>)>,
}

impl Finder {
    /// Begins to look for peers of a torrent of which `left` bytes are missing; those of a private one come
    /// from its trackers alone (BEP 27).
    pub fn start(
        args: &Share,
        net: &Net,
        (info_hash, peer_id): (InfoHash, PeerId),
        tiers: Vec<Vec<String>>,
        left: u64,
        private: bool,
    ) -> Self {
        let own = net.address();
        let mut announce = Announce::started(info_hash, peer_id, own.port(), left);
        announce.key = u32::from_le_bytes(random());
        let asks = args.trackers && tiers.iter().any(|tier| !tier.is_empty());
        let trackers = asks.then(|| {
            let (sender, updates) = channel();
            (sender, trackers::start(tiers, announce, updates, net.mailbox()))
        });
        if !args.nodes.is_empty() && !private {
            search(args, own, info_hash, net.mailbox());
        }
        Self { candidates: args.peers.iter().copied().collect(), own, announce, trackers }
    }

    pub fn found(&mut self, peers: impl IntoIterator<Item = SocketAddr>) {
        self.candidates.extend(peers);
    }

    /// Dials the peers that were found, while there is room.
    pub fn dial(&mut self, net: &mut Net) {
        while net.len() < PEERS {
            let Some(addr) = self.candidates.pop_front() else { return };
            if addr != self.own && !net.knows(addr) {
                let _ = net.dial(addr); // one that cannot be dialled is not a peer
            }
        }
    }

    /// Tells the trackers how far we are.
    pub fn tell(&mut self, event: AnnounceEvent, left: u64, uploaded: u64, downloaded: u64) {
        let announce = Announce { event, left, uploaded, downloaded, ..self.announce };
        if let Some((sender, _)) = &self.trackers {
            let _ = sender.send(announce); // the thread ends only when this does
        }
    }
}

/// How often the DHT is asked again.
const AGAIN: Duration = Duration::from_secs(300);

/// Starts a thread with a node of the DHT on the same port over UDP, which lives as long as the program.
fn search(args: &Share, own: SocketAddr, torrent: InfoHash, mailbox: Mailbox) {
    let nodes = args.nodes.clone();
    let trace = args.trace;
    std::thread::spawn(move || {
        let ran = Node::open(own, &nodes, trace).and_then(|mut node| {
            let mut due = Instant::now();
            loop {
                if node.known() > 0 && Instant::now() >= due {
                    due = Instant::now() + AGAIN;
                    node.find(torrent, Some(own.port()));
                }
                for event in node.turn(Duration::from_millis(200))? {
                    if let NodeEvent::Peers(_, peers) = event {
                        mailbox.send(Found { source: "the DHT".into(), peers });
                    }
                }
            }
        });
        let ran: Result<(), String> = ran;
        if let Err(error) = ran {
            eprintln!("the DHT: {error}");
        }
    });
}

impl Drop for Finder {
    /// Lets the trackers know that we go.
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.trackers.take() {
            drop(sender);
            let _ = thread.join();
        }
    }
}
