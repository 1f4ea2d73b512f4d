//! Floods: what they cost, and which servents they reach.

use super::*;

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
