//! The worlds do what the lectures say, and the same again for the same seed.

use core::time::Duration;

use web::{Json, Player};

/// Returns a field of an object.
fn field<'j>(json: &'j Json, name: &str) -> &'j Json {
    let Json::Object(fields) = json else { panic!("{json} is not an object") };
    let found = fields.iter().find(|(known, _)| *known == name);
    &found.unwrap_or_else(|| panic!("no {name} in {json}")).1
}

fn open(world: &str, options: &str) -> Player {
    Player::open(world, options).expect("valid options")
}

fn run(player: &mut Player, seconds: u64) {
    player.advance(player.now() + Duration::from_secs(seconds));
}

fn view(player: &mut Player) -> Json {
    let view = player.view();
    field(&view, "view").clone()
}

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

#[test]
fn time_goes_back_step_by_step_and_forward_to_the_same() {
    let mut ring = open("ring", "seed=2");
    ring.command("lookup 26 1").expect("a lookup");
    run(&mut ring, 3);
    let trace = ring.trace();
    let now = ring.now();
    for _ in 0..5 {
        assert!(ring.back());
    }
    assert!(ring.now() < now && ring.trace().len() < trace.len());
    ring.advance(now);
    assert_eq!(ring.trace(), trace);
    while ring.back() {}
    assert_eq!(ring.now(), Duration::ZERO);
}

#[test]
fn the_five_blocks_have_the_hashes_of_the_demonstration() {
    // Source: Anders Brownworth's public demonstration of a block chain.
    let chain = web::chain::Chain::new(&web::Options::parse("")).expect("a chain");
    let published = [
        (11316, "000015783b764259d382017d91a36d206d0600e2cbb3567748f46a33fe9297cf"),
        (35230, "000012fa9b916eb9078f8d98a7864e697ae83ed54f5146bd84452cdafd043c19"),
        (12937, "0000b9015ce2a08b61216ba5a0778545bf4ddd7ceb7bbd85dd8062b29a9140bf"),
        (35990, "0000ae8bbc96cf89c68be6e10a865cc47c6c48a9ebec3c6cad729646cefaef83"),
        (56265, "0000e4b9052fd8aae92a8afda42e2ea0f17972ea67cead67352e74dd6f7d217c"),
    ];
    assert_eq!(chain.hashes(), published.map(|(nonce, hash)| (nonce, hash.to_owned())));
}

#[test]
fn a_changed_block_breaks_those_behind_it_until_all_are_mined_again() {
    let mut chain = open("chain", "");
    let valid = |chain: &mut Player| -> String {
        let view = view(chain);
        let Json::List(blocks) = field(&view, "blocks") else { panic!("a list") };
        let letter = |block| if *field(block, "valid") == Json::Flag(true) { 'v' } else { 'x' };
        blocks.iter().map(letter).collect()
    };
    assert_eq!(valid(&mut chain), "vvvvv");
    chain.command("data 2 ten coins to ben").expect("a block");
    assert_eq!(valid(&mut chain), "vxxxx");
    for (block, state) in [(2, "vvxxx"), (3, "vvvxx"), (4, "vvvvx"), (5, "vvvvv")] {
        chain.command(&format!("mine {block}")).expect("a block");
        assert_eq!(valid(&mut chain), state);
    }
}

#[test]
fn a_ledger_refuses_forgery_and_double_spending_and_follows_the_heavier_branch() {
    let mut chain = open("chain", "");
    let balances = |chain: &mut Player| -> Vec<String> {
        let view = view(chain);
        let Json::List(people) = field(field(&view, "ledger"), "people") else { panic!("a list") };
        people.iter().map(|one| field(one, "balance").to_string()).collect()
    };
    let said = chain.command("forge ann ben 10").expect("people");
    assert!(said.starts_with("refused"), "{said}");
    chain.command("pay ann ben 60").expect("people");
    chain.command("again ann cat 60").expect("people");
    let said = chain.command("block").expect("a tip");
    assert!(said.contains("refused") && said.contains("sequence"), "{said}");
    let said = chain.command("block").expect("a tip");
    assert!(said.contains("block 1 is the tip at height 1"), "{said}");
    assert_eq!(balances(&mut chain), ["40", "60", "0", "0"]);

    // The same coins on another branch; once it weighs more, the first payment never was.
    chain.command("block 0").expect("block 0");
    let said = chain.command("block 2").expect("block 2");
    assert!(said.contains("reorganisation took 1 blocks back and connected 2"), "{said}");
    assert_eq!(balances(&mut chain), ["100", "0", "0", "0"]);
}

