//! Messages of peers at the edges: lengths, bits, and the lists of IPv6.

use bittorrent_pieces::wire::extended::{
    DontHave, ExtendedHandshake, HandshakeDraft, MAX_METADATA_SIZE, Metadata, Pex, PexFlags,
};
use bittorrent_pieces::wire::fast::{AnswerRules, Fast, RuleError, RuleSlot};
use bittorrent_pieces::wire::hashes::{HashMessage, HashRange, MAX_HASHES};
use bittorrent_pieces::wire::{DecodeError, Handshake, Message, Piece, Reserved, piece};
use bittorrent_pieces::{Block, CompactPeers, Family, InfoHash, PeerId, PieceIndex};

/// Each bit is its own, and joined bits are all there.
#[test]
fn the_reserved_bits_do_not_touch_each_other() {
    let bits = [Reserved::EXTENDED, Reserved::DHT, Reserved::FAST, Reserved::V2];
    let read = |it: Reserved| [it.extended(), it.dht(), it.fast(), it.v2()];
    for (at, bit) in bits.into_iter().enumerate() {
        assert_eq!(read(bit), [0, 1, 2, 3].map(|other| other == at));
        let others = Reserved(bit.0.map(|byte| !byte));
        assert_eq!(read(others), [0, 1, 2, 3].map(|other| other != at));
        assert_eq!(read(others | bit), [true; 4]);
        assert_eq!(bit | bit, bit);
    }
    let all = bits.into_iter().fold(Reserved::default(), |all, bit| all | bit);
    assert_eq!(all.0, [0, 0, 0, 0, 0, 0x10, 0, 0x15]);
}

#[test]
fn a_handshake_that_is_cut_off_says_how_much_is_missing() {
    let reserved = Reserved([1, 2, 3, 4, 5, 6, 7, 8]);
    let hello = Handshake { reserved, info_hash: InfoHash([9; 20]), peer_id: PeerId([7; 20]) };
    let mut bytes = [0; 70];
    assert_eq!(hello.encode(&mut bytes), Ok(68));
    assert_eq!((hello.encode(&mut bytes[..67]).unwrap_err().needed, hello.encoded_len()), (68, 68));
    for len in 0..68 {
        let incomplete = DecodeError::Incomplete { needed: 68 - len };
        assert_eq!(Handshake::decode(&bytes[..len]), Err(incomplete));
    }
    assert_eq!(Handshake::decode(&bytes), Ok((hello, &[0, 0][..])));
    bytes[19] = b'X';
    assert_eq!(
        Handshake::decode(&bytes[..19]).unwrap_err(),
        DecodeError::Incomplete { needed: 49 }
    );
    assert_eq!(Handshake::decode(&bytes[..20]), Err(DecodeError::Protocol));
}

/// The length of each message, as BEP 3 has it, and no byte less is enough.
#[test]
fn messages_have_the_lengths_of_bep_3() {
    let block = Block { piece: PieceIndex(1), begin: 2, len: 3 };
    for (message, len) in [
        (Message::KeepAlive, 4),
        (Message::Choke, 5),
        (Message::Unchoke, 5),
        (Message::Interested, 5),
        (Message::NotInterested, 5),
        (Message::Have(PieceIndex(9)), 9),
        (Message::Bitfield(&[]), 5),
        (Message::Bitfield(&[1, 2]), 7),
        (Message::Request(block), 17),
        (Message::Piece(Piece { piece: PieceIndex(1), begin: 2, data: b"abc" }), 16),
        (Message::Cancel(block), 17),
        (Message::Port(6_881), 7),
        (Message::Other { id: 99, payload: b"abcd" }, 9),
    ] {
        assert_eq!(message.encoded_len(), len, "{message}");
        let mut bytes = vec![0; len];
        assert_eq!(message.encode(&mut bytes[..len - 1]).unwrap_err().needed, len);
        assert_eq!(message.encode(&mut bytes), Ok(len));
        assert_eq!(Message::decode(&bytes, 100), Ok((message, &[][..])));
        for cut in 4..len {
            let incomplete = DecodeError::Incomplete { needed: len - cut };
            assert_eq!(Message::decode(&bytes[..cut], 100), Err(incomplete), "{message}");
        }
    }
    let mut header = [0; 13];
    assert_eq!(piece::encode_header(block, &mut header), Ok(13));
    assert_eq!(header, [0, 0, 0, 12, 7, 0, 0, 0, 1, 0, 0, 0, 2]);
    assert_eq!(piece::encode_header(block, &mut header[..12]).unwrap_err().needed, 13);
    assert_eq!(
        Message::decode(&[0, 0, 0, 8, 7, 0, 0, 0, 1, 0, 0, 0], 100).unwrap_err(),
        DecodeError::Payload { id: 7, len: 7 }
    );
}

