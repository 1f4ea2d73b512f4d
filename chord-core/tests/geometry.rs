//! Pastry, Tapestry, CAN and Kademlia: whatever node a search begins at, it ends at the owner that is found by
//! looking at all nodes, also where the nodes have joined one after the other.

use chord_core::geometry::{Bits, Can, CanError, Kademlia, Pastry, Point, Tapestry, Zone};
use chord_core::{Id64, Identifier, Peer, Route, Word};
use sim::Rng;

type Node = Peer<Id64, u32>;
type Slots = Vec<Option<Node>>;

const SIZES: [u32; 8] = [1, 2, 3, 5, 16, 17, 64, 200];
const B: u32 = 4; // bits a digit

#[test]
fn pastry_finds_the_closest() {
    for size in SIZES {
        let nodes = crowd(size);
        let mut all: Vec<_> = nodes.iter().map(|me| pastry(*me)).collect();
        for node in &mut all {
            for peer in &nodes {
                node.learn(*peer);
            }
        }
        check_pastry(&nodes, &all);
    }
}

#[test]
fn pastry_grows_by_joins_and_survives_failures() {
    let nodes = crowd(150);
    let mut all = vec![pastry(nodes[0])];
    for newcomer in &nodes[1..] {
        let mut state = pastry(*newcomer);
        // The way of its own identifier, from any node.
        for at in way(newcomer.id, all.len() / 2, |at, key| all[at].route(key)) {
            all[at].known().for_each(|peer| state.learn(peer));
        }
        state.known().for_each(|peer| {
            if peer.id != newcomer.id {
                all[peer.address as usize].learn(*newcomer);
            }
        });
        all.push(state);
    }
    check_pastry(&nodes, &all);
    // Fewer than half a leaf set of neighbours fail; the others ask their leaves for leaves.
    let (dead, live) = nodes.split_at(30);
    for node in &mut all {
        for peer in dead {
            node.forget(peer.id);
        }
    }
    let before = all.clone();
    for node in &mut all[30..] {
        let known: Vec<Node> = node.known().collect();
        for peer in known {
            before[peer.address as usize].known().for_each(|peer| node.learn(peer));
        }
    }
    check_pastry(live, &all);
}

fn pastry(me: Node) -> Pastry<Id64, u32, Slots, Slots> {
    Pastry::new(me, B, vec![None; 6 * 16], vec![None; 16])
}

fn check_pastry(nodes: &[Node], all: &[Pastry<Id64, u32, Slots, Slots>]) {
    let around = |a: Id64, b: Id64| a.distance(b).min(b.distance(a));
    check(
        nodes,
        |key| *nodes.iter().min_by_key(|peer| (around(peer.id, key), peer.id)).expect("a node"),
        |at, key| all[at].route(key),
    );
}

/// The ring of Tanenbaum and van Steen: Chord gives key 22 to node 28, Pastry to 21.
#[test]
fn pastry_means_closeness_where_chord_means_succession() {
    let nodes =
        [1, 4, 9, 11, 14, 18, 20, 21, 28].map(|id| Peer { id: Word::<5>::new(id), address: [] });
    let mut node = Pastry::new(nodes[7], 2, [None; 12], [None; 8]);
    for peer in nodes {
        node.learn(peer);
    }
    assert_eq!(node.route(Word::new(25)), Route::Owner(nodes[8]));
    assert_eq!(node.route(Word::new(22)), Route::Owner(nodes[7]));
}

#[test]
fn tapestry_has_one_root_for_each_key() {
    for size in SIZES {
        let nodes = crowd(size);
        let mut all: Vec<_> = nodes.iter().map(|me| tapestry(*me)).collect();
        for node in &mut all {
            for peer in &nodes {
                node.learn(*peer);
            }
        }
        check_tapestry(&nodes, &all);
    }
}

