//! Blocks of a ledger, by work.
#![cfg(feature = "ledger")]

use ledger_core::ledger::Standard;
use ledger_core::{
    Account, Block, BlockError, Body, Chain, ChainSlots, ChainSpec, Claim, ClaimKind, Engine,
    GenesisId, Hash, Header, JournalSlot, Refused, Rules, Slot, Weight,
};
use pow::difficulty::{HeaderInfo, Lwma};
use pow::{CompactTarget, Step, Target, WorkError, WorkSeal};

const SPEC: ChainSpec<'_> =
    ChainSpec { name: "work", rules: Rules::SMALL, time: 1000, allocation: &[] };

type Storage = ChainSlots<[Slot; 16], [JournalSlot; 65]>;

fn chain<E: Engine>(seal: E) -> Chain<E, Standard, Storage> {
    let storage = ChainSlots { entries: [Slot::EMPTY; 16], journal: [JournalSlot::EMPTY; 65] };
    Chain::new(&SPEC, seal, Standard, storage).expect("it fits")
}

fn mine(genesis: &GenesisId, mut header: Header, bits: CompactTarget) -> Header {
    header.claim = WorkSeal::claim(bits, 0);
    let mut miner = WorkSeal::miner(genesis, &header, 0..=u64::MAX).expect("a claim");
    loop {
        if let Step::Found(nonce) = miner.step(1000) {
            header.claim = WorkSeal::claim(bits, nonce);
            return header;
        }
    }
}

fn encode(header: Header, proof: &[u8]) -> Vec<u8> {
    let block = Block::new(header, proof, Body::default()).expect("it has no body");
    let mut out = vec![0; block.encoded_len()];
    block.encode(&mut out).expect("encoded_len suffices");
    out
}

fn propose<E: Engine>(chain: &mut Chain<E, Standard, Storage>, now: u64) -> Header {
    chain.propose(now, Account::default(), &Body::default(), Claim::NONE).expect("nothing in it")
}

#[test]
fn mined_blocks_are_accepted_and_weigh_their_work() {
    let bits = Target::from_zero_bits(10).to_compact();
    let mut chain = chain(WorkSeal::new(bits).expect("a target"));
    let genesis = *chain.genesis_id();
    for time in 1001..1004 {
        let header = mine(&genesis, propose(&mut chain, time), bits);
        let tip = chain.append(time, &encode(header, &[])).expect("it was mined");
        assert_eq!(tip.id, header.id(&genesis));
        assert!(tip.id.to_string().starts_with("00"));
    }
    let each = bits.to_target().expect("a target").work().hashes().saturating_u128();
    assert_eq!(chain.tip().weight, Weight(3 * each));

    // A nonce is specific to its block: any other header needs another one.
    let mut header = mine(&genesis, propose(&mut chain, 1004), bits);
    header.time += 1;
    let error = chain.append(1005, &encode(header, &[])).expect_err("another header");
    let refused =
        Refused::Invalid(BlockError::Engine(WorkError::NotEnoughWork(header.id(&genesis))));
    assert_eq!(error, refused);
}

#[test]
fn other_claims_are_refused() {
    let bits = Target::from_zero_bits(1).to_compact();
    let mut chain = chain(WorkSeal::new(bits).expect("a target"));
    let base = propose(&mut chain, 1001);
    let claim = |kind, bytes: &[u8]| Claim::new(kind, bytes).expect("short");
    let easy = [&CompactTarget::BITCOIN_LIMIT.0.to_be_bytes()[..], &[0; 8]].concat();
    for (claim, proof, expected) in [
        (claim(ClaimKind::STAKE, &[0; 12]), &[][..], WorkError::WrongKind(ClaimKind::STAKE)),
        (claim(ClaimKind::WORK, &[0; 11]), &[], WorkError::WrongLength(11)),
        (claim(ClaimKind::WORK, &[0; 13]), &[], WorkError::WrongLength(13)),
        (claim(ClaimKind::WORK, &[0; 12]), &[0], WorkError::UnexpectedProof(1)),
        (
            claim(ClaimKind::WORK, &easy),
            &[],
            WorkError::WrongTarget { expected: bits, found: CompactTarget::BITCOIN_LIMIT },
        ),
    ] {
        let header = Header { claim, ..base };
        let error = chain.append(u64::MAX, &encode(header, proof)).expect_err("it is not work");
        assert_eq!(error, Refused::Invalid(BlockError::Engine(expected)));
    }
    assert!(WorkSeal::new(CompactTarget(0)).is_err());
}

#[test]
fn a_block_of_the_future_is_nobodys_fault() {
    let bits = Target::from_zero_bits(1).to_compact();
    let mut chain = chain(WorkSeal::new(bits).expect("a target"));
    let genesis = *chain.genesis_id();
    let block = encode(mine(&genesis, propose(&mut chain, 10_000), bits), &[]);
    assert_eq!(chain.append(2799, &block), Err(Refused::NotYet { at: 2800 }));
    assert!(chain.append(2800, &block).is_ok(), "two hours ahead");
}

/// The engine follows a difficulty rule: a chain that is too fast gets harder.
#[test]
fn a_difficulty_rule_decides_the_target() {
    let first = Target::from_zero_bits(8).to_compact();
    let rule = Lwma { window: 4, spacing: 60, limit: first };
    let slots = [HeaderInfo { height: 0, time: 0, bits: first }; 6];
    let parameters = Hash::of(b"lwma 4 60");
    let seal = WorkSeal::with_rule(rule, first, 1000, 600, parameters, slots).expect("a target");
    let mut chain = chain(seal);
    let genesis = *chain.genesis_id();
    let mut last = first;
    for time in (1..12).map(|n| 1000 + 10 * n) {
        let bits = chain.engine().required(time).expect("the rule knows");
        let header = propose(&mut chain, time);
        if bits != first {
            let cheap = encode(mine(&genesis, header, first), &[]);
            let refused = WorkError::WrongTarget { expected: bits, found: first };
            let refused = Refused::Invalid(BlockError::Engine(refused));
            assert_eq!(chain.append(time, &cheap), Err(refused));
        }
        chain.append(time, &encode(mine(&genesis, header, bits), &[])).expect("the right target");
        last = bits;
    }
    let work = |bits: CompactTarget| bits.to_target().expect("a target").work();
    assert!(work(last) > work(first), "six times too fast");
}
