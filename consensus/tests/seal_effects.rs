//! What all engines for the blocks of a ledger have in common: their parameters name the chain, and the effects of a block
//! take the stake and the office of those it slashes.
#![cfg(feature = "ledger")]

use std::collections::BTreeSet;

use consensus::aura::{AuraSeal, CreditSlot};
use consensus::bft::BftSeal;
use consensus::clique::{
    CandidateSlot, Clique, CliqueConfig, CliqueSeal, CliqueSlots, CliqueVote, RecentSlot,
    SignerSlot,
};
use consensus::quorum::{OverHalf, OverTwoThirds};
use consensus::slot::SlotSeal;
use consensus::{
    Authorities, AuthoritySeal, AuthoritySlot, SLASH, StakeSeal, ValidatorArray, ValidatorId,
    ValidatorSet,
};
use ledger_core::ledger::{Context, Ledger};
use ledger_core::state::{Effect, TransactionError, View};
use ledger_core::{
    Account, Action, Ancestry, Block, BlockId, Body, Chain, ChainSlots, ChainSpec, Claim,
    ClaimKind, Effects, Engine, Hash, Header, Height, JournalSlot, KeyPair, Refused, Rules, Slot,
    Transaction, Weight,
};

fn id(n: u8) -> ValidatorId {
    ValidatorId([n; 32])
}

fn stakes(stakes: &[(u8, u64)]) -> ValidatorSet<ValidatorArray<4>> {
    let mut set = ValidatorSet::new(ValidatorArray::EMPTY);
    for (n, stake) in stakes {
        set.set_stake(id(*n), *stake).expect("there is room");
    }
    set
}

fn authorities(ids: &[u8]) -> Authorities<[AuthoritySlot; 4]> {
    let mut list = Authorities::new([AuthoritySlot::EMPTY; 4]);
    for n in ids {
        list.insert(id(*n)).expect("there is room");
    }
    list
}

fn clique(
    period: u64,
    epoch: u64,
    votes_per_signer: usize,
    signers: &[u8],
) -> CliqueSeal<CliqueSlots<[SignerSlot; 4], [RecentSlot; 3], [CandidateSlot; 8]>> {
    let mut config = CliqueConfig::new();
    config.epoch = epoch;
    config.votes_per_signer = votes_per_signer;
    let storage = CliqueSlots {
        signers: [SignerSlot::EMPTY; 4],
        recents: [RecentSlot::EMPTY; 3],
        votes: [CandidateSlot::EMPTY; 8],
    };
    let signers: Vec<_> = signers.iter().map(|n| id(*n)).collect();
    CliqueSeal::new(period, Clique::new(config, &signers, storage).expect("valid"))
}

fn header(height: u64, claim: Claim) -> Header {
    Header {
        height: Height(height),
        parent: BlockId::default(),
        body_size: 0,
        body_root: Hash::ZERO,
        state: Hash::ZERO,
        history: Hash::ZERO,
        time: height,
        author: Account::default(),
        claim,
    }
}

/// The digest is part of the genesis id: two engines of one digest would be one chain with two rules.
#[test]
fn every_parameter_of_an_engine_changes_its_digest() {
    let aura = |duration, ids: [u8; 2]| {
        AuraSeal::<_, _>::new(duration, ids.map(id), [CreditSlot::EMPTY; 2]).digest()
    };
    let slot = |duration, seed, set: &[(u8, u64)]| SlotSeal::new(duration, seed, stakes(set));
    let two = [(1, 10), (2, 10)];
    let digests = [
        StakeSeal::new(5, stakes(&two)).digest(),
        StakeSeal::new(6, stakes(&two)).digest(),
        StakeSeal::new(5, stakes(&[(1, 10), (2, 11)])).digest(),
        StakeSeal::new(5, stakes(&[(1, 10), (3, 10)])).digest(),
        AuthoritySeal::new(5, authorities(&[1, 2])).digest(),
        AuthoritySeal::new(6, authorities(&[1, 2])).digest(),
        AuthoritySeal::new(5, authorities(&[1, 3])).digest(),
        BftSeal::new(stakes(&two)).digest(),
        BftSeal::new(stakes(&[(1, 10), (2, 11)])).digest(),
        BftSeal::new(stakes(&[(1, 10), (3, 10)])).digest(),
        slot(5, [1; 32], &two).digest(),
        slot(6, [1; 32], &two).digest(),
        slot(5, [2; 32], &two).digest(),
        slot(5, [1; 32], &[(1, 10), (2, 11)]).digest(),
        aura(5, [1, 2]),
        aura(6, [1, 2]),
        aura(5, [1, 3]),
        aura(5, [2, 1]),
        AuraSeal::<_, _, OverHalf>::new(5, [1, 2, 3].map(id), [CreditSlot::EMPTY; 2]).digest(),
        AuraSeal::<_, _, OverTwoThirds>::new(5, [1, 2, 3].map(id), [CreditSlot::EMPTY; 2]).digest(),
        clique(5, 100, 1, &[1, 2]).digest(),
        clique(6, 100, 1, &[1, 2]).digest(),
        clique(5, 101, 1, &[1, 2]).digest(),
        clique(5, 100, 2, &[1, 2]).digest(),
        clique(5, 100, 1, &[1, 3]).digest(),
    ];
    let different: BTreeSet<_> = digests.iter().map(|digest| *digest.as_bytes()).collect();
    assert_eq!(different.len(), digests.len());
    assert!(!different.contains(&[0; 32]));
    // What is named in another order is the same set.
    assert_eq!(StakeSeal::new(5, stakes(&[(2, 10), (1, 10)])).digest(), digests[0]);
    assert_eq!(AuthoritySeal::new(5, authorities(&[2, 1])).digest(), digests[4]);
    assert_eq!(clique(5, 100, 1, &[2, 1]).digest(), digests[20]);
}

