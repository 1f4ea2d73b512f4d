//! Lengths of messages for radios whose frames hold 127 bytes, computed elsewhere from the field table of `WIRE.md`, and what
//! the density of a successor list says about its sender.

use chord_core::{Address, Id64, Id160, Identifier, List, Message, Peer, Route, SuccessorList};
use sim::Rng;

/// The lengths of PONG, STATE with eight entries, BUSY, ABSENT, NOTIFY, FIND with four identifiers to avoid, CLOSER, OWNER,
/// LEAVE, ROUTE and FOUND with four addresses of the way back, and NUDGE.
fn lengths<I: Identifier, A: Address>() -> [usize; 12] {
    let peer = Peer::<I, A>::EMPTY;
    let id = peer.id;
    let token = 1;
    let back = || -> List<A, 16> { core::iter::repeat_n(peer.address, 4).collect() };
    let successors = core::iter::repeat_n(peer, 8).collect();
    let avoid = core::iter::repeat_n(id, 4).collect();
    [
        Message::Pong { token, id },
        Message::State { token, id, predecessor: peer, successors },
        Message::Busy { token },
        Message::Absent { token },
        Message::Notify { id },
        Message::Find { token, key: id, avoid },
        Message::Closer { token, id, peer },
        Message::Owner { token, id, peer },
        Message::Leave { id },
        Message::Route { token, key: id, hops: 1, direct: false, back: back() },
        Message::Found { token, id, peer, hops: 1, back: back() },
        Message::Nudge { id },
    ]
    .map(|message| {
        let mut out = [0; 1200];
        let len = message.encode(&mut out).expect("room");
        assert_eq!(len, message.encoded_len());
        len
    })
}

/// Returns the longest successor lists whose STATE fits 102, 79 and 69 bytes: a raw frame of IEEE 802.15.4, one with routed
/// 6LoWPAN, and that with link security.
fn longest<I: Identifier, A: Address>() -> [usize; 3] {
    [102, 79, 69].map(|limit| {
        let fits = |r: &usize| {
            let peer = Peer::<I, A>::EMPTY;
            let successors = core::iter::repeat_n(peer, *r).collect();
            let state = Message::State { token: 1, id: peer.id, predecessor: peer, successors };
            state.encoded_len() <= limit
        };
        (0..=20).rev().find(fits).unwrap_or(0)
    })
}

#[test]
fn messages_have_the_lengths_of_the_table() {
    fn check<I: Identifier, A: Address>(expected: [usize; 12], r: [usize; 3]) {
        let name = core::any::type_name::<(I, A)>();
        assert_eq!(lengths::<I, A>(), expected, "{name}");
        assert_eq!(longest::<I, A>(), r, "{name}");
    }
    check::<Id160, core::net::SocketAddrV4>(
        [26, 261, 6, 6, 22, 107, 52, 52, 22, 53, 78, 22],
        [1, 1, 0],
    );
    check::<Id64, core::net::SocketAddrV4>(
        [14, 141, 6, 6, 10, 47, 28, 28, 10, 41, 54, 10],
        [5, 3, 2],
    );
    check::<Id64, [u8; 2]>([14, 105, 6, 6, 10, 47, 24, 24, 10, 25, 34, 10], [7, 5, 4]);
    check::<u32, [u8; 2]>([10, 65, 6, 6, 6, 27, 16, 16, 6, 21, 26, 6], [14, 10, 8]);
    check::<Id64, [u8; 10]>([14, 177, 6, 6, 10, 47, 32, 32, 10, 57, 74, 10], [3, 2, 2]);
    check::<Id160, [u8; 18]>([26, 369, 6, 6, 22, 107, 64, 64, 22, 101, 138, 22], [0, 0, 0]);
}

/// Questions have grown by the two bytes that count their padding.
#[test]
fn questions_count_their_padding_in_two_bytes() {
    let ping = Message::<u32, [u8; 2]>::Ping { token: 1, padding: 0 };
    let query = Message::<u32, [u8; 2]>::Query { token: 1, padding: 0 };
    assert_eq!((ping.encoded_len(), query.encoded_len()), (6 + 2, 6 + 2));
}

