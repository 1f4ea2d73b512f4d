//! The store of a ring as a person uses it: long values, deletion, expiry, files, the shared key, status.

use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

mod programs;

use programs::{Running, wait_for};

const CHORD: &str = env!("CARGO_BIN_EXE_chord");

/// A node at a free port of loopback.
fn node(words: &[&str]) -> Running {
    let first = ["node", "--stabilize", "100"];
    let listen = ["--listen", "127.0.0.1:0"];
    let listen = if words.contains(&"--listen") { &[][..] } else { &listen[..] };
    Running::start(CHORD, &[&first[..], listen, words].concat())
}

fn address(node: &Running) -> String {
    node.after("listening on ").trim_end_matches(',').to_owned()
}

/// A ring of some nodes with the same options.
fn ring(nodes: usize, words: &[&str]) -> Vec<Running> {
    let mut all = vec![node(words)];
    let contact = address(&all[0]);
    for _ in 1..nodes {
        all.push(node(&[words, &["--join", &contact]].concat()));
    }
    for node in &all[1..] {
        node.until("joined");
    }
    wait_for("a ring in which all know all", || {
        let known = |node: &Running| {
            let status = status(&address(node), words);
            status["successors"].as_array().map_or(0, Vec::len) + 1 == nodes
        };
        all.iter().all(known)
    });
    all
}

fn ask(words: &[&str], node: &str) -> Output {
    let mut command = Command::new(CHORD);
    command.arg("node").args(words).args(["--node", node]).stdin(Stdio::null()).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(output)))
}

