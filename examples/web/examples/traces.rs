//! Prints the traces of some lessons as JSON, for the comparison with those of the page.
//!
//! `cargo run -p web --example traces`

use core::time::Duration;

use web::{Json, Player};

type Lesson = (&'static str, &'static str, &'static [(f64, &'static str)], f64);

const LESSONS: [Lesson; 7] = [
    (
        "flood",
        "nodes=40&degree=4&ttl=7&seed=3",
        &[(0.5, "search 3 debaser"), (2.0, "kill 7")],
        30.0,
    ),
    (
        "ring",
        "m=6&nodes=1,8,14,21,32,38,42,48,51,56&r=3&seed=5&loss=50",
        &[
            (1.0, "lookup 54 8"),
            (3.0, "kill 14"),
            (20.0, "join 26 1"),
            (60.0, "cut 1,8,26"),
            (150.0, "heal"),
        ],
        300.0,
    ),
    ("flood", "loops=keep&ttl=4&seed=3", &[(0.5, "search 3 debaser"), (1.0, "cut 0 1")], 30.0),
    ("stake", "slash=on&seed=4", &[(3.0, "fork"), (9.0, "greedy ann")], 60.0),
    ("swarm", "peers=6&pieces=16&seed=9", &[(3.0, "lie 2"), (9.0, "kill 0")], 60.0),
    ("swarm", "mode=tv&peers=4&pieces=24&uplink=8&seed=2", &[(20.0, "kill 2")], 60.0),
    (
        "chain",
        "bits=8",
        &[
            (0.0, "mine 3"),
            (0.0, "pay ann ben 60"),
            (0.0, "block"),
            (1.0, "block 0"),
            (2.0, "block 2"),
        ],
        3.0,
    ),
];

fn main() -> Result<(), String> {
    let mut all = Vec::new();
    for (world, options, commands, seconds) in LESSONS {
        let mut player = Player::open(world, options)?;
        for (at, command) in commands {
            player.advance(Duration::from_secs_f64(*at));
            player.command(command)?;
        }
        player.advance(Duration::from_secs_f64(seconds));
        let commands =
            commands.iter().map(|(at, text)| Json::List(vec![(*at).into(), (*text).into()]));
        all.push(Json::object([
            ("world", world.into()),
            ("options", options.into()),
            ("commands", Json::List(commands.collect())),
            ("seconds", seconds.into()),
            ("trace", player.trace().into()),
        ]));
    }
    println!("{}", Json::List(all));
    Ok(())
}
