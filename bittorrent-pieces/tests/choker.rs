//! Which peers are unchoked: the rules of BEP 3 and Cohen 2003, section 3.

use bittorrent_pieces::choker::Candidate;
use bittorrent_pieces::choker::{OptimisticUnchoke, Slots, UnchokeOrder};
use bittorrent_pieces::{Choker, ChokerPolicy, ConnId};

fn peers(rates: &[u32]) -> Vec<Candidate> {
    let peer = |(nth, rate): (u32, &u32)| {
        let mut peer = Candidate::new(ConnId(nth));
        peer.interested = true;
        peer.rate = *rate;
        peer
    };
    (0..).zip(rates).map(peer).collect()
}

fn unchoked(peers: &[Candidate]) -> Vec<u32> {
    peers.iter().filter(|peer| peer.unchoked).map(|peer| peer.conn.0).collect()
}

fn round(choker: &mut Choker, peers: &mut [Candidate]) {
    choker.round(peers, |peer| Some(peer));
}

/// C-BIT-05, C-BIT-06: at most four, the three best by rate and one by luck.
#[test]
fn the_best_three_and_an_optimistic_one_have_the_four_slots() {
    for seed in 0..50 {
        let mut peers = peers(&[10, 80, 30, 70, 60, 20]);
        let mut choker = Choker::new(4, seed);
        round(&mut choker, &mut peers);
        let lucky = choker.optimistic().unwrap().0;
        let mut best: Vec<u32> = [1, 3, 4, 2].into_iter().filter(|nth| *nth != lucky).collect();
        best.truncate(3);
        best.push(lucky);
        best.sort_unstable();
        assert_eq!(unchoked(&peers), best);
    }
}

/// Every third round, 30 seconds, somebody else is tried.
#[test]
fn the_optimistic_unchoke_rotates_every_third_round() {
    let mut peers = peers(&[50, 40, 30, 20, 0, 0, 0, 0, 0, 0, 0, 0]);
    let mut choker = Choker::new(4, 1);
    let mut lucky = Vec::new();
    for _ in 0..30 {
        round(&mut choker, &mut peers);
        lucky.push(choker.optimistic().unwrap());
    }
    for three in lucky.chunks(3) {
        assert!(three.iter().all(|conn| *conn == three[0]));
    }
    assert!(lucky.chunks(3).zip(lucky.chunks(3).skip(1)).all(|(a, b)| a[0] != b[0]));
}

#[test]
fn newcomers_are_three_times_as_likely() {
    let mut hits = 0_u32;
    for seed in 0..4000 {
        let mut peers = peers(&[0; 10]);
        peers[7].newcomer = true;
        let mut choker = Choker::new(1, seed);
        round(&mut choker, &mut peers);
        hits += u32::from(choker.optimistic() == Some(ConnId(7)));
    }
    assert!((900..1100).contains(&hits), "{hits} of 4000; 3 of 12 tickets are 1000");
}

/// Uninterested peers of a better rate are unchoked too; the slot is taken back when they ask.
#[test]
fn better_but_uninterested_peers_are_unchoked_and_displace_the_worst() {
    let mut peers = peers(&[50, 40, 30, 20, 90, 35]);
    peers[4].interested = false;
    peers[5].interested = false;
    let mut choker = Choker::new(4, 3);
    round(&mut choker, &mut peers);
    assert_eq!(unchoked(&peers)[..4], [0, 1, 2, 3], "all who want and one who is better");
    assert!(peers[4].unchoked);
    peers[4].interested = true;
    choker.rebalance(&mut peers, |peer| Some(peer));
    let served = peers.iter().filter(|peer| peer.interested && peer.unchoked).count();
    assert_eq!(served, 4);
    assert!(peers[4].unchoked, "the worst gave way");
}

/// Anti-snub: a peer that leaves us waiting gets a slot by a draw only, which may make several.
#[test]
fn snubbed_peers_have_optimistic_slots_only() {
    let mut hits = [0_u32; 6];
    for seed in 0..300 {
        let mut peers = peers(&[90, 10, 10, 10, 10, 10]);
        peers[0].snubbed = true;
        let mut choker = Choker::new(4, seed);
        round(&mut choker, &mut peers);
        assert_eq!(unchoked(&peers).len(), 4);
        for nth in unchoked(&peers) {
            hits[nth as usize] += 1;
        }
    }
    assert!((20..90).contains(&hits[0]), "one in six by luck: {hits:?}");
    let mut peers = peers(&[5; 6]);
    for peer in &mut peers {
        peer.snubbed = true;
    }
    round(&mut Choker::new(4, 1), &mut peers);
    assert_eq!(unchoked(&peers).len(), 4, "several draws at once");
}

