//! Peer-to-peer systems in general.

use core::time::Duration;
use std::collections::BTreeMap;

use bittorrent_pieces::choker::Candidate;
use bittorrent_pieces::{Choker, ConnId};
use pow::pool::{Event, Job, Pool, PoolConfig, PoolLimits, PoolVec, Worker, WorkerId};
use pow::{BigEndian, ByteOrder, HashFunction, NonceField, NonceFormat, Puzzle, Target};

use super::lesson::{find, run, search};
use super::{Check, Fact, equal, fact, failed, holds};

pub const FACTS: &[Fact] = &[
    fact(
        "C-GEN-01",
        "a node is a client as well as a server",
        "gnutella_wire::Servent",
        "INTRO What is P2P",
        || {
            // Two nodes, both of the same type: each finds what the other has.
            let one = search("nodes=6&degree=2", &[], 0, "debaser")?;
            let other = search("nodes=6&degree=2", &[], 1, "hey jude")?;
            equal((one.flat.found, other.flat.found), (1, 1))
        },
    ),
    fact(
        "C-GEN-05",
        "if a neighbour goes down, a new edge is made",
        "chord_core::Node",
        "INTRO Overlay Graph",
        || {
            let ring = "m=6&nodes=1,8,14,21,32,38,42,48,51,56&r=3";
            let view = run("ring", ring, &[("kill 14", 60)])?;
            let ideal = find(&view, &["ideal"])?.to_string();
            equal(ideal, "true".into())
        },
    ),
    fact(
        "C-GEN-07",
        "joining is self-managed: the others learn of it by messages only",
        "chord_core::Node::join",
        "INTRO Management Issue",
        || {
            let ring = "m=6&nodes=1,8,14,21,32,38,42,48,51,56&r=3";
            let view = run("ring", ring, &[("join 26 1", 60)])?;
            equal(find(&view, &["ideal"])?.to_string(), "true".into())
        },
    ),
    fact(
        "C-GEN-12",
        "three ways to locate: an index, flooding, hashing; messages for one search among 60 nodes",
        "gnutella_wire::opennap::Index, Servent, chord_core::Node",
        "DT P2P Architecture Classification",
        || {
            let cost = search("nodes=60&degree=5&ttl=15", &[], 17, "debaser")?;
            let [index, hybrid, flat] = [cost.index, cost.hybrid, cost.flat].map(|one| one.queries);
            holds(index < hybrid && hybrid < flat, format!("{index} < {hybrid} < {flat} queries"))
        },
    ),
    fact(
        "C-GEN-18",
        "any node of a pure network can be removed, and the others still find; the index cannot",
        "gnutella_wire::Servent, opennap::Index",
        "BAUN P2P Summary",
        || {
            let mut found = u64::MAX;
            for victim in (0..12).filter(|victim| *victim != 3) {
                let cost = search("nodes=12&degree=4", &[&victim.to_string()], 3, "debaser")?;
                found = found.min(cost.flat.found);
            }
            let index = search("nodes=12&degree=4", &["index"], 3, "debaser")?.index.found;
            holds(
                found >= 1 && index == 0,
                format!("at least {found} hit each, {index} by the index"),
            )
        },
    )
    .but("E-31"),
    fact(
        "C-GEN-19",
        "work in chunks that others compute: none is lost, none counts twice",
        "pow::pool::Pool, Worker",
        "INTRO seti@home",
        work_units,
    )
    .but("E-23"),
    fact(
        "C-GEN-20",
        "a free rider gets little",
        "bittorrent_pieces::Choker",
        "INTRO Management Issue",
        free_rider,
    ),
];

fn work_units() -> Check {
    let (expected, accounts) = mine_together(true)?;
    let accepted: u64 = accounts.iter().map(|(accepted, _)| accepted).sum();
    let split: u64 = accounts.iter().map(|(_, part)| part).sum();
    equal((accepted, split), (expected, 1_001))
}

