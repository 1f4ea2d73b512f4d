//! Vendor messages, limits of several servents, marks and parts, against what gtk-gnutella,
//! `LimeWire` and Phex send.

use core::net::{Ipv4Addr, SocketAddrV4};

use gnutella_wire::wire::{
    ByeCode, Features, Function, Header, HitData, HitFlags, HitParts, Limits, Message, Payload,
    Pong, QueryStatus, Supported, Vendor, VendorId, VendorMessage,
};
use gnutella_wire::{DecodeError, Guid};

fn unhex(digits: &str) -> Vec<u8> {
    let digits = digits.trim().as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// Reads a payload, and checks that it encodes to the same bytes.
fn exactly(payload: &[u8]) -> VendorMessage<'_> {
    let message = VendorMessage::decode(payload).unwrap();
    let mut out = vec![0; message.encoded_len()];
    assert_eq!(message.encode(&mut out), Ok(payload.len()));
    assert_eq!(out, payload, "{message}");
    message
}

const ANNOUNCED: &str = "BEAR/4v1 BEAR/7v1 BEAR/11v1 BEAR/12v1 GTKG/7v1 GTKG/7v2 GTKG/9v1 \
    GTKG/10v1 GTKG/21v1 GTKG/22v1 GTKG/23v1 LIME/5v1 LIME/11v2 LIME/11v3 LIME/12v1 LIME/12v2 \
    LIME/12v3 LIME/13v1 LIME/21v1 LIME/21v2 LIME/22v1 LIME/22v2 LIME/23v1 LIME/23v2 LIME/24v1 \
    LIME/24v2";

/// What a running gtk-gnutella 1.2.3-14 announces first: 26 messages and 5 features.
#[test]
fn the_support_lists_of_gtk_gnutella_decode() {
    let file = include_str!("data/tcp-messages.hex");
    let lines: Vec<_> = file.lines().filter(|l| !l.starts_with('#')).map(unhex).collect();
    let read = |at: usize| {
        let (message, _) = Message::decode(&lines[at], Limits::GTKG).unwrap();
        let Payload::Other(other) = message.payload else { panic!("{message}") };
        assert_eq!((other.function, message.ttl, message.hops), (Function::VENDOR, 1, 0));
        (exactly(other.body), message.to_string())
    };
    let (VendorMessage::MessagesSupported(list), line) = read(0) else { panic!("messages") };
    let names: Vec<_> = list.iter().map(|id| id.to_string()).collect();
    assert_eq!(names.join(" "), ANNOUNCED);
    assert!(list.iter().all(|id| !id.name().is_empty()), "all are named");
    let head = "VENDOR 00000000 ttl=1 hops=0 0/0v0 messages supported BEAR/4v1 ";
    assert!(line.starts_with(head), "{line}");
    let (VendorMessage::FeaturesSupported(list), line) = read(1) else { panic!("features") };
    let names = [*b"HSEP", *b"WHAT", *b"QRP1", *b"F2FT", *b"TCPI"];
    assert!(list.iter().map(|(name, _)| name).eq(names));
    assert!(list.iter().map(|(_, version)| version).eq([1, 1, 1, 0xFFFF, 1]));
    assert!(line.ends_with("0/10v0 features supported HSEP WHAT QRP1 F2FT TCPI"), "{line}");
}

