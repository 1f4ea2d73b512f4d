//! The central index: the published examples, traps of the text, and an index with its clients.

use core::net::Ipv4Addr;
use core::time::Duration;

use gnutella_wire::opennap::{
    Bound, Client, ClientCloseReason, ClientError, ClientEvent, ClientState, File, FileSlot, Frame,
    Index, IndexCloseReason, IndexConfig, IndexEvent, IndexLimits, IndexVec, Kind, LinkType, Login,
    MAX_DATA, Message, NapError, Search, UserSlot, UserState, Wanted,
};
use gnutella_wire::{ConnId, ConnectError, NotConnected, Received, Text};

fn text(text: &str) -> Text<'_> {
    Text::new(text.as_bytes()).unwrap()
}

fn encoded(message: &Message<'_>) -> Vec<u8> {
    let mut out = vec![0; message.encoded_len()];
    assert_eq!(message.encode(&mut out), Ok(out.len()));
    out
}

type Server = Index<IndexVec>;

const HOME: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const T0: Duration = Duration::ZERO;

fn server(users: usize, files: usize) -> Server {
    let storage = IndexVec::new(IndexLimits { users, files });
    Index::new(IndexConfig::CUSTOMARY, storage).unwrap()
}

fn login(nick: &str, port: u16) -> Login<'_> {
    Login {
        nick: text(nick),
        password: text("secret"),
        port,
        client: text("nap v0.8"),
        link: LinkType(8),
    }
}

fn file(name: &str, bitrate: u32) -> File<'_> {
    File {
        name: text(name),
        md5: text("0123"),
        size: 1 << 30,
        bitrate,
        frequency: 44_100,
        seconds: 60,
    }
}

/// Connects and logs in.
fn enter(server: &mut Server, link: u32, nick: &str, port: u16) {
    server.handle_connected(T0, ConnId(link), HOME).unwrap();
    assert_eq!(
        send(server, link, &Message::Login(login(nick, port))),
        [format!("{link} login ack unknown")]
    );
}

/// Gives the index a message, and returns all that it then sends, as "link message".
fn send(server: &mut Server, link: u32, message: &Message<'_>) -> Vec<String> {
    let bytes = encoded(message);
    let received = server.handle_bytes(T0, ConnId(link), &bytes).unwrap();
    assert_eq!(received.consumed, bytes.len(), "{message:?}");
    drain(server)
}

fn drain(server: &mut Server) -> Vec<String> {
    let mut buf = [0; Server::MAX_TRANSMIT_LEN];
    let mut sent = Vec::new();
    while let Some(transmit) = server.poll_transmit(&mut buf).unwrap() {
        let (frame, rest) = Frame::decode(&buf[..transmit.len], MAX_DATA).unwrap();
        assert!(rest.is_empty() && Message::from_frame(frame).is_ok(), "{frame}");
        sent.push(format!("{} {frame}", transmit.conn.0));
    }
    sent
}

