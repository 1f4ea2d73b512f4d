//! The deadline of a lookup, and what `cancel` frees.

mod network;

use core::time::Duration;

use chord_core::{Config, ConfigError, Event, LookupFailure, Node, NodeArrays, Peer};
use network::{Id, Net, SECOND, Text};

type Slots = NodeArrays<Id, u32, 3, 4, 3, 2>;
type TestNode = Node<Id, u32, Slots>;

/// Returns node 100 of a ring whose others are silent.
fn among_silent(config: Config) -> TestNode {
    let all = [100, 300, 1000, 5000].map(|id| Peer { id: Id::new(id), address: id as u32 });
    let mut node = TestNode::new(config, all[0], Slots::EMPTY).unwrap();
    node.create_base(Duration::ZERO, &all).unwrap();
    node
}

/// Sends all, and returns whether anything was a question of a lookup.
fn asks(node: &mut TestNode) -> bool {
    let mut buf = [0; Text::MAX_LEN];
    let mut found = false;
    while let Some(sent) = node.poll_transmit(&mut buf).unwrap() {
        let (message, _) = Text::decode(&buf[..sent.len]).unwrap();
        found |= matches!(message, Text::Find { .. } | Text::Route { .. });
    }
    found
}

fn events(node: &mut TestNode) -> Vec<Event<Id, u32>> {
    core::iter::from_fn(|| node.poll_event()).collect()
}

/// Lets the driver act until the lookup has ended; returns when it has, and how.
fn end(node: &mut TestNode) -> (Duration, Event<Id, u32>) {
    let mut now = Duration::ZERO;
    loop {
        asks(node);
        let ended = |event: &Event<Id, u32>| {
            matches!(event, Event::LookupFailed { .. } | Event::LookupDone { .. })
        };
        if let Some(event) = events(node).into_iter().find(ended) {
            return (now, event);
        }
        now = node.poll_timeout().unwrap();
        node.handle_timeout(now);
    }
}

#[test]
fn a_lookup_ends_at_its_deadline() {
    let mut config = Config::default();
    config.fix_fingers = Duration::MAX;
    let key = Id::new(4000);
    let reason = LookupFailure::TimedOut;
    for deadline in [Duration::from_millis(100), Duration::from_millis(1700)] {
        config.lookup_deadline = deadline;
        let mut node = among_silent(config);
        let lookup = node.lookup(Duration::ZERO, key).unwrap();
        assert_eq!(end(&mut node), (deadline, Event::LookupFailed { lookup, key, reason }));
        assert!(!asks(&mut node), "nothing is asked for it after that");

        let within = deadline * 2;
        let mut node = among_silent(config);
        let lookup = node.lookup_within(Duration::ZERO, key, within).unwrap();
        assert_eq!(end(&mut node), (within, Event::LookupFailed { lookup, key, reason }));
    }
}

#[test]
fn a_late_driver_ends_a_lookup_at_its_next_call() {
    let mut node = among_silent(Config::default());
    let key = Id::new(4000);
    let lookup = node.lookup(Duration::ZERO, key).unwrap();
    node.handle_timeout(SECOND * 1000);
    let failed = Event::LookupFailed { lookup, key, reason: LookupFailure::TimedOut };
    assert!(events(&mut node).contains(&failed));
}

#[test]
fn a_lookup_without_a_deadline_ends_when_nobody_is_left() {
    let mut node = among_silent(Config::default());
    let key = Id::new(4000);
    let lookup = node.lookup_within(Duration::ZERO, key, Duration::MAX).unwrap();
    let (_, event) = end(&mut node);
    // In the end the node knows that it is alone.
    let Event::LookupDone { lookup: of, owner, .. } = event else { panic!("{event}") };
    assert_eq!(of, lookup);
    assert_eq!(owner, node.me());
}

#[test]
fn a_deadline_is_kept_in_tenths_of_a_second_and_that_of_one_lookup_exactly() {
    let key = Id::new(4000);
    let mut config = Config::default();
    config.lookup_deadline = Duration::from_millis(1201);
    let mut node = among_silent(config);
    node.lookup(Duration::ZERO, key).unwrap();
    assert_eq!(end(&mut node).0, Duration::from_millis(1300));
    let mut node = among_silent(config);
    node.lookup_within(Duration::ZERO, key, Duration::from_millis(1201)).unwrap();
    assert_eq!(end(&mut node).0, Duration::from_millis(1201));
}

#[test]
fn a_deadline_of_less_than_a_millisecond_is_refused() {
    let mut config = Config::default();
    config.lookup_deadline = Duration::from_micros(999);
    let me = Peer { id: Id::new(1), address: 1 };
    let refused = TestNode::new(config, me, Slots::EMPTY).err();
    assert_eq!(refused, Some(ConfigError::TooShort("lookup_deadline")));
}

#[test]
fn cancel_frees_the_slot_at_once_and_keeps_what_was_found_out() {
    let mut node = among_silent(Config::default());
    let key = Id::new(4000);
    let mut lookups = vec![];
    while let Ok(lookup) = node.lookup(Duration::ZERO, key) {
        lookups.push(lookup);
    }
    assert_eq!(lookups.len(), 2);
    // Both find their first node dead, and the application has not polled yet.
    while node.poll_timeout().unwrap() < SECOND * 3 {
        asks(&mut node);
        node.handle_timeout(node.poll_timeout().unwrap());
    }
    for lookup in lookups {
        node.cancel(lookup);
        node.cancel(lookup); // an unknown one is ignored
        let again = node.lookup(SECOND * 3, key).expect("a free slot");
        node.cancel(again);
    }
    let left = events(&mut node);
    let dead = left.iter().filter(|event| matches!(event, Event::PeerFailed(_))).count();
    assert!(dead >= 1, "{left:?}");
    let of_lookup = |event: &&Event<Id, u32>| {
        matches!(
            event,
            Event::LookupHop { .. } | Event::LookupDone { .. } | Event::LookupFailed { .. }
        )
    };
    assert_eq!(left.iter().find(of_lookup), None);
}

/// Every lookup ends within its deadline, also where most of the ring has just failed.
#[test]
fn no_lookup_outlasts_its_deadline_in_a_broken_ring() {
    for seed in 0..5 {
        let mut net = Net::ring(seed, 2, 40);
        net.config.lookup_deadline = SECOND * 6;
        net.run_for(SECOND * 60);
        net.members.retain(|address, _| address % 4 == 0);
        net.events.clear();
        let mut asked = vec![];
        for me in net.ideal() {
            let key = net.id();
            let now = net.clock(me.address);
            let node = &mut net.members.get_mut(&me.address).unwrap().node;
            asked.push((me.address, node.lookup_within(now, key, SECOND * 6).unwrap()));
            net.look_at(me.address);
        }
        net.run_for(SECOND * 8); // clocks are 5 % wrong, and drivers late
        for (from, of) in asked {
            let ended = net.events.iter().any(|(_, at, event)| {
                let this = matches!(event, Event::LookupDone { lookup, .. }
                    | Event::LookupFailed { lookup, .. } if *lookup == of);
                *at == from && this
            });
            assert!(ended, "seed {seed}: {of} of {from}");
        }
    }
}
