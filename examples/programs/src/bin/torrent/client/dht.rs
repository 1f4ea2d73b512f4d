//! One node of the DHT for all torrents, in a thread of its own.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use crate::dht::node::{Node, NodeEvent};
use bittorrent_pieces::InfoHash;
use bittorrent_pieces::peer_book::PeerSource;
use examples::warning;

use super::args::Share;
use super::mailbox::{Found, Mailbox};

/// How often the peers of a torrent are looked for again, and how often at most.
const AGAIN: Duration = Duration::from_secs(300);
const SOONEST: Duration = Duration::from_secs(2);

/// Asks the thread for peers. It lives as long as the program.
#[derive(Debug, Clone)]
pub struct Dht(Sender<Order>);

#[derive(Debug)]
enum Order {
    Search(InfoHash),
    Forget(InfoHash),
}

/// When the peers of a torrent were last looked for, and whether they are wanted sooner than usual.
#[derive(Debug, Default)]
struct Search {
    asked: Option<Instant>,
    hungry: bool,
}

impl Search {
    fn is_due(&self) -> bool {
        let wait = if self.hungry { SOONEST } else { AGAIN };
        self.asked.is_none_or(|asked| asked.elapsed() >= wait)
    }
}

impl Dht {
    /// Starts the node, on the UDP port of the same number as that of TCP at `own`.
    pub fn start(args: &Share, own: SocketAddr, mailbox: Mailbox) -> Self {
        let nodes = args.nodes.clone();
        let state = args.dht_state.clone();
        let trace = args.trace;
        // uTP has the UDP port of our number.
        let socket = if args.utp { SocketAddr::new(own.ip(), 0) } else { own };
        let (sender, orders) = channel();
        std::thread::spawn(move || {
            let node = Node::open(socket, &nodes, state.as_deref(), trace);
            let ran = node.and_then(|node| serve(node, &nodes, own, &orders, &mailbox));
            if let Err(error) = ran {
                warning!("the DHT: {error}");
            }
        });
        Self(sender)
    }

    /// Looks for the peers of a torrent, now and every five minutes, and announces us to others.
    pub fn search(&self, torrent: InfoHash) {
        let _ = self.0.send(Order::Search(torrent)); // the thread has ended if there is no socket
    }

    /// Ends the search for the peers of a torrent.
    pub fn forget(&self, torrent: InfoHash) {
        let _ = self.0.send(Order::Forget(torrent)); // the thread has ended if there is no socket
    }
}

fn serve(
    mut node: Node,
    nodes: &[SocketAddr],
    own: SocketAddr,
    orders: &Receiver<Order>,
    mailbox: &Mailbox,
) -> Result<(), String> {
    let mut searches: BTreeMap<InfoHash, Search> = BTreeMap::new();
    loop {
        for order in orders.try_iter() {
            match order {
                Order::Search(torrent) => searches.entry(torrent).or_default().hungry = true,
                Order::Forget(torrent) => _ = searches.remove(&torrent),
            }
        }
        for (torrent, search) in searches.iter_mut().filter(|(_, search)| search.is_due()) {
            if node.known() == 0 {
                for addr in nodes {
                    node.add(*addr); // it may have come up meanwhile
                }
            } else if node.find(*torrent, Some(own.port())) {
                *search = Search { asked: Some(Instant::now()), hungry: false };
            }
        }
        for event in node.turn(Duration::from_millis(200))? {
            if let NodeEvent::Peers(torrent, peers) = event {
                let source = "the DHT".into();
                let kind = PeerSource::Dht;
                mailbox.send(Found { torrent, source, kind, peers, external: None });
            }
        }
    }
}
