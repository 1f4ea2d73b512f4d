//! Clique, Aura and BFT as engines for the blocks of a ledger.
#![cfg(feature = "ledger")]

use core::time::Duration;

use consensus::aura::{AuraSeal, AuraSealError, CreditSlot};
use consensus::bft::{
    Bft, BftConfig, BftEvent, BftSeal, BftSealError, BftSetup, BftSlots, PeerSlot, VoteSlot,
};
use consensus::clique::{
    CandidateSlot, Clique, CliqueConfig, CliqueError, CliqueHead, CliqueSeal, CliqueSealError,
    CliqueSlots, CliqueVote, RecentSlot, SignerSlot,
};
use consensus::quorum::OverHalf;
use consensus::{
    Ed25519Key, OffenceKind, RoundRobin, SealError, SignedStatement, ValidatorArray, ValidatorId,
    ValidatorSet, statement_of, validator_id,
};
use ledger_core::ledger::Standard;
use ledger_core::{
    Account, Block, BlockError, Body, Chain, ChainSlots, ChainSpec, Claim, Engine, Header, Height,
    JournalSlot, KeyPair, Refused, Rules, Slot, Weight,
};

const SPEC: ChainSpec<'_> =
    ChainSpec { name: "engines", rules: Rules::SMALL, time: 1000, allocation: &[] };

type Storage = ChainSlots<[Slot; 16], [JournalSlot; 65]>;
type TestChain<E> = Chain<E, Standard, Storage>;
type TestClique = CliqueSeal<CliqueSlots<[SignerSlot; 5], [RecentSlot; 3], [CandidateSlot; 5]>>;
type TestAura = AuraSeal<[ValidatorId; 3], [CreditSlot; 8], OverHalf>;

fn chain<E: Engine>(seal: E) -> TestChain<E> {
    let storage = ChainSlots { entries: [Slot::EMPTY; 16], journal: [JournalSlot::EMPTY; 65] };
    Chain::new(&SPEC, seal, Standard, storage).expect("it fits")
}

/// Keys in the order of their ids.
fn keys(count: u8) -> Vec<KeyPair> {
    let mut keys: Vec<_> = (1..=count).map(|n| KeyPair::from_secret(&[n; 32])).collect();
    keys.sort_by_key(validator_id);
    keys
}

fn propose<E: Engine>(chain: &mut TestChain<E>, now: u64, claim: Claim) -> Header {
    chain.propose(now, Account::default(), &Body::default(), claim).expect("nothing in it")
}

fn encode(header: Header, proof: &[u8]) -> Vec<u8> {
    let block = Block::new(header, proof, Body::default()).expect("it has no body");
    let mut out = vec![0; block.encoded_len()];
    block.encode(&mut out).expect("encoded_len suffices");
    out
}

fn refused<T, E>(error: E) -> Result<T, Refused<BlockError<E>>> {
    Err(Refused::Invalid(BlockError::Engine(error)))
}

fn clique_chain(keys: &[KeyPair]) -> TestChain<TestClique> {
    let ids: Vec<_> = keys.iter().map(validator_id).collect();
    let storage = CliqueSlots {
        signers: [SignerSlot::EMPTY; 5],
        recents: [RecentSlot::EMPTY; 3],
        votes: [CandidateSlot::EMPTY; 5],
    };
    let clique = Clique::new(CliqueConfig::new(), &ids, storage).expect("valid");
    chain(CliqueSeal::new(10, clique))
}

fn clique_block(
    chain: &mut TestChain<TestClique>,
    now: u64,
    key: &KeyPair,
    vote: Option<CliqueVote>,
) -> Vec<u8> {
    let claim = chain.engine().claim(&validator_id(key), vote).expect("an authority");
    let header = propose(chain, now, claim);
    let signature = key.sign(&statement_of(chain.genesis_id(), &header, 0));
    encode(header, signature.as_bytes())
}

