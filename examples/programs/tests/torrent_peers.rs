//! The program `torrent` beside trackers and peers that are not ours: odd answers, lost connections, signals, encryption.

mod programs;

use core::net::SocketAddr;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use bittorrent_pieces::wire::{Handshake, Message, Piece, Reserved};
use bittorrent_pieces::{Block, PeerId};
use programs::client::{get, got, make, new_film, seed};
use programs::{Running, TORRENT, bytes, folder, hear, path, say, text, torrent, wait_for};

/// The check sum of gzip (RFC 1952, section 8).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 }
        })
    })
}

/// Returns bytes in the format of gzip, as one stored block.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let len = bytes.len() as u16;
    let mut out = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    out.extend(len.to_le_bytes());
    out.extend((!len).to_le_bytes());
    out.extend(bytes);
    out.extend(crc32(bytes).to_le_bytes());
    out.extend(u32::from(len).to_le_bytes());
    out
}

/// Returns an answer of HTTP in chunks of three bytes.
fn in_chunks(body: &[u8]) -> Vec<u8> {
    let head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Encoding: gzip\r\n";
    let mut answer = [&head[..], b"Transfer-Encoding: chunked\r\n\r\n"].concat();
    for chunk in body.chunks(3) {
        answer.extend(format!("{:x}\r\n", chunk.len()).bytes());
        answer.extend(chunk);
        answer.extend(b"\r\n");
    }
    answer.extend(b"0\r\n\r\n");
    answer
}

/// A web server that sends a client from `/announce` to `/moved`, and there answers in gzip and in chunks of three
/// bytes. Returns its address and the paths that were asked for.
fn odd_tracker(body: Vec<u8>) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, paths) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
                request.push(byte[0]);
            }
            let request = text(&request);
            let target = request.split(' ').nth(1).unwrap_or_default().to_owned();
            let answer = if let Some(query) = target.strip_prefix("/announce?") {
                let head = "HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0";
                format!("{head}\r\nLocation: http://{address}/moved?{query}\r\n\r\n").into_bytes()
            } else {
                let _ = sender.send(target);
                in_chunks(&gzip(&body))
            };
            let _ = stream.write_all(&answer);
        }
    });
    (address, paths)
}

/// A tracker behind a redirection that compresses, sends chunks, names no interval, and one address and a byte; its id
/// is sent back, and it is told of the end.
#[test]
fn an_odd_tracker_is_understood_and_told_of_the_end() {
    let home = folder("odd tracker");
    let film = home.join("film");
    fs::write(&film, bytes(100_000)).unwrap();
    let plain = make(&film, &[]);
    let (_seed, peer) = seed(&plain, &film, &["--no-trackers"]);
    let peer: SocketAddr = peer.parse().unwrap();
    let mut body = b"d5:peers7:\x7f\0\0\x01".to_vec();
    body.extend(peer.port().to_be_bytes());
    body.extend(b"x10:tracker id4:ab c15:warning message4:slowe");
    let (address, paths) = odd_tracker(body);
    let url = format!(" http://{address}/announce ");
    let made = home.join("tracked.torrent");
    let words = ["make", path(&film), "--out", path(&made), "--tracker", &url];
    assert!(torrent(&words).status.success());
    let said = got(path(&made), &home.join("into"), &[]);
    assert!(said.contains("knows 1 peers"), "{said}");
    assert!(fs::read(home.join("into/film")).unwrap() == bytes(100_000));
    let asked: Vec<String> = paths.try_iter().collect();
    assert!(asked[0].contains("event=started") && asked[0].contains("left=100000"), "{asked:?}");
    assert!(!asked[0].contains("trackerid"));
    let last = asked.last().unwrap();
    assert!(last.contains("event=stopped") && last.contains("trackerid=ab%20c"), "{asked:?}");
    assert!(last.contains("left=0") && last.contains("downloaded=100000"), "{asked:?}");
    assert!(asked.iter().any(|path| path.contains("event=completed")), "{asked:?}");
}

#[test]
fn what_is_wrong_with_a_tracker_is_said() {
    let home = folder("wrong trackers");
    let film = home.join("film");
    fs::write(&film, bytes(1_000)).unwrap();
    let (failing, _) = odd_tracker(b"d14:failure reason9:not todaye".to_vec());
    let (talking, _) = odd_tracker(b"<html>hello".to_vec());
    let urls = [
        (format!("http://{failing}/announce"), "not today"),
        (format!("http://{talking}/announce"), "not that of a tracker"),
        ("wss://tracker.invalid/".into(), "WebSocket"),
        ("gopher://tracker.invalid/".into(), "not http://"),
    ];
    for (url, what) in urls {
        let made = make(&film, &["--tracker", &url]);
        let into = home.join("into");
        let done = torrent(&get(&made, &into, &["--timeout", "2"]));
        assert_eq!(done.status.code(), Some(3), "{url}: the time limit");
        let said = text(&done.stderr).to_lowercase();
        assert!(said.contains(&what.to_lowercase()), "{what}: {said}");
    }
}

/// A peer that gives `plan[n]` blocks over its nth connection and then hangs up.
fn quitter(content: Vec<u8>, piece_len: usize, plan: Vec<usize>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for blocks in plan {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = give(&mut stream, &content, piece_len, blocks);
        }
    });
    address
}

