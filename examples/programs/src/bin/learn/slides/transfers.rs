//! Indexes, hits and the transfer of files.

use core::net::Ipv4Addr;
use core::time::Duration;

use gnutella_wire::election::{Candidate, Election};
use gnutella_wire::hosts::{Host, HostCache, HostSlot};
use gnutella_wire::http::Giv;
use gnutella_wire::huge::Sha1;
use gnutella_wire::opennap::{
    Bound, File, Index, IndexConfig, IndexLimits, IndexVec, LinkType, Login, MAX_DATA,
    Message as NapMessage, Search,
};
use gnutella_wire::qrp::{KeywordHash, QueryTable};
use gnutella_wire::servent::ServentVec;
use gnutella_wire::transfer::{
    Download, DownloadConfig, DownloadEvent, DownloadLimits, DownloadVec, FileInfo, Offer, Source,
    UploadConfig, UploadEvent, UploadSlot, Uploads,
};
use gnutella_wire::wire::{HitData, HitFlags, QueryHit, Record, Records, Vendor};
use gnutella_wire::{Config, ConnId, Servent, ServentLimits, Text};
use sha1::Digest as _;

use super::servents::{address, id};
use super::{Check, Fact, equal, fact, failed, holds};

const NOW: Duration = Duration::from_secs(1);
const CONN: ConnId = ConnId(1);

fn text(text: &str) -> Text<'_> {
    Text::new(text.as_bytes()).unwrap_or_default()
}

/// A central index, with the users of these names, links and files.
struct Central(Index<IndexVec>);

impl Central {
    fn of(users: &[(&str, u8, &str)]) -> Result<Self, String> {
        let storage = IndexVec::new(IndexLimits { users: 8, files: 16 });
        let index = Index::new(IndexConfig::CUSTOMARY, storage).map_err(failed)?;
        let mut central = Self(index);
        for (conn, (nick, link, file)) in (0..).zip(users) {
            let ip = Ipv4Addr::from(0x0A00_0001 + conn);
            central.0.handle_connected(NOW, ConnId(conn), ip).map_err(failed)?;
            let login = Login {
                nick: text(nick),
                password: text("none"),
                port: 6_699,
                client: text("slides"),
                link: LinkType(*link),
            };
            central.say(conn, &NapMessage::Login(login))?;
            central.say(
                conn,
                &NapMessage::Share(File {
                    name: text(file),
                    md5: text("0123456789abcdef0123456789abcdef"),
                    size: 4_000_000,
                    bitrate: 128,
                    frequency: 44_100,
                    seconds: 240,
                }),
            )?;
        }
        Ok(central)
    }

    /// Sends a message; returns the frames that come back.
    fn say(&mut self, conn: u32, message: &NapMessage<'_>) -> Result<Vec<Vec<u8>>, String> {
        let mut buf = vec![0; message.encoded_len()];
        let len = message.encode(&mut buf).map_err(failed)?;
        self.0.handle_bytes(NOW, ConnId(conn), &buf[..len]).map_err(failed)?;
        let mut out = vec![0; Index::<IndexVec>::MAX_TRANSMIT_LEN];
        let mut answers = Vec::new();
        while let Ok(Some(sent)) = self.0.poll_transmit(&mut out) {
            answers.push(out[..sent.len].to_vec());
        }
        Ok(answers)
    }

    /// Lets the last user search; returns the nick and link of each that has the file.
    fn search(&mut self, conn: u32, words: &str, least: u32) -> Result<Vec<(String, u8)>, String> {
        let mut search = Search::new(text(words));
        search.speed = Some(Bound::AtLeast(least));
        let mut found = Vec::new();
        for answer in self.say(conn, &NapMessage::Search(search))? {
            let mut rest = &answer[..];
            while let Ok((message, after)) = NapMessage::decode(rest, MAX_DATA) {
                if let NapMessage::Found(one) = message {
                    found.push((one.nick.to_string(), one.link.0));
                }
                rest = after;
            }
        }
        found.sort();
        Ok(found)
    }
}

