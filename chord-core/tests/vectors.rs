//! Worked rings of papers and lectures, exactly; sizes, bytes and pictures as documented.

use core::time::Duration;

use chord_core::{
    Config, ConfigError, ContactSlot, FingerSlot, FingerTable, Id64, Id128, Id160, Id256,
    Identifier, LookupSlot, Message, Node, NodeArrays, NodeSlots, Peer, Route, RoutingTableVec,
    State, Wire, Word, transitions::TRANSITIONS,
};
use core::fmt::Write as _;
use sha1::{Digest, Sha1};
use sim::Rng;

type At<I> = Peer<I, [u8; 0]>;

fn peer<I: Identifier>(id: I) -> At<I> {
    Peer { id, address: [] }
}

/// A ring of the data files.
#[derive(Default)]
struct Ring {
    name: String,
    bits: u32,
    members: Vec<u64>,
    key_owner: Vec<Vec<u64>>,
    tables: Vec<(u64, Vec<Vec<u64>>)>,
    lookups: Vec<Lookup>,
}

#[derive(Default)]
struct Lookup {
    key: u64,
    start: u64,
    path: Vec<u64>,
    owner: u64,
}

/// Reads the little of TOML that the data files need.
fn rings(text: &str) -> Vec<Ring> {
    let mut rings: Vec<Ring> = vec![];
    let numbers = |text: &str| -> Vec<u64> {
        let parts = text.split(|c: char| !c.is_ascii_digit());
        parts.filter(|part| !part.is_empty()).map(|part| part.parse().unwrap()).collect()
    };
    let pairs = |text: &str| numbers(text).chunks(2).map(<[u64]>::to_vec).collect();
    for line in text.lines() {
        match line {
            "[[ring]]" => rings.push(Ring::default()),
            "[[ring.finger_table]]" => rings.last_mut().unwrap().tables.push((0, vec![])),
            "[[ring.lookup]]" => rings.last_mut().unwrap().lookups.push(Lookup::default()),
            _ => {}
        }
        let Some((name, value)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) else {
            continue;
        };
        let ring = rings.last_mut().unwrap();
        let first = numbers(value).first().copied().unwrap_or_default();
        match name {
            "name" => ring.name = value.trim_matches('"').into(),
            "bits" => ring.bits = first as u32,
            "members" => ring.members = numbers(value),
            "key_owner" => ring.key_owner = pairs(value),
            "node" => ring.tables.last_mut().unwrap().0 = first,
            "entries" => ring.tables.last_mut().unwrap().1 = pairs(value),
            "key" => ring.lookups.last_mut().unwrap().key = first,
            "start" => ring.lookups.last_mut().unwrap().start = first,
            "path" => ring.lookups.last_mut().unwrap().path = numbers(value),
            "owner" => ring.lookups.last_mut().unwrap().owner = first,
            _ => {}
        }
    }
    rings
}

/// Follows the routing step from node to node.
fn follow<I: Identifier>(tables: &[RoutingTableVec<I, [u8; 0]>], start: I, key: I) -> (Vec<I>, I) {
    let mut path = vec![start];
    loop {
        let at = *path.last().unwrap();
        let table = tables.iter().find(|table| table.me.id == at).unwrap();
        match table.route(key) {
            Route::Owner(owner) => return (path, owner.id),
            Route::Ask(next) => {
                assert!(next.id.between(at, key), "C-CHD-10: never backwards");
                path.push(next.id);
            }
        }
    }
}

fn check_ring<I: Identifier + From<u64>>(ring: &Ring) {
    let members: Vec<_> = ring.members.iter().map(|id| peer(I::from(*id))).collect();
    let tables: Vec<_> =
        members.iter().map(|me| RoutingTableVec::of_ring(*me, 1, 16, &members)).collect();
    for (node, entries) in &ring.tables {
        let me = I::from(*node);
        let table = tables.iter().find(|table| table.me.id == me).unwrap();
        assert_eq!(entries.len(), I::BITS as usize, "C-CHD-05: m entries");
        for (i, entry) in (1..).zip(entries) {
            assert_eq!(me.finger_start(i), I::from(entry[0]), "C-CHD-04: start {i} of {node}");
            let finger = table.fingers.finger(i).map_or(me, |peer| peer.id);
            assert_eq!(finger, I::from(entry[1]), "C-CHD-06: finger {i} of {node}");
        }
    }
    for lookup in &ring.lookups {
        let (path, owner) = follow(&tables, I::from(lookup.start), I::from(lookup.key));
        let expected: Vec<_> = lookup.path.iter().map(|id| I::from(*id)).collect();
        assert_eq!((path, owner), (expected, I::from(lookup.owner)), "{}", ring.name);
    }
    let owners = ring.key_owner.iter().map(|pair| (pair[0], pair[1]));
    for (key, owner) in owners {
        for start in &members {
            assert_eq!(follow(&tables, start.id, I::from(key)).1, I::from(owner));
        }
    }
}

