//! Query routing against published bytes: the hashes of other servents, appendix B of QRP 1.0, and
//! the violations that gtk-gnutella answers with a bye.

use core::iter::empty;

use gnutella_wire::DecodeError;
use gnutella_wire::qrp::{
    KeywordHash, KeywordRules, MatchRule, PatchEncoder, PatchPlanError, Progress, QrpError,
    QueryTable, TableError, TableReceiver,
};
use gnutella_wire::wire::{
    ByeCode, Compressor, Function, Limits, Message, Patch, Payload, Qrp, Reset,
};

fn unhex(digits: &str) -> Vec<u8> {
    let digits = digits.trim().as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn lines(file: &str) -> impl Iterator<Item = Vec<&str>> {
    file.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(' ').collect())
}

/// `LimeWire`'s and gtk-gnutella's unit tests; see the head of the file.
#[test]
fn hashes_equal_those_of_other_servents() {
    let mut seen = 0;
    for row in lines(include_str!("data/qrp-hash.txt")) {
        let word = if row[1] == "-" { Vec::new() } else { unhex(row[1]) };
        let word = String::from_utf8(word).unwrap();
        let hash = KeywordHash::of(&word);
        assert_eq!(hash.slot(row[0].parse().unwrap()), row[2].parse().unwrap(), "{word}");
        seen += 1;
    }
    assert_eq!(seen, 33);
    let hash = KeywordHash::of("qrp");
    assert_eq!((hash.slot(0), hash.slot(32), hash.slot(99)), (0, hash.slot(32), hash.slot(32)));
    assert_eq!(KeywordHash::of("\u{130}"), KeywordHash::of("i")); // the simple mapping
    assert_ne!(KeywordHash::of("\u{10400}"), KeywordHash::of("\u{10428}")); // not folded
}

/// `LimeWire`'s tests of its splitting; gtk-gnutella's rules as the reference has them.
#[test]
fn names_and_queries_split_into_words_as_others_split_them() {
    let path = "/home/test/this_is_gReAt_teSt/WE_ArE_herE_tO_stAy.txt";
    let words: Vec<_> = KeywordRules::LimeWire.query_words(path).map(str::to_lowercase).collect();
    assert_eq!(words.join(" "), "home test this is great test we are here to stay txt");
    let all = |rules: KeywordRules, text| rules.table_words(text).collect::<Vec<_>>().join(" ");
    assert_eq!(all(KeywordRules::LimeWire, "goods"), "goods good goo");
    assert_eq!(all(KeywordRules::LimeWire, "good, \\(a)"), "good a");
    assert_eq!(
        all(KeywordRules::Gtkg, "a goods;of4 \u{e9}t\u{e9}s"),
        "goods good goo of4 étés été"
    );
    let words: Vec<_> = KeywordRules::Gtkg.query_words("it's a band").collect();
    assert_eq!(words, ["band"]);
    assert_eq!(KeywordRules::Gtkg.table_words(" -- ").count(), 0);
}

/// What zlib makes of the streams in appendix B (computed with zlib), since no inflater is here.
const INFLATED: [(&str, &str); 3] = [
    ("789c6358c0c0000001e400a1", "00a00000"),
    ("789c63606058000000a400a1", "000000a0"),
    ("789c63486060000001240061", "00600000"),
];

/// Gives a patch to the receiver, the inflated one when its stream is complete.
fn give(
    table: &mut TableReceiver<[u8; 1]>,
    stream: &mut Vec<u8>,
    patch: &Patch<'_>,
) -> Result<Progress, QrpError> {
    if patch.compressor == Compressor::NONE {
        return table.handle_patch(patch);
    }
    assert_eq!(table.handle_patch(patch), Err(QrpError::Compressed));
    table.begin_patch(patch)?;
    stream.extend(patch.data);
    if let Some((_, entries)) = INFLATED.iter().find(|(zlib, _)| unhex(zlib) == *stream) {
        for entry in unhex(entries) {
            table.handle_patch_entries(&[entry])?; // in pieces of any length
        }
        stream.clear();
    }
    table.end_patch()
}

/// The distances of a table of infinity 7 and no distance but 1.
fn distances(table: &TableReceiver<[u8; 1]>) -> Vec<u8> {
    let table = table.table().unwrap();
    (0..table.slots()).map(|slot| if table.holds(slot) { 1 } else { 7 }).collect()
}

