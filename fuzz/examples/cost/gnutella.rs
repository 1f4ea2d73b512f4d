//! Rows of `gnutella-wire`.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use sim::Rng;

use super::{Row, Send, Step, datagrams, millis, row};

pub(super) const ROWS: &[Row] = &[
    row("Servent: queries with fresh GUIDs", || servent(0x80, 40)),
    row("Servent: pings with fresh GUIDs", || servent(0x00, 0)),
    row("Servent: hits without a route", || servent(0x81, 60)),
    row("Servent: pushes without a route", || servent(0x40, 26)),
    datagrams("Datagrams: pings from forged addresses", || datagram(0x00, &[])),
    datagrams("Datagrams: requests for a key from forged addresses", || {
        datagram(0x00, b"\xC3\x82QK\x40")
    }),
    datagrams("Datagrams: queries without a key", || datagram(0x80, b"\0\0words\0")),
    row("Download: heads of many headers", download),
    row("Uploads: heads of many headers", uploads),
    row("Index: searches that match nothing", || index("zzzz")),
    row("Index: searches that match all", || index("song")),
    row("opennap::Client: results that nobody asked for", client),
];

fn servent(function: u8, len: usize) -> Send {
    use gnutella_wire::servent::{ServentLimits, ServentVec};
    use gnutella_wire::wire::{Function, Header};
    use gnutella_wire::{Config, ConnId, Guid, Neighbour, Role, Servent, ServentId};
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 6346);
    let config = Config::ultrapeer(ServentId([1; 16]), address);
    let storage = ServentVec::new(ServentLimits::of(&config));
    let mut servent = Servent::new(config, storage).unwrap();
    for conn in 0..32 {
        let role = if conn < 8 { Role::Ultrapeer } else { Role::Leaf };
        let mut neighbour = Neighbour::from(role);
        neighbour.vendor_messages = true;
        let _ = servent.handle_connected(Duration::ZERO, ConnId(conn), neighbour); // or full
    }
    let mut rng = Rng::new(3);
    let mut buf = [0; 4_096];
    Box::new(move |n| {
        let mut guid = [0; 16];
        rng.fill(&mut guid);
        let header = Header {
            guid: Guid(guid),
            function: Function(function),
            ttl: 3,
            hops: 1,
            len: len as u32,
        };
        let mut payload = vec![b'a'; len];
        if function == 0x80 {
            payload[len - 1] = 0;
        }
        let bytes = [&header.to_bytes()[..], &payload].concat();
        let mut taken = 0;
        let mut sent = 0;
        if let Ok(received) = servent.handle_bytes(millis(n), ConnId(0), &bytes) {
            taken = received.consumed;
            if let Some(forward) = received.outcome.and_then(|handled| handled.forward) {
                sent += servent.targets(forward.to).count() * bytes.len();
            }
        } else {
            let _ =
                servent.handle_connected(millis(n), ConnId(0), Neighbour::from(Role::Ultrapeer));
        }
        while let Ok(Some(transmit)) = servent.poll_transmit(&mut buf) {
            sent += transmit.len;
        }
        while servent.poll_event().is_some() {}
        servent.handle_timeout(millis(n));
        Step { taken, sent }
    })
}

fn index(words: &'static str) -> Send {
    use gnutella_wire::opennap::{
        File, Index, IndexConfig, IndexLimits, IndexVec, LinkType, Login, Message, Search,
    };
    use gnutella_wire::{ConnId, Text};
    let text = |text: &'static str| Text::new(text.as_bytes()).unwrap();
    let limits = IndexLimits { users: 100, files: 10_000 };
    let mut config = IndexConfig::CUSTOMARY;
    config.max_per_address = 100;
    let mut index = Index::new(config, IndexVec::new(limits)).unwrap();
    let mut send = move |now: Duration, conn: u32, message: &Message<'_>| {
        let mut bytes = vec![0; message.encoded_len()];
        message.encode(&mut bytes).unwrap();
        let taken = index.handle_bytes(now, ConnId(conn), &bytes).map_or(0, |all| all.consumed);
        let mut sent = 0;
        let mut buf = [0; 4_096];
        while let Ok(Some(transmit)) = index.poll_transmit(&mut buf) {
            sent += transmit.len;
        }
        while index.poll_event().is_some() {}
        if taken == 0 {
            let _ = index.handle_connected(now, ConnId(conn), Ipv4Addr::LOCALHOST);
        }
        Step { taken, sent }
    };
    let nicks: Vec<String> = (0..20).map(|n| format!("user{n}")).collect();
    for (conn, nick) in nicks.iter().enumerate() {
        let nick = Text::new(nick.as_bytes()).unwrap();
        let login =
            Login { nick, password: nick, port: 6699, client: text("test"), link: LinkType(7) };
        for _ in 0..2 {
            send(Duration::ZERO, conn as u32, &Message::Login(login)); // the first connects
        }
        for n in 0..400 {
            let name = format!("a song of number {n} by {conn}.mp3");
            let name = Text::new(name.as_bytes()).unwrap();
            let md5 = text("00");
            let file = File { name, md5, size: 1, bitrate: 2, frequency: 3, seconds: 4 };
            send(Duration::ZERO, conn as u32, &Message::Share(file));
        }
    }
    Box::new(move |n| send(millis(n), 0, &Message::Search(Search::new(text(words)))))
}