/// The status of a node, with the key of its ring.
fn status(node: &str, words: &[&str]) -> Value {
    let key = words.iter().position(|word| *word == "--key-file");
    let key = key.map_or(&[][..], |at| &words[at..at + 2]);
    json(&ask(&[&["status", "--json"], key].concat(), node))
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("chord").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_megabyte_is_stored_found_replaced_and_deleted() {
    let folder = folder("megabyte");
    let source = folder.join("source");
    let copy = folder.join("copy");
    let mut value = vec![0; 1 << 20];
    sim::Rng::new(1).fill(&mut value); // no two parts are equal
    fs::write(&source, &value).unwrap();
    let all = ring(3, &[]);
    let first = address(&all[0]);
    let last = address(&all[2]);
    let put = json(&ask(&["put", "film", "--file", path(&source), "--json"], &first));
    assert_eq!(
        (&put["stored"], &put["version"], &put["copies"]),
        (&true.into(), &1.into(), &2.into())
    );
    assert_eq!(put["parts"], 1026 + 21, "parts and lists");
    let got = ask(&["get", "film", "--output", path(&copy)], &last);
    assert_eq!(got.status.code(), Some(0), "{}", text(&got));
    assert!(fs::read(&copy).unwrap() == value);

    assert!(text(&ask(&["put", "film", "short"], &last)).contains("version 2"));
    let short = json(&ask(&["get", "film", "--json"], &first));
    assert_eq!(short["value"], "short");
    let gone = ask(&["delete", "film"], &first);
    assert!(text(&gone).starts_with("deleted ") && gone.status.success(), "{}", text(&gone));
    for command in ["get", "delete"] {
        let nothing = ask(&[command, "film", "--json"], &last);
        assert_eq!((nothing.status.code(), &json(&nothing)["found"]), (Some(1), &false.into()));
    }
    fs::write(&source, [&value[..], b"!"].concat()).unwrap();
    let long = ask(&["put", "film", "--file", path(&source)], &first);
    assert!(text(&long).contains("more than 1048576 bytes") && long.status.code() == Some(1));
}

#[test]
fn a_value_ends_in_time_and_one_without_copies_says_so() {
    let node = node(&[]);
    let address = address(&node);
    let put = ask(&["put", "a", "1", "--ttl", "2"], &address);
    assert!(text(&put).contains("no copy: only its owner has it"), "{}", text(&put));
    assert!(json(&ask(&["get", "a", "--json"], &address))["ttl_seconds"].as_u64() <= Some(2));
    wait_for("the end of the value", || ask(&["get", "a"], &address).status.code() == Some(1));
    assert_eq!(status(&address, &[])["entries"], 0);
}

#[test]
fn a_store_in_a_file_survives_a_kill_and_a_torn_end() {
    let folder = folder("file");
    let file = folder.join("node.store");
    let words = ["--store", path(&file)];
    let mut first = node(&words);
    let at = address(&first);
    for (name, value) in [("a", "one"), ("b", "two"), ("c", "three")] {
        assert!(ask(&["put", name, value], &at).status.success());
    }
    assert!(ask(&["delete", "a"], &at).status.success());
    let second = ask_to_start(&words);
    assert!(second.contains("is in use by another node"), "{second}");
    first.child.kill().unwrap(); // SIGKILL
    first.child.wait().unwrap();
    let len = fs::metadata(&file).unwrap().len();
    let torn = fs::OpenOptions::new().write(true).open(&file).unwrap();
    torn.set_len(len - 3).unwrap(); // in the middle of the record of the deletion
    drop(torn);
    let again = node(&[&words[..], &["--listen", &at]].concat());
    let at = address(&again);
    for (name, value) in [("a", "one\n"), ("b", "two\n"), ("c", "three\n")] {
        assert_eq!(text(&ask(&["get", name], &at)), value);
    }
    assert!(folder.join("node.store.damaged").exists());
    assert!(ask(&["put", "d", "four"], &at).status.success());
    again.terminate();
    drop(again);
    let last = node(&words);
    assert_eq!(text(&ask(&["get", "d"], &address(&last))), "four\n");
}

/// Starts a node that is to end at once.
fn ask_to_start(words: &[&str]) -> String {
    let mut command = Command::new(CHORD);
    let command = command.args(["node", "--listen", "127.0.0.1:0"]).args(words);
    text(&command.stdin(Stdio::null()).output().unwrap())
}

#[test]
fn nodes_and_clients_without_the_key_are_ignored_and_counted() {
    let folder = folder("key");
    let key = folder.join("ring.key");
    let other = folder.join("other.key");
    fs::write(&key, "correct horse battery staple\n").unwrap();
    fs::write(&other, "another horse battery staple\n").unwrap();
    let words = ["--key-file", path(&key)];
    let all = ring(2, &words);
    let at = address(&all[0]);
    let with = |words: &[&str], key: &Path| ask(&[words, &["--key-file", path(key)]].concat(), &at);
    assert!(with(&["put", "a", "secret"], &key).status.success());
    assert_eq!(text(&with(&["get", "a"], &key)), "secret\n");
    for refused in
        [ask(&["get", "a", "--timeout", "1"], &at), with(&["get", "a", "--timeout", "1"], &other)]
    {
        assert!(text(&refused).contains("error: no answer from 127.0.0.1:"), "{}", text(&refused));
        assert_eq!(refused.status.code(), Some(1));
    }
    let stranger = ask_to_start(&["--join", &at, "--join-for", "0"]);
    assert!(stranger.contains("cannot join: no answer"), "{stranger}");
    let status = status(&at, &words);
    assert!(status["counters"]["unauthenticated"].as_u64() >= Some(3), "{status}");
    assert_eq!(status["successors"].as_array().map(Vec::len), Some(1));
    fs::write(&key, "short\n").unwrap();
    assert!(ask_to_start(&words).contains("has 5 bytes, less than 16"));
}

#[test]
fn a_node_shows_its_state_to_people_and_to_programs() {
    let all = ring(3, &[]);
    let at = address(&all[1]);
    let json = status(&at, &[]);
    assert_eq!(json["address"].as_str(), Some(&at[..]));
    assert_eq!(json["member"], true);
    assert_eq!(json["id"].as_str().map(str::len), Some(40));
    assert!(json["predecessor"]["address"].as_str().is_some_and(|it| it.starts_with("127.0.0.1:")));
    assert!(json["counters"]["received"].as_u64() > Some(0), "{json}");
    let people = text(&ask(&["status"], &at));
    for line in
        ["node ", "member of the ring", "keys (", "store: ", "predecessor: ", "successor 2: "]
    {
        assert!(people.contains(line), "no {line} in:\n{people}");
    }
}

#[test]
fn one_host_fills_its_share_of_a_store_and_no_more() {
    let node = node(&["--store-limit", "1"]);
    let folder = folder("share");
    let file = folder.join("value");
    fs::write(&file, programs::bytes(300_000)).unwrap();
    let put = ask(&["put", "a", "--file", path(&file)], &address(&node));
    assert_eq!(put.status.code(), Some(1));
    assert!(text(&put).contains("error: no room"), "{}", text(&put));
    let status = status(&address(&node), &[]);
    assert!(status["bytes"].as_u64() <= Some(1 << 18), "{status}");
    assert!(status["counters"]["refused"].as_u64() > Some(0), "{status}");
}

#[cfg(unix)]
#[test]
fn a_client_stops_at_a_signal_and_tries_several_nodes() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = socket.local_addr().unwrap().to_string();
    let mut client = Command::new(CHORD)
        .args(["node", "get", "a", "--node", &silent])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    socket.recv_from(&mut [0; 2000]).unwrap(); // its handler of signals is there now
    let sent = Command::new("kill").args(["-TERM", &client.id().to_string()]).status();
    assert!(sent.unwrap().success());
    assert_eq!(client.wait().unwrap().code(), Some(3));

    let node = node(&[]);
    let put = ask(&["put", "a", "b", "--node", &silent], &address(&node));
    assert!(put.status.success(), "{}", text(&put));
}