#[test]
fn a_transaction_is_proved_by_its_path() {
    let mut chain = open("chain", "bits=0");
    for _ in 0..5 {
        chain.command("pay ann ben 1").expect("people");
    }
    chain.command("block").expect("a tip");
    chain.command("prove 1 3").expect("five transactions");
    let view = view(&mut chain);
    let proof = field(field(&view, "ledger"), "proof");
    assert_eq!(field(proof, "right"), &Json::Flag(true));
    assert_eq!(
        (field(proof, "size").to_string(), field(proof, "steps").to_string()),
        ("5".into(), "3".into())
    );
    let Json::List(nodes) = field(proof, "nodes") else { panic!("a list") };
    assert_eq!(nodes.len(), 9, "five leaves and four above them");
    assert_eq!(nodes.iter().filter(|node| *field(node, "proof") == Json::Flag(true)).count(), 3);
    assert!(chain.command("prove 1 5").is_err());
}

fn number(json: &Json) -> f64 {
    let Json::Number(number) = json else { panic!("{json} is not a number") };
    *number
}

/// A number that is whole.
fn whole(json: &Json) -> i64 {
    number(json) as i64
}

fn count(view: &Json, network: usize, name: &str) -> i64 {
    let Json::List(networks) = field(view, "networks") else { panic!("a list") };
    number(field(field(&networks[network], "counts"), name)) as i64
}

#[test]
fn a_flood_costs_what_the_law_says_and_the_others_less() {
    for seed in 1..4 {
        let mut flood = open("flood", &format!("nodes=60&degree=5&ttl=15&seed={seed}"));
        flood.command("search 17 debaser").expect("a node");
        run(&mut flood, 120);
        let view = view(&mut flood);
        // 2 E - (N - 1), whatever the graph.
        assert_eq!(count(&view, 0, "queries"), number(field(&view, "law")) as i64, "seed {seed}");
        assert_eq!(count(&view, 0, "reached"), 59);
        let queries = count(&view, 0, "queries");
        let duplicates = count(&view, 0, "duplicates");
        assert_eq!(queries - duplicates, 59, "every other query is a duplicate");
        // Nodes 1, 9, 17, .. have the song; 17 itself asks.
        assert_eq!(count(&view, 0, "found"), 7);
        assert_eq!(count(&view, 2, "queries"), 1);
        assert_eq!(count(&view, 2, "found"), 7, "the index names all but the files of the asker");
        assert!(count(&view, 1, "found") >= 1);
        assert!(
            count(&view, 1, "queries") < queries / 2,
            "{} of {queries}",
            count(&view, 1, "queries")
        );
    }
}

#[test]
fn without_loop_prevention_a_flood_costs_what_the_lecture_counts() {
    // 5 (1 + 4 + 16 + 64): each node passes each query on, however often it comes.
    let mut flood = open("flood", "nodes=24&degree=5&ttl=4&loops=keep");
    flood.command("search 3 debaser").expect("a node");
    run(&mut flood, 60);
    let kept = view(&mut flood);
    let mut flood = open("flood", "nodes=24&degree=5&ttl=4");
    flood.command("search 3 debaser").expect("a node");
    run(&mut flood, 60);
    let dropped = view(&mut flood);
    assert_eq!(whole(field(&kept, "edges")), 60, "every node has five neighbours");
    assert_eq!(count(&kept, 0, "queries"), 425);
    assert_eq!(count(&kept, 0, "queries"), number(field(&kept, "bound")) as i64);
    assert_eq!(count(&kept, 0, "repeats"), 425 - count(&kept, 0, "reached"));
    assert_eq!(count(&kept, 0, "duplicates"), 0);
    assert_eq!(count(&kept, 0, "reached"), count(&dropped, 0, "reached"));
    assert!(count(&kept, 0, "found") > count(&dropped, 0, "found"), "each copy is answered");
    assert_eq!(count(&dropped, 0, "repeats"), 0);
    let error = Player::open("flood", "degree=7&ttl=10&loops=keep").err().expect("a refusal");
    assert!(error.contains("84652645 queries"), "{error}");
}

