//! The program `validators`: what it prints and how it ends.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Runs the program in a folder. Returns the exit code and what it printed.
fn run_in(folder: &Path, line: &str) -> (Option<i32>, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_validators"))
        .args(line.split_whitespace())
        .current_dir(folder)
        .output()
        .expect("it starts");
    let text = [done.stdout, done.stderr].concat();
    (done.status.code(), String::from_utf8(text).expect("text"))
}

fn run(line: &str) -> (Option<i32>, String) {
    run_in(Path::new("."), line)
}

#[test]
fn bft_decides_with_one_of_four_silent_and_explains_the_rounds() {
    let (code, text) = run("run --engine bft --kill 3 --explain");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("(height 3 + round 0) mod 4 = validator 3, which is silent"), "{text}");
    assert!(text.contains("decided in round 1"), "{text}");
    assert!(text.contains("6 blocks, equal at all honest validators"), "{text}");
}

#[test]
fn bft_halts_with_two_of_four_silent() {
    let (code, text) = run("run --engine bft --kill 2,3");
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("no decision on block 1"), "{text}");
}

#[test]
fn bft_decides_after_a_partition_with_an_equivocating_validator() {
    let (code, text) = run("run --engine bft --validators 7 --equivocate 1 --partition 0..5");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("evidence: "), "{text}");
}

#[test]
fn slots_become_final_and_an_equivocating_validator_is_convicted() {
    let (code, text) = run("run --engine slot --validators 5 --equivocate 1 --explain");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("evidence: "), "{text}");
    assert!(text.contains("picked a coin from"), "{text}");
    assert!(text.contains("final until slot 6 after"), "{text}");
}

#[test]
fn authorities_step_in_for_a_silent_one() {
    let (code, text) = run("run --engine clique --kill 1 --explain");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("block 1 of validator 2, out of turn"), "{text}");
    assert!(text.contains("block 5 mod 4 = validator 1 is in turn"), "{text}");
    assert!(text.contains("validator 1 is silent"), "{text}");
    let (code, text) = run("run --engine clique --kill 1,2,3");
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("nobody may sign"), "{text}");
    let (code, text) = run("run --engine aura --kill 1 --explain");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("mod 4 = validator 1, which is silent"), "{text}");
    assert!(text.contains("block 4 is final"), "{text}");
}

/// Each engine makes blocks until a validator dies, and goes on without it.
#[test]
fn every_engine_survives_a_validator_that_dies_midway() {
    for (engine, second) in [("bft", 1), ("slot", 7), ("clique", 7), ("aura", 7)] {
        let (code, alive) = run(&format!("run --engine {engine} --blocks 12"));
        assert_eq!(code, Some(0), "{engine}: {alive}");
        let (code, text) = run(&format!("run --engine {engine} --blocks 12 --kill 2@{second}"));
        assert_eq!(code, Some(0), "{engine}: {text}");
        let common = alive.lines().zip(text.lines()).take_while(|(one, two)| one == two).count();
        assert!(common > 0, "{engine}: it lives in the beginning");
        let blocks = |text: &str| text.matches("of validator 2").count();
        assert!(blocks(&text) < blocks(&alive), "{engine}: and not in the end\n{text}");
    }
}

/// Neither half of four validators is enough to decide; after the partition all agree.
#[test]
fn every_engine_survives_a_partition() {
    for (engine, span) in
        [("bft", "0..5"), ("slot", "4..40"), ("clique", "4..40"), ("aura", "4..40")]
    {
        let (code, text) = run(&format!("run --engine {engine} --blocks 10 --partition {span}"));
        assert_eq!(code, Some(0), "{engine}: {text}");
        let end = text.lines().last().expect("a report");
        let seconds: Vec<u64> = end.split(' ').filter_map(|word| word.parse().ok()).collect();
        let heals_at = span.split("..").last().and_then(|end| end.parse().ok());
        assert!(seconds.last().copied() >= heals_at, "{engine}: the end comes later\n{text}");
        if engine == "clique" || engine == "aura" {
            assert!(text.contains("for the better chain of block"), "{engine}: forks end\n{text}");
        }
    }
}