#[test]
fn tapestry_grows_by_announcements() {
    let nodes = crowd(150);
    let mut all = vec![tapestry(nodes[0])];
    for newcomer in &nodes[1..] {
        let mut state = tapestry(*newcomer);
        let root =
            *way(newcomer.id, all.len() / 3, |at, key| all[at].route(key)).last().expect("one");
        for peer in all[root].known() {
            state.learn(peer);
        }
        // To each node that shares the prefix, once.
        let mut reached = vec![(root, state.common_digits(nodes[root].id))];
        let mut heard = Vec::new();
        while let Some((at, digits)) = reached.pop() {
            reached.extend(
                all[at].announce(digits).map(|(peer, digits)| (peer.address as usize, digits)),
            );
            heard.push(at);
            state.learn(nodes[at]);
        }
        let shared = state.common_digits(nodes[root].id);
        let mut meant: Vec<usize> =
            (0..all.len()).filter(|at| state.common_digits(nodes[*at].id) >= shared).collect();
        heard.sort_unstable();
        meant.sort_unstable();
        assert_eq!(heard, meant);
        for at in heard {
            all[at].learn(*newcomer);
        }
        all.push(state);
    }
    check_tapestry(&nodes, &all);
}

fn tapestry(me: Node) -> Tapestry<Id64, u32, Slots> {
    Tapestry::new(me, B, vec![None; 16 * 16])
}

fn check_tapestry(nodes: &[Node], all: &[Tapestry<Id64, u32, Slots>]) {
    let root = |key: Id64| {
        let mut left = nodes.to_vec();
        for row in 0..16 {
            let wanted = key.digit(row, B);
            let digit = (0..16).map(|step| (wanted + step) % 16);
            let digit = digit.clone().find(|d| left.iter().any(|peer| peer.id.digit(row, B) == *d));
            left.retain(|peer| Some(peer.id.digit(row, B)) == digit);
        }
        left[0]
    };
    check(nodes, root, |at, key| all[at].route(key));
}

#[test]
fn kademlia_finds_the_closest_by_xor() {
    for size in SIZES {
        let nodes = crowd(size);
        for k in [1, 8] {
            let mut all: Vec<_> =
                nodes.iter().map(|me| Kademlia::new(*me, k, vec![None; 64 * k])).collect();
            for node in &mut all {
                for peer in &nodes {
                    node.learn(*peer);
                }
            }
            let owner =
                |key: Id64| *nodes.iter().min_by_key(|peer| peer.id.xor(key)).expect("a node");
            let most = check(&nodes, owner, |at, key| all[at].route(key));
            assert!(most <= 1 + size.ilog2() as usize + 8, "{most} hops among {size}");
        }
    }
}

/// Routes keys from every start, and returns the most hops.
fn check(
    nodes: &[Node],
    owner: impl Fn(Id64) -> Node,
    route: impl Fn(usize, Id64) -> Route<Id64, u32>,
) -> usize {
    let mut rng = Rng::new(nodes.len() as u64);
    let mut most = 0;
    for round in 0..40 {
        let key = if round % 4 == 0 { nodes[round % nodes.len()].id } else { random(&mut rng) };
        let expected = owner(key);
        for start in nodes {
            let way = way(key, start.address as usize, &route);
            let last = way[way.len() - 1];
            assert_eq!(last, expected.address as usize, "{key} from {start} of {}", nodes.len());
            most = most.max(way.len() - 1);
        }
    }
    most
}

/// Returns the nodes that a search comes to, the first and the owner among them.
fn way(key: Id64, start: usize, route: impl Fn(usize, Id64) -> Route<Id64, u32>) -> Vec<usize> {
    let mut way = vec![start];
    while way.len() < 100 {
        let at = way[way.len() - 1];
        match route(at, key) {
            Route::Owner(owner) if owner.address as usize == at => return way,
            Route::Owner(owner) => {
                way.push(owner.address as usize);
                return way;
            }
            Route::Ask(next) => way.push(next.address as usize),
        }
    }
    panic!("the search for {key} from {start} does not end: {way:?}");
}

/// Nodes whose address is their position.
fn crowd(size: u32) -> Vec<Node> {
    let mut rng = Rng::new(u64::from(size));
    (0..size).map(|address| Peer { id: random(&mut rng), address }).collect()
}

fn random(rng: &mut Rng) -> Id64 {
    Id64::new([rng.next_u64() as u32, rng.next_u64() as u32])
}

#[test]
fn can_is_a_tiling_whose_neighbours_touch() {
    grow::<1>(40, false);
    grow::<2>(200, false);
    grow::<2>(200, true);
    grow::<3>(100, false);
    grow::<4>(64, true);
}

