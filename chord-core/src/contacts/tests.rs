//! What is remembered of which peer, and which one gives way.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::needless_for_each
)]

use super::*;
use crate::id::Word;
use std::vec::Vec;

type Slot = ContactSlot<Word<8>, u32>;

fn peer(address: u32) -> Peer<Word<8>, u32> {
    Peer { id: Word::new(address.into()), address }
}

fn slot(address: u32, kind: Kind, failures: u8) -> Slot {
    ContactSlot { peer: peer(address), kind, failures }
}

/// Peers of these kinds with the identifiers and addresses 10, 20 and so on.
fn slots(kinds: &[Kind]) -> Vec<Slot> {
    kinds.iter().zip(1..).map(|(kind, at)| slot(at * 10, *kind, 0)).collect()
}

fn rng(seed: u64) -> Rng {
    Rng::new(seed)
}

/// Returns the position at which a new peer, the one with this identifier, is put into a table.
fn put(kinds: &[Kind], address: u32, kind: Kind, seed: u64) -> Option<usize> {
    let mut slots = slots(kinds);
    remember(&mut slots, peer(address), kind, &mut rng(seed));
    let at = slots.iter().position(|slot| slot.peer == peer(address));
    assert!(at.is_none_or(|at| slots.get(at) == Some(&slot(address, kind, 0))));
    at
}

#[test]
fn a_peer_that_is_known_becomes_what_counts_more() {
    for (was, news, is) in [
        (Kind::Named, Kind::Witness, Kind::Witness),
        (Kind::Named, Kind::Lost, Kind::Lost),
        (Kind::Witness, Kind::Named, Kind::Lost),
        (Kind::Witness, Kind::Backup, Kind::Backup),
        (Kind::Backup, Kind::Named, Kind::Lost),
        (Kind::Backup, Kind::Witness, Kind::Backup),
        (Kind::Lost, Kind::Named, Kind::Lost),
        (Kind::Lost, Kind::Witness, Kind::Lost),
        (Kind::Lost, Kind::Backup, Kind::Backup),
        (Kind::Seed, Kind::Named, Kind::Seed),
        (Kind::Seed, Kind::Backup, Kind::Seed),
        (Kind::Lost, Kind::Seed, Kind::Seed),
    ] {
        let mut slots = slots(&[Kind::Witness, was]);
        let renamed = Peer { id: Word::new(99), ..peer(20) };
        remember(&mut slots, renamed, news, &mut rng(1));
        let known = if news == Kind::Named { peer(20) } else { renamed };
        assert_eq!(slots[0], slot(10, Kind::Witness, 0));
        assert_eq!((slots[1].kind, slots[1].peer), (is, known), "{was:?}, then {news:?}");
    }
    // An unused slot holds no peer, whatever its address.
    let mut slots = std::vec![Slot::EMPTY; 2];
    remember(&mut slots, peer(0), Kind::Witness, &mut rng(1));
    assert_eq!(slots[0].kind, Kind::Witness);
}

#[test]
fn a_full_table_gives_way_in_order() {
    use Kind::{Backup, Empty, Lost, Named, Seed, Witness};
    assert_eq!(put(&[Witness, Empty, Named], 99, Lost, 1), Some(1));
    assert_eq!(put(&[Witness, Named, Lost], 99, Witness, 1), Some(1));
    assert_eq!(put(&[Witness, Lost, Backup], 99, Witness, 1), None);
    assert_eq!(put(&[Seed, Witness, Lost], 99, Backup, 1), Some(1));
    assert_eq!(put(&[Seed, Lost, Lost, Seed], 99, Backup, 1), None);
    assert_eq!(put(&[Backup, Seed, Seed, Seed], 99, Seed, 1), Some(0));
    assert_eq!(put(&[Backup, Lost, Lost, Seed], 25, Seed, 1), Some(1), "the nearest lost one");
    assert_eq!(put(&[Seed, Seed], 99, Seed, 1), None);
    // A peer that nobody has heard of takes a free slot, and one of four.
    assert_eq!(put(&[Named, Empty, Empty, Empty], 99, Named, 1), None);
    assert_eq!(put(&[Named, Empty, Empty, Empty, Empty], 99, Named, 1), Some(1));
    assert_eq!(put(&[Witness, Lost], 99, Named, 1), None);
    for seed in 0..50 {
        assert_eq!(put(&[Backup, Seed], 99, Lost, seed), None);
    }
}

#[test]
fn lost_peers_displace_witnesses_at_random_and_every_second_time_the_nearest_lost_one() {
    use Kind::{Lost, Witness};
    let mut counts = [0; 3];
    for seed in 0..100 {
        let at = put(&[Witness, Lost, Witness], 99, Lost, seed).expect("a witness gives way");
        counts[at] += 1;
    }
    assert!(counts[0] > 20 && counts[1] == 0 && counts[2] > 20, "{counts:?}");
    let put = |address| (0..100).filter_map(move |seed| put(&[Lost; 3], address, Lost, seed));
    assert!((30..70).contains(&put(22).count()));
    assert!(put(22).all(|at| at == 1));
    assert!(put(250).all(|at| at == 0), "round the end of the circle");
}

