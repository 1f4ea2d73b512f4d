//! What an index owes its users is sent however much there is at once, and nobody takes all its places.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use core::net::Ipv4Addr;
use core::time::Duration;

use gnutella_wire::ConnId;
use gnutella_wire::ConnectError;
use gnutella_wire::opennap::{Frame, Index, IndexConfig, IndexLimits, IndexVec, MAX_DATA};

const T0: Duration = Duration::ZERO;

struct World(Index<IndexVec>);

impl World {
    fn new(config: IndexConfig) -> Self {
        Self(Index::new(config, IndexVec::new(IndexLimits { users: 20, files: 40 })).unwrap())
    }

    fn enter(&mut self, conn: u32, nick: &str) {
        let ip = Ipv4Addr::new(10, 0, 0, u8::try_from(conn).unwrap());
        self.0.handle_connected(T0, ConnId(conn), ip).unwrap();
        self.receive(conn, 2, &format!("{nick} pw 6699 \"nap v1.5\" 8"));
        assert_eq!(self.kinds_for(conn), [3]);
    }

    fn receive(&mut self, conn: u32, kind: u16, data: &str) -> usize {
        let mut bytes = u16::try_from(data.len()).unwrap().to_le_bytes().to_vec();
        bytes.extend(kind.to_le_bytes());
        bytes.extend(data.as_bytes());
        self.0.handle_bytes(T0, ConnId(conn), &bytes).unwrap().consumed
    }

    fn drain(&mut self) -> Vec<(u32, u16, String)> {
        let mut buf = [0; Index::<IndexVec>::MAX_TRANSMIT_LEN];
        let mut sent = Vec::new();
        while let Some(transmit) = self.0.poll_transmit(&mut buf).unwrap() {
            let (frame, _) = Frame::decode(&buf[..transmit.len], MAX_DATA).unwrap();
            let data = String::from_utf8(frame.data.to_vec()).unwrap();
            sent.push((transmit.conn.0, frame.kind.0, data));
        }
        sent
    }

    /// Sends all that is due, and returns the types of what one connection receives.
    fn kinds_for(&mut self, conn: u32) -> Vec<u16> {
        let sent = self.drain();
        sent.iter().filter(|(to, ..)| *to == conn).map(|(_, kind, _)| *kind).collect()
    }
}

/// Eight users leave in one call: four times as many notices as answers fit.
#[test]
fn a_hotlist_misses_nobody_who_leaves_at_once() {
    let config = IndexConfig::CUSTOMARY;
    let mut world = World::new(config);
    world.enter(1, "ann");
    for conn in 2..10 {
        world.enter(conn, &format!("user{conn}"));
        world.receive(1, 207, &format!("user{conn}"));
        assert_eq!(world.kinds_for(1), [301, 209]);
    }
    world.0.handle_timeout(config.idle);
    assert_eq!(world.kinds_for(1), [750]);
    let later = config.idle.saturating_mul(2);
    let pong = [0, 0, 0xF0, 2]; // 752
    world.0.handle_bytes(later.saturating_sub(Duration::from_secs(1)), ConnId(1), &pong).unwrap();
    world.0.handle_timeout(later);
    let gone = world.drain();
    let mut nicks: Vec<_> =
        gone.iter().map(|(to, kind, nick)| (*to, *kind, nick.as_str())).collect();
    nicks.sort_unstable();
    let expected: Vec<_> = (2..10).map(|conn| format!("user{conn}")).collect();
    let expected: Vec<_> = expected.iter().map(|nick| (1, 210, nick.as_str())).collect();
    assert_eq!(nicks, expected);
}

/// What is taken from a hotlist before its notice is sent is not sent, and holds up nobody.
#[test]
fn a_notice_that_is_not_wanted_any_more_holds_up_nobody() {
    let mut world = World::new(IndexConfig::CUSTOMARY);
    world.enter(1, "ann");
    world.enter(2, "ben");
    world.receive(1, 207, "ben");
    world.drain();
    world.0.handle_closed(T0, ConnId(2));
    world.receive(1, 303, "ben");
    world.enter(3, "cat");
    assert_eq!(world.drain(), []);
}