/// A peer that requested what it cannot need gets no slot, neither by its rate nor by a draw nor between rounds.
#[test]
fn an_unfair_peer_gets_no_slot() {
    for policy in [ChokerPolicy::new(), ChokerPolicy::SEED] {
        for seed in 0..50 {
            let mut peers = peers(&[90, 10, 10]);
            let mut choker = Choker::with_policy(policy, 4, seed);
            round(&mut choker, &mut peers);
            assert_eq!(unchoked(&peers), [0, 1, 2]);
            peers[0].unfair = true;
            round(&mut choker, &mut peers);
            assert_eq!(unchoked(&peers), [1, 2]);
            choker.rebalance(&mut peers, |peer| Some(peer));
            assert_eq!(unchoked(&peers), [1, 2], "a free slot stays free");
            peers[0].unfair = false;
            choker.rebalance(&mut peers, |peer| Some(peer));
            assert_eq!(unchoked(&peers), [0, 1, 2]);
        }
    }
}

#[test]
fn a_free_slot_is_given_between_rounds() {
    let mut peers = peers(&[0, 0]);
    peers[1].interested = false;
    let mut choker = Choker::new(4, 1);
    choker.rebalance(&mut peers, |peer| Some(peer));
    assert_eq!(unchoked(&peers), [0]);
    peers[1].interested = true;
    choker.rebalance(&mut peers, |peer| Some(peer));
    assert_eq!(unchoked(&peers), [0, 1]);
}

#[test]
fn without_slots_or_peers_a_round_unchokes_nobody() {
    let mut crowd = peers(&[1, 2, 3]);
    let mut choker = Choker::new(0, 1);
    round(&mut choker, &mut crowd);
    choker.rebalance(&mut crowd, |peer| Some(peer));
    assert!(unchoked(&crowd).is_empty() && choker.optimistic().is_none());
    round(&mut Choker::new(4, 1), &mut []);
}

#[test]
fn the_same_seed_decides_the_same() {
    let decide = |seed| {
        let mut peers = peers(&[0; 20]);
        let mut choker = Choker::new(4, seed);
        (0..9).for_each(|_| round(&mut choker, &mut peers));
        unchoked(&peers)
    };
    assert_eq!(decide(5), decide(5));
    assert!((0..10).any(|seed| decide(seed) != decide(5)));
}

/// libtorrent's seed choker: after its quota and its time a peer goes behind those that wait.
#[test]
fn round_robin_serves_all_in_turn() {
    let mut policy = ChokerPolicy::new();
    policy.order = UnchokeOrder::RoundRobin { quota: 20 << 18, rounds: 4 };
    policy.optimistic = OptimisticUnchoke::LongestWaiting;
    let mut peers = peers(&[0; 12]);
    let mut choker = Choker::with_policy(policy, 4, 1);
    let mut served = [0_u32; 12];
    for _ in 0..60 {
        round(&mut choker, &mut peers);
        assert_eq!(unchoked(&peers).len(), 4);
        for peer in &mut peers {
            peer.sent = if peer.unchoked { 5 << 18 } else { 0 };
            served[peer.conn.0 as usize] += u32::from(peer.unchoked);
        }
    }
    assert!(served.iter().all(|rounds| (12..30).contains(rounds)), "20 each: {served:?}");
    // A peer that downloaded less than the quota keeps its slot.
    let before = unchoked(&peers);
    for peer in &mut peers {
        peer.sent = 1;
    }
    (0..2).for_each(|_| round(&mut choker, &mut peers));
    assert!(unchoked(&peers).iter().filter(|conn| before.contains(conn)).count() >= 2);
}

/// libtorrent's `anti_leech`: the ends of the download go before its middle.
#[test]
fn anti_leech_prefers_those_that_begin_and_those_that_finish() {
    let mut policy = ChokerPolicy::new();
    policy.order = UnchokeOrder::AntiLeech;
    let mut peers = peers(&[9, 9, 9, 9, 9, 9]);
    for (peer, progress) in peers.iter_mut().zip([500, 20, 480, 990, 610, 350]) {
        peer.progress = progress;
    }
    let mut choker = Choker::with_policy(policy, 3, 4);
    round(&mut choker, &mut peers);
    let by_rank = |conn: &u32| Some(ConnId(*conn)) != choker.optimistic();
    let ranked: Vec<u32> = unchoked(&peers).into_iter().filter(by_rank).collect();
    let lucky = choker.optimistic().unwrap().0;
    let mut best: Vec<u32> = [3, 1, 5, 4].into_iter().filter(|conn| *conn != lucky).collect();
    best.truncate(2);
    best.sort_unstable();
    assert_eq!(ranked, best);
}

/// libtorrent: the optimistic unchoke is not drawn but goes to the peer that waited longest.
#[test]
fn the_longest_waiting_peer_is_tried_next() {
    let mut policy = ChokerPolicy::new();
    policy.optimistic = OptimisticUnchoke::LongestWaiting;
    let mut peers = peers(&[50, 40, 30, 0, 0, 0, 0, 0]);
    let mut choker = Choker::with_policy(policy, 4, 1);
    let mut lucky = Vec::new();
    for _ in 0..21 {
        round(&mut choker, &mut peers);
        lucky.push(choker.optimistic().unwrap().0);
    }
    let turns: Vec<u32> = lucky.chunks(3).skip(1).map(|turn| turn[0]).collect();
    let mut all = turns[..5].to_vec();
    all.sort_unstable();
    assert_eq!(all, [3, 4, 5, 6, 7], "each once before any twice: {turns:?}");
}

