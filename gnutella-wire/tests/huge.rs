//! HUGE: the published examples, and the areas that running servents sent.

use gnutella_wire::Text;
use gnutella_wire::ggep::{GgepError, GgepWriter, Number};
use gnutella_wire::huge::{Part, Sha1, TigerRoot, Urn, base32, parts};
use gnutella_wire::qrp::KeywordHash;
use gnutella_wire::wire::{Limits, Message, Payload, Query, Record};

fn unhex(digits: &str) -> Vec<u8> {
    let digits = digits.trim().as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// RFC 4648, section 10 (the same alphabet as RFC 3548), without the padding.
#[test]
fn base_32_encodes_and_decodes_published_values() {
    let rows = [
        ("", ""),
        ("f", "MY"),
        ("fo", "MZXQ"),
        ("foo", "MZXW6"),
        ("foob", "MZXW6YQ"),
        ("fooba", "MZXW6YTB"),
        ("foobar", "MZXW6YTBOI"),
    ];
    for (plain, characters) in rows {
        let mut out = [0; 16];
        assert_eq!(base32::encode(plain.as_bytes(), &mut out), Ok(characters.len()));
        assert_eq!(&out[..characters.len()], characters.as_bytes());
        let mut back = vec![0; plain.len()];
        let lower = characters.to_lowercase();
        assert_eq!(base32::decode(lower.as_bytes(), &mut back), Some(()));
        assert_eq!(back, plain.as_bytes());
    }
    let mut out = [0; 1];
    for wrong in ["M", "MYA", "MZ", "M1", "M="] {
        assert_eq!(base32::decode(wrong.as_bytes(), &mut out), None, "{wrong}");
    }
    assert!(base32::encode(b"f", &mut out).is_err_and(|short| short.needed == 2));
    assert_eq!((base32::encoded_len(20), base32::encoded_len(24)), (32, 39));
}

/// The hash of HUGE 0.94's examples, and a bitprint made of it.
#[test]
fn urns_parse_in_any_case_and_print_canonically() {
    let text = "urn:sha1:PLSTHIPQGSSZTS5FJUPAKUZWUGYQYPFB";
    let urn = Urn::parse(text.as_bytes()).unwrap();
    assert_eq!(urn.to_string(), text);
    assert_eq!(Urn::parse(text.to_lowercase().as_bytes()), Some(urn));
    assert_eq!(urn.keyword_hash(), KeywordHash::of(text));
    assert_eq!(urn.keyword_hash(), KeywordHash::of(&text.to_uppercase()));

    let root = TigerRoot([0xA5; 24]);
    let print = Urn::Bitprint(urn.sha1(), root).to_string();
    assert_eq!(print.len(), "urn:bitprint:".len() + 32 + 1 + 39);
    assert_eq!(Urn::parse(print.as_bytes()), Some(Urn::Bitprint(urn.sha1(), root)));
    assert_eq!(Urn::parse(print.as_bytes()).unwrap().keyword_hash(), urn.keyword_hash());

    let wrong = ["", "urn:", "urn:sha1:", &text[..40], &text[4..], &print.replace('.', "-")];
    for wrong in wrong {
        assert_eq!(Urn::parse(wrong.as_bytes()), None, "{wrong}");
    }
    assert_eq!(Sha1::parse(&[b'7'; 32]), Some(Sha1([0xFF; 20])));
}

/// The record in a hit of a running gtk-gnutella 1.2.3-14.
#[test]
fn the_area_of_a_record_splits_into_its_parts() {
    let file = include_str!("data/tcp-messages.hex");
    let line = unhex(file.lines().filter(|line| !line.starts_with('#')).nth(4).unwrap());
    let (message, _) = Message::decode(&line, Limits::GTKG).unwrap();
    let Payload::QueryHit(hit) = message.payload else { panic!("{message}") };
    let record = hit.records.iter().next().unwrap();
    let parts: Vec<_> = record.parts().map(Result::unwrap).collect();
    let [Part::Gem(gem), Part::Ggep(block)] = parts[..] else { panic!("two parts") };
    let urn = Urn::parse(gem.as_bytes()).unwrap();
    assert_eq!(urn.to_string(), "urn:sha1:T6PFEIKJF2JB3AJEETNNY6NE4KNI25EN");
    assert!(block.find(b"TT").is_some() && block.find(b"CT").is_some());
    let used = gem.len() + 1 + block.as_bytes().len();
    assert_eq!(used, record.extensions.len(), "the block ends with the area");
}

#[test]
fn areas_split_at_separators_and_blocks() {
    let print = |area: &[u8]| {
        let parts = parts(area).map(|part| part.map_or("?".to_owned(), |part| part.to_string()));
        parts.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(print(b""), "");
    assert_eq!(print(b"\0"), "");
    assert_eq!(print(b"urn:\x1Curn:sha1:\0"), "\"urn:\" \"urn:sha1:\"");
    assert_eq!(print(b"\x1C\x1Ca\x1C\0b"), "\"a\" \"b\"");
    assert_eq!(print(b"\xC3\x81X\x41\x1C\x1Cafter"), "GGEP X=1c \"after\"");
    assert_eq!(print(b"\xC3\x81X\x41\0\0\xC3\x81Y\x40"), "GGEP X=00 GGEP Y");
    assert_eq!(print(b"first\x1C\xC3\x81X\x42\0"), "\"first\" ?");
    let mut cut = parts(b"\xC3\x81X\x42\0");
    assert_eq!(cut.next(), Some(Err(GgepError::Truncated { needed: 1 })));
    assert_eq!(cut.next(), None);
    let mut query = Query::new(Text::EMPTY);
    query.extensions = b"urn:";
    assert_eq!(query.parts().count(), 1);
}

/// nDPI, `tests/cfgs/default/pcap/gnutella.pcap`: every block in the datagrams ends where it should.
#[test]
#[ignore = "needs VECTORS_DIR"]
fn areas_of_the_capture_split_without_error() {
    let folder = std::env::var("VECTORS_DIR").unwrap();
    let file = std::fs::read_to_string(format!("{folder}/gnutella/udp-messages.hex")).unwrap();
    let mut blocks = 0;
    for line in file.lines().filter(|line| line.starts_with("0x")) {
        let bytes = unhex(line.split_whitespace().nth(2).unwrap());
        let area = match Message::decode(&bytes, Limits::GTKG).unwrap().0.payload {
            Payload::Ping(ping) => ping.extensions.to_vec(),
            Payload::Pong(pong) => pong.extensions.to_vec(),
            Payload::Query(query) => query.extensions.to_vec(),
            _ => continue,
        };
        let found: Vec<_> = parts(&area).map(|part| part.expect("a sound area")).collect();
        if let Some(Part::Ggep(block)) = found.last() {
            let rest = area.strip_suffix(&[0]).unwrap_or(&area);
            assert!(area.ends_with(block.as_bytes()) || rest.ends_with(block.as_bytes()));
            blocks += 1;
        }
    }
    assert!(blocks > 0);
}

/// The size of a file of 4 GiB or more stands in the extension `LF`, which a record has without NULs.
#[test]
fn large_files_have_their_size_in_the_record() {
    let mut area = [0; 32];
    for (size, legacy) in [(0x1_0000_0005_u64, u32::MAX), (0x12_3456_7800, u32::MAX), (7, 7)] {
        let mut writer = GgepWriter::new(&mut area);
        let number = Number::new(size);
        writer.push_without_nul(b"LF", number.as_bytes()).unwrap();
        let len = writer.finish();
        let extensions = Text::new(&area[..len]).expect("no NUL");
        let record = Record { index: 1, size: legacy, name: Text::EMPTY, extensions };
        assert_eq!(record.file_size(), size);
    }
    let plain = Record { index: 1, size: 99, name: Text::EMPTY, extensions: Text::EMPTY };
    assert_eq!(plain.file_size(), 99);
}
