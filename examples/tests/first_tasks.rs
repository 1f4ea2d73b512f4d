//! The first task of a newcomer to each crate takes no more than its README and fifteen lines.
//!
//! Each file of `first_tasks/` does one of them, and a test runs it. The test below counts the lines of the file that do not
//! stand in the README of the crate. An item that the README does not show is found in the documentation of an item that
//! it does.

use std::fs;
use std::path::Path;

#[path = "first_tasks/answer_a_query.rs"]
mod answer_a_query;
#[path = "first_tasks/chord_ring.rs"]
mod chord_ring;
#[path = "first_tasks/heap_torrent.rs"]
mod heap_torrent;
#[path = "first_tasks/inclusion_proof.rs"]
mod inclusion_proof;
#[path = "first_tasks/mine_until.rs"]
mod mine_until;

/// What a program may add to the README.
const LINES: usize = 15;

/// The file of a task, and the crate whose README it starts from.
const TASKS: [(&str, &str); 5] = [
    ("answer_a_query", "gnutella-wire"),
    ("chord_ring", "chord-core"),
    ("heap_torrent", "bittorrent-pieces"),
    ("inclusion_proof", "ledger-core"),
    ("mine_until", "pow"),
];

#[test]
fn each_first_task_adds_at_most_15_lines_to_the_readme_of_its_crate() {
    for (task, name) in TASKS {
        let added = added(task, name);
        assert!(added.len() <= LINES, "{task}: {} lines\n{}", added.len(), added.join("\n"));
        assert!(!added.is_empty(), "{task} is the README alone");
    }
}

#[test]
fn every_file_of_first_tasks_is_counted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/first_tasks");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the folder of the tasks")
        .map(|file| file.expect("a file").path().file_stem().expect("a name").to_owned())
        .collect();
    files.sort();
    assert_eq!(files, TASKS.map(|(task, _)| task));
}

#[test]
fn the_first_program_of_each_readme_is_whole_and_prints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for name in TASKS.map(|(_, name)| name).into_iter().chain(["consensus"]) {
        let readme = fs::read_to_string(root.join(name).join("README.md"));
        let readme = readme.expect("every crate has a README");
        let first = readme.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next());
        let program = first.expect("a program");
        assert!(program.lines().any(|line| line.starts_with("fn main()")), "{name}: {program}");
        assert!(program.contains("println!("), "{name} prints nothing");
        let hidden: Vec<_> = program.lines().filter(|line| line.starts_with("# ")).collect();
        assert!(hidden.is_empty(), "{name} hides {hidden:#?}");
        assert!(program.lines().count() <= 45, "{name}: {} lines", program.lines().count());
        let dependencies = readme.split("```rust").next().unwrap_or_default();
        assert!(dependencies.contains("[dependencies]\n"), "{name} names no dependencies first");
    }
}

/// Returns the lines of a task that are not in the code of the README. Empty lines and comments do not count.
fn added(task: &str, name: &str) -> Vec<String> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(examples.join("..").join(name).join("README.md"));
    let known = joined(&code(&readme.expect("every crate has a README")));
    let source =
        fs::read_to_string(examples.join("tests/first_tasks").join(task).with_extension("rs"));
    let source = source.expect("a file for each task");
    let lines = source.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
    // Without spaces and commas, since the formatter breaks lines where the README does not.
    lines.filter(|line| !known.contains(&joined(line))).map(str::to_owned).collect()
}

/// Returns what a reader sees of the Rust blocks of a page.
fn code(page: &str) -> String {
    let blocks =
        page.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("rust\n"));
    let lines = blocks.flat_map(str::lines).filter(|line| !line.starts_with("# "));
    lines.flat_map(|line| [line, "\n"]).collect()
}

fn joined(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && *c != ',').collect()
}

#[test]
fn a_line_counts_unless_the_readme_shows_it() {
    let page = "Text;\n```rust\nlet a = f(\n    1,\n);\n# hidden();\n```\n```toml\nx = 1\n```\n";
    let known = joined(&code(page));
    for (line, shown) in
        [("let a = f(1);", true), ("Text;", false), ("hidden();", false), ("x = 1", false)]
    {
        assert_eq!(known.contains(&joined(line)), shown, "{line}");
    }
}