/// libtorrent's rate-based choker: a slot more than peers that take their share.
#[test]
fn slots_open_as_long_as_they_are_used() {
    let mut policy = ChokerPolicy::new();
    policy.slots = Slots::ByRate { first: 1_000, step: 2_000 };
    let served = |given: &[u32]| {
        let mut peers = peers(&[7; 10]);
        for (peer, given) in peers.iter_mut().zip(given) {
            peer.sent = *given;
        }
        round(&mut Choker::with_policy(policy, 6, 1), &mut peers);
        unchoked(&peers).len()
    };
    assert_eq!(served(&[]), 1, "nobody takes anything");
    assert_eq!(served(&[900, 900]), 1);
    assert_eq!(served(&[1_000]), 2);
    assert_eq!(served(&[2_999, 2_999]), 2, "the second takes less than its share");
    assert_eq!(served(&[9_000, 3_000, 5_000]), 3);
    assert_eq!(served(&[9_000, 6_000, 5_000]), 4);
    assert_eq!(served(&[90_000; 10]), 6, "there are no more");
}

/// BEP 3: an uninterested peer is unchoked if it uploads better than the worst that has a slot, or while a slot is free.
#[test]
fn an_uninterested_peer_is_measured_by_the_worst_of_full_slots() {
    for seed in 0..20 {
        let mut peers = peers(&[50, 40, 30, 20]);
        peers[3].interested = false;
        round(&mut Choker::new(3, seed), &mut peers);
        assert_eq!(unchoked(&peers), [0, 1, 2], "all slots are taken by better peers");
        round(&mut Choker::new(4, seed), &mut peers);
        assert_eq!(unchoked(&peers), [0, 1, 2, 3], "a slot is free");
        peers[3].rate = 0;
        round(&mut Choker::new(4, seed), &mut peers);
        assert_eq!(unchoked(&peers), [0, 1, 2], "it uploads nothing");
    }
}

/// A rate counts for the order [`UnchokeOrder::Rate`] alone, and for nothing without slots.
#[test]
fn an_uninterested_peer_stays_choked_where_rates_do_not_count() {
    for (policy, slots) in [(ChokerPolicy::SEED, 4), (ChokerPolicy::new(), 0)] {
        let mut peers = peers(&[90, 10]);
        peers[0].interested = false;
        peers[1].interested = slots > 0;
        let mut choker = Choker::with_policy(policy, slots, 1);
        round(&mut choker, &mut peers);
        assert!(!peers[0].unchoked, "{slots} slots");
    }
}

/// A slot that was drawn lasts as long as the optimistic one: three rounds.
#[test]
fn snubbed_peers_keep_a_drawn_slot_for_three_rounds() {
    let mut changes = 0;
    for seed in 0..20 {
        let mut peers = peers(&[5; 12]);
        for peer in &mut peers {
            peer.snubbed = true;
        }
        let mut choker = Choker::new(4, seed);
        round(&mut choker, &mut peers);
        let drawn = unchoked(&peers);
        assert_eq!(drawn.len(), 4);
        for _ in 0..2 {
            round(&mut choker, &mut peers);
            assert_eq!(unchoked(&peers), drawn);
        }
        round(&mut choker, &mut peers);
        changes += usize::from(unchoked(&peers) != drawn);
    }
    assert!(changes >= 15, "then they are drawn again: {changes} of 20");
}

/// Peers that uploaded nothing take turns: none keeps its slot for having it.
#[test]
fn peers_without_a_rate_take_turns() {
    let mut peers = peers(&[0; 7]);
    let mut choker = Choker::new(2, 1);
    let mut served = [0_u32; 7];
    let mut before = None;
    for _ in 0..42 {
        round(&mut choker, &mut peers);
        let lucky = choker.optimistic().unwrap().0;
        let regular: Vec<_> = unchoked(&peers).into_iter().filter(|conn| *conn != lucky).collect();
        let [conn] = regular[..] else { panic!("{regular:?}") };
        assert_ne!(before, Some(conn));
        before = Some(conn);
        served[conn as usize] += 1;
    }
    assert!(served.iter().all(|rounds| (3..=9).contains(rounds)), "6 each: {served:?}");
}

#[test]
fn a_new_policy_holds_from_the_next_round_on() {
    let mut peers = peers(&[7; 6]);
    let mut choker = Choker::new(4, 1);
    round(&mut choker, &mut peers);
    assert_eq!(unchoked(&peers).len(), 4);
    let mut policy = ChokerPolicy::new();
    policy.slots = Slots::ByRate { first: 1_000, step: 2_000 };
    choker.set_policy(policy);
    assert_eq!(unchoked(&peers).len(), 4);
    round(&mut choker, &mut peers);
    assert_eq!(unchoked(&peers).len(), 1, "nobody takes anything");
}
