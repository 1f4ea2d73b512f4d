//! Two servents, connected by two buffers: one searches, the other answers.
//! `cargo run -p gnutella-wire --features alloc --example two_servents`

use core::error::Error;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use gnutella_wire::wire::{HitData, Payload, Query, Record, Records};
use gnutella_wire::{
    Config, ConnId, Guid, Role, Servent, ServentId, ServentLimits, ServentVec, Text,
};

const CONN: ConnId = ConnId(0);

fn servent(host: u8) -> Result<Servent<ServentVec>, Box<dyn Error>> {
    let address = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, host), 6346);
    let config = Config::peer(ServentId([host; 16]), address);
    let storage = ServentVec::new(ServentLimits::of(&config));
    let mut servent = Servent::new(config, storage)?;
    servent.handle_connected(Duration::ZERO, CONN, Role::Peer)?;
    Ok(servent)
}

/// Handles what was received, and returns what is to be sent.
fn turn(
    node: &mut Servent<ServentVec>,
    now: Duration,
    mut bytes: &[u8],
) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut sent = Vec::new();
    let mut buf = [0; 1_024];
    loop {
        let received = node.handle_bytes(now, CONN, bytes)?;
        if received.consumed == 0 {
            break; // what is left waits for more bytes
        }
        bytes = &bytes[received.consumed..];
        let Some(message) = received.outcome.and_then(|handled| handled.message) else { continue };
        println!("{:4} ms: {message}", now.as_millis());
        if let Payload::Query(Query { text, .. }) = message.payload {
            let found = [Record { index: 1, size: 4_356_789, name: text, extensions: Text::EMPTY }];
            let records = Records::from_slice(&found).ok_or("too many records")?;
            let hit = node.answer(now, message.guid, records, HitData::EMPTY, &mut buf)?;
            sent.extend(&buf[..hit.len]);
        }
    }
    node.handle_timeout(now); // a driver calls it at node.poll_timeout()
    while let Some(own) = node.poll_transmit(&mut buf)? {
        sent.extend(&buf[..own.len]);
    }
    while let Some(event) = node.poll_event() {
        println!("{event}"); // a driver closes the socket
    }
    Ok(sent)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut ann = servent(1)?;
    let mut ben = servent(2)?;
    let mut buf = [0; 64];
    let query = Query::new(Text::new(b"Hey Jude").ok_or("a NUL")?);
    let search = ann.search(Duration::ZERO, Guid([9; 16]), &query, &mut buf)?;
    let answers = turn(&mut ben, Duration::from_millis(20), &buf[..search.len])?;
    turn(&mut ann, Duration::from_millis(40), &answers)?;
    println!("{}", ann.stats());
    Ok(())
}
