//! The lines and paths of HTTP that servents add: GIV, QUEUE, and requests to a push proxy.

use core::net::{Ipv4Addr, SocketAddrV4};

use gnutella_wire::http::{Giv, PushProxy, QueueCall};
use gnutella_wire::{BufferTooSmall, DecodeError, ServentId, Text};

/// `LimeWire` asks with `ServerId`, older servents with `guid`; both prefixes are in use.
#[test]
fn a_push_proxy_reads_both_spellings() {
    let servent = ServentId([0x5A; 16]);
    let hex = "5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A";
    let base32 = "LJNFUWS2LJNFUWS2LJNFUWS2LI";
    for (path, index) in [
        (format!("/gnutella/push-proxy?ServerId={base32}&file=7"), 7),
        (format!("/gnutella/push-proxy?ServerId={base32}"), 0),
        (format!("/gnet/push-proxy?guid={hex}"), 0),
        (format!("/GNET/Push-Proxy?file=4294967295&unknown=1&GUID={hex}"), u32::MAX),
        (format!("/gnutella/push-proxy?ServerId=short&guid={hex}&flag"), 0), // one that is readable
    ] {
        assert_eq!(PushProxy::parse(path.as_bytes()), Some(PushProxy { servent, index }), "{path}");
    }
    for path in [
        String::new(),
        "/gnutella/push-proxy".to_owned(),
        "/gnutella/push-proxy?".to_owned(),
        "/gnutella/push-proxy?file=7".to_owned(), // of whom?
        format!("/gnutella/push-proxy?ServerId={base32}&file=4294967296"),
        format!("/gnutella/push-proxy?ServerId={base32}&file=-1"),
        format!("/gnutella/push-proxy?ServerId={}", &base32[1..]),
        format!("/other/push-proxy?ServerId={base32}"),
    ] {
        assert_eq!(PushProxy::parse(path.as_bytes()), None, "{path}");
    }
}

#[test]
fn a_push_proxy_writes_its_path() {
    let servent = ServentId([0x5A; 16]);
    let path = "/gnutella/push-proxy?ServerId=LJNFUWS2LJNFUWS2LJNFUWS2LI";
    assert_eq!(PushProxy { servent, index: 0 }.to_string(), path);
    assert_eq!(PushProxy { servent, index: 1 }.to_string(), format!("{path}&file=1"));
}

#[test]
fn a_line_is_as_long_as_it_says() {
    let giv =
        Giv { index: 36, servent: ServentId([0xAB; 16]), name: Text::new(b"a b.mp3").unwrap() };
    let line = "GIV 36:ABABABABABABABABABABABABABABABAB/a b.mp3";
    assert_eq!(giv.to_string().to_uppercase(), line.to_uppercase());
    let mut out = [0; 128];
    let len = giv.encode(&mut out).unwrap();
    assert_eq!(len, line.len() + 2);
    assert_eq!(giv.encoded_len(), len);
    assert!(out[..len].ends_with(b"/a b.mp3\n\n"));
    assert_eq!(giv.encode(&mut out[..len - 1]), Err(BufferTooSmall { needed: len }));
    assert_eq!(Giv::decode(&out[..len]).unwrap(), (giv, &b""[..]));

    let address = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 6346);
    let call = QueueCall { id: *b"0102030405060708090A0B0C0D0E0F10", address };
    let line = "QUEUE 0102030405060708090A0B0C0D0E0F10 192.0.2.1:6346";
    assert_eq!(call.to_string(), line);
    let len = call.encode(&mut out).unwrap();
    assert_eq!(&out[..len], format!("{line}\r\n").as_bytes());
    assert_eq!(call.encoded_len(), len);
    assert_eq!(call.encode(&mut out[..len - 1]), Err(BufferTooSmall { needed: len }));
    assert_eq!(QueueCall::decode(&out[..len]).unwrap(), (call, &b""[..]));
}

/// A line may come in pieces until it is as long as any may be.
#[test]
fn a_line_without_an_end_is_awaited_up_to_its_bound() {
    for (len, expected) in [
        (QueueCall::MAX_LEN - 1, DecodeError::Incomplete { needed: 1 }),
        (QueueCall::MAX_LEN, DecodeError::HeadTooLong { limit: QueueCall::MAX_LEN }),
        (QueueCall::MAX_LEN + 1, DecodeError::HeadTooLong { limit: QueueCall::MAX_LEN }),
    ] {
        assert_eq!(QueueCall::decode(&vec![b'a'; len]).unwrap_err(), expected, "{len}");
    }
    for (len, expected) in [
        (Giv::MAX_LEN - 1, DecodeError::Incomplete { needed: 1 }),
        (Giv::MAX_LEN, DecodeError::HeadTooLong { limit: Giv::MAX_LEN }),
        (Giv::MAX_LEN + 1, DecodeError::HeadTooLong { limit: Giv::MAX_LEN }),
    ] {
        assert_eq!(Giv::decode(&vec![b'a'; len]).unwrap_err(), expected, "{len}");
    }
}
