//! GGEP against published bytes: tests of Phex and `LimeWire` (facts and vectors), rows computed from
//! the format rules (marked derived), and the blocks that running servents sent.

use core::net::{Ipv4Addr, SocketAddrV4};

use gnutella_wire::BufferTooSmall;
use gnutella_wire::ggep::{
    Block, Endpoints, Extensions, FreeSlots, GgepError, GgepWriter, Hash, Known, Number, PushError,
    Scp, ValueError, blocks, cobs,
};
use gnutella_wire::wire::{Limits, Message, Payload, Vendor};

fn unhex(digits: &str) -> Vec<u8> {
    let digits = digits.trim().as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Ids and values as they stand.
fn contents(block: Block<'_>) -> Vec<(String, String)> {
    let text = |id: &[u8]| String::from_utf8(id.to_vec()).unwrap();
    block.extensions().map(|e| (text(e.id()), hex(e.data()))).collect()
}

/// Reads a block that is all of the bytes, and writes it again.
fn exactly(bytes: &[u8]) -> Block<'_> {
    let (block, rest) = Block::decode(bytes).unwrap();
    assert_eq!((block.as_bytes(), rest), (bytes, &[][..]));
    let mut out = vec![0; bytes.len()];
    let mut writer = GgepWriter::new(&mut out);
    block.extensions().for_each(|extension| writer.push_extension(&extension).unwrap());
    assert_eq!(writer.finish(), bytes.len());
    assert_eq!(out, bytes);
    block
}

#[test]
fn blocks_of_phex_and_limewire_decode() {
    let bytes = unhex("c30242484083414c5449000000000000000000");
    let expected = [("BH", ""), ("ALT", "000000000000000000")];
    assert_eq!(contents(exactly(&bytes)), expected.map(|(a, b)| (a.into(), b.into())));

    let bytes = unhex("c30542484f535440875355534845454c4744415357414e49");
    let two = [("BHOST", ""), ("SUSHEEL", "44415357414e49")];
    let two = two.map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(contents(exactly(&bytes)), two);

    let bytes = unhex("c38542484f535440c30542484f535440875355534845454c4744415357414e49");
    let mut row = blocks(&bytes);
    assert_eq!(contents(row.next().unwrap().unwrap()), two[..1]);
    assert_eq!(row.rest().len(), bytes.len() - 8);
    assert_eq!(contents(row.next().unwrap().unwrap()), two);
    assert!(row.next().is_none() && row.rest().is_empty());
}

/// Derived: values that are deflated (both formats are reported, not inflated) and stuffed.
#[test]
fn stuffed_and_compressed_values_are_decoded_or_reported() {
    let mut buf = [0; 40];
    let zlib = "c3a34950505f789c3bc0c0c4785ae2000313d31910c97c1644b29c0391ace7250082cd0853";
    let raw = "c3a3495050593bc0c0c4785ae2000313d31910c97c1644b29c0391ace72500";
    for (bytes, start) in [(zlib, [0x78, 0x9C]), (raw, [0x3B, 0xC0])] {
        let bytes = unhex(bytes);
        let ipp = exactly(&bytes).find(b"IPP").unwrap();
        assert!(ipp.is_deflated() && !ipp.is_stuffed());
        assert_eq!(ipp.value(&mut buf), Err(ValueError::Deflated));
        assert_eq!(ipp.unstuffed(&mut []), Ok(ipp.data()));
        assert_eq!(ipp.data()[..2], start);
    }
    let bytes = unhex("c3c158450311220233");
    let stuffed = exactly(&bytes).find(b"X").unwrap();
    assert!(stuffed.is_stuffed());
    assert_eq!(stuffed.value(&mut buf), Ok(&[0x11, 0x22, 0x00, 0x33][..]));
    assert!(stuffed.value(&mut buf[..3]).is_err());
    let mut out = [0; 9];
    let mut writer = GgepWriter::new(&mut out);
    writer.push_without_nul(b"X", &[0x11, 0x22, 0x00, 0x33]).unwrap();
    assert_eq!((writer.finish(), &out[..]), (9, &bytes[..]));
    assert_eq!(stuffed.to_string(), "X=0311220233 stuffed");
}

