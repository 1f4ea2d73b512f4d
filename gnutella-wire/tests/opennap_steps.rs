//! The steps of `OpenNap` as its servers and clients take them: the bytes of a stranger in, the bytes of the index out.

mod opennap_world;

use core::net::Ipv4Addr;
use core::time::Duration;

use gnutella_wire::opennap::peer::Answer;
use gnutella_wire::opennap::{
    EntrySlot, FileSlot, Frame, Index, IndexConfig, IndexSlots, Kind, LinkType, Login, MAX_DATA,
    Message, UserSlot, UserState,
};
use gnutella_wire::{ConfigError, ConnId, Text};
use opennap_world::{T0, World, sent};

/// Messages of the login that come after it are answered, and change nothing.
#[test]
fn a_login_after_the_login_is_answered() {
    let mut world = World::of_two();
    let already = sent(&[(1, 404, "logged in already")]);
    assert_eq!(world.send(1, 2, "ann pw 6699 \"nap v1.5\" 8"), already);
    assert_eq!(world.send(1, 6, "cat pw 6699 \"nap v1.5\" 8 a@b"), already);
    assert_eq!(world.send(1, 7, "cat"), sent(&[(1, 8, "")]), "free");
    assert_eq!(world.send(1, 7, "BEN"), sent(&[(1, 9, "")]), "taken");
}

/// `TekNap` 1.3 shares folder by folder, and writes a word where it has no MD5.
#[test]
fn a_folder_is_shared_file_by_file() {
    let mut world = World::of_two();
    let folder = "\"C:\\Music\" \"one two.mp3\" NOMD5COMPUTED 11 128 44100 60 \
                  \"three.mp3\" 00000000000000000000000000000000-22 22 192 44100 61";
    assert_eq!(world.send(1, 870, folder), []);
    assert_eq!(world.0.files(), 2);
    let rows = world.send(2, 211, "ann");
    let expected = sent(&[
        (
            2,
            212,
            "ann \"C:\\Music\\three.mp3\" 00000000000000000000000000000000-22 22 192 44100 61",
        ),
        (2, 212, "ann \"C:\\Music\\one two.mp3\" NOMD5COMPUTED 11 128 44100 60"),
        (2, 213, "ann"),
    ]);
    assert_eq!(rows, expected);
    let found = world.send(2, 200, "FILENAME CONTAINS \"music two\" MAX_RESULTS 9");
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(
        world.send(1, 870, "\"/mnt/\" \"x.mp3\" m 1 1 1 1 \"broken"),
        sent(&[(1, 404, "malformed fields")])
    );
    // A file of 5 GB, whose size has no room, costs only itself.
    assert_eq!(
        world.send(1, 870, "\"/iso/\" \"big one\" m 5000000000 0 0 0 \"small one\" m 7 0 0 0"),
        sent(&[(1, 404, "malformed fields")])
    );
    assert_eq!(
        world.send(1, 102, "\"/iso/big one\""),
        sent(&[(1, 404, "this file is not shared")])
    );
    assert_eq!(world.send(1, 102, "\"/iso/small one\""), []);
    assert_eq!(world.send(1, 102, "\"/mnt/x.mp3\""), []);
    assert_eq!(world.send(1, 102, "\"/mnt/x.mp3\""), sent(&[(1, 404, "this file is not shared")]));
}

#[test]
fn a_folder_comes_back_as_it_was() {
    let data = b"\"C:\\a b\" \"x.mp3\" md5 1 2 3 4 \"y.mp3\" md5 5 6 7 8";
    let frame = Frame { kind: Kind::SHARE_FOLDER, data };
    let Ok(Message::ShareFolder(folder)) = Message::from_frame(frame) else { panic!("{frame}") };
    let sizes: Vec<_> = folder.files().map(|file| file.unwrap().size).collect();
    assert_eq!(sizes, [1, 5]);
    let mut out = [0; 80];
    let len = Message::ShareFolder(folder).encode(&mut out).unwrap();
    assert_eq!(out[4..len], data[..]);
}

