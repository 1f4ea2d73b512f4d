//! What a node says about itself.

use core::time::Duration;

use chord_core::{Address, Id160, Peer};
use serde_json::{Value, json};

use super::codec::Reader;

/// What a node has counted since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams that were received.
    pub received: u64,
    pub sent: u64,
    /// Datagrams that are no message.
    pub malformed: u64,
    /// Datagrams without the seal of the shared key.
    pub unauthenticated: u64,
    /// Messages of senders that had yet to show that they receive.
    pub unproven: u64,
    /// Requests of clients.
    pub puts: u64,
    pub gets: u64,
    /// Copies sent to other nodes, except those of new values.
    pub copies: u64,
    /// Entries without room.
    pub refused: u64,
}

impl Counters {
    const COUNT: usize = 9;

    fn all(&self) -> [u64; Self::COUNT] {
        [
            self.received,
            self.sent,
            self.malformed,
            self.unauthenticated,
            self.unproven,
            self.puts,
            self.gets,
            self.copies,
            self.refused,
        ]
    }

    fn of(all: [u64; Self::COUNT]) -> Self {
        let [received, sent, malformed, unauthenticated, unproven, puts, gets, copies, refused] =
            all;
        Self { received, sent, malformed, unauthenticated, unproven, puts, gets, copies, refused }
    }
}

/// The state of a node, without its fingers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report<A> {
    pub me: Peer<Id160, A>,
    pub member: bool,
    /// Since its start, in whole seconds.
    pub uptime: Duration,
    /// `None` if it knows no other node.
    pub predecessor: Option<Peer<Id160, A>>,
    pub successors: Vec<Peer<Id160, A>>,
    /// Its keys are those after this one, up to its own identifier.
    pub keys_after: Id160,
    /// Entries, its own and copies of others', and the bytes of the limit that they take.
    pub entries: u64,
    pub bytes: u64,
    pub counters: Counters,
}

impl<A: Address> Report<A> {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![self.member.into()];
        put_peers(&mut out, &[self.me]);
        put_peers(&mut out, self.predecessor.as_slice());
        put_peers(&mut out, &self.successors);
        out.extend(<[u8; 20]>::from(self.keys_after));
        out.extend(self.uptime.as_secs().to_be_bytes());
        out.extend(self.entries.to_be_bytes());
        out.extend(self.bytes.to_be_bytes());
        out.extend(self.counters.all().into_iter().flat_map(u64::to_be_bytes));
        out
    }

    /// Returns `None` for anything that [`encode`](Self::encode) does not write.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = Reader(bytes);
        let member = rest.flag()?;
        let me = *read_peers(&mut rest)?.first()?;
        let predecessor = read_peers(&mut rest)?.first().copied();
        let successors = read_peers(&mut rest)?;
        let keys_after = rest.id()?;
        let uptime = Duration::from_secs(rest.u64()?);
        let entries = rest.u64()?;
        let bytes_kept = rest.u64()?;
        let mut counters = [0; Counters::COUNT];
        for counter in &mut counters {
            *counter = rest.u64()?;
        }
        let report = Self {
            me,
            member,
            uptime,
            predecessor,
            successors,
            keys_after,
            entries,
            bytes: bytes_kept,
            counters: Counters::of(counters),
        };
        (report.encode() == bytes).then_some(report)
    }

    pub fn to_json(&self, fingers: &[Peer<Id160, A>]) -> Value {
        let counters = &self.counters;
        json!({
            "id": self.me.id.to_string(),
            "address": address(&self.me.address),
            "member": self.member,
            "uptime_seconds": self.uptime.as_secs(),
            "predecessor": self.predecessor.as_ref().map(peer_json),
            "successors": self.successors.iter().map(peer_json).collect::<Vec<_>>(),
            "fingers": fingers.iter().map(peer_json).collect::<Vec<_>>(),
            "keys": { "after": self.keys_after.to_string(), "through": self.me.id.to_string() },
            "entries": self.entries,
            "bytes": self.bytes,
            "counters": {
                "received": counters.received,
                "sent": counters.sent,
                "malformed": counters.malformed,
                "unauthenticated": counters.unauthenticated,
                "unproven": counters.unproven,
                "puts": counters.puts,
                "gets": counters.gets,
                "copies": counters.copies,
                "refused": counters.refused,
            },
        })
    }
}

/// Returns the bytes of the second part of a report.
pub fn encode_fingers<A: Address>(fingers: &[Peer<Id160, A>]) -> Vec<u8> {
    let mut out = vec![];
    put_peers(&mut out, fingers);
    out
}

/// Reads the second part of a report.
pub fn read_fingers<A: Address>(bytes: &[u8]) -> Option<Vec<Peer<Id160, A>>> {
    let mut rest = Reader(bytes);
    read_peers(&mut rest).filter(|_| rest.0.is_empty())
}

fn put_peers<A: Address>(out: &mut Vec<u8>, peers: &[Peer<Id160, A>]) {
    let count = u8::try_from(peers.len()).unwrap_or(u8::MAX);
    out.push(count);
    for peer in peers.iter().take(count.into()) {
        out.extend(<[u8; 20]>::from(peer.id));
        let start = out.len();
        out.resize(start + A::LEN, 0);
        peer.address.write(&mut out[start..]);
    }
}

fn read_peers<A: Address>(rest: &mut Reader<'_>) -> Option<Vec<Peer<Id160, A>>> {
    let count = rest.u8()?;
    let mut peers = vec![];
    for _ in 0..count {
        let id = rest.id()?;
        let (address, after) = rest.0.split_at_checked(A::LEN)?;
        rest.0 = after;
        peers.push(Peer { id, address: A::read(address)? });
    }
    Some(peers)
}

fn peer_json<A: Address>(peer: &Peer<Id160, A>) -> Value {
    json!({ "id": peer.id.to_string(), "address": address(&peer.address) })
}

fn address<A: Address>(address: &A) -> String {
    format!("{address:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::store::LONGEST;
    use core::net::SocketAddr;

    #[test]
    fn the_longest_report_fits_a_datagram_and_any_other_bytes_are_refused() {
        let peer = |n: u16| Peer {
            id: Id160::from([n as u8; 20]),
            address: SocketAddr::from(([0xfe80, 0, 0, 0, 0, 0, 0, n], n)),
        };
        let report = Report {
            me: peer(1),
            member: true,
            uptime: Duration::from_secs(9),
            predecessor: Some(peer(2)),
            successors: (0..20).map(peer).collect(),
            keys_after: peer(2).id,
            entries: 3,
            bytes: 4,
            counters: Counters { refused: 5, ..Counters::default() },
        };
        let bytes = report.encode();
        assert!(bytes.len() <= LONGEST, "{}", bytes.len());
        assert_eq!(Report::decode(&bytes).as_ref(), Some(&report));
        for len in 0..bytes.len() {
            assert_eq!(Report::<SocketAddr>::decode(&bytes[..len]), None);
        }
        let fingers = encode_fingers(&report.successors);
        assert!(fingers.len() <= LONGEST);
        assert_eq!(read_fingers(&fingers), Some(report.successors.clone()));
        assert_eq!(read_fingers::<SocketAddr>(&fingers[1..]), None);
        let json = report.to_json(&report.successors);
        assert_eq!(json["counters"]["refused"], 5);
        assert_eq!(json["fingers"][19]["address"], "[fe80::13]:19");
    }
}