/// A download from one servent, which may be busy or break off.
struct Transfer {
    file: Vec<u8>,
    written: Vec<u8>,
    /// The lines of the requests.
    requests: Vec<String>,
    /// Bytes of the file that went over the connection.
    sent: usize,
    complete: bool,
}

impl Transfer {
    fn new(len: usize) -> Self {
        let file: Vec<u8> = (0..len).map(|at| (at * 31 % 251) as u8).collect();
        Self { written: vec![0; len], file, requests: Vec::new(), sent: 0, complete: false }
    }

    fn info(&self) -> FileInfo<'static> {
        let sha1 = Some(Sha1(sha1::Sha1::digest(&self.file).into()));
        FileInfo { size: self.file.len() as u64, sha1, root: None, name: b"heyjude.mp3" }
    }

    fn download(&self, written: &[(u64, u64)]) -> Result<Download<DownloadVec>, String> {
        let storage = DownloadVec::new(DownloadLimits::default());
        Download::resume(DownloadConfig::CUSTOMARY, self.info(), written, storage).map_err(failed)
    }

    /// Carries bytes between the two over one connection, until all is there or `most` bytes of the file are sent.
    fn run(&mut self, download: &mut Download<DownloadVec>, most: usize) -> Result<(), String> {
        let mut uploads =
            Uploads::new(UploadConfig::CUSTOMARY, vec![UploadSlot::EMPTY; 4]).map_err(failed)?;
        uploads.handle_connected(NOW, CONN, Ipv4Addr::LOCALHOST).map_err(failed)?;
        let mut buf = vec![0; Download::<DownloadVec>::MAX_TRANSMIT_LEN];
        while let Ok(Some(sent)) = download.poll_transmit(&mut buf) {
            let asked = uploads.handle_bytes(NOW, CONN, &buf[..sent.len]).map_err(failed)?;
            asked.outcome.ok_or("no request")?;
            self.requests.push(String::from_utf8_lossy(&buf[..sent.len]).into_owned());
            let mut head = [0; 1_024];
            let offer = Offer::new(1, self.file.len() as u64);
            let len = uploads.offer(NOW, CONN, &offer, &mut head).map_err(failed)?;
            self.receive(download, &head[..len])?;
            while let Some(event) = uploads.poll_event() {
                let UploadEvent::Send { offset, len, .. } = event else { continue };
                let left = most.saturating_sub(self.sent);
                let part = offset as usize..(offset + len) as usize;
                let bytes: Vec<u8> = self.file[part].iter().copied().take(left).collect();
                self.sent += bytes.len();
                self.receive(download, &bytes)?;
                if self.sent >= most {
                    download.handle_closed(NOW, CONN);
                    return Ok(());
                }
                uploads.handle_sent(NOW, CONN).map_err(failed)?;
            }
            self.settle(download);
        }
        Ok(())
    }

    fn receive(
        &mut self,
        download: &mut Download<DownloadVec>,
        mut bytes: &[u8],
    ) -> Result<(), String> {
        while !bytes.is_empty() {
            let received = download.handle_bytes(NOW, CONN, bytes).map_err(failed)?;
            if let Some(piece) = received.outcome {
                let at = piece.offset as usize;
                self.written[at..at + piece.bytes.len()].copy_from_slice(piece.bytes);
            }
            if received.consumed == 0 {
                return Err("the download reads nothing".into());
            }
            bytes = &bytes[received.consumed..];
        }
        Ok(())
    }

    fn settle(&mut self, download: &mut Download<DownloadVec>) {
        while let Some(event) = download.poll_event() {
            match event {
                DownloadEvent::VerifyFile => {
                    let digest = sha1::Sha1::digest(&self.written);
                    download.handle_file_verified(NOW, Sha1(digest.into()));
                }
                DownloadEvent::Completed { verified } => self.complete = verified,
                _ => {}
            }
        }
    }
}

