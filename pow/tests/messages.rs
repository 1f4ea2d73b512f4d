//! The bytes of the messages between a pool and its workers, by the table in the documentation of `pool`.

use pow::pool::{Lease, LeaseId, PoolMessage};
use pow::{
    BufferTooSmall, ByteOrder, DecodeError, Field, HashFunction, NonceField, NonceFormat, Target,
};

fn encoded(message: &PoolMessage<'_>) -> Vec<u8> {
    let mut out = vec![0; message.encoded_len()];
    assert_eq!(message.encode(&mut out), Ok(out.len()));
    assert_eq!(PoolMessage::decode(&out), Ok((message.clone(), &[][..])));
    out
}

/// 1, lease u32, function u8, byte order u8, format of the nonce u8, offset u16, first nonce u64, last u64, target 32,
/// length u16, message.
fn lease_bytes(codes: [u8; 3]) -> Vec<u8> {
    let mut bytes = vec![1, 0, 0, 1, 2];
    bytes.extend(codes);
    bytes.extend([0, 5]);
    bytes.extend([0, 0, 0, 0, 0, 0, 0, 6]);
    bytes.extend([0, 0, 0, 0, 0, 1, 0, 0]);
    bytes.extend([0, 0, 0x0f]);
    bytes.extend([0xff; 29]);
    bytes.extend([0, 9]);
    bytes.extend(b"work ____");
    bytes
}

fn lease(function: HashFunction, order: ByteOrder, format: NonceFormat) -> PoolMessage<'static> {
    PoolMessage::Lease(Lease {
        id: LeaseId(0x102),
        function,
        order,
        nonce: NonceField { offset: 5, format },
        nonces: 6..=0x1_0000,
        target: Target::from_zero_bits(20),
        message: b"work ____",
    })
}

#[test]
fn bytes_are_those_of_the_table() {
    let formats = [NonceFormat::U32Le, NonceFormat::U32Be, NonceFormat::U64Le, NonceFormat::U64Be];
    for (code, format) in (0..).zip(formats) {
        let message = lease(HashFunction::Sha256, ByteOrder::Big, format);
        assert_eq!(encoded(&message), lease_bytes([1, 0, code]));
    }
    let message = lease(HashFunction::Sha256d, ByteOrder::Little, NonceFormat::U32Le);
    assert_eq!(encoded(&message), lease_bytes([2, 1, 0]));
    let tally = PoolMessage::Tally { accepted: 0x304, refused: 5 };
    assert_eq!(encoded(&tally), [2, 0, 0, 0, 0, 0, 0, 3, 4, 0, 0, 0, 0, 0, 0, 0, 5]);
    let share = PoolMessage::Share { lease: LeaseId(7), nonce: 0x809 };
    assert_eq!(encoded(&share), [3, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 8, 9]);
    let done = PoolMessage::Done { lease: LeaseId(0x0a0b_0c0d) };
    assert_eq!(encoded(&done), [4, 0x0a, 0x0b, 0x0c, 0x0d]);
}

#[test]
fn codes_that_are_not_assigned_are_refused() {
    let unknown = |field, value| Err(DecodeError::Unknown { field, value });
    assert_eq!(PoolMessage::decode(&[0]), unknown(Field::MessageKind, 0));
    assert_eq!(PoolMessage::decode(&[5]), unknown(Field::MessageKind, 5));
    for (codes, field, value) in [
        ([0, 0, 0], Field::HashFunction, 0),
        ([3, 0, 0], Field::HashFunction, 3),
        ([1, 2, 0], Field::ByteOrder, 2),
        ([1, 0, 4], Field::NonceFormat, 4),
    ] {
        assert_eq!(PoolMessage::decode(&lease_bytes(codes)), unknown(field, value));
    }
}

/// What is missing is counted up to the next length that is known.
#[test]
fn messages_that_are_cut_off_name_what_is_missing() {
    let missing = |bytes: &[u8]| match PoolMessage::decode(bytes) {
        Err(DecodeError::Incomplete { needed }) => needed,
        other => panic!("{other:?}"),
    };
    assert_eq!(missing(&[]), 1);
    assert_eq!(missing(&[2]), 16);
    assert_eq!(missing(&[3, 0]), 11);
    assert_eq!(missing(&[4, 0, 0]), 2);
    let lease = lease_bytes([1, 0, 0]);
    assert_eq!(missing(&lease[..1]), 59);
    assert_eq!(missing(&lease[..59]), 1);
    assert_eq!(missing(&lease[..60]), 9);
    assert_eq!(missing(&lease[..68]), 1);
}

/// The lengths have two bytes.
#[test]
fn a_message_of_65_536_bytes_fits_no_lease() {
    let encode = |len: usize, offset| {
        let message = vec![0; len];
        let lease = Lease {
            id: LeaseId(1),
            function: HashFunction::Sha256,
            order: ByteOrder::Big,
            nonce: NonceField { offset, format: NonceFormat::U32Le },
            nonces: 0..=1,
            target: Target::MAX,
            message: &message,
        };
        PoolMessage::Lease(lease).encode(&mut vec![0; 70_000])
    };
    let too_long = Err(BufferTooSmall { needed: usize::MAX });
    assert_eq!(encode(65_535, 65_535), Ok(65_595));
    assert_eq!(encode(65_536, 0), too_long);
    assert_eq!(encode(9, 65_536), too_long);
    assert_eq!(
        PoolMessage::Done { lease: LeaseId(1) }.encode(&mut [0; 4]),
        Err(BufferTooSmall { needed: 5 })
    );
}
