//! An independent judge: what tshark reads in the messages that this crate writes. The test passes
//! without a word where tshark is not installed.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;
use std::process::Command;

use gnutella_wire::datagram::{DatagramConfig, DatagramLimits, DatagramVec, Datagrams};
use gnutella_wire::wire::{
    HitData, HitFlags, Message, Payload, Ping, Pong, Push, Query, QueryFlags, QueryHit, Record,
    Records, Vendor,
};
use gnutella_wire::{Guid, ServentId, Text};

#[test]
fn tshark_reads_what_is_written() {
    if Command::new("tshark").arg("-v").output().is_err() {
        eprintln!("no tshark, nothing judged");
        return;
    }
    let address = SocketAddrV4::new(Ipv4Addr::new(10, 1, 2, 3), 6346);
    let name = Text::new(b"Hey Jude.mp3").unwrap();
    let record = [Record { index: 7, size: 300_000, name, extensions: Text::EMPTY }; 2];
    let servent = ServentId([0xAB; 16]);
    let data = HitFlags { push: Some(true), ..HitFlags::default() }.to_data(Vendor(*b"LIME"));
    let flags = QueryFlags::from_min_speed(56).unwrap();
    let payloads = [
        Payload::Ping(Ping::default()),
        Payload::Pong(Pong { address, files: 12, kilobytes: 3_456, extensions: &[] }),
        Payload::Query(Query { flags, ..Query::new(name) }),
        Payload::QueryHit(QueryHit {
            address,
            speed: 1_000,
            records: Records::from_slice(&record).unwrap(),
            data: HitData::new(&data),
            servent,
        }),
        Payload::Push(Push { servent, index: 7, address, extensions: &[] }),
    ];
    let mut stream = Vec::new();
    for payload in payloads {
        append(&mut stream, Message { guid: Guid([0x11; 16]), ttl: 7, hops: 2, payload });
    }
    let read = judge(&stream);
    for (field, value) in [
        ("gnutella.header.payload", "0,1,128,129,64"),
        ("gnutella.header.ttl", "7,7,7,7,7"),
        ("gnutella.header.hops", "2,2,2,2,2"),
        ("gnutella.header.size", "0,14,15,78,26"),
        ("gnutella.pong.ip", "10.1.2.3"),
        ("gnutella.pong.port", "6346"),
        ("gnutella.pong.files", "12"),
        ("gnutella.pong.kbytes", "3456"),
        ("gnutella.query.min_speed", "56"),
        ("gnutella.query.search", "Hey Jude.mp3"),
        ("gnutella.queryhit.count", "2"),
        ("gnutella.queryhit.speed", "1000"),
        ("gnutella.queryhit.hit.index", "7,7"),
        ("gnutella.queryhit.hit.size", "300000,300000"),
        ("gnutella.queryhit.hit.name", "Hey Jude.mp3,Hey Jude.mp3"),
        ("gnutella.push.index", "7"),
        ("gnutella.push.ip", "10.1.2.3"),
        ("gnutella.push.port", "6346"),
    ] {
        let got = read.iter().find(|(name, _)| name == field).map(|(_, value)| value.as_str());
        assert_eq!(got, Some(value), "{field}");
    }
}

/// What the machine for datagrams sends: a request for a key, the key, a query with it, and its receipt.
#[test]
fn tshark_reads_datagrams() {
    if Command::new("tshark").arg("-v").output().is_err() {
        eprintln!("no tshark, nothing judged");
        return;
    }
    let at = |host| SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, host), 6346);
    let servent = |host: u8| {
        let mut config = DatagramConfig::new(ServentId([host; 16]), at(host), [host; 16]);
        config.answers_queries = true;
        let limits = DatagramLimits { peers: 4, searches: 1 };
        Datagrams::new(config, DatagramVec::new(limits)).unwrap()
    };
    let mut ann = servent(1);
    let mut ben = servent(2);
    assert!(ann.add_host(Duration::ZERO, at(2)));
    let query = Query::new(Text::new(b"hey jude").unwrap());
    ann.search(Duration::ZERO, Guid([9; 16]), &query).unwrap();
    let mut stream = Vec::new();
    let mut buf = [0; 512];
    for turn in 0..2 {
        let now = Duration::from_secs(turn);
        ann.handle_timeout(now);
        while let Some(sent) = ann.poll_transmit(&mut buf).unwrap() {
            stream.extend(&buf[..sent.len]);
            ben.handle_datagram(now, at(1), &buf[..sent.len]).unwrap();
        }
        while let Some(sent) = ben.poll_transmit(&mut buf).unwrap() {
            stream.extend(&buf[..sent.len]);
            ann.handle_datagram(now, at(2), &buf[..sent.len]).unwrap();
        }
    }
    let read = judge(&stream);
    for (field, value) in [
        ("gnutella.header.payload", "0,1,128,1"),
        ("gnutella.header.ttl", "1,1,1,1"),
        ("gnutella.header.hops", "0,0,0,0"),
        ("gnutella.pong.ip", "10.0.0.2,10.0.0.2"),
        ("gnutella.query.search", "hey jude"),
    ] {
        let got = read.iter().find(|(name, _)| name == field).map(|(_, value)| value.as_str());
        assert_eq!(got, Some(value), "{field}");
    }
}

fn append(stream: &mut Vec<u8>, message: Message<'_>) {
    let at = stream.len();
    stream.resize(at + message.encoded_len(), 0);
    message.encode(&mut stream[at..]).unwrap();
}

