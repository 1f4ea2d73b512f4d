//! `torrent make`, `seed` and `get` in the situations of every day: odd trackers, peers that vanish, many files, files
//! that are in the way, limits, signals.

mod programs;

use core::net::SocketAddr;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};

use bittorrent_pieces::wire::{Handshake, Message, Piece, Reserved};
use bittorrent_pieces::{Block, InfoHash, PeerId, PieceHasher};
use programs::{Running, TORRENT, bytes, folder, hear, path, say, text, torrent, wait_for};

const LISTEN: [&str; 2] = ["--listen", "127.0.0.1:0"];

/// Makes a torrent of a path; returns the path of its metainfo file.
fn make(content: &Path, more: &[&str]) -> String {
    let made = format!("{}.torrent", content.display());
    let words = [&["make", path(content), "--out", &made], more].concat();
    let done = torrent(&words);
    assert!(done.status.success(), "{}", text(&done.stderr));
    made
}

fn seed(made: &str, content: &Path, more: &[&str]) -> (Running, String) {
    let words = [&["seed", made, path(content)], &LISTEN[..], more].concat();
    let seed = Running::start(TORRENT, &words);
    let peer = seed.after("listening on ");
    (seed, peer)
}

fn get<'a>(made: &'a str, into: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    [&["get", made, "--into", path(into)], &LISTEN[..], more].concat()
}

/// Runs `torrent get` to a good end; returns what it printed.
fn got(made: &str, into: &Path, more: &[&str]) -> String {
    let done = torrent(&get(made, into, more));
    assert!(done.status.success(), "{}{}", text(&done.stdout), text(&done.stderr));
    text(&done.stdout)
}

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
    let home = folder("hangs up");
    let film = home.join("film");
    let content = bytes(92 * 16_384);
    fs::write(&film, &content).unwrap();
    let made = make(&film, &["--piece-len", "16384"]);
    let peer = quitter(content.clone(), 16_384, vec![20, 30, 1_000]).to_string();
    let into = home.join("into");
    got(&made, &into, &["--peer", &peer]);
    assert!(fs::read(into.join("film")).unwrap() == content);
}

#[test]
fn a_peer_that_comes_up_later_is_found() {
    let home = folder("comes later");
    let film = home.join("film");
    fs::write(&film, bytes(50_000)).unwrap();
    let made = make(&film, &[]);
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

/// Runs the program with at most 256 descriptors.
fn limited(words: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 256; exec \"$0\" \"$@\"", TORRENT]).args(words);
    command
}

#[test]
fn three_thousand_files_need_few_descriptors() {
    let home = folder("many files");
    let many = home.join("many");
    fs::create_dir_all(&many).unwrap();
    for number in 0..3_000 {
        fs::write(many.join(format!("{number:04}")), bytes(number % 50)).unwrap();
    }
    let made = make(&many, &[]);
    let (_seed, peer) = seed(&made, &many, &[]);
    let into = home.join("into");
    let done = limited(&get(&made, &into, &["--peer", &peer])).output().unwrap();
    assert!(done.status.success(), "{}{}", text(&done.stdout), text(&done.stderr));
    for number in 0..3_000 {
        let copy = fs::read(into.join(format!("many/{number:04}"))).unwrap();
        assert_eq!(copy, bytes(number % 50), "{number}");
    }
}

#[test]
fn a_file_that_is_too_long_is_named_and_cut_on_request() {
    let home = folder("too long");
    let film = home.join("film");
    fs::write(&film, bytes(40_000)).unwrap();
    let made = make(&film, &[]);
    let into = home.join("into");
    fs::create_dir_all(&into).unwrap();
    let copy = into.join("film");
    fs::write(&copy, [bytes(40_000), vec![7; 5]].concat()).unwrap();
    let done = torrent(&get(&made, &into, &[]));
    assert!(done.status.success());
    let warning = "5 bytes longer than in the torrent; --truncate cuts it";
    assert!(text(&done.stderr).contains(warning), "{}", text(&done.stderr));
    assert_eq!(fs::metadata(&copy).unwrap().len(), 40_005);
    got(&made, &into, &["--truncate"]);
    assert!(fs::read(&copy).unwrap() == bytes(40_000));
    // A seed serves a file that is too long, and leaves it as it is.
    fs::write(&film, [bytes(40_000), vec![7; 5]].concat()).unwrap();
    let (_seed, peer) = seed(&made, &film, &[]);
    got(&made, &home.join("again"), &["--peer", &peer]);
    assert_eq!(fs::metadata(&film).unwrap().len(), 40_005);
}