/// Rows that `LimeWire` refuses, and derived ones.
#[test]
fn malformed_blocks_are_refused() {
    let rows = [
        ("c31542484f535440875355534845454c4744415357414e49", GgepError::Reserved { flags: 0x15 }),
        ("c30542484f535440805355534845454c4744415357414e49", GgepError::NoId { flags: 0x80 }),
        ("c30542484f535440875355534845454cbfbfbfbf44415357", GgepError::Length { byte: 0xBF }),
        ("c3815800", GgepError::Length { byte: 0x00 }),
        ("c38158c141", GgepError::Length { byte: 0xC1 }),
        ("c3820058", GgepError::NulInId),
        ("", GgepError::NoMagic),
        ("8158", GgepError::NoMagic),
        ("c3", GgepError::Truncated { needed: 4 }),
        ("c30158", GgepError::Truncated { needed: 1 }),
        ("c3015840", GgepError::Truncated { needed: 4 }), // the last one is missing
        ("c3815881", GgepError::Truncated { needed: 1 }),
        ("c381584311", GgepError::Truncated { needed: 2 }),
    ];
    for (bytes, expected) in rows {
        let bytes = unhex(bytes);
        assert_eq!(Block::decode(&bytes), Err(expected));
        let mut lazy = Extensions::new(&bytes).skip_while(Result::is_ok);
        assert_eq!(lazy.next(), Some(Err(expected)));
        assert!(lazy.next().is_none());
    }
    let bytes = unhex("c30542484f535440a55355534845454c4744415357414e49"); // stage: inflate
    let (block, rest) = Block::decode(&bytes).unwrap();
    assert_eq!((block.find(b"SUSHE").unwrap().is_deflated(), rest), (true, &b"WANI"[..]));
}

#[test]
fn lengths_of_one_to_three_bytes_round_trip() {
    let rows = [
        (0, "40"),
        (63, "7f"),
        (64, "8140"),
        (4_095, "bf7f"),
        (4_096, "818040"),
        (262_143, "bfbf7f"),
    ];
    let mut out = vec![0; 262_200];
    for (len, expected) in rows {
        let mut writer = GgepWriter::new(&mut out);
        writer.push(b"X", &vec![1; len]).unwrap();
        let end = writer.finish();
        assert!(out.starts_with(&unhex(&format!("c38158{expected}"))));
        assert_eq!(exactly(&out[..end]).find(b"X").unwrap().data().len(), len);
    }
    let mut writer = GgepWriter::new(&mut out);
    let long = writer.push(b"X", &vec![1; 262_144]);
    assert_eq!(long, Err(PushError::TooLong { len: 262_144 }));
    for id in [&b""[..], b"sixteen letters!", b"\0"] {
        assert_eq!(writer.push(id, &[]), Err(PushError::Id { len: id.len() }));
    }
    assert_eq!(writer.finish(), 0);
    let mut writer = GgepWriter::new(&mut out[..8]);
    writer.push(b"A", &[7]).unwrap();
    let short = PushError::BufferTooSmall(BufferTooSmall { needed: 10 });
    assert_eq!(writer.push(b"B", &[7, 7]), Err(short));
    assert_eq!(writer.finish(), 5);
    assert_eq!(out[..5], unhex("c381414107"));
}

#[test]
fn integers_are_minimal_and_little_endian() {
    let rows = [(43_981, "cdab"), (2_882_400_018, "12efcdab"), (527, "0f02"), (0, "")];
    for (value, expected) in rows {
        assert_eq!(hex(Number::new(value).as_bytes()), expected);
        assert_eq!(Number::decode(&unhex(expected)).map(Number::value), Some(value));
    }
    assert_eq!(Number::decode(&unhex("0500")).map(Number::value), Some(5));
    assert_eq!(Number::decode(&[1; 9]), None);
    assert_eq!(Number::new(u64::MAX).as_bytes(), [0xFF; 8]);
}

