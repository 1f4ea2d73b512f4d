//! The program `ledger` as a network: four nodes, a payment, a record, a proof; nodes that are killed; the bulletin board.

mod programs;

use core::sync::atomic::{AtomicU16, Ordering};
use core::time::Duration;
use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use programs::ledger::{LEDGER, done, fresh, ledger, word};

/// A program that runs until it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(folder: &Path, words: &[&str]) -> Running {
    let mut command = Command::new(LEDGER);
    let child =
        command.args(words).arg("--quiet").current_dir(folder).stdout(Stdio::null()).spawn();
    Running(child.expect("it starts"))
}

/// The first of some ports in a row that are free now, below those that the system gives to outgoing connections. No two
/// tests get the same.
fn free_ports(count: u16) -> String {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let start = 10_000 + (std::process::id() % 1000) as u16 * 16;
    loop {
        let first = start + TAKEN.fetch_add(count, Ordering::Relaxed);
        if (first..first + count).all(is_free) {
            return first.to_string();
        }
    }
}

/// Waits until this number of nodes have one tip.
fn wait_for_one_tip(folder: &Path, nodes: usize) {
    let start = Instant::now();
    loop {
        let output = ledger(folder, &["status", "harbour"]);
        let status = String::from_utf8_lossy(&output.stdout);
        let lines = status.lines().filter(|line| line.contains(" tip "));
        let tips: Vec<_> = lines.map(|line| line.split(' ').next_back().expect("a tip")).collect();
        if tips.len() == nodes && tips.iter().all(|tip| *tip == tips[0]) {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "not one tip of {nodes}:\n{status}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A network of this number of nodes in one process, which have one tip.
fn network(name: &str, nodes: u16, more: &[&str]) -> (PathBuf, Running) {
    let folder = fresh(name);
    let port = free_ports(nodes);
    let count = nodes.to_string();
    let words = ["node", "harbour", "--local", &count, "--port", &port];
    let running = start(&folder, &[&words, more].concat());
    wait_for_one_tip(&folder, nodes.into());
    (folder, running)
}

/// Returns the code of a command that waits, once SIGTERM has stopped it.
fn stopped(folder: &Path, words: &[&str]) -> Option<i32> {
    let mut command = Command::new(LEDGER);
    let command = command.args(words).current_dir(folder).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut output = BufReader::new(child.stdout.take().expect("piped"));
    output.read_line(&mut String::new()).expect("a line"); // it handles signals by now
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().expect("it starts").success());
    io::copy(&mut output, &mut io::sink()).expect("an end");
    child.wait().expect("it ends").code()
}

/// The five commands of the README.
#[test]
fn four_nodes_a_payment_a_record_and_a_proof_without_the_chain() {
    let (folder, running) = network("ledger-network", 4, &[]);
    let folder = &folder;

    let ben = done(folder, &["wallet", "ben.key"]);
    let ben = word(&ben, "account");
    let wallet = "harbour/owner.key";
    let paid = done(folder, &["pay", "harbour", "--wallet", wallet, "--to", ben, "--amount", "30"]);
    assert!(paid.contains("970 left"), "{paid}");
    let text = "1,000 barrels left the harbour";
    let recorded = done(folder, &["record", "harbour", "--wallet", wallet, text]);
    let tip = word(&recorded, "block");
    let height = recorded.split(' ').nth(1).expect("a height").to_owned();
    wait_for_one_tip(folder, 4);

    done(folder, &["prove", "harbour", "--record", &height, "--output", "p"]);
    assert!(done(folder, &["audit", "harbour", "--tip", tip]).contains("1000 coins"));
    let followed = done(folder, &["follow", "harbour", "--until", &height]);
    assert!(followed.contains(tip), "{followed}");
    assert_eq!(stopped(folder, &["follow", "harbour"]), Some(3));
    drop(running);
    // Without the network and its folder.
    fs::remove_dir_all(folder.join("harbour")).expect("it is removed");
    let verified = done(folder, &["verify", "p", "--tip", tip]);
    assert!(verified.contains(text), "{verified}");
}

/// Node 4 is killed at random points while transactions flow; it has the chain of the others after each start.
fn killed(kills: u32) {
    let (folder, made) = network(&format!("ledger-kill-{kills}"), 4, &[]);
    let folder = &folder;
    drop(made); // all are killed
    let numbers = ["1", "2", "3", "4"];
    let run = |number: &str| {
        let trace = format!("trace{number}");
        start(folder, &["node", "harbour", "--number", number, "--trace", &trace])
    };
    let others: Vec<Running> = numbers[..3].iter().map(|number| run(number)).collect();
    wait_for_one_tip(folder, 3);
    let wallet = "harbour/owner.key";
    for kill in 0..kills {
        let victim = run("4");
        let text = kill.to_string();
        let words = ["record", "harbour", "--wallet", wallet, &text];
        let mut writer = start(folder, &words);
        let pause = u64::from(kill.wrapping_mul(2_654_435_761) >> 22); // up to 1,023 ms
        std::thread::sleep(Duration::from_millis(300 + pause));
        drop(victim);
        if !writer.0.wait().expect("it ends").success() {
            let status = ledger(folder, &["status", "harbour"]);
            eprintln!("{}", String::from_utf8_lossy(&status.stdout));
            for number in numbers {
                let trace = fs::read_to_string(folder.join(format!("trace{number}")));
                let lines: Vec<_> = trace.iter().flat_map(|trace| trace.lines()).collect();
                eprintln!("{}", lines[lines.len().saturating_sub(100)..].join("\n"));
            }
            panic!("no record after kill {kill}");
        }
    }
    let last = run("4");
    wait_for_one_tip(folder, 4);
    assert!(done(folder, &["audit", "harbour"]).matches("RECORD").count() >= kills as usize);
    drop((last, others));
}

/// All sign with the same sequence number at first. The blocks show the losers that it is taken.
#[test]
fn three_commands_of_one_wallet_at_one_time_are_all_recorded() {
    let (folder, _running) = network("ledger-together", 4, &[]);
    let folder = &folder;
    let wallet = "harbour/owner.key";
    let write = |text| start(folder, &["record", "harbour", "--wallet", wallet, text]);
    for mut writer in ["one", "two", "three"].map(write) {
        assert!(writer.0.wait().expect("it ends").success());
    }
    assert_eq!(done(folder, &["audit", "harbour"]).matches("RECORD").count(), 3);
}

#[test]
fn a_node_that_is_killed_goes_on_with_the_same_chain() {
    killed(5);
}

#[test]
#[ignore = "minutes: .ci/steps/86-ledger-kills.sh"]
fn a_node_that_is_killed_fifty_times_goes_on_with_the_same_chain() {
    let kills = std::env::var("KILLS").map_or(50, |text| text.parse().expect("a number"));
    killed(kills);
}

#[test]
fn a_network_by_work_agrees_and_a_poor_payment_is_refused() {
    let (folder, _running) = network("ledger-work", 2, &["--seal", "work"]);
    let folder = &folder;
    let wallet = "harbour/owner.key";
    done(folder, &["record", "harbour", "--wallet", wallet, "by work"]);
    wait_for_one_tip(folder, 2);
    let to = "ab".repeat(32);
    let poor = ["pay", "harbour", "--wallet", wallet, "--to", &to, "--amount", "5000"];
    let output = ledger(folder, &poor);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("5000 coins needed"));
}

/// By stake too: the validator that is drawn makes the block, and the next round's validator if that one is away.
#[test]
fn a_network_by_stake_goes_on_without_one_of_its_nodes() {
    let (folder, all) = network("ledger-stake", 3, &["--seal", "stake"]);
    let folder = &folder;
    let wallet = "harbour/owner.key";
    done(folder, &["record", "harbour", "--wallet", wallet, "by stake"]);
    wait_for_one_tip(folder, 3);
    drop(all);
    // The first has the smallest stake.
    let run = |number: &str| start(folder, &["node", "harbour", "--number", number]);
    let _others = [run("2"), run("3")];
    wait_for_one_tip(folder, 2);
    for text in ["one", "two", "three"] {
        done(folder, &["record", "harbour", "--wallet", wallet, text]);
    }
    wait_for_one_tip(folder, 2);
    fs::write(folder.join("song"), "la la la").expect("it is written");
    let minted = done(folder, &["mint", "harbour", "--wallet", wallet, "--file", "song"]);
    assert_eq!(word(&minted, "asset").len(), 64, "{minted}");
    assert_eq!(done(folder, &["audit", "harbour"]).matches("RECORD").count(), 4);
}

/// A new node takes the state after a block and the headers before it, and goes on with the others, also after a restart.
#[test]
fn a_node_joins_by_a_snapshot() {
    let (folder, both) = network("ledger-snapshot", 2, &["--seal", "work"]);
    let folder = &folder;
    drop(both);
    let run = |words: &[&str]| start(folder, &[&["node", "harbour", "--number"], words].concat());
    let _first = run(&["1"]);
    wait_for_one_tip(folder, 1);
    let wallet = "harbour/owner.key";
    for n in 0..34 {
        done(folder, &["record", "harbour", "--wallet", wallet, &n.to_string()]);
    }
    fs::remove_file(folder.join("harbour/node-2.redb")).expect("it has a file");
    let second = run(&["2", "--snapshot", "--trace", "trace"]);
    wait_for_one_tip(folder, 2);
    let trace = fs::read_to_string(folder.join("trace")).expect("a trace");
    let connected = trace.lines().filter(|line| line.contains("event=connected")).count();
    assert!((16..34).contains(&connected), "{connected} blocks were executed");
    assert!(trace.lines().all(|line| line.starts_with("time=") && line.contains(" node=2 ")));
    drop(second);
    done(folder, &["record", "harbour", "--wallet", wallet, "while it is away"]);
    let _second = run(&["2"]);
    wait_for_one_tip(folder, 2);
}

#[test]
fn the_bulletin_board_of_the_lectures() {
    let folder = &fresh("ledger-supply");
    let text = done(folder, &["supply-chain", "--out", "out"]);
    for expected in [
        "four copies, equal byte for byte: true",
        "copy of the carrier: block 2",
        "copy of the refinery: 3 blocks fit",
        "10432 produced, 6327 sent, 6327 received",
        "4105 barrels remain in Thasos",
        "record-2.proof proves block 2",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}