/// Powers of two from 2 to 8,192, at a multiple of themselves; layers below 64.
#[test]
fn a_range_of_hashes_has_limits() {
    let range = |base, index, length, proof_layers| HashRange {
        root: [1; 32],
        base,
        index,
        length,
        proof_layers,
    };
    assert_eq!(MAX_HASHES, 8_192);
    for (range, valid) in [
        (range(0, 0, 2, 0), true),
        (range(63, 8_192, 8_192, 63), true),
        (range(64, 0, 2, 0), false),
        (range(0, 0, 2, 64), false),
        (range(0, 0, 16_384, 0), false),
        (range(0, 2, 4, 0), false),
        (range(0, 0, 3, 0), false),
    ] {
        assert_eq!(range.is_valid(), valid, "{range:?}");
        for message in [
            HashMessage::Request(range),
            HashMessage::Reject(range),
            HashMessage::Hashes(range, &[[5; 32], [6; 32]]),
        ] {
            let mut bytes = vec![0; message.encoded_len()];
            assert_eq!(message.encode(&mut bytes), Ok(bytes.len()));
            let (read, _) = Message::decode(&bytes, 1_000).unwrap();
            assert_eq!(HashMessage::of(&read), Ok(Some(message)));
        }
    }
    for (id, len, valid) in [
        (21, 48, true),
        (21, 49, false),
        (21, 47, false),
        (22, 48, true),
        (22, 80, true),
        (22, 79, false),
        (23, 48, true),
        (23, 80, false),
    ] {
        let payload = vec![0; len];
        assert_eq!(HashMessage::decode(id, &payload).is_ok(), valid, "{id} {len}");
    }
    assert_eq!(HashMessage::decode(20, &[]), Ok(None));
    assert_eq!(HashMessage::decode(24, &[]), Ok(None));
}

fn v6(numbers: impl IntoIterator<Item = u8>) -> Vec<u8> {
    let peer = |number| [&[0x20, 1, 0xD, 0xB8][..], &[0; 11], &[number, 0, 80]].concat();
    numbers.into_iter().flat_map(peer).collect()
}

/// The limits count the peers of both families together, and each list has its flags.
#[test]
fn an_exchange_counts_peers_of_both_families() {
    let four: Vec<u8> = (0..30).flat_map(|number| [10, 0, 0, number, 0, 80]).collect();
    let read = |added: usize, added6: u8, dropped6: &[u8], first| {
        let six = v6(0..added6);
        let pex = Pex {
            added: CompactPeers::new(Family::V4, &four[..6 * added]).unwrap(),
            added_flags: &[0x11],
            added6: CompactPeers::new(Family::V6, &six).unwrap(),
            added6_flags: &[2, 8],
            dropped: CompactPeers::new(Family::V4, &[]).unwrap(),
            dropped6: CompactPeers::new(Family::V6, dropped6).unwrap(),
        };
        let mut out = vec![0; 5_000];
        let len = pex.encode(&mut out).unwrap();
        Pex::decode(&out[..len], first).map(|pex| {
            let flags: Vec<u8> = pex.added().map(|(_, flags)| flags.0).collect();
            (flags, pex.dropped().count())
        })
    };
    assert_eq!(read(2, 3, &v6([9]), false), Ok((vec![0x11, 0, 2, 8, 0], 1)));
    assert_eq!(read(30, 71, &[], false).map(|(flags, _)| flags.len()), Ok(100), "IPv6 is cut");
    assert_eq!(read(0, 0, &v6(0..100), false).map(|(_, dropped)| dropped), Ok(100));
    assert_eq!(read(0, 0, &v6(0..101), false).map(|(_, dropped)| dropped), Ok(100));
    assert_eq!(read(30, 170, &[], true).map(|(flags, _)| flags.len()), Ok(200));
    assert_eq!(read(30, 171, &[], true).map(|(flags, _)| flags.len()), Ok(200));
    let flags = PexFlags(0x12);
    assert!(flags.contains(PexFlags::SEED) && flags.contains(PexFlags::REACHABLE));
    assert!(flags.contains(PexFlags(0x12)) && !flags.contains(PexFlags(0x13)));
}

