//! The extension protocol against frames from the tables of BEP 9, 10, 11 and 54.

mod common;

use bittorrent_pieces::bencode::WriteError;
use bittorrent_pieces::wire::Message;
use bittorrent_pieces::wire::extended::{
    DontHave, Extended, ExtendedError, ExtendedHandshake, HandshakeDraft, MAX_METADATA_SIZE,
    Metadata, Pex, PexFlags,
};
use bittorrent_pieces::{CompactPeers, Family, PieceIndex};
use common::{rows, unhex};

const TABLE: &str = include_str!("data/peer_wire.txt");

/// Returns the extended id and body of a frame, and checks that they are written back.
fn frame(name: &str) -> (u8, Vec<u8>) {
    let row = rows(TABLE, "frame").find(|row| row[1] == name).expect(name);
    let bytes = unhex(row[2]);
    let (message, _) = Message::decode(&bytes, 1 << 20).unwrap();
    let Message::Other { id: 20, payload } = message else { panic!("{message}") };
    let extended = Extended::decode(payload).unwrap();
    let mut out = vec![0; bytes.len()];
    assert_eq!(extended.encode(&mut out), Ok(bytes.len()));
    assert_eq!(out, bytes);
    (extended.id, extended.body.to_vec())
}

#[test]
fn extended_handshakes_of_programs_are_read_and_written() {
    let (id, body) = frame("extended_handshake_empty");
    let empty = ExtendedHandshake::decode(&body).unwrap();
    assert_eq!((id, empty.id(b"ut_pex"), empty.ids().count()), (0, None, 0));
    let (id, body) = frame("extended_handshake");
    let hello = ExtendedHandshake::decode(&body).unwrap();
    assert_eq!((id, hello.id(b"ut_metadata"), hello.id(Pex::NAME)), (0, Some(3), Some(1)));
    assert_eq!((hello.metadata_size, hello.request_queue), (Some(31_235), Some(250)));
    let mut draft = HandshakeDraft {
        ids: &[(Metadata::NAME, 3), (Pex::NAME, 1)],
        metadata_size: Some(31_235),
        request_queue: Some(250),
        ..HandshakeDraft::default()
    };
    let mut out = [0; 120];
    let len = draft.encode(&mut out).unwrap();
    assert_eq!(out[..len], body);
    draft.version = Some(b"x 1");
    draft.port = Some(6881);
    draft.your_ip = Some("2001:db8::1".parse().unwrap());
    let len = draft.encode(&mut out).unwrap();
    let hello = ExtendedHandshake::decode(&out[..len]).unwrap();
    assert_eq!((hello.port, hello.your_ip), (draft.port, draft.your_ip));
    assert_eq!((hello.version, hello.upload_only), (draft.version, None));
    draft.ids = &[(Pex::NAME, 1), (Metadata::NAME, 3)];
    assert_eq!(draft.encode(&mut out), Err(WriteError::Order));
}

/// What is impossible counts as left out; 0 turns an extension off (BEP 10).
#[test]
fn impossible_fields_of_an_extended_handshake_count_as_left_out() {
    let hello = b"d4:ipv43:abc1:md6:ut_pexi0e1:xi256e1:y1:ze13:metadata_sizei-1e1:pi65536e\
        11:upload_onlyi1e6:yourip4:\xC0\x00\x02\x01e";
    let hello = ExtendedHandshake::decode(hello).unwrap();
    assert_eq!((hello.ipv4, hello.port, hello.metadata_size), (None, None, None));
    assert!(hello.ids().eq([(&b"ut_pex"[..], 0)]) && hello.upload_only == Some(true));
    assert_eq!(hello.your_ip, Some("192.0.2.1".parse().unwrap()));
    assert_eq!(ExtendedHandshake::decode(b"le"), Err(ExtendedError::NotDictionary));
    assert!(matches!(ExtendedHandshake::decode(b"d"), Err(ExtendedError::Bencode(_))));
    assert_eq!(Extended::decode(&[]), Err(ExtendedError::Empty));
}

