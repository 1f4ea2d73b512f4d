//! The programs torrent, tracker and dht as a person meets them, among themselves over loopback.

mod programs;

use core::net::SocketAddr;
use core::time::Duration;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use bittorrent_pieces::bencode::{Limits, Mode, Value};
use bittorrent_pieces::wire::{Handshake, Message, Piece, Reserved};
use bittorrent_pieces::{Block, PeerId};
use programs::{Running, TORRENT, bytes, folder, hear, path, say, text, torrent};

/// A folder of files goes from one to another by trackers over HTTP and UDP; a broken piece is fetched anew.
#[test]
fn a_folder_is_made_seeded_found_and_resumed() {
    let home = folder("tracked");
    let shared = home.join("songs");
    fs::create_dir_all(shared.join("b side")).unwrap();
    fs::write(shared.join("a.mp3"), bytes(300_001)).unwrap();
    fs::write(shared.join("b side/c.mp3"), bytes(150_000)).unwrap();
    fs::write(shared.join("empty"), b"").unwrap();
    let tracker =
        Running::start(TORRENT, &["tracker", "--listen", "127.0.0.1:0", "--interval", "60"]);
    let http = tracker.after("tracking on ");
    let udp = tracker.after("/announce and ");
    let made = home.join("songs.torrent");
    let words =
        ["make", path(&shared), "--out", path(&made), "--tracker", &udp, "--tracker", &http];
    let done = torrent(&words);
    assert!(done.status.success(), "{}", text(&done.stderr));
    for line in ["450001 bytes", "songs/b side/c.mp3", "tracker    udp://", "(tier 1)", "info-hash"]
    {
        assert!(text(&done.stdout).contains(line), "{line} in {}", text(&done.stdout));
    }
    let _seed =
        Running::start(TORRENT, &["seed", path(&made), path(&shared), "--listen", "127.0.0.1:0"]);
    let into = home.join("into");
    let words =
        ["download", path(&made), "--into", path(&into), "--listen", "127.0.0.1:0", "--sequential"];
    let mut done = torrent(&words);
    for _ in 0..20 {
        if done.status.success() {
            break;
        }
        done = torrent(&words); // the seed may not have announced yet
    }
    assert!(done.status.success(), "{}{}", text(&done.stdout), text(&done.stderr));
    let c = into.join("songs/b side/c.mp3");
    assert!(fs::read(into.join("songs/a.mp3")).unwrap() == bytes(300_001));
    assert!(fs::read(&c).unwrap() == bytes(150_000) && into.join("songs/empty").exists());
    let mut broken = bytes(150_000);
    broken[149_999] ^= 1;
    fs::write(&c, broken).unwrap();
    let done = torrent(&words);
    assert!(text(&done.stdout).contains("13 of 14 pieces are here"), "{}", text(&done.stdout));
    assert!(fs::read(&c).unwrap() == bytes(150_000));
}

/// By a magnet link, with a peer found by the DHT; of all versions.
#[test]
fn a_magnet_link_and_the_dht_are_enough() {
    let home = folder("magnet");
    let file = home.join("film");
    fs::write(&file, bytes(200_000)).unwrap();
    for (version, made) in [("--private", "v1"), ("--hybrid", "hybrid"), ("--v2", "v2")] {
        let made = home.join(made);
        let done = torrent(&["make", path(&file), "--out", path(&made), version]);
        let said = text(&done.stdout);
        assert!(done.status.success() && said.contains("magnet:?xt=urn:bt"), "{said}");
        let seed =
            Running::start(TORRENT, &["seed", path(&made), path(&file), "--listen", "127.0.0.1:0"]);
        let peer = seed.after("listening on ");
        let into = home.join(format!("into{version}"));
        let link = said.split("magnet     ").nth(1).unwrap().trim();
        let words = ["download", link, "--into", path(&into), "--peer", &peer];
        let done = torrent(&[&words[..], &["--listen", "127.0.0.1:0", "--trace"]].concat());
        assert!(done.status.success(), "{}{}", text(&done.stdout), text(&done.stderr));
        assert!(fs::read(into.join("film")).unwrap() == bytes(200_000));
        assert!(text(&done.stdout).contains("HAVE ALL"));
    }
    let node = Running::start(TORRENT, &["dht", "--listen", "127.0.0.1:0"]);
    let address = node.after("listening on ");
    let made = home.join("hybrid");
    let words = ["seed", path(&made), path(&file), "--listen", "127.0.0.1:0", "--dht", &address];
    let _seed = Running::start(TORRENT, &words);
    let shown = text(&torrent(&["show", path(&made)]).stdout);
    let link = shown.split("magnet     ").nth(1).unwrap().trim();
    let find = |more: &[&str]| {
        let words = ["--listen", "127.0.0.1:0", "--node", &address, "--find", link];
        Command::new(TORRENT).arg("dht").args([&words[..], more].concat()).output().unwrap()
    };
    let known = (0..50).any(|_| find(&[]).status.success());
    assert!(known, "the seed announces itself");
    // The second time the node is known from the first.
    let state = home.join("nodes");
    let first = ["--dht", &address, "--dht-state", path(&state)];
    for (into, nodes) in [("dht", &first[..]), ("state", &first[2..])] {
        let into = home.join(into);
        let words = ["download", link, "--into", path(&into), "--listen", "127.0.0.1:0"];
        let done = torrent(&[&words[..], nodes].concat());
        assert!(done.status.success(), "{}{}", text(&done.stdout), text(&done.stderr));
        assert!(fs::read(into.join("film")).unwrap() == bytes(200_000));
    }
    assert!(fs::read_to_string(&state).unwrap().lines().any(|line| line == address));
}