/// Servers take the rest of the line where the closing quote is missing, and skip repeated blanks.
#[test]
fn careless_quoting_is_read_as_servers_read_it() {
    let mut world = World::of_two();
    world.send(1, 100, "  \"say\"hi\"or two.mp3\"   0123  99 128  44100 60");
    let asked = world.send(2, 203, "ann   \"say\"hi\"or two.mp3");
    assert_eq!(asked, sent(&[(1, 607, "ben \"say\"hi\"or two.mp3\"")]));
    let found = world.send(2, 200, "FILENAME CONTAINS \"HI TWO\"");
    assert_eq!(found[0].1, 201);
}

#[test]
fn logins_are_answered_by_type() {
    let mut world = World::new(4, 8);
    world.enter(1, "ann", 6699);
    world.0.handle_connected(T0, ConnId(2), Ipv4Addr::LOCALHOST).unwrap();
    let login = |nick: &str| format!("{nick} pw 6699 \"nap v1.5\" 8");
    assert_eq!(world.send(2, 214, ""), sent(&[(2, 0, "log in first")]));
    assert_eq!(world.send(2, 2, &login("ANN")), sent(&[(2, 0, "this nick is in use")]));
    assert_eq!(world.send(2, 2, &login("a-nick-of-twenty-abc")), sent(&[(2, 10, "")]));
    assert_eq!(world.send(2, 7, "ann"), sent(&[(2, 9, "")]));
    assert_eq!(world.send(2, 7, "ben"), sent(&[(2, 8, "")]));
    assert_eq!(
        world.send(2, 6, &format!("{} ben@b.org", login("ben"))),
        sent(&[(2, 3, "unknown")])
    );
    assert_eq!(world.send(2, 14, "NAME:ben"), []);
}

#[test]
fn what_is_not_supported_is_answered() {
    let mut world = World::new(4, 8);
    world.enter(1, "ann", 6699);
    assert_eq!(world.send(1, 400, "#room"), sent(&[(1, 404, "this index does not support that")]));
    assert_eq!(world.send(1, 205, "ben hello"), sent(&[(1, 404, "no such user")]));
    assert_eq!(world.send(1, 205, "ben"), sent(&[(1, 404, "no such user")]), "without words");
    assert_eq!(world.send(1, 205, ""), sent(&[(1, 404, "malformed fields")]));
    assert_eq!(world.send(1, 215, "0123 99"), sent(&[(1, 217, "")]));
    assert_eq!(world.send(1, 600, "dan"), sent(&[(1, 404, "no such user")]));
    assert_eq!(world.send(1, 750, ""), sent(&[(1, 752, "")]));
    assert_eq!(world.send(1, 203, "ann"), sent(&[(1, 404, "malformed fields")]));
}

/// Words for a user arrive with the nick of their sender, quotes and all, in the order in which they were sent.
#[test]
fn words_for_a_user_are_delivered() {
    let mut world = World::new(4, 8);
    world.enter(1, "ann", 6699);
    world.enter(2, "ben", 0);
    let words = "hi  \"you\" there ";
    assert_eq!(
        world.send(1, 205, &format!("BEN {words}")),
        sent(&[(2, 205, &format!("ann {words}"))])
    );
    assert_eq!(world.send(2, 205, "ann yes"), sent(&[(1, 205, "ben yes")]));
    assert_eq!(world.send(1, 205, "ann to myself"), sent(&[(1, 205, "ann to myself")]));
    let most = "w".repeat(255);
    assert_eq!(
        world.send(1, 205, &format!("ben {most}")),
        sent(&[(2, 205, &format!("ann {most}"))])
    );
    let refused = sent(&[(1, 404, "the message is too long")]);
    assert_eq!(world.send(1, 205, &format!("ben {most}w")), refused);
    // The receiver leaves before the words are sent on.
    world.receive(1, 205, "ben bye");
    world.0.handle_closed(T0, ConnId(2));
    assert_eq!(world.drain(), sent(&[(1, 404, "no such user")]));
    assert_eq!(world.0.user_state(ConnId(1)), Some(UserState::LoggedIn));
}

