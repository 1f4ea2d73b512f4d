//! Numbers, lengths and limits of bencode (BEP 3).

use bittorrent_pieces::bencode::{
    BencodeError, Limits, MAX_DEPTH, Mode, Token, Value, WriteError, Writer,
};

fn int(text: &str) -> Result<Option<i64>, BencodeError> {
    Value::from_bytes(text.as_bytes(), Mode::Strict, Limits::DEFAULT).map(|value| value.as_int())
}

#[test]
fn integers_have_64_bits() {
    for value in [0, 1, -1, 9, 10, -10, 1_234_567_890_123_456_789, i64::MAX, i64::MIN] {
        assert_eq!(int(&format!("i{value}e")), Ok(Some(value)));
    }
    let beyond = [
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551615",
        "18446744073709551616",
        "-99999999999999999999",
        "123456789012345678901234567890",
    ];
    for digits in beyond {
        assert_eq!(int(&format!("i{digits}e")), Err(BencodeError::IntegerRange), "{digits}");
    }
}

#[test]
fn a_number_has_one_form() {
    for text in ["i00e", "i01e", "i-0e", "i-01e", "00:", "01:a", "00"] {
        assert_eq!(int(text), Err(BencodeError::LeadingZero), "{text}");
    }
    for text in ["ie", "i-e"] {
        assert_eq!(int(text), Err(BencodeError::NoDigits), "{text}");
    }
    for (text, byte) in
        [("i1x", b'x'), ("i--1e", b'-'), ("i1-e", b'-'), ("1e", b'e'), ("i+1e", b'+')]
    {
        assert_eq!(int(text), Err(BencodeError::Byte(byte)), "{text}");
    }
    for text in ["i", "i-", "i1", "1", "12"] {
        assert_eq!(int(text), Err(BencodeError::Incomplete { needed: 1 }), "{text}");
    }
}

#[test]
fn a_string_that_is_cut_off_says_how_much_is_missing() {
    for (text, needed) in
        [("1:", 1), ("3:ab", 1), ("12:ab", 10), ("100:ab", 98), ("1000000:", 1_000_000)]
    {
        assert_eq!(int(text), Err(BencodeError::Incomplete { needed }), "{text}");
    }
    // 20 digits may still be below 2^64.
    for (text, len) in
        [("10000000000000000000:ab", 10_u64.pow(19)), ("18446744073709551615:", u64::MAX)]
    {
        let Err(BencodeError::Incomplete { needed }) = int(text) else { panic!("{text}") };
        let there = if len == u64::MAX { 0 } else { 2 };
        assert_eq!(needed, usize::try_from(len).unwrap_or(usize::MAX) - there);
    }
    // No address space has room for these.
    for text in ["99999999999999999999:ab", "9999999999999999999999999999:ab"] {
        let needed = usize::MAX - 2;
        assert_eq!(int(text), Err(BencodeError::Incomplete { needed }), "{text}");
    }
}

/// A list or dictionary counts as a level whether it has something in it or not.
#[test]
fn empty_lists_and_dictionaries_are_levels() {
    let depth = |text: &str, depth| {
        Value::from_bytes(text.as_bytes(), Mode::Strict, Limits { depth, ..Limits::DEFAULT }).err()
    };
    for text in ["llee", "ldee", "l1:alee", "d1:adee", "d1:alee", "d1:al1:aee"] {
        assert_eq!(depth(text, 2), None, "{text}");
        assert_eq!(depth(text, 1), Some(BencodeError::Depth(1)), "{text}");
    }
    for text in ["ld1:aleee", "ld1:al1:beee", "ld1:adeee", "ld1:a1:b1:cleee"] {
        assert_eq!(depth(text, 3), None, "{text}");
        assert_eq!(depth(text, 2), Some(BencodeError::Depth(2)), "{text}");
    }
    for text in ["le", "de", "l1:ae"] {
        assert_eq!(depth(text, 1), None, "{text}");
        assert_eq!(depth(text, 0), Some(BencodeError::Depth(0)), "{text}");
    }
}

/// Keys and values count, and what is nested in them.
#[test]
fn items_are_counted_wherever_they_are() {
    for (text, items) in [
        ("i1e", 1),
        ("le", 1),
        ("l1:a1:be", 3),
        ("d1:ai1ee", 3),
        ("d1:al1:bee", 4),
        ("d1:ale1:bdee", 5),
        ("ld1:ai1eed1:a1:bee", 7),
        ("ld1:al1:b1:cee1:de", 7),
    ] {
        let within = |items| {
            let limits = Limits { items, ..Limits::DEFAULT };
            Value::from_bytes(text.as_bytes(), Mode::Strict, limits).err()
        };
        assert_eq!(within(items), None, "{text}");
        assert_eq!(within(items - 1), Some(BencodeError::Items(items - 1)), "{text}");
    }
}