#[test]
fn tables_and_paths_are_those_of_papers_and_lectures() {
    // C-CHD-06, C-CHD-07, C-CHD-09, C-CHD-11, C-CHD-12; SIGCOMM 2001 and Stoica 2003
    let mut seen = vec![];
    for text in [include_str!("data/rings-slides.toml"), include_str!("data/rings-paper.toml")] {
        for ring in rings(text) {
            match ring.bits {
                3 => check_ring::<Word<3>>(&ring),
                5 => check_ring::<Word<5>>(&ring),
                6 => check_ring::<Word<6>>(&ring),
                bits => panic!("{bits} bits"),
            }
            seen.push((ring.name, ring.tables.len(), ring.lookups.len()));
        }
    }
    let seen: Vec<_> =
        seen.iter().map(|(name, tables, paths)| (&**name, *tables, *paths)).collect();
    let all = [("node-8", 1, 1), ("tanenbaum", 6, 2), ("sigcomm-m3", 3, 0), ("ton-m6", 10, 1)];
    assert_eq!(seen, all);
}

const TANENBAUM: [u64; 9] = [1, 4, 9, 11, 14, 18, 20, 21, 28];

fn tanenbaum() -> Vec<RoutingTableVec<Word<5>, [u8; 0]>> {
    let members = TANENBAUM.map(|id| peer(Word::new(id)));
    members.iter().map(|me| RoutingTableVec::of_ring(*me, 1, 16, &members)).collect()
}

#[test]
fn lookups_in_the_ring_of_tanenbaum_take_the_derived_hops() {
    // Derived: 466 forwardings with fingers, 1,152 without (C-CHD-03, C-CHD-08).
    let fingers = tanenbaum();
    let mut linear = fingers.clone();
    for table in &mut linear {
        table.fingers = FingerTable::new(table.me.id, vec![FingerSlot::EMPTY; 16]);
    }
    for (tables, total, worst) in [(&fingers, 466, 4), (&linear, 1152, 8)] {
        let mut lens = vec![];
        for start in TANENBAUM {
            for key in 0..32 {
                let (path, owner) = follow(tables, Word::new(start), Word::new(key));
                let expected = *TANENBAUM.iter().find(|id| **id >= key).unwrap_or(&1);
                assert_eq!(owner.value(), expected, "C-CHD-02: key {key}");
                lens.push(path.len() - 1);
            }
        }
        assert_eq!(lens.iter().sum::<usize>(), total);
        assert_eq!(lens.iter().max(), Some(&worst));
    }
    let path = |tables, start, key| {
        let (path, _) = follow(tables, Word::<5>::new(start), Word::new(key));
        path.into_iter().map(Word::value).collect::<Vec<_>>()
    };
    assert_eq!(path(&linear, 1, 26), [1, 4, 9, 11, 14, 18, 20, 21]);
    assert_eq!(path(&linear, 28, 12), [28, 1, 4, 9, 11]);
}

#[test]
fn each_forwarding_halves_the_distance() {
    // C-CHD-08, to the predecessor of the key.
    let tables = tanenbaum();
    for start in TANENBAUM {
        for key in (0..32).map(Word::<5>::new) {
            let (path, _) = follow(&tables, Word::new(start), key);
            let last = *path.last().unwrap();
            for pair in path.windows(2) {
                let far = pair[0].distance(last);
                let near = pair[1].distance(last);
                assert!(near.value() * 2 <= far.value(), "{path:?}");
            }
        }
    }
}

