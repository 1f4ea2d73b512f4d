//! A servent whose address or id changes while it runs.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use gnutella_wire::wire::{HitData, Limits, Message, Payload, Query, QueryHit, Record, Records};
use gnutella_wire::{
    Config, ConnId, Guid, Role, Servent, ServentId, ServentLimits, ServentVec, Text,
};

const CONN: ConnId = ConnId(0);

fn address(host: u8) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, host), 6346)
}

fn servent(host: u8) -> Servent<ServentVec> {
    let config = Config::peer(ServentId([host; 16]), address(host));
    let storage = ServentVec::new(ServentLimits::of(&config));
    let mut servent = Servent::new(config, storage).expect("a valid configuration");
    servent.handle_connected(Duration::ZERO, CONN, Role::Peer).expect("a free slot");
    servent
}

/// Returns the bytes of the hit with which `ben` answers a search of `ann`.
fn hit(ann: &mut Servent<ServentVec>, ben: &mut Servent<ServentVec>, guid: u8) -> Vec<u8> {
    let mut sent = [0; 64];
    let text = Text::new(b"Hey Jude").expect("no NUL");
    let search = ann.search(Duration::ZERO, Guid([guid; 16]), &Query::new(text), &mut sent);
    let len = search.expect("64 bytes are enough").len;
    let received = ben.handle_bytes(Duration::ZERO, CONN, &sent[..len]).expect("connected");
    let message = received.outcome.and_then(|handled| handled.message).expect("a whole query");
    let found = [Record { index: 1, size: 9, name: text, extensions: Text::EMPTY }];
    let records = Records::from_slice(&found).expect("at most 255");
    let mut buf = [0; 256];
    let hit = ben.answer(Duration::ZERO, message.guid, records, HitData::EMPTY, &mut buf);
    buf[..hit.expect("a route").len].to_vec()
}

fn decode(bytes: &[u8]) -> QueryHit<'_> {
    let (message, rest) = Message::decode(bytes, Limits::GTKG).expect("a message");
    assert_eq!(rest, []);
    let Payload::QueryHit(hit) = message.payload else { panic!("{message}") };
    hit
}

#[test]
fn hits_carry_the_address_and_the_id_that_were_set_last() {
    let mut ann = servent(1);
    let mut ben = servent(2);
    let bytes = hit(&mut ann, &mut ben, 1);
    assert_eq!(decode(&bytes).address, address(2));
    assert_eq!(decode(&bytes).servent, ServentId([2; 16]));

    ben.set_address(Duration::ZERO, address(7));
    ben.set_servent_id(Duration::ZERO, ServentId([8; 16]));
    let bytes = hit(&mut ann, &mut ben, 2);
    assert_eq!(decode(&bytes).address, address(7));
    assert_eq!(decode(&bytes).servent, ServentId([8; 16]));
}