/// A record of 33 bytes is an effect of this kind on this subject.
#[derive(Debug, Clone)]
struct Court;

impl Ledger for Court {
    fn digest(&self) -> Hash {
        Hash::of(b"court")
    }

    fn apply(
        &self,
        _: &Context,
        view: &mut View<'_>,
        transaction: &Transaction<'_>,
    ) -> Result<(), TransactionError> {
        let Action::Record([kind, subject @ ..]) = transaction.action else {
            return Err(TransactionError::UnknownLedger);
        };
        let subject = subject.try_into().map_err(|_| TransactionError::MalformedPayload)?;
        view.effect(Effect { kind: *kind, subject, amount: 0 })
    }
}

/// Accepts every block, and passes it on.
#[derive(Debug, Clone)]
struct Open<E>(E);

impl<E: Engine> Engine for Open<E> {
    type Error = E::Error;

    fn digest(&self) -> Hash {
        self.0.digest()
    }

    fn check(
        &self,
        _: &dyn Ancestry,
        _: &Header,
        _: &[u8],
        _: u64,
    ) -> Result<Weight, Refused<E::Error>> {
        Ok(Weight(1))
    }

    fn apply(&mut self, header: &Header, effects: &Effects) {
        self.0.apply(header, effects);
    }
}

/// Returns the engine after a block whose claim is that of validator 1, with these effects.
fn after<E: Engine>(engine: E, kind: ClaimKind, effects: &[(u8, ValidatorId)]) -> E {
    let payer = KeyPair::from_secret(&[9; 32]);
    let allocation = [(payer.account(), 100)];
    let spec = ChainSpec { name: "court", rules: Rules::SMALL, time: 1, allocation: &allocation };
    let storage = ChainSlots { entries: [Slot::EMPTY; 16], journal: [JournalSlot::EMPTY; 65] };
    let mut chain = Chain::new(&spec, Open(engine), Court, storage).expect("it fits");
    let mut body = Vec::new();
    for (sequence, (kind, subject)) in (0..).zip(effects) {
        let record = [&[*kind][..], &subject.0].concat();
        let record = Transaction::new(payer.account(), sequence, Action::Record(&record));
        let mut buf = [0; Transaction::MAX_LEN];
        let signed = record.sign(chain.genesis_id(), &payer, &mut buf).expect("its key");
        body.extend_from_slice(signed.as_bytes());
    }
    let body = Body::from_bytes(&body).expect("transactions");
    let claim = Claim::new(kind, &id(1).0).expect("short");
    let header = chain.propose(2, Account::default(), &body, claim).expect("valid");
    let block = Block::new(header, &[], body).expect("its body");
    let mut bytes = vec![0; block.encoded_len()];
    block.encode(&mut bytes).expect("encoded_len suffices");
    chain.append(2, &bytes).expect("valid");
    chain.engine().0.clone()
}

