//! Messages of the central index: the published examples, traps of the text, names and lengths.

use core::net::Ipv4Addr;

use gnutella_wire::opennap::peer::{Answer, Ask};
use gnutella_wire::opennap::{
    Bound, File, Frame, Kind, LinkType, MAX_DATA, Message, NapAddress, NapError, Source, Wanted,
};
use gnutella_wire::{BufferTooSmall, Text};

/// The data of the longest frame.
const MOST: usize = 65_535;

fn text(text: &str) -> Text<'_> {
    Text::new(text.as_bytes()).unwrap()
}

fn encoded(message: &Message<'_>) -> Vec<u8> {
    let mut out = vec![0; message.encoded_len()];
    assert_eq!(message.encode(&mut out), Ok(out.len()));
    let needed = out.len();
    let mut short = vec![0; needed - 1];
    assert_eq!(message.encode(&mut short), Err(BufferTooSmall { needed }));
    out
}

fn unhex(digits: &str) -> Vec<u8> {
    let digits = digits.trim().as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// All examples, framed as they stand; their fields mean what the text defines, and come back.
#[test]
fn the_examples_of_napster_txt_decode_and_encode_back() {
    let mut seen = 0;
    for line in include_str!("data/opennap.txt").lines().filter(|line| !line.starts_with('#')) {
        let (kind, rest) = line.split_once(' ').unwrap();
        let (bytes, data) = rest.split_once(' ').unwrap();
        let bytes = unhex(bytes);
        let kind = Kind(kind.parse().unwrap());
        let frame = Frame { kind, data: data.as_bytes() };
        assert_eq!(Frame::decode(&bytes, MAX_DATA), Ok((frame, &[][..])));
        let mut out = vec![0; frame.encoded_len()];
        assert_eq!(frame.encode(&mut out), Ok(bytes.len()));
        assert_eq!(out, bytes);
        for cut in 0..bytes.len() {
            let short = Frame::decode(&bytes[..cut], MAX_DATA);
            let needed = if cut < 4 { 4 - cut } else { bytes.len() - cut };
            assert_eq!(short, Err(NapError::Incomplete { needed }));
        }
        assert!(frame.to_string().ends_with(data.trim_end()) && !kind.name().is_empty());
        seen += 1;
        let message = Message::from_frame(frame);
        if kind == Kind::DOWNLOAD_ACK {
            assert_eq!(message, Err(NapError::Malformed(kind)), "4877911892 is no address");
            continue;
        }
        let message = message.unwrap();
        assert_eq!(message.kind(), kind);
        let again = encoded(&message);
        assert_eq!(Message::decode(&again, MAX_DATA), Ok((message, &[][..])));
        let unquoted =
            |bytes: &[u8]| -> Vec<u8> { bytes.iter().copied().filter(|b| *b != b'"').collect() };
        let (frame, _) = Frame::decode(&again, MAX_DATA).unwrap();
        if kind == Kind::SEARCH {
            continue; // its clauses may stand in any order
        }
        assert_eq!(unquoted(frame.data), unquoted(data.as_bytes()));
    }
    assert_eq!(seen, 10);
}

#[test]
fn ambiguous_fields_are_read_as_servers_read_them() {
    let read =
        |kind: Kind, data: &'static str| Message::from_frame(Frame { kind, data: data.as_bytes() });
    let search = |data| match read(Kind::SEARCH, data) {
        Ok(Message::Search(search)) => search,
        other => panic!("{other:?}"),
    };
    let one = search(
        "FILENAME CONTAINS \"Sneaker Pimps\" MAX_RESULTS 75 FILENAME CONTAINS \"tesko suicide\" BITRATE \"AT LEAST\" \"128\"",
    );
    assert_eq!((one.artist, one.title), (Some(text("Sneaker Pimps")), Some(text("tesko suicide"))));
    assert_eq!((one.max_results, one.bitrate), (Some(75), Some(Bound::AtLeast(128))));
    let two = search("MAX_RESULTS 100 FILENAME CONTAINS \"Ventolin\" LINESPEED \"EQUAL TO\" 10");
    assert_eq!((two.title, two.speed), (Some(text("Ventolin")), Some(Bound::EqualTo(10))));
    assert!(Bound::AtBest(3).holds(3) && !Bound::AtBest(3).holds(4));
    // A quote inside a name is not escaped; the name ends where a field can end.
    let quoted = read(Kind::UNSHARE, "\"the \"best\"of.mp3\"");
    assert_eq!(quoted, Ok(Message::Unshare(text("the \"best\"of.mp3"))));
    let row = read(Kind::FOUND, "\"a b.mp3\" 0123 5 128 44100 60 lefty 4294967295 4 7");
    let Ok(Message::Found(row)) = row else { panic!("{row:?}") };
    assert_eq!((row.address, row.link, row.file.size), (NapAddress(u32::MAX), LinkType(4), 5));
    for bad in [
        "\"a\" 0123 5 128 44100 60 lefty 4294967296 4",
        "\"a\" 0123 -5 128 44100 60 lefty 1 4",
        "\"a\" 0123 5 128",
        "\"a",
        "",
    ] {
        assert_eq!(read(Kind::FOUND, bad), Err(NapError::Malformed(Kind::FOUND)), "{bad}");
    }
    let other = read(Kind(400), "#channel");
    assert!(matches!(other, Ok(Message::Other(Frame { kind: Kind(400), .. }))));
    let long = NapError::TooLong { kind: Kind::SEARCH, len: 2_049, limit: 2_048 };
    assert_eq!(Frame::decode(&[1, 8, 200, 0], MAX_DATA), Err(long));
    let address = NapAddress::from(Ipv4Addr::new(1, 2, 3, 4));
    assert_eq!((address, address.to_string()), (NapAddress(0x0403_0201), "1.2.3.4".to_owned()));
}

/// The size is followed by the file at once, at every split.
#[test]
fn the_size_before_a_file_is_split_from_its_data() {
    let bytes = b"443332\xFF\xFB\x90";
    for cut in 0..=6 {
        assert_eq!(Answer::decode(&bytes[..cut], false), None);
    }
    for cut in 7..=bytes.len() {
        assert_eq!(Answer::decode(&bytes[..cut], false), Some(Answer::Size(443_332, 6)));
    }
    assert_eq!(Answer::decode(b"0", true), Some(Answer::Size(0, 1)));
    assert_eq!(Answer::decode(b"FILE NOT SHARED", false), Some(Answer::Refused));
    assert_eq!(Answer::decode(b"", true), Some(Answer::Refused));
    assert_eq!(Answer::decode(&[b'9'; 21], false), Some(Answer::Refused));
    let ask = Ask { nick: text("mred"), name: text("C:\\a \"b.mp3"), number: 7 };
    let mut out = [0; 40];
    let len = ask.encode(&mut out).unwrap();
    assert_eq!(&out[..len], b"mred \"C:\\a \"b.mp3\" 7");
    assert_eq!(Ask::decode(&out[..len]), Some(ask));
    assert_eq!(Ask::decode(&out[..len - 1]), None);
}

/// As in `OpenNap`, any white space ends a word, or a client that ends its words in a return would have another nick.
#[test]
fn fields_end_at_any_white_space() {
    for space in [" ", "\t", "\r", "\n", "\r\n", " \t \r"] {
        let data = format!("{space}ann{space}\"my song.mp3\"{space}7{space}");
        let frame = Frame { kind: Kind::UPLOAD_LIMIT, data: data.as_bytes() };
        let wanted = Wanted { nick: text("ann"), name: text("my song.mp3") };
        let message = Message::UploadLimit(wanted, 7);
        assert_eq!(Message::from_frame(frame), Ok(message), "{data:?}");
        let bytes = encoded(&message);
        assert_eq!(&bytes[4..], b"ann \"my song.mp3\" 7");
    }
    let data = b"ann\r\r uON";
    let word = Message::from_frame(Frame { kind: Kind::PORT_ERROR, data });
    assert_eq!(word, Ok(Message::PortError(text("ann"))));
}

/// Servers send 32 zeros if they know no MD5; `TekNap` shares `NOMD5COMPUTED`; some append the size.
#[test]
fn an_md5_of_zeros_is_unknown() {
    let digits = "063e5b524d13a12a01f029b7854d888c";
    let rows = [
        (digits.to_owned(), Some(digits)),
        (format!("{digits}-4356789"), Some(digits)),
        ("0".repeat(32), None),
        (format!("{}-4356789", "0".repeat(32)), None),
        ("NOMD5COMPUTED".to_owned(), None),
        ("firewallerror".to_owned(), None),
    ];
    for (md5, expected) in &rows {
        let name = text("a.mp3");
        let md5 = text(md5);
        let file = File { name, md5, size: 1, bitrate: 128, frequency: 44_100, seconds: 60 };
        assert_eq!(file.known_md5(), expected.map(text), "{md5:?}");
        let source = Source {
            nick: text("ann"),
            address: NapAddress(1),
            port: 6699,
            name,
            md5,
            link: LinkType(7),
        };
        assert_eq!(source.known_md5(), expected.map(text), "{md5:?}");
    }
}

/// Some servers leave the MD5 and the link out of 204. If the message is sent on, zeros keep the place of the MD5.
#[test]
fn an_md5_that_is_missing_is_sent_as_zeros() {
    let data = b"ann 16777343 6699 \"a.mp3\"";
    let read = Message::from_frame(Frame { kind: Kind::DOWNLOAD_ACK, data }).unwrap();
    let address = NapAddress(16_777_343);
    let nick = text("ann");
    let name = text("a.mp3");
    let source = Source { nick, address, port: 6699, name, md5: Text::EMPTY, link: LinkType(0) };
    assert_eq!(read, Message::DownloadAck(source));
    let zeros = "0".repeat(32);
    let sent = format!("ann 16777343 6699 \"a.mp3\" {zeros} 0");
    assert_eq!(&encoded(&read)[4..], sent.as_bytes());
    let file = File { name, md5: Text::EMPTY, size: 1, bitrate: 2, frequency: 3, seconds: 4 };
    let sent = format!("\"a.mp3\" {zeros} 1 2 3 4");
    assert_eq!(&encoded(&Message::Share(file))[4..], sent.as_bytes());
}

/// The numbers of `napster.txt` and the words that traces print for them.
#[test]
fn kinds_have_names() {
    let rows = [
        (0, "error"),
        (2, "login"),
        (3, "login ack"),
        (6, "new user"),
        (7, "nick check"),
        (8, "nick free"),
        (9, "nick taken"),
        (10, "nick invalid"),
        (14, "login options"),
        (100, "share"),
        (102, "unshare"),
        (200, "search"),
        (201, "found"),
        (202, "search end"),
        (203, "download"),
        (204, "download ack"),
        (205, "private"),
        (206, "download error"),
        (207, "hotlist add"),
        (208, "hotlist init"),
        (209, "user on"),
        (210, "user off"),
        (211, "browse"),
        (212, "browsed"),
        (213, "browse end"),
        (214, "stats"),
        (215, "resume"),
        (217, "resume end"),
        (218, "download begins"),
        (219, "download ends"),
        (220, "upload begins"),
        (221, "upload ends"),
        (301, "hotlist ack"),
        (302, "hotlist error"),
        (303, "hotlist remove"),
        (316, "disconnecting"),
        (404, "notice"),
        (500, "download firewalled"),
        (501, "upload firewalled"),
        (600, "speed request"),
        (601, "speed"),
        (607, "upload request"),
        (608, "upload accept"),
        (609, "accept failed"),
        (619, "upload limit"),
        (620, "upload limited"),
        (626, "port error"),
        (748, "logged in elsewhere"),
        (750, "ping"),
        (751, "ping user"),
        (752, "pong"),
        (870, "share folder"),
    ];
    for number in 0..=u16::MAX {
        let name = rows.iter().find(|row| row.0 == number).map_or("", |row| row.1);
        assert_eq!(Kind(number).name(), name, "{number}");
    }
}

/// The length of the header must cover all that is sent, or the rest would be read as further messages.
#[test]
fn what_goes_beyond_a_frame_is_left_out() {
    let long = vec![b'x'; 70_000];
    let text = Text::new(&long).unwrap();
    let nick = Text::new(b"ann").unwrap();
    let file = File { name: text, md5: nick, size: 1, bitrate: 2, frequency: 3, seconds: 4 };
    let messages = [
        Message::Notice(text),
        Message::Private(nick, text),
        Message::Share(file),
        Message::Browsed(nick, file),
        Message::Other(Frame { kind: Kind(999), data: &long }),
    ];
    for message in messages {
        let bytes = encoded(&message);
        assert_eq!(bytes.len(), 4 + MOST, "{:?}", message.kind());
        let (frame, rest) = Frame::decode(&bytes, u16::MAX).unwrap();
        assert_eq!((frame.kind, frame.data.len(), rest), (message.kind(), MOST, &b""[..]));
    }
}

#[test]
fn what_fills_a_frame_to_its_end_comes_back() {
    let nick = Text::new(b"ann").unwrap();
    let long = vec![b'x'; MOST - 4];
    let whole = Message::Private(nick, Text::new(&long).unwrap());
    let bytes = encoded(&whole);
    assert_eq!(Message::decode(&bytes, u16::MAX), Ok((whole, &b""[..])));
    let too_long = Message::decode(&bytes, u16::MAX - 1).unwrap_err();
    let kind = Kind::PRIVATE;
    let limit = u16::MAX - 1;
    assert_eq!(too_long, NapError::TooLong { kind, len: u16::MAX, limit });
}

/// A request to a peer has no frame, so no length limits it.
#[test]
fn a_long_request_to_a_peer_is_written_whole() {
    let name = "a".repeat(65_524);
    let ask = Ask { nick: text("ann"), name: text(&name), number: 123_456 };
    let mut out = vec![0; 65_600];
    let len = ask.encode(&mut out).unwrap();
    assert_eq!(Ask::decode(&out[..len]), Some(ask));
}
