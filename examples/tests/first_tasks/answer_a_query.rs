//! Answer a Gnutella query from a list of shared files.

use core::{
    net::{Ipv4Addr, SocketAddrV4},
    time::Duration,
};

use gnutella_wire::wire::{HitData, Payload, Query, Record, Records};
use gnutella_wire::{
    Config, ConnId, Guid, Role, Servent, ServentId, ServentLimits, ServentVec, Text,
};

/// The files that a servent shares: their names.
const SHARED: [&[u8]; 3] = [b"Let It Be", b"Hey Jude", b"Help!"];

#[test]
fn a_servent_answers_a_query_from_its_list() {
    let conn = ConnId(0); // a program has one per socket
    let servent = |host: u8| {
        let config = Config::peer(
            ServentId([host; 16]),
            SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, host), 6346),
        );
        let storage = ServentVec::new(ServentLimits::of(&config));
        let mut servent = Servent::new(config, storage).expect("a valid configuration");
        servent.handle_connected(Duration::ZERO, conn, Role::Peer).expect("a free slot");
        servent
    };
    let mut ann = servent(1);
    let mut ben = servent(2);

    let mut sent = [0; 64];
    let query = Query::new(Text::new(b"Hey Jude").expect("no NUL"));
    let search =
        ann.search(Duration::ZERO, Guid([9; 16]), &query, &mut sent).expect("64 bytes are enough");

    let received = ben.handle_bytes(Duration::ZERO, conn, &sent[..search.len]).expect("connected");
    let message = received.outcome.and_then(|handled| handled.message).expect("a whole query");
    let Payload::Query(query) = message.payload else { panic!("{message}") };
    let at = SHARED.iter().position(|name| *name == query.text.as_bytes()).expect("shared");
    let name = Text::new(SHARED[at]).expect("no NUL");
    let found = [Record { index: at as u32, size: 4_356_789, name, extensions: Text::EMPTY }];
    let records = Records::from_slice(&found).expect("at most 255");
    let mut buf = [0; 256];
    let hit = ben
        .answer(Duration::ZERO, message.guid, records, HitData::EMPTY, &mut buf)
        .expect("a route");

    let received = ann.handle_bytes(Duration::ZERO, conn, &buf[..hit.len]).expect("connected");
    let message = received.outcome.and_then(|handled| handled.message).expect("a whole hit");
    let Payload::QueryHit(hit) = message.payload else { panic!("{message}") };
    let record = hit.records.iter().next().expect("one record");
    assert_eq!(record.index, 1);
    assert_eq!(record.name.as_bytes(), b"Hey Jude");
}
