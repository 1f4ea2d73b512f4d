//! The blocks of a ledger in slots.
#![cfg(feature = "ledger")]

mod ffg_machine;

use consensus::slot::{SlotSeal, SlotSealError};
use consensus::{
    Keys as _, SLASH, SealError, SignedStatement, Statement, StatementKind, ValidatorArray,
    ValidatorId, ValidatorSet, validator_id,
};
use ffg_machine::{GENESIS, keys};
use ledger_core::ledger::Standard;
use ledger_core::{
    Account, Block, BlockError, Body, Chain, ChainSlots, ChainSpec, JournalSlot, KeyPair, Refused,
    Rules, Slot,
};

type Seal = SlotSeal<ValidatorArray<4>>;
type TestChain = Chain<Seal, Standard, ChainSlots<[Slot; 16], [JournalSlot; 65]>>;

const SPEC: ChainSpec<'_> =
    ChainSpec { name: "slots", rules: Rules::SMALL, time: 1000, allocation: &[] };

fn pairs() -> Vec<KeyPair> {
    let mut pairs: Vec<_> = (1..=3).map(|n| KeyPair::from_secret(&[n; 32])).collect();
    pairs.sort_by_key(validator_id);
    pairs
}

fn chain() -> TestChain {
    let mut validators = ValidatorSet::new(ValidatorArray::<4>::EMPTY);
    for (pair, stake) in pairs().iter().zip([50, 30, 20]) {
        validators.set_stake(validator_id(pair), stake).expect("a slot");
    }
    let storage = ChainSlots { entries: [Slot::EMPTY; 16], journal: [JournalSlot::EMPTY; 65] };
    Chain::new(&SPEC, Seal::new(10, [7; 32], validators), Standard, storage).expect("it fits")
}

/// The block of an author at a time, with these attestations to its parent.
fn block(
    chain: &mut TestChain,
    time: u64,
    author: &KeyPair,
    attestations: &[SignedStatement],
) -> Vec<u8> {
    let claim = chain.engine().claim(&validator_id(author), attestations);
    let header = chain.propose(time, Account::default(), &Body::default(), claim);
    let header = header.expect("nothing in it");
    let statement = chain.engine().statement(chain.genesis_id(), &header);
    let signature = *author.sign(&statement).as_bytes();
    let mut proof = [0; 400];
    let len = chain.engine().encode_proof(&signature, attestations, &mut proof);
    let len = len.expect("it fits");
    let block = Block::new(header, &proof[..len], Body::default()).expect("no body");
    let mut out = vec![0; block.encoded_len()];
    block.encode(&mut out).expect("encoded_len suffices");
    out
}

fn proposer(chain: &TestChain, time: u64) -> KeyPair {
    let slot = chain.engine().slot(time).expect("slots have a length");
    let id = chain.engine().proposer(slot).expect("somebody has stake");
    pairs().into_iter().find(|pair| validator_id(pair) == id).expect("one of them")
}

fn drawn_block(chain: &mut TestChain, time: u64, votes: &[SignedStatement]) -> Vec<u8> {
    let author = proposer(chain, time);
    block(chain, time, &author, votes)
}

fn attestations(chain: &TestChain, target: u64) -> Vec<SignedStatement> {
    let kind = StatementKind::Attest { source: target - 1 };
    let genesis = *chain.genesis_id().as_bytes();
    let statement = Statement::new(genesis, kind, target, 0, *chain.tip().id.as_bytes());
    let sign = |key: &consensus::Ed25519Key| SignedStatement {
        statement,
        author: key.id(),
        signature: key.sign(&statement.to_bytes()),
    };
    keys(3).iter().take(2).map(sign).collect()
}

fn refused<T>(error: SlotSealError) -> Result<T, Refused<BlockError<SlotSealError>>> {
    Err(Refused::Invalid(BlockError::Engine(error)))
}

#[test]
fn a_block_weighs_the_stake_that_attests_to_its_parent() {
    let mut chain = chain();
    let first = drawn_block(&mut chain, 1010, &[]);
    assert_eq!(chain.append(1009, &first), Err(Refused::NotYet { at: 1010 }));
    assert_eq!(chain.append(1010, &first).expect("drawn").weight.0, 1);
    let votes = attestations(&chain, 101);
    let second = drawn_block(&mut chain, 1020, &votes);
    assert_eq!(chain.append(1020, &second).expect("drawn").weight.0, 1 + 1 + 80);
    let same_slot = drawn_block(&mut chain, 1029, &[]);
    let old = SlotSealError::OldSlot { slot: 102, parent: 102 };
    assert_eq!(chain.append(1029, &same_slot), refused(old));
    let early = attestations(&chain, 101);
    let third = drawn_block(&mut chain, 1030, &early);
    assert_eq!(chain.append(1030, &third), refused(SlotSealError::WrongTarget(101)));
    let mut forged = attestations(&chain, 102);
    forged[1].signature = [9; 64];
    let author = forged[1].author;
    let third = drawn_block(&mut chain, 1030, &forged);
    let bad = SlotSealError::Seal(SealError::BadSignature(author));
    assert_eq!(chain.append(1030, &third), refused(bad));
    assert_ne!(GENESIS, *chain.genesis_id().as_bytes());
}