type Torus<const D: usize> =
    Vec<Can<Id64, u32, Vec<Option<chord_core::geometry::Neighbour<Id64, u32, D>>>, D>>;

fn grow<const D: usize>(size: u32, uniform: bool) -> Torus<D> {
    let nodes = crowd(size);
    let mut rng = Rng::new(7);
    let mut point = || -> Point<D> { core::array::from_fn(|_| rng.next_u64() as u32) };
    let mut all: Torus<D> = vec![Can::new(nodes[0], vec![None; 64])];
    for newcomer in &nodes[1..] {
        let mut owner = owner_of(&all, all.len() / 2, &point());
        while let Some(larger) = all[owner].larger().filter(|_| uniform) {
            owner = larger.peer.address as usize;
        }
        let around: Vec<_> =
            all[owner].neighbours().map(|near| near.peer.address as usize).collect();
        let state = all[owner].split(*newcomer, vec![None; 64]).expect("slots");
        for near in around {
            let old = all[owner].clone();
            let new = state.clone();
            for changed in [&old, &new] {
                all[near].learn(changed.me(), changed.zone()).expect("slots");
            }
        }
        all.push(state);
    }
    let volume: f64 = all.iter().map(|node| 0.5_f64.powi(node.zone().halvings() as i32)).sum();
    assert!((volume - 1.0).abs() < 1e-9, "the zones cover the torus: {volume}");
    for (at, node) in all.iter().enumerate() {
        let mut listed: Vec<u32> = node.neighbours().map(|near| near.peer.address).collect();
        let touching = all.iter().filter(|other| node.zone().touches(&other.zone()));
        let mut touching: Vec<u32> = touching.map(|other| other.me().address).collect();
        listed.sort_unstable();
        touching.sort_unstable();
        assert_eq!(listed, touching, "the neighbours of {at}");
    }
    for _ in 0..40 {
        let point = point();
        let owner = all.iter().position(|node| node.zone().contains(&point)).expect("a tiling");
        for start in 0..all.len() {
            assert_eq!(owner_of(&all, start, &point), owner);
        }
    }
    all
}

fn owner_of<const D: usize>(all: &Torus<D>, start: usize, point: &Point<D>) -> usize {
    let mut at = start;
    for _ in 0..1000 {
        match all[at].route(point) {
            Route::Owner(owner) => return owner.address as usize,
            Route::Ask(next) => at = next.address as usize,
        }
    }
    panic!("the search does not end");
}

#[test]
fn can_says_what_it_has_no_room_for() {
    let [first, second, third] = [1, 2, 3].map(|id| Peer { id: Word::<8>::new(id), address: [] });
    let mut node = Can::<_, _, _, 1>::new(first, [None; 1]);
    let mut other = node.split(second, [None; 1]).expect("one neighbour each");
    let before = other.clone();
    assert_eq!(other.split(third, [None; 1]), Err(CanError::Full));
    assert_eq!(other, before);
    assert_eq!(
        Can::<_, _, _, 1>::new(first, [None; 0]).split(second, [None; 0]),
        Err(CanError::Full)
    );
    let mut zone = Zone::<1>::WHOLE;
    while let Some((_, upper)) = zone.split() {
        zone = upper;
    }
    assert_eq!((zone.halvings(), zone.to_string().as_str()), (32, "ffffffff-ffffffff"));
}

#[test]
fn geometries_without_slots_learn_nothing() {
    let [me, other] = [3, 12].map(|id| Peer { id: Word::<4>::new(id), address: [] });
    let mut pastry = Pastry::new(me, 4, [None; 0], [None; 0]);
    let mut tapestry = Tapestry::new(me, 4, [None; 0]);
    let mut kademlia = Kademlia::new(me, 0, [None; 0]);
    pastry.learn(other);
    assert!(!tapestry.learn(other) && !kademlia.learn(other));
    for route in [pastry.route(other.id), tapestry.route(other.id), kademlia.route(other.id)] {
        assert_eq!(route, Route::Owner(me));
    }
}