/// Stuffing, with the long runs counted by the rule: 254 bytes take one more.
#[test]
fn cobs_output_is_free_of_nul_and_decodes() {
    let ones = |n| vec![1; n];
    let mut rows: Vec<(Vec<u8>, Vec<u8>)> = [
        ("00", "0101"),
        ("0000", "010101"),
        ("11220033", "0311220233"),
        ("11223344", "0511223344"),
        ("11000000", "0211010101"),
        ("", "01"),
    ]
    .map(|(plain, stuffed)| (unhex(plain), unhex(stuffed)))
    .into();
    let full = [&[0xFF][..], &ones(254)].concat();
    rows.push((ones(253), [&[0xFE][..], &ones(253)].concat()));
    rows.push((ones(254), full.clone()));
    rows.push((ones(255), [&full[..], &[2, 1]].concat()));
    rows.push((ones(508), [&full[..], &full].concat()));
    rows.push((ones(509), [&full[..], &full, &[2, 1]].concat()));
    rows.push(([ones(254), vec![0]].concat(), [&full[..], &[1, 1]].concat()));
    for (plain, stuffed) in rows {
        let mut out = [0; 600];
        assert_eq!(cobs::encoded_len(&plain), stuffed.len());
        assert_eq!(cobs::encode(&plain, &mut out), Ok(stuffed.len()));
        assert_eq!(out[..stuffed.len()], stuffed);
        assert_eq!(cobs::decode(&stuffed, &mut out), Ok(plain.len()));
        assert_eq!(out[..plain.len()], plain);
    }
    for at in 0..254 {
        let mut plain = ones(255);
        plain[at] = 0;
        assert_eq!(cobs::encoded_len(&plain), 256, "with a NUL at {at}");
    }
    let mut out = [0; 9];
    assert_eq!(cobs::decode(&[3, 1, 0], &mut out), Err(cobs::CobsError::Nul));
    assert_eq!(cobs::decode(&[4, 1], &mut out), Err(cobs::CobsError::Truncated { needed: 2 }));
}

/// The two pongs and the hit of a running gtk-gnutella 1.2.3-14.
#[test]
fn blocks_of_gtk_gnutella_decode_and_encode_back() {
    let file = include_str!("data/tcp-messages.hex");
    let lines: Vec<_> = file.lines().filter(|l| !l.starts_with('#')).map(unhex).collect();
    let message = |n: usize| Message::decode(&lines[n], Limits::GTKG).unwrap().0.payload;
    for (n, uptime) in [(2, 25), (3, 148)] {
        let Payload::Pong(pong) = message(n) else { panic!("a pong") };
        let block = exactly(pong.extensions);
        let known = block.extensions().map(|e| Known::read(e.id(), e.data()).unwrap());
        let expected = [
            Known::Vendor(Vendor(*b"GTKG"), Some(0x83)), // March 2024
            Known::Ultrapeer(FreeSlots { version: 2, leaves: 255, ultrapeers: 50 }),
            Known::Uptime(uptime),
        ];
        assert!(known.eq(expected));
    }
    let Payload::QueryHit(hit) = message(4) else { panic!("a hit") };
    let block = exactly(hit.data.private().unwrap());
    assert_eq!(block.to_string(), "GGEP GTKGV=010102030065e3bd.. (19 bytes)");
    let record = hit.records.iter().next().unwrap();
    let at = record.extensions.as_bytes().iter().position(|byte| *byte == 0x1C).unwrap();
    let block = exactly(&record.extensions.as_bytes()[at + 1..]);
    let known: Vec<_> = block.extensions().map(|e| Known::read(e.id(), e.data())).collect();
    let tree = unhex("cc18fa4e4e7fcfe0bdcac70ac1957da9823a52787072e256");
    let tree = Known::TigerTree(tree[..].try_into().unwrap());
    assert_eq!(known, [Some(tree), Some(Known::CreationTime(0x6724_C245))]);
}

