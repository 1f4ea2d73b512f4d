//! All kernels find what the block function finds, wherever the nonce stands and however it is split.

use core::num::NonZeroU64;

use pow::{
    BigEndian, DigestOrder, HashFunction, Kernel, LittleEndian, Miner, NonceField, NonceFormat,
    Puzzle, Step, Target, U256,
};
use proptest::prelude::*;

const FORMATS: [NonceFormat; 4] =
    [NonceFormat::U32Le, NonceFormat::U32Be, NonceFormat::U64Le, NonceFormat::U64Be];

/// Returns all nonces of the search, in slices of one length.
fn all<R: DigestOrder>(mut miner: Miner<R>, slice: u32) -> Vec<u64> {
    let mut found = Vec::new();
    loop {
        match miner.step(slice) {
            Step::Found(nonce) => found.push(nonce),
            Step::Working => {}
            Step::Exhausted => return found,
        }
    }
}

fn agree<R: DigestOrder>(puzzle: Puzzle, target: Target, first: u64, stride: NonZeroU64) {
    let last = first.saturating_add(300 * stride.get());
    let miner = Miner::<R>::new(puzzle, target, first..=last).with_stride(stride);
    let expected = all(miner.with_kernel(Kernel::BLOCK), 1);
    for kernel in Kernel::available() {
        for slice in [1, 7, 33, 1000, 1_000_000] {
            let found = all(miner.with_kernel(kernel), slice);
            assert_eq!(found, expected, "{kernel}, {first} by {stride} in slices of {slice}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn all_kernels_find_the_same_nonce(
        message in proptest::collection::vec(any::<u8>(), 8..200),
        place in any::<proptest::sample::Index>(),
        format in proptest::sample::select(&FORMATS[..]),
        double in any::<bool>(),
        first in prop_oneof![
            any::<u64>(),
            (0_u32..64, 0_u64..200).prop_map(|(bit, back)| (1_u64 << bit).saturating_sub(back)),
        ],
        stride in 1_u64..9,
        bits in 0_u32..8,
    ) {
        let offset = place.index(message.len() - format.width() + 1);
        let function = if double { HashFunction::Sha256d } else { HashFunction::Sha256 };
        let Ok(puzzle) = Puzzle::new(function, &message, NonceField { offset, format }) else {
            return Ok(());
        };
        let target = Target::from_zero_bits(bits);
        let stride = NonZeroU64::new(stride).expect("not 0");
        let first = first & format.max();
        agree::<BigEndian>(puzzle, target, first, stride);
        agree::<LittleEndian>(puzzle, target, first, stride);
    }

    /// The least nonce is the same for one worker and for eight, by ranges and by strides.
    #[test]
    fn one_worker_and_eight_find_the_same_nonce(seed in any::<[u8; 40]>()) {
        let field = NonceField { offset: 32, format: NonceFormat::U64Be };
        let puzzle = Puzzle::new(HashFunction::Sha256, &seed, field).expect("40 bytes");
        let target = Target::from_zero_bits(10);
        let one = Miner::<BigEndian>::new(puzzle, target, 0..=u64::MAX).step(u32::MAX);
        let strided = (0..8).map(|worker| {
            let miner = Miner::<BigEndian>::new(puzzle, target, worker..=u64::MAX);
            miner.with_stride(NonZeroU64::new(8).expect("not 0")).step(u32::MAX)
        });
        let found = |step| if let Step::Found(nonce) = step { nonce } else { u64::MAX };
        prop_assert_eq!(strided.map(found).min(), Some(found(one)));
        let ranges = (0..8).map(|worker| {
            let range = worker * 4000..=worker * 4000 + 3999;
            Miner::<BigEndian>::new(puzzle, target, range).step(u32::MAX)
        });
        prop_assert_eq!(ranges.map(found).min().filter(|least| *least < 32_000), Some(found(one)).filter(|least| *least < 32_000));
    }
}

/// One batch of each shape of a message and a little more: few enough hashes for an interpreter.
#[test]
fn kernels_agree_on_every_shape() {
    let shapes = [(80, 76), (110, 30), (80, 64), (60, 40)];
    for (len, offset) in shapes.into_iter().take(if cfg!(miri) { 2 } else { 4 }) {
        agree_on_shape(HashFunction::Sha256d, len, offset);
        if !cfg!(miri) {
            agree_on_shape(HashFunction::Sha256, len, offset);
        }
    }
}

fn agree_on_shape(function: HashFunction, len: u8, offset: usize) {
    let message: Vec<u8> = (0..len).collect();
    let field = NonceField { offset, format: NonceFormat::U32Le };
    let puzzle = Puzzle::new(function, &message, field).expect("it fits");
    let miner = Miner::<LittleEndian>::new(puzzle, Target::from_zero_bits(6), 10..=74);
    let counts = |nonce: &u64| miner.target().is_met_by::<LittleEndian>(&puzzle.digest(*nonce));
    let expected: Vec<u64> = (10..=74).filter(counts).collect();
    for kernel in Kernel::available() {
        assert_eq!(all(miner.with_kernel(kernel), 1000), expected, "{kernel} {len} {offset}");
    }
}

#[test]
fn a_search_is_cancelled_and_turned_to_another_message() {
    let field = NonceField { offset: 0, format: NonceFormat::U32Le };
    let puzzle = |text: &[u8]| Puzzle::new(HashFunction::Sha256, text, field).expect("a puzzle");
    let target = Target::from_zero_bits(255);
    let mut miner = Miner::<BigEndian>::new(puzzle(b"____ one"), target, 10..=999);
    assert_eq!(miner.step(100), Step::Working);
    assert_eq!(miner.cancel(), Some(110..=999));
    assert_eq!((miner.step(100), miner.remaining(), miner.cancel()), (Step::Exhausted, None, None));
    miner.restart(puzzle(b"____ two"), 5..=u64::MAX);
    assert_eq!(miner.remaining(), Some(5..=0xffff_ffff));
    assert_eq!((miner.step(7), miner.tried()), (Step::Working, 107));
    let first = 9;
    miner.restart(puzzle(b"____ two"), first..=8);
    assert_eq!((miner.step(7), miner.remaining(), miner.tried()), (Step::Exhausted, None, 107));
    miner.restart(puzzle(b"____ two"), 9..=9);
    assert_eq!((miner.step(7), miner.tried()), (Step::Exhausted, 108));
}

/// Each worker tries its own nonces, and no others.
#[test]
fn a_stride_leaves_out_the_nonces_of_others() {
    let field = NonceField { offset: 0, format: NonceFormat::U32Le };
    let puzzle = Puzzle::new(HashFunction::Sha256, b"____ all", field).expect("a puzzle");
    let eight = NonZeroU64::new(8).expect("not 0");
    let mut miner = Miner::<BigEndian>::new(puzzle, Target::MAX, 3..=30).with_stride(eight);
    let found: Vec<Step> = (0..5).map(|_| miner.step(1)).collect();
    let nonces = [3, 11, 19, 27].map(Step::Found);
    assert_eq!(found, [&nonces[..], &[Step::Exhausted]].concat());
    let none = Target::from_zero_bits(256);
    let mut miner = Miner::<BigEndian>::new(puzzle, none, 3..=10_000).with_stride(eight);
    assert_eq!(miner.step(200), Step::Working);
    assert_eq!((miner.tried(), miner.remaining()), (200, Some(1603..=10_000)));
}

/// However many nonces there are, in groups of 64 and less, each is tried once.
#[test]
fn all_nonces_of_a_range_are_tried_and_no_others() {
    let field = NonceField { offset: 0, format: NonceFormat::U32Le };
    let puzzle = Puzzle::new(HashFunction::Sha256, b"____ all", field).expect("a puzzle");
    for len in 1..200 {
        let none = Target::from_zero_bits(256);
        let mut miner = Miner::<BigEndian>::new(puzzle, none, 50..=49 + len);
        assert_eq!((miner.step(1000), miner.tried()), (Step::Exhausted, len));
    }
}

/// A digest meets a target that it equals, and none that is less by one.
#[test]
fn a_nonce_counts_if_its_digest_does_not_exceed_the_target() {
    let field = NonceField { offset: 0, format: NonceFormat::U32Le };
    let puzzle = Puzzle::new(HashFunction::Sha256, b"____ all", field).expect("a puzzle");
    for nonce in 0..50 {
        let digest = puzzle.digest(nonce);
        let step = |digest: [u8; 32]| {
            let target = Target::new(U256::from_be_bytes(&digest));
            Miner::<BigEndian>::new(puzzle, target, nonce..=nonce).step(1)
        };
        assert_eq!(step(digest), Step::Found(nonce));
        let mut less = digest;
        less[31] = less[31].saturating_sub(1);
        if less != digest {
            assert_eq!(step(less), Step::Exhausted, "{nonce}");
        }
    }
}