#[test]
fn vendor_messages_of_every_kind_round_trip() {
    let address = SocketAddrV4::new(Ipv4Addr::new(10, 1, 2, 3), 6346);
    let guid = Guid([0xAB; 16]);
    let rows = [
        (VendorMessage::HopsFlow(3), "42454152 0400 0100 03", "BEAR/4v1 hops flow 3"),
        (
            VendorMessage::TcpConnectBack(6346),
            "42454152 0700 0100 ca18",
            "BEAR/7v1 TCP connect back 6346",
        ),
        (VendorMessage::QueryStatusRequest, "42454152 0b00 0100", "BEAR/11v1 query status request"),
        (
            VendorMessage::QueryStatus(QueryStatus(150)),
            "42454152 0c00 0100 9600",
            "BEAR/12v1 query status 150",
        ),
        (
            VendorMessage::QueryStatus(QueryStatus::STOP),
            "42454152 0c00 0100 ffff",
            "BEAR/12v1 query status stop",
        ),
        (
            VendorMessage::UdpConnectBack { port: 6346, guid: Some(guid) },
            "47544b47 0700 0100 ca18 abababababababababababababababab",
            "GTKG/7v1 UDP connect back 6346",
        ),
        (
            VendorMessage::UdpConnectBack { port: 6346, guid: None },
            "47544b47 0700 0200 ca18",
            "GTKG/7v2 UDP connect back 6346",
        ),
        (VendorMessage::ProxyCancel, "47544b47 1500 0100", "GTKG/21v1 proxy cancel"),
        (VendorMessage::OutOfBandAck(9), "4c494d45 0b00 0200 09", "LIME/11v2 out-of-band ack 9"),
        (
            VendorMessage::OutOfBandReply(9),
            "4c494d45 0c00 0100 09",
            "LIME/12v1 out-of-band reply 9",
        ),
        (
            VendorMessage::PushProxyRequest { version: 2 },
            "4c494d45 1500 0200",
            "LIME/21v2 push proxy request",
        ),
        (
            VendorMessage::PushProxyPort(6346),
            "4c494d45 1600 0100 ca18",
            "LIME/22v1 push proxy ack 6346",
        ),
        (
            VendorMessage::PushProxyAddress(address),
            "4c494d45 1600 0200 0a010203 ca18",
            "LIME/22v2 push proxy ack 10.1.2.3:6346",
        ),
        (
            VendorMessage::Other(VendorId::CRAWLER_PING, &[1, 2, 3]),
            "4c494d45 0500 0100 010203",
            "LIME/5v1 crawler ping +3 bytes",
        ),
        (
            VendorMessage::Other(VendorId::HOPS_FLOW, &[1, 2]), // not of its length: kept as it is
            "42454152 0400 0100 0102",
            "BEAR/4v1 hops flow +2 bytes",
        ),
        (
            VendorMessage::Other(VendorId::new(*b"a\nb\0", 1, 2), &[]),
            "610a6200 0100 0200",
            "a\\nb\\x00/1v2",
        ),
    ];
    for (message, bytes, line) in rows {
        assert_eq!(exactly(&unhex(&bytes.replace(' ', ""))), message);
        assert_eq!(message.to_string(), line);
    }
    let short = DecodeError::Malformed { function: Function::VENDOR, len: 7 };
    assert_eq!(VendorMessage::decode(b"BEAR\x04\0\x01"), Err(short));
    // A count that is not that of the items: kept as it is.
    let lying = unhex("00000000000000000200424541520400 0100".replace(' ', "").as_str());
    assert!(matches!(exactly(&lying), VendorMessage::Other(VendorId::MESSAGES_SUPPORTED, _)));
    let mine = [VendorId::HOPS_FLOW.to_bytes(), VendorId::QUERY_STATUS.to_bytes()];
    let mine = VendorMessage::MessagesSupported(Supported::new(&mine).unwrap());
    let mut out = [0; 26];
    assert_eq!(mine.encode(&mut out), Ok(26));
    assert_eq!(exactly(&out), mine);
    assert!(Features::new(&vec![[0; 6]; 65_536]).is_none());
}

fn header(function: Function, len: u32, limits: Limits) -> Result<u32, DecodeError> {
    let header = Header { guid: Guid([0; 16]), function, ttl: 1, hops: 0, len };
    Header::decode(&header.to_bytes(), limits).map(|(header, _)| header.len)
}