/// QRP 1.0, appendix B: all 26 messages. It says that "qrp" hashes to slot 7, which is right, and
/// sets slot 6; so its bytes prove patches and no hash.
#[test]
fn the_messages_of_appendix_b_give_its_tables() {
    let mut table = TableReceiver::new([0; 1]).unwrap();
    let mut stream = Vec::new();
    let mut tables = Vec::new();
    let mut seen = 0;
    for row in lines(include_str!("data/qrp-appendix-b.hex")) {
        let bytes = unhex(row[2]);
        let (message, rest) = Message::decode(&bytes, Limits::GTKG).unwrap();
        let Payload::Other(other) = message.payload else { panic!("{message}") };
        assert!(rest.is_empty() && other.function == Function::QRP);
        let qrp = Qrp::decode(other.body).unwrap();
        let mut out = vec![0; qrp.encoded_len()];
        assert_eq!(qrp.encode(&mut out), Ok(other.body.len()));
        assert_eq!(out, other.body, "{qrp}");
        match qrp {
            Qrp::Reset(reset) => {
                assert_eq!(reset, Reset { slots: 8, infinity: 7 });
                assert_eq!(table.handle(&qrp), Ok(Progress::Partial));
                assert_eq!(table.table(), None::<QueryTable<&[u8]>>);
            }
            Qrp::Patch(patch) => {
                let progress = give(&mut table, &mut stream, &patch).unwrap();
                let last = patch.seq_no == patch.seq_size;
                assert_eq!(progress == Progress::Complete, last);
                if last {
                    tables.push(distances(&table));
                }
            }
        }
        seen += 1;
    }
    let expected = [[7, 7, 1, 7, 7, 7, 7, 7], [7, 7, 1, 7, 7, 7, 1, 7], [7, 7, 7, 7, 7, 7, 1, 7]];
    assert_eq!((seen, tables.len()), (26, 15));
    assert!(tables.chunks(3).all(|example| example == expected));
}

/// The entries of appendix B as the encoder makes them, in one message and in two.
#[test]
fn the_encoder_writes_the_messages_of_appendix_b() {
    let table = |slots: u8| QueryTable::resume(3, [slots]).unwrap();
    let none = table(0);
    let test = table(0b10_0000);
    let both = table(0b10_0010);
    let qrp = table(0b10);
    let steps = [(none, test, "00a00000"), (test, both, "000000a0"), (both, qrp, "00600000")];
    for (old, new, entries) in steps {
        let entries = unhex(entries);
        let mut out = [0; 9];
        let one = PatchEncoder::new(&new, Some(&old), 7, 512).unwrap();
        assert_eq!((one.message_count(), one.entries_len()), (1, 4));
        assert_eq!(one.entries().collect::<Vec<_>>(), entries);
        assert_eq!(one.encode(1, &mut out), Ok(9));
        assert_eq!(out[..], [&[1, 1, 1, 0, 4], &entries[..]].concat());
        assert!(one.encode(1, &mut out[1..]).is_err_and(|short| short.needed == 9));
        let two = PatchEncoder::new(&new, Some(&old), 7, 2).unwrap();
        for seq_no in [2, 1] {
            let part = &entries[usize::from(seq_no) * 2 - 2..][..2];
            assert_eq!(two.encode(seq_no, &mut out), Ok(7));
            assert_eq!(out[..7], [&[1, seq_no, 2, 0, 4], part].concat());
        }
        assert_eq!(two.encode(3, &mut out), Ok(5));
    }
    let mut out = [0; 6];
    let patch = PatchEncoder::new(&test, None, 7, 512).unwrap();
    assert_eq!(patch.reset().encode(&mut out), Ok(6));
    assert_eq!(out[..], unhex("000800000007"));
    assert!(patch.entries().eq(unhex("00a00000")));
}

#[test]
fn impossible_patch_plans_are_refused() {
    let large = QueryTable::new(21, vec![0; 262_144]).unwrap();
    let refused = |infinity, chunk| PatchEncoder::new(&large, None, infinity, chunk).unwrap_err();
    assert_eq!(refused(1, 9_999), PatchPlanError::Infinity { infinity: 1, entry_bits: 4, most: 8 });
    assert_eq!(refused(9, 9_999), PatchPlanError::Infinity { infinity: 9, entry_bits: 4, most: 8 });
    assert_eq!(refused(7, 4_112), PatchPlanError::TooManyMessages { chunk: 4_112, needed: 4_113 });
    assert_eq!(refused(7, 0), PatchPlanError::TooManyMessages { chunk: 0, needed: 4_113 });
    let patch = PatchEncoder::new(&large, None, 7, 4_113).unwrap();
    assert_eq!((patch.message_count(), patch.entries_len()), (255, 1 << 20));
    let small = QueryTable::new(2, vec![0]).unwrap();
    let other = PatchEncoder::new(&large, Some(&small), 7, 9_999).unwrap_err();
    assert_eq!(other, PatchPlanError::OtherSize { from: 2, to: 21 });
}

