//! The exchange of peers (BEP 11): each peer that connected or departed, once.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;

use bittorrent_pieces::torrent::transmit_len;
use bittorrent_pieces::wire::extended::{
    EXTENDED, ExtendedHandshake, HANDSHAKE, HEADER_LEN, Pex, PexFlags,
};
use bittorrent_pieces::wire::{Handshake, Message, Reserved};
use bittorrent_pieces::{
    Block, Config, ConnId, Event, Geometry, InfoHash, Outcome, PeerId, PieceHashes, PieceIndex,
    Priority, Side, Torrent, TorrentContent, TorrentLimits, TorrentSetup, TorrentVec,
};

const HASH: InfoHash = InfoHash([1; 20]);
const LISTENER: ConnId = ConnId(0);

struct Room(Torrent<TorrentVec>);

impl Room {
    fn new(peers: usize) -> Self {
        Self::with(peers, |_| ())
    }

    fn with(peers: usize, set: impl Fn(&mut Config)) -> Self {
        let geometry = Geometry::new(1, 1).unwrap();
        let limits = TorrentLimits { peers: peers as u16, open_pieces: 1, pipeline: 2 };
        let mut config = Config::new(HASH, PeerId([2; 20]));
        config.silence = Duration::from_secs(10_000);
        set(&mut config);
        let content = TorrentContent::new(geometry, PieceHashes::new(&[[0; 20]]));
        let storage = TorrentVec::new(&content, limits);
        Self(Torrent::new(TorrentSetup::new(config), storage).unwrap())
    }

    /// A peer comes: dialled, so that its address is one that others may dial.
    fn join(&mut self, seconds: u64, conn: ConnId, addr: SocketAddr) {
        self.connect(seconds, conn, addr, Side::Dialled);
        if conn == LISTENER {
            self.send(
                seconds,
                conn,
                Message::Other { id: EXTENDED, payload: b"\0d1:md6:ut_pexi9eee" },
            );
        }
    }

    /// A peer comes that dialled us, so that the port it listens on is unknown.
    fn accept(&mut self, seconds: u64, conn: ConnId, addr: SocketAddr) {
        self.connect(seconds, conn, addr, Side::Accepted);
    }

    fn connect(&mut self, seconds: u64, conn: ConnId, addr: SocketAddr, side: Side) {
        let now = Duration::from_secs(seconds);
        self.0.handle_connected(now, conn, side).unwrap();
        assert!(self.0.set_address(conn, addr));
        let mut bytes = [0; Handshake::LEN];
        let reserved = Reserved::EXTENDED;
        let peer_id = PeerId([conn.0 as u8 + 3; 20]);
        Handshake { reserved, info_hash: HASH, peer_id }.encode(&mut bytes).unwrap();
        self.0.handle_bytes(now, conn, &bytes).unwrap();
    }

    /// A peer sends a message; returns how many peers it names.
    fn send(&mut self, seconds: u64, conn: ConnId, message: Message<'_>) -> usize {
        let mut bytes = vec![0; message.encoded_len()];
        message.encode(&mut bytes).unwrap();
        let received = self.0.handle_bytes(Duration::from_secs(seconds), conn, &bytes).unwrap();
        match received.outcome {
            Some(Outcome::Peers(pex)) => pex.added().count(),
            _ => 0,
        }
    }

    fn leave(&mut self, seconds: u64, conn: ConnId) {
        self.0.handle_closed(Duration::from_secs(seconds), conn);
    }

    /// Returns the ports of the added and dropped peers that are sent to the listener at a time.
    fn exchanged(&mut self, seconds: u64) -> Option<(Vec<u16>, Vec<u16>)> {
        let mut buf = vec![0; transmit_len(1)];
        while self.0.poll_transmit(&mut buf).unwrap().is_some() {} // greetings
        self.0.handle_timeout(Duration::from_secs(seconds));
        let mut lists = None;
        while let Some(sent) = self.0.poll_transmit_to(LISTENER, &mut buf).unwrap() {
            if buf[4..6] == [EXTENDED, 9] {
                assert_eq!(lists, None, "one at a time");
                let pex =
                    Pex::decode(&buf[HEADER_LEN..sent.len], false).expect("within the limits");
                let added = pex.added().map(|(addr, _)| addr.port()).collect();
                lists = Some((added, pex.dropped().map(|addr| addr.port()).collect()));
            }
        }
        lists
    }
}

