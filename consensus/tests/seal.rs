//! Blocks of a ledger, by stake and by authority.
#![cfg(feature = "ledger")]

use std::collections::BTreeSet;

use consensus::{
    Authorities, AuthorityError, AuthoritySeal, AuthoritySlot, Equivocation, SealError,
    SignedStatement, StakeSeal, ValidatorArray, ValidatorId, ValidatorSet, statement_of,
    validator_id,
};
use ledger_core::ledger::Standard;
use ledger_core::{
    Account, Block, BlockError, BlockId, Body, Chain, ChainSlots, ChainSpec, Claim, ClaimKind,
    Engine, Header, Height, JournalSlot, KeyPair, Refused, Rules, Slot, Tip, Weight,
};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::Index;

const SPEC: ChainSpec<'_> =
    ChainSpec { name: "stake", rules: Rules::SMALL, time: 1000, allocation: &[] };

type Storage = ChainSlots<[Slot; 16], [JournalSlot; 65]>;
type TestChain<E> = Chain<E, Standard, Storage>;
type Stake = StakeSeal<ValidatorArray<4>>;
type Authority = AuthoritySeal<[AuthoritySlot; 3]>;

fn key(n: u8) -> KeyPair {
    KeyPair::from_secret(&[n + 1; 32])
}

fn owner(id: &ValidatorId) -> KeyPair {
    (0..8).map(key).find(|key| validator_id(key) == *id).expect("one of them")
}

fn chain<E: Engine>(seal: E) -> TestChain<E> {
    let storage = ChainSlots { entries: [Slot::EMPTY; 16], journal: [JournalSlot::EMPTY; 65] };
    Chain::new(&SPEC, seal, Standard, storage).expect("it fits")
}

fn encode(header: Header, proof: &[u8]) -> Vec<u8> {
    let block = Block::new(header, proof, Body::default()).expect("it has no body");
    let mut out = vec![0; block.encoded_len()];
    block.encode(&mut out).expect("encoded_len suffices");
    out
}

fn stake_chain() -> TestChain<Stake> {
    let mut validators = ValidatorSet::new(ValidatorArray::<4>::EMPTY);
    for n in 0..4 {
        validators.set_stake(validator_id(&key(n)), 10 * (1 + u64::from(n))).expect("room");
    }
    chain(StakeSeal::new(5, validators))
}

fn authority_chain(period: u64) -> (TestChain<Authority>, Vec<ValidatorId>) {
    let mut authorities = Authorities::new([AuthoritySlot::EMPTY; 3]);
    for n in 0..3 {
        authorities.insert(validator_id(&key(n))).expect("there is room");
    }
    let order = authorities.iter().collect();
    (chain(AuthoritySeal::new(period, authorities)), order)
}

fn propose<E: Engine>(chain: &mut TestChain<E>, now: u64, claim: Claim) -> Header {
    chain.propose(now, Account::default(), &Body::default(), claim).expect("nothing in it")
}

/// The block of `author` for a round, signed by `signer`.
fn staked(
    chain: &mut TestChain<Stake>,
    now: u64,
    author: &KeyPair,
    signer: &KeyPair,
    round: u32,
) -> Vec<u8> {
    let header = propose(chain, now, Stake::claim(round, &validator_id(author)));
    let signature = signer.sign(&statement_of(chain.genesis_id(), &header, round));
    encode(header, signature.as_bytes())
}

fn refused<T>(error: SealError) -> Result<T, Refused<BlockError<SealError>>> {
    Err(Refused::Invalid(BlockError::Engine(error)))
}

#[test]
fn only_the_drawn_validator_makes_the_block() {
    let mut chain = stake_chain();
    for round in [0, 0, 1, 3] {
        let parent = *chain.tip();
        let drawn = chain.engine().proposer(&parent, round).expect("there is stake");
        let earliest = chain.engine().earliest(&parent, round);
        assert_eq!(earliest, parent.time + 5 * u64::from(round));
        let now = earliest + 1;
        let author = owner(&drawn);
        let other = (0..4).map(key).find(|key| validator_id(key) != drawn).expect("one of them");

        let wrong = staked(&mut chain, now, &other, &other, round);
        let not_drawn = SealError::NotDrawn { expected: drawn, found: validator_id(&other) };
        assert_eq!(chain.append(now, &wrong), refused(not_drawn));
        let forged = staked(&mut chain, now, &author, &other, round);
        assert_eq!(chain.append(now, &forged), refused(SealError::BadSignature(drawn)));
        if round > 0 {
            let early = staked(&mut chain, earliest - 1, &author, &author, round);
            let too_early = SealError::TooEarly { time: earliest - 1, earliest };
            assert_eq!(chain.append(now, &early), refused(too_early));
        }
        let right = staked(&mut chain, now, &author, &author, round);
        assert_eq!(chain.append(now - 5, &right), Err(Refused::NotYet { at: now - 4 }));
        let tip = chain.append(now - 4, &right).expect("less than one round ahead");
        let weight = if round == 0 { 2 } else { 1 };
        assert_eq!(tip.weight, parent.weight.saturating_add(Weight(weight)));
    }
}

