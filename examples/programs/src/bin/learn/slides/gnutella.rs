//! The central index, and Gnutella 0.4.

use core::net::{Ipv4Addr, SocketAddrV4};

use gnutella_wire::handshake::Handshake;
use gnutella_wire::head::{Head, HeadLimits, Header};
use gnutella_wire::http::{Giv, Name, Request, Response};
use gnutella_wire::opennap::{File, LinkType, Login, Message as NapMessage, Search, Wanted};
use gnutella_wire::servent::flood_bound;
use gnutella_wire::wire::{
    HEADER_LEN, Limits, Message, Payload, Ping, Pong, Push, Query, QueryFlags, Vendor,
};
use gnutella_wire::{Config, Guid, Role, ServentId, Text};

use super::lesson::search;
use super::servents::{admitted, ttl_of_query};
use super::{Fact, equal, fact, failed, holds};

const ADDRESS: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 6346);
const ID: ServentId = ServentId([7; 16]);

fn text(text: &str) -> Text<'_> {
    Text::new(text.as_bytes()).unwrap_or_default()
}

pub const CENTRAL: &[Fact] = &[
    fact(
        "C-NAP-01",
        "four steps: login, upload of the list, search, download; the numbers of OpenNap",
        "gnutella_wire::opennap::Message::encode",
        "DT Napster: how does it work",
        || {
            let login = Login {
                nick: text("ann"),
                password: text("secret"),
                port: 6_699,
                client: text("x"),
                link: LinkType(8),
            };
            let file = File {
                name: text("hey jude.mp3"),
                md5: text("0123456789abcdef0123456789abcdef"),
                size: 4_000_000,
                bitrate: 128,
                frequency: 44_100,
                seconds: 240,
            };
            let wanted = Wanted { nick: text("ben"), name: text("hey jude.mp3") };
            let steps = [
                NapMessage::Login(login),
                NapMessage::Share(file),
                NapMessage::Search(Search::new(text("jude"))),
                NapMessage::Download(wanted),
            ];
            let number = |message: NapMessage<'_>| {
                let mut out = vec![0; message.encoded_len()];
                message.encode(&mut out).map(|_| u16::from_le_bytes([out[2], out[3]]))
            };
            equal(steps.map(number), [Ok(2), Ok(100), Ok(200), Ok(203)])
        },
    ),
    fact(
        "C-NAP-03",
        "query \"debaser\" among 24 users",
        "gnutella_wire::opennap::Index",
        "BAUN Napster",
        || equal(search("nodes=24", &[], 3, "debaser")?.index.found, 3),
    ),
    fact(
        "C-NAP-04",
        "passwords in plain text",
        "gnutella_wire::opennap::Login",
        "DT Napster: how does it work",
        || {
            let login = NapMessage::Login(Login {
                nick: text("ann"),
                password: text("secret"),
                port: 6_699,
                client: text("x"),
                link: LinkType(8),
            });
            let mut out = vec![0; login.encoded_len()];
            let len = login.encode(&mut out).map_err(failed)?;
            holds(
                out[..len].windows(6).any(|six| six == b"secret"),
                "\"secret\" stands in the bytes",
            )
        },
    ),
    fact(
        "C-NAP-05",
        "a single point of failure: hits without the index",
        "gnutella_wire::opennap::Index",
        "DT architecture notes",
        || equal(search("nodes=24", &["index"], 3, "debaser")?.index.found, 0),
    ),
    fact(
        "C-NAP-07",
        "the index forgets a user that has left",
        "gnutella_wire::opennap::Index",
        "ARCH P2P: Centralized Index",
        || equal(search("nodes=24", &["9"], 3, "debaser")?.index.found, 2),
    ),
];