/// Both say with their exit code that a signal stopped them.
#[cfg(unix)]
#[test]
fn seed_and_dht_stop_on_sigterm() {
    let home = folder("stopped");
    let file = home.join("film");
    fs::write(&file, bytes(200_000)).unwrap();
    let made = home.join("made");
    assert!(torrent(&["make", path(&file), "--out", path(&made)]).status.success());
    let seed = ["seed", path(&made), path(&file)];
    for (words, ready) in [(&seed[..], "pieces are here"), (&["dht"], "listening on")] {
        let mut running = Running::start(TORRENT, &[words, &["--listen", "127.0.0.1:0"]].concat());
        running.until(ready);
        running.terminate();
        assert_eq!(running.code(), Some(3), "{words:?}");
    }
}

/// The length of what is resumed: two pieces of 32 blocks.
const HALVES: u32 = 1 << 20;

/// Gives `blocks` blocks of `bytes(HALVES)` to one who connects, and then answers nothing more.
fn miser(blocks: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut first = [0; Handshake::LEN];
        stream.read_exact(&mut first).unwrap();
        let (mut handshake, _) = Handshake::decode(&first).unwrap();
        handshake.reserved = Reserved::default();
        handshake.peer_id = PeerId([7; 20]);
        handshake.encode(&mut first).unwrap();
        stream.write_all(&first).unwrap();
        say(&mut stream, &Message::Bitfield(&[0b1100_0000]));
        say(&mut stream, &Message::Unchoke);
        let content = bytes(HALVES);
        let mut given = 0;
        while let Ok(message) = hear(&mut stream) {
            if let Ok((Message::Request(Block { piece, begin, len }), _)) =
                Message::decode(&message, 1 << 20)
                && given < blocks
            {
                let at = (piece.0 * (HALVES / 2) + begin) as usize;
                let data = &content[at..][..len as usize];
                say(&mut stream, &Message::Piece(Piece { piece, begin, data }));
                given += 1;
            }
        }
    });
    address
}

/// Returns the blocks of a file of parts: where each begins in the content.
fn parts(path: &Path) -> Vec<u64> {
    let bytes = fs::read(path).unwrap_or_default();
    let value = Value::from_bytes(&bytes, Mode::Strict, Limits::DEFAULT);
    let Some(pieces) = value.ok().and_then(|value| value.find(b"unfinished")) else {
        return vec![];
    };
    let number = |value: Value<'_>| value.as_int().unwrap() as u64;
    let blocks = pieces.items().flat_map(|entry| {
        let start = number(entry.find(b"piece").unwrap()) * u64::from(HALVES / 2);
        let blocks = entry.find(b"blocks").unwrap().items();
        blocks.map(move |block| start + number(block) * 16_384)
    });
    blocks.collect()
}

