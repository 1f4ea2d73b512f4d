//! Blocks of a ledger, by work.
#![cfg(feature = "ledger")]

use ledger_core::ledger::Standard;
use ledger_core::{
    Account, Action, Block, BlockError, Body, Chain, ChainSlots, ChainSpec, Claim, ClaimKind,
    Engine, GenesisId, Hash, Header, JournalSlot, KeyPair, Refused, Rules, Slot, Transaction,
    Weight,
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

/// A flipped bit of a stored block is named at the height of the block. A header that was changed still meets its target
/// with the probability of the target; it has another id then, and the block after it fits no more.
#[test]
fn of_10_000_flipped_bits_none_is_unnoticed() {
    let bits = Target::from_zero_bits(8).to_compact();
    let mut chains = vec![chain(WorkSeal::new(bits).expect("a target"))];
    let mut blocks = Vec::new();
    let author = KeyPair::from_secret(&[1; 32]);
    for n in 0..5_u64 {
        let mut chain = chains.last().expect("block 0").clone();
        let genesis = *chain.genesis_id();
        let action = Action::Record(b"the same for ever");
        let record = Transaction::new(author.account(), n, action);
        let mut buf = [0; Transaction::MAX_LEN];
        let signed = record.sign(&genesis, &author, &mut buf).expect("its own key");
        let body = Body::from_bytes(signed.as_bytes()).expect("one record");
        let time = 1001 + n;
        let header = chain.propose(time, author.account(), &body, Claim::NONE);
        let header = mine(&genesis, header.expect("it is fine"), bits);
        let block = Block::new(header, &[], body).expect("the header names it");
        let mut out = vec![0; block.encoded_len()];
        block.encode(&mut out).expect("encoded_len suffices");
        chain.append(time, &out).expect("it was mined");
        blocks.push(out);
        chains.push(chain);
    }
    let tip = *chains.last().expect("five blocks").tip();
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % below
    };
    let mut named_later = 0;
    for _ in 0..10_000 {
        let victim = random(blocks.len());
        let bit = random(8 * blocks[victim].len());
        let mut copy = blocks.clone();
        copy[victim][bit / 8] ^= 1 << (bit % 8);
        // The blocks before are those of every replay.
        let mut auditor = chains[victim].clone();
        let height = match auditor.replay(tip.time, &copy[victim..]) {
            Err(fault) => fault.height.0,
            // The last block has another id than the one that is known.
            Ok(end) if end.id != tip.id => tip.height.0 + 1,
            Ok(_) => panic!("block {victim}, bit {bit}: unnoticed"),
        };
        let own = victim as u64 + 1;
        assert!(height == own || height == own + 1, "block {own}, bit {bit}: named at {height}");
        named_later += u32::from(height != own);
    }
    assert!(
        named_later <= 80,
        "{named_later} of 10,000, about half of them in headers, at 1 in 256"
    );
    println!("{named_later} of 10,000 flips are named one block later");
}

/// The genesis id commits to the rule: a text, the target, the seconds ahead and the hash of the parameters.
#[test]
fn the_digest_is_the_hash_of_all_parameters() {
    let bits = CompactTarget(0x207f_ffff);
    let hashed = |future: u64, parameters: Hash| {
        let text = b"pow/1 work seal\0";
        let parts: [&[u8]; 4] =
            [text, &[0x20, 0x7f, 0xff, 0xff], &future.to_be_bytes(), parameters.as_bytes()];
        Hash::of(&parts.concat())
    };
    let seal = WorkSeal::new(bits).expect("a target");
    assert_eq!(seal.digest(), hashed(7200, Hash::of(&[0x20, 0x7f, 0xff, 0xff])));
    let rule = Lwma { window: 0, spacing: 60, limit: bits };
    let parameters = Hash::of(b"another rule");
    let seal = WorkSeal::with_rule(rule, bits, 1000, 60, parameters, [HeaderInfo::EMPTY; 1]);
    let time = Hash::of(&1000_u64.to_be_bytes());
    let both = Hash::of(&[*parameters.as_bytes(), *time.as_bytes()].concat());
    assert_eq!(seal.expect("a target").digest(), hashed(60, both));
}

