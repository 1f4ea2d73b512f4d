use std::vec::Vec;

use super::*;

const TARGET: NodeId = NodeId([0x42; 20]);

fn lookup(purpose: Purpose) -> Lookup {
    Lookup::new(7, TARGET, purpose)
}

/// The node at a distance from the target, each in a network of its own.
fn node(distance: u8) -> Contact {
    let mut id = TARGET;
    id.0[19] ^= distance;
    Contact { id, addr: ([45, 0, distance, 1], 6_881).into() }
}

/// Queries the next nodes; returns their distances.
fn query(lookup: &mut Lookup) -> Vec<u8> {
    let next = core::iter::from_fn(|| {
        let contact = lookup.next()?;
        lookup.queried(contact.addr);
        Some(contact.id.0[19] ^ 0x42)
    });
    next.collect()
}

fn answer(lookup: &mut Lookup, distance: u8, token: Option<&[u8]>) {
    assert!(lookup.answered(node(distance), token));
}

/// Three at a time (alpha), the nearest first, until the eight nearest have answered (Maymounkov and Mazières 2002).
#[test]
fn the_eight_nearest_nodes_are_queried_three_at_a_time() {
    let mut lookup = lookup(Purpose::Nodes);
    for distance in [9, 3, 12, 1, 7, 5, 11, 2, 10, 4, 8, 6] {
        lookup.add(node(distance), true);
    }
    assert_eq!(query(&mut lookup), [1, 2, 3]);
    lookup.failed(node(2).addr);
    assert_eq!(query(&mut lookup), [4]);
    for (distance, next) in
        [(1, &[5][..]), (3, &[6]), (4, &[7]), (5, &[8]), (6, &[9]), (7, &[]), (8, &[])]
    {
        answer(&mut lookup, distance, None);
        assert_eq!(query(&mut lookup), next, "after {distance}");
        assert!(!lookup.is_settled(), "9 may still answer");
    }
    answer(&mut lookup, 9, None);
    assert!(lookup.is_settled());
    assert_eq!(lookup.answers(), 8);
}

/// With BEP 42 enforced, nodes whose id does not fit are queried, but do not end a lookup.
#[test]
fn nodes_that_do_not_count_do_not_end_a_lookup() {
    let mut lookup = lookup(Purpose::Nodes);
    for distance in 1..=20 {
        lookup.add(node(distance), distance > 5);
    }
    let mut queried = Vec::new();
    while let [distance, ..] = query(&mut lookup)[..] {
        queried.push(distance);
        for distance in 1..=20 {
            lookup.answered(node(distance), Some(b"token"));
        }
    }
    assert_eq!(queried, [1, 4, 7, 10, 13], "in steps of three, up to the eighth that counts");
    assert_eq!(lookup.answers(), 13);
}

/// 24 candidates are kept, the nearest; each id and each address once.
#[test]
fn the_nearest_candidates_are_kept() {
    let mut lookup = lookup(Purpose::Nodes);
    for distance in (1..=30).rev() {
        lookup.add(node(distance), true);
    }
    lookup.add(Contact { id: node(1).id, addr: node(99).addr }, true);
    lookup.add(Contact { id: node(99).id, addr: node(1).addr }, true);
    lookup.add(node(40), true);
    let kept = lookup.candidates.iter().map(|candidate| candidate.contact);
    assert!(kept.eq((1..=24).map(node)));
}

/// Nodes that other nodes return: one of each network, and any number at one local address.
#[test]
fn one_node_of_a_network_is_added() {
    let mut lookup = lookup(Purpose::Nodes);
    let at =
        |distance: u8, ip: [u8; 4], port| Contact { addr: (ip, port).into(), ..node(distance) };
    lookup.add_named(at(1, [45, 1, 1, 1], 1), true);
    lookup.add_named(at(2, [45, 1, 1, 2], 1), true);
    lookup.add_named(at(3, [45, 1, 2, 1], 1), true);
    lookup.add_named(at(4, [10, 0, 0, 1], 1), true);
    lookup.add_named(at(5, [10, 0, 0, 1], 2), true);
    assert_eq!(query(&mut lookup), [1, 3, 4]);
    // What our own table knows is not limited.
    lookup.add(at(0, [45, 1, 1, 3], 1), true);
    assert!(lookup.answered(at(3, [45, 1, 2, 1], 1), None));
    assert_eq!(query(&mut lookup), [0]);
}

/// Of an address the id is unknown: it is queried first, and takes its place when it answers.
#[test]
fn an_address_takes_its_place_when_it_answers() {
    let mut lookup = lookup(Purpose::Nodes);
    lookup.add(node(9), true);
    let addr = |nth: u8| SocketAddr::from(([80, 0, nth, 1], 6_881));
    lookup.add_address(addr(1), 1);
    lookup.add_address(addr(2), 2);
    let first = lookup.next().expect("an address");
    assert_eq!(first.addr, addr(1));
    lookup.queried(addr(1));
    assert_eq!(lookup.next().map(|next| next.addr), Some(addr(2)));
    let real = Contact { id: node(200).id, addr: addr(1) };
    assert!(lookup.answered(real, None));
    assert!(!lookup.answered(real, None), "once");
    assert!(!lookup.answered(node(9), None), "it was not queried");
    let order = lookup.candidates.iter().filter(|it| it.is_used()).map(|it| it.contact.addr);
    assert!(order.eq([addr(2), node(9).addr, addr(1)]));
}

/// BEP 5: the eight nearest nodes that gave a token; those of more than 20 bytes are not stored.
#[test]
fn announces_go_to_the_eight_nearest_with_a_token() {
    let mut lookup = lookup(Purpose::Peers { announce: Some(1) });
    for distance in 1..=12 {
        lookup.add(node(distance), distance != 4);
    }
    while !lookup.is_settled() {
        for distance in query(&mut lookup) {
            let token: &[u8] = match distance {
                1 => &[1; 20],
                2 => &[2; 21],
                _ => b"token",
            };
            answer(&mut lookup, distance, Some(token).filter(|_| distance != 3));
        }
    }
    let mut announced = Vec::new();
    while let Some((contact, token)) = lookup.next_announce() {
        assert!(!lookup.is_over(false) && lookup.is_over(true));
        announced.push((contact, token.as_bytes().len()));
        lookup.announced(contact.addr);
    }
    let expected = [(1, 20), (5, 5), (6, 5), (7, 5), (8, 5), (9, 5)];
    assert_eq!(announced, expected.map(|(distance, len)| (node(distance), len)));
    assert!(lookup.is_over(false));
    assert_eq!((lookup.announces(), lookup.answers()), (6, 9));
    lookup.purpose = Purpose::Peers { announce: None };
    assert_eq!(lookup.next_announce(), None);
}

/// A put waits for the answer of each node; the last code is reported (BEP 44).
#[test]
fn a_put_waits_for_its_answers() {
    let mut lookup = lookup(Purpose::Put { cas: None, salt: Salt::EMPTY });
    for distance in 1..=3 {
        lookup.add(node(distance), true);
        lookup.queried(node(distance).addr);
        answer(&mut lookup, distance, Some(b"token"));
        lookup.announced(node(distance).addr);
    }
    lookup.stored(node(1).addr);
    lookup.refused(node(2).addr, Some(301));
    assert!(!lookup.is_over(false) && !lookup.is_over(true));
    lookup.refused(node(3).addr, None);
    assert!(lookup.is_over(false));
    assert_eq!((lookup.stores(), lookup.announces(), lookup.refused), (1, 0, Some(301)));
    assert_eq!(lookup.answers(), 3);
}
