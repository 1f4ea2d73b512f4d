//! Proof of work.

use pow::{
    BigEndian, HashFunction, Header, Miner, NonceField, NonceFormat, Puzzle, Step, Target, U256,
};

use super::lesson::{find, run};
use super::{Check, Fact, equal, fact, failed, holds};

/// Headers of Bitcoin's blocks 0 and 1, as every node stores them.
const FIRST: [&str; 2] = [
    "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c",
    "010000006fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000982051fd1e4ba744bbbe680e1fee14677ba1a3c3540bf7b1cdb606e857233e0e61bc6649ffff001d01e36299",
];

/// The header of block 125,552, of 21 May 2011.
const MAY_2011: &str = "0100000081cd02ab7e569e8bcd9317e2fe99f2de44d49ab2b8851ba4a308000000000000e320b6c2fffc8d750423db8b1eb942ae710e951ed797f7affc8892b0f1fc122bc7f5d74df2b9441a42a14695";

fn header(hex: &str) -> Result<Header, String> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16);
    let bytes: Vec<u8> =
        (0..hex.len()).step_by(2).map(digit).collect::<Result<_, _>>().map_err(failed)?;
    Header::decode(&bytes).map(|(header, _)| header).map_err(failed)
}

/// Block 1 of Bitcoin links to block 0, and both meet their targets.
pub fn first_blocks() -> Check {
    let zero = header(FIRST[0])?;
    let one = header(FIRST[1])?;
    let right = one.previous == zero.id() && zero.has_valid_work() && one.has_valid_work();
    let id = zero.id().to_string();
    holds(right && id == "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f", id)
}

pub fn puzzle(text: &str) -> Result<Puzzle, String> {
    let message = [text.as_bytes(), &[0; 8]].concat();
    let field = NonceField { offset: text.len(), format: NonceFormat::U64Be };
    Puzzle::new(HashFunction::Sha256, &message, field).map_err(failed)
}

/// Returns the first nonce that counts, and the number of hashes.
pub fn search(puzzle: Puzzle, bits: u32) -> Option<(u64, u64)> {
    let mut miner: Miner = Miner::new(puzzle, Target::from_zero_bits(bits), 0..=u64::MAX);
    loop {
        match miner.step(100_000) {
            Step::Found(nonce) => return Some((nonce, miner.tried())),
            Step::Working => {}
            Step::Exhausted => return None,
        }
    }
}

pub const FACTS: &[Fact] = &[
    fact(
        "C-POW-01",
        "the hash is numerically smaller than the target: one below, equal, one above",
        "pow::Target::is_met_by",
        "DT Blockchain (Bitcoin)",
        || {
            let target = Target::new(U256::from_be_bytes(&[7; 32]));
            let mut below = [7; 32];
            below[31] = 6;
            let mut above = [7; 32];
            above[31] = 8;
            equal([below, [7; 32], above].map(|digest| target.is_met_by::<BigEndian>(&digest)), [true, true, false])
        },
    )
    .but("E-42"),
    fact(
        "C-POW-02",
        "easy to verify, time-consuming to generate: hashes for 8 zero bits, mean of 400 puzzles (256 expected)",
        "pow::Miner",
        "DT Blockchain (Bitcoin)",
        || {
            let mut sum = 0;
            for number in 0..400 {
                let (_, tried) = search(puzzle(&format!("puzzle {number}"))?, 8).ok_or("none")?;
                sum += tried;
            }
            let mean = sum as f64 / 400.0;
            holds((217.0..295.0).contains(&mean), format!("{mean:.0}, and one to verify"))
        },
    )
    .but("E-45"),
    fact(
        "C-POW-03",
        "the target sets the amount of work: hashes expected for 16, 17 and 18 zero bits",
        "pow::Target::work",
        "DT Blockchain (Bitcoin)",
        || {
            let work = [16, 17, 18].map(|bits| Target::from_zero_bits(bits).work().hashes().saturating_u128());
            equal(work, [65_536, 131_072, 262_144])
        },
    ),
    fact(
        "C-POW-05",
        "a solution is specific to its block: the nonce of one text tried on a hundred others",
        "pow::Puzzle",
        "DT Blockchain (Bitcoin)",
        || {
            let (nonce, _) = search(puzzle("block")?, 16).ok_or("none")?;
            let target = Target::from_zero_bits(16);
            let mut fits = 0;
            for number in 0..100 {
                let digest = puzzle(&format!("block {number}"))?.digest(nonce);
                fits += u32::from(target.is_met_by::<BigEndian>(&digest));
            }
            equal(fits, 0)
        },
    ),
    fact(
        "C-POW-06",
        "a CPU needs about a year for a block: years at 20 MH/s for block 125,552 (May 2011)",
        "pow::Work::expected_time",
        "BAUN Create/Compute Bitcoins",
        || {
            let header = header(MAY_2011)?;
            let id = header.id().to_string();
            let target = header.bits.to_target().map_err(failed)?;
            let years = target.work().expected_time(20_000_000).as_secs_f64() / 31_556_952.0;
            let is_real = header.has_valid_work()
                && id == "00000000000000001e8d6829a8a21adc5d38d0a473b144b6765798e61f98bd1d";
            holds(is_real && (1.0..2.0).contains(&years), format!("{years:.2}"))
        },
    )
    .but("E-50"),
    fact(
        "C-POW-09",
        "a block confirms its transactions; a heavier branch takes that back",
        "ledger_core::node::Node, pow::WorkSeal",
        "PPN How PoW Works",
        || {
            let commands = [("pay ann ben 60", 0), ("block", 0), ("block 0", 0), ("block 2", 0)];
            let view = run("chain", "", &commands)?;
            let people = super::lesson::items(find(&view, &["ledger", "people"])?).to_vec();
            let coins: Vec<String> =
                people.iter().filter_map(|one| find(one, &["balance"]).ok().map(ToString::to_string)).collect();
            equal(coins, ["100", "0", "0", "0"].map(str::to_owned).to_vec())
        },
    )
    .but("E-43"),
    fact(
        "C-POW-11",
        "a computational expensive task: hashes counted for 4, 8, 12 and 16 zero bits",
        "pow::Miner",
        "INTRO Technical Concepts (2)",
        || {
            let mut counted = Vec::new();
            for bits in [4, 8, 12, 16] {
                counted.push(search(puzzle("one song")?, bits).ok_or("none")?.1);
            }
            holds(counted.is_sorted(), format!("{counted:?}"))
        },
    ),
];
