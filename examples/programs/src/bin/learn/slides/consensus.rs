//! Proof of stake and proof of authority.

use consensus::select::{Change, WeightedRoundRobin};
use consensus::{
    Authorities, AuthoritySlot, Equivocation, SignedStatement, Statement, ValidatorId,
    ValidatorSet, ValidatorVec, validator_id,
};
use ledger_core::KeyPair;

use super::{Check, Fact, equal, fact, failed, holds};

fn id(number: u8) -> ValidatorId {
    ValidatorId([number; 32])
}

pub const FACTS: &[Fact] = &[
    fact(
        "C-CON-02",
        "selection by stake and chance: slots of 10,000 for stakes 1, 2, 3, 4, and none without stake",
        "consensus::ValidatorSet::draw",
        "PPN How PoS Works",
        || {
            let mut set = ValidatorSet::new(ValidatorVec::new(8));
            for stake in 0..=4 {
                set.set_stake(id(stake as u8 + 1), stake).map_err(failed)?;
            }
            let mut slots = [0; 5];
            for slot in 0..10_000 {
                let drawn = set.draw(&[7; 32], slot, 0).ok_or("nobody")?;
                slots[usize::from(drawn.0[0]) - 1] += 1;
            }
            // Within five standard deviations.
            let near = (1..5)
                .all(|stake| (f64::from(slots[stake]) - 1_000.0 * stake as f64).abs() < 250.0);
            holds(near && slots[0] == 0, format!("{slots:?}"))
        },
    ),
    fact(
        "C-CON-17",
        "without chance the shares are exact: slots of 10,000 by a weighted round robin",
        "consensus::select::WeightedRoundRobin",
        "PPN How PoS Works",
        || {
            let changes = [1, 2, 3, 4].map(|power| Change { id: id(power as u8), power });
            let mut turns =
                WeightedRoundRobin::new(ValidatorVec::new(4), &changes).map_err(failed)?;
            let mut slots = [0; 4];
            for _ in 0..10_000 {
                let next = turns.advance(1).ok_or("nobody")?;
                slots[usize::from(next.0[0]) - 1] += 1;
            }
            equal(slots, [1_000, 2_000, 3_000, 4_000])
        },
    )
    .but("E-47"),
    fact(
        "C-CON-04",
        "nothing at stake: two signed blocks of one validator for one slot prove it",
        "consensus::Equivocation",
        "PPN PoS (Continue)",
        || {
            let key = KeyPair::from_secret(&[1; 32]);
            let sign = |digest: u8| {
                let statement = Statement::propose([0; 32], 1, 0, [digest; 32]);
                SignedStatement {
                    statement,
                    author: validator_id(&key),
                    signature: *key.sign(&statement).as_bytes(),
                }
            };
            let proof = Equivocation::prove(&sign(1), &sign(2)).map_err(failed)?;
            let same = Equivocation::prove(&sign(1), &sign(1)).is_err();
            holds(
                proof.offender() == validator_id(&key) && same,
                format!("by {:.8}", proof.offender()),
            )
        },
    ),
    fact(
        "C-CON-06",
        "validators are known and pre-approved: one that is not",
        "consensus::Authorities",
        "PPN PoA",
        || {
            let authorities = seven()?;
            holds(authorities.turn(&id(99), 1).is_err(), "refused")
        },
    ),
    fact(
        "C-CON-07",
        "authorities in turn: how many of seven may sign each of seven blocks in turn",
        "consensus::Authorities::in_turn",
        "PPN How PoA Works",
        || {
            let authorities = seven()?;
            let mut turns: Vec<ValidatorId> =
                (1..=7).filter_map(|height| authorities.in_turn(height)).collect();
            turns.sort_unstable();
            turns.dedup();
            equal(turns.len(), 7)
        },
    )
    .but("E-48"),
    fact(
        "C-CON-08",
        "authorities are held accountable: one signs at most once in this many blocks",
        "consensus::Authorities::signer_limit",
        "PPN PoA (Continue)",
        || {
            let authorities = seven()?;
            equal(authorities.signer_limit(), 4)
        },
    ),
    fact(
        "C-CON-05",
        "no computation to validate: hashes searched for a block by stake, and by 8 bits of work",
        "consensus::ValidatorSet, pow::WorkSeal",
        "PPN PoS (Continue)",
        hashes,
    )
    .but("E-49"),
];

fn seven() -> Result<Authorities<Vec<AuthoritySlot>>, String> {
    let mut authorities = Authorities::new(vec![AuthoritySlot::EMPTY; 8]);
    for number in 1..=7 {
        authorities.insert(id(number)).map_err(failed)?;
    }
    Ok(authorities)
}

/// By stake, a draw names the proposer, and one signature seals; by work, a nonce is searched.
fn hashes() -> Check {
    let view = super::lesson::run("chain", "bits=8", &[("block", 0)])?;
    let blocks = super::lesson::items(super::lesson::find(&view, &["ledger", "blocks"])?).to_vec();
    let work = blocks
        .last()
        .map(|block| super::lesson::find(block, &["hashes"]).map(super::lesson::number));
    let work = work.ok_or("no block")??;
    holds(work >= 1.0, format!("0 and {work}"))
}
