//! Datagrams by hand, and what a servent sends.

use core::net::SocketAddrV4;

use gnutella_wire::Guid;
use gnutella_wire::datagram::{DatagramVec, Datagrams};
use gnutella_wire::wire::{Function, Header};

pub type Net = Datagrams<DatagramVec>;

pub fn datagram(guid: Guid, function: Function, payload: &[u8]) -> Vec<u8> {
    let header = Header { guid, function, ttl: 1, hops: 0, len: payload.len() as u32 };
    [&header.to_bytes()[..], payload].concat()
}

pub fn polled(node: &mut Net) -> Vec<(SocketAddrV4, Vec<u8>)> {
    let mut sent = Vec::new();
    let mut buf = [0; Net::MAX_TRANSMIT_LEN];
    while let Some(one) = node.poll_transmit(&mut buf).unwrap() {
        sent.push((one.to, buf[..one.len].to_vec()));
    }
    sent
}