#[test]
fn the_lookup_rule_with_a_wrong_not_fails_the_examples() {
    // The lectures print "the first entry that is NOT between n and k". Taken literally, each of
    // their own examples fails; so the tests above would notice that rule.
    let slides = rings(include_str!("data/rings-slides.toml"));
    for ring in &slides {
        let members: Vec<_> = ring.members.iter().map(|id| peer(Word::<5>::new(*id))).collect();
        for lookup in &ring.lookups {
            let me = Word::<5>::new(lookup.start);
            let key = Word::new(lookup.key);
            let table = RoutingTableVec::of_ring(peer(me), 1, 16, &members);
            let fingers: Vec<_> = (1..=5).rev().filter_map(|i| table.fingers.finger(i)).collect();
            let literal = fingers.iter().find(|finger| !finger.id.between(me, key));
            let right = fingers.iter().find(|finger| finger.id.between(me, key));
            assert_eq!(right.unwrap().id, Word::new(lookup.path[1]));
            assert_ne!(literal, right);
            let expected = if lookup.start == 28 { Some(14) } else { None };
            assert_eq!(literal.map(|finger| finger.id.value()), expected);
        }
    }
}

#[test]
fn garbage_fingers_change_hops_and_never_owners() {
    // C-CHD-17, C-CHD-18
    let mut rng = Rng::new(11);
    let right = tanenbaum();
    let mut hops = 0;
    for _ in 0..200 {
        let mut tables = right.clone();
        for table in &mut tables {
            table.fingers = FingerTable::new(table.me.id, vec![FingerSlot::EMPTY; 16]);
            for _ in 0..rng.below(6) {
                let id = TANENBAUM[rng.below(9) as usize];
                table.fingers.set(rng.below(7) as u32, peer(Word::new(id)));
            }
        }
        for key in 0..32 {
            let start = Word::new(TANENBAUM[rng.below(9) as usize]);
            let (path, owner) = follow(&tables, start, Word::new(key));
            assert_eq!(owner, follow(&right, start, Word::new(key)).1);
            hops += path.len() - 1;
        }
    }
    assert!(hops > 200 * 32 * 466 / 288, "garbage has its price: {hops}");
}

/// The mean number of forwardings, a lookup without any counted as 1, as the figure draws it.
fn mean_path(nodes: usize, seed: u64) -> f64 {
    let mut rng = Rng::new(seed);
    let mut ring: Vec<_> = (0..nodes).map(|_| peer(rng.next_u64())).collect();
    ring.sort_by_key(|peer| peer.id);
    let tables: Vec<_> =
        ring.iter().map(|me| RoutingTableVec::of_ring(*me, 1, 16, &ring)).collect();
    let lookups = 100 * nodes;
    let mut total = 0;
    for _ in 0..lookups {
        let mut at = rng.below(nodes as u64) as usize;
        let key = rng.next_u64();
        let mut hops = 0;
        while let Route::Ask(next) = tables[at].route(key) {
            at = ring.binary_search_by_key(&next.id, |peer| peer.id).unwrap();
            hops += 1;
        }
        total += hops.max(1);
    }
    f64::from(total) / lookups as f64
}

#[test]
fn path_lengths_are_those_of_the_figure() {
    // Stoica 2003, Fig. 10(a)
    // One ring of 128 random identifiers moves the mean by .045, so several are averaged.
    for (nodes, rings, mean) in [(128, 40, 3.39), (1024, 4, 4.89)] {
        let ours = (0..rings).map(|seed| mean_path(nodes, seed)).sum::<f64>() / rings as f64;
        assert!((ours - mean).abs() <= 0.05, "{nodes} nodes: {ours:.3}, not {mean}");
    }
}

#[test]
fn identifiers_of_all_widths_wrap_around() {
    // C-DHT-04, C-DHT-05, C-CHD-01
    let name = |text: &str| <[u8; 20]>::from(Sha1::digest(text));
    let id = Id160::from(name("abc")); // FIPS 180: the digest of "abc"
    assert_eq!(id.to_string(), "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_eq!(format!("{id:.8}"), "a9993e36");
    assert_eq!(<[u8; 20]>::from(id), name("abc"));
    assert_eq!((Id128::BITS, Id160::BITS, Id256::BITS), (128, 160, 256));

    let mut rng = Rng::new(3);
    for _ in 0..500 {
        // 128 bits by limbs are what the machine says they are.
        let wide = |n: u128| Id128::from(n.to_be_bytes());
        let random = || u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64());
        let [a, b, x] = core::array::from_fn({
            let mut random = random;
            move |_| random() & [u128::MAX, 0xFF, u128::MAX << 60][(random() % 3) as usize]
        });
        assert_eq!(wide(a).plus(wide(b)), wide(a.wrapping_add(b)));
        assert_eq!(wide(a).distance(wide(b)), wide(b.wrapping_sub(a)));
        assert_eq!(wide(a).log2(), a.checked_ilog2());
        assert_eq!(wide(x).between(wide(a), wide(b)), x.between(a, b));
        for i in [1, 2, 32, 33, 64, 65, 97, 128] {
            assert_eq!(wide(a).finger_start(i), wide(a.finger_start(i)));
        }
    }
    let one = Id160::power_of_two(0);
    assert_eq!(Id160::from([0xFF; 20]).plus(one), Id160::from([0; 20]));
    assert_eq!(Id160::power_of_two(159).to_string(), format!("8{}", "0".repeat(39)));
    assert_eq!(Id160::power_of_two(160), Id160::from([0; 20]));
    assert_eq!(one.finger_start(0), one.finger_start(1), "numbers outside 1 to m");
    assert_eq!(Word::<3>::new(6).finger_start(9), Word::new(2));
    assert_eq!((Word::<64>::new(u64::MAX).value(), Word::<5>::new(37).value()), (u64::MAX, 5));
}