/// Returns the sources that a download dials within an hour, if those with an even number are gone.
fn dialled(sources: usize) -> Result<Vec<usize>, String> {
    let transfer = Transfer::new(1_000);
    let mut download = transfer.download(&[])?;
    for node in 0..sources {
        download.add_source(NOW, Source::at(address(node))).map_err(failed)?;
    }
    let mut dialled = Vec::new();
    while let Some(event) = download.poll_event() {
        if let DownloadEvent::Dial { source, address: at } = event {
            let node = (0..sources).find(|node| address(*node) == at).ok_or("a stranger")?;
            dialled.push(node);
            if node % 2 == 0 {
                download.handle_dial_failed(NOW, source);
            } else {
                download.handle_connected(NOW, source, CONN).map_err(failed)?;
                break;
            }
        }
    }
    Ok(dialled)
}

const USERS: [(&str, u8, &str); 4] = [
    ("ann", 2, "hey jude.mp3"),
    ("ben", 8, "hey jude live.mp3"),
    ("cat", 4, "debaser.mp3"),
    ("dan", 3, "heroes.mp3"),
];

pub const FACTS: &[Fact] = &[
    fact(
        "C-NAP-02",
        "look for the best transfer rate: users with the song, and those with at least link type 4",
        "gnutella_wire::opennap::Search::speed",
        "DT Napster (3.)",
        || {
            let mut central = Central::of(&USERS)?;
            let all = central.search(3, "jude", 0)?;
            let fast = central.search(3, "jude", 4)?;
            let names = |rows: &[(String, u8)]| {
                rows.iter().map(|(nick, _)| nick.clone()).collect::<Vec<_>>().join(" ")
            };
            equal([names(&all), names(&fast)], ["ann ben".to_owned(), "ben".to_owned()])
        },
    ),
    fact(
        "C-NAP-06",
        "several servers share the load, and not the lists: hits at two indexes for a song of one user",
        "gnutella_wire::opennap::Index",
        "DT architecture notes",
        || {
            let mut one = Central::of(&USERS[..2])?;
            let mut other = Central::of(&USERS[2..])?;
            equal([one.search(0, "debaser", 0)?.len(), other.search(1, "debaser", 0)?.len()], [0, 1])
        },
    ),
    fact(
        "C-NAP-08",
        "the database might be obsolete: of two sources in the list the first is gone; those that are dialled",
        "gnutella_wire::transfer::Download",
        "ARCH Centralized Index: Pro & Cons",
        || equal(dialled(2)?, vec![0, 1]),
    ),
    fact(
        "C-GNU-09",
        "a query hit: port, IP, speed; index, size and name of each file; firewall, vendor, responder",
        "gnutella_wire::wire::QueryHit",
        "BAUN Gnutella 0.4 Messages (2/3)",
        || {
            let name = text("hey jude.mp3");
            let found = [Record { index: 7, size: 4_000_000, name, extensions: Text::EMPTY }];
            let mut flags = HitFlags::from_bytes([0, 0]);
            flags.push = Some(true);
            let data = flags.to_data(Vendor(*b"LIME"));
            let hit = QueryHit {
                address: address(3),
                speed: 350,
                records: Records::from_slice(&found).ok_or("no records")?,
                data: HitData::new(&data),
                servent: id(3),
            };
            let mut out = vec![0; hit.encoded_len()];
            let len = hit.encode(&mut out).map_err(failed)?;
            let read = QueryHit::decode(&out[..len]).map_err(failed)?;
            let file = read.records.iter().next().ok_or("no file")?;
            let firewalled = read.data.flags().and_then(|flags| flags.push);
            let right = read == hit
                && (file.index, file.size) == (7, 4_000_000)
                && firewalled == Some(true)
                && read.data.vendor() == Some(Vendor(*b"LIME"));
            holds(right, format!("{len} bytes: {read}"))
        },
    )
    .but("E-02"),
    fact(
        "C-GNU-15",
        "the transfer is direct: bytes of a file of 100,000 that went over the one connection of the two",
        "gnutella_wire::transfer::Download, Uploads",
        "BAUN Transport of Files with Gnutella 0.4",
        || {
            let mut transfer = Transfer::new(100_000);
            let mut download = transfer.download(&[])?;
            begin(&mut download)?;
            transfer.run(&mut download, usize::MAX)?;
            let right = transfer.complete && transfer.written == transfer.file;
            equal((right, transfer.sent), (true, 100_000))
        },
    ),
    fact(
        "C-GNU-24",
        "behind a firewall the connection is reversed: what the download asks for, and its request after the GIV",
        "gnutella_wire::transfer::Download::handle_giv",
        "BAUN Gnutella 0.4 Messages (3/3)",
        || {
            let transfer = Transfer::new(1_000);
            let mut download = transfer.download(&[])?;
            let source = Source::of_hit(address(3), id(3), 7, true);
            download.add_source(NOW, source).map_err(failed)?;
            let Some(DownloadEvent::Push { servent, index, .. }) = download.poll_event() else {
                return Err("no push".into());
            };
            let giv = Giv { index, servent, name: text("heyjude.mp3") };
            download.handle_giv(NOW, CONN, &giv).map_err(failed)?;
            let mut buf = vec![0; Download::<DownloadVec>::MAX_TRANSMIT_LEN];
            let sent = download.poll_transmit(&mut buf).map_err(failed)?.ok_or("no request")?;
            let request = String::from_utf8_lossy(&buf[..sent.len]);
            let line = request.lines().next().unwrap_or_default().to_owned();
            holds(servent == id(3) && index == 7 && line.starts_with("GET "), line)
        },
    ),
    fact(
        "C-GNU-25",
        "\"I am busy. Try again later\": the flag of a hit, and seconds until a source that says 60 is asked again",
        "gnutella_wire::Servent::set_busy, transfer::Download",
        "DT Gnutella: initial problems and fixes",
        busy,
    ),
    fact(
        "C-GNU-27",
        "prefer the well-connected: scores of a day at 100 kB/s, an hour at 100 kB/s, a day at 5 kB/s, one behind a firewall",
        "gnutella_wire::election::Candidate::score",
        "DT Gnutella: initial problems and fixes",
        || {
            let scores = [(24, 100_000, false), (1, 100_000, false), (24, 5_000, false), (24, 100_000, true)]
                .map(|(hours, upload, walled)| candidate(hours, upload, walled).score());
            let order = scores[0] > scores[2] && scores[2] > scores[1] && scores[1] > scores[3];
            holds(order && scores[3] == 0, format!("{scores:?}"))
        },
    ),
    fact(
        "C-GNU-28",
        "a transfer that broke off goes on: bytes sent for a file of 100,000 that was cut at 40,000",
        "gnutella_wire::transfer::Download::resume",
        "DT Gnutella: initial problems and fixes",
        || {
            let mut transfer = Transfer::new(100_000);
            let mut download = transfer.download(&[])?;
            begin(&mut download)?;
            transfer.run(&mut download, 40_000)?;
            let spans: Vec<(u64, u64)> = download.written().collect();
            let mut download = transfer.download(&spans)?;
            begin(&mut download)?;
            transfer.run(&mut download, usize::MAX)?;
            let range = transfer.requests.last().map_or("", String::as_str);
            let resumed = range.contains("Range: bytes=40000-");
            let right = transfer.complete && transfer.written == transfer.file;
            equal((right, resumed, transfer.sent), (true, true, 100_000))
        },
    ),
    fact(
        "C-HYB-09",
        "modem users are routing black holes: a candidate that sends 5 kB/s, and one that sends 100",
        "gnutella_wire::election::Election",
        "DT Gnutella: initial problems and fixes",
        || {
            let fit = [5_000, 100_000]
                .map(|upload| Election::LIMEWIRE.is_fit(&candidate(24, upload, false)));
            equal(fit, [false, true])
        },
    ),
    fact(
        "C-HYB-13",
        "a gateway works as a central server for other peers: who has a word, by the tables of leaves and by an index",
        "gnutella_wire::qrp::QueryTable, opennap::Index",
        "DT Gnutella: initial problems and fixes",
        || {
            let mut central = Central::of(&USERS)?;
            let mut same = 0;
            for word in ["jude", "live", "debaser", "heroes", "nothing"] {
                let index: Vec<String> =
                    central.search(3, word, 0)?.into_iter().map(|(nick, _)| nick).collect();
                let mut leaves = Vec::new();
                for (nick, _, file) in USERS {
                    let mut table = QueryTable::new(16, vec![0; QueryTable::memory_len(16)])
                        .map_err(failed)?;
                    for part in file.split([' ', '.']) {
                        table.insert(KeywordHash::of(part));
                    }
                    if table.contains(KeywordHash::of(word)) {
                        leaves.push(nick.to_owned());
                    }
                }
                // An index does not name the files of the one that asks.
                leaves.retain(|nick| nick != "dan");
                same += usize::from(index == leaves);
            }
            equal(same, 5)
        },
    ),
    fact(
        "C-GEN-08",
        "peers have unpredictable addresses: entries for a node that is back under another one, and one that is not",
        "gnutella_wire::hosts::HostCache",
        "ARCH Peer to peer computing",
        || {
            let mut cache = HostCache::new(address(9), vec![HostSlot::EMPTY; 8]);
            let mut sizes = Vec::new();
            for node in [1, 2, 2] {
                cache.insert(NOW, Host::from(address(node)));
                sizes.push(cache.len());
            }
            equal(sizes, vec![1, 2, 2])
        },
    ),
];