/// Returns what the extended handshakes to the listener say about downloads, one after the other.
fn upload_only(room: &mut Room) -> Vec<Option<bool>> {
    let mut buf = vec![0; transmit_len(1)];
    let mut said = vec![];
    while let Some(sent) = room.0.poll_transmit_to(LISTENER, &mut buf).unwrap() {
        if sent.len > HEADER_LEN && buf[4..6] == [EXTENDED, HANDSHAKE] {
            let hello = ExtendedHandshake::decode(&buf[HEADER_LEN..sent.len]).unwrap();
            said.push(hello.upload_only);
        }
    }
    said
}

/// BEP 21: a peer that wants nothing more announces that, also if it skips pieces, and when it wants something again. What
/// a later handshake leaves out stays as it was (BEP 10): the key is there with 0.
#[test]
fn a_torrent_that_wants_nothing_more_announces_upload_only() {
    let mut room = Room::new(2);
    room.join(0, LISTENER, v4(1));
    assert_eq!(upload_only(&mut room), [Some(false)]);
    let later = Duration::from_secs(1);
    room.0.set_priority(later, PieceIndex(0), Priority::SKIP);
    assert_eq!(upload_only(&mut room), [Some(true)]);
    room.0.set_priority(later, PieceIndex(0), Priority::HIGH);
    assert_eq!(upload_only(&mut room), [Some(false)]);
    room.0.set_priority(later, PieceIndex(0), Priority::NORMAL);
    assert_eq!(upload_only(&mut room), []);
    assert!(room.0.restore_block(Block { piece: PieceIndex(0), begin: 0, len: 1 }));
    assert_eq!(room.0.poll_event(), Some(connected()));
    assert_eq!(room.0.poll_event(), Some(Event::Verify { piece: PieceIndex(0) }));
    room.0.handle_hashed(later, PieceIndex(0), [0; 20]).unwrap();
    assert_eq!(upload_only(&mut room), [Some(true)]);
}

/// A peer that downloads nothing is announced to others as a seed. A later extended handshake that does not say so changes
/// nothing; one that says the opposite does.
#[test]
fn an_upload_only_peer_is_exchanged_as_a_seed() {
    for (later, seed) in
        [(None, true), (Some(&b"\0d1:pi7ee"[..]), true), (Some(b"\0d11:upload_onlyi0ee"), false)]
    {
        let mut room = Room::new(2);
        room.join(0, LISTENER, v4(1));
        room.join(1, ConnId(1), v4(11));
        for payload in [Some(&b"\0d11:upload_onlyi1ee"[..]), later].into_iter().flatten() {
            let message = Message::Other { id: EXTENDED, payload };
            let mut bytes = vec![0; message.encoded_len()];
            message.encode(&mut bytes).unwrap();
            room.0.handle_bytes(Duration::from_secs(1), ConnId(1), &bytes).unwrap();
        }
        let mut buf = vec![0; transmit_len(1)];
        while room.0.poll_transmit(&mut buf).unwrap().is_some() {}
        room.0.handle_timeout(Duration::from_secs(10));
        let mut flags = vec![];
        while let Some(sent) = room.0.poll_transmit_to(LISTENER, &mut buf).unwrap() {
            if buf[4..6] == [EXTENDED, 9] {
                let pex = Pex::decode(&buf[HEADER_LEN..sent.len], false).unwrap();
                flags.extend(pex.added().map(|(_, flags)| flags.contains(PexFlags::SEED)));
            }
        }
        assert_eq!(flags, [seed], "{later:?}");
    }
}