/// Three hundred messages with extensions, flags and numbers of every size: all that both can name.
#[test]
fn tshark_reads_every_message_alike() {
    if Command::new("tshark").arg("-v").output().is_err() {
        eprintln!("no tshark, nothing judged");
        return;
    }
    let mut state = 7_u64;
    let mut random = move || {
        state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        (state >> 32) as u32 >> (state >> 59) // of all sizes
    };
    let mut stream = Vec::new();
    let mut expected = vec![Vec::<String>::new(); FIELDS.len()];
    let mut expect = |field: &str, value: String| {
        let at = FIELDS.iter().position(|known| *known == field).unwrap();
        expected[at].push(value);
    };
    let ggep: &[u8] = b"\xC3\x82BH\x40";
    for turn in 0..300_u32 {
        let [a, b, c, d] = [(); 4].map(|()| (random() & 0xFF) as u8);
        let index = random();
        let size = random();
        let port = random() as u16;
        let address = SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), port);
        let servent = ServentId([a; 16]);
        let extensions = if turn % 2 == 0 { ggep } else { &[] };
        let name = format!("song {index} of {}", "many words ".repeat(size as usize % 9));
        let name = Text::new(name.trim_end().as_bytes()).unwrap();
        let record = Record { index, size, name, extensions: Text::new(ggep).unwrap() };
        let records = vec![record; random() as usize % 5];
        let data = HitFlags { busy: Some(true), ..HitFlags::default() }.to_data(Vendor(*b"GWIR"));
        let payload = match turn % 5 {
            0 => Payload::Ping(Ping { extensions }),
            1 => {
                expect("gnutella.pong.ip", address.ip().to_string());
                expect("gnutella.pong.port", port.to_string());
                expect("gnutella.pong.files", index.to_string());
                expect("gnutella.pong.kbytes", size.to_string());
                Payload::Pong(Pong { address, files: index, kilobytes: size, extensions })
            }
            2 => {
                let flags = QueryFlags::from_bytes([a, b]);
                expect("gnutella.query.min_speed", u16::from_le_bytes([a, b]).to_string());
                expect("gnutella.query.search", name.to_string());
                Payload::Query(Query { flags, text: name, extensions: &[] })
            }
            3 => {
                expect("gnutella.queryhit.count", records.len().to_string());
                expect("gnutella.queryhit.speed", size.to_string());
                for record in &records {
                    expect("gnutella.queryhit.hit.index", record.index.to_string());
                    expect("gnutella.queryhit.hit.size", record.size.to_string());
                    expect("gnutella.queryhit.hit.name", record.name.to_string());
                }
                let records = Records::from_slice(&records).unwrap();
                let data = HitData::new(&data);
                Payload::QueryHit(QueryHit { address, speed: size, records, data, servent })
            }
            _ => {
                expect("gnutella.push.index", index.to_string());
                expect("gnutella.push.ip", address.ip().to_string());
                expect("gnutella.push.port", port.to_string());
                Payload::Push(Push { servent, index, address, extensions: &[] })
            }
        };
        let ttl = 1 + a % 7;
        let hops = b % 7;
        expect("gnutella.header.payload", payload.function().0.to_string());
        expect("gnutella.header.ttl", ttl.to_string());
        expect("gnutella.header.hops", hops.to_string());
        expect("gnutella.header.size", payload.encoded_len().to_string());
        append(&mut stream, Message { guid: Guid([d; 16]), ttl, hops, payload });
    }
    for ((field, got), expected) in judge(&stream).into_iter().zip(expected) {
        assert_eq!(got, expected.join(","), "{field}");
    }
}

const FIELDS: &[&str] = &[
    "gnutella.header.payload",
    "gnutella.header.ttl",
    "gnutella.header.hops",
    "gnutella.header.size",
    "gnutella.pong.ip",
    "gnutella.pong.port",
    "gnutella.pong.files",
    "gnutella.pong.kbytes",
    "gnutella.query.min_speed",
    "gnutella.query.search",
    "gnutella.queryhit.count",
    "gnutella.queryhit.speed",
    "gnutella.queryhit.hit.index",
    "gnutella.queryhit.hit.size",
    "gnutella.queryhit.hit.name",
    "gnutella.push.index",
    "gnutella.push.ip",
    "gnutella.push.port",
];

/// Puts the stream into a capture of one TCP segment and returns what tshark makes of each field.
fn judge(stream: &[u8]) -> Vec<(String, String)> {
    let path = std::env::temp_dir().join(format!(
        "gnutella-wire-{}-{}.pcap",
        std::process::id(),
        stream.len()
    ));
    std::fs::write(&path, capture(stream)).unwrap();
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(&path).args(["-d", "tcp.port==6346,gnutella", "-T", "fields"]);
    tshark.args(["-E", "separator=;"]);
    for field in FIELDS {
        tshark.args(["-e", field]);
    }
    let output = tshark.output().unwrap();
    std::fs::remove_file(&path).unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    let values = line.trim_end_matches('\n').split(';').map(String::from);
    FIELDS.iter().map(|field| (*field).to_string()).zip(values).collect()
}

fn capture(stream: &[u8]) -> Vec<u8> {
    let tcp = [
        &[0x18, 0xCA, 0x18, 0xCA, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 255, 255, 0, 0, 0, 0],
        stream,
    ]
    .concat();
    let len = (20 + tcp.len()) as u16;
    let [high, low] = len.to_be_bytes();
    let ip = [0x45, 0, high, low, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    let packet = [&ip[..], &tcp].concat();
    let mut pcap = Vec::new();
    for word in [0xA1B2_C3D4, 0x0004_0002, 0, 0, 0xFFFF, 101, 0, 0] {
        pcap.extend(u32::to_le_bytes(word));
    }
    for _ in 0..2 {
        pcap.extend((packet.len() as u32).to_le_bytes()); // captured, then original length
    }
    pcap.extend(packet);
    pcap
}