#[test]
fn metadata() {
    for (name, expected) in [
        ("ut_metadata_request_0", Metadata::Request { piece: 0 }),
        ("ut_metadata_data_0", Metadata::Data { piece: 0, total_size: 4, data: b"ABCD" }),
        ("ut_metadata_reject_0", Metadata::Reject { piece: 0 }),
    ] {
        let (id, body) = frame(name);
        assert_eq!((id, Metadata::decode(&body)), (3, Ok(expected)), "{name}");
        let mut out = vec![0; body.len()];
        assert_eq!(expected.encode(&mut out), Ok(body.len()));
        assert_eq!(out, body);
    }
    assert_eq!(Metadata::piece_len(1, 34_256), Some(16_384));
    assert_eq!(Metadata::piece_len(2, 34_256), Some(1_488));
    assert_eq!(Metadata::piece_len(2, 32_768), None);
    let too_large = format!("d8:msg_typei1e5:piecei0e10:total_sizei{}ee", MAX_METADATA_SIZE + 1);
    for (body, expected) in [
        ("d8:msg_typei3e5:piecei0ee", Ok(Metadata::Unknown(3))),
        ("d8:msg_typei3ee", Ok(Metadata::Unknown(3))),
        ("d5:piecei0ee", Err(ExtendedError::Key("msg_type"))),
        ("d8:msg_typei0e5:piecei-1ee", Err(ExtendedError::Key("piece"))),
        ("d8:msg_typei1e5:piecei0ee", Err(ExtendedError::Key("total_size"))),
        (&too_large, Err(ExtendedError::Key("total_size"))),
        ("d8:msg_typei1e5:piecei1e10:total_sizei4ee", Err(ExtendedError::Key("piece"))),
        (
            "d8:msg_typei1e5:piecei0e10:total_sizei4eeABC",
            Err(ExtendedError::Length { len: 3, expected: 4 }),
        ),
        (
            "d8:msg_typei1e5:piecei0e10:total_sizei4eeABCDE",
            Err(ExtendedError::Length { len: 5, expected: 4 }),
        ),
    ] {
        assert_eq!(Metadata::decode(body.as_bytes()), expected, "{body}");
    }
}

#[test]
fn a_lost_piece() {
    let (id, body) = frame("lt_donthave_5");
    assert_eq!((id, DontHave::decode(&body)), (7, Ok(DontHave(PieceIndex(5)))));
    assert_eq!(DontHave(PieceIndex(5)).to_bytes()[..], body);
    let length = ExtendedError::Length { len: 3, expected: 4 };
    assert_eq!(DontHave::decode(&[0; 3]), Err(length));
}

/// `count` peers over IPv4, from a number on.
fn peers(from: u16, count: u16) -> Vec<u8> {
    let addr = |at: u16| (from + at).to_be_bytes();
    (0..count).flat_map(|at| [10, 0, addr(at)[0], addr(at)[1], 0, 80]).collect()
}

fn pex<'a>(added: &'a [u8], dropped: &'a [u8]) -> Pex<'a> {
    let v4 = |bytes| CompactPeers::new(Family::V4, bytes).unwrap();
    let v6 = CompactPeers::new(Family::V6, &[]).unwrap();
    Pex {
        added: v4(added),
        added_flags: &[0x12],
        added6: v6,
        added6_flags: &[],
        dropped: v4(dropped),
        dropped6: v6,
    }
}

/// BEP 11 allows 50 of each after the first exchange; libtorrent adds up to 100, and drops as many as it lost.
#[test]
fn peers_that_came_and_went() {
    let read = |pex: Pex<'_>, first| {
        let mut out = vec![0; 4_000];
        let len = pex.encode(&mut out).unwrap();
        let read = Pex::decode(&out[..len], first).unwrap();
        (read.added().count(), read.dropped().count())
    };
    let few = peers(0, 50);
    assert_eq!(read(pex(&few, &peers(100, 51)), false), (50, 51));
    assert_eq!(read(pex(&peers(0, 100), &peers(100, 150)), false), (100, 100));
    assert_eq!(read(pex(&peers(0, 101), &[]), false), (100, 0));
    assert_eq!(read(pex(&peers(0, 200), &[]), true), (200, 0));
    assert_eq!(read(pex(&peers(0, 201), &[]), true), (200, 0));
    assert_eq!(read(pex(&few, &few[..6]), false), (50, 1), "it came again");
    assert_eq!(read(pex(&[&few[..6], &few[..6]].concat(), &[]), true), (2, 0));
    let two = pex(&few[..12], &[]);
    let flags: Vec<_> = two.added().map(|(_, flags)| flags).collect();
    assert_eq!(flags, [PexFlags(0x12), PexFlags(0)]);
    assert!(flags[0].contains(PexFlags::REACHABLE) && !flags[0].contains(PexFlags::UTP));
    let nobody = Pex::decode(b"de", true).unwrap(); // as aria2 has it
    assert_eq!(nobody.added().count() + nobody.dropped().count(), 0);
    assert_eq!(Pex::decode(b"le", true), Err(ExtendedError::NotDictionary));
    // A value of another type costs only itself, and so does half a peer.
    let dropped = Pex::decode(b"d5:addedle7:dropped8:\x0A\0\0\x01\0\x50\x0A\0e", false).unwrap();
    assert_eq!(dropped.added().count(), 0);
    assert!(dropped.dropped().eq(["10.0.0.1:80".parse().unwrap()]));
}