/// Halves of halves of a torus of one dimension: each quarter touches the next one and the one before, round the torus.
#[test]
fn zones_touch_where_they_meet() {
    let (lower, upper) = Zone::<1>::WHOLE.split().expect("two halves");
    let (first, second) = lower.split().expect("two quarters");
    let (third, fourth) = upper.split().expect("two quarters");
    let quarters = [first, second, third, fourth];
    let texts = quarters.map(|zone| zone.to_string());
    assert_eq!(
        texts,
        ["00000000-3fffffff", "40000000-7fffffff", "80000000-bfffffff", "c0000000-ffffffff"]
    );
    for (a, zone) in quarters.iter().enumerate() {
        assert_eq!(zone.halvings(), 2);
        for (b, other) in quarters.iter().enumerate() {
            assert_eq!(zone.touches(other), [1, 3].contains(&a.abs_diff(b)), "{zone} {other}");
        }
        let corners = [0, 0x3fff_ffff, 0x4000_0000, 0x8000_0000, 0xc000_0000, 0xffff_ffff];
        for (at, owner) in corners.into_iter().zip([0, 0, 1, 2, 3, 3]) {
            assert_eq!(zone.contains(&[at]), a == owner, "{zone} {at:x}");
        }
    }
    assert_eq!(first.distance(&[0x4000_0000]), 1);
    assert_eq!(first.distance(&[0xffff_ffff]), 1, "round the torus");
    assert_eq!(first.distance(&[0x9000_0000]), 0x5000_0001, "the nearer end");
    assert_eq!(first.distance(&[0xb000_0000]), 0x5000_0000);
    assert!(!first.touches(&lower) && !first.touches(&first), "they overlap");

    // In two dimensions two zones that meet at a corner alone do not touch.
    let (west, east) = Zone::<2>::WHOLE.split().expect("two halves");
    let (south_west, north_west) = west.split().expect("two quarters");
    let (south_east, north_east) = east.split().expect("two quarters");
    assert_eq!(north_east.to_string(), "80000000-ffffffff × 80000000-ffffffff");
    assert!(south_west.touches(&north_west) && south_west.touches(&south_east));
    assert!(!south_west.touches(&north_east) && south_west.touches(&east));
    assert_eq!(south_west.distance(&[0x9000_0000, 0x9000_0000]), 2 * 0x1000_0001);
}

#[test]
fn digits_of_identifiers_are_counted_from_the_front() {
    let id = Word::<6>::new(0b10_11_01);
    assert_eq!([0, 1, 2, 3].map(|at| id.digit(at, 2)), [0b10, 0b11, 0b01, 0]);
    assert_eq!([0, 1].map(|at| id.digit(at, 4)), [0b1011, 0b0100], "zeros fill the last one");
    assert_eq!(id.common_bits(Word::new(0b10_10_01)), 3);
    assert_eq!((id.common_bits(id), id.common_bits(Word::new(0))), (6, 0));
    assert_eq!(id.xor(Word::new(0b10_10_01)), Word::new(0b100));
    let bits: Vec<bool> = (0..7).map(|exponent| id.bit(exponent)).collect();
    assert_eq!(bits, [true, false, true, true, false, true, false]);
    let wide = Id64::new([0x8000_0001, 0x4000_0000]);
    let set: Vec<u32> = (0..70).filter(|exponent| wide.bit(*exponent)).collect();
    assert_eq!(set, [30, 32, 63]);
    assert_eq!(wide.digit(0, 4), 8);
}

/// A newcomer with the identifier of another node would take its place in the tables, and leave its zone to nobody.
#[test]
fn a_zone_is_not_split_for_an_identifier_that_is_in_use() {
    let [first, second] = [1, 2].map(|id| Peer { id: Word::<8>::new(id), address: 0u32 });
    let mut node = Can::<_, _, _, 2>::new(first, [None; 4]);
    node.split(second, [None; 4]).expect("slots");
    let before = node.clone();
    for known in [first, second] {
        let elsewhere = Peer { address: 9, ..known };
        assert_eq!(node.split(elsewhere, [None; 4]), Err(CanError::InUse));
        assert_eq!(node, before);
    }
}