#[test]
fn clique_seals_blocks_and_adds_an_authority() {
    let keys = keys(4);
    let mut chain = clique_chain(&keys[..3]);
    let newcomer = validator_id(&keys[3]);
    let vote = Some(CliqueVote { target: newcomer, authorize: true });
    let mut now = 1010;
    // The fourth is added by block 2, and has the turn of block 3.
    for (number, author, difficulty) in [(1, 1, 2), (2, 2, 4), (3, 0, 5)] {
        let parent = *chain.tip();
        let vote = vote.filter(|_| number < 3);
        let forged = {
            let claim = chain.engine().claim(&validator_id(&keys[author]), vote);
            let header = propose(&mut chain, now, claim.expect("an authority"));
            let signature = keys[3].sign(&statement_of(chain.genesis_id(), &header, 0));
            encode(header, signature.as_bytes())
        };
        let bad = SealError::BadSignature(validator_id(&keys[author]));
        assert_eq!(chain.append(now, &forged), refused(CliqueSealError::Seal(bad)));
        let block = clique_block(&mut chain, now, &keys[author], vote);
        let tip = chain.append(now, &block).expect("it may sign");
        assert!(tip.weight > parent.weight);
        assert_eq!(CliqueHead::total_difficulty_of(tip.weight.0), difficulty);
        now += 10;
    }
    assert!(chain.engine().clique().signers().eq(keys.iter().map(validator_id)));
    let again = clique_block(&mut chain, now, &keys[0], None);
    let recent = CliqueError::RecentlySigned { signer: validator_id(&keys[0]), next: 6 };
    assert_eq!(chain.append(now, &again), refused(CliqueSealError::Clique(recent)));
    let early = clique_block(&mut chain, now - 9, &keys[3], None);
    assert!(chain.append(now, &early).is_err(), "the period");
    let newcomers = clique_block(&mut chain, now, &keys[3], None);
    let tip = chain.append(now, &newcomers).expect("it may sign now");
    assert_eq!(CliqueHead::total_difficulty_of(tip.weight.0), 6, "out of turn");
    let claim = Claim::new(ledger_core::ClaimKind::AUTHORITY, &[9; 35]).expect("it is short");
    let header = propose(&mut chain, now + 10, claim);
    let unknown = encode(header, &[0; 64]);
    let error = CliqueSealError::UnknownSigner(0x0909);
    assert_eq!(chain.append(now + 10, &unknown), refused(error));
}

/// A majority drops an authority, and a claim with an unknown vote, or with a target and no vote, is refused.
#[test]
fn clique_drops_an_authority_and_refuses_malformed_votes() {
    let keys = keys(3);
    let mut chain = clique_chain(&keys);
    let vote = Some(CliqueVote { target: validator_id(&keys[2]), authorize: false });
    for (now, author) in [(1010, 1), (1020, 0)] {
        let block = clique_block(&mut chain, now, &keys[author], vote);
        chain.append(now, &block).expect("it may sign");
    }
    assert!(chain.engine().clique().signers().eq(keys[..2].iter().map(validator_id)));
    assert_eq!(chain.engine().clique().signers().len(), 2);

    let claim = chain.engine().claim(&validator_id(&keys[1]), None).expect("an authority");
    for (at, byte) in [(0, 1), (31, 1), (34, 3), (34, 0xFF)] {
        let mut claim = claim.as_bytes().to_vec();
        claim[at] ^= byte;
        let claim = Claim::new(ledger_core::ClaimKind::AUTHORITY, &claim).expect("it is short");
        let header = propose(&mut chain, 1030, claim);
        let signature = keys[1].sign(&statement_of(chain.genesis_id(), &header, 0));
        let block = encode(header, signature.as_bytes());
        assert_eq!(chain.append(1030, &block), refused(CliqueSealError::MalformedVote), "{at}");
    }
    let block = clique_block(&mut chain, 1030, &keys[1], None);
    chain.append(1030, &block).expect("it votes for nobody");
}

/// Two chains of equal difficulty: the shorter one, then the one whose signer is the longest out of turn, then the lower
/// hash; whichever came first.
#[test]
fn clique_chooses_the_head_by_eip_3436() {
    let keys = keys(3);
    let mut ours = clique_chain(&keys);
    let mut theirs = clique_chain(&keys);
    let first = clique_block(&mut ours, 1010, &keys[2], None);
    ours.append(1010, &first).expect("out of turn");
    let first = clique_block(&mut theirs, 1010, &keys[0], None);
    theirs.append(1010, &first).expect("out of turn");
    // (1 - 2) mod 3 = 2 and (1 - 0) mod 3 = 1.
    let engine = ours.engine();
    assert!(engine.prefer(ours.tip(), theirs.tip()).is_gt());
    assert!(engine.prefer(theirs.tip(), ours.tip()).is_lt());
    let mut other = clique_chain(&keys);
    let later = clique_block(&mut other, 1011, &keys[2], None);
    other.append(1011, &later).expect("out of turn");
    assert_eq!(ours.tip().weight, other.tip().weight);
    let lower = ours.tip().id < other.tip().id;
    assert_eq!(engine.prefer(ours.tip(), other.tip()).is_gt(), lower, "the lower hash");
}

