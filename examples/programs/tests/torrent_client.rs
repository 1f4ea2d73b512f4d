//! `torrent make`, `seed` and `get` in the situations of every day: many files, files
//! that are in the way, limits, signals.

mod programs;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use bittorrent_pieces::wire::{Handshake, Reserved};
use bittorrent_pieces::{InfoHash, PeerId, PieceHasher};
use programs::client::{LISTEN, get, got, make, new_film, seed};
use programs::{Running, TORRENT, bytes, folder, path, text, torrent};

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
    let (home, film, made) = new_film("too long", 40_000, &[]);
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
    let (home, film, made) = new_film("in the way", 40_000, &[]);
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
    let (home, film, made) = new_film("ratio", 300_000, &[]);
    let (mut seeding, peer) = seed(&made, &film, &["--ratio", "1", "--limit-up", "10M"]);
    got(&made, &home.join("into"), &["--peer", &peer, "--limit-down", "10M"]);
    assert_eq!(seeding.code(), Some(0));
    seeding.until("done: ");
    let (mut seeding, _) = seed(&made, &film, &["--seed-time", "0"]);
    assert_eq!(seeding.code(), Some(0));
}

#[test]
fn a_download_that_nobody_has_gives_up() {
    let (home, _, made) = new_film("nobody", 1_000, &[]);
    let shown = text(&torrent(&["show", &made]).stdout);
    let link = shown.split("magnet     ").nth(1).unwrap().trim().to_owned();
    for torrent_or_link in [&made, &link] {
        let done = torrent(&get(torrent_or_link, &home.join("into"), &["--timeout", "1"]));
        assert_eq!(done.status.code(), Some(3));
        assert!(text(&done.stdout).contains("gave up: nothing arrived for 1 s"));
    }
    assert!(!home.join("into").exists(), "nothing was created");
}

/// Also while the info dictionary of a link is looked for, and while a seed waits.
#[test]
fn a_signal_ends_every_wait() {
    let (home, _, made) = new_film("signals", 1_000, &[]);
    let shown = text(&torrent(&["show", &made]).stdout);
    let link = shown.split("magnet     ").nth(1).unwrap().trim().to_owned();
    let mut waits = Running::start(TORRENT, &get(&link, &home.join("into"), &[]));
    waits.until("asking peers");
    waits.terminate();
    assert_eq!(waits.code(), Some(3));
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
    let (home, film, made) = new_film("no layers", 400_000, &["--v2", "--piece-len", "16384"]);
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
