//! Rings: lookups, joins, crashes, broken links.

use super::*;

/// The path and the owner of the last lookup.
fn last_lookup(player: &mut Player) -> (String, String) {
    let view = view(player);
    let Json::List(lookups) = field(&view, "lookups") else { panic!("a list") };
    let last = lookups.last().expect("a lookup");
    (field(last, "path").to_string(), field(last, "owner").to_string())
}

#[test]
fn the_lookups_of_the_lectures_take_their_paths() {
    let mut ring = open("ring", "m=5&nodes=1,4,9,11,14,18,20,21,28");
    for (key, from, path, owner) in [(26, 1, "[1,18,20,21]", "28"), (12, 28, "[28,4,9,11]", "14")] {
        ring.command(&format!("lookup {key} {from}")).expect("a lookup");
        run(&mut ring, 4);
        assert_eq!(last_lookup(&mut ring), (path.into(), owner.into()));
    }
    let mut ring = open("ring", "m=5&nodes=1,4,8,11,14,17");
    ring.command("lookup 3 8").expect("a lookup");
    run(&mut ring, 4);
    assert_eq!(last_lookup(&mut ring), ("[8,1]".into(), "4".into()));
    ring.select(Some(8));
    let view = view(&mut ring);
    let fingers = field(field(&view, "selected"), "fingers").to_string();
    assert_eq!(fingers, "[[9,11],[10,11],[12,14],[16,17],[24,1]]");
}

#[test]
fn a_ring_heals_after_a_crash_a_join_and_a_cut() {
    let mut ring = open("ring", "m=6&nodes=1,8,14,21,32,38,42,48,51,56&r=3&seed=4");
    ring.command("kill 14").expect("it lives");
    assert_eq!(field(&view(&mut ring), "ideal").to_string(), "false");
    run(&mut ring, 60);
    assert_eq!(field(&view(&mut ring), "ideal").to_string(), "true");
    ring.command("join 26 1").expect("it is new");
    run(&mut ring, 60);
    let after = view(&mut ring);
    assert_eq!(field(&after, "ideal").to_string(), "true");
    assert!(after.to_string().contains("\"id\":26,\"alive\":true"));
    ring.command("cut 1,8,21,26,32").expect("a list");
    run(&mut ring, 120);
    assert_eq!(field(&view(&mut ring), "ideal").to_string(), "true", "two rings, each ideal");
    ring.command("heal").expect("nothing to say");
    run(&mut ring, 600);
    assert_eq!(field(&view(&mut ring), "ideal").to_string(), "true", "one ring again");
}

#[test]
fn a_join_takes_the_five_steps_of_the_lectures() {
    let mut ring = open("ring", "m=6&nodes=1,8,14,21,32,38,42,48,51,56&r=3&seed=2");
    ring.command("join 26 48").expect("it is new");
    let steps = |ring: &mut Player| -> Vec<(String, Json)> {
        let view = view(ring);
        let Json::List(joins) = field(&view, "joins") else { panic!("a list") };
        let Json::List(steps) = field(&joins[0], "steps") else { panic!("a list") };
        steps
            .iter()
            .map(|step| (field(step, "text").to_string(), field(step, "done").clone()))
            .collect()
    };
    let begun = steps(&mut ring);
    assert_eq!(begun.iter().filter(|(_, done)| *done != Json::Null).count(), 1);
    assert!(begun[0].0.contains("26 asks 48"), "{begun:?}");
    run(&mut ring, 60);
    let times: Vec<f64> = steps(&mut ring).iter().map(|(_, done)| number(done)).collect();
    assert!(times.is_sorted() && times.len() == 5, "{times:?}");
    let texts: Vec<String> = steps(&mut ring).into_iter().map(|(text, _)| text).collect();
    for (text, said) in texts.iter().zip([
        "26 asks 48 for",
        "26 takes 32 as its successor",
        "32 learns of 26",
        "21 stabilizes and takes 26 as its successor",
        "26 learns of 21",
    ]) {
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn a_ring_goes_round_a_broken_link_and_takes_it_back() {
    let mut ring = open("ring", "m=6&nodes=1,8,14,21,32,38,42,48,51,56&r=3&seed=4");
    ring.command("link 8 14").expect("both live");
    run(&mut ring, 60);
    assert_eq!(field(&view(&mut ring), "broken").to_string(), "[[8,14]]");
    for (key, from, owner) in [(20, 8, "21"), (60, 14, "1"), (30, 51, "32")] {
        ring.command(&format!("lookup {key} {from}")).expect("a lookup");
        run(&mut ring, 20);
        assert_eq!(last_lookup(&mut ring).1, owner, "key {key}");
    }
    ring.command("heal").expect("nothing to say");
    run(&mut ring, 120);
    assert_eq!(field(&view(&mut ring), "ideal").to_string(), "true");
    assert_eq!(field(&view(&mut ring), "broken").to_string(), "[]");
}

#[test]
fn wrong_fingers_change_hops_and_never_owners() {
    let mut ring = open("ring", "m=5&nodes=1,4,9,11,14,18,20,21,28&seed=3");
    let mut changed = 0;
    for round in 0..12 {
        ring.command("garbage").expect("nodes");
        for (key, from, hops, owner) in [(26, 1, 4, "28"), (12, 28, 4, "14"), (3, 20, 3, "4")] {
            ring.command(&format!("lookup {key} {from}")).expect("a lookup");
            run(&mut ring, 8);
            let (path, found) = last_lookup(&mut ring);
            assert_eq!(found, owner, "round {round}, key {key}");
            changed += usize::from(path.matches(',').count() + 1 != hops);
        }
    }
    assert!(changed > 0, "garbage changes the way");
}