/// Strings of all lengths that are read in ways of their own, in a list, one after the other.
#[test]
fn strings_of_any_length_are_read_from_a_list() {
    let lens = [0, 1, 5, 6, 7, 9, 10, 19, 99, 6, 100, 101, 6, 999, 1_000];
    let strings: Vec<Vec<u8>> =
        lens.iter().enumerate().map(|(nth, len)| vec![b'a' + nth as u8; *len]).collect();
    let mut bytes = b"l".to_vec();
    for string in &strings {
        bytes.extend(format!("{}:", string.len()).bytes());
        bytes.extend(string);
    }
    bytes.push(b'e');
    let within =
        |items| Value::from_bytes(&bytes, Mode::Strict, Limits { items, ..Limits::DEFAULT });
    assert_eq!(within(15), Err(BencodeError::Items(15)));
    let list = within(16).unwrap();
    let read: Vec<Vec<u8>> = list.items().map(|item| item.as_bytes().unwrap().to_vec()).collect();
    assert_eq!(read, strings);
    for cut in 1..bytes.len() {
        let error = Value::decode(&bytes[..cut], Mode::Strict, Limits::DEFAULT).unwrap_err();
        assert!(matches!(error, BencodeError::Incomplete { .. }), "{cut}: {error}");
    }
}

/// The keys of a dictionary in a list, as of a file of a torrent, are checked as any others.
#[test]
fn dictionaries_in_a_list_are_checked() {
    let read = |text: &str, mode| Value::from_bytes(text.as_bytes(), mode, Limits::DEFAULT).err();
    for text in ["ld0:i1e1:ai2eee", "ld1:a1:x1:bl1:y1:zee1:ce", "ld2:aai1e2:abi2eee"] {
        assert_eq!(read(text, Mode::Strict), None, "{text}");
    }
    for text in ["ld1:bi1e1:ai2eee", "ld2:abi1e2:aai2eee", "ld1:ai1e0:i2eee"] {
        assert_eq!(read(text, Mode::Lenient), None, "{text}");
        assert_eq!(read(text, Mode::Strict), Some(BencodeError::Order), "{text}");
    }
    for text in ["ld1:ai1e1:ai2eee", "ld0:i1e0:i2eee"] {
        assert_eq!(read(text, Mode::Lenient), Some(BencodeError::Duplicate), "{text}");
    }
    for (text, error) in [
        ("ldi1ei2eee", BencodeError::Key),
        ("ld1:aee", BencodeError::NoValue),
        ("ld1:ai01eee", BencodeError::LeadingZero),
        ("ld1:al1:bi2", BencodeError::Incomplete { needed: 1 }),
        ("ld1:a3:xx", BencodeError::Incomplete { needed: 1 }),
    ] {
        assert_eq!(read(text, Mode::Lenient), Some(error), "{text}");
    }
}

/// 100 levels at most, whatever the limit.
#[test]
fn values_may_have_a_hundred_levels() {
    let nested = |levels: usize, limit| {
        let bytes = [vec![b'l'; levels], vec![b'e'; levels]].concat();
        let limits = Limits { depth: limit, ..Limits::DEFAULT };
        Value::from_bytes(&bytes, Mode::Strict, limits).err()
    };
    for levels in [1, 7, 8, 9, 10, 99, 100] {
        assert_eq!(nested(levels, levels as u8), None, "{levels}");
        let less = levels as u8 - 1;
        assert_eq!(nested(levels, less), Some(BencodeError::Depth(less)), "{levels}");
    }
    assert_eq!(MAX_DEPTH, 100);
    assert_eq!(nested(101, 100), Some(BencodeError::Depth(100)));
    assert_eq!(nested(101, 200), Some(BencodeError::Depth(200)));
}

/// Files of other programs have keys out of order: each is compared with the keys before it, up to a limit. Walks over as
/// many bytes as there are in all are free.
#[test]
fn keys_out_of_order_are_counted_and_compared() {
    let decode = |text: &str, mode, unordered| {
        Value::from_bytes(text.as_bytes(), mode, Limits { unordered, ..Limits::DEFAULT }).err()
    };
    // 26 bytes; the walks are over 6, 12 and 18.
    let three = "d1:zi0e1:ai0e1:ci0e1:bi0ee";
    assert_eq!(decode(three, Mode::Strict, 9), Some(BencodeError::Order));
    assert_eq!(decode(three, Mode::Lenient, 1), None);
    assert_eq!(decode(three, Mode::Lenient, 0), Some(BencodeError::Unordered(0)));
    assert_eq!(decode("d1:bi0e1:ai0ee", Mode::Lenient, 0), Some(BencodeError::Unordered(0)));
    let five = "d1:zi0e1:ai0e1:ei0e1:di0e1:ci0e1:bi0ee"; // 38 bytes; 6, 12 and 18, then 24 and 30
    assert_eq!(decode(five, Mode::Lenient, 2), None);
    assert_eq!(decode(five, Mode::Lenient, 1), Some(BencodeError::Unordered(1)));
    let small = "d1:bi0e1:ai0ee".repeat(1_000);
    assert_eq!(decode(&format!("l{small}e"), Mode::Lenient, 1), None, "none costs much");
    let keys: String = (0..1_000).rev().map(|key| format!("4:{key:04}i0e")).collect();
    let large = decode(&format!("d{keys}e"), Mode::Lenient, 64);
    assert_eq!(large, Some(BencodeError::Unordered(64)), "each walk is longer than the one before");
    for (text, error) in [
        ("d1:ci0e1:ai0e1:ai0ee", Some(BencodeError::Duplicate)),
        ("d1:ci0e1:ai0e1:bi0e1:ai0ee", Some(BencodeError::Duplicate)),
        ("d1:ci0e1:ai0e1:ci0ee", Some(BencodeError::Duplicate)),
        // What is equal to a value, or to a key inside of one, is another key.
        ("d1:c1:a1:bd1:ai0ee1:ali0e1:aee", None),
        ("d1:ci0ei1ei0ee", Some(BencodeError::Key)),
        ("d1:cl1:a1:be1:bi0e1:ai0ee", None),
        ("d1:ci-12e1:bi0e1:ai0ee", None),
        ("d2:aai0e1:bi0e1:ai0ee", None),
        ("d1:ae", Some(BencodeError::NoValue)),
    ] {
        assert_eq!(decode(text, Mode::Lenient, 9), error, "{text}");
    }
}

