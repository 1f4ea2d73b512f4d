//! What must hold for any bytes. Each body is an ordinary function that the property tests, the
//! corpus test and the fuzz targets call; this file uses `chord_core` and `sim` only.

mod geometry;

use core::time::Duration;

use chord_core::{
    Config, ContactSlot, DecodeError, FingerSlot, FingerTable, Id160, Identifier, KeyRange,
    LookupSlot, Message, Node, NodeArrays, NodeSlots, Peer, Route, RoutingTable, Style,
    SuccessorList, Wire, Word,
};
use sim::laws::{Input, Machine, Outcome, check, check_poll_order};

/// Panics if the bytes show that something does not hold.
pub type Body = fn(&[u8]);

/// One body for each decoder and each machine, by name.
pub const BODIES: &[(&str, Body)] = &[
    ("chord_address", chord_address),
    ("chord_can", geometry::chord_can),
    ("chord_fingers", chord_fingers),
    ("chord_freenet", geometry::chord_freenet),
    ("chord_geometry", geometry::chord_geometry),
    ("chord_interval", chord_interval),
    ("chord_message", chord_message),
    ("chord_node", chord_node),
    ("chord_node_wide", chord_node_wide),
    ("chord_reload", geometry::chord_reload),
    ("chord_routing", chord_routing),
    ("chord_successors", chord_successors),
];

type Small = Word<5>;

fn small(input: &mut Input<'_>) -> Small {
    Small::new(u64::from(input.byte()))
}

fn peer(input: &mut Input<'_>) -> Peer<Small, u32> {
    let id = small(input);
    Peer { id, address: id.value() as u32 }
}

/// Any bytes are an address that is written back to the same bytes, or none.
pub fn chord_address(bytes: &[u8]) {
    fn holds<T: Wire>(bytes: &[u8]) {
        if let Some(value) = T::read(bytes) {
            let mut out = [0xEE; 32];
            value.write(&mut out[..T::LEN]);
            assert_eq!(&out[..T::LEN], bytes);
        }
    }
    holds::<core::net::SocketAddr>(bytes);
    holds::<core::net::SocketAddrV4>(bytes);
    holds::<core::net::SocketAddrV6>(bytes);
    holds::<Small>(bytes);
    holds::<Id160>(bytes);
    holds::<u32>(bytes);
    holds::<[u8; 7]>(bytes);
    holds::<chord_core::Virtual<[u8; 4]>>(bytes);
}

/// Any bytes are a message that is written back to the same bytes, or an error; and
/// [`DecodeError::Incomplete`] is the only error of the front of a message.
pub fn chord_message(bytes: &[u8]) {
    fn holds<I: Identifier, A: chord_core::Address>(bytes: &[u8]) {
        match Message::<I, A>::decode(bytes) {
            Ok((message, rest)) => {
                let len = bytes.len() - rest.len();
                let mut out = [0; 1200];
                assert!(len <= Message::<I, A>::MAX_LEN, "{len} bytes");
                assert_eq!(message.encode(&mut out), Ok(len));
                assert_eq!(out[..len], bytes[..len]);
                assert!(message.encode(&mut out[..len - 1]).is_err_and(|e| e.needed == len));
                assert!(!message.to_string().is_empty());
                for cut in 0..len {
                    let short = Message::<I, A>::decode(&bytes[..cut]);
                    assert!(matches!(short, Err(DecodeError::Incomplete { needed: 1.. })), "{cut}");
                }
            }
            Err(DecodeError::Incomplete { needed }) => {
                assert!(needed >= 1 && bytes.len() < Message::<I, A>::MAX_LEN);
            }
            Err(error) => {
                let longer: Vec<u8> = bytes.iter().copied().chain([0; 40]).collect();
                assert_eq!(Message::<I, A>::decode(&longer), Err(error), "bytes cured it");
            }
        }
    }
    holds::<Small, u32>(bytes);
    holds::<Id160, core::net::SocketAddr>(bytes);
    holds::<chord_core::Id256, [u8; 6]>(bytes);
}

/// Intervals against walking round the ring.
pub fn chord_interval(bytes: &[u8]) {
    fn walk(from: u64, to: u64) -> Vec<u64> {
        let mut steps = vec![];
        let mut at = (from + 1) % 32;
        while at != to {
            steps.push(at);
            at = (at + 1) % 32;
        }
        steps
    }
    let mut input = Input::new(bytes);
    while !input.is_empty() {
        let a = small(&mut input);
        let b = small(&mut input);
        let x = small(&mut input);
        let inside = walk(a.value(), b.value());
        assert_eq!(x.between(a, b), inside.contains(&x.value()), "{x} in ({a}, {b})");
        let range = KeyRange { after: a, through: b };
        assert_eq!(
            range.contains(x),
            inside.contains(&x.value()) || x == b || a == b,
            "{x} {range}"
        );
        assert_eq!(a.distance(b).value(), (inside.len() as u64 + 1) % 32);
        assert_eq!(a.plus(a.distance(b)), b);
    }
}