/// BEP 11: the flags of a seed, of a peer that was dialled, and of both; a peer whose port is unknown is left out.
#[test]
fn the_flags_of_a_peer_are_what_is_known_of_it() {
    let mut room = Room::new(5);
    room.join(0, LISTENER, v4(1));
    room.join(1, ConnId(1), v4(11));
    room.join(1, ConnId(2), v4(12));
    for (conn, has) in [(ConnId(2), 0x80), (ConnId(3), 0x80), (ConnId(4), 0x00)] {
        if conn > ConnId(2) {
            room.accept(1, conn, v4(0));
        }
        let bitfield = Message::Bitfield(&[has]);
        room.send(1, conn, bitfield);
    }
    room.send(1, ConnId(3), Message::Other { id: EXTENDED, payload: b"\0d1:pi13ee" });
    let mut buf = vec![0; transmit_len(1)];
    while room.0.poll_transmit(&mut buf).unwrap().is_some() {}
    room.0.handle_timeout(Duration::from_secs(10));
    let sent = room.0.poll_transmit_to(LISTENER, &mut buf).unwrap().unwrap();
    let pex = Pex::decode(&buf[HEADER_LEN..sent.len], true).unwrap();
    let mut flags: Vec<_> = pex.added().map(|(addr, flags)| (addr.port(), flags.0)).collect();
    flags.sort_unstable();
    // 2: a seed. 16: it can be dialled.
    assert_eq!(flags, [(11, 16), (12, 16 | 2), (13, 2)]);
    // Nobody could dial the last one, so nobody needs to know that it left.
    room.leave(20, ConnId(4));
    assert_eq!(room.exchanged(80), None);
    room.leave(81, ConnId(3));
    assert_eq!(room.exchanged(150), Some((vec![], vec![13])));
}

/// The first message has the peers that were there before, and none of them comes again.
#[test]
fn a_newcomer_is_sent_the_peers_that_are_there() {
    let mut room = Room::new(3);
    room.join(0, ConnId(1), v4(11));
    room.join(3, LISTENER, v4(1));
    assert_eq!(room.exchanged(10), Some((vec![11], vec![])));
    room.join(20, ConnId(2), v4(12));
    assert_eq!(room.exchanged(69), None);
    assert_eq!(room.exchanged(80), Some((vec![12], vec![])));
}

/// BEP 10: a peer without an id for the message does not get it; without the option nobody does.
#[test]
fn peers_are_sent_to_those_that_support_it() {
    for on in [true, false] {
        let mut room = Room::with(3, |config| config.peer_exchange = on);
        room.join(0, LISTENER, v4(1));
        room.join(1, ConnId(1), v4(11));
        let mut buf = vec![0; transmit_len(1)];
        while room.0.poll_transmit(&mut buf).unwrap().is_some() {}
        room.0.handle_timeout(Duration::from_secs(10));
        let mut receivers = vec![];
        while let Some(sent) = room.0.poll_transmit(&mut buf).unwrap() {
            receivers.extend((buf[4] == EXTENDED).then_some(sent.conn));
        }
        assert_eq!(receivers, if on { vec![LISTENER] } else { vec![] });
    }
}

/// libtorrent sends up to 100 new peers a minute, twice what BEP 11 allows: it stays connected, and what it sends beyond
/// the limits is left out.
#[test]
fn a_peer_that_sends_many_peers_stays() {
    let mut room = Room::new(2);
    room.join(0, LISTENER, v4(1));
    let peers: Vec<u8> = (0..=200).flat_map(|at| [10, 0, 0, at, 0, 80]).collect();
    let payload = |count: usize| {
        let head = format!("\u{2}d5:added{}:", 6 * count);
        [head.as_bytes(), &peers[..6 * count], b"e"].concat()
    };
    for (minute, sent, read) in [(1, 201, 200), (2, 100, 100), (3, 101, 100)] {
        let message = Message::Other { id: EXTENDED, payload: &payload(sent) };
        assert_eq!(room.send(60 * minute, LISTENER, message), read);
        assert!(room.0.peer(LISTENER).is_some());
    }
}

