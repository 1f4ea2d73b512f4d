//! Three seals on one kind of chain, and validators that agree.

use core::fmt::Display;
use core::time::Duration;
use std::collections::VecDeque;

use consensus::bft::{Bft, BftConfig, BftEvent, BftLimits, BftSetup, BftVec, VoteSlot};
use consensus::{
    Authorities, AuthoritySeal, AuthoritySlot, Ed25519Key, Keys as _, RoundRobin, SignedStatement,
    StakeSeal, ValidatorId, ValidatorSet, ValidatorVec, statement_of, validator_id,
};
use ledger_core::ledger::Standard;
use ledger_core::{
    Action, Block, Body, Chain, ChainSpec, ChainVec, Claim, Engine, GenesisId, Header, KeyPair,
    Rules, Tip, Transaction,
};
use pow::{Step, Target, WorkSeal};

use super::town::{NOW, account, key};
use super::{Fact, equal, fact, failed, holds};

type Stake = StakeSeal<ValidatorVec>;
type Authority = AuthoritySeal<Vec<AuthoritySlot>>;
type Machine = Bft<RoundRobin<Vec<ValidatorId>>, Ed25519Key, BftVec>;

const SUBSIDY: u64 = 50;

/// What a block with one payment did.
#[derive(Debug, PartialEq, Eq)]
struct Sealed {
    /// The steps, in order.
    steps: Vec<&'static str>,
    /// Coins of payer, payee and author.
    coins: [u64; 3],
}

/// Makes one block with a payment of 30 coins on a chain with this engine; `seal` returns its claim, and then its proof.
fn seal_one<E: Engine>(
    engine: &E,
    author: &KeyPair,
    claim: impl Fn(&E, &Tip) -> Option<Claim>,
    prove: impl Fn(&GenesisId, &mut Header) -> Result<Vec<u8>, String>,
) -> Result<Sealed, String>
where
    E::Error: Display,
{
    let mut rules = Rules::SMALL;
    rules.subsidy = SUBSIDY;
    let allocation = [(account(0), 100)];
    let spec = ChainSpec { name: "seals", rules, time: 0, allocation: &allocation };
    let chain = || Chain::new(&spec, engine.clone(), Standard, ChainVec::new(&rules));
    let mut proposer = chain().map_err(failed)?;
    let mut verifier = chain().map_err(failed)?;
    let mut steps = Vec::new();

    let payment = Transaction::new(account(0), 0, Action::Pay { to: account(1), amount: 30 });
    let mut buf = [0; Transaction::MAX_LEN];
    let signed = payment.sign(proposer.genesis_id(), &key(0), &mut buf).map_err(failed)?;
    let body = Body::from_bytes(signed.as_bytes()).map_err(failed)?;
    steps.push("pool");

    let claim = claim(proposer.engine(), proposer.tip()).ok_or("nobody may propose")?;
    steps.push("chosen");
    let header = proposer.propose(60, author.account(), &body, claim);
    let mut header = header.map_err(|error| failed(format_args!("{error}")))?;
    let proof = prove(proposer.genesis_id(), &mut header)?;
    let block = Block::new(header, &proof, body).map_err(failed)?;
    let mut bytes = vec![0; block.encoded_len()];
    block.encode(&mut bytes).map_err(failed)?;
    steps.push("broadcast");

    verifier.append(NOW, &bytes).map_err(|error| failed(format_args!("{error}")))?;
    steps.push("verified");
    let state = verifier.state();
    let coins = [account(0), account(1), author.account()].map(|who| state.balance(&who));
    if coins[2] == SUBSIDY && verifier.tip().height.0 == 1 {
        steps.push("confirmed, proposer rewarded");
    }
    Ok(Sealed { steps, coins })
}

fn by_stake(author: u8) -> Result<Sealed, String> {
    let author = key(author);
    let mut set = ValidatorSet::new(ValidatorVec::new(4));
    for person in 5..8 {
        set.set_stake(validator_id(&key(person)), 10).map_err(failed)?;
    }
    let id = validator_id(&author);
    let claim = move |engine: &Stake, tip: &Tip| {
        let round = (0..100).find(|round| engine.proposer(tip, *round) == Some(id))?;
        Some(Stake::claim(round, &id))
    };
    let prove = |genesis: &GenesisId, header: &mut Header| {
        let (round, _) = Stake::read_claim(header).ok_or("no claim")?;
        Ok(author.sign(&statement_of(genesis, header, round)).as_bytes().to_vec())
    };
    seal_one(&Stake::new(1, set), &author, claim, prove)
}

