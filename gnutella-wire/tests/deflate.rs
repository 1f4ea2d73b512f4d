//! Compression against streams that others wrote, and links, tables and values through it.

use core::iter::repeat_with;
use std::io::Write as _;
use std::process::{Command, Stdio};

use gnutella_wire::deflate::{
    Deflater, InflateError, Inflater, WindowError, compress, inflate, max_len,
};
use gnutella_wire::ggep::{Block, Endpoints, GgepWriter, Known};
use gnutella_wire::qrp::{
    CompressedPatch, KeywordHash, PatchEncoder, PatchPlanError, Progress, QrpError, QueryTable,
    TableReceiver,
};
use gnutella_wire::wire::{Compressor, Patch, Qrp, Reset};

fn unhex(digits: &str) -> Vec<u8> {
    let digits = digits.trim().as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn inflater() -> Inflater<Vec<u8>> {
    Inflater::new(vec![0; Inflater::WINDOW]).unwrap()
}

const ENDPOINTS: &str = "c0000201cb18c0000202cc18c0000203cd18c0000204ce18c0000205cf18";

/// Five endpoints, deflated by zlib with and without its wrapper: servents write the first, some
/// write the second. `LimeWire`'s `GGEPTest` has the junk.
#[test]
fn values_compressed_by_others_inflate() {
    let zlib = "c3a34950505f789c3bc0c0c4785ae2000313d31910c97c1644b29c0391ace7250082cd0853";
    let raw = "c3a3495050593bc0c0c4785ae2000313d31910c97c1644b29c0391ace72500";
    for block in [zlib, raw] {
        let block = unhex(block);
        let (block, _) = Block::decode(&block).unwrap();
        let extension = block.find(b"IPP").unwrap();
        assert!(extension.is_deflated());
        let mut out = [0; 64];
        let len = inflate(extension.data(), &mut out).unwrap();
        assert_eq!(out[..len], unhex(ENDPOINTS));
        let Some(Known::Endpoints(list)) = Known::read(b"IPP", &out[..len]) else { panic!("five") };
        assert_eq!(
            list.iter().map(|to| to.port()).collect::<Vec<_>>(),
            [6347, 6348, 6349, 6350, 6351]
        );
        for short in 0..extension.data().len() {
            let cut = inflate(&extension.data()[..short], &mut out);
            assert!(matches!(cut, Err(InflateError::Truncated | InflateError::Damaged)), "{short}");
        }
        for len in 0..30 {
            let small = inflate(extension.data(), &mut out[..len]);
            assert_eq!(small, Err(InflateError::TooLong { len }));
        }
    }
    let junk = unhex("c30542484f535440a55355534845454c4744415357414e49");
    let (junk, _) = Block::decode(&junk).unwrap();
    let junk = junk.find(b"SUSHE").unwrap();
    assert!(junk.is_deflated());
    assert_eq!(inflate(junk.data(), &mut [0; 99]), Err(InflateError::Damaged));
}

/// The order of writing: deflate, then stuff.
#[test]
fn a_block_with_a_compressed_value_is_read_and_written() {
    let list: Vec<u8> = unhex(ENDPOINTS).repeat(4);
    let mut packed = [0; 200];
    let mut block = [0; 200];
    let mut unstuffed = [0; 200];
    let packed_len = compress(&list, &mut packed).unwrap();
    assert!(packed_len < list.len() / 2, "{packed_len} of {}", list.len());
    let mut writer = GgepWriter::new(&mut block);
    writer.push_deflated(b"IPP", &packed[..packed_len]).unwrap();
    let len = writer.finish();
    assert!(!block[..len].contains(&0), "fit for the record of a hit");
    let (read, _) = Block::decode(&block[..len]).unwrap();
    let extension = read.find(b"IPP").unwrap();
    assert!(extension.is_deflated());
    let mut out = [0; 200];
    let out_len = inflate(extension.unstuffed(&mut unstuffed).unwrap(), &mut out).unwrap();
    assert_eq!(out[..out_len], list);
    assert_eq!(Endpoints::read(&out[..out_len]).unwrap().len(), 20);
}

const A: &str = "789c6358c0c0000001e400a1"; // entries 00 a0 00 00
const B: &str = "789c63606058000000a400a1"; // 00 00 00 a0
const C: &str = "789c63486060000001240061"; // 00 60 00 00

/// QRP 1.0, appendix B: "test", "qrp", then "test" goes; the first stream also cut 10 + 2.
#[test]
fn compressed_patches_of_appendix_b_give_its_tables() {
    let mut table = TableReceiver::new([0; 1]).unwrap();
    let mut inflater = inflater();
    table.handle_reset(Reset { slots: 8, infinity: 7 }).unwrap();
    let steps = [
        (A, 12, 0b0010_0000),
        (B, 12, 0b0010_0010),
        (C, 12, 0b0000_0010),
        (A, 10, 0b0010_0010), // in two messages
    ];
    for (stream, chunk, slots) in steps {
        let stream = unhex(stream);
        let cut = CompressedPatch::new(&stream, 4, chunk).unwrap();
        let messages: Vec<_> = cut.messages().collect();
        assert_eq!(messages.len(), 12_usize.div_ceil(chunk));
        for (n, message) in (1..).zip(&messages) {
            let Qrp::Patch(patch) = message else { panic!("{message}") };
            let last = n == messages.len();
            let expected = if last { Progress::Complete } else { Progress::Partial };
            assert_eq!(table.handle_compressed_patch(patch, &mut inflater), Ok(expected));
        }
        assert_eq!(table.table().unwrap().as_bytes(), [slots]);
    }
}

/// Tables of all widths, plain and compressed, in pieces of every kind, arrive as they are.
#[test]
fn tables_arrive_whole_in_any_chunk_and_width() {
    let mut table = QueryTable::new(12, [0; 512]).unwrap();
    let mut inflater = inflater();
    let mut stream = vec![0; 9_000];
    let mut old: Option<QueryTable<[u8; 512]>> = None;
    for turn in 0..4_u32 {
        table.clear();
        (0..60 * turn)
            .for_each(|n| table.insert(KeywordHash::of(&format!("word{}", n * (turn + 1)))));
        for (entry_bits, infinity) in [(1, 7), (2, 2), (4, 7), (4, 2), (8, 7), (8, 128)] {
            for chunk in [19, 512, 4_096] {
                let from = old.as_ref();
                let plan = PatchEncoder::with_entry_bits(entry_bits, &table, from, infinity, chunk);
                let Ok(plan) = plan else {
                    assert!(usize::from(entry_bits) * 512 > 19 * 255, "only if 255 do not suffice");
                    continue;
                };
                let mut plain = TableReceiver::new([0; 512]).unwrap();
                let mut packed = TableReceiver::new([0; 512]).unwrap();
                for receiver in [&mut plain, &mut packed] {
                    receiver.handle(&plan.reset()).unwrap();
                }
                if let Some(old) = from {
                    // What the neighbour has: the old table, patched from empty.
                    let before =
                        PatchEncoder::with_entry_bits(entry_bits, old, None, infinity, 4_096);
                    for receiver in [&mut plain, &mut packed] {
                        send_plain(&before.unwrap(), receiver);
                    }
                }
                send_plain(&plan, &mut plain);
                let len = plan.compress(&mut stream).unwrap();
                let cut = CompressedPatch::new(&stream[..len], entry_bits, chunk).unwrap();
                for message in cut.messages() {
                    let Qrp::Patch(patch) = message else { panic!("{message}") };
                    packed.handle_compressed_patch(&patch, &mut inflater).unwrap();
                }
                assert_eq!(plain.table().unwrap(), table, "{entry_bits} bits, {chunk}");
                assert_eq!(packed.table().unwrap(), table, "{entry_bits} bits, {chunk}, zlib");
            }
        }
        old = Some(table);
    }
    let table = QueryTable::resume(2, [0x40]).unwrap(); // four slots: half a byte of one-bit entries
    let plan = PatchEncoder::with_entry_bits(1, &table, None, 7, 1).unwrap();
    assert!(plan.entries().eq([0x40]));
    let error = PatchEncoder::with_entry_bits(3, &table, None, 7, 1).unwrap_err();
    assert_eq!(error, PatchPlanError::EntryBits { entry_bits: 3 });
    let error = PatchEncoder::with_entry_bits(2, &table, None, 7, 1).unwrap_err();
    assert_eq!(error, PatchPlanError::Infinity { infinity: 7, entry_bits: 2, most: 2 });
}

fn send_plain(plan: &PatchEncoder<'_>, receiver: &mut TableReceiver<[u8; 512]>) {
    let mut out = vec![0; 4_200];
    for seq_no in 1..=plan.message_count() {
        let len = plan.encode(seq_no, &mut out).unwrap();
        receiver.handle(&Qrp::decode(&out[..len]).unwrap()).unwrap();
    }
}

/// A leaf of 300 names: its table of 64K slots shrinks to a twentieth and less.
#[test]
fn a_table_of_a_leaf_shrinks() {
    let mut table = QueryTable::new(16, vec![0; 8_192]).unwrap();
    (0..300).for_each(|n| table.insert(KeywordHash::of(&format!("song number {n}"))));
    let plan = PatchEncoder::new(&table, None, 7, 512).unwrap();
    let mut stream = vec![0; 4_000];
    let len = plan.compress(&mut stream).unwrap();
    assert!(len < plan.entries_len() / 20, "{len} of {}", plan.entries_len());
}

#[test]
fn damaged_patches_are_refused() {
    let mut inflater = inflater();
    let mut refused = |slots, data: &[u8]| {
        let mut table = TableReceiver::new([0; 1]).unwrap();
        table.handle_reset(Reset { slots, infinity: 7 }).unwrap();
        let compressor = Compressor::ZLIB;
        let entry_bits = 4;
        let patch = Patch { seq_no: 1, seq_size: 1, compressor, entry_bits, data };
        table.handle_compressed_patch(&patch, &mut inflater).unwrap_err()
    };
    let stream = unhex(A);
    assert_eq!(refused(8, b"junk"), QrpError::Damaged);
    assert_eq!(refused(8, &stream[..4]), QrpError::Short { covered: 2, slots: 8 });
    assert_eq!(refused(16, &stream), QrpError::Short { covered: 8, slots: 16 });
    assert_eq!(refused(4, &stream), QrpError::Overflow { slots: 4 });
    let mut bomb = vec![0; 9_000];
    let len = compress(&vec![0; 1 << 19], &mut bomb).unwrap();
    assert_eq!(refused(8, &bomb[..len]), QrpError::Overflow { slots: 8 });
}

/// Both directions of a link: what is flushed comes out, byte by byte, and long streams too.
#[test]
fn a_deflated_connection_inflates_to_its_messages() {
    let mut rng = 7_u64;
    let mut random = repeat_with(move || {
        rng = rng.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        (rng >> 56) as u8
    });
    let mut deflater = Deflater::new();
    let mut inflater = inflater();
    let mut sent = 0;
    let mut got = Vec::<u8>::new();
    let mut bytes_in = Vec::<u8>::new();
    for turn in 0..200_usize {
        let mut message: Vec<u8> = random.by_ref().take(turn % 40).collect();
        message.extend(b"GNUTELLA/0.6 200 OK ".repeat(turn % 30));
        let mut out = vec![0; max_len(message.len())];
        let len = deflater.flush(&message, &mut out).unwrap();
        sent += len;
        bytes_in.extend(&message);
        for byte in &out[..len] {
            let piece = inflater.inflate(&[*byte]).unwrap();
            assert_eq!(piece.consumed, 1);
            got.extend(piece.bytes);
        }
        assert_eq!(got.len(), bytes_in.len(), "at once, in turn {turn}");
    }
    assert_eq!(got, bytes_in);
    assert!(sent < bytes_in.len() / 5, "{sent} of {}", bytes_in.len());
    let noise: Vec<u8> = random.take(100_000).collect();
    let mut out = vec![0; max_len(noise.len())];
    assert!(deflater.flush(&noise, &mut out).is_ok(), "what has no pattern fits too");
    assert_eq!(Inflater::new([0; 1_000]).unwrap_err(), WindowError { len: 1_000 });
    assert_eq!(Inflater::new([0; 0]).unwrap_err(), WindowError { len: 0 });
}

/// An independent judge: zlib itself, by way of Python. It reads what is written here, flushed or whole, and what it
/// writes at its best is read here. The test passes without a word where there is no Python.
#[test]
fn zlib_inflates_ours_and_its_output_is_inflated() {
    let judge = |code: &str, input: &[u8]| -> Option<Vec<u8>> {
        let mut python = Command::new("python3")
            .args(["-c", &format!("import sys, zlib; i = sys.stdin.buffer.read(); {code}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        python.stdin.take().unwrap().write_all(input).unwrap();
        let output = python.wait_with_output().unwrap();
        assert!(output.status.success());
        Some(output.stdout)
    };
    let text = include_bytes!("vectors.rs").repeat(5); // longer than the window
    let mut packed = vec![0; max_len(text.len())];
    let len = compress(&text, &mut packed).unwrap();
    let write = "sys.stdout.buffer.write";
    let Some(out) = judge(&format!("{write}(zlib.decompress(i))"), &packed[..len]) else {
        eprintln!("no python3, nothing judged");
        return;
    };
    assert!(out == text, "zlib reads a value");
    let mut deflater = Deflater::new();
    let mut sent = Vec::new();
    for message in text.chunks(1_000) {
        let len = deflater.flush(message, &mut packed).unwrap();
        sent.extend(&packed[..len]);
    }
    let out = judge(&format!("{write}(zlib.decompressobj().decompress(i))"), &sent).unwrap();
    assert!(out == text, "zlib reads a link");
    let best = judge(&format!("{write}(zlib.compress(i, 9))"), &text).unwrap();
    let mut out = vec![0; text.len()];
    assert_eq!(inflate(&best, &mut out), Ok(text.len()));
    assert!(out == text, "a value of zlib is read");
    let mut inflater = inflater();
    let mut rest = &best[..];
    let mut out = Vec::<u8>::new();
    while let Ok(piece) = inflater.inflate(rest) {
        out.extend(piece.bytes);
        rest = &rest[piece.consumed..];
        if piece.ended {
            break;
        }
    }
    assert!(out == text && rest.is_empty(), "a link of zlib is read");
}

/// The README of the crate states how much memory a link takes.
#[test]
fn an_inflater_is_as_large_as_documented() {
    let state = size_of::<Inflater<[u8; 0]>>();
    assert!(state <= 11 << 10, "{state}");
    assert_eq!(size_of::<Inflater<[u8; Inflater::WINDOW]>>(), state + Inflater::WINDOW);
}
