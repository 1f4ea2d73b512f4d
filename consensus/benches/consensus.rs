//! Draws, proposer steps, checks of evidence and BFT decisions.
//!
//! Workload A looks up the owner of a random coin among 1,000, 100,000 and 1,000,000 validators: in a `ValidatorSet` (prefix
//! sums), in a `StakeTree` (Fenwick), and for comparison by `partition_point` in a `Vec<u64>` of prefix sums and in a
//! textbook Fenwick tree over a `Vec<u64>`. The index of the owner is the search alone; its id, in a column of 32 bytes each,
//! is one more access to memory. Stakes are random, 1 to 100, and in a second table as unequal as 1 to 2^30. The coins come
//! from a generator that costs about a nanosecond (the row "coin"), which is not subtracted. All take turns in one loop. A
//! draw adds one SHA-256, which the first row has.
//!
//! Workload B is one step of the weighted round robin. Workload C is a network without delay or loss, all validators in one
//! thread, with signatures that cost nothing and with Ed25519. Workload D checks 334 bytes of evidence: two signatures. The
//! best of five repetitions, of lookups the best of sixty short turns; wall time. Compare within one run only.

use core::hint::black_box;
use core::time::Duration;
use std::collections::VecDeque;
use std::time::Instant;

use consensus::bft::{Bft, BftConfig, BftEvent, BftSetup, BftSlots, PeerSlot, VoteSlot};
use consensus::guard::MinimalGuard;
use consensus::select::{Change, StakeTree, WeightedRoundRobin};
use consensus::{
    Ed25519Key, Equivocation, Keys, RoundRobin, SignedStatement, Statement, ValidatorArray,
    ValidatorId, ValidatorSet,
};

#[path = "../tests/heap/mod.rs"]
mod heap;
#[path = "../tests/name_keys/mod.rs"]
mod name_keys;

use heap::heap;
use name_keys::NameKeys;

const REPETITIONS: u32 = 5;
/// Lookups of one turn: few, so that most turns end before other work on the machine takes its place.
const LOOKUPS: u64 = 5_000;
const TURNS: u32 = 60;

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
    let mut one = ValidatorSet::new(ValidatorArray::<1>::EMPTY);
    one.set_stake(id(0), 77).expect("there is room");
    let draw = measure(200_000, |slot| {
        black_box(one.draw(&[1; 32], u64::from(slot), 0));
    });
    let mut coins = Coins(1);
    let coin = measure(1_000_000, |_| {
        black_box(coins.below(1 << 30));
    });
    println!("a draw from one validator, which is its SHA-256: {draw:.0} ns; a coin: {coin:.1} ns");
    for (name, shape) in [("1 to 100", 100), ("1 to 2^30", 0)] {
        let columns = [1_000, 100_000, 1_000_000].map(|count| lookups(count, shape));
        println!("\nowner of a coin, stakes of {name}; ns     1,000   100,000 1,000,000");
        let rows = [
            "prefix sums, `ValidatorSet::owner_of`",
            "`partition_point` in a `Vec`, and the id",
            "`ValidatorSet::owner_index`",
            "`partition_point` in a `Vec`",
            "Fenwick tree, `StakeTree::owner_of`",
            "textbook Fenwick tree, and the id",
            "`StakeTree::owner_index`",
            "textbook Fenwick tree",
            "change of a stake in a `StakeTree`",
        ];
        for (row, name) in rows.iter().enumerate() {
            let [few, some, many] = columns.map(|column| column[row]);
            println!("{name:40} {few:9.1} {some:9.1} {many:9.1}");
        }
    }
}

/// A generator of random coins (splitmix64).
struct Coins(u64);

impl Coins {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, total: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(total)) >> 64) as u64
    }
}

