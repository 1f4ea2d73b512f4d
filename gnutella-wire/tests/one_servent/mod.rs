//! One servent, and the messages that a test writes for its neighbours.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use gnutella_wire::servent::ServentStorage;
use gnutella_wire::wire::{Function, Header};
use gnutella_wire::{
    Config, ConnId, Event, Guid, Role, Servent, ServentId, ServentLimits, ServentVec,
};

pub const A: ConnId = ConnId(0);
pub const B: ConnId = ConnId(1);

pub fn address(host: u8) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, host), 6346)
}

pub fn servent(config: Config) -> Servent<ServentVec> {
    let limits = ServentLimits { conns: 4, routes: 1_000, hosts: 16, ..ServentLimits::default() };
    Servent::new(config, ServentVec::new(limits)).unwrap()
}

pub fn ultrapeer() -> Servent<ServentVec> {
    let mut servent = servent(Config::ultrapeer(ServentId([1; 16]), address(1)));
    servent.handle_connected(Duration::ZERO, A, Role::Ultrapeer).unwrap();
    servent.handle_connected(Duration::ZERO, B, Role::Ultrapeer).unwrap();
    servent
}

pub fn message(function: Function, number: u64, ttl: u8, hops: u8, payload: &[u8]) -> Vec<u8> {
    let mut guid = [0xA5; 16];
    guid[..8].copy_from_slice(&number.to_le_bytes());
    let header = Header { guid: Guid(guid), function, ttl, hops, len: payload.len() as u32 };
    [&header.to_bytes()[..], payload].concat()
}

/// Passes all bytes, in pieces of a buffer of `most`, and returns what happened.
pub fn receive<S: ServentStorage>(
    servent: &mut Servent<S>,
    now: Duration,
    conn: ConnId,
    bytes: &[u8],
    most: usize,
) -> Option<Event> {
    let mut buffer = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() || !buffer.is_empty() {
        let room = (most - buffer.len()).min(rest.len());
        buffer.extend_from_slice(&rest[..room]);
        rest = &rest[room..];
        let consumed = servent.handle_bytes(now, conn, &buffer).unwrap().consumed;
        assert!(consumed > 0 || buffer.len() < most, "stalled with a full buffer");
        if consumed == 0 && rest.is_empty() {
            break;
        }
        buffer.drain(..consumed);
        let mut out = [0; 540];
        while servent.poll_transmit(&mut out).unwrap().is_some() {}
        if let Some(event @ Event::Closed { .. }) = servent.poll_event() {
            return Some(event);
        }
    }
    None
}
