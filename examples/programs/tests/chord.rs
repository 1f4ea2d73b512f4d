//! Nodes of a ring as processes over loopback: all nodes find what one stores, also after crashes and departures.

use core::time::Duration;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(60);

/// A node that runs until it is dropped.
struct Running {
    child: Child,
    address: String,
    lines: Receiver<String>,
}

impl Running {
    fn start(words: &[&str]) -> Self {
        let mut child = chord(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        let mut node = Self { child, address: String::new(), lines };
        let line = node.wait_for("listening on ");
        let address = line.split_whitespace().nth(2).unwrap().trim_end_matches(',');
        address.clone_into(&mut node.address);
        node
    }

    /// Waits for a line that contains `text`.
    fn wait_for(&self, text: &str) -> String {
        let start = Instant::now();
        let mut seen = vec![];
        while let Some(left) = LONG.checked_sub(start.elapsed()) {
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => seen.push(line),
                Err(_) => break,
            }
        }
        panic!("no {text:?} in {seen:?}");
    }

    fn say(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Asks until the ring that this node walks round has `nodes` nodes.
    fn wait_for_ring(&mut self, nodes: usize) {
        let start = Instant::now();
        let expected = format!("ring of {nodes} nodes");
        loop {
            self.say("ring");
            let line = self.wait_for("ring of ");
            if line.contains(&expected) {
                return;
            }
            assert!(start.elapsed() < LONG, "{line}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn chord(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chord"));
    command.args(["node", "--stabilize", "100"]).args(words);
    command
}

/// Runs a client of the ring of the node at an address.
fn ask(words: &[&str], node: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chord"));
    command.arg("node").args(words).args(["--node", node]).stdin(Stdio::null()).output().unwrap()
}

fn run(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chord"));
    command.arg("node").args(words).stdin(Stdio::null()).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn what_one_stores_all_find_after_crashes_and_departures() {
    let mut first = Running::start(&["--listen", "127.0.0.1:0"]);
    let contact = first.address.clone();
    let new = || Running::start(&["--listen", "127.0.0.1:0", "--join", &contact]);
    let mut others: Vec<_> = (0..7).map(|_| new()).collect();
    for node in &others {
        node.wait_for("joined");
    }
    first.wait_for_ring(8);

    // The lists of successors are full some rounds after the ring is whole; until then there are fewer copies.
    let start = Instant::now();
    let said = loop {
        let done = ask(&["put", "hey-jude", "at 127.0.0.1:6346", "--trace"], &contact);
        let said = text(&done);
        assert!(done.status.success(), "{said}");
        if said.contains("4 copies") || start.elapsed() >= LONG {
            break said;
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    for line in ["FIND ", "OWNER ", "COOKIE ", "PUT ", "DONE ", "4 copies besides its owner's"] {
        assert!(said.contains(line), "no {line} in:\n{said}");
    }
    let found = text(&ask(&["get", "hey-jude"], &others[6].address));
    assert_eq!(found, "at 127.0.0.1:6346\n");
    let nothing = ask(&["get", "let it be"], &contact);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(text(&nothing).starts_with("nothing under "), "{nothing:?}");

    // Three of eight crash, a fourth leaves: with four copies besides the owner's, the value stays.
    others.truncate(4);
    others[3].say("leave");
    others[3].wait_for("left");
    first.wait_for_ring(4);
    others[0].say("get hey-jude");
    others[0].wait_for("at 127.0.0.1:6346");
    others[1].say("put hey-jude at home");
    others[1].wait_for("stored under ");
    first.say("get hey-jude");
    first.wait_for("at home");
    first.say("fingers");
    first.wait_for("  successor 1: ");
    first.say("delete hey-jude");
    first.wait_for("deleted ");
    others[0].say("get hey-jude");
    others[0].wait_for("nothing under ");
    first.say("sing");
    first.wait_for("commands are: ");
}

#[cfg(unix)]
#[test]
fn a_node_leaves_the_ring_on_sigterm() {
    let mut node = Running::start(&["--listen", "127.0.0.1:0"]);
    let sent = Command::new("kill").args(["-TERM", &node.child.id().to_string()]).status();
    assert!(sent.unwrap().success());
    node.wait_for("left");
    assert_eq!(node.child.wait().unwrap().code(), Some(3));
}

/// The ring still knows the earlier run, which has the same identifier.
#[test]
fn a_node_that_was_killed_or_has_left_joins_again_at_its_address() {
    let first = Running::start(&["--listen", "127.0.0.1:0"]);
    let join = ["--join", &first.address];
    let mut others: Vec<_> = (0..2)
        .map(|_| Running::start(&[&join[..], &["--listen", "127.0.0.1:0"]].concat()))
        .collect();
    for node in &others {
        node.wait_for("joined");
    }
    others[0].wait_for_ring(3);
    for leaves in [false, true] {
        let mut node = others.remove(0);
        let address = node.address.clone();
        if leaves {
            node.say("leave");
            node.wait_for("left");
        }
        drop(node); // SIGKILL
        let again = Running::start(&[&join[..], &["--listen", &address]].concat());
        again.wait_for("joined");
        assert_eq!(again.address, address);
        others.push(again);
        others[0].wait_for_ring(3);
    }
}

#[test]
fn a_contact_that_is_not_there_yet_is_tried_again() {
    let contact = free_port();
    let early = Running::start(&["--listen", "127.0.0.1:0", "--join", &contact]);
    std::thread::sleep(Duration::from_millis(300));
    let _first = Running::start(&["--listen", &contact]);
    early.wait_for("joined");
}

#[test]
fn a_ring_over_ipv6_and_host_names() {
    if std::net::UdpSocket::bind("[::1]:0").is_err() {
        println!("not run: this host has no IPv6");
        return;
    }
    let first = Running::start(&["--listen", "[::1]:0"]);
    assert!(first.address.starts_with("[::1]:"), "{}", first.address);
    let mut second = Running::start(&["--listen", "[::1]:0", "--join", &first.address]);
    second.wait_for("joined");
    second.wait_for_ring(2);
    let mut named = Running::start(&["--listen", "localhost:0"]);
    let port = named.address.rsplit_once(':').unwrap().1.to_owned();
    let listen = if named.address.starts_with('[') { "[::1]:0" } else { "127.0.0.1:0" };
    let other = Running::start(&["--listen", listen, "--join", &format!("localhost:{port}")]);
    other.wait_for("joined");
    named.wait_for_ring(2);
}

/// A socket for both families reports IPv4 senders as IPv6 addresses.
#[cfg(target_os = "linux")]
#[test]
fn a_node_on_all_addresses_is_reached_over_ipv4() {
    if std::net::UdpSocket::bind("[::]:0").is_err() {
        println!("not run: this host has no IPv6");
        return;
    }
    let first = Running::start(&["--listen", "[::]:0", "--public", "127.0.0.1:0"]);
    assert!(first.address.starts_with("127.0.0.1:"), "{}", first.address);
    let mut second = Running::start(&["--listen", "127.0.0.1:0", "--join", &first.address]);
    second.wait_for("joined");
    second.wait_for_ring(2);
}

/// An address where nobody listens, for a moment.
fn free_port() -> String {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().to_string()
}

#[test]
fn wrong_arguments_of_chord_are_named() {
    for (words, complaint) in [
        (&["--join", "somewhere"][..], "invalid value 'somewhere' for '--join <ADDR>'"),
        (&["get"], "<NAME>"),
        (&["get", "a"], "--node <ADDR>"),
        (&["put", "a", "--node", "127.0.0.1:1"], "<VALUE>"),
        (&["put", "a", "b", "--file", "c", "--node", "127.0.0.1:1"], "cannot be used with"),
        (&["put", "a", "b", "--ttl", "0", "--node", "127.0.0.1:1"], "a number from 1 to"),
        (&["--listen", "127.0.0.1:0", "get", "a", "--node", "127.0.0.1:1"], "cannot be used with"),
        (&["--successors", "21"], "a number from 1 to 20"),
        (&["--listen", "::1:4000"], "an address such as"),
    ] {
        let output = run(words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(text(&output).contains(complaint), "{}", text(&output));
    }
    let help = run(&["--help"]);
    assert!(help.status.success() && text(&help).contains("Example"));
    let itself = free_port();
    for (words, complaint) in [
        (&["--listen", "0.0.0.0:0"][..], "--public"),
        (&["--listen", "127.0.0.1:0", "--public", "[::1]:0"], "not of the family"),
        (&["--listen", &itself, "--join", &itself], "is the node itself"),
        (&["--listen", "127.0.0.1:0", "--join", "unknown.invalid:1"], "unknown.invalid:1"),
        (
            &["--listen", "127.0.0.1:0", "--join", "127.0.0.1:1", "--join-for", "0"],
            "is there a node",
        ),
    ] {
        let output = run(words);
        let text = text(&output);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {text}");
        assert!(text.contains("error: ") && text.contains(complaint), "{words:?}: {text}");
    }
}
