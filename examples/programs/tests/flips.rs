//! Any single bit of a stored chain that is flipped is named by an audit, under the engines of stake, authority and work.

use consensus::{
    Authorities, AuthoritySeal, AuthoritySlot, StakeSeal, ValidatorId, ValidatorSet, ValidatorVec,
    statement_of, validator_id,
};
use ledger_core::ledger::Standard;
use ledger_core::{
    Action, Block, Body, Chain, ChainSpec, ChainVec, Claim, Engine, Header, KeyPair, Rules,
    Transaction,
};
use pow::{Step, Target, WorkSeal};
use sim::Rng;

const FLIPS: u64 = 10_000;
const BLOCKS: u64 = 6;
/// Few enough that a changed header meets the target now and then.
const WORK_BITS: u32 = 8;
const LATER: u64 = 1_000_000;

type Stake = StakeSeal<ValidatorVec>;
type Authority = AuthoritySeal<Vec<AuthoritySlot>>;
type TestChain<E> = Chain<E, Standard, ChainVec>;

fn key(n: u8) -> KeyPair {
    KeyPair::from_secret(&[n + 1; 32])
}

fn owner(id: &ValidatorId) -> KeyPair {
    (0..3).map(key).find(|key| validator_id(key) == *id).expect("one of them")
}

fn chain<E: Engine>(engine: E) -> TestChain<E> {
    let allocation = [(key(0).account(), 1000)];
    let spec =
        ChainSpec { name: "flips", rules: Rules::SMALL, time: 1000, allocation: &allocation };
    Chain::new(&spec, engine, Standard, ChainVec::new(&Rules::SMALL)).expect("it fits")
}

/// A payment and a record.
fn body<E: Engine>(chain: &TestChain<E>) -> Vec<u8> {
    let source = key(0).account();
    let first = chain.state().sequence(&source);
    let mut body = Vec::new();
    let actions = [Action::Pay { to: key(1).account(), amount: 7 }, Action::Record(b"seen")];
    for (sequence, action) in (first..).zip(actions) {
        let mut buf = [0; Transaction::MAX_LEN];
        let transaction = Transaction::new(source, sequence, action);
        let signed = transaction.sign(chain.genesis_id(), &key(0), &mut buf);
        body.extend_from_slice(signed.expect("its own key").as_bytes());
    }
    body
}

/// Appends blocks whose claims and proofs `seal` makes. Returns the chain before each of them, and the blocks.
fn grow<E: Engine>(
    mut chain: TestChain<E>,
    seal: impl Fn(&TestChain<E>, u64, &dyn Fn(Claim) -> Header) -> (Header, Vec<u8>),
) -> (Vec<TestChain<E>>, Vec<Vec<u8>>) {
    let mut before = Vec::new();
    let mut blocks = Vec::new();
    for n in 0..BLOCKS {
        before.push(chain.clone());
        let bytes = body(&chain);
        let body = Body::from_bytes(&bytes).expect("two transactions");
        let now = 2000 + 100 * n;
        let propose = |claim| {
            let mut chain = chain.clone();
            chain.propose(now, key(0).account(), &body, claim).expect("they are fine")
        };
        let (header, proof) = seal(&chain, now, &propose);
        let block = Block::new(header, &proof, body).expect("the header names the body");
        let mut out = vec![0; block.encoded_len()];
        block.encode(&mut out).expect("encoded_len suffices");
        chain.append(now, &out).expect("a good block");
        blocks.push(out);
    }
    before.push(chain);
    (before, blocks)
}