#[test]
fn aura_gives_each_step_one_author() {
    let keys = keys(3);
    let ids = [0, 1, 2].map(|n: usize| validator_id(&keys[n]));
    let seal = || TestAura::new(5, ids, [CreditSlot::EMPTY; 8]);
    let mut chain = chain(seal());
    let block = |chain: &mut TestChain<TestAura>, time: u64, key: &KeyPair| {
        let header = propose(chain, time, TestAura::claim(&validator_id(key)));
        let signature = chain.engine().sign(chain.genesis_id(), &header, key);
        (header, encode(header, signature.as_bytes()))
    };
    // Step 200 is that of the first block. Step 201 is skipped: 202 mod 3 = 1.
    let (header, bytes) = block(&mut chain, 1012, &keys[1]);
    assert_eq!(chain.append(1009, &bytes), Err(Refused::NotYet { at: 1010 }), "a later step");
    let (_, wrong) = block(&mut chain, 1012, &keys[2]);
    let out_of_turn = AuraSealError::OutOfTurn { step: 202, expected: ids[1] };
    assert_eq!(chain.append(1012, &wrong), refused(out_of_turn));
    let (other, _) = block(&mut chain, 1013, &keys[1]);
    let genesis = *chain.genesis_id();
    let statements = [header, other].map(|header| chain.engine().statement(&genesis, &header));
    let offence = statements[0].contradiction(&statements[1]);
    assert_eq!(offence, Some((OffenceKind::DoubleProposal, 202)), "two blocks in one step");
    let tip = chain.append(1012, &bytes).expect("the primary of its step");
    assert_eq!(tip.weight, Weight(u128::from(u64::MAX - 2)));
    assert_eq!(chain.engine().finalized(), None);
    let (_, same_step) = block(&mut chain, 1014, &keys[1]);
    let old = AuraSealError::OldStep { step: 202, parent: 202 };
    assert_eq!(chain.append(1014, &same_step), refused(old));
    let (_, bytes) = block(&mut chain, 1015, &keys[2]);
    chain.append(1015, &bytes).expect("step 203");
    assert_eq!(chain.engine().finalized(), Some(Height(1)), "two of three built on it");
    let none = AuraSeal::<_, _>::new(0, ids, [CreditSlot::EMPTY; 8]);
    assert_eq!(none.step(5), None, "no division by zero");
}

type Machine =
    Bft<RoundRobin<Vec<ValidatorId>>, Ed25519Key, BftSlots<Vec<PeerSlot>, Vec<VoteSlot>>>;

/// Lets validators with these secrets decide on a value, and returns the certificate.
fn decide(
    genesis: [u8; 32],
    height: u64,
    value: [u8; 32],
    weights: &[(ValidatorId, u64)],
) -> Vec<SignedStatement> {
    let ids: Vec<_> = weights.iter().map(|(id, _)| *id).collect();
    let machine = |secret: u8| -> Machine {
        let setup = BftSetup {
            config: BftConfig::new(Duration::from_millis(100)),
            genesis,
            height,
            validators: weights,
            selector: RoundRobin::new(ids.clone()),
            keys: Ed25519Key::from_secret(&[secret; 32]),
        };
        let storage = BftSlots {
            validators: vec![PeerSlot::EMPTY; ids.len()],
            votes: vec![VoteSlot::EMPTY; ids.len() * VoteSlot::PER_VALIDATOR],
        };
        Bft::new(setup, storage).expect("valid")
    };
    let mut machines: Vec<_> = (1..=4).map(machine).collect();
    let now = Duration::ZERO;
    let mut certificate = None;
    for _ in 0..20 {
        let mut sent = Vec::new();
        for machine in &mut machines {
            while let Some(event) = machine.poll_event() {
                match event {
                    BftEvent::Save { token } => machine.handle_saved(now, token).expect("known"),
                    BftEvent::Propose { .. } => machine.propose(now, &value).expect("wanted"),
                    BftEvent::Check { value, .. } => machine.handle_checked(now, &value, true),
                    BftEvent::Decided { .. } => certificate = Some(machine.certificate().collect()),
                    BftEvent::PeerBehind { .. } => {} // the votes it needs are under way
                    other => panic!("{other}"),
                }
            }
            let mut buf = [0; SignedStatement::LEN];
            while machine.poll_transmit(&mut buf).expect("LEN suffices").is_some() {
                sent.push(buf);
            }
        }
        for bytes in sent {
            for machine in &mut machines {
                let _ = machine.handle_datagram(now, &bytes); // its own come back, too
            }
        }
    }
    certificate.expect("decided")
}

