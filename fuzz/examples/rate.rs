//! Prints how often a second each machine is executed by its body, with random operations. A broken law ends it.
//!
//! `cargo run --profile checked -p fuzz --example rate [SECONDS [MACHINE]]`

use core::time::Duration;
use std::time::Instant;

use sim::Rng;

const MACHINES: [&str; 12] = [
    "bittorrent_dht",
    "bittorrent_fetch",
    "bittorrent_peer_book",
    "bittorrent_torrent",
    "bittorrent_udp_tracker",
    "bittorrent_utp",
    "chord_node",
    "chord_node_wide",
    "gnutella_index",
    "gnutella_nap_client",
    "gnutella_servent",
    "pow_pool",
];

fn main() {
    let mut args = std::env::args().skip(1);
    let seconds = args.next().map_or(1, |text| text.parse().expect("a number of seconds"));
    let only = args.next();
    for name in MACHINES.into_iter().filter(|name| only.as_deref().is_none_or(|only| only == *name))
    {
        let Some((_, body)) = fuzz::bodies().find(|(known, _)| *known == name) else { continue };
        let mut rng = Rng::new(1);
        let start = Instant::now();
        let mut runs = 0;
        while start.elapsed() < Duration::from_secs(seconds) {
            let mut bytes = [0; 300];
            rng.fill(&mut bytes);
            body(&bytes);
            runs += 1;
        }
        println!("{name:<24} {:>9.0} a second", f64::from(runs) / start.elapsed().as_secs_f64());
    }
}