/// Finger tables against the definition over a sorted ring, learnt in any order, and as the
/// lookups of `fix_fingers` would fill them.
pub fn chord_fingers(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let me = small(&mut input);
    let mut ring: Vec<_> = core::iter::once(me.value()).collect();
    let mut learnt = FingerTable::new(me, [FingerSlot::EMPTY; 16]);
    let mut fixed = FingerTable::new(me, [FingerSlot::EMPTY; 16]);
    while !input.is_empty() {
        let peer = peer(&mut input);
        learnt.learn(peer);
        if input.byte().is_multiple_of(4) {
            fixed.set(u32::from(input.byte()), peer); // garbage, which one turn has to clear
            fixed.learn(peer);
        }
        ring.push(peer.id.value());
    }
    ring.sort_unstable();
    let owner = |key: u64| *ring.iter().find(|id| **id >= key).unwrap_or(&ring[0]);
    for i in 1..=5 {
        let owner = Small::new(owner(me.finger_start(i).value()));
        fixed.set(i, Peer { id: owner, address: owner.value() as u32 });
    }
    for i in 1..=5 {
        let expected = Small::new(owner(me.finger_start(i).value()));
        for table in [&learnt, &fixed] {
            assert_eq!(table.finger(i).map_or(me, |peer| peer.id), expected, "finger {i} of {me}");
        }
    }
    assert!(fixed.len() <= 5 && fixed.iter().eq(learnt.iter()), "one entry for each octave");
    for key in 0..32 {
        let key = Small::new(key);
        let expected = fixed.iter().rfind(|peer| peer.id.between(me, key));
        assert_eq!(fixed.closest_preceding(key), expected);
    }
}

/// Successor lists against a sorted ring.
pub fn chord_successors(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let me = small(&mut input);
    let mut list = SuccessorList::new(me, vec![Peer::EMPTY; 1 + usize::from(input.byte() % 20)]);
    let mut distances = vec![];
    while !input.is_empty() {
        let peer = peer(&mut input);
        list.learn(peer);
        distances.push(me.distance(peer.id).value());
    }
    distances.sort_unstable();
    distances.dedup();
    distances.retain(|distance| *distance > 0);
    distances.truncate(list.r());
    assert!((1..=20).contains(&list.r()));
    assert_eq!(list.is_full(), distances.len() == list.r());
    assert!(list.as_slice().iter().map(|peer| me.distance(peer.id).value()).eq(distances));
    let all: Vec<_> = list.identifiers().collect();
    assert_eq!(all.len(), list.r());
    let padding = &all[list.as_slice().len()..];
    let mut last = list.as_slice().last().map_or(me, |peer| peer.id);
    for id in padding {
        last = last.plus(Small::new(1));
        assert_eq!(*id, last);
    }
}

/// A lookup over a ring ends at the owner whatever the fingers are, and around the dead.
pub fn chord_routing(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let key = small(&mut input);
    let dead = input.u32();
    let mut ring: Vec<_> = (0..=input.below(12)).map(|_| peer(&mut input)).collect();
    ring.sort_by_key(|peer| peer.id);
    ring.dedup();
    let alive = |peer: &Peer<Small, u32>| peer.id == ring[0].id || dead >> peer.id.value() & 1 == 0;
    let mut at = ring[0];
    for hops in 0.. {
        assert!(hops <= ring.len(), "each hop is closer");
        let mut table = RoutingTable::new(at, [Peer::EMPTY; 20], [FingerSlot::EMPTY; 16]);
        for peer in &ring {
            table.successors.learn(*peer);
        }
        for _ in 0..input.below(8) {
            table.fingers.learn(ring[input.below(ring.len())]); // garbage: it need not be a finger
        }
        let Some(route) = table.route_around(key, alive) else {
            assert!(!ring.iter().any(|peer| *peer != at && alive(peer)), "somebody lives");
            return;
        };
        match route {
            Route::Ask(next) => {
                assert!(next.id.between(at.id, key) && alive(&next));
                at = next;
            }
            Route::Owner(owner) => {
                let mut living = ring.iter().filter(|peer| alive(peer));
                let first = living.clone().next();
                assert_eq!(Some(&owner), living.find(|peer| peer.id >= key).or(first));
                return;
            }
        }
    }
}