fn connected() -> Event {
    Event::Connected { conn: LISTENER, peer_id: PeerId([3; 20]) }
}

fn v4(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

#[test]
fn added_and_dropped_peers_are_sent() {
    let mut room = Room::new(5);
    room.join(0, LISTENER, v4(1));
    room.join(2, ConnId(1), v4(11));
    room.join(2, ConnId(2), (Ipv6Addr::LOCALHOST, 12).into());
    assert_eq!(room.exchanged(10), Some((vec![11, 12], vec![])));
    room.leave(20, ConnId(1));
    room.leave(21, ConnId(2));
    room.join(22, ConnId(3), v4(13));
    assert_eq!(room.exchanged(60), None, "at most once a minute");
    assert_eq!(room.exchanged(70), Some((vec![13], vec![11, 12])));
    assert_eq!(room.exchanged(140), None, "no news");
    // A peer that connects and departs between two exchanges is not announced.
    room.join(150, ConnId(4), v4(14));
    room.leave(151, ConnId(4));
    assert_eq!(room.exchanged(210), None);
    // A peer that departed and returned is added, not dropped, whatever its `ConnId`.
    room.leave(220, ConnId(3));
    room.join(221, ConnId(5), v4(13));
    assert_eq!(room.exchanged(280), Some((vec![13], vec![])));
    // Two connections from the same address: dropped once.
    room.join(281, ConnId(6), v4(13));
    assert_eq!(room.exchanged(350), Some((vec![13], vec![])));
    room.leave(351, ConnId(5));
    room.leave(352, ConnId(6));
    assert_eq!(room.exchanged(420), Some((vec![], vec![13])));
}

/// A peer without a handshake is not announced; a newcomer gets no peers that departed before it.
#[test]
fn peers_without_a_handshake_are_not_announced() {
    let mut room = Room::new(4);
    room.join(0, ConnId(1), v4(11));
    room.leave(2, ConnId(1));
    room.join(3, LISTENER, v4(1));
    room.join(4, ConnId(2), v4(12));
    assert_eq!(room.exchanged(10), Some((vec![12], vec![])));
    room.0.handle_connected(Duration::from_secs(11), ConnId(3), Side::Dialled).unwrap();
    room.0.set_address(ConnId(3), v4(13));
    room.leave(20, ConnId(3));
    assert_eq!(room.exchanged(80), None);
}

/// A slot is taken by another when it must be: then its last peer is forgotten, the eldest first.
#[test]
fn the_number_of_remembered_requests_is_bounded_by_the_slots() {
    let mut room = Room::new(3);
    room.join(0, LISTENER, v4(1));
    room.join(2, ConnId(1), v4(11));
    room.join(2, ConnId(2), v4(12));
    assert_eq!(room.exchanged(10), Some((vec![11, 12], vec![])));
    room.leave(21, ConnId(2));
    room.leave(22, ConnId(1));
    room.join(23, ConnId(3), v4(13));
    assert_eq!(room.exchanged(80), Some((vec![13], vec![11])));
}

/// The longest exchange fits the buffer and the limits.
#[test]
fn many_come_and_go() {
    let mut room = Room::new(250);
    room.join(0, LISTENER, v4(50_000));
    let address = |nth: u32| -> SocketAddr {
        let ip = Ipv6Addr::from(u128::MAX - u128::from(nth));
        let ip = if nth.is_multiple_of(2) {
            IpAddr::from([255, 255, 255, nth as u8])
        } else {
            ip.into()
        };
        (ip, 60_000).into()
    };
    (1..120).for_each(|nth| room.join(2, ConnId(nth), address(nth)));
    let (came, went) = room.exchanged(10).unwrap();
    assert_eq!((came.len(), went.len()), (38, 0));
    (1..120).for_each(|nth| room.leave(20, ConnId(nth)));
    (1..120).for_each(|nth| room.join(30, ConnId(nth), address(nth + 120)));
    let (came, went) = room.exchanged(80).unwrap();
    assert_eq!((came.len(), went.len()), (38, 38));
}
