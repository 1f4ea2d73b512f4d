//! A node of a ring of five, called by hand.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]

use core::time::Duration;

use chord_core::{Config, Message, Node, NodeArrays, Peer, Word};
pub type Id = Word<16>;
pub type Text = Message<Id, u32>;
pub type Slots = NodeArrays<Id, u32, 3, 16, 5, 2>;
pub type TestNode = Node<Id, u32, Slots>;

pub const SECOND: Duration = Duration::from_secs(1);

pub fn peer(id: u64) -> Peer<Id, u32> {
    Peer { id: Id::new(id), address: id as u32 }
}

/// Returns node 100 of the ring 100, 300, 1000, 5000, 20000; its fingers stay as they are.
pub fn one_of_five() -> TestNode {
    seeded(0)
}

pub fn seeded(seed: u64) -> TestNode {
    let mut config = Config::default();
    config.seed = seed;
    config.stabilize = SECOND;
    config.fix_fingers = Duration::MAX;
    config.lookup_deadline = Duration::MAX;
    let mut node = TestNode::new(config, peer(100), Slots::EMPTY).unwrap();
    let members = [100, 300, 1000, 5000, 20000].map(peer);
    node.create_base(Duration::ZERO, &members).unwrap();
    node
}

/// Hands a message to a node.
pub fn call(node: &mut TestNode, from: u32, message: &Text) {
    let mut bytes = [0; Text::MAX_LEN];
    let len = message.encode(&mut bytes).unwrap();
    node.handle_datagram(SECOND, from, &bytes[..len]).unwrap();
}

/// Returns what a node has to say.
pub fn said(node: &mut TestNode) -> Option<(u32, Text)> {
    let mut buf = [0; Text::MAX_LEN];
    let sent = node.poll_transmit(&mut buf).unwrap()?;
    Some((sent.to, Text::decode(&buf[..sent.len]).unwrap().0))
}
