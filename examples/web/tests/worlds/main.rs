//! The worlds do what the lectures say, and the same again for the same seed.

mod chain;
mod flood;
mod ring;
mod stake;
mod swarm;

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
