//! What a peer may send at most: bytes of a message, and headers that are of no use.

use core::time::Duration;

use ledger_core::gossip::{
    BlockVerdict, CloseReason, HeadersWriter, Message, MessageError, Status,
};
use ledger_core::{BlockId, ConnId, Height};

use crate::common::World;
use crate::machine::{NOW, closed, events, gossip, hello, receivers, say, sent};

/// `docs/WIRE.md`, with blocks of up to 4,096 bytes. A longer payload is refused when its length is known.
#[test]
fn a_payload_is_at_most_as_long_as_its_kind_allows() {
    for (kind, largest) in [
        (1, 81),
        (2, 40),
        (3, 1_024),
        (4, 4_096),
        (5, 32),
        (6, 4_096),
        (7, 1_024),
        (8, 32),
        (9, 4_096),
        (10, 33),
        (11, 40),
        (12, 64),
        (13, 4_096),
        (14, 0),
        (15, 1_024), // unknown
        (255, 1_024),
    ] {
        for (len, is_refused) in [(largest, false), (largest + 1, true)] {
            let mut gossip = gossip(4);
            hello(&mut gossip, 1, 5);
            events(&mut gossip);
            let front = [&[kind][..], &u32::to_be_bytes(len)].concat();
            gossip.handle_bytes(NOW, ConnId(1), &front).expect("it is connected");
            let expected = closed(1, CloseReason::Malformed);
            let expected = Vec::from_iter(is_refused.then_some(expected));
            assert_eq!(events(&mut gossip), expected, "{len} bytes of kind {kind}");
        }
    }
}

/// `docs/WIRE.md`: a message has 1 to 32 whole ids.
#[test]
fn a_list_has_one_to_thirty_two_ids() {
    for kind in [3, 7] {
        for (len, is_list) in [
            (0, false),
            (1, false),
            (31, false),
            (32, true),
            (33, false),
            (64, true),
            (1_024, true),
            (1_025, false),
            (1_056, false),
        ] {
            let front = [&[kind][..], &u32::to_be_bytes(len)].concat();
            let bytes = [front, vec![9; len as usize]].concat();
            let read = Message::decode(&bytes).map(|(_, rest)| rest.len());
            let expected = if is_list { Ok(0) } else { Err(MessageError::Malformed(kind)) };
            assert_eq!(read, expected, "{len} bytes of kind {kind}");
        }
    }
}

/// A peer that says that headers follow is asked for them, if it has sent some.
#[test]
fn a_peer_with_more_headers_sends_some() {
    let block = World::new().seal_block();
    for (count, more, is_asked) in
        [(0, false, false), (0, true, false), (1, false, false), (1, true, true)]
    {
        let mut gossip = gossip(4);
        hello(&mut gossip, 1, 5);
        assert_eq!(receivers(&mut gossip, "GET_HEADERS"), [1]);
        let mut out = [0; 1_024];
        let mut writer = HeadersWriter::new(&mut out).expect("long enough");
        assert_eq!((0..count).filter(|_| writer.push(&block)).count(), count);
        let len = writer.finish(more);
        gossip.handle_bytes(NOW, ConnId(1), &out[..len]).expect("it is connected");
        gossip.handle_timeout(NOW);
        let asked = !receivers(&mut gossip, "GET_HEADERS").is_empty();
        assert_eq!(asked, is_asked, "{count} headers, more follow: {more}");
    }
}

/// After more than 1,024 headers that are lighter than the chain a peer is not asked for headers for 90 seconds.
#[test]
fn a_peer_with_light_headers_has_to_wait() {
    for (light, is_asked) in [(&[1_024][..], true), (&[1_000, 24], true), (&[1_000, 25], false)] {
        let mut gossip = gossip(4);
        hello(&mut gossip, 1, 5);
        assert_eq!(receivers(&mut gossip, "GET_HEADERS"), [1]);
        let mut none = [0; 16];
        let len = HeadersWriter::new(&mut none).expect("long enough").finish(false);
        gossip.handle_bytes(NOW, ConnId(1), &none[..len]).expect("it is connected");
        for headers in light {
            let verdict = BlockVerdict::Light { headers: *headers };
            gossip.handle_header_checked(NOW, ConnId(1), verdict);
        }
        sent(&mut gossip);
        let mut asked_at = |seconds: u8| {
            let now = NOW + Duration::from_secs(seconds.into());
            let tip = BlockId::from_bytes([seconds; 32]);
            say(&mut gossip, now, 1, &Message::Status(Status { height: Height(6), tip }));
            gossip.handle_timeout(now);
            !receivers(&mut gossip, "GET_HEADERS").is_empty()
        };
        assert_eq!(asked_at(1), is_asked, "{light:?}");
        if !is_asked {
            assert!(!asked_at(60) && !asked_at(89), "{light:?}");
            assert!(asked_at(90), "{light:?}");
        }
    }
}