fn candidate(hours: u64, upload: u32, firewalled: bool) -> Candidate {
    let uptime = Duration::from_secs(3_600 * hours);
    Candidate {
        uptime,
        average_uptime: uptime,
        firewalled,
        datagrams: true,
        upload,
        download: 200_000,
        spare_links: 100,
    }
}

/// Adds the source of a download and connects to it.
fn begin(download: &mut Download<DownloadVec>) -> Result<(), String> {
    let source = download.add_source(NOW, Source::at(address(3))).map_err(failed)?;
    while download.poll_event().is_some() {}
    download.handle_connected(NOW, source, CONN).map_err(failed)
}

fn busy() -> Check {
    let mut servent =
        Servent::new(Config::peer(id(1), address(1)), ServentVec::new(ServentLimits::default()))
            .map_err(failed)?;
    servent.set_busy(true);
    let flag = servent.hit_flags().busy;
    let transfer = Transfer::new(1_000);
    let mut download = transfer.download(&[])?;
    begin(&mut download)?;
    let mut buf = vec![0; Download::<DownloadVec>::MAX_TRANSMIT_LEN];
    download.poll_transmit(&mut buf).map_err(failed)?.ok_or("no request")?;
    let answer =
        b"HTTP/1.1 503 Busy\r\nRetry-After: 60\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    download.handle_bytes(NOW, CONN, answer).map_err(failed)?;
    for second in 2..600 {
        let now = Duration::from_secs(second);
        download.handle_timeout(now);
        while let Some(event) = download.poll_event() {
            match event {
                DownloadEvent::Closed { conn, .. } => download.handle_closed(now, conn),
                DownloadEvent::Dial { .. } => {
                    let waited = second - NOW.as_secs();
                    let right = flag == Some(true) && (60..70).contains(&waited);
                    return holds(right, format!("set, and {waited} s"));
                }
                _ => {}
            }
        }
    }
    Err("it is never asked again".into())
}
