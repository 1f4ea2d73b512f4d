//! Flipped bits of a stored chain by stake and by authority: named at the height of the block, every one.
#![cfg(feature = "ledger")]

use consensus::{
    Authorities, AuthoritySeal, AuthoritySlot, StakeSeal, ValidatorArray, ValidatorId,
    ValidatorSet, statement_of, validator_id,
};
use ledger_core::ledger::Standard;
use ledger_core::{
    Action, Block, Body, Chain, ChainSlots, ChainSpec, Claim, Engine, JournalSlot, KeyPair, Rules,
    Slot, Tip, Transaction,
};

const FLIPS: u32 = 10_000;
const BLOCKS: u64 = 6;
const ROUND_SECONDS: u64 = 5;

type Storage = ChainSlots<[Slot; 16], [JournalSlot; 65]>;
type TestChain<E> = Chain<E, Standard, Storage>;

fn key(n: u8) -> KeyPair {
    KeyPair::from_secret(&[n + 1; 32])
}

fn owner(id: &ValidatorId) -> KeyPair {
    (0..4).map(key).find(|key| validator_id(key) == *id).expect("one of them")
}

fn chain<E: Engine>(seal: E) -> TestChain<E> {
    let storage = ChainSlots { entries: [Slot::EMPTY; 16], journal: [JournalSlot::EMPTY; 65] };
    let allocation = [(key(0).account(), 1_000_000)];
    let spec =
        ChainSpec { name: "flips", rules: Rules::SMALL, time: 1000, allocation: &allocation };
    Chain::new(&spec, seal, Standard, storage).expect("it fits")
}

/// Makes blocks with a payment each, and flips bits of them. `author` names who makes the next block, and with which claim.
fn check<E: Engine>(seal: E, author: impl Fn(&E, &Tip) -> (KeyPair, Claim)) {
    let mut chains = vec![chain(seal)];
    let mut blocks = Vec::new();
    for n in 0..BLOCKS {
        let mut chain = chains.last().expect("block 0").clone();
        let genesis = *chain.genesis_id();
        let action = Action::Pay { to: key(1).account(), amount: 5 };
        let payment = Transaction::new(key(0).account(), n, action);
        let mut buf = [0; Transaction::MAX_LEN];
        let signed = payment.sign(&genesis, &key(0), &mut buf).expect("its own key");
        let body = Body::from_bytes(signed.as_bytes()).expect("one payment");
        let (author, claim) = author(chain.engine(), chain.tip());
        let time = chain.tip().time + ROUND_SECONDS;
        let header = chain.propose(time, author.account(), &body, claim).expect("it is fine");
        let signature = author.sign(&statement_of(&genesis, &header, 0));
        let block = Block::new(header, signature.as_bytes(), body).expect("the header names it");
        let mut out = vec![0; block.encoded_len()];
        block.encode(&mut out).expect("encoded_len suffices");
        chain.append(time, &out).expect("it is its author's turn");
        blocks.push(out);
        chains.push(chain);
    }
    let now = chains.last().expect("all blocks").tip().time;
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % below
    };
    for _ in 0..FLIPS {
        let victim = random(blocks.len());
        let bit = random(8 * blocks[victim].len());
        let mut copy = blocks[victim..].to_vec();
        copy[0][bit / 8] ^= 1 << (bit % 8);
        // The blocks before are those of every replay.
        let fault = chains[victim].clone().replay(now, &copy).expect_err("a bit was flipped");
        assert_eq!(fault.height.0, victim as u64 + 1, "bit {bit}: {}", fault.refused);
    }
}

#[test]
fn every_flipped_bit_of_a_chain_by_stake_is_named_at_its_height() {
    let mut validators = ValidatorSet::new(ValidatorArray::<4>::EMPTY);
    for n in 0..4 {
        validators.set_stake(validator_id(&key(n)), 10 * (1 + u64::from(n))).expect("room");
    }
    check(StakeSeal::new(ROUND_SECONDS, validators), |engine, parent| {
        let drawn = engine.proposer(parent, 0).expect("there is stake");
        (owner(&drawn), StakeSeal::<ValidatorArray<4>>::claim(0, &drawn))
    });
}

#[test]
fn every_flipped_bit_of_a_chain_by_authority_is_named_at_its_height() {
    let mut authorities = Authorities::new([AuthoritySlot::EMPTY; 3]);
    for n in 0..3 {
        authorities.insert(validator_id(&key(n))).expect("there is room");
    }
    let order: Vec<ValidatorId> = authorities.iter().collect();
    check(AuthoritySeal::new(ROUND_SECONDS, authorities), |_, parent| {
        let turn = (parent.height.0 as usize + 1) % order.len();
        (owner(&order[turn]), AuthoritySeal::<[AuthoritySlot; 3]>::claim(&order[turn]))
    });
}