/// How far the successor lists of a ring reach: for each node the distance to its last entry, of `l`.
fn spans(ids: &[u64], l: usize) -> Vec<f64> {
    let peer = |at: usize| Peer { id: ids[at % ids.len()], address: [] };
    let span = |at: usize| {
        let mut list = SuccessorList::new(ids[at], vec![Peer::EMPTY; l]);
        (1..=l).for_each(|by| list.learn(peer(at + by)));
        let last = list.as_slice().last().expect("l entries");
        ids[at].distance(last.id) as f64
    };
    (0..ids.len()).map(span).collect()
}

/// The density test: a list that reaches farther than gamma times the own one is refused. The shares of honest lists that
/// are refused, and of lists of liars only that are accepted, as the formula for exponential gaps says.
#[test]
fn the_density_of_lists_separates_liars_as_far_as_the_formula_says() {
    let mut rng = Rng::new(20);
    let mut ids: Vec<u64> = (0..20_000).map(|_| rng.next_u64()).collect();
    ids.sort_unstable();
    for (l, gamma, false_alarm, missed_tenth, missed_quarter) in [
        (4, 2.0, 0.1733, 0.0176, 0.1733),
        (8, 2.0, 0.0882, 0.0013, 0.0882),
        (8, 3.0, 0.0173, 0.0106, 0.2859),
        (16, 2.0, 0.0270, 0.0, 0.0270),
        (20, 2.0, 0.0155, 0.0, 0.0155),
    ] {
        let own = spans(&ids, l);
        // Lists that do not overlap with the own one.
        let exceeds = |tested: &[f64]| {
            let count = own.len();
            let wider = (0..count).filter(|at| {
                tested[(at * tested.len() / count + tested.len() / 2) % tested.len()]
                    > gamma * own[*at]
            });
            wider.count() as f64 / count as f64
        };
        let near = |found: f64, expected: f64, what: &str| {
            assert!(
                (found - expected).abs() < 0.02,
                "{what}, l = {l}: {found}, formula {expected}"
            );
        };
        near(exceeds(&own), false_alarm, "refused");
        for (every, expected) in [(10, missed_tenth), (4, missed_quarter)] {
            let liars: Vec<u64> = ids.iter().copied().filter(|_| rng.below(every) == 0).collect();
            near(1.0 - exceeds(&spans(&liars, l)), expected, "accepted");
        }
    }
}

/// The share of lookups that meet no liar, (1 - f)^h with h = log2(N) / 2: hops of a real table.
#[test]
fn lookups_meet_liars_as_often_as_the_formula_says() {
    use chord_core::RoutingTableVec;
    let mut rng = Rng::new(21);
    let mut ring: Vec<Peer<u64, u32>> =
        (0..1000).map(|address| Peer { id: rng.next_u64(), address }).collect();
    ring.sort_unstable();
    let tables: Vec<_> =
        ring.iter().map(|me| RoutingTableVec::of_ring(*me, 1, 16, &ring)).collect();
    for (liars, expected) in [(50, 0.774), (100, 0.592), (300, 0.169)] {
        let lies: Vec<bool> = {
            let mut lies: Vec<bool> = (0..1000).map(|at| at < liars).collect();
            for at in (1..1000).rev() {
                lies.swap(at, rng.below(at as u64 + 1) as usize);
            }
            lies
        };
        let mut clean = 0;
        for _ in 0..4000 {
            let mut at = rng.below(1000) as usize;
            let key = rng.next_u64();
            let mut met = false;
            loop {
                let route = tables[at].route(key);
                let (Route::Ask(next) | Route::Owner(next)) = route;
                at = ring.binary_search(&next).expect("a member");
                met |= lies[at];
                if matches!(route, Route::Owner(_)) {
                    break;
                }
            }
            clean += u32::from(!met);
        }
        let share = f64::from(clean) / 4000.0;
        assert!((share - expected).abs() < 0.04, "{liars} liars: {share}, formula {expected}");
    }
}