/// One message of a user waits at a time; the next stays in the receive buffer of its connection.
#[test]
fn words_wait_at_their_sender() {
    let mut world = World::new(4, 8);
    world.enter(1, "ann", 6699);
    world.enter(2, "ben", 6699);
    world.receive(1, 205, "ben one");
    let mut second = 7_u16.to_le_bytes().to_vec();
    second.extend(205_u16.to_le_bytes());
    second.extend(b"ben two");
    assert_eq!(world.0.handle_bytes(T0, ConnId(1), &second).unwrap().consumed, 0);
    assert_eq!(world.drain(), sent(&[(2, 205, "ann one")]));
    assert_eq!(world.0.handle_bytes(T0, ConnId(1), &second).unwrap().consumed, second.len());
    assert_eq!(world.drain(), sent(&[(2, 205, "ann two")]));
}

/// 751 goes to the user, whose 752 names who asked.
#[test]
fn users_ping_each_other() {
    let mut world = World::new(4, 8);
    world.enter(1, "ann", 6699);
    world.enter(2, "ben", 6699);
    assert_eq!(world.send(1, 751, "ben"), sent(&[(2, 751, "ann")]));
    assert_eq!(world.send(2, 752, "ann"), sent(&[(1, 752, "ben")]));
    assert_eq!(world.send(1, 751, "dan"), sent(&[(1, 404, "no such user")]));
    assert_eq!(world.send(1, 752, "dan"), [], "an answer to the index");
    assert_eq!(world.send(1, 752, ""), []);
}

/// Every type of a message, with no fields and with a few: the user stays logged in, and what is not known is refused.
#[test]
fn every_type_is_handled_or_refused() {
    // What only an index sends is ignored, as are counts of transfers, pongs, and options.
    let ignored = [
        0, 3, 8, 9, 10, 14, 201, 202, 204, 206, 209, 210, 212, 213, 217, 218, 219, 220, 221, 301,
        302, 404, 501, 601, 607, 609, 620, 752,
    ];
    let answered = [
        2, 6, 7, 100, 102, 200, 203, 205, 207, 208, 211, 214, 215, 303, 500, 600, 608, 619, 626,
        750, 751, 870,
    ];
    for kind in 0..1_200 {
        for data in [
            "",
            "ben",
            "ben \"a.mp3\" 0 1 2 3 4",
            "\"a.mp3\" 0123 99 128 44100 60",
            "1 2 3 4 5 6 7",
        ] {
            let mut world = World::new(4, 8);
            world.enter(1, "ann", 6699);
            let sent = world.send(1, kind, data);
            assert!(
                world.0.user_state(ConnId(1)).is_some_and(|state| state != UserState::Connected)
            );
            let is_known = ignored.contains(&kind) || answered.contains(&kind);
            let is_refused = sent == [(1, 404, "this index does not support that".to_owned())];
            assert_eq!(is_refused, !is_known, "{kind} {data}: {sent:?}");
            if ignored.contains(&kind) {
                let is_malformed = sent == [(1, 404, "malformed fields".to_owned())];
                assert!(sent.is_empty() || is_malformed, "{kind} {data}: {sent:?}");
            }
        }
    }
}

/// Own files and those that cannot be transferred are left out, as by `OpenNap` 0.36.
#[test]
fn a_search_lists_only_what_can_be_fetched() {
    let mut world = World::new(4, 8);
    world.enter(1, "ann", 6699);
    world.enter(2, "ben", 0);
    world.enter(3, "cat", 0);
    for (conn, name) in [(1, "song one.mp3"), (2, "song two.mp3"), (3, "song three.mp3")] {
        world.send(conn, 100, &format!("\"{name}\" 0123 99 128 44100 60"));
    }
    let names = |rows: Vec<(u32, u16, String)>| -> Vec<String> {
        let rows = rows.into_iter().filter(|(_, kind, _)| *kind == 201);
        rows.map(|(_, _, data)| data.split('"').nth(1).unwrap().to_owned()).collect()
    };
    let search = "FILENAME CONTAINS \"song\" MAX_RESULTS 100";
    assert_eq!(names(world.send(1, 200, search)), ["song three.mp3", "song two.mp3"]);
    assert_eq!(names(world.send(2, 200, search)), ["song one.mp3"]);
}