#[test]
fn backups_take_a_quarter_and_give_way_to_backups_only() {
    use Kind::{Backup, Witness};
    let kinds = |slots: &[Slot], kind| slots.iter().filter(|slot| slot.kind == kind).count();
    let mut gone = [0; 2];
    for seed in 0..100 {
        let mut slots =
            slots(&[Backup, Witness, Witness, Backup, Witness, Witness, Witness, Witness]);
        keep_backup(&mut slots, peer(99), &mut rng(seed));
        assert_eq!(kinds(&slots, Backup), 2);
        assert!(slots.iter().any(|it| it.peer == peer(99) && it.kind == Backup));
        for (gone, at) in gone.iter_mut().zip([0, 3]) {
            let stays = slots.iter().any(|it| it.peer == peer((at + 1) * 10) && it.kind == Backup);
            *gone += usize::from(!stays);
        }
    }
    assert!(gone.iter().all(|gone| *gone > 30) && gone.iter().sum::<usize>() == 100, "{gone:?}");

    // One that is a backup already displaces nobody, nor does a seed.
    let both = slots(&[Backup, Backup, Witness, Kind::Seed, Witness, Witness, Witness, Witness]);
    for address in [20, 40] {
        let mut slots = both.clone();
        keep_backup(&mut slots, peer(address), &mut rng(1));
        assert_eq!(slots, both);
    }
    // Few slots: none is kept for backups, and they are witnesses.
    let mut few = std::vec![Slot::EMPTY; 3];
    keep_backup(&mut few, peer(7), &mut rng(1));
    assert_eq!(few[0].kind, Witness);
    let mut four = std::vec![Slot::EMPTY; 4];
    keep_backup(&mut four, peer(7), &mut rng(1));
    assert_eq!(four[0].kind, Backup);
}

#[test]
fn the_nearest_backup_is_another_node() {
    use Kind::{Backup, Lost, Witness};
    let all = slots(&[Backup, Witness, Backup, Lost, Backup]);
    assert_eq!(nearest_backup(&all, peer(15)), Some(peer(30)));
    assert_eq!(nearest_backup(&all, peer(30)), Some(peer(50)), "not the node itself");
    assert_eq!(nearest_backup(&all, peer(60)), Some(peer(10)));
    let moved = Peer { id: Word::new(40), address: 50 };
    assert_eq!(nearest_backup(&all, moved), Some(peer(10)), "nor its own address");
    let renamed = Peer { id: Word::new(50), address: 40 };
    assert_eq!(nearest_backup(&all, renamed), Some(peer(10)), "nor its own identifier");
    assert_eq!(nearest_backup(&all[1..2], peer(15)), None);
}

#[test]
fn seeds_take_turns() {
    use Kind::{Backup, Empty, Lost, Named, Seed, Witness};
    let all = slots(&[Seed, Witness, Seed, Lost, Seed]);
    for (from, to) in [(10, 30), (30, 50), (50, 10), (20, 30), (77, 10)] {
        assert_eq!(next_known(&all, from), Some(peer(to)), "after {from}");
    }
    assert_eq!(next_known(&slots(&[Seed, Lost]), 10), Some(peer(20)), "no other one");
    assert_eq!(next_known(&slots(&[Seed, Lost, Backup]), 10), Some(peer(30)), "not lost");
    assert_eq!(next_known(&slots(&[Seed, Named, Empty]), 10), None, "they may be made up");
}

#[test]
fn contacts_take_turns_and_silent_seeds_come_first() {
    use Kind::{Empty, Lost, Seed, Witness};
    let mut all = slots(&[Witness, Empty, Seed, Lost]);
    assert_eq!(next(&all, 0, true), Some((peer(10), 1)));
    assert_eq!(next(&all, 1, true), Some((peer(30), 3)));
    assert_eq!(next(&all, 4, false), Some((peer(10), 1)));
    failed(&mut all, 30, false);
    assert_eq!(next(&all, 0, true), Some((peer(30), 3)));
    assert_eq!(next(&all, 0, false), Some((peer(10), 1)));
    assert_eq!(next(&slots(&[Empty, Empty]), 0, true), None);
}

#[test]
fn probes_decide_what_a_contact_is() {
    use Kind::{Backup, Empty, Lost, Named, Seed, Witness};
    let mut all = slots(&[Named, Witness, Backup, Lost, Seed]);
    for address in [10, 20, 30, 40, 50] {
        failed(&mut all, address, false);
    }
    let kinds = |slots: &[Slot]| slots.iter().map(|slot| slot.kind).collect::<Vec<_>>();
    assert_eq!(kinds(&all), [Named, Lost, Lost, Lost, Seed]);
    assert!([10, 20, 30, 40, 50].iter().all(|address| is_silent(&all, address)));
    assert!(!is_silent(&all, &60));
    (0..2).for_each(|_| failed(&mut all, 10, true));
    assert_eq!(all[0], slot(10, Named, 3), "a lonely node forgets nobody");
    all[0].failures = 1;
    failed(&mut all, 10, false);
    assert_eq!(all[0], slot(10, Named, 2));
    failed(&mut all, 10, false);
    assert_eq!(all[0], Slot::EMPTY);

    let mut all = slots(&[Named, Witness, Backup, Lost, Seed]);
    assert!([20, 30, 50].iter().all(|address| !is_silent(&all, address)));
    for address in [10, 20, 30, 40, 50] {
        failed(&mut all, address, true);
        found(&mut all, address);
    }
    assert_eq!(kinds(&all), [Empty, Empty, Empty, Empty, Seed]);
    assert_eq!(all[4], slot(50, Seed, 0));
    let mut all = slots(&[Witness, Lost]);
    found(&mut all, 10);
    assert_eq!(kinds(&all), [Witness, Lost]);
}

#[test]
fn a_table_with_lost_peers_or_with_room_is_known() {
    use Kind::{Backup, Lost, Seed, Witness};
    assert!(!has_lost(&slots(&[Witness, Backup, Seed])));
    for (failures, lost) in [(0, true), (119, true), (120, false), (200, false)] {
        assert_eq!(has_lost(&[slot(10, Lost, failures)]), lost, "{failures}");
    }
    assert!(has_lost(&[slot(10, Seed, 1)]));
    assert!(has_room(&slots(&[Seed, Backup])) && !has_room(&slots(&[Seed, Seed])));
}