#[test]
fn an_index_finds_files_and_introduces_peers() {
    let mut index = server(4, 8);
    enter(&mut index, 1, "ann", 6699);
    enter(&mut index, 2, "ben", 0); // behind a firewall
    enter(&mut index, 3, "cat", 6700);
    for (link, name, bitrate) in [
        (1, "pixies - debaser.mp3", 128),
        (2, "Pixies\\Debaser live.mp3", 192),
        (2, "other.mp3", 64),
    ] {
        assert!(send(&mut index, link, &Message::Share(file(name, bitrate))).is_empty());
    }
    assert_eq!((index.users(), index.files()), (3, 3));
    let find = |search| Message::Search(search);
    let found = send(&mut index, 3, &find(Search::new(text("debaser pixies"))));
    assert_eq!(
        found,
        [
            "3 found \"Pixies\\Debaser live.mp3\" 0123 1073741824 192 44100 60 ben 16777226 8",
            "3 found \"pixies - debaser.mp3\" 0123 1073741824 128 44100 60 ann 16777226 8",
            "3 search end",
        ]
    );
    let bitrate = Some(Bound::AtLeast(160));
    let found = send(&mut index, 3, &find(Search { bitrate, ..Search::new(text("debaser")) }));
    assert_eq!(found.len(), 2);
    let found =
        send(&mut index, 3, &find(Search { max_results: Some(1), ..Search::new(text("mp3")) }));
    assert_eq!(found.len(), 2);
    let none = send(&mut index, 3, &find(Search::new(text("-"))));
    assert_eq!(none, ["3 notice search for words"]);

    let wanted = |nick, name| Wanted { nick: text(nick), name: text(name) };
    let there = send(&mut index, 3, &Message::Download(wanted("ANN", "pixies - debaser.mp3")));
    assert_eq!(there, ["1 upload request cat \"pixies - debaser.mp3\""]);
    let there = send(&mut index, 1, &Message::UploadAccept(wanted("cat", "pixies - debaser.mp3")));
    assert_eq!(there, ["3 download ack ann 16777226 6699 \"pixies - debaser.mp3\" 0123 8"]);
    let nowhere = send(&mut index, 3, &Message::Download(wanted("ann", "no.mp3")));
    assert_eq!(nowhere, ["3 download error ann \"no.mp3\""]);
    // The sharer has port 0: ask that it connects.
    let walled = send(&mut index, 3, &Message::Download(wanted("ben", "other.mp3")));
    assert_eq!(walled, ["3 download ack ben 16777226 0 \"other.mp3\" 0123 8"]);
    let pushed = send(&mut index, 3, &Message::DownloadFirewalled(wanted("ben", "other.mp3")));
    assert_eq!(pushed, ["2 upload request cat \"other.mp3\""]);
    let pushed = send(&mut index, 2, &Message::UploadAccept(wanted("cat", "other.mp3")));
    assert_eq!(pushed, ["2 upload firewalled cat 16777226 6700 \"other.mp3\" 0123 8"]);

    let rows = send(&mut index, 1, &Message::Browse(text("ben")));
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[2], "1 browse end ben");
    assert_eq!(send(&mut index, 1, &Message::Browse(text("dan"))), ["1 browse end dan"]);
    assert_eq!(send(&mut index, 1, &Message::Stats(0, 0, 0)), ["1 stats 3 3 3"]);
    assert_eq!(send(&mut index, 1, &Message::SpeedRequest(text("cat"))), ["1 speed cat 8"]);

    // What was unshared, and what went with its sharer, is found no more.
    assert!(send(&mut index, 1, &Message::Unshare(text("pixies - debaser.mp3"))).is_empty());
    index.handle_closed(T0, ConnId(2));
    assert_eq!(send(&mut index, 3, &find(Search::new(text("debaser")))), ["3 search end"]);
    assert_eq!((index.users(), index.files()), (2, 0));
}

#[test]
fn hotlists_report_logins_and_logouts() {
    let mut index = server(4, 0);
    enter(&mut index, 1, "ann", 1);
    let watch = |nick| Message::HotlistAdd(text(nick));
    assert_eq!(send(&mut index, 1, &watch("ben")), ["1 hotlist ack ben"]);
    index.handle_connected(T0, ConnId(2), HOME).unwrap();
    let came = send(&mut index, 2, &Message::Login(login("ben", 0)));
    assert_eq!(came, ["2 login ack unknown", "1 user on ben 8"]);
    enter(&mut index, 3, "cat", 1);
    assert_eq!(send(&mut index, 3, &watch("ben")), ["3 hotlist ack ben", "3 user on ben 8"]);
    index.handle_closed(T0, ConnId(2));
    assert_eq!(drain(&mut index), ["3 user off ben", "1 user off ben"]);
    assert!(send(&mut index, 3, &Message::HotlistRemove(text("ben"))).is_empty());
    for nick in ["n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8"] {
        assert_eq!(send(&mut index, 3, &watch(nick)), [format!("3 hotlist ack {nick}")]);
    }
    assert_eq!(send(&mut index, 3, &watch("one-more")), ["3 hotlist error one-more"]);
}