#[test]
fn a_cut_link_makes_a_flood_cheaper_by_two_and_reaches_all() {
    let mut flood = open("flood", "nodes=30&degree=4&ttl=15");
    let before = whole(field(&view(&mut flood), "law"));
    flood.command("cut 0 1").expect("the graph has a ring in it");
    assert!(flood.command("cut 0 1").is_err(), "it is cut already");
    flood.command("search 3 debaser").expect("a node");
    run(&mut flood, 60);
    let after = view(&mut flood);
    assert_eq!(whole(field(&after, "law")), before - 2);
    assert_eq!(count(&after, 0, "queries"), before - 2);
    assert_eq!(count(&after, 0, "reached"), 29);
}

#[test]
fn a_short_ttl_makes_the_flood_small_and_the_answer_incomplete() {
    let mut flood = open("flood", "nodes=60&degree=4&ttl=2");
    flood.command("search 0 hey jude").expect("a node");
    run(&mut flood, 60);
    let view = view(&mut flood);
    assert!(count(&view, 0, "queries") < 20);
    assert!(count(&view, 0, "reached") < 20);
    assert!(
        number(field(&view, "bound")) as i64 >= count(&view, 0, "queries"),
        "on a tree it is more"
    );
}

#[test]
fn without_the_index_nothing_is_found_there_and_the_flood_does_not_mind() {
    let mut flood = open("flood", "nodes=24");
    flood.command("kill index").expect("it lives");
    flood.command("search 3 hey jude").expect("a node");
    run(&mut flood, 60);
    let view = view(&mut flood);
    assert_eq!(count(&view, 2, "found"), 0);
    assert!(count(&view, 0, "found") > 0 && count(&view, 1, "found") > 0);
}

/// The first cells of the lit rows of a table of the selected node.
fn lit(flood: &mut Player, node: u32, table: &str) -> Vec<String> {
    flood.select(Some(node));
    let view = view(flood);
    let Json::List(rows) = field(field(&view, "selected"), table) else { panic!("a list") };
    let lit = rows.iter().filter(|row| *field(row, "here") == Json::Flag(true));
    lit.map(|row| {
        let Json::List(cells) = field(row, "cells") else { panic!("a list") };
        let Json::Text(state) = &cells[usize::from(table == "states")] else { panic!("a text") };
        state.clone()
    })
    .collect()
}

#[test]
fn both_ends_of_a_client_show_their_states() {
    let mut flood = open("flood", "nodes=24");
    let client = 2_003;
    let index = 3_000;
    assert_eq!(lit(&mut flood, client, "states"), ["LoggedIn", "LoggedIn"]);
    assert_eq!(lit(&mut flood, index, "users"), ["LoggedIn"]);
    flood.command("search 3 debaser").expect("a node");
    assert_eq!(lit(&mut flood, client, "states"), ["Listing", "LoggedIn"]);
    run(&mut flood, 5);
    assert_eq!(lit(&mut flood, client, "states"), ["LoggedIn", "LoggedIn"]);

    // A dead index has no state, and the client waits for it in vain for ten seconds.
    flood.command("kill index").expect("it lives");
    flood.command("search 3 debaser").expect("a node");
    run(&mut flood, 9);
    assert_eq!(lit(&mut flood, client, "states"), ["Listing"]);
    assert_eq!(lit(&mut flood, index, "users"), [""; 0]);
    flood.command("search 3 debaser").expect("the other networks search");
    assert!(flood.trace().contains("no search: the last search is not complete"));
    run(&mut flood, 2);
    assert_eq!(lit(&mut flood, client, "states"), ["LoggedIn"]);
    flood.command("kill 3").expect("it lives");
    assert_eq!(lit(&mut flood, client, "states"), [""; 0]);
}

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