/// gtk-gnutella's sflag: bits above the low 16 are flags, but only where both ends agreed on it.
#[test]
fn flags_in_the_length_word_are_read_only_where_agreed() {
    let plain = Limits::GTKG;
    let agreed = Limits::GTKG.with_size_flags();
    let desynchronised = |len| Err(DecodeError::Desynchronised { len });
    assert_eq!(header(Function::PING, 0x8000_0005, plain), desynchronised(0x8000_0005));
    assert_eq!(header(Function::PING, 0x8000_0005, agreed), Ok(5));
    assert_eq!(header(Function::PING, 0xFFFF_0005, agreed), Ok(5));
    assert_eq!(header(Function::PING, 0x7FFF_0005, agreed), desynchronised(0x7FFF_0005));
    assert_eq!(header(Function::PING, 0x0001_0000, agreed), desynchronised(0x0001_0000));
    let limit = DecodeError::TooLarge { function: Function::QUERY, len: 0x8000, limit: 1_024 };
    assert_eq!(header(Function::QUERY, 0x8000_8000, agreed), Err(limit));
}

#[test]
fn profiles_give_their_limits() {
    let strict = Limits::STRICT_04;
    for (function, len) in [(Function::PING, 0), (Function::PONG, 14), (Function::PUSH, 26)] {
        assert_eq!(strict.of(function), len);
        assert_eq!(header(function, u32::from(len), strict), Ok(u32::from(len)));
        assert!(header(function, u32::from(len) + 1, strict).is_err());
        for limits in [Limits::GTKG, Limits::LIMEWIRE, Limits::EMBEDDED] {
            assert!(usize::from(limits.of(function)) + 23 <= limits.buffer_len());
            assert_eq!(header(function, 1_000, limits), Ok(1_000));
        }
    }
    let mut tiny = strict;
    tiny.other = 4;
    tiny.query = 4;
    tiny.query_hit = 4;
    tiny.bye = 4;
    assert_eq!(tiny.buffer_len(), 23 + 26); // what is fixed must fit
}

/// Phex, `PongMsgTest`.
#[test]
fn the_mark_of_an_ultrapeer_is_rounded_as_phex_does() {
    let rows = [(0, 8), (1_535, 1_024), (1_536, 2_048), (100_663_295, 67_108_864)];
    for (kilobytes, mark) in rows.into_iter().chain([(100_663_296, 134_217_728)]) {
        assert_eq!(Pong::ultrapeer_mark(kilobytes), mark);
    }
    assert_eq!([3, 7, 11, 12, u32::MAX].map(Pong::ultrapeer_mark), [8, 8, 8, 16, 1 << 31]);
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1);
    let pong = |kilobytes| Pong { address, files: 0, kilobytes, extensions: &[] };
    assert!([8, 16, 1 << 31].iter().all(|mark| pong(*mark).is_ultrapeer_mark()));
    assert!([0, 4, 9].iter().all(|kilobytes| !pong(*kilobytes).is_ultrapeer_mark()));
}

/// Data of four open bytes announce XML, which ends before the servent id.
#[test]
fn hits_with_metadata_split_into_their_parts() {
    let flags = HitFlags { push: Some(true), ggep: Some(true), ..HitFlags::default() };
    let vendor = Vendor(*b"LIME");
    let parts = HitParts { vendor, flags, private: b"\xC3\x82BH\x40", xml: b"<audios/>\0" };
    let mut out = vec![0; parts.encoded_len()];
    parts.encode(&mut out).unwrap();
    assert_eq!(out, b"LIME\x04\x21\x21\x0a\x00\xC3\x82BH\x40<audios/>\0");
    let data = HitData::new(&out);
    assert_eq!((data.vendor(), data.flags()), (Some(vendor), Some(flags)));
    assert_eq!((data.private(), data.xml()), (Some(parts.private), Some(parts.xml)));
    let plain = HitParts { private: &[], xml: &[], ..parts };
    let mut out = [0; 7];
    assert_eq!(plain.encode(&mut out), Ok(7));
    assert_eq!(out, flags.to_data(vendor));
    let endless = vec![b'x'; 70_000];
    let endless = HitParts { xml: &endless, ..parts };
    assert_eq!(endless.encoded_len(), 9 + 5 + 65_535);
}

#[test]
fn bye_codes_have_reasons() {
    let named = (0..1_000).map(ByeCode).filter(|code| !code.reason().is_empty()).count();
    assert_eq!(named, 29); // gtk-gnutella's list
}
