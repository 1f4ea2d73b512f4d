//! How values print, which kernels there are, and what storage holds.

use core::num::NonZeroU64;
use core::time::Duration;

use pow::difficulty::{HeaderInfo, History as _, Lwma, Recent};
use pow::kernel::Kernel;
use pow::pool::{
    AccountSlot, ConnSlot, Lease, LeaseId, LeaseSlot, Pool, PoolConfig, PoolMessage, PoolSlots,
    WorkerId,
};
use pow::{
    ByteOrder, CompactTarget, ConnId, Field, HashFunction, Header, HeaderChain, NonceField,
    NonceFormat, Puzzle, PuzzleError, Target, U256,
};

#[test]
fn numbers_print_in_hexadecimal_without_leading_zeros() {
    let number = U256::from(0x00AB_CDEF);
    assert_eq!(format!("{number} {number:?} {number:x}"), "abcdef abcdef abcdef");
    let high = number.unbounded_shl(64);
    assert_eq!(high.to_string(), "abcdef0000000000000000");
    assert_eq!(U256::from(0).to_string(), "0");
}

#[test]
fn the_portable_kernels_are_always_available() {
    let kernels: Vec<String> = Kernel::available().map(|kernel| format!("{kernel:?}")).collect();
    assert!(kernels.len() >= 2, "{kernels:?}");
    for (at, kernel) in kernels.iter().enumerate() {
        assert!(!kernels[..at].contains(kernel), "{kernel} twice");
    }
    let best = format!("{:?}", Kernel::best());
    assert!(kernels.contains(&best), "{best} is not available");
}

#[test]
fn names_and_messages_print_in_one_line() {
    assert_eq!(ConnId(7).to_string(), "conn 7");
    assert_eq!(WorkerId(8).to_string(), "worker 8");
    assert_eq!(LeaseId(9).to_string(), "lease 9");
    let fields = [
        (Field::MessageKind, "message kind"),
        (Field::HashFunction, "hash function"),
        (Field::ByteOrder, "byte order"),
        (Field::NonceFormat, "nonce format"),
    ];
    for (field, text) in fields {
        assert_eq!(field.to_string(), text);
    }
    assert_eq!(Target::from_zero_bits(12).to_string(), format!("000{}", "f".repeat(61)));
    assert_eq!(format!("{:.5}", Target::from_zero_bits(12)), "000ff");
    assert_eq!(CompactTarget(0x1d_ffff).to_string(), "001dffff");
    let lease = Lease {
        id: LeaseId(3),
        function: HashFunction::Sha256,
        order: ByteOrder::Big,
        nonce: NonceField { offset: 0, format: NonceFormat::U32Le },
        nonces: 10..=20,
        target: Target::from_zero_bits(12),
        message: b"____ for all",
    };
    for (message, text) in [
        (
            PoolMessage::Lease(lease),
            "lease 3 nonces 10..=20 target 000fffffffffffff message of 12 bytes",
        ),
        (PoolMessage::Tally { accepted: 4, refused: 5 }, "tally 4 accepted 5 refused"),
        (PoolMessage::Share { lease: LeaseId(6), nonce: 77 }, "share 77 of lease 6"),
        (PoolMessage::Done { lease: LeaseId(6) }, "done with lease 6"),
    ] {
        assert_eq!(message.to_string(), text);
    }
    let header = Header { version: 2, time: 3, nonce: 4, ..Header::default() };
    let id = header.id();
    let zeros = "0".repeat(64);
    let text = format!("header {id} after {zeros} v00000002 t3 bits 00000000 nonce 00000004");
    assert_eq!(header.to_string(), text);
    assert_eq!(
        [Kernel::BLOCK, Kernel::LANES].map(|kernel| kernel.to_string()),
        ["block function of sha2", "portable lanes"]
    );
}

/// The first two kernels are always the same ones, and each comes once.
#[test]
fn kernels_are_listed_in_order() {
    let mut kernels = Kernel::available();
    assert_eq!([kernels.next(), kernels.next()], [Some(Kernel::BLOCK), Some(Kernel::LANES)]);
    assert!(Kernel::available().count() < 10);
}

#[test]
fn a_field_of_a_nonce_has_four_or_eight_bytes() {
    for format in [NonceFormat::U32Le, NonceFormat::U32Be] {
        assert_eq!((format.width(), format.max()), (4, 0xffff_ffff));
    }
    for format in [NonceFormat::U64Le, NonceFormat::U64Be] {
        assert_eq!((format.width(), format.max()), (8, u64::MAX));
    }
    let new = |len: usize, offset| {
        let field = NonceField { offset, format: NonceFormat::U32Le };
        Puzzle::new(HashFunction::Sha256, &vec![0; len], field).map(|puzzle| puzzle.format())
    };
    let outside = |end, len| Err(PuzzleError::OutsideOfMessage { end, len });
    assert_eq!(new(4, 0), Ok(NonceFormat::U32Le));
    assert_eq!(new(4, 1), outside(5, 4));
    assert_eq!(new(3, 0), outside(4, 3));
    assert_eq!(new(10, 64), outside(68, 10));
    assert_eq!(new(10, usize::MAX), outside(usize::MAX, 10));
    // Two blocks of 64 bytes hold 119 bytes and the padding of 9.
    assert_eq!(new(119, 63), Ok(NonceFormat::U32Le));
    assert_eq!(new(120, 63), Err(PuzzleError::TailTooLong(120)));
    assert_eq!(new(183, 64), Ok(NonceFormat::U32Le), "counted from the block of the nonce");
    assert_eq!(new(184, 64), Err(PuzzleError::TailTooLong(120)));
}

#[test]
fn memory_is_given_back() {
    let genesis = Header { bits: CompactTarget::REGTEST_LIMIT, ..Header::default() };
    let rule = Lwma { window: 1, spacing: 60, limit: genesis.bits };
    let slots = [HeaderInfo::EMPTY; 3];
    let chain = HeaderChain::new(rule, &genesis, slots).expect("a target");
    let first = HeaderInfo { height: 0, time: 0, bits: genesis.bits };
    let (same, slots) = chain.into_parts();
    assert_eq!((same, slots.contains(&first)), (rule, true));
    let mut recent = Recent::new([first; 2]);
    assert_eq!((recent.newest(), recent.at(0)), (None, None), "cleared");
    recent.push(&rule, first);
    assert_eq!(recent.newest(), Some(first));
    assert!(recent.into_storage().contains(&first));
    let storage = PoolSlots {
        leases: [LeaseSlot::EMPTY; 1],
        connections: [ConnSlot::EMPTY; 2],
        accounts: [AccountSlot::EMPTY; 3],
        message: [7; 4],
    };
    let config = PoolConfig::new(NonZeroU64::MIN, Duration::from_secs(3));
    assert_eq!(config.idle_timeout, Duration::from_secs(6));
    let storage = Pool::new(config, storage).expect("a configuration").into_storage();
    assert_eq!(storage.message, [0; 4], "cleared");
    #[cfg(feature = "alloc")]
    {
        use pow::pool::{PoolLimits, PoolStorage as _, PoolVec};
        let mut storage = PoolVec::new(PoolLimits::for_connections(3));
        let parts = storage.parts();
        let lens = [parts.leases.len(), parts.connections.len(), parts.accounts.len()];
        assert_eq!((lens, parts.message.len()), ([15, 3, 6], 1024));
        assert_eq!(PoolLimits::default(), PoolLimits::for_connections(16));
    }
}