#[test]
fn a_file_of_somebody_else_is_not_written_over() {
    let home = folder("in the way");
    let film = home.join("film");
    fs::write(&film, bytes(40_000)).unwrap();
    let made = make(&film, &[]);
    let (_seed, peer) = seed(&made, &film, &[]);
    let into = home.join("into");
    fs::create_dir_all(&into).unwrap();
    fs::write(into.join("film"), b"my diary").unwrap();
    let done = torrent(&get(&made, &into, &["--peer", &peer]));
    assert_eq!(done.status.code(), Some(1));
    assert!(text(&done.stderr).contains("--overwrite"), "{}", text(&done.stderr));
    assert_eq!(fs::read(into.join("film")).unwrap(), b"my diary");
    got(&made, &into, &["--peer", &peer, "--overwrite"]);
    assert!(fs::read(into.join("film")).unwrap() == bytes(40_000));
}

/// A folder of four files, of which each has pieces of its own.
fn four_files(home: &Path) -> std::path::PathBuf {
    let songs = home.join("songs");
    fs::create_dir_all(songs.join("b")).unwrap();
    for (name, len) in [("a", 65_536), ("b/c", 65_536), ("d", 32_768), ("e", 32_768)] {
        fs::write(songs.join(name), bytes(len)).unwrap();
    }
    songs
}

#[test]
fn only_selected_files_are_fetched() {
    let home = folder("selected");
    let songs = four_files(&home);
    let made = make(&songs, &["--piece-len", "32768"]);
    let (_seed, peer) = seed(&made, &songs, &[]);
    let shown = text(&torrent(&["show", &made]).stdout);
    assert!(shown.contains("file 1            65536 bytes songs/b/c"), "{shown}");
    let into = home.join("into");
    let said = got(&made, &into, &["--peer", &peer, "--files", "1,3"]);
    assert!(said.contains("every selected piece is here"), "{said}");
    let there = |name: &str| into.join("songs").join(name).exists();
    assert!(there("b/c") && there("e") && !there("a") && !there("d"));
    assert!(fs::read(into.join("songs/b/c")).unwrap() == bytes(65_536));
    // By a link, which may select too, and the rest afterwards.
    let link = shown.split("magnet     ").nth(1).unwrap().trim().to_owned() + "&so=2";
    got(&link, &into, &["--peer", &peer]);
    assert!(there("d") && !there("a"));
    got(&made, &into, &["--peer", &peer]);
    assert!(fs::read(into.join("songs/a")).unwrap() == bytes(65_536));
    let done = torrent(&get(&made, &into, &["--files", "4"]));
    assert!(text(&done.stderr).contains("the numbers are 0 to 3"), "{}", text(&done.stderr));
    assert_eq!(torrent(&get(&made, &into, &["--files", "x"])).status.code(), Some(2));
}

#[test]
fn a_seed_stops_after_its_ratio_or_time() {
    let home = folder("ratio");
    let film = home.join("film");
    fs::write(&film, bytes(300_000)).unwrap();
    let made = make(&film, &[]);
    let (mut seeding, peer) = seed(&made, &film, &["--ratio", "1", "--limit-up", "10M"]);
    got(&made, &home.join("into"), &["--peer", &peer, "--limit-down", "10M"]);
    assert_eq!(seeding.code(), Some(0));
    seeding.until("done: ");
    let (mut seeding, _) = seed(&made, &film, &["--seed-time", "0"]);
    assert_eq!(seeding.code(), Some(0));
}

#[test]
fn a_download_that_nobody_has_gives_up() {
    let home = folder("nobody");
    let film = home.join("film");
    fs::write(&film, bytes(1_000)).unwrap();
    let made = make(&film, &[]);
    let shown = text(&torrent(&["show", &made]).stdout);
    let link = shown.split("magnet     ").nth(1).unwrap().trim().to_owned();
    for torrent_or_link in [&made, &link] {
        let done = torrent(&get(torrent_or_link, &home.join("into"), &["--timeout", "1"]));
        assert_eq!(done.status.code(), Some(3));
        assert!(text(&done.stdout).contains("gave up: nothing arrived for 1 s"));
    }
    assert!(!home.join("into").exists(), "nothing was created");
}