/// 48 one-letter words, G17 of the cases: the search pauses after each slice, and others are served meanwhile.
#[test]
fn a_hostile_search_is_sliced_and_delays_nobody() {
    let mut world = World::new(4, 4_000);
    world.enter(1, "ann", 6699);
    world.enter(2, "ben", 6700);
    world.enter(3, "cat", 6701);
    for number in 0..4_000 {
        assert_eq!(world.send(1, 100, &format!("\"a b c {number}.mp3\" 0 1 1 1 1")), []);
    }
    let letters = (b'a'..=b'z').map(char::from).flat_map(|letter| [letter, ' ']);
    let hostile = format!("FILENAME CONTAINS \"{}\"", letters.collect::<String>());
    let ended = world.send(2, 200, &hostile);
    assert_eq!(ended, sent(&[(2, 202, "")]), "a word that no file has ends the search at once");
    world
        .0
        .handle_bytes(T0, ConnId(2), &frame(200, "FILENAME CONTAINS \"a\" BITRATE \"AT LEAST\" 9"))
        .unwrap();
    assert_eq!(world.drain(), [], "no file has that bitrate: the walk pauses");
    assert_eq!(world.0.poll_timeout(), Some(Duration::from_millis(1)));
    assert_eq!(world.send(3, 214, ""), sent(&[(3, 214, "3 4000 0")]));
    let mut now = T0;
    let mut slices = 1;
    loop {
        now += Duration::from_millis(1);
        world.0.handle_timeout(now);
        slices += 1;
        if let [(2, 202, _)] = world.drain()[..] {
            break;
        }
        assert!(slices < 4_000, "the search never ends");
    }
    assert!((20..200).contains(&slices), "{slices} slices for 4,000 files");
    assert!(world.0.poll_timeout().unwrap() >= Duration::from_secs(30));
}

fn frame(kind: u16, data: &str) -> Vec<u8> {
    let mut bytes = u16::try_from(data.len()).unwrap().to_le_bytes().to_vec();
    bytes.extend(kind.to_le_bytes());
    bytes.extend(data.as_bytes());
    bytes
}

/// A file at which a search pauses may be removed, and its slots used again.
#[test]
fn a_search_survives_the_removal_of_the_files_it_walks_over() {
    let mut world = World::new(3, 600);
    world.enter(1, "ann", 6699);
    world.enter(2, "ben", 6700);
    for number in 0..400 {
        let bitrate = if number == 0 { 320 } else { 1 };
        world.send(1, 100, &format!("\"song {number}\" 0 1 {bitrate} 1 1"));
    }
    let search = frame(200, "FILENAME CONTAINS \"song\" BITRATE \"AT LEAST\" 300");
    world.0.handle_bytes(T0, ConnId(2), &search).unwrap();
    assert_eq!(world.drain(), []);
    for number in 1..400 {
        world.send(1, 102, &format!("\"song {number}\""));
        world.send(1, 100, &format!("\"other {number}\" 0 1 320 1 1"));
    }
    let mut rows = Vec::new();
    for step in 1..100 {
        world.0.handle_timeout(Duration::from_millis(step));
        rows.extend(world.drain());
    }
    let kinds: Vec<_> = rows.iter().map(|(_, kind, _)| *kind).collect();
    assert_eq!(kinds, [201, 202], "{rows:?}");
    assert!(rows[0].2.starts_with("\"song 0\""));
    world.0.handle_closed(T0, ConnId(1));
    assert_eq!((world.0.files(), world.0.users()), (0, 1));
    assert_eq!(world.send(2, 214, ""), sent(&[(2, 214, "1 0 0")]));
}

#[test]
fn statistics_follow_every_change() {
    let mut world = World::new(3, 8);
    world.enter(1, "ann", 6699);
    world.enter(2, "ben", 6700);
    world.send(1, 100, "\"a\" 0 4294967295 1 1 1");
    world.send(1, 100, "\"b\" 0 4294967295 1 1 1");
    assert_eq!(world.send(2, 214, ""), sent(&[(2, 214, "2 2 7")]));
    world.send(1, 100, "\"b\" 0 1 1 1 1");
    assert_eq!(world.send(2, 214, ""), sent(&[(2, 214, "2 2 4")]));
    world.send(1, 102, "\"a\"");
    assert_eq!(world.send(2, 214, ""), sent(&[(2, 214, "2 1 0")]));
}

