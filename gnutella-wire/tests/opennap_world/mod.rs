//! An index, and what strangers send it.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]

use core::net::Ipv4Addr;
use core::time::Duration;

use gnutella_wire::ConnId;
use gnutella_wire::opennap::{Frame, Index, IndexConfig, IndexLimits, IndexVec, MAX_DATA};

pub const T0: Duration = Duration::ZERO;

pub struct World(pub Index<IndexVec>);

impl World {
    pub fn new(users: usize, files: usize) -> Self {
        let storage = IndexVec::new(IndexLimits { users, files });
        let mut config = IndexConfig::CUSTOMARY;
        config.max_files = 4_000;
        Self(Index::new(config, storage).unwrap())
    }

    /// Room for four users. `ann` at port 6699 and `ben` at port 6700 have logged in on the connections 1 and 2.
    pub fn of_two() -> Self {
        let mut world = Self::new(4, 8);
        world.enter(1, "ann", 6699);
        world.enter(2, "ben", 6700);
        world
    }

    /// Connects from 10.0.0.`conn` and logs in with the words of nap 1.5.
    pub fn enter(&mut self, conn: u32, nick: &str, port: u16) {
        let ip = Ipv4Addr::new(10, 0, 0, u8::try_from(conn).unwrap());
        self.0.handle_connected(T0, ConnId(conn), ip).unwrap();
        let login = format!("{nick} pw {port} \"nap v1.5\" 8");
        assert_eq!(self.send(conn, 2, &login), [(conn, 3, "unknown".to_owned())]);
    }

    /// Sends a message of a stranger, and returns what the index then sends: receiver, type and data.
    pub fn send(&mut self, conn: u32, kind: u16, data: &str) -> Vec<(u32, u16, String)> {
        self.receive(conn, kind, data);
        self.drain()
    }

    /// Sends a message of a stranger. What the index sends waits.
    pub fn receive(&mut self, conn: u32, kind: u16, data: &str) {
        let mut bytes = u16::try_from(data.len()).unwrap().to_le_bytes().to_vec();
        bytes.extend(kind.to_le_bytes());
        bytes.extend(data.as_bytes());
        let received = self.0.handle_bytes(T0, ConnId(conn), &bytes).unwrap();
        assert_eq!(received.consumed, bytes.len(), "{kind} {data}");
    }

    pub fn drain(&mut self) -> Vec<(u32, u16, String)> {
        let mut buf = [0; Index::<IndexVec>::MAX_TRANSMIT_LEN];
        let mut sent = Vec::new();
        while let Some(transmit) = self.0.poll_transmit(&mut buf).unwrap() {
            let (frame, rest) = Frame::decode(&buf[..transmit.len], MAX_DATA).unwrap();
            assert!(rest.is_empty());
            let data = String::from_utf8(frame.data.to_vec()).unwrap();
            sent.push((transmit.conn.0, frame.kind.0, data));
        }
        sent
    }
}

pub fn sent(rows: &[(u32, u16, &str)]) -> Vec<(u32, u16, String)> {
    rows.iter().map(|(conn, kind, data)| (*conn, *kind, (*data).to_owned())).collect()
}
