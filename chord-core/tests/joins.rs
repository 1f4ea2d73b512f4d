//! Joins although a member says that the identifier is taken, and joins with an identifier that is.

mod network;

use core::time::Duration;

use chord_core::{Event, JoinFailure, Peer, State};
use network::{Id, Net, SECOND, Text};

/// How many seeds each situation is tried with.
const SEEDS: u64 = if cfg!(debug_assertions) { 20 } else { 200 };

/// The address of the newcomer.
const NEW: u32 = 77;
/// Where a liar runs a second node, which has the identifier of the newcomer.
const SECOND_NODE: u32 = 1000;
/// The member at this address is the one before the newcomer.
const BEFORE: u32 = 40;

fn new_id() -> Id {
    Id::new(0x8000_0000)
}

fn id_of(address: u32) -> Id {
    if address == BEFORE {
        Id::new(new_id().value() - 1)
    } else {
        Id::new(u64::from(address) * 0x0609_0705)
    }
}

/// Names its second node as the one that has the identifier of the newcomer, and that one gives signs of life.
fn claims(me: u32, _: u32, message: &Text) -> Option<Vec<Text>> {
    let second = me.checked_sub(SECOND_NODE);
    let twin = Peer { id: new_id(), address: second.unwrap_or(me) + SECOND_NODE };
    let id = if second.is_some() { new_id() } else { id_of(me) };
    match *message {
        Text::Find { token, key, .. } if key == new_id() || second.is_some() => {
            Some(vec![Text::Owner { token, id, peer: twin }])
        }
        Text::Ping { token, .. } if second.is_some() => Some(vec![Text::Pong { token, id }]),
        _ => None,
    }
}

/// Says that it has the identifier of the newcomer itself.
fn poses(_: u32, asker: u32, message: &Text) -> Option<Vec<Text>> {
    match *message {
        Text::Ping { token, .. } if asker == NEW => Some(vec![Text::Pong { token, id: new_id() }]),
        _ => None,
    }
}

/// A ring of 40, of which `liar` lies to a newcomer that joins through `contact` and knows the `seed` as well. Returns what the
/// newcomer is two minutes later, and why its join has failed.
fn join(
    seed: u64,
    (liar, lies): (u32, network::Liar),
    contact: u32,
    known: Option<u32>,
) -> (State, Option<JoinFailure>) {
    let mut net = Net::new(seed, 4);
    let id = |net: &mut Net, address| if address == liar { id_of(liar) } else { net.id() };
    let all: Vec<_> = (1..=40).map(|address| Peer { id: id(&mut net, address), address }).collect();
    for me in &all {
        net.add(*me).create_base(Duration::ZERO, &all).unwrap();
        net.look_at(me.address);
    }
    net.liars = vec![liar, liar + SECOND_NODE];
    net.liar = Some(lies);
    net.run_for(SECOND * 20);
    let node = net.add(Peer { id: new_id(), address: NEW });
    if let Some(known) = known {
        node.add_seed(known).unwrap();
    }
    let now = net.clock(NEW);
    net.members.get_mut(&NEW).unwrap().node.join(now, contact).unwrap();
    net.look_at(NEW);
    net.run_for(SECOND * 120);
    let failed = |(_, at, event): &(Duration, u32, Event<Id, u32>)| match event {
        Event::JoinFailed(reason) if *at == NEW => Some(*reason),
        _ => None,
    };
    let failed = net.events.iter().find_map(failed);
    if failed.is_none() {
        net.liars.clear();
        net.heal(SECOND * 60, &format!("seed {seed}"));
    }
    (net.members[&NEW].node.state(), failed)
}

/// All seeds; panics with those whose join has failed.
fn all_join(what: &str, run: impl Fn(u64) -> (State, Option<JoinFailure>)) {
    let failed: Vec<_> = (0..SEEDS)
        .map(|seed| (seed, run(seed)))
        .filter(|(_, (state, reason))| !state.is_member() || reason.is_some())
        .collect();
    assert!(failed.is_empty(), "{what}: {} of {SEEDS}: {failed:?}", failed.len());
}

#[test]
fn no_single_liar_refuses_a_join() {
    all_join("the node before", |seed| join(seed, (BEFORE, claims), 1 + seed as u32 % 39, None));
    all_join("any node", |seed| {
        let liar = 1 + seed as u32 % 39;
        join(seed, (liar, claims), liar % 39 + 1, None)
    });
}