#[test]
fn a_block_takes_the_stake_of_those_it_slashes() {
    let set = || stakes(&[(1, 10), (2, 20), (3, 30)]);
    let of = |set: &ValidatorSet<ValidatorArray<4>>| {
        set.iter().map(|(id, stake)| (id.0[0], stake)).collect::<Vec<_>>()
    };
    let kind = ClaimKind::STAKE;
    for (effects, left) in [
        (&[][..], &[(1, 10), (2, 20), (3, 30)][..]),
        (&[(SLASH, id(2))], &[(1, 10), (3, 30)]),
        (&[(SLASH, id(3)), (SLASH, id(1))], &[(2, 20)]),
        (&[(SLASH + 1, id(2))], &[(1, 10), (2, 20), (3, 30)]),
        (&[(SLASH, id(9))], &[(1, 10), (2, 20), (3, 30)]),
    ] {
        let stake = after(StakeSeal::new(5, set()), kind, effects);
        assert_eq!(of(stake.validators()), left, "stake: {effects:?}");
        let bft = after(BftSeal::new(set()), kind, effects);
        assert_eq!(of(bft.validators()), left, "votes: {effects:?}");
        let slot = after(SlotSeal::new(5, [1; 32], set()), kind, effects);
        assert_eq!(of(slot.validators()), left, "slots: {effects:?}");
    }
}

#[test]
fn a_block_takes_the_office_of_those_it_slashes() {
    for (effects, left) in [
        (&[][..], &[1, 2, 3][..]),
        (&[(SLASH, id(2))], &[1, 3]),
        (&[(SLASH, id(1)), (SLASH, id(3))], &[2]),
        (&[(SLASH + 1, id(2))], &[1, 2, 3]),
        (&[(SLASH, id(9))], &[1, 2, 3]),
    ] {
        let seal = AuthoritySeal::new(5, authorities(&[1, 2, 3]));
        let seal = after(seal, ClaimKind::AUTHORITY, effects);
        let ids: Vec<_> = seal.authorities().iter().map(|id| id.0[0]).collect();
        assert_eq!(ids, left, "{effects:?}");
    }
}

/// The author of a block by authority waits for the others. A block of another kind has no such author.
#[test]
fn a_block_by_authority_counts_for_its_author() {
    let turn = |kind| {
        let seal = after(AuthoritySeal::new(5, authorities(&[1, 2, 3])), kind, &[]);
        seal.authorities().turn(&id(1), 2).is_ok()
    };
    assert!(!turn(ClaimKind::AUTHORITY), "it has signed block 1");
    assert!(turn(ClaimKind::STAKE));
}

/// What a header may claim depends on who was punished before. Votes of Clique stand in the headers.
#[test]
fn engines_that_punish_depend_on_effects() {
    let set = || stakes(&[(1, 10), (2, 20)]);
    assert!(StakeSeal::new(5, set()).depends_on_effects());
    assert!(BftSeal::new(set()).depends_on_effects());
    assert!(SlotSeal::new(5, [1; 32], set()).depends_on_effects());
    assert!(AuthoritySeal::new(5, authorities(&[1, 2])).depends_on_effects());
    assert!(!clique(5, 100, 1, &[1]).depends_on_effects());
}

/// The genesis id depends on the digest. An engine that went on gives a node that resumes the same chain as at block 0.
#[test]
fn the_digest_of_an_engine_stays_that_of_block_0() {
    let slashed = &[(SLASH, id(2))];
    let set = || stakes(&[(1, 10), (2, 20), (3, 30)]);
    let kind = ClaimKind::STAKE;
    let stake = StakeSeal::new(5, set());
    assert_eq!(after(stake.clone(), kind, slashed).digest(), stake.digest());
    let twice = after(after(stake.clone(), kind, slashed), kind, &[(SLASH, id(3))]);
    assert_eq!(twice.digest(), stake.digest());
    let bft = BftSeal::new(set());
    assert_eq!(after(bft.clone(), kind, slashed).digest(), bft.digest());
    let slot = SlotSeal::new(5, [1; 32], set());
    assert_eq!(after(slot.clone(), kind, slashed).digest(), slot.digest());
    let authority = AuthoritySeal::new(5, authorities(&[1, 2, 3]));
    assert_eq!(after(authority.clone(), kind, slashed).digest(), authority.digest());

    let mut voted = clique(5, 100, 1, &[1]);
    let digest = voted.digest();
    let vote = CliqueVote { target: id(2), authorize: true };
    let claim = voted.claim(&id(1), Some(vote)).expect("an authority");
    voted.apply(&header(1, claim), &Effects::NONE);
    assert!(voted.clique().is_signer(&id(2)), "one vote of one");
    assert_eq!(voted.digest(), digest);
}
