//! Any bytes as the proof of a block, for each seal.

use consensus::aura::{AuraSeal, CreditSlot};
use consensus::bft::BftSeal;
use consensus::clique::{
    CandidateSlot, Clique, CliqueConfig, CliqueSeal, CliqueSlots, RecentSlot, SignerSlot,
};
use consensus::quorum::OverHalf;
use consensus::slot::SlotSeal;
use consensus::{
    Authorities, AuthoritySeal, AuthoritySlot, StakeSeal, ValidatorArray, ValidatorId, ValidatorSet,
};
use ledger_core::ledger::Standard;
use ledger_core::{
    Account, Block, Body, Chain, ChainSlots, ChainSpec, Claim, ClaimKind, Engine, JournalSlot,
    Rules, Slot,
};
use sim::laws::Input;

const SPEC: ChainSpec<'_> =
    ChainSpec { name: "bodies", rules: Rules::SMALL, time: 1000, allocation: &[] };

/// Blocks whose claim and proof are any bytes: refused by every seal, since nobody signed them.
pub fn seals(bytes: &[u8]) {
    let ids = [1, 2, 3].map(|n| ValidatorId([n; 32]));
    let stakes = ids.map(|id| (id, 10));
    let set = || ValidatorSet::from_sorted(ValidatorArray::<3>::EMPTY, stakes).expect("sorted");
    let mut authorities = Authorities::new([AuthoritySlot::EMPTY; 3]);
    for id in ids {
        authorities.insert(id).expect("a slot");
    }
    let storage = CliqueSlots {
        signers: [SignerSlot::EMPTY; 4],
        recents: [RecentSlot::EMPTY; 3],
        votes: [CandidateSlot::EMPTY; 4],
    };
    let clique = Clique::new(CliqueConfig::new(), &ids, storage).expect("valid");
    refuses(StakeSeal::new(5, set()), bytes);
    refuses(AuthoritySeal::new(5, authorities), bytes);
    refuses(CliqueSeal::new(5, clique), bytes);
    refuses(AuraSeal::<_, _, OverHalf>::new(5, ids, [CreditSlot::EMPTY; 8]), bytes);
    refuses(SlotSeal::new(5, [7; 32], set()), bytes);
    refuses(BftSeal::new(set()), bytes);
}

fn refuses<E: Engine>(seal: E, bytes: &[u8]) {
    let storage = ChainSlots { entries: [Slot::EMPTY; 16], journal: [JournalSlot::EMPTY; 65] };
    let mut chain = Chain::new(&SPEC, seal, Standard, storage).expect("it fits");
    let mut input = Input::new(bytes);
    let kind = [ClaimKind::STAKE, ClaimKind::AUTHORITY][input.below(2)];
    let author = [1 + input.byte() % 4; 32];
    let mut content = author.to_vec();
    content.extend_from_slice(&input.array::<8>());
    content.truncate([0, 32, 35, 40][input.below(4)]);
    let claim = Claim::new(kind, &content).expect("40 bytes fit");
    let now = 1001 + u64::from(input.byte());
    let Ok(header) = chain.propose(now, Account::default(), &Body::default(), claim) else {
        return;
    };
    let len = input.below(400);
    let proof = input.bytes(len);
    let Ok(block) = Block::new(header, proof, Body::default()) else { return };
    let mut out = vec![0; block.encoded_len()];
    block.encode(&mut out).expect("encoded_len suffices");
    let before = *chain.tip();
    assert!(chain.append(now + u64::from(input.byte()), &out).is_err(), "nobody signed it");
    assert_eq!(*chain.tip(), before);
}