#[test]
fn storage_without_room_for_the_users_is_refused() {
    let slots = IndexSlots {
        users: [UserSlot::EMPTY; 2],
        files: [FileSlot::EMPTY; 1],
        entries: [EntrySlot::EMPTY; 23],
    };
    let error = Index::new(IndexConfig::CUSTOMARY, slots).unwrap_err();
    assert_eq!(error, ConfigError::TooFewSlots { what: "entries", needed: 24 });
}

/// Files beyond the entries are refused; users always find theirs.
#[test]
fn files_never_take_the_entries_of_users() {
    let slots = IndexSlots {
        users: [UserSlot::EMPTY; 2],
        files: [FileSlot::EMPTY; 9],
        entries: [EntrySlot::EMPTY; 27],
    };
    let mut index = Index::new(IndexConfig::CUSTOMARY, slots).unwrap();
    for conn in [1, 2] {
        index.handle_connected(T0, ConnId(conn), Ipv4Addr::LOCALHOST).unwrap();
    }
    let mut talk = |conn: u32, kind: u16, data: &str| -> Vec<u16> {
        index.handle_bytes(T0, ConnId(conn), &frame(kind, data)).unwrap();
        let mut buf = [0; 512];
        let mut kinds = Vec::new();
        while let Some(sent) = index.poll_transmit(&mut buf).unwrap() {
            kinds.push(Frame::decode(&buf[..sent.len], MAX_DATA).unwrap().0.kind.0);
        }
        kinds
    };
    assert_eq!(talk(1, 2, "ann pw 1 \"nap\" 8"), [3]);
    assert_eq!(talk(1, 100, "\"a b c\" 0 1 1 1 1"), [404], "four entries, where three are free");
    assert_eq!(talk(1, 100, "\"a b\" 0 1 1 1 1"), []);
    assert_eq!(talk(1, 100, "\"c\" 0 1 1 1 1"), [404]);
    for conn in [1, 2] {
        if conn == 2 {
            assert_eq!(talk(2, 2, "ben pw 1 \"nap\" 8"), [3]);
        }
        for number in 0..8 {
            assert_eq!(talk(conn, 207, &format!("nick{number}")), [301]);
        }
    }
    assert_eq!(talk(2, 200, "FILENAME CONTAINS \"b\""), [201, 202]);
}

/// The digits before a file are as many as the size in the search has, whatever the file begins with.
#[test]
fn a_file_that_begins_with_digits_is_separated_by_its_announced_size() {
    let bytes = b"44333217 is the first number";
    assert_eq!(Answer::decode_sized(bytes, 443_332, false), Some(Answer::Size(443_332, 6)));
    assert_eq!(Answer::decode_sized(b"443", 443_332, false), None);
    assert_eq!(Answer::decode_sized(b"443", 443_332, true), Some(Answer::Size(443, 3)));
    assert_eq!(Answer::decode_sized(b"99\xFF", 443_332, false), Some(Answer::Size(99, 2)));
    assert_eq!(Answer::decode_sized(b"FILE NOT FOUND", 443_332, false), Some(Answer::Refused));
    assert_eq!(Answer::decode_sized(b"INVALID DATA", 443_332, false), Some(Answer::Refused));
}

#[test]
fn a_login_of_any_port_keeps_its_speed() {
    let login = Login {
        nick: Text::new(b"ann").unwrap(),
        password: Text::new(b"pw").unwrap(),
        port: 0,
        client: Text::new(b"nap").unwrap(),
        link: LinkType(10),
    };
    let mut world = World::new(2, 0);
    world.0.handle_connected(T0, ConnId(1), Ipv4Addr::LOCALHOST).unwrap();
    let mut buf = [0; 64];
    let len = Message::Login(login).encode(&mut buf).unwrap();
    world.0.handle_bytes(T0, ConnId(1), &buf[..len]).unwrap();
    world.drain();
    assert_eq!(world.send(1, 600, "ANN"), sent(&[(1, 601, "ann 10")]));
}
