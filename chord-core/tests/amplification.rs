//! What one datagram from a forged source makes a member send: to that address, and to others.

use core::fmt::Write;
use core::net::{SocketAddr, SocketAddrV4};
use core::time::Duration;

use chord_core::{
    Address, Config, Id160, Id256, Identifier, List, Message, Node, NodeLimits, NodeVec, Peer, Word,
};

type TestNode<I, A> = Node<I, A, NodeVec<I, A>>;

/// A ring of one kind of identifiers and addresses, made from numbers.
struct Kind<I, A> {
    name: &'static str,
    r: usize,
    id: fn(u8) -> I,
    address: fn(u8) -> A,
}

/// The number of the address that the datagrams pretend to come from.
const VICTIM: u8 = 200;

impl<I: Identifier, A: Address> Kind<I, A> {
    fn peer(&self, n: u8) -> Peer<I, A> {
        Peer { id: (self.id)(n), address: (self.address)(n) }
    }

    fn member(&self) -> TestNode<I, A> {
        let limits = NodeLimits { successors: self.r, ..NodeLimits::default() };
        let me = self.peer(100);
        let mut node = Node::new(Config::default(), me, NodeVec::new(limits)).unwrap();
        let members: Vec<_> = (0..=self.r as u8).map(|n| self.peer(100 + 3 * n)).collect();
        node.create_base(Duration::ZERO, &members).unwrap();
        node
    }

    /// One message of each kind, as short as it may be unless that leaves it unanswered.
    fn messages(&self) -> Vec<(&'static str, Message<I, A>)> {
        let id = (self.id)(99);
        let key = (self.id)(150);
        let peer = self.peer(VICTIM);
        let token = 7;
        let padding = Message::<I, A>::ping_padding();
        let padded = Message::<I, A>::query_padding(self.r);
        let back = || [peer.address; 16].into_iter().collect();
        let none = List::new;
        vec![
            ("PING", Message::Ping { token, padding: 0 }),
            ("PING, padded", Message::Ping { token, padding }),
            ("PONG", Message::Pong { token, id }),
            ("QUERY", Message::Query { token, padding: 0 }),
            ("QUERY, padded", Message::Query { token, padding: padded }),
            ("STATE", Message::State { token, id, predecessor: peer, successors: none() }),
            ("BUSY", Message::Busy { token }),
            ("ABSENT", Message::Absent { token }),
            ("NOTIFY", Message::Notify { id }),
            ("FIND", Message::Find { token, key, avoid: List::new() }),
            ("CLOSER", Message::Closer { token, id, peer }),
            ("OWNER", Message::Owner { token, id, peer }),
            ("LEAVE", Message::Leave { id }),
            ("ROUTE", Message::Route { token, key, hops: 1, direct: false, back: List::new() }),
            ("ROUTE, direct", Message::Route { token, key, hops: 1, direct: true, back: back() }),
            ("FOUND", Message::Found { token, id, peer, hops: 1, back: back() }),
            ("NUDGE", Message::Nudge { id: (self.id)(101) }),
        ]
    }

    /// Measures all kinds; appends a row for each to `table`.
    fn measure(&self, table: &mut String) {
        for (name, message) in self.messages() {
            let mut bytes = [0; 2048];
            let len = message.encode(&mut bytes).unwrap();
            let mut node = self.member();
            let [_, usual] = self.sent(&mut node);
            let mut node = self.member();
            let victim = (self.address)(VICTIM);
            node.handle_datagram(Duration::ZERO, victim, &bytes[..len]).unwrap();
            let [to_victim, to_others] = self.sent(&mut node);
            let others = to_others.saturating_sub(usual);
            let factor = to_victim as f64 / len as f64;
            let kind = self.name;
            let r = self.r;
            if to_victim + others > 0 {
                let row = format!("{name} | {len} | {to_victim} | {factor:.1} | {others}");
                writeln!(table, "| {kind} | {r} | {row} |").unwrap();
            }
            assert!(to_victim <= 3 * len, "{kind}, r = {r}, {name}: {to_victim} for {len} bytes");
            // A question that is passed on is one datagram for another.
            assert!(others <= 3 * len, "{kind}, r = {r}, {name}: {others} bytes to others");
        }
    }

    /// Returns the bytes that a node sends to the victim and to others in the next four seconds, in which nobody
    /// answers.
    fn sent(&self, node: &mut TestNode<I, A>) -> [usize; 2] {
        let mut bytes = [0; 2];
        let mut buf = [0; 2048];
        let end = Duration::from_secs(4);
        loop {
            while let Some(sent) = node.poll_transmit(&mut buf).unwrap() {
                let other = sent.to != (self.address)(VICTIM);
                bytes[usize::from(other)] += sent.len;
            }
            while node.poll_event().is_some() {}
            let Some(due) = node.poll_timeout().filter(|due| *due < end) else { return bytes };
            node.handle_timeout(due);
        }
    }
}

#[test]
fn a_forged_source_receives_at_most_three_times_what_it_sends() {
    let mut table = String::new();
    let id = |n: u8| Id160::from([n; 20]);
    let address = |n| SocketAddrV4::new([192, 0, 2, n].into(), 4000);
    for r in [8, 20] {
        Kind { name: "`Id160`, `SocketAddrV4`", r, id, address }.measure(&mut table);
    }
    Kind {
        name: "`Id256`, `SocketAddr`",
        r: 20,
        id: |n: u8| Id256::from([n; 32]),
        address: |n| SocketAddr::new([192, 0, 2, n].into(), 4000),
    }
    .measure(&mut table);
    Kind {
        name: "`Word<32>`, `SocketAddr`",
        r: 8,
        id: |n: u8| Word::<32>::new(u64::from(n) << 24),
        address: |n| SocketAddr::new([192, 0, 2, n].into(), 4000),
    }
    .measure(&mut table);
    Kind { name: "`u32`, `[u8; 2]`", r: 4, id: |n: u8| u32::from(n) << 24, address: |n| [n, 0] }
        .measure(&mut table);
    println!("{table}");
    let page = include_str!("../docs/amplification.md");
    assert!(page.contains(&table), "paste this:\n{table}");
}
