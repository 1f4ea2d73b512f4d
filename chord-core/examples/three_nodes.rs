//! Three nodes on this machine form a ring over UDP, and one looks a key up.
//!
//! `cargo run -p chord-core --example three_nodes`

use core::error::Error;
use core::net::SocketAddr;
use core::time::Duration;
use std::net::UdpSocket;
use std::time::Instant;

use chord_core::{Config, Event, Id64, Message, Node, NodeArrays, Peer};

type Slots = NodeArrays<Id64, SocketAddr, 4, 8, 2, 4>;

fn main() -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let mut ring = Vec::new();
    for n in 1..=3 {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(Duration::from_millis(1)))?;
        let mut config = Config::default();
        config.stabilize = Duration::from_millis(50);
        config.seed = u64::from(n);
        let me = Peer { id: Id64::from([n * 64; 8]), address: socket.local_addr()? };
        let mut node = Node::new(config, me, Slots::EMPTY)?;
        match ring.first() {
            None => node.create(start.elapsed())?,
            Some((_, first)) => node.join(start.elapsed(), Node::me(first).address)?,
        }
        ring.push((socket, node));
    }
    let mut buf = [0; Message::<Id64, SocketAddr>::MAX_LEN];
    let mut asked = false;
    loop {
        for (socket, node) in &mut ring {
            if let Ok((len, from)) = socket.recv_from(&mut buf)
                && let Err(error) = node.handle_datagram(start.elapsed(), from, &buf[..len])
            {
                eprintln!("from {from}: {error}");
            }
            node.handle_timeout(start.elapsed());
            while let Some(event) = node.poll_event() {
                println!("{:5} ms, node {:.4}: {event}", start.elapsed().as_millis(), node.me().id);
                if matches!(event, Event::LookupDone { .. }) {
                    return Ok(());
                }
            }
            if node.successors().len() == 2 && !asked {
                asked = true;
                node.lookup(start.elapsed(), Id64::from([100; 8]))?;
            }
            while let Some(sent) = node.poll_transmit(&mut buf)? {
                socket.send_to(&buf[..sent.len], sent.to)?;
            }
        }
    }
}
