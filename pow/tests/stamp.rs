//! Hashcash stamps: the published one, malformed ones, and the search.

mod table;

use pow::Step;
use pow::stamp::{Counter, Stamp, StampError, StampMiner, leading_zero_bits};
use table::rows;

const PUBLISHED: &str = "1:20:060408:adam@cypherspace.org::1QTjaYd7niiQA/sc:ePa";

#[test]
fn the_published_stamp_is_parsed_and_valid() {
    let table = rows(include_str!("data/hashcash.toml"), "stamp");
    assert_eq!(table.len(), 1);
    let column = |key| table[0](key).expect("a column");
    assert_eq!(column("text"), PUBLISHED);
    let stamp = Stamp::parse(PUBLISHED.as_bytes()).expect("a stamp");
    let digest: String = stamp.digest().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, column("sha1"));
    assert_eq!(leading_zero_bits(&stamp.digest()).to_string(), column("zero_bits"));
    assert_eq!(stamp.bits().to_string(), column("claimed_bits"));
    assert_eq!(
        [stamp.date(), stamp.resource(), stamp.extension(), stamp.random(), stamp.counter()],
        ["060408", "adam@cypherspace.org", "", "1QTjaYd7niiQA/sc", "ePa"]
    );
    assert_eq!(stamp.to_string(), PUBLISHED);
    assert_eq!(stamp.verify("adam@cypherspace.org", 20), Ok(20));
    assert_eq!(stamp.verify("adam@cypherspace.org", 0), Ok(20));
    assert_eq!(stamp.verify("eve@cypherspace.org", 20), Err(StampError::Resource));
    let little = StampError::ClaimsTooLittle { claimed: 20, required: 21 };
    assert_eq!(stamp.verify("adam@cypherspace.org", 21), Err(little));
}

#[test]
fn one_changed_character_is_noticed() {
    for at in 0..PUBLISHED.len() {
        let mut text = PUBLISHED.as_bytes().to_vec();
        text[at] ^= 1;
        let verified =
            Stamp::parse(&text).and_then(|stamp| stamp.verify("adam@cypherspace.org", 20));
        assert!(verified.is_err(), "{}", String::from_utf8_lossy(&text));
    }
}

#[test]
fn malformed_stamps_are_errors() {
    for (text, error) in [
        ("", StampError::Fields(1)),
        ("1:20:060408:a::r", StampError::Fields(6)),
        ("1:20:060408:a::r:c:more", StampError::Fields(8)),
        ("0:20:060408:a::r:c", StampError::Version),
        ("1:twenty:060408:a::r:c", StampError::Bits),
        ("1::060408:a::r:c", StampError::Bits),
        ("1:+20:060408:a::r:c", StampError::Bits),
        ("1:161:060408:a::r:c", StampError::Bits),
        ("1:99999999999:060408:a::r:c", StampError::Bits),
        ("1:20:0604:a::r:c", StampError::Date),
        ("1:20:0604ab:a::r:c", StampError::Date),
        ("1:20:060408:a b::r:c", StampError::NotAscii(0x20)),
        ("1:20:060408:a::r:c\n", StampError::NotAscii(0x0a)),
        ("1:20:060408:\u{e9}::r:c", StampError::NotAscii(0xc3)),
    ] {
        assert_eq!(Stamp::parse(text.as_bytes()), Err(error), "{text}");
    }
    let claims_all = Stamp::parse(b"1:160:060408235959:a::r:c").expect("a stamp");
    assert!(matches!(claims_all.verify("a", 0), Err(StampError::NotEnoughWork { .. })));
}

#[test]
fn the_search_finds_the_first_counter_whatever_the_slices() {
    let head = "1:10:261120:one song::9f3a:";
    assert_eq!(StampMiner::new(head, 0..=9).map(|_| ()), Err(StampError::NotAscii(0x20)));
    let head = "1:10:261120:song::9f3a:";
    let text = |counter| format!("{head}{}", Counter(counter));
    let counts = |counter: &u64| {
        let text = text(*counter);
        Stamp::parse(text.as_bytes()).expect("a stamp").verify("song", 10).is_ok()
    };
    let expected: Vec<u64> = (0..=5000).filter(counts).collect();
    assert!(!expected.is_empty());
    for slice in [1, 7, 1000, 100_000] {
        let mut miner = StampMiner::new(head, 0..=5000).expect("a head");
        let mut found = Vec::new();
        loop {
            let before = (miner.remaining(), miner.tried());
            let _ = miner.step(0);
            assert_eq!((miner.remaining(), miner.tried()), before, "0 changes nothing");
            match miner.step(slice) {
                Step::Found(counter) => found.push(counter),
                Step::Working => assert!(miner.remaining().is_some()),
                Step::Exhausted => break,
            }
        }
        assert_eq!(found, expected);
        assert_eq!((miner.remaining(), miner.tried()), (None, 5001));
    }
    let mut end = StampMiner::new("1:0:261120:a:::", u64::MAX..=u64::MAX).expect("a head");
    assert_eq!([end.step(9), end.step(9)], [Step::Found(u64::MAX), Step::Exhausted]);
    assert_eq!(StampMiner::new(PUBLISHED, 0..=9).map(|_| ()), Err(StampError::Counter));
}

#[test]
fn a_stamp_has_seven_fields() {
    let stamp = Stamp::parse(b"1:20:060408:someone:ext=1:r4nd:c0unter").expect("a stamp");
    assert_eq!((stamp.bits(), stamp.date()), (20, "060408"));
    assert_eq!((stamp.resource(), stamp.extension()), ("someone", "ext=1"));
    assert_eq!((stamp.random(), stamp.counter()), ("r4nd", "c0unter"));
    assert_eq!((leading_zero_bits(&[0, 0x10]), leading_zero_bits(&[0; 20])), (11, 160));
    assert_eq!(
        (leading_zero_bits(&[]), leading_zero_bits(&[0x80]), leading_zero_bits(&[0; 40])),
        (0, 0, 255)
    );
}
