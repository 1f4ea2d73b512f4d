//! Blocks of a ledger, sealed by work.
#![cfg(feature = "ledger")]

use ledger_core::{
    Account, Block, BlockError, Body, Chain, ChainId, Genesis, Header, Rules, SealKind, Slot,
    Weight,
};
use pow::{CompactTarget, Step, Target, WorkError, WorkSeal};

const GENESIS: Genesis<'_> = Genesis { chain: ChainId(1), time: 1000, allocation: &[] };

fn chain(bits: CompactTarget) -> Chain<WorkSeal, [Slot; 2]> {
    let seal = WorkSeal::new(bits).expect("a target");
    Chain::new(Rules::DEFAULT, seal, &GENESIS, [Slot::EMPTY; 2]).expect("it fits")
}

fn mine(seal: &WorkSeal, header: &Header) -> [u8; 12] {
    let mut miner = seal.miner(header, 0..=u64::MAX).expect("a header is a puzzle");
    loop {
        if let Step::Found(nonce) = miner.step(1000) {
            return seal.seal(nonce);
        }
    }
}

fn encode(header: Header, seal: &[u8]) -> Vec<u8> {
    let block = Block::new(header, seal, Body::default());
    let mut out = vec![0; block.encoded_len()];
    block.encode(&mut out).expect("encoded_len suffices");
    out
}

#[test]
fn mined_blocks_are_accepted_and_weigh_their_work() {
    let bits = Target::from_zero_bits(10).to_compact();
    let mut chain = chain(bits);
    let mut blocks = Vec::new();
    for _ in 0..3 {
        let header =
            chain.propose(0, Account::default(), &Body::default(), SealKind::WORK, WorkSeal::LEN);
        let seal = mine(chain.seal(), &header);
        let block = encode(header, &seal);
        let tip = chain.append(u64::MAX, &block).expect("it was mined");
        assert_eq!(tip.hash, header.hash(&seal));
        assert!(tip.hash.to_string().starts_with("00"));
        blocks.push(block);
    }
    let each = bits.to_target().expect("a target").work().hashes().saturating_u128();
    assert_eq!(chain.tip().weight, Weight(3 * each));

    // A nonce is specific to its block: any other header needs another one.
    let (stolen, _) = Block::decode(&blocks[0]).expect("stored");
    let header = chain.propose(0, Account::default(), &Body::default(), SealKind::WORK, 12);
    let error = chain.append(u64::MAX, &encode(header, stolen.seal())).expect_err("another header");
    assert!(matches!(error, BlockError::Seal(WorkError::NotEnoughWork(_))), "{error}");
}

#[test]
fn other_seals_are_refused() {
    let bits = Target::from_zero_bits(1).to_compact();
    let mut chain = chain(bits);
    let easier = WorkSeal::new(CompactTarget::REGTEST_LIMIT).expect("a target");
    let propose = |kind, len| chain.propose(0, Account::default(), &Body::default(), kind, len);
    for (header, seal, expected) in [
        (
            propose(SealKind::STAKE, 12),
            easier.seal(0).to_vec(),
            WorkError::WrongKind(SealKind::STAKE),
        ),
        (propose(SealKind::WORK, 3), vec![0; 3], WorkError::WrongLength(3)),
        (propose(SealKind::WORK, 13), vec![0; 13], WorkError::WrongLength(13)),
        (
            propose(SealKind::WORK, 12),
            [&0x1d00_ffff_u32.to_be_bytes()[..], &[0; 8]].concat(),
            WorkError::WrongTarget { expected: bits, found: CompactTarget::BITCOIN_LIMIT },
        ),
    ] {
        let error = chain.append(u64::MAX, &encode(header, &seal)).expect_err("it is no work");
        assert_eq!(error, BlockError::Seal(expected));
    }
    assert!(WorkSeal::new(CompactTarget(0)).is_err());
}
