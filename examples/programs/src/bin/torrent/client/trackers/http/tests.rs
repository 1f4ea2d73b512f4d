//! The client among trackers that redirect, compress, refuse, or never come to an end.

use core::net::SocketAddr;
use core::time::Duration;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use bittorrent_pieces::tracker::Announce;
use bittorrent_pieces::tracker::http::RetryIn;
use bittorrent_pieces::{InfoHash, PeerId};

use super::super::{Refused, Response};
use super::ask;

const ANSWER: &[u8] =
    b"d8:intervali1200e12:min intervali600e5:peers6:\x0a\x00\x00\x01\x1a\xe110:tracker id3:a&be";

/// What a server does with a connection once it knows what is asked for.
type Answering = fn(target: &str, stream: &mut TcpStream) -> io::Result<()>;

/// A server on loopback; returns its address and the targets that it was asked for.
fn server(answer: Answering) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, targets) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let sender = sender.clone();
            std::thread::spawn(move || {
                let mut request = Vec::new();
                let mut byte = [0];
                while !request.ends_with(b"\r\n\r\n")
                    && stream.read(&mut byte).is_ok_and(|n| n == 1)
                {
                    request.push(byte[0]);
                }
                let request = String::from_utf8_lossy(&request).into_owned();
                let target = request.split(' ').nth(1).unwrap_or_default();
                let _ = sender.send(target.to_owned());
                let _ = answer(target, &mut stream); // the client may have hung up
            });
        }
    });
    (address, targets)
}

fn respond(stream: &mut TcpStream, head: &str, body: &[u8]) -> io::Result<()> {
    let length = body.len();
    write!(stream, "HTTP/1.1 {head}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n")?;
    stream.write_all(body)
}

/// Redirects by the status and to the place that the path names: `/STATUS/PLACE?QUERY`.
fn redirects(target: &str, stream: &mut TcpStream) -> io::Result<()> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut words = path.trim_start_matches('/').splitn(2, '/');
    let status = words.next().unwrap_or_default();
    let place = words.next().unwrap_or_default();
    respond(stream, &format!("{status} Moved\r\nLocation: {place}?{query}"), b"")
}

fn answers(_: &str, stream: &mut TcpStream) -> io::Result<()> {
    respond(stream, "200 OK", ANSWER)
}

fn announce(url: &str, id: Option<&[u8]>, patience: Duration) -> io::Result<Response> {
    let announce = Announce::started(InfoHash([0xFF; 20]), PeerId([7; 20]), 6_881, 5);
    ask(url, &announce, id, patience)
}

fn asked(url: &str) -> io::Result<Response> {
    announce(url, None, Duration::from_secs(20))
}

fn refused(url: &str) -> String {
    asked(url).map(|response| response.peers).expect_err("an error").to_string()
}

#[test]
fn every_redirection_leads_to_the_tracker_on_another_host() {
    let (tracker, targets) = server(answers);
    let (first, _) = server(redirects);
    for status in [301, 302, 303, 307, 308] {
        let place = format!("http://localhost:{}/announce", tracker.port());
        let response = asked(&format!("http://{first}/{status}/{place}")).unwrap();
        assert_eq!(response.peers, ["10.0.0.1:6881".parse().unwrap()], "{status}");
        let target = targets.recv().unwrap();
        assert!(target.starts_with("/announce?") && target.contains("info_hash=%FF"), "{target}");
        assert!(target.contains("left=5") && target.contains("port=6881"), "{status}: {target}");
    }
}

/// The place may be a path of the same host.
#[test]
fn a_redirection_to_a_path_stays_with_the_host() {
    let (first, targets) = server(|target, stream| {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        match path {
            "/deep/announce" => {
                respond(stream, &format!("301 Moved\r\nLocation: ../moved?{query}"), b"")
            }
            "/moved" => respond(stream, &format!("302 Found\r\nLocation: /here?{query}"), b""),
            _ => answers(target, stream),
        }
    });
    assert_eq!(asked(&format!("http://{first}/deep/announce")).unwrap().peers.len(), 1);
    let targets: Vec<_> = targets.try_iter().collect();
    assert_eq!(targets.len(), 3, "{targets:?}");
    assert!(targets[2].starts_with("/here?info_hash="), "{targets:?}");
}

#[test]
fn redirections_in_a_circle_end() {
    let (first, targets) = server(|target, stream| {
        let query = target.split_once('?').map_or("", |(_, query)| query);
        respond(stream, &format!("302 Found\r\nLocation: /again?{query}"), b"")
    });
    let said = refused(&format!("http://{first}/announce"));
    assert!(said.contains("redirect"), "{said}");
    let requests = targets.try_iter().count();
    assert!(requests <= 6, "{requests} requests");
}