/// LWMA follows time stamps closely: with two hours, 5 % of the hash rate could slow such a chain down to a quarter.
#[test]
fn a_rule_limits_how_far_a_block_may_be_ahead() {
    let bits = CompactTarget::REGTEST_LIMIT;
    let rule = Lwma { window: 60, spacing: 60, limit: bits };
    let slots = [HeaderInfo::EMPTY; 61];
    let seal = WorkSeal::with_rule(rule, bits, 1000, 7200, Hash::ZERO, slots).expect("a target");
    let mut chain = chain(seal);
    let genesis = *chain.genesis_id();
    let block = encode(mine(&genesis, propose(&mut chain, 10_000), bits), &[]);
    assert_eq!(chain.append(9819, &block), Err(Refused::NotYet { at: 9820 }));
    assert!(chain.append(9820, &block).is_ok(), "a twentieth of an hour ahead");
}

/// A node that provides too few slots cannot judge the header. The sender did nothing wrong.
#[test]
fn too_few_slots_for_a_rule_are_this_nodes_limit() {
    let bits = CompactTarget::REGTEST_LIMIT;
    let rule = Lwma { window: 2, spacing: 60, limit: bits };
    let slots = [HeaderInfo::EMPTY; 2]; // the window and one more are needed
    let seal = WorkSeal::with_rule(rule, bits, 1000, 60, Hash::ZERO, slots).expect("a target");
    let mut chain = chain(seal);
    let genesis = *chain.genesis_id();
    for time in [1060, 1120] {
        let header = mine(&genesis, propose(&mut chain, time), bits);
        chain.append(time, &encode(header, &[])).expect("the limit is required");
    }
    let header = mine(&genesis, propose(&mut chain, 1180), bits);
    assert_eq!(chain.append(1180, &encode(header, &[])), Err(Refused::NoRoom { capacity: 2 }));
}

/// BIP 94: the first header of a period may be dated 600 seconds before its parent.
#[test]
fn a_block_that_is_too_early_for_the_rule_is_refused() {
    use pow::Retarget;
    let bits = CompactTarget::REGTEST_LIMIT;
    // Each header begins a period.
    let rule = Retarget { timespan: 600, no_retargeting: true, bip94: true, ..Retarget::REGTEST };
    let seal = WorkSeal::with_rule(rule, bits, 5000, 7200, Hash::ZERO, []).expect("a target");
    let spec = ChainSpec { time: 3000, ..SPEC };
    let storage = ChainSlots { entries: [Slot::EMPTY; 16], journal: [JournalSlot::EMPTY; 65] };
    let mut chain = Chain::new(&spec, seal, Standard, storage).expect("it fits");
    let genesis = *chain.genesis_id();
    let header = propose(&mut chain, 4399);
    let block = encode(mine(&genesis, header, bits), &[]);
    let error = WorkError::TooEarly { time: 4399, earliest: 4400 };
    assert_eq!(chain.append(9000, &block), Err(Refused::Invalid(BlockError::Engine(error))));
    let header = Header { time: 4400, ..header };
    let block = encode(mine(&genesis, header, bits), &[]);
    assert!(chain.append(9000, &block).is_ok());
}

#[test]
fn only_a_header_with_a_target_can_be_mined() {
    let bits = Target::from_zero_bits(1).to_compact();
    let mut chain = chain(WorkSeal::new(bits).expect("a target"));
    let genesis = *chain.genesis_id();
    let header = propose(&mut chain, 1001);
    let claim = |bytes: &[u8]| Claim::new(ClaimKind::WORK, bytes).expect("short");
    let zero = WorkSeal::claim(CompactTarget(0), 0);
    for claim in [Claim::NONE, claim(&[0x20; 11]), claim(&[0x20; 13]), zero] {
        let header = Header { claim, ..header };
        assert!(WorkSeal::miner(&genesis, &header, 0..=9).is_err());
    }
    let header = Header { claim: WorkSeal::claim(bits, 0), ..header };
    let miner = WorkSeal::miner(&genesis, &header, 0..=9).expect("a claim");
    assert_eq!(miner.remaining(), Some(0..=9));
    assert_eq!(Ok(miner.target()), bits.to_target());
}
