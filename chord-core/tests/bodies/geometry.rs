//! The sister geometries and the bodies of RELOAD under any bytes.

use chord_core::geometry::{Can, Freenet, Kademlia, Neighbour, Pastry, Tapestry, Visit};
use chord_core::reload::{ChordUpdate, LeaveData, RouteQueryAnswer, Update};
use chord_core::{DecodeError, Peer, Route, Word};
use sim::laws::Input;

type Small = Word<6>;
type Node = Peer<Small, u32>;

/// Whatever is learnt and forgotten, a route leads to the node itself or to one that it knows, and the geometries
/// that measure a distance never lead away from the key.
pub fn chord_geometry(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let me = node(&mut input);
    let width = u32::from(input.byte() % 10);
    let [table, leaves, k] = [input.below(70), input.below(9), input.below(4)];
    let mut pastry = Pastry::new(me, width, vec![None; table], vec![None; leaves]);
    let mut tapestry = Tapestry::new(me, width, vec![None; table]);
    let mut kademlia = Kademlia::new(me, k, vec![None; table]);
    let mut learnt = std::collections::BTreeSet::from([me.id]);
    while !input.is_empty() {
        let other = node(&mut input);
        match input.below(4) {
            0 => {
                pastry.forget(other.id);
                tapestry.forget(other.id);
                kademlia.forget(other.id);
                if other.id != me.id {
                    learnt.remove(&other.id);
                }
            }
            1 => pastry.learn_if(other, |new, old| new.id < old.id),
            _ => {
                pastry.learn(other);
                tapestry.learn(other);
                kademlia.learn(other);
                learnt.insert(other.id);
            }
        }
        if let Route::Ask(next) = kademlia.route(other.id) {
            assert!((next.id.value() ^ other.id.value()) < (me.id.value() ^ other.id.value()));
        }
        for (route, known) in [
            (pastry.route(other.id), pastry.known().collect::<Vec<Node>>()),
            (tapestry.route(other.id), tapestry.known().collect()),
            (kademlia.route(other.id), kademlia.known().collect()),
        ] {
            let (Route::Owner(next) | Route::Ask(next)) = route;
            assert!(known.contains(&next), "{next} is not known");
            assert!(!matches!(route, Route::Ask(next) if next.id == me.id));
        }
        assert!(tapestry.known().chain(kademlia.known()).all(|peer| learnt.contains(&peer.id)));
    }
}

/// However a torus is split and whatever zones are claimed, a route leads to the node itself or to a neighbour
/// that is nearer, and neighbours touch.
pub fn chord_can(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let slots = input.below(9);
    let no_neighbours = || vec![None::<Neighbour<Small, u32, 2>>; slots];
    let mut all = vec![Can::new(node(&mut input), no_neighbours())];
    while !input.is_empty() && all.len() < 40 {
        let at = input.below(all.len());
        let before = all[at].clone();
        match all[at].split(node(&mut input), no_neighbours()) {
            Ok(newcomer) => all.push(newcomer),
            Err(_) => assert_eq!(all[at], before, "Err means unchanged"),
        }
        let chosen = input.below(all.len());
        let peer = all[chosen].me();
        let zone = all[chosen].zone();
        let before = all[at].clone();
        if all[at].learn(peer, zone).is_err() {
            assert_eq!(all[at], before, "Err means unchanged");
        }
        let point = [input.u32(), input.u32()];
        let node = &all[at];
        assert!(node.neighbours().all(|near| near.zone.touches(&node.zone())));
        if let Route::Ask(next) = node.route(&point) {
            let near = node.neighbours().find(|near| near.peer == next).expect("a neighbour");
            assert!(near.zone.distance(&point) < node.zone().distance(&point));
        }
    }
}

/// Whatever a node of Freenet learns and forgets, greedy routing never leads away from the key, a search goes to each
/// neighbour at most once, and no more keys are held than there is room for.
pub fn chord_freenet(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let location = |input: &mut Input<'_>| u64::from(input.u32()) << 32 | u64::from(input.byte());
    let me = Peer { id: location(&mut input), address: 0u32 };
    let [slots, keys] = [input.below(70), input.below(4)];
    let mut node = Freenet::new(me, vec![None; slots], vec![None; keys]);
    while !input.is_empty() {
        let place = location(&mut input);
        let address = u32::from(input.byte() % 80);
        let around = |a: u64, b: u64| a.wrapping_sub(b).min(b.wrapping_sub(a));
        match input.below(5) {
            0 => node.forget(address),
            1 => node.set_location(place),
            2 => {
                node.store(place);
                assert_eq!(node.holds(place), keys > 0);
            }
            3 => {
                let others = vec![place; input.below(3)];
                let moved = node.accepts_swap(place, others.iter().copied(), u64::MAX);
                assert!(!moved || node.accepts_swap(place, others, 0), "less luck is enough");
            }
            _ => {
                node.learn(Peer { id: place, address });
            }
        }
        if let Route::Ask(next) = node.route(place) {
            assert!(around(next.id, place) < around(node.me().id, place));
        }
        let mut visit = Visit::new(Some(address));
        let mut seen = std::collections::BTreeSet::from([address]);
        while let Some(next) = node.next(place, &mut visit) {
            assert!(seen.insert(next.address), "{next} comes twice");
        }
    }
}

/// Any bytes are a body that is written back to the same bytes, or an error.
pub fn chord_reload(bytes: &[u8]) {
    match Update::<16>::decode(bytes) {
        Ok((update, rest)) => {
            let mut out = vec![0xEE; update.encoded_len()];
            assert_eq!(update.encode(&mut out), Ok(out.len()));
            assert_eq!([&out, rest].concat(), bytes);
            assert!(update.encode(&mut out[1..]).is_err());
            assert!(matches!(update.chord, ChordUpdate::PeerReady) || out.len() > 5);
        }
        Err(error) => assert!(!matches!(error, DecodeError::Incomplete { needed: 0 })),
    }
    if let Ok((leave, rest)) = LeaveData::<20>::decode(bytes) {
        let mut out = vec![0xEE; leave.encoded_len()];
        assert_eq!(leave.encode(&mut out), Ok(out.len()));
        assert_eq!([&out, rest].concat(), bytes);
    }
    assert_eq!(RouteQueryAnswer::<20>::decode(bytes).is_ok(), bytes.len() >= 20);
}

fn node(input: &mut Input<'_>) -> Node {
    let id = Small::new(u64::from(input.byte()));
    Peer { id, address: id.value() as u32 }
}