/// BEP 9: 30 MiB at most; a piece lies within the size.
#[test]
fn metadata_has_a_greatest_size() {
    let last = MAX_METADATA_SIZE / 16_384 - 1;
    for (piece, size, len) in [
        (last, MAX_METADATA_SIZE, Some(16_384)),
        (last + 1, MAX_METADATA_SIZE, None),
        (0, 0, None),
        (0, 1, Some(1)),
        (1, 16_384, None),
        (1, 16_385, Some(1)),
        (u32::MAX, u32::MAX, None),
    ] {
        assert_eq!(Metadata::piece_len(piece, size), len, "{piece} of {size}");
    }
    let mut body =
        format!("d8:msg_typei1e5:piecei{last}e10:total_sizei{MAX_METADATA_SIZE}ee").into_bytes();
    body.extend([7; 16_384]);
    assert!(matches!(Metadata::decode(&body), Ok(Metadata::Data { .. })));
    for (kind, known) in [(-1, false), (0, true), (2, true), (3, false)] {
        let body = format!("d8:msg_typei{kind}e5:piecei5ee");
        let read = Metadata::decode(body.as_bytes()).unwrap();
        assert_eq!(read == Metadata::Unknown(kind), !known, "{kind}");
        let mut out = [0; 60];
        let len = read.encode(&mut out).unwrap();
        assert_eq!(Metadata::decode(&out[..len]), Ok(read));
    }
}

/// BEP 10 and 21: the addresses and flags of a handshake, as far as they are valid.
#[test]
fn an_extended_handshake_has_addresses_of_both_families() {
    let body = b"d4:ipv44:\xC0\x00\x02\x014:ipv616:\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x01\
        1:md1:ai1e1:bi255ee11:upload_onlyi0e6:yourip16:\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x02e";
    let hello = ExtendedHandshake::decode(body).unwrap();
    assert_eq!(hello.ipv4, Some([192, 0, 2, 1].into()));
    assert_eq!(hello.ipv6, Some("2001:db8::1".parse().unwrap()));
    assert_eq!(hello.your_ip, Some("2001:db8::2".parse().unwrap()));
    assert_eq!(hello.upload_only, Some(false));
    assert_eq!([hello.id(b"a"), hello.id(b"b"), hello.id(b"c")], [Some(1), Some(255), None]);
    let draft = HandshakeDraft { upload_only: Some(true), ..HandshakeDraft::default() };
    let mut out = [0; 60];
    let len = draft.encode(&mut out).unwrap();
    assert_eq!(out[..len], *b"d1:mde11:upload_onlyi1ee");
    let draft = HandshakeDraft { your_ip: Some([192, 0, 2, 1].into()), ..draft };
    let len = draft.encode(&mut out).unwrap();
    assert_eq!(out[..len], *b"d1:mde11:upload_onlyi1e6:yourip4:\xC0\x00\x02\x01e");
    assert_eq!(DontHave::decode(&[0, 0, 1, 2]), Ok(DontHave(PieceIndex(258))));
    assert!(DontHave::decode(&[0; 5]).is_err());
}

/// BEP 6: the bitfield, have-all or have-none comes first, after keepalives; without the extension anything may.
#[test]
fn the_rules_of_the_first_message() {
    let rules = |fast| AnswerRules::new(fast, [RuleSlot::EMPTY; 2]);
    let mut fast = rules(true);
    assert_eq!(fast.answered(&Message::KeepAlive), Ok(()));
    for early in [Fast::Suggest(PieceIndex(0)), Fast::AllowedFast(PieceIndex(0))] {
        assert_eq!(fast.answered_fast(early), Err(RuleError::First));
    }
    assert_eq!(fast.answered(&Message::Bitfield(&[])), Ok(()));
    assert_eq!(fast.answered_fast(Fast::Suggest(PieceIndex(0))), Ok(()));
    assert_eq!(fast.answered_fast(Fast::HaveNone), Err(RuleError::Late));
    let mut plain = rules(false);
    assert_eq!(plain.answered(&Message::Have(PieceIndex(1))), Ok(()));
    assert_eq!(plain.answered(&Message::Bitfield(&[])), Err(RuleError::Late));
    let block = Block { piece: PieceIndex(1), begin: 0, len: 1 };
    let all = [Fast::Suggest(PieceIndex(0)), Fast::HaveAll, Fast::HaveNone, Fast::Reject(block)];
    let ids = all.map(|message| message.id());
    assert_eq!((ids, Fast::AllowedFast(PieceIndex(0)).id()), ([0x0D, 0x0E, 0x0F, 0x10], 0x11));
    // Two requests for one block are two answers.
    for _ in 0..2 {
        fast.asked(&Message::Request(block)).unwrap();
    }
    assert_eq!(fast.answered_fast(Fast::Reject(block)), Ok(()));
    assert_eq!(fast.unanswered().count(), 1);
    let piece = Message::Piece(Piece { piece: PieceIndex(1), begin: 0, data: b"x" });
    assert_eq!(fast.answered(&piece), Ok(()));
    assert_eq!(fast.answered(&piece), Err(RuleError::Unrequested(block)));
}
