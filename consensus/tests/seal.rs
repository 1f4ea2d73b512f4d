//! Blocks of a ledger, sealed by stake and by authority.
#![cfg(feature = "ledger")]

use consensus::{
    Authorities, AuthorityError, AuthoritySeal, AuthoritySlot, Equivocation, SealError,
    SignedStatement, StakeSeal, ValidatorId, ValidatorSet, ValidatorSlot, statement_of,
};
use ledger_core::{
    Block, BlockError, Body, Chain, ChainId, Genesis, Header, KeyPair, Rules, Seal, SealKind, Slot,
    Weight,
};

const GENESIS: Genesis<'_> = Genesis { chain: ChainId(1), time: 1000, allocation: &[] };

fn key(n: u8) -> KeyPair {
    KeyPair::from_secret(&[n + 1; 32])
}

fn id(key: &KeyPair) -> ValidatorId {
    ValidatorId(*key.account().as_bytes())
}

fn chain<E: Seal>(seal: E) -> Chain<E, [Slot; 4]> {
    Chain::new(Rules::DEFAULT, seal, &GENESIS, [Slot::EMPTY; 4]).expect("it fits")
}

fn encode(header: Header, seal: &[u8]) -> Vec<u8> {
    let block = Block::new(header, seal, Body::default());
    let mut out = vec![0; block.encoded_len()];
    block.encode(&mut out).expect("encoded_len suffices");
    out
}

fn stake_chain() -> Chain<StakeSeal<[ValidatorSlot; 4]>, [Slot; 4]> {
    let mut validators = ValidatorSet::new([ValidatorSlot::EMPTY; 4]);
    for n in 0..4 {
        validators.set_stake(id(&key(n)), 10 * (1 + u64::from(n))).expect("there is room");
    }
    chain(StakeSeal::new(5, validators))
}

type Stake = StakeSeal<[ValidatorSlot; 4]>;

/// The block of whoever is drawn for the round, signed by `signer`.
fn staked(
    chain: &Chain<Stake, [Slot; 4]>,
    now: u64,
    author: &KeyPair,
    signer: &KeyPair,
    round: u32,
) -> Vec<u8> {
    let header =
        chain.propose(now, author.account(), &Body::default(), SealKind::STAKE, Stake::LEN);
    let signature = signer.sign(&statement_of(&header, round).to_bytes());
    encode(header, &Stake::seal(round, signature.as_bytes()))
}

#[test]
fn only_the_drawn_validator_makes_the_block() {
    let mut chain = stake_chain();
    for round in [0, 0, 1, 3] {
        let parent = chain.tip();
        let drawn = chain.seal().proposer(&parent, round).expect("there is stake");
        let earliest = chain.seal().earliest(&parent, round);
        assert_eq!(earliest, parent.time + 5 * u64::from(round));
        let author = (0..4).map(key).find(|key| id(key) == drawn).expect("one of them");
        let other = (0..4).map(key).find(|key| id(key) != drawn).expect("one of them");

        let wrong = staked(&chain, earliest, &other, &other, round);
        let refused = SealError::NotDrawn { expected: drawn, found: id(&other) };
        assert_eq!(chain.append(u64::MAX, &wrong), Err(BlockError::Seal(refused)));
        let forged = staked(&chain, earliest, &author, &other, round);
        let refused = SealError::BadSignature(drawn);
        assert_eq!(chain.append(u64::MAX, &forged), Err(BlockError::Seal(refused)));
        if round > 0 {
            let early = staked(&chain, earliest - 1, &author, &author, round);
            let refused = SealError::TooEarly { time: earliest - 1, earliest };
            assert_eq!(chain.append(u64::MAX, &early), Err(BlockError::Seal(refused)));
        }
        let right = staked(&chain, earliest, &author, &author, round);
        let tip = chain.append(u64::MAX, &right).expect("it was drawn");
        let weight = if round == 0 { 2 } else { 1 };
        assert_eq!(tip.weight, parent.weight.saturating_add(Weight(weight)));
    }
}

