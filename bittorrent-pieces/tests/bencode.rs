//! Numbers, lengths and limits of bencode (BEP 3).

use bittorrent_pieces::bencode::{BencodeError, Limits, Mode, Value};

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
    ] {
        let within = |items| {
            let limits = Limits { items, ..Limits::DEFAULT };
            Value::from_bytes(text.as_bytes(), Mode::Strict, limits).err()
        };
        assert_eq!(within(items), None, "{text}");
        assert_eq!(within(items - 1), Some(BencodeError::Items(items - 1)), "{text}");
    }
}