#[test]
fn an_index_refuses_what_breaks_its_rules() {
    let mut index = server(2, 1);
    enter(&mut index, 1, "ann", 1);
    assert_eq!(index.handle_connected(T0, ConnId(1), HOME), Err(ConnectError::InUse(ConnId(1))));
    index.handle_connected(T0, ConnId(2), HOME).unwrap();
    assert_eq!(
        index.handle_connected(T0, ConnId(3), HOME),
        Err(ConnectError::Full { capacity: 2 })
    );
    assert_eq!(index.handle_bytes(T0, ConnId(3), b""), Err(NotConnected(ConnId(3))));
    let early = send(&mut index, 2, &Message::Stats(0, 0, 0));
    assert_eq!(early, ["2 error log in first"]);
    assert_eq!(send(&mut index, 2, &Message::NickCheck(text("ANN"))), ["2 nick taken"]);
    assert_eq!(send(&mut index, 2, &Message::NickCheck(text("dan"))), ["2 nick free"]);
    assert_eq!(send(&mut index, 2, &Message::NickCheck(text("a\"b"))), ["2 nick invalid"]);
    let taken = send(&mut index, 2, &Message::Login(login("Ann", 1)));
    assert_eq!(taken, ["2 error this nick is in use"]);
    assert!(send(&mut index, 1, &Message::Share(file("a.mp3", 1))).is_empty());
    assert!(send(&mut index, 1, &Message::Share(file("a.mp3", 2))).is_empty(), "the same again");
    let full = send(&mut index, 1, &Message::Share(file("b.mp3", 1)));
    assert_eq!(full, ["1 notice the index is full"]);
    let long = "x".repeat(256);
    let long = send(&mut index, 1, &Message::Share(file(&long, 1)));
    assert_eq!(long, ["1 notice the name of the file is too long"]);
    let bad = Frame { kind: Kind::SHARE, data: b"\"a.mp3\" only" };
    assert_eq!(send(&mut index, 1, &Message::Other(bad)), ["1 notice malformed fields"]);
    // A user that does not read the answers waits.
    let stats = encoded(&Message::Stats(0, 0, 0));
    let mut consumed = || index.handle_bytes(T0, ConnId(1), &stats).unwrap().consumed;
    assert_eq!((0..9).take_while(|_| consumed() == stats.len()).count(), 3);
    assert_eq!(drain(&mut index).len(), 3);
    // A frame beyond the limit ends the connection, and no other.
    assert_eq!(index.handle_bytes(T0, ConnId(1), &[0xFF; 9]).unwrap().consumed, 9);
    let error = NapError::TooLong { kind: Kind(0xFFFF), len: 0xFFFF, limit: MAX_DATA };
    let event = IndexEvent::Closed { conn: ConnId(1), reason: IndexCloseReason::Frame(error) };
    assert_eq!((index.poll_event(), index.poll_event(), index.files()), (Some(event), None, 0));
    assert_eq!(send(&mut index, 2, &Message::Login(login("ann", 1))), ["2 login ack unknown"]);
}

#[test]
fn silence_is_pinged_and_then_ended() {
    let mut index = server(2, 1);
    let at = Duration::from_secs;
    enter(&mut index, 1, "ann", 1);
    index.handle_connected(T0, ConnId(2), HOME).unwrap();
    assert_eq!(index.poll_timeout(), Some(at(30)));
    index.handle_timeout(at(30));
    let late = IndexEvent::Closed { conn: ConnId(2), reason: IndexCloseReason::LoginTimedOut };
    assert_eq!(index.poll_event(), Some(late));
    assert_eq!(index.poll_timeout(), Some(at(120)));
    index.handle_timeout(at(120));
    assert_eq!(drain(&mut index), ["1 ping"]);
    index.handle_bytes(at(130), ConnId(1), &encoded(&Message::Pong(Text::EMPTY))).unwrap();
    assert_eq!(index.poll_timeout(), Some(at(250)));
    index.handle_timeout(at(250));
    index.handle_timeout(at(370));
    let silent = IndexEvent::Closed { conn: ConnId(1), reason: IndexCloseReason::Silent };
    assert_eq!((index.poll_event(), index.poll_timeout()), (Some(silent), None));
}

