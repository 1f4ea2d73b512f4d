//! `torrent get` from web servers alone, and `torrent show` of what names them.

mod programs;

use core::net::SocketAddr;
use core::sync::atomic::{AtomicU32, Ordering};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};

use programs::{bytes, folder, path, text, torrent};

/// What a server does with a request for a path.
type Answer = fn(&str, &[u8], Option<(usize, usize)>) -> Vec<u8>;

/// A web server for the files of a folder. Returns its address and the requests: path and range.
fn serve(root: PathBuf, answer: Answer) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, requests) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let root = root.clone();
            let sender = sender.clone();
            std::thread::spawn(move || {
                let mut stream = stream;
                while let Some(request) = read_request(&mut stream) {
                    let target = request.split(' ').nth(1).unwrap_or_default().to_owned();
                    let range = request.lines().find_map(|line| {
                        let (name, value) = line.split_once(':')?;
                        let value = value.trim().strip_prefix("bytes=")?;
                        let (first, last) = value.split_once('-')?;
                        let range = (first.parse().ok()?, last.parse().ok()?);
                        name.eq_ignore_ascii_case("range").then_some(range)
                    });
                    let _ = sender.send(format!("{target} {range:?}"));
                    let file = unescape(target.trim_start_matches('/'));
                    let content = fs::read(root.join(file)).unwrap_or_default();
                    if stream.write_all(&answer(&target, &content, range)).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, requests)
}

fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        request.push(byte[0]);
    }
    Some(text(&request))
}

fn unescape(path: &str) -> String {
    let mut out = Vec::new();
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        let digits = (byte == b'%').then(|| [rest.next(), rest.next()].map(Option::unwrap));
        out.push(digits.map_or(byte, |digits| {
            u8::from_str_radix(core::str::from_utf8(&digits).unwrap(), 16).unwrap()
        }));
    }
    String::from_utf8(out).unwrap()
}

fn response(status: &str, more: &str, body: &[u8]) -> Vec<u8> {
    let len = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {len}\r\n{more}\r\n");
    [head.as_bytes(), body].concat()
}

/// A server with ranges; it has no file of no bytes.
fn ranges(_: &str, content: &[u8], range: Option<(usize, usize)>) -> Vec<u8> {
    match range {
        _ if content.is_empty() => response("404 Not Found", "", b""),
        None => response("200 OK", "", content),
        Some((first, last)) => {
            let last = last.min(content.len() - 1);
            let more = format!("Content-Range: bytes {first}-{last}/{}\r\n", content.len());
            response("206 Partial Content", &more, &content[first..=last])
        }
    }
}

/// Answers the first time that it is busy, then by redirections.
fn moved(target: &str, content: &[u8], range: Option<(usize, usize)>) -> Vec<u8> {
    static TIMES: AtomicU32 = AtomicU32::new(0);
    if TIMES.fetch_add(1, Ordering::Relaxed) == 0 {
        return response("503 Service Unavailable", "Retry-After: 1\r\n", b"later");
    }
    match target.strip_prefix("/old/") {
        Some(rest) => response("302 Found", &format!("Location: /new/{rest}\r\n"), b""),
        None => ranges(target, content, range),
    }
}

/// Changes a byte of everything.
fn lies(target: &str, content: &[u8], range: Option<(usize, usize)>) -> Vec<u8> {
    let mut changed = content.to_vec();
    for byte in &mut changed {
        *byte ^= 1;
    }
    ranges(target, &changed, range)
}

fn make(content: &Path, url: &str, more: &[&str]) -> String {
    let made = format!("{}.torrent", content.display());
    let words = [&["make", path(content), "--out", &made, "--web-seed", url], more].concat();
    let done = torrent(&words);
    assert!(done.status.success(), "{}", text(&done.stderr));
    made
}

fn get(made: &str, into: &Path, more: &[&str]) -> (bool, String) {
    let words = ["get", made, "--into", path(into), "--listen", "127.0.0.1:0"];
    let limit = if more.contains(&"--timeout") { &[][..] } else { &["--timeout", "10"] };
    let done = torrent(&[&words[..], limit, more].concat());
    (done.status.success(), format!("{}{}", text(&done.stdout), text(&done.stderr)))
}

