//! Tiger trees: published vectors, a tree that Shareaza sent, and trees written here.

use gnutella_wire::DecodeError;
use gnutella_wire::huge::TigerRoot;
use gnutella_wire::thex::{BREADTH_FIRST, Record, Shape, Tree, TreeHasher};

/// Roots by length and filling. The first four are those of gtk-gnutella and Bitzi; the others were
/// computed with libgcrypt.
const ROOTS: [(usize, Filling, &str); 10] = [
    (0, Filling::Byte(0), "LWPNACQDBZRYXW3VHJVCJ64QBZNGHOHHHZWCLNQ"),
    (1, Filling::Byte(0), "VK54ZIEEVTWNAUI5D5RDFIL37LX2IQNSTAXFKSA"),
    (1_024, Filling::Byte(0x41), "L66Q4YVNAFWVS23X2HJIRA5ZJ7WXR3F26RSASFA"),
    (1_025, Filling::Byte(0x41), "PZMRYHGY6LTBEH63ZWAHDORHSYTLO4LEFUIKHWY"),
    (1_023, Filling::Byte(0x41), "PAEYSIY4BUQ23KIUVRF7K6JDTWDWCJT76QNA4ZA"),
    (2_048, Filling::Byte(0x41), "FSINHKGFD6E3PHTXSA5EATMEO7IND3ATJDSH45A"),
    (2_049, Filling::Byte(0x41), "2IFFIJQ22FKZA3NCSVOQHPVJVNPJKTGDKOB3LTI"),
    (3_072, Filling::Byte(0x41), "VUGTDEB5E3RVBHJWEPT2LY2O6XHZQFFRGDNZBSQ"),
    (5_127, Filling::Modulo(256), "W5A7VED2OYH34DBYQ5I66KNNCF2F3BU6PULO6UA"),
    (300_000, Filling::Modulo(251), "RMZPNFN74XZCVVTRCSVKE6JSGXILWMQZXT5JDDY"),
];

#[derive(Clone, Copy)]
enum Filling {
    Byte(u8),
    Modulo(usize),
}

fn file(len: usize, filling: Filling) -> Vec<u8> {
    match filling {
        Filling::Byte(byte) => vec![byte; len],
        Filling::Modulo(modulus) => (0..len).map(|at| (at % modulus) as u8).collect(),
    }
}

fn root_of(bytes: &[u8]) -> TigerRoot {
    let mut hasher = TreeHasher::new();
    hasher.update(bytes);
    hasher.finish()
}

#[test]
fn roots_are_the_published_ones() {
    for (len, filling, expected) in ROOTS {
        assert_eq!(root_of(&file(len, filling)).to_string(), expected, "{len} bytes");
    }
}

#[test]
fn roots_do_not_depend_on_how_the_bytes_come() {
    let bytes = file(300_000, Filling::Modulo(251));
    for step in [1, 7, 1_023, 1_024, 1_025, 65_536] {
        let mut hasher = TreeHasher::new();
        bytes.chunks(step).for_each(|chunk| hasher.update(chunk));
        assert_eq!(hasher.finish(), root_of(&bytes), "in steps of {step}");
    }
}

/// Row sizes as gtk-gnutella and LimeWire keep them.
#[test]
fn rows_are_kept_as_others_keep_them() {
    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;
    for (size, depth) in [
        (0, 0),
        (255 * KIB, 0),
        (256 * KIB, 1),
        (512 * KIB, 2),
        (MIB, 3),
        (64 * MIB, 9),
        (255 * MIB, 9),
        (256 * MIB, 10),
        (1_024 * MIB, 11),
        (5_000 * MIB, 11),
    ] {
        let shape = Shape::customary(size);
        assert_eq!(shape.rows() - 1, depth, "{size} bytes: {shape:?}");
        assert_eq!(Shape::of_total(size, shape.total()), Some(shape), "{size} bytes");
        assert!(shape.span * shape.nodes >= size);
    }
    assert_eq!(Shape::of_total(3_234_212, 399).map(|shape| shape.nodes), Some(198));
    assert_eq!(Shape::of_total(3_234_212, 398), None);
    assert_eq!(Shape::of_total(u64::MAX, u64::MAX), None);
}

/// The last row of the tree of some bytes.
fn nodes_of(bytes: &[u8]) -> Vec<[u8; 24]> {
    let span = Shape::customary(bytes.len() as u64).span as usize;
    let mut parts: Vec<&[u8]> = bytes.chunks(span).collect();
    if parts.is_empty() {
        parts.push(&[]);
    }
    parts.into_iter().map(|part| root_of(part).0).collect()
}