fn give(
    stream: &mut TcpStream,
    content: &[u8],
    piece_len: usize,
    blocks: usize,
) -> std::io::Result<()> {
    let mut first = [0; Handshake::LEN];
    stream.read_exact(&mut first)?;
    let (mut handshake, _) = Handshake::decode(&first).unwrap();
    handshake.reserved = Reserved::default();
    handshake.peer_id = PeerId([7; 20]);
    handshake.encode(&mut first).unwrap();
    stream.write_all(&first)?;
    let pieces = content.len().div_ceil(piece_len);
    let field: Vec<u8> = (0..pieces.div_ceil(8))
        .map(|byte| (0..8).map(|bit| u8::from(8 * byte + bit < pieces) << (7 - bit)).sum())
        .collect();
    say(stream, &Message::Bitfield(&field));
    say(stream, &Message::Unchoke);
    let mut given = 0;
    while given < blocks {
        let message = hear(stream)?;
        if let Ok((Message::Request(Block { piece, begin, len }), _)) =
            Message::decode(&message, 1 << 20)
        {
            let at = piece.0 as usize * piece_len + begin as usize;
            let data = &content[at..][..len as usize];
            say(stream, &Message::Piece(Piece { piece, begin, data }));
            given += 1;
        }
    }
    Ok(())
}

#[test]
fn a_peer_that_hangs_up_is_dialled_again() {
    let (home, _, made) = new_film("hangs up", 92 * 16_384, &["--piece-len", "16384"]);
    let content = bytes(92 * 16_384);
    let peer = quitter(content.clone(), 16_384, vec![20, 30, 1_000]).to_string();
    let into = home.join("into");
    got(&made, &into, &["--peer", &peer]);
    assert!(fs::read(into.join("film")).unwrap() == content);
}

#[test]
fn a_peer_that_comes_up_later_is_found() {
    let (home, film, made) = new_film("comes later", 50_000, &[]);
    let place = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let into = home.join("into");
    let mut early = Running::start(TORRENT, &get(&made, &into, &["--peer", &place]));
    early.until("pieces are here");
    std::thread::sleep(core::time::Duration::from_secs(1)); // it has dialled in vain by then
    let words = ["seed", &made, path(&film), "--listen", &place];
    let _late = Running::start(TORRENT, &words);
    assert_eq!(early.code(), Some(0), "{}", early.output());
    assert!(fs::read(into.join("film")).unwrap() == bytes(50_000));
}

#[test]
fn encrypted_and_plain_peers_meet_as_their_policies_allow() {
    let (home, film, made) = new_film("encrypted", 200_000, &[]);
    for (theirs, ours, encrypted) in [
        ("require", "require", true),
        ("require", "prefer", true),
        ("require", "allow", true), // at the second attempt
        ("prefer", "require", true),
        ("off", "prefer", false),
        ("allow", "off", false),
        ("allow", "allow", false),
    ] {
        let (_seed, peer) = seed(&made, &film, &["--encryption", theirs]);
        let into = home.join(format!("{theirs}-{ours}"));
        let said = got(&made, &into, &["--peer", &peer, "--encryption", ours, "--trace"]);
        assert_eq!(said.contains(": encrypted"), encrypted, "{theirs} {ours}");
        assert!(fs::read(into.join("film")).unwrap() == bytes(200_000));
    }
    let shown = text(&torrent(&["show", &made]).stdout);
    let link = shown.split("magnet     ").nth(1).unwrap().trim().to_owned();
    let (_seed, peer) = seed(&made, &film, &["--encryption", "require"]);
    got(&link, &home.join("link"), &["--peer", &peer, "--encryption", "require"]);
    let never = home.join("never");
    let words = get(&made, &never, &["--peer", &peer, "--encryption", "off", "--timeout", "2"]);
    assert_eq!(torrent(&words).status.code(), Some(3));
}

#[test]
fn a_signal_ends_a_download_with_a_summary_and_what_is_needed_to_go_on() {
    let (home, film, made) = new_film("signal", 64 * 16_384, &["--piece-len", "524288"]);
    let content = bytes(64 * 16_384);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = listener.local_addr().unwrap().to_string();
    let ours = content.clone();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = give(&mut stream, &ours, 524_288, 20);
        let _ = hear(&mut stream); // and no more
        std::thread::sleep(core::time::Duration::from_secs(60));
    });
    let into = home.join("into");
    let mut running = Running::start(TORRENT, &get(&made, &into, &["--peer", &peer, "--trace"]));
    wait_for("20 blocks", || running.output().matches("<- ").count() > 22);
    running.terminate();
    assert_eq!(running.code(), Some(3));
    running.until("stopped by a signal: 0 of 2 pieces, 320.0 KiB received");
    assert!(running.output().contains("run it again to continue"), "{}", running.output());
    let (_seed, peer) = seed(&made, &film, &[]);
    let said = got(&made, &into, &["--peer", &peer]);
    assert!(said.contains("and 20 blocks of others"), "{said}");
    assert!(said.contains("the files are unchanged since the last run"), "{said}");
    assert!(fs::read(into.join("film")).unwrap() == content);
}
