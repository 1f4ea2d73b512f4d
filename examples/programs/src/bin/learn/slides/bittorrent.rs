//! BitTorrent, and television over peers.

use core::time::Duration;

use bittorrent_pieces::choker::Candidate;
use bittorrent_pieces::{
    Choker, Config, ConnId, Geometry, InfoHash, PeerId, PieceHasher, PieceIndex, Policy,
    picker::{Order, Playback},
};

use web::Player;

use super::lesson::{find, items, number, run};
use super::{Check, Fact, equal, fact, failed, holds};

const PIECE: u32 = 256 << 10;

fn pieces(bytes: u64) -> Result<u32, String> {
    Geometry::new(bytes, PIECE).map(|geometry| geometry.pieces()).map_err(failed)
}

pub const FACTS: &[Fact] = &[
    fact(
        "C-BIT-01",
        "pieces of 256 KB: those of 64 MiB",
        "bittorrent_pieces::Geometry",
        "INTRO BitTorrent: Pieces",
        || equal((PIECE, pieces(64 << 20)?), (262_144, 256)),
    )
    .but("E-22"),
    fact(
        "C-BIT-02",
        "pieces are uploaded while others are downloaded: the peers are faster than their server",
        "bittorrent_pieces::Torrent",
        "INTRO BitTorrent: Pieces",
        || {
            let view = run("swarm", "peers=8&pieces=24", &[("", 60)])?;
            let swarm = number(find(&view, &["complete"])?);
            let server = number(find(&view, &["server"])?);
            holds(
                swarm < server,
                format!("{swarm:.1} s, and at least {server:.1} s from the seed alone"),
            )
        },
    ),
    fact(
        "C-BIT-03",
        "the rarest piece first: seconds until every piece exists twice, against a sequence",
        "bittorrent_pieces::Picker",
        "INTRO BitTorrent: Pieces",
        || {
            let rarest = second_copy("rarest")?;
            let sequence = second_copy("sequential")?;
            holds(rarest < sequence, format!("{rarest} s against {sequence} s"))
        },
    ),
    fact(
        "C-BIT-04",
        "except at the beginning: random pieces until the first one is complete",
        "bittorrent_pieces::Policy",
        "INTRO BitTorrent: Pieces",
        || {
            let policy = Policy::new();
            holds(
                policy.order == Order::RarestFirst && policy.random_first >= 1,
                format!("{} pieces", policy.random_first),
            )
        },
    ),
    fact(
        "C-BIT-05",
        "uploads to at most four peers: those that are unchoked of eight that want pieces",
        "bittorrent_pieces::Choker, Config::upload_slots",
        "INTRO Tit-for-tat",
        || {
            let slots = Config::new(InfoHash([7; 20]), PeerId([1; 20])).upload_slots;
            let mut peers: Vec<Candidate> = (0..8).map(|n| Candidate::new(ConnId(n))).collect();
            for peer in &mut peers {
                peer.interested = true;
            }
            Choker::new(slots, 1).round(&mut peers, |peer| Some(peer));
            equal(peers.iter().filter(|peer| peer.unchoked).count(), 4)
        },
    ),
    fact(
        "C-BIT-06",
        "those with the highest rates, and one by chance, which changes every third round",
        "bittorrent_pieces::Choker",
        "INTRO Tit-for-tat",
        unchoked,
    )
    .but("E-20"),
    fact(
        "C-BIT-07",
        "a list of checksums: bytes for 64 MiB, 700 MiB, 4 GiB",
        "bittorrent_pieces::Geometry",
        "BAUN BitTorrent (1/3)",
        || {
            let hash = PieceHasher::digest(b"").len() as u32;
            equal(
                [64, 700, 4096].map(|mib| pieces(mib << 20).map(|count| count * hash)),
                [Ok(5_120), Ok(56_000), Ok(327_680)],
            )
        },
    )
    .but("E-21"),
    fact(
        "C-BIT-09",
        "fast and wide distribution: 12 machines instead of 3 take less than twice the time",
        "bittorrent_pieces::Torrent",
        "BAUN BitTorrent in Cloud Infrastructures",
        || {
            let time = |peers: u32| -> Result<f64, String> {
                let view = run("swarm", &format!("peers={peers}&pieces=24"), &[("", 90)])?;
                Ok(number(find(&view, &["complete"])?))
            };
            let few = time(3)?;
            let many = time(12)?;
            holds(many < 2.0 * few, format!("{few:.1} s and {many:.1} s"))
        },
    ),
    fact(
        "C-BIT-10",
        "a piece is checked against its checksum: who sends wrong data is found",
        "bittorrent_pieces::PieceHasher, Torrent",
        "BAUN BitTorrent (1/3)",
        || {
            let view = run("swarm", "peers=6&pieces=24&liar=2&seed=3", &[("", 60)])?;
            let nodes = items(find(&view, &["nodes"])?);
            let mut banned: Vec<String> = nodes
                .iter()
                .filter_map(|node| find(node, &["banned"]).ok())
                .flat_map(items)
                .map(ToString::to_string)
                .collect();
            banned.dedup();
            equal(banned, vec!["2".to_owned()])
        },
    ),
    fact(
        "C-STR-01",
        "real-time BitTorrent: a deadline for each piece, here 0.5 s apart after 20 s",
        "bittorrent_pieces::picker::Playback",
        "BAUN Television via P2P",
        || {
            let playback = Playback {
                first: PieceIndex(0),
                due: Duration::from_secs(20),
                pace: Duration::from_millis(500),
                window: 10,
                urgent: Duration::from_secs(3),
            };
            let due = [0, 1, 10]
                .map(|piece| playback.deadline(PieceIndex(piece)).map(|at| at.as_secs_f64()));
            equal(due, [Some(20.0), Some(20.5), Some(25.0)])
        },
    ),
    fact(
        "C-STR-03",
        "each user also forwards: the share of pieces that are late, and without forwarding",
        "bittorrent_pieces::Torrent, picker::Playback",
        "BAUN Television via P2P",
        || {
            let late = |uplink: u32| -> Result<f64, String> {
                let options = format!("mode=tv&peers=6&pieces=48&uplink={uplink}&seeduplink=96");
                let view = run("swarm", &options, &[("", 90)])?;
                Ok(number(find(&view, &["late"])?) / number(find(&view, &["shown"])?))
            };
            let forwarding = late(64)?;
            let selfish = late(4)?;
            holds(
                forwarding < 0.1 && selfish > 0.3,
                format!("{:.0} % and {:.0} %", 100.0 * forwarding, 100.0 * selfish),
            )
        },
    ),
];

