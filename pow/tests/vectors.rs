//! Published numbers: Bitcoin Core's compact form, real headers and their work, Brownworth's nonces.
//! The tables in `data` name their sources.

mod table;

use pow::compact::CompactError;
use pow::{
    BigEndian, CompactTarget, HashFunction, LittleEndian, Miner, NonceField, NonceFormat, Puzzle,
    Step, Target, U256, Work,
};
use sha2::{Digest, Sha256};
use table::{compact, header, number, rows};

const HEADER_NONCE: NonceField = NonceField { offset: 76, format: NonceFormat::U32Le };

#[test]
fn compact_form_of_bitcoin_core() {
    let table = include_str!("data/setcompact.toml");
    let decode = rows(table, "decode");
    assert_eq!(decode.len(), 19);
    for row in decode {
        let bits = compact(row("compact").expect("a column"));
        let raw = bits.decode();
        let negative = row("negative") == Some("true");
        let overflow = row("overflow") == Some("true");
        assert_eq!((raw.negative, raw.overflow), (negative, overflow), "{bits}");
        match row("value") {
            None => assert_eq!(bits.to_target(), Err(CompactError::Overflow(bits.0))),
            Some(value) => {
                let value = number(value);
                assert_eq!(raw.value, value, "{bits}");
                let again = compact(row("reencoded").expect("a column"));
                assert_eq!(CompactTarget::encode(value, negative), again, "{bits}");
                match bits.to_target() {
                    Ok(target) => assert_eq!(target.number(), value),
                    Err(CompactError::Zero(_)) => assert_eq!(value, U256::ZERO),
                    Err(error) => assert!(negative, "{error}"),
                }
            }
        }
    }
    for row in rows(table, "encode") {
        let value = number(row("value").expect("a column"));
        let expected = compact(row("reencoded").expect("a column"));
        assert_eq!(CompactTarget::encode(value, false), expected);
    }
}

#[test]
fn the_work_of_targets_is_that_of_bitcoin() {
    for row in rows(include_str!("data/work.toml"), "work") {
        let bits = compact(row("bits").expect("a column"));
        let work = bits.to_target().expect("a target").work();
        assert_eq!(work.to_string(), row("work").expect("a column"), "{bits}");
    }
    // Chain work after the first two blocks.
    let one = CompactTarget::BITCOIN_LIMIT.to_target().expect("a target").work();
    assert_eq!(one.saturating_add(one).to_string(), "200020002");
    assert_eq!(Work::new(U256::MAX).saturating_add(one), Work::new(U256::MAX));
}

#[test]
fn real_headers_hash_to_their_ids_and_meet_their_targets() {
    let headers = rows(include_str!("data/headers.toml"), "header");
    assert_eq!(headers.len(), 13);
    for row in headers {
        let bytes = header(row("hex").expect("a column"));
        let nonce = u64::from_str_radix(row("nonce").expect("a column"), 16).expect("hexadecimal");
        let puzzle = Puzzle::new(HashFunction::Sha256d, &bytes, HEADER_NONCE).expect("80 bytes");
        let digest = puzzle.digest(nonce);
        let id: String = digest.iter().rev().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(id, row("id").expect("a column"));
        let target = compact(row("bits").expect("a column")).to_target().expect("a target");
        assert!(target.is_met_by::<LittleEndian>(&digest));
        assert!(!target.is_met_by::<BigEndian>(&digest) || target > Target::from_zero_bits(2));
        assert_eq!(target.work().to_string(), row("work").expect("a column"));
    }
}

/// The genesis block and block 125,552 are found again from a range that holds their nonce, in slices.
#[test]
fn real_nonces_are_found_again() {
    for (name, nonce) in [("0", 0x7c2b_ac1d_u64), ("125552", 0x9546_a142)] {
        let headers = rows(include_str!("data/headers.toml"), "header");
        let row = headers.iter().find(|row| row("name") == Some(name)).expect("it is there");
        let mut bytes = header(row("hex").expect("a column"));
        bytes[76..].fill(0); // what stands in the field does not matter
        let puzzle = Puzzle::new(HashFunction::Sha256d, &bytes, HEADER_NONCE).expect("80 bytes");
        let target = compact(row("bits").expect("a column")).to_target().expect("a target");
        for slice in [1, 7, 1000, 1_000_000] {
            let mut miner: Miner<LittleEndian> =
                Miner::new(puzzle, target, nonce - 3000..=nonce + 3000);
            let found = loop {
                match miner.step(slice) {
                    Step::Working => {}
                    step => break step,
                }
            };
            assert_eq!((found, miner.tried()), (Step::Found(nonce), 3001));
        }
    }
}

/// Source: Anders Brownworth's public blockchain demo. A decimal nonce has no fixed width, so the search
/// is a plain loop; the target, sixteen zero bits read big-endian, is ours.
#[test]
fn brownworths_nonces_are_the_smallest() {
    let target = Target::from_zero_bits(16);
    let first = |number: u32, previous: &str| {
        (1_u32..1 << 24)
            .map(|nonce| (nonce, Sha256::digest(format!("{number}{nonce}{previous}"))))
            .find(|(_, digest)| target.is_met_by::<BigEndian>(&(*digest).into()))
            .expect("there is one")
    };
    assert_eq!(first(1, "").0, 72608); // the page with one block
    let mut previous = "0".repeat(64);
    for (number, nonce) in [(1, 11316), (2, 35230), (3, 12937)] {
        let (found, digest) = first(number, &previous);
        assert_eq!(found, nonce);
        previous = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    }
}

/// The digests of the kernel are those of the library, for every length of message and place of nonce.
#[test]
fn digests_are_sha_256() {
    let message: Vec<u8> = (0..=200).collect();
    for len in 8..message.len() {
        for offset in [0, 1, 55, 56, 60, 63, 64, 100, len - 8] {
            let field = NonceField { offset, format: NonceFormat::U64Be };
            let Ok(puzzle) = Puzzle::new(HashFunction::Sha256, &message[..len], field) else {
                assert!(offset + 8 > len || len - offset / 64 * 64 > 119);
                continue;
            };
            let mut with_nonce = message[..len].to_vec();
            with_nonce[offset..offset + 8]
                .copy_from_slice(&0x0102_0304_0506_0708_u64.to_be_bytes());
            let expected: [u8; 32] = Sha256::digest(&with_nonce).into();
            assert_eq!(puzzle.digest(0x0102_0304_0506_0708), expected, "{len} {offset}");
        }
    }
}

/// `arith_uint256::SetCompact` of Bitcoin Core: the last numbers of one, two and three bytes that 256 bits hold, and the first that
/// they do not.
#[test]
fn a_compact_target_overflows_beyond_256_bits() {
    for (bits, overflow) in [
        (0x2000_ffff, false),
        (0x207f_ffff, false),
        (0x2100_ffff, false),
        (0x2101_0000, true),
        (0x2200_00ff, false),
        (0x2200_0100, true),
        (0x2200_0001, false),
        (0x2300_0001, true),
        (0xff00_0000, false), // zero
    ] {
        assert_eq!(CompactTarget(bits).decode().overflow, overflow, "{bits:08x}");
    }
}