#[test]
fn sizes_are_as_documented() {
    use core::net::{SocketAddr, SocketAddrV4};
    let readme = include_str!("../README.md");
    let mut table = String::new();
    macro_rules! row {
        ($id:ty, $address:ty) => {
            let node = size_of::<Node<$id, $address, NodeArrays<$id, $address, 0, 0, 0, 0>>>();
            let successor = size_of::<Peer<$id, $address>>();
            let finger = size_of::<FingerSlot<$id, $address>>();
            let lookup = size_of::<LookupSlot<$id, $address>>();
            let contact = size_of::<ContactSlot<$id, $address>>();
            let longest = Message::<$id, $address>::MAX_LEN;
            let name = stringify!($id, $address).replace(", ", "`, `");
            writeln!(
                table,
                "| `{name}` | {node} | {successor} | {finger} | {lookup} | {contact} | {longest} |"
            )
            .unwrap();
        };
    }
    row!(Id160, SocketAddrV4);
    row!(Id256, SocketAddr);
    row!(Id64, u32);
    row!(u32, u32);
    // On 32 bits they are smaller.
    assert!(!cfg!(target_pointer_width = "64") || readme.contains(&table), "paste this:\n{table}");

    // r = 4 and 8 fingers, without lookups.
    let wide = size_of::<Node<Id160, SocketAddrV4, NodeArrays<Id160, SocketAddrV4, 4, 8, 0, 0>>>();
    let small = size_of::<Node<u32, [u8; 2], NodeArrays<u32, [u8; 2], 4, 8, 0, 0>>>();
    let long = size_of::<Node<Id160, SocketAddrV4, NodeArrays<Id160, SocketAddrV4, 20, 8, 0, 0>>>();
    let longest = Message::<u32, [u8; 2]>::max_len(4);
    assert!(wide <= 730, "{wide} bytes");
    assert!(small <= 350, "{small} bytes");
    assert!(long <= 1126, "{long} bytes");
    assert!(longest <= 127, "a frame of IEEE 802.15.4, not {longest} bytes");
    let words = [
        format!("addresses takes {wide} bytes"),
        format!("`[u8; 2]` {small}."),
        format!("that is {longest} bytes"),
    ];
    for words in words {
        assert!(readme.contains(&words), "say: {words}");
    }
}

#[test]
fn the_longest_messages_fill_the_buffer() {
    fn longest<A: chord_core::Address>(address: A) {
        let peer = Peer { id: Id160::new([7; 5]), address };
        let successors = core::iter::repeat_n(peer, 30).collect();
        let state = Message::State { token: 1, id: peer.id, predecessor: peer, successors };
        let avoid = core::iter::repeat_n(peer.id, 30).collect();
        let find = Message::Find { token: 1, key: peer.id, avoid };
        let longest = state.encoded_len().max(find.encoded_len());
        assert_eq!(longest, Message::<Id160, A>::MAX_LEN);
        for message in [state, find] {
            let mut out = [0; 1000];
            let len = message.encode(&mut out).unwrap();
            assert_eq!(Message::decode(&out[..len]), Ok((message, &[][..])));
        }
    }
    longest([0; 6]);
    longest([]);
}

type DeviceSlots = NodeArrays<Id160, [u8; 6], 4, 8, 2, 2>;
const ME: Peer<Id160, [u8; 6]> = Peer { id: Id160::new([1, 2, 3, 4, 5]), address: [0; 6] };
const SLOTS: DeviceSlots = DeviceSlots::EMPTY; // or a `static`