/// What a user of an index is to do until when.
#[derive(Clone, Copy)]
struct Due {
    at: u64, // seconds
    state: UserState,
}

/// Any order of connections, logins, messages and closings: each user has its own deadline, and none is lost.
#[test]
fn every_user_keeps_its_deadline_whatever_the_others_do() {
    const USERS: u32 = 6;
    for seed in 0..100_u32 {
        let mut index = server(USERS as usize, 1);
        let mut users: [Option<Due>; USERS as usize] = [None; USERS as usize];
        let mut now = 0;
        let mut random = seed.wrapping_mul(0x9E37_79B9).wrapping_add(1);
        for _ in 0..200 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let nth = (random >> 28) % USERS;
            let conn = ConnId(nth);
            let user = &mut users[nth as usize];
            let at = Duration::from_secs(now);
            match ((random >> 20) % 8, *user) {
                (0, Some(_)) => {
                    index.handle_closed(at, conn);
                    *user = None;
                }
                (1..=3, _) => now += u64::from(random >> 12) % 20,
                (_, None) => {
                    index.handle_connected(at, conn, HOME).unwrap();
                    *user = Some(Due { at: now + 30, state: UserState::Connected });
                }
                (_, Some(Due { state, .. })) => {
                    let message = match state {
                        UserState::Connected => {
                            encoded(&Message::Login(login(&format!("u{nth}"), 1)))
                        }
                        _ => encoded(&Message::Pong(Text::EMPTY)),
                    };
                    index.handle_bytes(at, conn, &message).unwrap();
                    *user = Some(Due { at: now + 120, state: UserState::LoggedIn });
                }
            }
            index.handle_timeout(Duration::from_secs(now));
            for user in &mut users {
                *user = match *user {
                    Some(Due { at, state: UserState::LoggedIn }) if at <= now => {
                        Some(Due { at: now + 120, state: UserState::Pinged })
                    }
                    Some(Due { at, .. }) if at <= now => None,
                    other => other,
                };
            }
            drain(&mut index);
            while index.poll_event().is_some() {}
            for (conn, user) in (0..).map(ConnId).zip(&users) {
                let state = index.user_state(conn);
                assert_eq!(state, user.map(|user| user.state), "seed {seed}, {now} s, {conn:?}");
            }
            let due = users.iter().flatten().map(|user| Duration::from_secs(user.at)).min();
            assert_eq!(index.poll_timeout(), due, "seed {seed}, {now} s");
        }
    }
}