/// Sharers answer while the user reads nothing; no answer is lost, and what does not fit is refused at once.
#[test]
fn every_wanted_file_has_an_answer() {
    let mut world = World::new(IndexConfig::CUSTOMARY);
    world.enter(1, "ann");
    world.enter(2, "ben");
    for file in 0..5 {
        world.receive(1, 100, &format!("\"{file}.mp3\" 0 9 128 44100 60"));
    }
    for file in 0..5 {
        world.receive(2, 203, &format!("ann \"{file}.mp3\""));
        let expected = if file < 4 { (1, 607) } else { (2, 609) };
        let sent = world.drain();
        assert_eq!(sent.iter().map(|(to, kind, _)| (*to, *kind)).collect::<Vec<_>>(), [expected]);
    }
    for ping in 0..3 {
        assert!(world.receive(2, 750, "") > 0, "{ping}: its queue fills");
    }
    assert!(world.receive(1, 608, "ben \"0.mp3\"") > 0);
    assert!(world.receive(1, 619, "ben \"1.mp3\" 3") > 0);
    assert!(world.receive(1, 609, "ben \"2.mp3\"") > 0);
    assert_eq!(world.kinds_for(2), [752, 752, 752, 204, 620, 609]);
    world.0.handle_timeout(IndexConfig::CUSTOMARY.request_timeout);
    assert_eq!(world.kinds_for(2), [609], "the fourth, which nobody answered");
}

/// Asking again for the same file takes no other place.
#[test]
fn a_file_that_is_asked_for_again_is_wanted_once() {
    let mut world = World::new(IndexConfig::CUSTOMARY);
    world.enter(1, "ann");
    world.enter(2, "ben");
    world.receive(1, 100, "\"a.mp3\" 0 9 128 44100 60");
    for _ in 0..6 {
        world.receive(2, 203, "ann \"a.mp3\"");
        assert_eq!(world.kinds_for(1), [607]);
    }
    world.receive(1, 608, "ben \"a.mp3\"");
    world.receive(1, 608, "ben \"a.mp3\"");
    assert_eq!(world.kinds_for(2), [204]);
}

/// A report that does not reach its user is refused, not dropped.
#[test]
fn a_port_error_is_delivered_or_refused() {
    let mut world = World::new(IndexConfig::CUSTOMARY);
    world.enter(1, "ann");
    world.enter(2, "ben");
    for _ in 0..3 {
        world.receive(1, 750, "");
    }
    world.receive(2, 626, "ann");
    let sent = world.drain();
    let of_ben = sent.iter().find(|(to, ..)| *to == 2).unwrap();
    assert_eq!((of_ben.1, of_ben.2.as_str()), (404, "that user does not read what is sent to it"));
    world.receive(2, 626, "ann");
    assert_eq!(world.drain(), [(1, 626, "ben".to_owned())]);
}

/// A user whose queue is full is pinged all the same before it is given up.
#[test]
fn a_ping_is_sent_whatever_else_is_due() {
    let config = IndexConfig::CUSTOMARY;
    let mut world = World::new(config);
    world.enter(1, "ann");
    for _ in 0..3 {
        world.receive(1, 750, "");
    }
    world.0.handle_timeout(config.idle);
    assert_eq!(world.kinds_for(1), [752, 752, 752, 750]);
}

#[test]
fn one_address_and_one_network_have_limited_places() {
    let mut config = IndexConfig::CUSTOMARY;
    config.max_per_address = 2;
    config.max_per_network = 5;
    let mut index = World::new(config).0;
    let mut connect = |conn: u32, ip: [u8; 4]| index.handle_connected(T0, ConnId(conn), ip.into());
    let crowded = |limit| Err(ConnectError::Crowded { limit });
    assert_eq!(connect(1, [10, 1, 0, 1]), Ok(()));
    assert_eq!(connect(2, [10, 1, 0, 1]), Ok(()));
    assert_eq!(connect(3, [10, 1, 0, 1]), crowded(2));
    for conn in 3..6 {
        assert_eq!(connect(conn, [10, 1, 9, u8::try_from(conn).unwrap()]), Ok(()));
    }
    assert_eq!(connect(6, [10, 1, 200, 1]), crowded(5));
    assert_eq!(connect(6, [10, 2, 0, 1]), Ok(()));
    index.handle_closed(T0, ConnId(1));
    assert_eq!(index.handle_connected(T0, ConnId(7), [10, 1, 0, 1].into()), Ok(()));
    assert_eq!(index.handle_connected(T0, ConnId(8), [10, 1, 7, 7].into()), crowded(5));
}