#[test]
fn a_node_can_be_cloned_compared_and_hashed() {
    // What a model checker asks of a state.
    fn is_state<T: Clone + core::hash::Hash + Eq + core::fmt::Debug>() {}
    is_state::<Node<Word<3>, u32, NodeArrays<Word<3>, u32, 1, 3, 1, 1>>>();
    is_state::<RoutingTableVec<Id160, [u8; 6]>>();
    let node = Node::new(Config::DEFAULT, ME, SLOTS).unwrap();
    assert_eq!(node.me(), ME);
    assert_eq!(node.capacity(), 1);
    assert_eq!(node.state(), State::Outside);
    assert_eq!(node.into_storage(), SLOTS);
}

#[test]
fn configurations_that_make_no_sense_are_refused() {
    type Id = Word<5>;
    let new = |config: Config, r: usize, fingers: usize, lookups: usize| {
        let slots = NodeSlots {
            successors: vec![Peer::<Id, u32>::EMPTY; r],
            fingers: vec![FingerSlot::EMPTY; fingers],
            lookups: vec![LookupSlot::EMPTY; lookups],
            contacts: [],
        };
        Node::new(config, Peer::EMPTY, slots).err()
    };
    let config = Config::DEFAULT;
    assert_eq!(new(config, 1, 0, 1), None);
    assert_eq!(new(config, 20, 255, 9), None);
    assert_eq!(new(config, 0, 0, 1), Some(ConfigError::Successors(0)));
    assert_eq!(new(config, 21, 0, 1), Some(ConfigError::Successors(21)));
    assert_eq!(new(config, 1, 256, 1), Some(ConfigError::Fingers(256)));
    assert_eq!(new(config, 1, 0, 0), Some(ConfigError::Lookups));
    let with = |change: fn(&mut Config)| {
        let mut config = config;
        change(&mut config);
        new(config, 1, 0, 1)
    };
    assert_eq!(with(|config| config.tries = 0), Some(ConfigError::Tries));
    let short = |name| Some(ConfigError::TooShort(name));
    assert_eq!(with(|config| config.stabilize = Duration::ZERO), short("stabilize"));
    assert_eq!(with(|config| config.patience = Duration::ZERO), short("patience"));
    assert_eq!(with(|config| config.fix_fingers = Duration::ZERO), short("fix_fingers"));
    assert_eq!(
        with(|config| config.stabilize_when_calm = Duration::from_secs(1)),
        Some(ConfigError::Calm)
    );
}

#[test]
fn the_picture_in_the_readme_is_the_table() {
    let mut picture = String::from("stateDiagram-v2\n");
    for (from, by, to) in TRANSITIONS {
        let input = format!("{by:?}").to_lowercase();
        writeln!(picture, "    {from:?} --> {to:?}: {input}").unwrap();
        assert_eq!(from.after(*by), *to, "each pair once");
    }
    assert!(include_str!("../README.md").contains(&picture), "paste this:\n{picture}");
}

#[test]
fn bytes_are_those_of_the_table() {
    // WIRE.md: identifiers of 5 bits, IPv4 addresses.
    type Text = Message<Word<5>, core::net::SocketAddrV4>;
    let mut accepted = 0;
    let mut refused = 0;
    for line in include_str!("../WIRE.md").lines() {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [bytes, meaning] = cells[..] else { continue };
        let Some(bytes) = bytes.strip_prefix('`').and_then(|bytes| bytes.strip_suffix('`')) else {
            continue;
        };
        let bytes: Vec<u8> = bytes
            .split_whitespace()
            .map(|byte| u8::from_str_radix(byte, 16).expect(line))
            .collect();
        match (Text::decode(&bytes), meaning.strip_prefix("refused: ")) {
            (Ok((message, [])), None) => {
                assert_eq!(format!("`{message}`"), meaning, "{line}");
                let mut out = [0; Text::MAX_LEN];
                let len = message.encode(&mut out).unwrap();
                assert_eq!(out[..len], bytes, "{line}");
                accepted += 1;
            }
            (Err(error), Some(reason)) => {
                assert_eq!(error.to_string(), reason, "{line}");
                refused += 1;
            }
            other => panic!("{line}\n{other:?}"),
        }
    }
    assert!(accepted >= 17 && refused >= 14, "{accepted} accepted, {refused} refused");
    assert_eq!((<Word<5> as Wire>::LEN, Id160::LEN, Id256::LEN), (8, 20, 32));
}