/// A client against the index, byte by byte.
#[test]
fn a_client_logs_in_searches_and_answers_pings() {
    let mut index = server(2, 2);
    enter(&mut index, 2, "ben", 1);
    send(&mut index, 2, &Message::Share(file("my song.mp3", 1)));
    index.handle_connected(T0, ConnId(1), HOME).unwrap();
    let mut client = Client::new(Duration::from_secs(5)).unwrap();
    let mut buf = [0; 512];
    let search = Message::Search(Search::new(text("song")));
    assert_eq!(client.send(T0, &search, &mut buf), Err(ClientError::OutOfTurn));
    let len = client.login(T0, login("ann", 1), &mut buf).unwrap();
    assert_eq!(client.login(T0, login("ann", 1), &mut buf), Err(ClientError::OutOfTurn));
    assert_eq!(client.poll_timeout(), Some(Duration::from_secs(5)));
    let mut sent = buf[..len].to_vec();
    let mut talk = |client: &mut Client, sent: &[u8]| {
        index.handle_bytes(T0, ConnId(1), sent).unwrap();
        let mut received = Vec::new();
        let mut messages = Vec::new();
        let mut buf = [0; 512];
        while let Some(transmit) = index.poll_transmit(&mut buf).unwrap() {
            for byte in &buf[..transmit.len] {
                received.push(*byte);
                let Received { consumed, outcome } = client.handle_bytes(T0, &received);
                if consumed > 0 {
                    assert_eq!(consumed, received.len());
                    messages.push(outcome.unwrap().kind());
                    received.clear();
                }
            }
        }
        messages
    };
    assert_eq!(talk(&mut client, &sent), [Kind::LOGIN_ACK]);
    assert_eq!(client.poll_event(), Some(ClientEvent::LoggedIn));
    assert!(client.is_online() && client.poll_timeout().is_none());
    let len = client.send(T0, &Message::Share(file("a song.mp3", 1)), &mut buf).unwrap();
    sent = buf[..len].to_vec();
    assert!(talk(&mut client, &sent).is_empty());
    let len = client.send(T0, &search, &mut buf).unwrap();
    assert_eq!(client.send(T0, &search, &mut [0; 512]), Err(ClientError::Searching));
    sent = buf[..len].to_vec();
    assert_eq!(talk(&mut client, &sent), [Kind::FOUND, Kind::SEARCH_END]);
    client.send(T0, &search, &mut buf).unwrap();
    client.handle_timeout(Duration::from_secs(9));
    assert_eq!(client.poll_event(), Some(ClientEvent::ListingTimedOut));
    assert!(client.send(T0, &search, &mut buf).is_ok());
    assert_eq!(client.poll_transmit(&mut buf), Ok(None));
    client.handle_bytes(T0, &encoded(&Message::Ping(Text::EMPTY)));
    assert_eq!(client.poll_transmit(&mut buf), Ok(Some(4)));
    assert_eq!(buf[..4], [0, 0, 0xF0, 2]);
    let mut refused = Client::new(Duration::from_secs(5)).unwrap();
    refused.login(T0, login("ann", 1), &mut buf).unwrap();
    refused.handle_bytes(T0, &encoded(&Message::Error(text("no"))));
    assert_eq!(
        refused.poll_event(),
        Some(ClientEvent::Closed { reason: ClientCloseReason::Refused })
    );
    assert!(!refused.is_online());
    for kind in [316, 748] {
        let mut dismissed = Client::new(Duration::from_secs(5)).unwrap();
        dismissed.login(T0, login("ann", 1), &mut buf).unwrap();
        dismissed.handle_bytes(T0, &encoded(&Message::LoginAck(text("a@b.c"))));
        assert_eq!(dismissed.poll_event(), Some(ClientEvent::LoggedIn));
        let frame = Frame { kind: Kind(kind), data: b"" };
        dismissed.handle_bytes(T0, &encoded(&Message::Other(frame)));
        let reason = ClientCloseReason::Dismissed(Kind(kind));
        assert_eq!(dismissed.poll_event(), Some(ClientEvent::Closed { reason }));
    }
    let mut invalid = Client::new(Duration::from_secs(5)).unwrap();
    invalid.login(T0, login("ann", 1), &mut buf).unwrap();
    invalid.handle_bytes(T0, &encoded(&Message::NickInvalid));
    let refused = ClientEvent::Closed { reason: ClientCloseReason::Refused };
    assert_eq!(invalid.poll_event(), Some(refused));
}

