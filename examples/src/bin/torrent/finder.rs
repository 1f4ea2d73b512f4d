//! Where peers come from: the command line, trackers, other peers; and who is dialled next.

use core::net::SocketAddr;
use std::collections::VecDeque;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use bittorrent_pieces::tracker::{Announce, AnnounceEvent};
use bittorrent_pieces::{InfoHash, PeerId};
use examples::random::random;

use crate::args::Share;
use crate::net::Net;
use crate::trackers;

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
    /// Begins to look for peers of a torrent of which `left` bytes are missing.
    pub fn start(
        args: &Share,
        net: &Net,
        (info_hash, peer_id): (InfoHash, PeerId),
        tiers: Vec<Vec<String>>,
        left: u64,
    ) -> Self {
        let own = net.address();
        let mut announce = Announce::started(info_hash, peer_id, own.port(), left);
        announce.key = u32::from_le_bytes(random());
        let asks = args.trackers && tiers.iter().any(|tier| !tier.is_empty());
        let trackers = asks.then(|| {
            let (sender, updates) = channel();
            (sender, trackers::start(tiers, announce, updates, net.mailbox()))
        });
        Self { candidates: args.peers.iter().copied().collect(), own, announce, trackers }
    }

    pub fn found(&mut self, peers: impl IntoIterator<Item = SocketAddr>) {
        self.candidates.extend(peers);
    }

    /// Dials peers of whom somebody told, while there is room.
    pub fn dial(&mut self, net: &mut Net) {
        while net.len() < PEERS {
            let Some(addr) = self.candidates.pop_front() else { return };
            if addr != self.own && !net.knows(addr) {
                net.dial(addr);
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

impl Drop for Finder {
    /// Lets the trackers know that we go.
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.trackers.take() {
            drop(sender);
            let _ = thread.join();
        }
    }
}
