//! Swarms: order, free riders, liars, television.

use super::*;

#[test]
fn a_swarm_completes_and_is_faster_than_its_server() {
    let mut times = Vec::new();
    for mode in ["swarm", "server"] {
        let mut swarm = open("swarm", &format!("mode={mode}&peers=8&pieces=24"));
        run(&mut swarm, 150);
        let view = view(&mut swarm);
        times.push(number(field(&view, "complete")));
        if mode == "server" {
            assert!(times[1] >= number(field(&view, "server")), "no faster than its uplink");
        }
    }
    assert!(times[0] * 1.5 < times[1], "{times:?}");
}

#[test]
fn rarest_first_outlives_the_seed_earliest_and_sequence_latest() {
    let mut swarm = open("swarm", "peers=8&pieces=24");
    let answer = swarm.request("compare").expect("a swarm");
    let Json::List(rows) = field(&answer, "said") else { panic!("a list") };
    let outlives: Vec<f64> = rows.iter().map(|row| number(field(row, "outlives"))).collect();
    let complete: Vec<f64> = rows.iter().map(|row| number(field(row, "complete"))).collect();
    assert!(outlives[0] < outlives[2], "rarest before sequential: {outlives:?}");
    assert!(outlives[1] < outlives[2], "random before sequential: {outlives:?}");
    assert!(complete[..3].iter().all(|swarm| *swarm < complete[3]), "{complete:?}");
}

#[test]
fn a_free_rider_gets_unearned_slots_only_and_fewer() {
    let mut swarm = open("swarm", "peers=8&pieces=48&rider=3&seed=2");
    let mut slots = [0_u32; 9];
    for _ in 0..30 {
        run(&mut swarm, 2);
        let view = view(&mut swarm);
        let Json::List(nodes) = field(&view, "nodes") else { panic!("a list") };
        for node in nodes.iter().skip(1).filter(|node| whole(field(node, "count")) < 48) {
            let conns = |name: &str| -> Vec<usize> {
                let Json::List(conns) = field(node, name) else { panic!("a list") };
                conns.iter().map(|conn| whole(conn) as usize).collect()
            };
            let unchoked = conns("unchoked");
            for conn in &unchoked {
                slots[*conn] += 1;
            }
            let has_slot = unchoked.contains(&3);
            assert!(!has_slot || conns("unearned").contains(&3), "it has earned nothing");
        }
    }
    assert!(slots[3] > 0, "the optimistic slot finds it");
    let mut others = (1..9).filter(|peer| *peer != 3);
    assert!(others.all(|peer| slots[3] < slots[peer]), "{slots:?}");
}

#[test]
fn a_liar_is_banned_by_those_it_lied_to_and_everybody_completes() {
    let mut swarm = open("swarm", "peers=6&pieces=24&seed=3");
    run(&mut swarm, 2);
    swarm.command("lie 2").expect("a peer");
    run(&mut swarm, 120);
    let view = view(&mut swarm);
    let Json::List(nodes) = field(&view, "nodes") else { panic!("a list") };
    let banned: Vec<String> = nodes.iter().map(|node| field(node, "banned").to_string()).collect();
    assert!(banned.iter().any(|list| list == "[2]"), "{banned:?}");
    assert!(banned.iter().all(|list| list == "[2]" || list == "[]"), "nobody else: {banned:?}");
    let failed: f64 = nodes.iter().map(|node| number(field(node, "failed"))).sum();
    assert!(failed > 0.0);
    assert!(*field(&view, "complete") != Json::Null);
}

#[test]
fn a_swarm_outlives_its_seed_once_it_has_every_piece() {
    let mut swarm = open("swarm", "peers=8&pieces=24");
    let copies = |swarm: &mut Player| {
        let view = view(swarm);
        let Json::List(copies) = field(&view, "copies") else { panic!("a list") };
        copies.iter().map(number).fold(f64::MAX, f64::min)
    };
    while copies(&mut swarm) < 2.0 {
        run(&mut swarm, 1);
        assert!(swarm.now() < Duration::from_secs(120), "every piece leaves the seed");
    }
    assert_eq!(*field(&view(&mut swarm), "complete"), Json::Null);
    swarm.command("kill 0").expect("the seed lives");
    run(&mut swarm, 120);
    assert!(*field(&view(&mut swarm), "complete") != Json::Null);
}

#[test]
fn television_comes_in_time_if_the_viewers_forward() {
    let late = |options: &str| {
        let mut swarm = open("swarm", options);
        run(&mut swarm, 90);
        let view = view(&mut swarm);
        assert!(number(field(&view, "shown")) > 100.0);
        number(field(&view, "late")) / number(field(&view, "shown"))
    };
    let forwarding = late("mode=tv&peers=6&pieces=48&uplink=64&seeduplink=96");
    let selfish = late("mode=tv&peers=6&pieces=48&uplink=4&seeduplink=96");
    assert!(forwarding < 0.1, "{forwarding}");
    assert!(selfish > 2.0 * forwarding + 0.2, "{selfish} against {forwarding}");
}