#[test]
fn a_client_passes_through_the_states_of_its_table() {
    let at = Duration::from_secs;
    let mut client = Client::new(at(5)).unwrap();
    let mut buf = [0; 512];
    assert_eq!(client.state(), ClientState::Connected);
    let search = Message::Search(Search::new(text("song")));
    assert!(client.send(T0, &search, &mut buf).is_err());
    assert!(client.login(T0, login("ann", 1), &mut [0; 4]).is_err());
    assert_eq!(client.state(), ClientState::Connected, "an error changes nothing");
    client.login(T0, login("ann", 1), &mut buf).unwrap();
    assert_eq!(client.state(), ClientState::LoggingIn);
    client.handle_bytes(T0, &encoded(&Message::SearchEnd));
    assert_eq!(client.state(), ClientState::LoggingIn);
    let mut silent = client.clone();
    silent.handle_timeout(at(5));
    assert_eq!(silent.state(), ClientState::Closed);
    client.handle_bytes(T0, &encoded(&Message::LoginAck(text("unknown"))));
    assert_eq!(client.state(), ClientState::LoggedIn);
    for kind in [Kind(999), Kind::RESUME, Kind::LOGIN_OPTIONS] {
        client.handle_bytes(T0, &encoded(&Message::Other(Frame { kind, data: b"x" })));
        assert_eq!(client.state(), ClientState::LoggedIn, "{kind:?} is passed on");
    }
    assert!(client.send(T0, &search, &mut [0; 4]).is_err());
    assert_eq!(client.state(), ClientState::LoggedIn, "an error changes nothing");
    client.send(T0, &search, &mut buf).unwrap();
    assert_eq!(client.state(), ClientState::Listing);
    client.handle_bytes(T0, &encoded(&Message::SearchEnd));
    assert_eq!(client.state(), ClientState::LoggedIn);
    client.send(T0, &Message::Browse(text("ben")), &mut buf).unwrap();
    assert_eq!(client.state(), ClientState::Listing);
    client.handle_timeout(at(5));
    assert_eq!(client.state(), ClientState::LoggedIn, "the rows did not arrive");
    client.send(at(5), &search, &mut buf).unwrap();
    client.handle_bytes(at(5), &[0xFF; 4]); // a frame beyond the limit
    assert_eq!(client.state(), ClientState::Closed);
    assert!(!client.is_online());
}

#[test]
fn a_user_passes_through_the_states_of_its_table() {
    let at = Duration::from_secs;
    let mut index = server(3, 2);
    assert_eq!(index.user_state(ConnId(1)), None, "no connection");
    index.handle_connected(T0, ConnId(1), HOME).unwrap();
    assert_eq!(index.user_state(ConnId(1)), Some(UserState::Connected));
    send(&mut index, 1, &Message::Search(Search::new(text("song"))));
    assert_eq!(index.user_state(ConnId(1)), Some(UserState::Connected), "log in first");
    send(&mut index, 1, &Message::Login(login("ann", 1)));
    assert_eq!(index.user_state(ConnId(1)), Some(UserState::LoggedIn));
    enter(&mut index, 2, "ben", 1);
    send(&mut index, 2, &Message::Share(file("my song.mp3", 1)));

    let search = encoded(&Message::Search(Search::new(text("song"))));
    index.handle_bytes(T0, ConnId(1), &search).unwrap();
    assert_eq!(index.user_state(ConnId(1)), Some(UserState::Listing));
    assert_eq!(index.user_state(ConnId(2)), Some(UserState::LoggedIn));
    index.handle_timeout(at(120));
    assert_eq!(index.user_state(ConnId(1)), Some(UserState::Pinged), "rows are due too");
    assert_eq!(index.user_state(ConnId(2)), Some(UserState::Pinged));
    index.handle_bytes(at(120), ConnId(1), &encoded(&Message::Pong(Text::EMPTY))).unwrap();
    assert_eq!(index.user_state(ConnId(1)), Some(UserState::Listing));
    assert_eq!(drain(&mut index).len(), 3, "the ping of the other, a row and the end");
    assert_eq!(index.user_state(ConnId(1)), Some(UserState::LoggedIn));
    index.handle_timeout(at(240));
    assert_eq!(index.user_state(ConnId(1)), Some(UserState::Pinged));
    assert_eq!(index.user_state(ConnId(2)), None, "it did not answer");
    index.handle_closed(at(240), ConnId(1));
    assert_eq!(index.user_state(ConnId(1)), None);
}

#[test]
fn slots_are_as_large_as_documented() {
    assert!(size_of::<UserSlot>() <= 1_304 && size_of::<FileSlot>() == 352); // less on 32 bits
    assert!(size_of::<Index<()>>() <= 272 && size_of::<Client>() <= 96);
}