/// A validator with little stake cannot pass over the others by dating its blocks ahead.
#[test]
fn a_small_stake_makes_few_blocks() {
    let mut validators = ValidatorSet::new(ValidatorArray::<4>::EMPTY);
    for (n, stake) in [(0, 1), (1, 99)] {
        validators.set_stake(validator_id(&key(n)), stake).expect("there is room");
    }
    let mut chain = chain(StakeSeal::new(5, validators));
    let small = key(0);
    let now = 1001;
    let mut made = 0;
    for _ in 0..20 {
        let parent = *chain.tip();
        let own =
            |round: &u32| chain.engine().proposer(&parent, *round) == Some(validator_id(&small));
        let Some(round) = (0..10_000).find(own) else { break };
        let time = chain.engine().earliest(&parent, round).max(chain.median_time() + 1);
        let block = staked(&mut chain, time, &small, &small, round);
        made += u32::from(chain.append(now, &block).is_ok());
    }
    assert!(made <= 1, "{made} blocks within one second");
}

#[test]
fn authorities_seal_in_turn_and_step_in() {
    let (mut chain, order) = authority_chain(2);
    let mut sealed = |author: &KeyPair, now: u64| {
        let header = propose(&mut chain, now, Authority::claim(&validator_id(author)));
        let signature = author.sign(&statement_of(chain.genesis_id(), &header, 0));
        chain.append(now, &encode(header, signature.as_bytes())).map(|tip| tip.weight)
    };
    // Heights 1, 2, 3 in turn; then the one of height 4 is silent and the one of height 5 steps in.
    assert_eq!(sealed(&owner(&order[1]), 1002), Ok(Weight(2)));
    assert_eq!(sealed(&owner(&order[2]), 1004), Ok(Weight(4)));
    let recently = AuthorityError::RecentlySigned { id: order[2], next: 4 };
    assert_eq!(sealed(&owner(&order[2]), 1006), refused(recently.into()));
    assert_eq!(sealed(&owner(&order[0]), 1006), Ok(Weight(6)));
    let early = SealError::TooEarly { time: 1007, earliest: 1008 };
    assert_eq!(sealed(&owner(&order[1]), 1007), refused(early));
    assert_eq!(sealed(&owner(&order[2]), 1008), Ok(Weight(7)));
    let stranger = key(7);
    let unknown = AuthorityError::Unauthorized(validator_id(&stranger));
    assert_eq!(sealed(&stranger, 1010), refused(unknown.into()));
}

/// An authority cannot fill hours with blocks that are dated ahead: one less than a period ahead is the limit.
#[test]
fn an_authority_makes_no_blocks_of_the_future() {
    let (mut chain, order) = authority_chain(15);
    let mut made = 0;
    for height in 1..=20_usize {
        let author = owner(&order[height % 3]);
        let time = chain.engine().earliest(chain.tip());
        let header = propose(&mut chain, time, Authority::claim(&validator_id(&author)));
        let signature = author.sign(&statement_of(chain.genesis_id(), &header, 0));
        match chain.append(1001, &encode(header, signature.as_bytes())) {
            Ok(_) => made += 1,
            Err(error) => {
                assert_eq!(error, Refused::NotYet { at: 1016 });
                break;
            }
        }
    }
    assert_eq!(made, 1, "with two hours of drift it was 480");
}

const AUTHORITIES: usize = 7;
const ALIVE: usize = 4;

/// Authorities that sign no height twice, and the tree of their blocks.
struct Authors {
    seal: AuthoritySeal<[AuthoritySlot; AUTHORITIES]>,
    order: Vec<ValidatorId>,
    blocks: Vec<(Tip, usize, Option<usize>)>, // with the author and the parent
    signed: [u64; AUTHORITIES],
}

impl Authors {
    fn new() -> Self {
        let mut authorities = Authorities::new([AuthoritySlot::EMPTY; AUTHORITIES]);
        for n in 0..AUTHORITIES as u8 {
            authorities.insert(validator_id(&key(n))).expect("there is room");
        }
        let order = authorities.iter().collect();
        let seal = AuthoritySeal::new(1, authorities);
        Self { seal, order, blocks: Vec::new(), signed: [0; AUTHORITIES] }
    }

    /// The blocks from `end` down.
    fn branch(&self, end: Option<usize>) -> impl Iterator<Item = usize> {
        core::iter::successors(end, |at| self.blocks[*at].2)
    }

    fn best(&self, known: impl IntoIterator<Item = usize>) -> Option<usize> {
        let tip = |at: &usize| &self.blocks[*at].0;
        known.into_iter().max_by(|one, other| self.seal.prefer(tip(one), tip(other)))
    }