#[test]
fn a_file_and_a_folder_come_from_a_web_server() {
    let home = folder("web seeds");
    let film = home.join("a film");
    fs::write(&film, bytes(3_000_000)).unwrap();
    let (address, requests) = serve(home.clone(), ranges);
    for version in [&[][..], &["--v2"], &["--hybrid"]] {
        let made = make(&film, &format!("http://{address}/"), version);
        let into = home.join(format!("into{}", version.join("")));
        let (done, said) = get(&made, &into, &[]);
        assert!(done, "{said}");
        assert!(fs::read(into.join("a film")).unwrap() == bytes(3_000_000));
    }
    let asked: Vec<String> = requests.try_iter().collect();
    assert!(asked.iter().all(|request| request.starts_with("/a%20film Some")), "{asked:?}");

    let album = home.join("album");
    fs::create_dir(&album).unwrap();
    for (name, len) in [("1 é.txt", 10), ("2", 700_000), ("3", 1)] {
        fs::write(album.join(name), bytes(len)).unwrap();
    }
    for version in [&[][..], &["--v2"]] {
        let made = make(&album, &format!("http://{address}"), version);
        let into = home.join(format!("folder{}", version.join("")));
        let (done, said) = get(&made, &into, &[]);
        assert!(done, "{said}");
        for (name, len) in [("1 é.txt", 10), ("2", 700_000), ("3", 1)] {
            assert!(fs::read(into.join("album").join(name)).unwrap() == bytes(len), "{name}");
        }
    }
    let asked: Vec<String> = requests.try_iter().collect();
    assert!(asked.iter().any(|request| request.starts_with("/album/1%20%C3%A9.txt ")), "{asked:?}");
}

#[test]
fn a_server_that_is_busy_and_moves_is_followed() {
    let home = folder("moved web seed");
    fs::create_dir(home.join("new")).unwrap();
    let film = home.join("new").join("film");
    fs::write(&film, bytes(300_000)).unwrap();
    let (address, requests) = serve(home.clone(), moved);
    let made = make(&film, &format!("http://{address}/old/film"), &[]);
    let (done, said) = get(&made, &home.join("into"), &[]);
    assert!(done, "{said}");
    assert!(fs::read(home.join("into").join("film")).unwrap() == bytes(300_000));
    let asked: Vec<String> = requests.try_iter().collect();
    assert!(asked.iter().any(|request| request.starts_with("/new/film")), "{asked:?}");
}

#[test]
fn a_server_that_lies_is_dropped_and_another_serves() {
    let home = folder("lying web seed");
    let film = home.join("film");
    fs::write(&film, bytes(600_000)).unwrap();
    let (liar, _) = serve(home.clone(), lies);
    let (honest, _) = serve(home.clone(), ranges);
    let made = make(&film, &format!("http://{liar}/film"), &[]);
    let (done, said) = get(&made, &home.join("into"), &["--timeout", "2"]);
    assert!(!done && said.contains("corrupt"), "{said}");
    let also = format!("http://{honest}/film");
    let made = make(&film, &format!("http://{liar}/film"), &["--web-seed", &also]);
    let (done, said) = get(&made, &home.join("into"), &["--timeout", "20"]);
    assert!(done, "{said}");
    assert!(fs::read(home.join("into").join("film")).unwrap() == bytes(600_000));
}

#[test]
fn web_seeds_can_be_left_out() {
    let home = folder("no web seeds");
    let film = home.join("film");
    fs::write(&film, bytes(100_000)).unwrap();
    let (address, requests) = serve(home.clone(), ranges);
    let made = make(&film, &format!("http://{address}/film"), &[]);
    let (done, _) = get(&made, &home.join("into"), &["--no-web-seeds", "--timeout", "1"]);
    assert!(!done && requests.try_iter().count() == 0);
}