/// Each engine proves that a validator signed twice, and the others agree.
#[test]
fn every_engine_convicts_a_validator_that_signs_twice() {
    for engine in ["bft", "slot", "clique", "aura"] {
        let line = format!("run --engine {engine} --validators 5 --blocks 10 --equivocate 1");
        let (code, text) = run(&line);
        assert_eq!(code, Some(0), "{engine}: {text}");
        assert!(text.contains("evidence: "), "{engine}: {text}");
    }
}

/// All faults at once, and the same lines in each run.
#[test]
fn every_engine_survives_all_faults_at_once_and_repeats_itself() {
    for engine in ["bft", "slot", "clique", "aura"] {
        let times = if engine == "bft" {
            "--kill 0@1 --partition 2..9"
        } else {
            "--kill 0@9 --partition 12..30"
        };
        let line =
            format!("run --engine {engine} --validators 7 --blocks 15 --equivocate 3 {times}");
        let (code, text) = run(&line);
        assert_eq!(code, Some(0), "{engine}: {text}");
        assert!(text.contains("evidence: "), "{engine}: {text}");
        assert_eq!(run(&line), (code, text), "{engine}");
    }
}

#[test]
fn a_validator_that_does_not_exist_is_wrong_usage() {
    for words in ["--kill 4", "--kill 4@2", "--kill x", "--kill 1@", "--equivocate 4"] {
        let (code, text) = run(&format!("run {words}"));
        assert_eq!(code, Some(2), "{words}: {text}");
    }
}

#[test]
fn signing_both_branches_pays_only_without_slashing() {
    let (code, text) = run("nothing-at-stake");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("signing both gains 92 coins"), "{text}");
    let (code, text) = run("nothing-at-stake --slashing");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("signing both gains -"), "{text}");
}

/// The example of EIP-3076, and a second import that must not lower what the first one set.
#[test]
fn an_interchange_file_is_imported_merged_and_exported() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interchange");
    let _ = fs::remove_dir_all(&folder); // left by an earlier run
    fs::create_dir_all(&folder).expect("a folder");
    let file = |version: &str, genesis: &str, slot: u64, source: u64, target: u64| {
        let key = "b8".repeat(48);
        format!(
            r#"{{"metadata":{{"interchange_format_version":"{version}","genesis_validators_root":"0x{}"}},
            "data":[{{"pubkey":"0x{key}","signed_blocks":[{{"slot":"{slot}"}}],
            "signed_attestations":[{{"source_epoch":"{source}","target_epoch":"{target}"}}]}}]}}"#,
            genesis.repeat(32)
        )
    };
    let import = |text: String| {
        fs::write(folder.join("in.json"), text).expect("written");
        run_in(&folder, "import in.json")
    };
    let (code, text) = import(file("5", "04", 81952, 2290, 3007));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("block 81952, attestation 2290 to 3007"), "{text}");
    let (code, text) = import(file("5", "04", 7, 2291, 9));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("block 81952, attestation 2291 to 3007"), "{text}");
    let (code, text) = import(file("4", "04", 90000, 1, 2));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("version 4, but 5 is required"), "{text}");
    let (code, text) = import(file("5", "05", 90000, 1, 2));
    assert_eq!(code, Some(1), "{text}");
    let (code, text) = run_in(&folder, "export --output out.json");
    assert_eq!(code, Some(0), "{text}");
    let out = fs::read_to_string(folder.join("out.json")).expect("the export");
    for part in [r#""slot": "81952""#, r#""source_epoch": "2291""#, r#""target_epoch": "3007""#] {
        assert!(out.contains(part), "{out}");
    }
    fs::rename(folder.join("guard.txt"), folder.join("old.txt")).expect("moved");
    let (code, text) = run_in(&folder, "import out.json");
    assert_eq!(code, Some(0), "{text}");
    let read = |name| fs::read(folder.join(name)).expect("a guard");
    assert_eq!(read("guard.txt"), read("old.txt"), "what was exported comes back");
}

#[test]
fn one_validator_agrees_with_itself_and_none_is_an_error() {
    for engine in ["bft", "slot", "clique", "aura"] {
        let (code, text) = run(&format!("run --engine {engine} --validators 1 --blocks 3"));
        assert_eq!(code, Some(0), "{engine}: {text}");
        let (code, text) = run(&format!("run --engine {engine} --kill 0,1,2,3"));
        assert_eq!(code, Some(1), "{engine}: {text}");
        assert_eq!(text, "error: all validators are silent\n", "{engine}");
    }
}
