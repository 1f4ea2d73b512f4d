//! Draws, proposer steps, checks of evidence and BFT decisions.
//!
//! Workload A draws from 1,000, 100,000 and 1,000,000 validators with stakes 1 to 100: a prefix sum with a binary search
//! and a Fenwick tree, each with its SHA-256, which is measured alone in the first row. Workload B is one step of the
//! weighted round robin. Workload C is a network without delay or loss, all validators in one thread, with signatures that
//! cost nothing and with Ed25519. Workload D checks 334 bytes of evidence: two signatures. The best of five repetitions,
//! wall time. Compare within one run only.

use core::hint::black_box;
use core::time::Duration;
use std::collections::VecDeque;
use std::time::Instant;

use consensus::bft::{Bft, BftConfig, BftEvent, BftSetup, BftSlots, PeerSlot, VoteSlot};
use consensus::guard::MinimalGuard;
use consensus::select::{Change, PrioritySlot, StakeSlot, StakeTree, WeightedRoundRobin};
use consensus::{
    Ed25519Key, Equivocation, Keys, RoundRobin, SignedStatement, Statement, ValidatorId,
    ValidatorSet, ValidatorSlot, Verify,
};

const REPETITIONS: u32 = 5;

fn main() {
    draws();
    proposer_steps();
    evidence();
    decisions();
    sizes();
}

/// Runs `work` a number of times and returns the nanoseconds of one.
fn measure(times: u32, mut work: impl FnMut(u32)) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..REPETITIONS {
        let start = Instant::now();
        (0..times).for_each(&mut work);
        best = best.min(start.elapsed().as_nanos() as f64 / f64::from(times));
    }
    best
}

fn id(n: u32) -> ValidatorId {
    let mut id = [0; 32];
    id[..4].copy_from_slice(&n.to_be_bytes());
    ValidatorId(id)
}

fn draws() {
    let mut one = ValidatorSet::new([ValidatorSlot::EMPTY; 1]);
    one.set_stake(id(0), 77).expect("there is room");
    let hash = measure(200_000, |slot| {
        black_box(one.draw(&[1; 32], u64::from(slot), 0));
    });
    println!("draw from 1 (the hash): {hash:.0} ns");
    for count in [1_000, 100_000, 1_000_000] {
        let stake = |n: u32| u64::from(n % 100) + 1;
        let sorted = (0..count).map(|n| (id(n), stake(n)));
        let set =
            ValidatorSet::from_sorted(vec![ValidatorSlot::EMPTY; count as usize], sorted.clone());
        let set = set.expect("sorted, and there is room");
        let tree = StakeTree::from_sorted(vec![StakeSlot::EMPTY; count as usize], sorted);
        let mut tree = tree.expect("sorted, and there is room");
        let prefix = measure(100_000, |slot| {
            black_box(set.draw(&[1; 32], u64::from(slot), 0));
        });
        let fenwick = measure(100_000, |slot| {
            black_box(tree.draw(&[1; 32], u64::from(slot), 0));
        });
        let change = measure(100_000, |n| {
            let n = n.wrapping_mul(2_654_435_761) % count;
            tree.set_stake(id(n), u64::from(n) + 1).expect("it is known");
        });
        println!(
            "draw from {count}: prefix sum {:.0} ns, Fenwick {:.0} ns (without the hash); change of a stake {change:.0} ns",
            prefix - hash,
            fenwick - hash
        );
    }
}

fn proposer_steps() {
    for count in [100, 1_000, 10_000] {
        let changes: Vec<_> =
            (0..count).map(|n| Change { id: id(n), power: u64::from(n % 100) + 1 }).collect();
        let slots = vec![PrioritySlot::EMPTY; count as usize];
        let mut set = WeightedRoundRobin::new(slots, &changes).expect("valid");
        let one = measure(2_000_000 / count, |_| {
            black_box(set.advance(1));
        });
        let many = measure(20, |_| {
            black_box(set.advance(200_000 / count));
        });
        let many = many / f64::from(200_000 / count);
        println!("proposer step of {count}: {:.2} us, {:.2} us within many", one / 1e3, many / 1e3);
    }
}