#[test]
fn a_contact_that_lies_does_not_refuse_a_join_where_another_one_is_known() {
    all_join("claims", |seed| join(seed, (5, claims), 5, Some(6)));
    all_join("poses", |seed| join(seed, (5, poses), 5, Some(6)));
    // The only one that is known lies about this place, and names others rightly.
    all_join("poses alone", |seed| join(seed, (5, poses), 5, None));
    all_join("claims alone", |seed| join(seed, (5, claims), 5, None));
}

/// The member with the identifier is the contact, or another one.
#[test]
fn a_true_twin_refuses_a_join() {
    for seed in 0..SEEDS {
        for (contact, known) in [(1, None), (1, Some(3)), (2, None), (2, Some(3))] {
            let mut net = Net::ring(seed, 4, 40);
            net.run_for(SECOND * 20);
            let id = net.members[&2].node.me().id;
            let node = net.add(Peer { id, address: NEW });
            if let Some(known) = known {
                node.add_seed(known).unwrap();
            }
            let now = net.clock(NEW);
            net.members.get_mut(&NEW).unwrap().node.join(now, contact).unwrap();
            net.look_at(NEW);
            net.run_for(SECOND * 60);
            let refused = Event::JoinFailed(JoinFailure::IdentifierTaken);
            assert!(
                net.events.iter().any(|(_, at, event)| *at == NEW && *event == refused),
                "seed {seed}, contact {contact}, also {known:?}"
            );
            assert_eq!(net.members[&NEW].node.state(), State::Outside);
        }
    }
}

/// Without another way the twin decides. It is dead here, so the ring forgets it.
#[test]
fn a_twin_that_is_dead_does_not_refuse_a_join() {
    for seed in 0..SEEDS {
        let mut net = Net::ring(seed, 1, 2);
        net.run_for(SECOND * 20);
        let id = net.members[&2].node.me().id;
        net.members.remove(&2);
        net.join(Peer { id, address: NEW }, 1);
        for _ in 0..12 {
            net.run_for(SECOND * 5);
            if net.members[&NEW].node.state() == State::Outside {
                let now = net.clock(NEW);
                net.members.get_mut(&NEW).unwrap().node.join(now, 1).unwrap();
                net.look_at(NEW);
            }
        }
        let failures = |(_, at, event): &&(Duration, u32, Event<Id, u32>)| {
            *at == NEW && *event == Event::JoinFailed(JoinFailure::IdentifierTaken)
        };
        assert_eq!(net.events.iter().find(failures), None, "seed {seed}");
        assert!(net.members[&NEW].node.state().is_member(), "seed {seed}");
    }
}

/// The contact is silent from the beginning, or leaves or fails in the middle of the join; another member is known.
#[test]
fn a_join_goes_on_through_another_member_where_the_contact_is_silent() {
    for seed in 0..SEEDS {
        for (leaves, delay) in
            [(false, 0), (false, 120), (false, 400), (true, 0), (true, 120), (true, 400)]
        {
            let mut net = Net::ring(seed, 4, 12);
            net.run_for(SECOND * 20);
            let id = net.id();
            net.add(Peer { id, address: NEW }).add_seed(6).unwrap();
            let now = net.clock(NEW);
            net.members.get_mut(&NEW).unwrap().node.join(now, 3).unwrap();
            net.look_at(NEW);
            net.run_for(Duration::from_millis(delay));
            if leaves {
                let now = net.clock(3);
                net.members.get_mut(&3).unwrap().node.leave(now);
                net.look_at(3);
                net.run_for(SECOND);
            }
            net.members.remove(&3);
            net.run_for(SECOND * 60);
            let failed = net
                .events
                .iter()
                .find(|(_, at, event)| *at == NEW && matches!(event, Event::JoinFailed(_)));
            assert_eq!(failed, None, "seed {seed}, {leaves}, {delay}");
            net.heal(SECOND * 60, &format!("seed {seed}"));
        }
    }
}

/// The contact of a node that comes back is dead: it goes on by members that it knows from its former life.
#[test]
fn a_node_comes_back_by_members_that_it_knew() {
    for seed in 0..SEEDS {
        let mut net = Net::ring(seed, 4, 12);
        net.run_for(SECOND * 60);
        let now = net.clock(5);
        net.members.get_mut(&5).unwrap().node.leave(now);
        net.look_at(5);
        net.members.remove(&3);
        net.run_for(SECOND * 20);
        let id = net.id();
        let now = net.clock(5);
        net.members.get_mut(&5).unwrap().node.rejoin(now, id, 3).unwrap();
        net.look_at(5);
        net.heal(SECOND * 60, &format!("seed {seed}"));
    }
}