const NONE: Compressor = Compressor::NONE;
const ZLIB: Compressor = Compressor::ZLIB;

fn patch(seq: [u8; 2], compressor: Compressor, entry_bits: u8, data: &[u8]) -> Qrp<'_> {
    Qrp::Patch(Patch { seq_no: seq[0], seq_size: seq[1], compressor, entry_bits, data })
}

/// `qrp-patch.json` of the vectors: what a running gtk-gnutella answered with bye 413.
#[test]
fn violations_seen_in_the_field_are_refused() {
    let rows: [(&[&str], usize, QrpError); 5] = [
        (&["0101010004"], 100, QrpError::NoReset),
        (&["000000010007", "0102020004"], 100, QrpError::SequenceNumber { got: 2, expected: 1 }),
        (&["00ffff000007"], 0, QrpError::TableLength { slots: 65_535 }),
        (&["000040000007", "0101010004"], 9_000, QrpError::Overflow { slots: 16_384 }),
        (&["000000010000"], 0, QrpError::Infinity),
    ];
    for (messages, zeros, expected) in rows {
        let mut table = TableReceiver::new([0; 2_048]).unwrap();
        let (last, before) = messages.split_last().unwrap();
        for message in before {
            table.handle(&Qrp::decode(&unhex(message)).unwrap()).unwrap();
        }
        let last = [unhex(last), vec![0; zeros]].concat();
        assert_eq!(table.handle(&Qrp::decode(&last).unwrap()), Err(expected));
        assert_eq!(expected.bye_code(), Some(ByeCode::QRP));
    }
    assert_eq!(ByeCode::QRP.0, 413);
}

/// The violations that gtk-gnutella checks by its source, each inside a sequence that was sound.
#[test]
fn violations_inside_a_sequence_are_refused() {
    let begun = || {
        let mut table = TableReceiver::new([0; 2]).unwrap();
        table.handle(&Qrp::Reset(Reset { slots: 16, infinity: 7 })).unwrap();
        table
    };
    let rows = [
        (patch([1, 0], NONE, 4, &[]), QrpError::SequenceSize),
        (patch([1, 1], NONE, 3, &[]), QrpError::EntryBits { entry_bits: 3 }),
        (patch([1, 1], Compressor(2), 4, &[]), QrpError::UnknownCompressor(Compressor(2))),
        (patch([1, 1], NONE, 4, &[0; 7]), QrpError::Short { covered: 14, slots: 16 }),
        (patch([1, 1], NONE, 8, &[0; 17]), QrpError::Overflow { slots: 16 }),
        (patch([1, 1], NONE, 1, &[0; 3]), QrpError::Overflow { slots: 16 }),
        (patch([0, 1], NONE, 4, &[0; 8]), QrpError::SequenceNumber { got: 0, expected: 1 }),
    ];
    for (message, expected) in rows {
        assert_eq!(begun().handle(&message), Err(expected));
    }
    let rows = [
        (patch([2, 3], NONE, 4, &[]), QrpError::SequenceSizeChanged { began: 2, got: 3 }),
        (patch([2, 2], NONE, 8, &[]), QrpError::EntryBitsChanged { began: 4, got: 8 }),
        (patch([2, 2], ZLIB, 4, &[]), QrpError::CompressorChanged { began: NONE, got: ZLIB }),
        (patch([1, 2], NONE, 4, &[]), QrpError::SequenceNumber { got: 1, expected: 2 }),
        (patch([2, 2], NONE, 4, &[0; 5]), QrpError::Overflow { slots: 16 }),
        (patch([2, 2], NONE, 4, &[0; 3]), QrpError::Short { covered: 14, slots: 16 }),
    ];
    for (message, expected) in rows {
        let mut table = begun();
        table.handle(&patch([1, 2], NONE, 4, &[0x0A; 4])).unwrap();
        let before = format!("{table:?}");
        assert_eq!(table.handle(&message), Err(expected));
        assert_eq!(format!("{table:?}"), before);
        assert_eq!(table.handle(&patch([2, 2], NONE, 4, &[0; 4])), Ok(Progress::Complete));
    }
    assert_eq!(begun().handle_patch_entries(&[0]), Err(QrpError::NotBegun));
    assert_eq!(begun().end_patch(), Err(QrpError::NotBegun));
    assert_eq!((QrpError::NotBegun.bye_code(), QrpError::Compressed.bye_code()), (None, None));
}

