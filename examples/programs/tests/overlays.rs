//! Eight geometries beside each other: every answer is the owner, and the hops are those of the papers.

use std::process::{Command, Output};

fn overlays(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_chord"))
        .arg("overlays")
        .args(words)
        .output()
        .expect("it starts")
}

/// Size, geometry, mean of the hops and of the nodes known.
fn rows(words: &[&str]) -> Vec<(f64, String, f64, f64)> {
    let done = overlays(words);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout).expect("text");
    assert!(text.ends_with("every lookup ended at the owner\n"), "{text}");
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let number = |at: usize| cells.get(at)?.parse().ok();
        Some((number(1)?, cells[2].to_owned(), number(3)?, number(5)?))
    };
    text.lines().filter_map(row).collect()
}

/// Rowstron and Druschel 2001, figure 4: mean hops with b = 4 and 16 leaves, read from the drawing.
#[test]
fn pastry_takes_the_hops_of_its_paper() {
    let published =
        [(1000.0, 2.49), (2000.0, 2.69), (5000.0, 2.95), (10_000.0, 3.23), (100_000.0, 3.98)];
    let sizes = "1000,2000,5000,10000,100000";
    let rows = rows(&["--only", "pastry", "--nodes", sizes, "--lookups", "2000"]);
    for ((size, hops), (measured_size, _, measured, _)) in published.into_iter().zip(&rows) {
        assert!((size - measured_size).abs() < 0.5);
        assert!((measured - hops).abs() < 0.1, "{size} nodes: {measured}, published {hops}");
    }
}

/// Ratnasamy and others 2001: (d/4) N^(1/d) hops and 2d neighbours where all zones are as large.
#[test]
fn can_takes_the_hops_of_its_formula() {
    for (dimensions, size) in [("2", "1024"), ("4", "4096")] {
        let words = ["--only", "can", "--uniform", "--dimensions", dimensions, "--nodes", size];
        let (size, _, hops, known) = rows(&words)[0].clone();
        let d: f64 = dimensions.parse().expect("a number");
        let formula = d / 4.0 * size.powf(1.0 / d);
        assert!((hops / formula - 1.0).abs() < 0.1, "d = {d}: {hops}, formula {formula}");
        assert!((known / (2.0 * d) - 1.0).abs() < 0.15, "d = {d}: {known} neighbours");
    }
}

/// An independent simulation of Kleinberg's small world with round(log2(N) / 2) long links a node has 5.28 hops at 1,000 nodes,
/// and 7.74 at 16,000.
#[test]
fn freenet_takes_the_hops_of_a_small_world() {
    let rows = rows(&["--only", "freenet", "--nodes", "1000,16000", "--lookups", "4000"]);
    for ((_, _, hops, _), expected) in rows.iter().zip([5.28, 7.74]) {
        assert!((hops / expected - 1.0).abs() < 0.1, "{hops} hops, expected {expected}");
    }
}

#[test]
fn geometries_stand_in_their_order() {
    let svg = std::env::temp_dir().join(format!("overlays-{}", std::process::id()));
    let path = svg.to_str().expect("text");
    let rows = rows(&["--nodes", "1024", "--lookups", "400", "--out", path]);
    let hops = |name: &str| rows.iter().find(|row| row.1 == name).expect("a row").2;
    assert!((400.0..625.0).contains(&hops("linear")), "about N / 2: {}", hops("linear"));
    assert!((hops("chord") - 5.0).abs() < 0.3, "about log2 N / 2: {}", hops("chord"));
    assert!(hops("can") > hops("chord") && hops("chord") > hops("flooding"));
    assert!(hops("flooding") > hops("pastry") && hops("tapestry") < hops("pastry") + 2.0);
    for picture in ["hops.svg", "state.svg"] {
        let drawn = std::fs::read_to_string(svg.join(picture)).expect("a picture");
        // One size is one marker for each geometry, and one in the legend.
        assert_eq!(drawn.matches("class=\"f1\"").count(), 2, "{picture}");
        assert_eq!(drawn.matches("<polyline").count(), 8, "{picture}: the legend");
    }
    std::fs::remove_dir_all(svg).expect("it is ours");
}

#[test]
fn what_it_cannot_do_it_says() {
    for (words, complaint) in [
        (&["--only", "koorde"][..], "possible values: linear, chord"),
        (&["--nodes", "1"], "a number from 2 to 1000000"),
        (&["--dimensions", "5"], "from 2 to 4"),
        (&["--fast"], "unexpected argument '--fast'"),
    ] {
        let done = overlays(words);
        assert_eq!(done.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&done.stderr).contains(complaint), "{words:?}");
    }
    assert!(
        String::from_utf8_lossy(&overlays(&["--help"]).stdout).contains("Example: chord overlays")
    );
}