fn evidence() {
    let key = Ed25519Key::from_secret(&[1; 32]);
    let [one, two] = [1, 2].map(|digest| {
        let statement = Statement::propose([7; 32], 5, 0, [digest; 32]);
        let signature = key.sign(&statement.to_bytes());
        SignedStatement { statement, author: key.id(), signature }
    });
    let mut bytes = [0; Equivocation::LEN];
    let proved = Equivocation::prove(&one, &two).expect("a contradiction");
    proved.encode(&mut bytes).expect("LEN suffices");
    let signature = measure(500, |_| {
        black_box(one.verify()).expect("signed");
    });
    let check = measure(500, |_| {
        black_box(Equivocation::decode(&bytes)).expect("evidence");
    });
    println!(
        "check of evidence, {} bytes: {:.1} us; one signature {:.1} us",
        Equivocation::LEN,
        check / 1e3,
        signature / 1e3
    );
}

fn sizes() {
    println!(
        "bytes per validator: set {}, Fenwick {}, round robin {}, BFT {}, minimal guard {}",
        size_of::<ValidatorSlot>(),
        size_of::<StakeSlot>(),
        size_of::<PrioritySlot>(),
        size_of::<PeerSlot>() + VoteSlot::PER_VALIDATOR * size_of::<VoteSlot>(),
        size_of::<MinimalGuard>()
    );
}

/// Signs with the id: costs nothing.
#[derive(Debug, Clone, Copy)]
struct NameKeys(ValidatorId);

impl Verify for NameKeys {
    fn verify(&self, author: &ValidatorId, _: &[u8], signature: &[u8; 64]) -> bool {
        signature[..32] == author.0
    }
}

impl Keys for NameKeys {
    fn id(&self) -> ValidatorId {
        self.0
    }

    fn sign(&self, _: &[u8]) -> [u8; 64] {
        let mut out = [0; 64];
        out[..32].copy_from_slice(&self.0.0);
        out
    }
}

fn decisions() {
    for count in [4, 31, 100] {
        let keys: Vec<_> = (0..count).map(|n| NameKeys(id(n))).collect();
        report("no signatures", &keys, if count == 4 { 500 } else { 5 });
    }
    let keys: Vec<_> = (0..4).map(|n| Ed25519Key::from_secret(&[n + 1; 32])).collect();
    report("Ed25519", &keys, 20);
}

fn report<K: Keys + Clone>(name: &str, keys: &[K], heights: u64) {
    let start = Instant::now();
    let bytes = run(keys, heights);
    let seconds = start.elapsed().as_secs_f64();
    let count = keys.len();
    println!(
        "{count} validators, {name}: {:.0} decisions/s, {} bytes sent by each for a decision",
        heights as f64 / seconds,
        bytes / heights / count as u64
    );
}

/// Decides this many heights and returns the bytes that were sent, counted once for each datagram.
fn run<K: Keys + Clone>(keys: &[K], heights: u64) -> u64 {
    let ids: Vec<_> = keys.iter().map(Keys::id).collect();
    let weights: Vec<_> = ids.iter().map(|id| (*id, 1)).collect();
    let engine = |keys: &K| {
        let setup = BftSetup {
            config: BftConfig::new(Duration::from_secs(1)),
            genesis: [7; 32],
            height: 0,
            validators: &weights,
            selector: RoundRobin::new(ids.clone()),
            keys: keys.clone(),
        };
        let storage = BftSlots {
            validators: vec![PeerSlot::EMPTY; ids.len()],
            votes: vec![VoteSlot::EMPTY; ids.len() * VoteSlot::PER_VALIDATOR],
        };
        Bft::new(setup, storage).expect("valid")
    };
    let mut engines: Vec<_> = keys.iter().map(engine).collect();
    let mut network = VecDeque::new();
    let mut bytes = 0;
    let mut buf = [0; SignedStatement::LEN];
    while engines.iter().any(|engine| engine.height() < heights) {
        for engine in &mut engines {
            while let Some(event) = engine.poll_event() {
                let now = Duration::ZERO;
                match event {
                    BftEvent::Save { token } => engine.handle_saved(now, token).expect("known"),
                    BftEvent::Propose { height, .. } => {
                        engine.propose(now, &[height as u8 | 1; 32]).expect("wanted");
                    }
                    BftEvent::Check { value, .. } => engine.handle_checked(now, &value, true),
                    BftEvent::Decided { .. } => engine.next_height(now).expect("decided"),
                    _ => {}
                }
            }
            while let Some(transmit) = engine.poll_transmit(&mut buf).expect("LEN suffices") {
                bytes += transmit.len as u64;
                network.push_back(buf);
            }
        }
        while let Some(datagram) = network.pop_front() {
            for engine in &mut engines {
                let _ = engine.handle_datagram(Duration::ZERO, &datagram); // its own come back, too
            }
        }
    }
    bytes
}