/// Entries of 1, 2, 4 and 8 bits that set slots 2 and 9 and then clear 2.
#[test]
fn entries_of_1_2_4_and_8_bits_are_read() {
    let rows = [
        (1, "2040", "2000"),
        (2, "0c003000", "04000000"),
        (4, "00a000000a000000", "0060000000000000"),
        (8, "0000fa000000000000fa000000000000", "00000600000000000000000000000000"),
    ];
    for (bits, first, then) in rows {
        let mut table = TableReceiver::new([0xFF; 2]).unwrap();
        table.handle_reset(Reset { slots: 16, infinity: 7 }).unwrap();
        table.handle(&patch([1, 1], NONE, bits, &unhex(first))).unwrap();
        assert_eq!(table.table().unwrap().as_bytes(), [0x20, 0x40], "{bits} bits");
        table.handle(&patch([1, 1], NONE, bits, &unhex(then))).unwrap();
        assert_eq!(table.table().unwrap().as_bytes(), [0x00, 0x40], "{bits} bits");
    }
    let mut tiny = TableReceiver::new([0; 64]).unwrap(); // one byte for two slots, at any width
    tiny.handle_reset(Reset { slots: 2, infinity: 7 }).unwrap();
    tiny.handle(&patch([1, 1], NONE, 1, &[0x7F])).unwrap();
    let table = tiny.table().unwrap();
    assert_eq!((table.bits(), table.len(), table.holds(1), table.holds(2)), (1, 1, true, false));
}

/// A table of 2^24 slots in 2 bytes: nothing is lost, and nothing goes until the next RESET.
#[test]
fn a_large_table_folds() {
    let mut table = TableReceiver::new([0; 3]).unwrap(); // of which 2 are used
    let reset = Reset { slots: 1 << 24, infinity: 7 };
    for bits in [1, 4] {
        table.handle_reset(reset).unwrap();
        let mut entries = vec![0; (1 << 21) * usize::from(bits)];
        *entries.last_mut().unwrap() = if bits == 1 { 1 } else { 0x0A };
        for _ in 0..2 {
            table
                .begin_patch(&Patch {
                    seq_no: 1,
                    seq_size: 1,
                    compressor: ZLIB,
                    entry_bits: bits,
                    data: &[],
                })
                .unwrap();
            entries.chunks(65_521).for_each(|piece| table.handle_patch_entries(piece).unwrap());
            assert_eq!(
                table.handle_patch_entries(&[0]),
                Err(QrpError::Overflow { slots: 1 << 24 })
            );
            assert_eq!(table.end_patch(), Ok(Progress::Complete));
            assert_eq!(table.table().unwrap().as_bytes(), [0, 1]);
            *entries.last_mut().unwrap() = if bits == 1 { 1 } else { 0x06 };
        }
    }
    for slots in [0, 1, 3, 1 << 25, u32::MAX] {
        let refused = table.handle_reset(Reset { slots, infinity: 7 });
        assert_eq!(refused, Err(QrpError::TableLength { slots }));
    }
    assert_eq!(TableReceiver::new([0; 0]).unwrap_err(), TableError::Memory { len: 0, needed: 1 });
}

#[test]
fn tables_merge_and_fold_without_false_negatives() {
    let mut up = QueryTable::new(13, [0; 1_024]).unwrap();
    let mut leaf = QueryTable::new(16, [0; 8_192]).unwrap();
    let words = ["nd", "ndf", "ndfl", "ndfla"].map(KeywordHash::of);
    for word in words {
        leaf.insert(word);
    }
    assert_eq!((leaf.len(), leaf.slots(), leaf.fill_permille()), (4, 65_536, 1));
    up.merge(&leaf).unwrap();
    assert!(words.iter().all(|word| up.contains(*word)));
    assert_eq!(up.len(), 4);
    assert_eq!(leaf.merge(&up), Err(TableError::Smaller { bits: 13, into: 16 }));
    up.clear();
    assert!(up.is_empty() && up.fill_permille() == 0);
    assert_eq!(QueryTable::new(22, [0; 1]).unwrap_err(), TableError::Bits { bits: 22 });
    assert_eq!(QueryTable::new(0, [0; 1]).unwrap_err(), TableError::Bits { bits: 0 });
    let short = TableError::Memory { len: 262_143, needed: 262_144 };
    assert_eq!(QueryTable::new(21, vec![0; 262_143]).unwrap_err(), short);
    let two = QueryTable::resume(1, [0xBF]).unwrap(); // six bits are no slots
    assert_eq!((two.len(), two.holds(0), two.holds(1), two.holds(2)), (1, true, false, false));
    assert_eq!(two, QueryTable::resume(1, [0x80]).unwrap());
    assert_eq!((QueryTable::memory_len(1), QueryTable::memory_len(4)), (1, 2));
}