#[test]
fn authorities_seal_in_turn_and_step_in() {
    let mut authorities = Authorities::new([AuthoritySlot::EMPTY; 3]);
    for n in 0..3 {
        authorities.insert(id(&key(n))).expect("there is room");
    }
    let order: Vec<_> = authorities.iter().collect();
    let owner =
        |id_: &ValidatorId| (0..3).map(key).find(|key| id(key) == *id_).expect("one of them");
    let mut chain = chain(AuthoritySeal::new(2, authorities));
    let mut sealed = |author: &KeyPair, now: u64| {
        let header =
            chain.propose(now, author.account(), &Body::default(), SealKind::AUTHORITY, 64);
        let signature = author.sign(&statement_of(&header, 0).to_bytes());
        chain.append(u64::MAX, &encode(header, signature.as_bytes())).map(|tip| tip.weight)
    };
    // Heights 1, 2, 3 in turn; then the one of height 4 is silent and the one of height 5 steps in.
    assert_eq!(sealed(&owner(&order[1]), 1002), Ok(Weight(2)));
    assert_eq!(sealed(&owner(&order[2]), 1004), Ok(Weight(4)));
    let recently = AuthorityError::RecentlySigned { id: order[2], next: 4 };
    assert_eq!(sealed(&owner(&order[2]), 1006), Err(BlockError::Seal(recently.into())));
    assert_eq!(sealed(&owner(&order[0]), 1006), Ok(Weight(6)));
    let early = SealError::TooEarly { time: 1007, earliest: 1008 };
    assert_eq!(sealed(&owner(&order[1]), 1007), Err(BlockError::Seal(early)));
    assert_eq!(sealed(&owner(&order[2]), 1008), Ok(Weight(7)));
    let stranger = key(7);
    let unknown = AuthorityError::Unauthorized(id(&stranger));
    assert_eq!(sealed(&stranger, 1010), Err(BlockError::Seal(unknown.into())));
}

/// One validator, two blocks of one height: whoever sees both headers can prove it.
#[test]
fn two_blocks_of_one_height_are_evidence() {
    let chain = stake_chain();
    let drawn = chain.seal().proposer(&chain.tip(), 0).expect("there is stake");
    let author = (0..4).map(key).find(|key| id(key) == drawn).expect("one of them");
    let signed = |now: u64| {
        let block = staked(&chain, now, &author, &author, 0);
        let (block, _) = Block::decode(&block).expect("just made");
        SignedStatement {
            statement: statement_of(block.header(), 0),
            author: ValidatorId(*block.header().author.as_bytes()),
            signature: block.seal()[4..].try_into().expect("64 bytes"),
        }
    };
    let evidence = Equivocation::prove(&signed(1001), &signed(1002)).expect("a contradiction");
    assert_eq!(evidence.offender(), drawn);
    assert!(Equivocation::prove(&signed(1001), &signed(1001)).is_err());
}

#[test]
fn other_kinds_and_lengths_are_refused() {
    let mut chain = stake_chain();
    for (kind, seal, expected) in [
        (
            SealKind::WORK,
            vec![0; 68],
            SealError::WrongKind { expected: SealKind::STAKE, found: SealKind::WORK },
        ),
        (SealKind::STAKE, vec![0; 67], SealError::WrongLength { expected: 68, found: 67 }),
        (SealKind::STAKE, vec![], SealError::WrongLength { expected: 68, found: 0 }),
    ] {
        let len = seal.len() as u8;
        let header = chain.propose(1001, key(0).account(), &Body::default(), kind, len);
        let refused = chain.append(u64::MAX, &encode(header, &seal));
        assert_eq!(refused, Err(BlockError::Seal(expected)));
    }
    let nobody = StakeSeal::new(5, ValidatorSet::new([ValidatorSlot::EMPTY; 0]));
    let mut chain = self::chain(nobody);
    let header = chain.propose(1001, key(0).account(), &Body::default(), SealKind::STAKE, 68);
    let refused = chain.append(u64::MAX, &encode(header, &[0; 68]));
    assert_eq!(refused, Err(BlockError::Seal(SealError::NoValidators)));
}