fn by_authority(author: u8) -> Result<Sealed, String> {
    let author = key(author);
    let mut authorities = Authorities::new(vec![AuthoritySlot::EMPTY; 4]);
    authorities.insert(validator_id(&key(5))).map_err(failed)?;
    let id = validator_id(&author);
    let prove = |genesis: &GenesisId, header: &mut Header| {
        Ok(author.sign(&statement_of(genesis, header, 0)).as_bytes().to_vec())
    };
    seal_one(&Authority::new(1, authorities), &author, |_, _| Some(Authority::claim(&id)), prove)
}

/// Returns the block, and the hashes that were tried for it.
fn by_work(bits: u32) -> Result<(Sealed, u64), String> {
    let target = Target::from_zero_bits(bits).to_compact();
    let tried = core::cell::Cell::new(0);
    let prove = |genesis: &GenesisId, header: &mut Header| {
        let mut miner = WorkSeal::miner(genesis, header, 0..=u64::MAX).map_err(failed)?;
        loop {
            match miner.step(10_000) {
                Step::Found(nonce) => {
                    header.claim = WorkSeal::claim(target, nonce);
                    tried.set(miner.tried());
                    return Ok(Vec::new());
                }
                Step::Working => {}
                Step::Exhausted => return Err("no nonce counts".into()),
            }
        }
    };
    let engine = WorkSeal::new(target).map_err(failed)?;
    let sealed = seal_one(&engine, &key(5), |_, _| Some(WorkSeal::claim(target, 0)), prove)?;
    Ok((sealed, tried.get()))
}

/// Lets four validators decide blocks for a while, some of them dead; returns what each living one has decided.
fn decide(dead: usize) -> Result<Vec<Vec<[u8; 32]>>, String> {
    const VALIDATORS: usize = 4;
    const DELAY: Duration = Duration::from_millis(50);
    let keys: Vec<Ed25519Key> =
        (0..VALIDATORS).map(|nth| Ed25519Key::from_secret(&[nth as u8 + 1; 32])).collect();
    let ids: Vec<ValidatorId> = keys.iter().map(Ed25519Key::id).collect();
    let validators: Vec<_> = ids.iter().map(|id| (*id, 1)).collect();
    let limits = BftLimits { validators: VALIDATORS, votes_per_validator: VoteSlot::PER_VALIDATOR };
    let mut machines = Vec::new();
    for key in &keys[..VALIDATORS - dead] {
        let setup = BftSetup {
            config: BftConfig::new(DELAY),
            genesis: [0xC0; 32],
            height: 1,
            validators: &validators,
            selector: RoundRobin::new(ids.clone()),
            keys: key.clone(),
        };
        machines.push(Machine::new(setup, BftVec::new(limits)).map_err(failed)?);
    }
    let mut decided = vec![Vec::new(); machines.len()];
    let mut wire: VecDeque<(Duration, Vec<u8>)> = VecDeque::new();
    for now in (0..30_000).step_by(10).map(Duration::from_millis) {
        while wire.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, bytes)) = wire.pop_front() else { break };
            for machine in &mut machines {
                let _ = machine.handle_datagram(now, &bytes); // a repeated one is dropped
            }
        }
        for (nth, machine) in machines.iter_mut().enumerate() {
            machine.handle_timeout(now);
            drive(machine, nth, now, &mut decided[nth], &mut wire)?;
        }
        if decided.iter().all(|blocks| blocks.len() >= 3) {
            break;
        }
    }
    Ok(decided)
}