/// A slot of a smaller table is set if one of those that fold into it is, whatever the sizes.
#[test]
fn a_folded_table_has_exactly_the_slots_that_fold() {
    let sparse = |n: usize| if n.is_multiple_of(5) { 1 << (n / 5 % 8) } else { 0 };
    let dense = |n: usize| (n.wrapping_mul(0x9E37_79B9) >> 7) as u8; // neighbours set, alone and together
    let gaps = |n: usize| if (n / 16).is_multiple_of(3) { dense(n) } else { 0 }; // whole words without a slot
    let patterns: [&dyn Fn(usize) -> u8; 3] = [&sparse, &dense, &gaps];
    let sizes = (1..=13_u8).flat_map(|bits| (1..=bits).map(move |into| (bits, into)));
    for (byte, (bits, into)) in
        patterns.iter().flat_map(|byte| sizes.clone().map(move |s| (byte, s)))
    {
        let bytes: Vec<u8> = (0..QueryTable::memory_len(bits)).map(byte).collect();
        let large = QueryTable::resume(bits, &bytes[..]).unwrap();
        let mut small = QueryTable::new(into, vec![0; QueryTable::memory_len(into)]).unwrap();
        small.merge(&large).unwrap();
        for slot in 0..small.slots() {
            let mut folded = (slot << (bits - into)..).take(1 << (bits - into));
            let expected = folded.any(|slot| large.holds(slot));
            assert_eq!(small.holds(slot), expected, "{bits} into {into}, slot {slot}");
        }
    }
}

#[test]
fn a_table_routes_by_words_and_by_urns() {
    let mut table = QueryTable::new(21, vec![0; 262_144]).unwrap();
    for word in ["hey", "jude", "urn:sha1:A"] {
        table.insert(KeywordHash::of(word));
    }
    let words = |text| KeywordRules::Gtkg.query_words(text).map(KeywordHash::of);
    let asks = |text, rule| table.can_route(words(text), empty(), rule);
    let rows = [
        ("hey", true, true),
        ("hey jude", true, true),
        ("hey bulldog", false, false),
        ("hey jude bulldog", false, true), // two of three
        ("hey jude bulldog again", false, false),
        ("hey jude hey jude again again", false, true), // four of six
        ("an", false, false),                           // no words
    ];
    for (text, all, two_thirds) in rows {
        assert_eq!(asks(text, MatchRule::AllWords), all, "{text}");
        assert_eq!(asks(text, MatchRule::TwoThirds), two_thirds, "{text}");
    }
    let urn = KeywordHash::of;
    assert!(table.can_route(
        words("bulldog"),
        [urn("urn:x"), urn("urn:sha1:a")],
        MatchRule::AllWords
    ));
    assert!(!table.can_route(words("hey"), [urn("urn:sha1:b")], MatchRule::AllWords));
    table.clear();
    assert!(!table.can_route(words("hey"), empty(), MatchRule::AllWords));
}

#[test]
fn malformed_payloads_are_refused() {
    for payload in ["", "00", "0008000000", "01", "01010100", "02000800000007"] {
        let payload = unhex(payload);
        let bad = DecodeError::Malformed { function: Function::QRP, len: payload.len() };
        assert_eq!(Qrp::decode(&payload), Err(bad));
    }
    let reset = Qrp::Reset(Reset { slots: 8, infinity: 7 });
    assert_eq!(Qrp::decode(&unhex("000800000007ff")), Ok(reset));
    assert_eq!(reset.to_string(), "reset 8 slots, infinity 7");
    let patch = patch([1, 2], ZLIB, 4, &[0; 9]);
    assert_eq!(patch.to_string(), "patch 1/2 4 bits zlib 9 bytes");
}

#[test]
fn tables_are_as_large_as_documented() {
    assert_eq!(size_of::<QueryTable<[u8; 8_192]>>(), 1 + 8_192);
    assert_eq!(size_of::<TableReceiver<[u8; 8_192]>>(), 28 + 8_192);
}