/// Each value is found behind values of all kinds.
#[test]
fn values_are_found_behind_others() {
    let text = b"d1:ali-5el1:xi7eed1:kd0:leee2:yye1:b100:0123456789012345678901234567890123456789\
        0123456789012345678901234567890123456789012345678901234567891:ci-9223372036854775808e\
        1:di42e1:ede1:fl6:abcdef6:ghijkli1eee";
    let value = Value::from_bytes(text, Mode::Strict, Limits::DEFAULT).unwrap();
    let keys: Vec<_> = value.entries().map(|(key, _)| key[0]).collect();
    assert_eq!(keys, b"abcdef");
    let of = |key: &[u8]| value.find(key).unwrap();
    assert_eq!(of(b"b").as_bytes().map(<[u8]>::len), Some(100));
    assert_eq!((of(b"c").as_int(), of(b"d").as_int()), (Some(i64::MIN), Some(42)));
    assert_eq!((of(b"d").as_bytes(), of(b"b").as_int()), (None, None));
    assert_eq!(value.find(b"g"), None);
    let raw: Vec<_> = of(b"a").items().map(|item| item.as_raw()).collect();
    assert_eq!(raw, [&b"i-5e"[..], b"l1:xi7ee", b"d1:kd0:leee", b"2:yy"]);
    assert_eq!((of(b"e").token(), of(b"f").token()), (Token::Dict, Token::List));
    assert_eq!(of(b"f").items().count(), 3);
    // What is neither has neither.
    assert_eq!((of(b"d").items().count(), of(b"a").entries().count()), (0, 0));
    assert_eq!((of(b"e").entries().count(), of(b"e").items().count()), (0, 0));
    let (first, rest) = Value::decode(b"i1e2:ab", Mode::Strict, Limits::DEFAULT).unwrap();
    assert_eq!((first.as_int(), rest), (Some(1), &b"2:ab"[..]));
    let trailing = Value::from_bytes(b"i1e2:ab", Mode::Strict, Limits::DEFAULT);
    assert_eq!(trailing, Err(BencodeError::Trailing(4)));
}

/// Keys in ascending order only; what does not fit says how much is needed.
#[test]
fn what_is_written_is_canonical() {
    let write = |out: &mut [u8]| {
        let mut writer = Writer::new(out);
        writer.dict(|dict| {
            dict.int(b"a", 0)?;
            dict.int(b"b", i64::MIN)?;
            dict.bytes(b"ba", b"0123456789")?;
            dict.list(b"c", |list| {
                list.int(-1);
                list.int(i64::MAX);
                list.bytes(b"");
                list.dict(|_| Ok(()))
            })?;
            dict.dict(b"d", |inner| inner.int(b"a", 10))
        })?;
        writer.finish()
    };
    let expected =
        b"d1:ai0e1:bi-9223372036854775808e2:ba10:01234567891:cli-1ei9223372036854775807e0:\
        dee1:dd1:ai10eee";
    let mut out = [0; 200];
    let len = write(&mut out).unwrap();
    assert_eq!(out[..len].escape_ascii().to_string(), expected.escape_ascii().to_string());
    for room in 0..len {
        let mut short = vec![0; room];
        let Err(WriteError::Buffer(error)) = write(&mut short) else { panic!("{room}") };
        assert_eq!(error.needed, len);
    }
    assert_eq!(write(&mut out[..len]), Ok(len));
    for (first, second, ordered) in
        [("a", "b", true), ("a", "a", false), ("b", "a", false), ("a", "aa", true), ("", "", false)]
    {
        let mut writer = Writer::new(&mut out);
        let written = writer.dict(|dict| {
            dict.int(first.as_bytes(), 1)?;
            dict.int(second.as_bytes(), 2)
        });
        assert_eq!(written.is_ok(), ordered, "{first} {second}");
    }
}