/// A node of a classroom ring keeps the laws.
pub fn chord_node(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let slots = input.below(4);
    let r = input.byte();
    let start = input.byte();
    let mut config = Config::default();
    config.seed = u64::from(r);
    config.tries = 1 + start % 3;
    config.style = [Style::Iterative, Style::Recursive, Style::SemiRecursive][usize::from(r % 3)];
    config.proximity = r >= 128;
    config.stabilize_when_calm = config.patience * 11;
    config.patience = Duration::from_millis(1 + u64::from(start) * 10);
    let me = Peer { id: Small::new(8), address: 8 };
    check(
        || {
            let storage = NodeSlots {
                successors: vec![Peer::EMPTY; 1 + usize::from(r % 6)],
                fingers: vec![FingerSlot::EMPTY; usize::from(r % 7)],
                lookups: vec![LookupSlot::EMPTY; 1 + slots],
                contacts: vec![ContactSlot::EMPTY; usize::from(start % 5)],
            };
            let mut node = Node::new(config, me, storage).unwrap();
            let members: Vec<_> =
                (0..8).map(|n| Peer { id: Small::new(n * 4), address: n as u32 * 4 }).collect();
            match start % 4 {
                0 => assert!(node.create_base(Duration::ZERO, &members).is_ok()),
                1 => assert!(node.create(Duration::ZERO).is_ok()),
                2 => assert!(node.join(Duration::ZERO, 4).is_ok()),
                _ => {}
            }
            Tested { node, asked: vec![] }
        },
        Message::<Small, u32>::MAX_LEN,
        input.bytes(usize::MAX),
    );
}

/// So does a node with identifiers of 160 bits in a static amount of memory, whatever bytes reach it.
pub fn chord_node_wide(bytes: &[u8]) {
    type Address = core::net::SocketAddrV4;
    type Slots = NodeArrays<Id160, Address, 8, 16, 3, 2>;
    struct Wide(Node<Id160, Address, Slots>);

    impl Machine for Wide {
        fn call(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
            let node = &mut self.0;
            let from = Address::new([127, 0, 0, input.byte() % 4].into(), 4000);
            match input.byte() % 8 {
                0 => Outcome::of(node.create(now)),
                1 => Outcome::of(node.join(now, from)),
                2 => Outcome::of(node.lookup(now, Id160::from(input.array::<20>()))),
                _ => {
                    let len = usize::from(input.byte());
                    Outcome::of(node.handle_datagram(now, from, input.bytes(len)))
                }
            }
        }

        fn handle_timeout(&mut self, now: Duration) {
            self.0.handle_timeout(now);
        }

        fn poll_timeout(&self) -> Option<Duration> {
            self.0.poll_timeout()
        }

        fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(String, usize)>, usize> {
            let sent = self.0.poll_transmit(buf).map_err(|error| error.needed)?;
            Ok(sent.map(|sent| (format!("{:?}", sent.to), sent.len)))
        }

        fn poll_event(&mut self) -> Option<String> {
            self.0.poll_event().map(|event| event.to_string())
        }

        fn state(&self) -> String {
            format!("{:?}", self.0)
        }

        fn same_state(&self, other: &Self) -> bool {
            self.0 == other.0
        }
    }

    let me = Peer { id: Id160::from([7; 20]), address: Address::new([127, 0, 0, 1].into(), 4000) };
    let new = || Wide(Node::new(Config::default(), me, Slots::EMPTY).unwrap());
    check(new, Message::<Id160, Address>::MAX_LEN, bytes);
    check_poll_order(new, Message::<Id160, Address>::MAX_LEN, bytes);
}

type TestSlots = NodeSlots<
    Vec<Peer<Small, u32>>,
    Vec<FingerSlot<Small, u32>>,
    Vec<LookupSlot<Small, u32>>,
    Vec<ContactSlot<Small, u32>>,
>;

/// A node, and what it last asked which peer, so that arbitrary bytes can spell answers that it awaits.
struct Tested {
    node: Node<Small, u32, TestSlots>,
    asked: Vec<(u32, Message<Small, u32>)>,
}