#[test]
fn a_redirection_to_what_is_not_http_is_an_error() {
    let (first, _) = server(redirects);
    for place in ["udp://127.0.0.1:1/announce", "file:///etc/passwd", "http://", "%"] {
        assert!(asked(&format!("http://{first}/302/{place}")).is_err(), "{place}");
    }
    if cfg!(not(feature = "https")) {
        let said = refused(&format!("http://{first}/302/https://{first}/announce"));
        assert!(said.contains("--features https"), "{said}");
    }
}

#[test]
fn the_parts_of_an_answer_are_read_and_the_id_is_sent_back() {
    let (tracker, targets) = server(answers);
    let url = format!("http://{tracker}/announce?passkey=x");
    let response = asked(&url).unwrap();
    assert_eq!(response.interval, Duration::from_secs(1_200));
    assert_eq!(response.min_interval, Some(Duration::from_secs(600)));
    assert_eq!(response.tracker_id.as_deref(), Some(&b"a&b"[..]));
    let first = targets.recv().unwrap();
    assert!(first.starts_with("/announce?passkey=x&info_hash="), "{first}");
    assert!(!first.contains("trackerid"), "{first}");
    announce(&url, response.tracker_id.as_deref(), Duration::from_secs(20)).unwrap();
    let second = targets.recv().unwrap();
    assert!(second.contains("&trackerid=a%26b"), "{second}");
}

/// The same answer in chunks, without a length, compressed, and both.
#[test]
fn an_answer_may_come_in_chunks_or_without_a_length() {
    let (tracker, _) = server(|target, stream| {
        if target.starts_with("/plain") {
            stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n")?;
            return stream.write_all(ANSWER);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        for chunk in ANSWER.chunks(7) {
            write!(stream, "{:X};name=value\r\n", chunk.len())?;
            stream.write_all(chunk)?;
            stream.write_all(b"\r\n")?;
        }
        stream.write_all(b"0\r\nTrailer: x\r\n\r\n")
    });
    for path in ["plain", "chunks"] {
        let response = asked(&format!("http://{tracker}/{path}")).unwrap();
        assert_eq!(response.peers.len(), 1, "{path}");
    }
}

/// A tracker may refuse with any status, and say when it may be asked again (BEP 31).
#[test]
fn the_reason_of_a_failure_is_read_whatever_the_status() {
    let (tracker, _) = server(|target, stream| {
        let status = target.get(1..4).unwrap_or_default();
        respond(stream, &format!("{status} X"), b"d14:failure reason7:not you8:retry ini5ee")
    });
    for status in [200, 400, 403, 404, 500, 503] {
        let error = asked(&format!("http://{tracker}/{status}")).map(|_| ()).expect_err("refused");
        let refused = error.get_ref().and_then(|error| error.downcast_ref::<Refused>());
        let refused = refused.unwrap_or_else(|| panic!("{status}: {error}"));
        assert_eq!(refused.reason, "not you");
        assert_eq!(refused.retry, Some(RetryIn::After(Duration::from_secs(300))));
    }
}

#[test]
fn a_page_for_people_is_an_error_that_names_the_status() {
    let (tracker, _) = server(|target, stream| {
        let status = target.get(1..4).unwrap_or_default();
        respond(stream, &format!("{status} X"), b"<html>no")
    });
    let said = refused(&format!("http://{tracker}/404"));
    assert!(said.contains("404"), "{said}");
    let said = refused(&format!("http://{tracker}/200"));
    assert!(said.contains("not that of a tracker"), "{said}");
    // A valid answer counts only with a status of success.
    let (tracker, _) = server(|_, stream| respond(stream, "503 X", ANSWER));
    assert!(refused(&format!("http://{tracker}/")).contains("503"));
}

/// A server that says nothing, one that never ends its head, and one that sends a byte at a time.
#[test]
fn the_patience_covers_the_whole_answer() {
    let silent: Answering = |_, stream| stream.read(&mut [0]).map(|_| ());
    let head: Answering = |_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
        loop {
            stream.write_all(b"X-More: x\r\n")?;
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let body: Answering = |_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nd5:peers90000:")?;
        loop {
            stream.write_all(b"x")?;
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    for answering in [silent, head, body] {
        let (tracker, _) = server(answering);
        let patience = Duration::from_millis(300);
        assert!(announce(&format!("http://{tracker}/"), None, patience).is_err());
    }
}

/// An answer without an end costs no more than the longest that is read.
#[test]
fn an_answer_without_an_end_is_cut_off() {
    let (tracker, _) = server(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nd5:peers999999999:")?;
        loop {
            stream.write_all(&vec![b'x'; 65_536])?;
        }
    });
    let said = refused(&format!("http://{tracker}/"));
    assert!(said.contains("not that of a tracker"), "{said}");
}
