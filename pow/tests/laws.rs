//! Properties: any bytes for every decoder and every search.

mod bodies;

use pow::difficulty::{Asert, HeaderInfo, Lwma, Recent};
use pow::stamp::{Stamp, StampMiner};
use pow::template::HeaderMiner;
use pow::{
    BigEndian, CompactTarget, Header, HeaderChain, HeaderId, Miner, Ratio, Retarget, Target, U256,
};
use proptest::prelude::*;

proptest! {
    #[test]
    fn any_bytes_hold(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for (_, body) in bodies::BODIES {
            body(&bytes);
        }
    }

    /// Bytes with runs of zeros and ones reach the carries that random ones miss.
    #[test]
    fn numbers_of_zeros_and_ones_keep_the_laws_of_arithmetic(limbs in proptest::collection::vec(
        prop_oneof![Just(0_u64), Just(1), Just(u64::MAX), Just(1 << 63), any::<u64>()], 9))
    {
        let bytes: Vec<u8> = limbs.iter().flat_map(|limb| limb.to_be_bytes()).collect();
        bodies::number::number(&bytes);
        bodies::number::compact(&bytes);
    }
}

#[test]
fn the_work_of_extreme_targets() {
    assert_eq!(Target::MAX.work().hashes(), U256::ONE);
    assert_eq!(Target::new(U256::ZERO).work().hashes(), U256::ZERO, "as in Bitcoin Core");
    let half = Target::from_zero_bits(1).number().saturating_add(U256::ONE);
    assert_eq!(Target::new(U256::ONE).work().hashes(), half);
    assert_eq!(Target::from_zero_bits(1).work().hashes(), U256::from(2));
    assert_eq!(Target::from_zero_bits(16).work().hashes(), U256::from(1 << 16));
    assert_eq!(Target::from_zero_bits(400), Target::new(U256::ZERO));
    assert!(Target::new(U256::ZERO).is_met_by::<BigEndian>(&[0; 32]));
}

#[test]
fn sizes_are_as_documented() {
    assert!(size_of::<Miner>() <= 288, "{}", size_of::<Miner>());
    assert!(size_of::<HeaderMiner<'_>>() <= 480, "{}", size_of::<HeaderMiner<'_>>());
    assert_eq!(size_of::<Target>(), 32);
    assert_eq!(size_of::<CompactTarget>(), 4);
    assert_eq!((size_of::<Retarget>(), size_of::<Lwma>()), (16, 12));
    // Less where words of 64 bits are aligned to 4 bytes.
    assert!(size_of::<Asert>() <= 32 && size_of::<HeaderInfo>() <= 24);
    assert!(
        size_of::<Recent<[HeaderInfo; 0]>>() <= 112,
        "{}",
        size_of::<Recent<[HeaderInfo; 0]>>()
    );
    assert!(size_of::<Ratio>() == 64 && size_of::<Stamp<'_>>() <= 104);
    let chain = size_of::<HeaderChain<Retarget, [HeaderInfo; 0]>>();
    assert!(chain <= 344, "{chain}");
    assert_eq!((size_of::<Header>(), size_of::<HeaderId>()), (80, 32));
    assert!(size_of::<StampMiner>() <= 160, "{}", size_of::<StampMiner>());
}