/// Returns the first second at which every piece exists at two nodes.
fn second_copy(order: &str) -> Result<u64, String> {
    let options = format!("peers=8&pieces=24&order={order}");
    let mut player = Player::open("swarm", &options).map_err(failed)?;
    for second in 1..200 {
        player.advance(Duration::from_secs(second));
        let view = player.view();
        if items(find(&view, &["view", "copies"])?).iter().all(|copies| number(copies) >= 2.0) {
            return Ok(second);
        }
    }
    Err("it never happens".into())
}

fn unchoked() -> Check {
    let mut peers: Vec<Candidate> = (0..8).map(|conn| Candidate::new(ConnId(conn))).collect();
    for (peer, rate) in peers.iter_mut().zip([80, 70, 60, 20, 15, 10, 5, 0]) {
        peer.interested = true;
        peer.rate = rate;
    }
    let mut choker = Choker::new(4, 3);
    let mut lucky = Vec::new();
    for round in 0..30 {
        choker.round(&mut peers, |peer| Some(peer));
        let slots = peers.iter().filter(|peer| peer.unchoked).count();
        if slots != 4 {
            return Err(format!("{slots} slots in round {round}"));
        }
        lucky.extend(choker.optimistic());
    }
    let steady = lucky.chunks(3).all(|three| three.iter().all(|conn| *conn == three[0]));
    let changes = lucky
        .chunks(3)
        .zip(lucky.chunks(3).skip(1))
        .filter(|(one, next)| one[0] != next[0])
        .count();
    holds(steady && changes >= 8, format!("4 slots, {changes} changes in 30 rounds"))
}