/// A download that is killed amid a piece goes on with the blocks that it had; if they, or the file that
/// names them, are no longer right, it costs no more than to fetch them again.
#[test]
fn a_killed_download_keeps_the_blocks_of_open_pieces() {
    const KEPT: usize = 20;
    const ALL: usize = 64;
    let home = folder("killed");
    let file = home.join("film");
    let made = home.join("made");
    let killed = home.join("killed");
    fs::write(&file, bytes(HALVES)).unwrap();
    let done = torrent(&["make", path(&file), "--out", path(&made), "--piece-len", "524288"]);
    let hash = text(&done.stdout).split("info-hash  ").nth(1).unwrap()[..40].to_owned();
    let noted = format!("{hash}.parts");
    let words = ["download", path(&made), "--listen", "127.0.0.1:0", "--into"];
    let peer = miser(KEPT).to_string();
    let running =
        Running::start(TORRENT, &[&words[..], &[path(&killed), "--peer", &peer]].concat());
    let start = Instant::now();
    while parts(&killed.join(&noted)).len() < KEPT {
        assert!(start.elapsed() < Duration::from_secs(60), "the blocks are noted");
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(running);
    let seed =
        Running::start(TORRENT, &["seed", path(&made), path(&file), "--listen", "127.0.0.1:0"]);
    let peer = seed.after("listening on ");
    let resume = |name: &str, harm: &dyn Fn(&Path)| {
        let into = home.join(name);
        fs::create_dir_all(&into).unwrap();
        for name in ["film", &noted] {
            fs::copy(killed.join(name), into.join(name)).unwrap();
        }
        harm(&into);
        let words = [&words[..], &[path(&into), "--peer", &peer, "--trace"]].concat();
        let Output { status, stdout, stderr } = torrent(&words);
        let said = text(&stdout);
        let warned = text(&stderr);
        assert!(status.success(), "{said}{warned}");
        assert!(fs::read(into.join("film")).unwrap() == bytes(HALVES), "{name}");
        assert_eq!(fs::read_dir(&into).unwrap().count(), 1, "{name}: the file of parts is gone");
        let asked = said.lines().filter(|line| line.contains("-> ") && line.contains("REQUEST"));
        (asked.count(), said, warned)
    };
    let (asked, said, _) = resume("whole", &|_| ());
    assert!(said.contains("0 of 2 pieces are here, and 20 blocks of others"), "{said}");
    assert_eq!(asked, ALL - KEPT);

    let (asked, said, _) = resume("spoilt", &|into| {
        let mut content = fs::read(into.join("film")).unwrap();
        content[parts(&into.join(&noted))[0] as usize] ^= 1;
        fs::write(into.join("film"), content).unwrap();
    });
    assert!(said.contains("is not as it should be") && asked > ALL - KEPT, "{asked} of {said}");

    let (asked, said, warned) = resume("cut", &|into| {
        let list = fs::read(into.join(&noted)).unwrap();
        fs::write(into.join(&noted), &list[..list.len() / 2]).unwrap();
    });
    assert!(warned.contains("ignored") && asked == ALL, "{asked} of {said}{warned}");

    let (asked, ..) =
        resume("without content", &|into| fs::remove_file(into.join("film")).unwrap());
    assert_eq!(asked, ALL);
}

#[test]
fn wrong_words_are_answered_with_help() {
    for words in [
        &[][..],
        &["fetch"],
        &["download"],
        &["make", "x", "--piece-len", "17"],
        &["seed", "x"],
        &["download", "x", "--peer", "nowhere"],
        &["tracker", "--interval", "0"],
        &["dht", "--find", "abc"],
    ] {
        let done = torrent(words);
        assert_eq!(done.status.code(), Some(2), "{words:?}");
        assert!(text(&done.stderr).contains("--help"), "{words:?}");
    }
    for command in ["seed", "tracker", "dht"] {
        let help = torrent(&[command, "--help"]);
        assert!(help.status.success() && text(&help.stdout).contains("Example"));
    }
    let missing = torrent(&["show", "/nowhere/at/all"]);
    assert_eq!(missing.status.code(), Some(1));
}

#[test]
fn a_state_file_that_is_another_file_is_kept_and_one_that_cannot_be_written_is_refused() {
    let home = folder("state-files");
    let diary = home.join("diary");
    fs::write(&diary, "dear diary").unwrap();
    let hash = "54a6ba6789ae47bd589215e54c31bb5d63135be8";
    let state = ["--listen", "127.0.0.1:0", "--state", path(&diary)];
    let done = torrent(&[&["dht"], &state[..], &["--wait", "1", "get", hash]].concat());
    assert!(text(&done.stderr).contains("lists no nodes"), "{}", text(&done.stderr));
    assert_eq!(fs::read_to_string(home.join("diary.damaged")).unwrap(), "dear diary");

    let nowhere = home.join("no folder/state");
    let state = ["--listen", "127.0.0.1:0", "--state", path(&nowhere)];
    let done = torrent(&[&["tracker"], &state[..]].concat());
    assert_eq!(done.status.code(), Some(1));
    assert!(text(&done.stderr).starts_with("error: cannot write "), "{}", text(&done.stderr));
}