/// Flips bits, and returns how many of them were found at the height of the block, and at the next.
fn flip<E: Engine>(before: &[TestChain<E>], blocks: &[Vec<u8>], seed: u64) -> (u64, u64) {
    let mut rng = Rng::new(seed);
    let mut found = (0, 0);
    for _ in 0..FLIPS {
        let victim = rng.below(BLOCKS) as usize;
        let mut changed = blocks[victim].clone();
        let bit = rng.below(changed.len() as u64 * 8) as usize;
        changed[bit / 8] ^= 1 << (bit % 8);
        // The blocks before are as they were: the audit comes to the changed one.
        let mut audit = before[victim].clone();
        let rest = core::iter::once(&changed).chain(&blocks[victim + 1..]);
        match audit.replay(LATER, rest) {
            Err(fault) if fault.height.0 == victim as u64 + 1 => found.0 += 1,
            Err(fault) if fault.height.0 == victim as u64 + 2 => found.1 += 1,
            // After the last block there is no other: its id is what the auditor knows.
            Ok(tip) if victim + 1 == blocks.len() && tip != *before[victim + 1].tip() => {
                found.1 += 1;
            }
            other => panic!("bit {bit} of block {}: {other:?}", victim + 1),
        }
    }
    found
}

#[test]
fn every_flip_of_a_chain_sealed_by_stake_is_found_at_its_height() {
    let mut validators = ValidatorSet::new(ValidatorVec::new(3));
    for n in 0..3 {
        validators.set_stake(validator_id(&key(n)), 10 + u64::from(n)).expect("there is room");
    }
    let (before, blocks) = grow(chain(StakeSeal::new(5, validators)), |chain, _, propose| {
        let drawn = chain.engine().proposer(chain.tip(), 0).expect("there is stake");
        let header = propose(Stake::claim(0, &drawn));
        let signature = owner(&drawn).sign(&statement_of(chain.genesis_id(), &header, 0));
        (header, signature.as_bytes().to_vec())
    });
    assert_eq!(flip(&before, &blocks, 1), (FLIPS, 0));
}

#[test]
fn every_flip_of_a_chain_sealed_by_authorities_is_found_at_its_height() {
    let mut authorities = Authorities::new(vec![AuthoritySlot::EMPTY; 3]);
    for n in 0..3 {
        authorities.insert(validator_id(&key(n))).expect("there is room");
    }
    let (before, blocks) = grow(chain(AuthoritySeal::new(1, authorities)), |chain, _, propose| {
        let height = chain.tip().height.0 + 1;
        let turn = chain.engine().authorities().in_turn(height).expect("there are three");
        let header = propose(Authority::claim(&turn));
        let signature = owner(&turn).sign(&statement_of(chain.genesis_id(), &header, 0));
        (header, signature.as_bytes().to_vec())
    });
    assert_eq!(flip(&before, &blocks, 2), (FLIPS, 0));
}

/// A changed header meets the target with the probability of the target; then the next block does not follow it.
#[test]
fn every_flip_of_a_chain_sealed_by_work_is_found_at_its_height_or_the_next() {
    let bits = Target::from_zero_bits(WORK_BITS).to_compact();
    let engine = WorkSeal::new(bits).expect("a target");
    let (before, blocks) = grow(chain(engine), |chain, _, propose| {
        let mut header = propose(WorkSeal::claim(bits, 0));
        let mut miner =
            WorkSeal::miner(chain.genesis_id(), &header, 0..=u64::MAX).expect("a claim of work");
        let nonce = loop {
            if let Step::Found(nonce) = miner.step(1000) {
                break nonce;
            }
        };
        header.claim = WorkSeal::claim(bits, nonce);
        (header, Vec::new())
    });
    let (at_its_height, at_the_next) = flip(&before, &blocks, 3);
    assert_eq!(at_its_height + at_the_next, FLIPS);
    // Of the bits of a block about a third are those of its header; 1 of 256 changed headers meets the target. Some
    // fields are checked besides, so there are fewer.
    let expected = FLIPS / 3 / 256;
    println!("{at_the_next} of {FLIPS} at the next height, at most about {expected} expected");
    assert!(at_the_next <= expected * 4, "{at_the_next}, but at most about {expected} expected");
}