/// The id does not cover the proof. If somebody on the way takes attestations out of it, nodes would weigh one block
/// differently for ever.
#[test]
fn a_block_has_the_attestations_that_its_header_claims() {
    let mut chain = chain();
    let first = drawn_block(&mut chain, 1010, &[]);
    chain.append(1010, &first).expect("drawn");
    let votes = attestations(&chain, 101);
    let bytes = drawn_block(&mut chain, 1020, &votes);
    let (block, _) = Block::decode(&bytes).expect("a block");
    let with = |proof: &[u8]| {
        let block = Block::new(*block.header(), proof, Body::default()).expect("no body");
        let mut out = vec![0; block.encoded_len()];
        block.encode(&mut out).expect("encoded_len suffices");
        out
    };
    let wrong = |claimed, found| SlotSealError::WrongStake { claimed, found };
    let one_less = with(&block.proof()[..64 + 16 + 66]);
    assert_eq!(chain.append(1020, &one_less), refused(wrong(80, 50)));
    let none = with(&block.proof()[..64]);
    assert_eq!(chain.append(1020, &none), refused(wrong(80, 0)));
    // Nor are there more, and no signature is verified before.
    let genesis = *chain.genesis_id();
    let author = proposer(&chain, 1020);
    let claim = chain.engine().claim(&validator_id(&author), &votes[..1]);
    let header = chain.propose(1020, Account::default(), &Body::default(), claim);
    let header = header.expect("nothing in it");
    let signature = author.sign(&chain.engine().statement(&genesis, &header));
    let mut unsigned = votes.clone();
    unsigned[1].signature = [9; 64];
    let mut proof = [0; 400];
    let len = chain.engine().encode_proof(signature.as_bytes(), &unsigned, &mut proof);
    let more = Block::new(header, &proof[..len.expect("it fits")], Body::default());
    let mut out = [0; 1000];
    let len = more.expect("no body").encode(&mut out).expect("it fits");
    assert_eq!(chain.append(1020, &out[..len]), refused(wrong(50, 80)));
    assert_eq!(chain.append(1020, &bytes).expect("its own").weight.0, 1 + 1 + 80);
}

#[test]
fn another_validator_than_the_one_drawn_is_refused() {
    let mut chain = chain();
    let drawn = proposer(&chain, 1010);
    let pairs = pairs();
    let other = pairs.iter().find(|pair| validator_id(pair) != validator_id(&drawn));
    let other = other.expect("there are three");
    let bytes = block(&mut chain, 1010, other, &[]);
    let expected: ValidatorId = validator_id(&drawn);
    let not_drawn = SealError::NotDrawn { expected, found: validator_id(other) };
    assert_eq!(chain.append(1010, &bytes), refused(SlotSealError::Seal(not_drawn)));
    assert_eq!(SLASH, 1);
}

#[test]
fn two_blocks_in_one_slot_are_evidence() {
    let mut chain = chain();
    let author = proposer(&chain, 1010);
    let claim = chain.engine().claim(&validator_id(&author), &[]);
    let headers = [1010, 1011].map(|time| {
        chain.propose(time, Account::default(), &Body::default(), claim).expect("empty")
    });
    let genesis = *chain.genesis_id();
    let [one, two] = headers.map(|header| chain.engine().statement(&genesis, &header));
    let (kind, slot) = one.contradiction(&two).expect("two blocks");
    assert_eq!(kind, consensus::OffenceKind::DoubleProposal);
    assert_eq!(slot, 101);
}

/// A proof names each attester by its place in the order of ids, and only those of the link of the first.
#[test]
fn a_proof_has_the_attestations_of_validators_for_one_link() {
    let mut chain = chain();
    let first = drawn_block(&mut chain, 1010, &[]);
    chain.append(1010, &first).expect("drawn");
    let engine = chain.engine().clone();
    let sign = |key: &consensus::Ed25519Key, source, target| {
        let kind = StatementKind::Attest { source };
        let genesis = *chain.genesis_id().as_bytes();
        let statement = Statement::new(genesis, kind, target, 0, *chain.tip().id.as_bytes());
        SignedStatement { statement, author: key.id(), signature: key.sign(&statement.to_bytes()) }
    };
    let keys = keys(3);
    let stranger = consensus::Ed25519Key::from_secret(&[9; 32]);
    let mut proof = [0; 400];
    let mut len = |attestations: &[SignedStatement]| {
        engine.encode_proof(&[1; 64], attestations, &mut proof).expect("it fits")
    };
    assert_eq!(len(&[]), 64);
    assert_eq!(len(&[sign(&stranger, 100, 101)]), 64, "no attestation, no link");
    assert_eq!(len(&[sign(&keys[2], 100, 101), sign(&keys[1], 100, 101)]), 64 + 16 + 66, "order");
    assert_eq!(len(&[sign(&keys[0], 100, 101), sign(&keys[1], 99, 101)]), 64 + 16 + 66, "links");
    // The last two of three.
    let votes = [sign(&keys[1], 100, 101), sign(&keys[2], 100, 101)];
    assert_eq!(len(&votes), 64 + 16 + 2 * 66);
    let parent = chain.tip().weight.0;
    let second = drawn_block(&mut chain, 1020, &votes);
    assert_eq!(chain.append(1020, &second).expect("drawn").weight.0, parent + 1 + 30 + 20);
}
