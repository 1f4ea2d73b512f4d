//! A successor list is adopted as its sender names it, and nobody has verified the other entries. Entries that have answered are kept
//! beside it until others have.

mod network;

use core::time::Duration;

use chord_core::{Config, Identifier, KeyRange, Message, Node, NodeArrays, Peer, Word};
use network::{Net, SECOND};

type Id = Word<16>;
type Text = Message<Id, u32>;
/// r = 4, no fingers, one lookup of the application, four contacts.
type Slots = NodeArrays<Id, u32, 4, 0, 2, 4>;

const RING: [u64; 6] = [100, 300, 1000, 5000, 20000, 40000];

fn peer(id: u64) -> Peer<Id, u32> {
    Peer { id: Id::new(id), address: id as u32 }
}

/// Node 100 of [`RING`], while the test plays all others.
struct Played {
    node: Node<Id, u32, Slots>,
    now: Duration,
    /// Whether node 300 names entries that do not exist.
    lies: bool,
    /// The nodes that do not answer.
    silent: Vec<u32>,
    /// The nodes that were asked for a list.
    queried: Vec<u32>,
}

impl Played {
    fn new() -> Self {
        let mut node = Node::new(Config::default(), peer(100), Slots::EMPTY).unwrap();
        node.create_base(Duration::ZERO, &RING.map(peer)).unwrap();
        Self { node, now: Duration::ZERO, lies: false, silent: vec![], queried: vec![] }
    }

    fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.node.poll_timeout().filter(|at| *at <= end) {
            self.now = at;
            self.node.handle_timeout(at);
            let mut buf = [0; Text::MAX_LEN];
            while let Some(sent) = self.node.poll_transmit(&mut buf).unwrap() {
                let (message, _) = Text::decode(&buf[..sent.len]).unwrap();
                let Some(answer) = self.answer(sent.to, &message) else { continue };
                let len = answer.encode(&mut buf).unwrap();
                self.node.handle_datagram(at, sent.to, &buf[..len]).unwrap();
            }
            while self.node.poll_event().is_some() {}
        }
        self.now = end;
    }

    fn answer(&mut self, to: u32, message: &Text) -> Option<Text> {
        if let Text::Query { .. } = message
            && self.queried.last() != Some(&to)
        {
            self.queried.push(to);
        }
        let at = RING.iter().position(|id| *id == u64::from(to))?;
        if self.silent.contains(&to) {
            return None;
        }
        let id = Id::new(to.into());
        let next = |by: usize| peer(RING[(at + by) % RING.len()]);
        Some(match *message {
            Text::Ping { token, .. } => Text::Pong { token, id },
            Text::Query { token, .. } => {
                let made_up = |n: usize| peer(u64::from(to) + n as u64);
                let lies = self.lies && to == 300;
                let successors = (1..=4).map(|n| if lies { made_up(n) } else { next(n) }).collect();
                Text::State { token, id, predecessor: next(RING.len() - 1), successors }
            }
            Text::Find { token, key, .. } => {
                let owns = KeyRange { after: id, through: next(1).id }.contains(key);
                let peer = next(1);
                if owns {
                    Text::Owner { token, id, peer }
                } else {
                    Text::Closer { token, id, peer }
                }
            }
            _ => return None,
        })
    }
}

/// The liar names r entries that do not exist and vanishes, and the predecessor with it. The node goes through that list, and then asks an
/// entry of the former one, which it has verified itself.
#[test]
fn verified_backups_outlive_a_list_that_is_made_up() {
    let mut played = Played::new();
    played.run_for(SECOND * 60);
    let names = |played: &Played| -> Vec<u32> {
        played.node.successors().iter().map(|peer| peer.address).collect()
    };
    assert_eq!(names(&played), [300, 1000, 5000, 20000]);
    played.lies = true;
    played.run_for(SECOND * 60);
    assert_eq!(names(&played), [300, 301, 302, 303], "the list of the first entry counts");
    played.silent = vec![300, 40000];
    played.queried.clear();
    played.run_for(SECOND * 30);
    assert_eq!(played.queried[..4], [300, 301, 302, 303]);
    let backup = played.queried[4];
    assert!([1000, 5000, 20000].contains(&backup), "{backup} was in the former list");
    let first = played.node.successors().first().expect("a successor");
    assert!([1000, 5000, 20000].contains(&first.address));
}

/// Returns the node at an address of the ring in which the next test lies.
fn member(address: u32) -> Peer<network::Id, u32> {
    Peer { id: network::Id::new(u64::from(address) * 0x0809_0705), address }
}

/// The same in a rough network: 30 seconds after the liar has vanished the node before it has an entry of its former list for a successor,
/// though the nodes have no fingers.
#[test]
fn the_node_before_a_liar_falls_back_on_its_former_list() {
    let seeds = if cfg!(debug_assertions) { 10 } else { 200 };
    for seed in 0..seeds {
        let mut net = Net::new(seed, 4);
        net.fingers = 0;
        let all: Vec<_> = (1..=20).map(member).collect();
        for me in &all {
            net.add(*me).create_base(Duration::ZERO, &all).unwrap();
            net.look_at(me.address);
        }
        net.run_for(SECOND * 60);
        net.liars = vec![5];
        net.liar = Some(|me, _, message| {
            let network::Text::Query { token, .. } = *message else { return None };
            let id = member(me).id;
            let made_up = |n: u32| Peer { address: 9000 + n, ..member(me) };
            let made_up = |n: u32| Peer { id: id.plus(network::Id::new(n.into())), ..made_up(n) };
            let successors = (1..=4).map(made_up).collect();
            Some(vec![network::Text::State { token, id, predecessor: made_up(5), successors }])
        });
        net.run_for(SECOND * 60);
        net.members.remove(&5);
        net.liars.clear();
        net.run_for(SECOND * 30);
        let first = net.members[&4].node.successors().first().copied();
        let first = first.unwrap_or_else(|| panic!("seed {seed}: no successor"));
        assert!((6..=8).map(member).any(|peer| peer == first), "seed {seed}: {first}");
        net.heal(SECOND * 90, &format!("seed {seed}"));
    }
}

/// What a node of a calm ring sends in a minute, at most a tenth more than was measured before it kept backups.
#[test]
fn a_calm_node_sends_about_one_datagram_a_second() {
    let minutes = if cfg!(debug_assertions) { 10 } else { 60 };
    for (count, r, measured) in [(64, 4, 60.0), (64, 8, 56.2), (16, 4, 50.4)] {
        let mut net = Net::ring(3, r, count);
        net.run_for(SECOND * 300);
        let before = [net.sent, net.bytes];
        net.run_for(SECOND * 60 * minutes);
        let [sent, bytes] = [net.sent - before[0], net.bytes - before[1]]
            .map(|sum| sum as f64 / f64::from(count * minutes));
        println!("{count} nodes, r = {r}: {sent:.1} datagrams, {bytes:.0} bytes");
        assert!(sent < measured * 1.1, "{count} nodes, r = {r}: {sent:.1} datagrams");
    }
}