pub const FLOODING: &[Fact] = &[
    fact(
        "C-GNU-01",
        "GNUTELLA CONNECT/0.4 and GNUTELLA OK, bytes",
        "gnutella_wire::handshake::Handshake",
        "BAUN Technical Details of Gnutella 0.4 (1/2)",
        || {
            let mut ann = Handshake::dialler_04();
            let mut ben = Handshake::acceptor();
            let mut buf = [0; 64];
            let greeting = ann.greet(&[], &mut buf).map_err(failed)?;
            let connect = buf[..greeting].to_vec();
            ben.handle_bytes(&connect).map_err(failed)?;
            let answer = ben.agree(&[], &mut buf).map_err(failed)?;
            let right = connect == b"GNUTELLA CONNECT/0.4\n\n" && &buf[..answer] == b"GNUTELLA OK\n\n";
            holds(right, format!("{greeting} and {answer}"))
        },
    ),
    fact(
        "C-GNU-02",
        "the header: id 16, kind 1, TTL 1, hops 1, length 4 bytes; a query of 12 bytes",
        "gnutella_wire::wire::Message::encode",
        "BAUN Technical Details (2/2)",
        || {
            let payload = Payload::Query(Query::new(text("hey jude!")));
            let message = Message { guid: Guid([1; 16]), ttl: 5, hops: 2, payload };
            let mut bytes = [0; 64];
            let len = message.encode(&mut bytes).map_err(failed)?;
            let header = [&[1; 16][..], &[0x80, 5, 2, 12, 0, 0, 0]].concat();
            holds(bytes[..HEADER_LEN] == header, format!("{HEADER_LEN} of {len} bytes"))
        },
    )
    .but("E-06"),
    fact(
        "C-GNU-03",
        "ping 0x00, pong 0x01, push 0x40, query 0x80: the byte behind the id",
        "gnutella_wire::wire::Message::encode",
        "BAUN Technical Details (2/2)",
        || {
            let code = |payload| {
                let message = Message { guid: Guid([1; 16]), ttl: 7, hops: 0, payload };
                let mut bytes = [0; 64];
                message.encode(&mut bytes).map(|_| bytes[16]).map_err(failed)
            };
            let codes = [
                code(Payload::Ping(Ping::default()))?,
                code(Payload::Pong(Pong { address: ADDRESS, files: 5, kilobytes: 9, extensions: &[] }))?,
                code(Payload::Push(Push { servent: ID, index: 1, address: ADDRESS, extensions: &[] }))?,
                code(Payload::Query(Query::new(text("hey jude"))))?,
            ];
            equal(codes, [0x00, 0x01, 0x40, 0x80])
        },
    ),
    fact(
        "C-GNU-04",
        "TTL is decremented with every step: nodes reached on a circle of 12 by TTL 1 to 5",
        "gnutella_wire::Servent",
        "BAUN Technical Details (2/2), Forwarding (1/2)",
        || {
            let mut reached = Vec::new();
            for ttl in 1..=5 {
                let options = format!("nodes=12&degree=2&ttl={ttl}");
                reached.push(search(&options, &[], 3, "nothing")?.flat.reached);
            }
            equal(reached, vec![2, 4, 6, 8, 10])
        },
    ),
    fact(
        "C-GNU-05",
        "the length says where the next message starts",
        "gnutella_wire::wire::Message::decode",
        "BAUN Technical Details (2/2)",
        || {
            let ping = Message { guid: Guid([1; 16]), ttl: 7, hops: 0, payload: Payload::Ping(Ping::default()) };
            let mut bytes = vec![0; 2 * HEADER_LEN];
            let first = ping.encode(&mut bytes).map_err(failed)?;
            ping.encode(&mut bytes[first..]).map_err(failed)?;
            let (_, rest) = Message::decode(&bytes, Limits::GTKG).map_err(failed)?;
            equal((first, rest.len()), (23, 23))
        },
    ),
    fact(
        "C-GNU-06",
        "a ping contains no further information: bytes",
        "gnutella_wire::wire::Ping",
        "BAUN Gnutella 0.4 Messages (1/3)",
        || equal(Ping::default().encoded_len(), 0),
    )
    .but("E-07"),
    fact(
        "C-GNU-07",
        "a pong: port, IP, files, kilobytes: bytes",
        "gnutella_wire::wire::Pong",
        "BAUN Gnutella 0.4 Messages (1/3)",
        || {
            let pong = Pong { address: ADDRESS, files: 5, kilobytes: 100, extensions: &[] };
            let mut out = [0; 32];
            equal(pong.encode(&mut out).map_err(failed)?, 14)
        },
    ),
    fact(
        "C-GNU-08",
        "a query: minimum speed and text with wildcards",
        "gnutella_wire::wire::Query",
        "BAUN Gnutella 0.4 Messages (1/3)",
        || {
            let flags = QueryFlags::from_min_speed(100).ok_or("no such speed")?;
            let query = Query { flags, ..Query::new(text("Hey Jude *.mp3")) };
            let mut out = [0; 32];
            let len = query.encode(&mut out).map_err(failed)?;
            let read = Query::decode(&out[..len]).map_err(failed)?;
            equal((len, read.text.to_string(), read.flags.min_speed()), (17, "Hey Jude *.mp3".into(), Some(100)))
        },
    )
    .but("E-05"),
    fact(
        "C-GNU-10",
        "vendor codes",
        "gnutella_wire::wire::Vendor",
        "BAUN Gnutella 0.4 Messages (2/3)",
        || {
            let names = [*b"BEAR", *b"GNUC", *b"LIME", *b"RAZA", *b"MRPH"].map(|code| Vendor(code).to_string());
            let lecture = ["BearShare", "Gnucleus", "LimeWire", "Shareaza", "Morpheus"];
            let right = names.iter().zip(lecture).all(|(ours, maker)| ours.contains(maker));
            holds(right, names.join(", "))
        },
    ),
    fact(
        "C-GNU-11",
        "without matching files there is no query hit",
        "gnutella_wire::Servent",
        "BAUN Gnutella 0.4 Messages (2/3)",
        || equal(search("nodes=24", &[], 3, "nothing")?.flat.hits, 0),
    ),
    fact(
        "C-GNU-12",
        "a push: id, index, IP, port: bytes",
        "gnutella_wire::wire::Push",
        "BAUN Gnutella 0.4 Messages (3/3)",
        || {
            let push = Push { servent: ID, index: 1, address: ADDRESS, extensions: &[] };
            let mut out = [0; 32];
            equal(push.encode(&mut out).map_err(failed)?, 26)
        },
    ),
    fact(
        "C-GNU-13",
        "the download request, byte by byte",
        "gnutella_wire::http::Request",
        "BAUN Transport of Files with Gnutella 0.4",
        || {
            let mut out = [0; 256];
            let agent = [Header::new("User-Agent", "Gnutella")];
            let len = Request::get_04(2, Name::new(b"HeyJude.mp3"), 0).encode(&agent, &mut out).map_err(failed)?;
            let lecture = "GET /get/2/HeyJude.mp3/ HTTP/1.0\r\nConnection: Keep-Alive\r\nRange: bytes=0-\r\nUser-Agent: Gnutella\r\n\r\n";
            holds(&out[..len] == lecture.as_bytes(), format!("{len} bytes"))
        },
    ),
    fact(
        "C-GNU-14",
        "the answer HTTP 200 OK is read",
        "gnutella_wire::http::Response",
        "BAUN Transport of Files with Gnutella 0.4",
        || {
            let bytes = b"HTTP 200 OK\r\nServer: Gnutella\r\nContent-type: application/binary\r\nContent-length: 4356789\r\n\r\n";
            let (head, _) = Head::decode(bytes, HeadLimits::GTKG).map_err(failed)?;
            let answer = Response::from_head(&head).map_err(failed)?;
            equal((answer.status, answer.length), (200, Some(4_356_789)))
        },
    )
    .but("E-03"),
    fact(
        "C-GNU-16",
        "GIV index:id/name opens the reversed connection",
        "gnutella_wire::http::Giv",
        "BAUN Gnutella 0.4 Messages (3/3)",
        || {
            let lecture = format!("GIV 2:{ID}/file\r\nGET");
            let (giv, rest) = Giv::decode(lecture.as_bytes()).map_err(failed)?;
            equal((giv.index, giv.servent, rest), (2, ID, &b"GET"[..]))
        },
    )
    .but("E-04"),
    fact(
        "C-GNU-17",
        "a query goes to all connections but the incoming one: 2 E - (N - 1) messages",
        "gnutella_wire::Servent",
        "BAUN Forwarding (1/2)",
        || {
            let cost = search("nodes=100&degree=5&ttl=15", &[], 17, "debaser")?;
            equal(cost.flat.queries, 2 * cost.edges - 99)
        },
    ),
    fact(
        "C-GNU-18",
        "hits come back on the connections of the query: all of them arrive",
        "gnutella_wire::routes::RouteTable",
        "BAUN Forwarding (2/2)",
        || equal(search("nodes=100&degree=5&ttl=15", &[], 17, "debaser")?.flat.found, 12),
    ),
    fact(
        "C-GNU-20",
        "what was seen already is discarded: duplicates 2 E - 2 (N - 1)",
        "gnutella_wire::routes::RouteTable",
        "DT Flooding in Gnutella: loop prevention",
        || {
            let cost = search("nodes=100&degree=5&ttl=15", &[], 17, "debaser")?;
            equal(cost.flat.duplicates, 2 * cost.edges - 2 * 99)
        },
    ),
    fact(
        "C-GNU-22",
        "up to 5 other peers, at most 7 hops: neighbours that are admitted, TTL of a query",
        "gnutella_wire::Servent",
        "BAUN Gnutella Protocol Version 0.4",
        || {
            let config = || Config::peer(ID, ADDRESS);
            equal((admitted(config(), Role::Peer)?, ttl_of_query(config())?), (5, 7))
        },
    )
    .but("E-09"),
    fact(
        "C-GNU-23",
        "7 partners, a maximum hop count of 10: neighbours that are admitted, TTL of a query",
        "gnutella_wire::Servent",
        "DT Gnutella: how it works",
        || {
            let config = || Config::peer_of(7, 10, ID, ADDRESS);
            equal((admitted(config(), Role::Peer)?, ttl_of_query(config())?), (7, 10))
        },
    )
    .but("E-09"),
    fact(
        "C-GNU-26",
        "the query 'Hey Jude' is answered",
        "gnutella_wire::Servent",
        "INTRO Gnutella Scenario",
        || equal(search("nodes=24", &[], 3, "hey jude")?.flat.found, 3),
    ),
    fact(
        "C-GNU-30",
        "most messages of a query on a tree, for 5 and 7, 7 and 10, 16 and 4",
        "gnutella_wire::servent::flood_bound",
        "BAUN Pure P2P has Limitations",
        || {
            let bounds = [(5, 7), (7, 10), (16, 4)].map(|(degree, ttl)| flood_bound(degree, ttl));
            equal(bounds, [27_305, 84_652_645, 57_856])
        },
    ),
];