fn drive(
    machine: &mut Machine,
    nth: usize,
    now: Duration,
    decided: &mut Vec<[u8; 32]>,
    wire: &mut VecDeque<(Duration, Vec<u8>)>,
) -> Result<(), String> {
    let mut buf = [0; SignedStatement::LEN];
    loop {
        match machine.poll_event() {
            Some(BftEvent::Save { token }) => machine.handle_saved(now, token).map_err(failed)?,
            Some(BftEvent::Propose { height, .. }) => {
                let mut value = [0; 32];
                value[..8].copy_from_slice(&height.to_be_bytes());
                value[8] = nth as u8 + 1;
                machine.propose(now, &value).map_err(failed)?;
            }
            Some(BftEvent::Check { height, value }) => {
                machine.handle_checked(now, &value, value[..8] == height.to_be_bytes());
            }
            Some(BftEvent::Decided { value, .. }) => {
                decided.push(value);
                machine.next_height(now).map_err(failed)?;
            }
            Some(_) => {}
            None => match machine.poll_transmit(&mut buf) {
                Ok(Some(_)) => wire.push_back((now + Duration::from_millis(20), buf.to_vec())),
                _ => return Ok(()),
            },
        }
    }
}

pub const FACTS: &[Fact] = &[
    fact(
        "C-CON-01",
        "pool, chosen by stake, broadcast, verified, rewarded and confirmed: the steps of one block",
        "consensus::StakeSeal, ledger_core::Chain",
        "PPN How PoS Works",
        || {
            let sealed = by_stake(6)?;
            holds(sealed.steps.len() == 5, sealed.steps.join(", "))
        },
    ),
    fact(
        "C-CON-09",
        "controlled by a group, not by coins: blocks by the authority, and by the owner of all coins",
        "consensus::AuthoritySeal",
        "PPN PoA",
        || equal([by_authority(5).is_ok(), by_authority(0).is_ok()], [true, false]),
    ),
    fact(
        "C-CON-10",
        "others verify and add a block, the proposer is rewarded: coins of payer, payee and author by work, stake, authority",
        "ledger_core::Engine",
        "PPN How PoS Works, How PoA Works",
        || {
            let coins = [by_work(8)?.0.coins, by_stake(5)?.coins, by_authority(5)?.coins];
            equal(coins, [[70, 30, SUBSIDY]; 3])
        },
    ),
    fact(
        "C-CON-11",
        "energy high, low, low: hashes tried for a block by 12 bits of work; and who may propose by stake and by authority",
        "pow::WorkSeal, consensus::{StakeSeal, AuthoritySeal}",
        "PPN Comparing PoW, PoS, PoA",
        || {
            let (_, hashes) = by_work(12)?;
            let proposers = |seal: fn(u8) -> Result<Sealed, String>| {
                (0..10).filter(|person| seal(*person).is_ok()).count()
            };
            let stake = proposers(by_stake);
            let authority = proposers(by_authority);
            let right = hashes > 0 && (stake, authority) == (3, 1);
            holds(right, format!("{hashes}, 0, 0; of ten keys {stake} and {authority}"))
        },
    )
    .but("E-49"),
    fact(
        "C-CON-16",
        "safety and liveness: blocks that four validators decide with none, one and two of them dead, and different ones",
        "consensus::bft::Bft",
        "INTRO Blockchain as a Distributed System",
        || {
            let mut counts = Vec::new();
            let mut different = 0;
            for dead in 0..3 {
                let decided = decide(dead)?;
                counts.push(decided.iter().map(Vec::len).min().unwrap_or(0));
                different += usize::from(decided.windows(2).any(|pair| {
                    pair[0].iter().zip(&pair[1]).any(|(one, other)| one != other)
                }));
            }
            equal((counts, different), (vec![3, 3, 0], 0))
        },
    ),
    fact(
        "C-BRD-06",
        "seven roles from purchase to ministry: of eight keys, those that may seal one of seven blocks in turn",
        "consensus::Authorities::turn",
        "INTRO Petroleum Supply Chain",
        || {
            let mut authorities = Authorities::new(vec![AuthoritySlot::EMPTY; 7]);
            for role in 0..7 {
                authorities.insert(validator_id(&key(role))).map_err(failed)?;
            }
            let may = |role: &u8| {
                let id = validator_id(&key(*role));
                (1..=7).any(|height| authorities.in_turn(height) == Some(id))
                    && authorities.turn(&id, 1).is_ok()
            };
            equal((0..8).filter(may).count(), 7)
        },
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_without_stake_or_office_seals_nothing() {
        assert!(by_stake(9).is_err());
        assert!(by_authority(6).is_err());
    }

    #[test]
    fn more_zero_bits_take_more_hashes() {
        let hashes = |bits| by_work(bits).expect("a block").1;
        assert!(hashes(10) > hashes(0));
    }
}