/// Finds owners in eight ways by turns, and changes stakes. Returns the nanoseconds of each.
fn lookups(count: u32, greatest: u64) -> [f64; 9] {
    let mut coins = Coins(7);
    let stakes: Vec<u64> = (0..count)
        .map(|_| if greatest == 0 { 1 << coins.below(31) } else { 1 + coins.below(greatest) })
        .collect();
    let total: u64 = stakes.iter().sum();
    let pairs = (0..count).map(id).zip(stakes.iter().copied());
    let set = ValidatorSet::from_sorted(heap(count as usize), pairs.clone()).expect("sorted");
    let mut tree = StakeTree::from_sorted(heap(count as usize), pairs).expect("sorted");
    let sums: Vec<u64> = stakes
        .iter()
        .scan(0, |sum, stake| {
            *sum += stake;
            Some(*sum)
        })
        .collect();
    let nodes = fenwick(&stakes);
    let ids: Vec<_> = (0..count).map(id).collect();
    let mut best = [f64::MAX; 8];
    for _ in 0..TURNS {
        let mut turn = |which: usize, find: &mut dyn FnMut(u64)| {
            let coins_of_turn: Vec<_> = (0..LOOKUPS).map(|_| coins.below(total)).collect();
            let start = Instant::now();
            coins_of_turn.into_iter().for_each(find);
            best[which] = best[which].min(start.elapsed().as_nanos() as f64 / LOOKUPS as f64);
        };
        turn(0, &mut |coin| _ = black_box(set.owner_of(coin)));
        turn(1, &mut |coin| _ = black_box(ids[sums.partition_point(|sum| *sum <= coin)]));
        turn(2, &mut |coin| _ = black_box(set.owner_index(coin)));
        turn(3, &mut |coin| _ = black_box(sums.partition_point(|sum| *sum <= coin)));
        turn(4, &mut |coin| _ = black_box(tree.owner_of(coin)));
        turn(5, &mut |coin| _ = black_box(ids[descend(&nodes, coin)]));
        turn(6, &mut |coin| _ = black_box(tree.owner_index(coin)));
        turn(7, &mut |coin| _ = black_box(descend(&nodes, coin)));
    }
    let change = measure(LOOKUPS as u32, |_| {
        let n = coins.below(u64::from(count)) as u32;
        tree.set_stake(id(n), coins.below(100)).expect("it is known");
    });
    let mut all = [change; 9];
    all[..8].copy_from_slice(&best);
    all
}

/// A textbook Fenwick tree, with position 0 unused.
fn fenwick(stakes: &[u64]) -> Vec<u64> {
    let mut nodes = vec![0; stakes.len() + 1];
    for (at, stake) in stakes.iter().enumerate() {
        let mut position = at + 1;
        while position < nodes.len() {
            nodes[position] += stake;
            position += position & position.wrapping_neg();
        }
    }
    nodes
}

fn descend(nodes: &[u64], mut coin: u64) -> usize {
    let mut position = 0;
    let mut step = 1 << (nodes.len() - 1).ilog2();
    while step > 0 {
        let next = position + step;
        if next < nodes.len() && nodes[next] <= coin {
            coin -= nodes[next];
            position = next;
        }
        step /= 2;
    }
    position
}

fn proposer_steps() {
    println!("\nproposer step, `WeightedRoundRobin`; us    alone  within many");
    for count in [100, 1_000, 10_000] {
        let changes: Vec<_> =
            (0..count).map(|n| Change { id: id(n), power: u64::from(n % 100) + 1 }).collect();
        let slots = heap(count as usize);
        let mut set = WeightedRoundRobin::new(slots, &changes).expect("valid");
        let one = measure(2_000_000 / count, |_| {
            black_box(set.advance(1));
        });
        let many = measure(20, |_| {
            black_box(set.advance(200_000 / count));
        });
        let many = many / f64::from(200_000 / count);
        println!("{count:6} validators {:30.2} {:12.2}", one / 1e3, many / 1e3);
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
        "\ncheck of evidence, {} bytes: {:.1} us; one signature: {:.1} us",
        Equivocation::LEN,
        check / 1e3,
        signature / 1e3
    );
}

fn sizes() {
    let columns = size_of::<ValidatorId>() + size_of::<u64>();
    println!(
        "\nbytes for each validator: set and tree {}, round robin {}, BFT {}, minimal guard {}",
        columns + size_of::<u64>() / 8,
        columns + size_of::<u64>(),
        size_of::<PeerSlot>() + VoteSlot::PER_VALIDATOR * size_of::<VoteSlot>(),
        size_of::<MinimalGuard>()
    );
}

fn decisions() {
    println!("\nBFT without delay or loss          decisions a second  bytes sent by each for one");
    for (count, heights) in [(4, 5000), (31, 200), (100, 20)] {
        let keys: Vec<_> = (0..count).map(|n| NameKeys(id(n))).collect();
        report("no signatures", &keys, heights);
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
        "{count:3} validators, {name:18} {:19.0} {:27}",
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