impl Tested {
    /// Makes up a message: mostly one that fits a question of the node.
    fn message(&self, input: &mut Input<'_>) -> (u32, Message<Small, u32>) {
        let choice = usize::from(input.byte());
        let asked = self.asked.len().checked_sub(1 + choice % 4).and_then(|at| self.asked.get(at));
        let (from, token, key) = match asked {
            Some((to, Message::Ping { token, .. } | Message::Query { token, .. })) => {
                (*to, *token, None)
            }
            Some((to, Message::Find { token, key, .. } | Message::Route { token, key, .. })) => {
                (*to, *token, Some(*key))
            }
            _ => (u32::from(input.byte() % 32), 7, None),
        };
        let id =
            if input.byte().is_multiple_of(8) { small(input) } else { Small::new(u64::from(from)) };
        let a = peer(input);
        let b = peer(input);
        let back = [a.address, b.address].into_iter().take(input.below(3)).collect();
        let hops = input.byte() / 2;
        let direct = input.byte().is_multiple_of(2);
        let padding = u16::from(input.byte());
        let message = match (input.byte() % 19, key) {
            (18, _) => Message::Nudge { id },
            (16, _) => Message::Route { token, key: a.id, hops, direct, back },
            (17, Some(key)) => {
                Message::Found { token, id, peer: Peer { id: key, ..b }, hops, back }
            }
            (17, None) => Message::Found { token, id, peer: b, hops, back },
            (0..5, Some(_)) => Message::Closer { token, id, peer: a },
            (5..8, Some(key)) => Message::Owner { token, id, peer: Peer { id: key, ..a } },
            (0..2, None) => Message::Pong { token, id },
            (2..8, None) => {
                let successors = [a, b, peer(input)].into_iter().take(input.below(4)).collect();
                Message::State { token, id, predecessor: b, successors }
            }
            (8, _) => Message::Busy { token },
            (9, _) => Message::Absent { token },
            (10, _) => Message::Ping { token, padding },
            (11, _) => Message::Query { token, padding },
            (12, _) => Message::Find { token, key: a.id, avoid: [b.id].into_iter().collect() },
            (13 | 14, _) => Message::Notify { id },
            _ => Message::Leave { id },
        };
        (from, message)
    }
}

impl Machine for Tested {
    fn call(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
        match input.byte() % 16 {
            0 => Outcome::of(self.node.create(now)),
            1 => match u32::from(input.byte()) {
                contact @ 0..128 => Outcome::of(self.node.join(now, contact % 32)),
                contact => Outcome::of(self.node.rejoin(now, small(input), contact % 32)),
            },
            2 | 3 => Outcome::of(self.node.lookup(now, small(input))),
            4 if input.byte().is_multiple_of(8) => {
                self.node.leave(now);
                Outcome::Done(String::new())
            }
            6 => match (input.byte() % 4, u32::from(input.byte() % 32)) {
                (0, contact) => Outcome::of(self.node.merge(now, contact)),
                (1, address) => {
                    self.node.handle_timeout(now); // the call itself has no time
                    Outcome::Done(format!("{:?}", self.node.add_seed(address)))
                }
                (2, address) => {
                    self.node.handle_timeout(now);
                    self.node.set_address(address);
                    Outcome::Done(String::new())
                }
                (_, millis) => {
                    let within = Duration::from_millis(u64::from(millis) * 50);
                    let lookup = self.node.lookup_within(now, small(input), within);
                    if let (Ok(lookup), true) = (lookup, input.byte().is_multiple_of(2)) {
                        self.node.cancel(lookup);
                    }
                    Outcome::of(lookup)
                }
            },
            5 => {
                let from = u32::from(input.byte() % 32);
                let len = input.below(40);
                Outcome::of(self.node.handle_datagram(now, from, input.bytes(len)))
            }
            _ => {
                let (from, message) = self.message(input);
                let mut bytes = [0; Message::<Small, u32>::MAX_LEN];
                let len = message.encode(&mut bytes).unwrap();
                Outcome::of(self.node.handle_datagram(now, from, &bytes[..len]))
            }
        }
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.node.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.node.poll_timeout()
    }

    fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(String, usize)>, usize> {
        let Some(sent) = self.node.poll_transmit(buf).map_err(|error| error.needed)? else {
            return Ok(None);
        };
        let message = Message::decode(&buf[..sent.len]).expect("a node sends what it reads").0;
        self.asked.push((sent.to, message));
        Ok(Some((sent.to.to_string(), sent.len)))
    }

    fn poll_event(&mut self) -> Option<String> {
        self.node.poll_event().map(|event| event.to_string())
    }

    fn state(&self) -> String {
        format!("{:?}", self.node)
    }

    fn same_state(&self, other: &Self) -> bool {
        let node = &self.node;
        let list = node.successors();
        assert!(list.iter().all(|peer| peer.id != node.me().id), "its own successor");
        for (n, peer) in list.iter().enumerate() {
            assert!(list[..n].iter().all(|known| known.id != peer.id), "{peer} twice");
        }
        *node == other.node
    }
}