/// A body reads back as two records, whose nodes lead to the root row by row.
#[test]
fn a_written_tree_has_every_row() {
    for len in [0, 1, 300_000, 1_100_000, 3_000_001] {
        let bytes = file(len, Filling::Modulo(251));
        let nodes = nodes_of(&bytes);
        let tree = Tree { size: len as u64, nodes: &nodes };
        assert_eq!(tree.root(), Some(root_of(&bytes)), "{len} bytes");
        let mut body = vec![0; tree.encoded_len()];
        assert_eq!(tree.encode(&mut body), Ok(body.len()));
        assert!(tree.encode(&mut body[1..]).is_err());
        let (xml, rest) = Record::decode(&body).unwrap();
        assert_eq!(xml.data_type, b"text/xml");
        let text = String::from_utf8_lossy(&rest[..xml.len as usize]).into_owned();
        assert!(text.contains(&format!("<file size=\"{len}\" segmentsize=\"1024\"/>")), "{text}");
        let rest = &rest[xml.padded_len() as usize..];
        let (record, rows) = Record::decode(rest).unwrap();
        assert!(record.is_last);
        assert_eq!(record.data_type, BREADTH_FIRST.as_bytes());
        assert!(text.contains(core::str::from_utf8(record.id).unwrap()), "{text}");
        check_rows(rows, len as u64, root_of(&bytes));
    }
}

/// Recomputes each row of a serialised tree from the one below it.
fn check_rows(rows: &[u8], size: u64, root: TigerRoot) {
    let (nodes, []) = rows.as_chunks::<24>() else { panic!("whole nodes") };
    let shape = Shape::of_total(size, nodes.len() as u64).expect("a tree of this file");
    let mut below = &nodes[nodes.len() - shape.nodes as usize..];
    let mut begin = nodes.len() - below.len();
    while below.len() > 1 {
        let row = &nodes[begin - below.len().div_ceil(2)..begin];
        for (node, children) in row.iter().zip(below.chunks(2)) {
            let expected = match children {
                [left, right] => gnutella_wire::thex::parent(left, right),
                [alone] => *alone,
                _ => unreachable!(),
            };
            assert_eq!(*node, expected);
        }
        begin -= row.len();
        below = row;
    }
    assert_eq!(begin, 0);
    assert_eq!(below, [root.0]);
}

/// A body of Shareaza 2.7.10.2 with three records: the tree of a file of 3,234,212 bytes.
#[test]
#[ignore = "needs VECTORS_DIR"]
fn the_tree_of_shareaza_leads_to_its_root() {
    let folder = std::env::var("VECTORS_DIR").expect("VECTORS_DIR");
    let text = std::fs::read_to_string(format!("{folder}/gnutella/thex-dime.hex")).unwrap();
    let digits: String = text.lines().filter(|line| !line.starts_with('#')).collect();
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    let body: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
    let mut rest = &body[..];
    let mut records = 0;
    loop {
        let (record, data) = Record::decode(rest).unwrap();
        records += 1;
        if record.data_type == BREADTH_FIRST.as_bytes() {
            let root = TigerRoot::parse(b"3WMUS6WM2ZC7XIPRQDKXWHHJRV4IKYC4OX4ELCA").unwrap();
            check_rows(&data[..record.len as usize], 3_234_212, root);
        }
        rest = &data[(record.padded_len() as usize).min(data.len())..];
        if record.is_last {
            break;
        }
    }
    assert_eq!(records, 3);
    assert_eq!(rest, []);
}

#[test]
fn a_record_is_read_only_whole_and_only_of_version_1() {
    let nodes = nodes_of(b"whisper words");
    let tree = Tree { size: 13, nodes: &nodes };
    let mut body = vec![0; tree.encoded_len()];
    tree.encode(&mut body).unwrap();
    for cut in 0..12 {
        let needed = 12 - cut;
        assert_eq!(Record::decode(&body[..cut]), Err(DecodeError::Incomplete { needed }));
    }
    assert_eq!(Record::decode(&body[..12]), Err(DecodeError::Incomplete { needed: 8 }));
    body[0] = 0x14;
    assert_eq!(Record::decode(&body), Err(DecodeError::UnknownLine));
    body[0] = 0x0C;
    body[2] = 0xFF;
    assert_eq!(Record::decode(&body), Err(DecodeError::HeadTooLong { limit: 1_024 }));
    // A type of 1,024 bytes, which is read, and of one more, which is padded to 1,028.
    let longest = [&[0x0C, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0][..], &[b'x'; 1_028]].concat();
    let (record, rest) = Record::decode(&longest).unwrap();
    assert_eq!((record.data_type.len(), rest.len()), (1_024, 4));
    let longer = [&longest[..7], &[1], &longest[8..]].concat();
    assert_eq!(Record::decode(&longer), Err(DecodeError::HeadTooLong { limit: 1_024 }));
}
