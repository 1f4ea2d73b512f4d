//! The example `swarm`: the rarest first beat a sequence, supernodes make television watchable, and a
//! fleet is faster than its server.

use std::process::Command;

/// Returns the numbers of the rows of the table.
fn run(scene: &str, options: &[&str], lines: usize) -> Vec<Vec<f64>> {
    let name = format!("swarm-{scene}-{}", std::process::id());
    let picture = std::env::temp_dir().join(name);
    let run = Command::new(env!("CARGO_BIN_EXE_torrent"))
        .arg("swarm")
        .arg(scene)
        .args(options)
        .arg("--out")
        .arg(&picture)
        .output()
        .unwrap();
    let table = String::from_utf8(run.stdout).unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let svg = std::fs::read_to_string(picture.join(format!("{scene}.svg"))).unwrap();
    std::fs::remove_dir_all(picture).unwrap();
    assert_eq!(
        svg.matches("<polyline").count(),
        2 * lines,
        "a line for each run, and in the legend"
    );
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    let number = |cell: &str| -> Option<f64> {
        cell.split_whitespace().find_map(|word| word.trim_end_matches(',').parse().ok())
    };
    rows.map(|row| row.split('|').skip(2).filter_map(number).collect()).collect()
}

#[test]
fn the_rarest_first_beat_a_sequence() {
    let rows = run("crowd", &["--peers", "12", "--pieces", "8"], 3);
    let [rarest, _random, sequential] = &rows[..] else { panic!("{rows:?}") };
    assert!(rarest[1] < sequential[1], "the last one is done sooner: {rows:?}");
    assert!(rows.iter().all(|row| row[3] < 1.0), "less than a hundredth comes twice: {rows:?}");
}

#[test]
fn a_fleet_is_faster_than_its_server() {
    let rows = run("fleet", &["--peers", "24", "--pieces", "4"], 2);
    assert!(rows[1][1] * 1.5 < rows[0][1], "{rows:?}");
}

#[test]
fn supernodes_make_television_watchable() {
    let rows = run("tv", &["--peers", "12", "--pieces", "46"], 2);
    assert!(rows[0][0] > 50.0 && rows[1][0] < 5.0, "{rows:?}");
    assert!(rows[1][2] <= 5.0, "it starts within five seconds: {rows:?}");
}

#[test]
fn missing_and_unknown_arguments_of_swarm_are_explained() {
    for (word, complaint) in
        [("--peers", "a value is required"), ("radio", "possible values: crowd, tv, fleet")]
    {
        let run =
            Command::new(env!("CARGO_BIN_EXE_torrent")).arg("swarm").arg(word).output().unwrap();
        assert_eq!(run.status.code(), Some(2));
        let said = String::from_utf8(run.stderr).unwrap();
        assert!(said.contains(complaint) && said.contains("--help"), "{said}");
    }
}