fn datagram(function: u8, payload: &'static [u8]) -> Send {
    use gnutella_wire::datagram::{DatagramConfig, DatagramLimits, DatagramVec, Datagrams};
    use gnutella_wire::wire::{Function, Header};
    use gnutella_wire::{Guid, ServentId};
    let own = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 6346);
    let config = DatagramConfig::new(ServentId([1; 16]), own, [7; 16]);
    let limits = DatagramLimits { peers: 1_000, searches: 8 };
    let mut net = Datagrams::new(config, DatagramVec::new(limits)).unwrap();
    let mut buf = [0; 2_048];
    let mut rng = Rng::new(3);
    Box::new(move |n| {
        let mut guid = [0; 16];
        rng.fill(&mut guid);
        let len = payload.len() as u32;
        let header =
            Header { guid: Guid(guid), function: Function(function), ttl: 1, hops: 0, len };
        let bytes = [&header.to_bytes()[..], payload].concat();
        let from = SocketAddrV4::new(Ipv4Addr::from(0x5000_0000 + n as u32), 6346);
        let _ = net.handle_datagram(millis(n), from, &bytes);
        let sent = drain!(net, buf);
        net.handle_timeout(millis(n));
        Step { taken: bytes.len(), sent }
    })
}

/// A head of 4 kB: 200 headers that every reader has to look at.
fn long_head(first: &str) -> Vec<u8> {
    let headers: String = (0..200).map(|n| format!("X-Alt: 1.2.3.{n}\r\n")).collect();
    format!("{first}\r\n{headers}\r\n").into_bytes()
}

fn download() -> Send {
    use gnutella_wire::ConnId;
    use gnutella_wire::huge::Sha1;
    use gnutella_wire::transfer::{
        Download, DownloadConfig, DownloadLimits, DownloadVec, FileInfo, Source,
    };
    let file = FileInfo { size: 100 << 20, sha1: Some(Sha1([7; 20])), root: None, name: b"song" };
    let limits = DownloadLimits { sources: 100, blocks: 1_600 };
    let mut config = DownloadConfig::CUSTOMARY;
    config.max_failures = u8::MAX;
    let mut download = Download::new(config, file, DownloadVec::new(limits)).unwrap();
    let bytes = long_head("HTTP/1.1 503 Busy");
    let mut buf = [0; 4_096];
    Box::new(move |n| {
        let now = Duration::from_secs(n * 3_600);
        download.handle_timeout(now);
        let address = SocketAddrV4::new(Ipv4Addr::from(0x5000_0000 + n as u32 % 100), 6346);
        let conn = ConnId(n as u32);
        if let Ok(source) = download.add_source(now, Source::at(address)) {
            let _ = download.handle_connected(now, source, conn);
        }
        let mut sent = drain!(download, buf);
        let taken = download.handle_bytes(now, conn, &bytes).map_or(0, |read| read.consumed);
        sent += drain!(download, buf);
        download.handle_closed(now, conn);
        Step { taken, sent }
    })
}

fn uploads() -> Send {
    use gnutella_wire::ConnId;
    use gnutella_wire::transfer::{UploadConfig, UploadSlot, Uploads};
    let mut uploads = Uploads::new(UploadConfig::CUSTOMARY, vec![UploadSlot::EMPTY; 100]).unwrap();
    let bytes = long_head("GET /get/1/song HTTP/1.1");
    let mut buf = [0; 4_096];
    Box::new(move |n| {
        let conn = ConnId(n as u32);
        let from = Ipv4Addr::from(0x5000_0000 + n as u32);
        let _ = uploads.handle_connected(millis(n), conn, from); // or full
        let taken = uploads.handle_bytes(millis(n), conn, &bytes).map_or(0, |read| read.consumed);
        let sent = uploads.refuse(millis(n), conn, 404, "Not Found", &mut buf).unwrap_or(0);
        let _ = uploads.handle_sent(millis(n), conn);
        uploads.handle_closed(millis(n), conn);
        Step { taken, sent: sent + drain!(uploads, buf) }
    })
}

fn client() -> Send {
    use gnutella_wire::opennap::Client;
    let mut client = Client::new(Duration::from_secs(60)).unwrap();
    let data = br#""a song.mp3" 00 1 128 44100 60 user 16777343 6"#;
    let bytes = [&(data.len() as u16).to_le_bytes()[..], &201_u16.to_le_bytes(), data].concat();
    let mut buf = [0; 1_024];
    Box::new(move |n| {
        let taken = client.handle_bytes(millis(n), &bytes).consumed;
        let mut sent = 0;
        while let Ok(Some(len)) = client.poll_transmit(&mut buf) {
            sent += len;
        }
        while client.poll_event().is_some() {}
        Step { taken, sent }
    })
}
