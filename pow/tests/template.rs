//! Extra-nonces: the coinbase of Bitcoin's block 170, the first that pays from one person to another.

mod table;

use pow::template::{Coinbase, HeaderMiner, HeaderStep};
use pow::{Header, NonceField, NonceFormat, Target};
use table::{header, rows};

/// The coinbase as in the block; its input script ends with the extra-nonce, one byte of value 2, and the
/// sequence ff ff ff ff follows.
const COINBASE: &str = "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff\
                        0704ffff001d0102ffffffff0100f2052a01000000434104d46c4968bde02899d2aa0963367c7a6c\
                        e34eec332b32e42e5f3407e052d64ac625da6f0718e7b302140434bd725706957c092db53805b821\
                        a85b23a7ac61725bac00000000";
/// The other transaction, in display order.
const PAYMENT: &str = "f4184fc596403b9d638783cf57adfe4c75c605f6356fbc91338530e9831e9e16";

fn bytes(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).expect("hex"))
        .collect()
}

fn block_170() -> Header {
    let headers = rows(include_str!("data/headers.toml"), "header");
    let row = headers.iter().find(|row| row("name") == Some("170")).expect("it is there");
    Header::decode(&header(row("hex").expect("a column"))).expect("80 bytes").0
}

#[test]
fn the_root_of_block_170() {
    let transaction = bytes(COINBASE);
    let mut payment = bytes(PAYMENT);
    payment.reverse();
    let branch = [payment.try_into().expect("32 bytes")];
    let field = NonceField { offset: 48, format: NonceFormat::U32Le };
    assert_eq!(transaction[48], 2);
    let coinbase = Coinbase::new(&transaction, field, &branch).expect("it lies within");
    let real = block_170();
    assert_eq!(coinbase.merkle_root(0xffff_ff02), real.merkle_root);
    assert_ne!(coinbase.merkle_root(0xffff_ff03), real.merkle_root);
    let outside = NonceField { offset: transaction.len() - 3, format: NonceFormat::U32Le };
    assert!(Coinbase::new(&transaction, outside, &branch).is_err());
}

#[test]
fn the_search_rolls_extra_nonce_and_time() {
    let transaction = bytes(COINBASE);
    let field = NonceField { offset: 42, format: NonceFormat::U32Be };
    let coinbase = Coinbase::new(&transaction, field, &[]).expect("it lies within");
    let share = Target::from_zero_bits(12); // read little-endian all the same
    let mut miner = HeaderMiner::with_target(block_170(), coinbase, 7..=7, share);
    let HeaderStep::Found(first) = miner.step(1 << 16) else { panic!("one in 4,096 counts") };
    assert_eq!(first.extra_nonce, 7);
    assert_eq!(first.header.merkle_root, coinbase.merkle_root(7));
    assert!(first.header.id().meets(share));
    assert_eq!(miner.step(0), HeaderStep::Working);
    let tried = miner.tried();
    miner.set_time(first.header.time + 1);
    let HeaderStep::Found(second) = miner.step(1 << 16) else { panic!("one in 4,096 counts") };
    assert_eq!(second.header.time, first.header.time + 1);
    assert!(second.header.id().meets(share) && miner.tried() > tried);
    let first = 9;
    let last = 8;
    let mut none = HeaderMiner::with_target(block_170(), coinbase, first..=last, share);
    assert_eq!(none.step(100), HeaderStep::Exhausted);
}