/// nDPI, `tests/cfgs/default/pcap/gnutella.pcap`: the blocks of the 28 datagrams, against their decoded
/// form beside them.
#[test]
#[ignore = "needs VECTORS_DIR"]
fn blocks_of_the_capture_decode_and_encode_back() {
    let folder = std::env::var("VECTORS_DIR").unwrap();
    let read = |name| std::fs::read_to_string(format!("{folder}/gnutella/{name}")).unwrap();
    let mut seen = Vec::new();
    for line in read("udp-messages.hex").lines().filter(|line| line.starts_with("0x")) {
        let bytes = unhex(line.split_whitespace().nth(2).unwrap());
        let area = match Message::decode(&bytes, Limits::GTKG).unwrap().0.payload {
            Payload::Ping(ping) => ping.extensions.to_vec(),
            Payload::Pong(pong) => pong.extensions.to_vec(),
            Payload::Query(query) => {
                let strings = query.extensions.iter().position(|byte| *byte == 0xC3);
                query.extensions[strings.unwrap_or(query.extensions.len())..].to_vec()
            }
            _ => continue,
        };
        let mut row = blocks(&area);
        for block in row.by_ref() {
            seen.extend(contents(exactly(block.unwrap().as_bytes())));
        }
        assert!(matches!(row.rest(), [] | [0]), "{}", hex(row.rest()));
    }
    let json = read("udp-messages.json");
    let field = |line: &str| line.split('"').nth(3).map(str::to_owned);
    let mut expected = Vec::new();
    let mut id = None;
    for line in json.lines().map(str::trim) {
        if line.starts_with("\"id\"") {
            id = field(line);
        } else if line.starts_with("\"data\"")
            && let Some(id) = id.take()
        {
            expected.push((id, field(line).unwrap()));
        }
    }
    assert!(!expected.is_empty());
    assert_eq!(seen, expected);
}

#[test]
fn known_values_round_trip() {
    let read = |id: &str, value: &'static [u8]| Known::read(id.as_bytes(), value);
    let value = b"\xC0\x00\x02\x01\xCB\x18\xC0\x00\x02\x02\xCC\x18";
    let Some(Known::Endpoints(list)) = read("IPP", value) else { panic!("two endpoints") };
    let address = |n: u8| SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, n), 6_346 + u16::from(n));
    assert!(list.iter().eq([address(1), address(2)]) && list.len() == 2);
    assert_eq!(Endpoints::to_bytes(address(2)), value[6..]);
    assert_eq!(read("IPP", &value[1..]), None);
    assert_eq!(read("GUE", &[]), Some(Known::Guess(None, None)));
    assert_eq!(read("GUE", &[2, 0xCA, 0x18]), Some(Known::Guess(Some(2), Some(6_346))));
    let Some(Known::Scp(scp)) = read("SCP", &[3]) else { panic!("flags") };
    assert!(scp.contains(Scp::ULTRAPEERS.with(Scp::TLS)) && !scp.contains(Scp::IPV6));
    assert_eq!(read("SCP", &[]), Some(Known::Scp(Scp(0))));
    assert_eq!(read("LF", &[0, 0, 0, 0, 1]), Some(Known::LargeFile(1 << 32)));
    assert_eq!(read("UP", &[2, 1]), None);
    assert_eq!(read("VC", b"LIME"), Some(Known::Vendor(Vendor(*b"LIME"), None)));
    assert_eq!(read("QK", &[1; 4]), Some(Known::QueryKey(&[1; 4])));
    assert_eq!(read("DHT", &[0, 0, 1]), Some(Known::Dht([0, 0, 1])));
    assert_eq!(read("6", &[7; 15]), None);
    let ipv6 =
        [0x24, 6, 0xE0, 0, 0x69, 0xF8, 0x30, 1, 0x22, 0xCF, 0x30, 0xFF, 0xFE, 0xE7, 0x77, 0x63];
    let Some(Known::Ipv6(ip)) = Known::read(b"6", &ipv6) else { panic!("an address") };
    assert_eq!(ip.to_string(), "2406:e000:69f8:3001:22cf:30ff:fee7:7763");
    for id in ["ALT", "PUSH"] {
        let Some(Known::Alternates(list) | Known::PushProxies(list)) = read(id, value) else {
            panic!("two endpoints of {id}")
        };
        assert_eq!(list.len(), 2);
    }
    assert_eq!(read("XQ", &[1; 4]), None);
    let print = [&[2][..], &[7; 20], &[9; 24]].concat();
    let print = Known::read(b"H", &print) == Some(Known::Hash(Hash::Bitprint(&[7; 20], &[9; 24])));
    assert!(print);
    assert_eq!(read("H", &[1, 5]), Some(Known::Hash(Hash::Other(1, &[5]))));
    assert_eq!(read("H", &[]), None);
}