/// Four quarters of a square: the one that fails is taken over by the other half of its half, and no point is left.
#[test]
fn the_zone_of_a_failed_node_is_taken_over() {
    let [a, b, c, d] = [1, 2, 3, 4].map(|id| Peer { id: Word::<8>::new(id), address: id });
    let mut west = Can::<_, _, _, 2>::new(a, [None; 8]);
    let mut east = west.split(b, [None; 8]).expect("slots");
    let north_west = west.split(c, [None; 8]).expect("slots");
    east.learn(a, west.zone()).expect("slots");
    east.learn(c, north_west.zone()).expect("slots");
    let north_east = east.split(d, [None; 8]).expect("slots");
    west.learn(b, east.zone()).expect("slots");
    let in_north_west = [0, 1 << 31];
    assert_eq!(west.route(&in_north_west), Route::Ask(c));

    let failed = west.forget(c.id).expect("a neighbour");
    assert_eq!((failed.peer, failed.zone), (c, north_west.zone()));
    assert_eq!(west.forget(c.id), None);
    let before = east.clone();
    assert_eq!(east.take_over(failed.zone), Err(CanError::NotHalves));
    assert_eq!(east, before);
    west.take_over(failed.zone).expect("the other half");
    assert_eq!(west.zone().to_string(), "00000000-7fffffff × 00000000-ffffffff");
    assert_eq!(west.route(&in_north_west), Route::Owner(a));
    let known: Vec<_> = west.neighbours().map(|near| near.peer).collect();
    assert_eq!(known, [b], "the one in the north-east is yet to be learnt");
    west.learn(d, north_east.zone()).expect("slots");
    assert_eq!(west.route(&[1 << 31, 1 << 31]), Route::Ask(d));

    // Now the half of the west cannot be joined with a quarter: a neighbour has it as a second state.
    assert_eq!(east.take_over(west.zone()), Err(CanError::NotHalves));
    let second = Can::<_, u64, _, 2>::with_zone(b, west.zone(), [None; 8]);
    assert_eq!(second.route(&in_north_west), Route::Owner(b));
}

/// What failed is gone, and what is there already only changes its address.
#[test]
fn failed_nodes_are_forgotten_and_known_ones_move() {
    let peer = |id: u64, address: u32| Peer { id: Word::<4>::new(id), address };
    let me = peer(0b0001, 0);
    let [near, far] = [peer(0b0100, 1), peer(0b1110, 2)];
    let moved = Peer { address: 9, ..far };
    let other = peer(0b1111, 3); // of the bucket of `far`

    let mut kademlia = Kademlia::new(me, 1, [None; 4]);
    assert!(kademlia.learn(near) && kademlia.learn(far) && !kademlia.learn(other));
    assert!(kademlia.learn(moved) && !kademlia.learn(me));
    assert_eq!(kademlia.known().collect::<Vec<_>>(), [me, moved, near]);
    kademlia.forget(far.id);
    assert_eq!(kademlia.known().collect::<Vec<_>>(), [me, near]);
    assert_eq!((kademlia.route(far.id), kademlia.me()), (Route::Ask(near), me));

    let mut tapestry = Tapestry::new(me, 2, [None; 8]);
    assert!(tapestry.learn(near) && tapestry.learn(far) && !tapestry.learn(other));
    assert!(tapestry.learn(moved) && !tapestry.learn(me));
    assert_eq!(tapestry.known().collect::<Vec<_>>(), [me, near, moved]);
    assert_eq!((tapestry.common_digits(peer(0b0010, 0).id), tapestry.common_digits(me.id)), (1, 2));
    tapestry.forget(far.id);
    assert_eq!(tapestry.known().collect::<Vec<_>>(), [me, near]);
    assert_eq!(tapestry.me(), me);

    // A shorter way is better here: a node of the same slot takes its place.
    let mut pastry = Pastry::new(me, 2, [None; 8], [None; 0]);
    pastry.learn(far);
    pastry.learn_if(other, |new, old| new.address < old.address);
    assert_eq!(pastry.known().collect::<Vec<_>>(), [me, far]);
    pastry.learn_if(other, |new, old| new.address > old.address);
    assert_eq!(pastry.known().collect::<Vec<_>>(), [me, other]);
    pastry.forget(other.id);
    assert_eq!((pastry.known().collect::<Vec<_>>(), pastry.me()), (vec![me], me));
}