#[test]
fn proposers_are_drawn_by_stake_and_taken_in_turn_exactly() {
    let mut stake = open("stake", "stakes=1,2,3,4");
    stake.command("slots 10000").expect("a number");
    let view = view(&mut stake);
    let Json::List(validators) = field(&view, "validators") else { panic!("a list") };
    for (validator, share) in validators.iter().zip([1_000, 2_000, 3_000, 4_000]) {
        let drawn = whole(field(validator, "drawn"));
        assert!((drawn - share).abs() < 250, "five standard deviations: {drawn} for {share}");
        assert_eq!(whole(field(validator, "turns")), share);
    }
}

#[test]
fn with_nothing_at_stake_a_fork_lives_on_and_with_a_stake_one_chain_remains() {
    for (slash, living) in [("off", 2), ("on", 1)] {
        let mut stake = open("stake", &format!("slash={slash}&seed=2"));
        run(&mut stake, 3);
        stake.command("fork").expect("no words");
        run(&mut stake, 100);
        let view = view(&mut stake);
        assert_eq!(whole(field(&view, "living")), living, "slash {slash}");
        let Json::List(validators) = field(&view, "validators") else { panic!("a list") };
        let slashed: Vec<bool> =
            validators.iter().map(|one| *field(one, "slashed") != Json::Null).collect();
        if slash == "off" {
            assert_eq!(slashed, [false; 4]);
            assert!(number(field(&view, "second")) > 50.0, "{view}");
        } else {
            assert!(slashed[1..].iter().all(|slashed| *slashed), "{slashed:?}");
        }
        assert!(stake.trace().contains("has signed twice"));
    }
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_one_another() {
    for (world, options, commands) in [
        ("flood", "nodes=30&seed=", ["search 4 heroes", "kill 9"]),
        ("ring", "r=2&seed=", ["lookup 26 1", "kill 14"]),
        ("swarm", "peers=4&pieces=8&seed=", ["lie 2", "kill 1"]),
        ("stake", "slash=on&seed=", ["fork", "greedy ann"]),
    ] {
        let trace = |seed: u32| {
            let mut player = open(world, &format!("{options}{seed}"));
            for command in commands {
                run(&mut player, 2);
                player.command(command).expect("a node");
            }
            run(&mut player, 10);
            player.trace()
        };
        assert!(trace(5).lines().count() > 20, "{world}");
        assert_eq!(trace(5), trace(5), "{world}");
        assert_ne!(trace(5), trace(6), "{world}");
    }
}

#[test]
fn wrong_options_and_commands_are_answered_with_a_sentence() {
    for (world, options) in [
        ("ring", "m=2"),
        ("ring", "nodes=1"),
        ("ring", "nodes=1,99"),
        ("flood", "nodes=5"),
        ("swarm", "order=best"),
        ("swarm", "liar=99"),
        ("chain", "bits=17"),
        ("flood", "loops=maybe"),
        ("stake", "stakes=1"),
        ("stake", "slash=perhaps"),
        ("star", ""),
    ] {
        let error = Player::open(world, options).err().expect("a refusal");
        assert!(error.len() > 10, "{world} {options}: {error}");
    }
    for world in ["ring", "flood", "swarm", "chain", "stake"] {
        let mut player = open(world, "");
        for command in
            ["", "dance", "kill", "kill 9999", "kill x", "lookup", "search 1", "pay eve ann 1"]
        {
            let error = player.command(command).expect_err("a refusal");
            assert!(error.len() > 10, "{world} {command}: {error}");
        }
        assert!(player.trace().is_empty() || world != "chain");
    }
}
