//! The example `flood`: 0.6 answers what 0.4 answers, with a fraction of the messages.

use std::process::Command;

#[test]
fn ultrapeers_answer_with_a_fraction_of_the_messages() {
    let picture = std::env::temp_dir().join(format!("flood-{}", std::process::id()));
    let run = Command::new(env!("CARGO_BIN_EXE_gnutella"))
        .args(["flood", "--nodes", "600", "--searches", "4", "--out"])
        .arg(&picture)
        .output()
        .unwrap();
    let table = String::from_utf8(run.stdout).unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let row = |name: &str| -> Vec<f64> {
        let line = table.lines().find(|line| line.starts_with(&format!("| {name}"))).unwrap();
        line.split('|').skip(2).filter_map(|cell| cell.trim().parse().ok()).collect()
    };
    let flooded = row("0.4");
    let ultrapeers = row("0.6");
    let [messages, queries, _, duplicates, reached, hits, _] = flooded[..] else {
        panic!("{table}")
    };
    assert!(reached > 598.0 && hits > 5.9, "a flood reaches all: {table}");
    assert!(
        (queries - reached - duplicates).abs() < 1.5,
        "each copy is new or a duplicate: {table}"
    );
    assert!(ultrapeers[0] * 5.0 < messages, "{table}");
    assert!(ultrapeers[5] > 0.9 * hits, "{table}");
    let svg = std::fs::read_to_string(picture.join("flood.svg")).unwrap();
    assert_eq!(svg.matches("class=\"bar").count(), 3, "a bar for each network");
    std::fs::remove_dir_all(picture).unwrap();
}

#[test]
fn a_ttl_out_of_range_is_explained_with_exit_code_2() {
    let run = Command::new(env!("CARGO_BIN_EXE_gnutella"))
        .args(["flood", "--ttl", "99"])
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(2));
    let said = String::from_utf8(run.stderr).unwrap();
    assert!(said.contains("a number from 1 to 15 is expected"));
}