/// Sixteen nodes, of which node 0 has 1, 2 and 14, 15 as leaves. After one of them has failed it still knows that others exist.
#[test]
fn a_node_that_has_lost_a_leaf_does_not_own_the_far_side() {
    let nodes: Vec<_> = (0..16).map(|n| Peer { id: Word::<8>::new(n * 16), address: n }).collect();
    for failed in [1, 2, 14, 15] {
        let mut node = Pastry::new(nodes[0], 2, [None; 16], [None; 4]);
        for peer in &nodes {
            node.learn(*peer);
        }
        assert!(matches!(node.route(Word::new(8 * 16)), Route::Ask(_)));
        node.forget(nodes[failed].id);
        for key in 4..13 {
            let route = node.route(Word::new(key * 16));
            assert!(matches!(route, Route::Ask(_)), "{key} after {failed}: {route:?}");
        }
        for near in [1, 2, 14, 15] {
            let route = node.route(nodes[near].id);
            assert!(near == failed || route == Route::Owner(nodes[near]), "{near}: {route:?}");
        }
    }
}

/// The leaf set holds the nearest nodes of either side, the nearest ones first.
#[test]
fn the_nearest_leaves_stay() {
    type Small = Pastry<
        Word<8>,
        [u8; 0],
        [Option<Peer<Word<8>, [u8; 0]>>; 0],
        [Option<Peer<Word<8>, [u8; 0]>>; 4],
    >;
    let peer = |id: u64| Peer { id: Word::<8>::new(id), address: [] };
    let mut pastry = Pastry::new(peer(100), 4, [None; 0], [None; 4]);
    for id in [50, 90, 95, 110, 150, 105, 200] {
        pastry.learn(peer(id));
    }
    let known =
        |pastry: &Small| -> Vec<u64> { pastry.known().map(|peer| peer.id.value()).collect() };
    assert_eq!(known(&pastry), [100, 95, 90, 105, 110]);
    pastry.forget(Word::new(95));
    assert_eq!(known(&pastry), [100, 90, 105, 110]);
    // The key lies between the leaves: the closest of them owns it, of two the smaller.
    assert_eq!(pastry.route(Word::new(94)), Route::Owner(peer(90)));
    assert_eq!(pastry.route(Word::new(95)), Route::Owner(peer(90)));
    assert_eq!(pastry.route(Word::new(96)), Route::Owner(peer(100)));
    assert_eq!(pastry.route(Word::new(108)), Route::Owner(peer(110)));
}

#[test]
fn the_largest_neighbour_is_named_if_it_is_larger() {
    let [first, second, third] = [1, 2, 3].map(|id| Peer { id: Word::<8>::new(id), address: [] });
    let mut west = Can::<_, _, _, 1>::new(first, [None; 4]);
    assert_eq!(west.larger(), None, "it is alone");
    let east = west.split(second, [None; 4]).expect("half each");
    assert_eq!((west.larger(), east.larger()), (None, None), "as large");
    let middle = west.split(third, [None; 4]).expect("a quarter each");
    let largest =
        |node: &Can<_, _, _, 1>| node.larger().map(|near| (near.peer, near.zone.halvings()));
    assert_eq!([largest(&west), largest(&middle)], [Some((second, 1)); 2]);
    assert_eq!((west.me(), middle.me(), middle.zone().halvings()), (first, third, 2));
}

/// The rare case of the paper: no node has the digit that is wanted. Then one is asked that shares as many digits with the key and is
/// closer to it.
#[test]
fn pastry_asks_a_closer_node_with_as_many_digits() {
    let peer = |id: u64| Peer { id: Word::<8>::new(id), address: [] };
    let key = Word::new(0x2f);
    let mut node = Pastry::new(peer(0x20), 4, [None; 32], [None; 0]);
    node.learn(peer(0x30));
    assert_eq!(node.route(key), Route::Owner(peer(0x20)), "closer, but with another first digit");
    node.learn(peer(0x21));
    node.learn(peer(0x23));
    assert_eq!(node.route(key), Route::Ask(peer(0x23)), "the closest of them");
    node.learn(peer(0x2f));
    assert_eq!(node.route(key), Route::Ask(peer(0x2f)));
    assert_eq!(node.route(Word::new(0x3f)), Route::Ask(peer(0x30)));
}
