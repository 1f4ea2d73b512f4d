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

fn run(words: &[&str]) -> Output {
    chord(words).stdin(Stdio::null()).output().unwrap()
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

    let listen = ["--listen", "127.0.0.1:0", "--join", &contact];
    let done = run(&[&listen[..], &["--put", "hey-jude", "at 127.0.0.1:6346", "--trace"]].concat());
    let said = text(&done);
    assert!(done.status.success(), "{said}");
    for line in ["QUERY ", "STATE ", "NOTIFY ", "stored under ", "left"] {
        assert!(said.contains(line), "no {line} in:\n{said}");
    }
    let requests = ["PUT ", "COPY "]; // the latter if it happens to own the name itself
    assert!(requests.iter().any(|line| said.contains(line)), "{said}");
    let get = |name| run(&[&listen[..], &["--get", name]].concat());
    let found = text(&get("hey-jude"));
    assert!(found.contains("at 127.0.0.1:6346"), "{found}");
    let nothing = get("let it be");
    assert!(!nothing.status.success() && text(&nothing).contains("nothing under "), "{nothing:?}");

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

#[test]
fn mistakes_are_named() {
    for (words, complaint) in [
        (&["--join", "somewhere"][..], "invalid value 'somewhere' for '--join <ADDR>'"),
        (&["--put", "a"], "2 values required"),
        (&["--get", "a"], "--join <ADDR>"),
        (&["--successors", "21"], "a number from 1 to 20"),
        (&["--listen", "0.0.0.0:4000"], "not 0.0.0.0"),
    ] {
        let output = run(words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(text(&output).contains(complaint), "{}", text(&output));
    }
    let help = run(&["--help"]);
    assert!(help.status.success() && text(&help).contains("Example"));
    let alone = run(&["--listen", "127.0.0.1:0", "--join", "127.0.0.1:1", "--get", "a"]);
    assert!(
        !alone.status.success() && text(&alone).contains("is there a node"),
        "{}",
        text(&alone)
    );
}
