//! The fast extension against the tables of BEP 6.

mod common;

use bittorrent_pieces::wire::fast::{
    ALLOWED_FAST, AnswerRules, Asked, Fast, RuleError, RuleSlot, allowed_fast,
};
use bittorrent_pieces::wire::{DecodeError, Message, Piece};
use bittorrent_pieces::{Block, InfoHash, PieceIndex};
use common::{rows, unhex};

const TABLE: &str = include_str!("data/peer_wire.txt");
const BLOCK: Block = Block { piece: PieceIndex(1), begin: 0, len: 4 };

/// BEP 6: each frame is read and written back, byte for byte.
#[test]
fn frames_of_bep_6_are_read_and_written_back() {
    let mut lines = Vec::new();
    for row in rows(TABLE, "frame") {
        let bytes = unhex(row[2]);
        let (message, _) = Message::decode(&bytes, 1 << 20).unwrap();
        let Some(fast) = Fast::of(&message).unwrap() else { continue };
        let mut out = [0; 17];
        assert_eq!(fast.encode(&mut out), Ok(bytes.len()));
        assert_eq!(out[..bytes.len()], bytes, "{}", row[1]);
        assert_eq!(fast.encode(&mut out[..4]).unwrap_err().needed, bytes.len());
        lines.push(fast.to_string());
    }
    let expected = [
        "SUGGEST piece=3",
        "HAVE ALL",
        "HAVE NONE",
        "REJECT piece=1 begin=0 len=16384",
        "ALLOWED FAST piece=1059",
    ];
    assert_eq!(lines, expected);
    assert_eq!(Fast::decode(0x0E, &[0]), Err(DecodeError::Payload { id: 0x0E, len: 1 }));
    assert_eq!(Fast::decode(0x11, &[0; 3]), Err(DecodeError::Payload { id: 0x11, len: 3 }));
    assert_eq!(Fast::decode(20, &[0; 3]), Ok(None));
}

/// BEP 6, "MUST close": the invalid frames that need the extension.
#[test]
fn without_the_extension_its_messages_close() {
    let mut seen = 0;
    for row in rows(TABLE, "invalid").filter(|row| row[1].ends_with("without_fast")) {
        let bytes = unhex(row[3]);
        let (message, _) = Message::decode(&bytes, 1 << 20).unwrap();
        let mut rules = AnswerRules::new(false, [RuleSlot::EMPTY; 1]);
        match Fast::of(&message) {
            Ok(Some(fast)) => assert_eq!(rules.answered_fast(fast), Err(RuleError::NotFast(fast))),
            other => assert!(matches!(other, Err(DecodeError::Block { .. })), "{other:?}"),
        }
        seen += 1;
    }
    assert_eq!(seen, 2);
}

/// BEP 6, the example, and its masking; the set is clamped where the loop of the BEP never ends.
#[test]
fn allowed_fast_sets() {
    let hash = InfoHash([0xAA; 20]);
    for (ip, pieces, k, expected) in [
        ([80, 4, 4, 200], 1313, 7, &[1059, 431, 808, 1217, 287, 376, 1188][..]),
        ([80, 4, 4, 1], 1313, 7, &[1059, 431, 808, 1217, 287, 376, 1188]),
        ([80, 4, 4, 200], 1313, 9, &[1059, 431, 808, 1217, 287, 376, 1188, 353, 508]),
        ([80, 4, 4, 200], 3, ALLOWED_FAST, &[0, 1, 2]),
        ([80, 4, 4, 200], 1, ALLOWED_FAST, &[0]),
        ([80, 4, 4, 200], 0, ALLOWED_FAST, &[]),
        ([80, 4, 4, 200], 9, 0, &[]),
    ] {
        let mut set = vec![PieceIndex(0); k];
        let len = allowed_fast(ip.into(), hash, pieces, &mut set);
        assert!(set[..len].iter().map(|piece| &piece.0).eq(expected), "{set:?}");
    }
    for pieces in 0..40 {
        for k in 0..40 {
            let mut set = vec![PieceIndex(99); k];
            let len = allowed_fast([1, 2, 3, 4].into(), hash, pieces, &mut set);
            assert_eq!(len, k.min(pieces as usize));
            set.truncate(len);
            set.sort_unstable();
            set.dedup();
            assert!(set.len() == len && set.iter().all(|piece| piece.0 < pieces));
        }
    }
}

fn block() -> Message<'static> {
    Message::Piece(Piece { piece: PieceIndex(1), begin: 0, data: b"abcd" })
}

#[test]
fn every_request_gets_exactly_one_answer() {
    let mut rules = AnswerRules::new(true, [RuleSlot::EMPTY; 1]);
    assert_eq!(rules.answered(&Message::Choke), Err(RuleError::First));
    assert_eq!(rules.answered_fast(Fast::HaveNone), Ok(()));
    assert_eq!(rules.answered_fast(Fast::HaveAll), Err(RuleError::Late));
    assert_eq!(rules.answered(&Message::Bitfield(&[])), Err(RuleError::Late));
    assert_eq!(rules.answered(&block()), Err(RuleError::Unrequested(BLOCK)));
    assert_eq!(rules.asked(&Message::Request(BLOCK)), Ok(Asked::Request));
    assert_eq!(rules.asked(&Message::Request(BLOCK)), Err(RuleError::Full(1)));
    assert_eq!(rules.answered(&Message::Choke), Ok(()), "a choke does not answer");
    assert_eq!(rules.asked(&Message::Cancel(BLOCK)), Ok(Asked::Cancel));
    assert!(rules.unanswered().eq([BLOCK]));
    assert_eq!(rules.answered_fast(Fast::Reject(BLOCK)), Ok(()));
    assert_eq!(rules.asked(&Message::Cancel(BLOCK)), Ok(Asked::Nothing));
    let twice = rules.answered_fast(Fast::Reject(BLOCK));
    assert_eq!(twice, Err(RuleError::RejectedNothing(BLOCK)));
}

/// BEP 3: a choke and a cancel drop requests in silence; blocks on their way are legal.
#[test]
fn without_the_extension_silence_is_an_answer() {
    for drop in [Message::Choke, Message::Cancel(BLOCK)] {
        let mut rules = AnswerRules::new(false, [RuleSlot::EMPTY; 1]);
        rules.asked(&Message::Request(BLOCK)).unwrap();
        match drop {
            Message::Choke => rules.answered(&drop).unwrap(),
            _ => assert_eq!(rules.asked(&drop), Ok(Asked::Nothing)),
        }
        assert_eq!(rules.unanswered().count(), 0);
        assert_eq!(rules.asked(&Message::Request(BLOCK)), Ok(Asked::Request), "room is reused");
        rules.asked(&Message::Cancel(BLOCK)).unwrap();
        assert_eq!(rules.answered(&block()), Ok(()));
        assert_eq!(rules.answered(&block()), Err(RuleError::Unrequested(BLOCK)));
    }
    assert_eq!(size_of::<RuleSlot>(), 16);
}