#[test]
fn a_signal_ends_a_download_with_a_summary_and_what_is_needed_to_go_on() {
    let home = folder("signal");
    let film = home.join("film");
    let content = bytes(64 * 16_384);
    fs::write(&film, &content).unwrap();
    let made = make(&film, &["--piece-len", "524288"]);
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

/// Also while the info dictionary of a link is looked for, and while a seed waits.
#[test]
fn a_signal_ends_every_wait() {
    let home = folder("signals");
    let film = home.join("film");
    fs::write(&film, bytes(1_000)).unwrap();
    let made = make(&film, &[]);
    let shown = text(&torrent(&["show", &made]).stdout);
    let link = shown.split("magnet     ").nth(1).unwrap().trim().to_owned();
    let mut waits = Running::start(TORRENT, &get(&link, &home.join("into"), &[]));
    waits.until("asking peers");
    waits.terminate();
    assert_eq!(waits.code(), Some(3));
}

#[test]
fn encrypted_and_plain_peers_meet_as_their_policies_allow() {
    let home = folder("encrypted");
    let film = home.join("film");
    fs::write(&film, bytes(200_000)).unwrap();
    let made = make(&film, &[]);
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
fn events_and_contents_are_printed_as_json() {
    let home = folder("json");
    let songs = four_files(&home);
    let made = make(&songs, &["--comment", "a \"word\"", "--source", "club"]);
    let shown = text(&torrent(&["show", &made, "--json"]).stdout);
    for part in [
        r#"{"name":"songs","info_hash":""#,
        r#"{"path":["songs","b","c"],"bytes":65536,"padding":false}"#,
        r#""comment":"a \"word\"","source":"club""#,
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let (_seed, peer) = seed(&made, &songs, &[]);
    let said = got(&made, &home.join("into"), &["--peer", &peer, "--json"]);
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines.iter().all(|line| line.starts_with("{\"event\":\"") && line.ends_with('}')));
    for event in ["listening", "torrent", "progress", "complete", "end"] {
        let start = format!("{{\"event\":\"{event}\"");
        assert!(lines.iter().any(|line| line.starts_with(&start)), "{event} in {said}");
    }
}

/// BEP 47: links are created inside of the folder, and files that are meant to be are executable. `make` refuses a link that
/// leads out of the folder.
#[test]
fn links_and_executable_files_are_as_the_torrent_says() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let home = folder("links");
    let tools = home.join("tools");
    fs::create_dir_all(&tools).unwrap();
    fs::write(tools.join("run"), b"#!sh\n").unwrap();
    let mut made =
        b"d4:infod5:filesld4:attr1:x6:lengthi5e4:pathl3:runeed4:attr1:l6:lengthi0e4:pathl2:it\
        e12:symlink pathl3:runeee4:name5:tools12:piece lengthi16384e6:pieces20:"
            .to_vec();
    made.extend(PieceHasher::digest(b"#!sh\n"));
    made.extend(b"ee");
    let torrent_file = home.join("tools.torrent");
    fs::write(&torrent_file, made).unwrap();
    let (_seed, peer) = seed(path(&torrent_file), &tools, &[]);
    let into = home.join("into");
    got(path(&torrent_file), &into, &["--peer", &peer]);
    let mode = fs::metadata(into.join("tools/run")).unwrap().permissions().mode();
    assert_eq!(mode & 0o100, 0o100, "{mode:o}");
    assert_eq!(fs::read_link(into.join("tools/it")).unwrap(), Path::new("run"));
    symlink("../..", tools.join("out")).unwrap();
    let done = torrent(&["make", path(&tools), "--out", path(&home.join("x.torrent"))]);
    assert_eq!(done.status.code(), Some(1));
    assert!(text(&done.stderr).contains("leads out of the folder"), "{}", text(&done.stderr));
}

/// Escape sequences in a name do not reach the terminal, an empty folder is refused before anything is written, and links
/// may be in capitals (RFC 3986).
#[test]
fn odd_names_folders_and_links_are_handled() {
    let home = folder("odd");
    let film = home.join("film\u{1b}[31mred");
    fs::write(&film, bytes(1_000)).unwrap();
    let made = home.join("film.torrent");
    assert!(torrent(&["make", path(&film), "--out", path(&made)]).status.success());
    let shown = torrent(&["show", path(&made)]);
    assert!(!shown.stdout.contains(&0x1B), "{}", text(&shown.stdout));
    assert!(text(&shown.stdout).contains("\\u{1b}[31mred"), "{}", text(&shown.stdout));
    let shown = text(&shown.stdout);
    let link = shown.split("magnet     ").nth(1).unwrap().trim().replace("magnet:", "MAGNET:");
    assert!(torrent(&["show", &link]).status.success());
    let words = ["get", &link, "--into", path(&home), "--timeout", "1"];
    assert_eq!(torrent(&[&words[..], &LISTEN].concat()).status.code(), Some(3), "nobody has it");
    let empty = home.join("empty");
    fs::create_dir_all(&empty).unwrap();
    let written = home.join("empty.torrent");
    let done = torrent(&["make", path(&empty), "--out", path(&written)]);
    assert_eq!(done.status.code(), Some(1), "{}", text(&done.stdout));
    assert!(!written.exists());
}

/// Two torrents behind one port: one process seeds both, another fetches one by its file and one by its link. Peers that name
/// another torrent, or none, are refused.
#[test]
fn several_torrents_share_a_process_and_a_port() {
    let home = folder("several");
    let shared = home.join("shared");
    fs::create_dir_all(&shared).unwrap();
    let film = shared.join("film");
    fs::write(&film, bytes(300_000)).unwrap();
    let songs = four_files(&shared);
    let other = home.join("other");
    fs::write(&other, bytes(1_000)).unwrap();
    let [film_made, songs_made] = [make(&film, &[]), make(&songs, &[])];
    let other_made = make(&other, &[]);
    let words = ["seed", &film_made, &songs_made, "--from", path(&shared)];
    let seeds = Running::start(TORRENT, &[&words, &LISTEN[..]].concat());
    let peer = seeds.after("listening on ");
    let shown = text(&torrent(&["show", &songs_made]).stdout);
    let link = shown.split("magnet     ").nth(1).unwrap().trim().to_owned();
    let into = home.join("into");
    for encryption in ["off", "require"] {
        let more = ["--peer", &peer, "--encryption", encryption];
        let words = [&["get", &film_made, &link, "--into", path(&into)], &LISTEN[..], &more];
        let done = torrent(&words.concat());
        let said = text(&done.stdout);
        assert!(done.status.success(), "{said}{}", text(&done.stderr));
        for name in ["film", "songs"] {
            let line = format!("{name}: complete: every piece is here and checked");
            assert!(said.contains(&line), "{line} in {said}");
        }
        assert!(fs::read(into.join("film")).unwrap() == bytes(300_000));
        assert!(fs::read(into.join("songs/b/c")).unwrap() == fs::read(songs.join("b/c")).unwrap());
        fs::remove_dir_all(&into).unwrap();
    }
    let done = torrent(&get(&other_made, &into, &["--peer", &peer, "--timeout", "2"]));
    assert_eq!(done.status.code(), Some(3), "nobody has it");
    let mut stream = TcpStream::connect(&peer).unwrap();
    let info_hash = InfoHash([7; 20]);
    let handshake =
        Handshake { reserved: Reserved::default(), info_hash, peer_id: PeerId([7; 20]) };
    let mut bytes = [0; Handshake::LEN];
    handshake.encode(&mut bytes).unwrap();
    stream.write_all(&bytes).unwrap();
    assert!(matches!(stream.read(&mut [0; 10]), Ok(0) | Err(_)), "it is closed without an answer");
    let twice = torrent(&[&["get", &film_made, &film_made][..], &LISTEN].concat());
    assert!(text(&twice.stderr).contains("given twice"), "{}", text(&twice.stderr));
}

#[test]
fn missing_piece_layers_come_from_peers() {
    let home = folder("no layers");
    let film = home.join("film");
    fs::write(&film, bytes(400_000)).unwrap();
    let made = make(&film, &["--v2", "--piece-len", "16384"]);
    let (_seed, peer) = seed(&made, &film, &[]);
    let mut bare = fs::read(&made).unwrap();
    let key = b"12:piece layers";
    let at = bare.windows(key.len()).position(|window| window == key).unwrap();
    bare.truncate(at); // it is the last key
    bare.push(b'e');
    let stripped = home.join("stripped.torrent");
    fs::write(&stripped, bare).unwrap();
    let said = got(path(&stripped), &home.join("into"), &["--peer", &peer]);
    assert!(said.contains("asking for the hashes of 1 files"), "{said}");
    assert!(fs::read(home.join("into/film")).unwrap() == bytes(400_000));
    let done = torrent(&["seed", path(&stripped), path(&film), "--listen", "127.0.0.1:0"]);
    assert!(text(&done.stderr).contains("no piece layers"), "{}", text(&done.stderr));
}

#[test]
fn a_made_torrent_has_what_was_asked_for() {
    let home = folder("options");
    let songs = four_files(&home);
    fs::write(songs.join("x.tmp"), b"x").unwrap();
    fs::create_dir_all(songs.join(".git")).unwrap();
    fs::write(songs.join(".git/head"), b"x").unwrap();
    let made = make(
        &songs,
        &[
            "--comment",
            "for all",
            "--source",
            "club",
            "--web-seed",
            "http://w.invalid/",
            "--exclude",
            "*.tmp",
            "--exclude",
            ".git",
            "--private",
            "--date",
        ],
    );
    let shown = text(&torrent(&["show", &made]).stdout);
    for line in [
        "comment    for all",
        "source     club",
        "web seed   http://w.invalid/",
        "private",
        "made by",
    ] {
        assert!(shown.contains(line), "{line} in {shown}");
    }
    assert!(!shown.contains(".tmp") && !shown.contains(".git/"), "{shown}");
    assert!(shown.contains("196608 bytes (192.0 KiB)"), "{shown}");
    let version = text(&torrent(&["--version"]).stdout);
    assert_eq!(version.trim(), concat!("torrent ", env!("CARGO_PKG_VERSION")));
}