    /// Returns the weight of a block by `who` after `parent`, unless it may not sign one.
    fn weight(&self, who: usize, parent: Option<usize>) -> Option<Weight> {
        let mut authorities = self.seal.authorities().clone();
        for at in self.branch(parent).collect::<Vec<_>>().into_iter().rev() {
            let (tip, author, _) = &self.blocks[at];
            authorities.record_signature(&self.order[*author], tip.height.0);
        }
        let height = parent.map_or(0, |at| self.blocks[at].0.height.0) + 1;
        let turn = authorities.turn(&self.order[who], height).ok()?;
        (self.signed[who] < height).then_some(Weight(turn.difficulty().into()))
    }

    fn sign(&mut self, who: usize, parent: Option<usize>, id: [u8; 32]) -> Option<usize> {
        let weight = self.weight(who, parent)?;
        let root = *chain(self.seal.clone()).tip();
        let below = parent.map_or(root, |at| self.blocks[at].0);
        let height = Height(below.height.0 + 1);
        let weight = below.weight.saturating_add(weight);
        self.signed[who] = height.0;
        let id = BlockId::from_bytes(id);
        self.blocks.push((Tip { height, id, weight, ..below }, who, parent));
        Some(self.blocks.len() - 1)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Four of seven authorities are alive, and blocks reach the others late. At any time, if all blocks were known to
    /// all, one of the four could sign the next.
    #[test]
    fn four_of_seven_authorities_can_continue_after_any_fork(
        steps in vec((0..ALIVE, any::<u8>(), weighted(0.4, (0..ALIVE, any::<Index>()))), 100)
    ) {
        let mut authors = Authors::new();
        let mut known: [BTreeSet<usize>; AUTHORITIES] = Default::default();
        for (who, id, delivery) in steps {
            let best = authors.best(known[who].iter().copied());
            known[who].extend(authors.sign(who, best, [id; 32]));
            let blocks = authors.blocks.len();
            if let Some((to, end)) = delivery.filter(|_| blocks > 0) {
                known[to].extend(authors.branch(Some(end.index(blocks)))); // with its ancestors
            }
            let best = authors.best(0..blocks);
            prop_assert!((0..ALIVE).any(|who| authors.weight(who, best).is_some()));
        }
    }
}

/// Signing one header twice with two nonces makes one block, not a fork: the id covers no signature.
#[test]
fn a_second_signature_is_not_a_second_block() {
    let (mut chain, order) = authority_chain(2);
    let author = owner(&order[1]);
    let header = propose(&mut chain, 1002, Authority::claim(&order[1]));
    let signature = author.sign(&statement_of(chain.genesis_id(), &header, 0));
    let one = encode(header, signature.as_bytes());
    let other = encode(header, &[7; 64]);
    let id = |bytes: &[u8]| Block::decode(bytes).expect("a block").0.id(chain.genesis_id());
    assert_eq!(id(&one), id(&other));
}

/// One validator, two blocks of one height: anyone with both headers can prove it.
#[test]
fn two_blocks_of_one_height_are_evidence() {
    let mut chain = stake_chain();
    let drawn = chain.engine().proposer(chain.tip(), 0).expect("there is stake");
    let author = owner(&drawn);
    let genesis = *chain.genesis_id();
    let mut signed = |now: u64| {
        let bytes = staked(&mut chain, now, &author, &author, 0);
        let (block, _) = Block::decode(&bytes).expect("just made");
        let (round, author) = Stake::read_claim(block.header()).expect("a claim by stake");
        SignedStatement {
            statement: statement_of(&genesis, block.header(), round),
            author,
            signature: block.proof().try_into().expect("64 bytes"),
        }
    };
    let evidence = Equivocation::prove(&signed(1001), &signed(1002)).expect("a contradiction");
    assert_eq!(evidence.offender(), drawn);
    assert!(Equivocation::prove(&signed(1001), &signed(1001)).is_err());
}

#[test]
fn other_kinds_and_lengths_are_refused() {
    let mut chain = stake_chain();
    let claim = |kind, len: usize| Claim::new(kind, &[0; 40][..len]).expect("short");
    for (claim, proof, expected) in [
        (
            claim(ClaimKind::WORK, 36),
            64,
            SealError::WrongKind { expected: ClaimKind::STAKE, found: ClaimKind::WORK },
        ),
        (claim(ClaimKind::STAKE, 35), 64, SealError::WrongLength { expected: 36, found: 35 }),
        (claim(ClaimKind::STAKE, 36), 63, SealError::WrongLength { expected: 64, found: 63 }),
        (claim(ClaimKind::STAKE, 36), 0, SealError::WrongLength { expected: 64, found: 0 }),
    ] {
        let header = propose(&mut chain, 1001, claim);
        assert_eq!(chain.append(u64::MAX, &encode(header, &[0; 64][..proof])), refused(expected));
    }
    let nobody = StakeSeal::new(5, ValidatorSet::new(ValidatorArray::<0>::EMPTY));
    let mut chain = self::chain(nobody);
    let header = propose(&mut chain, 1001, claim(ClaimKind::STAKE, 36));
    let answer = chain.append(u64::MAX, &encode(header, &[0; 64]));
    assert_eq!(answer, refused(SealError::NoValidators));
}