#[test]
fn a_decision_seals_a_block() {
    let keys = keys(4);
    let mut validators = ValidatorSet::new(ValidatorArray::<4>::EMPTY);
    for key in &keys {
        validators.set_stake(validator_id(key), 10).expect("there is room");
    }
    let weights: Vec<_> = validators.iter().collect();
    let mut chain = chain(BftSeal::new(validators));
    for height in 1..=2 {
        let now = 1000 + height;
        let header = propose(&mut chain, now, BftSeal::<ValidatorArray<4>>::claim());
        let genesis = *chain.genesis_id();
        let value = *header.id(&genesis).as_bytes();
        let certificate = decide(*genesis.as_bytes(), height, value, &weights);
        let mut proof = [0; 300];
        let len = chain.engine().encode_proof(&certificate.iter().copied(), &mut proof);
        let len = len.expect("it fits");
        let proof = &proof[..len];
        assert!(len >= 4 + 3 * 66);
        let two = encode(header, &proof[..4 + 2 * 66]);
        let no_quorum = BftSealError::NoQuorum { weight: 20, total: 40 };
        assert_eq!(chain.append(now, &two), refused(no_quorum));
        // Signatures cost most, so votes without a quorum are refused before any is verified.
        let mut unsigned = proof[..4 + 2 * 66].to_vec();
        unsigned[4 + 2..4 + 66].fill(0);
        assert_eq!(chain.append(now, &encode(header, &unsigned)), refused(no_quorum));
        let twice: Vec<_> = [&proof[..4 + 66], &proof[4..4 + 2 * 66]].concat();
        assert!(matches!(
            chain.append(now, &encode(header, &twice)),
            Err(Refused::Invalid(BlockError::Engine(BftSealError::OutOfOrder(_))))
        ));
        let torn = encode(header, &proof[..len - 1]);
        assert_eq!(chain.append(now, &torn), refused(BftSealError::Malformed));
        let elsewhere = decide([9; 32], height, value, &weights);
        let mut foreign = [0; 300];
        let foreign_len = chain.engine().encode_proof(&elsewhere.iter().copied(), &mut foreign);
        let foreign = encode(header, &foreign[..foreign_len.expect("it fits")]);
        assert!(matches!(
            chain.append(now, &foreign),
            Err(Refused::Invalid(BlockError::Engine(BftSealError::BadSignature(_))))
        ));
        let block = encode(header, proof);
        assert_eq!(chain.append(now - 1, &block), Err(Refused::NotYet { at: now }));
        chain.append(now, &block).expect("decided");
        assert_eq!(chain.engine().finalized(), Some(Height(height)));
    }
}

/// The claim of a block that is decided on names nobody.
#[test]
fn a_decided_block_claims_nothing() {
    use ledger_core::ClaimKind;

    let mut validators = ValidatorSet::new(ValidatorArray::<4>::EMPTY);
    validators.set_stake(validator_id(&keys(1)[0]), 10).expect("there is room");
    let mut chain = chain(BftSeal::new(validators));
    for (kind, bytes) in
        [(ClaimKind::WORK, &b""[..]), (ClaimKind::STAKE, b"x"), (ClaimKind::AUTHORITY, b"x")]
    {
        let header = propose(&mut chain, 1001, Claim::new(kind, bytes).expect("short"));
        let block = encode(header, &[0; 4]);
        assert_eq!(chain.append(1001, &block), refused(BftSealError::WrongClaim), "{kind}");
    }
    let header = propose(&mut chain, 1001, BftSeal::<ValidatorArray<4>>::claim());
    let no_quorum = BftSealError::NoQuorum { weight: 0, total: 10 };
    assert_eq!(chain.append(1001, &encode(header, &[0; 4])), refused(no_quorum));
}