/// Returns the shares of two workers, and their parts of a reward of 1,001.
pub fn pool_mining() -> Check {
    let (expected, accounts) = mine_together(false)?;
    let accepted: u64 = accounts.iter().map(|(accepted, _)| accepted).sum();
    let fair =
        accounts.iter().all(|(accepted, part)| part.abs_diff(1_001 * accepted / expected) <= 1);
    let right = accepted == expected && accounts.len() == 2 && fair;
    holds(right, format!("{accounts:?} of {expected} shares"))
}

/// A thousand nonces in leases of a hundred, for two workers, of which one may take a lease and fall silent. Returns how many
/// shares are among the nonces; and of each worker those that were accepted, and its part of 1,001 coins.
fn mine_together(one_is_silent: bool) -> Result<(u64, Vec<(u64, u64)>), String> {
    let message = [0; 16];
    let job = Job {
        function: HashFunction::Sha256,
        order: ByteOrder::Big,
        message: &message,
        nonce: NonceField { offset: 8, format: NonceFormat::U64Be },
        target: Target::from_zero_bits(255),
        share: Target::from_zero_bits(6),
    };
    let puzzle = Puzzle::new(job.function, &message, job.nonce).map_err(failed)?;
    let counts = |nonce: &u64| job.share.is_met_by::<BigEndian>(&puzzle.digest(*nonce));
    let expected = (0..1_000).filter(counts).count();
    let lease = 100.try_into().map_err(failed)?;
    let config = PoolConfig::new(lease, Duration::from_secs(10));
    let limits = PoolLimits { message: message.len(), ..PoolLimits::for_connections(2) };
    let mut pool = Pool::new(config, PoolVec::new(limits)).map_err(failed)?;
    pool.set_job(Duration::ZERO, &job, 0..=999).map_err(failed)?;
    for conn in [1, 2] {
        pool.handle_connected(Duration::ZERO, pow::ConnId(conn), WorkerId(conn.into()))
            .map_err(failed)?;
    }
    let mut workers = [Worker::new(), Worker::new()];
    let mut buf = [0; 4096];
    for second in 0..100 {
        let now = Duration::from_secs(second);
        pool.handle_timeout(now);
        while let Ok(Some(sent)) = pool.poll_transmit(&mut buf) {
            if sent.conn.0 == 2 || !one_is_silent {
                workers[sent.conn.0 as usize - 1].handle_bytes(&buf[..sent.len]);
            }
        }
        for (conn, worker) in (1..).zip(&mut workers) {
            while worker.step(1_000) {}
            while let Ok(Some(len)) = worker.poll_transmit(&mut buf) {
                let _ = pool.handle_bytes(now, pow::ConnId(conn), &buf[..len]); // judged by what is exhausted
                worker.step(1_000);
            }
        }
        while let Some(event) = pool.poll_event() {
            if matches!(event, Event::Exhausted) {
                let parts: BTreeMap<_, _> = pool.split(1_001).collect();
                let accounts = pool.accounts().map(|account| {
                    (account.accepted, parts.get(&account.worker).copied().unwrap_or(0))
                });
                return Ok((expected as u64, accounts.collect()));
            }
        }
    }
    Err("the work never ended".into())
}

/// Six peers, of which one gives nothing, over a hundred rounds with four slots.
fn free_rider() -> Check {
    let mut peers: Vec<Candidate> = (0..6).map(|conn| Candidate::new(ConnId(conn))).collect();
    for (peer, rate) in peers.iter_mut().zip([50, 40, 30, 20, 10, 0]) {
        peer.interested = true;
        peer.rate = rate;
    }
    let mut choker = Choker::new(4, 1);
    let mut served = [0; 6];
    for _ in 0..100 {
        choker.round(&mut peers, |peer| Some(peer));
        for (count, peer) in served.iter_mut().zip(&peers) {
            *count += u32::from(peer.unchoked);
        }
    }
    holds(2 * served[5] < served[0], format!("{} rounds of 100, the best {}", served[5], served[0]))
}
